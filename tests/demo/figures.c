// SPDX-License-Identifier: GPL-2.0
/*
 * Latencies in words, and the first reason to fail.
 */
#include <stdarg.h>
#include <stdio.h>

#include "figures.h"
#include "stage.h"

static uint64_t bucket_value(unsigned int i)
{
	if (i < 64)
		return i;
	return (uint64_t)(32 + i % 32) << (i / 32 - 1);
}

void histogram_merge(struct histogram *to, const struct histogram *h)
{
	unsigned int i;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->bucket[i] += h->bucket[i];
	if (h->most > to->most)
		to->most = h->most;
}

uint64_t percentile(const struct histogram *h, double part)
{
	uint64_t total = 0, below = 0;
	unsigned int i;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += h->bucket[i];
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += h->bucket[i];
		if (h->bucket[i] && (double)below >= part * (double)total)
			return bucket_value(i) < h->most ? bucket_value(i) : h->most;
	}
	return 0;
}

const char *time_words(uint64_t ns, char *words, size_t room)
{
	if (ns < 1000)
		snprintf(words, room, "%lluns", (unsigned long long)ns);
	else if (ns < 1000 * 1000)
		snprintf(words, room, "%.*fus", ns < 100000 ? 1 : 0, (double)ns / 1e3);
	else if (ns < SECOND)
		snprintf(words, room, "%.*fms", ns < 100 * MS ? 1 : 0, (double)ns / 1e6);
	else
		snprintf(words, room, "%.2fs", (double)ns / 1e9);
	return words;
}

void print_latencies(const struct histogram *h)
{
	static const double parts[] = { 0.5, 0.9, 0.99, 0.999 };
	char words[24];
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		printf(" %7s", time_words(percentile(h, parts[i]), words,
					  sizeof(words)));
	printf(" %7s", time_words(h->most, words, sizeof(words)));
}

void object(const char **why, const char *format, ...)
{
	static char words[300];
	va_list args;

	if (*why)
		return;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	*why = words;
}
