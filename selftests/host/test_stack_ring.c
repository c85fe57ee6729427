// SPDX-License-Identifier: GPL-2.0-only
/*
 * Byte rings of both sides: random steps of a producer and a consumer against a
 * stream whose bytes are known, with rings that wrap, fill, run empty and move.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>

#include "../../lib/stack/ring.h"
#include "kselftest.h"

#define ARENA	(1u << 20)

static uint8_t memory[ARENA] __attribute__((aligned(4096)));
static const struct arena arena = { memory, ARENA, -1 };
static unsigned int seed = 1;

static unsigned int rnd(unsigned int below)
{
	return rand_r(&seed) % below;
}

static uint8_t byte_at(uint32_t index)
{
	return index * 2654435761u >> 24;
}

struct model {
	struct dmm_ring ring;
	struct ring_writer writer;
	struct ring_reader reader;
	uint64_t next;		/* place in the arena for the next piece */
	uint32_t produced;
	uint32_t consumed;
	unsigned int wrong;
	unsigned int moves;
	unsigned int wraps;
	unsigned int full;
	unsigned int empty;
};

static void model_init(struct model *m, uint32_t size, uint32_t index)
{
	memset(m, 0, sizeof(*m));
	m->ring.piece[0] = (struct dmm_piece){ .offset = 0, .size = size };
	m->ring.head = m->ring.tail = m->ring.start = index;
	m->produced = m->consumed = index;
	m->next = size;
	dmm_writer_init(&m->writer, &m->ring, &arena);
	dmm_reader_init(&m->reader, &m->ring, &arena);
}

static void fill(const struct iovec *iov, int nr, uint32_t index)
{
	for (; nr; nr--, iov++)
		for (size_t i = 0; i < iov->iov_len; i++)
			((uint8_t *)iov->iov_base)[i] = byte_at(index++);
}

static void produce(struct model *m)
{
	uint32_t room = dmm_writer_look(&m->writer), len;
	struct iovec iov[2] = { 0 };
	int nr;

	m->full += !room;
	len = rnd(4) ? rnd(room + 1) : room;
	nr = dmm_writer_peek(&m->writer, len, iov);
	m->wraps += nr == 2;
	m->wrong += iov[0].iov_len + iov[1].iov_len != len;
	fill(iov, nr, m->produced);
	dmm_writer_commit(&m->writer, len);
	m->produced += len;
}

static void compare(struct model *m, const struct iovec *iov, int nr, uint32_t index, size_t want)
{
	size_t len = 0;

	for (; nr; nr--, iov++) {
		for (size_t i = 0; i < iov->iov_len; i++)
			m->wrong += ((uint8_t *)iov->iov_base)[i] != byte_at(index++);
		len += iov->iov_len;
	}
	m->wrong += len != want;
}

/* Look from an offset, as who waits for acknowledgements does, and take a part. */
static void consume(struct model *m)
{
	uint32_t bytes = dmm_reader_look(&m->reader), offset = rnd(bytes + 1);
	struct iovec iov[4];
	int nr;

	m->wrong += bytes != m->produced - m->consumed;
	m->empty += !bytes;
	nr = dmm_reader_peek(&m->reader, offset, iov, 4);
	compare(m, iov, nr, m->consumed + offset, bytes - offset);
	bytes = rnd(4) ? rnd(bytes + 1) : bytes;
	dmm_reader_consume(&m->reader, bytes);
	m->consumed += bytes;
}

/* What the kernel does: the old place is free when something was taken from the newest piece. */
static void grow(struct model *m)
{
	struct dmm_piece *other = &m->ring.piece[(m->ring.epoch + 1) & 1];
	uint32_t size = m->ring.piece[m->ring.epoch & 1].size * 2;

	if (other->size > size / 2)
		return;
	if (other->size && (int32_t)(m->ring.tail - m->ring.start) <= 0)
		return;
	if (m->next + size > ARENA)
		return;
	*other = (struct dmm_piece){ .offset = m->next, .size = size };
	m->next += size;
	m->moves++;
}

static void test_random(uint32_t size, uint32_t index, bool grows)
{
	unsigned int start = seed;
	struct model m;

	model_init(&m, size, index);
	for (int i = 0; i < 3000; i++) {
		if (rnd(2))
			produce(&m);
		else
			consume(&m);
		if (grows && !rnd(50))
			grow(&m);
	}
	ksft_result(!m.wrong && m.full && m.empty && m.wraps && (!grows || m.moves),
		    "%s ring from %u bytes at index %#x (seed %u: %u moves, %u wrong)",
		    grows ? "growing" : "fixed", size, index, start, m.moves, m.wrong);
}

/* Each side in a thread of its own, and the ring moves under both. */

#define THREADED	300000u

static void *consume_all(void *arg)
{
	struct model *m = arg;
	struct iovec iov[4];
	uint32_t bytes;

	while (m->consumed != THREADED) {
		bytes = dmm_reader_look(&m->reader);
		if (!bytes) {
			sched_yield();
			continue;
		}
		compare(m, iov, dmm_reader_peek(&m->reader, 0, iov, 4), m->consumed, bytes);
		dmm_reader_consume(&m->reader, bytes);
		m->consumed += bytes;
	}
	return NULL;
}

static void offer(struct model *m)
{
	uint32_t epoch = m->writer.epoch, size = m->writer.piece.size * 2;
	struct dmm_piece *other = &m->ring.piece[(epoch + 1) & 1];
	int32_t behind = __atomic_load_n(&m->ring.tail, __ATOMIC_ACQUIRE) - m->ring.start;

	if ((epoch && behind <= 0) || other->size >= size || m->next + size > ARENA)
		return;
	__atomic_store_n(&other->offset, m->next, __ATOMIC_RELAXED);
	__atomic_store_n(&other->size, size, __ATOMIC_RELEASE);
	m->next += size;
	m->moves++;
}

static void test_threads(void)
{
	struct iovec iov[2];
	pthread_t thread;
	struct model m;
	uint32_t room;

	model_init(&m, 64, 0);
	pthread_create(&thread, NULL, consume_all, &m);
	while (m.produced != THREADED) {
		room = dmm_writer_look(&m.writer);
		if (!room) {
			offer(&m);
			sched_yield();
			continue;
		}
		room = room < THREADED - m.produced ? room : THREADED - m.produced;
		fill(iov, dmm_writer_peek(&m.writer, room, iov), m.produced);
		dmm_writer_commit(&m.writer, room);
		m.produced += room;
	}
	pthread_join(thread, NULL);
	ksft_result(!m.wrong && m.moves > 5, "two threads (%u moves, %u wrong)", m.moves, m.wrong);
}

/* A successor finds a ring that has just moved and still has bytes in the old piece. */
static void test_resume(void)
{
	struct model m;

	model_init(&m, 1024, 7);
	seed = 5;
	for (int i = 0; i < 20; i++)
		produce(&m);
	grow(&m);
	produce(&m);
	produce(&m);
	dmm_reader_look(&m.reader);
	dmm_reader_consume(&m.reader, 3);
	m.consumed += 3;
	dmm_reader_init(&m.reader, &m.ring, &arena);
	for (int i = 0; i < 20; i++)
		consume(&m);
	ksft_result(!m.wrong && m.consumed - 7 > 1024, "a reader begins between two pieces");
}

static void test_nonsense(void)
{
	unsigned int wrong = 0;

	for (int i = 0; i < 20000; i++) {
		struct dmm_ring ring;
		struct ring_reader r;
		struct ring_writer w;
		struct iovec iov[4];
		uint32_t bytes;

		for (size_t b = 0; b < sizeof(ring); b++)
			((uint8_t *)&ring)[b] = rnd(8) ? 0 : rnd(256);
		dmm_reader_init(&r, &ring, &arena);
		dmm_writer_init(&w, &ring, &arena);
		for (int n = 0; n < 3; n++) {
			int nr;

			((uint32_t *)&ring)[rnd(sizeof(ring) / 4)] = rnd(3) ? rnd(5000) : rnd(1u << 31);
			bytes = dmm_reader_look(&r);
			nr = dmm_reader_peek(&r, rnd(bytes + 1), iov, 4);
			while (nr--)
				wrong += (uint8_t *)iov[nr].iov_base < memory ||
					 (uint8_t *)iov[nr].iov_base + iov[nr].iov_len > memory + ARENA;
			dmm_reader_consume(&r, rnd(bytes + 1));
			bytes = dmm_writer_look(&w);
			nr = dmm_writer_peek(&w, bytes, iov);
			while (nr--)
				wrong += (uint8_t *)iov[nr].iov_base < memory ||
					 (uint8_t *)iov[nr].iov_base + iov[nr].iov_len > memory + ARENA;
			dmm_writer_commit(&w, bytes);
		}
	}
	ksft_result(!wrong, "random words lead nowhere outside of the arena");
}

/* With an argument only what threads can get wrong: the rest takes long with some sanitizers. */
int main(int argc, char **argv)
{
	static const uint32_t indices[] = { 0, 4000, UINT32_MAX - 5000, INT32_MAX - 100 };

	(void)argv;
	ksft_header();
	if (argc > 1) {
		test_threads();
		ksft_finish();
	}
	ksft_plan(3 * 4 * 2 + 3);
	for (uint32_t size = 64; size <= 4096; size *= 8) {
		for (int i = 0; i < 4; i++) {
			test_random(size, indices[i], false);
			test_random(size, indices[i], true);
		}
	}
	test_threads();
	test_resume();
	test_nonsense();
	ksft_finish();
}
