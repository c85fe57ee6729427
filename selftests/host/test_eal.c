// SPDX-License-Identifier: GPL-2.0-only
/*
 * libdmm-eal: ports that give back what they get, and in a namespace of our own a tap device and
 * a packet socket, with the kernel at the other side.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <dmm/eal.h>

#include "kselftest.h"

#define PATIENCE	20000	/* milliseconds */

struct arp {
	struct ethhdr eth;
	struct arphdr arp;
	uint8_t mac[6];
	struct in_addr ip;
	uint8_t far_mac[6];
	struct in_addr far_ip;
} __attribute__((packed));

static struct dmm_eal_port *open_port(const char *device, const struct dmm_eal_config *config)
{
	struct dmm_eal_port *p = NULL;
	int ret = dmm_eal_open(&p, device, config);

	if (!ksft_result(!ret, "%s is opened", device))
		ksft_note("%s", strerror(-ret));
	return p;
}

static void test_errors(void)
{
	static const struct {
		const char *device;
		int error;
	} bad[] = {
		{ "", -EINVAL },
		{ "dpdk", -ENODEV },	/* an interface of that name */
		{ "tap:x", -EINVAL },
		{ "dpdk:net_nothing0", -ENODEV },
		{ "no-such-iface", -ENODEV },
		{ "a-name-that-is-too-long", -EINVAL },
	};
	struct dmm_eal_config config = { 0 };
	struct dmm_eal_port *p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int ret = dmm_eal_open(&p, bad[i].device, &config);

		ksft_result(ret == bad[i].error, "no device: \"%s\" (%d)", bad[i].device, ret);
	}
}

/* Bytes that say where they are. */
static void pattern(uint8_t *data, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		data[i] = i * 7 + seed + (i >> 8);
}

static void test_bytes(struct dmm_eal_port *p, size_t max)
{
	static uint8_t data[2000], want[2000];
	struct dmm_frame *f;
	unsigned int sent = 0, same = 0;

	for (size_t len = 60; len <= max; len += 7, sent++) {
		struct iovec iov[] = {
			{ data, 14 }, { data + 14, len / 2 - 14 }, { data + len / 2, len - len / 2 },
		};

		pattern(data, len, sent);
		if (dmm_eal_tx(p, iov, 3, sent % 2 * DMM_FRAME_STAYS))
			break;
		dmm_eal_flush(p);
		if (dmm_eal_rx(p, &f, 1) != 1)
			break;
		pattern(want, len, sent);
		same += f->len == len && !memcmp(f->data, want, len);
		dmm_eal_release(f);
	}
	ksft_result(sent && same == sent, "frames of all sizes come back as they were (%u)", same);
}

static void test_held(struct dmm_eal_port *p, unsigned int frames)
{
	struct dmm_frame *held[2048];
	unsigned int nr = 0, lost = 0;
	uint8_t data[64] = "";
	struct iovec iov = { data, sizeof(data) };

	ksft_result(!dmm_eal_scarce(p), "there is memory for frames");
	while (!dmm_eal_scarce(p) && nr < frames && lost < 100) {
		dmm_eal_tx(p, &iov, 1, 0);
		dmm_eal_flush(p);
		if (dmm_eal_rx(p, &held[nr], 1))
			nr++;
		else
			lost++;
	}
	ksft_note("%u held", nr);
	while (nr)
		dmm_eal_release(held[--nr]);
	ksft_result(!dmm_eal_scarce(p), "and again after they were held");
}

static void test_limits(struct dmm_eal_port *p)
{
	static uint8_t data[70000];
	struct dmm_eal_info info;
	struct dmm_eal_stats st;
	struct iovec iov[2] = { { data, 14 }, { data, 0 } };

	dmm_eal_info(p, &info);
	ksft_result(info.mtu >= 1500 && *info.driver && *info.name, "what it is: %s, driver %s, MTU %u",
		    info.name, info.driver, info.mtu);
	iov[1].iov_len = info.mtu + 1;
	ksft_result(dmm_eal_tx(p, iov, 2, 0) == -EMSGSIZE, "a frame above the MTU is refused");
	iov[1].iov_len = info.mtu;
	ksft_result(!dmm_eal_tx(p, iov, 2, 0), "one of the MTU is not");
	/* Nobody takes them: the ring is full some time. */
	for (int i = 0; i < 5000; i++)
		dmm_eal_tx(p, iov, 1, 0);
	dmm_eal_flush(p);
	dmm_eal_stats(p, &st);
	ksft_result(st.tx_lost && st.tx_lost < 5001, "lost frames are counted (%llu)",
		    (unsigned long long)st.tx_lost);
}

static void test_idle(struct dmm_eal_port *p)
{
	struct dmm_frame *f;
	struct dmm_eal_stats before, after;
	int64_t ns = 0, last = 0;
	bool rises = true;

	while (dmm_eal_rx(p, &f, 1))
		dmm_eal_release(f);
	dmm_eal_stats(p, &before);
	for (int i = 0; i < 20 && rises; i++) {
		ns = dmm_eal_idle(p);
		rises = ns >= last;
		last = ns;
	}
	dmm_eal_stats(p, &after);
	ksft_result(rises && ns >= 1000000 && after.sleeps == before.sleeps + 20,
		    "sleeps get longer while nothing comes (%lld ns)", (long long)ns);
}

/* Blocks of a pcapng file: -1 if it is none. */
static int count_packets(const char *path)
{
	int fd = open(path, O_RDONLY), packets = 0;
	uint32_t block[2], end;
	off_t at = 0;

	while (pread(fd, block, sizeof(block), at) == sizeof(block)) {
		at += block[1];
		if (block[1] < 12 || block[1] % 4 || pread(fd, &end, 4, at - 4) != 4 || end != block[1])
			packets = -100000;
		packets += block[0] == 6;
	}
	close(fd);
	return packets;
}

static void test_ring(void)
{
	char path[] = "/tmp/test_eal.XXXXXX";
	struct dmm_eal_config config = { .frames = 1000, .frame_priv = 40, .capture = path };
	struct dmm_eal_port *p, *q;
	struct dmm_eal_stats st;
	int ret;

	close(mkstemp(path));
	p = open_port("dpdk:net_ring0", &config);
	config.capture = NULL;
	q = open_port("dpdk:net_ring1", &config);
	if (!p || !q)
		return;
	ret = dmm_eal_open(&(struct dmm_eal_port *){ NULL }, "dpdk:net_ring0", &config);
	ksft_result(ret == -EBUSY, "not twice (%d)", ret);
	test_bytes(p, 1514);
	test_bytes(q, 1514);
	dmm_eal_stats(p, &st);
	ret = count_packets(path);
	ksft_result(ret == (int)(st.rx_frames + st.tx_frames) && ret > 400, "all are captured (%d)", ret);
	unlink(path);
	test_held(q, 2048);
	test_idle(q);
	test_limits(q);
	dmm_eal_close(p);
	p = open_port("dpdk:net_ring0", &config);
	if (p)
		test_bytes(p, 1514);
	dmm_eal_close(p);
	dmm_eal_close(q);
	dmm_eal_close(NULL);
}

/* The next frame of a type and with a protocol; NULL: it does not come. */
static struct dmm_frame *wait_frame(struct dmm_eal_port *p, uint16_t type, uint8_t proto)
{
	time_t end = time(NULL) + PATIENCE / 1000;
	struct dmm_frame *f;
	const struct ethhdr *eth;
	int64_t ns;

	while (time(NULL) < end) {
		if (dmm_eal_rx(p, &f, 1)) {
			eth = f->data;
			if (eth->h_proto == htons(type) && (!proto || ((uint8_t *)(eth + 1))[9] == proto))
				return f;
			dmm_eal_release(f);
			continue;
		}
		ns = dmm_eal_idle(p);
		if (ns)
			poll(&(struct pollfd){ dmm_eal_fd(p), POLLIN, 0 }, 1, ns < 0 ? 1000 : 1);
	}
	return NULL;
}

/* Who has 10.9.N.1?  The kernel has. */
static void test_arp(struct dmm_eal_port *p, int net)
{
	struct arp arp = {
		.eth.h_proto = htons(ETH_P_ARP),
		.arp = { htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(ARPOP_REQUEST) },
		.ip.s_addr = htonl(0x0a090002 | net << 8),
		.far_ip.s_addr = htonl(0x0a090001 | net << 8),
	};
	struct iovec iov[] = { { &arp, 20 }, { (char *)&arp + 20, sizeof(arp) - 20 } };
	struct dmm_eal_info info;
	struct dmm_frame *f;

	dmm_eal_info(p, &info);
	memset(arp.eth.h_dest, 0xff, 6);
	memcpy(arp.eth.h_source, info.mac, 6);
	memcpy(arp.mac, info.mac, 6);
	dmm_eal_tx(p, iov, 2, DMM_FRAME_STAYS);
	dmm_eal_flush(p);
	f = wait_frame(p, ETH_P_ARP, 0);
	ksft_result(f && !memcmp(((struct arp *)f->data)->far_mac, info.mac, 6),
		    "%s: the kernel answers", info.name);
	if (f)
		dmm_eal_release(f);
}

/* From the kernel to 10.9.NET.HOST. */
static void send_udp(int net, int host, size_t len)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(0x0a090000 | net << 8 | host) };
	int sk = socket(AF_INET, SOCK_DGRAM, 0);
	char data[1000] = "";

	if (sendto(sk, data, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		ksft_note("sendto: %m");
	close(sk);
}

/* The kernel leaves checksums to a device that never gets to see them. */
static void test_partial(struct dmm_eal_port *p, size_t len)
{
	struct dmm_frame *f;

	send_udp(1, 2, len);
	f = wait_frame(p, ETH_P_IP, IPPROTO_UDP);
	ksft_result(f && f->len == 42 + len && f->flags == DMM_FRAME_CHECKSUM,
		    "a datagram without checksum is recognised (%zu bytes)", len);
	if (f)
		dmm_eal_release(f);
}

static bool own_namespace(void)
{
	char map[32];
	int fd, uid = getuid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	fd = open("/proc/self/uid_map", O_WRONLY);
	if (fd < 0)
		return false;
	snprintf(map, sizeof(map), "0 %d 1", uid);
	if (write(fd, map, strlen(map)) < 0)
		return false;
	close(fd);
	return !system("ip link add k type veth peer name v && ip link set v up && "
		       "ip addr add 10.9.1.1/24 dev k && ip link set k up");
}

/* Nobody has to look while nothing comes. */
static void test_sleep(struct dmm_eal_port *p, int net)
{
	struct dmm_frame *f;
	int64_t ns = 0;
	int fd = dmm_eal_fd(p);

	for (int i = 0; i < 100 && ns >= 0; i++) {
		while (dmm_eal_rx(p, &f, 1))
			dmm_eal_release(f);
		ns = dmm_eal_idle(p);
	}
	ksft_result(ns < 0 && fd >= 0, "it sleeps until there is a frame (%lld)", (long long)ns);
	send_udp(net, 99, 10);
	ksft_result(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, PATIENCE) == 1 && dmm_eal_rx(p, &f, 1),
		    "which wakes it up");
	dmm_eal_release(f);
}

static void test_kernel(void)
{
	struct dmm_eal_config config = { .frames = 256, .mtu = 1400 };
	struct dmm_eal_port *p;
	struct dmm_eal_info info;

	p = open_port("v", &config);
	if (!p)
		return;
	dmm_eal_info(p, &info);
	ksft_result(info.mtu == 1400, "the MTU is set (%u)", info.mtu);
	test_arp(p, 1);
	test_sleep(p, 1);
	if (system("ip neigh replace 10.9.1.2 lladdr 02:00:00:00:00:01 dev k"))
		ksft_note("no neighbour");
	test_partial(p, 1000);
	test_partial(p, 0);
	dmm_eal_close(p);

	config.mtu = 0;
	p = open_port("dpdk:net_tap0,iface=tap9", &config);
	if (!p)
		return;
	if (system("ip addr add 10.9.2.1/24 dev tap9 && ip link set dev tap9 up"))
		ksft_note("the tap device cannot be set up");
	test_arp(p, 2);
	test_sleep(p, 2);
	dmm_eal_close(p);
}

int main(void)
{
	ksft_header();
	if (own_namespace())
		test_kernel();
	else
		ksft_skip("with the kernel at the other side", "no namespaces for us here");
	test_errors();
	test_ring();
	ksft_finish();
}
