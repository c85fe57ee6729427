/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arena of an instance: memory of the stack daemon's, pinned, from which
 * the kernel hands out pages and pieces of rings.
 *
 * Lifetime: with the instance, of which each connection holds a reference; so
 * what lies in the arena may be touched as long as the connection is there,
 * even if the daemon is dead.
 *
 * Offsets and sizes are multiples of DMM_PAGE_SIZE.
 */
#ifndef DMM_ARENA_H
#define DMM_ARENA_H

#include <linux/mm.h>
#include <linux/spinlock.h>

struct dmm_register;
struct file;
struct user_struct;

/**
 * struct dmm_arena - pinned memory
 * @pages:	its pages
 * @nr_pages:	how many
 * @nr_pinned:	how many of them are pinned
 * @user:	whose RLIMIT_MEMLOCK they count against, NULL for nobody's
 * @file:	that it is mapped from, for a successor, or NULL
 * @nr_units:	pieces of DMM_PAGE_SIZE that they make
 * @lock:	guards what follows; innermost
 * @used:	which of the pieces are
 * @nr_free:	how many are not
 * @next:	where to look first
 */
struct dmm_arena {
	struct page **pages;
	unsigned long nr_pages;
	unsigned long nr_pinned;
	struct user_struct *user;
	struct file *file;
	unsigned long nr_units;
	spinlock_t lock;
	unsigned long *used;
	unsigned long nr_free;
	unsigned long next;
};

/* On failure there is nothing to undo.  Errors as of struct dmm_register. */
int dmm_arena_init(struct dmm_arena *a, const struct dmm_register *reg);
void dmm_arena_exit(struct dmm_arena *a);

/* Of so many DMM_PAGE_SIZE.  Never sleeps.  False if there is no such piece. */
bool dmm_arena_alloc(struct dmm_arena *a, u32 size, u64 *offset);
void dmm_arena_free(struct dmm_arena *a, u64 offset, u32 size);

/* The kernel's address of an offset; contiguous up to the end of its page. */
static inline void *dmm_arena_at(const struct dmm_arena *a, u64 offset)
{
	return page_address(a->pages[offset >> PAGE_SHIFT]) + offset_in_page(offset);
}

#endif /* DMM_ARENA_H */
