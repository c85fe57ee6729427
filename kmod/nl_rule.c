// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: rules, but for the adding. */
#include "nl_policy.h"

#include <linux/user_namespace.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "compat.h"
#include "net.h"
#include "netlink.h"

const struct dmm_nl_end dmm_nl_end[2] = {
	[DMM_SRC] = {
		.addr = DMM_A_RULE_SRC,		.addr_key = DMM_KEY_SRC,
		.zone = DMM_A_RULE_SRC_ZONE,	.zone_key = DMM_KEY_SRC_ZONE,
		.ports = DMM_A_RULE_SPORTS,	.port_key = DMM_KEY_SPORT,
		.set = DMM_A_RULE_SPORT_SET,
	},
	[DMM_DST] = {
		.addr = DMM_A_RULE_DST,		.addr_key = DMM_KEY_DST,
		.zone = DMM_A_RULE_DST_ZONE,	.zone_key = DMM_KEY_DST_ZONE,
		.ports = DMM_A_RULE_DPORTS,	.port_key = DMM_KEY_DPORT,
		.set = DMM_A_RULE_DPORT_SET,
	},
};

static int put_end(struct sk_buff *skb, const struct dmm_rule *rule, int end)
{
	if (rule->keys & BIT(dmm_nl_end[end].addr_key) &&
	    dmm_nl_put_addr(skb, dmm_nl_end[end].addr, &rule->addr[end]))
		return -EMSGSIZE;
	if (rule->zone[end] &&
	    nla_put_string(skb, dmm_nl_end[end].zone, rule->zone[end]->name.name))
		return -EMSGSIZE;
	if (rule->set[end])
		return nla_put_string(skb, dmm_nl_end[end].set,
				      rule->set[end]->name.name);
	if (rule->ports[end])
		return dmm_nl_put_ranges(skb, dmm_nl_end[end].ports,
					 rule->ports[end]);
	return 0;
}

static int put_kind(struct sk_buff *skb, const struct dmm_rule *rule)
{
	u32 keys = rule->keys;

	if ((keys & BIT(DMM_KEY_ROLE) &&
	     nla_put_u8(skb, DMM_A_RULE_ROLE, rule->role)) ||
	    (keys & BIT(DMM_KEY_TYPE) &&
	     nla_put_u8(skb, DMM_A_RULE_TYPE, rule->type)) ||
	    (keys & BIT(DMM_KEY_FAMILY) &&
	     nla_put_u8(skb, DMM_A_RULE_FAMILY, rule->family)) ||
	    (keys & BIT(DMM_KEY_DSCP) &&
	     nla_put_u8(skb, DMM_A_RULE_DSCP, rule->dscp)))
		return -EMSGSIZE;
	return 0;
}

static int put_owner(struct sk_buff *skb, const struct dmm_rule *rule,
		     struct user_namespace *ns)
{
	u32 keys = rule->keys;

	if (keys & BIT(DMM_KEY_UID) &&
	    (nla_put_u32(skb, DMM_A_RULE_UID_LO,
			 from_kuid_munged(ns, rule->uid_lo)) ||
	     nla_put_u32(skb, DMM_A_RULE_UID_HI,
			 from_kuid_munged(ns, rule->uid_hi))))
		return -EMSGSIZE;
	if (keys & BIT(DMM_KEY_GID) &&
	    (nla_put_u32(skb, DMM_A_RULE_GID_LO,
			 from_kgid_munged(ns, rule->gid_lo)) ||
	     nla_put_u32(skb, DMM_A_RULE_GID_HI,
			 from_kgid_munged(ns, rule->gid_hi))))
		return -EMSGSIZE;
	if (keys & BIT(DMM_KEY_CGROUP) &&
	    nla_put_string(skb, DMM_A_RULE_CGROUP,
			   *rule->cgroup ? rule->cgroup : "/"))
		return -EMSGSIZE;
	if (keys & BIT(DMM_KEY_MARK) &&
	    (nla_put_u32(skb, DMM_A_RULE_MARK, rule->mark) ||
	     nla_put_u32(skb, DMM_A_RULE_MARK_MASK, rule->mark_mask)))
		return -EMSGSIZE;
	if (keys & BIT(DMM_KEY_DEV) &&
	    nla_put_string(skb, DMM_A_RULE_DEV, rule->dev))
		return -EMSGSIZE;
	if (keys & BIT(DMM_KEY_COMM) &&
	    nla_put_string(skb, DMM_A_RULE_COMM, rule->comm))
		return -EMSGSIZE;
	return 0;
}

static int put_opts(struct sk_buff *skb, const struct dmm_sockopts *opts)
{
	u32 set = opts->set;

	if ((set & DMM_OPT_CC &&
	     nla_put_string(skb, DMM_A_RULE_SET_CC, opts->cc)) ||
	    (set & DMM_OPT_MARK &&
	     nla_put_u32(skb, DMM_A_RULE_SET_MARK, opts->mark)) ||
	    (set & DMM_OPT_TOS &&
	     nla_put_u8(skb, DMM_A_RULE_SET_TOS, opts->tos)) ||
	    (set & DMM_OPT_KEEPIDLE &&
	     nla_put_u32(skb, DMM_A_RULE_SET_KEEPIDLE, opts->keepidle)) ||
	    (set & DMM_OPT_KEEPINTVL &&
	     nla_put_u32(skb, DMM_A_RULE_SET_KEEPINTVL, opts->keepintvl)) ||
	    (set & DMM_OPT_KEEPCNT &&
	     nla_put_u32(skb, DMM_A_RULE_SET_KEEPCNT, opts->keepcnt)))
		return -EMSGSIZE;
	return 0;
}

static int put_action(struct sk_buff *skb, const struct dmm_action *action)
{
	unsigned int i;

	if (nla_put_u8(skb, DMM_A_RULE_VERDICT, action->verdict) ||
	    (action->flags && nla_put_u32(skb, DMM_A_RULE_FLAGS, action->flags)))
		return -EMSGSIZE;
	for (i = 0; i < action->nr_stacks; i++)
		if (nla_put_string(skb, DMM_A_RULE_STACK, action->stacks[i]))
			return -EMSGSIZE;
	return put_opts(skb, &action->opts);
}

static int put_rule(const struct dmm_nl_msg *m, const struct dmm_rule *rule)
{
	struct sk_buff *skb = m->skb;

	if (nla_put_u32(skb, DMM_A_RULE_ID, rule->id) ||
	    nla_put_u32(skb, DMM_A_RULE_PRIO, rule->prio) ||
	    nla_put_u8(skb, DMM_A_RULE_ORIGIN, rule->origin) ||
	    nla_put_u64_64bit(skb, DMM_A_RULE_HITS,
			      atomic64_read(&rule->hits), DMM_A_RULE_PAD))
		return -EMSGSIZE;
	return put_kind(skb, rule) ?: put_end(skb, rule, DMM_SRC) ?:
	       put_end(skb, rule, DMM_DST) ?: put_owner(skb, rule, m->ns) ?:
	       put_action(skb, &rule->action);
}

int dmm_nl_fill_rule(const struct dmm_nl_msg *m, const struct dmm_rule *rule)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr)
		return -EMSGSIZE;
	if (put_rule(m, rule)) {
		genlmsg_cancel(m->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, hdr);
	return 0;
}

int dmm_nl_fill_tried(const struct dmm_nl_msg *m, const struct dmm_rule *rule,
		      enum dmm_key_id mismatch)
{
	void *hdr = dmm_nl_msg_start(m);
	struct nlattr *tried;

	if (!hdr)
		return -EMSGSIZE;
	tried = nla_nest_start(m->skb, DMM_A_EXPLAIN_TRIED);
	if (!tried || put_rule(m, rule) ||
	    (mismatch && nla_put_u8(m->skb, DMM_A_RULE_MISMATCH, mismatch))) {
		genlmsg_cancel(m->skb, hdr);
		return -EMSGSIZE;
	}
	nla_nest_end(m->skb, tried);
	genlmsg_end(m->skb, hdr);
	return 0;
}

static int reply_rule(struct dmm_policy *p, const struct dmm_nl_msg *m, u32 id)
{
	struct dmm_rule *rule = dmm_rule_find(p, id);

	if (!rule || !dmm_visible(&rule->obj, dmm_gen(p)))
		return -ENOENT;
	return dmm_nl_fill_rule(m, rule);
}

int dmm_nl_rule_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_policy *p = dmm_nl_policy(info);
	const struct nlattr *attr = info->attrs[DMM_A_RULE_ID];
	struct dmm_nl_msg m;
	int err;

	if (!attr) {
		NL_SET_ERR_MSG(info->extack, "which rule: id is missing");
		return -EINVAL;
	}
	dmm_nl_reply_msg(&m, info, DMM_CMD_RULE_GET);
	if (!m.skb)
		return -ENOMEM;
	m.ns = sk_user_ns(NETLINK_CB(skb).sk);
	mutex_lock(&p->lock);
	err = reply_rule(p, &m, nla_get_u32(attr));
	mutex_unlock(&p->lock);
	if (err) {
		nlmsg_free(m.skb);
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "no such rule");
		return err;
	}
	return genlmsg_reply(m.skb, info);
}

/* cb->ctx: rank to go on from.  Rules that come and go do not disturb it. */
int dmm_nl_rule_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct nlattr *origin = dmm_dump_attrs(cb)[DMM_A_RULE_ORIGIN];
	struct dmm_policy *p = &dmm_net(sock_net(skb->sk))->policy;
	u64 *rank = (u64 *)cb->ctx;
	struct dmm_rule *rule;
	struct dmm_nl_msg m;
	u64 gen;

	dmm_nl_dump_msg(&m, skb, cb, DMM_CMD_RULE_GET);
	mutex_lock(&p->lock);
	gen = dmm_gen(p);
	cb->seq = gen;
	for (rule = dmm_rule_from(p, *rank); rule; rule = dmm_rule_next(rule)) {
		*rank = rule->rank;
		if (dmm_visible(&rule->obj, gen) &&
		    (!origin || rule->origin == nla_get_u8(origin)) &&
		    dmm_nl_fill_rule(&m, rule))
			break;
		cond_resched();
	}
	if (!rule)
		*rank = U64_MAX;
	mutex_unlock(&p->lock);
	return skb->len;
}

/* Deleting. */

static bool wanted(const struct dmm_rule *rule, struct nlattr **tb)
{
	return dmm_alive(&rule->obj) &&
	       (!tb[DMM_A_RULE_PRIO] ||
		rule->prio == nla_get_u32(tb[DMM_A_RULE_PRIO])) &&
	       (!tb[DMM_A_RULE_ORIGIN] ||
		rule->origin == nla_get_u8(tb[DMM_A_RULE_ORIGIN]));
}

static unsigned int delete_prio(struct dmm_policy *p, struct nlattr **tb)
{
	u32 prio = nla_get_u32(tb[DMM_A_RULE_PRIO]);
	struct dmm_rule *rule, *next;
	unsigned int nr = 0;

	rule = dmm_rule_from(p, dmm_rule_rank(prio, 128, 128, 0));
	for (; rule && rule->prio == prio; rule = next) {
		next = dmm_rule_next(rule);
		if (wanted(rule, tb)) {
			dmm_obj_del(p, &rule->obj);
			nr++;
		}
		cond_resched();
	}
	return nr;
}

static int rule_del_change(struct dmm_policy *p, void *arg,
			   struct netlink_ext_ack *extack)
{
	struct genl_info *info = arg;
	struct nlattr **tb = info->attrs;
	struct dmm_rule *rule;

	if (!tb[DMM_A_RULE_ID]) {
		if (delete_prio(p, tb))
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, tb[DMM_A_RULE_PRIO],
				    "no rule of this priority");
		return -ENOENT;
	}
	rule = dmm_rule_find(p, nla_get_u32(tb[DMM_A_RULE_ID]));
	if (!rule || !wanted(rule, tb)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[DMM_A_RULE_ID], "no such rule");
		return -ENOENT;
	}
	dmm_obj_del(p, &rule->obj);
	return 0;
}

int dmm_nl_rule_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	if (!info->attrs[DMM_A_RULE_ID] && !info->attrs[DMM_A_RULE_PRIO]) {
		NL_SET_ERR_MSG(info->extack,
			       "which rule: id and priority are missing");
		return -EINVAL;
	}
	return dmm_policy_change(dmm_nl_policy(info),
				 info->snd_portid, rule_del_change, info,
				 info->extack);
}

/* Counters are no part of generations: this takes effect at once. */
int dmm_nl_rule_zero_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_policy *p = dmm_nl_policy(info);
	const struct nlattr *attr = info->attrs[DMM_A_RULE_ID];
	struct dmm_rule *rule;
	int err = 0;

	mutex_lock(&p->lock);
	if (attr) {
		rule = dmm_rule_find(p, nla_get_u32(attr));
		if (rule && dmm_visible(&rule->obj, dmm_gen(p))) {
			atomic64_set(&rule->hits, 0);
		} else {
			NL_SET_ERR_MSG_ATTR(info->extack, attr, "no such rule");
			err = -ENOENT;
		}
	} else {
		for (rule = dmm_rule_from(p, 0); rule; rule = dmm_rule_next(rule)) {
			atomic64_set(&rule->hits, 0);
			cond_resched();
		}
	}
	mutex_unlock(&p->lock);
	return err;
}
