/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bulkhead: how many requests may be in flight at one target, so that a slow
 * one does not hold everything that its callers have (M. Nygard, Release It!,
 * "Bulkheads").
 *
 * It is a count and nothing else: what is counted and what becomes of those
 * that are refused is the caller's. The count guards no data and orders
 * nothing. Any context.
 *
 * Users that share it have the lower half of its places as they come, so that
 * this costs nothing while there is room. Of those that have a place of the upper
 * half there is a count for each user, too, and a user that has its part of that
 * half is refused while there is room for the next one.
 */
#ifndef _WEIR_BULKHEAD_H
#define _WEIR_BULKHEAD_H

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "logic/asking.h"

/**
 * struct weir_callers - who has places in the upper half of a target's bulkhead
 * @asking: for such places.
 * @in_flight: what each user has, by weir_account_place().
 */
struct weir_callers {
	struct weir_asking	asking;
	atomic_t		in_flight[WEIR_USER_PLACES];
};

/**
 * weir_bulkhead_take() - more, as many as there is room for
 * @in_flight: how many there are; fewer than 2^31.
 * @max: how many there may be; 0: any number, but they are counted; less: none.
 * @n: how many are wanted, at least 1.
 *
 * It compares and swaps rather than to add and take back: what is refused must
 * not be seen in the count, where it would make others be refused that have
 * room, and a full target's cache line is only read.
 *
 * Return: how many there was room for, 0 to @n; for so many
 * weir_bulkhead_give() must follow.
 */
static __always_inline u32 weir_bulkhead_take(atomic_t *in_flight, int max,
					      u32 n)
{
	int now = atomic_read(in_flight);

	do {
		if (max) {
			if (now >= max)
				return 0;
			n = min(n, (u32)max - (u32)now);
		}
	} while (!atomic_try_cmpxchg_relaxed(in_flight, &now, now + n));
	return n;
}

/**
 * weir_bulkhead_lower() - places that are had as they come
 * @max: of all; not 0.
 *
 * Of one place there is no part, and of two the second one is for the next user
 * only if the first is counted.
 *
 * Return: for weir_bulkhead_take(): how many; less than 0: none.
 */
static inline int weir_bulkhead_lower(u32 max)
{
	return max == 2 ? -1 : max(max / 2, 1U);
}

/**
 * weir_bulkhead_share() - how many more a user may have of the upper half
 * @max: how many there may be of all users.
 * @all: how many there are.
 * @own: how many of them are the user's.
 * @asking: users that ask at present, at least 1.
 *
 * Each has a like part of all but an eighth, or one, which is left for a user that
 * comes later. A user that has its part gets more as long as more than half is
 * free.
 */
static inline u32 weir_bulkhead_share(u32 max, u32 all, u32 own, u32 asking)
{
	u32 left = max > 1 ? max(max / 8, 1U) : 0;
	u32 part = max((max - left) / asking, 1U);
	u32 free = max - min(all, max);

	if (own >= part)
		return free - min(free, max / 2);
	if (!own && free)
		return clamp(free - min(free, left), 1U, part);
	return min(free - min(free, left), part - own);
}

/**
 * weir_bulkhead_give() - less
 * @in_flight: where they were taken.
 * @n: how many.
 */
static inline void weir_bulkhead_give(atomic_t *in_flight, u32 n)
{
	atomic_sub(n, in_flight);
}

#endif /* _WEIR_BULKHEAD_H */
