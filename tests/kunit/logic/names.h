/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names to put into a trie: what trie.c and match.c of the tests share.
 *
 * A struct name is its own item. These take no lock: a test that has other
 * threads holds its mutex, save for name_find(), which needs none.
 */
#ifndef _WEIR_KUNIT_NAMES_H
#define _WEIR_KUNIT_NAMES_H

#include <kunit/test.h>
#include <linux/err.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "logic/trie.h"

/**
 * struct name - a name and, as an item, what is in the trie under it
 * @node: its node while it is in the trie.
 * @rcu: for kfree_rcu.
 * @hits: times that a match called.
 * @len: bytes of @path.
 * @path: the name, NUL-terminated.
 */
struct name {
	struct weir_trie_node	*node;
	struct rcu_head		rcu;
	unsigned int		hits;
	size_t			len;
	char			path[WEIR_PATH_MAX + 1];
};

static inline void name_set(struct name *name, const char *path)
{
	name->len = strlen(path);
	memcpy(name->path, path, name->len + 1);
}

/* Put a name in; false if it could not be had. */
static inline bool name_insert(struct weir_trie *t, struct name *name)
{
	struct weir_trie_node *node;

	node = weir_trie_insert(t, name->path, name->len);
	if (IS_ERR(node))
		return false;
	name->node = node;
	weir_trie_set_item(node, name);
	return true;
}

static inline void name_remove(struct weir_trie *t, struct name *name)
{
	weir_trie_remove(t, name->node);
	name->node = NULL;
}

static inline struct name *name_find(struct weir_trie *t, const char *path)
{
	struct weir_trie_node *node;
	struct name *name;

	rcu_read_lock();
	node = weir_trie_find(t, path, strlen(path));
	name = node ? weir_trie_item(node) : NULL;
	rcu_read_unlock();
	return name;
}

/* An empty trie, of the test's memory; NULL if there is none left. */
static inline struct weir_trie *names_trie_create(struct kunit *test)
{
	struct weir_trie *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	return t && !weir_trie_init(t) ? t : NULL;
}

/* A suite's init(): an empty trie in @test->priv. */
static inline int names_test_init(struct kunit *test)
{
	test->priv = names_trie_create(test);
	return test->priv ? 0 : -ENOMEM;
}

static inline void names_test_exit(struct kunit *test)
{
	/* WARNs, which fails the run, when a test left names behind */
	if (test->priv)
		weir_trie_destroy(test->priv);
}

#endif /* _WEIR_KUNIT_NAMES_H */
