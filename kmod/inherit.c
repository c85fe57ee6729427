// SPDX-License-Identifier: GPL-2.0-only
#include "inherit.h"

#include <linux/tcp.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "native.h"

/* enum sock_flags that are options. */
#define OPTION_FLAGS	(BIT(SOCK_URGINLINE) | BIT(SOCK_KEEPOPEN) | BIT(SOCK_LINGER) |		\
			 BIT(SOCK_BROADCAST) | BIT(SOCK_DBG) | BIT(SOCK_LOCALROUTE) |		\
			 BIT(SOCK_RCVTSTAMP) | BIT(SOCK_RCVTSTAMPNS) | BIT(SOCK_TSTAMP_NEW) |	\
			 BIT(SOCK_RXQ_OVFL) | BIT(SOCK_ZEROCOPY) | BIT(SOCK_WIFI_STATUS) |	\
			 BIT(SOCK_NOFCS) | BIT(SOCK_FILTER_LOCKED) |				\
			 BIT(SOCK_SELECT_ERR_QUEUE) | BIT(SOCK_RCVMARK) | SK_FLAGS_TIMESTAMP)

/* SOL_SOCKET; see sk_clone_lock(), net/core/sock.c. */
static void inherit_socket(struct sock *sk, const struct sock *from)
{
	sk->sk_flags = (sk->sk_flags & ~OPTION_FLAGS) | (from->sk_flags & OPTION_FLAGS);
	/* Given back when the socket goes. */
	if (sk->sk_flags & SK_FLAGS_TIMESTAMP)
		net_enable_timestamp();
	sk->sk_tsflags = from->sk_tsflags;
	sk->sk_rcvtimeo = from->sk_rcvtimeo;
	sk->sk_sndtimeo = from->sk_sndtimeo;
	sk->sk_rcvlowat = from->sk_rcvlowat;
	sk->sk_lingertime = from->sk_lingertime;
	sk->sk_sndbuf = from->sk_sndbuf;
	sk->sk_rcvbuf = from->sk_rcvbuf;
	sk->sk_userlocks = from->sk_userlocks & (SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK);
	sk->sk_mark = from->sk_mark;
	sk->sk_reuse = from->sk_reuse;
	sk->sk_bound_dev_if = from->sk_bound_dev_if;
	sk->sk_peek_off = from->sk_peek_off;
	sk->sk_max_pacing_rate = from->sk_max_pacing_rate;
	sk->sk_txrehash = from->sk_txrehash;
#ifdef CONFIG_NET_RX_BUSY_POLL
	sk->sk_ll_usec = from->sk_ll_usec;
	sk->sk_prefer_busy_poll = from->sk_prefer_busy_poll;
	sk->sk_busy_poll_budget = from->sk_busy_poll_budget;
#endif
}

static void inherit_ip(struct sock *sk, const struct sock *from)
{
	const struct inet_sock *old = inet_sk(from);
	struct inet_sock *new = inet_sk(sk);

	dmm_inherit_inet_flags(sk, from);
	new->tos = old->tos;
	new->uc_ttl = old->uc_ttl;
	new->min_ttl = old->min_ttl;
	new->mc_ttl = old->mc_ttl;
	new->mc_index = old->mc_index;
	new->mc_addr = old->mc_addr;
	new->pmtudisc = old->pmtudisc;
	new->local_port_range = old->local_port_range;
}

static void inherit_ipv6(struct sock *sk, const struct sock *from)
{
#if IS_ENABLED(CONFIG_IPV6)
	const struct ipv6_pinfo *old = inet6_sk(from);
	struct ipv6_pinfo *new = inet6_sk(sk);

	if (!old || !new)
		return;
	sk->sk_ipv6only = from->sk_ipv6only;
	new->sticky_pktinfo = old->sticky_pktinfo;
	new->rxopt = old->rxopt;
	new->hop_limit = old->hop_limit;
	new->mcast_hops = old->mcast_hops;
	new->mcast_oif = old->mcast_oif;
	new->ucast_oif = old->ucast_oif;
	new->frag_size = old->frag_size;
	new->pmtudisc = old->pmtudisc;
	new->srcprefs = old->srcprefs;
	new->min_hopcount = old->min_hopcount;
	new->tclass = old->tclass;
#endif
}

static void inherit_tcp(struct sock *sk, const struct sock *from)
{
	const struct inet_connection_sock *old_icsk = inet_csk(from);
	const struct tcp_sock *old = tcp_sk(from);
	struct tcp_sock *new = tcp_sk(sk);

	new->nonagle = old->nonagle;
	new->keepalive_time = old->keepalive_time;
	new->keepalive_intvl = old->keepalive_intvl;
	new->keepalive_probes = old->keepalive_probes;
	new->linger2 = old->linger2;
	new->window_clamp = old->window_clamp;
	new->notsent_lowat = old->notsent_lowat;
	new->thin_lto = old->thin_lto;
	new->save_syn = old->save_syn;
	new->fastopen_connect = old->fastopen_connect;
	new->fastopen_no_cookie = old->fastopen_no_cookie;
	new->recvmsg_inq = old->recvmsg_inq;
	new->tcp_tx_delay = old->tcp_tx_delay;
	new->rx_opt.user_mss = old->rx_opt.user_mss;
	inet_csk(sk)->icsk_user_timeout = old_icsk->icsk_user_timeout;
	inet_csk(sk)->icsk_syn_retries = old_icsk->icsk_syn_retries;
}

/* A carrier sends nothing: if it cannot have the same, only getsockopt() would show it. */
static void inherit_congestion_control(struct socket *newsock, const struct sock *from)
{
	const struct tcp_congestion_ops *ca = READ_ONCE(inet_csk(from)->icsk_ca_ops);
	char name[TCP_CA_NAME_MAX];

	if (ca == inet_csk(newsock->sk)->icsk_ca_ops)
		return;
	strscpy(name, ca->name, sizeof(name));
	dmm_native_ops(newsock)->setsockopt(newsock, SOL_TCP, TCP_CONGESTION,
					    KERNEL_SOCKPTR(name), strlen(name));
}

void dmm_inherit(struct socket *newsock, const struct sock *from)
{
	struct sock *sk = newsock->sk;

	inherit_socket(sk, from);
	inherit_ip(sk, from);
	inherit_ipv6(sk, from);
	inherit_tcp(sk, from);
	inherit_congestion_control(newsock, from);
}
