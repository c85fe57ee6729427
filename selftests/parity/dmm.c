// SPDX-License-Identifier: GPL-2.0-only
/* The options of level SOL_DMM, which AF_INET does not have. */
#include "parity.h"

#include <stdio.h>

static struct dmm_info info_of(int fd)
{
	struct dmm_info info = { };
	socklen_t len = sizeof(info);

	MUST(getsockopt(fd, SOL_DMM, DMM_INFO, &info, &len));
	CHECK(len == sizeof(info));
	return info;
}

static int want(int fd, const char *stack)
{
	return setsockopt(fd, SOL_DMM, DMM_STACK, stack, strlen(stack)) ? errno : 0;
}

static bool handed_over(int fd)
{
	char stack[DMM_NAME_MAX];
	socklen_t len = sizeof(stack);

	return getsockopt(fd, SOL_DMM, DMM_STACK, stack, &len) < 0 &&
	       (errno == EOPNOTSUPP || errno == ENOPROTOOPT);
}

static void names(void)
{
	static const char *const bad[] = {
		"Kernel", "-kernel", "ker nel", "kernel/", "\x80", "kernel@", "@0",
		"a-name-of-thirty-two-characters-", "a-name-that-is-longer-than-any-stack-may-have",
	};
	int fd = client(SOCK_STREAM);
	char stack[DMM_NAME_MAX] = "?";
	socklen_t len = sizeof(stack);
	size_t i;

	CHECK(!getsockopt(fd, SOL_DMM, DMM_STACK, stack, &len) && !stack[0]);
	CHECK(want(fd, "no-such-stack") == ENOENT);
	CHECK(want(fd, "no-such-stack@1") == ENOENT);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		int err = want(fd, bad[i]);

		if (err != EINVAL)
			see("\"%s\": %s", bad[i], err ? strerrorname_np(err) : "taken");
		CHECK(err == EINVAL);
	}
	CHECK(!info_of(fd).want[0]);
	CHECK(want(fd, "kernel") == 0);
	CHECK(!strcmp(info_of(fd).want, "kernel"));
	/* With the terminating NUL, and what a program has behind it in its buffer. */
	CHECK(setsockopt(fd, SOL_DMM, DMM_STACK, "kernel", 7) == 0);
	CHECK(setsockopt(fd, SOL_DMM, DMM_STACK, (char[DMM_NAME_MAX]){ "kernel" }, DMM_NAME_MAX) == 0);
	CHECK(want(fd, "") == 0);
	CHECK(!info_of(fd).want[0]);
	CHECK(setsockopt(fd, SOL_DMM, DMM_STACK, (void *)8, 4) < 0 && errno == EFAULT);
	CHECK(setsockopt(fd, SOL_DMM, DMM_STACK, "kernel", -1) < 0 && errno == EINVAL);
	CHECK(setsockopt(fd, SOL_DMM, DMM_INFO, "", 1) < 0 && errno == ENOPROTOOPT);
	CHECK(setsockopt(fd, SOL_DMM, 99, "", 1) < 0 && errno == ENOPROTOOPT);
	CHECK(getsockopt(fd, SOL_DMM, 99, stack, &len) < 0 && errno == ENOPROTOOPT);
}

/* getsockopt() writes no more than there is room for, and says how much. */
static void lengths(void)
{
	int fd = client(SOCK_STREAM);
	unsigned char buf[sizeof(struct dmm_info) + 16];
	socklen_t len, i;

	for (i = 0; i <= sizeof(buf); i++) {
		memset(buf, 0x5a, sizeof(buf));
		len = i;
		CHECK(!getsockopt(fd, SOL_DMM, DMM_INFO, buf, &len));
		CHECK(len == (i < sizeof(struct dmm_info) ? i : sizeof(struct dmm_info)));
		CHECK(len == sizeof(buf) || buf[len] == 0x5a);
	}
	len = -1;
	CHECK(getsockopt(fd, SOL_DMM, DMM_INFO, buf, &len) < 0 && errno == EINVAL);
	CHECK(getsockopt(fd, SOL_DMM, DMM_INFO, buf, NULL) < 0 && errno == EFAULT);
	len = sizeof(buf);
	CHECK(getsockopt(fd, SOL_DMM, DMM_INFO, (void *)8, &len) < 0 && errno == EFAULT);
}

static void states(void)
{
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM), s;
	struct dmm_info info = info_of(c);

	CHECK(info.state == DMM_SOCK_UNDECIDED && info.reason == DMM_REASON_UNDECIDED);
	CHECK(!info.rule && !info.stack[0] && !info.want[0]);
	bound(l, 0);
	CHECK(info_of(l).state == DMM_SOCK_UNDECIDED);
	MUST(listen(l, 1));
	info = info_of(l);
	CHECK(info.state == DMM_SOCK_LISTENER && info.reason == DMM_REASON_DEFAULT);
	CHECK(!strcmp(info.stack, "kernel"));
	CHECK(want(l, "kernel") == EISCONN);
	dial(c, l);
	s = take(l);
	CHECK(handed_over(c));
	CHECK(handed_over(s));
	CHECK(want(c, "kernel") == EOPNOTSUPP || want(c, "kernel") == ENOPROTOOPT);
	CHECK(info_of(l).state == DMM_SOCK_LISTENER);
	echo(c, s);
}

/* The wish for the kernel's stack is granted where no rule says otherwise. */
static void wish(void)
{
	int c = client(SOCK_STREAM), l = bound(server(SOCK_STREAM), 0);

	CHECK(want(c, "kernel") == 0);
	CHECK(want(l, "kernel") == 0);
	MUST(listen(l, 1));
	CHECK(info_of(l).reason == DMM_REASON_APP);
	dial(c, l);
	echo(c, take(l));
}

/* A refused or failed connect is the kernel's: the decision was made. */
static void refused(void)
{
	union addr dead = dead_end();
	int c = client(SOCK_STREAM);

	CHECK(connect(c, &dead.sa, addr_len()) < 0 && errno == ECONNREFUSED);
	CHECK(handed_over(c));
}

/* Calls that fail before there is anything to decide leave the socket undecided. */
static void still_undecided(void)
{
	union addr a = loopback(9);
	int c = client(SOCK_STREAM);

	CHECK(connect(c, &a.sa, 3) < 0);
	CHECK(connect(c, NULL, 0) < 0);
	CHECK(send(c, "x", 1, MSG_NOSIGNAL) < 0);
	CHECK(connect(c, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)) == 0);
	CHECK(shutdown(c, SHUT_RDWR) < 0);
	CHECK(accept(c, NULL, NULL) < 0);
	CHECK(info_of(c).state == DMM_SOCK_UNDECIDED);
}

static void dgram(void)
{
	int c = client(SOCK_DGRAM), s = server(SOCK_DGRAM);
	union addr a, any = { .sa.sa_family = run.family };

	CHECK(info_of(c).state == DMM_SOCK_UNDECIDED);
	CHECK(recv(c, (char[1]){ }, 1, MSG_DONTWAIT) < 0);
	CHECK(info_of(c).state == DMM_SOCK_UNDECIDED);
	CHECK(want(c, "kernel") == 0);
	/* A source address for what will be sent is not a service. */
	bound(c, 0);
	CHECK(info_of(c).state == DMM_SOCK_UNDECIDED);
	bound(s, 7777);
	CHECK(handed_over(s));
	a = local_addr(s);
	MUST(sendto(c, "x", 1, 0, &a.sa, addr_len()));
	CHECK(handed_over(c));
	/* Serving everywhere, it is decided by whom it talks to first. */
	s = server(SOCK_DGRAM);
	any.v4.sin_port = htons(7778);
	MUST(bind(s, &any.sa, addr_len()));
	CHECK(info_of(s).state == DMM_SOCK_UNDECIDED);
	MUST(sendto(s, "x", 1, 0, &a.sa, addr_len()));
	CHECK(handed_over(s));
	c = client(SOCK_DGRAM);
	MUST(connect(c, &a.sa, addr_len()));
	CHECK(handed_over(c));
}

/* Other levels' numbers are not ours, and ours are not in the way of theirs. */
static void other_levels(void)
{
	int fd = client(SOCK_STREAM);
	char buf[64];
	socklen_t len = sizeof(buf);

	CHECK(getsockopt(fd, SOL_DMM + 1, DMM_STACK, buf, &len) < 0);
	CHECK(getsockopt(fd, SOL_DMM, DMM_STACK, buf, &len) == 0);
	CHECK(getsockopt(fd, -SOL_DMM, DMM_STACK, buf, &len) < 0);
}

const struct scenario dmm_scenarios[] = {
	{ "dmm.names", names, ONLY_DMM | ONE_MODE },
	{ "dmm.lengths", lengths, ONLY_DMM | ONE_MODE },
	{ "dmm.states", states, ONLY_DMM },
	{ "dmm.wish", wish, ONLY_DMM },
	{ "dmm.refused", refused, ONLY_DMM | ONE_MODE },
	{ "dmm.still_undecided", still_undecided, ONLY_DMM | ONE_MODE },
	{ "dmm.dgram", dgram, ONLY_DMM | DGRAM },
	{ "dmm.other_levels", other_levels, ONLY_DMM | ONE_MODE },
	{ }
};
