/* SPDX-License-Identifier: Apache-2.0 */
/* How a daemon is told what to do: --KEY VALUE as options, "KEY VALUE" in lines of a file. */
#ifndef DMM_DAEMON_CONFIG_H
#define DMM_DAEMON_CONFIG_H

#include <stdbool.h>
#include <dmm/stack.h>

/* @set returns 0, or what daemon_bad() returns.  The value stays in memory. */
struct daemon_key {
	const char *name;
	int (*set)(const char *value);
	bool bare;	/* takes no value: @set has "" */
};

/* Beside the keys of its own every daemon has name, instance, device, arena and weight, and the options below. */
struct daemon_program {
	const char *name;
	const char *usage;
	const struct daemon_key *keys;		/* the last one has no name */
	struct dmm_stack_config *config;
	int (*complete)(void);			/* all is said: does it make sense?  NULL: always */
	bool background, check;			/* --background, --check */
};

/* Returns a negative number to go on, else the exit status: asked for help, or wrong, which has been said. */
int daemon_parse(struct daemon_program *program, int argc, char **argv);

/* Set one key; 0, or negative, and daemon_why() is the reason. */
int daemon_set(const struct daemon_program *program, const char *name, const char *value);

/* Remember why a value is refused.  Returns -EINVAL. */
__attribute__((format(printf, 1, 2)))
int daemon_bad(const char *format, ...);
const char *daemon_why(void);

/* A decimal number in [@min, @max]. */
int daemon_number(const char *text, unsigned long min, unsigned long max, unsigned long *value);

/* A number of microseconds to look for work before sleeping, or "always".  In nanoseconds; -1 is always. */
int daemon_spin(const char *text, int64_t *ns);

#endif
