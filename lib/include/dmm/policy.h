/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy language, dmm-policy(5): parser, printer, and tables that can be
 * compared.
 */
#ifndef DMM_POLICY_LANG_H
#define DMM_POLICY_LANG_H

#include <dmm/dmm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A value other than 0 ends the call, which returns it. @change is valid in the call. */
typedef int (*dmm_change_fn)(void *arg, const struct dmm_change *change);

struct dmm_parser;

int dmm_parser_new(struct dmm_parser **parser);
void dmm_parser_free(struct dmm_parser *parser);

/* Origin of objects that name none. Without this call they leave it to the kernel. */
void dmm_parser_set_origin(struct dmm_parser *parser, unsigned int origin);

/* Details of the last failure, with the place. */
const struct dmm_error *dmm_parser_error(const struct dmm_parser *parser);

/* A file, "-" for standard input, or a directory: all its *.policy in the order of their names. */
int dmm_parse_file(struct dmm_parser *parser, const char *path, dmm_change_fn fn, void *arg);

/* Text; errors call it @name and count its lines from @line. */
int dmm_parse_text(struct dmm_parser *parser, const char *name, unsigned int line,
		   const char *text, size_t len, dmm_change_fn fn, void *arg);

/* One command in the words of a command line, braces and commas included. */
int dmm_parse_argv(struct dmm_parser *parser, int argc, char *const argv[],
		   dmm_change_fn fn, void *arg);

/* Fields that rules are to have; "id N", or match keys and actions. Strings live until the next
 * call of the parser, here and below. */
int dmm_parse_selector(struct dmm_parser *parser, int argc, char *const argv[],
		       struct dmm_rule *rule);
int dmm_parse_explain(struct dmm_parser *parser, int argc, char *const argv[],
		      struct dmm_explain *explain);
int dmm_parse_origin(struct dmm_parser *parser, const char *word, unsigned int *origin);

/*
 * Split a line into the words of a command line; braces and commas are words of their own.
 * Returns their number; @words ends with NULL and lives until the next call of this function.
 */
int dmm_parse_words(struct dmm_parser *parser, const char *name, unsigned int line,
		    const char *text, size_t len, char ***words);

/* All fields of @sel equal @rule's. */
bool dmm_rule_selected(const struct dmm_rule *rule, const struct dmm_rule *sel);

/*
 * How rules relate, as far as they show it themselves: what is in a zone or a
 * set is not looked at.
 */

/* May a socket match both?  True when in doubt. */
bool dmm_rule_overlaps(const struct dmm_rule *a, const struct dmm_rule *b);

/* Does @a match all that @b matches?  False when in doubt. */
bool dmm_rule_covers(const struct dmm_rule *a, const struct dmm_rule *b);

/* Do they say to do the same? */
bool dmm_rule_same_action(const struct dmm_rule *a, const struct dmm_rule *b);

/**
 * struct dmm_syntax - a command of the language
 * @verb:	NULL if the object is the whole command
 * @args:	grammar of its arguments
 */
struct dmm_syntax {
	const char *object;
	const char *verb;
	const char *args;
};

/* Command @i, NULL behind the last. */
const struct dmm_syntax *dmm_policy_syntax(unsigned int i);

/* What the words in capitals stand for: "NAME := ..." a line. */
const char *dmm_policy_terms(void);

/*
 * Text of objects, in the language.  As snprintf(): the length that the text
 * has, cut off at @len.
 */
size_t dmm_prefix_format(char *buf, size_t len, const struct dmm_prefix *prefix);
size_t dmm_rule_format(char *buf, size_t len, const struct dmm_rule *rule);
size_t dmm_change_format(char *buf, size_t len, const struct dmm_change *change);

/* Priority of a rule, the default of its origin if it names none. */
unsigned int dmm_rule_prio(const struct dmm_rule *rule);

/* A table in memory. */
struct dmm_table;

int dmm_table_new(struct dmm_table **table);
void dmm_table_free(struct dmm_table *table);
const struct dmm_error *dmm_table_error(const struct dmm_table *table);

/* Add a zone (or prefixes to it), set, group or rule; EINVAL for other changes. */
int dmm_table_add(struct dmm_table *table, const struct dmm_change *change);

/* Fill an empty table from the kernel's; @gen: generation to base a change on. */
int dmm_table_fetch(struct dmm_table *table, struct dmm_client *client, uint64_t *gen);

/* Its zones, sets, groups and rules, each as the change that adds it; rules in the order in which they are
 * tried. */
int dmm_table_walk(struct dmm_table *table, dmm_change_fn fn, void *arg);

/* Origins that occur in it, as bits. */
unsigned int dmm_table_origins(struct dmm_table *table);

enum dmm_finding {
	DMM_FINDING_SHADOWED,	/* the other rule takes all that this one would */
	DMM_FINDING_OVERLAP,	/* only their age says which of the two is tried first */
	DMM_FINDING_GAVE_UP,	/* too many rules from here on to look for overlaps */
};

/* @rule is what was found, @other (NULL for GAVE_UP) goes before it. */
typedef int (*dmm_finding_fn)(void *arg, enum dmm_finding what, const struct dmm_change *rule,
			      const struct dmm_change *other);

/* Look for what is odd; @masks: different combinations of keys, of which the kernel takes 64. */
int dmm_table_check(struct dmm_table *table, unsigned int *masks, dmm_finding_fn fn, void *arg);

/**
 * dmm_table_diff() - the changes that lead from one table to another
 * @from:	the kernel's
 * @to:		what it should be
 * @origins:	look at objects of these origins only (bits)
 *
 * Changes come in an order in which they can be applied in one transaction.
 * Rules that are in both stay, with their ids and counters, unless the order
 * between rules of the same rank would not be that of @to.
 */
int dmm_table_diff(struct dmm_table *from, struct dmm_table *to, unsigned int origins,
		   dmm_change_fn fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif /* DMM_POLICY_LANG_H */
