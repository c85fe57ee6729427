// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static struct loop *loop_of(const struct dmm_conn *conn)
{
	return dmm_conn_arg(conn);
}

/* Both ends of a connect. */
static int complete(struct loop *loop, struct dmm_open *ends)
{
	loop_far_end(ends->remote);
	if (dmm_address_is_any(ends->local))
		loop_source(ends->local, ends->remote);
	return loop_choose_port(loop, ends) ? 0 : -EADDRNOTAVAIL;
}

/*
 * Who listens at the very address makes it one of this host's.  Otherwise another
 * stack may know the way there: that is not the same as refused.
 */
static void connect_stream(struct loop *loop, struct dmm_conn *conn, const struct dmm_open *ends)
{
	struct place *listener = loop_find(loop, ends);

	if (!listener || dmm_address_is_any(listener->at.local))
		if (!loop_is_local(ends->netns, ends->remote))
			return dmm_conn_error(conn, -EHOSTUNREACH);
	if (!listener)
		return dmm_conn_error(conn, -ECONNREFUSED);
	dmm_conn_pair(conn, listener->conn, ends);
}

/* Once more for a socket that has a place already: it gets another far end. */
static void connect_dgram(struct loop *loop, struct dmm_conn *conn, const struct dmm_open *ends)
{
	struct place *p = dmm_conn_priv(conn);
	struct dmm_open at = *ends;

	if (!loop_is_local(ends->netns, ends->remote) && !loop_find(loop, ends)) {
		if (p)
			loop_place_del(loop, p);
		return dmm_conn_error(conn, -EHOSTUNREACH);
	}
	if (p)
		loop_place_del(loop, p);
	if (!loop_place_add(loop, conn, &at, false))
		return dmm_conn_error(conn, -ENOMEM);
	dmm_conn_connected(conn, &at);
}

static void on_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	struct loop *loop = loop_of(conn);
	struct dmm_open ends = *open;
	int error = complete(loop, &ends);

	if (error)
		dmm_conn_error(conn, error);
	else if (open->type == SOCK_DGRAM)
		connect_dgram(loop, conn, &ends);
	else
		connect_stream(loop, conn, &ends);
}

static bool is_dual(const struct dmm_conn *conn)
{
	return dmm_conn_flags(conn) & DMM_EVF_DUAL;
}

/* The backlog is the kernel's affair. */
static void on_listen(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	(void)backlog;
	if (!dmm_conn_priv(conn) && !loop_place_add(loop_of(conn), conn, open, is_dual(conn)))
		return dmm_conn_error(conn, -ENOMEM);
	dmm_conn_listening(conn);
}

static void on_bind(struct dmm_conn *conn, const struct dmm_open *open)
{
	struct loop *loop = loop_of(conn);
	struct dmm_open at = *open;

	if (!loop_choose_port(loop, &at))
		return dmm_conn_error(conn, -EADDRINUSE);
	if (!loop_place_add(loop, conn, &at, is_dual(conn)))
		return dmm_conn_error(conn, -ENOMEM);
	dmm_conn_connected(conn, &at);
}

static void on_tx_data(struct dmm_conn *conn)
{
	struct place *p = dmm_conn_priv(conn);

	if (p && dmm_conn_type(conn) == SOCK_DGRAM)
		loop_dgram_send(loop_of(conn), p);
}

static void on_rx_space(struct dmm_conn *conn)
{
	struct place *p = dmm_conn_priv(conn);

	if (p)
		loop_dgram_room(loop_of(conn), p);
}

/* What has been sent goes out; what has to wait now is lost. */
static void on_close(struct dmm_conn *conn, bool reset)
{
	struct place *p = dmm_conn_priv(conn);

	if (p && !reset)
		on_tx_data(conn);
	if (p)
		loop_place_del(loop_of(conn), p);
	dmm_conn_closed(conn);
}

/* Connections are paired, and so not the daemon's: only places come back. */
static void on_resume(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	bool place = open->type == SOCK_DGRAM || !open->rport;

	(void)backlog;
	if (!place || !loop_place_add(loop_of(conn), conn, open, is_dual(conn)))
		dmm_conn_error(conn, -ECONNRESET);
}

static int64_t on_poll(struct dmm_queue *queue)
{
	return loop_dgram_timers(dmm_stack_arg(dmm_queue_stack(queue)));
}

const struct dmm_stack_ops loop_ops = {
	.connect = on_connect,
	.listen = on_listen,
	.bind = on_bind,
	.tx_data = on_tx_data,
	.rx_space = on_rx_space,
	.close = on_close,
	.resume = on_resume,
	.poll = on_poll,
};

static void read_port_range(struct loop *loop)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned int min, max;

	if (f && fscanf(f, "%u %u", &min, &max) == 2 && min && min <= max && max < 65536) {
		loop->port_min = min;
		loop->port_max = max;
	}
	if (f)
		fclose(f);
}

/* Start somewhere, so that a restart does not give the same ports again at once. */
void loop_init(struct loop *loop)
{
	struct timespec ts;

	memset(loop, 0, sizeof(*loop));
	loop->port_min = 32768;
	loop->port_max = 60999;
	read_port_range(loop);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	loop->next_port = loop->port_min + ts.tv_nsec % (loop->port_max - loop->port_min + 1);
}

/* The connections are gone already, or somebody else's. */
void loop_exit(struct loop *loop)
{
	struct place *p;

	for (unsigned int i = 0; i < LOOP_BUCKETS; i++) {
		while ((p = loop->buckets[i])) {
			loop->buckets[i] = p->next;
			free(p);
		}
	}
}
