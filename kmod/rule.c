// SPDX-License-Identifier: GPL-2.0-only
/* Rules: their order, their life, and whether one matches. */
#include "table.h"

#include <linux/cgroup.h>
#include <linux/slab.h>

#include "compat.h"
#include "decide.h"

/*
 * Lower goes first: priority, then longer destination, then longer source
 * prefix, then age.  Ids start at 1, so no rule has rank 0.
 */
u64 dmm_rule_rank(u32 prio, u8 dst_len, u8 src_len, u32 id)
{
	return (u64)prio << 48 | (u64)(128 - dst_len) << 40 |
	       (u64)(128 - src_len) << 32 | id;
}

u32 dmm_rule_id(const struct dmm_rule *rule)
{
	return rule->id;
}

u32 dmm_rule_prio(const struct dmm_rule *rule)
{
	return rule->prio;
}

const struct dmm_action *dmm_rule_action(const struct dmm_rule *rule)
{
	return &rule->action;
}

void dmm_rule_hit(struct dmm_rule *rule)
{
	atomic64_inc(&rule->hits);
}

/* Matching. */

static bool port_matches(const struct dmm_rule *rule, int end, u16 port, u64 gen)
{
	if (rule->set[end])
		return dmm_ports_has(dmm_set_ports(rule->set[end], gen), port);
	return dmm_ports_has(rule->ports[end], port);
}

/* A subtree: the path itself and what is below it. */
static bool cgroup_matches(const struct dmm_rule *rule, const char *path)
{
	return !strncmp(path, rule->cgroup, rule->cgroup_len) &&
	       (!path[rule->cgroup_len] || path[rule->cgroup_len] == '/');
}

static bool key_matches(const struct dmm_rule *rule, enum dmm_key_id key,
			const struct dmm_lookup *l)
{
	const struct dmm_flow *flow = l->flow;

	switch (key) {
	case DMM_KEY_ROLE:
		return rule->role == flow->role;
	case DMM_KEY_TYPE:
		return rule->type == flow->type;
	case DMM_KEY_FAMILY:
		return rule->family == flow->family;
	case DMM_KEY_SRC:
		return dmm_addr_contains(&rule->addr[DMM_SRC], flow->family,
					 &flow->src);
	case DMM_KEY_DST:
		return dmm_addr_contains(&rule->addr[DMM_DST], flow->family,
					 &flow->dst);
	case DMM_KEY_SRC_ZONE:
		return rule->zone[DMM_SRC]->name.id == l->word[DMM_W_SRC_ZONE];
	case DMM_KEY_DST_ZONE:
		return rule->zone[DMM_DST]->name.id == l->word[DMM_W_DST_ZONE];
	case DMM_KEY_SPORT:
		return port_matches(rule, DMM_SRC, flow->sport, l->view->gen);
	case DMM_KEY_DPORT:
		return port_matches(rule, DMM_DST, flow->dport, l->view->gen);
	case DMM_KEY_UID:
		return uid_gte(flow->uid, rule->uid_lo) &&
		       uid_lte(flow->uid, rule->uid_hi);
	case DMM_KEY_GID:
		return gid_gte(flow->gid, rule->gid_lo) &&
		       gid_lte(flow->gid, rule->gid_hi);
	case DMM_KEY_CGROUP:
		return cgroup_matches(rule, l->cgroup);
	case DMM_KEY_MARK:
		return (flow->mark & rule->mark_mask) == rule->mark;
	case DMM_KEY_DSCP:
		return rule->dscp == flow->dscp;
	case DMM_KEY_DEV:
		return !strcmp(rule->dev, flow->dev);
	case DMM_KEY_COMM:
		return !strcmp(rule->comm, flow->comm);
	case DMM_KEY_NONE:
		break;
	}
	return true;
}

enum dmm_key_id dmm_rule_mismatch(const struct dmm_rule *rule,
				  const struct dmm_lookup *l, u32 keys)
{
	unsigned long todo = rule->keys & keys;
	unsigned int key;

	for_each_set_bit(key, &todo, DMM_KEY_COMM + 1)
		if (!key_matches(rule, key, l))
			return key;
	return DMM_KEY_NONE;
}

/* Life. */

static bool names_user_stack(const struct dmm_rule *rule)
{
	unsigned int i;

	for (i = 0; i < rule->action.nr_stacks; i++)
		if (strcmp(rule->action.stacks[i], dmm_stack_kernel))
			return true;
	/* Its members come and go. */
	return rule->action.group;
}

static void rule_count(struct dmm_policy *p, struct dmm_obj *obj, int n)
{
	struct dmm_rule *rule = container_of(obj, struct dmm_rule, obj);
	unsigned long keys = rule->keys;
	unsigned int i;

	p->count.rules += n;
	for_each_set_bit(i, &keys, DMM_KEY_COMM + 1)
		p->count.keys[i] += n;
	if (rule->cgroup_level)
		p->count.levels[rule->cgroup_level - 1] += n;
	for (i = DMM_SRC; i <= DMM_DST; i++) {
		if (rule->zone[i])
			rule->zone[i]->name.refs += n;
		if (rule->set[i])
			rule->set[i]->name.refs += n;
	}
	if (rule->action.group)
		rule->action.group->name.refs += n;
	dmm_classify_count(p, rule, n);
}

static void rule_retire(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_rule *rule = container_of(obj, struct dmm_rule, obj);

	rb_erase(&rule->by_rank, &p->rules);
	xa_erase(&p->ids, rule->id);
	dmm_classify_retire(p, rule);
}

static void rule_unlink(struct dmm_policy *p, struct dmm_obj *obj)
{
	struct dmm_rule *rule = container_of(obj, struct dmm_rule, obj);

	if (names_user_stack(rule))
		list_del_rcu(&rule->user_stacks);
	dmm_classify_unlink(p, rule);
}

static void rule_free(struct dmm_obj *obj)
{
	dmm_rule_free(container_of(obj, struct dmm_rule, obj));
}

const struct dmm_obj_ops dmm_rule_ops = {
	.count = rule_count,
	.retire = rule_retire,
	.unlink = rule_unlink,
	.free = rule_free,
};

/* What it points to, apart from other objects, is in the same allocation. */
void dmm_rule_free(struct dmm_rule *rule)
{
	kfree(rule);
}

static bool rank_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct dmm_rule, by_rank)->rank <
	       rb_entry(b, struct dmm_rule, by_rank)->rank;
}

static int index_rule(struct dmm_policy *p, struct dmm_rule *rule,
		      struct netlink_ext_ack *extack)
{
	int err;

	if (p->count.rules >= DMM_RULES_MAX) {
		NL_SET_ERR_MSG(extack, "too many rules");
		return -E2BIG;
	}
	if (!p->next_rule) {
		NL_SET_ERR_MSG(extack, "all rule ids were used");
		return -ENOSPC;
	}
	rule->id = p->next_rule;
	rule->rank = dmm_rule_rank(rule->prio, rule->addr[DMM_DST].len,
				   rule->addr[DMM_SRC].len, rule->id);
	dmm_obj_init(p, &rule->obj, &dmm_rule_ops);

	err = xa_insert(&p->ids, rule->id, rule, GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	err = dmm_classify_link(p, rule, extack);
	if (err) {
		xa_erase(&p->ids, rule->id);
		return err;
	}
	rb_add(&rule->by_rank, &p->rules, rank_less);
	if (names_user_stack(rule))
		list_add_rcu(&rule->user_stacks, &p->user_stacks);
	return 0;
}

int dmm_rule_insert(struct dmm_policy *p, struct dmm_rule *rule,
		    struct netlink_ext_ack *extack)
{
	int err = index_rule(p, rule, extack);

	if (err)
		return err;
	p->next_rule++;
	dmm_obj_add(p, &rule->obj);
	return 0;
}

struct dmm_rule *dmm_rule_find(struct dmm_policy *p, u32 id)
{
	return xa_load(&p->ids, id);
}

struct dmm_rule *dmm_rule_from(struct dmm_policy *p, u64 rank)
{
	struct rb_node *node = p->rules.rb_node;
	struct dmm_rule *rule, *found = NULL;

	while (node) {
		rule = rb_entry(node, struct dmm_rule, by_rank);
		if (rule->rank >= rank) {
			found = rule;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

struct dmm_rule *dmm_rule_next(struct dmm_rule *rule)
{
	return rb_entry_safe(rb_next(&rule->by_rank), struct dmm_rule, by_rank);
}

static bool names(const struct dmm_rule *rule, const struct dmm_name *name)
{
	int i;

	for (i = DMM_SRC; i <= DMM_DST; i++)
		if ((rule->zone[i] && &rule->zone[i]->name == name) ||
		    (rule->set[i] && &rule->set[i]->name == name))
			return true;
	return rule->action.group && &rule->action.group->name == name;
}

struct dmm_rule *dmm_rule_naming(struct dmm_policy *p,
				 const struct dmm_name *name)
{
	struct dmm_rule *rule;

	for (rule = dmm_rule_from(p, 0); rule; rule = dmm_rule_next(rule)) {
		if (dmm_alive(&rule->obj) && names(rule, name))
			return rule;
		cond_resched();
	}
	return NULL;
}
