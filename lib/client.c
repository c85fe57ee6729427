// SPDX-License-Identifier: Apache-2.0
/*
 * Netlink client.  Changes of a transaction are queued in one buffer and sent
 * many at a time; only the last of a batch asks for an acknowledgement, for the
 * kernel handles all messages of a send in order before the send returns, and
 * reports each failure whether asked to or not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "internal.h"

enum {
	BATCH_BYTES = 64 << 10,		/* send when this much is queued */
	TX_BYTES = 2 * BATCH_BYTES,	/* an attribute may be as long again */
	RX_BYTES = 128 << 10,
	BATCH_MAX = BATCH_BYTES / (NLMSG_HDRLEN + GENL_HDRLEN) + 1,
	PREFIXES_MAX = 2048,		/* of one message: an attribute is shorter than 64 KB */
};

static const uint64_t PATIENCE_NS = 10ull * 1000 * 1000 * 1000;

struct dmm_client {
	struct nl_sock *sk;
	int fd;
	int family;
	uint32_t seq;			/* of the next message */
	bool in_txn;
	struct dmm_error error;
	size_t tx_len;
	unsigned int tx_nr;		/* messages queued; they end at seq - 1 */
	struct dmm_loc locs[BATCH_MAX];
	_Alignas(NLMSG_ALIGNTO) char tx[TX_BYTES];
	_Alignas(NLMSG_ALIGNTO) char rx[RX_BYTES];
};

union any_object {
	struct dmm_txn txn;
	struct dmm_zone zone;
	struct dmm_set set;
	struct dmm_rule rule;
	struct dmm_stat stat;
	struct dmm_explain explain;
	struct dmm_decision decision;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void nap(unsigned int us)
{
	struct timespec ts = { .tv_nsec = us * 1000l };

	nanosleep(&ts, NULL);
}

/*
 * Wait a little longer each time, until the deadline (0: not set yet) is over.
 * The wait differs between clients so that they do not meet again and again.
 */
static bool back_off(uint64_t *deadline, unsigned int *us)
{
	uint64_t now = now_ns();

	if (!*deadline) {
		*deadline = now + PATIENCE_NS;
		*us = 500;
	}
	if (now >= *deadline)
		return false;
	nap(*us + now % *us);
	if (*us < 50 * 1000)
		*us *= 2;
	return true;
}

static int open_socket(struct dmm_client *c)
{
	int on = 1;

	c->sk = nl_socket_alloc();
	if (!c->sk)
		return -ENOMEM;
	if (genl_connect(c->sk))
		return -EPROTONOSUPPORT;
	c->fd = nl_socket_get_fd(c->sk);
	c->family = genl_ctrl_resolve(c->sk, DMM_GENL_NAME);
	if (c->family < 0)
		return -ENOPROTOOPT;
	nl_socket_set_buffer_size(c->sk, 1 << 20, 2 * TX_BYTES);
	setsockopt(c->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(c->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	return 0;
}

DMM_EXPORT int dmm_open(struct dmm_client **client)
{
	struct dmm_client *c = malloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	memset(c, 0, offsetof(struct dmm_client, locs));
	c->seq = 1;
	err = open_socket(c);
	if (err)
		dmm_close(c);
	else
		*client = c;
	return err;
}

DMM_EXPORT void dmm_close(struct dmm_client *c)
{
	if (!c)
		return;
	nl_socket_free(c->sk);
	free(c);
}

DMM_EXPORT const struct dmm_error *dmm_client_error(const struct dmm_client *c)
{
	return &c->error;
}

DMM_EXPORT int dmm_client_fd(const struct dmm_client *c)
{
	return c->fd;
}

static int fail(struct dmm_client *c, int err, const struct dmm_loc *loc, const char *what)
{
	c->error = (struct dmm_error){ .err = err, .kernel = true };
	if (loc)
		c->error.loc = *loc;
	strncpy(c->error.msg, what, sizeof(c->error.msg) - 1);
	return err;
}

/* Append a message to the queue; on -EMSGSIZE the queue is as before. */
static int queue(struct dmm_client *c, unsigned int cmd, unsigned int flags, const void *obj,
		 uint64_t mask, const struct dmm_loc *loc)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)(c->tx + c->tx_len);
	struct genlmsghdr *genl = (struct genlmsghdr *)((char *)nlh + NLMSG_HDRLEN);
	int err;

	if (c->tx_nr == BATCH_MAX || c->tx_len + NLMSG_HDRLEN + GENL_HDRLEN > TX_BYTES)
		return -EMSGSIZE;
	*nlh = (struct nlmsghdr){
		.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN,
		.nlmsg_type = c->family,
		.nlmsg_flags = NLM_F_REQUEST | flags,
		.nlmsg_seq = c->seq,
	};
	*genl = (struct genlmsghdr){ .cmd = cmd, .version = DMM_GENL_VERSION };
	if (obj) {
		err = dmm_msg_put(nlh, c->tx + TX_BYTES, dmm_type_of(cmd), obj, mask);
		if (err)
			return err;
	}
	c->locs[c->tx_nr++] = loc ? *loc : (struct dmm_loc){ 0 };
	c->tx_len += nlh->nlmsg_len;
	c->seq++;
	return 0;
}

static uint32_t first_seq(const struct dmm_client *c)
{
	return c->seq - c->tx_nr;
}

/* A message of the batch just sent. */
static const struct nlmsghdr *sent_message(const struct dmm_client *c, uint32_t seq)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)c->tx;

	for (uint32_t i = first_seq(c); i != seq; i++)
		nlh = (const struct nlmsghdr *)((const char *)nlh + nlh->nlmsg_len);
	return nlh;
}

/* Attributes of the kernel's extended acknowledgement of message @seq. */
static void read_extack(struct dmm_client *c, uint32_t seq, struct nlattr *attrs, int len)
{
	const struct nlmsghdr *sent = sent_message(c, seq);
	const struct genlmsghdr *genl = nlmsg_data(sent);
	const struct dmm_type *t = dmm_type_of(genl->cmd);
	const struct nlattr *nla;
	const char *attr = NULL;
	int rem;

	nla_for_each_attr(nla, attrs, len, rem) {
		switch (nla_type(nla)) {
		case NLMSGERR_ATTR_MSG:
			nla_strlcpy(c->error.msg, nla, sizeof(c->error.msg));
			break;
		case NLMSGERR_ATTR_OFFS:
			attr = dmm_msg_attr_name(sent, t, nla_get_u32(nla));
			break;
		case NLMSGERR_ATTR_MISS_TYPE:
			if (nla_get_u32(nla) < t->nr)
				attr = t->fields[nla_get_u32(nla)].name;
			break;
		}
	}
	if (attr)
		strncpy(c->error.attr, attr, sizeof(c->error.attr) - 1);
}

/* The error in an NLMSG_ERROR or NLMSG_DONE, described in c->error if it is one. */
static int read_error(struct dmm_client *c, struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = nlmsg_data(nlh);
	int hdr = sizeof(int);

	if (nlmsg_datalen(nlh) < hdr || !e->error)
		return 0;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		hdr = sizeof(*e);
		if (nlmsg_datalen(nlh) < hdr)
			return 0;
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			hdr += NLMSG_ALIGN(e->msg.nlmsg_len - NLMSG_HDRLEN);
	}
	fail(c, e->error, &c->locs[nlh->nlmsg_seq - first_seq(c)], "");
	if ((nlh->nlmsg_flags & NLM_F_ACK_TLVS) && nlmsg_datalen(nlh) > hdr)
		read_extack(c, nlh->nlmsg_seq, (struct nlattr *)((char *)nlmsg_data(nlh) + hdr),
			    nlmsg_datalen(nlh) - hdr);
	return e->error;
}

/* Decode a message and hand it to the caller. */
static int deliver(const struct nlmsghdr *nlh, bool dump, dmm_object_fn fn, void *arg)
{
	const struct genlmsghdr *genl = nlmsg_data(nlh);
	struct dmm_object obj = { 0 };
	const struct dmm_type *t;
	union any_object any;
	int err;

	if (!nlmsg_valid_hdr(nlh, GENL_HDRLEN))
		return 0;
	obj.cmd = genl->cmd;
	t = dmm_type_of(obj.cmd);
	if (!fn || !t)
		return 0;
	/* Of a decision the dump has the rules. */
	if (dump && obj.cmd == DMM_CMD_EXPLAIN)
		err = dmm_msg_get_tried(nlh, &any.rule);
	else
		err = dmm_msg_get(nlh, t, &any);
	if (err)
		return 0;
	obj.txn = &any.txn;
	return fn(arg, &obj);
}

static ssize_t receive(struct dmm_client *c)
{
	struct iovec iov = { .iov_base = c->rx, .iov_len = sizeof(c->rx) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = recvmsg(c->fd, &msg, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(c, -errno, NULL, "netlink receive");
	if (msg.msg_flags & MSG_TRUNC)
		return fail(c, -EMSGSIZE, NULL, "netlink message too long");
	return n;
}

static int transmit(struct dmm_client *c)
{
	ssize_t n;

	do
		n = send(c->fd, c->tx, c->tx_len, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? fail(c, -errno, NULL, "netlink send") : 0;
}

static void queue_clear(struct dmm_client *c)
{
	c->tx_len = 0;
	c->tx_nr = 0;
}

/* Read answers until the one to the last message; the first error counts. */
static int read_answers(struct dmm_client *c, dmm_object_fn fn, void *arg)
{
	uint32_t first = first_seq(c), last = c->seq - 1;
	struct nlmsghdr *nlh;
	int ret = 0, err, rem;
	ssize_t n;

	for (;;) {
		n = receive(c);
		if (n < 0)
			return n;
		rem = n;
		for (nlh = (struct nlmsghdr *)c->rx; nlmsg_ok(nlh, rem);
		     nlh = nlmsg_next(nlh, &rem)) {
			if (nlh->nlmsg_seq - first > last - first)
				continue;
			if (nlh->nlmsg_type == NLMSG_ERROR)
				err = ret ? 0 : read_error(c, nlh);
			else
				err = ret ? 0 : deliver(nlh, false, fn, arg);
			if (err)
				ret = err;
			if (nlh->nlmsg_type == NLMSG_ERROR && nlh->nlmsg_seq == last)
				return ret;
		}
	}
}

/* Send the queue, the last message of which asks for an acknowledgement. */
static int exchange(struct dmm_client *c, dmm_object_fn fn, void *arg)
{
	struct nlmsghdr *last = (struct nlmsghdr *)sent_message(c, c->seq - 1);
	int err;

	last->nlmsg_flags |= NLM_F_ACK;
	err = transmit(c);
	if (!err)
		err = read_answers(c, fn, arg);
	queue_clear(c);
	return err;
}

/* The caller wants to know why it gave up, not what came of the abort. */
static int send_abort(struct dmm_client *c)
{
	struct dmm_error error = c->error;
	int err;

	queue_clear(c);
	c->in_txn = false;
	queue(c, DMM_CMD_TXN_ABORT, 0, NULL, 0, NULL);
	err = exchange(c, NULL, NULL);
	c->error = error;
	return err;
}

DMM_EXPORT int dmm_begin(struct dmm_client *c, const uint64_t *base)
{
	struct dmm_txn txn = { 0 };
	uint64_t deadline = 0;
	unsigned int us;
	int err;

	if (c->in_txn)
		return fail(c, -EALREADY, NULL, "a transaction is open");
	if (base) {
		txn.has = DMM_HAS(DMM_A_TXN_GEN);
		txn.gen = *base;
	}
	do {
		queue(c, DMM_CMD_TXN_BEGIN, 0, &txn, txn.has, NULL);
		err = exchange(c, NULL, NULL);
	} while (err == -EBUSY && back_off(&deadline, &us));
	c->in_txn = !err;
	/*
	 * The kernel refuses what a socket sends behind a begin that failed, for
	 * it may be on its way already.  Nothing is: tell it so.
	 */
	if (err)
		send_abort(c);
	return err;
}

/* Attributes that the request of a command takes. */
static uint64_t change_mask(unsigned int cmd)
{
	switch (cmd) {
	case DMM_CMD_FLUSH:
		return DMM_HAS(DMM_A_ZONE_ORIGIN);
	case DMM_CMD_ZONE_ADD:
	case DMM_CMD_ZONE_DEL:
		return ~DMM_HAS(DMM_A_ZONE_COUNT);
	case DMM_CMD_SET_ADD:
		return ~UINT64_C(0);
	case DMM_CMD_SET_DEL:
		return DMM_HAS(DMM_A_SET_NAME);
	case DMM_CMD_RULE_ADD:
		return ~(DMM_HAS(DMM_A_RULE_ID) | DMM_HAS(DMM_A_RULE_HITS) |
			 DMM_HAS(DMM_A_RULE_MISMATCH));
	case DMM_CMD_RULE_DEL:
		return DMM_HAS(DMM_A_RULE_ID) | DMM_HAS(DMM_A_RULE_PRIO) |
		       DMM_HAS(DMM_A_RULE_ORIGIN);
	case DMM_CMD_RULE_ZERO:
		return DMM_HAS(DMM_A_RULE_ID);
	default:
		return 0;
	}
}

DMM_EXPORT int dmm_sync(struct dmm_client *c)
{
	return c->tx_nr ? exchange(c, NULL, NULL) : 0;
}

static int queue_change(struct dmm_client *c, const struct dmm_change *ch, unsigned int flags,
			const void *obj)
{
	uint64_t mask = change_mask(ch->cmd);
	int err;

	if (ch->replace)
		flags |= NLM_F_REPLACE;
	err = queue(c, ch->cmd, flags, obj, mask, &ch->loc);
	if (err == -EMSGSIZE && c->tx_nr) {
		err = dmm_sync(c);
		if (err)
			return err;
		err = queue(c, ch->cmd, flags, obj, mask, &ch->loc);
	}
	if (err)
		return fail(c, err, &ch->loc, "too long for one message");
	return c->tx_len < BATCH_BYTES ? 0 : dmm_sync(c);
}

/* A zone's prefixes may need several messages. */
static int queue_zone(struct dmm_client *c, const struct dmm_change *ch)
{
	struct dmm_zone part = ch->zone;
	uint32_t left = ch->zone.prefixes.nr;
	int err;

	do {
		part.prefixes.nr = left < PREFIXES_MAX ? left : PREFIXES_MAX;
		err = queue_change(c, ch, 0, &part);
		part.prefixes.v += part.prefixes.nr;
		left -= part.prefixes.nr;
	} while (!err && left);
	return err;
}

DMM_EXPORT int dmm_change(struct dmm_client *c, const struct dmm_change *ch)
{
	if (!c->in_txn)
		return fail(c, -EINVAL, &ch->loc, "no transaction is open");
	if (!change_mask(ch->cmd))
		return fail(c, -EINVAL, &ch->loc, "not a change");
	if (ch->zone.has & DMM_HAS(DMM_A_ZONE_PREFIXES) &&
	    (ch->cmd == DMM_CMD_ZONE_ADD || ch->cmd == DMM_CMD_ZONE_DEL))
		return queue_zone(c, ch);
	return queue_change(c, ch, 0, &ch->zone);
}

static int take_id(void *arg, const struct dmm_object *obj)
{
	if (obj->cmd == DMM_CMD_RULE_ADD)
		*(uint32_t *)arg = obj->rule->id;
	return 0;
}

DMM_EXPORT int dmm_rule_add(struct dmm_client *c, const struct dmm_change *ch, uint32_t *id)
{
	int err;

	if (!c->in_txn || ch->cmd != DMM_CMD_RULE_ADD)
		return fail(c, -EINVAL, &ch->loc, "not a rule in a transaction");
	err = dmm_sync(c);
	if (!err)
		err = queue_change(c, ch, NLM_F_ECHO, &ch->rule);
	return err ? err : exchange(c, take_id, id);
}

static int take_gen(void *arg, const struct dmm_object *obj)
{
	if (obj->cmd == DMM_CMD_TXN_COMMIT && arg)
		*(uint64_t *)arg = obj->txn->gen;
	return 0;
}

DMM_EXPORT int dmm_commit(struct dmm_client *c, uint64_t *gen)
{
	int err;

	if (!c->in_txn)
		return fail(c, -EINVAL, NULL, "no transaction is open");
	/*
	 * What the netlink core refuses the module never sees, and would commit
	 * without: hear about all changes first.
	 */
	err = dmm_sync(c);
	if (err)
		return err;
	queue(c, DMM_CMD_TXN_COMMIT, 0, NULL, 0, NULL);
	err = exchange(c, take_gen, gen);
	if (!err)
		c->in_txn = false;
	return err;
}

DMM_EXPORT int dmm_abort(struct dmm_client *c)
{
	if (c->in_txn)
		return send_abort(c);
	queue_clear(c);
	return 0;
}

DMM_EXPORT int dmm_get(struct dmm_client *c, unsigned int cmd, const void *req,
		       dmm_object_fn fn, void *arg)
{
	int err;

	if (!dmm_type_of(cmd))
		return fail(c, -EINVAL, NULL, "no such command");
	err = dmm_sync(c);
	if (!err)
		err = queue(c, cmd, 0, req, ~UINT64_C(0), NULL);
	return err ? err : exchange(c, fn, arg);
}

/* Messages of a dump, kept until it is known to be consistent. */
struct dump {
	char *data;
	size_t len;
	size_t size;
	bool interrupted;
	bool done;
};

static int dump_keep(struct dump *d, const struct nlmsghdr *nlh)
{
	size_t len = NLMSG_ALIGN(nlh->nlmsg_len);

	if (d->len + len > d->size) {
		size_t size = d->size ? 2 * d->size : RX_BYTES;
		char *data = realloc(d->data, size);

		if (!data)
			return -ENOMEM;
		d->data = data;
		d->size = size;
	}
	memcpy(d->data + d->len, nlh, nlh->nlmsg_len);
	d->len += len;
	return 0;
}

static int dump_message(struct dmm_client *c, struct dump *d, struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_seq != c->seq - 1)
		return 0;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		d->interrupted = true;
	if (nlh->nlmsg_type != NLMSG_DONE && nlh->nlmsg_type != NLMSG_ERROR)
		return dump_keep(d, nlh);
	d->done = true;
	return read_error(c, nlh);
}

static int dump_receive(struct dmm_client *c, struct dump *d)
{
	struct nlmsghdr *nlh;
	int err = 0, rem;
	ssize_t n;

	while (!d->done && !err) {
		n = receive(c);
		if (n < 0)
			return n;
		rem = n;
		for (nlh = (struct nlmsghdr *)c->rx; nlmsg_ok(nlh, rem) && !err;
		     nlh = nlmsg_next(nlh, &rem))
			err = dump_message(c, d, nlh);
	}
	return err;
}

static int dump_once(struct dmm_client *c, unsigned int cmd, const void *req, struct dump *d)
{
	int err;

	d->len = 0;
	d->interrupted = d->done = false;
	err = queue(c, cmd, NLM_F_DUMP, req, ~UINT64_C(0), NULL);
	if (err)
		return err;
	err = transmit(c);
	if (!err)
		err = dump_receive(c, d);
	queue_clear(c);
	if (!err && d->interrupted)
		err = fail(c, -EAGAIN, NULL, "the table changed during the dump");
	return err;
}

DMM_EXPORT int dmm_dump(struct dmm_client *c, unsigned int cmd, const void *req,
			dmm_object_fn fn, void *arg)
{
	struct dump d = { 0 };
	uint64_t deadline = 0;
	struct nlmsghdr *nlh;
	unsigned int us;
	int err, rem;

	if (!dmm_type_of(cmd))
		return fail(c, -EINVAL, NULL, "no such command");
	err = dmm_sync(c);
	if (err)
		return err;
	do
		err = dump_once(c, cmd, req, &d);
	while (err == -EAGAIN && d.interrupted && back_off(&deadline, &us));
	/* Messages are delivered by length: a dump may be longer than an int counts. */
	for (size_t at = 0; !err && at < d.len; at += NLMSG_ALIGN(nlh->nlmsg_len)) {
		nlh = (struct nlmsghdr *)(d.data + at);
		rem = nlh->nlmsg_len;
		if (nlmsg_ok(nlh, rem))
			err = deliver(nlh, true, fn, arg);
	}
	free(d.data);
	return err;
}

DMM_EXPORT int dmm_subscribe(struct dmm_client *c, const char *group)
{
	int id = genl_ctrl_resolve_grp(c->sk, DMM_GENL_NAME, group);

	if (id < 0)
		return fail(c, -ENOENT, NULL, "no such group of events");
	if (setsockopt(c->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &id, sizeof(id)))
		return fail(c, -errno, NULL, "cannot join the group of events");
	return 0;
}

DMM_EXPORT int dmm_events(struct dmm_client *c, dmm_object_fn fn, void *arg)
{
	struct nlmsghdr *nlh;
	int err = 0, rem;
	ssize_t n;

	n = receive(c);
	if (n < 0)
		return n;
	rem = n;
	for (nlh = (struct nlmsghdr *)c->rx; nlmsg_ok(nlh, rem) && !err; nlh = nlmsg_next(nlh, &rem))
		err = deliver(nlh, false, fn, arg);
	return err;
}
