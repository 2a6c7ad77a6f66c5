// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the buckets of module/logic/hist.h.
 */
#include <kunit/test.h>
#include <linux/log2.h>

#include "logic/hist.h"

#define TOP_NS	(1ULL << 36)

/* Each begins where the one before it ends, and is an eighth wide at most. */
static void hist_bucket__divides_all_there_is(struct kunit *test)
{
	u64 low = 0, next;
	u32 i;

	for (i = 0; i < WEIR_HIST_BUCKETS; i++, low = next) {
		next = low + (low < 2048 ? 256 : 1ULL << (ilog2(low) - 3));
		KUNIT_EXPECT_EQ(test, weir_hist_bucket(low), i);
		KUNIT_EXPECT_EQ(test, weir_hist_bucket(next - 1), i);
	}
	KUNIT_EXPECT_EQ(test, low, TOP_NS);
	KUNIT_EXPECT_EQ(test, weir_hist_bucket(TOP_NS), WEIR_HIST_BUCKETS - 1);
	KUNIT_EXPECT_EQ(test, weir_hist_bucket(U64_MAX), WEIR_HIST_BUCKETS - 1);
}

static struct kunit_case hist_cases[] = {
	KUNIT_CASE(hist_bucket__divides_all_there_is),
	{}
};

static struct kunit_suite hist_suite = {
	.name = "weir_hist",
	.test_cases = hist_cases,
};

kunit_test_suites(&hist_suite);
