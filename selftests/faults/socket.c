// SPDX-License-Identifier: GPL-2.0-only
/* The life of sockets: one op for each call, on all kinds of them. */
#include "faults.h"

#include <unistd.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* That of the listeners; others have a process of their own. */
static int port = 4242;
/* SOCK_NONBLOCK, where waiting would take long: what a fault drops is sent again after a second. */
static int flags;

/* How the sockets of an op are made. */
static struct kind {
	int family;
	int type;
	int protocol;
} kind;

static bool v6;
/* What an op works with, -1 if there is none. */
static int fd = -1, plain = -1, accepted = -1;

static int number_of_family(void)
{
	static int af;
	FILE *f;

	if (af)
		return af;
	f = fopen("/sys/module/dmm/parameters/af", "re");
	if (!f || fscanf(f, "%d", &af) != 1)
		give_up("address family");
	fclose(f);
	return af;
}

static void family(int type, bool is_v6)
{
	v6 = is_v6;
	kind = (struct kind){ number_of_family(), type, v6 ? DMM_PROTO_INET6 : DMM_PROTO_INET };
}

static void protocol(bool is_v6)
{
	v6 = is_v6;
	kind = (struct kind){ v6 ? AF_INET6 : AF_INET, SOCK_STREAM, IPPROTO_DMM };
}

static void stream4(void) { family(SOCK_STREAM, false); }
static void stream6(void) { family(SOCK_STREAM, true); }
static void dgram4(void) { family(SOCK_DGRAM, false); }
static void dgram6(void) { family(SOCK_DGRAM, true); }
static void protocol4(void) { protocol(false); }
static void protocol6(void) { protocol(true); }

static socklen_t fill_addr(struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (v6) {
		*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback };
		return sizeof(*in6);
	}
	*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return sizeof(*in);
}

static int made(void)
{
	return socket(kind.family, kind.type | flags, kind.protocol);
}

static int made_plain(void)
{
	return socket(v6 ? AF_INET6 : AF_INET, kind.type | flags, 0);
}

/* For what is not to fail. */
static int must(int ret, const char *what)
{
	if (ret < 0)
		give_up(what);
	return ret;
}

static int bound(int sock)
{
	struct sockaddr_storage ss;
	socklen_t len = fill_addr(&ss);

	must(setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), "SO_REUSEADDR");
	must(bind(sock, (void *)&ss, len), "bind");
	return sock;
}

static void close_one(int *sock)
{
	/* Without TIME_WAIT, for the next one has the same port. */
	setsockopt(*sock, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	if (*sock >= 0)
		close(*sock);
	*sock = -1;
}

static void close_all(void)
{
	close_one(&accepted);
	close_one(&fd);
	close_one(&plain);
}

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

/* Calls. */

static int call_socket(void)
{
	fault_begin();
	fd = made();
	fault_end();
	return result(fd);
}

static int call_bind(void)
{
	struct sockaddr_storage ss;
	socklen_t len = fill_addr(&ss);
	int ret;

	fault_begin();
	ret = bind(fd, (void *)&ss, len);
	fault_end();
	return result(ret);
}

static int call_listen(void)
{
	int ret;

	fault_begin();
	ret = listen(fd, 16);
	fault_end();
	return result(ret);
}

static int call_connect(void)
{
	struct sockaddr_storage ss;
	socklen_t len = fill_addr(&ss);
	int ret;

	fault_begin();
	ret = connect(fd, (void *)&ss, len);
	fault_end();
	return result(ret);
}

static int call_accept(void)
{
	fault_begin();
	accepted = accept(fd, NULL, NULL);
	fault_end();
	return result(accepted);
}

static int call_send(void)
{
	struct sockaddr_storage ss;
	socklen_t len = fill_addr(&ss);
	int ret;

	fault_begin();
	ret = sendto(fd, "x", 1, MSG_NOSIGNAL | (kind.type == SOCK_STREAM ? MSG_FASTOPEN : 0), (void *)&ss, len);
	fault_end();
	return result(ret);
}

static int call_want(void)
{
	int ret;

	fault_begin();
	ret = setsockopt(fd, SOL_DMM, DMM_STACK, "kernel", 6);
	fault_end();
	return result(ret);
}

static int call_info(void)
{
	struct dmm_info info;
	socklen_t len = sizeof(info);
	int ret;

	fault_begin();
	ret = getsockopt(fd, SOL_DMM, DMM_INFO, &info, &len);
	fault_end();
	return result(ret);
}

/* Without a connection it is refused anyway; or there is no TLS. */
static int call_ulp(void)
{
	int ret;

	fault_begin();
	ret = setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 3);
	fault_end();
	return ret < 0 && (errno == ENOTCONN || errno == ENOENT) ? 0 : result(ret);
}

/* Their sockets. */

#define PREPARE(name, kind, ...) static void name(void) { kind(); __VA_ARGS__; }

static void make_fd(void)
{
	fd = must(made(), "socket");
}

static void make_server(void)
{
	plain = bound(must(made_plain(), "socket"));
	if (kind.type == SOCK_STREAM)
		must(listen(plain, 16), "listen");
	make_fd();
}

static void make_caller(void)
{
	struct sockaddr_storage ss;
	socklen_t len = fill_addr(&ss);

	fd = bound(must(made(), "socket"));
	must(listen(fd, 16), "listen");
	plain = must(made_plain(), "socket");
	must(connect(plain, (void *)&ss, len), "connect");
}

PREPARE(fd_stream4, stream4, make_fd())
PREPARE(fd_stream6, stream6, make_fd())
PREPARE(fd_dgram4, dgram4, make_fd())
PREPARE(fd_dgram6, dgram6, make_fd())
PREPARE(fd_protocol4, protocol4, make_fd())
PREPARE(bound_stream4, stream4, make_fd(), bound(fd))
PREPARE(bound_protocol6, protocol6, make_fd(), bound(fd))
PREPARE(server_stream4, stream4, make_server())
PREPARE(server_stream6, stream6, make_server())
PREPARE(server_protocol4, protocol4, make_server())
PREPARE(server_protocol6, protocol6, make_server())
PREPARE(server_dgram4, dgram4, make_server())
PREPARE(server_dgram6, dgram6, make_server())
PREPARE(caller_stream4, stream4, make_caller())
PREPARE(caller_protocol6, protocol6, make_caller())

const struct op socket_ops[] = {
	{ "socket, stream, IPv4", ANYTHING, .prepare = stream4, .run = call_socket, .undo = close_all },
	{ "socket, stream, IPv6", ANYTHING, .prepare = stream6, .run = call_socket, .undo = close_all },
	{ "socket, datagram, IPv4", ANYTHING, .prepare = dgram4, .run = call_socket, .undo = close_all },
	{ "socket, datagram, IPv6", ANYTHING, .prepare = dgram6, .run = call_socket, .undo = close_all },
	{ "socket, IPPROTO_DMM, IPv4", ANYTHING, .prepare = protocol4, .run = call_socket, .undo = close_all },
	{ "socket, IPPROTO_DMM, IPv6", ANYTHING, .prepare = protocol6, .run = call_socket, .undo = close_all },
	{ "bind, stream", ANYTHING, .also = EADDRINUSE, .prepare = fd_stream6, .run = call_bind, .undo = close_all },
	{ "bind, datagram, which decides", ANYTHING, .prepare = fd_dgram4, .run = call_bind, .undo = close_all },
	{ "listen", ANYTHING, .prepare = bound_stream4, .run = call_listen, .undo = close_all },
	{ "listen, IPPROTO_DMM", ANYTHING, .prepare = bound_protocol6, .run = call_listen, .undo = close_all },
	{ "connect, IPv4", ANYTHING, .prepare = server_stream4, .run = call_connect, .undo = close_all },
	{ "connect, IPv6", ANYTHING, .prepare = server_stream6, .run = call_connect, .undo = close_all },
	{ "connect, IPPROTO_DMM, IPv4", ANYTHING, .prepare = server_protocol4, .run = call_connect, .undo = close_all },
	{ "connect, IPPROTO_DMM, IPv6", ANYTHING, .prepare = server_protocol6, .run = call_connect, .undo = close_all },
	{ "connect, datagram", ANYTHING, .prepare = server_dgram4, .run = call_connect, .undo = close_all },
	{ "accept", ANYTHING, .prepare = caller_stream4, .run = call_accept, .undo = close_all },
	{ "accept, IPPROTO_DMM", ANYTHING, .prepare = caller_protocol6, .run = call_accept, .undo = close_all },
	{ "a send that connects", ANYTHING, .once = true, .prepare = server_stream4, .run = call_send, .undo = close_all },
	{ "a datagram", ANYTHING, .prepare = server_dgram6, .run = call_send, .undo = close_all },
	{ "DMM_STACK", ANYTHING, .prepare = fd_protocol4, .run = call_want, .undo = close_all },
	{ "DMM_INFO", ANYTHING, .prepare = fd_dgram6, .run = call_info, .undo = close_all },
	{ "TCP_ULP", ANYTHING, .prepare = fd_stream4, .run = call_ulp, .undo = close_all },
	{ 0 }
};

static void storm_turn(void (*how)(void))
{
	int server;

	how();
	fd = made();
	call_want();
	call_info();
	call_ulp();
	if (kind.type == SOCK_DGRAM) {
		call_send();
		close_all();
		return;
	}
	server = call_bind() || call_listen() ? -1 : fd;
	if (server >= 0) {
		fd = made();
		call_connect();
		plain = fd;
		fd = server;
		call_accept();
	}
	close_all();
}

void storm_sockets(unsigned int rounds)
{
	static void (*const kinds[])(void) = { stream4, stream6, dgram4, dgram6, protocol4, protocol6 };
	unsigned int i;

	flags = SOCK_NONBLOCK;
	port += getpid() % 1000;
	/* Before anything fails. */
	number_of_family();
	while (rounds--)
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			storm_turn(kinds[i]);
}
