/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic netlink family "dmm"; its handlers are in nl_*.c. */
#ifndef DMM_NETLINK_H
#define DMM_NETLINK_H

#include <net/genetlink.h>

#include "netlink_gen.h"

struct dmm_instance;
struct dmm_record;
struct net;

extern struct genl_family dmm_genl_family;

/* Tell the decision group. */
void dmm_netlink_decided(struct net *net, const struct dmm_record *rec);

/* Tell the stack group that an instance serves the namespace, or no longer. */
void dmm_netlink_stack(struct net *net, struct dmm_instance *inst, bool serves);

int dmm_netlink_init(void);
void dmm_netlink_exit(void);

#endif /* DMM_NETLINK_H */
