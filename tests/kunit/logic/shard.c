// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/shard.c: targets come and go at random, and only what must
 * move does.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/prandom.h>

#include "shard.h"

#define TARGETS	48

struct tables {
	struct weir_shard	now;
	struct weir_shard	then;
	u64			ids[TARGETS];
	u64			then_ids[TARGETS];
};

static u64 owner(const struct weir_shard *s, const u64 *ids, u32 bucket)
{
	return s->target[bucket] == WEIR_SHARD_NONE ? 0 :
	       ids[s->target[bucket]];
}

static void shard_learn__with_none_gives_none(struct kunit *test)
{
	struct tables *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	shard_fill(&t->now, t->ids, 0, NULL);
	for (i = 0; i < 1000; i++)
		KUNIT_ASSERT_EQ(test, weir_shard_pick(&t->now, i * 7919),
				WEIR_SHARD_NONE);
}

/* Consecutive identities, as sockets have them; within a third of fair. */
static void shard_learn__shares_evenly(struct kunit *test)
{
	struct tables *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int n, i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < TARGETS; i++)
		t->ids[i] = 1000 + i;
	for (n = 1; n <= 32; n *= 2) {
		u32 share[TARGETS] = { 0 }, bucket, fair = WEIR_SHARD_BUCKETS / n;

		shard_fill(&t->now, t->ids, n, NULL);
		for (bucket = 0; bucket < WEIR_SHARD_BUCKETS; bucket++)
			share[t->now.target[bucket]]++;
		for (i = 0; i < n; i++) {
			KUNIT_EXPECT_GT(test, share[i], fair * 2 / 3);
			KUNIT_EXPECT_LT(test, share[i], fair * 4 / 3);
		}
	}
}

/* Keys that follow one another are spread as well. */
static void shard_pick__spreads_keys(struct kunit *test)
{
	struct tables *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	u32 share[8] = { 0 }, key, i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < 8; i++)
		t->ids[i] = i + 1;
	shard_fill(&t->now, t->ids, 8, NULL);
	for (key = 0; key < 80000; key++)
		share[weir_shard_pick(&t->now, key)]++;
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_GT(test, share[i], 8000);
		KUNIT_EXPECT_LT(test, share[i], 12000);
	}
}

/*
 * One joins or leaves at a time, the others change places: a bucket changes
 * hands only to the one that has come or from the one that has gone.
 */
static void shard_learn__moves_only_what_must(struct kunit *test)
{
	struct tables *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int n = 0, round, wrong = 0;
	struct rnd_state rnd;
	u64 next_id = 1;

	KUNIT_ASSERT_NOT_NULL(test, t);
	prandom_seed_state(&rnd, 1998);
	shard_fill(&t->now, t->ids, 0, NULL);
	for (round = 0; round < 150; round++) {
		bool join = !n || (n < TARGETS && prandom_u32_state(&rnd) % 2);
		u64 who, moved = 0;
		u32 bucket, i;

		t->then = t->now;
		memcpy(t->then_ids, t->ids, sizeof(t->ids));
		if (join) {
			who = next_id++;
			t->ids[n++] = who;
		} else {
			i = prandom_u32_state(&rnd) % n;
			who = t->ids[i];
			t->ids[i] = t->ids[--n];
		}
		if (n > 1) {
			i = prandom_u32_state(&rnd) % n;
			swap(t->ids[0], t->ids[i]);
		}
		shard_fill(&t->now, t->ids, n, NULL);
		for (bucket = 0; bucket < WEIR_SHARD_BUCKETS; bucket++) {
			u64 was = owner(&t->then, t->then_ids, bucket);
			u64 is = owner(&t->now, t->ids, bucket);

			if (was == is) {
				wrong += is == who && !join;
				continue;
			}
			moved++;
			wrong += who != (join ? is : was);
		}
		wrong += !moved;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/*
 * With any of them out, the next one of a key is whose it is in a table of the
 * others alone, and a table told to leave them out is that table.
 */
static void shard_next__agrees_with_table_of_rest(struct kunit *test)
{
	struct tables *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int round, wrong = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, t);
	prandom_seed_state(&rnd, 1996);
	for (round = 0; round < 20; round++) {
		unsigned int n = 1 + prandom_u32_state(&rnd) % TARGETS;
		unsigned int left = 0, i;
		DECLARE_BITMAP(may, TARGETS) = { 0 };

		for (i = 0; i < n; i++) {
			t->ids[i] = prandom_u32_state(&rnd) | (u64)i << 32;
			if (prandom_u32_state(&rnd) % 20 < round)
				continue;
			__set_bit(i, may);
			t->then_ids[left++] = t->ids[i];
		}
		shard_fill(&t->then, t->then_ids, left, NULL);
		shard_fill(&t->now, t->ids, n, may);
		for (i = 0; i < WEIR_SHARD_BUCKETS; i++)
			wrong += owner(&t->now, t->ids, i) !=
				 owner(&t->then, t->then_ids, i);
		for (i = 0; i < 500; i++) {
			u32 key = prandom_u32_state(&rnd);
			u16 who = weir_shard_next(key, t->ids, n, may);

			wrong += who != weir_shard_pick(&t->now, key);
		}
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static struct kunit_case shard_cases[] = {
	KUNIT_CASE(shard_learn__with_none_gives_none),
	KUNIT_CASE(shard_learn__shares_evenly),
	KUNIT_CASE(shard_pick__spreads_keys),
	KUNIT_CASE(shard_learn__moves_only_what_must),
	KUNIT_CASE(shard_next__agrees_with_table_of_rest),
	{}
};

static struct kunit_suite shard_suite = {
	.name = "weir_shard",
	.test_cases = shard_cases,
};

kunit_test_suites(&shard_suite);
