/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte rings that move to larger pieces as they grow, seen from either side.
 *
 * A reader or writer keeps a private copy of its own index and of the piece that
 * it works in, so that the shared words are read once per call.  Words that make
 * no sense (a piece outside of the arena, an index beyond the ring) read as an
 * empty or a full ring.
 */
#ifndef DMM_STACK_RING_H
#define DMM_STACK_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/dmm_dev.h>

struct arena {
	uint8_t *base;
	uint64_t len;
	int fd;
};

/* A valid piece; size 0: none. */
struct piece {
	uint8_t *base;
	uint32_t size;
};

struct ring_reader {
	struct dmm_ring *ring;
	const struct arena *arena;
	struct piece piece;
	struct piece next;	/* that the writer moved to, from index start on */
	uint32_t epoch;
	uint32_t start;
	uint32_t head;		/* as last seen */
	uint32_t tail;
};

struct ring_writer {
	struct dmm_ring *ring;
	const struct arena *arena;
	struct piece piece;
	uint32_t epoch;
	uint32_t head;
};

void dmm_reader_init(struct ring_reader *r, struct dmm_ring *ring, const struct arena *arena);

/* Bytes that can be read, looking at the writer's head. */
uint32_t dmm_reader_look(struct ring_reader *r);

/* Where the bytes behind @offset are, of those last looked at; number of elements of @iov. */
int dmm_reader_peek(const struct ring_reader *r, uint32_t offset, struct iovec *iov, int max);

/* Publish that @bytes are taken.  Afterwards the writer may want to know. */
void dmm_reader_consume(struct ring_reader *r, uint32_t bytes);

void dmm_writer_init(struct ring_writer *w, struct dmm_ring *ring, const struct arena *arena);

/* Bytes of room; moves to a larger piece if one is offered. */
uint32_t dmm_writer_look(struct ring_writer *w);

/* Bytes that nobody has read. */
uint32_t dmm_writer_used(const struct ring_writer *w);

/* Where the next @bytes, of those last looked at, go: up to two elements. */
int dmm_writer_peek(const struct ring_writer *w, uint32_t bytes, struct iovec iov[2]);

/* Publish @bytes. */
void dmm_writer_commit(struct ring_writer *w, uint32_t bytes);

/* Bytes that a datagram of this length takes. */
static inline uint32_t dmm_record_size(uint32_t len)
{
	uint32_t size = sizeof(struct dmm_datagram) + len;

	return (size + DMM_DATAGRAM_ALIGN - 1) & ~(DMM_DATAGRAM_ALIGN - 1);
}

/* Copy from and to elements, which must have room for @len. */
void dmm_copy_to_iov(const struct iovec *iov, const void *from, size_t len);
void dmm_copy_from_iov(void *to, const struct iovec *iov, size_t len);

#endif
