// SPDX-License-Identifier: GPL-2.0
/* The token bucket of bucket.h: the functions that not every message calls. */
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/time64.h>

#include "logic/bucket.h"

/**
 * weir_bucket_init() - set up a full bucket
 * @b: the bucket.
 * @rate: tokens per second, 1 to WEIR_BUCKET_RATE_MAX.
 * @burst: tokens that a full bucket holds, at least 1, at most as many as come
 *	in WEIR_BUCKET_FILL_MAX_S seconds.
 * @now_ns: the time, of a clock that never goes back. All later calls for this
 *	bucket must use the same clock.
 * @why: out: on refusal, the reason in words (a static string).
 *
 * Return: 0 or -EINVAL.
 */
int weir_bucket_init(struct weir_bucket *b, u32 rate, u32 burst, u64 now_ns,
		     const char **why)
{
	if (!rate || rate > WEIR_BUCKET_RATE_MAX) {
		*why = "a rate is 1 to 1000000000 messages per second";
		return -EINVAL;
	}
	if (!burst) {
		*why = "a burst of 0 messages lets nothing through";
		return -EINVAL;
	}
	if (burst > (u64)rate * WEIR_BUCKET_FILL_MAX_S) {
		*why = "a burst is at most what the rate gives in a day";
		return -EINVAL;
	}
	b->cost = div_u64((u64)NSEC_PER_SEC << WEIR_BUCKET_SHIFT, rate);
	b->depth = b->cost * burst;
	atomic64_set(&b->full, now_ns << WEIR_BUCKET_SHIFT);
	return 0;
}

/**
 * weir_bucket_give() - give back tokens that were taken and not used
 * @b: the bucket.
 * @n: number of tokens, at most as many as were taken.
 */
void weir_bucket_give(struct weir_bucket *b, u32 n)
{
	/* a bucket that has become full meanwhile stays full */
	atomic64_sub(b->cost * n, &b->full);
}

/**
 * weir_bucket_wait_ns() - how long until there is a token
 * @b: the bucket.
 * @now_ns: the time.
 *
 * Return: nanoseconds until there is a token, if nobody takes one before; 0 if
 * there is one now.
 */
u64 weir_bucket_wait_ns(const struct weir_bucket *b, u64 now_ns)
{
	u64 lack = weir_bucket_lack(atomic64_read(&b->full),
				    now_ns << WEIR_BUCKET_SHIFT);

	if (lack + b->cost <= b->depth)
		return 0;
	return DIV64_U64_ROUND_UP(lack + b->cost - b->depth,
				  1ULL << WEIR_BUCKET_SHIFT);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_bucket_init);
EXPORT_SYMBOL_IF_KUNIT(weir_bucket_give);
EXPORT_SYMBOL_IF_KUNIT(weir_bucket_wait_ns);
#endif
