// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/account.c: lifetime, caps at their exact limits and at
 * the ends of 64 bits, and caps that hold while many threads charge at once.
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
#include <linux/time64.h>

#include "logic/account.h"

#define NOW		NSEC_PER_SEC	/* when accounts are made */
#define USER_BYTES	"the user's memory cap is reached"
#define NS_BYTES	"the network namespace's memory cap is reached"
#define USER_OBJECTS	"the user's cap on objects is reached"
#define NS_OBJECTS	"the network namespace's cap on objects is reached"

/**
 * struct fixture - two users of one namespace
 * @users: all users.
 * @ns: what the namespace holds.
 * @a: uid 1000.
 * @b: uid 1001.
 * @for_a: what has been charged to @a.
 * @for_b: what has been charged to @b.
 */
struct fixture {
	struct weir_users	users;
	struct weir_usage	ns;
	struct weir_account	*a;
	struct weir_account	*b;
	struct weir_charge	for_a;
	struct weir_charge	for_b;
};

/* An account of some users, in the fixture's namespace. */
static struct weir_account *payers(struct fixture *f, uid_t first, uid_t second,
				   u32 n)
{
	const kuid_t uids[] = { KUIDT_INIT(first), KUIDT_INIT(second) };

	return weir_account_create(&f->users, &f->ns, uids, n, NOW);
}

static int account_test_init(struct kunit *test)
{
	struct fixture *f;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	weir_users_init(&f->users);
	weir_usage_init(&f->ns);
	f->a = payers(f, 1000, 0, 1);
	if (IS_ERR(f->a))
		return -ENOMEM;
	f->b = payers(f, 1001, 0, 1);
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
	weir_uncharge(&f->for_a);
	weir_uncharge(&f->for_b);
	/* all WARN, which fails the run, when a test left charges behind */
	weir_account_put(f->a);
	weir_account_put(f->b);
	weir_usage_destroy(&f->ns);
	weir_users_destroy(&f->users);
}

static struct weir_charge *charge_of(struct kunit *test, struct weir_account *a)
{
	struct fixture *f = test->priv;

	return a == f->a ? &f->for_a : &f->for_b;
}

/* Charge and expect what it says; NULL for success. */
static void charge(struct kunit *test, struct weir_account *a, u64 bytes,
		   u64 user_max, u64 ns_max, const char *words)
{
	const struct weir_caps caps = {
		.user = { [WEIR_ACCOUNT_BYTES] = user_max },
		.ns = { [WEIR_ACCOUNT_BYTES] = ns_max },
	};
	const char *why = "";
	int err;

	err = weir_charge(charge_of(test, a), a, bytes, 0, &caps, &why);
	KUNIT_EXPECT_EQ(test, err, words ? -ENOBUFS : 0);
	KUNIT_EXPECT_STREQ(test, why, words ?: "");
}

static void charge_objects(struct kunit *test, struct weir_account *a, u64 n,
			   u64 user_max, u64 ns_max, const char *words)
{
	const struct weir_caps caps = {
		.user = { [WEIR_ACCOUNT_OBJECTS] = user_max },
		.ns = { [WEIR_ACCOUNT_OBJECTS] = ns_max },
	};
	const char *why = "";
	int err;

	err = weir_charge(charge_of(test, a), a, 0, n, &caps, &why);
	KUNIT_EXPECT_EQ(test, err, words ? -ENOBUFS : 0);
	KUNIT_EXPECT_STREQ(test, why, words ?: "");
}

static void uncharge(struct kunit *test, struct weir_account *a, u64 bytes)
{
	weir_uncharge_some(charge_of(test, a), bytes, 0);
}

static u64 user_bytes(const struct weir_account *a, u32 i)
{
	return weir_usage_read(&a->users[i]->usage, WEIR_ACCOUNT_BYTES);
}

static void expect_bytes(struct kunit *test, u64 a, u64 b)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, user_bytes(f->a, 0), a);
	KUNIT_EXPECT_EQ(test, user_bytes(f->b, 0), b);
	KUNIT_EXPECT_EQ(test, weir_usage_read(&f->ns, WEIR_ACCOUNT_BYTES),
			a + b);
	KUNIT_EXPECT_EQ(test,
			weir_usage_read(&f->users.sum, WEIR_ACCOUNT_BYTES),
			a + b);
}

static void account_create__one_user_for_each_uid(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_account *again, *other;

	KUNIT_EXPECT_PTR_NE(test, f->a->users[0], f->b->users[0]);
	again = payers(f, 1000, 0, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(again));
	KUNIT_EXPECT_PTR_NE(test, again, f->a);
	KUNIT_EXPECT_PTR_EQ(test, again->users[0], f->a->users[0]);
	KUNIT_EXPECT_EQ(test, refcount_read(&f->a->users[0]->refs), 2);
	weir_account_put(again);
	KUNIT_EXPECT_EQ(test, refcount_read(&f->a->users[0]->refs), 1);

	other = payers(f, 0, 1000, 2);
	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	KUNIT_EXPECT_TRUE(test, uid_eq(weir_account_user(other),
				       KUIDT_INIT(0)));
	KUNIT_EXPECT_PTR_EQ(test, other->users[1], f->a->users[0]);
	weir_account_put(other);
}

static void account_create__takes_many_users(struct kunit *test)
{
	const struct weir_caps caps = {
		.user = { [WEIR_ACCOUNT_BYTES] = U64_MAX },
		.ns = { [WEIR_ACCOUNT_BYTES] = U64_MAX },
	};
	const unsigned int n = 2000;
	struct fixture *f = test->priv;
	struct weir_charge *all;
	unsigned int i, wrong = 0;

	all = kunit_kcalloc(test, n, sizeof(*all), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, all);
	for (i = 0; i < n; i++) {
		struct weir_account *a = payers(f, 5000 + i, 0, 1);
		const char *why;

		if (IS_ERR(a))
			break;
		wrong += !!weir_charge(&all[i], a, i, 0, &caps, &why);
		weir_account_put(a);	/* the charge has its own */
	}
	KUNIT_EXPECT_EQ(test, i, n);
	KUNIT_EXPECT_EQ(test, weir_usage_read(&f->ns, WEIR_ACCOUNT_BYTES),
			(u64)n * (n - 1) / 2);
	while (i--) {
		wrong += user_bytes(all[i].account, 0) != i;
		weir_uncharge(&all[i]);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	expect_bytes(test, 0, 0);
}

/* Whoever fails, the others that pay too have got back what they paid. */
static void account_charge__all_who_pay_or_nobody(struct kunit *test)
{
	struct weir_caps caps = {
		.user = { 100, 10 },
		.ns = { 1000, 100 },
	};
	const kuid_t uids[] = { KUIDT_INIT(1000), KUIDT_INIT(2000),
				KUIDT_INIT(1001), KUIDT_INIT(2001) };
	struct fixture *f = test->priv;
	struct weir_charge c = {};
	struct weir_account *a;
	const char *why = "";
	int i;

	a = weir_account_create(&f->users, &f->ns, uids, ARRAY_SIZE(uids),
				NOW);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	KUNIT_EXPECT_EQ(test, weir_charge(&c, a, 60, 6, &caps, &why), 0);
	for (i = 0; i < ARRAY_SIZE(uids); i++) {
		KUNIT_EXPECT_EQ(test, user_bytes(a, i), 60);
		KUNIT_EXPECT_EQ(test, weir_usage_read(&a->users[i]->usage,
						      WEIR_ACCOUNT_OBJECTS), 6);
	}
	/* once for the namespace, and once in all */
	KUNIT_EXPECT_EQ(test, weir_usage_read(&f->ns, WEIR_ACCOUNT_BYTES), 60);
	KUNIT_EXPECT_EQ(test,
			weir_usage_read(&f->users.sum, WEIR_ACCOUNT_OBJECTS),
			6);

	/* one in the middle has paid for something else */
	charge(test, f->b, 30, 100, 1000, NULL);
	KUNIT_EXPECT_EQ(test, weir_charge(&c, a, 11, 1, &caps, &why), -ENOBUFS);
	KUNIT_EXPECT_STREQ(test, why, USER_BYTES);
	KUNIT_EXPECT_EQ(test, user_bytes(a, 0), 60);
	KUNIT_EXPECT_EQ(test, user_bytes(a, 1), 60);
	KUNIT_EXPECT_EQ(test, user_bytes(a, 2), 90);
	KUNIT_EXPECT_EQ(test, user_bytes(a, 3), 60);
	KUNIT_EXPECT_EQ(test, weir_usage_read(&a->users[0]->usage,
					      WEIR_ACCOUNT_OBJECTS), 6);
	KUNIT_EXPECT_EQ(test, c.used[WEIR_ACCOUNT_BYTES], 60);
	KUNIT_EXPECT_EQ(test, c.used[WEIR_ACCOUNT_OBJECTS], 6);
	/* and the namespace, last of all */
	caps.ns[WEIR_ACCOUNT_BYTES] = 95;
	KUNIT_EXPECT_EQ(test, weir_charge(&c, a, 6, 1, &caps, &why), -ENOBUFS);
	KUNIT_EXPECT_STREQ(test, why, NS_BYTES);
	KUNIT_EXPECT_EQ(test, user_bytes(a, 3), 60);
	KUNIT_EXPECT_EQ(test, weir_charge(&c, a, 5, 1, &caps, &why), 0);
	/* the cap of objects is refused before any byte is paid */
	caps.user[WEIR_ACCOUNT_OBJECTS] = 7;
	KUNIT_EXPECT_EQ(test, weir_charge(&c, a, 0, 1, &caps, &why), -ENOBUFS);
	KUNIT_EXPECT_STREQ(test, why, USER_OBJECTS);

	/* the last put is that of the charge */
	weir_account_put(a);
	weir_uncharge(&c);
	KUNIT_EXPECT_NULL(test, c.account);
	weir_uncharge(&c);
	expect_bytes(test, 0, 30);
	uncharge(test, f->b, 30);
}

/* Five namespaces of one user do not make five caps. */
static void account_charge__one_cap_in_all_namespaces(struct kunit *test)
{
	const struct weir_caps caps = { .user = { 100, 10 }, .ns = { 80, 8 } };
	struct weir_usage ns[5];
	struct weir_charge c[5] = {};
	struct fixture *f = test->priv;
	u64 got = 0;
	int i;

	for (i = 0; i < 5; i++) {
		/* a subordinate uid each, of the same owner */
		const kuid_t uids[] = { KUIDT_INIT(1000),
					KUIDT_INIT(100000 + i) };
		struct weir_account *a;
		const char *why;

		weir_usage_init(&ns[i]);
		a = weir_account_create(&f->users, &ns[i], uids, 2, NOW);
		KUNIT_ASSERT_FALSE(test, IS_ERR(a));
		KUNIT_EXPECT_TRUE(test, uid_eq(weir_account_user(a),
					       KUIDT_INIT(1000)));
		while (!weir_charge(&c[i], a, 30, 1, &caps, &why))
			got += 30;
		weir_account_put(a);
	}
	KUNIT_EXPECT_EQ(test, got, 90);
	KUNIT_EXPECT_EQ(test, user_bytes(f->a, 0), 90);
	for (i = 0; i < 5; i++) {
		weir_uncharge(&c[i]);
		weir_usage_destroy(&ns[i]);
	}
	expect_bytes(test, 0, 0);
}

/* A cap that sinks takes nothing away; one that rises counts at once. */
static void account_charge__caps_may_change(struct kunit *test)
{
	struct fixture *f = test->priv;

	charge(test, f->a, 60, 60, 1000, NULL);
	charge(test, f->a, 1, 10, 1000, USER_BYTES);
	charge(test, f->b, 1, 100, 10, NS_BYTES);
	expect_bytes(test, 60, 0);
	charge(test, f->a, 1, 61, 1000, NULL);
	uncharge(test, f->a, 52);
	charge(test, f->a, 1, 10, 1000, NULL);
	expect_bytes(test, 10, 0);
	uncharge(test, f->a, 10);
}

/* No two users have one slot, as long as there are slots. */
static void account_slot__is_one_users(struct kunit *test)
{
	struct fixture *f = test->priv;
	const u32 n = WEIR_USER_SLOTS - 2;
	DECLARE_BITMAP(taken, WEIR_USER_SLOTS) = { };
	struct weir_account **a, *again;
	u32 i, slot;

	a = kunit_kcalloc(test, n, sizeof(*a), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, a);
	__set_bit(weir_user_slot(f->a), taken);
	__set_bit(weir_user_slot(f->b), taken);
	for (i = 0; i < n; i++) {
		a[i] = payers(f, 2000 + i, 1000, 1);
		KUNIT_ASSERT_FALSE(test, IS_ERR(a[i]));
		KUNIT_EXPECT_FALSE(test,
				   __test_and_set_bit(weir_user_slot(a[i]),
						      taken));
	}
	/* more have one of these; a user keeps its own, and gives it back */
	again = payers(f, 9999, 0, 1);
	KUNIT_EXPECT_LT(test, weir_user_slot(again), WEIR_USER_SLOTS);
	weir_account_put(again);
	slot = weir_user_slot(a[7]);
	again = payers(f, 2007, 0, 1);
	KUNIT_EXPECT_EQ(test, weir_user_slot(again), slot);
	weir_account_put(again);
	weir_account_put(a[7]);
	a[7] = payers(f, 9999, 0, 1);
	KUNIT_EXPECT_EQ(test, weir_user_slot(a[7]), slot);
	for (i = 0; i < n; i++)
		weir_account_put(a[i]);
}

static void account_share__leaves_as_much(struct kunit *test)
{
	u64 others = 0;
	int users;

	KUNIT_EXPECT_EQ(test, weir_share(4096, 0), 2048);
	KUNIT_EXPECT_EQ(test, weir_share(4096, 2048), 1024);
	KUNIT_EXPECT_EQ(test, weir_share(4096, 4095), 1);
	KUNIT_EXPECT_EQ(test, weir_share(4096, 4096), 1);
	KUNIT_EXPECT_EQ(test, weir_share(4096, U64_MAX), 1);
	KUNIT_EXPECT_EQ(test, weir_share(0, 0), 1);
	KUNIT_EXPECT_EQ(test, weir_share(U64_MAX, 0), U64_MAX / 2);
	/* each takes its share: the next one still gets something */
	for (users = 0; others < 4095; users++)
		others += weir_share(4096, others);
	KUNIT_EXPECT_EQ(test, users, 12);
}

/* Users take what they may, one after the other; then the first gives back. */
static void account_tally__holds_shares(struct kunit *test)
{
	const kuid_t a = KUIDT_INIT(1000), b = KUIDT_INIT(1001);
	struct weir_tally t;
	u32 n;

	weir_tally_init(&t);
	for (n = 0; !weir_tally_full(&t, a, 16); n++)
		KUNIT_ASSERT_EQ(test, weir_tally_add(&t, a, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, n, 8);
	for (n = 0; !weir_tally_full(&t, b, 16); n++)
		KUNIT_ASSERT_EQ(test, weir_tally_add(&t, b, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, n, 4);
	KUNIT_EXPECT_EQ(test, t.total, 12);
	/* its share is smaller now, and what it has stays */
	weir_tally_sub(&t, a);
	KUNIT_EXPECT_TRUE(test, weir_tally_full(&t, a, 16));
	weir_tally_sub(&t, a);
	KUNIT_EXPECT_TRUE(test, weir_tally_full(&t, a, 16));
	weir_tally_sub(&t, a);
	KUNIT_EXPECT_FALSE(test, weir_tally_full(&t, a, 16));
	while (t.total > 4)
		weir_tally_sub(&t, a);
	KUNIT_EXPECT_FALSE(test, weir_tally_full(&t, b, 16));
	while (t.total)
		weir_tally_sub(&t, b);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t.users));
	weir_tally_destroy(&t);
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
	uncharge(test, f->a, 30);
	charge(test, f->a, 31, 100, 1000, USER_BYTES);
	charge(test, f->a, 30, 100, 1000, NULL);
	expect_bytes(test, 100, 100);
	uncharge(test, f->a, 100);
	uncharge(test, f->b, 100);
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
	uncharge(test, f->a, 70);
	uncharge(test, f->b, 30);
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
	uncharge(test, f->a, 0);
	uncharge(test, f->a, 1);
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
	uncharge(test, f->b, 1);
	charge(test, f->a, 1, U64_MAX, U64_MAX, NULL);
	charge(test, f->a, 1, U64_MAX, U64_MAX, USER_BYTES);
	uncharge(test, f->a, U64_MAX);
	expect_bytes(test, 0, 0);
	/* the sign bit is nothing special */
	charge(test, f->a, S64_MAX, U64_MAX, U64_MAX, NULL);
	charge(test, f->a, 1, S64_MAX, U64_MAX, USER_BYTES);
	charge(test, f->a, 2, U64_MAX, (u64)S64_MAX + 1, NS_BYTES);
	charge(test, f->a, 1, U64_MAX, (u64)S64_MAX + 1, NULL);
	uncharge(test, f->a, (u64)S64_MAX + 1);
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
	KUNIT_EXPECT_EQ(test, weir_usage_read(&f->a->users[0]->usage,
					      WEIR_ACCOUNT_OBJECTS), 3);
	KUNIT_EXPECT_EQ(test, weir_usage_read(&f->ns, WEIR_ACCOUNT_OBJECTS), 5);
	expect_bytes(test, 10, 0);
	weir_uncharge_some(&f->for_a, 0, 3);
	weir_uncharge_some(&f->for_b, 0, 2);
	KUNIT_EXPECT_EQ(test, weir_usage_read(&f->ns, WEIR_ACCOUNT_OBJECTS), 0);
	uncharge(test, f->a, 10);
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

/*
 * Each holds up to 7: two on a user exceed its cap. User 3000 pays for all, as
 * the owner of the namespaces of the others.
 */
static int crowd_run(void *data)
{
	struct crowd *c = data;
	struct fixture *f = c->f;
	const struct weir_caps caps = {
		.user = { [WEIR_ACCOUNT_BYTES] = CROWD_USER_MAX },
		.ns = { [WEIR_ACCOUNT_BYTES] = CROWD_NS_MAX },
	};
	struct rnd_state rnd;
	int i, wrong = 0;

	prandom_seed_state(&rnd, 4711 + c->no);
	for (i = 0; i < ROUNDS; i++) {
		u64 n = 1 + prandom_u32_state(&rnd) % 7;
		struct weir_charge charge = {};
		struct weir_account *a;
		const char *why = NULL;

		/* nobody else holds these users: they come and go */
		a = payers(f, 2000 + c->no % 2, 3000, 2);
		if (IS_ERR(a)) {
			wrong++;
			break;
		}
		if (weir_charge(&charge, a, n, 0, &caps, &why)) {
			wrong += !why;
			c->refused++;
		} else {
			c->granted++;
			wrong += user_bytes(a, 0) < n || user_bytes(a, 1) < n;
			wrong += user_bytes(a, 0) > CROWD_USER_MAX;
			wrong += user_bytes(a, 1) > CROWD_USER_MAX;
			wrong += weir_usage_read(&f->ns, WEIR_ACCOUNT_BYTES) >
				 CROWD_NS_MAX;
			if (i % 4 == 0)
				cond_resched();	/* keep it a while */
			weir_uncharge(&charge);
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

/* How many of @tries barriers an account may have at a time. */
static u32 fences(const struct weir_account *a, u64 now, u32 tries)
{
	u32 had = 0;

	while (tries--)
		had += weir_account_may_fence(a, now);
	return had;
}

static void account_may_fence__bursts_and_then_a_rate(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 now = 5 * NSEC_PER_SEC;

	KUNIT_EXPECT_EQ(test, fences(f->a, now, 1000), WEIR_FENCE_BURST);
	KUNIT_EXPECT_EQ(test, fences(f->a, now + WEIR_FENCE_NS - 1, 1000), 0);
	KUNIT_EXPECT_EQ(test, fences(f->a, now + WEIR_FENCE_NS, 1000), 1);
	KUNIT_EXPECT_EQ(test, fences(f->a, now + 4 * WEIR_FENCE_NS, 1000), 3);
	/* an allowance that is not used is no larger later */
	now += 3600 * NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, fences(f->a, now, 1000), WEIR_FENCE_BURST);
}

static void account_may_fence__each_user_has_its_own(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 now = NSEC_PER_SEC;

	KUNIT_EXPECT_EQ(test, fences(f->a, now, 1000), WEIR_FENCE_BURST);
	KUNIT_EXPECT_EQ(test, fences(f->b, now, 1000), WEIR_FENCE_BURST);
	/* in whichever namespace */
	KUNIT_EXPECT_EQ(test, fences(f->a, now, 1000), 0);
}

/* An account of one user, made and put at once. */
static void come_and_go(struct kunit *test, uid_t uid, u64 now)
{
	const kuid_t uids[] = { KUIDT_INIT(uid) };
	struct fixture *f = test->priv;
	struct weir_account *a;

	a = weir_account_create(&f->users, &f->ns, uids, 1, now);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	weir_account_put(a);
}

static void account_put__keeps_what_is_used_up(struct kunit *test)
{
	const u64 most = 100 * NSEC_PER_MSEC;
	struct fixture *f = test->priv;
	struct weir_account *a;
	u64 later;
	int i;

	/* nothing is kept of a user that has used nothing */
	come_and_go(test, 3000, NOW);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->users.idle));

	a = payers(f, 3000, 0, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	weir_account_waited(a, NOW, most);
	KUNIT_EXPECT_EQ(test, fences(a, NOW, 1000), WEIR_FENCE_BURST);
	weir_account_put(a);

	a = payers(f, 3000, 0, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	KUNIT_EXPECT_EQ(test, refcount_read(&a->users[0]->refs), 1);
	KUNIT_EXPECT_EQ(test, weir_account_patience(a, most, NOW), 0);
	KUNIT_EXPECT_EQ(test, fences(a, NOW, 1000), 0);
	weir_account_put(a);

	/* it stays until all is back, and then goes, whoever comes */
	later = NOW + WEIR_PATIENCE_SHARE * most - 1;
	come_and_go(test, 3001, later);
	KUNIT_EXPECT_FALSE(test, list_empty(&f->users.idle));
	come_and_go(test, 3001, later + 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->users.idle));

	/* one that comes for each that goes is enough */
	for (i = 0; i < 100; i++) {
		a = payers(f, 4000 + i, 0, 1);
		KUNIT_ASSERT_FALSE(test, IS_ERR(a));
		weir_account_waited(a, NOW, most);
		weir_account_put(a);
	}
	for (i = 0; i < 100; i++)
		come_and_go(test, 3001, later + 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->users.idle));

	/* what is left at the end goes with the table */
	a = payers(f, 3000, 0, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	weir_account_waited(a, NOW, most);
	weir_account_put(a);
}

/* A user's subordinate uids don't move the slot of the next user. */
static void account_slot__is_not_taken_by_subordinates(struct kunit *test)
{
	struct fixture *f = test->priv;
	const u32 n = WEIR_USER_SLOTS - 1;
	struct weir_account **a, *next;
	u32 i, slot;

	a = kunit_kcalloc(test, n, sizeof(*a), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, a);
	for (i = 0; i < n; i++) {
		a[i] = payers(f, 1000, 5000 + i, 2);
		KUNIT_ASSERT_FALSE(test, IS_ERR(a[i]));
	}
	next = payers(f, 9999, 0, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(next));
	slot = weir_user_slot(next);
	KUNIT_EXPECT_NE(test, slot, weir_user_slot(f->a));
	KUNIT_EXPECT_NE(test, slot, weir_user_slot(f->b));
	weir_account_put(next);
	/* one that pays for itself has a slot of its own from then on */
	next = payers(f, 5000, 0, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(next));
	KUNIT_EXPECT_EQ(test, weir_user_slot(next), slot);
	weir_account_put(next);
	for (i = 0; i < n; i++)
		weir_account_put(a[i]);
}

static struct kunit_case account_cases[] = {
	KUNIT_CASE(account_create__one_user_for_each_uid),
	KUNIT_CASE(account_create__takes_many_users),
	KUNIT_CASE(account_charge__all_who_pay_or_nobody),
	KUNIT_CASE(account_charge__one_cap_in_all_namespaces),
	KUNIT_CASE(account_charge__caps_may_change),
	KUNIT_CASE(account_slot__is_one_users),
	KUNIT_CASE(account_slot__is_not_taken_by_subordinates),
	KUNIT_CASE(account_share__leaves_as_much),
	KUNIT_CASE(account_tally__holds_shares),
	KUNIT_CASE(account_charge__up_to_the_cap),
	KUNIT_CASE(account_charge__all_or_nothing),
	KUNIT_CASE(account_charge__zero_and_one),
	KUNIT_CASE(account_charge__never_overflows),
	KUNIT_CASE(account_charge_objects__apart_from_bytes),
	KUNIT_CASE(account_charge__holds_in_a_crowd),
	KUNIT_CASE(account_may_fence__bursts_and_then_a_rate),
	KUNIT_CASE(account_may_fence__each_user_has_its_own),
	KUNIT_CASE(account_put__keeps_what_is_used_up),
	{}
};

static struct kunit_suite account_suite = {
	.name = "weir_account",
	.init = account_test_init,
	.exit = account_test_exit,
	.test_cases = account_cases,
};

kunit_test_suite(account_suite);
