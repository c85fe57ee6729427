// SPDX-License-Identifier: GPL-2.0-only
/* The descriptor: duplicated, inherited, passed on, and as a file. */
#include "parity.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static void duplicates(void)
{
	int c = client(SOCK_STREAM), l = listener(), d, s;

	d = TRY(dup(c));
	dial(d, l);
	s = take(l);
	echo(c, s);
	close(c);
	echo(d, s);
	TRY(dup2(d, 100));
	TRY(dup3(d, 101, O_CLOEXEC));
	TRY(fcntl(d, F_DUPFD, 200));
	close(d);
	echo(200, s);
	/* The file's flags are shared, the descriptor's are not. */
	MUST(fcntl(200, F_SETFL, O_NONBLOCK));
	see("flags %x %x", fcntl(100, F_GETFL), fcntl(101, F_GETFL));
	see("descriptor flags %x %x", fcntl(100, F_GETFD), fcntl(101, F_GETFD));
	MUST(close_range(100, 200, 0));
	wait_for(s, POLLIN);
	TRY(recv(s, (char[1]){ }, 1, 0));

	/* An accept on a duplicate of a listener whose first descriptor is gone. */
	d = MUST(dup(l));
	close(l);
	c = client(SOCK_STREAM);
	dial(c, d);
	echo(c, take(d));
}

/* dup2() over an undecided socket closes it. */
static void replaced(void)
{
	int c = client(SOCK_STREAM), l = listener(), other;

	bound(c, 0);
	TRY(dup2(client(SOCK_STREAM), c));
	see_name("replaced", c);
	dial(c, l);
	echo(c, take(l));
	other = client(SOCK_STREAM);
	TRY(dup2(c, other));
	see_poll("replaced", other);
}

static void reap(int pid)
{
	int status;

	MUST(waitpid(pid, &status, 0));
	if (status)
		see("child: %x", status);
}

/* The child connects, the parent uses the connection; and the other way round. */
static void forked(void)
{
	int c = client(SOCK_STREAM), l = listener(), pid, s;

	pid = MUST(fork());
	if (!pid) {
		dial(c, l);
		_exit(0);
	}
	reap(pid);
	s = take(l);
	echo(c, s);
	pid = MUST(fork());
	if (!pid) {
		close(l);
		echo(s, c);
		_exit(0);
	}
	reap(pid);
	see_poll("after the child", c);

	/* The parent's descriptors are gone before the child uses its own. */
	c = client(SOCK_STREAM);
	pid = MUST(fork());
	if (!pid) {
		dial(c, l);
		echo(c, take(l));
		_exit(0);
	}
	close(c);
	close(l);
	reap(pid);
}

static int exec_child(const char *role, int fd, const union addr *a)
{
	char arg[3][32];

	snprintf(arg[0], 32, "%d", fd);
	snprintf(arg[1], 32, "%d", run.family);
	snprintf(arg[2], 32, "%d", port_of(a));
	return execl("/proc/self/exe", "parity", EXEC_HELPER, role, arg[0], arg[1], arg[2], NULL);
}

/* A program that gets a socket from the one that started it. */
int exec_helper(char **argv)
{
	static struct trace own;
	int fd = atoi(argv[1]), s;
	union addr a;

	trace = &own;
	run.family = atoi(argv[2]);
	a = loopback(atoi(argv[3]));
	if (!strcmp(argv[0], "connect")) {
		if (connect(fd, &a.sa, addr_len()))
			return 1;
		put(fd, "hello from a client");
	} else {
		wait_for(fd, POLLIN);
		s = MUST(accept(fd, NULL, NULL));
		put(s, "hello from a server");
	}
	return 0;
}

static void executed(void)
{
	int c = client(SOCK_STREAM), l = listener(), kept = client(SOCK_STREAM | SOCK_CLOEXEC), pid;
	union addr a = local_addr(l);

	pid = MUST(fork());
	if (!pid)
		_exit(exec_child("connect", c, &a));
	reap(pid);
	get(take(l), 19);
	pid = MUST(fork());
	if (!pid)
		_exit(exec_child("accept", l, &a));
	c = client(SOCK_STREAM);
	dial(c, l);
	get(c, 19);
	reap(pid);
	pid = MUST(fork());
	if (!pid) {
		freopen("/dev/null", "w", stderr);
		_exit(exec_child("connect", kept, &a));
	}
	reap(pid);
	dial(kept, l);
	echo(kept, take(l));
}

static void send_fd(int via, int fd)
{
	union {
		struct cmsghdr hdr;
		char buf[CMSG_SPACE(sizeof(int))];
	} c = { .hdr = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { "", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = sizeof(c) };

	memcpy(CMSG_DATA(&c.hdr), &fd, sizeof(fd));
	MUST(sendmsg(via, &m, 0));
}

static int recv_fd(int via)
{
	union {
		struct cmsghdr hdr;
		char buf[CMSG_SPACE(sizeof(int))];
	} c = { };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = sizeof(c) };
	int fd;

	MUST(recvmsg(via, &m, 0));
	memcpy(&fd, CMSG_DATA(&c.hdr), sizeof(fd));
	return fd;
}

static void passed(void)
{
	int c = client(SOCK_STREAM), l = listener(), via[2], pid, s;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, via));
	pid = MUST(fork());
	if (!pid) {
		MUST(close_range(3, via[1] - 1, 0));
		c = recv_fd(via[1]);
		l = recv_fd(via[1]);
		dial(c, l);
		s = take(l);
		echo(c, s);
		send_fd(via[1], c);
		send_fd(via[1], s);
		_exit(0);
	}
	send_fd(via[0], c);
	send_fd(via[0], l);
	close(c);
	close(l);
	reap(pid);
	c = recv_fd(via[0]);
	s = recv_fd(via[0]);
	echo(s, c);

	/* In flight when both ends of the carrier close: the port must be free again. */
	l = listener();
	c = bound(client(SOCK_STREAM), 0);
	s = plain(SOCK_STREAM);
	send_fd(via[1], l);
	send_fd(via[1], c);
	send_fd(via[1], via[0]);
	close(via[0]);
	close(via[1]);
	close(l);
	close(c);
}

static void as_a_file(int fd)
{
	static char buf[16];
	struct iovec iov = { buf, sizeof(buf) };
	struct statfs fs;

	TRY(lseek(fd, 0, SEEK_SET));
	TRY(pread(fd, buf, 1, 0));
	TRY(pwrite(fd, buf, 1, 0));
	TRY(preadv(fd, &iov, 1, 0));
	TRY(ftruncate(fd, 0));
	TRY(fallocate(fd, 0, 0, 1));
	TRY(fsync(fd));
	TRY(flock(fd, LOCK_EX | LOCK_NB));
	TRY(fchmod(fd, 0700));
	TRY(fchown(fd, 1, 1));
	TRY(posix_fadvise(fd, 0, 1, POSIX_FADV_NORMAL));
	TRY(readahead(fd, 0, 1));
	see("mmap: %s", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ?
			 strerrorname_np(errno) : "mapped");
	TRY(fstatfs(fd, &fs));
	see("file system %lx", fs.f_type);
	TRY(fcntl(fd, F_GETPIPE_SZ));
	TRY(fcntl(fd, F_SETFL, O_APPEND));
	TRY(fcntl(fd, F_SETFL, O_DIRECT));
	TRY(fcntl(fd, F_SETFL, accept_flags()));
	TRY(fcntl(fd, F_SETLEASE, F_RDLCK));
	TRY(fcntl(fd, F_ADD_SEALS, 1));
	TRY(openat(fd, "x", O_RDONLY));
	TRY(write(fd, buf, 0));
}

static void file(void)
{
	struct pair p = pair();

	signal(SIGPIPE, SIG_IGN);
	as_a_file(client(SOCK_STREAM));
	as_a_file(client(SOCK_DGRAM));
	as_a_file(p.l);
	as_a_file(p.c);
}

/* fchown() of the descriptor changes the owner of the socket. */
static void owner(void)
{
	int c = client(SOCK_STREAM), l = listener();
	struct stat st;

	MUST(fchown(c, 1234, 0));
	dial(c, l);
	MUST(fstat(c, &st));
	see("uid %d", st.st_uid);
	echo(c, take(l));
}

const struct scenario fd_scenarios[] = {
	{ "fd.duplicates", duplicates, 0 },
	{ "fd.replaced", replaced, 0 },
	{ "fd.forked", forked, 0 },
	{ "fd.executed", executed, ONE_ROLE | ONE_MODE },
	{ "fd.passed", passed, 0 },
	{ "fd.file", file, 0 },
	{ "fd.owner", owner, ONE_MODE },
	{ }
};
