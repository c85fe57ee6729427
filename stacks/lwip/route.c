// SPDX-License-Identifier: Apache-2.0
/*
 * Static routes: what is not on the link of an interface goes by the longest prefix that matches,
 * otherwise to the gateway that DHCP or a router has told.  There is no interface for all the rest:
 * who wants to go there is told at once.
 */
#include "lwip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <lwip_hooks.h>

static bool matches(const struct lw_prefix *prefix, const void *addr, bool v6)
{
	const uint8_t *a = addr, *b = (const void *)ip_2_ip6(&prefix->addr)->addr;
	unsigned int bytes = prefix->len / 8, bits = prefix->len % 8;

	if (IP_IS_V6(&prefix->addr) != v6 || memcmp(a, b, bytes))
		return false;
	return !bits || !((a[bytes] ^ b[bytes]) >> (8 - bits));
}

static const struct lw_route *find(const void *addr, bool v6, const struct netif *netif)
{
	const struct lw_route *best = NULL;

	for (unsigned int i = 0; i < lw.nr_routes; i++) {
		const struct lw_route *r = &lw.routes[i];

		if (!r->netif || (netif && r->netif != netif) || !matches(&r->to, addr, v6))
			continue;
		if (!best || r->to.len > best->to.len)
			best = r;
	}
	return best;
}

/* What has no route goes to the gateway that DHCP has told; what is for all, by the first interface. */
static struct netif *default4(const ip4_addr_t *dest)
{
	bool all = ip4_addr_ismulticast(dest) || dest->addr == IPADDR_BROADCAST;

	for (unsigned int i = 0; i < lw.nr_ifaces; i++)
		if (all || !ip4_addr_isany_val(*netif_ip4_gw(&lw.ifaces[i].netif)))
			return &lw.ifaces[i].netif;
	return NULL;
}

/* lwIP asks for what is on no link. */
struct netif *lw_route4(const ip4_addr_t *dest)
{
	const struct lw_route *r = find(dest, false, NULL);

	return r ? r->netif : default4(dest);
}

const ip4_addr_t *lw_gateway4(struct netif *netif, const ip4_addr_t *dest)
{
	const struct lw_route *r = find(dest, false, netif);

	return r ? ip_2_ip4(&r->via) : NULL;
}

static bool on_link(const ip6_addr_t *dest)
{
	for (unsigned int i = 0; i < lw.nr_ifaces; i++)
		for (unsigned int a = 0; a < lw.ifaces[i].nr_addrs; a++)
			if (matches(&lw.ifaces[i].addrs[a], dest->addr, true))
				return true;
	return ip6_addr_isloopback(dest);
}

/* lwIP asks before it looks whether the destination is on a link. */
struct netif *lw_route6(const ip6_addr_t *dest)
{
	const struct lw_route *r = find(dest->addr, true, NULL);

	if (ip6_addr_ismulticast(dest) && lw.nr_ifaces)
		return &lw.ifaces[0].netif;
	return r && !on_link(dest) ? r->netif : NULL;
}

const ip6_addr_t *lw_gateway6(struct netif *netif, const ip6_addr_t *dest)
{
	const struct lw_route *r = find(dest->addr, true, netif);

	return r ? ip_2_ip6(&r->via) : NULL;
}

/* By the interface on whose link the gateway is. */
int lw_routes_start(void)
{
	for (unsigned int n = 0; n < lw.nr_routes; n++) {
		struct lw_route *r = &lw.routes[n];
		bool v6 = IP_IS_V6(&r->via);

		for (unsigned int i = 0; i < lw.nr_ifaces && !r->netif; i++)
			for (unsigned int a = 0; a < lw.ifaces[i].nr_addrs; a++)
				if (matches(&lw.ifaces[i].addrs[a], ip_2_ip6(&r->via)->addr, v6))
					r->netif = &lw.ifaces[i].netif;
		if (!r->netif) {
			fprintf(stderr, "dmm-lwip: gateway %s is on no interface\n", ipaddr_ntoa(&r->via));
			return -ENETUNREACH;
		}
	}
	return 0;
}
