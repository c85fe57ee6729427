// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads use one socket at once while it is decided. Which of them
 * wins is left to chance, so that only what must hold in any case is written
 * down; the rest is for the kernel to survive.
 */
#include "parity.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#define THREADS	4
#define OPS	40

struct storm {
	int fd;
	union addr to;
	unsigned int seed;
	pthread_barrier_t *start;
	void (*op)(struct storm *s, unsigned int random);
};

static void *storm_thread(void *arg)
{
	struct storm *s = arg;
	int i;

	pthread_barrier_wait(s->start);
	for (i = 0; i < OPS; i++)
		s->op(s, rand_r(&s->seed));
	return NULL;
}

static void run_storm(int fd, const union addr *to, unsigned int seed,
		      void (*op)(struct storm *, unsigned int))
{
	struct storm s[THREADS];
	pthread_t t[THREADS];
	pthread_barrier_t start;
	int i;

	pthread_barrier_init(&start, NULL, THREADS);
	for (i = 0; i < THREADS; i++) {
		s[i] = (struct storm){ fd, *to, seed * THREADS + i, &start, op };
		if (pthread_create(&t[i], NULL, storm_thread, &s[i]))
			give_up(__FILE__, __LINE__, "pthread_create");
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	pthread_barrier_destroy(&start);
}

static void any_op(struct storm *s, unsigned int random)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN | POLLOUT };
	union addr a;
	socklen_t len = sizeof(a);
	char buf[64] = "";
	int value = 1;

	switch (random % 14) {
	case 0:
	case 1:
		connect(s->fd, &s->to.sa, addr_len());
		break;
	case 2:
		poll(&p, 1, 0);
		break;
	case 3:
		recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
		break;
	case 4:
		send(s->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 5:
		getsockname(s->fd, &a.sa, &len);
		break;
	case 6:
		getpeername(s->fd, &a.sa, &len);
		break;
	case 7:
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value));
		break;
	case 8:
		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &value, &(socklen_t){ sizeof(value) });
		break;
	case 9:
		ioctl(s->fd, SIOCINQ, &value);
		break;
	case 10:
		listen(s->fd, 4);
		break;
	case 11:
		close(accept4(s->fd, NULL, NULL, SOCK_NONBLOCK));
		break;
	case 12:
		sendto(s->fd, buf, 1, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL, &s->to.sa,
		       addr_len());
		break;
	case 13:
		connect(s->fd, &(struct sockaddr){ .sa_family = AF_UNSPEC },
			sizeof(struct sockaddr));
		break;
	}
}

/* Everything at once on one socket, that is closed in between on another descriptor. */
static void everything(void)
{
	union addr a;
	int l, c, round;

	run.nonblock = true;
	l = listener();
	a = local_addr(l);
	for (round = 0; round < 25; round++) {
		int fd = client(SOCK_STREAM), copy = MUST(dup(fd)), s;

		close(fd);
		run_storm(copy, &a, round, any_op);
		close(copy);
		while ((s = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0 || errno == ECONNABORTED)
			close(s);
	}
	/* The listener has not been harmed. */
	c = client(SOCK_STREAM);
	dial(c, l);
	echo(c, take(l));
}

static void connect_op(struct storm *s, unsigned int random)
{
	(void)random;
	connect(s->fd, &s->to.sa, addr_len());
}

/* All threads connect: there is one connection. */
static void connects(void)
{
	int l = listener(), round, s;
	union addr a = local_addr(l);

	fcntl(l, F_SETFL, O_NONBLOCK);
	for (round = 0; round < 20; round++) {
		int c = client(SOCK_STREAM);

		run_storm(c, &a, round, connect_op);
		wait_for(c, POLLOUT);
		s = take(l);
		/* Whoever finds it connected first hears 0. */
		connect(c, &a.sa, addr_len());
		TRY(connect(c, &a.sa, addr_len()));
		echo(c, s);
		TRY(accept(l, NULL, NULL));
		close(c);
		close(s);
	}
}

static int taken;

static void accept_op(struct storm *s, unsigned int random)
{
	int c = client(SOCK_STREAM), fd;

	(void)random;
	dial(c, s->fd);
	wait_for(s->fd, POLLIN);
	/* Another thread may take this thread's connection, and this one another's. */
	while ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK)) < 0 && errno == EAGAIN)
		wait_for(s->fd, POLLIN);
	if (fd >= 0)
		__atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
	close(fd);
	close(c);
}

/* As many accepts as connects, from one listener. */
static void accepts(void)
{
	union addr a;
	int l;

	run.nonblock = true;
	l = bound(server(SOCK_STREAM), 0);
	a = local_addr(l);
	MUST(listen(l, 64));
	run_storm(l, &a, 1, accept_op);
	see("accepted %d", taken);
	CHECK(taken == THREADS * OPS);
}

static void dgram_op(struct storm *s, unsigned int random)
{
	char buf[64];

	switch (random % 4) {
	case 0:
		sendto(s->fd, "x", 1, MSG_DONTWAIT, &s->to.sa, addr_len());
		break;
	case 1:
		connect(s->fd, &s->to.sa, addr_len());
		break;
	case 2:
		connect(s->fd, &(struct sockaddr){ .sa_family = AF_UNSPEC },
			sizeof(struct sockaddr));
		break;
	case 3:
		recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
		break;
	}
}

static void dgrams(void)
{
	int s = bound(server(SOCK_DGRAM), 0), round;
	union addr a = local_addr(s);

	for (round = 0; round < 25; round++) {
		int c = client(SOCK_DGRAM);

		run_storm(c, &a, round, dgram_op);
		TRY(connect(c, &a.sa, addr_len()));
		TRY(send(c, "last", 4, 0));
		close(c);
	}
}

/* A process that is killed in the middle of everything. */
static void killed(void)
{
	int l = listener(), round;
	union addr a = local_addr(l);

	for (round = 0; round < 10; round++) {
		int c = client(SOCK_STREAM), go[2], pid;

		MUST(pipe(go));
		pid = MUST(fork());
		if (!pid) {
			MUST(write(go[1], "", 1));
			run_storm(c, &a, round, any_op);
			_exit(0);
		}
		close(c);
		MUST(read(go[0], &(char){ 0 }, 1));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(go[0]);
		close(go[1]);
	}
}

const struct scenario storm_scenarios[] = {
	{ "storm.everything", everything, ONE_ROLE | ONE_MODE | MANY_CPUS },
	{ "storm.connects", connects, ONE_ROLE | MANY_CPUS },
	{ "storm.accepts", accepts, ONE_ROLE | ONE_MODE | MANY_CPUS },
	{ "storm.dgrams", dgrams, ONE_ROLE | ONE_MODE | MANY_CPUS | DGRAM },
	{ "storm.killed", killed, ONE_ROLE | ONE_MODE | MANY_CPUS },
	{ }
};
