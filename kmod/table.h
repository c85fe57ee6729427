/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of the policy table: what its files share.
 *
 * Generations.  Readers (decisions) and the writer (netlink) share one set of
 * objects: rules, zones, their prefixes, port sets, groups, and versions of
 * the ports and members of these.  An object is visible in the generations from its ->born to before
 * its ->dead.  A reader takes the current view once, and with it the
 * generation, and looks at visible objects only; so each decision sees one
 * whole generation, whatever happens meanwhile.  A transaction inserts objects
 * that are born, and marks objects that die, with the generation that is not
 * there yet.  Commit publishes the view of that generation; abort undoes.
 *
 * All that readers reach they reach through the view's pointer, so the address
 * dependency of rcu_dereference() orders it after what the writer did before
 * rcu_assign_pointer().
 *
 * Life of an object:
 *
 *	dmm_obj_add	in the indices of readers and of the writer, counted
 *	dmm_obj_del	->dead is set, not counted any more; both are undone if
 *			the transaction is
 *	commit		->retire(): out of the writer's indices; on p->dying,
 *			for readers of older views must still find it
 *	grace period	->unlink(): out of the readers' indices; on p->gone,
 *			for readers may still stand on it
 *	grace period	->free()
 *
 * An object that no view ever showed is retired and unlinked at once.  Cells
 * and tuples, which hold the rules, have no generation: they go when they are
 * empty.  References between objects (rule to zone, set or group, prefix
 * to zone) need no count for their life: what is referred to cannot be deleted
 * before, and so is not freed before, what refers to it.
 *
 * Locks: p->lock is a leaf for us; netlink's own and the notifier's are taken
 * outside of it, allocation happens inside.  Readers take none.
 */
#ifndef DMM_TABLE_H
#define DMM_TABLE_H

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/rbtree.h>
#include <linux/rhashtable.h>

#include "policy.h"

/* Limits per namespace. */
#define DMM_RULES_MAX		1000000
#define DMM_PREFIXES_MAX	4000000
#define DMM_ZONES_MAX		4096
#define DMM_SETS_MAX		4096
#define DMM_GROUPS_MAX		4096
#define DMM_MASKS_MAX		64
/* Rules that differ only in keys that are compared one by one. */
#define DMM_CELL_MAX		4096
/* Port ranges of each end in a rule, and in a set: one message holds them. */
#define DMM_RULE_RANGES_MAX	64
#define DMM_SET_RANGES_MAX	512

#define DMM_ALIVE	U64_MAX

struct dmm_cell;
struct dmm_obj;
struct dmm_tuple;

/**
 * struct dmm_obj_ops - what an object does in its life; all but free optional
 * @count:	count it in (1) or out (-1)
 * @retire:	take it out of the writer's indices
 * @unlink:	take it out of the readers' indices
 * @free:	free it
 */
struct dmm_obj_ops {
	void (*count)(struct dmm_policy *p, struct dmm_obj *obj, int n);
	void (*retire)(struct dmm_policy *p, struct dmm_obj *obj);
	void (*unlink)(struct dmm_policy *p, struct dmm_obj *obj);
	void (*free)(struct dmm_obj *obj);
};

/**
 * struct dmm_obj - what lives by generations
 * @ops:	its kind
 * @list:	in the transaction's log, or on a list of the dead
 * @born:	first generation that has it
 * @dead:	first generation that does not, DMM_ALIVE if none is known
 */
struct dmm_obj {
	const struct dmm_obj_ops *ops;
	struct list_head list;
	u64 born;
	u64 dead;
};

static inline bool dmm_visible(const struct dmm_obj *obj, u64 gen)
{
	return obj->born <= gen && gen < READ_ONCE(obj->dead);
}

/* For the writer: is it in the generation that is being prepared? */
static inline bool dmm_alive(const struct dmm_obj *obj)
{
	return obj->dead == DMM_ALIVE;
}

/**
 * struct dmm_name - base of what has a name
 * @obj:	must be first
 * @id:		never reused
 * @origin:	enum dmm_origin
 * @refs:	rules that name it
 * @name:	its name
 * @list:	in dmm_names
 * @hash:	in dmm_names
 */
struct dmm_name {
	struct dmm_obj obj;
	u32 id;
	u8 origin;
	u32 refs;
	char name[DMM_NAME_MAX];
	struct list_head list;
	struct hlist_node hash;
};

/**
 * struct dmm_addr - an address prefix
 * @ip:		v4 in its v4-mapped form; bits behind @len are zero
 * @family:	AF_INET or AF_INET6
 * @len:	up to 32 or 128
 */
struct dmm_addr {
	struct in6_addr ip;
	u8 family;
	u8 len;
};

/**
 * struct dmm_zone - a named set of prefixes
 * @name:	its name; ids below DMM_ZONE_FIRST are built in
 * @prefixes:	by address and length
 */
struct dmm_zone {
	struct dmm_name name;
	struct rb_root prefixes;
};

#define DMM_ZONE_FIRST	16

struct dmm_zone_prefix {
	struct dmm_obj obj;
	struct rhlist_head node;
	struct rb_node by_addr;
	struct dmm_zone *zone;
	struct dmm_addr addr;
};

/**
 * struct dmm_ports - a list of ports
 * @nr:		ranges
 * @range:	sorted, apart from each other
 */
struct dmm_ports {
	u32 nr;
	struct dmm_port_range range[];
};

/**
 * struct dmm_set - a named list of ports
 * @name:	its name
 * @versions:	of its ports, newest first
 */
struct dmm_set {
	struct dmm_name name;
	struct list_head versions;
};

struct dmm_set_ports {
	struct dmm_obj obj;
	struct list_head link;
	struct dmm_set *set;
	struct dmm_ports ports;
};

/**
 * struct dmm_group - a named list of stacks
 * @name:	its name
 * @versions:	of its members, newest first
 */
struct dmm_group {
	struct dmm_name name;
	struct list_head versions;
};

struct dmm_group_version {
	struct dmm_obj obj;
	struct list_head link;
	struct dmm_group *group;
	struct dmm_group_members members;
};

/* The two ends of a flow. */
enum { DMM_SRC, DMM_DST };

/**
 * struct dmm_rule - a rule
 * @obj:	its life
 * @link:	in its cell, by rank
 * @rank:	lower is tried first, unique
 * @keys:	keys that it has, bits by enum dmm_key_id
 * @check:	those that its cell does not imply
 * @remote:	those that only the remote end can answer
 * @id:		handle, never reused
 * @prio:	priority
 * @origin:	enum dmm_origin
 * @role:	enum dmm_role
 * @type:	0 for any
 * @family:	0 for any; a prefix implies its own
 * @dscp:	as in struct dmm_flow
 * @cgroup_level: depth below the root
 * @cgroup_len:	length of @cgroup
 * @addr:	address keys
 * @mark:	wanted bits
 * @mark_mask:	of these
 * @uid_lo:	first uid
 * @uid_hi:	last
 * @gid_lo:	first gid
 * @gid_hi:	last
 * @ports:	port keys, or NULL
 * @set:	likewise as named sets
 * @zone:	zone keys, or NULL
 * @cgroup:	path without trailing slash, "" for the root
 * @dev:	padded with zeros
 * @comm:	likewise
 * @action:	what it says
 * @hits:	decisions that it made
 * @cell:	the cell that it is in
 * @per_connection:	in dmm_policy
 * @user_stacks: in dmm_policy
 * @by_rank:	in dmm_policy
 * @in_tuple:	in its tuple, by rank
 */
struct dmm_rule {
	struct dmm_obj obj;
	struct list_head link;
	u64 rank;
	u32 keys;
	u32 check;
	u32 remote;
	u32 id;
	u16 prio;
	u8 origin;
	u8 role;
	u8 type;
	u8 family;
	u8 dscp;
	u8 cgroup_level;
	u16 cgroup_len;
	struct dmm_addr addr[2];
	u32 mark;
	u32 mark_mask;
	kuid_t uid_lo, uid_hi;
	kgid_t gid_lo, gid_hi;
	const struct dmm_ports *ports[2];
	struct dmm_set *set[2];
	struct dmm_zone *zone[2];
	const char *cgroup;
	char dev[IFNAMSIZ];
	char comm[TASK_COMM_LEN];
	struct dmm_action action;
	atomic64_t hits;

	struct dmm_cell *cell;
	struct list_head per_connection;
	struct list_head user_stacks;
	struct rb_node by_rank;
	struct rb_node in_tuple;
};

/*
 * The words of a flow as the classifier hashes it: by twos, from the first.  So
 * what is often used together, and the last word of an address, which is all of
 * IPv4's, have one pair.  A rule's cgroup counts in the word of its depth, where
 * a flow has the hash of its path down to there.
 */
enum {
	DMM_W_MARK,
	DMM_W_DST,
	DMM_W_FLAGS = DMM_W_DST + 4,

	DMM_W_PORTS,
	DMM_W_UID,

	DMM_W_GID,
	DMM_W_SRC,
	DMM_W_SRC_ZONE = DMM_W_SRC + 4,

	DMM_W_DST_ZONE,
	DMM_W_DEV,

	DMM_W_COMM,
	DMM_W_CGROUP,
	DMM_WORDS = ALIGN(DMM_W_CGROUP + DMM_CGROUP_LEVELS, 2)
};

/**
 * struct dmm_ranked - a tuple in a view
 * @best:	rank of its first rule
 * @tuple:	the tuple
 */
struct dmm_ranked {
	u64 best;
	const struct dmm_tuple *tuple;
};

/**
 * struct dmm_view - one generation, as readers enter it; immutable
 * @rcu:	for freeing
 * @gen:	the generation
 * @count:	what it has
 * @keys:	keys that some rule uses, bits by enum dmm_key_id
 * @levels:	depths of cgroup that some rule uses, bit 0 is depth 1
 * @prefixes:	of the zones
 * @cells:	see dmm_policy
 * @per_connection:	likewise
 * @user_stacks: likewise
 * @nr_len4:	lengths of zone prefixes that there are, AF_INET
 * @nr_len6:	and AF_INET6
 * @len4:	these lengths, longest first
 * @len6:	likewise
 * @nr_tuples:	tuples that have rules
 * @tuple:	them, by the rank of their first rule
 */
struct dmm_view {
	struct rcu_head rcu;
	u64 gen;
	struct dmm_counts count;
	u32 keys;
	u32 levels;
	struct rhltable *prefixes;
	const struct dmm_cells *cells;
	struct list_head *per_connection;
	struct list_head *user_stacks;
	u8 nr_len4;
	u8 nr_len6;
	u8 len4[32 + 1];
	u8 len6[128 + 1];
	u32 nr_tuples;
	struct dmm_ranked tuple[];
};

/**
 * struct dmm_lookup - a flow on its way through one view
 * @flow:	the flow
 * @view:	the view
 * @cgroup:	its path, "" for the root
 * @word:	see above
 * @path:	room for @cgroup
 */
struct dmm_lookup {
	struct dmm_flow *flow;
	const struct dmm_view *view;
	const char *cgroup;
	u32 word[DMM_WORDS] __aligned(8);
	char path[DMM_CGROUP_MAX];
};

/* policy.c: objects, transactions */

static inline u64 dmm_gen(const struct dmm_policy *p)
{
	return rcu_dereference_protected(p->view,
					 lockdep_is_held(&p->lock))->gen;
}

/* Before it is in any index. */
void dmm_obj_init(const struct dmm_policy *p, struct dmm_obj *obj,
		  const struct dmm_obj_ops *ops);
/* Add to, and delete from, the generation being prepared. */
void dmm_obj_add(struct dmm_policy *p, struct dmm_obj *obj);
void dmm_obj_del(struct dmm_policy *p, struct dmm_obj *obj);
/* Free after a grace period what is unlinked already. */
void dmm_obj_gone(struct dmm_policy *p, struct dmm_obj *obj);

typedef int (*dmm_change_fn)(struct dmm_policy *p, void *arg,
			     struct netlink_ext_ack *extack);

/**
 * dmm_policy_change() - one operation, in the transaction of its sender
 * @p:		the policy
 * @portid:	netlink socket of the sender; if it has no transaction open the
 *		operation is one of its own
 * @change:	the operation, called under p->lock; what it did before it
 *		failed is undone
 * @arg:	for @change
 * @extack:	for the error message
 */
int dmm_policy_change(struct dmm_policy *p, u32 portid, dmm_change_fn change,
		      void *arg, struct netlink_ext_ack *extack);
/* Fail the transaction of this socket, if it has one open. */
void dmm_policy_doom(struct dmm_policy *p, u32 portid);
/* @base: generation that must be the current one, NULL for any. */
int dmm_policy_begin(struct dmm_policy *p, u32 portid, const u64 *base,
		     struct netlink_ext_ack *extack);
int dmm_policy_commit(struct dmm_policy *p, u32 portid, u64 *gen,
		      struct netlink_ext_ack *extack);
void dmm_policy_abort(struct dmm_policy *p, u32 portid);
/* Has the open transaction of this socket found it to be available? */
bool dmm_policy_cc_known(struct dmm_policy *p, u32 portid, const char *cc);

void dmm_names_init(struct dmm_names *names, u32 first_id);
void dmm_names_add(struct dmm_names *names, struct dmm_name *name);
void dmm_names_del(struct dmm_name *name);
/* The one of this name in the generation being prepared. */
struct dmm_name *dmm_names_find(struct dmm_names *names, const char *name);
/* The first visible one with an id above @after. */
struct dmm_name *dmm_names_next(struct dmm_names *names, u32 after, u64 gen);

/* zone.c */

int dmm_zones_init(struct dmm_policy *p);
int dmm_zones_add_builtin(struct dmm_policy *p);
struct dmm_zone *dmm_zone_find(struct dmm_policy *p, const char *name);
struct dmm_zone *dmm_zone_create(struct dmm_policy *p, const char *name,
				 u8 origin, struct netlink_ext_ack *extack);
int dmm_zone_delete(struct dmm_policy *p, struct dmm_zone *zone,
		    struct netlink_ext_ack *extack);
int dmm_prefix_add(struct dmm_policy *p, struct dmm_zone *zone,
		   const struct dmm_addr *addr, struct netlink_ext_ack *extack);
int dmm_prefix_delete(struct dmm_policy *p, struct dmm_zone *zone,
		      const struct dmm_addr *addr,
		      struct netlink_ext_ack *extack);
/* The first visible prefix of a zone behind @after, or at all. */
struct dmm_zone_prefix *dmm_prefix_next(const struct dmm_zone *zone,
					const struct dmm_addr *after, u64 gen);
/* Reader: the zone of an address, NULL for the unspecified. */
const struct dmm_zone *dmm_zone_of(const struct dmm_policy *p,
				   const struct dmm_view *view, u8 family,
				   const struct in6_addr *ip);
bool dmm_addr_contains(const struct dmm_addr *prefix, u8 family,
		       const struct in6_addr *ip);
__be32 dmm_addr_mask4(u8 len);

extern const struct dmm_obj_ops dmm_zone_ops;
extern const struct dmm_obj_ops dmm_prefix_ops;

static inline struct dmm_zone *dmm_zone(struct dmm_name *name)
{
	return container_of(name, struct dmm_zone, name);
}

static inline bool dmm_zone_builtin(const struct dmm_zone *zone)
{
	return zone->name.id < DMM_ZONE_FIRST;
}

/* portset.c */

/* Sort and merge; the ranges are valid. */
void dmm_ports_normalise(struct dmm_ports *ports);
bool dmm_ports_has(const struct dmm_ports *ports, u16 port);
struct dmm_set *dmm_set_find(struct dmm_policy *p, const char *name);
struct dmm_set *dmm_set_create(struct dmm_policy *p, const char *name,
			       u8 origin, struct netlink_ext_ack *extack);
/* Takes over @version. */
void dmm_set_replace(struct dmm_policy *p, struct dmm_set *set,
		     struct dmm_set_ports *version);
struct dmm_set_ports *dmm_set_ports_alloc(unsigned int nr);
int dmm_set_delete(struct dmm_policy *p, struct dmm_set *set,
		   struct netlink_ext_ack *extack);
/* Ports of a set in a generation; never NULL for a visible set. */
const struct dmm_ports *dmm_set_ports(const struct dmm_set *set, u64 gen);

extern const struct dmm_obj_ops dmm_set_ops;
extern const struct dmm_obj_ops dmm_set_ports_ops;

static inline struct dmm_set *dmm_set(struct dmm_name *name)
{
	return container_of(name, struct dmm_set, name);
}

/* group.c */

struct dmm_group *dmm_group_find(struct dmm_policy *p, const char *name);
struct dmm_group *dmm_group_create(struct dmm_policy *p, const char *name,
				   u8 origin, struct netlink_ext_ack *extack);
/* Takes over @version. */
void dmm_group_replace(struct dmm_policy *p, struct dmm_group *group,
		       struct dmm_group_version *version);
struct dmm_group_version *dmm_group_version_alloc(unsigned int nr);
int dmm_group_delete(struct dmm_policy *p, struct dmm_group *group,
		     struct netlink_ext_ack *extack);

extern const struct dmm_obj_ops dmm_group_ops;
extern const struct dmm_obj_ops dmm_group_version_ops;

static inline struct dmm_group *dmm_group(struct dmm_name *name)
{
	return container_of(name, struct dmm_group, name);
}

/* rule.c */

/* All but id and rank is filled in.  The caller frees it if this fails. */
int dmm_rule_insert(struct dmm_policy *p, struct dmm_rule *rule,
		    struct netlink_ext_ack *extack);
void dmm_rule_free(struct dmm_rule *rule);
/* By id, in the current generation or in the one being prepared. */
struct dmm_rule *dmm_rule_find(struct dmm_policy *p, u32 id);
/* In the order in which they are tried: the first with a rank not below. */
struct dmm_rule *dmm_rule_from(struct dmm_policy *p, u64 rank);
struct dmm_rule *dmm_rule_next(struct dmm_rule *rule);
u64 dmm_rule_rank(u32 prio, u8 dst_len, u8 src_len, u32 id);
/* The first of these keys of the rule that the flow does not match. */
enum dmm_key_id dmm_rule_mismatch(const struct dmm_rule *rule,
				  const struct dmm_lookup *l, u32 keys);
/* A rule that names this zone, set or group in the generation being prepared. */
struct dmm_rule *dmm_rule_naming(struct dmm_policy *p,
				 const struct dmm_name *name);

extern const struct dmm_obj_ops dmm_rule_ops;

/* Keys that only the remote end answers. */
#define DMM_KEYS_REMOTE	((u32)(BIT(DMM_KEY_DST) | BIT(DMM_KEY_DST_ZONE) | \
			       BIT(DMM_KEY_DPORT)))
#define DMM_KEYS_ALL	(~(u32)0)

/* classify.c */

int dmm_classify_init(struct dmm_policy *p);
/* When all rules are gone, and with them all readers. */
void dmm_classify_exit(struct dmm_policy *p);
int dmm_classify_link(struct dmm_policy *p, struct dmm_rule *rule,
		      struct netlink_ext_ack *extack);
void dmm_classify_count(struct dmm_policy *p, struct dmm_rule *rule, int n);
void dmm_classify_retire(struct dmm_policy *p, struct dmm_rule *rule);
void dmm_classify_unlink(struct dmm_policy *p, struct dmm_rule *rule);
/* The tuples of the view that is being made. */
void dmm_classify_view(struct dmm_policy *p, struct dmm_view *view);
void dmm_lookup_init(struct dmm_lookup *l, const struct dmm_policy *p,
		     const struct dmm_view *view, struct dmm_flow *flow);

/* nl_event.c */

/* Tell the policy group of what is in the transaction's log. */
void dmm_policy_notify(struct dmm_policy *p, u64 gen);

#endif /* DMM_TABLE_H */
