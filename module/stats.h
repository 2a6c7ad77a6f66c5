/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of the host: /sys/kernel/weir/stats and drops; see stats.c. */
#ifndef _WEIR_STATS_H
#define _WEIR_STATS_H

#include <linux/percpu.h>
#include <uapi/weir.h>

/*
 * All counters: X(NAME, name). The files in /sys/kernel/weir/stats are made of
 * this list.
 */
#define WEIR_STAT_LIST(X)						\
	X(SOCKETS, sockets)		/* open now */			\
	X(RINGS, rings)			/* in memory now */		\
	X(RING_BYTES, ring_bytes)	/* in memory now */		\
	X(READERS, readers)		/* attached now */		\
	X(ATTACHES, attaches)						\
	X(DETACHES, detaches)						\
	X(EVICTIONS, evictions)						\
	X(READER_WAKEUPS, reader_wakeups)				\
	X(WRITER_WAKEUPS, writer_wakeups)				\
	/* sent to other CPUs for a sleeper */				\
	X(BARRIERS, barriers)						\
	X(SENT, sent)			/* by sendmsg */		\
	X(RECEIVED, received)		/* by recvmsg */		\
	X(COPIED_BYTES, copied_bytes)	/* by sendmsg and recvmsg */	\
	X(MISSED, missed)		/* by lossy recvmsg readers */	\
	/* rings with invalid head words */				\
	X(BROKEN, broken)						\
	X(NOTICES, notices)		/* posted */			\
	X(NOTICES_DEFERRED, notices_deferred)	/* inbox was full */	\
	X(HUGE_MAPS, huge_maps)		/* large pages put into VMAs */

enum weir_stat {
#define WEIR_STAT_ENUM(_NAME, _name)	WEIR_STAT_##_NAME,
	WEIR_STAT_LIST(WEIR_STAT_ENUM)
#undef WEIR_STAT_ENUM
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
