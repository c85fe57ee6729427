// SPDX-License-Identifier: Apache-2.0
/* dmmss: which processes have which sockets. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dmmss.h"

static void read_comm(int pid, char *comm, size_t size)
{
	char path[64];
	FILE *f;

	comm[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(comm, size, f))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
}

static void add_holder(struct holders *h, const struct holder *one)
{
	/* Room doubles when it is used up, at each power of two. */
	if (!(h->nr & (h->nr - 1))) {
		size_t size = h->nr ? 2 * h->nr : 1;
		struct holder *v = realloc(h->v, size * sizeof(*v));

		if (!v)
			return;
		h->v = v;
	}
	h->v[h->nr++] = *one;
}

static void read_fds(struct holders *h, int pid)
{
	struct holder one = { .pid = pid };
	char path[64], target[64];
	struct dirent *d;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((d = readdir(dir))) {
		len = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (sscanf(target, "socket:[%u]", &one.inode) != 1)
			continue;
		if (!one.comm[0])
			read_comm(pid, one.comm, sizeof(one.comm));
		one.fd = atoi(d->d_name);
		add_holder(h, &one);
	}
	closedir(dir);
}

static int holder_cmp(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->pid != y->pid ? x->pid - y->pid : x->fd - y->fd;
}

void holders_read(struct holders *h)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	if (!proc)
		return;
	while ((d = readdir(proc)))
		if (isdigit((unsigned char)d->d_name[0]))
			read_fds(h, atoi(d->d_name));
	closedir(proc);
	if (h->nr)
		qsort(h->v, h->nr, sizeof(*h->v), holder_cmp);
}

void holders_free(struct holders *h)
{
	free(h->v);
}

const struct holder *holders_find(const struct holders *h, uint32_t inode, size_t *nr)
{
	size_t lo = 0, hi = h->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (h->v[mid].inode < inode)
			lo = mid + 1;
		else
			hi = mid;
	}
	*nr = 0;
	while (inode && lo + *nr < h->nr && h->v[lo + *nr].inode == inode)
		++*nr;
	return *nr ? &h->v[lo] : NULL;
}
