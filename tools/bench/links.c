// SPDX-License-Identifier: Apache-2.0
/*
 * links server ADDRESS PORT [FAMILY]
 * links client LOCAL ADDRESS PORT BYTES [FAMILY]
 * links ueid NAME
 *
 * One end of connections over a link, by whatever serves the program's sockets: the kernel's TCP, SMC (FAMILY 43), a
 * preloaded librspreload, DMM. The server serves one connection after the other, in one thread and without fork(), for
 * librspreload does not get over that.
 *
 * The client prints microseconds: of a connection's set-up, of a round trip of 64 bytes, of a transfer of a megabyte; the
 * median of each. "ueid" gives SMC the name without which its version 2 finds no peer.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/smc.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#define MESSAGE		64
#define PIECE		65536
#define CONNECTS	5
#define ROUND_TRIPS	200
#define TRANSFERS	5

static char buffer[PIECE];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static struct sockaddr_in address(const char *addr, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	if (inet_pton(AF_INET, addr, &sa.sin_addr) != 1)
		errx(2, "%s: not an address", addr);
	return sa;
}

static bool put(int fd, size_t len)
{
	ssize_t n;

	for (; len; len -= n) {
		n = send(fd, buffer, len < PIECE ? len : PIECE, 0);
		if (n <= 0)
			return false;
	}
	return true;
}

static bool get(int fd, size_t len)
{
	ssize_t n;

	for (; len; len -= n) {
		n = recv(fd, buffer, len < PIECE ? len : PIECE, 0);
		if (n <= 0)
			return false;
	}
	return true;
}

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* The first byte of a request says what to do: echo messages, or take as many bytes and say so. */
struct request {
	char what;
	char pad[7];
	uint64_t bytes;
	char rest[MESSAGE - 16];
};

static bool serve_request(int fd)
{
	struct request r;

	if (!get(fd, MESSAGE))
		return false;
	memcpy(&r, buffer, sizeof(r));
	if (r.what == 't' && !get(fd, r.bytes))
		return false;
	return put(fd, MESSAGE);
}

static void serve(const struct sockaddr_in *at, int family)
{
	int listener = socket(family, SOCK_STREAM, 0), one = 1, fd;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)at, sizeof(*at)) || listen(listener, 8))
		err(1, "listen");
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		no_delay(fd);
		while (serve_request(fd))
			;
		close(fd);
	}
	err(1, "accept");
}

static int connect_to(const struct sockaddr_in *from, const struct sockaddr_in *to, int family)
{
	int fd = socket(family, SOCK_STREAM, 0);

	if (bind(fd, (const struct sockaddr *)from, sizeof(*from)) ||
	    connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		err(1, "connect");
	no_delay(fd);
	return fd;
}

static void ask(int fd, char what, uint64_t bytes)
{
	struct request r = { .what = what, .bytes = bytes };

	memcpy(buffer, &r, sizeof(r));
	if (!put(fd, MESSAGE) || (bytes && !put(fd, bytes)) || !get(fd, MESSAGE))
		err(1, "%c", what);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return values[nr / 2];
}

static double measure(int fd, char what, uint64_t bytes, int nr)
{
	double times[ROUND_TRIPS], start;

	for (int i = 0; i < nr; i++) {
		start = now();
		ask(fd, what, bytes);
		times[i] = now() - start;
	}
	return median(times, nr);
}

/* Until the first answer: a connection that the peer has not seen does not count. */
static double measure_connects(const struct sockaddr_in *from, const struct sockaddr_in *to, int family)
{
	double times[CONNECTS], start;

	for (int i = 0; i < CONNECTS; i++) {
		int fd;

		start = now();
		fd = connect_to(from, to, family);
		ask(fd, 'e', 0);
		times[i] = now() - start;
		close(fd);
	}
	return median(times, CONNECTS);
}

static void be_client(const struct sockaddr_in *from, const struct sockaddr_in *to, uint64_t bytes, int family)
{
	double setup = measure_connects(from, to, family);
	int fd = connect_to(from, to, family);

	printf("%.0f\t", setup);
	printf("%.0f\t", measure(fd, 'e', 0, ROUND_TRIPS));
	printf("%.0f\n", measure(fd, 't', bytes, TRANSFERS) * (1 << 20) / bytes);
	close(fd);
}

static void add_ueid(const char *name)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct nl_msg *msg = nlmsg_alloc();
	char eid[SMC_MAX_EID_LEN + 1];
	int family, ret;

	snprintf(eid, sizeof(eid), "%-*s", SMC_MAX_EID_LEN, name);
	if (!sk || !msg || genl_connect(sk))
		errx(1, "netlink");
	family = genl_ctrl_resolve(sk, SMC_GENL_FAMILY_NAME);
	if (family < 0)
		errx(1, "no " SMC_GENL_FAMILY_NAME);
	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, NLM_F_ACK, SMC_NETLINK_ADD_UEID, SMC_GENL_FAMILY_VERSION);
	nla_put_string(msg, SMC_NLA_EID_TABLE_ENTRY, eid);
	ret = nl_send_sync(sk, msg);
	if (ret < 0)
		errx(1, "ueid: %s", nl_geterror(ret));
	nl_socket_free(sk);
}

int main(int argc, char **argv)
{
	struct sockaddr_in from, to;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "ueid")) {
		add_ueid(argv[2]);
	} else if ((argc == 4 || argc == 5) && !strcmp(argv[1], "server")) {
		to = address(argv[2], argv[3]);
		serve(&to, argc == 5 ? atoi(argv[4]) : AF_INET);
	} else if ((argc == 6 || argc == 7) && !strcmp(argv[1], "client")) {
		from = address(argv[2], "0");
		to = address(argv[3], argv[4]);
		be_client(&from, &to, strtoull(argv[5], NULL, 0), argc == 7 ? atoi(argv[6]) : AF_INET);
	} else {
		return 2;
	}
	return 0;
}
