// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups: named lists of stacks with weights, of which each decision chooses.
 * Replacing the members makes a new version of them, as with port sets.
 */
#include "table.h"

#include <linux/rculist.h>
#include <linux/slab.h>

#include "compat.h"

struct dmm_group_members *dmm_group_members(const struct dmm_group *group, u64 gen)
{
	struct dmm_group_version *version;

	list_for_each_entry_rcu(version, &group->versions, link, true)
		if (dmm_visible(&version->obj, gen))
			return &version->members;
	return NULL;
}

/* Versions. */

static void version_unlink(struct dmm_policy *p, struct dmm_obj *obj)
{
	list_del_rcu(&container_of(obj, struct dmm_group_version, obj)->link);
}

static void version_free(struct dmm_obj *obj)
{
	kfree(container_of(obj, struct dmm_group_version, obj));
}

const struct dmm_obj_ops dmm_group_version_ops = {
	.unlink = version_unlink,
	.free = version_free,
};

struct dmm_group_version *dmm_group_version_alloc(unsigned int nr)
{
	struct dmm_group_version *version;

	version = kzalloc(struct_size(version, members.member, nr),
			  GFP_KERNEL_ACCOUNT);
	if (version)
		version->members.nr = nr;
	return version;
}

static struct dmm_group_version *alive_version(struct dmm_group *group)
{
	struct dmm_group_version *version;

	list_for_each_entry(version, &group->versions, link)
		if (dmm_alive(&version->obj))
			return version;
	return NULL;
}

void dmm_group_replace(struct dmm_policy *p, struct dmm_group *group,
		       struct dmm_group_version *version)
{
	struct dmm_group_version *old = alive_version(group);

	if (old)
		dmm_obj_del(p, &old->obj);
	dmm_obj_init(p, &version->obj, &dmm_group_version_ops);
	version->group = group;
	list_add_rcu(&version->link, &group->versions);
	dmm_obj_add(p, &version->obj);
}

/* Groups. */

static void group_count(struct dmm_policy *p, struct dmm_obj *obj, int n)
{
	p->count.groups += n;
}

static void group_retire(struct dmm_policy *p, struct dmm_obj *obj)
{
	dmm_names_del(container_of(obj, struct dmm_name, obj));
}

static void group_free(struct dmm_obj *obj)
{
	kfree(container_of(obj, struct dmm_group, name.obj));
}

const struct dmm_obj_ops dmm_group_ops = {
	.count = group_count,
	.retire = group_retire,
	.free = group_free,
};

struct dmm_group *dmm_group_find(struct dmm_policy *p, const char *name)
{
	struct dmm_name *found = dmm_names_find(&p->groups, name);

	return found ? dmm_group(found) : NULL;
}

struct dmm_group *dmm_group_create(struct dmm_policy *p, const char *name,
				   u8 origin, struct netlink_ext_ack *extack)
{
	struct dmm_group *group;

	if (p->count.groups >= DMM_GROUPS_MAX) {
		NL_SET_ERR_MSG(extack, "too many groups");
		return ERR_PTR(-E2BIG);
	}
	group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	if (!group)
		return ERR_PTR(-ENOMEM);
	dmm_obj_init(p, &group->name.obj, &dmm_group_ops);
	strscpy(group->name.name, name, sizeof(group->name.name));
	group->name.origin = origin;
	INIT_LIST_HEAD(&group->versions);
	dmm_names_add(&p->groups, &group->name);
	dmm_obj_add(p, &group->name.obj);
	return group;
}

int dmm_group_delete(struct dmm_policy *p, struct dmm_group *group,
		     struct netlink_ext_ack *extack)
{
	if (group->name.refs) {
		dmm_err_more(extack, NULL, "a rule names the group", ": id %u",
			     dmm_rule_id(dmm_rule_naming(p, &group->name)));
		return -EBUSY;
	}
	dmm_obj_del(p, &alive_version(group)->obj);
	dmm_obj_del(p, &group->name.obj);
	return 0;
}
