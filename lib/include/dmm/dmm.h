/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdmm: the policy of DMM sockets over netlink, and what a program may want
 * to know about a DMM socket of its own.
 *
 * Functions return 0 or a negative errno.  The library prints nothing and has
 * no global state; each object belongs to one thread at a time.  A client must
 * not be used on both sides of a fork().
 */
#ifndef DMM_DMM_H
#define DMM_DMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/dmm.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dmm_loc - a place in a policy file
 * @file:	name, NULL for none; lives as long as the parser that gave it
 * @line:	from 1
 * @col:	from 1, in bytes; 0 for the whole line
 */
struct dmm_loc {
	const char *file;
	unsigned int line;
	unsigned int col;
};

/**
 * struct dmm_error - why the last call failed
 * @err:	negative errno, as the call returned it
 * @kernel:	the kernel refused; otherwise the library did
 * @loc:	place of the offending text or command
 * @attr:	name of the netlink attribute that the kernel complains about, or ""
 * @msg:	explanation without newline, or ""
 */
struct dmm_error {
	int err;
	bool kernel;
	struct dmm_loc loc;
	char attr[32];
	char msg[216];
};

/* "file:line:col: message"; returns what snprintf() returns. */
int dmm_error_format(char *buf, size_t len, const struct dmm_error *e);

/*
 * Objects.  A field counts only if its bit in @has is set: 1 << the number of
 * its netlink attribute (DMM_HAS).  Structures may grow at their end: neither
 * side reads a field whose bit it does not know.  Strings and arrays of objects
 * that the library hands out are valid during the callback.
 */
#define DMM_HAS(attr)	(UINT64_C(1) << (attr))

struct dmm_ports {
	const struct dmm_port_range *v;
	uint32_t nr;
};

struct dmm_prefixes {
	const struct dmm_prefix *v;
	uint32_t nr;
};

struct dmm_members {
	const struct dmm_member *v;
	uint32_t nr;
};

struct dmm_candidates {
	const struct dmm_candidate *v;
	uint32_t nr;
};

struct dmm_names {
	const char *v[DMM_STACKS_MAX];
	uint32_t nr;
};

/* Room for reasons that later versions may add. */
#define DMM_COUNTERS_MAX	32

struct dmm_counters {
	uint64_t v[DMM_COUNTERS_MAX];
	uint32_t nr;
};

/* Attributes DMM_A_TXN_*. */
struct dmm_txn {
	uint64_t has;
	uint64_t gen;
};

/* Attributes DMM_A_ZONE_*. */
struct dmm_zone {
	uint64_t has;
	const char *name;
	struct dmm_prefixes prefixes;
	uint32_t count;
	uint8_t origin;
};

/* Attributes DMM_A_SET_*. */
struct dmm_set {
	uint64_t has;
	const char *name;
	struct dmm_ports ranges;
	uint8_t origin;
};

/* Attributes DMM_A_GROUP_*. */
struct dmm_group {
	uint64_t has;
	const char *name;
	struct dmm_members members;
	uint8_t origin;
};

/* Attributes DMM_A_RULE_*. */
struct dmm_rule {
	uint64_t has;
	uint64_t hits;
	uint32_t id;
	uint32_t prio;
	uint8_t origin;
	uint8_t role;
	uint8_t type;
	uint8_t family;
	uint8_t dscp;
	uint8_t verdict;
	uint8_t set_tos;
	uint8_t mismatch;
	struct dmm_prefix src;
	struct dmm_prefix dst;
	const char *src_zone;
	const char *dst_zone;
	struct dmm_ports sports;
	struct dmm_ports dports;
	const char *sport_set;
	const char *dport_set;
	uint32_t uid_lo;
	uint32_t uid_hi;
	uint32_t gid_lo;
	uint32_t gid_hi;
	const char *cgroup;
	uint32_t mark;
	uint32_t mark_mask;
	const char *dev;
	const char *comm;
	struct dmm_names stack;
	uint32_t flags;
	uint32_t set_mark;
	uint32_t set_keepidle;
	uint32_t set_keepintvl;
	uint32_t set_keepcnt;
	const char *set_cc;
	const char *group;
	uint32_t timeout;
	uint32_t race;
};

/* Attributes DMM_A_STAT_*. */
struct dmm_stat {
	uint64_t has;
	uint64_t gen;
	uint32_t af;
	uint32_t rules;
	uint32_t masks;
	uint32_t zones;
	uint32_t prefixes;
	uint32_t sets;
	uint32_t undecided;
	uint32_t listeners;
	struct dmm_counters reasons;
	uint64_t connects;
	uint64_t accepts;
	uint64_t listens;
	uint64_t option_errors;
	uint32_t groups;
	uint32_t connecting;
	uint32_t connected;
	uint32_t failing;
};

/* Attributes DMM_A_EXPLAIN_*. */
struct dmm_explain {
	uint64_t has;
	uint8_t role;
	uint8_t type;
	uint8_t family;
	uint8_t dscp;
	uint8_t verdict;
	struct dmm_prefix src;
	struct dmm_prefix dst;
	uint16_t sport;
	uint16_t dport;
	uint32_t uid;
	uint32_t gid;
	const char *cgroup;
	uint32_t mark;
	uint32_t repeat;
	const char *dev;
	const char *comm;
	const char *want;
	uint64_t gen;
	const char *stack;
	uint32_t reason;
	uint32_t rule;
	uint32_t prio;
	uint32_t error;
	const char *src_zone;
	const char *dst_zone;
	uint64_t ps;
	struct dmm_candidates candidates;
};

/* Attributes DMM_A_DECISION_*: a decision, or a socket that DMM holds. */
struct dmm_decision {
	uint64_t has;
	uint64_t cookie;
	uint64_t time;
	uint64_t gen;
	uint8_t state;
	uint8_t role;
	uint8_t type;
	uint8_t family;
	uint8_t verdict;
	struct dmm_prefix src;
	struct dmm_prefix dst;
	uint16_t sport;
	uint16_t dport;
	uint32_t uid;
	uint32_t pid;
	const char *comm;
	const char *stack;
	uint32_t reason;
	uint32_t rule;
	uint32_t prio;
	uint32_t error;
	const char *instance;
	uint32_t queue;
	uint32_t tx_used;
	uint32_t tx_size;
	uint32_t rx_used;
	uint32_t rx_size;
	uint32_t inode;
	uint8_t tcp_state;
	uint32_t rto;
	uint32_t rtt;
	uint32_t rttvar;
	uint32_t mss;
	uint32_t cwnd;
	uint32_t ssthresh;
	uint32_t unacked;
	uint32_t retrans;
	uint32_t retrans_total;
	uint64_t bytes_acked;
	uint64_t bytes_received;
};

/* Attributes DMM_A_STACK_*: an instance of a stack. */
struct dmm_instance {
	uint64_t has;
	const char *stack;
	const char *instance;
	uint32_t id;
	uint32_t pid;
	const char *comm;
	uint8_t health;
	uint8_t shared;
	uint32_t caps;
	uint32_t weight;
	uint32_t queues;
	uint32_t live;
	uint32_t listeners;
	uint32_t conns_max;
	uint64_t arena;
	uint32_t takeovers;
	struct dmm_prefixes addresses;
	uint64_t connects;
	uint64_t accepts;
	uint64_t failures;
	uint64_t resets;
	uint64_t bad_events;
	uint64_t bad_rings;
	uint64_t enters;
	uint64_t wake_ups;
	uint64_t events_down;
	uint64_t events_up;
	uint32_t netns_fd;
	uint32_t netns_pid;
};

/**
 * struct dmm_object - an object that the kernel sent
 * @cmd:	DMM_CMD_* of the message, which says what it is: the change that
 *		was made in an event, the question in an answer
 */
struct dmm_object {
	unsigned int cmd;
	union {
		const uint64_t *has;
		const struct dmm_txn *txn;
		const struct dmm_zone *zone;
		const struct dmm_set *set;
		const struct dmm_rule *rule;
		const struct dmm_stat *stat;
		const struct dmm_explain *explain;
		const struct dmm_decision *decision;
		const struct dmm_group *group;
		const struct dmm_instance *instance;
	};
};

/* A value other than 0 ends the call, which returns it. */
typedef int (*dmm_object_fn)(void *arg, const struct dmm_object *obj);

/*
 * Description of the fields, for those who print or compare objects without
 * naming each field.
 */
enum dmm_kind {
	DMM_KIND_NONE,		/* no such attribute */
	DMM_KIND_U8,
	DMM_KIND_U16,
	DMM_KIND_U32,
	DMM_KIND_U64,
	DMM_KIND_STR,		/* const char * */
	DMM_KIND_PREFIX,	/* struct dmm_prefix */
	DMM_KIND_PREFIXES,
	DMM_KIND_PORTS,
	DMM_KIND_NAMES,
	DMM_KIND_COUNTERS,
	DMM_KIND_MEMBERS,
	DMM_KIND_CANDIDATES,
	DMM_KIND_BITS,		/* uint32_t, of which @names has the bits */
};

/**
 * struct dmm_field - one field of an object
 * @name:	name of the attribute, as in dmm.yaml
 * @kind:	enum dmm_kind, type of the field at @offset in the structure
 * @names:	of the values, NULL for a plain number; @nr_names of them
 */
struct dmm_field {
	const char *name;
	uint8_t kind;
	uint8_t nr_names;
	uint16_t offset;
	const char *const *names;
};

/* Fields of the objects of command @cmd by attribute number; @nr of them. */
const struct dmm_field *dmm_fields(unsigned int cmd, unsigned int *nr);

/* Names as the policy language and dmm.yaml have them; NULL if unknown. */
const char *dmm_role_name(unsigned int role);
const char *dmm_origin_name(unsigned int origin);
const char *dmm_verdict_name(unsigned int verdict);
const char *dmm_reason_name(unsigned int reason);
const char *dmm_key_name(unsigned int key);
const char *dmm_candidate_name(unsigned int status);
const char *dmm_state_name(unsigned int state);

/**
 * struct dmm_change - one change of the table
 * @cmd:	DMM_CMD_ZONE_ADD, ZONE_DEL, SET_ADD, SET_DEL, GROUP_ADD, GROUP_SET,
 *		GROUP_DEL, RULE_ADD, RULE_DEL, RULE_ZERO or FLUSH
 * @replace:	SET_ADD replaces the set's ranges if it exists
 * @loc:	where it was written, for errors
 * @zone:	object of ZONE_ADD, ZONE_DEL and FLUSH (which uses its origin alone)
 */
struct dmm_change {
	unsigned int cmd;
	bool replace;
	struct dmm_loc loc;
	union {
		struct dmm_zone zone;
		struct dmm_set set;
		struct dmm_group group;
		struct dmm_rule rule;
	};
};

/* Connection to the module in the network namespace of the calling thread. */
struct dmm_client;

/* ENOPROTOOPT: the module is not loaded. */
int dmm_open(struct dmm_client **client);
void dmm_close(struct dmm_client *client);

/* Details of the last failure of a call on @client. */
const struct dmm_error *dmm_client_error(const struct dmm_client *client);

/* File descriptor, for poll() by those who read events. */
int dmm_client_fd(const struct dmm_client *client);

/**
 * dmm_begin() - open a transaction
 * @base:	generation that the changes are based on, ESTALE if it is no
 *		longer current; NULL for any
 *
 * Waits up to 10 seconds while others have one open, then EBUSY.  When it
 * fails no transaction is open, and the client can go on.
 */
int dmm_begin(struct dmm_client *client, const uint64_t *base);

/**
 * dmm_change() - queue a change in the open transaction
 *
 * Changes are sent in batches, so an error may be one of an earlier change:
 * dmm_error::loc says which.  After an error the transaction can only be
 * aborted.
 */
int dmm_change(struct dmm_client *client, const struct dmm_change *change);

/* Send what is queued, and see whether the kernel took it all. */
int dmm_sync(struct dmm_client *client);

/* As dmm_change() and dmm_sync() for a RULE_ADD; @id: the rule's. */
int dmm_rule_add(struct dmm_client *client, const struct dmm_change *change, uint32_t *id);

/**
 * dmm_commit() - make the transaction's changes visible at once
 * @gen:	generation that it made, may be NULL
 */
int dmm_commit(struct dmm_client *client, uint64_t *gen);

/* Drop the transaction, if there is one. */
int dmm_abort(struct dmm_client *client);

/**
 * dmm_get() - ask for one object
 * @cmd:	DMM_CMD_*_GET or DMM_CMD_EXPLAIN
 * @req:	object with the fields to ask for, or NULL
 */
int dmm_get(struct dmm_client *client, unsigned int cmd, const void *req,
	    dmm_object_fn fn, void *arg);

/* What is no change of the table: DMM_CMD_STACK_SHARE, STACK_UNSHARE, STACK_FLUSH. */
int dmm_do(struct dmm_client *client, unsigned int cmd, const void *req);

/**
 * dmm_dump() - ask for all objects
 *
 * The dump of DMM_CMD_EXPLAIN is one of rules.  Objects are delivered only when the kernel says that the dump is consistent;
 * it is repeated otherwise, EAGAIN after 10 seconds of changes.
 */
int dmm_dump(struct dmm_client *client, unsigned int cmd, const void *req,
	     dmm_object_fn fn, void *arg);

/* Receive events of a multicast group, DMM_MCGRP_*, from now on. Such a client
 * is not to be used for anything else. */
int dmm_subscribe(struct dmm_client *client, const char *group);

/* Wait for events and deliver them.  ENOBUFS: some were lost. */
int dmm_events(struct dmm_client *client, dmm_object_fn fn, void *arg);

/* Number of the address family AF_DMM here; ENOENT without the module. */
int dmm_af(void);

/* dmm_info::state of a socket that DMM no longer holds. */
#define DMM_SOCK_HANDED_OVER	UINT32_MAX

/**
 * dmm_socket_info() - which stack serves a socket, and why
 *
 * For a socket that DMM no longer holds the answer is "kernel" with the reason
 * that the module remembers; ENOENT if it does not (any more), as for a socket
 * that never was DMM's.
 */
int dmm_socket_info(int fd, struct dmm_info *info);

/* Move the calling thread to a network namespace: name as of ip-netns(8), or path. */
int dmm_netns_enter(const char *name);

#ifdef __cplusplus
}
#endif

#endif /* DMM_DMM_H */
