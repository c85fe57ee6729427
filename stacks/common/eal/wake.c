// SPDX-License-Identifier: Apache-2.0
/*
 * When to sleep, and what ends it.
 *
 * A driver with receive interrupts has them armed, and one more look is taken before the sleep.  A
 * driver that receives by a socket of its own (packet, XDP) does not tell, but the socket can be
 * found: waiting for it is exact, and costs nothing while frames come.  With any other there is
 * only time: sleeps that get longer.
 */
#include "internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <rte_interrupts.h>
#include <rte_log.h>

#define BACKOFF_MIN	50000		/* nanoseconds */
#define BACKOFF_MAX	5000000		/* 200 looks in a second are 0.2 % of a processor */
#define FDS_MAX		(64 * (int)(sizeof(((struct eal_sockets *)0)->open) / sizeof(uint64_t)))

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static bool receives_frames(int fd)
{
	socklen_t len = sizeof(int);
	int domain;

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) &&
	       (domain == AF_PACKET || domain == AF_XDP);
}

void eal_sockets(struct eal_sockets *s)
{
	*s = (struct eal_sockets){ 0 };
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (receives_frames(fd))
			s->open[fd / 64] |= 1ull << fd % 64;
}

static int new_socket(const struct eal_sockets *before)
{
	struct eal_sockets now;

	eal_sockets(&now);
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (now.open[fd / 64] & ~before->open[fd / 64] & 1ull << fd % 64)
			return fd;
	return -1;
}

/* Drivers whose interrupts are always on have nothing to enable. */
static int enable(struct dmm_eal_port *p)
{
	int ret = rte_eth_dev_rx_intr_enable(p->id, 0);

	p->enabled = !ret || ret == -ENOTSUP;
	return p->enabled ? 0 : ret;
}

/* DPDK's handler, which empties the descriptor, runs in rte_epoll_wait() on this one. */
static int interrupts(struct dmm_eal_port *p)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -1;
	/* It is no error to have none. */
	rte_log_set_level_pattern("lib.ethdev", RTE_LOG_CRIT);
	if (!rte_eth_dev_rx_intr_ctl_q(p->id, 0, fd, RTE_INTR_EVENT_ADD, NULL)) {
		if (!enable(p))
			return fd;
		rte_eth_dev_rx_intr_ctl_q(p->id, 0, fd, RTE_INTR_EVENT_DEL, NULL);
	}
	close(fd);
	return -1;
}

void eal_wake_init(struct dmm_eal_port *p, const struct eal_sockets *before)
{
	p->wake = WAKE_SOCKET;
	p->fd = new_socket(before);
	if (p->fd >= 0 || p->spin < 0)
		return;
	p->wake = WAKE_INTERRUPT;
	p->fd = interrupts(p);
	if (p->fd < 0)
		p->wake = WAKE_TIMER;
}

void eal_wake_exit(struct dmm_eal_port *p)
{
	if (p->wake != WAKE_INTERRUPT)
		return;
	eal_wake_up(p);
	rte_eth_dev_rx_intr_ctl_q(p->id, 0, p->fd, RTE_INTR_EVENT_DEL, NULL);
	close(p->fd);
}

void eal_wake_up(struct dmm_eal_port *p)
{
	p->idle_since = 0;
	p->looked = false;
	if (p->enabled)
		rte_eth_dev_rx_intr_disable(p->id, 0);
	p->enabled = false;
}

int dmm_eal_fd(const struct dmm_eal_port *p)
{
	return p->fd;
}

static int64_t longer(struct dmm_eal_port *p)
{
	p->backoff = RTE_MIN(RTE_MAX(2 * p->backoff, BACKOFF_MIN), BACKOFF_MAX);
	return p->backoff;
}

/* An interrupt is for what comes behind it, so there has to be a look at the device in between. */
static int64_t interrupt(struct dmm_eal_port *p)
{
	struct rte_epoll_event event;

	p->looked = !p->looked;
	if (!p->looked) {
		p->stats.sleeps++;
		return -1;
	}
	rte_epoll_wait(p->fd, &event, 1, 0);
	return enable(p) ? longer(p) : 0;
}

int64_t dmm_eal_idle(struct dmm_eal_port *p)
{
	if (p->spin < 0)
		return 0;
	if (!p->idle_since) {
		p->idle_since = now();
		p->backoff = 0;
	}
	if (p->spin && now() - p->idle_since < p->spin)
		return 0;
	if (p->wake == WAKE_INTERRUPT)
		return interrupt(p);
	p->stats.sleeps++;
	return p->wake == WAKE_TIMER ? longer(p) : -1;
}
