// SPDX-License-Identifier: Apache-2.0
/* Applications that do what a string of bytes says, for fuzzers of stacks. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SOCKETS		16
#define PORTS		4
#define FIRST_PORT	1000
#define PIECE		4096u
#define TURNS		2000	/* of a millisecond at most, that a stack has to come to an end */

/* Bytes of a stream are a function of their place, so that each end can tell. */
struct app {
	struct dmm_peer_socket *s;
	uint32_t sent;
	uint32_t got;
	bool dgram;
};

struct fuzz {
	struct dmm_peer *peer;
	struct dmm_stack *stack;
	struct app apps[SOCKETS];
	const uint8_t *data;
	size_t size;
	const char *wrong;
};

static uint8_t next(struct fuzz *f)
{
	if (!f->size)
		return 0;
	f->size--;
	return *f->data++;
}

static uint8_t byte_at(uint32_t i)
{
	return i ^ i >> 8 ^ i >> 16;
}

/* Of all queues: had they nothing to do? */
static bool turn(struct fuzz *f, int64_t timeout)
{
	int ret, nr = 0;

	for (unsigned int i = 0; i < dmm_stack_queues(f->stack); i++) {
		ret = dmm_stack_poll(dmm_stack_queue(f->stack, i), timeout);
		if (ret < 0 && !f->wrong)
			f->wrong = "the kernel has given it up";
		nr += ret;
	}
	return !nr;
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* One of a few ports, at loopback or any address of either family. */
static union address address(uint8_t what)
{
	__be16 port = htons(FIRST_PORT + what % PORTS);
	bool any = !(what & 0x20);

	if (what & 0x40)
		return (union address){ .in6 = { .sin6_family = AF_INET6, .sin6_port = port,
						 .sin6_addr = any ? in6addr_any : in6addr_loopback } };
	return (union address){ .in = { .sin_family = AF_INET, .sin_port = port,
					.sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK) } };
}

static void make(struct fuzz *f, struct app *a, uint8_t what)
{
	struct dmm_peer_socket *s;

	if (a->s || dmm_peer_socket(f->peer, what & 0x40 ? AF_INET6 : AF_INET,
				    what & 0x80 ? SOCK_DGRAM : SOCK_STREAM, &s))
		return;
	*a = (struct app){ .s = s, .dgram = what & 0x80 };
	dmm_peer_set_queue(s, what % dmm_stack_queues(f->stack));
	dmm_peer_set_netns(s, what >> 4 & 1);
}

static void accept_one(struct fuzz *f, struct app *listener)
{
	struct dmm_peer_socket *s;

	for (struct app *a = f->apps; a < f->apps + SOCKETS; a++) {
		if (a->s)
			continue;
		if (!dmm_peer_accept(listener->s, &s))
			*a = (struct app){ .s = s };
		return;
	}
}

static void send_some(struct app *a, uint32_t len, uint8_t what)
{
	union address at = address(what);
	uint8_t buf[PIECE];
	ssize_t ret;

	for (uint32_t i = 0; i < len; i++)
		buf[i] = byte_at(a->dgram ? i : a->sent + i);
	if (a->dgram && what & 1)
		ret = dmm_peer_sendto(a->s, buf, len, &at.sa);
	else
		ret = dmm_peer_send(a->s, buf, len);
	a->sent += ret > 0 ? ret : 0;
}

static void receive_some(struct fuzz *f, struct app *a, uint32_t len)
{
	uint8_t buf[PIECE];
	ssize_t ret = dmm_peer_recv(a->s, buf, len);

	for (ssize_t i = 0; i < ret; i++)
		if (buf[i] != byte_at(a->dgram ? i : a->got + i))
			f->wrong = "other bytes than were sent";
	a->got += ret > 0 ? ret : 0;
}

static void set_options(struct app *a, uint8_t what)
{
	struct dmm_options options = { .flags = what, .keepidle = what, .maxseg = what * 16, .ttl = what };

	dmm_peer_set_options(a->s, &options);
}

static void close_one(struct app *a, bool reset)
{
	dmm_peer_close(a->s, reset);
	a->s = NULL;
}

/* One call of an application: which, by whom, and how. */
static void step(struct fuzz *f)
{
	uint8_t op = next(f), what = next(f);
	struct app *a = &f->apps[op >> 4];
	union address at = address(what);

	if (!a->s) {
		make(f, a, what);
		return;
	}
	switch (op & 15) {
	case 0:
		dmm_peer_bind(a->s, &at.sa);
		break;
	case 1:
		if (!a->dgram)
			dmm_peer_listen(a->s, what % 4);
		break;
	case 2:
	case 3:
		dmm_peer_connect(a->s, &at.sa);
		break;
	case 4:
		accept_one(f, a);
		break;
	case 5:
	case 6:
		send_some(a, what * 16 + 1, next(f));
		break;
	case 7:
	case 8:
		receive_some(f, a, what * 16 + 1);
		break;
	case 9:
		dmm_peer_shutdown(a->s);
		break;
	case 10:
		close_one(a, what & 1);
		break;
	case 11:
		set_options(a, what);
		break;
	case 12:
		dmm_peer_events(a->s);
		break;
	default:
		turn(f, 0);
	}
}

/* All applications end; then the stack has to give back all that it has. */
static void end(struct fuzz *f)
{
	struct dmm_peer_stats stats = { 0 };

	for (struct app *a = f->apps; a < f->apps + SOCKETS; a++)
		if (a->s)
			close_one(a, next(f) & 1);
	for (int i = 0; i < TURNS && !f->wrong; i++) {
		bool quiet = turn(f, i < 16 ? 0 : 1000000 / dmm_stack_queues(f->stack));

		dmm_peer_stats(f->peer, &stats);
		if (quiet && !stats.conns && !stats.pages)
			break;
	}
	if (!f->wrong && (stats.conns || stats.pages))
		f->wrong = "it has not given back all connections";
	if (!f->wrong && stats.violations)
		f->wrong = "events or shared words that make no sense";
}

const char *dmm_peer_fuzz(const struct dmm_stack_config *config, const void *data, size_t size)
{
	struct fuzz f = { .peer = dmm_peer_new(), .data = data, .size = size };
	struct dmm_stack_config own = *config;
	struct dmm_device device;

	if (!f.peer)
		return "no memory";
	device = dmm_peer_device(f.peer);
	own.device = &device;
	if (dmm_stack_open(&f.stack, &own)) {
		dmm_peer_free(f.peer);
		return "it cannot be opened";
	}
	while (f.size && !f.wrong)
		step(&f);
	end(&f);
	dmm_stack_close(f.stack);
	dmm_peer_free(f.peer);
	return f.wrong;
}
