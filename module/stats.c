// SPDX-License-Identifier: GPL-2.0
/* Counters of the whole host; ctl/sysfs.c shows them. */
#include "stats.h"
#include "trace.h"

DEFINE_PER_CPU(u64[WEIR_STAT_MAX], weir_stats);
DEFINE_PER_CPU(u64[WEIR_REASON_MAX], weir_drops);

/**
 * weir_drop() - count and trace a drop, a refusal or an eviction
 * @name: path concerned, or "".
 * @reason: the reason.
 *
 * Any context.
 */
void weir_drop(const char *name, enum weir_reason reason)
{
	this_cpu_inc(weir_drops[reason]);
	trace_weir_drop(name, reason);
}
