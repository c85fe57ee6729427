/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the parser. */
#ifndef DMM_PARSE_H
#define DMM_PARSE_H

#include <string.h>

#include <dmm/policy.h>

#include "internal.h"
#include "lex.h"

struct dmm_macro;

enum { DMM_MACRO_BUCKETS = 64 };

/**
 * struct dmm_parser - see dmm/policy.h
 * @tok:	the token at hand, not consumed yet
 * @lex:	text that it came from
 * @var:	text of the $NAME being expanded, if in_var; places are those of
 *		the $NAME
 * @origin:	of objects that name none, negative to leave it to the kernel
 * @depth:	of included files
 * @keep:	what lives as long as the parser: file names, definitions
 * @scratch:	what lives as long as the command
 * @words:	a line's words, which may be parsed as a command in their turn
 * @list:	room for a list while its length is not known
 * @user:	last user or group name looked up
 */
struct dmm_parser {
	struct dmm_error error;
	struct dmm_token tok;
	struct dmm_lexer *lex;
	struct dmm_lexer var;
	struct dmm_loc var_loc;
	bool in_var;
	int origin;
	unsigned int depth;
	dmm_change_fn fn;
	void *arg;
	struct dmm_arena keep;
	struct dmm_arena scratch;
	struct dmm_arena words;
	void *list;
	size_t list_size;
	struct {
		char name[64];
		bool group;
		uint32_t id;
	} user;
	struct dmm_macro *macros[DMM_MACRO_BUCKETS];
};

/* parse.c */

/* Go to the next token. */
void dmm_parse_next(struct dmm_parser *p);

/* Error at the token at hand; @fmt is behind its text. Returns -EINVAL. */
int dmm_parse_error(struct dmm_parser *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline bool dmm_parse_at_word(const struct dmm_parser *p)
{
	return p->tok.type == DMM_TOK_WORD || p->tok.type == DMM_TOK_STRING;
}

/* Inline, for mostly the first character tells. */
static inline bool dmm_token_is(const struct dmm_token *t, const char *word)
{
	return t->type == DMM_TOK_WORD && t->s[0] == word[0] && t->len == strlen(word) &&
	       !memcmp(t->s, word, t->len);
}

static inline bool dmm_parse_at(const struct dmm_parser *p, const char *word)
{
	return dmm_token_is(&p->tok, word);
}

/* Element @i of the list in the making; NULL without memory. */
void *dmm_parse_list_slot(struct dmm_parser *p, uint32_t i, size_t size);

/* keys.c: keywords with their values. */

struct dmm_keyword {
	const char *word;
	int (*parse)(struct dmm_parser *p, const struct dmm_keyword *k, void *obj);
	const struct dmm_type *type;	/* of the object */
	uint8_t attr;
	uint8_t alt;			/* attribute of the other form of the key */
	uint32_t value;			/* what the word stands for, or the largest value or length */
};

/* Parse words of @table into @obj until one is none of them. */
int dmm_keys_parse(struct dmm_parser *p, const struct dmm_keyword *table, unsigned int nr,
		   void *obj);

int dmm_keys_rule(struct dmm_parser *p, struct dmm_rule *rule);
int dmm_keys_selector(struct dmm_parser *p, struct dmm_rule *rule);
int dmm_keys_explain(struct dmm_parser *p, struct dmm_explain *explain);
int dmm_keys_zone(struct dmm_parser *p, struct dmm_zone *zone);
int dmm_keys_set(struct dmm_parser *p, struct dmm_set *set);
int dmm_keys_group(struct dmm_parser *p, struct dmm_group *group);
int dmm_keys_origin(struct dmm_parser *p, uint64_t *has, unsigned int attr, uint8_t *origin);
/* A name of a zone, set or the like; NULL with the error set. */
const char *dmm_keys_name(struct dmm_parser *p);
int dmm_keys_u32(struct dmm_parser *p, uint32_t max, uint32_t *v);

#endif /* DMM_PARSE_H */
