/* SPDX-License-Identifier: GPL-2.0-only */
/* bind() to addresses that user stacks have and the kernel has not. */
#ifndef DMM_BIND_H
#define DMM_BIND_H

struct sockaddr;
struct socket;

/*
 * The native bind(), which may also name an address of an instance that a rule
 * may choose for the socket.  Errors: as of the native one.
 */
int dmm_bind(struct socket *sock, struct sockaddr *addr, int len);

#endif /* DMM_BIND_H */
