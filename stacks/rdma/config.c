// SPDX-License-Identifier: Apache-2.0
/* The configuration: "KEY VALUE" in a file, --KEY VALUE as options. */
#include "rdma.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char message[256];

__attribute__((format(printf, 1, 2)))
static int bad(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	return -EINVAL;
}

const char *rd_config_error(void)
{
	return message;
}

static int number(const char *text, unsigned long min, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	if (end == text || *end || *text == '-' || errno || *value < min || *value > max)
		return bad("not a number from %lu to %lu: %s", min, max, text);
	return 0;
}

static int set_address(const char *value)
{
	union rd_sockaddr sa = { 0 };

	if (rd.nr_addresses == RD_ADDRESSES_MAX)
		return bad("more than %u addresses", RD_ADDRESSES_MAX);
	if (inet_pton(AF_INET, value, &sa.in.sin_addr) == 1)
		sa.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, value, &sa.in6.sin6_addr) == 1)
		sa.sa.sa_family = AF_INET6;
	else
		return bad("not an address: %s", value);
	rd.addresses[rd.nr_addresses++].sa = sa;
	return 0;
}

static int set_name(const char *value)
{
	rd.config.name = value;
	return 0;
}

static int set_instance(const char *value)
{
	rd.config.instance = value;
	return 0;
}

static int set_device(const char *value)
{
	rd.config.path = value;
	return 0;
}

static int set_connections(const char *value)
{
	unsigned long n;
	int ret = number(value, 1, 100000, &n);

	rd.conns = n;
	return ret;
}

static int set_arena(const char *value)
{
	unsigned long n;
	int ret = number(value, 1, DMM_ARENA_MAX >> 20, &n);

	rd.config.arena = (uint64_t)n << 20;
	return ret;
}

/* KiB, to a power of two. */
static int buffer(const char *value, uint32_t *bytes)
{
	unsigned long n;
	int ret = number(value, 4, RD_RING_MAX >> 10, &n);

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

static int set_weight(const char *value)
{
	unsigned long n;
	int ret = number(value, 1, 1000, &n);

	rd.config.weight = n;
	return ret;
}

static int set_spin(const char *value)
{
	unsigned long n = 0;
	int ret;

	if (!strcmp(value, "always")) {
		rd.spin = -1;
		return 0;
	}
	ret = number(value, 0, 1000000, &n);
	rd.spin = n * INT64_C(1000);
	return ret;
}

static int milliseconds(const char *value, int64_t *ns)
{
	unsigned long n;
	int ret = number(value, 100, 3600000, &n);

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

static const struct {
	const char *key;
	int (*set)(const char *value);
} keys[] = {
	{ "address", set_address },
	{ "name", set_name },
	{ "instance", set_instance },
	{ "device", set_device },
	{ "connections", set_connections },
	{ "arena", set_arena },
	{ "sndbuf", set_sndbuf },
	{ "rcvbuf", set_rcvbuf },
	{ "weight", set_weight },
	{ "spin", set_spin },
	{ "silence", set_silence },
	{ "connect-timeout", set_connect_timeout },
	{ "linger", set_linger },
};

int rd_set(const char *key, const char *value)
{
	for (unsigned int i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(keys[i].key, key))
			return *value ? keys[i].set(value) : bad("%s: without a value", key);
	return bad("unknown: %s", key);
}

/* Values stay in memory, for they are referred to. */
static int set_line(char *line, const char *path, unsigned int nr)
{
	char *key, *value, why[sizeof(message)];
	int ret;

	line[strcspn(line, "#\n")] = 0;
	key = strtok(line, " \t");
	if (!key)
		return 0;
	value = strtok(NULL, " \t");
	if (value && strtok(NULL, " \t"))
		return bad("%s:%u: more than KEY VALUE", path, nr);
	ret = rd_set(key, value ? strdup(value) : "");
	if (!ret)
		return 0;
	snprintf(why, sizeof(why), "%s", message);
	return bad("%s:%u: %s", path, nr, why);
}

int rd_config_file(const char *path)
{
	char line[512];
	FILE *f = fopen(path, "re");
	int ret = 0;

	if (!f)
		return bad("%s: %s", path, strerror(errno));
	for (unsigned int nr = 1; !ret && fgets(line, sizeof(line), f); nr++)
		ret = set_line(line, path, nr);
	fclose(f);
	return ret;
}
