/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of policy-cases share. */
#ifndef DMM_SELFTESTS_POLICY_CASES_H
#define DMM_SELFTESTS_POLICY_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include <dmm/dmm.h>

/**
 * struct flow - a socket that is described
 * @e:		as explain is asked
 * @mapped:	an IPv6 socket with a v4-mapped address
 * @accepted:	a connection that a listener takes: role listen, and a remote end
 */
struct flow {
	struct dmm_explain e;
	bool mapped;
	bool accepted;
};

/**
 * struct outcome - what became of a real socket
 * @failed:	what of its preparation failed, "" if nothing did
 * @err:	of the call that decides, positive; that of a connection that was reset is EACCES
 * @cookie:	of the socket, 0 if there was none left to ask
 */
struct outcome {
	char failed[80];
	int err;
	uint64_t cookie;
	uint32_t mark;
	int tos;
	int keepalive;
	int keepidle;
	int keepintvl;
	int keepcnt;
	char cc[16];
};

/* A network namespace where every address can be used. */
bool socket_namespace(void);

/* Make the socket that @flow describes, in a process that is as @flow says, and have it decided. */
void socket_try(const struct flow *flow, struct outcome *o);

#endif
