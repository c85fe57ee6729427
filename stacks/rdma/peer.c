// SPDX-License-Identifier: Apache-2.0
/*
 * Are they still there?  A connection without data says nothing of its peer for ever, so of those to
 * one address one after the other is asked, when nothing was heard from there for a quarter of the time
 * that it may be silent.  One that does not answer is dead, and with it all connections to it.
 */
#include "rdma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS		256u

struct rd_peer {
	LIST_ENTRY(rd_peer) link;
	uint8_t local[16], remote[16];
	struct rd_conns conns;
	int64_t heard, asked;
	int64_t unanswered;	/* since when; 0: it has answered */
};

LIST_HEAD(rd_peers, rd_peer);

static struct rd_peers peers[BUCKETS];
static unsigned int nr_peers;
static int64_t next_tick;

static struct rd_peers *bucket(const struct dmm_open *open)
{
	unsigned int hash = 0;

	for (int i = 0; i < 16; i++)
		hash = hash * 31 + open->remote[i];
	return &peers[hash % BUCKETS];
}

static struct rd_peer *find(const struct dmm_open *open)
{
	struct rd_peer *p;

	LIST_FOREACH(p, bucket(open), link)
		if (!memcmp(p->remote, open->remote, 16) && !memcmp(p->local, open->local, 16))
			return p;
	return NULL;
}

int rd_peer_add(struct rd_conn *c)
{
	struct rd_peer *p = find(&c->open);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		memcpy(p->local, c->open.local, 16);
		memcpy(p->remote, c->open.remote, 16);
		LIST_INSERT_HEAD(bucket(&c->open), p, link);
		nr_peers++;
	}
	LIST_INSERT_HEAD(&p->conns, c, of_peer);
	c->peer = p;
	rd_peer_heard(c);
	return 0;
}

void rd_peer_remove(struct rd_conn *c)
{
	struct rd_peer *p = c->peer;

	if (!p)
		return;
	c->peer = NULL;
	LIST_REMOVE(c, of_peer);
	if (!LIST_EMPTY(&p->conns))
		return;
	LIST_REMOVE(p, link);
	free(p);
	nr_peers--;
}

void rd_peer_heard(struct rd_conn *c)
{
	if (!c->peer)
		return;
	c->peer->heard = rd.now;
	c->peer->unanswered = 0;
}

/* Nothing was heard from there for long. */
bool rd_peer_silent(const struct rd_conn *c)
{
	return c->peer && rd.now - c->peer->heard > rd.silence / 2;
}

static void kill_conns(struct rd_peer *p)
{
	struct rd_conn *c;

	LIST_FOREACH(c, &p->conns, of_peer)
		rd_conn_kill(c, -ETIMEDOUT, RD_CAUSE_SILENT);
}

/* The next of them, which goes to the end of the list. */
static void ask(struct rd_peer *p)
{
	struct rd_conn *c = LIST_FIRST(&p->conns), *last = c;

	p->asked = rd.now;
	p->unanswered = p->unanswered ?: rd.now;
	rd_conn_ping(c);
	while (LIST_NEXT(last, of_peer))
		last = LIST_NEXT(last, of_peer);
	if (last == c)
		return;
	LIST_REMOVE(c, of_peer);
	LIST_INSERT_AFTER(last, c, of_peer);
}

static void tick(struct rd_peer *p)
{
	struct rd_conn *c;

	LIST_FOREACH(c, &p->conns, of_peer)
		c->control = 0;
	/* Not by when it was heard: we may have been stopped ourselves. */
	if (p->unanswered && rd.now - p->unanswered > rd.silence * 2 / 3)
		kill_conns(p);
	else if (rd.now - p->heard > rd.silence / 4 && rd.now - p->asked > rd.silence / 4)
		ask(p);
}

/* Nanoseconds until the next tick; negative: there is nobody. */
int64_t rd_peers_timer(void)
{
	struct rd_peer *p;

	if (!nr_peers)
		return -1;
	if (rd.now < next_tick)
		return next_tick - rd.now;
	next_tick = rd.now + rd.silence / 12;
	for (unsigned int i = 0; i < BUCKETS; i++)
		LIST_FOREACH(p, &peers[i], link)
			tick(p);
	return next_tick - rd.now;
}
