/* SPDX-License-Identifier: GPL-2.0-only */
/* A port in memory, in place of libdmm-eal: what is received is put there, and what was sent can be looked at. */
#ifndef SELFTESTS_FUZZ_PORT_H
#define SELFTESTS_FUZZ_PORT_H

#include <stddef.h>
#include <stdint.h>

#define PORT_FRAME_MAX	2048

/* The next frame that is received; one at a time. @checked: as if the device had checked it. */
void port_put(const void *data, size_t len, int checked);

/* The last frame that was sent, and its length. */
extern uint8_t port_sent[PORT_FRAME_MAX];
extern size_t port_sent_len;

/* Frames that were received and not given back. */
extern unsigned int port_held;

#endif
