// SPDX-License-Identifier: GPL-2.0-only
#include "decide.h"

#include <linux/ipv6.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>

#include "compat.h"
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
	return kernel_named(name) ||
	       dmm_instance_exists(dn->policy.net, name, flow, false);
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

/*
 * What the application asked for that no user stack can do, and that it must not
 * lose without a word: TCP's signatures, packet filters, IPsec policies.
 */
bool dmm_needs_kernel(const struct sock *sk)
{
	if (rcu_access_pointer(sk->sk_filter))
		return true;
#ifdef CONFIG_XFRM
	if (rcu_access_pointer(sk->sk_policy[0]) || rcu_access_pointer(sk->sk_policy[1]))
		return true;
#endif
	return sk->sk_type == SOCK_STREAM && dmm_tcp_signs(sk);
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
	flow->kernel_only = dmm_needs_kernel(sk);
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
 * What a rule's stack list, or its group, comes to.  In order of precedence:
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

/**
 * struct choices - the stacks of a rule, most wanted first
 * @nr:		how many
 * @failing:	what failed a short time ago is as good as any
 * @name:	their names, of the rule or its group
 */
struct choices {
	unsigned int nr;
	bool failing;
	const char *name[DMM_MEMBERS_MAX];
};

/*
 * The order of a group: fewest connections for the weight first, counting the
 * one to come, and of equals the one that was named first; those that are not
 * there last.  Nobody counts the connections of the kernel's stack: it gets its
 * weight's share of the decisions, and is behind the others in between.
 */

/* Is this decision the kernel's share of @all? */
static bool kernels_turn(u32 turn, u32 weight, u32 all)
{
	u32 before = div_u64((u64)turn * weight, all);

	return div_u64((u64)(turn + 1) * weight, all) > before;
}

struct member_load {
	u64 connections;
	u32 weight;
};

static bool less_loaded(const struct member_load *a, const struct member_load *b)
{
	return a->connections * b->weight < b->connections * a->weight;
}

/* Into the first @nr of the order, behind those that are not more loaded. */
static void insert(struct choices *ch, struct member_load *loads, unsigned int nr,
		   const struct dmm_member *member, const struct member_load *load)
{
	for (; nr && less_loaded(load, &loads[nr - 1]); nr--) {
		ch->name[nr] = ch->name[nr - 1];
		loads[nr] = loads[nr - 1];
	}
	ch->name[nr] = member->name;
	loads[nr] = *load;
}

/* The user stacks that are there; the sum of their weights in *weight. */
static void order_members(const struct dmm_net *dn, const struct dmm_flow *flow,
			  const struct dmm_group_members *m, struct choices *ch,
			  u32 *weight)
{
	struct member_load loads[DMM_MEMBERS_MAX], load;
	unsigned int i;
	int live;

	for (i = 0; i < m->nr; i++) {
		if (kernel_named(m->member[i].name))
			continue;
		live = dmm_instance_load(dn->policy.net, m->member[i].name, flow);
		if (live < 0)
			continue;
		load.connections = (u64)live + 1;
		load.weight = m->member[i].weight;
		*weight += load.weight;
		insert(ch, loads, ch->nr++, &m->member[i], &load);
	}
}

static void add_absent(const struct dmm_group_members *m, struct choices *ch)
{
	unsigned int i, j, present = ch->nr;

	for (i = 0; i < m->nr; i++) {
		for (j = 0; j < present; j++)
			if (ch->name[j] == m->member[i].name)
				break;
		if (j == present)
			ch->name[ch->nr++] = m->member[i].name;
	}
}

static const struct dmm_member *kernel_member(const struct dmm_group_members *m)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (kernel_named(m->member[i].name))
			return &m->member[i];
	return NULL;
}

static void choices_of_group(const struct dmm_net *dn, const struct dmm_flow *flow,
			     struct dmm_group_members *m, bool dry, struct choices *ch)
{
	const struct dmm_member *kernel = kernel_member(m);
	u32 weight = 0, turn;

	order_members(dn, flow, m, ch, &weight);
	if (kernel) {
		turn = dry ? atomic_read(&m->turn) : atomic_fetch_inc(&m->turn);
		if (kernels_turn(turn, kernel->weight, weight + kernel->weight)) {
			memmove(ch->name + 1, ch->name, ch->nr * sizeof(*ch->name));
			ch->name[0] = kernel->name;
		} else {
			ch->name[ch->nr] = kernel->name;
		}
		ch->nr++;
	}
	add_absent(m, ch);
}

static void make_choices(const struct dmm_net *dn, const struct dmm_flow *flow,
			 const struct dmm_action *action, u64 gen, bool dry,
			 struct choices *ch)
{
	ch->failing = false;
	ch->nr = 0;
	if (action->group) {
		choices_of_group(dn, flow, dmm_group_members(action->group, gen),
				 dry, ch);
		return;
	}
	for (; ch->nr < action->nr_stacks; ch->nr++)
		ch->name[ch->nr] = action->stacks[ch->nr];
}

static bool is_there(const struct dmm_net *dn, const struct dmm_flow *flow,
		     const struct choices *ch, unsigned int i)
{
	return kernel_named(ch->name[i]) ||
	       dmm_instance_exists(dn->policy.net, ch->name[i], flow, ch->failing);
}

/* Where the application's stack is among them, or nr. */
static unsigned int find_wanted(const struct dmm_net *dn, const struct dmm_flow *flow,
				const struct choices *ch, const char *want)
{
	unsigned int i;

	for (i = 0; *want && i < ch->nr; i++)
		if (!strcmp(want, ch->name[i]) && is_there(dn, flow, ch, i))
			return i;
	return ch->nr;
}

/* The first of them that is there, or nr. */
static unsigned int find_first(const struct dmm_net *dn, const struct dmm_flow *flow,
			       const struct choices *ch)
{
	unsigned int i;

	for (i = 0; i < ch->nr; i++)
		if (is_there(dn, flow, ch, i))
			break;
	return i;
}

/* Nobody can be given what a strict rule does not name: failing or not. */
static unsigned int find_any(const struct dmm_net *dn, const struct dmm_flow *flow,
			     struct choices *ch, bool strict)
{
	unsigned int i = find_first(dn, flow, ch);

	if (i < ch->nr || !strict)
		return i;
	ch->failing = true;
	return find_first(dn, flow, ch);
}

static bool only_kernel(const struct dmm_action *action)
{
	return action->nr_stacks == 1 && kernel_named(action->stacks[0]);
}

/* The last place is for the kernel's. */
static void plan_add(struct dmm_plan *plan, const char *stack)
{
	if (plan->nr < DMM_STACKS_MAX || kernel_named(stack))
		strscpy(plan->stack[plan->nr++], stack, DMM_NAME_MAX);
}

/* From the one that was chosen on; the kernel, or where it would be, is last. */
static void make_plan(struct dmm_plan *plan, const struct dmm_action *action,
		      const struct choices *ch, unsigned int first, bool wanted)
{
	unsigned int i;

	plan->nr = 0;
	plan->timeout = action->timeout;
	plan->race = action->race;
	plan->race_kernel = action->flags & DMM_RULE_F_RACE_KERNEL;
	plan->failing = ch->failing;
	if (first == ch->nr || kernel_named(ch->name[first]))
		return;
	plan_add(plan, ch->name[first]);
	for (i = wanted ? 0 : first + 1; i < ch->nr; i++) {
		if (i == first)
			continue;
		plan_add(plan, ch->name[i]);
		if (kernel_named(ch->name[i]))
			return;
	}
	if (!(action->flags & DMM_RULE_F_STRICT))
		plan_add(plan, dmm_stack_kernel);
}

static void choose_stack(const struct dmm_net *dn, const struct dmm_flow *flow,
			 const struct dmm_action *action, struct choices *ch,
			 bool listening, const char *want, struct dmm_decision *d,
			 struct dmm_plan *plan)
{
	bool strict = action->flags & DMM_RULE_F_STRICT;
	unsigned int i = find_wanted(dn, flow, ch, want);
	bool wanted = i < ch->nr;
	u8 reason;

	if (!wanted)
		i = find_any(dn, flow, ch, strict);
	if (i < ch->nr) {
		reason = wanted ? DMM_REASON_APP :
			 *want ? DMM_REASON_APP_DENIED :
			 i ? DMM_REASON_FALLBACK :
			 strict && listening && !d->open && only_kernel(action) ?
				DMM_REASON_STRICT_KERNEL :
			 DMM_REASON_RULE;
		take(d, reason, ch->name[i]);
	} else if (strict) {
		refuse(d, DMM_REASON_STRICT, flow->role);
	} else {
		take(d, *want ? DMM_REASON_APP_DENIED : DMM_REASON_FALLBACK,
		     dmm_stack_kernel);
	}
	if (plan)
		make_plan(plan, action, ch, i, wanted);
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
	struct choices ch;

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
		if (action->verdict == DMM_VERDICT_REJECT) {
			refuse(d, DMM_REASON_REJECTED, flow->role);
		} else {
			make_choices(dn, flow, action, d->gen, !opts, &ch);
			choose_stack(dn, flow, action, &ch, listening, want, d, plan);
		}
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

/* One stack: its instances, or itself if there is none. */
static unsigned int candidates_of(struct dmm_net *dn, const struct dmm_flow *flow,
				  const char *name, struct dmm_candidate *c,
				  unsigned int max)
{
	unsigned int nr = 0, i;

	if (!max)
		return 0;
	if (!kernel_named(name))
		nr = dmm_instance_candidates(dn->policy.net, name, flow, c, max);
	if (!nr) {
		c->status = kernel_named(name) ? DMM_CANDIDATE_OK :
						 DMM_CANDIDATE_ABSENT;
		nr = 1;
	}
	for (i = 0; i < nr; i++)
		strscpy(c[i].stack, name, DMM_NAME_MAX);
	return nr;
}

unsigned int dmm_decide_candidates(struct dmm_net *dn, struct dmm_flow *flow,
				   bool listening, struct dmm_candidate *c,
				   unsigned int max, u64 *gen)
{
	const struct dmm_action *action;
	unsigned int nr = 0, i;
	struct dmm_rule *rule;
	struct choices ch;
	bool open;

	memset(c, 0, max * sizeof(*c));
	rcu_read_lock();
	rule = listening ? dmm_policy_match_listen(&dn->policy, flow, gen, &open) :
			   dmm_policy_match(&dn->policy, flow, gen);
	action = rule ? dmm_rule_action(rule) : NULL;
	if (action && action->verdict == DMM_VERDICT_STACK) {
		make_choices(dn, flow, action, *gen, true, &ch);
		for (i = 0; i < ch.nr; i++)
			nr += candidates_of(dn, flow, ch.name[i], c + nr, max - nr);
	}
	rcu_read_unlock();
	return nr;
}

static bool names_instance(const char *stack, void *arg)
{
	return dmm_instance_named(arg, stack);
}

bool dmm_decide_may_serve(struct dmm_net *dn, struct dmm_flow *flow,
			  struct dmm_instance *inst)
{
	return dmm_instance_can_serve(inst, flow) &&
	       dmm_policy_may_listen(&dn->policy, flow, names_instance, inst);
}

static bool names_arrived(const char *stack, const struct dmm_instance *inst)
{
	return inst ? dmm_instance_named(inst, stack) : kernel_named(stack);
}

static bool group_has(const struct dmm_group_members *m, const struct dmm_instance *inst)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (names_arrived(m->member[i].name, inst))
			return true;
	return false;
}

/* Does the rule let connections in on this stack?  Its place in the list, or -1. */
static int find_arrived(const struct dmm_action *action, u64 gen,
			const struct dmm_instance *inst)
{
	unsigned int i;

	if (action->group && group_has(dmm_group_members(action->group, gen), inst))
		return 0;
	for (i = 0; i < action->nr_stacks; i++)
		if (names_arrived(action->stacks[i], inst))
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
		place = find_arrived(action, d->gen, inst);
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
