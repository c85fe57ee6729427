// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy over the life of real sockets: tables that change under them, what they inherit, rights that a rule has
 * and its sockets have not, counters, and what is told of them.
 */
#include <arpa/inet.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dmm/policy.h>

#include "kselftest.h"

#define PATIENCE_MS	10000
#define NOBODY		65534
#define PORT		4242

static struct dmm_client *client;
static struct dmm_parser *parser;

static void __attribute__((noreturn)) give_up(const char *what)
{
	ksft_note("%s: %s", what, strerror(errno));
	exit(KSFT_FAIL);
}

/* The table. */

static int apply(void *arg, const struct dmm_change *change)
{
	uint32_t *id = arg;
	int err = dmm_begin(client, NULL);

	if (!err && change->cmd == DMM_CMD_RULE_ADD)
		err = dmm_rule_add(client, change, id);
	else if (!err)
		err = dmm_change(client, change);
	return err ? err : dmm_commit(client, NULL);
}

/* A command of the policy language; the id, if it makes a rule. */
static uint32_t policy(const char *text)
{
	uint32_t id = 0;

	if (!dmm_parse_text(parser, "test", 1, text, strlen(text), apply, &id))
		return id;
	ksft_note("%s: %s, %s", text, dmm_parser_error(parser)->msg, dmm_client_error(client)->msg);
	exit(KSFT_FAIL);
}

static void del(uint32_t id)
{
	char text[32];

	snprintf(text, sizeof(text), "rule del id %u", id);
	policy(text);
}

static void zero(uint32_t id)
{
	char text[32];

	snprintf(text, sizeof(text), "rule zero id %u", id);
	policy(text);
}

static int take_stat(void *arg, const struct dmm_object *obj)
{
	*(struct dmm_stat *)arg = *obj->stat;
	return 0;
}

static struct dmm_stat get_stat(void)
{
	struct dmm_stat stat = { 0 };

	if (dmm_get(client, DMM_CMD_STAT_GET, NULL, take_stat, &stat))
		give_up("stat");
	/* Counters lie in the answer, which is gone. */
	stat.reasons.nr = 0;
	return stat;
}

struct reasons {
	uint64_t n[DMM_REASON_MAX + 1];
};

static int take_reasons(void *arg, const struct dmm_object *obj)
{
	memcpy(arg, obj->stat->reasons.v, sizeof(struct reasons));
	return 0;
}

static struct reasons get_reasons(void)
{
	struct reasons reasons = { 0 };

	dmm_get(client, DMM_CMD_STAT_GET, NULL, take_reasons, &reasons);
	return reasons;
}

static int take_hits(void *arg, const struct dmm_object *obj)
{
	*(uint64_t *)arg = obj->rule->hits;
	return 0;
}

static uint64_t hits(uint32_t id)
{
	struct dmm_rule rule = { .has = DMM_HAS(DMM_A_RULE_ID), .id = id };
	uint64_t n = ~0ull;

	dmm_get(client, DMM_CMD_RULE_GET, &rule, take_hits, &n);
	return n;
}

/* Sockets, of 127.0.0.0/8. */

static struct sockaddr_in addr(const char *host, int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, host, &in.sin_addr);
	return in;
}

static int make(int type)
{
	int one = 1, fd = socket(dmm_af(), type, DMM_PROTO_INET);

	if (fd < 0)
		give_up("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

static int bind_to(int fd, const char *host, int port)
{
	struct sockaddr_in in = addr(host, port);

	if (bind(fd, (struct sockaddr *)&in, sizeof(in)))
		give_up("bind");
	return fd;
}

static int connect_to(int fd, const char *host, int port)
{
	struct sockaddr_in in = addr(host, port);

	return connect(fd, (struct sockaddr *)&in, sizeof(in)) ? errno : 0;
}

static int send_to(int fd, const char *host, int port, int flags)
{
	struct sockaddr_in in = addr(host, port);

	return sendto(fd, "x", 1, flags | MSG_NOSIGNAL, (struct sockaddr *)&in, sizeof(in)) < 0 ? errno : 0;
}

static int listener(void)
{
	int fd = bind_to(make(SOCK_STREAM | SOCK_NONBLOCK), "0.0.0.0", PORT);

	if (listen(fd, 16))
		give_up("listen");
	return fd;
}

/* A plain connection to the listener, from this address. It is there when the call returns. */
static int call_from(const char *host)
{
	struct linger reset = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	bind_to(fd, host, 0);
	if (connect_to(fd, "127.0.0.1", PORT))
		give_up("connect");
	return fd;
}

static bool readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, PATIENCE_MS) == 1;
}

/* Accept what @caller is; -1 if it was reset. */
static int take(int l, int caller)
{
	char c;
	int fd;

	readable(l);
	fd = accept(l, NULL, NULL);
	if (fd < 0 && errno == EAGAIN && readable(caller) && recv(caller, &c, 1, 0) < 0 && errno == ECONNRESET)
		return -1;
	if (fd < 0)
		give_up("accept");
	return fd;
}

static bool lets_in(int l, const char *host)
{
	int caller = call_from(host), fd = take(l, caller);

	close(caller);
	close(fd);
	return fd >= 0;
}

static bool undecided(int fd)
{
	struct dmm_info info;
	socklen_t len = sizeof(info);

	return !getsockopt(fd, SOL_DMM, DMM_INFO, &info, &len) && info.state == DMM_SOCK_UNDECIDED;
}

static int get_int(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	getsockopt(fd, level, name, &value, &len);
	return value;
}

static uint64_t cookie_of(int fd)
{
	unsigned long long cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

/* Tables that change. */

static void test_refused(void)
{
	int l = listener(), fd = make(SOCK_STREAM), other = bind_to(make(SOCK_STREAM), "127.0.0.1", PORT + 1);
	uint32_t id = policy("rule add connect dport 4242 reject");

	ksft_result(connect_to(fd, "127.0.0.1", PORT) == ECONNREFUSED && undecided(fd), "a refused connect decides nothing");
	ksft_result(connect_to(fd, "127.0.0.1", PORT) == ECONNREFUSED && hits(id) == 2, "another one is refused again");
	del(id);
	ksft_result(!connect_to(fd, "127.0.0.1", PORT) && !undecided(fd), "and goes when the rule has gone");
	id = policy("rule add listen sport 4243 reject");
	ksft_result(listen(other, 1) < 0 && errno == EACCES && undecided(other), "a refused listen decides nothing");
	del(id);
	ksft_result(!listen(other, 1), "and goes when the rule has gone");
	close(fd);
	close(other);
	close(l);
}

static void test_live(void)
{
	int l = listener(), caller = call_from("127.0.0.2"), fd = take(l, caller), early;
	uint32_t id;
	char c;

	ksft_result(fd >= 0, "a connection without rules");
	early = call_from("127.0.0.2");
	id = policy("rule add dst 127.0.0.2 reject");
	ksft_result(take(l, early) < 0, "accept() decides by the table of now, also about those that wait");
	ksft_result(!lets_in(l, "127.0.0.2") && lets_in(l, "127.0.0.3"), "a rule for one remote, while the server runs");
	ksft_result(send(caller, "x", 1, 0) == 1 && recv(fd, &c, 1, 0) == 1 && send(fd, "y", 1, 0) == 1 &&
		    recv(caller, &c, 1, 0) == 1 && c == 'y', "what was accepted before goes on");
	del(id);
	ksft_result(lets_in(l, "127.0.0.2"), "and without it");
	/* accept() does not return what it resets, but the one behind. */
	id = policy("rule add dst 127.0.0.2 reject");
	close(early);
	early = call_from("127.0.0.2");
	close(caller);
	caller = call_from("127.0.0.3");
	readable(l);
	close(fd);
	fd = accept(l, NULL, NULL);
	ksft_result(fd >= 0 && send(caller, "z", 1, 0) == 1 && recv(fd, &c, 1, 0) == 1 && c == 'z',
		    "accept() goes on with the next");
	del(id);
	close(early);
	close(caller);
	close(fd);
	close(l);
}

static void test_inherit(void)
{
	uint32_t own = policy("rule add prio 1 dst 127.0.0.2 stack kernel keepidle 99");
	uint32_t all = policy("rule add prio 2 listen stack kernel setmark 7 tos 0x20 keepidle 11 keepcnt 3");
	int l = listener(), caller = call_from("127.0.0.2"), fd = take(l, caller);

	ksft_result(get_int(fd, SOL_SOCKET, SO_MARK) == 7 && get_int(fd, SOL_TCP, TCP_KEEPCNT) == 3 &&
		    get_int(fd, SOL_TCP, TCP_KEEPIDLE) == 99, "a connection has its listener's options and its rule's on top");
	close(fd);
	close(caller);
	del(all);
	caller = call_from("127.0.0.3");
	fd = take(l, caller);
	ksft_result(get_int(fd, SOL_SOCKET, SO_MARK) == 7 && get_int(fd, SOL_TCP, TCP_KEEPIDLE) == 11,
		    "the listener's, whatever became of its rule");
	close(fd);
	close(caller);
	close(l);
	del(own);
}

/* Datagrams. */

static void test_dgram(void)
{
	uint32_t id = policy("rule add connect udp dst 127.0.0.2 reject");
	int fd = make(SOCK_DGRAM);

	ksft_result(send_to(fd, "127.0.0.2", PORT, 0) == ECONNREFUSED && undecided(fd), "the first send decides");
	ksft_result(!send_to(fd, "127.0.0.3", PORT, 0) && !undecided(fd), "a refused one leaves the next to decide");
	ksft_result(send_to(fd, "127.0.0.2", PORT, 0) != ECONNREFUSED || hits(id) == 1, "and then none");
	close(fd);
	fd = bind_to(make(SOCK_DGRAM), "0.0.0.0", PORT);
	ksft_result(undecided(fd) && send_to(fd, "127.0.0.2", PORT, 0) == ECONNREFUSED,
		    "a socket bound to a port everywhere is decided by its first send");
	close(fd);
	del(id);
	id = policy("rule add listen udp sport 4242 reject");
	fd = make(SOCK_DGRAM);
	ksft_result(bind(fd, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT) },
			 sizeof(struct sockaddr_in)) < 0 && errno == EACCES && undecided(fd), "a bind can be refused");
	close(fd);
	del(id);
}

/* Other ways to the same. */
static void test_ways(void)
{
	uint32_t id = policy("rule add connect dport 4242 stack kernel setmark 3");
	uint32_t no = policy("rule add connect dport 4343 reject");
	int l = listener(), fd;

	fd = make(SOCK_STREAM);
	ksft_result(send_to(fd, "127.0.0.1", PORT + 101, MSG_FASTOPEN) == ECONNREFUSED && hits(no) == 1 && undecided(fd),
		    "a send that connects is refused");
	ksft_result(!send_to(fd, "127.0.0.1", PORT, MSG_FASTOPEN) && get_int(fd, SOL_SOCKET, SO_MARK) == 3,
		    "or decided as connect is");
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, IPPROTO_DMM);
	ksft_result(connect_to(fd, "127.0.0.1", PORT + 101) == ECONNREFUSED && !connect_to(fd, "127.0.0.1", PORT) &&
		    get_int(fd, SOL_SOCKET, SO_MARK) == 3, "IPPROTO_DMM");
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ksft_result(!connect_to(fd, "127.0.0.1", PORT) && !get_int(fd, SOL_SOCKET, SO_MARK) && hits(id) == 2,
		    "sockets of others are none of its business");
	close(fd);
	close(l);
	del(id);
	del(no);
}

/* Rights. */

static int set_cc(int fd, const char *cc)
{
	return setsockopt(fd, SOL_TCP, TCP_CONGESTION, cc, strlen(cc)) ? errno : 0;
}

static bool everybody_may(const char *cc)
{
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_allowed_congestion_control", "re");
	char allowed[512] = "";

	if (!f || !fgets(allowed, sizeof(allowed), f))
		give_up("tcp_allowed_congestion_control");
	fclose(f);
	return strstr(allowed, cc);
}

/* A congestion control that only root may choose, which shows when it is loaded. */
static const char *restricted_cc(void)
{
	static const char *const candidates[] = { "vegas", "westwood", "htcp" };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const char *found = NULL;
	unsigned int i;

	for (i = 0; i < sizeof(candidates) / sizeof(candidates[0]) && !found; i++)
		if (!set_cc(fd, candidates[i]) && !everybody_may(candidates[i]))
			found = candidates[i];
	close(fd);
	return found;
}

/* In a child that is nobody: may it choose the congestion control, and what does it get? */
static int nobodys_cc(const char *cc)
{
	int plain = socket(AF_INET, SOCK_STREAM, 0), fd = make(SOCK_STREAM);
	char got[16] = "";
	socklen_t len = sizeof(got) - 1;

	if (set_cc(plain, cc) != EPERM || set_cc(fd, cc) != EPERM)
		return 1;
	if (connect_to(fd, "127.0.0.1", PORT))
		return 2;
	getsockopt(fd, SOL_TCP, TCP_CONGESTION, got, &len);
	return strcmp(got, cc) ? 3 : 0;
}

static void test_rights(void)
{
	const char *cc = restricted_cc();
	char text[64];
	int l, status;
	uint32_t id;
	pid_t pid;

	if (!cc) {
		ksft_skip("a congestion control that only root may choose", "there is none");
		return;
	}
	l = listener();
	snprintf(text, sizeof(text), "rule add connect stack kernel cc %s", cc);
	id = policy(text);
	pid = fork();
	if (!pid) {
		if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			_exit(4);
		_exit(nobodys_cc(cc));
	}
	waitpid(pid, &status, 0);
	if (!ksft_result(!status, "a rule gives nobody a congestion control that only root may choose"))
		ksft_note("%s: %d", cc, WEXITSTATUS(status));
	del(id);
	close(l);
}

/* Counters. */

static void test_counters(void)
{
	uint32_t id = policy("rule add dport 4242 stack kernel"), no = policy("rule add dport 4343 reject");
	struct reasons before = get_reasons(), after;
	struct dmm_stat was = get_stat(), is;
	int l = listener(), fd[3], i;

	for (i = 0; i < 3; i++) {
		fd[i] = make(SOCK_STREAM);
		connect_to(fd[i], "127.0.0.1", PORT + 101);
	}
	is = get_stat();
	ksft_result(is.undecided == was.undecided + 3 && is.listeners == was.listeners + 1, "sockets that wait, and listeners");
	for (i = 0; i < 3; i++)
		connect_to(fd[i], "127.0.0.1", PORT);
	for (i = 0; i < 2; i++)
		close(accept(l, NULL, NULL));
	is = get_stat();
	after = get_reasons();
	ksft_result(is.connects == was.connects + 3 && is.accepts == was.accepts + 2 && is.listens == was.listens + 1 &&
		    is.undecided == was.undecided, "sockets that were handed over");
	ksft_result(after.n[DMM_REASON_REJECTED] == before.n[DMM_REASON_REJECTED] + 3 &&
		    after.n[DMM_REASON_RULE] == before.n[DMM_REASON_RULE] + 3 &&
		    /* One listen, two accepts from ports that no rule names. */
		    after.n[DMM_REASON_DEFAULT] == before.n[DMM_REASON_DEFAULT] + 3, "decisions by reason");
	ksft_result(hits(id) == 3 && hits(no) == 3, "decisions by rule");
	policy("rule add prio 9 stack kernel");
	ksft_result(hits(id) == 3, "other changes do not matter");
	zero(id);
	ksft_result(!hits(id) && hits(no) == 3, "one of them can be set to zero");
	policy("rule zero");
	ksft_result(!hits(no), "and all");
	for (i = 0; i < 3; i++)
		close(fd[i]);
	close(l);
	is = get_stat();
	ksft_result(is.listeners == was.listeners, "none is left");
	policy("flush all");
}

/* What is told. */

struct seen {
	uint64_t cookie;
	struct dmm_decision d;
	unsigned int nr;
};

static int take_decision(void *arg, const struct dmm_object *obj)
{
	struct seen *seen = arg;

	if (obj->decision->cookie == seen->cookie) {
		seen->d = *obj->decision;
		seen->nr++;
	}
	return 0;
}

static void test_events(void)
{
	uint32_t id = policy("rule add connect dst 127.0.0.2 reject");
	struct seen seen = { 0 };
	struct dmm_client *listener;
	int fd = make(SOCK_STREAM);

	if (dmm_open(&listener) || dmm_subscribe(listener, DMM_MCGRP_DECISION))
		give_up("subscribe");
	seen.cookie = cookie_of(fd);
	connect_to(fd, "127.0.0.2", PORT);
	ksft_result(readable(dmm_client_fd(listener)) && !dmm_events(listener, take_decision, &seen) && seen.nr == 1 &&
		    seen.d.rule == id && seen.d.error == ECONNREFUSED && seen.d.reason == DMM_REASON_REJECTED &&
		    seen.d.pid == (uint32_t)getpid() && seen.d.dport == PORT, "listeners are told of a decision");
	connect_to(fd, "127.0.0.3", PORT);
	seen.nr = 0;
	ksft_result(readable(dmm_client_fd(listener)) && !dmm_events(listener, take_decision, &seen) && seen.nr == 1 &&
		    seen.d.rule == 0 && seen.d.error == 0, "and of the next one on the same socket");
	seen.nr = 0;
	dmm_dump(client, DMM_CMD_DECISION_GET, NULL, take_decision, &seen);
	ksft_result(seen.nr == 2 && seen.d.error == 0, "the log has both, in their order");
	dmm_close(listener);
	close(fd);
	del(id);
}

static int count_held(void *arg, const struct dmm_object *obj)
{
	unsigned int *held = arg;

	if (obj->decision->state <= DMM_SOCK_LISTENER)
		held[obj->decision->state]++;
	return 0;
}

/* More than one message of a dump can tell. */
static void test_held(void)
{
	struct dmm_decision req = { .has = DMM_HAS(DMM_A_DECISION_COOKIE) };
	uint32_t id = policy("rule add listen sport 4242 stack nosuch,kernel");
	unsigned int held[2] = { 0 };
	struct seen seen = { 0 };
	int fd[300], l, i;

	for (i = 0; i < 300; i++)
		fd[i] = make(i % 2 ? SOCK_STREAM : SOCK_DGRAM);
	l = listener();
	dmm_dump(client, DMM_CMD_SOCK_GET, NULL, count_held, held);
	ksft_result(held[DMM_SOCK_UNDECIDED] == 300 && held[DMM_SOCK_LISTENER] == 1, "the sockets that are held");
	req.cookie = seen.cookie = cookie_of(l);
	dmm_get(client, DMM_CMD_SOCK_GET, &req, take_decision, &seen);
	ksft_result(seen.nr == 1 && seen.d.state == DMM_SOCK_LISTENER && seen.d.sport == PORT && seen.d.rule == id &&
		    seen.d.reason == DMM_REASON_FALLBACK, "one of them, by its cookie");
	for (i = 0; i < 300; i++)
		close(fd[i]);
	close(l);
	held[0] = held[1] = 0;
	dmm_dump(client, DMM_CMD_SOCK_GET, NULL, count_held, held);
	ksft_result(!held[0] && !held[1], "none is left");
	del(id);
}

int main(void)
{
	static void (*const tests[])(void) = {
		test_refused, test_live, test_inherit, test_dgram, test_ways, test_rights, test_counters, test_events, test_held,
	};
	unsigned int i;

	ksft_header();
	if (geteuid() || unshare(CLONE_NEWNET) || system("ip link set lo up"))
		ksft_skip_all("needs root and ip");
	if (dmm_open(&client) || dmm_parser_new(&parser))
		ksft_skip_all("the module is not loaded");
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tests[i]();
	ksft_finish();
}
