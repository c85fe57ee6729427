// SPDX-License-Identifier: GPL-2.0-only
#include "cases.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#define PATIENCE	20000	/* milliseconds, for slow machines: passing cases do not wait */

/* Helpers. */

static bool expect(struct net *n, bool ok, const char *what, int code)
{
	if (!ok && !n->failed) {
		n->failed = what;
		n->code = code;
	}
	return ok;
}

static void *keep(struct net *n, void *s)
{
	if (s && n->nr_open < SOCKETS_MAX)
		n->open[n->nr_open++] = s;
	return s;
}

static void drop(struct net *n, void *s, bool reset)
{
	for (unsigned int i = 0; i < n->nr_open; i++)
		if (n->open[i] == s)
			n->open[i] = n->open[--n->nr_open];
	n->ops->close(s, reset);
}

static void drop_all(struct net *n)
{
	while (n->nr_open)
		n->ops->close(n->open[--n->nr_open], true);
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static union address v4(const struct net *n, unsigned short port)
{
	return (union address){ .in = { .sin_family = AF_INET, .sin_port = htons(port),
					.sin_addr = n->v4 } };
}

static union address v6(const struct in6_addr *addr, unsigned short port)
{
	return (union address){ .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
					 .sin6_addr = *addr } };
}

static void *new_socket(struct net *n, int family, int type)
{
	void *s = keep(n, n->ops->socket(n->arg, family, type));

	expect(n, s, "a socket", 0);
	return s;
}

/* A listener at the stack's address and the next port. */
static void *listener(struct net *n, int backlog)
{
	union address at = v4(n, ++n->port);
	void *s = new_socket(n, AF_INET, SOCK_STREAM);
	int ret;

	if (!s)
		return NULL;
	ret = n->ops->bind(s, &at.sa);
	if (!ret)
		ret = n->ops->listen(s, backlog);
	return expect(n, !ret, "bind and listen", ret) ? s : NULL;
}

static void *start_connect(struct net *n, const union address *to)
{
	void *s = new_socket(n, to->sa.sa_family, SOCK_STREAM);
	int ret;

	if (!s)
		return NULL;
	ret = n->ops->connect(s, &to->sa);
	return expect(n, !ret || ret == -EINPROGRESS, "connect in progress", ret) ? s : NULL;
}

/* 0, or the error of a connect that was started. */
static int end_connect(struct net *n, void *s)
{
	int events = n->ops->wait(s, POLLOUT, PATIENCE);

	return events & (POLLOUT | POLLERR | POLLHUP) ? -n->ops->error(s) : -ETIMEDOUT;
}

/* How a connect ends, which may be at once. */
static int connect_result(struct net *n, const union address *to)
{
	void *s = new_socket(n, to->sa.sa_family, SOCK_STREAM);
	int ret = s ? n->ops->connect(s, &to->sa) : -ENOMEM;

	return ret == -EINPROGRESS ? end_connect(n, s) : ret;
}

static void *accepted(struct net *n, void *l)
{
	void *s = NULL;

	if (n->ops->wait(l, POLLIN, PATIENCE) & POLLIN)
		s = keep(n, n->ops->accept(l));
	expect(n, s, "a connection to accept", 0);
	return s;
}

/* A listener and two ends. */
static bool connection(struct net *n, void **client, void **server)
{
	void *l = listener(n, 8);
	union address at = v4(n, n->port);
	int ret;

	*client = l ? start_connect(n, &at) : NULL;
	*server = *client ? accepted(n, l) : NULL;
	if (!*server)
		return false;
	ret = end_connect(n, *client);
	drop(n, l, false);
	return expect(n, !ret, "connected", ret);
}

static uint8_t byte_at(size_t i)
{
	return i ^ i >> 8 ^ i >> 16;
}

/* One step of sending bytes [*done, total); false on errors. */
static bool send_some(struct net *n, void *s, size_t *done, size_t total, size_t chunk)
{
	uint8_t buf[16384];
	ssize_t ret;

	if (chunk > sizeof(buf))
		chunk = sizeof(buf);
	while (*done < total) {
		size_t len = total - *done < chunk ? total - *done : chunk;

		for (size_t i = 0; i < len; i++)
			buf[i] = byte_at(*done + i);
		ret = n->ops->send(s, buf, len);
		if (ret == -EAGAIN)
			return true;
		if (!expect(n, ret > 0, "send", ret))
			return false;
		*done += ret;
	}
	return true;
}

static bool recv_some(struct net *n, void *s, size_t *done, size_t total)
{
	uint8_t buf[16384];
	ssize_t ret;

	while (*done < total) {
		ret = n->ops->recv(s, buf, sizeof(buf));
		if (ret == -EAGAIN)
			return true;
		if (!expect(n, ret > 0, "receive", ret))
			return false;
		for (ssize_t i = 0; i < ret; i++)
			if (!expect(n, buf[i] == byte_at(*done + i), "the bytes that were sent", i))
				return false;
		*done += ret;
	}
	return true;
}

/* Move bytes both ways until all are there. */
static void exchange(struct net *n, void *a, void *b, size_t ab, size_t ba, size_t chunk)
{
	size_t sent_ab = 0, sent_ba = 0, got_ab = 0, got_ba = 0, before;

	while (got_ab < ab || got_ba < ba) {
		before = sent_ab + sent_ba + got_ab + got_ba;
		if (!send_some(n, a, &sent_ab, ab, chunk) || !send_some(n, b, &sent_ba, ba, chunk) ||
		    !recv_some(n, b, &got_ab, ab) || !recv_some(n, a, &got_ba, ba))
			return;
		if (sent_ab + sent_ba + got_ab + got_ba > before)
			continue;
		/* One side waits for the stack: for what it would need next. */
		if (got_ab < sent_ab)
			expect(n, n->ops->wait(b, POLLIN, PATIENCE), "data arrive", got_ab);
		else if (got_ba < sent_ba)
			expect(n, n->ops->wait(a, POLLIN, PATIENCE), "data arrive back", got_ba);
		else
			expect(n, n->ops->wait(a, POLLOUT, PATIENCE), "room to send", sent_ab);
		if (n->failed)
			return;
	}
}

/* The result of recv when something is there to say. */
static ssize_t next_recv(struct net *n, void *s)
{
	uint8_t buf[4096];
	ssize_t ret;

	do {
		n->ops->wait(s, POLLIN, PATIENCE);
		ret = n->ops->recv(s, buf, sizeof(buf));
	} while (ret > 0);
	return ret;
}

static bool same_end(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return a->sin6_port == b->sin6_port && IN6_ARE_ADDR_EQUAL(&a->sin6_addr, &b->sin6_addr);
}

/* Stream cases. */

static void case_names(struct net *n)
{
	struct sockaddr_in6 cl, cr, sl, sr;
	void *c, *s;

	if (!connection(n, &c, &s))
		return;
	n->ops->local(c, &cl);
	n->ops->remote(c, &cr);
	n->ops->local(s, &sl);
	n->ops->remote(s, &sr);
	expect(n, same_end(&cl, &sr), "the client's name is the same at both ends", ntohs(sr.sin6_port));
	expect(n, same_end(&cr, &sl), "the server's name is the same at both ends", ntohs(sl.sin6_port));
	expect(n, cl.sin6_port && cr.sin6_port == htons(n->port), "ports are set", 0);
	if (n->ops->stack && n->stack)
		expect(n, !strcmp(n->ops->stack(c), n->stack) && !strcmp(n->ops->stack(s), n->stack),
		       "this stack serves both", 0);
}

static void case_data(struct net *n)
{
	void *c, *s;

	if (connection(n, &c, &s))
		exchange(n, c, s, 1 << 20, 1 << 20, 16384);
}

/* Sizes that fit neither rings nor pieces nor segments, and single bytes. */
static void case_odd(struct net *n)
{
	void *c, *s;

	if (!connection(n, &c, &s))
		return;
	exchange(n, c, s, 500000 + 13, 300007, 4093);
	exchange(n, c, s, 300001, 0, 16381);
	exchange(n, c, s, 0, 1021, 1);
}

static void case_small(struct net *n)
{
	void *c, *s;

	if (!connection(n, &c, &s))
		return;
	for (int i = 0; i < 200 && !n->failed; i++)
		exchange(n, c, s, 1 + i % 7, 1 + i % 5, 3);
}

static void case_backpressure(struct net *n)
{
	size_t sent = 0, got = 0, total = 64 << 20;
	void *c, *s;

	if (!connection(n, &c, &s))
		return;
	/* Nobody reads: it comes to an end soon, for good when the wait is over. */
	while (sent < total && send_some(n, c, &sent, total, 16384) && !n->failed &&
	       n->ops->wait(c, POLLOUT, 200) & POLLOUT)
		;
	expect(n, sent && sent < total, "a limit to what is sent", sent);
	while (got < sent && !n->failed && recv_some(n, s, &got, sent))
		if (got < sent)
			expect(n, n->ops->wait(s, POLLIN, PATIENCE), "all that was sent", sent - got);
	expect(n, n->ops->wait(c, POLLOUT, PATIENCE) & POLLOUT, "room again", 0);
}

static void case_half_close(struct net *n)
{
	void *c, *s;
	size_t sent = 0, got = 0;
	ssize_t ret;

	if (!connection(n, &c, &s))
		return;
	exchange(n, c, s, 5000, 0, 5000);
	expect(n, !n->ops->shutdown(c), "shutdown", 0);
	ret = next_recv(n, s);
	expect(n, !ret, "end of file after shutdown", ret);
	/* The other way still works. */
	send_some(n, s, &sent, 30000, 1000);
	while (got < 30000 && !n->failed) {
		expect(n, n->ops->wait(c, POLLIN, PATIENCE), "data after shutdown", got);
		recv_some(n, c, &got, 30000);
		send_some(n, s, &sent, 30000, 1000);
	}
	ret = n->ops->send(c, "x", 1);
	expect(n, ret == -EPIPE, "EPIPE for who has shut down", ret);
	drop(n, s, false);
	ret = next_recv(n, c);
	expect(n, !ret, "end of file at last", ret);
}

/* Each side says that it sends no more; the connection is then over for both, without an error. */
static void case_both_half_close(struct net *n)
{
	size_t sent = 0, got = 0;
	void *c, *s;
	ssize_t ret;
	int events;

	if (!connection(n, &c, &s))
		return;
	send_some(n, c, &sent, 50000, 16384);
	expect(n, !n->ops->shutdown(c) && !n->ops->shutdown(s), "shutdown of both", 0);
	ret = next_recv(n, c);
	expect(n, !ret, "end of file for one", ret);
	while (got < sent && !n->failed && recv_some(n, s, &got, sent))
		if (got < sent)
			expect(n, n->ops->wait(s, POLLIN, PATIENCE), "what was sent before", got);
	ret = next_recv(n, s);
	expect(n, !ret, "end of file for the other", ret);
	for (int i = 0; i < 2; i++) {
		events = n->ops->wait(i ? s : c, POLLRDHUP, PATIENCE);
		expect(n, (events & (POLLHUP | POLLRDHUP)) == (POLLHUP | POLLRDHUP) && !(events & POLLERR),
		       "POLLHUP and POLLRDHUP", events);
		ret = n->ops->send(i ? s : c, "x", 1);
		expect(n, ret == -EPIPE, "EPIPE for both", ret);
		ret = n->ops->error(i ? s : c);
		expect(n, !ret, "no error", ret);
	}
}

static void case_close_delivers(struct net *n)
{
	size_t sent = 0, got = 0;
	void *c, *s;
	ssize_t ret;

	if (!connection(n, &c, &s))
		return;
	send_some(n, c, &sent, 100000, 16384);
	drop(n, c, false);
	while (got < sent && !n->failed) {
		expect(n, n->ops->wait(s, POLLIN, PATIENCE), "what was sent before close", got);
		recv_some(n, s, &got, sent);
	}
	ret = next_recv(n, s);
	expect(n, !ret, "end of file after close", ret);
}

static void case_reset(struct net *n)
{
	size_t sent = 0;
	void *c, *s;
	ssize_t ret;
	int events;

	if (!connection(n, &c, &s))
		return;
	/* What is on its way does not matter any more. */
	send_some(n, s, &sent, 20000, 16384);
	drop(n, c, true);
	events = n->ops->wait(s, POLLRDHUP, PATIENCE);
	expect(n, events & POLLHUP && events & POLLERR, "POLLHUP and POLLERR after a reset", events);
	ret = next_recv(n, s);
	expect(n, ret == -ECONNRESET, "ECONNRESET after a reset", ret);
	ret = next_recv(n, s);
	expect(n, !ret, "end of file after that", ret);
	ret = n->ops->send(s, "x", 1);
	expect(n, ret == -EPIPE, "EPIPE after that", ret);
}

static void case_unread(struct net *n)
{
	size_t sent = 0;
	void *c, *s;
	ssize_t ret;

	if (!connection(n, &c, &s))
		return;
	send_some(n, c, &sent, 1000, 1000);
	n->ops->wait(s, POLLIN, PATIENCE);
	drop(n, s, false);
	ret = next_recv(n, c);
	expect(n, ret == -ECONNRESET, "ECONNRESET when data were not read", ret);
}

static void case_send_to_closed(struct net *n)
{
	void *c, *s;
	ssize_t ret;

	if (!connection(n, &c, &s))
		return;
	drop(n, s, false);
	ret = next_recv(n, c);
	expect(n, !ret, "end of file after close", ret);
	/* The first goes out, and its answer is a reset. */
	for (int i = 0; i < 1000; i++) {
		ret = n->ops->send(c, "x", 1);
		if (ret != 1)
			break;
		n->ops->wait(c, POLLERR, 10);
	}
	expect(n, ret == -EPIPE || ret == -ECONNRESET, "an error when nobody reads", ret);
}

static void case_refused(struct net *n)
{
	union address at = v4(n, ++n->port);
	int ret = connect_result(n, &at);

	expect(n, ret == -ECONNREFUSED, "ECONNREFUSED where nobody listens", ret);
}

/* By the kernel's patience with the stack, if not by the stack's own. */
static void case_unanswered(struct net *n)
{
	union address at = { .in = { .sin_family = AF_INET, .sin_port = htons(++n->port), .sin_addr = n->silent } };
	int ret = connect_result(n, &at);

	expect(n, ret == -ETIMEDOUT || ret == -EHOSTUNREACH || ret == -ENETUNREACH, "an error in time", ret);
}

/* Connects to nobody that are given up before they are answered, or after. */
static void case_given_up(struct net *n)
{
	union address at = v4(n, ++n->port);
	void *c, *s;
	int ret;

	for (int i = 0; i < 30; i++) {
		c = new_socket(n, AF_INET, SOCK_STREAM);
		ret = c ? n->ops->connect(c, &at.sa) : -ENOMEM;
		/* Its daemon may be as fast as that. */
		if (!expect(n, ret == -EINPROGRESS || ret == -ECONNREFUSED, "connect in progress, or refused", ret))
			return;
		if (i % 3 == 2)
			n->ops->wait(c, POLLOUT, PATIENCE);
		drop(n, c, i % 2);
	}
	if (connection(n, &c, &s))
		exchange(n, c, s, 1000, 1000, 100);
}

/* One after the other: all that one used is there for the next. */
static void case_churn(struct net *n)
{
	void *l = listener(n, 8), *c, *s;
	union address at = v4(n, n->port);
	ssize_t ret;

	for (int i = 0; l && i < 60 && !n->failed; i++) {
		c = start_connect(n, &at);
		s = c ? accepted(n, l) : NULL;
		if (!s || !expect(n, !end_connect(n, c), "connected", i))
			return;
		exchange(n, c, s, 10, 10, 10);
		drop(n, i % 2 ? s : c, false);
		ret = next_recv(n, i % 2 ? c : s);
		expect(n, !ret, "end of file", ret);
		drop(n, i % 2 ? c : s, false);
	}
}

static void case_listener_closed(struct net *n)
{
	void *l = listener(n, 8), *c;
	union address at = v4(n, n->port);
	ssize_t ret;

	c = l ? start_connect(n, &at) : NULL;
	if (!c)
		return;
	expect(n, n->ops->wait(l, POLLIN, PATIENCE) & POLLIN, "a connection that waits", 0);
	expect(n, !end_connect(n, c), "connected", 0);
	drop(n, l, false);
	ret = next_recv(n, c);
	expect(n, ret == -ECONNRESET, "a reset when the listener is closed", ret);
	ret = connect_result(n, &at);
	expect(n, ret == -ECONNREFUSED, "ECONNREFUSED afterwards", ret);
}

/* Those beyond the backlog wait or are refused, but none is forgotten. */
static void case_backlog(struct net *n)
{
	enum { CLIENTS = 8, STEP = 10 };
	void *l = listener(n, 2), *c[CLIENTS], *s;
	union address at = v4(n, n->port);
	int connected = 0, served = 0, left = CLIENTS, events, ret;

	for (int i = 0; i < CLIENTS; i++) {
		c[i] = l ? start_connect(n, &at) : NULL;
		if (!c[i])
			return;
	}
	for (int ms = 0; left && ms < PATIENCE; ms += STEP) {
		for (int i = 0; i < CLIENTS; i++) {
			events = c[i] ? n->ops->wait(c[i], POLLOUT, 0) : 0;
			if (!(events & (POLLOUT | POLLERR | POLLHUP)))
				continue;
			ret = -n->ops->error(c[i]);
			expect(n, !ret || ret == -ECONNREFUSED, "connected or refused", ret);
			connected += !ret;
			left--;
			c[i] = NULL;
		}
		while (n->ops->wait(l, POLLIN, left ? STEP : 300) & POLLIN) {
			s = keep(n, n->ops->accept(l));
			served += s != NULL;
		}
	}
	expect(n, !left, "all heard of what became of them", left);
	expect(n, connected >= 2 && connected == served, "as many accepted as connected", served);
}

static void case_many(struct net *n)
{
	enum { MANY = 100 };
	void *l = listener(n, MANY), *c[MANY], *s;
	union address at = v4(n, n->port);
	char byte;
	int ret, echoed = 0;

	for (int i = 0; i < MANY; i++) {
		c[i] = l ? start_connect(n, &at) : NULL;
		if (!c[i])
			return;
	}
	for (int i = 0; i < MANY && !n->failed; i++) {
		s = accepted(n, l);
		if (s)
			expect(n, n->ops->send(s, "x", 1) == 1, "a byte sent", i);
	}
	for (int i = 0; i < MANY && !n->failed; i++) {
		ret = end_connect(n, c[i]);
		expect(n, !ret, "all connected", ret);
		n->ops->wait(c[i], POLLIN, PATIENCE);
		echoed += n->ops->recv(c[i], &byte, 1) == 1;
	}
	expect(n, echoed == MANY, "a byte on each", echoed);
}

/* A client that goes before it is accepted does no harm. */
static void case_abort(struct net *n)
{
	void *l = listener(n, 8), *c, *s;
	union address at = v4(n, n->port);
	char byte;

	for (int i = 0; i < 5; i++) {
		c = l ? start_connect(n, &at) : NULL;
		if (!c)
			return;
		drop(n, c, i % 2);
	}
	c = start_connect(n, &at);
	if (!c || !expect(n, !end_connect(n, c), "connected after others had gone", 0))
		return;
	expect(n, n->ops->send(c, "x", 1) == 1, "send to who has not accepted yet", 0);
	/* Whoever went may be told of, or not; who stayed must be. */
	do {
		s = accepted(n, l);
		if (s)
			n->ops->wait(s, POLLIN, PATIENCE);
	} while (s && n->ops->recv(s, &byte, 1) != 1);
}

static void case_again(struct net *n)
{
	void *l, *c, *s;
	union address at;

	l = listener(n, 4);
	if (!l)
		return;
	at = v4(n, n->port);
	drop(n, l, false);
	n->port--;
	l = listener(n, 4);
	c = l ? start_connect(n, &at) : NULL;
	s = c ? accepted(n, l) : NULL;
	if (s && expect(n, !end_connect(n, c), "connected to the second listener", 0))
		exchange(n, c, s, 1000, 1000, 100);
}

static void case_inet6(struct net *n)
{
	union address at = v6(&n->v6, ++n->port);
	void *l = new_socket(n, AF_INET6, SOCK_STREAM), *c, *s;
	int ret;

	ret = n->ops->bind(l, &at.sa);
	if (!ret)
		ret = n->ops->listen(l, 4);
	if (!expect(n, !ret, "bind and listen", ret))
		return;
	c = start_connect(n, &at);
	s = c ? accepted(n, l) : NULL;
	if (s && expect(n, !end_connect(n, c), "connected", 0))
		exchange(n, c, s, 50000, 50000, 5000);
}

static void case_dual(struct net *n)
{
	union address any = v6(&in6addr_any, ++n->port), at = v4(n, n->port);
	void *l = new_socket(n, AF_INET6, SOCK_STREAM), *c, *s;
	struct sockaddr_in6 remote;
	int ret;

	ret = n->ops->bind(l, &any.sa);
	if (!ret)
		ret = n->ops->listen(l, 4);
	if (!expect(n, !ret, "bind and listen", ret))
		return;
	c = start_connect(n, &at);
	s = c ? accepted(n, l) : NULL;
	if (!s || !expect(n, !end_connect(n, c), "connected", 0))
		return;
	n->ops->remote(s, &remote);
	expect(n, IN6_IS_ADDR_V4MAPPED(&remote.sin6_addr), "a v4-mapped name", 0);
	exchange(n, c, s, 1000, 1000, 100);
}

/* Datagram cases. */

static void *bound(struct net *n, union address *at)
{
	void *s = new_socket(n, AF_INET, SOCK_DGRAM);
	int ret;

	*at = v4(n, ++n->port);
	if (!s)
		return NULL;
	ret = n->ops->bind(s, &at->sa);
	if (!expect(n, !ret, "bind", ret))
		return NULL;
	/* The peer's bind() does not wait for the stack. */
	return expect(n, n->ops->wait(s, POLLOUT, PATIENCE) & POLLOUT, "bound", 0) ? s : NULL;
}

static ssize_t send_one(struct net *n, void *s, const void *data, size_t len,
			const union address *to)
{
	ssize_t ret = -EAGAIN;

	for (int i = 0; ret == -EAGAIN && i < 100; i++) {
		n->ops->wait(s, POLLOUT, PATIENCE / 100);
		ret = n->ops->sendto(s, data, len, to ? &to->sa : NULL);
	}
	return ret;
}

static ssize_t recv_one(struct net *n, void *s, void *data, size_t len, struct sockaddr_in6 *from)
{
	n->ops->wait(s, POLLIN, PATIENCE);
	return n->ops->recvfrom(s, data, len, from);
}

static void case_dgram(struct net *n)
{
	union address at, bt;
	void *a = bound(n, &at), *b = a ? bound(n, &bt) : NULL;
	struct sockaddr_in6 from, name;
	char buf[100];
	ssize_t ret;

	if (!b)
		return;
	ret = send_one(n, a, "hello", 5, &bt);
	expect(n, ret == 5, "a datagram sent", ret);
	ret = recv_one(n, b, buf, sizeof(buf), &from);
	expect(n, ret == 5 && !memcmp(buf, "hello", 5), "the datagram", ret);
	n->ops->local(a, &name);
	expect(n, same_end(&from, &name), "the sender's name", ntohs(from.sin6_port));
}

static void case_dgram_sizes(struct net *n)
{
	static const size_t sizes[] = { 0, 1, 63, 64, 65, 1000, 1472, 9000, 40000, 65507 };
	static uint8_t out[65507], in[65536];
	union address at, bt;
	void *a = bound(n, &at), *b = a ? bound(n, &bt) : NULL;
	struct sockaddr_in6 from;
	ssize_t ret;

	if (!b)
		return;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = byte_at(i);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes) && !n->failed; i++) {
		/* One that has no room yet may get lost. */
		for (int tries = 0; tries < 5; tries++) {
			ret = send_one(n, a, out, sizes[i], &bt);
			expect(n, ret == (ssize_t)sizes[i], "a datagram of this size sent", sizes[i]);
			if (n->failed || n->ops->wait(b, POLLIN, tries < 4 ? 1000 : PATIENCE) & POLLIN)
				break;
		}
		ret = n->ops->recvfrom(b, in, sizeof(in), &from);
		expect(n, ret == (ssize_t)sizes[i] && !memcmp(in, out, sizes[i]),
		       "the datagram of this size", sizes[i]);
	}
	ret = n->ops->sendto(a, out, sizeof(out), &bt.sa);
	expect(n, ret == sizeof(out) || ret == -EAGAIN, "once more", ret);
}

/* What does not fit into who receives is cut off, and the next is whole. */
static void case_dgram_cut(struct net *n)
{
	union address at, bt;
	void *a = bound(n, &at), *b = a ? bound(n, &bt) : NULL;
	struct sockaddr_in6 from;
	char buf[1000] = "";
	ssize_t ret;

	if (!b)
		return;
	expect(n, send_one(n, a, "a long one", 10, &bt) == 10, "a datagram sent", 0);
	ret = recv_one(n, b, buf, 6, &from);
	expect(n, ret == 6 && !memcmp(buf, "a long", 7), "its first bytes", ret);
	expect(n, send_one(n, a, "next", 4, &bt) == 4, "another sent", 0);
	ret = recv_one(n, b, buf, sizeof(buf), &from);
	expect(n, ret == 4 && !memcmp(buf, "next", 4), "the next one", ret);
}

/* Some may get lost, but none overtakes another. */
static void case_dgram_burst(struct net *n)
{
	enum { BURST = 100 };
	union address at, bt;
	void *a = bound(n, &at), *b = a ? bound(n, &bt) : NULL;
	struct sockaddr_in6 from;
	int value, last = -1, got = 0;
	char buf[500] = "";

	for (int i = 0; b && i < BURST; i++) {
		memcpy(buf, &i, sizeof(i));
		expect(n, send_one(n, a, buf, sizeof(buf), &bt) == sizeof(buf), "a datagram sent", i);
	}
	while (b && last < BURST - 1 && n->ops->wait(b, POLLIN, 300) & POLLIN && !n->failed) {
		if (n->ops->recvfrom(b, buf, sizeof(buf), &from) != sizeof(buf))
			continue;
		memcpy(&value, buf, sizeof(value));
		expect(n, value > last, "none that was sent before", value);
		last = value;
		got++;
	}
	expect(n, got > 0, "some of them", got);
}

static void case_dgram_order(struct net *n)
{
	union address at, bt;
	void *a = bound(n, &at), *b = a ? bound(n, &bt) : NULL;
	struct sockaddr_in6 from;
	int value;

	for (int i = 0; b && i < 300 && !n->failed; i++) {
		expect(n, send_one(n, a, &i, sizeof(i), &bt) == sizeof(i), "a datagram sent", i);
		expect(n, recv_one(n, b, &value, sizeof(value), &from) == sizeof(value) && value == i,
		       "each datagram in its turn", i);
	}
}

static void case_dgram_connected(struct net *n)
{
	union address at, bt, ct;
	void *a = bound(n, &at), *b = a ? bound(n, &bt) : NULL, *c = b ? bound(n, &ct) : NULL, *d;
	struct sockaddr_in6 from;
	char buf[10];
	ssize_t ret;

	d = c ? new_socket(n, AF_INET, SOCK_DGRAM) : NULL;
	if (!d)
		return;
	ret = n->ops->connect(d, &at.sa);
	expect(n, !ret || ret == -EINPROGRESS, "connect", ret);
	ret = send_one(n, d, "ping", 4, NULL);
	expect(n, ret == 4, "send without an address", ret);
	ret = recv_one(n, a, buf, sizeof(buf), &from);
	expect(n, ret == 4, "the datagram", ret);
	/* Of two that are sent to it, only its far end's arrives. */
	bt.in6 = from;
	if (IN6_IS_ADDR_V4MAPPED(&from.sin6_addr)) {
		bt.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = from.sin6_port };
		memcpy(&bt.in.sin_addr, &from.sin6_addr.s6_addr[12], 4);
	}
	expect(n, send_one(n, c, "other", 5, &bt) == 5, "a stranger's datagram sent", 0);
	expect(n, send_one(n, a, "pong", 4, &bt) == 4, "an answer sent", 0);
	ret = recv_one(n, d, buf, sizeof(buf), &from);
	expect(n, ret == 4 && !memcmp(buf, "pong", 4), "the far end's datagram only", ret);
}

static void case_dgram_inet6(struct net *n)
{
	union address at = v6(&n->v6, ++n->port), bt = v6(&n->v6, ++n->port);
	void *a = new_socket(n, AF_INET6, SOCK_DGRAM), *b = new_socket(n, AF_INET6, SOCK_DGRAM);
	struct sockaddr_in6 from;
	char buf[10];
	ssize_t ret;

	ret = n->ops->bind(a, &at.sa);
	if (!ret)
		ret = n->ops->bind(b, &bt.sa);
	expect(n, !ret && n->ops->wait(b, POLLOUT, PATIENCE) & POLLOUT, "bound", ret);
	expect(n, send_one(n, a, "hello", 5, &bt) == 5, "a datagram sent", 0);
	ret = recv_one(n, b, buf, sizeof(buf), &from);
	expect(n, ret == 5 && !memcmp(buf, "hello", 5) && same_end(&from, &at.in6), "the datagram", ret);
}

static void case_dgram_nobody(struct net *n)
{
	union address at, to = v4(n, ++n->port);
	void *a = bound(n, &at);
	ssize_t ret;

	for (int i = 0; a && i < 100; i++) {
		ret = send_one(n, a, "x", 1, &to);
		expect(n, ret == 1, "sent to nobody without an error", ret);
	}
}

enum need { DGRAM = 1, INET6 = 2, SILENT = 4 };

static const struct test {
	const char *name;
	void (*run)(struct net *n);
	unsigned int needs;
} tests[] = {
	{ "names of both ends", case_names, 0 },
	{ "a megabyte each way", case_data, 0 },
	{ "odd sizes", case_odd, 0 },
	{ "small messages", case_small, 0 },
	{ "a reader that waits holds the writer back", case_backpressure, 0 },
	{ "half-close", case_half_close, 0 },
	{ "half-close of both ways", case_both_half_close, 0 },
	{ "close delivers what was sent", case_close_delivers, 0 },
	{ "reset", case_reset, 0 },
	{ "close with unread data resets", case_unread, 0 },
	{ "sending to who has closed", case_send_to_closed, 0 },
	{ "refused where nobody listens", case_refused, 0 },
	{ "a connect that nobody answers", case_unanswered, SILENT },
	{ "connects that are given up", case_given_up, 0 },
	{ "a listener is closed", case_listener_closed, 0 },
	{ "more connections than the backlog", case_backlog, 0 },
	{ "many connections", case_many, 0 },
	{ "connections one after the other", case_churn, 0 },
	{ "clients that go before they are accepted", case_abort, 0 },
	{ "listening again at the same address", case_again, 0 },
	{ "IPv6", case_inet6, INET6 },
	{ "IPv4 at a listener of both", case_dual, INET6 },
	{ "datagrams and their addresses", case_dgram, DGRAM },
	{ "sizes of datagrams", case_dgram_sizes, DGRAM },
	{ "datagrams that are cut off", case_dgram_cut, DGRAM },
	{ "order of datagrams", case_dgram_order, DGRAM },
	{ "order in a burst of datagrams", case_dgram_burst, DGRAM },
	{ "connected datagram socket", case_dgram_connected, DGRAM },
	{ "datagrams to nobody", case_dgram_nobody, DGRAM },
	{ "datagrams by IPv6", case_dgram_inet6, DGRAM | INET6 },
};

unsigned int cases_count(void)
{
	return sizeof(tests) / sizeof(*tests);
}

/* Why it is left out; NULL: it is not. */
static const char *lacks(const struct net *n, const struct test *t)
{
	if (!(t->needs & DGRAM ? n->dgram : n->stream) || (t->needs & INET6 && !n->inet6))
		return "the stack does not claim it";
	return t->needs & SILENT && !n->silent.s_addr ? "no address is known at which nobody answers" : NULL;
}

static void run_case(struct net *n, const struct test *t)
{
	n->failed = NULL;
	n->code = 0;
	t->run(n);
	drop_all(n);
	n->report(t->name, n->failed, n->code);
}

void cases_run(struct net *n)
{
	for (unsigned int i = 0; i < cases_count(); i++) {
		const char *reason = lacks(n, &tests[i]);

		if (reason)
			n->skip(tests[i].name, reason);
		else
			run_case(n, &tests[i]);
	}
}
