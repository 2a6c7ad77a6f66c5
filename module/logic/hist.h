/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A histogram of latencies: eight buckets for each power of two, so a latency
 * is known to an eighth, 12.5 %, however long it is (G. Tene, HdrHistogram).
 *
 * It counts in units of 256 ns, up to 2^36 ns (69 s): below 2048 ns it is a
 * unit that is not known, and what takes longer is counted in the last bucket.
 *
 *	bucket	 0	 1	... 15	  16	   17	... 23	   24	...
 *	from	 0	 256	... 3840  4096	   4608	... 7680   8192	... ns
 *
 * It knows no clock and takes no lock: one at a time may add to a histogram,
 * so each CPU or each lock has its own, and who reads meanwhile sees what was
 * there a moment ago. Counters are of 32 bits and wrap. Any context.
 */
#ifndef _WEIR_HIST_H
#define _WEIR_HIST_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "uapi/weir_route.h"

#define WEIR_HIST_UNIT_BITS	8	/* a unit is 256 ns */
#define WEIR_HIST_SUB_BITS	3	/* eight buckets for a power of two */
#define WEIR_HIST_SUBS		(1U << WEIR_HIST_SUB_BITS)
#define WEIR_HIST_TOP_BITS	28	/* of units; more is cut */
static_assert(WEIR_HIST_BUCKETS ==
	      (WEIR_HIST_TOP_BITS - WEIR_HIST_SUB_BITS + 1) * WEIR_HIST_SUBS);

/**
 * struct weir_hist - a histogram; all zeros is an empty one
 * @count: how many latencies fell into each bucket, modulo 2^32.
 */
struct weir_hist {
	u32	count[WEIR_HIST_BUCKETS];
};

/**
 * weir_hist_bucket() - where a latency is counted
 * @ns: any.
 *
 * Return: number of the bucket.
 */
static __always_inline u32 weir_hist_bucket(u64 ns)
{
	u32 units = min_t(u64, ns >> WEIR_HIST_UNIT_BITS,
			  (1U << WEIR_HIST_TOP_BITS) - 1);
	/* the four highest bits are kept, and how many are below them */
	u32 below = __fls(units | WEIR_HIST_SUBS) - WEIR_HIST_SUB_BITS;

	return below * WEIR_HIST_SUBS + (units >> below);
}

/**
 * weir_hist_count() - count a latency of a bucket
 * @h: the histogram; nobody else adds to it at the same time.
 * @bucket: by weir_hist_bucket().
 */
static __always_inline void weir_hist_count(struct weir_hist *h, u32 bucket)
{
	/* who reads it may miss this one; a word is never half written */
	data_race(h->count[bucket]++);
}

/**
 * weir_hist_add() - count a latency
 * @h: the histogram; nobody else adds to it at the same time.
 * @ns: any.
 */
static __always_inline void weir_hist_add(struct weir_hist *h, u64 ns)
{
	weir_hist_count(h, weir_hist_bucket(ns));
}

#endif /* _WEIR_HIST_H */
