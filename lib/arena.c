// SPDX-License-Identifier: Apache-2.0
/* Memory that is freed all at once: chunks that are cut from the front. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct dmm_chunk {
	struct dmm_chunk *next;
	size_t size;
	_Alignas(max_align_t) char data[];
};

enum { CHUNK = 64 << 10 };

static size_t round_up(size_t size)
{
	return (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
}

void *dmm_arena_alloc(struct dmm_arena *a, size_t size)
{
	struct dmm_chunk *c = a->chunks;
	void *data;

	size = round_up(size);
	if (!c || c->size - a->used < size) {
		size_t room = size > CHUNK ? size : CHUNK;

		c = malloc(sizeof(*c) + room);
		if (!c)
			return NULL;
		c->size = room;
		c->next = a->chunks;
		a->chunks = c;
		a->used = 0;
	}
	data = c->data + a->used;
	a->used += size;
	return data;
}

void *dmm_arena_dup(struct dmm_arena *a, const void *data, size_t size)
{
	void *copy = dmm_arena_alloc(a, size);

	if (copy && size)
		memcpy(copy, data, size);
	return copy;
}

char *dmm_arena_strndup(struct dmm_arena *a, const char *s, size_t len)
{
	char *copy = dmm_arena_alloc(a, len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

static void free_from(struct dmm_chunk *c)
{
	while (c) {
		struct dmm_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void dmm_arena_reset(struct dmm_arena *a)
{
	a->used = 0;
	if (!a->chunks)
		return;
	free_from(a->chunks->next);
	a->chunks->next = NULL;
}

void dmm_arena_free(struct dmm_arena *a)
{
	free_from(a->chunks);
	a->chunks = NULL;
	a->used = 0;
}
