// SPDX-License-Identifier: Apache-2.0
/* Options, signals, and the hand-over to a successor. */
#include "loop.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/dmm.h>

#include "../common/daemon/config.h"
#include "../common/daemon/daemon.h"

struct daemon {
	struct loop loop;
	struct dmm_stack_config config;
	struct dmm_stack *stack;
	const char *takeover;	/* UNIX socket of the predecessor, and for a successor */
	bool background;
	int ready;		/* who started us reads from the other end; -1: nobody */
	int offer;
	int signals;
};

static void usage(FILE *f)
{
	fputs("usage: dmm-loop [OPTION]...\n"
	      "  -n, --name NAME       of the stack, as in rules (loop)\n"
	      "  -i, --instance NAME   of the instance (the kernel chooses)\n"
	      "  -d, --device PATH     (" DMM_DEV_PATH ")\n"
	      "  -a, --arena MIB       memory for listeners and datagrams (64)\n"
	      "  -w, --weight N        share beside other instances, 1 to 1000 (100)\n"
	      "  -j, --join LIST       namespaces that are one: numbers with commas between, or all\n"
	      "  -t, --takeover PATH   take over from the instance that offers itself at this UNIX\n"
	      "                        socket, if there is one; then offer there\n"
	      "  -b, --background      go on in the background when ready\n"
	      "  -V, --version\n"
	      "  -h, --help\n", f);
}

static int bad(const char *what, const char *value)
{
	fprintf(stderr, "dmm-loop: %s: %s\n", what, value);
	return 2;
}

/* Negative: go on; else the exit status. */
static int parse_option(struct daemon *d, int c)
{
	unsigned long value;

	switch (c) {
	case 'n':
		d->config.name = optarg;
		break;
	case 'i':
		d->config.instance = optarg;
		break;
	case 'd':
		d->config.path = optarg;
		break;
	case 'a':
		if (daemon_number(optarg, 1, DMM_ARENA_MAX >> 20, &value))
			return bad("not a number of MiB", optarg);
		d->config.arena = (uint64_t)value << 20;
		break;
	case 'w':
		if (daemon_number(optarg, 1, 1000, &value))
			return bad("not a weight", optarg);
		d->config.weight = value;
		break;
	case 'j':
		if (loop_join_parse(&d->loop, optarg))
			return bad("not a list of namespaces", optarg);
		break;
	case 't':
		d->takeover = optarg;
		break;
	case 'b':
		d->background = true;
		break;
	case 'V':
		puts("dmm-loop " DMM_VERSION);
		return 0;
	case 'h':
		usage(stdout);
		return 0;
	default:
		usage(stderr);
		return 2;
	}
	return -1;
}

static int parse(struct daemon *d, int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "instance", required_argument, NULL, 'i' },
		{ "device", required_argument, NULL, 'd' },
		{ "arena", required_argument, NULL, 'a' },
		{ "weight", required_argument, NULL, 'w' },
		{ "join", required_argument, NULL, 'j' },
		{ "takeover", required_argument, NULL, 't' },
		{ "background", no_argument, NULL, 'b' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c, status = -1;

	while (status < 0 && (c = getopt_long(argc, argv, "n:i:d:a:w:j:t:bVh", options, NULL)) != -1)
		status = parse_option(d, c);
	if (status < 0 && optind < argc) {
		usage(stderr);
		status = 2;
	}
	return status;
}

/* From the predecessor if there is one; a socket that nobody listens at is left over. */
static int start(struct daemon *d)
{
	int channel, fd, ret;

	fd = d->takeover ? dmm_stack_receive(d->takeover, &channel) : -ENOENT;
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return dmm_stack_open(&d->stack, &d->config);
	if (fd < 0)
		return fd;
	ret = dmm_stack_takeover(&d->stack, &d->config, fd);
	dmm_stack_received(channel, ret);
	return ret;
}

static int offer(struct daemon *d)
{
	if (!d->takeover)
		return 0;
	d->offer = dmm_stack_offer(d->takeover);
	return d->offer < 0 ? d->offer : 0;
}

/* Work until there is something else to do; the descriptors say what. */
static int work(struct daemon *d, struct pollfd fds[3])
{
	struct dmm_queue *q = dmm_stack_queue(d->stack, 0);
	struct timespec ts, *timeout;
	int64_t ns;
	int ret;

	for (;;) {
		ret = dmm_stack_poll(q, 0);
		if (ret < 0)
			return ret;
		ns = dmm_stack_arm(q) ? 0 : loop_dgram_timers(&d->loop);
		ts = (struct timespec){ ns / 1000000000, ns % 1000000000 };
		timeout = ns < 0 ? NULL : &ts;
		if (ppoll(fds, 3, timeout, NULL) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents || fds[2].revents)
			return 0;
	}
}

/* Until a signal, or until a successor has taken over. */
static int run(struct daemon *d)
{
	struct pollfd fds[3] = {
		{ dmm_stack_fd(d->stack), POLLIN, 0 },
		{ d->signals, POLLIN, 0 },
		{ d->offer, POLLIN, 0 },
	};
	int ret;

	for (;;) {
		ret = work(d, fds);
		if (ret || fds[1].revents)
			return ret;
		ret = dmm_stack_send(d->stack, d->offer);
		if (!ret)
			return -ESTALE;
		fprintf(stderr, "dmm-loop: a successor failed: %s\n", strerror(-ret));
	}
}

static int serve(struct daemon *d)
{
	int ret = d->background ? daemon_background(&d->ready) : 0;

	if (!ret)
		d->signals = daemon_signals(0);
	if (!ret)
		ret = d->signals < 0 ? d->signals : start(d);
	if (!ret)
		ret = offer(d);
	if (!ret) {
		daemon_ready("dmm-loop", d->ready, d->background);
		ret = run(d);
	}
	/* A successor has its own socket at the path. */
	if (d->offer >= 0 && ret != -ESTALE)
		unlink(d->takeover);
	dmm_stack_close(d->stack);
	loop_exit(&d->loop);
	return ret == -ESTALE ? 0 : ret;
}

int main(int argc, char **argv)
{
	struct daemon d = {
		.config = {
			.name = "loop",
			.ops = &loop_ops,
			.required = DMM_FEAT_PAIR,
			.caps = DMM_CAPS_ALL,
			/* A pair has two, and none of the arena. */
			.conns = 65536,
		},
		.ready = -1,
		.offer = -1,
		.signals = -1,
	};
	int ret;

	loop_init(&d.loop);
	d.config.arg = &d.loop;
	ret = parse(&d, argc, argv);
	if (ret >= 0)
		return ret;
	ret = serve(&d);
	if (ret)
		fprintf(stderr, "dmm-loop: %s\n", strerror(-ret));
	return ret != 0;
}
