// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/dmm.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/linux/dmm_netlink.h>

/* DMM_CMD_TXN_BEGIN - do */
const struct nla_policy dmm_txn_begin_nl_policy[DMM_A_TXN_GEN + 1] = {
	[DMM_A_TXN_GEN] = { .type = NLA_U64, },
};

/* DMM_CMD_TXN_COMMIT - do */
const struct nla_policy dmm_txn_commit_nl_policy[DMM_A_TXN_PAD + 1] = {
};

/* DMM_CMD_TXN_ABORT - do */
const struct nla_policy dmm_txn_abort_nl_policy[DMM_A_TXN_PAD + 1] = {
};

/* DMM_CMD_FLUSH - do */
const struct nla_policy dmm_flush_nl_policy[DMM_A_ZONE_ORIGIN + 1] = {
	[DMM_A_ZONE_ORIGIN] = NLA_POLICY_MAX(NLA_U8, 3),
};

/* DMM_CMD_ZONE_ADD - do */
const struct nla_policy dmm_zone_add_nl_policy[DMM_A_ZONE_PREFIXES + 1] = {
	[DMM_A_ZONE_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_ZONE_ORIGIN] = NLA_POLICY_MAX(NLA_U8, 3),
	[DMM_A_ZONE_PREFIXES] = { .type = NLA_BINARY, },
};

/* DMM_CMD_ZONE_DEL - do */
const struct nla_policy dmm_zone_del_nl_policy[DMM_A_ZONE_PREFIXES + 1] = {
	[DMM_A_ZONE_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_ZONE_ORIGIN] = NLA_POLICY_MAX(NLA_U8, 3),
	[DMM_A_ZONE_PREFIXES] = { .type = NLA_BINARY, },
};

/* DMM_CMD_ZONE_GET - do */
const struct nla_policy dmm_zone_get_nl_policy[DMM_A_ZONE_NAME + 1] = {
	[DMM_A_ZONE_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
};

/* DMM_CMD_SET_ADD - do */
const struct nla_policy dmm_set_add_nl_policy[DMM_A_SET_RANGES + 1] = {
	[DMM_A_SET_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_SET_ORIGIN] = NLA_POLICY_MAX(NLA_U8, 3),
	[DMM_A_SET_RANGES] = { .type = NLA_BINARY, },
};

/* DMM_CMD_SET_DEL - do */
const struct nla_policy dmm_set_del_nl_policy[DMM_A_SET_NAME + 1] = {
	[DMM_A_SET_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
};

/* DMM_CMD_SET_GET - do */
const struct nla_policy dmm_set_get_nl_policy[DMM_A_SET_NAME + 1] = {
	[DMM_A_SET_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
};

/* DMM_CMD_RULE_ADD - do */
const struct nla_policy dmm_rule_add_nl_policy[DMM_A_RULE_RACE + 1] = {
	[DMM_A_RULE_PRIO] = NLA_POLICY_MAX(NLA_U32, 32766),
	[DMM_A_RULE_ORIGIN] = NLA_POLICY_MAX(NLA_U8, 3),
	[DMM_A_RULE_ROLE] = NLA_POLICY_MAX(NLA_U8, 2),
	[DMM_A_RULE_TYPE] = { .type = NLA_U8, },
	[DMM_A_RULE_FAMILY] = { .type = NLA_U8, },
	[DMM_A_RULE_SRC] = { .type = NLA_BINARY, },
	[DMM_A_RULE_DST] = { .type = NLA_BINARY, },
	[DMM_A_RULE_SRC_ZONE] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_RULE_DST_ZONE] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_RULE_SPORTS] = { .type = NLA_BINARY, },
	[DMM_A_RULE_DPORTS] = { .type = NLA_BINARY, },
	[DMM_A_RULE_SPORT_SET] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_RULE_DPORT_SET] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_RULE_UID_LO] = { .type = NLA_U32, },
	[DMM_A_RULE_UID_HI] = { .type = NLA_U32, },
	[DMM_A_RULE_GID_LO] = { .type = NLA_U32, },
	[DMM_A_RULE_GID_HI] = { .type = NLA_U32, },
	[DMM_A_RULE_CGROUP] = { .type = NLA_NUL_STRING, .len = 255, },
	[DMM_A_RULE_MARK] = { .type = NLA_U32, },
	[DMM_A_RULE_MARK_MASK] = { .type = NLA_U32, },
	[DMM_A_RULE_DSCP] = NLA_POLICY_MAX(NLA_U8, 63),
	[DMM_A_RULE_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[DMM_A_RULE_COMM] = { .type = NLA_NUL_STRING, .len = 15, },
	[DMM_A_RULE_VERDICT] = NLA_POLICY_MAX(NLA_U8, 1),
	[DMM_A_RULE_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[DMM_A_RULE_STACK] = { .type = NLA_STRING, .len = 31, },
	[DMM_A_RULE_SET_CC] = { .type = NLA_NUL_STRING, .len = 15, },
	[DMM_A_RULE_SET_MARK] = { .type = NLA_U32, },
	[DMM_A_RULE_SET_TOS] = { .type = NLA_U8, },
	[DMM_A_RULE_SET_KEEPIDLE] = { .type = NLA_U32, },
	[DMM_A_RULE_SET_KEEPINTVL] = { .type = NLA_U32, },
	[DMM_A_RULE_SET_KEEPCNT] = { .type = NLA_U32, },
	[DMM_A_RULE_GROUP] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_RULE_TIMEOUT] = { .type = NLA_U32, },
	[DMM_A_RULE_RACE] = { .type = NLA_U32, },
};

/* DMM_CMD_RULE_DEL - do */
const struct nla_policy dmm_rule_del_nl_policy[DMM_A_RULE_ORIGIN + 1] = {
	[DMM_A_RULE_ID] = { .type = NLA_U32, },
	[DMM_A_RULE_PRIO] = NLA_POLICY_MAX(NLA_U32, 32766),
	[DMM_A_RULE_ORIGIN] = NLA_POLICY_MAX(NLA_U8, 3),
};

/* DMM_CMD_RULE_GET - do */
const struct nla_policy dmm_rule_get_nl_policy[DMM_A_RULE_ORIGIN + 1] = {
	[DMM_A_RULE_ID] = { .type = NLA_U32, },
	[DMM_A_RULE_ORIGIN] = NLA_POLICY_MAX(NLA_U8, 3),
};

/* DMM_CMD_RULE_ZERO - do */
const struct nla_policy dmm_rule_zero_nl_policy[DMM_A_RULE_ID + 1] = {
	[DMM_A_RULE_ID] = { .type = NLA_U32, },
};

/* DMM_CMD_STAT_GET - do */
const struct nla_policy dmm_stat_get_nl_policy[DMM_A_STAT_PAD + 1] = {
};

/* DMM_CMD_EXPLAIN - do */
const struct nla_policy dmm_explain_nl_policy[DMM_A_EXPLAIN_REPEAT + 1] = {
	[DMM_A_EXPLAIN_ROLE] = NLA_POLICY_MAX(NLA_U8, 2),
	[DMM_A_EXPLAIN_TYPE] = { .type = NLA_U8, },
	[DMM_A_EXPLAIN_FAMILY] = { .type = NLA_U8, },
	[DMM_A_EXPLAIN_SRC] = { .type = NLA_BINARY, },
	[DMM_A_EXPLAIN_DST] = { .type = NLA_BINARY, },
	[DMM_A_EXPLAIN_SPORT] = { .type = NLA_U16, },
	[DMM_A_EXPLAIN_DPORT] = { .type = NLA_U16, },
	[DMM_A_EXPLAIN_UID] = { .type = NLA_U32, },
	[DMM_A_EXPLAIN_GID] = { .type = NLA_U32, },
	[DMM_A_EXPLAIN_CGROUP] = { .type = NLA_NUL_STRING, .len = 255, },
	[DMM_A_EXPLAIN_MARK] = { .type = NLA_U32, },
	[DMM_A_EXPLAIN_DSCP] = NLA_POLICY_MAX(NLA_U8, 63),
	[DMM_A_EXPLAIN_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[DMM_A_EXPLAIN_COMM] = { .type = NLA_NUL_STRING, .len = 15, },
	[DMM_A_EXPLAIN_WANT] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_EXPLAIN_REPEAT] = { .type = NLA_U32, },
};

/* DMM_CMD_DECISION_GET - do */
const struct nla_policy dmm_decision_get_nl_policy[DMM_A_DECISION_COOKIE + 1] = {
	[DMM_A_DECISION_COOKIE] = { .type = NLA_U64, },
};

/* DMM_CMD_SOCK_GET - do */
const struct nla_policy dmm_sock_get_nl_policy[DMM_A_DECISION_COOKIE + 1] = {
	[DMM_A_DECISION_COOKIE] = { .type = NLA_U64, },
};

/* DMM_CMD_GROUP_ADD - do */
const struct nla_policy dmm_group_add_nl_policy[DMM_A_GROUP_MEMBERS + 1] = {
	[DMM_A_GROUP_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_GROUP_ORIGIN] = NLA_POLICY_MAX(NLA_U8, 3),
	[DMM_A_GROUP_MEMBERS] = { .type = NLA_BINARY, },
};

/* DMM_CMD_GROUP_SET - do */
const struct nla_policy dmm_group_set_nl_policy[DMM_A_GROUP_MEMBERS + 1] = {
	[DMM_A_GROUP_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_GROUP_ORIGIN] = NLA_POLICY_MAX(NLA_U8, 3),
	[DMM_A_GROUP_MEMBERS] = { .type = NLA_BINARY, },
};

/* DMM_CMD_GROUP_DEL - do */
const struct nla_policy dmm_group_del_nl_policy[DMM_A_GROUP_NAME + 1] = {
	[DMM_A_GROUP_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
};

/* DMM_CMD_GROUP_GET - do */
const struct nla_policy dmm_group_get_nl_policy[DMM_A_GROUP_NAME + 1] = {
	[DMM_A_GROUP_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
};

/* DMM_CMD_STACK_GET - do */
const struct nla_policy dmm_stack_get_nl_policy[DMM_A_STACK_INSTANCE + 1] = {
	[DMM_A_STACK_STACK] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_STACK_INSTANCE] = { .type = NLA_NUL_STRING, .len = 31, },
};

/* DMM_CMD_STACK_SHARE - do */
const struct nla_policy dmm_stack_share_nl_policy[DMM_A_STACK_NETNS_PID + 1] = {
	[DMM_A_STACK_STACK] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_STACK_INSTANCE] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_STACK_NETNS_FD] = { .type = NLA_U32, },
	[DMM_A_STACK_NETNS_PID] = { .type = NLA_U32, },
};

/* DMM_CMD_STACK_UNSHARE - do */
const struct nla_policy dmm_stack_unshare_nl_policy[DMM_A_STACK_NETNS_PID + 1] = {
	[DMM_A_STACK_STACK] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_STACK_INSTANCE] = { .type = NLA_NUL_STRING, .len = 31, },
	[DMM_A_STACK_NETNS_FD] = { .type = NLA_U32, },
	[DMM_A_STACK_NETNS_PID] = { .type = NLA_U32, },
};

/* DMM_CMD_STACK_FLUSH - do */
const struct nla_policy dmm_stack_flush_nl_policy[DMM_A_STACK_PAD + 1] = {
};

/* Ops table for dmm */
const struct genl_ops dmm_nl_ops[26] = {
	{
		.cmd		= DMM_CMD_TXN_BEGIN,
		.doit		= dmm_nl_txn_begin_doit,
		.policy		= dmm_txn_begin_nl_policy,
		.maxattr	= DMM_A_TXN_GEN,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_TXN_COMMIT,
		.doit		= dmm_nl_txn_commit_doit,
		.policy		= dmm_txn_commit_nl_policy,
		.maxattr	= DMM_A_TXN_PAD,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_TXN_ABORT,
		.doit		= dmm_nl_txn_abort_doit,
		.policy		= dmm_txn_abort_nl_policy,
		.maxattr	= DMM_A_TXN_PAD,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_FLUSH,
		.doit		= dmm_nl_flush_doit,
		.policy		= dmm_flush_nl_policy,
		.maxattr	= DMM_A_ZONE_ORIGIN,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_ZONE_ADD,
		.doit		= dmm_nl_zone_add_doit,
		.policy		= dmm_zone_add_nl_policy,
		.maxattr	= DMM_A_ZONE_PREFIXES,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_ZONE_DEL,
		.doit		= dmm_nl_zone_del_doit,
		.policy		= dmm_zone_del_nl_policy,
		.maxattr	= DMM_A_ZONE_PREFIXES,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_ZONE_GET,
		.doit		= dmm_nl_zone_get_doit,
		.dumpit		= dmm_nl_zone_get_dumpit,
		.policy		= dmm_zone_get_nl_policy,
		.maxattr	= DMM_A_ZONE_NAME,
	},
	{
		.cmd		= DMM_CMD_SET_ADD,
		.doit		= dmm_nl_set_add_doit,
		.policy		= dmm_set_add_nl_policy,
		.maxattr	= DMM_A_SET_RANGES,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_SET_DEL,
		.doit		= dmm_nl_set_del_doit,
		.policy		= dmm_set_del_nl_policy,
		.maxattr	= DMM_A_SET_NAME,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_SET_GET,
		.doit		= dmm_nl_set_get_doit,
		.dumpit		= dmm_nl_set_get_dumpit,
		.policy		= dmm_set_get_nl_policy,
		.maxattr	= DMM_A_SET_NAME,
	},
	{
		.cmd		= DMM_CMD_RULE_ADD,
		.doit		= dmm_nl_rule_add_doit,
		.policy		= dmm_rule_add_nl_policy,
		.maxattr	= DMM_A_RULE_RACE,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_RULE_DEL,
		.doit		= dmm_nl_rule_del_doit,
		.policy		= dmm_rule_del_nl_policy,
		.maxattr	= DMM_A_RULE_ORIGIN,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_RULE_GET,
		.doit		= dmm_nl_rule_get_doit,
		.dumpit		= dmm_nl_rule_get_dumpit,
		.policy		= dmm_rule_get_nl_policy,
		.maxattr	= DMM_A_RULE_ORIGIN,
	},
	{
		.cmd		= DMM_CMD_RULE_ZERO,
		.doit		= dmm_nl_rule_zero_doit,
		.policy		= dmm_rule_zero_nl_policy,
		.maxattr	= DMM_A_RULE_ID,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_STAT_GET,
		.doit		= dmm_nl_stat_get_doit,
		.policy		= dmm_stat_get_nl_policy,
		.maxattr	= DMM_A_STAT_PAD,
	},
	{
		.cmd		= DMM_CMD_EXPLAIN,
		.doit		= dmm_nl_explain_doit,
		.dumpit		= dmm_nl_explain_dumpit,
		.policy		= dmm_explain_nl_policy,
		.maxattr	= DMM_A_EXPLAIN_REPEAT,
	},
	{
		.cmd		= DMM_CMD_DECISION_GET,
		.doit		= dmm_nl_decision_get_doit,
		.dumpit		= dmm_nl_decision_get_dumpit,
		.policy		= dmm_decision_get_nl_policy,
		.maxattr	= DMM_A_DECISION_COOKIE,
	},
	{
		.cmd		= DMM_CMD_SOCK_GET,
		.doit		= dmm_nl_sock_get_doit,
		.dumpit		= dmm_nl_sock_get_dumpit,
		.policy		= dmm_sock_get_nl_policy,
		.maxattr	= DMM_A_DECISION_COOKIE,
	},
	{
		.cmd		= DMM_CMD_GROUP_ADD,
		.doit		= dmm_nl_group_add_doit,
		.policy		= dmm_group_add_nl_policy,
		.maxattr	= DMM_A_GROUP_MEMBERS,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_GROUP_SET,
		.doit		= dmm_nl_group_set_doit,
		.policy		= dmm_group_set_nl_policy,
		.maxattr	= DMM_A_GROUP_MEMBERS,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_GROUP_DEL,
		.doit		= dmm_nl_group_del_doit,
		.policy		= dmm_group_del_nl_policy,
		.maxattr	= DMM_A_GROUP_NAME,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_GROUP_GET,
		.doit		= dmm_nl_group_get_doit,
		.dumpit		= dmm_nl_group_get_dumpit,
		.policy		= dmm_group_get_nl_policy,
		.maxattr	= DMM_A_GROUP_NAME,
	},
	{
		.cmd		= DMM_CMD_STACK_GET,
		.doit		= dmm_nl_stack_get_doit,
		.dumpit		= dmm_nl_stack_get_dumpit,
		.policy		= dmm_stack_get_nl_policy,
		.maxattr	= DMM_A_STACK_INSTANCE,
	},
	{
		.cmd		= DMM_CMD_STACK_SHARE,
		.doit		= dmm_nl_stack_share_doit,
		.policy		= dmm_stack_share_nl_policy,
		.maxattr	= DMM_A_STACK_NETNS_PID,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_STACK_UNSHARE,
		.doit		= dmm_nl_stack_unshare_doit,
		.policy		= dmm_stack_unshare_nl_policy,
		.maxattr	= DMM_A_STACK_NETNS_PID,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= DMM_CMD_STACK_FLUSH,
		.doit		= dmm_nl_stack_flush_doit,
		.policy		= dmm_stack_flush_nl_policy,
		.maxattr	= DMM_A_STACK_PAD,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
};

