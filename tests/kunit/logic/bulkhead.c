// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/bulkhead.h: alone, and with threads that take and give
 * at once and count for themselves how many are inside.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/sched.h>

#include "logic/bulkhead.h"

#define THREADS		4
#define TURNS		20000
#define MOST		3

static void bulkhead_take__refuses_the_one_too_many(struct kunit *test)
{
	atomic_t n = ATOMIC_INIT(0);
	u32 max, i;

	for (max = 1; max < 20; max++) {
		for (i = 0; i < max; i++)
			KUNIT_EXPECT_TRUE(test, weir_bulkhead_take(&n, max, 1));
		KUNIT_EXPECT_FALSE(test, weir_bulkhead_take(&n, max, 1));
		KUNIT_EXPECT_EQ(test, atomic_read(&n), max);
		weir_bulkhead_give(&n, 1);
		KUNIT_EXPECT_TRUE(test, weir_bulkhead_take(&n, max, 1));
		/* the most there may be was made smaller meanwhile */
		if (max > 1)
			KUNIT_EXPECT_FALSE(test, weir_bulkhead_take(&n, 1, 1));
		while (i--)
			weir_bulkhead_give(&n, 1);
		KUNIT_EXPECT_EQ(test, atomic_read(&n), 0);
	}
}

static void bulkhead_take__counts_without_a_limit(struct kunit *test)
{
	atomic_t n = ATOMIC_INIT(0);
	u32 i;

	for (i = 0; i < 1000; i++)
		KUNIT_EXPECT_TRUE(test, weir_bulkhead_take(&n, 0, 1));
	KUNIT_EXPECT_EQ(test, atomic_read(&n), 1000);
	KUNIT_EXPECT_TRUE(test, weir_bulkhead_take(&n, S32_MAX, 1));
	KUNIT_EXPECT_FALSE(test, weir_bulkhead_take(&n, -1, 1));
	KUNIT_EXPECT_FALSE(test, weir_bulkhead_take(&n, 1001, 1));
	weir_bulkhead_give(&n, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&n), 1000);
}

/*
 * What the threads share. @inside is what they count: a thread counts itself
 * after it has taken and no longer when it gives, so it is never more than what
 * the bulkhead let in.
 */
struct crowd {
	atomic_t		in_flight;
	atomic_t		inside;
	atomic_t		too_many;
	struct completion	go;
};

struct member {
	struct crowd		*crowd;
	struct completion	done;
	u32			number;
	u32			taken;
	u32			refused;
};

static void member_take(struct member *m, u32 *held)
{
	struct crowd *c = m->crowd;

	if (!weir_bulkhead_take(&c->in_flight, MOST, 1)) {
		m->refused++;
		return;
	}
	/* inside after it was let in, pairs with member_give() of others */
	smp_mb__after_atomic();
	if (atomic_inc_return(&c->inside) > MOST)
		atomic_inc(&c->too_many);
	m->taken++;
	++*held;
}

static void member_give(struct member *m, u32 *held)
{
	atomic_dec(&m->crowd->inside);
	/* outside before it gives, pairs with member_take() of others */
	smp_mb__after_atomic();
	weir_bulkhead_give(&m->crowd->in_flight, 1);
	--*held;
}

static int member_run(void *data)
{
	struct member *m = data;
	struct rnd_state rnd;
	u32 turn, held = 0;

	prandom_seed_state(&rnd, 100 + m->number);
	wait_for_completion(&m->crowd->go);
	for (turn = 0; turn < TURNS; turn++) {
		if (!held || (held < 2 && prandom_u32_state(&rnd) % 2))
			member_take(m, &held);
		else
			member_give(m, &held);
		/* others are to run while this one holds some */
		if (turn % 64 == 0)
			schedule();
	}
	while (held)
		member_give(m, &held);
	kthread_complete_and_exit(&m->done, 0);
}

static void bulkhead_take__holds_against_many(struct kunit *test)
{
	struct crowd *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct member *m = kunit_kcalloc(test, THREADS, sizeof(*m), GFP_KERNEL);
	struct task_struct *task[THREADS];
	u32 i, taken = 0, refused = 0;

	KUNIT_ASSERT_NOT_NULL(test, c);
	KUNIT_ASSERT_NOT_NULL(test, m);
	init_completion(&c->go);
	for (i = 0; i < THREADS; i++) {
		m[i].crowd = c;
		m[i].number = i;
		init_completion(&m[i].done);
		task[i] = kthread_run(member_run, &m[i], "weir_kunit");
		KUNIT_EXPECT_FALSE(test, IS_ERR(task[i]));
	}
	complete_all(&c->go);
	for (i = 0; i < THREADS; i++) {
		if (IS_ERR(task[i]))
			continue;
		wait_for_completion(&m[i].done);
		taken += m[i].taken;
		refused += m[i].refused;
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&c->too_many), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&c->in_flight), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&c->inside), 0);
	KUNIT_EXPECT_GT(test, taken, 1000);
	KUNIT_EXPECT_GT(test, refused, 0);
}

/* As many of several as there is room for, and no more. */
static void bulkhead_take__gives_what_there_is(struct kunit *test)
{
	struct rnd_state rnd;
	atomic_t n = ATOMIC_INIT(0);
	u32 model = 0, i;

	prandom_seed_state(&rnd, 20261121);
	for (i = 0; i < 20000; i++) {
		u32 r = prandom_u32_state(&rnd), want = 1 + r % 9;
		u32 max = 20 + (r >> 8) % 5, got;

		if (r >> 31) {
			got = weir_bulkhead_take(&n, max, want);
			KUNIT_ASSERT_EQ(test, got, model >= max ? 0 :
					min(want, max - model));
			model += got;
		} else if (model >= want) {
			weir_bulkhead_give(&n, want);
			model -= want;
		}
		KUNIT_ASSERT_EQ(test, (u32)atomic_read(&n), model);
	}
	KUNIT_EXPECT_EQ(test, weir_bulkhead_take(&n, 0, 1000), 1000);
}

/* Takes as much as a user may have, one after the other, as @asking do. */
static void fill(u32 max, u32 *all, u32 *own, u32 asking)
{
	while (weir_bulkhead_share(max, *all, *own, asking)) {
		++*all;
		++*own;
	}
}

static void bulkhead_share__leaves_room_for_the_next(struct kunit *test)
{
	static const u32 most[] = { 1, 2, 3, 7, 8, 16, 100, S32_MAX };
	u32 i, max, left;

	for (i = 0; i < ARRAY_SIZE(most); i++) {
		max = most[i];
		left = max > 1 ? max(max / 8, 1U) : 0;
		/* one user alone, at once */
		KUNIT_EXPECT_EQ(test, weir_bulkhead_share(max, 0, 0, 1),
				max - left);
		KUNIT_EXPECT_EQ(test, weir_bulkhead_share(max, max - left,
							  max - left, 1), 0);
		/* the next one gets some of what is left */
		if (left)
			KUNIT_EXPECT_GE(test, weir_bulkhead_share(max,
								  max - left,
								  0, 2), 1);
		KUNIT_EXPECT_EQ(test, weir_bulkhead_share(max, max, 0, 2), 0);
		/* the most there may be was made smaller meanwhile */
		KUNIT_EXPECT_EQ(test, weir_bulkhead_share(max, S32_MAX + 1U, 0,
							  2), 0);
	}
}

/* Of one that had nearly all one after the other ends, and it asks before others. */
static void bulkhead_share__is_had_as_others_end(struct kunit *test)
{
	u32 max, users, u, turn, all, own[4], part;

	for (max = 8; max <= 200; max += 16) {
		for (users = 2; users <= ARRAY_SIZE(own); users++) {
			memset(own, 0, sizeof(own));
			all = 0;
			fill(max, &all, &own[0], 1);
			for (turn = 0; turn < max; turn++) {
				for (u = 0; u < users; u++)
					fill(max, &all, &own[u], users);
				own[0]--;
				all--;
			}
			part = (max - max / 8) / users;
			for (u = 0; u < users; u++)
				KUNIT_EXPECT_GE_MSG(test, own[u] + 1, part,
						    "user %u of %u, %u", u,
						    users, max);
			KUNIT_EXPECT_LE(test, all, max);
		}
	}
}

/**
 * struct held - what a user has of a bulkhead
 * @lower: permits that were had as they came.
 * @own: of the upper half.
 */
struct held {
	u32 lower, own;
};

/* As many permits as a user may have, one after the other, as @asking do. */
static void hold(u32 max, atomic_t *all, struct held *h, u32 asking)
{
	int lower = weir_bulkhead_lower(max);
	u32 half = max(lower, 0);

	for (;;) {
		u32 now = atomic_read(all);

		if (weir_bulkhead_take(all, lower, 1)) {
			h->lower++;
		} else if (weir_bulkhead_share(max - half,
					       now - min(now, half), h->own,
					       asking)) {
			if (!weir_bulkhead_take(all, max, 1))
				return;
			h->own++;
		} else {
			return;
		}
	}
}

/*
 * A user had nearly all; one permit after the other ends, of the lower half
 * before the upper one or after it, and it asks before the others.
 */
static void bulkhead_lower__leaves_each_its_part(struct kunit *test)
{
	struct held h[4];
	u32 max, users, u, turn, lower, left;
	bool upper_first;
	atomic_t all;

	for (turn = 0; turn < 2 * 200 * 3; turn++) {
		max = 2 + turn / 6;
		users = 2 + turn / 2 % 3;
		upper_first = turn % 2;
		lower = max(weir_bulkhead_lower(max), 0);
		left = max - lower > 1 ? max((max - lower) / 8, 1U) : 0;
		memset(h, 0, sizeof(h));
		atomic_set(&all, 0);
		hold(max, &all, &h[0], 1);
		KUNIT_EXPECT_EQ(test, (u32)atomic_read(&all), max - left);
		/* the next one gets in at once */
		hold(max, &all, &h[1], 2);
		KUNIT_EXPECT_GE_MSG(test, h[1].own, 1, "of %u", max);
		for (u = 0; u < max; u++) {
			u32 i, *end = upper_first ? &h[0].own : &h[0].lower;

			if (!*end)
				end = upper_first ? &h[0].lower : &h[0].own;
			if (*end) {
				--*end;
				atomic_dec(&all);
			}
			for (i = 0; i < users; i++)
				hold(max, &all, &h[i], users);
		}
		for (u = 1; u < users; u++)
			KUNIT_EXPECT_GE_MSG(test, h[u].lower + h[u].own,
					    (max - lower - left) / users,
					    "user %u of %u, %u", u, users, max);
		KUNIT_EXPECT_LE(test, (u32)atomic_read(&all), max);
	}
}

static struct kunit_case bulkhead_cases[] = {
	KUNIT_CASE(bulkhead_take__refuses_the_one_too_many),
	KUNIT_CASE(bulkhead_take__counts_without_a_limit),
	KUNIT_CASE(bulkhead_take__holds_against_many),
	KUNIT_CASE(bulkhead_take__gives_what_there_is),
	KUNIT_CASE(bulkhead_share__leaves_room_for_the_next),
	KUNIT_CASE(bulkhead_share__is_had_as_others_end),
	KUNIT_CASE(bulkhead_lower__leaves_each_its_part),
	{}
};

static struct kunit_suite bulkhead_suite = {
	.name = "weir_bulkhead",
	.test_cases = bulkhead_cases,
};

kunit_test_suites(&bulkhead_suite);
