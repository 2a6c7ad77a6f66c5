/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many users ask for a thing at present, and so what the share of each is.
 *
 * Users are counted by periods of about a second, also those who are refused: the
 * count is that of this period or of the last one, whichever is larger. So there
 * is no list of users to be gone through, and to ask costs the same however many
 * there are.
 *
 * It knows no clock: the time is an argument. Any context.
 */
#ifndef _WEIR_ASKING_H
#define _WEIR_ASKING_H

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "logic/account.h"

#define WEIR_ASKING_SHIFT	30	/* a period, of nanoseconds */

/**
 * struct weir_asking - who asks
 * @count: the period (upper half), and how many asked in the one before (16 bits)
 *	and in this one (16 bits).
 * @period: in which each user last asked, by weir_account_place().
 */
struct weir_asking {
	atomic64_t	count;
	u32		period[WEIR_USER_PLACES];
};

/**
 * weir_asking_init() - nobody has asked yet
 * @a: all zeros.
 * @now_ns: of any clock that does not go back; the same one ever after.
 */
static inline void weir_asking_init(struct weir_asking *a, u64 now_ns)
{
	u64 period = now_ns >> WEIR_ASKING_SHIFT;
	u32 i;

	atomic64_set(&a->count, period << 32);
	for (i = 0; i < WEIR_USER_PLACES; i++)
		a->period[i] = period - 1;
}

/* One more asks. One whose clock is behind is counted in the period that is. */
static inline void weir_asking_add(struct weir_asking *a, u32 period)
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
 * weir_asking_count() - a user asks
 * @a: for what.
 * @place: of the user.
 * @now_ns: the time.
 *
 * Return: how many users do at present, this one included.
 */
static inline u32 weir_asking_count(struct weir_asking *a, u32 place,
				    u64 now_ns)
{
	u32 period = now_ns >> WEIR_ASKING_SHIFT;
	u32 seen = READ_ONCE(a->period[place]), count;

	if ((s32)(period - seen) > 0 &&
	    cmpxchg(&a->period[place], seen, period) == seen)
		weir_asking_add(a, period);
	count = atomic64_read(&a->count);
	return max3(count >> 16, count & U16_MAX, 1U);
}

#endif /* _WEIR_ASKING_H */
