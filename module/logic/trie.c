// SPDX-License-Identifier: GPL-2.0
/*
 * The checks and matching of names, and the trie of them: see trie.h for what
 * a path, a pattern and an item are.
 *
 * Every node is in one hash table under (parent, segment), so walking down a
 * path costs one probe a segment. The lists of children serve the wildcards.
 * Nodes that hold no item and have no child don't exist: a remove takes them
 * away, and a grace period later their memory.
 *
 * Owns no item, takes no lock, counts nothing against caps: path.c does, which
 * calls this with its mutex held, except for weir_trie_find(), weir_trie_best()
 * and what takes only a node, which also run under rcu_read_lock(). Nothing
 * here recurses.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/lockdep.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "logic/forms.h"
#include "logic/memory.h"
#include "logic/trie.h"

/* A path taken apart. Lengths and offsets fit because a path has 255 bytes. */
struct path_segs {
	const char	*path;
	u8		n;
	u8		start[WEIR_DEPTH_MAX];
	u8		len[WEIR_DEPTH_MAX];
	u8		kind[WEIR_DEPTH_MAX];
};

static_assert(WEIR_PATH_MAX <= U8_MAX);
static_assert(WEIR_DEPTH_MAX <= U8_MAX);

static enum weir_segment segment_kind(const char *seg, size_t len)
{
	if (len == 1 && seg[0] == '*')
		return WEIR_SEGMENT_ONE;
	if (len == 2 && seg[0] == '*' && seg[1] == '*')
		return WEIR_SEGMENT_REST;
	return WEIR_SEGMENT_LITERAL;
}

static int path_refuse(int err, const char **why, const char *words)
{
	*why = words;
	return err;
}

/*
 * Checks the segment of a path from @start to @end, which may have stars, and
 * adds it to @s.
 */
static int path_add_segment(struct path_segs *s, size_t start, size_t end,
			    bool stars, const char **why)
{
	enum weir_segment kind = segment_kind(s->path + start, end - start);

	if (start == end)
		return path_refuse(-EINVAL, why, "path has an empty segment");
	if (s->n == WEIR_DEPTH_MAX)
		return path_refuse(-ENAMETOOLONG, why,
				   "path has more than 16 segments");
	if (kind == WEIR_SEGMENT_LITERAL && stars)
		return path_refuse(-EINVAL, why,
				   "* and ** must be whole segments");
	s->start[s->n] = start;
	s->len[s->n] = end - start;
	s->kind[s->n] = kind;
	s->n++;
	return 0;
}

/*
 * Check a path or pattern and take it apart. In one pass, of few instructions for
 * the usual byte: it is done several times for a name while others wait.
 */
static int path_split(const char *path, size_t len, bool pattern,
		      struct path_segs *s, const char **why)
{
	size_t i, start = 1;
	bool stars = false;
	int err;

	s->path = path;
	s->n = 0;
	if (!len)
		return path_refuse(-EINVAL, why, "path is empty");
	if (len > WEIR_PATH_MAX)
		return path_refuse(-ENAMETOOLONG, why,
				   "path is longer than 255 bytes");
	if (path[0] != '/')
		return path_refuse(-EINVAL, why,
				   "path does not start with a slash");
	for (i = 1; i <= len; i++) {
		unsigned char c = i < len ? path[i] : '/';

		if (likely(c > '/' && c != 0x7f))
			continue;
		if (c < 0x20 || c == 0x7f)
			return path_refuse(-EINVAL, why,
					   "path has a control character");
		if (c != '/') {
			stars |= c == '*';
			continue;
		}
		err = path_add_segment(s, start, i, stars, why);
		if (err)
			return err;
		if (s->kind[s->n - 1] != WEIR_SEGMENT_LITERAL && !pattern)
			return path_refuse(-EINVAL, why,
					   "a pattern is not allowed here");
		if (s->kind[s->n - 1] == WEIR_SEGMENT_REST && i < len)
			return path_refuse(-EINVAL, why,
					   "** must be the last segment");
		start = i + 1;
		stars = false;
	}
	return 0;
}

/**
 * weir_path_check() - is this a good name?
 * @path: bytes; need not be NUL-terminated.
 * @len: how many.
 * @pattern: whether wildcards may stand in it.
 * @why: out: on refusal, the reason in words (a static string).
 *
 * Any context.
 *
 * Return: 0, -ENAMETOOLONG for too many bytes or segments, else -EINVAL.
 */
int weir_path_check(const char *path, size_t len, bool pattern,
		    const char **why)
{
	struct path_segs s;

	return path_split(path, len, pattern, &s, why);
}

/**
 * weir_path_is_pattern() - does this name have wildcards?
 * @path: a name that weir_path_check() took, with patterns allowed.
 * @len: its bytes.
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
 * @path: a name that weir_path_check() took, with patterns allowed.
 * @len: its bytes.
 *
 * Any context.
 *
 * Return: bytes of the path above the first wildcard, 0 if the first segment is
 * one; @len for a path.
 */
size_t weir_path_prefix(const char *path, size_t len)
{
	const char *star = memchr(path, '*', len);

	return star ? star - path - 1 : len;
}

/**
 * weir_path_match() - does one pattern match one path?
 * @pattern: a pattern or path that weir_path_check() took.
 * @plen: its bytes.
 * @path: a path that weir_path_check() took.
 * @len: its bytes.
 *
 * The plain definition of a match, for single checks; the trie's own matchers
 * are tested against it. Any context.
 *
 * Return: true if it does.
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
		switch (segment_kind(pattern + pseg, p - pseg)) {
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

/* What a node is found by. */
struct trie_key {
	const struct weir_trie_node	*parent;
	const char			*seg;
	u8				len;
};

static u32 trie_hash(const struct weir_trie_node *parent, const char *seg,
		     u8 len, u32 seed)
{
	/* the table's seed is random: users can't choose colliding names */
	return jhash(seg, len, seed + hash_ptr(parent, 32));
}

static u32 trie_key_hash(const void *data, u32 len, u32 seed)
{
	const struct trie_key *key = data;

	return trie_hash(key->parent, key->seg, key->len, seed);
}

static u32 trie_node_hash(const void *data, u32 len, u32 seed)
{
	const struct weir_trie_node *node = data;

	return trie_hash(node->parent, node->seg, node->len, seed);
}

static int trie_node_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct trie_key *key = arg->key;
	const struct weir_trie_node *node = obj;

	return node->parent != key->parent || node->len != key->len ||
	       memcmp(node->seg, key->seg, key->len);
}

static const struct rhashtable_params trie_params = {
	.head_offset		= offsetof(struct weir_trie_node, hash),
	.key_len		= sizeof(struct trie_key),
	.hashfn			= trie_key_hash,
	.obj_hashfn		= trie_node_hash,
	.obj_cmpfn		= trie_node_cmp,
	.automatic_shrinking	= true,
};

/* Under rcu_read_lock() or the caller's mutex. */
static struct weir_trie_node *
trie_lookup(struct weir_trie *t, const struct weir_trie_node *parent,
	    const char *seg, u8 len)
{
	struct trie_key key = { .parent = parent, .seg = seg, .len = len };

	return rhashtable_lookup_fast(&t->nodes, &key, trie_params);
}

static struct list_head *trie_siblings(struct weir_trie *t,
				       struct weir_trie_node *parent)
{
	return parent ? &parent->children : &t->top;
}

static u8 *trie_wilds(struct weir_trie *t, struct weir_trie_node *parent)
{
	return parent ? &parent->wilds : &t->wilds;
}

/* So many more of a node's children are wildcards. */
static void trie_wilds_add(struct weir_trie *t,
			   const struct weir_trie_node *node, int n)
{
	u8 *wilds = trie_wilds(t, node->parent);

	if (node->kind != WEIR_SEGMENT_LITERAL)
		WRITE_ONCE(*wilds, *wilds + n);
}

static void trie_assert_held(const struct weir_trie *t)
{
	if (t->lock)
		lockdep_assert_held(t->lock);
}

static struct weir_trie_node *trie_node_create(struct weir_trie *t,
					       struct weir_trie_node *parent,
					       const char *seg, u8 len)
{
	struct weir_trie_node *node;
	int err;

	node = kzalloc(struct_size(node, seg, len), WEIR_GFP_NOWAIT);
	if (!node)
		return ERR_PTR(-ENOMEM);
	node->parent = parent;
	INIT_LIST_HEAD(&node->children);
	node->kind = segment_kind(seg, len);
	node->wild = node->kind != WEIR_SEGMENT_LITERAL ||
		     (parent && parent->wild);
	node->depth = parent ? parent->depth + 1 : 1;
	node->path_len = (parent ? parent->path_len : 0) + 1 + len;
	node->len = len;
	memcpy(node->seg, seg, len);

	/* before it can be found */
	trie_wilds_add(t, node, 1);
	err = rhashtable_insert_fast(&t->nodes, &node->hash, trie_params);
	if (err) {
		trie_wilds_add(t, node, -1);
		kfree(node);
		return ERR_PTR(err);
	}
	list_add_tail(&node->sibling, trie_siblings(t, parent));
	t->count++;
	return node;
}

/* Take away a node without item and its ancestors as far as they are empty. */
static void trie_prune(struct weir_trie *t, struct weir_trie_node *node)
{
	while (node && !weir_trie_item(node) && list_empty(&node->children)) {
		struct weir_trie_node *parent = node->parent;

		rhashtable_remove_fast(&t->nodes, &node->hash, trie_params);
		list_del(&node->sibling);
		trie_wilds_add(t, node, -1);
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
	return rhashtable_init(&t->nodes, &trie_params);
}

static void trie_node_free(void *ptr, void *arg)
{
	kfree(ptr);
}

/**
 * weir_trie_destroy() - free an empty trie
 * @t: the trie, after its last name was removed; nobody looks at it any more,
 *	not under RCU either.
 *
 * May sleep.
 */
void weir_trie_destroy(struct weir_trie *t)
{
	WARN_ON_ONCE(t->count);
	rhashtable_free_and_destroy(&t->nodes, trie_node_free, NULL);
}

/**
 * weir_trie_insert() - find or make the node of a name
 * @t: the trie.
 * @path: a path or pattern.
 * @len: its bytes.
 *
 * A new node has no item: the caller sets one, or takes the node away again
 * with weir_trie_remove(). Readers can't find it until then. An item tells the
 * caller that the name is taken. The caller holds its mutex. Does not wait for
 * memory.
 *
 * Return: the node, or ERR_PTR: the errors of weir_path_check(), -ENOMEM, or
 * -EBUSY when the hash table is overloaded for the moment.
 */
struct weir_trie_node *weir_trie_insert(struct weir_trie *t, const char *path,
					size_t len)
{
	struct weir_trie_node *node = NULL;
	struct path_segs s;
	const char *why;
	int i, err;

	trie_assert_held(t);
	err = path_split(path, len, true, &s, &why);
	if (err)
		return ERR_PTR(err);

	for (i = 0; i < s.n; i++) {
		const char *seg = path + s.start[i];
		struct weir_trie_node *next;

		next = trie_lookup(t, node, seg, s.len[i]);
		if (!next)
			next = trie_node_create(t, node, seg, s.len[i]);
		if (IS_ERR(next)) {
			trie_prune(t, node);
			return next;
		}
		node = next;
	}
	return node;
}

/**
 * weir_trie_remove() - take a name out
 * @t: the trie.
 * @node: its node; gone afterwards unless longer names run through it.
 *
 * The item, if there is one, is no longer found; the caller frees it after a
 * grace period. Ancestors that served only this name go too. The caller holds
 * its mutex.
 */
void weir_trie_remove(struct weir_trie *t, struct weir_trie_node *node)
{
	trie_assert_held(t);
	RCU_INIT_POINTER(node->item, NULL);
	trie_prune(t, node);
}

/**
 * weir_trie_find() - look a name up
 * @t: the trie.
 * @path: bytes of a path or pattern, taken literally; need not be checked.
 * @len: how many.
 *
 * The caller holds rcu_read_lock() or its mutex, and the node stays valid for
 * as long as it does. Never sleeps.
 *
 * Return: the node, if it had an item (see weir_trie_item()), or NULL.
 */
struct weir_trie_node *weir_trie_find(struct weir_trie *t, const char *path,
				      size_t len)
{
	struct weir_trie_node *node = NULL;
	struct path_segs s;
	const char *why;
	int i;

	if (path_split(path, len, true, &s, &why))
		return NULL;
	for (i = 0; i < s.n; i++) {
		node = trie_lookup(t, node, path + s.start[i], s.len[i]);
		if (!node)
			return NULL;
	}
	return weir_trie_item(node) ? node : NULL;
}

/**
 * weir_trie_parent_item() - the item of the nearest ancestor that has one
 * @node: the node, whose own item does not count; under rcu_read_lock() or the
 *	caller's mutex.
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
 * The child of @parent to look at after @prev (NULL: the first) when a path is
 * compared with patterns: of the children there are at most three to look at, in
 * the order of enum weir_segment.
 */
static struct weir_trie_node *
match_next_pattern(struct weir_trie *t, const struct path_segs *s,
		   struct weir_trie_node *parent, struct weir_trie_node *prev,
		   int depth)
{
	struct weir_trie_node *node;

	if (!prev) {
		node = trie_lookup(t, parent, s->path + s->start[depth],
				   s->len[depth]);
		if (node)
			return node;
	}
	if (!READ_ONCE(*trie_wilds(t, parent)))
		return NULL;
	if (!prev || prev->kind == WEIR_SEGMENT_LITERAL) {
		node = trie_lookup(t, parent, "*", 1);
		if (node)
			return node;
	}
	if (!prev || prev->kind != WEIR_SEGMENT_REST)
		return trie_lookup(t, parent, "**", 2);
	return NULL;
}

/*
 * The same when a name is compared with patterns that may match some of what it
 * matches. Up to its first wildcard it is a path. From there on only nodes below
 * a wildcard are looked at: all of them where the name has a wildcard.
 */
static struct weir_trie_node *
match_next_overlap(struct weir_trie *t, const struct path_segs *s,
		   struct weir_trie_node *parent, struct weir_trie_node *prev,
		   int depth)
{
	struct list_head *pos;

	if (depth < s->n && s->kind[depth] == WEIR_SEGMENT_LITERAL)
		return match_next_pattern(t, s, parent, prev, depth);
	if (!parent || !parent->wild)
		return NULL;
	pos = prev ? prev->sibling.next : parent->children.next;
	return pos == &parent->children ? NULL :
	       list_entry(pos, struct weir_trie_node, sibling);
}

/*
 * Depth first through the nodes that match, each once. The place is @node at
 * @depth below @parent; what else there is to do higher up follows from the
 * nodes themselves by their parent pointers, so no stack is needed.
 *
 * Ends with -ELOOP after @looks steps. Under rcu_read_lock() or the mutex.
 */
static int match_walk(struct weir_trie *t, const struct path_segs *s,
		      struct weir_trie_node *
		      (*next)(struct weir_trie *t, const struct path_segs *s,
			      struct weir_trie_node *parent,
			      struct weir_trie_node *prev, int depth),
		      int (*fn)(void *item, void *ctx), void *ctx,
		      unsigned int looks)
{
	struct weir_trie_node *parent = NULL, *node = NULL;
	bool rest = s->kind[s->n - 1] == WEIR_SEGMENT_REST;
	int depth = 0;

	while (looks--) {
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

/* The same for what is below a node. */
#define WEIR_TRIE_BELOW_MAX	256

/**
 * struct match_best - the search of weir_trie_best()
 * @good: does an item count?
 * @found: the first that does; NULL.
 */
struct match_best {
	bool	(*good)(void *item);
	void	*found;
};

static int match_best(void *item, void *ctx)
{
	struct match_best *best = ctx;

	if (!best->good(item))
		return 0;
	best->found = item;
	return 1;
}

/**
 * weir_trie_best() - the most specific name that matches a path
 * @t: a trie of paths and patterns.
 * @path: a path without wildcards.
 * @len: its bytes.
 * @good: what it returns for an item says whether the name counts; may not
 *	sleep.
 *
 * Segment by segment from the left, a literal one goes before "*" and that
 * before "**". A path that is there itself costs one probe a segment; each
 * pattern on the way costs more, and after WEIR_TRIE_LOOKS_MAX steps the search
 * gives up. The caller holds rcu_read_lock() or its mutex.
 *
 * Return: its item; NULL if no name matches; ERR_PTR(-ELOOP) if the search gave
 * up.
 */
void *weir_trie_best(struct weir_trie *t, const char *path, size_t len,
		     bool (*good)(void *item))
{
	struct match_best best = { .good = good };
	struct path_segs s;
	const char *why;
	int err;

	if (path_split(path, len, false, &s, &why))
		return NULL;
	err = match_walk(t, &s, match_next_pattern, match_best, &best,
			 WEIR_TRIE_LOOKS_MAX);
	return err < 0 ? ERR_PTR(err) : best.found;
}

/**
 * weir_trie_below() - call a function for each name below a node
 * @t: the trie.
 * @top: the node, whose own item does not count.
 * @fn: gets each item once; must not change the trie. What it returns other
 *	than 0 ends the search and is returned.
 * @ctx: passed to @fn.
 *
 * The caller holds its mutex. Does not sleep.
 *
 * Return: 0, what @fn returned, or -ELOOP after WEIR_TRIE_BELOW_MAX steps.
 */
int weir_trie_below(struct weir_trie *t, struct weir_trie_node *top,
		    int (*fn)(void *item, void *ctx), void *ctx)
{
	struct weir_trie_node *node = top;
	struct list_head *pos = top->children.next;
	unsigned int looks = WEIR_TRIE_BELOW_MAX;
	void *item;
	int err;

	trie_assert_held(t);
	while (looks--) {
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

/*
 * weir_trie_match_patterns() - call a function for each pattern that matches
 * @t: a trie of patterns; a path among them matches itself.
 * @path: a path without wildcards.
 * @len: its bytes.
 * @fn: gets each matching pattern's item once; must not change the trie. What
 *	it returns other than 0 ends the search and is returned.
 * @ctx: passed to @fn.
 * @looks: steps after which it gives up.
 *
 * Costs at most three probes for each node that matches so far, of which there
 * may be two for each segment, to the power of their number. The caller holds its
 * mutex. Does not sleep.
 *
 * Return: 0, what @fn returned, -ELOOP after @looks steps, or the errors of
 * weir_path_check().
 */
int weir_trie_match_patterns(struct weir_trie *t, const char *path, size_t len,
			     int (*fn)(void *item, void *ctx), void *ctx,
			     unsigned int looks)
{
	struct path_segs s;
	const char *why;
	int err;

	err = path_split(path, len, false, &s, &why);
	if (err)
		return err;
	trie_assert_held(t);
	return match_walk(t, &s, match_next_pattern, fn, ctx, looks);
}

/**
 * weir_trie_match_overlaps() - call a function for each pattern that shares
 * paths with a name
 * @t: a trie of paths and patterns; a path among them matches itself.
 * @name: a path, or a pattern.
 * @len: its bytes.
 * @fn: gets the item of each pattern that matches the path. If @name is a
 *	pattern: of each pattern that matches some path which @name matches,
 *	and whose first wildcard is further up. Must not change the trie. What
 *	it returns other than 0 ends the search and is returned.
 * @ctx: passed to @fn.
 *
 * The caller holds its mutex. Does not sleep.
 *
 * Return: 0, what @fn returned, -ELOOP after WEIR_TRIE_LOOKS_MAX steps, or the
 * errors of weir_path_check().
 */
int weir_trie_match_overlaps(struct weir_trie *t, const char *name, size_t len,
			     int (*fn)(void *item, void *ctx), void *ctx)
{
	struct path_segs s;
	const char *why;
	int err;

	trie_assert_held(t);
	err = path_split(name, len, true, &s, &why);
	if (err)
		return err;
	return match_walk(t, &s, match_next_overlap, fn, ctx,
			  WEIR_TRIE_LOOKS_MAX);
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
