/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names: what a path and a pattern are, and a trie of either.
 *
 * A path is "/segment/segment": at most WEIR_PATH_MAX bytes and WEIR_DEPTH_MAX
 * segments, none empty, no control characters. In a pattern the segment "*"
 * stands for exactly one segment and "**", which must be the last, for one or
 * more: "/a/" followed by "**" matches /a/b and /a/b/c but not /a. A "*"
 * within a longer segment is refused, in paths too.
 *
 * The trie knows names and one opaque item for each, and nothing of sockets,
 * permissions or caps. Its writers (insert, remove) and matchers are
 * serialised by one mutex of the caller's and run in process context;
 * weir_trie_find(), weir_trie_best() and the functions on a node also run
 * under rcu_read_lock(). Used by path.c and route.c, two tries for each network
 * namespace.
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
 * enum weir_segment - what a segment of a pattern stands for
 * @WEIR_SEGMENT_LITERAL: itself.
 * @WEIR_SEGMENT_ONE: "*", any one segment.
 * @WEIR_SEGMENT_REST: "**", one or more segments up to the end.
 */
enum weir_segment {
	WEIR_SEGMENT_LITERAL,
	WEIR_SEGMENT_ONE,
	WEIR_SEGMENT_REST,
};

/**
 * struct weir_trie_node - one segment below its parent
 * @hash: link in weir_trie.nodes; key is @parent with @seg.
 * @parent: the node one segment up, NULL at the top; never changes.
 * @item: the caller's object with this full name, NULL if there is none;
 *	written under the caller's mutex, read under it or RCU. Go through
 *	weir_trie_item() and weir_trie_set_item().
 * @children: nodes one segment down, by @sibling; the caller's mutex.
 * @sibling: link in the parent's @children or weir_trie.top; same lock.
 * @rcu: defers the kfree of a removed node.
 * @kind: enum weir_segment; never changes.
 * @wilds: children that are wildcards; the caller's mutex, or RCU to look.
 * @wild: this segment or one above it is a wildcard; never changes.
 * @depth: segments of the full path; never changes.
 * @path_len: bytes of the full path; never changes.
 * @len: bytes of @seg; never changes.
 * @seg: the segment without slash or NUL; never changes.
 */
struct weir_trie_node {
	struct rhash_head	hash;
	struct weir_trie_node	*parent;
	void __rcu		*item;
	struct list_head	children;
	struct list_head	sibling;
	struct rcu_head		rcu;
	u8			kind;
	u8			wilds;
	bool			wild;
	u8			depth;
	u8			path_len;
	u8			len;
	char			seg[];
};

/**
 * struct weir_trie - a set of names
 * @nodes: every node, so that one segment down costs one probe however many
 *	siblings there are; RCU for readers, the caller's mutex for writers.
 * @top: nodes of depth 1; the caller's mutex.
 * @wilds: nodes of depth 1 that are wildcards; as weir_trie_node.wilds.
 * @count: nodes, those without an item included; the caller's mutex.
 * @lock: the caller's mutex, only for lockdep; NULL when not told.
 */
struct weir_trie {
	struct rhashtable	nodes;
	struct list_head	top;
	u8			wilds;
	unsigned int		count;
	struct mutex		*lock;
};

/*
 * Steps after which a search that holds up others gives up. A path meets at most
 * WEIR_DEPTH_MAX literal nodes, and behind each the forms of the patterns there;
 * a node takes two steps. So a route is never given up but for patterns whose
 * first segment is a wildcard, which only administrators make. Subscriptions may
 * be of any form: who looks for them and gives up leaves the rest to a worker.
 */
#define WEIR_TRIE_LOOKS_MAX						\
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
			     unsigned int looks);
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
 * weir_trie_item() - the object of a node
 * @node: from a find, under the same rcu_read_lock(), or any under the mutex.
 *
 * Return: the item. Under RCU alone it may be NULL although the find saw one.
 */
static inline void *weir_trie_item(const struct weir_trie_node *node)
{
	/* the caller knows which of the two locks it holds; both do */
	return rcu_dereference_raw(node->item);
}

/**
 * weir_trie_set_item() - publish the object of a node
 * @node: from weir_trie_insert().
 * @item: fully set up, since readers may find it at once; NULL takes it away,
 *	to be followed by weir_trie_remove(). Readers under RCU may use the old
 *	one until a grace period later.
 *
 * The caller holds its mutex.
 */
static inline void weir_trie_set_item(struct weir_trie_node *node, void *item)
{
	rcu_assign_pointer(node->item, item);
}

#endif /* _WEIR_TRIE_H */
