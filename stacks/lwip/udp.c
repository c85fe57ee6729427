// SPDX-License-Identifier: Apache-2.0
#include "lwip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <lwip/udp.h>

#define PIECES_MAX	64	/* a datagram of 64 KiB in parts of 1500 bytes has 45 */

struct socket {
	struct lw_sock sock;
	struct udp_pcb *pcb;
};

/* What finds no room in the ring is lost; the ring grows for the next. */
static void on_recv(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
	struct socket *s = arg;
	struct dmm_datagram d = {
		.len = p->tot_len,
		.family = IP_IS_V6(from) ? AF_INET6 : AF_INET,
		.port = lwip_htons(port),
	};
	struct iovec iov[PIECES_MAX];
	int nr = 0;

	(void)pcb;
	lw_address_out(d.addr, from);
	lw_address_out(d.local, ip_current_dest_addr());
	for (struct pbuf *q = p; q && nr < PIECES_MAX; q = q->next)
		iov[nr++] = (struct iovec){ q->payload, q->len };
	if (pbuf_clen(p) <= PIECES_MAX)
		dmm_conn_rx_datagram(s->sock.conn, &d, iov, nr);
	pbuf_free(p);
}

static struct pbuf *copy(const struct iovec iov[2], uint32_t len)
{
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, len, PBUF_RAM);

	if (!p)
		return NULL;
	if (iov[0].iov_len)
		memcpy(p->payload, iov[0].iov_base, iov[0].iov_len);
	if (iov[1].iov_len)
		memcpy((char *)p->payload + iov[0].iov_len, iov[1].iov_base, iov[1].iov_len);
	return p;
}

static err_t send_one(struct socket *s, const struct dmm_datagram *d, struct pbuf *p)
{
	ip_addr_t to, from;

	lw_address(&to, d->addr);
	s->pcb->tos = d->tos;
	if (dmm_address_is_any(d->local))
		return udp_sendto(s->pcb, p, &to, lwip_ntohs(d->port));
	lw_address(&from, d->local);
	return udp_sendto_if_src(s->pcb, p, &to, lwip_ntohs(d->port), ip_route(&from, &to), &from);
}

static void on_tx_data(struct dmm_conn *conn)
{
	struct socket *s = dmm_conn_priv(conn);
	struct dmm_datagram d;
	struct iovec iov[2];
	struct pbuf *p;

	while (dmm_conn_tx_datagram(conn, &d, iov)) {
		p = copy(iov, d.len);
		if (p && send_one(s, &d, p) == ERR_RTE)
			dmm_conn_error(conn, -ENETUNREACH);
		if (p)
			pbuf_free(p);
		dmm_conn_tx_datagram_done(conn);
	}
}

static void on_option(struct dmm_conn *conn)
{
	struct socket *s = dmm_conn_priv(conn);
	const struct dmm_options *o = dmm_conn_options(conn);

	if (!o)
		return;
	s->pcb->ttl = o->ttl ?: UDP_TTL;
	if (o->flags & DMM_OPTF_BROADCAST)
		ip_set_option(s->pcb, SOF_BROADCAST);
	else
		ip_reset_option(s->pcb, SOF_BROADCAST);
}

static void on_close(struct dmm_conn *conn, bool reset)
{
	struct socket *s = dmm_conn_priv(conn);

	if (!reset)
		on_tx_data(conn);
	udp_remove(s->pcb);
	free(s);
	dmm_conn_closed(conn);
}

static const struct lw_ops ops = {
	.tx_data = on_tx_data,
	.option = on_option,
	.close = on_close,
};

static void destroy(struct socket *s)
{
	if (s && s->pcb)
		udp_remove(s->pcb);
	free(s);
}

static err_t bind_pcb(struct socket *s, const struct dmm_open *open, bool dual)
{
	ip_addr_t at;

	lw_address_any(&at, open, dual);
	s->pcb = udp_new_ip_type(IP_GET_TYPE(&at));
	if (!s->pcb)
		return ERR_MEM;
	ip_set_option(s->pcb, SOF_REUSEADDR);
	udp_recv(s->pcb, on_recv, s);
	return udp_bind(s->pcb, &at, lwip_ntohs(open->lport));
}

/* The socket at @open->local, with what failed as the answer to @conn. */
static struct socket *socket_new(struct dmm_conn *conn, const struct dmm_open *open)
{
	struct socket *s = calloc(1, sizeof(*s));
	err_t err = ERR_MEM;

	if (s) {
		s->sock = (struct lw_sock){ &ops, conn };
		err = bind_pcb(s, open, dmm_conn_flags(conn) & DMM_EVF_DUAL);
	}
	if (err != ERR_OK) {
		destroy(s);
		dmm_conn_error(conn, lw_errno(err));
		return NULL;
	}
	dmm_conn_set_priv(conn, s);
	return s;
}

/* The far end is that of the pcb; unspecified: none any more. */
static err_t connect_pcb(struct socket *s, const struct dmm_open *open)
{
	ip_addr_t remote;

	if (dmm_address_is_any(open->remote) || !open->rport) {
		udp_disconnect(s->pcb);
		return ERR_OK;
	}
	lw_address(&remote, open->remote);
	if (IP_IS_ANY_TYPE_VAL(s->pcb->local_ip))
		IP_SET_TYPE_VAL(s->pcb->local_ip, IP_GET_TYPE(&remote));
	return udp_connect(s->pcb, &remote, lwip_ntohs(open->rport));
}

static void answer(struct socket *s, const struct dmm_open *open)
{
	struct dmm_open local = *open;

	local.lport = lwip_htons(s->pcb->local_port);
	if (!ip_addr_isany_val(s->pcb->local_ip))
		lw_address_out(local.local, &s->pcb->local_ip);
	on_option(s->sock.conn);
	dmm_conn_connected(s->sock.conn, &local);
}

void lw_udp_bind(struct dmm_conn *conn, const struct dmm_open *open)
{
	struct socket *s = socket_new(conn, open);

	if (s)
		answer(s, open);
}

void lw_udp_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	struct socket *s = dmm_conn_priv(conn) ?: socket_new(conn, open);
	err_t err;

	if (!s)
		return;
	err = connect_pcb(s, open);
	if (err == ERR_OK)
		return answer(s, open);
	destroy(s);
	dmm_conn_error(conn, lw_errno(err));
}
