// SPDX-License-Identifier: Apache-2.0
/* What a program may ask about a socket of its own, and where it looks. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

DMM_EXPORT int dmm_af(void)
{
	char text[16] = "";
	int fd = open("/sys/module/dmm/parameters/af", O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	err = n < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	return atoi(text) > 0 ? atoi(text) : -EINVAL;
}

static void copy_name(char *to, const char *from)
{
	strncpy(to, from ? from : "", DMM_NAME_MAX - 1);
}

static int take_decision(void *arg, const struct dmm_object *obj)
{
	const struct dmm_decision *d = obj->decision;
	struct dmm_info *info = arg;

	info->state = DMM_SOCK_HANDED_OVER;
	info->reason = d->reason;
	info->rule = d->rule;
	info->prio = d->prio;
	info->gen = d->gen;
	copy_name(info->stack, d->stack);
	return 0;
}

/* The module keeps the last decisions by the cookies of their sockets. */
static int remembered_info(int fd, struct dmm_info *info)
{
	struct dmm_decision req = { .has = DMM_HAS(DMM_A_DECISION_COOKIE) };
	socklen_t len = sizeof(req.cookie);
	struct dmm_client *c;
	int err;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &req.cookie, &len))
		return -errno;
	err = dmm_open(&c);
	if (err)
		return err;
	err = dmm_get(c, DMM_CMD_DECISION_GET, &req, take_decision, info);
	dmm_close(c);
	return err;
}

DMM_EXPORT int dmm_socket_info(int fd, struct dmm_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (!getsockopt(fd, SOL_DMM, DMM_INFO, info, &len))
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOPROTOOPT)
		return -errno;
	return remembered_info(fd, info);
}

DMM_EXPORT int dmm_netns_enter(const char *name)
{
	char path[PATH_MAX];
	int fd, err = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : "/run/netns/",
			     name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		err = -errno;
	close(fd);
	return err;
}
