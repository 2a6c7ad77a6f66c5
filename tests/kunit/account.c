// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/account.c: lifetime, caps at their exact limits and at the
 * ends of 64 bits, and caps that hold while many threads charge at once.
 *
 * Runs in KUnit's thread, with kthreads of its own for the last. What WARNs
 * (more given back than taken) is not tried: a warning fails the run.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "account.h"

#define USER_BYTES	"the user's memory cap is reached"
#define NS_BYTES	"the network namespace's memory cap is reached"
#define USER_OBJECTS	"the user's cap on objects is reached"
#define NS_OBJECTS	"the network namespace's cap on objects is reached"

/**
 * struct fixture - two users of one namespace
 * @as: the namespace's accounts.
 * @a: uid 1000.
 * @b: uid 1001.
 */
struct fixture {
	struct weir_accounts	as;
	struct weir_account	*a;
	struct weir_account	*b;
};

static int account_test_init(struct kunit *test)
{
	struct fixture *f;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	weir_accounts_init(&f->as);
	f->a = weir_account_get(&f->as, KUIDT_INIT(1000));
	if (IS_ERR(f->a))
		return -ENOMEM;
	f->b = weir_account_get(&f->as, KUIDT_INIT(1001));
	if (IS_ERR(f->b)) {
		weir_account_put(f->a);
		return -ENOMEM;
	}
	test->priv = f;
	return 0;
}

static void account_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	/* both WARN, which fails the run, when a test left charges behind */
	weir_account_put(f->a);
	weir_account_put(f->b);
	weir_accounts_destroy(&f->as);
}

/* Charge and expect what it says; NULL for success. */
static void charge(struct kunit *test, struct weir_account *a, u64 bytes,
		   u64 user_max, u64 ns_max, const char *words)
{
	const char *why = "";
	int err;

	err = weir_account_charge(a, bytes, user_max, ns_max, &why);
	KUNIT_EXPECT_EQ(test, err, words ? -ENOBUFS : 0);
	KUNIT_EXPECT_STREQ(test, why, words ?: "");
}

static void charge_objects(struct kunit *test, struct weir_account *a, u64 n,
			   u64 user_max, u64 ns_max, const char *words)
{
	const char *why = "";
	int err;

	err = weir_account_charge_objects(a, n, user_max, ns_max, &why);
	KUNIT_EXPECT_EQ(test, err, words ? -ENOBUFS : 0);
	KUNIT_EXPECT_STREQ(test, why, words ?: "");
}

static void expect_bytes(struct kunit *test, u64 a, u64 b)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, weir_account_used(f->a, WEIR_ACCOUNT_BYTES), a);
	KUNIT_EXPECT_EQ(test, weir_account_used(f->b, WEIR_ACCOUNT_BYTES), b);
	KUNIT_EXPECT_EQ(test, weir_accounts_used(&f->as, WEIR_ACCOUNT_BYTES),
			a + b);
}

static void account_get__one_for_each_user(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_account *again, *other;

	KUNIT_EXPECT_PTR_NE(test, f->a, f->b);
	again = weir_account_get(&f->as, KUIDT_INIT(1000));
	KUNIT_EXPECT_PTR_EQ(test, again, f->a);
	KUNIT_EXPECT_EQ(test, refcount_read(&f->a->refs), 2);
	weir_account_put(again);
	KUNIT_EXPECT_EQ(test, refcount_read(&f->a->refs), 1);

	other = weir_account_get(&f->as, KUIDT_INIT(0));
	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	KUNIT_EXPECT_PTR_NE(test, other, f->a);
	KUNIT_EXPECT_TRUE(test, uid_eq(other->uid, KUIDT_INIT(0)));
	weir_account_put(other);
}

static void account_get__takes_many_users(struct kunit *test)
{
	const unsigned int n = 2000;
	struct fixture *f = test->priv;
	struct weir_account **all;
	unsigned int i, wrong = 0;

	all = kunit_kcalloc(test, n, sizeof(*all), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, all);
	for (i = 0; i < n; i++) {
		const char *why;

		all[i] = weir_account_get(&f->as, KUIDT_INIT(5000 + i));
		if (IS_ERR(all[i]))
			break;
		wrong += !!weir_account_charge(all[i], i, i, U64_MAX, &why);
	}
	KUNIT_EXPECT_EQ(test, i, n);
	KUNIT_EXPECT_EQ(test, weir_accounts_used(&f->as, WEIR_ACCOUNT_BYTES),
			(u64)n * (n - 1) / 2);
	while (i--) {
		wrong += weir_account_used(all[i], WEIR_ACCOUNT_BYTES) != i;
		weir_account_uncharge(all[i], i);
		weir_account_put(all[i]);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	expect_bytes(test, 0, 0);
}

static void account_charge__up_to_the_cap(struct kunit *test)
{
	struct fixture *f = test->priv;

	charge(test, f->a, 60, 100, 1000, NULL);
	charge(test, f->a, 41, 100, 1000, USER_BYTES);
	expect_bytes(test, 60, 0);
	charge(test, f->a, 40, 100, 1000, NULL);
	charge(test, f->a, 1, 100, 1000, USER_BYTES);
	expect_bytes(test, 100, 0);
	/* another user has a cap of its own */
	charge(test, f->b, 100, 100, 1000, NULL);
	weir_account_uncharge(f->a, 30);
	charge(test, f->a, 31, 100, 1000, USER_BYTES);
	charge(test, f->a, 30, 100, 1000, NULL);
	expect_bytes(test, 100, 100);
	weir_account_uncharge(f->a, 100);
	weir_account_uncharge(f->b, 100);
	expect_bytes(test, 0, 0);
}

static void account_charge__all_or_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;

	charge(test, f->a, 70, 100, 100, NULL);
	charge(test, f->b, 31, 100, 100, NS_BYTES);
	expect_bytes(test, 70, 0);
	charge(test, f->b, 30, 100, 100, NULL);
	charge(test, f->b, 1, 100, 100, NS_BYTES);
	expect_bytes(test, 70, 30);
	/* the user's cap is the one named when both are reached */
	charge(test, f->a, 31, 100, 100, USER_BYTES);
	weir_account_uncharge(f->a, 70);
	weir_account_uncharge(f->b, 30);
}

static void account_charge__zero_and_one(struct kunit *test)
{
	struct fixture *f = test->priv;

	charge(test, f->a, 1, 0, U64_MAX, USER_BYTES);
	charge(test, f->a, 1, U64_MAX, 0, NS_BYTES);
	charge(test, f->a, 0, 0, 0, NULL);
	expect_bytes(test, 0, 0);
	charge(test, f->a, 2, 1, 1, USER_BYTES);
	charge(test, f->a, 1, 1, 1, NULL);
	charge(test, f->a, 1, 1, 1, USER_BYTES);
	charge(test, f->b, 1, 1, 1, NS_BYTES);
	expect_bytes(test, 1, 0);
	/* nothing is always to be had, also above a cap that has sunk */
	charge(test, f->a, 0, 0, 0, NULL);
	charge(test, f->a, 1, 0, 0, USER_BYTES);
	weir_account_uncharge(f->a, 0);
	weir_account_uncharge(f->a, 1);
	expect_bytes(test, 0, 0);
}

static void account_charge__never_overflows(struct kunit *test)
{
	struct fixture *f = test->priv;

	charge(test, f->a, U64_MAX, U64_MAX - 1, U64_MAX, USER_BYTES);
	charge(test, f->a, U64_MAX, U64_MAX, U64_MAX - 1, NS_BYTES);
	charge(test, f->a, U64_MAX - 1, U64_MAX, U64_MAX, NULL);
	charge(test, f->a, 2, U64_MAX, U64_MAX, USER_BYTES);
	charge(test, f->a, U64_MAX, U64_MAX, U64_MAX, USER_BYTES);
	charge(test, f->b, 2, U64_MAX, U64_MAX, NS_BYTES);
	charge(test, f->b, U64_MAX, U64_MAX, U64_MAX, NS_BYTES);
	expect_bytes(test, U64_MAX - 1, 0);
	charge(test, f->b, 1, U64_MAX, U64_MAX, NULL);
	charge(test, f->a, 1, U64_MAX, U64_MAX, NS_BYTES);
	weir_account_uncharge(f->b, 1);
	charge(test, f->a, 1, U64_MAX, U64_MAX, NULL);
	charge(test, f->a, 1, U64_MAX, U64_MAX, USER_BYTES);
	weir_account_uncharge(f->a, U64_MAX);
	expect_bytes(test, 0, 0);
	/* the sign bit is nothing special */
	charge(test, f->a, S64_MAX, U64_MAX, U64_MAX, NULL);
	charge(test, f->a, 1, S64_MAX, U64_MAX, USER_BYTES);
	charge(test, f->a, 2, U64_MAX, (u64)S64_MAX + 1, NS_BYTES);
	charge(test, f->a, 1, U64_MAX, (u64)S64_MAX + 1, NULL);
	weir_account_uncharge(f->a, (u64)S64_MAX + 1);
	expect_bytes(test, 0, 0);
}

static void account_charge_objects__apart_from_bytes(struct kunit *test)
{
	struct fixture *f = test->priv;

	charge(test, f->a, 10, 10, 10, NULL);
	charge_objects(test, f->a, 3, 3, 5, NULL);
	charge_objects(test, f->a, 1, 3, 5, USER_OBJECTS);
	charge_objects(test, f->b, 3, 3, 5, NS_OBJECTS);
	charge_objects(test, f->b, 2, 3, 5, NULL);
	KUNIT_EXPECT_EQ(test, weir_account_used(f->a, WEIR_ACCOUNT_OBJECTS), 3);
	KUNIT_EXPECT_EQ(test, weir_accounts_used(&f->as, WEIR_ACCOUNT_OBJECTS),
			5);
	expect_bytes(test, 10, 0);
	weir_account_uncharge_objects(f->a, 3);
	weir_account_uncharge_objects(f->b, 2);
	KUNIT_EXPECT_EQ(test, weir_accounts_used(&f->as, WEIR_ACCOUNT_OBJECTS),
			0);
	weir_account_uncharge(f->a, 10);
}

/* --- threads ------------------------------------------------------------- */

#define THREADS		4
#define ROUNDS		20000
#define CROWD_USER_MAX	10
#define CROWD_NS_MAX	15

/**
 * struct crowd - one of several threads on the same two users
 * @f: the fixture.
 * @no: which of the threads.
 * @granted: charges that succeeded.
 * @refused: charges that did not.
 * @wrong: what went wrong, counted.
 * @done: all rounds are over; its last touch of anything.
 */
struct crowd {
	struct fixture	*f;
	int		no;
	unsigned int	granted;
	unsigned int	refused;
	unsigned int	wrong;
	struct completion done;
};

/* Each holds up to 7: two on a user exceed its cap, all the namespace's. */
static int crowd_run(void *data)
{
	struct crowd *c = data;
	struct fixture *f = c->f;
	kuid_t uid = KUIDT_INIT(2000 + c->no % 2);
	struct rnd_state rnd;
	int i, wrong = 0;

	prandom_seed_state(&rnd, 4711 + c->no);
	for (i = 0; i < ROUNDS; i++) {
		u64 n = 1 + prandom_u32_state(&rnd) % 7;
		struct weir_account *a;
		const char *why = NULL;

		/* nobody else holds these users: they come and go */
		a = weir_account_get(&f->as, uid);
		if (IS_ERR(a)) {
			wrong++;
			break;
		}
		if (weir_account_charge(a, n, CROWD_USER_MAX, CROWD_NS_MAX,
					&why)) {
			wrong += !why;
			c->refused++;
		} else {
			c->granted++;
			wrong += weir_account_used(a, WEIR_ACCOUNT_BYTES) < n;
			wrong += weir_account_used(a, WEIR_ACCOUNT_BYTES) >
				 CROWD_USER_MAX;
			wrong += weir_accounts_used(&f->as,
						    WEIR_ACCOUNT_BYTES) >
				 CROWD_NS_MAX;
			if (i % 4 == 0)
				cond_resched();	/* keep it a while */
			weir_account_uncharge(a, n);
		}
		weir_account_put(a);
		if (i % 64 == 0)
			cond_resched();
	}
	c->wrong = wrong;
	kthread_complete_and_exit(&c->done, 0);
}

static void account_charge__holds_in_a_crowd(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct task_struct *task[THREADS];
	struct crowd *crowd;
	int i;

	crowd = kunit_kcalloc(test, THREADS, sizeof(*crowd), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, crowd);
	for (i = 0; i < THREADS; i++) {
		crowd[i].f = f;
		crowd[i].no = i;
		init_completion(&crowd[i].done);
		task[i] = kthread_run(crowd_run, &crowd[i], "weir_kunit");
	}
	for (i = 0; i < THREADS; i++) {
		KUNIT_EXPECT_FALSE(test, IS_ERR(task[i]));
		if (IS_ERR(task[i]))
			continue;
		/* no deadline: they have work, not conditions, to wait for */
		wait_for_completion(&crowd[i].done);
		KUNIT_EXPECT_EQ(test, crowd[i].wrong, 0);
		KUNIT_EXPECT_GT(test, crowd[i].granted, 0);
	}
	expect_bytes(test, 0, 0);
}

static struct kunit_case account_cases[] = {
	KUNIT_CASE(account_get__one_for_each_user),
	KUNIT_CASE(account_get__takes_many_users),
	KUNIT_CASE(account_charge__up_to_the_cap),
	KUNIT_CASE(account_charge__all_or_nothing),
	KUNIT_CASE(account_charge__zero_and_one),
	KUNIT_CASE(account_charge__never_overflows),
	KUNIT_CASE(account_charge_objects__apart_from_bytes),
	KUNIT_CASE(account_charge__holds_in_a_crowd),
	{}
};

static struct kunit_suite account_suite = {
	.name = "weir_account",
	.init = account_test_init,
	.exit = account_test_exit,
	.test_cases = account_cases,
};

kunit_test_suite(account_suite);
