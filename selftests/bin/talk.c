// SPDX-License-Identifier: GPL-2.0-only
/*
 * Client and server of TCP and UDP, as ordinary programs write them.
 *
 *	talk serve tcp|udp PORT					echo, by epoll, for both families; says "ready"
 *	talk ask tcp|udp ADDRESS PORT CONNECTIONS MESSAGES BYTES	messages on all connections in turn, each compared with its echo
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MESSAGE_MAX	65536
#define CONNECTIONS_MAX	1000
#define TRIES		20	/* of a datagram, which may be lost */

static char buf[MESSAGE_MAX], answer[MESSAGE_MAX];

static int must(const char *what, int ret)
{
	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

static int type_of(const char *name)
{
	if (!strcmp(name, "tcp"))
		return SOCK_STREAM;
	if (!strcmp(name, "udp"))
		return SOCK_DGRAM;
	errx(2, "not tcp or udp: %s", name);
}

static void send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t ret = must("send", send(fd, data, len, MSG_NOSIGNAL));

		data += ret;
		len -= ret;
	}
}

/* Server. */

static void watch(int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	must("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev));
}

static void echo_stream(int fd)
{
	ssize_t len = recv(fd, buf, sizeof(buf), 0);

	if (len > 0)
		send_all(fd, buf, len);
	else
		close(fd);
}

static void echo_datagram(int fd)
{
	struct sockaddr_storage from;
	socklen_t fromlen = sizeof(from);
	ssize_t len = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &fromlen);

	if (len >= 0 && sendto(fd, buf, len, 0, (struct sockaddr *)&from, fromlen) != len)
		warn("sendto");
}

static void __attribute__((noreturn)) serve(int type, const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	int epoll = must("epoll_create1", epoll_create1(0)), fd = must("socket", socket(AF_INET6, type, 0));
	struct epoll_event ev;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int));
	must("bind", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	if (type == SOCK_STREAM)
		must("listen", listen(fd, 128));
	watch(epoll, fd);
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (epoll_wait(epoll, &ev, 1, -1) < 0 && errno == EINTR)
			continue;
		if (ev.data.fd != fd)
			echo_stream(ev.data.fd);
		else if (type == SOCK_STREAM)
			watch(epoll, must("accept", accept(fd, NULL, NULL)));
		else
			echo_datagram(fd);
	}
}

/* Client. */

static int open_to(int type, const char *address, const char *port)
{
	struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *ai;
	struct timeval tv = { .tv_sec = type == SOCK_DGRAM ? 1 : 60 };
	int fd;

	if (getaddrinfo(address, port, &hints, &ai))
		errx(2, "not an address and a port: %s %s", address, port);
	fd = must("socket", socket(ai->ai_family, type, 0));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	must("connect", connect(fd, ai->ai_addr, ai->ai_addrlen));
	freeaddrinfo(ai);
	return fd;
}

static size_t receive(int fd, int type, size_t len)
{
	size_t got = 0;
	ssize_t ret;

	do {
		ret = recv(fd, answer + got, sizeof(answer) - got, 0);
		if (ret <= 0)
			break;
		got += ret;
	} while (type == SOCK_STREAM && got < len);
	return got;
}

static void fill(char *to, unsigned int number, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = number + i * 7 + (i >> 8);
}

/* Datagrams come late, and twice: what is no answer to this one must be what was sent before. */
static bool is_earlier(size_t got, size_t len)
{
	static char earlier[MESSAGE_MAX];

	fill(earlier, (unsigned char)answer[0], got);
	return got == len && !memcmp(earlier, answer, got);
}

static bool answered(int fd, int type, size_t len)
{
	size_t got;

	while ((got = receive(fd, type, len))) {
		if (got == len && !memcmp(buf, answer, len))
			return true;
		if (type == SOCK_STREAM || !is_earlier(got, len))
			errx(1, "%zu other bytes came back", got);
	}
	return false;
}

static void ask_once(int fd, int type, unsigned int number, size_t len)
{
	fill(buf, number, len);
	for (int tries = type == SOCK_STREAM ? 1 : TRIES; tries; tries--) {
		send_all(fd, buf, len);
		if (answered(fd, type, len))
			return;
	}
	errx(1, "message %u is not echoed", number);
}

static int ask(int type, char **argv)
{
	unsigned int connections = atoi(argv[2]), messages = atoi(argv[3]);
	size_t len = atoi(argv[4]);
	int fds[CONNECTIONS_MAX];

	if (!connections || connections > CONNECTIONS_MAX || !len || len > MESSAGE_MAX)
		errx(2, "1 to %d connections, 1 to %d bytes", CONNECTIONS_MAX, MESSAGE_MAX);
	for (unsigned int c = 0; c < connections; c++)
		fds[c] = open_to(type, argv[0], argv[1]);
	for (unsigned int m = 0; m < messages; m++)
		for (unsigned int c = 0; c < connections; c++)
			ask_once(fds[c], type, m * connections + c, len);
	for (unsigned int c = 0; c < connections; c++)
		close(fds[c]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(type_of(argv[2]), argv[3]);
	if (argc == 8 && !strcmp(argv[1], "ask"))
		return ask(type_of(argv[2]), argv + 3);
	fprintf(stderr, "usage: talk serve tcp|udp PORT\n"
		"       talk ask tcp|udp ADDRESS PORT CONNECTIONS MESSAGES BYTES\n");
	return 2;
}
