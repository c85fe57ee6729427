// SPDX-License-Identifier: GPL-2.0-only
/*
 * Up events: what a stack tells the kernel of its connections.
 *
 * The stack is not trusted.  An event for a connection that is not there, or
 * that does not fit its kind and state, is counted and dropped: it may well be
 * honest, for an event can cross one of the other direction.  So is one that does
 * not come from the connection's queue: a stack's threads may each rely on being
 * alone with their connections.
 */
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "conn.h"
#include "connect.h"
#include "instance.h"
#include "listener.h"

/* A connection by its name, with a reference, or NULL.  @q: of this queue; NULL: any. */
static struct dmm_conn *conn_find(struct dmm_instance *inst, struct dmm_queue *q, u64 id)
{
	u32 index = (u32)id;
	struct dmm_conn *conn;

	if (index >= inst->reg.nr_conns)
		return NULL;
	index = array_index_nospec(index, inst->reg.nr_conns);
	rcu_read_lock();
	conn = rcu_dereference(inst->conns[index]);
	if (conn && (conn->id != id || (q && conn->queue != q) || !dmm_conn_get_live(conn)))
		conn = NULL;
	rcu_read_unlock();
	return conn;
}

/* Can this be an end of a connection of this family? */
static bool end_valid(const u8 addr[16], u8 family)
{
	const struct in6_addr *ip = (const void *)addr;

	return family == AF_INET ? ipv6_addr_v4mapped(ip) :
	       family == AF_INET6 && !ipv6_addr_v4mapped(ip);
}

static bool open_valid(const struct dmm_open *open)
{
	return open->type == SOCK_STREAM && end_valid(open->local, open->family) &&
	       end_valid(open->remote, open->family) && open->lport && open->rport;
}

/**
 * struct outcome - what a handler leaves to be done without the lock
 * @connect:	the attempt that waited for the answer, or NULL
 * @err:	0: it has won
 */
struct outcome {
	struct dmm_connect *connect;
	int err;
};

static void settle(struct dmm_conn *conn, const struct outcome *o)
{
	if (o->connect)
		dmm_connect_answer(o->connect, conn, o->err);
}

static void answer_connect(struct dmm_conn *conn, struct outcome *o, int err)
{
	o->connect = conn->connect;
	o->err = err;
	conn->connect = NULL;
}

/* Handlers, under conn->lock.  True: the event made sense. */

static void take_local(struct dmm_conn *conn, const struct dmm_event *ev)
{
	memcpy(conn->open.local, ev->open.local, sizeof(conn->open.local));
	conn->open.lport = ev->open.lport;
}

static bool ev_connected(struct dmm_conn *conn, const struct dmm_event *ev,
			 struct outcome *o)
{
	if (!end_valid(ev->open.local, conn->open.family) || !ev->open.lport)
		return false;
	take_local(conn, ev);
	conn->state = DMM_CONN_OPEN;
	conn->opened = true;
	/* bind() waits for it. */
	if (conn->kind == DMM_CONN_DATAGRAM && conn->sk)
		conn->sk->sk_state_change(conn->sk);
	answer_connect(conn, o, 0);
	return true;
}

static bool ev_listening(struct dmm_conn *conn, const struct dmm_event *ev,
			 struct outcome *o)
{
	conn->state = DMM_CONN_OPEN;
	conn->opened = true;
	atomic_inc(&conn->inst->nr_listeners);
	dmm_listener_answered(conn->listener);
	return true;
}

static bool ev_data(struct dmm_conn *conn, const struct dmm_event *ev, struct outcome *o)
{
	WRITE_ONCE(conn->page->rx.wants_data, 0);
	if (conn->sk)
		conn->sk->sk_data_ready(conn->sk);
	return true;
}

static bool ev_full(struct dmm_conn *conn, const struct dmm_event *ev, struct outcome *o)
{
	u32 wanted = max(ev->value, 0);

	/* A burst does not wait until what came before is read. */
	if (conn->kind == DMM_CONN_DATAGRAM)
		wanted = conn->rx->max;
	if (dmm_bytes_offer(conn->rx, wanted))
		dmm_queue_post(conn, BIT(DMM_EV_RX_SPACE));
	return true;
}

static bool ev_space(struct dmm_conn *conn, const struct dmm_event *ev, struct outcome *o)
{
	WRITE_ONCE(conn->page->tx.wants_space, 0);
	if (conn->sk)
		conn->sk->sk_write_space(conn->sk);
	return true;
}

static bool ev_eof(struct dmm_conn *conn, const struct dmm_event *ev, struct outcome *o)
{
	dmm_conn_eof(conn);
	return true;
}

/* Once, as after an ICMP message; as the answer to BIND for good. */
static bool datagram_error(struct dmm_conn *conn, int err)
{
	if (conn->state == DMM_CONN_OPENING) {
		atomic64_inc(&conn->inst->stats.failures);
		dmm_conn_fail(conn, err);
		dmm_conn_leave(conn);
	} else if (conn->sk) {
		WRITE_ONCE(conn->sk->sk_err, -err);
		sk_error_report(conn->sk);
	}
	return true;
}

/*
 * One that applications may see: those above are the kernel's own, which mean
 * something else to who gets them from recvmsg() (-EIOCBQUEUED).
 */
static bool error_valid(int err)
{
	return err < 0 && err >= -EHWPOISON;
}

static bool ev_error(struct dmm_conn *conn, const struct dmm_event *ev, struct outcome *o)
{
	if (!error_valid(ev->value))
		return false;
	if (conn->state == DMM_CONN_CLOSING) {
		if (!conn->opened)
			dmm_conn_leave(conn);
		return true;
	}
	if (conn->kind == DMM_CONN_DATAGRAM)
		return datagram_error(conn, ev->value);
	if (conn->state == DMM_CONN_OPEN) {
		atomic64_inc(&conn->inst->stats.resets);
		dmm_conn_fail(conn, ev->value);
		return true;
	}
	atomic64_inc(&conn->inst->stats.failures);
	answer_connect(conn, o, ev->value);
	dmm_conn_leave(conn);
	return true;
}

static bool ev_closed(struct dmm_conn *conn, const struct dmm_event *ev,
		      struct outcome *o)
{
	dmm_conn_leave(conn);
	return true;
}

#define K(kind)		BIT(DMM_CONN_##kind)
#define S(state)	BIT(DMM_CONN_##state)

/* Which connections an event can be about. */
static const struct {
	bool (*fn)(struct dmm_conn *conn, const struct dmm_event *ev, struct outcome *o);
	u8 kinds;
	u8 states;
} handlers[] = {
	[DMM_EV_CONNECTED] = { ev_connected, K(STREAM) | K(DATAGRAM), S(OPENING) },
	[DMM_EV_LISTENING] = { ev_listening, K(LISTENER), S(OPENING) },
	[DMM_EV_RX_DATA] = { ev_data, K(STREAM) | K(DATAGRAM), S(OPENING) | S(OPEN) },
	[DMM_EV_RX_FULL] = { ev_full, K(STREAM) | K(DATAGRAM), S(OPENING) | S(OPEN) },
	[DMM_EV_TX_SPACE] = { ev_space, K(STREAM) | K(DATAGRAM), S(OPENING) | S(OPEN) },
	[DMM_EV_EOF] = { ev_eof, K(STREAM), S(OPEN) },
	[DMM_EV_ERROR] = { ev_error, K(STREAM) | K(LISTENER) | K(DATAGRAM),
			   S(OPENING) | S(OPEN) | S(CLOSING) },
	[DMM_EV_CLOSED] = { ev_closed, K(STREAM) | K(LISTENER) | K(DATAGRAM), S(CLOSING) },
};

static bool dispatch(struct dmm_conn *conn, const struct dmm_event *ev)
{
	struct outcome o = {};
	unsigned int type;
	bool ok;

	if (ev->type >= ARRAY_SIZE(handlers) || !handlers[ev->type].fn)
		return false;
	type = array_index_nospec(ev->type, ARRAY_SIZE(handlers));
	spin_lock(&conn->lock);
	/* The stack has forgotten a paired one. */
	ok = !dmm_conn_paired(conn) && handlers[type].kinds & BIT(conn->kind) &&
	     handlers[type].states & BIT(conn->state) && handlers[type].fn(conn, ev, &o);
	spin_unlock(&conn->lock);
	settle(conn, &o);
	return ok;
}

/* INCOMING and PAIR name a listener. */

static struct dmm_listener *listener_of(struct dmm_conn *conn, u8 family)
{
	struct dmm_listener *l = NULL;

	spin_lock(&conn->lock);
	if (conn->kind == DMM_CONN_LISTENER && conn->listener &&
	    conn->state <= DMM_CONN_OPEN &&
	    (conn->open.family == family || (conn->dual && family == AF_INET)))
		l = dmm_listener_get(conn->listener);
	spin_unlock(&conn->lock);
	return l;
}

/* One that takes connections of this family, or NULL. */
static struct dmm_listener *listener_find(struct dmm_instance *inst, u64 id, u8 family,
					  u32 *netns)
{
	struct dmm_conn *conn = conn_find(inst, NULL, id);
	struct dmm_listener *l;

	if (!conn)
		return NULL;
	l = listener_of(conn, family);
	*netns = conn->netns;
	dmm_conn_put(conn);
	return l;
}

static int incoming(struct dmm_queue *q, struct dmm_listener *l, u32 netns,
		    const struct dmm_event *ev)
{
	struct dmm_conn *conn;
	int err;

	conn = dmm_conn_new(q->inst, q, DMM_CONN_STREAM, &ev->open, netns, NULL);
	if (IS_ERR(conn))
		return PTR_ERR(conn) == -ENOMEM ? -ENOMEM : -EAGAIN;
	conn->listener_id = ev->conn;
	conn->state = DMM_CONN_OPEN;
	conn->opened = true;
	err = dmm_conn_publish(conn);
	if (!err) {
		err = dmm_listener_push(l, conn);
		if (err)
			dmm_conn_forget(conn);
	}
	if (err)
		dmm_conn_put(conn);
	else
		atomic64_inc(&q->inst->stats.accepts);
	return err;
}

/* Returns what dmm_conn_event() does. */
static bool ev_incoming(struct dmm_queue *q, const struct dmm_event *ev, bool *valid)
{
	struct dmm_listener *l;
	int err = -ECONNREFUSED;
	u32 netns;

	*valid = open_valid(&ev->open);
	if (!*valid)
		return true;
	/* Before anything is done: a refusal must find room. */
	if (!dmm_queue_has_room(q))
		return false;
	l = listener_find(q->inst, ev->conn, ev->open.family, &netns);
	if (l) {
		err = incoming(q, l, netns, ev);
		dmm_listener_put(l);
	}
	return !err || dmm_queue_refuse(q, ev->open.token, ev->conn, err);
}

/* @l is NULL if nobody listens any more. */
static bool pair(struct dmm_conn *conn, struct dmm_listener *l,
		 const struct dmm_event *ev)
{
	struct outcome o = {};
	bool ok;

	spin_lock(&conn->lock);
	ok = conn->kind == DMM_CONN_STREAM && conn->state == DMM_CONN_OPENING &&
	     conn->connect && end_valid(ev->open.local, conn->open.family) &&
	     ev->open.lport;
	if (ok && l) {
		take_local(conn, ev);
		conn->state = DMM_CONN_WAITING;
		conn->listener = dmm_listener_get(l);
	} else if (ok) {
		answer_connect(conn, &o, -ECONNREFUSED);
		dmm_conn_leave(conn);
	} else if (conn->state == DMM_CONN_CLOSING && !conn->opened) {
		dmm_conn_leave(conn);
	}
	spin_unlock(&conn->lock);
	settle(conn, &o);
	if (ok && l)
		dmm_listener_pair(l, conn);
	return ok;
}

static bool ev_pair(struct dmm_queue *q, const struct dmm_event *ev)
{
	struct dmm_conn *conn = conn_find(q->inst, q, ev->conn);
	struct dmm_listener *l;
	bool ok = false;
	u32 netns;

	if (!conn)
		return false;
	if (q->inst->reg.features & DMM_FEAT_PAIR) {
		l = listener_find(q->inst, ev->open.token, conn->open.family, &netns);
		ok = pair(conn, l, ev);
		if (l)
			dmm_listener_put(l);
	}
	dmm_conn_put(conn);
	return ok;
}

bool dmm_conn_event(struct dmm_queue *q, const struct dmm_event *ev)
{
	struct dmm_conn *conn;
	bool valid, taken = true;

	switch (ev->type) {
	case DMM_EV_INCOMING:
		taken = ev_incoming(q, ev, &valid);
		break;
	case DMM_EV_PAIR:
		valid = ev_pair(q, ev);
		break;
	default:
		conn = conn_find(q->inst, q, ev->conn);
		valid = conn && dispatch(conn, ev);
		if (conn)
			dmm_conn_put(conn);
	}
	if (!valid)
		atomic64_inc(&q->inst->stats.bad_events);
	return taken;
}

/* The daemon is gone. */

static void break_one(struct dmm_conn *conn)
{
	struct outcome o = {};

	spin_lock(&conn->lock);
	if (conn->state != DMM_CONN_GONE) {
		if (conn->state == DMM_CONN_OPEN && conn->kind != DMM_CONN_LISTENER)
			dmm_conn_fail(conn, -ECONNRESET);
		answer_connect(conn, &o, -ECONNREFUSED);
		dmm_conn_leave(conn);
	}
	spin_unlock(&conn->lock);
	settle(conn, &o);
}

static void for_each(struct dmm_instance *inst, void (*fn)(struct dmm_conn *conn))
{
	struct dmm_conn *conn;
	u32 i;

	for (i = 0; i < inst->reg.nr_conns; i++) {
		rcu_read_lock();
		conn = rcu_dereference(inst->conns[i]);
		if (conn && !dmm_conn_get_live(conn))
			conn = NULL;
		rcu_read_unlock();
		if (!conn)
			continue;
		fn(conn);
		dmm_conn_put(conn);
		cond_resched();
	}
}

void dmm_conns_break(struct dmm_instance *inst)
{
	for_each(inst, break_one);
}

/* A successor is there. */

static void resume_one(struct dmm_conn *conn)
{
	u32 events = 0;

	spin_lock(&conn->lock);
	if (!dmm_conn_paired(conn) && conn->state == DMM_CONN_OPENING)
		events = dmm_conn_open_event(conn);
	else if (!dmm_conn_paired(conn) && conn->state != DMM_CONN_GONE &&
		 conn->state != DMM_CONN_WAITING)
		events = BIT(DMM_EV_RESUME);
	if (conn->state == DMM_CONN_CLOSING)
		events |= BIT(DMM_EV_CLOSE);
	else if (conn->fin && !dmm_conn_paired(conn))
		events |= BIT(DMM_EV_SHUTDOWN);
	dmm_queue_resume(conn, events);
	spin_unlock(&conn->lock);
}

static void resume_listener(struct dmm_conn *conn)
{
	if (conn->kind == DMM_CONN_LISTENER)
		resume_one(conn);
}

static void resume_other(struct dmm_conn *conn)
{
	if (conn->kind != DMM_CONN_LISTENER)
		resume_one(conn);
}

/* Listeners first: a stack that is asked to connect to one knows it. */
void dmm_conns_resume(struct dmm_instance *inst)
{
	for_each(inst, resume_listener);
	for_each(inst, resume_other);
}
