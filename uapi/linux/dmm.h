/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * DMM sockets: sockets whose transport stack the policy of the network
 * namespace chooses.
 *
 *	socket(AF_DMM, SOCK_STREAM | SOCK_DGRAM, DMM_PROTO_INET | DMM_PROTO_INET6)
 *	socket(AF_INET | AF_INET6, SOCK_STREAM, IPPROTO_DMM)
 *
 * Both give a socket that is like AF_INET's (AF_INET6's) in every respect: it
 * takes the same addresses, options and calls, and SO_DOMAIN and SO_PROTOCOL
 * answer what they answer there.  The stack is chosen at connect(2), listen(2)
 * and at a send that connects (MSG_FASTOPEN); for SOCK_DGRAM at connect(2), at
 * the first send and at a bind(2) to an address.  A refusal by the policy is
 * ECONNREFUSED for connect and send and EACCES for listen and bind; the socket
 * is undecided again afterwards.
 *
 * Changes:
 *	1: first version.
 */
#ifndef _UAPI_LINUX_DMM_H
#define _UAPI_LINUX_DMM_H

#include <linux/types.h>
#include <linux/dmm_netlink.h>

/* The release of DMM that this header is of; the only place that says so. */
#define DMM_VERSION	"0.1"

/*
 * Default number of the address family: AF_ECONET's, which Linux dropped in
 * 3.5.  The module parameter "af" can change it; the number in force is in
 * /sys/module/dmm/parameters/af.
 */
#define DMM_AF_DEFAULT	19
#ifndef AF_DMM
#define AF_DMM		DMM_AF_DEFAULT
#define PF_DMM		AF_DMM
#endif

/* The protocol argument of socket(AF_DMM, ...) says which addresses it takes. */
#define DMM_PROTO_INET	0
#define DMM_PROTO_INET6	1

/* Protocol number for socket(AF_INET | AF_INET6, SOCK_STREAM, ...). */
#ifndef IPPROTO_DMM
#define IPPROTO_DMM	260
#endif

/*
 * Socket options, level SOL_DMM.
 *
 * They exist while DMM holds the socket: until the decision, and on listeners.
 * A socket that was handed over to the kernel's own TCP or UDP has no DMM code
 * left on it, so there this level is unknown: EOPNOTSUPP or ENOPROTOOPT mean
 * "the kernel's stack".  libdmm's dmm_socket_info() folds the two cases and
 * asks netlink for the reason.
 */
#ifndef SOL_DMM
#define SOL_DMM		300
#endif

/*
 * DMM_STACK: name of a stack, a string of at most DMM_NAME_MAX bytes.
 *
 * get: the stack that serves the socket, "" while it is undecided.
 * set: the stack that the application wants.  Used if the rule that decides
 *	lists it (the built-in last rule allows "kernel"); otherwise the rule's
 *	own choice is taken and the reason says DMM_REASON_APP_DENIED.  "" takes
 *	the wish back.  ENOENT: no such stack; EINVAL: not a name; EISCONN: the
 *	socket is decided.
 */
#define DMM_STACK	1

/* DMM_INFO: get only, struct dmm_info. */
#define DMM_INFO	2

/**
 * struct dmm_info - what is known of a socket's stack
 * @state:	enum dmm_sock_state
 * @reason:	enum dmm_reason
 * @rule:	id of the rule that decided, 0 for none
 * @prio:	its priority
 * @gen:	generation of the table that decided
 * @stack:	stack that serves the socket, "" while undecided
 * @want:	stack that the application asked for, "" for none
 *
 * May grow at its end; getsockopt() writes the shorter of the caller's length
 * and the kernel's, and returns that length.
 */
struct dmm_info {
	__u32 state;
	__u32 reason;
	__u32 rule;
	__u32 prio;
	__aligned_u64 gen;
	char stack[DMM_NAME_MAX];
	char want[DMM_NAME_MAX];
};

/**
 * struct dmm_prefix - an address prefix in netlink attributes
 * @family:	AF_INET or AF_INET6
 * @len:	bits, 0 to 32 or 128
 * @pad:	zero
 * @addr:	the address in network byte order, the first 4 bytes for AF_INET;
 *		bits behind @len, and unused bytes, are zero
 */
struct dmm_prefix {
	__u8 family;
	__u8 len;
	__u16 pad;
	__u8 addr[16];
};

/**
 * struct dmm_port_range - ports in netlink attributes
 * @lo:	first port, host byte order
 * @hi:	last port, not below @lo
 */
struct dmm_port_range {
	__u16 lo;
	__u16 hi;
};

#endif /* _UAPI_LINUX_DMM_H */
