/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dmm

#if !defined(DMM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DMM_TRACE_H

#include <linux/tracepoint.h>
#include <net/sock.h>

#include "decide.h"

#define dmm_trace_reasons \
	{ DMM_REASON_DEFAULT, "default" }, \
	{ DMM_REASON_RULE, "rule" }, \
	{ DMM_REASON_FALLBACK, "fallback" }, \
	{ DMM_REASON_APP, "app" }, \
	{ DMM_REASON_APP_DENIED, "app-denied" }, \
	{ DMM_REASON_REJECTED, "rejected" }, \
	{ DMM_REASON_STRICT, "strict" }, \
	{ DMM_REASON_STRICT_KERNEL, "strict-kernel" }

/* Every decision on a socket.  Strings are fixed arrays: __assign_str() differs. */
TRACE_EVENT(dmm_decide,
	TP_PROTO(const struct sock *sk, const struct dmm_flow *flow,
		 const struct dmm_decision *d),
	TP_ARGS(sk, flow, d),
	TP_STRUCT__entry(
		__field(const void *, sk)
		__field(u64, gen)
		__field(u32, rule)
		__field(u32, prio)
		__field(int, err)
		__field(u8, role)
		__field(u8, type)
		__field(u8, reason)
		__field(u16, sport)
		__field(u16, dport)
		__array(u8, src, 16)
		__array(u8, dst, 16)
		__array(char, stack, DMM_NAME_MAX)
	),
	TP_fast_assign(
		__entry->sk = sk;
		__entry->gen = d->gen;
		__entry->rule = d->rule;
		__entry->prio = d->prio;
		__entry->err = d->err;
		__entry->role = flow->role;
		__entry->type = flow->type;
		__entry->reason = d->reason;
		__entry->sport = flow->sport;
		__entry->dport = flow->dport;
		memcpy(__entry->src, &flow->src, 16);
		memcpy(__entry->dst, &flow->dst, 16);
		memcpy(__entry->stack, d->stack, DMM_NAME_MAX);
	),
	TP_printk("sk=%p role=%s type=%u src=[%pI6c]:%u dst=[%pI6c]:%u stack=%s reason=%s rule=%u prio=%u gen=%llu err=%d",
		  __entry->sk, __entry->role == DMM_ROLE_CONNECT ? "connect" : "listen",
		  __entry->type, __entry->src, __entry->sport, __entry->dst,
		  __entry->dport, __entry->stack,
		  __print_symbolic(__entry->reason, dmm_trace_reasons),
		  __entry->rule, __entry->prio, __entry->gen, __entry->err)
);

#endif /* DMM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
