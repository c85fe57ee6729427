// SPDX-License-Identifier: Apache-2.0
/* The device operations of /dev/dmm.  The descriptor travels in the pointer. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int device_fd(void *dev)
{
	return (int)(intptr_t)dev;
}

static int device_ioctl(void *dev, unsigned long request, const void *arg)
{
	return ioctl(device_fd(dev), request, arg) ? -errno : 0;
}

static int device_reg(void *dev, struct dmm_register *reg)
{
	return device_ioctl(dev, DMM_IOC_REGISTER, reg);
}

static int device_enter(void *dev, struct dmm_enter *enter)
{
	return device_ioctl(dev, DMM_IOC_ENTER, enter);
}

static int device_address(void *dev, const struct dmm_address *address)
{
	return device_ioctl(dev, DMM_IOC_ADDRESS, address);
}

static int device_takeover(void *dev, struct dmm_takeover *takeover)
{
	return device_ioctl(dev, DMM_IOC_TAKEOVER, takeover);
}

static void *device_map(void *dev, uint64_t offset, size_t len, bool write)
{
	void *p = mmap(NULL, len, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
		       device_fd(dev), offset);

	return p == MAP_FAILED ? NULL : p;
}

static void device_unmap(void *dev, void *addr, size_t len)
{
	(void)dev;
	munmap(addr, len);
}

/* A thread that has ended meanwhile is not there any more: no harm. */
static void device_wake(void *dev, pid_t thread)
{
	int err = errno;

	(void)dev;
	tgkill(getpid(), thread, SIGURG);
	errno = err;
}

static void nothing(int sig)
{
	(void)sig;
}

/* An ignored signal would not interrupt. */
static void catch_wakes(void)
{
	struct sigaction sa;

	if (sigaction(SIGURG, NULL, &sa) || sa.sa_handler != SIG_DFL)
		return;
	sa = (struct sigaction){ .sa_handler = nothing };
	sigaction(SIGURG, &sa, NULL);
}

static void device_close(void *dev)
{
	close(device_fd(dev));
}

static const struct dmm_device_ops device_ops = {
	.reg = device_reg,
	.enter = device_enter,
	.address = device_address,
	.takeover = device_takeover,
	.map = device_map,
	.unmap = device_unmap,
	.wake = device_wake,
	.fd = device_fd,
	.close = device_close,
};

void dmm_device_use(struct dmm_device *device, int fd)
{
	*device = (struct dmm_device){ &device_ops, (void *)(intptr_t)fd };
	catch_wakes();
}

int dmm_device_open(struct dmm_device *device, const char *path)
{
	int fd = open(path ? path : DMM_DEV_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	dmm_device_use(device, fd);
	return 0;
}
