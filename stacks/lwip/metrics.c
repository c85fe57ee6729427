// SPDX-License-Identifier: Apache-2.0
/*
 * What lwIP knows of a connection, and what it does not count itself: round trips in microseconds,
 * and retransmissions.  Each segment that leaves comes by here; one that ends before what was ever
 * sent is a retransmission, and what it acknowledges says nothing about the round trip (Karn).
 */
#include "lwip.h"

#include <string.h>
#include <time.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip_hooks.h>

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ll + ts.tv_nsec / 1000;
}

static struct lw_meter *meter(const struct tcp_pcb *pcb)
{
	return pcb && pcb->state != LISTEN ? tcp_ext_arg_get(pcb, LW_EXT_METER) : NULL;
}

int8_t lw_segment_in(struct tcp_pcb *pcb, const struct pbuf *p)
{
	struct lw_meter *m = meter(pcb);

	if (m) {
		m->segs_in++;
		m->bytes_received += p->tot_len;
	}
	return ERR_OK;
}

uint32_t *lw_segment_out(const struct tcp_pcb *pcb, const struct tcp_hdr *hdr, const struct pbuf *p,
			 uint32_t *opts)
{
	struct lw_meter *m = meter(pcb);
	uint32_t len = p->tot_len - TCPH_HDRLEN_BYTES(hdr), end = lwip_ntohl(hdr->seqno) + len;

	if (!m)
		return opts;
	m->segs_out++;
	if (!len)
		return opts;
	if ((int32_t)(end - m->sent) <= 0) {
		m->retrans++;
		m->bytes_retrans += len;
		m->since = 0;
		return opts;
	}
	m->sent = end;
	if (!m->since) {
		m->timed = end;
		m->since = now();
	}
	return opts;
}

void lw_meter_start(struct tcp_pcb *pcb, struct lw_meter *m)
{
	m->sent = pcb->snd_nxt;
	tcp_ext_arg_set(pcb, LW_EXT_METER, m);
}

/* As RFC 6298 has it. */
static void sample(struct lw_meter *m, uint32_t rtt)
{
	uint32_t off = rtt > m->rtt ? rtt - m->rtt : m->rtt - rtt;

	if (!m->rtt) {
		m->rtt = rtt;
		m->rttvar = rtt / 2;
		m->min_rtt = rtt;
	}
	m->rttvar += ((int32_t)off - (int32_t)m->rttvar) / 4;
	m->rtt += ((int32_t)rtt - (int32_t)m->rtt) / 8;
	if (rtt < m->min_rtt)
		m->min_rtt = rtt;
}

void lw_meter_acked(const struct tcp_pcb *pcb, struct lw_meter *m, uint32_t bytes)
{
	m->bytes_acked += bytes;
	if (!m->since || (int32_t)(pcb->lastack - m->timed) < 0)
		return;
	sample(m, now() - m->since ?: 1);
	m->since = 0;
}

/* As in <netinet/tcp.h>, which cannot be included: it has a TCP_MSS of its own. */
static uint32_t state(const struct tcp_pcb *pcb)
{
	static const uint8_t states[] = {
		[ESTABLISHED] = 1, [SYN_SENT] = 2, [SYN_RCVD] = 3, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5,
		[TIME_WAIT] = 6, [CLOSED] = 7, [CLOSE_WAIT] = 8, [LAST_ACK] = 9, [LISTEN] = 10,
		[CLOSING] = 11,
	};

	return states[pcb->state];
}

void lw_meter_show(const struct tcp_pcb *pcb, const struct lw_meter *m, struct dmm_conn *conn)
{
	struct dmm_metrics *out = dmm_conn_metrics(conn);

	if (!out)
		return;
	*out = (struct dmm_metrics){
		.state = state(pcb),
		.snd_mss = pcb->mss,
		.rcv_mss = pcb->mss,
		.rtt = m->rtt,
		.rttvar = m->rttvar,
		.min_rtt = m->min_rtt,
		.rto = pcb->rto * TCP_SLOW_INTERVAL * 1000,
		.snd_cwnd = pcb->cwnd / pcb->mss,
		.snd_ssthresh = pcb->ssthresh / pcb->mss,
		.unacked = (pcb->snd_nxt - pcb->lastack + pcb->mss - 1) / pcb->mss,
		.retrans = pcb->nrtx,
		.total_retrans = m->retrans,
		.snd_wnd = pcb->snd_wnd,
		.rcv_wnd = pcb->rcv_wnd,
		.bytes_acked = m->bytes_acked,
		.bytes_received = m->bytes_received,
		.bytes_retrans = m->bytes_retrans,
		.segs_out = m->segs_out,
		.segs_in = m->segs_in,
	};
}
