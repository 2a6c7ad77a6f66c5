/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls of one socket: its requests that are not answered yet, by name.
 *
 * A name says whose call it is, which no two sockets have alike, in which slot,
 * so that it is found in one step, and of which generation, which tells a reply
 * to this call from a late one to an earlier call of the slot. Calls whose
 * record must stay in the caller's outbox (they may be sent again) form a queue
 * in the order of sending: its head says how far the outbox may be overwritten.
 *
 * It knows no socket, no ring and no lock, but two sides: the one who makes
 * calls (one at a time) and those who end them (one at a time, under a lock of
 * theirs). Free slots go from the second to the first in one piece
 * (weir_calls_refill(), by both); else neither waits for the other.
 */
#ifndef _WEIR_CALLS_H
#define _WEIR_CALLS_H

#include <linux/compiler.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct weir_idem;
struct weir_target;

/* A name from its lowest bits on; the rest is the generation. */
#define WEIR_CALL_OWNER_BITS	20
#define WEIR_CALL_SLOT_BITS	18
#define WEIR_CALL_GEN_SHIFT	(WEIR_CALL_OWNER_BITS + WEIR_CALL_SLOT_BITS)
#define WEIR_CALL_GEN_BITS	(64 - WEIR_CALL_GEN_SHIFT)

#define WEIR_CALL_NONE		U32_MAX	/* no slot */
#define WEIR_CALL_COUNTED	(U32_MAX - 1)	/* none either, see @parent */

/**
 * enum weir_call_state - what a call waits for
 * @WEIR_CALL_FREE: nothing: the slot is free.
 * @WEIR_CALL_SENT: its target's reply.
 * @WEIR_CALL_RETRY: the time to be sent again.
 * @WEIR_CALL_PARENT: its children, one for each of several targets.
 * @WEIR_CALL_DONE: a child: its parent.
 * @WEIR_CALL_WAIT: the reply to an earlier request with the same key.
 * @WEIR_CALL_SPENT: nothing, but it is in the queue.
 */
enum weir_call_state {
	WEIR_CALL_FREE,
	WEIR_CALL_SENT,
	WEIR_CALL_RETRY,
	WEIR_CALL_PARENT,
	WEIR_CALL_DONE,
	WEIR_CALL_WAIT,
	WEIR_CALL_SPENT,
};

/**
 * struct weir_call - one request
 * @name: its own, or that of the slot's next call.
 * @slot: its own.
 * @state: enum weir_call_state; stored last, with release, when it is made.
 * @tries: times it has been sent, if its record must stay; else 0.
 * @handle: of the caller, of the route.
 * @tag_key: tag (low half) and shard key of the request.
 * @target: SENT: who has it.
 * @commit: SENT: commit word of its record in the target's inbox; 0: it has no
 *	place there yet.
 * @retry: RETRY: in weir_calls.retries; empty if it is not there.
 * @sent_ns: when it was sent, or RETRY: when it is to be.
 * @deadline_ns: when it is given up.
 * @round: of the target's breaker when it was sent.
 * @next: in the queue, or in a list of free slots; NULL.
 * @pos: of its record in the caller's outbox, if that must stay.
 * @idem: if it has an idempotency key; NULL.
 * @parent: child: slot of the parent; WEIR_CALL_NONE; WEIR_CALL_COUNTED: none, but
 *	it is counted for its user, and its reply is no plain one.
 * @sibling: child: next child; PARENT: first child; WEIR_CALL_NONE.
 * @need: PARENT: good replies that are still wanted.
 * @left: PARENT: children that are not done.
 * @gather: PARENT: every reply is handed on, not only the last.
 */
struct weir_call {
	u64			name;
	u32			slot;
	u8			state;
	u8			tries;
	u32			handle;
	u64			tag_key;
	union {
		struct {
			struct weir_target	*target;
			u64			commit;
		};
		struct rb_node		retry;
	};
	u64			sent_ns;
	u64			deadline_ns;
	struct weir_call	*next;
	u64			pos;
	struct weir_idem	*idem;
	u32			parent;
	u32			sibling;
	u32			round;
	u16			need;
	u16			left;
	u8			gather;
} __aligned(128);

/* of one allocation */
#define WEIR_CALLS_CHUNK	32U
#define WEIR_CALLS_CHUNK_BYTES	(WEIR_CALLS_CHUNK * sizeof(struct weir_call))

/**
 * struct weir_calls - the table
 * @begin: what all names begin as, the slot left out: the owner, and a
 *	generation; to be set before there are slots.
 * @chunks: of WEIR_CALLS_CHUNK calls each; @size / WEIR_CALLS_CHUNK are there.
 * @size: slots that there are memory for.
 * @most: slots that there may be.
 * @mask: bits of a slot, fixed; @chunks has an entry for each value that they
 *	have.
 * @local: first free slot of the producer's, or NULL.
 * @nlocal: how many.
 * @returned: first free slot of the completers', or NULL.
 * @returned_last: last of them.
 * @nreturned: how many.
 * @first: head of the queue, or NULL; the producer's.
 * @last: its end; the producer's.
 * @retries: calls that wait to be sent again, by that time, those of the same
 *	time by the position of their record; the completers'.
 */
struct weir_calls {
	u64			begin;
	struct weir_call	**chunks;
	u32			size;
	u32			most;
	u32			mask;
	struct weir_call	*local;
	u32			nlocal;
	u32			nreturned;
	struct weir_call	*returned;
	struct weir_call	*returned_last;
	struct weir_call	*first;
	struct weir_call	*last;
	struct rb_root_cached	retries;
};

int weir_calls_init(struct weir_calls *c, u32 most);
void weir_calls_destroy(struct weir_calls *c);
struct weir_call *weir_calls_grow_alloc(void);
bool weir_calls_grow(struct weir_calls *c, struct weir_call *chunk);
void weir_calls_prune_some(struct weir_calls *c);
void weir_calls_retry(struct weir_calls *c, struct weir_call *call,
		      u64 due_ns);
void weir_calls_retry_stop(struct weir_calls *c, struct weir_call *call);

/* Slots that names may tell apart in a table of @most: a power of two. */
static inline u32 weir_calls_room(u32 most)
{
	return roundup_pow_of_two(clamp(most, WEIR_CALLS_CHUNK,
					1U << WEIR_CALL_SLOT_BITS));
}

/* Memory of a table of @most slots that has none yet. */
static inline u64 weir_calls_bytes(u32 most)
{
	return weir_calls_room(most) / WEIR_CALLS_CHUNK *
	       sizeof(struct weir_call *);
}

/* The call in a slot below @size. */
static __always_inline struct weir_call *
weir_calls_at(const struct weir_calls *c, u32 slot)
{
	return &c->chunks[slot / WEIR_CALLS_CHUNK][slot % WEIR_CALLS_CHUNK];
}

/**
 * weir_calls_refill() - slots that were freed are the producer's; both
 * @c: the table.
 */
static inline void weir_calls_refill(struct weir_calls *c)
{
	if (!c->returned)
		return;
	c->returned_last->next = c->local;
	c->local = c->returned;
	c->nlocal += c->nreturned;
	c->returned = NULL;
	c->nreturned = 0;
}

/**
 * weir_calls_count_off() - slots at hand are not free any more; their producer
 * @c: the table.
 * @n: how many, at most as many as are at hand.
 *
 * Before the calls in them can be ended: whoever ends one counts it as free, and
 * a slot that counts twice makes open calls look like none.
 */
static __always_inline void weir_calls_count_off(struct weir_calls *c, u32 n)
{
	WRITE_ONCE(c->nlocal, c->nlocal - n);
}

/**
 * weir_calls_take_many() - begin calls; their producer
 * @c: the table.
 * @n: how many, at least 1; there are as many at hand. The caller has set their
 *	@tries.
 * @last: the last of them; the others are before it from @local on, by @next.
 * @rest: what was its @next before it could end.
 * @hold: their records must stay; all were sent after all that are held.
 */
static __always_inline void weir_calls_take_many(struct weir_calls *c, u32 n,
						 struct weir_call *last,
						 struct weir_call *rest,
						 bool hold)
{
	struct weir_call *first = c->local;

	c->local = rest;
	if (!hold)
		return;
	last->next = NULL;
	if (c->last)
		c->last->next = first;
	else
		c->first = first;
	c->last = last;
}

/**
 * weir_calls_take() - begin a call; its producer
 * @c: the table.
 * @hold: its record must stay.
 *
 * Return: a call in a free slot, of a new generation, without @parent and @idem,
 * otherwise as the last user left it; NULL when there is none at hand.
 */
static __always_inline struct weir_call *weir_calls_take(struct weir_calls *c,
							 bool hold)
{
	struct weir_call *call = c->local;

	if (unlikely(!call))
		return NULL;
	call->tries = hold;
	weir_calls_count_off(c, 1);
	weir_calls_take_many(c, 1, call, call->next, hold);
	return call;
}

/**
 * weir_calls_put() - end a call; a completer
 * @c: the table.
 * @call: taken; without @parent and @idem.
 */
static __always_inline void weir_calls_put(struct weir_calls *c,
					   struct weir_call *call)
{
	call->name += 1ULL << WEIR_CALL_GEN_SHIFT;
	if (call->tries) {
		/* the producer takes it out of the queue when its turn comes */
		smp_store_release(&call->state, WEIR_CALL_SPENT);
		return;
	}
	call->state = WEIR_CALL_FREE;
	call->next = c->returned;
	if (!c->returned)
		c->returned_last = call;
	c->returned = call;
	c->nreturned++;
}

/**
 * weir_calls_find() - the call of a name; a completer
 * @c: the table.
 * @name: any value.
 *
 * Return: the call, or NULL when there is none of that name. It may not have
 * begun, or be over: its state tells.
 *
 * The name comes from a process. Where array_index_nospec() would make a mask
 * after the check of the bound, the slot is masked before it: a processor that
 * runs past the check finds an entry of @chunks, NULL at worst. This is as many
 * instructions as with a constant mask. Bits above the mask are told by the
 * comparison of the whole name.
 */
static __always_inline struct weir_call *
weir_calls_find(const struct weir_calls *c, u64 name)
{
	u32 slot = name >> WEIR_CALL_OWNER_BITS & c->mask;
	struct weir_call *call;

	if (unlikely(slot >= READ_ONCE(c->size)))
		return NULL;
	call = weir_calls_at(c, slot);
	return READ_ONCE(call->name) == name ? call : NULL;
}

/* Is it one of a call to several targets? */
static inline bool weir_call_is_child(const struct weir_call *call)
{
	return call->parent < WEIR_CALL_COUNTED;
}

/* What a call waits for, before the rest of it is looked at; anybody. */
static __always_inline u8 weir_call_state(const struct weir_call *call)
{
	return smp_load_acquire(&call->state);
}

/**
 * weir_calls_prune() - take calls that are over out of the queue; the producer
 * @c: the table.
 *
 * Only from its head: what is behind a call that is not over stays.
 */
static __always_inline void weir_calls_prune(struct weir_calls *c)
{
	if (c->first && weir_call_state(c->first) == WEIR_CALL_SPENT)
		weir_calls_prune_some(c);
}

/* The oldest call whose record must stay, or NULL; the producer. */
static inline struct weir_call *weir_calls_oldest(const struct weir_calls *c)
{
	return c->first;
}

/* Are there calls to be sent again? A look without the lock. */
static __always_inline bool weir_calls_retrying(const struct weir_calls *c)
{
	return READ_ONCE(c->retries.rb_leftmost);
}

/* The call that is to be sent again first, or NULL; a completer. */
static inline struct weir_call *
weir_calls_retry_first(const struct weir_calls *c)
{
	return rb_entry_safe(rb_first_cached(&c->retries), struct weir_call,
			     retry);
}

#endif /* _WEIR_CALLS_H */
