/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of policy tables. */
#ifndef DMM_TABLE_H
#define DMM_TABLE_H

#include <dmm/policy.h>

#include "internal.h"

/* Each object is the change that adds it, with all defaults filled in. */

struct dmm_table_zone {
	struct dmm_change ch;
	uint32_t size;		/* room for prefixes */
	bool sorted;
};

struct dmm_table_set {
	struct dmm_change ch;
};

struct dmm_table_group {
	struct dmm_change ch;
};

/**
 * struct dmm_table_rule - a rule
 * @ch:		the change that adds it
 * @order:	number in the order of addition, which is that of ids
 * @text:	what it says, for comparison (diff)
 * @kept:	it stays (diff)
 */
struct dmm_table_rule {
	struct dmm_change ch;
	size_t order;
	const char *text;
	bool kept;
};

struct dmm_table {
	struct dmm_error error;
	struct dmm_arena arena;
	void *zones;		/* search trees by name */
	void *sets;
	void *groups;
	struct dmm_table_rule **rules;
	size_t nr_rules;
	size_t size;
	bool sorted;		/* rules, by rank */
};

struct dmm_table_zone *dmm_table_find_zone(const struct dmm_table *t, const char *name);
struct dmm_table_set *dmm_table_find_set(const struct dmm_table *t, const char *name);
struct dmm_table_group *dmm_table_find_group(const struct dmm_table *t, const char *name);
void dmm_table_sort(struct dmm_table *t);
void dmm_table_sort_zone(struct dmm_table_zone *z);
int dmm_table_no_memory(struct dmm_table *t);

/* Order in which rules are tried, age apart. */
int dmm_table_rank_cmp(const struct dmm_rule *a, const struct dmm_rule *b);

#endif /* DMM_TABLE_H */
