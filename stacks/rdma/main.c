// SPDX-License-Identifier: Apache-2.0
/* Options, signals, and the loop. */
#include "rdma.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/prctl.h>
#include <linux/dmm.h>

#include "../common/daemon/daemon.h"

#define LOOK_AROUND	32u	/* turns that are busy, between two looks at descriptors */
#define SPIN_MIN	INT64_C(50000)
#define SPIN_MAX	INT64_C(2000000)

static const char usage[] =
	"usage: dmm-rdma [OPTION]...\n"
	"  --config FILE         read options from a file: KEY VALUE in each line\n"
	"  --address ADDR        of an RDMA device of this machine (all that they have)\n"
	"  --name NAME           of the stack, as in rules (rdma)\n"
	"  --instance NAME       of the instance (the kernel chooses)\n"
	"  --device PATH         (" DMM_DEV_PATH ")\n"
	"  --connections N       per RDMA device, at a time (1000)\n"
	"  --arena MIB           memory for sockets (256)\n"
	"  --sndbuf KIB          that a connection can have in transmission (512)\n"
	"  --rcvbuf KIB          that can wait for an application to read (512)\n"
	"  --weight N            share beside other instances, 1 to 1000 (100)\n"
	"  --spin US|always      look for work before sleeping (20 times what a wake-up takes)\n"
	"  --silence MS          of a peer, until its connections are reset (5000)\n"
	"  --connect-timeout MS  until a peer that does not answer is given up (2000)\n"
	"  --linger MS           for the peer's end, when the application is gone (60000)\n"
	"  --check               only the configuration\n"
	"  --background          go on in the background when ready\n"
	"  --version, --help\n";

static bool several_processors(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 1;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * By how much a timer is late, at best: a wake-up is cheap on the bare machine, and dear in a virtual one
 * whose processor has to be woken up by its host.
 */
static int64_t wake_up_takes(void)
{
	int64_t best = SPIN_MAX, at;
	struct timespec ts;

	prctl(PR_SET_TIMERSLACK, 1);
	for (int i = 0; i < 5; i++) {
		at = rd_clock() + 100000;
		ts = (struct timespec){ at / 1000000000, at % 1000000000 };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		best = smaller(rd_clock() - at, best);
	}
	return best;
}

/* An answer takes some wake-ups at its other end: so long it is better to look than to sleep. */
static int64_t spin(void)
{
	int64_t ns = 20 * wake_up_takes();

	return ns < SPIN_MIN ? SPIN_MIN : smaller(ns, SPIN_MAX);
}

/*
 * Nothing is there to do: let others have the processor once, since an application that was served just
 * now may answer at once, and that is cheaper than a sleep and a wake-up.  Then look again for a while, if
 * the last sleep was so short that looking would have been better, else sleep until something comes.
 */
struct idleness {
	bool yielded;		/* since there was something */
	int64_t since;		/* of the first turn after that without anything; 0: there was something */
	int64_t slept;		/* nanoseconds of the last sleep */
};

static bool looks(struct idleness *idle)
{
	bool again = !idle->yielded;

	if (rd.spin < 0)
		return true;
	if (rd.spin && idle->slept <= rd.spin) {
		idle->since = idle->since ? idle->since : rd.now;
		again |= rd.now - idle->since < rd.spin;
	}
	if (again)
		sched_yield();
	idle->yielded = true;
	return again;
}

static int64_t sleep_for(struct idleness *idle)
{
	int64_t ns = rd_timers();

	if (!ns || looks(idle))
		return 0;
	for (unsigned int i = 0; i < RD_DEVICES_MAX; i++)
		if (rd.devices[i].verbs && rd_device_arm(&rd.devices[i]))
			return 0;
	return dmm_stack_arm(rd.queue) ? 0 : ns;
}

static bool stopped;

static void obey(void *signals)
{
	int sig = daemon_signal(*(int *)signals);

	if (sig == SIGUSR1)
		rd_report();
	else
		stopped = sig;
}

static int wait(struct idleness *idle, int64_t ns)
{
	int64_t start = rd.now;
	int ret = rd_wait(ns);

	if (ns) {
		idle->slept = rd.now - start;
		idle->since = 0;
	} else {
		/* Who is always busy does not come by sleep_for(). */
		rd_timers();
	}
	return ret;
}

static int run(void)
{
	struct idleness idle = { 0 };
	unsigned int turns = 0;
	int64_t ns;
	int ret;

	if (rd.spin == RD_SPIN_AUTO)
		rd.spin = several_processors() ? spin() : 0;
	while (!stopped && !rd.gone) {
		rd.now = rd_clock();
		ret = dmm_stack_poll(rd.queue, 0);
		if (ret < 0)
			return ret;
		if (ret || rd.busy)
			idle = (struct idleness){ .slept = idle.slept };
		ns = ret || rd.busy ? 0 : sleep_for(&idle);
		if (!ns && ++turns % LOOK_AROUND)
			continue;
		ret = wait(&idle, ns);
		if (ret)
			return ret;
	}
	return rd.gone ? -ENODEV : 0;
}

static int serve(const struct daemon_program *program)
{
	int ready = -1, ret = program->background ? daemon_background(&ready) : 0;
	static int signals;
	static struct rd_watch watch = { obey, &signals, false };

	if (ret)
		return ret;
	signals = daemon_signals(SIGUSR1);
	ret = signals < 0 ? signals : rd_start();
	if (!ret)
		ret = rd_watch(signals, &watch);
	if (!ret) {
		daemon_ready(program->name, ready, program->background);
		ret = run();
	}
	rd_stop();
	return ret;
}

int main(int argc, char **argv)
{
	struct daemon_program program = {
		.name = "dmm-rdma",
		.usage = usage,
		.keys = rd_keys,
		.config = &rd.config,
	};
	int ret;

	/* Rings that do not move: peers write into them. */
	rd.config = (struct dmm_stack_config){
		.name = "rdma",
		.ops = &rd_stack_ops,
		.features = DMM_FEAT_PAIR,
		.arena = 256 << 20,
		.sndbuf = 512 << 10,
		.rcvbuf = 512 << 10,
		.caps = DMM_CAP_STREAM | DMM_CAP_INET | DMM_CAP_INET6 | DMM_CAP_LISTEN,
	};
	ret = daemon_parse(&program, argc, argv);
	if (ret >= 0)
		return ret;
	ret = serve(&program);
	if (ret)
		fprintf(stderr, "dmm-rdma: %s\n", strerror(-ret));
	return ret != 0;
}
