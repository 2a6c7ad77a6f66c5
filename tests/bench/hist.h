/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A histogram of latencies in ns: 64 buckets for each power of two, so each is
 * known to 1.6 % (G. Tene, HdrHistogram). What takes longer than 2^40 ns, 18
 * minutes, is counted as that.
 */
#ifndef WEIR_BENCH_HIST_H
#define WEIR_BENCH_HIST_H

#include <stdint.h>
#include <stdio.h>

#define HIST_SUB_BITS	6
#define HIST_TOP_BITS	40
#define HIST_BUCKETS	((HIST_TOP_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

/**
 * struct hist - a histogram; all zeros is an empty one
 * @n: latencies counted.
 * @max: the longest.
 * @count: how many in each bucket.
 */
struct hist {
	uint64_t	n;
	uint64_t	max;
	uint32_t	count[HIST_BUCKETS];
};

static inline unsigned int hist_bucket(uint64_t ns)
{
	unsigned int below;

	if (ns >> HIST_TOP_BITS)
		ns = (UINT64_C(1) << HIST_TOP_BITS) - 1;
	if (ns < 1U << HIST_SUB_BITS)
		return (unsigned int)ns;
	/* the highest bits are kept, and how many are below them */
	below = 63 - HIST_SUB_BITS - (unsigned int)__builtin_clzll(ns);
	return (below << HIST_SUB_BITS) + (unsigned int)(ns >> below);
}

static inline void hist_add(struct hist *h, uint64_t ns)
{
	h->n++;
	if (ns > h->max)
		h->max = ns;
	h->count[hist_bucket(ns)]++;
}

uint64_t hist_low(unsigned int bucket);
void hist_merge(struct hist *to, const struct hist *h);
uint64_t hist_percentile(const struct hist *h, double percent);

#endif /* WEIR_BENCH_HIST_H */
