// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zones: from an address to the zone of its longest prefix.
 *
 * One hash table has the prefixes of all zones; a lookup tries the lengths
 * that there are, longest first.
 */
#include "table.h"

#include <linux/inetdevice.h>
#include <linux/jhash.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/ipv6.h>
#include <net/route.h>

#include "compat.h"

static u32 addr_hash(const void *data, u32 len, u32 seed)
{
	const struct dmm_addr *addr = data;
	const u32 *word = (__force const u32 *)addr->ip.s6_addr32;

	if (addr->family == AF_INET)
		return jhash_2words(word[3], addr->len, seed);
	return jhash2(word, 4, seed ^ addr->len);
}

static u32 prefix_hash(const void *data, u32 len, u32 seed)
{
	const struct dmm_zone_prefix *prefix = data;

	return addr_hash(&prefix->addr, len, seed);
}

static bool addr_equal(const struct dmm_addr *a, const struct dmm_addr *b)
{
	return a->len == b->len && a->family == b->family &&
	       ipv6_addr_equal(&a->ip, &b->ip);
}

static int prefix_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct dmm_zone_prefix *prefix = obj;

	return !addr_equal(arg->key, &prefix->addr);
}

static const struct rhashtable_params prefix_params = {
	.head_offset = offsetof(struct dmm_zone_prefix, node),
	.hashfn = addr_hash,
	.obj_hashfn = prefix_hash,
	.obj_cmpfn = prefix_cmp,
	.automatic_shrinking = true,
};

__be32 dmm_addr_mask4(u8 len)
{
	return inet_make_mask(len);
}

/* @to is @ip cut to @len bits. */
static void addr_set(struct dmm_addr *to, u8 family, u8 len,
		     const struct in6_addr *ip)
{
	to->family = family;
	to->len = len;
	if (family == AF_INET)
		ipv6_addr_set_v4mapped(ip->s6_addr32[3] & dmm_addr_mask4(len),
				       &to->ip);
	else
		ipv6_addr_prefix(&to->ip, ip, len);
}

bool dmm_addr_contains(const struct dmm_addr *prefix, u8 family,
		       const struct in6_addr *ip)
{
	if (family != prefix->family)
		return false;
	if (family == AF_INET)
		return !((ip->s6_addr32[3] ^ prefix->ip.s6_addr32[3]) &
			 dmm_addr_mask4(prefix->len));
	return ipv6_prefix_equal(ip, &prefix->ip, prefix->len);
}

/* Readers. */

static const struct dmm_zone *prefix_zone(const struct dmm_view *view,
					  const struct dmm_addr *addr)
{
	struct dmm_zone_prefix *prefix;
	struct rhlist_head *list, *pos;

	list = rhltable_lookup(view->prefixes, addr, prefix_params);
	rhl_for_each_entry_rcu(prefix, pos, list, node)
		if (dmm_visible(&prefix->obj, view->gen))
			return prefix->zone;
	return NULL;
}

static bool is_loopback(u8 family, const struct in6_addr *ip)
{
	return family == AF_INET ? ipv4_is_loopback(ip->s6_addr32[3]) :
				   ipv6_addr_loopback(ip);
}

static bool is_local(struct net *net, u8 family, const struct in6_addr *ip)
{
	if (family == AF_INET)
		return inet_addr_type(net, ip->s6_addr32[3]) == RTN_LOCAL;
	return IS_ENABLED(CONFIG_IPV6) && ipv6_chk_addr(net, ip, NULL, 0);
}

static bool is_unspecified(u8 family, const struct in6_addr *ip)
{
	return family == AF_INET ? !ip->s6_addr32[3] : ipv6_addr_any(ip);
}

/*
 * The most specific configured prefix; the built-in zones are for addresses
 * that no configured zone has.
 */
const struct dmm_zone *dmm_zone_of(const struct dmm_policy *p,
				   const struct dmm_view *view, u8 family,
				   const struct in6_addr *ip)
{
	const u8 *len = family == AF_INET ? view->len4 : view->len6;
	u8 nr = family == AF_INET ? view->nr_len4 : view->nr_len6;
	const struct dmm_zone *zone;
	struct dmm_addr addr;
	unsigned int i;

	if (is_unspecified(family, ip))
		return NULL;
	for (i = 0; i < nr; i++) {
		addr_set(&addr, family, len[i], ip);
		zone = prefix_zone(view, &addr);
		if (zone)
			return zone;
	}
	if (is_loopback(family, ip))
		return p->zone_loopback;
	return is_local(p->net, family, ip) ? p->zone_local : p->zone_internet;
}

static void zone_name(char out[DMM_NAME_MAX], const struct dmm_zone *zone)
{
	strscpy(out, zone ? zone->name.name : "", DMM_NAME_MAX);
}

u64 dmm_policy_zones(const struct dmm_policy *p, const struct dmm_flow *flow,
		     char src[DMM_NAME_MAX], char dst[DMM_NAME_MAX])
{
	const struct dmm_view *view;
	u64 gen;

	rcu_read_lock();
	view = rcu_dereference(p->view);
	zone_name(src, dmm_zone_of(p, view, flow->family, &flow->src));
	zone_name(dst, dmm_zone_of(p, view, flow->family, &flow->dst));
	gen = view->gen;
	rcu_read_unlock();
	return gen;
}

/* Prefixes. */

static int addr_cmp(const struct dmm_addr *a, const struct dmm_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(&a->ip, &b->ip, sizeof(a->ip)) ?: a->len - b->len;
}

static bool prefix_less(struct rb_node *a, const struct rb_node *b)
{
	return addr_cmp(&rb_entry(a, struct dmm_zone_prefix, by_addr)->addr,
			&rb_entry(b, struct dmm_zone_prefix, by_addr)->addr) < 0;
}

static void prefix_count(struct dmm_policy *p, struct dmm_obj *obj, int n)
{
	struct dmm_zone_prefix *prefix =
		container_of(obj, struct dmm_zone_prefix, obj);
	struct dmm_counts *count = &p->count;

	count->prefixes += n;
	if (prefix->addr.family == AF_INET)
		count->len4[prefix->addr.len] += n;
	else
		count->len6[prefix->addr.len] += n;
}

static void prefix_retire(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_zone_prefix *prefix =
		container_of(obj, struct dmm_zone_prefix, obj);

	rb_erase(&prefix->by_addr, &prefix->zone->prefixes);
}

static void prefix_unlink(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_zone_prefix *prefix =
		container_of(obj, struct dmm_zone_prefix, obj);

	rhltable_remove(&p->prefixes, &prefix->node, prefix_params);
}

static void prefix_free(struct dmm_obj *obj)
{
	kfree(container_of(obj, struct dmm_zone_prefix, obj));
}

const struct dmm_obj_ops dmm_prefix_ops = {
	.count = prefix_count,
	.retire = prefix_retire,
	.unlink = prefix_unlink,
	.free = prefix_free,
};

static struct dmm_zone_prefix *prefix_find(struct dmm_policy *p,
					   const struct dmm_addr *addr)
{
	struct dmm_zone_prefix *prefix, *found = NULL;
	struct rhlist_head *list, *pos;

	rcu_read_lock();
	list = rhltable_lookup(&p->prefixes, addr, prefix_params);
	rhl_for_each_entry_rcu(prefix, pos, list, node) {
		if (dmm_alive(&prefix->obj)) {
			found = prefix;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

int dmm_prefix_add(struct dmm_policy *p, struct dmm_zone *zone,
		   const struct dmm_addr *addr, struct netlink_ext_ack *extack)
{
	struct dmm_zone_prefix *prefix = prefix_find(p, addr);
	int err;

	if (prefix) {
		dmm_err_more(extack, NULL, "the prefix is in a zone already",
			     ": %s", prefix->zone->name.name);
		return -EEXIST;
	}
	if (p->count.prefixes >= DMM_PREFIXES_MAX) {
		NL_SET_ERR_MSG(extack, "too many zone prefixes");
		return -E2BIG;
	}
	prefix = kzalloc(sizeof(*prefix), GFP_KERNEL_ACCOUNT);
	if (!prefix)
		return -ENOMEM;
	dmm_obj_init(p, &prefix->obj, &dmm_prefix_ops);
	prefix->zone = zone;
	prefix->addr = *addr;
	err = rhltable_insert_key(&p->prefixes, addr, &prefix->node,
				  prefix_params);
	if (err) {
		kfree(prefix);
		return err;
	}
	rb_add(&prefix->by_addr, &zone->prefixes, prefix_less);
	dmm_obj_add(p, &prefix->obj);
	return 0;
}

int dmm_prefix_delete(struct dmm_policy *p, struct dmm_zone *zone,
		      const struct dmm_addr *addr,
		      struct netlink_ext_ack *extack)
{
	struct dmm_zone_prefix *prefix = prefix_find(p, addr);

	if (!prefix || prefix->zone != zone) {
		NL_SET_ERR_MSG(extack, "the prefix is not in the zone");
		return -ENOENT;
	}
	dmm_obj_del(p, &prefix->obj);
	return 0;
}

struct dmm_zone_prefix *dmm_prefix_next(const struct dmm_zone *zone,
					const struct dmm_addr *after, u64 gen)
{
	struct rb_node *node = zone->prefixes.rb_node, *best = NULL;
	struct dmm_zone_prefix *prefix;

	while (node) {
		prefix = rb_entry(node, struct dmm_zone_prefix, by_addr);
		if (!after || addr_cmp(after, &prefix->addr) < 0) {
			best = node;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	for (; best; best = rb_next(best)) {
		prefix = rb_entry(best, struct dmm_zone_prefix, by_addr);
		if (dmm_visible(&prefix->obj, gen))
			return prefix;
	}
	return NULL;
}

/* Zones. */

static void zone_count(struct dmm_policy *p, struct dmm_obj *obj, int n)
{
	if (!dmm_zone_builtin(container_of(obj, struct dmm_zone, name.obj)))
		p->count.zones += n;
}

static void zone_retire(struct dmm_policy *p, struct dmm_obj *obj)
{
	dmm_names_del(container_of(obj, struct dmm_name, obj));
}

static void zone_free(struct dmm_obj *obj)
{
	kfree(container_of(obj, struct dmm_zone, name.obj));
}

const struct dmm_obj_ops dmm_zone_ops = {
	.count = zone_count,
	.retire = zone_retire,
	.free = zone_free,
};

struct dmm_zone *dmm_zone_find(struct dmm_policy *p, const char *name)
{
	struct dmm_name *found = dmm_names_find(&p->zones, name);

	return found ? dmm_zone(found) : NULL;
}

struct dmm_zone *dmm_zone_create(struct dmm_policy *p, const char *name,
				 u8 origin, struct netlink_ext_ack *extack)
{
	struct dmm_zone *zone;

	if (p->count.zones >= DMM_ZONES_MAX) {
		NL_SET_ERR_MSG(extack, "too many zones");
		return ERR_PTR(-E2BIG);
	}
	zone = kzalloc(sizeof(*zone), GFP_KERNEL_ACCOUNT);
	if (!zone)
		return ERR_PTR(-ENOMEM);
	dmm_obj_init(p, &zone->name.obj, &dmm_zone_ops);
	strscpy(zone->name.name, name, sizeof(zone->name.name));
	zone->name.origin = origin;
	zone->prefixes = RB_ROOT;
	dmm_names_add(&p->zones, &zone->name);
	dmm_obj_add(p, &zone->name.obj);
	return zone;
}

static void zone_clear(struct dmm_policy *p, struct dmm_zone *zone)
{
	struct rb_node *node = rb_first(&zone->prefixes);
	struct dmm_zone_prefix *prefix;

	while (node) {
		prefix = rb_entry(node, struct dmm_zone_prefix, by_addr);
		node = rb_next(node);
		if (dmm_alive(&prefix->obj))
			dmm_obj_del(p, &prefix->obj);
		cond_resched();
	}
}

int dmm_zone_delete(struct dmm_policy *p, struct dmm_zone *zone,
		    struct netlink_ext_ack *extack)
{
	if (zone->name.refs) {
		dmm_err_more(extack, NULL, "a rule names the zone", ": id %u",
			     dmm_rule_id(dmm_rule_naming(p, &zone->name)));
		return -EBUSY;
	}
	zone_clear(p, zone);
	dmm_obj_del(p, &zone->name.obj);
	return 0;
}

int dmm_zones_init(struct dmm_policy *p)
{
	dmm_names_init(&p->zones, 1);
	return rhltable_init(&p->prefixes, &prefix_params);
}

int dmm_zones_add_builtin(struct dmm_policy *p)
{
	struct dmm_zone **const zones[] = {
		&p->zone_loopback, &p->zone_local, &p->zone_internet,
	};
	static const char * const names[] = { "loopback", "local", "internet" };
	struct dmm_zone *zone;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(zones); i++) {
		zone = dmm_zone_create(p, names[i], 0, NULL);
		if (IS_ERR(zone))
			return PTR_ERR(zone);
		*zones[i] = zone;
	}
	p->zones.next_id = DMM_ZONE_FIRST;
	return 0;
}
