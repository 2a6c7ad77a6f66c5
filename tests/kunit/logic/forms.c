// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/forms.c: what is counted, what a refusal leaves behind, and
 * that a trie whose patterns have as many forms as may be is searched to its end.
 */
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "logic/forms.h"
#include "names.h"

static int forms_test_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct weir_forms), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static int add(struct weir_forms *f, const char *pattern)
{
	return weir_forms_add(f, pattern, strlen(pattern));
}

static void drop(struct weir_forms *f, const char *pattern)
{
	weir_forms_remove(f, pattern, strlen(pattern));
}

static void forms_add__counts_beginnings(struct kunit *test)
{
	static const struct {
		const char	*pattern;
		u32		n;
	} cases[] = {
		{ "/a/*", 1 }, { "/a/b/*", 1 }, { "/a/*/x", 2 },
		{ "/a/*/y", 2 }, { "/a/**", 3 }, { "/a/*/**", 4 },
		{ "/a/*/*", 5 }, { "/a/*/z/*/q", 7 }, { "/a/*/*/*/q", 9 },
	};
	struct weir_forms *f = test->priv;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_EXPECT_EQ(test, add(f, cases[i].pattern), 0);
		KUNIT_EXPECT_EQ_MSG(test, f->n, cases[i].n, "%s",
				    cases[i].pattern);
	}
	while (i--) {
		KUNIT_EXPECT_EQ_MSG(test, f->n, cases[i].n, "%s",
				    cases[i].pattern);
		drop(f, cases[i].pattern);
	}
	KUNIT_EXPECT_EQ(test, f->n, 0);
}

static void forms_add__refuses_and_leaves_nothing(struct kunit *test)
{
	struct weir_forms *f = test->priv;
	struct weir_forms *before;
	char path[64];
	int i, err = 0;

	before = kunit_kzalloc(test, sizeof(*before), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	/* seven segments, each of them literal or not, have far more */
	for (i = 0; i < 64 && !err; i++) {
		int n = sprintf(path, "/a/*"), bit;

		for (bit = 0; bit < 6; bit++)
			n += sprintf(path + n, i & 1 << bit ? "/*" : "/b");
		*before = *f;
		err = weir_forms_add(f, path, n);
	}
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_GT(test, i, 2);
	KUNIT_EXPECT_EQ(test, f->n, before->n);
	KUNIT_EXPECT_EQ(test, memcmp(f->forms, before->forms,
				     f->n * sizeof(f->forms[0])), 0);
	/* forms that are there are welcome */
	KUNIT_EXPECT_EQ(test, add(f, "/a/*/c/c/c/c/c/c"), 0);
}

static bool forms_none(void *item)
{
	return false;
}

/* Everything that forms let in, below each of sixteen paths, is looked at. */
static void forms__let_searches_end(struct kunit *test)
{
	const unsigned int most = WEIR_DEPTH_MAX * WEIR_FORMS_MAX;
	struct weir_forms *f = test->priv;
	unsigned int i, depth, n = 0, failed = 0;
	struct weir_trie *t;
	struct name *names;

	t = names_trie_create(test);
	names = kvcalloc(most, sizeof(*names), GFP_KERNEL);
	if (!t || !names) {
		if (t)
			weir_trie_destroy(t);
		kvfree(names);
		KUNIT_FAIL(test, "no memory");
		return;
	}
	for (depth = 0; depth < WEIR_DEPTH_MAX; depth++) {
		memset(f, 0, sizeof(*f));
		for (i = 0; i < 128 && n < most; i++) {
			struct name *name = &names[n];
			unsigned int seg;

			name->len = 0;
			for (seg = 0; seg < WEIR_DEPTH_MAX; seg++)
				name->len += sprintf(name->path + name->len,
						     seg == depth ||
						     (seg > depth &&
						      i >> (seg - depth - 1) & 1) ?
						     "/*" : "/a");
			if (name_find(t, name->path) ||
			    weir_forms_add(f, name->path, name->len))
				continue;
			failed += !name_insert(t, name);
			n++;
		}
	}
	KUNIT_EXPECT_EQ(test, failed, 0);
	KUNIT_EXPECT_GT(test, n, WEIR_DEPTH_MAX);
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, weir_trie_best(t,
			  "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", 32, forms_none));
	rcu_read_unlock();
	kunit_info(test, "%u patterns, %u nodes\n", n, t->count);
	for (i = 0; i < n; i++)
		name_remove(t, &names[i]);
	weir_trie_destroy(t);
	kvfree(names);
}

static struct kunit_case forms_cases[] = {
	KUNIT_CASE(forms_add__counts_beginnings),
	KUNIT_CASE(forms_add__refuses_and_leaves_nothing),
	KUNIT_CASE(forms__let_searches_end),
	{}
};

static struct kunit_suite forms_suite = {
	.name = "weir_forms",
	.init = forms_test_init,
	.test_cases = forms_cases,
};

kunit_test_suite(forms_suite);
