// SPDX-License-Identifier: Apache-2.0
/* Down events, and those that wait for room. */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

static bool place(struct dmm_peer *peer, struct peer_queue *q, const struct dmm_event *e)
{
	uint32_t nr = peer->reg.nr_events;

	if (q->down_head - load_acquire(&q->area->down_tail) >= nr)
		return false;
	q->kernel->down[q->down_head++ & (nr - 1)] = *e;
	store_release(&q->kernel->down_head, q->down_head);
	full_barrier();
	if (!load_relaxed(&q->area->polls))
		pthread_cond_broadcast(&peer->wake_stack);
	return true;
}

static void hold(struct dmm_peer *peer, struct peer_queue *q, const struct dmm_event *e)
{
	if (q->nr_held == q->max_held) {
		q->max_held = q->max_held ? q->max_held * 2 : 64;
		q->held = realloc(q->held, q->max_held * sizeof(*q->held));
		if (!q->held)
			abort();
	}
	q->held[q->nr_held++] = *e;
	peer->stats.held_back++;
	store_relaxed(&q->kernel->held_back, 1);
}

void dmm_peer_down(struct dmm_peer *peer, unsigned int queue, const struct dmm_event *e)
{
	struct peer_queue *q = &peer->queues[queue];

	if (q->nr_held || !place(peer, q, e))
		hold(peer, q, e);
}

void dmm_peer_down_held(struct dmm_peer *peer, struct peer_queue *q)
{
	size_t n = 0;

	while (n < q->nr_held && place(peer, q, &q->held[n]))
		n++;
	if (!n)
		return;
	q->nr_held -= n;
	memmove(q->held, q->held + n, q->nr_held * sizeof(*q->held));
	store_relaxed(&q->kernel->held_back, q->nr_held > 0);
}

void dmm_peer_say(struct dmm_peer_socket *s, uint16_t type, uint16_t flags, int32_t value)
{
	struct dmm_event e = { .type = type, .flags = flags, .value = value, .conn = s->id };

	dmm_peer_down(s->peer, s->queue, &e);
}

void dmm_peer_say_open(struct dmm_peer_socket *s, uint16_t type, int32_t value)
{
	static const uint8_t any[16];
	struct dmm_event e = { .type = type, .value = value, .conn = s->id };

	e.open = s->ends;
	e.open.page = s->page_run.offset / DMM_PAGE_SIZE;
	if (s->family == AF_INET6 && !s->v6only && !memcmp(s->ends.local, any, 16))
		e.flags = DMM_EVF_DUAL;
	dmm_peer_down(s->peer, s->queue, &e);
}

/* Has the stack not yet taken the event with the index before @behind? */
static bool is_pending(const struct dmm_peer_socket *s, bool told, uint32_t behind)
{
	uint32_t tail = load_acquire(&s->peer->queues[s->queue].area->down_tail);

	return told && (int32_t)(tail - behind) < 0;
}

/* Events are in order, so the ones that are held have the indices behind the ring's. */
static uint32_t next_index(const struct dmm_peer_socket *s)
{
	const struct peer_queue *q = &s->peer->queues[s->queue];

	return q->down_head + q->nr_held;
}

void dmm_peer_tell_data(struct dmm_peer_socket *s)
{
	full_barrier();
	if (!load_relaxed(&s->page->tx.wants_data) ||
	    is_pending(s, s->data_was_told, s->data_told))
		return;
	s->data_told = next_index(s) + 1;
	s->data_was_told = true;
	dmm_peer_say(s, DMM_EV_TX_DATA, 0, 0);
}

void dmm_peer_tell_space(struct dmm_peer_socket *s)
{
	full_barrier();
	if (!load_relaxed(&s->page->rx.wants_space) ||
	    is_pending(s, s->space_was_told, s->space_told))
		return;
	s->space_told = next_index(s) + 1;
	s->space_was_told = true;
	dmm_peer_say(s, DMM_EV_RX_SPACE, 0, 0);
}
