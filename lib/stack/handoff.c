// SPDX-License-Identifier: Apache-2.0
/*
 * Passing an instance on at a UNIX socket: the successor connects, the
 * predecessor sends one byte with the device's descriptor, the successor answers
 * with an int: 0, it has taken over, or an errno.
 */
#include <dmm/stack.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"

#define PATIENCE	10	/* seconds */

static int unix_socket(const char *path, struct sockaddr_un *sun)
{
	int fd;

	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sun->sun_path))
		return -ENAMETOOLONG;
	strcpy(sun->sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static void set_patience(int fd)
{
	struct timeval tv = { .tv_sec = PATIENCE };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* A socket that somebody left; nothing else is removed. */
static void remove_socket(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
}

DMM_EXPORT int dmm_stack_offer(const char *path)
{
	struct sockaddr_un sun;
	int fd = unix_socket(path, &sun), err;

	if (fd < 0)
		return fd;
	remove_socket(path);
	/* Before bind() the mode is that of the socket to be: nobody can slip in. */
	if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) || listen(fd, 1)) {
		err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

static int send_fd(int channel, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { "", 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(channel, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive_fd(int channel)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(channel, &msg, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

DMM_EXPORT int dmm_stack_send(struct dmm_stack *stack, int offer)
{
	int channel = accept4(offer, NULL, NULL, SOCK_CLOEXEC), ret, error = 0;
	ssize_t len;

	if (channel < 0)
		return -errno;
	set_patience(channel);
	ret = send_fd(channel, dmm_stack_fd(stack));
	if (!ret) {
		len = recv(channel, &error, sizeof(error), 0);
		if (len < 0)
			ret = -errno;
		else if (len != sizeof(error))
			ret = -ECONNRESET;
		else
			ret = -error;
	}
	close(channel);
	return ret;
}

DMM_EXPORT int dmm_stack_receive(const char *path, int *channel)
{
	struct sockaddr_un sun;
	int sk = unix_socket(path, &sun), fd;

	if (sk < 0)
		return sk;
	set_patience(sk);
	fd = connect(sk, (struct sockaddr *)&sun, sizeof(sun)) ? -errno : receive_fd(sk);
	if (fd < 0)
		close(sk);
	else
		*channel = sk;
	return fd;
}

DMM_EXPORT void dmm_stack_received(int channel, int error)
{
	int answer = error < 0 ? -error : error;

	/* If the predecessor has gone, nobody needs the answer. */
	send(channel, &answer, sizeof(answer), MSG_NOSIGNAL);
	close(channel);
}
