// SPDX-License-Identifier: Apache-2.0
/* What a stack's author asks of a connection and says about it. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Find the connection by the kernel's handle from now on, and its page. */
int dmm_conn_attach(struct dmm_conn *conn, uint64_t id, uint32_t page)
{
	const struct arena *arena = &conn->queue->stack->arena;
	uint64_t offset = (uint64_t)page * DMM_PAGE_SIZE;
	int ret;

	if (arena->len < DMM_PAGE_SIZE || offset > arena->len - DMM_PAGE_SIZE)
		return -EINVAL;
	ret = dmm_table_set(&conn->queue->table, id, conn);
	if (ret)
		return ret;
	conn->id = id;
	conn->page = (struct dmm_page *)(arena->base + offset);
	dmm_reader_init(&conn->tx, &conn->page->tx, arena);
	dmm_writer_init(&conn->rx, &conn->page->rx, arena);
	return 0;
}

DMM_EXPORT void *dmm_conn_priv(const struct dmm_conn *conn)
{
	return conn->priv;
}

DMM_EXPORT void dmm_conn_set_priv(struct dmm_conn *conn, void *priv)
{
	conn->priv = priv;
}

DMM_EXPORT struct dmm_queue *dmm_conn_queue(const struct dmm_conn *conn)
{
	return conn->queue;
}

DMM_EXPORT void *dmm_conn_arg(const struct dmm_conn *conn)
{
	return conn->queue->stack->arg;
}

DMM_EXPORT int dmm_conn_type(const struct dmm_conn *conn)
{
	return conn->open.type;
}

DMM_EXPORT unsigned int dmm_conn_flags(const struct dmm_conn *conn)
{
	return conn->flags;
}

DMM_EXPORT uint64_t dmm_conn_id(const struct dmm_conn *conn)
{
	return conn->id;
}

DMM_EXPORT const struct dmm_options *dmm_conn_options(const struct dmm_conn *conn)
{
	return conn->page ? &conn->page->options : NULL;
}

DMM_EXPORT struct dmm_metrics *dmm_conn_metrics(struct dmm_conn *conn)
{
	return conn->page ? &conn->page->metrics : NULL;
}

/* The last that is said of a connection. */
static void end(struct dmm_conn *conn, enum pending last)
{
	dmm_table_set(&conn->queue->table, conn->id, NULL);
	conn->page = NULL;
	conn->state = CONN_GONE;
	dmm_up_say(conn, last);
}

static void set_local(struct dmm_conn *conn, const struct dmm_open *local)
{
	if (!local)
		return;
	memcpy(conn->open.local, local->local, sizeof(conn->open.local));
	conn->open.lport = local->lport;
	conn->open.family = local->family;
}

DMM_EXPORT void dmm_conn_connected(struct dmm_conn *conn, const struct dmm_open *local)
{
	if (conn->state != CONN_ASKED)
		return;
	set_local(conn, local);
	conn->state = CONN_OPEN;
	dmm_up_say(conn, PENDING_CONNECTED);
	dmm_conn_kick(conn);
}

DMM_EXPORT void dmm_conn_listening(struct dmm_conn *conn)
{
	if (conn->state != CONN_ASKED)
		return;
	conn->state = CONN_LISTENER;
	dmm_up_say(conn, PENDING_LISTENING);
}

DMM_EXPORT void dmm_conn_error(struct dmm_conn *conn, int error)
{
	if (conn->state == CONN_CLOSING || conn->state == CONN_GONE)
		return;
	conn->error = error < 0 ? error : -error;
	if (conn->state == CONN_ASKED)
		end(conn, PENDING_ERROR);
	else
		dmm_up_say(conn, PENDING_ERROR);
}

DMM_EXPORT int dmm_conn_pair(struct dmm_conn *conn, const struct dmm_conn *listener,
			     const struct dmm_open *local)
{
	if (!(conn->queue->stack->reg.features & DMM_FEAT_PAIR))
		return -EOPNOTSUPP;
	if (conn->state != CONN_ASKED)
		return -EINVAL;
	set_local(conn, local);
	conn->other = listener->id;
	end(conn, PENDING_PAIR);
	return 0;
}

DMM_EXPORT struct dmm_conn *dmm_conn_incoming(struct dmm_queue *queue,
					      const struct dmm_conn *listener,
					      const struct dmm_open *ends, void *priv)
{
	struct dmm_conn *conn = dmm_conn_new(queue);

	if (!conn)
		return NULL;
	if (dmm_tokens_add(&queue->tokens, conn)) {
		dmm_conn_free(conn);
		return NULL;
	}
	conn->priv = priv;
	conn->state = CONN_INCOMING;
	conn->other = listener->id;
	conn->open = *ends;
	conn->open.type = SOCK_STREAM;
	conn->open.reserved = 0;
	dmm_up_say(conn, PENDING_INCOMING);
	return conn;
}

DMM_EXPORT void dmm_conn_eof(struct dmm_conn *conn)
{
	if (conn->state == CONN_OPEN || conn->state == CONN_INCOMING)
		dmm_up_say(conn, PENDING_EOF);
}

/* What else was to be said does not matter any more. */
DMM_EXPORT void dmm_conn_closed(struct dmm_conn *conn)
{
	if (conn->state == CONN_GONE || conn->state == CONN_INCOMING)
		return;
	conn->pending = 0;
	end(conn, PENDING_CLOSED);
}
