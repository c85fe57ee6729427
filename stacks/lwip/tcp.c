// SPDX-License-Identifier: Apache-2.0
/*
 * Connections.
 *
 * Bytes to transmit stay in the tx ring: lwIP's segments refer to them, and they are consumed when
 * the peer has acknowledged them.  Received bytes are copied to the rx ring; what finds no room
 * waits in lwIP's buffers.  The window that is announced is what ring and buffers may still take,
 * so that never more than rcvbuf bytes wait for an application that does not read.
 *
 * Life: the struct goes with the last of its two ends, the SDK's connection and lwIP's.  lwIP's
 * end tells when it goes (LW_EXT_METER), in whatever state.
 */
#include "lwip.h"

#include <errno.h>
#include <stdlib.h>
#include <lwip/tcp.h>
#include <lwip/priv/tcp_priv.h>

#define RTO_MIN		(200 / TCP_SLOW_INTERVAL)
#define POLL_INTERVAL	4	/* of lwIP's slow timer: 200 ms */
#define AHEAD		65536u	/* bytes that lwIP is given beyond what it may send now */

struct connection {
	struct lw_sock sock;
	struct tcp_pcb *pcb;		/* NULL: gone */
	struct lw_meter meter;
	size_t queued;			/* bytes that lwIP has and the peer has not acknowledged */
	struct pbuf *head, *tail;	/* received, not in the ring; tot_len is not kept */
	size_t waiting;			/* their bytes */
	int error;			/* of lwIP, before the connection was accepted */
	bool answered;			/* a connect was, or it was accepted */
	bool eof, eof_told;		/* the peer sends no more */
	bool shut, fin;			/* we send no more; lwIP knows */
	bool closing;			/* the application is gone */
};

static const struct lw_ops ops;

static void free_waiting(struct connection *c)
{
	struct pbuf *next;

	for (; c->head; c->head = next) {
		next = c->head->next;
		c->head->next = NULL;
		pbuf_free(c->head);
	}
	c->waiting = 0;
}

static void put(struct connection *c)
{
	if (c->pcb || c->sock.conn)
		return;
	free_waiting(c);
	free(c);
}

/* The SDK's end is gone. */
static void forget(struct connection *c)
{
	c->sock.conn = NULL;
	if (c->pcb) {
		tcp_arg(c->pcb, NULL);
		tcp_recv(c->pcb, NULL);
		tcp_sent(c->pcb, NULL);
		tcp_poll(c->pcb, NULL, 0);
		tcp_err(c->pcb, NULL);
		tcp_ext_arg_set(c->pcb, LW_EXT_METER, NULL);
		c->pcb = NULL;
	}
	put(c);
}

/* lwIP's end is gone, with or without a callback before. */
static void gone(u8_t id, void *data)
{
	struct lw_meter *m = data;
	struct connection *c;

	(void)id;
	if (!m)
		return;
	c = (struct connection *)((char *)m - offsetof(struct connection, meter));
	c->pcb = NULL;
	put(c);
}

/*
 * The timeout of lwIP is its estimate of the round trip in ticks plus the deviation; both become
 * zero on a fast network, and so would the timeout, however often it doubles.
 */
static void clamp_rto(struct tcp_pcb *pcb)
{
	if ((pcb->sa >> 3) + pcb->sv < RTO_MIN)
		pcb->sv = RTO_MIN - (pcb->sa >> 3);
	if (pcb->rto < RTO_MIN)
		pcb->rto = RTO_MIN;
}

static void apply_options(struct connection *c)
{
	const struct dmm_options *o = dmm_conn_options(c->sock.conn);
	struct tcp_pcb *pcb = c->pcb;

	if (!o || !pcb)
		return;
	if (o->flags & DMM_OPTF_KEEPALIVE)
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
	pcb->keep_idle = o->keepidle ? o->keepidle * 1000 : pcb->keep_idle;
	pcb->keep_intvl = o->keepintvl ? o->keepintvl * 1000 : pcb->keep_intvl;
	pcb->keep_cnt = o->keepcnt ?: pcb->keep_cnt;
	pcb->tos = o->tos;
	pcb->ttl = o->ttl ?: TCP_TTL;
	if (o->maxseg && o->maxseg < pcb->mss)
		pcb->mss = o->maxseg;
}

/* Receiving. */

/* As much as there is room for. */
static void deliver(struct connection *c)
{
	struct pbuf *p;
	size_t done;

	if (!c->sock.conn)
		return;
	while ((p = c->head)) {
		done = dmm_conn_write(c->sock.conn, p->payload, p->len);
		c->waiting -= done;
		if (done < p->len) {
			pbuf_remove_header(p, done);
			return;
		}
		c->head = p->next;
		p->next = NULL;
		pbuf_free(p);
	}
	if (c->eof && !c->eof_told) {
		c->eof_told = true;
		dmm_conn_eof(c->sock.conn);
	}
}

/*
 * What may come; less than is announced already cannot be taken back.  At least one byte, which is
 * too little to announce: with none lwIP answers each acknowledgement, and two of the kind go on
 * doing so for ever.
 */
static size_t announce_window(struct connection *c)
{
	size_t used = c->waiting + dmm_conn_rx_pending(c->sock.conn);
	size_t may = used < lw_window ? lw_window - used : 1;

	/* It takes 16 bits, and less when the peer's window does not scale. */
	while (may > c->pcb->rcv_wnd && c->pcb->rcv_wnd < TCP_WND_MAX(c->pcb))
		tcp_recved(c->pcb, LWIP_MIN(may - c->pcb->rcv_wnd, 0xffff));
	return may;
}

/*
 * While that is at least half, the peer will send something and we look again.  When it is less we
 * have to hear of room, unless the missing half has become free in the meantime.
 */
static void open_window(struct connection *c)
{
	size_t may, want;

	if (!c->pcb || c->eof || !c->sock.conn)
		return;
	while ((may = announce_window(c)) < lw_window / 2) {
		want = dmm_conn_rx_reserve(c->sock.conn, 0, NULL) + lw_window / 2 - may;
		if (dmm_conn_rx_reserve(c->sock.conn, want, NULL) < want)
			return;
	}
}

static void append(struct connection *c, struct pbuf *p)
{
	if (c->head)
		c->tail->next = p;
	else
		c->head = p;
	for (; p; p = p->next) {
		c->tail = p;
		c->waiting += p->len;
	}
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct connection *c = arg;

	(void)err;
	if (p)
		append(c, p);
	else
		c->eof = true;
	deliver(c);
	open_window(c);
	if (c->sock.conn)
		lw_meter_show(pcb, &c->meter, c->sock.conn);
	return ERR_OK;
}

static void on_rx_space(struct dmm_conn *conn)
{
	struct connection *c = dmm_conn_priv(conn);

	deliver(c);
	open_window(c);
}

/* Transmitting. */

/* Lists in lwIP are walked from their beginning, so they are kept short. */
static size_t wanted(const struct connection *c)
{
	size_t window = LWIP_MIN(c->pcb->cwnd, c->pcb->snd_wnd) + AHEAD;

	return c->queued < window ? window - c->queued : 0;
}

/*
 * What lwIP shall have more.  With TCP_CORK, or by Nagle's algorithm, only full segments.  That of
 * lwIP is off: while it holds back data, it holds back acknowledgements as well, and two of the
 * kind wait for each other's timeout.
 */
static size_t ready(const struct connection *c, bool all)
{
	const struct dmm_options *o = dmm_conn_options(c->sock.conn);
	size_t bytes = dmm_conn_tx_pending(c->sock.conn) - c->queued;
	uint32_t flags = o ? o->flags : 0;
	bool full = flags & DMM_OPTF_CORK || (c->queued && !(flags & DMM_OPTF_NODELAY));

	return full && !all && !c->shut ? bytes - bytes % c->pcb->mss : bytes;
}

/* false: lwIP takes no more now. */
static bool write_some(struct connection *c, const struct iovec *iov, size_t max)
{
	size_t len = LWIP_MIN(LWIP_MIN(iov->iov_len, max), 0xffff);

	if (!len || tcp_write(c->pcb, iov->iov_base, len, 0) != ERR_OK)
		return false;
	c->queued += len;
	return true;
}

static void finish(struct connection *c)
{
	struct dmm_conn *conn = c->sock.conn;
	struct tcp_pcb *pcb = c->pcb;

	if (c->shut && !c->fin && pcb && c->queued == dmm_conn_tx_pending(conn))
		c->fin = tcp_shutdown(pcb, 0, 1) == ERR_OK;
	if (!c->closing || (pcb && dmm_conn_tx_pending(conn)))
		return;
	forget(c);
	if (pcb) {
		/* What has not been read is none of lwIP's business, and no reason to reset. */
		pcb->rcv_wnd = TCP_WND_MAX(pcb);
		tcp_close(pcb);
	}
	dmm_conn_closed(conn);
}

static void push(struct connection *c, bool all)
{
	struct iovec iov;
	size_t max;

	while (c->pcb && (max = wanted(c)) && dmm_conn_tx_peek(c->sock.conn, c->queued, &iov, 1))
		if (!write_some(c, &iov, LWIP_MIN(max, ready(c, all))))
			break;
	if (c->pcb)
		tcp_output(c->pcb);
	finish(c);
}

static void pump(struct connection *c)
{
	push(c, false);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct connection *c = arg;

	clamp_rto(pcb);
	pcb->tmr = tcp_ticks;
	lw_meter_acked(pcb, &c->meter, len);
	c->queued -= len;
	dmm_conn_tx_consume(c->sock.conn, len);
	lw_meter_show(pcb, &c->meter, c->sock.conn);
	pump(c);
	return ERR_OK;
}

static void ends_of(const struct tcp_pcb *pcb, struct dmm_open *ends)
{
	*ends = (struct dmm_open){
		.lport = lwip_htons(pcb->local_port),
		.rport = lwip_htons(pcb->remote_port),
		.family = IP_IS_V6_VAL(pcb->remote_ip) ? AF_INET6 : AF_INET,
		.type = SOCK_STREAM,
	};
	lw_address_out(ends->local, &pcb->local_ip);
	lw_address_out(ends->remote, &pcb->remote_ip);
}

static void on_err(void *arg, err_t err);

/* For a connection that waits for its listener's backlog; ERR_ABRT: it is gone. */
static err_t announce(struct connection *c)
{
	struct dmm_conn *listener = lw_listen_conn(c->pcb);
	struct tcp_pcb *pcb = c->pcb;
	struct dmm_open ends;

	if (listener) {
		ends_of(pcb, &ends);
		c->sock.conn = dmm_conn_incoming(dmm_conn_queue(listener), listener, &ends, c);
	}
	if (c->sock.conn) {
		tcp_err(pcb, on_err);
		return ERR_OK;
	}
	tcp_err(pcb, NULL);
	tcp_abort(pcb);
	return ERR_ABRT;
}

/* Sometimes, whatever happens: what lwIP had no memory for, and what was corked for too long. */
static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
	struct connection *c = arg;

	if (!c->sock.conn)
		return announce(c);
	/*
	 * A few seconds after the last segment that counted lwIP gives up a connection that waits for
	 * its last acknowledgement.  There are bytes before it: how long they are repeated counts.
	 */
	if (pcb->state == LAST_ACK)
		pcb->tmr = tcp_ticks;
	lw_meter_show(pcb, &c->meter, c->sock.conn);
	push(c, true);
	return ERR_OK;
}

static void on_tx_data(struct dmm_conn *conn)
{
	pump(dmm_conn_priv(conn));
}

static void on_shutdown(struct dmm_conn *conn)
{
	struct connection *c = dmm_conn_priv(conn);

	c->shut = true;
	pump(c);
}

static void on_option(struct dmm_conn *conn)
{
	struct connection *c = dmm_conn_priv(conn);

	apply_options(c);
	pump(c);
}

/* The end. */

static void abort_pcb(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (!pcb)
		return;
	tcp_err(pcb, NULL);
	tcp_abort(pcb);
}

static void on_close(struct dmm_conn *conn, bool reset)
{
	struct connection *c = dmm_conn_priv(conn);

	if (reset || c->head || !c->answered) {
		abort_pcb(c);
		forget(c);
		return dmm_conn_closed(conn);
	}
	c->closing = c->shut = true;
	/* Who sends now gets a reset. */
	if (c->pcb)
		tcp_shutdown(c->pcb, 1, 0);
	pump(c);
}

/* lwIP has freed its end, or is about to. */
static void on_err(void *arg, err_t err)
{
	struct connection *c = arg;
	struct dmm_conn *conn = c->sock.conn;

	c->error = lw_errno(err);
	if (c->pcb)
		tcp_ext_arg_set(c->pcb, LW_EXT_METER, NULL);
	c->pcb = NULL;
	if (c->closing) {
		forget(c);
		dmm_conn_closed(conn);
	} else if (!c->answered && !dmm_conn_id(conn)) {
		return;		/* on_accepted() or on_refused() comes */
	} else if (!c->answered) {
		forget(c);
		dmm_conn_error(conn, err == ERR_RST ? -ECONNREFUSED : lw_errno(err));
	} else if (err != ERR_CLSD) {
		dmm_conn_error(conn, c->error);
	}
}

/* The beginning. */

static const struct tcp_ext_arg_callbacks ends = { .destroy = gone };

static struct connection *connection_new(struct tcp_pcb *pcb)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->sock.ops = &ops;
	c->pcb = pcb;
	tcp_arg(pcb, c);
	tcp_recv(pcb, on_recv);
	tcp_sent(pcb, on_sent);
	tcp_poll(pcb, on_poll, POLL_INTERVAL);
	tcp_err(pcb, on_err);
	tcp_nagle_disable(pcb);
	tcp_ext_arg_set_callbacks(pcb, LW_EXT_METER, &ends);
	lw_meter_start(pcb, &c->meter);
	return c;
}

static void established(struct connection *c)
{
	clamp_rto(c->pcb);
	c->meter.sent = c->pcb->snd_nxt;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct connection *c = arg;
	struct dmm_open local;

	(void)err;
	c->answered = true;
	apply_options(c);
	established(c);
	lw_meter_show(pcb, &c->meter, c->sock.conn);
	ends_of(pcb, &local);
	dmm_conn_connected(c->sock.conn, &local);
	return ERR_OK;
}

/*
 * The kernel gives a port away again when its socket is closed, and the connection may still be
 * remembered here.  Sequence numbers grow with time, so that a new one is told from what is left of
 * the old, and the peer, if it remembers it, takes the new one for what it is.
 */
static void forget_old(const struct dmm_open *open, const ip_addr_t *local, const ip_addr_t *remote)
{
	struct tcp_pcb *pcb, *next;

	for (pcb = tcp_tw_pcbs; pcb; pcb = next) {
		next = pcb->next;
		if (pcb->local_port == lwip_ntohs(open->lport) &&
		    pcb->remote_port == lwip_ntohs(open->rport) && ip_addr_cmp(&pcb->remote_ip, remote) &&
		    (ip_addr_isany(local) || ip_addr_cmp(&pcb->local_ip, local)))
			tcp_abort(pcb);
	}
}

static err_t start_connect(struct tcp_pcb *pcb, const struct dmm_open *open)
{
	ip_addr_t local, remote;
	err_t err = ERR_OK;

	lw_address(&remote, open->remote);
	lw_address(&local, open->local);
	if (dmm_address_is_any(open->local))
		ip_addr_copy(local, *(IP_IS_V6(&remote) ? IP6_ADDR_ANY : IP4_ADDR_ANY));
	forget_old(open, &local, &remote);
	ip_set_option(pcb, SOF_REUSEADDR);
	if (!dmm_address_is_any(open->local) || open->lport)
		err = tcp_bind(pcb, &local, lwip_ntohs(open->lport));
	if (err == ERR_OK)
		err = tcp_connect(pcb, &remote, lwip_ntohs(open->rport), on_connected);
	return err;
}

void lw_tcp_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	bool v6 = open->family == AF_INET6;
	struct tcp_pcb *pcb = tcp_new_ip_type(v6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
	struct connection *c = pcb ? connection_new(pcb) : NULL;
	err_t err = c ? ERR_OK : ERR_MEM;

	if (c) {
		c->sock.conn = conn;
		dmm_conn_set_priv(conn, c);
		err = start_connect(pcb, open);
	}
	if (err == ERR_OK)
		return;
	if (c)
		forget(c);
	if (pcb)
		tcp_abort(pcb);
	dmm_conn_error(conn, lw_errno(err));
}

err_t lw_tcp_incoming(struct tcp_pcb *pcb)
{
	struct connection *c = connection_new(pcb);

	if (!c) {
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	established(c);
	return announce(c);
}

static void on_accepted(struct dmm_conn *conn)
{
	struct connection *c = dmm_conn_priv(conn);

	c->answered = true;
	if (c->pcb) {
		lw_listen_taken(c->pcb);
		apply_options(c);
		lw_meter_show(c->pcb, &c->meter, conn);
	}
	deliver(c);
	if (c->error && c->error != lw_errno(ERR_CLSD))
		return dmm_conn_error(conn, c->error);
	pump(c);
}

/* As with the kernel's TCP, who finds the backlog full believes to be connected, and waits. */
static void on_refused(struct dmm_conn *conn, int error)
{
	struct connection *c = dmm_conn_priv(conn);

	c->sock.conn = NULL;
	if (c->pcb)
		tcp_err(c->pcb, NULL);
	if (!c->pcb)
		put(c);
	else if (error != -EAGAIN)
		tcp_abort(c->pcb);
}

static const struct lw_ops ops = {
	.accepted = on_accepted,
	.refused = on_refused,
	.tx_data = on_tx_data,
	.rx_space = on_rx_space,
	.shutdown = on_shutdown,
	.close = on_close,
	.option = on_option,
};
