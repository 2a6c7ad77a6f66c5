/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What both acts' reports are made of: latencies, and the first reason to fail.
 */
#ifndef DEMO_FIGURES_H
#define DEMO_FIGURES_H

#include <stddef.h>
#include <stdint.h>

/* 32 buckets for each power of two: within 3 % of the truth. */
#define HISTOGRAM_BUCKETS	(60 * 32)

/**
 * struct histogram - latencies in nanoseconds
 * @bucket: how many of about this value.
 * @most: the largest.
 */
struct histogram {
	uint64_t	bucket[HISTOGRAM_BUCKETS];
	uint64_t	most;
};

static inline void histogram_add(struct histogram *h, uint64_t ns)
{
	unsigned int i = (unsigned int)ns;

	if (ns >= 32) {
		unsigned int shift = 58 - (unsigned int)__builtin_clzll(ns);

		i = (shift + 1) * 32 + (unsigned int)(ns >> shift & 31);
	}
	h->bucket[i]++;
	if (ns > h->most)
		h->most = ns;
}

void histogram_merge(struct histogram *to, const struct histogram *h);
uint64_t percentile(const struct histogram *h, double part);

/* "1.5ms"; returns @words. */
const char *time_words(uint64_t ns, char *words, size_t room);

/* p50 to the longest, under this head; no newline. */
#define LATENCY_HEAD	"     p50     p90     p99   p99.9     max"

void print_latencies(const struct histogram *h);

/* Remembers the first reason to fail. */
__attribute__((format(printf, 2, 3)))
void object(const char **why, const char *format, ...);

#endif /* DEMO_FIGURES_H */
