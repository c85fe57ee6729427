// SPDX-License-Identifier: GPL-2.0-only
/* What test_stack_lwip_net needs of dmm-lwip. */
#include "../../stacks/lwip/lwip.h"

int lwip_net_config(const char *port, struct dmm_stack_config **config);
int lwip_net_open(struct dmm_stack **stack);

int lwip_net_config(const char *port, struct dmm_stack_config **config)
{
	static const struct daemon_program program = { .keys = lw_keys, .config = &lw.config };

	lw.config = (struct dmm_stack_config){ .name = "lwip", .ops = &lw_stack_ops };
	lw.spin = -1;	/* nobody waits for the port */
	*config = &lw.config;
	return daemon_set(&program, "port", port) || daemon_set(&program, "address", "10.9.0.2/24") ||
	       daemon_set(&program, "address", "fd09::2/64");
}

int lwip_net_open(struct dmm_stack **stack)
{
	int ret = lw_start();

	*stack = lw.stack;
	return ret;
}
