/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many users ask for a thing at present. The share of each user depends on
 * this number.
 *
 * Users are counted in periods of 2^30 ns, about a second. A user that is
 * refused counts, too. The result is the count of the current period or of the
 * last one, whichever is larger. So no list of users has to be searched, and
 * the cost does not depend on the number of users.
 *
 * This file knows no clock: the time is an argument. Any context.
 */
#ifndef _WEIR_ACTIVE_USERS_H
#define _WEIR_ACTIVE_USERS_H

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "logic/account.h"

#define WEIR_ACTIVE_SHIFT	30	/* a period is 2^30 ns */

/**
 * struct weir_active_users - counts the users that ask for one thing
 * @count: number of the current period (upper 32 bits), number of users that
 *	asked in the period before (16 bits), and in the current period (lowest
 *	16 bits). Changed by compare-and-swap.
 * @period: number of the period in which each user asked last, by
 *	weir_user_slot(). Changed by compare-and-swap.
 */
struct weir_active_users {
	atomic64_t	count;
	u32		period[WEIR_USER_SLOTS];
};

/**
 * weir_active_init() - set up a counter: no user has asked yet
 * @a: the counter, all zeros.
 * @now_ns: the time in nanoseconds, of a clock that never goes back. All later
 *	calls for this counter must use the same clock.
 */
static inline void weir_active_init(struct weir_active_users *a, u64 now_ns)
{
	u64 period = now_ns >> WEIR_ACTIVE_SHIFT;
	u32 i;

	atomic64_set(&a->count, period << 32);
	for (i = 0; i < WEIR_USER_SLOTS; i++)
		a->period[i] = period - 1;
}

/*
 * Count one more user. If the caller's clock is behind, so that @period is over
 * already, count the user in the current period.
 */
static inline void weir_active_add(struct weir_active_users *a, u32 period)
{
	s64 old = atomic64_read(&a->count);
	u32 last, now;
	s32 passed;

	do {
		passed = period - (u32)(old >> 32);
		last = (u32)old >> 16;
		now = old & U16_MAX;
		if (passed > 0) {
			last = passed == 1 ? now : 0;
			now = 0;
		} else {
			period = old >> 32;
		}
	} while (!atomic64_try_cmpxchg(&a->count, &old, (u64)period << 32 |
				       last << 16 | (now + 1)));
}

/**
 * weir_active_count() - count a user that asks
 * @a: the counter of the thing that the user asks for.
 * @slot: slot of the user.
 * @now_ns: the time in nanoseconds.
 *
 * Return: how many users ask at present, this one included; at least 1.
 */
static inline u32 weir_active_count(struct weir_active_users *a, u32 slot,
				    u64 now_ns)
{
	u32 period = now_ns >> WEIR_ACTIVE_SHIFT;
	u32 seen = READ_ONCE(a->period[slot]), count;

	if ((s32)(period - seen) > 0 &&
	    cmpxchg(&a->period[slot], seen, period) == seen)
		weir_active_add(a, period);
	count = atomic64_read(&a->count);
	return max3(count >> 16, count & U16_MAX, 1U);
}

#endif /* _WEIR_ACTIVE_USERS_H */
