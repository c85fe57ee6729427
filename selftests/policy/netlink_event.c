// SPDX-License-Identifier: GPL-2.0-only
/*
 * What listeners of the policy group are told of changes: all of a transaction, in its order, when it is committed.
 */
#include "nl.h"

#include <sched.h>

#define ZONE(name)	STR(DMM_A_ZONE_NAME, name)
#define SET(name)	STR(DMM_A_SET_NAME, name)
#define GROUP(name)	STR(DMM_A_GROUP_NAME, name)
#define MEMBERS(...)	{ DMM_A_GROUP_MEMBERS, sizeof((const struct dmm_member[]){ __VA_ARGS__ }),	\
			  (const struct dmm_member[]){ __VA_ARGS__ } }
#define PRIO(n)		U32(DMM_A_RULE_PRIO, n)

static struct dnl *nl, *listener;

/* The events so far, a word each, and the generation of the last commit. */
static struct story {
	char text[2048];
	uint64_t gen;
	uint32_t rule;
	unsigned int prefixes;
} story;

static void __attribute__((format(printf, 1, 2))) tell(const char *format, ...)
{
	size_t len = strlen(story.text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(story.text + len, sizeof(story.text) - len, format, ap);
	va_end(ap);
}

static void tell_ports(struct nlattr *attr)
{
	const struct dmm_port_range *range = nla_data(attr);
	int i;

	for (i = 0; i < nla_len(attr) / (int)sizeof(*range); i++)
		tell("%c%u-%u", i ? ',' : '=', range[i].lo, range[i].hi);
}

static void tell_members(struct nlattr *attr)
{
	const struct dmm_member *m = nla_data(attr);
	int i;

	for (i = 0; i < nla_len(attr) / (int)sizeof(*m); i++)
		tell("%c%s*%u", i ? ',' : '=', m[i].name, m[i].weight);
}

static void take(void *arg, int cmd, struct nlattr **tb)
{
	bool add = cmd == DMM_CMD_ZONE_ADD || cmd == DMM_CMD_SET_ADD || cmd == DMM_CMD_RULE_ADD ||
		   cmd == DMM_CMD_GROUP_ADD;

	(void)arg;
	tell("%s%c", *story.text ? " " : "", add ? '+' : cmd == DMM_CMD_GROUP_SET ? '=' : '-');
	switch (cmd) {
	case DMM_CMD_ZONE_ADD:
	case DMM_CMD_ZONE_DEL:
		tell("zone:%s", nla_get_string(tb[DMM_A_ZONE_NAME]));
		if (tb[DMM_A_ZONE_PREFIXES]) {
			tell("/%zu", nla_len(tb[DMM_A_ZONE_PREFIXES]) / sizeof(struct dmm_prefix));
			story.prefixes += nla_len(tb[DMM_A_ZONE_PREFIXES]) / sizeof(struct dmm_prefix);
		}
		break;
	case DMM_CMD_SET_ADD:
	case DMM_CMD_SET_DEL:
		tell("set:%s", nla_get_string(tb[DMM_A_SET_NAME]));
		if (tb[DMM_A_SET_RANGES])
			tell_ports(tb[DMM_A_SET_RANGES]);
		break;
	case DMM_CMD_GROUP_ADD:
	case DMM_CMD_GROUP_SET:
	case DMM_CMD_GROUP_DEL:
		tell("group:%s", nla_get_string(tb[DMM_A_GROUP_NAME]));
		if (tb[DMM_A_GROUP_MEMBERS])
			tell_members(tb[DMM_A_GROUP_MEMBERS]);
		break;
	case DMM_CMD_RULE_ADD:
	case DMM_CMD_RULE_DEL:
		story.rule = nla_get_u32(tb[DMM_A_RULE_ID]);
		tell("rule:%u", nla_get_u32(tb[DMM_A_RULE_PRIO]));
		break;
	case DMM_CMD_TXN_COMMIT:
		story.gen = nla_get_u64(tb[DMM_A_TXN_GEN]);
		story.text[strlen(story.text) - 1] = '!';
		break;
	default:
		tell("%d?", cmd);
	}
}

/* The events since the last call are these. They are there when the change is. */
static void check(const char *expected, const char *name)
{
	memset(&story, 0, sizeof(story));
	dnl_events(listener, 0, take, NULL);
	if (!ksft_result(!strcmp(story.text, expected), "%s", name))
		ksft_note("expected \"%s\", got \"%s\"", expected, story.text);
}

static void replace_set(const struct attr *attrs)
{
	struct answer a;

	dnl_ask(nl, DMM_CMD_SET_ADD, NLM_F_REPLACE, attrs, &a);
}

static void test_single(void)
{
	uint32_t id;

	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("z"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	check("+zone:z/1 !", "a zone comes with its prefixes");
	ksft_result(story.gen == dnl_generation(nl), "the commit names the generation");
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("z"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 11)));
	check("+zone:z/1 !", "more prefixes");
	dnl_must(nl, DMM_CMD_ZONE_DEL, ATTRS(ZONE("z"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 11)));
	check("-zone:z/1 !", "less prefixes");
	dnl_must(nl, DMM_CMD_SET_ADD, ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 9, 9 }, { 1, 2 }, { 3, 3 })));
	check("+set:s=1-3,9-9 !", "a port set, in order");
	replace_set(ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 80, 80 })));
	check("+set:s=80-80 !", "its ports replaced");
	id = dnl_rule_add(nl, ATTRS(KERNEL, PRIO(3), STR(DMM_A_RULE_DST_ZONE, "z")));
	check("+rule:3 !", "a rule");
	ksft_result(story.rule == id, "with its id");
	dnl_must(nl, DMM_CMD_RULE_DEL, ATTRS(PRIO(3)));
	check("-rule:3 !", "a rule that goes");
	dnl_must(nl, DMM_CMD_SET_DEL, ATTRS(SET("s")));
	check("-set:s !", "a port set that goes");
	dnl_must(nl, DMM_CMD_ZONE_DEL, ATTRS(ZONE("z")));
	check("-zone:z/1 -zone:z !", "a zone goes behind its prefixes");
	dnl_must(nl, DMM_CMD_RULE_ZERO, NO_ATTRS);
	check("", "counters are no change");
	dnl_must(nl, DMM_CMD_GROUP_ADD, ATTRS(GROUP("g"), MEMBERS({ "a", 3 }, { "b@0", 1 })));
	check("+group:g=a*3,b@0*1 !", "a group");
	dnl_must(nl, DMM_CMD_GROUP_SET, ATTRS(GROUP("g"), MEMBERS({ "c", 1 })));
	check("=group:g=c*1 !", "its members replaced");
	dnl_must(nl, DMM_CMD_GROUP_SET, ATTRS(GROUP("h"), MEMBERS({ "c", 1 })));
	check("+group:h=c*1 !", "a group that set makes");
	dnl_must(nl, DMM_CMD_GROUP_DEL, ATTRS(GROUP("g")));
	dnl_must(nl, DMM_CMD_GROUP_DEL, ATTRS(GROUP("h")));
	check("-group:g ! -group:h !", "groups that go");
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("empty")));
	check("+zone:empty !", "a zone without prefixes");
	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("y")));
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("empty"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("y"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 11)));
	dnl_commit(nl);
	check("+zone:y +zone:empty/1 +zone:y/1 !", "prefixes of another zone in between");
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
	dnl_events(listener, 0, take, NULL);
}

static void test_transaction(void)
{
	uint32_t id;

	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(ZONE("z"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	dnl_must(nl, DMM_CMD_SET_ADD, ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 80, 80 })));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(9), STR(DMM_A_RULE_DST_ZONE, "z")));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(1), STR(DMM_A_RULE_DPORT_SET, "s")));
	check("", "an open transaction is silent");
	dnl_commit(nl);
	check("+zone:z/1 +set:s=80-80 +rule:9 +rule:1 !", "a transaction in its order");

	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(5)));
	dnl_must(nl, DMM_CMD_TXN_ABORT, NO_ATTRS);
	check("", "abort is silent");
	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(5)));
	dnl_do(nl, DMM_CMD_RULE_ADD, NO_ATTRS);
	dnl_commit(nl);
	check("", "so is a transaction that fails");
	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	dnl_commit(nl);
	check("", "and one without changes");

	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	id = dnl_rule_add(nl, ATTRS(KERNEL, PRIO(6)));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PRIO(7)));
	dnl_must(nl, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_ID, id)));
	replace_set(ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 81, 81 })));
	replace_set(ATTRS(SET("s"), PORTS(DMM_A_SET_RANGES, { 82, 82 })));
	dnl_commit(nl);
	check("+rule:7 +set:s=82-82 !", "what comes and goes in one transaction was never there");

	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
	check("-rule:1 -rule:7 -rule:9 -set:s -zone:z/1 -zone:z !", "flush");
}

/* More than one message can hold. */
static void test_long(void)
{
	static struct dmm_prefix prefixes[3000];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++)
		prefixes[i] = (struct dmm_prefix){ .family = 2, .len = 32, .addr = { 10, 1, i >> 8, i & 255 } };
	dnl_must(nl, DMM_CMD_ZONE_ADD, ((const struct attr[]){ ZONE("z"),
		 { DMM_A_ZONE_PREFIXES, sizeof(prefixes), prefixes }, { 0 } }));
	memset(&story, 0, sizeof(story));
	dnl_events(listener, 0, take, NULL);
	ksft_result(story.prefixes == ARRAY_SIZE(prefixes) && story.gen == dnl_generation(nl),
		    "%zu prefixes", ARRAY_SIZE(prefixes));
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
	memset(&story, 0, sizeof(story));
	dnl_events(listener, 0, take, NULL);
	ksft_result(story.prefixes == ARRAY_SIZE(prefixes) && story.gen == dnl_generation(nl), "all of them go");
}

int main(void)
{
	ksft_header();
	if (unshare(CLONE_NEWNET))
		ksft_skip_all("needs root");
	nl = dnl_open();
	listener = dnl_open();
	dnl_join(listener, DMM_MCGRP_POLICY);
	test_single();
	test_transaction();
	test_long();
	ksft_finish();
}
