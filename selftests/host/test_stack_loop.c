// SPDX-License-Identifier: GPL-2.0-only
/* dmm-loop: the cases for all stacks, and what it says of addresses and namespaces. */
#include "../stack/inprocess.h"
#include "../../stacks/loop/loop.h"

#define PATIENCE	20000

static struct inprocess p;

static struct sockaddr_in in4(const char *addr, int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, addr, &sa.sin_addr);
	return sa;
}

static struct sockaddr_in6 in6(const char *addr, int port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	inet_pton(AF_INET6, addr, &sa.sin6_addr);
	return sa;
}

static struct dmm_peer_socket *new_socket(int family, int type, uint32_t netns)
{
	struct dmm_peer_socket *s;

	if (dmm_peer_socket(p.peer, family, type, &s))
		exit(KSFT_FAIL);
	dmm_peer_set_netns(s, netns);
	return s;
}

static struct dmm_peer_socket *bound(int type, const void *sa, uint32_t netns)
{
	const struct sockaddr *a = sa;
	struct dmm_peer_socket *s = new_socket(a->sa_family, type, netns);

	dmm_peer_bind(s, a);
	if (type == SOCK_STREAM)
		dmm_peer_listen(s, 4);
	return s;
}

/* 0, or the error. */
static int connect_to(const void *sa, uint32_t netns, struct dmm_peer_socket **sp)
{
	const struct sockaddr *a = sa;
	struct dmm_peer_socket *s = new_socket(a->sa_family, SOCK_STREAM, netns);
	int error;

	dmm_peer_connect(s, a);
	dmm_peer_wait(s, POLLOUT, PATIENCE);
	error = dmm_peer_error(s);
	if (sp)
		*sp = s;
	else
		dmm_peer_close(s, true);
	return error;
}

/* Does a connect arrive at this listener? */
static bool arrives(struct dmm_peer_socket *listener, const void *sa, uint32_t netns)
{
	struct dmm_peer_socket *client, *child = NULL;
	bool got = false;

	if (!connect_to(sa, netns, &client)) {
		got = !dmm_peer_accept(listener, &child);
		if (got)
			dmm_peer_close(child, true);
	}
	dmm_peer_close(client, true);
	return got;
}

static void test_specific(void)
{
	struct sockaddr_in any = in4("0.0.0.0", 80), one = in4("127.0.0.1", 80), two = in4("127.0.0.2", 80);
	struct sockaddr_in6 dual = in6("::", 80), mapped = in6("::ffff:127.0.0.2", 80);
	struct dmm_peer_socket *d = bound(SOCK_STREAM, &dual, 0), *a, *s;

	ksft_result(arrives(d, &one, 0), "[::] takes IPv4");
	a = bound(SOCK_STREAM, &any, 0);
	ksft_result(arrives(a, &one, 0), "0.0.0.0 goes before [::]");
	s = bound(SOCK_STREAM, &mapped, 0);
	ksft_result(arrives(s, &two, 0) && arrives(a, &one, 0), "an address goes before 0.0.0.0");
	ksft_result(arrives(a, &any, 0), "0.0.0.0 as the far end is 127.0.0.1");
	dmm_peer_close(s, false);
	dmm_peer_close(a, false);
	dmm_peer_close(d, false);

	d = new_socket(AF_INET6, SOCK_STREAM, 0);
	dmm_peer_set_v6only(d, true);
	dmm_peer_bind(d, (struct sockaddr *)&dual);
	dmm_peer_listen(d, 4);
	ksft_result(connect_to(&one, 0, NULL) == ECONNREFUSED, "[::] of IPv6 only does not");
	dmm_peer_close(d, false);
}

static void test_reuseport(void)
{
	struct sockaddr_in at = in4("127.0.0.1", 81);
	struct dmm_peer_socket *l[2], *client, *child;
	int got[2] = { 0 };

	for (int i = 0; i < 2; i++)
		l[i] = bound(SOCK_STREAM, &at, 0);
	for (int i = 0; i < 64; i++) {
		connect_to(&at, 0, &client);
		for (int n = 0; n < 2; n++) {
			if (dmm_peer_accept(l[n], &child))
				continue;
			got[n]++;
			dmm_peer_close(child, true);
		}
		dmm_peer_close(client, true);
	}
	ksft_result(got[0] + got[1] == 64 && got[0] > 8 && got[1] > 8,
		    "two listeners at one address share (%d and %d)", got[0], got[1]);
	dmm_peer_close(l[0], false);
	dmm_peer_close(l[1], false);
}

/* The kernel keeps those beyond the backlog waiting until there is room. */
static void test_backlog(void)
{
	struct sockaddr_in at = in4("127.0.0.1", 82);
	struct dmm_peer_socket *l = new_socket(AF_INET, SOCK_STREAM, 0), *c[8], *child;
	int connected = 0;

	dmm_peer_bind(l, (struct sockaddr *)&at);
	dmm_peer_listen(l, 1);
	for (int i = 0; i < 8; i++) {
		c[i] = new_socket(AF_INET, SOCK_STREAM, 0);
		dmm_peer_connect(c[i], (struct sockaddr *)&at);
	}
	for (int i = 0; i < 8; i++) {
		dmm_peer_wait(l, POLLIN, PATIENCE);
		if (!dmm_peer_accept(l, &child))
			dmm_peer_close(child, false);
	}
	for (int i = 0; i < 8; i++) {
		dmm_peer_wait(c[i], POLLOUT, PATIENCE);
		connected += !dmm_peer_error(c[i]);
		dmm_peer_close(c[i], true);
	}
	ksft_result(connected == 8, "all beyond the backlog are served in the end (%d)", connected);
	dmm_peer_close(l, false);
}

static void test_netns(bool joined)
{
	struct sockaddr_in at = in4("127.0.0.1", 83);
	struct dmm_peer_socket *l = bound(SOCK_STREAM, &at, 3);

	ksft_result(arrives(l, &at, 3), "a listener in a namespace is reached from there");
	ksft_result(arrives(l, &at, 5) == joined, "and %s from a namespace that is %s",
		    joined ? "also" : "not", joined ? "joined" : "not joined");
	ksft_result(connect_to(&at, 0, NULL) == ECONNREFUSED, "and not from any other");
	dmm_peer_close(l, false);
}

static void test_local(void)
{
	struct sockaddr_in far = in4("192.0.2.1", 84), any = in4("0.0.0.0", 84);
	struct dmm_peer_socket *l = bound(SOCK_STREAM, &any, 0), *s;

	ksft_result(connect_to(&far, 0, NULL) == EHOSTUNREACH,
		    "0.0.0.0 does not take what is for another host");
	s = bound(SOCK_STREAM, &far, 0);
	ksft_result(arrives(s, &far, 0), "who listens at an address makes it local");
	dmm_peer_close(s, false);
	dmm_peer_close(l, false);
}

static bool is_bound(struct dmm_peer_socket *s)
{
	return dmm_peer_wait(s, POLLOUT, PATIENCE) & POLLOUT;
}

/* While its ring grows, a receiver loses nothing; then it does, and the sender goes on. */
static void test_burst(void)
{
	enum { BURST = 150, FLOOD = 2000 };
	struct sockaddr_in to = in4("127.0.0.1", 85), from = in4("127.0.0.1", 86);
	struct dmm_peer_socket *r = bound(SOCK_DGRAM, &to, 0), *s = bound(SOCK_DGRAM, &from, 0);
	char buf[1000] = "";
	int got = 0, sent = 0;

	is_bound(r);
	while (sent < BURST && is_bound(s))
		sent += dmm_peer_sendto(s, buf, sizeof(buf), (struct sockaddr *)&to) > 0;
	while (got < sent && dmm_peer_wait(r, POLLIN, PATIENCE) & POLLIN)
		got += dmm_peer_recv(r, buf, sizeof(buf)) > 0;
	ksft_result(sent == BURST && got == BURST, "a burst that a ring has room for arrives (%d of %d)",
		    got, sent);
	for (sent = 0; sent < FLOOD && is_bound(s);)
		sent += dmm_peer_sendto(s, buf, sizeof(buf), (struct sockaddr *)&to) > 0;
	ksft_result(sent == FLOOD, "a receiver that does not read stops nobody");
	dmm_peer_close(r, false);
	dmm_peer_close(s, false);
}

static void test_nobody(void)
{
	struct sockaddr_in to = in4("127.0.0.1", 87);
	struct dmm_peer_socket *s = new_socket(AF_INET, SOCK_DGRAM, 0);

	dmm_peer_connect(s, (struct sockaddr *)&to);
	is_bound(s);
	dmm_peer_send(s, "x", 1);
	dmm_peer_wait(s, POLLERR, PATIENCE);
	ksft_result(dmm_peer_error(s) == ECONNREFUSED, "who is connected hears that nobody is there");
	ksft_result(dmm_peer_send(s, "x", 1) == 1, "and can go on");
	dmm_peer_close(s, false);
}

/* The successor has the listeners and datagram sockets, and connections are not touched. */
static void test_takeover(struct loop *second)
{
	struct sockaddr_in at = in4("127.0.0.1", 88), dt = in4("127.0.0.1", 89);
	struct dmm_peer_socket *l = bound(SOCK_STREAM, &at, 0), *d = bound(SOCK_DGRAM, &dt, 0);
	struct dmm_peer_socket *client, *child = NULL, *s = new_socket(AF_INET, SOCK_DGRAM, 0);
	struct dmm_device device = dmm_peer_device(p.peer);
	struct dmm_stack_config config = { .ops = &loop_ops, .arg = second, .device = &device };
	struct dmm_stack *stack;
	char buf[10];
	void *result;

	is_bound(d);
	ksft_result(!connect_to(&at, 0, &client) && !dmm_peer_accept(l, &child), "connected before");
	dmm_stack_stop(p.stack);
	pthread_join(p.thread, &result);
	/* This one falls between the two. */
	dmm_peer_sendto(d, "x", 1, (struct sockaddr *)&dt);
	ksft_result(!dmm_stack_takeover(&stack, &config, -1), "taken over");
	ksft_result(dmm_stack_poll(dmm_stack_queue(p.stack, 0), 0) == -ESTALE,
		    "the predecessor is told");
	dmm_stack_close(p.stack);
	p.stack = stack;
	pthread_create(&p.thread, NULL, inprocess_thread, stack);

	ksft_result(dmm_peer_send(client, "x", 1) == 1 && dmm_peer_recv(child, buf, 10) == 1,
		    "the connection is there");
	ksft_result(arrives(l, &at, 0), "the listener is there");
	dmm_peer_wait(d, POLLIN, PATIENCE);
	ksft_result(dmm_peer_recv(d, buf, 10) == 1, "and what was sent meanwhile");
	dmm_peer_connect(s, (struct sockaddr *)&dt);
	is_bound(s);
	dmm_peer_send(s, "yz", 2);
	dmm_peer_wait(d, POLLIN, PATIENCE);
	ksft_result(dmm_peer_recv(d, buf, 10) == 2, "the datagram socket is there");
	dmm_peer_close(client, false);
	dmm_peer_close(child, false);
	dmm_peer_close(l, false);
	dmm_peer_close(d, false);
	dmm_peer_close(s, false);
}

static void start(struct loop *loop, const char *join)
{
	struct dmm_stack_config config = {
		.name = "loop",
		.ops = &loop_ops,
		.arg = loop,
		.required = DMM_FEAT_PAIR,
		.events = 64,
	};

	loop_init(loop);
	if (join)
		loop_join_parse(loop, join);
	inprocess_start(&p, &config);
}

static void test_join_option(void)
{
	static const char *const bad[] = { "", "x", "1,", ",1", "-1", "1 2", "4294967296" };
	struct loop loop;
	int wrong = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		loop_init(&loop);
		wrong += loop_join_parse(&loop, bad[i]) != -EINVAL;
	}
	ksft_result(!wrong, "lists of namespaces that are none");
}

int main(void)
{
	static struct loop first, second;

	ksft_header();
	test_join_option();
	start(&first, NULL);
	cases_run(&p.net);
	test_specific();
	test_reuseport();
	test_backlog();
	test_netns(false);
	test_local();
	test_burst();
	test_nobody();
	inprocess_end(&p);
	loop_exit(&first);

	start(&first, "3,5");
	test_netns(true);
	loop_init(&second);
	test_takeover(&second);
	inprocess_end(&p);
	loop_exit(&first);
	loop_exit(&second);
	ksft_finish();
}
