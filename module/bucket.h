/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A token bucket: so many a second, so many at once.
 *
 * It is kept as one word, the theoretical arrival time of the generic cell
 * rate algorithm (ITU-T I.371, annex A, virtual scheduling): the time at which
 * the bucket will be full again. Whoever takes tokens moves it on by
 * compare-and-swap, several tokens at once if there are several messages, so
 * a batch costs one write.
 *
 * It knows no socket and no clock; the time is an argument. Any context.
 */
#ifndef _WEIR_BUCKET_H
#define _WEIR_BUCKET_H

#include <linux/atomic.h>
#include <linux/types.h>

#define WEIR_BUCKET_RATE_MAX	1000000000U	/* tokens per second */
#define WEIR_BUCKET_FILL_MAX_S	86400U		/* seconds to fill it */

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
u32 weir_bucket_take(struct weir_bucket *b, u64 now_ns, u32 want);
void weir_bucket_give(struct weir_bucket *b, u32 n);
u64 weir_bucket_wait_ns(const struct weir_bucket *b, u64 now_ns);

#endif /* _WEIR_BUCKET_H */
