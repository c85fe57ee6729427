/* SPDX-License-Identifier: GPL-2.0-only */
/* Operations that are repeated with one allocation, or one copy from user space, failing after the other. */
#ifndef FAULTS_FAULTS_H
#define FAULTS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

#include "../policy/nl.h"

/* Below which function an allocation must be made to be one that fails. */
enum below { ANYTHING, MODULE, INIT };

/**
 * struct op - one operation
 * @name:	for the report
 * @below:	which allocations fail
 * @child:	run() is called in a child of its own
 * @also:	what else the kernel says for want of memory
 * @once:	after a failure it cannot be tried again
 * @prepare:	what it needs; may be NULL
 * @run:	0 or a negative errno; what is to fail is between fault_begin() and fault_end()
 * @undo:	from whatever run() left; may be NULL
 */
struct op {
	const char *name;
	enum below below;
	bool child;
	bool once;
	int also;
	void (*prepare)(void);
	int (*run)(void);
	void (*undo)(void);
};

/* Faults of the calling thread. The errno of what failed survives fault_end(). */
void fault_begin(void);
void fault_end(void);

/* Set by run() if its answer was lost: it may have succeeded or not. */
extern bool answer_lost;
/* In the network namespace of the test. */
extern struct dnl *nl;

void give_up(const char *what);
/* Several generations of a table with some of everything. */
void fill_table(void);

/* A request whose sending may fail; what the kernel answers. */
int request(struct dnl *to, int cmd, int flags, const struct attr *attrs);
/* Behind which all sockets of stack_ops are. */
void add_stack_rule(void);

extern const struct op policy_ops[], socket_ops[], stack_ops[], life_ops[];

/* Processes that do all of this for so many rounds, whatever fails. */
void storm_sockets(unsigned int rounds);
void storm_policy(unsigned int rounds);
void storm_netns(unsigned int rounds);

#endif /* FAULTS_FAULTS_H */
