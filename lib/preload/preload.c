// SPDX-License-Identifier: Apache-2.0
/*
 * libdmm-preload.so: makes socket() of an unmodified program return DMM sockets.
 *
 * TCP sockets become DMM's, UDP sockets too with DMM_DGRAM=1 in the environment.
 * Where DMM is refused (module not loaded, sandbox), the program gets what it
 * asked for, with the errno that it would have had.
 *
 * The library must not stand in the way of any program, so it needs nothing of
 * its own: it is linked without a C library, and the few functions it wants are
 * weak and unversioned, taken from the C library that the program has, glibc or
 * musl.  The plain socket is made by a system call rather than by the next
 * socket() that dlsym() finds.  That is all that socket() does in both libraries
 * (it is no cancellation point either), and it works before constructors have
 * run, in signal handlers, between fork and exec, and after vfork.  Another
 * preloaded library that wraps socket() is still heard as long as it stands
 * before this one, which dmmrun sees to by appending.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/dmm.h>

#pragma weak syscall
#pragma weak getenv
#pragma weak __errno_location

#define AF_PARAMETER	"/sys/module/dmm/parameters/af"

/*
 * Shared by all threads, and with the parent of a vfork.  Every writer writes
 * what any other would, so relaxed accesses are enough.
 */
static struct {
	bool ready;
	bool dgram;		/* UDP too */
	int family;		/* number of AF_DMM */
	long refused[2][2];	/* when DMM was last refused, by IPv6 and UDP; 0: it was not */
} state = { .family = DMM_AF_DEFAULT };

#define get(member)		__atomic_load_n(&state.member, __ATOMIC_RELAXED)
#define set(member, value)	__atomic_store_n(&state.member, value, __ATOMIC_RELAXED)

/* The file is not there before the module, nor where /sys is not mounted. */
static void read_family(void)
{
	long fd, len, i;
	char buf[8];
	int n = 0;

	fd = syscall(SYS_openat, AT_FDCWD, AF_PARAMETER, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	len = syscall(SYS_read, fd, buf, sizeof(buf));
	syscall(SYS_close, fd);
	for (i = 0; i < len && buf[i] >= '0' && buf[i] <= '9'; i++)
		n = n * 10 + buf[i] - '0';
	if (n)
		set(family, n);
}

/*
 * This is read when the program starts, for later it may have changed its root
 * or given up the right to open files.  A constructor that runs before this one
 * may call socket() already.
 */
__attribute__((constructor))
static void look_up(void)
{
	const char *dgram;
	int err;

	if (!syscall || !__errno_location)
		return;		/* a program without a C library */
	err = errno;
	read_family();
	errno = err;
	dgram = getenv ? getenv("DMM_DGRAM") : NULL;
	set(dgram, dgram && dgram[0] == '1' && !dgram[1]);
	set(ready, true);
}

static bool is_wanted(int family, int type, int protocol)
{
	if (family != AF_INET && family != AF_INET6)
		return false;
	if (!get(ready))
		look_up();
	switch (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) {
	case SOCK_STREAM:
		return !protocol || protocol == IPPROTO_TCP;
	case SOCK_DGRAM:
		return get(dgram) && (!protocol || protocol == IPPROTO_UDP);
	default:
		return false;
	}
}

/* Seconds of a clock that neither stands at 0 nor jumps. */
static long now(void)
{
	struct timespec ts = {};

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec + 1;
}

static bool is_shortage(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

/*
 * A refusal costs a search for a module, so DMM is then left alone until the
 * clock's second has changed: a module that is loaded later is noticed soon.
 * A sandbox that forbids the family may let the protocol pass.
 */
static int dmm_socket(int family, int type)
{
	bool v6 = family == AF_INET6, udp = (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_DGRAM;
	long refused = get(refused[v6][udp]);
	int fd;

	if (refused) {
		if (refused == now())
			return -1;
		read_family();
	}
	fd = syscall(SYS_socket, get(family), type, v6 ? DMM_PROTO_INET6 : DMM_PROTO_INET);
	if (fd < 0 && !udp)
		fd = syscall(SYS_socket, family, type, IPPROTO_DMM);
	if (fd < 0 && !is_shortage(errno))
		set(refused[v6][udp], now());
	else if (refused)
		set(refused[v6][udp], 0);
	return fd;
}

int socket(int family, int type, int protocol)
{
	int err = errno;
	int fd;

	if (is_wanted(family, type, protocol)) {
		fd = dmm_socket(family, type);
		errno = err;
		if (fd >= 0)
			return fd;
	}
	return syscall(SYS_socket, family, type, protocol);
}
