// SPDX-License-Identifier: Apache-2.0
/*
 * The rings of a connection with their flags: who finds too little sets its flag,
 * makes a barrier and looks once more; who has moved an index makes a barrier and
 * looks at the other's flag.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "atomic.h"

static bool has_rings(const struct dmm_conn *conn)
{
	return conn->page && conn->tx.ring;
}

/* Bytes in the tx ring; if not more than @beyond, the kernel tells when there are more. */
uint32_t dmm_conn_tx_look(struct dmm_conn *conn, uint32_t beyond)
{
	uint32_t bytes;

	if (!has_rings(conn))
		return 0;
	bytes = dmm_reader_look(&conn->tx);
	if (bytes > beyond || conn->wants_data)
		return bytes;
	conn->wants_data = true;
	store_relaxed(&conn->page->tx.wants_data, 1);
	full_barrier();
	return dmm_reader_look(&conn->tx);
}

void dmm_conn_tx_take(struct dmm_conn *conn, uint32_t bytes)
{
	if (!has_rings(conn))
		return;
	dmm_reader_consume(&conn->tx, bytes);
	full_barrier();
	if (load_relaxed(&conn->page->tx.wants_space))
		dmm_up_say(conn, PENDING_TX_SPACE);
}

/* Bytes of room in the rx ring; if less than @want, a larger one is asked for. */
uint32_t dmm_conn_rx_look(struct dmm_conn *conn, uint32_t want)
{
	uint32_t room;

	if (!has_rings(conn))
		return 0;
	room = dmm_writer_look(&conn->rx);
	if (room >= want || conn->wants_space)
		return room;
	conn->wants_space = true;
	store_relaxed(&conn->page->rx.wants_space, 1);
	full_barrier();
	room = dmm_writer_look(&conn->rx);
	if (room >= want)
		return room;
	/* A stream does with what it gets; a datagram has to be whole. */
	if (conn->open.type == SOCK_DGRAM)
		conn->need = dmm_writer_used(&conn->rx) + want;
	dmm_up_say(conn, PENDING_RX_FULL);
	return room;
}

void dmm_conn_rx_give(struct dmm_conn *conn, uint32_t bytes)
{
	if (!has_rings(conn))
		return;
	dmm_writer_commit(&conn->rx, bytes);
	full_barrier();
	if (load_relaxed(&conn->page->rx.wants_data))
		dmm_up_say(conn, PENDING_RX_DATA);
}

DMM_EXPORT int dmm_conn_tx_peek(struct dmm_conn *conn, size_t offset, struct iovec *iov, int max)
{
	if (dmm_conn_tx_look(conn, offset) <= offset)
		return 0;
	return dmm_reader_peek(&conn->tx, offset, iov, max);
}

DMM_EXPORT size_t dmm_conn_tx_pending(const struct dmm_conn *conn)
{
	return has_rings(conn) ? load_acquire(&conn->page->tx.head) - conn->tx.tail : 0;
}

DMM_EXPORT void dmm_conn_tx_consume(struct dmm_conn *conn, size_t bytes)
{
	if (bytes)
		dmm_conn_tx_take(conn, bytes);
}

DMM_EXPORT size_t dmm_conn_rx_pending(const struct dmm_conn *conn)
{
	return has_rings(conn) ? dmm_writer_used(&conn->rx) : 0;
}

DMM_EXPORT size_t dmm_conn_rx_reserve(struct dmm_conn *conn, size_t want, struct iovec iov[2])
{
	size_t room = dmm_conn_rx_look(conn, want);
	int nr = 0;

	if (!iov)
		return room;
	if (room)
		nr = dmm_writer_peek(&conn->rx, room, iov);
	for (; nr < 2; nr++)
		iov[nr] = (struct iovec){ 0 };
	return room;
}

DMM_EXPORT void dmm_conn_rx_commit(struct dmm_conn *conn, size_t bytes)
{
	if (bytes)
		dmm_conn_rx_give(conn, bytes);
}

DMM_EXPORT size_t dmm_conn_write(struct dmm_conn *conn, const void *bytes, size_t len)
{
	struct iovec iov[2];
	size_t room = dmm_conn_rx_reserve(conn, len, iov);

	len = len < room ? len : room;
	dmm_copy_to_iov(iov, bytes, len);
	dmm_conn_rx_commit(conn, len);
	return len;
}

DMM_EXPORT int dmm_conn_rings(const struct dmm_conn *conn, struct iovec *tx, struct iovec *rx)
{
	if (conn->queue->stack->reg.features & DMM_FEAT_GROW)
		return -EOPNOTSUPP;
	if (!has_rings(conn) || !conn->tx.piece.size || !conn->rx.piece.size)
		return -ENOTCONN;
	*tx = (struct iovec){ conn->tx.piece.base, conn->tx.piece.size };
	*rx = (struct iovec){ conn->rx.piece.base, conn->rx.piece.size };
	return 0;
}
