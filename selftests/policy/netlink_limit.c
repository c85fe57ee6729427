// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much a namespace can have: one more is refused, one less leaves room for another, and a rule that was refused
 * leaves nothing behind.
 */
#include "nl.h"

#include <sched.h>

static struct dnl *nl;

static bool refused(int cmd, const struct attr *attrs, const char *text)
{
	struct answer a;

	dnl_ask(nl, cmd, 0, attrs, &a);
	if (a.err == -E2BIG && !strcmp(a.text, text))
		return true;
	ksft_note("got %s, \"%s\"", strerror(-a.err), a.text);
	return false;
}

/* A rule of a mask of its own: prefix lengths make 64. */
static int add_mask(int i)
{
	struct dmm_prefix prefix = { .family = 10, .len = i };

	return dnl_do(nl, DMM_CMD_RULE_ADD, ((const struct attr[]){ KERNEL, U32(DMM_A_RULE_PRIO, i),
		      { DMM_A_RULE_DST, sizeof(prefix), &prefix }, { 0 } }));
}

static void test_masks(void)
{
	static const char text[] =
		"too many different combinations of keys and prefix lengths among the rules";
	bool added = true;
	uint64_t before;
	int i;

	for (i = 0; i < 64; i++)
		added &= !add_mask(i);
	ksft_result(added && dnl_stat(nl, DMM_A_STAT_MASKS) == 64, "64 masks");
	before = dnl_fingerprint(nl);
	ksft_result(refused(DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_DSCP, 1)), text), "not 65");
	ksft_result(dnl_fingerprint(nl) == before && dnl_stat(nl, DMM_A_STAT_MASKS) == 64, "nothing is left of that");
	ksft_result(!add_mask(5) && dnl_stat(nl, DMM_A_STAT_MASKS) == 64, "rules of the same masks still can come");

	/* In one transaction, both ways round. */
	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	dnl_must(nl, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_PRIO, 7)));
	ksft_result(!dnl_do(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_DSCP, 1))) && dnl_commit(nl) &&
		    dnl_stat(nl, DMM_A_STAT_MASKS) == 64, "a mask that goes makes room");
	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	ksft_result(refused(DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ROLE, 1)), text), "but not before it goes");
	dnl_must(nl, DMM_CMD_TXN_ABORT, NO_ATTRS);
	/* A deletion that is undone takes its place again. */
	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	dnl_must(nl, DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_PRIO, 8)));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ROLE, 1)));
	dnl_must(nl, DMM_CMD_TXN_ABORT, NO_ATTRS);
	ksft_result(dnl_stat(nl, DMM_A_STAT_MASKS) == 64 &&
		    refused(DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ROLE, 1)), text), "nor when that was undone");
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
	ksft_result(dnl_stat(nl, DMM_A_STAT_MASKS) == 0 && !add_mask(100), "all go");
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
}

/* Rules that the classifier cannot tell apart, for ranges are compared one by one. */
static void test_ranges(void)
{
	static const char text[] = "too many rules that differ in ranges or lists only";
	bool added = true;
	int i;

	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	for (i = 0; i < 4096; i++)
		added &= !dnl_do(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, PORTS(DMM_A_RULE_DPORTS, { i, i + 1 })));
	ksft_result(added && dnl_commit(nl), "4096 rules that differ in ranges only");
	ksft_result(refused(DMM_CMD_RULE_ADD, ATTRS(KERNEL, PORTS(DMM_A_RULE_DPORTS, { 5000, 5001 })), text), "not 4097");
	ksft_result(dnl_explain(nl, ATTRS(U16(DMM_A_EXPLAIN_DPORT, 4096))) != 0 &&
		    dnl_explain(nl, ATTRS(U16(DMM_A_EXPLAIN_DPORT, 4097))) == 0, "the last one matches");
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
}

static void test_names(void)
{
	char name[8];
	bool zones = true, sets = true;
	int i;

	dnl_must(nl, DMM_CMD_TXN_BEGIN, NO_ATTRS);
	for (i = 0; i < 4096; i++) {
		snprintf(name, sizeof(name), "n%06d", i);
		zones &= !dnl_do(nl, DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, name)));
		sets &= !dnl_do(nl, DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, name),
							  PORTS(DMM_A_SET_RANGES, { i, i })));
	}
	ksft_result(zones && sets && dnl_commit(nl) && dnl_stat(nl, DMM_A_STAT_ZONES) == 4096 &&
		    dnl_stat(nl, DMM_A_STAT_SETS) == 4096, "4096 zones and 4096 port sets");
	ksft_result(refused(DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "z")), "too many zones"), "not 4097 zones");
	ksft_result(refused(DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "s"), PORTS(DMM_A_SET_RANGES, { 1, 1 })),
			    "too many port sets"), "not 4097 port sets");
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
	ksft_result(!dnl_stat(nl, DMM_A_STAT_ZONES) && !dnl_stat(nl, DMM_A_STAT_SETS) &&
		    !dnl_do(nl, DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "z"))), "all go");
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
}

/* The largest objects that one message can say. */
static void test_largest(void)
{
	struct dmm_port_range ranges[512];
	struct answer a;
	uint32_t id;
	int i;

	for (i = 0; i < 512; i++)
		ranges[i] = (struct dmm_port_range){ .lo = 128 * i, .hi = 128 * i + 1 };
	dnl_must(nl, DMM_CMD_SET_ADD, ((const struct attr[]){ STR(DMM_A_SET_NAME, "s"),
		 { DMM_A_SET_RANGES, sizeof(ranges), ranges }, { 0 } }));
	dnl_ask(nl, DMM_CMD_SET_GET, 0, ATTRS(STR(DMM_A_SET_NAME, "s")), &a);
	ksft_result(!a.err && nla_len(a.tb[DMM_A_SET_RANGES]) == sizeof(ranges) &&
		    !memcmp(nla_data(a.tb[DMM_A_SET_RANGES]), ranges, sizeof(ranges)), "a set of 512 ranges");

	id = dnl_rule_add(nl, ((const struct attr[]){
		{ DMM_A_RULE_SPORTS, 64 * sizeof(*ranges), ranges }, { DMM_A_RULE_DPORTS, 64 * sizeof(*ranges), ranges },
		BIN(DMM_A_RULE_CGROUP, '/', [1 ... 254] = 'x', 0), KERNEL, STR(DMM_A_RULE_STACK, "a234567890123456789012345678901"),
		KERNEL, KERNEL, KERNEL, KERNEL, KERNEL, STR(DMM_A_RULE_STACK, "b234567890123456789012345678901"),
		STR(DMM_A_RULE_DEV, "a23456789012345"), STR(DMM_A_RULE_COMM, "b23456789012345"), { 0 } }));
	dnl_ask(nl, DMM_CMD_RULE_GET, 0, ATTRS(U32(DMM_A_RULE_ID, id)), &a);
	ksft_result(id && !a.err && nla_len(a.tb[DMM_A_RULE_SPORTS]) == 256 && nla_len(a.tb[DMM_A_RULE_DPORTS]) == 256 &&
		    nla_len(a.tb[DMM_A_RULE_CGROUP]) == 256 &&
		    !strcmp(nla_get_string(a.tb[DMM_A_RULE_STACK]), "b234567890123456789012345678901"),
		    "a rule with all that it can hold");
	ksft_result(!dnl_do(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_CGROUP,
			    "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"))), "a cgroup of 16 levels");
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
}

int main(void)
{
	ksft_header();
	if (unshare(CLONE_NEWNET))
		ksft_skip_all("needs root");
	nl = dnl_open();
	test_masks();
	test_ranges();
	test_names();
	test_largest();
	ksft_finish();
}
