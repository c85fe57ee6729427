/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets on the loopback interface, for the tests of this directory. */
#ifndef LOAD_NET_H
#define LOAD_NET_H

#include <stdbool.h>
#include <netinet/in.h>
#include <sys/socket.h>

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* How a socket is made. */
enum way { PLAIN, FAMILY, PROTOCOL, NR_WAYS };

extern const char *const way_names[NR_WAYS];

/* All return -1 and errno; FAMILY fails with EAFNOSUPPORT while there is no module. */
int make(enum way way, int family, int type);
int make_listener(enum way way, int family, union addr *a);
int connect_to(int fd, const union addr *a);
bool echo(int a, int b);
socklen_t addr_len(const union addr *a);
union addr loopback(int family);

#endif /* LOAD_NET_H */
