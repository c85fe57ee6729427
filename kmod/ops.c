// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a socket that DMM holds:
 *
 *	undecided --- connect, send --------> handed over to the kernel's stack
 *	    |    |--- refused --------------> undecided
 *	    |    \--- connecting -----------> connected: a user stack serves it
 *	    |              |----------------> handed over, by the next call
 *	    |              \--- failed -----> undecided
 *	    |
 *	    \-------- listen ---------------> listener --- accept ---> a new socket,
 *	                                         |         handed over, or connected
 *	                                         \-- strict rule ---> handed over
 *
 * Every member here first asks what the socket is (sock.h).  One that is not
 * tracked is handed over already, by another thread since this call loaded the
 * table, or was never ours to decide: the native operation serves it.
 */
#include "ops.h"

#include <linux/bpf-cgroup.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "conn.h"
#include "connect.h"
#include "dgram.h"
#include "family.h"
#include "listen.h"
#include "listener.h"
#include "native.h"
#include "net.h"
#include "options.h"
#include "record.h"
#include "sock.h"
#include "user.h"

static const struct proto_ops *native_ops(const struct socket *sock)
{
	return dmm_native(sock->sk)->ops;
}

static bool is_mapped(const struct sockaddr *addr)
{
	return ipv6_addr_v4mapped(&((const struct sockaddr_in6 *)addr)->sin6_addr);
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
		return len >= SIN6_LEN_RFC2133 && sk->sk_family == AF_INET6 &&
		       !(ipv6_only_sock(sk) && is_mapped(addr));
	default:
		return false;
	}
}

/* What a socket has of user stacks, if anything, is over: it is undecided. */
static void drop(struct sock *sk)
{
	struct dmm_sock_refs refs;

	if (dmm_sock_detach(sk, NULL, &refs))
		dmm_sock_refs_end(&refs);
}

/* As tcp_disconnect(): undecided again, with an error for who still waits. */
static void reset(struct socket *sock)
{
	struct sock *sk = sock->sk;

	drop(sk);
	/* A worker may just have asked the kernel's TCP to connect. */
	lock_sock(sk);
	if (sk->sk_state != TCP_CLOSE)
		sk->sk_prot->disconnect(sk, 0);
	release_sock(sk);
	WRITE_ONCE(sk->sk_shutdown, 0);
	WRITE_ONCE(sk->sk_err, ECONNRESET);
	sock->state = SS_UNCONNECTED;
	sk_error_report(sk);
}

/* A worker has asked the kernel's TCP to connect: what is left of it. */
static void finish_kernel(struct socket *sock)
{
	if (dmm_sock_state(sock->sk) == DMM_SOCK_KERNEL && dmm_hand_over(sock))
		dmm_hand_over_done();
}

/* The state, and the connection of one that a user stack serves, with a reference. */
static int user_state(struct socket *sock, struct dmm_conn **conn)
{
	int state = dmm_sock_state_conn(sock->sk, conn);

	if (state == DMM_SOCK_KERNEL)
		finish_kernel(sock);
	return state;
}

static struct dmm_conn *user_conn(struct socket *sock)
{
	struct dmm_conn *conn;

	user_state(sock, &conn);
	return conn;
}

/* TCP_REPAIR sets up a connection of the kernel's TCP that is there already. */
static bool is_repaired(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM && tcp_sk(sk)->repair;
}

/*
 * What BPF programs of its cgroup say of a connect() that native code will not
 * see; they may change the address.
 */
static int ask_cgroup(struct sock *sk, struct sockaddr *addr, int len)
{
	int err = 0;

	if (!BPF_CGROUP_PRE_CONNECT_ENABLED(sk))
		return 0;
	lock_sock(sk);
	err = sk->sk_prot->pre_connect(sk, addr, len);
	release_sock(sk);
	return err;
}

/*
 * Decide where a socket that wants to talk to @addr goes, and send it there.
 * *handed_over says whether the caller has to call dmm_hand_over_done().
 * Return: 0: the native operation goes on; 1: user stacks are asked, and
 * dmm_connect_wait() tells the outcome; or an error.
 */
static int decide_remote(struct socket *sock, struct sockaddr *addr, int len,
			 bool *handed_over)
{
	struct sock *sk = sock->sk;
	struct dmm_net *dn = dmm_net(sock_net(sk));
	char want[DMM_NAME_MAX];
	struct dmm_sockopts opts;
	struct dmm_decision d;
	struct dmm_flow flow;
	struct dmm_plan plan;
	int err;

	if (!dmm_sock_want(sk, want))
		return 0;
	if (is_repaired(sk)) {
		*handed_over = dmm_hand_over(sock);
		return 0;
	}
	dmm_flow_init(&flow, sk, DMM_ROLE_CONNECT, addr);
	dmm_decide(dn, &flow, false, want, &d, &opts, &plan);
	dmm_record(dn, sk, &flow, &d, NULL);
	if (d.err)
		return d.err;
	dmm_sockopts_apply(sock, &opts);
	if (plan.nr && sk->sk_type == SOCK_STREAM) {
		err = ask_cgroup(sk, addr, len);
		if (err)
			return err;
		dmm_flow_init(&flow, sk, DMM_ROLE_CONNECT, addr);
		return dmm_connect_start(sock, addr, len, &flow, &d, &plan, &opts) ?: 1;
	}
	if (plan.nr) {
		err = dmm_dgram_start(sock, &flow, &d, &plan);
		if (err <= 0)
			return err ?: 1;
	}
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

/*
 * As TCP when a connection ends.  The carrier has not been in another state, so
 * that tcp_disconnect() does not do it.
 */
static void put_port(struct sock *sk)
{
	lock_sock(sk);
	if (inet_csk(sk)->icsk_bind_hash && !(sk->sk_userlocks & SOCK_BINDPORT_LOCK))
		inet_put_port(sk);
	release_sock(sk);
}

static int disconnect(struct socket *sock, struct sockaddr *addr, int len, int flags)
{
	reset(sock);
	put_port(sock->sk);
	return native_ops(sock)->connect(sock, addr, len, flags);
}

/* A listener that is disconnected can connect, and is decided again. */
static int stop_listening(struct socket *sock, struct sockaddr *addr, int len, int flags)
{
	drop(sock->sk);
	return native_ops(sock)->connect(sock, addr, len, flags);
}

/* It has not failed, or not yet. */
static bool is_under_way(struct sock *sk)
{
	struct dmm_connect *c = dmm_sock_connect(sk);
	bool ret = c && dmm_connect_state(c) != DMM_CONNECT_FAILED;

	if (c)
		dmm_connect_put(c);
	return ret;
}

/*
 * Wait for what user stacks make of it, and let the kernel's if it is its turn.
 * As of TCP, one that shall not wait is in progress, however fast it was.
 */
static int finish_connect(struct socket *sock, struct sockaddr *addr, int len, int flags,
			  bool again)
{
	int err;

	if (flags & O_NONBLOCK && !again && is_under_way(sock->sk))
		return -EINPROGRESS;
	err = dmm_connect_wait(sock, flags, again);
	if (err <= 0)
		return err;
	finish_kernel(sock);
	err = native_ops(sock)->connect(sock, addr, len, flags);
	/* A worker started it: to the application it is the first one all the same. */
	return err == -EALREADY && !again ? -EINPROGRESS : err;
}

static bool is_unspec(const struct sockaddr *addr)
{
	return addr->sa_family == AF_UNSPEC;
}

/*
 * As of TCP: the first connect() that finds it connected says so, or, if it is
 * broken already, why, and the socket can connect again.
 */
static int tell_connected(struct socket *sock, const struct dmm_conn *conn)
{
	struct sock *sk = sock->sk;
	int err;

	if (cmpxchg(&sock->state, SS_CONNECTING, SS_CONNECTED) != SS_CONNECTING)
		return -EISCONN;
	if (!READ_ONCE(conn->err))
		return 0;
	err = sock_error(sk) ?: -ECONNABORTED;
	drop(sk);
	WRITE_ONCE(sk->sk_shutdown, 0);
	sock->state = SS_UNCONNECTED;
	return err;
}

/* Of one that a user stack serves.  As of UDP: it can be connected elsewhere. */
static int connect_connected(struct socket *sock, struct sockaddr *addr, int len)
{
	struct dmm_conn *conn = dmm_sock_conn(sock->sk);
	int err;

	if (!conn)
		return -EISCONN;
	if (conn->kind != DMM_CONN_DATAGRAM)
		err = tell_connected(sock, conn);
	else if (is_unspec(addr) || is_destination(sock->sk, addr, len))
		err = dmm_dgram_connect(sock, conn, addr, len);
	else
		err = native_ops(sock)->connect(sock, addr, len, 0);
	dmm_conn_put(conn);
	return err;
}

static int connect_undecided(struct socket *sock, struct sockaddr *addr, int len,
			     int flags)
{
	bool handed_over = false;
	int err = 0;

	if (connects(sock->sk, addr, len))
		err = decide_remote(sock, addr, len, &handed_over);
	if (err > 0 && sock->sk->sk_type == SOCK_STREAM)
		return finish_connect(sock, addr, len, flags, false);
	if (err > 0)
		return connect_connected(sock, addr, len);
	if (!err)
		err = native_ops(sock)->connect(sock, addr, len, flags);
	if (handed_over)
		dmm_hand_over_done();
	return err;
}

static int op_connect(struct socket *sock, struct sockaddr *addr, int len, int flags)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int state = dmm_sock_state(sock->sk);
	int err;

	if (state == DMM_SOCK_KERNEL)
		finish_kernel(sock);
	if (len < (int)sizeof(addr->sa_family))
		err = -EINVAL;
	else if ((state == DMM_SOCK_CONNECTING || state == DMM_SOCK_CONNECTED) &&
	    sock->sk->sk_type == SOCK_STREAM && is_unspec(addr))
		err = disconnect(sock, addr, len, flags);
	else if (state == DMM_SOCK_CONNECTING)
		err = finish_connect(sock, addr, len, flags, true);
	else if (state == DMM_SOCK_CONNECTED)
		err = connect_connected(sock, addr, len);
	else if (state == DMM_SOCK_LISTENER && is_unspec(addr))
		err = stop_listening(sock, addr, len, flags);
	else
		err = connect_undecided(sock, addr, len, flags);
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

/* TCP Fast Open, unless the administrator has switched it off. */
static bool opens_fast(const struct sock *sk, const struct msghdr *msg)
{
	return msg->msg_flags & MSG_FASTOPEN &&
	       READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_fastopen) & TFO_CLIENT_ENABLE;
}

/* A send that names its destination: UDP's first one, or TCP Fast Open's. */
static bool send_connects(const struct sock *sk, const struct msghdr *msg)
{
	return msg->msg_name && sk->sk_state == TCP_CLOSE &&
	       (sk->sk_type == SOCK_DGRAM || opens_fast(sk, msg)) &&
	       is_destination(sk, msg->msg_name, msg->msg_namelen);
}

/* Before data: a connect that user stacks are asked for has to come to an end. */
static int wait_connected(struct socket *sock, int flags)
{
	int err;

	if (dmm_sock_state(sock->sk) != DMM_SOCK_CONNECTING)
		return 0;
	err = dmm_connect_wait(sock, flags & MSG_DONTWAIT ? O_NONBLOCK : 0, true);
	return err == -EALREADY ? -EAGAIN : min(err, 0);
}

static int send_user(struct socket *sock, struct dmm_conn *conn, struct msghdr *msg,
		     size_t size)
{
	if (conn->kind == DMM_CONN_DATAGRAM && msg->msg_name &&
	    !is_destination(sock->sk, msg->msg_name, msg->msg_namelen))
		return native_ops(sock)->sendmsg(sock, msg, size);
	return dmm_user_sendmsg(sock, conn, msg, size);
}

static int send_decided(struct socket *sock, struct msghdr *msg, size_t size)
{
	int err = wait_connected(sock, msg->msg_flags);
	struct dmm_conn *conn;

	if (err)
		return err;
	conn = user_conn(sock);
	if (!conn)
		return native_ops(sock)->sendmsg(sock, msg, size);
	err = send_user(sock, conn, msg, size);
	dmm_conn_put(conn);
	return err;
}

/* User stacks are asked to connect; what is to be sent follows when they have. */
static int send_first(struct socket *sock, struct msghdr *msg, size_t size)
{
	int flags = msg->msg_flags & MSG_DONTWAIT ? O_NONBLOCK : 0, err = 0;

	if (sock->sk->sk_type == SOCK_STREAM)
		err = finish_connect(sock, msg->msg_name, msg->msg_namelen, flags, false);
	msg->msg_flags &= ~MSG_FASTOPEN;
	return err ?: send_decided(sock, msg, size);
}

static int send_undecided(struct socket *sock, struct msghdr *msg, size_t size)
{
	bool handed_over = false;
	int err;

	if (!send_connects(sock->sk, msg) ||
	    dmm_sock_state(sock->sk) != DMM_SOCK_UNDECIDED) {
		err = send_decided(sock, msg, size);
	} else {
		err = decide_remote(sock, msg->msg_name, msg->msg_namelen, &handed_over);
		if (!err)
			err = native_ops(sock)->sendmsg(sock, msg, size);
		else if (err > 0)
			err = send_first(sock, msg, size);
	}
	if (handed_over)
		dmm_hand_over_done();
	return err;
}

/* Here and in op_recvmsg() one look is all that a connected socket takes. */
static int op_sendmsg(struct socket *sock, struct msghdr *msg, size_t size)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn = dmm_sock_conn(sock->sk);
	int err;

	if (conn) {
		err = send_user(sock, conn, msg, size);
		dmm_conn_put(conn);
	} else {
		err = send_undecided(sock, msg, size);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

static int receive_unconnected(struct socket *sock, struct msghdr *msg, size_t size,
			       int flags)
{
	int err = wait_connected(sock, flags);
	struct dmm_conn *conn;

	if (err)
		return err;
	conn = flags & MSG_ERRQUEUE ? NULL : user_conn(sock);
	if (!conn)
		return native_ops(sock)->recvmsg(sock, msg, size, flags);
	err = dmm_user_recvmsg(sock, conn, msg, size, flags);
	dmm_conn_put(conn);
	return err;
}

static int op_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn = flags & MSG_ERRQUEUE ? NULL : dmm_sock_conn(sock->sk);
	int err;

	if (conn) {
		err = dmm_user_recvmsg(sock, conn, msg, size, flags);
		dmm_conn_put(conn);
	} else {
		err = receive_unconnected(sock, msg, size, flags);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

static __poll_t poll_listener(struct file *file, struct socket *sock, poll_table *wait)
{
	struct dmm_listener *l = dmm_sock_listener(sock->sk);
	__poll_t mask = native_ops(sock)->poll(file, sock, wait);

	if (l) {
		if (dmm_listener_ready(l))
			mask |= EPOLLIN | EPOLLRDNORM;
		dmm_listener_put(l);
	}
	return mask;
}

/* Are user stacks still asked?  If not, the state says what has become of it. */
static bool connecting(struct sock *sk)
{
	struct dmm_connect *c = dmm_sock_connect(sk);
	bool running = c && dmm_connect_state(c) == DMM_CONNECT_RUNNING;

	if (c)
		dmm_connect_put(c);
	return running;
}

/* What ends it wakes those who wait, but may have ended it before they did. */
static bool poll_connecting(struct file *file, struct socket *sock, poll_table *wait)
{
	if (!connecting(sock->sk))
		return false;
	sock_poll_wait(file, sock, wait);
	return connecting(sock->sk);
}

static __poll_t op_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn = dmm_sock_conn(sock->sk);
	int state = DMM_SOCK_CONNECTED;
	__poll_t mask = 0;

	if (!conn)
		state = dmm_sock_state_conn(sock->sk, &conn);
	if (state == DMM_SOCK_CONNECTING) {
		if (poll_connecting(file, sock, wait))
			goto out;
		state = dmm_sock_state_conn(sock->sk, &conn);
	}
	if (conn) {
		if (READ_ONCE(sock->state) == SS_CONNECTING && !READ_ONCE(conn->told))
			dmm_connect_told(sock->sk);
		mask = dmm_user_poll(file, sock, conn, wait);
		dmm_conn_put(conn);
	} else if (state == DMM_SOCK_LISTENER) {
		mask = poll_listener(file, sock, wait);
	} else {
		mask = native_ops(sock)->poll(file, sock, wait);
	}
out:
	srcu_read_unlock(&dmm_srcu, idx);
	return mask;
}

static int op_shutdown(struct socket *sock, int how)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn;
	int state = user_state(sock, &conn);
	int err;

	if (conn) {
		err = dmm_user_shutdown(sock, conn, how);
		dmm_conn_put(conn);
	} else if (state == DMM_SOCK_CONNECTING) {
		/* As of TCP, that gives up connecting. */
		err = how < SHUT_RD || how > SHUT_RDWR ? -EINVAL : 0;
		if (!err)
			reset(sock);
	} else {
		err = native_ops(sock)->shutdown(sock, how);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

static int op_getname(struct socket *sock, struct sockaddr *addr, int peer)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn = dmm_sock_conn(sock->sk);
	int err;

	if (conn) {
		err = dmm_user_getname(sock, conn, addr, peer);
		dmm_conn_put(conn);
	} else {
		err = native_ops(sock)->getname(sock, addr, peer);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

static int op_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn = user_conn(sock);
	int err = -ENOIOCTLCMD;

	if (conn) {
		err = dmm_user_ioctl(sock, conn, cmd, arg);
		dmm_conn_put(conn);
	}
	if (err == -ENOIOCTLCMD)
		err = native_ops(sock)->ioctl(sock, cmd, arg);
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

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
	err = native_ops(sock)->listen(sock, backlog);
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

static int op_listen(struct socket *sock, int backlog)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int state = dmm_sock_state(sock->sk);
	int err;

	if (state == DMM_SOCK_CONNECTING || state == DMM_SOCK_CONNECTED) {
		err = -EINVAL;
	} else if (state == DMM_SOCK_UNDECIDED && sock->sk->sk_state == TCP_CLOSE) {
		err = listen_decided(sock, backlog);
	} else {
		err = native_ops(sock)->listen(sock, backlog);
		if (!err && state == DMM_SOCK_LISTENER)
			dmm_listen_start(sock, backlog);
	}
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
static int op_bind_stream(struct socket *sock, struct sockaddr *addr, int len)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int state = dmm_sock_state(sock->sk), err;

	if (state == DMM_SOCK_CONNECTING || state == DMM_SOCK_CONNECTED)
		err = -EINVAL;
	else
		err = native_ops(sock)->bind(sock, addr, len);
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
	int err = native_ops(sock)->bind(sock, addr, len);
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
static int op_bind_dgram(struct socket *sock, struct sockaddr *addr, int len)
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
		err = native_ops(sock)->bind(sock, addr, len);
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
		err = dmm_listen_accept(sock, newsock, arg->kern);
		if (err == -EAGAIN)
			err = accept_native(sock, newsock, &once);
		if (err != -EAGAIN)
			break;
		err = wait_accept(sock->sk, l, &timeo);
	} while (!err);
	dmm_accept_copy_answer(arg, &once, dmm_listener_ready(l));
	return err;
}

static int op_accept(struct socket *sock, struct socket *newsock,
		     struct proto_accept_arg *arg)
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

/* What no user stack can do. */
static bool user_lacks(int level, int optname)
{
	return level == SOL_TCP && (optname == TCP_REPAIR || optname == TCP_MD5SIG ||
				    optname == TCP_MD5SIG_EXT);
}

static int set_user(struct socket *sock, struct dmm_conn *conn, int level, int optname,
		    sockptr_t optval, unsigned int optlen)
{
	int err;

	/* As where there is no such module: programs then do it themselves. */
	if (level == SOL_TCP && optname == TCP_ULP)
		return -ENOENT;
	if (level == SOL_IPV6 && optname == IPV6_ADDRFORM)
		return -EADDRNOTAVAIL;
	if (user_lacks(level, optname))
		return -EOPNOTSUPP;
	err = native_ops(sock)->setsockopt(sock, level, optname, optval, optlen);
	if (!err)
		dmm_conn_options(conn, sock->sk);
	return err;
}

static int op_setsockopt(struct socket *sock, int level, int optname, sockptr_t optval,
			 unsigned int optlen)
{
	int idx = srcu_read_lock(&dmm_srcu);
	bool tracked = dmm_sock_tracked(sock->sk);
	struct dmm_conn *conn = NULL;
	int err;

	if (tracked && level == SOL_DMM)
		err = dmm_setsockopt(sock, optname, optval, optlen);
	else if ((conn = user_conn(sock)))
		err = set_user(sock, conn, level, optname, optval, optlen);
	else if (tracked && level == SOL_TCP && optname == TCP_ULP)
		err = refuse_ulp(sock, optval, optlen);
	else
		err = native_ops(sock)->setsockopt(sock, level, optname, optval, optlen);
	if (conn)
		dmm_conn_put(conn);
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

static int op_getsockopt(struct socket *sock, int level, int optname,
			 char __user *optval, int __user *optlen)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn = NULL;
	int err;

	if (level == SOL_DMM && dmm_sock_tracked(sock->sk)) {
		err = dmm_getsockopt(sock, optname, optval, optlen);
	} else if (level == SOL_TCP && optname == TCP_INFO && (conn = user_conn(sock))) {
		err = dmm_user_getsockopt_info(conn, optval, optlen);
		dmm_conn_put(conn);
	} else {
		err = native_ops(sock)->getsockopt(sock, level, optname, optval, optlen);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

/* The carrier has no data: splice as for a protocol that cannot. */
static ssize_t op_splice_read(struct socket *sock, loff_t *ppos,
			      struct pipe_inode_info *pipe, size_t len,
			      unsigned int flags)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn = user_conn(sock);
	ssize_t ret;

	if (conn) {
		ret = dmm_copy_splice_read(sock->file, ppos, pipe, len, flags);
		dmm_conn_put(conn);
	} else {
		ret = native_ops(sock)->splice_read(sock, ppos, pipe, len, flags);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return ret;
}

#ifdef DMM_HAVE_SENDPAGE
static ssize_t op_sendpage(struct socket *sock, struct page *page, int offset,
			   size_t size, int flags)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn;
	ssize_t ret;

	ret = wait_connected(sock, flags);
	if (ret)
		goto out;
	conn = user_conn(sock);
	if (conn) {
		ret = sock_no_sendpage(sock, page, offset, size, flags);
		dmm_conn_put(conn);
	} else {
		ret = native_ops(sock)->sendpage(sock, page, offset, size, flags);
	}
out:
	srcu_read_unlock(&dmm_srcu, idx);
	return ret;
}
#endif

/* All of it, the connection gracefully. */
static void end(struct sock *sk)
{
	struct dmm_sock_refs refs;
	struct dmm_conn *conn = NULL;

	dmm_sock_untrack(sk, &refs);
	swap(conn, refs.conn);
	dmm_sock_refs_end(&refs);
	if (conn)
		dmm_user_release(sk, conn);
}

static int op_release(struct socket *sock)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int err;

	/* kernel_accept() closes a socket of our table without a sock if it fails. */
	if (!sock->sk) {
		err = 0;
	} else {
		end(sock->sk);
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
	ops->recvmsg = op_recvmsg;
	ops->poll = op_poll;
	ops->shutdown = op_shutdown;
	ops->getname = op_getname;
	ops->ioctl = op_ioctl;
	if (type == SOCK_STREAM) {
		ops->bind = op_bind_stream;
		ops->listen = op_listen;
		ops->accept = DMM_ACCEPT_OP(op_accept);
		ops->splice_read = op_splice_read;
#ifdef DMM_HAVE_SENDPAGE
		ops->sendpage = op_sendpage;
#endif
	} else {
		ops->bind = op_bind_dgram;
	}
}
