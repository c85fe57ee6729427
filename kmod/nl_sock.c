// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: sockets, their decisions, and the counters of both. */
#include <linux/tcp.h>
#include <net/sock.h>

#include "compat.h"
#include "conn.h"
#include "connect.h"
#include "family.h"
#include "instance.h"
#include "net.h"
#include "netlink.h"
#include "record.h"
#include "sock.h"
#include "user.h"

/* Large enough for every message built here. */
#define MSG_SIZE	1024

static int put_addr(struct sk_buff *skb, int attr, u8 family, const struct in6_addr *addr)
{
	struct dmm_prefix p = { .family = family };

	if (family == AF_INET) {
		p.len = 32;
		memcpy(p.addr, &addr->s6_addr32[3], 4);
	} else {
		p.len = 128;
		memcpy(p.addr, addr, 16);
	}
	return nla_put(skb, attr, sizeof(p), &p);
}

static int put_decision(struct sk_buff *skb, const struct dmm_decision *d)
{
	if (nla_put_u64_64bit(skb, DMM_A_DECISION_GEN, d->gen, DMM_A_DECISION_PAD) ||
	    nla_put_u8(skb, DMM_A_DECISION_VERDICT, d->verdict) ||
	    nla_put_u32(skb, DMM_A_DECISION_REASON, d->reason) ||
	    nla_put_u32(skb, DMM_A_DECISION_ERRNO, -d->err) ||
	    (*d->stack && nla_put_string(skb, DMM_A_DECISION_STACK, d->stack)))
		return -EMSGSIZE;
	if (d->rule &&
	    (nla_put_u32(skb, DMM_A_DECISION_RULE, d->rule) ||
	     nla_put_u32(skb, DMM_A_DECISION_PRIO, d->prio)))
		return -EMSGSIZE;
	return 0;
}

static int put_uid(struct sk_buff *skb, struct user_namespace *ns, kuid_t uid)
{
	return nla_put_u32(skb, DMM_A_DECISION_UID, from_kuid_munged(ns, uid));
}

static int fill_record(struct sk_buff *skb, u32 portid, u32 seq, int flags,
		       struct user_namespace *ns, const struct dmm_record *rec)
{
	void *hdr = genlmsg_put(skb, portid, seq, &dmm_genl_family, flags,
				DMM_CMD_DECISION_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u64_64bit(skb, DMM_A_DECISION_COOKIE, rec->cookie, DMM_A_DECISION_PAD) ||
	    nla_put_u64_64bit(skb, DMM_A_DECISION_TIME, rec->time, DMM_A_DECISION_PAD) ||
	    nla_put_u8(skb, DMM_A_DECISION_ROLE, rec->role) ||
	    nla_put_u8(skb, DMM_A_DECISION_TYPE, rec->type) ||
	    nla_put_u8(skb, DMM_A_DECISION_FAMILY, rec->family) ||
	    put_addr(skb, DMM_A_DECISION_SRC, rec->family, &rec->src) ||
	    put_addr(skb, DMM_A_DECISION_DST, rec->family, &rec->dst) ||
	    nla_put_u16(skb, DMM_A_DECISION_SPORT, rec->sport) ||
	    nla_put_u16(skb, DMM_A_DECISION_DPORT, rec->dport) ||
	    put_uid(skb, ns, rec->uid) ||
	    nla_put_u32(skb, DMM_A_DECISION_PID, rec->caller.pid) ||
	    nla_put_string(skb, DMM_A_DECISION_COMM, rec->caller.comm) ||
	    put_decision(skb, &rec->decision)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

void dmm_netlink_decided(struct net *net, const struct dmm_record *rec)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&dmm_genl_family, net, DMM_NLGRP_DECISION))
		return;
	skb = genlmsg_new(MSG_SIZE, GFP_KERNEL);
	if (!skb) {
		genl_set_err(&dmm_genl_family, net, 0, DMM_NLGRP_DECISION, -ENOBUFS);
		return;
	}
	if (fill_record(skb, 0, 0, 0, net->user_ns, rec))
		nlmsg_free(skb);
	else
		genlmsg_multicast_netns(&dmm_genl_family, net, skb, 0,
					DMM_NLGRP_DECISION, GFP_KERNEL);
}

static int get_cookie(struct genl_info *info, u64 *cookie)
{
	struct nlattr *attr = info->attrs[DMM_A_DECISION_COOKIE];

	if (!attr) {
		NL_SET_ERR_MSG(info->extack, "which socket: cookie is missing");
		return -EINVAL;
	}
	*cookie = nla_get_u64(attr);
	return 0;
}

int dmm_nl_decision_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_net *dn = dmm_net(genl_info_net(info));
	struct dmm_record rec;
	struct sk_buff *msg;
	u64 cookie;
	int err;

	err = get_cookie(info, &cookie);
	if (err)
		return err;
	if (!dmm_log_find(&dn->log, cookie, &rec)) {
		NL_SET_ERR_MSG(info->extack, "no decision remembered for this socket");
		return -ENOENT;
	}
	msg = genlmsg_new(MSG_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	err = fill_record(msg, info->snd_portid, info->snd_seq, 0,
			  sk_user_ns(NETLINK_CB(skb).sk), &rec);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

int dmm_nl_decision_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dmm_net *dn = dmm_net(sock_net(skb->sk));
	u32 nr = cb->args[0], last = nr;
	struct dmm_record rec;

	while (dmm_log_read(&dn->log, &nr, &rec)) {
		if (fill_record(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				NLM_F_MULTI, sk_user_ns(NETLINK_CB(cb->skb).sk), &rec)) {
			nr = last;
			break;
		}
		last = nr;
	}
	cb->args[0] = nr;
	return skb->len;
}

/* One message about a socket that DMM holds, for the request behind it. */
struct sock_msg {
	struct sk_buff *skb;
	u32 portid;
	u32 seq;
	int flags;
	struct user_namespace *ns;
	bool one;	/* only the socket of this cookie */
	bool found;
	u64 cookie;
};

/* What a user stack has of a socket. */
struct user_sock {
	char instance[DMM_NAME_MAX];
	u32 queue;
	struct tcp_info tcp;	/* of a stream connection */
	u32 tx_used, tx_size;
	u32 rx_used, rx_size;
	struct dmm_flow flow;	/* the ends alone */
};

static u32 ring_size(const struct dmm_bytes *b)
{
	/* Of an rx ring it is the consumer's that the kernel counts. */
	u32 epoch = max(READ_ONCE(b->epoch), READ_ONCE(b->c_epoch));

	return READ_ONCE(b->piece[epoch & 1].size);
}

static void read_ends(struct dmm_flow *flow, const struct dmm_open *open)
{
	flow->family = open->family;
	memcpy(&flow->src, open->local, sizeof(flow->src));
	memcpy(&flow->dst, open->remote, sizeof(flow->dst));
	flow->sport = ntohs(open->lport);
	flow->dport = ntohs(open->rport);
}

/* Under the lock that keeps what the socket has; the rings may move meanwhile. */
static void read_user(const struct dmm_sock *ds, void *arg)
{
	const struct dmm_conn *conn =
		rcu_dereference_protected(ds->conn, lockdep_is_held(&ds->lock));
	struct user_sock *u = arg;

	if (ds->connect)
		u->flow = *dmm_connect_flow(ds->connect);
	if (!conn)
		return;
	read_ends(&u->flow, &conn->open);
	strscpy(u->instance, conn->inst->reg.instance, sizeof(u->instance));
	u->queue = conn->queue ? conn->queue->nr : 0;
	if (conn->kind == DMM_CONN_STREAM && READ_ONCE(conn->state) == DMM_CONN_OPEN)
		dmm_user_info(conn, &u->tcp);
	if (conn->tx) {
		u->tx_used = dmm_bytes_peek_unread(conn->tx);
		u->tx_size = ring_size(conn->tx);
	}
	if (conn->rx) {
		u->rx_used = dmm_bytes_peek_used(conn->rx);
		u->rx_size = ring_size(conn->rx);
	}
}

/* What a stack does not know is absent. */
static int put_tcp(struct sk_buff *skb, const struct tcp_info *tcp)
{
	const struct {
		int attr;
		u32 value;
	} numbers[] = {
		{ DMM_A_DECISION_RTO, tcp->tcpi_rto },
		{ DMM_A_DECISION_RTT, tcp->tcpi_rtt },
		{ DMM_A_DECISION_RTTVAR, tcp->tcpi_rttvar },
		{ DMM_A_DECISION_MSS, tcp->tcpi_snd_mss },
		{ DMM_A_DECISION_CWND, tcp->tcpi_snd_cwnd },
		{ DMM_A_DECISION_SSTHRESH, tcp->tcpi_snd_ssthresh },
		{ DMM_A_DECISION_UNACKED, tcp->tcpi_unacked },
		{ DMM_A_DECISION_RETRANS, tcp->tcpi_retrans },
		{ DMM_A_DECISION_RETRANS_TOTAL, tcp->tcpi_total_retrans },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].value && nla_put_u32(skb, numbers[i].attr, numbers[i].value))
			return -EMSGSIZE;
	if (nla_put_u8(skb, DMM_A_DECISION_TCP_STATE, tcp->tcpi_state) ||
	    (tcp->tcpi_bytes_acked &&
	     nla_put_u64_64bit(skb, DMM_A_DECISION_BYTES_ACKED, tcp->tcpi_bytes_acked,
			       DMM_A_DECISION_PAD)) ||
	    (tcp->tcpi_bytes_received &&
	     nla_put_u64_64bit(skb, DMM_A_DECISION_BYTES_RECEIVED,
			       tcp->tcpi_bytes_received, DMM_A_DECISION_PAD)))
		return -EMSGSIZE;
	return 0;
}

static int put_user_sock(struct sk_buff *skb, const struct user_sock *u)
{
	if (u->flow.dport &&
	    (put_addr(skb, DMM_A_DECISION_DST, u->flow.family, &u->flow.dst) ||
	     nla_put_u16(skb, DMM_A_DECISION_DPORT, u->flow.dport)))
		return -EMSGSIZE;
	if (!*u->instance)
		return 0;
	if (nla_put_string(skb, DMM_A_DECISION_INSTANCE, u->instance) ||
	    nla_put_u32(skb, DMM_A_DECISION_QUEUE, u->queue) ||
	    nla_put_u32(skb, DMM_A_DECISION_TX_USED, u->tx_used) ||
	    nla_put_u32(skb, DMM_A_DECISION_TX_SIZE, u->tx_size) ||
	    nla_put_u32(skb, DMM_A_DECISION_RX_USED, u->rx_used) ||
	    nla_put_u32(skb, DMM_A_DECISION_RX_SIZE, u->rx_size))
		return -EMSGSIZE;
	return u->tcp.tcpi_state ? put_tcp(skb, &u->tcp) : 0;
}

static int put_sock(struct sock *sk, const struct sock_msg *m, u64 cookie, u8 state,
		    const struct dmm_decision *d)
{
	struct user_sock u = { };
	struct dmm_flow flow;

	dmm_flow_init(&flow, sk, DMM_ROLE_LISTEN, NULL);
	dmm_sock_look(sk, read_user, &u);
	if (*u.instance) {
		flow.family = u.flow.family;
		flow.src = u.flow.src;
		flow.sport = u.flow.sport;
	}
	if (nla_put_u64_64bit(m->skb, DMM_A_DECISION_COOKIE, cookie, DMM_A_DECISION_PAD) ||
	    nla_put_u8(m->skb, DMM_A_DECISION_STATE, state) ||
	    nla_put_u8(m->skb, DMM_A_DECISION_TYPE, flow.type) ||
	    nla_put_u8(m->skb, DMM_A_DECISION_FAMILY, flow.family) ||
	    put_addr(m->skb, DMM_A_DECISION_SRC, flow.family, &flow.src) ||
	    nla_put_u16(m->skb, DMM_A_DECISION_SPORT, flow.sport) ||
	    put_uid(m->skb, m->ns, flow.uid) ||
	    nla_put_u32(m->skb, DMM_A_DECISION_INODE, sock_i_ino(sk)))
		return -EMSGSIZE;
	return put_user_sock(m->skb, &u) ?: put_decision(m->skb, d);
}

static int fill_sock(struct sock *sk, void *arg)
{
	char want[DMM_NAME_MAX];
	struct sock_msg *m = arg;
	struct dmm_decision d;
	u64 cookie;
	void *hdr;
	u8 state;

	if (!dmm_sock_read(sk, &state, want, &d))
		return 0;
	cookie = dmm_sock_cookie(sk);
	if (m->one && cookie != m->cookie)
		return 0;
	hdr = genlmsg_put(m->skb, m->portid, m->seq, &dmm_genl_family, m->flags,
			  DMM_CMD_SOCK_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (put_sock(sk, m, cookie, state, &d)) {
		genlmsg_cancel(m->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, hdr);
	m->found = true;
	return 0;
}

int dmm_nl_sock_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sock_msg m = {
		.portid = info->snd_portid,
		.seq = info->snd_seq,
		.ns = sk_user_ns(NETLINK_CB(skb).sk),
		.one = true,
	};
	unsigned int skip = 0;
	int err;

	err = get_cookie(info, &m.cookie);
	if (err)
		return err;
	m.skb = genlmsg_new(MSG_SIZE, GFP_KERNEL);
	if (!m.skb)
		return -ENOMEM;
	err = dmm_sock_walk(genl_info_net(info), &skip, fill_sock, &m);
	if (!err && !m.found) {
		NL_SET_ERR_MSG(info->extack, "DMM holds no socket of this cookie");
		err = -ENOENT;
	}
	if (err) {
		nlmsg_free(m.skb);
		return err;
	}
	return genlmsg_reply(m.skb, info);
}

int dmm_nl_sock_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sock_msg m = {
		.skb = skb,
		.portid = NETLINK_CB(cb->skb).portid,
		.seq = cb->nlh->nlmsg_seq,
		.flags = NLM_F_MULTI,
		.ns = sk_user_ns(NETLINK_CB(cb->skb).sk),
	};
	unsigned int skip = cb->args[0];

	/* -EMSGSIZE: full, the next call goes on with that socket. */
	dmm_sock_walk(sock_net(skb->sk), &skip, fill_sock, &m);
	cb->args[0] = skip;
	return skb->len;
}

static void sum_stats(const struct dmm_net *dn, struct dmm_stats *sum)
{
	const struct dmm_stats *s;
	unsigned int i;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		s = per_cpu_ptr(dn->stats, cpu);
		for (i = 0; i < ARRAY_SIZE(sum->reasons); i++)
			sum->reasons[i] += READ_ONCE(s->reasons[i]);
		sum->connects += READ_ONCE(s->connects);
		sum->accepts += READ_ONCE(s->accepts);
		sum->listens += READ_ONCE(s->listens);
		sum->option_errors += READ_ONCE(s->option_errors);
	}
}

static int put_stats(struct sk_buff *skb, struct dmm_net *dn)
{
	struct dmm_stats sum;
	struct dmm_counts c;
	u64 gen;

	sum_stats(dn, &sum);
	dmm_policy_stat(&dn->policy, &gen, &c);
	if (nla_put_u64_64bit(skb, DMM_A_STAT_GEN, gen, DMM_A_STAT_PAD) ||
	    nla_put_u32(skb, DMM_A_STAT_AF, dmm_family_number()) ||
	    nla_put_u32(skb, DMM_A_STAT_RULES, c.rules) ||
	    nla_put_u32(skb, DMM_A_STAT_MASKS, c.masks) ||
	    nla_put_u32(skb, DMM_A_STAT_ZONES, c.zones) ||
	    nla_put_u32(skb, DMM_A_STAT_PREFIXES, c.prefixes) ||
	    nla_put_u32(skb, DMM_A_STAT_SETS, c.sets) ||
	    nla_put_u32(skb, DMM_A_STAT_UNDECIDED,
			atomic_read(&dn->held[DMM_SOCK_UNDECIDED])) ||
	    nla_put_u32(skb, DMM_A_STAT_LISTENERS,
			atomic_read(&dn->held[DMM_SOCK_LISTENER])) ||
	    nla_put(skb, DMM_A_STAT_REASONS, sizeof(sum.reasons), sum.reasons) ||
	    nla_put_u64_64bit(skb, DMM_A_STAT_CONNECTS, sum.connects, DMM_A_STAT_PAD) ||
	    nla_put_u64_64bit(skb, DMM_A_STAT_ACCEPTS, sum.accepts, DMM_A_STAT_PAD) ||
	    nla_put_u64_64bit(skb, DMM_A_STAT_LISTENS, sum.listens, DMM_A_STAT_PAD) ||
	    nla_put_u64_64bit(skb, DMM_A_STAT_OPTION_ERRORS, sum.option_errors,
			      DMM_A_STAT_PAD) ||
	    nla_put_u32(skb, DMM_A_STAT_GROUPS, c.groups) ||
	    nla_put_u32(skb, DMM_A_STAT_CONNECTING,
			atomic_read(&dn->held[DMM_SOCK_CONNECTING])) ||
	    nla_put_u32(skb, DMM_A_STAT_CONNECTED,
			atomic_read(&dn->held[DMM_SOCK_CONNECTED])) ||
	    nla_put_u32(skb, DMM_A_STAT_FAILING,
			dmm_negative_count(dn->policy.net)))
		return -EMSGSIZE;
	return 0;
}

int dmm_nl_stat_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg = genlmsg_new(MSG_SIZE, GFP_KERNEL);
	void *hdr;

	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &dmm_genl_family, 0, DMM_CMD_STAT_GET);
	if (!hdr || put_stats(msg, dmm_net(genl_info_net(info)))) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}
