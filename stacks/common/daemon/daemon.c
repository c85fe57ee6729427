// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

static void notify(const char *name, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char text[64];
	int sk;

	if (strlen(path) >= sizeof(sun.sun_path))
		return;
	strcpy(sun.sun_path, path);
	if (*path == '@')
		sun.sun_path[0] = 0;
	sk = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sk < 0)
		return;
	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d\n", getpid());
	if (sendto(sk, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sun,
		   offsetof(struct sockaddr_un, sun_path) + strlen(path)) < 0)
		fprintf(stderr, "%s: NOTIFY_SOCKET: %m\n", name);
	close(sk);
}

/* A line of what is printed, which begins with who prints it, as the log's does. */
static ssize_t write_log(void *cookie, const char *text, size_t len)
{
	const char *name = cookie;
	size_t skip = strlen(name) + 2;

	if (len > skip && !strncmp(text, name, skip - 2) && text[skip - 2] == ':')
		syslog(LOG_NOTICE, "%.*s", (int)(len - skip), text + skip);
	else
		syslog(LOG_NOTICE, "%.*s", (int)len, text);
	return len;
}

/* Who started us may wait for the end of what we print: it goes to the system's log from now on. */
static void leave_terminal(const char *name)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	FILE *log = fopencookie((void *)name, "w", (cookie_io_functions_t){ .write = write_log });

	if (null < 0 || !log)
		fprintf(stderr, "%s: --background: %m\n", name);
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	close(null);
	if (!log)
		return;
	openlog(name, LOG_PID, LOG_DAEMON);
	setvbuf(log, NULL, _IOLBF, 0);
	stderr = log;
}

void daemon_ready(const char *name, int ready, bool background)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (background)
		leave_terminal(name);
	if (ready >= 0) {
		if (write(ready, "", 1) < 0)
			fprintf(stderr, "%s: %m\n", name);
		close(ready);
	}
	if (path)
		notify(name, path);
}

int daemon_background(int *ready)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe(ends))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 1);
	}
	close(ends[0]);
	*ready = ends[1];
	setsid();
	return 0;
}

int daemon_signals(int more)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (more)
		sigaddset(&set, more);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int daemon_signal(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}
