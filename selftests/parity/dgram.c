// SPDX-License-Identifier: GPL-2.0-only
/* Datagrams: connected and not, one peer and several, and what travels beside the data. */
#include "parity.h"

#include <fcntl.h>

#include <stdlib.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <linux/errqueue.h>
#include <linux/in6.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#define UDP_GRO		104
#endif

static const struct sockaddr unspec = { .sa_family = AF_UNSPEC };

/* One datagram, where it is from, and its control messages. */
static void see_datagram(const char *what, int fd)
{
	char buf[128], control[256];
	union addr from = { 0 };
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov,
			    .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	wait_for(fd, POLLIN);
	n = recvmsg(fd, &m, 0);
	if (n < 0) {
		see("%s: %s", what, strerrorname_np(errno));
		return;
	}
	see("%s: %zd from %s flags %x", what, n, show_addr(&from, m.msg_namelen), m.msg_flags);
	see_bytes(what, buf, n);
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		see("level %d type %d", c->cmsg_level, c->cmsg_type);
		/* Times differ. */
		if (c->cmsg_level != SOL_SOCKET)
			see_bytes("control", CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	}
}

static void say(int fd, const char *text, const union addr *to)
{
	see_result(text, sendto(fd, text, strlen(text), MSG_NOSIGNAL, &to->sa, addr_len()));
}

/* One socket, several peers, and answers from each. */
static void several_peers(void)
{
	int c = client(SOCK_DGRAM), s[3], i, round;
	union addr to[3], own;

	see_name("fresh", c);
	for (i = 0; i < 3; i++) {
		s[i] = bound(server(SOCK_DGRAM), 0);
		to[i] = local_addr(s[i]);
	}
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 3; i++)
			say(c, "hello", &to[i]);
		for (i = 0; i < 3; i++)
			see_datagram("server", s[i]);
	}
	see_name("used", c);
	own = local_addr(c);
	own = loopback(port_of(&own));
	for (i = 0; i < 3; i++) {
		say(s[i], "answer", &own);
		see_datagram("client", c);
	}
}

static void connected(void)
{
	int c = client(SOCK_DGRAM), s = bound(server(SOCK_DGRAM), 0), other = bound(plain(SOCK_DGRAM), 0);
	union addr a = local_addr(s), b = local_addr(other), own;

	TRY(send(c, "x", 1, 0));
	TRY(recv(c, (char[1]){ }, 1, MSG_DONTWAIT));
	TRY(connect(c, &a.sa, addr_len()));
	see_name("connected", c);
	TRY(send(c, "one", 3, 0));
	see_datagram("server", s);
	say(c, "two", &a);
	see_datagram("server", s);
	say(c, "elsewhere", &b);
	see_datagram("other", other);
	/* Strangers are not heard. */
	own = local_addr(c);
	say(other, "stranger", &own);
	say(s, "friend", &own);
	see_datagram("client", c);
	TRY(recv(c, (char[1]){ }, 1, MSG_DONTWAIT));
	/* Connect again, and to nobody. */
	TRY(connect(c, &b.sa, addr_len()));
	TRY(send(c, "three", 5, 0));
	see_datagram("other", other);
	TRY(connect(c, &unspec, sizeof(unspec)));
	see_name("disconnected", c);
	TRY(send(c, "x", 1, 0));
	say(c, "four", &a);
	see_datagram("server", s);
	TRY(connect(c, &a.sa, addr_len()));
	TRY(shutdown(c, SHUT_WR));
	TRY(send(c, "x", 1, MSG_NOSIGNAL));
	TRY(listen(c, 1));
	TRY(accept(c, NULL, NULL));
}

static void refused(void)
{
	union addr dead = local_addr(bound(plain(SOCK_STREAM), 0));
	int c = client(SOCK_DGRAM);

	/* Unconnected, nobody hears of it. */
	say(c, "x", &dead);
	see_error(c);
	TRY(connect(c, &dead.sa, addr_len()));
	TRY(send(c, "x", 1, 0));
	wait_for(c, POLLERR);
	TRY(send(c, "x", 1, 0));
	TRY(send(c, "x", 1, 0));
	wait_for(c, POLLERR);
	TRY(recv(c, (char[1]){ }, 1, 0));
	see_error(c);
}

static void error_queue(void)
{
	union addr dead = local_addr(bound(plain(SOCK_STREAM), 0));
	int c = client(SOCK_DGRAM);
	char buf[8], control[256];
	union addr to;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov,
			    .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct sock_extended_err ee;

	if (run.family == AF_INET)
		set_int(c, SOL_IP, IP_RECVERR, 1);
	else
		set_int(c, SOL_IPV6, IPV6_RECVERR, 1);
	say(c, "lost", &dead);
	wait_for(c, POLLERR);
	TRY(recvmsg(c, &m, MSG_ERRQUEUE));
	see_bytes("what", buf, 4);
	see("to %s flags %x", show_addr(&to, m.msg_namelen), m.msg_flags);
	memcpy(&ee, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(ee));
	see("errno %u origin %u type %u code %u", ee.ee_errno, ee.ee_origin, ee.ee_type, ee.ee_code);
	see_error(c);
}

static void flags(void)
{
	int c = client(SOCK_DGRAM), s = bound(server(SOCK_DGRAM), 0);
	union addr a = local_addr(s);
	char buf[16];

	say(c, "a long one", &a);
	wait_for(s, POLLIN);
	TRY(recv(s, buf, 4, MSG_PEEK));
	TRY(recv(s, buf, 4, MSG_PEEK | MSG_TRUNC));
	TRY(recv(s, buf, 4, MSG_TRUNC));
	TRY(recv(s, buf, 4, MSG_DONTWAIT));
	say(c, "", &a);
	wait_for(s, POLLIN);
	TRY(recv(s, buf, 4, 0));
	say(c, "0123456789", &a);
	wait_for(s, POLLIN);
	TRY(recv(s, buf, 4, MSG_WAITALL));
	TRY(recv(s, buf, 4, MSG_OOB | MSG_DONTWAIT));
	TRY(sendto(c, "x", 1, MSG_OOB, &a.sa, addr_len()));
	TRY(sendto(c, "x", 1, MSG_FASTOPEN, &a.sa, addr_len()));
	/* MSG_MORE and UDP_CORK make one datagram of several calls. */
	TRY(sendto(c, "ab", 2, MSG_MORE, &a.sa, addr_len()));
	TRY(sendto(c, "cd", 2, 0, &a.sa, addr_len()));
	see_datagram("two calls", s);
	set_int(c, IPPROTO_UDP, UDP_CORK, 1);
	TRY(sendto(c, "ef", 2, 0, &a.sa, addr_len()));
	TRY(sendto(c, "gh", 2, 0, &a.sa, addr_len()));
	set_int(c, IPPROTO_UDP, UDP_CORK, 0);
	see_datagram("corked", s);
	TRY(sendto(c, calloc(1, 70000), 70000, 0, &a.sa, addr_len()));
	TRY(sendto(c, calloc(1, 65507), 65507, 0, &a.sa, addr_len()));
}

static void many(void)
{
	int c = client(SOCK_DGRAM), s[2] = { bound(server(SOCK_DGRAM), 0), bound(server(SOCK_DGRAM), 0) };
	union addr to[2] = { local_addr(s[0]), local_addr(s[1]) };
	struct mmsghdr mm[4] = { };
	struct iovec iov[4];
	char in[4][8];
	int i, n;

	for (i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ "abcd", i + 1 };
		mm[i].msg_hdr.msg_name = &to[i % 2];
		mm[i].msg_hdr.msg_namelen = addr_len();
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	TRY(sendmmsg(c, mm, 4, 0));
	MUST(fcntl(s[1], F_SETFL, 0));
	for (i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		mm[i].msg_hdr.msg_name = NULL;
	}
	/* Some are on their way still. */
	n = TRY(recvmmsg(s[1], mm, 2, 0, NULL));
	TRY(recvmmsg(s[1], mm + 2, 2, MSG_DONTWAIT, NULL));
	for (i = 0; i < n; i++)
		see_bytes("datagram", in[i], mm[i].msg_len);
}

/* Where a datagram came in, how it was marked, set before the first use. */
static void control(void)
{
	int c = client(SOCK_DGRAM), s = server(SOCK_DGRAM);
	union addr a;

	if (run.family == AF_INET) {
		set_int(s, SOL_IP, IP_PKTINFO, 1);
		set_int(s, SOL_IP, IP_RECVTTL, 1);
		set_int(s, SOL_IP, IP_RECVTOS, 1);
		set_int(s, SOL_IP, IP_RECVORIGDSTADDR, 1);
		set_int(c, SOL_IP, IP_TOS, 0x28);
	} else {
		set_int(s, SOL_IPV6, IPV6_RECVPKTINFO, 1);
		set_int(s, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
		set_int(s, SOL_IPV6, IPV6_RECVTCLASS, 1);
		set_int(c, SOL_IPV6, IPV6_TCLASS, 0x28);
	}
	set_int(s, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set_int(s, SOL_SOCKET, SO_RXQ_OVFL, 1);
	bound(s, 0);
	a = local_addr(s);
	say(c, "hello", &a);
	wait_for(s, POLLIN);
	{
		/* The port in IP_RECVORIGDSTADDR differs; the types are enough. */
		char buf[8], control[512];
		struct iovec iov = { buf, sizeof(buf) };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };
		struct cmsghdr *h;

		TRY(recvmsg(s, &m, 0));
		for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
			see("level %d type %d", h->cmsg_level, h->cmsg_type);
			if (h->cmsg_level != SOL_SOCKET && h->cmsg_type != IP_RECVORIGDSTADDR)
				see_bytes("control", CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
		}
	}
}

/* The source address of one datagram, by control message, as the very first send. */
static void choose_source(void)
{
	int c = client(SOCK_DGRAM), s = bound(server(SOCK_DGRAM), 0);
	union addr a = local_addr(s);
	char buf[CMSG_SPACE(sizeof(struct in_pktinfo))] __attribute__((aligned(8))) = "";
	struct cmsghdr *h = (void *)buf;
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(0x7f000042) };
	struct iovec iov = { "from 127.0.0.66", 15 };
	struct msghdr m = { .msg_name = &a, .msg_namelen = addr_len(), .msg_iov = &iov,
			    .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf) };

	h->cmsg_level = SOL_IP;
	h->cmsg_type = IP_PKTINFO;
	h->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(h), &info, sizeof(info));
	TRY(sendmsg(c, &m, 0));
	see_datagram("chosen", s);
	h->cmsg_len = 1000;
	TRY(sendmsg(c, &m, 0));
	h->cmsg_len = CMSG_LEN(sizeof(info));
	h->cmsg_type = 99;
	TRY(sendmsg(client(SOCK_DGRAM), &m, 0));
}

static void segments(void)
{
	int c = client(SOCK_DGRAM), s = bound(server(SOCK_DGRAM), 0), i;
	union addr a = local_addr(s);

	TRY(setsockopt(c, IPPROTO_UDP, UDP_SEGMENT, &(int){ 4 }, sizeof(int)));
	TRY(setsockopt(s, IPPROTO_UDP, UDP_GRO, &(int){ 0 }, sizeof(int)));
	see("UDP_SEGMENT %d UDP_GRO %d", get_int(c, IPPROTO_UDP, UDP_SEGMENT),
	    get_int(s, IPPROTO_UDP, UDP_GRO));
	say(c, "aaaabbbbcc", &a);
	for (i = 0; i < 3; i++)
		see_datagram("segment", s);
	TRY(setsockopt(s, IPPROTO_UDP, UDP_GRO, &(int){ 1 }, sizeof(int)));
	say(c, "aaaabbbbcc", &a);
	see_datagram("received together", s);
}

static void broadcast(void)
{
	union addr a = { .v4.sin_family = AF_INET, .v4.sin_addr.s_addr = htonl(0x7fffffff) };
	int c = client(SOCK_DGRAM), s = server(SOCK_DGRAM);

	MUST(bind(s, &(struct sockaddr){ .sa_family = AF_INET }, sizeof(a.v4)));
	a.v4.sin_port = local_addr(s).v4.sin_port;
	TRY(sendto(c, "x", 1, 0, &a.sa, sizeof(a.v4)));
	TRY(connect(c, &a.sa, sizeof(a.v4)));
	set_int(c, SOL_SOCKET, SO_BROADCAST, 1);
	TRY(sendto(c, "to all", 6, 0, &a.sa, sizeof(a.v4)));
	see_datagram("broadcast", s);
}

static void multicast(void)
{
	int c = client(SOCK_DGRAM), s = server(SOCK_DGRAM), one = 1;
	union addr a = { .sa.sa_family = run.family };
	struct group_req join = { .gr_interface = one };

	MUST(bind(s, &a.sa, addr_len()));
	a = local_addr(s);
	if (run.family == AF_INET) {
		struct ip_mreqn via = { .imr_ifindex = 1 };

		inet_pton(AF_INET, "239.1.2.3", &a.v4.sin_addr);
		TRY(setsockopt(c, SOL_IP, IP_MULTICAST_IF, &via, sizeof(via)));
		TRY(setsockopt(c, SOL_IP, IP_MULTICAST_TTL, &one, sizeof(one)));
		TRY(setsockopt(c, SOL_IP, IP_MULTICAST_LOOP, &one, sizeof(one)));
	} else {
		inet_pton(AF_INET6, "ff01::123", &a.v6.sin6_addr);
		TRY(setsockopt(c, SOL_IPV6, IPV6_MULTICAST_IF, &one, sizeof(one)));
		TRY(setsockopt(c, SOL_IPV6, IPV6_MULTICAST_HOPS, &one, sizeof(one)));
		TRY(setsockopt(c, SOL_IPV6, IPV6_MULTICAST_LOOP, &one, sizeof(one)));
	}
	memcpy(&join.gr_group, &a, sizeof(a));
	TRY(setsockopt(s, SOL_OWN, MCAST_JOIN_GROUP, &join, sizeof(join)));
	TRY(setsockopt(s, SOL_OWN, MCAST_JOIN_GROUP, &join, sizeof(join)));
	/* The loopback interface has no route for IPv6 groups. */
	if (TRY(sendto(c, "to the group", 12, 0, &a.sa, addr_len())) == 12)
		see_datagram("multicast", s);
	TRY(connect(c, &a.sa, addr_len()));
	if (TRY(send(c, "again", 5, 0)) == 5)
		see_datagram("multicast", s);
	TRY(setsockopt(s, SOL_OWN, MCAST_LEAVE_GROUP, &join, sizeof(join)));
	TRY(setsockopt(s, SOL_OWN, MCAST_LEAVE_GROUP, &join, sizeof(join)));
}

static void timeout(void)
{
	struct timeval soon = { .tv_usec = 20000 };
	int s = server(SOCK_DGRAM);

	MUST(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	TRY(recv(s, (char[1]){ }, 1, 0));
	bound(s, 0);
	TRY(recv(s, (char[1]){ }, 1, 0));
	TRY(recvmmsg(s, &(struct mmsghdr){ }, 1, 0, NULL));
}

/* Receiving first: nothing is decided, an address comes from bind() to any. */
static void receive_first(void)
{
	union addr any = { .sa.sa_family = run.family }, a;
	int s = server(SOCK_DGRAM), c = client(SOCK_DGRAM);

	TRY(recv(s, (char[1]){ }, 1, MSG_DONTWAIT));
	TRY(bind(s, &any.sa, addr_len()));
	see_name("bound", s);
	TRY(bind(s, &any.sa, addr_len()));
	a = local_addr(s);
	a = loopback(port_of(&a));
	say(c, "hello", &a);
	see_datagram("server", s);
	a = local_addr(c);
	a = loopback(port_of(&a));
	say(s, "answer", &a);
	see_datagram("client", c);
	/* Connecting a bound socket keeps its port. */
	TRY(connect(s, &a.sa, addr_len()));
	see_name("connected", s);
}

static void peek_offset(void)
{
	int s = bound(server(SOCK_DGRAM), 0), c = client(SOCK_DGRAM);
	union addr a = local_addr(s);
	char buf[8];

	TRY(setsockopt(s, SOL_SOCKET, SO_PEEK_OFF, &(int){ 1 }, sizeof(int)));
	say(c, "abcd", &a);
	wait_for(s, POLLIN);
	see_bytes("peeked", buf, TRY(recv(s, buf, 2, MSG_PEEK)));
	see_bytes("peeked", buf, TRY(recv(s, buf, 2, MSG_PEEK)));
}

static void v4_mapped(void)
{
	union addr a = { .v6.sin6_family = AF_INET6 };
	int s = server(SOCK_DGRAM), c = client(SOCK_DGRAM), c4;

	MUST(bind(s, &a.sa, sizeof(a.v6)));
	a = local_addr(s);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.v6.sin6_addr);
	say(c, "mapped", &a);
	see_datagram("mapped", s);
	TRY(connect(c, &a.sa, addr_len()));
	see_name("mapped", c);
	run.family = AF_INET;
	c4 = client(SOCK_DGRAM);
	run.family = AF_INET6;
	a.v4 = (struct sockaddr_in){ AF_INET, a.v6.sin6_port, { htonl(INADDR_LOOPBACK) }, "" };
	TRY(sendto(c4, "plain", 5, 0, &a.sa, sizeof(a.v4)));
	see_datagram("IPv4", s);
	/* An IPv6 socket takes an IPv4 address in sendto(). */
	TRY(sendto(client(SOCK_DGRAM), "IPv4", 4, 0, &a.sa, sizeof(a.v4)));
	see_datagram("IPv4 address", s);
}

const struct scenario dgram_scenarios[] = {
	{ "dgram.several_peers", several_peers, DGRAM },
	{ "dgram.connected", connected, DGRAM },
	{ "dgram.refused", refused, DGRAM },
	{ "dgram.error_queue", error_queue, DGRAM | ONE_MODE },
	{ "dgram.flags", flags, DGRAM },
	{ "dgram.many", many, DGRAM },
	{ "dgram.control", control, DGRAM | ONE_MODE },
	{ "dgram.choose_source", choose_source, DGRAM | ONE_MODE | V4_ONLY },
	{ "dgram.segments", segments, DGRAM | ONE_MODE },
	{ "dgram.broadcast", broadcast, DGRAM | ONE_MODE | V4_ONLY },
	{ "dgram.multicast", multicast, DGRAM | ONE_MODE },
	{ "dgram.timeout", timeout, DGRAM | ONE_MODE },
	{ "dgram.receive_first", receive_first, DGRAM },
	{ "dgram.peek_offset", peek_offset, DGRAM | ONE_MODE },
	{ "dgram.v4_mapped", v4_mapped, DGRAM | V6_ONLY },
	{ }
};
