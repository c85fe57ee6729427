/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet I/O for transport stacks: ports of DPDK, without its headers.
 *
 *	struct dmm_eal_config config = { .frames = 4096 };
 *	struct dmm_frame *frames[32];
 *
 *	dmm_eal_open(&port, "eth1", &config);
 *	for (;;) {
 *		nr = dmm_eal_rx(port, frames, 32);
 *		... dmm_eal_tx(port, iov, 2, 0) ... dmm_eal_release(frames[i]) ...
 *		dmm_eal_flush(port);
 *		if (!nr && (ns = dmm_eal_idle(port)))
 *			ppoll(dmm_eal_fd(port), ns);
 *	}
 *
 * A port is for one thread at a time.  All ports of a process, and the first call,
 * are for threads that call one after the other: DPDK is started by the first.
 * Errors are negative errno values.  DPDK itself writes to stderr.
 */
#ifndef DMM_EAL_H
#define DMM_EAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dmm_eal_port;

/**
 * struct dmm_eal_config - how to open a port
 * @hugepages:	use them; otherwise none are needed.  The first port decides
 * @memory:	MiB for all ports without hugepages, at most; 0: 256.  The first
 *		port decides
 * @frames:	received frames that can be held at a time; 0: 1024
 * @frame_priv:	bytes behind each struct dmm_frame for the stack to use
 * @mtu:	to set; 0: as it is
 * @spin:	nanoseconds to look for frames before sleeping; negative: never
 *		sleep (poll mode)
 * @capture:	file to write all frames to (pcapng); NULL: none
 *
 * Zero it first: members that are added later mean "as before" when zero.
 */
struct dmm_eal_config {
	bool hugepages;
	uint32_t memory;
	uint32_t frames;
	uint32_t frame_priv;
	uint32_t mtu;
	int64_t spin;
	const char *capture;
	uint64_t reserved[4];
};

/**
 * struct dmm_frame - a frame that was received
 * @data:	its first byte, of the Ethernet header
 * @len:	bytes, all at @data
 * @flags:	DMM_FRAME_*
 * @port:	where it came from
 */
struct dmm_frame {
	void *data;
	uint32_t len;
	uint32_t flags;
	struct dmm_eal_port *port;
};

/*
 * Received: the checksum of the transport's header needs no check.  To transmit:
 * the device shall compute it (only with DMM_EAL_TX_CHECKSUM).
 */
#define DMM_FRAME_CHECKSUM	(1u << 0)

/* To transmit: all bytes but those of the first element stay until dmm_eal_flush(). */
#define DMM_FRAME_STAYS		(1u << 1)

/**
 * dmm_eal_open() - open a port
 * @device:	"dpdk:DEVICE", a device as DPDK names it: 0000:00:10.0,
 *		net_tap0,iface=tap0, net_memif0,role=client ...; or the name of
 *		a network interface, which stands for
 *		dpdk:net_af_packet_NAME,iface=NAME
 *
 * Errors: ENODEV: DPDK cannot open the device, and writes why; EBUSY: it is open;
 * EINVAL: not a device; ENOMEM; those of open(2) for @config->capture.
 */
int dmm_eal_open(struct dmm_eal_port **port, const char *device,
		 const struct dmm_eal_config *config);

/* dmm_eal_close() - no frame of the port may be held any more; NULL is fine */
void dmm_eal_close(struct dmm_eal_port *port);

/**
 * dmm_eal_rx() - take received frames
 *
 * Returns how many are in @frames.  They are the caller's until it calls
 * dmm_eal_release().  What the device finds damaged is dropped and counted.
 */
unsigned int dmm_eal_rx(struct dmm_eal_port *port, struct dmm_frame **frames, unsigned int max);

void dmm_eal_release(struct dmm_frame *frame);

/* dmm_eal_scarce() - so many frames are held that those to come are at risk: copy rather than hold */
bool dmm_eal_scarce(const struct dmm_eal_port *port);

/**
 * dmm_eal_tx() - transmit a frame
 * @iov:	its bytes; the first element has all headers
 * @nr:		elements of @iov
 * @flags:	DMM_FRAME_CHECKSUM, DMM_FRAME_STAYS
 *
 * Bytes that stay are read no later than in dmm_eal_flush(), by the driver, or are
 * copied here where the driver goes on reading behind it, as others are.
 *
 * Returns 0; -EMSGSIZE: longer than the MTU allows; -ENOBUFS: no room, the frame
 * is lost, as any frame may be.
 */
int dmm_eal_tx(struct dmm_eal_port *port, const struct iovec *iov, int nr, uint32_t flags);

/* dmm_eal_flush() - hand over to the device what dmm_eal_tx() has collected */
void dmm_eal_flush(struct dmm_eal_port *port);

/**
 * dmm_eal_idle() - there was nothing to do: how long to sleep
 *
 * Returns nanoseconds to sleep at most, unless dmm_eal_fd() becomes readable
 * before; 0: do not, call dmm_eal_rx() again; negative: until it becomes so.
 */
int64_t dmm_eal_idle(struct dmm_eal_port *port);

/* dmm_eal_fd() - readable when there are frames, after dmm_eal_idle() allowed to sleep; -1: none */
int dmm_eal_fd(const struct dmm_eal_port *port);

/**
 * struct dmm_eal_info - what a port is
 * @mac:	its address
 * @mtu:	bytes behind the Ethernet header that can be transmitted
 * @offloads:	DMM_EAL_*
 * @name:	as DPDK calls it
 * @driver:	that serves it
 */
struct dmm_eal_info {
	uint8_t mac[6];
	uint16_t mtu;
	uint32_t offloads;
	char name[64];
	char driver[32];
};

#define DMM_EAL_RX_CHECKSUM	(1u << 0)
#define DMM_EAL_TX_CHECKSUM	(1u << 1)

void dmm_eal_info(const struct dmm_eal_port *port, struct dmm_eal_info *info);

/**
 * struct dmm_eal_stats - what a port has done
 * @rx_frames:	received; also @rx_bytes
 * @tx_frames:	transmitted; also @tx_bytes
 * @rx_missed:	lost in the device: nobody took them in time
 * @rx_bad:	dropped: wrong checksum, or of no use
 * @tx_lost:	could not be transmitted
 * @sleeps:	how often dmm_eal_idle() allowed to sleep
 */
struct dmm_eal_stats {
	uint64_t rx_frames;
	uint64_t rx_bytes;
	uint64_t tx_frames;
	uint64_t tx_bytes;
	uint64_t rx_missed;
	uint64_t rx_bad;
	uint64_t tx_lost;
	uint64_t sleeps;
};

void dmm_eal_stats(struct dmm_eal_port *port, struct dmm_eal_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* DMM_EAL_H */
