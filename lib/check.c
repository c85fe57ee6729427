// SPDX-License-Identifier: Apache-2.0
/*
 * What is odd about a table: rules that can never match because an earlier one
 * takes all that they would, and rules whose order is that of their age alone.
 *
 * Rules with the same keys of the same lengths have the same mask, as in the
 * kernel's classifier.  Whether an earlier rule covers another is looked up
 * mask by mask in a hash of the keys cut to that mask, so that the work grows
 * with rules times masks and not with pairs of rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

enum {
	MASKS_MAX = 1024,	/* far more than the kernel takes */
	CHAIN_MAX = 256,	/* rules of one mask and key that are compared */
	PAIRS_MAX = 4000000,	/* pairs of rules of the same rank that are compared */
};

/* All bytes count in comparisons; there is no padding. */
struct mask {
	uint64_t exact;		/* attributes that have one value */
	uint32_t mark;
	uint16_t cgroup_len;	/* components */
	uint8_t src_len;
	uint8_t dst_len;
};

struct node {
	struct node *next;
	const struct dmm_table_rule *rule;
	uint32_t hash;
};

struct check {
	struct dmm_table *t;
	struct mask masks[MASKS_MAX];
	unsigned int nr_masks;
	struct node **buckets;
	struct node *nodes;
	uint32_t nr_buckets;	/* a power of two */
	dmm_finding_fn fn;
	void *arg;
};

static bool has(const struct dmm_rule *r, unsigned int attr)
{
	return r->has & DMM_HAS(attr);
}

static bool is_single(const struct dmm_ports *ports)
{
	return ports->nr == 1 && ports->v[0].lo == ports->v[0].hi;
}

static unsigned int components(const char *path)
{
	unsigned int n = 0;

	for (; *path; path++)
		n += path[0] == '/' && path[1];
	return n;
}

static void mask_of(const struct dmm_rule *r, struct mask *m)
{
	static const uint8_t plain[] = {
		DMM_A_RULE_ROLE, DMM_A_RULE_TYPE, DMM_A_RULE_FAMILY, DMM_A_RULE_DSCP,
		DMM_A_RULE_SRC_ZONE, DMM_A_RULE_DST_ZONE, DMM_A_RULE_DEV, DMM_A_RULE_COMM,
	};

	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		m->exact |= r->has & DMM_HAS(plain[i]);
	if (has(r, DMM_A_RULE_SPORTS) && is_single(&r->sports))
		m->exact |= DMM_HAS(DMM_A_RULE_SPORTS);
	if (has(r, DMM_A_RULE_DPORTS) && is_single(&r->dports))
		m->exact |= DMM_HAS(DMM_A_RULE_DPORTS);
	if (has(r, DMM_A_RULE_UID_LO) && r->uid_lo == r->uid_hi)
		m->exact |= DMM_HAS(DMM_A_RULE_UID_LO);
	if (has(r, DMM_A_RULE_GID_LO) && r->gid_lo == r->gid_hi)
		m->exact |= DMM_HAS(DMM_A_RULE_GID_LO);
	/* A prefix implies its family. */
	if (has(r, DMM_A_RULE_SRC) || has(r, DMM_A_RULE_DST))
		m->exact |= DMM_HAS(DMM_A_RULE_FAMILY);
	m->src_len = has(r, DMM_A_RULE_SRC) ? r->src.len : 0;
	m->dst_len = has(r, DMM_A_RULE_DST) ? r->dst.len : 0;
	if (has(r, DMM_A_RULE_MARK))
		m->mark = has(r, DMM_A_RULE_MARK_MASK) ? r->mark_mask : UINT32_MAX;
	if (has(r, DMM_A_RULE_CGROUP))
		m->cgroup_len = components(r->cgroup);
}

static uint32_t mix(uint32_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		h = (h ^ *p++) * 16777619;
	return h;
}

static uint32_t mix_prefix(uint32_t h, const struct dmm_prefix *p, unsigned int len)
{
	h = mix(h, p->addr, len / 8);
	if (len % 8) {
		uint8_t last = p->addr[len / 8] & ~(0xff >> len % 8);

		h = mix(h, &last, 1);
	}
	return h;
}

static uint32_t mix_cgroup(uint32_t h, const char *path, unsigned int len)
{
	const char *end = path;

	for (; len; len--)
		end = end + 1 + strcspn(end + 1, "/");
	return mix(h, path, end - path);
}

static uint8_t family_of(const struct dmm_rule *r)
{
	if (has(r, DMM_A_RULE_DST))
		return r->dst.family;
	return has(r, DMM_A_RULE_SRC) ? r->src.family : r->family;
}

static uint32_t mix_exact(uint32_t h, const struct dmm_rule *r, unsigned int attr)
{
	const struct dmm_field *f = &dmm_type_rule.fields[attr];
	const void *p = dmm_field_ptr(f, r);
	const char *s;
	uint8_t family;

	switch (attr) {
	case DMM_A_RULE_FAMILY:
		family = family_of(r);
		return mix(h, &family, 1);
	case DMM_A_RULE_SPORTS:
	case DMM_A_RULE_DPORTS:
		return mix(h, ((const struct dmm_ports *)p)->v, sizeof(struct dmm_port_range));
	case DMM_A_RULE_UID_LO:
	case DMM_A_RULE_GID_LO:
		return mix(h, p, sizeof(uint32_t));
	}
	if (f->kind != DMM_KIND_STR)
		return mix(h, p, 1);
	s = *(const char *const *)p;
	return mix(h, s, strlen(s) + 1);
}

/* Hash of a rule's keys cut to a mask; false if the rule is wider than the mask. */
static bool project(const struct dmm_rule *r, const struct mask *own, const struct mask *m,
		    uint32_t *hash)
{
	uint32_t h = 2166136261u, mark = r->mark & m->mark;
	uint64_t bits = m->exact;

	if (bits & ~own->exact || own->src_len < m->src_len || own->dst_len < m->dst_len ||
	    own->cgroup_len < m->cgroup_len || m->mark & ~own->mark)
		return false;
	h = mix(h, m, sizeof(*m));
	for (; bits; bits &= bits - 1)
		h = mix_exact(h, r, __builtin_ctzll(bits));
	if (m->src_len)
		h = mix_prefix(h, &r->src, m->src_len);
	if (m->dst_len)
		h = mix_prefix(h, &r->dst, m->dst_len);
	if (m->cgroup_len)
		h = mix_cgroup(h, r->cgroup, m->cgroup_len);
	*hash = mix(h, &mark, sizeof(mark));
	return true;
}

/* An earlier rule that covers @r, among those of one mask. */
static const struct dmm_table_rule *find_cover(const struct check *c, const struct dmm_rule *r,
					       uint32_t hash)
{
	const struct node *n = c->buckets[hash & (c->nr_buckets - 1)];

	for (unsigned int i = 0; n && i < CHAIN_MAX; n = n->next, i++)
		if (n->hash == hash && dmm_rule_covers(&n->rule->ch.rule, r))
			return n->rule;
	return NULL;
}

static void remember_mask(struct check *c, const struct mask *m)
{
	for (unsigned int i = 0; i < c->nr_masks; i++)
		if (!memcmp(&c->masks[i], m, sizeof(*m)))
			return;
	if (c->nr_masks < MASKS_MAX)
		c->masks[c->nr_masks++] = *m;
}

static int check_shadow(struct check *c, size_t i)
{
	const struct dmm_table_rule *rule = c->t->rules[i], *cover;
	struct node *n = &c->nodes[i];
	struct mask own;
	uint32_t hash;
	int ret;

	mask_of(&rule->ch.rule, &own);
	for (unsigned int m = 0; m < c->nr_masks; m++) {
		if (!project(&rule->ch.rule, &own, &c->masks[m], &hash))
			continue;
		cover = find_cover(c, &rule->ch.rule, hash);
		if (!cover)
			continue;
		ret = c->fn(c->arg, DMM_FINDING_SHADOWED, &rule->ch, &cover->ch);
		if (ret)
			return ret;
		break;
	}
	remember_mask(c, &own);
	project(&rule->ch.rule, &own, &own, &n->hash);
	n->rule = rule;
	n->next = c->buckets[n->hash & (c->nr_buckets - 1)];
	c->buckets[n->hash & (c->nr_buckets - 1)] = n;
	return 0;
}

static bool order_matters(const struct dmm_rule *a, const struct dmm_rule *b)
{
	return dmm_rule_overlaps(a, b) && !dmm_rule_covers(a, b) && !dmm_rule_covers(b, a) &&
	       !dmm_rule_same_action(a, b);
}

static int check_rank(struct check *c, size_t from, size_t to, unsigned long *pairs)
{
	struct dmm_table_rule **rules = c->t->rules;
	int ret = 0;

	for (size_t j = from + 1; j < to && !ret; j++) {
		for (size_t i = from; i < j && !ret; i++) {
			if (++*pairs > PAIRS_MAX)
				return c->fn(c->arg, DMM_FINDING_GAVE_UP, &rules[j]->ch, NULL);
			if (order_matters(&rules[i]->ch.rule, &rules[j]->ch.rule))
				ret = c->fn(c->arg, DMM_FINDING_OVERLAP, &rules[j]->ch,
					    &rules[i]->ch);
		}
	}
	return ret;
}

static int check_overlaps(struct check *c)
{
	struct dmm_table *t = c->t;
	unsigned long pairs = 0;
	int ret = 0;
	size_t i, j;

	for (i = 0; i < t->nr_rules && !ret && pairs <= PAIRS_MAX; i = j) {
		for (j = i + 1; j < t->nr_rules; j++)
			if (dmm_table_rank_cmp(&t->rules[i]->ch.rule, &t->rules[j]->ch.rule))
				break;
		ret = check_rank(c, i, j, &pairs);
	}
	return ret;
}

DMM_EXPORT int dmm_table_check(struct dmm_table *t, unsigned int *masks, dmm_finding_fn fn,
			       void *arg)
{
	struct check *c = calloc(1, sizeof(*c));
	int ret = 0;

	if (!c)
		return dmm_table_no_memory(t);
	*c = (struct check){ .t = t, .fn = fn, .arg = arg, .nr_buckets = 1024 };
	dmm_table_sort(t);
	while (c->nr_buckets < t->nr_rules)
		c->nr_buckets *= 2;
	c->buckets = calloc(c->nr_buckets, sizeof(*c->buckets));
	c->nodes = calloc(t->nr_rules + 1, sizeof(*c->nodes));
	if (!c->buckets || !c->nodes)
		ret = dmm_table_no_memory(t);
	for (size_t i = 0; i < t->nr_rules && !ret; i++)
		ret = check_shadow(c, i);
	if (!ret)
		ret = check_overlaps(c);
	*masks = c->nr_masks;
	free(c->nodes);
	free(c->buckets);
	free(c);
	return ret;
}
