// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/clock.h: deadlines between clocks with offsets.
 */
#include <kunit/test.h>

#include "logic/clock.h"

#define FAR	(1LL << 62)	/* more than any time namespace may have */

struct clock_case {
	u64	deadline;
	s64	offset;
	u64	in;
	u64	out;
};

static const struct clock_case clock_cases[] = {
	{ 0, 0, 0, 0 },
	{ 0, 5, 0, 0 },
	{ 0, -5, 0, 0 },
	{ 1, 0, 1, 1 },
	{ 100, 40, 60, 140 },
	{ 100, -40, 140, 60 },
	/* over, and not "none" */
	{ 100, 100, 1, 200 },
	{ 100, 101, 1, 201 },
	{ 100, -100, 200, 1 },
	{ 100, -FAR, FAR + 100, 1 },
	/* so far that the route's longest counts */
	{ S64_MAX, 0, S64_MAX, S64_MAX },
	{ S64_MAX, 1, S64_MAX - 1, U64_MAX },
	{ S64_MAX, -1, U64_MAX, S64_MAX - 1 },
	{ 1ULL << 63, 0, U64_MAX, U64_MAX },
	{ 1ULL << 63, FAR, U64_MAX, U64_MAX },
	{ U64_MAX, 0, U64_MAX, U64_MAX },
	{ U64_MAX, -FAR, U64_MAX, U64_MAX },
};

static void clock__by_table(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(clock_cases); i++) {
		const struct clock_case *c = &clock_cases[i];

		KUNIT_EXPECT_EQ_MSG(test, weir_clock_in(c->deadline, c->offset),
				    c->in, "in, case %d", i);
		KUNIT_EXPECT_EQ_MSG(test, weir_clock_out(c->deadline, c->offset),
				    c->out, "out, case %d", i);
	}
}

static void clock_between__is_one_time(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, weir_clock_between(100, 40, 40), 100);
	KUNIT_EXPECT_EQ(test, weir_clock_between(100, 40, -10), 50);
	KUNIT_EXPECT_EQ(test, weir_clock_between(100, -10, 40), 150);
	KUNIT_EXPECT_EQ(test, weir_clock_between(0, -10, 40), 0);
	KUNIT_EXPECT_EQ(test, weir_clock_between(100, 40, -FAR), 1);
	/* the same clock: no value is another */
	KUNIT_EXPECT_EQ(test, weir_clock_between(1ULL << 63, 40, 40), 1ULL << 63);
	KUNIT_EXPECT_EQ(test, weir_clock_between(1ULL << 63, 40, 0), U64_MAX);
}

static struct kunit_case clock_tests[] = {
	KUNIT_CASE(clock__by_table),
	KUNIT_CASE(clock_between__is_one_time),
	{}
};

static struct kunit_suite clock_suite = {
	.name = "weir_clock",
	.test_cases = clock_tests,
};

kunit_test_suites(&clock_suite);
