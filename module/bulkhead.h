/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bulkhead: how many requests may be in flight at one target, so that a slow
 * one does not hold everything that its callers have (M. Nygard, Release It!,
 * "Bulkheads").
 *
 * It is a count and nothing else: what is counted and what becomes of those
 * that are refused is the caller's. The count guards no data and orders
 * nothing. Any context.
 */
#ifndef _WEIR_BULKHEAD_H
#define _WEIR_BULKHEAD_H

#include <linux/atomic.h>
#include <linux/types.h>

/**
 * weir_bulkhead_take() - one more, if there is room
 * @in_flight: how many there are; fewer than 2^31.
 * @max: how many there may be; 0: any number, but they are counted.
 *
 * It compares and swaps rather than to add and take back: what is refused must
 * not be seen in the count, where it would make others be refused that have
 * room, and a full target's cache line is only read.
 *
 * Return: whether there was; if so, weir_bulkhead_give() must follow.
 */
static inline bool weir_bulkhead_take(atomic_t *in_flight, u32 max)
{
	int n;

	if (!max) {
		atomic_inc(in_flight);
		return true;
	}
	n = atomic_read(in_flight);
	do {
		if ((u32)n >= max)
			return false;
	} while (!atomic_try_cmpxchg_relaxed(in_flight, &n, n + 1));
	return true;
}

/**
 * weir_bulkhead_give() - one less
 * @in_flight: where it was taken.
 */
static inline void weir_bulkhead_give(atomic_t *in_flight)
{
	atomic_dec(in_flight);
}

#endif /* _WEIR_BULKHEAD_H */
