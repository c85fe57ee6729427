// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: attributes and messages of the policy table. */
#include "nl_policy.h"

#include <linux/ctype.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "compat.h"
#include "net.h"
#include "netlink.h"

struct dmm_policy *dmm_nl_policy(struct genl_info *info)
{
	return &dmm_net(genl_info_net(info))->policy;
}

static int check_name(const struct nlattr *attr, struct netlink_ext_ack *extack)
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
u8 dmm_nl_get_origin(const struct nlattr *attr)
{
	return attr ? nla_get_u8(attr) : DMM_ORIGIN_CLI;
}

int dmm_nl_check_origin(const struct dmm_name *name, const struct nlattr *attr,
			struct netlink_ext_ack *extack)
{
	if (!attr || nla_get_u8(attr) == name->origin)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, attr, "the object is of another origin");
	return -EEXIST;
}

int dmm_nl_need_name(struct genl_info *info, int attrtype)
{
	if (info->attrs[attrtype])
		return check_name(info->attrs[attrtype], info->extack);
	NL_SET_ERR_MSG(info->extack, "the name is missing");
	return -EINVAL;
}

struct dmm_name *dmm_nl_find_name(struct dmm_names *names, const char *str,
				     u64 gen)
{
	struct dmm_name *name;

	for (name = dmm_names_next(names, 0, gen); name;
	     name = dmm_names_next(names, name->id, gen))
		if (!strcmp(name->name, str))
			break;
	return name;
}

int dmm_nl_put_name(struct sk_buff *skb, const struct dmm_name *name)
{
	BUILD_BUG_ON(DMM_A_ZONE_NAME != (int)DMM_A_SET_NAME ||
		     DMM_A_ZONE_ORIGIN != (int)DMM_A_SET_ORIGIN ||
		     DMM_A_ZONE_NAME != (int)DMM_A_GROUP_NAME ||
		     DMM_A_ZONE_ORIGIN != (int)DMM_A_GROUP_ORIGIN);
	return nla_put_string(skb, DMM_A_ZONE_NAME, name->name) ?:
	       nla_put_u8(skb, DMM_A_ZONE_ORIGIN, name->origin);
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
