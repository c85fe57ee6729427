// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_limits: an arena that is full, a ring of events that nobody takes, and a daemon that is stopped. Nobody hangs, each
 * call says what is the matter, and when there is room again, or the daemon goes on, all goes on.
 */
#include "kselftest.h"
#include "raw.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <netinet/tcp.h>

#define PORT	7300
#define MANY	400

struct end {
	int fd;
	struct dmm_event asked;
	struct dmm_page *page;
};

static struct end ends[MANY];

static void set_nonblock(int fd, bool on)
{
	fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0);
}

static bool join(struct raw *r, struct end *e, int type)
{
	e->fd = raw_socket(type, 300);
	set_nonblock(e->fd, true);
	if (raw_connect(e->fd, PORT) && errno != EINPROGRESS)
		return false;
	if (!raw_expect(r, type == SOCK_STREAM ? DMM_EV_CONNECT : DMM_EV_BIND, &e->asked) || raw_answer(r, &e->asked))
		return false;
	e->page = raw_page(r, e->asked.open.page);
	set_nonblock(e->fd, false);
	return raw_serves(e->fd, "raw");
}

/* Take all that an application has sent into a ring, wherever that has moved; what it was is not looked at. */
static uint32_t drain(struct end *e)
{
	uint32_t tail = e->page->tx.tail, head = __atomic_load_n(&e->page->tx.head, __ATOMIC_ACQUIRE);

	__atomic_store_n(&e->page->tx.tail, head, __ATOMIC_RELEASE);
	return head - tail;
}

/* Close all, and be the stack that answers. */
static bool close_all(struct raw *r, unsigned int nr)
{
	struct dmm_event ev;
	unsigned int i;

	for (i = 0; i < nr; i++)
		close(ends[i].fd);
	for (i = 0; i < nr; i++)
		if (!raw_expect(r, DMM_EV_CLOSE, &ev) ||
		    raw_tell(r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn }))
			return false;
	return true;
}

/* Connections until the arena has no page left; then they are refused, until one is closed. */
static bool test_pages(void)
{
	/* With page 0, which is nobody's. */
	struct dmm_register reg = raw_register("raw", 33 * DMM_PAGE_SIZE, MANY);
	struct dmm_event ev;
	unsigned int i, round;
	struct raw r;
	bool ok = !raw_open(&r, &reg);
	int fd;

	for (round = 0; ok && round < 3; round++) {
		for (i = 0; ok && i < 32; i++)
			ok = join(&r, &ends[i], SOCK_STREAM);
		fd = raw_socket(SOCK_STREAM, 300);
		ok = ok && raw_connect(fd, PORT) == -1 && errno == ENOBUFS;
		close(fd);
		fd = raw_socket(SOCK_DGRAM, 300);
		ok = ok && raw_connect(fd, PORT) == -1 && errno == ENOBUFS;
		close(fd);
		/* One goes, one comes. */
		close(ends[5].fd);
		ok = ok && raw_expect(&r, DMM_EV_CLOSE, &ev) &&
		     !raw_tell(&r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
		ok = ok && join(&r, &ends[5], SOCK_STREAM) && close_all(&r, 32);
	}
	return raw_given_back(raw_close(&r)) && ok;
}

/* Fill all rings until nothing more is taken; returns how many bytes all took. */
static unsigned long fill(unsigned int nr)
{
	static char buf[8192];
	unsigned long all = 0;
	unsigned int i;
	ssize_t n;

	for (i = 0; i < nr; i++)
		while ((n = send(ends[i].fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			all += n;
	return all;
}

/* A ring moves only when it has left the piece before: empty and fill them so often. */
#define MOVES 6

static unsigned long fill_and_drain(unsigned int nr)
{
	unsigned long all = 0;
	unsigned int i, n;

	for (n = 0; n < MOVES; n++) {
		for (i = 0; i < nr; i++)
			drain(&ends[i]);
		all = fill(nr);
	}
	return all;
}

/* Rings that grow until the arena is full: who does not get more has what it had, and more when there is. */
static bool test_growth(void)
{
	struct dmm_register reg = raw_register("raw", 256 * DMM_PAGE_SIZE, MANY);
	unsigned long first, full, alone;
	struct dmm_event ev;
	unsigned int i;
	struct raw r;
	bool ok;

	reg.sndbuf = reg.rcvbuf = 262144;
	ok = !raw_open(&r, &reg);
	for (i = 0; ok && i < 16; i++)
		ok = join(&r, &ends[i], SOCK_STREAM);
	if (!ok)
		return false;
	first = fill(16);
	full = fill_and_drain(16);
	ok &= full >= first && full < r.reg.arena_len;
	/* Each has something, and hears that it is full. */
	for (i = 0; i < 16; i++) {
		ok &= ends[i].page->tx.head - ends[i].page->tx.tail >= 1024;
		ok &= send(ends[i].fd, "x", 1, 0) == -1 && errno == EAGAIN;
		ok &= poll(&(struct pollfd){ ends[i].fd, POLLOUT, 0 }, 1, 0) == 0;
	}
	for (i = 1; i < 16; i++) {
		close(ends[i].fd);
		ok = ok && raw_expect(&r, DMM_EV_CLOSE, &ev) &&
		     !raw_tell(&r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
	}
	/* Now there is plenty, also for what comes. */
	alone = fill_and_drain(1);
	ok &= alone == reg.sndbuf;
	ok &= !raw_tell(&r, &(struct dmm_event){ .type = DMM_EV_RX_FULL, .conn = ends[0].asked.conn, .value = 100000 });
	ok &= raw_expect(&r, DMM_EV_RX_SPACE, &ev) && ends[0].page->rx.piece[1].size == 131072;
	ksft_note("at first %lu bytes, full %lu; alone %lu", first, full, alone);
	ok = ok && close_all(&r, 1);
	return raw_given_back(raw_close(&r)) && ok;
}

/*
 * Rings that do not grow: at most a 256th of what is free, so that hundreds find some in an arena with room for eight pairs
 * of the size that was asked for. Rings of datagrams have that size.
 */
static bool test_fixed(void)
{
	struct dmm_register reg = raw_register("raw", 4096 * DMM_PAGE_SIZE, MANY);
	uint32_t size = 0, before = 1 << 20, floor = 16384;
	unsigned long left;
	unsigned int nr;
	struct raw r;
	bool ok;

	reg.features = 0;
	reg.sndbuf = reg.rcvbuf = before;
	ok = !raw_open(&r, &reg) && join(&r, &ends[0], SOCK_DGRAM) && ends[0].page->tx.piece[0].size == before &&
	     ends[0].page->rx.piece[0].size == before;
	left = reg.arena_len - DMM_PAGE_SIZE - DMM_PAGE_SIZE - 2 * before;
	for (nr = 1; ok && left >= DMM_PAGE_SIZE + 2 * floor && nr < MANY; nr++) {
		ok = join(&r, &ends[nr], SOCK_STREAM);
		left -= DMM_PAGE_SIZE;
		size = ok ? ends[nr].page->tx.piece[0].size : 0;
		ok = ok && size <= before && size >= floor && (size == floor || (size <= left / 256 && size * 2 > left / 256));
		left -= size + ends[nr].page->rx.piece[0].size;
		before = size;
	}
	ksft_note("%u connections", nr - 1);
	ok = ok && nr > 300 && size == floor && ends[1].page->tx.piece[0].size > floor;
	ends[nr].fd = raw_socket(SOCK_STREAM, 300);
	ok = ok && raw_connect(ends[nr].fd, PORT) == -1 && errno == ENOBUFS;
	close(ends[nr].fd);
	ok = ok && close_all(&r, nr);
	return raw_given_back(raw_close(&r)) && ok;
}

/* Datagrams that need more than there is. */
static bool test_datagrams(void)
{
	struct dmm_register reg = raw_register("raw", 6 * DMM_PAGE_SIZE, MANY);
	static char buf[8000];
	struct dmm_event ev;
	unsigned int i;
	struct raw r;
	bool ok;

	ok = !raw_open(&r, &reg);
	for (i = 0; ok && i < 5; i++)
		ok = join(&r, &ends[i], SOCK_DGRAM);
	ok = ok && send(ends[0].fd, buf, 100, 0) == 100;
	/* This would never fit, and says so at once, blocking or not. */
	ok = ok && send(ends[0].fd, buf, 3000, 0) == -1 && errno == ENOBUFS;
	drain(&ends[0]);
	ok = ok && send(ends[0].fd, buf, 3000, 0) == -1 && errno == ENOBUFS;
	ok = ok && send(ends[0].fd, buf, 900, 0) == 900;
	/* This waits for its turn. */
	ok = ok && send(ends[0].fd, buf, 900, 0) == -1 && errno == EAGAIN;
	drain(&ends[0]);
	for (i = 1; i < 5; i++) {
		close(ends[i].fd);
		ok = ok && raw_expect(&r, DMM_EV_CLOSE, &ev) &&
		     !raw_tell(&r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
	}
	ok = ok && send(ends[0].fd, buf, 3000, 0) == 3000;
	ok = ok && close_all(&r, 1);
	return raw_given_back(raw_close(&r)) && ok;
}

/* Of several hundred connections each has something to say, and there is room for 64 events. */
static bool test_overflow(void)
{
	struct dmm_register reg = raw_register("raw", 512 * DMM_PAGE_SIZE, MANY);
	unsigned int i, told[DMM_EV_OPTION + 1] = { 0 }, sends = 0, turns = 0;
	struct dmm_event ev;
	struct raw r;
	bool ok;

	ok = !raw_open(&r, &reg);
	for (i = 0; i < MANY; i++) {
		ends[i].fd = raw_socket(SOCK_STREAM, 20000);
		set_nonblock(ends[i].fd, true);
		ok = ok && raw_connect(ends[i].fd, PORT) == -1 && errno == EINPROGRESS;
	}
	ok = ok && r.k->down_head == 64 && r.k->held_back;
	/* Each is told once, in their order. */
	for (i = 0; ok && i < MANY; i++) {
		ok = raw_expect(&r, DMM_EV_CONNECT, &ends[i].asked);
		ends[i].page = raw_page(&r, ends[i].asked.open.page);
	}
	ok = ok && raw_quiet(&r) && !raw_enter(&r, 0) && raw_quiet(&r) && !r.k->held_back;
	for (i = 0; ok && i < MANY; i++) {
		ok = !raw_answer(&r, &ends[i].asked);
		ends[i].page->tx.wants_data = 1;
	}
	/* Thousands: options, data, the end of it, again and again; what is said twice while it waits is told once. */
	for (i = 0; ok && i < 10 * MANY; i++) {
		setsockopt(ends[i % MANY].fd, IPPROTO_TCP, TCP_NODELAY, &(int){ i % 2 }, sizeof(int));
		sends += send(ends[i % MANY].fd, "x", 1, 0) == 1;
		if (i >= 9 * MANY)
			ok = !shutdown(ends[i % MANY].fd, SHUT_WR);
	}
	while (ok && turns++ < 10000) {
		if (!raw_take(&r, &ev)) {
			ok = !raw_enter(&r, 0);
			if (raw_quiet(&r))
				break;
			continue;
		}
		ok = ev.type <= DMM_EV_OPTION;
		if (ok)
			told[ev.type]++;
	}
	ksft_note("%u options, %u data, %u ends", told[DMM_EV_OPTION], told[DMM_EV_TX_DATA], told[DMM_EV_SHUTDOWN]);
	ok = ok && sends == 10 * MANY && told[DMM_EV_OPTION] >= MANY && told[DMM_EV_TX_DATA] == MANY && told[DMM_EV_SHUTDOWN] == MANY;
	for (i = 0; ok && i < MANY; i++)
		ok = ends[i].page->tx.head == 10;
	ok = ok && close_all(&r, MANY);
	return raw_given_back(raw_close(&r)) && ok;
}

/*
 * Most of what a successor has to hear of finds no room in the ring: it hears of the listener first all the same, and of
 * the end of one that it knows last.
 */
static bool test_successor(void)
{
	struct dmm_register reg = raw_register("raw", 512 * DMM_PAGE_SIZE, MANY);
	unsigned int i, nr = 0, told[DMM_EV_OPTION + 1] = { 0 }, last = 0;
	int listener = raw_socket(SOCK_STREAM, 200);
	struct dmm_takeover takeover = { 0 };
	struct dmm_event ev;
	struct raw r;
	bool ok = !raw_open(&r, &reg) && join(&r, &ends[0], SOCK_STREAM);

	for (i = 1; i <= 200; i++) {
		ends[i].fd = raw_socket(SOCK_STREAM, 20000);
		set_nonblock(ends[i].fd, true);
		ok = ok && raw_connect(ends[i].fd, PORT + 1) == -1 && errno == EINPROGRESS;
	}
	ok = ok && r.k->held_back && !raw_bind(listener, PORT) && !listen(listener, 5);
	close(ends[0].fd);
	ok = ok && !ioctl(r.fd, DMM_IOC_TAKEOVER, &takeover);
	while (ok && (raw_take(&r, &ev) || (!raw_enter(&r, 0) && raw_take(&r, &ev)))) {
		ok = ev.type <= DMM_EV_OPTION && (nr++ || ev.type == DMM_EV_LISTEN);
		if (ok)
			told[last = ev.type]++;
	}
	ksft_note("%u events, the last one is %u", nr, last);
	ok = ok && nr == 203 && told[DMM_EV_CONNECT] == 200 && told[DMM_EV_RESUME] == 1 && last == DMM_EV_CLOSE;
	for (i = 1; i <= 200; i++)
		close(ends[i].fd);
	close(listener);
	return raw_given_back(raw_close(&r)) && ok;
}

/* The instance has as many connections as it wanted: who comes next hears that, and connects when one has gone. */
static bool test_conns(void)
{
	struct dmm_register reg = raw_register("raw", 64 * DMM_PAGE_SIZE, 4);
	struct raw r;
	unsigned int i;
	int fd = raw_socket(SOCK_STREAM, 300);
	bool ok = !raw_open(&r, &reg);

	for (i = 0; ok && i < 4; i++)
		ok = join(&r, &ends[i], SOCK_STREAM);
	ok = ok && raw_connect(fd, PORT) == -1 && errno == EMFILE;
	ok = ok && close_all(&r, 4) && join(&r, &ends[0], SOCK_STREAM) && close_all(&r, 1);
	close(fd);
	return raw_given_back(raw_close(&r)) && ok;
}

/* While the daemon is stopped. */

struct pair {
	int listener, a, b;
};

static bool connected(struct pair *p)
{
	p->listener = raw_socket(SOCK_STREAM, 200);
	if (raw_bind(p->listener, PORT) || listen(p->listener, 5) ||
	    !raw_wait("dmmpolicy stack show | grep '^raw@' | grep -q ' listeners [1-9]'"))
		return false;
	p->a = raw_socket(SOCK_STREAM, 20000);
	if (raw_connect(p->a, PORT) || !raw_serves(p->a, "raw"))
		return false;
	p->b = accept(p->listener, NULL, NULL);
	return p->b >= 0;
}

static void set_timeouts(int fd, unsigned int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* Not before its time, and not so long after it that it hangs. */
static bool took(long from, long ms, const char *what)
{
	long time = raw_now() - from;

	if (time < ms - 10 || time > ms + 30000 * (long)ksft_time_scale())
		ksft_note("%s took %ld ms", what, time);
	return time >= ms - 10 && time <= ms + 30000 * (long)ksft_time_scale();
}

static bool test_stopped(void)
{
	static char buf[1 << 20];
	struct pair p = { -1, -1, -1 };
	struct linger linger = { 1, 1 };
	ssize_t n, sent = 0, back = 0;
	int late, early = -1;
	pid_t pid;
	long from;
	bool ok;

	/* Only here does it matter how long. */
	raw_run("dmmpolicy flush all && dmmpolicy rule add prio 5 stack raw strict timeout 600");
	pid = raw_start("dmm-template", "raw");
	ok = connected(&p);
	kill(pid, SIGSTOP);
	ok = ok && raw_wait("grep -q 'State:.T' /proc/%d/status", pid);
	set_timeouts(p.a, 200);
	set_timeouts(p.b, 200);

	from = raw_now();
	ok = ok && recv(p.a, buf, 1, 0) == -1 && errno == EAGAIN && took(from, 200, "recv");
	from = raw_now();
	ok = ok && poll(&(struct pollfd){ p.a, POLLIN, 0 }, 1, 100) == 0 && took(from, 100, "poll");
	/* The ring takes some, then send() waits. */
	from = raw_now();
	while (ok && (n = send(p.a, buf, sizeof(buf), 0)) > 0)
		sent += n;
	ok = ok && errno == EAGAIN && sent && took(from, 200, "send");
	from = raw_now();
	ok = ok && accept(p.listener, NULL, NULL) == -1 && errno == EAGAIN && took(from, 200, "accept");
	/* Its own timeout is shorter than that of the rule. */
	late = raw_socket(SOCK_STREAM, 200);
	set_timeouts(late, 200);
	from = raw_now();
	ok = ok && raw_connect(late, PORT) == -1 && errno == EINPROGRESS && took(from, 200, "connect");
	/* The rule's: 600 ms after it began. */
	ok = ok && poll(&(struct pollfd){ late, POLLOUT, 0 }, 1, 60000) == 1 && took(from, 600, "the rule's timeout");
	ok = ok && raw_connect(late, PORT) == -1 && errno == ETIMEDOUT;
	close(late);
	/* Nobody waits for the stack to close; SO_LINGER for its time. */
	early = raw_socket(SOCK_STREAM, 200);
	set_nonblock(early, true);
	ok = ok && raw_connect(early, PORT) == -1 && errno == EINPROGRESS;
	from = raw_now();
	close(early);
	ok = ok && took(from, 0, "close while connecting");
	setsockopt(p.b, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	ok = ok && send(p.b, "bye", 3, 0) == 3;
	from = raw_now();
	close(p.b);
	ok = ok && took(from, 1000, "close with SO_LINGER");
	early = raw_socket(SOCK_DGRAM, 200);
	from = raw_now();
	ok = ok && raw_bind(early, PORT) == -1 && errno == ETIMEDOUT && took(from, 3000, "bind");
	close(early);

	/* On it goes: what was sent before the end is there. */
	kill(pid, SIGCONT);
	set_timeouts(p.a, 20000 * ksft_time_scale());
	while (ok && (n = recv(p.a, buf, sizeof(buf), 0)) > 0)
		back += n;
	ok = ok && back == 3;
	close(p.a);
	close(p.listener);
	/* What timed out is forgotten after a second. */
	raw_run("dmmpolicy stack flush");
	ok = ok && connected(&p) && send(p.a, "x", 1, 0) == 1 && recv(p.b, buf, 1, 0) == 1;
	close(p.a);
	close(p.b);
	close(p.listener);
	raw_stop(pid);
	return ok;
}

static const struct raw_test tests[] = {
	{ "more connections than pages", test_pages },
	{ "more connections than the instance wants", test_conns },
	{ "rings that grow until the arena is full", test_growth },
	{ "rings that do not grow, in an arena that fills", test_fixed },
	{ "datagrams that find no room", test_datagrams },
	{ "more events than the ring holds", test_overflow },
	{ "and a successor that hears of all", test_successor },
	{ "a daemon that is stopped, and goes on", test_stopped },
};

int main(void)
{
	raw_begin();
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 2 * MANY, 2 * MANY });
	raw_finish(tests, sizeof(tests) / sizeof(*tests), "rule add prio 5 stack raw strict");
}
