// SPDX-License-Identifier: Apache-2.0
/*
 * How two rules relate, as far as they show it themselves: a zone and a
 * prefix, or two sets, may or may not have members in common.  What is not
 * certain is taken as "may overlap" and "does not cover".
 */
#include <string.h>

#include "internal.h"

static bool has(const struct dmm_rule *r, unsigned int attr)
{
	return r->has & DMM_HAS(attr);
}

/* Families of the addresses that a rule speaks of. */
static uint8_t family_of(const struct dmm_rule *r)
{
	if (has(r, DMM_A_RULE_FAMILY))
		return r->family;
	if (has(r, DMM_A_RULE_DST))
		return r->dst.family;
	return has(r, DMM_A_RULE_SRC) ? r->src.family : 0;
}

static uint8_t role_of(const struct dmm_rule *r)
{
	return has(r, DMM_A_RULE_ROLE) ? r->role : DMM_ROLE_ANY;
}

/* What a key of an exact value says: nothing if it is 0. */
static bool values_meet(uint8_t a, uint8_t b)
{
	return !a || !b || a == b;
}

static bool value_covers(uint8_t a, uint8_t b)
{
	return !a || a == b;
}

static bool prefixes_meet(const struct dmm_prefix *a, const struct dmm_prefix *b)
{
	return dmm_prefix_covers(a, b) || dmm_prefix_covers(b, a);
}

static bool ports_meet(const struct dmm_ports *a, const struct dmm_ports *b)
{
	for (uint32_t i = 0, j = 0; i < a->nr && j < b->nr; ) {
		if (a->v[i].hi < b->v[j].lo)
			i++;
		else if (b->v[j].hi < a->v[i].lo)
			j++;
		else
			return true;
	}
	return false;
}

static bool ports_cover(const struct dmm_ports *a, const struct dmm_ports *b)
{
	uint32_t i = 0;

	for (uint32_t j = 0; j < b->nr; j++) {
		while (i < a->nr && a->v[i].hi < b->v[j].lo)
			i++;
		if (i == a->nr || a->v[i].lo > b->v[j].lo || a->v[i].hi < b->v[j].hi)
			return false;
	}
	return true;
}

static uint32_t mask_of(const struct dmm_rule *r)
{
	if (!has(r, DMM_A_RULE_MARK))
		return 0;
	return has(r, DMM_A_RULE_MARK_MASK) ? r->mark_mask : UINT32_MAX;
}

/* Is @path in the subtree @top? */
static bool in_subtree(const char *path, const char *top)
{
	size_t len = strlen(top);

	while (len && top[len - 1] == '/')
		len--;
	return !strncmp(path, top, len) && (!path[len] || path[len] == '/');
}

/* The keys that both rules have. */
static bool both(const struct dmm_rule *a, const struct dmm_rule *b, unsigned int attr)
{
	return a->has & b->has & DMM_HAS(attr);
}

static bool names_meet(const struct dmm_rule *a, const struct dmm_rule *b)
{
	return (!both(a, b, DMM_A_RULE_SRC_ZONE) || !strcmp(a->src_zone, b->src_zone)) &&
	       (!both(a, b, DMM_A_RULE_DST_ZONE) || !strcmp(a->dst_zone, b->dst_zone)) &&
	       (!both(a, b, DMM_A_RULE_DEV) || !strcmp(a->dev, b->dev)) &&
	       (!both(a, b, DMM_A_RULE_COMM) || !strcmp(a->comm, b->comm)) &&
	       (!both(a, b, DMM_A_RULE_CGROUP) || in_subtree(a->cgroup, b->cgroup) ||
		in_subtree(b->cgroup, a->cgroup));
}

static bool numbers_meet(const struct dmm_rule *a, const struct dmm_rule *b)
{
	return (!both(a, b, DMM_A_RULE_UID_LO) ||
		(a->uid_lo <= b->uid_hi && b->uid_lo <= a->uid_hi)) &&
	       (!both(a, b, DMM_A_RULE_GID_LO) ||
		(a->gid_lo <= b->gid_hi && b->gid_lo <= a->gid_hi)) &&
	       (!both(a, b, DMM_A_RULE_DSCP) || a->dscp == b->dscp) &&
	       !((a->mark ^ b->mark) & mask_of(a) & mask_of(b));
}

DMM_EXPORT bool dmm_rule_overlaps(const struct dmm_rule *a, const struct dmm_rule *b)
{
	return values_meet(role_of(a), role_of(b)) &&
	       values_meet(has(a, DMM_A_RULE_TYPE) ? a->type : 0,
			   has(b, DMM_A_RULE_TYPE) ? b->type : 0) &&
	       values_meet(family_of(a), family_of(b)) &&
	       (!both(a, b, DMM_A_RULE_DST) || prefixes_meet(&a->dst, &b->dst)) &&
	       (!both(a, b, DMM_A_RULE_SRC) || prefixes_meet(&a->src, &b->src)) &&
	       (!both(a, b, DMM_A_RULE_DPORTS) || ports_meet(&a->dports, &b->dports)) &&
	       (!both(a, b, DMM_A_RULE_SPORTS) || ports_meet(&a->sports, &b->sports)) &&
	       numbers_meet(a, b) && names_meet(a, b);
}

/* Does @b have each string key of @a, with the same value? */
static bool names_cover(const struct dmm_rule *a, const struct dmm_rule *b)
{
	static const uint8_t attrs[] = {
		DMM_A_RULE_SRC_ZONE, DMM_A_RULE_DST_ZONE, DMM_A_RULE_SPORT_SET,
		DMM_A_RULE_DPORT_SET, DMM_A_RULE_DEV, DMM_A_RULE_COMM,
	};

	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++)
		if (has(a, attrs[i]) &&
		    (!has(b, attrs[i]) ||
		     !dmm_field_equal(&dmm_type_rule.fields[attrs[i]], a, b)))
			return false;
	return !has(a, DMM_A_RULE_CGROUP) ||
	       (has(b, DMM_A_RULE_CGROUP) && in_subtree(b->cgroup, a->cgroup));
}

static bool numbers_cover(const struct dmm_rule *a, const struct dmm_rule *b)
{
	return (!has(a, DMM_A_RULE_UID_LO) ||
		(has(b, DMM_A_RULE_UID_LO) && a->uid_lo <= b->uid_lo && b->uid_hi <= a->uid_hi)) &&
	       (!has(a, DMM_A_RULE_GID_LO) ||
		(has(b, DMM_A_RULE_GID_LO) && a->gid_lo <= b->gid_lo && b->gid_hi <= a->gid_hi)) &&
	       (!has(a, DMM_A_RULE_DSCP) || (has(b, DMM_A_RULE_DSCP) && a->dscp == b->dscp)) &&
	       !(mask_of(a) & ~mask_of(b)) && !((a->mark ^ b->mark) & mask_of(a));
}

DMM_EXPORT bool dmm_rule_covers(const struct dmm_rule *a, const struct dmm_rule *b)
{
	return value_covers(role_of(a), role_of(b)) &&
	       value_covers(has(a, DMM_A_RULE_TYPE) ? a->type : 0,
			    has(b, DMM_A_RULE_TYPE) ? b->type : 0) &&
	       value_covers(family_of(a), family_of(b)) &&
	       (!has(a, DMM_A_RULE_DST) ||
		(has(b, DMM_A_RULE_DST) && dmm_prefix_covers(&a->dst, &b->dst))) &&
	       (!has(a, DMM_A_RULE_SRC) ||
		(has(b, DMM_A_RULE_SRC) && dmm_prefix_covers(&a->src, &b->src))) &&
	       (!has(a, DMM_A_RULE_DPORTS) ||
		(has(b, DMM_A_RULE_DPORTS) && ports_cover(&a->dports, &b->dports))) &&
	       (!has(a, DMM_A_RULE_SPORTS) ||
		(has(b, DMM_A_RULE_SPORTS) && ports_cover(&a->sports, &b->sports))) &&
	       numbers_cover(a, b) && names_cover(a, b);
}

static const struct dmm_field *rule_field(unsigned int attr)
{
	return &dmm_type_rule.fields[attr];
}

/* Without any it is "fallback" that is looked for. */
static bool flags_selected(uint32_t flags, uint32_t sel)
{
	return sel ? (flags & sel) == sel : !(flags & DMM_RULE_F_STRICT);
}

/* Absent flags are no flags; every other field must be there. */
DMM_EXPORT bool dmm_rule_selected(const struct dmm_rule *rule, const struct dmm_rule *sel)
{
	uint64_t bits = sel->has;

	for (; bits; bits &= bits - 1) {
		unsigned int attr = __builtin_ctzll(bits);

		if (attr != DMM_A_RULE_FLAGS && !has(rule, attr))
			return false;
		if (attr == DMM_A_RULE_FLAGS && flags_selected(rule->flags, sel->flags))
			continue;
		if (!dmm_field_equal(rule_field(attr), rule, sel))
			return false;
	}
	return true;
}

/* Do they say to do the same? */
DMM_EXPORT bool dmm_rule_same_action(const struct dmm_rule *a, const struct dmm_rule *b)
{
	const uint64_t actions = ~(DMM_HAS(DMM_A_RULE_VERDICT) - 1) &
				 ~DMM_HAS(DMM_A_RULE_HITS) & ~DMM_HAS(DMM_A_RULE_MISMATCH);
	uint64_t bits = a->has & actions;

	if (bits != (b->has & actions))
		return false;
	for (; bits; bits &= bits - 1)
		if (!dmm_field_equal(rule_field(__builtin_ctzll(bits)), a, b))
			return false;
	return true;
}
