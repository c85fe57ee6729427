/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of the policy language. */
#ifndef DMM_LEX_H
#define DMM_LEX_H

#include <dmm/dmm.h>

struct dmm_arena;

enum dmm_tok {
	DMM_TOK_END,		/* of the text */
	DMM_TOK_EOL,		/* newline or semicolon */
	DMM_TOK_WORD,
	DMM_TOK_STRING,		/* a word in quotes, these and escapes removed */
	DMM_TOK_VAR,		/* $NAME, without the $ */
	DMM_TOK_OPEN,
	DMM_TOK_CLOSE,
	DMM_TOK_COMMA,
	DMM_TOK_BAD,		/* dmm_token::s says why */
};

struct dmm_token {
	enum dmm_tok type;
	const char *s;
	size_t len;
	struct dmm_loc loc;
};

/* @line and @bol: of the text's position, for places. */
struct dmm_lexer {
	const char *p;
	const char *end;
	const char *bol;
	const char *file;
	unsigned int line;
};

void dmm_lex_init(struct dmm_lexer *lex, const char *file, unsigned int line,
		  const char *text, size_t len);

/* The next token; strings with escapes are put into @arena. */
void dmm_lex_next(struct dmm_lexer *lex, struct dmm_arena *arena, struct dmm_token *t);

/* Does @word lex as one plain word? */
bool dmm_lex_is_word(const char *word, size_t len);

#endif /* DMM_LEX_H */
