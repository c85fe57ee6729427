// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a flow to the rule that decides it: tuple space search.
 *
 * A rule's keys that are an exact value or a prefix are hashed: rules with the
 * same mask (the same keys, with the same lengths) form a tuple, and in it those
 * that want the same masked words a cell, a list by rank.  Other keys (ranges,
 * lists and sets of ports), and names, of which words have only the hash, are
 * compared rule by rule.
 *
 * A lookup probes the tuples in the order of their best rule's rank and stops
 * at the one that cannot beat what it has found.  So its cost depends on the
 * number of masks, which is limited, and not on the number of rules.
 *
 * Most probes find nothing, so this is what they are made for.  Words are hashed
 * by twos, and those that rules often use together are neighbours: most masks
 * have one pair or two.  One index has the cells of all tuples, and in a dense
 * array the tags, 32 bits of the hash of each: a probe that finds nothing ends at
 * an empty tag, mostly the first that it looks at, and reads nothing else.
 */
#include "table.h"

#include <linux/cgroup.h>
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "compat.h"

/* Rules that a listen() looks through for one that lets some connection in. */
#define DMM_PER_CONNECTION_WALK	65536

/* DMM_W_FLAGS */
#define FLAGS_ROLE(role)	(role)
#define FLAGS_TYPE(type)	((type) << 2)
#define FLAGS_FAMILY(family)	((family) == AF_INET ? 1u << 4 : 2u << 4)
#define FLAGS_DSCP(dscp)	((u32)(dscp) << 8)
#define FLAGS_ROLE_MASK		FLAGS_ROLE(3)
#define FLAGS_TYPE_MASK		FLAGS_TYPE(3)
#define FLAGS_FAMILY_MASK	(3u << 4)
#define FLAGS_DSCP_MASK		FLAGS_DSCP(63)

/* DMM_W_PORTS */
#define PORTS(sport, dport)	((u32)(sport) << 16 | (dport))

/* A tag in the index: of no cell, of one that was removed, of one that is there. */
#define TAG_EMPTY		0u
#define TAG_DEAD		2u
#define TAG_CELL		1u

/* Pairs of words that one rule can use: one depth of cgroup. */
#define DMM_KEY_PAIRS		(DMM_W_CGROUP / 2 + 1)

#define INDEX_MIN		64u

/**
 * struct dmm_cell - rules with the same mask and the same masked words
 * @obj:	only to be freed
 * @tuple:	the tuple
 * @rules:	by rank
 * @alive:	rules of the generation being prepared
 * @tag:	in the index
 * @pair:	the pairs of words that the tuple uses, masked
 */
struct dmm_cell {
	struct dmm_obj obj;
	struct dmm_tuple *tuple;
	struct list_head rules;
	u32 alive;
	u32 tag;
	u64 pair[];
};

/**
 * struct dmm_tuple - rules with the same mask
 * @obj:	only to be freed
 * @list:	in dmm_policy
 * @mask:	the mask, by word
 * @rules:	of the current generation and the one being prepared, by rank
 * @last:	of them
 * @alive:	rules of the generation being prepared
 * @nr_cells:	cells
 * @remote:	the mask has words of the remote end
 * @nr:		pairs of words used
 * @hash:	of the mask, where the hashes of its cells start from
 * @use:	which, by their first word, and the mask of each
 */
struct dmm_tuple {
	struct dmm_obj obj;
	struct list_head list;
	u32 mask[DMM_WORDS];
	struct rb_root_cached rules;
	struct dmm_rule *last;
	u32 alive;
	u32 nr_cells;

	bool remote;
	u32 nr;
	u64 hash;
	struct {
		u64 mask;
		u64 word;
	} use[DMM_KEY_PAIRS];
};

/**
 * struct dmm_index - the cells of all tuples, by their tags: open addressing
 * @rcu:	for freeing
 * @shift:	of a tag, to the first slot to look at
 * @mask:	number of slots, a power of two, less one
 * @used:	slots that are not empty: at most a quarter of them
 * @tag:	of each slot, behind @cell
 * @cell:	cells; that of a dead slot may be gone
 *
 * A slot is filled once in the life of an index.  One with too many dead or too
 * few empty slots is replaced.  Readers may go on in the old one: it has all
 * that they can see.
 */
struct dmm_index {
	struct rcu_head rcu;
	u32 shift;
	u32 mask;
	u32 used;
	u32 *tag;
	struct dmm_cell __rcu *cell[];
};

/* A word and the one behind it. */
static u64 get_pair(const u32 *word)
{
	return *(const u64 *)word;
}

static u64 tuple_pair(const struct dmm_tuple *tuple, const u32 *word,
		      unsigned int i)
{
	return get_pair(word + tuple->use[i].word) & tuple->use[i].mask;
}

/*
 * Every lookup does this for every tuple, so it has to be cheap; it need not be
 * strong, for only the administrator of a table puts keys into it.
 */
static u64 mix(u64 hash, u64 pair)
{
	return (hash ^ pair) * GOLDEN_RATIO_64;
}

static u32 tuple_tag(const struct dmm_tuple *tuple, const u32 *word)
{
	u64 hash = tuple->hash;
	unsigned int i;

	for (i = 0; i < tuple->nr; i++)
		hash = mix(hash, tuple_pair(tuple, word, i));
	return mix(hash, hash >> 32) >> 32 | TAG_CELL;
}

static bool cell_is(const struct dmm_cell *cell, const struct dmm_tuple *tuple,
		    const u32 *word)
{
	unsigned int i;

	if (cell->tuple != tuple)
		return false;
	for (i = 0; i < tuple->nr; i++)
		if (tuple_pair(tuple, word, i) != cell->pair[i])
			return false;
	return true;
}

/* From slot @i on, the first that is empty or has the tag. */
static __always_inline u32 find_slot(const struct dmm_index *index, u32 tag,
				     u32 i)
{
	u32 seen;

	while ((seen = READ_ONCE(index->tag[i])) && seen != tag)
		i = (i + 1) & index->mask;
	return i;
}

static __always_inline bool has_tag(const struct dmm_index *index, u32 tag)
{
	return READ_ONCE(index->tag[find_slot(index, tag, tag >> index->shift)]);
}

/*
 * For readers, and under the policy's lock.  A reader that meets a cell in the
 * making passes it by: no generation that it can see has a rule there.
 */
static struct dmm_cell *cell_find(const struct dmm_index *index, u32 tag,
				  const struct dmm_tuple *tuple,
				  const u32 *word)
{
	u32 i = find_slot(index, tag, tag >> index->shift);
	struct dmm_cell *cell;

	while (READ_ONCE(index->tag[i])) {
		cell = rcu_dereference_raw(index->cell[i]);
		if (cell && cell_is(cell, tuple, word))
			return cell;
		i = find_slot(index, tag, (i + 1) & index->mask);
	}
	return NULL;
}

/* Of dev and comm, which are padded with zeros. */
static u32 name_word(const struct dmm_policy *p, const char name[16])
{
	return jhash(name, 16, p->seed);
}

static u32 cgroup_word(const struct dmm_policy *p, const char *path, size_t len)
{
	return jhash(path, len, p->seed);
}

/* A flow's words. */

static void copy_addr(u32 *word, const struct in6_addr *ip)
{
	memcpy(word, ip, sizeof(*ip));
}

static u32 zone_word(const struct dmm_lookup *l, const struct dmm_policy *p,
		     const struct in6_addr *ip)
{
	const struct dmm_zone *zone;

	zone = dmm_zone_of(p, l->view, l->flow->family, ip);
	return zone ? zone->name.id : 0;
}

static void find_dev(struct dmm_flow *flow, struct net *net)
{
	int ifindex = READ_ONCE(flow->sk->sk_bound_dev_if);
	struct net_device *dev;

	dev = ifindex ? dev_get_by_index_rcu(net, ifindex) : NULL;
	strscpy_pad(flow->dev, dev ? dev->name : "", sizeof(flow->dev));
}

/*
 * The path down to the deepest level that a rule asks for, or that fits: what
 * is longer no rule can name.  The socket pins its cgroup, a cgroup its
 * ancestors, and version 2 does not rename.
 */
static void find_cgroup(char *path, const struct sock *sk, u32 levels)
{
	struct sock_cgroup_data *data =
		(struct sock_cgroup_data *)&sk->sk_cgrp_data;
	struct cgroup *cgrp = sock_cgroup_ptr(data);
	int level, depth = min_t(int, fls(levels), cgrp ? cgrp->level : 0);
	size_t pos = 0, len;
	const char *name;

	for (level = 1; level <= depth; level++) {
		name = cgrp->ancestors[level]->kn->name;
		len = strlen(name);
		if (pos + 1 + len >= DMM_CGROUP_MAX)
			break;
		path[pos++] = '/';
		memcpy(path + pos, name, len);
		pos += len;
	}
	path[pos] = '\0';
}

static void hash_cgroup(struct dmm_lookup *l, const struct dmm_policy *p)
{
	const char *end = l->cgroup;
	unsigned int level;

	for (level = 0; level < DMM_CGROUP_LEVELS; level++) {
		if (*end)
			end = strchrnul(end + 1, '/');
		if (l->view->levels & BIT(level))
			l->word[DMM_W_CGROUP + level] =
				cgroup_word(p, l->cgroup, end - l->cgroup);
	}
}

/* The keys that cost more to find out than the rest. */
static void find_rest(struct dmm_lookup *l, const struct dmm_policy *p)
{
	struct dmm_flow *flow = l->flow;
	u32 keys = l->view->keys;

	if (keys & BIT(DMM_KEY_SRC_ZONE))
		l->word[DMM_W_SRC_ZONE] = zone_word(l, p, &flow->src);
	if (keys & BIT(DMM_KEY_DST_ZONE))
		l->word[DMM_W_DST_ZONE] = zone_word(l, p, &flow->dst);
	if (keys & BIT(DMM_KEY_DEV)) {
		if (flow->sk)
			find_dev(flow, p->net);
		l->word[DMM_W_DEV] = name_word(p, flow->dev);
	}
	if (keys & BIT(DMM_KEY_COMM)) {
		if (flow->sk)
			get_task_comm(flow->comm, current->group_leader);
		l->word[DMM_W_COMM] = name_word(p, flow->comm);
	}
	if (keys & BIT(DMM_KEY_CGROUP)) {
		if (flow->sk) {
			find_cgroup(l->path, flow->sk, l->view->levels);
			l->cgroup = l->path;
		} else {
			l->cgroup = flow->cgroup ?: "";
		}
		hash_cgroup(l, p);
	}
}

#define DMM_REST_KEYS	(BIT(DMM_KEY_SRC_ZONE) | BIT(DMM_KEY_DST_ZONE) | \
			 BIT(DMM_KEY_DEV) | BIT(DMM_KEY_COMM) | \
			 BIT(DMM_KEY_CGROUP))

void dmm_lookup_init(struct dmm_lookup *l, const struct dmm_policy *p,
		     const struct dmm_view *view, struct dmm_flow *flow)
{
	l->flow = flow;
	l->view = view;
	l->word[DMM_W_FLAGS] = FLAGS_ROLE(flow->role) | FLAGS_TYPE(flow->type) |
			       FLAGS_FAMILY(flow->family) |
			       FLAGS_DSCP(flow->dscp);
	copy_addr(l->word + DMM_W_SRC, &flow->src);
	copy_addr(l->word + DMM_W_DST, &flow->dst);
	l->word[DMM_W_PORTS] = PORTS(flow->sport, flow->dport);
	l->word[DMM_W_MARK] = flow->mark;
	l->word[DMM_W_UID] = __kuid_val(flow->uid);
	l->word[DMM_W_GID] = __kgid_val(flow->gid);
	if (view->keys & DMM_REST_KEYS)
		find_rest(l, p);
}

/* Lookup. */

static struct dmm_rule *cell_match(const struct dmm_cell *cell,
				   const struct dmm_lookup *l, bool listening,
				   u64 limit)
{
	struct dmm_rule *rule;

	list_for_each_entry_rcu(rule, &cell->rules, link) {
		if (rule->rank >= limit)
			break;
		if (!dmm_visible(&rule->obj, l->view->gen) ||
		    (listening && rule->remote))
			continue;
		if (!rule->check ||
		    dmm_rule_mismatch(rule, l, rule->check) == DMM_KEY_NONE)
			return rule;
	}
	return NULL;
}

static noinline struct dmm_rule *
tuple_match(const struct dmm_index *index, u32 tag,
	    const struct dmm_tuple *tuple, const struct dmm_lookup *l,
	    bool listening, u64 limit)
{
	struct dmm_cell *cell = cell_find(index, tag, tuple, l->word);

	return cell ? cell_match(cell, l, listening, limit) : NULL;
}

/* Inline, once for each kind of lookup, as far as most probes go. */
static __always_inline struct dmm_rule *match(const struct dmm_lookup *l,
					      bool listening)
{
	const struct dmm_view *view = l->view;
	const struct dmm_index *index = rcu_dereference(view->cells->index);
	const struct dmm_ranked *t = view->tuple, *end = t + view->nr_tuples;
	struct dmm_rule *rule, *found = NULL;
	u64 limit = U64_MAX;
	u32 tag;

	for (; t < end && t->best < limit; t++) {
		if (listening && t->tuple->remote)
			continue;
		tag = tuple_tag(t->tuple, l->word);
		if (!has_tag(index, tag))
			continue;
		rule = tuple_match(index, tag, t->tuple, l, listening, limit);
		if (rule) {
			found = rule;
			limit = rule->rank;
		}
	}
	return found;
}

struct dmm_rule *dmm_policy_match(const struct dmm_policy *p,
				  struct dmm_flow *flow, u64 *gen)
{
	const struct dmm_view *view = rcu_dereference(p->view);
	struct dmm_lookup l;

	*gen = view->gen;
	if (!view->nr_tuples)
		return NULL;
	dmm_lookup_init(&l, p, view, flow);
	return match(&l, false);
}

/* A listener at [::] takes connections of both families. */
static bool takes_both(const struct dmm_flow *flow)
{
	return flow->family == AF_INET6 && ipv6_addr_any(&flow->src);
}

/*
 * Keys that the connections of a listener answer, each for itself.  A datagram
 * socket has none: its local end is decided as it is bound.
 */
static u32 keys_of_connections(const struct dmm_flow *flow)
{
	u32 keys = DMM_KEYS_REMOTE;

	if (flow->type != SOCK_STREAM)
		return keys;
	if (dmm_addr_is_any(&flow->src))
		keys |= BIT(DMM_KEY_SRC) | BIT(DMM_KEY_SRC_ZONE);
	if (takes_both(flow))
		keys |= BIT(DMM_KEY_FAMILY);
	return keys;
}

static bool other_family(const struct dmm_rule *rule, const struct dmm_flow *flow,
			 int end, enum dmm_key_id key)
{
	return rule->keys & BIT(key) && rule->addr[end].family != flow->family;
}

/* May it decide some connection of the listener? */
static bool fits_some(const struct dmm_rule *rule, const struct dmm_lookup *l)
{
	const struct dmm_flow *flow = l->flow;

	if (!takes_both(flow) &&
	    (other_family(rule, flow, DMM_SRC, DMM_KEY_SRC) ||
	     other_family(rule, flow, DMM_DST, DMM_KEY_DST)))
		return false;
	return !dmm_rule_mismatch(rule, l, ~keys_of_connections(flow));
}

/*
 * May a rule before @rule, which decides a listener, decide otherwise for some
 * connection?  For a refusal that is one that lets some in, for a listener that
 * would be given away any.  If there are too many to look through, say yes: it
 * is the safe answer, for each connection is decided again.
 */
static bool depends_on_connection(const struct dmm_lookup *l,
				  const struct dmm_rule *rule)
{
	bool refused = rule->action.verdict == DMM_VERDICT_REJECT;
	const struct dmm_rule *other;
	unsigned int n = 0;

	list_for_each_entry_rcu(other, l->view->per_connection, per_connection) {
		if (++n > DMM_PER_CONNECTION_WALK)
			return true;
		if (other->rank < rule->rank &&
		    !(refused && other->action.verdict == DMM_VERDICT_REJECT) &&
		    dmm_visible(&other->obj, l->view->gen) && fits_some(other, l))
			return true;
	}
	return false;
}

/* A plain listener is kept, so its connections are decided anyway. */
static bool is_final(const struct dmm_rule *rule)
{
	return rule->action.verdict == DMM_VERDICT_REJECT ||
	       rule->action.flags & DMM_RULE_F_STRICT;
}

struct dmm_rule *dmm_policy_match_listen(const struct dmm_policy *p,
					 struct dmm_flow *flow, u64 *gen,
					 bool *open)
{
	const struct dmm_view *view = rcu_dereference(p->view);
	struct dmm_lookup l;
	struct dmm_rule *rule;

	*gen = view->gen;
	*open = false;
	if (!view->nr_tuples)
		return NULL;
	dmm_lookup_init(&l, p, view, flow);
	rule = match(&l, true);
	if (rule && is_final(rule))
		*open = depends_on_connection(&l, rule);
	return rule;
}

static bool action_names(const struct dmm_action *action, u64 gen,
			 bool (*named)(const char *stack, void *arg), void *arg)
{
	const struct dmm_group_members *m;
	unsigned int i;

	for (i = 0; i < action->nr_stacks; i++)
		if (named(action->stacks[i], arg))
			return true;
	m = action->group ? dmm_group_members(action->group, gen) : NULL;
	for (i = 0; m && i < m->nr; i++)
		if (named(m->member[i].name, arg))
			return true;
	return false;
}

/* Keys that a socket can answer otherwise later on. */
#define KEYS_OF_A_WHILE	(BIT(DMM_KEY_UID) | BIT(DMM_KEY_MARK) | BIT(DMM_KEY_DSCP) | \
			 BIT(DMM_KEY_DEV) | BIT(DMM_KEY_COMM))

/* The rank of a rule that decides all connections of a listener: those behind it none. */
static u64 rank_of_last(const struct dmm_lookup *l)
{
	const struct dmm_rule *rule = match(l, true);

	if (!rule || rule->keys & (keys_of_connections(l->flow) | KEYS_OF_A_WHILE))
		return U64_MAX;
	return rule->rank;
}

bool dmm_policy_may_listen(const struct dmm_policy *p, struct dmm_flow *flow,
			   bool (*named)(const char *stack, void *arg), void *arg)
{
	const struct dmm_view *view;
	const struct dmm_rule *rule;
	struct dmm_lookup l;
	bool found = false;
	u64 last;

	rcu_read_lock();
	view = rcu_dereference(p->view);
	dmm_lookup_init(&l, p, view, flow);
	last = rank_of_last(&l);
	list_for_each_entry_rcu(rule, view->user_stacks, user_stacks) {
		if (rule->rank > last || !dmm_visible(&rule->obj, view->gen))
			continue;
		found = action_names(&rule->action, view->gen, named, arg) &&
			fits_some(rule, &l);
		if (found)
			break;
	}
	rcu_read_unlock();
	return found;
}

void dmm_flow_pin(struct dmm_pinned_flow *pinned)
{
	struct dmm_flow *flow = &pinned->flow;

	rcu_read_lock();
	find_dev(flow, sock_net(flow->sk));
	rcu_read_unlock();
	get_task_comm(flow->comm, current->group_leader);
	find_cgroup(pinned->path, flow->sk, ~0u);
	flow->cgroup = pinned->path;
	flow->sk = NULL;
}

/* A rule's words. */

static void set_word(u32 *word, u32 *mask, unsigned int i, u32 w, u32 m)
{
	word[i] |= w;
	mask[i] |= m;
}

static void addr_words(const struct dmm_addr *addr, u32 *word, u32 *mask)
{
	unsigned int i, bits;

	if (addr->family == AF_INET) {
		set_word(word, mask, 3, (__force u32)addr->ip.s6_addr32[3],
			 (__force u32)dmm_addr_mask4(addr->len));
		return;
	}
	for (i = 0, bits = addr->len; bits; i++, bits -= min(bits, 32u))
		set_word(word, mask, i, (__force u32)addr->ip.s6_addr32[i],
			 (__force u32)dmm_addr_mask4(min(bits, 32u)));
}

static bool single_port(const struct dmm_rule *rule, int end)
{
	const struct dmm_ports *ports = rule->ports[end];

	return ports && ports->nr == 1 &&
	       ports->range[0].lo == ports->range[0].hi;
}

static void flag_words(const struct dmm_rule *rule, u32 *word, u32 *mask)
{
	u8 family = rule->family;

	if (rule->role)
		set_word(word, mask, DMM_W_FLAGS, FLAGS_ROLE(rule->role),
			 FLAGS_ROLE_MASK);
	if (rule->type)
		set_word(word, mask, DMM_W_FLAGS, FLAGS_TYPE(rule->type),
			 FLAGS_TYPE_MASK);
	if (rule->keys & BIT(DMM_KEY_SRC))
		family = rule->addr[DMM_SRC].family;
	if (rule->keys & BIT(DMM_KEY_DST))
		family = rule->addr[DMM_DST].family;
	if (family)
		set_word(word, mask, DMM_W_FLAGS, FLAGS_FAMILY(family),
			 FLAGS_FAMILY_MASK);
	if (rule->keys & BIT(DMM_KEY_DSCP))
		set_word(word, mask, DMM_W_FLAGS, FLAGS_DSCP(rule->dscp),
			 FLAGS_DSCP_MASK);
}

static void end_words(const struct dmm_rule *rule, u32 *word, u32 *mask)
{
	if (rule->keys & BIT(DMM_KEY_SRC))
		addr_words(&rule->addr[DMM_SRC], word + DMM_W_SRC,
			   mask + DMM_W_SRC);
	if (rule->keys & BIT(DMM_KEY_DST))
		addr_words(&rule->addr[DMM_DST], word + DMM_W_DST,
			   mask + DMM_W_DST);
	if (rule->zone[DMM_SRC])
		set_word(word, mask, DMM_W_SRC_ZONE,
			 rule->zone[DMM_SRC]->name.id, ~0u);
	if (rule->zone[DMM_DST])
		set_word(word, mask, DMM_W_DST_ZONE,
			 rule->zone[DMM_DST]->name.id, ~0u);
	if (single_port(rule, DMM_SRC))
		set_word(word, mask, DMM_W_PORTS,
			 PORTS(rule->ports[DMM_SRC]->range[0].lo, 0),
			 PORTS(U16_MAX, 0));
	if (single_port(rule, DMM_DST))
		set_word(word, mask, DMM_W_PORTS,
			 PORTS(0, rule->ports[DMM_DST]->range[0].lo),
			 PORTS(0, U16_MAX));
}

static void owner_words(const struct dmm_policy *p, const struct dmm_rule *rule,
			u32 *word, u32 *mask)
{
	u32 keys = rule->keys;

	if (keys & BIT(DMM_KEY_UID) && uid_eq(rule->uid_lo, rule->uid_hi))
		set_word(word, mask, DMM_W_UID, __kuid_val(rule->uid_lo), ~0u);
	if (keys & BIT(DMM_KEY_GID) && gid_eq(rule->gid_lo, rule->gid_hi))
		set_word(word, mask, DMM_W_GID, __kgid_val(rule->gid_lo), ~0u);
	if (keys & BIT(DMM_KEY_MARK))
		set_word(word, mask, DMM_W_MARK, rule->mark, rule->mark_mask);
	if (keys & BIT(DMM_KEY_DEV))
		set_word(word, mask, DMM_W_DEV, name_word(p, rule->dev), ~0u);
	if (keys & BIT(DMM_KEY_COMM))
		set_word(word, mask, DMM_W_COMM, name_word(p, rule->comm), ~0u);
	if (rule->cgroup_level)
		set_word(word, mask, DMM_W_CGROUP + rule->cgroup_level - 1,
			 cgroup_word(p, rule->cgroup, rule->cgroup_len), ~0u);
}

/* Keys that having the same words does not settle. */
static u32 keys_to_check(const struct dmm_rule *rule)
{
	u32 check = BIT(DMM_KEY_DEV) | BIT(DMM_KEY_COMM);

	if (!single_port(rule, DMM_SRC))
		check |= BIT(DMM_KEY_SPORT);
	if (!single_port(rule, DMM_DST))
		check |= BIT(DMM_KEY_DPORT);
	if (!uid_eq(rule->uid_lo, rule->uid_hi))
		check |= BIT(DMM_KEY_UID);
	if (!gid_eq(rule->gid_lo, rule->gid_hi))
		check |= BIT(DMM_KEY_GID);
	if (rule->cgroup_level)
		check |= BIT(DMM_KEY_CGROUP);
	return rule->keys & check;
}

static u32 remote_keys(const struct dmm_rule *rule)
{
	u32 remote = rule->keys & DMM_KEYS_REMOTE;

	/* Every remote is in a prefix of no length. */
	if (!rule->addr[DMM_DST].len)
		remote &= ~BIT(DMM_KEY_DST);
	return remote;
}

/* Of these keys there is what a listener does not know. */
static bool is_per_connection(const struct dmm_rule *rule)
{
	u32 local = BIT(DMM_KEY_SRC) | BIT(DMM_KEY_SRC_ZONE) | BIT(DMM_KEY_FAMILY);

	return rule->role != DMM_ROLE_CONNECT && (rule->remote || rule->keys & local);
}

/* Tuples. */

static void tuple_free(struct dmm_obj *obj)
{
	kfree(container_of(obj, struct dmm_tuple, obj));
}

static const struct dmm_obj_ops tuple_ops = {
	.free = tuple_free,
};

static bool mask_is_remote(const u32 *mask)
{
	return memchr_inv(mask + DMM_W_DST, 0, 4 * sizeof(*mask)) ||
	       mask[DMM_W_PORTS] & PORTS(0, U16_MAX) || mask[DMM_W_DST_ZONE];
}

static u64 mask_hash(const u32 *mask)
{
	unsigned int i;
	u64 hash = 0;

	for (i = 0; i < DMM_WORDS; i += 2)
		hash = mix(hash, get_pair(mask + i));
	return hash;
}

static struct dmm_tuple *tuple_make(struct dmm_policy *p, const u32 *mask,
				    u64 hash)
{
	struct dmm_tuple *tuple;
	unsigned int i;

	tuple = kzalloc(sizeof(*tuple), GFP_KERNEL_ACCOUNT);
	if (!tuple)
		return ERR_PTR(-ENOMEM);
	tuple->obj.ops = &tuple_ops;
	tuple->rules = RB_ROOT_CACHED;
	tuple->remote = mask_is_remote(mask);
	tuple->hash = hash;
	memcpy(tuple->mask, mask, sizeof(tuple->mask));
	for (i = 0; i < DMM_WORDS; i += 2) {
		if (!get_pair(mask + i))
			continue;
		tuple->use[tuple->nr].word = i;
		tuple->use[tuple->nr++].mask = get_pair(mask + i);
	}
	list_add_tail(&tuple->list, &p->tuples);
	return tuple;
}

static struct dmm_tuple *tuple_find(struct dmm_policy *p, const u32 *mask,
				    u64 hash)
{
	struct dmm_tuple *tuple;

	list_for_each_entry(tuple, &p->tuples, list)
		if (tuple->hash == hash &&
		    !memcmp(tuple->mask, mask, sizeof(tuple->mask)))
			return tuple;
	return NULL;
}

static struct dmm_tuple *tuple_get(struct dmm_policy *p, const u32 *mask,
				   struct netlink_ext_ack *extack)
{
	u64 hash = mask_hash(mask);
	struct dmm_tuple *tuple = tuple_find(p, mask, hash);

	if (!(tuple && tuple->alive) && p->count.masks >= DMM_MASKS_MAX) {
		NL_SET_ERR_MSG(extack,
			       "too many different combinations of keys and prefix lengths among the rules");
		return ERR_PTR(-E2BIG);
	}
	return tuple ?: tuple_make(p, mask, hash);
}

static void tuple_put(struct dmm_policy *p, struct dmm_tuple *tuple)
{
	if (tuple->nr_cells)
		return;
	list_del(&tuple->list);
	dmm_obj_gone(p, &tuple->obj);
}

/* The index. */

static struct dmm_index *index_alloc(u32 nr_cells)
{
	u32 slots = max(INDEX_MIN, (u32)roundup_pow_of_two(8 * nr_cells));
	struct dmm_index *index;

	index = kvzalloc(struct_size(index, cell, slots) +
			 array_size(slots, sizeof(*index->tag)),
			 GFP_KERNEL_ACCOUNT);
	if (!index)
		return NULL;
	index->shift = 32 - ilog2(slots);
	index->mask = slots - 1;
	index->tag = (u32 *)&index->cell[slots];
	return index;
}

static void index_fill(struct dmm_index *index, u32 tag, struct dmm_cell *cell)
{
	u32 i = tag >> index->shift;

	while (index->tag[i])
		i = (i + 1) & index->mask;
	rcu_assign_pointer(index->cell[i], cell);
	WRITE_ONCE(index->tag[i], tag);
	index->used++;
}

static struct dmm_index *index_of(const struct dmm_policy *p)
{
	return rcu_dereference_protected(p->cells.index,
					 lockdep_is_held(&p->lock));
}

/* By one with room for as many again. */
static int index_replace(struct dmm_policy *p)
{
	struct dmm_index *old = index_of(p), *index;
	struct dmm_cell *cell;
	u32 i;

	index = index_alloc(p->cells.nr + 1);
	if (!index)
		return -ENOMEM;
	for (i = 0; i <= old->mask; i++) {
		if (!(i % 4096))
			cond_resched();
		if (!(old->tag[i] & TAG_CELL))
			continue;
		cell = rcu_dereference_protected(old->cell[i],
						 lockdep_is_held(&p->lock));
		index_fill(index, old->tag[i], cell);
	}
	rcu_assign_pointer(p->cells.index, index);
	kvfree_rcu(old, rcu);
	return 0;
}

static int index_add(struct dmm_policy *p, struct dmm_cell *cell)
{
	struct dmm_index *index = index_of(p);
	int err = 0;

	if (4 * index->used > index->mask)
		err = index_replace(p);
	if (err)
		return err;
	index_fill(index_of(p), cell->tag, cell);
	p->cells.nr++;
	return 0;
}

static void index_del(struct dmm_policy *p, const struct dmm_cell *cell)
{
	struct dmm_index *index = index_of(p);
	u32 i = cell->tag >> index->shift;

	/* The address alone may be that of a dead slot's cell, used again. */
	while (index->tag[i] != cell->tag ||
	       rcu_access_pointer(index->cell[i]) != cell)
		i = (i + 1) & index->mask;
	WRITE_ONCE(index->tag[i], TAG_DEAD);
	p->cells.nr--;
	/* Without memory it stays large. */
	if (index->mask >= max(INDEX_MIN, 32 * p->cells.nr))
		index_replace(p);
}

int dmm_classify_init(struct dmm_policy *p)
{
	struct dmm_index *index = index_alloc(1);

	RCU_INIT_POINTER(p->cells.index, index);
	return index ? 0 : -ENOMEM;
}

void dmm_classify_exit(struct dmm_policy *p)
{
	kvfree(rcu_access_pointer(p->cells.index));
}

/* Cells. */

static void cell_free(struct dmm_obj *obj)
{
	kfree(container_of(obj, struct dmm_cell, obj));
}

static const struct dmm_obj_ops cell_ops = {
	.free = cell_free,
};

static struct dmm_cell *cell_make(struct dmm_policy *p, u32 tag,
				  struct dmm_tuple *tuple, const u32 *word)
{
	struct dmm_cell *cell;
	unsigned int i;
	int err;

	cell = kzalloc(struct_size(cell, pair, tuple->nr), GFP_KERNEL_ACCOUNT);
	if (!cell)
		return ERR_PTR(-ENOMEM);
	cell->obj.ops = &cell_ops;
	cell->tuple = tuple;
	INIT_LIST_HEAD(&cell->rules);
	cell->tag = tag;
	for (i = 0; i < tuple->nr; i++)
		cell->pair[i] = tuple_pair(tuple, word, i);
	err = index_add(p, cell);
	if (err) {
		kfree(cell);
		return ERR_PTR(err);
	}
	tuple->nr_cells++;
	return cell;
}

static struct dmm_cell *cell_get(struct dmm_policy *p, struct dmm_tuple *tuple,
				 const u32 *word, struct netlink_ext_ack *extack)
{
	u32 tag = tuple_tag(tuple, word);
	struct dmm_cell *cell = cell_find(index_of(p), tag, tuple, word);

	if (!cell)
		return cell_make(p, tag, tuple, word);
	if (cell->alive >= DMM_CELL_MAX) {
		NL_SET_ERR_MSG(extack,
			       "too many rules that differ in ranges or lists only");
		return ERR_PTR(-E2BIG);
	}
	return cell;
}

static void cell_put(struct dmm_policy *p, struct dmm_cell *cell)
{
	struct dmm_tuple *tuple = cell->tuple;

	if (!list_empty(&cell->rules))
		return;
	index_del(p, cell);
	dmm_obj_gone(p, &cell->obj);
	tuple->nr_cells--;
	tuple_put(p, tuple);
}

/* Rules mostly come in their order: look from the end. */
static void cell_insert(struct dmm_cell *cell, struct dmm_rule *rule)
{
	struct list_head *pos;

	list_for_each_prev(pos, &cell->rules)
		if (list_entry(pos, struct dmm_rule, link)->rank < rule->rank)
			break;
	list_add_rcu(&rule->link, pos);
}

/* The writer's side. */

static bool rank_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct dmm_rule, in_tuple)->rank <
	       rb_entry(b, struct dmm_rule, in_tuple)->rank;
}

static void tuple_insert(struct dmm_tuple *tuple, struct dmm_rule *rule)
{
	struct dmm_rule *last = tuple->last;

	if (last && rule->rank < last->rank) {
		rb_add_cached(&rule->in_tuple, &tuple->rules, rank_less);
		return;
	}
	/* Behind the last: that is where most rules go. */
	rb_link_node(&rule->in_tuple, last ? &last->in_tuple : NULL,
		     last ? &last->in_tuple.rb_right :
			    &tuple->rules.rb_root.rb_node);
	rb_insert_color_cached(&rule->in_tuple, &tuple->rules, !last);
	tuple->last = rule;
}

static void tuple_remove(struct dmm_tuple *tuple, struct dmm_rule *rule)
{
	if (tuple->last == rule)
		tuple->last = rb_entry_safe(rb_prev(&rule->in_tuple),
					    struct dmm_rule, in_tuple);
	rb_erase_cached(&rule->in_tuple, &tuple->rules);
}

int dmm_classify_link(struct dmm_policy *p, struct dmm_rule *rule,
		      struct netlink_ext_ack *extack)
{
	u32 word[DMM_WORDS] __aligned(8) = {}, mask[DMM_WORDS] __aligned(8) = {};
	struct dmm_tuple *tuple;
	struct dmm_cell *cell;

	flag_words(rule, word, mask);
	end_words(rule, word, mask);
	owner_words(p, rule, word, mask);
	rule->check = keys_to_check(rule);
	rule->remote = remote_keys(rule);

	tuple = tuple_get(p, mask, extack);
	if (IS_ERR(tuple))
		return PTR_ERR(tuple);
	cell = cell_get(p, tuple, word, extack);
	if (IS_ERR(cell)) {
		tuple_put(p, tuple);
		return PTR_ERR(cell);
	}
	rule->cell = cell;
	tuple_insert(tuple, rule);
	cell_insert(cell, rule);
	if (is_per_connection(rule))
		list_add_rcu(&rule->per_connection, &p->per_connection);
	return 0;
}

void dmm_classify_count(struct dmm_policy *p, struct dmm_rule *rule, int n)
{
	struct dmm_tuple *tuple = rule->cell->tuple;

	rule->cell->alive += n;
	p->count.masks -= !!tuple->alive;
	tuple->alive += n;
	p->count.masks += !!tuple->alive;
}

void dmm_classify_retire(struct dmm_policy *p, struct dmm_rule *rule)
{
	tuple_remove(rule->cell->tuple, rule);
}

void dmm_classify_unlink(struct dmm_policy *p, struct dmm_rule *rule)
{
	list_del_rcu(&rule->link);
	if (is_per_connection(rule))
		list_del_rcu(&rule->per_connection);
	cell_put(p, rule->cell);
}

void dmm_classify_view(struct dmm_policy *p, struct dmm_view *view)
{
	struct dmm_tuple *tuple;
	unsigned int i, nr = 0;
	struct rb_node *first;
	u64 best;

	list_for_each_entry(tuple, &p->tuples, list) {
		if (!tuple->alive)
			continue;
		first = rb_first_cached(&tuple->rules);
		best = rb_entry(first, struct dmm_rule, in_tuple)->rank;
		for (i = nr++; i && view->tuple[i - 1].best > best; i--)
			view->tuple[i] = view->tuple[i - 1];
		view->tuple[i].best = best;
		view->tuple[i].tuple = tuple;
	}
}
