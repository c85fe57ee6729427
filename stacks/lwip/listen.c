// SPDX-License-Identifier: Apache-2.0
/*
 * Listeners.  Whoever has sent a SYN and not yet answered ours is half open: of those there is a
 * limited number, and another SYN takes the place of the oldest, so that senders who never answer
 * neither fill the memory nor keep others out.  Whoever has answered waits until the kernel has
 * taken it into its own backlog; with as many as the backlog waiting, SYNs are dropped, and the
 * peers repeat them.  lwIP's backlog, which ends at 255, is not used: a connection carries one of
 * the structs below instead, which goes when the connection is taken or is no more.
 */
#include "lwip.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <lwip/priv/tcp_priv.h>

#define HALF_OPEN_MAX	1024u

struct listener {
	struct lw_sock sock;
	struct tcp_pcb *pcb;
	unsigned int backlog;
	unsigned int waiting;
	unsigned int nr_half_open;
	TAILQ_HEAD(, newcomer) half_open;	/* the oldest first */
};

/* A connection that the kernel has not taken yet; a reference to its listener. */
struct newcomer {
	struct listener *l;
	struct tcp_pcb *pcb;
	bool waiting;			/* else half open, and in the list */
	TAILQ_ENTRY(newcomer) entry;
};

static void put(struct listener *l)
{
	if (!l->pcb && !l->waiting && !l->nr_half_open)
		free(l);
}

static void leave(struct newcomer *n)
{
	struct listener *l = n->l;

	if (n->waiting) {
		l->waiting--;
		return;
	}
	l->nr_half_open--;
	TAILQ_REMOVE(&l->half_open, n, entry);
}

static void taken(u8_t id, void *data)
{
	struct newcomer *n = data;

	(void)id;
	if (!n)
		return;
	leave(n);
	put(n->l);
	free(n);
}

static err_t passive_open(u8_t id, struct tcp_pcb_listen *lpcb, struct tcp_pcb *pcb);

static const struct tcp_ext_arg_callbacks of_listener = { .passive_open = passive_open };
static const struct tcp_ext_arg_callbacks of_connection = { .destroy = taken };

/* A SYN.  The error drops it. */
static err_t passive_open(u8_t id, struct tcp_pcb_listen *lpcb, struct tcp_pcb *pcb)
{
	struct listener *l = lpcb->callback_arg;
	struct newcomer *n = l->waiting < l->backlog ? calloc(1, sizeof(*n)) : NULL;

	if (!n)
		return ERR_MEM;
	if (l->nr_half_open == HALF_OPEN_MAX)
		tcp_abandon(TAILQ_FIRST(&l->half_open)->pcb, 0);
	n->l = l;
	n->pcb = pcb;
	l->nr_half_open++;
	TAILQ_INSERT_TAIL(&l->half_open, n, entry);
	tcp_ext_arg_set_callbacks(pcb, id, &of_connection);
	tcp_ext_arg_set(pcb, id, n);
	return ERR_OK;
}

struct dmm_conn *lw_listen_conn(const struct tcp_pcb *pcb)
{
	struct newcomer *n = tcp_ext_arg_get(pcb, LW_EXT_LISTENER);

	return n && n->l->pcb ? n->l->sock.conn : NULL;
}

void lw_listen_taken(struct tcp_pcb *pcb)
{
	taken(LW_EXT_LISTENER, tcp_ext_arg_get(pcb, LW_EXT_LISTENER));
	tcp_ext_arg_set(pcb, LW_EXT_LISTENER, NULL);
}

static void answered(struct tcp_pcb *pcb)
{
	struct newcomer *n = tcp_ext_arg_get(pcb, LW_EXT_LISTENER);

	leave(n);
	n->waiting = true;
	n->l->waiting++;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg;
	if (err != ERR_OK)
		return err;
	answered(pcb);
	return lw_tcp_incoming(pcb);
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
	TAILQ_INIT(&l->half_open);
	tcp_arg(l->pcb, l);
	tcp_accept(l->pcb, on_accept);
	tcp_ext_arg_set_callbacks(l->pcb, LW_EXT_LISTENER, &of_listener);
	dmm_conn_set_priv(conn, l);
	dmm_conn_listening(conn);
}
