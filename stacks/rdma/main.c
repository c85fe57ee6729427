// SPDX-License-Identifier: Apache-2.0
/* Options, signals, and the loop. */
#include "rdma.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <linux/dmm.h>

#include "../common/daemon/daemon.h"

#define LOOK_AROUND	32u	/* turns that are busy, between two looks at descriptors */

struct options {
	bool background, check;
};

static volatile sig_atomic_t stopped, reported;

static void usage(FILE *f)
{
	fputs("usage: dmm-rdma [OPTION]...\n"
	      "  --config FILE         read options from a file: KEY VALUE in each line\n"
	      "  --address ADDR        of an RDMA device of this machine (all that they have)\n"
	      "  --name NAME           of the stack, as in rules (rdma)\n"
	      "  --instance NAME       of the instance (the kernel chooses)\n"
	      "  --device PATH         (" DMM_DEV_PATH ")\n"
	      "  --connections N       per RDMA device, at a time (1000)\n"
	      "  --arena MIB           memory for sockets (256)\n"
	      "  --sndbuf KIB          that a connection can have in transmission (128)\n"
	      "  --rcvbuf KIB          that can wait for an application to read (128)\n"
	      "  --weight N            share beside other instances, 1 to 1000 (100)\n"
	      "  --spin US|always      look for work before sleeping (50)\n"
	      "  --silence MS          of a peer, until its connections are reset (5000)\n"
	      "  --connect-timeout MS  until a peer that does not answer is given up (2000)\n"
	      "  --linger MS           for the peer's end, when the application is gone (60000)\n"
	      "  --check               only the configuration\n"
	      "  --background          go on in the background when ready\n"
	      "  --version, --help\n", f);
}

static int complain(const char *what)
{
	fprintf(stderr, "dmm-rdma: %s\n", what);
	return 2;
}

/* An option that is not a key of the configuration.  Negative: go on; 0: exit; 1: it is a key. */
static int parse_other(struct options *o, const char *name)
{
	if (!strcmp(name, "background")) {
		o->background = true;
	} else if (!strcmp(name, "check")) {
		o->check = true;
	} else if (!strcmp(name, "version")) {
		puts("dmm-rdma " DMM_VERSION);
		return 0;
	} else if (!strcmp(name, "help")) {
		usage(stdout);
		return 0;
	} else {
		return 1;
	}
	return -1;
}

static int parse(struct options *o, int argc, char **argv)
{
	int status, ret;

	for (int i = 1; i < argc; i++) {
		const char *name = argv[i] + 2, *value;

		if (strncmp(argv[i], "--", 2)) {
			usage(stderr);
			return 2;
		}
		status = parse_other(o, name);
		if (!status)
			return 0;
		if (status < 0)
			continue;
		value = i + 1 == argc ? "" : argv[++i];
		ret = strcmp(name, "config") ? rd_set(name, value) : rd_config_file(value);
		if (ret)
			return complain(rd_config_error());
	}
	return -1;
}

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		reported = 1;
	else
		stopped = 1;
}

/* Signals come in ppoll() only, so that none is lost before it. */
static void catch_signals(sigset_t *waiting)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGUSR1 };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigaction(signals[i], &sa, NULL);
		sigaddset(&set, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &set, waiting);
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigdelset(waiting, signals[i]);
}

static bool several_processors(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 1;
}

/*
 * Nothing is there to do: look again for a while, if the last sleep was so short that looking would
 * have been better, else sleep until something comes.
 */
struct idleness {
	int64_t since;		/* of the first turn without anything; 0: there was something */
	int64_t slept;		/* nanoseconds of the last sleep */
};

static bool looks(struct idleness *idle)
{
	if (rd.spin < 0)
		return true;
	if (!rd.spin || idle->slept > rd.spin)
		return false;
	idle->since = idle->since ? idle->since : rd.now;
	return rd.now - idle->since < rd.spin;
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

#define FDS_MAX	(2 + 2 * RD_DEVICES_MAX)

/* Two for each device, in the order of rd.devices. */
static unsigned int descriptors(struct pollfd *fds)
{
	unsigned int n = 0;

	fds[n++] = (struct pollfd){ dmm_stack_fd(rd.stack), POLLIN, 0 };
	fds[n++] = (struct pollfd){ rd.cm->fd, POLLIN, 0 };
	for (unsigned int i = 0; i < RD_DEVICES_MAX; i++) {
		const struct rd_device *d = &rd.devices[i];

		fds[n++] = (struct pollfd){ d->verbs ? d->channel->fd : -1, POLLIN, 0 };
		fds[n++] = (struct pollfd){ d->verbs ? d->verbs->async_fd : -1, POLLIN, 0 };
	}
	return n;
}

static void act(const struct pollfd *fds)
{
	if (fds[1].revents)
		rd_cm_events();
	for (unsigned int i = 0; i < RD_DEVICES_MAX; i++) {
		if (fds[2 + 2 * i].revents)
			rd_device_told(&rd.devices[i]);
		if (fds[3 + 2 * i].revents)
			rd_device_async(&rd.devices[i]);
	}
}

static int wait(struct idleness *idle, int64_t ns, const sigset_t *waiting)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };
	struct pollfd fds[FDS_MAX];
	int64_t start = rd_clock();
	int nr = ppoll(fds, descriptors(fds), ns < 0 ? NULL : &ts, waiting);

	if (nr < 0 && errno != EINTR)
		return -errno;
	rd.now = rd_clock();
	if (ns) {
		idle->slept = rd.now - start;
		idle->since = 0;
	}
	if (nr > 0)
		act(fds);
	/* Who is always busy does not come by sleep_for(). */
	if (!ns)
		rd_timers();
	return 0;
}

static int run(const sigset_t *waiting)
{
	struct idleness idle = { 0 };
	unsigned int turns = 0;
	int64_t ns;
	int ret;

	if (!several_processors() && rd.spin > 0)
		rd.spin = 0;
	while (!stopped && !rd.gone) {
		rd.now = rd_clock();
		ret = dmm_stack_poll(rd.queue, 0);
		if (ret < 0)
			return ret;
		ns = 0;
		if (ret || rd.busy)
			idle.since = 0;
		else
			ns = sleep_for(&idle);
		if (!ns && ++turns % LOOK_AROUND)
			continue;
		ret = wait(&idle, ns, waiting);
		if (ret)
			return ret;
		if (reported)
			rd_report();
		reported = 0;
	}
	return rd.gone ? -ENODEV : 0;
}

static int serve(const struct options *o)
{
	int ready = -1, ret = o->background ? daemon_background(&ready) : 0;
	sigset_t waiting;

	if (ret)
		return ret;
	catch_signals(&waiting);
	ret = rd_start();
	if (!ret) {
		daemon_ready("dmm-rdma", ready, o->background);
		ret = run(&waiting);
	}
	rd_stop();
	return ret;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	int ret;

	/* Rings that do not move: peers write into them. */
	rd.config = (struct dmm_stack_config){
		.name = "rdma",
		.ops = &rd_stack_ops,
		.features = DMM_FEAT_PAIR,
		.arena = 256 << 20,
		.sndbuf = 128 << 10,
		.rcvbuf = 128 << 10,
		.caps = DMM_CAP_STREAM | DMM_CAP_INET | DMM_CAP_INET6 | DMM_CAP_LISTEN,
	};
	ret = parse(&o, argc, argv);
	if (ret >= 0)
		return ret;
	if (o.check)
		return 0;
	ret = serve(&o);
	if (ret)
		fprintf(stderr, "dmm-rdma: %s\n", strerror(-ret));
	return ret != 0;
}
