// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_listen: which of two stacks are asked to listen, by rules and the listener's address; what policy makes of it later, and
 * of connections.
 */
#include "kselftest.h"
#include "raw.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/dmm.h>

#define PORT	7600
#define STACKS	2

static struct raw stack[STACKS];

/* A listener, and what each stack knows of it. */
struct listener {
	int fd;
	struct dmm_event asked[STACKS];
};

static bool open_stacks(void)
{
	static const char *const names[STACKS] = { "a", "b" };
	int i, err = 0;

	for (i = 0; i < STACKS && !err; i++) {
		struct dmm_register reg = raw_register(names[i], 64 * DMM_PAGE_SIZE, 8);

		err = raw_open(&stack[i], &reg);
	}
	if (err)
		ksft_note("register: %s", strerror(-err));
	return !err;
}

static bool set_rules(const char *rules)
{
	return raw_run("dmmpolicy flush all && dmmpolicy zone add near 127.0.0.0/30 && "
		       "printf '%s' | sed 's/^/rule add /' | dmmpolicy -f -", rules);
}

static bool is_asked(struct raw *r, struct dmm_event *ev)
{
	return raw_expect(r, DMM_EV_LISTEN, ev) && !raw_answer(r, ev);
}

/* Whether they are told: all of @want, by name, and nobody else. */
static bool are_asked(struct listener *l, const char *want)
{
	bool ok = true;
	int i;

	for (i = 0; i < STACKS; i++)
		ok &= strchr(want, 'a' + i) ? is_asked(&stack[i], &l->asked[i]) : raw_quiet(&stack[i]);
	return ok;
}

static bool is_closed(struct raw *r)
{
	struct dmm_event ev;

	return raw_expect(r, DMM_EV_CLOSE, &ev) &&
	       !raw_tell(r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
}

static bool are_closed(const char *had)
{
	bool ok = true;
	int i;

	for (i = 0; i < STACKS; i++)
		ok &= !strchr(had, 'a' + i) || is_closed(&stack[i]);
	return ok;
}

/* Returns what listen() says. */
static int start(struct listener *l, const char *at)
{
	union raw_address a = raw_address(at, PORT);

	l->fd = socket(raw_af(), SOCK_STREAM | SOCK_NONBLOCK, a.sa.sa_family == AF_INET6 ? DMM_PROTO_INET6 : DMM_PROTO_INET);
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(l->fd, &a.sa, sizeof(a)))
		ksft_note("bind to %s: %s", at, strerror(errno));
	return listen(l->fd, 5) ? errno : 0;
}

static bool test_which(void)
{
	static const struct {
		const char *rules, *at, *want;
	} cases[] = {
		/* Who decides for all hides who comes behind. */
		{ "prio 1 listen stack a\nprio 2 stack b\n", "127.0.0.1", "a" },
		{ "prio 1 listen tcp stack kernel\nprio 2 listen stack b\n", "127.0.0.1", "" },
		{ "prio 1 listen sport 7600 src 127.0.0.1 stack a strict\nprio 2 stack b\n", "127.0.0.1", "a" },
		{ "prio 1 connect stack a\nprio 2 stack b\n", "127.0.0.1", "b" },
		/* Not for all: who connects, or what the socket is just now. */
		{ "prio 1 dst 192.0.2.0/24 stack a\nprio 2 stack b\n", "127.0.0.1", "ab" },
		{ "prio 1 dport 7000-8000 stack kernel\nprio 2 stack b\nprio 3 stack a\n", "127.0.0.1", "b" },
		{ "prio 1 dst 2001:db8::/32 stack a\nprio 2 stack b\n", "127.0.0.1", "b" },
		{ "prio 1 uid 0 stack a\nprio 2 stack b\n", "127.0.0.1", "ab" },
		{ "prio 1 mark 0 stack a\nprio 2 stack b\n", "127.0.0.1", "ab" },
		/* Connections of a listener at any address have one each. */
		{ "prio 1 src 127.0.0.2 stack a\nprio 2 stack b\n", "127.0.0.2", "a" },
		{ "prio 1 src 127.0.0.2 stack a\nprio 2 stack b\n", "127.0.0.3", "b" },
		{ "prio 1 src 127.0.0.2 stack a\nprio 2 stack b\n", "0.0.0.0", "ab" },
		{ "prio 1 src 127.0.0.2 stack a\nprio 2 stack b\n", "::", "ab" },
		{ "prio 1 src 2001:db8::1 stack a\nprio 2 stack b\n", "0.0.0.0", "b" },
		{ "prio 1 src zone near stack a\nprio 2 stack b\n", "0.0.0.0", "ab" },
		/* So they are not the kernel's all together. */
		{ "prio 1 src 127.0.0.2 stack a\nprio 2 stack kernel strict\n", "0.0.0.0", "a" },
		{ "prio 1 src zone near stack a\nprio 2 stack kernel strict\n", "::", "a" },
		{ "prio 1 src 127.0.0.2 stack a\nprio 2 stack kernel strict\n", "127.0.0.3", "" },
		/* And those of [::] their family. */
		{ "prio 1 inet stack a\nprio 2 stack b\n", "0.0.0.0", "a" },
		{ "prio 1 inet stack a\n", "::", "a" },
		{ "prio 1 inet6 stack a\nprio 2 stack b\n", "::", "ab" },
		{ "prio 1 inet6 stack a\nprio 2 stack b\n", "::1", "a" },
		{ "prio 1 stack a\nprio 2 stack b\n", "::", "a" },
	};
	struct listener l;
	bool ok, all = open_stacks();
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ok = set_rules(cases[i].rules);
		ok &= !start(&l, cases[i].at) && are_asked(&l, cases[i].want);
		close(l.fd);
		ok &= are_closed(cases[i].want);
		if (!ok)
			ksft_note("at %s not \"%s\": %s", cases[i].at, cases[i].want, cases[i].rules);
		all &= ok;
	}
	return all;
}

/* A refusal is for all of a listener, or for each of its connections. */
static bool test_refused(void)
{
	static const struct {
		const char *at, *want;
		int err;
	} cases[] = {
		{ "127.0.0.2", "a", 0 }, { "127.0.0.3", "", EACCES }, { "0.0.0.0", "a", 0 }, { "::", "a", 0 }, { "::1", "", EACCES },
	};
	bool ok = set_rules("prio 1 src 127.0.0.2 stack a\nprio 2 listen reject\n");
	struct listener l;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases) && ok; i++) {
		ok = start(&l, cases[i].at) == cases[i].err && are_asked(&l, cases[i].want);
		close(l.fd);
		ok = ok && are_closed(cases[i].want);
		if (!ok)
			ksft_note("at %s", cases[i].at);
	}
	return ok;
}

static bool test_later(void)
{
	struct listener l;
	bool ok = set_rules("prio 2 stack a\n");

	ok = ok && !start(&l, "127.0.0.1") && are_asked(&l, "a");
	/* Before the other, and away again. */
	ok = ok && raw_run("dmmpolicy rule add prio 1 listen stack b") && is_asked(&stack[1], &l.asked[1]) && is_closed(&stack[0]);
	ok = ok && raw_run("dmmpolicy rule del prio 1") && is_asked(&stack[0], &l.asked[0]) && is_closed(&stack[1]);
	/* And one that lets both. */
	ok = ok && raw_run("dmmpolicy rule add prio 1 listen dst 127.0.0.9 stack b") && is_asked(&stack[1], &l.asked[1]);
	ok = ok && raw_quiet(&stack[0]);
	close(l.fd);
	return ok && are_closed("ab");
}

/* A connection to this address of ours comes in: what accept() says. */
static int comes_in(struct raw *r, const struct dmm_event *listener, int fd, const char *at)
{
	struct dmm_event ev = {
		.type = DMM_EV_INCOMING, .conn = listener->conn,
		.open = { .family = AF_INET, .type = SOCK_STREAM, .lport = htons(PORT), .rport = htons(1), .token = 1 },
	};
	int s, err;

	ev.open.local[10] = ev.open.local[11] = ev.open.remote[10] = ev.open.remote[11] = 0xff;
	inet_pton(AF_INET, at, ev.open.local + 12);
	inet_pton(AF_INET, "127.0.0.9", ev.open.remote + 12);
	if (raw_tell(r, &ev) || !raw_expect(r, DMM_EV_ACCEPT, &ev))
		return -1;
	s = accept(fd, NULL, NULL);
	err = s < 0 ? errno : 0;
	if (!err && !raw_serves(s, r->reg.name))
		err = -1;
	close(s);
	return is_closed(r) ? err : -1;
}

static bool test_connections(void)
{
	struct listener l;
	bool ok = set_rules("prio 1 src 127.0.0.2 stack a strict\nprio 2 stack b\n");

	ok = ok && !start(&l, "0.0.0.0") && are_asked(&l, "ab");
	ok = ok && !comes_in(&stack[0], &l.asked[0], l.fd, "127.0.0.2");
	ok = ok && comes_in(&stack[0], &l.asked[0], l.fd, "127.0.0.3") == EAGAIN;
	ok = ok && !comes_in(&stack[1], &l.asked[1], l.fd, "127.0.0.3");
	ok = ok && comes_in(&stack[1], &l.asked[1], l.fd, "127.0.0.2") == EAGAIN;
	close(l.fd);
	ok = ok && are_closed("ab");
	ok &= raw_given_back(raw_close(&stack[0]));
	return raw_given_back(raw_close(&stack[1])) && ok;
}

int main(void)
{
	static const struct raw_test tests[] = {
		{ "who is asked", test_which },
		{ "some are refused", test_refused },
		{ "rules that come and go", test_later },
		{ "connections to addresses of which one stack has one", test_connections },
	};

	raw_begin();
	raw_finish(tests, sizeof(tests) / sizeof(*tests), NULL);
}
