// SPDX-License-Identifier: GPL-2.0-only
#include "conn.h"

#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "connect.h"
#include "instance.h"
#include "listener.h"
#include "options.h"

/* Making. */

void dmm_open_init(struct dmm_open *open, const struct dmm_flow *flow)
{
	memset(open, 0, sizeof(*open));
	memcpy(open->local, &flow->src, sizeof(open->local));
	open->lport = htons(flow->sport);
	open->family = flow->family;
	open->type = flow->type;
}

static u32 ring_max(const struct sock *sk, bool tx, u32 fallback)
{
	u8 lock = tx ? SOCK_SNDBUF_LOCK : SOCK_RCVBUF_LOCK;
	int size;

	if (!sk || !(sk->sk_userlocks & lock))
		return fallback;
	/* setsockopt() doubled what the application asked for. */
	size = READ_ONCE(*(tx ? &sk->sk_sndbuf : &sk->sk_rcvbuf)) / 2;
	return roundup_pow_of_two(clamp_t(u32, size, DMM_PAGE_SIZE, DMM_RING_MAX));
}

/* Of fixed size, a ring has at most this part of what is free in the arena, or so much. */
#define RING_SHARE	256
#define RING_FLOOR	(16u << 10)

/*
 * Memory of a ring that does not grow: less than @max while the arena fills, for
 * streams who come later to find some.  A datagram has to fit as a whole.
 */
static bool alloc_fixed(struct dmm_conn *conn, u32 max, u64 *at, u32 *size)
{
	struct dmm_arena *a = &conn->inst->arena;
	u64 share = (u64)READ_ONCE(a->nr_free) * DMM_PAGE_SIZE / RING_SHARE;
	u32 floor = conn->kind == DMM_CONN_STREAM ? RING_FLOOR : max;

	*size = max;
	while (*size > floor && *size > share)
		*size /= 2;
	while (!dmm_arena_alloc(a, *size, at)) {
		if (*size <= floor)
			return false;
		*size /= 2;
	}
	return true;
}

static int init_ring(struct dmm_conn *conn, bool rx, u32 max)
{
	struct dmm_instance *inst = conn->inst;
	struct dmm_bytes *b = &conn->rings->ring[rx];
	struct dmm_ring *shared = rx ? &conn->page->rx : &conn->page->tx;
	u64 at = (u64)conn->page_nr * DMM_PAGE_SIZE;
	u32 size;

	if (inst->reg.features & DMM_FEAT_GROW) {
		at += rx ? offsetof(struct dmm_page, rx_bytes) :
			   offsetof(struct dmm_page, tx_bytes);
		size = rx ? sizeof(conn->page->rx_bytes) : sizeof(conn->page->tx_bytes);
		dmm_bytes_init(b, &inst->arena, shared, at, size, true);
		b->max = max(size, max);
		return 0;
	}
	if (!alloc_fixed(conn, max, &at, &size))
		return -ENOBUFS;
	dmm_bytes_init(b, &inst->arena, shared, at, size, false);
	return 0;
}

static int init_memory(struct dmm_conn *conn, const struct sock *sk)
{
	struct dmm_instance *inst = conn->inst;
	u64 at;
	int err;

	conn->rings = kzalloc(sizeof(*conn->rings), GFP_KERNEL_ACCOUNT);
	if (!conn->rings)
		return -ENOMEM;
	refcount_set(&conn->rings->ref, 1);
	conn->tx = &conn->rings->ring[0];
	conn->rx = &conn->rings->ring[1];
	if (!dmm_arena_alloc(&inst->arena, DMM_PAGE_SIZE, &at))
		return -ENOBUFS;
	conn->page = dmm_arena_at(&inst->arena, at);
	conn->page_nr = at / DMM_PAGE_SIZE;
	memset(conn->page, 0, offsetof(struct dmm_page, tx_bytes));
	if (conn->kind == DMM_CONN_LISTENER)
		return 0;
	err = init_ring(conn, false, ring_max(sk, true, inst->reg.sndbuf));
	return err ?: init_ring(conn, true, ring_max(sk, false, inst->reg.rcvbuf));
}

/* Take a place in the instance's table, which gets a reference. */
static int enter_table(struct dmm_conn *conn)
{
	struct dmm_instance *inst = conn->inst;
	int index = ida_alloc_max(&inst->indices, inst->reg.nr_conns - 1,
				  GFP_KERNEL_ACCOUNT);
	u32 nr;

	if (index < 0)
		return index == -ENOSPC ? -EMFILE : index;
	do {
		nr = atomic_inc_return(&inst->last_conn);
	} while (!nr);
	conn->id = (u64)nr << 32 | index;
	dmm_conn_get(conn);
	rcu_assign_pointer(inst->conns[index], conn);
	if (conn->kind != DMM_CONN_LISTENER)
		atomic_inc(&inst->nr_live);
	/* Either the dying instance sees it in the table, or we see that it dies. */
	smp_mb();
	return READ_ONCE(inst->dead) || READ_ONCE(inst->broken) ? -ESHUTDOWN : 0;
}

void dmm_conn_leave(struct dmm_conn *conn)
{
	struct dmm_instance *inst = conn->inst;
	u32 index = (u32)conn->id;

	lockdep_assert_held(&conn->lock);
	conn->state = DMM_CONN_GONE;
	rcu_assign_pointer(inst->conns[index], NULL);
	ida_free(&inst->indices, index);
	if (conn->kind != DMM_CONN_LISTENER)
		atomic_dec(&inst->nr_live);
	else if (conn->opened)
		atomic_dec(&inst->nr_listeners);
	else if (conn->listener)
		dmm_listener_answered(conn->listener);
	dmm_queue_drop(conn);
	/* The caller has a reference of its own. */
	dmm_conn_put(conn);
}

static struct dmm_queue *choose_queue(struct dmm_instance *inst)
{
	u32 nr = atomic_inc_return(&inst->next_queue);

	return &inst->queues[nr % inst->reg.nr_queues];
}

struct dmm_conn *dmm_conn_make(struct dmm_instance *inst, struct dmm_queue *q, u8 kind,
			       const struct dmm_open *open, u32 netns)
{
	struct dmm_conn *conn = kzalloc(sizeof(*conn), GFP_KERNEL_ACCOUNT);

	if (!conn)
		return NULL;
	refcount_set(&conn->ref, 1);
	refcount_inc(&inst->ref);
	conn->inst = inst;
	conn->queue = q ?: choose_queue(inst);
	conn->kind = kind;
	conn->open = *open;
	conn->netns = netns;
	spin_lock_init(&conn->lock);
	INIT_LIST_HEAD(&conn->link);
	INIT_LIST_HEAD(&conn->held);
	return conn;
}

void dmm_conn_forget(struct dmm_conn *conn)
{
	spin_lock(&conn->lock);
	if (conn->id && conn->state != DMM_CONN_GONE)
		dmm_conn_leave(conn);
	spin_unlock(&conn->lock);
}

int dmm_conn_publish(struct dmm_conn *conn)
{
	int err = enter_table(conn);

	if (err == -ESHUTDOWN)
		dmm_conn_forget(conn);
	return err;
}

/* A listener or datagram socket at [::], that IPv4 reaches as well. */
static bool takes_both(const struct dmm_open *open, const struct sock *sk)
{
	return open->family == AF_INET6 && !ipv6_only_sock(sk) &&
	       ipv6_addr_any((const struct in6_addr *)open->local);
}

struct dmm_conn *dmm_conn_new(struct dmm_instance *inst, struct dmm_queue *q, u8 kind,
			      const struct dmm_open *open, u32 netns,
			      const struct sock *sk)
{
	struct dmm_conn *conn = dmm_conn_make(inst, q, kind, open, netns);
	int err;

	if (!conn)
		return ERR_PTR(-ENOMEM);
	err = init_memory(conn, sk);
	if (err) {
		dmm_conn_put(conn);
		return ERR_PTR(err);
	}
	if (sk) {
		dmm_options_describe(sk, &conn->page->options);
		conn->dual = kind != DMM_CONN_STREAM && takes_both(open, sk);
	}
	return conn;
}

/* Unmaking. */

void dmm_rings_put(struct dmm_rings *rings)
{
	if (!rings || !refcount_dec_and_test(&rings->ref))
		return;
	dmm_bytes_exit(&rings->ring[0]);
	dmm_bytes_exit(&rings->ring[1]);
	kfree(rings);
}

void dmm_conn_free_page(struct dmm_conn *conn)
{
	if (!conn->page)
		return;
	dmm_arena_free(&conn->inst->arena, (u64)conn->page_nr * DMM_PAGE_SIZE,
		       DMM_PAGE_SIZE);
	conn->page = NULL;
}

void dmm_conn_put(struct dmm_conn *conn)
{
	struct dmm_conn *peer;

	if (!refcount_dec_and_test(&conn->ref))
		return;
	dmm_rings_put(conn->rings);
	dmm_conn_free_page(conn);
	peer = rcu_dereference_protected(conn->peer, true);
	if (peer)
		dmm_conn_put(peer);
	if (conn->connect)
		dmm_connect_put(conn->connect);
	if (conn->listener)
		dmm_listener_put(conn->listener);
	dmm_instance_put(conn->inst);
	kfree_rcu(conn, rcu);
}

/* What the socket sees. */

static void socket_broken(struct dmm_conn *conn, struct sock *sk)
{
	/* In this order, for dmm_user_poll(). */
	smp_store_release(&sk->sk_err, -conn->err);
	smp_store_release(&sk->sk_shutdown, SHUTDOWN_MASK);
	sk_error_report(sk);
	sk->sk_state_change(sk);
}

static void socket_eof(struct sock *sk)
{
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | RCV_SHUTDOWN);
	sk->sk_state_change(sk);
	sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_IN);
}

void dmm_conn_fail(struct dmm_conn *conn, int err)
{
	lockdep_assert_held(&conn->lock);
	if (conn->err)
		return;
	WRITE_ONCE(conn->err, err);
	WRITE_ONCE(conn->eof, true);
	if (conn->sk)
		socket_broken(conn, conn->sk);
}

void dmm_conn_eof(struct dmm_conn *conn)
{
	lockdep_assert_held(&conn->lock);
	if (conn->eof)
		return;
	WRITE_ONCE(conn->eof, true);
	if (conn->sk)
		socket_eof(conn->sk);
}

u8 dmm_conn_tcp_state(const struct dmm_conn *conn)
{
	u32 told = conn->page ? READ_ONCE(conn->page->metrics.state) : 0;
	bool eof = READ_ONCE(conn->eof), fin = READ_ONCE(conn->fin);

	if (READ_ONCE(conn->err))
		return TCP_CLOSE;
	/* The page is the stack's: there may be anything. */
	if (told && told < TCP_MAX_STATES)
		return told;
	if (eof)
		return fin ? TCP_CLOSE : TCP_CLOSE_WAIT;
	return fin ? TCP_FIN_WAIT2 : TCP_ESTABLISHED;
}

void dmm_conn_attach(struct dmm_conn *conn, struct sock *sk)
{
	/* Of the first data the socket is told unasked: it may wait for SIGIO. */
	dmm_conn_want_data(conn);
	spin_lock(&conn->lock);
	conn->sk = sk;
	if (conn->err)
		socket_broken(conn, sk);
	else if (conn->eof)
		socket_eof(sk);
	spin_unlock(&conn->lock);
}

/* The other end of a paired one, or NULL.  Under conn->lock. */
static struct dmm_conn *conn_peer(struct dmm_conn *conn)
{
	return rcu_dereference_protected(conn->peer, lockdep_is_held(&conn->lock));
}

/* With a reference. */
static struct dmm_conn *peer_get(struct dmm_conn *conn)
{
	struct dmm_conn *peer;

	spin_lock(&conn->lock);
	peer = conn_peer(conn);
	if (peer)
		dmm_conn_get(peer);
	spin_unlock(&conn->lock);
	return peer;
}

/* Closing. */

/* The other socket of a pair hears of it as it would from TCP. */
static void close_peer(struct dmm_conn *peer, bool reset)
{
	spin_lock(&peer->lock);
	peer->peer_gone = true;
	if (reset)
		dmm_conn_fail(peer, peer->eof ? -EPIPE : -ECONNRESET);
	else
		dmm_conn_eof(peer);
	spin_unlock(&peer->lock);
}

/* Both under conn->lock, with what is left to do without it. */
static struct dmm_conn *close_paired(struct dmm_conn *conn)
{
	struct dmm_conn *peer = conn_peer(conn);

	RCU_INIT_POINTER(conn->peer, NULL);
	if (conn->state != DMM_CONN_GONE)
		dmm_conn_leave(conn);
	return peer;
}

/* Under conn->lock, of one that the stack knows. */
static void tell_close(struct dmm_conn *conn, bool reset)
{
	if (conn->state > DMM_CONN_OPEN)
		return;
	conn->reset |= reset;
	conn->state = DMM_CONN_CLOSING;
	dmm_queue_post(conn, BIT(DMM_EV_CLOSE));
}

/* True: it waited in the listener's list. */
static bool close_unpaired(struct dmm_conn *conn, bool reset)
{
	if (conn->state == DMM_CONN_WAITING) {
		dmm_conn_leave(conn);
		return true;
	}
	tell_close(conn, reset);
	return false;
}

/* One that waits may become paired until its lock is taken. */
void dmm_conn_close(struct dmm_conn *conn, bool reset)
{
	struct dmm_connect *connect;
	struct dmm_conn *peer = NULL;
	bool waited = false;

	spin_lock(&conn->lock);
	conn->sk = NULL;
	connect = conn->connect;
	conn->connect = NULL;
	if (dmm_conn_paired(conn))
		peer = close_paired(conn);
	else
		waited = close_unpaired(conn, reset);
	spin_unlock(&conn->lock);
	if (peer) {
		close_peer(peer, reset);
		dmm_conn_put(peer);
	}
	if (waited)
		dmm_listener_forget(conn->listener, conn);
	if (connect)
		dmm_connect_put(connect);
	dmm_conn_put(conn);
}

static void shutdown_paired(struct dmm_conn *conn)
{
	struct dmm_conn *peer = peer_get(conn);

	spin_lock(&conn->lock);
	conn->fin = true;
	spin_unlock(&conn->lock);
	if (!peer)
		return;
	spin_lock(&peer->lock);
	dmm_conn_eof(peer);
	spin_unlock(&peer->lock);
	dmm_conn_put(peer);
}

void dmm_conn_shutdown(struct dmm_conn *conn)
{
	if (dmm_conn_paired(conn)) {
		shutdown_paired(conn);
		return;
	}
	spin_lock(&conn->lock);
	if (conn->state == DMM_CONN_OPEN && !conn->fin)
		dmm_queue_post(conn, BIT(DMM_EV_SHUTDOWN));
	conn->fin = true;
	spin_unlock(&conn->lock);
}

void dmm_conn_deaf(struct dmm_conn *conn)
{
	struct dmm_conn *peer = dmm_conn_paired(conn) ? peer_get(conn) : NULL;

	if (!peer)
		return;
	WRITE_ONCE(peer->peer_gone, true);
	dmm_conn_put(peer);
}

void dmm_conn_reset_peer(struct dmm_conn *conn)
{
	struct dmm_conn *peer = peer_get(conn);

	if (!peer)
		return;
	spin_lock(&peer->lock);
	dmm_conn_fail(peer, -ECONNRESET);
	spin_unlock(&peer->lock);
	dmm_conn_put(peer);
}

void dmm_conn_violated(struct dmm_conn *conn)
{
	atomic64_inc(&conn->inst->stats.bad_rings);
	spin_lock(&conn->lock);
	dmm_conn_fail(conn, -ECONNRESET);
	tell_close(conn, true);
	spin_unlock(&conn->lock);
}

/* Telling the other end. */

static void wake_reader(struct sock *sk)
{
	sk->sk_data_ready(sk);
}

static void wake_writer(struct sock *sk)
{
	if (sk->sk_socket && test_bit(SOCK_NOSPACE, &sk->sk_socket->flags))
		sk->sk_write_space(sk);
}

/*
 * Each message takes this way: a peer that closes is freed after a grace period,
 * and its socket is there under its lock.
 */
static void wake_peer(struct dmm_conn *conn, void (*wake)(struct sock *sk))
{
	struct dmm_conn *peer;

	rcu_read_lock();
	peer = rcu_dereference(conn->peer);
	if (peer) {
		spin_lock(&peer->lock);
		if (peer->sk)
			wake(peer->sk);
		spin_unlock(&peer->lock);
	}
	rcu_read_unlock();
}

void dmm_conn_sent(struct dmm_conn *conn)
{
	if (dmm_conn_paired(conn)) {
		wake_peer(conn, wake_reader);
		return;
	}
	smp_mb(); /* C */
	if (READ_ONCE(conn->page->tx.wants_data) &&
	    dmm_queue_taken(conn->queue, READ_ONCE(conn->tx_told)))
		dmm_queue_post(conn, BIT(DMM_EV_TX_DATA));
}

void dmm_conn_received(struct dmm_conn *conn)
{
	smp_mb(); /* D */
	if (dmm_conn_paired(conn)) {
		/* For each byte that is taken it would cost more than it brings. */
		if (dmm_bytes_peek_writable(conn->rx))
			wake_peer(conn, wake_writer);
	} else if (READ_ONCE(conn->page->rx.wants_space) &&
		   dmm_queue_taken(conn->queue, READ_ONCE(conn->rx_told))) {
		dmm_queue_post(conn, BIT(DMM_EV_RX_SPACE));
	}
}

void dmm_conn_want_data(struct dmm_conn *conn)
{
	if (conn->page)
		WRITE_ONCE(conn->page->rx.wants_data, 1);
	smp_mb(); /* C */
}

void dmm_conn_want_space(struct dmm_conn *conn)
{
	if (conn->page)
		WRITE_ONCE(conn->page->tx.wants_space, 1);
	smp_mb(); /* D */
}

void dmm_conn_options(struct dmm_conn *conn, const struct sock *sk)
{
	if (!conn->page)
		return;
	dmm_options_describe(sk, &conn->page->options);
	spin_lock(&conn->lock);
	if (conn->state <= DMM_CONN_OPEN)
		dmm_queue_post(conn, BIT(DMM_EV_OPTION));
	spin_unlock(&conn->lock);
}

void dmm_conn_check_options(struct dmm_conn *conn, const struct sock *sk)
{
	if (conn->page && !dmm_options_told(sk, &conn->page->options))
		dmm_conn_options(conn, sk);
}

/* Down events. */

static u16 open_event(const struct dmm_conn *conn)
{
	switch (conn->kind) {
	case DMM_CONN_LISTENER:
		return DMM_EV_LISTEN;
	case DMM_CONN_DATAGRAM:
		return DMM_EV_BIND;
	default:
		return DMM_EV_CONNECT;
	}
}

u32 dmm_conn_open_event(const struct dmm_conn *conn)
{
	return BIT(open_event(conn));
}

void dmm_conn_describe(struct dmm_conn *conn, u8 event, struct dmm_event *ev)
{
	ev->type = event;
	ev->conn = conn->id;
	switch (event) {
	case DMM_EV_CONNECT:
	case DMM_EV_LISTEN:
	case DMM_EV_BIND:
	case DMM_EV_RESUME:
		ev->open = conn->open;
		ev->open.netns = conn->netns;
		ev->open.page = conn->page_nr;
		ev->value = READ_ONCE(conn->backlog);
		ev->flags = conn->dual ? DMM_EVF_DUAL : 0;
		break;
	case DMM_EV_ACCEPT:
		ev->answer.token = conn->open.token;
		ev->answer.listener = conn->listener_id;
		ev->answer.page = conn->page_nr;
		break;
	case DMM_EV_CLOSE:
		ev->flags = conn->reset ? DMM_EVF_RESET : 0;
		break;
	}
}
