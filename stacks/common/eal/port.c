// SPDX-License-Identifier: Apache-2.0
#include "internal.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>

#define RX_SLOTS	1024
#define TX_SLOTS	512
#define LARGEST_FRAME	UINT16_MAX	/* one more byte would not fit into DPDK's own fields */

/*
 * Drivers that copy frames to the kernel or to a peer before their tx function returns.  Others
 * read behind it, so that what they shall read has to be theirs.
 */
static const char *const copying[] = { "net_af_packet", "net_tap", "net_null" };

/* Those behind which there is a kernel, whose frames can come without checksum. */
static const char *const kernels[] = { "net_af_packet", "net_af_xdp", "net_tap" };

/*
 * Drivers that compute checksums themselves, and wrongly when a piece of the frame that is not the
 * last has an odd number of bytes.
 */
static const char *const bad_sums[] = { "net_tap" };

#define IS_ONE_OF(name, list)	is_one_of(name, list, sizeof(list) / sizeof(*(list)))

static bool is_one_of(const char *name, const char *const *list, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(name, list[i]))
			return true;
	return false;
}

/* A driver gives a port a name of its own, not always that of the device. */
static int find_port(const char *devargs, uint16_t *id)
{
	struct rte_dev_iterator it;

	RTE_ETH_FOREACH_MATCHING_DEV(*id, devargs, &it) {
		rte_eth_iterator_cleanup(&it);
		return 0;
	}
	return -ENODEV;
}

static int probe(char *devargs, uint16_t *id)
{
	char name[RTE_DEV_NAME_MAX_LEN];
	uint16_t port;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(devargs, ","), devargs);
	if (!rte_eth_dev_get_port_by_name(name, &port))
		return -EBUSY;
	/* What it returns is different for each bus and driver; they say on stderr what is wrong. */
	if (rte_dev_probe(devargs))
		return -ENODEV;
	return rte_eth_dev_get_port_by_name(name, id) ? find_port(name, id) : 0;
}

/* MTU of an interface of the kernel: DPDK knows neither its value nor its limit. */
static int kernel_mtu(unsigned int ifindex, unsigned long request, int *mtu)
{
	struct ifreq ifr = { .ifr_mtu = *mtu };
	int ret = 0, sk;

	if (!if_indextoname(ifindex, ifr.ifr_name))
		return -errno;
	sk = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sk < 0)
		return -errno;
	if (ioctl(sk, request, &ifr))
		ret = -errno;
	*mtu = ifr.ifr_mtu;
	close(sk);
	return ret;
}

static int set_mtu(struct dmm_eal_port *p, const struct rte_eth_dev_info *dev, unsigned int want)
{
	int ret = 0, mtu = want;

	if (want > UINT16_MAX)
		return -EINVAL;
	if (want)
		ret = dev->if_index ? kernel_mtu(dev->if_index, SIOCSIFMTU, &mtu) :
				      rte_eth_dev_set_mtu(p->id, want);
	if (!ret && dev->if_index)
		ret = kernel_mtu(dev->if_index, SIOCGIFMTU, &mtu);
	else if (!ret)
		ret = rte_eth_dev_get_mtu(p->id, &p->mtu);
	if (!ret && dev->if_index)
		p->mtu = RTE_MIN(mtu, UINT16_MAX);
	return ret;
}

static struct rte_mempool *pool(const struct dmm_eal_port *p, const char *kind, unsigned int nr,
				unsigned int priv, unsigned int room)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u", kind, p->id);
	return rte_pktmbuf_pool_create(name, nr, RTE_MIN(nr / 4, 256u),
				       RTE_ALIGN_CEIL(priv, RTE_MBUF_PRIV_ALIGN),
				       RTE_PKTMBUF_HEADROOM + room, SOCKET_ID_ANY);
}

/* Frames of a packet socket are as large as its slots, whatever the MTU. */
static int make_pools(struct dmm_eal_port *p, const struct dmm_eal_config *config,
		      const char *driver)
{
	unsigned int room = p->mtu + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN;
	unsigned int frames = config->frames ?: 1024;
	bool large = !strcmp(driver, "net_af_packet");

	p->rx_pool = pool(p, "rx", frames + RX_SLOTS * !large,
			  sizeof(struct dmm_frame) + config->frame_priv,
			  large ? UINT16_MAX - RTE_PKTMBUF_HEADROOM : RTE_MAX(room, 2048u));
	p->tx_pool = pool(p, "tx", 2 * TX_SLOTS + EAL_BURST, 0, room);
	p->high = frames - frames / 4;
	return p->rx_pool && p->tx_pool ? 0 : -rte_errno;
}

static int configure(struct dmm_eal_port *p, const struct rte_eth_dev_info *dev, bool interrupt)
{
	static const uint64_t rx_checksums = RTE_ETH_RX_OFFLOAD_TCP_CKSUM |
					     RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	static const uint64_t tx_checksums = RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
					     RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	struct rte_eth_conf conf = { .intr_conf.rxq = interrupt };
	uint16_t nr_rx = RX_SLOTS, nr_tx = TX_SLOTS;
	int ret;

	if (!(~dev->rx_offload_capa & rx_checksums)) {
		conf.rxmode.offloads |= rx_checksums;
		p->offloads |= DMM_EAL_RX_CHECKSUM;
	}
	if (!(~dev->tx_offload_capa & tx_checksums) && !IS_ONE_OF(dev->driver_name, bad_sums)) {
		conf.txmode.offloads |= tx_checksums;
		p->offloads |= DMM_EAL_TX_CHECKSUM;
	}
	conf.txmode.offloads |= dev->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	p->refs &= !!(dev->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	ret = rte_eth_dev_configure(p->id, 1, 1, &conf);
	if (!ret)
		ret = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &nr_rx, &nr_tx);
	if (!ret)
		ret = rte_eth_rx_queue_setup(p->id, 0, nr_rx, SOCKET_ID_ANY, NULL, p->rx_pool);
	if (!ret)
		ret = rte_eth_tx_queue_setup(p->id, 0, nr_tx, SOCKET_ID_ANY, NULL);
	return ret;
}

/* A driver that has no interrupts may refuse them when it is configured, or when it starts. */
static int start(struct dmm_eal_port *p, const struct rte_eth_dev_info *dev, bool interrupt)
{
	int ret = configure(p, dev, interrupt);

	return ret ? ret : rte_eth_dev_start(p->id);
}

/* Extra memory of frames belongs to somebody else, and is not freed here. */
static void not_ours(void *addr, void *arg)
{
	(void)addr;
	(void)arg;
}

static int set_up(struct dmm_eal_port *p, const struct dmm_eal_config *config)
{
	struct rte_eth_dev_info dev;
	int ret = rte_eth_dev_info_get(p->id, &dev);

	if (ret)
		return ret;
	p->refs = IS_ONE_OF(dev.driver_name, copying);
	p->kernel = IS_ONE_OF(dev.driver_name, kernels);
	p->ext.free_cb = not_ours;
	rte_mbuf_ext_refcnt_set(&p->ext, 1);
	ret = set_mtu(p, &dev, config->mtu);
	if (!ret)
		ret = make_pools(p, config, dev.driver_name);
	if (!ret && (p->spin < 0 || start(p, &dev, true)))
		ret = start(p, &dev, false);
	/* Stacks hear what is for others, too, on an interface that a kernel uses as well. */
	if (!ret)
		rte_eth_promiscuous_enable(p->id);
	return ret;
}

int dmm_eal_open(struct dmm_eal_port **port, const char *device,
		 const struct dmm_eal_config *config)
{
	struct dmm_eal_port *p = calloc(1, sizeof(*p));
	struct eal_sockets before;
	char *devargs;
	int ret;

	if (!p)
		return -ENOMEM;
	p->fd = p->capture = -1;
	p->id = RTE_MAX_ETHPORTS;
	p->spin = config->spin;
	ret = eal_start(device, config, &devargs);
	if (ret) {
		free(p);
		return ret;
	}
	eal_sockets(&before);
	ret = probe(devargs, &p->id);
	free(devargs);
	if (!ret)
		ret = set_up(p, config);
	if (!ret && config->capture)
		ret = eal_capture_open(p, config->capture);
	if (ret) {
		dmm_eal_close(p);
		return ret;
	}
	eal_wake_init(p, &before);
	*port = p;
	return 0;
}

void dmm_eal_close(struct dmm_eal_port *p)
{
	if (!p)
		return;
	eal_wake_exit(p);
	if (p->id < RTE_MAX_ETHPORTS) {
		struct rte_eth_dev_info dev;
		bool known = !rte_eth_dev_info_get(p->id, &dev);

		dmm_eal_flush(p);
		rte_eth_dev_stop(p->id);
		rte_eth_dev_close(p->id);
		if (known)
			rte_dev_remove(dev.device);
	}
	rte_mempool_free(p->rx_pool);
	rte_mempool_free(p->tx_pool);
	if (p->capture >= 0)
		close(p->capture);
	free(p);
}

void dmm_eal_info(const struct dmm_eal_port *p, struct dmm_eal_info *info)
{
	struct rte_ether_addr mac;
	struct rte_eth_dev_info dev;

	*info = (struct dmm_eal_info){ .mtu = p->mtu, .offloads = p->offloads };
	if (!rte_eth_macaddr_get(p->id, &mac))
		memcpy(info->mac, mac.addr_bytes, sizeof(info->mac));
	if (!rte_eth_dev_info_get(p->id, &dev))
		snprintf(info->driver, sizeof(info->driver), "%s", dev.driver_name);
	rte_eth_dev_get_name_by_port(p->id, info->name);
}

/* What a packet socket had no room for; asking sets it to zero. */
static uint64_t socket_drops(const struct dmm_eal_port *p)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	if (p->wake != WAKE_SOCKET || getsockopt(p->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
		return 0;
	return st.tp_drops;
}

void dmm_eal_stats(struct dmm_eal_port *p, struct dmm_eal_stats *stats)
{
	struct rte_eth_stats dev = { 0 };

	p->stats.rx_missed += socket_drops(p);
	rte_eth_stats_get(p->id, &dev);
	*stats = p->stats;
	stats->rx_frames = dev.ipackets;
	stats->rx_bytes = dev.ibytes;
	stats->tx_frames = dev.opackets;
	stats->tx_bytes = dev.obytes;
	stats->rx_missed += dev.imissed + dev.rx_nombuf;
	stats->rx_bad += dev.ierrors;
	stats->tx_lost += dev.oerrors;
}
