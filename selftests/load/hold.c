// SPDX-License-Identifier: GPL-2.0-only
/*
 * hold WAY FAMILY KIND: open a socket and hold it.
 *	WAY	inet, dmm, protocol
 *	FAMILY	4, 6
 *	KIND	undecided, bound, listener, connection, accepted, datagram, undecided-datagram
 * Says "ready", answers each line of input with "alive" or what went wrong, and ends with its input.
 */
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/dmm.h>

static struct {
	enum way way;
	int family;
	int fd;		/* the socket that is held */
	int peer;	/* the other end, if it has one */
	union addr addr;
} held = { .fd = -1, .peer = -1 };

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static int must(const char *what, int ret)
{
	if (ret < 0)
		die(what);
	return ret;
}

static void open_socket(int type)
{
	held.fd = must("socket", make(held.way, held.family, type));
}

static void open_undecided(void)
{
	open_socket(SOCK_STREAM);
}

static void open_bound(void)
{
	held.addr = loopback(held.family);
	open_socket(SOCK_STREAM);
	must("bind", bind(held.fd, &held.addr.sa, addr_len(&held.addr)));
}

static void open_listener(void)
{
	held.fd = must("listener", make_listener(held.way, held.family, &held.addr));
}

/* Each has a plain socket as its peer, and no listener any more. */
static void open_connection(void)
{
	int l = must("listener", make_listener(PLAIN, held.family, &held.addr));

	open_socket(SOCK_STREAM);
	must("connect", connect_to(held.fd, &held.addr));
	held.peer = must("accept", accept(l, NULL, NULL));
	close(l);
}

static void open_accepted(void)
{
	int l = must("listener", make_listener(held.way, held.family, &held.addr));

	held.peer = must("socket", make(PLAIN, held.family, SOCK_STREAM));
	must("connect", connect_to(held.peer, &held.addr));
	held.fd = must("accept", accept(l, NULL, NULL));
	close(l);
}

static void open_datagram(void)
{
	union addr own = loopback(held.family);
	socklen_t len = sizeof(own);

	held.addr = own;
	open_socket(SOCK_DGRAM);
	held.peer = must("socket", make(PLAIN, held.family, SOCK_DGRAM));
	must("bind", bind(held.peer, &own.sa, addr_len(&own)));
	must("getsockname", getsockname(held.peer, &held.addr.sa, &len));
	must("connect", connect_to(held.fd, &held.addr));
	must("getsockname", getsockname(held.fd, &own.sa, &len));
	must("connect", connect_to(held.peer, &own));
}

static void open_undecided_datagram(void)
{
	open_socket(SOCK_DGRAM);
}

static const struct {
	const char *name;
	void (*open)(void);
} kinds[] = {
	{ "undecided", open_undecided },
	{ "bound", open_bound },
	{ "listener", open_listener },
	{ "connection", open_connection },
	{ "accepted", open_accepted },
	{ "datagram", open_datagram },
	{ "undecided-datagram", open_undecided_datagram },
};

/* Is it still what it was? */
static void prove(void)
{
	struct dmm_info info;
	socklen_t len = sizeof(info);

	if (held.peer >= 0) {
		if (!echo(held.fd, held.peer))
			die("echo");
	} else {
		must("DMM_INFO", getsockopt(held.fd, SOL_DMM, DMM_INFO, &info, &len));
	}
	puts("alive");
}

int main(int argc, char **argv)
{
	char line[16];
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 4)
		return 2;
	while (strcmp(way_names[held.way], argv[1]))
		if (++held.way == NR_WAYS)
			return 2;
	held.family = argv[2][0] == '6' ? AF_INET6 : AF_INET;
	for (i = 0; strcmp(kinds[i].name, argv[3]); i++)
		if (i + 1 == sizeof(kinds) / sizeof(kinds[0]))
			return 2;
	kinds[i].open();
	puts("ready");
	while (fgets(line, sizeof(line), stdin))
		prove();
	return 0;
}
