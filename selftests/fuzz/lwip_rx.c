// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames for dmm-lwip, by the same way as from a port: the port is one in memory, the sockets are those of the in-process
 * peer, served in between. An input is a sequence of records, each of them flags, a length and a frame:
 *
 *	FIX		set the checksum of the IPv4 header, without which nearly nothing gets further
 *	CONTINUE	as from who was last sent a TCP segment: its port, its sequence numbers, plus what the frame has there
 *	TICK		let the timers run before
 *	CHECKED		the transport's checksum is not looked at
 *
 * With DMM_SEEDS=DIRECTORY it writes inputs to begin with there, and ends.
 */
#include "port.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dmm/stack_peer.h>
#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>

#include "../../stacks/lwip/lwip.h"

#define FIX		1
#define CONTINUE	2
#define TICK		4
#define CHECKED		8
#define RECORD_HEAD	3	/* flags, and the length in network order */
#define ACCEPTED_MAX	16

#define ETH		14
#define IP4		20
#define IP6		40
#define TCP_PORT	80
#define UDP_PORT	53

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dmm_peer *peer;
static struct dmm_device device;
static struct dmm_queue *queue;
static struct dmm_peer_socket *listener, *udp, *accepted[ACCEPTED_MAX];
static unsigned int nr_accepted;

static void die(const char *what)
{
	fprintf(stderr, "lwip_rx: %s\n", what);
	abort();
}

static struct dmm_peer_socket *serve(int type, unsigned int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct dmm_peer_socket *s;

	if (dmm_peer_socket(peer, AF_INET6, type, &s) || dmm_peer_bind(s, (struct sockaddr *)&any))
		die("socket");
	if (type == SOCK_STREAM && dmm_peer_listen(s, ACCEPTED_MAX))
		die("listen");
	return s;
}

static void turn(void)
{
	if (dmm_stack_poll(queue, 0) < 0)
		die("the stack has failed");
}

/* Echo what there is. */
static void echo(struct dmm_peer_socket *s)
{
	char buf[4096];
	ssize_t len;

	while ((len = dmm_peer_recv(s, buf, sizeof(buf))) > 0)
		dmm_peer_send(s, buf, len);
	if (!len)
		dmm_peer_shutdown(s);
}

static void applications(void)
{
	struct sockaddr_in6 from;
	char buf[4096];
	ssize_t len;

	while (nr_accepted < ACCEPTED_MAX && !dmm_peer_accept(listener, &accepted[nr_accepted]))
		nr_accepted++;
	for (unsigned int i = 0; i < nr_accepted; i++)
		echo(accepted[i]);
	while ((len = dmm_peer_recvfrom(udp, buf, sizeof(buf), &from)) >= 0)
		dmm_peer_sendto(udp, buf, len, (struct sockaddr *)&from);
}

/* Half a second of each. */
static void tick(void)
{
	for (int i = 0; i < 20; i++)
		tcp_tmr();
	etharp_tmr();
	ip_reass_tmr();
	ip6_reass_tmr();
	nd6_tmr();
	mld6_tmr();
	dhcp_fine_tmr();
	dhcp_coarse_tmr();
}

/* Where TCP is in a frame; 0: nowhere. */
static size_t tcp_at(const uint8_t *f, size_t len)
{
	size_t at = 0;

	if (len >= ETH + IP4 && f[12] == 8 && !f[13] && f[ETH + 9] == IPPROTO_TCP)
		at = ETH + 4 * (f[ETH] & 15);
	else if (len >= ETH + IP6 && f[12] == 0x86 && f[13] == 0xdd && f[ETH + 6] == IPPROTO_TCP)
		at = ETH + IP6;
	return at + 20 <= len ? at : 0;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void add32(uint8_t *p, uint32_t value)
{
	value = htonl(get32(p) + value);
	memcpy(p, &value, 4);
}

/* What the stack has sent last is acknowledged, and what it expects comes. */
static void continue_last(uint8_t *f, size_t len)
{
	size_t at = tcp_at(f, len), last = tcp_at(port_sent, port_sent_len), end;

	if (!at || !last)
		return;
	memcpy(f + at, port_sent + last + 2, 2);
	memcpy(f + at + 2, port_sent + last, 2);
	add32(f + at + 4, get32(port_sent + last + 8));
	end = last + 4 * (port_sent[last + 12] >> 4);
	end = port_sent_len > end ? port_sent_len - end : 0;
	add32(f + at + 8, get32(port_sent + last + 4) + end + !!(port_sent[last + 13] & 3));
}

static void fix(uint8_t *f, size_t len)
{
	size_t head = len > ETH ? 4 * (f[ETH] & 15) : 0;
	uint16_t sum;

	if (head < IP4 || len < ETH + head || f[12] != 8 || f[13])
		return;
	memset(f + ETH + 10, 0, 2);
	sum = ~lw_checksum(f + ETH, head);
	memcpy(f + ETH + 10, &sum, 2);
}

static void receive(uint8_t flags, const uint8_t *data, size_t len)
{
	uint8_t f[PORT_FRAME_MAX];

	memcpy(f, data, len);
	if (flags & CONTINUE)
		continue_last(f, len);
	if (flags & FIX)
		fix(f, len);
	if (flags & TICK)
		tick();
	port_put(f, len, flags & CHECKED);
	turn();
	applications();
	turn();
}

/* Fragments of which the rest has not come. */
static void drop_fragments(void)
{
	for (int age = 0; age <= IP_REASS_MAXAGE || age <= IPV6_REASS_MAXAGE; age++) {
		ip_reass_tmr();
		ip6_reass_tmr();
	}
}

/* Nothing of this input is left for the next one. */
static void clean_up(void)
{
	applications();
	while (nr_accepted)
		dmm_peer_close(accepted[--nr_accepted], true);
	turn();
	while (tcp_active_pcbs)
		tcp_abort(tcp_active_pcbs);
	while (tcp_tw_pcbs)
		tcp_abort(tcp_tw_pcbs);
	drop_fragments();
	turn();
	applications();
	turn();
	port_sent_len = 0;
	if (port_held)
		die("a frame was not given back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	while (size > RECORD_HEAD) {
		size_t len = data[1] << 8 | data[2];

		len = len < size - RECORD_HEAD ? len : size - RECORD_HEAD;
		if (len >= ETH && len <= PORT_FRAME_MAX)
			receive(data[0], data + RECORD_HEAD, len);
		data += RECORD_HEAD + len;
		size -= RECORD_HEAD + len;
	}
	clean_up();
	return 0;
}

/* Inputs to begin with. */

struct input {
	uint8_t data[8192];
	size_t len;
};

static const uint8_t mac_us[6] = { 2, 0, 0, 0, 0, 2 }, mac_them[6] = { 2, 0, 0, 0, 0, 1 };

static uint8_t *record(struct input *in, uint8_t flags, size_t len, uint16_t type)
{
	uint8_t *r = in->data + in->len;

	r[0] = flags;
	r[1] = (ETH + len) >> 8;
	r[2] = ETH + len;
	memcpy(r + 3, mac_us, 6);
	memcpy(r + 9, mac_them, 6);
	r[15] = type >> 8;
	r[16] = type;
	in->len += RECORD_HEAD + ETH + len;
	return r + RECORD_HEAD + ETH;
}

static uint8_t *ip(struct input *in, bool v6, uint8_t flags, uint8_t proto, size_t len, uint16_t fragment)
{
	uint8_t *p = record(in, flags | FIX | CHECKED, (v6 ? IP6 : IP4) + len, v6 ? 0x86dd : 0x0800);

	if (v6) {
		p[0] = 0x60;
		p[4] = len >> 8;
		p[5] = len;
		p[6] = proto;
		p[7] = 255;
		inet_pton(AF_INET6, "fd09::1", p + 8);
		inet_pton(AF_INET6, "fd09::2", p + 24);
		return p + IP6;
	}
	p[0] = 0x45;
	p[2] = (IP4 + len) >> 8;
	p[3] = IP4 + len;
	p[6] = fragment >> 8;
	p[7] = fragment;
	p[8] = 64;
	p[9] = proto;
	inet_pton(AF_INET, "10.9.0.1", p + 12);
	inet_pton(AF_INET, "10.9.0.2", p + 16);
	return p + IP4;
}

static void arp(struct input *in, uint8_t operation)
{
	uint8_t *p = record(in, 0, 28, 0x0806);

	memcpy(p, "\0\1\10\0\6\4\0", 7);
	p[7] = operation;
	memcpy(p + 8, mac_them, 6);
	inet_pton(AF_INET, "10.9.0.1", p + 14);
	memcpy(p + 18, mac_us, 6);
	inet_pton(AF_INET, "10.9.0.2", p + 24);
}

static void icmp(struct input *in, bool v6, uint8_t type, const void *body, size_t len)
{
	uint8_t *p = ip(in, v6, 0, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8 + len, 0);
	uint16_t sum;

	p[0] = type;
	memcpy(p + 8, body, len);
	sum = ~lw_checksum(p, 8 + len);
	if (!v6)
		memcpy(p + 2, &sum, 2);
}

static void tcp(struct input *in, bool v6, uint8_t how, uint8_t bits, const void *options, size_t olen, const char *text)
{
	size_t len = strlen(text);
	uint8_t *p = ip(in, v6, how, IPPROTO_TCP, 20 + olen + len, 0);

	p[0] = 0x30;
	p[3] = TCP_PORT;
	p[12] = (5 + olen / 4) << 4;
	p[13] = bits;
	p[14] = 0x40;
	memcpy(p + 20, options, olen);
	memcpy(p + 20 + olen, text, len);
}

static void datagram(struct input *in, bool v6, uint16_t from, uint16_t to, const char *text, uint16_t fragment)
{
	size_t len = strlen(text);
	uint8_t *p = ip(in, v6, 0, IPPROTO_UDP, 8 + len, fragment);

	p[0] = from >> 8;
	p[1] = from;
	p[2] = to >> 8;
	p[3] = to;
	p[4] = (8 + len) >> 8;
	p[5] = 8 + len;
	p[7] = !!v6;
	memcpy(p + 8, text, len);
}

static void conversation(struct input *in, bool v6)
{
	static const uint8_t syn[20] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7 };

	arp(in, 2);
	tcp(in, v6, 0, 0x02, syn, sizeof(syn), "");
	tcp(in, v6, CONTINUE, 0x10, "", 0, "");
	tcp(in, v6, CONTINUE, 0x18, "", 0, "GET / HTTP/1.0\r\n\r\n");
	tcp(in, v6, CONTINUE | TICK, 0x18, "\1\1\5\12\0\0\0\1\0\0\0\2", 12, "more of it");
	tcp(in, v6, CONTINUE, 0x11, "", 0, "");
	tcp(in, v6, CONTINUE | TICK, 0x10, "", 0, "");
	tcp(in, v6, CONTINUE, 0x04, "", 0, "");
}

static void save(const char *dir, const char *name, struct input *in)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f || fwrite(in->data, 1, in->len, f) != in->len || fclose(f))
		die(path);
	in->len = 0;
}

static void seeds(const char *dir)
{
	static struct input in;
	uint8_t target[24] = { 0 };

	conversation(&in, false);
	save(dir, "tcp4", &in);
	conversation(&in, true);
	save(dir, "tcp6", &in);
	arp(&in, 1);
	icmp(&in, false, 8, "are you there?", 14);
	icmp(&in, false, 3, target, sizeof(target));
	save(dir, "icmp4", &in);
	inet_pton(AF_INET6, "fd09::2", target);
	target[16] = 1;
	target[17] = 1;
	for (uint8_t type = 128; type <= 137; type++)
		icmp(&in, true, type, target, sizeof(target));
	icmp(&in, true, 2, target, sizeof(target));
	save(dir, "icmp6", &in);
	datagram(&in, false, 1000, UDP_PORT, "hello", 0);
	datagram(&in, true, 1000, UDP_PORT, "hello", 0);
	datagram(&in, false, 67, 68, "\2\1\6", 0);
	save(dir, "udp", &in);
	datagram(&in, false, 1000, UDP_PORT, "eight of them and eight.", 0x2000);
	datagram(&in, false, 1000, UDP_PORT, "eight of them and eight.", 4);
	save(dir, "fragments", &in);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct daemon_program program = { .keys = lw_keys, .config = &lw.config };
	const char *dir = getenv("DMM_SEEDS");

	(void)argc;
	(void)argv;
	if (dir) {
		seeds(dir);
		exit(0);
	}
	lw.config = (struct dmm_stack_config){ .name = "lwip", .ops = &lw_stack_ops };
	lw.spin = -1;
	peer = dmm_peer_new();
	device = dmm_peer_device(peer);
	lw.config.device = &device;
	if (daemon_set(&program, "port", "memory") || daemon_set(&program, "address", "10.9.0.2/24") ||
	    daemon_set(&program, "address", "fd09::2/64") || lw_start())
		die("the stack cannot be opened");
	queue = dmm_stack_queue(lw.stack, 0);
	listener = serve(SOCK_STREAM, TCP_PORT);
	udp = serve(SOCK_DGRAM, UDP_PORT);
	turn();
	turn();
	return 0;
}
