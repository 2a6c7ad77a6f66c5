/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bulkhead limits how many requests may be in flight at one target. So a slow
 * target does not tie up everything that its callers have (M. Nygard, Release
 * It!, "Bulkheads").
 *
 * A bulkhead is a count and nothing else. The caller decides what is counted,
 * and what happens to a request that is refused. The count guards no data and
 * orders nothing. Any context.
 *
 * Users share the permits of a bulkhead. Any user may take a permit of the
 * lower half, so sharing costs nothing while there is room. The permits of the
 * upper half are also counted for each user. A user that has its part of the
 * upper half gets more permits only while more than half of the upper half is
 * free.
 */
#ifndef _WEIR_BULKHEAD_H
#define _WEIR_BULKHEAD_H

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "logic/active_users.h"

/**
 * struct weir_callers - how users share the upper half of a target's bulkhead
 * @active: counts the users that ask for permits of the upper half.
 * @in_flight: how many of these permits each user has, by weir_user_slot();
 *	atomic.
 */
struct weir_callers {
	struct weir_active_users	active;
	atomic_t		in_flight[WEIR_USER_SLOTS];
};

static_assert(sizeof(struct weir_callers) <= 2048);

/**
 * weir_bulkhead_take() - take permits, as many as there is room for
 * @in_flight: count of the permits that are taken; less than 2^31.
 * @max: how many permits there are. 0: there is no limit, but the requests are
 *	counted. Less than 0: there is no permit.
 * @n: how many permits are wanted, at least 1.
 *
 * This compares and swaps. It does not add first and then take back the excess:
 * while a refused request was in the count, others that have room would be
 * refused, too. Besides, the cache line of a full target is only read.
 *
 * Return: how many permits were taken, 0 to @n. weir_bulkhead_give() must give
 * them back later.
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
 * weir_bulkhead_lower() - how many permits any user may take
 * @max: number of all permits; not 0.
 *
 * A single permit can't be shared, so any user may take it. Of two permits the
 * first one must be counted for its user: only then can the second one be kept
 * for the next user.
 *
 * Return: size of the lower half, as @max of weir_bulkhead_take(); less than 0:
 * the lower half has no permit.
 */
static inline int weir_bulkhead_lower(u32 max)
{
	return max == 2 ? -1 : max(max / 2, 1U);
}

/**
 * weir_bulkhead_share() - how many permits of the upper half a user may still
 * take
 * @max: number of permits of the upper half.
 * @all: how many of these permits all users have together.
 * @own: how many of these permits the user has.
 * @active: how many users ask for these permits at present, at least 1.
 *
 * An eighth of the permits, but at least one of two or more, is left for a user
 * that comes later. The users that ask have equal parts of the rest. A user
 * that has its part gets more while more than half of the permits are free.
 *
 * Return: how many more permits the user may take; 0: none.
 */
static inline u32 weir_bulkhead_share(u32 max, u32 all, u32 own, u32 active)
{
	u32 left = max > 1 ? max(max / 8, 1U) : 0;
	u32 part = max((max - left) / active, 1U);
	u32 free = max - min(all, max);

	if (own >= part)
		return free - min(free, max / 2);
	if (!own && free)
		return clamp(free - min(free, left), 1U, part);
	return min(free - min(free, left), part - own);
}

/**
 * weir_bulkhead_give() - give permits back
 * @in_flight: the count that they were taken from.
 * @n: how many.
 */
static inline void weir_bulkhead_give(atomic_t *in_flight, u32 n)
{
	atomic_sub(n, in_flight);
}

#endif /* _WEIR_BULKHEAD_H */
