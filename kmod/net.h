/* SPDX-License-Identifier: GPL-2.0-only */
/* What DMM keeps per network namespace. */
#ifndef DMM_NET_H
#define DMM_NET_H

#include <linux/percpu.h>
#include <net/net_namespace.h>

#include "negative.h"
#include "policy.h"
#include "record.h"

/**
 * struct dmm_stats - cumulative counters, one copy per CPU
 * @reasons:		decisions by reason
 * @connects:		sockets handed over by connect or send
 * @accepts:		accepted connections handed over
 * @listens:		listens and binds decided
 * @option_errors:	options of a rule that a socket refused
 */
struct dmm_stats {
	u64 reasons[DMM_REASON_MAX + 1];
	u64 connects;
	u64 accepts;
	u64 listens;
	u64 option_errors;
};

/**
 * struct dmm_net - DMM's state of one network namespace
 * @policy:	zones, port sets, rules
 * @log:	the last decisions
 * @stats:	counters
 * @services:	instances of stacks that serve it (instance.c)
 * @negative:	remote ends that instances failed to connect to
 * @listen_work: brings listeners in step with stacks and policy
 * @held:	sockets that DMM holds now, by enum dmm_sock_state
 *
 * Lives as long as the namespace.  Sockets that are tracked hold a reference
 * to the namespace, so none is left when it ends.
 */
struct dmm_net {
	struct dmm_policy policy;
	struct dmm_log log;
	struct dmm_stats __percpu *stats;
	struct list_head services;
	struct dmm_negative negative;
	struct delayed_work listen_work;
	atomic_t held[DMM_SOCK_MAX + 1];
};

struct dmm_net *dmm_net(const struct net *net);

#define dmm_stats_inc(dn, field) this_cpu_inc((dn)->stats->field)

int dmm_net_init(void);
void dmm_net_exit(void);

#endif /* DMM_NET_H */
