/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy table of one network namespace: zones, port sets and rules, and
 * the lock-free lookup of the rule that decides a flow.
 */
#ifndef DMM_POLICY_H
#define DMM_POLICY_H

#include <linux/hashtable.h>
#include <linux/if.h>
#include <linux/in6.h>
#include <linux/mutex.h>
#include <linux/rbtree_types.h>
#include <linux/rhashtable-types.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/ipv6.h>
#include <uapi/linux/dmm.h>

struct dmm_group;
struct dmm_group_members;
struct dmm_index;
struct dmm_rule;
struct dmm_view;
struct dmm_zone;
struct net;
struct netlink_ext_ack;
struct sock;

/* The unspecified address, of either family: v4 in its v4-mapped form. */
static inline bool dmm_addr_is_any(const struct in6_addr *ip)
{
	return ipv6_addr_any(ip) ||
	       (ipv6_addr_v4mapped(ip) && !ip->s6_addr32[3]);
}

/**
 * struct dmm_flow - what a decision is about
 * @role:	DMM_ROLE_CONNECT or DMM_ROLE_LISTEN
 * @type:	SOCK_STREAM or SOCK_DGRAM
 * @family:	AF_INET or AF_INET6, of the addresses: v4-mapped is AF_INET
 * @dscp:	0 to 63
 * @kernel_only: the socket has what only the kernel's stack can do
 * @src:	local address, v4 in its v4-mapped form; unspecified if unbound
 * @dst:	remote address likewise; unspecified at listen
 * @sport:	local port, host byte order, 0 if unbound
 * @dport:	remote port
 * @mark:	the socket's mark
 * @uid:	owner of the socket (sk_uid)
 * @gid:	group of the process that opened it
 * @sk:		the socket, or NULL for a described one (explain).  The three
 *		keys below cost more to find out than the rest: with a socket
 *		the lookup fills them in, and only if some rule asks for them
 * @cgroup:	path from the root of the v2 hierarchy, "" for the root
 * @dev:	interface that the socket is bound to, "" for none
 * @comm:	name of the thread group leader
 */
struct dmm_flow {
	u8 role;
	u8 type;
	u8 family;
	u8 dscp;
	bool kernel_only;
	struct in6_addr src;
	struct in6_addr dst;
	u16 sport;
	u16 dport;
	u32 mark;
	kuid_t uid;
	kgid_t gid;
	const struct sock *sk;
	const char *cgroup;
	char dev[IFNAMSIZ];
	char comm[TASK_COMM_LEN];
};

/**
 * struct dmm_pinned_flow - a flow to be decided later, by whom it does not belong to
 * @flow:	the flow, of which sk is not set
 * @path:	its cgroup
 */
struct dmm_pinned_flow {
	struct dmm_flow flow;
	char path[DMM_CGROUP_MAX];
};

/* Bits of struct dmm_sockopts::set. */
#define DMM_OPT_CC		BIT(0)
#define DMM_OPT_MARK		BIT(1)
#define DMM_OPT_TOS		BIT(2)
#define DMM_OPT_KEEPIDLE	BIT(3)
#define DMM_OPT_KEEPINTVL	BIT(4)
#define DMM_OPT_KEEPCNT		BIT(5)

/**
 * struct dmm_sockopts - options that a rule sets on the sockets it decides
 * @set:	which of the fields below count, DMM_OPT_*
 * @mark:	SO_MARK
 * @keepidle:	TCP_KEEPIDLE
 * @keepintvl:	TCP_KEEPINTVL
 * @keepcnt:	TCP_KEEPCNT; each of these three switches SO_KEEPALIVE on
 * @tos:	IP_TOS and IPV6_TCLASS
 * @cc:		TCP_CONGESTION
 */
struct dmm_sockopts {
	u32 set;
	u32 mark;
	u32 keepidle;
	u32 keepintvl;
	u32 keepcnt;
	u8 tos;
	char cc[16];
};

/**
 * struct dmm_action - what a rule says to do
 * @verdict:	enum dmm_verdict
 * @nr_stacks:	names in @stacks, at least 1 if the verdict is a stack and
 *		there is no @group
 * @flags:	DMM_RULE_F_*
 * @timeout:	milliseconds for each stack, 0: the default
 * @race:	milliseconds until the next stack starts as well, 0: it does not
 * @stacks:	names, most wanted first
 * @group:	whose members are the stacks, or NULL
 * @opts:	options for the kernel's stack
 */
struct dmm_action {
	u8 verdict;
	u8 nr_stacks;
	u32 flags;
	u32 timeout;
	u32 race;
	const char (*stacks)[DMM_NAME_MAX];
	struct dmm_group *group;
	struct dmm_sockopts opts;
};

/**
 * struct dmm_group_members - members of a group
 * @turn:	decisions that it was asked for
 * @nr:		how many
 * @member:	in the order in which they were given
 */
struct dmm_group_members {
	atomic_t turn;
	u32 nr;
	struct dmm_member member[];
};

/* A rule tells cgroups apart down to this depth below the root. */
#define DMM_CGROUP_LEVELS	16

/**
 * struct dmm_counts - how much of what the table has
 * @rules:	rules
 * @masks:	key combinations among them, see classify.c
 * @zones:	zones, the built-in ones not counted
 * @prefixes:	prefixes of all zones
 * @sets:	port sets
 * @groups:	groups of stacks
 * @keys:	rules that use a key, by enum dmm_key_id
 * @levels:	rules that name a cgroup of this depth (first is 1)
 * @len4:	zone prefixes of a length, AF_INET
 * @len6:	and AF_INET6
 */
struct dmm_counts {
	u32 rules;
	u32 masks;
	u32 zones;
	u32 prefixes;
	u32 sets;
	u32 groups;
	u32 keys[DMM_KEY_COMM + 1];
	u32 levels[DMM_CGROUP_LEVELS];
	u32 len4[32 + 1];
	u32 len6[128 + 1];
};

/**
 * struct dmm_names - zones, port sets or groups, by name
 * @list:	in the order of their ids
 * @hash:	by name
 * @next_id:	never goes back
 */
struct dmm_names {
	struct list_head list;
	DECLARE_HASHTABLE(hash, 8);
	u32 next_id;
};

/**
 * struct dmm_cells - what the lookup finds rules by, see classify.c
 * @index:	the cells, by hash
 * @nr:		of them
 */
struct dmm_cells {
	struct dmm_index __rcu *index;
	u32 nr;
};

/**
 * struct dmm_txn - the open transaction
 * @open:	there is one
 * @doomed:	an operation failed, all was undone; commit will say so
 * @portid:	the netlink socket that it belongs to
 * @stamp:	jiffies of its last operation
 * @log:	objects that it added and deleted, in this order
 * @cc:		the congestion control that was last found to be available
 */
struct dmm_txn {
	bool open;
	bool doomed;
	u32 portid;
	unsigned long stamp;
	struct list_head log;
	char cc[16];
};

/**
 * struct dmm_policy - the policy of one network namespace
 * @net:	the namespace
 * @view:	the generation that decisions see
 * @lock:	guards all that follows; table.h has the rules of the game
 * @txn:	the open transaction
 * @cancelled:	sockets whose transaction failed to begin or was taken over
 * @zones:	by name
 * @sets:	by name
 * @groups:	by name
 * @zone_loopback: the built-in zone "loopback"
 * @zone_local:	the built-in zone "local"
 * @zone_internet: the built-in zone "internet"
 * @prefixes:	of all zones, by address and length
 * @rules:	by rank
 * @ids:	rules by id
 * @next_rule:	id of the next rule
 * @tuples:	one for each mask, in no order
 * @cells:	of all tuples
 * @per_connection: rules with keys that a connection may answer, and its listener
 *		cannot
 * @user_stacks: rules that name a stack other than the kernel's
 * @count:	of the generation that the open transaction prepares
 * @seed:	of the hashes of names in rules
 * @dying:	deleted objects that decisions under way may still see
 * @gone:	unlinked objects that they may still stand on
 * @ripe_dying:	those of them that the pending work waits for
 * @ripe_gone:	likewise
 * @nr_trash:	objects on these four lists
 * @reclaiming:	@reclaim is pending
 * @reclaim:	unlinks and frees, a grace period at a time
 */
struct dmm_policy {
	struct net *net;
	struct dmm_view __rcu *view;

	struct mutex lock;
	struct dmm_txn txn;
	struct list_head cancelled;

	struct dmm_names zones;
	struct dmm_names sets;
	struct dmm_names groups;
	struct dmm_zone *zone_loopback;
	struct dmm_zone *zone_local;
	struct dmm_zone *zone_internet;
	struct rhltable prefixes;
	struct rb_root rules;
	struct xarray ids;
	u32 next_rule;
	struct list_head tuples;
	struct dmm_cells cells;
	struct list_head per_connection;
	struct list_head user_stacks;
	struct dmm_counts count;
	u32 seed;

	struct list_head dying;
	struct list_head gone;
	struct list_head ripe_dying;
	struct list_head ripe_gone;
	unsigned int nr_trash;
	bool reclaiming;
	struct rcu_work reclaim;
};

/* The netlink notifier: while there are namespaces. */
int dmm_policy_module_init(void);
void dmm_policy_module_exit(void);

/* With the namespace; there are no readers yet, and none any more. */
int dmm_policy_init(struct dmm_policy *p, struct net *net);
void dmm_policy_exit(struct dmm_policy *p);

/**
 * dmm_policy_match() - the rule that decides a flow
 * @p:		the policy
 * @flow:	the flow; cgroup, dev and comm are found out from flow->sk if
 *		that is set and some rule needs them
 * @gen:	the generation that decided
 *
 * Never sleeps, allocates, locks or fails.  The caller is in an RCU read-side
 * section, which also keeps the result.
 *
 * Return: the first rule that matches, NULL for the built-in last one.
 */
struct dmm_rule *dmm_policy_match(const struct dmm_policy *p,
				  struct dmm_flow *flow, u64 *gen);

/**
 * dmm_policy_match_listen() - the rule that decides a listen() or bind()
 * @p:		the policy
 * @flow:	the flow, whose remote end does not count
 * @gen:	the generation that decided
 * @open:	a rule before the one returned may decide otherwise for some
 *		connection: a refusal, or giving the listener away, must wait for
 *		the connections
 *
 * Rules with remote keys do not decide here: each connection is decided again
 * when it is there.
 *
 * Return: the first rule without remote keys that matches, NULL for the
 * built-in last one.
 */
struct dmm_rule *dmm_policy_match_listen(const struct dmm_policy *p,
					 struct dmm_flow *flow, u64 *gen,
					 bool *open);

/* Find out now what a lookup would from flow.sk, and unset that. */
void dmm_flow_pin(struct dmm_pinned_flow *pinned);

/**
 * dmm_policy_may_listen() - does some rule let a stack serve this listener?
 * @p:		the policy
 * @flow:	the listener, whose remote end does not count
 * @named:	is this a name of the stack?
 * @arg:	for @named
 *
 * Whether that rule decides depends on each connection: on its remote end, and,
 * if the listener is at the unspecified address, on its local address and family.
 * A rule does not count whose connections are all decided by one before it.
 */
bool dmm_policy_may_listen(const struct dmm_policy *p, struct dmm_flow *flow,
			   bool (*named)(const char *stack, void *arg), void *arg);

/*
 * Zones of the two ends, "" for those that are in none (unspecified), and the
 * generation that says so.
 */
u64 dmm_policy_zones(const struct dmm_policy *p, const struct dmm_flow *flow,
		     char src[DMM_NAME_MAX], char dst[DMM_NAME_MAX]);

/* Generation and counts of the table that decisions see. */
void dmm_policy_stat(const struct dmm_policy *p, u64 *gen,
		     struct dmm_counts *counts);

/*
 * Members of a group in a generation; never NULL for that of a rule of this
 * generation.  The caller is in an RCU read-side section.
 */
struct dmm_group_members *dmm_group_members(const struct dmm_group *group, u64 gen);

u32 dmm_rule_id(const struct dmm_rule *rule);
u32 dmm_rule_prio(const struct dmm_rule *rule);
const struct dmm_action *dmm_rule_action(const struct dmm_rule *rule);
void dmm_rule_hit(struct dmm_rule *rule);

#endif /* DMM_POLICY_H */
