// SPDX-License-Identifier: GPL-2.0-only
#include "negative.h"

#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <net/ipv6.h>

#include "instance.h"
#include "net.h"

#define FIRST_DELAY	HZ
#define LONGEST_DELAY	(60 * HZ)
/* After its time an entry is kept for so long, to know the next one's. */
#define MEMORY		(60 * HZ)

/**
 * struct entry - an instance and a remote end
 * @node:	in its bucket
 * @inst:	number of the instance
 * @port:	of the remote end
 * @addr:	of the remote end
 * @delay:	how long it is passed over this time
 * @until:	jiffies
 * @rcu:	for freeing
 */
struct entry {
	struct hlist_node node;
	u32 inst;
	u16 port;
	struct in6_addr addr;
	unsigned long delay;
	unsigned long until;
	struct rcu_head rcu;
};

static struct dmm_negative *negative(struct net *net)
{
	return &dmm_net(net)->negative;
}

static struct dmm_negative_bucket *bucket_of(struct dmm_negative *n, u32 inst,
					     const struct dmm_flow *flow)
{
	static u32 seed __read_mostly;
	u32 hash;

	net_get_random_once(&seed, sizeof(seed));
	hash = jhash2((__force const u32 *)flow->dst.s6_addr32, 4,
		      seed ^ inst ^ (u32)flow->dport << 16);
	return &n->bucket[hash % DMM_NEGATIVE_BUCKETS];
}

static struct entry *find(struct dmm_negative_bucket *b, u32 inst,
			  const struct dmm_flow *flow)
{
	struct entry *e;

	hlist_for_each_entry_rcu(e, &b->head, node, lockdep_is_held(&b->lock))
		if (e->inst == inst && e->port == flow->dport &&
		    ipv6_addr_equal(&e->addr, &flow->dst))
			return e;
	return NULL;
}

bool dmm_negative_hit(struct net *net, const struct dmm_instance *inst,
		      const struct dmm_flow *flow)
{
	struct dmm_negative *n = negative(net);
	struct entry *e;
	bool hit;

	if (!atomic_read(&n->nr))
		return false;
	rcu_read_lock();
	e = find(bucket_of(n, inst->id, flow), inst->id, flow);
	hit = e && time_before(jiffies, READ_ONCE(e->until));
	rcu_read_unlock();
	return hit;
}

static void drop(struct dmm_negative *n, struct entry *e)
{
	hlist_del_rcu(&e->node);
	atomic_dec(&n->nr);
	kfree_rcu(e, rcu);
}

/* Attempts under way at the same time fail together: they count as one. */
static void again(struct entry *e)
{
	if (time_before(jiffies, e->until))
		return;
	e->delay = min(2 * e->delay, (unsigned long)LONGEST_DELAY);
	WRITE_ONCE(e->until, jiffies + e->delay);
}

static void add(struct dmm_negative *n, struct dmm_negative_bucket *b, u32 inst,
		const struct dmm_flow *flow)
{
	struct entry *e;

	if (atomic_read(&n->nr) >= DMM_NEGATIVE_MAX)
		return;
	e = kzalloc(sizeof(*e), GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!e)
		return;
	e->inst = inst;
	e->port = flow->dport;
	e->addr = flow->dst;
	e->delay = FIRST_DELAY;
	e->until = jiffies + FIRST_DELAY;
	hlist_add_head_rcu(&e->node, &b->head);
	if (atomic_inc_return(&n->nr) == 1)
		queue_delayed_work(system_power_efficient_wq, &n->gc, MEMORY);
}

/* Does it say anything about the way to the remote end? */
static bool counts(int err)
{
	switch (err) {
	case -ETIMEDOUT:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -EHOSTDOWN:
	case -ENETDOWN:
	case -ECONNRESET:
	case -EPROTO:
	case -EIO:
		return true;
	default:
		return false;
	}
}

void dmm_negative_note(struct net *net, const struct dmm_instance *inst,
		       const struct dmm_flow *flow, int err)
{
	struct dmm_negative *n = negative(net);
	struct dmm_negative_bucket *b = bucket_of(n, inst->id, flow);
	struct entry *e;

	if (!counts(err))
		return;
	spin_lock_bh(&b->lock);
	e = find(b, inst->id, flow);
	if (e)
		again(e);
	else
		add(n, b, inst->id, flow);
	spin_unlock_bh(&b->lock);
}

void dmm_negative_clear(struct net *net, const struct dmm_instance *inst,
			const struct dmm_flow *flow)
{
	struct dmm_negative *n = negative(net);
	struct dmm_negative_bucket *b;
	struct entry *e;

	if (!atomic_read(&n->nr))
		return;
	b = bucket_of(n, inst->id, flow);
	spin_lock_bh(&b->lock);
	e = find(b, inst->id, flow);
	if (e)
		drop(n, e);
	spin_unlock_bh(&b->lock);
}

/* Forget those whose time was over before this long, or all. */
static void forget(struct dmm_negative *n, bool all)
{
	struct dmm_negative_bucket *b;
	struct hlist_node *next;
	struct entry *e;

	for (b = n->bucket; b < n->bucket + DMM_NEGATIVE_BUCKETS; b++) {
		spin_lock_bh(&b->lock);
		hlist_for_each_entry_safe(e, next, &b->head, node)
			if (all || time_after(jiffies, e->until + MEMORY))
				drop(n, e);
		spin_unlock_bh(&b->lock);
	}
}

static void gc(struct work_struct *work)
{
	struct dmm_negative *n = container_of(to_delayed_work(work),
					      struct dmm_negative, gc);

	forget(n, false);
	if (atomic_read(&n->nr))
		queue_delayed_work(system_power_efficient_wq, &n->gc, MEMORY);
}

void dmm_negative_flush(struct net *net)
{
	forget(negative(net), true);
}

unsigned int dmm_negative_count(struct net *net)
{
	struct dmm_negative *n = negative(net);
	struct dmm_negative_bucket *b;
	unsigned int nr = 0;
	struct entry *e;

	rcu_read_lock();
	for (b = n->bucket; b < n->bucket + DMM_NEGATIVE_BUCKETS; b++)
		hlist_for_each_entry_rcu(e, &b->head, node)
			nr += time_before(jiffies, READ_ONCE(e->until));
	rcu_read_unlock();
	return nr;
}

void dmm_negative_init(struct dmm_negative *n)
{
	unsigned int i;

	atomic_set(&n->nr, 0);
	INIT_DEFERRABLE_WORK(&n->gc, gc);
	for (i = 0; i < DMM_NEGATIVE_BUCKETS; i++) {
		spin_lock_init(&n->bucket[i].lock);
		INIT_HLIST_HEAD(&n->bucket[i].head);
	}
}

/* Nobody connects in the namespace any more. */
void dmm_negative_exit(struct dmm_negative *n)
{
	forget(n, true);
	cancel_delayed_work_sync(&n->gc);
}
