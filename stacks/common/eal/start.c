// SPDX-License-Identifier: Apache-2.0
#include "internal.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <rte_eal.h>
#include <rte_errno.h>

/*
 * Segmentation and receive offloads of the kernel make frames of up to 64 KiB, which arrive at a
 * packet socket as they are.  Smaller slots would cut them off, and larger ones an mbuf cannot take.
 * A block is a multiple of both slots and pages.
 */
#define SLOT_BYTES	65408u
#define BLOCK_SLOTS	32u
#define SLOTS_MAX	256u

/* The driver locks the slots of both directions in memory: as many as this process may. */
static unsigned int slots(void)
{
	unsigned int nr;

	for (nr = SLOTS_MAX; nr > BLOCK_SLOTS; nr /= 2) {
		size_t len = 2ul * nr * SLOT_BYTES;
		void *m = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);

		if (m != MAP_FAILED) {
			munmap(m, len);
			break;
		}
	}
	return nr;
}

/* Where the main thread may run: DPDK shall not bind it to one processor. */
static int affinity(char *text, size_t size)
{
	size_t len = snprintf(text, size, "0@(");
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE && len < size; cpu++)
		if (CPU_ISSET(cpu, &set))
			len += snprintf(text + len, size - len, "%d,", cpu);
	if (len >= size)
		return -E2BIG;
	text[len - 1] = ')';
	return 0;
}

/* uio hands over a device without its IOMMU: what it reads and writes are physical addresses. */
static bool is_uio(const char *devargs)
{
	int len = strcspn(devargs, ",");
	char path[128], driver[128], *name;
	ssize_t ret;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s%.*s/driver",
		 strchr(devargs, ':') == strrchr(devargs, ':') ? "0000:" : "", len, devargs);
	ret = readlink(path, driver, sizeof(driver) - 1);
	if (ret <= 0)
		return false;
	driver[ret] = '\0';
	name = strrchr(driver, '/');
	return name && strstr(name, "uio");
}

/*
 * Without hugepages and without files in /var/run: memory is ordinary, and costs nothing before it
 * is used; no set-up, and any number of processes beside each other.
 */
static int init(const struct dmm_eal_config *config, const char *devargs)
{
	char lcores[4096], memory[16], *argv[16] = { "dmm" };
	int argc = 1, ret = affinity(lcores, sizeof(lcores));

	if (ret)
		return ret;
	argv[argc++] = "--lcores";
	argv[argc++] = lcores;
	argv[argc++] = "--no-telemetry";
	argv[argc++] = "--log-level=*:error";
	if (config->hugepages) {
		argv[argc++] = "--in-memory";
		if (is_uio(devargs))
			argv[argc++] = "--iova-mode=pa";
	} else {
		snprintf(memory, sizeof(memory), "%u", config->memory ?: 256);
		argv[argc++] = "--no-huge";
		argv[argc++] = "--no-shconf";
		argv[argc++] = "--iova-mode=va";
		argv[argc++] = "-m";
		argv[argc++] = memory;
	}
	/* Of all PCI devices only those that are opened: a list of allowed ones that are not there. */
	argv[argc++] = "--allow=ffff:ff:1f.7";
	rte_openlog_stream(stderr);
	return rte_eal_init(argc, argv) < 0 ? -rte_errno : 0;
}

static char *packet_device(const char *device)
{
	char *text;

	return asprintf(&text, "%s,blocksz=%u,framesz=%u,framecnt=%u", device, BLOCK_SLOTS * SLOT_BYTES,
			SLOT_BYTES, slots()) < 0 ? NULL : text;
}

/* NULL: no memory, or nothing that a device's name could be. */
static char *to_devargs(const char *device)
{
	char name[64];

	if (!strncmp(device, "dpdk:", 5)) {
		device += 5;
		if (!strncmp(device, "net_af_packet", 13) && !strstr(device, "framesz="))
			return packet_device(device);
		return strdup(device);
	}
	if (!*device || strlen(device) >= IFNAMSIZ || strpbrk(device, ",=:"))
		return NULL;
	snprintf(name, sizeof(name), "net_af_packet_%s,iface=%s", device, device);
	return packet_device(name);
}

int eal_start(const char *device, const struct dmm_eal_config *config, char **devargs)
{
	static bool started;
	int ret;

	*devargs = to_devargs(device);
	if (!*devargs)
		return -EINVAL;
	if (started)
		return 0;
	ret = init(config, *devargs);
	started = !ret;
	if (ret)
		free(*devargs);
	return ret;
}
