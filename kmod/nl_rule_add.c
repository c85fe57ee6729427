// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: a request to add a rule, and what may be wrong with it. */
#include "nl_policy.h"

#include <linux/netdevice.h>
#include <linux/user_namespace.h>
#include <net/genetlink.h>
#include <net/tcp.h>

#include "compat.h"
#include "decide.h"
#include "net.h"
#include "netlink.h"

#define refuse(extack, attr, msg) ({		\
	NL_SET_ERR_MSG_ATTR(extack, attr, msg);	\
	-EINVAL;				\
})

/* A request to add a rule, and the rule that it becomes. */
struct rule_add {
	struct genl_info *info;
	struct nlattr **tb;
	struct netlink_ext_ack *extack;
	struct user_namespace *ns;
	const struct nlattr *stack[DMM_STACKS_MAX];
	struct dmm_rule *rule;
	u32 id;
};

/* Sizes of what a rule has behind it. */
struct rule_room {
	int ranges[2];
	unsigned int stacks;
	size_t cgroup;
};

/* Bands of priority: by default a rule is in the middle of its origin's. */
static const struct {
	u16 min, max, def;
} band[] = {
	[DMM_ORIGIN_CLI] = { 0, DMM_PRIO_MAX, 500 },
	[DMM_ORIGIN_FILE] = { 0, DMM_PRIO_MAX, 5000 },
	[DMM_ORIGIN_CRD] = { 10000, 19999, 15000 },
	[DMM_ORIGIN_LEARNED] = { 20000, 29999, 25000 },
};

/* The only attribute that may come more than once. */
static int find_stacks(struct rule_add *add, struct rule_room *room)
{
	const struct genlmsghdr *hdr = add->info->genlhdr;
	const struct nlattr *attr;
	int rem;

	nla_for_each_attr(attr, genlmsg_data(hdr), genlmsg_len(hdr), rem) {
		if (nla_type(attr) != DMM_A_RULE_STACK)
			continue;
		if (room->stacks == DMM_STACKS_MAX)
			return refuse(add->extack, attr, "too many stacks");
		add->stack[room->stacks++] = attr;
	}
	return 0;
}

static int measure(struct rule_add *add, struct rule_room *room)
{
	struct nlattr **tb = add->tb, *attr;
	int end;

	memset(room, 0, sizeof(*room));
	for (end = DMM_SRC; end <= DMM_DST; end++) {
		attr = tb[dmm_nl_end[end].ports];
		if (!attr)
			continue;
		room->ranges[end] = dmm_nl_count_ranges(attr, DMM_RULE_RANGES_MAX,
							add->extack);
		if (room->ranges[end] < 0)
			return room->ranges[end];
	}
	if (tb[DMM_A_RULE_CGROUP])
		room->cgroup = nla_len(tb[DMM_A_RULE_CGROUP]);
	return find_stacks(add, room);
}

static struct dmm_rule *alloc_rule(const struct rule_room *room)
{
	size_t size[2], stacks = room->stacks * DMM_NAME_MAX;
	struct dmm_ports *ports;
	struct dmm_rule *rule;
	void *pos;
	int end;

	for (end = DMM_SRC; end <= DMM_DST; end++)
		size[end] = room->ranges[end] ?
			struct_size(ports, range, room->ranges[end]) : 0;
	rule = kzalloc(sizeof(*rule) + size[DMM_SRC] + size[DMM_DST] + stacks +
		       room->cgroup, GFP_KERNEL_ACCOUNT);
	if (!rule)
		return NULL;
	pos = rule + 1;
	for (end = DMM_SRC; end <= DMM_DST; end++) {
		if (!size[end])
			continue;
		ports = pos;
		ports->nr = room->ranges[end];
		rule->ports[end] = ports;
		pos += size[end];
	}
	rule->action.stacks = pos;
	rule->action.nr_stacks = room->stacks;
	if (room->cgroup)
		rule->cgroup = pos + stacks;
	return rule;
}

static int parse_place(const struct rule_add *add)
{
	const struct nlattr *prio = add->tb[DMM_A_RULE_PRIO];
	const struct nlattr *origin = add->tb[DMM_A_RULE_ORIGIN];
	struct dmm_rule *rule = add->rule;

	rule->origin = origin ? nla_get_u8(origin) : DMM_ORIGIN_CLI;
	rule->prio = prio ? nla_get_u32(prio) : band[rule->origin].def;
	if (rule->prio < band[rule->origin].min ||
	    rule->prio > band[rule->origin].max)
		return refuse(add->extack, prio,
			      "the priority is outside the band of the origin");
	return 0;
}

static int parse_kind(const struct rule_add *add)
{
	struct dmm_rule *rule = add->rule;
	struct nlattr **tb = add->tb;

	if (tb[DMM_A_RULE_ROLE])
		rule->role = nla_get_u8(tb[DMM_A_RULE_ROLE]);
	if (rule->role != DMM_ROLE_ANY)
		rule->keys |= BIT(DMM_KEY_ROLE);
	if (tb[DMM_A_RULE_TYPE]) {
		rule->type = nla_get_u8(tb[DMM_A_RULE_TYPE]);
		rule->keys |= BIT(DMM_KEY_TYPE);
		if (rule->type != SOCK_STREAM && rule->type != SOCK_DGRAM)
			return refuse(add->extack, tb[DMM_A_RULE_TYPE],
				      "the type is neither SOCK_STREAM nor SOCK_DGRAM");
	}
	if (tb[DMM_A_RULE_FAMILY]) {
		rule->family = nla_get_u8(tb[DMM_A_RULE_FAMILY]);
		rule->keys |= BIT(DMM_KEY_FAMILY);
		if (rule->family != AF_INET && rule->family != AF_INET6)
			return refuse(add->extack, tb[DMM_A_RULE_FAMILY],
				      "the family is neither AF_INET nor AF_INET6");
	}
	if (tb[DMM_A_RULE_DSCP]) {
		rule->dscp = nla_get_u8(tb[DMM_A_RULE_DSCP]);
		rule->keys |= BIT(DMM_KEY_DSCP);
	}
	return 0;
}

static int parse_addr(const struct rule_add *add, int end)
{
	const struct nlattr *attr = add->tb[dmm_nl_end[end].addr];
	struct dmm_rule *rule = add->rule;
	int err;

	if (!attr)
		return 0;
	err = dmm_nl_get_addr(&rule->addr[end], attr, add->extack);
	if (err)
		return err;
	rule->keys |= BIT(dmm_nl_end[end].addr_key);
	if (rule->family && rule->family != rule->addr[end].family)
		return refuse(add->extack, attr,
			      "the prefix is not of the rule's family");
	if (end == DMM_DST && rule->keys & BIT(DMM_KEY_SRC) &&
	    rule->addr[DMM_SRC].family != rule->addr[DMM_DST].family)
		return refuse(add->extack, attr,
			      "the two prefixes are of different families");
	return 0;
}

static int parse_ports(const struct rule_add *add, int end)
{
	const struct nlattr *ports = add->tb[dmm_nl_end[end].ports];
	const struct nlattr *set = add->tb[dmm_nl_end[end].set];
	struct dmm_rule *rule = add->rule;

	if (ports && set)
		return refuse(add->extack, set,
			      "ports are given by number and by set");
	if (set)
		rule->keys |= BIT(dmm_nl_end[end].port_key);
	if (!ports)
		return 0;
	rule->keys |= BIT(dmm_nl_end[end].port_key);
	return dmm_nl_get_ranges((struct dmm_ports *)rule->ports[end], ports,
				 add->extack);
}

static int parse_end(const struct rule_add *add, int end)
{
	if (add->tb[dmm_nl_end[end].zone])
		add->rule->keys |= BIT(dmm_nl_end[end].zone_key);
	return parse_addr(add, end) ?: parse_ports(add, end);
}

/*
 * Both limits or none; they are in the sender's user namespace, where a range
 * must be one piece of what it is mapped to.
 */
static int get_limits(const struct rule_add *add, int lo_attr, int hi_attr,
		      u32 *lo, u32 *hi)
{
	const struct nlattr *l = add->tb[lo_attr], *h = add->tb[hi_attr];

	if (!l != !h)
		return refuse(add->extack, l ?: h,
			      "a range needs both its limits");
	*lo = nla_get_u32(l);
	*hi = nla_get_u32(h);
	if (*lo > *hi)
		return refuse(add->extack, h, "a range ends before it starts");
	return 0;
}

static int parse_uid(const struct rule_add *add)
{
	const struct nlattr *attr = add->tb[DMM_A_RULE_UID_LO];
	struct dmm_rule *rule = add->rule;
	u32 lo, hi;
	int err;

	if (!attr && !add->tb[DMM_A_RULE_UID_HI])
		return 0;
	err = get_limits(add, DMM_A_RULE_UID_LO, DMM_A_RULE_UID_HI, &lo, &hi);
	if (err)
		return err;
	rule->keys |= BIT(DMM_KEY_UID);
	rule->uid_lo = make_kuid(add->ns, lo);
	rule->uid_hi = make_kuid(add->ns, hi);
	if (!uid_valid(rule->uid_lo) || !uid_valid(rule->uid_hi) ||
	    __kuid_val(rule->uid_hi) - __kuid_val(rule->uid_lo) != hi - lo)
		return refuse(add->extack, attr,
			      "the uids are not mapped in the user namespace");
	return 0;
}

static int parse_gid(const struct rule_add *add)
{
	const struct nlattr *attr = add->tb[DMM_A_RULE_GID_LO];
	struct dmm_rule *rule = add->rule;
	u32 lo, hi;
	int err;

	if (!attr && !add->tb[DMM_A_RULE_GID_HI])
		return 0;
	err = get_limits(add, DMM_A_RULE_GID_LO, DMM_A_RULE_GID_HI, &lo, &hi);
	if (err)
		return err;
	rule->keys |= BIT(DMM_KEY_GID);
	rule->gid_lo = make_kgid(add->ns, lo);
	rule->gid_hi = make_kgid(add->ns, hi);
	if (!gid_valid(rule->gid_lo) || !gid_valid(rule->gid_hi) ||
	    __kgid_val(rule->gid_hi) - __kgid_val(rule->gid_lo) != hi - lo)
		return refuse(add->extack, attr,
			      "the gids are not mapped in the user namespace");
	return 0;
}

static int parse_mark(const struct rule_add *add)
{
	const struct nlattr *mark = add->tb[DMM_A_RULE_MARK];
	const struct nlattr *mask = add->tb[DMM_A_RULE_MARK_MASK];
	struct dmm_rule *rule = add->rule;

	if (mask && !mark)
		return refuse(add->extack, mask, "a mask needs a mark");
	if (!mark)
		return 0;
	rule->keys |= BIT(DMM_KEY_MARK);
	rule->mark = nla_get_u32(mark);
	rule->mark_mask = mask ? nla_get_u32(mask) : ~0u;
	if (rule->mark & ~rule->mark_mask)
		return refuse(add->extack, mark,
			      "the mark has bits outside its mask");
	return 0;
}

static int parse_cgroup(const struct rule_add *add)
{
	const struct nlattr *attr = add->tb[DMM_A_RULE_CGROUP];
	struct dmm_rule *rule = add->rule;
	unsigned int level;
	const char *path;
	int err;

	if (!attr)
		return 0;
	err = dmm_nl_get_cgroup(&path, &level, attr, add->extack);
	if (err)
		return err;
	rule->keys |= BIT(DMM_KEY_CGROUP);
	rule->cgroup_level = level;
	rule->cgroup_len = strlen(path);
	memcpy((char *)rule->cgroup, path, rule->cgroup_len + 1);
	return 0;
}

static int parse_names(const struct rule_add *add)
{
	const struct nlattr *dev = add->tb[DMM_A_RULE_DEV];
	const struct nlattr *comm = add->tb[DMM_A_RULE_COMM];
	struct dmm_rule *rule = add->rule;

	if (dev) {
		rule->keys |= BIT(DMM_KEY_DEV);
		strscpy(rule->dev, nla_data(dev), sizeof(rule->dev));
		if (!dev_valid_name(rule->dev))
			return refuse(add->extack, dev,
				      "not a name of an interface");
	}
	if (comm) {
		rule->keys |= BIT(DMM_KEY_COMM);
		strscpy(rule->comm, nla_data(comm), sizeof(rule->comm));
		if (!*rule->comm)
			return refuse(add->extack, comm,
				      "the program name is empty");
	}
	return 0;
}

static int parse_stacks(const struct rule_add *add)
{
	const struct dmm_action *action = &add->rule->action;
	char (*stack)[DMM_NAME_MAX] = (void *)action->stacks;
	unsigned int i;

	for (i = 0; i < action->nr_stacks; i++) {
		nla_strscpy(stack[i], add->stack[i], DMM_NAME_MAX);
		if (!dmm_stack_name_valid(stack[i]))
			return refuse(add->extack, add->stack[i],
				      "not a name of a stack");
	}
	return 0;
}

static int get_range(const struct rule_add *add, int attrtype, u32 max, u32 *out)
{
	const struct nlattr *attr = add->tb[attrtype];

	*out = nla_get_u32(attr);
	if (*out < 1 || *out > max)
		return refuse(add->extack, attr,
			      "the keepalive option is out of range");
	return 0;
}

static int parse_keepalive(const struct rule_add *add, struct dmm_sockopts *opts)
{
	struct nlattr **tb = add->tb;
	int err = 0;

	if (tb[DMM_A_RULE_SET_KEEPIDLE]) {
		opts->set |= DMM_OPT_KEEPIDLE;
		err = get_range(add, DMM_A_RULE_SET_KEEPIDLE, MAX_TCP_KEEPIDLE,
				&opts->keepidle);
	}
	if (!err && tb[DMM_A_RULE_SET_KEEPINTVL]) {
		opts->set |= DMM_OPT_KEEPINTVL;
		err = get_range(add, DMM_A_RULE_SET_KEEPINTVL, MAX_TCP_KEEPINTVL,
				&opts->keepintvl);
	}
	if (!err && tb[DMM_A_RULE_SET_KEEPCNT]) {
		opts->set |= DMM_OPT_KEEPCNT;
		err = get_range(add, DMM_A_RULE_SET_KEEPCNT, MAX_TCP_KEEPCNT,
				&opts->keepcnt);
	}
	return err;
}

static int parse_opts(const struct rule_add *add)
{
	struct dmm_sockopts *opts = &add->rule->action.opts;
	struct nlattr **tb = add->tb;

	if (tb[DMM_A_RULE_SET_CC]) {
		opts->set |= DMM_OPT_CC;
		strscpy(opts->cc, nla_data(tb[DMM_A_RULE_SET_CC]),
			sizeof(opts->cc));
	}
	if (tb[DMM_A_RULE_SET_MARK]) {
		opts->set |= DMM_OPT_MARK;
		opts->mark = nla_get_u32(tb[DMM_A_RULE_SET_MARK]);
	}
	if (tb[DMM_A_RULE_SET_TOS]) {
		opts->set |= DMM_OPT_TOS;
		opts->tos = nla_get_u8(tb[DMM_A_RULE_SET_TOS]);
	}
	return parse_keepalive(add, opts);
}

/* The first attribute of the action that a rule may not have, or NULL. */
static const struct nlattr *first_of(struct nlattr **tb, int first, int last)
{
	for (; first <= last; first++)
		if (tb[first])
			return tb[first];
	return NULL;
}

/* The times of attempts to connect. */
static int parse_times(const struct rule_add *add)
{
	const struct nlattr *timeout = add->tb[DMM_A_RULE_TIMEOUT];
	const struct nlattr *race = add->tb[DMM_A_RULE_RACE];
	struct dmm_action *action = &add->rule->action;

	if (timeout)
		action->timeout = nla_get_u32(timeout);
	if (timeout && (!action->timeout || action->timeout > DMM_TIMEOUT_MAX))
		return refuse(add->extack, timeout, "the timeout is out of range");
	if (race)
		action->race = nla_get_u32(race);
	if (race && (action->race < DMM_RACE_MIN || action->race > DMM_RACE_MAX))
		return refuse(add->extack, race,
			      "the time between attempts of a race is out of range");
	if (!race && action->flags & DMM_RULE_F_RACE_KERNEL)
		return refuse(add->extack, add->tb[DMM_A_RULE_FLAGS],
			      "the kernel's part in a race needs a race");
	if ((timeout || race) && (add->rule->type == SOCK_DGRAM ||
				  add->rule->role == DMM_ROLE_LISTEN))
		return refuse(add->extack, timeout ?: race,
			      "times are for those who connect, with TCP");
	return 0;
}

static int check_action(const struct rule_add *add)
{
	const struct dmm_action *action = &add->rule->action;
	struct nlattr **tb = add->tb;
	const struct nlattr *tcp;

	if (action->verdict == DMM_VERDICT_REJECT) {
		tcp = first_of(tb, DMM_A_RULE_FLAGS, DMM_A_RULE_SET_KEEPCNT) ?:
		      first_of(tb, DMM_A_RULE_GROUP, DMM_A_RULE_RACE);
		if (tcp)
			return refuse(add->extack, tcp,
				      "a rule that rejects has neither stacks nor options");
		return 0;
	}
	if (action->nr_stacks && tb[DMM_A_RULE_GROUP])
		return refuse(add->extack, tb[DMM_A_RULE_GROUP],
			      "the rule names stacks and a group");
	if (!action->nr_stacks && !tb[DMM_A_RULE_GROUP])
		return refuse(add->extack, tb[DMM_A_RULE_VERDICT],
			      "the rule names no stack");
	tcp = tb[DMM_A_RULE_SET_CC] ?:
	      first_of(tb, DMM_A_RULE_SET_KEEPIDLE, DMM_A_RULE_SET_KEEPCNT);
	if (tcp && add->rule->type == SOCK_DGRAM)
		return refuse(add->extack, tcp,
			      "an option of TCP in a rule for datagrams");
	return 0;
}

static int parse_action(const struct rule_add *add)
{
	struct dmm_action *action = &add->rule->action;
	struct nlattr **tb = add->tb;

	if (tb[DMM_A_RULE_VERDICT])
		action->verdict = nla_get_u8(tb[DMM_A_RULE_VERDICT]);
	if (tb[DMM_A_RULE_FLAGS])
		action->flags = nla_get_u32(tb[DMM_A_RULE_FLAGS]);
	return check_action(add) ?: parse_stacks(add) ?: parse_times(add) ?:
	       parse_opts(add);
}

/* All but what depends on other objects. */
static int parse_rule(const struct rule_add *add)
{
	return parse_place(add) ?: parse_kind(add) ?:
	      parse_end(add, DMM_SRC) ?: parse_end(add, DMM_DST) ?:
	      parse_uid(add) ?: parse_gid(add) ?: parse_cgroup(add) ?:
	      parse_mark(add) ?: parse_names(add) ?: parse_action(add);
}

/*
 * Is a congestion control there, and for the taking?  Ask a socket; loads the
 * module if need be, which is why this is not done under the policy's lock.
 */
static int try_cc(struct net *net, const char *name)
{
	struct socket *sock;
	int err;

	err = sock_create_kern(net, AF_INET, SOCK_STREAM, IPPROTO_TCP, &sock);
	if (err)
		return err;
	err = sock->ops->setsockopt(sock, SOL_TCP, TCP_CONGESTION,
				    KERNEL_SOCKPTR((void *)name), strlen(name));
	sock_release(sock);
	return err;
}

static int check_cc(const struct rule_add *add)
{
	const struct nlattr *attr = add->tb[DMM_A_RULE_SET_CC];
	struct dmm_policy *p = dmm_nl_policy(add->info);
	int err;

	if (!attr ||
	    dmm_policy_cc_known(p, add->info->snd_portid, nla_data(attr)))
		return 0;
	err = try_cc(p->net, nla_data(attr));
	if (err)
		NL_SET_ERR_MSG_ATTR(add->extack, attr,
				    "the congestion control is not available");
	return err;
}

static int resolve_zone(struct dmm_policy *p, const struct rule_add *add, int end)
{
	const struct nlattr *attr = add->tb[dmm_nl_end[end].zone];

	if (!attr)
		return 0;
	add->rule->zone[end] = dmm_zone_find(p, nla_data(attr));
	if (add->rule->zone[end])
		return 0;
	NL_SET_ERR_MSG_ATTR(add->extack, attr, "no such zone");
	return -ENOENT;
}

static int resolve_set(struct dmm_policy *p, const struct rule_add *add, int end)
{
	const struct nlattr *attr = add->tb[dmm_nl_end[end].set];

	if (!attr)
		return 0;
	add->rule->set[end] = dmm_set_find(p, nla_data(attr));
	if (add->rule->set[end])
		return 0;
	NL_SET_ERR_MSG_ATTR(add->extack, attr, "no such port set");
	return -ENOENT;
}

static int resolve_group(struct dmm_policy *p, const struct rule_add *add)
{
	const struct nlattr *attr = add->tb[DMM_A_RULE_GROUP];

	if (!attr)
		return 0;
	add->rule->action.group = dmm_group_find(p, nla_data(attr));
	if (add->rule->action.group)
		return 0;
	NL_SET_ERR_MSG_ATTR(add->extack, attr, "no such group");
	return -ENOENT;
}

static int resolve(struct dmm_policy *p, const struct rule_add *add)
{
	return resolve_zone(p, add, DMM_SRC) ?: resolve_set(p, add, DMM_SRC) ?:
	       resolve_zone(p, add, DMM_DST) ?: resolve_set(p, add, DMM_DST) ?:
	       resolve_group(p, add);
}

static int rule_add_change(struct dmm_policy *p, void *arg,
			   struct netlink_ext_ack *extack)
{
	struct rule_add *add = arg;
	struct rule_room room;
	struct dmm_rule *rule;
	int err;

	err = measure(add, &room);
	if (err)
		return err;
	rule = alloc_rule(&room);
	if (!rule)
		return -ENOMEM;
	add->rule = rule;
	err = parse_rule(add) ?: resolve(p, add) ?:
	      dmm_rule_insert(p, rule, extack);
	if (err) {
		dmm_rule_free(rule);
		return err;
	}
	add->id = rule->id;
	if (rule->action.opts.set & DMM_OPT_CC)
		strscpy(p->txn.cc, rule->action.opts.cc, sizeof(p->txn.cc));
	return 0;
}

static int echo_id(const struct dmm_nl_msg *m, struct genl_info *info, u32 id)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr || nla_put_u32(m->skb, DMM_A_RULE_ID, id)) {
		nlmsg_free(m->skb);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, hdr);
	return genlmsg_reply(m->skb, info);
}

int dmm_nl_rule_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_policy *p = dmm_nl_policy(info);
	struct rule_add add = {
		.info = info,
		.tb = info->attrs,
		.extack = info->extack,
		.ns = sk_user_ns(NETLINK_CB(skb).sk),
	};
	struct dmm_nl_msg m = {};
	int err;

	err = check_cc(&add);
	/* Before the change: afterwards, that there is no memory comes too late. */
	if (!err && info->nlhdr->nlmsg_flags & NLM_F_ECHO) {
		dmm_nl_reply_msg(&m, info, DMM_CMD_RULE_ADD);
		if (!m.skb)
			err = -ENOMEM;
	}
	if (err) {
		dmm_policy_doom(p, info->snd_portid);
		return err;
	}
	err = dmm_policy_change(p, info->snd_portid, rule_add_change, &add,
				info->extack);
	/* No id: the transaction was doomed before. */
	if (!err && add.id && m.skb)
		return echo_id(&m, info, add.id);
	nlmsg_free(m.skb);
	return err;
}
