// SPDX-License-Identifier: GPL-2.0-only
#include "user.h"

#include <asm/ioctls.h>
#include <linux/sched/signal.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/uio.h>
#include <net/busy_poll.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "conn.h"
#include "dgram.h"
#include "instance.h"

/* The stack's words make no sense, or there is no memory: as the call says it. */
static int ring_error(struct dmm_conn *conn, int err)
{
	if (err != -EPROTO)
		return -ENOBUFS;
	dmm_conn_violated(conn);
	return -ECONNRESET;
}

static bool peerless(const struct dmm_conn *conn)
{
	return conn->kind == DMM_CONN_DATAGRAM;
}

/* Sending. */

static void want_space(struct sock *sk, struct dmm_conn *conn)
{
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	dmm_conn_want_space(conn);
}

static int wait_space(struct sock *sk, struct dmm_conn *conn, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	if (!*timeo) {
		want_space(sk, conn);
		return dmm_bytes_peek_writable(conn->tx) ? 0 : -EAGAIN;
	}
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	add_wait_queue(sk_sleep(sk), &wait);
	want_space(sk, conn);
	sk_wait_event(sk, timeo,
		      dmm_user_cannot_send(sk) || dmm_bytes_peek_writable(conn->tx), &wait);
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/*
 * The other socket of the pair is closed, or shut down: TCP would send these bytes, and have
 * a reset for an answer.
 */
static void send_to_nobody(struct dmm_conn *conn, struct msghdr *msg)
{
	dmm_conn_reset_peer(conn);
	iov_iter_advance(&msg->msg_iter, msg_data_left(msg));
	spin_lock(&conn->lock);
	dmm_conn_fail(conn, conn->eof ? -EPIPE : -ECONNRESET);
	spin_unlock(&conn->lock);
}

/* Copy what there is room for; 0: there is none. */
static int send_some(struct dmm_conn *conn, struct msghdr *msg)
{
	size_t left = msg_data_left(msg);
	int space = dmm_bytes_space(conn->tx, min_t(size_t, left, DMM_RING_MAX));
	u32 done;

	if (space <= 0)
		return space ? ring_error(conn, space) : 0;
	done = dmm_bytes_produce(conn->tx, &msg->msg_iter, min_t(size_t, left, space));
	if (!done)
		return -EFAULT;
	dmm_bytes_publish(conn->tx);
	dmm_conn_sent(conn);
	return done;
}

static int send_locked(struct sock *sk, struct dmm_conn *conn, struct msghdr *msg)
{
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	int err = 0, done;

	sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	while (!err && msg_data_left(msg)) {
		if (dmm_user_cannot_send(sk))
			return -EPIPE;
		if (READ_ONCE(conn->peer_gone)) {
			send_to_nobody(conn, msg);
			return 0;
		}
		done = send_some(conn, msg);
		if (done < 0)
			err = done;
		else if (!done)
			err = wait_space(sk, conn, &timeo);
	}
	return err;
}

/* MSG_ZEROCOPY: done already, by copying, as TCP does over loopback. */
static void tell_copied(struct ubuf_info *uarg, bool sent)
{
	if (!sent) {
		net_zcopy_put_abort(uarg, true);
		return;
	}
	uarg_to_msgzc(uarg)->zerocopy = 0;
	net_zcopy_put(uarg);
}

int dmm_user_sendmsg(struct socket *sock, struct dmm_conn *conn, struct msghdr *msg,
		     size_t size)
{
	struct ubuf_info *uarg = NULL;
	struct sock *sk = sock->sk;
	size_t sent;
	int err;

	dmm_conn_check_options(conn, sk);
	if (peerless(conn))
		return dmm_dgram_sendmsg(sock, conn, msg, size);
	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	/* That is a connect(): see connect_connected(). */
	if (msg->msg_flags & MSG_FASTOPEN && msg->msg_name &&
	    cmpxchg(&sock->state, SS_CONNECTING, SS_CONNECTED) != SS_CONNECTING)
		return -EISCONN;
	lock_sock(sk);
	if (msg->msg_flags & MSG_ZEROCOPY && size && sock_flag(sk, SOCK_ZEROCOPY)) {
		uarg = msg_zerocopy_realloc(sk, size, NULL);
		if (!uarg) {
			release_sock(sk);
			return -ENOBUFS;
		}
	}
	if (!size && dmm_user_cannot_send(sk))
		err = -EPIPE;
	else
		err = send_locked(sk, conn, msg);
	sent = size - msg_data_left(msg);
	if (uarg)
		tell_copied(uarg, sent);
	if (err && !sent)
		err = sk_stream_error(sk, msg->msg_flags, err);
	release_sock(sk);
	return sent ?: err;
}

/* Receiving. */

static bool ended(const struct sock *sk, const struct dmm_conn *conn)
{
	return READ_ONCE(conn->eof) || READ_ONCE(sk->sk_err) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN;
}

/*
 * SO_BUSY_POLL, net.core.busy_read: look at the ring for a while before sleeping, as
 * tcp_recvmsg() looks at the device's.  Nobody has to be woken up meanwhile: what the stack,
 * or the other socket of a pair, writes takes no system call to be seen.
 */
static void busy_poll(struct sock *sk, const struct dmm_conn *conn)
{
	unsigned long start = busy_loop_current_time();

	while (!dmm_bytes_peek_used(conn->rx) && !ended(sk, conn) &&
	       !signal_pending(current) && !sk_busy_loop_timeout(sk, start)) {
		cond_resched();
		cpu_relax();
	}
}

static void wait_data(struct sock *sk, struct dmm_conn *conn, u32 seen, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	add_wait_queue(sk_sleep(sk), &wait);
	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	dmm_conn_want_data(conn);
	sk_wait_event(sk, timeo, ended(sk, conn) || dmm_bytes_peek_used(conn->rx) > seen,
		      &wait);
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	remove_wait_queue(sk_sleep(sk), &wait);
}

/**
 * struct receive - one call of recvmsg()
 * @msg:	where bytes go
 * @size:	how many are wanted
 * @flags:	MSG_*
 * @target:	how many are waited for
 * @skip:	bytes before those that MSG_PEEK looks at
 * @done:	bytes received
 * @timeo:	how long to wait still
 */
struct receive {
	struct msghdr *msg;
	size_t size;
	int flags;
	size_t target;
	u32 skip;
	size_t done;
	long timeo;
};

/* Take what is there.  0: nothing. */
static int receive_some(struct dmm_conn *conn, struct receive *r)
{
	int used = dmm_bytes_used(conn->rx);
	u32 part;

	if (used < 0)
		return ring_error(conn, used);
	if (used <= r->skip)
		return 0;
	part = min_t(size_t, used - r->skip, r->size - r->done);
	if (!part)
		return 1; /* nothing is asked for */
	if (!(r->flags & MSG_TRUNC))
		part = dmm_bytes_copy(conn->rx, r->skip, &r->msg->msg_iter, part);
	if (!part)
		return -EFAULT;
	if (r->flags & MSG_PEEK) {
		r->skip += part;
	} else {
		dmm_bytes_consume(conn->rx, part);
		dmm_conn_received(conn);
	}
	r->done += part;
	return part;
}

/* Nothing is there: 1: wait; 0: that is all; or an error. */
static int may_wait(struct sock *sk, const struct receive *r, bool end)
{
	if (r->done >= r->target)
		return 0;
	if (r->done)
		return !end && r->timeo && !signal_pending(current);
	if (READ_ONCE(sk->sk_err))
		return sock_error(sk);
	if (end)
		return 0;
	if (!r->timeo)
		return -EAGAIN;
	return signal_pending(current) ? sock_intr_errno(r->timeo) : 1;
}

static int receive_locked(struct sock *sk, struct dmm_conn *conn, struct receive *r)
{
	bool end;
	int err;

	do {
		/* In this order: what came before the end is seen. */
		end = ended(sk, conn);
		smp_rmb();
		err = receive_some(conn, r);
		if (err < 0)
			return err;
		if (err)
			continue;
		err = may_wait(sk, r, end);
		if (err <= 0)
			return err;
		wait_data(sk, conn, r->skip, &r->timeo);
	} while (r->done < r->size);
	return 0;
}

/* What the stack says is there, if it can be. */
static int inq(const struct dmm_conn *conn)
{
	return min(dmm_bytes_peek_used(conn->rx), 2 * DMM_RING_MAX);
}

int dmm_user_recvmsg(struct socket *sock, struct dmm_conn *conn, struct msghdr *msg,
		     size_t size, int flags)
{
	struct sock *sk = sock->sk;
	struct receive r = { .msg = msg, .size = size, .flags = flags };
	int err, left;

	dmm_conn_check_options(conn, sk);
	/* SIGIO is for what comes after this look. */
	if (sock_flag(sk, SOCK_FASYNC))
		dmm_conn_want_data(conn);
	if (sk_can_busy_loop(sk) && !(flags & MSG_DONTWAIT))
		busy_poll(sk, conn);
	if (peerless(conn))
		return dmm_dgram_recvmsg(sock, conn, msg, size, flags);
	if (flags & MSG_OOB)
		return -EINVAL;
	lock_sock(sk);
	r.timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	r.target = sock_rcvlowat(sk, flags & MSG_WAITALL, size);
	if (flags & MSG_PEEK)
		r.skip = max(sk_peek_offset(sk, flags), 0);
	err = receive_locked(sk, conn, &r);
	if (flags & MSG_PEEK)
		sk_peek_offset_fwd(sk, r.done);
	else
		sk_peek_offset_bwd(sk, r.done);
	release_sock(sk);
	msg->msg_namelen = 0;
	/* As tcp_inq_hint(): one more where the end can be read. */
	if (msg->msg_get_inq && (r.done || !err))
		msg->msg_inq = inq(conn) ?: ended(sk, conn);
	if (tcp_sk(sk)->recvmsg_inq && (r.done || !err)) {
		left = inq(conn);
		put_cmsg(msg, SOL_TCP, TCP_CM_INQ, sizeof(left), &left);
	}
	return r.done ?: err;
}

/* The rest. */

static bool readable(struct sock *sk, struct dmm_conn *conn)
{
	if (peerless(conn))
		return dmm_dgram_ready(sk, conn);
	return dmm_bytes_peek_used(conn->rx) >= max_t(u32, READ_ONCE(sk->sk_rcvlowat), 1);
}

__poll_t dmm_user_poll(struct file *file, struct socket *sock, struct dmm_conn *conn,
		       poll_table *wait)
{
	struct sock *sk = sock->sk;
	__poll_t mask = 0;
	int shutdown, err;

	sock_poll_wait(file, sock, wait);
	dmm_conn_check_options(conn, sk);
	dmm_conn_want_data(conn);
	/* In this order: of what socket_broken() does all is seen, or nothing. */
	shutdown = smp_load_acquire(&sk->sk_shutdown);
	err = smp_load_acquire(&sk->sk_err);
	if (err && READ_ONCE(conn->err))
		shutdown = SHUTDOWN_MASK;
	if (shutdown == SHUTDOWN_MASK)
		mask |= EPOLLHUP;
	if (shutdown & RCV_SHUTDOWN)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (readable(sk, conn))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (!(shutdown & SEND_SHUTDOWN) && !dmm_bytes_peek_writable(conn->tx)) {
		want_space(sk, conn);
		if (dmm_bytes_peek_writable(conn->tx))
			mask |= EPOLLOUT | EPOLLWRNORM;
	} else {
		mask |= EPOLLOUT | EPOLLWRNORM;
	}
	/* As datagram_poll(), and unlike tcp_poll(). */
	if (mask & EPOLLOUT && peerless(conn))
		mask |= EPOLLWRBAND;
	if (err || !skb_queue_empty_lockless(&sk->sk_error_queue))
		mask |= EPOLLERR;
	return mask;
}

int dmm_user_shutdown(struct socket *sock, struct dmm_conn *conn, int how)
{
	struct sock *sk = sock->sk;
	int err = 0;

	/* SHUT_RD, SHUT_WR, SHUT_RDWR become bits, as in inet_shutdown(). */
	how++;
	if (how & ~SHUTDOWN_MASK || !how)
		return -EINVAL;
	lock_sock(sk);
	if (READ_ONCE(conn->err) || (peerless(conn) && !conn->open.rport)) {
		err = -ENOTCONN;
	} else {
		if (!peerless(conn) && how & SEND_SHUTDOWN && !(sk->sk_shutdown & SEND_SHUTDOWN))
			dmm_conn_shutdown(conn);
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | how);
		if (sk->sk_shutdown == SHUTDOWN_MASK)
			dmm_conn_deaf(conn);
		sk->sk_state_change(sk);
	}
	release_sock(sk);
	return err;
}

static int name_v4(struct sockaddr *addr, const u8 ip[16], __be16 port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)addr;

	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	in->sin_port = port;
	memcpy(&in->sin_addr, ip + 12, sizeof(in->sin_addr));
	return sizeof(*in);
}

static int name_v6(struct sockaddr *addr, const u8 ip[16], __be16 port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;

	memset(in6, 0, sizeof(*in6));
	in6->sin6_family = AF_INET6;
	in6->sin6_port = port;
	memcpy(&in6->sin6_addr, ip, sizeof(in6->sin6_addr));
	return sizeof(*in6);
}

int dmm_user_name(const struct sock *sk, struct sockaddr *addr, const u8 ip[16],
		  __be16 port)
{
	return sk->sk_family == AF_INET ? name_v4(addr, ip, port) :
					  name_v6(addr, ip, port);
}

int dmm_user_getname(struct socket *sock, struct dmm_conn *conn, struct sockaddr *addr,
		     int peer)
{
	const struct dmm_open *open = &conn->open;
	const u8 *ip = peer ? open->remote : open->local;
	__be16 port = peer ? open->rport : open->lport;

	if (peer && (!port || (peer == 1 && READ_ONCE(conn->err))))
		return -ENOTCONN;
	return dmm_user_name(sock->sk, addr, ip, port);
}

/* Bytes that the far end does not have yet: a pair shares the receiver's memory. */
static u32 unsent(struct dmm_conn *conn)
{
	return dmm_conn_paired(conn) ? 0 : dmm_bytes_peek_unread(conn->tx);
}

int dmm_user_ioctl(struct socket *sock, struct dmm_conn *conn, unsigned int cmd,
		   unsigned long arg)
{
	int answer;

	switch (cmd) {
	case SIOCINQ:
		answer = peerless(conn) ? dmm_dgram_next(sock->sk, conn) : inq(conn);
		break;
	case SIOCATMARK:
	case SIOCOUTQNSD:
		if (peerless(conn))
			return -ENOIOCTLCMD;
		answer = cmd == SIOCATMARK ? 0 : unsent(conn);
		break;
	case SIOCOUTQ:
		answer = unsent(conn);
		break;
	default:
		return -ENOIOCTLCMD;
	}
	return put_user(answer, (int __user *)arg);
}

static void fill_info(struct tcp_info *info, const struct dmm_metrics *m)
{
	info->tcpi_snd_mss = READ_ONCE(m->snd_mss);
	info->tcpi_rcv_mss = READ_ONCE(m->rcv_mss);
	info->tcpi_pmtu = READ_ONCE(m->pmtu);
	info->tcpi_rtt = READ_ONCE(m->rtt);
	info->tcpi_rttvar = READ_ONCE(m->rttvar);
	info->tcpi_min_rtt = READ_ONCE(m->min_rtt);
	info->tcpi_rto = READ_ONCE(m->rto);
	info->tcpi_snd_cwnd = READ_ONCE(m->snd_cwnd);
	info->tcpi_snd_ssthresh = READ_ONCE(m->snd_ssthresh);
	info->tcpi_unacked = READ_ONCE(m->unacked);
	info->tcpi_retrans = READ_ONCE(m->retrans);
	info->tcpi_total_retrans = READ_ONCE(m->total_retrans);
	info->tcpi_rcv_space = READ_ONCE(m->rcv_wnd);
	info->tcpi_bytes_acked = READ_ONCE(m->bytes_acked);
	info->tcpi_bytes_received = READ_ONCE(m->bytes_received);
	info->tcpi_bytes_retrans = READ_ONCE(m->bytes_retrans);
	info->tcpi_delivery_rate = READ_ONCE(m->delivery_rate);
	info->tcpi_segs_out = READ_ONCE(m->segs_out);
	info->tcpi_segs_in = READ_ONCE(m->segs_in);
}

void dmm_user_info(const struct dmm_conn *conn, struct tcp_info *info)
{
	memset(info, 0, sizeof(*info));
	if (conn->page && !READ_ONCE(conn->err))
		fill_info(info, &conn->page->metrics);
	info->tcpi_state = dmm_conn_tcp_state(conn);
}

int dmm_user_getsockopt_info(struct dmm_conn *conn, char __user *optval,
			     int __user *optlen)
{
	struct tcp_info info;
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	len = min_t(int, len, sizeof(info));
	dmm_user_info(conn, &info);
	if (put_user(len, optlen) || copy_to_user(optval, &info, len))
		return -EFAULT;
	return 0;
}

static bool sent_all(struct dmm_conn *conn)
{
	return !unsent(conn) || READ_ONCE(conn->err);
}

/* SO_LINGER: close() waits until what was sent has been acknowledged. */
static void linger(struct sock *sk, struct dmm_conn *conn)
{
	long timeo = sk->sk_lingertime;
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	if (!sock_flag(sk, SOCK_LINGER) || current->flags & PF_EXITING)
		return;
	add_wait_queue(sk_sleep(sk), &wait);
	while (timeo && !sent_all(conn) && !signal_pending(current)) {
		dmm_conn_want_space(conn);
		if (!sent_all(conn))
			timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
}

void dmm_user_release(struct sock *sk, struct dmm_conn *conn)
{
	/* As with TCP: nobody reads what has arrived, and the peer shall know. */
	bool reset = dmm_bytes_used(conn->rx) > 0 ||
		     (sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime);

	if (!reset && !peerless(conn)) {
		if (!(sk->sk_shutdown & SEND_SHUTDOWN))
			dmm_conn_shutdown(conn);
		linger(sk, conn);
	}
	dmm_conn_close(conn, reset);
}
