// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <linux/cred.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <uapi/linux/dmm_dev.h>

#include "native.h"
#include "net.h"
#include "sock.h"

static int set_stack(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	char name[DMM_NAME_MAX] = "";

	if (optlen > sizeof(name))
		return -EINVAL;
	if (copy_from_sockptr(name, optval, optlen))
		return -EFAULT;
	if (strnlen(name, sizeof(name)) == sizeof(name))
		return -EINVAL;
	if (*name) {
		if (!dmm_stack_name_valid(name))
			return -EINVAL;
		if (!dmm_stack_exists(dmm_net(sock_net(sk)), name, NULL))
			return -ENOENT;
	}
	if (sk->sk_type == SOCK_STREAM && sk->sk_state != TCP_CLOSE)
		return -EISCONN;
	return dmm_sock_set_want(sk, name) ? 0 : -ENOPROTOOPT;
}

int dmm_setsockopt(struct socket *sock, int optname, sockptr_t optval,
		   unsigned int optlen)
{
	if (optname != DMM_STACK)
		return -ENOPROTOOPT;
	return set_stack(sock->sk, optval, optlen);
}

int dmm_getsockopt(struct socket *sock, int optname, char __user *optval,
		   int __user *optlen)
{
	struct dmm_decision d;
	struct dmm_info info = {};
	const void *from;
	u8 state;
	int len, max;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	if (!dmm_sock_read(sock->sk, &state, info.want, &d))
		return -EOPNOTSUPP;
	info.state = state;
	info.reason = d.reason;
	info.rule = d.rule;
	info.prio = d.prio;
	info.gen = d.gen;
	memcpy(info.stack, d.stack, sizeof(info.stack));

	switch (optname) {
	case DMM_STACK:
		from = info.stack;
		max = strlen(info.stack) + 1;
		break;
	case DMM_INFO:
		from = &info;
		max = sizeof(info);
		break;
	default:
		return -ENOPROTOOPT;
	}
	len = min(len, max);
	if (put_user(len, optlen) || copy_to_user(optval, from, len))
		return -EFAULT;
	return 0;
}

static u32 option_flags(const struct sock *sk)
{
	u32 flags = 0;

	if (sock_flag(sk, SOCK_KEEPOPEN))
		flags |= DMM_OPTF_KEEPALIVE;
	if (sock_flag(sk, SOCK_LOCALROUTE))
		flags |= DMM_OPTF_DONTROUTE;
	if (sock_flag(sk, SOCK_BROADCAST))
		flags |= DMM_OPTF_BROADCAST;
	if (sk->sk_type != SOCK_STREAM)
		return flags;
	if (tcp_sk(sk)->nonagle & TCP_NAGLE_OFF)
		flags |= DMM_OPTF_NODELAY;
	if (tcp_sk(sk)->nonagle & TCP_NAGLE_CORK)
		flags |= DMM_OPTF_CORK;
	return flags;
}

/*
 * Options of SOL_SOCKET are set without a call to our operations: the next call
 * that concerns the connection finds what has changed.
 */
bool dmm_options_told(const struct sock *sk, const struct dmm_options *told)
{
	return READ_ONCE(told->flags) == option_flags(sk) &&
	       READ_ONCE(told->mark) == READ_ONCE(sk->sk_mark) &&
	       READ_ONCE(told->priority) == READ_ONCE(sk->sk_priority);
}

void dmm_options_describe(const struct sock *sk, struct dmm_options *to)
{
	to->flags = option_flags(sk);
	to->mark = READ_ONCE(sk->sk_mark);
	to->priority = READ_ONCE(sk->sk_priority);
	to->tos = inet_sk(sk)->tos;
	to->ttl = inet_sk(sk)->uc_ttl > 0 ? inet_sk(sk)->uc_ttl : 0;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		to->tos = inet6_sk(sk)->tclass;
		to->ttl = inet6_sk(sk)->hop_limit > 0 ? inet6_sk(sk)->hop_limit : 0;
	}
#endif
	if (sk->sk_type != SOCK_STREAM)
		return;
	to->keepidle = keepalive_time_when(tcp_sk(sk)) / HZ;
	to->keepintvl = keepalive_intvl_when(tcp_sk(sk)) / HZ;
	to->keepcnt = keepalive_probes(tcp_sk(sk));
	to->user_timeout = READ_ONCE(inet_csk(sk)->icsk_user_timeout);
	to->maxseg = tcp_sk(sk)->rx_opt.user_mss;
	if (inet_csk(sk)->icsk_ca_setsockopt)
		strscpy_pad(to->cc, inet_csk(sk)->icsk_ca_ops->name, sizeof(to->cc));
}

/* Whose rights set a rule's options: not the application's, the rule's. */
static const struct cred *rule_cred;

static int set_cc(struct socket *sock, const char *cc)
{
	const struct cred *old = override_creds(rule_cred);
	int err;

	err = dmm_native(sock->sk)->ops->setsockopt(sock, SOL_TCP, TCP_CONGESTION,
						    KERNEL_SOCKPTR((char *)cc),
						    strlen(cc));
	revert_creds(old);
	return err;
}

static int set_tos(struct socket *sock, int tos)
{
	struct sock *sk = sock->sk;

	/* On a v6 socket this one counts for v4-mapped peers. */
	ip_sock_set_tos(sk, tos);
	if (sk->sk_family != AF_INET6)
		return 0;
	return dmm_native(sk)->ops->setsockopt(sock, SOL_IPV6, IPV6_TCLASS,
					       KERNEL_SOCKPTR(&tos), sizeof(tos));
}

static int set_keepalive(struct sock *sk, const struct dmm_sockopts *opts)
{
	int err = 0;

	sock_set_keepalive(sk);
	if (opts->set & DMM_OPT_KEEPIDLE)
		err = tcp_sock_set_keepidle(sk, opts->keepidle);
	if (!err && opts->set & DMM_OPT_KEEPINTVL)
		err = tcp_sock_set_keepintvl(sk, opts->keepintvl);
	if (!err && opts->set & DMM_OPT_KEEPCNT)
		err = tcp_sock_set_keepcnt(sk, opts->keepcnt);
	return err;
}

void dmm_sockopts_apply(struct socket *sock, const struct dmm_sockopts *opts)
{
	struct sock *sk = sock->sk;
	bool failed = false;

	if (opts->set & DMM_OPT_MARK)
		sock_set_mark(sk, opts->mark);
	if (opts->set & DMM_OPT_TOS)
		failed |= set_tos(sock, opts->tos);
	if (sk->sk_type == SOCK_STREAM) {
		if (opts->set & DMM_OPT_CC)
			failed |= set_cc(sock, opts->cc);
		if (opts->set & (DMM_OPT_KEEPIDLE | DMM_OPT_KEEPINTVL | DMM_OPT_KEEPCNT))
			failed |= set_keepalive(sk, opts);
	}
	if (failed)
		dmm_stats_inc(dmm_net(sock_net(sk)), option_errors);
}

int __init dmm_options_init(void)
{
	rule_cred = prepare_kernel_cred(&init_task);
	return rule_cred ? 0 : -ENOMEM;
}

void dmm_options_exit(void)
{
	put_cred(rule_cred);
}
