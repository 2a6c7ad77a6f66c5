// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/bucket.c, with a clock of their own, against a bucket that
 * counts in exact fractions.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/time64.h>

#include "logic/bucket.h"

static void bucket_init__refuses_in_words(struct kunit *test)
{
	static const struct {
		u32 rate, burst;
		int err;
	} cases[] = {
		{ 0, 1, -EINVAL },
		{ WEIR_BUCKET_RATE_MAX + 1, 1, -EINVAL },
		{ 1, 0, -EINVAL },
		{ 1, WEIR_BUCKET_FILL_MAX_S + 1, -EINVAL },
		{ 1, WEIR_BUCKET_FILL_MAX_S, 0 },
		{ WEIR_BUCKET_RATE_MAX, U32_MAX, 0 },
		{ U32_MAX, 1, -EINVAL },
	};
	struct weir_bucket b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *why = NULL;

		KUNIT_EXPECT_EQ(test, weir_bucket_init(&b, cases[i].rate,
						       cases[i].burst, 0, &why),
				cases[i].err);
		KUNIT_EXPECT_EQ(test, !why, !cases[i].err);
	}
}

/* Tokens in units of 1/NSEC_PER_SEC, so that a nanosecond brings @rate. */
struct exact {
	u64 level, most, rate, at_ns;
};

static u32 exact_take(struct exact *e, u64 now_ns, u32 want)
{
	u64 got;

	e->level = min(e->most, e->level + (now_ns - e->at_ns) * e->rate);
	e->at_ns = now_ns;
	got = min_t(u64, want, div64_u64(e->level, NSEC_PER_SEC));
	e->level -= got * NSEC_PER_SEC;
	return got;
}

/*
 * The bucket gives what the exact one gives, but for the rounding of one
 * token's time: the sums are never more than a token and 2^-8 ns a token apart.
 */
static void bucket_take__agrees_with_exact(struct kunit *test)
{
	static const u32 rates[] = { 1, 3, 7, 1000, 99991, 3000000, 1000000000 };
	struct rnd_state rnd;
	const char *why;
	size_t r;
	u32 i;

	prandom_seed_state(&rnd, 1984);
	for (r = 0; r < ARRAY_SIZE(rates); r++) {
		u32 rate = rates[r], burst = 1 + prandom_u32_state(&rnd) % 1000;
		u64 now = (1ULL << 56) - 1000, sum = 0, want_sum = 0;
		u64 step = 4 * div_u64(NSEC_PER_SEC, rate) + 1;
		struct weir_bucket b;
		struct exact e = {
			.level = (u64)burst * NSEC_PER_SEC,
			.most = (u64)burst * NSEC_PER_SEC,
			.rate = rate, .at_ns = now,
		};

		/* across the wrap of the word */
		KUNIT_ASSERT_EQ(test, weir_bucket_init(&b, rate,
						       min(burst, rate * 86400U),
						       now, &why), 0);
		for (i = 0; i < 5000; i++) {
			u32 want = prandom_u32_state(&rnd) % 5;

			now += prandom_u32_state(&rnd) % step;
			sum += weir_bucket_take(&b, now, want);
			want_sum += exact_take(&e, now, want);
			if (sum + 1 - want_sum > 2)
				break;
		}
		KUNIT_EXPECT_EQ_MSG(test, i, 5000,
				    "%u per second, burst %u: %llu, exact %llu",
				    rate, burst, sum, want_sum);
		KUNIT_EXPECT_GT(test, sum, 1000);
	}
}

/* Never more than the burst and what the time has brought, whoever takes. */
static void bucket_take__is_bounded_by_its_rate(struct kunit *test)
{
	struct weir_bucket b;
	const char *why;
	u64 now = 5, sum;

	KUNIT_ASSERT_EQ(test, weir_bucket_init(&b, 1000, 64, now, &why), 0);
	KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now, 100), 64);
	KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now, 1), 0);
	KUNIT_EXPECT_EQ(test, weir_bucket_wait_ns(&b, now), NSEC_PER_MSEC);
	/* somebody whose clock is a little behind */
	KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now - 5, 1), 0);
	KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now + NSEC_PER_MSEC - 1, 1),
			0);
	KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now + NSEC_PER_MSEC, 2), 1);
	for (sum = 0; now < 5 + NSEC_PER_SEC; now += 700)
		sum += weir_bucket_take(&b, now, 3);
	KUNIT_EXPECT_GE(test, sum, 997);
	KUNIT_EXPECT_LE(test, sum, 1000);
}

/* However long it was not used, it is full; the word wraps after 834 days. */
static void bucket_take__after_a_long_time(struct kunit *test)
{
	static const u32 days[] = { 1, 100, 416, 418, 600, 830, 840, 3000 };
	struct weir_bucket b;
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(days); i++) {
		u64 now = days[i] * 86400ULL * NSEC_PER_SEC;

		KUNIT_ASSERT_EQ(test, weir_bucket_init(&b, 1, 10, 0, &why), 0);
		KUNIT_EXPECT_EQ_MSG(test, weir_bucket_wait_ns(&b, now), 0,
				    "after %u days", days[i]);
		KUNIT_EXPECT_EQ_MSG(test, weir_bucket_take(&b, now, 99), 10,
				    "after %u days", days[i]);
		KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now, 1), 0);
	}
}

/* The largest bucket, empty and overdrawn by a day, gives nothing. */
static void bucket_take__of_the_largest(struct kunit *test)
{
	struct weir_bucket b;
	const char *why;

	KUNIT_ASSERT_EQ(test, weir_bucket_init(&b, 1, WEIR_BUCKET_FILL_MAX_S,
					       0, &why), 0);
	KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, 0, U32_MAX),
			WEIR_BUCKET_FILL_MAX_S);
	weir_bucket_draw(&b, 0, WEIR_BUCKET_FILL_MAX_S);
	KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, weir_bucket_wait_ns(&b, 0),
			(WEIR_BUCKET_FILL_MAX_S + 1ULL) * NSEC_PER_SEC);
}

/*
 * Tokens that are taken and given back leave no trace: with them a bucket gives
 * what it would give without.
 */
static void bucket_give__undoes_take(struct kunit *test)
{
	static const u32 rates[] = { 1, 3, 7, 1000, 99991, 3000000, 1000000000 };
	struct rnd_state rnd;
	const char *why;
	u32 i, given = 0;
	size_t r;

	prandom_seed_state(&rnd, 1873);
	for (r = 0; r < ARRAY_SIZE(rates); r++) {
		u32 rate = rates[r], burst = 1 + prandom_u32_state(&rnd) % 1000;
		u64 now = (1ULL << 56) - 1000;
		u64 step = 4 * div_u64(NSEC_PER_SEC, rate) + 1;
		struct weir_bucket a, b;

		burst = min(burst, rate * 86400U);
		KUNIT_ASSERT_EQ(test, weir_bucket_init(&a, rate, burst, now,
						       &why), 0);
		KUNIT_ASSERT_EQ(test, weir_bucket_init(&b, rate, burst, now,
						       &why), 0);
		for (i = 0; i < 5000; i++) {
			u32 want = prandom_u32_state(&rnd) % 5;
			u32 more = prandom_u32_state(&rnd) % 20;
			u32 got;

			now += prandom_u32_state(&rnd) % step;
			/* before others take, or after; all at once, or not */
			if (i & 1) {
				more = weir_bucket_take(&a, now, more);
				weir_bucket_give(&a, more);
				got = weir_bucket_take(&a, now, want);
			} else {
				got = weir_bucket_take(&a, now, want);
				more = weir_bucket_take(&a, now, more);
				weir_bucket_give(&a, more / 2);
				weir_bucket_give(&a, more - more / 2);
			}
			given += more;
			if (got != weir_bucket_take(&b, now, want) ||
			    weir_bucket_wait_ns(&a, now) !=
			    weir_bucket_wait_ns(&b, now))
				break;
		}
		KUNIT_EXPECT_EQ_MSG(test, i, 5000, "%u per second, burst %u",
				    rate, burst);
	}
	KUNIT_EXPECT_GT(test, given, 1000);
}

/* Callers that see the same token at once do not get more than the rate. */
static void bucket_draw__keeps_the_rate(struct kunit *test)
{
	struct weir_bucket b;
	const char *why;
	u32 sent = 0;
	u64 now = 0;
	int i;

	KUNIT_ASSERT_EQ(test, weir_bucket_init(&b, 1000, 1, now, &why), 0);
	for (i = 0; i < 1000; i++, now += NSEC_PER_MSEC) {
		if (!weir_bucket_take(&b, now, 1))
			continue;
		/* the token is seen by three, each of which uses one */
		weir_bucket_give(&b, 1);
		weir_bucket_draw(&b, now, 1);
		weir_bucket_draw(&b, now, 1);
		weir_bucket_draw(&b, now, 1);
		sent += 3;
	}
	KUNIT_EXPECT_LE(test, sent, 1003);
	KUNIT_EXPECT_GE(test, sent, 990);
}

/* However late they come back: a bucket that is full has no room for them. */
static void bucket_give__never_more_than_full(struct kunit *test)
{
	static const u32 later_ms[] = { 0, 1, 10, 63, 64, 65, 1000, 86400000 };
	struct weir_bucket b;
	const char *why;
	u64 now = 5;
	size_t i;

	KUNIT_ASSERT_EQ(test, weir_bucket_init(&b, 1000, 64, now, &why), 0);
	for (i = 0; i < ARRAY_SIZE(later_ms); i++) {
		KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now, 99), 64);
		now += later_ms[i] * (u64)NSEC_PER_MSEC;
		weir_bucket_give(&b, 64);
		KUNIT_EXPECT_EQ(test, weir_bucket_wait_ns(&b, now), 0);
		KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now, 99), 64);
		KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now, 1), 0);
		KUNIT_EXPECT_EQ(test, weir_bucket_wait_ns(&b, now),
				NSEC_PER_MSEC);
		/* some of them: those and no more */
		weir_bucket_give(&b, 10);
		KUNIT_EXPECT_EQ(test, weir_bucket_take(&b, now, 99), 10);
		now += 64 * NSEC_PER_MSEC;
	}
}

static struct kunit_case bucket_cases[] = {
	KUNIT_CASE(bucket_init__refuses_in_words),
	KUNIT_CASE(bucket_take__agrees_with_exact),
	KUNIT_CASE(bucket_take__is_bounded_by_its_rate),
	KUNIT_CASE(bucket_take__after_a_long_time),
	KUNIT_CASE(bucket_take__of_the_largest),
	KUNIT_CASE(bucket_draw__keeps_the_rate),
	KUNIT_CASE(bucket_give__undoes_take),
	KUNIT_CASE(bucket_give__never_more_than_full),
	{ }
};

static struct kunit_suite bucket_suite = {
	.name		= "weir_bucket",
	.test_cases	= bucket_cases,
};

kunit_test_suites(&bucket_suite);
