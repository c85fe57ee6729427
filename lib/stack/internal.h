/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the SDK.
 *
 * A connection's object is made by a down event or by dmm_conn_incoming(), found
 * by the index in the kernel's handle (table) or by the token of INCOMING
 * (tokens), and freed when the up event that ends it has been written.  What a
 * stack says about a connection becomes a bit in "pending", and the object goes
 * to the queue's list; the list is written to the up ring once per turn, as far
 * as there is room, so nothing is lost and nothing is said twice.
 */
#ifndef DMM_STACK_INTERNAL_H
#define DMM_STACK_INTERNAL_H

#include <pthread.h>

#include <dmm/stack.h>

#include "ring.h"

#define DMM_EXPORT __attribute__((visibility("default")))

/* What a connection has to tell the kernel, in the order in which it does. */
enum pending {
	PENDING_INCOMING,
	PENDING_CONNECTED,
	PENDING_LISTENING,
	PENDING_PAIR,
	PENDING_RX_DATA,
	PENDING_TX_SPACE,
	PENDING_RX_FULL,
	PENDING_EOF,
	PENDING_ERROR,
	PENDING_CLOSED,
	PENDING_NR,
};

enum conn_state {
	CONN_INCOMING,	/* the kernel has to answer */
	CONN_ASKED,	/* connect, listen or bind that the stack has to answer */
	CONN_LISTENER,
	CONN_OPEN,
	CONN_CLOSING,	/* ops->close was called */
	CONN_GONE,	/* of the author's view; lives until the last event is written */
};

struct dmm_conn {
	struct dmm_queue *queue;
	uint64_t id;		/* 0: INCOMING that is not answered */
	void *priv;
	struct dmm_page *page;
	struct ring_reader tx;
	struct ring_writer rx;
	struct dmm_conn *next;	/* on the queue's list of pending or of free objects */
	struct dmm_conn *next_kick;
	uint16_t pending;	/* bits of enum pending */
	uint16_t later;		/* those that wait for the kernel to accept */
	uint8_t state;		/* enum conn_state */
	uint16_t flags;		/* DMM_EVF_* */
	bool listed;
	bool kicked;		/* on the queue's list of kicks */
	bool unused;		/* nothing but that list knows it */
	bool wants_data;	/* our flag of the tx ring, as it is there */
	bool wants_space;	/* that of the rx ring */
	int error;		/* of PENDING_ERROR */
	uint64_t other;		/* listener of PENDING_INCOMING and PENDING_PAIR */
	uint64_t token;		/* of INCOMING */
	uint32_t need;		/* of PENDING_RX_FULL: bytes of the piece, 0: any */
	uint32_t datagram;	/* bytes in the tx ring of the datagram that was looked at */
	struct dmm_open open;	/* the ends, as asked for or as answered */
};

/* Pointers by index, in blocks that are allocated as they are needed. */
#define TABLE_BLOCK	512u

struct table {
	struct dmm_conn ***blocks;
	uint32_t nr_blocks;
};

struct tokens {
	struct dmm_conn **slots;
	uint32_t nr;
	uint32_t free;		/* where to look for a free one */
	uint32_t generation;
};

struct dmm_queue {
	struct dmm_stack *stack;
	unsigned int index;
	struct dmm_kernel_area *kernel;
	struct dmm_stack_area *area;
	uint32_t down_tail;
	uint32_t up_head;
	bool polls;
	int64_t spin;			/* nanoseconds to look before a wait; 0: do not */
	struct dmm_conn *pending;	/* first in, first out */
	struct dmm_conn **pending_end;
	struct dmm_conn *kicks;		/* became open since the last turn */
	struct dmm_conn *unused;
	struct table table;
	struct tokens tokens;
	struct dmm_enter enter;		/* dmm_queue_wake() zeroes the timeout */
	struct dmm_queue_stats stats;
	pthread_t thread;		/* of dmm_stack_run() */
	int result;			/* its */
	struct dmm_call *calls;		/* last in, first out */
	int woken;			/* since the turn has begun */
	pid_t sleeper;			/* the thread that waits in the kernel; 0: none */
};

struct dmm_stack {
	struct dmm_device device;
	const struct dmm_stack_ops *ops;
	void *arg;
	struct dmm_register reg;
	struct arena arena;
	struct dmm_queue *queues;
	int stopping;
	bool spins;		/* who waits leaves a processor to the others */
};

/* device.c */
int dmm_device_open(struct dmm_device *device, const char *path);
void dmm_device_use(struct dmm_device *device, int fd);

/* arena.c */
int dmm_arena_make(struct arena *arena, uint64_t len);
int dmm_arena_map(struct arena *arena, int fd, uint64_t len);
void dmm_arena_unmap(struct arena *arena);

/* table.c */
int dmm_table_init(struct table *t, uint32_t nr);
void dmm_table_exit(struct table *t);
struct dmm_conn *dmm_table_find(const struct table *t, uint64_t id);
int dmm_table_set(struct table *t, uint64_t id, struct dmm_conn *conn);
int dmm_tokens_add(struct tokens *t, struct dmm_conn *conn);
struct dmm_conn *dmm_tokens_take(struct tokens *t, uint64_t token);
struct dmm_conn *dmm_conn_new(struct dmm_queue *q);
void dmm_conn_free(struct dmm_conn *conn);
void dmm_conn_kick(struct dmm_conn *conn);
void dmm_conns_exit(struct dmm_queue *q);

/* conn.c */
int dmm_conn_attach(struct dmm_conn *conn, uint64_t id, uint32_t page);

/* up.c */
void dmm_up_say(struct dmm_conn *conn, enum pending what);
void dmm_up_say_later(struct dmm_conn *conn);
void dmm_up_flush(struct dmm_queue *q);
bool dmm_up_outstanding(const struct dmm_queue *q);

/* call.c */
struct dmm_call *dmm_calls_take(struct dmm_queue *q);

/* down.c */
bool dmm_down_there(const struct dmm_queue *q);
int dmm_down_kicks(struct dmm_queue *q);
int dmm_down_take(struct dmm_queue *q);

/* bytes.c: the rings of a connection with their flags */
uint32_t dmm_conn_tx_look(struct dmm_conn *conn, uint32_t beyond);
void dmm_conn_tx_take(struct dmm_conn *conn, uint32_t bytes);
uint32_t dmm_conn_rx_look(struct dmm_conn *conn, uint32_t want);
void dmm_conn_rx_give(struct dmm_conn *conn, uint32_t bytes);

#endif
