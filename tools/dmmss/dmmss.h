/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of dmmss share. */
#ifndef DMMSS_H
#define DMMSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <dmm/dmm.h>

/* Of a TCP connection; what is not known is 0. Times in microseconds, windows and what is under way in segments. */
struct info {
	uint32_t rto, rtt, rttvar, mss, cwnd, ssthresh, unacked, retrans, retrans_total;
	uint64_t bytes_acked, bytes_received;
};

/**
 * struct entry - a socket that DMM holds or has decided on
 * @cookie:	its SO_COOKIE, by which all that is known of it is put together
 * @held:	DMM holds it
 * @live:	the kernel lists it among its sockets
 * @state:	TCP_*, as socket monitoring has it
 * @stack:	"" while undecided, or if it was refused
 * @instance:	of the stack, "" if the kernel serves it
 * @queue:	of the instance
 * @tx_used:	bytes in the ring to the stack; @tx_size: its size
 * @rx_used:	and from it; @rx_size
 * @info:	of its connection
 * @time:	of the decision, ns since 1970; 0 if only its present state is known
 * @comm:	of the process that made the decision necessary
 */
struct entry {
	uint64_t cookie;
	bool held;
	bool live;
	uint8_t family;
	uint8_t type;
	uint8_t state;
	uint32_t recv_q;
	uint32_t send_q;
	struct dmm_prefix src;
	struct dmm_prefix dst;
	uint16_t sport;
	uint16_t dport;
	uint32_t uid;
	uint32_t inode;
	uint32_t reason;
	uint32_t rule;
	uint32_t prio;
	uint32_t pid;
	uint64_t time;
	uint32_t queue;
	uint32_t tx_used;
	uint32_t tx_size;
	uint32_t rx_used;
	uint32_t rx_size;
	struct info info;
	char stack[DMM_NAME_MAX];
	char instance[DMM_NAME_MAX];
	char comm[16];
};

/* entries.c: all sockets by cookie. */

struct entries {
	struct entry *v;
	size_t nr;
	size_t size;
	size_t *index;		/* hash of cookies: number of the entry + 1, 0 for none */
	size_t nr_index;	/* a power of two */
};

/* The entry of this cookie, a new one if there is none and @add; NULL if not, or without memory. */
struct entry *entries_get(struct entries *e, uint64_t cookie, bool add);
void entries_free(struct entries *e);

/* Read what the module knows; an errno. */
int entries_read(struct entries *e, struct dmm_client *client);

/* diag.c: complete live sockets from socket monitoring; an errno. */
int diag_read(struct entries *e, int family, int type);

/* info.c: from struct tcp_info, of which the kernel may have more, or less, than this program knows. */
void info_read(struct info *info, const void *data, size_t len);

/* process.c: which processes have a socket. */

struct holder {
	uint32_t inode;
	int pid;
	int fd;
	char comm[16];
};

struct holders {
	struct holder *v;	/* by inode */
	size_t nr;
};

void holders_read(struct holders *h);
void holders_free(struct holders *h);

/* The first holder of a socket and, in @nr, how many follow it. */
const struct holder *holders_find(const struct holders *h, uint32_t inode, size_t *nr);

/* output.c */

struct options {
	bool json;
	bool numeric;
	bool header;
	bool processes;
	bool rings;
	bool info;
};

void print_table(const struct entries *e, const struct holders *h, const struct options *o);
void print_json(const struct entries *e, const struct holders *h);
void print_summary(const struct entries *e, const struct dmm_counters *decisions,
		   const struct options *o);

#endif /* DMMSS_H */
