/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels, by what their headers have (see Kbuild): the
 * rest of the module is written against the newest.
 */
#ifndef DMM_COMPAT_H
#define DMM_COMPAT_H

#include <linux/ipv6.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/splice.h>
#include <linux/tcp.h>
#include <net/inet_sock.h>
#include <net/sock.h>

/* proto_ops::accept took its flags as arguments up to 6.9. */
#ifdef DMM_HAVE_PROTO_ACCEPT_ARG
static inline int dmm_native_accept(const struct proto_ops *ops, struct socket *sock,
				    struct socket *newsock,
				    struct proto_accept_arg *arg)
{
	return ops->accept(sock, newsock, arg);
}

#define DMM_ACCEPT_OP(fn) fn
#else
struct proto_accept_arg {
	int flags;
	bool kern;
};

static inline int dmm_native_accept(const struct proto_ops *ops, struct socket *sock,
				    struct socket *newsock,
				    struct proto_accept_arg *arg)
{
	return ops->accept(sock, newsock, arg->flags, arg->kern);
}

/* The member for proto_ops::accept made from @fn, which takes the argument. */
#define DMM_ACCEPT_OP(fn) fn##_flags
#define DMM_NEED_ACCEPT_FLAGS
#endif

/* Messages could not be formatted up to 6.1: there, leave the details out. */
#ifdef NL_SET_ERR_MSG_ATTR_FMT
#define dmm_err_more(extack, attr, msg, more, ...) \
	NL_SET_ERR_MSG_ATTR_FMT((extack), (attr), msg more, ##__VA_ARGS__)
#else
#define dmm_err_more(extack, attr, msg, more, ...) \
	NL_SET_ERR_MSG_ATTR((extack), (attr), msg)
#endif

/* A dump's attributes; genl_info_dump() came with 6.7. */
#ifdef DMM_HAVE_GENL_INFO_DUMP
#define dmm_dump_attrs(cb) (genl_info_dump(cb)->attrs)
#else
#define dmm_dump_attrs(cb) (genl_dumpit_info(cb)->attrs)
#endif

/*
 * What io_uring's multishot accept learns from it: whether there is more.  Up
 * to 6.9 there is no such answer.
 */
static inline void dmm_accept_copy_answer(struct proto_accept_arg *arg,
					  const struct proto_accept_arg *from, bool more)
{
#ifdef DMM_HAVE_PROTO_ACCEPT_ARG
	arg->err = from->err;
	arg->is_empty = from->is_empty && !more;
#endif
}

/* Flags of an inet sock moved, and changed their kind, with 6.6 and 6.7. */
static inline bool dmm_wants_pktinfo(const struct sock *sk)
{
#ifdef DMM_HAVE_INET_CMSG_FLAGS
	return inet_cmsg_flags(inet_sk(sk)) & IP_CMSG_PKTINFO;
#else
	return inet_sk(sk)->cmsg_flags & IP_CMSG_PKTINFO;
#endif
}

static inline bool dmm_wants_ttl(const struct sock *sk)
{
#ifdef DMM_HAVE_INET_CMSG_FLAGS
	return inet_cmsg_flags(inet_sk(sk)) & IP_CMSG_TTL;
#else
	return inet_sk(sk)->cmsg_flags & IP_CMSG_TTL;
#endif
}

static inline bool dmm_wants_tos(const struct sock *sk)
{
#ifdef DMM_HAVE_INET_CMSG_FLAGS
	return inet_cmsg_flags(inet_sk(sk)) & IP_CMSG_TOS;
#else
	return inet_sk(sk)->cmsg_flags & IP_CMSG_TOS;
#endif
}

/* Keys of TCP-MD5, and of TCP-AO since 6.7. */
static inline bool dmm_tcp_signs(const struct sock *sk)
{
#ifdef CONFIG_TCP_MD5SIG
	if (rcu_access_pointer(tcp_sk(sk)->md5sig_info))
		return true;
#endif
#ifdef CONFIG_TCP_AO
	if (rcu_access_pointer(tcp_sk(sk)->ao_info))
		return true;
#endif
	return false;
}

/* Under the socket's lock. */
static inline bool dmm_freebind(const struct sock *sk)
{
#ifdef DMM_HAVE_INET_FLAGS
	return inet_test_bit(FREEBIND, sk);
#else
	return inet_sk(sk)->freebind;
#endif
}

static inline void dmm_set_freebind(struct sock *sk, bool on)
{
#ifdef DMM_HAVE_INET_FLAGS
	inet_assign_bit(FREEBIND, sk, on);
#else
	inet_sk(sk)->freebind = on;
#endif
}

/*
 * What IP and IPv6 options have as single bits.  All of an inet sock's since 6.6, and of an IPv6
 * one's since 6.7, are in inet_flags: a kernel between the two is not one that we know.
 */
static inline void dmm_inherit_inet_flags(struct sock *sk, const struct sock *from)
{
#ifdef DMM_HAVE_INET6_FLAGS
	inet_sk(sk)->inet_flags = inet_sk(from)->inet_flags;
#else
	const struct inet_sock *old = inet_sk(from);
	struct inet_sock *new = inet_sk(sk);

	new->cmsg_flags = old->cmsg_flags;
	new->recverr = old->recverr;
	new->recverr_rfc4884 = old->recverr_rfc4884;
	new->freebind = old->freebind;
	new->transparent = old->transparent;
	new->mc_loop = old->mc_loop;
	new->mc_all = old->mc_all;
	new->nodefrag = old->nodefrag;
	new->bind_address_no_port = old->bind_address_no_port;
#if IS_ENABLED(CONFIG_IPV6)
	if (inet6_sk(sk) && inet6_sk(from)) {
		inet6_sk(sk)->mc_loop = inet6_sk(from)->mc_loop;
		inet6_sk(sk)->mc_all = inet6_sk(from)->mc_all;
		inet6_sk(sk)->recverr = inet6_sk(from)->recverr;
		inet6_sk(sk)->recverr_rfc4884 = inet6_sk(from)->recverr_rfc4884;
		inet6_sk(sk)->sndflow = inet6_sk(from)->sndflow;
		inet6_sk(sk)->repflow = inet6_sk(from)->repflow;
		inet6_sk(sk)->dontfrag = inet6_sk(from)->dontfrag;
		inet6_sk(sk)->autoflowlabel = inet6_sk(from)->autoflowlabel;
		inet6_sk(sk)->autoflowlabel_set = inet6_sk(from)->autoflowlabel_set;
	}
#endif
#endif
}

/* vm_flags_mod() came with 6.3. */
static inline void dmm_vm_flags(struct vm_area_struct *vma, vm_flags_t set,
				vm_flags_t clear)
{
#ifdef DMM_HAVE_VM_FLAGS_MOD
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

/* copy_splice_read() came with 6.5; before, reading into new pages was this. */
static inline ssize_t dmm_copy_splice_read(struct file *file, loff_t *ppos,
					   struct pipe_inode_info *pipe, size_t len,
					   unsigned int flags)
{
#ifdef DMM_HAVE_COPY_SPLICE_READ
	return copy_splice_read(file, ppos, pipe, len, flags);
#else
	return generic_file_splice_read(file, ppos, pipe, len, flags);
#endif
}

#endif /* DMM_COMPAT_H */
