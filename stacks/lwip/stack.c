// SPDX-License-Identifier: Apache-2.0
/* From the SDK's callbacks to the kind of socket, and to the turns of lwIP. */
#include "lwip.h"

#include <errno.h>
#include <string.h>
#include <dmm/eal.h>
#include <lwip/init.h>
#include <lwip/timeouts.h>

struct lw lw;
uint32_t lw_window = 256 << 10;

int lw_errno(err_t err)
{
	switch (err) {
	case ERR_OK:
		return 0;
	case ERR_MEM:
	case ERR_BUF:
		return -ENOBUFS;
	case ERR_RTE:
		return -EHOSTUNREACH;
	case ERR_USE:
		return -EADDRINUSE;
	case ERR_RST:
		return -ECONNRESET;
	case ERR_ABRT:
		return -ETIMEDOUT;
	default:
		return -EIO;
	}
}

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

void lw_address(ip_addr_t *addr, const uint8_t from[16])
{
	memset(addr, 0, sizeof(*addr));
	if (!memcmp(from, mapped, sizeof(mapped))) {
		memcpy(&ip_2_ip4(addr)->addr, from + 12, 4);
		IP_SET_TYPE_VAL(*addr, IPADDR_TYPE_V4);
		return;
	}
	memcpy(ip_2_ip6(addr)->addr, from, 16);
	IP_SET_TYPE_VAL(*addr, IPADDR_TYPE_V6);
	if (ip6_addr_has_scope(ip_2_ip6(addr), IP6_UNICAST) && lw.nr_ifaces)
		ip6_addr_assign_zone(ip_2_ip6(addr), IP6_UNICAST, &lw.ifaces[0].netif);
}

/* What a listener or datagram socket is bound to; [::] may be for both families. */
void lw_address_any(ip_addr_t *addr, const struct dmm_open *open, bool dual)
{
	lw_address(addr, open->local);
	if (!dmm_address_is_any(open->local))
		return;
	if (dual)
		ip_addr_copy(*addr, *IP_ANY_TYPE);
	else if (open->family == AF_INET6)
		ip_addr_copy(*addr, *IP6_ADDR_ANY);
	else
		ip_addr_copy(*addr, *IP4_ADDR_ANY);
}

void lw_address_out(uint8_t to[16], const ip_addr_t *addr)
{
	if (IP_IS_V6_VAL(*addr)) {
		memcpy(to, ip_2_ip6(addr)->addr, 16);
		return;
	}
	memcpy(to, mapped, sizeof(mapped));
	memcpy(to + 12, &ip_2_ip4(addr)->addr, 4);
}

static void on_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	if (open->type == SOCK_DGRAM)
		lw_udp_connect(conn, open);
	else
		lw_tcp_connect(conn, open);
}

static const struct lw_ops *ops_of(struct dmm_conn *conn)
{
	struct lw_sock *s = dmm_conn_priv(conn);

	return s->ops;
}

static void on_accepted(struct dmm_conn *conn)
{
	ops_of(conn)->accepted(conn);
}

static void on_refused(struct dmm_conn *conn, int error)
{
	ops_of(conn)->refused(conn, error);
}

static void on_tx_data(struct dmm_conn *conn)
{
	if (ops_of(conn)->tx_data)
		ops_of(conn)->tx_data(conn);
}

static void on_rx_space(struct dmm_conn *conn)
{
	if (ops_of(conn)->rx_space)
		ops_of(conn)->rx_space(conn);
}

static void on_shutdown(struct dmm_conn *conn)
{
	if (ops_of(conn)->shutdown)
		ops_of(conn)->shutdown(conn);
}

static void on_close(struct dmm_conn *conn, bool reset)
{
	ops_of(conn)->close(conn, reset);
}

static void on_option(struct dmm_conn *conn)
{
	if (ops_of(conn)->option)
		ops_of(conn)->option(conn);
}

int64_t lw_timers(void)
{
	u32_t ms = sys_timeouts_sleeptime();

	return ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? -1 : ms * 1000000ll;
}

/*
 * A turn of lwIP.  What sockets of ours send to each other is polled for when all else is done;
 * frames are sent before the events of this turn tell of memory that is free.
 */
static int64_t on_poll(struct dmm_queue *queue)
{
	unsigned int received = 0;

	(void)queue;
	for (unsigned int i = 0; i < lw.nr_ifaces; i++)
		received += lw_iface_receive(&lw.ifaces[i]);
	sys_check_timeouts();
	netif_poll_all();
	for (unsigned int i = 0; i < lw.nr_ifaces; i++)
		dmm_eal_flush(lw.ifaces[i].port);
	lw.busy = received;
	return received || lw.spin < 0 ? 0 : lw_timers();
}

const struct dmm_stack_ops lw_stack_ops = {
	.connect = on_connect,
	.listen = lw_listen,
	.bind = lw_udp_bind,
	.accepted = on_accepted,
	.refused = on_refused,
	.tx_data = on_tx_data,
	.rx_space = on_rx_space,
	.shutdown = on_shutdown,
	.close = on_close,
	.option = on_option,
	.poll = on_poll,
};

int lw_start(void)
{
	static bool started;
	int ret = 0;

	if (!started)
		lwip_init();
	started = true;
	if (lw.config.rcvbuf)
		lw_window = lw.config.rcvbuf;
	ret = dmm_stack_open(&lw.stack, &lw.config);
	if (ret)
		return ret;
	lw.arena = dmm_stack_arena(lw.stack, &lw.arena_len);
	for (unsigned int i = 0; i < lw.nr_ifaces && !ret; i++)
		ret = lw_iface_start(&lw.ifaces[i]);
	return ret ? ret : lw_routes_start();
}

void lw_stop(void)
{
	for (unsigned int i = 0; i < lw.nr_ifaces; i++)
		lw_iface_stop(&lw.ifaces[i]);
	dmm_stack_close(lw.stack);
	lw.stack = NULL;
}
