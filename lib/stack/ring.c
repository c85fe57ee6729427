// SPDX-License-Identifier: Apache-2.0
#include "ring.h"

#include <string.h>

#include "atomic.h"

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

/* The size is what makes a piece be there: the other side writes it last. */
static struct piece load_piece(const struct arena *arena, const struct dmm_piece *shared)
{
	uint32_t size = load_acquire(&shared->size);
	uint64_t offset = load_relaxed(&shared->offset);

	if (!is_power_of_two(size) || size > DMM_RING_MAX || size % DMM_DATAGRAM_ALIGN ||
	    offset % DMM_DATAGRAM_ALIGN || size > arena->len || offset > arena->len - size)
		return (struct piece){ 0 };
	return (struct piece){ arena->base + offset, size };
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * Who comes to a ring that others have used, a successor, can find that the
 * writer has moved and the tail is in the old piece still.
 */
void dmm_reader_init(struct ring_reader *r, struct dmm_ring *ring, const struct arena *arena)
{
	uint32_t epoch = load_acquire(&ring->epoch);
	struct piece old = load_piece(arena, &ring->piece[(epoch + 1) & 1]);
	uint32_t behind;

	*r = (struct ring_reader){ .ring = ring, .arena = arena, .epoch = epoch };
	r->tail = r->head = load_relaxed(&ring->tail);
	r->piece = load_piece(arena, &ring->piece[epoch & 1]);
	behind = load_relaxed(&ring->start) - r->tail;
	if (epoch && old.size && old.size < r->piece.size && behind && behind <= old.size) {
		r->piece = old;
		r->epoch--;
	}
}

/* Move on to the next piece when all before it is taken. */
static void reader_follow(struct ring_reader *r)
{
	if (!r->next.size || r->tail != r->start)
		return;
	r->piece = r->next;
	r->next.size = 0;
	r->epoch++;
}

/*
 * The writer has moved.  It moves again only when something was taken from the
 * newer piece, so that one step behind is as far as a reader can be, or when
 * nothing was put there: then "start" is the same and the tail is there.
 */
static void reader_see_move(struct ring_reader *r, uint32_t epoch)
{
	uint32_t start = load_relaxed(&r->ring->start);

	if (epoch != r->epoch + 1) {
		r->epoch = epoch - 1;
		r->piece = load_piece(r->arena, &r->ring->piece[r->epoch & 1]);
	}
	if (start - r->tail > r->piece.size)
		return;
	r->start = start;
	r->next = load_piece(r->arena, &r->ring->piece[epoch & 1]);
}

/*
 * The head is read before the epoch, so that a head behind "start" comes with its
 * epoch; a newer epoch than the head's does no harm.
 */
uint32_t dmm_reader_look(struct ring_reader *r)
{
	uint32_t head = load_acquire(&r->ring->head);
	uint32_t epoch = load_acquire(&r->ring->epoch);
	uint32_t bytes = head - r->tail;

	if (epoch != r->epoch && !r->next.size)
		reader_see_move(r, epoch);
	reader_follow(r);
	if (bytes > r->piece.size + r->next.size)
		bytes = 0;
	/* The rest of the old piece has to go before there is anything of the new one. */
	if (r->next.size && bytes - (r->start - r->tail) > r->next.size &&
	    bytes > r->start - r->tail)
		bytes = 0;
	r->head = r->tail + bytes;
	return bytes;
}

/* The elements of bytes that are all in one piece. */
static int piece_iov(const struct piece *p, uint32_t index, uint32_t bytes, struct iovec *iov,
		     int max)
{
	uint32_t at, part;
	int n = 0;

	for (; bytes && n < max; n++) {
		at = index & (p->size - 1);
		part = smaller(bytes, p->size - at);
		iov[n] = (struct iovec){ p->base + at, part };
		index += part;
		bytes -= part;
	}
	return n;
}

int dmm_reader_peek(const struct ring_reader *r, uint32_t offset, struct iovec *iov, int max)
{
	uint32_t bytes = r->head - r->tail, before = bytes, old;
	int n = 0;

	if (offset >= bytes)
		return 0;
	if (r->next.size)
		before = smaller(bytes, r->start - r->tail);
	if (offset < before) {
		old = smaller(before - offset, r->piece.size);
		n = piece_iov(&r->piece, r->tail + offset, old, iov, max);
		offset = before;
	}
	if (bytes > before && n < max)
		n += piece_iov(&r->next, r->tail + offset, smaller(bytes - offset, r->next.size),
			       iov + n, max - n);
	return n;
}

/* A step over "start" leaves the old piece to its owner, so it is not looked at any more. */
void dmm_reader_consume(struct ring_reader *r, uint32_t bytes)
{
	uint32_t before = r->start - r->tail;

	bytes = smaller(bytes, r->head - r->tail);
	if (r->next.size && bytes >= before) {
		r->tail = r->start;
		reader_follow(r);
		bytes -= before;
	}
	r->tail += bytes;
	store_release(&r->ring->tail, r->tail);
}

void dmm_writer_init(struct ring_writer *w, struct dmm_ring *ring, const struct arena *arena)
{
	*w = (struct ring_writer){ .ring = ring, .arena = arena };
	w->epoch = load_relaxed(&ring->epoch);
	w->head = load_relaxed(&ring->head);
	w->piece = load_piece(arena, &ring->piece[w->epoch & 1]);
}

/* Of the other place, a smaller piece is the one that was left, a larger one an offer. */
static void writer_move(struct ring_writer *w)
{
	struct piece offer = load_piece(w->arena, &w->ring->piece[(w->epoch + 1) & 1]);

	if (offer.size <= w->piece.size)
		return;
	w->piece = offer;
	store_relaxed(&w->ring->start, w->head);
	store_release(&w->ring->epoch, ++w->epoch);
}

/* What is still in an old piece counts, too: simpler, and it passes soon. */
uint32_t dmm_writer_look(struct ring_writer *w)
{
	uint32_t used;

	writer_move(w);
	used = w->head - load_acquire(&w->ring->tail);
	return used < w->piece.size ? w->piece.size - used : 0;
}

uint32_t dmm_writer_used(const struct ring_writer *w)
{
	return w->head - load_acquire(&w->ring->tail);
}

int dmm_writer_peek(const struct ring_writer *w, uint32_t bytes, struct iovec iov[2])
{
	return piece_iov(&w->piece, w->head, smaller(bytes, w->piece.size), iov, 2);
}

void dmm_writer_commit(struct ring_writer *w, uint32_t bytes)
{
	w->head += smaller(bytes, w->piece.size);
	store_release(&w->ring->head, w->head);
}

void dmm_copy_to_iov(const struct iovec *iov, const void *from, size_t len)
{
	const uint8_t *p = from;
	size_t part;

	for (; len; iov++, p += part, len -= part) {
		part = len < iov->iov_len ? len : iov->iov_len;
		memcpy(iov->iov_base, p, part);
	}
}

void dmm_copy_from_iov(void *to, const struct iovec *iov, size_t len)
{
	uint8_t *p = to;
	size_t part;

	for (; len; iov++, p += part, len -= part) {
		part = len < iov->iov_len ? len : iov->iov_len;
		memcpy(p, iov->iov_base, part);
	}
}
