// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmm-lwip on a packet socket, and the kernel's TCP and UDP at the other end of a veth pair, in a
 * namespace of our own.  The sockets of lwIP are those of the in-process peer.
 *
 *	peer sockets -- lwIP 10.9.0.2, fd09::2 -- near ==== far -- 10.9.0.1, fd09::1 kernel sockets
 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>

#include "../stack/inprocess.h"

#define PATIENCE	20000
#define BULK		(4 << 20)

/* lwIP's headers and those of the C library do not go together. */
int lwip_net_config(const char *port, struct dmm_stack_config **config);
int lwip_net_open(struct dmm_stack **stack);

static struct inprocess p;

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Host 1 is the kernel's, 2 is lwIP's. */
static union address at(int family, int host, int port)
{
	union address a = { .sa.sa_family = family };
	char text[32];

	snprintf(text, sizeof(text), family == AF_INET ? "10.9.0.%d" : "fd09::%d", host);
	inet_pton(family, text, family == AF_INET ? (void *)&a.in.sin_addr : &a.in6.sin6_addr);
	a.in.sin_port = htons(port);
	return a;
}

/* A socket of either side. */
struct sock {
	struct dmm_peer_socket *peer;	/* NULL: */
	int fd;
};

static struct sock peer_socket(int family, int type)
{
	struct sock s = { .fd = -1 };

	if (dmm_peer_socket(p.peer, family, type, &s.peer))
		exit(KSFT_FAIL);
	return s;
}

static struct sock kernel_socket(int family, int type)
{
	return (struct sock){ .fd = socket(family, type | SOCK_NONBLOCK, 0) };
}

static ssize_t send_to(struct sock s, const void *data, size_t len)
{
	ssize_t ret;

	if (s.peer)
		return dmm_peer_send(s.peer, data, len);
	ret = send(s.fd, data, len, MSG_NOSIGNAL);
	return ret < 0 ? -errno : ret;
}

static ssize_t recv_from(struct sock s, void *data, size_t len)
{
	ssize_t ret;

	if (s.peer)
		return dmm_peer_recv(s.peer, data, len);
	ret = recv(s.fd, data, len, 0);
	return ret < 0 ? -errno : ret;
}

static int wait_for(struct sock s, int events, int ms)
{
	struct pollfd fd = { s.fd, events, 0 };

	if (s.peer)
		return dmm_peer_wait(s.peer, events, ms);
	poll(&fd, 1, ms);
	return fd.revents;
}

static void close_it(struct sock s)
{
	if (s.peer)
		dmm_peer_close(s.peer, false);
	else if (s.fd >= 0)
		close(s.fd);
}

static bool listen_at(struct sock s, const union address *a)
{
	if (s.peer)
		return !dmm_peer_bind(s.peer, &a->sa) && !dmm_peer_listen(s.peer, 100);
	return !bind(s.fd, &a->sa, sizeof(*a)) && !listen(s.fd, 100);
}

static bool connect_to(struct sock s, const union address *a)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (s.peer) {
		dmm_peer_connect(s.peer, &a->sa);
		wait_for(s, POLLOUT, PATIENCE);
		error = dmm_peer_error(s.peer);
	} else if (connect(s.fd, &a->sa, sizeof(*a)) && errno == EINPROGRESS) {
		wait_for(s, POLLOUT, PATIENCE);
		getsockopt(s.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	if (error)
		ksft_note("connect: %s", strerror(error));
	return !error;
}

static bool accept_from(struct sock l, struct sock *s)
{
	*s = (struct sock){ .fd = -1 };
	wait_for(l, POLLIN, PATIENCE);
	if (l.peer)
		return !dmm_peer_accept(l.peer, &s->peer);
	s->fd = accept4(l.fd, NULL, NULL, SOCK_NONBLOCK);
	return s->fd >= 0;
}

/* A connection from one side to the other. */
static bool connection(bool from_lwip, int family, int port, struct sock *client, struct sock *server)
{
	union address a = at(family, from_lwip ? 1 : 2, port);
	struct sock l = from_lwip ? kernel_socket(family, SOCK_STREAM) : peer_socket(family, SOCK_STREAM);
	bool ok;

	*client = from_lwip ? peer_socket(family, SOCK_STREAM) : kernel_socket(family, SOCK_STREAM);
	*server = (struct sock){ .fd = -1 };
	ok = listen_at(l, &a);
	/* The listener of the other side is there when its event has come by. */
	for (int i = 0; ok && !connect_to(*client, &a); i++) {
		if (i == 100)
			return false;
		close_it(*client);
		*client = from_lwip ? peer_socket(family, SOCK_STREAM) : kernel_socket(family, SOCK_STREAM);
		usleep(10000);
	}
	ok = ok && accept_from(l, server);
	close_it(l);
	return ok;
}

static uint8_t byte_at(size_t i)
{
	return i ^ i >> 8 ^ i >> 16;
}

/* Bytes that arrived as they were sent. */
static size_t transfer(struct sock from, struct sock to, size_t total)
{
	static uint8_t out[65536], in[65536];
	size_t sent = 0, got = 0;
	ssize_t ret;

	while (got < total) {
		size_t len = total - sent < sizeof(out) ? total - sent : sizeof(out);

		for (size_t i = 0; i < len; i++)
			out[i] = byte_at(sent + i);
		ret = len ? send_to(from, out, len) : 0;
		if (ret > 0)
			sent += ret;
		ret = recv_from(to, in, sizeof(in));
		if (ret == -EAGAIN) {
			if (sent == total && !(wait_for(to, POLLIN, PATIENCE) & POLLIN))
				return got;
			else if (!(wait_for(to, POLLIN, 10) & POLLIN) && !(wait_for(from, POLLOUT, 10) & POLLOUT) &&
				 !(wait_for(to, POLLIN, PATIENCE) & POLLIN))
				return got;
			continue;
		}
		if (ret <= 0)
			return got;
		for (ssize_t i = 0; i < ret; i++)
			if (in[i] != byte_at(got + i))
				return got + i;
		got += ret;
	}
	return got;
}

/* The last acknowledgement can be on its way still. */
static void test_metrics(struct sock s)
{
	struct dmm_metrics m = { 0 };

	for (int ms = 0; ms < PATIENCE && m.bytes_acked < BULK; ms++) {
		if (!dmm_peer_metrics(s.peer, &m))
			break;
		usleep(1000);
	}
	ksft_result(m.state == TCP_ESTABLISHED && m.snd_mss && m.rtt && m.rto >= 200000 && m.snd_cwnd &&
		    m.segs_in && m.segs_out && m.bytes_acked >= BULK && m.bytes_received >= BULK,
		    "TCP_INFO: mss %u rtt %u us cwnd %u retrans %u", m.snd_mss, m.rtt, m.snd_cwnd,
		    m.total_retrans);
}

static void test_stream(bool from_lwip, int family, int port)
{
	const char *who = from_lwip ? "lwIP to the kernel" : "the kernel to lwIP";
	struct sock client, server;
	size_t got;
	char byte;

	if (!ksft_result(connection(from_lwip, family, port, &client, &server), "%s, IPv%d: connected", who,
			 family == AF_INET ? 4 : 6))
		return;
	got = transfer(client, server, BULK);
	ksft_result(got == BULK, "%s: there (%zu)", who, got);
	got = transfer(server, client, BULK);
	ksft_result(got == BULK, "%s: and back (%zu)", who, got);
	test_metrics(from_lwip ? client : server);
	close_it(client);
	wait_for(server, POLLIN, PATIENCE);
	ksft_result(recv_from(server, &byte, 1) == 0, "%s: end of file", who);
	close_it(server);
}

static bool own_namespace(void)
{
	char map[32];
	int fd, uid = getuid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	fd = open("/proc/self/uid_map", O_WRONLY);
	snprintf(map, sizeof(map), "0 %d 1", uid);
	if (fd < 0 || write(fd, map, strlen(map)) < 0)
		return false;
	close(fd);
	return !system("ip link add near type veth peer name far && ip link set near addrgenmode none && "
		       "ip link set near up && ip link set far up && ip addr add 10.9.0.1/24 dev far && "
		       "ip addr add fd09::1/64 dev far nodad");
}

int main(void)
{
	struct dmm_stack_config *config;
	struct dmm_stack *stack;

	if (!own_namespace())
		ksft_skip_all("no namespaces for us here");
	ksft_header();
	if (lwip_net_config("near", &config))
		return KSFT_FAIL;
	inprocess_prepare(&p, config);
	if (lwip_net_open(&stack))
		return KSFT_FAIL;
	inprocess_run(&p, stack);
	test_stream(true, AF_INET, 1001);
	test_stream(false, AF_INET, 1002);
	test_stream(true, AF_INET6, 1003);
	test_stream(false, AF_INET6, 1004);
	inprocess_end(&p);
	ksft_finish();
}
