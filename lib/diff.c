// SPDX-License-Identifier: Apache-2.0
/*
 * The changes that lead from one table to another.
 *
 * A rule that is in both stays.  The exception are rules of the same rank
 * (priority and prefix lengths), of which the older goes first: new rules are
 * younger than all that stay.  A rule that must be tried behind a new one, and
 * may match what that matches, is therefore added anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

struct diff {
	struct dmm_table *from;
	struct dmm_table *to;
	unsigned int origins;
	dmm_change_fn fn;
	void *arg;
	/* Pairs of rules that may still be compared: bounds the work for rules of one rank. */
	unsigned long budget;
	struct dmm_table_rule **by_text;	/* of @from, by text and order */
	size_t nr;
};

static bool wanted(const struct diff *d, unsigned int origin)
{
	return d->origins >> origin & 1;
}

static const char *rule_text(struct dmm_table *t, const struct dmm_rule *rule)
{
	char buf[1024];
	size_t len = dmm_rule_format(buf, sizeof(buf), rule);
	char *text;

	if (len < sizeof(buf))
		return dmm_arena_dup(&t->arena, buf, len + 1);
	text = dmm_arena_alloc(&t->arena, len + 1);
	if (text)
		dmm_rule_format(text, len + 1, rule);
	return text;
}

static int set_texts(struct dmm_table *t)
{
	dmm_table_sort(t);
	for (size_t i = 0; i < t->nr_rules; i++) {
		struct dmm_table_rule *r = t->rules[i];

		r->order = i;
		r->kept = false;
		r->text = rule_text(t, &r->ch.rule);
		if (!r->text)
			return dmm_table_no_memory(t);
	}
	return 0;
}

static int text_cmp(const void *a, const void *b)
{
	const struct dmm_table_rule *x = *(struct dmm_table_rule *const *)a;
	const struct dmm_table_rule *y = *(struct dmm_table_rule *const *)b;
	int diff = strcmp(x->text, y->text);

	return diff ? diff : (x->order > y->order) - (x->order < y->order);
}

static int index_rules(struct diff *d)
{
	struct dmm_table *t = d->from;
	int err = set_texts(t);

	if (err)
		return err;
	d->by_text = calloc(t->nr_rules + 1, sizeof(*d->by_text));
	if (!d->by_text)
		return dmm_table_no_memory(t);
	for (size_t i = 0; i < t->nr_rules; i++)
		if (wanted(d, t->rules[i]->ch.rule.origin))
			d->by_text[d->nr++] = t->rules[i];
	qsort(d->by_text, d->nr, sizeof(*d->by_text), text_cmp);
	return 0;
}

/* The oldest rule of this text that is not taken yet. */
static struct dmm_table_rule *find_rule(const struct diff *d, const char *text)
{
	size_t lo = 0, hi = d->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(d->by_text[mid]->text, text) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo < d->nr && d->by_text[lo]->kept)
		lo++;
	return lo < d->nr && !strcmp(d->by_text[lo]->text, text) ? d->by_text[lo] : NULL;
}

/*
 * May @r of the new table stay as @old, behind those of its rank in @done that
 * are before it?  @done has the old rule of each, NULL for one to be added.
 */
static bool may_stay(struct diff *d, struct dmm_table_rule **rules,
		     struct dmm_table_rule **done, size_t nr, const struct dmm_table_rule *old)
{
	for (size_t i = 0; i < nr; i++) {
		if (done[i] && done[i]->order < old->order)
			continue;
		if (!d->budget)
			return false;
		d->budget--;
		if (dmm_rule_overlaps(&rules[i]->ch.rule, &old->ch.rule))
			return false;
	}
	return true;
}

/* Match the rules of one rank. */
static void match_rank(struct diff *d, struct dmm_table_rule **rules,
		       struct dmm_table_rule **done, size_t nr)
{
	size_t newest = 0;
	bool in_order = true;

	for (size_t i = 0; i < nr; i++) {
		struct dmm_table_rule *old = find_rule(d, rules[i]->text);

		/* As long as nothing is new or out of order, nothing need be compared. */
		if (old && in_order && old->order >= newest)
			newest = old->order;
		else
			in_order = false;
		if (old && !in_order && !may_stay(d, rules, done, i, old))
			old = NULL;
		done[i] = old;
		rules[i]->kept = old;
		if (old)
			old->kept = true;
	}
}

static int match_rules(struct diff *d)
{
	struct dmm_table *to = d->to;
	struct dmm_table_rule **done;
	size_t i, j;
	int err;

	err = set_texts(to);
	if (err)
		return err;
	done = calloc(to->nr_rules + 1, sizeof(*done));
	if (!done)
		return dmm_table_no_memory(to);
	for (i = 0; i < to->nr_rules; i = j) {
		for (j = i + 1; j < to->nr_rules; j++)
			if (dmm_table_rank_cmp(&to->rules[i]->ch.rule, &to->rules[j]->ch.rule))
				break;
		match_rank(d, to->rules + i, done + i, j - i);
	}
	free(done);
	return 0;
}

static int delete_rules(struct diff *d)
{
	int ret = 0;

	for (size_t i = 0; i < d->nr && !ret; i++) {
		struct dmm_change ch = { .cmd = DMM_CMD_RULE_DEL };

		if (d->by_text[i]->kept)
			continue;
		ch.rule = d->by_text[i]->ch.rule;
		ret = d->fn(d->arg, &ch);
	}
	return ret;
}

static int add_rules(struct diff *d)
{
	int ret = 0;

	for (size_t i = 0; i < d->to->nr_rules && !ret; i++) {
		const struct dmm_table_rule *r = d->to->rules[i];

		if (!r->kept && wanted(d, r->ch.rule.origin))
			ret = d->fn(d->arg, &r->ch);
	}
	return ret;
}

/* Emit the prefixes of @a that are not in @b; both are sorted. */
static int emit_prefixes(struct diff *d, unsigned int cmd, struct dmm_table_zone *a,
			 struct dmm_table_zone *b)
{
	struct dmm_change ch = { .cmd = cmd, .loc = a->ch.loc, .zone = a->ch.zone };
	const struct dmm_prefixes *pa = &a->ch.zone.prefixes, *pb = &b->ch.zone.prefixes;
	struct dmm_prefix *only;
	uint32_t n = 0, j = 0;
	int ret = 0;

	only = calloc(pa->nr + 1, sizeof(*only));
	if (!only)
		return dmm_table_no_memory(d->from);
	for (uint32_t i = 0; i < pa->nr; i++) {
		while (j < pb->nr && dmm_prefix_cmp(&pb->v[j], &pa->v[i]) < 0)
			j++;
		if (j == pb->nr || !dmm_prefix_equal(&pb->v[j], &pa->v[i]))
			only[n++] = pa->v[i];
	}
	ch.zone.prefixes = (struct dmm_prefixes){ only, n };
	if (n)
		ret = d->fn(d->arg, &ch);
	free(only);
	return ret;
}

static int delete_zone(struct diff *d, const struct dmm_table_zone *z)
{
	struct dmm_change ch = { .cmd = DMM_CMD_ZONE_DEL, .zone = z->ch.zone };

	ch.zone.has = DMM_HAS(DMM_A_ZONE_NAME);
	return d->fn(d->arg, &ch);
}

/* The same object in another table; one of another origin is another one. */

static struct dmm_table_zone *same_zone(const struct dmm_table *t, const struct dmm_zone *z)
{
	struct dmm_table_zone *other = dmm_table_find_zone(t, z->name);

	if (!other || other->ch.zone.origin != z->origin)
		return NULL;
	dmm_table_sort_zone(other);
	return other;
}

static const struct dmm_set *same_set(const struct dmm_table *t, const struct dmm_set *s)
{
	const struct dmm_table_set *other = dmm_table_find_set(t, s->name);

	return other && other->ch.set.origin == s->origin ? &other->ch.set : NULL;
}

static const struct dmm_group *same_group(const struct dmm_table *t, const struct dmm_group *g)
{
	const struct dmm_table_group *other = dmm_table_find_group(t, g->name);

	return other && other->ch.group.origin == g->origin ? &other->ch.group : NULL;
}

/* What goes, of zones, sets and groups; called for each object of the old table. */
static int delete_object(void *arg, const struct dmm_change *ch)
{
	struct dmm_table_zone *old, *new;
	struct dmm_change del = { 0 };
	struct diff *d = arg;

	if (ch->cmd == DMM_CMD_ZONE_ADD && wanted(d, ch->zone.origin)) {
		old = dmm_table_find_zone(d->from, ch->zone.name);
		new = same_zone(d->to, &ch->zone);
		return new ? emit_prefixes(d, DMM_CMD_ZONE_DEL, old, new) : delete_zone(d, old);
	}
	if (ch->cmd == DMM_CMD_SET_ADD && wanted(d, ch->set.origin) && !same_set(d->to, &ch->set)) {
		del.cmd = DMM_CMD_SET_DEL;
		del.set = ch->set;
		return d->fn(d->arg, &del);
	}
	if (ch->cmd == DMM_CMD_GROUP_ADD && wanted(d, ch->group.origin) &&
	    !same_group(d->to, &ch->group)) {
		del.cmd = DMM_CMD_GROUP_DEL;
		del.group = ch->group;
		return d->fn(d->arg, &del);
	}
	return 0;
}

static int add_set(struct diff *d, const struct dmm_change *ch)
{
	const struct dmm_field *ranges = &dmm_type_set.fields[DMM_A_SET_RANGES];
	const struct dmm_set *old = same_set(d->from, &ch->set);
	struct dmm_change add = *ch;

	if (old && dmm_field_equal(ranges, old, &ch->set))
		return 0;
	add.replace = old;
	return d->fn(d->arg, &add);
}

static int add_group(struct diff *d, const struct dmm_change *ch)
{
	const struct dmm_field *members = &dmm_type_group.fields[DMM_A_GROUP_MEMBERS];
	const struct dmm_group *old = same_group(d->from, &ch->group);
	struct dmm_change add = *ch;

	if (old && dmm_field_equal(members, old, &ch->group))
		return 0;
	if (old)
		add.cmd = DMM_CMD_GROUP_SET;
	return d->fn(d->arg, &add);
}

/* What comes; called for each object of the new table. */
static int add_object(void *arg, const struct dmm_change *ch)
{
	struct dmm_table_zone *old, *new;
	struct diff *d = arg;

	if (ch->cmd == DMM_CMD_ZONE_ADD && wanted(d, ch->zone.origin)) {
		new = dmm_table_find_zone(d->to, ch->zone.name);
		old = same_zone(d->from, &ch->zone);
		return old ? emit_prefixes(d, DMM_CMD_ZONE_ADD, new, old) : d->fn(d->arg, &new->ch);
	}
	if (ch->cmd == DMM_CMD_SET_ADD && wanted(d, ch->set.origin))
		return add_set(d, ch);
	if (ch->cmd == DMM_CMD_GROUP_ADD && wanted(d, ch->group.origin))
		return add_group(d, ch);
	return 0;
}

/* Rules go before the zones, sets and groups that they name, and come after them. */
static int emit(struct diff *d)
{
	int ret = delete_rules(d);

	if (!ret)
		ret = dmm_table_walk(d->from, delete_object, d);
	if (!ret)
		ret = dmm_table_walk(d->to, add_object, d);
	return ret ? ret : add_rules(d);
}

DMM_EXPORT int dmm_table_diff(struct dmm_table *from, struct dmm_table *to, unsigned int origins,
			      dmm_change_fn fn, void *arg)
{
	struct diff d = {
		.from = from, .to = to, .origins = origins, .fn = fn, .arg = arg,
		.budget = 10000000,
	};
	int ret = index_rules(&d);

	if (!ret)
		ret = match_rules(&d);
	if (!ret)
		ret = emit(&d);
	free(d.by_text);
	return ret;
}
