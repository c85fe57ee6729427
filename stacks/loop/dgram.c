// SPDX-License-Identifier: Apache-2.0
/*
 * Datagrams from ring to ring.  What has no room is lost, as with UDP, but not
 * while the receiver's ring may still grow: its sender waits a moment then.
 */
#include "loop.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define PATIENCE	20000000	/* nanoseconds that a ring has to grow */

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void start_waiting(struct loop *loop, struct place *from, struct place *to)
{
	from->waits_for = to;
	from->deadline = now() + PATIENCE;
	from->next_waiting = loop->waiting;
	loop->waiting = from;
}

static void stop_waiting(struct loop *loop, struct place *from)
{
	struct place **at = &loop->waiting;

	if (!from->waits_for)
		return;
	while (*at != from)
		at = &(*at)->next_waiting;
	*at = from->next_waiting;
	from->waits_for = NULL;
}

/* The ends of a datagram, from its sender to its receiver. */
static struct dmm_open flow_of(const struct place *from, const struct dmm_datagram *d)
{
	struct dmm_open flow = from->at;

	memcpy(flow.remote, d->addr, 16);
	flow.rport = d->port;
	loop_far_end(flow.remote);
	if (!dmm_address_is_any(d->local))
		memcpy(flow.local, d->local, 16);
	if (dmm_address_is_any(flow.local))
		loop_source(flow.local, flow.remote);
	return flow;
}

/* false: the receiver's ring may grow yet. */
static bool deliver(struct place *to, const struct dmm_open *flow, const struct dmm_datagram *d,
		    const struct iovec iov[2])
{
	struct dmm_datagram out = {
		.len = d->len,
		.family = d->family,
		.tos = d->tos,
		.ttl = d->ttl,
		.port = flow->lport,
	};
	int ret;

	memcpy(out.addr, flow->local, 16);
	memcpy(out.local, flow->remote, 16);
	ret = dmm_conn_rx_datagram(to->conn, &out, iov, 2);
	return ret != -ENOBUFS || to->full;
}

/* As after an ICMP message, who is connected hears that nobody is there. */
static void nobody(struct place *from)
{
	if (from->at.rport)
		dmm_conn_error(from->conn, -ECONNREFUSED);
}

void loop_dgram_send(struct loop *loop, struct place *from)
{
	struct dmm_datagram d;
	struct dmm_open flow;
	struct iovec iov[2];
	struct place *to;

	if (from->waits_for)
		return;
	while (dmm_conn_tx_datagram(from->conn, &d, iov)) {
		flow = flow_of(from, &d);
		to = loop_find(loop, &flow);
		if (!to) {
			nobody(from);
		} else if (!deliver(to, &flow, &d, iov)) {
			start_waiting(loop, from, to);
			return;
		}
		dmm_conn_tx_datagram_done(from->conn);
	}
}

/* All who wait for a place try again. */
static void wake(struct loop *loop, struct place *to)
{
	struct place **at = &loop->waiting, *from, *chain = NULL;

	while ((from = *at)) {
		if (from->waits_for != to) {
			at = &from->next_waiting;
			continue;
		}
		*at = from->next_waiting;
		from->waits_for = NULL;
		from->next_waiting = chain;
		chain = from;
	}
	while ((from = chain)) {
		chain = from->next_waiting;
		loop_dgram_send(loop, from);
	}
}

void loop_dgram_room(struct loop *loop, struct place *to)
{
	to->full = false;
	wake(loop, to);
}

/* It is out of the table: who waited for it finds somebody else, or nobody. */
void loop_dgram_forget(struct loop *loop, struct place *p)
{
	stop_waiting(loop, p);
	wake(loop, p);
}

/* Some who have waited long enough for the same place. */
static struct place *overdue(const struct loop *loop, int64_t time, int64_t *next)
{
	*next = -1;
	for (struct place *from = loop->waiting; from; from = from->next_waiting) {
		if (from->deadline <= time)
			return from->waits_for;
		if (*next < 0 || from->deadline - time < *next)
			*next = from->deadline - time;
	}
	return NULL;
}

/* A ring has all that it gets by then: what does not fit is lost until there is room. */
int64_t loop_dgram_timers(struct loop *loop)
{
	int64_t time, next;
	struct place *to;

	if (!loop->waiting)
		return -1;
	time = now();
	while ((to = overdue(loop, time, &next))) {
		to->full = true;
		wake(loop, to);
	}
	return next;
}
