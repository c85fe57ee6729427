// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

ssize_t must(const char *what, ssize_t ret)
{
	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(const double *values, unsigned int nr)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, nr * sizeof(*values));
	qsort(sorted, nr, sizeof(*sorted), by_value);
	return sorted[nr / 2];
}

unsigned int rounds_of(int argc, char **argv)
{
	unsigned int rounds = argc == 2 ? atoi(argv[1]) : 0;

	if (!rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: %s ROUNDS\n", program_invocation_short_name);
		exit(2);
	}
	return rounds;
}

/* Delayed acknowledgements, and what else was put off, is not to fall into the next measurement. */
static void settle(void)
{
	usleep(50000);
}

void measure(const char *name, unsigned int kinds, unsigned int rounds, unsigned int nr,
	     uint64_t (*run)(unsigned int kind, unsigned int nr, void *arg), void *arg)
{
	static double value[KINDS_MAX][ROUNDS_MAX], ratio[KINDS_MAX][ROUNDS_MAX];
	unsigned int r, i, k;

	for (k = 0; k < kinds; k++)
		run(k, nr / 10, arg);
	for (r = 0; r < rounds; r++) {
		for (i = 0; i < kinds; i++) {
			k = (r + i) % kinds;
			settle();
			value[k][r] = (double)run(k, nr, arg) / nr;
		}
		for (k = 0; k < kinds; k++)
			ratio[k][r] = value[k][r] / value[0][r];
	}
	printf("%s", name);
	for (k = 0; k < kinds; k++)
		if (value[k][0])
			printf("\t%.0f\t%.4f", median(value[k], rounds), median(ratio[k], rounds));
		else
			printf("\t-\t-");
	printf("\n");
	fflush(stdout);
}
