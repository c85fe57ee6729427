/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks of sockets have in common. */
#ifndef DMM_BENCH_H
#define DMM_BENCH_H

#include <stdint.h>
#include <sys/types.h>

#define ROUNDS_MAX	101
#define KINDS_MAX	8

/* Nanoseconds; with --icount, instructions. */
uint64_t now(void);
/* The result of a call that does not fail here. */
ssize_t must(const char *what, ssize_t ret);
double median(const double *values, unsigned int nr);
/* The argument; exits if it is not one. */
unsigned int rounds_of(int argc, char **argv);

/*
 * Measure each kind once per round, which of them first changes from round to round, and print a line, fields separated
 * by tabs: name, then for each kind the median of what @run returns, divided by nr, and the median over the rounds of its
 * ratio to the first kind. Kinds that @run returns 0 for are printed as "-".
 */
void measure(const char *name, unsigned int kinds, unsigned int rounds, unsigned int nr,
	     uint64_t (*run)(unsigned int kind, unsigned int nr, void *arg), void *arg);

#endif
