/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the peer.  One lock for all that is not in shared memory.
 *
 * A socket is the application's until it is closed, and its connection the
 * stack's until CLOSED; the object goes with the later one.
 */
#ifndef DMM_PEER_H
#define DMM_PEER_H

#include <pthread.h>
#include <time.h>

#include <dmm/stack_peer.h>

#include "../atomic.h"
#include "../ring.h"

enum sock_state {
	SOCK_IDLE,
	SOCK_CONNECTING,	/* the stack has to answer */
	SOCK_BINDING,
	SOCK_LISTENING,
	SOCK_OPEN,		/* connected, or a bound datagram socket */
	SOCK_LISTENER,
	SOCK_PAIR_WAITS,	/* for room in a backlog */
	SOCK_DEAD,
};

/* Memory of the arena. */
struct run {
	uint64_t offset;
	uint32_t size;	/* 0: none, or within the connection's page */
};

/* Our side of a ring's pieces: by epoch modulo 2, as there. */
struct pieces {
	struct run run[2];
	uint32_t epoch;		/* up to which old pieces were taken back */
	bool offered;		/* the other place has a piece that is not in use yet */
	uint32_t max;
};

/* Bytes between paired sockets. */
struct fifo {
	uint8_t *bytes;
	size_t len;
};

struct dmm_peer_socket {
	struct dmm_peer *peer;
	struct dmm_peer_socket *next;	/* of the peer */
	unsigned int queue;
	uint8_t state;
	int family;
	int type;
	bool v6only;
	bool app_gone;
	bool closing;		/* CLOSE was said */
	bool shut;		/* the application sends no more */
	bool eof;
	bool connected;		/* CONNECT of a datagram socket */
	int error;
	struct dmm_open ends;

	uint64_t id;		/* of the connection; 0: none */
	struct run page_run;
	struct dmm_page *page;
	struct ring_writer tx;
	struct ring_reader rx;
	struct pieces tx_pieces;
	struct pieces rx_pieces;
	uint32_t data_told;	/* index behind the last TX_DATA */
	uint32_t space_told;
	bool data_was_told;
	bool space_was_told;

	int backlog;
	int queued;
	struct dmm_peer_socket *listener;	/* in whose accept queue, or waiting for it, this is */
	struct dmm_peer_socket *pair;
	struct fifo inbox;
};

struct peer_queue {
	struct dmm_kernel_area *kernel;
	struct dmm_stack_area *area;
	uint32_t down_head;
	uint32_t up_tail;
	struct dmm_event *held;
	size_t nr_held;
	size_t max_held;
};

struct dmm_peer {
	pthread_mutex_t lock;
	pthread_cond_t wake_stack;
	pthread_cond_t wake_apps;
	struct dmm_register reg;	/* of the instance; nr_queues 0: there is none */
	uint32_t generation;
	bool dead;
	struct arena arena;
	bool own_mapping;
	uint8_t *used;			/* pages of the arena */
	struct peer_queue *queues;
	struct dmm_peer_socket **conns;	/* by index */
	uint32_t next_index;
	uint32_t handles;		/* upper half of the next */
	struct dmm_peer_socket *sockets;
	struct dmm_peer_stats stats;
};

/* device.c */
struct timespec dmm_peer_deadline(int64_t ns);

/* memory.c */
int dmm_peer_alloc(struct dmm_peer *peer, uint32_t size, struct run *run);
void dmm_peer_release(struct dmm_peer *peer, struct run *run);
int dmm_peer_conn_make(struct dmm_peer_socket *s);
void dmm_peer_conn_end(struct dmm_peer_socket *s);
void dmm_peer_conn_rings(struct dmm_peer_socket *s);
bool dmm_peer_grow(struct dmm_peer_socket *s, struct pieces *p, struct dmm_ring *ring,
		   uint32_t need);
void dmm_peer_reclaim(struct dmm_peer_socket *s, struct pieces *p, struct dmm_ring *ring);

/* down.c */
void dmm_peer_down(struct dmm_peer *peer, unsigned int queue, const struct dmm_event *e);
void dmm_peer_say(struct dmm_peer_socket *s, uint16_t type, uint16_t flags, int32_t value);
void dmm_peer_say_open(struct dmm_peer_socket *s, uint16_t type, int32_t value);
void dmm_peer_tell_data(struct dmm_peer_socket *s);
void dmm_peer_tell_space(struct dmm_peer_socket *s);
void dmm_peer_down_held(struct dmm_peer *peer, struct peer_queue *q);

/* up.c */
int dmm_peer_up(struct dmm_peer *peer, unsigned int queue);

/* accept.c */
void dmm_peer_queue_child(struct dmm_peer_socket *listener, struct dmm_peer_socket *child);
struct dmm_peer_socket *dmm_peer_new_socket(struct dmm_peer *peer, int family, int type);
void dmm_peer_put_socket(struct dmm_peer_socket *s);
void dmm_peer_do_pair(struct dmm_peer_socket *s, struct dmm_peer_socket *listener);
void dmm_peer_admit(struct dmm_peer_socket *listener);
bool dmm_peer_backlog_full(const struct dmm_peer_socket *listener);
void dmm_peer_fail(struct dmm_peer_socket *s, int error);
void dmm_peer_listener_gone(struct dmm_peer_socket *listener);
struct dmm_peer_socket *dmm_peer_next_child(struct dmm_peer_socket *listener);

#endif
