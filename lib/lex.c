// SPDX-License-Identifier: Apache-2.0
/*
 * Tokens of the policy language.  Words are runs of characters other than
 * blanks, braces, commas, semicolons and quotes; '#' and '$' are special at the
 * beginning of a word only.
 */
#include <string.h>

#include "internal.h"
#include "lex.h"

/* What is rare is kept apart, for all else to need few registers. */
#define COLD	__attribute__((cold, noinline))

enum { ORDINARY, BACKSLASH, BLANK, SPECIAL, INVALID };

/* A table: most of the time that loading a file takes goes into this question. */
static const uint8_t classes[256] = {
	[0 ... '\t' - 1] = INVALID, ['\v' ... '\f'] = INVALID, ['\r' + 1 ... ' ' - 1] = INVALID,
	[0x7f] = INVALID,
	[' '] = BLANK, ['\t'] = BLANK, ['\r'] = BLANK,
	['\n'] = SPECIAL, [';'] = SPECIAL, ['{'] = SPECIAL, ['}'] = SPECIAL, [','] = SPECIAL,
	['"'] = SPECIAL,
	['\\'] = BACKSLASH,
};

static int class_of(char c)
{
	return classes[(unsigned char)c];
}

void dmm_lex_init(struct dmm_lexer *lex, const char *file, unsigned int line,
		  const char *text, size_t len)
{
	*lex = (struct dmm_lexer){
		.p = text, .end = text + len, .bol = text, .file = file, .line = line,
	};
}

static void newline(struct dmm_lexer *lex)
{
	lex->line++;
	lex->bol = lex->p;
}

/* A backslash at the end of a line joins it with the next. */
static bool is_continuation(const char *p, const char *end)
{
	return end - p >= 2 && p[0] == '\\' && p[1] == '\n';
}

static const char *skip_class(const char *p, const char *end, int class)
{
	while (p < end && class_of(*p) == class)
		p++;
	return p;
}

/* Comments and line ends behind a backslash count as blanks. */
static COLD bool skip_more(struct dmm_lexer *lex)
{
	if (*lex->p == '#') {
		while (lex->p < lex->end && *lex->p != '\n')
			lex->p++;
		return true;
	}
	if (!is_continuation(lex->p, lex->end))
		return false;
	lex->p += 2;
	newline(lex);
	return true;
}

static void skip_blanks(struct dmm_lexer *lex)
{
	do
		lex->p = skip_class(lex->p, lex->end, BLANK);
	while (lex->p < lex->end && (*lex->p == '#' || *lex->p == '\\') && skip_more(lex));
}

static const char *word_end(const char *p, const char *end)
{
	for (;;) {
		p = skip_class(p, end, ORDINARY);
		if (p == end || class_of(*p) != BACKSLASH || is_continuation(p, end))
			return p;
		p++;
	}
}

static void lex_word(struct dmm_lexer *lex, struct dmm_token *t)
{
	t->type = DMM_TOK_WORD;
	if (*lex->p == '$') {
		t->type = DMM_TOK_VAR;
		lex->p++;
	}
	t->s = lex->p;
	t->len = word_end(lex->p, lex->end) - t->s;
	lex->p += t->len;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? at - digits : -1;
}

/* Remove the escapes \\, \" and \xHH; false if there is another one. */
static bool unescape(char *s, size_t *len)
{
	const char *from = s, *end = s + *len;
	char *to = s;

	while (from < end) {
		int hi, lo;

		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		from++;
		if (*from == '\\' || *from == '"') {
			*to++ = *from++;
			continue;
		}
		if (*from != 'x' || end - from < 3)
			return false;
		hi = hex(from[1]);
		lo = hex(from[2]);
		if (hi < 0 || lo < 0 || hi + lo == 0)
			return false;
		*to++ = hi << 4 | lo;
		from += 3;
	}
	*len = to - s;
	return true;
}

static COLD void bad(struct dmm_token *t, const char *why)
{
	t->type = DMM_TOK_BAD;
	t->s = why;
	t->len = strlen(why);
}

static COLD void lex_string(struct dmm_lexer *lex, struct dmm_token *t, struct dmm_arena *arena)
{
	const char *from = ++lex->p;
	bool escapes = false;
	char *copy;

	for (; lex->p < lex->end && *lex->p != '"'; lex->p++) {
		if ((unsigned char)*lex->p < ' ' && *lex->p != '\t')
			return bad(t, "string is not closed on its line");
		if (*lex->p == '\\' && lex->end - lex->p > 1) {
			escapes = true;
			lex->p++;
		}
	}
	if (lex->p == lex->end)
		return bad(t, "string is not closed");
	t->type = DMM_TOK_STRING;
	t->s = from;
	t->len = lex->p++ - from;
	if (!escapes)
		return;
	copy = dmm_arena_strndup(arena, t->s, t->len);
	if (!copy || !unescape(copy, &t->len))
		return bad(t, "escapes in strings are \\\\, \\\" and \\xHH");
	t->s = copy;
}

static void lex_special(struct dmm_lexer *lex, struct dmm_token *t, struct dmm_arena *arena)
{
	switch (*lex->p) {
	case '\n':
		t->type = DMM_TOK_EOL;
		lex->p++;
		newline(lex);
		return;
	case ';':
		t->type = DMM_TOK_EOL;
		break;
	case '{':
		t->type = DMM_TOK_OPEN;
		break;
	case '}':
		t->type = DMM_TOK_CLOSE;
		break;
	case ',':
		t->type = DMM_TOK_COMMA;
		break;
	default:
		lex_string(lex, t, arena);
		return;
	}
	lex->p++;
}

void dmm_lex_next(struct dmm_lexer *lex, struct dmm_arena *arena, struct dmm_token *t)
{
	skip_blanks(lex);
	t->loc = (struct dmm_loc){ lex->file, lex->line, lex->p - lex->bol + 1 };
	t->s = lex->p;
	t->len = 0;
	t->type = DMM_TOK_END;
	if (lex->p == lex->end)
		return;
	switch (class_of(*lex->p)) {
	case SPECIAL:
		t->len = 1;
		lex_special(lex, t, arena);
		break;
	case INVALID:
		bad(t, "unexpected control character");
		break;
	default:
		lex_word(lex, t);
	}
}

bool dmm_lex_is_word(const char *word, size_t len)
{
	if (!len || word[0] == '#' || word[0] == '$' || word[len - 1] == '\\')
		return false;
	for (size_t i = 0; i < len; i++)
		if (class_of(word[i]) > BACKSLASH)
			return false;
	return true;
}
