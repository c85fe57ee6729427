// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_idle: what a stack's process has to do, by the instance's counters and how often it ran. Nothing while thousands of
 * connections are idle, nothing while bytes flow between paired ones, and no system call while it and the application
 * are both busy: here they are one thread, which does their work in turns.
 */
#include "kselftest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dmm/stack.h>
#include <linux/dmm.h>

#define LOOP_PORT	7100
#define ECHO_PORT	7200
#define IDLE		10000
#define ECHO_IDLE	1000
#define ROUNDS		1000
#define MESSAGE		4096

struct counters {
	unsigned long enters;
	unsigned long wake_ups;
	unsigned long events_down;
	unsigned long events_up;
	unsigned long switches;	/* to the process */
};

static int af;
static char state;	/* of the process */

static unsigned long number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	if (!at)
		error(1, 0, "no %s in: %s", name, text);
	return strtoul(at + strlen(name), NULL, 10);
}

static void read_switches(struct counters *c, pid_t pid)
{
	char path[64], text[4096];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	if (!f)
		error(1, errno, "%s", path);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	state = strstr(text, "State:\t")[7];
	c->switches = number_after(text, "\nvoluntary_ctxt_switches:") +
		      number_after(text, "\nnonvoluntary_ctxt_switches:");
}

static struct counters read_counters(const char *stack, pid_t pid)
{
	char command[64], text[4096];
	struct counters c = { 0 };
	FILE *f;

	snprintf(command, sizeof(command), "dmmpolicy -j -s stack show %s", stack);
	f = popen(command, "r");
	if (!f)
		error(1, errno, "%s", command);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	pclose(f);
	c.enters = number_after(text, "\"enters\":");
	c.wake_ups = number_after(text, "\"wake_ups\":");
	c.events_down = number_after(text, "\"events_down\":");
	c.events_up = number_after(text, "\"events_up\":");
	if (pid)
		read_switches(&c, pid);
	return c;
}

static bool same(const char *stack, const struct counters *before, const struct counters *after)
{
	bool ok = !memcmp(before, after, sizeof(*before));

	if (!ok)
		ksft_note("%s: enters +%lu wake-ups +%lu events-down +%lu events-up +%lu switches +%lu", stack,
			  after->enters - before->enters, after->wake_ups - before->wake_ups,
			  after->events_down - before->events_down, after->events_up - before->events_up,
			  after->switches - before->switches);
	return ok;
}

/* Until it has done what there was to do: asleep, and nothing has changed since it was before. */
static struct counters settled(const char *stack, pid_t pid)
{
	struct counters before = read_counters(stack, pid), after;
	int ms;

	for (ms = 0; ms < 60000; ms += 50) {
		usleep(50000);
		after = read_counters(stack, pid);
		if (state == 'S' && !memcmp(&before, &after, sizeof(before)))
			return after;
		before = after;
	}
	error(1, 0, "%s does not come to rest", stack);
	return after;
}

static struct sockaddr_in at(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int must(const char *what, int ret)
{
	if (ret < 0)
		error(1, errno, "%s", what);
	return ret;
}

/* Loop: connections that it has paired. */

static int open_listener(uint16_t port)
{
	struct sockaddr_in addr = at(port);
	int fd = must("socket", socket(af, SOCK_STREAM, 0));

	must("bind", bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	must("listen", listen(fd, 16));
	return fd;
}

static void open_pair(int listener, int pair[2])
{
	struct sockaddr_in addr = at(LOOP_PORT);

	pair[0] = must("socket", socket(af, SOCK_STREAM, 0));
	must("connect", connect(pair[0], (struct sockaddr *)&addr, sizeof(addr)));
	pair[1] = must("accept", accept(listener, NULL, NULL));
}

/* Each message is there as soon as it is sent. */
static bool transfer(int from, int to)
{
	static char sent[MESSAGE], got[MESSAGE];

	memset(sent, rand(), sizeof(sent));
	return send(from, sent, sizeof(sent), 0) == sizeof(sent) &&
	       recv(to, got, sizeof(got), 0) == sizeof(got) && !memcmp(sent, got, sizeof(got));
}

static void wait_event(int epoll)
{
	struct epoll_event ev;

	if (must("epoll_wait", epoll_wait(epoll, &ev, 1, -1)) != 1)
		error(1, 0, "epoll_wait");
}

/* Both ends wait for each other's messages, in poll and in the calls. */
static bool talk(int pair[2])
{
	struct epoll_event ev = { .events = EPOLLIN };
	int epoll = must("epoll_create1", epoll_create1(0)), i;
	bool ok = true;
	char byte = 0;
	pid_t pid;

	must("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &ev));
	pid = must("fork", fork());
	if (!pid) {
		for (i = 0; i < ROUNDS; i++)
			if (recv(pair[1], &byte, 1, 0) != 1 || send(pair[1], &byte, 1, 0) != 1)
				_exit(1);
		_exit(0);
	}
	for (i = 0; i < ROUNDS && ok; i++) {
		ok = send(pair[0], &byte, 1, 0) == 1;
		wait_event(epoll);
		ok = ok && recv(pair[0], &byte, 1, 0) == 1;
	}
	waitpid(pid, &i, 0);
	close(epoll);
	return ok && !i;
}

static void test_loop(pid_t daemon)
{
	int listener = open_listener(LOOP_PORT), nr = IDLE / ksft_rounds_div(), i, pair[2], busy[2];
	struct counters before, after;
	bool ok = true;

	before = settled("s", daemon);
	open_pair(listener, busy);
	after = settled("s", daemon);
	ksft_result(after.enters > before.enters && after.wake_ups > before.wake_ups &&
		    after.events_down > before.events_down && after.events_up > before.events_up &&
		    after.switches > before.switches, "a connect counts");
	for (i = 1; i < nr; i++)
		open_pair(listener, pair);
	before = settled("s", daemon);
	for (i = 0; i < ROUNDS && ok; i++)
		ok = transfer(busy[i & 1], busy[!(i & 1)]);
	ok = ok && talk(busy);
	after = read_counters("s", daemon);
	ksft_result(ok && same("s", &before, &after), "no event while bytes flow between paired sockets");
	sleep(2);
	after = read_counters("s", daemon);
	ksft_result(same("s", &before, &after), "nor while %d connections are idle", nr);
}

/* Echo: its daemon, which is this process, sees all bytes. */

static struct dmm_queue *queue;

static void echo_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	static uint16_t port;
	struct dmm_open ends = *open;

	memcpy(ends.local, open->remote, sizeof(ends.local));
	ends.lport = htons(20000 + port++);
	dmm_conn_connected(conn, &ends);
}

static void echo_data(struct dmm_conn *conn)
{
	struct iovec iov;
	size_t done;

	while (dmm_conn_tx_peek(conn, 0, &iov, 1)) {
		done = dmm_conn_write(conn, iov.iov_base, iov.iov_len);
		dmm_conn_tx_consume(conn, done);
		if (done < iov.iov_len)
			return;
	}
}

static const struct dmm_stack_ops echo_ops = {
	.connect = echo_connect, .tx_data = echo_data, .rx_space = echo_data,
};

/* A turn of the daemon. */
static void serve(void)
{
	int ret = dmm_stack_poll(queue, 0);

	if (ret < 0)
		error(1, -ret, "dmm_stack_poll");
}

static int echo_socket(void)
{
	int fd = must("socket", socket(af, SOCK_STREAM | SOCK_NONBLOCK, 0));
	struct sockaddr_in addr = at(ECHO_PORT);

	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)) || errno != EINPROGRESS)
		error(1, errno, "connect");
	serve();
	must("connect", connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return fd;
}

/* The application sends, the daemon echoes, the application receives: nobody has to wait. */
static bool echo_round(int fd)
{
	static char sent[MESSAGE], got[MESSAGE];
	size_t there = 0, back = 0;
	ssize_t n;
	int turn;

	memset(sent, rand(), sizeof(sent));
	for (turn = 0; back < sizeof(sent) && turn < 100; turn++) {
		n = send(fd, sent + there, sizeof(sent) - there, 0);
		there += n > 0 ? n : 0;
		serve();
		n = recv(fd, got + back, sizeof(got) - back, 0);
		back += n > 0 ? n : 0;
	}
	return back == sizeof(sent) && !memcmp(sent, got, back);
}

static void test_echo(void)
{
	int nr = ECHO_IDLE / ksft_rounds_div(), epoll = must("epoll_create1", epoll_create1(0)), busy, i;
	struct counters before, after;
	struct epoll_event ev = { .events = EPOLLIN };
	bool ok = true;

	busy = echo_socket();
	for (i = 1; i < nr; i++)
		must("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, echo_socket(), &ev));
	/* Until the rings are as large as they will be. */
	for (i = 0; i < 20 && ok; i++)
		ok = echo_round(busy);
	before = read_counters("echo", 0);
	for (i = 0; i < ROUNDS && ok; i++)
		ok = echo_round(busy);
	after = read_counters("echo", 0);
	ksft_result(ok && after.events_down > before.events_down, "a daemon that echoes is told of data");
	/* It looks at its ring without being woken. */
	before.events_down = after.events_down;
	ksft_result(same("echo", &before, &after), "by no system call while both are busy");
	sleep(1);
	serve();
	after = read_counters("echo", 0);
	ksft_result(same("echo", &before, &after), "nor while %d connections are idle", nr);
	ksft_result(epoll_wait(epoll, &ev, 1, 0) == 0 && echo_round(busy), "and goes on");
}

static struct dmm_stack *open_echo(void)
{
	struct dmm_stack_config config = {
		.name = "echo", .ops = &echo_ops, .caps = DMM_CAP_STREAM | DMM_CAP_INET,
	};
	struct dmm_stack *stack;
	int ret = dmm_stack_open(&stack, &config);

	if (ret)
		error(1, -ret, "dmm_stack_open");
	queue = dmm_stack_queue(stack, 0);
	return stack;
}

int main(void)
{
	struct rlimit files = { 3 * IDLE, 3 * IDLE };
	struct dmm_stack *stack;
	pid_t daemon;
	int ms;

	ksft_header();
	af = ksft_read_number("/sys/module/dmm/parameters/af");
	if (af < 0 || access("/dev/dmm", R_OK | W_OK))
		ksft_skip_all("needs root, and dmm.ko loaded");
	if (unshare(CLONE_NEWNET) ||
	    system("ip link set lo up; dmmpolicy rule add prio 5 tcp dport 7100 stack s strict &&"
		   "dmmpolicy rule add prio 5 listen tcp sport 7100 stack s && dmmpolicy rule add prio 5 tcp dport 7200 stack echo strict"))
		ksft_skip_all("no network namespace");
	must("setrlimit", setrlimit(RLIMIT_NOFILE, &files));
	signal(SIGPIPE, SIG_IGN);
	ksft_plan(7);
	daemon = must("fork", fork());
	if (!daemon) {
		execlp("dmm-loop", "dmm-loop", "--name", "s", "--arena", "128", NULL);
		_exit(127);
	}
	for (ms = 0; ms < 60000 && system("dmmpolicy stack show | grep -q '^s@'"); ms += 50)
		usleep(50000);
	test_loop(daemon);
	stack = open_echo();
	test_echo();
	dmm_stack_close(stack);
	kill(daemon, SIGTERM);
	waitpid(daemon, NULL, 0);
	ksft_finish();
}
