/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Patience with a user: how long others wait for it, all of them together.
 *
 * Whoever is waited for uses up its patience, which comes back in sixteen times
 * as long as the wait. So one user holds others up once, for as long as they
 * have patience, and from then on for a sixteenth of the time at most, however
 * many sockets it has and however little it reads at a time.
 *
 * It is one word, the time at which all is back, as the bucket of bucket.h is.
 * It knows no socket and no clock; the time is an argument. Any context.
 */
#ifndef _WEIR_PATIENCE_H
#define _WEIR_PATIENCE_H

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/types.h>

/* Patience of this much time comes back in that time once. */
#define WEIR_PATIENCE_SHARE	16

/**
 * struct weir_patience - with one user
 * @back_ns: when all of it is back; nanoseconds of the caller's clock. Changed
 *	by compare-and-swap alone. Zero at first: all is there.
 */
struct weir_patience {
	atomic64_t	back_ns;
};

/**
 * weir_patience_left() - how long a user may be waited for now
 * @p: with the user.
 * @most_ns: with a user that has not been waited for.
 * @now_ns: the time.
 *
 * Return: nanoseconds, 0 to @most_ns.
 */
static inline u64 weir_patience_left(const struct weir_patience *p,
				     u64 most_ns, u64 now_ns)
{
	s64 lack = atomic64_read(&p->back_ns) - (s64)now_ns;
	u64 used = lack > 0 ? lack / WEIR_PATIENCE_SHARE : 0;

	return used < most_ns ? most_ns - used : 0;
}

/* Has the user all of it? */
static inline bool weir_patience_whole(const struct weir_patience *p,
				       u64 now_ns)
{
	return atomic64_read(&p->back_ns) - (s64)now_ns <= 0;
}

/**
 * weir_patience_use() - a user has been waited for
 * @p: with the user.
 * @now_ns: the time, after the wait.
 * @waited_ns: how long; at most a day.
 */
static inline void weir_patience_use(struct weir_patience *p, u64 now_ns,
				     u64 waited_ns)
{
	s64 back = atomic64_read(&p->back_ns), then;

	do {
		then = max_t(s64, back, now_ns) +
		       waited_ns * WEIR_PATIENCE_SHARE;
	} while (!atomic64_try_cmpxchg(&p->back_ns, &back, then));
}

#endif /* _WEIR_PATIENCE_H */
