// SPDX-License-Identifier: Apache-2.0
/* Frames to a file in the format of draft-ietf-opsawg-pcapng. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define PIECES_MAX	16

/* What the file begins with: a section of one Ethernet interface with time in nanoseconds. */
static const struct {
	uint32_t section, section_len, magic;
	uint16_t major, minor;
	int64_t length;
	uint32_t section_end;
	uint32_t interface, interface_len;
	uint16_t link, reserved;
	uint32_t snap;
	uint16_t resolution, resolution_len;
	uint8_t exponent, pad[3];
	uint32_t end;
	uint32_t interface_end;
} __attribute__((packed)) head = {
	.section = 0x0a0d0d0a, .section_len = 28, .magic = 0x1a2b3c4d, .major = 1, .length = -1,
	.section_end = 28,
	.interface = 1, .interface_len = 32, .link = 1, .resolution = 9, .resolution_len = 1,
	.exponent = 9, .interface_end = 32,
};

struct packet_head {
	uint32_t type, len, interface, time_high, time_low, captured, original;
};

struct packet_tail {
	uint16_t flags, flags_len;
	uint32_t direction;
	uint32_t end, len;
};

int eal_capture_open(struct dmm_eal_port *p, const char *path)
{
	p->capture = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (p->capture < 0)
		return -errno;
	return write(p->capture, &head, sizeof(head)) == sizeof(head) ? 0 : -EIO;
}

/* A file that can be written no more, as on a full disk, must not stop the port. */
void eal_capture(const struct dmm_eal_port *p, const struct iovec *iov, int nr, bool out)
{
	struct packet_head h = { .type = 6 };
	struct packet_tail t = { .flags = 2, .flags_len = 4, .direction = out ? 2 : 1 };
	struct iovec all[PIECES_MAX + 3] = { { &h, sizeof(h) } };
	struct timespec ts;
	uint64_t ns;
	int i;

	for (i = 0; i < nr && i < PIECES_MAX; i++) {
		h.captured += iov[i].iov_len;
		all[i + 1] = iov[i];
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	ns = ts.tv_sec * 1000000000ull + ts.tv_nsec;
	h.time_high = ns >> 32;
	h.time_low = ns;
	h.original = h.captured;
	all[++i] = (struct iovec){ "\0\0", -h.captured % 4 };
	all[++i] = (struct iovec){ &t, sizeof(t) };
	h.len = t.len = sizeof(h) + RTE_ALIGN_CEIL(h.captured, 4) + sizeof(t);
	if (writev(p->capture, all, i + 1) != h.len)
		return;
}
