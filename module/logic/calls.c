// SPDX-License-Identifier: GPL-2.0
/*
 * The table of calls.h: its memory, the queue of calls whose records must stay
 * in the outbox, and the tree of calls that wait to be sent again.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "logic/alloc.h"
#include "logic/calls.h"

/**
 * weir_call_table_init() - set up an empty table
 * @c: the table; the caller sets @begin itself.
 * @most: how many slots there may ever be, at most 2^WEIR_CALL_SLOT_BITS. If
 *	this is no multiple of WEIR_CALLS_CHUNK, the table may get a few more
 *	slots.
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int weir_call_table_init(struct weir_call_table *c, u32 most)
{
	most = min(most, 1U << WEIR_CALL_SLOT_BITS);
	c->chunks = kvzalloc(weir_call_table_bytes(most), WEIR_GFP);
	if (!c->chunks)
		return -ENOMEM;
	c->size = 0;
	c->most = most;
	c->mask = weir_call_table_room(most) - 1;
	c->local = NULL;
	c->nlocal = 0;
	c->returned = NULL;
	c->nreturned = 0;
	c->first = NULL;
	c->last = NULL;
	c->retries = RB_ROOT_CACHED;
	c->retry_from = NULL;
	return 0;
}

/**
 * weir_call_table_destroy() - free the memory of a table
 * @c: the table; nobody uses it any more. Calls that have not ended are
 *	dropped.
 *
 * May sleep.
 */
void weir_call_table_destroy(struct weir_call_table *c)
{
	u32 i;

	for (i = 0; i < c->size / WEIR_CALLS_CHUNK; i++)
		kfree(c->chunks[i]);
	kvfree(c->chunks);
}

/**
 * weir_call_table_grow_alloc() - allocate WEIR_CALLS_CHUNK more slots
 *
 * May sleep.
 *
 * Return: the memory, for weir_call_table_grow(), or NULL.
 */
struct weir_call_entry *weir_call_table_grow_alloc(void)
{
	return kcalloc(WEIR_CALLS_CHUNK, sizeof(struct weir_call_entry),
		       WEIR_GFP);
}

/**
 * weir_call_table_grow() - add slots to the local list
 * @c: the table.
 * @chunk: from weir_call_table_grow_alloc(). The table owns it on success.
 *
 * Called by the producer, under the completers' lock.
 *
 * Return: true; false if the table has as many slots as it may have: then the
 * caller still owns @chunk.
 */
bool weir_call_table_grow(struct weir_call_table *c,
			  struct weir_call_entry *chunk)
{
	u32 i;

	if (c->size >= c->most)
		return false;
	c->chunks[c->size / WEIR_CALLS_CHUNK] = chunk;
	/* the lowest slot is taken first */
	for (i = WEIR_CALLS_CHUNK; i-- > 0;) {
		chunk[i].slot = c->size + i;
		chunk[i].name = c->begin |
				(u64)chunk[i].slot << WEIR_CALL_OWNER_BITS;
		chunk[i].parent = WEIR_CALL_NONE;
		chunk[i].next = c->local;
		c->local = &chunk[i];
	}
	c->nlocal += WEIR_CALLS_CHUNK;
	WRITE_ONCE(c->size, c->size + WEIR_CALLS_CHUNK);
	return true;
}

/* The slow half of weir_call_table_prune(): the head of the queue has ended. */
void weir_call_table_prune_some(struct weir_call_table *c)
{
	struct weir_call_entry *call = c->first, *spent;
	u32 n = 0;

	do {
		call->state = WEIR_CALL_FREE;
		spent = call;
		call = call->next;
		n++;
	} while (call && n < WEIR_CALLS_PRUNED &&
		 weir_call_state(call) == WEIR_CALL_SPENT);
	spent->next = c->local;
	c->local = c->first;
	c->nlocal += n;
	c->first = call;
	if (!call)
		c->last = NULL;
}

/*
 * Is @call due before @other? If they are due at the same time, the call that
 * was sent first goes first.
 */
static bool weir_call_before(const struct weir_call_entry *call,
			     const struct weir_call_entry *other)
{
	if (call->sent_ns != other->sent_ns)
		return call->sent_ns < other->sent_ns;
	return (s64)(call->pos - other->pos) < 0;
}

/**
 * weir_call_table_retry() - have a call sent again
 * @c: the table.
 * @call: in state RETRY; not in weir_call_table.retries.
 * @due_ns: when, in nanoseconds of the caller's clock. 0: at once, before all
 *	calls that have a time.
 *
 * Called by a completer, under the completers' lock.
 */
void weir_call_table_retry(struct weir_call_table *c,
			   struct weir_call_entry *call, u64 due_ns)
{
	struct rb_node **at = &c->retries.rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	call->sent_ns = due_ns;
	while (*at) {
		parent = *at;
		if (weir_call_before(call, rb_entry(parent,
						    struct weir_call_entry,
						    retry))) {
			at = &parent->rb_left;
		} else {
			at = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(&call->retry, parent, at);
	rb_insert_color_cached(&call->retry, &c->retries, leftmost);
	if (c->retry_from &&
	    weir_call_before(call, rb_entry(c->retry_from,
					    struct weir_call_entry, retry)))
		c->retry_from = NULL;
}

/**
 * weir_call_table_retry_stop() - take a call out of weir_call_table.retries,
 * if it is there
 * @c: the table.
 * @call: in state RETRY.
 *
 * Called under the completers' lock.
 */
void weir_call_table_retry_stop(struct weir_call_table *c,
				struct weir_call_entry *call)
{
	if (RB_EMPTY_NODE(&call->retry))
		return;
	if (c->retry_from == &call->retry)
		c->retry_from = rb_next(&call->retry);
	rb_erase_cached(&call->retry, &c->retries);
	RB_CLEAR_NODE(&call->retry);
}

/*
 * weir_call_table_retry_after() - the first call that is due after @ns, as a
 * node of weir_call_table.retries; or NULL
 *
 * Called under the completers' lock.
 */
struct rb_node *weir_call_table_retry_after(const struct weir_call_table *c,
					    u64 ns)
{
	struct rb_node *at = c->retries.rb_root.rb_node, *after = NULL;

	while (at) {
		if (rb_entry(at, struct weir_call_entry, retry)->sent_ns > ns) {
			after = at;
			at = at->rb_left;
		} else {
			at = at->rb_right;
		}
	}
	return after;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_call_table_init);
EXPORT_SYMBOL_IF_KUNIT(weir_call_table_destroy);
EXPORT_SYMBOL_IF_KUNIT(weir_call_table_grow_alloc);
EXPORT_SYMBOL_IF_KUNIT(weir_call_table_grow);
EXPORT_SYMBOL_IF_KUNIT(weir_call_table_prune_some);
EXPORT_SYMBOL_IF_KUNIT(weir_call_table_retry);
EXPORT_SYMBOL_IF_KUNIT(weir_call_table_retry_stop);
EXPORT_SYMBOL_IF_KUNIT(weir_call_table_retry_after);
#endif
