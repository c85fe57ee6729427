// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic: many connections, each byte of which is looked at.
 *
 *	traffic serve PORT [BACKLOG]		send back what comes, at [::]:PORT and 0.0.0.0:PORT
 *	traffic hold NUMBER LANES ADDRESS PORT	connections at the same time, opened LANES at a time; says "open NUMBER" when
 *						all have exchanged bytes, waits for a line (or the end) of its input, exchanges
 *						bytes on all once more, and closes them
 *	traffic churn NUMBER LANES ADDRESS PORT	short connections, LANES at a time; of eight one is reset, the others end
 *						in order
 *
 * Exit status: 0 if all bytes came back, in order, on all connections.
 */
#include "kselftest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE	(120000 * (int)ksft_time_scale())	/* milliseconds without any progress */
#define BLOCK_MAX	4096u

static int ep;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf(": %s\n", strerror(errno));
	exit(1);
}

static int number(const char *text)
{
	int n = atoi(text);

	if (n > 0)
		return n;
	printf("not a number: %s\n", text);
	exit(2);
}

static void watch(int op, int fd, uint32_t events, void *ptr)
{
	struct epoll_event ev = { .events = events, .data.ptr = ptr };

	if (epoll_ctl(ep, op, fd, &ev))
		die("epoll_ctl");
}

static void many_descriptors(void)
{
	struct rlimit limit = { 65536, 65536 };

	if (setrlimit(RLIMIT_NOFILE, &limit) && (getrlimit(RLIMIT_NOFILE, &limit) ||
						 (limit.rlim_cur = limit.rlim_max, setrlimit(RLIMIT_NOFILE, &limit))))
		die("RLIMIT_NOFILE");
}

/* The server. */

struct peer {
	int fd;
	size_t len, sent;	/* bytes that are not back yet */
	char bytes[BLOCK_MAX];
};

static void peer_end(struct peer *p)
{
	close(p->fd);
	free(p);
}

/* What has come goes back before more is read.  false: the connection is over. */
static bool peer_turn(struct peer *p)
{
	ssize_t ret;

	for (;;) {
		while (p->sent < p->len) {
			ret = send(p->fd, p->bytes + p->sent, p->len - p->sent, MSG_NOSIGNAL);
			if (ret < 0)
				return errno == EAGAIN;
			p->sent += ret;
		}
		ret = recv(p->fd, p->bytes, sizeof(p->bytes), 0);
		if (ret <= 0)
			return ret && errno == EAGAIN;
		p->len = ret;
		p->sent = 0;
	}
}

/* A reset is sent once, and may be lost: then the other end has to be asked. */
static void keep_alive(int fd)
{
	int one = 1, seconds = 5;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
}

static void take_peers(int listener)
{
	struct peer *p;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		p = calloc(1, sizeof(*p));
		if (!p)
			die("calloc");
		p->fd = fd;
		keep_alive(fd);
		watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, p);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("accept");
}

static int listen_at(int port, int backlog)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, backlog))
		die("listen");
	return fd;
}

static int serve(int port, int backlog)
{
	struct epoll_event ev[64];
	int listener = listen_at(port, backlog), nr;

	watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
	puts("ready");
	while ((nr = epoll_wait(ep, ev, 64, -1)) >= 0 || errno == EINTR)
		for (int i = 0; i < nr; i++) {
			if (!ev[i].data.ptr)
				take_peers(listener);
			else if (!peer_turn(ev[i].data.ptr))
				peer_end(ev[i].data.ptr);
		}
	die("epoll_wait");
}

/* Clients. */

struct conn {
	int fd;
	unsigned int id, round;		/* the bytes differ with both */
	unsigned int len, sent, got;
	bool connected, shut, done;
};

static struct {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to;
	socklen_t to_len;
	struct conn *conns;
	unsigned int total, next, finished;
	bool keep;			/* connections stay when they are done */
} run;

static uint8_t byte_at(const struct conn *c, unsigned int i)
{
	return c->id * 31 + c->round * 101 + i * 7 + (i >> 8);
}

static void to_address(const char *text, int port)
{
	run.to.in.sin_port = htons(port);
	run.to_len = sizeof(run.to.in);
	run.to.sa.sa_family = AF_INET;
	if (inet_pton(AF_INET, text, &run.to.in.sin_addr) == 1)
		return;
	run.to_len = sizeof(run.to.in6);
	run.to.sa.sa_family = AF_INET6;
	if (inet_pton(AF_INET6, text, &run.to.in6.sin6_addr) == 1)
		return;
	printf("not an address: %s\n", text);
	exit(2);
}

static void new_round(struct conn *c, unsigned int round)
{
	c->round = round;
	c->len = 1 + (c->id * 2654435761u + round * 97) % BLOCK_MAX;
	c->sent = c->got = 0;
	c->done = false;
}

static void open_next(void)
{
	struct conn *c = &run.conns[run.next];

	*c = (struct conn){ .id = run.next++ };
	new_round(c, 0);
	c->fd = socket(run.to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || (connect(c->fd, &run.to.sa, run.to_len) && errno != EINPROGRESS))
		die("connection %u: connect", c->id);
	watch(EPOLL_CTL_ADD, c->fd, EPOLLIN | EPOLLOUT | EPOLLET, c);
}

static void finished(struct conn *c)
{
	c->done = true;
	run.finished++;
	if (!run.keep)
		close(c->fd);
	if (run.next < run.total)
		open_next();
}

static bool connected(struct conn *c)
{
	socklen_t len = sizeof(int);
	int error = 0;
	struct pollfd fd = { c->fd, POLLOUT, 0 };

	if (c->connected)
		return true;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
		errno = error ?: errno;
		die("connection %u: connect", c->id);
	}
	c->connected = poll(&fd, 1, 0) == 1 && fd.revents & POLLOUT;
	return c->connected;
}

static void send_rest(struct conn *c)
{
	uint8_t block[BLOCK_MAX];
	ssize_t ret = 0;

	for (unsigned int i = c->sent; i < c->len; i++)
		block[i] = byte_at(c, i);
	for (; c->sent < c->len; c->sent += ret) {
		ret = send(c->fd, block + c->sent, c->len - c->sent, MSG_NOSIGNAL);
		if (ret < 0 && errno == EAGAIN)
			return;
		if (ret < 0)
			die("connection %u: send", c->id);
	}
}

/* true: what was sent has come back; what follows it is the end of file. */
static bool take_back(struct conn *c)
{
	uint8_t block[BLOCK_MAX];
	ssize_t ret;

	while ((ret = recv(c->fd, block, sizeof(block), 0)) > 0)
		for (ssize_t i = 0; i < ret; i++, c->got++)
			if (c->got == c->len || block[i] != byte_at(c, c->got)) {
				printf("connection %u: byte %u of %u is wrong\n", c->id, c->got, c->len);
				exit(1);
			}
	if (ret < 0 && errno != EAGAIN)
		die("connection %u: recv", c->id);
	if (!ret && !c->shut) {
		printf("connection %u: its end after %u of %u bytes\n", c->id, c->got, c->len);
		exit(1);
	}
	return c->got == c->len && (!ret || !c->shut);
}

static void conn_turn(struct conn *c)
{
	struct linger reset = { .l_onoff = 1 };

	if (c->done || !connected(c))
		return;
	send_rest(c);
	if (!take_back(c))
		return;
	if (run.keep || c->shut)
		return finished(c);
	if (c->id % 8 == 0) {
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return finished(c);
	}
	c->shut = true;
	shutdown(c->fd, SHUT_WR);
	conn_turn(c);
}

/* Until @wanted more connections are done. */
static void work(unsigned int wanted)
{
	struct epoll_event ev[64];
	int nr;

	for (run.finished = 0; run.finished < wanted;) {
		nr = epoll_wait(ep, ev, 64, PATIENCE);
		if (!nr) {
			printf("no progress after %u of %u connections\n", run.finished, wanted);
			exit(1);
		}
		for (int i = 0; i < nr; i++)
			conn_turn(ev[i].data.ptr);
	}
}

static void client(int total, int lanes, const char *address, int port)
{
	to_address(address, port);
	run.conns = calloc(total, sizeof(*run.conns));
	run.total = total;
	if (!run.conns)
		die("calloc");
	for (int i = 0; i < total && i < lanes; i++)
		open_next();
	work(total);
}

static void hold(void)
{
	char line[16];

	printf("open %u\n", run.total);
	if (!fgets(line, sizeof(line), stdin))
		clearerr(stdin);
	for (unsigned int i = 0; i < run.total; i++)
		new_round(&run.conns[i], 1);
	run.finished = 0;
	for (unsigned int i = 0; i < run.total; i++)
		send_rest(&run.conns[i]);
	work(run.total);
	for (unsigned int i = 0; i < run.total; i++)
		close(run.conns[i].fd);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	many_descriptors();
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (!strcmp(what, "serve"))
		return serve(number(argv[2]), argc > 3 ? number(argv[3]) : 128);
	if (argc != 6 || (strcmp(what, "hold") && strcmp(what, "churn")))
		return 2;
	run.keep = !strcmp(what, "hold");
	client(number(argv[2]), number(argv[3]), argv[4], number(argv[5]));
	if (run.keep)
		hold();
	printf("%u connections\n", run.total);
	return 0;
}
