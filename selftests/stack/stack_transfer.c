// SPDX-License-Identifier: GPL-2.0-only
/*
 * timeout: 600
 *
 * stack_transfer [-b BYTES] [-c CONNECTIONS] [-s SEED] [-n STACK -a ADDRESS]: bytes over the stack loop, in each direction
 * at once, in writes and reads of random sizes, blocking and by edge-triggered epoll: what arrives must be what was sent.
 * Then many connections through one daemon, each used, left idle, used again and closed. With -n the stack is another,
 * which the caller has started, with rules that send sockets to it.
 */
#include "kselftest.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <linux/dmm.h>

#define POOL	1048573		/* a prime: what is lost or doubled shows */
#define PIECE	(128 << 10)	/* largest write or read */

/* One direction of a connection, as one of its ends sees it. */
struct flow {
	const unsigned char *pool;
	unsigned long long done, all;
	unsigned int random;
};

/* What goes to the server, and to the client, repeats one of these. */
static unsigned char pools[2][POOL];
static unsigned long long bytes = 128 << 20;
static int connections = 2000;
static unsigned int seed;
static int af;
static const char *stack;	/* the caller's; NULL: ours */
static struct sockaddr_in at = {
	.sin_family = AF_INET, .sin_port = 0x581b /* 7000 */, .sin_addr = { 0x0100007f },
};

static unsigned int next_random(unsigned int *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void fill_pools(void)
{
	unsigned int state = seed * 2654435761u | 1;
	size_t i;

	for (i = 0; i < POOL; i++) {
		pools[0][i] = next_random(&state) >> 11;
		pools[1][i] = next_random(&state) >> 11;
	}
}

/* Small ones, large ones, and those in between: of each magnitude as many. */
static size_t piece(struct flow *f)
{
	size_t size = 1 + next_random(&f->random) % (1u << next_random(&f->random) % 18);
	unsigned long long left = f->all - f->done;

	if (size > POOL - f->done % POOL)
		size = POOL - f->done % POOL;
	return size < left ? size : left;
}

/* One write, or -1. */
static ssize_t put(int fd, struct flow *f, int flags)
{
	size_t size = piece(f), part = size / 3;
	unsigned char *at = (unsigned char *)f->pool + f->done % POOL;
	struct iovec iov[2] = { { at, part }, { at + part, size - part } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (next_random(&f->random) & 1)
		n = send(fd, at, size, flags);
	else
		n = sendmsg(fd, &m, flags);
	if (n > 0)
		f->done += n;
	return n;
}

/* One read, compared; -1, or 0 at the end; -2: not what was sent. */
static ssize_t get(int fd, struct flow *f, int flags)
{
	static unsigned char buf[PIECE];
	size_t size = piece(f), part = size / 2;
	struct iovec iov[2] = { { buf, part }, { buf + part, size - part } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	/* The end is read with room for what should not be there. */
	if (f->done == f->all)
		n = recv(fd, buf, 1, flags);
	else if (next_random(&f->random) & 1)
		n = recv(fd, buf, size, flags | (next_random(&f->random) & 1 ? MSG_WAITALL : 0));
	else
		n = recvmsg(fd, &m, flags);
	if (n <= 0)
		return n;
	if (f->done == f->all || memcmp(buf, f->pool + f->done % POOL, n)) {
		ksft_note("after %llu bytes: not what was sent", f->done);
		return -2;
	}
	f->done += n;
	return n;
}

static bool complain(const char *what, const struct flow *f)
{
	ksft_note("%s after %llu of %llu bytes: %s", what, f->done, f->all, strerror(errno));
	return false;
}

static bool write_all(int fd, struct flow *f)
{
	while (f->done < f->all)
		if (put(fd, f, 0) < 0)
			return complain("send", f);
	return !shutdown(fd, SHUT_WR) || complain("shutdown", f);
}

static bool read_all(int fd, struct flow *f)
{
	ssize_t n;

	while ((n = get(fd, f, 0)) > 0)
		;
	return (!n && f->done == f->all) || complain("recv", f);
}

/* Each until it would block: the edge is told once. */
static bool move(int fd, struct flow *tx, struct flow *rx, bool *shut, bool *end)
{
	ssize_t n = 1;

	while (tx->done < tx->all && (n = put(fd, tx, MSG_DONTWAIT)) > 0)
		;
	if (n < 0 && errno != EAGAIN)
		return complain("send", tx);
	if (tx->done == tx->all && !*shut) {
		*shut = true;
		if (shutdown(fd, SHUT_WR))
			return complain("shutdown", tx);
	}
	while (!*end && (n = get(fd, rx, MSG_DONTWAIT)) > 0)
		;
	if (!*end && n < 0 && (n < -1 || errno != EAGAIN))
		return complain("recv", rx);
	*end |= n == 0;
	return !*end || rx->done == rx->all || complain("end", rx);
}

static bool by_epoll(int fd, struct flow *tx, struct flow *rx)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP };
	bool shut = false, end = false;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		return complain("epoll_ctl", tx);
	while (!shut || !end) {
		if (epoll_wait(ep, &ev, 1, 60000 * ksft_time_scale()) != 1)
			return complain("epoll_wait", rx);
		if (!move(fd, tx, rx, &shut, &end))
			return false;
	}
	return true;
}

/* --- the stack --- */

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

/* Do lines about instances of the stack have this, or, with -v, any of them something else? */
static bool shows(const char *option, const char *what)
{
	char command[200];

	snprintf(command, sizeof(command), "dmmpolicy stack show %s | grep -q %s ' %s '",
		 stack ? stack : "s", option, what);
	return !system(command);
}

static bool listens(void)
{
	return shows("", "listeners 1");
}

static bool is_idle(void)
{
	return !shows("-v", "live 0");
}

static pid_t start_daemon(void)
{
	pid_t pid = fork();

	if (!pid) {
		execlp("dmm-loop", "dmm-loop", "--name", "s", NULL);
		_exit(127);
	}
	return pid;
}

static int new_listener(void)
{
	int fd = socket(af, SOCK_STREAM, DMM_PROTO_INET);

	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, 100)) {
		ksft_note("listen: %s", strerror(errno));
		return -1;
	}
	return fd;
}

static bool on_stack(int fd)
{
	char name[DMM_NAME_MAX] = "";
	socklen_t len = sizeof(name);

	return !getsockopt(fd, SOL_DMM, DMM_STACK, name, &len) && !strcmp(name, stack ? stack : "s");
}

/* A connection and its other end, both on the stack. */
static bool join(int listener, int fds[2])
{
	fds[0] = socket(af, SOCK_STREAM, DMM_PROTO_INET);
	if (connect(fds[0], (const struct sockaddr *)&at, sizeof(at))) {
		ksft_note("connect: %s", strerror(errno));
		return false;
	}
	fds[1] = accept(listener, NULL, NULL);
	return fds[1] >= 0 && on_stack(fds[0]) && on_stack(fds[1]);
}

/* --- transfers --- */

enum { CLIENT, SERVER };

/* The flow that an end sends, or receives. */
static struct flow flow_of(int end, bool tx)
{
	return (struct flow) {
		.pool = pools[end == CLIENT ? tx : !tx],
		.all = bytes,
		.random = (seed + 1) * 2246822519u + 97 * end + 31 * tx + 1,
	};
}

static bool run_blocking(int fd, int end, bool tx)
{
	struct flow f = flow_of(end, tx);

	return tx ? write_all(fd, &f) : read_all(fd, &f);
}

static bool run_epoll(int fd, int end, bool unused)
{
	struct flow tx = flow_of(end, true), rx = flow_of(end, false);

	(void)unused;
	return by_epoll(fd, &tx, &rx);
}

static void start(bool (*run)(int fd, int end, bool tx), const int fds[2], int end, bool tx)
{
	if (fork())
		return;
	close(fds[!end]);
	_exit(!run(fds[end], end, tx));
}

static bool all_ended_well(int nr)
{
	bool ok = true;
	int status;

	while (nr--)
		ok &= wait(&status) > 0 && status == 0;
	return ok;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Blocking, each direction has a process at each end; by epoll each end is one. */
static bool transfer(int listener, bool epoll)
{
	double from = now();
	int fds[2], end;
	bool ok;

	if (!join(listener, fds))
		return false;
	for (end = CLIENT; end <= SERVER; end++) {
		if (!epoll)
			start(run_blocking, fds, end, true);
		start(epoll ? run_epoll : run_blocking, fds, end, false);
	}
	close(fds[CLIENT]);
	close(fds[SERVER]);
	ok = all_ended_well(epoll ? 2 : 4);
	ksft_note("%llu bytes in each direction, %s: %.1f s", bytes, epoll ? "epoll" : "blocking",
		  now() - from);
	return ok;
}

/* --- many connections --- */

static bool echoes(const int fds[2])
{
	char c = 0;

	return send(fds[0], "x", 1, 0) == 1 && recv(fds[1], &c, 1, 0) == 1 && c == 'x' &&
	       send(fds[1], "y", 1, 0) == 1 && recv(fds[0], &c, 1, 0) == 1 && c == 'y';
}

static bool is_quiet(int ep)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, 0) == 0;
}

/* Half are closed by the client, half by the server; the other end hears of it. */
static bool closes(int fds[2], bool server)
{
	char c;
	bool ok;

	close(fds[server]);
	ok = recv(fds[!server], &c, 1, 0) == 0;
	close(fds[!server]);
	return ok;
}

static bool many(int listener)
{
	int (*fds)[2] = calloc(connections, sizeof(*fds)), ep = epoll_create1(EPOLL_CLOEXEC), i, j;
	double from = now();
	bool ok = fds && ep >= 0;

	for (i = 0; ok && i < connections; i++) {
		ok = join(listener, fds[i]) && echoes(fds[i]);
		for (j = 0; ok && j < 2; j++)
			ok = !epoll_ctl(ep, EPOLL_CTL_ADD, fds[i][j],
					&(struct epoll_event){ .events = EPOLLIN | EPOLLRDHUP });
	}
	if (!ok)
		ksft_note("connection %d: %s", i, strerror(errno));
	ok = ok && is_quiet(ep);
	for (i = 0; ok && i < connections; i++)
		ok = echoes(fds[i * 7919ll % connections]);
	ok = ok && is_quiet(ep);
	for (i = 0; ok && i < connections; i++)
		ok = closes(fds[i], i & 1);
	close(ep);
	free(fds);
	ksft_note("%d connections: %.1f s", connections, now() - from);
	return ok && wait_for(is_idle);
}

/* The stack of ours, in a namespace of its own. */
static bool start_stack(pid_t *daemon)
{
	*daemon = start_daemon();
	return !system("dmmpolicy rule add prio 5 stack s strict") && wait_for(serves);
}

static void stop_stack(pid_t daemon)
{
	kill(daemon, SIGTERM);
	waitpid(daemon, NULL, 0);
	system("dmmpolicy flush all");
}

/* Others' sockets may be there beside a stack of the caller's. */
static bool unused(void)
{
	if (stack)
		return is_idle();
	return ksft_read_number("/sys/module/dmm/refcnt") == 0;
}

static void read_options(int argc, char **argv)
{
	int opt;

	seed = time(NULL);
	while ((opt = getopt(argc, argv, "a:b:c:n:s:")) != -1) {
		switch (opt) {
		case 'a':
			if (inet_pton(AF_INET, optarg, &at.sin_addr) != 1)
				exit(2);
			break;
		case 'b':
			bytes = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			connections = atoi(optarg);
			break;
		case 'n':
			stack = optarg;
			break;
		case 's':
			seed = strtoul(optarg, NULL, 0);
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	pid_t daemon = 0;
	int listener;
	bool ok;

	read_options(argc, argv);
	ksft_header();
	af = ksft_read_number("/sys/module/dmm/parameters/af");
	if (af < 0 || access("/dev/dmm", R_OK | W_OK))
		ksft_skip_all("needs root, and dmm.ko loaded");
	if (!stack && (unshare(CLONE_NEWNET) || system("ip link set lo up")))
		ksft_skip_all("no network namespace");
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 2 * connections + 64, 2 * connections + 64 });
	bytes /= ksft_rounds_div();
	ksft_note("seed %u", seed);
	ksft_plan(5);
	fill_pools();
	ok = stack || start_stack(&daemon);
	listener = new_listener();
	ksft_result(ok && listener >= 0 && wait_for(listens), "the stack is there");
	ksft_result(transfer(listener, false), "blocking, both directions at once");
	ksft_result(transfer(listener, true), "edge-triggered, both directions at once");
	ksft_result(many(listener), "%d connections", connections);
	close(listener);
	if (!stack)
		stop_stack(daemon);
	ksft_result(wait_for(unused), "nothing is left");
	ksft_finish();
}
