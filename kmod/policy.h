/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy table of one network namespace: zones, port sets and rules, and
 * the lock-free lookup of the rule that decides a flow.
 */
#ifndef DMM_POLICY_H
#define DMM_POLICY_H

#include <linux/atomic.h>
#include <linux/if.h>
#include <linux/in6.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <uapi/linux/dmm.h>

struct net;
struct sock;

/**
 * struct dmm_flow - what a decision is about
 * @role:	DMM_ROLE_CONNECT or DMM_ROLE_LISTEN
 * @type:	SOCK_STREAM or SOCK_DGRAM
 * @family:	AF_INET or AF_INET6, of the addresses: v4-mapped is AF_INET
 * @dscp:	0 to 63
 * @src:	local address, v4 in its v4-mapped form; unspecified if unbound
 * @dst:	remote address likewise; unspecified at listen
 * @sport:	local port, host byte order, 0 if unbound
 * @dport:	remote port
 * @mark:	the socket's mark
 * @uid:	owner of the socket (sk_uid)
 * @gid:	group of the process that opened it
 * @sk:		the socket, or NULL for a described one (explain).  The three
 *		keys below cost more to find out than the rest: with a socket
 *		the lookup fills them in, and only if some rule asks for them
 * @cgroup:	path from the root of the v2 hierarchy, "" for the root
 * @dev:	interface that the socket is bound to, "" for none
 * @comm:	name of the thread group leader
 */
struct dmm_flow {
	u8 role;
	u8 type;
	u8 family;
	u8 dscp;
	struct in6_addr src;
	struct in6_addr dst;
	u16 sport;
	u16 dport;
	u32 mark;
	kuid_t uid;
	kgid_t gid;
	const struct sock *sk;
	const char *cgroup;
	char dev[IFNAMSIZ];
	char comm[TASK_COMM_LEN];
};

/* Bits of struct dmm_sockopts::set. */
#define DMM_OPT_CC		BIT(0)
#define DMM_OPT_MARK		BIT(1)
#define DMM_OPT_TOS		BIT(2)
#define DMM_OPT_KEEPIDLE	BIT(3)
#define DMM_OPT_KEEPINTVL	BIT(4)
#define DMM_OPT_KEEPCNT		BIT(5)

/**
 * struct dmm_sockopts - options that a rule sets on the sockets it decides
 * @set:	which of the fields below count, DMM_OPT_*
 */
struct dmm_sockopts {
	u32 set;
	u32 mark;
	u32 keepidle;
	u32 keepintvl;
	u32 keepcnt;
	u8 tos;
	char cc[16];
};

/**
 * struct dmm_action - what a rule says to do
 * @verdict:	enum dmm_verdict
 * @nr_stacks:	names in @stacks, at least 1 if the verdict is a stack
 * @flags:	DMM_RULE_F_*
 * @stacks:	names, most wanted first
 * @opts:	options for the kernel's stack
 */
struct dmm_action {
	u8 verdict;
	u8 nr_stacks;
	u32 flags;
	const char (*stacks)[DMM_NAME_MAX];
	struct dmm_sockopts opts;
};

#endif /* DMM_POLICY_H */
