// SPDX-License-Identifier: Apache-2.0
/*
 * Calls from thread to thread.  Who gives one puts it in front of the queue's list
 * with release semantics, the queue's thread takes the whole list with acquire
 * semantics; there is no lock, and so no thread waits for another.
 */
#include "internal.h"

#include "atomic.h"

/* Once it is in the list it can be called, and freed, at any time. */
DMM_EXPORT void dmm_queue_call(struct dmm_queue *q, struct dmm_call *call)
{
	struct dmm_call *first = load_relaxed(&q->calls);

	do {
		call->next = first;
	} while (!__atomic_compare_exchange_n(&q->calls, &first, call, true, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	/* Otherwise who gave the first one does. */
	if (!first)
		dmm_queue_wake(q);
}

/* In the order in which they were given. */
struct dmm_call *dmm_calls_take(struct dmm_queue *q)
{
	struct dmm_call *call, *next, *list = NULL;

	if (!load_relaxed(&q->calls))
		return NULL;
	for (call = __atomic_exchange_n(&q->calls, NULL, __ATOMIC_ACQUIRE); call; call = next) {
		next = call->next;
		call->next = list;
		list = call;
	}
	return list;
}

/* It goes from queue to queue, and so comes after what each of them had to act upon. */
static void go_on(struct dmm_call *call)
{
	struct dmm_stack *s = call->back->stack;

	if (++call->at < s->reg.nr_queues) {
		dmm_queue_call(&s->queues[call->at], call);
		return;
	}
	call->fn = call->then;
	dmm_queue_call(call->back, call);
}

DMM_EXPORT void dmm_queue_settle(struct dmm_queue *q, struct dmm_call *call)
{
	call->then = call->fn;
	call->fn = go_on;
	call->back = q;
	call->at = 0;
	dmm_queue_call(&q->stack->queues[0], call);
}
