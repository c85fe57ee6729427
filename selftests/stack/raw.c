// SPDX-License-Identifier: GPL-2.0-only
#include "raw.h"

#include "kselftest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/dmm.h>

/* Nothing takes longer, unless it hangs. */
#define DEADLINE_MS	(20000 * ksft_time_scale())

struct dmm_register raw_register(const char *name, size_t arena, unsigned int conns)
{
	struct dmm_register reg = {
		.size = sizeof(reg), .features = DMM_FEATS_ALL, .caps = DMM_CAPS_ALL, .nr_queues = 1, .nr_events = 64,
		.nr_conns = conns, .arena_fd = -1, .arena_len = arena,
	};

	snprintf(reg.name, sizeof(reg.name), "%s", name);
	return reg;
}

static int map_arena(struct raw *r)
{
	r->memfd = memfd_create("arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->memfd < 0 || ftruncate(r->memfd, r->reg.arena_len))
		return -errno;
	r->arena = mmap(NULL, r->reg.arena_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->memfd, 0);
	if (r->arena == MAP_FAILED)
		return -errno;
	r->reg.arena_addr = (uintptr_t)r->arena;
	return 0;
}

int raw_map(struct raw *r)
{
	off_t at = (off_t)r->queue * r->reg.queue_step;
	void *k, *s;

	k = mmap(NULL, r->reg.kernel_len, PROT_READ, MAP_SHARED, r->fd, r->reg.kernel_off + at);
	s = mmap(NULL, r->reg.stack_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, r->reg.stack_off + at);
	if (k == MAP_FAILED || s == MAP_FAILED)
		return -errno;
	r->k = k;
	r->s = s;
	return 0;
}

int raw_other(struct raw *other, const struct raw *r, unsigned int queue)
{
	*other = *r;
	other->queue = queue;
	return raw_map(other);
}

int raw_prepare(struct raw *r, const struct dmm_register *reg)
{
	*r = (struct raw){ .reg = *reg, .memfd = -1 };
	r->fd = open(DMM_DEV_PATH, O_RDWR | O_CLOEXEC);
	return r->fd < 0 ? -errno : map_arena(r);
}

int raw_open(struct raw *r, const struct dmm_register *reg)
{
	int err = raw_prepare(r, reg);

	if (!err && ioctl(r->fd, DMM_IOC_REGISTER, &r->reg))
		err = -errno;
	return err ? err : raw_map(r);
}

void raw_unmap(struct raw *r)
{
	if (r->k)
		munmap((void *)r->k, r->reg.kernel_len);
	if (r->s)
		munmap(r->s, r->reg.stack_len);
}

int raw_close(struct raw *r)
{
	raw_unmap(r);
	if (r->arena)
		munmap(r->arena, r->reg.arena_len);
	close(r->fd);
	return r->memfd;
}

/* What is pinned cannot be sealed. */
bool raw_given_back(int memfd)
{
	long end = raw_now() + DEADLINE_MS;
	int ret;

	while ((ret = fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE)) && raw_now() < end)
		usleep(10000);
	if (ret)
		ksft_note("the arena's memory is still in use");
	close(memfd);
	return !ret;
}

int raw_enter(struct raw *r, int64_t timeout_ns)
{
	struct dmm_enter enter = {
		.queue = r->queue, .flags = timeout_ns ? DMM_ENTER_WAIT : 0, .timeout = timeout_ns,
	};

	return ioctl(r->fd, DMM_IOC_ENTER, &enter) ? -errno : 0;
}

bool raw_quiet(struct raw *r)
{
	return __atomic_load_n(&r->k->down_head, __ATOMIC_ACQUIRE) == r->s->down_tail;
}

bool raw_take(struct raw *r, struct dmm_event *ev)
{
	uint32_t tail = r->s->down_tail;

	if (raw_quiet(r))
		return false;
	*ev = r->k->down[tail % r->reg.nr_events];
	__atomic_store_n(&r->s->down_tail, tail + 1, __ATOMIC_RELEASE);
	return true;
}

bool raw_expect(struct raw *r, unsigned int type, struct dmm_event *ev)
{
	long end = raw_now() + DEADLINE_MS;

	do {
		while (raw_take(r, ev))
			if (ev->type == type)
				return true;
	} while (!raw_enter(r, 100000000) && raw_now() < end);
	ksft_note("no event %u came", type);
	return false;
}

void raw_say(struct raw *r, const struct dmm_event *ev)
{
	uint32_t head = r->s->up_head;

	r->s->up[head % r->reg.nr_events] = *ev;
	__atomic_store_n(&r->s->up_head, head + 1, __ATOMIC_RELEASE);
}

int raw_tell(struct raw *r, const struct dmm_event *ev)
{
	raw_say(r, ev);
	return raw_enter(r, 0);
}

int raw_answer(struct raw *r, const struct dmm_event *asked)
{
	struct dmm_event ev = {
		.type = asked->type == DMM_EV_LISTEN ? DMM_EV_LISTENING : DMM_EV_CONNECTED, .conn = asked->conn,
		.open = asked->open,
	};

	/* 127.0.0.1, in its v4-mapped form */
	if (!ev.open.local[15])
		memcpy(ev.open.local, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
	if (!ev.open.lport)
		ev.open.lport = htons(50000);
	return raw_tell(r, &ev);
}

struct dmm_page *raw_page(struct raw *r, uint32_t nr)
{
	return (void *)(r->arena + (size_t)nr * DMM_PAGE_SIZE);
}

void raw_put(struct raw *r, struct dmm_page *page, const void *data, uint32_t len)
{
	const struct dmm_piece *p = &page->rx.piece[0];
	uint32_t head = page->rx.head, i;

	for (i = 0; i < len; i++)
		r->arena[p->offset + (head + i) % p->size] = ((const uint8_t *)data)[i];
	__atomic_store_n(&page->rx.head, head + len, __ATOMIC_RELEASE);
}

int raw_af(void)
{
	return access(DMM_DEV_PATH, R_OK | W_OK) ? -1 : ksft_read_number("/sys/module/dmm/parameters/af");
}

bool raw_netns(void)
{
	signal(SIGPIPE, SIG_IGN);
	return !unshare(CLONE_NEWNET) && raw_run("ip link set lo up");
}

pid_t raw_start(const char *program, const char *name)
{
	pid_t pid = fork();

	if (!pid) {
		execlp(program, program, "--name", name, NULL);
		_exit(127);
	}
	if (!raw_wait("dmmpolicy stack show | grep -q '^%s@'", name))
		ksft_note("%s does not come", program);
	return pid;
}

void raw_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

bool raw_run(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	return !system(command);
}

bool raw_wait(const char *format, ...)
{
	long end = raw_now() + DEADLINE_MS;
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	while (system(command)) {
		if (raw_now() > end) {
			ksft_note("in vain: %s", command);
			return false;
		}
		usleep(20000);
	}
	return true;
}

bool raw_unused(void)
{
	return raw_wait("grep -qx 0 /sys/module/dmm/refcnt");
}

int raw_socket(int type, unsigned int ms)
{
	struct timeval tv;
	int fd = socket(raw_af(), type, DMM_PROTO_INET);

	ms *= ksft_time_scale();
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	return fd;
}

union raw_address raw_address(const char *text, unsigned int port)
{
	union raw_address a = { .in.sin_port = htons(port) };

	a.sa.sa_family = inet_pton(AF_INET, text, &a.in.sin_addr) == 1 ? AF_INET : AF_INET6;
	if (a.sa.sa_family == AF_INET6)
		inet_pton(AF_INET6, text, &a.in6.sin6_addr);
	return a;
}

int raw_connect(int fd, unsigned int port)
{
	union raw_address to = raw_address("127.0.0.1", port);

	return connect(fd, &to.sa, sizeof(to.in));
}

int raw_bind(int fd, unsigned int port)
{
	union raw_address at = raw_address("127.0.0.1", port);

	return bind(fd, &at.sa, sizeof(at.in));
}

bool raw_serves(int fd, const char *stack)
{
	char name[DMM_NAME_MAX] = "";
	socklen_t len = sizeof(name);

	return !getsockopt(fd, SOL_DMM, DMM_STACK, name, &len) && !strcmp(name, stack);
}

long raw_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void raw_begin(void)
{
	ksft_header();
	if (raw_af() < 0)
		ksft_skip_all("needs root, and dmm.ko loaded");
	if (!raw_netns())
		ksft_skip_all("no network namespace");
}

void raw_finish(const struct raw_test *tests, size_t nr, const char *policy)
{
	size_t i;

	ksft_plan(nr + 1);
	for (i = 0; i < nr; i++) {
		if (policy)
			raw_run("dmmpolicy flush all && dmmpolicy %s", policy);
		errno = 0;
		ksft_result(tests[i].fn(), "%s", tests[i].name);
	}
	ksft_result(raw_unused(), "nothing is left");
	ksft_finish();
}
