/* SPDX-License-Identifier: GPL-2.0-only */
/* The decision: from a flow and the policy to a stack, with a reason. */
#ifndef DMM_DECIDE_H
#define DMM_DECIDE_H

#include "policy.h"

struct dmm_instance;
struct dmm_net;
struct sockaddr;

/**
 * struct dmm_decision - the outcome
 * @verdict:	enum dmm_verdict
 * @reason:	enum dmm_reason
 * @err:	0, or the negative error that the call returns
 * @open:	of a listener: for some connections a rule before this one may
 *		decide otherwise, so listen() goes ahead, even if @verdict is a
 *		refusal, and accept() decides each connection
 * @rule:	id of the rule, 0 for the built-in last rule
 * @prio:	its priority
 * @gen:	generation of the table
 * @stack:	name of the stack, "" if refused
 */
struct dmm_decision {
	u8 verdict;
	u8 reason;
	bool open;
	int err;
	u32 rule;
	u32 prio;
	u64 gen;
	char stack[DMM_NAME_MAX];
};

/**
 * struct dmm_plan - the stacks to try, in this order
 * @nr:		how many; 0: the kernel's, and no other
 * @timeout:	milliseconds for each, 0: the default
 * @race:	milliseconds after which the next one starts beside those under
 *		way, 0: when they have failed
 * @failing:	there is no other choice than what failed a short time ago
 * @race_kernel: the kernel's stack takes part in the race
 * @stack:	names; "kernel" is the last, if it is among them
 */
struct dmm_plan {
	u8 nr;
	bool failing;
	bool race_kernel;
	u32 timeout;
	u32 race;
	char stack[DMM_STACKS_MAX + 1][DMM_NAME_MAX];
};

/* Fill @flow for @sk; @remote is NULL at listen and bind. */
void dmm_flow_init(struct dmm_flow *flow, const struct sock *sk, u8 role,
		   const struct sockaddr *remote);
/* The same for a connection: both ends are the socket's own. */
void dmm_flow_init_accepted(struct dmm_flow *flow, const struct sock *sk);
/* Is there something that was asked for and only the kernel's stack can do? */
bool dmm_needs_kernel(const struct sock *sk);
/* Take the local end from a bind() that has not happened yet. */
void dmm_flow_set_local(struct dmm_flow *flow, const struct sockaddr *local);

/**
 * dmm_decide() - which stack serves this flow
 * @dn:		the namespace
 * @flow:	role, addresses and the rest of the keys
 * @listening:	the flow is a listen() or bind(), whose remote is not known
 * @want:	stack that the application asks for, "" for none
 * @d:		the outcome
 * @opts:	options that the rule sets, copied here; NULL for a dry run,
 *		which counts nothing
 * @plan:	user stacks to try, of which @d names the first; NULL if the
 *		caller does not try them
 *
 * Never sleeps, allocates or fails.
 */
void dmm_decide(struct dmm_net *dn, struct dmm_flow *flow, bool listening,
		const char *want, struct dmm_decision *d,
		struct dmm_sockopts *opts, struct dmm_plan *plan);

/**
 * dmm_decide_arrived() - may a connection go on that came in on a stack?
 * @dn:		the namespace
 * @flow:	the connection, as its listener sees it
 * @inst:	the instance that it came in on, NULL for the kernel's stack
 * @d:		the outcome
 * @opts:	options that the rule sets, copied here
 */
void dmm_decide_arrived(struct dmm_net *dn, struct dmm_flow *flow,
			const struct dmm_instance *inst, struct dmm_decision *d,
			struct dmm_sockopts *opts);

/**
 * dmm_decide_candidates() - the instances that a decision looks at
 * @dn:		the namespace
 * @flow:	as of dmm_decide()
 * @listening:	likewise
 * @c:		the candidates, in the order in which they are tried
 * @max:	room in @c
 * @gen:	the generation that decided
 *
 * Return: how many.
 */
unsigned int dmm_decide_candidates(struct dmm_net *dn, struct dmm_flow *flow,
				   bool listening, struct dmm_candidate *c,
				   unsigned int max, u64 *gen);

/* May a rule send it to this instance, or, of a listener, some connection? */
bool dmm_decide_may_serve(struct dmm_net *dn, struct dmm_flow *flow,
			  struct dmm_instance *inst);

/* Is a stack of this name there, for this flow, or NULL for any? */
bool dmm_stack_exists(const struct dmm_net *dn, const char *name,
		      const struct dmm_flow *flow);
/* Is this how a stack, or an instance of one (NAME@INSTANCE), may be named? */
bool dmm_stack_name_valid(const char *name);

extern const char dmm_stack_kernel[];

#endif /* DMM_DECIDE_H */
