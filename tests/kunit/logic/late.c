// SPDX-License-Identifier: GPL-2.0
/* Tests of module/logic/late.h. */
#include <kunit/test.h>

#include "logic/late.h"

static void late_add__gives_one_user_half_at_most(struct kunit *test)
{
	struct weir_late *late = kunit_kzalloc(test, sizeof(*late), GFP_KERNEL);
	u64 stream;
	u32 n = 0;

	KUNIT_ASSERT_NOT_NULL(test, late);
	for (stream = 1; stream <= 2 * WEIR_LATE_MAX; stream++)
		n += weir_late_add(late, KUIDT_INIT(1), stream);
	KUNIT_EXPECT_EQ(test, n, WEIR_LATE_MAX / 2);
	KUNIT_EXPECT_TRUE(test, weir_late_add(late, KUIDT_INIT(2), stream));
}

static void late_add__ends_when_all_places_are_taken(struct kunit *test)
{
	struct weir_late *late = kunit_kzalloc(test, sizeof(*late), GFP_KERNEL);
	u32 user, n = 0;

	KUNIT_ASSERT_NOT_NULL(test, late);
	for (user = 1; user <= 2 * WEIR_LATE_MAX; user++)
		n += weir_late_add(late, KUIDT_INIT(user), user);
	KUNIT_EXPECT_EQ(test, n, WEIR_LATE_MAX);
}

static void late_take__finds_each_stream_once(struct kunit *test)
{
	struct weir_late *late = kunit_kzalloc(test, sizeof(*late), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, late);
	KUNIT_EXPECT_FALSE(test, weir_late_take(late, 7));
	KUNIT_EXPECT_TRUE(test, weir_late_add(late, KUIDT_INIT(1), 7));
	KUNIT_EXPECT_TRUE(test, weir_late_add(late, KUIDT_INIT(2), 8));
	KUNIT_EXPECT_TRUE(test, weir_late_take(late, 7));
	KUNIT_EXPECT_FALSE(test, weir_late_take(late, 7));
	KUNIT_EXPECT_TRUE(test, weir_late_take(late, 8));
	KUNIT_EXPECT_EQ(test, late->n, 0);
}

static struct kunit_case late_cases[] = {
	KUNIT_CASE(late_add__gives_one_user_half_at_most),
	KUNIT_CASE(late_add__ends_when_all_places_are_taken),
	KUNIT_CASE(late_take__finds_each_stream_once),
	{}
};

static struct kunit_suite late_suite = {
	.name = "weir_late",
	.test_cases = late_cases,
};

kunit_test_suites(&late_suite);
