// SPDX-License-Identifier: Apache-2.0
/* dmmpolicy: what is odd about a table, and what changes would make of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmmpolicy.h"

struct report {
	struct output out;
	unsigned int findings;
};

/* Rules of the kernel's table have an id, those of files a place. */
static json_t *json_of_place(const struct dmm_change *ch)
{
	if (!ch->loc.file)
		return json_pack("{s:I}", "id", (json_int_t)ch->rule.id);
	return json_pack("{s:s,s:i}", "file", ch->loc.file, "line", ch->loc.line);
}

static void print_place(const char *before, const struct dmm_change *ch, const char *behind)
{
	if (ch->loc.file)
		printf("%s%s:%u%s", before, ch->loc.file, ch->loc.line, behind);
	else
		printf("rule id %u%s", ch->rule.id, behind);
}

static int report_finding(void *arg, enum dmm_finding what, const struct dmm_change *rule,
			  const struct dmm_change *other)
{
	static const char *const names[] = { "shadowed", "overlap", "too-many" };
	struct report *r = arg;

	/* What is odd about the kernel's table alone is not the file's fault. */
	if (!rule->loc.file && !(other && other->loc.file))
		return 0;
	r->findings++;
	if (r->out.app->json) {
		json_t *j = json_of_place(rule);

		json_object_set_new(j, "finding", json_string(names[what]));
		if (other)
			json_object_set_new(j, "other", json_of_place(other));
		output_json(&r->out, j);
		return 0;
	}
	print_place("", rule, ": ");
	if (what == DMM_FINDING_SHADOWED) {
		printf("never matches: ");
		print_place("the rule at ", other, " takes all that it would\n");
	} else if (what == DMM_FINDING_OVERLAP) {
		printf("overlaps ");
		print_place("the rule at ", other, ", which goes first only because it is older\n");
	} else {
		printf("too many rules of one priority: overlaps from here on were not looked for\n");
	}
	return 0;
}

struct counts {
	unsigned int zones;
	unsigned int prefixes;
	unsigned int sets;
	unsigned int rules;
};

static int count_object(void *arg, const struct dmm_change *ch)
{
	struct counts *n = arg;

	n->zones += ch->cmd == DMM_CMD_ZONE_ADD;
	n->sets += ch->cmd == DMM_CMD_SET_ADD;
	n->rules += ch->cmd == DMM_CMD_RULE_ADD;
	if (ch->cmd == DMM_CMD_ZONE_ADD)
		n->prefixes += ch->zone.prefixes.nr;
	return 0;
}

static void report_counts(struct report *r, struct dmm_table *t, unsigned int masks)
{
	struct counts n = { 0 };

	dmm_table_walk(t, count_object, &n);
	if (r->out.app->json)
		output_json(&r->out, json_pack("{s:i,s:i,s:i,s:i,s:i,s:i}", "zones", n.zones,
					       "prefixes", n.prefixes, "sets", n.sets,
					       "rules", n.rules, "masks", masks,
					       "findings", r->findings));
	else
		printf("%u zones, %u prefixes, %u sets, %u rules, %u masks of 64, %u findings\n",
		       n.zones, n.prefixes, n.sets, n.rules, masks, r->findings);
}

int report_table(struct app *app, struct dmm_table *t)
{
	struct report r = { 0 };
	unsigned int masks;
	int err;

	output_begin(&r.out, app);
	err = dmm_table_check(t, &masks, report_finding, &r);
	if (!err)
		report_counts(&r, t, masks);
	output_end(&r.out);
	if (!err)
		return EXIT_OK;
	return print_error(dmm_table_error(t));
}

/* A change to a table in memory: deletions leave a table of what remains. */

struct rest {
	struct dmm_table *table;
	const struct dmm_change *del;
};

static unsigned int origin_of(const struct dmm_change *obj)
{
	return obj->cmd == DMM_CMD_ZONE_ADD ? obj->zone.origin :
	       obj->cmd == DMM_CMD_SET_ADD ? obj->set.origin : obj->rule.origin;
}

/* Does the deletion take all of this object? */
static bool takes(const struct dmm_change *del, const struct dmm_change *obj)
{
	switch (del->cmd) {
	case DMM_CMD_FLUSH:
		return !(del->zone.has & DMM_HAS(DMM_A_ZONE_ORIGIN)) ||
		       del->zone.origin == origin_of(obj);
	case DMM_CMD_ZONE_DEL:
		return obj->cmd == DMM_CMD_ZONE_ADD && !strcmp(obj->zone.name, del->zone.name) &&
		       !(del->zone.has & DMM_HAS(DMM_A_ZONE_PREFIXES));
	case DMM_CMD_SET_DEL:
		return obj->cmd == DMM_CMD_SET_ADD && !strcmp(obj->set.name, del->set.name);
	case DMM_CMD_RULE_DEL:
		return obj->cmd == DMM_CMD_RULE_ADD && dmm_rule_selected(&obj->rule, &del->rule);
	}
	return false;
}

static bool has_prefix(const struct dmm_prefixes *list, const struct dmm_prefix *p)
{
	for (uint32_t i = 0; i < list->nr; i++)
		if (!memcmp(&list->v[i], p, sizeof(*p)))
			return true;
	return false;
}

/* A zone without some of its prefixes. */
static int keep_prefixes(struct dmm_table *t, const struct dmm_change *obj,
			 const struct dmm_prefixes *gone)
{
	const struct dmm_prefixes *all = &obj->zone.prefixes;
	struct dmm_change kept = *obj;
	struct dmm_prefix *v = calloc(all->nr + 1, sizeof(*v));
	uint32_t n = 0;
	int err;

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < all->nr; i++)
		if (!has_prefix(gone, &all->v[i]))
			v[n++] = all->v[i];
	kept.zone.prefixes = (struct dmm_prefixes){ v, n };
	err = dmm_table_add(t, &kept);
	free(v);
	return err;
}

static int keep(void *arg, const struct dmm_change *obj)
{
	const struct rest *rest = arg;
	const struct dmm_change *del = rest->del;

	if (takes(del, obj))
		return 0;
	if (del->cmd == DMM_CMD_ZONE_DEL && obj->cmd == DMM_CMD_ZONE_ADD &&
	    !strcmp(obj->zone.name, del->zone.name))
		return keep_prefixes(rest->table, obj, &del->zone.prefixes);
	return dmm_table_add(rest->table, obj);
}

static bool adds(unsigned int cmd)
{
	return cmd == DMM_CMD_ZONE_ADD || cmd == DMM_CMD_SET_ADD || cmd == DMM_CMD_RULE_ADD;
}

int apply_change(struct dmm_table **table, const struct dmm_change *ch)
{
	struct rest rest = { .del = ch };
	int err;

	if (adds(ch->cmd))
		return dmm_table_add(*table, ch);
	if (ch->cmd == DMM_CMD_RULE_ZERO)
		return 0;
	err = dmm_table_new(&rest.table);
	if (!err)
		err = dmm_table_walk(*table, keep, &rest);
	if (err) {
		dmm_table_free(rest.table);
		return err;
	}
	dmm_table_free(*table);
	*table = rest.table;
	return 0;
}
