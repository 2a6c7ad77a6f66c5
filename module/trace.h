/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of weir: every change of a stream's state, every attachment and
 * its end, every wake-up, every drop, with enum weir_reason.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM weir

#if !defined(_WEIR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _WEIR_TRACE_H

#include <linux/tracepoint.h>
#include <uapi/weir_route.h>
#include "weir.h"

/* The members of a list of uapi/, by number: programs know no enumerators. */
#define WEIR_TRACE_NAME(_name, _number, _text, ...)	{ _number, _text },
/* Behind the last comma of a list. */
#define WEIR_TRACE_END					{ -1, "?" }

#define weir_show_reason(reason)					\
	__print_symbolic(reason,					\
			 WEIR_REASON_LIST(WEIR_TRACE_NAME) WEIR_TRACE_END)

#define weir_show_guard(guard)						\
	__print_symbolic(guard,						\
			 WEIR_GUARD_LIST(WEIR_TRACE_NAME) WEIR_TRACE_END)

#define weir_show_state(state)						\
	__print_symbolic(state,						\
			 WEIR_STATE_LIST(WEIR_TRACE_NAME) WEIR_TRACE_END)

#define weir_show_target(state)						\
	__print_symbolic(state,						\
			 WEIR_TARGET_STATE_LIST(WEIR_TRACE_NAME) WEIR_TRACE_END)

TRACE_EVENT(weir_attach,
	TP_PROTO(const struct weir_ring *ring, u32 slot, u32 id),
	TP_ARGS(ring, slot, id),
	TP_STRUCT__entry(
		__field(unsigned long, ring)
		__field(u32, slot)
		__field(u32, id)
		__string(name, ring->name)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->slot = slot;
		__entry->id = id;
		weir_assign_str(name, ring->name);
	),
	TP_printk("stream %lu %s slot %u as %u", __entry->ring,
		  __get_str(name), __entry->slot, __entry->id)
);

DECLARE_EVENT_CLASS(weir_reader_end,
	TP_PROTO(const struct weir_ring *ring, u32 slot, u32 id, u32 reason),
	TP_ARGS(ring, slot, id, reason),
	TP_STRUCT__entry(
		__field(unsigned long, ring)
		__field(u32, slot)
		__field(u32, id)
		__field(u32, reason)
		__string(name, ring->name)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->slot = slot;
		__entry->id = id;
		__entry->reason = reason;
		weir_assign_str(name, ring->name);
	),
	TP_printk("stream %lu %s slot %u as %u reason %s", __entry->ring,
		  __get_str(name), __entry->slot, __entry->id,
		  weir_show_reason(__entry->reason))
);

DEFINE_EVENT(weir_reader_end, weir_detach,
	TP_PROTO(const struct weir_ring *ring, u32 slot, u32 id, u32 reason),
	TP_ARGS(ring, slot, id, reason));

DEFINE_EVENT(weir_reader_end, weir_evict,
	TP_PROTO(const struct weir_ring *ring, u32 slot, u32 id, u32 reason),
	TP_ARGS(ring, slot, id, reason));

TRACE_EVENT(weir_state,
	TP_PROTO(const struct weir_ring *ring, u32 state, u32 reason),
	TP_ARGS(ring, state, reason),
	TP_STRUCT__entry(
		__field(unsigned long, ring)
		__field(u32, state)
		__field(u32, reason)
		__string(name, ring->name)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->state = state;
		__entry->reason = reason;
		weir_assign_str(name, ring->name);
	),
	TP_printk("stream %lu %s state %s reason %s", __entry->ring,
		  __get_str(name), weir_show_state(__entry->state),
		  weir_show_reason(__entry->reason))
);

TRACE_EVENT(weir_wake,
	TP_PROTO(const struct weir_ring *ring, u32 woken),
	TP_ARGS(ring, woken),
	TP_STRUCT__entry(
		__field(unsigned long, ring)
		__field(u32, woken)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->woken = woken;
	),
	TP_printk("stream %lu woken %u", __entry->ring, __entry->woken)
);

TRACE_EVENT(weir_refuse,
	TP_PROTO(const char *path, const struct weir_refusal *refusal, u32 tag),
	TP_ARGS(path, refusal, tag),
	TP_STRUCT__entry(
		__field(u64, target)
		__field(u32, reason)
		__field(u32, guard)
		__field(u32, tag)
		__string(path, path)
	),
	TP_fast_assign(
		__entry->target = refusal->target;
		__entry->reason = refusal->reason;
		__entry->guard = refusal->guard;
		__entry->tag = tag;
		weir_assign_str(path, path);
	),
	TP_printk("%s reason %s guard %s target %llu tag %u", __get_str(path),
		  weir_show_reason(__entry->reason),
		  weir_show_guard(__entry->guard), __entry->target,
		  __entry->tag)
);

TRACE_EVENT(weir_target,
	TP_PROTO(u64 target, u32 state),
	TP_ARGS(target, state),
	TP_STRUCT__entry(
		__field(u64, target)
		__field(u32, state)
	),
	TP_fast_assign(
		__entry->target = target;
		__entry->state = state;
	),
	TP_printk("target %llu %s", __entry->target,
		  weir_show_target(__entry->state))
);

TRACE_EVENT(weir_drop,
	TP_PROTO(const char *path, u32 reason),
	TP_ARGS(path, reason),
	TP_STRUCT__entry(
		__field(u32, reason)
		__string(path, path)
	),
	TP_fast_assign(
		__entry->reason = reason;
		weir_assign_str(path, path);
	),
	TP_printk("%s reason %s", __get_str(path),
		  weir_show_reason(__entry->reason))
);

#endif /* _WEIR_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
