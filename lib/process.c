// SPDX-License-Identifier: Apache-2.0
/* What rules can ask of a process, from /proc. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "process.h"

/* Call @line for each line of a file of the process; its newline is cut off. */
static int for_each_line(unsigned int pid, const char *name, struct dmm_process *proc,
			 void (*line)(struct dmm_process *proc, const char *text))
{
	char path[64], text[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		line(proc, text);
	}
	fclose(f);
	return 0;
}

/* Sockets belong to the ids that the file system checks, the last of four. */
static void status_line(struct dmm_process *proc, const char *text)
{
	unsigned int id;

	if (sscanf(text, "Uid: %*u %*u %*u %u", &id) == 1)
		proc->uid = id;
	if (sscanf(text, "Gid: %*u %*u %*u %u", &id) == 1)
		proc->gid = id;
}

/* Version 2 is the hierarchy without number and controllers. */
static void cgroup_line(struct dmm_process *proc, const char *text)
{
	if (!strncmp(text, "0::", 3))
		snprintf(proc->cgroup, sizeof(proc->cgroup), "%s", text + 3);
}

static void comm_line(struct dmm_process *proc, const char *text)
{
	snprintf(proc->comm, sizeof(proc->comm), "%.15s", text);
}

int dmm_process_read(unsigned int pid, struct dmm_process *proc)
{
	int err;

	memset(proc, 0, sizeof(*proc));
	err = for_each_line(pid, "status", proc, status_line);
	if (!err)
		err = for_each_line(pid, "cgroup", proc, cgroup_line);
	if (!err)
		err = for_each_line(pid, "comm", proc, comm_line);
	return err;
}
