/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's fault injection: Documentation/fault-injection/fault-injection.rst. */
#ifndef FAULTS_INJECT_H
#define FAULTS_INJECT_H

#include "faults.h"

/* Why there is none, or NULL. Undone at exit. */
const char *inject_init(void);
/* The nth fault from here on, counted between fault_begin() and fault_end(). */
void inject_nth(unsigned int n);
/* Did it come? */
bool inject_done(void);
/* Only what is allocated below this; -1 if it cannot be found. */
int inject_below(enum below below);
/* In so many of a hundred cases, in processes that called inject_me(). */
void inject_percent(unsigned int percent);
void inject_me(void);

#endif /* FAULTS_INJECT_H */
