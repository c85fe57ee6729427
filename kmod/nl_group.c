// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: groups of stacks. */
#include "nl_policy.h"

#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "compat.h"
#include "decide.h"
#include "net.h"
#include "netlink.h"

#define refuse(extack, attr, msg) ({		\
	NL_SET_ERR_MSG_ATTR(extack, attr, msg);	\
	-EINVAL;				\
})

/* What is behind the ends of names is cleared, for they are dumped whole. */
static int check_members(struct dmm_group_members *m, const struct nlattr *attr,
			 struct netlink_ext_ack *extack)
{
	struct dmm_member *member = m->member;
	unsigned int i, j;
	size_t len;

	for (i = 0; i < m->nr; i++) {
		len = strnlen(member[i].name, DMM_NAME_MAX);
		memset(member[i].name + len, 0, DMM_NAME_MAX - len);
		if (len == DMM_NAME_MAX || !dmm_stack_name_valid(member[i].name))
			return refuse(extack, attr, "not a name of a stack");
		if (!member[i].weight || member[i].weight > DMM_WEIGHT_MAX)
			return refuse(extack, attr, "a weight is out of range");
		for (j = 0; j < i; j++)
			if (!strcmp(member[i].name, member[j].name))
				return refuse(extack, attr,
					      "a member comes twice");
	}
	return 0;
}

static struct dmm_group_version *get_version(struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[DMM_A_GROUP_MEMBERS];
	struct dmm_group_version *version;
	unsigned int nr;
	int err;

	if (!attr) {
		NL_SET_ERR_MSG(info->extack, "the members are missing");
		return ERR_PTR(-EINVAL);
	}
	nr = nla_len(attr) / sizeof(struct dmm_member);
	if (!nr || nla_len(attr) % sizeof(struct dmm_member)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "the members are not an array of struct dmm_member");
		return ERR_PTR(-EINVAL);
	}
	if (nr > DMM_MEMBERS_MAX) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "too many members");
		return ERR_PTR(-E2BIG);
	}
	version = dmm_group_version_alloc(nr);
	if (!version)
		return ERR_PTR(-ENOMEM);
	memcpy(version->members.member, nla_data(attr), nla_len(attr));
	err = check_members(&version->members, attr, info->extack);
	if (err) {
		kfree(version);
		return ERR_PTR(err);
	}
	return version;
}

/* The group that a request to add is about. */
static struct dmm_group *get_group(struct dmm_policy *p, struct genl_info *info)
{
	const struct nlattr *name = info->attrs[DMM_A_GROUP_NAME];
	const struct nlattr *origin = info->attrs[DMM_A_GROUP_ORIGIN];
	struct dmm_group *group = dmm_group_find(p, nla_data(name));
	int err;

	if (!group)
		return dmm_group_create(p, nla_data(name),
					dmm_nl_get_origin(origin), info->extack);
	if (info->genlhdr->cmd != DMM_CMD_GROUP_SET) {
		NL_SET_ERR_MSG_ATTR(info->extack, name, "the group exists");
		return ERR_PTR(-EEXIST);
	}
	err = dmm_nl_check_origin(&group->name, origin, info->extack);
	return err ? ERR_PTR(err) : group;
}

static int group_add_change(struct dmm_policy *p, void *arg,
			    struct netlink_ext_ack *extack)
{
	struct dmm_group_version *version;
	struct genl_info *info = arg;
	struct dmm_group *group;
	int err;

	err = dmm_nl_need_name(info, DMM_A_GROUP_NAME);
	if (err)
		return err;
	version = get_version(info);
	if (IS_ERR(version))
		return PTR_ERR(version);
	group = get_group(p, info);
	if (IS_ERR(group)) {
		kfree(version);
		return PTR_ERR(group);
	}
	dmm_group_replace(p, group, version);
	return 0;
}

int dmm_nl_group_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	return dmm_nl_change(info, group_add_change);
}

int dmm_nl_group_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	return dmm_nl_change(info, group_add_change);
}

static int group_del_change(struct dmm_policy *p, void *arg,
			    struct netlink_ext_ack *extack)
{
	struct genl_info *info = arg;
	const struct nlattr *attr = info->attrs[DMM_A_GROUP_NAME];
	struct dmm_group *group;
	int err;

	err = dmm_nl_need_name(info, DMM_A_GROUP_NAME);
	if (err)
		return err;
	group = dmm_group_find(p, nla_data(attr));
	if (!group) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "no such group");
		return -ENOENT;
	}
	err = dmm_group_delete(p, group, extack);
	if (err)
		NL_SET_BAD_ATTR(extack, attr);
	return err;
}

int dmm_nl_group_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return dmm_nl_change(info, group_del_change);
}

int dmm_nl_fill_group(const struct dmm_nl_msg *m, const struct dmm_group *group,
		      const struct dmm_group_members *members)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr)
		return -EMSGSIZE;
	if (dmm_nl_put_name(m->skb, &group->name) ||
	    (members && nla_put(m->skb, DMM_A_GROUP_MEMBERS,
				members->nr * sizeof(*members->member),
				members->member))) {
		genlmsg_cancel(m->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, hdr);
	return 0;
}

static int reply_group(struct dmm_policy *p, const struct dmm_nl_msg *m,
		       const struct nlattr *attr)
{
	u64 gen = dmm_gen(p);
	struct dmm_name *name;

	name = dmm_nl_find_name(&p->groups, nla_data(attr), gen);
	if (!name)
		return -ENOENT;
	return dmm_nl_fill_group(m, dmm_group(name),
				 dmm_group_members(dmm_group(name), gen));
}

int dmm_nl_group_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_policy *p = dmm_nl_policy(info);
	struct dmm_nl_msg m;
	int err;

	err = dmm_nl_need_name(info, DMM_A_GROUP_NAME);
	if (err)
		return err;
	dmm_nl_reply_msg(&m, info, DMM_CMD_GROUP_GET);
	if (!m.skb)
		return -ENOMEM;
	mutex_lock(&p->lock);
	err = reply_group(p, &m, info->attrs[DMM_A_GROUP_NAME]);
	mutex_unlock(&p->lock);
	if (err) {
		nlmsg_free(m.skb);
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[DMM_A_GROUP_NAME],
				    "no such group");
		return err;
	}
	return genlmsg_reply(m.skb, info);
}

int dmm_nl_group_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct nlattr *only = dmm_dump_attrs(cb)[DMM_A_GROUP_NAME];
	struct dmm_policy *p = &dmm_net(sock_net(skb->sk))->policy;
	u32 after = cb->args[0];
	struct dmm_group *group;
	struct dmm_name *name;
	struct dmm_nl_msg m;
	u64 gen;

	dmm_nl_dump_msg(&m, skb, cb, DMM_CMD_GROUP_GET);
	mutex_lock(&p->lock);
	gen = dmm_gen(p);
	cb->seq = gen;
	while ((name = dmm_names_next(&p->groups, after, gen))) {
		group = dmm_group(name);
		if ((!only || !strcmp(nla_data(only), name->name)) &&
		    dmm_nl_fill_group(&m, group, dmm_group_members(group, gen)))
			break;
		after = name->id;
	}
	mutex_unlock(&p->lock);
	cb->args[0] = after;
	return skb->len;
}
