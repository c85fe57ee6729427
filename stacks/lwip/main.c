// SPDX-License-Identifier: Apache-2.0
/* Options, signals, and the loop. */
#include "lwip.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <dmm/eal.h>
#include <linux/dmm.h>

#include "../common/daemon/daemon.h"

static const char usage[] =
	"usage: dmm-lwip [OPTION]...\n"
	"  --config FILE         read options from a file: KEY VALUE in each line\n"
	"  --port DEVICE         a network interface (eth1), or dpdk:DEVICE; then of this port:\n"
	"  --address ADDR/LEN      its addresses, one of IPv4, IPv6 with 64 bits\n"
	"  --dhcp                  or by DHCP\n"
	"  --autoconf              and IPv6 by router advertisements\n"
	"  --mtu N\n"
	"  --capture FILE          write all frames to it (pcapng)\n"
	"  --gateway ADDR        for all that has no other route\n"
	"  --route \"PREFIX via ADDR\"\n"
	"  --worker NAME         an instance of its own: of what follows\n"
	"  --name NAME           of the stack, as in rules (lwip)\n"
	"  --instance NAME       of the instance (the kernel chooses)\n"
	"  --device PATH         (" DMM_DEV_PATH ")\n"
	"  --connections N       at a time (as many as the arena takes)\n"
	"  --arena MIB           memory for sockets (64)\n"
	"  --sndbuf KIB          that a connection can have in transmission (256)\n"
	"  --rcvbuf KIB          that can wait for an application to read (256)\n"
	"  --weight N            share beside other instances, 1 to 1000 (100)\n"
	"  --spin US|always      look for work before sleeping (0)\n"
	"  --frames N            received frames in memory (1024)\n"
	"  --memory MIB          for frames (256)\n"
	"  --hugepages           for frames\n"
	"  --check               only the configuration\n"
	"  --background          go on in the background when ready\n"
	"  --version, --help\n"
	"Not for lossy or long paths: Reno, and no SACK as a sender. One instance per process.\n";

static struct daemon_program program = {
	.name = "dmm-lwip",
	.usage = usage,
	.keys = lw_keys,
	.config = &lw.config,
	.complete = lw_config_check,
};

static int64_t sooner(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/*
 * How long to sleep when a turn had nothing to do.  The first time others have the processor instead: who
 * was served just now may answer at once, and that is cheaper than a sleep and a wake-up.
 */
static int64_t idle(struct dmm_queue *q, bool *yielded)
{
	int64_t ns;

	if (!*yielded) {
		*yielded = true;
		sched_yield();
		return 0;
	}
	ns = lw_timers();
	for (unsigned int i = 0; i < lw.nr_ifaces; i++)
		ns = sooner(ns, dmm_eal_idle(lw.ifaces[i].port));
	return ns && dmm_stack_arm(q) ? 0 : ns;
}

static int run(int signals)
{
	struct dmm_queue *q = dmm_stack_queue(lw.stack, 0);
	struct pollfd fds[2 + LW_IFACES_MAX] = {
		{ dmm_stack_fd(lw.stack), POLLIN, 0 },
		{ signals, POLLIN, 0 },
	};
	unsigned int turns = 0;
	bool yielded = false;
	struct timespec ts;
	int64_t ns;
	int ret;

	for (unsigned int i = 0; i < lw.nr_ifaces; i++)
		fds[i + 2] = (struct pollfd){ dmm_eal_fd(lw.ifaces[i].port), POLLIN, 0 };
	while (!fds[1].revents) {
		ret = dmm_stack_poll(q, 0);
		if (ret < 0)
			return ret;
		yielded &= !ret && !lw.busy;
		ns = ret || lw.busy ? 0 : idle(q, &yielded);
		/* Who never sleeps looks for signals sometimes. */
		if (!ns && ++turns % 1024)
			continue;
		ts = (struct timespec){ ns / 1000000000, ns % 1000000000 };
		if (ppoll(fds, 2 + lw.nr_ifaces, ns < 0 ? NULL : &ts, NULL) < 0 && errno != EINTR)
			return -errno;
	}
	return 0;
}

/* An instance, from its start to a signal. */
static int serve(int ready)
{
	int signals = daemon_signals(0), ret = signals < 0 ? signals : lw_start();

	if (!ret) {
		daemon_ready(program.name, ready, program.background);
		ret = run(signals);
	}
	lw_stop();
	if (ret)
		fprintf(stderr, "dmm-lwip: %s\n", strerror(-ret));
	return ret;
}

int main(int argc, char **argv)
{
	int ready = -1, ret;

	lw.config = (struct dmm_stack_config){
		.name = "lwip",
		.ops = &lw_stack_ops,
		.caps = DMM_CAPS_ALL,
	};
	ret = daemon_parse(&program, argc, argv);
	if (ret >= 0)
		return ret;
	ret = program.background ? daemon_background(&ready) : 0;
	if (ret)
		fprintf(stderr, "dmm-lwip: %s\n", strerror(-ret));
	else if (lw_config_workers())
		ret = lw_workers_run(lw_config_workers(), serve, ready);
	else
		ret = serve(ready);
	return ret != 0;
}
