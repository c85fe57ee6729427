// SPDX-License-Identifier: GPL-2.0-only
/* mute-stack NAME: an instance that never answers, until it is killed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include <linux/dmm_dev.h>

enum { ARENA = 4 << 20 };

static void *make_arena(int *fd)
{
	*fd = memfd_create("arena", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, ARENA))
		return MAP_FAILED;
	return mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
}

int main(int argc, char **argv)
{
	struct dmm_register reg = {
		.size = sizeof(reg),
		.features = DMM_FEATS_ALL,
		.caps = DMM_CAPS_ALL,
		.nr_queues = 1,
		.nr_events = DMM_EVENTS_MIN,
		.arena_len = ARENA,
	};
	void *arena = make_arena(&reg.arena_fd);
	int fd = open(DMM_DEV_PATH, O_RDWR | O_CLOEXEC);

	if (argc != 2 || arena == MAP_FAILED || fd < 0) {
		perror("mute-stack");
		return 1;
	}
	reg.arena_addr = (unsigned long)arena;
	strncpy(reg.name, argv[1], sizeof(reg.name) - 1);
	if (ioctl(fd, DMM_IOC_REGISTER, &reg)) {
		perror("mute-stack: register");
		return 1;
	}
	pause();
	return 0;
}
