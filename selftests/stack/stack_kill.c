// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_kill: a stack daemon is killed while it serves a thousand sockets, again and again. Each of them must see it,
 * new connections must go to the next stack at once, and listeners must go on with that, and with the daemon's successor,
 * without their owner doing anything. Each time what the kernel had for it goes away again.
 *
 *	stack_kill [-r ROUNDS]
 */
#include "kselftest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/dmm.h>

#define PAIRS	500
#define ROUNDS	5
#define PORT	7000

static const char *const stacks[] = { "dmm-template", "dmm-loop" };
static int af;

static bool wait_for(bool (*done)(void))
{
	time_t end = time(NULL) + 30 * ksft_time_scale();

	while (!done()) {
		if (time(NULL) > end)
			return false;
		usleep(20000);
	}
	return true;
}

static bool serves(void)
{
	return !system("dmmpolicy explain connect tcp 127.0.0.1:7000 2>/dev/null | grep -q '^stack s '");
}

static bool listens(void)
{
	return !system("dmmpolicy stack show | grep -q ' listeners 1 '");
}

static pid_t start(const char *stack)
{
	pid_t pid = fork();

	if (!pid) {
		execlp(stack, stack, "--name", "s", NULL);
		_exit(127);
	}
	return pid;
}

static int new_socket(void)
{
	return socket(af, SOCK_STREAM, DMM_PROTO_INET);
}

static const struct sockaddr_in at = {
	.sin_family = AF_INET, .sin_port = 0x581b /* 7000 */, .sin_addr = { 0x0100007f },
};

static int new_listener(void)
{
	int fd = new_socket();

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, 100)) {
		ksft_note("listen: %s", strerror(errno));
		return -1;
	}
	return fd;
}

/* A connection and its other end. */
static bool join(int listener, int fds[2])
{
	fds[0] = new_socket();
	if (connect(fds[0], (const struct sockaddr *)&at, sizeof(at))) {
		ksft_note("connect: %s", strerror(errno));
		return false;
	}
	fds[1] = accept(listener, NULL, NULL);
	return fds[1] >= 0;
}

static bool on_stack(int fd)
{
	char name[DMM_NAME_MAX] = "";
	socklen_t len = sizeof(name);

	return !getsockopt(fd, SOL_DMM, DMM_STACK, name, &len) && !strcmp(name, "s");
}

static bool echoes(const int fds[2])
{
	char c = 0;

	return send(fds[0], "x", 1, 0) == 1 && recv(fds[1], &c, 1, 0) == 1 && c == 'x' &&
	       send(fds[1], "y", 1, 0) == 1 && recv(fds[0], &c, 1, 0) == 1 && c == 'y';
}

/* Milliseconds until all were told, or -1. */
static int all_told(int ep, int nr)
{
	struct timespec from, now;
	struct epoll_event ev;
	int left = nr;

	clock_gettime(CLOCK_MONOTONIC, &from);
	while (left) {
		if (epoll_wait(ep, &ev, 1, 10000 * ksft_time_scale()) != 1)
			return -1;
		if ((ev.events & (EPOLLERR | EPOLLHUP)) != (EPOLLERR | EPOLLHUP))
			continue;
		epoll_ctl(ep, EPOLL_CTL_DEL, ev.data.fd, NULL);
		left--;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000;
}

static bool all_reset(int fds[][2], int nr)
{
	char c;
	int i;

	for (i = 0; i < 2 * nr; i++)
		if (recv(fds[0][i], &c, 1, 0) != -1 || errno != ECONNRESET) {
			ksft_note("socket %d: %s instead of a reset", i, strerror(errno));
			return false;
		}
	return true;
}

static void close_all(int fds[][2], int nr)
{
	int i;

	for (i = 0; i < 2 * nr; i++)
		close(fds[0][i]);
}

/* The daemon comes, serves, and is killed. */
static bool round_of(const char *stack, int listener)
{
	static int fds[PAIRS][2];
	int ep = epoll_create1(EPOLL_CLOEXEC), i, ms = -1, one[2];
	pid_t pid = start(stack);
	bool ok = wait_for(serves) && wait_for(listens);

	for (i = 0; ok && i < PAIRS; i++) {
		ok = join(listener, fds[i]) && on_stack(fds[i][0]) && on_stack(fds[i][1]) &&
		     echoes(fds[i]);
		epoll_ctl(ep, EPOLL_CTL_ADD, fds[i][0], &(struct epoll_event){ EPOLLIN, { .fd = fds[i][0] } });
		epoll_ctl(ep, EPOLL_CTL_ADD, fds[i][1], &(struct epoll_event){ EPOLLIN, { .fd = fds[i][1] } });
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (ok)
		ms = all_told(ep, 2 * PAIRS);
	ksft_note("%s: %d sockets were told within %d ms", stack, 2 * i, ms);
	ok = ok && ms >= 0 && all_reset(fds, PAIRS);
	close_all(fds, i);
	close(ep);
	/* The next of the list is the kernel's stack. */
	ok = ok && join(listener, one) && !on_stack(one[0]) && echoes(one);
	if (ok)
		close_all(&one, 1);
	return ok;
}

/*
 * Objects in use in the caches that sockets, connections and what belongs to them come from.  What is free in slabs
 * that a processor has for itself counts as used until they are shrunk.
 */
static long objects(void)
{
	bool shrunk = !system("cd /sys/kernel/slab && for cache in kmalloc* TCP* sock_inode_cache; do echo 1 >$cache/shrink; done");
	FILE *f = fopen("/proc/slabinfo", "re");
	char line[512], name[64];
	long sum = 0, active;

	if (!shrunk)
		ksft_note("caches cannot be shrunk");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", name, &active) == 2 &&
		    (!strncmp(name, "kmalloc", 7) || !strncmp(name, "TCP", 3) ||
		     !strcmp(name, "sock_inode_cache")))
			sum += active;
	if (f)
		fclose(f);
	return sum;
}

static long objects_before;

/* Others use these caches too: less than what one connection of each pair would have left. */
static bool given_back(void)
{
	return objects() < objects_before + PAIRS;
}

/* Under KASAN what is freed still counts for a while; there the leak detector looks at all of it in the end. */
static void test_given_back(const char *stack)
{
	char name[100];
	bool ok;

	snprintf(name, sizeof(name), "%s: and what the kernel had for them went away", stack);
	if (!access("/sys/kernel/debug/kmemleak", F_OK)) {
		ksft_skip(name, "kmemleak is there");
		return;
	}
	ok = wait_for(given_back);
	ksft_note("%ld objects of the kernel's before, %ld after", objects_before, objects());
	ksft_result(ok, "%s", name);
}

static bool unused(void)
{
	return ksft_read_number("/sys/module/dmm/refcnt") == 0;
}

int main(int argc, char **argv)
{
	int rounds = ROUNDS / ksft_rounds_div() ?: 1;
	int fd, r, option;
	size_t i;

	while ((option = getopt(argc, argv, "r:")) > 0)
		rounds = option == 'r' ? atoi(optarg) : 0;
	if (rounds < 1) {
		fprintf(stderr, "usage: stack_kill [-r ROUNDS]\n");
		return 2;
	}
	ksft_header();
	af = ksft_read_number("/sys/module/dmm/parameters/af");
	if (af < 0 || access("/dev/dmm", R_OK | W_OK))
		ksft_skip_all("needs root, and dmm.ko loaded");
	if (unshare(CLONE_NEWNET) || system("ip link set lo up"))
		ksft_skip_all("no network namespace");
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4 * PAIRS, 4 * PAIRS });
	signal(SIGPIPE, SIG_IGN);
	ksft_plan(3 * 2 + 1);
	for (i = 0; i < 2; i++) {
		bool ok = !system("dmmpolicy rule add prio 5 stack s,kernel");

		fd = new_listener();
		ksft_result(ok && fd >= 0, "%s: a listener before the stack is there", stacks[i]);
		/* The first fills caches. */
		ok = ok && round_of(stacks[i], fd);
		objects_before = objects();
		for (r = 0; ok && r < rounds; r++)
			ok = round_of(stacks[i], fd);
		ksft_result(ok, "%s: killed with %d sockets, %d times", stacks[i], 2 * PAIRS, rounds);
		test_given_back(stacks[i]);
		close(fd);
		system("dmmpolicy flush all");
	}
	ksft_result(wait_for(unused), "nothing is left");
	ksft_finish();
}
