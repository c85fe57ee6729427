// SPDX-License-Identifier: GPL-2.0-only
#include "listener.h"

#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <net/sock.h>

#include "conn.h"
#include "connect.h"
#include "instance.h"

#define ANSWER_TIMEOUT	(HZ / 4)

struct dmm_listener *dmm_listener_new(struct sock *sk, u32 backlog)
{
	struct dmm_listener *l = kzalloc(sizeof(*l), GFP_KERNEL_ACCOUNT);

	if (!l)
		return NULL;
	refcount_set(&l->ref, 1);
	mutex_init(&l->sync);
	mutex_init(&l->joining);
	spin_lock_init(&l->lock);
	l->sk = sk;
	l->backlog = backlog;
	INIT_LIST_HEAD(&l->queue);
	INIT_LIST_HEAD(&l->waiting);
	INIT_LIST_HEAD(&l->conns);
	return l;
}

void dmm_listener_put(struct dmm_listener *l)
{
	if (refcount_dec_and_test(&l->ref))
		kfree(l);
}

static bool answered(struct dmm_listener *l)
{
	struct dmm_conn *conn;
	bool all = true;

	spin_lock(&l->lock);
	list_for_each_entry(conn, &l->conns, link)
		all &= READ_ONCE(conn->state) != DMM_CONN_OPENING;
	spin_unlock(&l->lock);
	return all;
}

void dmm_listener_wait(struct dmm_listener *l)
{
	wait_var_event_timeout(l, answered(l), ANSWER_TIMEOUT);
}

void dmm_listener_answered(struct dmm_listener *l)
{
	/* The state, before wake_up_var() looks whether somebody waits. */
	smp_mb();
	wake_up_var(l);
}

/* The accepting end of a pair. */
static struct dmm_conn *make_peer(struct dmm_conn *conn)
{
	struct dmm_rings *rings = kzalloc(sizeof(*rings), GFP_KERNEL_ACCOUNT);
	struct dmm_open open = conn->open;
	struct dmm_conn *peer;

	if (!rings)
		return NULL;
	memcpy(open.local, conn->open.remote, sizeof(open.local));
	memcpy(open.remote, conn->open.local, sizeof(open.remote));
	open.lport = conn->open.rport;
	open.rport = conn->open.lport;
	peer = dmm_conn_make(conn->inst, conn->queue, DMM_CONN_STREAM, &open,
			     conn->netns);
	if (!peer) {
		kfree(rings);
		return NULL;
	}
	refcount_set(&rings->ref, 2);
	dmm_bytes_init_pair(&rings->ring[0]);
	dmm_bytes_init_pair(&rings->ring[1]);
	peer->rings = rings;
	peer->tx = &rings->ring[1];
	peer->rx = &rings->ring[0];
	peer->state = DMM_CONN_OPEN;
	dmm_conn_get(conn);
	RCU_INIT_POINTER(peer->peer, conn);
	return peer;
}

/*
 * Nobody but us looks at the memory that @conn had: the stack has forgotten it,
 * and the socket does not have it yet.  Takes a reference to @peer.
 */
static void join(struct dmm_conn *conn, struct dmm_conn *peer)
{
	struct dmm_rings *old = conn->rings;

	lockdep_assert_held(&conn->lock);
	conn->rings = peer->rings;
	conn->tx = peer->rx;
	conn->rx = peer->tx;
	conn->tx->max = old->ring[0].max;
	conn->rx->max = old->ring[1].max;
	dmm_conn_get(peer);
	rcu_assign_pointer(conn->peer, peer);
	conn->state = DMM_CONN_OPEN;
	dmm_rings_put(old);
	dmm_conn_free_page(conn);
}

/* Who waits for it hears that it was joined, or why not. */
static void answer(struct dmm_conn *conn, int err)
{
	struct dmm_connect *connect;

	spin_lock(&conn->lock);
	connect = conn->connect;
	conn->connect = NULL;
	if (err && conn->state == DMM_CONN_WAITING)
		dmm_conn_leave(conn);
	spin_unlock(&conn->lock);
	if (connect)
		dmm_connect_answer(connect, conn, err);
}

static bool full(const struct dmm_listener *l)
{
	return l->len > l->backlog;
}

static void enqueue(struct dmm_listener *l, struct dmm_conn *conn)
{
	lockdep_assert_held(&l->lock);
	list_add_tail(&conn->link, &l->queue);
	WRITE_ONCE(l->len, l->len + 1);
	l->sk->sk_data_ready(l->sk);
}

int dmm_listener_push(struct dmm_listener *l, struct dmm_conn *conn)
{
	int err = 0;

	spin_lock(&l->lock);
	if (!l->sk) {
		err = -ECONNREFUSED;
	} else if (full(l)) {
		err = -EAGAIN;
	} else {
		dmm_queue_post(conn, BIT(DMM_EV_ACCEPT));
		enqueue(l, conn);
	}
	spin_unlock(&l->lock);
	return err;
}

/* One that was not joined. */
static void unmake_peer(struct dmm_conn *peer)
{
	dmm_conn_forget(peer);
	dmm_rings_put(peer->rings);
	dmm_conn_put(peer);
}

enum pairing { JOINED, WAITS, LOST };

/* Under l->lock. */
static enum pairing pair_locked(struct dmm_listener *l, struct dmm_conn *conn,
				struct dmm_conn *peer)
{
	enum pairing result = LOST;

	spin_lock(&conn->lock);
	if (!l->sk || conn->state != DMM_CONN_WAITING) {
		;
	} else if (full(l)) {
		list_add_tail(&conn->link, &l->waiting);
		result = WAITS;
	} else {
		join(conn, peer);
		enqueue(l, peer);
		atomic64_inc(&conn->inst->stats.accepts);
		result = JOINED;
	}
	spin_unlock(&conn->lock);
	return result;
}

/*
 * Join @conn, which is DMM_CONN_WAITING, if there is room; if not, it waits in
 * the listener's list, which takes the caller's reference.
 */
static enum pairing try_pair(struct dmm_listener *l, struct dmm_conn *conn)
{
	struct dmm_conn *peer = make_peer(conn);
	enum pairing result = LOST;
	int err = -ENOBUFS;

	mutex_lock(&l->joining);
	if (peer && !dmm_conn_publish(peer)) {
		err = -ECONNREFUSED;
		spin_lock(&l->lock);
		result = pair_locked(l, conn, peer);
		spin_unlock(&l->lock);
	}
	if (peer && result != JOINED)
		unmake_peer(peer);
	if (result != WAITS) {
		answer(conn, result == JOINED ? 0 : err);
		dmm_conn_put(conn);
	}
	mutex_unlock(&l->joining);
	return result;
}

void dmm_listener_pair(struct dmm_listener *l, struct dmm_conn *conn)
{
	dmm_conn_get(conn);
	try_pair(l, conn);
}

/* One that waits, if there is room for it. */
static struct dmm_conn *pop_waiting(struct dmm_listener *l)
{
	struct dmm_conn *conn = NULL;

	spin_lock(&l->lock);
	if (!full(l))
		conn = list_first_entry_or_null(&l->waiting, struct dmm_conn, link);
	if (conn)
		list_del_init(&conn->link);
	spin_unlock(&l->lock);
	return conn;
}

static struct dmm_conn *pop_first(struct dmm_listener *l)
{
	struct dmm_conn *conn;

	mutex_lock(&l->joining);
	spin_lock(&l->lock);
	conn = list_first_entry_or_null(&l->queue, struct dmm_conn, link);
	if (conn) {
		list_del_init(&conn->link);
		WRITE_ONCE(l->len, l->len - 1);
	}
	spin_unlock(&l->lock);
	mutex_unlock(&l->joining);
	return conn;
}

struct dmm_conn *dmm_listener_pop(struct dmm_listener *l)
{
	struct dmm_conn *conn = pop_first(l), *next;

	while (conn && (next = pop_waiting(l)) && try_pair(l, next) == LOST)
		;
	return conn;
}

void dmm_listener_forget(struct dmm_listener *l, struct dmm_conn *conn)
{
	bool waits;

	spin_lock(&l->lock);
	waits = !list_empty(&conn->link);
	list_del_init(&conn->link);
	spin_unlock(&l->lock);
	if (waits)
		dmm_conn_put(conn);
}

/* One by one: those that wait go by themselves when they are closed. */
static struct dmm_conn *take_first(struct dmm_listener *l, struct list_head *list)
{
	struct dmm_conn *conn;

	spin_lock(&l->lock);
	conn = list_first_entry_or_null(list, struct dmm_conn, link);
	if (conn)
		list_del_init(&conn->link);
	spin_unlock(&l->lock);
	return conn;
}

void dmm_listener_close(struct dmm_listener *l)
{
	struct dmm_conn *conn;

	mutex_lock(&l->sync);
	l->closed = true;
	mutex_unlock(&l->sync);
	spin_lock(&l->lock);
	l->sk = NULL;
	spin_unlock(&l->lock);

	while ((conn = take_first(l, &l->waiting))) {
		answer(conn, -ECONNREFUSED);
		dmm_conn_put(conn);
	}
	while ((conn = pop_first(l)))
		dmm_conn_close(conn, true);
	while ((conn = take_first(l, &l->conns)))
		dmm_conn_close(conn, false);
	dmm_listener_put(l);
}
