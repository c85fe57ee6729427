// SPDX-License-Identifier: Apache-2.0
/* The keys of the configuration. */
#include "rdma.h"

#include <arpa/inet.h>

static int set_address(const char *value)
{
	union rd_sockaddr sa = { 0 };

	if (rd.nr_addresses == RD_ADDRESSES_MAX)
		return daemon_bad("more than %u addresses", RD_ADDRESSES_MAX);
	if (inet_pton(AF_INET, value, &sa.in.sin_addr) == 1)
		sa.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, value, &sa.in6.sin6_addr) == 1)
		sa.sa.sa_family = AF_INET6;
	else
		return daemon_bad("not an address: %s", value);
	rd.addresses[rd.nr_addresses++].sa = sa;
	return 0;
}

static int set_connections(const char *value)
{
	unsigned long n;
	int ret = daemon_number(value, 1, 100000, &n);

	rd.conns = n;
	return ret;
}

/* KiB, to a power of two. */
static int buffer(const char *value, uint32_t *bytes)
{
	unsigned long n;
	int ret = daemon_number(value, 4, RD_RING_MAX >> 10, &n);

	for (*bytes = RD_RING_MIN; *bytes < n << 10; *bytes *= 2)
		;
	return ret;
}

static int set_sndbuf(const char *value)
{
	return buffer(value, &rd.config.sndbuf);
}

static int set_rcvbuf(const char *value)
{
	return buffer(value, &rd.config.rcvbuf);
}

static int set_spin(const char *value)
{
	return daemon_spin(value, &rd.spin);
}

static int milliseconds(const char *value, int64_t *ns)
{
	unsigned long n;
	int ret = daemon_number(value, 100, 3600000, &n);

	*ns = n * INT64_C(1000000);
	return ret;
}

static int set_silence(const char *value)
{
	return milliseconds(value, &rd.silence);
}

static int set_connect_timeout(const char *value)
{
	return milliseconds(value, &rd.connect_timeout);
}

static int set_linger(const char *value)
{
	return milliseconds(value, &rd.linger);
}

const struct daemon_key rd_keys[] = {
	{ "address", set_address, false },
	{ "connections", set_connections, false },
	{ "sndbuf", set_sndbuf, false },
	{ "rcvbuf", set_rcvbuf, false },
	{ "spin", set_spin, false },
	{ "silence", set_silence, false },
	{ "connect-timeout", set_connect_timeout, false },
	{ "linger", set_linger, false },
	{ 0 },
};
