/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels, by what their headers have (see Kbuild): the
 * rest of the module is written against the newest.
 */
#ifndef DMM_COMPAT_H
#define DMM_COMPAT_H

#include <linux/net.h>
#include <linux/netlink.h>

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

#endif /* DMM_COMPAT_H */
