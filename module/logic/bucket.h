/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A token bucket: it limits the rate of messages, and the number that may come
 * at once.
 *
 * The state is one word: the time at which the bucket will be full again. It is
 * the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371,
 * annex A, virtual scheduling). Taking tokens moves this time on by
 * compare-and-swap. A batch of messages takes all its tokens with one write.
 * The word wraps every 2.3 years. A bucket that was not used for some time is
 * full, no matter for how long: a time that is too far ahead for any bucket is
 * in the past (WEIR_BUCKET_LACK_MAX).
 *
 * This file knows no socket and no clock: the time is an argument. Any context.
 */
#ifndef _WEIR_BUCKET_H
#define _WEIR_BUCKET_H

#include <linux/atomic.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/types.h>

#define WEIR_BUCKET_RATE_MAX	1000000000U	/* tokens per second */
#define WEIR_BUCKET_FILL_MAX_S	86400U		/* seconds to fill it */
#define WEIR_BUCKET_SHIFT	8		/* a unit of time is 2^-8 ns */

/*
 * No bucket fills later than this, in 1/256 ns: 3.2 days. The largest bucket
 * fills in a day; the rest is for one that is overdrawn. A bucket that is not
 * used for 2.3 years seems to lack this much at most, and for as long at most.
 */
#define WEIR_BUCKET_LACK_MAX	((1ULL << 56) - 1)

/**
 * struct weir_bucket - one bucket
 * @cost: time in which one token comes, in 1/256 ns; never changes.
 * @depth: time in which an empty bucket fills, in 1/256 ns; never changes.
 * @full: time at which the bucket will be full, in 1/256 ns, modulo 2^64.
 *	Changed by atomic operations, without a lock.
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

/*
 * How long it takes until the bucket is full, in 1/256 ns. The result is larger
 * than @depth if the bucket is overdrawn.
 */
static inline u64 weir_bucket_lack(u64 full, u64 now)
{
	u64 lack = full - now;

	return lack > WEIR_BUCKET_LACK_MAX ? 0 : lack;
}

/*
 * The same by the sign of the difference, which takes fewer instructions: wrong
 * for a bucket that was not used for more than a year.
 */
static inline u64 weir_bucket_lack_fast(u64 full, u64 now)
{
	u64 lack = full - now;

	return (s64)lack < 0 ? 0 : lack;
}

/*
 * How many tokens there are, at most @want, in the part of the bucket that
 * fills in @depth.
 */
static __always_inline u32 weir_bucket_has(const struct weir_bucket *b,
					   u64 lack, u32 want, u64 depth)
{
	if (lack > depth)
		return 0;
	/* a division costs more than the rest of this function */
	if (want == 1)
		return depth - lack >= b->cost;
	return min_t(u64, want, div64_u64(depth - lack, b->cost));
}

/*
 * Takes tokens as weir_bucket_take_upper(). @fast: as
 * weir_bucket_take_fast().
 */
static __always_inline u32 weir_bucket_take_some(struct weir_bucket *b,
						 u64 now_ns, u32 want,
						 u64 depth, bool fast)
{
	u64 now = now_ns << WEIR_BUCKET_SHIFT, lack;
	s64 full = atomic64_read(&b->full);
	u32 got;

	do {
		lack = fast ? weir_bucket_lack_fast(full, now) :
			      weir_bucket_lack(full, now);
		got = weir_bucket_has(b, lack, want, depth);
		if (want && !got)
			return 0;
	} while (!atomic64_try_cmpxchg(&b->full, &full,
				       now + lack + got * b->cost));
	return got;
}

/**
 * weir_bucket_take_upper() - take tokens from the upper part of a bucket
 * @b: the bucket.
 * @now_ns: the time. If another CPU's clock is a little ahead, the caller may
 *	get a little less.
 * @want: number of tokens; with 0 the bucket is only brought up to date.
 * @depth: size of the upper part: the time in which it fills, in 1/256 ns.
 *
 * Return: how many tokens were taken, 0 to @want.
 */
static inline u32 weir_bucket_take_upper(struct weir_bucket *b, u64 now_ns,
					 u32 want, u64 depth)
{
	return weir_bucket_take_some(b, now_ns, want, depth, false);
}

/**
 * weir_bucket_take_fast() - the same for the fast path
 * @b: the bucket.
 * @now_ns: as for weir_bucket_take_upper().
 * @want: as for weir_bucket_take_upper().
 * @depth: as for weir_bucket_take_upper().
 *
 * A bucket that was not used for more than a year may seem empty, until
 * weir_bucket_take_upper() has taken a token.
 *
 * Return: how many tokens were taken, 0 to @want. After 0,
 * weir_bucket_take_upper() may still take some.
 */
static __always_inline u32 weir_bucket_take_fast(struct weir_bucket *b,
						 u64 now_ns, u32 want,
						 u64 depth)
{
	return weir_bucket_take_some(b, now_ns, want, depth, true);
}

/**
 * weir_bucket_take() - take tokens from the whole bucket
 * @b: the bucket.
 * @now_ns: as for weir_bucket_take_upper().
 * @want: as for weir_bucket_take_upper().
 *
 * Return: how many tokens were taken, 0 to @want.
 */
static inline u32 weir_bucket_take(struct weir_bucket *b, u64 now_ns, u32 want)
{
	return weir_bucket_take_upper(b, now_ns, want, b->depth);
}

/**
 * weir_bucket_draw() - take tokens for messages that have gone already
 * @b: the bucket.
 * @now_ns: the time.
 * @n: number of tokens.
 *
 * The tokens are taken even if other users have emptied the bucket meanwhile.
 * Then the bucket is overdrawn, and gives no token until the debt is paid. So
 * the rate is kept.
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
