// SPDX-License-Identifier: GPL-2.0-only
/*
 * connect(), and sends that connect: they decide where a socket goes that talks
 * to a remote.
 */
#include "ops.h"

#include <linux/bpf-cgroup.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "conn.h"
#include "connect.h"
#include "dgram.h"
#include "native.h"
#include "net.h"
#include "options.h"
#include "record.h"
#include "sock.h"
#include "user.h"

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
	return sk->sk_state == TCP_CLOSE && dmm_ops_destination(sk, addr, len) &&
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
	dmm_ops_reset(sock);
	put_port(sock->sk);
	return dmm_native_ops(sock)->connect(sock, addr, len, flags);
}

/* A listener that is disconnected can connect, and is decided again. */
static int stop_listening(struct socket *sock, struct sockaddr *addr, int len, int flags)
{
	dmm_ops_drop(sock->sk);
	return dmm_native_ops(sock)->connect(sock, addr, len, flags);
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
	dmm_ops_finish_kernel(sock);
	err = dmm_native_ops(sock)->connect(sock, addr, len, flags);
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
	dmm_ops_drop(sk);
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
	else if (is_unspec(addr) || dmm_ops_destination(sock->sk, addr, len))
		err = dmm_dgram_connect(sock, conn, addr, len);
	else
		err = dmm_native_ops(sock)->connect(sock, addr, len, 0);
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
		err = dmm_native_ops(sock)->connect(sock, addr, len, flags);
	if (handed_over)
		dmm_hand_over_done();
	return err;
}

int dmm_op_connect(struct socket *sock, struct sockaddr *addr, int len, int flags)
{
	int idx = srcu_read_lock(&dmm_srcu);
	int state = dmm_sock_state(sock->sk);
	int err;

	if (state == DMM_SOCK_KERNEL)
		dmm_ops_finish_kernel(sock);
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
	       dmm_ops_destination(sk, msg->msg_name, msg->msg_namelen);
}

int dmm_ops_wait_connected(struct socket *sock, int flags)
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
	    !dmm_ops_destination(sock->sk, msg->msg_name, msg->msg_namelen))
		return dmm_native_ops(sock)->sendmsg(sock, msg, size);
	return dmm_user_sendmsg(sock, conn, msg, size);
}

static int send_decided(struct socket *sock, struct msghdr *msg, size_t size)
{
	int err = dmm_ops_wait_connected(sock, msg->msg_flags);
	struct dmm_conn *conn;

	if (err)
		return err;
	conn = dmm_ops_conn(sock);
	if (!conn)
		return dmm_native_ops(sock)->sendmsg(sock, msg, size);
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
			err = dmm_native_ops(sock)->sendmsg(sock, msg, size);
		else if (err > 0)
			err = send_first(sock, msg, size);
	}
	if (handed_over)
		dmm_hand_over_done();
	return err;
}

/* Here and in op_recvmsg() one look is all that a connected socket takes. */
int dmm_op_sendmsg(struct socket *sock, struct msghdr *msg, size_t size)
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
