// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of ports, of a rule or in a named set.  Replacing the ports of a set
 * makes a new version of them, which the rules that name the set see from the
 * generation on that has it.
 */
#include "table.h"

#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "compat.h"

static int range_cmp(const void *a, const void *b)
{
	const struct dmm_port_range *x = a, *y = b;

	return x->lo - y->lo;
}

void dmm_ports_normalise(struct dmm_ports *ports)
{
	struct dmm_port_range *range = ports->range;
	unsigned int i, last = 0;

	if (!ports->nr)
		return;
	sort(range, ports->nr, sizeof(*range), range_cmp, NULL);
	for (i = 1; i < ports->nr; i++) {
		if (range[i].lo <= range[last].hi + 1)
			range[last].hi = max(range[last].hi, range[i].hi);
		else
			range[++last] = range[i];
	}
	ports->nr = last + 1;
}

bool dmm_ports_has(const struct dmm_ports *ports, u16 port)
{
	unsigned int lo = 0, hi = ports->nr, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (port > ports->range[mid].hi)
			lo = mid + 1;
		else if (port < ports->range[mid].lo)
			hi = mid;
		else
			return true;
	}
	return false;
}

const struct dmm_ports *dmm_set_ports(const struct dmm_set *set, u64 gen)
{
	const struct dmm_set_ports *version;

	list_for_each_entry_rcu(version, &set->versions, link, true)
		if (dmm_visible(&version->obj, gen))
			return &version->ports;
	return NULL;
}

/* Versions. */

static void ports_unlink(struct dmm_policy *p, struct dmm_obj *obj)
{
	list_del_rcu(&container_of(obj, struct dmm_set_ports, obj)->link);
}

static void ports_free(struct dmm_obj *obj)
{
	kfree(container_of(obj, struct dmm_set_ports, obj));
}

const struct dmm_obj_ops dmm_set_ports_ops = {
	.unlink = ports_unlink,
	.free = ports_free,
};

struct dmm_set_ports *dmm_set_ports_alloc(unsigned int nr)
{
	struct dmm_set_ports *version;

	version = kzalloc(struct_size(version, ports.range, nr),
			  GFP_KERNEL_ACCOUNT);
	if (version)
		version->ports.nr = nr;
	return version;
}

static struct dmm_set_ports *alive_version(struct dmm_set *set)
{
	struct dmm_set_ports *version;

	list_for_each_entry(version, &set->versions, link)
		if (dmm_alive(&version->obj))
			return version;
	return NULL;
}

void dmm_set_replace(struct dmm_policy *p, struct dmm_set *set,
		     struct dmm_set_ports *version)
{
	struct dmm_set_ports *old = alive_version(set);

	if (old)
		dmm_obj_del(p, &old->obj);
	dmm_obj_init(p, &version->obj, &dmm_set_ports_ops);
	version->set = set;
	list_add_rcu(&version->link, &set->versions);
	dmm_obj_add(p, &version->obj);
}

/* Sets. */

static void set_count(struct dmm_policy *p, struct dmm_obj *obj, int n)
{
	p->count.sets += n;
}

static void set_retire(struct dmm_policy *p, struct dmm_obj *obj)
{
	dmm_names_del(container_of(obj, struct dmm_name, obj));
}

static void set_free(struct dmm_obj *obj)
{
	kfree(container_of(obj, struct dmm_set, name.obj));
}

const struct dmm_obj_ops dmm_set_ops = {
	.count = set_count,
	.retire = set_retire,
	.free = set_free,
};

struct dmm_set *dmm_set_find(struct dmm_policy *p, const char *name)
{
	struct dmm_name *found = dmm_names_find(&p->sets, name);

	return found ? dmm_set(found) : NULL;
}

struct dmm_set *dmm_set_create(struct dmm_policy *p, const char *name,
			       u8 origin, struct netlink_ext_ack *extack)
{
	struct dmm_set *set;

	if (p->count.sets >= DMM_SETS_MAX) {
		NL_SET_ERR_MSG(extack, "too many port sets");
		return ERR_PTR(-E2BIG);
	}
	set = kzalloc(sizeof(*set), GFP_KERNEL_ACCOUNT);
	if (!set)
		return ERR_PTR(-ENOMEM);
	dmm_obj_init(p, &set->name.obj, &dmm_set_ops);
	strscpy(set->name.name, name, sizeof(set->name.name));
	set->name.origin = origin;
	INIT_LIST_HEAD(&set->versions);
	dmm_names_add(&p->sets, &set->name);
	dmm_obj_add(p, &set->name.obj);
	return set;
}

int dmm_set_delete(struct dmm_policy *p, struct dmm_set *set,
		   struct netlink_ext_ack *extack)
{
	if (set->name.refs) {
		dmm_err_more(extack, NULL, "a rule names the port set",
			     ": id %u",
			     dmm_rule_id(dmm_rule_naming(p, &set->name)));
		return -EBUSY;
	}
	dmm_obj_del(p, &alive_version(set)->obj);
	dmm_obj_del(p, &set->name.obj);
	return 0;
}
