/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations that DMM replaces while it holds a socket: those that decide
 * where it goes, to talk (ops_connect.c) or to serve (ops_serve.c), and those that
 * depend on what was decided (ops.c).
 */
#ifndef DMM_OPS_H
#define DMM_OPS_H

#include "compat.h"

struct dmm_conn;
struct msghdr;
struct sock;
struct sockaddr;
struct socket;

/* Replace members of a copy of the native table for sockets of @type. */
void dmm_ops_override(struct proto_ops *ops, int type);

/* Members; each in a read section of dmm_srcu. */
int dmm_op_connect(struct socket *sock, struct sockaddr *addr, int len, int flags);
int dmm_op_sendmsg(struct socket *sock, struct msghdr *msg, size_t size);
int dmm_op_bind_stream(struct socket *sock, struct sockaddr *addr, int len);
int dmm_op_bind_dgram(struct socket *sock, struct sockaddr *addr, int len);
int dmm_op_listen(struct socket *sock, int backlog);
int dmm_op_accept(struct socket *sock, struct socket *newsock, struct proto_accept_arg *arg);
int dmm_op_accept_flags(struct socket *sock, struct socket *newsock, int flags, bool kern);

/* Does the native operation take this as an address to talk to? */
bool dmm_ops_destination(const struct sock *sk, const struct sockaddr *addr, int len);
/* What a socket has of user stacks, if anything, is over: it is undecided. */
void dmm_ops_drop(struct sock *sk);
/* As tcp_disconnect(): undecided again, with an error for who still waits. */
void dmm_ops_reset(struct socket *sock);
/* Hand it over, if a worker has asked the kernel's TCP to connect it. */
void dmm_ops_finish_kernel(struct socket *sock);
/* The connection of one that a user stack serves, with a reference, or NULL. */
struct dmm_conn *dmm_ops_conn(struct socket *sock);
/*
 * Before data: a connect that user stacks are asked for has to come to an end.
 * @flags: MSG_DONTWAIT.  0, or what the call that waits has to return.
 */
int dmm_ops_wait_connected(struct socket *sock, int flags);

#endif /* DMM_OPS_H */
