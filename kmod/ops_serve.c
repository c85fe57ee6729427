// SPDX-License-Identifier: GPL-2.0-only
/*
 * listen(), bind() and accept(): they decide where a socket goes that serves, and
 * its connections.
 */
#include "ops.h"

#include <linux/sched/signal.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "bind.h"
#include "conn.h"
#include "dgram.h"
#include "family.h"
#include "listen.h"
#include "listener.h"
#include "native.h"
#include "net.h"
#include "options.h"
#include "record.h"
#include "sock.h"

/*
 * Decide on serving at the local address in @flow.  A refusal that holds only
 * for some remotes lets the call go on.
 */
static int decide_local(struct socket *sock, struct dmm_flow *flow,
			struct dmm_decision *d, struct dmm_sockopts *opts,
			struct dmm_plan *plan)
{
	struct sock *sk = sock->sk;
	struct dmm_net *dn = dmm_net(sock_net(sk));
	char want[DMM_NAME_MAX];

	if (!dmm_sock_want(sk, want))
		return 0;
	dmm_decide(dn, flow, true, want, d, opts, plan);
	dmm_record(dn, sk, flow, d, NULL);
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
	err = decide_local(sock, &flow, &d, &opts, NULL);
	if (err)
		return err;
	if (d.verdict == DMM_VERDICT_STACK)
		dmm_sockopts_apply(sock, &opts);
	dmm_family_settle(sock->sk);
	err = dmm_native_ops(sock)->listen(sock, backlog);
	if (err)
		return err;
	if (d.reason == DMM_REASON_STRICT_KERNEL) {
		if (dmm_hand_over(sock))
			dmm_hand_over_done();
	} else {
		dmm_sock_set_listening(sock->sk, &d);
		dmm_listen_start(sock, backlog);
	}
	return 0;
}

int dmm_op_listen(struct socket *sock, int backlog)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int state = dmm_sock_state(sock->sk);
	int err;

	if (state == DMM_SOCK_CONNECTING || state == DMM_SOCK_CONNECTED) {
		err = -EINVAL;
	} else if (state == DMM_SOCK_UNDECIDED && sock->sk->sk_state == TCP_CLOSE) {
		err = listen_decided(sock, backlog);
	} else {
		err = dmm_native_ops(sock)->listen(sock, backlog);
		if (!err && state == DMM_SOCK_LISTENER)
			dmm_listen_start(sock, backlog);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

/* A bind that names a port serves there; without one it picks a source address. */
static bool bind_serves(const struct sock *sk, const struct sockaddr *addr, int len)
{
	return dmm_ops_destination(sk, addr, len) &&
	       ((const struct sockaddr_in *)addr)->sin_port;
}

static bool is_wildcard(const struct in6_addr *addr)
{
	return ipv6_addr_any(addr) ||
	       (ipv6_addr_v4mapped(addr) && !addr->s6_addr32[3]);
}

/*
 * The port is bound.  A user stack that shall serve it is asked for it as well;
 * an address that does not tell remotes apart goes to the kernel for good.
 */
static int bind_decided(struct socket *sock, struct dmm_flow *flow,
			struct dmm_decision *d, const struct dmm_plan *plan)
{
	struct dmm_conn *conn;
	int err = 1;

	if (plan->nr && !d->open) {
		flow->sport = inet_sk(sock->sk)->inet_num;
		err = dmm_dgram_start(sock, flow, d, plan);
		conn = err ? NULL : dmm_sock_conn(sock->sk);
		if (conn) {
			err = dmm_dgram_wait(sock, conn);
			dmm_conn_put(conn);
		}
	}
	if (err <= 0)
		return err;
	/* If the remote may matter, the first send still decides. */
	if (!is_wildcard(&flow->src) && !d->open && dmm_hand_over(sock))
		dmm_hand_over_done();
	return 0;
}

/* The carrier of a connection that a user stack serves may be unbound still. */
int dmm_op_bind_stream(struct socket *sock, struct sockaddr *addr, int len)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int state = dmm_sock_state(sock->sk), err;

	if (state == DMM_SOCK_CONNECTING || state == DMM_SOCK_CONNECTED)
		err = -EINVAL;
	else
		err = dmm_bind(sock, addr, len);
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

/* Does the policy send it to a user stack in this role, whatever the remote is? */
static bool goes_to_user(struct sock *sk, u8 role)
{
	char want[DMM_NAME_MAX];
	struct dmm_decision d;
	struct dmm_flow flow;
	struct dmm_plan plan;

	if (!dmm_sock_want(sk, want))
		return false;
	dmm_flow_init(&flow, sk, role, NULL);
	dmm_decide(dmm_net(sock_net(sk)), &flow, true, want, &d, NULL, &plan);
	return plan.nr && !d.open && !d.err;
}

/*
 * A UDP bind() without a port is a server's that tells its port, or a client's:
 * it is decided, as one with the port that it got, if that makes no difference.
 */
static int bind_anywhere(struct socket *sock, struct sockaddr *addr, int len)
{
	int err = dmm_bind(sock, addr, len);
	struct sock *sk = sock->sk;
	struct dmm_sockopts opts;
	struct dmm_decision d;
	struct dmm_flow flow;
	struct dmm_plan plan = {};

	if (err || !goes_to_user(sk, DMM_ROLE_LISTEN) || !goes_to_user(sk, DMM_ROLE_CONNECT))
		return err;
	dmm_flow_init(&flow, sk, DMM_ROLE_LISTEN, NULL);
	if (decide_local(sock, &flow, &d, &opts, &plan) || !plan.nr)
		return 0;
	dmm_sockopts_apply(sock, &opts);
	return bind_decided(sock, &flow, &d, &plan);
}

/* UDP has no listen(): binding to a port is it. */
int dmm_op_bind_dgram(struct socket *sock, struct sockaddr *addr, int len)
{
	int idx = srcu_read_lock(&dmm_srcu);
	bool undecided = dmm_sock_state(sock->sk) == DMM_SOCK_UNDECIDED;
	bool serves = undecided && bind_serves(sock->sk, addr, len);
	struct dmm_sockopts opts = {};
	struct dmm_decision d = {};
	struct dmm_plan plan = {};
	struct dmm_flow flow;
	int err = 0;

	if (serves) {
		dmm_flow_init(&flow, sock->sk, DMM_ROLE_LISTEN, NULL);
		dmm_flow_set_local(&flow, addr);
		err = decide_local(sock, &flow, &d, &opts, &plan);
	}
	if (!err && undecided && !serves)
		err = bind_anywhere(sock, addr, len);
	else if (!err)
		err = dmm_bind(sock, addr, len);
	if (!err && serves && d.verdict == DMM_VERDICT_STACK) {
		dmm_sockopts_apply(sock, &opts);
		err = bind_decided(sock, &flow, &d, &plan);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

/* Close with a reset what accept() returned, and make newsock empty again. */
static void reset_accepted(struct socket *newsock)
{
	sock_no_linger(newsock->sk);
	dmm_native_ops(newsock)->release(newsock);
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
	dmm_decide_arrived(dn, &flow, NULL, &d, &opts);
	dmm_record(dn, sk, &flow, &d, NULL);
	if (d.err)
		return d.err;
	dmm_stats_inc(dn, accepts);
	/* It inherited what the listener's rule set. */
	if (d.rule != listener->rule)
		dmm_sockopts_apply(newsock, &opts);
	return 0;
}

/* A connection of the kernel's that may go on. */
static int accept_native(struct socket *sock, struct socket *newsock,
			 struct proto_accept_arg *arg)
{
	const struct proto_ops *ops = dmm_native_ops(sock);
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

static bool nothing_to_accept(struct sock *sk, const struct dmm_listener *l)
{
	return sk->sk_state == TCP_LISTEN && !dmm_listener_ready(l) &&
	       reqsk_queue_empty(&inet_csk(sk)->icsk_accept_queue);
}

/* Until either queue has something: native code waits for its own only. */
static int wait_accept(struct sock *sk, const struct dmm_listener *l, long *timeo)
{
	DEFINE_WAIT(wait);

	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	prepare_to_wait_exclusive(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
	if (nothing_to_accept(sk, l))
		*timeo = schedule_timeout(*timeo);
	finish_wait(sk_sleep(sk), &wait);
	return 0;
}

static int accept_dual(struct socket *sock, struct dmm_listener *l,
		       struct socket *newsock, struct proto_accept_arg *arg)
{
	long timeo = sock_rcvtimeo(sock->sk, arg->flags & O_NONBLOCK);
	struct proto_accept_arg once = *arg;
	int err;

	once.flags |= O_NONBLOCK;
	do {
		err = dmm_listen_accept(sock, newsock);
		if (err == -EAGAIN)
			err = accept_native(sock, newsock, &once);
		if (err != -EAGAIN)
			break;
		err = wait_accept(sock->sk, l, &timeo);
	} while (!err);
	dmm_accept_copy_answer(arg, &once, dmm_listener_ready(l));
	return err;
}

int dmm_op_accept(struct socket *sock, struct socket *newsock, struct proto_accept_arg *arg)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_listener *l = dmm_sock_listener(sock->sk);
	int err;

	/* A kernel socket, which does not keep its namespace, is the kernel's (sock.c). */
	if (l && !arg->kern)
		err = accept_dual(sock, l, newsock, arg);
	else
		err = accept_native(sock, newsock, arg);
	if (l)
		dmm_listener_put(l);
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

#ifdef DMM_NEED_ACCEPT_FLAGS
int dmm_op_accept_flags(struct socket *sock, struct socket *newsock, int flags, bool kern)
{
	struct proto_accept_arg arg = { .flags = flags, .kern = kern };

	return dmm_op_accept(sock, newsock, &arg);
}
#endif
