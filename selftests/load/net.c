// SPDX-License-Identifier: GPL-2.0-only
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <linux/dmm.h>

const char *const way_names[NR_WAYS] = { "inet", "dmm", "protocol" };

/* The number of the family, as long as the module is there to say it. */
static int af_dmm(void)
{
	FILE *f = fopen("/sys/module/dmm/parameters/af", "re");
	int af = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &af) != 1)
		af = -1;
	fclose(f);
	return af;
}

int make(enum way way, int family, int type)
{
	int af;

	switch (way) {
	case FAMILY:
		af = af_dmm();
		if (af < 0) {
			errno = EAFNOSUPPORT;
			return -1;
		}
		return socket(af, type, family == AF_INET ? DMM_PROTO_INET : DMM_PROTO_INET6);
	case PROTOCOL:
		return socket(family, type, IPPROTO_DMM);
	default:
		return socket(family, type, 0);
	}
}

union addr loopback(int family)
{
	union addr a = { .sa.sa_family = family };

	if (family == AF_INET)
		a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a.v6.sin6_addr = in6addr_loopback;
	return a;
}

socklen_t addr_len(const union addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

int make_listener(enum way way, int family, union addr *a)
{
	int fd = make(way, family, SOCK_STREAM);
	socklen_t len = sizeof(*a);

	*a = loopback(family);
	if (fd < 0)
		return -1;
	if (bind(fd, &a->sa, addr_len(a)) || listen(fd, 128) || getsockname(fd, &a->sa, &len)) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

int connect_to(int fd, const union addr *a)
{
	return connect(fd, &a->sa, addr_len(a));
}

/* A byte from a to b, and one back. */
bool echo(int a, int b)
{
	char byte;

	return send(a, "x", 1, MSG_NOSIGNAL) == 1 && recv(b, &byte, 1, 0) == 1 && byte == 'x' &&
	       send(b, "y", 1, MSG_NOSIGNAL) == 1 && recv(a, &byte, 1, 0) == 1 && byte == 'y';
}
