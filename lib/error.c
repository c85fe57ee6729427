// SPDX-License-Identifier: Apache-2.0
/* Why a call failed, in words. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

int dmm_error_set(struct dmm_error *e, int err, const struct dmm_loc *loc, const char *fmt, ...)
{
	va_list ap;

	memset(e, 0, sizeof(*e));
	e->err = err;
	if (loc)
		e->loc = *loc;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return err;
}

/* The place with its separator: nothing, "file: ", "file:line: " or "file:line:col: ". */
static int loc_format(char *buf, size_t len, const struct dmm_loc *loc)
{
	if (!loc->file)
		return snprintf(buf, len, "%s", "");
	if (!loc->line)
		return snprintf(buf, len, "%s: ", loc->file);
	if (!loc->col)
		return snprintf(buf, len, "%s:%u: ", loc->file, loc->line);
	return snprintf(buf, len, "%s:%u:%u: ", loc->file, loc->line, loc->col);
}

DMM_EXPORT int dmm_error_format(char *buf, size_t len, const struct dmm_error *e)
{
	int n = loc_format(buf, len, &e->loc);
	size_t used = (size_t)n < len ? (size_t)n : len;

	buf += used;
	len -= used;
	if (!e->kernel && e->msg[0])
		return n + snprintf(buf, len, "%s", e->msg);
	return n + snprintf(buf, len, "%s%s%s%s%s%s", e->msg, e->msg[0] ? ": " : "",
			    strerror(-e->err), e->attr[0] ? " (attribute " : "", e->attr,
			    e->attr[0] ? ")" : "");
}
