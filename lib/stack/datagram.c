// SPDX-License-Identifier: Apache-2.0
/*
 * Datagrams in byte rings: a header, the bytes, and nothing up to the next
 * multiple of DMM_DATAGRAM_ALIGN.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

/* The elements of @from behind the first @skip bytes, @len in all. */
static void cut(const struct iovec *from, int nr, size_t skip, size_t len, struct iovec to[2])
{
	int n = 0;
	size_t part;

	to[0] = to[1] = (struct iovec){ 0 };
	for (; nr && len && n < 2; from++, nr--) {
		if (skip >= from->iov_len) {
			skip -= from->iov_len;
			continue;
		}
		part = from->iov_len - skip;
		part = part < len ? part : len;
		to[n++] = (struct iovec){ (uint8_t *)from->iov_base + skip, part };
		len -= part;
		skip = 0;
	}
}

DMM_EXPORT int dmm_conn_tx_datagram(struct dmm_conn *conn, struct dmm_datagram *datagram,
				    struct iovec iov[2])
{
	uint32_t bytes = dmm_conn_tx_look(conn, 0);
	struct iovec all[4];
	int nr;

	if (!bytes)
		return 0;
	nr = dmm_reader_peek(&conn->tx, 0, all, 4);
	if (!nr || all[0].iov_len < sizeof(*datagram))
		goto out_bad;
	memcpy(datagram, all[0].iov_base, sizeof(*datagram));
	if (datagram->len > DMM_DATAGRAM_MAX || dmm_record_size(datagram->len) > bytes)
		goto out_bad;
	/* One that is whole lies in one piece, and so in two elements at most. */
	cut(all, nr, sizeof(*datagram), datagram->len, iov);
	if (iov[0].iov_len + iov[1].iov_len != datagram->len)
		goto out_bad;
	conn->datagram = dmm_record_size(datagram->len);
	return 1;

out_bad:
	/* Nothing behind it can be told apart either. */
	conn->queue->stats.bad++;
	dmm_conn_tx_take(conn, bytes);
	return 0;
}

DMM_EXPORT void dmm_conn_tx_datagram_done(struct dmm_conn *conn)
{
	if (conn->datagram)
		dmm_conn_tx_take(conn, conn->datagram);
	conn->datagram = 0;
}

static void copy(const struct iovec *from, int nr, struct iovec to[2])
{
	struct iovec rest[2] = { to[0], to[1] };

	for (; nr; from++, nr--) {
		dmm_copy_to_iov(rest, from->iov_base, from->iov_len);
		cut((const struct iovec[2]){ rest[0], rest[1] }, 2, from->iov_len, SIZE_MAX, rest);
	}
}

DMM_EXPORT int dmm_conn_rx_datagram(struct dmm_conn *conn, const struct dmm_datagram *datagram,
				    const struct iovec *iov, int nr)
{
	struct iovec all[2], room[2];
	uint32_t size;
	int nr_all;

	if (datagram->len > DMM_DATAGRAM_MAX)
		return -EMSGSIZE;
	size = dmm_record_size(datagram->len);
	if (dmm_conn_rx_look(conn, size) < size)
		return -ENOBUFS;
	nr_all = dmm_writer_peek(&conn->rx, size, all);
	dmm_copy_to_iov(all, datagram, sizeof(*datagram));
	cut(all, nr_all, sizeof(*datagram), datagram->len, room);
	copy(iov, nr, room);
	dmm_conn_rx_give(conn, size);
	return 0;
}
