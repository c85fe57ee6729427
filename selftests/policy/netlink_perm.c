// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what, and where: capabilities, user namespaces, and network namespaces that know nothing of each other.
 */
#include "nl.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY		65534

#define PRIO(n)		U32(DMM_A_RULE_PRIO, n)
#define ZONE(name)	STR(DMM_A_ZONE_NAME, name)
#define SET(name)	STR(DMM_A_SET_NAME, name)
#define UIDS(l, h)	U32(DMM_A_RULE_UID_LO, l), U32(DMM_A_RULE_UID_HI, h)
#define GIDS(l, h)	U32(DMM_A_RULE_GID_LO, l), U32(DMM_A_RULE_GID_HI, h)

static struct dnl *nl;

#define CHILD_FAILED	128

/* Run a test in a child that may change what it is. It goes on with our count of cases, and we with its. */
static void in_child(void (*test)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		test();
		fflush(stdout);
		_exit(ksft_count | (ksft_failed ? CHILD_FAILED : 0));
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status)) {
		ksft_result(false, "a child died");
		return;
	}
	ksft_count = WEXITSTATUS(status) & ~CHILD_FAILED;
	ksft_failed += !!(WEXITSTATUS(status) & CHILD_FAILED);
}

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY) ||
	    /* For its files in /proc to be its own. */
	    prctl(PR_SET_DUMPABLE, 1))
		ksft_note("cannot become nobody: %s", strerror(errno));
}

static const struct {
	int cmd;
	const struct attr *attrs;
} changes[] = {
	{ DMM_CMD_TXN_BEGIN, NO_ATTRS },
	{ DMM_CMD_TXN_COMMIT, NO_ATTRS },
	{ DMM_CMD_TXN_ABORT, NO_ATTRS },
	{ DMM_CMD_FLUSH, NO_ATTRS },
	{ DMM_CMD_ZONE_ADD, ATTRS(ZONE("new")) },
	{ DMM_CMD_ZONE_DEL, ATTRS(ZONE("z")) },
	{ DMM_CMD_SET_ADD, ATTRS(SET("new"), PORTS(DMM_A_SET_RANGES, { 1, 1 })) },
	{ DMM_CMD_SET_DEL, ATTRS(SET("s")) },
	{ DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new")) },
	{ DMM_CMD_GROUP_SET, ATTRS(STR(DMM_A_GROUP_NAME, "new")) },
	{ DMM_CMD_GROUP_DEL, ATTRS(STR(DMM_A_GROUP_NAME, "new")) },
	{ DMM_CMD_STACK_SHARE, ATTRS(U32(DMM_A_STACK_NETNS_PID, 1)) },
	{ DMM_CMD_STACK_UNSHARE, ATTRS(U32(DMM_A_STACK_NETNS_PID, 1)) },
	{ DMM_CMD_STACK_FLUSH, NO_ATTRS },
	{ DMM_CMD_RULE_ADD, ATTRS(KERNEL) },
	{ DMM_CMD_RULE_DEL, ATTRS(PRIO(500)) },
	{ DMM_CMD_RULE_ZERO, NO_ATTRS },
	{ DMM_CMD_EXPLAIN, ATTRS(U32(DMM_A_EXPLAIN_REPEAT, 1)) },
};

static bool all_refused(struct dnl *n)
{
	bool refused = true;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		err = dnl_do(n, changes[i].cmd, changes[i].attrs);
		if (err == -EPERM)
			continue;
		ksft_note("command %d: %s", changes[i].cmd, strerror(-err));
		refused = false;
	}
	return refused;
}

static void test_nobody(void)
{
	struct dnl *mine;
	struct answer a;

	become_nobody();
	mine = dnl_open();
	ksft_result(all_refused(mine), "an ordinary user changes nothing");
	dnl_ask(mine, DMM_CMD_EXPLAIN, 0, ATTRS(U32(DMM_A_EXPLAIN_REPEAT, 1)), &a);
	ksft_result(a.err == -EPERM && !strcmp(a.text, "repeat needs CAP_NET_ADMIN") && a.attr == DMM_A_EXPLAIN_REPEAT,
		    "nor makes the kernel work");
	ksft_result(dnl_explain(mine, NO_ATTRS) && dnl_stat(mine, DMM_A_STAT_RULES) == 1 &&
		    !dnl_do(mine, DMM_CMD_ZONE_GET, ATTRS(ZONE("z"))) && !dnl_do(mine, DMM_CMD_SET_GET, ATTRS(SET("s"))) &&
		    dnl_fingerprint(mine), "but may read");
	ksft_result(all_refused(nl), "not even through a socket that root opened");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ksft_note("%s: %s", path, strerror(errno));
	close(fd);
}

/* root of a namespace of one's own, where there is nobody else. */
static bool own_namespaces(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 65534 1");
	write_file("/proc/self/gid_map", "0 65534 1");
	return true;
}

static bool limits_refused(struct dnl *n, const struct attr *attrs, const char *text)
{
	struct answer a;

	dnl_ask(n, DMM_CMD_RULE_ADD, 0, attrs, &a);
	return a.err == -EINVAL && !strcmp(a.text, text);
}

static void test_own_namespace(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY);
	struct dnl *outside, *mine;
	struct answer a;
	uint32_t id;

	become_nobody();
	outside = dnl_open();
	if (!own_namespaces()) {
		ksft_skip("one's own namespace", "user namespaces are switched off");
		return;
	}
	mine = dnl_open();
	id = dnl_rule_add(mine, ATTRS(KERNEL, UIDS(0, 0), GIDS(0, 0)));
	ksft_result(id && dnl_explain(mine, ATTRS(U32(DMM_A_EXPLAIN_UID, 0), U32(DMM_A_EXPLAIN_GID, 0))) == id,
		    "root of a namespace has a policy there");
	ksft_result(dnl_explain(mine, NO_ATTRS) == id, "and is its root for the policy");
	dnl_ask(mine, DMM_CMD_RULE_GET, 0, ATTRS(U32(DMM_A_RULE_ID, id)), &a);
	ksft_result(!a.err && !nla_get_u32(a.tb[DMM_A_RULE_UID_LO]) && !nla_get_u32(a.tb[DMM_A_RULE_GID_HI]),
		    "and in what it reads");
	ksft_result(limits_refused(mine, ATTRS(KERNEL, UIDS(0, 1)), "the uids are not mapped in the user namespace") &&
		    limits_refused(mine, ATTRS(KERNEL, GIDS(1, 1)), "the gids are not mapped in the user namespace"),
		    "users that it does not have are refused");
	ksft_result(!dnl_do(mine, DMM_CMD_EXPLAIN, ATTRS(U32(DMM_A_EXPLAIN_REPEAT, 10))), "it may measure");
	ksft_result(all_refused(outside), "but changes nothing outside");
	ksft_result(setns(home, CLONE_NEWNET) == -1, "where it cannot go");
	close(home);
}

/* The rule above as the initial namespace sees it. */
static void test_mapped(void)
{
	int up[2], down[2];
	struct answer a = { .err = -1 };
	struct dnl *there;
	char path[64];
	uint32_t id;
	pid_t pid;
	int ns;

	if (pipe(up) || pipe(down))
		return;
	pid = fork();
	if (!pid) {
		become_nobody();
		id = own_namespaces() ? dnl_rule_add(dnl_open(), ATTRS(KERNEL, UIDS(0, 0))) : 0;
		if (write(up[1], &id, sizeof(id)) != sizeof(id) || read(down[0], &id, 1) != 1)
			_exit(1);
		_exit(0);
	}
	if (read(up[0], &id, sizeof(id)) != sizeof(id) || !id) {
		ksft_skip("a rule of a namespace, seen from outside", "user namespaces are switched off");
	} else {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
		ns = open(path, O_RDONLY);
		if (!setns(ns, CLONE_NEWNET)) {
			there = dnl_open();
			dnl_ask(there, DMM_CMD_RULE_GET, 0, ATTRS(U32(DMM_A_RULE_ID, id)), &a);
		}
		ksft_result(!a.err && nla_get_u32(a.tb[DMM_A_RULE_UID_LO]) == NOBODY &&
			    nla_get_u32(a.tb[DMM_A_RULE_UID_HI]) == NOBODY, "a rule of a namespace, seen from outside");
	}
	if (write(down[1], "", 1) == 1)
		waitpid(pid, NULL, 0);
}

static void ignore(void *arg, int cmd, struct nlattr **tb)
{
	(void)arg;
	(void)cmd;
	(void)tb;
}

static void test_isolation(void)
{
	uint64_t gen = dnl_generation(nl), before = dnl_fingerprint(nl);
	struct dnl *listener = dnl_open(), *mine;

	dnl_join(listener, DMM_MCGRP_POLICY);
	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	if (unshare(CLONE_NEWNET))
		return;
	mine = dnl_open();
	ksft_result(!dnl_stat(mine, DMM_A_STAT_RULES) && !dnl_explain(mine, NO_ATTRS) &&
		    dnl_do(mine, DMM_CMD_ZONE_GET, ATTRS(ZONE("z"))) == -ENOENT, "a new namespace has nothing");
	ksft_result(!dnl_do(mine, DMM_CMD_ZONE_ADD, ATTRS(ZONE("z"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10))) &&
		    !dnl_do(mine, DMM_CMD_RULE_ADD, ATTRS(KERNEL)), "a transaction elsewhere does not concern it");
	dnl_must(mine, DMM_CMD_FLUSH, NO_ATTRS);
	ksft_result(!dnl_do(nl, DMM_CMD_TXN_ABORT, NO_ATTRS) && dnl_generation(nl) == gen && dnl_fingerprint(nl) == before,
		    "and what happens here not the other");
	ksft_result(!dnl_events(listener, 0, ignore, NULL), "which is not told of it");
	dnl_close(mine);
	dnl_close(listener);
}

/* Netlink ports are numbered in each namespace: an equal number is another socket. */
static void test_same_port(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY);
	struct dnl *twin;

	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL));
	if (unshare(CLONE_NEWNET))
		return;
	twin = dnl_open_at(dnl_port(nl));
	ksft_result(dnl_port(twin) == dnl_port(nl) && dnl_do(twin, DMM_CMD_TXN_COMMIT, NO_ATTRS) == -EINVAL,
		    "the same port in another namespace has no transaction");
	dnl_close(twin);
	ksft_result(dnl_commit(nl) != 0, "and its end ends none");

	/* Closed by somebody who is elsewhere. */
	setns(home, CLONE_NEWNET);
	twin = dnl_open();
	dnl_must(twin, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	unshare(CLONE_NEWNET);
	dnl_close(twin);
	ksft_result(!dnl_do(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS) && !dnl_do(nl, DMM_CMD_TXN_ABORT, NO_ATTRS),
		    "a socket that is closed from elsewhere ends its own");
	close(home);
}

/* All that there is, half of it in a transaction that nobody ends. */
static void fill_and_go(void)
{
	struct dnl *mine;
	uint32_t i;

	if (unshare(CLONE_NEWNET))
		_exit(1);
	mine = dnl_open();
	for (i = 0; i < 40; i++) {
		if (i == 20)
			dnl_must(mine, DMM_CMD_TXN_BEGIN, NO_ATTRS);
		if (i % 20 == 0) {
			dnl_must(mine, DMM_CMD_ZONE_ADD, ATTRS({ DMM_A_ZONE_NAME, 2, i ? "y" : "x" },
				 ADDR4(DMM_A_ZONE_PREFIXES, 8, 10 + i)));
			dnl_must(mine, DMM_CMD_SET_ADD, ATTRS({ DMM_A_SET_NAME, 2, i ? "y" : "x" },
				 PORTS(DMM_A_SET_RANGES, { 1, 1 })));
		}
		dnl_must(mine, DMM_CMD_RULE_ADD, ATTRS(KERNEL, { DMM_A_RULE_DST_ZONE, 2, i < 20 ? "x" : "y" },
			 STR(DMM_A_RULE_SPORT_SET, "x"), U32(DMM_A_RULE_PRIO, i)));
	}
	dnl_must(mine, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_PRIO, 3)));
	_exit(0);
}

static void test_namespaces_end(void)
{
	bool ended = true;
	int i, status;
	pid_t pid;

	for (i = 0; i < 50; i++) {
		pid = fork();
		if (!pid)
			fill_and_go();
		ended &= waitpid(pid, &status, 0) == pid && !status;
	}
	ksft_result(ended, "50 namespaces end with rules and an open transaction");
}

int main(void)
{
	ksft_header();
	if (geteuid() || unshare(CLONE_NEWNET))
		ksft_skip_all("needs root");
	nl = dnl_open();
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("z")));
	dnl_must(nl, DMM_CMD_SET_ADD, ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 1, 1 })));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL));
	in_child(test_nobody);
	in_child(test_own_namespace);
	in_child(test_mapped);
	in_child(test_isolation);
	in_child(test_same_port);
	test_namespaces_end();
	ksft_result(dnl_stat(nl, DMM_A_STAT_ZONES) == 1 && dnl_stat(nl, DMM_A_STAT_SETS) == 1 &&
		    dnl_stat(nl, DMM_A_STAT_RULES) == 2, "at home all is as it was left");
	ksft_finish();
}
