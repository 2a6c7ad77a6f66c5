// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/trie.c but for matching, which is in match.c: the words of
 * each refusal, insert, find and remove with what they leave behind, and
 * readers under RCU while names come and go.
 *
 * Runs in KUnit's thread, with kthreads of its own where readers and writers
 * meet. Mismatches in loops are counted and reported once.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "names.h"

/* --- weir_path_check ----------------------------------------------------- */

struct check_case {
	const char	*path;
	size_t		len;	/* 0: to the NUL */
	const char	*why;	/* NULL: good */
	int		err;
};

#define NO_SLASH	"path does not start with a slash"
#define CONTROL		"path has a control character"
#define EMPTY_SEGMENT	"path has an empty segment"
#define WHOLE		"* and ** must be whole segments"
#define NO_PATTERN	"a pattern is not allowed here"
#define LAST		"** must be the last segment"
#define TOO_DEEP	"path has more than 16 segments"

/* As paths; those refused with NO_PATTERN are good patterns. */
static const struct check_case check_cases[] = {
	{ "/a" },
	{ "/a/b" },
	{ "/md/xnas/quotes" },
	{ "/ /~" },
	{ "/\x80\xff" },
	{ "/./.." },
	{ "/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g" },
	{ "/a/b", 2 },
	{ "a", 0, NO_SLASH, -EINVAL },
	{ "*", 0, NO_SLASH, -EINVAL },
	{ "\0/a", 3, NO_SLASH, -EINVAL },
	{ "/", 0, EMPTY_SEGMENT, -EINVAL },
	{ "//", 0, EMPTY_SEGMENT, -EINVAL },
	{ "//a", 0, EMPTY_SEGMENT, -EINVAL },
	{ "/a/", 0, EMPTY_SEGMENT, -EINVAL },
	{ "/a//b", 0, EMPTY_SEGMENT, -EINVAL },
	{ "/a\0", 3, CONTROL, -EINVAL },
	{ "/a\0b", 4, CONTROL, -EINVAL },
	{ "/\n", 0, CONTROL, -EINVAL },
	{ "/a\x1f", 0, CONTROL, -EINVAL },
	{ "/\x7f/b", 0, CONTROL, -EINVAL },
	{ "/a*", 0, WHOLE, -EINVAL },
	{ "/*a", 0, WHOLE, -EINVAL },
	{ "/a*b/c", 0, WHOLE, -EINVAL },
	{ "/a/b**", 0, WHOLE, -EINVAL },
	{ "/***", 0, WHOLE, -EINVAL },
	{ "/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h", 0, TOO_DEEP, -ENAMETOOLONG },
	{ "/*", 0, NO_PATTERN, -EINVAL },
	{ "/a/*/b", 0, NO_PATTERN, -EINVAL },
	{ "/*/*", 0, NO_PATTERN, -EINVAL },
	{ "/**", 0, NO_PATTERN, -EINVAL },
	{ "/a/*/**", 0, NO_PATTERN, -EINVAL },
};

static void check_one(struct kunit *test, const struct check_case *c,
		      bool pattern)
{
	size_t len = c->len ?: strlen(c->path);
	const char *why = NULL;
	int err;

	err = weir_path_check(c->path, len, pattern, &why);
	if (pattern && c->why && !strcmp(c->why, NO_PATTERN)) {
		KUNIT_EXPECT_EQ_MSG(test, err, 0, "%s", c->path);
		KUNIT_EXPECT_TRUE(test, weir_path_is_pattern(c->path, len));
		return;
	}
	KUNIT_EXPECT_EQ_MSG(test, err, c->err, "%s", c->path);
	if (!c->why) {
		KUNIT_EXPECT_NULL_MSG(test, why, "%s", c->path);
		KUNIT_EXPECT_FALSE(test, weir_path_is_pattern(c->path, len));
	} else {
		KUNIT_EXPECT_STREQ_MSG(test, why ?: "", c->why, "%s", c->path);
	}
}

static void path_check__says_why(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(check_cases); i++) {
		check_one(test, &check_cases[i], false);
		check_one(test, &check_cases[i], true);
	}
}

static void path_check__refuses_misplaced_rest(struct kunit *test)
{
	static const char * const bad[] = { "/**/a", "/a/**/*", "/**/**" };
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *why = "";

		KUNIT_EXPECT_EQ(test, weir_path_check(bad[i], strlen(bad[i]),
						      true, &why), -EINVAL);
		KUNIT_EXPECT_STREQ(test, why, LAST);
	}
}

static void path_check__limits_length(struct kunit *test)
{
	const char *why = NULL;
	char *path;

	path = kunit_kzalloc(test, WEIR_PATH_MAX + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, path);
	memset(path, 'x', WEIR_PATH_MAX + 1);
	path[0] = '/';
	KUNIT_EXPECT_EQ(test, weir_path_check(path, 0, true, &why), -EINVAL);
	KUNIT_EXPECT_STREQ(test, why, "path is empty");
	KUNIT_EXPECT_EQ(test, weir_path_check(path, WEIR_PATH_MAX, false, &why),
			0);
	KUNIT_EXPECT_EQ(test, weir_path_check(path, WEIR_PATH_MAX + 1, false,
					      &why), -ENAMETOOLONG);
	KUNIT_EXPECT_STREQ(test, why, "path is longer than 255 bytes");
	/* nothing is read of what is too long */
	KUNIT_EXPECT_EQ(test, weir_path_check(path, SIZE_MAX, false, &why),
			-ENAMETOOLONG);
}

/* Every byte as a segment of its own. */
static void path_check__takes_all_but_control_bytes(struct kunit *test)
{
	unsigned int c, wrong = 0;

	for (c = 0; c < 256; c++) {
		char path[2] = { '/', c };
		bool good = c >= 0x20 && c != 0x7f && c != '/' && c != '*';
		const char *why;

		wrong += good != !weir_path_check(path, 2, false, &why);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* --- trie ---------------------------------------------------------------- */

static void trie_insert__finds_or_creates(struct kunit *test)
{
	struct weir_trie *t = test->priv;
	struct weir_trie_node *a, *b;

	a = weir_trie_insert(t, "/x/y", 4);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	KUNIT_EXPECT_NULL(test, weir_trie_item(a));
	KUNIT_EXPECT_EQ(test, t->count, 2);
	b = weir_trie_insert(t, "/x/y", 4);
	KUNIT_EXPECT_PTR_EQ(test, a, b);
	KUNIT_EXPECT_EQ(test, t->count, 2);
	b = weir_trie_insert(t, "/x", 2);
	KUNIT_EXPECT_PTR_EQ(test, a->parent, b);
	KUNIT_EXPECT_EQ(test, t->count, 2);
	weir_trie_remove(t, a);
	KUNIT_EXPECT_EQ(test, t->count, 0);
}

static void trie_insert__refuses_bad_names(struct kunit *test)
{
	struct weir_trie *t = test->priv;
	char *path;
	int i;

	for (i = 0; i < ARRAY_SIZE(check_cases); i++) {
		const struct check_case *c = &check_cases[i];
		struct weir_trie_node *node;

		if (!c->why || !strcmp(c->why, NO_PATTERN))
			continue;
		node = weir_trie_insert(t, c->path, c->len ?: strlen(c->path));
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(node), c->err);
	}
	path = kunit_kzalloc(test, WEIR_PATH_MAX + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, path);
	memset(path, 'x', WEIR_PATH_MAX + 1);
	path[0] = '/';
	KUNIT_EXPECT_EQ(test,
			PTR_ERR_OR_ZERO(weir_trie_insert(t, path,
							 WEIR_PATH_MAX + 1)),
			-ENAMETOOLONG);
	KUNIT_EXPECT_EQ(test, t->count, 0);
}

static void trie_insert__takes_ten_thousand(struct kunit *test)
{
	const unsigned int n = 10000;
	struct weir_trie *t = test->priv;
	unsigned int i, lost = 0, ghosts = 0;
	struct name **names;

	names = kunit_kcalloc(test, n, sizeof(*names), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, names);
	for (i = 0; i < n; i++) {
		names[i] = kunit_kzalloc(test, sizeof(**names), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, names[i]);
		/* one crowd of siblings, and one of deeper names */
		names[i]->len = sprintf(names[i]->path,
					i & 1 ? "/n%u" : "/d/%u/%u", i, i % 7);
		lost += !name_insert(t, names[i]);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, lost, 0);
	KUNIT_EXPECT_EQ(test, t->count, n / 2 + 1 + n);

	for (i = 0; i < n; i++) {
		char path[32];

		lost += name_find(t, names[i]->path) != names[i];
		sprintf(path, "/m%u", i);
		ghosts += !!name_find(t, path);
		sprintf(path, "/d/%u", i);	/* a node, but no item */
		ghosts += !!name_find(t, path);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, lost, 0);
	KUNIT_EXPECT_EQ(test, ghosts, 0);

	/* out in another order than in: 7919 and n have no common factor */
	for (i = 0; i < n; i++) {
		struct name *name = names[i * 7919 % n];

		name_remove(t, name);
		ghosts += !!name_find(t, name->path);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, ghosts, 0);
	KUNIT_EXPECT_EQ(test, t->count, 0);
}

static void trie_insert__takes_sixteen_deep(struct kunit *test)
{
	struct weir_trie *t = test->priv;
	struct name *deep, *wide;
	int i;

	deep = kunit_kzalloc(test, sizeof(*deep), GFP_KERNEL);
	wide = kunit_kzalloc(test, sizeof(*wide), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, deep && wide);
	/* 16 segments in 255 bytes: the longest and deepest there is */
	for (i = 0; i < WEIR_DEPTH_MAX; i++) {
		int seg = i ? 15 : WEIR_PATH_MAX - 15 * 16 - 1;

		deep->path[deep->len++] = '/';
		memset(deep->path + deep->len, 'a' + i, seg);
		deep->len += seg;
	}
	KUNIT_ASSERT_EQ(test, deep->len, WEIR_PATH_MAX);
	wide->len = WEIR_PATH_MAX;
	memset(wide->path, 'w', wide->len);
	wide->path[0] = '/';

	KUNIT_ASSERT_TRUE(test, name_insert(t, deep));
	KUNIT_ASSERT_TRUE(test, name_insert(t, wide));
	KUNIT_EXPECT_EQ(test, t->count, 17);
	KUNIT_EXPECT_PTR_EQ(test, name_find(t, deep->path), deep);
	KUNIT_EXPECT_PTR_EQ(test, name_find(t, wide->path), wide);
	KUNIT_EXPECT_EQ(test, deep->node->depth, WEIR_DEPTH_MAX);
	KUNIT_EXPECT_EQ(test, deep->node->path_len, WEIR_PATH_MAX);
	KUNIT_EXPECT_EQ(test, wide->node->path_len, WEIR_PATH_MAX);
	name_remove(t, deep);
	name_remove(t, wide);
	KUNIT_EXPECT_EQ(test, t->count, 0);
}

static void trie_remove__prunes_empty_ancestors(struct kunit *test)
{
	static const char * const paths[] = {
		"/a", "/a/b/c", "/a/b/c/d/e", "/a/b/x",
	};
	struct weir_trie *t = test->priv;
	struct name *n;
	int i;

	n = kunit_kcalloc(test, ARRAY_SIZE(paths), sizeof(*n), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, n);
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		name_set(&n[i], paths[i]);
		KUNIT_ASSERT_TRUE(test, name_insert(t, &n[i]));
	}
	KUNIT_EXPECT_EQ(test, t->count, 6);	/* a b c d e x */
	name_remove(t, &n[1]);			/* d runs through it */
	KUNIT_EXPECT_EQ(test, t->count, 6);
	KUNIT_EXPECT_NULL(test, name_find(t, paths[1]));
	KUNIT_EXPECT_PTR_EQ(test, name_find(t, paths[2]), &n[2]);
	name_remove(t, &n[2]);			/* e, d, c; b has x */
	KUNIT_EXPECT_EQ(test, t->count, 3);
	KUNIT_EXPECT_PTR_EQ(test, name_find(t, paths[3]), &n[3]);
	name_remove(t, &n[3]);			/* x, b; a has an item */
	KUNIT_EXPECT_EQ(test, t->count, 1);
	KUNIT_EXPECT_PTR_EQ(test, name_find(t, paths[0]), &n[0]);
	name_remove(t, &n[0]);
	KUNIT_EXPECT_EQ(test, t->count, 0);
}

static void trie_find__takes_names_literally(struct kunit *test)
{
	struct weir_trie *t = test->priv;
	struct name *one, *rest;

	one = kunit_kzalloc(test, sizeof(*one), GFP_KERNEL);
	rest = kunit_kzalloc(test, sizeof(*rest), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, one && rest);
	name_set(one, "/a/*");
	name_set(rest, "/a/**");
	KUNIT_ASSERT_TRUE(test, name_insert(t, one));
	KUNIT_ASSERT_TRUE(test, name_insert(t, rest));
	KUNIT_EXPECT_PTR_EQ(test, name_find(t, "/a/*"), one);
	KUNIT_EXPECT_PTR_EQ(test, name_find(t, "/a/**"), rest);
	KUNIT_EXPECT_NULL(test, name_find(t, "/a/b"));
	KUNIT_EXPECT_NULL(test, name_find(t, "/a"));
	KUNIT_EXPECT_NULL(test, name_find(t, "/"));
	KUNIT_EXPECT_NULL(test, name_find(t, ""));
	KUNIT_EXPECT_NULL(test, name_find(t, "a"));
	KUNIT_EXPECT_NULL(test, name_find(t, "/a/*/"));
	name_remove(t, one);
	name_remove(t, rest);
}

#define STABLE	64
#define MOVING	64
#define MEETINGS	500
#define BURSTS		30

/**
 * struct meeting - a writer and two readers on one trie
 * @t: the trie.
 * @stable: names that stay; a find of one must always succeed.
 * @finds: finds done by each reader so far.
 */
struct meeting {
	struct weir_trie	*t;
	struct name		*stable;
	unsigned long		finds[2];
};

struct meeting_reader {
	struct meeting	*m;
	int		no;
};

/* Returns the number of finds that went wrong. */
static int meeting_reader_run(void *data)
{
	struct meeting_reader *r = data;
	struct meeting *m = r->m;
	unsigned int i = r->no;
	int wrong = 0;

	while (!kthread_should_stop()) {
		struct weir_trie_node *node;
		struct name *name;
		char path[24];
		size_t len;

		len = sprintf(path, "/m/%u/x", i++ % MOVING);
		rcu_read_lock();
		node = weir_trie_find(m->t, path, len);
		name = node ? weir_trie_item(node) : NULL;
		if (name)
			wrong += name->len != len ||
				 memcmp(name->path, path, len);
		if (node)
			wrong += node->path_len != len ||
				 !!weir_trie_parent_item(node);
		rcu_read_unlock();

		name = &m->stable[i % STABLE];
		wrong += name_find(m->t, name->path) != name;
		WRITE_ONCE(m->finds[r->no], m->finds[r->no] + 1);
		cond_resched();
	}
	return wrong;
}

/* Names come and go in bursts, so that the table grows and shrinks too. */
static unsigned int meeting_burst(struct weir_trie *t, struct mutex *lock)
{
	struct name *moving[MOVING];
	unsigned int i, failed = 0;

	mutex_lock(lock);
	for (i = 0; i < MOVING; i++) {
		moving[i] = kzalloc(sizeof(*moving[i]), GFP_KERNEL);
		if (!moving[i]) {
			failed++;
			continue;
		}
		moving[i]->len = sprintf(moving[i]->path, "/m/%u/x", i);
		failed += !name_insert(t, moving[i]);
	}
	for (i = 0; i < MOVING; i++) {
		if (!moving[i])
			continue;
		if (moving[i]->node)
			name_remove(t, moving[i]);
		kfree_rcu(moving[i], rcu);
	}
	mutex_unlock(lock);
	return failed;
}

static void trie_find__under_rcu_meets_writers(struct kunit *test)
{
	struct weir_trie *t = test->priv;
	unsigned long deadline = jiffies + 60 * HZ;
	struct task_struct *task[2] = {};
	struct meeting_reader r[2];
	unsigned int i, bursts = 0, failed = 0;
	struct meeting *m;
	struct mutex lock;

	m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	m->t = t;
	m->stable = kunit_kcalloc(test, STABLE, sizeof(*m->stable), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->stable);
	mutex_init(&lock);
	weir_trie_guard(t, &lock);

	mutex_lock(&lock);
	for (i = 0; i < STABLE; i++) {
		m->stable[i].len = sprintf(m->stable[i].path, "/s/%u", i);
		failed += !name_insert(t, &m->stable[i]);
	}
	mutex_unlock(&lock);

	for (i = 0; i < 2; i++) {
		r[i] = (struct meeting_reader){ .m = m, .no = i };
		task[i] = kthread_run(meeting_reader_run, &r[i], "weir_kunit");
		failed += IS_ERR(task[i]);
	}
	while (!failed && time_before(jiffies, deadline) &&
	       (bursts < BURSTS || READ_ONCE(m->finds[0]) < MEETINGS ||
		READ_ONCE(m->finds[1]) < MEETINGS)) {
		failed += meeting_burst(t, &lock);
		bursts++;
		cond_resched();
	}
	for (i = 0; i < 2; i++)
		if (!IS_ERR(task[i]))
			KUNIT_EXPECT_EQ(test, kthread_stop(task[i]), 0);
	KUNIT_EXPECT_EQ(test, failed, 0);
	KUNIT_EXPECT_GE(test, bursts, BURSTS);
	KUNIT_EXPECT_GE(test, m->finds[0], MEETINGS);
	KUNIT_EXPECT_GE(test, m->finds[1], MEETINGS);

	mutex_lock(&lock);
	for (i = 0; i < STABLE; i++)
		if (m->stable[i].node)
			name_remove(t, &m->stable[i]);
	mutex_unlock(&lock);
	KUNIT_EXPECT_EQ(test, t->count, 0);
}

static void trie_parent_item__takes_the_nearest(struct kunit *test)
{
	struct weir_trie *t = test->priv;
	struct weir_trie_node *node;
	struct name *n;

	n = kunit_kcalloc(test, 2, sizeof(*n), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, n);
	node = weir_trie_insert(t, "/a/b/c/d", 8);
	KUNIT_ASSERT_FALSE(test, IS_ERR(node));
	KUNIT_EXPECT_NULL(test, weir_trie_parent_item(node));
	name_set(&n[0], "/a");
	KUNIT_ASSERT_TRUE(test, name_insert(t, &n[0]));
	KUNIT_EXPECT_PTR_EQ(test, weir_trie_parent_item(node), (void *)&n[0]);
	name_set(&n[1], "/a/b");
	KUNIT_ASSERT_TRUE(test, name_insert(t, &n[1]));
	KUNIT_EXPECT_PTR_EQ(test, weir_trie_parent_item(node), (void *)&n[1]);
	/* a node's own item does not count */
	weir_trie_set_item(node, n);
	KUNIT_EXPECT_PTR_EQ(test, weir_trie_parent_item(node), (void *)&n[1]);
	KUNIT_EXPECT_PTR_EQ(test, weir_trie_parent_item(n[1].node),
			    (void *)&n[0]);
	KUNIT_EXPECT_NULL(test, weir_trie_parent_item(n[0].node));
	weir_trie_remove(t, node);
	name_remove(t, &n[1]);
	name_remove(t, &n[0]);
}

static struct kunit_case path_cases[] = {
	KUNIT_CASE(path_check__says_why),
	KUNIT_CASE(path_check__refuses_misplaced_rest),
	KUNIT_CASE(path_check__limits_length),
	KUNIT_CASE(path_check__takes_all_but_control_bytes),
	{}
};

static struct kunit_case trie_cases[] = {
	KUNIT_CASE(trie_insert__finds_or_creates),
	KUNIT_CASE(trie_insert__refuses_bad_names),
	KUNIT_CASE(trie_insert__takes_ten_thousand),
	KUNIT_CASE(trie_insert__takes_sixteen_deep),
	KUNIT_CASE(trie_remove__prunes_empty_ancestors),
	KUNIT_CASE(trie_find__takes_names_literally),
	KUNIT_CASE(trie_find__under_rcu_meets_writers),
	KUNIT_CASE(trie_parent_item__takes_the_nearest),
	{}
};

static struct kunit_suite path_suite = {
	.name = "weir_path",
	.test_cases = path_cases,
};

static struct kunit_suite trie_suite = {
	.name = "weir_trie",
	.init = names_test_init,
	.exit = names_test_exit,
	.test_cases = trie_cases,
};

kunit_test_suites(&path_suite, &trie_suite);
