// SPDX-License-Identifier: GPL-2.0-only
/* socket() itself. */
#include "parity.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <stdio.h>

static void see_identity(int fd)
{
	struct stat st;
	char path[64], name[64] = "";
	ssize_t n;

	see("domain %d type %d protocol %d listening %d", get_int(fd, SOL_SOCKET, SO_DOMAIN),
	    get_int(fd, SOL_SOCKET, SO_TYPE), get_int(fd, SOL_SOCKET, SO_PROTOCOL),
	    get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
	MUST(fstat(fd, &st));
	see("mode %o size %ld blocks %ld links %ld uid %d", st.st_mode, (long)st.st_size,
	    (long)st.st_blocks, (long)st.st_nlink, st.st_uid);
	see("flags %x descriptor flags %x", MUST(fcntl(fd, F_GETFL)), MUST(fcntl(fd, F_GETFD)));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(readlink(path, name, sizeof(name) - 1));
	see("link %.8s", name);
	n = getxattr(path, "system.sockprotoname", name, sizeof(name));
	see("sockprotoname %.*s", (int)n, n > 0 ? name : "");
}

static void identity(void)
{
	int c, l, s;

	see_identity(c = client(SOCK_STREAM));
	see_identity(l = listener());
	dial(c, l);
	see_identity(s = take(l));
	see_identity(c);
	see_identity(client(SOCK_STREAM | SOCK_CLOEXEC));
	see_identity(client(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC));
	close(s);
}

static void identity_dgram(void)
{
	int c = client(SOCK_DGRAM), s = bound(server(SOCK_DGRAM), 0);
	union addr a = local_addr(s);

	see_identity(c);
	see_identity(s);
	MUST(connect(c, &a.sa, addr_len()));
	see_identity(c);
}

/* The cookie names the socket for its whole life, and no other. */
static uint64_t cookie(int fd)
{
	uint64_t value = 0;
	socklen_t len = sizeof(value);

	MUST(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &value, &len));
	return value;
}

static void cookies(void)
{
	int c = client(SOCK_STREAM), l = listener();
	uint64_t of_c = cookie(c), of_l = cookie(l);
	struct stat before, after;

	CHECK(of_c && of_l && of_c != of_l);
	MUST(fstat(c, &before));
	dial(c, l);
	MUST(fstat(c, &after));
	CHECK(before.st_ino == after.st_ino && before.st_dev == after.st_dev);
	CHECK(cookie(c) == of_c);
	CHECK(cookie(take(l)) != of_l);
	CHECK(cookie(l) == of_l);
}

static void no_descriptors(void)
{
	struct rlimit limit = { 64, 64 };
	int c, l = listener(), fd;

	MUST(setrlimit(RLIMIT_NOFILE, &limit));
	c = client(SOCK_STREAM);
	dial(c, l);
	do
		fd = dup(0);
	while (fd >= 0);
	TRY(make(run.client, SOCK_STREAM));
	wait_for(l, POLLIN);
	TRY(accept(l, NULL, NULL));
	close(63);
	TRY(make(run.client, SOCK_STREAM));
	close(63);
	/* Linux takes the connection off the queue only when it has a descriptor for it. */
	TRY(accept(l, NULL, NULL));
	echo(c, 63);
}

/* Refusals of AF_DMM, and the errno that says what was wrong. */
static void refusals(void)
{
	static const struct {
		int type, protocol, err;
	} cases[] = {
		{ SOCK_RAW, 0, ESOCKTNOSUPPORT },
		{ SOCK_RDM, 0, ESOCKTNOSUPPORT },
		{ SOCK_SEQPACKET, 0, ESOCKTNOSUPPORT },
		{ SOCK_PACKET, 0, ESOCKTNOSUPPORT },
		{ 9, 0, ESOCKTNOSUPPORT },
		{ 11, 0, EINVAL },
		{ SOCK_STREAM | 0x1000, 0, EINVAL },
		{ SOCK_STREAM, 2, EPROTONOSUPPORT },
		{ SOCK_STREAM, IPPROTO_UDP, EPROTONOSUPPORT },
		{ SOCK_STREAM, IPPROTO_SCTP, EPROTONOSUPPORT },
		{ SOCK_STREAM, IPPROTO_DMM, EPROTONOSUPPORT },
		{ SOCK_STREAM, 0x7fffffff, EPROTONOSUPPORT },
		{ SOCK_DGRAM, 2, EPROTONOSUPPORT },
		{ SOCK_DGRAM, IPPROTO_TCP, EPROTONOSUPPORT },
	};
	size_t i;
	int fds[2];

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = socket(run.af_dmm, cases[i].type, cases[i].protocol);

		if (fd < 0 && errno == cases[i].err)
			continue;
		see("type %d protocol %d: %s", cases[i].type, cases[i].protocol,
		    fd < 0 ? strerrorname_np(errno) : "a socket");
		CHECK(fd < 0 && errno == cases[i].err);
	}
	CHECK(socket(run.af_dmm, SOCK_STREAM, -1) < 0);
	CHECK(socketpair(run.af_dmm, SOCK_STREAM, 0, fds) < 0 && errno == EOPNOTSUPP);
	CHECK(socket(run.family, SOCK_DGRAM, IPPROTO_DMM) < 0 && errno == EPROTONOSUPPORT);
	CHECK(socket(run.family, SOCK_SEQPACKET, IPPROTO_DMM) < 0 && errno == ESOCKTNOSUPPORT);
}

/* IPPROTO_DMM must not have become the protocol of protocol 0 or IPPROTO_TCP. */
static void native_untouched(void)
{
	char stack[DMM_NAME_MAX];
	socklen_t len = sizeof(stack);
	int fd = plain(SOCK_STREAM);

	CHECK(getsockopt(fd, SOL_DMM, DMM_STACK, stack, &len) < 0);
	fd = MUST(socket(run.family, SOCK_STREAM, IPPROTO_TCP));
	CHECK(getsockopt(fd, SOL_DMM, DMM_STACK, stack, &len) < 0);
	CHECK(socketpair(run.family, SOCK_STREAM, 0, (int[2]){ }) < 0 && errno == EOPNOTSUPP);
}

const struct scenario create_scenarios[] = {
	{ "create.refusals", refusals, ONLY_DMM | ONE_MODE },
	{ "create.native_untouched", native_untouched, ONLY_DMM | ONE_MODE },
	{ "create.identity", identity, 0 },
	{ "create.identity_dgram", identity_dgram, DGRAM },
	{ "create.cookies", cookies, ONE_MODE },
	{ "create.no_descriptors", no_descriptors, 0 },
	{ }
};
