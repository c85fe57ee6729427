/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations on a socket that a user stack serves.
 *
 * The sock is the carrier: a genuine TCP sock in TCP_CLOSE that keeps the port
 * that was bound, holds the options, sk_err, sk_shutdown and the wait queue, so
 * that epoll registrations made before the decision go on.  Each function does
 * what the member of struct proto_ops of its name does, for a connection that
 * the caller has a reference to.
 */
#ifndef DMM_USER_H
#define DMM_USER_H

#include <linux/net.h>
#include <linux/poll.h>
#include <net/sock.h>

struct dmm_conn;
struct tcp_info;

int dmm_user_sendmsg(struct socket *sock, struct dmm_conn *conn, struct msghdr *msg,
		     size_t size);
int dmm_user_recvmsg(struct socket *sock, struct dmm_conn *conn, struct msghdr *msg,
		     size_t size, int flags);
__poll_t dmm_user_poll(struct file *file, struct socket *sock, struct dmm_conn *conn,
		       poll_table *wait);
int dmm_user_shutdown(struct socket *sock, struct dmm_conn *conn, int how);
int dmm_user_getname(struct socket *sock, struct dmm_conn *conn, struct sockaddr *addr,
		     int peer);
/* An end of a connection, as a socket of this family sees it; returns its length. */
int dmm_user_name(const struct sock *sk, struct sockaddr *addr, const u8 ip[16],
		  __be16 port);
/* -ENOIOCTLCMD: not about the connection. */
int dmm_user_ioctl(struct socket *sock, struct dmm_conn *conn, unsigned int cmd,
		   unsigned long arg);
/* What TCP_INFO says. */
void dmm_user_info(const struct dmm_conn *conn, struct tcp_info *info);
int dmm_user_getsockopt_info(struct dmm_conn *conn, char __user *optval,
			     int __user *optlen);
/* Nothing more can be sent: an error, or the end of it. */
static inline bool dmm_user_cannot_send(const struct sock *sk)
{
	return READ_ONCE(sk->sk_err) || READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN;
}

/* The socket is closed: how its connection has to end.  Takes the reference. */
void dmm_user_release(struct sock *sk, struct dmm_conn *conn);

#endif /* DMM_USER_H */
