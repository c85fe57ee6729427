// SPDX-License-Identifier: Apache-2.0
/*
 * Several instances by one start.  Each is a process of its own, for the state of lwIP is global, with
 * ports and addresses of its own; this one only watches.  A worker that ends is reported and started
 * again a second later, in which its connections are gone and the other workers serve.  One that
 * cannot start in the first place ends all.
 */
#include "lwip.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/daemon/daemon.h"

static pid_t pids[LW_WORKERS_MAX];	/* 0: it is to be started */

/* A worker that has lost us must not live on unseen. */
static void live(unsigned int index, pid_t parent, int (*serve)(int ready), int ready,
		 const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	sigprocmask(SIG_SETMASK, mask, NULL);
	unsetenv("NOTIFY_SOCKET");
	lw_config_worker(index);
	exit(serve(ready) != 0);
}

static int start(unsigned int index, int (*serve)(int ready), int ready, const sigset_t *mask)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid)
		live(index, parent, serve, ready, mask);
	if (pid < 0)
		return -errno;
	pids[index] = pid;
	return 0;
}

/* Until it serves.  What is wrong it says itself. */
static int start_first(unsigned int index, int (*serve)(int ready), const sigset_t *mask)
{
	int ends[2], ret;
	char byte;

	if (pipe(ends))
		return -errno;
	ret = start(index, serve, ends[1], mask);
	close(ends[1]);
	if (!ret && read(ends[0], &byte, 1) != 1)
		ret = -ECHILD;
	close(ends[0]);
	return ret;
}

static void report(unsigned int index, int status)
{
	const char *name = lw_config_worker(index);

	if (WIFSIGNALED(status))
		fprintf(stderr, "dmm-lwip: worker %s: %s\n", name, strsignal(WTERMSIG(status)));
	else
		fprintf(stderr, "dmm-lwip: worker %s: exit status %d\n", name, WEXITSTATUS(status));
}

/* false: none is to be started again. */
static bool reap(unsigned int nr)
{
	bool missing = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned int i = 0; i < nr; i++)
			if (pids[i] == pid) {
				report(i, status);
				pids[i] = 0;
			}
	for (unsigned int i = 0; i < nr; i++)
		missing |= !pids[i];
	return missing;
}

static void start_missing(unsigned int nr, int (*serve)(int ready), const sigset_t *mask)
{
	for (unsigned int i = 0; i < nr; i++)
		if (!pids[i])
			start(i, serve, -1, mask);
}

static void watch(unsigned int nr, int (*serve)(int ready), const sigset_t *set, const sigset_t *mask)
{
	static const struct timespec second = { 1, 0 };
	bool missing = false;
	int sig;

	for (;;) {
		sig = sigtimedwait(set, NULL, missing ? &second : NULL);
		if (sig == SIGTERM || sig == SIGINT)
			return;
		missing = reap(nr);
		if (sig < 0 && errno == EAGAIN)
			start_missing(nr, serve, mask);
	}
}

static void stop(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGTERM);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

int lw_workers_run(unsigned int nr, int (*serve)(int ready), int ready)
{
	sigset_t set, mask;
	int ret = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &mask);
	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = start_first(i, serve, &mask);
	if (!ret) {
		daemon_ready("dmm-lwip", ready, ready >= 0);
		watch(nr, serve, &set, &mask);
	}
	stop(nr);
	return ret;
}
