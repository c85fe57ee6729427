// SPDX-License-Identifier: GPL-2.0-only
#include "connect.h"

#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/tcp.h>
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
 * @step:	one step at a time; outside of the socket's lock and @lock
 * @work:	the next step
 * @moved:	in the socket's wait queue while @racing
 * @addr:	where to
 * @addrlen:	of @addr
 * @flow:	as decided
 * @plan:	the stacks to try
 * @opts:	options of the rule, for the kernel's TCP
 * @decision:	the decision, of which the outcome may change stack and reason
 * @caller:	who has called connect()
 * @lock:	guards what follows
 * @sk:		the socket, NULL when it is closed.  While it is not, its struct
 *		socket is there: closing waits for the work
 * @state:	enum dmm_connect_state
 * @err:	of the last attempt that failed
 * @nr:		attempts made
 * @live:	attempts under way
 * @racing:	the kernel's TCP connects beside them; changed under @step, too
 * @fell_back:	the outcome is another stack than the decision's
 * @winner:	one that has won while @racing: it waits until the kernel's TCP
 *		is stopped.  NULL: none
 * @attempt:	attempts, by their place in the plan
 */
struct dmm_connect {
	refcount_t ref;
	struct mutex step;
	struct delayed_work work;
	struct wait_queue_entry moved;
	struct sockaddr_storage addr;
	int addrlen;
	struct dmm_flow flow;
	struct dmm_plan plan;
	struct dmm_sockopts opts;
	struct dmm_decision decision;
	struct dmm_caller caller;

	spinlock_t lock;
	struct sock *sk;
	u8 state;
	int err;
	u8 nr;
	u8 live;
	bool racing;
	bool fell_back;
	struct attempt *winner;
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

static bool running(const struct dmm_connect *c)
{
	return dmm_connect_state(c) == DMM_CONNECT_RUNNING;
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
 * What is due at once is not put off by what is due later.
 */
static void next_step(struct dmm_connect *c, unsigned long delay)
{
	bool pending;

	spin_lock(&c->lock);
	if (c->sk) {
		dmm_connect_get(c);
		if (delay)
			pending = !queue_delayed_work(connect_wq, &c->work, delay);
		else
			pending = mod_delayed_work(connect_wq, &c->work, 0);
		/* Not the last reference, the caller has one. */
		if (pending)
			dmm_connect_put(c);
	}
	spin_unlock(&c->lock);
}

/* Answers. */

/* Under c->lock: the attempt of a connection, or NULL if it is over. */
static struct attempt *attempt_of(struct dmm_connect *c, const struct dmm_conn *conn)
{
	unsigned int i;

	lockdep_assert_held(&c->lock);
	for (i = 0; i < c->nr; i++)
		if (c->attempt[i].conn == conn)
			return &c->attempt[i];
	return NULL;
}

/* Under c->lock: it is over, and its reference to the connection the caller's. */
static struct dmm_conn *end_attempt(struct dmm_connect *c, struct attempt *a)
{
	struct dmm_conn *conn = a->conn;

	lockdep_assert_held(&c->lock);
	a->conn = NULL;
	c->live--;
	return conn;
}

/* Under c->lock. */
static void note_failure(struct dmm_connect *c, const struct dmm_conn *conn, int err)
{
	if (c->sk)
		dmm_negative_note(sock_net(c->sk), conn->inst, &c->flow, err);
}

/* Under c->lock: the outcome is another one than the first of the plan. */
static void fall_back(struct dmm_connect *c)
{
	c->fell_back = true;
	c->decision.reason = DMM_REASON_FALLBACK;
}

/*
 * Under c->lock: the socket gets its connection.  NULL: another thread has put an
 * end to connecting, and cancels it.
 */
static struct dmm_conn *take(struct dmm_connect *c, struct sock *sk, struct attempt *a)
{
	struct dmm_conn *conn = a->conn;

	if (a != c->attempt)
		fall_back(c);
	strscpy(c->decision.stack, conn->inst->reg.name, sizeof(c->decision.stack));
	if (!dmm_sock_set_conn(sk, c, conn, &c->decision))
		return NULL;
	end_attempt(c, a);
	/* Of an unbound one, for getsockname() after a disconnect. */
	if (!inet_sk(sk)->inet_num)
		inet_sk(sk)->inet_sport = conn->open.lport;
	dmm_conn_attach(conn, sk);
	finish(c, DMM_CONNECT_WON);
	dmm_negative_clear(sock_net(sk), conn->inst, &c->flow);
	sk->sk_state_change(sk);
	sk_wake_async(sk, SOCK_WAKE_IO, POLL_OUT);
	WRITE_ONCE(conn->told, true);
	return conn;
}

static void won(struct dmm_connect *c, struct dmm_conn *conn)
{
	struct dmm_conn *taken = NULL;
	struct attempt *a = NULL;
	bool done;

	spin_lock(&c->lock);
	if (c->sk && c->state == DMM_CONNECT_RUNNING && !c->winner)
		a = attempt_of(c, conn);
	if (a && c->racing)
		c->winner = a;
	else if (a)
		taken = take(c, c->sk, a);
	done = taken && !c->live && !c->fell_back;
	spin_unlock(&c->lock);
	if (taken)
		dmm_conn_put(taken);
	/*
	 * The others are given up, or this one, if it comes too late; and what
	 * was recorded is corrected.
	 */
	if (!done)
		next_step(c, 0);
	else if (cancel_delayed_work(&c->work))
		dmm_connect_put(c);
	dmm_connect_put(c);
}

static void lost(struct dmm_connect *c, struct dmm_conn *conn, int err)
{
	struct dmm_conn *ours = NULL;
	struct attempt *a;

	spin_lock(&c->lock);
	a = attempt_of(c, conn);
	if (a) {
		ours = end_attempt(c, a);
		c->err = err;
		note_failure(c, conn, err);
	}
	spin_unlock(&c->lock);
	if (ours)
		dmm_conn_put(ours);
	next_step(c, 0);
	dmm_connect_put(c);
}

void dmm_connect_answer(struct dmm_connect *c, struct dmm_conn *conn, int err)
{
	if (err)
		lost(c, conn, err);
	else
		won(c, conn);
}

/* Steps. */

/* Under c->lock: is it to be given up?  All are when it is decided. */
static bool is_over(const struct dmm_connect *c, const struct attempt *a)
{
	if (!a->conn)
		return false;
	if (c->state != DMM_CONNECT_RUNNING)
		return true;
	return a != c->winner && !time_before(jiffies, a->end);
}

static void give_up(struct dmm_connect *c)
{
	struct dmm_conn *conn;
	unsigned int i;

	for (i = 0; i < c->nr; i++) {
		conn = NULL;
		spin_lock(&c->lock);
		if (is_over(c, &c->attempt[i]))
			conn = end_attempt(c, &c->attempt[i]);
		if (conn && c->state == DMM_CONNECT_RUNNING) {
			c->err = -ETIMEDOUT;
			note_failure(c, conn, -ETIMEDOUT);
		}
		spin_unlock(&c->lock);
		if (conn)
			dmm_conn_close(conn, true);
	}
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
	dmm_open_init(&open, &c->flow);
	memcpy(open.remote, &c->flow.dst, sizeof(open.remote));
	open.rport = htons(c->flow.dport);
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
	struct dmm_conn *ours = NULL;
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
		if (attempt_of(c, conn))
			ours = end_attempt(c, &c->attempt[i]);
		spin_unlock(&c->lock);
		if (ours)
			dmm_conn_put(ours);
	}
	dmm_conn_put(conn);
	return !err;
}

/*
 * TCP_FASTOPEN_CONNECT would put the connect off until data is sent, and the
 * application waits for this one already.
 */
static int connect_now(struct dmm_connect *c, struct socket *sock)
{
	struct tcp_sock *tp = tcp_sk(sock->sk);
	bool fast = tp->fastopen_connect;
	int err;

	tp->fastopen_connect = 0;
	err = __inet_stream_connect(sock, (struct sockaddr *)&c->addr, c->addrlen,
				    O_NONBLOCK, 0);
	tp->fastopen_connect = fast;
	return err;
}

/*
 * The kernel's TCP, on the socket itself.  It is asked when no user stack has
 * made it, and does the rest alone: the hand-over is left to the next system
 * call on the socket (native.h).  In a race it is asked beside them, watched
 * through the socket's wait queue, and stopped if it loses.
 */

static int start_kernel(struct dmm_connect *c, struct sock *sk)
{
	struct socket *sock = sk->sk_socket;
	int err = 0;

	dmm_sockopts_apply(sock, &c->opts);
	lock_sock(sk);
	if (sk->sk_state == TCP_CLOSE) {
		sock->state = SS_UNCONNECTED;
		err = connect_now(c, sock);
		if (!err || err == -EINPROGRESS)
			sock->state = SS_CONNECTING; /* the next connect() says 0 */
	}
	release_sock(sk);
	return err == -EINPROGRESS ? 0 : err;
}

/*
 * Who sleeps in connect() goes on.  Who polls hears of it when TCP has an answer:
 * io_uring takes a wake-up for one, and asks again too early.  An answer that is
 * there already was not seen before the socket's state said whom to ask.
 */
static void wake_connector(struct sock *sk)
{
	smp_mb();
	if ((1 << inet_sk_state_load(sk)) & (TCPF_SYN_SENT | TCPF_SYN_RECV))
		wake_up_interruptible_poll(sk_sleep(sk), EPOLLMSG);
	else
		sk->sk_state_change(sk);
}

/* False: a user stack has won meanwhile, or another thread has put an end to it. */
static bool leave_to_kernel(struct dmm_connect *c, struct sock *sk)
{
	bool left;

	spin_lock(&c->lock);
	left = c->state == DMM_CONNECT_RUNNING && !c->winner;
	if (left) {
		fall_back(c);
		strscpy(c->decision.stack, dmm_stack_kernel, sizeof(c->decision.stack));
		left = dmm_sock_set_kernel(sk, c, &c->decision);
	}
	if (left) {
		finish(c, DMM_CONNECT_KERNEL);
		c->racing = false;
	}
	spin_unlock(&c->lock);
	if (left)
		wake_connector(sk);
	return left;
}

static void connect_kernel(struct dmm_connect *c, struct sock *sk)
{
	int err = start_kernel(c, sk);

	if (err)
		WRITE_ONCE(sk->sk_err, -err);
	leave_to_kernel(c, sk);
}

static int kernel_moved(struct wait_queue_entry *moved, unsigned int mode, int flags,
			void *key)
{
	struct dmm_connect *c = container_of(moved, struct dmm_connect, moved);

	dmm_connect_get(c);
	if (mod_delayed_work(connect_wq, &c->work, 0))
		dmm_connect_put(c);
	return 0;
}

static void race_kernel(struct dmm_connect *c, struct sock *sk)
{
	int err;

	spin_lock(&c->lock);
	c->racing = c->state == DMM_CONNECT_RUNNING;
	spin_unlock(&c->lock);
	if (!c->racing)
		return;
	init_waitqueue_func_entry(&c->moved, kernel_moved);
	add_wait_queue(sk_sleep(sk), &c->moved);
	err = start_kernel(c, sk);
	if (!err)
		return;
	/* The next step finds it. */
	WRITE_ONCE(sk->sk_err, -err);
	next_step(c, 0);
}

/* Nobody shall see what becomes of it. */
static void stop_kernel(struct dmm_connect *c, struct sock *sk)
{
	remove_wait_queue(sk_sleep(sk), &c->moved);
	spin_lock(&c->lock);
	c->racing = false;
	spin_unlock(&c->lock);
	lock_sock(sk);
	sk->sk_prot->disconnect(sk, O_NONBLOCK);
	WRITE_ONCE(sk->sk_err, 0);
	sk->sk_socket->state = SS_CONNECTING;
	release_sock(sk);
}

/* How far the kernel's TCP has come in a race. */
static void watch_kernel(struct dmm_connect *c, struct sock *sk)
{
	int err = 0, state;

	lock_sock(sk);
	state = sk->sk_state;
	if (state == TCP_CLOSE)
		err = sock_error(sk) ?: -ECONNREFUSED;
	release_sock(sk);
	if (err) {
		note_error(c, err);
		stop_kernel(c, sk);
		c->plan.nr = c->nr; /* it was the last of them */
	} else if ((state != TCP_SYN_SENT && state != TCP_SYN_RECV) ||
		   !READ_ONCE(c->live)) {
		if (leave_to_kernel(c, sk))
			remove_wait_queue(sk_sleep(sk), &c->moved);
	}
}

/* A user stack has won the race. */
static void take_winner(struct dmm_connect *c, struct sock *sk)
{
	struct dmm_conn *conn = NULL;

	if (c->racing)
		stop_kernel(c, sk);
	spin_lock(&c->lock);
	if (c->state == DMM_CONNECT_RUNNING)
		conn = take(c, sk, c->winner);
	c->winner = NULL;
	spin_unlock(&c->lock);
	if (conn)
		dmm_conn_put(conn);
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
			if (!READ_ONCE(c->live))
				connect_kernel(c, sk);
			else if (c->plan.race_kernel)
				race_kernel(c, sk);
			return;
		}
		if (attempt(c, sk, c->nr++))
			return;
	}
	if (!READ_ONCE(c->live))
		all_failed(c, sk);
}

/* Is the next one due after a while, whatever becomes of those under way? */
static bool race_goes_on(const struct dmm_connect *c)
{
	return c->plan.race && c->nr < c->plan.nr && !c->racing &&
	       (c->plan.race_kernel || !kernel_is_next(c));
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
	if (race_goes_on(c) &&
	    time_before(jiffies + msecs_to_jiffies(c->plan.race), at))
		at = jiffies + msecs_to_jiffies(c->plan.race);
	return time_after(at, jiffies) ? at - jiffies : 0;
}

/* What was recorded first is not what came of it. */
static void record_outcome(struct dmm_connect *c, struct sock *sk)
{
	bool fell_back;

	spin_lock(&c->lock);
	fell_back = c->fell_back;
	c->fell_back = false;
	spin_unlock(&c->lock);
	if (fell_back)
		dmm_record(dmm_net(sock_net(sk)), sk, &c->flow, &c->decision, &c->caller);
}

static void step(struct dmm_connect *c)
{
	struct sock *sk;

	mutex_lock(&c->step);
	give_up(c);
	sk = READ_ONCE(c->sk);
	if (sk && c->racing)
		watch_kernel(c, sk);
	if (sk && READ_ONCE(c->winner))
		take_winner(c, sk);
	if (sk && running(c) && !c->racing && (!READ_ONCE(c->live) || c->plan.race))
		advance(c, sk);
	if (running(c))
		next_step(c, delay(c));
	else if (sk)
		record_outcome(c, sk);
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
	dmm_caller_get(&c->caller);
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

/* Whoever ends it tells so with the lock held: let it come to an end of that. */
static void told(struct dmm_connect *c)
{
	spin_lock(&c->lock);
	spin_unlock(&c->lock);
}

void dmm_connect_told(struct sock *sk)
{
	struct dmm_connect *c = dmm_sock_connect(sk);

	if (!c)
		return;
	told(c);
	dmm_connect_put(c);
}

/*
 * TCP wakes who waits for it before the step that asked it is at its end, and
 * in a race before the one that looks at it.  Let it come there, lest the call
 * that is made then finds nothing to tell: io_uring makes it at each wake-up, and
 * ends with what it says.
 */
static bool step_ended(struct dmm_connect *c, struct sock *sk)
{
	mutex_lock(&c->step);
	if (c->racing)
		watch_kernel(c, sk);
	mutex_unlock(&c->step);
	return !running(c);
}

/* All failed: as of TCP, the error is told once and the socket can try again. */
static int take_failure(struct socket *sock, const struct dmm_connect *c)
{
	int err = sock_error(sock->sk) ?: -ECONNABORTED;
	struct dmm_sock_refs refs;

	/* Another thread may have been told, and try again already. */
	if (dmm_sock_detach(sock->sk, c, &refs)) {
		sock->state = SS_UNCONNECTED;
		dmm_sock_refs_end(&refs);
	}
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
	told(c);
	if (err == -EINPROGRESS && again && step_ended(c, sk))
		err = 0;
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
			err = take_failure(sock, c);
		}
	}
	dmm_connect_put(c);
	return err;
}

void dmm_connect_cancel(struct dmm_connect *c)
{
	struct sock *sk;

	spin_lock(&c->lock);
	sk = c->sk;
	c->sk = NULL;
	if (c->state == DMM_CONNECT_RUNNING) {
		finish(c, DMM_CONNECT_FAILED);
		/* Another thread may sleep in connect(). */
		wake_up_interruptible_poll(sk_sleep(sk), EPOLLMSG);
	}
	spin_unlock(&c->lock);
	mutex_lock(&c->step);
	if (c->racing)
		stop_kernel(c, sk);
	give_up(c);
	mutex_unlock(&c->step);
	/* Neither next_step() nor kernel_moved() queues it any more. */
	if (cancel_delayed_work_sync(&c->work))
		dmm_connect_put(c);
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
