// SPDX-License-Identifier: GPL-2.0-only
/*
 * libdmm against the kernel: what a client promises about transactions and dumps, when the kernel refuses half of a
 * batch, or others change the table as well.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include <dmm/dmm.h>

#include "kselftest.h"

static struct dmm_client *client;

static struct dmm_change rule(uint32_t prio)
{
	return (struct dmm_change){
		.cmd = DMM_CMD_RULE_ADD,
		.loc = { .file = "test", .line = prio },
		.rule = { .has = DMM_HAS(DMM_A_RULE_PRIO) | DMM_HAS(DMM_A_RULE_STACK) | DMM_HAS(DMM_A_RULE_VERDICT),
			  .prio = prio, .stack = { .v = { "kernel" }, .nr = 1 } },
	};
}

static struct dmm_change rule_of_zone(uint32_t prio, const char *zone)
{
	struct dmm_change change = rule(prio);

	change.rule.has |= DMM_HAS(DMM_A_RULE_DST_ZONE);
	change.rule.dst_zone = zone;
	return change;
}

/* A priority that no rule can have, which the netlink core refuses before the module sees the message. */
static struct dmm_change impossible_rule(void)
{
	struct dmm_change change = rule(3);

	change.rule.prio = 40000;
	return change;
}

static int take_stat(void *arg, const struct dmm_object *obj)
{
	*(struct dmm_stat *)arg = *obj->stat;
	return 0;
}

static struct dmm_stat stat_of(struct dmm_client *c)
{
	struct dmm_stat stat = { 0 };

	dmm_get(c, DMM_CMD_STAT_GET, NULL, take_stat, &stat);
	return stat;
}

static void flush(void)
{
	struct dmm_change change = { .cmd = DMM_CMD_FLUSH };

	dmm_begin(client, NULL);
	dmm_change(client, &change);
	if (dmm_commit(client, NULL))
		ksft_note("flush: %s", dmm_client_error(client)->msg);
}

/* One transaction of these changes; the first error, whoever returns it. */
static int transact(struct dmm_client *c, const struct dmm_change *changes, unsigned int nr)
{
	int err = dmm_begin(c, NULL);
	unsigned int i;

	for (i = 0; i < nr && !err; i++)
		err = dmm_change(c, &changes[i]);
	if (!err)
		err = dmm_commit(c, NULL);
	if (err)
		dmm_abort(c);
	return err;
}

static void test_half_bad(void)
{
	const struct dmm_change refused[] = { rule(1), rule(2), rule_of_zone(3, "nosuch"), rule(4), rule(5) };
	const struct dmm_change impossible[] = { rule(1), rule(2), impossible_rule(), rule(4), rule(5) };
	const struct dmm_change last[] = { rule(1), rule(2), impossible_rule() };
	const struct dmm_error *e = dmm_client_error(client);
	struct dmm_stat before = stat_of(client), after;
	struct dmm_change good = rule(1);

	ksft_result(transact(client, refused, 5) == -ENOENT && e->kernel && e->loc.line == 3 && !strcmp(e->msg, "no such zone") &&
		    !strcmp(e->attr, "dst-zone"), "a change that the module refuses is named by its line and attribute");
	ksft_result(transact(client, impossible, 5) == -ERANGE && e->loc.line == 3 && !strcmp(e->attr, "prio"),
		    "so is one that the netlink core refuses");
	ksft_result(transact(client, last, 3) == -ERANGE && e->loc.line == 3, "also just before the commit");
	after = stat_of(client);
	ksft_result(after.gen == before.gen && !after.rules, "nothing of them is there");
	ksft_result(!transact(client, &good, 1) && stat_of(client).rules == 1, "the client can go on");
	flush();
}

/*
 * A change by hand on the client's socket, without a transaction: zone NAME is added. Returns the kernel's answer.
 */
static int change_alone(const char *name)
{
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
		struct nlattr attr;
		char name[DMM_NAME_MAX];
	} msg = {
		.nlh = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + NLA_HDRLEN + NLA_ALIGN(strlen(name) + 1),
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK, .nlmsg_seq = 1 },
		.genl = { .cmd = DMM_CMD_ZONE_ADD, .version = DMM_GENL_VERSION },
		.attr = { .nla_len = NLA_HDRLEN + strlen(name) + 1, .nla_type = DMM_A_ZONE_NAME },
	};
	struct { struct nlmsghdr nlh; struct nlmsgerr e; char more[256]; } answer;
	struct nl_sock *sk = nl_socket_alloc();

	if (!sk || genl_connect(sk))
		exit(KSFT_FAIL);
	msg.nlh.nlmsg_type = genl_ctrl_resolve(sk, DMM_GENL_NAME);
	nl_socket_free(sk);
	strcpy(msg.name, name);
	if (send(dmm_client_fd(client), &msg, msg.nlh.nlmsg_len, 0) < 0 ||
	    recv(dmm_client_fd(client), &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(answer.e)))
		exit(KSFT_FAIL);
	return answer.e.error;
}

static void test_base(void)
{
	uint64_t gen = stat_of(client).gen, made;
	struct dmm_change change = rule(1);

	ksft_result(!dmm_begin(client, &gen) && !dmm_change(client, &change) && !dmm_commit(client, &made) && made == gen + 1,
		    "commit tells the generation");
	ksft_result(dmm_begin(client, &gen) == -ESTALE && dmm_client_error(client)->err == -ESTALE &&
		    strstr(dmm_client_error(client)->msg, "the table has changed"), "begin on one that is gone");
	ksft_result(!change_alone("alone"), "the kernel is told that nothing follows");
	made = stat_of(client).gen;
	ksft_result(!dmm_begin(client, &made) && !dmm_abort(client), "and on the current one");
	flush();
}

/* Holds a transaction for a while, then commits. */
static pid_t hold(unsigned int ms)
{
	struct timespec nap = { .tv_nsec = ms * 1000000l };
	struct dmm_change change = rule(77);
	struct dmm_client *mine;
	int ready[2];
	char c;
	pid_t pid;

	if (pipe(ready))
		exit(KSFT_FAIL);
	pid = fork();
	if (!pid) {
		if (dmm_open(&mine) || dmm_begin(mine, NULL) || write(ready[1], "", 1) != 1)
			_exit(1);
		nanosleep(&nap, NULL);
		_exit(dmm_change(mine, &change) || dmm_commit(mine, NULL));
	}
	if (read(ready[0], &c, 1) != 1)
		exit(KSFT_FAIL);
	return pid;
}

static void test_wait(void)
{
	struct dmm_change change = rule(1);
	pid_t pid = hold(300);
	int status;

	ksft_result(!transact(client, &change, 1), "begin waits while another transaction is open");
	waitpid(pid, &status, 0);
	ksft_result(!status && stat_of(client).rules == 2, "both are done");
	flush();
}

static int count(void *arg, const struct dmm_object *obj)
{
	(void)obj;
	++*(unsigned int *)arg;
	return 0;
}

static void __attribute__((noreturn)) change_for_ever(void)
{
	const struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };
	const struct dmm_change swap[] = {
		{ .cmd = DMM_CMD_RULE_DEL, .rule = { .has = DMM_HAS(DMM_A_RULE_PRIO), .prio = 9 } },
		rule(9),
	};
	struct dmm_client *mine;

	if (dmm_open(&mine))
		_exit(1);
	for (;;) {
		transact(mine, swap, 2);
		nanosleep(&nap, NULL);
	}
}

/* One rule of priority 9 is always there, whatever its id. */
static void test_dump(void)
{
	static struct dmm_change changes[2001];
	unsigned int nr, i, wrong = 0;
	pid_t pid;

	for (i = 0; i < 2000; i++)
		changes[i] = rule(i % 8 + 10 * (i % 2));
	changes[2000] = rule(9);
	transact(client, changes, 2001);
	pid = fork();
	if (!pid)
		change_for_ever();
	for (i = 0; i < 30; i++) {
		nr = 0;
		if (dmm_dump(client, DMM_CMD_RULE_GET, NULL, count, &nr) || nr != 2001)
			wrong++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (!ksft_result(!wrong, "dumps are of one generation while others change the table"))
		ksft_note("%u of 30 were not", wrong);
	flush();
}

int main(void)
{
	ksft_header();
	if (geteuid() || unshare(CLONE_NEWNET))
		ksft_skip_all("needs root");
	if (dmm_open(&client))
		ksft_skip_all("the module is not loaded");
	test_half_bad();
	test_base();
	test_wait();
	test_dump();
	ksft_finish();
}
