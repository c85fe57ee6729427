// SPDX-License-Identifier: Apache-2.0
/* Listeners: an id of the connection manager for each of our addresses that they are for. */
#include "rdma.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rd_listener {
	struct rd_sock sock;
	struct dmm_conn *conn;
	struct rdma_cm_id *ids[RD_ADDRESSES_MAX];
	unsigned int nr;
};

struct dmm_conn *rd_listener_conn(const struct rd_listener *l)
{
	return l->conn;
}

static void free_listener(struct rd_listener *l)
{
	for (unsigned int i = 0; i < l->nr; i++)
		rdma_destroy_id(l->ids[i]);
	free(l);
}

static int listen_at(struct rd_listener *l, union rd_sockaddr sa, __be16 port, int backlog)
{
	struct rdma_cm_id *id;
	int one = 1;

	if (rdma_create_id(rd.cm, &id, l, RDMA_PS_TCP))
		return -errno;
	sa.in.sin_port = port;	/* at the same place for IPv6 */
	/* Connections of an earlier listener may still be there.  Who owns the port is the kernel's business. */
	rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, &one, sizeof(one));
	if (rdma_bind_addr(id, &sa.sa) || rdma_listen(id, backlog)) {
		int error = -errno;

		rdma_destroy_id(id);
		return error;
	}
	l->ids[l->nr++] = id;
	return 0;
}

/* Is it for this address of ours? */
static bool wants(struct dmm_conn *conn, const struct dmm_open *open, const struct rd_address *a)
{
	uint8_t addr[16];
	__be16 port;

	rd_sockaddr_out(addr, &port, &a->sa.sa);
	if (!dmm_address_is_any(open->local))
		return !memcmp(addr, open->local, 16);
	return a->sa.sa.sa_family == open->family || dmm_conn_flags(conn) & DMM_EVF_DUAL;
}

static int start(struct rd_listener *l, const struct dmm_open *open, int backlog)
{
	int ret = -EADDRNOTAVAIL;

	for (unsigned int i = 0; i < rd.nr_addresses; i++) {
		if (!wants(l->conn, open, &rd.addresses[i]))
			continue;
		ret = listen_at(l, rd.addresses[i].sa, open->lport, backlog);
		if (ret)
			return ret;
	}
	return ret;
}

/* The backlog is the kernel's; that of the connection manager counts requests that we have not looked at. */
void rd_listen(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	struct rd_listener *l;
	int ret;

	if (dmm_conn_priv(conn))
		return;
	l = calloc(1, sizeof(*l));
	if (!l)
		return dmm_conn_error(conn, -ENOMEM);
	l->sock.listens = true;
	l->conn = conn;
	ret = start(l, open, backlog < 128 ? 128 : backlog);
	if (ret) {
		/* At an address that is not ours it is for others. */
		if (ret != -EADDRNOTAVAIL)
			fprintf(stderr, "dmm-rdma: listen at port %u: %s\n", ntohs(open->lport), strerror(-ret));
		free_listener(l);
		return dmm_conn_error(conn, ret);
	}
	dmm_conn_set_priv(conn, l);
	dmm_conn_listening(conn);
}

void rd_listener_close(struct rd_listener *l)
{
	dmm_conn_closed(l->conn);
	free_listener(l);
}
