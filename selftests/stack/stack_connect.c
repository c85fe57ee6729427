// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_connect: what a connect that a user stack serves comes to, seen by who looks all the time; and a socket that is
 * connected and disconnected while other threads send on it and receive from it. What the kernel makes of it does not
 * matter to them, as long as each connect works and nothing is left.
 */
#include "kselftest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dmm.h>

#define ROUNDS	2000

static const struct sockaddr_in at = {
	.sin_family = AF_INET, .sin_port = 0xbc1b /* 7100 */, .sin_addr = { 0x0100007f },
};
static int client;
static volatile bool stop;

static void *send_all(void *arg)
{
	char buf[3000] = "";

	while (!stop)
		send(client, buf, sizeof(buf), MSG_DONTWAIT);
	return arg;
}

static void *receive_all(void *arg)
{
	char buf[3000];

	while (!stop)
		recv(client, buf, sizeof(buf), MSG_DONTWAIT);
	return arg;
}

/* Echo a little to whoever comes, and close. */
static void *serve(void *arg)
{
	int s, i, n, *listener = arg;
	char buf[5000];

	while (!stop) {
		s = accept(*listener, NULL, NULL);
		if (s < 0)
			continue;
		for (i = 0; i < 50; i++) {
			n = recv(s, buf, sizeof(buf), MSG_DONTWAIT);
			if (n > 0)
				send(s, buf, n, MSG_DONTWAIT);
		}
		close(s);
	}
	return NULL;
}

static int listener_new(int af)
{
	const struct timeval soon = { .tv_usec = 100000 };
	int fd = socket(af, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, 50))
		error(1, errno, "listen");
	return fd;
}

/* One byte, by a connect that is said to be there as soon as it is. */
static bool connect_and_send(int af)
{
	int fd = socket(af, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	bool ok;

	ok = !connect(fd, (const struct sockaddr *)&at, sizeof(at)) || errno == EINPROGRESS;
	while (ok && !poll(&p, 1, 0))
		;
	ok = ok && p.revents == POLLOUT && send(fd, "x", 1, 0) == 1;
	if (!ok)
		ksft_note("poll said %#x, %s", p.revents, strerror(errno));
	close(fd);
	return ok;
}

static bool looked_at(int af)
{
	int listener = listener_new(af), s;
	bool ok = true;

	for (int i = 0; i < ROUNDS && ok; i++) {
		ok = connect_and_send(af);
		s = accept(listener, NULL, NULL);
		close(s);
	}
	close(listener);
	return ok;
}

static bool storm(int af)
{
	static void *(*const jobs[])(void *) = { send_all, send_all, receive_all, serve, serve };
	const struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	int listener = listener_new(af), i, connected = 0;
	pthread_t threads[5];

	client = socket(af, SOCK_STREAM, 0);
	for (i = 0; i < 5; i++)
		pthread_create(&threads[i], NULL, jobs[i], &listener);
	for (i = 0; i < ROUNDS; i++) {
		connected += !connect(client, (const struct sockaddr *)&at, sizeof(at));
		usleep(i % 200);
		connect(client, &unspec, sizeof(unspec));
	}
	stop = true;
	for (i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	close(client);
	close(listener);
	ksft_note("%d of %d connects", connected, ROUNDS);
	return connected == ROUNDS;
}

int main(void)
{
	int af = ksft_read_number("/sys/module/dmm/parameters/af"), ms;
	pid_t pid;

	ksft_header();
	if (af < 0 || access("/dev/dmm", R_OK | W_OK))
		ksft_skip_all("needs root, and dmm.ko loaded");
	if (unshare(CLONE_NEWNET) || system("ip link set lo up; dmmpolicy rule add prio 5 stack s,kernel"))
		ksft_skip_all("no network namespace");
	signal(SIGPIPE, SIG_IGN);
	ksft_plan(3);
	pid = fork();
	if (!pid) {
		execlp("dmm-loop", "dmm-loop", "--name", "s", NULL);
		_exit(127);
	}
	for (ms = 0; ms < 60000 && system("dmmpolicy stack show | grep -q '^s@'"); ms += 50)
		usleep(50000);
	ksft_result(looked_at(af), "connected when poll says so");
	ksft_result(storm(af), "connected and disconnected while it is used");
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	for (ms = 0; ms < 60000 && ksft_read_number("/sys/module/dmm/refcnt"); ms += 10)
		usleep(10000);
	ksft_result(!ksft_read_number("/sys/module/dmm/refcnt"), "nothing is left");
	ksft_finish();
}
