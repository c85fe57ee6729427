// SPDX-License-Identifier: GPL-2.0-only
#include "parity.h"
#include "kselftest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>

/* Longer than anything takes on a machine that is emulated and busy. */
static int patience_ms(void)
{
	return (run.hasty ? 300 : 10000) * ksft_time_scale();
}

int make(enum way way, int type)
{
	/* IPPROTO_DMM is for streams. */
	if (way == PROTOCOL && type == SOCK_DGRAM)
		way = PLAIN;
	if (run.nonblock)
		type |= SOCK_NONBLOCK;
	switch (way) {
	case FAMILY:
		return socket(run.af_dmm, type,
			      run.family == AF_INET ? DMM_PROTO_INET : DMM_PROTO_INET6);
	case PROTOCOL:
		return socket(run.family, type, IPPROTO_DMM);
	default:
		return socket(run.family, type, 0);
	}
}

int client(int type)
{
	return MUST(make(run.client, type));
}

int server(int type)
{
	return MUST(make(run.server, type));
}

int plain(int type)
{
	return MUST(make(PLAIN, type));
}

socklen_t addr_len(void)
{
	return run.family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

union addr loopback(int port)
{
	union addr a = { .sa.sa_family = run.family };

	if (run.family == AF_INET) {
		a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		a.v4.sin_port = htons(port);
	} else {
		a.v6.sin6_addr = in6addr_loopback;
		a.v6.sin6_port = htons(port);
	}
	return a;
}

union addr local_addr(int fd)
{
	union addr a;
	socklen_t len = sizeof(a);

	MUST(getsockname(fd, &a.sa, &len));
	return a;
}

int port_of(const union addr *a)
{
	/* At the same place for both families. */
	return ntohs(a->v4.sin_port);
}

int bound(int fd, int port)
{
	union addr a = loopback(port);

	MUST(bind(fd, &a.sa, addr_len()));
	return fd;
}

int listener(void)
{
	int l = bound(server(SOCK_STREAM), 0);

	MUST(listen(l, 16));
	return l;
}

/* An address where nobody listens, and nobody will in this run. */
union addr dead_end(void)
{
	return local_addr(bound(plain(SOCK_STREAM), 0));
}

/* Connect a client that has to succeed. */
void dial(int c, int l)
{
	union addr a = local_addr(l);

	dial_to(c, &a);
}

void dial_to(int c, const union addr *a)
{
	if (connect(c, &a->sa, addr_len()) == 0)
		return;
	if (errno != EINPROGRESS)
		give_up(__FILE__, __LINE__, "connect");
	wait_for(c, POLLOUT);
	if (get_int(c, SOL_SOCKET, SO_ERROR))
		give_up(__FILE__, __LINE__, "connect");
}

int take(int l)
{
	wait_for(l, POLLIN);
	return MUST(accept4(l, NULL, NULL, accept_flags()));
}

struct pair pair(void)
{
	struct pair p;

	p.l = listener();
	p.c = client(SOCK_STREAM);
	dial(p.c, p.l);
	p.s = take(p.l);
	return p;
}

void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (MUST(poll(&p, 1, patience_ms())) == 0) {
		errno = ETIMEDOUT;
		give_up(__FILE__, __LINE__, "poll");
	}
}

/* Until probe(arg) is true: for states that poll() does not know. */
static void wait_until(bool (*probe)(int arg, int value), int arg, int value, const char *what)
{
	int ms;

	for (ms = 0; !probe(arg, value); ms++) {
		if (ms == patience_ms()) {
			errno = ETIMEDOUT;
			give_up(__FILE__, __LINE__, what);
		}
		usleep(1000);
	}
}

static bool has_bytes(int fd, int n)
{
	int have;

	return ioctl(fd, SIOCINQ, &have) < 0 || have >= n;
}

void wait_bytes(int fd, int n)
{
	wait_until(has_bytes, fd, n, "bytes to arrive");
}

static bool has_signal(int sig, int unused)
{
	sigset_t set;

	(void)unused;
	return !sigpending(&set) && sigismember(&set, sig);
}

/* Until a signal is pending, which is blocked. */
void wait_signal(int sig)
{
	wait_until(has_signal, sig, 0, "a signal");
}

static bool all_sent(int fd, int unused)
{
	struct pollfd p = { .fd = fd };
	int have;

	(void)unused;
	return ioctl(fd, SIOCOUTQ, &have) < 0 || have == 0 || poll(&p, 1, 0) > 0;
}

/* Until the peer has acknowledged everything, or has reset the connection. */
void wait_unsent(int fd)
{
	wait_until(all_sent, fd, 0, "bytes to be acknowledged");
}

static bool asleep(int tid, int unused)
{
	char path[64], stat[512], *state;
	ssize_t n;
	int fd;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (n <= 0)
		return false;
	stat[n] = 0;
	state = strrchr(stat, ')');
	return state && state[1] && state[2] == 'S';
}

/* Until a thread or process sleeps in the call that it was told to make. */
void wait_asleep(int tid)
{
	wait_until(asleep, tid, 0, "a thread to sleep");
}

void put(int fd, const char *text)
{
	if (MUST(send(fd, text, strlen(text), 0)) != (ssize_t)strlen(text))
		give_up(__FILE__, __LINE__, "short send");
}

/* Read and write down n bytes, or what comes before the end. */
void get(int fd, size_t n)
{
	char buf[4096];
	size_t have = 0;

	while (have < n) {
		ssize_t got;

		wait_for(fd, POLLIN);
		got = recv(fd, buf + have, n - have, 0);
		if (got <= 0) {
			see_result("recv", got);
			break;
		}
		have += got;
	}
	see_bytes("got", buf, have);
}

/* Is there a connection between these two? */
void echo(int a, int b)
{
	put(a, "ping");
	get(b, 4);
	put(b, "pong");
	get(a, 4);
}

int get_int(int fd, int level, int opt)
{
	int value = 0;
	socklen_t len = sizeof(value);

	MUST(getsockopt(fd, level, opt, &value, &len));
	return value;
}

void set_int(int fd, int level, int opt, int value)
{
	MUST(setsockopt(fd, level, opt, &value, sizeof(value)));
}

void write_file(const char *path, const char *text)
{
	int fd = MUST(open(path, O_WRONLY));

	MUST(write(fd, text, strlen(text)));
	close(fd);
}
