/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmm/eal.h on DPDK.
 *
 *	start.c		DPDK itself, and what a device's string means
 *	port.c		open and close a port
 *	burst.c		frames in and out
 *	wake.c		when to sleep, and what ends it
 *	capture.c	frames to a file
 */
#ifndef DMM_EAL_INTERNAL_H
#define DMM_EAL_INTERNAL_H

#include <dmm/eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define EAL_BURST	32u

/* What ends the sleep of somebody who waits for frames. */
enum wake {
	WAKE_TIMER,	/* nothing but time */
	WAKE_SOCKET,	/* the driver's own socket becomes readable */
	WAKE_INTERRUPT,	/* an interrupt that has to be armed */
};

struct dmm_eal_port {
	uint16_t id;
	bool refs;			/* the driver has read all when its tx function returns */
	bool kernel;			/* the other side may be a kernel on this machine */
	uint32_t offloads;
	uint16_t mtu;
	struct rte_mempool *rx_pool, *tx_pool;
	unsigned int held;		/* frames that the stack has */
	unsigned int high;		/* from which on others are scarce */
	struct rte_mbuf_ext_shared_info ext;

	struct rte_mbuf *tx[EAL_BURST];
	unsigned int nr_tx;

	enum wake wake;
	int fd;
	bool enabled;			/* interrupts are on */
	bool looked;			/* for frames since then */
	int64_t spin;
	int64_t idle_since;		/* nanoseconds, CLOCK_MONOTONIC; 0: not idle */
	int64_t backoff;

	int capture;			/* -1: none */
	struct dmm_eal_stats stats;	/* of what DPDK does not count */
};

/* start.c */

/* The device as rte_dev_probe() wants it, to be freed; also starts DPDK. */
int eal_start(const char *device, const struct dmm_eal_config *config, char **devargs);

/* wake.c */

/* Which sockets are there before the driver makes its own. */
struct eal_sockets {
	uint64_t open[16];
};
void eal_sockets(struct eal_sockets *s);
void eal_wake_init(struct dmm_eal_port *port, const struct eal_sockets *before);
void eal_wake_exit(struct dmm_eal_port *port);
void eal_wake_up(struct dmm_eal_port *port);

/* capture.c */
int eal_capture_open(struct dmm_eal_port *port, const char *path);
void eal_capture(const struct dmm_eal_port *port, const struct iovec *iov, int nr, bool out);

#endif
