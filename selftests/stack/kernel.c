// SPDX-License-Identifier: GPL-2.0-only
/* The sockets of the cases, as the kernel's: AF_DMM.  A pointer is a descriptor plus one. */
#include "cases.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/dmm.h>

static int fd_of(void *s)
{
	return (int)(intptr_t)s - 1;
}

static void *of_fd(int fd)
{
	return fd < 0 ? NULL : (void *)(intptr_t)(fd + 1);
}

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static int dmm_family(void)
{
	FILE *f = fopen("/sys/module/dmm/parameters/af", "re");
	int family = AF_DMM;

	if (f && fscanf(f, "%d", &family) != 1)
		family = AF_DMM;
	if (f)
		fclose(f);
	return family;
}

static void *kernel_socket(void *arg, int family, int type)
{
	int protocol = family == AF_INET6 ? DMM_PROTO_INET6 : DMM_PROTO_INET, one = 1;
	int fd = socket(dmm_family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	(void)arg;
	if (fd >= 0 && type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return of_fd(fd);
}

static socklen_t length(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static int kernel_bind(void *s, const struct sockaddr *sa)
{
	return result(bind(fd_of(s), sa, length(sa)));
}

static int kernel_listen(void *s, int backlog)
{
	return result(listen(fd_of(s), backlog));
}

static int kernel_connect(void *s, const struct sockaddr *sa)
{
	return result(connect(fd_of(s), sa, length(sa)));
}

static void *kernel_accept(void *s)
{
	return of_fd(accept4(fd_of(s), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static ssize_t kernel_send(void *s, const void *data, size_t len)
{
	return result(send(fd_of(s), data, len, MSG_NOSIGNAL));
}

static ssize_t kernel_recv(void *s, void *data, size_t len)
{
	return result(recv(fd_of(s), data, len, 0));
}

static ssize_t kernel_sendto(void *s, const void *data, size_t len, const struct sockaddr *to)
{
	return result(sendto(fd_of(s), data, len, MSG_NOSIGNAL, to, to ? length(to) : 0));
}

/* Names are compared in their v4-mapped form. */
static void map(struct sockaddr_in6 *sa)
{
	struct sockaddr_in in;

	if (sa->sin6_family != AF_INET)
		return;
	memcpy(&in, sa, sizeof(in));
	memset(sa, 0, sizeof(*sa));
	sa->sin6_family = AF_INET6;
	sa->sin6_port = in.sin_port;
	sa->sin6_addr.s6_addr[10] = sa->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&sa->sin6_addr.s6_addr[12], &in.sin_addr, 4);
}

static ssize_t kernel_recvfrom(void *s, void *data, size_t len, struct sockaddr_in6 *from)
{
	socklen_t size = sizeof(*from);
	ssize_t ret;

	memset(from, 0, sizeof(*from));
	ret = result(recvfrom(fd_of(s), data, len, 0, (struct sockaddr *)from, &size));
	map(from);
	return ret;
}

static int kernel_shutdown(void *s)
{
	return result(shutdown(fd_of(s), SHUT_WR));
}

static void kernel_close(void *s, bool reset)
{
	struct linger linger = { .l_onoff = 1 };

	if (reset)
		setsockopt(fd_of(s), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd_of(s));
}

static int kernel_error(void *s)
{
	socklen_t size = sizeof(int);
	int error = 0;

	return getsockopt(fd_of(s), SOL_SOCKET, SO_ERROR, &error, &size) ? errno : error;
}

static int kernel_wait(void *s, int events, int ms)
{
	struct pollfd fd = { fd_of(s), events, 0 };

	return poll(&fd, 1, ms) < 0 ? 0 : fd.revents;
}

static void kernel_local(void *s, struct sockaddr_in6 *sa)
{
	socklen_t size = sizeof(*sa);

	memset(sa, 0, sizeof(*sa));
	getsockname(fd_of(s), (struct sockaddr *)sa, &size);
	map(sa);
}

static void kernel_remote(void *s, struct sockaddr_in6 *sa)
{
	socklen_t size = sizeof(*sa);

	memset(sa, 0, sizeof(*sa));
	getpeername(fd_of(s), (struct sockaddr *)sa, &size);
	map(sa);
}

/* A socket that was handed over has no such option: the kernel's stack serves it. */
static const char *kernel_stack(void *s)
{
	static char name[DMM_NAME_MAX];
	socklen_t size = sizeof(name);

	memset(name, 0, sizeof(name));
	if (getsockopt(fd_of(s), SOL_DMM, DMM_STACK, name, &size))
		return "kernel";
	return name;
}

const struct socket_ops kernel_sockets = {
	.socket = kernel_socket,
	.bind = kernel_bind,
	.listen = kernel_listen,
	.connect = kernel_connect,
	.accept = kernel_accept,
	.send = kernel_send,
	.recv = kernel_recv,
	.sendto = kernel_sendto,
	.recvfrom = kernel_recvfrom,
	.shutdown = kernel_shutdown,
	.close = kernel_close,
	.error = kernel_error,
	.wait = kernel_wait,
	.local = kernel_local,
	.remote = kernel_remote,
	.stack = kernel_stack,
};
