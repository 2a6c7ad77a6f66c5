// SPDX-License-Identifier: GPL-2.0
/* Tests of module/logic/pending_joins.h. */
#include <kunit/test.h>

#include "logic/pending_joins.h"

static void late_add__gives_one_user_half_at_most(struct kunit *test)
{
	struct weir_pending_joins *joins =
		kunit_kzalloc(test, sizeof(*joins), GFP_KERNEL);
	u64 stream;
	u32 n = 0;

	KUNIT_ASSERT_NOT_NULL(test, joins);
	for (stream = 1; stream <= 2 * WEIR_PENDING_MAX; stream++)
		n += weir_pending_add(joins, KUIDT_INIT(1), stream);
	KUNIT_EXPECT_EQ(test, n, WEIR_PENDING_MAX / 2);
	KUNIT_EXPECT_TRUE(test, weir_pending_add(joins, KUIDT_INIT(2), stream));
}

static void late_add__ends_when_all_places_are_taken(struct kunit *test)
{
	struct weir_pending_joins *joins =
		kunit_kzalloc(test, sizeof(*joins), GFP_KERNEL);
	u32 user, n = 0;

	KUNIT_ASSERT_NOT_NULL(test, joins);
	for (user = 1; user <= 2 * WEIR_PENDING_MAX; user++)
		n += weir_pending_add(joins, KUIDT_INIT(user), user);
	KUNIT_EXPECT_EQ(test, n, WEIR_PENDING_MAX);
}

static void late_take__finds_each_stream_once(struct kunit *test)
{
	struct weir_pending_joins *joins =
		kunit_kzalloc(test, sizeof(*joins), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, joins);
	KUNIT_EXPECT_FALSE(test, weir_pending_take(joins, 7));
	KUNIT_EXPECT_TRUE(test, weir_pending_add(joins, KUIDT_INIT(1), 7));
	KUNIT_EXPECT_TRUE(test, weir_pending_add(joins, KUIDT_INIT(2), 8));
	KUNIT_EXPECT_TRUE(test, weir_pending_take(joins, 7));
	KUNIT_EXPECT_FALSE(test, weir_pending_take(joins, 7));
	KUNIT_EXPECT_TRUE(test, weir_pending_take(joins, 8));
	KUNIT_EXPECT_EQ(test, joins->n, 0);
}

static struct kunit_case late_cases[] = {
	KUNIT_CASE(late_add__gives_one_user_half_at_most),
	KUNIT_CASE(late_add__ends_when_all_places_are_taken),
	KUNIT_CASE(late_take__finds_each_stream_once),
	{}
};

static struct kunit_suite late_suite = {
	.name = "weir_jobs",
	.test_cases = late_cases,
};

kunit_test_suites(&late_suite);
