// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: events of what a commit changed. */
#include "nl_policy.h"

#include <net/genetlink.h>

#include "compat.h"
#include "net.h"
#include "netlink.h"

static void send_event(struct dmm_policy *p, struct dmm_nl_msg *m, int err)
{
	if (err) {
		nlmsg_free(m->skb);
		genl_set_err(&dmm_genl_family, p->net, 0, DMM_NLGRP_POLICY,
			     -ENOBUFS);
		return;
	}
	genlmsg_multicast_netns(&dmm_genl_family, p->net, m->skb, 0,
				DMM_NLGRP_POLICY, GFP_KERNEL);
}

static bool start_event(struct dmm_policy *p, struct dmm_nl_msg *m, u8 cmd)
{
	*m = (struct dmm_nl_msg) {
		.skb = genlmsg_new(DMM_NL_MSG_SIZE, GFP_KERNEL),
		.cmd = cmd,
		.ns = p->net->user_ns,
	};
	if (!m->skb)
		send_event(p, m, -ENOMEM);
	return m->skb;
}

static void rule_event(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_rule *rule = container_of(obj, struct dmm_rule, obj);
	struct dmm_nl_msg m;

	if (start_event(p, &m, dmm_alive(obj) ? DMM_CMD_RULE_ADD :
						DMM_CMD_RULE_DEL))
		send_event(p, &m, dmm_nl_fill_rule(&m, rule));
}

static int fill_name(const struct dmm_nl_msg *m, const struct dmm_name *name)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr || dmm_nl_put_name(m->skb, name))
		return -EMSGSIZE;
	genlmsg_end(m->skb, hdr);
	return 0;
}

/* A new zone whose prefixes are next in the log: their event tells of both. */
static bool prefixes_follow(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_obj *next = list_next_entry(obj, list);
	struct dmm_zone_prefix *prefix;

	if (!dmm_alive(obj) || list_entry_is_head(next, &p->txn.log, list) ||
	    next->ops != &dmm_prefix_ops || !dmm_alive(next))
		return false;
	prefix = container_of(next, struct dmm_zone_prefix, obj);
	return &prefix->zone->name.obj == obj;
}

static void zone_event(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_nl_msg m;

	if (prefixes_follow(p, obj))
		return;
	if (start_event(p, &m, dmm_alive(obj) ? DMM_CMD_ZONE_ADD :
						DMM_CMD_ZONE_DEL))
		send_event(p, &m, fill_name(&m, container_of(obj, struct dmm_name,
							     obj)));
}

/* A set comes with its ports, whose event is below. */
static void set_event(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_nl_msg m;

	if (!dmm_alive(obj) && start_event(p, &m, DMM_CMD_SET_DEL))
		send_event(p, &m, fill_name(&m, container_of(obj, struct dmm_name,
							     obj)));
}

static void set_ports_event(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_set_ports *ports = container_of(obj, struct dmm_set_ports, obj);
	struct dmm_nl_msg m;

	if (!dmm_alive(obj) || !start_event(p, &m, DMM_CMD_SET_ADD))
		return;
	if (ports->set->name.obj.born < obj->born)
		m.flags = NLM_F_REPLACE;
	send_event(p, &m, dmm_nl_fill_set(&m, ports->set, &ports->ports));
}

/*
 * Prefixes of one zone that follow each other in the log share an event.
 * Return the last of them that it has.
 */
static struct dmm_obj *fill_prefixes(struct dmm_policy *p,
				     const struct dmm_nl_msg *m,
				     struct dmm_obj *obj)
{
	struct dmm_zone_prefix *prefix =
		container_of(obj, struct dmm_zone_prefix, obj);
	const size_t size = sizeof(struct dmm_prefix);
	const struct dmm_zone *zone = prefix->zone;
	bool alive = dmm_alive(obj);
	struct dmm_obj *last = obj;
	struct nlattr *attr;

	attr = nla_reserve(m->skb, DMM_A_ZONE_PREFIXES, 0);
	list_for_each_entry_from(obj, &p->txn.log, list) {
		prefix = container_of(obj, struct dmm_zone_prefix, obj);
		if (obj->ops != &dmm_prefix_ops || prefix->zone != zone ||
		    dmm_alive(obj) != alive || skb_tailroom(m->skb) < size)
			break;
		dmm_nl_copy_addr(skb_put(m->skb, size), &prefix->addr);
		attr->nla_len += size;
		last = obj;
	}
	return last;
}

static struct dmm_obj *prefix_event(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_zone_prefix *prefix =
		container_of(obj, struct dmm_zone_prefix, obj);
	struct dmm_nl_msg m;
	void *hdr;

	if (!start_event(p, &m, dmm_alive(obj) ? DMM_CMD_ZONE_ADD :
						 DMM_CMD_ZONE_DEL))
		return obj;
	hdr = dmm_nl_msg_start(&m);
	dmm_nl_put_name(m.skb, &prefix->zone->name);
	obj = fill_prefixes(p, &m, obj);
	genlmsg_end(m.skb, hdr);
	send_event(p, &m, 0);
	return obj;
}

static void commit_event(struct dmm_policy *p, u64 gen)
{
	struct dmm_nl_msg m;

	if (start_event(p, &m, DMM_CMD_TXN_COMMIT))
		send_event(p, &m, dmm_nl_fill_gen(&m, gen));
}

void dmm_policy_notify(struct dmm_policy *p, u64 gen)
{
	struct dmm_obj *obj;

	lockdep_assert_held(&p->lock);
	if (!genl_has_listeners(&dmm_genl_family, p->net, DMM_NLGRP_POLICY))
		return;
	list_for_each_entry(obj, &p->txn.log, list) {
		if (obj->ops == &dmm_rule_ops)
			rule_event(p, obj);
		else if (obj->ops == &dmm_zone_ops)
			zone_event(p, obj);
		else if (obj->ops == &dmm_prefix_ops)
			obj = prefix_event(p, obj);
		else if (obj->ops == &dmm_set_ops)
			set_event(p, obj);
		else
			set_ports_event(p, obj);
		cond_resched();
	}
	commit_event(p, gen);
}
