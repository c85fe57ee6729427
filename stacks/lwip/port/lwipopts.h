/* SPDX-License-Identifier: Apache-2.0 */
/* How lwIP is built, and why. */
#ifndef DMM_LWIPOPTS_H
#define DMM_LWIPOPTS_H

#include <stdint.h>

/* One thread per process calls everything: no operating system, no locks, no sockets of its own. */
#define NO_SYS				1
#define SYS_LIGHTWEIGHT_PROT		0
#define LWIP_NETCONN			0
#define LWIP_SOCKET			0

/*
 * Memory comes from malloc(), so that the number of connections is bounded by their owner, the
 * kernel module (connections), and by the backlog of each listener, and not by pools.
 */
#define MEM_LIBC_MALLOC			1
#define MEMP_MEM_MALLOC			1
#define MEM_ALIGNMENT			8
#define LWIP_PBUF_REF_T			uint16_t	/* a frame can be in several lists */

/* What it should take part in. */
#define LWIP_IPV4			1
#define LWIP_IPV6			1
#define LWIP_ARP			1
#define LWIP_ETHERNET			1
#define LWIP_ICMP			1
#define LWIP_ICMP6			1
#define LWIP_UDP			1
#define LWIP_TCP			1
#define LWIP_DHCP			1
#define LWIP_DHCP_DOES_ACD_CHECK	0		/* takes seconds; servers have done it */
#define DHCP_DOES_ARP_CHECK		0
#define LWIP_RAW			0
#define LWIP_STATS			0
#define LWIP_NOASSERT			1		/* release build, as its authors advise */

/* Sockets of one stack reach each other, at 127.0.0.1 and at the stack's own addresses. */
#define LWIP_HAVE_LOOPIF		1
#define LWIP_NETIF_LOOPBACK		1
#define LWIP_NETIF_LOOPBACK_MULTITHREADING 0
#define LWIP_LOOPBACK_MAX_PBUFS		0

/* Neighbours: as many as the type of their index allows. */
#define ARP_TABLE_SIZE			127
#define ARP_QUEUEING			1
#define ETHARP_TABLE_MATCH_NETIF	1
#define LWIP_NETIF_HWADDRHINT		1		/* a connection remembers its entry */
#define LWIP_ND6_NUM_NEIGHBORS		127
#define LWIP_ND6_NUM_DESTINATIONS	127

/* Datagrams of 64 KiB in parts of 1500 bytes, a few at a time. */
#define IP_REASS_MAX_PBUFS		256
#define IP_FRAG				1
#define LWIP_IPV6_FRAG			1
#define LWIP_IPV6_REASS			1
#define IPV6_FRAG_COPYHEADER		1		/* needed where pointers have 64 bits */

/*
 * A kernel on the same interface derives the same link-local address from the same MAC address:
 * looking for duplicates would always find that one.
 */
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS	0
#define LWIP_IPV6_NUM_ADDRESSES		8
#define LWIP_IPV6_AUTOCONFIG		1		/* per interface, if asked for */
#define LWIP_IPV6_MLD			1		/* switches that snoop want to know */
#define MEMP_NUM_MLD6_GROUP		64
#define LWIP_IPV6_SCOPES		1

/*
 * Timers in steps of 25 and 50 ms instead of 250 and 500, for the acknowledgement of a lone segment
 * waits for one, and retransmission for the other.  lw_tcp_clamp() keeps the retransmission
 * timeout at 200 ms and above.
 */
#define TCP_TMR_INTERVAL		25
#define LWIP_TCP_RTO_TIME		1000		/* RFC 6298 */
#define TCP_MSL				2500		/* few seconds, for the lists of lwIP are searched */

/*
 * Windows are set at run time (rcvbuf), from 64 KiB, which lwIP checks at build time, to 16 MiB.  The send buffer is the ring, which lwIP
 * refers to, so its own limits are as high as they go.
 */
extern uint32_t lw_window;
#define TCP_WND				(lw_window < 65536 ? 65536 : lw_window)
#define LWIP_WND_SCALE			1
#define TCP_RCV_SCALE			8
#define TCP_SND_BUF			0x7fffffff
#define TCP_SND_QUEUELEN		65535
#define TCP_SNDLOWAT			1
#define TCP_SNDQUEUELOWAT		1
#define LWIP_DISABLE_TCP_SANITY_CHECKS	1		/* of what is not constant */
#define TCP_MSS				8940		/* MTU 9000; smaller MTUs make it smaller */
#define TCP_OVERSIZE			0		/* nothing is copied to the end of segments */
#define LWIP_NETIF_TX_SINGLE_PBUF	0
#define LWIP_TCP_TIMESTAMPS		1		/* protection of wrapped sequence numbers */
#define LWIP_TCP_SACK_OUT		1		/* a peer that knows SACK repeats less */
#define TCP_QUEUE_OOSEQ			1
#define TCP_LISTEN_BACKLOG		0		/* has 8 bits: see listen.c */
#define LWIP_TCP_KEEPALIVE		1
#define SO_REUSE			1		/* the kernel decides about ports */
#define LWIP_TCP_PCB_NUM_EXT_ARGS	2
#define LWIP_TCP_CALC_INITIAL_CWND(mss)	((tcpwnd_size_t)10 * (mss))	/* RFC 6928 */

/* Checksums: each frame says whether it is checked already (iface.c). */
#define LWIP_CHECKSUM_CTRL_PER_NETIF	1
uint16_t lw_checksum(const void *data, int len);
#define LWIP_CHKSUM			lw_checksum

#define LWIP_NETIF_STATUS_CALLBACK	1
#define LWIP_HOOK_FILENAME		"lwip_hooks.h"

#endif
