// SPDX-License-Identifier: Apache-2.0
#include "lwip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <dmm/eal.h>
#include <lwip/dhcp.h>
#include <lwip/ethip6.h>
#include <lwip/etharp.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/icmp6.h>
#include <netif/ethernet.h>

#define PIECES_MAX	64

/*
 * So many bytes lwIP looks at beyond TCP options, or a UDP header in an IPv4 packet for others, that are
 * cut off.  Such frames are short, and in a port there is room for long ones.
 */
#define BEHIND		8u

/* Behind each struct dmm_frame. */
struct rx_buf {
	struct pbuf_custom custom;
	struct dmm_frame *frame;
};

static void rx_free(struct pbuf *p)
{
	dmm_eal_release(((struct rx_buf *)p)->frame);
}

/* lwIP looks at a header before it looks whether all of it is there. */
static bool is_whole(const struct dmm_frame *f)
{
	const struct eth_hdr *eth = f->data;

	if (f->len < SIZEOF_ETH_HDR)
		return false;
	switch (eth->type) {
	case PP_HTONS(ETHTYPE_ARP):
		return f->len >= SIZEOF_ETH_HDR + SIZEOF_ETHARP_HDR;
	case PP_HTONS(ETHTYPE_IP):
		return f->len >= SIZEOF_ETH_HDR + IP_HLEN;
	case PP_HTONS(ETHTYPE_IPV6):
		return f->len >= SIZEOF_ETH_HDR + IP6_HLEN;
	default:
		return true;
	}
}

/* lwIP takes gateways from any, asked or not. */
static bool is_advertisement(const struct dmm_frame *f)
{
	const struct eth_hdr *eth = f->data;
	const struct ip6_hdr *ip = (const void *)(eth + 1);

	return f->len > SIZEOF_ETH_HDR + IP6_HLEN && eth->type == PP_HTONS(ETHTYPE_IPV6) &&
	       IP6H_NEXTH(ip) == IP6_NEXTH_ICMP6 && *(const u8_t *)(ip + 1) == ICMP6_TYPE_RA;
}

/* The frame where it is; copied when too many are held, so that the port can go on receiving. */
static struct pbuf *rx_pbuf(struct dmm_frame *f)
{
	struct rx_buf *buf = (struct rx_buf *)(f + 1);
	struct pbuf *p;

	if (f->len > UINT16_MAX - BEHIND || !is_whole(f))
		return NULL;
	if (!dmm_eal_scarce(f->port)) {
		buf->custom.custom_free_function = rx_free;
		buf->frame = f;
		return pbuf_alloced_custom(PBUF_RAW, f->len, PBUF_REF, &buf->custom, f->data, f->len);
	}
	p = pbuf_alloc(PBUF_RAW, f->len + BEHIND, PBUF_RAM);
	if (p) {
		p->len = p->tot_len = f->len;
		memcpy(p->payload, f->data, f->len);
		dmm_eal_release(f);
	}
	return p;
}

unsigned int lw_iface_receive(struct lw_iface *i)
{
	struct dmm_frame *frames[32];
	unsigned int nr = dmm_eal_rx(i->port, frames, 32);

	for (unsigned int n = 0; n < nr; n++) {
		u16_t skip = 0;
		struct pbuf *p;

		if (frames[n]->flags & DMM_FRAME_CHECKSUM)
			skip = NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
		NETIF_SET_CHECKSUM_CTRL(&i->netif, i->checksums & ~skip);
		p = i->autoconf || !is_advertisement(frames[n]) ? rx_pbuf(frames[n]) : NULL;
		if (!p)
			dmm_eal_release(frames[n]);
		else if (i->netif.input(p, &i->netif) != ERR_OK)
			pbuf_free(p);
	}
	return nr;
}

/* Only bytes in rings stay as they are until the end of the turn. */
static bool stays(const struct pbuf *p)
{
	return (uintptr_t)p->payload - (uintptr_t)lw.arena < lw.arena_len;
}

/* The device shall compute the checksum of what has none yet. */
static bool needs_checksum(const struct lw_iface *i, const struct pbuf *p)
{
	const struct eth_hdr *eth = p->payload;
	const uint8_t *ip = (const uint8_t *)(eth + 1);

	if (i->checksums & NETIF_CHECKSUM_GEN_TCP)
		return false;
	if (eth->type == PP_HTONS(ETHTYPE_IP))
		return ip[9] == IP_PROTO_TCP;
	return eth->type == PP_HTONS(ETHTYPE_IPV6) && ip[6] == IP_PROTO_TCP;
}

/* lwIP's headers are in one piece, the first. */
static err_t transmit(struct netif *netif, struct pbuf *p)
{
	struct lw_iface *i = netif->state;
	struct iovec iov[PIECES_MAX];
	uint32_t flags = DMM_FRAME_STAYS;
	struct pbuf *q, *whole = NULL;
	int nr = 0, ret;

	if (pbuf_clen(p) > PIECES_MAX)
		p = whole = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	for (q = p; q; q = q->next) {
		if (q != p && !stays(q))
			flags &= ~DMM_FRAME_STAYS;
		iov[nr++] = (struct iovec){ q->payload, q->len };
	}
	if (!nr)
		return ERR_MEM;
	if (needs_checksum(i, p))
		flags |= DMM_FRAME_CHECKSUM;
	ret = dmm_eal_tx(i->port, iov, nr, flags);
	if (whole)
		pbuf_free(whole);
	return ret == -EMSGSIZE ? ERR_BUF : ret ? ERR_MEM : ERR_OK;
}

static err_t init(struct netif *netif)
{
	struct lw_iface *i = netif->state;
	struct dmm_eal_info info;

	dmm_eal_info(i->port, &info);
	netif->name[0] = 'd';
	netif->name[1] = 'm';
	netif->output = etharp_output;
	netif->output_ip6 = ethip6_output;
	netif->linkoutput = transmit;
	netif->mtu = netif->mtu6 = info.mtu;
	netif->hwaddr_len = sizeof(info.mac);
	memcpy(netif->hwaddr, info.mac, sizeof(info.mac));
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
		       NETIF_FLAG_LINK_UP | NETIF_FLAG_MLD6;
	i->checksums = NETIF_CHECKSUM_ENABLE_ALL;
	if (info.offloads & DMM_EAL_TX_CHECKSUM)
		i->checksums &= ~NETIF_CHECKSUM_GEN_TCP;
	NETIF_SET_CHECKSUM_CTRL(netif, i->checksums);
	return ERR_OK;
}

static void tell(bool add, const ip_addr_t *addr)
{
	bool v6 = IP_IS_V6(addr);

	dmm_stack_address(lw.stack, add, v6 ? AF_INET6 : AF_INET, ip_2_ip6(addr)->addr, v6 ? 128 : 32);
}

static void tell_change(ip_addr_t *told, const ip_addr_t *now)
{
	if (ip_addr_cmp_zoneless(told, now))
		return;
	if (!ip_addr_isany(told))
		tell(false, told);
	if (!ip_addr_isany(now))
		tell(true, now);
	*told = *now;
}

/* The kernel knows the addresses, so that sockets bound to them come here, and to others do not. */
static void changed(struct netif *netif)
{
	struct lw_iface *i = netif->state;
	ip_addr_t none = IPADDR6_INIT(0, 0, 0, 0);

	if (!lw.stack)
		return;
	for (int n = 0; n < LWIP_IPV6_NUM_ADDRESSES; n++)
		tell_change(&i->told[n], ip6_addr_isvalid(netif_ip6_addr_state(netif, n)) ?
						 netif_ip_addr6(netif, n) : &none);
	tell_change(&i->told[LWIP_IPV6_NUM_ADDRESSES], netif_ip_addr4(netif));
}

/* lwIP has one IPv4 address per interface, and takes IPv6 prefixes to be of 64 bits. */
static int set_addresses(struct lw_iface *i)
{
	for (unsigned int n = 0; n < i->nr_addrs; n++) {
		const struct lw_prefix *p = &i->addrs[n];
		ip4_addr_t mask;
		s8_t at = -1;

		if (IP_IS_V6(&p->addr)) {
			if (netif_add_ip6_address(&i->netif, ip_2_ip6(&p->addr), &at) != ERR_OK)
				return -ENOSPC;
			netif_ip6_addr_set_state(&i->netif, at, IP6_ADDR_PREFERRED);
			continue;
		}
		ip4_addr_set_u32(&mask, p->len ? lwip_htonl(~0u << (32 - p->len)) : 0);
		netif_set_addr(&i->netif, ip_2_ip4(&p->addr), &mask, IP4_ADDR_ANY4);
	}
	return 0;
}

int lw_iface_start(struct lw_iface *i)
{
	struct dmm_eal_config config = {
		.hugepages = lw.hugepages,
		.memory = lw.memory,
		.frames = lw.frames,
		.frame_priv = sizeof(struct rx_buf),
		.mtu = i->mtu,
		.spin = lw.spin,
		.capture = i->capture,
	};
	int ret = dmm_eal_open(&i->port, i->device, &config);

	if (ret) {
		fprintf(stderr, "dmm-lwip: port %s: %s\n", i->device, strerror(-ret));
		return ret;
	}
	netif_add_noaddr(&i->netif, i, init, netif_input);
	netif_set_status_callback(&i->netif, changed);
	netif_create_ip6_linklocal_address(&i->netif, 1);
	netif_set_ip6_autoconfig_enabled(&i->netif, i->autoconf);
	ret = set_addresses(i);
	if (ret)
		return ret;
	netif_set_up(&i->netif);
	if (i->dhcp && dhcp_start(&i->netif) != ERR_OK)
		return -ENOMEM;
	changed(&i->netif);
	return 0;
}

void lw_iface_stop(struct lw_iface *i)
{
	if (!i->port)
		return;
	if (i->dhcp)
		dhcp_release_and_stop(&i->netif);
	dmm_eal_flush(i->port);
	netif_remove(&i->netif);
	dmm_eal_close(i->port);
	i->port = NULL;
}
