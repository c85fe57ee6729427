// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: port sets. */
#include "nl_policy.h"

#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "compat.h"
#include "net.h"
#include "netlink.h"

static struct dmm_set_ports *get_set_ports(struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[DMM_A_SET_RANGES];
	struct dmm_set_ports *ports;
	int nr, err;

	if (!attr) {
		NL_SET_ERR_MSG(info->extack, "the port ranges are missing");
		return ERR_PTR(-EINVAL);
	}
	nr = dmm_nl_count_ranges(attr, DMM_SET_RANGES_MAX, info->extack);
	if (nr < 0)
		return ERR_PTR(nr);
	ports = dmm_set_ports_alloc(nr);
	if (!ports)
		return ERR_PTR(-ENOMEM);
	err = dmm_nl_get_ranges(&ports->ports, attr, info->extack);
	if (err) {
		kfree(ports);
		return ERR_PTR(err);
	}
	return ports;
}

/* The set that a request to add is about. */
static struct dmm_set *get_set(struct dmm_policy *p, struct genl_info *info)
{
	const struct nlattr *name = info->attrs[DMM_A_SET_NAME];
	const struct nlattr *origin = info->attrs[DMM_A_SET_ORIGIN];
	struct dmm_set *set = dmm_set_find(p, nla_data(name));
	int err;

	if (!set)
		return dmm_set_create(p, nla_data(name), dmm_nl_get_origin(origin),
				      info->extack);
	if (!(info->nlhdr->nlmsg_flags & NLM_F_REPLACE)) {
		NL_SET_ERR_MSG_ATTR(info->extack, name, "the port set exists");
		return ERR_PTR(-EEXIST);
	}
	err = dmm_nl_check_origin(&set->name, origin, info->extack);
	return err ? ERR_PTR(err) : set;
}

static int set_add_change(struct dmm_policy *p, void *arg,
			  struct netlink_ext_ack *extack)
{
	struct genl_info *info = arg;
	struct dmm_set_ports *ports;
	struct dmm_set *set;
	int err;

	err = dmm_nl_need_name(info, DMM_A_SET_NAME);
	if (err)
		return err;
	ports = get_set_ports(info);
	if (IS_ERR(ports))
		return PTR_ERR(ports);
	set = get_set(p, info);
	if (IS_ERR(set)) {
		kfree(ports);
		return PTR_ERR(set);
	}
	dmm_set_replace(p, set, ports);
	return 0;
}

int dmm_nl_set_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	return dmm_nl_change(info, set_add_change);
}

static int set_del_change(struct dmm_policy *p, void *arg,
			  struct netlink_ext_ack *extack)
{
	struct genl_info *info = arg;
	const struct nlattr *attr = info->attrs[DMM_A_SET_NAME];
	struct dmm_set *set;
	int err;

	err = dmm_nl_need_name(info, DMM_A_SET_NAME);
	if (err)
		return err;
	set = dmm_set_find(p, nla_data(attr));
	if (!set) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "no such port set");
		return -ENOENT;
	}
	err = dmm_set_delete(p, set, extack);
	if (err)
		NL_SET_BAD_ATTR(extack, attr);
	return err;
}

int dmm_nl_set_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return dmm_nl_change(info, set_del_change);
}

int dmm_nl_fill_set(const struct dmm_nl_msg *m, const struct dmm_set *set,
		    const struct dmm_ports *ports)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr)
		return -EMSGSIZE;
	if (dmm_nl_put_name(m->skb, &set->name) ||
	    (ports && dmm_nl_put_ranges(m->skb, DMM_A_SET_RANGES, ports))) {
		genlmsg_cancel(m->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, hdr);
	return 0;
}

static int reply_set(struct dmm_policy *p, const struct dmm_nl_msg *m,
		     const struct nlattr *attr)
{
	u64 gen = dmm_gen(p);
	struct dmm_name *name;

	name = dmm_nl_find_name(&p->sets, nla_data(attr), gen);
	if (!name)
		return -ENOENT;
	return dmm_nl_fill_set(m, dmm_set(name), dmm_set_ports(dmm_set(name), gen));
}

int dmm_nl_set_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_policy *p = dmm_nl_policy(info);
	struct dmm_nl_msg m;
	int err;

	err = dmm_nl_need_name(info, DMM_A_SET_NAME);
	if (err)
		return err;
	dmm_nl_reply_msg(&m, info, DMM_CMD_SET_GET);
	if (!m.skb)
		return -ENOMEM;
	mutex_lock(&p->lock);
	err = reply_set(p, &m, info->attrs[DMM_A_SET_NAME]);
	mutex_unlock(&p->lock);
	if (err) {
		nlmsg_free(m.skb);
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[DMM_A_SET_NAME],
				    "no such port set");
		return err;
	}
	return genlmsg_reply(m.skb, info);
}

int dmm_nl_set_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct nlattr *only = dmm_dump_attrs(cb)[DMM_A_SET_NAME];
	struct dmm_policy *p = &dmm_net(sock_net(skb->sk))->policy;
	u32 after = cb->args[0];
	struct dmm_name *name;
	struct dmm_nl_msg m;
	u64 gen;

	dmm_nl_dump_msg(&m, skb, cb, DMM_CMD_SET_GET);
	mutex_lock(&p->lock);
	gen = dmm_gen(p);
	cb->seq = gen;
	while ((name = dmm_names_next(&p->sets, after, gen))) {
		if ((!only || !strcmp(nla_data(only), name->name)) &&
		    dmm_nl_fill_set(&m, dmm_set(name), dmm_set_ports(dmm_set(name), gen)))
			break;
		after = name->id;
	}
	mutex_unlock(&p->lock);
	cb->args[0] = after;
	return skb->len;
}
