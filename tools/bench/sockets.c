// SPDX-License-Identifier: Apache-2.0
/*
 * What calls on DMM sockets cost, beside AF_INET's.
 *
 * One process talks to itself on loopback: a packet is received within the call that sends it, so nobody sleeps and no
 * context switch is in the figures. A round measures each kind of socket once, one after the other, so that what
 * disturbs the machine disturbs them all; which of them is first changes from round to round.
 *
 * Prints a line for each case, fields separated by tabs: name, then for each kind the median of nanoseconds per
 * operation and the median over the rounds of its ratio to AF_INET.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/dmm.h>

#define NR_CONNS	1000
#define STREAM_SIZE	65536

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Both ends of all connections of a kind are sockets of that kind. */
static struct kind {
	int family;
	int protocol;
	int listener;
	struct sockaddr_in addr;
	struct conn {
		int client;
		int server;
	} conns[NR_CONNS];
	int epoll;
} kinds[] = {
	{ .family = AF_INET },
	{ .family = AF_DMM, .protocol = DMM_PROTO_INET },
	{ .family = AF_INET, .protocol = IPPROTO_DMM },
};

#define NR_KINDS	ARRAY_SIZE(kinds)

struct bench {
	const char *name;
	/* Does it nr times, returns how long it took. */
	uint64_t (*run)(struct kind *k, unsigned int nr, size_t arg);
	unsigned int nr;
	size_t arg;
};

static int open_socket(const struct kind *k)
{
	return must("socket", socket(k->family, SOCK_STREAM, k->protocol));
}

static void open_listener(struct kind *k)
{
	socklen_t len = sizeof(k->addr);

	k->addr.sin_family = AF_INET;
	k->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	k->listener = open_socket(k);
	must("bind", bind(k->listener, (struct sockaddr *)&k->addr, len));
	must("listen", listen(k->listener, 16));
	must("getsockname", getsockname(k->listener, (struct sockaddr *)&k->addr, &len));
}

static void connect_to_listener(const struct kind *k, int fd)
{
	must("connect", connect(fd, (const struct sockaddr *)&k->addr, sizeof(k->addr)));
}

static int accept_one(const struct kind *k)
{
	return must("accept", accept(k->listener, NULL, NULL));
}

static void open_conns(struct kind *k)
{
	struct conn *c;

	for (c = k->conns; c < k->conns + NR_CONNS; c++) {
		c->client = open_socket(k);
		connect_to_listener(k, c->client);
		c->server = accept_one(k);
	}
}

static void open_epoll(struct kind *k)
{
	unsigned int i;

	k->epoll = must("epoll_create1", epoll_create1(0));
	for (i = 0; i < NR_CONNS; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };

		must("epoll_ctl", epoll_ctl(k->epoll, EPOLL_CTL_ADD, k->conns[i].server, &ev));
	}
}

static uint64_t socket_close(struct kind *k, unsigned int nr, size_t arg)
{
	uint64_t start = now();

	(void)arg;
	while (nr--)
		close(open_socket(k));
	return now() - start;
}

/* The steps in the life of a connection, as bits. */
enum { SOCKET = 1, CONNECT = 2, ACCEPT = 4, CLOSE = 8 };

static uint64_t life(struct kind *k, unsigned int nr, size_t steps)
{
	uint64_t t[5], sum = 0;
	unsigned int i;
	int fd, peer;

	while (nr--) {
		t[0] = now();
		fd = open_socket(k);
		t[1] = now();
		connect_to_listener(k, fd);
		t[2] = now();
		peer = accept_one(k);
		t[3] = now();
		close(fd);
		close(peer);
		t[4] = now();
		for (i = 0; i < 4; i++)
			if (steps & 1 << i)
				sum += t[i + 1] - t[i];
	}
	return sum;
}

static void transfer(int from, int to, size_t size)
{
	static char buf[STREAM_SIZE];
	size_t sent = 0, got = 0;
	ssize_t n;

	while (got < size) {
		if (sent < size) {
			n = send(from, buf, size - sent, MSG_DONTWAIT);
			if (n >= 0)
				sent += n;
			else if (errno != EAGAIN)
				err(1, "send");
		}
		got += must("recv", recv(to, buf, size - got, 0));
	}
}

static uint64_t ping_pong(struct kind *k, unsigned int nr, size_t size)
{
	const struct conn *c = &k->conns[0];
	uint64_t start = now();

	while (nr--) {
		transfer(c->client, c->server, size);
		transfer(c->server, c->client, size);
	}
	return now() - start;
}

static uint64_t stream(struct kind *k, unsigned int nr, size_t size)
{
	uint64_t start = now();

	while (nr--)
		transfer(k->conns[1].client, k->conns[1].server, size);
	return now() - start;
}

static unsigned int wait_for_events(struct kind *k, struct epoll_event *evs)
{
	return must("epoll_wait", epoll_wait(k->epoll, evs, NR_CONNS, -1));
}

/* One of many becomes ready. */
static uint64_t epoll_one(struct kind *k, unsigned int nr, size_t size)
{
	static struct epoll_event evs[NR_CONNS];
	uint64_t start = now();
	struct conn *c;
	char buf[1];

	while (nr--) {
		must("send", send(k->conns[nr % NR_CONNS].client, "", size, 0));
		if (wait_for_events(k, evs) != 1)
			errx(1, "epoll_wait: not one event");
		c = &k->conns[evs[0].data.u32];
		must("recv", recv(c->server, buf, size, 0));
	}
	return now() - start;
}

/* All are ready and stay so: every call asks each of them. */
static uint64_t epoll_all(struct kind *k, unsigned int nr, size_t size)
{
	static struct epoll_event evs[NR_CONNS];
	uint64_t start, end;
	char buf[1];
	unsigned int i;

	for (i = 0; i < NR_CONNS; i++)
		must("send", send(k->conns[i].client, "", size, 0));
	/* On a busy machine packets may be left to ksoftirqd. */
	for (i = 0; i < NR_CONNS; i++)
		must("recv", recv(k->conns[i].server, buf, size, MSG_PEEK));
	start = now();
	while (nr--)
		if (wait_for_events(k, evs) != NR_CONNS)
			errx(1, "epoll_wait: not %u events", NR_CONNS);
	end = now();
	for (i = 0; i < NR_CONNS; i++)
		must("recv", recv(k->conns[i].server, buf, size, 0));
	return end - start;
}

static const struct bench benches[] = {
	{ "socket + close", socket_close, 100, 0 },
	{ "socket + connect + accept + close", life, 40, SOCKET | CONNECT | ACCEPT | CLOSE },
	{ "connect + accept + close", life, 40, CONNECT | ACCEPT | CLOSE },
	{ "socket", life, 40, SOCKET },
	{ "connect", life, 40, CONNECT },
	{ "accept", life, 40, ACCEPT },
	{ "close of both ends", life, 40, CLOSE },
	{ "ping-pong, 1 byte", ping_pong, 500, 1 },
	{ "ping-pong, 64 bytes", ping_pong, 500, 64 },
	{ "stream, 64 KB", stream, 200, STREAM_SIZE },
	{ "epoll, 1 of 1000 ready", epoll_one, 1000, 1 },
	{ "epoll, 1000 of 1000 ready", epoll_all, 20, 1 },
};

static uint64_t run(unsigned int kind, unsigned int nr, void *arg)
{
	const struct bench *b = arg;

	return b->run(&kinds[kind], nr, b->arg);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 3 * NR_KINDS * NR_CONNS, 3 * NR_KINDS * NR_CONNS };
	unsigned int rounds = rounds_of(argc, argv);
	struct kind *k;
	size_t i;

	must("setrlimit", setrlimit(RLIMIT_NOFILE, &files));
	for (k = kinds; k < kinds + NR_KINDS; k++) {
		open_listener(k);
		open_conns(k);
		open_epoll(k);
	}
	for (i = 0; i < ARRAY_SIZE(benches); i++)
		measure(benches[i].name, NR_KINDS, rounds, benches[i].nr, run, (void *)&benches[i]);
	return 0;
}
