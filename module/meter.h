/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A rate limit that users share: one bucket for all of them (bucket.h), which is
 * the hard limit, and a small bucket of each user's own, which says when a user
 * has had its share.
 *
 * Of a rate r and n users that ask at present (asking.h), each may take r / n; of
 * a burst, an eighth or one token is left for a user that comes later. A user that
 * has had its share gets more as long as the bucket of all is more than half full:
 * so what others do not use is not lost, and what they need is there.
 *
 * It knows no socket and no clock: the time is an argument, and users are places
 * in a table (weir_account_place()). Any context.
 */
#ifndef _WEIR_METER_H
#define _WEIR_METER_H

#include <linux/rcupdate.h>
#include <linux/types.h>

#include "asking.h"
#include "bucket.h"

#define WEIR_METER_NO_USER	U32_MAX	/* one that needs no share */

/**
 * struct weir_meter - a rate limit
 * @bucket: of all users.
 * @depth: time that a user's own bucket takes to come when it is alone; less than
 *	that of @bucket by what is left for others. As weir_bucket.depth; never
 *	changes.
 * @asking: for tokens.
 * @rcu: frees it when the route gets another.
 * @full: when each user's own bucket will be full, by weir_account_place(); as
 *	weir_bucket.full.
 */
struct weir_meter {
	struct weir_bucket	bucket;
	u64			depth;
	struct weir_asking	asking;
	struct rcu_head		rcu;
	atomic64_t		full[WEIR_USER_PLACES];
};

int weir_meter_init(struct weir_meter *m, u32 rate, u32 burst, u64 now_ns,
		    const char **why);
u32 weir_meter_take(struct weir_meter *m, u32 place, u64 now_ns, u32 want,
		    u64 *cost);
void weir_meter_give(struct weir_meter *m, u32 place, u32 n, u64 cost);
void weir_meter_draw(struct weir_meter *m, u32 place, u64 now_ns, u32 n);
u64 weir_meter_wait_ns(struct weir_meter *m, u32 place, u64 now_ns);

#endif /* _WEIR_METER_H */
