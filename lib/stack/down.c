// SPDX-License-Identifier: Apache-2.0
/* Down events: from the ring to callbacks. */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "atomic.h"

#define BATCH	64u

static const struct dmm_stack_ops *conn_ops(const struct dmm_conn *conn)
{
	return conn->queue->stack->ops;
}

/* Say this of a connection for which there is no object. */
static void answer(struct dmm_queue *q, uint64_t id, enum pending what, int error)
{
	struct dmm_conn *conn = dmm_conn_new(q);

	if (!conn)
		return;
	conn->id = id;
	conn->state = CONN_GONE;
	conn->error = error;
	dmm_up_say(conn, what);
}

/* An object for a connection that the kernel made. */
static struct dmm_conn *conn_make(struct dmm_queue *q, const struct dmm_event *e)
{
	struct dmm_conn *conn = dmm_conn_new(q);
	int ret = -ENOMEM;

	if (conn) {
		conn->open = e->open;
		conn->flags = e->flags;
		conn->state = CONN_ASKED;
		ret = dmm_conn_attach(conn, e->conn, e->open.page);
		if (!ret)
			return conn;
		dmm_conn_free(conn);
	}
	if (ret == -ENOMEM)
		answer(q, e->conn, PENDING_ERROR, ret);
	else
		q->stats.bad++;
	return NULL;
}

static void down_connect(struct dmm_queue *q, const struct dmm_event *e)
{
	struct dmm_conn *conn = dmm_table_find(&q->table, e->conn);

	if (!conn)
		conn = conn_make(q, e);
	else if (conn->open.type != SOCK_DGRAM || e->open.type != SOCK_DGRAM || conn->state != CONN_OPEN)
		return;
	if (!conn)
		return;
	/* A datagram socket gets another far end. */
	conn->state = CONN_ASKED;
	conn->open = e->open;
	if (conn_ops(conn)->connect)
		conn_ops(conn)->connect(conn, &e->open);
	else
		dmm_conn_error(conn, -EOPNOTSUPP);
}

static void down_bind(struct dmm_queue *q, const struct dmm_event *e)
{
	struct dmm_conn *conn = dmm_table_find(&q->table, e->conn);

	conn = conn ? NULL : conn_make(q, e);
	if (!conn)
		return;
	if (conn_ops(conn)->bind)
		conn_ops(conn)->bind(conn, &e->open);
	else
		dmm_conn_error(conn, -EOPNOTSUPP);
}

static void down_listen(struct dmm_queue *q, const struct dmm_event *e)
{
	struct dmm_conn *conn = dmm_table_find(&q->table, e->conn);

	if (conn && conn->state != CONN_LISTENER && conn->state != CONN_ASKED)
		return;
	if (!conn)
		conn = conn_make(q, e);
	if (!conn)
		return;
	if (conn_ops(conn)->listen)
		conn_ops(conn)->listen(conn, &e->open, e->value);
	else
		dmm_conn_error(conn, -EOPNOTSUPP);
}

static void down_resume(struct dmm_queue *q, const struct dmm_event *e)
{
	struct dmm_conn *conn = dmm_table_find(&q->table, e->conn);

	conn = conn ? NULL : conn_make(q, e);
	if (!conn)
		return;
	/* Connections have a remote port. */
	conn->state = e->open.type == SOCK_STREAM && !e->open.rport ? CONN_LISTENER : CONN_OPEN;
	dmm_conn_kick(conn);
	if (conn_ops(conn)->resume)
		conn_ops(conn)->resume(conn, &e->open, e->value);
	else
		dmm_conn_error(conn, -ECONNRESET);
}

static void down_accept(struct dmm_queue *q, const struct dmm_event *e)
{
	struct dmm_conn *conn = dmm_tokens_take(&q->tokens, e->answer.token);

	if (!conn) {
		q->stats.bad++;
		answer(q, e->conn, PENDING_ERROR, -ECONNRESET);
		return;
	}
	if (dmm_conn_attach(conn, e->conn, e->answer.page)) {
		q->stats.bad++;
		if (conn_ops(conn)->refused)
			conn_ops(conn)->refused(conn, -ENOMEM);
		conn->state = CONN_GONE;
		conn->id = e->conn;
		conn->error = -ECONNRESET;
		dmm_up_say(conn, PENDING_ERROR);
		return;
	}
	conn->state = CONN_OPEN;
	dmm_up_say_later(conn);
	dmm_conn_kick(conn);
	if (conn_ops(conn)->accepted)
		conn_ops(conn)->accepted(conn);
}

static void down_refuse(struct dmm_queue *q, const struct dmm_event *e)
{
	struct dmm_conn *conn = dmm_tokens_take(&q->tokens, e->answer.token);

	if (!conn) {
		q->stats.bad++;
		return;
	}
	if (conn_ops(conn)->refused)
		conn_ops(conn)->refused(conn, e->value);
	if (conn->listed)
		conn->state = CONN_GONE;
	else
		dmm_conn_free(conn);
}

/* One that is gone for us can have crossed this event: the kernel still wants its answer. */
static void down_close(struct dmm_queue *q, const struct dmm_event *e)
{
	struct dmm_conn *conn = dmm_table_find(&q->table, e->conn);

	if (!conn) {
		q->stats.stale++;
		answer(q, e->conn, PENDING_CLOSED, 0);
		return;
	}
	if (conn->state == CONN_CLOSING)
		return;
	conn->state = CONN_CLOSING;
	if (conn_ops(conn)->close)
		conn_ops(conn)->close(conn, e->flags & DMM_EVF_RESET);
	else
		dmm_conn_closed(conn);
}

/* Events of a connection that is open. */
static void down_other(struct dmm_queue *q, const struct dmm_event *e)
{
	struct dmm_conn *conn = dmm_table_find(&q->table, e->conn);
	const struct dmm_stack_ops *ops = q->stack->ops;

	if (!conn) {
		q->stats.stale++;
		return;
	}
	switch (e->type) {
	case DMM_EV_TX_DATA:
		conn->wants_data = false;
		store_relaxed(&conn->page->tx.wants_data, 0);
		if (ops->tx_data && conn->state == CONN_OPEN)
			ops->tx_data(conn);
		break;
	case DMM_EV_RX_SPACE:
		conn->wants_space = false;
		store_relaxed(&conn->page->rx.wants_space, 0);
		if (ops->rx_space && conn->state == CONN_OPEN)
			ops->rx_space(conn);
		break;
	case DMM_EV_SHUTDOWN:
		if (ops->shutdown && conn->state == CONN_OPEN)
			ops->shutdown(conn);
		break;
	case DMM_EV_OPTION:
		if (ops->option && conn->state != CONN_CLOSING)
			ops->option(conn);
		break;
	}
}

static void act(struct dmm_queue *q, const struct dmm_event *e)
{
	switch (e->type) {
	case DMM_EV_CONNECT:
		down_connect(q, e);
		break;
	case DMM_EV_LISTEN:
		down_listen(q, e);
		break;
	case DMM_EV_BIND:
		down_bind(q, e);
		break;
	case DMM_EV_ACCEPT:
		down_accept(q, e);
		break;
	case DMM_EV_REFUSE:
		down_refuse(q, e);
		break;
	case DMM_EV_RESUME:
		down_resume(q, e);
		break;
	case DMM_EV_CLOSE:
		down_close(q, e);
		break;
	case DMM_EV_TX_DATA:
	case DMM_EV_RX_SPACE:
	case DMM_EV_SHUTDOWN:
	case DMM_EV_OPTION:
		down_other(q, e);
		break;
	default:
		q->stats.bad++;
	}
}

/*
 * Of connections that became open since: let the author see what the application
 * has sent already, or be told when it sends.
 */
int dmm_down_kicks(struct dmm_queue *q)
{
	struct dmm_conn *conn;
	int nr = 0;

	while ((conn = q->kicks)) {
		q->kicks = conn->next_kick;
		conn->kicked = false;
		if (conn->unused)
			dmm_conn_free(conn);
		else if (conn->state == CONN_OPEN && dmm_conn_tx_look(conn, 0) &&
			 conn_ops(conn)->tx_data && ++nr)
			conn_ops(conn)->tx_data(conn);
	}
	return nr;
}

bool dmm_down_there(const struct dmm_queue *q)
{
	return load_acquire(&q->kernel->down_head) != q->down_tail;
}

/*
 * The tail moves before the events are acted upon, so that what happens after is
 * told again: hence the copy.
 */
int dmm_down_take(struct dmm_queue *q)
{
	uint32_t mask = q->stack->reg.nr_events - 1;
	uint32_t nr = load_acquire(&q->kernel->down_head) - q->down_tail;
	struct dmm_event events[BATCH];

	if (nr > mask + 1) {
		q->stats.bad++;
		nr = 0;
	}
	nr = nr < BATCH ? nr : BATCH;
	for (uint32_t i = 0; i < nr; i++)
		events[i] = q->kernel->down[q->down_tail++ & mask];
	if (nr)
		store_release(&q->area->down_tail, q->down_tail);
	for (uint32_t i = 0; i < nr; i++)
		act(q, &events[i]);
	q->stats.down += nr;
	return nr;
}
