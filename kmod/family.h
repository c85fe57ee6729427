/* SPDX-License-Identifier: GPL-2.0-only */
/* The two ways to make a DMM socket: AF_DMM, and IPPROTO_DMM of AF_INET/6. */
#ifndef DMM_FAMILY_H
#define DMM_FAMILY_H

#include <linux/types.h>

struct sock;
struct socket;

/* Number of the address family in force. */
int dmm_family_number(void);

/*
 * Take away what creation through IPPROTO_DMM left on the sock.  To be called
 * before the socket listens (children are copies of it), is handed over or
 * released; the caller has another reference to the module.
 */
void dmm_family_settle(struct sock *sk);

/* A sock for a connection of a user stack, in accept() of @listener. */
int dmm_family_carrier(struct socket *sock, const struct sock *listener);

int dmm_family_init(void);
void dmm_family_exit(void);

#endif /* DMM_FAMILY_H */
