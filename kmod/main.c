// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dmm.h>
#include <linux/module.h>

#include "connect.h"
#include "dev.h"
#include "family.h"
#include "instance.h"
#include "native.h"
#include "net.h"
#include "netlink.h"
#include "ops.h"
#include "options.h"
#include "record.h"
#include "sock.h"

static int __init dmm_init(void)
{
	int err;

	err = dmm_log_init();
	if (err)
		return err;
	err = dmm_options_init();
	if (err)
		return err;
	err = dmm_sock_init();
	if (err)
		goto out_options;
	err = dmm_native_init(dmm_ops_override);
	if (err)
		goto out_sock;
	err = dmm_net_init();
	if (err)
		goto out_native;
	err = dmm_policy_module_init();
	if (err)
		goto out_net;
	err = dmm_netlink_init();
	if (err)
		goto out_policy;
	err = dmm_connect_init();
	if (err)
		goto out_netlink;
	err = dmm_dev_init();
	if (err)
		goto out_connect;
	err = dmm_family_init();
	if (err)
		goto out_dev;
	return 0;

out_dev:
	dmm_dev_exit();
out_connect:
	dmm_connect_exit();
out_netlink:
	dmm_netlink_exit();
out_policy:
	dmm_policy_module_exit();
out_net:
	dmm_net_exit();
out_native:
	dmm_native_exit();
out_sock:
	dmm_sock_exit();
out_options:
	dmm_options_exit();
	return err;
}

static void __exit dmm_exit(void)
{
	dmm_family_exit();
	dmm_native_drain();
	dmm_dev_exit();
	dmm_connect_exit();
	dmm_instances_exit();
	dmm_netlink_exit();
	dmm_policy_module_exit();
	dmm_net_exit();
	dmm_native_exit();
	dmm_sock_exit();
	dmm_options_exit();
}

module_init(dmm_init);
module_exit(dmm_exit);

MODULE_DESCRIPTION("Routes sockets to transport stacks by policy");
MODULE_VERSION(DMM_VERSION);
MODULE_LICENSE("GPL");
