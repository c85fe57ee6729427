// SPDX-License-Identifier: GPL-2.0-only
/* Requests to the policy table. What can fail is the sending: the kernel answers before it returns. */
#include "faults.h"

#include <netlink/genl/genl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sched.h>
#include <unistd.h>

#define ZONE(name)	STR(DMM_A_ZONE_NAME, name)
#define SET(name)	STR(DMM_A_SET_NAME, name)
#define PRIO(n)		U32(DMM_A_RULE_PRIO, n)

static struct dnl *listener;

void fill_table(void)
{
	if (!listener) {
		listener = dnl_open();
		dnl_join(listener, DMM_MCGRP_POLICY);
		dnl_join(listener, DMM_MCGRP_DECISION);
	}
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("near"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("spare"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 11)));
	dnl_must(nl, DMM_CMD_SET_ADD, ATTRS(SET("web"), PORTS(DMM_A_SET_RANGES, { 80, 80 }, { 443, 443 })));
	dnl_must(nl, DMM_CMD_SET_ADD, ATTRS(SET("spare"), PORTS(DMM_A_SET_RANGES, { 1, 9 })));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(10), STR(DMM_A_RULE_DST_ZONE, "near"), STR(DMM_A_RULE_DPORT_SET, "web")));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(20), ADDR4(DMM_A_RULE_SRC, 24, 192, 0, 2)));
	/* What the sockets of this test are decided by. */
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(30), U32(DMM_A_RULE_SET_MARK, 7), U8(DMM_A_RULE_SET_TOS, 16)));
}

static void forget_events(void)
{
	char buf[4096];

	/* ENOBUFS says that some are lost, as they may be. */
	while (recv(listener->fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
}

static void refill(void)
{
	dnl_do(nl, DMM_CMD_TXN_ABORT, NO_ATTRS);
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
	fill_table();
	forget_events();
}

/* What the kernel says to the request of this number. */
static int read_answer(struct dnl *from, uint32_t seq)
{
	static char buf[64 << 10] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;
	int rem;

	while ((rem = recv(from->fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0) {
		for (nlh = (void *)buf; nlmsg_ok(nlh, rem); nlh = nlmsg_next(nlh, &rem)) {
			if (nlh->nlmsg_seq != seq)
				continue;
			if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
				return *(int *)nlmsg_data(nlh);
		}
	}
	/* ENOBUFS now, or EAGAIN if the error was that of a dump that could not go on. */
	answer_lost = true;
	return -errno;
}

int request(struct dnl *to, int cmd, int flags, const struct attr *attrs)
{
	struct nl_msg *msg = dnl_message(to, cmd, flags, attrs);
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	int ret, err;

	nlh->nlmsg_seq = to->seq++;
	/* Of several bits, one of which means another thing elsewhere. */
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		nlh->nlmsg_flags |= NLM_F_ACK;
	fault_begin();
	ret = send(to->fd, nlh, nlh->nlmsg_len, 0);
	err = errno;
	fault_end();
	ret = ret < 0 ? -err : read_answer(to, nlh->nlmsg_seq);
	nlmsg_free(msg);
	return ret;
}

#define REQUEST(fn, ...) static int fn(void) { return request(nl, __VA_ARGS__); }

REQUEST(add_rule, DMM_CMD_RULE_ADD, NLM_F_ECHO, ATTRS(KERNEL, PRIO(40)))
REQUEST(add_big_rule, DMM_CMD_RULE_ADD, 0,
	ATTRS(KERNEL, STR(DMM_A_RULE_STACK, "other"), PRIO(50), U8(DMM_A_RULE_ROLE, DMM_ROLE_CONNECT), U8(DMM_A_RULE_TYPE, 1),
	      ADDR6(DMM_A_RULE_SRC, 64, 0x20, 1), STR(DMM_A_RULE_DST_ZONE, "spare"), STR(DMM_A_RULE_DPORT_SET, "spare"),
	      PORTS(DMM_A_RULE_SPORTS, { 1, 2 }, { 4, 5 }), U32(DMM_A_RULE_UID_LO, 0), U32(DMM_A_RULE_UID_HI, 9),
	      STR(DMM_A_RULE_DEV, "lo"), STR(DMM_A_RULE_COMM, "faults"), STR(DMM_A_RULE_SET_CC, "cubic"),
	      U32(DMM_A_RULE_SET_KEEPIDLE, 5)))
REQUEST(del_rule, DMM_CMD_RULE_DEL, 0, ATTRS(PRIO(20)))
REQUEST(add_zone, DMM_CMD_ZONE_ADD, 0,
	ATTRS(ZONE("new"), { DMM_A_ZONE_PREFIXES, 3 * sizeof(struct dmm_prefix),
			     (const struct dmm_prefix[]){ { .family = 2, .len = 8, .addr = { 12 } },
							  { .family = 2, .len = 16, .addr = { 12, 1 } },
							  { .family = 10, .len = 16, .addr = { 0x20, 1 } } } }))
REQUEST(add_prefix, DMM_CMD_ZONE_ADD, 0, ATTRS(ZONE("near"), ADDR4(DMM_A_ZONE_PREFIXES, 24, 13)))
REQUEST(del_prefix, DMM_CMD_ZONE_DEL, 0, ATTRS(ZONE("near"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)))
REQUEST(del_zone, DMM_CMD_ZONE_DEL, 0, ATTRS(ZONE("spare")))
REQUEST(add_set, DMM_CMD_SET_ADD, 0, ATTRS(SET("new"), PORTS(DMM_A_SET_RANGES, { 5, 6 })))
REQUEST(replace_set, DMM_CMD_SET_ADD, NLM_F_REPLACE, ATTRS(SET("web"), PORTS(DMM_A_SET_RANGES, { 8080, 8080 })))
REQUEST(del_set, DMM_CMD_SET_DEL, 0, ATTRS(SET("spare")))
REQUEST(flush, DMM_CMD_FLUSH, 0, NO_ATTRS)
REQUEST(begin, DMM_CMD_TXN_BEGIN, 0, NO_ATTRS)
REQUEST(commit, DMM_CMD_TXN_COMMIT, 0, NO_ATTRS)
REQUEST(explain, DMM_CMD_EXPLAIN, 0, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 32, 10, 1)))
REQUEST(get_zone, DMM_CMD_ZONE_GET, 0, ATTRS(ZONE("near")))
REQUEST(get_set, DMM_CMD_SET_GET, 0, ATTRS(SET("web")))
REQUEST(get_stat, DMM_CMD_STAT_GET, 0, NO_ATTRS)
REQUEST(dump_rules, DMM_CMD_RULE_GET, NLM_F_DUMP, NO_ATTRS)
REQUEST(dump_zones, DMM_CMD_ZONE_GET, NLM_F_DUMP, NO_ATTRS)
REQUEST(dump_sets, DMM_CMD_SET_GET, NLM_F_DUMP, NO_ATTRS)
REQUEST(dump_explain, DMM_CMD_EXPLAIN, NLM_F_DUMP, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 32, 10, 1)))
REQUEST(dump_socks, DMM_CMD_SOCK_GET, NLM_F_DUMP, NO_ATTRS)
REQUEST(dump_decisions, DMM_CMD_DECISION_GET, NLM_F_DUMP, NO_ATTRS)

/* Nothing of it shows before the end, and the first failure is the end. */
static int transaction(void)
{
	int err = begin();

	if (!err)
		err = del_rule();
	if (!err)
		err = add_zone();
	if (!err)
		err = replace_set();
	if (!err)
		err = add_big_rule();
	if (!err)
		err = commit();
	if (err && !answer_lost)
		request(nl, DMM_CMD_TXN_ABORT, 0, NO_ATTRS);
	return err;
}

/* The rest of a dump is made while it is read. */
static void end_dump(void)
{
	char buf[64 << 10];

	while (recv(nl->fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		;
}

const struct op policy_ops[] = {
	{ "a rule is added", ANYTHING, .run = add_rule, .undo = refill },
	{ "a rule with all that rules have", ANYTHING, .run = add_big_rule, .undo = refill },
	{ "rules are deleted", ANYTHING, .run = del_rule, .undo = refill },
	{ "a zone is added", ANYTHING, .run = add_zone, .undo = refill },
	{ "a prefix is added", ANYTHING, .run = add_prefix, .undo = refill },
	{ "a prefix is deleted", ANYTHING, .run = del_prefix, .undo = refill },
	{ "a zone is deleted", ANYTHING, .run = del_zone, .undo = refill },
	{ "a port set is added", ANYTHING, .run = add_set, .undo = refill },
	{ "a port set is replaced", ANYTHING, .run = replace_set, .undo = refill },
	{ "a port set is deleted", ANYTHING, .run = del_set, .undo = refill },
	{ "all are deleted", ANYTHING, .run = flush, .undo = refill },
	{ "a transaction", ANYTHING, .run = transaction, .undo = refill },
	{ "explain", ANYTHING, .run = explain },
	{ "a zone is told", ANYTHING, .run = get_zone },
	{ "a port set is told", ANYTHING, .run = get_set },
	{ "counters are told", ANYTHING, .run = get_stat },
	{ "rules are told", ANYTHING, .run = dump_rules, .undo = end_dump },
	{ "zones are told", ANYTHING, .run = dump_zones, .undo = end_dump },
	{ "port sets are told", ANYTHING, .run = dump_sets, .undo = end_dump },
	{ "the rules tried are told", ANYTHING, .run = dump_explain, .undo = end_dump },
	{ "sockets are told", ANYTHING, .run = dump_socks, .undo = end_dump },
	{ "decisions are told", ANYTHING, .run = dump_decisions, .undo = end_dump },
	{ 0 }
};

/* In a process in which all of it may fail: what does is tried again in the next round. */
void storm_policy(unsigned int rounds)
{
	static int (*const requests[])(void) = {
		add_rule, transaction, add_zone, dump_rules, add_set, dump_zones, replace_set, explain, del_rule, dump_socks,
		del_zone, dump_explain, add_big_rule, flush, add_prefix, dump_decisions, del_set, get_stat,
	};
	unsigned int i;

	while (rounds--) {
		for (i = 0; i < ARRAY_SIZE(requests); i++)
			requests[i]();
		end_dump();
		forget_events();
	}
}

/* Namespaces that have a policy and end with it. */
void storm_netns(unsigned int rounds)
{
	pid_t pid;

	while (rounds--) {
		pid = fork();
		if (!pid) {
			if (unshare(CLONE_NEWNET))
				_exit(1);
			nl = dnl_open();
			storm_policy(1);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}
