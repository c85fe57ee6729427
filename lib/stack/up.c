// SPDX-License-Identifier: Apache-2.0
/* Up events: from bits in connections to the ring, once per turn. */
#include "internal.h"

#include "atomic.h"

void dmm_up_say(struct dmm_conn *conn, enum pending what)
{
	struct dmm_queue *q = conn->queue;

	/* The kernel has no name for it yet: when it has accepted. */
	if (conn->state == CONN_INCOMING && what != PENDING_INCOMING) {
		conn->later |= 1u << what;
		return;
	}
	conn->pending |= 1u << what;
	if (conn->listed)
		return;
	conn->listed = true;
	conn->next = NULL;
	*q->pending_end = conn;
	q->pending_end = &conn->next;
}

void dmm_up_say_later(struct dmm_conn *conn)
{
	for (; conn->later; conn->later &= conn->later - 1)
		dmm_up_say(conn, __builtin_ctz(conn->later));
}

static void fill(const struct dmm_conn *conn, enum pending what, struct dmm_event *e)
{
	static const uint16_t types[PENDING_NR] = {
		[PENDING_INCOMING] = DMM_EV_INCOMING,
		[PENDING_CONNECTED] = DMM_EV_CONNECTED,
		[PENDING_LISTENING] = DMM_EV_LISTENING,
		[PENDING_PAIR] = DMM_EV_PAIR,
		[PENDING_RX_DATA] = DMM_EV_RX_DATA,
		[PENDING_TX_SPACE] = DMM_EV_TX_SPACE,
		[PENDING_RX_FULL] = DMM_EV_RX_FULL,
		[PENDING_EOF] = DMM_EV_EOF,
		[PENDING_ERROR] = DMM_EV_ERROR,
		[PENDING_CLOSED] = DMM_EV_CLOSED,
	};

	*e = (struct dmm_event){ .type = types[what], .conn = conn->id };
	switch (what) {
	case PENDING_INCOMING:
		e->conn = conn->other;
		e->open = conn->open;
		e->open.token = conn->token;
		break;
	case PENDING_CONNECTED:
		e->open = conn->open;
		break;
	case PENDING_PAIR:
		e->open = conn->open;
		e->open.token = conn->other;
		break;
	case PENDING_RX_FULL:
		e->value = conn->need;
		break;
	case PENDING_ERROR:
		e->value = conn->error;
		break;
	default:
		break;
	}
}

static uint32_t room(const struct dmm_queue *q)
{
	uint32_t used = q->up_head - load_acquire(&q->kernel->up_tail);

	return used < q->stack->reg.nr_events ? q->stack->reg.nr_events - used : 0;
}

/* Write all that one connection has to say; false: the ring is full. */
static bool flush_conn(struct dmm_queue *q, struct dmm_conn *conn, uint32_t *left)
{
	unsigned int what;

	while (conn->pending) {
		if (!*left)
			return false;
		what = __builtin_ctz(conn->pending);
		fill(conn, what, &q->area->up[q->up_head & (q->stack->reg.nr_events - 1)]);
		conn->pending &= ~(1u << what);
		q->up_head++;
		q->stats.up++;
		--*left;
	}
	return true;
}

void dmm_up_flush(struct dmm_queue *q)
{
	uint32_t left, head = q->up_head;
	struct dmm_conn *conn;

	if (!q->pending)
		return;
	left = room(q);
	while ((conn = q->pending) && flush_conn(q, conn, &left)) {
		q->pending = conn->next;
		if (!q->pending)
			q->pending_end = &q->pending;
		conn->listed = false;
		if (conn->state == CONN_GONE)
			dmm_conn_free(conn);
	}
	if (q->pending)
		q->stats.backlog++;
	if (q->up_head != head)
		store_release(&q->area->up_head, q->up_head);
}

/* The kernel has something to take. */
bool dmm_up_outstanding(const struct dmm_queue *q)
{
	return q->up_head != load_relaxed(&q->kernel->up_tail);
}
