// SPDX-License-Identifier: Apache-2.0
/*
 * The objects field by field.  These tables alone know how a structure and its
 * netlink attributes correspond; building and reading of messages, comparison,
 * copies and JSON output walk them.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static const char *const roles[] = {
	[DMM_ROLE_ANY] = "any",
	[DMM_ROLE_CONNECT] = "connect",
	[DMM_ROLE_LISTEN] = "listen",
};

static const char *const origins[] = {
	[DMM_ORIGIN_CLI] = "cli",
	[DMM_ORIGIN_FILE] = "file",
	[DMM_ORIGIN_CRD] = "crd",
	[DMM_ORIGIN_LEARNED] = "learned",
};

static const char *const verdicts[] = {
	[DMM_VERDICT_STACK] = "stack",
	[DMM_VERDICT_REJECT] = "reject",
};

static const char *const reasons[] = {
	[DMM_REASON_UNDECIDED] = "undecided",
	[DMM_REASON_DEFAULT] = "default",
	[DMM_REASON_RULE] = "rule",
	[DMM_REASON_FALLBACK] = "fallback",
	[DMM_REASON_APP] = "app",
	[DMM_REASON_APP_DENIED] = "app-denied",
	[DMM_REASON_REJECTED] = "rejected",
	[DMM_REASON_STRICT] = "strict",
	[DMM_REASON_STRICT_KERNEL] = "strict-kernel",
};

static const char *const states[] = {
	[DMM_SOCK_UNDECIDED] = "undecided",
	[DMM_SOCK_LISTENER] = "listener",
	[DMM_SOCK_CONNECTING] = "connecting",
	[DMM_SOCK_CONNECTED] = "connected",
	[DMM_SOCK_KERNEL] = "kernel",
};

static const char *const healths[] = {
	[DMM_HEALTH_OK] = "ok",
	[DMM_HEALTH_BROKEN] = "broken",
};

static const char *const candidates[] = {
	[DMM_CANDIDATE_OK] = "ok",
	[DMM_CANDIDATE_ABSENT] = "absent",
	[DMM_CANDIDATE_CAPABILITY] = "capability",
	[DMM_CANDIDATE_ADDRESS] = "address",
	[DMM_CANDIDATE_BROKEN] = "broken",
	[DMM_CANDIDATE_FAILING] = "failing",
};

/* Bits DMM_CAP_*. */
static const char *const caps[] = { "stream", "dgram", "inet", "inet6", "listen" };

static const char *const keys[] = {
	[DMM_KEY_NONE] = "none",
	[DMM_KEY_ROLE] = "role",
	[DMM_KEY_TYPE] = "type",
	[DMM_KEY_FAMILY] = "family",
	[DMM_KEY_SRC] = "src",
	[DMM_KEY_DST] = "dst",
	[DMM_KEY_SRC_ZONE] = "src-zone",
	[DMM_KEY_DST_ZONE] = "dst-zone",
	[DMM_KEY_SPORT] = "sport",
	[DMM_KEY_DPORT] = "dport",
	[DMM_KEY_UID] = "uid",
	[DMM_KEY_GID] = "gid",
	[DMM_KEY_CGROUP] = "cgroup",
	[DMM_KEY_MARK] = "mark",
	[DMM_KEY_DSCP] = "dscp",
	[DMM_KEY_DEV] = "dev",
	[DMM_KEY_COMM] = "comm",
};

/* SOCK_* and AF_*, by the names that rules have for them. */
static const char *const types[] = { [SOCK_STREAM] = "tcp", [SOCK_DGRAM] = "udp" };
static const char *const families[] = { [AF_INET] = "inet", [AF_INET6] = "inet6" };

#define F(_type, _field, _kind, _name)						\
	{ .name = _name, .kind = DMM_KIND_##_kind,				\
	  .offset = offsetof(struct dmm_##_type, _field) }
#define E(_type, _field, _kind, _name, _names)					\
	{ .name = _name, .kind = DMM_KIND_##_kind,				\
	  .offset = offsetof(struct dmm_##_type, _field),			\
	  .names = _names, .nr_names = ARRAY_SIZE(_names) }
#define TYPE(_type)								\
	const struct dmm_type dmm_type_##_type = {				\
		_type##_fields, ARRAY_SIZE(_type##_fields), sizeof(struct dmm_##_type) }

static const struct dmm_field txn_fields[] = {
	[DMM_A_TXN_GEN] = F(txn, gen, U64, "gen"),
};
TYPE(txn);

static const struct dmm_field zone_fields[] = {
	[DMM_A_ZONE_NAME] = F(zone, name, STR, "name"),
	[DMM_A_ZONE_ORIGIN] = E(zone, origin, U8, "origin", origins),
	[DMM_A_ZONE_PREFIXES] = F(zone, prefixes, PREFIXES, "prefixes"),
	[DMM_A_ZONE_COUNT] = F(zone, count, U32, "count"),
};
TYPE(zone);

static const struct dmm_field set_fields[] = {
	[DMM_A_SET_NAME] = F(set, name, STR, "name"),
	[DMM_A_SET_ORIGIN] = E(set, origin, U8, "origin", origins),
	[DMM_A_SET_RANGES] = F(set, ranges, PORTS, "ranges"),
};
TYPE(set);

static const struct dmm_field group_fields[] = {
	[DMM_A_GROUP_NAME] = F(group, name, STR, "name"),
	[DMM_A_GROUP_ORIGIN] = E(group, origin, U8, "origin", origins),
	[DMM_A_GROUP_MEMBERS] = F(group, members, MEMBERS, "members"),
};
TYPE(group);

static const struct dmm_field rule_fields[] = {
	[DMM_A_RULE_ID] = F(rule, id, U32, "id"),
	[DMM_A_RULE_PRIO] = F(rule, prio, U32, "prio"),
	[DMM_A_RULE_ORIGIN] = E(rule, origin, U8, "origin", origins),
	[DMM_A_RULE_ROLE] = E(rule, role, U8, "role", roles),
	[DMM_A_RULE_TYPE] = E(rule, type, U8, "type", types),
	[DMM_A_RULE_FAMILY] = E(rule, family, U8, "family", families),
	[DMM_A_RULE_SRC] = F(rule, src, PREFIX, "src"),
	[DMM_A_RULE_DST] = F(rule, dst, PREFIX, "dst"),
	[DMM_A_RULE_SRC_ZONE] = F(rule, src_zone, STR, "src-zone"),
	[DMM_A_RULE_DST_ZONE] = F(rule, dst_zone, STR, "dst-zone"),
	[DMM_A_RULE_SPORTS] = F(rule, sports, PORTS, "sports"),
	[DMM_A_RULE_DPORTS] = F(rule, dports, PORTS, "dports"),
	[DMM_A_RULE_SPORT_SET] = F(rule, sport_set, STR, "sport-set"),
	[DMM_A_RULE_DPORT_SET] = F(rule, dport_set, STR, "dport-set"),
	[DMM_A_RULE_UID_LO] = F(rule, uid_lo, U32, "uid-lo"),
	[DMM_A_RULE_UID_HI] = F(rule, uid_hi, U32, "uid-hi"),
	[DMM_A_RULE_GID_LO] = F(rule, gid_lo, U32, "gid-lo"),
	[DMM_A_RULE_GID_HI] = F(rule, gid_hi, U32, "gid-hi"),
	[DMM_A_RULE_CGROUP] = F(rule, cgroup, STR, "cgroup"),
	[DMM_A_RULE_MARK] = F(rule, mark, U32, "mark"),
	[DMM_A_RULE_MARK_MASK] = F(rule, mark_mask, U32, "mark-mask"),
	[DMM_A_RULE_DSCP] = F(rule, dscp, U8, "dscp"),
	[DMM_A_RULE_DEV] = F(rule, dev, STR, "dev"),
	[DMM_A_RULE_COMM] = F(rule, comm, STR, "comm"),
	[DMM_A_RULE_VERDICT] = E(rule, verdict, U8, "verdict", verdicts),
	[DMM_A_RULE_FLAGS] = F(rule, flags, U32, "flags"),
	[DMM_A_RULE_STACK] = F(rule, stack, NAMES, "stack"),
	[DMM_A_RULE_SET_CC] = F(rule, set_cc, STR, "set-cc"),
	[DMM_A_RULE_SET_MARK] = F(rule, set_mark, U32, "set-mark"),
	[DMM_A_RULE_SET_TOS] = F(rule, set_tos, U8, "set-tos"),
	[DMM_A_RULE_SET_KEEPIDLE] = F(rule, set_keepidle, U32, "set-keepidle"),
	[DMM_A_RULE_SET_KEEPINTVL] = F(rule, set_keepintvl, U32, "set-keepintvl"),
	[DMM_A_RULE_SET_KEEPCNT] = F(rule, set_keepcnt, U32, "set-keepcnt"),
	[DMM_A_RULE_HITS] = F(rule, hits, U64, "hits"),
	[DMM_A_RULE_MISMATCH] = E(rule, mismatch, U8, "mismatch", keys),
	[DMM_A_RULE_GROUP] = F(rule, group, STR, "group"),
	[DMM_A_RULE_TIMEOUT] = F(rule, timeout, U32, "timeout"),
	[DMM_A_RULE_RACE] = F(rule, race, U32, "race"),
};
TYPE(rule);

static const struct dmm_field stat_fields[] = {
	[DMM_A_STAT_GEN] = F(stat, gen, U64, "gen"),
	[DMM_A_STAT_AF] = F(stat, af, U32, "af"),
	[DMM_A_STAT_RULES] = F(stat, rules, U32, "rules"),
	[DMM_A_STAT_MASKS] = F(stat, masks, U32, "masks"),
	[DMM_A_STAT_ZONES] = F(stat, zones, U32, "zones"),
	[DMM_A_STAT_PREFIXES] = F(stat, prefixes, U32, "prefixes"),
	[DMM_A_STAT_SETS] = F(stat, sets, U32, "sets"),
	[DMM_A_STAT_UNDECIDED] = F(stat, undecided, U32, "undecided"),
	[DMM_A_STAT_LISTENERS] = F(stat, listeners, U32, "listeners"),
	[DMM_A_STAT_REASONS] = E(stat, reasons, COUNTERS, "reasons", reasons),
	[DMM_A_STAT_CONNECTS] = F(stat, connects, U64, "connects"),
	[DMM_A_STAT_ACCEPTS] = F(stat, accepts, U64, "accepts"),
	[DMM_A_STAT_LISTENS] = F(stat, listens, U64, "listens"),
	[DMM_A_STAT_OPTION_ERRORS] = F(stat, option_errors, U64, "option-errors"),
	[DMM_A_STAT_GROUPS] = F(stat, groups, U32, "groups"),
	[DMM_A_STAT_CONNECTING] = F(stat, connecting, U32, "connecting"),
	[DMM_A_STAT_CONNECTED] = F(stat, connected, U32, "connected"),
	[DMM_A_STAT_FAILING] = F(stat, failing, U32, "failing"),
};
TYPE(stat);

static const struct dmm_field explain_fields[] = {
	[DMM_A_EXPLAIN_ROLE] = E(explain, role, U8, "role", roles),
	[DMM_A_EXPLAIN_TYPE] = E(explain, type, U8, "type", types),
	[DMM_A_EXPLAIN_FAMILY] = E(explain, family, U8, "family", families),
	[DMM_A_EXPLAIN_SRC] = F(explain, src, PREFIX, "src"),
	[DMM_A_EXPLAIN_DST] = F(explain, dst, PREFIX, "dst"),
	[DMM_A_EXPLAIN_SPORT] = F(explain, sport, U16, "sport"),
	[DMM_A_EXPLAIN_DPORT] = F(explain, dport, U16, "dport"),
	[DMM_A_EXPLAIN_UID] = F(explain, uid, U32, "uid"),
	[DMM_A_EXPLAIN_GID] = F(explain, gid, U32, "gid"),
	[DMM_A_EXPLAIN_CGROUP] = F(explain, cgroup, STR, "cgroup"),
	[DMM_A_EXPLAIN_MARK] = F(explain, mark, U32, "mark"),
	[DMM_A_EXPLAIN_DSCP] = F(explain, dscp, U8, "dscp"),
	[DMM_A_EXPLAIN_DEV] = F(explain, dev, STR, "dev"),
	[DMM_A_EXPLAIN_COMM] = F(explain, comm, STR, "comm"),
	[DMM_A_EXPLAIN_WANT] = F(explain, want, STR, "want"),
	[DMM_A_EXPLAIN_REPEAT] = F(explain, repeat, U32, "repeat"),
	[DMM_A_EXPLAIN_GEN] = F(explain, gen, U64, "gen"),
	[DMM_A_EXPLAIN_VERDICT] = E(explain, verdict, U8, "verdict", verdicts),
	[DMM_A_EXPLAIN_STACK] = F(explain, stack, STR, "stack"),
	[DMM_A_EXPLAIN_REASON] = E(explain, reason, U32, "reason", reasons),
	[DMM_A_EXPLAIN_RULE] = F(explain, rule, U32, "rule"),
	[DMM_A_EXPLAIN_PRIO] = F(explain, prio, U32, "prio"),
	[DMM_A_EXPLAIN_ERRNO] = F(explain, error, U32, "errno"),
	[DMM_A_EXPLAIN_SRC_ZONE] = F(explain, src_zone, STR, "src-zone"),
	[DMM_A_EXPLAIN_DST_ZONE] = F(explain, dst_zone, STR, "dst-zone"),
	[DMM_A_EXPLAIN_PS] = F(explain, ps, U64, "ps"),
	[DMM_A_EXPLAIN_CANDIDATES] = E(explain, candidates, CANDIDATES, "candidates", candidates),
};
TYPE(explain);

static const struct dmm_field decision_fields[] = {
	[DMM_A_DECISION_COOKIE] = F(decision, cookie, U64, "cookie"),
	[DMM_A_DECISION_TIME] = F(decision, time, U64, "time"),
	[DMM_A_DECISION_GEN] = F(decision, gen, U64, "gen"),
	[DMM_A_DECISION_STATE] = E(decision, state, U8, "state", states),
	[DMM_A_DECISION_ROLE] = E(decision, role, U8, "role", roles),
	[DMM_A_DECISION_TYPE] = E(decision, type, U8, "type", types),
	[DMM_A_DECISION_FAMILY] = E(decision, family, U8, "family", families),
	[DMM_A_DECISION_SRC] = F(decision, src, PREFIX, "src"),
	[DMM_A_DECISION_DST] = F(decision, dst, PREFIX, "dst"),
	[DMM_A_DECISION_SPORT] = F(decision, sport, U16, "sport"),
	[DMM_A_DECISION_DPORT] = F(decision, dport, U16, "dport"),
	[DMM_A_DECISION_UID] = F(decision, uid, U32, "uid"),
	[DMM_A_DECISION_PID] = F(decision, pid, U32, "pid"),
	[DMM_A_DECISION_COMM] = F(decision, comm, STR, "comm"),
	[DMM_A_DECISION_VERDICT] = E(decision, verdict, U8, "verdict", verdicts),
	[DMM_A_DECISION_STACK] = F(decision, stack, STR, "stack"),
	[DMM_A_DECISION_REASON] = E(decision, reason, U32, "reason", reasons),
	[DMM_A_DECISION_RULE] = F(decision, rule, U32, "rule"),
	[DMM_A_DECISION_PRIO] = F(decision, prio, U32, "prio"),
	[DMM_A_DECISION_ERRNO] = F(decision, error, U32, "errno"),
	[DMM_A_DECISION_INSTANCE] = F(decision, instance, STR, "instance"),
	[DMM_A_DECISION_QUEUE] = F(decision, queue, U32, "queue"),
	[DMM_A_DECISION_TX_USED] = F(decision, tx_used, U32, "tx-used"),
	[DMM_A_DECISION_TX_SIZE] = F(decision, tx_size, U32, "tx-size"),
	[DMM_A_DECISION_RX_USED] = F(decision, rx_used, U32, "rx-used"),
	[DMM_A_DECISION_RX_SIZE] = F(decision, rx_size, U32, "rx-size"),
	[DMM_A_DECISION_INODE] = F(decision, inode, U32, "inode"),
	[DMM_A_DECISION_TCP_STATE] = F(decision, tcp_state, U8, "tcp-state"),
	[DMM_A_DECISION_RTO] = F(decision, rto, U32, "rto"),
	[DMM_A_DECISION_RTT] = F(decision, rtt, U32, "rtt"),
	[DMM_A_DECISION_RTTVAR] = F(decision, rttvar, U32, "rttvar"),
	[DMM_A_DECISION_MSS] = F(decision, mss, U32, "mss"),
	[DMM_A_DECISION_CWND] = F(decision, cwnd, U32, "cwnd"),
	[DMM_A_DECISION_SSTHRESH] = F(decision, ssthresh, U32, "ssthresh"),
	[DMM_A_DECISION_UNACKED] = F(decision, unacked, U32, "unacked"),
	[DMM_A_DECISION_RETRANS] = F(decision, retrans, U32, "retrans"),
	[DMM_A_DECISION_RETRANS_TOTAL] = F(decision, retrans_total, U32, "retrans-total"),
	[DMM_A_DECISION_BYTES_ACKED] = F(decision, bytes_acked, U64, "bytes-acked"),
	[DMM_A_DECISION_BYTES_RECEIVED] = F(decision, bytes_received, U64, "bytes-received"),
};
TYPE(decision);

static const struct dmm_field instance_fields[] = {
	[DMM_A_STACK_STACK] = F(instance, stack, STR, "stack"),
	[DMM_A_STACK_INSTANCE] = F(instance, instance, STR, "instance"),
	[DMM_A_STACK_ID] = F(instance, id, U32, "id"),
	[DMM_A_STACK_PID] = F(instance, pid, U32, "pid"),
	[DMM_A_STACK_COMM] = F(instance, comm, STR, "comm"),
	[DMM_A_STACK_HEALTH] = E(instance, health, U8, "health", healths),
	[DMM_A_STACK_SHARED] = F(instance, shared, U8, "shared"),
	[DMM_A_STACK_CAPS] = E(instance, caps, BITS, "caps", caps),
	[DMM_A_STACK_WEIGHT] = F(instance, weight, U32, "weight"),
	[DMM_A_STACK_QUEUES] = F(instance, queues, U32, "queues"),
	[DMM_A_STACK_LIVE] = F(instance, live, U32, "live"),
	[DMM_A_STACK_LISTENERS] = F(instance, listeners, U32, "listeners"),
	[DMM_A_STACK_CONNS_MAX] = F(instance, conns_max, U32, "conns-max"),
	[DMM_A_STACK_ARENA] = F(instance, arena, U64, "arena"),
	[DMM_A_STACK_TAKEOVERS] = F(instance, takeovers, U32, "takeovers"),
	[DMM_A_STACK_ADDRESSES] = F(instance, addresses, PREFIXES, "addresses"),
	[DMM_A_STACK_CONNECTS] = F(instance, connects, U64, "connects"),
	[DMM_A_STACK_ACCEPTS] = F(instance, accepts, U64, "accepts"),
	[DMM_A_STACK_FAILURES] = F(instance, failures, U64, "failures"),
	[DMM_A_STACK_RESETS] = F(instance, resets, U64, "resets"),
	[DMM_A_STACK_BAD_EVENTS] = F(instance, bad_events, U64, "bad-events"),
	[DMM_A_STACK_BAD_RINGS] = F(instance, bad_rings, U64, "bad-rings"),
	[DMM_A_STACK_ENTERS] = F(instance, enters, U64, "enters"),
	[DMM_A_STACK_WAKE_UPS] = F(instance, wake_ups, U64, "wake-ups"),
	[DMM_A_STACK_EVENTS_DOWN] = F(instance, events_down, U64, "events-down"),
	[DMM_A_STACK_EVENTS_UP] = F(instance, events_up, U64, "events-up"),
	[DMM_A_STACK_NETNS_FD] = F(instance, netns_fd, U32, "netns-fd"),
	[DMM_A_STACK_NETNS_PID] = F(instance, netns_pid, U32, "netns-pid"),
};
TYPE(instance);

static const struct dmm_type *const types_of[DMM_CMD_MAX + 1] = {
	[DMM_CMD_TXN_BEGIN] = &dmm_type_txn,
	[DMM_CMD_TXN_COMMIT] = &dmm_type_txn,
	[DMM_CMD_TXN_ABORT] = &dmm_type_txn,
	[DMM_CMD_FLUSH] = &dmm_type_zone,
	[DMM_CMD_ZONE_ADD] = &dmm_type_zone,
	[DMM_CMD_ZONE_DEL] = &dmm_type_zone,
	[DMM_CMD_ZONE_GET] = &dmm_type_zone,
	[DMM_CMD_SET_ADD] = &dmm_type_set,
	[DMM_CMD_SET_DEL] = &dmm_type_set,
	[DMM_CMD_SET_GET] = &dmm_type_set,
	[DMM_CMD_RULE_ADD] = &dmm_type_rule,
	[DMM_CMD_RULE_DEL] = &dmm_type_rule,
	[DMM_CMD_RULE_GET] = &dmm_type_rule,
	[DMM_CMD_RULE_ZERO] = &dmm_type_rule,
	[DMM_CMD_STAT_GET] = &dmm_type_stat,
	[DMM_CMD_EXPLAIN] = &dmm_type_explain,
	[DMM_CMD_DECISION_GET] = &dmm_type_decision,
	[DMM_CMD_SOCK_GET] = &dmm_type_decision,
	[DMM_CMD_GROUP_ADD] = &dmm_type_group,
	[DMM_CMD_GROUP_SET] = &dmm_type_group,
	[DMM_CMD_GROUP_DEL] = &dmm_type_group,
	[DMM_CMD_GROUP_GET] = &dmm_type_group,
	[DMM_CMD_STACK_GET] = &dmm_type_instance,
	[DMM_CMD_STACK_SHARE] = &dmm_type_instance,
	[DMM_CMD_STACK_UNSHARE] = &dmm_type_instance,
	[DMM_CMD_STACK_FLUSH] = &dmm_type_instance,
	[DMM_CMD_STACK_ADD] = &dmm_type_instance,
	[DMM_CMD_STACK_DEL] = &dmm_type_instance,
};

const struct dmm_type *dmm_type_of(unsigned int cmd)
{
	return cmd <= DMM_CMD_MAX ? types_of[cmd] : NULL;
}

DMM_EXPORT const struct dmm_field *dmm_fields(unsigned int cmd, unsigned int *nr)
{
	const struct dmm_type *t = dmm_type_of(cmd);

	*nr = t ? t->nr : 0;
	return t ? t->fields : NULL;
}

static const char *name_of(const char *const *names, unsigned int nr, unsigned int i)
{
	return i < nr ? names[i] : NULL;
}

DMM_EXPORT const char *dmm_role_name(unsigned int role)
{
	return name_of(roles, ARRAY_SIZE(roles), role);
}

DMM_EXPORT const char *dmm_origin_name(unsigned int origin)
{
	return name_of(origins, ARRAY_SIZE(origins), origin);
}

DMM_EXPORT const char *dmm_verdict_name(unsigned int verdict)
{
	return name_of(verdicts, ARRAY_SIZE(verdicts), verdict);
}

DMM_EXPORT const char *dmm_reason_name(unsigned int reason)
{
	return name_of(reasons, ARRAY_SIZE(reasons), reason);
}

DMM_EXPORT const char *dmm_key_name(unsigned int key)
{
	return name_of(keys, ARRAY_SIZE(keys), key);
}

DMM_EXPORT const char *dmm_candidate_name(unsigned int status)
{
	return name_of(candidates, ARRAY_SIZE(candidates), status);
}

DMM_EXPORT const char *dmm_state_name(unsigned int state)
{
	return name_of(states, ARRAY_SIZE(states), state);
}

int dmm_name_find(const char *const *names, unsigned int nr, const char *s, size_t len)
{
	for (unsigned int i = 0; i < nr; i++)
		if (names[i] && strlen(names[i]) == len && !memcmp(names[i], s, len))
			return i;
	return -ENOENT;
}

int dmm_origin_find(const char *s, size_t len)
{
	return dmm_name_find(origins, ARRAY_SIZE(origins), s, len);
}

static const uint8_t kind_size[] = {
	[DMM_KIND_U8] = 1,
	[DMM_KIND_U16] = 2,
	[DMM_KIND_U32] = 4,
	[DMM_KIND_U64] = 8,
	[DMM_KIND_BITS] = 4,
	[DMM_KIND_PREFIX] = sizeof(struct dmm_prefix),
};

static bool ports_equal(const struct dmm_ports *a, const struct dmm_ports *b)
{
	return a->nr == b->nr && (!a->nr || !memcmp(a->v, b->v, a->nr * sizeof(*a->v)));
}

static bool prefixes_equal(const struct dmm_prefixes *a, const struct dmm_prefixes *b)
{
	return a->nr == b->nr && (!a->nr || !memcmp(a->v, b->v, a->nr * sizeof(*a->v)));
}

/* Their names are filled up with zeros. */
static bool members_equal(const struct dmm_members *a, const struct dmm_members *b)
{
	return a->nr == b->nr && (!a->nr || !memcmp(a->v, b->v, a->nr * sizeof(*a->v)));
}

static bool names_equal(const struct dmm_names *a, const struct dmm_names *b)
{
	if (a->nr != b->nr)
		return false;
	for (uint32_t i = 0; i < a->nr; i++)
		if (strcmp(a->v[i], b->v[i]))
			return false;
	return true;
}

bool dmm_field_equal(const struct dmm_field *f, const void *a, const void *b)
{
	const void *pa = dmm_field_ptr(f, a), *pb = dmm_field_ptr(f, b);

	switch (f->kind) {
	case DMM_KIND_STR:
		return !strcmp(*(const char *const *)pa, *(const char *const *)pb);
	case DMM_KIND_PREFIXES:
		return prefixes_equal(pa, pb);
	case DMM_KIND_PORTS:
		return ports_equal(pa, pb);
	case DMM_KIND_NAMES:
		return names_equal(pa, pb);
	case DMM_KIND_MEMBERS:
		return members_equal(pa, pb);
	case DMM_KIND_COUNTERS:
		return !memcmp(pa, pb, sizeof(struct dmm_counters));
	default:
		return !memcmp(pa, pb, kind_size[f->kind]);
	}
}

static int names_copy(struct dmm_arena *a, struct dmm_names *n)
{
	for (uint32_t i = 0; i < n->nr; i++) {
		n->v[i] = dmm_arena_dup(a, n->v[i], strlen(n->v[i]) + 1);
		if (!n->v[i])
			return -ENOMEM;
	}
	return 0;
}

/* Replace what a field points to by a copy. */
static int field_copy(const struct dmm_field *f, struct dmm_arena *a, void *p)
{
	const char **str = p;
	struct dmm_ports *ports = p;
	struct dmm_prefixes *prefixes = p;
	struct dmm_members *members = p;
	struct dmm_candidates *cand = p;

	switch (f->kind) {
	case DMM_KIND_STR:
		*str = dmm_arena_dup(a, *str, strlen(*str) + 1);
		return *str ? 0 : -ENOMEM;
	case DMM_KIND_PORTS:
		ports->v = dmm_arena_dup(a, ports->v, ports->nr * sizeof(*ports->v));
		return ports->v ? 0 : -ENOMEM;
	case DMM_KIND_PREFIXES:
		prefixes->v = dmm_arena_dup(a, prefixes->v, prefixes->nr * sizeof(*prefixes->v));
		return prefixes->v ? 0 : -ENOMEM;
	case DMM_KIND_MEMBERS:
		members->v = dmm_arena_dup(a, members->v, members->nr * sizeof(*members->v));
		return members->v ? 0 : -ENOMEM;
	case DMM_KIND_CANDIDATES:
		cand->v = dmm_arena_dup(a, cand->v, cand->nr * sizeof(*cand->v));
		return cand->v ? 0 : -ENOMEM;
	case DMM_KIND_NAMES:
		return names_copy(a, p);
	default:
		return 0;
	}
}

int dmm_object_copy(const struct dmm_type *t, struct dmm_arena *a, void *to, const void *from)
{
	uint64_t has = dmm_has(from);
	int err;

	memcpy(to, from, t->size);
	for (; has; has &= has - 1) {
		const struct dmm_field *f = &t->fields[__builtin_ctzll(has)];

		err = field_copy(f, a, dmm_field_ptr(f, to));
		if (err)
			return err;
	}
	return 0;
}
