// SPDX-License-Identifier: GPL-2.0-only
/* poll(), select() and epoll in all its modes, registered before the decision too. */
#include "parity.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define ALL_EVENTS	(EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP)

static void states(void)
{
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM), s;
	struct linger abort = { 1, 0 };

	see_poll("fresh client", c);
	see_poll("fresh server", l);
	bound(l, 0);
	see_poll("bound", l);
	MUST(listen(l, 2));
	see_poll("listening", l);
	dial(c, l);
	wait_for(l, POLLIN);
	see_poll("connected", c);
	see_poll("waiting", l);
	s = take(l);
	see_poll("accepted", s);
	see_poll("taken", l);
	put(c, "data");
	wait_bytes(s, 4);
	see_poll("data", s);
	get(s, 4);
	see_poll("no data", s);
	MUST(shutdown(c, SHUT_WR));
	wait_for(s, POLLRDHUP);
	see_poll("half closed, peer", s);
	see_poll("half closed, own", c);
	MUST(shutdown(s, SHUT_WR));
	wait_for(c, POLLHUP);
	see_poll("closed, peer", s);
	see_poll("closed, own", c);

	c = client(SOCK_STREAM);
	dial(c, l);
	s = take(l);
	MUST(setsockopt(s, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)));
	close(s);
	wait_for(c, POLLHUP);
	see_poll("reset", c);
	see_error(c);
	see_poll("error fetched", c);
}

/* What a full send buffer looks like, and when it is writable again. */
static void full(void)
{
	struct pair p = pair();
	char buf[16384] = "";
	size_t sent = 0, got = 0;
	ssize_t n;

	set_int(p.c, SOL_SOCKET, SO_SNDBUF, 16384);
	set_int(p.s, SOL_SOCKET, SO_RCVBUF, 16384);
	while ((n = send(p.c, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		sent += n;
	see("full: %s", strerrorname_np(errno));
	see_poll("full", p.c);
	while (got < sent) {
		wait_for(p.s, POLLIN);
		n = MUST(recv(p.s, buf, sizeof(buf), MSG_DONTWAIT));
		got += n;
	}
	wait_unsent(p.c);
	wait_for(p.c, POLLOUT);
	see_poll("drained", p.c);
}

static int watch(int ep, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

static void see_epoll(const char *when, int ep)
{
	struct epoll_event ev[8];
	int n = MUST(epoll_wait(ep, ev, ARRAY_SIZE(ev), 0)), i;

	see("%s: %d events", when, n);
	for (i = 0; i < n; i++)
		see("  fd %d %s", ev[i].data.fd, show_events(ev[i].events));
}

/* The life of a connection, seen through registrations that are older than it. */
static void epoll_life(uint32_t mode)
{
	int ep = MUST(epoll_create1(0)), c = client(SOCK_STREAM), l = server(SOCK_STREAM), s;
	int es = MUST(epoll_create1(0)), el = MUST(epoll_create1(0));
	struct epoll_event ev = { .events = ALL_EVENTS | mode, .data.fd = c };

	TRY(watch(ep, c, ALL_EVENTS | mode));
	TRY(watch(el, l, ALL_EVENTS | mode));
	see_epoll("fresh client", ep);
	see_epoll("fresh client again", ep);
	see_epoll("fresh listener", el);
	bound(l, 0);
	MUST(listen(l, 4));
	see_epoll("listening", el);
	if (mode & EPOLLONESHOT) {
		TRY(epoll_ctl(ep, EPOLL_CTL_MOD, c, &ev));
		ev.data.fd = l;
		TRY(epoll_ctl(el, EPOLL_CTL_MOD, l, &ev));
		ev.data.fd = c;
	}
	dial(c, l);
	wait_for(l, POLLIN);
	see_epoll("connected", ep);
	see_epoll("connected again", ep);
	see_epoll("waiting", el);
	see_epoll("waiting again", el);
	s = take(l);
	see_epoll("taken", el);
	TRY(watch(es, s, ALL_EVENTS | mode));
	see_epoll("accepted", es);
	put(s, "data");
	wait_bytes(c, 4);
	see_epoll("data", ep);
	if (mode & EPOLLONESHOT)
		TRY(epoll_ctl(ep, EPOLL_CTL_MOD, c, &ev));
	see_epoll("data, armed", ep);
	get(c, 2);
	see_epoll("half read", ep);
	get(c, 2);
	see_epoll("read", ep);
	put(s, "more");
	wait_bytes(c, 4);
	see_epoll("more", ep);
	MUST(shutdown(s, SHUT_WR));
	wait_for(c, POLLRDHUP);
	see_epoll("half closed", ep);
	close(s);
	MUST(shutdown(c, SHUT_WR));
	see_epoll("shut down", ep);
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, c, NULL));
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, c, NULL));
}

static void epoll_level(void)
{
	epoll_life(0);
}

static void epoll_edge(void)
{
	epoll_life(EPOLLET);
}

static void epoll_oneshot(void)
{
	epoll_life(EPOLLONESHOT);
}

static void epoll_edge_oneshot(void)
{
	epoll_life(EPOLLET | EPOLLONESHOT);
}

/* A connect that fails, seen from before. */
static void epoll_refused(void)
{
	static const uint32_t modes[] = { 0, EPOLLET, EPOLLONESHOT };
	union addr dead = dead_end();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		int ep = MUST(epoll_create1(0)), c = client(SOCK_STREAM);

		TRY(watch(ep, c, ALL_EVENTS | modes[i]));
		see_epoll("fresh", ep);
		if (modes[i] & EPOLLONESHOT) {
			struct epoll_event ev = { .events = ALL_EVENTS | modes[i], .data.fd = c };

			TRY(epoll_ctl(ep, EPOLL_CTL_MOD, c, &ev));
		}
		TRY(connect(c, &dead.sa, addr_len()));
		wait_for(c, POLLHUP);
		see_epoll("refused", ep);
		see_epoll("refused again", ep);
		see_error(c);
		see_epoll("fetched", ep);
	}
}

static void epoll_misuse(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = MUST(epoll_create1(0)), c = client(SOCK_STREAM);

	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev));
	ev.events = EPOLLIN | EPOLLEXCLUSIVE;
	TRY(epoll_ctl(ep, EPOLL_CTL_MOD, c, &ev));
	/* A closed descriptor disappears from the set. */
	close(c);
	see_epoll("closed", ep);
	ev.events = EPOLLIN | EPOLLOUT;
	ev.data.fd = c = client(SOCK_STREAM);
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev));
	/* One that has a duplicate does not. */
	TRY(dup(c));
	close(c);
	see_epoll("duplicate", ep);
}

/* An epoll set in an epoll set, and one in poll(). */
static void epoll_nested(void)
{
	int outer = MUST(epoll_create1(0)), inner = MUST(epoll_create1(0));
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM);

	TRY(watch(inner, l, EPOLLIN | EPOLLET));
	TRY(watch(inner, c, EPOLLIN | EPOLLET));
	TRY(watch(outer, inner, EPOLLIN));
	see_epoll("fresh", inner);
	bound(l, 0);
	MUST(listen(l, 1));
	see_epoll("nothing", outer);
	dial(c, l);
	wait_for(l, POLLIN);
	see_poll("inner", inner);
	see_epoll("outer", outer);
	see_epoll("inner", inner);
	put(take(l), "x");
	wait_bytes(c, 1);
	see_epoll("outer", outer);
	see_epoll("inner", inner);
}

struct waiter {
	int ep;
	int tid;
	int n;
	bool finished;
};

static void *epoll_thread(void *arg)
{
	struct waiter *w = arg;
	struct epoll_event ev;

	__atomic_store_n(&w->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	w->n = epoll_wait(w->ep, &ev, 1, -1);
	__atomic_store_n(&w->finished, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Two sleepers, each on its own set: one connection wakes one of them. */
static void epoll_exclusive(void)
{
	int l = server(SOCK_STREAM), woken = 0, i, s;
	struct waiter w[2] = { };
	pthread_t t[2];

	for (i = 0; i < 2; i++) {
		w[i].ep = MUST(epoll_create1(0));
		TRY(watch(w[i].ep, l, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET));
	}
	TRY(watch(w[0].ep, client(SOCK_STREAM), EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
	TRY(watch(w[0].ep, client(SOCK_STREAM), EPOLLPRI | EPOLLEXCLUSIVE));
	bound(l, 0);
	MUST(listen(l, 4));
	for (i = 0; i < 2; i++) {
		see_epoll("before", w[i].ep);
		if (pthread_create(&t[i], NULL, epoll_thread, &w[i]))
			give_up(__FILE__, __LINE__, "pthread_create");
		while (!__atomic_load_n(&w[i].tid, __ATOMIC_ACQUIRE))
			sched_yield();
		wait_asleep(w[i].tid);
	}
	dial(client(SOCK_STREAM), l);
	while (!__atomic_load_n(&w[0].finished, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&w[1].finished, __ATOMIC_ACQUIRE))
		usleep(1000);
	s = take(l);
	for (i = 0; i < 2; i++)
		woken += __atomic_load_n(&w[i].finished, __ATOMIC_ACQUIRE);
	see("woken %d", woken);
	dial(client(SOCK_STREAM), l);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	see("woken %d %d", w[0].n, w[1].n);
	close(s);
}

struct poller {
	int fd;
	int tid;
	int ret;
	short revents;
};

static void *poll_thread(void *arg)
{
	struct poller *w = arg;
	struct pollfd p = { .fd = w->fd, .events = POLLIN };

	__atomic_store_n(&w->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	w->ret = poll(&p, 1, 10000);
	w->revents = p.revents;
	return NULL;
}

static pthread_t start_poller(struct poller *w)
{
	pthread_t t;

	if (pthread_create(&t, NULL, poll_thread, w))
		give_up(__FILE__, __LINE__, "pthread_create");
	while (!__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	wait_asleep(w->tid);
	return t;
}

/* A sleeper in poll() since before the connection is there. */
static void sleepers(void)
{
	struct poller on_l = { .fd = listener() }, on_c = { .fd = client(SOCK_STREAM) };
	pthread_t t = start_poller(&on_l);
	int s;

	dial(on_c.fd, on_l.fd);
	pthread_join(t, NULL);
	see("listener: %d %s", on_l.ret, show_events(on_l.revents));
	s = take(on_l.fd);
	t = start_poller(&on_c);
	put(s, "x");
	pthread_join(t, NULL);
	see("client: %d %s", on_c.ret, show_events(on_c.revents));
}

static void dgram(void)
{
	int ep = MUST(epoll_create1(0)), c = client(SOCK_DGRAM), s = server(SOCK_DGRAM);
	union addr a;

	see_poll("fresh", c);
	TRY(watch(ep, c, ALL_EVENTS | EPOLLET));
	TRY(watch(ep, s, ALL_EVENTS | EPOLLET));
	see_epoll("fresh", ep);
	bound(s, 0);
	a = local_addr(s);
	MUST(connect(c, &a.sa, addr_len()));
	see_epoll("connected", ep);
	see_poll("connected", c);
	put(c, "x");
	wait_for(s, POLLIN);
	see_epoll("data", ep);
	see_poll("data", s);
	get(s, 1);
	a = local_addr(c);
	MUST(connect(s, &a.sa, addr_len()));
	put(s, "yy");
	wait_for(c, POLLIN);
	see_epoll("reply", ep);
	MUST(shutdown(c, SHUT_RDWR));
	see_epoll("shut down", ep);
	see_poll("shut down", c);
	close(s);
	c = client(SOCK_DGRAM);
	a = dead_end();
	MUST(connect(c, &a.sa, addr_len()));
	put(c, "x");
	wait_for(c, POLLERR);
	see_poll("refused", c);
	see_error(c);
}

const struct scenario poll_scenarios[] = {
	{ "poll.states", states, 0 },
	{ "poll.full", full, ONE_MODE },
	{ "poll.sleepers", sleepers, 0 },
	{ "poll.dgram", dgram, DGRAM },
	{ "epoll.level", epoll_level, 0 },
	{ "epoll.edge", epoll_edge, 0 },
	{ "epoll.oneshot", epoll_oneshot, 0 },
	{ "epoll.edge_oneshot", epoll_edge_oneshot, 0 },
	{ "epoll.refused", epoll_refused, 0 },
	{ "epoll.misuse", epoll_misuse, ONE_ROLE | ONE_MODE },
	{ "epoll.nested", epoll_nested, 0 },
	{ "epoll.exclusive", epoll_exclusive, ONE_MODE },
	{ }
};
