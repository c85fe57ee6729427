/* SPDX-License-Identifier: GPL-2.0-only */
/* Scenarios that are known to differ from AF_INET, and why. */
#ifndef PARITY_DIFFER_H
#define PARITY_DIFFER_H

#include <stdbool.h>

/* False: the file is not there, or a line of it has no reason. */
bool differ_load(const char *path);
/* Why a scenario differs; NULL: it should not. */
const char *differ_reason(const char *scenario);
/* The first one in the list that no scenario matches, or NULL. */
const char *differ_unknown(bool (*exists)(const char *pattern));

#endif /* PARITY_DIFFER_H */
