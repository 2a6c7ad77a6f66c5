/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A rate limit that users share: one bucket for all of them (bucket.h), which is
 * the hard limit, and for its lower half a small bucket of each user's own, which
 * says when a user has had its share.
 *
 * As long as the bucket of all is more than half full, tokens are had as they come,
 * which costs no more than without users: so what others do not use is not lost.
 * The lower half is shared: of a rate r and n users that ask for it at present
 * (asking.h), each may take r / n; of its tokens an eighth, or one, is left for a
 * user that comes later.
 *
 * It knows no socket and no clock: the time is an argument, and users are places
 * in a table (weir_account_place()). Any context.
 */
#ifndef _WEIR_RATE_LIMIT_H
#define _WEIR_RATE_LIMIT_H

#include <linux/rcupdate.h>
#include <linux/types.h>

#include "logic/asking.h"
#include "logic/bucket.h"

#define WEIR_RATE_LIMIT_NO_USER	U32_MAX	/* one that needs no share */

/**
 * struct weir_rate_limit - a rate limit
 * @bucket: of all users.
 * @upper: time that the upper half of @bucket takes to come; 0 where the lower
 *	one would have no token for one more user. As weir_bucket.depth; never
 *	changes.
 * @depth: time that a user's own bucket takes to come when it is alone; less than
 *	that of the lower half by what is left for others. As weir_bucket.depth;
 *	never changes.
 * @asking: for tokens of the lower half.
 * @rcu: frees it when the route gets another.
 * @full: when each user's own bucket will be full, by weir_account_place(); as
 *	weir_bucket.full.
 */
struct weir_rate_limit {
	struct weir_bucket	bucket;
	u64			upper;
	u64			depth;
	struct weir_asking	asking;
	struct rcu_head		rcu;
	atomic64_t		full[WEIR_USER_PLACES];
};

int weir_rate_limit_init(struct weir_rate_limit *m, u32 rate, u32 burst,
			 u64 now_ns, const char **why);
u32 weir_rate_limit_take_share(struct weir_rate_limit *m, u32 place, u64 now_ns,
			       u32 want, u64 *cost);
void weir_rate_limit_give(struct weir_rate_limit *m, u32 place, u32 n,
			  u64 cost);
void weir_rate_limit_draw(struct weir_rate_limit *m, u32 place, u64 now_ns,
			  u32 n);
u64 weir_rate_limit_wait_ns(struct weir_rate_limit *m, u32 place, u64 now_ns);

/**
 * weir_rate_limit_take_calm() - take tokens of the upper half, which are anybody's
 * @m: the limit.
 * @now_ns: as for weir_bucket_take().
 * @want: tokens, at least 1.
 *
 * Return: how many there were, 0 to @want; they are taken. Of none,
 * weir_rate_limit_take_share() may have some.
 */
static __always_inline u32 weir_rate_limit_take_calm(struct weir_rate_limit *m,
						     u64 now_ns, u32 want)
{
	return weir_bucket_take_upper(&m->bucket, now_ns, want, m->upper);
}

#endif /* _WEIR_RATE_LIMIT_H */
