/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KTAP for tests in C: ksft_plan() or ksft_finish(), and for each case ksft_result() or ksft_skip().
 */
#ifndef DMM_SELFTESTS_KSELFTEST_H
#define DMM_SELFTESTS_KSELFTEST_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KSFT_PASS = 0, KSFT_FAIL = 1, KSFT_SKIP = 4 };

static unsigned int ksft_count, ksft_failed, ksft_planned;

/* A number from the environment, 1 if there is none. */
static inline unsigned int ksft_env(const char *name)
{
	const char *value = getenv(name);
	int n = value ? atoi(value) : 1;

	return n > 0 ? n : 1;
}

/* What time limits are multiplied by, and rounds divided by, on a kernel that is slow. */
static inline unsigned int ksft_time_scale(void)
{
	return ksft_env("DMM_TIMEOUT_SCALE");
}

static inline unsigned int ksft_rounds_div(void)
{
	return ksft_env("DMM_ROUNDS_DIV");
}

/* The number in a file, -1 if there is none. */
static inline int ksft_read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	int n = -1;

	if (f) {
		if (fscanf(f, "%d", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

/* Lines must not be lost in a crash, nor appear twice after fork(). */
static inline void ksft_header(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
}

static inline void ksft_plan(unsigned int cases)
{
	ksft_planned = cases;
	printf("1..%u\n", cases);
}

/* Each case is named by a format, so that a loop can say which turn it was. */
__attribute__((format(printf, 2, 3)))
static inline bool ksft_result(bool passed, const char *name, ...)
{
	va_list ap;

	printf("%sok %u ", passed ? "" : "not ", ++ksft_count);
	va_start(ap, name);
	vprintf(name, ap);
	va_end(ap);
	printf("\n");
	ksft_failed += !passed;
	return passed;
}

static inline void ksft_skip(const char *name, const char *reason)
{
	printf("ok %u %s # SKIP %s\n", ++ksft_count, name, reason);
}

__attribute__((format(printf, 1, 2)))
static inline void ksft_note(const char *format, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

/* Nothing here can run. */
static inline void __attribute__((noreturn)) ksft_skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	exit(KSFT_SKIP);
}

static inline void __attribute__((noreturn)) ksft_finish(void)
{
	if (!ksft_planned)
		ksft_plan(ksft_count);
	if (ksft_count != ksft_planned)
		ksft_note("planned %u cases, ran %u", ksft_planned, ksft_count);
	exit(ksft_failed || ksft_count != ksft_planned ? KSFT_FAIL : KSFT_PASS);
}

#endif
