/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections, listeners and datagram sockets of user stacks.
 *
 * Life of a dmm_conn:
 *
 *	OPENING		CONNECT, LISTEN or BIND is told, the answer awaited
 *	WAITING		paired, but the listener's backlog is full
 *	OPEN		of one that the stack brought from the start
 *	CLOSING		CLOSE is told, CLOSED awaited
 *	GONE		not in the instance's table any more
 *
 * References: the instance's table until GONE; the socket (dmm_sock::conn),
 * the attempt (dmm_connect) or the listener (its queue) that it belongs to;
 * the peer of a paired one; the queue while events wait.  The last one frees
 * page and rings, so whoever has one may touch these.
 *
 * The socket's end of it is @sk, set while a socket is there to be told of
 * what happens.  It is not a reference: the socket takes itself out when it is
 * closed, under @lock, which whoever tells it something holds.
 *
 * Locks: instance.h.  What is not said to be under @lock is written before the
 * connection can be found, or by its socket alone under the socket's lock.
 */
#ifndef DMM_CONN_H
#define DMM_CONN_H

#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <uapi/linux/dmm_dev.h>

#include "ring.h"

struct dmm_connect;
struct dmm_flow;
struct dmm_instance;
struct dmm_listener;
struct dmm_queue;
struct sock;

enum dmm_conn_kind {
	DMM_CONN_STREAM,
	DMM_CONN_LISTENER,
	DMM_CONN_DATAGRAM,
};

enum dmm_conn_state {
	DMM_CONN_OPENING,
	DMM_CONN_WAITING,
	DMM_CONN_OPEN,
	DMM_CONN_CLOSING,
	DMM_CONN_GONE,
};

/**
 * struct dmm_rings - the two byte rings of a connection, or of a pair
 * @ref:	connections that use them
 * @ring:	tx and rx of the first, rx and tx of the second
 */
struct dmm_rings {
	refcount_t ref;
	struct dmm_bytes ring[2];
};

/**
 * struct dmm_conn - a connection, listener or datagram socket of a user stack
 * @ref:	see above
 * @kind:	enum dmm_conn_kind
 * @dual:	of a listener or datagram socket at [::]: IPv4 as well
 * @id:		dmm_event::conn; 0: it was never in the table
 * @inst:	the instance; a reference
 * @queue:	the queue that it belongs to
 * @netns:	the instance's number of the namespace
 * @backlog:	of a listener, as LISTEN says it
 * @listener_id: of one that the stack brought: its listener
 * @open:	its two ends; of a listener and a datagram socket the local one
 * @page_nr:	page in the arena
 * @page:	the same, or NULL of a paired one
 * @rings:	its rings
 * @tx:		to the stack, or to the peer
 * @rx:		from it
 * @rcu:	for freeing
 * @lock:	guards what follows
 * @state:	enum dmm_conn_state
 * @opened:	the stack has said that it is there
 * @eof:	nothing comes behind what is in @rx
 * @fin:	nothing more is sent
 * @reset:	CLOSE is a reset
 * @peer_gone:	of a paired one: the other is closed or shut down in both
 *		directions, what is sent is lost
 * @told:	who waited for it to be connected has been told
 * @err:	what broke it, a negative errno
 * @sk:		the socket, or NULL
 * @connect:	the attempt that waits for it, or NULL; a reference
 * @listener:	of a listener: where connections go; of one that waits: where
 *		to; a reference
 * @peer:	of a paired one until it is closed; a reference, RCU for readers:
 *		another thread may disconnect the socket while one sends
 * @link:	in one of the listener's lists, under its lock
 * @pending:	down events to be told, under the queue's lock
 * @mute:	nothing more is told, likewise
 * @tx_told:	dmm_queue::down_head behind the last TX_DATA, likewise
 * @rx_told:	behind the last RX_SPACE
 * @held:	in dmm_queue::held, likewise
 *
 * In an order that leaves no holes: 256 bytes, what kmalloc() has as a size.
 */
struct dmm_conn {
	refcount_t ref;
	u8 kind;
	bool dual;
	u64 id;
	struct dmm_instance *inst;
	struct dmm_queue *queue;
	u32 netns;
	u32 backlog;
	u64 listener_id;
	struct dmm_open open;
	u32 page_nr;
	struct dmm_page *page;
	struct dmm_rings *rings;
	struct dmm_bytes *tx;
	struct dmm_bytes *rx;
	struct rcu_head rcu;

	spinlock_t lock;
	u8 state;
	bool opened;
	bool eof;
	bool fin;
	bool reset;
	bool peer_gone;
	bool told;
	int err;
	struct sock *sk;
	struct dmm_connect *connect;
	struct dmm_listener *listener;
	struct dmm_conn __rcu *peer;
	struct list_head link;

	u32 pending;
	bool mute;
	u64 tx_told;
	u64 rx_told;
	struct list_head held;
};

static inline void dmm_conn_get(struct dmm_conn *conn)
{
	refcount_inc(&conn->ref);
}

/* Under rcu_read_lock(), of one whose last reference may be gone. */
static inline bool dmm_conn_get_live(struct dmm_conn *conn)
{
	return refcount_inc_not_zero(&conn->ref);
}

void dmm_conn_put(struct dmm_conn *conn);

/* Joined to another socket: the stack has forgotten it, and there is no page. */
static inline bool dmm_conn_paired(const struct dmm_conn *conn)
{
	return !conn->page;
}

/* The local end of what is decided; there is no remote one yet. */
void dmm_open_init(struct dmm_open *open, const struct dmm_flow *flow);

/**
 * dmm_conn_new() - a connection of an instance, that nobody knows yet
 * @inst:	the instance; a reference is taken
 * @q:		the queue that it shall belong to, or NULL
 * @kind:	enum dmm_conn_kind
 * @open:	its ends
 * @netns:	number of the namespace
 * @sk:		the socket that it is for, for options and sizes of rings
 *
 * The caller gets a reference, completes it, publishes it and tells the stack
 * with dmm_queue_post().
 *
 * Return: the connection, in DMM_CONN_OPENING, or an ERR_PTR: ENOMEM, ENOBUFS
 * (the arena is full).
 */
struct dmm_conn *dmm_conn_new(struct dmm_instance *inst, struct dmm_queue *q, u8 kind,
			      const struct dmm_open *open, u32 netns,
			      const struct sock *sk);

/*
 * Put it into the instance's table.  Errors: EMFILE: the instance has as many
 * as it can; ESHUTDOWN: it dies; ENOMEM.
 */
int dmm_conn_publish(struct dmm_conn *conn);
/* Take it out again, if it is there, without a word to the stack. */
void dmm_conn_forget(struct dmm_conn *conn);

/* For queue.c: fill in a down event. */
void dmm_conn_describe(struct dmm_conn *conn, u8 event, struct dmm_event *ev);
/* For queue.c: an up event.  False: there was no room for the answer. */
bool dmm_conn_event(struct dmm_queue *q, const struct dmm_event *ev);
/* All of an instance, whose daemon is gone. */
void dmm_conns_break(struct dmm_instance *inst);
/* Tell a successor of all. */
void dmm_conns_resume(struct dmm_instance *inst);

/*
 * The socket's side.
 *
 * dmm_conn_attach() makes @sk hear of what happens, and of what has happened
 * already.  dmm_conn_close() is the end, graceful or by reset; the caller's
 * reference goes with it.
 */
void dmm_conn_attach(struct dmm_conn *conn, struct sock *sk);
void dmm_conn_close(struct dmm_conn *conn, bool reset);
/* No more is sent. */
void dmm_conn_shutdown(struct dmm_conn *conn);
/* Of a pair: what the other end sends from now on is lost, and resets this one. */
void dmm_conn_deaf(struct dmm_conn *conn);
void dmm_conn_reset_peer(struct dmm_conn *conn);
/* After dmm_bytes_publish() and dmm_bytes_consume(): tell the other end. */
void dmm_conn_sent(struct dmm_conn *conn);
void dmm_conn_received(struct dmm_conn *conn);
/*
 * Ask to be told of data, or of room.  A full barrier: what was not seen before
 * is either seen in a look after it, or told.
 */
void dmm_conn_want_data(struct dmm_conn *conn);
void dmm_conn_want_space(struct dmm_conn *conn);
/* The stack's words made no sense. */
void dmm_conn_violated(struct dmm_conn *conn);
/* Options of the socket changed; or may have, without a call to us. */
void dmm_conn_options(struct dmm_conn *conn, const struct sock *sk);
void dmm_conn_check_options(struct dmm_conn *conn, const struct sock *sk);

/*
 * For those who make and break connections: conn_event.c, listener.c.
 *
 * dmm_conn_make() is a connection without memory.  The others are under
 * conn->lock; dmm_conn_leave() takes it out of the table, dmm_conn_fail() breaks
 * it, dmm_conn_eof() ends what comes.
 */
struct dmm_conn *dmm_conn_make(struct dmm_instance *inst, struct dmm_queue *q, u8 kind,
			       const struct dmm_open *open, u32 netns);
void dmm_conn_leave(struct dmm_conn *conn);
void dmm_conn_fail(struct dmm_conn *conn, int err);
void dmm_conn_eof(struct dmm_conn *conn);

/* TCP_ESTABLISHED ..., as the stack says, or as follows from who has ended sending. */
u8 dmm_conn_tcp_state(const struct dmm_conn *conn);
void dmm_conn_free_page(struct dmm_conn *conn);
void dmm_rings_put(struct dmm_rings *rings);
/* The event that makes it, as a bit. */
u32 dmm_conn_open_event(const struct dmm_conn *conn);

#endif /* DMM_CONN_H */
