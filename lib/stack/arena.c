// SPDX-License-Identifier: Apache-2.0
/*
 * The arena: a memfd, so that a successor can map it too.  Huge pages if the
 * machine has some in reserve, else those that it makes by itself.
 */
#include "internal.h"

#include <errno.h>
#include <sys/mman.h>
#include <linux/memfd.h>
#include <unistd.h>

#define HUGE	(2u << 20)

static int arena_try(struct arena *arena, uint64_t len, unsigned int flags)
{
	int fd = memfd_create("dmm-arena", MFD_CLOEXEC | flags), ret;

	if (fd < 0)
		return -errno;
	ret = ftruncate(fd, len) ? -errno : dmm_arena_map(arena, fd, len);
	if (ret)
		close(fd);
	return ret;
}

int dmm_arena_make(struct arena *arena, uint64_t len)
{
	if (!(len % HUGE) && !arena_try(arena, len, MFD_HUGETLB | MFD_HUGE_2MB))
		return 0;
	return arena_try(arena, len, 0);
}

/* The descriptor is the arena's if this succeeds. */
int dmm_arena_map(struct arena *arena, int fd, uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	/* No matter if it cannot. */
	madvise(p, len, MADV_HUGEPAGE);
	*arena = (struct arena){ p, len, fd };
	return 0;
}

void dmm_arena_unmap(struct arena *arena)
{
	if (!arena->base)
		return;
	munmap(arena->base, arena->len);
	close(arena->fd);
	arena->base = NULL;
}
