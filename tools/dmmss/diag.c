// SPDX-License-Identifier: Apache-2.0
/*
 * dmmss: socket monitoring.  A socket that was handed over is the kernel's own
 * and listed as such; its cookie leads to the decision.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "dmmss.h"

struct dump {
	struct entries *entries;
	int err;
};

static void set_addr(struct dmm_prefix *p, uint8_t family, const uint32_t *addr)
{
	memset(p, 0, sizeof(*p));
	p->family = family;
	p->len = family == AF_INET ? 32 : 128;
	memcpy(p->addr, addr, p->len / 8);
}

static int take_socket(struct nl_msg *msg, void *arg)
{
	const struct nlmsghdr *nlh = nlmsg_hdr(msg);
	const struct inet_diag_msg *m = nlmsg_data(nlh);
	const struct nlattr *info;
	struct dump *d = arg;
	struct entry *s;

	if (!nlmsg_valid_hdr(nlh, sizeof(*m)))
		return NL_SKIP;
	s = entries_get(d->entries, m->id.idiag_cookie[0] |
			(uint64_t)m->id.idiag_cookie[1] << 32, false);
	if (!s)
		return NL_OK;
	s->live = true;
	s->uid = m->idiag_uid;
	s->inode = m->idiag_inode;
	/* To the kernel's TCP what a user stack serves is a socket that is bound at most. */
	if (s->instance[0])
		return NL_OK;
	s->family = m->idiag_family;
	s->state = m->idiag_state;
	s->recv_q = m->idiag_rqueue;
	s->send_q = m->idiag_wqueue;
	set_addr(&s->src, m->idiag_family, m->id.idiag_src);
	set_addr(&s->dst, m->idiag_family, m->id.idiag_dst);
	s->sport = ntohs(m->id.idiag_sport);
	s->dport = ntohs(m->id.idiag_dport);
	info = nlmsg_find_attr((struct nlmsghdr *)nlh, sizeof(*m), INET_DIAG_INFO);
	if (info)
		info_read(&s->info, nla_data(info), nla_len(info));
	return NL_OK;
}

static int take_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct dump *d = arg;

	(void)from;
	d->err = e->error;
	return NL_STOP;
}

static int dump_sockets(struct nl_sock *sk, struct dump *d, int family, int type)
{
	struct inet_diag_req_v2 req = {
		.sdiag_family = family,
		.sdiag_protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1),
		.idiag_states = UINT32_MAX,
	};
	int err;

	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, take_socket, d);
	nl_socket_modify_err_cb(sk, NL_CB_CUSTOM, take_error, d);
	err = nl_connect(sk, NETLINK_SOCK_DIAG);
	if (err < 0)
		return -EPROTONOSUPPORT;
	err = nl_send_simple(sk, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &req, sizeof(req));
	if (err >= 0)
		err = nl_recvmsgs_default(sk);
	if (d->err)
		return d->err;
	return err < 0 ? -EIO : 0;
}

int diag_read(struct entries *e, int family, int type)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct dump d = { .entries = e };
	int err;

	if (!sk)
		return -ENOMEM;
	err = dump_sockets(sk, &d, family, type);
	nl_socket_free(sk);
	return err;
}
