// SPDX-License-Identifier: GPL-2.0-only
#include "net.h"

#include <net/netns/generic.h>

#include "instance.h"
#include "listen.h"

static unsigned int dmm_net_id __ro_after_init;

struct dmm_net *dmm_net(const struct net *net)
{
	return net_generic(net, dmm_net_id);
}

static int __net_init dmm_net_start(struct net *net)
{
	struct dmm_net *dn = dmm_net(net);
	int err;

	INIT_LIST_HEAD(&dn->services);
	dmm_listen_net_init(net);
	dmm_negative_init(&dn->negative);
	dn->stats = alloc_percpu(struct dmm_stats);
	if (!dn->stats)
		return -ENOMEM;
	err = dmm_policy_init(&dn->policy, net);
	if (err)
		free_percpu(dn->stats);
	return err;
}

static void __net_exit dmm_net_stop(struct net *net)
{
	struct dmm_net *dn = dmm_net(net);

	dmm_instances_leave(net);
	dmm_listen_net_exit(net);
	dmm_negative_exit(&dn->negative);
	dmm_policy_exit(&dn->policy);
	dmm_log_exit(&dn->log);
	free_percpu(dn->stats);
}

static struct pernet_operations dmm_net_ops = {
	.init = dmm_net_start,
	.exit = dmm_net_stop,
	.id = &dmm_net_id,
	.size = sizeof(struct dmm_net),
};

int __init dmm_net_init(void)
{
	return register_pernet_subsys(&dmm_net_ops);
}

void dmm_net_exit(void)
{
	unregister_pernet_subsys(&dmm_net_ops);
}
