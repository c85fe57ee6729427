/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of decisions.  A socket that was handed over has no DMM state left;
 * what remains is the record of its decision, found by the socket's cookie.
 */
#ifndef DMM_RECORD_H
#define DMM_RECORD_H

#include <linux/sched.h>

#include "decide.h"

struct dmm_net;
struct sock;

/**
 * struct dmm_caller - whose system call a decision is about
 * @pid:	thread group id of the process in the initial namespace
 * @comm:	its name
 */
struct dmm_caller {
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/* The one that calls now. */
void dmm_caller_get(struct dmm_caller *caller);

/**
 * struct dmm_record - one decision
 * @cookie:	SO_COOKIE of the socket
 * @time:	CLOCK_REALTIME, nanoseconds
 */
struct dmm_record {
	u64 cookie;
	u64 time;
	u8 role;
	u8 type;
	u8 family;
	u16 sport;
	u16 dport;
	struct in6_addr src;
	struct in6_addr dst;
	kuid_t uid;
	struct dmm_caller caller;
	struct dmm_decision decision;
};

struct dmm_slot;

/**
 * struct dmm_log - the last decisions of a namespace
 * @slots:	ring, allocated with the first socket; NULL if there is none
 * @next:	decisions logged so far; the next goes to slot next % size
 */
struct dmm_log {
	struct dmm_slot *slots;
	atomic_t next;
};

/* Allocate the ring if there is none yet.  May sleep.  Failure means no log. */
void dmm_log_prepare(struct dmm_log *log);
void dmm_log_exit(struct dmm_log *log);

/* Log and trace a decision.  @caller is NULL for the one that calls now. */
void dmm_record(struct dmm_net *dn, struct sock *sk, const struct dmm_flow *flow,
		const struct dmm_decision *d, const struct dmm_caller *caller);

/*
 * Copy the record number @nr, counted from the oldest kept at the time of
 * the call that returned @nr 0; *nr is moved past records that are gone.
 * False behind the last one.
 */
bool dmm_log_read(struct dmm_log *log, u32 *nr, struct dmm_record *rec);
/* The newest record of the socket of this cookie. */
bool dmm_log_find(struct dmm_log *log, u64 cookie, struct dmm_record *rec);

/* SO_COOKIE of a sock. */
u64 dmm_sock_cookie(struct sock *sk);

int dmm_log_init(void);

#endif /* DMM_RECORD_H */
