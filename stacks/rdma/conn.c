// SPDX-License-Identifier: Apache-2.0
/*
 * A connection: bytes, credits, its end.
 *
 * What the application sends is written from its tx ring straight into the rx ring of the peer's
 * application, and consumed when the peer's device has acknowledged it.  Each message is one RDMA
 * WRITE with an immediate; the immediate is what the peer's daemon hears of it.
 *
 * A connection that breaks or is over becomes RD_DEAD at once, so that nothing is done with it any
 * more, and gives back what it has of the device at the end of the turn: only then its rings are
 * nobody else's, and only then the SDK is told.
 */
#include "rdma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/tcp.h>
#include <sys/random.h>

#define CHUNK_MAX	(128u << 10)	/* bytes of a message: the peer reads while the next is on its way */
#define CONTROL_MAX	100u		/* pings between two ticks: more is an attack */
#define RNR_TIMER	12		/* 640 microseconds */

static SLIST_HEAD(, rd_conn) to_pump = SLIST_HEAD_INITIALIZER(to_pump);

static void unlist(struct rd_conn *c)
{
	if (c->listed)
		LIST_REMOVE(c, link);
	c->listed = false;
}

static void enlist(struct rd_conn *c, struct rd_conns *list)
{
	unlist(c);
	LIST_INSERT_HEAD(list, c, link);
	c->listed = true;
}

static void pump_later(struct rd_conn *c)
{
	if (c->pumping)
		return;
	c->pumping = true;
	SLIST_INSERT_HEAD(&to_pump, c, to_pump);
}

struct rd_conn *rd_conn_new(struct dmm_conn *conn)
{
	struct rd_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->conn = conn;
	if (conn)
		dmm_conn_set_priv(conn, c);
	if (getrandom(&c->ticket, sizeof(c->ticket), 0) != sizeof(c->ticket))
		c->ticket = (uintptr_t)c ^ rd.now;
	enlist(c, &rd.setup);
	return c;
}

void rd_conn_free(struct rd_conn *c)
{
	unlist(c);
	if (c->pumping)
		SLIST_REMOVE(&to_pump, c, rd_conn, to_pump);
	free(c);
}

/* The rings belong to the kernel again afterwards. */
static void release_rings(struct rd_conn *c)
{
	if (c->rx_mr)
		ibv_dereg_mr(c->rx_mr);
	if (c->tx_mr)
		ibv_dereg_mr(c->tx_mr);
	c->rx_mr = c->tx_mr = NULL;
}

/*
 * A protection domain and two regions per connection: its key opens its own rx ring, to its own peer.
 * What others had in the ring goes first, for the peer decides which of its bytes are read.
 */
static int register_rings(struct rd_conn *c)
{
	struct iovec tx, rx;
	int ret = dmm_conn_rings(c->conn, &tx, &rx);

	if (ret)
		return ret;
	memset(rx.iov_base, 0, rx.iov_len);
	c->pd = ibv_alloc_pd(c->id->verbs);
	if (!c->pd)
		return -errno;
	c->tx_mr = ibv_reg_mr(c->pd, tx.iov_base, tx.iov_len, 0);
	c->rx_mr = ibv_reg_mr(c->pd, rx.iov_base, rx.iov_len,
			      IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	if (!c->tx_mr || !c->rx_mr)
		return -errno;
	c->tx_size = tx.iov_len;
	c->in = (struct rd_flow){ rx.iov_len, rx.iov_len };
	return 0;
}

/* What it needs of the device; rd_conn_kill() gives it back.  The number of the QP is known then. */
int rd_conn_setup(struct rd_conn *c)
{
	struct rd_device *d = rd_device_get(c->id->verbs);
	struct ibv_qp_init_attr attr = {
		.qp_context = c,
		.cap = { .max_send_wr = RD_WRS, .max_send_sge = 2 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};
	int ret;

	if (!d || d->nr_conns == d->max_conns)
		return -ENOBUFS;
	if (d->down)
		return -ENETUNREACH;
	ret = register_rings(c);
	if (ret)
		return ret;
	attr.send_cq = attr.recv_cq = d->cq;
	attr.srq = d->srq;
	if (rdma_create_qp(c->id, c->pd, &attr))
		return -errno;
	rd_device_add(d, c);
	return 0;
}

/* What the peer has said of its ring. */
void rd_conn_remote(struct rd_conn *c, const struct rd_message *m)
{
	c->remote = *m;
	c->ticket = m->ticket;
	c->out = (struct rd_flow){ m->size, m->size };
}

static void show(struct rd_conn *c)
{
	struct dmm_metrics *m = c->conn ? dmm_conn_metrics(c->conn) : NULL;
	static const uint8_t states[2][2] = {
		{ TCP_ESTABLISHED, TCP_CLOSE_WAIT }, { TCP_FIN_WAIT1, TCP_LAST_ACK },
	};

	if (!m)
		return;
	m->state = c->state == RD_DEAD ? TCP_CLOSE : states[c->fin_sent][c->fin_received];
	m->snd_wnd = c->out.room;
	m->rcv_wnd = c->in.room;
	m->bytes_acked = c->bytes_acked;
	m->bytes_received = c->bytes_received;
	m->segs_out = c->segs_out;
	m->segs_in = c->segs_in;
}

/* It can be used from now on.  Receivers that are not ready are asked again soon, not in half a second. */
void rd_conn_open(struct rd_conn *c)
{
	struct ibv_qp_attr attr = { .min_rnr_timer = RNR_TIMER };

	if (c->state == RD_OPEN || c->state == RD_DEAD)
		return;
	c->state = RD_OPEN;
	c->deadline = c->closing ? rd.now + rd.linger : 0;
	enlist(c, &rd.open);
	ibv_modify_qp(c->id->qp, &attr, IBV_QP_MIN_RNR_TIMER);
	if (rd_peer_add(c))
		return rd_conn_kill(c, -ENOBUFS, RD_CAUSE_LOCAL);
	show(c);
	pump_later(c);
}

/* Sending. */

static unsigned int outstanding(const struct rd_conn *c)
{
	return c->wr_head - c->wr_tail;
}

static bool post(struct rd_conn *c, enum rd_immediate type, uint32_t value, struct ibv_sge *sge, int nr)
{
	struct ibv_send_wr *bad, wr = {
		.wr_id = (uintptr_t)c,
		.sg_list = sge,
		.num_sge = nr,
		.opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
		.send_flags = IBV_SEND_SOLICITED,
		.imm_data = rd_immediate_build(type, value),
		.wr.rdma = { c->remote.addr + (c->written & (c->remote.size - 1)), c->remote.rkey },
	};

	if (outstanding(c) == RD_WRS)
		return false;
	if (ibv_post_send(c->id->qp, &wr, &bad)) {
		rd_conn_kill(c, -ECONNRESET, RD_CAUSE_DEVICE);
		return false;
	}
	c->wrs[c->wr_head % RD_WRS].bytes = type == RD_IMM_DATA ? value : 0;
	c->wrs[c->wr_head++ % RD_WRS].type = type;
	c->dev->outstanding++;
	c->segs_out++;
	return true;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* How much may go with the next message: it does not wrap around in the peer's ring. */
static uint32_t allowed(const struct rd_conn *c)
{
	uint32_t chunk = smaller(CHUNK_MAX, c->out.size / 2);
	uint32_t to_end = c->out.size - (c->written & (c->out.size - 1));

	return outstanding(c) < RD_WRS_DATA ? smaller(smaller(c->out.room, chunk), to_end) : 0;
}

/* The elements of @iov as those of a request, up to @max bytes; returns the bytes. */
static uint32_t gather(const struct rd_conn *c, const struct iovec *iov, int *nr, uint32_t max,
		       struct ibv_sge *sge)
{
	uint32_t bytes = 0, len;
	int n = 0;

	for (; n < *nr && bytes < max; n++) {
		len = smaller(iov[n].iov_len, max - bytes);
		sge[n] = (struct ibv_sge){ (uintptr_t)iov[n].iov_base, len, c->tx_mr->lkey };
		bytes += len;
	}
	*nr = n;
	return bytes;
}

static bool send_data(struct rd_conn *c)
{
	uint32_t max = allowed(c), bytes;
	struct ibv_sge sge[2];
	struct iovec iov[2];
	int nr;

	if (!max)
		return false;
	nr = dmm_conn_tx_peek(c->conn, c->unacked, iov, 2);
	if (!nr)
		return false;
	bytes = gather(c, iov, &nr, max, sge);
	if (!post(c, RD_IMM_DATA, bytes, sge, nr))
		return false;
	c->out.room -= bytes;
	c->written += bytes;
	c->unacked += bytes;
	return true;
}

static void send_control(struct rd_conn *c)
{
	if (c->owed_credit && post(c, RD_IMM_CREDIT, c->owed_credit, NULL, 0))
		c->owed_credit = 0;
	if (c->owed_pong && post(c, RD_IMM_PONG, 0, NULL, 0))
		c->owed_pong = false;
	if (c->owed_ping && post(c, RD_IMM_PING, 0, NULL, 0))
		c->owed_ping = false;
}

/* Whoever waits for an acknowledgement wants to hear of it; the others find it when something comes in. */
static void set_urgent(struct rd_conn *c)
{
	bool urgent = c->state == RD_OPEN && outstanding(c) &&
		      (c->unacked >= c->tx_size / 2 || c->shut || outstanding(c) >= RD_WRS_DATA / 2);

	if (urgent == c->urgent)
		return;
	c->urgent = urgent;
	c->dev->urgent += urgent ? 1 : -1;
}

static bool all_sent(const struct rd_conn *c)
{
	return !c->conn || dmm_conn_tx_pending(c->conn) == c->unacked;
}

/* The application is gone and all is delivered: what is left is to hear the peer say the same. */
static void orphan(struct rd_conn *c)
{
	struct dmm_conn *conn = c->conn;

	release_rings(c);
	c->conn = NULL;
	dmm_conn_closed(conn);
}

static void finish(struct rd_conn *c)
{
	if (c->shut && !c->fin_sent && all_sent(c))
		c->fin_sent = post(c, RD_IMM_FIN, 0, NULL, 0);
	if (c->state != RD_OPEN || !c->fin_acked)
		return;
	if (c->fin_received)
		rd_conn_kill(c, 0, RD_CAUSE_NONE);
	else if (c->closing && c->conn)
		orphan(c);
}

void rd_conn_pump(struct rd_conn *c)
{
	if (c->state != RD_OPEN)
		return;
	send_control(c);
	while (c->conn && c->state == RD_OPEN && !c->fin_sent && send_data(c))
		;
	if (c->state == RD_OPEN)
		finish(c);
	if (c->state == RD_OPEN)
		set_urgent(c);
}

void rd_conns_pump(void)
{
	struct rd_conn *c;

	while ((c = SLIST_FIRST(&to_pump))) {
		SLIST_REMOVE_HEAD(&to_pump, to_pump);
		c->pumping = false;
		rd_conn_pump(c);
	}
}

/* The first request that fails need not be the one that says why. */
static void request_failed(struct rd_conn *c, enum ibv_wc_status status)
{
	if (status == IBV_WC_RETRY_EXC_ERR || rd_peer_silent(c))
		rd_conn_kill(c, -ETIMEDOUT, RD_CAUSE_SILENT);
	else if (c->dev->down || status == IBV_WC_LOC_QP_OP_ERR)	/* there is no route any more */
		rd_conn_kill(c, -ECONNRESET, RD_CAUSE_LINK);
	else
		rd_conn_kill(c, -ECONNRESET, RD_CAUSE_PEER);
}

void rd_conn_sent(struct rd_conn *c, enum ibv_wc_status status)
{
	uint32_t bytes = c->wrs[c->wr_tail % RD_WRS].bytes;
	enum rd_immediate type = c->wrs[c->wr_tail % RD_WRS].type;

	if (c->state == RD_DEAD)
		return;
	if (status != IBV_WC_SUCCESS)
		return request_failed(c, status);
	c->wr_tail++;
	c->dev->outstanding--;
	if (type == RD_IMM_FIN)
		c->fin_acked = true;
	if (bytes) {
		c->unacked -= bytes;
		c->bytes_acked += bytes;
		if (c->conn)
			dmm_conn_tx_consume(c->conn, bytes);
	}
	show(c);
	pump_later(c);
}

void rd_conn_ping(struct rd_conn *c)
{
	c->owed_ping = true;
	pump_later(c);
}

/* Receiving. */

/*
 * The peer learns of room in quarters of the ring.  While it believes to have half of it, it will
 * write something and we look again; when it has less, the kernel has to tell of room.
 */
void rd_conn_window(struct rd_conn *c)
{
	uint32_t step = c->in.size / 4, room;

	if (c->state != RD_OPEN || !c->conn || c->fin_received || c->closing)
		return;
	room = dmm_conn_rx_reserve(c->conn, 0, NULL);
	if (room < c->in.room + step && c->in.room < c->in.size / 2)
		room = dmm_conn_rx_reserve(c->conn, c->in.room + step, NULL);
	if (room < c->in.room + step)
		return;
	c->owed_credit += room - c->in.room;
	c->in.room = room;
	pump_later(c);
}

static void received_data(struct rd_conn *c, uint32_t bytes)
{
	c->bytes_received += bytes;
	dmm_conn_rx_commit(c->conn, bytes);
	rd_conn_window(c);
	show(c);
}

static void received_fin(struct rd_conn *c)
{
	c->fin_received = true;
	if (c->conn)
		dmm_conn_eof(c->conn);
	show(c);
	pump_later(c);
}

/* The peer may do what the protocol has, no more. */
static bool received(struct rd_conn *c, enum rd_immediate type, uint32_t value, uint32_t written)
{
	if (type >= RD_IMM_PING && ++c->control > CONTROL_MAX)
		return false;
	switch (type) {
	case RD_IMM_DATA:
		if (c->fin_received || written != value || !rd_flow_take(&c->in, value))
			return false;
		if (c->closing)
			rd_conn_kill(c, -ECONNRESET, RD_CAUSE_LOCAL);
		else
			received_data(c, value);
		return true;
	case RD_IMM_CREDIT:
		pump_later(c);
		return !written && value >= c->out.size / 4 && rd_flow_give(&c->out, value);
	case RD_IMM_FIN:
		if (c->fin_received || written)
			return false;
		received_fin(c);
		return true;
	case RD_IMM_PING:
		c->owed_pong = true;
		pump_later(c);
		return !written;
	default:
		return !written;
	}
}

void rd_conn_received(struct rd_conn *c, const struct ibv_wc *wc)
{
	enum rd_immediate type;
	uint32_t value;

	/* The first message is as good as the end of the handshake, which it can overtake. */
	if (c->state == RD_ACCEPTED)
		rd_conn_open(c);
	if (c->state != RD_OPEN)
		return;
	rd_peer_heard(c);
	c->segs_in++;
	if (wc->status != IBV_WC_SUCCESS || wc->opcode != IBV_WC_RECV_RDMA_WITH_IMM ||
	    !rd_immediate_parse(wc->imm_data, &type, &value) ||
	    !received(c, type, value, wc->byte_len))
		rd_conn_kill(c, -ECONNRESET, RD_CAUSE_PROTOCOL);
}

/* The end. */

/* The peer is done, or has reset the connection: done is who has heard our FIN and said his. */
void rd_conn_disconnected(struct rd_conn *c)
{
	if (c->state == RD_OPEN && c->fin_received && c->fin_sent)
		rd_conn_kill(c, 0, RD_CAUSE_NONE);
	else
		rd_conn_kill(c, -ECONNRESET, RD_CAUSE_PEER);
}

/* An orphan has said all and heard nothing; TCP waits as long. */
void rd_conn_close(struct rd_conn *c, bool reset)
{
	c->closing = c->shut = true;
	c->deadline = rd.now + rd.linger;
	if (c->state == RD_DEAD && !c->id) {
		dmm_conn_closed(c->conn);
		return rd_conn_free(c);
	}
	if (reset || c->state < RD_ACCEPTED)
		return rd_conn_kill(c, -ECONNRESET, RD_CAUSE_LOCAL);
	pump_later(c);
}

void rd_conn_kill(struct rd_conn *c, int error, enum rd_cause cause)
{
	enum rd_state state = c->state;

	if (state == RD_DEAD)
		return;
	c->state = RD_DEAD;
	c->error = error;
	if (state >= RD_ACCEPTED)
		rd.broken[cause] += cause != RD_CAUSE_NONE;
	c->mute = c->dev && (c->dev->down || cause == RD_CAUSE_LINK);
	if (state >= RD_ACCEPTED && c->id && !c->mute)
		rdma_disconnect(c->id);
	show(c);
	enlist(c, &rd.dead);
}

static void release_device(struct rd_conn *c)
{
	struct rd_device *d = c->dev;

	if (c->id && c->id->qp)
		rdma_destroy_qp(c->id);
	release_rings(c);
	if (c->pd)
		ibv_dealloc_pd(c->pd);
	c->pd = NULL;
	if (c->id)
		rd_reaper_take(c->id, c->mute ? d : NULL);
	c->id = NULL;
	if (!d)
		return;
	d->outstanding -= outstanding(c);
	d->urgent -= c->urgent;
	c->urgent = false;
	c->wr_tail = c->wr_head;
}

void rd_conn_unmake(struct rd_conn *c)
{
	release_device(c);
	if (c->dev)
		rd_device_remove(c->dev, c);
	c->dev = NULL;
}

/* Tell the SDK what it does not know yet.  One that the kernel has not decided about is told then. */
static void bury(struct rd_conn *c)
{
	struct dmm_conn *conn = c->conn;
	bool unanswered = !c->answered && conn && dmm_conn_id(conn);

	unlist(c);
	if (!conn)
		return rd_conn_free(c);
	if (c->closing) {
		dmm_conn_closed(conn);
		rd_conn_free(c);
	} else if (unanswered) {
		dmm_conn_error(conn, c->error);
		rd_conn_free(c);
	} else if (c->error && dmm_conn_id(conn)) {
		dmm_conn_error(conn, c->error);
	}
}

/*
 * Completions of a QP can be in the queue until it is destroyed, and none comes after that: so what
 * is there is taken before the connections go to which they refer.
 */
bool rd_conns_reap(void)
{
	struct rd_conn *c, *next;

	if (LIST_EMPTY(&rd.dead))
		return false;
	LIST_FOREACH(c, &rd.dead, link) {
		rd_peer_remove(c);
		release_device(c);
	}
	for (unsigned int i = 0; i < RD_DEVICES_MAX; i++)
		if (rd.devices[i].verbs)
			rd_device_drain(&rd.devices[i]);
	for (c = LIST_FIRST(&rd.dead); c; c = next) {
		next = LIST_NEXT(c, link);
		/* It died while the others were released. */
		if (c->id)
			continue;
		rd_conn_unmake(c);
		bury(c);
	}
	return true;
}
