/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmm-rdma: connections by RDMA.  doc/rdma.md has the design and the wire.
 *
 *	main.c		options, signals, the loop
 *	config.c	the keys of the configuration
 *	stack.c		callbacks of the SDK, addresses, timers
 *	device.c	RDMA devices: queues, completions, what happens to a device
 *	cm.c		the connection manager: from a request to a connection
 *	listen.c	listeners
 *	conn.c		a connection: bytes, credits, its end
 *	peer.c		are they still there?
 *	reaper.c	ids of the connection manager that are over
 *	wait.c		until something is to be done
 *	wire.c		what goes over the wire
 *
 * One process is one instance, and one thread does all, with the queue of the instance; but what can get stuck in
 * the kernel, the reaper does.
 */
#ifndef DMM_RDMA_H
#define DMM_RDMA_H

#include <netinet/in.h>
#include <sys/queue.h>

#include <rdma/rdma_cma.h>
#include <dmm/stack.h>

#include "../common/daemon/config.h"
#include "wire.h"

#define RD_SPIN_AUTO		INT64_MIN
#define RD_ADDRESSES_MAX	16u
#define RD_DEVICES_MAX		8u

/* Work requests that a connection can have outstanding, and those of them that can be data. */
#define RD_WRS		32u
#define RD_WRS_DATA	24u

union rd_sockaddr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

/* A local address, which a device has. */
struct rd_address {
	union rd_sockaddr sa;
	struct rdma_cm_id *id;	/* bound to it: keeps its device */
};

struct rd_conn;
LIST_HEAD(rd_conns, rd_conn);

struct rd_dead_id;
STAILQ_HEAD(rd_dead_ids, rd_dead_id);

#define RD_BUCKETS	1024u

/* What is to be done when a descriptor becomes readable. */
struct rd_watch {
	void (*ready)(void *arg);
	void *arg;
	bool edge;	/* only when there is something new */
};

struct rd_device {
	struct ibv_context *verbs;	/* NULL: unused */
	struct ibv_comp_channel *channel;
	struct ibv_pd *pd;		/* of the SRQ; connections have their own */
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	unsigned int depth, cqe;	/* of the SRQ, of the CQ */
	unsigned int missing;		/* receive requests to post again */
	unsigned int nr_conns, max_conns;
	unsigned int outstanding;	/* send requests of connections that are open */
	unsigned int urgent;		/* connections that wait for completions of those */
	bool armed, armed_all;		/* the CQ tells: of what comes in, of all */
	int64_t down;			/* since when its port is down; 0: it is up */
	struct rd_dead_ids kept;	/* by the reaper, while the port is down */
	int64_t keep_until;		/* when it is up */
	struct rd_watch completions, async;
	struct rd_conns by_qpn[RD_BUCKETS];
};

/* Why connections are broken, to be counted. */
enum rd_cause {
	RD_CAUSE_NONE,		/* not broken: closed, or not made */
	RD_CAUSE_PEER,		/* the peer has reset it, or is gone */
	RD_CAUSE_SILENT,	/* the peer does not answer */
	RD_CAUSE_LINK,		/* the port is down */
	RD_CAUSE_DEVICE,	/* the device has failed or was removed */
	RD_CAUSE_PROTOCOL,	/* the peer did what it must not */
	RD_CAUSE_LOCAL,		/* this application's reset */
	RD_CAUSE_NR,
};

enum rd_state {
	RD_BACKOFF,	/* the peer is busy: ask again when it is time */
	RD_CONNECTING,	/* addresses, route, request */
	RD_ASKED,	/* a request of a peer, about which the kernel has to decide */
	RD_ACCEPTED,	/* the answer is on its way to the peer */
	RD_OPEN,
	RD_DEAD,	/* what it has of the device goes, or has gone */
};

/* What dmm_conn_priv() starts with. */
struct rd_sock {
	bool listens;		/* struct rd_listener, else struct rd_conn */
};

struct rd_peer;

struct rd_conn {
	struct rd_sock sock;
	LIST_ENTRY(rd_conn) link;	/* rd.setup, rd.open, rd.dead or none */
	LIST_ENTRY(rd_conn) by_qpn;
	LIST_ENTRY(rd_conn) of_peer;
	SLIST_ENTRY(rd_conn) to_pump;
	enum rd_state state;
	struct dmm_conn *conn;		/* NULL: the SDK's end is gone */
	struct rdma_cm_id *id;
	struct rd_device *dev;
	struct ibv_pd *pd;
	struct ibv_mr *tx_mr, *rx_mr;
	struct rd_peer *peer;
	uint64_t ticket;
	struct rd_message remote;
	struct dmm_open open;		/* the ends */

	struct rd_flow out, in;		/* what we may write; what the peer may */
	uint32_t written;		/* bytes, in all: where the next one goes in the peer's ring */
	uint32_t unacked;		/* of those, in our tx ring still */
	uint32_t tx_size;
	struct {
		uint32_t bytes;
		enum rd_immediate type;
	} wrs[RD_WRS];			/* outstanding, in order */
	unsigned int wr_head, wr_tail;
	uint32_t owed_credit;
	bool owed_ping, owed_pong;

	bool answered;			/* the SDK was told that it is connected, or it was accepted */
	bool listed, pumping, urgent;
	bool shut, fin_sent, fin_acked;	/* we send no more */
	bool fin_received;		/* the peer sends no more */
	bool closing;			/* the application is gone */
	bool mute;			/* RD_DEAD by the link: no goodbye to the peer before that is up */
	int error;			/* of RD_DEAD, negative; 0: all was delivered */
	unsigned int control;		/* pings and pongs since the last tick */
	int64_t deadline;		/* of RD_BACKOFF ... RD_ACCEPTED; of one whose application is gone */
	int64_t retry;			/* of RD_BACKOFF */
	unsigned int tries;
	uint64_t bytes_acked, bytes_received, segs_out, segs_in;
};

/* The daemon. */
struct rd {
	struct dmm_stack_config config;
	struct dmm_stack *stack;
	struct dmm_queue *queue;
	struct rdma_event_channel *cm;
	struct rd_address addresses[RD_ADDRESSES_MAX];
	unsigned int nr_addresses;
	struct rd_device devices[RD_DEVICES_MAX];
	unsigned int conns;		/* per device, at most */
	int64_t spin;			/* nanoseconds; negative: always; RD_SPIN_AUTO: it is measured */
	int64_t silence, connect_timeout, linger;	/* nanoseconds */
	int64_t now;			/* of this turn */
	bool busy;			/* there was something to do in the last turn */
	bool gone;			/* a device was removed: end */
	struct rdma_cm_id *orphaned;	/* of a request, to be destroyed when its event is over */
	struct rd_conns setup, open, dead;
	uint64_t connected, accepted, rejected, broken[RD_CAUSE_NR];
};

extern struct rd rd;

/* stack.c */
extern const struct dmm_stack_ops rd_stack_ops;
int rd_start(void);
void rd_stop(void);
int64_t rd_timers(void);	/* act on them; nanoseconds until the next one, negative: none */
int64_t rd_clock(void);
void rd_report(void);		/* the counters, to stderr */
void rd_sockaddr(union rd_sockaddr *sa, const uint8_t addr[16], __be16 port);
void rd_sockaddr_out(uint8_t addr[16], __be16 *port, const struct sockaddr *sa);
const struct rd_address *rd_address_of_family(int family);

/* wait.c */
int rd_wait_init(void);
int rd_watch(int fd, struct rd_watch *watch);	/* until it is closed; 0, or a negative errno */
int rd_wait(int64_t ns);	/* act on what is ready, and wait for it; negative: without end */

/* device.c */
struct rd_device *rd_device_get(struct ibv_context *verbs);
void rd_device_add(struct rd_device *d, struct rd_conn *c);
void rd_device_remove(struct rd_device *d, struct rd_conn *c);
unsigned int rd_device_poll(struct rd_device *d);
void rd_device_drain(struct rd_device *d);	/* all completions that are there, and maybe more */
int rd_device_arm(struct rd_device *d);		/* 1: there was something in the meantime */
int64_t rd_device_timer(struct rd_device *d);

/* cm.c */
void rd_connect(struct dmm_conn *conn, const struct dmm_open *open);
void rd_accepted(struct dmm_conn *conn);
void rd_refused(struct dmm_conn *conn, int error);
void rd_cm_events(void *unused);
int64_t rd_setup_timer(struct rd_conn *c);	/* nanoseconds until it wants to be looked at */

/* listen.c */
struct rd_listener;
void rd_listen(struct dmm_conn *conn, const struct dmm_open *open, int backlog);
void rd_listener_close(struct rd_listener *l);
struct dmm_conn *rd_listener_conn(const struct rd_listener *l);

/* conn.c */
struct rd_conn *rd_conn_new(struct dmm_conn *conn);
void rd_conn_free(struct rd_conn *c);
int rd_conn_setup(struct rd_conn *c);
void rd_conn_unmake(struct rd_conn *c);		/* what setup made; it was never open */
void rd_conn_remote(struct rd_conn *c, const struct rd_message *m);
void rd_conn_open(struct rd_conn *c);
void rd_conn_sent(struct rd_conn *c, enum ibv_wc_status status);
void rd_conn_received(struct rd_conn *c, const struct ibv_wc *wc);
void rd_conn_disconnected(struct rd_conn *c);
void rd_conn_ping(struct rd_conn *c);
void rd_conn_close(struct rd_conn *c, bool reset);
void rd_conn_pump(struct rd_conn *c);
void rd_conn_window(struct rd_conn *c);
void rd_conns_pump(void);
void rd_conn_kill(struct rd_conn *c, int error, enum rd_cause cause);
bool rd_conns_reap(void);	/* true: there were some */

/* peer.c */
int rd_peer_add(struct rd_conn *c);
void rd_peer_remove(struct rd_conn *c);
void rd_peer_heard(struct rd_conn *c);
bool rd_peer_silent(const struct rd_conn *c);
int64_t rd_peers_timer(void);

/* reaper.c */
int rd_reaper_init(void);
void rd_reaper_take(struct rdma_cm_id *id, struct rd_device *d);	/* destroys it; not before the port of @d is up */
void rd_reaper_port_up(struct rd_device *d);	/* what is kept is kept a while longer */
int64_t rd_reaper_timer(struct rd_device *d);	/* for when the port is up; nanoseconds, negative: nothing is kept */
bool rd_reaper_is_stuck(void);			/* with as many as there can be connections */

/* config.c */
extern const struct daemon_key rd_keys[];

#endif
