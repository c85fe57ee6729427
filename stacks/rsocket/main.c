// SPDX-License-Identifier: Apache-2.0
/* Options, signals, and the loop. */
#include "rsocket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/dmm.h>
#include <rdma/rsocket.h>

#include "../common/daemon/config.h"
#include "../common/daemon/daemon.h"

static const char usage[] =
	"usage: dmm-rsocket [OPTION]...\n"
	"  --config FILE     read options from a file: KEY VALUE in each line\n"
	"  --name NAME       of the stack, as in rules (rsocket)\n"
	"  --instance NAME   of the instance (the kernel chooses)\n"
	"  --device PATH     (" DMM_DEV_PATH ")\n"
	"  --arena MIB       memory for sockets (64)\n"
	"  --weight N        share beside other instances, 1 to 1000 (100)\n"
	"  --check           only the configuration\n"
	"  --background      go on in the background when ready\n"
	"  --version, --help\n";

/*
 * rpoll() takes descriptors of either kind.  It must not time out: when it does it forgets to say that
 * it is over (librdmacm 44), and those after it wait for that for ever.
 */
static int run(struct dmm_stack *stack, int signals)
{
	struct pollfd *fds = NULL;
	int ret = 0, clock = rs_clock(), nr, wait;

	if (clock < 0)
		return clock;
	rs_queue = dmm_stack_queue(stack, 0);
	do {
		ret = dmm_stack_poll(rs_queue, 0);
		if (ret < 0)
			break;
		wait = ret || dmm_stack_arm(rs_queue) ? 0 : -1;
		nr = rs_descriptors(&fds, 3);
		if (nr < 0)
			break;
		fds[0] = (struct pollfd){ dmm_stack_fd(stack), POLLIN, 0 };
		fds[1] = (struct pollfd){ signals, POLLIN, 0 };
		fds[2] = (struct pollfd){ clock, POLLIN, 0 };
		if (rpoll(fds, nr, wait) > 0) {
			rs_act(fds, 3, nr);
			if (fds[2].revents)
				rs_accept();
		}
	} while (!fds[1].revents);
	free(fds);
	return ret < 0 ? ret : 0;
}

int main(int argc, char **argv)
{
	static const struct daemon_key keys[] = { { 0 } };
	struct dmm_stack_config config = {
		.name = "rsocket",
		.ops = &rs_stack_ops,
		.caps = DMM_CAP_STREAM | DMM_CAP_INET | DMM_CAP_INET6 | DMM_CAP_LISTEN,
	};
	struct daemon_program program = {
		.name = "dmm-rsocket",
		.usage = usage,
		.keys = keys,
		.config = &config,
	};
	int ready = -1, signals, ret = daemon_parse(&program, argc, argv);
	struct dmm_stack *stack;

	if (ret >= 0)
		return ret;
	ret = program.background ? daemon_background(&ready) : 0;
	if (!ret)
		ret = dmm_stack_open(&stack, &config);
	if (!ret) {
		signals = daemon_signals(0);
		daemon_ready(program.name, ready, program.background);
		ret = signals < 0 ? signals : run(stack, signals);
		dmm_stack_close(stack);
	}
	if (ret)
		fprintf(stderr, "dmm-rsocket: %s\n", strerror(-ret));
	return ret != 0;
}
