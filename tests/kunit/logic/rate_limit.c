// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/rate_limit.c, with a clock of their own: users that ask
 * for more than there is, or for less than their share, of buckets of many
 * sizes.
 */
#include <kunit/test.h>
#include <linux/math64.h>
#include <linux/time64.h>

#include "logic/rate_limit.h"

#define RATE	1000U
#define STEP	(NSEC_PER_SEC / RATE / 4)	/* four tries for each token */
#define USERS	5

static struct weir_rate_limit *limit_of(struct kunit *test, u32 rate, u32 burst,
					u64 now)
{
	struct weir_rate_limit *limit;
	const char *why;

	limit = kunit_kzalloc(test, sizeof(*limit), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, limit);
	KUNIT_ASSERT_EQ(test, 0,
			weir_rate_limit_init(limit, rate, burst, now, &why));
	return limit;
}

/* Tokens of the upper half, and then of the share; @cost: of the last. */
static u32 take_cost(struct weir_rate_limit *limit, u32 slot, u64 now,
		     u32 want, u64 *cost)
{
	u32 got = weir_rate_limit_take_upper(limit, now, want);

	*cost = 0;
	if (got < want)
		got += weir_rate_limit_take_share(limit, slot, now, want - got,
						  cost);
	return got;
}

static u32 take(struct weir_rate_limit *limit, u32 slot, u64 now, u32 want)
{
	u64 cost;

	return take_cost(limit, slot, now, want, &cost);
}

/* Each of the first @n users asks for as much as there is, again and again. */
static void flood(struct weir_rate_limit *limit, u32 n, u64 *now, u64 ns,
		  u32 *got)
{
	u64 until = *now + ns;
	u32 i;

	for (; *now < until; *now += STEP)
		for (i = 0; i < n; i++)
			got[i] += take(limit, i, *now, 64);
}

static void rate_limit_take__gives_one_user_nearly_all(struct kunit *test)
{
	static const u32 bursts[] = { 1, 2, 3, 9, 100, 5000 };
	size_t b;

	for (b = 0; b < ARRAY_SIZE(bursts); b++) {
		u64 now = NSEC_PER_SEC;
		struct weir_rate_limit *limit =
			limit_of(test, RATE, bursts[b], now);
		u32 got = take(limit, 0, now, U32_MAX);
		u32 left = bursts[b] > 1 ? max(bursts[b] / 16, 1U) : 0;

		/* what is left for another is rounded up */
		KUNIT_EXPECT_LE(test, got, bursts[b] - left);
		KUNIT_EXPECT_GE(test, got + left + 1, bursts[b]);
		got = 0;
		flood(limit, 1, &now, 10 * NSEC_PER_SEC, &got);
		KUNIT_EXPECT_LE(test, got, 10 * RATE + 1);
		KUNIT_EXPECT_GE(test, got, 10 * RATE - 10);
		/* one that comes finds a token, if there can be two */
		if (bursts[b] > 1)
			KUNIT_EXPECT_EQ(test, take(limit, 1, now, 1), 1);
	}
}

/* What comes from the upper half is of nobody's share. */
static void rate_limit_take_upper__counts_nobody(struct kunit *test)
{
	u64 now = NSEC_PER_SEC, full;
	struct weir_rate_limit *limit = limit_of(test, RATE, 100, now);
	u32 i;

	full = atomic64_read(&limit->full[0]);
	for (i = 0; i < 1000; i++, now += NSEC_PER_SEC / RATE)
		KUNIT_ASSERT_EQ(test, take(limit, 0, now, 1), 1);
	KUNIT_EXPECT_EQ(test, take(limit, 0, now, 50), 50);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&limit->full[0]), full);
	KUNIT_EXPECT_EQ(test, weir_rate_limit_take_upper(limit, now, 1), 0);
	KUNIT_EXPECT_EQ(test, take(limit, 0, now, 1), 1);
	KUNIT_EXPECT_NE(test, (u64)atomic64_read(&limit->full[0]), full);
	/*
	 * three have a token for one more user, and two and one have no upper
	 * half
	 */
	for (i = 1; i <= 3; i++)
		KUNIT_EXPECT_EQ(test,
				weir_rate_limit_take_upper(
					limit_of(test, RATE, i, now), now, 1),
				i == 3);
}

/* As much each, all of it together, and no more than is set. */
static void rate_limit_take__parts_a_rate(struct kunit *test)
{
	static const u32 bursts[] = { 1, 2, 9, 100 };
	u32 got[USERS], n, i, sum;
	size_t b;

	for (b = 0; b < ARRAY_SIZE(bursts); b++) {
		for (n = 2; n <= USERS; n++) {
			u64 now = NSEC_PER_SEC;
			struct weir_rate_limit *limit =
				limit_of(test, RATE, bursts[b], now);

			/* the first has been alone, and has had the burst */
			memset(got, 0, sizeof(got));
			flood(limit, 1, &now, 3 * NSEC_PER_SEC, got);
			flood(limit, n, &now, 2 * NSEC_PER_SEC, got);
			memset(got, 0, sizeof(got));
			flood(limit, n, &now, 10 * NSEC_PER_SEC, got);
			for (i = 0, sum = 0; i < n; sum += got[i++])
				KUNIT_EXPECT_GE_MSG(test, got[i],
						    10 * RATE / n * 9 / 10,
						    "user %u of %u, burst %u",
						    i, n, bursts[b]);
			KUNIT_EXPECT_LE(test, sum, 10 * RATE + bursts[b]);
		}
	}
}

/* Below its share a user is refused nothing; the other has what is left. */
static void rate_limit_take__keeps_what_is_asked_for(struct kunit *test)
{
	static const u32 bursts[] = { 2, 3, 9, 100 };
	size_t b;

	for (b = 0; b < ARRAY_SIZE(bursts); b++) {
		u64 now = NSEC_PER_SEC;
		struct weir_rate_limit *limit =
			limit_of(test, RATE, bursts[b], now);
		u32 got = 0, calls, refused = 0;

		flood(limit, 1, &now, 3 * NSEC_PER_SEC, &got);
		got = 0;
		/* one token of five, and four of five for the other */
		for (calls = 0; calls < 2 * RATE; calls++) {
			refused += !take(limit, 1, now, 1);
			flood(limit, 1, &now, 20 * STEP, &got);
		}
		KUNIT_EXPECT_EQ_MSG(test, refused, 0, "burst %u", bursts[b]);
		KUNIT_EXPECT_GE_MSG(test, got, 4 * calls * 9 / 10, "burst %u",
				    bursts[b]);
	}
}

static void rate_limit_give__undoes_take(struct kunit *test)
{
	u64 now = NSEC_PER_SEC, cost;
	struct weir_rate_limit *limit = limit_of(test, RATE, 100, now);
	u32 i, got;

	/* of the upper half, and of the lower one */
	for (i = 0; i < 1000; i++) {
		got = weir_rate_limit_take_upper(limit, now, 40);
		KUNIT_ASSERT_EQ(test, got, 40);
		weir_rate_limit_give(limit, 0, got, 0);
	}
	KUNIT_EXPECT_EQ(test, weir_rate_limit_take_upper(limit, now, 64), 50);
	for (i = 0; i < 1000; i++) {
		got = weir_rate_limit_take_share(limit, 0, now, 40, &cost);
		KUNIT_ASSERT_EQ(test, got, 40);
		weir_rate_limit_give(limit, 0, got, cost);
	}
	KUNIT_EXPECT_EQ(test, weir_rate_limit_wait_ns(limit, 0, now), 0);
	KUNIT_EXPECT_GE(test, take(limit, 0, now, 100), 43);
	KUNIT_EXPECT_NE(test, weir_rate_limit_wait_ns(limit, 0, now), 0);
	/* one that needs no share has what is left */
	KUNIT_EXPECT_GE(test, take(limit, WEIR_RATE_LIMIT_NO_USER, now, 100), 6);
	KUNIT_EXPECT_EQ(test, take(limit, WEIR_RATE_LIMIT_NO_USER, now, 1), 0);
}

/* What was drawn is paid back by all, and no longer by the user than by all. */
static void rate_limit_draw__is_paid_back(struct kunit *test)
{
	u64 now = NSEC_PER_SEC;
	struct weir_rate_limit *limit = limit_of(test, RATE, 100, now);

	weir_rate_limit_draw(limit, 0, now, 1100);
	KUNIT_EXPECT_EQ(test, take(limit, 0, now, 1), 0);
	KUNIT_EXPECT_EQ(test, take(limit, 1, now + NSEC_PER_SEC - 1, 1), 0);
	KUNIT_EXPECT_EQ(test, take(limit, 0, now + NSEC_PER_SEC +
				   2 * NSEC_PER_MSEC, 1), 1);
}

static void rate_limit_wait__tells_when(struct kunit *test)
{
	u64 now = NSEC_PER_SEC, wait;
	struct weir_rate_limit *limit = limit_of(test, RATE, 10, now);

	take(limit, 0, now, 64);
	take(limit, 1, now, 64);
	wait = weir_rate_limit_wait_ns(limit, 0, now);
	KUNIT_EXPECT_GT(test, wait, 0);
	KUNIT_EXPECT_EQ(test, take(limit, 0, now + wait - 1, 1), 0);
	KUNIT_EXPECT_EQ(test, take(limit, 0, now + wait, 1), 1);
}

/* After more than a year without use, there is the burst and each share. */
static void rate_limit_take__after_a_long_time(struct kunit *test)
{
	static const u32 days[] = { 1, 416, 418, 600, 830, 840, 3000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(days); i++) {
		u64 now = days[i] * 86400ULL * NSEC_PER_SEC;
		struct weir_rate_limit *limit = limit_of(test, RATE, 100, 0);

		KUNIT_EXPECT_EQ(test, weir_rate_limit_wait_ns(limit, 0, now), 0);
		KUNIT_EXPECT_EQ_MSG(test, take(limit, 0, now, 1), 1,
				    "after %u days", days[i]);
		/* the upper half and the share of one of two users */
		KUNIT_EXPECT_GE_MSG(test, take(limit, 0, now, 64), 60,
				    "after %u days", days[i]);
		KUNIT_EXPECT_GT_MSG(test, take(limit, 1, now, 64), 1,
				    "after %u days", days[i]);
	}
}

static struct kunit_case rate_limit_cases[] = {
	KUNIT_CASE(rate_limit_take__gives_one_user_nearly_all),
	KUNIT_CASE(rate_limit_take_upper__counts_nobody),
	KUNIT_CASE(rate_limit_take__parts_a_rate),
	KUNIT_CASE(rate_limit_take__keeps_what_is_asked_for),
	KUNIT_CASE(rate_limit_give__undoes_take),
	KUNIT_CASE(rate_limit_draw__is_paid_back),
	KUNIT_CASE(rate_limit_wait__tells_when),
	KUNIT_CASE(rate_limit_take__after_a_long_time),
	{ }
};

static struct kunit_suite rate_limit_suite = {
	.name		= "weir_rate_limit",
	.test_cases	= rate_limit_cases,
};

kunit_test_suites(&rate_limit_suite);
