/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instances of stacks: daemons that have registered at /dev/dmm.
 *
 * Lifetime: made by DMM_IOC_REGISTER.  References: the open file, each
 * connection, and whoever found it under rcu_read_lock().  The last close of
 * the file is its death: it is taken out of the registry, so that no decision
 * finds it any more, and all its connections are broken.  It is freed with the
 * last reference, that is when the last socket that it served is closed.  One
 * whose event rings make no sense is dead before that.
 *
 * Locks, outermost first:
 *
 *	registry mutex (instance.c)	who is there, which namespaces they serve
 *	dmm_queue::enter		one thread works on a queue
 *	dmm_listener::lock		(conn.h)
 *	dmm_conn::lock			(conn.h), two at once: the one with the
 *					lower address first
 *	dmm_queue::lock			the down ring
 *
 * A daemon's call never takes a socket's lock: an application that sleeps in a
 * page fault with its socket locked does not stop a daemon.
 */
#ifndef DMM_INSTANCE_H
#define DMM_INSTANCE_H

#include <linux/idr.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <uapi/linux/dmm_dev.h>

#include "arena.h"

struct dmm_candidate;
struct dmm_conn;
struct dmm_flow;
struct dmm_instance;
struct net;
struct pid;

/**
 * struct dmm_area - memory of one queue that both sides have mapped
 * @pages:	its pages
 * @nr:		how many
 * @mem:	where the kernel has it
 */
struct dmm_area {
	struct page **pages;
	unsigned int nr;
	void *mem;
};

/**
 * struct dmm_queue - one pair of event rings
 * @inst:	of this instance
 * @nr:		number
 * @kernel_area: memory that the kernel writes
 * @stack_area:	memory that the stack writes
 * @k:		the same as a struct
 * @s:		likewise
 * @wait:	threads that wait for down events
 * @enter:	one thread works on the up ring
 * @up_tail:	its tail, under @enter
 * @enters:	how often, likewise
 * @events_up:	how many events were taken, likewise
 * @lock:	guards what follows
 * @down_head:	head of the down ring, of which the stack sees the lower half
 * @events_down: how many events were told
 * @wake_ups:	how often somebody waited for one
 * @held:	connections with events that wait for room, or for @resumed
 * @resuming:	a successor is being told what there is: all else waits
 * @resumed:	of these connections; they go in front of @held
 */
struct dmm_queue {
	struct dmm_instance *inst;
	u32 nr;
	struct dmm_area kernel_area;
	struct dmm_area stack_area;
	struct dmm_kernel_area *k;
	struct dmm_stack_area *s;
	wait_queue_head_t wait;

	struct mutex enter;
	u32 up_tail;
	u64 enters;
	u64 events_up;

	spinlock_t lock;
	u64 down_head;
	u64 events_down;
	u64 wake_ups;
	struct list_head held;
	bool resuming;
	struct list_head resumed;
};

/**
 * struct dmm_service - an instance serves a namespace
 * @node:	in dmm_net::services, RCU
 * @link:	in dmm_instance::services
 * @inst:	the instance
 * @net:	the namespace, which takes this away when it ends
 * @nr:		the instance's number of it, 0 for its own
 * @rcu:	for freeing
 */
struct dmm_service {
	struct list_head node;
	struct list_head link;
	struct dmm_instance *inst;
	struct net *net;
	u32 nr;
	struct rcu_head rcu;
};

/**
 * struct dmm_instance_stats - what happened, cumulative
 * @connects:	connections that it was asked to make
 * @accepts:	connections that it brought
 * @failures:	connects that it did not make
 * @resets:	connections broken by it
 * @bad_events:	up events that made no sense
 * @bad_rings:	connections whose rings made no sense
 */
struct dmm_instance_stats {
	atomic64_t connects;
	atomic64_t accepts;
	atomic64_t failures;
	atomic64_t resets;
	atomic64_t bad_events;
	atomic64_t bad_rings;
};

/**
 * struct dmm_instance - one open and registered /dev/dmm
 * @ref:	see above
 * @rcu:	for freeing
 * @dead_node:	likewise
 * @broken_node: until its connections are broken
 * @reg:	as it registered, with the names that it got
 * @id:		never reused
 * @net:	its own namespace; a reference
 * @pid:	the process that registered or took over
 * @comm:	its name
 * @generation:	counts takeovers
 * @arena:	its memory
 * @queues:	@reg.nr_queues of them
 * @next_queue:	round robin
 * @dead:	its file is closed
 * @broken:	its event rings made no sense
 * @conns:	by index, RCU
 * @indices:	of @conns
 * @last_conn:	counts connections, for the upper half of their names
 * @nr_live:	connections that it has now
 * @nr_listeners: those at which it has said that it listens
 * @services:	namespaces that it serves, under the registry mutex
 * @next_service: number of the next
 * @addr_lock:	guards @addrs, @nr_addrs
 * @addrs:	its local addresses
 * @nr_addrs:	how many; 0: any
 * @stats:	counters
 */
struct dmm_instance {
	refcount_t ref;
	struct rcu_head rcu;
	struct llist_node dead_node;
	struct llist_node broken_node;
	struct dmm_register reg;
	u32 id;
	struct net *net;
	struct pid *pid;
	char comm[TASK_COMM_LEN];
	u32 generation;
	struct dmm_arena arena;
	struct dmm_queue *queues;
	atomic_t next_queue;
	bool dead;
	u32 broken;
	struct dmm_conn __rcu **conns;
	struct ida indices;
	atomic_t last_conn;
	atomic_t nr_live;
	atomic_t nr_listeners;
	struct list_head services;
	u32 next_service;
	spinlock_t addr_lock;
	struct dmm_address addrs[DMM_ADDRESSES_MAX];
	unsigned int nr_addrs;
	struct dmm_instance_stats stats;
};

/*
 * Become an instance.  @reg is filled in.  Errors as of DMM_IOC_REGISTER.  The
 * caller gets the file's reference.
 */
struct dmm_instance *dmm_instance_register(struct dmm_register *reg);
/* The file is closed: the instance dies.  Takes the file's reference. */
void dmm_instance_unregister(struct dmm_instance *inst);
/* Another process goes on with it.  Returns its generation. */
u32 dmm_instance_takeover(struct dmm_instance *inst);
/*
 * Its event rings make no sense: it is dead, but for the file.  Called under any
 * lock; that its connections are broken follows.
 */
void dmm_instance_break(struct dmm_instance *inst);

bool dmm_instance_get(struct dmm_instance *inst);
void dmm_instance_put(struct dmm_instance *inst);

int dmm_instance_address(struct dmm_instance *inst, const struct dmm_address *addr);

/*
 * By name, of those that serve a namespace, with a reference; NULL if there is
 * none.
 */
struct dmm_instance *dmm_instance_named_get(struct net *net, const char *stack,
					    const char *instance);
/*
 * Serve another namespace as well, or no longer.  The caller has a reference to
 * @net and has seen to it that this is allowed.  Connections that exist stay.
 * Errors: -EEXIST: it serves that already, or another one of this name does;
 * -ENOENT: it does not, or is gone; -EINVAL: @net is its own; -ENOMEM.
 */
int dmm_instance_share(struct dmm_instance *inst, struct net *net);
int dmm_instance_unshare(struct dmm_instance *inst, struct net *net);
bool dmm_instance_serves(const struct dmm_instance *inst, const struct net *net);
/* Changes whenever an instance comes or goes anywhere; never 0. */
u32 dmm_instances_seq(void);

/**
 * dmm_instance_find() - an instance that can serve a flow
 * @net:	the socket's namespace
 * @name:	NAME for any instance of a stack, or NAME@INSTANCE
 * @flow:	what it has to serve; NULL: whatever
 * @failing:	also one that failed to connect there a short time ago
 * @nr:		number of the namespace for the instance
 *
 * Of several that can, the one with the fewest connections for its weight.
 *
 * Return: the instance, with a reference, or NULL.
 */
struct dmm_instance *dmm_instance_find(struct net *net, const char *name,
				       const struct dmm_flow *flow, bool failing,
				       u32 *nr);
/* Is there one that can?  Without reference, under rcu_read_lock() too. */
bool dmm_instance_exists(struct net *net, const char *name,
			 const struct dmm_flow *flow, bool failing);
/* Connections of all that can, or -ENOENT. */
int dmm_instance_load(struct net *net, const char *name,
		      const struct dmm_flow *flow);
/* Up to @max of this name, each with its status; how many. */
unsigned int dmm_instance_candidates(struct net *net, const char *name,
				     const struct dmm_flow *flow,
				     struct dmm_candidate *c, unsigned int max);

/* Has it what the flow needs: capabilities, addresses? */
bool dmm_instance_can_serve(struct dmm_instance *inst, const struct dmm_flow *flow);
/* Is this its stack's name, or NAME@INSTANCE? */
bool dmm_instance_named(const struct dmm_instance *inst, const char *name);

/*
 * Call @fn on all that serve a namespace, with the namespace's number, until it
 * returns an error; returns that.  Under the registry mutex.
 */
int dmm_instances_walk(struct net *net,
		       int (*fn)(struct dmm_instance *inst, u32 nr, void *arg), void *arg);
/* The namespace ends. */
void dmm_instances_leave(struct net *net);
/* All files and sockets are closed: wait until nothing is left. */
void dmm_instances_exit(void);

/* queue.c */

int dmm_queues_init(struct dmm_instance *inst);
void dmm_queues_exit(struct dmm_instance *inst);
/* The area at an offset of the file, or NULL; *writable: may be mapped so. */
struct dmm_area *dmm_queue_area(struct dmm_instance *inst, u64 off, bool *writable);

/**
 * dmm_queue_post() - tell the stack of a connection
 * @conn:	the connection; its lock may be held
 * @events:	what of, bits 1 << DMM_EV_*
 *
 * Never fails: what finds no room waits for it, and an event that waits is
 * there once.
 */
void dmm_queue_post(struct dmm_conn *conn, u32 events);
/* Tell of an INCOMING that is not wanted.  False if there is no room. */
bool dmm_queue_refuse(struct dmm_queue *q, u64 token, u64 listener, int err);
/* Is there room for a down event now? */
bool dmm_queue_has_room(struct dmm_queue *q);
/* Has the stack taken all down events before this head? */
bool dmm_queue_taken(const struct dmm_queue *q, u64 head);
/* It is gone: forget what waits, and tell nothing more. */
void dmm_queue_drop(struct dmm_conn *conn);
/**
 * struct dmm_queue_stats - what happened on the queues of an instance, cumulative
 * @enters:	DMM_IOC_ENTER
 * @wake_ups:	of who waited for down events
 * @events_down: told
 * @events_up:	taken
 */
struct dmm_queue_stats {
	u64 enters;
	u64 wake_ups;
	u64 events_down;
	u64 events_up;
};

void dmm_queue_stats(const struct dmm_instance *inst, struct dmm_queue_stats *stats);
/* Errors as of DMM_IOC_ENTER. */
int dmm_queue_enter(struct dmm_instance *inst, const struct dmm_enter *enter,
		    bool nonblock);
bool dmm_queue_ready(struct dmm_queue *q);
/* For a successor: take the up events that are there, and forget the down events. */
void dmm_queue_reset(struct dmm_queue *q);
/* Then tell it of a connection, whose lock may be held, in place of what was not told yet. */
void dmm_queue_resume(struct dmm_conn *conn, u32 events);
/* That was all: what others have posted meanwhile follows. */
void dmm_queue_resumed(struct dmm_queue *q);

#endif /* DMM_INSTANCE_H */
