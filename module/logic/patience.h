/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Patience with a user: how long others may wait for this user, all of them
 * together.
 *
 * Each wait uses up some of the user's patience. It comes back in sixteen times
 * the length of the wait. So a user can hold up others once, until its patience
 * is used up. From then on it holds them up for at most a sixteenth of the
 * time, however many sockets it has and however little it reads at a time.
 *
 * The state is one word: the time at which all of the patience is back, as in
 * the bucket of bucket.h. This file knows no socket and no clock: the time is
 * an argument. Any context.
 */
#ifndef _WEIR_PATIENCE_H
#define _WEIR_PATIENCE_H

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <linux/types.h>

/* A wait uses up patience that comes back in this many times its length. */
#define WEIR_PATIENCE_SHARE	16

/* The most that may be used up, in nanoseconds until it is back: 16 days. */
#define WEIR_PATIENCE_USED_NS	(16LL * 24 * 3600 * NSEC_PER_SEC)

/**
 * struct weir_patience - the patience with one user
 * @back_ns: time at which all of it is back, in nanoseconds of the caller's
 *	clock. Zero at first: nothing has been used. Changed by compare-and-swap
 *	alone.
 */
struct weir_patience {
	atomic64_t	back_ns;
};

/**
 * weir_patience_left() - how long others may wait for a user now
 * @p: the patience with the user.
 * @most_ns: how long others may wait if nobody has waited for the user lately,
 *	in nanoseconds.
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

/* Is all of the patience with the user there? */
static inline bool weir_patience_whole(const struct weir_patience *p,
				       u64 now_ns)
{
	return atomic64_read(&p->back_ns) - (s64)now_ns <= 0;
}

/**
 * weir_patience_use() - use up patience after others have waited for a user
 * @p: the patience with the user.
 * @now_ns: the time after the wait.
 * @waited_ns: length of the wait in nanoseconds; at most a day.
 *
 * Many waits at once use up no more than WEIR_PATIENCE_USED_NS: so the time at
 * which the patience is whole again cannot overflow.
 */
static inline void weir_patience_use(struct weir_patience *p, u64 now_ns,
				     u64 waited_ns)
{
	s64 back = atomic64_read(&p->back_ns), then;

	do {
		then = max_t(s64, back, now_ns) +
		       waited_ns * WEIR_PATIENCE_SHARE;
		then = min_t(s64, then, now_ns + WEIR_PATIENCE_USED_NS);
	} while (!atomic64_try_cmpxchg(&p->back_ns, &back, then));
}

#endif /* _WEIR_PATIENCE_H */
