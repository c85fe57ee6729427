// SPDX-License-Identifier: GPL-2.0-only
/*
 * churn MODULE ROUNDS: load and unload the module while processes use it as
 * hard as they can. MODULE is the file, for modprobe takes longer than all the
 * rest.
 *
 * Each worker opens, decides and closes sockets of every kind; between two of
 * them it holds none for a moment, and in such a moment of all workers the
 * module can go. A worker takes it that there is no module; anything else that
 * fails is an error. After each load the workers must have had a success
 * before the module is unloaded again.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest.h"

#define WORKERS 4

/* Written by worker i, read by the parent. */
struct progress {
	unsigned long done;	/* turns with DMM sockets */
	unsigned long absent;	/* turns without a module */
	char failed[120];
};

static struct progress *progress;

static void __attribute__((noreturn)) fail(struct progress *p, const char *what, enum way way,
					   int family)
{
	snprintf(p->failed, sizeof(p->failed), "%s (%s, IPv%d): %s", what, way_names[way],
		 family == AF_INET ? 4 : 6, strerror(errno));
	exit(1);
}

/* A protocol whose module is about to go: sk_alloc() fails, as if for want of memory. */
static bool no_module(void)
{
	return errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT || errno == ENOBUFS ||
	       errno == ENOMEM;
}

/* A connection with DMM sockets at both ends; the listener goes first or last. */
static bool connection(struct progress *p, enum way way, int family, bool early)
{
	union addr a;
	int l = make_listener(way, family, &a), c, s;

	if (l < 0 && no_module())
		return false;
	if (l < 0)
		fail(p, "listener", way, family);
	/* The listener keeps the module: there is no excuse any more. */
	c = make(way, family, SOCK_STREAM);
	if (c < 0)
		fail(p, "socket", way, family);
	if (connect_to(c, &a))
		fail(p, "connect", way, family);
	s = accept(l, NULL, NULL);
	if (s < 0)
		fail(p, "accept", way, family);
	if (early)
		close(l);
	if (!echo(c, s) || !echo(s, c))
		fail(p, "echo", way, family);
	/* Without TIME_WAIT, of which there would be many. */
	setsockopt(c, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(c);
	close(s);
	if (!early)
		close(l);
	return true;
}

/* Closed as it was made. */
static bool undecided(struct progress *p, enum way way, int family, int type)
{
	int fd = make(way, family, type);

	if (fd < 0 && !no_module())
		fail(p, "socket", way, family);
	close(fd);
	return fd >= 0;
}

static bool datagram(struct progress *p, int family)
{
	union addr a = loopback(family);
	int fd = make(FAMILY, family, SOCK_DGRAM);

	if (fd < 0 && no_module())
		return false;
	if (fd < 0)
		fail(p, "socket", FAMILY, family);
	a.v4.sin_port = htons(9);
	if (sendto(fd, "x", 1, 0, &a.sa, addr_len(&a)) != 1)
		fail(p, "sendto", FAMILY, family);
	close(fd);
	return true;
}

static void __attribute__((noreturn)) work(struct progress *p)
{
	unsigned int turn;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (turn = getpid();; turn++) {
		int family = turn & 1 ? AF_INET6 : AF_INET;
		enum way way = turn & 2 ? FAMILY : PROTOCOL;
		struct timespec moment = { .tv_nsec = 200000 };
		bool there;

		switch (turn % 5) {
		case 0:
			there = undecided(p, way, family, SOCK_STREAM);
			break;
		case 1:
			there = undecided(p, FAMILY, family, SOCK_DGRAM);
			break;
		case 2:
			there = datagram(p, family);
			break;
		default:
			there = connection(p, way, family, turn & 4);
			break;
		}
		__atomic_add_fetch(there ? &p->done : &p->absent, 1, __ATOMIC_RELAXED);
		nanosleep(&moment, NULL);
	}
}

static int check_workers(void)
{
	int i;

	for (i = 0; i < WORKERS; i++) {
		if (progress[i].failed[0]) {
			printf("worker: %s\n", progress[i].failed);
			return -1;
		}
	}
	if (waitpid(-1, NULL, WNOHANG) > 0) {
		printf("a worker died\n");
		return -1;
	}
	return 0;
}

/* Until each worker has made a turn of this sort. */
static int wait_progress(size_t which)
{
	unsigned long before[WORKERS];
	int i, ms;

#define COUNT(i) __atomic_load_n((unsigned long *)((char *)&progress[i] + which), __ATOMIC_RELAXED)
	for (i = 0; i < WORKERS; i++)
		before[i] = COUNT(i);
	for (i = 0, ms = 0; i < WORKERS; ms++) {
		if (check_workers())
			return -1;
		if (ms > 60000 * (int)ksft_time_scale()) {
			printf("worker %d makes no progress\n", i);
			return -1;
		}
		if (COUNT(i) != before[i])
			i++;
		else
			usleep(1000);
	}
#undef COUNT
	return 0;
}

static int load(const char *module)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0) {
		perror(module);
		return -1;
	}
	ret = syscall(SYS_finit_module, fd, "", 0);
	if (ret)
		perror("finit_module");
	close(fd);
	return ret;
}

/* Try until all workers are between two turns. */
static int unload(unsigned long *tries)
{
	struct timespec end, now;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 60 * ksft_time_scale();
	while (syscall(SYS_delete_module, "dmm", O_NONBLOCK)) {
		++*tries;
		if (errno != EAGAIN && errno != EBUSY) {
			perror("delete_module");
			return -1;
		}
		if (check_workers())
			return -1;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec) {
			printf("the module is never unused\n");
			return -1;
		}
		usleep(100);
	}
	return 0;
}

static int run(const char *module, int rounds)
{
	unsigned long tries = 0, done = 0;
	int i;

	for (i = 0; i < rounds; i++) {
		if (load(module) || wait_progress(offsetof(struct progress, done)) ||
		    unload(&tries))
			return 1;
		if (i % 10 == 0 && wait_progress(offsetof(struct progress, absent)))
			return 1;
	}
	for (i = 0; i < WORKERS; i++)
		done += progress[i].done;
	printf("%d rounds, %lu turns, %lu refusals to unload\n", rounds, done, tries);
	return 0;
}

int main(int argc, char **argv)
{
	int pids[WORKERS], i, ret;

	if (argc != 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	progress = mmap(NULL, WORKERS * sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			work(&progress[i]);
	}
	ret = run(argv[1], atoi(argv[2]));
	for (i = 0; i < WORKERS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	return ret;
}
