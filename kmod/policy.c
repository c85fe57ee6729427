// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy table: generations, transactions, and the end of deleted objects.
 * table.h describes how these hang together.
 */
#include "policy.h"
#include "table.h"

#include <linux/jhash.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "compat.h"
#include "listen.h"

/* A transaction may be taken over by another socket when idle for so long. */
#define DMM_TXN_IDLE	(5 * HZ)
/* Objects that wait for a grace period; beyond, changes wait for them. */
#define DMM_TRASH_MAX	65536

/* A socket whose transaction is no more; see cancel(). */
struct dmm_cancelled {
	struct list_head list;
	u32 portid;
};

/* Unlinking and freeing. */

/*
 * One rcu_work serves all objects: what waits when it is queued is ripe when
 * it runs, what comes later waits for the next round.
 */
static void reclaim_start(struct dmm_policy *p)
{
	if (p->reclaiming || !p->nr_trash)
		return;
	list_splice_init(&p->dying, &p->ripe_dying);
	list_splice_init(&p->gone, &p->ripe_gone);
	p->reclaiming = true;
	queue_rcu_work(system_unbound_wq, &p->reclaim);
}

static void count_obj(struct dmm_policy *p, struct dmm_obj *obj, int n)
{
	if (obj->ops->count)
		obj->ops->count(p, obj, n);
}

static void retire_obj(struct dmm_policy *p, struct dmm_obj *obj)
{
	if (obj->ops->retire)
		obj->ops->retire(p, obj);
}

static void unlink_obj(struct dmm_policy *p, struct dmm_obj *obj)
{
	if (obj->ops->unlink)
		obj->ops->unlink(p, obj);
}

static void free_objs(struct list_head *list)
{
	struct dmm_obj *obj, *next;

	list_for_each_entry_safe(obj, next, list, list) {
		obj->ops->free(obj);
		cond_resched();
	}
}

static void reclaim(struct work_struct *work)
{
	struct dmm_policy *p = container_of(to_rcu_work(work),
					    struct dmm_policy, reclaim);
	struct dmm_obj *obj, *next;
	LIST_HEAD(ripe);

	mutex_lock(&p->lock);
	list_splice_init(&p->ripe_gone, &ripe);
	list_for_each_entry(obj, &ripe, list)
		p->nr_trash--;
	list_for_each_entry_safe(obj, next, &p->ripe_dying, list) {
		unlink_obj(p, obj);
		list_move_tail(&obj->list, &p->gone);
		cond_resched();
	}
	p->reclaiming = false;
	reclaim_start(p);
	mutex_unlock(&p->lock);

	free_objs(&ripe);
}

/*
 * Changes that come faster than grace periods would pile up dead objects, in
 * memory and in the way of lookups.
 */
static void throttle(struct dmm_policy *p)
{
	if (READ_ONCE(p->nr_trash) > DMM_TRASH_MAX)
		flush_rcu_work(&p->reclaim);
}

void dmm_obj_gone(struct dmm_policy *p, struct dmm_obj *obj)
{
	lockdep_assert_held(&p->lock);
	list_add_tail(&obj->list, &p->gone);
	p->nr_trash++;
}

/* No view ever showed it: no need to wait before it is unlinked. */
static void bury(struct dmm_policy *p, struct dmm_obj *obj)
{
	count_obj(p, obj, -1);
	retire_obj(p, obj);
	unlink_obj(p, obj);
	dmm_obj_gone(p, obj);
}

/* Changes to the next generation. */

void dmm_obj_init(const struct dmm_policy *p, struct dmm_obj *obj,
		  const struct dmm_obj_ops *ops)
{
	obj->ops = ops;
	obj->born = dmm_gen(p) + 1;
	obj->dead = DMM_ALIVE;
}

void dmm_obj_add(struct dmm_policy *p, struct dmm_obj *obj)
{
	lockdep_assert_held(&p->lock);
	count_obj(p, obj, 1);
	list_add_tail(&obj->list, &p->txn.log);
}

void dmm_obj_del(struct dmm_policy *p, struct dmm_obj *obj)
{
	u64 gen = dmm_gen(p);

	lockdep_assert_held(&p->lock);
	if (obj->born > gen) {
		list_del(&obj->list);
		bury(p, obj);
		return;
	}
	count_obj(p, obj, -1);
	WRITE_ONCE(obj->dead, gen + 1);
	list_add_tail(&obj->list, &p->txn.log);
}

static void undo(struct dmm_policy *p)
{
	struct dmm_obj *obj, *prev;
	u64 gen = dmm_gen(p);

	list_for_each_entry_safe_reverse(obj, prev, &p->txn.log, list) {
		list_del_init(&obj->list);
		if (obj->born > gen) {
			bury(p, obj);
		} else {
			WRITE_ONCE(obj->dead, DMM_ALIVE);
			count_obj(p, obj, 1);
		}
		cond_resched();
	}
}

static u8 list_lengths(u8 *out, const u32 *count, unsigned int max)
{
	unsigned int len = max + 1;
	u8 nr = 0;

	while (len--)
		if (count[len])
			out[nr++] = len;
	return nr;
}

static u32 used_bits(const u32 *count, unsigned int nr)
{
	u32 bits = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (count[i])
			bits |= BIT(i);
	return bits;
}

static struct dmm_view *view_alloc(const struct dmm_policy *p)
{
	struct dmm_view *view;

	view = kzalloc(struct_size(view, tuple, p->count.masks),
		       GFP_KERNEL_ACCOUNT);
	if (view)
		view->nr_tuples = p->count.masks;
	return view;
}

static void view_fill(struct dmm_policy *p, struct dmm_view *view, u64 gen)
{
	const struct dmm_counts *count = &p->count;

	view->gen = gen;
	view->count = *count;
	view->keys = used_bits(count->keys, ARRAY_SIZE(count->keys));
	view->levels = used_bits(count->levels, ARRAY_SIZE(count->levels));
	view->prefixes = &p->prefixes;
	view->cells = &p->cells;
	view->per_connection = &p->per_connection;
	view->user_stacks = &p->user_stacks;
	view->nr_len4 = list_lengths(view->len4, count->len4, 32);
	view->nr_len6 = list_lengths(view->len6, count->len6, 128);
	dmm_classify_view(p, view);
}

/* Make what is in the log visible. */
static int publish(struct dmm_policy *p)
{
	struct dmm_view *view, *old;
	struct dmm_obj *obj;

	view = view_alloc(p);
	if (!view)
		return -ENOMEM;
	list_for_each_entry(obj, &p->txn.log, list) {
		if (!dmm_alive(obj))
			retire_obj(p, obj);
		cond_resched();
	}
	old = rcu_dereference_protected(p->view, lockdep_is_held(&p->lock));
	view_fill(p, view, old->gen + 1);
	rcu_assign_pointer(p->view, view);
	kfree_rcu(old, rcu);
	return 0;
}

/*
 * Empty the log of what was published.  What lives on is just left: it is on no
 * list, and its links mean nothing, until it is put on one.
 */
static void settle(struct dmm_policy *p)
{
	struct dmm_obj *obj, *next;

	list_for_each_entry_safe(obj, next, &p->txn.log, list) {
		if (!dmm_alive(obj)) {
			list_move_tail(&obj->list, &p->dying);
			p->nr_trash++;
		}
		cond_resched();
	}
	INIT_LIST_HEAD(&p->txn.log);
}

static int commit(struct dmm_policy *p)
{
	int err;

	if (list_empty(&p->txn.log))
		return 0;
	err = publish(p);
	if (err)
		return err;
	dmm_policy_notify(p, dmm_gen(p));
	dmm_listen_changed(p->net);
	settle(p);
	return 0;
}

/* Transactions. */

static void enter(struct dmm_policy *p)
{
	throttle(p);
	mutex_lock(&p->lock);
}

static void leave(struct dmm_policy *p)
{
	reclaim_start(p);
	mutex_unlock(&p->lock);
}

static struct dmm_cancelled *find_cancelled(struct dmm_policy *p, u32 portid)
{
	struct dmm_cancelled *c;

	list_for_each_entry(c, &p->cancelled, list)
		if (c->portid == portid)
			return c;
	return NULL;
}

/*
 * Until the socket begins, aborts or commits, its operations must not be taken
 * for transactions of their own: they may be on their way already.
 */
static int cancel(struct dmm_policy *p, u32 portid)
{
	struct dmm_cancelled *c = kmalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return -ENOMEM;
	c->portid = portid;
	list_add(&c->list, &p->cancelled);
	return 0;
}

static bool uncancel(struct dmm_policy *p, u32 portid)
{
	struct dmm_cancelled *c = find_cancelled(p, portid);

	if (!c)
		return false;
	list_del(&c->list);
	kfree(c);
	return true;
}

static bool txn_is_of(const struct dmm_txn *txn, u32 portid)
{
	return txn->open && txn->portid == portid;
}

static void txn_close(struct dmm_policy *p)
{
	undo(p);
	p->txn.open = false;
	p->txn.doomed = false;
}

/* Make way for another socket's operation, if the owner has gone to sleep. */
static int txn_evict(struct dmm_policy *p, struct netlink_ext_ack *extack)
{
	struct dmm_txn *txn = &p->txn;
	int err;

	if (time_before(jiffies, txn->stamp + DMM_TXN_IDLE)) {
		dmm_err_more(extack, NULL, "another transaction is open",
			     " (netlink port %u)", txn->portid);
		return -EBUSY;
	}
	err = cancel(p, txn->portid);
	if (!err)
		txn_close(p);
	return err;
}

int dmm_policy_change(struct dmm_policy *p, u32 portid, dmm_change_fn change,
		      void *arg, struct netlink_ext_ack *extack)
{
	struct dmm_txn *txn = &p->txn;
	int err = 0;
	bool own;

	enter(p);
	if (find_cancelled(p, portid)) {
		NL_SET_ERR_MSG(extack, "the transaction was cancelled");
		err = -ECANCELED;
		goto out_leave;
	}
	own = txn_is_of(txn, portid);
	if (own)
		txn->stamp = jiffies;
	else if (txn->open)
		err = txn_evict(p, extack);
	if (err || (own && txn->doomed))
		goto out_leave;

	err = change(p, arg, extack);
	if (!err && !own)
		err = commit(p);
	if (err) {
		undo(p);
		txn->doomed = own;
	}
out_leave:
	leave(p);
	return err;
}

static void txn_doom(struct dmm_policy *p)
{
	undo(p);
	p->txn.doomed = true;
}

void dmm_policy_doom(struct dmm_policy *p, u32 portid)
{
	enter(p);
	if (txn_is_of(&p->txn, portid))
		txn_doom(p);
	leave(p);
}

static int txn_open(struct dmm_policy *p, u32 portid, const u64 *base,
		    struct netlink_ext_ack *extack)
{
	struct dmm_txn *txn = &p->txn;
	int err;

	if (base && *base != dmm_gen(p)) {
		dmm_err_more(extack, NULL, "the table has changed",
			     ": it is at generation %llu", dmm_gen(p));
		return -ESTALE;
	}
	if (txn->open) {
		err = txn_evict(p, extack);
		if (err)
			return err;
	}
	txn->open = true;
	txn->portid = portid;
	txn->stamp = jiffies;
	txn->cc[0] = '\0';
	return 0;
}

int dmm_policy_begin(struct dmm_policy *p, u32 portid, const u64 *base,
		     struct netlink_ext_ack *extack)
{
	int err;

	enter(p);
	uncancel(p, portid);
	if (txn_is_of(&p->txn, portid)) {
		NL_SET_ERR_MSG(extack, "this socket's transaction is open already");
		txn_doom(p);
		err = -EALREADY;
	} else {
		err = txn_open(p, portid, base, extack);
		if (err)
			cancel(p, portid);
	}
	leave(p);
	return err;
}

static int txn_commit(struct dmm_policy *p, u32 portid,
		      struct netlink_ext_ack *extack)
{
	int err;

	if (uncancel(p, portid)) {
		NL_SET_ERR_MSG(extack, "the transaction was cancelled");
		return -ECANCELED;
	}
	if (!txn_is_of(&p->txn, portid)) {
		NL_SET_ERR_MSG(extack, "no transaction is open");
		return -EINVAL;
	}
	if (p->txn.doomed) {
		NL_SET_ERR_MSG(extack, "a change of the transaction failed");
		err = -ECANCELED;
	} else {
		err = commit(p);
	}
	txn_close(p);
	return err;
}

int dmm_policy_commit(struct dmm_policy *p, u32 portid, u64 *gen,
		      struct netlink_ext_ack *extack)
{
	int err;

	enter(p);
	err = txn_commit(p, portid, extack);
	*gen = dmm_gen(p);
	leave(p);
	return err;
}

/* Also for each generic netlink socket that is closed: does not wait. */
void dmm_policy_abort(struct dmm_policy *p, u32 portid)
{
	mutex_lock(&p->lock);
	uncancel(p, portid);
	if (txn_is_of(&p->txn, portid))
		txn_close(p);
	leave(p);
}

bool dmm_policy_cc_known(struct dmm_policy *p, u32 portid, const char *cc)
{
	bool known;

	mutex_lock(&p->lock);
	known = txn_is_of(&p->txn, portid) && !strcmp(p->txn.cc, cc);
	mutex_unlock(&p->lock);
	return known;
}

void dmm_policy_stat(const struct dmm_policy *p, u64 *gen,
		     struct dmm_counts *counts)
{
	const struct dmm_view *view;

	rcu_read_lock();
	view = rcu_dereference(p->view);
	*gen = view->gen;
	*counts = view->count;
	rcu_read_unlock();
}

/* Names. */

void dmm_names_init(struct dmm_names *names, u32 first_id)
{
	INIT_LIST_HEAD(&names->list);
	hash_init(names->hash);
	names->next_id = first_id;
}

static u32 name_hash(const char *name)
{
	return jhash(name, strlen(name), 0);
}

void dmm_names_add(struct dmm_names *names, struct dmm_name *name)
{
	name->id = names->next_id++;
	list_add_tail(&name->list, &names->list);
	hash_add(names->hash, &name->hash, name_hash(name->name));
}

void dmm_names_del(struct dmm_name *name)
{
	list_del(&name->list);
	hash_del(&name->hash);
}

struct dmm_name *dmm_names_find(struct dmm_names *names, const char *str)
{
	struct dmm_name *name;

	hash_for_each_possible(names->hash, name, hash, name_hash(str))
		if (dmm_alive(&name->obj) && !strcmp(name->name, str))
			return name;
	return NULL;
}

struct dmm_name *dmm_names_next(struct dmm_names *names, u32 after, u64 gen)
{
	struct dmm_name *name;

	list_for_each_entry(name, &names->list, list)
		if (name->id > after && dmm_visible(&name->obj, gen))
			return name;
	return NULL;
}

/* Namespaces. */

int dmm_policy_init(struct dmm_policy *p, struct net *net)
{
	struct dmm_view *view;
	int err;

	/* An empty generation, for that of the built-in objects to follow. */
	view = view_alloc(p);
	if (!view)
		return -ENOMEM;
	err = dmm_classify_init(p);
	if (err)
		goto out_free_view;
	err = dmm_zones_init(p);
	if (err)
		goto out_classify_exit;
	RCU_INIT_POINTER(p->view, view);

	p->net = net;
	mutex_init(&p->lock);
	INIT_LIST_HEAD(&p->txn.log);
	INIT_LIST_HEAD(&p->cancelled);
	dmm_names_init(&p->sets, 1);
	dmm_names_init(&p->groups, 1);
	p->rules = RB_ROOT;
	xa_init_flags(&p->ids, XA_FLAGS_ACCOUNT);
	p->next_rule = 1;
	INIT_LIST_HEAD(&p->tuples);
	INIT_LIST_HEAD(&p->per_connection);
	INIT_LIST_HEAD(&p->user_stacks);
	p->seed = get_random_u32();
	INIT_LIST_HEAD(&p->dying);
	INIT_LIST_HEAD(&p->gone);
	INIT_LIST_HEAD(&p->ripe_dying);
	INIT_LIST_HEAD(&p->ripe_gone);
	INIT_RCU_WORK(&p->reclaim, reclaim);

	mutex_lock(&p->lock);
	err = dmm_zones_add_builtin(p) ?: publish(p);
	if (!err)
		settle(p);
	mutex_unlock(&p->lock);
	if (err)
		dmm_policy_exit(p);
	return err;

out_classify_exit:
	dmm_classify_exit(p);
out_free_view:
	kfree(view);
	return err;
}

static void bury_all(struct dmm_policy *p)
{
	struct dmm_zone_prefix *prefix, *next_prefix;
	struct dmm_name *name, *next;
	struct dmm_rule *rule;
	struct dmm_zone *zone;

	while ((rule = dmm_rule_from(p, 0))) {
		bury(p, &rule->obj);
		cond_resched();
	}
	list_for_each_entry_safe(name, next, &p->sets.list, list) {
		bury(p, &list_first_entry(&dmm_set(name)->versions,
					  struct dmm_set_ports, link)->obj);
		bury(p, &name->obj);
	}
	list_for_each_entry_safe(name, next, &p->groups.list, list) {
		bury(p, &list_first_entry(&dmm_group(name)->versions,
					  struct dmm_group_version, link)->obj);
		bury(p, &name->obj);
	}
	list_for_each_entry_safe(name, next, &p->zones.list, list) {
		zone = dmm_zone(name);
		rbtree_postorder_for_each_entry_safe(prefix, next_prefix,
						     &zone->prefixes, by_addr) {
			list_add_tail(&prefix->obj.list, &p->gone);
			cond_resched();
		}
		bury(p, &name->obj);
	}
}

void dmm_policy_exit(struct dmm_policy *p)
{
	struct dmm_cancelled *c, *next;

	mutex_lock(&p->lock);
	undo(p);
	leave(p);
	/* It queues itself again as long as there is something to do. */
	while (flush_rcu_work(&p->reclaim))
		;

	mutex_lock(&p->lock);
	bury_all(p);
	mutex_unlock(&p->lock);
	/* Before what is in it: it may be growing in the background. */
	rhltable_destroy(&p->prefixes);
	free_objs(&p->gone);
	dmm_classify_exit(p);

	list_for_each_entry_safe(c, next, &p->cancelled, list)
		kfree(c);
	xa_destroy(&p->ids);
	kfree(rcu_access_pointer(p->view));
	mutex_destroy(&p->lock);
}
