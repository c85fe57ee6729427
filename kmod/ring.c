// SPDX-License-Identifier: GPL-2.0-only
#include "ring.h"

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <uapi/linux/dmm_dev.h>

#include "arena.h"

/* A ring grows by this factor at least: few moves until it is large enough. */
#define GROWTH	4

static struct dmm_bytes_piece *piece_of(struct dmm_bytes *b, u32 epoch)
{
	return &b->piece[epoch & 1];
}

/* Pieces. */

static void free_pages_of(struct page **pages, u32 size)
{
	unsigned long i, nr = DIV_ROUND_UP(size, PAGE_SIZE);

	for (i = 0; i < nr && pages[i]; i++)
		__free_page(pages[i]);
	kvfree(pages);
}

static bool alloc_own(struct dmm_bytes_piece *p, u32 size)
{
	unsigned long i, nr = DIV_ROUND_UP(size, PAGE_SIZE);
	struct page **pages = kvcalloc(nr, sizeof(*pages), GFP_KERNEL_ACCOUNT);

	if (!pages)
		return false;
	for (i = 0; i < nr; i++) {
		pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!pages[i]) {
			free_pages_of(pages, size);
			return false;
		}
	}
	p->pages = pages;
	p->offset = 0;
	smp_store_release(&p->size, size);
	return true;
}

static bool alloc_arena(struct dmm_bytes *b, u32 epoch, u32 size)
{
	struct dmm_bytes_piece *p = piece_of(b, epoch);
	struct dmm_piece *shared = &b->shared->piece[epoch & 1];

	if (!dmm_arena_alloc(b->arena, size, &p->offset))
		return false;
	p->pages = b->arena->pages + (p->offset >> PAGE_SHIFT);
	p->size = size;
	WRITE_ONCE(shared->offset, p->offset);
	smp_store_release(&shared->size, size);
	return true;
}

static void piece_free(struct dmm_bytes *b, u32 epoch)
{
	struct dmm_bytes_piece *p = piece_of(b, epoch);

	if (!b->arena)
		free_pages_of(p->pages, p->size);
	else if (epoch || !b->inlined)
		dmm_arena_free(b->arena, p->offset, p->size);
	if (b->shared)
		WRITE_ONCE(b->shared->piece[epoch & 1].size, 0);
	smp_store_release(&p->size, 0);
}

void dmm_bytes_init(struct dmm_bytes *b, struct dmm_arena *arena,
		    struct dmm_ring *shared, u64 offset, u32 size, bool inlined)
{
	struct dmm_bytes_piece *p = &b->piece[0];

	memset(b, 0, sizeof(*b));
	spin_lock_init(&b->lock);
	b->arena = arena;
	b->shared = shared;
	b->max = size;
	b->inlined = inlined;
	p->offset = offset;
	p->pages = arena->pages + (offset >> PAGE_SHIFT);
	p->size = size;
	memset(shared, 0, sizeof(*shared));
	shared->piece[0].offset = offset;
	shared->piece[0].size = size;
}

void dmm_bytes_init_pair(struct dmm_bytes *b)
{
	memset(b, 0, sizeof(*b));
	spin_lock_init(&b->lock);
}

void dmm_bytes_exit(struct dmm_bytes *b)
{
	u32 newest = max_t(u32, b->epoch, b->c_epoch);

	/* The newest; the one before or, of an rx ring, the one on offer. */
	if (piece_of(b, newest)->size)
		piece_free(b, newest);
	if (piece_of(b, newest + 1)->size)
		piece_free(b, b->offered ? newest + 1 : newest - 1);
}

/*
 * Where an index is, and how many bytes follow it in one page.  So what is copied
 * needs no check by hardened usercopy, and _copy_from_iter() makes none.
 */
static void *place(const struct dmm_bytes_piece *p, u32 index, u32 *len)
{
	u32 pos = index & (p->size - 1);
	u64 at = offset_in_page(p->offset) + pos;

	*len = min3(*len, p->size - pos, (u32)(PAGE_SIZE - offset_in_page(at)));
	return page_address(p->pages[at >> PAGE_SHIFT]) + offset_in_page(at);
}

/* The producer's side. */

static int tail_now(struct dmm_bytes *b, u32 *tail)
{
	if (!b->shared) {
		*tail = smp_load_acquire(&b->tail); /* B */
		return 0;
	}
	*tail = smp_load_acquire(&b->shared->tail); /* B */
	if (*tail - b->tail > b->head - b->tail)
		return -EPROTO;
	b->tail = *tail;
	return 0;
}

/* Before the newest piece there is another one that is not free yet. */
static bool moving(struct dmm_bytes *b)
{
	return b->epoch && smp_load_acquire(&piece_of(b, b->epoch + 1)->size);
}

/* Bytes from @tail to the head that are in the newest piece. */
static u32 used_in_newest(struct dmm_bytes *b, u32 tail)
{
	u32 head = b->head + b->pending;

	return moving(b) && (s32)(tail - b->start) < 0 ? head - b->start : head - tail;
}

/*
 * Of a tx ring: the daemon will not look at the piece before any more.  With the
 * tail just at "start" it may not have seen the move yet, but then it has
 * nothing to look at if there is nothing behind "start".
 */
static bool reclaimable(struct dmm_bytes *b, u32 tail)
{
	return b->shared && ((s32)(tail - b->start) > 0 ||
			     (tail == b->start && tail == b->head + b->pending));
}

static void reclaim(struct dmm_bytes *b, u32 tail)
{
	if (moving(b) && reclaimable(b, tail))
		piece_free(b, b->epoch - 1);
}

static bool alloc_piece(struct dmm_bytes *b, u32 epoch, u32 size)
{
	return b->arena ? alloc_arena(b, epoch, size) :
			  alloc_own(piece_of(b, epoch), size);
}

/* A piece of @size, or what there is that is larger than @now; 0: nothing. */
static u32 alloc_larger(struct dmm_bytes *b, u32 epoch, u32 size, u32 now)
{
	for (; size > now && size >= DMM_PAGE_SIZE; size /= 2)
		if (alloc_piece(b, epoch, size))
			return size;
	return 0;
}

static void grow(struct dmm_bytes *b, u32 wanted)
{
	u32 now = piece_of(b, b->epoch)->size;
	u32 size = roundup_pow_of_two(max3(wanted, now * GROWTH, DMM_PAGE_SIZE));

	if (now >= b->max || moving(b))
		return;
	size = min(size, b->max);
	if (!now) {
		alloc_piece(b, b->epoch, size);
		return;
	}
	size = alloc_larger(b, b->epoch + 1, size, now);
	/* Lest poll promises room that there is not. */
	WRITE_ONCE(b->starved, !size);
	if (!size)
		return;
	b->start = b->head + b->pending;
	if (b->shared)
		WRITE_ONCE(b->shared->start, b->start);
	/* Whoever sees the epoch sees start and piece. */
	smp_store_release(&b->epoch, b->epoch + 1);
	if (b->shared)
		smp_store_release(&b->shared->epoch, b->epoch);
}

int dmm_bytes_space(struct dmm_bytes *b, u32 wanted)
{
	u32 tail, size;
	int err;

	err = tail_now(b, &tail);
	if (err)
		return err;
	reclaim(b, tail);
	size = piece_of(b, b->epoch)->size;
	if (size - used_in_newest(b, tail) < wanted) {
		grow(b, wanted);
		size = piece_of(b, b->epoch)->size;
	}
	return size ? size - used_in_newest(b, tail) : -ENOMEM;
}

bool dmm_bytes_starved(const struct dmm_bytes *b, u32 wanted)
{
	return b->starved && b->piece[b->epoch & 1].size < wanted;
}

u32 dmm_bytes_produce(struct dmm_bytes *b, struct iov_iter *from, u32 len)
{
	const struct dmm_bytes_piece *p = piece_of(b, b->epoch);
	u32 done = 0, part, copied;
	void *to;

	while (done < len) {
		part = len - done;
		to = place(p, b->head + b->pending, &part);
		copied = _copy_from_iter(to, part, from);
		b->pending += copied;
		done += copied;
		if (copied < part)
			break;
	}
	return done;
}

void dmm_bytes_put(struct dmm_bytes *b, const void *data, u32 len)
{
	const struct dmm_bytes_piece *p = piece_of(b, b->epoch);
	u32 done, part;
	void *to;

	for (done = 0; done < len; done += part) {
		part = len - done;
		to = place(p, b->head + b->pending, &part);
		if (data)
			memcpy(to, data + done, part);
		else
			memset(to, 0, part);
		b->pending += part;
	}
}

void dmm_bytes_cancel(struct dmm_bytes *b)
{
	b->pending = 0;
}

void dmm_bytes_publish(struct dmm_bytes *b)
{
	u32 head = b->head + b->pending;

	b->pending = 0;
	smp_store_release(&b->head, head); /* A */
	if (b->shared)
		smp_store_release(&b->shared->head, head); /* A */
}

/* The consumer's side. */

static void release_old(struct dmm_bytes *b)
{
	if (!b->old || (s32)(b->tail - b->c_start) < 0)
		return;
	if (!b->shared) {
		b->old = false;
		piece_free(b, b->c_epoch - 1);
		return;
	}
	spin_lock(&b->lock);
	piece_free(b, b->c_epoch - 1);
	b->old = false;
	spin_unlock(&b->lock);
}

/* The producer has moved on to the next piece. */
static int follow(struct dmm_bytes *b, u32 epoch)
{
	u32 start = b->shared ? READ_ONCE(b->shared->start) : b->start;
	int err = 0;

	spin_lock(&b->lock);
	if (b->shared &&
	    (epoch != b->c_epoch + 1 || !b->offered ||
	     start - b->tail > piece_of(b, b->c_epoch)->size)) {
		err = -EPROTO;
	} else {
		b->offered = false;
		b->old = true;
		b->c_epoch = epoch;
		b->c_start = start;
	}
	spin_unlock(&b->lock);
	if (!err)
		release_old(b);
	return err;
}

/* Can the daemon have produced up to there? */
static bool head_fits(struct dmm_bytes *b, u32 head)
{
	u32 size = piece_of(b, b->c_epoch)->size;

	if (!b->old)
		return head - b->tail <= size;
	if ((s32)(head - b->c_start) > 0)
		return head - b->c_start <= size;
	return head - b->tail <= b->c_start - b->tail;
}

int dmm_bytes_used(struct dmm_bytes *b)
{
	u32 head, epoch;
	int err;

	if (b->shared) {
		head = smp_load_acquire(&b->shared->head); /* A */
		epoch = smp_load_acquire(&b->shared->epoch);
	} else {
		head = smp_load_acquire(&b->head); /* A */
		epoch = smp_load_acquire(&b->epoch);
	}
	if (epoch != b->c_epoch) {
		err = follow(b, epoch);
		if (err)
			return err;
	}
	if (b->shared) {
		if (!head_fits(b, head))
			return -EPROTO;
		b->head = head;
	}
	return head - b->tail;
}

/* The piece that an index is in, and how many bytes of it follow at most. */
static const struct dmm_bytes_piece *piece_at(struct dmm_bytes *b, u32 index,
					      u32 *len)
{
	if (!b->old || (s32)(index - b->c_start) >= 0)
		return piece_of(b, b->c_epoch);
	*len = min(*len, b->c_start - index);
	return piece_of(b, b->c_epoch - 1);
}

u32 dmm_bytes_copy(struct dmm_bytes *b, u32 skip, struct iov_iter *to, u32 len)
{
	const struct dmm_bytes_piece *p;
	u32 done = 0, part, copied;
	const void *from;

	while (done < len) {
		part = len - done;
		p = piece_at(b, b->tail + skip + done, &part);
		from = place(p, b->tail + skip + done, &part);
		copied = _copy_to_iter(from, part, to);
		done += copied;
		if (copied < part)
			break;
	}
	return done;
}

void dmm_bytes_get(struct dmm_bytes *b, void *data, u32 len)
{
	const struct dmm_bytes_piece *p;
	u32 done, part;
	void *from;

	for (done = 0; done < len; done += part) {
		part = len - done;
		p = piece_at(b, b->tail + done, &part);
		from = place(p, b->tail + done, &part);
		memcpy(data + done, from, part);
	}
}

void dmm_bytes_consume(struct dmm_bytes *b, u32 len)
{
	u32 tail = b->tail + len;

	smp_store_release(&b->tail, tail); /* B */
	if (b->shared)
		smp_store_release(&b->shared->tail, tail); /* B */
	release_old(b);
}

bool dmm_bytes_offer(struct dmm_bytes *b, u32 wanted)
{
	u32 now, size;
	bool ok = true;

	spin_lock(&b->lock);
	if (!b->offered) {
		now = piece_of(b, b->c_epoch)->size;
		size = roundup_pow_of_two(clamp(wanted, now * GROWTH, DMM_RING_MAX));
		ok = !b->old && alloc_larger(b, b->c_epoch + 1, min(size, b->max), now);
		b->offered = ok;
	}
	spin_unlock(&b->lock);
	return ok;
}

/* For poll. */

u32 dmm_bytes_peek_used(const struct dmm_bytes *b)
{
	if (b->shared)
		return smp_load_acquire(&b->shared->head) - READ_ONCE(b->tail);
	return smp_load_acquire(&b->head) - READ_ONCE(b->tail);
}

/* What there is room for in all: where it moves, no more than where it is now. */
static u32 peek_capacity(struct dmm_bytes *b, u32 tail)
{
	if (READ_ONCE(b->starved) || (moving(b) && !reclaimable(b, tail)))
		return READ_ONCE(piece_of(b, b->epoch)->size);
	return READ_ONCE(b->max);
}

static u32 peek_tail(const struct dmm_bytes *b)
{
	return b->shared ? READ_ONCE(b->shared->tail) : READ_ONCE(b->tail);
}

u32 dmm_bytes_peek_unread(const struct dmm_bytes *b)
{
	u32 head = READ_ONCE(b->head), most = head - READ_ONCE(b->tail);

	return min(head - peek_tail(b), most);
}

u32 dmm_bytes_peek_space(struct dmm_bytes *b)
{
	u32 tail = peek_tail(b);
	u32 max = peek_capacity(b, tail), used = used_in_newest(b, tail);

	return used < max ? max - used : 0;
}

bool dmm_bytes_peek_writable(struct dmm_bytes *b)
{
	return dmm_bytes_peek_space(b) >= peek_capacity(b, peek_tail(b)) / 4;
}
