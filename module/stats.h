/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of the host: /sys/kernel/weir/stats and drops; see stats.c. */
#ifndef _WEIR_STATS_H
#define _WEIR_STATS_H

#include <linux/percpu.h>
#include <uapi/weir.h>

enum weir_stat {
	WEIR_STAT_SOCKETS,		/* open now */
	WEIR_STAT_RINGS,		/* in memory now */
	WEIR_STAT_RING_BYTES,		/* in memory now */
	WEIR_STAT_READERS,		/* attached now */
	WEIR_STAT_ATTACHES,
	WEIR_STAT_DETACHES,
	WEIR_STAT_EVICTIONS,
	WEIR_STAT_READER_WAKEUPS,
	WEIR_STAT_WRITER_WAKEUPS,
	WEIR_STAT_BARRIERS,		/* sent to other CPUs for a sleeper */
	WEIR_STAT_SENT,			/* by sendmsg */
	WEIR_STAT_RECEIVED,		/* by recvmsg */
	WEIR_STAT_COPIED_BYTES,		/* by sendmsg and recvmsg */
	WEIR_STAT_MISSED,		/* by lossy recvmsg readers */
	WEIR_STAT_BROKEN,		/* rings with invalid head words */
	WEIR_STAT_NOTICES,		/* posted */
	WEIR_STAT_NOTICES_DEFERRED,	/* inbox was full */
	WEIR_STAT_HUGE_MAPS,		/* large pages put into VMAs */
	WEIR_STAT_MAX
};

DECLARE_PER_CPU(u64[WEIR_STAT_MAX], weir_stats);
DECLARE_PER_CPU(u64[WEIR_REASON_MAX], weir_drops);

static inline void weir_stat_add(enum weir_stat stat, s64 n)
{
	this_cpu_add(weir_stats[stat], n);
}

static inline void weir_stat_inc(enum weir_stat stat)
{
	weir_stat_add(stat, 1);
}

void weir_drop(const char *name, enum weir_reason reason);

#endif /* _WEIR_STATS_H */
