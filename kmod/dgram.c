// SPDX-License-Identifier: GPL-2.0-only
#include "dgram.h"

#include <linux/sched/signal.h>
#include <linux/udp.h>
#include <linux/uio.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "compat.h"
#include "conn.h"
#include "instance.h"
#include "native.h"
#include "net.h"
#include "sock.h"
#include "user.h"

/* How long bind() waits for the stack's answer. */
#define BIND_TIMEOUT	(3 * HZ)

/* Starting. */

static struct dmm_conn *make(struct sock *sk, const struct dmm_flow *flow,
			     const char *stack)
{
	struct dmm_open open;
	struct dmm_instance *inst;
	struct dmm_conn *conn;
	u32 netns;

	inst = dmm_instance_find(sock_net(sk), stack, flow, true, &netns);
	if (!inst)
		return ERR_PTR(-ECONNREFUSED);
	dmm_open_init(&open, flow);
	conn = dmm_conn_new(inst, NULL, DMM_CONN_DATAGRAM, &open, netns, sk);
	dmm_instance_put(inst);
	return conn;
}

static int serve(struct socket *sock, const struct dmm_flow *flow,
		 struct dmm_decision *d, const char *stack)
{
	struct sock *sk = sock->sk;
	struct dmm_conn *conn = make(sk, flow, stack);
	int err;

	if (IS_ERR(conn))
		return PTR_ERR(conn);
	err = dmm_conn_publish(conn);
	if (!err) {
		strscpy(d->stack, conn->inst->reg.name, sizeof(d->stack));
		err = dmm_sock_claim(sk, conn, d) ? 0 : -EALREADY;
		if (err)
			dmm_conn_forget(conn);
	}
	if (!err) {
		dmm_conn_attach(conn, sk);
		dmm_queue_post(conn, BIT(DMM_EV_BIND));
	}
	dmm_conn_put(conn);
	return err;
}

int dmm_dgram_start(struct socket *sock, const struct dmm_flow *flow,
		    struct dmm_decision *d, const struct dmm_plan *plan)
{
	int err = -ECONNREFUSED;
	unsigned int i;

	for (i = 0; i < plan->nr; i++) {
		if (!strcmp(plan->stack[i], dmm_stack_kernel))
			return 1;
		if (i)
			d->reason = DMM_REASON_FALLBACK;
		err = serve(sock, flow, d, plan->stack[i]);
		if (!err || err == -EALREADY)
			return err;
	}
	return err;
}

static bool answered(const struct dmm_conn *conn)
{
	return READ_ONCE(conn->state) != DMM_CONN_OPENING;
}

int dmm_dgram_wait(struct socket *sock, struct dmm_conn *conn)
{
	struct sock *sk = sock->sk;
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long timeo = BIND_TIMEOUT;

	add_wait_queue(sk_sleep(sk), &wait);
	while (!answered(conn) && timeo && !signal_pending(current))
		timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
	remove_wait_queue(sk_sleep(sk), &wait);
	if (!answered(conn))
		return timeo ? -EINTR : -ETIMEDOUT;
	return conn->err;
}

/* Addresses. */

static bool mapped(const u8 ip[16])
{
	return ipv6_addr_v4mapped((const struct in6_addr *)ip);
}

/* Of what the caller has checked: AF_INET, or AF_INET6 on an IPv6 socket. */
static void set_end(u8 ip[16], __be16 *port, const struct sockaddr *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_in *in = (const void *)addr;

	if (addr->sa_family == AF_INET6) {
		memcpy(ip, &in6->sin6_addr, 16);
		*port = in6->sin6_port;
	} else {
		ipv6_addr_set_v4mapped(in->sin_addr.s_addr, (struct in6_addr *)ip);
		*port = in->sin_port;
	}
}

/* The source that the carrier got from the kernel's routes. */
static void take_source(struct sock *sk, struct dmm_conn *conn)
{
	struct in6_addr *local = (struct in6_addr *)conn->open.local;

	if (!dmm_addr_is_any(local))
		return;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		*local = inet6_sk(sk)->saddr;
		return;
	}
#endif
	ipv6_addr_set_v4mapped(inet_sk(sk)->inet_saddr, local);
}

/*
 * A stack without addresses of its own has the host's, so the kernel's routes say
 * whether and from where the remote can be reached.
 */
static int connect_carrier(struct socket *sock, struct dmm_conn *conn,
			   struct sockaddr *addr, int len)
{
	int err;

	if (addr->sa_family == AF_UNSPEC || READ_ONCE(conn->inst->nr_addrs))
		return 0;
	err = dmm_native(sock->sk)->ops->connect(sock, addr, len, 0);
	if (!err) {
		lock_sock(sock->sk);
		take_source(sock->sk, conn);
		release_sock(sock->sk);
	}
	return err;
}

int dmm_dgram_connect(struct socket *sock, struct dmm_conn *conn, struct sockaddr *addr,
		      int len)
{
	struct sock *sk = sock->sk;
	int err = connect_carrier(sock, conn, addr, len);

	if (err)
		return err;
	lock_sock(sk);
	if (addr->sa_family == AF_UNSPEC) {
		memset(conn->open.remote, 0, sizeof(conn->open.remote));
		conn->open.rport = 0;
		sock->state = SS_UNCONNECTED;
	} else {
		set_end(conn->open.remote, &conn->open.rport, addr);
		sock->state = SS_CONNECTED;
	}
	release_sock(sk);
	return 0;
}

/* Sending. */

static u32 room_for(u32 len)
{
	return ALIGN(sizeof(struct dmm_datagram) + len, DMM_DATAGRAM_ALIGN);
}

static int wait_room(struct sock *sk, struct dmm_conn *conn, u32 needed, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	add_wait_queue(sk_sleep(sk), &wait);
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	dmm_conn_want_space(conn);
	sk_wait_event(sk, timeo,
		      dmm_user_cannot_send(sk) ||
			      dmm_bytes_peek_space(conn->tx) >= needed, &wait);
	remove_wait_queue(sk_sleep(sk), &wait);
	return 0;
}

static int put_datagram(struct dmm_conn *conn, const struct dmm_datagram *head,
			struct msghdr *msg)
{
	u32 fill = room_for(head->len) - sizeof(*head) - head->len;

	dmm_bytes_put(conn->tx, head, sizeof(*head));
	if (dmm_bytes_produce(conn->tx, &msg->msg_iter, head->len) < head->len) {
		dmm_bytes_cancel(conn->tx);
		return -EFAULT;
	}
	dmm_bytes_put(conn->tx, NULL, fill);
	dmm_bytes_publish(conn->tx);
	dmm_conn_sent(conn);
	return head->len;
}

/**
 * struct control - what a send is told besides its destination
 * @segment:	bytes of each datagram that it is cut into (UDP_SEGMENT), 0: it is one
 * @local:	address that it leaves from (IP_PKTINFO), all zero: the socket's
 * @tos:	IP_TOS, IPV6_TCLASS; negative: the socket's
 * @ttl:	IP_TTL, IPV6_HOPLIMIT; negative: the socket's
 */
struct control {
	u16 segment;
	int tos;
	int ttl;
	struct in6_addr local;
};

static bool is_cmsg(const struct cmsghdr *cmsg, int level, int type, size_t len)
{
	return cmsg->cmsg_level == level && cmsg->cmsg_type == type &&
	       cmsg->cmsg_len == CMSG_LEN(len);
}

static int read_control(struct sock *sk, struct msghdr *msg, struct control *c)
{
	struct in6_pktinfo *info6;
	struct in_pktinfo *info;
	struct cmsghdr *cmsg;

	memset(c, 0, sizeof(*c));
	c->tos = c->ttl = -1;
	c->segment = READ_ONCE(udp_sk(sk)->gso_size);
	if (!msg->msg_controllen)
		return 0;
	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (is_cmsg(cmsg, SOL_UDP, UDP_SEGMENT, sizeof(u16))) {
			c->segment = *(u16 *)CMSG_DATA(cmsg);
		} else if (is_cmsg(cmsg, SOL_IP, IP_PKTINFO, sizeof(*info))) {
			info = CMSG_DATA(cmsg);
			if (info->ipi_spec_dst.s_addr)
				ipv6_addr_set_v4mapped(info->ipi_spec_dst.s_addr, &c->local);
		} else if (is_cmsg(cmsg, SOL_IPV6, IPV6_PKTINFO, sizeof(*info6))) {
			info6 = CMSG_DATA(cmsg);
			c->local = info6->ipi6_addr;
		} else if (is_cmsg(cmsg, SOL_IP, IP_TTL, sizeof(int)) ||
			   is_cmsg(cmsg, SOL_IPV6, IPV6_HOPLIMIT, sizeof(int))) {
			c->ttl = *(int *)CMSG_DATA(cmsg);
		} else if (is_cmsg(cmsg, SOL_IP, IP_TOS, sizeof(int)) ||
			   is_cmsg(cmsg, SOL_IPV6, IPV6_TCLASS, sizeof(int))) {
			c->tos = *(int *)CMSG_DATA(cmsg);
		}
	}
	return c->ttl > 255 || c->tos > 255 ? -EINVAL : 0;
}

static int default_ttl(const struct sock *sk)
{
	return READ_ONCE(sock_net(sk)->ipv4.sysctl_ip_default_ttl);
}

/* What the socket's options say where the send does not. */
static void mark(const struct sock *sk, const struct control *c, struct dmm_datagram *head)
{
	int tos = inet_sk(sk)->tos, ttl = inet_sk(sk)->uc_ttl;

#if IS_ENABLED(CONFIG_IPV6)
	if (head->family == AF_INET6) {
		tos = inet6_sk(sk)->tclass;
		ttl = inet6_sk(sk)->hop_limit;
	}
#endif
	head->tos = c->tos >= 0 ? c->tos : tos;
	head->ttl = c->ttl > 0 ? c->ttl : ttl > 0 ? ttl : default_ttl(sk);
}

/* Is there an address to send to, and of a family that the socket can? */
static int make_head(struct sock *sk, const struct dmm_conn *conn,
		     const struct msghdr *msg, size_t size, const struct control *c,
		     struct dmm_datagram *head)
{
	memset(head, 0, sizeof(*head));
	memcpy(head->local, &c->local, sizeof(head->local));
	if (size > DMM_DATAGRAM_MAX || room_for(size) > READ_ONCE(conn->tx->max))
		return -EMSGSIZE;
	head->len = size;
	if (msg->msg_name) {
		set_end(head->addr, &head->port, msg->msg_name);
	} else {
		memcpy(head->addr, conn->open.remote, sizeof(head->addr));
		head->port = conn->open.rport;
	}
	if (!head->port)
		return msg->msg_name ? -EINVAL : -EDESTADDRREQ;
	head->family = mapped(head->addr) ? AF_INET : AF_INET6;
	mark(sk, c, head);
	return 0;
}

static int send_one(struct sock *sk, struct dmm_conn *conn, struct msghdr *msg,
		    const struct dmm_datagram *head, long *timeo)
{
	int err = 0, space;

	while (!err) {
		if (READ_ONCE(sk->sk_err))
			return sock_error(sk);
		if (sk->sk_shutdown & SEND_SHUTDOWN)
			return -EPIPE;
		space = dmm_bytes_space(conn->tx, room_for(head->len));
		if (space == -EPROTO) {
			dmm_conn_violated(conn);
			return -ECONNRESET;
		}
		if (space >= (int)room_for(head->len))
			return put_datagram(conn, head, msg);
		if (dmm_bytes_starved(conn->tx, room_for(head->len)))
			return -ENOBUFS;
		err = wait_room(sk, conn, room_for(head->len), timeo);
	}
	return err;
}

static int send_locked(struct sock *sk, struct dmm_conn *conn, struct msghdr *msg,
		       size_t size, const struct control *c)
{
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	size_t part = c->segment && c->segment < size ? c->segment : size;
	struct dmm_datagram head;
	size_t done = 0;
	int ret;

	ret = make_head(sk, conn, msg, part, c, &head);
	if (ret)
		return ret;
	do {
		head.len = min(part, size - done);
		ret = send_one(sk, conn, msg, &head, &timeo);
		if (ret < 0)
			return done ?: ret;
		done += ret;
	} while (done < size);
	return done;
}

int dmm_dgram_sendmsg(struct socket *sock, struct dmm_conn *conn, struct msghdr *msg,
		      size_t size)
{
	struct sock *sk = sock->sk;
	struct control c;
	int err;

	/* What is put together of several sends would go out in parts. */
	if (msg->msg_flags & (MSG_OOB | MSG_MORE) || udp_test_bit(CORK, sk))
		return -EOPNOTSUPP;
	err = read_control(sk, msg, &c);
	if (err)
		return err;
	lock_sock(sk);
	err = send_locked(sk, conn, msg, size, &c);
	release_sock(sk);
	return err;
}

/* Receiving. */

static bool wanted(const struct dmm_conn *conn, const struct dmm_datagram *head)
{
	return !conn->open.rport ||
	       (conn->open.rport == head->port &&
		!memcmp(conn->open.remote, head->addr, sizeof(head->addr)));
}

static bool valid(const struct sock *sk, const struct dmm_datagram *head, int used)
{
	return head->len <= DMM_DATAGRAM_MAX && room_for(head->len) <= used &&
	       head->family == (mapped(head->addr) ? AF_INET : AF_INET6) &&
	       (head->family == AF_INET || sk->sk_family == AF_INET6);
}

/*
 * The first datagram that is for this socket.  1: there is one; 0: none; or an
 * error.  Under the socket's lock.  What comes while others' are dropped has to
 * wait: there may be no end of it.
 */
static int first(struct sock *sk, struct dmm_conn *conn, struct dmm_datagram *head)
{
	int used = dmm_bytes_used(conn->rx), size;

	for (; used; used -= size) {
		if (used >= (int)sizeof(*head))
			dmm_bytes_get(conn->rx, head, sizeof(*head));
		if (used < (int)sizeof(*head) || !valid(sk, head, used)) {
			dmm_conn_violated(conn);
			return -ECONNRESET;
		}
		if (wanted(conn, head))
			return 1;
		size = room_for(head->len);
		dmm_bytes_consume(conn->rx, size);
		dmm_conn_received(conn);
		cond_resched();
	}
	return 0;
}

static bool ended(const struct sock *sk)
{
	return READ_ONCE(sk->sk_err) || READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN;
}

static int wait_first(struct sock *sk, struct dmm_conn *conn, struct dmm_datagram *head,
		      long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	unsigned long end = jiffies + timeo;
	int ret;

	for (;;) {
		ret = first(sk, conn, head);
		if (ret)
			return ret;
		if (READ_ONCE(sk->sk_err))
			return sock_error(sk);
		if (sk->sk_shutdown & RCV_SHUTDOWN)
			return 0;
		if (!timeo)
			return -EAGAIN;
		if (signal_pending(current))
			return sock_intr_errno(timeo);
		add_wait_queue(sk_sleep(sk), &wait);
		dmm_conn_want_data(conn);
		sk_wait_event(sk, &timeo, ended(sk) || dmm_bytes_peek_used(conn->rx),
			      &wait);
		remove_wait_queue(sk_sleep(sk), &wait);
		/* Those for others take time, too. */
		if (timeo != MAX_SCHEDULE_TIMEOUT && time_after_eq(jiffies, end))
			timeo = 0;
	}
}

/* IP_PKTINFO and the like, of what the stack told. */
static void put_control(struct sock *sk, struct msghdr *msg,
			const struct dmm_datagram *head)
{
	struct in_pktinfo info = {};
	struct in6_pktinfo info6 = {};
	int tclass = head->tos, ttl = head->ttl;
	u8 tos = head->tos;

	if (head->family == AF_INET && dmm_wants_pktinfo(sk)) {
		memcpy(&info.ipi_addr, head->local + 12, sizeof(info.ipi_addr));
		info.ipi_spec_dst = info.ipi_addr;
		put_cmsg(msg, SOL_IP, IP_PKTINFO, sizeof(info), &info);
	}
	if (ttl && head->family == AF_INET && dmm_wants_ttl(sk))
		put_cmsg(msg, SOL_IP, IP_TTL, sizeof(ttl), &ttl);
	if (dmm_wants_tos(sk))
		put_cmsg(msg, SOL_IP, IP_TOS, sizeof(tos), &tos);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && inet6_sk(sk)->rxopt.bits.rxinfo) {
		memcpy(&info6.ipi6_addr, head->local, sizeof(info6.ipi6_addr));
		put_cmsg(msg, SOL_IPV6, IPV6_PKTINFO, sizeof(info6), &info6);
	}
	if (ttl && sk->sk_family == AF_INET6 && inet6_sk(sk)->rxopt.bits.rxhlim)
		put_cmsg(msg, SOL_IPV6, IPV6_HOPLIMIT, sizeof(ttl), &ttl);
	if (sk->sk_family == AF_INET6 && inet6_sk(sk)->rxopt.bits.rxtclass)
		put_cmsg(msg, SOL_IPV6, IPV6_TCLASS, sizeof(tclass), &tclass);
#endif
}

static int take(struct sock *sk, struct dmm_conn *conn, struct msghdr *msg, size_t size,
		int flags, const struct dmm_datagram *head)
{
	u32 part = min_t(size_t, size, head->len);

	if (dmm_bytes_copy(conn->rx, sizeof(*head), &msg->msg_iter, part) < part)
		return -EFAULT;
	if (part < head->len)
		msg->msg_flags |= MSG_TRUNC;
	if (msg->msg_name)
		msg->msg_namelen = dmm_user_name(sk, msg->msg_name, head->addr,
						 head->port);
	put_control(sk, msg, head);
	if (!(flags & MSG_PEEK)) {
		dmm_bytes_consume(conn->rx, room_for(head->len));
		dmm_conn_received(conn);
	}
	return flags & MSG_TRUNC ? head->len : part;
}

int dmm_dgram_recvmsg(struct socket *sock, struct dmm_conn *conn, struct msghdr *msg,
		      size_t size, int flags)
{
	struct sock *sk = sock->sk;
	struct dmm_datagram head;
	int ret;

	lock_sock(sk);
	msg->msg_namelen = 0;
	ret = wait_first(sk, conn, &head, sock_rcvtimeo(sk, flags & MSG_DONTWAIT));
	if (ret > 0)
		ret = take(sk, conn, msg, size, flags, &head);
	release_sock(sk);
	return ret;
}

bool dmm_dgram_ready(struct sock *sk, struct dmm_conn *conn)
{
	struct dmm_datagram head;
	bool ready;

	if (!dmm_bytes_peek_used(conn->rx))
		return false;
	lock_sock(sk);
	ready = first(sk, conn, &head) > 0;
	release_sock(sk);
	return ready;
}

int dmm_dgram_next(struct sock *sk, struct dmm_conn *conn)
{
	struct dmm_datagram head;
	int ret;

	lock_sock(sk);
	ret = first(sk, conn, &head);
	release_sock(sk);
	return ret > 0 ? head.len : 0;
}
