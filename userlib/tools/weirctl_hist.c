// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Percentiles of the times that the kernel counts in buckets: eight to a power
 * of two, of times in units of 256 ns, see struct weir_target_entry.
 */
#include <uapi/weir_route.h>

#include "weirctl_hist.h"

#define WEIRCTL_HIST_SHIFT	8

/* The shortest time that falls into bucket @i. */
uint64_t weirctl_hist_low(unsigned int i)
{
	uint64_t value = i;

	if (i >= 8)
		value = (uint64_t)(8 + i % 8) << (i / 8 - 1);
	return value << WEIRCTL_HIST_SHIFT;
}

/**
 * weirctl_hist_percentile() - a percentile of the times counted between two
 * looks
 * @is: buckets now.
 * @was: buckets before, or NULL: all times since the start.
 * @percent: share of the times that are at most @ns, 1 to 100.
 * @ns: out: the longest time of the bucket in which that is, so an eighth too
 *	long at most, unless it is in the last bucket, which has no end.
 *
 * Return: false when nothing was counted.
 */
bool weirctl_hist_percentile(const uint32_t *is, const uint32_t *was,
			     unsigned int percent, uint64_t *ns)
{
	uint64_t total = 0, rank;
	unsigned int i;

	/* the kernel's counts wrap at 32 bits, as the difference does */
	for (i = 0; i < WEIR_HIST_BUCKETS; i++)
		total += (uint32_t)(is[i] - (was ? was[i] : 0));
	if (!total)
		return false;
	rank = (total * percent + 99) / 100;
	for (i = 0; i < WEIR_HIST_BUCKETS - 1; i++) {
		uint32_t n = is[i] - (was ? was[i] : 0);

		if (n >= rank)
			break;
		rank -= n;
	}
	*ns = weirctl_hist_low(i + 1) - 1;
	return true;
}
