/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmm-lwip: TCP and UDP by lwIP, on ports of DPDK.
 *
 *	main.c		options, signals, the loop
 *	config.c	the keys of the configuration
 *	workers.c	several instances by one start
 *	iface.c		a network interface of lwIP on a port
 *	route.c		static routes
 *	stack.c		callbacks of the SDK; what kind of socket it is
 *	tcp.c		connections
 *	listen.c	listeners and their backlog
 *	udp.c		datagram sockets
 *	metrics.c	what lwIP knows of a connection
 *	sys.c		time, sequence numbers, checksum
 *	port/		how lwIP is built
 *
 * lwIP's state is in global variables: one instance per process, and one thread.  So is the
 * queue of the instance, struct lw only collects what the files share.
 */
#ifndef DMM_LWIP_H
#define DMM_LWIP_H

#include <sys/socket.h>
#include <dmm/stack.h>
#include <lwip/ip_addr.h>
#include <lwip/netif.h>

#include "../common/daemon/config.h"

struct dmm_eal_port;
struct tcp_pcb;

#define LW_IFACES_MAX	8u
#define LW_ROUTES_MAX	256u
#define LW_WORKERS_MAX	64u

/* An address with the length of its prefix. */
struct lw_prefix {
	ip_addr_t addr;
	unsigned int len;
};

/* A network interface: a port, and lwIP's netif on it. */
struct lw_iface {
	const char *device;
	const char *capture;
	struct lw_prefix addrs[LWIP_IPV6_NUM_ADDRESSES];
	unsigned int nr_addrs;
	unsigned int mtu;
	bool dhcp, autoconf;
	struct dmm_eal_port *port;
	struct netif netif;
	u16_t checksums;		/* NETIF_CHECKSUM_*: what is not left to the device */
	ip_addr_t told[LWIP_IPV6_NUM_ADDRESSES + 1];	/* addresses that the kernel knows */
};

struct lw_route {
	struct lw_prefix to;
	ip_addr_t via;
	struct netif *netif;
};

struct lw {
	struct dmm_stack_config config;
	struct dmm_stack *stack;
	struct lw_iface ifaces[LW_IFACES_MAX];
	unsigned int nr_ifaces;
	struct lw_route routes[LW_ROUTES_MAX];
	unsigned int nr_routes;
	uint32_t frames, memory;
	bool hugepages;
	int64_t spin;			/* nanoseconds; negative: always */
	const char *arena;		/* where the rings are */
	size_t arena_len;
	bool busy;			/* there were frames in the last turn */
};

extern struct lw lw;

/* Each socket has one of these, by which callbacks find what to do. */
struct lw_ops {
	void (*accepted)(struct dmm_conn *conn);
	void (*refused)(struct dmm_conn *conn, int error);
	void (*tx_data)(struct dmm_conn *conn);
	void (*rx_space)(struct dmm_conn *conn);
	void (*shutdown)(struct dmm_conn *conn);
	void (*close)(struct dmm_conn *conn, bool reset);
	void (*option)(struct dmm_conn *conn);
};

/* What dmm_conn_priv() starts with. */
struct lw_sock {
	const struct lw_ops *ops;
	struct dmm_conn *conn;
};

/* stack.c */
extern const struct dmm_stack_ops lw_stack_ops;
int lw_errno(err_t err);
void lw_address(ip_addr_t *addr, const uint8_t from[16]);
void lw_address_any(ip_addr_t *addr, const struct dmm_open *open, bool dual);
void lw_address_out(uint8_t to[16], const ip_addr_t *addr);

/* lwIP is started by the first call; lw.config counts, and interfaces are not needed. */
int lw_start(void);
void lw_stop(void);

/* Nanoseconds until lwIP has something to do; negative: nothing. */
int64_t lw_timers(void);

/* iface.c */
int lw_iface_start(struct lw_iface *i);
void lw_iface_stop(struct lw_iface *i);
unsigned int lw_iface_receive(struct lw_iface *i);

/* route.c */
int lw_routes_start(void);

/* tcp.c */
void lw_tcp_connect(struct dmm_conn *conn, const struct dmm_open *open);

/* An established connection for a listener. */
err_t lw_tcp_incoming(struct tcp_pcb *pcb);

/* listen.c */
void lw_listen(struct dmm_conn *conn, const struct dmm_open *open, int backlog);

/* The listener of a connection that was not accepted yet; NULL: it was closed. */
struct dmm_conn *lw_listen_conn(const struct tcp_pcb *pcb);

/* A connection has left its listener's backlog. */
void lw_listen_taken(struct tcp_pcb *pcb);

/* metrics.c */
struct lw_meter {
	uint32_t sent;			/* sequence number behind what was ever sent */
	uint32_t timed;			/* a segment ends there whose acknowledgement is awaited */
	int64_t since;			/* microseconds; 0: none is */
	uint32_t rtt, rttvar, min_rtt;	/* microseconds */
	uint32_t retrans;
	uint64_t bytes_retrans, bytes_acked, bytes_received, segs_out, segs_in;
};
void lw_meter_start(struct tcp_pcb *pcb, struct lw_meter *m);
void lw_meter_acked(const struct tcp_pcb *pcb, struct lw_meter *m, uint32_t bytes);
void lw_meter_show(const struct tcp_pcb *pcb, const struct lw_meter *m, struct dmm_conn *conn);

/* Ids of what is attached to connections of lwIP. */
#define LW_EXT_LISTENER	0
#define LW_EXT_METER	1

/* udp.c */
void lw_udp_bind(struct dmm_conn *conn, const struct dmm_open *open);
void lw_udp_connect(struct dmm_conn *conn, const struct dmm_open *open);

/*
 * workers.c: run @serve for each of @nr workers, until a signal.  It tells by @ready, if not -1, as
 * daemon_ready() does.
 */
int lw_workers_run(unsigned int nr, int (*serve)(int ready), int ready);

/* config.c */
extern const struct daemon_key lw_keys[];
int lw_config_check(void);		/* 0, or negative: see daemon_why() */
unsigned int lw_config_workers(void);	/* 0: the configuration names none */
const char *lw_config_worker(unsigned int index);	/* make lw that one's; its name */

#endif
