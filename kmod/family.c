// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creation.  Either way the result is a genuine TCP or UDP sock, made by the
 * kernel's own code in the caller's context, whose struct socket has our
 * operations until the decision.
 */
#include "family.h"

#include <linux/module.h>
#include <net/ipv6.h>
#include <net/protocol.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "native.h"
#include "sock.h"

static int af = DMM_AF_DEFAULT;
module_param(af, int, 0444);
MODULE_PARM_DESC(af, "Number of the address family");

int dmm_family_number(void)
{
	return af;
}

/*
 * Make a native socket as the caller would, so that security modules, cgroups
 * and the namespace see an ordinary AF_INET socket of that caller, and move
 * its sock over.
 */
static int make_sock(struct net *net, struct socket *sock, int family, int kern)
{
	struct socket *inner;
	struct sock *sk;
	int err;

	err = __sock_create(net, family, sock->type,
			    sock->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP,
			    &inner, kern);
	if (err)
		return err;
	sk = inner->sk;
	err = dmm_sock_track(sk);
	if (err)
		goto out_release;
	inner->sk = NULL;
	/* tcp_init_sock() says there that zero-copy sends work. */
	sock->flags |= inner->flags;
	sock_graft(sk, sock);
out_release:
	sock_release(inner);
	return err;
}

int dmm_family_carrier(struct socket *sock, const struct sock *listener)
{
	return make_sock(sock_net(listener), sock, listener->sk_family, 0);
}

static int family_create(struct net *net, struct socket *sock, int protocol,
			 int kern)
{
	const struct dmm_native *n;
	int family;

	if (protocol != DMM_PROTO_INET && protocol != DMM_PROTO_INET6)
		return -EPROTONOSUPPORT;
	if (sock->type != SOCK_STREAM && sock->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	family = protocol == DMM_PROTO_INET6 ? AF_INET6 : AF_INET;
	n = dmm_native_get(family, sock->type);
	if (!n)
		return -EAFNOSUPPORT;
	sock->ops = &n->ours;
	return make_sock(net, sock, family, kern);
}

static struct net_proto_family dmm_family = {
	.create = family_create,
	.owner = THIS_MODULE,
};

/*
 * IPPROTO_DMM: inet_create() makes the sock from a copy of the native
 * protocol, whose init turns it into the native one.  The copy is never
 * registered: it shares the native one's slab, accounting and name.
 *
 * inet_create() may still fail behind init (a BPF program says no) and then
 * frees the sock without a call to our operations: until the socket is used,
 * sk_destruct is ours, and sk_prot_creator, whose owner's module reference
 * sk_alloc() took, keeps us loaded for it.
 */
static struct proto dmm_prots[2];
static struct inet_protosw dmm_protosws[2];
static bool have_v6;

static void prot_destruct_sock(struct sock *sk)
{
	struct dmm_sock_refs none;

	dmm_sock_untrack(sk, &none);
	dmm_native(sk)->destruct(sk);
}

static int prot_init_sock(struct sock *sk)
{
	const struct dmm_native *n = dmm_native(sk);
	int err;

	sk->sk_protocol = IPPROTO_TCP;
	sk->sk_prot = n->prot;
	sk->sk_destruct = prot_destruct_sock;
	err = n->prot->init(sk);
	return err ?: dmm_sock_track(sk);
}

void dmm_family_settle(struct sock *sk)
{
	const struct dmm_native *n = dmm_native(sk);
	struct proto *ours = &dmm_prots[sk->sk_family == AF_INET6];

	if (cmpxchg(&sk->sk_prot_creator, ours, n->prot) != ours)
		return;
	sk->sk_destruct = n->destruct;
	module_put(THIS_MODULE);
}

static void protosw_fill(unsigned int v6, const struct dmm_native *n)
{
	dmm_prots[v6] = *n->prot;
	dmm_prots[v6].owner = THIS_MODULE;
	dmm_prots[v6].init = prot_init_sock;
	dmm_protosws[v6] = (struct inet_protosw) {
		.type = SOCK_STREAM,
		.protocol = IPPROTO_DMM,
		.prot = &dmm_prots[v6],
		.ops = &n->ours,
		.flags = INET_PROTOSW_ICSK,
	};
}

int __init dmm_family_init(void)
{
	const struct dmm_native *v6 = dmm_native_get(AF_INET6, SOCK_STREAM);
	int err;

	dmm_family.family = af;
	err = sock_register(&dmm_family);
	if (err) {
		pr_err("dmm: address family %d: %s\n", af,
		       err == -EEXIST ? "in use, choose another with af=" : "out of range");
		return err;
	}
	protosw_fill(0, dmm_native_get(AF_INET, SOCK_STREAM));
	inet_register_protosw(&dmm_protosws[0]);
	if (!v6)
		return 0;
	protosw_fill(1, v6);
	err = inet6_register_protosw(&dmm_protosws[1]);
	if (err) {
		inet_unregister_protosw(&dmm_protosws[0]);
		sock_unregister(af);
		return err;
	}
	have_v6 = true;
	return 0;
}

void dmm_family_exit(void)
{
	sock_unregister(af);
	inet_unregister_protosw(&dmm_protosws[0]);
	if (have_v6)
		inet6_unregister_protosw(&dmm_protosws[1]);
}
