// SPDX-License-Identifier: Apache-2.0
/*
 * The turns of a queue, and the threads that make them.
 *
 * A thread that waits in the kernel must wake up for dmm_queue_wake(), which may
 * be called from a signal handler at any instruction before that.  So the timeout
 * is in memory that it sets to zero before it sends a signal: either the kernel
 * reads zero, or the thread was waiting already and the signal ends that.
 */
#include "internal.h"

#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"

/* Nanoseconds: a sleep and a wake-up take some of them. */
#define SPIN_MAX	INT64_C(50000)

/* Somebody wants it to make a turn, or to come to an end. */
static bool is_called_back(const struct dmm_queue *q)
{
	return load_relaxed(&q->woken) || load_relaxed(&q->stack->stopping);
}

static int enter(struct dmm_queue *q, uint32_t flags, int64_t timeout)
{
	const struct dmm_device *d = &q->stack->device;
	int ret;

	q->enter.queue = q->index;
	q->enter.flags = flags;
	store_relaxed(&q->enter.timeout, timeout);
	full_barrier();
	if (is_called_back(q))
		store_relaxed(&q->enter.timeout, 0);
	q->stats.enters++;
	ret = d->ops->enter(d->dev, &q->enter);
	return ret == -EINTR || ret == -EAGAIN ? 0 : ret;
}

static void set_polls(struct dmm_queue *q, bool polls)
{
	if (q->polls == polls)
		return;
	q->polls = polls;
	store_relaxed(&q->area->polls, polls);
}

static bool has_work(struct dmm_queue *q)
{
	return dmm_down_there(q) || q->kicks || load_relaxed(&q->woken);
}

/* Hand over; while there are more up events than room in the ring, several times. */
static int hand_over(struct dmm_queue *q)
{
	uint32_t before;
	int ret;

	do {
		dmm_up_flush(q);
		if (!dmm_up_outstanding(q) && !load_relaxed(&q->kernel->held_back))
			return 0;
		before = q->up_head;
		ret = enter(q, 0, 0);
		if (ret)
			return ret;
		dmm_up_flush(q);
	} while (q->up_head != before);
	return 0;
}

/* The kernel looks at the ring once more before it sleeps, when "polls" is not set any more. */
static int sleep_down(struct dmm_queue *q, int64_t timeout)
{
	int ret;

	set_polls(q, false);
	store_relaxed(&q->sleeper, gettid());
	full_barrier();
	q->stats.waits++;
	ret = enter(q, DMM_ENTER_WAIT, timeout);
	store_relaxed(&q->sleeper, 0);
	set_polls(q, true);
	return ret;
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Look at the ring for a while.  True: there is something to do. */
static bool spin(struct dmm_queue *q)
{
	int64_t end = now() + q->spin;

	do {
		for (int i = 0; i < 64; i++) {
			if (has_work(q) || is_called_back(q))
				return true;
			pause_processor();
		}
	} while (now() < end);
	return false;
}

/*
 * Between two that are busy the next event comes sooner than a sleep and a wake-up
 * take: then look for it first, and as soon as that does not help, do not.
 */
static int wait(struct dmm_queue *q, int64_t timeout)
{
	int64_t start, slept;
	int ret = 0;

	if (!q->stack->spins)
		return sleep_down(q, timeout);
	if (q->spin) {
		if (dmm_up_outstanding(q))
			ret = enter(q, 0, 0);
		if (ret || spin(q))
			return ret;
	}
	start = now();
	ret = sleep_down(q, timeout);
	slept = now() - start;
	q->spin = slept < SPIN_MAX ? SPIN_MAX : 0;
	return ret;
}

static int64_t sooner(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/*
 * Calls come after the events that were there when they were given: hence all of
 * these first, those that found no room in the ring included.
 */
static int make_calls(struct dmm_queue *q)
{
	struct dmm_call *calls = dmm_calls_take(q), *call;
	uint32_t head = load_acquire(&q->kernel->down_head);
	int nr = 0, taken = 1;

	if (!calls)
		return 0;
	while (taken && ((int32_t)(head - q->down_tail) > 0 || load_relaxed(&q->kernel->held_back))) {
		/* What fails now fails again when the turn ends. */
		if (load_relaxed(&q->kernel->held_back))
			enter(q, 0, 0);
		taken = dmm_down_take(q);
		nr += taken;
	}
	while ((call = calls)) {
		calls = call->next;
		call->fn(call);
		nr++;
	}
	return nr;
}

/* Before the calls are looked at: those that come later wake it again. */
static void clear_woken(struct dmm_queue *q)
{
	if (load_relaxed(&q->woken))
		__atomic_exchange_n(&q->woken, 0, __ATOMIC_ACQ_REL);
}

/*
 * One turn.  What the callbacks said is handed over by the call that waits, if
 * the turn may wait after it has acted upon events: one system call less.
 */
static int turn(struct dmm_queue *q, int64_t timeout, bool wait_after_events)
{
	int nr, ret;

	set_polls(q, true);
	clear_woken(q);
	nr = dmm_down_take(q) + make_calls(q) + dmm_down_kicks(q);
	if (q->stack->ops->poll)
		timeout = sooner(timeout, q->stack->ops->poll(q));
	if ((nr && !wait_after_events) || !timeout || has_work(q)) {
		ret = hand_over(q);
	} else {
		/* Not all may have room. */
		dmm_up_flush(q);
		ret = q->pending ? hand_over(q) : 0;
		if (!ret && !q->pending)
			ret = wait(q, timeout);
	}
	return ret ? ret : nr;
}

DMM_EXPORT int dmm_stack_poll(struct dmm_queue *q, int64_t timeout)
{
	return turn(q, timeout, false);
}

DMM_EXPORT int dmm_stack_arm(struct dmm_queue *q)
{
	if (q->pending || dmm_up_outstanding(q) || has_work(q))
		return 1;
	set_polls(q, false);
	full_barrier();
	return has_work(q) || load_relaxed(&q->kernel->held_back);
}

static int queue_run(struct dmm_queue *q)
{
	int ret = 0;

	while (ret >= 0 && !load_relaxed(&q->stack->stopping))
		ret = turn(q, -1, true);
	/* What the last callbacks said. */
	if (ret >= 0)
		ret = hand_over(q);
	if (ret < 0)
		dmm_stack_stop(q->stack);
	return ret < 0 ? ret : 0;
}

static void *queue_thread(void *arg)
{
	struct dmm_queue *q = arg;

	q->result = queue_run(q);
	return NULL;
}

DMM_EXPORT void dmm_queue_wake(struct dmm_queue *q)
{
	const struct dmm_device *d = &q->stack->device;
	pid_t sleeper;

	__atomic_store_n(&q->woken, 1, __ATOMIC_RELEASE);
	full_barrier();
	store_relaxed(&q->enter.timeout, 0);
	full_barrier();
	sleeper = load_relaxed(&q->sleeper);
	if (sleeper)
		d->ops->wake(d->dev, sleeper);
}

DMM_EXPORT void dmm_stack_stop(struct dmm_stack *s)
{
	store_relaxed(&s->stopping, 1);
	for (unsigned int i = 0; i < s->reg.nr_queues; i++)
		dmm_queue_wake(&s->queues[i]);
}

static bool several_processors(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 1;
}

/* The first is the caller's. */
static int start_threads(struct dmm_stack *s, unsigned int *nr)
{
	int ret = 0;

	for (*nr = 1; *nr < s->reg.nr_queues && !ret; *nr += !ret) {
		struct dmm_queue *q = &s->queues[*nr];

		q->result = 0;
		ret = pthread_create(&q->thread, NULL, queue_thread, q);
	}
	return -ret;
}

/* The first error. */
static int join_threads(struct dmm_stack *s, unsigned int nr, int ret)
{
	for (unsigned int i = 1; i < nr; i++) {
		pthread_join(s->queues[i].thread, NULL);
		ret = ret ? ret : s->queues[i].result;
	}
	return ret;
}

DMM_EXPORT int dmm_stack_run(struct dmm_stack *s)
{
	unsigned int nr;
	int ret;

	s->spins = several_processors();
	ret = start_threads(s, &nr);
	if (ret)
		dmm_stack_stop(s);
	else
		ret = queue_run(&s->queues[0]);
	ret = join_threads(s, nr, ret);
	store_relaxed(&s->stopping, 0);
	return ret;
}
