/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmm-loop: the stack of connections that stay on this host.
 *
 * The daemon only finds who listens where; the kernel joins the two sockets, so
 * bytes of connections never come here.  Datagrams do.
 *
 *	loop.c		callbacks
 *	table.c		who is where, and who is meant by an address
 *	dgram.c		datagrams from ring to ring
 *	address.c	which addresses are this host's
 *	join.c		which namespaces are one
 *	main.c		options, signals, hand-over to a successor
 */
#ifndef DMM_LOOP_H
#define DMM_LOOP_H

#include <dmm/stack.h>

#define LOOP_BUCKETS	1024u
#define LOOP_JOINED_MAX	64u

/* A listener or a datagram socket. */
struct place {
	struct dmm_conn *conn;
	struct place *next;		/* of the bucket */
	struct dmm_open at;
	uint32_t group;			/* of joined namespaces */
	bool dual;			/* [::] that takes IPv4, too */
	/* Of datagram sockets: see dgram.c. */
	bool full;			/* what does not fit is lost at once */
	struct place *waits_for;	/* for room there */
	struct place *next_waiting;
	int64_t deadline;		/* nanoseconds, CLOCK_MONOTONIC */
};

struct loop {
	struct place *buckets[LOOP_BUCKETS];
	struct place *waiting;
	uint16_t next_port;		/* host byte order */
	uint16_t port_min, port_max;	/* as net.ipv4.ip_local_port_range */
	bool join_all;
	uint32_t joined[LOOP_JOINED_MAX];
	unsigned int nr_joined;
};

/* loop.c */
extern const struct dmm_stack_ops loop_ops;
void loop_init(struct loop *loop);
void loop_exit(struct loop *loop);

/* table.c */
struct place *loop_place_add(struct loop *loop, struct dmm_conn *conn, const struct dmm_open *at,
			     bool dual);
void loop_place_del(struct loop *loop, struct place *p);

/* To whom what goes from flow->local to flow->remote is meant; NULL: nobody. */
struct place *loop_find(const struct loop *loop, const struct dmm_open *flow);

/* Give a socket that has none a port; false: there is none left. */
bool loop_choose_port(struct loop *loop, struct dmm_open *at);

/* dgram.c */
void loop_dgram_send(struct loop *loop, struct place *from);
void loop_dgram_room(struct loop *loop, struct place *to);
void loop_dgram_forget(struct loop *loop, struct place *p);

/* Give up waiting where it is time; nanoseconds until the next time, negative: none. */
int64_t loop_dgram_timers(struct loop *loop);

/* address.c */
bool loop_is_loopback(const uint8_t addr[16]);
bool loop_is_local(uint32_t netns, const uint8_t addr[16]);

/* The address that a socket gets that is not bound and talks to @remote. */
void loop_source(uint8_t addr[16], const uint8_t remote[16]);

/* 0.0.0.0 and [::] as far ends are this host. */
void loop_far_end(uint8_t addr[16]);

/* join.c */
int loop_join_parse(struct loop *loop, const char *list);
uint32_t loop_group(const struct loop *loop, uint32_t netns);

#endif
