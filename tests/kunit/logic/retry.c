// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/retry.c against waits that are doubled one by one.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/time64.h>

#include "logic/retry.h"

#define MS	((u64)NSEC_PER_MSEC)

static void retry_conf_check__refuses_in_words(struct kunit *test)
{
	static const struct {
		struct weir_retry_conf c;
		int err;
	} cases[] = {
		{ { 0, 0, 0 }, 0 },
		{ { 0, 5, 1 }, 0 },
		{ { 1, 1, 1 }, 0 },
		{ { WEIR_RETRY_TRIES_MAX, 10 * MS, U64_MAX }, 0 },
		{ { WEIR_RETRY_TRIES_MAX + 1, 10 * MS, 20 * MS }, -EINVAL },
		{ { U32_MAX, 10 * MS, 20 * MS }, -EINVAL },
		{ { 1, 0, 20 * MS }, -EINVAL },
		{ { 3, 10 * MS, 10 * MS - 1 }, -EINVAL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *why = "left as it was";

		KUNIT_EXPECT_EQ(test, weir_retry_conf_check(&cases[i].c, &why),
				cases[i].err);
		KUNIT_EXPECT_EQ(test, !why, !cases[i].err);
	}
}

/* The longest wait before an attempt, doubled until it is too long. */
static u64 longest_wait(const struct weir_retry_conf *c, u32 attempt)
{
	u64 wait = c->base_ns;

	if (wait >= c->max_ns)
		return c->max_ns;
	while (attempt-- > 1) {
		if (wait >= c->max_ns - wait)
			return c->max_ns;
		wait += wait;
	}
	return wait;
}

/*
 * In its half for any numbers but a wait of nothing, and at its ends for the
 * outermost.
 */
static void retry_delay_ns__is_in_the_upper_half(struct kunit *test)
{
	struct rnd_state rnd;
	u32 round, wrong = 0;

	prandom_seed_state(&rnd, 2015);
	for (round = 0; round < 30000; round++) {
		struct weir_retry_conf c = { .tries = 16 };
		u32 attempt = 1 + prandom_u32_state(&rnd) % 80;
		u64 longest, low, high, some;

		c.base_ns = ((u64)prandom_u32_state(&rnd) << 32 |
			     prandom_u32_state(&rnd)) >>
			    prandom_u32_state(&rnd) % 64;
		c.max_ns = ((u64)prandom_u32_state(&rnd) << 32 |
			    prandom_u32_state(&rnd)) >>
			   prandom_u32_state(&rnd) % 64;
		c.base_ns += !c.base_ns;
		if (round % 100 == 0)
			c.max_ns = U64_MAX;
		if (round % 57 == 0)
			attempt = U32_MAX;
		longest = longest_wait(&c, attempt);
		low = weir_retry_delay_ns(&c, attempt, 0);
		high = weir_retry_delay_ns(&c, attempt, U32_MAX);
		some = weir_retry_delay_ns(&c, attempt,
					   prandom_u32_state(&rnd));
		wrong += low != longest / 2 + longest % 2;
		wrong += high > longest || (longest > 1 && high == longest);
		/* what 2^-32 of it is missing at the end */
		wrong += longest - high > (longest >> 33) + 1;
		wrong += some < low || some > high;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void retry_delay_ns__doubles_up_to_its_limit(struct kunit *test)
{
	static const struct weir_retry_conf c = {
		.tries = 8, .base_ns = 10 * MS, .max_ns = 300 * MS,
	};
	static const u32 halves_ms[] = { 5, 10, 20, 40, 80, 150, 150, 150 };
	u32 i;

	for (i = 0; i < c.tries; i++) {
		KUNIT_EXPECT_EQ(test, weir_retry_delay_ns(&c, i + 1, 0),
				halves_ms[i] * MS);
		KUNIT_EXPECT_EQ(test, weir_retry_delay_ns(&c, i + 1, 1U << 31),
				halves_ms[i] * MS * 3 / 2);
	}
	KUNIT_EXPECT_EQ(test, weir_retry_delay_ns(&c, 0, 0), 5 * MS);
}

/* Waits drawn for many are spread evenly over the upper half. */
static void retry_delay_ns__spreads_evenly(struct kunit *test)
{
	static const struct weir_retry_conf c = {
		.tries = 3, .base_ns = 16 * MS, .max_ns = 1000 * MS,
	};
	u32 share[8] = { 0 }, i;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 8);
	for (i = 0; i < 16000; i++) {
		u64 ns = weir_retry_delay_ns(&c, 1, prandom_u32_state(&rnd));

		KUNIT_ASSERT_GE(test, ns, 8 * MS);
		KUNIT_ASSERT_LT(test, ns, 16 * MS);
		share[ns / MS - 8]++;
	}
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_GT(test, share[i], 1750);
		KUNIT_EXPECT_LT(test, share[i], 2250);
	}
}

/* Many that are due at once come one after the other, and one alone in time. */
static void retry_spread_ns__keeps_the_pace(struct kunit *test)
{
	u64 last = 0, due;
	u32 i;

	KUNIT_EXPECT_EQ(test, weir_retry_spread_ns(&last, 50 * MS, MS), 50 * MS);
	for (i = 1; i <= 100; i++) {
		due = weir_retry_spread_ns(&last, 50 * MS, MS);
		KUNIT_EXPECT_EQ(test, due, (50 + i) * MS);
	}
	KUNIT_EXPECT_EQ(test, weir_retry_spread_ns(&last, 500 * MS, MS),
			500 * MS);
}

static struct kunit_case retry_cases[] = {
	KUNIT_CASE(retry_conf_check__refuses_in_words),
	KUNIT_CASE(retry_delay_ns__is_in_the_upper_half),
	KUNIT_CASE(retry_delay_ns__doubles_up_to_its_limit),
	KUNIT_CASE(retry_delay_ns__spreads_evenly),
	KUNIT_CASE(retry_spread_ns__keeps_the_pace),
	{}
};

static struct kunit_suite retry_suite = {
	.name = "weir_retry",
	.test_cases = retry_cases,
};

kunit_test_suites(&retry_suite);
