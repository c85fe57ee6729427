/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dmm

#if !defined(DMM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DMM_TRACE_H

#include <linux/tracepoint.h>
#include <net/sock.h>

#include "decide.h"
#include "instance.h"

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

#define dmm_trace_events \
	{ DMM_EV_CONNECT, "connect" }, \
	{ DMM_EV_LISTEN, "listen" }, \
	{ DMM_EV_BIND, "bind" }, \
	{ DMM_EV_ACCEPT, "accept" }, \
	{ DMM_EV_REFUSE, "refuse" }, \
	{ DMM_EV_RESUME, "resume" }, \
	{ DMM_EV_TX_DATA, "tx-data" }, \
	{ DMM_EV_RX_SPACE, "rx-space" }, \
	{ DMM_EV_SHUTDOWN, "shutdown" }, \
	{ DMM_EV_CLOSE, "close" }, \
	{ DMM_EV_OPTION, "option" }, \
	{ DMM_EV_CONNECTED, "connected" }, \
	{ DMM_EV_LISTENING, "listening" }, \
	{ DMM_EV_INCOMING, "incoming" }, \
	{ DMM_EV_PAIR, "pair" }, \
	{ DMM_EV_RX_DATA, "rx-data" }, \
	{ DMM_EV_RX_FULL, "rx-full" }, \
	{ DMM_EV_TX_SPACE, "tx-space" }, \
	{ DMM_EV_EOF, "eof" }, \
	{ DMM_EV_ERROR, "error" }, \
	{ DMM_EV_CLOSED, "closed" }

/*
 * An event as it is put into a ring, or found there: what a stack says may make no
 * sense.
 */
DECLARE_EVENT_CLASS(dmm_event,
	TP_PROTO(const struct dmm_queue *q, const struct dmm_event *ev),
	TP_ARGS(q, ev),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(u32, queue)
		__field(s32, value)
		__field(u16, type)
		__field(u16, flags)
		__array(char, stack, DMM_NAME_MAX)
		__array(char, instance, DMM_NAME_MAX)
	),
	TP_fast_assign(
		__entry->conn = ev->conn;
		__entry->queue = q->nr;
		__entry->value = ev->value;
		__entry->type = ev->type;
		__entry->flags = ev->flags;
		memcpy(__entry->stack, q->inst->reg.name, DMM_NAME_MAX);
		memcpy(__entry->instance, q->inst->reg.instance, DMM_NAME_MAX);
	),
	TP_printk("%s@%s queue=%u %s conn=0x%llx value=%d flags=0x%x",
		  __entry->stack, __entry->instance, __entry->queue,
		  __print_symbolic(__entry->type, dmm_trace_events),
		  __entry->conn, __entry->value, __entry->flags)
);

DEFINE_EVENT(dmm_event, dmm_event_down,
	TP_PROTO(const struct dmm_queue *q, const struct dmm_event *ev),
	TP_ARGS(q, ev)
);

/* One whose answer finds no room comes again. */
DEFINE_EVENT(dmm_event, dmm_event_up,
	TP_PROTO(const struct dmm_queue *q, const struct dmm_event *ev),
	TP_ARGS(q, ev)
);

/* Somebody waits for an event of this queue, and is woken. */
TRACE_EVENT(dmm_wake_up,
	TP_PROTO(const struct dmm_queue *q),
	TP_ARGS(q),
	TP_STRUCT__entry(
		__field(u32, queue)
		__array(char, stack, DMM_NAME_MAX)
		__array(char, instance, DMM_NAME_MAX)
	),
	TP_fast_assign(
		__entry->queue = q->nr;
		memcpy(__entry->stack, q->inst->reg.name, DMM_NAME_MAX);
		memcpy(__entry->instance, q->inst->reg.instance, DMM_NAME_MAX);
	),
	TP_printk("%s@%s queue=%u", __entry->stack, __entry->instance, __entry->queue)
);

#endif /* DMM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
