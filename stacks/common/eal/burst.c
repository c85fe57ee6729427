// SPDX-License-Identifier: Apache-2.0
/*
 * Frames in and out.  A received frame's struct dmm_frame lives in the private part of its mbuf,
 * directly behind struct rte_mbuf.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

static struct rte_mbuf *mbuf_of(struct dmm_frame *frame)
{
	return (struct rte_mbuf *)frame - 1;
}

/* The transport's checksum in a frame, and the sum over its pseudo header; NULL: there is none. */
static const rte_be16_t *transport_checksum(const void *data, uint32_t len, uint16_t *pseudo)
{
	const struct rte_ether_hdr *eth = data;
	const struct rte_ipv4_hdr *ip4 = (const void *)(eth + 1);
	const struct rte_ipv6_hdr *ip6 = (const void *)(eth + 1);
	uint32_t at = sizeof(*eth);
	uint8_t proto;

	if (len >= at + sizeof(*ip4) && eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
		if (ip4->fragment_offset & RTE_BE16((uint16_t)~RTE_IPV4_HDR_DF_FLAG))
			return NULL;
		proto = ip4->next_proto_id;
		at += rte_ipv4_hdr_len(ip4);
		*pseudo = rte_ipv4_phdr_cksum(ip4, 0);
	} else if (len >= at + sizeof(*ip6) && eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
		proto = ip6->proto;
		at += sizeof(*ip6);
		*pseudo = rte_ipv6_phdr_cksum(ip6, 0);
	} else {
		return NULL;
	}
	if (proto == IPPROTO_TCP)
		at += offsetof(struct rte_tcp_hdr, cksum);
	else if (proto == IPPROTO_UDP)
		at += offsetof(struct rte_udp_hdr, dgram_cksum);
	else
		return NULL;
	return at + sizeof(rte_be16_t) <= len ? (const void *)((const char *)data + at) : NULL;
}

/*
 * A kernel leaves the sum over the pseudo header where it expects a device to put the checksum.
 * Such a frame has never been on a wire.
 */
static bool is_partial(const void *data, uint32_t len)
{
	uint16_t pseudo;
	const rte_be16_t *sum = transport_checksum(data, len, &pseudo);

	return sum && *sum == pseudo;
}

/* What a frame is worth; false: nothing. */
static bool inspect(struct dmm_eal_port *p, const struct rte_mbuf *m, struct dmm_frame *f)
{
	uint64_t checksum = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	f->data = rte_pktmbuf_mtod(m, void *);
	f->len = m->data_len;
	f->flags = 0;
	f->port = p;
	if (m->nb_segs > 1 || m->data_len < RTE_ETHER_HDR_LEN ||
	    checksum == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		return false;
	if (checksum == RTE_MBUF_F_RX_L4_CKSUM_GOOD || (p->kernel && is_partial(f->data, f->len)))
		f->flags = DMM_FRAME_CHECKSUM;
	return true;
}

unsigned int dmm_eal_rx(struct dmm_eal_port *p, struct dmm_frame **frames, unsigned int max)
{
	struct rte_mbuf *mbufs[EAL_BURST];
	unsigned int nr, good = 0;

	nr = rte_eth_rx_burst(p->id, 0, mbufs, RTE_MIN(max, EAL_BURST));
	if (nr)
		eal_wake_up(p);
	for (unsigned int i = 0; i < nr; i++) {
		struct dmm_frame *f = rte_mbuf_to_priv(mbufs[i]);

		if (!inspect(p, mbufs[i], f)) {
			p->stats.rx_bad++;
			rte_pktmbuf_free(mbufs[i]);
			continue;
		}
		if (p->capture >= 0)
			eal_capture(p, &(struct iovec){ f->data, f->len }, 1, false);
		frames[good++] = f;
	}
	p->held += good;
	return good;
}

void dmm_eal_release(struct dmm_frame *frame)
{
	frame->port->held--;
	rte_pktmbuf_free(mbuf_of(frame));
}

bool dmm_eal_scarce(const struct dmm_eal_port *p)
{
	return p->held >= p->high;
}

/* Where the checksum is, and what a device expects there to begin with. */
static void ask_for_checksum(struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, void *);
	uint16_t pseudo;
	rte_be16_t *sum = (rte_be16_t *)transport_checksum(eth, m->data_len, &pseudo);
	bool v4 = eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
	uint8_t proto;

	if (!sum)
		return;
	*sum = pseudo;
	m->l2_len = sizeof(*eth);
	m->l3_len = v4 ? rte_ipv4_hdr_len((void *)(eth + 1)) : sizeof(struct rte_ipv6_hdr);
	proto = v4 ? ((struct rte_ipv4_hdr *)(eth + 1))->next_proto_id :
		     ((struct rte_ipv6_hdr *)(eth + 1))->proto;
	m->ol_flags |= (v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6) |
		       (proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM);
}

/* The bytes stay where they are. */
static int append_ref(struct dmm_eal_port *p, struct rte_mbuf *m, const struct iovec *iov)
{
	struct rte_mbuf *part = rte_pktmbuf_alloc(p->tx_pool);

	if (!part)
		return -ENOBUFS;
	rte_mbuf_ext_refcnt_update(&p->ext, 1);
	rte_pktmbuf_attach_extbuf(part, iov->iov_base, RTE_BAD_IOVA, iov->iov_len, &p->ext);
	part->data_len = part->pkt_len = iov->iov_len;
	rte_pktmbuf_chain(m, part);
	return 0;
}

static int append_copy(struct rte_mbuf *m, const struct iovec *iov)
{
	void *at = rte_pktmbuf_append(m, iov->iov_len);

	if (!at)
		return -EMSGSIZE;
	memcpy(at, iov->iov_base, iov->iov_len);
	return 0;
}

static int fill(struct dmm_eal_port *p, struct rte_mbuf *m, const struct iovec *iov, int nr,
		bool refs)
{
	int ret = append_copy(m, &iov[0]);

	for (int i = 1; i < nr && !ret; i++)
		ret = refs ? append_ref(p, m, &iov[i]) : append_copy(m, &iov[i]);
	return ret;
}

int dmm_eal_tx(struct dmm_eal_port *p, const struct iovec *iov, int nr, uint32_t flags)
{
	struct rte_mbuf *m;
	size_t len = 0;
	int ret;

	for (int i = 0; i < nr; i++)
		len += iov[i].iov_len;
	if (len > (size_t)p->mtu + RTE_ETHER_HDR_LEN)
		return -EMSGSIZE;
	m = rte_pktmbuf_alloc(p->tx_pool);
	ret = m ? fill(p, m, iov, nr, p->refs && flags & DMM_FRAME_STAYS) : -ENOBUFS;
	if (ret) {
		p->stats.tx_lost++;
		rte_pktmbuf_free(m);
		return ret;
	}
	if (flags & DMM_FRAME_CHECKSUM)
		ask_for_checksum(m);
	if (p->capture >= 0)
		eal_capture(p, iov, nr, true);
	p->tx[p->nr_tx++] = m;
	if (p->nr_tx == EAL_BURST)
		dmm_eal_flush(p);
	return 0;
}

/* What finds no room is lost: transports repeat it, and know better than a queue here would when. */
void dmm_eal_flush(struct dmm_eal_port *p)
{
	unsigned int sent;

	if (!p->nr_tx)
		return;
	sent = rte_eth_tx_burst(p->id, 0, p->tx, p->nr_tx);
	p->stats.tx_lost += p->nr_tx - sent;
	rte_pktmbuf_free_bulk(p->tx + sent, p->nr_tx - sent);
	p->nr_tx = 0;
}
