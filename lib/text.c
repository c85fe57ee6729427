// SPDX-License-Identifier: Apache-2.0
/* Text in a buffer that may be too short: what does not fit is counted. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "lex.h"

void dmm_text_putc(struct dmm_text *t, char c)
{
	if (t->len < t->size)
		t->buf[t->len] = c;
	t->len++;
}

void dmm_text_add(struct dmm_text *t, const char *s, size_t len)
{
	if (t->len < t->size)
		memcpy(t->buf + t->len, s, len < t->size - t->len ? len : t->size - t->len);
	t->len += len;
}

void dmm_text_puts(struct dmm_text *t, const char *s)
{
	dmm_text_add(t, s, strlen(s));
}

void dmm_text_printf(struct dmm_text *t, const char *fmt, ...)
{
	size_t room = t->len < t->size ? t->size - t->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? t->buf + t->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += n;
}

/* A word of the policy language: in quotes where it must be. */
void dmm_text_word(struct dmm_text *t, const char *word, size_t len)
{
	if (dmm_lex_is_word(word, len))
		return dmm_text_add(t, word, len);
	dmm_text_putc(t, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = word[i];

		if (c == '"' || c == '\\')
			dmm_text_putc(t, '\\');
		if (c < ' ' || c == 0x7f)
			dmm_text_printf(t, "\\x%02x", c);
		else
			dmm_text_putc(t, c);
	}
	dmm_text_putc(t, '"');
}

/* Terminate the text, as snprintf() would, and return its full length. */
size_t dmm_text_end(struct dmm_text *t)
{
	if (t->size)
		t->buf[t->len < t->size ? t->len : t->size - 1] = '\0';
	return t->len;
}
