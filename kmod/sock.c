// SPDX-License-Identifier: GPL-2.0-only
#include "sock.h"

#include <linux/hash.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "conn.h"
#include "connect.h"
#include "listener.h"
#include "net.h"

static struct rhashtable dmm_socks;

/* Each call on a socket looks it up: cheaper than hashing and comparing the key as bytes. */
static u32 hash_sock(const void *key, u32 len, u32 seed)
{
	return hash_ptr(*(struct sock *const *)key, 32) ^ seed;
}

static int compare_sock(struct rhashtable_compare_arg *arg, const void *obj)
{
	return ((const struct dmm_sock *)obj)->sk != *(struct sock *const *)arg->key;
}

static const struct rhashtable_params dmm_sock_params = {
	.head_offset = offsetof(struct dmm_sock, node),
	.key_offset = offsetof(struct dmm_sock, sk),
	.key_len = sizeof_field(struct dmm_sock, sk),
	.hashfn = hash_sock,
	.obj_cmpfn = compare_sock,
	.automatic_shrinking = true,
};

/* Under rcu_read_lock(). */
static struct dmm_sock *sock_find(struct sock *sk)
{
	return rhashtable_lookup(&dmm_socks, &sk, dmm_sock_params);
}

int dmm_sock_track(struct sock *sk)
{
	struct dmm_net *dn = dmm_net(sock_net(sk));
	struct dmm_sock *ds;
	int err;

	/* A kernel socket does not keep its namespace: leave it to the kernel. */
	if (!sk->sk_net_refcnt)
		return 0;
	ds = kzalloc(sizeof(*ds), GFP_KERNEL_ACCOUNT);
	if (!ds)
		return -ENOMEM;
	ds->sk = sk;
	spin_lock_init(&ds->lock);
	ds->state = DMM_SOCK_UNDECIDED;
	err = rhashtable_insert_fast(&dmm_socks, &ds->node, dmm_sock_params);
	if (err) {
		kfree(ds);
		return err;
	}
	atomic_inc(&dn->held[DMM_SOCK_UNDECIDED]);
	dmm_log_prepare(&dn->log);
	return 0;
}

/* Under ds->lock. */
static void take_refs(struct dmm_sock *ds, struct dmm_sock_refs *refs)
{
	lockdep_assert_held(&ds->lock);
	swap(refs->connect, ds->connect);
	refs->conn = rcu_replace_pointer(ds->conn, NULL, lockdep_is_held(&ds->lock));
	swap(refs->listener, ds->listener);
}

void dmm_sock_untrack(struct sock *sk, struct dmm_sock_refs *refs)
{
	struct dmm_net *dn = dmm_net(sock_net(sk));
	struct dmm_sock *ds;

	memset(refs, 0, sizeof(*refs));
	rcu_read_lock();
	ds = sock_find(sk);
	if (ds && !rhashtable_remove_fast(&dmm_socks, &ds->node, dmm_sock_params)) {
		spin_lock_bh(&ds->lock);
		take_refs(ds, refs);
		atomic_dec(&dn->held[ds->state]);
		/* Who has found it before gives it nothing more. */
		ds->state = DMM_SOCK_GONE;
		spin_unlock_bh(&ds->lock);
		kfree_rcu(ds, rcu);
	}
	rcu_read_unlock();
}

void dmm_sock_refs_end(struct dmm_sock_refs *refs)
{
	if (refs->connect)
		dmm_connect_cancel(refs->connect);
	if (refs->listener)
		dmm_listener_close(refs->listener);
	if (refs->conn)
		dmm_conn_close(refs->conn, true);
}

bool dmm_sock_tracked(struct sock *sk)
{
	bool tracked;

	rcu_read_lock();
	tracked = sock_find(sk);
	rcu_read_unlock();
	return tracked;
}

int dmm_sock_state(struct sock *sk)
{
	struct dmm_sock *ds;
	int state = -ENOENT;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds)
		state = smp_load_acquire(&ds->state); /* A */
	rcu_read_unlock();
	return state;
}

static void set_state(struct dmm_sock *ds, u8 state)
{
	struct dmm_net *dn = dmm_net(sock_net(ds->sk));

	lockdep_assert_held(&ds->lock);
	atomic_dec(&dn->held[ds->state]);
	atomic_inc(&dn->held[state]);
	/* A: who sees the state finds what belongs to it. */
	smp_store_release(&ds->state, state);
}

bool dmm_sock_read(struct sock *sk, u8 *state, char want[DMM_NAME_MAX],
		   struct dmm_decision *d)
{
	struct dmm_sock *ds;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		*state = ds->state;
		memcpy(want, ds->want, DMM_NAME_MAX);
		*d = ds->decision;
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return ds;
}

bool dmm_sock_want(struct sock *sk, char want[DMM_NAME_MAX])
{
	struct dmm_sock *ds;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		memcpy(want, ds->want, DMM_NAME_MAX);
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return ds;
}

bool dmm_sock_set_want(struct sock *sk, const char *want)
{
	struct dmm_sock *ds;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		strscpy_pad(ds->want, want, sizeof(ds->want));
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return ds;
}

/*
 * From undecided, or from connecting by @from, into another state, with the
 * decision that led there and references to what belongs to it, or NULL.
 */
static bool move_to(struct sock *sk, const struct dmm_connect *from, u8 state,
		    const struct dmm_decision *d, struct dmm_connect *c,
		    struct dmm_conn *conn)
{
	struct dmm_sock *ds;
	bool ok = false;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		ok = ds->state == (from ? DMM_SOCK_CONNECTING : DMM_SOCK_UNDECIDED) &&
		     ds->connect == from;
		if (ok) {
			ds->decision = *d;
			if (c)
				ds->connect = dmm_connect_get(c);
			if (conn) {
				dmm_conn_get(conn);
				rcu_assign_pointer(ds->conn, conn);
			}
			set_state(ds, state);
		}
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return ok;
}

bool dmm_sock_set_listening(struct sock *sk, const struct dmm_decision *d)
{
	return move_to(sk, NULL, DMM_SOCK_LISTENER, d, NULL, NULL);
}

bool dmm_sock_set_connecting(struct sock *sk, struct dmm_connect *c,
			     const struct dmm_decision *d)
{
	return move_to(sk, NULL, DMM_SOCK_CONNECTING, d, c, NULL);
}

bool dmm_sock_set_kernel(struct sock *sk, const struct dmm_connect *c,
			 const struct dmm_decision *d)
{
	return move_to(sk, c, DMM_SOCK_KERNEL, d, NULL, NULL);
}

bool dmm_sock_set_conn(struct sock *sk, const struct dmm_connect *c,
		       struct dmm_conn *conn, const struct dmm_decision *d)
{
	return move_to(sk, c, DMM_SOCK_CONNECTED, d, NULL, conn);
}

bool dmm_sock_claim(struct sock *sk, struct dmm_conn *conn, const struct dmm_decision *d)
{
	return move_to(sk, NULL, DMM_SOCK_CONNECTED, d, NULL, conn);
}

bool dmm_sock_set_listener(struct sock *sk, struct dmm_listener *l)
{
	struct dmm_sock *ds;
	bool ok = false;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		ok = !ds->listener && ds->state == DMM_SOCK_LISTENER;
		if (ok)
			ds->listener = dmm_listener_get(l);
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return ok;
}

bool dmm_sock_look(struct sock *sk, void (*fn)(const struct dmm_sock *ds, void *arg),
		   void *arg)
{
	struct dmm_sock *ds;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		fn(ds, arg);
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return ds;
}

int dmm_sock_state_conn(struct sock *sk, struct dmm_conn **conn)
{
	struct dmm_sock *ds;
	int state = -ENOENT;

	*conn = NULL;
	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		state = ds->state;
		*conn = rcu_dereference_protected(ds->conn, lockdep_is_held(&ds->lock));
		if (*conn)
			dmm_conn_get(*conn);
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return state;
}

struct dmm_conn *dmm_sock_conn(struct sock *sk)
{
	struct dmm_conn *conn = NULL;
	struct dmm_sock *ds;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds)
		conn = rcu_dereference(ds->conn);
	/* It is freed after a grace period. */
	if (conn && !dmm_conn_get_live(conn))
		conn = NULL;
	rcu_read_unlock();
	return conn;
}

struct dmm_connect *dmm_sock_connect(struct sock *sk)
{
	struct dmm_connect *c = NULL;
	struct dmm_sock *ds;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		if (ds->connect)
			c = dmm_connect_get(ds->connect);
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return c;
}

struct dmm_listener *dmm_sock_listener(struct sock *sk)
{
	struct dmm_listener *l = NULL;
	struct dmm_sock *ds;

	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		if (ds->listener)
			l = dmm_listener_get(ds->listener);
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return l;
}

bool dmm_sock_detach(struct sock *sk, const struct dmm_connect *c,
		     struct dmm_sock_refs *refs)
{
	struct dmm_sock *ds;
	bool ok = false;

	memset(refs, 0, sizeof(*refs));
	rcu_read_lock();
	ds = sock_find(sk);
	if (ds) {
		spin_lock_bh(&ds->lock);
		ok = ds->state != DMM_SOCK_GONE && (!c || ds->connect == c);
		if (ok) {
			take_refs(ds, refs);
			set_state(ds, DMM_SOCK_UNDECIDED);
			memset(&ds->decision, 0, sizeof(ds->decision));
		}
		spin_unlock_bh(&ds->lock);
	}
	rcu_read_unlock();
	return ok;
}

int dmm_sock_walk(const struct net *net, unsigned int *skip,
		  int (*fn)(struct sock *sk, void *arg), void *arg)
{
	struct rhashtable_iter iter;
	unsigned int nr = 0;
	struct dmm_sock *ds;
	int err = 0;

	rhashtable_walk_enter(&dmm_socks, &iter);
	rhashtable_walk_start(&iter);
	while (!err && (ds = rhashtable_walk_next(&iter))) {
		/* -EAGAIN: the table is being resized, some entries come twice. */
		if (IS_ERR(ds))
			continue;
		/*
		 * The sock may be on its way out, even its memory in use by
		 * another one: once we have a reference, it is ours if it is
		 * still tracked by this entry.
		 */
		if (!refcount_inc_not_zero(&ds->sk->sk_refcnt))
			continue;
		if (sock_find(ds->sk) == ds && net_eq(sock_net(ds->sk), net) &&
		    nr++ >= *skip) {
			err = fn(ds->sk, arg);
			if (!err)
				++*skip;
		}
		sock_put(ds->sk);
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
	return err;
}

int __init dmm_sock_init(void)
{
	return rhashtable_init(&dmm_socks, &dmm_sock_params);
}

void dmm_sock_exit(void)
{
	rhashtable_destroy(&dmm_socks);
}
