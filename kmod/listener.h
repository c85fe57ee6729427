/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The side of a listening socket that accepts connections of user stacks.
 *
 * Lifetime: made by the first listen() that a user stack may serve, until the
 * socket is closed; references of the socket and of the connections whose
 * listener it is.
 */
#ifndef DMM_LISTENER_H
#define DMM_LISTENER_H

#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include "policy.h"

struct dmm_conn;
struct sock;

/**
 * struct dmm_listener - accept queue of a listening socket
 * @ref:	see above
 * @flow:	what decides which stacks may listen: as at listen()
 * @sync:	brings @conns in step; outside of @lock
 * @closed:	under @sync: no more; @conns is not to be walked any more
 * @joining:	held while a pair is made: as with TCP, who is told that it is
 *		connected is in @queue, and who is taken from there has been told;
 *		outside of @lock
 * @lock:	guards what follows
 * @sk:		the socket, NULL when it is closed
 * @queue:	connections to accept, by dmm_conn::link
 * @waiting:	paired ones that wait for room in it
 * @len:	connections in @queue
 * @backlog:	how many may be there; one more, as with TCP
 * @conns:	one for each instance that listens, by dmm_conn::link; written
 *		under @sync as well
 */
struct dmm_listener {
	refcount_t ref;
	struct dmm_pinned_flow flow;
	struct mutex sync;
	bool closed;
	struct mutex joining;
	spinlock_t lock;
	struct sock *sk;
	struct list_head queue;
	struct list_head waiting;
	u32 len;
	u32 backlog;
	struct list_head conns;
};

struct dmm_listener *dmm_listener_new(struct sock *sk, u32 backlog);
void dmm_listener_put(struct dmm_listener *l);
static inline struct dmm_listener *dmm_listener_get(struct dmm_listener *l)
{
	refcount_inc(&l->ref);
	return l;
}

/*
 * Wait until all stacks that were asked to listen have answered, but not long for one that
 * does not: who hears from the application that it serves may connect at once.
 */
void dmm_listener_wait(struct dmm_listener *l);
/* One has answered; under the lock of its connection. */
void dmm_listener_answered(struct dmm_listener *l);

/* The socket is closed: all that waits is refused or reset. */
void dmm_listener_close(struct dmm_listener *l);
/* The first connection to accept, or NULL.  The caller gets its reference. */
struct dmm_conn *dmm_listener_pop(struct dmm_listener *l);

/*
 * A connection that the stack brought; the queue takes the reference.  Errors:
 * -ECONNREFUSED: closed; -EAGAIN: full.
 */
int dmm_listener_push(struct dmm_listener *l, struct dmm_conn *conn);
/*
 * Join a connecting socket, which is DMM_CONN_WAITING with this listener, now or
 * when there is room.  Takes a reference of its own to @conn.
 */
void dmm_listener_pair(struct dmm_listener *l, struct dmm_conn *conn);

/* A connection that waited is closed. */
void dmm_listener_forget(struct dmm_listener *l, struct dmm_conn *conn);

static inline bool dmm_listener_ready(const struct dmm_listener *l)
{
	return READ_ONCE(l->len);
}

#endif /* DMM_LISTENER_H */
