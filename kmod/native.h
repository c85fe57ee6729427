/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own operations for TCP and UDP over IPv4 and IPv6, our tables
 * made from them, and the hand-over from ours to theirs.
 *
 * A socket that DMM holds has one of our tables in sock->ops: a copy of the
 * native one with a few members replaced, so that whatever a kernel version
 * puts into the native table is in ours too.  Hand-over stores the native
 * pointer itself, for good: kTLS keeps the table of the first socket that uses
 * it as the base for all others (tls_build_proto() in net/tls/tls_main.c), so
 * a table of ours must never be on a socket that can reach it.
 *
 * Unloading: a socket holds a module reference while our table is on it.  A
 * system call may have loaded our table just before another thread hands the
 * socket over, so every replaced member runs in a read section of dmm_srcu,
 * and unloading waits for the time before the section is entered with
 * synchronize_rcu_tasks() and for the section itself with synchronize_srcu().
 */
#ifndef DMM_NATIVE_H
#define DMM_NATIVE_H

#include <linux/net.h>
#include <linux/srcu.h>

struct proto;
struct sock;

/**
 * struct dmm_native - one of the four kernel protocols
 * @ops:	the native table
 * @prot:	the native protocol
 * @destruct:	the native sk_destruct
 * @ours:	our copy
 * @probe:	socket from which these were learned: inet6's tables
 *		are not exported.  Kept, for it pins their owner
 */
struct dmm_native {
	const struct proto_ops *ops;
	struct proto *prot;
	void (*destruct)(struct sock *sk);
	struct proto_ops ours;
	struct socket *probe;
};

extern struct srcu_struct dmm_srcu;

/* The native protocol of a sock that is a TCP or UDP one. */
const struct dmm_native *dmm_native(const struct sock *sk);
static inline const struct proto_ops *dmm_native_ops(const struct socket *sock)
{
	return dmm_native(sock->sk)->ops;
}

/* That of a family (AF_INET, AF_INET6) and type; NULL if the kernel lacks it. */
const struct dmm_native *dmm_native_get(int family, int type);

/**
 * dmm_hand_over() - give a socket to the kernel's stack, for good
 * @sock:	a socket whose sk is set; the caller is in a system call on it
 *		and in a read section of dmm_srcu
 *
 * Never from a worker or poll: __sock_release() reads the table's owner
 * before it calls release, and would put the reference a second time.
 *
 * Return: true if this call did it.  The caller then owns the module
 * reference that the socket had, and puts it, dmm_hand_over_done(), when it
 * no longer waits in native code: unloading is refused until then rather than
 * waiting for it.
 */
bool dmm_hand_over(struct socket *sock);
void dmm_hand_over_done(void);

/* Learn the native tables; @override replaces members of ours. */
int dmm_native_init(void (*override)(struct proto_ops *ops, int type));
/* Wait until no call can be inside our tables' members.  All sockets are gone. */
void dmm_native_drain(void);
void dmm_native_exit(void);

#endif /* DMM_NATIVE_H */
