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

#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "conn.h"
#include "connect.h"
#include "family.h"
#include "listen.h"
#include "listener.h"
#include "native.h"
#include "options.h"
#include "sock.h"
#include "user.h"

static bool is_mapped(const struct sockaddr *addr)
{
	return ipv6_addr_v4mapped(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

bool dmm_ops_destination(const struct sock *sk, const struct sockaddr *addr, int len)
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

void dmm_ops_drop(struct sock *sk)
{
	struct dmm_sock_refs refs;

	if (dmm_sock_detach(sk, NULL, &refs))
		dmm_sock_refs_end(&refs);
}

void dmm_ops_reset(struct socket *sock)
{
	struct sock *sk = sock->sk;

	dmm_ops_drop(sk);
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

void dmm_ops_finish_kernel(struct socket *sock)
{
	if (dmm_sock_state(sock->sk) == DMM_SOCK_KERNEL && dmm_hand_over(sock))
		dmm_hand_over_done();
}

/* The state, and the connection of one that a user stack serves, with a reference. */
static int user_state(struct socket *sock, struct dmm_conn **conn)
{
	int state = dmm_sock_state_conn(sock->sk, conn);

	if (state == DMM_SOCK_KERNEL)
		dmm_ops_finish_kernel(sock);
	return state;
}

struct dmm_conn *dmm_ops_conn(struct socket *sock)
{
	struct dmm_conn *conn;

	user_state(sock, &conn);
	return conn;
}

static int receive_unconnected(struct socket *sock, struct msghdr *msg, size_t size,
			       int flags)
{
	int err = dmm_ops_wait_connected(sock, flags);
	struct dmm_conn *conn;

	if (err)
		return err;
	conn = flags & MSG_ERRQUEUE ? NULL : dmm_ops_conn(sock);
	if (!conn)
		return dmm_native_ops(sock)->recvmsg(sock, msg, size, flags);
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
	__poll_t mask = dmm_native_ops(sock)->poll(file, sock, wait);

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
		mask = dmm_native_ops(sock)->poll(file, sock, wait);
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
			dmm_ops_reset(sock);
	} else {
		err = dmm_native_ops(sock)->shutdown(sock, how);
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
		err = dmm_native_ops(sock)->getname(sock, addr, peer);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

static int op_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	int idx = srcu_read_lock(&dmm_srcu);
	struct dmm_conn *conn = dmm_ops_conn(sock);
	int err = -ENOIOCTLCMD;

	if (conn) {
		err = dmm_user_ioctl(sock, conn, cmd, arg);
		dmm_conn_put(conn);
	}
	if (err == -ENOIOCTLCMD)
		err = dmm_native_ops(sock)->ioctl(sock, cmd, arg);
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

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
	err = dmm_native_ops(plain)->setsockopt(plain, SOL_TCP, TCP_ULP, optval, optlen);
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
	err = dmm_native_ops(sock)->setsockopt(sock, level, optname, optval, optlen);
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
	else if ((conn = dmm_ops_conn(sock)))
		err = set_user(sock, conn, level, optname, optval, optlen);
	else if (tracked && level == SOL_TCP && optname == TCP_ULP)
		err = refuse_ulp(sock, optval, optlen);
	else
		err = dmm_native_ops(sock)->setsockopt(sock, level, optname, optval, optlen);
	if (!err && tracked && !conn)
		dmm_listen_options(sock->sk);
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
	} else if (level == SOL_TCP && optname == TCP_INFO && (conn = dmm_ops_conn(sock))) {
		err = dmm_user_getsockopt_info(conn, optval, optlen);
		dmm_conn_put(conn);
	} else {
		err = dmm_native_ops(sock)->getsockopt(sock, level, optname, optval, optlen);
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
	struct dmm_conn *conn = dmm_ops_conn(sock);
	ssize_t ret;

	if (conn) {
		ret = dmm_copy_splice_read(sock->file, ppos, pipe, len, flags);
		dmm_conn_put(conn);
	} else {
		ret = dmm_native_ops(sock)->splice_read(sock, ppos, pipe, len, flags);
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

	ret = dmm_ops_wait_connected(sock, flags);
	if (ret)
		goto out;
	conn = dmm_ops_conn(sock);
	if (conn) {
		ret = sock_no_sendpage(sock, page, offset, size, flags);
		dmm_conn_put(conn);
	} else {
		ret = dmm_native_ops(sock)->sendpage(sock, page, offset, size, flags);
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
		err = dmm_native_ops(sock)->release(sock);
	}
	srcu_read_unlock(&dmm_srcu, idx);
	return err;
}

void __init dmm_ops_override(struct proto_ops *ops, int type)
{
	ops->connect = dmm_op_connect;
	ops->sendmsg = dmm_op_sendmsg;
	ops->setsockopt = op_setsockopt;
	ops->getsockopt = op_getsockopt;
	ops->release = op_release;
	ops->recvmsg = op_recvmsg;
	ops->poll = op_poll;
	ops->shutdown = op_shutdown;
	ops->getname = op_getname;
	ops->ioctl = op_ioctl;
	if (type == SOCK_STREAM) {
		ops->bind = dmm_op_bind_stream;
		ops->listen = dmm_op_listen;
		ops->accept = DMM_ACCEPT_OP(dmm_op_accept);
		ops->splice_read = op_splice_read;
#ifdef DMM_HAVE_SENDPAGE
		ops->sendpage = op_sendpage;
#endif
	} else {
		ops->bind = dmm_op_bind_dgram;
	}
}
