/* SPDX-License-Identifier: GPL-2.0-only */
/* Options that an accepted socket has from its listener. */
#ifndef DMM_INHERIT_H
#define DMM_INHERIT_H

struct sock;
struct socket;

/*
 * @newsock, which nobody else knows yet, gets what setsockopt() has set on @from: a child of
 * the kernel's TCP has it, too, for it is a clone, which a carrier is not.  What makes sense
 * for the kernel's TCP alone (its queues, filters, keys) stays behind.  May sleep.
 */
void dmm_inherit(struct socket *newsock, const struct sock *from);

#endif /* DMM_INHERIT_H */
