// SPDX-License-Identifier: GPL-2.0-only
/*
 * socktest SCENARIO: make sockets under circumstances that a preloaded library may not like, and print what they are.
 *
 * It is compiled against glibc, against musl, and statically. A socket is DMM's if it has the options of SOL_DMM.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/dmm.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ODD_ERRNO 4242		/* must survive a socket() that succeeds */

static bool is_dmm(int fd)
{
	struct dmm_info info;
	socklen_t len = sizeof(info);

	return !getsockopt(fd, SOL_DMM, DMM_INFO, &info, &len);
}

static const char *kind(int fd)
{
	return fd < 0 ? "none" : is_dmm(fd) ? "dmm" : "plain";
}

static __attribute__((noreturn)) void die(const char *what)
{
	perror(what);
	exit(1);
}

/* What a socket is, and whatever socket() could have got wrong. */
static void show(int family, int type, int protocol)
{
	int fd, err, domain = 0, stype = 0;
	socklen_t len = sizeof(int);

	errno = ODD_ERRNO;
	fd = socket(family, type, protocol);
	err = errno;
	printf("%d %#x %d: ", family, type, protocol);
	if (fd < 0) {
		printf("%s\n", strerror(err));
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &stype, &len);
	printf("%s domain %d type %d cloexec %d nonblock %d errno %s\n", kind(fd), domain, stype,
	       fcntl(fd, F_GETFD) & FD_CLOEXEC, !!(fcntl(fd, F_GETFL) & O_NONBLOCK),
	       err == ODD_ERRNO ? "kept" : strerror(err));
	close(fd);
}

/* Small: for an unknown combination the kernel runs modprobe. */
static int table(void)
{
	static const int families[] = { AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, 77, -1 };
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, 99, -1 };
	static const int flags[] = { 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0x100 };
	static const int protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, -1 };

	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (size_t t = 0; t < ARRAY_SIZE(types); t++)
			for (size_t g = 0; g < ARRAY_SIZE(flags); g++)
				for (size_t p = 0; p < ARRAY_SIZE(protocols); p++)
					show(families[f], types[t] | flags[g], protocols[p]);
	return 0;
}

static int kinds(void)
{
	printf("tcp %s\n", kind(socket(AF_INET, SOCK_STREAM, 0)));
	printf("tcp6 %s\n", kind(socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP)));
	printf("udp %s\n", kind(socket(AF_INET, SOCK_DGRAM, 0)));
	printf("udp6 %s\n", kind(socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)));
	printf("mptcp %s\n", is_dmm(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP)) ? "dmm" : "not dmm");
	return 0;
}

static int one(void)
{
	printf("%s\n", kind(socket(AF_INET, SOCK_STREAM, 0)));
	return 0;
}

/* Before any constructor, the library's included; musl has no such array. */
static const char *early_kind = "none";

static void early_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	early_kind = kind(fd);
	close(fd);
}
#ifdef __GLIBC__
__attribute__((section(".preinit_array"), used)) static void (*early)(void) = early_socket;
#else
__attribute__((constructor)) static void early(void) { early_socket(); }
#endif

static int before_constructors(void)
{
	printf("%s\n", early_kind);
	return 0;
}

/* The answer err to socket() with this family, or with this protocol when that is not 0. */
static void forbid(int family, int protocol, int err)
{
	size_t arg = protocol ? offsetof(struct seccomp_data, args[2]) : offsetof(struct seccomp_data, args[0]);
	unsigned int value = protocol ? protocol : family;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		die("seccomp");
}

static int sandbox(void)
{
	forbid(AF_DMM, 0, EPERM);
	printf("family forbidden: %s\n", kind(socket(AF_INET, SOCK_STREAM, 0)));
	show(AF_INET, SOCK_DGRAM, 0);
	printf("after that: %s\n", kind(socket(AF_INET, SOCK_STREAM, 0)));
	forbid(0, IPPROTO_DMM, EACCES);
	printf("protocol too: %s\n", kind(socket(AF_INET, SOCK_STREAM, 0)));
	forbid(AF_INET, 0, EPERM);
	show(AF_INET, SOCK_STREAM, 0);
	return 0;
}

/* Shortage is no reason to do without DMM afterwards. */
static int shortage(void)
{
	struct rlimit all, few;

	getrlimit(RLIMIT_NOFILE, &all);
	few = all;
	few.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &few);
	show(AF_INET, SOCK_STREAM, 0);
	show(AF_INET6, SOCK_STREAM, 0);
	setrlimit(RLIMIT_NOFILE, &all);
	printf("afterwards: %s\n", kind(socket(AF_INET, SOCK_STREAM, 0)));
	return 0;
}

/* Any directory without /sys below it. */
static int in_chroot(void)
{
	if (chroot("/usr") || chdir("/"))
		die("chroot");
	printf("%s\n", kind(socket(AF_INET, SOCK_STREAM, 0)));
	return 0;
}

enum { THREADS = 8, ROUNDS = 500 };
static pthread_barrier_t start;
static int strangers;		/* sockets of the other kind than the first */
static bool expect_dmm;

static void make_many(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		int fd;

		errno = ODD_ERRNO;
		fd = socket(i & 1 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
		if (fd < 0 || errno != ODD_ERRNO || is_dmm(fd) != expect_dmm)
			__atomic_add_fetch(&strangers, 1, __ATOMIC_RELAXED);
		close(fd);
	}
}

static void *thread(void *arg)
{
	pthread_barrier_wait(&start);
	make_many(ROUNDS);
	return arg;
}

static int threads(void)
{
	pthread_t id[THREADS];

	expect_dmm = is_dmm(socket(AF_INET, SOCK_STREAM, 0));
	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&id[i], NULL, thread, NULL))
			die("pthread_create");
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	printf("%s, %d of another kind\n", expect_dmm ? "dmm" : "plain", strangers);
	return 0;
}

static volatile sig_atomic_t signals;

static void handler(int sig)
{
	int err = errno;

	(void)sig;
	make_many(1);
	signals++;
	errno = err;
}

static int in_handler(void)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = {};
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };

	expect_dmm = is_dmm(socket(AF_INET, SOCK_STREAM, 0));
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (signals < 200)
		make_many(10);
	setitimer(ITIMER_REAL, &never, NULL);
	printf("%s, %d of another kind\n", expect_dmm ? "dmm" : "plain", strangers);
	return 0;
}

/* A child says by its exit status what its socket was. */
static void report(const char *what, pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die(what);
	printf("%s %s\n", what, status ? "plain" : "dmm");
}

static int children(void)
{
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(!is_dmm(socket(AF_INET, SOCK_STREAM, 0)));
	report("fork", pid);
	pid = vfork();
	if (!pid)
		_exit(!is_dmm(socket(AF_INET, SOCK_STREAM, 0)));
	report("vfork", pid);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "socktest", "status", NULL);
		_exit(2);
	}
	report("exec", pid);
	return 0;
}

static int status(void)
{
	return !is_dmm(socket(AF_INET, SOCK_STREAM, 0));
}

/* Says what it gets each time it is asked, by a line on its input. */
static int ask(void)
{
	char line[80];

	while (fgets(line, sizeof(line), stdin)) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		printf("%s\n", kind(fd));
		fflush(stdout);
		close(fd);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} scenarios[] = {
	{ "table", table },
	{ "kinds", kinds },
	{ "one", one },
	{ "before-constructors", before_constructors },
	{ "sandbox", sandbox },
	{ "shortage", shortage },
	{ "chroot", in_chroot },
	{ "threads", threads },
	{ "handler", in_handler },
	{ "children", children },
	{ "status", status },
	{ "ask", ask },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(scenarios); i++)
		if (!strcmp(argv[1], scenarios[i].name))
			return scenarios[i].run();
	fprintf(stderr, "usage: socktest SCENARIO\n");
	return 2;
}
