/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connect() that a user stack may serve: the walk along a rule's list.
 *
 *	RUNNING		some attempt is under way
 *	WON		one succeeded; the socket has its connection
 *	KERNEL		the kernel's TCP has been asked to connect
 *	FAILED		all failed, or the socket was closed
 *
 * The first step is made by connect() itself, the others by a worker: when an
 * attempt fails, when its time is over, or when the next one is due in a race.
 *
 * References: the socket (dmm_sock::connect) until connect() has told the
 * outcome, and each attempt (dmm_conn::connect).
 *
 * Locks: dmm_connect::lock is outside of dmm_conn::lock and dmm_sock::lock.
 */
#ifndef DMM_CONNECT_H
#define DMM_CONNECT_H

#include <linux/socket.h>

#include "decide.h"

struct dmm_conn;
struct dmm_connect;
struct sock;
struct socket;

enum dmm_connect_state {
	DMM_CONNECT_RUNNING,
	DMM_CONNECT_WON,
	DMM_CONNECT_KERNEL,
	DMM_CONNECT_FAILED,
};

/**
 * dmm_connect_start() - connect a socket through its rule's stacks
 * @sock:	an undecided stream socket, in a system call on it
 * @addr:	where to
 * @len:	of @addr
 * @flow:	the same as decided
 * @d:		the decision
 * @plan:	the stacks to try
 * @opts:	options that the rule sets
 *
 * Return: 0: it is on its way, wait with dmm_connect_wait(); -EALREADY: another
 * thread connects it; -ENOMEM.
 */
int dmm_connect_start(struct socket *sock, const struct sockaddr *addr, int len,
		      const struct dmm_flow *flow, const struct dmm_decision *d,
		      const struct dmm_plan *plan, const struct dmm_sockopts *opts);

/**
 * dmm_connect_wait() - the outcome of a connect
 * @sock:	the socket
 * @flags:	O_NONBLOCK
 * @again:	this connect() did not start it
 *
 * Return: 0: connected; 1: the kernel's TCP is connecting: hand over, and let
 * it say; -EINPROGRESS, -EALREADY; -EINTR and the like; or the error of the
 * last attempt, and the socket is undecided again.
 */
int dmm_connect_wait(struct socket *sock, int flags, bool again);

/*
 * When the socket is seen connected: what it is told with that, by signals and to
 * those who poll, has been told on return.
 */
void dmm_connect_told(struct sock *sk);

/* The socket is closed, or disconnected.  Takes the caller's reference. */
void dmm_connect_cancel(struct dmm_connect *c);
void dmm_connect_put(struct dmm_connect *c);
struct dmm_connect *dmm_connect_get(struct dmm_connect *c);
/* Both its ends, as decided. */
const struct dmm_flow *dmm_connect_flow(const struct dmm_connect *c);
u8 dmm_connect_state(const struct dmm_connect *c);

/* An attempt's answer, 0 or an error.  Takes its reference to @c. */
void dmm_connect_answer(struct dmm_connect *c, struct dmm_conn *conn, int err);

int dmm_connect_init(void);
void dmm_connect_exit(void);

#endif /* DMM_CONNECT_H */
