// SPDX-License-Identifier: GPL-2.0-only
#include "native.h"

#include <linux/delay.h>
#include <linux/module.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "family.h"
#include "sock.h"

DEFINE_SRCU(dmm_srcu);

static struct dmm_native natives[2][2]; /* [v6][dgram] */

static struct dmm_native *native(bool v6, bool dgram)
{
	return &natives[v6][dgram];
}

const struct dmm_native *dmm_native(const struct sock *sk)
{
	return native(sk->sk_family == AF_INET6, sk->sk_type == SOCK_DGRAM);
}

const struct dmm_native *dmm_native_get(int family, int type)
{
	struct dmm_native *n = native(family == AF_INET6, type == SOCK_DGRAM);

	return n->probe ? n : NULL;
}

bool dmm_hand_over(struct socket *sock)
{
	const struct dmm_native *n = dmm_native(sock->sk);
	struct dmm_sock_refs refs;

	if (cmpxchg(&sock->ops, &n->ours, n->ops) != &n->ours)
		return false;
	__module_get(n->ops->owner);
	dmm_sock_untrack(sock->sk, &refs);
	dmm_sock_refs_end(&refs);
	dmm_family_settle(sock->sk);
	return true;
}

void dmm_hand_over_done(void)
{
	module_put(THIS_MODULE);
}

static int learn(struct dmm_native *n, int family, int type,
		 void (*override)(struct proto_ops *ops, int type))
{
	int err;

	err = sock_create_kern(&init_net, family, type, 0, &n->probe);
	if (err) {
		n->probe = NULL;
		return err;
	}
	n->ops = n->probe->ops;
	n->prot = n->probe->sk->sk_prot;
	n->destruct = n->probe->sk->sk_destruct;
	n->ours = *n->ops;
	n->ours.owner = THIS_MODULE;
	override(&n->ours, type);
	return 0;
}

int __init dmm_native_init(void (*override)(struct proto_ops *ops, int type))
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		err = learn(native(false, i), AF_INET, types[i], override);
		if (err)
			goto out_release;
		err = learn(native(true, i), AF_INET6, types[i], override);
		/* With ipv6.disable=1 there is no IPv6, for AF_INET6 neither. */
		if (err && err != -EAFNOSUPPORT)
			goto out_release;
	}
	return 0;

out_release:
	dmm_native_exit();
	return err;
}

void dmm_native_drain(void)
{
	synchronize_rcu_tasks();
	/*
	 * do_accept() takes a reference for the new socket from the table that
	 * it loaded, even while we are on our way out: wait until it is put.
	 */
	while (module_refcount(THIS_MODULE) >= 0)
		msleep(1);
	synchronize_srcu(&dmm_srcu);
	synchronize_rcu_tasks();
}

void dmm_native_exit(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(natives); i++)
		for (j = 0; j < ARRAY_SIZE(natives[i]); j++)
			if (natives[i][j].probe)
				sock_release(natives[i][j].probe);
}
