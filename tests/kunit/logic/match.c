// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of matching in module/logic/trie.c: the plain matcher by table, and the
 * trie's two matchers and its search for the best name against the plain one
 * on names drawn from a small alphabet (seeded, so that a failure comes again).
 *
 * Runs in KUnit's thread. Mismatches in loops are counted and reported once.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "names.h"

/* --- weir_path_match ----------------------------------------------------- */

struct match_case {
	const char	*pattern;
	const char	*path;
	bool		match;
};

static const struct match_case match_cases[] = {
	{ "/a", "/a", true },
	{ "/a", "/b", false },
	{ "/a", "/ab", false },
	{ "/ab", "/a", false },
	{ "/a/b", "/a", false },
	{ "/a", "/a/b", false },
	{ "/*", "/a", true },
	{ "/*", "/abc", true },
	{ "/*", "/a/b", false },
	{ "/*/b", "/a/b", true },
	{ "/*/b", "/a/c", false },
	{ "/*/b", "/a", false },
	{ "/a/*", "/a", false },
	{ "/a/*", "/a/b", true },
	{ "/a/*", "/a/b/c", false },
	{ "/a/*/c", "/a/b/c", true },
	{ "/a/*/c", "/a/b/d", false },
	{ "/**", "/a", true },
	{ "/**", "/a/b/c", true },
	{ "/a/**", "/a", false },
	{ "/a/**", "/a/b", true },
	{ "/a/**", "/a/b/c/d", true },
	{ "/a/**", "/ab/c", false },
	{ "/*/**", "/a", false },
	{ "/*/**", "/a/b", true },
	{ "/a/*/**", "/a/b", false },
	{ "/a/*/**", "/a/b/c", true },
};

static void path_match__by_table(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(match_cases); i++) {
		const struct match_case *c = &match_cases[i];

		KUNIT_EXPECT_EQ_MSG(test, c->match,
				    weir_path_match(c->pattern,
						    strlen(c->pattern),
						    c->path, strlen(c->path)),
				    "%s with %s", c->pattern, c->path);
	}
}

/* A random name of few segments from few words; a pattern or a path. */
static void name_draw(struct name *name, struct rnd_state *rnd, bool pattern)
{
	static const char * const words[] = {
		"a", "b", "ab", "abc", "c", "d", "*",
	};
	int depth = 1 + prandom_u32_state(rnd) % 5, i;

	name->len = 0;
	for (i = 0; i < depth; i++) {
		int choices = ARRAY_SIZE(words) - !pattern;
		const char *word = words[prandom_u32_state(rnd) % choices];

		if (pattern && i == depth - 1 && prandom_u32_state(rnd) % 3 == 0)
			word = "**";
		name->len += sprintf(name->path + name->len, "/%s", word);
	}
}

/*
 * Draw names and put those not drawn before into a trie. Sets *n to how many
 * are in, and returns them, or NULL without memory.
 */
static struct name *names_draw(struct kunit *test, struct weir_trie *t,
			       struct rnd_state *rnd, bool pattern,
			       unsigned int draws, unsigned int *n)
{
	struct name *names;
	unsigned int i;

	*n = 0;
	names = kunit_kcalloc(test, draws, sizeof(*names), GFP_KERNEL);
	if (!names)
		return NULL;
	for (i = 0; i < draws; i++) {
		struct name *name = &names[*n];

		name_draw(name, rnd, pattern);
		if (name_find(t, name->path))
			continue;
		if (!name_insert(t, name))
			return NULL;
		++*n;
		cond_resched();
	}
	return names;
}

/* --- the best name ------------------------------------------------------- */

/*
 * How special a name is: for each segment 1, 2 or 3, the first one above all.
 */
static u64 name_rank(const struct name *name)
{
	const char *seg = name->path, *end = seg + name->len;
	u64 rank = 0;
	int shift;

	for (shift = 2 * WEIR_DEPTH_MAX - 2; seg < end; shift -= 2) {
		size_t len = strcspn(++seg, "/");
		u64 kind = 3;

		if (len == 1 && *seg == '*')
			kind = 2;
		else if (len == 2 && seg[0] == '*' && seg[1] == '*')
			kind = 1;
		rank |= kind << shift;
		seg += len;
	}
	return rank;
}

/* A name that was hit does not count. */
static bool best_good(void *item)
{
	return !((struct name *)item)->hits;
}

static bool best_any(void *item)
{
	return true;
}

/* Of all names that match, the one of the highest rank. */
static struct name *best_plain(struct name *in, unsigned int n,
			       const struct name *path)
{
	struct name *best = NULL;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (in[i].node && best_good(&in[i]) &&
		    weir_path_match(in[i].path, in[i].len, path->path,
				    path->len) &&
		    (!best || name_rank(&in[i]) > name_rank(best)))
			best = &in[i];
	}
	return best;
}

static struct name *best_find(struct weir_trie *t, const char *path, size_t len,
			      bool (*good)(void *item))
{
	struct name *name;

	rcu_read_lock();
	name = weir_trie_best(t, path, len, good);
	rcu_read_unlock();
	return name;
}

/* Seven parameters: two arrays with their lengths, and what they are for. */
static unsigned int best_compare(struct kunit *test, struct weir_trie *t,
				 const struct name *probes, unsigned int nprobes,
				 struct name *in, unsigned int n,
				 unsigned int *found)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < nprobes && !wrong; i++) {
		struct name *want = best_plain(in, n, &probes[i]);
		struct name *got = best_find(t, probes[i].path, probes[i].len,
					     best_good);

		if (got != want) {
			kunit_err(test, "%s: %s for %s\n", probes[i].path,
				  got ? got->path : "none",
				  want ? want->path : "none");
			wrong++;
		}
		*found += !!want;
		cond_resched();
	}
	return wrong;
}

/* With all names, with some that do not count, and with few. */
static void trie_best__as_the_plain_matcher(struct kunit *test)
{
	struct weir_trie *t = test->priv, *other;
	unsigned int n, nprobes, i, found = 0, wrong = 0;
	struct name *in, *probes;
	struct rnd_state rnd;

	other = names_trie_create(test);
	KUNIT_ASSERT_NOT_NULL(test, other);
	prandom_seed_state(&rnd, 18590);
	in = names_draw(test, t, &rnd, true, 1500, &n);
	probes = names_draw(test, other, &rnd, false, 300, &nprobes);
	KUNIT_EXPECT_TRUE(test, in && probes);
	if (in && probes) {
		wrong += best_compare(test, t, probes, nprobes, in, n, &found);
		for (i = 0; i < n; i++)
			in[i].hits = prandom_u32_state(&rnd) % 4 != 0;
		wrong += best_compare(test, t, probes, nprobes, in, n, &found);
		for (i = 0; i < n; i++) {
			in[i].hits = 0;
			if (i % 16)
				name_remove(t, &in[i]);
		}
		wrong += best_compare(test, t, probes, nprobes, in, n, &found);
		kunit_info(test, "%u names, %u probes, %u found\n", n,
			   3 * nprobes, found);
		for (i = 0; i < n; i += 16)
			name_remove(t, &in[i]);
		for (i = 0; i < nprobes; i++)
			name_remove(other, &probes[i]);
		KUNIT_EXPECT_GT(test, found, nprobes);
		KUNIT_EXPECT_LT(test, found, 3 * nprobes);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, t->count, 0);
	weir_trie_destroy(other);
}

static void trie_best__refuses_patterns(struct kunit *test)
{
	static const char * const bad[] = {
		"", "/", "a", "/a/", "/*", "/**", "/a/*", "/a*", "/\n",
	};
	struct weir_trie *t = test->priv;
	struct name *rest;
	size_t i;

	rest = kunit_kzalloc(test, sizeof(*rest), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rest);
	name_set(rest, "/**");
	KUNIT_ASSERT_TRUE(test, name_insert(t, rest));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_NULL(test, best_find(t, bad[i], strlen(bad[i]),
						  best_any));
	KUNIT_EXPECT_PTR_EQ(test, best_find(t, "/a/b", 4, best_any), rest);
	name_remove(t, rest);
}

/* ctx of best_counted() */
static unsigned int best_calls;

static bool best_counted(void *item)
{
	best_calls++;
	return false;
}

/*
 * Every mixture of a and * in ten segments would be a thousand nodes to look
 * at. It looks at few, says so, and still finds what costs few: the path
 * itself.
 */
static void trie_best__looks_at_few(struct kunit *test)
{
	static const char path[] = "/a/a/a/a/a/a/a/a/a/a";
	struct weir_trie *t = test->priv;
	unsigned int i, bit, failed = 0;
	struct name *n;

	n = kunit_kcalloc(test, 1024, sizeof(*n), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, n);
	for (i = 0; i < 1024; i++) {
		for (bit = 0; bit < 10; bit++)
			n[i].len += sprintf(n[i].path + n[i].len, "/%c",
					    i & 1 << bit ? 'a' : '*');
		failed += !name_insert(t, &n[i]);
	}
	KUNIT_EXPECT_EQ(test, failed, 0);
	KUNIT_EXPECT_PTR_EQ(test, best_find(t, path, 20, best_good), &n[1023]);
	/* the next best is one star further, at the end of the path */
	n[1023].hits = 1;
	KUNIT_EXPECT_PTR_EQ(test, best_find(t, path, 20, best_good), &n[511]);
	best_calls = 0;
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(best_find(t, path, 20,
							best_counted)),
			-ELOOP);
	KUNIT_EXPECT_GT(test, best_calls, 16);
	KUNIT_EXPECT_LE(test, best_calls, 528);
	for (i = 0; i < 1024; i++)
		if (n[i].node)
			name_remove(t, &n[i]);
	KUNIT_EXPECT_EQ(test, t->count, 0);
}

/* --- the trie's matchers ------------------------------------------------ */

static int match_hit(void *item, void *ctx)
{
	struct name *name = item;
	unsigned int *calls = ctx;

	name->hits++;
	++*calls;
	return 0;
}

/* ctx: calls until it stops with a value of its own. */
static int match_stop(void *item, void *ctx)
{
	unsigned int *calls = ctx;

	return --*calls ? 0 : 77;
}

/*
 * A path against the trie of patterns: what was hit must be what the plain
 * matcher says, once each.
 * Returns the number of mismatches.
 */
static unsigned int match_compare(struct kunit *test, struct weir_trie *t,
				  const struct name *probe, struct name *in,
				  unsigned int n)
{
	unsigned int i, calls = 0, want = 0, wrong = 0;
	int err;

	err = weir_trie_match_patterns(t, probe->path, probe->len, match_hit,
				       &calls, UINT_MAX);
	for (i = 0; i < n; i++) {
		bool match = in[i].node &&
			     weir_path_match(in[i].path, in[i].len, probe->path,
					     probe->len);

		want += match;
		if (in[i].hits != match) {
			if (!wrong)
				kunit_err(test, "%s with %s: %u for %u\n",
					  in[i].path, probe->path,
					  in[i].hits, match);
			wrong++;
		}
		in[i].hits = 0;
	}
	cond_resched();
	return wrong + (calls != want) + !!err;
}

/* Compare, take every other name out, compare again. */
static void trie_match_patterns__as_the_plain_matcher(struct kunit *test)
{
	struct weir_trie *t = test->priv, *other;
	struct name *in, *probes;
	unsigned int n, nprobes, i, wrong = 0;
	struct rnd_state rnd;

	other = names_trie_create(test);
	KUNIT_ASSERT_NOT_NULL(test, other);
	prandom_seed_state(&rnd, 20240229);
	in = names_draw(test, t, &rnd, true, 3000, &n);
	/* the other trie serves only to draw each probe once */
	probes = names_draw(test, other, &rnd, false, 250, &nprobes);
	KUNIT_EXPECT_TRUE(test, in && probes);
	if (in && probes) {
		kunit_info(test, "%u in the trie, %u probes\n", n, nprobes);
		for (i = 0; i < nprobes && !wrong; i++)
			wrong += match_compare(test, t, &probes[i], in, n);
		for (i = 0; i < n; i += 2)
			name_remove(t, &in[i]);
		for (i = 0; i < nprobes && !wrong; i++)
			wrong += match_compare(test, t, &probes[i], in, n);
		for (i = 1; i < n; i += 2)
			name_remove(t, &in[i]);
		for (i = 0; i < nprobes; i++)
			name_remove(other, &probes[i]);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, t->count, 0);
	weir_trie_destroy(other);
}

/*
 * Every mixture of a and * in eight segments, with and without a ** behind
 * it: the path of eight matches each of the first once, that of nine each of
 * the second.
 */
static void trie_match_patterns__visits_each_once(struct kunit *test)
{
	static const char path[] = "/a/a/a/a/a/a/a/a/a";
	struct weir_trie *t = test->priv;
	unsigned int calls, i, bit, failed = 0, wrong = 0;
	struct name *n;

	n = kunit_kcalloc(test, 512, sizeof(*n), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, n);
	for (i = 0; i < 512; i++) {
		for (bit = 0; bit < 8; bit++)
			n[i].len += sprintf(n[i].path + n[i].len, "/%c",
					    i & 1 << bit ? 'a' : '*');
		if (i & 256)
			n[i].len += sprintf(n[i].path + n[i].len, "/**");
		failed += !name_insert(t, &n[i]);
	}
	KUNIT_EXPECT_EQ(test, failed, 0);
	calls = 0;
	KUNIT_EXPECT_EQ(test, weir_trie_match_patterns(t, path, 16, match_hit,
						       &calls, UINT_MAX), 0);
	KUNIT_EXPECT_EQ(test, calls, 256);
	for (i = 0; i < 512; i++)
		wrong += n[i].hits != (i < 256);
	KUNIT_EXPECT_EQ(test, weir_trie_match_patterns(t, path, 18, match_hit,
						       &calls, UINT_MAX), 0);
	KUNIT_EXPECT_EQ(test, calls, 512);
	for (i = 0; i < 512; i++)
		wrong += n[i].hits != 1;
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* a search that holds up others looks at a part of them */
	calls = 0;
	KUNIT_EXPECT_EQ(test, weir_trie_match_patterns(t, path, 18, match_hit,
						       &calls, 64), -ELOOP);
	KUNIT_EXPECT_LE(test, calls, 64);
	calls = 100;
	KUNIT_EXPECT_EQ(test, weir_trie_match_patterns(t, path, 18, match_stop,
						       &calls, UINT_MAX), 77);
	for (i = 0; i < 512; i++)
		if (n[i].node)
			name_remove(t, &n[i]);
	KUNIT_EXPECT_EQ(test, t->count, 0);
}

static void trie_match_patterns__refuses_patterns(struct kunit *test)
{
	struct weir_trie *t = test->priv;
	unsigned int calls = 0;

	KUNIT_EXPECT_EQ(test, weir_trie_match_patterns(t, "/a/*", 4, match_hit,
						       &calls, UINT_MAX), -EINVAL);
	KUNIT_EXPECT_EQ(test, weir_trie_match_patterns(t, "", 0, match_hit,
						       &calls, UINT_MAX), -EINVAL);
	KUNIT_EXPECT_EQ(test, weir_trie_match_patterns(t, "/a", 2, match_hit,
						       &calls, UINT_MAX), 0);
	KUNIT_EXPECT_EQ(test, calls, 0);
}

/* --- patterns that share paths ------------------------------------------- */

static const char *seg_next(const char **at, size_t *len)
{
	const char *seg = *at + 1;

	if (!**at)
		return NULL;
	*len = strcspn(seg, "/");
	*at = seg + *len;
	return seg;
}

/* Is there a path that both match? Segment by segment. */
static bool names_overlap(const char *a, const char *b)
{
	const char *x, *y;
	size_t m, n;

	for (;;) {
		x = seg_next(&a, &m);
		y = seg_next(&b, &n);
		if (!x || !y)
			return !x && !y;
		if ((m == 2 && !memcmp(x, "**", 2)) ||
		    (n == 2 && !memcmp(y, "**", 2)))
			return true;
		if ((m == 1 && *x == '*') || (n == 1 && *y == '*'))
			continue;
		if (m != n || memcmp(x, y, m))
			return false;
	}
}

/* What weir_trie_match_overlaps() is to find of @in for @probe. */
static bool overlap_counts(const struct name *probe, const struct name *in)
{
	if (!names_overlap(probe->path, in->path))
		return false;
	if (!weir_path_is_pattern(in->path, in->len))
		return !strcmp(probe->path, in->path);
	return weir_path_prefix(in->path, in->len) <
	       weir_path_prefix(probe->path, probe->len);
}

static unsigned int overlap_compare(struct kunit *test, struct weir_trie *t,
				    const struct name *probe, struct name *in,
				    unsigned int n, unsigned int *found)
{
	unsigned int i, calls = 0, wrong = 0;
	int err;

	err = weir_trie_match_overlaps(t, probe->path, probe->len, match_hit,
				       &calls);
	for (i = 0; i < n; i++) {
		bool want = overlap_counts(probe, &in[i]);

		if (in[i].hits != want && !wrong++)
			kunit_err(test, "%s with %s: %u for %u\n",
				  probe->path, in[i].path, in[i].hits, want);
		in[i].hits = 0;
		*found += want;
	}
	return wrong + !!err;
}

/* Few enough that no search gives up. */
static void trie_match_overlaps__as_the_plain_matcher(struct kunit *test)
{
	struct weir_trie *t = test->priv, *other;
	unsigned int n, nprobes, i, found = 0, wrong = 0;
	struct name *in, *probes;
	struct rnd_state rnd;

	other = names_trie_create(test);
	KUNIT_ASSERT_NOT_NULL(test, other);
	prandom_seed_state(&rnd, 4711);
	in = names_draw(test, t, &rnd, true, 60, &n);
	probes = names_draw(test, other, &rnd, true, 400, &nprobes);
	KUNIT_EXPECT_TRUE(test, in && probes);
	if (in && probes) {
		for (i = 0; i < nprobes; i++)
			wrong += overlap_compare(test, t, &probes[i], in, n,
						 &found);
		kunit_info(test, "%u names, %u probes, %u found\n", n, nprobes,
			   found);
		KUNIT_EXPECT_GT(test, found, nprobes / 4);
		for (i = 0; i < n; i++)
			name_remove(t, &in[i]);
		for (i = 0; i < nprobes; i++)
			name_remove(other, &probes[i]);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, t->count, 0);
	weir_trie_destroy(other);
}

static void trie_below__visits_few_or_gives_up(struct kunit *test)
{
	struct weir_trie *t = test->priv;
	unsigned int i, calls, failed = 0;
	struct name *n, *top;

	n = kunit_kcalloc(test, 200, sizeof(*n), GFP_KERNEL);
	top = kunit_kzalloc(test, sizeof(*top), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, n && top);
	name_set(top, "/a/b");
	failed += !name_insert(t, top);
	for (i = 0; i < 200; i++) {
		n[i].len = sprintf(n[i].path, i < 20 ? "/a/b/%u/x" : "/a/%u/y",
				   i);
		failed += !name_insert(t, &n[i]);
	}
	KUNIT_EXPECT_EQ(test, failed, 0);
	calls = 0;
	KUNIT_EXPECT_EQ(test, weir_trie_below(t, top->node, match_hit, &calls),
			0);
	KUNIT_EXPECT_EQ(test, calls, 20);
	KUNIT_EXPECT_EQ(test, top->hits, 0);
	for (i = 0; i < 200; i++)
		KUNIT_EXPECT_EQ(test, n[i].hits, i < 20);
	calls = 0;
	KUNIT_EXPECT_EQ(test, weir_trie_below(t, n[0].node, match_hit, &calls),
			0);
	KUNIT_EXPECT_EQ(test, calls, 0);
	calls = 5;
	KUNIT_EXPECT_EQ(test, weir_trie_below(t, top->node, match_stop, &calls),
			77);
	/* 400 nodes are more than it looks at */
	calls = 0;
	KUNIT_EXPECT_EQ(test, weir_trie_below(t, top->node->parent, match_hit,
					      &calls), -ELOOP);
	KUNIT_EXPECT_LE(test, calls, 256);
	for (i = 0; i < 200; i++)
		name_remove(t, &n[i]);
	name_remove(t, top);
	KUNIT_EXPECT_EQ(test, t->count, 0);
}

static void path_prefix__ends_above_the_wildcard(struct kunit *test)
{
	static const struct {
		const char	*name;
		size_t		prefix;
	} cases[] = {
		{ "/*", 0 }, { "/**", 0 }, { "/*/b", 0 }, { "/a", 2 },
		{ "/a/b", 4 }, { "/a/*", 2 }, { "/a/**", 2 }, { "/a/*/c", 2 },
		{ "/a/b/*/**", 4 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, weir_path_prefix(cases[i].name,
							   strlen(cases[i].name)),
				    cases[i].prefix, "%s", cases[i].name);
}

static struct kunit_case match_suite_cases[] = {
	KUNIT_CASE(path_match__by_table),
	KUNIT_CASE(trie_best__as_the_plain_matcher),
	KUNIT_CASE(trie_best__refuses_patterns),
	KUNIT_CASE(trie_best__looks_at_few),
	KUNIT_CASE(trie_match_patterns__as_the_plain_matcher),
	KUNIT_CASE(trie_match_patterns__visits_each_once),
	KUNIT_CASE(trie_match_patterns__refuses_patterns),
	KUNIT_CASE(trie_match_overlaps__as_the_plain_matcher),
	KUNIT_CASE(trie_below__visits_few_or_gives_up),
	KUNIT_CASE(path_prefix__ends_above_the_wildcard),
	{}
};

static struct kunit_suite match_suite = {
	.name = "weir_match",
	.init = names_test_init,
	.exit = names_test_exit,
	.test_cases = match_suite_cases,
};

kunit_test_suite(match_suite);
