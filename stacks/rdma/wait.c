// SPDX-License-Identifier: Apache-2.0
/*
 * Waiting.  A turn of the daemon is short, and so is the sleep before the next one: descriptors stay
 * in one set instead of being looked at each time, and the timer is only ever brought forward.  When it
 * rings too early, the next turn says how long it is really to be.
 */
#include "rdma.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_MAX	8

static int set = -1, timer = -1;
static int64_t alarm_at;	/* when it rings; 0: not at all */

static void rang(void *arg)
{
	uint64_t times;

	(void)arg;
	if (read(timer, &times, sizeof(times)) == sizeof(times))
		alarm_at = 0;
}

int rd_watch(int fd, struct rd_watch *watch)
{
	struct epoll_event ev = { .events = EPOLLIN | (watch->edge ? EPOLLET : 0), .data.ptr = watch };

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

int rd_wait_init(void)
{
	static struct rd_watch watch = { rang, NULL, false };

	set = epoll_create1(EPOLL_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (set < 0 || timer < 0)
		return -errno;
	return rd_watch(timer, &watch);
}

static int ring_at(int64_t at)
{
	struct itimerspec it = { .it_value = { at / 1000000000, at % 1000000000 } };

	if (alarm_at && alarm_at <= at)
		return 0;
	alarm_at = at;
	return timerfd_settime(timer, TFD_TIMER_ABSTIME, &it, NULL) ? -errno : 0;
}

int rd_wait(int64_t ns)
{
	struct epoll_event events[EVENTS_MAX];
	int ret = ns > 0 ? ring_at(rd.now + ns) : 0, nr;

	if (ret)
		return ret;
	nr = epoll_wait(set, events, EVENTS_MAX, ns ? -1 : 0);
	if (nr < 0 && errno != EINTR)
		return -errno;
	rd.now = rd_clock();
	for (int i = 0; i < nr; i++) {
		struct rd_watch *watch = events[i].data.ptr;

		watch->ready(watch->arg);
	}
	return 0;
}
