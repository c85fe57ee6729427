// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: zones. */
#include "nl_policy.h"

#include <net/genetlink.h>
#include <net/sock.h>

#include "compat.h"
#include "net.h"
#include "netlink.h"

static int check_not_builtin(const struct dmm_zone *zone, struct genl_info *info)
{
	if (!zone || !dmm_zone_builtin(zone))
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[DMM_A_ZONE_NAME],
			    "the zone is built in");
	return -EPERM;
}

static int each_prefix(struct dmm_policy *p, struct dmm_zone *zone,
		       const struct nlattr *attr, struct netlink_ext_ack *extack,
		       int (*fn)(struct dmm_policy *p, struct dmm_zone *zone,
				 const struct dmm_addr *addr,
				 struct netlink_ext_ack *extack))
{
	const struct dmm_prefix *at = nla_data(attr);
	unsigned int nr = nla_len(attr) / sizeof(*at);
	struct dmm_addr addr;
	int err;

	for (; nr--; at++) {
		err = dmm_nl_parse_addr(&addr, at, attr, extack);
		if (err)
			return err;
		err = fn(p, zone, &addr, extack);
		if (err) {
			NL_SET_BAD_ATTR(extack, attr);
			return err;
		}
		cond_resched();
	}
	return 0;
}

static int check_prefixes(struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[DMM_A_ZONE_PREFIXES];

	if (!attr || !(nla_len(attr) % sizeof(struct dmm_prefix)))
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, attr,
			    "the prefixes are not an array of struct dmm_prefix");
	return -EINVAL;
}

static int zone_add_change(struct dmm_policy *p, void *arg,
			   struct netlink_ext_ack *extack)
{
	struct genl_info *info = arg;
	struct nlattr **tb = info->attrs;
	const char *name;
	struct dmm_zone *zone;
	int err;

	err = dmm_nl_need_name(info, DMM_A_ZONE_NAME) ?: check_prefixes(info);
	if (err)
		return err;
	name = nla_data(tb[DMM_A_ZONE_NAME]);
	zone = dmm_zone_find(p, name);
	err = check_not_builtin(zone, info);
	if (err)
		return err;
	if (!zone)
		zone = dmm_zone_create(p, name,
				       dmm_nl_get_origin(tb[DMM_A_ZONE_ORIGIN]), extack);
	if (IS_ERR(zone))
		return PTR_ERR(zone);
	err = dmm_nl_check_origin(&zone->name, tb[DMM_A_ZONE_ORIGIN], extack);
	if (err || !tb[DMM_A_ZONE_PREFIXES])
		return err;
	return each_prefix(p, zone, tb[DMM_A_ZONE_PREFIXES], extack,
			   dmm_prefix_add);
}

int dmm_nl_zone_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	return dmm_nl_change(info, zone_add_change);
}

static int zone_del_change(struct dmm_policy *p, void *arg,
			   struct netlink_ext_ack *extack)
{
	struct genl_info *info = arg;
	struct nlattr **tb = info->attrs;
	struct dmm_zone *zone;
	int err;

	err = dmm_nl_need_name(info, DMM_A_ZONE_NAME) ?: check_prefixes(info);
	if (err)
		return err;
	zone = dmm_zone_find(p, nla_data(tb[DMM_A_ZONE_NAME]));
	if (!zone) {
		NL_SET_ERR_MSG_ATTR(extack, tb[DMM_A_ZONE_NAME], "no such zone");
		return -ENOENT;
	}
	err = check_not_builtin(zone, info) ?:
	      dmm_nl_check_origin(&zone->name, tb[DMM_A_ZONE_ORIGIN], extack);
	if (err)
		return err;
	if (tb[DMM_A_ZONE_PREFIXES])
		return each_prefix(p, zone, tb[DMM_A_ZONE_PREFIXES], extack,
				   dmm_prefix_delete);
	err = dmm_zone_delete(p, zone, extack);
	if (err)
		NL_SET_BAD_ATTR(extack, tb[DMM_A_ZONE_NAME]);
	return err;
}

int dmm_nl_zone_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return dmm_nl_change(info, zone_del_change);
}

/**
 * struct zone_dump - where a dump of zones is
 * @after:	id of the last zone that was told in full
 * @within:	id of the zone that was told in part, or 0
 * @count:	prefixes of that zone
 * @last:	the last of them that was told
 */
struct zone_dump {
	u32 after;
	u32 within;
	u32 count;
	struct dmm_addr last;
};

static bool is_within(const struct zone_dump *at, const struct dmm_zone *zone)
{
	return at->within == zone->name.id;
}

static u32 count_prefixes(const struct dmm_zone *zone, u64 gen)
{
	struct dmm_zone_prefix *prefix;
	struct rb_node *node;
	u32 nr = 0;

	for (node = rb_first(&zone->prefixes); node; node = rb_next(node)) {
		prefix = rb_entry(node, struct dmm_zone_prefix, by_addr);
		nr += dmm_visible(&prefix->obj, gen);
		cond_resched();
	}
	return nr;
}

/*
 * As many prefixes as there is room for, in an attribute that grows.  Return
 * the first that did not fit, or NULL.
 */
static struct dmm_zone_prefix *put_prefixes(struct sk_buff *skb,
					    const struct dmm_zone *zone,
					    struct dmm_zone_prefix *prefix, u64 gen,
					    struct zone_dump *at)
{
	struct nlattr *attr = nla_reserve(skb, DMM_A_ZONE_PREFIXES, 0);
	const size_t size = sizeof(struct dmm_prefix);

	while (attr && prefix && skb_tailroom(skb) >= size &&
	       attr->nla_len + size <= U16_MAX) {
		dmm_nl_copy_addr(skb_put(skb, size), &prefix->addr);
		attr->nla_len += size;
		at->last = prefix->addr;
		at->within = zone->name.id;
		prefix = dmm_prefix_next(zone, &at->last, gen);
	}
	return prefix;
}

/* One message; *@more says whether the zone needs another one. */
static int fill_zone(const struct dmm_nl_msg *m, const struct dmm_zone *zone,
		     u64 gen, struct zone_dump *at, bool *more)
{
	struct dmm_zone_prefix *first, *left;
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr)
		return -EMSGSIZE;
	if (dmm_nl_put_name(m->skb, &zone->name) ||
	    nla_put_u32(m->skb, DMM_A_ZONE_COUNT, at->count))
		goto out_cancel;
	first = dmm_prefix_next(zone, is_within(at, zone) ? &at->last : NULL, gen);
	left = first ? put_prefixes(m->skb, zone, first, gen, at) : NULL;
	if (left && left == first)
		goto out_cancel;
	genlmsg_end(m->skb, hdr);
	*more = left;
	return 0;

out_cancel:
	genlmsg_cancel(m->skb, hdr);
	return -EMSGSIZE;
}

static int reply_zone(struct dmm_policy *p, const struct dmm_nl_msg *m,
		      const struct nlattr *attr)
{
	struct zone_dump at = {};
	struct dmm_name *name;
	u64 gen = dmm_gen(p);
	bool more;

	name = dmm_nl_find_name(&p->zones, nla_data(attr), gen);
	if (!name)
		return -ENOENT;
	at.count = count_prefixes(dmm_zone(name), gen);
	return fill_zone(m, dmm_zone(name), gen, &at, &more);
}

/* Of a zone that one message cannot hold, the first prefixes, and the count. */
int dmm_nl_zone_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_policy *p = dmm_nl_policy(info);
	struct dmm_nl_msg m;
	int err;

	err = dmm_nl_need_name(info, DMM_A_ZONE_NAME);
	if (err)
		return err;
	dmm_nl_reply_msg(&m, info, DMM_CMD_ZONE_GET);
	if (!m.skb)
		return -ENOMEM;
	mutex_lock(&p->lock);
	err = reply_zone(p, &m, info->attrs[DMM_A_ZONE_NAME]);
	mutex_unlock(&p->lock);
	if (err) {
		nlmsg_free(m.skb);
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[DMM_A_ZONE_NAME],
				    "no such zone");
		return err;
	}
	return genlmsg_reply(m.skb, info);
}

static int dump_zone(const struct dmm_nl_msg *m, const struct dmm_zone *zone,
		     u64 gen, struct zone_dump *at)
{
	bool more = true;
	int err;

	if (!is_within(at, zone))
		at->count = count_prefixes(zone, gen);
	while (more) {
		err = fill_zone(m, zone, gen, at, &more);
		if (err)
			return err;
	}
	at->within = 0;
	return 0;
}

int dmm_nl_zone_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct nlattr *only = dmm_dump_attrs(cb)[DMM_A_ZONE_NAME];
	struct dmm_policy *p = &dmm_net(sock_net(skb->sk))->policy;
	struct zone_dump *at = (struct zone_dump *)cb->ctx;
	struct dmm_name *name;
	struct dmm_nl_msg m;
	u64 gen;

	BUILD_BUG_ON(sizeof(*at) > sizeof(cb->ctx));
	dmm_nl_dump_msg(&m, skb, cb, DMM_CMD_ZONE_GET);
	mutex_lock(&p->lock);
	gen = dmm_gen(p);
	cb->seq = gen;
	at->after = max_t(u32, at->after, DMM_ZONE_FIRST - 1);
	while ((name = dmm_names_next(&p->zones, at->after, gen))) {
		if ((!only || !strcmp(nla_data(only), name->name)) &&
		    dump_zone(&m, dmm_zone(name), gen, at))
			break;
		at->after = name->id;
	}
	mutex_unlock(&p->lock);
	return skb->len;
}
