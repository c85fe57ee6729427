// SPDX-License-Identifier: GPL-2.0-only
/* ioctl(): what sockets, TCP and IP answer, in every state. */
#include "parity.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>

static void see_int(const char *name, int fd, unsigned long cmd)
{
	int value = -12345;

	if (ioctl(fd, cmd, &value) < 0)
		see("%s: %s", name, strerrorname_np(errno));
	else
		see("%s: %d", name, value);
}

static void see_ifreq(const char *name, int fd, unsigned long cmd)
{
	struct ifreq ifr = { .ifr_name = "lo", };

	if (cmd == SIOCGIFNAME)
		ifr.ifr_ifindex = 1;
	if (ioctl(fd, cmd, &ifr) < 0)
		see("%s: %s", name, strerrorname_np(errno));
	else
		see_bytes(name, &ifr, sizeof(ifr));
}

static void see_ifconf(int fd)
{
	char buf[512] = "";
	struct ifconf conf = { .ifc_len = sizeof(buf), .ifc_buf = buf };

	if (TRY(ioctl(fd, SIOCGIFCONF, &conf)) == 0)
		see_bytes("interfaces", buf, conf.ifc_len);
}

static void see_all(const char *state, int fd)
{
	see("-- %s", state);
	see_int("FIONREAD", fd, FIONREAD);
	see_int("TIOCOUTQ", fd, TIOCOUTQ);
	see_int("SIOCINQ", fd, SIOCINQ);
	see_int("SIOCOUTQ", fd, SIOCOUTQ);
	see_int("SIOCOUTQNSD", fd, SIOCOUTQNSD);
	see_int("SIOCATMARK", fd, SIOCATMARK);
	see_int("SIOCGPGRP", fd, SIOCGPGRP);
	see_int("FIOGETOWN", fd, FIOGETOWN);
	TRY(ioctl(fd, FIONBIO, &(int){ run.nonblock }));
	TRY(ioctl(fd, FIOASYNC, &(int){ 0 }));
	TRY(ioctl(fd, FIOCLEX));
	TRY(ioctl(fd, FIONCLEX));
	TRY(ioctl(fd, FIOQSIZE, &(loff_t){ 0 }));
	TRY(ioctl(fd, FIONREAD, (void *)8));
	TRY(ioctl(fd, SIOCATMARK, (void *)8));
	TRY(ioctl(fd, SIOCGSTAMP, (char[32]){ }));
	TRY(ioctl(fd, SIOCGSTAMPNS, (char[32]){ }));
	TRY(ioctl(fd, TCGETS, (char[64]){ }));
	TRY(ioctl(fd, 0x12345678, 0));
	TRY(ioctl(fd, SIOCDEVPRIVATE, &(struct ifreq){ .ifr_name = "lo" }));
	TRY(ioctl(fd, SIOCPROTOPRIVATE, &(struct ifreq){ .ifr_name = "lo" }));
	see_ifreq("SIOCGIFNAME", fd, SIOCGIFNAME);
	see_ifreq("SIOCGIFINDEX", fd, SIOCGIFINDEX);
	see_ifreq("SIOCGIFFLAGS", fd, SIOCGIFFLAGS);
	see_ifreq("SIOCGIFMTU", fd, SIOCGIFMTU);
	see_ifreq("SIOCGIFHWADDR", fd, SIOCGIFHWADDR);
	see_ifreq("SIOCGIFADDR", fd, SIOCGIFADDR);
	see_ifreq("SIOCGIFNETMASK", fd, SIOCGIFNETMASK);
	see_ifreq("SIOCGIFDSTADDR", fd, SIOCGIFDSTADDR);
	see_ifconf(fd);
	TRY(ioctl(fd, SIOCADDRT, (struct rtentry[1]){ }));
	TRY(ioctl(fd, SIOCGARP, &(struct arpreq){ .arp_dev = "lo" }));
}

static void stream(void)
{
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM), s;

	see_all("fresh", c);
	bound(l, 0);
	see_all("bound", l);
	MUST(listen(l, 1));
	see_all("listening", l);
	dial(c, l);
	see_all("connected", c);
	s = take(l);
	put(c, "data");
	put(c, "more");
	wait_bytes(s, 8);
	see_all("data", s);
	MUST(shutdown(c, SHUT_WR));
	wait_for(s, POLLRDHUP);
	see_all("half closed", c);
	see_all("half closed, peer", s);
}

static void dgram(void)
{
	int c = client(SOCK_DGRAM), s = bound(server(SOCK_DGRAM), 0);
	union addr a = local_addr(s);

	see_all("fresh", c);
	see_all("bound", s);
	MUST(connect(c, &a.sa, addr_len()));
	see_all("connected", c);
	put(c, "data");
	wait_for(s, POLLIN);
	see_all("data", s);
}

const struct scenario ioctl_scenarios[] = {
	{ "ioctl.stream", stream, ONE_MODE },
	{ "ioctl.dgram", dgram, DGRAM | ONE_MODE },
	{ }
};
