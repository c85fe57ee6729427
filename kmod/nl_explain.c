// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: what the policy would do with a socket that is described. */
#include "nl_explain.h"

#include <linux/cred.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "compat.h"
#include "net.h"
#include "netlink.h"
#include "nl_policy.h"

/* An end of the flow: a whole address, of the family of what is known so far. */
static int get_end(const struct nlattr *attr, struct dmm_flow *flow,
		   struct in6_addr *ip, struct netlink_ext_ack *extack)
{
	struct dmm_addr addr;
	int err;

	if (!attr)
		return 0;
	err = dmm_nl_get_addr(&addr, attr, extack);
	if (err)
		return err;
	if (addr.len != (addr.family == AF_INET ? 32 : 128)) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "not a whole address");
		return -EINVAL;
	}
	if (flow->family && flow->family != addr.family) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "the address is of another family");
		return -EINVAL;
	}
	flow->family = addr.family;
	*ip = addr.ip;
	return 0;
}

static int get_addrs(struct nlattr **tb, struct dmm_flow *flow,
		     struct netlink_ext_ack *extack)
{
	const struct nlattr *family = tb[DMM_A_EXPLAIN_FAMILY];
	struct in6_addr any4;
	int err;

	if (family) {
		flow->family = nla_get_u8(family);
		if (flow->family != AF_INET && flow->family != AF_INET6) {
			NL_SET_ERR_MSG_ATTR(extack, family,
					    "the family is neither AF_INET nor AF_INET6");
			return -EINVAL;
		}
	}
	err = get_end(tb[DMM_A_EXPLAIN_SRC], flow, &flow->src, extack) ?:
	      get_end(tb[DMM_A_EXPLAIN_DST], flow, &flow->dst, extack);
	if (err)
		return err;
	if (!flow->family)
		flow->family = AF_INET;
	if (flow->family == AF_INET) {
		ipv6_addr_set_v4mapped(htonl(INADDR_ANY), &any4);
		if (!tb[DMM_A_EXPLAIN_SRC])
			flow->src = any4;
		if (!tb[DMM_A_EXPLAIN_DST])
			flow->dst = any4;
	}
	if (tb[DMM_A_EXPLAIN_SPORT])
		flow->sport = nla_get_u16(tb[DMM_A_EXPLAIN_SPORT]);
	if (tb[DMM_A_EXPLAIN_DPORT])
		flow->dport = nla_get_u16(tb[DMM_A_EXPLAIN_DPORT]);
	return 0;
}

static int get_kind(struct nlattr **tb, struct dmm_flow *flow,
		    struct netlink_ext_ack *extack)
{
	const struct nlattr *role = tb[DMM_A_EXPLAIN_ROLE];
	const struct nlattr *type = tb[DMM_A_EXPLAIN_TYPE];

	flow->role = role ? nla_get_u8(role) : DMM_ROLE_CONNECT;
	if (flow->role == DMM_ROLE_ANY) {
		NL_SET_ERR_MSG_ATTR(extack, role,
				    "a socket either connects or listens");
		return -EINVAL;
	}
	flow->type = type ? nla_get_u8(type) : SOCK_STREAM;
	if (flow->type != SOCK_STREAM && flow->type != SOCK_DGRAM) {
		NL_SET_ERR_MSG_ATTR(extack, type,
				    "the type is neither SOCK_STREAM nor SOCK_DGRAM");
		return -EINVAL;
	}
	if (tb[DMM_A_EXPLAIN_MARK])
		flow->mark = nla_get_u32(tb[DMM_A_EXPLAIN_MARK]);
	if (tb[DMM_A_EXPLAIN_DSCP])
		flow->dscp = nla_get_u8(tb[DMM_A_EXPLAIN_DSCP]);
	return 0;
}

static int get_owner(const struct sk_buff *request, struct nlattr **tb,
		     struct dmm_flow *flow, struct netlink_ext_ack *extack)
{
	struct user_namespace *ns = sk_user_ns(NETLINK_CB(request).sk);
	const struct nlattr *uid = tb[DMM_A_EXPLAIN_UID];
	const struct nlattr *gid = tb[DMM_A_EXPLAIN_GID];

	flow->uid = uid ? make_kuid(ns, nla_get_u32(uid)) :
			  NETLINK_CREDS(request)->uid;
	if (!uid_valid(flow->uid)) {
		NL_SET_ERR_MSG_ATTR(extack, uid,
				    "the uid is not mapped in the user namespace");
		return -EINVAL;
	}
	flow->gid = gid ? make_kgid(ns, nla_get_u32(gid)) :
			  NETLINK_CREDS(request)->gid;
	if (!gid_valid(flow->gid)) {
		NL_SET_ERR_MSG_ATTR(extack, gid,
				    "the gid is not mapped in the user namespace");
		return -EINVAL;
	}
	return 0;
}

static int get_names(struct nlattr **tb, struct dmm_flow *flow,
		     struct netlink_ext_ack *extack)
{
	const struct nlattr *cgroup = tb[DMM_A_EXPLAIN_CGROUP];
	unsigned int level;
	int err;

	if (cgroup) {
		err = dmm_nl_get_cgroup(&flow->cgroup, &level, cgroup, extack);
		/* A socket's may be deeper than a rule's. */
		if (err && err != -E2BIG)
			return err;
	}
	if (tb[DMM_A_EXPLAIN_DEV])
		strscpy(flow->dev, nla_data(tb[DMM_A_EXPLAIN_DEV]),
			sizeof(flow->dev));
	if (tb[DMM_A_EXPLAIN_COMM])
		strscpy(flow->comm, nla_data(tb[DMM_A_EXPLAIN_COMM]),
			sizeof(flow->comm));
	return 0;
}

int dmm_nl_get_flow(struct dmm_flow *flow, bool *listening,
		    const struct sk_buff *request, struct nlattr **tb,
		    struct netlink_ext_ack *extack)
{
	int err;

	memset(flow, 0, sizeof(*flow));
	err = get_kind(tb, flow, extack) ?: get_addrs(tb, flow, extack) ?:
	      get_owner(request, tb, flow, extack) ?:
	      get_names(tb, flow, extack);
	*listening = flow->role == DMM_ROLE_LISTEN &&
		     !tb[DMM_A_EXPLAIN_DST] && !tb[DMM_A_EXPLAIN_DPORT];
	return err;
}

/* Where a dump of the rules that explain a decision is. */
struct walk {
	u64 rank;
	bool done;
};

static enum dmm_key_id first_mismatch(const struct dmm_rule *rule,
				      const struct dmm_lookup *l, bool listening)
{
	u32 keys = listening ? ~rule->remote : DMM_KEYS_ALL;
	enum dmm_key_id key = dmm_rule_mismatch(rule, l, keys);

	if (key == DMM_KEY_NONE && listening && rule->remote)
		key = __ffs(rule->remote);
	return key;
}

/* Rules in their order, up to the one that matches. */
static void walk_rules(struct dmm_policy *p, const struct dmm_nl_msg *m,
		       const struct dmm_lookup *l, bool listening,
		       struct walk *at)
{
	enum dmm_key_id mismatch;
	struct dmm_rule *rule;

	for (rule = dmm_rule_from(p, at->rank); rule && !at->done;
	     rule = dmm_rule_next(rule)) {
		at->rank = rule->rank;
		if (!dmm_visible(&rule->obj, l->view->gen))
			continue;
		mismatch = first_mismatch(rule, l, listening);
		if (dmm_nl_fill_tried(m, rule, mismatch))
			return;
		at->done = !mismatch;
	}
	at->done = true;
}

int dmm_nl_explain_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dmm_policy *p = &dmm_net(sock_net(skb->sk))->policy;
	struct walk *at = (struct walk *)cb->ctx;
	const struct dmm_view *view;
	struct dmm_lookup l;
	struct dmm_flow flow;
	struct dmm_nl_msg m;
	bool listening;
	int err;

	err = dmm_nl_get_flow(&flow, &listening, cb->skb, dmm_dump_attrs(cb),
			      cb->extack);
	if (err)
		return err;
	dmm_nl_dump_msg(&m, skb, cb, DMM_CMD_EXPLAIN);
	mutex_lock(&p->lock);
	rcu_read_lock();
	view = rcu_dereference(p->view);
	cb->seq = view->gen;
	dmm_lookup_init(&l, p, view, &flow);
	walk_rules(p, &m, &l, listening, at);
	rcu_read_unlock();
	mutex_unlock(&p->lock);
	return skb->len;
}

#define MAX_REPEAT	1000000

/* How often to decide: measuring is work, so only administrators may ask. */
static int get_repeat(const struct sk_buff *request, struct genl_info *info,
		      u32 *repeat)
{
	const struct nlattr *attr = info->attrs[DMM_A_EXPLAIN_REPEAT];

	*repeat = attr ? nla_get_u32(attr) : 0;
	if (*repeat > MAX_REPEAT) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "repeat is above a million");
		return -EINVAL;
	}
	if (*repeat && !netlink_ns_capable(request, genl_info_net(info)->user_ns,
					   CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "repeat needs CAP_NET_ADMIN");
		return -EPERM;
	}
	return 0;
}

/* Mean time of a decision in picoseconds. */
static u64 measure(struct dmm_net *dn, struct dmm_flow *flow, bool listening,
		   const char *want, u32 repeat)
{
	struct dmm_decision d;
	u64 start, ns = 0;
	u32 i, n;

	for (i = 0; i < repeat; i += n) {
		n = min(repeat - i, 1024U);
		start = ktime_get_ns();
		for (u32 j = 0; j < n; j++)
			dmm_decide(dn, flow, listening, want, &d, NULL, NULL);
		ns += ktime_get_ns() - start;
		cond_resched();
	}
	return div_u64(ns * 1000, repeat);
}

/* Candidates that an answer has room for. */
#define CANDIDATES_MAX	32

struct candidates {
	unsigned int nr;
	struct dmm_candidate v[CANDIDATES_MAX];
};

static int fill_decision(const struct dmm_nl_msg *m,
			 const struct dmm_decision *d, const char *src_zone,
			 const char *dst_zone, u64 ps, const struct candidates *c)
{
	struct sk_buff *skb = m->skb;
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr ||
	    nla_put_u64_64bit(skb, DMM_A_EXPLAIN_GEN, d->gen, DMM_A_EXPLAIN_PAD) ||
	    nla_put_u8(skb, DMM_A_EXPLAIN_VERDICT, d->verdict) ||
	    nla_put_u32(skb, DMM_A_EXPLAIN_REASON, d->reason) ||
	    nla_put_u32(skb, DMM_A_EXPLAIN_ERRNO, -d->err) ||
	    (*d->stack && nla_put_string(skb, DMM_A_EXPLAIN_STACK, d->stack)) ||
	    (*src_zone && nla_put_string(skb, DMM_A_EXPLAIN_SRC_ZONE, src_zone)) ||
	    (*dst_zone && nla_put_string(skb, DMM_A_EXPLAIN_DST_ZONE, dst_zone)) ||
	    (ps && nla_put_u64_64bit(skb, DMM_A_EXPLAIN_PS, ps, DMM_A_EXPLAIN_PAD)))
		return -EMSGSIZE;
	if (c->nr && nla_put(skb, DMM_A_EXPLAIN_CANDIDATES, c->nr * sizeof(*c->v), c->v))
		return -EMSGSIZE;
	if (d->rule && (nla_put_u32(skb, DMM_A_EXPLAIN_RULE, d->rule) ||
			nla_put_u32(skb, DMM_A_EXPLAIN_PRIO, d->prio)))
		return -EMSGSIZE;
	genlmsg_end(skb, hdr);
	return 0;
}

/* All of one generation. */
static void explain(struct dmm_net *dn, struct dmm_flow *flow, bool listening,
		    const char *want, struct dmm_decision *d, char *src_zone,
		    char *dst_zone, struct candidates *c)
{
	u64 gen;

	do {
		dmm_decide(dn, flow, listening, want, d, NULL, NULL);
		c->nr = dmm_decide_candidates(dn, flow, listening, c->v,
					      CANDIDATES_MAX, &gen);
	} while (gen != d->gen ||
		 dmm_policy_zones(&dn->policy, flow, src_zone, dst_zone) != d->gen);
}

int dmm_nl_explain_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[DMM_A_EXPLAIN_WANT];
	struct dmm_net *dn = dmm_net(genl_info_net(info));
	const char *want = attr ? nla_data(attr) : "";
	char src_zone[DMM_NAME_MAX], dst_zone[DMM_NAME_MAX];
	struct candidates *c;
	struct dmm_decision d;
	struct dmm_flow flow;
	struct dmm_nl_msg m;
	bool listening;
	u32 repeat;
	u64 ps = 0;
	int err;

	err = dmm_nl_get_flow(&flow, &listening, skb, info->attrs, info->extack) ?:
	      get_repeat(skb, info, &repeat);
	if (err)
		return err;
	c = kmalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return -ENOMEM;
	explain(dn, &flow, listening, want, &d, src_zone, dst_zone, c);
	if (repeat)
		ps = measure(dn, &flow, listening, want, repeat);
	dmm_nl_reply_msg(&m, info, DMM_CMD_EXPLAIN);
	err = m.skb ? fill_decision(&m, &d, src_zone, dst_zone, ps, c) : -ENOMEM;
	kfree(c);
	if (err) {
		nlmsg_free(m.skb);
		return err;
	}
	return genlmsg_reply(m.skb, info);
}
