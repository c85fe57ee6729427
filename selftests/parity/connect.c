// SPDX-License-Identifier: GPL-2.0-only
/* connect() and listen(), in every order in which a program may call them. */
#include "parity.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

static const struct sockaddr unspec = { .sa_family = AF_UNSPEC };

/* connect() that may be in progress afterwards; then its outcome. */
static void connect_to(int fd, const union addr *a)
{
	if (TRY(connect(fd, &a->sa, addr_len())) < 0 && errno == EINPROGRESS) {
		wait_for(fd, POLLOUT);
		see_poll("finished", fd);
		see_error(fd);
	}
}

static void dead_port(void)
{
	union addr dead = dead_end(), alive;
	int c = client(SOCK_STREAM), l = listener();

	connect_to(c, &dead);
	see_poll("refused", c);
	see_error(c);
	see_name("refused", c);
	TRY(send(c, "x", 1, MSG_NOSIGNAL));
	TRY(recv(c, (char[1]){ }, 1, 0));
	connect_to(c, &dead);
	alive = local_addr(l);
	connect_to(c, &alive);
	echo(c, take(l));
}

/* The error is there to be fetched once, by whichever call asks first. */
static void dead_port_errors(void)
{
	union addr dead = dead_end();
	int c = client(SOCK_STREAM);

	TRY(connect(c, &dead.sa, addr_len()));
	if (run.nonblock)
		wait_for(c, POLLOUT);
	TRY(send(c, "x", 1, MSG_NOSIGNAL));
	TRY(send(c, "x", 1, MSG_NOSIGNAL));
	c = client(SOCK_STREAM);
	TRY(connect(c, &dead.sa, addr_len()));
	if (run.nonblock)
		wait_for(c, POLLOUT);
	TRY(recv(c, (char[1]){ }, 1, 0));
	TRY(recv(c, (char[1]){ }, 1, 0));
	c = client(SOCK_STREAM);
	TRY(connect(c, &dead.sa, addr_len()));
	if (run.nonblock)
		wait_for(c, POLLOUT);
	TRY(connect(c, &dead.sa, addr_len()));
	TRY(shutdown(c, SHUT_RDWR));
	see_error(c);
}

static void twice(void)
{
	int c = client(SOCK_STREAM), l = listener();
	union addr a = local_addr(l);

	connect_to(c, &a);
	TRY(connect(c, &a.sa, addr_len()));
	TRY(connect(c, &a.sa, addr_len()));
	TRY(listen(c, 1));
	TRY(accept(c, NULL, NULL));
	TRY(bind(c, &a.sa, addr_len()));
	echo(c, take(l));
	TRY(connect(c, &a.sa, addr_len()));
}

/*
 * A listener that lets a SYN wait: its queue has room for one connection, and
 * that one is there.
 */
static union addr slow_listener(int *l)
{
	*l = server(SOCK_STREAM);
	set_int(*l, SOL_SOCKET, SO_REUSEADDR, 1);
	bound(*l, 0);
	MUST(listen(*l, 0));
	dial(client(SOCK_STREAM), *l);
	return local_addr(*l);
}

/* One that has no port yet waits for room, and has it at once when there is. */
static int finish_waiting(int c, int l)
{
	MUST(accept(l, NULL, NULL));
	wait_for(c, POLLOUT);
	return MUST(accept(l, NULL, NULL));
}

/*
 * Let such a connect succeed, without waiting for the SYN to be sent again: the
 * far end connects as well, so that the two open simultaneously.
 */
static int finish(int c, int l)
{
	union addr near = local_addr(c), far = local_addr(l);
	int s = plain(SOCK_STREAM);

	if (!port_of(&near))
		return finish_waiting(c, l);
	/* Another process may have it, too. */
	shutdown(l, SHUT_RD);
	close(l);
	MUST(bind(s, &far.sa, addr_len()));
	MUST(connect(s, &near.sa, addr_len()));
	wait_for(c, POLLOUT);
	return s;
}

static void in_progress(void)
{
	int l, c = client(SOCK_STREAM);
	union addr a = slow_listener(&l);

	MUST(fcntl(c, F_SETFL, O_NONBLOCK));
	TRY(connect(c, &a.sa, addr_len()));
	see_poll("in progress", c);
	TRY(connect(c, &a.sa, addr_len()));
	see_error(c);
	TRY(send(c, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
	TRY(recv(c, (char[1]){ }, 1, MSG_DONTWAIT));
	TRY(listen(c, 1));
	TRY(connect(c, &unspec, sizeof(unspec)));
	see_poll("disconnected", c);
	l = listener();
	a = local_addr(l);
	connect_to(c, &a);
}

static void name_in_progress(void)
{
	int l, c = client(SOCK_STREAM);
	union addr a = slow_listener(&l);

	MUST(fcntl(c, F_SETFL, O_NONBLOCK));
	TRY(connect(c, &a.sa, addr_len()));
	see_name("in progress", c);
	TRY(connect(c, &unspec, sizeof(unspec)));
	see_name("disconnected", c);
}

static void in_progress_close(void)
{
	int l, c = client(SOCK_STREAM);
	union addr a = slow_listener(&l);

	MUST(fcntl(c, F_SETFL, O_NONBLOCK));
	TRY(connect(c, &a.sa, addr_len()));
	TRY(shutdown(c, SHUT_WR));
	see_poll("shut down", c);
	see_error(c);
	TRY(close(c));
}

/* A blocking connect that its timeout ends goes on, and can be waited for. */
static void timeout(void)
{
	struct timeval soon = { .tv_usec = 50000 };
	int l, c = client(SOCK_STREAM), s;
	union addr a = slow_listener(&l);

	MUST(setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)));
	TRY(connect(c, &a.sa, addr_len()));
	TRY(connect(c, &a.sa, addr_len()));
	see_poll("timed out", c);
	s = finish(c, l);
	soon.tv_usec = 0;
	MUST(setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)));
	TRY(connect(c, &a.sa, addr_len()));
	echo(c, s);
}

static int *alarms;

static void on_alarm(int sig)
{
	(void)sig;
	++*alarms;
}

/* Until they are switched off: the first one may come before the call that it is for. */
static void alarm_every_20ms(int flags)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval period = { { .tv_usec = 20000 }, { .tv_usec = 20000 } };

	if (!alarms)
		alarms = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*alarms = 0;
	MUST(sigaction(SIGALRM, &sa, NULL));
	MUST(setitimer(ITIMER_REAL, &period, NULL));
}

static void no_alarm(void)
{
	MUST(setitimer(ITIMER_REAL, &(struct itimerval){ }, NULL));
}

/* Interrupted, a connect goes on without the caller. */
static void interrupted(void)
{
	struct timeval later = { .tv_sec = 20 };
	int i;

	for (i = 0; i < 2; i++) {
		int l, c = client(SOCK_STREAM), s;
		union addr a = slow_listener(&l);

		/* A call with a timeout is not restarted. */
		if (i)
			MUST(setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &later, sizeof(later)));
		alarm_every_20ms(i ? SA_RESTART : 0);
		TRY(connect(c, &a.sa, addr_len()));
		no_alarm();
		s = finish(c, l);
		see_error(c);
		echo(c, s);
	}
}

/* Restarted, it waits for the same connection. */
static void restarted(void)
{
	int l, c = client(SOCK_STREAM), pid;
	union addr a = slow_listener(&l);

	alarm_every_20ms(SA_RESTART);
	pid = MUST(fork());
	if (!pid) {
		while (__atomic_load_n(alarms, __ATOMIC_RELAXED) < 3)
			usleep(1000);
		wait_asleep(getppid());
		finish(c, l);
		/* Keeps the far end open. */
		pause();
	}
	TRY(connect(c, &a.sa, addr_len()));
	no_alarm();
	see_poll("restarted", c);
	kill(pid, SIGKILL);
}

static void disconnect(void)
{
	int c = client(SOCK_STREAM), l = listener(), s;
	union addr a = local_addr(l);

	TRY(connect(c, &unspec, sizeof(unspec)));
	TRY(connect(c, &unspec, 1));
	see_poll("before", c);
	connect_to(c, &a);
	s = take(l);
	TRY(connect(c, &unspec, sizeof(unspec)));
	see_poll("client", c);
	see_name("client", c);
	wait_for(s, POLLIN);
	see_poll("server", s);
	TRY(recv(s, (char[1]){ }, 1, 0));
	connect_to(c, &a);
	echo(c, take(l));

	/* A bound port is kept. */
	c = bound(client(SOCK_STREAM), 0);
	connect_to(c, &a);
	TRY(connect(c, &unspec, sizeof(unspec)));
	see_name("bound", c);
}

/* From client to listener and back, on one socket. */
static void client_to_listener(void)
{
	int c = bound(client(SOCK_STREAM), 0), l = listener(), other = client(SOCK_STREAM);
	union addr a = local_addr(l), own = local_addr(c);

	connect_to(c, &a);
	TRY(connect(c, &unspec, sizeof(unspec)));
	TRY(bind(c, &own.sa, addr_len()));
	TRY(listen(c, 1));
	dial(other, c);
	echo(other, take(c));
	TRY(connect(c, &a.sa, addr_len()));
}

/* From listener to client. */
static void listener_to_client(void)
{
	int l = listener(), far = listener(), c;
	union addr a = local_addr(far), own = local_addr(l);

	TRY(connect(l, &a.sa, addr_len()));
	see_poll("listener", l);
	TRY(connect(l, &unspec, sizeof(unspec)));
	see_poll("disconnected", l);
	TRY(accept(l, NULL, NULL));
	c = client(SOCK_STREAM);
	connect_to(c, &own);
	TRY(bind(l, &own.sa, addr_len()));
	connect_to(l, &a);
	echo(l, take(far));
}

static void listen_states(void)
{
	int l = server(SOCK_STREAM), c = client(SOCK_STREAM);

	see_poll("fresh", l);
	TRY(accept(l, NULL, NULL));
	bound(l, 0);
	see_poll("bound", l);
	TRY(accept(l, NULL, NULL));
	TRY(listen(l, -1));
	see_poll("listening", l);
	TRY(listen(l, 3));
	see("SO_ACCEPTCONN %d", get_int(l, SOL_SOCKET, SO_ACCEPTCONN));
	TRY(send(l, "x", 1, MSG_NOSIGNAL));
	TRY(recv(l, (char[1]){ }, 1, 0));
	TRY(shutdown(l, SHUT_WR));
	see_poll("shut for writing", l);
	dial(c, l);
	echo(c, take(l));
	TRY(shutdown(l, SHUT_RD));
	see_poll("shut for reading", l);
	TRY(accept(l, NULL, NULL));
	TRY(listen(l, 1));
	see_poll("listening again", l);
	c = client(SOCK_STREAM);
	dial(c, l);
	echo(c, take(l));
	TRY(listen(client(SOCK_DGRAM), 1));
}

/* Simultaneous open with oneself. */
static void self(void)
{
	int c = bound(client(SOCK_STREAM), 0);
	union addr a = local_addr(c);

	connect_to(c, &a);
	see_name("self", c);
	echo(c, c);
	see_poll("self", c);
}

struct blocked {
	int fd;
	int tid;
	int ret;
	int err;
};

static void *accept_thread(void *arg)
{
	struct blocked *b = arg;

	__atomic_store_n(&b->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	b->ret = accept(b->fd, NULL, NULL);
	b->err = errno;
	return NULL;
}

static pthread_t start_blocked(struct blocked *b)
{
	pthread_t t;
	int tid;

	if (pthread_create(&t, NULL, accept_thread, b))
		give_up(__FILE__, __LINE__, "pthread_create");
	while (!(tid = __atomic_load_n(&b->tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	wait_asleep(tid);
	return t;
}

/* Not which number: what looks whether the thread sleeps needs one as well. */
static void see_blocked(pthread_t t, const struct blocked *b)
{
	pthread_join(t, NULL);
	see("accept: %s", b->ret < 0 ? strerrorname_np(b->err) : "a connection");
}

static void blocking_accept(void)
{
	struct blocked a = { .fd = listener() }, b = { .fd = a.fd };
	struct timeval soon = { .tv_usec = 30000 };
	int c = client(SOCK_STREAM), d, e;
	pthread_t t, u;

	if (run.nonblock) {
		TRY(accept(a.fd, NULL, NULL));
		return;
	}
	t = start_blocked(&a);
	dial(c, a.fd);
	see_blocked(t, &a);
	echo(c, a.ret);

	/* Two sleepers, two connections; sockets first, lest descriptors depend on who is faster. */
	d = client(SOCK_STREAM);
	e = client(SOCK_STREAM);
	a.tid = 0;
	t = start_blocked(&a);
	u = start_blocked(&b);
	dial(d, a.fd);
	dial(e, a.fd);
	pthread_join(t, NULL);
	pthread_join(u, NULL);
	see("two sleepers: %d, %d", a.ret >= 0, b.ret >= 0);
	see_poll("both taken", a.fd);

	MUST(setsockopt(a.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	TRY(accept(a.fd, NULL, NULL));
	soon.tv_usec = 0;
	MUST(setsockopt(a.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));

	/* shutdown() ends the wait. */
	a.tid = 0;
	t = start_blocked(&a);
	TRY(shutdown(a.fd, SHUT_RD));
	see_blocked(t, &a);
}

static void accept_interrupted(void)
{
	struct timeval later = { .tv_sec = 20 };
	int l = listener(), pid;

	alarm_every_20ms(0);
	TRY(accept(l, NULL, NULL));
	alarm_every_20ms(SA_RESTART);
	pid = MUST(fork());
	if (!pid) {
		while (__atomic_load_n(alarms, __ATOMIC_RELAXED) < 3)
			usleep(1000);
		wait_asleep(getppid());
		dial(client(SOCK_STREAM), l);
		_exit(0);
	}
	TRY(accept(l, NULL, NULL));
	no_alarm();
	waitpid(pid, NULL, 0);
	/* A call with a timeout is not restarted. */
	MUST(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &later, sizeof(later)));
	alarm_every_20ms(SA_RESTART);
	TRY(accept(l, NULL, NULL));
	no_alarm();
}

/* More connections than one, from one listener, with options that children inherit. */
static void inheritance(void)
{
	int l = bound(server(SOCK_STREAM), 0), c = client(SOCK_STREAM), s;
	struct linger linger = { 1, 7 };
	socklen_t len = sizeof(linger);

	set_int(l, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(l, SOL_SOCKET, SO_PRIORITY, 5);
	set_int(l, SOL_SOCKET, SO_MARK, 77);
	set_int(l, SOL_SOCKET, SO_RCVLOWAT, 3);
	MUST(setsockopt(l, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	set_int(l, IPPROTO_TCP, 1 /* TCP_NODELAY */, 1);
	set_int(l, IPPROTO_TCP, 4 /* TCP_KEEPIDLE */, 99);
	set_int(l, SOL_IP, IP_TOS, 0x10);
	MUST(listen(l, 4));
	set_int(l, SOL_SOCKET, SO_RCVBUF, 20000);
	dial(c, l);
	s = take(l);
	memset(&linger, 0, sizeof(linger));
	MUST(getsockopt(s, SOL_SOCKET, SO_LINGER, &linger, &len));
	see("keepalive %d priority %d mark %d lowat %d linger %d %d nodelay %d idle %d tos %d rcvbuf %d",
	    get_int(s, SOL_SOCKET, SO_KEEPALIVE), get_int(s, SOL_SOCKET, SO_PRIORITY),
	    get_int(s, SOL_SOCKET, SO_MARK), get_int(s, SOL_SOCKET, SO_RCVLOWAT),
	    linger.l_onoff, linger.l_linger, get_int(s, IPPROTO_TCP, 1),
	    get_int(s, IPPROTO_TCP, 4), get_int(s, SOL_IP, IP_TOS),
	    get_int(s, SOL_SOCKET, SO_RCVBUF));
}

/* Those that hold back connections, or say what a connection came to, are left out. */
static const struct child_option {
	const char *name;
	int level, opt, value;
} child_options[] = {
	{ "SO_BROADCAST", SOL_SOCKET, SO_BROADCAST, 1 },
	{ "SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE, 1 },
	{ "SO_TIMESTAMPNS", SOL_SOCKET, SO_TIMESTAMPNS, 1 },
	{ "SO_TIMESTAMPING", SOL_SOCKET, SO_TIMESTAMPING, 0xf },
	{ "SO_RXQ_OVFL", SOL_SOCKET, SO_RXQ_OVFL, 1 },
	{ "SO_BUSY_POLL", SOL_SOCKET, SO_BUSY_POLL, 33 },
	{ "SO_MAX_PACING_RATE", SOL_SOCKET, SO_MAX_PACING_RATE, 1000000 },
	{ "SO_SELECT_ERR_QUEUE", SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1 },
	{ "IP_TTL", SOL_IP, IP_TTL, 77 },
	{ "IP_RECVTTL", SOL_IP, IP_RECVTTL, 1 },
	{ "IP_RECVERR", SOL_IP, IP_RECVERR, 1 },
	{ "IP_PKTINFO", SOL_IP, IP_PKTINFO, 1 },
	{ "IP_FREEBIND", SOL_IP, IP_FREEBIND, 1 },
	{ "IP_MTU_DISCOVER", SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE },
	{ "IPV6_UNICAST_HOPS", SOL_IPV6, IPV6_UNICAST_HOPS, 99 },
	{ "IPV6_TCLASS", SOL_IPV6, IPV6_TCLASS, 0x20 },
	{ "IPV6_RECVHOPLIMIT", SOL_IPV6, IPV6_RECVHOPLIMIT, 1 },
	{ "IPV6_RECVERR", SOL_IPV6, IPV6_RECVERR, 1 },
	{ "IPV6_MTU_DISCOVER", SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE },
	{ "TCP_SYNCNT", IPPROTO_TCP, 7, 3 },
	{ "TCP_LINGER2", IPPROTO_TCP, 8, 9 },
	{ "TCP_WINDOW_CLAMP", IPPROTO_TCP, 10, 5000 },
	{ "TCP_THIN_LINEAR_TIMEOUTS", IPPROTO_TCP, 16, 1 },
	{ "TCP_USER_TIMEOUT", IPPROTO_TCP, 18, 4444 },
	{ "TCP_NOTSENT_LOWAT", IPPROTO_TCP, 25, 4096 },
	{ "TCP_INQ", IPPROTO_TCP, 36, 1 },
	{ }
};

static void set_child_option(int fd, const struct child_option *o)
{
	set_int(fd, o->level, o->opt, o->value);
}

static void see_child_option(int fd, const struct child_option *o)
{
	see("%s %d", o->name, get_int(fd, o->level, o->opt));
}

static void each_child_option(int fd, void (*fn)(int fd, const struct child_option *o))
{
	const struct child_option *o;

	for (o = child_options; o->name; o++)
		if (o->level != SOL_IPV6 || run.family == AF_INET6)
			fn(fd, o);
}

static void inherited_options(void)
{
	int l = bound(server(SOCK_STREAM), 0), c = client(SOCK_STREAM), s;
	char name[16] = "reno";
	socklen_t len = sizeof(name);

	each_child_option(l, set_child_option);
	MUST(setsockopt(l, IPPROTO_TCP, 13 /* TCP_CONGESTION */, name, 4));
	MUST(listen(l, 4));
	dial(c, l);
	s = take(l);
	each_child_option(s, see_child_option);
	MUST(getsockopt(s, IPPROTO_TCP, 13, name, &len));
	see("%.*s", (int)len, name);
}

const struct scenario connect_scenarios[] = {
	{ "connect.dead_port", dead_port, 0 },
	{ "connect.dead_port_errors", dead_port_errors, 0 },
	{ "connect.twice", twice, 0 },
	{ "connect.in_progress", in_progress, 0 },
	{ "connect.name_in_progress", name_in_progress, 0 },
	{ "connect.in_progress_close", in_progress_close, 0 },
	{ "connect.timeout", timeout, ONE_MODE },
	{ "connect.interrupted", interrupted, ONE_MODE },
	{ "connect.restarted", restarted, ONE_MODE },
	{ "connect.disconnect", disconnect, 0 },
	{ "connect.client_to_listener", client_to_listener, 0 },
	{ "connect.listener_to_client", listener_to_client, 0 },
	{ "connect.listen_states", listen_states, 0 },
	{ "connect.self", self, ONE_ROLE },
	{ "connect.blocking_accept", blocking_accept, 0 },
	{ "connect.accept_interrupted", accept_interrupted, ONE_MODE | ONE_ROLE },
	{ "connect.inheritance", inheritance, ONE_MODE },
	{ "connect.inherited_options", inherited_options, ONE_MODE },
	{ }
};
