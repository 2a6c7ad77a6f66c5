/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A token bucket: so many a second, so many at once.
 *
 * It is kept as one word, the theoretical arrival time of the generic cell
 * rate algorithm (ITU-T I.371, annex A, virtual scheduling): the time at which
 * the bucket will be full again. Whoever takes tokens moves it on by
 * compare-and-swap, several tokens at once if there are several messages, so
 * a batch costs one write. Times are compared by their signed difference, so
 * the word may wrap, which it does every 2.2 years: a bucket must be looked at
 * once in a year at least.
 *
 * It knows no socket and no clock; the time is an argument. Any context.
 */
#ifndef _WEIR_BUCKET_H
#define _WEIR_BUCKET_H

#include <linux/atomic.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/types.h>

#define WEIR_BUCKET_RATE_MAX	1000000000U	/* tokens per second */
#define WEIR_BUCKET_FILL_MAX_S	86400U		/* seconds to fill it */
#define WEIR_BUCKET_SHIFT	8		/* of its unit of time */

/**
 * struct weir_bucket - one bucket
 * @cost: time that a token takes to come, in 1/256 ns; never changes.
 * @depth: time that a full bucket takes to come, same unit; never changes.
 * @full: when it will be full, same unit, modulo 2^64.
 */
struct weir_bucket {
	u64		cost;
	u64		depth;
	atomic64_t	full;
};

int weir_bucket_init(struct weir_bucket *b, u32 rate, u32 burst, u64 now_ns,
		     const char **why);
void weir_bucket_give(struct weir_bucket *b, u32 n);
u64 weir_bucket_wait_ns(const struct weir_bucket *b, u64 now_ns);

/* How long until the bucket is full; more than @depth when it is overdrawn. */
static inline u64 weir_bucket_lack(u64 full, u64 now)
{
	u64 lack = full - now;

	return (s64)lack < 0 ? 0 : lack;
}

/* How many tokens of @want there are, of those that come in @depth. */
static __always_inline u32 weir_bucket_has(const struct weir_bucket *b,
					   u64 lack, u32 want, u64 depth)
{
	if (lack > depth)
		return 0;
	/* a division costs more than all the rest */
	if (want == 1)
		return depth - lack >= b->cost;
	return min_t(u64, want, div64_u64(depth - lack, b->cost));
}

/**
 * weir_bucket_take_upper() - take tokens from the upper part of a bucket
 * @b: the bucket.
 * @now_ns: the time; one that is a little older than another caller's gets a
 *	little less.
 * @want: tokens; 0 to look at a bucket that nobody has used for months.
 * @depth: of that part, as the time that it takes to come.
 *
 * Return: how many there were, 0 to @want; they are taken.
 */
static __always_inline u32 weir_bucket_take_upper(struct weir_bucket *b,
						  u64 now_ns, u32 want,
						  u64 depth)
{
	u64 now = now_ns << WEIR_BUCKET_SHIFT, lack;
	s64 full = atomic64_read(&b->full);
	u32 got;

	do {
		lack = weir_bucket_lack(full, now);
		got = weir_bucket_has(b, lack, want, depth);
		if (want && !got)
			return 0;
	} while (!atomic64_try_cmpxchg(&b->full, &full,
				       now + lack + got * b->cost));
	return got;
}

/* weir_bucket_take() - take tokens, all that there are if need be */
static __always_inline u32 weir_bucket_take(struct weir_bucket *b, u64 now_ns,
					    u32 want)
{
	return weir_bucket_take_upper(b, now_ns, want, b->depth);
}

/**
 * weir_bucket_draw() - take tokens that have been used already
 * @b: the bucket.
 * @now_ns: the time.
 * @n: how many.
 *
 * They are taken even if others have emptied the bucket since: it is overdrawn
 * then, and gives none until that is made up for, so that its rate is kept.
 */
static inline void weir_bucket_draw(struct weir_bucket *b, u64 now_ns, u32 n)
{
	u64 now = now_ns << WEIR_BUCKET_SHIFT, lack;
	s64 full = atomic64_read(&b->full);

	do {
		lack = weir_bucket_lack(full, now);
	} while (!atomic64_try_cmpxchg(&b->full, &full,
				       now + lack + n * b->cost));
}

#endif /* _WEIR_BUCKET_H */
