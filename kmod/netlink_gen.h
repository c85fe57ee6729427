/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/dmm.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_DMM_GEN_H
#define _LINUX_DMM_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/dmm_netlink.h>

extern const struct nla_policy dmm_txn_begin_nl_policy[DMM_A_TXN_GEN + 1];

extern const struct nla_policy dmm_txn_commit_nl_policy[DMM_A_TXN_PAD + 1];

extern const struct nla_policy dmm_txn_abort_nl_policy[DMM_A_TXN_PAD + 1];

extern const struct nla_policy dmm_flush_nl_policy[DMM_A_ZONE_ORIGIN + 1];

extern const struct nla_policy dmm_zone_add_nl_policy[DMM_A_ZONE_PREFIXES + 1];

extern const struct nla_policy dmm_zone_del_nl_policy[DMM_A_ZONE_PREFIXES + 1];

extern const struct nla_policy dmm_zone_get_nl_policy[DMM_A_ZONE_NAME + 1];

extern const struct nla_policy dmm_set_add_nl_policy[DMM_A_SET_RANGES + 1];

extern const struct nla_policy dmm_set_del_nl_policy[DMM_A_SET_NAME + 1];

extern const struct nla_policy dmm_set_get_nl_policy[DMM_A_SET_NAME + 1];

extern const struct nla_policy dmm_rule_add_nl_policy[DMM_A_RULE_RACE + 1];

extern const struct nla_policy dmm_rule_del_nl_policy[DMM_A_RULE_ORIGIN + 1];

extern const struct nla_policy dmm_rule_get_nl_policy[DMM_A_RULE_ORIGIN + 1];

extern const struct nla_policy dmm_rule_zero_nl_policy[DMM_A_RULE_ID + 1];

extern const struct nla_policy dmm_stat_get_nl_policy[DMM_A_STAT_PAD + 1];

extern const struct nla_policy dmm_explain_nl_policy[DMM_A_EXPLAIN_REPEAT + 1];

extern const struct nla_policy dmm_decision_get_nl_policy[DMM_A_DECISION_COOKIE + 1];

extern const struct nla_policy dmm_sock_get_nl_policy[DMM_A_DECISION_COOKIE + 1];

extern const struct nla_policy dmm_group_add_nl_policy[DMM_A_GROUP_MEMBERS + 1];

extern const struct nla_policy dmm_group_set_nl_policy[DMM_A_GROUP_MEMBERS + 1];

extern const struct nla_policy dmm_group_del_nl_policy[DMM_A_GROUP_NAME + 1];

extern const struct nla_policy dmm_group_get_nl_policy[DMM_A_GROUP_NAME + 1];

extern const struct nla_policy dmm_stack_get_nl_policy[DMM_A_STACK_INSTANCE + 1];

extern const struct nla_policy dmm_stack_share_nl_policy[DMM_A_STACK_NETNS_PID + 1];

extern const struct nla_policy dmm_stack_unshare_nl_policy[DMM_A_STACK_NETNS_PID + 1];

extern const struct nla_policy dmm_stack_flush_nl_policy[DMM_A_STACK_PAD + 1];

/* Ops table for dmm */
extern const struct genl_ops dmm_nl_ops[26];

int dmm_nl_txn_begin_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_txn_commit_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_txn_abort_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_flush_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_zone_add_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_zone_del_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_zone_get_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_zone_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int dmm_nl_set_add_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_set_del_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_set_get_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_set_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int dmm_nl_rule_add_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_rule_del_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_rule_get_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_rule_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int dmm_nl_rule_zero_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_stat_get_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_explain_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_explain_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int dmm_nl_decision_get_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_decision_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int dmm_nl_sock_get_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_sock_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int dmm_nl_group_add_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_group_set_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_group_del_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_group_get_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_group_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int dmm_nl_stack_get_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_stack_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int dmm_nl_stack_share_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_stack_unshare_doit(struct sk_buff *skb, struct genl_info *info);
int dmm_nl_stack_flush_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	DMM_NLGRP_POLICY,
	DMM_NLGRP_DECISION,
	DMM_NLGRP_STACK,
};

#endif /* _LINUX_DMM_GEN_H */
