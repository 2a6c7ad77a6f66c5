// SPDX-License-Identifier: GPL-2.0
/* What is asked of a histogram when all has been counted. */
#include "hist.h"

/* The least that a bucket counts. */
uint64_t hist_low(unsigned int bucket)
{
	unsigned int below = bucket >> HIST_SUB_BITS;

	if (below < 2)
		return bucket;
	below--;
	return (uint64_t)(bucket - (below << HIST_SUB_BITS)) << below;
}

void hist_merge(struct hist *to, const struct hist *h)
{
	unsigned int i;

	to->n += h->n;
	if (h->max > to->max)
		to->max = h->max;
	for (i = 0; i < HIST_BUCKETS; i++)
		to->count[i] += h->count[i];
}

/*
 * The time that this part of 100 did not exceed, to a bucket; 0: there are
 * none.
 */
uint64_t hist_percentile(const struct hist *h, double percent)
{
	double want = (double)h->n * percent / 100;
	uint64_t sum = 0, high;
	unsigned int i;

	for (i = 0; i < HIST_BUCKETS; i++) {
		sum += h->count[i];
		if (!sum || (double)sum < want)
			continue;
		high = hist_low(i + 1) - 1;
		return high < h->max ? high : h->max;
	}
	return h->max;
}
