// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/policy.c. What is drawn is held against shares that are
 * known beforehand, within six standard deviations; what is picked when some
 * cannot be, against plain searches through all of them.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/prandom.h>

#include "logic/policy.h"
#include "shard.h"

#define DRAWS	40000

/* A route's targets as the test has them, and what was made of them. */
struct route {
	struct weir_pick	*p;
	u32			n;
	struct weir_load	load[WEIR_TARGETS_MAX];
	struct weir_load	*loads[WEIR_TARGETS_MAX];
	u32			weights[WEIR_TARGETS_MAX];
	u64			ids[WEIR_TARGETS_MAX];
	u64			hits[WEIR_TARGETS_MAX];
	struct rnd_state	rnd;
	struct weir_shard	shard;
	DECLARE_BITMAP(tried, WEIR_TARGETS_MAX);
};

static struct route *route_make(struct kunit *test, u64 seed)
{
	struct route *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	prandom_seed_state(&r->rnd, seed);
	for (i = 0; i < WEIR_TARGETS_MAX; i++) {
		r->loads[i] = &r->load[i];
		r->load[i].up = 1;
		r->weights[i] = 1;
		r->ids[i] = 7000 + 3 * i;
	}
	return r;
}

static void route_plan(struct kunit *test, struct route *r,
		       enum weir_policy policy, u32 n)
{
	weir_pick_destroy(r->p);
	r->n = n;
	r->p = weir_pick_create(policy, n, r->loads, r->weights, r->ids);
	KUNIT_ASSERT_FALSE(test, IS_ERR(r->p));
}

static void route_end(struct route *r)
{
	weir_pick_destroy(r->p);
}

static u32 route_random(struct route *r)
{
	return prandom_u32_state(&r->rnd);
}

/* May target @i be picked? From the test's own arrays. */
static bool route_may(const struct route *r, u32 i)
{
	return i < r->n && r->weights[i] && r->load[i].up &&
	       !test_bit(i, r->tried);
}

/* Some are down, some have been tried, some weigh nothing; often most. */
static void route_spoil(struct route *r)
{
	u32 i, bad = route_random(r) % 11;

	for (i = 0; i < WEIR_TARGETS_MAX; i++) {
		r->load[i].up = route_random(r) % 10 >= bad;
		__assign_bit(i, r->tried, route_random(r) % 20 < bad);
		r->weights[i] = route_random(r) % 20 < bad / 2 ? 0 :
				1 + route_random(r) % 100;
		atomic_set(&r->load[i].in_flight, route_random(r) % 8);
	}
}

/* Draws @draws times into @hits; false when anything was none. */
static bool route_draw(struct route *r, u32 draws, const unsigned long *tried)
{
	u32 i;

	memset(r->hits, 0, sizeof(r->hits));
	for (i = 0; i < draws; i++) {
		int who = weir_pick_one(r->p, 0, route_random(r), tried);

		if (who < 0 || who >= r->n)
			return false;
		r->hits[who]++;
	}
	return true;
}

/* Is @hits a likely number for @share of @whole in DRAWS draws? */
static bool likely_hits(u64 hits, u64 share, u64 whole)
{
	u64 want = div64_u64(share * DRAWS, whole);
	u64 off = hits > want ? hits - want : want - hits;

	return off * off <= 36 * (want + 1);
}

static void pick_create__refuses_nonsense(struct kunit *test)
{
	struct route *r = route_make(test, 1);

	KUNIT_EXPECT_EQ(test, PTR_ERR(weir_pick_create(WEIR_POLICY_MAX, 1,
						       r->loads, r->weights,
						       r->ids)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(weir_pick_create(WEIR_POLICY_ANY,
						       WEIR_TARGETS_MAX + 1,
						       r->loads, r->weights,
						       r->ids)), -EINVAL);
}

/* With nobody there, nobody up or no weight at all: none, and no harm. */
static void pick_one__says_none(struct kunit *test)
{
	struct route *r = route_make(test, 2);
	u32 policy, n, i;

	for (policy = 0; policy < WEIR_POLICY_MAX; policy++) {
		for (n = 0; n < 4; n++) {
			for (i = 0; i < 4; i++) {
				r->load[i].up = 0;
				r->weights[i] = 5;
			}
			route_plan(test, r, policy, n);
			KUNIT_EXPECT_EQ(test, weir_pick_one(r->p, 1, U32_MAX,
							    NULL),
					WEIR_PICK_NONE);
			for (i = 0; i < 4; i++) {
				r->load[i].up = 1;
				r->weights[i] = 0;
			}
			route_plan(test, r, policy, n);
			KUNIT_EXPECT_EQ(test, weir_pick_one(r->p, 1, U32_MAX,
							    NULL),
					WEIR_PICK_NONE);
			KUNIT_EXPECT_EQ(test, weir_pick_one(r->p, 1, U32_MAX,
							    r->tried),
					WEIR_PICK_NONE);
		}
	}
	route_end(r);
}

/* Whatever is picked may be, and something is picked if anything may be. */
static void pick_one__is_one_that_may(struct kunit *test)
{
	struct route *r = route_make(test, 3);
	u32 round, i, wrong = 0, none = 0;

	for (round = 0; round < 2000; round++) {
		enum weir_policy policy = round % WEIR_POLICY_ALL;
		u32 n = 1 + route_random(r) % (round % 3 ? 6 : 200), may = 0;
		int who;

		/* a plan is dear, as the table of shards is made for it */
		if (policy == WEIR_POLICY_SHARD)
			n = 1 + n % 8;
		route_spoil(r);
		if (round % 2)
			bitmap_zero(r->tried, WEIR_TARGETS_MAX);
		route_plan(test, r, policy, n);
		for (i = 0; i < n; i++) {
			may += route_may(r, i);
			wrong += weir_pick_may(r->p, i, r->tried) !=
				 route_may(r, i);
		}
		for (i = 0; i < 10; i++) {
			who = weir_pick_one(r->p, route_random(r),
					    route_random(r),
					    round % 2 ? NULL : r->tried);
			if (may)
				wrong += who < 0 || !route_may(r, who);
			else
				wrong += who != WEIR_PICK_NONE;
		}
		none += !may;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, none, 50);
	route_end(r);
}

/* What a pick looks at is counted if it is much, and then alone. */
static void pick_first__tells_a_long_look(struct kunit *test)
{
	struct route *r = route_make(test, 2);
	u32 policy, n, up, key;

	for (policy = 0; policy < WEIR_POLICY_ALL; policy++) {
		for (n = 2; n <= WEIR_TARGETS_MAX; n *= 2) {
			for (up = 0; up < n; up++) {
				r->load[up].up = up == n - 1;
				r->weights[up] = 1;
			}
			route_plan(test, r, policy, n);
			/* the key, and what is drawn, are the first one's */
			for (key = 0; key < 100; key++) {
				int i = weir_pick_first(r->p, key, 0, NULL);

				KUNIT_EXPECT_EQ(test, weir_pick_one(r->p, key,
								    0, NULL),
						n - 1);
				if (i >= 0)
					KUNIT_EXPECT_TRUE(test,
							  n <= WEIR_PICK_FEW ||
							  policy ==
							  WEIR_POLICY_SHARD);
				else
					KUNIT_EXPECT_TRUE(test,
							  n > WEIR_PICK_FEW);
			}
			for (up = 0; up < n; up++)
				r->load[up].up = 1;
			KUNIT_EXPECT_GE(test, weir_pick_first(r->p, 0, 0, NULL),
					0);
		}
	}
	route_end(r);
}

static void pick_one__leaves_several_to_the_caller(struct kunit *test)
{
	struct route *r = route_make(test, 4);
	enum weir_policy policy;

	for (policy = WEIR_POLICY_ALL; policy < WEIR_POLICY_MAX; policy++) {
		r->weights[1] = 0;
		r->load[2].up = 0;
		__set_bit(3, r->tried);
		route_plan(test, r, policy, 4);
		KUNIT_EXPECT_EQ(test, weir_pick_one(r->p, 0, 0, NULL),
				WEIR_PICK_NONE);
		KUNIT_EXPECT_TRUE(test, weir_pick_may(r->p, 0, r->tried));
		KUNIT_EXPECT_FALSE(test, weir_pick_may(r->p, 1, NULL));
		KUNIT_EXPECT_FALSE(test, weir_pick_may(r->p, 2, NULL));
		KUNIT_EXPECT_TRUE(test, weir_pick_may(r->p, 3, NULL));
		KUNIT_EXPECT_FALSE(test, weir_pick_may(r->p, 3, r->tried));
	}
	route_end(r);
}

/*
 * All have a different number in flight: the one that k others have less than
 * is picked when it is drawn with one of those that have more, which is so for
 * n - 1 - k of the n (n - 1) / 2 pairs.
 */
static void pick_any__takes_the_lesser_of_two(struct kunit *test)
{
	static const u32 sizes[] = { 2, 3, 7, 64 };
	struct route *r = route_make(test, 5);
	u32 s, k, i;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		u32 n = sizes[s];

		/* 5 has no divisor in common with any of the sizes */
		for (k = 0; k < n; k++)
			atomic_set(&r->load[k].in_flight, k * 5 % n);
		route_plan(test, r, WEIR_POLICY_ANY, n);
		KUNIT_ASSERT_TRUE(test, route_draw(r, DRAWS, NULL));
		for (i = 0; i < n; i++) {
			k = i * 5 % n;
			KUNIT_EXPECT_TRUE_MSG(test,
				likely_hits(r->hits[i], 2 * (n - 1 - k),
					    n * (n - 1)),
				"%u of %u: %llu", k, n, r->hits[i]);
		}
		for (i = 0; i < n; i++)
			if (i * 5 % n == n - 1)
				KUNIT_EXPECT_EQ(test, r->hits[i], 0);
	}
	route_end(r);
}

/* Equals share evenly; those without a weight are as if they were not there. */
static void pick_any__is_fair_among_equals(struct kunit *test)
{
	static const u32 sizes[] = { 1, 2, 3, 10, 100, 256 };
	struct route *r = route_make(test, 6);
	u32 s, i, weightless;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (weightless = 0; weightless < 2; weightless++) {
			u32 n = sizes[s], some = 0;

			for (i = 0; i < n; i++) {
				r->weights[i] = !weightless || i % 3 == 0;
				some += r->weights[i];
			}
			route_plan(test, r, WEIR_POLICY_ANY, n);
			KUNIT_ASSERT_TRUE(test, route_draw(r, DRAWS, NULL));
			for (i = 0; i < n; i++)
				KUNIT_EXPECT_TRUE_MSG(test,
					likely_hits(r->hits[i], r->weights[i],
						    some),
					"%u of %u: %llu", i, n, r->hits[i]);
		}
	}
	route_end(r);
}

/*
 * Requests that are never answered: by one choice the fullest of 64 targets
 * would have some 30 more than the mean, by two it has a few.
 */
static void pick_any__keeps_the_longest_short(struct kunit *test)
{
	struct route *r = route_make(test, 7);
	u32 i, most = 0, least = U32_MAX;

	route_plan(test, r, WEIR_POLICY_ANY, 64);
	for (i = 0; i < 64 * 150; i++) {
		int who = weir_pick_one(r->p, 0, route_random(r), NULL);

		KUNIT_ASSERT_GE(test, who, 0);
		atomic_inc(&r->load[who].in_flight);
	}
	for (i = 0; i < 64; i++) {
		most = max_t(u32, most, atomic_read(&r->load[i].in_flight));
		least = min_t(u32, least, atomic_read(&r->load[i].in_flight));
	}
	KUNIT_EXPECT_LE(test, most, 155);
	KUNIT_EXPECT_GE(test, least, 130);
	route_end(r);
}

/*
 * When one drawn cannot be picked it is the least of all, or the lesser of two
 * others: never the one that has most, unless there are none that have less.
 */
static void pick_any__spares_the_busiest(struct kunit *test)
{
	struct route *r = route_make(test, 8);
	u32 round, i, wrong = 0, compared = 0;

	for (round = 0; round < 3000; round++) {
		u32 n = 2 + route_random(r) % 12;
		int who, most = -1, second = -1, busiest = -1;

		route_spoil(r);
		route_plan(test, r, WEIR_POLICY_ANY, n);
		for (i = 0; i < n; i++) {
			int has = atomic_read(&r->load[i].in_flight);

			if (!route_may(r, i))
				continue;
			if (has > most) {
				second = most;
				most = has;
				busiest = i;
			} else {
				second = max(second, has);
			}
		}
		who = weir_pick_one(r->p, 0, route_random(r), r->tried);
		if (second < 0 || second == most)
			continue;
		compared++;
		wrong += who == busiest;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, compared, 500);
	route_end(r);
}

/* Idle targets share evenly, wherever among them those are that are down. */
static void pick_any__is_fair_when_some_are_down(struct kunit *test)
{
	struct route *r = route_make(test, 9);
	u32 i;

	for (i = 0; i < 5; i++)
		r->load[i].up = 0;
	__set_bit(9, r->tried);
	route_plan(test, r, WEIR_POLICY_ANY, 13);
	KUNIT_ASSERT_TRUE(test, route_draw(r, DRAWS, r->tried));
	for (i = 0; i < 13; i++)
		KUNIT_EXPECT_TRUE_MSG(test, likely_hits(r->hits[i],
							route_may(r, i), 7),
				      "%u: %llu", i, r->hits[i]);
	route_end(r);
}

/* Weights of every kind: equal, few that have all, very small, very large. */
static void weigh(struct route *r, u32 n, u32 kind)
{
	u32 i;

	for (i = 0; i < n; i++) {
		switch (kind) {
		case 0:
			r->weights[i] = 1;
			break;
		case 1:
			r->weights[i] = route_random(r) % 100;
			break;
		case 2:
			r->weights[i] = route_random(r) % 3 ? 0 : 1000000;
			break;
		case 3:
			r->weights[i] = U32_MAX - route_random(r) % 2;
			break;
		case 4:
			r->weights[i] = 1U << (i % 32);
			break;
		default:
			r->weights[i] = route_random(r);
			break;
		}
	}
}

/*
 * What the columns of the table give to a target in all is its share of the
 * sum, but for the rounding of each column to 2^-24 of its height.
 */
static void pick_weighted__has_an_exact_table(struct kunit *test)
{
	struct route *r = route_make(test, 10);
	u32 n, kind, i, wrong = 0;

	for (n = 1; n <= WEIR_TARGETS_MAX; n += n < 20 ? 1 : 59) {
		for (kind = 0; kind < 6; kind++) {
			const struct weir_pick_column *c;
			u64 sum = 0;

			weigh(r, n, kind);
			for (i = 0; i < n; i++)
				sum += r->weights[i];
			if (!sum)
				continue;
			route_plan(test, r, WEIR_POLICY_WEIGHTED, n);
			c = r->p->columns;
			memset(r->hits, 0, sizeof(r->hits));
			for (i = 0; i < n; i++) {
				if (c[i].keep > 1 << 24 || c[i].alias >= n) {
					wrong++;
					break;
				}
				r->hits[i] += c[i].keep;
				r->hits[c[i].alias] += (1 << 24) - c[i].keep;
			}
			for (i = 0; i < n; i++) {
				u64 want = mul_u64_u64_div_u64(r->weights[i],
							       (u64)n << 24,
							       sum);

				wrong += r->hits[i] + n < want ||
					 want + n < r->hits[i];
				wrong += !r->weights[i] && r->hits[i];
			}
		}
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	route_end(r);
}

/* In proportion, among all and among those that are left. */
static void pick_weighted__is_in_proportion(struct kunit *test)
{
	struct route *r = route_make(test, 11);
	u32 n, kind, spoilt, i;

	for (n = 1; n <= 100; n = n * 4 + 1) {
		for (kind = 0; kind < 6; kind++) {
			weigh(r, n, kind);
			r->weights[0] |= 64;
			route_plan(test, r, WEIR_POLICY_WEIGHTED, n);
			for (spoilt = 0; spoilt < 2; spoilt++) {
				u64 sum = 0;

				for (i = 0; i < n; i++) {
					r->load[i].up = !spoilt || i % 5 != 1;
					__assign_bit(i, r->tried,
						     spoilt && i % 4 == 2);
					if (route_may(r, i))
						sum += r->weights[i];
				}
				KUNIT_ASSERT_TRUE(test,
						  route_draw(r, DRAWS,
							     r->tried));
				for (i = 0; i < n; i++)
					KUNIT_EXPECT_TRUE_MSG(test,
						likely_hits(r->hits[i],
							    route_may(r, i) *
							    (u64)r->weights[i],
							    sum),
						"%u of %u, kind %u: %llu", i,
						n, kind, r->hits[i]);
			}
		}
	}
	route_end(r);
}

/*
 * With whatever out, a key's target is whose it is in a table made of only
 * those that may be picked.
 */
static void pick_shard__agrees_with_table_of_rest(struct kunit *test)
{
	struct route *r = route_make(test, 12);
	u32 round, i, wrong = 0, moved = 0;

	for (round = 0; round < 25; round++) {
		u32 n = 1 + route_random(r) % 40, left = 0;
		u64 ids[40];
		u32 index[40];

		if (round % 5 == 0) {
			for (i = 0; i < n; i++) {
				r->weights[i] = 1 + i;
				r->load[i].up = 1;
			}
			bitmap_zero(r->tried, WEIR_TARGETS_MAX);
		} else {
			route_spoil(r);
		}
		route_plan(test, r, WEIR_POLICY_SHARD, n);
		for (i = 0; i < n; i++) {
			if (!route_may(r, i))
				continue;
			/* any order will do */
			ids[left] = r->ids[i];
			index[left++] = i;
			if (left > 1) {
				swap(ids[0], ids[left - 1]);
				swap(index[0], index[left - 1]);
			}
		}
		shard_fill(&r->shard, ids, left, NULL);
		for (i = 0; i < 1000; i++) {
			u32 key = route_random(r);
			u16 want = weir_shard_pick(&r->shard, key);
			int who = weir_pick_one(r->p, key, route_random(r),
						r->tried);

			wrong += who != (want == WEIR_SHARD_NONE ?
					 WEIR_PICK_NONE : (int)index[want]);
			moved += who != weir_shard_pick(r->p->shard, key);
		}
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, moved, 3000);
	route_end(r);
}

static void pick_primary__takes_the_first(struct kunit *test)
{
	struct route *r = route_make(test, 13);
	u32 round, i, wrong = 0;

	for (round = 0; round < 2000; round++) {
		int first = WEIR_PICK_NONE, who;

		route_spoil(r);
		route_plan(test, r, WEIR_POLICY_PRIMARY,
			   route_random(r) % 30);
		for (i = r->n; i--;)
			if (route_may(r, i))
				first = i;
		who = weir_pick_one(r->p, route_random(r), route_random(r),
				    r->tried);
		wrong += who != first;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	route_end(r);
}

static struct kunit_case policy_cases[] = {
	KUNIT_CASE(pick_create__refuses_nonsense),
	KUNIT_CASE(pick_one__says_none),
	KUNIT_CASE(pick_one__is_one_that_may),
	KUNIT_CASE(pick_one__leaves_several_to_the_caller),
	KUNIT_CASE(pick_first__tells_a_long_look),
	KUNIT_CASE(pick_any__takes_the_lesser_of_two),
	KUNIT_CASE(pick_any__is_fair_among_equals),
	KUNIT_CASE(pick_any__keeps_the_longest_short),
	KUNIT_CASE(pick_any__spares_the_busiest),
	KUNIT_CASE(pick_any__is_fair_when_some_are_down),
	KUNIT_CASE(pick_weighted__has_an_exact_table),
	KUNIT_CASE(pick_weighted__is_in_proportion),
	KUNIT_CASE(pick_shard__agrees_with_table_of_rest),
	KUNIT_CASE(pick_primary__takes_the_first),
	{}
};

static struct kunit_suite policy_suite = {
	.name = "weir_policy",
	.test_cases = policy_cases,
};

kunit_test_suites(&policy_suite);
