// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a flow to the rule that decides it: tuple space search.
 *
 * A rule's keys that are an exact value or a prefix are hashed: rules with the
 * same mask (the same keys, with the same lengths) form a tuple, with one hash
 * table from the masked words of a flow to a cell, the list of the rules that
 * want just these, by rank.  Other keys (ranges, lists and sets of ports), and
 * names, of which words have only the hash, are compared rule by rule.
 *
 * A lookup probes the tuples in the order of their best rule's rank and stops
 * at the one that cannot beat what it has found.  So its cost depends on the
 * number of masks, which is limited, and not on the number of rules.
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

/* Rules that a listen() looks through for one that lets some remote in. */
#define DMM_PER_REMOTE_WALK	65536

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

/**
 * struct dmm_probe - the words of a flow or rule, as one tuple looks at them
 * @tuple:	the tuple
 * @word:	all words, not masked
 * @hash:	of those that the tuple uses, masked
 */
struct dmm_probe {
	const struct dmm_tuple *tuple;
	const u32 *word;
	u32 hash;
};

/**
 * struct dmm_cell - rules with the same mask and the same masked words
 * @obj:	only to be freed
 * @node:	in its tuple
 * @tuple:	the tuple
 * @rules:	by rank
 * @alive:	rules of the generation being prepared
 * @hash:	of @word
 * @word:	those that the tuple uses, masked
 */
struct dmm_cell {
	struct dmm_obj obj;
	struct rhash_head node;
	struct dmm_tuple *tuple;
	struct list_head rules;
	u32 alive;
	u32 hash;
	u32 word[];
};

/**
 * struct dmm_tuple - rules with the same mask
 * @obj:	only to be freed
 * @list:	in dmm_policy
 * @mask:	the mask, by word
 * @rules:	of the current generation and the one being prepared, by rank
 * @alive:	rules of the generation being prepared
 * @nr_cells:	cells
 * @remote:	the mask has words of the remote end
 * @cells:	by masked words
 * @nr:		words used
 * @use:	which, and how
 */
struct dmm_tuple {
	struct dmm_obj obj;
	struct list_head list;
	u32 mask[DMM_WORDS];
	struct rb_root_cached rules;
	u32 alive;
	u32 nr_cells;

	bool remote;
	struct rhashtable cells;
	u32 nr;
	struct {
		u32 word;
		u32 mask;
	} use[DMM_KEY_WORDS];
};

static u32 tuple_word(const struct dmm_tuple *tuple, const u32 *word,
		      unsigned int i)
{
	return word[tuple->use[i].word] & tuple->use[i].mask;
}

/*
 * Every lookup does this for every tuple, so it has to be cheap; it need not be
 * strong, for only the administrator of a table puts keys into it.
 */
static void probe_init(struct dmm_probe *probe, const struct dmm_tuple *tuple,
		       const u32 *word)
{
	unsigned int i;
	u64 hash = 0;

	for (i = 0; i < tuple->nr; i++)
		hash = (hash ^ tuple_word(tuple, word, i)) * GOLDEN_RATIO_64;
	probe->tuple = tuple;
	probe->word = word;
	probe->hash = hash >> 32;
}

static u32 probe_hash(const void *data, u32 len, u32 seed)
{
	return ((const struct dmm_probe *)data)->hash;
}

static u32 cell_hash(const void *data, u32 len, u32 seed)
{
	return ((const struct dmm_cell *)data)->hash;
}

static int cell_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct dmm_probe *probe = arg->key;
	const struct dmm_tuple *tuple = probe->tuple;
	const struct dmm_cell *cell = obj;
	unsigned int i;

	if (probe->hash != cell->hash)
		return 1;
	for (i = 0; i < tuple->nr; i++)
		if (tuple_word(tuple, probe->word, i) != cell->word[i])
			return 1;
	return 0;
}

static const struct rhashtable_params cell_params = {
	.head_offset = offsetof(struct dmm_cell, node),
	.hashfn = probe_hash,
	.obj_hashfn = cell_hash,
	.obj_cmpfn = cell_cmp,
	.automatic_shrinking = true,
};

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

static struct dmm_rule *tuple_match(struct dmm_tuple *tuple,
				    const struct dmm_lookup *l, bool listening,
				    u64 limit)
{
	struct dmm_probe probe;
	struct dmm_cell *cell;

	probe_init(&probe, tuple, l->word);
	cell = rhashtable_lookup(&tuple->cells, &probe, cell_params);
	return cell ? cell_match(cell, l, listening, limit) : NULL;
}

static struct dmm_rule *match(const struct dmm_lookup *l, bool listening)
{
	struct dmm_rule *rule, *found = NULL;
	const struct dmm_view *view = l->view;
	u64 limit = U64_MAX;
	unsigned int i;

	for (i = 0; i < view->nr_tuples && view->tuple[i].best < limit; i++) {
		if (listening && view->tuple[i].tuple->remote)
			continue;
		rule = tuple_match(view->tuple[i].tuple, l, listening, limit);
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

/* No remote of this listener can be of the family of the rule's; [::] takes both. */
static bool other_family(const struct dmm_rule *rule, const struct dmm_flow *flow)
{
	bool both = flow->family == AF_INET6 && ipv6_addr_any(&flow->src);

	return rule->keys & BIT(DMM_KEY_DST) && !both &&
	       rule->addr[DMM_DST].family != flow->family;
}

/*
 * May a rule before @rule, which decides a listener, decide otherwise for some
 * remote?  For a refusal that is one that lets remotes in, for a listener that
 * would be given away any.  If there are too many to look through, say yes: it
 * is the safe answer, for each connection is decided again.
 */
static bool depends_on_remote(const struct dmm_lookup *l,
			      const struct dmm_rule *rule)
{
	bool refused = rule->action.verdict == DMM_VERDICT_REJECT;
	const struct dmm_rule *other;
	unsigned int n = 0;

	list_for_each_entry_rcu(other, l->view->per_remote, per_remote) {
		if (++n > DMM_PER_REMOTE_WALK)
			return true;
		if (other->rank < rule->rank &&
		    !(refused && other->action.verdict == DMM_VERDICT_REJECT) &&
		    dmm_visible(&other->obj, l->view->gen) &&
		    !other_family(other, l->flow) &&
		    !dmm_rule_mismatch(other, l, ~DMM_KEYS_REMOTE))
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
		*open = depends_on_remote(&l, rule);
	return rule;
}

bool dmm_policy_may_listen(const struct dmm_policy *p, struct dmm_flow *flow,
			   bool (*named)(const char *stack, void *arg), void *arg)
{
	const struct dmm_view *view;
	const struct dmm_rule *rule;
	struct dmm_lookup l;
	bool found = false;
	unsigned int i;

	rcu_read_lock();
	view = rcu_dereference(p->view);
	dmm_lookup_init(&l, p, view, flow);
	list_for_each_entry_rcu(rule, view->user_stacks, user_stacks) {
		if (!dmm_visible(&rule->obj, view->gen))
			continue;
		for (i = 0; i < rule->action.nr_stacks && !found; i++)
			found = named(rule->action.stacks[i], arg) &&
				!other_family(rule, flow) &&
				!dmm_rule_mismatch(rule, &l, ~DMM_KEYS_REMOTE);
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

static bool is_per_remote(const struct dmm_rule *rule)
{
	return rule->remote && rule->role != DMM_ROLE_CONNECT;
}

/* Tuples. */

static void tuple_free(struct dmm_obj *obj)
{
	struct dmm_tuple *tuple = container_of(obj, struct dmm_tuple, obj);

	rhashtable_destroy(&tuple->cells);
	kfree(tuple);
}

static const struct dmm_obj_ops tuple_ops = {
	.free = tuple_free,
};

static bool mask_is_remote(const u32 *mask)
{
	return memchr_inv(mask + DMM_W_DST, 0, 4 * sizeof(*mask)) ||
	       mask[DMM_W_PORTS] & PORTS(0, U16_MAX) || mask[DMM_W_DST_ZONE];
}

static struct dmm_tuple *tuple_make(struct dmm_policy *p, const u32 *mask)
{
	struct dmm_tuple *tuple;
	unsigned int i;
	int err;

	tuple = kzalloc(sizeof(*tuple), GFP_KERNEL_ACCOUNT);
	if (!tuple)
		return ERR_PTR(-ENOMEM);
	err = rhashtable_init(&tuple->cells, &cell_params);
	if (err) {
		kfree(tuple);
		return ERR_PTR(err);
	}
	tuple->obj.ops = &tuple_ops;
	tuple->rules = RB_ROOT_CACHED;
	tuple->remote = mask_is_remote(mask);
	memcpy(tuple->mask, mask, sizeof(tuple->mask));
	for (i = 0; i < DMM_WORDS; i++) {
		if (!mask[i])
			continue;
		tuple->use[tuple->nr].word = i;
		tuple->use[tuple->nr++].mask = mask[i];
	}
	list_add(&tuple->list, &p->tuples);
	return tuple;
}

/* Rules come in runs of one mask: what was used last is first. */
static struct dmm_tuple *tuple_find(struct dmm_policy *p, const u32 *mask)
{
	struct dmm_tuple *tuple;

	list_for_each_entry(tuple, &p->tuples, list) {
		if (!memcmp(tuple->mask, mask, sizeof(tuple->mask))) {
			list_move(&tuple->list, &p->tuples);
			return tuple;
		}
	}
	return NULL;
}

static struct dmm_tuple *tuple_get(struct dmm_policy *p, const u32 *mask,
				   struct netlink_ext_ack *extack)
{
	struct dmm_tuple *tuple = tuple_find(p, mask);

	if (!(tuple && tuple->alive) && p->count.masks >= DMM_MASKS_MAX) {
		NL_SET_ERR_MSG(extack,
			       "too many different combinations of keys and prefix lengths among the rules");
		return ERR_PTR(-E2BIG);
	}
	return tuple ?: tuple_make(p, mask);
}

static void tuple_put(struct dmm_policy *p, struct dmm_tuple *tuple)
{
	if (tuple->nr_cells)
		return;
	list_del(&tuple->list);
	dmm_obj_gone(p, &tuple->obj);
}

/* Cells. */

static void cell_free(struct dmm_obj *obj)
{
	kfree(container_of(obj, struct dmm_cell, obj));
}

static const struct dmm_obj_ops cell_ops = {
	.free = cell_free,
};

static struct dmm_cell *cell_make(struct dmm_tuple *tuple,
				  const struct dmm_probe *probe)
{
	struct dmm_cell *cell;
	unsigned int i;
	int err;

	cell = kzalloc(struct_size(cell, word, tuple->nr), GFP_KERNEL_ACCOUNT);
	if (!cell)
		return ERR_PTR(-ENOMEM);
	cell->obj.ops = &cell_ops;
	cell->tuple = tuple;
	INIT_LIST_HEAD(&cell->rules);
	cell->hash = probe->hash;
	for (i = 0; i < tuple->nr; i++)
		cell->word[i] = tuple_word(tuple, probe->word, i);
	err = rhashtable_insert_fast(&tuple->cells, &cell->node, cell_params);
	if (err) {
		kfree(cell);
		return ERR_PTR(err);
	}
	tuple->nr_cells++;
	return cell;
}

static struct dmm_cell *cell_get(struct dmm_tuple *tuple, const u32 *word,
				 struct netlink_ext_ack *extack)
{
	struct dmm_probe probe;
	struct dmm_cell *cell;

	probe_init(&probe, tuple, word);
	cell = rhashtable_lookup_fast(&tuple->cells, &probe, cell_params);
	if (!cell)
		return cell_make(tuple, &probe);
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
	rhashtable_remove_fast(&tuple->cells, &cell->node, cell_params);
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

int dmm_classify_link(struct dmm_policy *p, struct dmm_rule *rule,
		      struct netlink_ext_ack *extack)
{
	u32 word[DMM_WORDS] = {}, mask[DMM_WORDS] = {};
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
	cell = cell_get(tuple, word, extack);
	if (IS_ERR(cell)) {
		tuple_put(p, tuple);
		return PTR_ERR(cell);
	}
	rule->cell = cell;
	rb_add_cached(&rule->in_tuple, &tuple->rules, rank_less);
	cell_insert(cell, rule);
	if (is_per_remote(rule))
		list_add_rcu(&rule->per_remote, &p->per_remote);
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
	rb_erase_cached(&rule->in_tuple, &rule->cell->tuple->rules);
}

void dmm_classify_unlink(struct dmm_policy *p, struct dmm_rule *rule)
{
	list_del_rcu(&rule->link);
	if (is_per_remote(rule))
		list_del_rcu(&rule->per_remote);
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
