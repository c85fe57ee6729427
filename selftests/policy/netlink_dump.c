// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps: complete, in order, and either of one generation or marked as interrupted, whatever others do meanwhile.
 */
#include "nl.h"

#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>

#define RULES		3000
#define BIG_ZONE	100000
/* Dumps under change: until so many were clean and one was not. */
#define CLEAN		10
#define PATIENCE_S	30

#define PREFIXES(p, n)	{ DMM_A_ZONE_PREFIXES, (n) * sizeof(struct dmm_prefix), (p) }
#define ZONE(name)	STR(DMM_A_ZONE_NAME, name)
#define SET(name)	STR(DMM_A_SET_NAME, name)

static struct dnl *nl, *other;

static struct dmm_prefix host(uint32_t addr)
{
	struct dmm_prefix prefix = { .family = 2, .len = 32 };

	addr = htonl(addr);
	memcpy(prefix.addr, &addr, 4);
	return prefix;
}

static uint32_t addr_of(const struct dmm_prefix *prefix)
{
	uint32_t addr;

	memcpy(&addr, prefix->addr, 4);
	return ntohl(addr);
}

static void add_rules(uint32_t nr)
{
	uint32_t i;

	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	for (i = 0; i < nr; i++)
		dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 100 + i % 7),
			 ADDR4(DMM_A_RULE_DST, 32, 10, 0, i >> 8, i & 255)));
	if (!dnl_commit(nl))
		ksft_note("commit failed");
}

static void flush(void)
{
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
}

/* Order. */

struct order {
	uint64_t last;
	uint32_t nr;
	bool wrong;
};

static unsigned int length(struct nlattr *attr)
{
	return attr ? ((struct dmm_prefix *)nla_data(attr))->len : 0;
}

static void take_order(void *arg, int cmd, struct nlattr **tb)
{
	struct order *o = arg;
	uint64_t rank = (uint64_t)nla_get_u32(tb[DMM_A_RULE_PRIO]) << 48 |
			(uint64_t)(128 - length(tb[DMM_A_RULE_DST])) << 40 |
			(uint64_t)(128 - length(tb[DMM_A_RULE_SRC])) << 32 | nla_get_u32(tb[DMM_A_RULE_ID]);

	(void)cmd;
	o->wrong |= rank <= o->last;
	o->last = rank;
	o->nr++;
}

static void test_order(void)
{
	struct order order = { 0 };
	bool changed;
	int i;

	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	for (i = 0; i < RULES; i++) {
		struct dmm_prefix src = { .family = 2, .len = i * 7 % 3 }, dst = { .family = 2, .len = i * 11 % 5 };

		dnl_must(nl, DMM_CMD_RULE_ADD, ((const struct attr[]){ KERNEL, U32(DMM_A_RULE_PRIO, i * 31 % 10),
			 { DMM_A_RULE_SRC, sizeof(src), &src }, { DMM_A_RULE_DST, sizeof(dst), &dst }, { 0 } }));
	}
	dnl_commit(nl);
	dnl_dump(nl, DMM_CMD_RULE_GET, NO_ATTRS, take_order, &order, &changed);
	ksft_result(order.nr == RULES && !order.wrong && !changed, "%d rules in the order in which they are tried", RULES);
	flush();
}

/* The rules that explain tried come in the same order, each in an attribute. */
static void take_tried(void *arg, int cmd, struct nlattr **tb)
{
	struct nlattr *rule[64] = { 0 };
	struct order *o = arg;
	int type;

	for (type = 0; type <= DMM_A_EXPLAIN_MAX; type++)
		o->wrong |= !tb[type] != (type != DMM_A_EXPLAIN_TRIED);
	if (o->wrong || nla_parse_nested(rule, ARRAY_SIZE(rule) - 1, tb[DMM_A_EXPLAIN_TRIED], NULL) ||
	    !rule[DMM_A_RULE_PRIO] || !rule[DMM_A_RULE_ID] || !rule[DMM_A_RULE_STACK] ||
	    !rule[DMM_A_RULE_MISMATCH] != !rule[DMM_A_RULE_DST]) {
		o->wrong = true;
		return;
	}
	take_order(arg, cmd, rule);
}

static void test_tried(void)
{
	struct order order = { 0 };
	bool changed;

	add_rules(RULES);
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 200)));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 201)));
	dnl_dump(nl, DMM_CMD_EXPLAIN, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 32, 99)), take_tried, &order, &changed);
	ksft_result(order.nr == RULES + 1 && !order.wrong && !changed, "%d rules that explain tried, and the one that matched",
		    RULES);
	flush();
}

/* Changes at a known point: when the first messages of a dump have arrived. */

struct disturbance {
	void (*change)(void);
	uint32_t nr;
};

static void disturb(void *arg, int cmd, struct nlattr **tb)
{
	struct disturbance *d = arg;

	(void)cmd;
	(void)tb;
	if (!d->nr++)
		d->change();
}

static void change_far(void)
{
	dnl_must(other, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 30000)));
}

static void change_near(void)
{
	dnl_must(other, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 0)));
}

static void change_all(void)
{
	dnl_must(other, DMM_CMD_FLUSH, NO_ATTRS);
}

/* Begun, not committed: nobody's business. */
static void change_nothing(void)
{
	dnl_must(other, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	dnl_must(other, DMM_CMD_FLUSH, NO_ATTRS);
}

static void check_disturbed(int cmd, const struct attr *attrs, void (*change)(void), bool expected, const char *name)
{
	struct disturbance d = { .change = change };
	bool changed;
	int err;

	err = dnl_dump(nl, cmd, attrs, disturb, &d, &changed);
	if (!ksft_result(!err && changed == expected, "%s", name))
		ksft_note("%s, %u messages, %s", strerror(-err), d.nr, changed ? "marked" : "not marked");
	dnl_do(other, DMM_CMD_TXN_ABORT, NO_ATTRS);
}

static void add_sets(void)
{
	char name[8];
	int i;

	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "s%06d", i);
		dnl_must(nl, DMM_CMD_SET_ADD, ATTRS(SET(name), PORTS(DMM_A_SET_RANGES, [63] = { 1, 1 })));
	}
}

static void add_prefixes(uint32_t from, uint32_t nr)
{
	static struct dmm_prefix part[3000];
	uint32_t i, n;

	for (; nr; nr -= n, from += n) {
		n = nr < ARRAY_SIZE(part) ? nr : ARRAY_SIZE(part);
		for (i = 0; i < n; i++)
			part[i] = host(from + i);
		dnl_must(nl, DMM_CMD_ZONE_ADD, ((const struct attr[]){ ZONE("big"), PREFIXES(part, n), { 0 } }));
	}
}

static void test_disturbed(void)
{
	add_rules(RULES);
	check_disturbed(DMM_CMD_RULE_GET, NO_ATTRS, change_nothing, false, "a transaction that is open disturbs no dump");
	check_disturbed(DMM_CMD_RULE_GET, NO_ATTRS, change_far, true, "a dump says that a rule came behind");
	check_disturbed(DMM_CMD_EXPLAIN, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 32, 99)), change_far, true,
			"so does one of rules tried");
	check_disturbed(DMM_CMD_RULE_GET, NO_ATTRS, change_near, true, "a rule came before it");
	check_disturbed(DMM_CMD_RULE_GET, NO_ATTRS, change_all, true, "all rules go during a dump");
	add_prefixes(10 << 24, 10000);
	check_disturbed(DMM_CMD_ZONE_GET, NO_ATTRS, change_far, true, "a change during a dump of zones");
	check_disturbed(DMM_CMD_ZONE_GET, NO_ATTRS, change_all, true, "the zone goes while it is dumped");
	add_sets();
	check_disturbed(DMM_CMD_SET_GET, NO_ATTRS, change_far, true, "a change during a dump of port sets");
	check_disturbed(DMM_CMD_SET_GET, NO_ATTRS, change_all, true, "they go while they are dumped");
}

/* A dump that nobody reads to its end. */
static void test_abandoned(void)
{
	struct dnl *lazy = dnl_open();
	struct nl_msg *msg;

	add_rules(RULES);
	msg = dnl_message(lazy, DMM_CMD_RULE_GET, NLM_F_DUMP, NO_ATTRS);
	nlmsg_hdr(msg)->nlmsg_seq = 1;
	ksft_result(send(lazy->fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0) > 0 && !dnl_do(nl, DMM_CMD_FLUSH, NO_ATTRS) &&
		    !dnl_stat(nl, DMM_A_STAT_RULES), "rules go although a dump of them waits");
	nlmsg_free(msg);
	dnl_close(lazy);
}

/* Another process replaces two objects at the ends of the dump at once, again and again. */

struct twins {
	const char *name;
	int cmd;
	void (*fill)(void);
	void (*replace)(uint32_t n);
	message_fn take;
	uint32_t nr;
};

/* What a dump says of the twins. */
struct seen {
	uint32_t nr;
	uint32_t first;
	uint32_t last;
	uint32_t twins;
};

static void see(struct seen *seen, uint32_t n)
{
	if (!seen->twins++)
		seen->first = n;
	seen->last = n;
}

static void replace_rules(uint32_t n)
{
	dnl_must(other, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_PRIO, 1)));
	dnl_must(other, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_PRIO, 30000)));
	dnl_must(other, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 1), U32(DMM_A_RULE_SET_MARK, n)));
	dnl_must(other, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 30000), U32(DMM_A_RULE_SET_MARK, n)));
}

static void fill_rules(void)
{
	add_rules(RULES);
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 1), U32(DMM_A_RULE_SET_MARK, 0)));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 30000), U32(DMM_A_RULE_SET_MARK, 0)));
}

static void take_rule(void *arg, int cmd, struct nlattr **tb)
{
	struct seen *seen = arg;

	(void)cmd;
	seen->nr++;
	if (tb[DMM_A_RULE_SET_MARK])
		see(seen, nla_get_u32(tb[DMM_A_RULE_SET_MARK]));
}

#define LOW	(9u << 24)
#define HIGH	(11u << 24)

static void replace_prefixes(uint32_t n)
{
	struct dmm_prefix old[] = { host(LOW + n - 1), host(HIGH + n - 1) };
	struct dmm_prefix new[] = { host(LOW + n), host(HIGH + n) };

	dnl_must(other, DMM_CMD_ZONE_DEL, ((const struct attr[]){ ZONE("big"), PREFIXES(old, 2), { 0 } }));
	dnl_must(other, DMM_CMD_ZONE_ADD, ((const struct attr[]){ ZONE("big"), PREFIXES(new, 2), { 0 } }));
}

static void fill_zone(void)
{
	add_prefixes(10 << 24, 10000);
	add_prefixes(LOW, 1);
	add_prefixes(HIGH, 1);
}

static void take_zone(void *arg, int cmd, struct nlattr **tb)
{
	const struct dmm_prefix *prefix = nla_data(tb[DMM_A_ZONE_PREFIXES]);
	int nr = nla_len(tb[DMM_A_ZONE_PREFIXES]) / sizeof(*prefix);
	struct seen *seen = arg;

	(void)cmd;
	for (seen->nr += nr; nr--; prefix++)
		if (addr_of(prefix) >> 24 != 10)
			see(seen, addr_of(prefix) & 0xffffff);
}

static void replace_sets(uint32_t n)
{
	uint16_t port = n;
	struct answer a;

	dnl_ask(other, DMM_CMD_SET_ADD, NLM_F_REPLACE, ATTRS(SET("s000000"), PORTS(DMM_A_SET_RANGES, { port, port })), &a);
	dnl_ask(other, DMM_CMD_SET_ADD, NLM_F_REPLACE, ATTRS(SET("s000999"), PORTS(DMM_A_SET_RANGES, { port, port })), &a);
}

static void fill_sets(void)
{
	add_sets();
	dnl_must(other, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	replace_sets(0);
	dnl_commit(other);
}

static void take_set(void *arg, int cmd, struct nlattr **tb)
{
	const struct dmm_port_range *range = nla_data(tb[DMM_A_SET_RANGES]);
	const char *name = nla_get_string(tb[DMM_A_SET_NAME]);
	struct seen *seen = arg;

	(void)cmd;
	seen->nr++;
	if (!strcmp(name, "s000000") || !strcmp(name, "s000999"))
		see(seen, range->lo);
}

static void __attribute__((noreturn)) replace_for_ever(const struct twins *t)
{
	struct timespec nap = { 0 };
	uint32_t n;

	other = dnl_open();
	for (n = 1; ; n++) {
		dnl_must(other, DMM_CMD_TXN_BEGIN, NO_ATTRS);
		t->replace(n);
		dnl_commit(other);
		/* Fast at times, slow at times: some dumps shall get through. */
		nap.tv_nsec = n % 32 * 1000 * 1000;
		nanosleep(&nap, NULL);
	}
}

static void test_twins(const struct twins *t)
{
	time_t end = time(NULL) + PATIENCE_S;
	uint32_t clean = 0, marked = 0, torn = 0;
	struct seen seen;
	bool changed;
	pid_t writer;

	t->fill();
	writer = fork();
	if (!writer)
		replace_for_ever(t);
	while ((clean < CLEAN || !marked) && time(NULL) < end) {
		memset(&seen, 0, sizeof(seen));
		dnl_dump(nl, t->cmd, NO_ATTRS, t->take, &seen, &changed);
		marked += changed;
		clean += !changed;
		torn += !changed && (seen.twins != 2 || seen.first != seen.last || seen.nr != t->nr);
	}
	ksft_result(clean >= CLEAN && !torn, "dumps of %s under change are of one generation or say so", t->name);
	ksft_note("%u clean, %u marked, %u torn", clean, marked, torn);
	if (marked)
		ksft_result(true, "some had to say so");
	else
		ksft_skip("some had to say so", "no change came between");
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	flush();
}

static const struct twins twins[] = {
	{ "rules", DMM_CMD_RULE_GET, fill_rules, replace_rules, take_rule, RULES + 2 },
	{ "zones", DMM_CMD_ZONE_GET, fill_zone, replace_prefixes, take_zone, 10002 },
	{ "port sets", DMM_CMD_SET_GET, fill_sets, replace_sets, take_set, 1000 },
};

/* Many prefixes. */

struct census {
	uint32_t nr;
	uint32_t last;
	uint32_t count;
	bool wrong;
};

static void take_census(void *arg, int cmd, struct nlattr **tb)
{
	const struct dmm_prefix *prefix = nla_data(tb[DMM_A_ZONE_PREFIXES]);
	int nr = nla_len(tb[DMM_A_ZONE_PREFIXES]) / sizeof(*prefix);
	struct census *c = arg;

	(void)cmd;
	c->count = nla_get_u32(tb[DMM_A_ZONE_COUNT]);
	for (c->nr += nr; nr--; prefix++) {
		c->wrong |= addr_of(prefix) <= c->last;
		c->last = addr_of(prefix);
	}
}

static void test_many_prefixes(void)
{
	struct census census = { 0 };
	struct answer a;
	uint32_t id;

	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	add_prefixes(10 << 24, BIG_ZONE);
	id = dnl_rule_add(nl, ATTRS(KERNEL, STR(DMM_A_RULE_DST_ZONE, "big")));
	ksft_result(id && dnl_commit(nl) && dnl_stat(nl, DMM_A_STAT_PREFIXES) == BIG_ZONE, "a zone of %d prefixes", BIG_ZONE);
	dnl_dump(nl, DMM_CMD_ZONE_GET, ATTRS(ZONE("big")), take_census, &census, NULL);
	ksft_result(census.nr == BIG_ZONE && census.count == BIG_ZONE && !census.wrong, "a dump of it is complete");
	dnl_ask(nl, DMM_CMD_ZONE_GET, 0, ATTRS(ZONE("big")), &a);
	ksft_result(!a.err && nla_get_u32(a.tb[DMM_A_ZONE_COUNT]) == BIG_ZONE &&
		    addr_of(nla_data(a.tb[DMM_A_ZONE_PREFIXES])) == 10 << 24, "without a dump, its head and its size");
	ksft_result(dnl_explain(nl, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 32, 10, 1, 134, 159))) == id &&
		    !dnl_explain(nl, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 32, 10, 1, 134, 160))), "its last prefix matches");
	dnl_must(nl, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_ID, id)));
	ksft_result(!dnl_do(nl, DMM_CMD_ZONE_DEL, ATTRS(ZONE("big"))) && !dnl_stat(nl, DMM_A_STAT_PREFIXES), "it goes");
	add_prefixes(10 << 24, 1);
	ksft_result(dnl_stat(nl, DMM_A_STAT_PREFIXES) == 1, "and may come back");
	flush();
}

static void count(void *arg, int cmd, struct nlattr **tb)
{
	(void)cmd;
	(void)tb;
	++*(uint32_t *)arg;
}

static uint32_t count_dump(int cmd, const struct attr *attrs)
{
	uint32_t nr = 0;

	dnl_dump(nl, cmd, attrs, count, &nr, NULL);
	return nr;
}

static void test_filters(void)
{
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("a")));
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("b")));
	dnl_must(nl, DMM_CMD_SET_ADD, ATTRS(SET("a"), PORTS(DMM_A_SET_RANGES, { 1, 1 })));
	dnl_must(nl, DMM_CMD_SET_ADD, ATTRS(SET("b"), PORTS(DMM_A_SET_RANGES, { 1, 1 })));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ORIGIN, 0)));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ORIGIN, 1)));
	ksft_result(count_dump(DMM_CMD_ZONE_GET, NO_ATTRS) == 2 && count_dump(DMM_CMD_ZONE_GET, ATTRS(ZONE("b"))) == 1 &&
		    !count_dump(DMM_CMD_ZONE_GET, ATTRS(ZONE("c"))), "a zone by name; empty ones are told, too");
	ksft_result(count_dump(DMM_CMD_SET_GET, NO_ATTRS) == 2 && count_dump(DMM_CMD_SET_GET, ATTRS(SET("b"))) == 1 &&
		    !count_dump(DMM_CMD_SET_GET, ATTRS(SET("c"))), "a port set by name");
	ksft_result(count_dump(DMM_CMD_RULE_GET, NO_ATTRS) == 2 &&
		    count_dump(DMM_CMD_RULE_GET, ATTRS(U8(DMM_A_RULE_ORIGIN, 1))) == 1 &&
		    !count_dump(DMM_CMD_RULE_GET, ATTRS(U8(DMM_A_RULE_ORIGIN, 2))), "rules by origin");
	flush();
}

int main(void)
{
	unsigned int i;

	ksft_header();
	if (unshare(CLONE_NEWNET))
		ksft_skip_all("needs root");
	nl = dnl_open();
	other = dnl_open();
	test_order();
	test_tried();
	test_disturbed();
	test_abandoned();
	for (i = 0; i < ARRAY_SIZE(twins); i++)
		test_twins(&twins[i]);
	test_many_prefixes();
	test_filters();
	ksft_finish();
}
