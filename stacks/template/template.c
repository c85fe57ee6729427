// SPDX-License-Identifier: Apache-2.0
/*
 * The smallest complete stack: joins sockets of its own instance by copying bytes.  Start a stack
 * of your own from it (doc/stacks.md):  cc template.c $(pkg-config --cflags --libs libdmm-stack)
 */
#include <arpa/inet.h>
#include <dmm/stack.h>
#include <errno.h>
#include <error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

/* A listener, a datagram socket, or one end of a connection. */
struct end {
	struct dmm_conn *conn;
	LIST_ENTRY(end) list;
	struct end *other;
	struct dmm_open at;	/* where it is bound, or its two ends */
	bool shut, closing;
};

static LIST_HEAD(, end) ends;	/* one queue, so one thread */

static struct end *end_new(struct dmm_conn *conn, const struct dmm_open *at)
{
	struct end *e = calloc(1, sizeof(*e));

	if (!e)
		abort();	/* the kernel cleans up after a stack */
	*e = (struct end){ .conn = conn, .at = *at };
	LIST_INSERT_HEAD(&ends, e, list);
	if (conn)
		dmm_conn_set_priv(conn, e);
	return e;
}

static void end_free(struct end *e)
{
	LIST_REMOVE(e, list);
	if (e->other)
		e->other->other = NULL;
	free(e);
}

/* Who listens (is bound, for datagrams) there?  Namespaces know nothing of each other. */
static struct end *find(int type, uint32_t netns, const uint8_t addr[16], __be16 port)
{
	struct end *e;

	LIST_FOREACH (e, &ends, list)
		if (e->at.type == type && e->at.netns == netns && e->at.lport == port &&
		    (type == SOCK_DGRAM || !e->at.rport) &&
		    (dmm_address_is_any(e->at.local) || !memcmp(e->at.local, addr, 16)))
			return e;
	return NULL;
}

static void on_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	struct end *e = dmm_conn_priv(conn), *l = NULL;
	static uint16_t port;

	if (open->type == SOCK_STREAM &&
	    !(l = find(SOCK_STREAM, open->netns, open->remote, open->rport)))
		return dmm_conn_error(conn, -ECONNREFUSED);
	e = e ? e : end_new(conn, open);
	memcpy(e->at.remote, open->remote, 16);
	e->at.rport = open->rport;
	if (dmm_address_is_any(e->at.local) && e->at.rport)
		memcpy(e->at.local, open->remote, 16);
	if (!e->at.lport)
		e->at.lport = htons(49152 + port++ % 16384);
	if (!l)
		return dmm_conn_connected(conn, &e->at);
	e->other = end_new(NULL, &e->at);
	e->other->other = e;
	dmm_open_swap(&e->other->at);
	e->other->conn = dmm_conn_incoming(dmm_conn_queue(conn), l->conn, &e->other->at, e->other);
}

static void on_listen(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	(void)backlog;	/* the kernel refuses what does not fit */
	if (!dmm_conn_priv(conn))
		end_new(conn, open);
	dmm_conn_listening(conn);
}

static void on_accepted(struct dmm_conn *conn)
{
	struct end *e = dmm_conn_priv(conn);

	if (e->other)
		dmm_conn_connected(e->other->conn, &e->other->at);
	else
		dmm_conn_error(conn, -ECONNRESET);
}

/* A stack with a network below drops the SYN when the backlog is full, and the peer tries again. */
static void on_refused(struct dmm_conn *conn, int error)
{
	struct end *e = dmm_conn_priv(conn);

	if (e->other) {
		dmm_conn_error(e->other->conn, error == -EAGAIN ? -ECONNREFUSED : error);
		end_free(e->other);
	}
	end_free(e);
}

/* To whom they are addressed, and who wants to hear from there; otherwise nobody gets them. */
static void send_datagrams(struct end *from)
{
	struct dmm_datagram d;
	struct iovec iov[2];
	struct end *to;

	for (; dmm_conn_tx_datagram(from->conn, &d, iov); dmm_conn_tx_datagram_done(from->conn)) {
		to = find(SOCK_DGRAM, from->at.netns, d.addr, d.port);
		memcpy(d.local, d.addr, 16);
		if (!dmm_address_is_any(from->at.local))
			memcpy(d.addr, from->at.local, 16);
		d.port = from->at.lport;
		if (to && (!to->at.rport || to->at.rport == d.port))
			dmm_conn_rx_datagram(to->conn, &d, iov, 2);
	}
}

/* Copy what one end has sent to the other; when nothing more comes, say so. */
static void pump(struct dmm_conn *conn)
{
	struct end *from = dmm_conn_priv(conn), *to = from->other;
	struct iovec iov;
	size_t done;

	if (from->at.type == SOCK_DGRAM)
		send_datagrams(from);
	while (from->at.type == SOCK_STREAM && dmm_conn_tx_peek(conn, 0, &iov, 1)) {
		done = to ? dmm_conn_write(to->conn, iov.iov_base, iov.iov_len) : iov.iov_len;
		dmm_conn_tx_consume(conn, done);
		if (done < iov.iov_len)
			return;	/* on_rx_space() of the other end goes on */
		if (!to)
			dmm_conn_error(conn, -ECONNRESET);
	}
	if (to && from->shut)
		dmm_conn_eof(to->conn);
	if (from->closing) {
		dmm_conn_closed(conn);
		end_free(from);
	}
}

static void on_rx_space(struct dmm_conn *conn)
{
	struct end *e = dmm_conn_priv(conn);

	if (e->other)
		pump(e->other->conn);
}

static void on_shutdown(struct dmm_conn *conn)
{
	((struct end *)dmm_conn_priv(conn))->shut = true;
	pump(conn);
}

static void on_close(struct dmm_conn *conn, bool reset)
{
	struct end *e = dmm_conn_priv(conn);

	if (e->other && reset) {
		dmm_conn_error(e->other->conn, -ECONNRESET);
		e->other = e->other->other = NULL;
	}
	e->closing = e->shut = true;
	pump(conn);
}

static const struct dmm_stack_ops ops = {
	.connect = on_connect, .bind = on_connect,	/* with no far end */
	.listen = on_listen, .accepted = on_accepted, .refused = on_refused,
	.tx_data = pump, .rx_space = on_rx_space, .shutdown = on_shutdown, .close = on_close,
};

int main(int argc, char **argv)
{
	struct dmm_stack_config config = { .name = "template", .ops = &ops, .caps = DMM_CAPS_ALL };
	struct dmm_stack *stack;
	int ret;

	for (int i = 1; i + 1 < argc; i += 2)
		*(!strcmp(argv[i], "--name") ? &config.name :
		  !strcmp(argv[i], "--device") ? &config.path : &config.instance) = argv[i + 1];
	ret = dmm_stack_open(&stack, &config) ?: dmm_stack_run(stack);
	error(0, -ret, "%s", config.name);
	return ret != 0;
}
