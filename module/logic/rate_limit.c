// SPDX-License-Identifier: GPL-2.0
/* The rate limit of rate_limit.h. */
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "logic/rate_limit.h"

/**
 * weir_rate_limit_init() - a limit of which nothing has been used
 * @m: the limit, all zeros.
 * @rate: as for weir_bucket_init().
 * @burst: as for weir_bucket_init().
 * @now_ns: as for weir_bucket_init().
 * @why: out: the words of a refusal.
 *
 * Return: 0 or -EINVAL.
 */
int weir_rate_limit_init(struct weir_rate_limit *m, u32 rate, u32 burst,
			 u64 now_ns, const char **why)
{
	u64 full = now_ns << WEIR_BUCKET_SHIFT;
	int err = weir_bucket_init(&m->bucket, rate, burst, now_ns, why);
	u64 lower, left;
	u32 i;

	if (err)
		return err;
	m->upper = m->bucket.depth / 2;
	/* of one token or two, none is had as it comes */
	if (m->bucket.depth - m->upper <= m->bucket.cost)
		m->upper = 0;
	lower = m->bucket.depth - m->upper;
	left = max(lower / 8, m->bucket.cost);
	m->depth = lower - left;
	weir_asking_init(&m->asking, now_ns);
	for (i = 0; i < WEIR_USER_PLACES; i++)
		atomic64_set(&m->full[i], full);
	return 0;
}

/* Time that a token takes to come to a user, who asks. */
static u64 weir_rate_limit_cost(struct weir_rate_limit *m, u32 place,
				u64 now_ns)
{
	return m->bucket.cost * weir_asking_count(&m->asking, place, now_ns);
}

/*
 * How many tokens of @want a user's own bucket has. One that is full has a token,
 * however long that takes to come.
 */
static u32 weir_rate_limit_own(const struct weir_rate_limit *m, u64 lack,
			       u32 want, u64 cost)
{
	if (lack + cost <= m->depth)
		return want == 1 ? 1 :
		       min_t(u64, want, div64_u64(m->depth - lack, cost));
	return !lack && want;
}

/* A user has had so many tokens of its own. */
static void weir_rate_limit_charge(atomic64_t *own, u64 now_ns, u64 time,
				   u64 most)
{
	u64 now = now_ns << WEIR_BUCKET_SHIFT, lack;
	s64 full = atomic64_read(own);

	do {
		lack = min(weir_bucket_lack(full, now) + time, most);
	} while (!atomic64_try_cmpxchg(own, &full, now + lack));
}

/**
 * weir_rate_limit_take_share() - take tokens of a user's share
 * @m: the limit.
 * @place: of the user; WEIR_RATE_LIMIT_NO_USER: only the limit of all counts.
 * @now_ns: as for weir_bucket_take().
 * @want: tokens, at least 1.
 * @cost: out: for weir_rate_limit_give().
 *
 * When weir_rate_limit_take_calm() has none. Two threads of one user may see
 * the same share, and each take of it: the limit of all holds nevertheless.
 *
 * Return: how many there were for the user, 0 to @want; they are taken.
 */
u32 weir_rate_limit_take_share(struct weir_rate_limit *m, u32 place, u64 now_ns,
			       u32 want, u64 *cost)
{
	u64 lack, each;
	u32 got, own;

	*cost = 0;
	if (place == WEIR_RATE_LIMIT_NO_USER)
		return weir_bucket_take(&m->bucket, now_ns, want);
	each = weir_rate_limit_cost(m, place, now_ns);
	lack = weir_bucket_lack(atomic64_read(&m->full[place]),
				now_ns << WEIR_BUCKET_SHIFT);
	own = weir_rate_limit_own(m, lack, want, each);
	/*
	 * one of two tokens, which are never had as they come, when both are
	 * there
	 */
	if (!own)
		return weir_bucket_take_upper(&m->bucket, now_ns, want,
					      m->bucket.depth / 2);
	got = weir_bucket_take(&m->bucket, now_ns, own);
	if (got) {
		weir_rate_limit_charge(&m->full[place], now_ns, got * each,
				       U64_MAX);
		*cost = each;
	}
	return got;
}

/**
 * weir_rate_limit_give() - give back tokens that were taken and not used
 * @m: the limit.
 * @place: of the user who took them.
 * @n: how many, not more than were taken.
 * @cost: as weir_rate_limit_take() has said.
 */
void weir_rate_limit_give(struct weir_rate_limit *m, u32 place, u32 n, u64 cost)
{
	weir_bucket_give(&m->bucket, n);
	if (cost)
		atomic64_sub(n * cost, &m->full[place]);
}

/**
 * weir_rate_limit_draw() - take tokens that have been used already
 * @m: the limit.
 * @place: of the user.
 * @now_ns: the time.
 * @n: how many; see weir_bucket_draw().
 *
 * The user owes its share no more than a bucket of its own, and nothing while the
 * lower half is full.
 */
void weir_rate_limit_draw(struct weir_rate_limit *m, u32 place, u64 now_ns,
			  u32 n)
{
	u64 each, lack;

	weir_bucket_draw(&m->bucket, now_ns, n);
	lack = weir_bucket_lack(atomic64_read(&m->bucket.full),
				now_ns << WEIR_BUCKET_SHIFT);
	if (place == WEIR_RATE_LIMIT_NO_USER || lack <= m->upper)
		return;
	each = weir_rate_limit_cost(m, place, now_ns);
	weir_rate_limit_charge(&m->full[place], now_ns, n * each,
			       max(m->depth, each));
}

/* Nanoseconds until so much lacks that a token is within @depth. */
static u64 weir_rate_limit_until_ns(u64 lack, u64 depth, u64 cost)
{
	u64 spare = depth - min(depth, cost);

	return lack <= spare ? 0 :
	       DIV64_U64_ROUND_UP(lack - spare, 1 << WEIR_BUCKET_SHIFT);
}

/**
 * weir_rate_limit_wait_ns() - when to come again
 * @m: the limit.
 * @place: of the user.
 * @now_ns: the time.
 *
 * Return: nanoseconds until there is a token for the user, of its share or of the
 * upper half, if none is taken before and no more users come; 0 if there is one.
 */
u64 weir_rate_limit_wait_ns(struct weir_rate_limit *m, u32 place, u64 now_ns)
{
	u64 wait_ns = weir_bucket_wait_ns(&m->bucket, now_ns), own_ns, all_ns;
	u64 now = now_ns << WEIR_BUCKET_SHIFT, half = m->bucket.depth / 2;

	if (place == WEIR_RATE_LIMIT_NO_USER)
		return wait_ns;
	own_ns = weir_rate_limit_until_ns(
		weir_bucket_lack(atomic64_read(&m->full[place]), now), m->depth,
		weir_rate_limit_cost(m, place, now_ns));
	wait_ns = max(wait_ns, own_ns);
	if (half < m->bucket.cost)
		return wait_ns;
	all_ns = weir_rate_limit_until_ns(
		weir_bucket_lack(atomic64_read(&m->bucket.full), now), half,
		m->bucket.cost);
	return min(wait_ns, all_ns);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_rate_limit_init);
EXPORT_SYMBOL_IF_KUNIT(weir_rate_limit_take_share);
EXPORT_SYMBOL_IF_KUNIT(weir_rate_limit_give);
EXPORT_SYMBOL_IF_KUNIT(weir_rate_limit_draw);
EXPORT_SYMBOL_IF_KUNIT(weir_rate_limit_wait_ns);
#endif
