// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transactions: who may have one, what others see of it, how it ends, and which generations there are.
 */
#include "nl.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

/* A transaction may be taken over when idle for so long. */
#define IDLE_S	5

#define BEGIN	DMM_CMD_TXN_BEGIN, NO_ATTRS
#define COMMIT	DMM_CMD_TXN_COMMIT, NO_ATTRS
#define ABORT	DMM_CMD_TXN_ABORT, NO_ATTRS

#define PRIO(n)		U32(DMM_A_RULE_PRIO, n)
#define RULE(n)		DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(n))
#define ZONE(name)	STR(DMM_A_ZONE_NAME, name)
#define SET(name)	STR(DMM_A_SET_NAME, name)
#define BAD_RULE	DMM_CMD_RULE_ADD, ATTRS(PRIO(1))

static struct dnl *a, *b;

static bool refused(struct dnl *nl, int cmd, const struct attr *attrs, int err, const char *text)
{
	struct answer answer;

	dnl_ask(nl, cmd, 0, attrs, &answer);
	if (answer.err == -err && !strncmp(answer.text, text, strlen(text)))
		return true;
	ksft_note("command %d: expected %s, \"%s\", got %s, \"%s\"", cmd, strerror(err), text, strerror(-answer.err),
		  answer.text);
	return false;
}

static void empty(void)
{
	dnl_do(a, ABORT);
	dnl_do(b, ABORT);
	dnl_must(a, DMM_CMD_FLUSH, NO_ATTRS);
}

static void test_alone(void)
{
	uint64_t gen = dnl_generation(a);

	dnl_must(a, RULE(1));
	ksft_result(dnl_generation(a) == gen + 1, "a change without transaction is one of its own");
	dnl_must(a, RULE(1));
	ksft_result(dnl_generation(a) == gen + 2 && dnl_stat(a, DMM_A_STAT_RULES) == 2, "rules may be alike");
	dnl_must(a, DMM_CMD_RULE_ZERO, NO_ATTRS);
	ksft_result(dnl_generation(a) == gen + 2, "counters are no part of generations");
}

static void test_commit(void)
{
	uint64_t gen = dnl_generation(a), before = dnl_fingerprint(b);
	uint32_t id;

	dnl_must(a, BEGIN);
	id = dnl_rule_add(a, ATTRS(KERNEL, PRIO(7)));
	dnl_must(a, DMM_CMD_ZONE_ADD, ATTRS(ZONE("z"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	dnl_must(a, DMM_CMD_SET_ADD, ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 1, 2 })));
	ksft_result(id && dnl_generation(b) == gen && dnl_fingerprint(b) == before && dnl_fingerprint(a) == before,
		    "nobody sees a transaction that is open, its owner included");
	ksft_result(dnl_explain(b, NO_ATTRS) == 0 &&
		    refused(b, DMM_CMD_RULE_GET, ATTRS(U32(DMM_A_RULE_ID, id)), ENOENT, "no such rule"),
		    "nor decides by it");
	ksft_result(dnl_commit(a) == gen + 1 && dnl_generation(b) == gen + 1, "commit says its generation");
	ksft_result(dnl_explain(b, NO_ATTRS) == id && dnl_stat(b, DMM_A_STAT_ZONES) == 1 &&
		    dnl_stat(b, DMM_A_STAT_SETS) == 1, "and shows all of it");
	dnl_must(a, BEGIN);
	ksft_result(dnl_commit(a) == gen + 1, "an empty transaction makes no generation");
}

static void test_abort(void)
{
	uint32_t keep, id, next;
	uint64_t gen, before;

	dnl_must(a, DMM_CMD_ZONE_ADD, ATTRS(ZONE("z"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	dnl_must(a, DMM_CMD_SET_ADD, ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 80, 80 })));
	keep = dnl_rule_add(a, ATTRS(KERNEL, STR(DMM_A_RULE_DST_ZONE, "z"), STR(DMM_A_RULE_DPORT_SET, "s")));
	gen = dnl_generation(a);
	before = dnl_fingerprint(a);

	dnl_must(a, BEGIN);
	dnl_must(a, DMM_CMD_FLUSH, NO_ATTRS);
	dnl_must(a, DMM_CMD_ZONE_ADD, ATTRS(ZONE("z"), ADDR4(DMM_A_ZONE_PREFIXES, 16, 10, 9)));
	dnl_must(a, DMM_CMD_SET_ADD, ATTRS(SET("t"), PORTS(DMM_A_SET_RANGES, { 1, 1 })));
	id = dnl_rule_add(a, ATTRS(KERNEL, STR(DMM_A_RULE_DST_ZONE, "z"), STR(DMM_A_RULE_DPORT_SET, "t")));
	dnl_must(a, ABORT);
	ksft_result(id && dnl_generation(a) == gen && dnl_fingerprint(a) == before, "abort undoes all");
	ksft_result(dnl_explain(a, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 32, 10, 1), U16(DMM_A_EXPLAIN_DPORT, 80))) == keep,
		    "and decisions are what they were");
	next = dnl_rule_add(a, ATTRS(KERNEL));
	ksft_result(next > id && id > keep, "ids are not used again");
	ksft_result(!dnl_do(a, ABORT), "abort without transaction does nothing");
	ksft_result(refused(a, DMM_CMD_ZONE_DEL, ATTRS(ZONE("z")), EBUSY, "a rule names the zone"),
		    "a reference that was undone counts again");
}

static void test_close(void)
{
	struct dnl *c = dnl_open();
	uint64_t before = dnl_fingerprint(a);

	dnl_must(c, BEGIN);
	dnl_must(c, DMM_CMD_FLUSH, NO_ATTRS);
	dnl_must(c, RULE(3));
	dnl_close(c);
	ksft_result(!dnl_do(a, BEGIN) && dnl_fingerprint(a) == before, "the end of a socket aborts");
}

static void test_busy(void)
{
	static const char text[] = "another transaction is open";

	dnl_must(a, BEGIN);
	ksft_result(refused(b, BEGIN, EBUSY, text), "one transaction at a time");
	ksft_result(refused(b, RULE(2), ECANCELED, "the transaction was cancelled") &&
		    refused(b, COMMIT, ECANCELED, "the transaction was cancelled"),
		    "what follows a begin that failed is not taken for single changes");
	ksft_result(refused(b, RULE(2), EBUSY, text) && refused(b, DMM_CMD_FLUSH, NO_ATTRS, EBUSY, text),
		    "no single changes beside a transaction");
	dnl_must(a, RULE(1));
	ksft_result(dnl_commit(a) && !dnl_do(b, BEGIN) && dnl_commit(b), "the next one begins when it is over");
}

static void test_doomed(void)
{
	uint64_t before = dnl_fingerprint(a), gen = dnl_generation(a);
	struct answer answer;

	dnl_must(a, BEGIN);
	dnl_must(a, RULE(1));
	ksft_result(refused(a, BAD_RULE, EINVAL, "the rule names no stack"), "a change that fails says why");
	dnl_ask(a, DMM_CMD_RULE_ADD, NLM_F_ECHO, ATTRS(KERNEL), &answer);
	ksft_result(!answer.err && !answer.cmd, "those behind it do nothing");
	ksft_result(refused(a, COMMIT, ECANCELED, "a change of the transaction failed"), "commit fails");
	ksft_result(dnl_generation(a) == gen && dnl_fingerprint(a) == before, "and nothing has changed");
	ksft_result(refused(a, COMMIT, EINVAL, "no transaction is open") && !dnl_do(b, BEGIN) && dnl_commit(b) == gen,
		    "that was its end");

	dnl_must(a, BEGIN);
	dnl_must(a, RULE(1));
	ksft_result(refused(a, BEGIN, EALREADY, "this socket's transaction is open already") &&
		    refused(a, COMMIT, ECANCELED, "a change of the transaction failed") &&
		    dnl_fingerprint(a) == before, "a second begin dooms it");

	/* Refused by the netlink core, before the policy sees it. */
	dnl_must(a, BEGIN);
	dnl_must(a, RULE(1));
	ksft_result(dnl_do(a, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(40000))) == -ERANGE && !dnl_do(a, ABORT) &&
		    dnl_fingerprint(a) == before, "an attribute out of range");
}

static void test_base(void)
{
	uint64_t gen = dnl_generation(a);

	dnl_must(b, RULE(1));
	ksft_result(refused(a, DMM_CMD_TXN_BEGIN, ATTRS(U64(DMM_A_TXN_GEN, gen)), ESTALE, "the table has changed"),
		    "begin on a generation that is gone");
	ksft_result(refused(a, RULE(1), ECANCELED, "the transaction was cancelled") && !dnl_do(a, ABORT),
		    "and what follows is refused");
	ksft_result(!dnl_do(a, DMM_CMD_TXN_BEGIN, ATTRS(U64(DMM_A_TXN_GEN, gen + 1))) && !dnl_do(a, RULE(1)) &&
		    dnl_commit(a) == gen + 2, "begin on the current one");
}

static void test_order(void)
{
	struct answer answer;
	uint32_t id;

	dnl_must(a, DMM_CMD_ZONE_ADD, ATTRS(ZONE("x"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	dnl_must(a, DMM_CMD_ZONE_ADD, ATTRS(ZONE("y")));
	id = dnl_rule_add(a, ATTRS(KERNEL, STR(DMM_A_RULE_DST_ZONE, "y")));

	dnl_must(a, BEGIN);
	dnl_must(a, DMM_CMD_ZONE_DEL, ATTRS(ZONE("x"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	dnl_must(a, DMM_CMD_ZONE_ADD, ATTRS(ZONE("y"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	ksft_result(!dnl_explain(b, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 32, 10, 1))) && dnl_commit(a) &&
		    dnl_explain(b, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 32, 10, 1))) == id,
		    "a prefix moves from one zone to another");

	dnl_must(a, BEGIN);
	ksft_result(refused(a, DMM_CMD_ZONE_DEL, ATTRS(ZONE("y")), EBUSY, "a rule names the zone") && !dnl_do(a, ABORT),
		    "a zone cannot go before its rule");
	dnl_must(a, BEGIN);
	dnl_must(a, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_ID, id)));
	ksft_result(!dnl_do(a, DMM_CMD_ZONE_DEL, ATTRS(ZONE("y"))) &&
		    !dnl_do(a, DMM_CMD_ZONE_ADD, ATTRS(ZONE("y"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 11))) &&
		    dnl_commit(a) && dnl_stat(a, DMM_A_STAT_ZONES) == 2 && dnl_stat(a, DMM_A_STAT_PREFIXES) == 1,
		    "but with it, and a new one of its name may come");

	dnl_must(a, BEGIN);
	id = dnl_rule_add(a, ATTRS(KERNEL));
	dnl_must(a, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_ID, id)));
	ksft_result(refused(a, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_ID, id)), ENOENT, "no such rule") &&
		    !dnl_do(a, ABORT), "a rule that was added can be deleted, once");

	dnl_must(a, DMM_CMD_SET_ADD, ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 80, 80 })));
	id = dnl_rule_add(a, ATTRS(KERNEL, STR(DMM_A_RULE_DPORT_SET, "s")));
	dnl_must(a, BEGIN);
	dnl_ask(a, DMM_CMD_SET_ADD, NLM_F_REPLACE, ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 90, 90 })), &answer);
	dnl_ask(a, DMM_CMD_SET_ADD, NLM_F_REPLACE, ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 81, 81 })), &answer);
	ksft_result(dnl_explain(b, ATTRS(U16(DMM_A_EXPLAIN_DPORT, 80))) == id &&
		    !dnl_explain(b, ATTRS(U16(DMM_A_EXPLAIN_DPORT, 81))) && dnl_commit(a) &&
		    !dnl_explain(b, ATTRS(U16(DMM_A_EXPLAIN_DPORT, 80))) &&
		    !dnl_explain(b, ATTRS(U16(DMM_A_EXPLAIN_DPORT, 90))) &&
		    dnl_explain(b, ATTRS(U16(DMM_A_EXPLAIN_DPORT, 81))) == id,
		    "a rule sees its port set replaced at commit");
}

static void count_origin(void *arg, int cmd, struct nlattr **tb)
{
	uint32_t *of = arg;

	(void)cmd;
	of[nla_get_u8(tb[DMM_A_RULE_ORIGIN])]++;
}

/* Rules of an origin, in a dump of only those. */
static uint32_t rules_of(int origin)
{
	uint32_t of[4] = { 0 };

	dnl_dump(a, DMM_CMD_RULE_GET, ATTRS(U8(DMM_A_RULE_ORIGIN, origin)), count_origin, of, NULL);
	return of[0] + of[1] + of[2] + of[3] == of[origin] ? of[origin] : ~0u;
}

/* Priority that a rule of this origin gets without one. */
static uint32_t default_prio(int origin)
{
	uint32_t id = dnl_rule_add(a, ATTRS(KERNEL, U8(DMM_A_RULE_ORIGIN, origin)));
	struct answer answer;

	dnl_ask(a, DMM_CMD_RULE_GET, 0, ATTRS(U32(DMM_A_RULE_ID, id)), &answer);
	return answer.err ? ~0u : nla_get_u32(answer.tb[DMM_A_RULE_PRIO]);
}

static void test_origin(void)
{
	int origin;

	ksft_result(default_prio(DMM_ORIGIN_CLI) == 500 && default_prio(DMM_ORIGIN_FILE) == 5000 &&
		    default_prio(DMM_ORIGIN_CRD) == 15000 && default_prio(DMM_ORIGIN_LEARNED) == 25000,
		    "priorities of rules that name none");
	for (origin = 0; origin < 4; origin++) {
		char name[] = "z0";

		name[1] += origin;
		dnl_must(a, DMM_CMD_ZONE_ADD, ATTRS(ZONE(name), U8(DMM_A_ZONE_ORIGIN, origin)));
		dnl_must(a, DMM_CMD_SET_ADD, ATTRS(SET(name), U8(DMM_A_SET_ORIGIN, origin),
						   PORTS(DMM_A_SET_RANGES, { 1, 1 })));
	}
	dnl_must(a, DMM_CMD_FLUSH, ATTRS(U8(DMM_A_ZONE_ORIGIN, DMM_ORIGIN_CRD)));
	ksft_result(rules_of(DMM_ORIGIN_CLI) == 1 && rules_of(DMM_ORIGIN_FILE) == 1 && !rules_of(DMM_ORIGIN_CRD) &&
		    rules_of(DMM_ORIGIN_LEARNED) == 1 && dnl_stat(a, DMM_A_STAT_ZONES) == 3 &&
		    dnl_stat(a, DMM_A_STAT_SETS) == 3, "flush of one origin");
	dnl_must(a, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(700), U8(DMM_A_RULE_ORIGIN, DMM_ORIGIN_FILE)));
	dnl_must(a, RULE(700));
	dnl_must(a, RULE(700));
	dnl_must(a, DMM_CMD_RULE_DEL, ATTRS(PRIO(700), U8(DMM_A_RULE_ORIGIN, DMM_ORIGIN_CLI)));
	ksft_result(rules_of(DMM_ORIGIN_CLI) == 1 && rules_of(DMM_ORIGIN_FILE) == 2, "deleting a priority of one origin");
	dnl_must(a, RULE(700));
	dnl_must(a, DMM_CMD_RULE_DEL, ATTRS(PRIO(700)));
	ksft_result(rules_of(DMM_ORIGIN_CLI) == 1 && rules_of(DMM_ORIGIN_FILE) == 1, "and of all");
	dnl_must(a, DMM_CMD_FLUSH, NO_ATTRS);
	ksft_result(!dnl_stat(a, DMM_A_STAT_RULES) && !dnl_stat(a, DMM_A_STAT_ZONES) && !dnl_stat(a, DMM_A_STAT_SETS),
		    "flush of all origins");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Try to begin, up to that time; how long it took. */
static bool begin_until(struct dnl *nl, double end, double *waited)
{
	const struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };
	double start = seconds();
	int err;

	while ((err = dnl_do(nl, BEGIN)) && seconds() < end)
		nanosleep(&nap, NULL);
	*waited = seconds() - start;
	return !err;
}

static void test_take_over(void)
{
	uint64_t before = dnl_fingerprint(a);
	double start, waited;
	bool begun;

	dnl_must(a, BEGIN);
	begun = begin_until(b, seconds() + IDLE_S / 2.0, &waited);
	/* A machine that is busy may have slept for the rest. */
	ksft_result(!begun || waited >= IDLE_S, "a transaction that is young is left alone");
	dnl_do(b, ABORT);
	dnl_do(a, BEGIN);
	start = seconds();
	dnl_do(a, RULE(1));
	begun = begin_until(b, start + 10 * IDLE_S, &waited);
	waited = seconds() - start;
	/* The kernel's ticks are coarser than our clock. */
	if (!ksft_result(begun && waited > IDLE_S - 0.1, "an idle one is taken over, but not before"))
		ksft_note("after %.2f s", waited);
	dnl_must(b, RULE(2));
	ksft_result(refused(a, RULE(3), ECANCELED, "the transaction was cancelled") &&
		    refused(a, COMMIT, ECANCELED, "the transaction was cancelled"), "its owner is told");
	ksft_result(dnl_fingerprint(a) == before, "its changes are gone");
	ksft_result(dnl_commit(b) && dnl_stat(b, DMM_A_STAT_RULES) == 1, "the other one goes on");
	ksft_result(!dnl_do(a, RULE(3)), "the owner, once told, may change things again");
}

static void test_many(void)
{
	uint64_t gen = dnl_generation(a);
	bool in_step = true;
	uint32_t id = 0;
	int i;

	for (i = 0; i < 2000; i++) {
		dnl_must(a, BEGIN);
		if (id)
			dnl_must(a, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_ID, id)));
		id = dnl_rule_add(a, ATTRS(KERNEL, PRIO(i), ADDR4(DMM_A_RULE_DST, 32, 10, 0, i >> 8, i & 255)));
		in_step &= dnl_commit(a) == ++gen;
	}
	ksft_result(in_step && dnl_stat(a, DMM_A_STAT_RULES) == 1 && dnl_stat(a, DMM_A_STAT_MASKS) == 1,
		    "2000 transactions, 2000 generations");
}

int main(void)
{
	static void (*const tests[])(void) = {
		test_alone, test_commit, test_abort, test_close, test_busy, test_doomed, test_base, test_order, test_origin,
		test_take_over, test_many,
	};
	unsigned int i;

	ksft_header();
	if (unshare(CLONE_NEWNET))
		ksft_skip_all("needs root");
	a = dnl_open();
	b = dnl_open();
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		tests[i]();
		empty();
	}
	ksft_finish();
}
