// SPDX-License-Identifier: GPL-2.0-only
#include "connect.h"

#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/inet_common.h>
#include <net/sock.h>

#include "conn.h"
#include "instance.h"
#include "negative.h"
#include "net.h"
#include "options.h"
#include "record.h"
#include "sock.h"

/* How long an attempt may take if the rule does not say: milliseconds. */
#define ATTEMPT_TIMEOUT	10000

/**
 * struct attempt - one stack that was asked
 * @conn:	its connection; a reference.  NULL: the attempt is over
 * @end:	when its time is over, jiffies
 */
struct attempt {
	struct dmm_conn *conn;
	unsigned long end;
};

/**
 * struct dmm_connect - see connect.h
 * @ref:	references
 * @step:	one step at a time; outside of @lock
 * @work:	the next step
 * @addr:	where to
 * @addrlen:	of @addr
 * @flow:	as decided
 * @plan:	the stacks to try
 * @opts:	options of the rule, for the kernel's TCP
 * @decision:	the decision, of which the stack changes with each attempt
 * @lock:	guards what follows
 * @sk:		the socket, NULL when it is closed.  While it is not, its struct
 *		socket is there: closing waits for the work
 * @state:	enum dmm_connect_state
 * @err:	of the last attempt that failed
 * @nr:		attempts made
 * @live:	attempts under way
 * @attempt:	attempts, by their place in the plan
 */
struct dmm_connect {
	refcount_t ref;
	struct mutex step;
	struct delayed_work work;
	struct sockaddr_storage addr;
	int addrlen;
	struct dmm_flow flow;
	struct dmm_plan plan;
	struct dmm_sockopts opts;
	struct dmm_decision decision;

	spinlock_t lock;
	struct sock *sk;
	u8 state;
	int err;
	u8 nr;
	u8 live;
	struct attempt attempt[DMM_STACKS_MAX];
};

static struct workqueue_struct *connect_wq;

struct dmm_connect *dmm_connect_get(struct dmm_connect *c)
{
	refcount_inc(&c->ref);
	return c;
}

void dmm_connect_put(struct dmm_connect *c)
{
	if (refcount_dec_and_test(&c->ref))
		kfree(c);
}

u8 dmm_connect_state(const struct dmm_connect *c)
{
	return smp_load_acquire(&c->state);
}

/* Under c->lock. */
static void finish(struct dmm_connect *c, u8 state)
{
	lockdep_assert_held(&c->lock);
	smp_store_release(&c->state, state);
}

/*
 * Pending work has a reference.  None is queued once the socket is closed: while
 * dmm_connect_cancel() cancels it, it would not be, and nobody would say so.
 */
static void next_step(struct dmm_connect *c, unsigned long delay)
{
	spin_lock(&c->lock);
	if (c->sk) {
		dmm_connect_get(c);
		/* Pending already: not the last reference, the caller has one. */
		if (mod_delayed_work(connect_wq, &c->work, delay))
			dmm_connect_put(c);
	}
	spin_unlock(&c->lock);
}

/* Answers. */

/* Under c->lock.  True: it was under way, and the attempt's reference is ours. */
static bool end_attempt(struct dmm_connect *c, const struct dmm_conn *conn)
{
	unsigned int i;

	lockdep_assert_held(&c->lock);
	for (i = 0; i < c->nr; i++) {
		if (c->attempt[i].conn == conn) {
			c->attempt[i].conn = NULL;
			c->live--;
			return true;
		}
	}
	return false;
}

/* Under c->lock. */
static void note_failure(struct dmm_connect *c, const struct dmm_conn *conn, int err)
{
	if (c->sk)
		dmm_negative_note(sock_net(c->sk), conn->inst, &c->flow, err);
}

void dmm_connect_won(struct dmm_connect *c, struct dmm_conn *conn)
{
	struct sock *sk;
	bool won;

	spin_lock(&c->lock);
	sk = c->sk;
	won = sk && c->state == DMM_CONNECT_RUNNING && end_attempt(c, conn);
	if (won) {
		strscpy(c->decision.stack, conn->inst->reg.name,
			sizeof(c->decision.stack));
		dmm_sock_set_conn(sk, conn, &c->decision);
		dmm_conn_attach(conn, sk);
		finish(c, DMM_CONNECT_WON);
		dmm_negative_clear(sock_net(sk), conn->inst, &c->flow);
		sk->sk_state_change(sk);
		sk_wake_async(sk, SOCK_WAKE_IO, POLL_OUT);
	}
	spin_unlock(&c->lock);
	if (won)
		dmm_conn_put(conn);
	/* The others are given up, or this one, if it comes too late. */
	next_step(c, 0);
	dmm_connect_put(c);
}

void dmm_connect_lost(struct dmm_connect *c, struct dmm_conn *conn, int err)
{
	bool ours;

	spin_lock(&c->lock);
	ours = end_attempt(c, conn);
	if (ours) {
		c->err = err;
		note_failure(c, conn, err);
	}
	spin_unlock(&c->lock);
	if (ours)
		dmm_conn_put(conn);
	next_step(c, 0);
	dmm_connect_put(c);
}

/* Steps. */

/* Give up attempts: all when it is decided, else those whose time is over. */
static void give_up(struct dmm_connect *c)
{
	struct dmm_conn *conn;
	unsigned int i;

	for (i = 0; i < c->nr; i++) {
		spin_lock(&c->lock);
		conn = c->attempt[i].conn;
		if (conn && c->state == DMM_CONNECT_RUNNING &&
		    time_before(jiffies, c->attempt[i].end))
			conn = NULL;
		if (conn) {
			c->attempt[i].conn = NULL;
			c->live--;
			if (c->state == DMM_CONNECT_RUNNING) {
				c->err = -ETIMEDOUT;
				note_failure(c, conn, -ETIMEDOUT);
			}
		}
		spin_unlock(&c->lock);
		if (conn)
			dmm_conn_close(conn, true);
	}
}

static void open_of(struct dmm_open *open, const struct dmm_flow *flow)
{
	memset(open, 0, sizeof(*open));
	memcpy(open->local, &flow->src, sizeof(open->local));
	memcpy(open->remote, &flow->dst, sizeof(open->remote));
	open->lport = htons(flow->sport);
	open->rport = htons(flow->dport);
	open->family = flow->family;
	open->type = flow->type;
}

static struct dmm_conn *attempt_make(struct dmm_connect *c, struct sock *sk,
				     const char *stack)
{
	struct dmm_instance *inst;
	struct dmm_open open;
	struct dmm_conn *conn;
	u32 netns;

	inst = dmm_instance_find(sock_net(sk), stack, &c->flow, c->plan.failing,
				 &netns);
	if (!inst)
		return ERR_PTR(-ECONNREFUSED);
	open_of(&open, &c->flow);
	conn = dmm_conn_new(inst, NULL, DMM_CONN_STREAM, &open, netns, sk);
	dmm_instance_put(inst);
	return conn;
}

static void note_error(struct dmm_connect *c, int err)
{
	spin_lock(&c->lock);
	c->err = err;
	spin_unlock(&c->lock);
}

/* Ask a stack of the plan.  False: it could not be asked. */
static bool attempt(struct dmm_connect *c, struct sock *sk, unsigned int i)
{
	u32 timeout = c->plan.timeout ?: ATTEMPT_TIMEOUT;
	struct dmm_conn *conn = attempt_make(c, sk, c->plan.stack[i]);
	bool ours;
	int err;

	if (IS_ERR(conn)) {
		note_error(c, PTR_ERR(conn));
		return false;
	}
	conn->connect = dmm_connect_get(c);
	spin_lock(&c->lock);
	dmm_conn_get(conn);
	c->attempt[i].conn = conn;
	c->attempt[i].end = jiffies + msecs_to_jiffies(timeout);
	c->live++;
	spin_unlock(&c->lock);
	err = dmm_conn_publish(conn);
	if (!err) {
		atomic64_inc(&conn->inst->stats.connects);
		dmm_queue_post(conn, BIT(DMM_EV_CONNECT));
	} else {
		note_error(c, err);
		spin_lock(&c->lock);
		ours = end_attempt(c, conn);
		spin_unlock(&c->lock);
		if (ours)
			dmm_conn_put(conn);
	}
	dmm_conn_put(conn);
	return !err;
}

/*
 * No user stack has made it: the kernel's TCP connects, without waiting.  The
 * hand-over is left to the next system call on the socket (native.h).
 */
static void connect_kernel(struct dmm_connect *c, struct sock *sk)
{
	struct socket *sock = sk->sk_socket;
	int err = 0;

	dmm_sockopts_apply(sock, &c->opts);
	lock_sock(sk);
	if (sk->sk_state == TCP_CLOSE) {
		sock->state = SS_UNCONNECTED;
		err = __inet_stream_connect(sock, (struct sockaddr *)&c->addr,
					    c->addrlen, O_NONBLOCK, 0);
		if (err && err != -EINPROGRESS)
			WRITE_ONCE(sk->sk_err, -err);
		else
			sock->state = SS_CONNECTING; /* the next connect() says 0 */
	}
	release_sock(sk);
	strscpy(c->decision.stack, dmm_stack_kernel, sizeof(c->decision.stack));
	c->decision.reason = DMM_REASON_FALLBACK;
	dmm_sock_set_kernel(sk, &c->decision);
	spin_lock(&c->lock);
	finish(c, DMM_CONNECT_KERNEL);
	spin_unlock(&c->lock);
	sk->sk_state_change(sk);
}

static void all_failed(struct dmm_connect *c, struct sock *sk)
{
	spin_lock(&c->lock);
	/* Who sees the end of it finds the error. */
	if (c->sk)
		WRITE_ONCE(sk->sk_err, -c->err);
	finish(c, DMM_CONNECT_FAILED);
	if (c->sk) {
		sk_error_report(sk);
		sk->sk_state_change(sk);
	}
	spin_unlock(&c->lock);
}

static bool kernel_is_next(const struct dmm_connect *c)
{
	return !strcmp(c->plan.stack[c->nr], dmm_stack_kernel);
}

/* Start the next attempt that can be started. */
static void advance(struct dmm_connect *c, struct sock *sk)
{
	while (c->nr < c->plan.nr) {
		if (kernel_is_next(c)) {
			/* It joins no race: its peer would see the loser. */
			if (READ_ONCE(c->live))
				return;
			connect_kernel(c, sk);
			return;
		}
		if (c->nr)
			c->decision.reason = DMM_REASON_FALLBACK;
		if (attempt(c, sk, c->nr++))
			return;
	}
	if (!READ_ONCE(c->live))
		all_failed(c, sk);
}

/* When something is due if nothing happens. */
static unsigned long delay(struct dmm_connect *c)
{
	unsigned long at = jiffies + MAX_JIFFY_OFFSET / 2;
	unsigned int i;

	spin_lock(&c->lock);
	for (i = 0; i < c->nr; i++)
		if (c->attempt[i].conn && time_before(c->attempt[i].end, at))
			at = c->attempt[i].end;
	spin_unlock(&c->lock);
	if (c->plan.race && c->nr < c->plan.nr &&
	    time_before(jiffies + msecs_to_jiffies(c->plan.race), at))
		at = jiffies + msecs_to_jiffies(c->plan.race);
	return time_after(at, jiffies) ? at - jiffies : 0;
}

static void step(struct dmm_connect *c)
{
	struct sock *sk;

	mutex_lock(&c->step);
	give_up(c);
	sk = READ_ONCE(c->sk);
	if (sk && dmm_connect_state(c) == DMM_CONNECT_RUNNING &&
	    (!READ_ONCE(c->live) || c->plan.race))
		advance(c, sk);
	if (dmm_connect_state(c) == DMM_CONNECT_RUNNING)
		next_step(c, delay(c));
	mutex_unlock(&c->step);
}

static void connect_work(struct work_struct *work)
{
	struct dmm_connect *c = container_of(to_delayed_work(work), struct dmm_connect,
					     work);

	step(c);
	dmm_connect_put(c);
}

/* The socket's side. */

int dmm_connect_start(struct socket *sock, const struct sockaddr *addr, int len,
		      const struct dmm_flow *flow, const struct dmm_decision *d,
		      const struct dmm_plan *plan, const struct dmm_sockopts *opts)
{
	struct sock *sk = sock->sk;
	struct dmm_connect *c;

	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return -ENOMEM;
	refcount_set(&c->ref, 1);
	mutex_init(&c->step);
	INIT_DELAYED_WORK(&c->work, connect_work);
	spin_lock_init(&c->lock);
	memcpy(&c->addr, addr, min_t(int, len, sizeof(c->addr)));
	c->addrlen = len;
	c->flow = *flow;
	c->flow.sk = NULL;
	c->plan = *plan;
	c->opts = *opts;
	c->decision = *d;
	c->err = -ECONNREFUSED;
	c->sk = sk;
	if (!dmm_sock_set_connecting(sk, c, d)) {
		dmm_connect_put(c);
		return -EALREADY;
	}
	sock->state = SS_CONNECTING;
	WRITE_ONCE(sk->sk_err, 0);
	step(c);
	dmm_connect_put(c);
	return 0;
}

static int wait_outcome(struct sock *sk, struct dmm_connect *c, long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	while (dmm_connect_state(c) == DMM_CONNECT_RUNNING) {
		if (!timeo) {
			err = -EINPROGRESS;
			break;
		}
		if (signal_pending(current)) {
			err = sock_intr_errno(timeo);
			break;
		}
		timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* All failed: as of TCP, the error is told once and the socket can try again. */
static int take_failure(struct socket *sock)
{
	int err = sock_error(sock->sk) ?: -ECONNABORTED;
	struct dmm_sock_refs refs;

	sock->state = SS_UNCONNECTED;
	dmm_sock_detach(sock->sk, &refs);
	if (refs.connect)
		dmm_connect_cancel(refs.connect);
	return err;
}

const struct dmm_flow *dmm_connect_flow(const struct dmm_connect *c)
{
	return &c->flow;
}

int dmm_connect_wait(struct socket *sock, int flags, bool again)
{
	struct sock *sk = sock->sk;
	long timeo = sock_sndtimeo(sk, flags & O_NONBLOCK);
	struct dmm_connect *c = dmm_sock_connect(sk);
	int err;

	if (!c)
		return -EALREADY;
	err = wait_outcome(sk, c, timeo);
	if (err) {
		if (err == -EINPROGRESS && again)
			err = -EALREADY;
	} else {
		switch (dmm_connect_state(c)) {
		case DMM_CONNECT_WON:
			sock->state = SS_CONNECTED;
			break;
		case DMM_CONNECT_KERNEL:
			err = 1;
			break;
		default:
			err = take_failure(sock);
		}
	}
	dmm_connect_put(c);
	return err;
}

void dmm_connect_cancel(struct dmm_connect *c)
{
	spin_lock(&c->lock);
	c->sk = NULL;
	if (c->state == DMM_CONNECT_RUNNING)
		finish(c, DMM_CONNECT_FAILED);
	spin_unlock(&c->lock);
	if (cancel_delayed_work_sync(&c->work))
		dmm_connect_put(c);
	mutex_lock(&c->step);
	give_up(c);
	mutex_unlock(&c->step);
	dmm_connect_put(c);
}

int __init dmm_connect_init(void)
{
	connect_wq = alloc_workqueue("dmm_connect", WQ_UNBOUND, 0);
	return connect_wq ? 0 : -ENOMEM;
}

void dmm_connect_exit(void)
{
	destroy_workqueue(connect_wq);
}
