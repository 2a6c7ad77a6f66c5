// SPDX-License-Identifier: GPL-2.0
/*
 * The checks and the matching of names, and the trie of names. See trie.h for
 * paths, patterns and items.
 *
 * All nodes are in one hash table with the key (parent, segment). So each step
 * down costs one probe. The lists of children serve wildcards. A node without
 * an item and without children is removed from the table, and its memory is
 * freed a grace period later.
 *
 * This file owns no item, takes no lock and charges nothing; its callers do.
 * They hold their mutex. Only weir_trie_find(), weir_trie_best() and the
 * functions that take only a node may run under rcu_read_lock() instead.
 * Nothing here recurses.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/lockdep.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "logic/alloc.h"
#include "logic/forms.h"
#include "logic/trie.h"

/**
 * struct weir_path_segs - the segments of a name
 * @path: the name, whose bytes are the caller's; not ended by a NUL byte.
 * @n: number of segments.
 * @start: offset in @path of the first byte of each segment, in bytes.
 * @len: length of each segment, in bytes, without a slash.
 * @kind: enum weir_segment of each segment.
 *
 * Lengths and offsets fit: a name has at most 255 bytes.
 */
struct weir_path_segs {
	const char	*path;
	u8		n;
	u8		start[WEIR_DEPTH_MAX];
	u8		len[WEIR_DEPTH_MAX];
	u8		kind[WEIR_DEPTH_MAX];
};

static_assert(WEIR_PATH_MAX <= U8_MAX);
static_assert(WEIR_DEPTH_MAX <= U8_MAX);

static enum weir_segment weir_segment_kind(const char *seg, size_t len)
{
	if (len == 1 && seg[0] == '*')
		return WEIR_SEGMENT_ONE;
	if (len == 2 && seg[0] == '*' && seg[1] == '*')
		return WEIR_SEGMENT_REST;
	return WEIR_SEGMENT_LITERAL;
}

static int weir_path_refuse(int err, const char **why, const char *words)
{
	*why = words;
	return err;
}

/*
 * Check the segment of a name from @start to @end, and add it to @s. @stars:
 * the segment contains a "*".
 */
static int weir_path_add_segment(struct weir_path_segs *s, size_t start,
				 size_t end, bool stars, const char **why)
{
	enum weir_segment kind = weir_segment_kind(s->path + start,
						   end - start);

	if (start == end)
		return weir_path_refuse(-EINVAL, why,
					"path has an empty segment");
	if (s->n == WEIR_DEPTH_MAX)
		return weir_path_refuse(-ENAMETOOLONG, why,
					"path has more than 16 segments");
	if (kind == WEIR_SEGMENT_LITERAL && stars)
		return weir_path_refuse(-EINVAL, why,
					"* and ** must be whole segments");
	s->start[s->n] = start;
	s->len[s->n] = end - start;
	s->kind[s->n] = kind;
	s->n++;
	return 0;
}

/*
 * Check a path or pattern, and split it into segments. This takes one pass, and
 * few instructions for a usual byte: it runs several times for a name while
 * others wait.
 */
static int weir_path_split(const char *path, size_t len, bool pattern,
			   struct weir_path_segs *s, const char **why)
{
	size_t i, start = 1;
	bool stars = false;
	int err;

	s->path = path;
	s->n = 0;
	if (!len)
		return weir_path_refuse(-EINVAL, why, "path is empty");
	if (len > WEIR_PATH_MAX)
		return weir_path_refuse(-ENAMETOOLONG, why,
					"path is longer than 255 bytes");
	if (path[0] != '/')
		return weir_path_refuse(-EINVAL, why,
					"path does not start with a slash");
	for (i = 1; i <= len; i++) {
		unsigned char c = i < len ? path[i] : '/';

		if (likely(c > '/' && c != 0x7f))
			continue;
		if (c < 0x20 || c == 0x7f)
			return weir_path_refuse(-EINVAL, why,
						"path has a control character");
		if (c != '/') {
			stars |= c == '*';
			continue;
		}
		err = weir_path_add_segment(s, start, i, stars, why);
		if (err)
			return err;
		if (s->kind[s->n - 1] != WEIR_SEGMENT_LITERAL && !pattern)
			return weir_path_refuse(-EINVAL, why,
						"a pattern is not allowed here");
		if (s->kind[s->n - 1] == WEIR_SEGMENT_REST && i < len)
			return weir_path_refuse(-EINVAL, why,
						"** must be the last segment");
		start = i + 1;
		stars = false;
	}
	return 0;
}

/**
 * weir_path_check() - check a name
 * @path: bytes; need not be NUL-terminated.
 * @len: number of bytes.
 * @pattern: whether wildcards are allowed.
 * @why: out: on refusal, the reason in words (a static string).
 *
 * Any context.
 *
 * Return: 0, -ENAMETOOLONG for too many bytes or segments, -EINVAL for all
 * other faults.
 */
int weir_path_check(const char *path, size_t len, bool pattern,
		    const char **why)
{
	struct weir_path_segs s;

	return weir_path_split(path, len, pattern, &s, why);
}

/**
 * weir_path_is_pattern() - does a name have wildcards?
 * @path: a name that has passed weir_path_check(), with patterns allowed.
 * @len: number of bytes.
 *
 * Any context.
 *
 * Return: true for a pattern, false for a path.
 */
bool weir_path_is_pattern(const char *path, size_t len)
{
	/* a checked name has stars only as wildcards */
	return memchr(path, '*', len);
}

/**
 * weir_path_prefix() - the part of a name above its first wildcard
 * @path: a name that has passed weir_path_check(), with patterns allowed.
 * @len: number of bytes.
 *
 * Any context.
 *
 * Return: number of bytes above the first wildcard, without the slash before
 * it; 0 if the first segment is a wildcard; @len for a path.
 */
size_t weir_path_prefix(const char *path, size_t len)
{
	const char *star = memchr(path, '*', len);

	return star ? star - path - 1 : len;
}

/**
 * weir_path_match() - does one pattern match one path?
 * @pattern: a pattern or path that has passed weir_path_check().
 * @plen: number of bytes in @pattern.
 * @path: a path that has passed weir_path_check().
 * @len: number of bytes in @path.
 *
 * This is the plain definition of a match, for single checks. Tests compare the
 * matchers of the trie with it. Any context.
 *
 * Return: true if the pattern matches.
 */
bool weir_path_match(const char *pattern, size_t plen, const char *path,
		     size_t len)
{
	size_t p = 0, n = 0;

	while (p < plen && n < len) {
		size_t pseg = ++p, seg = ++n;

		while (p < plen && pattern[p] != '/')
			p++;
		while (n < len && path[n] != '/')
			n++;
		switch (weir_segment_kind(pattern + pseg, p - pseg)) {
		case WEIR_SEGMENT_REST:
			return true;
		case WEIR_SEGMENT_ONE:
			break;
		case WEIR_SEGMENT_LITERAL:
			if (p - pseg != n - seg ||
			    memcmp(pattern + pseg, path + seg, n - seg))
				return false;
			break;
		}
	}
	return p >= plen && n >= len;
}

/* --- nodes --------------------------------------------------------------- */

/**
 * struct weir_trie_key - the key of a node in the hash table
 * @parent: the node one segment above, or NULL; only its address is used.
 * @seg: the node's segment, whose bytes are the caller's; no NUL byte ends it.
 * @len: length of @seg in bytes.
 */
struct weir_trie_key {
	const struct weir_trie_node	*parent;
	const char			*seg;
	u8				len;
};

static u32 weir_trie_hash(const struct weir_trie_node *parent, const char *seg,
			  u8 len, u32 seed)
{
	/* the table's seed is random: users can't choose colliding names */
	return jhash(seg, len, seed + hash_ptr(parent, 32));
}

static u32 weir_trie_key_hash(const void *data, u32 len, u32 seed)
{
	const struct weir_trie_key *key = data;

	return weir_trie_hash(key->parent, key->seg, key->len, seed);
}

static u32 weir_trie_node_hash(const void *data, u32 len, u32 seed)
{
	const struct weir_trie_node *node = data;

	return weir_trie_hash(node->parent, node->seg, node->len, seed);
}

static int weir_trie_node_cmp(struct rhashtable_compare_arg *arg,
			      const void *obj)
{
	const struct weir_trie_key *key = arg->key;
	const struct weir_trie_node *node = obj;

	return node->parent != key->parent || node->len != key->len ||
	       memcmp(node->seg, key->seg, key->len);
}

static const struct rhashtable_params weir_trie_params = {
	.head_offset		= offsetof(struct weir_trie_node, hash),
	.key_len		= sizeof(struct weir_trie_key),
	.hashfn			= weir_trie_key_hash,
	.obj_hashfn		= weir_trie_node_hash,
	.obj_cmpfn		= weir_trie_node_cmp,
	.automatic_shrinking	= true,
};

/* Under rcu_read_lock() or the caller's mutex. */
static struct weir_trie_node *
weir_trie_lookup(struct weir_trie *t, const struct weir_trie_node *parent,
		 const char *seg, u8 len)
{
	struct weir_trie_key key = { .parent = parent, .seg = seg, .len = len };

	return rhashtable_lookup_fast(&t->nodes, &key, weir_trie_params);
}

static struct list_head *weir_trie_siblings(struct weir_trie *t,
					    struct weir_trie_node *parent)
{
	return parent ? &parent->children : &t->top;
}

static u8 *weir_trie_wilds(struct weir_trie *t, struct weir_trie_node *parent)
{
	return parent ? &parent->wilds : &t->wilds;
}

/*
 * If @node is a wildcard, add @n to the count of wildcards among its siblings.
 */
static void weir_trie_wilds_add(struct weir_trie *t,
				const struct weir_trie_node *node, int n)
{
	u8 *wilds = weir_trie_wilds(t, node->parent);

	if (node->kind != WEIR_SEGMENT_LITERAL)
		WRITE_ONCE(*wilds, *wilds + n);
}

static void weir_trie_assert_held(const struct weir_trie *t)
{
	if (t->lock)
		lockdep_assert_held(t->lock);
}

/* The mutex or RCU: both keep the nodes in place. */
static void weir_trie_assert_read(const struct weir_trie *t)
{
	RCU_LOCKDEP_WARN(t->lock && !lockdep_is_held(t->lock) &&
			 !rcu_read_lock_any_held(), "the trie is not guarded");
}

static struct weir_trie_node *
weir_trie_node_create(struct weir_trie *t, struct weir_trie_node *parent,
		      const char *seg, u8 len)
{
	struct weir_trie_node *node;
	int err;

	node = kzalloc(struct_size(node, seg, len), WEIR_GFP_NOWAIT);
	if (!node)
		return ERR_PTR(-ENOMEM);
	node->parent = parent;
	INIT_LIST_HEAD(&node->children);
	node->kind = weir_segment_kind(seg, len);
	node->wild = node->kind != WEIR_SEGMENT_LITERAL ||
		     (parent && parent->wild);
	node->depth = parent ? parent->depth + 1 : 1;
	node->path_len = (parent ? parent->path_len : 0) + 1 + len;
	node->len = len;
	memcpy(node->seg, seg, len);

	/* count it before readers can find the node */
	weir_trie_wilds_add(t, node, 1);
	err = rhashtable_insert_fast(&t->nodes, &node->hash, weir_trie_params);
	if (err) {
		weir_trie_wilds_add(t, node, -1);
		kfree(node);
		return ERR_PTR(err);
	}
	list_add_tail(&node->sibling, weir_trie_siblings(t, parent));
	t->count++;
	return node;
}

/*
 * Remove a node without item or children. Then do the same with its ancestors,
 * up to the first one that has an item or a child.
 */
static void weir_trie_prune(struct weir_trie *t, struct weir_trie_node *node)
{
	while (node && !weir_trie_item(node) && list_empty(&node->children)) {
		struct weir_trie_node *parent = node->parent;

		rhashtable_remove_fast(&t->nodes, &node->hash,
				       weir_trie_params);
		list_del(&node->sibling);
		weir_trie_wilds_add(t, node, -1);
		t->count--;
		kfree_rcu(node, rcu);
		node = parent;
	}
}

/**
 * weir_trie_init() - set up an empty trie
 * @t: the trie.
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int weir_trie_init(struct weir_trie *t)
{
	INIT_LIST_HEAD(&t->top);
	t->count = 0;
	t->wilds = 0;
	t->lock = NULL;
	return rhashtable_init(&t->nodes, &weir_trie_params);
}

static void weir_trie_node_free(void *ptr, void *arg)
{
	kfree(ptr);
}

/**
 * weir_trie_destroy() - free an empty trie
 * @t: the trie, after its last name was removed. No reader uses it any more,
 *	not even under RCU.
 *
 * May sleep.
 */
void weir_trie_destroy(struct weir_trie *t)
{
	WARN_ON_ONCE(t->count);
	rhashtable_free_and_destroy(&t->nodes, weir_trie_node_free, NULL);
}

/**
 * weir_trie_insert() - find or make the node of a name
 * @t: the trie.
 * @path: a path or pattern.
 * @len: number of bytes.
 *
 * If the node has an item, the name is taken. A new node has no item: the
 * caller sets one, or removes the node with weir_trie_remove(). Until the item
 * is set, weir_trie_find() does not find the node. The caller holds its mutex.
 * This does not wait for memory.
 *
 * Return: the node, or an ERR_PTR: the errors of weir_path_check(), -ENOMEM, or
 * -EBUSY when the hash table is overloaded for the moment.
 */
struct weir_trie_node *weir_trie_insert(struct weir_trie *t, const char *path,
					size_t len)
{
	struct weir_trie_node *node = NULL;
	struct weir_path_segs s;
	const char *why;
	int i, err;

	weir_trie_assert_held(t);
	err = weir_path_split(path, len, true, &s, &why);
	if (err)
		return ERR_PTR(err);

	for (i = 0; i < s.n; i++) {
		const char *seg = path + s.start[i];
		struct weir_trie_node *next;

		next = weir_trie_lookup(t, node, seg, s.len[i]);
		if (!next)
			next = weir_trie_node_create(t, node, seg, s.len[i]);
		if (IS_ERR(next)) {
			weir_trie_prune(t, node);
			return next;
		}
		node = next;
	}
	return node;
}

/**
 * weir_trie_remove() - remove a name
 * @t: the trie.
 * @node: node of the name. It is freed, unless longer names contain it.
 *
 * Readers no longer find the item, if there is one. The caller frees the item
 * after a grace period. Ancestors that served only this name are freed, too.
 * The caller holds its mutex.
 */
void weir_trie_remove(struct weir_trie *t, struct weir_trie_node *node)
{
	weir_trie_assert_held(t);
	RCU_INIT_POINTER(node->item, NULL);
	weir_trie_prune(t, node);
}

/**
 * weir_trie_find() - look up a name
 * @t: the trie.
 * @path: bytes of a path or pattern. Wildcards stand for themselves. The name
 *	need not have been checked.
 * @len: number of bytes.
 *
 * The caller holds rcu_read_lock() or its mutex; the node stays valid until the
 * caller releases it. Never sleeps.
 *
 * Return: the node if it has an item (see weir_trie_item()), or NULL.
 */
struct weir_trie_node *weir_trie_find(struct weir_trie *t, const char *path,
				      size_t len)
{
	struct weir_trie_node *node = NULL;
	struct weir_path_segs s;
	const char *why;
	int i;

	weir_trie_assert_read(t);
	if (weir_path_split(path, len, true, &s, &why))
		return NULL;
	for (i = 0; i < s.n; i++) {
		node = weir_trie_lookup(t, node, path + s.start[i], s.len[i]);
		if (!node)
			return NULL;
	}
	return weir_trie_item(node) ? node : NULL;
}

/**
 * weir_trie_parent_item() - the item of the nearest ancestor that has one
 * @node: the node; its own item does not count.
 *
 * The caller holds rcu_read_lock() or its mutex.
 *
 * Return: the item, or NULL if no ancestor has one.
 */
void *weir_trie_parent_item(const struct weir_trie_node *node)
{
	for (node = node->parent; node; node = node->parent) {
		void *item = weir_trie_item(node);

		if (item)
			return item;
	}
	return NULL;
}

/* --- matching ------------------------------------------------------------ */

/*
 * The child of @parent to look at after @prev when a path is compared with
 * patterns; @prev NULL: the first one. At most three children may match, and
 * they come in the order of enum weir_segment.
 */
static struct weir_trie_node *
weir_match_next_pattern(struct weir_trie *t, const struct weir_path_segs *s,
			struct weir_trie_node *parent,
			struct weir_trie_node *prev, int depth)
{
	struct weir_trie_node *node;

	if (!prev) {
		node = weir_trie_lookup(t, parent, s->path + s->start[depth],
					s->len[depth]);
		if (node)
			return node;
	}
	if (!READ_ONCE(*weir_trie_wilds(t, parent)))
		return NULL;
	if (!prev || prev->kind == WEIR_SEGMENT_LITERAL) {
		node = weir_trie_lookup(t, parent, "*", 1);
		if (node)
			return node;
	}
	if (!prev || prev->kind != WEIR_SEGMENT_REST)
		return weir_trie_lookup(t, parent, "**", 2);
	return NULL;
}

/*
 * The same when a name is compared with patterns that match some of the paths
 * that the name matches. Up to its first wildcard, the name is compared like a
 * path. From there on, only nodes below a wildcard matter. Where the name has a
 * wildcard, all of their children match.
 */
static struct weir_trie_node *
weir_match_next_overlap(struct weir_trie *t, const struct weir_path_segs *s,
			struct weir_trie_node *parent,
			struct weir_trie_node *prev, int depth)
{
	struct list_head *pos;

	if (depth < s->n && s->kind[depth] == WEIR_SEGMENT_LITERAL)
		return weir_match_next_pattern(t, s, parent, prev, depth);
	if (!parent || !parent->wild)
		return NULL;
	pos = prev ? prev->sibling.next : parent->children.next;
	return pos == &parent->children ? NULL :
	       list_entry(pos, struct weir_trie_node, sibling);
}

/*
 * Walk depth first through the nodes that match; each node comes once. The
 * position is @node, at @depth, below @parent. The parent pointers of the nodes
 * tell where to continue further up, so this needs no stack.
 *
 * Returns 0, the first value other than 0 that @fn returned, or -ELOOP after
 * @steps steps. Called under rcu_read_lock() or the caller's mutex.
 */
static int weir_match_walk(struct weir_trie *t, const struct weir_path_segs *s,
			   struct weir_trie_node *
			   (*next)(struct weir_trie *t,
				   const struct weir_path_segs *s,
				   struct weir_trie_node *parent,
				   struct weir_trie_node *prev, int depth),
			   int (*fn)(void *item, void *ctx), void *ctx,
			   unsigned int steps)
{
	struct weir_trie_node *parent = NULL, *node = NULL;
	bool rest = s->kind[s->n - 1] == WEIR_SEGMENT_REST;
	int depth = 0;

	weir_trie_assert_read(t);
	while (steps--) {
		bool last = depth + 1 >= s->n;
		void *item;

		node = next(t, s, parent, node, depth);
		if (!node) {
			if (!parent)
				return 0;
			node = parent;
			parent = node->parent;
			depth--;
			continue;
		}

		item = weir_trie_item(node);
		if (item && (last || node->kind == WEIR_SEGMENT_REST)) {
			int err = fn(item, ctx);

			if (err)
				return err;
		}
		if ((!last || rest) && node->kind != WEIR_SEGMENT_REST) {
			parent = node;
			node = NULL;
			depth++;
		}
	}
	return -ELOOP;
}

/* Number of steps after which weir_trie_below() gives up. */
#define WEIR_TRIE_BELOW_MAX	256

/**
 * struct weir_match_best - state of the search of weir_trie_best()
 * @good: says whether an item counts.
 * @found: the first item that counts, or NULL.
 */
struct weir_match_best {
	bool	(*good)(void *item);
	void	*found;
};

static int weir_match_best(void *item, void *ctx)
{
	struct weir_match_best *best = ctx;

	if (!best->good(item))
		return 0;
	best->found = item;
	return 1;
}

/**
 * weir_trie_best() - the most specific name that matches a path
 * @t: a trie of paths and patterns.
 * @path: a path without wildcards.
 * @len: number of bytes.
 * @good: called with an item; returns whether its name counts. Must not sleep.
 *
 * Names are compared segment by segment from the left. A literal segment is
 * more specific than "*", and "*" is more specific than "**". If the path
 * itself is in the trie, the search costs one probe for each segment. Each
 * pattern on the way costs more. After WEIR_TRIE_STEPS_MAX steps the search
 * gives up. The caller holds rcu_read_lock() or its mutex.
 *
 * Return: the item of the name; NULL if no name matches; ERR_PTR(-ELOOP) if the
 * search gave up.
 */
void *weir_trie_best(struct weir_trie *t, const char *path, size_t len,
		     bool (*good)(void *item))
{
	struct weir_match_best best = { .good = good };
	struct weir_path_segs s;
	const char *why;
	int err;

	if (weir_path_split(path, len, false, &s, &why))
		return NULL;
	err = weir_match_walk(t, &s, weir_match_next_pattern, weir_match_best,
			      &best, WEIR_TRIE_STEPS_MAX);
	return err < 0 ? ERR_PTR(err) : best.found;
}

/**
 * weir_trie_below() - call a function for each name below a node
 * @t: the trie.
 * @top: the node; its own item does not count.
 * @fn: called once for each item; must not change the trie. If it returns a
 *	value other than 0, the search ends and returns that value.
 * @ctx: passed to @fn.
 *
 * The caller holds its mutex. Does not sleep.
 *
 * Return: 0, the value that @fn returned, or -ELOOP after WEIR_TRIE_BELOW_MAX
 * steps.
 */
int weir_trie_below(struct weir_trie *t, struct weir_trie_node *top,
		    int (*fn)(void *item, void *ctx), void *ctx)
{
	struct weir_trie_node *node = top;
	struct list_head *pos = top->children.next;
	unsigned int steps = WEIR_TRIE_BELOW_MAX;
	void *item;
	int err;

	weir_trie_assert_held(t);
	while (steps--) {
		if (pos == &node->children) {
			if (node == top)
				return 0;
			pos = node->sibling.next;
			node = node->parent;
			continue;
		}
		node = list_entry(pos, struct weir_trie_node, sibling);
		pos = node->children.next;
		item = weir_trie_item(node);
		err = item ? fn(item, ctx) : 0;
		if (err)
			return err;
	}
	return -ELOOP;
}

/**
 * weir_trie_match_patterns() - call a function for each pattern that matches
 * @t: a trie of patterns; a path in the trie matches itself.
 * @path: a path without wildcards.
 * @len: number of bytes.
 * @fn: called once with the item of each pattern that matches; must not change
 *	the trie. If it returns a value other than 0, the search ends and
 *	returns that value.
 * @ctx: passed to @fn.
 * @steps: number of steps after which the search gives up.
 *
 * Each node that matches so far costs at most three probes. Each of them may
 * have two children that match and have children themselves. So the number of
 * nodes may double with each segment. The caller holds its mutex. Does not
 * sleep.
 *
 * Return: 0, the value that @fn returned, -ELOOP after @steps steps, or the
 * errors of weir_path_check().
 */
int weir_trie_match_patterns(struct weir_trie *t, const char *path, size_t len,
			     int (*fn)(void *item, void *ctx), void *ctx,
			     unsigned int steps)
{
	struct weir_path_segs s;
	const char *why;
	int err;

	err = weir_path_split(path, len, false, &s, &why);
	if (err)
		return err;
	weir_trie_assert_held(t);
	return weir_match_walk(t, &s, weir_match_next_pattern, fn, ctx, steps);
}

/**
 * weir_trie_match_overlaps() - call a function for each pattern that shares
 * paths with a name
 * @t: a trie of paths and patterns; a path in the trie matches itself.
 * @name: a path or a pattern.
 * @len: number of bytes.
 * @fn: called with the item of each pattern that overlaps the name; must not
 *	change the trie. If @name is a path, a pattern overlaps it if it matches
 *	it. If @name is a pattern, another pattern overlaps it if some path
 *	matches both, and if the first wildcard of the other one is further up.
 *	If @fn returns a value other than 0, the search ends and returns that
 *	value.
 * @ctx: passed to @fn.
 *
 * The caller holds its mutex. Does not sleep.
 *
 * Return: 0, the value that @fn returned, -ELOOP after WEIR_TRIE_STEPS_MAX
 * steps, or the errors of weir_path_check().
 */
int weir_trie_match_overlaps(struct weir_trie *t, const char *name, size_t len,
			     int (*fn)(void *item, void *ctx), void *ctx)
{
	struct weir_path_segs s;
	const char *why;
	int err;

	weir_trie_assert_held(t);
	err = weir_path_split(name, len, true, &s, &why);
	if (err)
		return err;
	return weir_match_walk(t, &s, weir_match_next_overlap, fn, ctx,
			       WEIR_TRIE_STEPS_MAX);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_path_check);
EXPORT_SYMBOL_IF_KUNIT(weir_path_is_pattern);
EXPORT_SYMBOL_IF_KUNIT(weir_path_prefix);
EXPORT_SYMBOL_IF_KUNIT(weir_path_match);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_init);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_destroy);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_insert);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_remove);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_find);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_best);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_parent_item);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_below);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_match_patterns);
EXPORT_SYMBOL_IF_KUNIT(weir_trie_match_overlaps);
#endif
