// SPDX-License-Identifier: GPL-2.0-only
/* bind(), names, and addresses that are none. */
#include "parity.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <stdio.h>

typedef int call_with_addr(int, const struct sockaddr *, socklen_t);

static void call_with(const char *what, int fd, call_with_addr *call, const void *sa,
		      socklen_t len)
{
	int ret = call(fd, sa, len), err = errno;

	see_result(what, ret);
	/* The outcome is for the next call. */
	if (ret < 0 && err == EINPROGRESS)
		wait_for(fd, POLLOUT);
}

static union addr address(const char *v4, const char *v6)
{
	union addr a = loopback(9);

	if (run.family == AF_INET)
		inet_pton(AF_INET, v4, &a.v4.sin_addr);
	else
		inet_pton(AF_INET6, v6, &a.v6.sin6_addr);
	return a;
}

/* Every way in which an address can be wrong. */
static void bad_addresses(int fd, call_with_addr *call)
{
	union addr good = loopback(9), a = good;
	socklen_t len;

	for (len = 0; len < addr_len(); len += 3)
		call_with("short", fd, call, &good, len);
	call_with("longer than any", fd, call, &good, sizeof(struct sockaddr_storage) + 1);
	call_with("negative length", fd, call, &good, -1);
	call_with("NULL", fd, call, NULL, addr_len());
	call_with("NULL, no length", fd, call, NULL, 0);
	call_with("bad pointer", fd, call, (void *)-8, addr_len());
	a.sa.sa_family = AF_UNIX;
	call_with("AF_UNIX", fd, call, &a, addr_len());
	a.sa.sa_family = AF_MAX;
	call_with("AF_MAX", fd, call, &a, addr_len());
	a.sa.sa_family = run.af_dmm > 0 ? run.af_dmm : DMM_AF_DEFAULT;
	call_with("AF_DMM", fd, call, &a, addr_len());
	a.sa.sa_family = run.family == AF_INET ? AF_INET6 : AF_INET;
	call_with("the other family", fd, call, &a, addr_len());
	call_with("the other family, long", fd, call, &a, sizeof(a.v6));
}

/* Not of this host, and no route to it: from the prefixes for documentation. */
static void unreachable_addresses(int fd, call_with_addr *call)
{
	union addr a;

	a = address("192.0.2.1", "2001:db8::1");
	call_with("foreign", fd, call, &a, addr_len());
	a = address("224.0.0.1", "ff02::1");
	call_with("multicast", fd, call, &a, addr_len());
	a = address("255.255.255.255", "fe80::1");
	call_with("broadcast, or without scope", fd, call, &a, addr_len());
}

static void bad_connect(void)
{
	int c = client(SOCK_STREAM), l = listener();

	bad_addresses(c, connect);
	see_name("after", c);
	/* None of it may have spoilt the socket. */
	c = client(SOCK_STREAM);
	TRY(connect(c, NULL, 0));
	TRY(connect(c, &(struct sockaddr){ AF_UNIX, "" }, sizeof(struct sockaddr)));
	dial(c, l);
	echo(c, take(l));
}

static void bad_bind(void)
{
	bad_addresses(server(SOCK_STREAM), bind);
	unreachable_addresses(server(SOCK_STREAM), bind);
}

static void bad_dgram(void)
{
	bad_addresses(client(SOCK_DGRAM), connect);
	bad_addresses(server(SOCK_DGRAM), bind);
}

static void unreachable(void)
{
	unreachable_addresses(client(SOCK_STREAM), connect);
}

static void unreachable_dgram(void)
{
	unreachable_addresses(client(SOCK_DGRAM), connect);
	unreachable_addresses(server(SOCK_DGRAM), bind);
}

static ssize_t sendto_addr(int fd, const void *sa, socklen_t len)
{
	return sendto(fd, "x", 1, MSG_NOSIGNAL, sa, len);
}

static void bad_sendto(void)
{
	union addr good = loopback(9);
	int fd = client(SOCK_DGRAM);
	socklen_t len;

	for (len = 1; len < addr_len(); len += 3)
		TRY(sendto_addr(fd, &good.sa, len));
	TRY(sendto_addr(fd, &good.sa, -1));
	TRY(sendto_addr(fd, NULL, 0));
	good.sa.sa_family = AF_UNIX;
	TRY(sendto_addr(fd, &good.sa, addr_len()));
	good.sa.sa_family = run.family;
	good.v4.sin_port = 0;
	TRY(sendto_addr(fd, &good.sa, addr_len()));
}

static void names(void)
{
	union addr a = loopback(0), any = { .sa.sa_family = run.family };
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM), s;
	socklen_t len;

	see_name("fresh", c);
	TRY(bind(c, &a.sa, addr_len()));
	see_name("bound", c);
	TRY(bind(c, &a.sa, addr_len()));
	TRY(bind(l, &any.sa, addr_len()));
	see_name("bound to any", l);
	TRY(listen(l, 1));
	see_name("listening", l);
	a = local_addr(l);
	a = loopback(port_of(&a));
	TRY(connect(c, &a.sa, addr_len()));
	wait_for(c, POLLOUT);
	see_name("connected", c);
	wait_for(l, POLLIN);
	len = sizeof(a);
	s = TRY(accept(l, &a.sa, &len));
	see("accepted from %s", show_addr(&a, len));
	see_name("accepted", s);
	close(c);
	wait_for(s, POLLIN);
	see_name("peer closed", s);

	/* Room for less than the address. */
	for (len = 0; len <= 8; len += 4) {
		socklen_t got = len;

		memset(&a, 0x55, sizeof(a));
		TRY(getsockname(l, &a.sa, &got));
		see("asked for %u got %u", len, got);
		see_bytes("address", &a, 2);
	}
	TRY(getsockname(l, NULL, &len));
	TRY(getsockname(l, &a.sa, NULL));
	len = -1;
	TRY(getsockname(l, &a.sa, &len));
}

static void accept_names(void)
{
	union addr a = { 0 };
	socklen_t len;
	int l = listener(), c[4], i;

	for (i = 0; i < 4; i++)
		dial(c[i] = client(SOCK_STREAM), l);
	wait_for(l, POLLIN);
	len = 3;
	TRY(accept(l, &a.sa, &len));
	see("length %u", len);
	TRY(accept(l, &a.sa, NULL));
	len = -1;
	TRY(accept(l, &a.sa, &len));
	TRY(accept4(l, NULL, NULL, 0x10));
	TRY(accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	TRY(fcntl(l, F_GETFL));
}

/* Listening without an address gets one. */
static void listen_unbound(void)
{
	int l = server(SOCK_STREAM), c = client(SOCK_STREAM);
	union addr a;

	TRY(listen(l, 1));
	see_name("listening", l);
	a = local_addr(l);
	a = loopback(port_of(&a));
	TRY(connect(c, &a.sa, addr_len()));
	echo(c, take(l));
}

/* Who may have a port that another socket has; first and second have different ways. */
static void conflict(int first, int second, int reuse)
{
	union addr a;

	set_int(first, SOL_SOCKET, SO_REUSEADDR, reuse & 1);
	set_int(second, SOL_SOCKET, SO_REUSEADDR, reuse >> 1);
	bound(first, 0);
	a = local_addr(first);
	TRY(bind(second, &a.sa, addr_len()));
	TRY(listen(first, 1));
	TRY(listen(second, 1));
	TRY(bind(client(SOCK_STREAM), &a.sa, addr_len()));
	close(first);
	close(second);
}

static void conflicts(void)
{
	int reuse;

	for (reuse = 0; reuse < 4; reuse++) {
		see("reuse %d", reuse);
		conflict(client(SOCK_STREAM), server(SOCK_STREAM), reuse);
		conflict(plain(SOCK_STREAM), server(SOCK_STREAM), reuse);
		conflict(server(SOCK_STREAM), plain(SOCK_STREAM), reuse);
	}
}

/* A port stays taken as long as anybody holds it, and not longer. */
static void port_lifetime(void)
{
	int l = listener(), other = plain(SOCK_STREAM);
	union addr a = local_addr(l);

	TRY(bind(other, &a.sa, addr_len()));
	close(l);
	TRY(bind(other, &a.sa, addr_len()));
	close(other);
	l = server(SOCK_STREAM);
	TRY(bind(l, &a.sa, addr_len()));
}

/* A connection keeps its listener's port. */
static void port_of_connection(void)
{
	struct pair p = pair();
	union addr a = local_addr(p.l);
	int l;

	close(p.l);
	l = server(SOCK_STREAM);
	TRY(bind(l, &a.sa, addr_len()));
	set_int(l, SOL_SOCKET, SO_REUSEADDR, 1);
	TRY(bind(l, &a.sa, addr_len()));
	echo(p.c, p.s);
}

static void dgram_conflicts(void)
{
	int first = bound(server(SOCK_DGRAM), 0), second = plain(SOCK_DGRAM);
	union addr a = local_addr(first);

	TRY(bind(second, &a.sa, addr_len()));
	close(first);
	TRY(bind(second, &a.sa, addr_len()));
	first = server(SOCK_DGRAM);
	TRY(bind(first, &a.sa, addr_len()));
	close(second);
	TRY(bind(first, &a.sa, addr_len()));
}

/* Ports below 1024 are root's, for the socket family as well. */
static void privileged_port(void)
{
	union addr a = loopback(80), high = loopback(0);

	if (fork()) {
		int status;

		wait(&status);
		return;
	}
	MUST(setegid(65534));
	MUST(seteuid(65534));
	TRY(bind(server(SOCK_STREAM), &a.sa, addr_len()));
	TRY(bind(server(SOCK_STREAM), &high.sa, addr_len()));
	MUST(seteuid(0));
	TRY(bind(server(SOCK_STREAM), &a.sa, addr_len()));
	_exit(0);
}

/* Made with privileges, used without; uids are those of the time of creation. */
static void dropped_privileges(void)
{
	int c = client(SOCK_STREAM), l = listener(), one = 1;

	if (fork()) {
		wait(NULL);
		return;
	}
	MUST(seteuid(65534));
	TRY(setsockopt(c, SOL_SOCKET, SO_MARK, &one, sizeof(one)));
	TRY(setsockopt(c, SOL_SOCKET, SO_RCVBUFFORCE, &one, sizeof(one)));
	dial(c, l);
	echo(c, take(l));
	_exit(0);
}

static void odd_binds(void)
{
	union addr a = { .sa.sa_family = AF_UNSPEC }, foreign = address("192.0.2.1", "2001:db8::1");
	int fd = server(SOCK_STREAM);

	TRY(bind(fd, &a.sa, addr_len()));
	see_name("AF_UNSPEC", fd);
	foreign.v4.sin_port = 0;
	fd = server(SOCK_STREAM);
	TRY(bind(fd, &foreign.sa, addr_len()));
	set_int(fd, SOL_IP, IP_FREEBIND, 1);
	TRY(bind(fd, &foreign.sa, addr_len()));
	see_name("free bind", fd);
	TRY(listen(fd, 1));

	/* Their number may be given again, with another address. */
	forget_ports();
	fd = client(SOCK_STREAM);
	set_int(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	a = loopback(0);
	TRY(bind(fd, &a.sa, addr_len()));
	see_name("no port", fd);
	dial(fd, listener());
	see_name("port at connect", fd);
}

static void to_device(void)
{
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM);
	char name[16] = "";
	socklen_t len = sizeof(name);

	TRY(setsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, "none", 5));
	TRY(setsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	TRY(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	bound(l, 0);
	TRY(listen(l, 1));
	dial(c, l);
	echo(c, take(l));
	TRY(getsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	see("device %s", name);
}

static void v6_only(void)
{
	union addr any6 = { .v6.sin6_family = AF_INET6 };
	union addr any4 = { .v4.sin_family = AF_INET };
	int l6 = server(SOCK_STREAM), c = client(SOCK_STREAM), l4;

	/* Without the option one socket has the port in both families. */
	TRY(bind(l6, &any6.sa, sizeof(any6.v6)));
	any6 = local_addr(l6);
	any4.v4.sin_port = any6.v6.sin6_port;
	run.family = AF_INET;
	l4 = plain(SOCK_STREAM);
	TRY(bind(l4, &any4.sa, sizeof(any4.v4)));
	run.family = AF_INET6;
	close(l6);

	l6 = server(SOCK_STREAM);
	set_int(l6, SOL_IPV6, IPV6_V6ONLY, 1);
	TRY(bind(l6, &any6.sa, sizeof(any6.v6)));
	TRY(setsockopt(l6, SOL_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int)));
	TRY(bind(l4, &any4.sa, sizeof(any4.v4)));
	TRY(listen(l4, 1));
	TRY(listen(l6, 1));
	set_int(c, SOL_IPV6, IPV6_V6ONLY, 1);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &any6.v6.sin6_addr);
	TRY(connect(c, &any6.sa, sizeof(any6.v6)));
	any6.v6.sin6_addr = in6addr_loopback;
	TRY(connect(c, &any6.sa, sizeof(any6.v6)));
	echo(c, take(l6));
}

/* IPv4 through an IPv6 socket, both sides. */
static void v4_mapped(void)
{
	union addr a = { .v6.sin6_family = AF_INET6 };
	int l = server(SOCK_STREAM), c = client(SOCK_STREAM), c4, s;

	TRY(bind(l, &a.sa, sizeof(a.v6)));
	TRY(listen(l, 4));
	a = local_addr(l);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.v6.sin6_addr);
	TRY(connect(c, &a.sa, sizeof(a.v6)));
	s = take(l);
	see_name("client", c);
	see_name("server", s);
	echo(c, s);

	run.family = AF_INET;
	c4 = client(SOCK_STREAM);
	run.family = AF_INET6;
	a.v4 = (struct sockaddr_in){ AF_INET, a.v6.sin6_port, { htonl(INADDR_LOOPBACK) }, "" };
	TRY(connect(c4, &a.sa, sizeof(a.v4)));
	s = take(l);
	see_name("IPv4 client", c4);
	see_name("server", s);
	echo(c4, s);
}

/* An IPv6 socket becomes an IPv4 one; then it is the other native table's. */
static void addrform(void)
{
	union addr a = { .v6.sin6_family = AF_INET6 };
	int l = server(SOCK_STREAM), c = client(SOCK_STREAM), s;

	MUST(bind(l, &a.sa, sizeof(a.v6)));
	MUST(listen(l, 4));
	a = local_addr(l);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.v6.sin6_addr);
	dial_to(c, &a);
	s = take(l);
	TRY(setsockopt(c, SOL_IPV6, IPV6_ADDRFORM, &(int){ AF_INET }, sizeof(int)));
	see_name("converted", c);
	see("domain %d", get_int(c, SOL_SOCKET, SO_DOMAIN));
	echo(s, c);
}

static void addrform_undecided(void)
{
	int c = client(SOCK_STREAM), l = listener();

	TRY(setsockopt(c, SOL_IPV6, IPV6_ADDRFORM, &(int){ AF_INET }, sizeof(int)));
	TRY(setsockopt(l, SOL_IPV6, IPV6_ADDRFORM, &(int){ AF_INET }, sizeof(int)));
	dial(c, l);
	TRY(setsockopt(c, SOL_IPV6, IPV6_ADDRFORM, &(int){ AF_INET }, sizeof(int)));
	echo(c, take(l));
}

const struct scenario address_scenarios[] = {
	{ "address.bad_connect", bad_connect, 0 },
	{ "address.bad_bind", bad_bind, ONE_ROLE | ONE_MODE },
	{ "address.bad_dgram", bad_dgram, DGRAM | ONE_MODE },
	{ "address.unreachable", unreachable, ONE_MODE },
	{ "address.unreachable_dgram", unreachable_dgram, DGRAM | ONE_MODE },
	{ "address.bad_sendto", bad_sendto, DGRAM | ONE_MODE },
	{ "address.names", names, 0 },
	{ "address.accept_names", accept_names, 0 },
	{ "address.listen_unbound", listen_unbound, 0 },
	{ "address.conflicts", conflicts, ONE_MODE },
	{ "address.port_lifetime", port_lifetime, 0 },
	{ "address.port_of_connection", port_of_connection, ONE_MODE },
	{ "address.dgram_conflicts", dgram_conflicts, DGRAM | ONE_MODE },
	{ "address.privileged_port", privileged_port, ONE_ROLE | ONE_MODE },
	{ "address.dropped_privileges", dropped_privileges, 0 },
	{ "address.odd_binds", odd_binds, ONE_MODE },
	{ "address.to_device", to_device, 0 },
	{ "address.v6_only", v6_only, V6_ONLY },
	{ "address.v4_mapped", v4_mapped, V6_ONLY },
	{ "address.addrform", addrform, V6_ONLY },
	{ "address.addrform_undecided", addrform_undecided, V6_ONLY },
	{ }
};
