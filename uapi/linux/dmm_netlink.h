/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/dmm.yaml */
/* YNL-GEN uapi header */

#ifndef _UAPI_LINUX_DMM_NETLINK_H
#define _UAPI_LINUX_DMM_NETLINK_H

#define DMM_GENL_NAME		"dmm"
#define DMM_GENL_VERSION	1

#define DMM_NAME_MAX	32
#define DMM_CGROUP_MAX	256
#define DMM_PRIO_MAX	32766
#define DMM_STACKS_MAX	8

/**
 * enum dmm_role - What the socket does when it is decided.
 */
enum dmm_role {
	DMM_ROLE_ANY,
	DMM_ROLE_CONNECT,
	DMM_ROLE_LISTEN,
};

/**
 * enum dmm_origin - Who installed an object; replace and flush work by origin.
 */
enum dmm_origin {
	DMM_ORIGIN_CLI,
	DMM_ORIGIN_FILE,
	DMM_ORIGIN_CRD,
	DMM_ORIGIN_LEARNED,
};

/**
 * enum dmm_verdict - What a rule, or a decision, says.
 */
enum dmm_verdict {
	DMM_VERDICT_STACK,
	DMM_VERDICT_REJECT,
};

/**
 * enum dmm_reason - Why a socket is where it is.
 * @DMM_REASON_UNDECIDED: No decision yet.
 * @DMM_REASON_DEFAULT: No rule matched; the built-in last rule says kernel.
 * @DMM_REASON_RULE: The first stack of the rule's list.
 * @DMM_REASON_FALLBACK: A later stack of the list, or the kernel behind it,
 *   because those before were not there.
 * @DMM_REASON_APP: The application asked for this stack and the policy allows
 *   it.
 * @DMM_REASON_APP_DENIED: The application asked for a stack that the policy
 *   does not allow here; the rule's own choice was taken.
 * @DMM_REASON_REJECTED: The rule rejects.
 * @DMM_REASON_STRICT: No stack of a strict rule was there; the call failed.
 * @DMM_REASON_STRICT_KERNEL: A strict rule gave the listener wholly to the
 *   kernel.
 */
enum dmm_reason {
	DMM_REASON_UNDECIDED,
	DMM_REASON_DEFAULT,
	DMM_REASON_RULE,
	DMM_REASON_FALLBACK,
	DMM_REASON_APP,
	DMM_REASON_APP_DENIED,
	DMM_REASON_REJECTED,
	DMM_REASON_STRICT,
	DMM_REASON_STRICT_KERNEL,

	/* private: */
	__DMM_REASON_MAX,
	DMM_REASON_MAX = (__DMM_REASON_MAX - 1)
};

/**
 * enum dmm_sock_state - State of a socket that DMM still holds.
 * @DMM_SOCK_CONNECTING: User stacks have been asked to connect it.
 * @DMM_SOCK_CONNECTED: A user stack serves it.
 * @DMM_SOCK_KERNEL: The kernel's stack is connecting it after user stacks did
 *   not; handed over by the next call.
 */
enum dmm_sock_state {
	DMM_SOCK_UNDECIDED,
	DMM_SOCK_LISTENER,
	DMM_SOCK_CONNECTING,
	DMM_SOCK_CONNECTED,
	DMM_SOCK_KERNEL,

	/* private: */
	__DMM_SOCK_MAX,
	DMM_SOCK_MAX = (__DMM_SOCK_MAX - 1)
};

/**
 * enum dmm_key_id - Match keys, as explain names the first one that did not
 *   match.
 */
enum dmm_key_id {
	DMM_KEY_NONE,
	DMM_KEY_ROLE,
	DMM_KEY_TYPE,
	DMM_KEY_FAMILY,
	DMM_KEY_SRC,
	DMM_KEY_DST,
	DMM_KEY_SRC_ZONE,
	DMM_KEY_DST_ZONE,
	DMM_KEY_SPORT,
	DMM_KEY_DPORT,
	DMM_KEY_UID,
	DMM_KEY_GID,
	DMM_KEY_CGROUP,
	DMM_KEY_MARK,
	DMM_KEY_DSCP,
	DMM_KEY_DEV,
	DMM_KEY_COMM,
};

/**
 * enum dmm_rule_flags
 * @DMM_RULE_F_STRICT: Never fall back to a stack that the rule does not name.
 */
enum dmm_rule_flags {
	DMM_RULE_F_STRICT = 1,
};

enum {
	DMM_A_TXN_PAD = 1,
	DMM_A_TXN_GEN,

	__DMM_A_TXN_MAX
};
#define DMM_A_TXN_MAX (__DMM_A_TXN_MAX - 1)

enum {
	DMM_A_ZONE_NAME = 1,
	DMM_A_ZONE_ORIGIN,
	DMM_A_ZONE_PREFIXES,
	DMM_A_ZONE_COUNT,

	__DMM_A_ZONE_MAX
};
#define DMM_A_ZONE_MAX (__DMM_A_ZONE_MAX - 1)

enum {
	DMM_A_SET_NAME = 1,
	DMM_A_SET_ORIGIN,
	DMM_A_SET_RANGES,

	__DMM_A_SET_MAX
};
#define DMM_A_SET_MAX (__DMM_A_SET_MAX - 1)

enum {
	DMM_A_RULE_PAD = 1,
	DMM_A_RULE_ID,
	DMM_A_RULE_PRIO,
	DMM_A_RULE_ORIGIN,
	DMM_A_RULE_ROLE,
	DMM_A_RULE_TYPE,
	DMM_A_RULE_FAMILY,
	DMM_A_RULE_SRC,
	DMM_A_RULE_DST,
	DMM_A_RULE_SRC_ZONE,
	DMM_A_RULE_DST_ZONE,
	DMM_A_RULE_SPORTS,
	DMM_A_RULE_DPORTS,
	DMM_A_RULE_SPORT_SET,
	DMM_A_RULE_DPORT_SET,
	DMM_A_RULE_UID_LO,
	DMM_A_RULE_UID_HI,
	DMM_A_RULE_GID_LO,
	DMM_A_RULE_GID_HI,
	DMM_A_RULE_CGROUP,
	DMM_A_RULE_MARK,
	DMM_A_RULE_MARK_MASK,
	DMM_A_RULE_DSCP,
	DMM_A_RULE_DEV,
	DMM_A_RULE_COMM,
	DMM_A_RULE_VERDICT,
	DMM_A_RULE_FLAGS,
	DMM_A_RULE_STACK,
	DMM_A_RULE_SET_CC,
	DMM_A_RULE_SET_MARK,
	DMM_A_RULE_SET_TOS,
	DMM_A_RULE_SET_KEEPIDLE,
	DMM_A_RULE_SET_KEEPINTVL,
	DMM_A_RULE_SET_KEEPCNT,
	DMM_A_RULE_HITS,
	DMM_A_RULE_MISMATCH,

	__DMM_A_RULE_MAX
};
#define DMM_A_RULE_MAX (__DMM_A_RULE_MAX - 1)

enum {
	DMM_A_STAT_PAD = 1,
	DMM_A_STAT_GEN,
	DMM_A_STAT_AF,
	DMM_A_STAT_RULES,
	DMM_A_STAT_MASKS,
	DMM_A_STAT_ZONES,
	DMM_A_STAT_PREFIXES,
	DMM_A_STAT_SETS,
	DMM_A_STAT_UNDECIDED,
	DMM_A_STAT_LISTENERS,
	DMM_A_STAT_REASONS,
	DMM_A_STAT_CONNECTS,
	DMM_A_STAT_ACCEPTS,
	DMM_A_STAT_LISTENS,
	DMM_A_STAT_OPTION_ERRORS,

	__DMM_A_STAT_MAX
};
#define DMM_A_STAT_MAX (__DMM_A_STAT_MAX - 1)

enum {
	DMM_A_EXPLAIN_PAD = 1,
	DMM_A_EXPLAIN_ROLE,
	DMM_A_EXPLAIN_TYPE,
	DMM_A_EXPLAIN_FAMILY,
	DMM_A_EXPLAIN_SRC,
	DMM_A_EXPLAIN_DST,
	DMM_A_EXPLAIN_SPORT,
	DMM_A_EXPLAIN_DPORT,
	DMM_A_EXPLAIN_UID,
	DMM_A_EXPLAIN_GID,
	DMM_A_EXPLAIN_CGROUP,
	DMM_A_EXPLAIN_MARK,
	DMM_A_EXPLAIN_DSCP,
	DMM_A_EXPLAIN_DEV,
	DMM_A_EXPLAIN_COMM,
	DMM_A_EXPLAIN_WANT,
	DMM_A_EXPLAIN_REPEAT,
	DMM_A_EXPLAIN_GEN,
	DMM_A_EXPLAIN_VERDICT,
	DMM_A_EXPLAIN_STACK,
	DMM_A_EXPLAIN_REASON,
	DMM_A_EXPLAIN_RULE,
	DMM_A_EXPLAIN_PRIO,
	DMM_A_EXPLAIN_ERRNO,
	DMM_A_EXPLAIN_SRC_ZONE,
	DMM_A_EXPLAIN_DST_ZONE,
	DMM_A_EXPLAIN_PS,
	DMM_A_EXPLAIN_TRIED,

	__DMM_A_EXPLAIN_MAX
};
#define DMM_A_EXPLAIN_MAX (__DMM_A_EXPLAIN_MAX - 1)

enum {
	DMM_A_DECISION_PAD = 1,
	DMM_A_DECISION_COOKIE,
	DMM_A_DECISION_TIME,
	DMM_A_DECISION_GEN,
	DMM_A_DECISION_STATE,
	DMM_A_DECISION_ROLE,
	DMM_A_DECISION_TYPE,
	DMM_A_DECISION_FAMILY,
	DMM_A_DECISION_SRC,
	DMM_A_DECISION_DST,
	DMM_A_DECISION_SPORT,
	DMM_A_DECISION_DPORT,
	DMM_A_DECISION_UID,
	DMM_A_DECISION_PID,
	DMM_A_DECISION_COMM,
	DMM_A_DECISION_VERDICT,
	DMM_A_DECISION_STACK,
	DMM_A_DECISION_REASON,
	DMM_A_DECISION_RULE,
	DMM_A_DECISION_PRIO,
	DMM_A_DECISION_ERRNO,

	__DMM_A_DECISION_MAX
};
#define DMM_A_DECISION_MAX (__DMM_A_DECISION_MAX - 1)

enum {
	DMM_CMD_TXN_BEGIN = 1,
	DMM_CMD_TXN_COMMIT,
	DMM_CMD_TXN_ABORT,
	DMM_CMD_FLUSH,
	DMM_CMD_ZONE_ADD,
	DMM_CMD_ZONE_DEL,
	DMM_CMD_ZONE_GET,
	DMM_CMD_SET_ADD,
	DMM_CMD_SET_DEL,
	DMM_CMD_SET_GET,
	DMM_CMD_RULE_ADD,
	DMM_CMD_RULE_DEL,
	DMM_CMD_RULE_GET,
	DMM_CMD_RULE_ZERO,
	DMM_CMD_STAT_GET,
	DMM_CMD_EXPLAIN,
	DMM_CMD_DECISION_GET,
	DMM_CMD_SOCK_GET,

	__DMM_CMD_MAX
};
#define DMM_CMD_MAX (__DMM_CMD_MAX - 1)

#define DMM_MCGRP_POLICY	"policy"
#define DMM_MCGRP_DECISION	"decision"

#endif /* _UAPI_LINUX_DMM_NETLINK_H */
