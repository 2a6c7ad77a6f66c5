/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A rate limit that users share. One bucket (bucket.h) for all users is the
 * hard limit. For the lower half of that bucket, each user has a small bucket
 * of its own, which says when the user has had its share.
 *
 * While the common bucket is more than half full, any user may take tokens.
 * This costs no more than a limit without users, and one user may take all
 * tokens that the others leave. The lower half is shared: with a rate r and n
 * users that ask for tokens at present (active_users.h), each user may take
 * tokens at the rate r / n. An eighth of the lower half, but at least one
 * token, is left for a user that comes later.
 *
 * This file knows no socket and no clock. The time is an argument, and a user
 * is a slot in a table (weir_user_slot()). Any context.
 */
#ifndef _WEIR_RATE_LIMIT_H
#define _WEIR_RATE_LIMIT_H

#include <linux/rcupdate.h>
#include <linux/types.h>

#include "logic/active_users.h"
#include "logic/bucket.h"

#define WEIR_RATE_LIMIT_NO_USER	U32_MAX	/* a caller without a share */

/**
 * struct weir_rate_limit - a rate limit
 * @bucket: the common bucket of all users.
 * @upper: size of the upper half of @bucket: the time in which it fills, in
 *	1/256 ns. 0 if @burst is one or two tokens: then the lower half alone
 *	would not have a token for one more user. Never changes.
 * @depth: size of a user's own bucket: the time in which it fills while only
 *	that user asks, in 1/256 ns. This is the lower half of @bucket without
 *	the part that is left for a user that comes later. Never changes.
 * @active: counts the users that ask for tokens of the lower half.
 * @rcu: frees the limit when the route gets another one.
 * @full: time at which each user's own bucket will be full, in 1/256 ns, modulo
 *	2^64; by weir_user_slot(). Changed by atomic operations, without a
 *	lock.
 */
struct weir_rate_limit {
	struct weir_bucket	bucket;
	u64			upper;
	u64			depth;
	struct weir_active_users	active;
	struct rcu_head		rcu;
	atomic64_t		full[WEIR_USER_SLOTS];
};

int weir_rate_limit_init(struct weir_rate_limit *m, u32 rate, u32 burst,
			 u64 now_ns, const char **why);
u32 weir_rate_limit_take_share(struct weir_rate_limit *m, u32 slot, u64 now_ns,
			       u32 want, u64 *cost);
void weir_rate_limit_give(struct weir_rate_limit *m, u32 slot, u32 n,
			  u64 cost);
void weir_rate_limit_draw(struct weir_rate_limit *m, u32 slot, u64 now_ns,
			  u32 n);
u64 weir_rate_limit_wait_ns(struct weir_rate_limit *m, u32 slot, u64 now_ns);

/**
 * weir_rate_limit_take_upper() - take tokens of the upper half
 * @m: the limit.
 * @now_ns: as for weir_bucket_take_upper().
 * @want: number of tokens, at least 1.
 *
 * The upper half is open to any user.
 *
 * Return: how many tokens were taken, 0 to @want. If 0,
 * weir_rate_limit_take_share() may still have some.
 */
static __always_inline u32 weir_rate_limit_take_upper(struct weir_rate_limit *m,
						      u64 now_ns, u32 want)
{
	return weir_bucket_take_fast(&m->bucket, now_ns, want, m->upper);
}

#endif /* _WEIR_RATE_LIMIT_H */
