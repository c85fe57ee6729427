/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A byte ring between a socket and what is at its other end: the stack daemon,
 * or, of a paired connection, another socket.
 *
 * One producer, one consumer.  Of a ring shared with a daemon the kernel is
 * one of the two, and all that decides what it touches is here, in its own
 * memory: a word of the daemon's is read once, checked against what is here
 * and then kept here.  <linux/dmm_dev.h> draws the protocol, with the pieces
 * and epochs by which a ring grows.
 *
 *	producer				consumer
 *	writes bytes				reads head (acquire, A)
 *	head = ... (release, A)			reads bytes
 *	full barrier (C)			tail = ... (release, B)
 *	reads wants_data			full barrier (D)
 *						reads wants_space
 *	reads tail (acquire, B)
 *	wants_space = 1				wants_data = 1
 *	full barrier (D)			full barrier (C)
 *	reads tail again			reads head again
 *
 * Locks: the producer's side is under the producing socket's lock, the
 * consumer's under the consuming one's.
 */
#ifndef DMM_RING_H
#define DMM_RING_H

#include <linux/cache.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct dmm_arena;
struct dmm_ring;
struct iov_iter;
struct page;

/**
 * struct dmm_bytes_piece - memory of a ring
 * @pages:	of the arena, or the ring's own
 * @offset:	in the arena; within the first of @pages
 * @size:	bytes, a power of two; 0: none
 */
struct dmm_bytes_piece {
	struct page **pages;
	u64 offset;
	u32 size;
};

/**
 * struct dmm_bytes - the kernel's side of a byte ring
 * @shared:	the words that the daemon sees; NULL between two sockets
 * @arena:	where pieces come from; NULL: pages of the kernel's own
 * @piece:	by epoch modulo 2.  Who frees one sets its size to zero last
 *		(release), the producer looks for that (acquire)
 * @head:	the producer's index; of an rx ring what the daemon's was when
 *		the kernel last looked
 * @pending:	bytes produced behind it, not published
 * @start:	index from which on the newest piece counts
 * @epoch:	number of the newest piece
 * @max:	bytes that it may grow to
 * @inlined:	the first piece is in the connection's page, not to be freed
 * @starved:	there was no memory for a larger piece, the last time that the
 *		producer needed one
 * @tail:	the consumer's index; of a tx ring what the daemon's was when
 *		the kernel last looked
 * @c_start:	the consumer's view of @start
 * @c_epoch:	and of @epoch
 * @old:	bytes before @c_start are still to be taken from the piece before
 * @offered:	the daemon has a larger piece to move to
 * @lock:	guards what changes when a ring moves: @piece, @offered, @old
 *
 * What is read by both, the producer's and the consumer's have a cache line each;
 * there are two rings for each connection.
 */
struct dmm_bytes {
	struct dmm_ring *shared;
	struct dmm_arena *arena;
	struct dmm_bytes_piece piece[2];

	u32 head ____cacheline_aligned_in_smp;
	u32 pending;
	u32 start;
	u32 epoch;
	u32 max;
	bool inlined;
	bool starved;

	u32 tail ____cacheline_aligned_in_smp;
	u32 c_start;
	u32 c_epoch;
	bool old;
	bool offered;
	spinlock_t lock;
};

/* A ring of which the first piece is @size bytes at @offset of the arena. */
void dmm_bytes_init(struct dmm_bytes *b, struct dmm_arena *arena,
		    struct dmm_ring *shared, u64 offset, u32 size, bool inlined);
/* A ring between two sockets, without memory until something is sent. */
void dmm_bytes_init_pair(struct dmm_bytes *b);
/* Nobody uses it any more. */
void dmm_bytes_exit(struct dmm_bytes *b);

/*
 * The producer's side.  May sleep, for memory and for @from.
 *
 * dmm_bytes_space() returns the bytes that there is room for, after growing
 * the ring if it may and there are less than @wanted; -EPROTO: the daemon's
 * words make no sense; -ENOMEM: there is no memory at all.
 * dmm_bytes_starved() says that there will not be room for @wanted even if it is
 * empty, for want of memory.
 * dmm_bytes_produce() copies up to @len bytes, for which there is room, and
 * returns how many, less if @from faults; they are seen after
 * dmm_bytes_publish().
 */
int dmm_bytes_space(struct dmm_bytes *b, u32 wanted);
bool dmm_bytes_starved(const struct dmm_bytes *b, u32 wanted);
u32 dmm_bytes_produce(struct dmm_bytes *b, struct iov_iter *from, u32 len);
void dmm_bytes_publish(struct dmm_bytes *b);
/* The same from memory, NULL for zeros; and what takes back all that is not published. */
void dmm_bytes_put(struct dmm_bytes *b, const void *data, u32 len);
void dmm_bytes_cancel(struct dmm_bytes *b);

/*
 * The consumer's side.  dmm_bytes_used() returns the bytes that are there, or
 * -EPROTO.  dmm_bytes_copy() copies up to @len of them, from @skip on, and
 * returns how many, less if @to faults.
 */
int dmm_bytes_used(struct dmm_bytes *b);
u32 dmm_bytes_copy(struct dmm_bytes *b, u32 skip, struct iov_iter *to, u32 len);
void dmm_bytes_consume(struct dmm_bytes *b, u32 len);
/* Copy @len bytes, which are there, from the tail on. */
void dmm_bytes_get(struct dmm_bytes *b, void *data, u32 len);

/*
 * Offer the daemon a larger piece for an rx ring, of @wanted bytes if it may.
 * Does not sleep, and needs no lock.  True if there is one to move to.
 */
bool dmm_bytes_offer(struct dmm_bytes *b, u32 wanted);

/*
 * Of either side, without its lock, for poll: what seems to be there.  Wrong
 * only if the daemon lies.  Of the consumer's, what it can take; of the
 * producer's, what nobody has taken.
 */
u32 dmm_bytes_peek_used(const struct dmm_bytes *b);
u32 dmm_bytes_peek_unread(const struct dmm_bytes *b);
u32 dmm_bytes_peek_space(struct dmm_bytes *b);
/* So much room that it is worth to wake, or be, a writer: a quarter. */
bool dmm_bytes_peek_writable(struct dmm_bytes *b);

#endif /* DMM_RING_H */
