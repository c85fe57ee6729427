// SPDX-License-Identifier: GPL-2.0-only
/* The ends of connections. */
#include "parity.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <netinet/tcp.h>

static const struct sockaddr unspec = { .sa_family = AF_UNSPEC };

static void shutdowns(void)
{
	static const int how[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(how); i++) {
		struct pair p = pair();

		TRY(shutdown(p.c, how[i]));
		see_poll("own", p.c);
		TRY(send(p.c, "x", 1, MSG_NOSIGNAL));
		TRY(recv(p.c, (char[1]){ }, 1, MSG_DONTWAIT));
		wait_unsent(p.c);
		if (how[i] != SHUT_RD)
			wait_for(p.s, POLLRDHUP);
		else
			wait_bytes(p.s, 1);
		see_poll("peer", p.s);
		TRY(recv(p.s, (char[1]){ }, 1, MSG_DONTWAIT));
		TRY(send(p.s, "y", 1, MSG_NOSIGNAL));
		wait_unsent(p.s);
		see_poll("own", p.c);
		TRY(recv(p.c, (char[1]){ }, 1, MSG_DONTWAIT));
		TRY(shutdown(p.c, SHUT_RDWR));
		TRY(shutdown(p.c, SHUT_RDWR));
		TRY(shutdown(p.c, 17));
		see_error(p.c);
	}
}

/* A reset, seen by each call that can see one first. */
static void reset(void)
{
	struct linger abort = { 1, 0 };
	int i;

	for (i = 0; i < 4; i++) {
		struct pair p = pair();

		/* The client's port of the last round is free, and may be this one's. */
		forget_ports();
		MUST(setsockopt(p.s, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)));
		close(p.s);
		wait_for(p.c, POLLHUP);
		see_poll("reset", p.c);
		if (i == 0)
			TRY(recv(p.c, (char[1]){ }, 1, 0));
		if (i == 1)
			TRY(send(p.c, "x", 1, MSG_NOSIGNAL));
		if (i == 2)
			see_error(p.c);
		see_name("reset", p.c);
		TRY(shutdown(p.c, SHUT_RDWR));
		TRY(recv(p.c, (char[1]){ }, 1, 0));
		TRY(send(p.c, "x", 1, MSG_NOSIGNAL));
		see_poll("after", p.c);
		/* The socket can be used again. */
		TRY(connect(p.c, &unspec, sizeof(unspec)));
		dial(p.c, p.l);
		echo(p.c, take(p.l));
	}
}

/* Closing with unread data resets; closing without does not. */
static void unread(void)
{
	struct pair p = pair();

	put(p.c, "unread");
	wait_bytes(p.s, 6);
	close(p.s);
	wait_for(p.c, POLLHUP);
	see_poll("unread", p.c);
	see_error(p.c);

	p = pair();
	close(p.s);
	wait_for(p.c, POLLIN);
	see_poll("closed", p.c);
	TRY(recv(p.c, (char[1]){ }, 1, 0));
	TRY(send(p.c, "x", 1, MSG_NOSIGNAL));
	wait_for(p.c, POLLHUP);
	see_poll("reset", p.c);
	TRY(send(p.c, "x", 1, MSG_NOSIGNAL));
	see_error(p.c);
}

/* Connections that nobody has accepted go with their listener. */
static void pending(void)
{
	int l = listener(), c[3], i;

	for (i = 0; i < 3; i++)
		dial(c[i] = client(SOCK_STREAM), l);
	put(c[0], "early");
	wait_for(l, POLLIN);
	close(l);
	for (i = 0; i < 3; i++) {
		wait_for(c[i], POLLHUP);
		see_poll("pending", c[i]);
		see_error(c[i]);
	}
	/* Accepted ones stay. */
	l = listener();
	dial(c[0] = client(SOCK_STREAM), l);
	i = take(l);
	close(l);
	echo(c[0], i);
}

static void linger(void)
{
	struct linger wait = { 1, 5 }, got = { };
	int c = client(SOCK_STREAM), l = listener(), s;
	socklen_t len = sizeof(got);

	MUST(setsockopt(c, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)));
	dial(c, l);
	s = take(l);
	MUST(getsockopt(c, SOL_SOCKET, SO_LINGER, &got, &len));
	see("linger %d %d", got.l_onoff, got.l_linger);
	put(c, "last words");
	TRY(close(c));
	get(s, 11);

	/* Undecided sockets and listeners have nothing to wait for. */
	MUST(setsockopt(c = client(SOCK_STREAM), SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)));
	TRY(close(c));
	wait.l_linger = 0;
	MUST(setsockopt(c = client(SOCK_STREAM), SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)));
	TRY(close(c));
	MUST(setsockopt(l, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)));
	TRY(close(l));
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

static void broken_pipe(void)
{
	struct pair p = pair();
	int c = client(SOCK_STREAM);

	signal(SIGPIPE, on_pipe);
	TRY(send(c, "x", 1, 0));
	see("undecided: %d signals", pipes);
	TRY(send(c, "x", 1, MSG_NOSIGNAL));
	see("MSG_NOSIGNAL: %d signals", pipes);
	TRY(write(p.l, "x", 1));
	see("listener: %d signals", pipes);
	MUST(shutdown(p.c, SHUT_WR));
	TRY(write(p.c, "x", 1));
	TRY(send(p.c, "x", 1, MSG_NOSIGNAL));
	see("shut down: %d signals", pipes);
	close(p.s);
	wait_for(p.c, POLLIN);
	TRY(write(p.c, "x", 1));
	see("closed: %d signals", pipes);
}

/* A reader that sleeps when the connection ends. */
struct sleeper {
	int fd;
	int tid;
	ssize_t ret;
	int err;
};

static void *sleep_in_recv(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	s->ret = recv(s->fd, (char[1]){ }, 1, 0);
	s->err = errno;
	return NULL;
}

static void see_woken(void (*end)(struct pair *p))
{
	struct pair p = pair();
	struct sleeper s = { .fd = p.c };
	pthread_t t;

	if (pthread_create(&t, NULL, sleep_in_recv, &s))
		give_up(__FILE__, __LINE__, "pthread_create");
	while (!__atomic_load_n(&s.tid, __ATOMIC_ACQUIRE))
		sched_yield();
	wait_asleep(s.tid);
	end(&p);
	pthread_join(t, NULL);
	see("recv = %zd %s", s.ret, s.ret < 0 ? strerrorname_np(s.err) : "");
}

static void end_by_peer(struct pair *p)
{
	close(p->s);
}

static void end_by_reset(struct pair *p)
{
	struct linger abort = { 1, 0 };

	MUST(setsockopt(p->s, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)));
	close(p->s);
}

static void end_by_shutdown(struct pair *p)
{
	MUST(shutdown(p->c, SHUT_RDWR));
}

static void end_by_disconnect(struct pair *p)
{
	/* Kernels differ in whether they let it happen under a sleeper. */
	TRY(connect(p->c, &unspec, sizeof(unspec)));
	TRY(shutdown(p->c, SHUT_RDWR));
}

static void sleeping_reader(void)
{
	see_woken(end_by_peer);
	see_woken(end_by_reset);
	see_woken(end_by_shutdown);
	see_woken(end_by_disconnect);
}

const struct scenario close_scenarios[] = {
	{ "close.shutdowns", shutdowns, 0 },
	{ "close.reset", reset, 0 },
	{ "close.unread", unread, 0 },
	{ "close.pending", pending, 0 },
	{ "close.linger", linger, ONE_MODE },
	{ "close.broken_pipe", broken_pipe, 0 },
	{ "close.sleeping_reader", sleeping_reader, ONE_MODE },
	{ }
};
