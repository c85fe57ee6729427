// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_socket: what a stack is told of its sockets, and they of it, where the kernel's own TCP would say it at once:
 * options that are set without a call to the socket's operations, the outcome of a connect() that was broken before it was
 * told, a listener that found no memory, that it wants to be polled for.
 */
#include "kselftest.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dmm.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARENA	(256u << 10)
#define PORT	7300
#define BUSY_POLL	10	/* seconds: it does not end by itself */

static bool begin(struct raw *r)
{
	struct dmm_register reg = raw_register("raw", ARENA, 16);

	return !raw_open(r, &reg);
}

static bool finish(struct raw *r, int fd)
{
	close(fd);
	return raw_given_back(raw_close(r));
}

/* A socket on its way to the stack, which does not wait; -1: it cannot be. */
static int ask(struct raw *r, int type, struct dmm_event *ev)
{
	int fd = raw_socket(type, 300);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if ((raw_connect(fd, PORT) && errno != EINPROGRESS) ||
	    !raw_expect(r, type == SOCK_STREAM ? DMM_EV_CONNECT : DMM_EV_BIND, ev)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool poll_once(int fd)
{
	return poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0) >= 0;
}

static bool recv_once(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

static bool send_once(int fd)
{
	return send(fd, "x", 1, MSG_DONTWAIT) == 1;
}

/* SOL_SOCKET's: the next call tells, whichever it is, and one that changes nothing tells nothing. */
static bool options_of(int type)
{
	static bool (*const calls[])(int) = { poll_once, recv_once, send_once };
	struct dmm_event ev;
	struct dmm_page *page;
	struct raw r;
	bool ok = begin(&r);
	int fd = ask(&r, type, &ev), i;

	ok = ok && fd >= 0 && !raw_answer(&r, &ev);
	page = raw_page(&r, ev.open.page);
	for (i = 0; ok && i < 3; i++) {
		ok = !setsockopt(fd, SOL_SOCKET, SO_MARK, &(int){ 100 + i }, sizeof(int)) &&
		     !setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &(int){ i + 1 }, sizeof(int)) &&
		     !setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ !(i & 1) }, sizeof(int)) &&
		     calls[i](fd) && raw_expect(&r, DMM_EV_OPTION, &ev) && page->options.mark == 100u + i &&
		     page->options.priority == 1u + i && !!(page->options.flags & DMM_OPTF_KEEPALIVE) != (i & 1);
		if (!ok)
			ksft_note("call %d: mark %u priority %u flags %#x", i, page->options.mark, page->options.priority,
				  page->options.flags);
	}
	/* What UDP's SOL_SOCKET options say to the socket's operations is told for each. */
	while (raw_take(&r, &ev))
		;
	ok = ok && poll_once(fd) && recv_once(fd) && raw_quiet(&r);
	return finish(&r, fd) && ok;
}

static bool test_options(void)
{
	return options_of(SOCK_STREAM);
}

static bool test_options_dgram(void)
{
	return options_of(SOCK_DGRAM);
}

/* Connected, and reset, before the application asks again: connect() says so once, and the socket can try again. */
static bool test_reset(void)
{
	struct dmm_event ev, again;
	struct raw r;
	bool ok = begin(&r);
	int fd = ask(&r, SOCK_STREAM, &ev);

	ok = ok && fd >= 0 && !raw_answer(&r, &ev) &&
	     !raw_tell(&r, &(struct dmm_event){ .type = DMM_EV_ERROR, .conn = ev.conn, .value = -ECONNRESET });
	ok = ok && raw_connect(fd, PORT) && errno == ECONNRESET;
	ok = ok && raw_expect(&r, DMM_EV_CLOSE, &again) && again.conn == ev.conn;
	raw_tell(&r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
	ok = ok && raw_connect(fd, PORT) && errno == EINPROGRESS && raw_expect(&r, DMM_EV_CONNECT, &ev);
	ok = ok && !raw_answer(&r, &ev) && !raw_connect(fd, PORT) && send(fd, "x", 1, 0) == 1;
	return finish(&r, fd) && ok;
}

/* The arena is full when the application listens: the stack hears of it once there is room. */
static bool test_listener(void)
{
	struct dmm_event ev, first;
	int fds[64], nr = 0, l;
	struct raw r;
	bool ok = begin(&r);

	while (ok && nr < 64 && (fds[nr] = ask(&r, SOCK_STREAM, nr ? &ev : &first)) >= 0) {
		ok = !raw_answer(&r, &ev);
		if (!nr++)
			ok = !raw_answer(&r, &first);
	}
	ok = ok && nr > 1 && nr < 64;
	l = raw_socket(SOCK_STREAM, 300);
	ok = ok && !raw_bind(l, PORT + 1) && !listen(l, 5) && !raw_enter(&r, 0) && raw_quiet(&r);
	close(fds[0]);
	ok = ok && raw_expect(&r, DMM_EV_CLOSE, &ev) && ev.conn == first.conn &&
	     !raw_tell(&r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
	ok = ok && raw_expect(&r, DMM_EV_LISTEN, &ev);
	while (--nr > 0)
		close(fds[nr]);
	return finish(&r, l) && ok;
}

/* Does a process that listens go on only when the stack has answered? */
static bool waits_for_answer(struct raw *r)
{
	struct dmm_event ev;
	int done[2], l;
	bool ok = !pipe(done);
	pid_t pid = fork();

	if (!pid) {
		l = raw_socket(SOCK_STREAM, 300);
		_exit(raw_bind(l, PORT + 6) || listen(l, 5) || write(done[1], "x", 1) != 1);
	}
	close(done[1]);
	ok = ok && raw_expect(r, DMM_EV_LISTEN, &ev) && !poll(&(struct pollfd){ done[0], POLLIN, 0 }, 1, 20) &&
	     !raw_answer(r, &ev) && read(done[0], &(char){ 0 }, 1) == 1;
	close(done[0]);
	waitpid(pid, NULL, 0);
	raw_expect(r, DMM_EV_CLOSE, &ev);
	raw_tell(r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
	return ok;
}

/* It waits a quarter of a second for one that does not answer, and a machine may be busy for so long. */
static bool test_listen(void)
{
	bool waited = false, mute;
	struct raw r;
	bool ok = begin(&r);
	int l = raw_socket(SOCK_STREAM, 300);

	for (int i = 0; ok && !waited && i < 5; i++)
		waited = waits_for_answer(&r);
	mute = !raw_bind(l, PORT + 7) && !listen(l, 5);
	return finish(&r, l) && ok && waited && mute;
}

/* What a stack cannot do, and an application must not lose: it stays with the kernel, or fails where a rule is strict. */

static bool sign(int fd)
{
	struct tcp_md5sig sig = { .tcpm_keylen = 3, .tcpm_key = "key" };
	struct sockaddr_in *peer = (struct sockaddr_in *)&sig.tcpm_addr;

	peer->sin_family = AF_INET;
	peer->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return !setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof(sig));
}

static bool filter(int fd)
{
	struct sock_filter all[] = { { BPF_RET | BPF_K, 0, 0, 0xffffffff } };
	struct sock_fprog prog = { 1, all };

	return !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* There is no code of DMM on it: TCP answers. */
static bool handed_over(int fd)
{
	char name[DMM_NAME_MAX];

	return getsockopt(fd, SOL_DMM, DMM_STACK, name, &(socklen_t){ sizeof(name) }) == -1 && errno == EOPNOTSUPP;
}

/* Both ends ask for it, or neither; does this stack serve the connection, or the kernel's TCP if it is NULL? */
static bool connects(bool (*ask_for)(int fd), const char *stack)
{
	int l = raw_socket(SOCK_STREAM, 5000), c = raw_socket(SOCK_STREAM, 5000), s;
	bool ok = ask_for(l) && ask_for(c) && !raw_bind(l, PORT + 3) && !listen(l, 5);

	ok = ok && !raw_connect(c, PORT + 3);
	s = accept(l, NULL, NULL);
	ok = ok && (stack ? raw_serves(c, stack) : handed_over(c)) && send(c, "x", 1, 0) == 1 && recv(s, &(char){ 0 }, 1, 0) == 1;
	close(s);
	close(c);
	close(l);
	return ok;
}

static bool nothing(int fd)
{
	return fd >= 0;
}

static bool test_kernel_only(void)
{
	pid_t loop = raw_start("dmm-loop", "loop");
	int c, l;
	bool ok;

	raw_run("dmmpolicy flush all && dmmpolicy rule add prio 5 stack loop,kernel");
	ok = raw_wait("dmmpolicy stack show loop") && connects(nothing, "loop") && connects(sign, NULL) &&
	     connects(filter, NULL);
	/* A server that signs from now on, as routing daemons do for each neighbour. */
	l = raw_socket(SOCK_STREAM, 5000);
	c = raw_socket(SOCK_STREAM, 1000);
	ok = ok && !raw_bind(l, PORT + 4) && !listen(l, 5) && sign(l) && raw_connect(c, PORT + 4);
	close(c);
	close(l);
	raw_run("dmmpolicy flush all && dmmpolicy rule add prio 5 connect stack loop strict");
	c = raw_socket(SOCK_STREAM, 1000);
	ok = ok && sign(c) && raw_connect(c, PORT + 3) && errno == ECONNREFUSED;
	close(c);
	raw_stop(loop);
	return ok;
}

/**
 * struct uring - an io_uring of one request
 * @fd:		of the ring
 * @p:		as the kernel filled it in
 * @rings:	both rings, which the kernel maps as one
 * @sqe:	the request
 */
struct uring {
	int fd;
	struct io_uring_params p;
	uint8_t *rings;
	struct io_uring_sqe *sqe;
};

static uint32_t *word(struct uring *u, uint32_t at)
{
	return (uint32_t *)(u->rings + at);
}

static bool uring_open(struct uring *u)
{
	memset(u, 0, sizeof(*u));
	u->fd = syscall(SYS_io_uring_setup, 1, &u->p);
	if (u->fd < 0)
		return false;
	u->rings = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, IORING_OFF_SQ_RING);
	u->sqe = mmap(NULL, sizeof(*u->sqe), PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, IORING_OFF_SQES);
	return u->rings != MAP_FAILED && u->sqe != MAP_FAILED;
}

/* What a connect that it makes comes to. */
static int uring_connect(struct uring *u, int fd, const struct sockaddr_in *to)
{
	uint32_t head = *word(u, u->p.cq_off.head), mask = *word(u, u->p.cq_off.ring_mask);
	const struct io_uring_cqe *cqe = (void *)(u->rings + u->p.cq_off.cqes);

	*u->sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)to, .off = sizeof(*to),
	};
	*word(u, u->p.sq_off.array) = 0;
	__atomic_add_fetch(word(u, u->p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	__atomic_add_fetch(word(u, u->p.cq_off.head), 1, __ATOMIC_RELEASE);
	return cqe[head & mask].res;
}

/* The kernel's TCP wins a race against this stack, which is mute. */
static bool test_uring(void)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(PORT + 2), .sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int l = socket(AF_INET, SOCK_STREAM, 0), fd, i, res = 0;
	struct uring u;
	struct raw r;
	bool ok;

	raw_run("dmmpolicy flush all && dmmpolicy rule add prio 5 connect stack raw,kernel timeout 600000 race 20 kernel");
	ok = begin(&r) && uring_open(&u) && !raw_bind(l, PORT + 2) && !listen(l, 100);
	for (i = 0; ok && i < 50; i++) {
		fd = raw_socket(SOCK_STREAM, 20000);
		res = uring_connect(&u, fd, &to);
		ok = !res;
		close(fd);
	}
	if (res)
		ksft_note("connect %d: %s", i, strerror(-res));
	close(u.fd);
	return finish(&r, l) && ok;
}

static bool echo(int fd, int times)
{
	char c;

	while (times--)
		if (recv(fd, &c, 1, 0) != 1 || send(fd, &c, 1, 0) != 1)
			return false;
	return true;
}

static void ring(int sig)
{
	(void)sig;
}

/* A signal ends a wait for what does not come, although it is none that sleeps. */
static bool interrupted(int fd)
{
	struct sigaction act = { .sa_handler = ring };
	const struct itimerval soon = { .it_value.tv_usec = 100000 };
	time_t start = time(NULL);
	char c;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	return recv(fd, &c, 1, 0) == -1 && errno == EINTR && time(NULL) - start < BUSY_POLL / 2;
}

/* Both ends of a pair look for what comes, so that neither sleeps, and no process is woken up. */
static bool poll_busily(int s, int c)
{
	struct rusage before, after;
	int us = BUSY_POLL * 1000000;
	bool ok;
	pid_t pid;

	ok = !setsockopt(c, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof(us)) &&
	     !setsockopt(s, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof(us));
	pid = fork();
	if (!pid)
		_exit(!echo(s, 201));
	ok = ok && send(c, "x", 1, 0) == 1 && recv(c, &(char){ 0 }, 1, 0) == 1;
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; ok && i < 200; i++)
		ok = send(c, "x", 1, 0) == 1 && recv(c, &(char){ 0 }, 1, 0) == 1;
	getrusage(RUSAGE_SELF, &after);
	waitpid(pid, &us, 0);
	if (after.ru_nvcsw - before.ru_nvcsw > 20)
		ksft_note("slept %ld times", after.ru_nvcsw - before.ru_nvcsw);
	return ok && !us && after.ru_nvcsw - before.ru_nvcsw <= 20 && interrupted(c);
}

static bool test_busy_poll(void)
{
	pid_t loop = raw_start("dmm-loop", "loop");
	int l = raw_socket(SOCK_STREAM, 5000), c = raw_socket(SOCK_STREAM, 20000), s = -1;
	bool ok;

	raw_run("dmmpolicy flush all && dmmpolicy rule add prio 5 stack loop strict");
	ok = raw_wait("dmmpolicy stack show loop") && !raw_bind(l, PORT + 5) && !listen(l, 5) && !raw_connect(c, PORT + 5);
	if (ok)
		s = accept(l, NULL, NULL);
	ok = ok && s >= 0 && poll_busily(s, c);
	close(s);
	close(c);
	close(l);
	raw_stop(loop);
	return ok;
}

static const struct raw_test tests[] = {
	{ "options that the next call tells", test_options },
	{ "the same of datagrams", test_options_dgram },
	{ "a connect that is broken before it is told", test_reset },
	{ "a listener that finds no memory", test_listener },
	{ "listen() waits for the answer", test_listen },
	{ "what only the kernel's stack can do", test_kernel_only },
	{ "io_uring connects, and the kernel's TCP wins the race", test_uring },
	{ "SO_BUSY_POLL", test_busy_poll },
};

int main(void)
{
	raw_begin();
	raw_finish(tests, sizeof(tests) / sizeof(*tests), "rule add prio 5 stack raw strict");
}
