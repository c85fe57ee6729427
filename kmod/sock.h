/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What DMM knows of a socket that it still holds.
 *
 * Lifetime: made by dmm_sock_track() at the end of the socket's creation,
 * ended by dmm_sock_untrack() at hand-over or release, whichever comes first;
 * freed an RCU grace period later.  It is found by the sock's address in one
 * hash table, so that nothing of ours is in the sock itself: sk_user_data
 * stays free for those who use it on listeners (sockmap, reuseport arrays,
 * tunnels).  A socket without this state is not ours to decide, and every
 * operation delegates to the native one.
 *
 * Locks: dmm_sock::lock is innermost.  Other fields than those it guards are
 * written before the entry is published.
 */
#ifndef DMM_SOCK_H
#define DMM_SOCK_H

#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>

#include "decide.h"

/* Not tracked any more: what a thread sees that has found it just before. */
#define DMM_SOCK_GONE	(DMM_SOCK_MAX + 1)

struct dmm_conn;
struct dmm_connect;
struct dmm_listener;
struct sock;

/**
 * struct dmm_sock - a socket that DMM holds
 * @node:	in the table of all such sockets
 * @sk:		the sock; may be dereferenced by whoever has a reference to
 *		it, as system calls do
 * @lock:	guards the fields below
 * @state:	enum dmm_sock_state, or DMM_SOCK_GONE
 * @want:	stack that the application asked for, "" for none
 * @decision:	of a listener, and of one that a user stack serves
 * @connect:	of DMM_SOCK_CONNECTING and what it became; a reference
 * @conn:	of DMM_SOCK_CONNECTED; a reference, RCU for readers
 * @listener:	of a listener that user stacks may serve; a reference
 * @rcu:	for freeing
 */
struct dmm_sock {
	struct rhash_head node;
	struct sock *sk;
	spinlock_t lock;
	u8 state;
	char want[DMM_NAME_MAX];
	struct dmm_decision decision;
	struct dmm_connect *connect;
	struct dmm_conn __rcu *conn;
	struct dmm_listener *listener;
	struct rcu_head rcu;
};

/**
 * struct dmm_sock_refs - what a socket had of user stacks
 * @connect:	a reference, or NULL
 * @conn:	likewise
 * @listener:	likewise
 */
struct dmm_sock_refs {
	struct dmm_connect *connect;
	struct dmm_conn *conn;
	struct dmm_listener *listener;
};

int dmm_sock_track(struct sock *sk);
/* What it had is the caller's. */
void dmm_sock_untrack(struct sock *sk, struct dmm_sock_refs *refs);
/* It is over: connecting and listening end, the connection is reset.  May sleep. */
void dmm_sock_refs_end(struct dmm_sock_refs *refs);

/* All that follow return false, or -ENOENT, for a socket without state. */
bool dmm_sock_tracked(struct sock *sk);
bool dmm_sock_want(struct sock *sk, char want[DMM_NAME_MAX]);
bool dmm_sock_set_want(struct sock *sk, const char *want);
bool dmm_sock_read(struct sock *sk, u8 *state, char want[DMM_NAME_MAX],
		   struct dmm_decision *d);
/* Call @fn with the lock held. */
bool dmm_sock_look(struct sock *sk, void (*fn)(const struct dmm_sock *ds, void *arg),
		   void *arg);
/* enum dmm_sock_state */
int dmm_sock_state(struct sock *sk);

/*
 * What becomes of it.  The socket gets references of its own.  Other threads may
 * use it at the same time, so each says whether the socket was as it has to be:
 * undecided, or connecting by @c and no other; dmm_sock_set_listener(): without
 * a listener.
 */
bool dmm_sock_set_listening(struct sock *sk, const struct dmm_decision *d);
bool dmm_sock_set_connecting(struct sock *sk, struct dmm_connect *c,
			     const struct dmm_decision *d);
bool dmm_sock_claim(struct sock *sk, struct dmm_conn *conn, const struct dmm_decision *d);
bool dmm_sock_set_kernel(struct sock *sk, const struct dmm_connect *c,
			 const struct dmm_decision *d);
bool dmm_sock_set_conn(struct sock *sk, const struct dmm_connect *c,
		       struct dmm_conn *conn, const struct dmm_decision *d);
bool dmm_sock_set_listener(struct sock *sk, struct dmm_listener *l);
/* With a reference, or NULL. */
struct dmm_conn *dmm_sock_conn(struct sock *sk);
/*
 * The same and the state, in one look: a stack's answer may change both between
 * two.
 */
int dmm_sock_state_conn(struct sock *sk, struct dmm_conn **conn);
struct dmm_connect *dmm_sock_connect(struct sock *sk);
struct dmm_listener *dmm_sock_listener(struct sock *sk);
/*
 * Undecided again, if it is connecting by @c, or whatever it is if that is NULL;
 * what it had is the caller's.
 */
bool dmm_sock_detach(struct sock *sk, const struct dmm_connect *c,
		     struct dmm_sock_refs *refs);

/*
 * Call @fn on the tracked sockets of a namespace, with a reference to the
 * sock, from the @skip-th on until it returns an error; returns that error,
 * with *skip at the socket that it was for, or 0.
 */
int dmm_sock_walk(const struct net *net, unsigned int *skip,
		  int (*fn)(struct sock *sk, void *arg), void *arg);

int dmm_sock_init(void);
void dmm_sock_exit(void);

#endif /* DMM_SOCK_H */
