// SPDX-License-Identifier: Apache-2.0
/* Callbacks of the SDK; our addresses; timers. */
#include "rdma.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct rd rd = {
	.conns = 1000,
	.spin = RD_SPIN_AUTO,
	.silence = INT64_C(5000000000),
	.connect_timeout = INT64_C(2000000000),
	.linger = INT64_C(60000000000),
};

int64_t rd_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

void rd_sockaddr(union rd_sockaddr *sa, const uint8_t addr[16], __be16 port)
{
	memset(sa, 0, sizeof(*sa));
	if (!memcmp(addr, mapped, sizeof(mapped))) {
		sa->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
		memcpy(&sa->in.sin_addr, addr + 12, 4);
		return;
	}
	sa->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
	memcpy(&sa->in6.sin6_addr, addr, 16);
}

void rd_sockaddr_out(uint8_t addr[16], __be16 *port, const struct sockaddr *sa)
{
	const union rd_sockaddr *u = (const union rd_sockaddr *)sa;

	*port = u->in.sin_port;
	if (sa->sa_family == AF_INET6) {
		memcpy(addr, &u->in6.sin6_addr, 16);
		return;
	}
	memcpy(addr, mapped, sizeof(mapped));
	memcpy(addr + 12, &u->in.sin_addr, 4);
}

const struct rd_address *rd_address_of_family(int family)
{
	const struct rd_address *found = NULL;

	for (unsigned int i = 0; i < rd.nr_addresses; i++) {
		if (rd.addresses[i].sa.sa.sa_family != family)
			continue;
		if (found)
			return NULL;
		found = &rd.addresses[i];
	}
	return found;
}

/* Callbacks. */

static struct rd_conn *of(struct dmm_conn *conn)
{
	return dmm_conn_priv(conn);
}

static void on_tx_data(struct dmm_conn *conn)
{
	rd_conn_pump(of(conn));
}

static void on_rx_space(struct dmm_conn *conn)
{
	rd_conn_window(of(conn));
}

static void on_shutdown(struct dmm_conn *conn)
{
	of(conn)->shut = true;
	rd_conn_pump(of(conn));
}

static void on_close(struct dmm_conn *conn, bool reset)
{
	struct rd_sock *s = dmm_conn_priv(conn);

	if (s->listens)
		rd_listener_close((struct rd_listener *)s);
	else
		rd_conn_close((struct rd_conn *)s, reset);
}

/* A turn: what has come in, what goes out in consequence, and what is over. */
static int64_t on_poll(struct dmm_queue *queue)
{
	unsigned int nr = 0;

	(void)queue;
	for (unsigned int i = 0; i < RD_DEVICES_MAX; i++)
		if (rd.devices[i].verbs)
			nr += rd_device_poll(&rd.devices[i]);
	rd_conns_pump();
	rd.busy = nr;
	rd.busy |= rd_conns_reap();
	rd_conns_pump();
	return 0;
}

const struct dmm_stack_ops rd_stack_ops = {
	.connect = rd_connect,
	.listen = rd_listen,
	.accepted = rd_accepted,
	.refused = rd_refused,
	.tx_data = on_tx_data,
	.rx_space = on_rx_space,
	.shutdown = on_shutdown,
	.close = on_close,
	.poll = on_poll,
};

/* Timers. */

static int64_t sooner(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static int64_t setup_timers(void)
{
	struct rd_conn *c, *next;
	int64_t ns = -1;

	for (c = LIST_FIRST(&rd.setup); c; c = next) {
		next = LIST_NEXT(c, link);
		ns = sooner(ns, rd_setup_timer(c));
	}
	return ns;
}

/* Of those whose application is gone.  They are looked at with the peers: it is about a minute. */
static void linger_timers(void)
{
	struct rd_conn *c, *next;

	for (c = LIST_FIRST(&rd.open); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->closing && rd.now > c->deadline)
			rd_conn_kill(c, -ETIMEDOUT, RD_CAUSE_SILENT);
	}
}

int64_t rd_timers(void)
{
	static int64_t next_linger;
	int64_t ns;

	if (rd.now >= next_linger) {
		linger_timers();
		next_linger = rd.now + INT64_C(1000000000);
	}
	ns = sooner(setup_timers(), rd_peers_timer());
	for (unsigned int i = 0; i < RD_DEVICES_MAX; i++)
		if (rd.devices[i].verbs)
			ns = sooner(ns, rd_device_timer(&rd.devices[i]));
	return LIST_EMPTY(&rd.dead) ? ns : 0;
}

void rd_report(void)
{
	static const char *const causes[RD_CAUSE_NR] = {
		[RD_CAUSE_PEER] = "by the peer", [RD_CAUSE_SILENT] = "peer silent",
		[RD_CAUSE_LINK] = "link down", [RD_CAUSE_DEVICE] = "device",
		[RD_CAUSE_PROTOCOL] = "protocol", [RD_CAUSE_LOCAL] = "by us",
	};

	fprintf(stderr, "dmm-rdma: connected %llu, accepted %llu, rejected %llu; broken:",
		(unsigned long long)rd.connected, (unsigned long long)rd.accepted,
		(unsigned long long)rd.rejected);
	for (unsigned int i = RD_CAUSE_PEER; i < RD_CAUSE_NR; i++)
		fprintf(stderr, " %s %llu%s", causes[i], (unsigned long long)rd.broken[i],
			i < RD_CAUSE_NR - 1 ? "," : "\n");
}

/* Start and stop. */

/* Hold an address, and with it its device. */
static int hold_address(struct rd_address *a)
{
	struct rdma_cm_id *id;
	int ret = 0;

	if (rdma_create_id(rd.cm, &id, NULL, RDMA_PS_TCP))
		return -errno;
	if (rdma_bind_addr(id, &a->sa.sa))
		ret = -errno;
	else if (!id->verbs)
		ret = -ENODEV;
	else if (!rd_device_get(id->verbs))
		ret = -ENOMEM;
	if (ret)
		rdma_destroy_id(id);
	else
		a->id = id;
	return ret;
}

static int announce(const struct rd_address *a)
{
	bool v6 = a->sa.sa.sa_family == AF_INET6;

	return dmm_stack_address(rd.stack, true, a->sa.sa.sa_family,
				 v6 ? (void *)&a->sa.in6.sin6_addr : (void *)&a->sa.in.sin_addr, v6 ? 128 : 32);
}

static bool usable(const struct sockaddr *sa)
{
	const union rd_sockaddr *u = (const union rd_sockaddr *)sa;

	if (!sa)
		return false;
	if (sa->sa_family == AF_INET)
		return ntohl(u->in.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET;
	return sa->sa_family == AF_INET6 && !IN6_IS_ADDR_LOOPBACK(&u->in6.sin6_addr) &&
	       !IN6_IS_ADDR_LINKLOCAL(&u->in6.sin6_addr);
}

/* All addresses of interfaces that have an RDMA device. */
static int find_addresses(void)
{
	struct ifaddrs *list, *i;
	struct rd_address *a;

	if (getifaddrs(&list))
		return -errno;
	for (i = list; i && rd.nr_addresses < RD_ADDRESSES_MAX; i = i->ifa_next) {
		if (!usable(i->ifa_addr))
			continue;
		a = &rd.addresses[rd.nr_addresses];
		memcpy(&a->sa, i->ifa_addr, i->ifa_addr->sa_family == AF_INET ? sizeof(a->sa.in) :
									      sizeof(a->sa.in6));
		a->sa.in.sin_port = 0;
		if (!hold_address(a))
			rd.nr_addresses++;
	}
	freeifaddrs(list);
	return rd.nr_addresses ? 0 : -ENODEV;
}

static int start_addresses(void)
{
	int ret = 0;

	if (!rd.nr_addresses)
		ret = find_addresses();
	for (unsigned int i = 0; i < rd.nr_addresses && !ret; i++)
		if (!rd.addresses[i].id)
			ret = hold_address(&rd.addresses[i]);
	if (ret)
		fprintf(stderr, "dmm-rdma: no RDMA device has %s\n", rd.nr_addresses ? "the address" : "an address");
	return ret;
}

/* Each turn begins with what the kernel says. */
static void next_turn(void *unused)
{
	(void)unused;
}

int rd_start(void)
{
	static struct rd_watch cm = { rd_cm_events, NULL, false }, nothing = { next_turn, NULL, true };
	int ret;

	rd.now = rd_clock();
	rd.cm = rdma_create_event_channel();
	if (!rd.cm)
		return -errno;
	if (fcntl(rd.cm->fd, F_SETFL, fcntl(rd.cm->fd, F_GETFL) | O_NONBLOCK))
		return -errno;
	ret = rd_wait_init() ?: rd_watch(rd.cm->fd, &cm) ?: rd_reaper_init();
	if (!ret)
		ret = start_addresses();
	if (!ret)
		ret = dmm_stack_open(&rd.stack, &rd.config);
	if (!ret)
		ret = rd_watch(dmm_stack_fd(rd.stack), &nothing);
	if (ret)
		return ret;
	rd.queue = dmm_stack_queue(rd.stack, 0);
	for (unsigned int i = 0; i < rd.nr_addresses && !ret; i++)
		ret = announce(&rd.addresses[i]);
	return ret;
}

/* Peers hear of it by the connection manager.  The kernel resets what we leave. */
void rd_stop(void)
{
	struct rd_conn *c;

	while ((c = LIST_FIRST(&rd.open)))
		rd_conn_kill(c, -ECONNRESET, RD_CAUSE_LOCAL);
	while ((c = LIST_FIRST(&rd.setup)))
		rd_conn_kill(c, -ECONNRESET, RD_CAUSE_LOCAL);
	if (rd.stack)
		rd_conns_reap();
	dmm_stack_close(rd.stack);
	rd.stack = NULL;
}
