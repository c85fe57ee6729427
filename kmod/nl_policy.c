// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: transactions, zones, port sets, and events of all changes. */
#include "nl_policy.h"

#include <linux/ctype.h>
#include <linux/ipv6.h>
#include <net/genetlink.h>
#include <net/ipv6.h>

#include "compat.h"
#include "net.h"
#include "netlink.h"

static struct dmm_policy *policy_of(struct genl_info *info)
{
	return &dmm_net(genl_info_net(info))->policy;
}

/* Attributes. */

int dmm_nl_check_name(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	const char *name = nla_data(attr), *c;

	for (c = name; *c; c++)
		if (!isascii(*c) || !(isalnum(*c) || strchr("_.-", *c)))
			break;
	if (*c || !isalnum(*name)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "names are made of letters, digits and _.- and start with a letter or digit");
		return -EINVAL;
	}
	return 0;
}

static bool addr_has_host_bits(const struct dmm_addr *addr)
{
	struct in6_addr net;

	if (addr->family == AF_INET)
		return addr->ip.s6_addr32[3] & ~dmm_addr_mask4(addr->len);
	ipv6_addr_prefix(&net, &addr->ip, addr->len);
	return !ipv6_addr_equal(&net, &addr->ip);
}

int dmm_nl_parse_addr(struct dmm_addr *addr, const struct dmm_prefix *at,
		      const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	__be32 ip4;

	addr->family = at->family;
	addr->len = at->len;
	if (at->family == AF_INET) {
		memcpy(&ip4, at->addr, sizeof(ip4));
		ipv6_addr_set_v4mapped(ip4, &addr->ip);
	} else if (at->family == AF_INET6) {
		memcpy(&addr->ip, at->addr, sizeof(addr->ip));
	} else {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "the prefix is neither of AF_INET nor of AF_INET6");
		return -EAFNOSUPPORT;
	}
	if (at->len > (at->family == AF_INET ? 32 : 128)) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "the prefix is too long");
		return -EINVAL;
	}
	if (at->pad ||
	    (at->family == AF_INET && memchr_inv(at->addr + 4, 0, 12))) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "unused bytes of the prefix are not zero");
		return -EINVAL;
	}
	if (addr_has_host_bits(addr)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "the prefix has bits set behind its length");
		return -EINVAL;
	}
	if (addr->family == AF_INET6 && addr->len >= 96 &&
	    ipv6_addr_v4mapped(&addr->ip)) {
		addr->family = AF_INET;
		addr->len -= 96;
	}
	return 0;
}

int dmm_nl_get_addr(struct dmm_addr *addr, const struct nlattr *attr,
		    struct netlink_ext_ack *extack)
{
	if (nla_len(attr) != sizeof(struct dmm_prefix)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "the prefix is not a struct dmm_prefix");
		return -EINVAL;
	}
	return dmm_nl_parse_addr(addr, nla_data(attr), attr, extack);
}

void dmm_nl_copy_addr(struct dmm_prefix *to, const struct dmm_addr *addr)
{
	memset(to, 0, sizeof(*to));
	to->family = addr->family;
	to->len = addr->len;
	if (addr->family == AF_INET)
		memcpy(to->addr, &addr->ip.s6_addr32[3], 4);
	else
		memcpy(to->addr, &addr->ip, sizeof(addr->ip));
}

int dmm_nl_put_addr(struct sk_buff *skb, int attrtype,
		    const struct dmm_addr *addr)
{
	struct dmm_prefix prefix;

	dmm_nl_copy_addr(&prefix, addr);
	return nla_put(skb, attrtype, sizeof(prefix), &prefix);
}

static bool cgroup_component_valid(const char *name, size_t len)
{
	return len && strncmp(name, ".", len) && strncmp(name, "..", len);
}

int dmm_nl_get_cgroup(const char **path, unsigned int *level,
		      const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	const char *at = nla_data(attr), *end;

	*path = at;
	*level = 0;
	if (!strcmp(at, "/")) {
		*path = "";
		return 0;
	}
	do {
		end = strchrnul(at + 1, '/');
		if (*at != '/' || !cgroup_component_valid(at + 1, end - at - 1)) {
			NL_SET_ERR_MSG_ATTR(extack, attr,
					    "the cgroup is not an absolute path without empty components");
			return -EINVAL;
		}
		at = end;
		++*level;
	} while (*at);
	if (*level > DMM_CGROUP_LEVELS) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "the cgroup is too deep");
		return -E2BIG;
	}
	return 0;
}

int dmm_nl_count_ranges(const struct nlattr *attr, unsigned int max,
			struct netlink_ext_ack *extack)
{
	unsigned int nr = nla_len(attr) / sizeof(struct dmm_port_range);

	if (!nr || nla_len(attr) % sizeof(struct dmm_port_range)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "the ports are not an array of struct dmm_port_range");
		return -EINVAL;
	}
	if (nr > max) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "too many port ranges");
		return -E2BIG;
	}
	return nr;
}

int dmm_nl_get_ranges(struct dmm_ports *ports, const struct nlattr *attr,
		      struct netlink_ext_ack *extack)
{
	unsigned int i;

	memcpy(ports->range, nla_data(attr), ports->nr * sizeof(*ports->range));
	for (i = 0; i < ports->nr; i++) {
		if (ports->range[i].lo > ports->range[i].hi) {
			NL_SET_ERR_MSG_ATTR(extack, attr,
					    "a port range ends before it starts");
			return -EINVAL;
		}
	}
	dmm_ports_normalise(ports);
	return 0;
}

int dmm_nl_put_ranges(struct sk_buff *skb, int attrtype,
		      const struct dmm_ports *ports)
{
	return nla_put(skb, attrtype, ports->nr * sizeof(*ports->range),
		       ports->range);
}

/* Origin of an object: cli unless the request says otherwise. */
static u8 get_origin(const struct nlattr *attr)
{
	return attr ? nla_get_u8(attr) : DMM_ORIGIN_CLI;
}

static int check_origin(const struct dmm_name *name, const struct nlattr *attr,
			struct netlink_ext_ack *extack)
{
	if (!attr || nla_get_u8(attr) == name->origin)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, attr, "the object is of another origin");
	return -EEXIST;
}

static int need_name(struct genl_info *info, int attrtype)
{
	if (info->attrs[attrtype])
		return dmm_nl_check_name(info->attrs[attrtype], info->extack);
	NL_SET_ERR_MSG(info->extack, "the name is missing");
	return -EINVAL;
}

/* Messages. */

void *dmm_nl_msg_start(const struct dmm_nl_msg *m)
{
	void *hdr = genlmsg_put(m->skb, m->portid, m->seq, &dmm_genl_family,
				m->flags, m->cmd);

	if (hdr && m->cb)
		genl_dump_check_consistent(m->cb, hdr);
	return hdr;
}

void dmm_nl_dump_msg(struct dmm_nl_msg *m, struct sk_buff *skb,
		     struct netlink_callback *cb, u8 cmd)
{
	*m = (struct dmm_nl_msg) {
		.skb = skb,
		.portid = NETLINK_CB(cb->skb).portid,
		.seq = cb->nlh->nlmsg_seq,
		.flags = NLM_F_MULTI,
		.cmd = cmd,
		.cb = cb,
		.ns = sk_user_ns(NETLINK_CB(cb->skb).sk),
	};
}

void dmm_nl_reply_msg(struct dmm_nl_msg *m, struct genl_info *info, u8 cmd)
{
	*m = (struct dmm_nl_msg) {
		.skb = genlmsg_new(DMM_NL_MSG_SIZE, GFP_KERNEL),
		.portid = info->snd_portid,
		.seq = info->snd_seq,
		.cmd = cmd,
	};
}

/* Transactions. */

static int fill_gen(const struct dmm_nl_msg *m, u64 gen)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u64_64bit(m->skb, DMM_A_TXN_GEN, gen, DMM_A_TXN_PAD)) {
		genlmsg_cancel(m->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, hdr);
	return 0;
}

int dmm_nl_txn_begin_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[DMM_A_TXN_GEN];
	u64 base = attr ? nla_get_u64(attr) : 0;
	int err;

	err = dmm_policy_begin(policy_of(info), info->snd_portid,
			       attr ? &base : NULL, info->extack);
	if (err == -ESTALE)
		NL_SET_BAD_ATTR(info->extack, attr);
	return err;
}

int dmm_nl_txn_commit_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_nl_msg m;
	u64 gen;
	int err;

	dmm_nl_reply_msg(&m, info, DMM_CMD_TXN_COMMIT);
	if (!m.skb)
		return -ENOMEM;
	err = dmm_policy_commit(policy_of(info), info->snd_portid, &gen,
				info->extack);
	if (!err)
		err = fill_gen(&m, gen);
	if (err) {
		nlmsg_free(m.skb);
		return err;
	}
	return genlmsg_reply(m.skb, info);
}

int dmm_nl_txn_abort_doit(struct sk_buff *skb, struct genl_info *info)
{
	dmm_policy_abort(policy_of(info), info->snd_portid);
	return 0;
}

/* A change made of what a request says. */
static int change(struct genl_info *info, dmm_change_fn fn)
{
	return dmm_policy_change(policy_of(info), info->snd_portid, fn, info,
				 info->extack);
}

static void flush_rules(struct dmm_policy *p, const struct nlattr *origin)
{
	struct dmm_rule *rule, *next;

	for (rule = dmm_rule_from(p, 0); rule; rule = next) {
		next = dmm_rule_next(rule);
		if (dmm_alive(&rule->obj) &&
		    (!origin || rule->origin == nla_get_u8(origin)))
			dmm_obj_del(p, &rule->obj);
		cond_resched();
	}
}

static bool flushable(const struct dmm_name *name, const struct nlattr *origin)
{
	return dmm_alive(&name->obj) &&
	       (!origin || name->origin == nla_get_u8(origin));
}

static int flush_change(struct dmm_policy *p, void *arg,
			struct netlink_ext_ack *extack)
{
	const struct genl_info *info = arg;
	const struct nlattr *origin = info->attrs[DMM_A_ZONE_ORIGIN];
	struct dmm_name *name, *next;
	int err = 0;

	flush_rules(p, origin);
	list_for_each_entry_safe(name, next, &p->sets.list, list) {
		if (flushable(name, origin))
			err = dmm_set_delete(p, dmm_set(name), extack);
		if (err)
			return err;
	}
	list_for_each_entry_safe(name, next, &p->zones.list, list) {
		if (flushable(name, origin) && !dmm_zone_builtin(dmm_zone(name)))
			err = dmm_zone_delete(p, dmm_zone(name), extack);
		if (err)
			return err;
	}
	return 0;
}

int dmm_nl_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	return change(info, flush_change);
}

/* Zones. */

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

	err = need_name(info, DMM_A_ZONE_NAME) ?: check_prefixes(info);
	if (err)
		return err;
	name = nla_data(tb[DMM_A_ZONE_NAME]);
	zone = dmm_zone_find(p, name);
	err = check_not_builtin(zone, info);
	if (err)
		return err;
	if (!zone)
		zone = dmm_zone_create(p, name,
				       get_origin(tb[DMM_A_ZONE_ORIGIN]), extack);
	if (IS_ERR(zone))
		return PTR_ERR(zone);
	err = check_origin(&zone->name, tb[DMM_A_ZONE_ORIGIN], extack);
	if (err || !tb[DMM_A_ZONE_PREFIXES])
		return err;
	return each_prefix(p, zone, tb[DMM_A_ZONE_PREFIXES], extack,
			   dmm_prefix_add);
}

int dmm_nl_zone_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	return change(info, zone_add_change);
}

static int zone_del_change(struct dmm_policy *p, void *arg,
			   struct netlink_ext_ack *extack)
{
	struct genl_info *info = arg;
	struct nlattr **tb = info->attrs;
	struct dmm_zone *zone;
	int err;

	err = need_name(info, DMM_A_ZONE_NAME) ?: check_prefixes(info);
	if (err)
		return err;
	zone = dmm_zone_find(p, nla_data(tb[DMM_A_ZONE_NAME]));
	if (!zone) {
		NL_SET_ERR_MSG_ATTR(extack, tb[DMM_A_ZONE_NAME], "no such zone");
		return -ENOENT;
	}
	err = check_not_builtin(zone, info) ?:
	      check_origin(&zone->name, tb[DMM_A_ZONE_ORIGIN], extack);
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
	return change(info, zone_del_change);
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

static int put_name(struct sk_buff *skb, const struct dmm_name *name)
{
	BUILD_BUG_ON(DMM_A_ZONE_NAME != (int)DMM_A_SET_NAME ||
		     DMM_A_ZONE_ORIGIN != (int)DMM_A_SET_ORIGIN);
	return nla_put_string(skb, DMM_A_ZONE_NAME, name->name) ?:
	       nla_put_u8(skb, DMM_A_ZONE_ORIGIN, name->origin);
}

/* One message; *@more says whether the zone needs another one. */
static int fill_zone(const struct dmm_nl_msg *m, const struct dmm_zone *zone,
		     u64 gen, struct zone_dump *at, bool *more)
{
	struct dmm_zone_prefix *first, *left;
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr)
		return -EMSGSIZE;
	if (put_name(m->skb, &zone->name) ||
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

static struct dmm_name *find_visible(struct dmm_names *names, const char *str,
				     u64 gen)
{
	struct dmm_name *name;

	for (name = dmm_names_next(names, 0, gen); name;
	     name = dmm_names_next(names, name->id, gen))
		if (!strcmp(name->name, str))
			break;
	return name;
}

static int reply_zone(struct dmm_policy *p, const struct dmm_nl_msg *m,
		      const struct nlattr *attr)
{
	struct zone_dump at = {};
	struct dmm_name *name;
	u64 gen = dmm_gen(p);
	bool more;

	name = find_visible(&p->zones, nla_data(attr), gen);
	if (!name)
		return -ENOENT;
	at.count = count_prefixes(dmm_zone(name), gen);
	return fill_zone(m, dmm_zone(name), gen, &at, &more);
}

/* Of a zone that one message cannot hold, the first prefixes, and the count. */
int dmm_nl_zone_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_policy *p = policy_of(info);
	struct dmm_nl_msg m;
	int err;

	err = need_name(info, DMM_A_ZONE_NAME);
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

static bool wanted_name(const struct nlattr *attr, const struct dmm_name *name)
{
	return !attr || !strcmp(nla_data(attr), name->name);
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
		if (wanted_name(only, name) &&
		    dump_zone(&m, dmm_zone(name), gen, at))
			break;
		at->after = name->id;
	}
	mutex_unlock(&p->lock);
	return skb->len;
}

/* Port sets. */

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
		return dmm_set_create(p, nla_data(name), get_origin(origin),
				      info->extack);
	if (!(info->nlhdr->nlmsg_flags & NLM_F_REPLACE)) {
		NL_SET_ERR_MSG_ATTR(info->extack, name, "the port set exists");
		return ERR_PTR(-EEXIST);
	}
	err = check_origin(&set->name, origin, info->extack);
	return err ? ERR_PTR(err) : set;
}

static int set_add_change(struct dmm_policy *p, void *arg,
			  struct netlink_ext_ack *extack)
{
	struct genl_info *info = arg;
	struct dmm_set_ports *ports;
	struct dmm_set *set;
	int err;

	err = need_name(info, DMM_A_SET_NAME);
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
	return change(info, set_add_change);
}

static int set_del_change(struct dmm_policy *p, void *arg,
			  struct netlink_ext_ack *extack)
{
	struct genl_info *info = arg;
	const struct nlattr *attr = info->attrs[DMM_A_SET_NAME];
	struct dmm_set *set;
	int err;

	err = need_name(info, DMM_A_SET_NAME);
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
	return change(info, set_del_change);
}

static int fill_set(const struct dmm_nl_msg *m, const struct dmm_set *set,
		    const struct dmm_ports *ports)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr)
		return -EMSGSIZE;
	if (put_name(m->skb, &set->name) ||
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

	name = find_visible(&p->sets, nla_data(attr), gen);
	if (!name)
		return -ENOENT;
	return fill_set(m, dmm_set(name), dmm_set_ports(dmm_set(name), gen));
}

int dmm_nl_set_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_policy *p = policy_of(info);
	struct dmm_nl_msg m;
	int err;

	err = need_name(info, DMM_A_SET_NAME);
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
		if (wanted_name(only, name) &&
		    fill_set(&m, dmm_set(name), dmm_set_ports(dmm_set(name), gen)))
			break;
		after = name->id;
	}
	mutex_unlock(&p->lock);
	cb->args[0] = after;
	return skb->len;
}

/* Events. */

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
		send_event(p, &m, dmm_nl_fill_rule(&m, rule, DMM_KEY_NONE));
}

static int fill_name(const struct dmm_nl_msg *m, const struct dmm_name *name)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr || put_name(m->skb, name))
		return -EMSGSIZE;
	genlmsg_end(m->skb, hdr);
	return 0;
}

static void zone_event(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_nl_msg m;

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
	send_event(p, &m, fill_set(&m, ports->set, &ports->ports));
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
	put_name(m.skb, &prefix->zone->name);
	obj = fill_prefixes(p, &m, obj);
	genlmsg_end(m.skb, hdr);
	send_event(p, &m, 0);
	return obj;
}

static void commit_event(struct dmm_policy *p, u64 gen)
{
	struct dmm_nl_msg m;

	if (start_event(p, &m, DMM_CMD_TXN_COMMIT))
		send_event(p, &m, fill_gen(&m, gen));
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

/* The end of a netlink socket ends its transaction. */

static int netlink_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	const struct netlink_notify *n = ptr;

	if (event == NETLINK_URELEASE && n->protocol == NETLINK_GENERIC)
		dmm_policy_abort(&dmm_net(n->net)->policy, n->portid);
	return NOTIFY_DONE;
}

static struct notifier_block netlink_notifier = {
	.notifier_call = netlink_event,
};

int dmm_policy_module_init(void)
{
	return netlink_register_notifier(&netlink_notifier);
}

void dmm_policy_module_exit(void)
{
	netlink_unregister_notifier(&netlink_notifier);
}
