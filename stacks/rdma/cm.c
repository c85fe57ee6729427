// SPDX-License-Identifier: Apache-2.0
/*
 * The connection manager: from a request to a connection.
 *
 *	who asks					who answers
 *	rd_connect(): resolve the address, the route
 *	rings, QP; request with hello -------------->	the kernel decides: rd_accepted(), rd_refused()
 *							rings, QP
 *	RD_OPEN  <----------------------------------	answer with hello
 *	connected  --------------------------------->	RD_OPEN
 *
 * A backlog that is full is an answer, too: ask again, as TCP would repeat its SYN.
 */
#include "rdma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RESOLVE_MS	1000
#define RETRIES		5		/* of a message, before its receiver is given up */
#define BACKOFF_MIN	INT64_C(20000000)
#define BACKOFF_MAX	INT64_C(500000000)

/* What the connection manager says when nobody listens at a port, and when it has no room for another request. */
#define REJ_NO_SERVICE	8
#define REJ_CONSUMER	28

/* All attempts of a message within two thirds of the time that a peer may be silent. */
static void set_ack_timeout(struct rdma_cm_id *id)
{
	int64_t each = rd.silence * 2 / 3 / (RETRIES + 1);
	uint8_t timeout = 1;

	while (timeout < 31 && (INT64_C(4096) << (timeout + 1)) <= each)
		timeout++;
	rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &timeout, sizeof(timeout));
}

static struct rdma_conn_param params(const struct rd_conn *c, uint8_t hello[RD_WIRE_MAX])
{
	struct rd_message m = {
		.type = RD_HELLO,
		.ticket = c->ticket,
		.addr = (uintptr_t)c->rx_mr->addr,
		.rkey = c->rx_mr->rkey,
		.size = c->in.size,
	};

	return (struct rdma_conn_param){
		.private_data = hello,
		.private_data_len = rd_wire_build(&m, hello),
		.responder_resources = 1,
		.initiator_depth = 1,
		.retry_count = RETRIES,
		.rnr_retry_count = 7,	/* for ever: the timer of silence ends it */
	};
}

/* Who asks. */

/* The socket's own address, or ours if there is one only; else what the route says. */
static bool source(const struct rd_conn *c, const union rd_sockaddr *to, union rd_sockaddr *sa)
{
	const struct rd_address *ours = rd_address_of_family(to->sa.sa_family);

	rd_sockaddr(sa, c->open.local, c->open.lport);
	if (!dmm_address_is_any(c->open.local))
		return true;
	if (ours)
		*sa = ours->sa;
	else
		memset(sa, 0, sizeof(*sa));
	sa->sa.sa_family = to->sa.sa_family;
	sa->in.sin_port = c->open.lport;
	return ours || c->open.lport;
}

static int start_connect(struct rd_conn *c)
{
	union rd_sockaddr to, from;
	bool bound;
	int one = 1;

	if (rd_reaper_is_stuck())
		return -ENOBUFS;
	if (rdma_create_id(rd.cm, &c->id, c, RDMA_PS_TCP))
		return -errno;
	rdma_set_option(c->id, RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, &one, sizeof(one));
	set_ack_timeout(c->id);
	rd_sockaddr(&to, c->open.remote, c->open.rport);
	bound = source(c, &to, &from);
	if (rdma_resolve_addr(c->id, bound ? &from.sa : NULL, &to.sa, RESOLVE_MS))
		return -errno;
	return 0;
}

/* An error as TCP has it. */
static int connect_errno(int error)
{
	switch (error) {
	case -EADDRINUSE:
	case -EADDRNOTAVAIL:
	case -ENETUNREACH:
	case -ECONNREFUSED:
	case -ETIMEDOUT:
	case -ENOMEM:
	case -ENOBUFS:
		return error;
	default:
		return -EHOSTUNREACH;
	}
}

static void not_connected(struct rd_conn *c, int error)
{
	rd_conn_kill(c, connect_errno(error), RD_CAUSE_NONE);
}

void rd_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	struct rd_conn *c = rd_conn_new(conn);
	int ret;

	if (!c)
		return dmm_conn_error(conn, -ENOMEM);
	c->open = *open;
	c->state = RD_CONNECTING;
	c->deadline = rd.now + rd.connect_timeout;
	ret = start_connect(c);
	if (ret)
		not_connected(c, ret);
}

static void request(struct rd_conn *c)
{
	uint8_t hello[RD_WIRE_MAX];
	struct rdma_conn_param p;
	int ret = rd_conn_setup(c);

	if (!ret) {
		p = params(c, hello);
		ret = rdma_connect(c->id, &p) ? -errno : 0;
	}
	if (ret)
		not_connected(c, ret);
}

/* The id cannot be destroyed while it has an event, so what it has of the device goes when it is time. */
static void back_off(struct rd_conn *c)
{
	int64_t wait = BACKOFF_MIN << (c->tries < 8 ? c->tries++ : 8);

	c->state = RD_BACKOFF;
	c->retry = rd.now + (wait < BACKOFF_MAX ? wait : BACKOFF_MAX);
}

/* Without a reason of ours, the connection manager of the other side had no room. */
static void rejected(struct rd_conn *c, const struct rdma_cm_event *e)
{
	struct rd_message m;

	if (c->state != RD_CONNECTING)
		return rd_conn_kill(c, -ECONNRESET, RD_CAUSE_PEER);
	if (e->status != REJ_CONSUMER)
		return not_connected(c, e->status == REJ_NO_SERVICE ? -ECONNREFUSED : -EHOSTUNREACH);
	if (rd_wire_parse(e->param.conn.private_data, e->param.conn.private_data_len, &m) ||
	    m.type != RD_REJECT)
		m.reason = e->param.conn.private_data_len ? RD_REFUSED : RD_BUSY;
	if (m.reason == RD_BUSY)
		back_off(c);
	else
		not_connected(c, -ECONNREFUSED);
}

static void connected(struct rd_conn *c, const struct rdma_cm_event *e)
{
	struct rd_message m;

	if (rd_wire_parse(e->param.conn.private_data, e->param.conn.private_data_len, &m) ||
	    m.type != RD_HELLO || m.ticket != c->ticket) {
		rdma_disconnect(c->id);
		return not_connected(c, -ECONNREFUSED);
	}
	rd_conn_remote(c, &m);
	rd_sockaddr_out(c->open.local, &c->open.lport, rdma_get_local_addr(c->id));
	c->answered = true;
	rd.connected++;
	dmm_conn_connected(c->conn, &c->open);
	rd_conn_open(c);
}

/* Who answers. */

static void reject(struct rd_conn *c, enum rd_reason reason)
{
	struct rd_message m = { .type = RD_REJECT, .reason = reason };
	uint8_t data[RD_WIRE_MAX];
	size_t len = rd_wire_build(&m, data);

	rd.rejected++;
	if (c->id)
		rdma_reject(c->id, data, len);
}

static void ends_of(struct rdma_cm_id *id, struct dmm_open *open)
{
	const struct sockaddr *local = rdma_get_local_addr(id), *remote = rdma_get_peer_addr(id);

	*open = (struct dmm_open){ .family = remote->sa_family, .type = SOCK_STREAM };
	rd_sockaddr_out(open->local, &open->lport, local);
	rd_sockaddr_out(open->remote, &open->rport, remote);
}

/* Nothing is known of the peer but this. */
static bool asked(struct rd_conn *c, struct rd_listener *l, const struct rdma_cm_event *e)
{
	struct rd_message m;

	if (rd_wire_parse(e->param.conn.private_data, e->param.conn.private_data_len, &m) ||
	    m.type != RD_HELLO) {
		reject(c, RD_GARBAGE);
		return false;
	}
	rd_conn_remote(c, &m);
	ends_of(c->id, &c->open);
	c->state = RD_ASKED;
	c->deadline = rd.now + rd.silence;
	c->conn = dmm_conn_incoming(rd.queue, rd_listener_conn(l), &c->open, c);
	if (!c->conn)
		reject(c, RD_BUSY);
	return c->conn;
}

static void incoming(const struct rdma_cm_event *e)
{
	struct rd_conn *c = rd_conn_new(NULL);

	/* An id that is destroyed is rejected. */
	if (!c) {
		rd.orphaned = e->id;
		return;
	}
	c->id = e->id;
	c->id->context = c;
	if (!asked(c, e->listen_id->context, e))
		rd_conn_kill(c, -ECONNREFUSED, RD_CAUSE_NONE);
}

void rd_accepted(struct dmm_conn *conn)
{
	struct rd_conn *c = dmm_conn_priv(conn);
	uint8_t hello[RD_WIRE_MAX];
	struct rdma_conn_param p;
	int ret;

	c->answered = true;
	if (c->state == RD_DEAD) {
		if (!c->id)
			dmm_conn_error(conn, -ECONNRESET);
		return;
	}
	set_ack_timeout(c->id);
	ret = rd_conn_setup(c);
	if (!ret) {
		p = params(c, hello);
		ret = rdma_accept(c->id, &p) ? -errno : 0;
	}
	if (ret) {
		reject(c, RD_BUSY);
		return rd_conn_kill(c, -ECONNRESET, RD_CAUSE_DEVICE);
	}
	rd.accepted++;
	c->state = RD_ACCEPTED;
	c->deadline = rd.now + rd.silence;
}

void rd_refused(struct dmm_conn *conn, int error)
{
	struct rd_conn *c = dmm_conn_priv(conn);

	c->conn = NULL;
	if (c->state == RD_DEAD && !c->id)
		return rd_conn_free(c);
	reject(c, error == -ECONNREFUSED ? RD_REFUSED : RD_BUSY);
	rd_conn_kill(c, error, RD_CAUSE_NONE);
}

/* Events. */

static void resolved(struct rd_conn *c)
{
	if (c->state == RD_CONNECTING && rdma_resolve_route(c->id, RESOLVE_MS))
		not_connected(c, -errno);
}

/* What was heard before the end is taken first. */
static void disconnected(struct rd_conn *c)
{
	if (c->dev)
		rd_device_drain(c->dev);
	rd_conn_disconnected(c);
}

static void unreachable(struct rd_conn *c, const struct rdma_cm_event *e)
{
	if (c->state == RD_CONNECTING)
		not_connected(c, e->status < 0 ? e->status : -EHOSTUNREACH);
	else
		rd_conn_kill(c, -ETIMEDOUT, RD_CAUSE_SILENT);
}

static void conn_event(struct rd_conn *c, const struct rdma_cm_event *e)
{
	if (c->state == RD_DEAD)
		return;
	switch (e->event) {
	case RDMA_CM_EVENT_ADDR_RESOLVED:
		return resolved(c);
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		return request(c);
	case RDMA_CM_EVENT_ESTABLISHED:
		return c->state == RD_CONNECTING ? connected(c, e) : rd_conn_open(c);
	case RDMA_CM_EVENT_REJECTED:
		return rejected(c, e);
	case RDMA_CM_EVENT_DISCONNECTED:
		return disconnected(c);
	case RDMA_CM_EVENT_ADDR_ERROR:
	case RDMA_CM_EVENT_ROUTE_ERROR:
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
		return unreachable(c, e);
	default:
		return;
	}
}

/* The id's context says what it is: nothing, one that holds an address of ours or is over; a listener, a connection. */
static void event(const struct rdma_cm_event *e)
{
	struct rd_sock *s = e->id->context;

	if (e->event == RDMA_CM_EVENT_CONNECT_REQUEST)
		incoming(e);
	else if (e->event == RDMA_CM_EVENT_DEVICE_REMOVAL)
		rd.gone = true;
	else if (s && !s->listens)
		conn_event((struct rd_conn *)s, e);
}

void rd_cm_events(void *unused)
{
	struct rdma_cm_event *e;

	(void)unused;
	while (!rdma_get_cm_event(rd.cm, &e)) {
		event(e);
		rdma_ack_cm_event(e);
		if (rd.orphaned)
			rdma_destroy_id(rd.orphaned);
		rd.orphaned = NULL;
	}
}

static void ask_again(struct rd_conn *c)
{
	int ret;

	rd_conn_unmake(c);
	c->state = RD_CONNECTING;
	c->deadline = rd.now + rd.connect_timeout;
	ret = start_connect(c);
	if (ret)
		not_connected(c, ret);
}

int64_t rd_setup_timer(struct rd_conn *c)
{
	int64_t due = c->state == RD_BACKOFF ? c->retry : c->deadline;

	if (rd.now < due)
		return due - rd.now;
	if (c->state == RD_BACKOFF)
		ask_again(c);
	else
		rd_conn_kill(c, -ETIMEDOUT, RD_CAUSE_SILENT);
	return 0;
}
