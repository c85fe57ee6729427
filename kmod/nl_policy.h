/* SPDX-License-Identifier: GPL-2.0-only */
/* What the netlink handlers of the policy table share. */
#ifndef DMM_NL_POLICY_H
#define DMM_NL_POLICY_H

#include <net/genetlink.h>

#include "table.h"

/* Large enough for every message about one object. */
#define DMM_NL_MSG_SIZE	NLMSG_DEFAULT_SIZE

struct dmm_policy *dmm_nl_policy(struct genl_info *info);
/* A change of the sender's transaction; @fn gets @info as its argument. */
int dmm_nl_change(struct genl_info *info, dmm_change_fn fn);

/* Those that refuse name the attribute in the extack. */
int dmm_nl_need_name(struct genl_info *info, int attrtype);
/* Origin of a new object: cli unless the request says otherwise. */
u8 dmm_nl_get_origin(const struct nlattr *attr);
/* Of an object that exists. */
int dmm_nl_check_origin(const struct dmm_name *name, const struct nlattr *attr,
			struct netlink_ext_ack *extack);
/* The one of this name in generation @gen. */
struct dmm_name *dmm_nl_find_name(struct dmm_names *names, const char *str,
				  u64 gen);
/* Name and origin of a zone or set. */
int dmm_nl_put_name(struct sk_buff *skb, const struct dmm_name *name);

/* @at is in @attr. */
int dmm_nl_parse_addr(struct dmm_addr *addr, const struct dmm_prefix *at,
		      const struct nlattr *attr, struct netlink_ext_ack *extack);
int dmm_nl_get_addr(struct dmm_addr *addr, const struct nlattr *attr,
		    struct netlink_ext_ack *extack);
/* *@path is the attribute's, or "" for the root; *@level is its depth. */
int dmm_nl_get_cgroup(const char **path, unsigned int *level,
		      const struct nlattr *attr, struct netlink_ext_ack *extack);
/* Ranges that an attribute has; at most @max. */
int dmm_nl_count_ranges(const struct nlattr *attr, unsigned int max,
			struct netlink_ext_ack *extack);
/* @ports->nr is what dmm_nl_count_ranges() said; they are merged here. */
int dmm_nl_get_ranges(struct dmm_ports *ports, const struct nlattr *attr,
		      struct netlink_ext_ack *extack);

void dmm_nl_copy_addr(struct dmm_prefix *to, const struct dmm_addr *addr);
int dmm_nl_put_addr(struct sk_buff *skb, int attrtype,
		    const struct dmm_addr *addr);
int dmm_nl_put_ranges(struct sk_buff *skb, int attrtype,
		      const struct dmm_ports *ports);

/**
 * struct dmm_nl_msg - how a message is to be addressed
 * @skb:	the message
 * @portid:	receiver, 0 for a group
 * @seq:	of the request
 * @flags:	NLM_F_*
 * @cmd:	DMM_CMD_*
 * @cb:		the dump that it is part of, or NULL
 * @ns:		whose uids and gids the receiver understands
 */
struct dmm_nl_msg {
	struct sk_buff *skb;
	u32 portid;
	u32 seq;
	int flags;
	u8 cmd;
	struct netlink_callback *cb;
	struct user_namespace *ns;
};

void *dmm_nl_msg_start(const struct dmm_nl_msg *m);
/* A message of a dump, of what @skb has room for. */
void dmm_nl_dump_msg(struct dmm_nl_msg *m, struct sk_buff *skb,
		     struct netlink_callback *cb, u8 cmd);
/* A reply; m->skb is NULL if there is no memory. */
void dmm_nl_reply_msg(struct dmm_nl_msg *m, struct genl_info *info, u8 cmd);

int dmm_nl_fill_gen(const struct dmm_nl_msg *m, u64 gen);
int dmm_nl_fill_set(const struct dmm_nl_msg *m, const struct dmm_set *set,
		    const struct dmm_ports *ports);
int dmm_nl_fill_rule(const struct dmm_nl_msg *m, const struct dmm_rule *rule);
/* A rule that explain tried; without @mismatch (DMM_KEY_NONE) it matched. */
int dmm_nl_fill_tried(const struct dmm_nl_msg *m, const struct dmm_rule *rule,
		      enum dmm_key_id mismatch);

/* Attributes and keys of the ends of a rule. */
struct dmm_nl_end {
	u16 addr, zone, ports, set;
	u16 addr_key, zone_key, port_key;
};

extern const struct dmm_nl_end dmm_nl_end[2];

#endif /* DMM_NL_POLICY_H */
