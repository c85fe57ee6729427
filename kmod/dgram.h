/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Datagram sockets that a user stack serves.
 *
 * The stack is chosen once, by connect(), bind() to a port or the first send,
 * and serves the socket until it is closed.  It is told to BIND, and datagrams
 * may be sent before it has answered.  Which peer the socket is connected to is
 * the kernel's business alone: it is written into what is sent, and what comes
 * from others is dropped.
 */
#ifndef DMM_DGRAM_H
#define DMM_DGRAM_H

#include <linux/net.h>

struct dmm_conn;
struct dmm_decision;
struct dmm_flow;
struct dmm_plan;

/**
 * dmm_dgram_start() - let a user stack serve a socket
 * @sock:	an undecided datagram socket, in a system call on it
 * @flow:	as decided
 * @d:		the decision
 * @plan:	stacks, of which the first that can be asked is taken
 *
 * Return: 0; 1: none can be asked, and the kernel's is allowed; -EALREADY: a
 * thread was faster; or an error.
 */
int dmm_dgram_start(struct socket *sock, const struct dmm_flow *flow,
		    struct dmm_decision *d, const struct dmm_plan *plan);
/* Wait for the answer to BIND. */
int dmm_dgram_wait(struct socket *sock, struct dmm_conn *conn);

int dmm_dgram_connect(struct socket *sock, struct dmm_conn *conn, struct sockaddr *addr,
		      int len);
int dmm_dgram_sendmsg(struct socket *sock, struct dmm_conn *conn, struct msghdr *msg,
		      size_t size);
int dmm_dgram_recvmsg(struct socket *sock, struct dmm_conn *conn, struct msghdr *msg,
		      size_t size, int flags);
/* Is there one?  Sleeps, for those of others than the peer are dropped. */
bool dmm_dgram_ready(struct sock *sk, struct dmm_conn *conn);
/* Bytes of the next datagram, 0 if there is none. */
int dmm_dgram_next(struct sock *sk, struct dmm_conn *conn);

#endif /* DMM_DGRAM_H */
