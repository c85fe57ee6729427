// SPDX-License-Identifier: Apache-2.0
/*
 * The keys of the configuration.  Those that concern an interface are for the port named before them.  With workers, what is said before the first of them is for all,
 * the rest for the one named before it.
 */
#include "lwip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What all workers have in common, and the workers; the last one is in lw as long as it is parsed. */
static struct lw common, workers[LW_WORKERS_MAX];
static unsigned int nr_workers;

static int address(const char *text, ip_addr_t *addr)
{
	return ipaddr_aton(text, addr) ? 0 : daemon_bad("not an address: %s", text);
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
		ret = daemon_number(slash + 1, 0, len, &len);
	p->len = len;
	return ret;
}

/* The port that a key is for, or NULL and a reason. */
static struct lw_iface *iface(const char *key)
{
	if (lw.nr_ifaces)
		return &lw.ifaces[lw.nr_ifaces - 1];
	daemon_bad("%s before any port", key);
	return NULL;
}

static int set_instance(const char *value)
{
	if (nr_workers)
		return daemon_bad("the instance of a worker has the name of the worker");
	lw.config.instance = value;
	return 0;
}

static int set_worker(const char *value)
{
	if (!nr_workers && (lw.nr_ifaces || lw.nr_routes || lw.config.instance))
		return daemon_bad("port, gateway, route or instance before the first worker");
	if (nr_workers == LW_WORKERS_MAX)
		return daemon_bad("more than %u workers", LW_WORKERS_MAX);
	for (unsigned int i = 0; i < nr_workers; i++)
		if (!strcmp(workers[i].config.instance, value) || !strcmp(lw.config.instance, value))
			return daemon_bad("a second worker %s", value);
	if (nr_workers)
		workers[nr_workers - 1] = lw;
	else
		common = lw;
	lw = common;
	lw.config.instance = value;
	workers[nr_workers++] = lw;
	return 0;
}

static int set_port(const char *value)
{
	if (lw.nr_ifaces == LW_IFACES_MAX)
		return daemon_bad("more than %u ports", LW_IFACES_MAX);
	lw.ifaces[lw.nr_ifaces++].device = value;
	return 0;
}

static int set_address(const char *value)
{
	struct lw_iface *i = iface("address");
	struct lw_prefix p;
	int ret = i ? prefix(value, &p) : -EINVAL;

	if (ret)
		return ret;
	if (IP_IS_V6(&p.addr) && p.len != 64)
		return daemon_bad("the prefix of an IPv6 address has 64 bits: %s", value);
	if (i->nr_addrs == LWIP_IPV6_NUM_ADDRESSES)
		return daemon_bad("more than %d addresses", LWIP_IPV6_NUM_ADDRESSES);
	for (unsigned int n = 0; n < i->nr_addrs && IP_IS_V4(&p.addr); n++)
		if (IP_IS_V4(&i->addrs[n].addr))
			return daemon_bad("a second IPv4 address: %s", value);
	i->addrs[i->nr_addrs++] = p;
	return 0;
}

static int set_dhcp(const char *value)
{
	struct lw_iface *i = iface("dhcp");

	(void)value;
	if (!i)
		return -EINVAL;
	i->dhcp = true;
	return 0;
}

static int set_autoconf(const char *value)
{
	struct lw_iface *i = iface("autoconf");

	(void)value;
	if (!i)
		return -EINVAL;
	i->autoconf = true;
	return 0;
}

static int set_mtu(const char *value)
{
	struct lw_iface *i = iface("mtu");
	unsigned long n;
	int ret = i ? daemon_number(value, 576, UINT16_MAX, &n) : -EINVAL;

	if (!ret)
		i->mtu = n;
	return ret;
}

static int set_capture(const char *value)
{
	struct lw_iface *i = iface("capture");

	if (!i)
		return -EINVAL;
	i->capture = value;
	return 0;
}

static int add_route(const struct lw_prefix *to, const char *via)
{
	struct lw_route *r = &lw.routes[lw.nr_routes];
	int ret = address(via, &r->via);

	if (ret)
		return ret;
	if (lw.nr_routes == LW_ROUTES_MAX)
		return daemon_bad("more than %u routes", LW_ROUTES_MAX);
	if (IP_IS_V6(&r->via) != IP_IS_V6(&to->addr))
		return daemon_bad("a gateway of the other family: %s", via);
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
		return daemon_bad("not PREFIX via ADDRESS: %s", value);
	ret = prefix(to, &p);
	return ret ? ret : add_route(&p, via);
}

static int set_connections(const char *value)
{
	unsigned long n;
	int ret = daemon_number(value, 1, DMM_CONNS_MAX, &n);

	lw.config.conns = n;
	return ret;
}

static int ring(const char *value, unsigned long min, uint32_t *bytes)
{
	unsigned long n;
	int ret = daemon_number(value, min, 16384, &n);

	if (!ret && n & (n - 1))
		ret = daemon_bad("not a power of two: %s", value);
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

static int set_spin(const char *value)
{
	return daemon_spin(value, &lw.spin);
}

static int set_frames(const char *value)
{
	unsigned long n;
	int ret = daemon_number(value, 128, 1 << 20, &n);

	lw.frames = n;
	return ret;
}

static int set_memory(const char *value)
{
	unsigned long n;
	int ret = daemon_number(value, 16, 1 << 20, &n);

	lw.memory = n;
	return ret;
}

static int set_hugepages(const char *value)
{
	(void)value;
	lw.hugepages = true;
	return 0;
}

const struct daemon_key lw_keys[] = {
	{ "instance", set_instance, false },
	{ "worker", set_worker, false },
	{ "port", set_port, false },
	{ "address", set_address, false },
	{ "dhcp", set_dhcp, true },
	{ "autoconf", set_autoconf, true },
	{ "mtu", set_mtu, false },
	{ "capture", set_capture, false },
	{ "gateway", set_gateway, false },
	{ "route", set_route, false },
	{ "connections", set_connections, false },
	{ "sndbuf", set_sndbuf, false },
	{ "rcvbuf", set_rcvbuf, false },
	{ "spin", set_spin, false },
	{ "frames", set_frames, false },
	{ "memory", set_memory, false },
	{ "hugepages", set_hugepages, true },
	{ 0 },
};

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
		return daemon_bad(nr_workers ? "no port for worker %s" : "no port", lw.config.instance);
	for (unsigned int i = 0; i < lw.nr_ifaces; i++)
		if (!lw.ifaces[i].nr_addrs && !lw.ifaces[i].dhcp && !lw.ifaces[i].autoconf)
			return daemon_bad("no address for port %s", lw.ifaces[i].device);
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
