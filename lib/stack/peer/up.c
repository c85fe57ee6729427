// SPDX-License-Identifier: Apache-2.0
/* Up events: what the stack says, checked against the state of the socket. */
#include "peer.h"

#include <errno.h>
#include <string.h>

static struct dmm_peer_socket *find(struct dmm_peer *peer, uint64_t id)
{
	uint32_t index = (uint32_t)id;
	struct dmm_peer_socket *s = index < peer->reg.nr_conns ? peer->conns[index] : NULL;

	return s && id && s->id == id ? s : NULL;
}

/* The connection is no more; the socket neither, if its application has gone. */
static void forget(struct dmm_peer_socket *s)
{
	dmm_peer_conn_end(s);
	if (s->app_gone)
		dmm_peer_put_socket(s);
}

static bool up_connected(struct dmm_peer_socket *s, const struct dmm_event *e)
{
	if (s->state != SOCK_CONNECTING && s->state != SOCK_BINDING)
		return s->closing;
	memcpy(s->ends.local, e->open.local, 16);
	s->ends.lport = e->open.lport;
	s->state = SOCK_OPEN;
	return true;
}

static bool up_listening(struct dmm_peer_socket *s)
{
	if (s->state != SOCK_LISTENING)
		return s->closing;
	s->state = SOCK_LISTENER;
	return true;
}

static void refuse(struct dmm_peer *peer, unsigned int queue, const struct dmm_event *in, int error)
{
	struct dmm_event e = { .type = DMM_EV_REFUSE, .value = error };

	e.answer.token = in->open.token;
	e.answer.listener = in->conn;
	dmm_peer_down(peer, queue, &e);
}

/* LISTENING can come later, from another queue. */
static bool takes_connections(const struct dmm_peer_socket *s)
{
	return s && (s->state == SOCK_LISTENER || s->state == SOCK_LISTENING) && !s->closing;
}

/* The connection belongs to the queue that announced it. */
static void up_incoming(struct dmm_peer *peer, unsigned int queue, const struct dmm_event *in)
{
	struct dmm_peer_socket *listener = find(peer, in->conn), *s;
	struct dmm_event e = { .type = DMM_EV_ACCEPT };

	if (!takes_connections(listener)) {
		refuse(peer, queue, in, -ECONNREFUSED);
		return;
	}
	if (dmm_peer_backlog_full(listener)) {
		refuse(peer, queue, in, -EAGAIN);
		return;
	}
	s = dmm_peer_new_socket(peer, listener->family, SOCK_STREAM);
	if (s)
		s->queue = queue;
	if (!s || dmm_peer_conn_make(s)) {
		if (s)
			dmm_peer_put_socket(s);
		refuse(peer, queue, in, -ENOMEM);
		return;
	}
	s->ends = in->open;
	s->ends.netns = listener->ends.netns;
	s->state = SOCK_OPEN;
	dmm_peer_queue_child(listener, s);
	e.conn = s->id;
	e.answer.token = in->open.token;
	e.answer.listener = in->conn;
	e.answer.page = s->page_run.offset / DMM_PAGE_SIZE;
	dmm_peer_down(peer, queue, &e);
}

/* The connecting socket gets the local end that the stack has chosen. */
static void join_to(struct dmm_peer_socket *s, struct dmm_peer_socket *listener,
		    const struct dmm_event *e)
{
	memcpy(s->ends.local, e->open.local, 16);
	s->ends.lport = e->open.lport;
	dmm_peer_do_pair(s, listener);
}

static bool up_pair(struct dmm_peer *peer, struct dmm_peer_socket *s, const struct dmm_event *e)
{
	struct dmm_peer_socket *listener = find(peer, e->open.token);

	if (s->closing) {
		forget(s);
		return true;
	}
	if (s->state != SOCK_CONNECTING)
		return false;
	dmm_peer_conn_end(s);
	if (!takes_connections(listener))
		dmm_peer_fail(s, ECONNREFUSED);
	else
		join_to(s, listener, e);
	return true;
}

static bool up_full(struct dmm_peer_socket *s, int32_t need)
{
	if (s->state != SOCK_OPEN || s->closing)
		return s->closing;
	/* Otherwise it is told when the application has read. */
	if (dmm_peer_grow(s, &s->rx_pieces, &s->page->rx, need))
		dmm_peer_tell_space(s);
	return true;
}

static bool up_error(struct dmm_peer_socket *s, int error)
{
	if (s->closing) {
		if (s->state == SOCK_CONNECTING || s->state == SOCK_BINDING ||
		    s->state == SOCK_LISTENING)
			forget(s);
		return true;
	}
	switch (s->state) {
	case SOCK_CONNECTING:
	case SOCK_BINDING:
	case SOCK_LISTENING:
		dmm_peer_conn_end(s);
		dmm_peer_fail(s, -error);
		s->state = SOCK_IDLE;
		return true;
	case SOCK_OPEN:
		s->error = -error;
		if (s->type == SOCK_STREAM)
			s->state = SOCK_DEAD;
		return true;
	default:
		return false;
	}
}

static bool up_flag(struct dmm_peer_socket *s, uint32_t *flag)
{
	if (s->state == SOCK_LISTENER)
		return false;
	store_relaxed(flag, 0);
	return true;
}

static bool is_sane(const struct dmm_peer_socket *s)
{
	const struct dmm_ring *rx = &s->page->rx, *tx = &s->page->tx;

	return load_acquire(&rx->head) - load_relaxed(&rx->tail) <= DMM_RING_MAX &&
	       load_relaxed(&tx->head) - load_acquire(&tx->tail) <= DMM_RING_MAX;
}

static bool act(struct dmm_peer *peer, struct dmm_peer_socket *s, const struct dmm_event *e)
{
	switch (e->type) {
	case DMM_EV_CONNECTED:
		return up_connected(s, e);
	case DMM_EV_LISTENING:
		return up_listening(s);
	case DMM_EV_PAIR:
		return up_pair(peer, s, e);
	case DMM_EV_RX_DATA:
		return up_flag(s, &s->page->rx.wants_data);
	case DMM_EV_TX_SPACE:
		return up_flag(s, &s->page->tx.wants_space);
	case DMM_EV_RX_FULL:
		return up_full(s, e->value);
	case DMM_EV_EOF:
		s->eof = true;
		return true;
	case DMM_EV_ERROR:
		return up_error(s, e->value);
	case DMM_EV_CLOSED:
		if (!s->closing)
			return false;
		forget(s);
		return true;
	}
	peer->stats.violations++;
	return true;
}

static void take(struct dmm_peer *peer, unsigned int queue, const struct dmm_event *e)
{
	struct dmm_peer_socket *s;

	if (e->type == DMM_EV_INCOMING) {
		up_incoming(peer, queue, e);
		return;
	}
	s = find(peer, e->conn);
	/* Of another queue's connections a queue has nothing to tell. */
	if (s && s->queue != queue) {
		peer->stats.violations++;
		return;
	}
	if (s && !is_sane(s))
		peer->stats.violations++;
	if (!s || !act(peer, s, e))
		peer->stats.stale++;
}

int dmm_peer_up(struct dmm_peer *peer, unsigned int queue)
{
	struct peer_queue *q = &peer->queues[queue];
	uint32_t mask = peer->reg.nr_events - 1;
	uint32_t nr = load_acquire(&q->area->up_head) - q->up_tail;

	if (nr > mask + 1) {
		peer->stats.violations++;
		peer->dead = true;
		return -EIO;
	}
	while (nr--) {
		struct dmm_event e = q->area->up[q->up_tail++ & mask];

		take(peer, queue, &e);
	}
	store_release(&q->kernel->up_tail, q->up_tail);
	pthread_cond_broadcast(&peer->wake_apps);
	return 0;
}
