// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a socket that DMM holds:
 *
 *	undecided --- connect, send --------> handed over to the kernel's stack
 *	    |    \--- refused --------------> undecided
 *	    |
 *	    \-------- listen ---------------> listener --- accept ---> a new socket,
 *	                                         |                   handed over
 *	                                         \-- strict rule ---> handed over
 *
 * Every member here first asks whether the socket is tracked (sock.h).  One
 * that is not is handed over already, by another thread since this call
 * loaded the table, or was never ours to decide: the native operation serves
 * it.
 */
#include "ops.h"

#include <net/ipv6.h>
#include <net/sock.h>

#include "compat.h"
#include "family.h"
#include "native.h"
#include "net.h"
#include "options.h"
#include "record.h"
#include "sock.h"
#include "trace.h"

static const struct proto_ops *native_ops(const struct socket *sock)
{
	return dmm_native(sock->sk)->ops;
}

/* Does the native operation take this as an address to talk to? */
static bool is_destination(const struct sock *sk, const struct sockaddr *addr, int len)
{
	if (len < (int)offsetofend(struct sockaddr, sa_family))
		return false;
	switch (addr->sa_family) {
	case AF_INET:
		/* A v6 TCP socket does not, a v6 UDP one does. */
		return len >= (int)sizeof(struct sockaddr_in) &&
		       (sk->sk_family == AF_INET ||
			(sk->sk_type == SOCK_DGRAM && !ipv6_only_sock(sk)));
	case AF_UNSPEC:
		/* udp_sendmsg() and inet_bind() take it for AF_INET. */
		return len >= (int)sizeof(struct sockaddr_in) &&
		       sk->sk_family == AF_INET && sk->sk_type == SOCK_DGRAM;
	case AF_INET6:
		return len >= SIN6_LEN_RFC2133 && sk->sk_family == AF_INET6;
	default:
		return false;
	}
}

/* Count, log and trace a decision. */
static void publish(struct dmm_net *dn, struct sock *sk, const struct dmm_flow *flow,
		    const struct dmm_decision *d)
{
	trace_dmm_decide(sk, flow, d);
	dmm_record(dn, sk, flow, d);
}

/*
 * Decide where a socket that wants to talk to @addr goes, and send it there.
 * *handed_over says whether the caller has to call dmm_hand_over_done().
 */
static int decide_remote(struct socket *sock, const struct sockaddr *addr,
			 bool *handed_over)
{
	struct sock *sk = sock->sk;
	struct dmm_net *dn = dmm_net(sock_net(sk));
	char want[DMM_NAME_MAX];
	struct dmm_sockopts opts;
	struct dmm_decision d;
	struct dmm_flow flow;

	if (!dmm_sock_want(sk, want))
		return 0;
	dmm_flow_init(&flow, sk, DMM_ROLE_CONNECT, addr);
	dmm_decide(dn, &flow, false, want, &d, &opts);
	publish(dn, sk, &flow, &d);
	if (d.err)
		return d.err;
	dmm_sockopts_apply(sock, &opts);
	*handed_over = dmm_hand_over(sock);
	if (*handed_over)
		dmm_stats_inc(dn, connects);
	return 0;
}

/* connect(AF_UNSPEC) undoes one. */
static bool connects(const struct sock *sk, const struct sockaddr *addr, int len)
{
	return sk->sk_state == TCP_CLOSE && is_destination(sk, addr, len) &&
	       addr->sa_family != AF_UNSPEC;
}

static int op_connect(struct socket *sock, struct sockaddr *addr, int len, int flags)
{
	int idx = srcu_read_lock(&dmm_srcu);
	bool handed_over = false;
	int err = 0;

	if (connects(sock->sk, addr, len))
		err = decide_remote(sock, addr, &handed_over);
	if (!err)
		err = native_ops(sock)->connect(sock, addr, len, flags);
	if (handed_over)
		dmm_hand_over_done();
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

/* A send that names its destination: UDP's first one, or TCP Fast Open's. */
static bool send_connects(const struct sock *sk, const struct msghdr *msg)
{
	return msg->msg_name && sk->sk_state == TCP_CLOSE &&
	       (sk->sk_type == SOCK_DGRAM || msg->msg_flags & MSG_FASTOPEN) &&
	       is_destination(sk, msg->msg_name, msg->msg_namelen);
}

static int op_sendmsg(struct socket *sock, struct msghdr *msg, size_t size)
{
	int idx = srcu_read_lock(&dmm_srcu);
	bool handed_over = false;
	int err = 0;

	if (send_connects(sock->sk, msg))
		err = decide_remote(sock, msg->msg_name, &handed_over);
	if (!err)
		err = native_ops(sock)->sendmsg(sock, msg, size);
	if (handed_over)
		dmm_hand_over_done();
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

/*
 * Decide on serving at the local address in @flow.  A refusal that holds only
 * for some remotes lets the call go on.
 */
static int decide_local(struct socket *sock, struct dmm_flow *flow,
			struct dmm_decision *d, struct dmm_sockopts *opts)
{
	struct sock *sk = sock->sk;
	struct dmm_net *dn = dmm_net(sock_net(sk));
	char want[DMM_NAME_MAX];

	if (!dmm_sock_want(sk, want))
		return 0;
	dmm_decide(dn, flow, true, want, d, opts);
	publish(dn, sk, flow, d);
	dmm_stats_inc(dn, listens);
	return d->err;
}

static int listen_decided(struct socket *sock, int backlog)
{
	struct dmm_sockopts opts = {};
	struct dmm_decision d = {};
	struct dmm_flow flow;
	int err;

	dmm_flow_init(&flow, sock->sk, DMM_ROLE_LISTEN, NULL);
	err = decide_local(sock, &flow, &d, &opts);
	if (err)
		return err;
	if (d.verdict == DMM_VERDICT_STACK)
		dmm_sockopts_apply(sock, &opts);
	dmm_family_settle(sock->sk);
	err = native_ops(sock)->listen(sock, backlog);
	if (err)
		return err;
	if (d.reason == DMM_REASON_STRICT_KERNEL) {
		if (dmm_hand_over(sock))
			dmm_hand_over_done();
	} else {
		dmm_sock_set_listening(sock->sk, &d);
	}
	return 0;
}

static int op_listen(struct socket *sock, int backlog)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int err;

	if (sock->sk->sk_state == TCP_CLOSE && dmm_sock_tracked(sock->sk))
		err = listen_decided(sock, backlog);
	else
		err = native_ops(sock)->listen(sock, backlog);
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

/* A bind that names a port serves there; without one it picks a source address. */
static bool bind_serves(const struct sock *sk, const struct sockaddr *addr, int len)
{
	return is_destination(sk, addr, len) &&
	       ((const struct sockaddr_in *)addr)->sin_port;
}

static bool is_wildcard(const struct in6_addr *addr)
{
	return ipv6_addr_any(addr) ||
	       (ipv6_addr_v4mapped(addr) && !addr->s6_addr32[3]);
}

/* UDP has no listen(): binding to a port is it. */
static int op_bind(struct socket *sock, struct sockaddr *addr, int len)
{
	int idx = srcu_read_lock(&dmm_srcu);
	bool serves = bind_serves(sock->sk, addr, len);
	struct dmm_sockopts opts = {};
	struct dmm_decision d = {};
	struct dmm_flow flow;
	int err = 0;

	if (serves) {
		dmm_flow_init(&flow, sock->sk, DMM_ROLE_LISTEN, NULL);
		dmm_flow_set_local(&flow, addr);
		err = decide_local(sock, &flow, &d, &opts);
	}
	if (!err)
		err = native_ops(sock)->bind(sock, addr, len);
	if (!err && serves && d.verdict == DMM_VERDICT_STACK) {
		dmm_sockopts_apply(sock, &opts);
		/* If the remote may matter, the first send still decides. */
		if (!is_wildcard(&flow.src) && !d.open && dmm_hand_over(sock))
			dmm_hand_over_done();
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

/* Close with a reset what accept() returned, and make newsock empty again. */
static void reset_accepted(struct socket *newsock)
{
	sock_no_linger(newsock->sk);
	native_ops(newsock)->release(newsock);
	newsock->state = SS_UNCONNECTED;
}

/* May this connection, which the kernel's stack accepted, go on? */
static int decide_accepted(struct socket *newsock, const struct dmm_decision *listener)
{
	struct sock *sk = newsock->sk;
	struct dmm_net *dn = dmm_net(sock_net(sk));
	struct dmm_sockopts opts;
	struct dmm_decision d;
	struct dmm_flow flow;

	dmm_flow_init_accepted(&flow, sk);
	dmm_decide(dn, &flow, false, "", &d, &opts);
	publish(dn, sk, &flow, &d);
	if (d.err)
		return d.err;
	dmm_stats_inc(dn, accepts);
	/* It inherited what the listener's rule set. */
	if (d.rule != listener->rule)
		dmm_sockopts_apply(newsock, &opts);
	return 0;
}

static int accept_decided(struct socket *sock, struct socket *newsock,
			  struct proto_accept_arg *arg)
{
	const struct proto_ops *ops = native_ops(sock);
	struct dmm_decision listener;
	char want[DMM_NAME_MAX];
	bool tracked;
	u8 state;
	int err;

	for (;;) {
		err = dmm_native_accept(ops, sock, newsock, arg);
		if (err)
			return err;
		tracked = dmm_sock_read(sock->sk, &state, want, &listener);
		if (!tracked || !decide_accepted(newsock, &listener))
			break;
		reset_accepted(newsock);
		cond_resched();
	}
	/* do_accept() gave it the listener's table and a reference for it. */
	if (dmm_hand_over(newsock))
		dmm_hand_over_done();
	return 0;
}

static int op_accept(struct socket *sock, struct socket *newsock,
		     struct proto_accept_arg *arg)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int err = accept_decided(sock, newsock, arg);

	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

#ifdef DMM_NEED_ACCEPT_FLAGS
static int op_accept_flags(struct socket *sock, struct socket *newsock, int flags,
			   bool kern)
{
	struct proto_accept_arg arg = { .flags = flags, .kern = kern };

	return op_accept(sock, newsock, &arg);
}
#endif

/*
 * TCP_ULP must not reach native code while our table is on the socket
 * (native.h).  Nothing is lost, for upper layers attach to connected sockets:
 * let a native socket that is not say how this one is refused.
 */
static int refuse_ulp(struct socket *sock, sockptr_t optval, unsigned int optlen)
{
	struct sock *sk = sock->sk;
	struct socket *plain;
	int err;

	err = __sock_create(sock_net(sk), sk->sk_family, SOCK_STREAM, IPPROTO_TCP,
			    &plain, 0);
	if (err)
		return err;
	err = native_ops(plain)->setsockopt(plain, SOL_TCP, TCP_ULP, optval, optlen);
	/* Even the attempt takes zero-copy away. */
	if (!test_bit(SOCK_SUPPORT_ZC, &plain->flags))
		clear_bit(SOCK_SUPPORT_ZC, &sock->flags);
	sock_release(plain);
	return err ?: -ENOTCONN;
}

static int op_setsockopt(struct socket *sock, int level, int optname, sockptr_t optval,
			 unsigned int optlen)
{
	int idx = srcu_read_lock(&dmm_srcu);
	bool tracked = dmm_sock_tracked(sock->sk);
	int err;

	if (tracked && level == SOL_DMM)
		err = dmm_setsockopt(sock, optname, optval, optlen);
	else if (tracked && level == SOL_TCP && optname == TCP_ULP)
		err = refuse_ulp(sock, optval, optlen);
	else
		err = native_ops(sock)->setsockopt(sock, level, optname, optval, optlen);
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

static int op_getsockopt(struct socket *sock, int level, int optname,
			 char __user *optval, int __user *optlen)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int err;

	if (level == SOL_DMM && dmm_sock_tracked(sock->sk))
		err = dmm_getsockopt(sock, optname, optval, optlen);
	else
		err = native_ops(sock)->getsockopt(sock, level, optname, optval, optlen);
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

static int op_release(struct socket *sock)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int err;

	/* kernel_accept() closes a socket of our table without a sock if it fails. */
	if (!sock->sk) {
		err = 0;
	} else {
		dmm_sock_untrack(sock->sk);
		dmm_family_settle(sock->sk);
		err = native_ops(sock)->release(sock);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

void __init dmm_ops_override(struct proto_ops *ops, int type)
{
	ops->connect = op_connect;
	ops->sendmsg = op_sendmsg;
	ops->setsockopt = op_setsockopt;
	ops->getsockopt = op_getsockopt;
	ops->release = op_release;
	if (type == SOCK_STREAM) {
		ops->listen = op_listen;
		ops->accept = DMM_ACCEPT_OP(op_accept);
	} else {
		ops->bind = op_bind;
	}
}
