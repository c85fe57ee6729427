// SPDX-License-Identifier: GPL-2.0-only
/*
 * dev_refuse: what /dev/dmm refuses. Each argument that <linux/dmm_dev.h> does not allow, of each call, in each wrong
 * state and from each wrong caller, has the error that is said there, and leaves nothing behind.
 */
#include "kselftest.h"
#include "raw.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARENA	(64u << 10)
#define PORT	7000

/* Addresses that nobody may use. */
#define NOWHERE	((void *)8)
#define KERNELS	((void *)0xffff888000000000ull)

static uint8_t *arena, *readonly;

static bool is(int err, int want, const char *what)
{
	if (err != -want)
		ksft_note("%s: %s instead of %s", what, strerror(-err), strerror(want));
	return err == -want;
}

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

static int open_device(void)
{
	return open(DMM_DEV_PATH, O_RDWR | O_CLOEXEC);
}

static struct dmm_register good(void)
{
	struct dmm_register reg = raw_register("r", ARENA, 8);

	reg.arena_addr = (uintptr_t)arena;
	return reg;
}

/* On a file of its own. */
static int try_register(struct dmm_register *reg)
{
	int fd = open_device(), err = result(ioctl(fd, DMM_IOC_REGISTER, reg));

	close(fd);
	return err;
}

/* A number in struct dmm_register, and what it leads to. */
#define FIELD(f, v, e)	{ #f " " #v, offsetof(struct dmm_register, f), sizeof_field(f), (v), (e) }
#define sizeof_field(f)	sizeof(((struct dmm_register *)0)->f)

static const struct {
	const char *name;
	size_t at, size;
	uint64_t value;
	int err;
} numbers[] = {
	FIELD(size, 0, EINVAL), FIELD(size, 4, EINVAL), FIELD(size, sizeof(struct dmm_register) - 1, EINVAL),
	FIELD(size, 4097, E2BIG), FIELD(size, UINT_MAX, E2BIG),
	FIELD(flags, 1, EINVAL), FIELD(flags, 1u << 31, EINVAL), FIELD(reserved, 1, EINVAL),
	FIELD(features, ULLONG_MAX, 0), FIELD(features, 0, 0),
	FIELD(required, 1ull << 2, EOPNOTSUPP), FIELD(required, 1ull << 63, EOPNOTSUPP), FIELD(required, 3, 0),
	FIELD(caps, 0, EINVAL), FIELD(caps, 1u << 5, EINVAL), FIELD(caps, UINT_MAX, EINVAL),
	FIELD(weight, 0, 0), FIELD(weight, 1000, 0), FIELD(weight, 1001, EINVAL), FIELD(weight, UINT_MAX, EINVAL),
	FIELD(nr_queues, 0, EINVAL), FIELD(nr_queues, 64, 0), FIELD(nr_queues, 65, EINVAL), FIELD(nr_queues, UINT_MAX, EINVAL),
	FIELD(nr_events, 0, EINVAL), FIELD(nr_events, 32, EINVAL), FIELD(nr_events, 65, EINVAL), FIELD(nr_events, 128, 0),
	FIELD(nr_events, 131072, EINVAL), FIELD(nr_events, 1u << 31, EINVAL),
	FIELD(nr_conns, 0, 0), FIELD(nr_conns, DMM_CONNS_MAX, 0), FIELD(nr_conns, DMM_CONNS_MAX + 1, EINVAL),
	FIELD(nr_conns, UINT_MAX, EINVAL),
	FIELD(sndbuf, 0, 0), FIELD(sndbuf, 2048, EINVAL), FIELD(sndbuf, 4096, 0), FIELD(sndbuf, 4097, EINVAL),
	FIELD(sndbuf, DMM_RING_MAX, 0), FIELD(sndbuf, 2 * DMM_RING_MAX, EINVAL),
	FIELD(rcvbuf, 1, EINVAL), FIELD(rcvbuf, 3 << 12, EINVAL), FIELD(rcvbuf, 1u << 31, EINVAL),
	FIELD(arena_len, 0, EINVAL), FIELD(arena_len, 4096, EINVAL), FIELD(arena_len, ARENA - 1, EINVAL),
	FIELD(arena_len, 1, EINVAL), FIELD(arena_len, DMM_ARENA_MAX + 4096, EINVAL), FIELD(arena_len, ULLONG_MAX, EINVAL),
	FIELD(arena_len, -4096ull, EINVAL),
	FIELD(arena_len, ARENA + 4096, EFAULT), FIELD(arena_len, 8192, 0),
	FIELD(arena_addr, 0, EFAULT), FIELD(arena_addr, 4096, EFAULT), FIELD(arena_addr, -4096ull, EFAULT),
	FIELD(arena_addr, 1, EINVAL), FIELD(arena_addr, (uintptr_t)KERNELS, EFAULT), FIELD(arena_addr, -4097ull, EINVAL),
	FIELD(arena_fd, -2, EINVAL), FIELD(arena_fd, INT_MIN, EINVAL), FIELD(arena_fd, 1000, EBADF),
	FIELD(arena_fd, INT_MAX, EBADF),
};

static bool test_numbers(void)
{
	struct dmm_register reg;
	bool ok = true;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		reg = good();
		memcpy((char *)&reg + numbers[i].at, &numbers[i].value, numbers[i].size);
		ok &= is(try_register(&reg), numbers[i].err, numbers[i].name);
	}
	return ok;
}

static const struct {
	const char *name, *instance;
	int err;
} names[] = {
	{ "", "", EINVAL }, { "kernel", "", EINVAL }, { "a@b", "", EINVAL }, { "a", "b@c", EINVAL }, { "a b", "", EINVAL },
	{ "a", "b c", EINVAL }, { "a\n", "", EINVAL }, { "a,b", "", EINVAL }, { "a", "7", 0 },
	{ "abcdefghijklmnopqrstuvwxyzabcdef", "", EINVAL }, { "a", "abcdefghijklmnopqrstuvwxyzabcdef", EINVAL },
	{ "abcdefghijklmnopqrst", "abcdefghijklmno", EINVAL },
};

static bool test_names(void)
{
	struct dmm_register reg;
	bool ok = true;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		reg = good();
		memset(reg.name, 0, sizeof(reg.name));
		memcpy(reg.name, names[i].name, strlen(names[i].name));
		memcpy(reg.instance, names[i].instance, strlen(names[i].instance));
		ok &= is(try_register(&reg), names[i].err, names[i].name);
	}
	/* Not terminated, with what follows in the struct as its end. */
	reg = good();
	memset(reg.name, 'a', sizeof(reg.name));
	ok &= is(try_register(&reg), EINVAL, "a name without end");
	reg = good();
	memset(reg.instance, 'a', sizeof(reg.instance));
	return is(try_register(&reg), EINVAL, "an instance without end") && ok;
}

/* A longer struct, of a newer program. */
static bool test_longer(void)
{
	struct {
		struct dmm_register reg;
		uint8_t more[64];
	} longer = { .reg = good() };
	bool ok;

	longer.reg.size = sizeof(longer);
	ok = is(try_register(&longer.reg), 0, "a longer struct");
	longer.reg = good();
	longer.reg.size = sizeof(longer);
	longer.more[63] = 1;
	ok &= is(try_register(&longer.reg), E2BIG, "a longer struct with something in it");
	longer.reg = good();
	longer.reg.required = 1ull << 40;
	return is(try_register(&longer.reg), EOPNOTSUPP, "a feature that is not there") &&
	       longer.reg.features == DMM_FEATS_ALL && ok;
}

/* Where structs are: not there, the kernel's, and one that cannot be written. */
static bool test_pointers(void)
{
	static const unsigned long calls[] = { DMM_IOC_REGISTER, DMM_IOC_ENTER, DMM_IOC_ADDRESS, DMM_IOC_TAKEOVER };
	struct dmm_register reg = good();
	int fd = open_device(), free_fd;
	bool ok = true;
	size_t i;

	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, NULL)), EFAULT, "register at NULL");
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, KERNELS)), EFAULT, "register with the kernel's memory");
	memcpy(arena, &reg, sizeof(reg));
	mprotect(readonly, 4096, PROT_READ | PROT_WRITE);
	memcpy(readonly, &reg, sizeof(reg));
	mprotect(readonly, 4096, PROT_READ);
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, readonly)), EFAULT, "register in memory that is read-only");
	/* The rest of it in the page that follows, which is not there. */
	mprotect(readonly, 8192, PROT_READ | PROT_WRITE);
	memcpy(readonly + 8192 - 64, &reg, 64);
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, readonly + 8192 - 64)), EFAULT, "register at the end of memory");
	mprotect(readonly, 8192, PROT_READ);
	/* An arena that may not be written. */
	reg.arena_addr = (uintptr_t)readonly;
	reg.arena_len = 8192;
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), EFAULT, "an arena that is read-only");
	reg = good();
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), 0, "register after that");
	free_fd = dup(0);
	close(free_fd);
	for (i = 1; i < sizeof(calls) / sizeof(*calls); i++) {
		ok &= is(result(ioctl(fd, calls[i], NULL)), EFAULT, "NULL");
		ok &= is(result(ioctl(fd, calls[i], NOWHERE)), EFAULT, "nowhere");
		ok &= is(result(ioctl(fd, calls[i], KERNELS)), EFAULT, "the kernel's memory");
	}
	ok &= is(result(ioctl(fd, DMM_IOC_TAKEOVER, readonly)), EFAULT, "takeover into memory that is read-only");
	i = dup(0);
	close(i);
	close(fd);
	return ok && (int)i == free_fd;
}

static bool test_files(void)
{
	struct dmm_register reg = good();
	int fd = open_device(), other = open_device(), pipes[2], sock = socket(AF_UNIX, SOCK_STREAM, 0);
	int path = open("/dev/null", O_PATH | O_CLOEXEC);
	bool ok = true;

	reg.arena_fd = fd;
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), EINVAL, "the device itself as the arena's file");
	reg.arena_fd = other;
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), EINVAL, "another one");
	reg.arena_fd = pipe(pipes) ? -2 : pipes[0];
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), EINVAL, "a pipe");
	reg.arena_fd = sock;
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), EINVAL, "a socket");
	reg.arena_fd = path;
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), EBADF, "a path");
	close(fd);
	close(other);
	close(pipes[0]);
	close(pipes[1]);
	close(sock);
	close(path);
	return ok;
}

static bool test_states(void)
{
	struct dmm_register reg = good(), again = good();
	struct dmm_takeover takeover;
	struct dmm_address address = { .family = AF_INET, .len = 32, .addr = { 10, 0, 0, 1 } };
	struct dmm_enter enter = { 0 };
	int fd = open_device(), other = open_device();
	struct pollfd p = { fd, POLLIN, 0 };
	bool ok = true;

	ok &= is(result(ioctl(fd, DMM_IOC_ENTER, &enter)), ENXIO, "enter before register");
	ok &= is(result(ioctl(fd, DMM_IOC_ADDRESS, &address)), ENXIO, "address before register");
	ok &= is(result(ioctl(fd, DMM_IOC_TAKEOVER, &takeover)), ENXIO, "takeover before register");
	ok &= is(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -errno : 0, ENXIO, "mmap before register");
	ok &= poll(&p, 1, 0) == 1 && p.revents == POLLERR;
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), 0, "register") && !strcmp(reg.instance, "0");
	ok &= poll(&p, 1, 0) == 0;
	ok &= is(result(ioctl(fd, DMM_IOC_REGISTER, &again)), EBUSY, "register again");
	strcpy(again.instance, "0");
	ok &= is(result(ioctl(other, DMM_IOC_REGISTER, &again)), EEXIST, "a name that is taken");
	again = good();
	ok &= is(result(ioctl(other, DMM_IOC_REGISTER, &again)), 0, "a second one") && !strcmp(again.instance, "1");
	ok &= is(result(ioctl(fd, 0x4444, &reg)), ENOTTY, "an ioctl that is not there");
	ok &= is(result(ioctl(fd, _IOWR('D', 0x40, int), &reg)), ENOTTY, "a struct of another size");
	enter.queue = 1;
	ok &= is(result(ioctl(fd, DMM_IOC_ENTER, &enter)), EINVAL, "a queue that is not there");
	enter.queue = UINT_MAX;
	ok &= is(result(ioctl(fd, DMM_IOC_ENTER, &enter)), EINVAL, "queue -1");
	enter = (struct dmm_enter){ .flags = 2 };
	ok &= is(result(ioctl(fd, DMM_IOC_ENTER, &enter)), EINVAL, "a flag that is not there");
	enter = (struct dmm_enter){ .flags = DMM_ENTER_WAIT, .timeout = 1000000 };
	ok &= is(result(ioctl(fd, DMM_IOC_ENTER, &enter)), 0, "a wait that ends");
	close(fd);
	close(other);
	return ok;
}

static bool test_addresses(void)
{
	static const struct {
		struct dmm_address a;
		int err;
	} cases[] = {
		{ { .family = AF_INET, .len = 33 }, EINVAL }, { { .family = AF_INET6, .len = 129 }, EINVAL },
		{ { .family = AF_UNIX }, EINVAL }, { { .family = AF_INET, .len = 8, .addr = { 10, 1 } }, EINVAL },
		{ { .family = AF_INET, .len = 32, .addr = { [4] = 1 } }, EINVAL },
		{ { .family = AF_INET, .flags = 2 }, EINVAL }, { { .family = AF_INET, .pad = 1 }, EINVAL },
		{ { .family = AF_INET, .len = 8, .addr = { 10 } }, 0 }, { { .family = AF_INET, .len = 8, .addr = { 10 } }, EEXIST },
		{ { .family = AF_INET, .len = 9, .addr = { 10 }, .flags = DMM_ADDRESS_DEL }, ENOENT },
		{ { .family = AF_INET, .len = 8, .addr = { 10 }, .flags = DMM_ADDRESS_DEL }, 0 },
		{ { .family = AF_INET6, .len = 128, .addr = { [15] = 1 } }, 0 },
		{ { .family = AF_INET6, .len = 128, .addr = { [15] = 1 }, .flags = DMM_ADDRESS_DEL }, 0 },
	};
	struct dmm_address a = { .family = AF_INET, .len = 32, .addr = { 10 } };
	struct dmm_register reg = good();
	int fd = open_device();
	bool ok = is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), 0, "register");
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ok &= is(result(ioctl(fd, DMM_IOC_ADDRESS, &cases[i].a)), cases[i].err, "an address");
	for (i = 0; i < DMM_ADDRESSES_MAX; i++) {
		a.addr[3] = i;
		ok &= is(result(ioctl(fd, DMM_IOC_ADDRESS, &a)), 0, "many addresses");
	}
	a.addr[2] = 1;
	ok &= is(result(ioctl(fd, DMM_IOC_ADDRESS, &a)), ENOSPC, "too many addresses");
	close(fd);
	return ok;
}

/* Run in a child, which may change who it is. */
static bool in_child(bool (*fn)(void))
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(fn() ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && !status;
}

static int device;

static int register_there(void)
{
	struct dmm_register reg = good();

	return result(ioctl(device, DMM_IOC_REGISTER, &reg));
}

static bool nobody(void)
{
	return !setresuid(65534, 65534, 65534) && is(register_there(), EPERM, "without CAP_NET_ADMIN");
}

static bool root_elsewhere(void)
{
	return !unshare(CLONE_NEWUSER) && is(register_there(), EPERM, "in a user namespace that does not own the network");
}

static bool root_of_it(void)
{
	return !unshare(CLONE_NEWUSER | CLONE_NEWNET) && is(register_there(), 0, "in a user namespace that does");
}

static bool limited(void)
{
	return !unshare(CLONE_NEWUSER | CLONE_NEWNET) &&
	       !setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ ARENA - 4096, ARENA - 4096 }) &&
	       is(register_there(), ENOMEM, "beyond RLIMIT_MEMLOCK");
}

static bool test_callers(void)
{
	static bool (*const callers[])(void) = { nobody, root_elsewhere, limited, root_of_it };
	bool ok = true;
	size_t i;

	for (i = 0; i < sizeof(callers) / sizeof(*callers); i++) {
		device = open_device();
		ok &= in_child(callers[i]);
		close(device);
	}
	return ok;
}

/* Another process than that which registered: until it takes over, and then the other way round. */
static bool stranger(void)
{
	struct dmm_enter enter = { 0 };
	struct dmm_takeover t = { 0 };
	bool ok = is(result(ioctl(device, DMM_IOC_ENTER, &enter)), ESTALE, "enter from another process");

	ok &= is(result(ioctl(device, DMM_IOC_TAKEOVER, &t)), 0, "takeover") && t.generation == 1 &&
	      !strcmp(t.reg.name, "r") && t.reg.nr_conns == 8 && !t.reg.arena_addr && t.reg.arena_fd == -1;
	return is(result(ioctl(device, DMM_IOC_ENTER, &enter)), 0, "enter after takeover") && ok;
}

static bool test_takeover(void)
{
	struct dmm_enter enter = { 0 };
	bool ok;

	device = open_device();
	ok = is(register_there(), 0, "register") && in_child(stranger) &&
	     is(result(ioctl(device, DMM_IOC_ENTER, &enter)), ESTALE, "enter after somebody's takeover");
	close(device);
	return ok;
}

/* The arena's file comes back, with what is in it, and the instance that makes no sense is dead. */
static bool test_broken(void)
{
	struct dmm_register reg = raw_register("b", ARENA, 8);
	struct dmm_takeover t;
	struct raw r;
	struct pollfd p;
	bool ok = !raw_open(&r, &reg);

	if (!ok)
		return false;
	p = (struct pollfd){ r.fd, POLLIN, 0 };
	r.s->up_head = reg.nr_events + 1;
	ok &= is(raw_enter(&r, 0), EIO, "an up_head beyond the ring");
	r.s->up_head = 0;
	ok &= is(raw_enter(&r, -1), EIO, "enter of one that is dead");
	ok &= is(result(ioctl(r.fd, DMM_IOC_TAKEOVER, &t)), EIO, "takeover of one that is dead");
	ok &= poll(&p, 1, 0) == 1 && p.revents & POLLERR;
	close(raw_close(&r));
	return ok;
}

static bool maps(int fd, size_t len, off_t at, int prot, int flags, int err)
{
	void *m = mmap(NULL, len, prot, flags, fd, at);
	int got = m == MAP_FAILED ? -errno : 0;

	if (m != MAP_FAILED)
		munmap(m, len);
	if (got != -err)
		ksft_note("mmap of %zu at %#llx, prot %d: %s instead of %s", len, (long long)at, prot, strerror(-got), strerror(err));
	return got == -err;
}

/* All offsets and lengths there can be, and some that cannot. */
static bool test_mmap(void)
{
	struct dmm_register reg = good();
	size_t at, len, end, rest;
	int fd = open_device();
	bool ok = true, there;

	reg.nr_queues = 2;
	if (!is(result(ioctl(fd, DMM_IOC_REGISTER, &reg)), 0, "register"))
		return false;
	end = 2 * reg.queue_step;
	for (at = 0; at <= end + 4096; at += 4096) {
		rest = at % reg.queue_step;
		for (len = 4096; len <= end + 4096; len += 4096) {
			there = at < end && ((rest == reg.kernel_off && len == reg.kernel_len) ||
					     (rest == reg.stack_off && len == reg.stack_len));
			ok &= maps(fd, len, at, PROT_READ, MAP_SHARED, there ? 0 : EINVAL);
		}
	}
	ok &= maps(fd, reg.kernel_len, 1ll << 44, PROT_READ, MAP_SHARED, EINVAL);
	ok &= maps(fd, reg.kernel_len, 0, PROT_READ, MAP_PRIVATE, EINVAL);
	ok &= maps(fd, reg.stack_len, reg.stack_off, PROT_READ | PROT_WRITE, MAP_PRIVATE, EINVAL);
	ok &= maps(fd, reg.kernel_len, 0, PROT_READ | PROT_WRITE, MAP_SHARED, EPERM);
	ok &= maps(fd, reg.kernel_len, 0, PROT_WRITE, MAP_SHARED, EPERM);
	ok &= maps(fd, reg.kernel_len, 0, PROT_READ | PROT_EXEC, MAP_SHARED, EPERM);
	ok &= maps(fd, reg.kernel_len, 0, PROT_NONE, MAP_SHARED, 0);
	ok &= maps(fd, reg.stack_len, reg.stack_off, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	close(fd);
	return ok;
}

static bool is_zero(const volatile void *mem, size_t len)
{
	const volatile uint8_t *p = mem;

	while (len--)
		if (*p++)
			return false;
	return true;
}

/* A child that touches memory has to die by this signal. */
static bool touch_ends(volatile uint8_t *mem, int want)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		signal(want, SIG_DFL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		mem[0]++;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == want;
}

/* What has been mapped can be moved and made smaller, and nothing else. */
static bool test_remap(void)
{
	struct dmm_register reg = raw_register("m", ARENA, 8);
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	bool ok = true;
	struct raw r;
	void *m;

	reg.nr_events = 256;
	if (raw_open(&r, &reg))
		return false;
	ok &= is_zero(r.k, r.reg.kernel_len) && is_zero(r.s, r.reg.stack_len);
	ok &= is(result(mprotect((void *)r.k, 4096, PROT_READ | PROT_WRITE)), EACCES, "mprotect for writing");
	ok &= is(result(mprotect((void *)r.k, 4096, PROT_READ | PROT_EXEC)), EACCES, "mprotect for running");
	if (pwrite(mem, "x", 1, (uintptr_t)r.k) != -1)
		ok = is(0, EIO, "/proc/self/mem");
	ok &= is_zero(r.k, r.reg.kernel_len);
	/* A child does not inherit them. */
	ok &= touch_ends((uint8_t *)r.s, SIGSEGV);
	m = mremap((void *)r.k, r.reg.kernel_len, r.reg.kernel_len + 4096, MREMAP_MAYMOVE);
	ok &= is(m == MAP_FAILED ? -errno : 0, EFAULT, "mremap to more");
	m = mremap((void *)r.k, 0, r.reg.kernel_len, MREMAP_MAYMOVE);
	ok &= m == MAP_FAILED;
	r.s->polls = 0x12345;
	m = mremap(r.s, r.reg.stack_len, r.reg.stack_len, MREMAP_MAYMOVE | MREMAP_FIXED, arena);
	ok &= m == arena && ((struct dmm_stack_area *)arena)->polls == 0x12345;
	m = mremap(arena, r.reg.stack_len, 4096, 0);
	ok &= m == arena && ((struct dmm_stack_area *)arena)->polls == 0x12345;
	ok &= is(raw_enter(&r, 0), 0, "enter after that");
	r.s = NULL;
	close(raw_close(&r));
	close(mem);
	arena = mmap(arena, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return ok;
}

static bool test_dontneed(void)
{
	struct dmm_register reg = raw_register("d", ARENA, 8);
	bool ok = true;
	struct raw r;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		if (raw_open(&r, &reg) || madvise(r.s, r.reg.stack_len, MADV_DONTNEED))
			_exit(1);
		r.s->polls = 1;
		_exit(2);
	}
	waitpid(pid, &status, 0);
	ok &= WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
	return ok;
}

/* The memory of a daemon goes while sockets use it: the kernel's does not. */
static bool test_munmap(void)
{
	struct dmm_register reg = raw_register("u", ARENA, 8);
	struct dmm_event ev, ask;
	char buf[4096] = "";
	bool ok = true;
	struct raw r;
	int fd = raw_socket(SOCK_STREAM, 2000), i;

	if (raw_open(&r, &reg))
		return false;
	raw_run("dmmpolicy rule add prio 5 connect tcp dport %u stack u strict", PORT);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	ok &= raw_connect(fd, PORT) && errno == EINPROGRESS && raw_expect(&r, DMM_EV_CONNECT, &ask) && !raw_answer(&r, &ask);
	munmap(r.arena, ARENA);
	r.arena = NULL;
	ok &= !ftruncate(r.memfd, 0);
	ok &= raw_serves(fd, "u") && send(fd, buf, 512, 0) == 512;
	munmap(r.s, r.reg.stack_len);
	munmap((void *)r.k, r.reg.kernel_len);
	for (i = 0; i < 100; i++)
		send(fd, buf, sizeof(buf), MSG_DONTWAIT);
	ok &= recv(fd, buf, sizeof(buf), 0) == -1 && errno == EAGAIN;
	r.k = NULL;
	r.s = NULL;
	ok &= !raw_map(&r) && r.k->down_head == r.s->down_tail;
	ev = (struct dmm_event){ .type = DMM_EV_ERROR, .conn = ask.conn, .value = -EHOSTDOWN };
	ok &= !raw_tell(&r, &ev) && recv(fd, buf, sizeof(buf), 0) == -1 && errno == EHOSTDOWN;
	close(raw_close(&r));
	close(fd);
	raw_run("dmmpolicy flush all");
	return ok;
}

static void nothing(int sig)
{
	(void)sig;
}

struct waiter {
	struct raw *r;
	int err;
	bool done;
};

static void *wait_for_events(void *arg)
{
	struct waiter *w = arg;

	w->err = raw_enter(w->r, -1);
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool sleeps_in_ioctl(void)
{
	return raw_wait("grep -q '^%d ' /proc/%d/task/*/syscall", SYS_ioctl, getpid());
}

/* One thread closes the file in which another waits: that one goes on until something ends it, and then all is gone. */
static bool test_close(void)
{
	struct dmm_register reg = raw_register("c", ARENA, 8);
	struct sigaction sa = { .sa_handler = nothing };
	struct waiter w;
	pthread_t thread;
	bool ok = true;
	struct raw r;

	if (raw_open(&r, &reg))
		return false;
	sigaction(SIGUSR1, &sa, NULL);
	w = (struct waiter){ .r = &r };
	pthread_create(&thread, NULL, wait_for_events, &w);
	ok &= sleeps_in_ioctl();
	munmap((void *)r.k, r.reg.kernel_len);
	munmap(r.s, r.reg.stack_len);
	close(r.fd);
	while (!__atomic_load_n(&w.done, __ATOMIC_ACQUIRE)) {
		pthread_kill(thread, SIGUSR1);
		usleep(1000);
	}
	pthread_join(thread, NULL);
	ok &= is(w.err, EINTR, "enter of a file that was closed");
	munmap(r.arena, ARENA);
	close(r.memfd);
	return ok && raw_wait("! dmmpolicy stack show | grep -q '^c@'");
}

static const struct raw_test tests[] = {
	{ "register: numbers that are out of range", test_numbers },
	{ "register: names", test_names },
	{ "register: a longer struct, features", test_longer },
	{ "register: files that are not the arena's", test_files },
	{ "memory that is not there, or read-only", test_pointers },
	{ "what comes too early, or twice", test_states },
	{ "addresses", test_addresses },
	{ "callers that may not, and one that may", test_callers },
	{ "another process, and its takeover", test_takeover },
	{ "an instance whose rings make no sense", test_broken },
	{ "mmap: all offsets, lengths and protections", test_mmap },
	{ "mmap: remap, protect, fork", test_remap },
	{ "mmap: pages that were given back", test_dontneed },
	{ "munmap while a socket uses it", test_munmap },
	{ "close while another thread waits", test_close },
};

int main(void)
{
	raw_begin();
	/* With a page behind each that is not there. */
	arena = mmap(NULL, ARENA + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(arena + ARENA, 4096, PROT_NONE);
	readonly = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(readonly + 2 * 4096, 4096, PROT_NONE);
	raw_finish(tests, sizeof(tests) / sizeof(*tests), NULL);
}
