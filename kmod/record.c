// SPDX-License-Identifier: GPL-2.0-only
#include "record.h"

#include <linux/moduleparam.h>
#include <linux/sock_diag.h>
#include <net/sock.h>

#include "net.h"
#include "netlink.h"
#include "trace.h"

#define DMM_LOG_MAX	(1U << 20)

static unsigned int records = 4096;
module_param(records, uint, 0444);
MODULE_PARM_DESC(records, "Decisions remembered per network namespace, a power of two (0: none)");

/*
 * Writers of different slots do not meet, so the lock of a slot is contended
 * only by a reader or when the ring laps.
 */
struct dmm_slot {
	spinlock_t lock; /* guards nr and rec */
	u32 nr;
	bool used;
	struct dmm_record rec;
};

int __init dmm_log_init(void)
{
	if (records > DMM_LOG_MAX || (records && !is_power_of_2(records))) {
		pr_err("dmm: records=%u is not a power of two up to %u\n",
		       records, DMM_LOG_MAX);
		return -EINVAL;
	}
	return 0;
}

void dmm_log_prepare(struct dmm_log *log)
{
	struct dmm_slot *slots;
	unsigned int i;

	if (READ_ONCE(log->slots) || !records)
		return;
	/* The next socket tries again. */
	slots = kvcalloc(records, sizeof(*slots), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!slots)
		return;
	for (i = 0; i < records; i++)
		spin_lock_init(&slots[i].lock);
	/* The cmpxchg orders the initialisation before the pointer. */
	if (cmpxchg(&log->slots, NULL, slots))
		kvfree(slots);
}

void dmm_log_exit(struct dmm_log *log)
{
	kvfree(log->slots);
}

u64 dmm_sock_cookie(struct sock *sk)
{
	u32 cookie[2];

	sock_diag_save_cookie(sk, cookie);
	return cookie[0] | (u64)cookie[1] << 32;
}

void dmm_caller_get(struct dmm_caller *caller)
{
	caller->pid = task_tgid_nr(current);
	get_task_comm(caller->comm, current);
}

void dmm_record(struct dmm_net *dn, struct sock *sk, const struct dmm_flow *flow,
		const struct dmm_decision *d, const struct dmm_caller *caller)
{
	struct dmm_slot *slots = READ_ONCE(dn->log.slots);
	struct dmm_record rec = {
		.cookie = dmm_sock_cookie(sk),
		.time = ktime_get_real_ns(),
		.role = flow->role,
		.type = flow->type,
		.family = flow->family,
		.sport = flow->sport,
		.dport = flow->dport,
		.src = flow->src,
		.dst = flow->dst,
		.uid = flow->uid,
		.decision = *d,
	};
	struct dmm_slot *slot;
	u32 nr;

	trace_dmm_decide(sk, flow, d);
	if (caller)
		rec.caller = *caller;
	else
		dmm_caller_get(&rec.caller);
	if (slots) {
		nr = (u32)atomic_fetch_inc(&dn->log.next);
		slot = &slots[nr & (records - 1)];
		spin_lock(&slot->lock);
		slot->nr = nr;
		slot->used = true;
		slot->rec = rec;
		spin_unlock(&slot->lock);
	}
	dmm_netlink_decided(sock_net(sk), &rec);
}

static bool slot_read(struct dmm_log *log, u32 nr, struct dmm_record *rec)
{
	struct dmm_slot *slot = &log->slots[nr & (records - 1)];
	bool ok;

	spin_lock(&slot->lock);
	ok = slot->used && slot->nr == nr;
	if (ok)
		*rec = slot->rec;
	spin_unlock(&slot->lock);
	return ok;
}

bool dmm_log_read(struct dmm_log *log, u32 *nr, struct dmm_record *rec)
{
	u32 end = (u32)atomic_read(&log->next);

	if (!READ_ONCE(log->slots))
		return false;
	/* All differences are modulo 2^32: the counter may wrap. */
	if (end - *nr > records)
		*nr = end - records;
	for (; *nr != end; ++*nr) {
		if (slot_read(log, *nr, rec)) {
			++*nr;
			return true;
		}
	}
	return false;
}

bool dmm_log_find(struct dmm_log *log, u64 cookie, struct dmm_record *rec)
{
	u32 end = (u32)atomic_read(&log->next);
	u32 i;

	if (!READ_ONCE(log->slots))
		return false;
	for (i = 1; i <= records; i++)
		if (slot_read(log, end - i, rec) && rec->cookie == cookie)
			return true;
	return false;
}
