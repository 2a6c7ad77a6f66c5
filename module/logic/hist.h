/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A histogram of latencies. There are eight buckets for each power of two. So
 * the bucket of a latency tells its length to an eighth, 12.5 % (G. Tene,
 * HdrHistogram).
 *
 * The unit is 256 ns, and the range ends at 2^36 ns (69 s). A latency below
 * 2048 ns is known to one unit only. A latency above the range is counted in
 * the last bucket.
 *
 *	bucket	 0	 1	... 15	  16	   17	... 23	   24	...
 *	from	 0	 256	... 3840  4096	   4608	... 7680   8192	... ns
 *
 * This file knows no clock and takes no lock. Only one writer at a time may add
 * to a histogram, so each CPU or each lock has its own. A reader may miss the
 * latest additions. Counters have 32 bits and wrap. Any context.
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
#define WEIR_HIST_TOP_BITS	28	/* bits of a latency in units */
static_assert(WEIR_HIST_BUCKETS ==
	      (WEIR_HIST_TOP_BITS - WEIR_HIST_SUB_BITS + 1) * WEIR_HIST_SUBS);

/**
 * struct weir_hist - a histogram; all zeros is an empty one
 * @count: how many latencies fell into each bucket, modulo 2^32. Written by one
 *	writer at a time, read without a lock.
 */
struct weir_hist {
	u32	count[WEIR_HIST_BUCKETS];
};

/**
 * weir_hist_bucket() - the bucket of a latency
 * @ns: the latency in nanoseconds; any value.
 *
 * Return: number of the bucket, less than WEIR_HIST_BUCKETS.
 */
static __always_inline u32 weir_hist_bucket(u64 ns)
{
	u32 units = min_t(u64, ns >> WEIR_HIST_UNIT_BITS,
			  (1U << WEIR_HIST_TOP_BITS) - 1);
	/* keep the four highest bits, and how many bits are below them */
	u32 below = __fls(units | WEIR_HIST_SUBS) - WEIR_HIST_SUB_BITS;

	return below * WEIR_HIST_SUBS + (units >> below);
}

/**
 * weir_hist_count() - count a latency by its bucket
 * @h: the histogram; nobody else adds to it at the same time.
 * @bucket: from weir_hist_bucket().
 */
static __always_inline void weir_hist_count(struct weir_hist *h, u32 bucket)
{
	/* a reader may miss this one; a word is never half written */
	data_race(h->count[bucket]++);
}

/**
 * weir_hist_add() - count a latency
 * @h: the histogram; nobody else adds to it at the same time.
 * @ns: the latency in nanoseconds; any value.
 */
static __always_inline void weir_hist_add(struct weir_hist *h, u64 ns)
{
	weir_hist_count(h, weir_hist_bucket(ns));
}

#endif /* _WEIR_HIST_H */
