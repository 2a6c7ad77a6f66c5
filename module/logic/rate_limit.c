// SPDX-License-Identifier: GPL-2.0
/* The rate limit of rate_limit.h. */
#include <linux/math64.h>
#include <linux/minmax.h>

#include "logic/rate_limit.h"

/**
 * weir_rate_limit_init() - set up a limit of which nothing has been used
 * @m: the limit, all zeros.
 * @rate: as for weir_bucket_init().
 * @burst: as for weir_bucket_init().
 * @now_ns: as for weir_bucket_init().
 * @why: out: on refusal, the reason in words (a static string).
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
	/* a burst of one or two tokens has no upper half */
	if (m->bucket.depth - m->upper <= m->bucket.cost)
		m->upper = 0;
	lower = m->bucket.depth - m->upper;
	left = max(lower / 8, m->bucket.cost);
	m->depth = lower - left;
	weir_active_init(&m->active, now_ns);
	for (i = 0; i < WEIR_USER_SLOTS; i++)
		atomic64_set(&m->full[i], full);
	return 0;
}

/*
 * Time in which one token of its share comes to a user, in 1/256 ns. Counts the
 * user as one that asks.
 */
static u64 weir_rate_limit_cost(struct weir_rate_limit *m, u32 slot,
				u64 now_ns)
{
	return m->bucket.cost * weir_active_count(&m->active, slot, now_ns);
}

/*
 * How many tokens a user's own bucket has, at most @want. @lack: how long until
 * that bucket is full; @cost: time in which one token comes; both in 1/256 ns.
 * A full bucket has at least one token, even if @cost is more than its size.
 */
static u32 weir_rate_limit_own(const struct weir_rate_limit *m, u64 lack,
			       u32 want, u64 cost)
{
	if (lack + cost <= m->depth)
		return want == 1 ? 1 :
		       min_t(u64, want, div64_u64(m->depth - lack, cost));
	return !lack && want;
}

/*
 * Take tokens from a user's own bucket. @time: in which these tokens come;
 * @most: the largest lack that the bucket may have afterwards; both in 1/256
 * ns.
 */
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
 * @slot: slot of the user. WEIR_RATE_LIMIT_NO_USER: only the common bucket
 *	limits the caller.
 * @now_ns: as for weir_bucket_take_upper().
 * @want: number of tokens, at least 1.
 * @cost: out: for weir_rate_limit_give(): time in which one of the tokens comes
 *	to the user, in 1/256 ns; 0 if they are of no user's share.
 *
 * Call this when weir_rate_limit_take_upper() has no token. If two threads of
 * one user see the same share, both may take it. The common bucket still limits
 * them.
 *
 * Return: how many tokens were taken, 0 to @want.
 */
u32 weir_rate_limit_take_share(struct weir_rate_limit *m, u32 slot, u64 now_ns,
			       u32 want, u64 *cost)
{
	u64 lack, each;
	u32 got, own;

	*cost = 0;
	if (slot == WEIR_RATE_LIMIT_NO_USER)
		return weir_bucket_take(&m->bucket, now_ns, want);
	each = weir_rate_limit_cost(m, slot, now_ns);
	lack = weir_bucket_lack(atomic64_read(&m->full[slot]),
				now_ns << WEIR_BUCKET_SHIFT);
	own = weir_rate_limit_own(m, lack, want, each);
	/*
	 * of a burst of two tokens, weir_rate_limit_take_upper() gives none:
	 * give one to any user while both are there
	 */
	if (!own)
		return weir_bucket_take_upper(&m->bucket, now_ns, want,
					      m->bucket.depth / 2);
	got = weir_bucket_take(&m->bucket, now_ns, own);
	if (got) {
		/* a user's own bucket owes a bounded time, also when threads race */
		weir_rate_limit_charge(&m->full[slot], now_ns, got * each,
				       WEIR_BUCKET_LACK_MAX / 2);
		*cost = each;
	}
	return got;
}

/**
 * weir_rate_limit_give() - give back tokens that were taken and not used
 * @m: the limit.
 * @slot: slot of the user that took them; not used if @cost is 0.
 * @n: number of tokens, at most as many as were taken.
 * @cost: from weir_rate_limit_take_share(); 0 after
 *	weir_rate_limit_take_upper().
 */
void weir_rate_limit_give(struct weir_rate_limit *m, u32 slot, u32 n, u64 cost)
{
	weir_bucket_give(&m->bucket, n);
	if (cost)
		atomic64_sub(n * cost, &m->full[slot]);
}

/**
 * weir_rate_limit_draw() - take tokens for messages that have gone already
 * @m: the limit.
 * @slot: slot of the user, or WEIR_RATE_LIMIT_NO_USER.
 * @now_ns: the time.
 * @n: number of tokens; see weir_bucket_draw().
 *
 * If the common bucket still has its whole lower half afterwards, the user's
 * own bucket does not change. Otherwise the tokens are taken from the user's
 * own bucket, too. That bucket then lacks at most its whole size, or one token
 * if one token is more.
 */
void weir_rate_limit_draw(struct weir_rate_limit *m, u32 slot, u64 now_ns,
			  u32 n)
{
	u64 each, lack;

	weir_bucket_draw(&m->bucket, now_ns, n);
	lack = weir_bucket_lack(atomic64_read(&m->bucket.full),
				now_ns << WEIR_BUCKET_SHIFT);
	if (slot == WEIR_RATE_LIMIT_NO_USER || lack <= m->upper)
		return;
	each = weir_rate_limit_cost(m, slot, now_ns);
	weir_rate_limit_charge(&m->full[slot], now_ns, n * each,
			       max(m->depth, each));
}

/*
 * Nanoseconds until a bucket of size @depth that lacks @lack has one token,
 * which comes in @cost (all three in 1/256 ns).
 */
static u64 weir_rate_limit_until_ns(u64 lack, u64 depth, u64 cost)
{
	u64 spare = depth - min(depth, cost);

	return lack <= spare ? 0 :
	       DIV64_U64_ROUND_UP(lack - spare, 1 << WEIR_BUCKET_SHIFT);
}

/**
 * weir_rate_limit_wait_ns() - how long until there is a token for a user
 * @m: the limit.
 * @slot: slot of the user, or WEIR_RATE_LIMIT_NO_USER.
 * @now_ns: the time.
 *
 * Counts the user as one that asks.
 *
 * Return: nanoseconds until the user's share or the upper half has a token, if
 * nobody takes one before and no more users ask; 0 if there is one now.
 */
u64 weir_rate_limit_wait_ns(struct weir_rate_limit *m, u32 slot, u64 now_ns)
{
	u64 wait_ns = weir_bucket_wait_ns(&m->bucket, now_ns), own_ns, all_ns;
	u64 now = now_ns << WEIR_BUCKET_SHIFT, half = m->bucket.depth / 2;

	if (slot == WEIR_RATE_LIMIT_NO_USER)
		return wait_ns;
	own_ns = weir_rate_limit_until_ns(
		weir_bucket_lack(atomic64_read(&m->full[slot]), now), m->depth,
		weir_rate_limit_cost(m, slot, now_ns));
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
