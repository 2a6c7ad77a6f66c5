// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/hist.c against all the samples, sorted.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/time64.h>

#include "../../module/hist.h"

#define SAMPLES	5000
#define TOP_NS	(1ULL << 36)

struct samples {
	struct weir_hist	hist;
	struct weir_hist	other;
	u64			counts[WEIR_HIST_BUCKETS];
	u64			ns[SAMPLES];
};

static struct samples *samples_make(struct kunit *test)
{
	struct samples *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	return s;
}

/* Each begins where the one before it ends, and is an eighth wide at most. */
static void hist_bucket_low_ns__divides_all_there_is(struct kunit *test)
{
	u64 low = 0, next;
	u32 i;

	KUNIT_EXPECT_EQ(test, weir_hist_bucket_low_ns(0), 0);
	for (i = 0; i < WEIR_HIST_BUCKETS; i++) {
		next = weir_hist_bucket_low_ns(i + 1);
		KUNIT_EXPECT_GT(test, next, low);
		KUNIT_EXPECT_EQ(test, weir_hist_bucket(low), i);
		KUNIT_EXPECT_EQ(test, weir_hist_bucket(next - 1), i);
		if (low >= 2048)
			KUNIT_EXPECT_LE(test, (next - low) * 8, low);
		else
			KUNIT_EXPECT_EQ(test, next - low, 256);
		low = next;
	}
	KUNIT_EXPECT_EQ(test, low, TOP_NS);
	KUNIT_EXPECT_EQ(test, weir_hist_bucket_low_ns(U32_MAX), TOP_NS);
	KUNIT_EXPECT_EQ(test, weir_hist_bucket(TOP_NS), WEIR_HIST_BUCKETS - 1);
	KUNIT_EXPECT_EQ(test, weir_hist_bucket(U64_MAX), WEIR_HIST_BUCKETS - 1);
}

static void hist_merge__adds_up(struct kunit *test)
{
	struct samples *s = samples_make(test);
	u32 i;

	for (i = 0; i < WEIR_HIST_BUCKETS; i++) {
		s->hist.count[i] = U32_MAX - i;
		s->other.count[i] = 2 * i;
	}
	weir_hist_merge(s->counts, &s->hist);
	weir_hist_merge(s->counts, &s->other);
	for (i = 0; i < WEIR_HIST_BUCKETS; i++)
		KUNIT_EXPECT_EQ(test, s->counts[i], (u64)U32_MAX + i);
}

static int smaller(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Latencies of some kind: even, of all magnitudes, one value, with a tail. */
static u64 sample(struct rnd_state *rnd, u32 kind)
{
	u64 any = (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);

	switch (kind) {
	case 0:
		return any % (10 * NSEC_PER_USEC);
	case 1:
		return any % TOP_NS >> prandom_u32_state(rnd) % 36;
	case 2:
		return 123456;
	default:
		return any % 1000 ? 3000 + any % 2000 :
		       any % (2 * (u64)NSEC_PER_SEC);
	}
}

/*
 * Any percentile is that of the sorted samples, or more by the width of a
 * bucket.
 */
static void hist_percentile_ns__agrees_with_sorted(struct kunit *test)
{
	static const u32 shares[] = {
		0, 1, 10, 1000, 25000, 33333, 50000, 90000, 99000, 99900, 99990,
		99999, 100000, 100001, U32_MAX
	};
	struct samples *s = samples_make(test);
	struct rnd_state rnd;
	u32 kind, n, i, wrong = 0;

	prandom_seed_state(&rnd, 2012);
	for (kind = 0; kind < 4; kind++) {
		for (n = 1; n <= SAMPLES; n = n * 3 + 7) {
			memset(&s->hist, 0, sizeof(s->hist));
			memset(s->counts, 0, sizeof(s->counts));
			for (i = 0; i < n; i++) {
				s->ns[i] = sample(&rnd, kind);
				weir_hist_add(&s->hist, s->ns[i]);
			}
			sort(s->ns, n, sizeof(s->ns[0]), smaller, NULL);
			weir_hist_merge(s->counts, &s->hist);
			for (i = 0; i < ARRAY_SIZE(shares); i++) {
				u64 share = min(shares[i], 100000U), exact, got;
				u32 at = 0;

				/* the first that so many do not exceed */
				while ((at + 1) * 100000ULL < share * n)
					at++;
				exact = s->ns[at];
				got = weir_hist_percentile_ns(s->counts,
							      shares[i]);
				wrong += got < exact ||
					 got - exact > max(exact / 8, 255ULL);
			}
		}
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void hist_percentile_ns__holds_at_the_ends(struct kunit *test)
{
	struct samples *s = samples_make(test);
	u32 i;

	KUNIT_EXPECT_EQ(test, weir_hist_percentile_ns(s->counts, 50000), 0);
	/* as many as can be counted */
	for (i = 0; i < 16; i++)
		s->counts[i * 13] = (1ULL << 59) + 1000;
	for (i = 1; i <= 16; i++)
		KUNIT_EXPECT_EQ(test, weir_hist_percentile_ns(s->counts,
							      i * 6250),
				weir_hist_bucket_low_ns((i - 1) * 13 + 1) - 1);
	/* longer than it knows */
	memset(s->counts, 0, sizeof(s->counts));
	weir_hist_add(&s->hist, U64_MAX);
	weir_hist_merge(s->counts, &s->hist);
	KUNIT_EXPECT_EQ(test, weir_hist_percentile_ns(s->counts, 1),
			TOP_NS - 1);
}

static struct kunit_case hist_cases[] = {
	KUNIT_CASE(hist_bucket_low_ns__divides_all_there_is),
	KUNIT_CASE(hist_merge__adds_up),
	KUNIT_CASE(hist_percentile_ns__agrees_with_sorted),
	KUNIT_CASE(hist_percentile_ns__holds_at_the_ends),
	{}
};

static struct kunit_suite hist_suite = {
	.name = "weir_hist",
	.test_cases = hist_cases,
};

kunit_test_suites(&hist_suite);
