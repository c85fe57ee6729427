/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Remote ends that an instance failed to connect to a short time ago.
 *
 * Until its time is over such an instance is passed over for that remote end,
 * as if it were not there: for a second after the first failure, then for
 * twice as long each time, up to a minute.  A success ends that, and so does
 * another registration, for instances are known by their number.
 *
 * A refusal is no failure: it is the remote end's answer, comes at once, and
 * may be another one when its server has started.
 */
#ifndef DMM_NEGATIVE_H
#define DMM_NEGATIVE_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct dmm_flow;
struct dmm_instance;
struct net;

#define DMM_NEGATIVE_BUCKETS	64
/* Entries of a namespace; beyond, failures are not remembered. */
#define DMM_NEGATIVE_MAX	4096

/**
 * struct dmm_negative - what a namespace remembers
 * @nr:		entries
 * @gc:		forgets old ones, while there are any
 * @bucket:	by hash of instance and remote end
 */
struct dmm_negative {
	atomic_t nr;
	struct delayed_work gc;
	struct dmm_negative_bucket {
		spinlock_t lock;
		struct hlist_head head;
	} bucket[DMM_NEGATIVE_BUCKETS];
};

/* Is the instance to be passed over?  Lock-free, in any context. */
bool dmm_negative_hit(struct net *net, const struct dmm_instance *inst,
		      const struct dmm_flow *flow);
/* An attempt failed with this error.  Does not sleep. */
void dmm_negative_note(struct net *net, const struct dmm_instance *inst,
		       const struct dmm_flow *flow, int err);
/* An attempt succeeded. */
void dmm_negative_clear(struct net *net, const struct dmm_instance *inst,
			const struct dmm_flow *flow);
void dmm_negative_flush(struct net *net);
/* Entries that are in force. */
unsigned int dmm_negative_count(struct net *net);

void dmm_negative_init(struct dmm_negative *n);
void dmm_negative_exit(struct dmm_negative *n);

#endif /* DMM_NEGATIVE_H */
