/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets that are described in netlink attributes. */
#ifndef DMM_NL_EXPLAIN_H
#define DMM_NL_EXPLAIN_H

#include <net/netlink.h>

#include "policy.h"

/**
 * dmm_nl_get_flow() - the flow that a request describes
 * @flow:	the flow; its strings are in the request
 * @listening:	the flow is a listen() or bind(), whose remote is not known
 * @request:	the message
 * @tb:		its attributes, DMM_A_EXPLAIN_*
 * @extack:	for the error message
 *
 * Defaults: connect, SOCK_STREAM, unspecified addresses of AF_INET, and the
 * uid and gid of the sender.
 */
int dmm_nl_get_flow(struct dmm_flow *flow, bool *listening,
		    const struct sk_buff *request, struct nlattr **tb,
		    struct netlink_ext_ack *extack);

#endif /* DMM_NL_EXPLAIN_H */
