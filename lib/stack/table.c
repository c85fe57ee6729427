// SPDX-License-Identifier: Apache-2.0
/* From the kernel's handles and our tokens to objects, and where objects come from. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int dmm_table_init(struct table *t, uint32_t nr)
{
	t->nr_blocks = nr / TABLE_BLOCK + 1;
	t->blocks = calloc(t->nr_blocks, sizeof(*t->blocks));
	return t->blocks ? 0 : -ENOMEM;
}

void dmm_table_exit(struct table *t)
{
	for (uint32_t i = 0; t->blocks && i < t->nr_blocks; i++)
		free(t->blocks[i]);
	free(t->blocks);
}

struct dmm_conn *dmm_table_find(const struct table *t, uint64_t id)
{
	uint32_t index = (uint32_t)id;
	struct dmm_conn **block, *conn;

	if (index / TABLE_BLOCK >= t->nr_blocks)
		return NULL;
	block = t->blocks[index / TABLE_BLOCK];
	conn = block ? block[index % TABLE_BLOCK] : NULL;
	return conn && conn->id == id ? conn : NULL;
}

/* EEXIST: the index is somebody's.  NULL clears it. */
int dmm_table_set(struct table *t, uint64_t id, struct dmm_conn *conn)
{
	uint32_t index = (uint32_t)id;
	struct dmm_conn ***block;

	if (index / TABLE_BLOCK >= t->nr_blocks)
		return -EINVAL;
	block = &t->blocks[index / TABLE_BLOCK];
	if (!*block)
		*block = calloc(TABLE_BLOCK, sizeof(**block));
	if (!*block)
		return -ENOMEM;
	if (conn && (*block)[index % TABLE_BLOCK])
		return -EEXIST;
	(*block)[index % TABLE_BLOCK] = conn;
	return 0;
}

static int tokens_grow(struct tokens *t)
{
	uint32_t nr = t->nr ? t->nr * 2 : 64;
	struct dmm_conn **slots = realloc(t->slots, nr * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	memset(slots + t->nr, 0, (nr - t->nr) * sizeof(*slots));
	t->slots = slots;
	t->free = t->nr;
	t->nr = nr;
	return 0;
}

/* The upper half tells tokens apart that had the same slot. */
int dmm_tokens_add(struct tokens *t, struct dmm_conn *conn)
{
	uint32_t tried = 0;

	while (tried < t->nr && t->slots[t->free]) {
		t->free = (t->free + 1) & (t->nr - 1);
		tried++;
	}
	if (tried == t->nr && tokens_grow(t))
		return -ENOMEM;
	t->slots[t->free] = conn;
	conn->token = (uint64_t)++t->generation << 32 | t->free;
	t->free = (t->free + 1) & (t->nr - 1);
	return 0;
}

struct dmm_conn *dmm_tokens_take(struct tokens *t, uint64_t token)
{
	uint32_t slot = (uint32_t)token;
	struct dmm_conn *conn = slot < t->nr ? t->slots[slot] : NULL;

	if (!conn || conn->token != token)
		return NULL;
	t->slots[slot] = NULL;
	return conn;
}

struct dmm_conn *dmm_conn_new(struct dmm_queue *q)
{
	struct dmm_conn *conn = q->unused;

	if (conn)
		q->unused = conn->next;
	else
		conn = malloc(sizeof(*conn));
	if (conn)
		*conn = (struct dmm_conn){ .queue = q };
	return conn;
}

void dmm_conn_kick(struct dmm_conn *conn)
{
	if (conn->kicked)
		return;
	conn->kicked = true;
	conn->next_kick = conn->queue->kicks;
	conn->queue->kicks = conn;
}

void dmm_conn_free(struct dmm_conn *conn)
{
	conn->unused = conn->kicked;
	if (conn->kicked)
		return;
	conn->next = conn->queue->unused;
	conn->queue->unused = conn;
}

static void free_pending(struct dmm_queue *q)
{
	struct dmm_conn *conn;

	while ((conn = q->pending)) {
		q->pending = conn->next;
		/* Others are in a table, which frees them. */
		if (conn->state == CONN_GONE)
			free(conn);
	}
}

static void free_kicks(struct dmm_queue *q)
{
	struct dmm_conn *conn;

	while ((conn = q->kicks)) {
		q->kicks = conn->next_kick;
		if (conn->unused)
			free(conn);
	}
}

void dmm_conns_exit(struct dmm_queue *q)
{
	struct dmm_conn *conn;

	free_kicks(q);
	free_pending(q);
	for (uint32_t i = 0; q->table.blocks && i < q->table.nr_blocks; i++)
		for (uint32_t n = 0; q->table.blocks[i] && n < TABLE_BLOCK; n++)
			free(q->table.blocks[i][n]);
	for (uint32_t i = 0; i < q->tokens.nr; i++)
		free(q->tokens.slots[i]);
	free(q->tokens.slots);
	dmm_table_exit(&q->table);
	while ((conn = q->unused)) {
		q->unused = conn->next;
		free(conn);
	}
}
