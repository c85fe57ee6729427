// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each request that the kernel must refuse, with the errno, the text and the attribute that it has to name, and that
 * none of them changes anything.
 */
#include "nl.h"

#include <sched.h>
#include <sys/socket.h>
#include <netlink/genl/genl.h>

/* Said by the netlink core, whose words are not ours to test; that it says something is. */
#define CORE		NULL

#define NAME31		"a123456789012345678901234567890"
/* MEMBERS({ name, weight }, ...) */
#define MEMBERS(...)	{ DMM_A_GROUP_MEMBERS, sizeof((const struct dmm_member[]){ __VA_ARGS__ }),	\
			  (const struct dmm_member[]){ __VA_ARGS__ } }
#define LEVEL8		"/a/b/c/d/e/f/g/h"

static const struct refusal {
	const char *what;
	int cmd;
	const struct attr *attrs;
	int err;
	const char *text;	/* on newer kernels the name of something may follow */
	int attr;
	int flags;
} refusals[] = {
	{ "command 0", 0, NO_ATTRS, EOPNOTSUPP, "", 0, 0 },
	{ "command behind the last", DMM_CMD_MAX + 1, NO_ATTRS, EOPNOTSUPP, "", 0, 0 },
	{ "dump of what has none", DMM_CMD_STAT_GET, NO_ATTRS, EOPNOTSUPP, "", 0, NLM_F_DUMP },

	/* transactions */
	{ "commit without begin", DMM_CMD_TXN_COMMIT, NO_ATTRS, EINVAL, "no transaction is open", 0, 0 },
	{ "begin on generation 0", DMM_CMD_TXN_BEGIN, ATTRS(U64(DMM_A_TXN_GEN, 0)), ESTALE,
	  "the table has changed", DMM_A_TXN_GEN, 0 },
	{ "begin on a generation to come", DMM_CMD_TXN_BEGIN, ATTRS(U64(DMM_A_TXN_GEN, 1ull << 63)), ESTALE,
	  "the table has changed", DMM_A_TXN_GEN, 0 },
	{ "generation of 4 bytes", DMM_CMD_TXN_BEGIN, ATTRS(U32(DMM_A_TXN_GEN, 1)), EINVAL, CORE, DMM_A_TXN_GEN, 0 },

	/* zones */
	{ "zone without name", DMM_CMD_ZONE_ADD, NO_ATTRS, EINVAL, "the name is missing", 0, 0 },
	{ "zone with an empty name", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "")), EINVAL,
	  "names are made of letters, digits and _.- and start with a letter or digit", DMM_A_ZONE_NAME, 0 },
	{ "zone with a blank", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "a b")), EINVAL,
	  "names are made of letters, digits", DMM_A_ZONE_NAME, 0 },
	{ "zone with a leading dash", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "-a")), EINVAL,
	  "names are made of letters, digits", DMM_A_ZONE_NAME, 0 },
	{ "zone with bytes above 127", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "z\xc3\xa4hl")), EINVAL,
	  "names are made of letters, digits", DMM_A_ZONE_NAME, 0 },
	{ "zone with a name of 32 bytes", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, NAME31 "x")), EINVAL, CORE,
	  DMM_A_ZONE_NAME, 0 },
	{ "zone name without end", DMM_CMD_ZONE_ADD, ATTRS(BIN(DMM_A_ZONE_NAME, 'a', 'b')), EINVAL, CORE,
	  DMM_A_ZONE_NAME, 0 },
	{ "zone of an unknown origin", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "new"), U8(DMM_A_ZONE_ORIGIN, 4)),
	  ERANGE, CORE, DMM_A_ZONE_ORIGIN, 0 },
	{ "prefixes for loopback", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "loopback"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 8, 11)), EPERM, "the zone is built in", DMM_A_ZONE_NAME, 0 },
	{ "prefixes for local", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "local"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 8, 11)), EPERM, "the zone is built in", DMM_A_ZONE_NAME, 0 },
	{ "prefixes for internet", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "internet"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 8, 11)), EPERM, "the zone is built in", DMM_A_ZONE_NAME, 0 },
	{ "zone of another origin", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"), U8(DMM_A_ZONE_ORIGIN, 1)),
	  EEXIST, "the object is of another origin", DMM_A_ZONE_ORIGIN, 0 },
	{ "half a prefix", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  BIN(DMM_A_ZONE_PREFIXES, AF_INET, 8, 0, 0, 11, 0, 0, 0)), EINVAL,
	  "the prefixes are not an array of struct dmm_prefix", DMM_A_ZONE_PREFIXES, 0 },
	{ "a prefix of no family", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  BIN(DMM_A_ZONE_PREFIXES, [19] = 0)), EAFNOSUPPORT,
	  "the prefix is neither of AF_INET nor of AF_INET6", DMM_A_ZONE_PREFIXES, 0 },
	{ "a prefix of 33 bits", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 33, 11)), EINVAL, "the prefix is too long", DMM_A_ZONE_PREFIXES, 0 },
	{ "a prefix of 129 bits", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  ADDR6(DMM_A_ZONE_PREFIXES, 129, 0xfd)), EINVAL, "the prefix is too long", DMM_A_ZONE_PREFIXES, 0 },
	{ "a prefix with padding", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  BIN(DMM_A_ZONE_PREFIXES, AF_INET, 8, 1, 0, 11, [19] = 0)), EINVAL,
	  "unused bytes of the prefix are not zero", DMM_A_ZONE_PREFIXES, 0 },
	{ "an IPv4 prefix with bytes behind it", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  BIN(DMM_A_ZONE_PREFIXES, AF_INET, 8, 0, 0, 11, [19] = 1)), EINVAL,
	  "unused bytes of the prefix are not zero", DMM_A_ZONE_PREFIXES, 0 },
	{ "11.0.0.1/8", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 8, 11, 0, 0, 1)), EINVAL,
	  "the prefix has bits set behind its length", DMM_A_ZONE_PREFIXES, 0 },
	{ "128.0.0.0/0", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 0, 128)), EINVAL,
	  "the prefix has bits set behind its length", DMM_A_ZONE_PREFIXES, 0 },
	{ "fd00::1/127", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  ADDR6(DMM_A_ZONE_PREFIXES, 127, 0xfd, [15] = 1)), EINVAL,
	  "the prefix has bits set behind its length", DMM_A_ZONE_PREFIXES, 0 },
	{ "::ffff:11.0.0.0/100", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  ADDR6(DMM_A_ZONE_PREFIXES, 100, [10] = 0xff, 0xff, 11)), EINVAL,
	  "the prefix has bits set behind its length", DMM_A_ZONE_PREFIXES, 0 },
	{ "a prefix for the second time", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)), EEXIST, "the prefix is in a zone already", DMM_A_ZONE_PREFIXES, 0 },
	{ "a prefix of another zone", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "new"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)), EEXIST, "the prefix is in a zone already", DMM_A_ZONE_PREFIXES, 0 },
	{ "a prefix of another zone as IPv6", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "new"),
	  ADDR6(DMM_A_ZONE_PREFIXES, 104, [10] = 0xff, 0xff, 10)), EEXIST, "the prefix is in a zone already",
	  DMM_A_ZONE_PREFIXES, 0 },
	{ "a prefix twice", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "new"),
	  BIN(DMM_A_ZONE_PREFIXES, AF_INET, 8, 0, 0, 12, [20] = AF_INET, 8, 0, 0, 12, [39] = 0)), EEXIST,
	  "the prefix is in a zone already", DMM_A_ZONE_PREFIXES, 0 },
	{ "a good prefix and a bad one", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "new"),
	  BIN(DMM_A_ZONE_PREFIXES, AF_INET, 8, 0, 0, 12, [20] = AF_INET, 8, 0, 0, 13, 1, [39] = 0)), EINVAL,
	  "the prefix has bits set behind its length", DMM_A_ZONE_PREFIXES, 0 },
	{ "an attribute that zones do not have", DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "new"),
	  U32(DMM_A_ZONE_COUNT, 1)), EINVAL, CORE, DMM_A_ZONE_COUNT, 0 },
	{ "deleting no zone", DMM_CMD_ZONE_DEL, NO_ATTRS, EINVAL, "the name is missing", 0, 0 },
	{ "deleting an unknown zone", DMM_CMD_ZONE_DEL, ATTRS(STR(DMM_A_ZONE_NAME, "unknown")), ENOENT,
	  "no such zone", DMM_A_ZONE_NAME, 0 },
	{ "deleting loopback", DMM_CMD_ZONE_DEL, ATTRS(STR(DMM_A_ZONE_NAME, "loopback")), EPERM,
	  "the zone is built in", DMM_A_ZONE_NAME, 0 },
	{ "deleting a prefix of loopback", DMM_CMD_ZONE_DEL, ATTRS(STR(DMM_A_ZONE_NAME, "loopback"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 8, 127)), EPERM, "the zone is built in", DMM_A_ZONE_NAME, 0 },
	{ "deleting a zone of another origin", DMM_CMD_ZONE_DEL, ATTRS(STR(DMM_A_ZONE_NAME, "free"),
	  U8(DMM_A_ZONE_ORIGIN, 1)), EEXIST, "the object is of another origin", DMM_A_ZONE_ORIGIN, 0 },
	{ "deleting a zone that a rule names", DMM_CMD_ZONE_DEL, ATTRS(STR(DMM_A_ZONE_NAME, "lan")), EBUSY,
	  "a rule names the zone", DMM_A_ZONE_NAME, 0 },
	{ "deleting a prefix that the zone has not", DMM_CMD_ZONE_DEL, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 9, 10)), ENOENT, "the prefix is not in the zone", DMM_A_ZONE_PREFIXES, 0 },
	{ "deleting a prefix of another zone", DMM_CMD_ZONE_DEL, ATTRS(STR(DMM_A_ZONE_NAME, "free"),
	  ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)), ENOENT, "the prefix is not in the zone", DMM_A_ZONE_PREFIXES, 0 },
	{ "deleting a prefix twice", DMM_CMD_ZONE_DEL, ATTRS(STR(DMM_A_ZONE_NAME, "lan"),
	  BIN(DMM_A_ZONE_PREFIXES, AF_INET, 8, 0, 0, 10, [20] = AF_INET, 8, 0, 0, 10, [39] = 0)), ENOENT,
	  "the prefix is not in the zone", DMM_A_ZONE_PREFIXES, 0 },
	{ "asking for no zone", DMM_CMD_ZONE_GET, NO_ATTRS, EINVAL, "the name is missing", 0, 0 },
	{ "asking for an unknown zone", DMM_CMD_ZONE_GET, ATTRS(STR(DMM_A_ZONE_NAME, "unknown")), ENOENT,
	  "no such zone", DMM_A_ZONE_NAME, 0 },

	/* port sets */
	{ "set without name", DMM_CMD_SET_ADD, ATTRS(PORTS(DMM_A_SET_RANGES, { 1, 2 })), EINVAL,
	  "the name is missing", 0, 0 },
	{ "set with a slash", DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "a/b"), PORTS(DMM_A_SET_RANGES, { 1, 2 })),
	  EINVAL, "names are made of letters, digits", DMM_A_SET_NAME, 0 },
	{ "set without ports", DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "new")), EINVAL,
	  "the port ranges are missing", 0, 0 },
	{ "set with no port at all", DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "new"), NONE(DMM_A_SET_RANGES)), EINVAL,
	  "the ports are not an array of struct dmm_port_range", DMM_A_SET_RANGES, 0 },
	{ "set with half a range", DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "new"), BIN(DMM_A_SET_RANGES, 1, 0)),
	  EINVAL, "the ports are not an array of struct dmm_port_range", DMM_A_SET_RANGES, 0 },
	{ "set with a range upside down", DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "new"),
	  PORTS(DMM_A_SET_RANGES, { 1, 2 }, { 9, 8 })), EINVAL, "a port range ends before it starts",
	  DMM_A_SET_RANGES, 0 },
	{ "set of 513 ranges", DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "new"),
	  PORTS(DMM_A_SET_RANGES, [512] = { 1, 1 })), E2BIG, "too many port ranges", DMM_A_SET_RANGES, 0 },
	{ "set that exists", DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "web"), PORTS(DMM_A_SET_RANGES, { 1, 2 })),
	  EEXIST, "the port set exists", DMM_A_SET_NAME, 0 },
	{ "replacing a set of another origin", DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "web"),
	  U8(DMM_A_SET_ORIGIN, 2), PORTS(DMM_A_SET_RANGES, { 1, 2 })), EEXIST, "the object is of another origin",
	  DMM_A_SET_ORIGIN, NLM_F_REPLACE },
	{ "deleting no set", DMM_CMD_SET_DEL, NO_ATTRS, EINVAL, "the name is missing", 0, 0 },
	{ "deleting an unknown set", DMM_CMD_SET_DEL, ATTRS(STR(DMM_A_SET_NAME, "unknown")), ENOENT,
	  "no such port set", DMM_A_SET_NAME, 0 },
	{ "deleting a set that a rule names", DMM_CMD_SET_DEL, ATTRS(STR(DMM_A_SET_NAME, "web")), EBUSY,
	  "a rule names the port set", DMM_A_SET_NAME, 0 },
	{ "asking for no set", DMM_CMD_SET_GET, NO_ATTRS, EINVAL, "the name is missing", 0, 0 },
	{ "asking for an unknown set", DMM_CMD_SET_GET, ATTRS(STR(DMM_A_SET_NAME, "unknown")), ENOENT,
	  "no such port set", DMM_A_SET_NAME, 0 },

	/* groups */
	{ "group without name", DMM_CMD_GROUP_ADD, ATTRS(MEMBERS({ "a", 1 })), EINVAL, "the name is missing", 0, 0 },
	{ "group with a slash", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "a/b"), MEMBERS({ "a", 1 })), EINVAL,
	  "names are made of letters, digits", DMM_A_GROUP_NAME, 0 },
	{ "group of an unknown origin", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new"), U8(DMM_A_GROUP_ORIGIN, 4),
	  MEMBERS({ "a", 1 })), ERANGE, CORE, DMM_A_GROUP_ORIGIN, 0 },
	{ "group without members", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new")), EINVAL,
	  "the members are missing", 0, 0 },
	{ "group of no member", DMM_CMD_GROUP_SET, ATTRS(STR(DMM_A_GROUP_NAME, "new"), NONE(DMM_A_GROUP_MEMBERS)), EINVAL,
	  "the members are not an array of struct dmm_member", DMM_A_GROUP_MEMBERS, 0 },
	{ "group of half a member", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new"),
	  BIN(DMM_A_GROUP_MEMBERS, 'a', 0)), EINVAL, "the members are not an array of struct dmm_member",
	  DMM_A_GROUP_MEMBERS, 0 },
	{ "group of 33 members", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new"), MEMBERS([32] = { "a", 1 })), E2BIG,
	  "too many members", DMM_A_GROUP_MEMBERS, 0 },
	{ "member without name", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new"), MEMBERS({ "", 1 })), EINVAL,
	  "not a name of a stack", DMM_A_GROUP_MEMBERS, 0 },
	{ "member with a name without end", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new"),
	  MEMBERS({ NAME31 "x", 1 })), EINVAL, "not a name of a stack", DMM_A_GROUP_MEMBERS, 0 },
	{ "member without weight", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new"), MEMBERS({ "a", 1 }, { "b", 0 })),
	  EINVAL, "a weight is out of range", DMM_A_GROUP_MEMBERS, 0 },
	{ "member of weight 1001", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new"), MEMBERS({ "a", 1001 })), EINVAL,
	  "a weight is out of range", DMM_A_GROUP_MEMBERS, 0 },
	{ "member that comes twice", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "new"),
	  MEMBERS({ "a@0", 1 }, { "b", 1 }, { "a@0", 2 })), EINVAL, "a member comes twice", DMM_A_GROUP_MEMBERS, 0 },
	{ "group that exists", DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "farm"), MEMBERS({ "a", 1 })), EEXIST,
	  "the group exists", DMM_A_GROUP_NAME, 0 },
	{ "replacing a group of another origin", DMM_CMD_GROUP_SET, ATTRS(STR(DMM_A_GROUP_NAME, "farm"),
	  U8(DMM_A_GROUP_ORIGIN, 2), MEMBERS({ "a", 1 })), EEXIST, "the object is of another origin",
	  DMM_A_GROUP_ORIGIN, 0 },
	{ "deleting no group", DMM_CMD_GROUP_DEL, NO_ATTRS, EINVAL, "the name is missing", 0, 0 },
	{ "deleting an unknown group", DMM_CMD_GROUP_DEL, ATTRS(STR(DMM_A_GROUP_NAME, "unknown")), ENOENT,
	  "no such group", DMM_A_GROUP_NAME, 0 },
	{ "deleting a group that a rule names", DMM_CMD_GROUP_DEL, ATTRS(STR(DMM_A_GROUP_NAME, "farm")), EBUSY,
	  "a rule names the group", DMM_A_GROUP_NAME, 0 },
	{ "asking for no group", DMM_CMD_GROUP_GET, NO_ATTRS, EINVAL, "the name is missing", 0, 0 },
	{ "asking for an unknown group", DMM_CMD_GROUP_GET, ATTRS(STR(DMM_A_GROUP_NAME, "unknown")), ENOENT,
	  "no such group", DMM_A_GROUP_NAME, 0 },

	/* stacks */
	{ "asking for no instance", DMM_CMD_STACK_GET, ATTRS(STR(DMM_A_STACK_STACK, "a")), EINVAL,
	  "which instance: stack or instance is missing", 0, 0 },
	{ "asking for an unknown instance", DMM_CMD_STACK_GET, ATTRS(STR(DMM_A_STACK_STACK, "a"),
	  STR(DMM_A_STACK_INSTANCE, "0")), ENOENT, "no such instance", DMM_A_STACK_INSTANCE, 0 },
	{ "sharing nothing", DMM_CMD_STACK_SHARE, ATTRS(U32(DMM_A_STACK_NETNS_PID, 1)), EINVAL,
	  "which instance: stack or instance is missing", 0, 0 },
	{ "sharing with nobody", DMM_CMD_STACK_SHARE, ATTRS(STR(DMM_A_STACK_STACK, "a"), STR(DMM_A_STACK_INSTANCE, "0")),
	  EINVAL, "which namespace: either netns-fd or netns-pid is needed", 0, 0 },
	{ "sharing with two", DMM_CMD_STACK_SHARE, ATTRS(STR(DMM_A_STACK_STACK, "a"), STR(DMM_A_STACK_INSTANCE, "0"),
	  U32(DMM_A_STACK_NETNS_FD, 0), U32(DMM_A_STACK_NETNS_PID, 1)), EINVAL,
	  "which namespace: either netns-fd or netns-pid is needed", 0, 0 },
	{ "sharing with no descriptor", DMM_CMD_STACK_SHARE, ATTRS(STR(DMM_A_STACK_STACK, "a"),
	  STR(DMM_A_STACK_INSTANCE, "0"), U32(DMM_A_STACK_NETNS_FD, 9999)), EBADF, "no such network namespace",
	  DMM_A_STACK_NETNS_FD, 0 },
	{ "sharing with no process", DMM_CMD_STACK_UNSHARE, ATTRS(STR(DMM_A_STACK_STACK, "a"),
	  STR(DMM_A_STACK_INSTANCE, "0"), U32(DMM_A_STACK_NETNS_PID, 0)), ESRCH, "no such network namespace",
	  DMM_A_STACK_NETNS_PID, 0 },
	{ "sharing an unknown instance", DMM_CMD_STACK_SHARE, ATTRS(STR(DMM_A_STACK_STACK, "a"),
	  STR(DMM_A_STACK_INSTANCE, "0"), U32(DMM_A_STACK_NETNS_PID, 1)), ENOENT, "no such instance",
	  DMM_A_STACK_INSTANCE, 0 },
	{ "an event as a request", DMM_CMD_STACK_ADD, NO_ATTRS, EOPNOTSUPP, "", 0, 0 },

	/* rules: place */
	{ "rule without action", DMM_CMD_RULE_ADD, NO_ATTRS, EINVAL, "the rule names no stack", 0, 0 },
	{ "rule with an id", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_ID, 1)), EINVAL, CORE, DMM_A_RULE_ID, 0 },
	{ "rule with hits", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U64(DMM_A_RULE_HITS, 1)), EINVAL, CORE, DMM_A_RULE_HITS, 0 },
	{ "priority 32767", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 32767)), ERANGE, CORE,
	  DMM_A_RULE_PRIO, 0 },
	{ "priority of one byte", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_PRIO, 1)), EINVAL, CORE,
	  DMM_A_RULE_PRIO, 0 },
	{ "unknown origin", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ORIGIN, 4)), ERANGE, CORE,
	  DMM_A_RULE_ORIGIN, 0 },
	{ "crd before its band", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ORIGIN, DMM_ORIGIN_CRD),
	  U32(DMM_A_RULE_PRIO, 9999)), EINVAL, "the priority is outside the band of the origin", DMM_A_RULE_PRIO, 0 },
	{ "crd behind its band", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ORIGIN, DMM_ORIGIN_CRD),
	  U32(DMM_A_RULE_PRIO, 20000)), EINVAL, "the priority is outside the band of the origin", DMM_A_RULE_PRIO, 0 },
	{ "learned before its band", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ORIGIN, DMM_ORIGIN_LEARNED),
	  U32(DMM_A_RULE_PRIO, 19999)), EINVAL, "the priority is outside the band of the origin", DMM_A_RULE_PRIO, 0 },
	{ "learned behind its band", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ORIGIN, DMM_ORIGIN_LEARNED),
	  U32(DMM_A_RULE_PRIO, 30000)), EINVAL, "the priority is outside the band of the origin", DMM_A_RULE_PRIO, 0 },

	/* rules: keys */
	{ "role 3", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ROLE, 3)), ERANGE, CORE, DMM_A_RULE_ROLE, 0 },
	{ "type SOCK_RAW", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_TYPE, SOCK_RAW)), EINVAL,
	  "the type is neither SOCK_STREAM nor SOCK_DGRAM", DMM_A_RULE_TYPE, 0 },
	{ "type 0", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_TYPE, 0)), EINVAL,
	  "the type is neither SOCK_STREAM nor SOCK_DGRAM", DMM_A_RULE_TYPE, 0 },
	{ "family AF_UNIX", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_FAMILY, AF_UNIX)), EINVAL,
	  "the family is neither AF_INET nor AF_INET6", DMM_A_RULE_FAMILY, 0 },
	{ "family 0", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_FAMILY, 0)), EINVAL,
	  "the family is neither AF_INET nor AF_INET6", DMM_A_RULE_FAMILY, 0 },
	{ "an IPv6 destination for IPv4", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_FAMILY, AF_INET),
	  ADDR6(DMM_A_RULE_DST, 8, 0xfd)), EINVAL, "the prefix is not of the rule's family", DMM_A_RULE_DST, 0 },
	{ "an IPv4 source for IPv6", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_FAMILY, AF_INET6),
	  ADDR4(DMM_A_RULE_SRC, 8, 11)), EINVAL, "the prefix is not of the rule's family", DMM_A_RULE_SRC, 0 },
	{ "a v4-mapped source for IPv6", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_FAMILY, AF_INET6),
	  ADDR6(DMM_A_RULE_SRC, 104, [10] = 0xff, 0xff, 11)), EINVAL, "the prefix is not of the rule's family",
	  DMM_A_RULE_SRC, 0 },
	{ "prefixes of two families", DMM_CMD_RULE_ADD, ATTRS(KERNEL, ADDR4(DMM_A_RULE_SRC, 8, 11),
	  ADDR6(DMM_A_RULE_DST, 8, 0xfd)), EINVAL, "the two prefixes are of different families", DMM_A_RULE_DST, 0 },
	{ "a destination of four bytes", DMM_CMD_RULE_ADD, ATTRS(KERNEL, BIN(DMM_A_RULE_DST, 10, 0, 0, 1)), EINVAL,
	  "the prefix is not a struct dmm_prefix", DMM_A_RULE_DST, 0 },
	{ "an empty source", DMM_CMD_RULE_ADD, ATTRS(KERNEL, NONE(DMM_A_RULE_SRC)), EINVAL,
	  "the prefix is not a struct dmm_prefix", DMM_A_RULE_SRC, 0 },
	{ "two prefixes in one", DMM_CMD_RULE_ADD, ATTRS(KERNEL,
	  BIN(DMM_A_RULE_SRC, AF_INET, 8, 0, 0, 12, [20] = AF_INET, 8, 0, 0, 13, [39] = 0)), EINVAL,
	  "the prefix is not a struct dmm_prefix", DMM_A_RULE_SRC, 0 },
	{ "dst 10.1.2.3/24", DMM_CMD_RULE_ADD, ATTRS(KERNEL, ADDR4(DMM_A_RULE_DST, 24, 10, 1, 2, 3)), EINVAL,
	  "the prefix has bits set behind its length", DMM_A_RULE_DST, 0 },
	{ "src fd00::1/64", DMM_CMD_RULE_ADD, ATTRS(KERNEL, ADDR6(DMM_A_RULE_SRC, 64, 0xfd, [15] = 1)), EINVAL,
	  "the prefix has bits set behind its length", DMM_A_RULE_SRC, 0 },
	{ "an unknown destination zone", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_DST_ZONE, "unknown")), ENOENT,
	  "no such zone", DMM_A_RULE_DST_ZONE, 0 },
	{ "an unknown source zone", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_SRC_ZONE, "unknown")), ENOENT,
	  "no such zone", DMM_A_RULE_SRC_ZONE, 0 },
	{ "an empty zone name", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_SRC_ZONE, "")), ENOENT,
	  "no such zone", DMM_A_RULE_SRC_ZONE, 0 },
	{ "a zone name of 32 bytes", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_SRC_ZONE, NAME31 "x")), EINVAL,
	  CORE, DMM_A_RULE_SRC_ZONE, 0 },
	{ "no ports", DMM_CMD_RULE_ADD, ATTRS(KERNEL, NONE(DMM_A_RULE_DPORTS)), EINVAL,
	  "the ports are not an array of struct dmm_port_range", DMM_A_RULE_DPORTS, 0 },
	{ "a port of two bytes", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U16(DMM_A_RULE_SPORTS, 80)), EINVAL,
	  "the ports are not an array of struct dmm_port_range", DMM_A_RULE_SPORTS, 0 },
	{ "a local port range upside down", DMM_CMD_RULE_ADD, ATTRS(KERNEL, PORTS(DMM_A_RULE_SPORTS, { 2, 1 })), EINVAL,
	  "a port range ends before it starts", DMM_A_RULE_SPORTS, 0 },
	{ "a remote port range upside down", DMM_CMD_RULE_ADD, ATTRS(KERNEL,
	  PORTS(DMM_A_RULE_DPORTS, { 1, 2 }, { 65535, 0 })), EINVAL, "a port range ends before it starts",
	  DMM_A_RULE_DPORTS, 0 },
	{ "65 port ranges", DMM_CMD_RULE_ADD, ATTRS(KERNEL, PORTS(DMM_A_RULE_DPORTS, [64] = { 1, 1 })), E2BIG,
	  "too many port ranges", DMM_A_RULE_DPORTS, 0 },
	{ "ports by number and by set", DMM_CMD_RULE_ADD, ATTRS(KERNEL, PORTS(DMM_A_RULE_DPORTS, { 1, 1 }),
	  STR(DMM_A_RULE_DPORT_SET, "web")), EINVAL, "ports are given by number and by set", DMM_A_RULE_DPORT_SET, 0 },
	{ "an unknown remote port set", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_DPORT_SET, "unknown")), ENOENT,
	  "no such port set", DMM_A_RULE_DPORT_SET, 0 },
	{ "an unknown local port set", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_SPORT_SET, "unknown")), ENOENT,
	  "no such port set", DMM_A_RULE_SPORT_SET, 0 },
	{ "the name of a zone for a set", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_SPORT_SET, "lan")), ENOENT,
	  "no such port set", DMM_A_RULE_SPORT_SET, 0 },
	{ "a uid without upper limit", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_UID_LO, 1)), EINVAL,
	  "a range needs both its limits", DMM_A_RULE_UID_LO, 0 },
	{ "a uid without lower limit", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_UID_HI, 1)), EINVAL,
	  "a range needs both its limits", DMM_A_RULE_UID_HI, 0 },
	{ "uids upside down", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_UID_LO, 2), U32(DMM_A_RULE_UID_HI, 1)),
	  EINVAL, "a range ends before it starts", DMM_A_RULE_UID_HI, 0 },
	{ "uid -1", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_UID_LO, 0), U32(DMM_A_RULE_UID_HI, ~0u)), EINVAL,
	  "the uids are not mapped in the user namespace", DMM_A_RULE_UID_LO, 0 },
	{ "a gid without upper limit", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_GID_LO, 1)), EINVAL,
	  "a range needs both its limits", DMM_A_RULE_GID_LO, 0 },
	{ "a gid without lower limit", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_GID_HI, 1)), EINVAL,
	  "a range needs both its limits", DMM_A_RULE_GID_HI, 0 },
	{ "gids upside down", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_GID_LO, 2), U32(DMM_A_RULE_GID_HI, 1)),
	  EINVAL, "a range ends before it starts", DMM_A_RULE_GID_HI, 0 },
	{ "gid -1", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_GID_LO, ~0u), U32(DMM_A_RULE_GID_HI, ~0u)), EINVAL,
	  "the gids are not mapped in the user namespace", DMM_A_RULE_GID_LO, 0 },
	{ "a relative cgroup", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_CGROUP, "a/b")), EINVAL,
	  "the cgroup is not an absolute path without empty components", DMM_A_RULE_CGROUP, 0 },
	{ "an empty cgroup", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_CGROUP, "")), EINVAL,
	  "the cgroup is not an absolute path without empty components", DMM_A_RULE_CGROUP, 0 },
	{ "a cgroup with //", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_CGROUP, "/a//b")), EINVAL,
	  "the cgroup is not an absolute path without empty components", DMM_A_RULE_CGROUP, 0 },
	{ "a cgroup with a slash at its end", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_CGROUP, "/a/")), EINVAL,
	  "the cgroup is not an absolute path without empty components", DMM_A_RULE_CGROUP, 0 },
	{ "a cgroup with ..", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_CGROUP, "/a/../b")), EINVAL,
	  "the cgroup is not an absolute path without empty components", DMM_A_RULE_CGROUP, 0 },
	{ "a cgroup with .", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_CGROUP, "/.")), EINVAL,
	  "the cgroup is not an absolute path without empty components", DMM_A_RULE_CGROUP, 0 },
	{ "a cgroup 17 levels deep", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_CGROUP, LEVEL8 LEVEL8 "/x")), E2BIG,
	  "the cgroup is too deep", DMM_A_RULE_CGROUP, 0 },
	{ "a cgroup of 256 bytes", DMM_CMD_RULE_ADD, ATTRS(KERNEL,
	  BIN(DMM_A_RULE_CGROUP, '/', [1 ... 255] = 'x', 0)), EINVAL, CORE, DMM_A_RULE_CGROUP, 0 },
	{ "a mask without mark", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_MARK_MASK, 1)), EINVAL,
	  "a mask needs a mark", DMM_A_RULE_MARK_MASK, 0 },
	{ "a mark outside its mask", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_MARK, 3),
	  U32(DMM_A_RULE_MARK_MASK, 1)), EINVAL, "the mark has bits outside its mask", DMM_A_RULE_MARK, 0 },
	{ "dscp 64", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_DSCP, 64)), ERANGE, CORE, DMM_A_RULE_DSCP, 0 },
	{ "an interface with a slash", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_DEV, "a/b")), EINVAL,
	  "not a name of an interface", DMM_A_RULE_DEV, 0 },
	{ "an interface without name", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_DEV, "")), EINVAL,
	  "not a name of an interface", DMM_A_RULE_DEV, 0 },
	{ "an interface with 16 letters", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_DEV, "a234567890123456")),
	  EINVAL, CORE, DMM_A_RULE_DEV, 0 },
	{ "a program without name", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_COMM, "")), EINVAL,
	  "the program name is empty", DMM_A_RULE_COMM, 0 },
	{ "a program with 16 letters", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_COMM, "a234567890123456")),
	  EINVAL, CORE, DMM_A_RULE_COMM, 0 },

	/* rules: action */
	{ "verdict 2", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_VERDICT, 2)), ERANGE, CORE, DMM_A_RULE_VERDICT, 0 },
	{ "verdict stack without one", DMM_CMD_RULE_ADD, ATTRS(U8(DMM_A_RULE_VERDICT, DMM_VERDICT_STACK)), EINVAL,
	  "the rule names no stack", DMM_A_RULE_VERDICT, 0 },
	{ "reject with a stack", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_VERDICT, DMM_VERDICT_REJECT)), EINVAL,
	  "a rule that rejects has neither stacks nor options", DMM_A_RULE_STACK, 0 },
	{ "reject with an option", DMM_CMD_RULE_ADD, ATTRS(U8(DMM_A_RULE_VERDICT, DMM_VERDICT_REJECT),
	  U8(DMM_A_RULE_SET_TOS, 8)), EINVAL, "a rule that rejects has neither stacks nor options",
	  DMM_A_RULE_SET_TOS, 0 },
	{ "reject, strictly", DMM_CMD_RULE_ADD, ATTRS(U8(DMM_A_RULE_VERDICT, DMM_VERDICT_REJECT),
	  U32(DMM_A_RULE_FLAGS, DMM_RULE_F_STRICT)), EINVAL, "a rule that rejects has neither stacks nor options",
	  DMM_A_RULE_FLAGS, 0 },
	{ "an unknown flag", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_FLAGS, 4)), EINVAL, CORE,
	  DMM_A_RULE_FLAGS, 0 },
	{ "an attempt of no time", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_TIMEOUT, 0)), EINVAL,
	  "the timeout is out of range", DMM_A_RULE_TIMEOUT, 0 },
	{ "an attempt of 600001 ms", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_TIMEOUT, 600001)), EINVAL,
	  "the timeout is out of range", DMM_A_RULE_TIMEOUT, 0 },
	{ "a race of 9 ms", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_RACE, 9)), EINVAL,
	  "the time between attempts of a race is out of range", DMM_A_RULE_RACE, 0 },
	{ "a race of 60001 ms", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_RACE, 60001)), EINVAL,
	  "the time between attempts of a race is out of range", DMM_A_RULE_RACE, 0 },
	{ "the kernel in no race", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_FLAGS, DMM_RULE_F_RACE_KERNEL)),
	  EINVAL, "the kernel's part in a race needs a race", DMM_A_RULE_FLAGS, 0 },
	{ "a race of datagrams", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_TYPE, SOCK_DGRAM),
	  U32(DMM_A_RULE_RACE, 10)), EINVAL, "times are for those who connect, with TCP", DMM_A_RULE_RACE, 0 },
	{ "a timeout for listeners", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ROLE, DMM_ROLE_LISTEN),
	  U32(DMM_A_RULE_TIMEOUT, 10)), EINVAL, "times are for those who connect, with TCP", DMM_A_RULE_TIMEOUT, 0 },
	{ "reject with a race", DMM_CMD_RULE_ADD, ATTRS(U8(DMM_A_RULE_VERDICT, DMM_VERDICT_REJECT),
	  U32(DMM_A_RULE_RACE, 10)), EINVAL, "a rule that rejects has neither stacks nor options", DMM_A_RULE_RACE, 0 },
	{ "reject with a group", DMM_CMD_RULE_ADD, ATTRS(U8(DMM_A_RULE_VERDICT, DMM_VERDICT_REJECT),
	  STR(DMM_A_RULE_GROUP, "farm")), EINVAL, "a rule that rejects has neither stacks nor options",
	  DMM_A_RULE_GROUP, 0 },
	{ "a stack and a group", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_GROUP, "farm")), EINVAL,
	  "the rule names stacks and a group", DMM_A_RULE_GROUP, 0 },
	{ "an unknown group", DMM_CMD_RULE_ADD, ATTRS(STR(DMM_A_RULE_GROUP, "unknown")), ENOENT,
	  "no such group", DMM_A_RULE_GROUP, 0 },
	{ "the name of a set for a group", DMM_CMD_RULE_ADD, ATTRS(STR(DMM_A_RULE_GROUP, "web")), ENOENT,
	  "no such group", DMM_A_RULE_GROUP, 0 },
	{ "nine stacks", DMM_CMD_RULE_ADD, ATTRS(KERNEL, KERNEL, KERNEL, KERNEL, KERNEL, KERNEL, KERNEL, KERNEL, KERNEL),
	  EINVAL, "too many stacks", DMM_A_RULE_STACK, 0 },
	{ "a stack in capitals", DMM_CMD_RULE_ADD, ATTRS(STR(DMM_A_RULE_STACK, "Kernel")), EINVAL,
	  "not a name of a stack", DMM_A_RULE_STACK, 0 },
	{ "a stack without name", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_STACK, "")), EINVAL,
	  "not a name of a stack", DMM_A_RULE_STACK, 0 },
	{ "a stack that is an instance only", DMM_CMD_RULE_ADD, ATTRS(STR(DMM_A_RULE_STACK, "@0")), EINVAL,
	  "not a name of a stack", DMM_A_RULE_STACK, 0 },
	{ "a stack with two instances", DMM_CMD_RULE_ADD, ATTRS(STR(DMM_A_RULE_STACK, "a@0@1")), EINVAL,
	  "not a name of a stack", DMM_A_RULE_STACK, 0 },
	{ "a stack with an empty instance", DMM_CMD_RULE_ADD, ATTRS(STR(DMM_A_RULE_STACK, "a@")), EINVAL,
	  "not a name of a stack", DMM_A_RULE_STACK, 0 },
	{ "a stack with a blank", DMM_CMD_RULE_ADD, ATTRS(STR(DMM_A_RULE_STACK, "a b")), EINVAL,
	  "not a name of a stack", DMM_A_RULE_STACK, 0 },
	{ "a stack with 32 letters", DMM_CMD_RULE_ADD, ATTRS(STR(DMM_A_RULE_STACK, NAME31 "x")), ERANGE, CORE,
	  DMM_A_RULE_STACK, 0 },
	{ "an unknown congestion control", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_SET_CC, "nosuch")), ENOENT,
	  "the congestion control is not available", DMM_A_RULE_SET_CC, 0 },
	{ "a congestion control without name", DMM_CMD_RULE_ADD, ATTRS(KERNEL, STR(DMM_A_RULE_SET_CC, "")), EINVAL,
	  "the congestion control is not available", DMM_A_RULE_SET_CC, 0 },
	{ "a congestion control for UDP", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_TYPE, SOCK_DGRAM),
	  STR(DMM_A_RULE_SET_CC, "cubic")), EINVAL, "an option of TCP in a rule for datagrams", DMM_A_RULE_SET_CC, 0 },
	{ "keepalive for UDP", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_TYPE, SOCK_DGRAM),
	  U32(DMM_A_RULE_SET_KEEPCNT, 1)), EINVAL, "an option of TCP in a rule for datagrams",
	  DMM_A_RULE_SET_KEEPCNT, 0 },
	{ "keepidle 0", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_SET_KEEPIDLE, 0)), EINVAL,
	  "the keepalive option is out of range", DMM_A_RULE_SET_KEEPIDLE, 0 },
	{ "keepidle 32768", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_SET_KEEPIDLE, 32768)), EINVAL,
	  "the keepalive option is out of range", DMM_A_RULE_SET_KEEPIDLE, 0 },
	{ "keepintvl 0", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_SET_KEEPINTVL, 0)), EINVAL,
	  "the keepalive option is out of range", DMM_A_RULE_SET_KEEPINTVL, 0 },
	{ "keepintvl 32768", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_SET_KEEPINTVL, 32768)), EINVAL,
	  "the keepalive option is out of range", DMM_A_RULE_SET_KEEPINTVL, 0 },
	{ "keepcnt 0", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_SET_KEEPCNT, 0)), EINVAL,
	  "the keepalive option is out of range", DMM_A_RULE_SET_KEEPCNT, 0 },
	{ "keepcnt 128", DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_SET_KEEPCNT, 128)), EINVAL,
	  "the keepalive option is out of range", DMM_A_RULE_SET_KEEPCNT, 0 },

	/* rules by id */
	{ "deleting no rule", DMM_CMD_RULE_DEL, NO_ATTRS, EINVAL, "which rule: id and priority are missing", 0, 0 },
	{ "deleting rules of an origin", DMM_CMD_RULE_DEL, ATTRS(U8(DMM_A_RULE_ORIGIN, 0)), EINVAL,
	  "which rule: id and priority are missing", 0, 0 },
	{ "deleting rule 0", DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_ID, 0)), ENOENT, "no such rule", DMM_A_RULE_ID, 0 },
	{ "deleting an unknown rule", DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_ID, ~0u)), ENOENT, "no such rule",
	  DMM_A_RULE_ID, 0 },
	{ "deleting a rule by a wrong priority", DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_ID, 1),
	  U32(DMM_A_RULE_PRIO, 101)), ENOENT, "no such rule", DMM_A_RULE_ID, 0 },
	{ "deleting an unknown priority", DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_PRIO, 101)), ENOENT,
	  "no rule of this priority", DMM_A_RULE_PRIO, 0 },
	{ "deleting a priority of another origin", DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_PRIO, 100),
	  U8(DMM_A_RULE_ORIGIN, 1)), ENOENT, "no rule of this priority", DMM_A_RULE_PRIO, 0 },
	{ "deleting by a match key", DMM_CMD_RULE_DEL, ATTRS(U32(DMM_A_RULE_PRIO, 100),
	  U8(DMM_A_RULE_ROLE, 1)), EINVAL, CORE, DMM_A_RULE_ROLE, 0 },
	{ "asking for no rule", DMM_CMD_RULE_GET, NO_ATTRS, EINVAL, "which rule: id is missing", 0, 0 },
	{ "asking for an unknown rule", DMM_CMD_RULE_GET, ATTRS(U32(DMM_A_RULE_ID, ~0u)), ENOENT, "no such rule",
	  DMM_A_RULE_ID, 0 },
	{ "zeroing an unknown rule", DMM_CMD_RULE_ZERO, ATTRS(U32(DMM_A_RULE_ID, ~0u)), ENOENT, "no such rule",
	  DMM_A_RULE_ID, 0 },
	{ "flushing an unknown origin", DMM_CMD_FLUSH, ATTRS(U8(DMM_A_ZONE_ORIGIN, 4)), ERANGE, CORE,
	  DMM_A_ZONE_ORIGIN, 0 },
	{ "flushing a zone that others' rules name", DMM_CMD_FLUSH, ATTRS(U8(DMM_A_ZONE_ORIGIN, DMM_ORIGIN_CLI)), EBUSY,
	  "a rule names the zone", 0, 0 },

	/* questions */
	{ "explain role any", DMM_CMD_EXPLAIN, ATTRS(U8(DMM_A_EXPLAIN_ROLE, DMM_ROLE_ANY)), EINVAL,
	  "a socket either connects or listens", DMM_A_EXPLAIN_ROLE, 0 },
	{ "explain role 3", DMM_CMD_EXPLAIN, ATTRS(U8(DMM_A_EXPLAIN_ROLE, 3)), ERANGE, CORE, DMM_A_EXPLAIN_ROLE, 0 },
	{ "explain SOCK_RAW", DMM_CMD_EXPLAIN, ATTRS(U8(DMM_A_EXPLAIN_TYPE, SOCK_RAW)), EINVAL,
	  "the type is neither SOCK_STREAM nor SOCK_DGRAM", DMM_A_EXPLAIN_TYPE, 0 },
	{ "explain AF_UNIX", DMM_CMD_EXPLAIN, ATTRS(U8(DMM_A_EXPLAIN_FAMILY, AF_UNIX)), EINVAL,
	  "the family is neither AF_INET nor AF_INET6", DMM_A_EXPLAIN_FAMILY, 0 },
	{ "explain a prefix", DMM_CMD_EXPLAIN, ATTRS(ADDR4(DMM_A_EXPLAIN_DST, 8, 10)), EINVAL, "not a whole address",
	  DMM_A_EXPLAIN_DST, 0 },
	{ "explain an IPv4 address of IPv6", DMM_CMD_EXPLAIN, ATTRS(U8(DMM_A_EXPLAIN_FAMILY, AF_INET6),
	  ADDR4(DMM_A_EXPLAIN_DST, 32, 10)), EINVAL, "the address is of another family", DMM_A_EXPLAIN_DST, 0 },
	{ "explain two families", DMM_CMD_EXPLAIN, ATTRS(ADDR4(DMM_A_EXPLAIN_SRC, 32, 10),
	  ADDR6(DMM_A_EXPLAIN_DST, 128, 0xfd)), EINVAL, "the address is of another family", DMM_A_EXPLAIN_DST, 0 },
	{ "explain four bytes", DMM_CMD_EXPLAIN, ATTRS(BIN(DMM_A_EXPLAIN_SRC, 10, 0, 0, 1)), EINVAL,
	  "the prefix is not a struct dmm_prefix", DMM_A_EXPLAIN_SRC, 0 },
	{ "explain uid -1", DMM_CMD_EXPLAIN, ATTRS(U32(DMM_A_EXPLAIN_UID, ~0u)), EINVAL,
	  "the uid is not mapped in the user namespace", DMM_A_EXPLAIN_UID, 0 },
	{ "explain gid -1", DMM_CMD_EXPLAIN, ATTRS(U32(DMM_A_EXPLAIN_GID, ~0u)), EINVAL,
	  "the gid is not mapped in the user namespace", DMM_A_EXPLAIN_GID, 0 },
	{ "explain a relative cgroup", DMM_CMD_EXPLAIN, ATTRS(STR(DMM_A_EXPLAIN_CGROUP, "a")), EINVAL,
	  "the cgroup is not an absolute path without empty components", DMM_A_EXPLAIN_CGROUP, 0 },
	{ "explain a bad cgroup behind 16 levels", DMM_CMD_EXPLAIN,
	  ATTRS(STR(DMM_A_EXPLAIN_CGROUP, LEVEL8 LEVEL8 "/x//y")), EINVAL,
	  "the cgroup is not an absolute path without empty components", DMM_A_EXPLAIN_CGROUP, 0 },
	{ "explain dscp 64", DMM_CMD_EXPLAIN, ATTRS(U8(DMM_A_EXPLAIN_DSCP, 64)), ERANGE, CORE, DMM_A_EXPLAIN_DSCP, 0 },
	{ "explain more than a million times", DMM_CMD_EXPLAIN, ATTRS(U32(DMM_A_EXPLAIN_REPEAT, 1000001)), EINVAL,
	  "repeat is above a million", DMM_A_EXPLAIN_REPEAT, 0 },
	{ "explain with a result", DMM_CMD_EXPLAIN, ATTRS(U64(DMM_A_EXPLAIN_GEN, 1)), EINVAL, CORE,
	  DMM_A_EXPLAIN_GEN, 0 },
	{ "the decision on no socket", DMM_CMD_DECISION_GET, NO_ATTRS, EINVAL, "which socket: cookie is missing", 0, 0 },
	{ "the decision on an unknown socket", DMM_CMD_DECISION_GET, ATTRS(U64(DMM_A_DECISION_COOKIE, ~0ull)), ENOENT,
	  "no decision remembered for this socket", 0, 0 },
	{ "no socket", DMM_CMD_SOCK_GET, NO_ATTRS, EINVAL, "which socket: cookie is missing", 0, 0 },
	{ "an unknown socket", DMM_CMD_SOCK_GET, ATTRS(U64(DMM_A_DECISION_COOKIE, ~0ull)), ENOENT,
	  "DMM holds no socket of this cookie", 0, 0 },
	{ "statistics of something", DMM_CMD_STAT_GET, ATTRS(U64(DMM_A_STAT_GEN, 1)), EINVAL, CORE, DMM_A_STAT_GEN, 0 },
};

static void fill(struct dnl *nl)
{
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "lan"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)));
	dnl_must(nl, DMM_CMD_ZONE_ADD, ATTRS(STR(DMM_A_ZONE_NAME, "free")));
	dnl_must(nl, DMM_CMD_SET_ADD, ATTRS(STR(DMM_A_SET_NAME, "web"), PORTS(DMM_A_SET_RANGES, { 80, 80 })));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 100), STR(DMM_A_RULE_DPORT_SET, "web")));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(KERNEL, U8(DMM_A_RULE_ORIGIN, DMM_ORIGIN_FILE),
					    STR(DMM_A_RULE_DST_ZONE, "lan")));
	dnl_must(nl, DMM_CMD_GROUP_ADD, ATTRS(STR(DMM_A_GROUP_NAME, "farm"), MEMBERS({ "a", 1 }, { "kernel", 1000 })));
	dnl_must(nl, DMM_CMD_RULE_ADD, ATTRS(STR(DMM_A_RULE_GROUP, "farm"), STR(DMM_A_RULE_DST_ZONE, "lan")));
}

static bool said(const struct refusal *r, const struct answer *a)
{
	if (!r->text)
		return *a->text;
	return !strncmp(a->text, r->text, strlen(r->text)) && (*r->text || !*a->text);
}

static void check_refusal(struct dnl *nl, const struct refusal *r)
{
	struct answer a;

	dnl_ask(nl, r->cmd, r->flags, r->attrs, &a);
	if (!ksft_result(a.err == -r->err && said(r, &a) && a.attr == r->attr, "%s", r->what))
		ksft_note("expected: %s, \"%s\", attribute %d; got: %s, \"%s\", attribute %d", strerror(r->err),
			  r->text ? r->text : "*", r->attr, strerror(-a.err), a.text, a.attr);
	/* What follows a transaction that did not begin is refused until the sender has seen that. */
	if (r->cmd == DMM_CMD_TXN_BEGIN)
		dnl_must(nl, DMM_CMD_TXN_ABORT, NO_ATTRS);
}

/* Attributes of a fixed size, by command: any other size is refused. */
static const struct {
	int cmd;
	int attr;
	int size;
} sizes[] = {
	{ DMM_CMD_TXN_BEGIN, DMM_A_TXN_GEN, 8 },
	{ DMM_CMD_FLUSH, DMM_A_ZONE_ORIGIN, 1 },
	{ DMM_CMD_ZONE_ADD, DMM_A_ZONE_ORIGIN, 1 },
	{ DMM_CMD_SET_ADD, DMM_A_SET_ORIGIN, 1 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_PRIO, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_ORIGIN, 1 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_ROLE, 1 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_TYPE, 1 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_FAMILY, 1 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_SRC, sizeof(struct dmm_prefix) },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_DST, sizeof(struct dmm_prefix) },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_UID_LO, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_UID_HI, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_GID_LO, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_GID_HI, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_MARK, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_MARK_MASK, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_DSCP, 1 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_VERDICT, 1 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_FLAGS, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_SET_MARK, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_SET_TOS, 1 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_SET_KEEPIDLE, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_SET_KEEPINTVL, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_SET_KEEPCNT, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_TIMEOUT, 4 },
	{ DMM_CMD_RULE_ADD, DMM_A_RULE_RACE, 4 },
	{ DMM_CMD_STACK_SHARE, DMM_A_STACK_NETNS_FD, 4 },
	{ DMM_CMD_STACK_UNSHARE, DMM_A_STACK_NETNS_PID, 4 },
	{ DMM_CMD_RULE_DEL, DMM_A_RULE_ID, 4 },
	{ DMM_CMD_RULE_DEL, DMM_A_RULE_PRIO, 4 },
	{ DMM_CMD_RULE_GET, DMM_A_RULE_ID, 4 },
	{ DMM_CMD_RULE_ZERO, DMM_A_RULE_ID, 4 },
	{ DMM_CMD_EXPLAIN, DMM_A_EXPLAIN_SRC, sizeof(struct dmm_prefix) },
	{ DMM_CMD_EXPLAIN, DMM_A_EXPLAIN_DST, sizeof(struct dmm_prefix) },
	{ DMM_CMD_EXPLAIN, DMM_A_EXPLAIN_SPORT, 2 },
	{ DMM_CMD_EXPLAIN, DMM_A_EXPLAIN_DPORT, 2 },
	{ DMM_CMD_EXPLAIN, DMM_A_EXPLAIN_UID, 4 },
	{ DMM_CMD_EXPLAIN, DMM_A_EXPLAIN_GID, 4 },
	{ DMM_CMD_EXPLAIN, DMM_A_EXPLAIN_MARK, 4 },
	{ DMM_CMD_EXPLAIN, DMM_A_EXPLAIN_DSCP, 1 },
	{ DMM_CMD_EXPLAIN, DMM_A_EXPLAIN_REPEAT, 4 },
	{ DMM_CMD_DECISION_GET, DMM_A_DECISION_COOKIE, 8 },
	{ DMM_CMD_SOCK_GET, DMM_A_DECISION_COOKIE, 8 },
};

static bool size_refused(struct dnl *nl, int cmd, int type, int size)
{
	static const uint8_t ones[64] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	struct answer a;

	dnl_ask(nl, cmd, 0, ((const struct attr[]){ { type, size, ones }, { 0 } }), &a);
	if (a.err == -EINVAL && a.attr == type && *a.text)
		return true;
	ksft_note("command %d, attribute %d of %d bytes: %s, \"%s\", attribute %d", cmd, type, size, strerror(-a.err),
		  a.text, a.attr);
	return false;
}

static void check_sizes(struct dnl *nl)
{
	bool refused = true;
	unsigned int i;
	int size;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (size = 0; size < sizes[i].size + 5; size++)
			if (size != sizes[i].size)
				refused &= size_refused(nl, sizes[i].cmd, sizes[i].attr, size);
	ksft_result(refused, "attributes of all wrong sizes");
}

/* Every command has attributes of its own: those of no command, and those behind its last, are refused. */
static void check_unknown(struct dnl *nl)
{
	bool refused = true;
	int cmd, type;

	for (cmd = 1; cmd <= DMM_CMD_STACK_FLUSH; cmd++)
		for (type = DMM_A_RULE_MAX + 1; type < 80; type += 13)
			refused &= size_refused(nl, cmd, type, 4);
	ksft_result(refused, "unknown attributes");
}

/* A rule cut off at each byte. */
static void check_truncated(struct dnl *nl)
{
	struct nl_msg *msg;
	bool refused = true;
	uint32_t len, cut;
	struct answer a;

	for (cut = 1; ; cut++) {
		msg = dnl_message(nl, DMM_CMD_RULE_ADD, 0,
				 ATTRS(KERNEL, U8(DMM_A_RULE_ROLE, 1), ADDR4(DMM_A_RULE_DST, 32, 10, 1, 2, 3)));
		len = nlmsg_hdr(msg)->nlmsg_len;
		/* What is left of the last attribute. */
		if (cut >= sizeof(struct dmm_prefix) + NLA_HDRLEN) {
			nlmsg_free(msg);
			break;
		}
		nlmsg_hdr(msg)->nlmsg_len = len - cut;
		dnl_transact(nl, msg, &a);
		if (a.err != -EINVAL || !*a.text) {
			ksft_note("%u bytes short: %s, \"%s\"", cut, strerror(-a.err), a.text);
			refused = false;
		}
	}
	ksft_result(refused, "truncated messages");
}

int main(void)
{
	uint64_t gen;
	struct dnl *nl;
	unsigned int i;

	ksft_header();
	if (unshare(CLONE_NEWNET))
		ksft_skip_all("needs root");
	nl = dnl_open();
	ksft_plan(ARRAY_SIZE(refusals) + 6);
	fill(nl);
	gen = dnl_generation(nl);
	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		check_refusal(nl, &refusals[i]);
	check_sizes(nl);
	check_unknown(nl);
	check_truncated(nl);
	ksft_result(dnl_generation(nl) == gen, "none of them made a generation");
	ksft_result(dnl_stat(nl, DMM_A_STAT_RULES) == 3 && dnl_stat(nl, DMM_A_STAT_GROUPS) == 1 && dnl_stat(nl, DMM_A_STAT_ZONES) == 2 &&
		    dnl_stat(nl, DMM_A_STAT_SETS) == 1 && dnl_stat(nl, DMM_A_STAT_PREFIXES) == 1 &&
		    dnl_stat(nl, DMM_A_STAT_MASKS) == 2, "nor anything else");
	ksft_result(!dnl_do(nl, DMM_CMD_FLUSH, NO_ATTRS) && !dnl_stat(nl, DMM_A_STAT_RULES), "and all can go");
	ksft_finish();
}
