// SPDX-License-Identifier: GPL-2.0-only
#include "arena.h"

#include <linux/bitmap.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/dmm_dev.h>

/* Pages at a time: a signal is noticed in between. */
#define PIN_BATCH	1024UL

/* Like AF_XDP and io_uring: the user's limit, which outlives the process. */
static int account(struct dmm_arena *a)
{
	unsigned long limit, old, new;

	if (capable(CAP_IPC_LOCK))
		return 0;
	a->user = get_uid(current_user());
	limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	do {
		old = atomic_long_read(&a->user->locked_vm);
		new = old + a->nr_pages;
		if (new > limit) {
			free_uid(a->user);
			a->user = NULL;
			return -ENOMEM;
		}
	} while (atomic_long_cmpxchg(&a->user->locked_vm, old, new) != old);
	return 0;
}

static void unaccount(struct dmm_arena *a)
{
	if (!a->user)
		return;
	atomic_long_sub(a->nr_pages, &a->user->locked_vm);
	free_uid(a->user);
}

static int pin(struct dmm_arena *a, unsigned long addr)
{
	unsigned long nr;
	int got;

	if (!access_ok((void __user *)addr, a->nr_pages << PAGE_SHIFT))
		return -EFAULT;
	while (a->nr_pinned < a->nr_pages) {
		nr = min(a->nr_pages - a->nr_pinned, PIN_BATCH);
		got = pin_user_pages_fast(addr + (a->nr_pinned << PAGE_SHIFT), nr,
					  FOLL_WRITE | FOLL_LONGTERM,
					  a->pages + a->nr_pinned);
		if (got <= 0)
			return got ?: -EFAULT;
		a->nr_pinned += got;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static void unpin(struct dmm_arena *a)
{
	unsigned long done, nr;

	for (done = 0; done < a->nr_pinned; done += nr) {
		nr = min(a->nr_pinned - done, PIN_BATCH);
		unpin_user_pages_dirty_lock(a->pages + done, nr, true);
		cond_resched();
	}
}

static int make_map(struct dmm_arena *a)
{
	a->nr_units = (a->nr_pages << PAGE_SHIFT) / DMM_PAGE_SIZE;
	a->used = kvcalloc(BITS_TO_LONGS(a->nr_units), sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!a->used)
		return -ENOMEM;
	/* Page 0 is nobody's: events say 0 for none. */
	__set_bit(0, a->used);
	a->nr_free = a->nr_units - 1;
	return 0;
}

/*
 * Regular files hold no others.  One that could hold the file of the instance,
 * or is that, would keep it open for ever.
 */
static int get_file_of(struct dmm_arena *a, int fd)
{
	if (fd < 0)
		return 0;
	a->file = fget(fd);
	if (!a->file)
		return -EBADF;
	return S_ISREG(file_inode(a->file)->i_mode) ? 0 : -EINVAL;
}

int dmm_arena_init(struct dmm_arena *a, const struct dmm_register *reg)
{
	int err;

	spin_lock_init(&a->lock);
	a->nr_pages = reg->arena_len >> PAGE_SHIFT;
	err = account(a);
	if (err) {
		a->nr_pages = 0;
		return err;
	}
	a->pages = kvcalloc(a->nr_pages, sizeof(*a->pages), GFP_KERNEL_ACCOUNT);
	err = a->pages ? get_file_of(a, reg->arena_fd) : -ENOMEM;
	if (!err)
		err = pin(a, reg->arena_addr);
	if (!err)
		err = make_map(a);
	if (err)
		dmm_arena_exit(a);
	return err;
}

void dmm_arena_exit(struct dmm_arena *a)
{
	kvfree(a->used);
	unpin(a);
	if (a->file)
		fput(a->file);
	kvfree(a->pages);
	unaccount(a);
	memset(a, 0, sizeof(*a));
}

/* First fit, from where the last one was found, then from the beginning. */
static unsigned long find_free(const struct dmm_arena *a, unsigned int nr)
{
	unsigned long at;

	at = bitmap_find_next_zero_area(a->used, a->nr_units, a->next, nr, 0);
	if (at >= a->nr_units)
		at = bitmap_find_next_zero_area(a->used, a->nr_units, 0, nr, 0);
	return at;
}

bool dmm_arena_alloc(struct dmm_arena *a, u32 size, u64 *offset)
{
	unsigned int nr = size / DMM_PAGE_SIZE;
	unsigned long at;
	bool ok;

	if (WARN_ON_ONCE(!nr))
		return false;
	spin_lock(&a->lock);
	/* One that is full is asked again and again. */
	at = nr <= a->nr_free ? find_free(a, nr) : a->nr_units;
	ok = at < a->nr_units;
	if (ok) {
		bitmap_set(a->used, at, nr);
		a->nr_free -= nr;
		a->next = at + nr;
	}
	spin_unlock(&a->lock);
	*offset = (u64)at * DMM_PAGE_SIZE;
	return ok;
}

void dmm_arena_free(struct dmm_arena *a, u64 offset, u32 size)
{
	spin_lock(&a->lock);
	bitmap_clear(a->used, offset / DMM_PAGE_SIZE, size / DMM_PAGE_SIZE);
	a->nr_free += size / DMM_PAGE_SIZE;
	spin_unlock(&a->lock);
}
