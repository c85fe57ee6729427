// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel lets a socket bind to its own addresses only.  Those of a user stack
 * are none of these, but the carrier is to be bound all the same: it holds the
 * port, and getsockname() is its own.
 *
 * So what native code refuses for its address is tried once more, as with
 * IP_FREEBIND, if it is the address of an instance to which a rule may send the
 * socket.  Should it come to the kernel's stack after all, that has no route from
 * there, as with IP_FREEBIND.
 */
#include "bind.h"

#include <linux/net.h>
#include <net/sock.h>

#include "compat.h"
#include "decide.h"
#include "instance.h"
#include "native.h"
#include "net.h"

/* As listener, or as what connects from there: bind() does not know yet. */
static int owns(struct dmm_instance *inst, u32 nr, void *arg)
{
	struct dmm_flow *flow = arg;

	/* One that tells none serves any, and has none. */
	if (!READ_ONCE(inst->nr_addrs))
		return 0;
	for (flow->role = DMM_ROLE_CONNECT; flow->role <= DMM_ROLE_LISTEN; flow->role++)
		if (dmm_decide_may_serve(dmm_net(sock_net(flow->sk)), flow, inst))
			return 1;
	return 0;
}

static bool is_owned(const struct sock *sk, const struct sockaddr *addr)
{
	struct dmm_flow flow;

	dmm_flow_init(&flow, sk, DMM_ROLE_LISTEN, NULL);
	dmm_flow_set_local(&flow, addr);
	return dmm_instances_walk(sock_net(sk), owns, &flow);
}

/* Returns whether it was set before. */
static bool set_freebind(struct sock *sk, bool on)
{
	bool was;

	lock_sock(sk);
	was = dmm_freebind(sk);
	dmm_set_freebind(sk, on);
	release_sock(sk);
	return was;
}

int dmm_bind(struct socket *sock, struct sockaddr *addr, int len)
{
	const struct proto_ops *ops = dmm_native(sock->sk)->ops;
	int err = ops->bind(sock, addr, len);

	if (err != -EADDRNOTAVAIL || !is_owned(sock->sk, addr))
		return err;
	if (set_freebind(sock->sk, true))
		return err;
	err = ops->bind(sock, addr, len);
	set_freebind(sock->sk, false);
	return err;
}
