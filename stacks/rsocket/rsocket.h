/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmm-rsocket: connections by librdmacm's rsockets, so that programs on DMM sockets and programs
 * that use rsockets, themselves or by librspreload, reach each other.
 *
 *	main.c		options, signals, the loop
 *	socket.c	sockets: from callbacks of the SDK to rsockets, and from their readiness back
 *
 * Bytes are copied once more at each end than by dmm-rdma, for an rsocket has buffers of its own.
 */
#ifndef DMM_RSOCKET_H
#define DMM_RSOCKET_H

#include <poll.h>
#include <dmm/stack.h>

extern const struct dmm_stack_ops rs_stack_ops;
extern struct dmm_queue *rs_queue;

/*
 * What to wait for: one entry per rsocket behind those that are the caller's, of which there are
 * @first; @fds is theirs.  Returns how many in all, or -ENOMEM.
 */
int rs_descriptors(struct pollfd **fds, int first);

/*
 * A descriptor that is readable when it is time for rs_accept(), which looks whether connections have come
 * in.  A negative errno if there is none.
 */
int rs_clock(void);
void rs_accept(void);

/* Act on what rpoll() found. */
void rs_act(const struct pollfd *fds, int first, int nr);

#endif
