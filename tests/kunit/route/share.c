// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of weir_target_probe() in module/route/share.c: how many breakers of a
 * route may refuse a user at once. Plan, targets and caller are made by hand,
 * with no more in them than the function looks at.
 */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "logic/breaker.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/request.h"
#include "route/target.h"
#include "tenant.h"

#define MS	((u64)NSEC_PER_MSEC)
#define NOW	MS
#define USER	1000
#define OTHER	1001
#define TARGETS	4

/**
 * struct fixture - a caller and a route of four targets
 * @ep: the caller's endpoint.
 * @tenant: its user, USER.
 * @plan: of the route.
 * @pick: of @plan, for @weights.
 * @weights: of the targets.
 * @targets: those of @plan.
 */
struct fixture {
	struct weir_endpoint	*ep;
	struct weir_tenant	*tenant;
	struct weir_plan	*plan;
	struct weir_pick	*pick;
	u32			weights[TARGETS];
	struct weir_target	*targets[TARGETS];
};

/* One call of a user has ended at a target. */
static void end_call(struct fixture *f, u32 i, u32 user, bool good)
{
	struct weir_breaker *b = &f->targets[i]->breaker;
	u32 round;

	local_bh_disable();
	if (weir_breaker_permit(b, &f->plan->breaker, user, NOW, &round))
		weir_breaker_done(b, &f->plan->breaker, user, NOW, round, good,
				  0);
	local_bh_enable();
}

/* Opens the breaker of a target for a user, or for all. */
static void open_for(struct kunit *test, u32 i, u32 user)
{
	struct fixture *f = test->priv;
	struct weir_breaker *b = &f->targets[i]->breaker;
	u32 n;

	for (n = 0; n < 8; n++) {
		end_call(f, i, USER, user == OTHER);
		if (user != USER)
			end_call(f, i, OTHER, false);
	}
	KUNIT_ASSERT_EQ(test, b->state, WEIR_BREAKER_OPEN);
	KUNIT_ASSERT_EQ(test, b->only, user);
}

/* Does target @i take a request of the caller, in a section of its own? */
static bool takes(struct kunit *test, u32 i)
{
	struct fixture *f = test->priv;
	struct weir_target *target = f->targets[i];
	u32 n = 3, round = 1;
	enum weir_reason reason;

	f->ep->pass.open_plan = NULL;
	f->ep->pass.now_ns = NOW;
	/* in flight: those that ask, which the lower half has counted */
	atomic_set(&target->load.in_flight, n);
	local_bh_disable();
	reason = weir_target_probe(f->ep, f->plan, target, &n, &round);
	local_bh_enable();
	if (reason) {
		KUNIT_EXPECT_EQ(test, reason, WEIR_REASON_BREAKER);
		KUNIT_EXPECT_EQ(test, atomic_read(&target->load.in_flight), 0);
		return false;
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&target->load.in_flight), n);
	/* neither a probe, nor counted in a window */
	if (weir_breaker_open_for(&target->breaker, USER))
		KUNIT_EXPECT_EQ(test, round, 0);
	return true;
}

static void target_probe__refuses_up_to_a_share(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->plan->max_open = weir_breaker_max_open(TARGETS, 50);
	open_for(test, 0, USER);
	open_for(test, 1, WEIR_BREAKER_NO_USER);
	KUNIT_EXPECT_FALSE(test, takes(test, 0));
	KUNIT_EXPECT_FALSE(test, takes(test, 1));
	/* more than half: all are tried, those that are open for all, too */
	open_for(test, 2, WEIR_BREAKER_NO_USER);
	KUNIT_EXPECT_TRUE(test, takes(test, 0));
	KUNIT_EXPECT_TRUE(test, takes(test, 1));
	KUNIT_EXPECT_TRUE(test, takes(test, 2));
	f->plan->max_open = weir_breaker_max_open(TARGETS, 75);
	KUNIT_EXPECT_FALSE(test, takes(test, 2));
	f->plan->max_open = weir_breaker_max_open(TARGETS, 0);
	open_for(test, 3, USER);
	KUNIT_EXPECT_FALSE(test, takes(test, 3));
}

static void target_probe__counts_targets_with_weight(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->plan->max_open = 1;
	f->weights[0] = 0;
	open_for(test, 0, USER);
	open_for(test, 1, USER);
	KUNIT_EXPECT_FALSE(test, takes(test, 1));
	f->weights[0] = 1;
	KUNIT_EXPECT_TRUE(test, takes(test, 1));
}

/* A user's own bad requests do not free the user from any breaker. */
static void target_probe__is_not_freed_by_own_faults(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	f->plan->max_open = 1;
	for (i = 0; i < TARGETS; i++) {
		open_for(test, i, USER);
		end_call(f, i, OTHER, true);
	}
	for (i = 0; i < TARGETS; i++)
		KUNIT_EXPECT_FALSE(test, takes(test, i));
	/* two that are ill are tried, and the others still refuse */
	for (i = 0; i < 2; i++) {
		weir_breaker_reset(&f->targets[i]->breaker, NOW);
		open_for(test, i, WEIR_BREAKER_NO_USER);
	}
	for (i = 0; i < TARGETS; i++)
		KUNIT_EXPECT_EQ(test, takes(test, i), i < 2);
	/* what is open for another user is in nobody's way, and not counted */
	weir_breaker_reset(&f->targets[1]->breaker, NOW);
	open_for(test, 1, OTHER);
	KUNIT_EXPECT_TRUE(test, takes(test, 1));
	KUNIT_EXPECT_FALSE(test, takes(test, 0));
}

static int share_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->ep = kunit_kzalloc(test, sizeof(*f->ep), GFP_KERNEL);
	f->tenant = kunit_kzalloc(test, sizeof(*f->tenant), GFP_KERNEL);
	f->pick = kunit_kzalloc(test, sizeof(*f->pick), GFP_KERNEL);
	f->plan = kunit_kzalloc(test, struct_size(f->plan, targets, TARGETS),
				GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, f->ep && f->tenant && f->pick && f->plan);
	f->tenant->uid = KUIDT_INIT(USER);
	f->ep->tenant = f->tenant;
	f->pick->weights = f->weights;
	f->plan->pick = f->pick;
	f->plan->n = TARGETS;
	f->plan->has_breaker = true;
	f->plan->breaker = (struct weir_breaker_conf){
		.window_ns = 100 * MS,
		.open_ns = 100 * MS,
		.min_calls = 2,
		.error_percent = 50,
		.probes = 1,
	};
	for (i = 0; i < TARGETS; i++) {
		f->targets[i] = kunit_kzalloc(test, sizeof(*f->targets[i]),
					      GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, f->targets[i]);
		weir_breaker_init(&f->targets[i]->breaker, NOW);
		f->plan->targets[i] = f->targets[i];
		f->weights[i] = 1;
	}
	return 0;
}

static struct kunit_case share_cases[] = {
	KUNIT_CASE(target_probe__refuses_up_to_a_share),
	KUNIT_CASE(target_probe__counts_targets_with_weight),
	KUNIT_CASE(target_probe__is_not_freed_by_own_faults),
	{}
};

static struct kunit_suite share_suite = {
	.name = "weir_share",
	.init = share_test_init,
	.test_cases = share_cases,
};

kunit_test_suites(&share_suite);
