/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names: the rules for paths and patterns, and a trie of names.
 *
 * A path is "/segment/segment". It has at most WEIR_PATH_MAX bytes and
 * WEIR_DEPTH_MAX segments. No segment is empty, and there are no control
 * characters. In a pattern, the segment "*" stands for exactly one segment. The
 * segment "**" must be the last one, and stands for one or more segments: "/a/"
 * followed by "**" matches /a/b and /a/b/c but not /a. A "*" within a longer
 * segment is refused, in paths too.
 *
 * The trie knows names, and one opaque item for each name. It knows nothing of
 * sockets, permissions or caps. One mutex of the caller serialises the writers
 * (insert, remove) and the functions that match; they run in process context.
 * weir_trie_find(), weir_trie_best() and the functions that take only a node
 * may also run under rcu_read_lock(). Each network namespace has two tries: its
 * paths, and the patterns that sockets subscribe to.
 */
#ifndef _WEIR_TRIE_H
#define _WEIR_TRIE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable.h>
#include <linux/types.h>

#include "uapi/weir.h"

/**
 * enum weir_segment - kind of a segment of a pattern
 * @WEIR_SEGMENT_LITERAL: a literal segment stands for itself.
 * @WEIR_SEGMENT_ONE: "*" stands for any one segment.
 * @WEIR_SEGMENT_REST: "**" stands for one or more segments up to the end.
 */
enum weir_segment {
	WEIR_SEGMENT_LITERAL,
	WEIR_SEGMENT_ONE,
	WEIR_SEGMENT_REST,
};

/**
 * struct weir_trie_node - one segment of a name, below its parent
 */
struct weir_trie_node {
	/**
	 * @hash: link in weir_trie.nodes; the key is @parent together with
	 * @seg.
	 */
	struct rhash_head	hash;
	/**
	 * @parent: node of the segment before this one, NULL at the top; never
	 * changes.
	 */
	struct weir_trie_node	*parent;
	/**
	 * @item: the caller's object whose full name ends here; NULL: there is
	 * none. Written under the caller's mutex, read under the mutex or RCU.
	 * Use weir_trie_item() and weir_trie_set_item().
	 */
	void __rcu		*item;
	/**
	 * @children: nodes one segment further down, by @sibling; the caller's
	 * mutex.
	 */
	struct list_head	children;
	/**
	 * @sibling: link in the parent's @children or in weir_trie.top; the
	 * caller's mutex.
	 */
	struct list_head	sibling;
	/** @rcu: delays the kfree() of a removed node. */
	struct rcu_head		rcu;
	/** @kind: enum weir_segment; never changes. */
	u8			kind;
	/**
	 * @wilds: number of children that are wildcards; written under the
	 * caller's mutex, read under the mutex or RCU.
	 */
	u8			wilds;
	/** @wild: this segment or one above it is a wildcard; never changes. */
	bool			wild;
	/** @depth: number of segments in the full name; never changes. */
	u8			depth;
	/** @path_len: number of bytes in the full name; never changes. */
	u8			path_len;
	/** @len: number of bytes in @seg; never changes. */
	u8			len;
	/** @seg: the segment, without slash or NUL; never changes. */
	char			seg[];
};

/**
 * struct weir_trie - a set of names
 * @nodes: all nodes. One step down costs one probe in this table, however many
 *	siblings there are. RCU for readers, the caller's mutex for writers.
 * @top: nodes of depth 1; the caller's mutex.
 * @wilds: number of nodes of depth 1 that are wildcards; as
 *	weir_trie_node.wilds.
 * @count: number of nodes, with or without an item; the caller's mutex.
 * @lock: the caller's mutex, only for lockdep; NULL: weir_trie_guard() has not
 *	been called.
 */
struct weir_trie {
	struct rhashtable	nodes;
	struct list_head	top;
	u8			wilds;
	unsigned int		count;
	struct mutex		*lock;
};

/*
 * Number of steps after which a search gives up, so that it does not hold up
 * others. For each prefix of a path there is at most one literal node, so there
 * are at most WEIR_DEPTH_MAX. Below each of them, the path meets at most one
 * node for each form of a pattern (forms.h). A node takes two steps. So the
 * search for a route gives up only if there are patterns whose first segment is
 * a wildcard. Only administrators make these. Subscriptions may have any form:
 * if a search for subscribers gives up, a worker does the rest.
 */
#define WEIR_TRIE_STEPS_MAX						\
	(2 * WEIR_DEPTH_MAX * (1 + WEIR_FORMS_MAX) + 2)

int weir_path_check(const char *path, size_t len, bool pattern,
		    const char **why);
bool weir_path_is_pattern(const char *path, size_t len);
size_t weir_path_prefix(const char *path, size_t len);
bool weir_path_match(const char *pattern, size_t plen, const char *path,
		     size_t len);

int weir_trie_init(struct weir_trie *t);
void weir_trie_destroy(struct weir_trie *t);
struct weir_trie_node *weir_trie_insert(struct weir_trie *t, const char *path,
					size_t len);
void weir_trie_remove(struct weir_trie *t, struct weir_trie_node *node);
struct weir_trie_node *weir_trie_find(struct weir_trie *t, const char *path,
				      size_t len);
void *weir_trie_best(struct weir_trie *t, const char *path, size_t len,
		     bool (*good)(void *item));
void *weir_trie_parent_item(const struct weir_trie_node *node);
int weir_trie_below(struct weir_trie *t, struct weir_trie_node *top,
		    int (*fn)(void *item, void *ctx), void *ctx);
int weir_trie_match_patterns(struct weir_trie *t, const char *path, size_t len,
			     int (*fn)(void *item, void *ctx), void *ctx,
			     unsigned int steps);
int weir_trie_match_overlaps(struct weir_trie *t, const char *name, size_t len,
			     int (*fn)(void *item, void *ctx), void *ctx);

/**
 * weir_trie_guard() - tell lockdep which mutex serialises the writers
 * @t: the trie, just initialised.
 * @lock: the caller's mutex; must live as long as the trie.
 */
static inline void weir_trie_guard(struct weir_trie *t, struct mutex *lock)
{
	t->lock = lock;
}

/**
 * weir_trie_item() - the item of a node
 * @node: any node, under the caller's mutex; or a node from weir_trie_find(),
 *	under the same rcu_read_lock().
 *
 * Return: the item, or NULL. Under RCU alone it may be NULL although
 * weir_trie_find() has just seen an item.
 */
static inline void *weir_trie_item(const struct weir_trie_node *node)
{
	/* the caller holds the mutex or rcu_read_lock(); both are enough */
	return rcu_dereference_raw(node->item);
}

/**
 * weir_trie_set_item() - set the item of a node
 * @node: from weir_trie_insert().
 * @item: the item, set up completely, since readers may find it at once. NULL
 *	removes the item; weir_trie_remove() must follow. Readers under RCU may
 *	use the old item until a grace period is over.
 *
 * The caller holds its mutex.
 */
static inline void weir_trie_set_item(struct weir_trie_node *node, void *item)
{
	rcu_assign_pointer(node->item, item);
}

#endif /* _WEIR_TRIE_H */
