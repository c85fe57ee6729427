// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event rings of an instance.
 *
 * Down events are not queued: what a connection has to say is a bit in
 * dmm_conn::pending, which becomes an event when there is room.  So an event
 * can wait without memory for it, and the stack cannot make the kernel hold
 * more of them than there are connections.
 */
#include "instance.h"

#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "conn.h"
#include "trace.h"

/* Areas. */

static int area_init(struct dmm_area *area, size_t size)
{
	unsigned int i;

	area->pages = kvcalloc(PFN_UP(size), sizeof(*area->pages), GFP_KERNEL_ACCOUNT);
	if (!area->pages)
		return -ENOMEM;
	for (i = 0; i < PFN_UP(size); i++) {
		area->pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!area->pages[i])
			return -ENOMEM;
		area->nr++;
	}
	area->mem = vmap(area->pages, area->nr, VM_MAP, PAGE_KERNEL);
	return area->mem ? 0 : -ENOMEM;
}

static void area_exit(struct dmm_area *area)
{
	unsigned int i;

	if (area->mem)
		vunmap(area->mem);
	for (i = 0; i < area->nr; i++)
		__free_page(area->pages[i]);
	kvfree(area->pages);
}

static int queue_init(struct dmm_queue *q, struct dmm_instance *inst, u32 nr)
{
	int err;

	q->inst = inst;
	q->nr = nr;
	init_waitqueue_head(&q->wait);
	mutex_init(&q->enter);
	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->held);
	INIT_LIST_HEAD(&q->resumed);
	err = area_init(&q->kernel_area, inst->reg.kernel_len);
	if (!err)
		err = area_init(&q->stack_area, inst->reg.stack_len);
	q->k = q->kernel_area.mem;
	q->s = q->stack_area.mem;
	return err;
}

int dmm_queues_init(struct dmm_instance *inst)
{
	struct dmm_register *reg = &inst->reg;
	u32 events = reg->nr_events * sizeof(struct dmm_event), i;
	int err;

	reg->kernel_len = PAGE_ALIGN(sizeof(struct dmm_kernel_area) + events);
	reg->stack_len = PAGE_ALIGN(sizeof(struct dmm_stack_area) + events);
	reg->queue_step = reg->kernel_len + reg->stack_len;
	reg->kernel_off = 0;
	reg->stack_off = reg->kernel_len;

	inst->queues = kvcalloc(reg->nr_queues, sizeof(*inst->queues), GFP_KERNEL_ACCOUNT);
	if (!inst->queues)
		return -ENOMEM;
	for (i = 0; i < reg->nr_queues; i++) {
		err = queue_init(&inst->queues[i], inst, i);
		if (err)
			return err;
	}
	return 0;
}

void dmm_queues_exit(struct dmm_instance *inst)
{
	u32 i;

	for (i = 0; inst->queues && i < inst->reg.nr_queues; i++) {
		area_exit(&inst->queues[i].kernel_area);
		area_exit(&inst->queues[i].stack_area);
	}
	kvfree(inst->queues);
}

struct dmm_area *dmm_queue_area(struct dmm_instance *inst, u64 off, bool *writable)
{
	u32 rest;
	u64 nr = div_u64_rem(off, inst->reg.queue_step, &rest);

	if (nr >= inst->reg.nr_queues)
		return NULL;
	*writable = rest;
	return !rest ? &inst->queues[nr].kernel_area :
	       rest == inst->reg.kernel_len ? &inst->queues[nr].stack_area : NULL;
}

/* The down ring. */

/* Under q->lock. */
static u32 room(struct dmm_queue *q)
{
	u32 nr = q->inst->reg.nr_events;
	u32 used = (u32)q->down_head - smp_load_acquire(&q->s->down_tail);

	if (used > nr) {
		dmm_instance_break(q->inst);
		return 0;
	}
	return nr - used;
}

static struct dmm_event *slot(struct dmm_queue *q)
{
	struct dmm_event *ev = &q->k->down[q->down_head & (q->inst->reg.nr_events - 1)];

	memset(ev, 0, sizeof(*ev));
	return ev;
}

static void submit(struct dmm_queue *q, const struct dmm_event *ev)
{
	trace_dmm_event_down(q, ev);
	q->down_head++;
	q->events_down++;
	smp_store_release(&q->k->down_head, (u32)q->down_head);
}

/* What a stack hears first of a connection, and a successor of all before it hears more of any. */
#define OPENING	(BIT(DMM_EV_CONNECT) | BIT(DMM_EV_LISTEN) | BIT(DMM_EV_BIND) | BIT(DMM_EV_RESUME))

/* In the order in which the stack has to hear of them. */
static const u8 order[] = {
	DMM_EV_CONNECT, DMM_EV_LISTEN, DMM_EV_BIND, DMM_EV_ACCEPT, DMM_EV_RESUME,
	DMM_EV_OPTION, DMM_EV_TX_DATA, DMM_EV_RX_SPACE, DMM_EV_SHUTDOWN, DMM_EV_CLOSE,
};

/* Of its events, these.  False: there was not room for all. */
static bool emit(struct dmm_queue *q, struct dmm_conn *conn, u32 events)
{
	u32 left = room(q);
	struct dmm_event *ev;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(order) && conn->pending & events; i++) {
		if (!(conn->pending & events & BIT(order[i])))
			continue;
		if (!left--)
			return false;
		ev = slot(q);
		dmm_conn_describe(conn, order[i], ev);
		conn->pending &= ~BIT(order[i]);
		submit(q, ev);
		if (order[i] == DMM_EV_TX_DATA)
			conn->tx_told = q->down_head;
		else if (order[i] == DMM_EV_RX_SPACE)
			conn->rx_told = q->down_head;
	}
	return true;
}

static void hold(struct dmm_queue *q, struct dmm_conn *conn)
{
	list_add_tail(&conn->held, &q->held);
	dmm_conn_get(conn);
	WRITE_ONCE(q->k->held_back, 1);
}

/*
 * Partner of the barrier between the stack's write to "polls" and its look, and of
 * that of who waits, between getting into the wait queue and looking.
 */
static void wake(struct dmm_queue *q)
{
	lockdep_assert_held(&q->lock);
	smp_mb();
	if (READ_ONCE(q->s->polls) || !waitqueue_active(&q->wait))
		return;
	q->wake_ups++;
	trace_dmm_wake_up(q);
	wake_up_interruptible(&q->wait);
}

void dmm_queue_post(struct dmm_conn *conn, u32 events)
{
	struct dmm_queue *q = conn->queue;

	spin_lock(&q->lock);
	/* What is held is brought or dropped, and of one that is gone nobody does. */
	if (!conn->mute)
		conn->pending |= events;
	if (conn->pending && list_empty(&conn->held) &&
	    (q->resuming || !list_empty(&q->held) || !emit(q, conn, ~0u)))
		hold(q, conn);
	wake(q);
	spin_unlock(&q->lock);
}

void dmm_queue_drop(struct dmm_conn *conn)
{
	struct dmm_queue *q = conn->queue;
	bool held;

	spin_lock(&q->lock);
	conn->mute = true;
	conn->pending = 0;
	held = !list_empty(&conn->held);
	if (held)
		list_del_init(&conn->held);
	spin_unlock(&q->lock);
	if (held)
		dmm_conn_put(conn);
}

bool dmm_queue_has_room(struct dmm_queue *q)
{
	bool ok;

	spin_lock(&q->lock);
	ok = room(q);
	spin_unlock(&q->lock);
	return ok;
}

bool dmm_queue_refuse(struct dmm_queue *q, u64 token, u64 listener, int err)
{
	struct dmm_event *ev;
	bool ok;

	spin_lock(&q->lock);
	ok = room(q);
	if (ok) {
		ev = slot(q);
		ev->type = DMM_EV_REFUSE;
		ev->value = err;
		ev->answer.token = token;
		ev->answer.listener = listener;
		submit(q, ev);
	}
	spin_unlock(&q->lock);
	return ok;
}

/*
 * The connection whose events waited longest, with a reference, if they all could
 * be told now.  What is not OPENING waits until that of all others is told.
 */
static struct dmm_conn *bring_first(struct dmm_queue *q)
{
	struct dmm_conn *conn;

	spin_lock(&q->lock);
	conn = list_first_entry_or_null(&q->held, struct dmm_conn, held);
	if (q->resuming) {
		conn = NULL;
	} else if (!conn) {
		WRITE_ONCE(q->k->held_back, 0);
	} else if (!emit(q, conn, conn->pending & OPENING ?: ~0u)) {
		conn = NULL;
	} else if (conn->pending) {
		dmm_conn_get(conn);
		list_move_tail(&conn->held, &q->held);
	} else {
		list_del_init(&conn->held);
	}
	spin_unlock(&q->lock);
	return conn;
}

static void bring_held(struct dmm_queue *q)
{
	struct dmm_conn *conn;

	while ((conn = bring_first(q))) {
		dmm_conn_put(conn);
		cond_resched();
	}
}

/* The up ring. */

static void take_up(struct dmm_queue *q)
{
	u32 nr = q->inst->reg.nr_events, head, left;
	struct dmm_event ev;

	head = smp_load_acquire(&q->s->up_head);
	left = head - q->up_tail;
	if (left > nr) {
		dmm_instance_break(q->inst);
		return;
	}
	for (; left; left--) {
		/* Read once: the stack can write there at any time. */
		memcpy(&ev, &q->s->up[q->up_tail & (nr - 1)], sizeof(ev));
		barrier();
		trace_dmm_event_up(q, &ev);
		if (!dmm_conn_event(q, &ev))
			break;
		q->up_tail++;
		q->events_up++;
		smp_store_release(&q->k->up_tail, q->up_tail);
		if (need_resched())
			cond_resched();
	}
}

void dmm_queue_reset(struct dmm_queue *q)
{
	mutex_lock(&q->enter);
	take_up(q);
	spin_lock(&q->lock);
	q->down_head -= (u32)q->down_head - smp_load_acquire(&q->s->down_tail);
	smp_store_release(&q->k->down_head, (u32)q->down_head);
	q->resuming = true;
	spin_unlock(&q->lock);
	mutex_unlock(&q->enter);
	wake_up_interruptible_all(&q->wait);
}

void dmm_queue_resume(struct dmm_conn *conn, u32 events)
{
	struct dmm_queue *q = conn->queue;

	spin_lock(&q->lock);
	conn->tx_told = 0;
	conn->rx_told = 0;
	if (events && !conn->mute) {
		conn->pending = events;
		if (list_empty(&conn->held))
			dmm_conn_get(conn);
		list_move_tail(&conn->held, &q->resumed);
	}
	spin_unlock(&q->lock);
}

void dmm_queue_resumed(struct dmm_queue *q)
{
	spin_lock(&q->lock);
	q->resuming = false;
	list_splice_init(&q->resumed, &q->held);
	if (!list_empty(&q->held))
		WRITE_ONCE(q->k->held_back, 1);
	wake(q);
	spin_unlock(&q->lock);
	bring_held(q);
}

bool dmm_queue_taken(const struct dmm_queue *q, u64 before)
{
	u32 tail = READ_ONCE(q->s->down_tail);
	u64 head = READ_ONCE(q->down_head);

	return head - (u32)((u32)head - tail) >= before;
}

bool dmm_queue_ready(struct dmm_queue *q)
{
	return (u32)READ_ONCE(q->down_head) != READ_ONCE(q->s->down_tail) ||
	       READ_ONCE(q->k->held_back);
}

void dmm_queue_stats(const struct dmm_instance *inst, struct dmm_queue_stats *stats)
{
	const struct dmm_queue *q;

	memset(stats, 0, sizeof(*stats));
	for (q = inst->queues; q < inst->queues + inst->reg.nr_queues; q++) {
		stats->enters += READ_ONCE(q->enters);
		stats->wake_ups += READ_ONCE(q->wake_ups);
		stats->events_down += READ_ONCE(q->events_down);
		stats->events_up += READ_ONCE(q->events_up);
	}
}

static bool stale(const struct dmm_instance *inst)
{
	return READ_ONCE(inst->pid) != task_tgid(current);
}

static int wait_down(struct dmm_queue *q, s64 timeout)
{
	struct dmm_instance *inst = q->inst;
	int err;

	if (timeout < 0)
		return wait_event_interruptible(q->wait, dmm_queue_ready(q) ||
						READ_ONCE(inst->broken) || stale(inst));
	err = wait_event_interruptible_hrtimeout(q->wait,
						 dmm_queue_ready(q) ||
						 READ_ONCE(inst->broken) || stale(inst),
						 ns_to_ktime(timeout));
	return err == -ETIME ? 0 : err;
}

int dmm_queue_enter(struct dmm_instance *inst, const struct dmm_enter *enter,
		    bool nonblock)
{
	struct dmm_queue *q;
	int err = 0;

	if (enter->flags & ~DMM_ENTER_WAIT || enter->queue >= inst->reg.nr_queues)
		return -EINVAL;
	if (READ_ONCE(inst->broken))
		return -EIO;
	q = &inst->queues[array_index_nospec(enter->queue, inst->reg.nr_queues)];
	if (nonblock) {
		if (!mutex_trylock(&q->enter))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&q->enter)) {
		return -EINTR;
	}
	q->enters++;
	if (stale(inst)) {
		err = -ESTALE;
	} else {
		take_up(q);
		if (READ_ONCE(q->k->held_back))
			bring_held(q);
	}
	mutex_unlock(&q->enter);
	if (!err && enter->flags & DMM_ENTER_WAIT && enter->timeout)
		err = wait_down(q, enter->timeout);
	if (err == -ERESTARTSYS)
		err = -EINTR;
	if (READ_ONCE(inst->broken))
		err = -EIO;
	return err;
}
