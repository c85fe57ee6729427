// SPDX-License-Identifier: GPL-2.0-only
/*
 * Socket options: all numbers of all levels, read and written in every state,
 * and then those whose effect can be seen.
 */
#include "parity.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <linux/filter.h>
#include <linux/tcp.h>

#define OPTIONS		128

static const struct {
	int level;
	const char *name;
} levels[] = {
	{ SOL_SOCKET, "SOL_SOCKET" },
	{ SOL_IP, "SOL_IP" },
	{ SOL_IPV6, "SOL_IPV6" },
	{ IPPROTO_TCP, "IPPROTO_TCP" },
	{ IPPROTO_UDP, "IPPROTO_UDP" },
	{ IPPROTO_UDPLITE, "IPPROTO_UDPLITE" },
	{ IPPROTO_ICMPV6, "IPPROTO_ICMPV6" },
	{ 282, "SOL_TLS" },
	{ 284, "SOL_MPTCP" },
	{ 9999, "unknown" },
};

/* Options whose value is a time, a counter, a memory address, or new at each call. */
static bool varies(int level, int opt)
{
	switch (level) {
	case SOL_SOCKET:
		return opt == SO_INCOMING_CPU || opt == SO_INCOMING_NAPI_ID || opt == 57 /* SO_COOKIE */ ||
		       opt == 55 /* SO_MEMINFO */ || opt == 28 /* SO_PEERNAME */;
	case SOL_IP:
		return opt == 52 /* IP_PROTOCOL, which answers the local port */;
	case IPPROTO_TCP:
		return opt == TCP_INFO || opt == TCP_CC_INFO || opt == TCP_TIMESTAMP ||
		       opt == TCP_QUEUE_SEQ || opt == TCP_ZEROCOPY_RECEIVE;
	}
	return false;
}

/*
 * Options that load a module by the name in the value, and one that leaves the
 * socket in a state in which close() does not speak to the peer any more. The
 * first two have scenarios of their own.
 */
static bool not_by_number(int level, int opt)
{
	return level == IPPROTO_TCP &&
	       (opt == TCP_CONGESTION || opt == TCP_ULP || opt == TCP_REPAIR);
}

static void see_get(const char *name, int fd, int level, int opt, socklen_t room)
{
	unsigned char buf[256];
	socklen_t len = room, i;
	char text[3 * 16 + 1] = "";

	memset(buf, 0x5a, sizeof(buf));
	if (getsockopt(fd, level, opt, buf, &len) < 0) {
		/* The usual answer to most of the numbers, all levels taken together. */
		if (errno != ENOPROTOOPT)
			see("get %s %d (%u): %s", name, opt, room, strerrorname_np(errno));
		return;
	}
	for (i = 0; i < len && i < 16 && !varies(level, opt); i++)
		sprintf(text + strlen(text), " %02x", buf[i]);
	see("get %s %d (%u): %u%s", name, opt, room, len, text);
}

static void see_set(const char *name, int fd, int level, int opt, const void *value, socklen_t len,
		    const char *what)
{
	int ret = setsockopt(fd, level, opt, value, len);

	if (ret == 0 || errno != ENOPROTOOPT)
		see("set %s %d %s: %s", name, opt, what, ret ? strerrorname_np(errno) : "0");
}

static void get_all(const char *state, int fd)
{
	static const socklen_t rooms[] = { 0, 1, 4, 256, -1 };
	size_t l, r;
	int opt;

	see("-- %s", state);
	for (l = 0; l < ARRAY_SIZE(levels); l++)
		for (opt = 0; opt < OPTIONS; opt++)
			for (r = 0; r < ARRAY_SIZE(rooms); r++)
				see_get(levels[l].name, fd, levels[l].level, opt, rooms[r]);
}

/* What was read, then 1 and 0 as int and as byte, too little, nothing, and what was read. */
static void set_one(int fd, size_t l, int opt)
{
	const char *name = levels[l].name;
	int level = levels[l].level;
	unsigned char got[256];
	socklen_t len = sizeof(got);
	bool known = getsockopt(fd, level, opt, got, &len) == 0 && !varies(level, opt);

	if (known)
		see_set(name, fd, level, opt, got, len, "what it was");
	see_set(name, fd, level, opt, &(int){ 1 }, sizeof(int), "1");
	see_set(name, fd, level, opt, &(int){ 0 }, sizeof(int), "0");
	see_set(name, fd, level, opt, &(int){ -1 }, sizeof(int), "-1");
	see_set(name, fd, level, opt, "\1", 1, "byte 1");
	see_set(name, fd, level, opt, "", 0, "nothing");
	see_set(name, fd, level, opt, (void *)8, sizeof(int), "bad pointer");
	see_set(name, fd, level, opt, got, -1, "negative length");
	if (known)
		see_set(name, fd, level, opt, got, len, "what it was");
}

static void set_all(const char *state, int fd)
{
	size_t l;
	int opt;

	see("-- %s", state);
	for (l = 0; l < ARRAY_SIZE(levels); l++)
		for (opt = 0; opt < OPTIONS; opt++)
			if (!not_by_number(levels[l].level, opt))
				set_one(fd, l, opt);
}

static void all_stream(void)
{
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM), s;

	get_all("fresh", c);
	bound(l, 0);
	MUST(listen(l, 4));
	get_all("listening", l);
	dial(c, l);
	s = take(l);
	get_all("connected", c);
	get_all("accepted", s);
	echo(c, s);

	set_all("fresh", c = client(SOCK_STREAM));
	get_all("fresh, after", c);
	l = listener();
	set_all("listening", l);
	get_all("listening, after", l);
	/* A connection that has been through all of it is of no use any more. */
	l = listener();
	dial(c = client(SOCK_STREAM), l);
	set_all("connected", c);
	get_all("connected, after", c);
}

static void all_dgram(void)
{
	int c = client(SOCK_DGRAM), s = bound(server(SOCK_DGRAM), 0);
	union addr a = local_addr(s);

	get_all("fresh", c);
	get_all("bound", s);
	MUST(connect(c, &a.sa, addr_len()));
	get_all("connected", c);
	set_all("bound", s);
	set_all("connected", c);
	set_all("fresh", c = client(SOCK_DGRAM));
	get_all("fresh, after", c);
}

/* What is set before the decision is in force after it. */
static void survive(void)
{
	static const struct {
		int level, opt, value;
	} ints[] = {
		{ SOL_SOCKET, SO_SNDBUF, 30000 }, { SOL_SOCKET, SO_RCVBUF, 40000 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 }, { SOL_SOCKET, SO_PRIORITY, 3 },
		{ SOL_SOCKET, SO_MARK, 0x77 }, { SOL_SOCKET, SO_RCVLOWAT, 2 },
		{ SOL_SOCKET, SO_OOBINLINE, 1 }, { SOL_SOCKET, SO_BUSY_POLL, 10 },
		{ SOL_SOCKET, 47 /* SO_MAX_PACING_RATE */, 1000000 },
		{ SOL_SOCKET, SO_TIMESTAMPNS, 1 }, { SOL_SOCKET, SO_ZEROCOPY, 1 },
		{ SOL_SOCKET, SO_REUSEADDR, 1 }, { SOL_SOCKET, SO_REUSEPORT, 1 },
		{ SOL_SOCKET, 72 /* SO_BUF_LOCK */, 1 },
		{ SOL_IP, IP_TOS, 0x48 }, { SOL_IP, IP_TTL, 33 },
		{ SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT }, { SOL_IP, IP_RECVERR, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 }, { IPPROTO_TCP, TCP_CORK, 1 },
		{ IPPROTO_TCP, TCP_MAXSEG, 900 }, { IPPROTO_TCP, TCP_KEEPIDLE, 77 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 7 }, { IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ IPPROTO_TCP, TCP_SYNCNT, 2 }, { IPPROTO_TCP, TCP_LINGER2, 9 },
		{ IPPROTO_TCP, TCP_WINDOW_CLAMP, 20000 }, { IPPROTO_TCP, TCP_QUICKACK, 0 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 5000 }, { IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096 },
	};
	int c = client(SOCK_STREAM), l = listener(), round, one = 1;
	char name[16];
	socklen_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ints); i++)
		if (setsockopt(c, ints[i].level, ints[i].opt, &ints[i].value, sizeof(int)))
			see("%d/%d: %s", ints[i].level, ints[i].opt, strerrorname_np(errno));
	if (run.family == AF_INET6) {
		TRY(setsockopt(c, SOL_IPV6, IPV6_TCLASS, &(int){ 0x20 }, sizeof(int)));
		TRY(setsockopt(c, SOL_IPV6, IPV6_UNICAST_HOPS, &(int){ 44 }, sizeof(int)));
		TRY(setsockopt(c, SOL_IPV6, IPV6_RECVPKTINFO, &one, sizeof(int)));
	}
	for (round = 0; round < 2; round++) {
		for (i = 0; i < ARRAY_SIZE(ints); i++)
			see_get("survivor", c, ints[i].level, ints[i].opt, sizeof(int));
		see_get("survivor", c, SOL_IPV6, IPV6_TCLASS, sizeof(int));
		see_get("survivor", c, SOL_IPV6, IPV6_UNICAST_HOPS, sizeof(int));
		if (!round)
			dial(c, l);
	}
	len = sizeof(name);
	TRY(getsockopt(c, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	see("congestion control %s", name);
}

static void congestion(void)
{
	int c = client(SOCK_STREAM), l = listener(), s;
	static const char *const names[] = { "reno", "cubic", "none", "" };
	char name[16];
	socklen_t len = sizeof(name);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		TRY(setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, names[i], strlen(names[i])));
	TRY(setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	TRY(setsockopt(l, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	dial(c, l);
	s = take(l);
	TRY(getsockopt(c, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	see("client %s", name);
	len = sizeof(name);
	TRY(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	see("server %s", name);
	echo(c, s);
}

/* TCP_INFO is long and has times; of interest is what describes the connection. */
static void info(void)
{
	int c = client(SOCK_STREAM), l = listener(), i;

	for (i = 0; i < 3; i++) {
		struct tcp_info info = { };
		socklen_t len = sizeof(info);

		if (i == 1)
			dial(c, l);
		if (i == 2)
			echo(c, take(l));
		MUST(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len));
		see("state %u ca %u options %x wscale %u/%u mss %u/%u advmss %u pmtu %u retrans %u "
		    "acked %llu received %llu in %u out %u",
		    info.tcpi_state, info.tcpi_ca_state, info.tcpi_options, info.tcpi_snd_wscale,
		    info.tcpi_rcv_wscale, info.tcpi_snd_mss, info.tcpi_rcv_mss, info.tcpi_advmss,
		    info.tcpi_pmtu, info.tcpi_total_retrans, info.tcpi_bytes_acked,
		    info.tcpi_bytes_received, info.tcpi_data_segs_in, info.tcpi_data_segs_out);
		len = sizeof(info);
		MUST(getsockopt(l, IPPROTO_TCP, TCP_INFO, &info, &len));
		see("listener: state %u backlog %u of %u", info.tcpi_state, info.tcpi_unacked,
		    info.tcpi_sacked);
	}
}

/* A packet filter from before the decision works after it. */
static void filter(void)
{
	/* Keep nothing but the headers: data never arrives. */
	struct sock_filter keep[] = { { BPF_RET | BPF_K, 0, 0, 0xffffffff } };
	struct sock_filter cut[] = { { BPF_RET | BPF_K, 0, 0, 0 } };
	struct sock_fprog prog = { 1, keep };
	int c = client(SOCK_STREAM), l = listener(), s;
	struct timeval soon = { .tv_usec = 20000 };
	char got[8];

	TRY(setsockopt(c, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	TRY(setsockopt(c, SOL_SOCKET, SO_LOCK_FILTER, &(int){ 0 }, sizeof(int)));
	dial(c, l);
	s = take(l);
	echo(c, s);
	prog.filter = cut;
	TRY(setsockopt(c, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	put(s, "lost");
	MUST(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	TRY(recv(c, got, 4, 0));
	TRY(setsockopt(c, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, sizeof(int)));
	TRY(setsockopt(c, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, sizeof(int)));
}

/* TCP_REPAIR moves a socket into a connection that nobody made: there is no connect to decide at. */
static void repair(void)
{
	int c = client(SOCK_STREAM), l = listener();
	union addr a = local_addr(l);

	TRY(setsockopt(c, IPPROTO_TCP, TCP_REPAIR, &(int){ 1 }, sizeof(int)));
	TRY(setsockopt(c, IPPROTO_TCP, TCP_REPAIR_QUEUE, &(int){ TCP_SEND_QUEUE }, sizeof(int)));
	TRY(setsockopt(c, IPPROTO_TCP, TCP_QUEUE_SEQ, &(int){ 1000 }, sizeof(int)));
	bound(c, 0);
	TRY(connect(c, &a.sa, addr_len()));
	see_poll("repaired", c);
	see_name("repaired", c);
	TRY(setsockopt(c, IPPROTO_TCP, TCP_REPAIR, &(int){ -1 }, sizeof(int)));
	TRY(setsockopt(l, IPPROTO_TCP, TCP_REPAIR, &(int){ 1 }, sizeof(int)));
}

const struct scenario option_scenarios[] = {
	{ "option.all_stream", all_stream, ONE_ROLE | ONE_MODE },
	{ "option.all_dgram", all_dgram, ONE_ROLE | ONE_MODE | DGRAM },
	{ "option.survive", survive, ONE_MODE },
	{ "option.congestion", congestion, ONE_ROLE | ONE_MODE },
	{ "option.info", info, 0 },
	{ "option.filter", filter, ONE_MODE },
	{ "option.repair", repair, ONE_MODE },
	{ }
};
