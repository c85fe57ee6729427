// SPDX-License-Identifier: Apache-2.0
/* Pages and pieces of the arena: first fit, for tests have little of it. */
#include "peer.h"

#include <errno.h>
#include <string.h>

int dmm_peer_alloc(struct dmm_peer *peer, uint32_t size, struct run *run)
{
	uint64_t pages = peer->arena.len / DMM_PAGE_SIZE, free = 0;
	uint32_t need = size / DMM_PAGE_SIZE;

	for (uint64_t i = 0; i < pages; i++) {
		free = peer->used[i] ? 0 : free + 1;
		if (free < need)
			continue;
		memset(peer->used + i + 1 - need, 1, need);
		*run = (struct run){ (i + 1 - need) * DMM_PAGE_SIZE, size };
		peer->stats.pages += need;
		return 0;
	}
	return -ENOMEM;
}

void dmm_peer_release(struct dmm_peer *peer, struct run *run)
{
	uint32_t pages = run->size / DMM_PAGE_SIZE;

	memset(peer->used + run->offset / DMM_PAGE_SIZE, 0, pages);
	peer->stats.pages -= pages;
	run->size = 0;
}

static int take_index(struct dmm_peer_socket *s)
{
	struct dmm_peer *peer = s->peer;

	for (uint32_t n = 0; n < peer->reg.nr_conns; n++) {
		uint32_t i = peer->next_index;

		peer->next_index = (i + 1) % peer->reg.nr_conns;
		if (peer->conns[i])
			continue;
		peer->conns[i] = s;
		s->id = (uint64_t)++peer->handles << 32 | i;
		peer->stats.conns++;
		return 0;
	}
	return -ENOMEM;
}

/* Bytes of the first piece: in the page if the ring can grow. */
static int first_piece(struct dmm_peer_socket *s, struct pieces *p, struct dmm_ring *ring,
		       uint64_t in_page, uint32_t small, uint32_t max)
{
	struct dmm_peer *peer = s->peer;

	*p = (struct pieces){ .max = max };
	if (peer->reg.features & DMM_FEAT_GROW) {
		ring->piece[0].offset = s->page_run.offset + in_page;
		ring->piece[0].size = small;
		return 0;
	}
	if (dmm_peer_alloc(peer, max, &p->run[0]))
		return -ENOMEM;
	ring->piece[0].offset = p->run[0].offset;
	ring->piece[0].size = max;
	return 0;
}

/* The readers and writers of a page whose words are right. */
void dmm_peer_conn_rings(struct dmm_peer_socket *s)
{
	dmm_writer_init(&s->tx, &s->page->tx, &s->peer->arena);
	dmm_reader_init(&s->rx, &s->page->rx, &s->peer->arena);
}

int dmm_peer_conn_make(struct dmm_peer_socket *s)
{
	struct dmm_peer *peer = s->peer;
	int ret;

	if (!peer->reg.nr_queues || peer->dead)
		return -ENETUNREACH;
	ret = dmm_peer_alloc(peer, DMM_PAGE_SIZE, &s->page_run);
	if (ret)
		return ret;
	s->page = (struct dmm_page *)(peer->arena.base + s->page_run.offset);
	memset(s->page, 0, sizeof(*s->page));
	ret = first_piece(s, &s->tx_pieces, &s->page->tx, offsetof(struct dmm_page, tx_bytes),
			  sizeof(s->page->tx_bytes), peer->reg.sndbuf);
	if (!ret)
		ret = first_piece(s, &s->rx_pieces, &s->page->rx,
				  offsetof(struct dmm_page, rx_bytes), sizeof(s->page->rx_bytes),
				  peer->reg.rcvbuf);
	if (!ret)
		ret = take_index(s);
	if (ret) {
		dmm_peer_conn_end(s);
		return ret;
	}
	s->data_was_told = s->space_was_told = false;
	dmm_peer_conn_rings(s);
	return 0;
}

void dmm_peer_conn_end(struct dmm_peer_socket *s)
{
	struct dmm_peer *peer = s->peer;

	for (int i = 0; i < 2; i++) {
		if (s->tx_pieces.run[i].size)
			dmm_peer_release(peer, &s->tx_pieces.run[i]);
		if (s->rx_pieces.run[i].size)
			dmm_peer_release(peer, &s->rx_pieces.run[i]);
	}
	if (s->page_run.size)
		dmm_peer_release(peer, &s->page_run);
	if (s->id) {
		peer->conns[(uint32_t)s->id] = NULL;
		peer->stats.conns--;
	}
	s->id = 0;
	s->page = NULL;
}

/*
 * Put a larger piece into the free place, the size last, for that makes it be
 * there.  There is one place, free when the consumer has taken something from
 * the newest piece.
 */
bool dmm_peer_grow(struct dmm_peer_socket *s, struct pieces *p, struct dmm_ring *ring,
		   uint32_t need)
{
	uint32_t epoch, size;
	struct run *run;

	dmm_peer_reclaim(s, p, ring);
	epoch = load_acquire(&ring->epoch);
	if (!(s->peer->reg.features & DMM_FEAT_GROW) || p->offered || p->epoch != epoch)
		return false;
	size = load_relaxed(&ring->piece[epoch & 1].size) * 2;
	while ((size < need && size < p->max) || size < DMM_PAGE_SIZE)
		size *= 2;
	/* One that is not read grows once only, and datagrams would be lost. */
	if (s->type == SOCK_DGRAM)
		size = p->max;
	run = &p->run[(epoch + 1) & 1];
	if (size > p->max || dmm_peer_alloc(s->peer, size, run))
		return false;
	store_relaxed(&ring->piece[(epoch + 1) & 1].offset, run->offset);
	store_release(&ring->piece[(epoch + 1) & 1].size, size);
	p->offered = true;
	return true;
}

/*
 * A consumer that has only reached "start" may not know of the newest piece yet.
 * That does not matter as long as nothing is in there, and not for rx rings, whose
 * consumer is here.
 */
static bool has_passed(struct dmm_peer_socket *s, struct dmm_ring *ring, uint32_t epoch)
{
	uint32_t start = load_relaxed(&ring->start);
	uint32_t behind = load_acquire(&ring->tail) - start;

	if (ring == &s->page->rx) {
		dmm_reader_look(&s->rx);
		return s->rx.epoch == epoch;
	}
	return behind ? behind <= DMM_RING_MAX : s->tx.head == start;
}

void dmm_peer_reclaim(struct dmm_peer_socket *s, struct pieces *p, struct dmm_ring *ring)
{
	uint32_t epoch = load_acquire(&ring->epoch);

	if (p->epoch == epoch || !has_passed(s, ring, epoch))
		return;
	store_release(&ring->piece[(epoch + 1) & 1].size, 0);
	if (p->run[(epoch + 1) & 1].size)
		dmm_peer_release(s->peer, &p->run[(epoch + 1) & 1]);
	p->epoch = epoch;
	p->offered = false;
	s->peer->stats.moves++;
}
