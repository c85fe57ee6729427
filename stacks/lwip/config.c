// SPDX-License-Identifier: Apache-2.0
/*
 * The configuration: "KEY VALUE" in a file, --KEY VALUE as options.  Keys that concern an interface
 * are for the port named before them.  With workers, what is said before the first of them is for all,
 * the rest for the one named before it.
 */
#include "lwip.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char message[256];

/* What all workers have in common, and the workers; the last one is in lw as long as it is parsed. */
static struct lw common, workers[LW_WORKERS_MAX];
static unsigned int nr_workers;

__attribute__((format(printf, 1, 2)))
static int bad(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	return -EINVAL;
}

const char *lw_config_error(void)
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

static int address(const char *text, ip_addr_t *addr)
{
	return ipaddr_aton(text, addr) ? 0 : bad("not an address: %s", text);
}

/* Without a length it is a host. */
static int prefix(const char *text, struct lw_prefix *p)
{
	const char *slash = strchrnul(text, '/');
	char addr[64];
	unsigned long len;
	int ret;

	snprintf(addr, sizeof(addr), "%.*s", (int)(slash - text), text);
	ret = address(addr, &p->addr);
	if (ret)
		return ret;
	len = IP_IS_V6(&p->addr) ? 128 : 32;
	if (*slash)
		ret = number(slash + 1, 0, len, &len);
	p->len = len;
	return ret;
}

static struct lw_iface *iface(void)
{
	return lw.nr_ifaces ? &lw.ifaces[lw.nr_ifaces - 1] : NULL;
}

static int set_name(const char *value)
{
	lw.config.name = value;
	return 0;
}

static int set_instance(const char *value)
{
	if (nr_workers)
		return bad("the instance of a worker has the name of the worker");
	lw.config.instance = value;
	return 0;
}

static int set_worker(const char *value)
{
	if (!nr_workers && (lw.nr_ifaces || lw.nr_routes || lw.config.instance))
		return bad("port, gateway, route or instance before the first worker");
	if (nr_workers == LW_WORKERS_MAX)
		return bad("more than %u workers", LW_WORKERS_MAX);
	for (unsigned int i = 0; i < nr_workers; i++)
		if (!strcmp(workers[i].config.instance, value) || !strcmp(lw.config.instance, value))
			return bad("a second worker %s", value);
	if (nr_workers)
		workers[nr_workers - 1] = lw;
	else
		common = lw;
	lw = common;
	lw.config.instance = value;
	workers[nr_workers++] = lw;
	return 0;
}

static int set_device(const char *value)
{
	lw.config.path = value;
	return 0;
}

static int set_port(const char *value)
{
	if (lw.nr_ifaces == LW_IFACES_MAX)
		return bad("more than %u ports", LW_IFACES_MAX);
	lw.ifaces[lw.nr_ifaces++].device = value;
	return 0;
}

static int set_address(const char *value)
{
	struct lw_iface *i = iface();
	struct lw_prefix p;
	int ret = prefix(value, &p);

	if (ret)
		return ret;
	if (IP_IS_V6(&p.addr) && p.len != 64)
		return bad("the prefix of an IPv6 address has 64 bits: %s", value);
	if (i->nr_addrs == LWIP_IPV6_NUM_ADDRESSES)
		return bad("more than %d addresses", LWIP_IPV6_NUM_ADDRESSES);
	for (unsigned int n = 0; n < i->nr_addrs && IP_IS_V4(&p.addr); n++)
		if (IP_IS_V4(&i->addrs[n].addr))
			return bad("a second IPv4 address: %s", value);
	i->addrs[i->nr_addrs++] = p;
	return 0;
}

static int set_dhcp(const char *value)
{
	(void)value;
	iface()->dhcp = true;
	return 0;
}

static int set_autoconf(const char *value)
{
	(void)value;
	iface()->autoconf = true;
	return 0;
}

static int set_mtu(const char *value)
{
	unsigned long n;
	int ret = number(value, 576, UINT16_MAX, &n);

	iface()->mtu = n;
	return ret;
}

static int set_capture(const char *value)
{
	iface()->capture = value;
	return 0;
}

static int add_route(const struct lw_prefix *to, const char *via)
{
	struct lw_route *r = &lw.routes[lw.nr_routes];
	int ret = address(via, &r->via);

	if (ret)
		return ret;
	if (lw.nr_routes == LW_ROUTES_MAX)
		return bad("more than %u routes", LW_ROUTES_MAX);
	if (IP_IS_V6(&r->via) != IP_IS_V6(&to->addr))
		return bad("a gateway of the other family: %s", via);
	r->to = *to;
	lw.nr_routes++;
	return 0;
}

static int set_gateway(const char *value)
{
	struct lw_prefix all = { 0 };
	int ret = address(value, &all.addr);

	ip_addr_set_any(IP_IS_V6(&all.addr), &all.addr);
	return ret ? ret : add_route(&all, value);
}

/* PREFIX via ADDRESS */
static int set_route(const char *value)
{
	char to[64], via[64];
	struct lw_prefix p;
	int ret;

	if (sscanf(value, "%63s via %63s", to, via) != 2)
		return bad("not PREFIX via ADDRESS: %s", value);
	ret = prefix(to, &p);
	return ret ? ret : add_route(&p, via);
}

static int set_connections(const char *value)
{
	unsigned long n;
	int ret = number(value, 1, DMM_CONNS_MAX, &n);

	lw.config.conns = n;
	return ret;
}

static int set_arena(const char *value)
{
	unsigned long n;
	int ret = number(value, 1, DMM_ARENA_MAX >> 20, &n);

	lw.config.arena = (uint64_t)n << 20;
	return ret;
}

static int ring(const char *value, unsigned long min, uint32_t *bytes)
{
	unsigned long n;
	int ret = number(value, min, 16384, &n);

	if (!ret && n & (n - 1))
		ret = bad("not a power of two: %s", value);
	*bytes = n << 10;
	return ret;
}

static int set_sndbuf(const char *value)
{
	return ring(value, 4, &lw.config.sndbuf);
}

static int set_rcvbuf(const char *value)
{
	return ring(value, 64, &lw.config.rcvbuf);
}

static int set_weight(const char *value)
{
	unsigned long n;
	int ret = number(value, 1, 1000, &n);

	lw.config.weight = n;
	return ret;
}

static int set_spin(const char *value)
{
	unsigned long n = 0;
	int ret = 0;

	if (strcmp(value, "always"))
		ret = number(value, 0, 1000000, &n);
	lw.spin = strcmp(value, "always") ? (int64_t)n * 1000 : -1;
	return ret;
}

static int set_frames(const char *value)
{
	unsigned long n;
	int ret = number(value, 128, 1 << 20, &n);

	lw.frames = n;
	return ret;
}

static int set_memory(const char *value)
{
	unsigned long n;
	int ret = number(value, 16, 1 << 20, &n);

	lw.memory = n;
	return ret;
}

static int set_hugepages(const char *value)
{
	(void)value;
	lw.hugepages = true;
	return 0;
}

static const struct key {
	const char *name;
	int (*set)(const char *value);
	bool bare;	/* no value */
	bool iface;	/* of the port before it */
} keys[] = {
	{ "name", set_name, false, false },
	{ "instance", set_instance, false, false },
	{ "device", set_device, false, false },
	{ "worker", set_worker, false, false },
	{ "port", set_port, false, false },
	{ "address", set_address, false, true },
	{ "dhcp", set_dhcp, true, true },
	{ "autoconf", set_autoconf, true, true },
	{ "mtu", set_mtu, false, true },
	{ "capture", set_capture, false, true },
	{ "gateway", set_gateway, false, false },
	{ "route", set_route, false, false },
	{ "connections", set_connections, false, false },
	{ "arena", set_arena, false, false },
	{ "sndbuf", set_sndbuf, false, false },
	{ "rcvbuf", set_rcvbuf, false, false },
	{ "weight", set_weight, false, false },
	{ "spin", set_spin, false, false },
	{ "frames", set_frames, false, false },
	{ "memory", set_memory, false, false },
	{ "hugepages", set_hugepages, true, false },
};

static const struct key *find(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

bool lw_config_bare(const char *name)
{
	const struct key *key = find(name);

	return key && key->bare;
}

int lw_set(const char *name, const char *value)
{
	const struct key *key = find(name);

	if (!key)
		return bad("unknown: %s", name);
	if (key->bare ? *value : !*value)
		return bad(key->bare ? "%s takes no value" : "%s needs a value", name);
	if (key->iface && !iface())
		return bad("%s before any port", name);
	return key->set(value);
}

/* KEY [VALUE], with blanks between and around; # begins a comment.  The value stays. */
static int line_set(char *line)
{
	char *key, *value;

	line[strcspn(line, "#\n")] = 0;
	key = line + strspn(line, " \t");
	if (!*key)
		return 0;
	for (size_t end = strlen(key); end && strchr(" \t\r", key[end - 1]); end--)
		key[end - 1] = 0;
	value = key + strcspn(key, " \t");
	if (*value)
		*value++ = 0;
	value = strdup(value + strspn(value, " \t"));
	return value ? lw_set(key, value) : bad("no memory");
}

int lw_config_file(const char *path)
{
	char line[1024], what[sizeof(message)];
	FILE *f = fopen(path, "re");
	int ret = 0;

	if (!f)
		return bad("%s: %s", path, strerror(errno));
	for (unsigned int nr = 1; !ret && fgets(line, sizeof(line), f); nr++) {
		ret = line_set(line);
		if (ret) {
			strcpy(what, message);
			bad("%s:%u: %s", path, nr, what);
		}
	}
	fclose(f);
	return ret;
}

unsigned int lw_config_workers(void)
{
	return nr_workers;
}

const char *lw_config_worker(unsigned int index)
{
	lw = workers[index];
	return lw.config.instance;
}

static int check(void)
{
	if (!lw.nr_ifaces)
		return bad(nr_workers ? "no port for worker %s" : "no port", lw.config.instance);
	for (unsigned int i = 0; i < lw.nr_ifaces; i++)
		if (!lw.ifaces[i].nr_addrs && !lw.ifaces[i].dhcp && !lw.ifaces[i].autoconf)
			return bad("no address for port %s", lw.ifaces[i].device);
	return 0;
}

int lw_config_check(void)
{
	int ret = 0;

	if (!nr_workers)
		return check();
	workers[nr_workers - 1] = lw;
	for (unsigned int i = 0; i < nr_workers && !ret; i++) {
		lw_config_worker(i);
		ret = check();
	}
	return ret;
}
