/* SPDX-License-Identifier: GPL-2.0-only */
/* The operations that DMM replaces while it holds a socket. */
#ifndef DMM_OPS_H
#define DMM_OPS_H

struct proto_ops;

/* Replace members of a copy of the native table for sockets of @type. */
void dmm_ops_override(struct proto_ops *ops, int type);

#endif /* DMM_OPS_H */
