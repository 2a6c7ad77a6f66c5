// SPDX-License-Identifier: GPL-2.0
/* Tests of module/logic/patience.h with a clock of their own. */
#include <kunit/test.h>
#include <linux/time64.h>

#include "logic/patience.h"

#define MS	((u64)NSEC_PER_MSEC)

static void patience_left__comes_back_in_time(struct kunit *test)
{
	struct weir_patience p = { };
	u64 now = 1000 * MS;

	KUNIT_EXPECT_EQ(test, weir_patience_left(&p, 100 * MS, now), 100 * MS);
	now += 40 * MS;
	weir_patience_use(&p, now, 40 * MS);
	KUNIT_EXPECT_EQ(test, weir_patience_left(&p, 100 * MS, now), 60 * MS);
	KUNIT_EXPECT_EQ(test, weir_patience_left(&p, 30 * MS, now), 0);
	now += 16 * 10 * MS;
	KUNIT_EXPECT_EQ(test, weir_patience_left(&p, 100 * MS, now), 70 * MS);
	now += 16 * 1000 * MS;
	KUNIT_EXPECT_EQ(test, weir_patience_left(&p, 100 * MS, now), 100 * MS);
}

/* Whoever is waited for again and again costs a sixteenth of the time. */
static void patience_use__bounds_the_share_of_time(struct kunit *test)
{
	struct weir_patience p = { };
	u64 now = MS, begin = now, waited = 0, left;
	int i;

	for (i = 0; i < 10000; i++) {
		left = weir_patience_left(&p, 100 * MS, now);
		if (left) {
			now += left;
			waited += left;
			weir_patience_use(&p, now, left);
		}
		now += MS;
	}
	KUNIT_EXPECT_LE(test, waited, 100 * MS + (now - begin) / 16 + MS);
	KUNIT_EXPECT_GE(test, waited, 100 * MS);
}

/* Many waits at once never make the time overflow. */
static void patience_use__never_more_than_there_is(struct kunit *test)
{
	u64 day = 24 * 3600 * (u64)NSEC_PER_SEC, now = day;
	struct weir_patience p = { };
	int i;

	for (i = 0; i < 10000; i++)
		weir_patience_use(&p, now, day);
	KUNIT_EXPECT_EQ(test, weir_patience_left(&p, 100 * MS, now), 0);
	KUNIT_EXPECT_FALSE(test, weir_patience_whole(&p, now + 16 * day - 1));
	KUNIT_EXPECT_TRUE(test, weir_patience_whole(&p, now + 16 * day));
}

static struct kunit_case patience_cases[] = {
	KUNIT_CASE(patience_left__comes_back_in_time),
	KUNIT_CASE(patience_use__bounds_the_share_of_time),
	KUNIT_CASE(patience_use__never_more_than_there_is),
	{}
};

static struct kunit_suite patience_suite = {
	.name = "weir_patience",
	.test_cases = patience_cases,
};

kunit_test_suites(&patience_suite);
