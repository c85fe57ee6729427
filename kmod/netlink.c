// SPDX-License-Identifier: GPL-2.0-only
#include "netlink.h"

#include <linux/module.h>

static const struct genl_multicast_group groups[] = {
	[DMM_NLGRP_POLICY] = { DMM_MCGRP_POLICY },
	[DMM_NLGRP_DECISION] = { DMM_MCGRP_DECISION },
	[DMM_NLGRP_STACK] = { DMM_MCGRP_STACK },
};

struct genl_family dmm_genl_family __ro_after_init = {
	.name = DMM_GENL_NAME,
	.version = DMM_GENL_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = dmm_nl_ops,
	.n_ops = ARRAY_SIZE(dmm_nl_ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
	/* The core refuses NLM_F_REPLACE from here on; set-add takes it. */
	.resv_start_op = DMM_CMD_SET_ADD + 1,
};

int __init dmm_netlink_init(void)
{
	return genl_register_family(&dmm_genl_family);
}

void dmm_netlink_exit(void)
{
	genl_unregister_family(&dmm_genl_family);
}
