// SPDX-License-Identifier: Apache-2.0
/* Bytes and datagrams, as sendmsg() and recvmsg() would move them. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FIFO_MAX	65536u

static size_t lesser(size_t a, size_t b)
{
	return a < b ? a : b;
}

static ssize_t fifo_put(struct fifo *f, const void *data, size_t len)
{
	if (!f->bytes)
		f->bytes = malloc(FIFO_MAX);
	if (!f->bytes)
		return -ENOMEM;
	len = lesser(len, FIFO_MAX - f->len);
	if (!len)
		return -EAGAIN;
	memcpy(f->bytes + f->len, data, len);
	f->len += len;
	return len;
}

static ssize_t fifo_get(struct fifo *f, void *data, size_t len)
{
	len = lesser(len, f->len);
	memcpy(data, f->bytes, len);
	f->len -= len;
	memmove(f->bytes, f->bytes + len, f->len);
	return len;
}

/* Room in the tx ring, or a promise to be told. */
static uint32_t tx_room(struct dmm_peer_socket *s, uint32_t need)
{
	uint32_t room = dmm_writer_look(&s->tx);

	if (room < need && dmm_peer_grow(s, &s->tx_pieces, &s->page->tx, need))
		room = dmm_writer_look(&s->tx);
	if (room >= need)
		return room;
	store_relaxed(&s->page->tx.wants_space, 1);
	full_barrier();
	return dmm_writer_look(&s->tx);
}

static uint32_t rx_bytes(struct dmm_peer_socket *s)
{
	uint32_t bytes = dmm_reader_look(&s->rx);

	if (bytes)
		return bytes;
	store_relaxed(&s->page->rx.wants_data, 1);
	full_barrier();
	return dmm_reader_look(&s->rx);
}

static void rx_take(struct dmm_peer_socket *s, uint32_t bytes)
{
	dmm_reader_consume(&s->rx, bytes);
	dmm_peer_reclaim(s, &s->rx_pieces, &s->page->rx);
	dmm_peer_tell_space(s);
}

static int not_open(struct dmm_peer_socket *s)
{
	int error = s->error;

	s->error = 0;
	if (error)
		return -error;
	switch (s->state) {
	case SOCK_OPEN:
		return 0;
	case SOCK_CONNECTING:
	case SOCK_BINDING:
	case SOCK_PAIR_WAITS:
		return -EAGAIN;
	case SOCK_DEAD:
		return -EPIPE;
	default:
		return -ENOTCONN;
	}
}

static ssize_t do_send(struct dmm_peer_socket *s, const void *data, size_t len)
{
	struct iovec iov[2];
	ssize_t ret = not_open(s);

	if (ret)
		return ret;
	if (s->shut || (!s->id && !s->pair))
		return -EPIPE;
	if (s->pair) {
		ret = fifo_put(&s->pair->inbox, data, len);
		pthread_cond_broadcast(&s->peer->wake_apps);
		return ret;
	}
	len = lesser(len, tx_room(s, lesser(len, s->peer->reg.sndbuf)));
	if (!len)
		return -EAGAIN;
	dmm_writer_peek(&s->tx, len, iov);
	dmm_copy_to_iov(iov, data, len);
	dmm_writer_commit(&s->tx, len);
	dmm_peer_tell_data(s);
	return len;
}

ssize_t dmm_peer_send(struct dmm_peer_socket *s, const void *data, size_t len)
{
	ssize_t ret;

	if (s->type == SOCK_DGRAM)
		return dmm_peer_sendto(s, data, len, NULL);
	pthread_mutex_lock(&s->peer->lock);
	ret = do_send(s, data, len);
	pthread_mutex_unlock(&s->peer->lock);
	return ret;
}

/* What is in the ring is read also after an error. */
static ssize_t do_recv(struct dmm_peer_socket *s, void *data, size_t len)
{
	struct iovec iov[4];
	uint32_t bytes;
	bool eof = s->eof;
	ssize_t ret;

	if (s->inbox.len) {
		ret = fifo_get(&s->inbox, data, len);
		pthread_cond_broadcast(&s->peer->wake_apps);
		return ret;
	}
	if (s->id && s->state != SOCK_CONNECTING && s->state != SOCK_LISTENER) {
		bytes = rx_bytes(s);
		len = lesser(len, bytes);
		if (len) {
			dmm_reader_peek(&s->rx, 0, iov, 4);
			dmm_copy_from_iov(data, iov, len);
			rx_take(s, len);
			return len;
		}
	}
	ret = not_open(s);
	if (eof && (!ret || ret == -EPIPE))
		return 0;
	return ret ? (ret == -EPIPE ? 0 : ret) : -EAGAIN;
}

ssize_t dmm_peer_recv(struct dmm_peer_socket *s, void *data, size_t len)
{
	ssize_t ret;

	if (s->type == SOCK_DGRAM)
		return dmm_peer_recvfrom(s, data, len, NULL);
	pthread_mutex_lock(&s->peer->lock);
	ret = do_recv(s, data, len);
	pthread_mutex_unlock(&s->peer->lock);
	return ret;
}

static void set_far_end(struct dmm_datagram *d, const struct dmm_peer_socket *s,
			const struct sockaddr *to)
{
	const struct sockaddr_in *in = (const void *)to;
	const struct sockaddr_in6 *in6 = (const void *)to;

	if (!to) {
		memcpy(d->addr, s->ends.remote, 16);
		d->port = s->ends.rport;
	} else if (to->sa_family == AF_INET) {
		memset(d->addr + 10, 0xff, 2);
		memcpy(d->addr + 12, &in->sin_addr, 4);
		d->port = in->sin_port;
	} else {
		memcpy(d->addr, &in6->sin6_addr, 16);
		d->port = in6->sin6_port;
	}
	d->family = IN6_IS_ADDR_V4MAPPED((struct in6_addr *)d->addr) ? AF_INET : AF_INET6;
}

static ssize_t put_datagram(struct dmm_peer_socket *s, const struct dmm_datagram *d,
			    const void *data)
{
	uint32_t size = dmm_record_size(d->len);
	struct iovec iov[2];
	uint8_t *record;

	if (d->len > DMM_DATAGRAM_MAX || size > s->tx_pieces.max)
		return -EMSGSIZE;
	if (tx_room(s, size) < size)
		return -EAGAIN;
	record = calloc(1, size);
	if (!record)
		return -ENOMEM;
	memcpy(record, d, sizeof(*d));
	if (d->len)
		memcpy(record + sizeof(*d), data, d->len);
	dmm_writer_peek(&s->tx, size, iov);
	dmm_copy_to_iov(iov, record, size);
	free(record);
	dmm_writer_commit(&s->tx, size);
	dmm_peer_tell_data(s);
	return d->len;
}

/* The first send of a socket that is not bound binds it. */
static ssize_t do_sendto(struct dmm_peer_socket *s, const void *data, size_t len,
			 const struct sockaddr *to)
{
	struct dmm_datagram d = { .len = len };
	int ret;

	if (s->state == SOCK_IDLE) {
		ret = dmm_peer_conn_make(s);
		if (ret)
			return ret;
		s->ends.family = s->family;
		s->state = SOCK_BINDING;
		dmm_peer_say_open(s, DMM_EV_BIND, 0);
		return -EAGAIN;
	}
	ret = not_open(s);
	if (ret)
		return ret;
	if (!to && !s->connected)
		return -EDESTADDRREQ;
	set_far_end(&d, s, to);
	return put_datagram(s, &d, data);
}

ssize_t dmm_peer_sendto(struct dmm_peer_socket *s, const void *data, size_t len,
			const struct sockaddr *to)
{
	ssize_t ret;

	pthread_mutex_lock(&s->peer->lock);
	ret = do_sendto(s, data, len, to);
	pthread_mutex_unlock(&s->peer->lock);
	return ret;
}

static ssize_t do_recvfrom(struct dmm_peer_socket *s, void *data, size_t len,
			   struct sockaddr_in6 *from)
{
	int ret = not_open(s);
	struct dmm_datagram d;
	struct iovec iov[4];
	uint8_t *record;
	uint32_t bytes;

	if (ret)
		return ret;
	bytes = rx_bytes(s);
	if (!bytes)
		return -EAGAIN;
	dmm_reader_peek(&s->rx, 0, iov, 4);
	dmm_copy_from_iov(&d, iov, lesser(bytes, sizeof(d)));
	if (bytes < sizeof(d) || d.len > DMM_DATAGRAM_MAX || dmm_record_size(d.len) > bytes) {
		s->peer->stats.violations++;
		rx_take(s, bytes);
		return -EAGAIN;
	}
	record = malloc(dmm_record_size(d.len));
	if (!record)
		return -ENOMEM;
	dmm_copy_from_iov(record, iov, dmm_record_size(d.len));
	len = lesser(len, d.len);
	memcpy(data, record + sizeof(d), len);
	free(record);
	if (from) {
		*from = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = d.port };
		memcpy(&from->sin6_addr, d.addr, 16);
	}
	rx_take(s, dmm_record_size(d.len));
	return len;
}

ssize_t dmm_peer_recvfrom(struct dmm_peer_socket *s, void *data, size_t len,
			  struct sockaddr_in6 *from)
{
	ssize_t ret;

	pthread_mutex_lock(&s->peer->lock);
	ret = do_recvfrom(s, data, len, from);
	pthread_mutex_unlock(&s->peer->lock);
	return ret;
}
