// SPDX-License-Identifier: Apache-2.0
/* Options, signals, and the loop. */
#include "rsocket.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <linux/dmm.h>
#include <rdma/rsocket.h>

#include "../common/daemon/daemon.h"

static void usage(FILE *f)
{
	fputs("usage: dmm-rsocket [OPTION]...\n"
	      "  --name NAME       of the stack, as in rules (rsocket)\n"
	      "  --instance NAME   of the instance (the kernel chooses)\n"
	      "  --device PATH     (" DMM_DEV_PATH ")\n"
	      "  --arena MIB       memory for sockets (64)\n"
	      "  --background      go on in the background when ready\n"
	      "  --version, --help\n", f);
}

/* Negative: go on; else the exit status. */
static int parse(struct dmm_stack_config *config, bool *background, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--background")) {
			*background = true;
		} else if (!strcmp(argv[i], "--version")) {
			puts("dmm-rsocket " DMM_VERSION);
			return 0;
		} else if (!strcmp(argv[i], "--help")) {
			usage(stdout);
			return 0;
		} else if (!strcmp(argv[i], "--name") && i + 1 < argc) {
			config->name = argv[++i];
		} else if (!strcmp(argv[i], "--instance") && i + 1 < argc) {
			config->instance = argv[++i];
		} else if (!strcmp(argv[i], "--device") && i + 1 < argc) {
			config->path = argv[++i];
		} else if (!strcmp(argv[i], "--arena") && i + 1 < argc) {
			config->arena = strtoull(argv[++i], NULL, 10) << 20;
		} else {
			usage(stderr);
			return 2;
		}
	}
	return -1;
}

/* Signals to end as something to wait for; a descriptor. */
static int catch_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/*
 * rpoll() takes descriptors of either kind.  It must not time out: when it does it forgets to say that
 * it is over (librdmacm 44), and those after it wait for that for ever.
 */
static int run(struct dmm_stack *stack, int signals)
{
	struct pollfd *fds = NULL;
	int ret = 0, nr, wait;

	rs_queue = dmm_stack_queue(stack, 0);
	do {
		ret = dmm_stack_poll(rs_queue, 0);
		if (ret < 0)
			break;
		wait = ret || dmm_stack_arm(rs_queue) ? 0 : -1;
		nr = rs_descriptors(&fds, 2);
		if (nr < 0)
			break;
		fds[0] = (struct pollfd){ dmm_stack_fd(stack), POLLIN, 0 };
		fds[1] = (struct pollfd){ signals, POLLIN, 0 };
		if (rpoll(fds, nr, wait) > 0)
			rs_act(fds, 2, nr);
	} while (!fds[1].revents);
	free(fds);
	return ret < 0 ? ret : 0;
}

int main(int argc, char **argv)
{
	struct dmm_stack_config config = {
		.name = "rsocket",
		.ops = &rs_stack_ops,
		.caps = DMM_CAP_STREAM | DMM_CAP_INET | DMM_CAP_INET6 | DMM_CAP_LISTEN,
	};
	bool background = false;
	struct dmm_stack *stack;
	int ready = -1, signals, ret;

	ret = parse(&config, &background, argc, argv);
	if (ret >= 0)
		return ret;
	ret = background ? daemon_background(&ready) : 0;
	if (!ret)
		ret = dmm_stack_open(&stack, &config);
	if (!ret) {
		signals = catch_signals();
		daemon_ready("dmm-rsocket", ready, background);
		ret = run(stack, signals);
		dmm_stack_close(stack);
	}
	if (ret)
		fprintf(stderr, "dmm-rsocket: %s\n", strerror(-ret));
	return ret != 0;
}
