// SPDX-License-Identifier: GPL-2.0-only
#include "nl.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

/* The kernel answers at once: one that waits longer waits for ever. */
#define PATIENCE_S	60

static void __attribute__((noreturn)) give_up(const char *what)
{
	ksft_note("%s: %s", what, strerror(errno));
	exit(KSFT_FAIL);
}

static void set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		give_up("setsockopt");
}

struct dnl *dnl_open(void)
{
	return dnl_open_at(0);
}

struct dnl *dnl_open_at(uint32_t port)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct dnl *nl = calloc(1, sizeof(*nl));

	nl->sk = nl_socket_alloc();
	if (nl->sk && port)
		nl_socket_set_local_port(nl->sk, port);
	if (!nl->sk || genl_connect(nl->sk))
		give_up("netlink");
	nl->family = genl_ctrl_resolve(nl->sk, DMM_GENL_NAME);
	if (nl->family < 0)
		ksft_skip_all("the module is not loaded");
	nl->fd = nl_socket_get_fd(nl->sk);
	nl->seq = 1;
	set_option(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	set_option(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	set_option(nl->fd, SOL_SOCKET, SO_RCVBUF, 4 << 20);
	set_option(nl->fd, SOL_SOCKET, SO_SNDBUF, 1 << 20);
	setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return nl;
}

void dnl_close(struct dnl *nl)
{
	nl_socket_free(nl->sk);
	free(nl);
}

uint32_t dnl_port(const struct dnl *nl)
{
	return nl_socket_get_local_port(nl->sk);
}

void dnl_join(struct dnl *nl, const char *group)
{
	int id = genl_ctrl_resolve_grp(nl->sk, DMM_GENL_NAME, group);

	if (id < 0 || nl_socket_add_membership(nl->sk, id))
		give_up("join");
}

struct nl_msg *dnl_message(const struct dnl *nl, int cmd, int flags, const struct attr *attrs)
{
	struct nl_msg *msg = nlmsg_alloc_size(128 << 10);

	if (!msg || !genlmsg_put(msg, 0, 0, nl->family, 0, NLM_F_REQUEST | flags, cmd, DMM_GENL_VERSION))
		give_up("message");
	for (; attrs->type; attrs++)
		if (nla_put(msg, attrs->type, attrs->len, attrs->data))
			give_up("attribute");
	return msg;
}

static void transmit(struct dnl *nl, struct nl_msg *msg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);

	nlh->nlmsg_seq = nl->seq++;
	if (send(nl->fd, nlh, nlh->nlmsg_len, 0) != (ssize_t)nlh->nlmsg_len)
		give_up("send");
}

static ssize_t receive(struct dnl *nl, void *buf, size_t size)
{
	ssize_t n = recv(nl->fd, buf, size, 0);

	if (n < 0)
		give_up("no answer");
	return n;
}

static void parse(struct nlmsghdr *nlh, struct nlattr **tb)
{
	struct nlattr *attr;
	int rem;

	memset(tb, 0, 64 * sizeof(*tb));
	nla_for_each_attr(attr, genlmsg_attrdata(nlmsg_data(nlh), 0), genlmsg_attrlen(nlmsg_data(nlh), 0), rem)
		if (nla_type(attr) < 64)
			tb[nla_type(attr)] = attr;
}

static int command(struct nlmsghdr *nlh)
{
	return ((struct genlmsghdr *)nlmsg_data(nlh))->cmd;
}

/* Type of the attribute that starts at @offset of the request. */
static int attr_at(const struct nlmsghdr *request, uint32_t offset)
{
	if (offset + NLA_HDRLEN > request->nlmsg_len)
		return -1;
	return nla_type((const struct nlattr *)((const char *)request + offset));
}

static void read_extack(struct nlmsghdr *nlh, const struct nlmsghdr *request, size_t hdr, struct answer *a)
{
	struct nlattr *attr = (struct nlattr *)((char *)nlmsg_data(nlh) + hdr);
	int rem = nlmsg_datalen(nlh) - hdr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	for (; nla_ok(attr, rem); attr = nla_next(attr, &rem)) {
		if (nla_type(attr) == NLMSGERR_ATTR_MSG)
			nla_strlcpy(a->text, attr, sizeof(a->text));
		else if (nla_type(attr) == NLMSGERR_ATTR_OFFS)
			a->attr = attr_at(request, nla_get_u32(attr));
	}
}

/* True when there is no more to come. */
static bool take(struct nlmsghdr *nlh, const struct nlmsghdr *request, struct answer *a)
{
	const struct nlmsgerr *error = nlmsg_data(nlh);

	if (nlh->nlmsg_seq != request->nlmsg_seq)
		return false;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		a->err = error->error;
		read_extack(nlh, request, sizeof(*error), a);
		return true;
	}
	memcpy(a->reply, nlh, nlh->nlmsg_len);
	a->cmd = command((void *)a->reply);
	parse((void *)a->reply, a->tb);
	return false;
}

int dnl_transact(struct dnl *nl, struct nl_msg *msg, struct answer *a)
{
	static char buf[64 << 10] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;
	bool done = false;
	int rem;

	memset(a, 0, offsetof(struct answer, reply));
	nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_ACK;
	transmit(nl, msg);
	while (!done) {
		rem = receive(nl, buf, sizeof(buf));
		for (nlh = (void *)buf; nlmsg_ok(nlh, rem) && !done; nlh = nlmsg_next(nlh, &rem))
			done = take(nlh, nlmsg_hdr(msg), a);
	}
	nlmsg_free(msg);
	return a->err;
}

int dnl_ask(struct dnl *nl, int cmd, int flags, const struct attr *attrs, struct answer *a)
{
	return dnl_transact(nl, dnl_message(nl, cmd, flags, attrs), a);
}

int dnl_do(struct dnl *nl, int cmd, const struct attr *attrs)
{
	struct answer a;

	return dnl_ask(nl, cmd, 0, attrs, &a);
}

void dnl_must(struct dnl *nl, int cmd, const struct attr *attrs)
{
	struct answer a;

	if (!dnl_ask(nl, cmd, 0, attrs, &a))
		return;
	ksft_note("command %d: %s (%s)", cmd, strerror(-a.err), a.text);
	exit(KSFT_FAIL);
}

int dnl_dump(struct dnl *nl, int cmd, const struct attr *attrs, message_fn fn, void *arg, bool *changed)
{
	char buf[64 << 10] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nl_msg *msg = dnl_message(nl, cmd, NLM_F_DUMP, attrs);
	bool done = false, intr = false;
	struct nlattr *tb[64];
	struct nlmsghdr *nlh;
	int rem, err = 0;

	transmit(nl, msg);
	while (!done) {
		rem = receive(nl, buf, sizeof(buf));
		for (nlh = (void *)buf; nlmsg_ok(nlh, rem); nlh = nlmsg_next(nlh, &rem)) {
			if (nlh->nlmsg_seq != nlmsg_hdr(msg)->nlmsg_seq)
				continue;
			intr |= nlh->nlmsg_flags & NLM_F_DUMP_INTR;
			done = nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR;
			if (done) {
				err = *(int *)nlmsg_data(nlh);
				break;
			}
			parse(nlh, tb);
			if (fn)
				fn(arg, command(nlh), tb);
		}
	}
	nlmsg_free(msg);
	if (changed)
		*changed = intr;
	return err;
}

int dnl_events(struct dnl *nl, int ms, message_fn fn, void *arg)
{
	char buf[64 << 10] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct pollfd pfd = { .fd = nl->fd, .events = POLLIN };
	struct nlattr *tb[64];
	struct nlmsghdr *nlh;
	int rem, nr = 0;

	for (; poll(&pfd, 1, ms) == 1; ms = 0) {
		rem = receive(nl, buf, sizeof(buf));
		for (nlh = (void *)buf; nlmsg_ok(nlh, rem); nlh = nlmsg_next(nlh, &rem)) {
			if (nlh->nlmsg_type != nl->family)
				continue;
			parse(nlh, tb);
			fn(arg, command(nlh), tb);
			nr++;
		}
	}
	return nr;
}

uint32_t dnl_rule_add(struct dnl *nl, const struct attr *attrs)
{
	struct answer a;

	if (dnl_ask(nl, DMM_CMD_RULE_ADD, NLM_F_ECHO, attrs, &a) || !a.tb[DMM_A_RULE_ID])
		return 0;
	return nla_get_u32(a.tb[DMM_A_RULE_ID]);
}

uint64_t dnl_generation(struct dnl *nl)
{
	struct answer a;

	if (dnl_ask(nl, DMM_CMD_STAT_GET, 0, NO_ATTRS, &a))
		return 0;
	return nla_get_u64(a.tb[DMM_A_STAT_GEN]);
}

uint32_t dnl_stat(struct dnl *nl, int attr)
{
	struct answer a;

	if (dnl_ask(nl, DMM_CMD_STAT_GET, 0, NO_ATTRS, &a))
		return 0;
	return nla_get_u32(a.tb[attr]);
}

uint64_t dnl_commit(struct dnl *nl)
{
	struct answer a;

	if (dnl_ask(nl, DMM_CMD_TXN_COMMIT, 0, NO_ATTRS, &a) || !a.tb[DMM_A_TXN_GEN])
		return 0;
	return nla_get_u64(a.tb[DMM_A_TXN_GEN]);
}

uint32_t dnl_explain(struct dnl *nl, const struct attr *attrs)
{
	struct answer a;

	if (dnl_ask(nl, DMM_CMD_EXPLAIN, 0, attrs, &a)) {
		ksft_note("explain: %s (%s)", strerror(-a.err), a.text);
		return ~0u;
	}
	return a.tb[DMM_A_EXPLAIN_RULE] ? nla_get_u32(a.tb[DMM_A_EXPLAIN_RULE]) : 0;
}

static void hash_bytes(uint64_t *hash, const void *data, size_t len)
{
	const uint8_t *byte = data;

	while (len--)
		*hash = (*hash ^ *byte++) * 0x100000001b3;
}

static void hash_message(void *arg, int cmd, struct nlattr **tb)
{
	int i;

	for (i = 0; i < 64; i++)
		if (tb[i] && !(cmd == DMM_CMD_RULE_GET && i == DMM_A_RULE_HITS))
			hash_bytes(arg, tb[i], nla_len(tb[i]) + NLA_HDRLEN);
}

uint64_t dnl_fingerprint(struct dnl *nl)
{
	uint64_t hash = 0xcbf29ce484222325;

	dnl_dump(nl, DMM_CMD_RULE_GET, NO_ATTRS, hash_message, &hash, NULL);
	dnl_dump(nl, DMM_CMD_ZONE_GET, NO_ATTRS, hash_message, &hash, NULL);
	dnl_dump(nl, DMM_CMD_SET_GET, NO_ATTRS, hash_message, &hash, NULL);
	return hash;
}
