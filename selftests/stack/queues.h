/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stack of several queues, each with a thread, that joins sockets of its own instance by copying bytes, as a network
 * card would bring them: the two ends of a connection are on different queues wherever there are several.
 */
#ifndef SELFTESTS_STACK_QUEUES_H
#define SELFTESTS_STACK_QUEUES_H

#include <dmm/stack.h>

extern const struct dmm_stack_ops queues_ops;

/*
 * The queues' threads have ended: bring to an end, in the caller's thread, what a successor would not know of. Nothing
 * is taken on any more.
 */
void queues_drain(struct dmm_stack *stack);
/* Forget all, after dmm_stack_close(). */
void queues_exit(void);

#endif
