/* SPDX-License-Identifier: Apache-2.0 */
/* Where lwIP asks back. */
#ifndef DMM_LWIP_HOOKS_H
#define DMM_LWIP_HOOKS_H

#include "lwip/ip_addr.h"

struct netif;
struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

/* sys.c: sequence numbers that nobody can guess */
uint32_t lw_isn(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport);
#define LWIP_HOOK_TCP_ISN		lw_isn

/* route.c: which interface and which gateway */
struct netif *lw_route4(const ip4_addr_t *dest);
const ip4_addr_t *lw_gateway4(struct netif *netif, const ip4_addr_t *dest);
struct netif *lw_route6(const ip6_addr_t *dest);
const ip6_addr_t *lw_gateway6(struct netif *netif, const ip6_addr_t *dest);
#define LWIP_HOOK_IP4_ROUTE(dest)	lw_route4(dest)
#define LWIP_HOOK_ETHARP_GET_GW		lw_gateway4
#define LWIP_HOOK_IP6_ROUTE(src, dest)	lw_route6(dest)
#define LWIP_HOOK_ND6_GET_GW		lw_gateway6

/* metrics.c: each segment, in and out */
int8_t lw_segment_in(struct tcp_pcb *pcb, const struct pbuf *p);
uint32_t *lw_segment_out(const struct tcp_pcb *pcb, const struct tcp_hdr *hdr,
			 const struct pbuf *p, uint32_t *opts);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p) lw_segment_in(pcb, p)
#define LWIP_HOOK_TCP_OUT_TCPOPT_LENGTH(pcb, len) (len)
#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS(p, hdr, pcb, opts) lw_segment_out(pcb, hdr, p, opts)

#endif
