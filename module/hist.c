// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the histogram of hist.h.
 */
#include <linux/kernel.h>
#include <linux/math64.h>

#include "hist.h"

#define WEIR_HIST_WHOLE	100000U		/* what shares are parts of */

/**
 * weir_hist_bucket_low_ns() - where a bucket begins
 * @i: its number; WEIR_HIST_BUCKETS or more: where the last one ends.
 *
 * Return: the shortest latency that is counted in it.
 */
u64 weir_hist_bucket_low_ns(u32 i)
{
	u32 below;

	if (i < WEIR_HIST_SUBS)
		return (u64)i << WEIR_HIST_UNIT_BITS;
	i = min_t(u32, i, WEIR_HIST_BUCKETS);
	below = i / WEIR_HIST_SUBS - 1;
	return (u64)(WEIR_HIST_SUBS + i % WEIR_HIST_SUBS) <<
	       (below + WEIR_HIST_UNIT_BITS);
}

/**
 * weir_hist_merge() - add a histogram to a sum
 * @counts: the sum, WEIR_HIST_BUCKETS counters.
 * @h: what is added; it may be counted in meanwhile.
 */
void weir_hist_merge(u64 *counts, const struct weir_hist *h)
{
	u32 i;

	for (i = 0; i < WEIR_HIST_BUCKETS; i++)
		counts[i] += READ_ONCE(h->count[i]);
}

/**
 * weir_hist_percentile_ns() - the latency that a share of all do not exceed
 * @counts: WEIR_HIST_BUCKETS counters; their sum is less than 2^64.
 * @per_100k: the share in 1/100000: 50000 for the median, 99900 for the 99.9th
 *	percentile; more than 100000 is taken for 100000, and 0 for the least.
 *
 * Return: the longest latency of its bucket, so it is not less than the exact
 * one and at most an eighth or 255 ns more, whichever is more, unless that is
 * beyond the last bucket; 0 if nothing has been counted.
 */
u64 weir_hist_percentile_ns(const u64 *counts, u32 per_100k)
{
	u64 sum = 0, rank, share;
	u32 i, rest;

	for (i = 0; i < WEIR_HIST_BUCKETS; i++)
		sum += counts[i];
	if (!sum)
		return 0;
	per_100k = min(per_100k, WEIR_HIST_WHOLE);
	/* rounded up, in two parts for the product may be too large */
	share = div_u64_rem(sum, WEIR_HIST_WHOLE, &rest);
	rank = share * per_100k +
	       div_u64((u64)rest * per_100k + WEIR_HIST_WHOLE - 1,
		       WEIR_HIST_WHOLE);
	rank = max_t(u64, rank, 1);
	for (i = 0; i < WEIR_HIST_BUCKETS - 1 && counts[i] < rank; i++)
		rank -= counts[i];
	return weir_hist_bucket_low_ns(i + 1) - 1;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_hist_bucket_low_ns);
EXPORT_SYMBOL_IF_KUNIT(weir_hist_merge);
EXPORT_SYMBOL_IF_KUNIT(weir_hist_percentile_ns);
#endif
