// SPDX-License-Identifier: Apache-2.0
/*
 * Listeners.  The backlog here counts connections from the first SYN until the kernel has taken them
 * into its own; a SYN beyond it is dropped, and the peer repeats it.  lwIP's backlog ends at 255, so
 * a connection carries a reference to its listener instead, which goes when the connection is taken
 * or is no more.
 */
#include "lwip.h"

#include <errno.h>
#include <stdlib.h>
#include <lwip/tcp.h>

struct listener {
	struct lw_sock sock;
	struct tcp_pcb *pcb;
	unsigned int backlog;
	unsigned int pending;	/* each is a reference */
};

static void put(struct listener *l)
{
	if (!l->pcb && !l->pending)
		free(l);
}

static void taken(u8_t id, void *data)
{
	struct listener *l = data;

	(void)id;
	if (!l)
		return;
	l->pending--;
	put(l);
}

static err_t passive_open(u8_t id, struct tcp_pcb_listen *lpcb, struct tcp_pcb *pcb);

static const struct tcp_ext_arg_callbacks of_listener = { .passive_open = passive_open };
static const struct tcp_ext_arg_callbacks of_connection = { .destroy = taken };

/* A SYN.  The error drops it. */
static err_t passive_open(u8_t id, struct tcp_pcb_listen *lpcb, struct tcp_pcb *pcb)
{
	struct listener *l = lpcb->callback_arg;

	if (l->pending >= l->backlog)
		return ERR_MEM;
	l->pending++;
	tcp_ext_arg_set_callbacks(pcb, id, &of_connection);
	tcp_ext_arg_set(pcb, id, l);
	return ERR_OK;
}

struct dmm_conn *lw_listen_conn(const struct tcp_pcb *pcb)
{
	struct listener *l = tcp_ext_arg_get(pcb, LW_EXT_LISTENER);

	return l && l->pcb ? l->sock.conn : NULL;
}

void lw_listen_taken(struct tcp_pcb *pcb)
{
	taken(LW_EXT_LISTENER, tcp_ext_arg_get(pcb, LW_EXT_LISTENER));
	tcp_ext_arg_set(pcb, LW_EXT_LISTENER, NULL);
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg;
	return err == ERR_OK ? lw_tcp_incoming(pcb) : err;
}

static void on_close(struct dmm_conn *conn, bool reset)
{
	struct listener *l = dmm_conn_priv(conn);

	(void)reset;
	tcp_close(l->pcb);
	l->pcb = NULL;
	put(l);
	dmm_conn_closed(conn);
}

static const struct lw_ops ops = { .close = on_close };

static struct tcp_pcb *listening_pcb(struct dmm_conn *conn, const struct dmm_open *open, err_t *err)
{
	struct tcp_pcb *pcb, *lpcb = NULL;
	ip_addr_t at;

	lw_address_any(&at, open, dmm_conn_flags(conn) & DMM_EVF_DUAL);
	pcb = tcp_new_ip_type(IP_GET_TYPE(&at));
	*err = ERR_MEM;
	if (!pcb)
		return NULL;
	ip_set_option(pcb, SOF_REUSEADDR);
	*err = tcp_bind(pcb, &at, lwip_ntohs(open->lport));
	if (*err == ERR_OK)
		lpcb = tcp_listen_with_backlog_and_err(pcb, 0xff, err);
	if (!lpcb)
		tcp_close(pcb);
	return lpcb;
}

void lw_listen(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	struct listener *l = dmm_conn_priv(conn);
	err_t err;

	backlog = backlog > 0 ? backlog : 1;
	if (l) {
		l->backlog = backlog;
		return;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return dmm_conn_error(conn, -ENOMEM);
	l->pcb = listening_pcb(conn, open, &err);
	if (!l->pcb) {
		free(l);
		return dmm_conn_error(conn, lw_errno(err));
	}
	l->sock = (struct lw_sock){ &ops, conn };
	l->backlog = backlog;
	tcp_arg(l->pcb, l);
	tcp_accept(l->pcb, on_accept);
	tcp_ext_arg_set_callbacks(l->pcb, LW_EXT_LISTENER, &of_listener);
	dmm_conn_set_priv(conn, l);
	dmm_conn_listening(conn);
}
