// SPDX-License-Identifier: GPL-2.0-only
#include "decide.h"

#include <linux/ipv6.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>

#include "instance.h"
#include "net.h"

const char dmm_stack_kernel[] = "kernel";

static bool kernel_named(const char *name)
{
	return !strcmp(name, dmm_stack_kernel);
}

bool dmm_stack_exists(const struct dmm_net *dn, const char *name,
		      const struct dmm_flow *flow)
{
	return kernel_named(name) || dmm_instance_exists(dn->policy.net, name, flow);
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Length of the word of a stack name that starts here, 0 if there is none. */
static size_t name_word(const char *s)
{
	size_t len = 0;

	if (!is_name_start(*s))
		return 0;
	while (is_name_start(s[len]) || s[len] == '_' || s[len] == '.' ||
	       s[len] == '-')
		len++;
	return len;
}

/* NAME or NAME@INSTANCE */
bool dmm_stack_name_valid(const char *name)
{
	size_t len = name_word(name), instance;

	if (!len)
		return false;
	if (name[len] == '@') {
		instance = name_word(name + len + 1);
		if (!instance)
			return false;
		len += 1 + instance;
	}
	return !name[len] && len < DMM_NAME_MAX;
}

static void set_addr(struct in6_addr *to, u8 *family, const struct in6_addr *addr)
{
	*to = *addr;
	*family = ipv6_addr_v4mapped(addr) ? AF_INET : AF_INET6;
}

static void set_sockaddr(struct in6_addr *to, u16 *port, u8 *family,
			 const struct sockaddr *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_in *in = (const void *)addr;

	if (addr->sa_family == AF_INET6) {
		set_addr(to, family, &in6->sin6_addr);
		*port = ntohs(in6->sin6_port);
	} else {
		ipv6_addr_set_v4mapped(in->sin_addr.s_addr, to);
		*family = AF_INET;
		*port = ntohs(in->sin_port);
	}
}

static u8 sock_dscp(const struct sock *sk, u8 family)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (family == AF_INET6)
		return inet6_sk(sk)->tclass >> 2;
#endif
	return inet_sk(sk)->tos >> 2;
}

static kgid_t opener_gid(const struct sock *sk)
{
	const struct socket *sock = sk->sk_socket;

	return sock && sock->file ? sock->file->f_cred->fsgid : current_fsgid();
}

static void flow_init(struct dmm_flow *flow, const struct sock *sk, u8 role)
{
	memset(flow, 0, sizeof(*flow));
	flow->role = role;
	flow->type = sk->sk_type;
	flow->sport = inet_sk(sk)->inet_num;
	flow->mark = READ_ONCE(sk->sk_mark);
	flow->uid = sk->sk_uid;
	flow->gid = opener_gid(sk);
	flow->sk = sk;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		set_addr(&flow->src, &flow->family, &sk->sk_v6_rcv_saddr);
		return;
	}
#endif
	flow->family = AF_INET;
	ipv6_addr_set_v4mapped(sk->sk_rcv_saddr, &flow->src);
}

/* The family is the remote's: a v6 socket may be unbound yet go to a v4 address. */
static void adopt_remote_family(struct dmm_flow *flow)
{
	if (flow->family == AF_INET && ipv6_addr_any(&flow->src))
		ipv6_addr_set_v4mapped(htonl(INADDR_ANY), &flow->src);
	flow->dscp = sock_dscp(flow->sk, flow->family);
}

void dmm_flow_init(struct dmm_flow *flow, const struct sock *sk, u8 role,
		   const struct sockaddr *remote)
{
	flow_init(flow, sk, role);
	if (remote)
		set_sockaddr(&flow->dst, &flow->dport, &flow->family, remote);
	else if (flow->family == AF_INET)
		ipv6_addr_set_v4mapped(htonl(INADDR_ANY), &flow->dst);
	adopt_remote_family(flow);
}

void dmm_flow_init_accepted(struct dmm_flow *flow, const struct sock *sk)
{
	flow_init(flow, sk, DMM_ROLE_LISTEN);
	flow->dport = ntohs(inet_sk(sk)->inet_dport);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		set_addr(&flow->dst, &flow->family, &sk->sk_v6_daddr);
	else
#endif
		ipv6_addr_set_v4mapped(sk->sk_daddr, &flow->dst);
	adopt_remote_family(flow);
}

void dmm_flow_set_local(struct dmm_flow *flow, const struct sockaddr *local)
{
	set_sockaddr(&flow->src, &flow->sport, &flow->family, local);
	flow->dscp = sock_dscp(flow->sk, flow->family);
}

static void refuse(struct dmm_decision *d, u8 reason, u8 role)
{
	d->verdict = DMM_VERDICT_REJECT;
	d->reason = reason;
	d->err = role == DMM_ROLE_CONNECT ? -ECONNREFUSED : -EACCES;
}

static void take(struct dmm_decision *d, u8 reason, const char *stack)
{
	d->verdict = DMM_VERDICT_STACK;
	d->reason = reason;
	d->err = 0;
	strscpy(d->stack, stack, sizeof(d->stack));
}

/*
 * What a rule's stack list comes to.  In order of precedence:
 *
 *	the application asked for a stack of the list	that one, APP
 *	the first stack is there			that one, RULE
 *	a later one is there				that one, FALLBACK
 *	none is there, strict				refused, STRICT
 *	none is there					kernel, FALLBACK
 *
 * An application that asked for a stack outside the list gets the rule's own
 * choice with the reason APP_DENIED.
 */

/* Where the application's stack is in the list, or nr_stacks. */
static unsigned int find_wanted(const struct dmm_net *dn, const struct dmm_flow *flow,
				const struct dmm_action *action, const char *want)
{
	unsigned int i;

	for (i = 0; *want && i < action->nr_stacks; i++)
		if (!strcmp(want, action->stacks[i]) && dmm_stack_exists(dn, want, flow))
			return i;
	return action->nr_stacks;
}

/* The first stack of the list that is there, or nr_stacks. */
static unsigned int find_first(const struct dmm_net *dn, const struct dmm_flow *flow,
			       const struct dmm_action *action)
{
	unsigned int i;

	for (i = 0; i < action->nr_stacks; i++)
		if (dmm_stack_exists(dn, action->stacks[i], flow))
			break;
	return i;
}

static bool only_kernel(const struct dmm_action *action)
{
	return action->nr_stacks == 1 && kernel_named(action->stacks[0]);
}

static void plan_add(struct dmm_plan *plan, const char *stack)
{
	strscpy(plan->stack[plan->nr++], stack, DMM_NAME_MAX);
}

/* From the one that was chosen on; the kernel, or where it would be, is last. */
static void make_plan(struct dmm_plan *plan, const struct dmm_action *action,
		      unsigned int first, bool wanted)
{
	unsigned int i;

	plan->nr = 0;
	plan->timeout = action->timeout;
	plan->race = action->race;
	if (first == action->nr_stacks || kernel_named(action->stacks[first]))
		return;
	plan_add(plan, action->stacks[first]);
	for (i = wanted ? 0 : first + 1; i < action->nr_stacks; i++) {
		if (i == first)
			continue;
		plan_add(plan, action->stacks[i]);
		if (kernel_named(action->stacks[i]))
			return;
	}
	if (!(action->flags & DMM_RULE_F_STRICT))
		plan_add(plan, dmm_stack_kernel);
}

static void choose_stack(const struct dmm_net *dn, const struct dmm_flow *flow,
			 const struct dmm_action *action, bool listening,
			 const char *want, struct dmm_decision *d, struct dmm_plan *plan)
{
	bool strict = action->flags & DMM_RULE_F_STRICT;
	unsigned int i = find_wanted(dn, flow, action, want);
	bool wanted = i < action->nr_stacks;
	u8 reason;

	if (!wanted)
		i = find_first(dn, flow, action);
	if (i < action->nr_stacks) {
		reason = wanted ? DMM_REASON_APP :
			 *want ? DMM_REASON_APP_DENIED :
			 i ? DMM_REASON_FALLBACK :
			 strict && listening && !d->open && only_kernel(action) ?
				DMM_REASON_STRICT_KERNEL :
			 DMM_REASON_RULE;
		take(d, reason, action->stacks[i]);
	} else if (strict) {
		refuse(d, DMM_REASON_STRICT, flow->role);
	} else {
		take(d, *want ? DMM_REASON_APP_DENIED : DMM_REASON_FALLBACK,
		     dmm_stack_kernel);
	}
	if (plan)
		make_plan(plan, action, i, wanted);
}

/* The built-in last rule: "stack kernel". */
static void choose_default(const char *want, struct dmm_decision *d)
{
	take(d, !*want ? DMM_REASON_DEFAULT :
	     !strcmp(want, dmm_stack_kernel) ? DMM_REASON_APP :
	     DMM_REASON_APP_DENIED, dmm_stack_kernel);
}

static void note_rule(struct dmm_decision *d, const struct dmm_rule *rule)
{
	d->rule = dmm_rule_id(rule);
	d->prio = dmm_rule_prio(rule);
}

void dmm_decide(struct dmm_net *dn, struct dmm_flow *flow, bool listening,
		const char *want, struct dmm_decision *d,
		struct dmm_sockopts *opts, struct dmm_plan *plan)
{
	const struct dmm_action *action;
	struct dmm_rule *rule;

	memset(d, 0, sizeof(*d));
	if (opts)
		opts->set = 0;
	if (plan)
		plan->nr = 0;

	rcu_read_lock();
	rule = listening ?
		dmm_policy_match_listen(&dn->policy, flow, &d->gen, &d->open) :
		dmm_policy_match(&dn->policy, flow, &d->gen);
	if (!rule) {
		choose_default(want, d);
	} else {
		action = dmm_rule_action(rule);
		note_rule(d, rule);
		if (action->verdict == DMM_VERDICT_REJECT)
			refuse(d, DMM_REASON_REJECTED, flow->role);
		else
			choose_stack(dn, flow, action, listening, want, d, plan);
		if (opts) {
			*opts = action->opts;
			dmm_rule_hit(rule);
		}
	}
	rcu_read_unlock();
	if (d->open)
		d->err = 0;
	if (opts)
		dmm_stats_inc(dn, reasons[d->reason]);
}

/* Does the rule let connections in on this stack?  Its place in the list, or -1. */
static int find_arrived(const struct dmm_action *action, const struct dmm_instance *inst)
{
	unsigned int i;

	for (i = 0; i < action->nr_stacks; i++)
		if (inst ? dmm_instance_named(inst, action->stacks[i]) :
			   kernel_named(action->stacks[i]))
			return i;
	/* What is not strict falls back to the kernel's. */
	return !inst && !(action->flags & DMM_RULE_F_STRICT) ? i : -1;
}

void dmm_decide_arrived(struct dmm_net *dn, struct dmm_flow *flow,
			const struct dmm_instance *inst, struct dmm_decision *d,
			struct dmm_sockopts *opts)
{
	const char *name = inst ? inst->reg.name : dmm_stack_kernel;
	const struct dmm_action *action;
	struct dmm_rule *rule;
	int place;

	memset(d, 0, sizeof(*d));
	opts->set = 0;
	rcu_read_lock();
	rule = dmm_policy_match(&dn->policy, flow, &d->gen);
	if (rule) {
		action = dmm_rule_action(rule);
		note_rule(d, rule);
		place = find_arrived(action, inst);
		if (action->verdict == DMM_VERDICT_REJECT)
			refuse(d, DMM_REASON_REJECTED, flow->role);
		else if (place < 0)
			refuse(d, DMM_REASON_STRICT, flow->role);
		else
			take(d, place ? DMM_REASON_FALLBACK : DMM_REASON_RULE, name);
		*opts = action->opts;
		dmm_rule_hit(rule);
	} else if (inst) {
		refuse(d, DMM_REASON_DEFAULT, flow->role);
	} else {
		take(d, DMM_REASON_DEFAULT, name);
	}
	rcu_read_unlock();
	dmm_stats_inc(dn, reasons[d->reason]);
}
