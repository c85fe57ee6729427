// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets as objects, and the backlog: children that nobody has accepted, and
 * paired sockets that wait for room there.  Lists are searched: tests are small.
 */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Appended, so that the oldest is found first. */
struct dmm_peer_socket *dmm_peer_new_socket(struct dmm_peer *peer, int family, int type)
{
	struct dmm_peer_socket *s = calloc(1, sizeof(*s)), **end = &peer->sockets;

	if (!s)
		return NULL;
	s->peer = peer;
	s->family = family;
	s->type = type;
	s->ends.type = type;
	s->ends.family = family;
	while (*end)
		end = &(*end)->next;
	*end = s;
	return s;
}

void dmm_peer_put_socket(struct dmm_peer_socket *s)
{
	struct dmm_peer_socket **at = &s->peer->sockets;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s->inbox.bytes);
	free(s);
}

/* As with TCP, one more than was asked for. */
bool dmm_peer_backlog_full(const struct dmm_peer_socket *listener)
{
	return listener->queued > listener->backlog;
}

void dmm_peer_queue_child(struct dmm_peer_socket *listener, struct dmm_peer_socket *child)
{
	child->listener = listener;
	listener->queued++;
}

static struct dmm_peer_socket *first(struct dmm_peer_socket *listener, bool waits)
{
	struct dmm_peer_socket *s = listener->peer->sockets;

	while (s && (s->listener != listener || (s->state == SOCK_PAIR_WAITS) != waits))
		s = s->next;
	return s;
}

struct dmm_peer_socket *dmm_peer_next_child(struct dmm_peer_socket *listener)
{
	struct dmm_peer_socket *s = first(listener, false);

	if (!s)
		return NULL;
	s->listener = NULL;
	listener->queued--;
	return s;
}

void dmm_peer_fail(struct dmm_peer_socket *s, int error)
{
	s->error = error;
	s->state = SOCK_DEAD;
}

static void join(struct dmm_peer_socket *s, struct dmm_peer_socket *listener)
{
	struct dmm_peer_socket *child;

	child = dmm_peer_new_socket(s->peer, listener->family, SOCK_STREAM);
	if (!child) {
		dmm_peer_fail(s, ENOMEM);
		return;
	}
	child->ends = s->ends;
	dmm_open_swap(&child->ends);
	child->ends.netns = listener->ends.netns;
	child->pair = s;
	s->pair = child;
	s->state = child->state = SOCK_OPEN;
	dmm_peer_queue_child(listener, child);
}

void dmm_peer_do_pair(struct dmm_peer_socket *s, struct dmm_peer_socket *listener)
{
	if (!dmm_peer_backlog_full(listener)) {
		s->listener = NULL;
		join(s, listener);
		return;
	}
	s->state = SOCK_PAIR_WAITS;
	s->listener = listener;
}

void dmm_peer_admit(struct dmm_peer_socket *listener)
{
	struct dmm_peer_socket *s = first(listener, true);

	if (s && !dmm_peer_backlog_full(listener))
		dmm_peer_do_pair(s, listener);
}

void dmm_peer_listener_gone(struct dmm_peer_socket *listener)
{
	struct dmm_peer_socket *s;

	while ((s = first(listener, true))) {
		s->listener = NULL;
		dmm_peer_fail(s, ECONNREFUSED);
	}
}
