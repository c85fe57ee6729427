// SPDX-License-Identifier: Apache-2.0
/* Policy tables in memory, from the kernel or from files. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

static const unsigned int default_prio[] = {
	[DMM_ORIGIN_CLI] = 500,
	[DMM_ORIGIN_FILE] = 5000,
	[DMM_ORIGIN_CRD] = 15000,
	[DMM_ORIGIN_LEARNED] = 25000,
};

/* Zones that the kernel has by itself. */
static const char *const builtin[] = { "loopback", "local", "internet" };

DMM_EXPORT unsigned int dmm_rule_prio(const struct dmm_rule *r)
{
	unsigned int origin = r->has & DMM_HAS(DMM_A_RULE_ORIGIN) ? r->origin : DMM_ORIGIN_CLI;

	if (r->has & DMM_HAS(DMM_A_RULE_PRIO))
		return r->prio;
	return origin < ARRAY_SIZE(default_prio) ? default_prio[origin] : default_prio[0];
}

DMM_EXPORT int dmm_table_new(struct dmm_table **table)
{
	struct dmm_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*table = t;
	return 0;
}

static void free_zone(void *node)
{
	struct dmm_table_zone *z = node;

	free((void *)z->ch.zone.prefixes.v);
}

static void free_nothing(void *node)
{
	(void)node;
}

DMM_EXPORT void dmm_table_free(struct dmm_table *t)
{
	if (!t)
		return;
	tdestroy(t->zones, free_zone);
	tdestroy(t->sets, free_nothing);
	tdestroy(t->groups, free_nothing);
	free(t->rules);
	dmm_arena_free(&t->arena);
	free(t);
}

DMM_EXPORT const struct dmm_error *dmm_table_error(const struct dmm_table *t)
{
	return &t->error;
}

int dmm_table_no_memory(struct dmm_table *t)
{
	return dmm_error_set(&t->error, -ENOMEM, NULL, "out of memory");
}

static int zone_cmp(const void *a, const void *b)
{
	const struct dmm_table_zone *x = a, *y = b;

	return strcmp(x->ch.zone.name, y->ch.zone.name);
}

static int set_cmp(const void *a, const void *b)
{
	const struct dmm_table_set *x = a, *y = b;

	return strcmp(x->ch.set.name, y->ch.set.name);
}

static int group_cmp(const void *a, const void *b)
{
	const struct dmm_table_group *x = a, *y = b;

	return strcmp(x->ch.group.name, y->ch.group.name);
}

struct dmm_table_zone *dmm_table_find_zone(const struct dmm_table *t, const char *name)
{
	struct dmm_table_zone key = { .ch.zone.name = name };
	struct dmm_table_zone **found = tfind(&key, &t->zones, zone_cmp);

	return found ? *found : NULL;
}

struct dmm_table_set *dmm_table_find_set(const struct dmm_table *t, const char *name)
{
	struct dmm_table_set key = { .ch.set.name = name };
	struct dmm_table_set **found = tfind(&key, &t->sets, set_cmp);

	return found ? *found : NULL;
}

struct dmm_table_group *dmm_table_find_group(const struct dmm_table *t, const char *name)
{
	struct dmm_table_group key = { .ch.group.name = name };
	struct dmm_table_group **found = tfind(&key, &t->groups, group_cmp);

	return found ? *found : NULL;
}

static struct dmm_table_zone *new_zone(struct dmm_table *t, const struct dmm_change *ch)
{
	struct dmm_table_zone *z = dmm_arena_alloc(&t->arena, sizeof(*z));

	if (!z)
		return NULL;
	memset(z, 0, sizeof(*z));
	z->ch = *ch;
	z->ch.zone.name = dmm_arena_strndup(&t->arena, ch->zone.name, strlen(ch->zone.name));
	z->ch.zone.prefixes = (struct dmm_prefixes){ 0 };
	if (!(ch->zone.has & DMM_HAS(DMM_A_ZONE_ORIGIN)))
		z->ch.zone.origin = DMM_ORIGIN_CLI;
	z->ch.zone.has = DMM_HAS(DMM_A_ZONE_NAME) | DMM_HAS(DMM_A_ZONE_ORIGIN) |
			 DMM_HAS(DMM_A_ZONE_PREFIXES);
	if (!z->ch.zone.name || !tsearch(z, &t->zones, zone_cmp))
		return NULL;
	return z;
}

static int add_prefixes(struct dmm_table_zone *z, const struct dmm_prefixes *more)
{
	struct dmm_prefixes *list = &z->ch.zone.prefixes;
	struct dmm_prefix *v = (struct dmm_prefix *)list->v;

	if (list->nr + more->nr > z->size) {
		z->size = 2 * (list->nr + more->nr);
		v = realloc(v, z->size * sizeof(*v));
		if (!v)
			return -ENOMEM;
		list->v = v;
	}
	if (more->nr)
		memcpy(v + list->nr, more->v, more->nr * sizeof(*v));
	list->nr += more->nr;
	z->sorted = false;
	return 0;
}

static int add_zone(struct dmm_table *t, const struct dmm_change *ch)
{
	struct dmm_table_zone *z = dmm_table_find_zone(t, ch->zone.name);

	if (!z)
		z = new_zone(t, ch);
	if (!z || (ch->zone.has & DMM_HAS(DMM_A_ZONE_PREFIXES) &&
		   add_prefixes(z, &ch->zone.prefixes)))
		return dmm_table_no_memory(t);
	return 0;
}

static struct dmm_table_set *new_set(struct dmm_table *t, const char *name)
{
	struct dmm_table_set *s = dmm_arena_alloc(&t->arena, sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->ch.set.name = dmm_arena_strndup(&t->arena, name, strlen(name));
	return s->ch.set.name && tsearch(s, &t->sets, set_cmp) ? s : NULL;
}

static int add_set(struct dmm_table *t, const struct dmm_change *ch)
{
	struct dmm_table_set *s = dmm_table_find_set(t, ch->set.name);

	if (s && !ch->replace)
		return dmm_error_set(&t->error, -EEXIST, &ch->loc, "set %s is defined twice",
				     ch->set.name);
	if (!s)
		s = new_set(t, ch->set.name);
	if (!s)
		return dmm_table_no_memory(t);
	s->ch = *ch;
	s->ch.replace = false;
	if (dmm_object_copy(&dmm_type_set, &t->arena, &s->ch.set, &ch->set))
		return dmm_table_no_memory(t);
	if (!(s->ch.set.has & DMM_HAS(DMM_A_SET_ORIGIN)))
		s->ch.set.origin = DMM_ORIGIN_CLI;
	s->ch.set.has |= DMM_HAS(DMM_A_SET_ORIGIN);
	return 0;
}

static struct dmm_table_group *new_group(struct dmm_table *t, const char *name)
{
	struct dmm_table_group *g = dmm_arena_alloc(&t->arena, sizeof(*g));

	if (!g)
		return NULL;
	memset(g, 0, sizeof(*g));
	g->ch.group.name = dmm_arena_strndup(&t->arena, name, strlen(name));
	return g->ch.group.name && tsearch(g, &t->groups, group_cmp) ? g : NULL;
}

static int add_group(struct dmm_table *t, const struct dmm_change *ch)
{
	struct dmm_table_group *g = dmm_table_find_group(t, ch->group.name);

	if (g && ch->cmd == DMM_CMD_GROUP_ADD && !ch->replace)
		return dmm_error_set(&t->error, -EEXIST, &ch->loc, "group %s is defined twice",
				     ch->group.name);
	if (!g)
		g = new_group(t, ch->group.name);
	if (!g)
		return dmm_table_no_memory(t);
	g->ch = *ch;
	g->ch.cmd = DMM_CMD_GROUP_ADD;
	g->ch.replace = false;
	if (dmm_object_copy(&dmm_type_group, &t->arena, &g->ch.group, &ch->group))
		return dmm_table_no_memory(t);
	if (!(g->ch.group.has & DMM_HAS(DMM_A_GROUP_ORIGIN)))
		g->ch.group.origin = DMM_ORIGIN_CLI;
	g->ch.group.has |= DMM_HAS(DMM_A_GROUP_ORIGIN);
	return 0;
}

/* Rules that mean the same look the same. */
static void canonicalise(struct dmm_rule *r)
{
	r->prio = dmm_rule_prio(r);
	if (!(r->has & DMM_HAS(DMM_A_RULE_ORIGIN)))
		r->origin = DMM_ORIGIN_CLI;
	r->has |= DMM_HAS(DMM_A_RULE_PRIO) | DMM_HAS(DMM_A_RULE_ORIGIN);
	if (r->role == DMM_ROLE_ANY)
		r->has &= ~DMM_HAS(DMM_A_RULE_ROLE);
	if (!r->flags)
		r->has &= ~DMM_HAS(DMM_A_RULE_FLAGS);
	if (r->mark_mask == UINT32_MAX)
		r->has &= ~DMM_HAS(DMM_A_RULE_MARK_MASK);
}

static int add_rule(struct dmm_table *t, const struct dmm_change *ch)
{
	struct dmm_table_rule *r;

	if (t->nr_rules == t->size) {
		size_t size = t->size ? 2 * t->size : 256;
		struct dmm_table_rule **rules = realloc(t->rules, size * sizeof(*rules));

		if (!rules)
			return dmm_table_no_memory(t);
		t->rules = rules;
		t->size = size;
	}
	r = dmm_arena_alloc(&t->arena, sizeof(*r));
	if (!r)
		return dmm_table_no_memory(t);
	memset(r, 0, sizeof(*r));
	r->ch = *ch;
	r->order = t->nr_rules;
	if (dmm_object_copy(&dmm_type_rule, &t->arena, &r->ch.rule, &ch->rule))
		return dmm_table_no_memory(t);
	canonicalise(&r->ch.rule);
	t->rules[t->nr_rules++] = r;
	t->sorted = false;
	return 0;
}

DMM_EXPORT int dmm_table_add(struct dmm_table *t, const struct dmm_change *ch)
{
	switch (ch->cmd) {
	case DMM_CMD_ZONE_ADD:
		return add_zone(t, ch);
	case DMM_CMD_SET_ADD:
		return add_set(t, ch);
	case DMM_CMD_GROUP_ADD:
	case DMM_CMD_GROUP_SET:
		return add_group(t, ch);
	case DMM_CMD_RULE_ADD:
		return add_rule(t, ch);
	default:
		return dmm_error_set(&t->error, -EINVAL, &ch->loc,
				     "only what adds zones, sets, groups and rules makes a table");
	}
}

/* From the kernel. */

static bool is_builtin(const char *zone)
{
	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
		if (!strcmp(builtin[i], zone))
			return true;
	return false;
}

static int take_object(void *arg, const struct dmm_object *obj)
{
	struct dmm_change ch = { 0 };
	struct dmm_table *t = arg;

	switch (obj->cmd) {
	case DMM_CMD_ZONE_GET:
		if (!obj->zone->name || is_builtin(obj->zone->name))
			return 0;
		ch.cmd = DMM_CMD_ZONE_ADD;
		ch.zone = *obj->zone;
		break;
	case DMM_CMD_SET_GET:
		ch.cmd = DMM_CMD_SET_ADD;
		ch.set = *obj->set;
		break;
	case DMM_CMD_GROUP_GET:
		ch.cmd = DMM_CMD_GROUP_ADD;
		ch.group = *obj->group;
		break;
	case DMM_CMD_RULE_GET:
		ch.cmd = DMM_CMD_RULE_ADD;
		ch.rule = *obj->rule;
		break;
	default:
		return 0;
	}
	return dmm_table_add(t, &ch);
}

static int take_gen(void *arg, const struct dmm_object *obj)
{
	if (obj->cmd == DMM_CMD_STAT_GET)
		*(uint64_t *)arg = obj->stat->gen;
	return 0;
}

/*
 * The dumps may be of different generations; a transaction that is based on the
 * one from before them finds that out.
 */
DMM_EXPORT int dmm_table_fetch(struct dmm_table *t, struct dmm_client *c, uint64_t *gen)
{
	static const uint8_t cmds[] = {
		DMM_CMD_ZONE_GET, DMM_CMD_SET_GET, DMM_CMD_GROUP_GET, DMM_CMD_RULE_GET,
	};
	int err;

	err = dmm_get(c, DMM_CMD_STAT_GET, NULL, take_gen, gen);
	for (size_t i = 0; i < ARRAY_SIZE(cmds) && !err; i++) {
		err = dmm_dump(c, cmds[i], NULL, take_object, t);
		if (err && dmm_client_error(c)->err == err)
			t->error = *dmm_client_error(c);
	}
	return err;
}

/* Order. */

static int rule_cmp(const void *a, const void *b)
{
	const struct dmm_table_rule *x = *(struct dmm_table_rule *const *)a;
	const struct dmm_table_rule *y = *(struct dmm_table_rule *const *)b;
	int diff = dmm_table_rank_cmp(&x->ch.rule, &y->ch.rule);

	return diff ? diff : (x->order > y->order) - (x->order < y->order);
}

static unsigned int prefix_len(const struct dmm_rule *r, unsigned int attr,
			       const struct dmm_prefix *p)
{
	return r->has & DMM_HAS(attr) ? p->len : 0;
}

int dmm_table_rank_cmp(const struct dmm_rule *a, const struct dmm_rule *b)
{
	int diff = (int)a->prio - (int)b->prio;

	if (!diff)
		diff = (int)prefix_len(b, DMM_A_RULE_DST, &b->dst) -
		       (int)prefix_len(a, DMM_A_RULE_DST, &a->dst);
	if (!diff)
		diff = (int)prefix_len(b, DMM_A_RULE_SRC, &b->src) -
		       (int)prefix_len(a, DMM_A_RULE_SRC, &a->src);
	return diff;
}

void dmm_table_sort(struct dmm_table *t)
{
	if (!t->sorted && t->nr_rules)
		qsort(t->rules, t->nr_rules, sizeof(*t->rules), rule_cmp);
	t->sorted = true;
}

void dmm_table_sort_zone(struct dmm_table_zone *z)
{
	struct dmm_prefixes *list = &z->ch.zone.prefixes;

	if (!z->sorted && list->nr)
		qsort((void *)list->v, list->nr, sizeof(*list->v), dmm_prefix_cmp);
	z->sorted = true;
}

struct walk {
	dmm_change_fn fn;
	void *arg;
	int ret;
};

static void walk_zone(const void *node, VISIT which, void *arg)
{
	struct dmm_table_zone *z = *(struct dmm_table_zone *const *)node;
	struct walk *w = arg;

	if ((which != postorder && which != leaf) || w->ret)
		return;
	dmm_table_sort_zone(z);
	w->ret = w->fn(w->arg, &z->ch);
}

static void walk_set(const void *node, VISIT which, void *arg)
{
	struct dmm_table_set *s = *(struct dmm_table_set *const *)node;
	struct walk *w = arg;

	if ((which == postorder || which == leaf) && !w->ret)
		w->ret = w->fn(w->arg, &s->ch);
}

static void walk_group(const void *node, VISIT which, void *arg)
{
	struct dmm_table_group *g = *(struct dmm_table_group *const *)node;
	struct walk *w = arg;

	if ((which == postorder || which == leaf) && !w->ret)
		w->ret = w->fn(w->arg, &g->ch);
}

DMM_EXPORT int dmm_table_walk(struct dmm_table *t, dmm_change_fn fn, void *arg)
{
	struct walk w = { .fn = fn, .arg = arg };

	twalk_r(t->zones, walk_zone, &w);
	twalk_r(t->sets, walk_set, &w);
	twalk_r(t->groups, walk_group, &w);
	dmm_table_sort(t);
	for (size_t i = 0; i < t->nr_rules && !w.ret; i++)
		w.ret = fn(arg, &t->rules[i]->ch);
	return w.ret;
}

static int take_origin(void *arg, const struct dmm_change *ch)
{
	unsigned int *bits = arg;

	switch (ch->cmd) {
	case DMM_CMD_ZONE_ADD:
		*bits |= 1u << ch->zone.origin;
		break;
	case DMM_CMD_SET_ADD:
		*bits |= 1u << ch->set.origin;
		break;
	case DMM_CMD_GROUP_ADD:
		*bits |= 1u << ch->group.origin;
		break;
	case DMM_CMD_RULE_ADD:
		*bits |= 1u << ch->rule.origin;
		break;
	}
	return 0;
}

DMM_EXPORT unsigned int dmm_table_origins(struct dmm_table *t)
{
	unsigned int bits = 0;

	dmm_table_walk(t, take_origin, &bits);
	return bits;
}
