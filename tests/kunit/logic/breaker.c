// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/breaker.c with a clock of their own; the window against a
 * list of all calls that were ever made, and good calls told together against
 * the same ones told one by one.
 */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/time64.h>

#include "logic/breaker.h"

#define MS	((u64)NSEC_PER_MSEC)
#define USER	1000

static const struct weir_breaker_conf conf = {
	.window_ns	= 800 * MS,
	.open_ns	= 200 * MS,
	.slow_ns	= 50 * MS,
	.min_calls	= 10,
	.error_percent	= 50,
	.slow_percent	= 80,
	.probes		= 3,
};

/* --- the functions, called as in the router: with BH disabled ------------ */

static bool breaker_permit(struct weir_breaker *b,
			   const struct weir_breaker_conf *c, u32 user, u64 now,
			   u32 *round)
{
	bool may;

	local_bh_disable();
	may = weir_breaker_permit(b, c, user, now, round);
	local_bh_enable();
	return may;
}

/* As many parameters as weir_breaker_done() has. */
static void breaker_done(struct weir_breaker *b,
			 const struct weir_breaker_conf *c, u32 user, u64 now,
			 u32 round, bool good, u64 took)
{
	local_bh_disable();
	weir_breaker_done(b, c, user, now, round, good, took);
	local_bh_enable();
}

static void breaker_good(struct weir_breaker *b,
			 const struct weir_breaker_conf *c, u32 user, u64 now,
			 u32 round, u32 n)
{
	local_bh_disable();
	weir_breaker_good(b, c, user, now, round, n);
	local_bh_enable();
}

static void breaker_forget(struct weir_breaker *b, u32 user, u32 round,
			   bool sent)
{
	local_bh_disable();
	weir_breaker_forget(b, user, round, sent);
	local_bh_enable();
}

/* --- the cases ----------------------------------------------------------- */

static void breaker_conf_check__refuses_in_words(struct kunit *test)
{
	struct weir_breaker_conf bad[8];
	const char *why;
	size_t i;

	KUNIT_EXPECT_EQ(test, weir_breaker_conf_check(&conf, &why), 0);
	KUNIT_EXPECT_NULL(test, why);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = conf;
	bad[0].window_ns = 7;
	bad[1].open_ns = 0;
	bad[2].min_calls = 0;
	bad[3].error_percent = 101;
	bad[4].slow_percent = 101;
	bad[5].slow_ns = 0;
	bad[6].probes = 0;
	bad[7].probes = WEIR_BREAKER_PROBES_MAX + 1;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test, weir_breaker_conf_check(&bad[i], &why),
				-EINVAL);
		KUNIT_EXPECT_NOT_NULL(test, why);
	}
}

/* One call; returns whether it was let through. */
static bool call(struct weir_breaker *b, u64 now, bool good, u64 took)
{
	u32 round;

	if (!breaker_permit(b, &conf, USER, now, &round))
		return false;
	breaker_done(b, &conf, USER, now, round, good, took);
	return true;
}

static void break_it(struct kunit *test, struct weir_breaker *b, u64 now)
{
	int i;

	for (i = 0; i < 10; i++)
		KUNIT_ASSERT_TRUE(test, call(b, now, false, MS));
	KUNIT_ASSERT_EQ(test, b->state, WEIR_BREAKER_OPEN);
}

static void breaker_reset__closes_from_any_state(struct kunit *test)
{
	static const u64 after[] = { 0, 100 * MS, 200 * MS };
	u64 now = MS, opens = 0;
	struct weir_breaker b;
	u32 round, old, i;
	size_t a;

	weir_breaker_init(&b, now);
	for (a = 0; a < ARRAY_SIZE(after); a++) {
		/* open, and for the last of them half open with a probe out */
		KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now,
						       &old));
		break_it(test, &b, now);
		opens++;
		now += after[a];
		KUNIT_EXPECT_EQ(test, breaker_permit(&b, &conf, USER, now,
						     &round),
				after[a] == 200 * MS);
		KUNIT_EXPECT_EQ(test, b.state, after[a] == 200 * MS ?
				WEIR_BREAKER_HALF_OPEN : WEIR_BREAKER_OPEN);
		weir_breaker_reset(&b, now);
		KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
		KUNIT_EXPECT_EQ(test, b.opens, opens);
		KUNIT_EXPECT_EQ(test, b.probes_out, 0);
		/* calls from before say nothing: neither good nor bad nor none */
		for (i = 0; i < 20; i++) {
			breaker_done(&b, &conf, USER, now, old, false, MS);
			breaker_done(&b, &conf, USER, now, round, false, MS);
			breaker_good(&b, &conf, USER, now, round, 5);
			breaker_forget(&b, USER, round, true);
		}
		KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
		KUNIT_EXPECT_EQ(test, b.slice[b.at].all.calls, 0);
	}

	/* a closed one forgets what it has seen */
	for (i = 0; i < 9; i++)
		call(&b, now, false, MS);
	weir_breaker_reset(&b, now);
	for (i = 0; i < 9; i++)
		call(&b, now, false, MS);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
	call(&b, now, false, MS);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_OPEN);
}

static void breaker_done__opens_at_its_share(struct kunit *test)
{
	struct weir_breaker b;
	int i;

	/* fewer than it wants to judge by */
	weir_breaker_init(&b, 0);
	for (i = 0; i < 9; i++)
		call(&b, MS, false, MS);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
	call(&b, MS, true, MS);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
	call(&b, MS, false, MS);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_OPEN);
	KUNIT_EXPECT_EQ(test, b.opens, 1);

	/* slow ones count apart, and only beyond the threshold */
	weir_breaker_init(&b, 0);
	for (i = 0; i < 100; i++)
		call(&b, MS, true, 50 * MS);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
	for (i = 0; i < 399; i++)
		call(&b, MS, true, 50 * MS + 1);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
	call(&b, MS, true, 50 * MS + 1);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_OPEN);
}

static void breaker_permit__probes_after_a_rest(struct kunit *test)
{
	u64 now = U64_MAX - 50 * MS;	/* a clock may wrap */
	struct weir_breaker b;
	u32 old, round[4];
	int i;

	weir_breaker_init(&b, now);
	KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now, &old));
	break_it(test, &b, now);
	KUNIT_EXPECT_FALSE(test, call(&b, now + 199 * MS, true, MS));
	now += 200 * MS;
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now,
						       &round[i]));
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_HALF_OPEN);
	KUNIT_EXPECT_FALSE(test, breaker_permit(&b, &conf, USER, now, &round[3]));
	/* one from before it opened says nothing */
	breaker_done(&b, &conf, USER, now, old, false, MS);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_HALF_OPEN);
	/* one whose caller went away is had again */
	breaker_forget(&b, USER, round[0], true);
	KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now, &round[0]));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_HALF_OPEN);
		breaker_done(&b, &conf, USER, now, round[i], true, MS);
	}
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);

	/* a bad one opens it again, for as long */
	break_it(test, &b, now);
	now += 200 * MS;
	KUNIT_EXPECT_TRUE(test, call(&b, now, true, MS));
	KUNIT_EXPECT_TRUE(test, call(&b, now, true, 51 * MS));
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_OPEN);
	KUNIT_EXPECT_FALSE(test, call(&b, now + 199 * MS, true, MS));
	KUNIT_EXPECT_TRUE(test, call(&b, now + 200 * MS, true, MS));
	KUNIT_EXPECT_EQ(test, b.opens, 3);
}

#define CALLS	4000

struct history {
	u64	at[CALLS];
	bool	bad[CALLS];
};

/*
 * What the slices of a window can say: at most what has happened in the whole
 * window, at least what has happened in all of it but its oldest slice.
 */
static void breaker_done__forgets_what_is_old(struct kunit *test)
{
	struct weir_breaker_conf c = conf;
	struct history *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);
	struct rnd_state rnd;
	struct weir_breaker b;
	u64 now = 77, early = 0;
	u32 i, opened = 0;

	KUNIT_ASSERT_NOT_NULL(test, h);
	prandom_seed_state(&rnd, 2007);
	c.slow_percent = 0;
	c.min_calls = 1;
	weir_breaker_init(&b, now);
	for (i = 0; i < CALLS; i++) {
		u64 calls = 0, errors = 0, k;
		u32 round;

		now += prandom_u32_state(&rnd) % (100 * MS);
		h->at[i] = now;
		h->bad[i] = prandom_u32_state(&rnd) % 3 == 0;
		if (!breaker_permit(&b, &c, USER, now, &round))
			break;
		breaker_done(&b, &c, USER, now, round, !h->bad[i], MS);
		if (b.state != WEIR_BREAKER_CLOSED) {
			opened++;
			early = i + 1;
			weir_breaker_init(&b, now);
			continue;
		}
		for (k = 0; k < WEIR_BREAKER_SLICES; k++) {
			calls += b.slice[k].all.calls;
			errors += b.slice[k].all.errors;
		}
		for (k = i + 1; k-- > early && now - h->at[k] < 700 * MS;) {
			calls--;
			errors -= h->bad[k];
		}
		/* what is left of the count is of the oldest slice */
		for (; calls && k + 1 > early && now - h->at[k] < 800 * MS; k--) {
			calls--;
			errors -= h->bad[k];
		}
		if (calls || errors)
			break;
	}
	KUNIT_EXPECT_EQ(test, i, CALLS);
	KUNIT_EXPECT_GT(test, opened, 5);
}

static bool same(const struct weir_breaker *a, const struct weir_breaker *b)
{
	return a->state == b->state && a->at == b->at && a->round == b->round &&
	       a->probes_out == b->probes_out &&
	       a->probes_good == b->probes_good &&
	       a->since_ns == b->since_ns && a->slice_ns == b->slice_ns &&
	       a->opens == b->opens &&
	       !memcmp(a->slice, b->slice, sizeof(a->slice));
}

/* What two breakers have let through and has not ended; oldest first. */
struct out {
	u32	round[64];
	u32	n;
};

static void out_cut(struct out *out, u32 n)
{
	out->n -= n;
	memmove(out->round, out->round + n, out->n * sizeof(*out->round));
}

/* Good and fast calls told one by one and together: nobody can tell which. */
static void breaker_good__is_done_many_times(struct kunit *test)
{
	u32 i, k, n, bad = 0, many = 0, seen[WEIR_BREAKER_STATES] = { 0 };
	struct weir_breaker_conf c = conf;
	struct weir_breaker one, all;
	struct out out = { .n = 0 };
	struct rnd_state rnd;
	u64 now = U64_MAX - 3 * NSEC_PER_SEC;	/* wraps on the way */

	prandom_seed_state(&rnd, 1815);
	c.min_calls = 4;
	c.error_percent = 20;
	c.open_ns = 30 * MS;
	c.probes = 5;
	weir_breaker_init(&one, now);
	weir_breaker_init(&all, now);
	for (i = 0; i < 50000 && same(&one, &all); i++) {
		u32 dice = prandom_u32_state(&rnd) % 100, round[2];
		bool may;

		seen[one.state]++;
		/* now and then a time that is a little older */
		now += prandom_u32_state(&rnd) % (6 * MS) - (dice & 1) * MS;
		if (dice < 50 && out.n < ARRAY_SIZE(out.round)) {
			may = breaker_permit(&one, &c, USER, now, &round[0]);
			bad += may != breaker_permit(&all, &c, USER, now,
						     &round[1]);
			bad += round[0] != round[1];
			if (may)
				out.round[out.n++] = round[0];
		} else if (dice < 75 && out.n) {
			/* those of one round that come after each other */
			for (n = 1; n < out.n && out.round[n] == out.round[0];)
				n++;
			n = 1 + prandom_u32_state(&rnd) % n;
			for (k = 0; k < n; k++)
				breaker_done(&one, &c, USER, now, out.round[0],
					     true, c.slow_ns);
			breaker_good(&all, &c, USER, now, out.round[0], n);
			many += n > 1;
			out_cut(&out, n);
		} else if (dice < 90 && out.n) {
			bool good = dice & 1;
			u64 took = prandom_u32_state(&rnd) % (100 * MS);

			breaker_done(&one, &c, USER, now, out.round[0], good,
				     took);
			breaker_done(&all, &c, USER, now, out.round[0], good,
				     took);
			out_cut(&out, 1);
		} else if (dice < 95 && out.n) {
			breaker_forget(&one, USER, out.round[0], true);
			breaker_forget(&all, USER, out.round[0], true);
			out_cut(&out, 1);
		} else if (dice == 99 && prandom_u32_state(&rnd) % 16 == 0) {
			weir_breaker_reset(&one, now);
			weir_breaker_reset(&all, now);
		}
	}
	kunit_info(test, "opened %llu times; closed, open, half open: %u, %u, %u\n",
		   one.opens, seen[WEIR_BREAKER_CLOSED],
		   seen[WEIR_BREAKER_OPEN], seen[WEIR_BREAKER_HALF_OPEN]);
	KUNIT_EXPECT_EQ(test, i, 50000);
	KUNIT_EXPECT_EQ(test, bad, 0);
	KUNIT_EXPECT_GT(test, many, 500);
	for (k = 0; k < WEIR_BREAKER_STATES; k++)
		KUNIT_EXPECT_GT(test, seen[k], 500);
}

/* Their ends are never told: the configuration was another one meanwhile. */
static void breaker_permit__gives_lost_probes_up(struct kunit *test)
{
	u32 round, old[3], i;
	struct weir_breaker b;
	u64 now = MS;

	weir_breaker_init(&b, now);
	break_it(test, &b, now);
	now += conf.open_ns;
	for (i = 0; i < conf.probes; i++)
		KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now,
						       &old[i]));
	now += conf.open_ns - 1;
	KUNIT_EXPECT_FALSE(test, breaker_permit(&b, &conf, USER, now, &round));
	now++;
	KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now, &round));
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_HALF_OPEN);
	KUNIT_EXPECT_EQ(test, b.probes_out, 1);
	KUNIT_EXPECT_EQ(test, b.opens, 1);
	/* those that were given up say nothing any more */
	for (i = 0; i < conf.probes; i++) {
		breaker_done(&b, &conf, USER, now, old[i], false, MS);
		breaker_forget(&b, USER, old[i], true);
	}
	KUNIT_EXPECT_EQ(test, b.probes_out, 1);
	breaker_good(&b, &conf, USER, now, round, conf.probes);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
}

/* A call of round 0 was sent while the route had no breaker. */
static void breaker_done__ignores_calls_without_a_round(struct kunit *test)
{
	struct weir_breaker b;
	u64 now = MS;
	int i;

	weir_breaker_init(&b, now);
	for (i = 0; i < 20; i++)
		breaker_done(&b, &conf, USER, now, 0, false, MS);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
	KUNIT_EXPECT_EQ(test, b.slice[b.at].all.calls, 0);
}

/* One call of a user; returns whether it was let through. */
static bool call_of(struct weir_breaker *b, u32 user, u64 now, bool good)
{
	u32 round;

	if (!breaker_permit(b, &conf, user, now, &round))
		return false;
	if (good)
		breaker_good(b, &conf, user, now, round, 1);
	else
		breaker_done(b, &conf, user, now, round, false, MS);
	return true;
}

/* Two users of whom one has a good call for two bad calls of the other. */
static void breaker_done__opens_for_one_user_alone(struct kunit *test)
{
	u32 i, bad = 0, refused = 0, round;
	struct weir_breaker b;
	u64 now = MS;

	weir_breaker_init(&b, now);
	for (i = 0; i < 10000; i++, now += MS) {
		refused += !call_of(&b, USER, now, true);
		bad += call_of(&b, USER + 1, now, false);
		bad += call_of(&b, USER + 1, now, false);
	}
	KUNIT_EXPECT_EQ(test, refused, 0);
	KUNIT_EXPECT_EQ(test, b.only, USER + 1);
	KUNIT_EXPECT_EQ(test, weir_breaker_shown(&b), WEIR_BREAKER_ONE_USER);
	/* 20 to open it, and a probe each 200 ms, 10 s long */
	KUNIT_EXPECT_GE(test, bad, 20 + 48);
	KUNIT_EXPECT_LE(test, bad, 20 + 52);

	/* a call that another user gives up is no probe */
	now += conf.open_ns;
	KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER + 1, now,
					       &round));
	KUNIT_EXPECT_EQ(test, b.probes_out, 1);
	breaker_forget(&b, USER, round, true);
	KUNIT_EXPECT_EQ(test, b.probes_out, 1);
	/* it closes for the user whose calls end well */
	breaker_done(&b, &conf, USER + 1, now, round, true, MS);
	for (i = 1; i < conf.probes; i++)
		KUNIT_EXPECT_TRUE(test, call_of(&b, USER + 1, now, true));
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);

	/* the calls of others count while it is open for one user */
	for (i = 0; i < 20; i++)
		call_of(&b, USER + 1, now, false);
	KUNIT_EXPECT_EQ(test, b.only, USER + 1);
	KUNIT_EXPECT_TRUE(test, call_of(&b, USER + 2, now, true));
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_TRUE(test, call_of(&b, USER, now, false));
	KUNIT_EXPECT_EQ(test, b.only, USER);
	KUNIT_EXPECT_FALSE(test, call_of(&b, USER, now, false));
	KUNIT_EXPECT_TRUE(test, call_of(&b, USER + 2, now, true));
}

/* Two users one after the other have it opened for each, and not for a third. */
static void breaker_done__remembers_who_is_well(struct kunit *test)
{
	struct weir_breaker b;
	u64 now = MS;
	u32 i, round;

	weir_breaker_init(&b, now);
	for (i = 0; i < 20; i++)
		call_of(&b, USER, now, true);
	/* calls that were sent before it opens count for the users that are well */
	KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now,
					       &round));
	for (i = 0; b.state == WEIR_BREAKER_CLOSED && i < 100; i++)
		call_of(&b, USER + 1, now, false);
	KUNIT_EXPECT_EQ(test, b.only, USER + 1);
	KUNIT_EXPECT_EQ(test, weir_breaker_shown(&b), WEIR_BREAKER_ONE_USER);
	breaker_good(&b, &conf, USER, now, round, 1);
	KUNIT_EXPECT_EQ(test, b.slice[b.at].all.calls, 21);
	for (i = 0; b.only == USER + 1 && i < 100; i++)
		call_of(&b, USER + 2, now, false);
	KUNIT_EXPECT_EQ(test, b.only, USER + 2);
	KUNIT_EXPECT_TRUE(test, call_of(&b, USER, now, true));
}

static bool blames(struct weir_breaker *b, u32 user, u64 now)
{
	bool blames;

	local_bh_disable();
	blames = weir_breaker_blames(b, &conf, user, now);
	local_bh_enable();
	return blames;
}

/* The user is to blame while others' calls in the window say so. */
static void breaker_blames__needs_calls_of_others(struct kunit *test)
{
	struct weir_breaker b;
	u64 now = MS;
	u32 i;

	weir_breaker_init(&b, now);
	KUNIT_EXPECT_FALSE(test, blames(&b, USER, now));
	break_it(test, &b, now);
	KUNIT_ASSERT_EQ(test, b.only, USER);
	KUNIT_EXPECT_FALSE(test, blames(&b, USER, now));
	/* a bad call of another does not say so */
	call_of(&b, USER + 1, now, false);
	KUNIT_ASSERT_EQ(test, b.only, USER);
	KUNIT_EXPECT_FALSE(test, blames(&b, USER, now));
	call_of(&b, USER + 1, now, true);
	call_of(&b, USER + 1, now, true);
	KUNIT_EXPECT_TRUE(test, blames(&b, USER, now));
	KUNIT_EXPECT_FALSE(test, blames(&b, USER + 1, now));
	/* nor does a good one that is older than the window */
	now += conf.window_ns;
	KUNIT_EXPECT_FALSE(test, blames(&b, USER, now));
	call_of(&b, USER + 1, now, true);
	KUNIT_EXPECT_TRUE(test, blames(&b, USER, now));
	/* open for all: no user is to blame */
	for (i = 0; b.only != WEIR_BREAKER_NO_USER && i < 100; i++)
		call_of(&b, USER + 1 + i % 2, now, false);
	KUNIT_ASSERT_EQ(test, b.state, WEIR_BREAKER_OPEN);
	KUNIT_EXPECT_FALSE(test, blames(&b, USER, now));
}

static void breaker_max_open__is_a_share(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, weir_breaker_max_open(10, 0), U32_MAX);
	KUNIT_EXPECT_EQ(test, weir_breaker_max_open(10, 1), 1);
	KUNIT_EXPECT_EQ(test, weir_breaker_max_open(10, 39), 3);
	KUNIT_EXPECT_EQ(test, weir_breaker_max_open(3, 34), 1);
	KUNIT_EXPECT_EQ(test, weir_breaker_max_open(3, 67), 2);
	KUNIT_EXPECT_EQ(test, weir_breaker_max_open(3, 100), 3);
	KUNIT_EXPECT_EQ(test, weir_breaker_max_open(0, 100), 1);
}

/* While one user probes, the calls of another count, however long they take. */
static void breaker_done__counts_calls_from_before_a_probe(struct kunit *test)
{
	struct weir_breaker b;
	u32 round[20], i;
	u64 now = MS;

	weir_breaker_init(&b, now);
	for (i = 0; i < 10; i++)
		call_of(&b, USER + 1, now, false);
	KUNIT_ASSERT_EQ(test, b.only, USER + 1);
	KUNIT_EXPECT_EQ(test, weir_breaker_shown(&b), WEIR_BREAKER_OPEN);
	for (i = 0; i < ARRAY_SIZE(round); i++)
		KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now,
						       &round[i]));
	now += conf.open_ns;
	KUNIT_EXPECT_TRUE(test, call_of(&b, USER + 1, now, false));
	for (i = 0; i < ARRAY_SIZE(round); i++)
		breaker_done(&b, &conf, USER, now, round[i], false, MS);
	/* nobody is well: for all */
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_OPEN);
	KUNIT_EXPECT_EQ(test, b.only, WEIR_BREAKER_NO_USER);
}

/* A user can't have it opened for others by few more errors than they have. */
static void breaker_done__opens_for_all_by_the_errors_of_others(
	struct kunit *test)
{
	struct weir_breaker b;
	u64 now = MS;
	u32 i, user;

	/* as many errors of each of two, and of each of many */
	weir_breaker_init(&b, now);
	for (i = 0; b.state == WEIR_BREAKER_CLOSED && i < 100; i++)
		call_of(&b, USER + i % 2, now, false);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_OPEN);
	KUNIT_EXPECT_EQ(test, b.only, WEIR_BREAKER_NO_USER);
	weir_breaker_init(&b, now);
	for (i = 0; b.state == WEIR_BREAKER_CLOSED && i < 100; i++)
		call_of(&b, USER + i, now, false);
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_OPEN);
	KUNIT_EXPECT_EQ(test, b.only, WEIR_BREAKER_NO_USER);

	/* a user that had errors before does not hide another */
	weir_breaker_init(&b, now);
	for (i = 0; i < 9; i++)
		call_of(&b, USER, now, false);
	for (i = 0; i < 100; i++)
		call_of(&b, USER + 2, now, true);
	now += conf.window_ns;
	for (i = 0; i < 1000; i++, now += MS) {
		user = USER + 1 + i % 2;
		if (user == USER + 2)
			KUNIT_ASSERT_TRUE(test, call_of(&b, user, now, true));
		else
			call_of(&b, user, now, false);
	}
	KUNIT_EXPECT_EQ(test, b.only, USER + 1);
}

/* Open for all: a user makes the probes of a round, and leaves the next one. */
static void breaker_permit__has_users_take_turns(struct kunit *test)
{
	struct weir_breaker b;
	u64 now = MS;
	u32 i, round;

	weir_breaker_init(&b, now);
	for (i = 0; b.state == WEIR_BREAKER_CLOSED; i++)
		call_of(&b, USER + i % 2, now, false);
	KUNIT_ASSERT_EQ(test, b.only, WEIR_BREAKER_NO_USER);
	now += conf.open_ns;
	KUNIT_EXPECT_TRUE(test, call_of(&b, USER, now, false));
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_OPEN);
	now += conf.open_ns;
	KUNIT_EXPECT_FALSE(test, call_of(&b, USER, now, false));
	/* nobody else comes */
	now += conf.open_ns;
	KUNIT_EXPECT_TRUE(test, call_of(&b, USER, now, false));
	now += conf.open_ns;
	KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER + 1, now,
					       &round));
	/* given up: it is another's turn */
	breaker_forget(&b, USER + 1, round, true);
	KUNIT_EXPECT_FALSE(test, call_of(&b, USER + 1, now, false));
	/* never sent: nobody's turn is over */
	KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER + 2, now,
					       &round));
	breaker_forget(&b, USER + 2, round, false);
	KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER + 2, now,
					       &round));
	/* it goes to one that waits, when nothing comes of it for open_ns */
	now += conf.open_ns - 1;
	KUNIT_EXPECT_FALSE(test, call_of(&b, USER, now, false));
	now++;
	/* and others wait for as long as good ones come */
	for (i = 0; i < conf.probes; i++) {
		KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now,
						       &round));
		KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_HALF_OPEN);
		now += conf.open_ns - 1;
		KUNIT_EXPECT_FALSE(test, call_of(&b, USER + 2, now, false));
		breaker_good(&b, &conf, USER, now, round, 1);
	}
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
}

/* Open for all: probes that are given up hold nobody out for longer. */
static void breaker_permit__ends_a_round_without_an_end(struct kunit *test)
{
	struct weir_breaker b;
	u32 i, round[2];
	u64 now = MS;

	weir_breaker_init(&b, now);
	for (i = 0; b.state == WEIR_BREAKER_CLOSED; i++)
		call_of(&b, USER + i % 2, now, false);
	now += conf.open_ns;
	KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now,
					       &round[0]));
	for (i = 1; i < 10; i++) {
		now += conf.open_ns / 10;
		KUNIT_EXPECT_TRUE(test, breaker_permit(&b, &conf, USER, now,
						       &round[i % 2]));
		KUNIT_EXPECT_FALSE(test, call_of(&b, USER + 1, now, true));
		breaker_forget(&b, USER, round[!(i % 2)], true);
	}
	now += conf.open_ns / 10;
	for (i = 0; i < conf.probes; i++)
		KUNIT_EXPECT_TRUE(test, call_of(&b, USER + 1, now, true));
	KUNIT_EXPECT_EQ(test, b.state, WEIR_BREAKER_CLOSED);
}

static struct kunit_case breaker_cases[] = {
	KUNIT_CASE(breaker_conf_check__refuses_in_words),
	KUNIT_CASE(breaker_reset__closes_from_any_state),
	KUNIT_CASE(breaker_done__opens_at_its_share),
	KUNIT_CASE(breaker_permit__probes_after_a_rest),
	KUNIT_CASE(breaker_permit__gives_lost_probes_up),
	KUNIT_CASE(breaker_done__forgets_what_is_old),
	KUNIT_CASE(breaker_done__ignores_calls_without_a_round),
	KUNIT_CASE(breaker_done__opens_for_one_user_alone),
	KUNIT_CASE(breaker_done__remembers_who_is_well),
	KUNIT_CASE(breaker_blames__needs_calls_of_others),
	KUNIT_CASE(breaker_max_open__is_a_share),
	KUNIT_CASE(breaker_done__counts_calls_from_before_a_probe),
	KUNIT_CASE(breaker_done__opens_for_all_by_the_errors_of_others),
	KUNIT_CASE(breaker_permit__has_users_take_turns),
	KUNIT_CASE(breaker_permit__ends_a_round_without_an_end),
	KUNIT_CASE(breaker_good__is_done_many_times),
	{}
};

static struct kunit_suite breaker_suite = {
	.name = "weir_breaker",
	.test_cases = breaker_cases,
};

kunit_test_suites(&breaker_suite);
