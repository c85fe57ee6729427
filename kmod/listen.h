/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dual listeners: a listening socket that the kernel's TCP serves, and each
 * instance of a stack that the policy lets serve it for some connection.
 */
#ifndef DMM_LISTEN_H
#define DMM_LISTEN_H

#include <linux/net.h>
#include <linux/poll.h>

struct dmm_listener;
struct net;
struct proto_accept_arg;
struct sock;

/* listen() has succeeded, and DMM keeps the socket.  Once more: new backlog. */
int dmm_listen_start(struct socket *sock, int backlog);
/* Options of a socket that DMM holds were set: a listener may have become the kernel's alone. */
void dmm_listen_options(struct sock *sk);
/* Stacks or policy of a namespace have changed: bring listeners in step, later. */
void dmm_listen_changed(struct net *net);
/* The namespace ends. */
void dmm_listen_net_init(struct net *net);
void dmm_listen_net_exit(struct net *net);

/**
 * dmm_listen_accept() - a connection of a user stack
 * @sock:	the listener
 * @newsock:	gets the connection
 *
 * Never waits for one.  Return: 0, -EAGAIN: there is none, or an error.
 */
int dmm_listen_accept(struct socket *sock, struct socket *newsock);

#endif /* DMM_LISTEN_H */
