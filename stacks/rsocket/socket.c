// SPDX-License-Identifier: Apache-2.0
#include "rsocket.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <rdma/rsocket.h>

#define LOOK_NS	10000000	/* until listeners are looked at again */

enum state { LISTENING, CONNECTING, INCOMING, OPEN, BROKEN };

struct sock {
	LIST_ENTRY(sock) link;
	enum state state;
	struct dmm_conn *conn;
	int fd;			/* an rsocket; -1: closed */
	int at;			/* its place among the descriptors of this turn */
	bool full;		/* the application does not read: do not look for data */
	bool blocked;		/* the rsocket takes no more */
	bool eof;
	bool shut, fin;		/* the application sends no more; the peer was told */
	bool closing;		/* the application is gone */
	int error;		/* of one that broke before it was accepted */
};

static LIST_HEAD(, sock) socks = LIST_HEAD_INITIALIZER(socks);
static unsigned int nr_socks, nr_listeners;
static int clock_fd = -1;
struct dmm_queue *rs_queue;

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static void address_in(union address *a, const uint8_t addr[16], __be16 port)
{
	memset(a, 0, sizeof(*a));
	if (!memcmp(addr, mapped, sizeof(mapped))) {
		a->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
		memcpy(&a->in.sin_addr, addr + 12, 4);
		return;
	}
	a->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
	memcpy(&a->in6.sin6_addr, addr, 16);
}

static void address_out(uint8_t addr[16], __be16 *port, const union address *a)
{
	*port = a->in.sin_port;
	if (a->sa.sa_family == AF_INET6) {
		memcpy(addr, &a->in6.sin6_addr, 16);
		return;
	}
	memcpy(addr, mapped, sizeof(mapped));
	memcpy(addr + 12, &a->in.sin_addr, 4);
}

static socklen_t length(const union address *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

/* The address of a listener or of a connecting socket; "any" of the socket's family. */
static void local_address(union address *a, const struct dmm_open *open)
{
	address_in(a, open->local, open->lport);
	if (!dmm_address_is_any(open->local))
		return;
	memset(a, 0, sizeof(*a));
	a->sa.sa_family = open->family;
	a->in.sin_port = open->lport;
}

/*
 * rpoll() waits for a listener's connections where their requests come in, and a thread of librdmacm takes
 * those from there before there is anything to accept: who has looked in between is not told any more, and
 * sleeps for five seconds (librdmacm 44 to 65).  So listeners are looked at by the clock instead.
 */
static void count_listener(int more)
{
	struct itimerspec every = { 0 };

	nr_listeners += more;
	if (nr_listeners)
		every.it_value.tv_nsec = every.it_interval.tv_nsec = LOOK_NS;
	timerfd_settime(clock_fd, 0, &every, NULL);
}

int rs_clock(void)
{
	clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return clock_fd < 0 ? -errno : clock_fd;
}

static struct sock *sock_new(struct dmm_conn *conn, int fd, enum state state)
{
	struct sock *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->conn = conn;
	s->fd = fd;
	s->at = -1;
	s->state = state;
	LIST_INSERT_HEAD(&socks, s, link);
	nr_socks++;
	if (state == LISTENING)
		count_listener(1);
	if (conn)
		dmm_conn_set_priv(conn, s);
	return s;
}

/* Closing waits for the peer's device, for seconds if the peer is gone: so somebody else does it. */
static void *close_slowly(void *arg)
{
	rclose((intptr_t)arg);
	return NULL;
}

static void close_fd(struct sock *s)
{
	pthread_t thread;
	int fd = s->fd;

	s->fd = -1;
	if (fd < 0)
		return;
	if (pthread_create(&thread, NULL, close_slowly, (void *)(intptr_t)fd))
		rclose(fd);
	else
		pthread_detach(thread);
}

static void sock_free(struct sock *s)
{
	close_fd(s);
	if (s->state == LISTENING)
		count_listener(-1);
	LIST_REMOVE(s, link);
	nr_socks--;
	free(s);
}

static int open_fd(int family, bool reuse)
{
	int fd = rsocket(family, SOCK_STREAM, 0), one = 1;

	if (fd < 0)
		return -errno;
	if (reuse)
		rsetsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	rfcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Connections that break, and ends. */

static void broken(struct sock *s, int error)
{
	struct dmm_conn *conn = s->conn;

	close_fd(s);
	s->state = BROKEN;
	s->error = error;
	if (s->closing) {
		dmm_conn_closed(conn);
		sock_free(s);
	} else if (dmm_conn_id(conn)) {
		dmm_conn_error(conn, error);
	}
}

/* All is with the rsocket: say so to the peer, and go if the application has. */
static void finish(struct sock *s)
{
	struct dmm_conn *conn = s->conn;

	if (!s->shut || s->state != OPEN || dmm_conn_tx_pending(conn))
		return;
	if (s->closing) {
		dmm_conn_closed(conn);
		sock_free(s);
	} else if (!s->fin) {
		s->fin = true;
		rshutdown(s->fd, SHUT_WR);
	}
}

static void transmit(struct sock *s)
{
	struct iovec iov;
	ssize_t n;

	s->blocked = false;
	while (s->state == OPEN && dmm_conn_tx_peek(s->conn, 0, &iov, 1)) {
		n = rsend(s->fd, iov.iov_base, iov.iov_len, 0);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			s->blocked = true;
			return;
		}
		if (n <= 0)
			return broken(s, -ECONNRESET);
		dmm_conn_tx_consume(s->conn, n);
	}
	finish(s);
}

static void receive(struct sock *s)
{
	struct iovec iov[2];
	ssize_t n;

	s->full = false;
	while (s->state == OPEN && !s->eof) {
		if (!dmm_conn_rx_reserve(s->conn, 1, iov)) {
			s->full = true;
			return;
		}
		n = rrecv(s->fd, iov[0].iov_base, iov[0].iov_len, 0);
		if (n > 0) {
			dmm_conn_rx_commit(s->conn, n);
		} else if (!n) {
			s->eof = true;
			dmm_conn_eof(s->conn);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else {
			return broken(s, -errno);
		}
	}
}

/* Callbacks. */

static int start_connect(int fd, const struct dmm_open *open)
{
	union address to, from;

	local_address(&from, open);
	if (!dmm_address_is_any(open->local) || open->lport)
		if (rbind(fd, &from.sa, length(&from)))
			return -errno;
	address_in(&to, open->remote, open->rport);
	return rconnect(fd, &to.sa, length(&to)) && errno != EINPROGRESS ? -errno : 0;
}

static void on_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	union address to;
	struct sock *s;
	int fd, ret;

	address_in(&to, open->remote, open->rport);
	fd = open_fd(to.sa.sa_family, false);
	if (fd < 0)
		return dmm_conn_error(conn, fd);
	ret = start_connect(fd, open);
	s = ret ? NULL : sock_new(conn, fd, CONNECTING);
	if (s)
		return;
	rclose(fd);
	dmm_conn_error(conn, ret ? ret : -ENOMEM);
}

static void on_listen(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	union address at;
	int fd, ret;

	if (dmm_conn_priv(conn))
		return;
	local_address(&at, open);
	fd = open_fd(at.sa.sa_family, true);
	if (fd < 0)
		return dmm_conn_error(conn, fd);
	ret = rbind(fd, &at.sa, length(&at)) || rlisten(fd, backlog) ? -errno : 0;
	if (ret || !sock_new(conn, fd, LISTENING)) {
		rclose(fd);
		return dmm_conn_error(conn, ret ? ret : -ENOMEM);
	}
	dmm_conn_listening(conn);
}

static void on_accepted(struct dmm_conn *conn)
{
	struct sock *s = dmm_conn_priv(conn);

	if (s->state == BROKEN)
		return dmm_conn_error(conn, s->error);
	s->state = OPEN;
	transmit(s);
}

static void on_refused(struct dmm_conn *conn, int error)
{
	(void)error;
	sock_free(dmm_conn_priv(conn));
}

static void on_tx_data(struct dmm_conn *conn)
{
	transmit(dmm_conn_priv(conn));
}

static void on_rx_space(struct dmm_conn *conn)
{
	receive(dmm_conn_priv(conn));
}

static void on_shutdown(struct dmm_conn *conn)
{
	struct sock *s = dmm_conn_priv(conn);

	s->shut = true;
	finish(s);
}

static void on_close(struct dmm_conn *conn, bool reset)
{
	struct sock *s = dmm_conn_priv(conn);

	s->closing = s->shut = true;
	if (reset || s->state != OPEN) {
		dmm_conn_closed(conn);
		return sock_free(s);
	}
	finish(s);
}

const struct dmm_stack_ops rs_stack_ops = {
	.connect = on_connect,
	.listen = on_listen,
	.accepted = on_accepted,
	.refused = on_refused,
	.tx_data = on_tx_data,
	.rx_space = on_rx_space,
	.shutdown = on_shutdown,
	.close = on_close,
};

/* What rsockets have. */

static void connected(struct sock *s)
{
	struct dmm_open local = { 0 };
	union address a;
	socklen_t len = sizeof(int);
	int error = 0;

	if (rgetsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (error) {
		struct dmm_conn *conn = s->conn;

		sock_free(s);
		return dmm_conn_error(conn, -error);
	}
	len = sizeof(a);
	rgetsockname(s->fd, &a.sa, &len);
	local.family = a.sa.sa_family;
	address_out(local.local, &local.lport, &a);
	s->state = OPEN;
	dmm_conn_connected(s->conn, &local);
}

static bool incoming(struct sock *listener)
{
	struct dmm_open ends = { .type = SOCK_STREAM };
	union address local, remote;
	socklen_t len = sizeof(remote);
	int fd = raccept(listener->fd, &remote.sa, &len);
	struct sock *s;

	if (fd < 0)
		return false;
	s = sock_new(NULL, fd, INCOMING);
	if (!s) {
		rclose(fd);
		return true;
	}
	rfcntl(fd, F_SETFL, O_NONBLOCK);
	len = sizeof(local);
	rgetsockname(fd, &local.sa, &len);
	ends.family = remote.sa.sa_family;
	address_out(ends.local, &ends.lport, &local);
	address_out(ends.remote, &ends.rport, &remote);
	s->conn = dmm_conn_incoming(rs_queue, listener->conn, &ends, s);
	if (!s->conn)
		sock_free(s);
	return true;
}

void rs_accept(void)
{
	struct sock *s;
	uint64_t ticks;

	if (read(clock_fd, &ticks, sizeof(ticks)) < 0)
		return;
	/* What is added in between is at the head, and does not listen. */
	LIST_FOREACH(s, &socks, link)
		while (s->state == LISTENING && incoming(s))
			;
}

static short wanted(const struct sock *s)
{
	switch (s->state) {
	case CONNECTING:
		return POLLOUT;
	case OPEN:
		return (s->full || s->eof ? 0 : POLLIN) | (s->blocked ? POLLOUT : 0);
	default:
		return 0;
	}
}

int rs_descriptors(struct pollfd **fds, int first)
{
	struct pollfd *p = realloc(*fds, (first + nr_socks) * sizeof(*p));
	struct sock *s;
	int n = first;

	if (!p)
		return -ENOMEM;
	*fds = p;
	LIST_FOREACH(s, &socks, link) {
		s->at = -1;
		if (s->fd < 0 || !wanted(s))
			continue;
		s->at = n;
		p[n++] = (struct pollfd){ s->fd, wanted(s), 0 };
	}
	return n;
}

static void ready(struct sock *s, short events)
{
	switch (s->state) {
	case CONNECTING:
		return connected(s);
	case OPEN:
		if (events & (POLLIN | POLLHUP | POLLERR))
			receive(s);
		if (s->state == OPEN && events & POLLOUT)
			transmit(s);
		return;
	default:
		return;
	}
}

void rs_act(const struct pollfd *fds, int first, int nr)
{
	struct sock *s, *next;

	/* What is added in between is at the head, and has no place. */
	for (s = LIST_FIRST(&socks); s; s = next) {
		next = LIST_NEXT(s, link);
		if (s->at >= first && s->at < nr && fds[s->at].revents)
			ready(s, fds[s->at].revents);
	}
}
