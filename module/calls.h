/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls of one socket: its requests that are not answered yet, by number.
 *
 * A number has a slot, which finds the call in one step, and a generation,
 * which tells a reply to this call from a late one to an earlier call of the
 * slot. Calls whose record must stay in the caller's outbox (they may be sent
 * again) form a queue in the order of sending: its head says how far the
 * outbox may be overwritten.
 *
 * It knows no socket, no ring and no lock, but two sides: the one who makes
 * calls (one at a time) and those who end them (one at a time, under a lock of
 * theirs). Free slots go from the second to the first in one piece
 * (weir_calls_refill(), by both); else neither waits for the other.
 */
#ifndef _WEIR_CALLS_H
#define _WEIR_CALLS_H

#include <linux/compiler.h>
#include <linux/types.h>

struct weir_once;
struct weir_target;

#define WEIR_CALL_SLOT_BITS	18
#define WEIR_CALL_GEN_BITS	26
#define WEIR_CALL_NONE		U32_MAX	/* no slot */

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
 * @gen: generation of the slot, WEIR_CALL_GEN_BITS of it; never 0.
 * @slot: its own.
 * @state: enum weir_call_state; stored last, with release, when it is made.
 * @held: it is in the queue of records that must stay.
 * @attempt: times it has been sent again.
 * @handle: of the caller, of the route.
 * @tag_key: tag (low half) and shard key of the request.
 * @target: SENT: who has it.
 * @sent_ns: when it was sent, or RETRY: when it is to be.
 * @deadline_ns: when it is given up.
 * @inbox_pos: of its record in the target's inbox.
 * @round: of the target's breaker when it was sent.
 * @next: in the queue, or in a list of free slots.
 * @pos: of its record in the caller's outbox, if it is held.
 * @total: bytes of that.
 * @once: if it has an idempotency key; NULL.
 * @parent: child: slot of the parent; WEIR_CALL_NONE.
 * @sibling: child: next child; PARENT: first child; WEIR_CALL_NONE.
 * @need: PARENT: good replies that are still wanted.
 * @left: PARENT: children that are not done.
 * @gather: PARENT: every reply is handed on, not only the last.
 */
struct weir_call {
	u32			gen;
	u32			slot;
	u8			state;
	u8			held;
	u8			attempt;
	u32			handle;
	u64			tag_key;
	struct weir_target	*target;
	u64			sent_ns;
	u64			deadline_ns;
	u64			inbox_pos;
	u32			round;
	u32			next;
	u64			pos;
	u64			total;
	struct weir_once	*once;
	u32			parent;
	u32			sibling;
	u16			need;
	u16			left;
	u8			gather;
} __aligned(128);

/* of one allocation */
#define WEIR_CALLS_CHUNK	32U

/**
 * struct weir_calls - the table
 * @chunks: of WEIR_CALLS_CHUNK calls each; @size / WEIR_CALLS_CHUNK are there.
 * @size: slots that there are memory for.
 * @most: slots that there may be.
 * @mine: first free slot of the maker's, or WEIR_CALL_NONE.
 * @nmine: how many.
 * @free: first free slot of the enders', or WEIR_CALL_NONE.
 * @nfree: how many.
 * @first: head of the queue, or WEIR_CALL_NONE; the maker's.
 * @last: its end; the maker's.
 */
struct weir_calls {
	struct weir_call	**chunks;
	u32			size;
	u32			most;
	u32			mine;
	u32			nmine;
	u32			free;
	u32			nfree;
	u32			first;
	u32			last;
};

int weir_calls_init(struct weir_calls *c, u32 most);
void weir_calls_destroy(struct weir_calls *c);
struct weir_call *weir_calls_grow_alloc(void);
bool weir_calls_grow(struct weir_calls *c, struct weir_call *chunk);
void weir_calls_refill(struct weir_calls *c);
void weir_calls_prune(struct weir_calls *c);

/* The call in a slot below @size. */
static __always_inline struct weir_call *
weir_calls_at(const struct weir_calls *c, u32 slot)
{
	return &c->chunks[slot / WEIR_CALLS_CHUNK][slot % WEIR_CALLS_CHUNK];
}

/**
 * weir_calls_take() - begin a call; its maker
 * @c: the table.
 *
 * Return: a call in a free slot, of a new generation, otherwise as the last
 * user left it; NULL when there is none at hand.
 */
static __always_inline struct weir_call *weir_calls_take(struct weir_calls *c)
{
	struct weir_call *call;

	if (unlikely(c->mine == WEIR_CALL_NONE))
		return NULL;
	call = weir_calls_at(c, c->mine);
	c->mine = call->next;
	c->nmine--;
	return call;
}

/**
 * weir_calls_hold() - the record of a call must stay; its maker
 * @c: the table.
 * @call: sent after all that are held already.
 */
static __always_inline void weir_calls_hold(struct weir_calls *c,
					    struct weir_call *call)
{
	call->held = true;
	call->next = WEIR_CALL_NONE;
	if (c->last == WEIR_CALL_NONE)
		c->first = call->slot;
	else
		weir_calls_at(c, c->last)->next = call->slot;
	c->last = call->slot;
}

/**
 * weir_calls_put() - end a call; an ender
 * @c: the table.
 * @call: taken.
 */
static __always_inline void weir_calls_put(struct weir_calls *c,
					   struct weir_call *call)
{
	call->gen = (call->gen + 1) & ((1U << WEIR_CALL_GEN_BITS) - 1);
	if (unlikely(!call->gen))
		call->gen = 1;
	if (call->held) {
		/* the maker takes it out of the queue when its turn comes */
		smp_store_release(&call->state, WEIR_CALL_SPENT);
		return;
	}
	call->state = WEIR_CALL_FREE;
	call->next = c->free;
	c->free = call->slot;
	c->nfree++;
}

/**
 * weir_calls_find() - the call of a number; an ender
 * @c: the table.
 * @slot: of the number; any value.
 * @gen: likewise.
 *
 * Return: the call, or NULL when there is none of that generation. It may not
 * have begun, or be over: its state tells.
 */
static __always_inline struct weir_call *
weir_calls_find(const struct weir_calls *c, u32 slot, u32 gen)
{
	struct weir_call *call;

	if (unlikely(slot >= READ_ONCE(c->size)))
		return NULL;
	call = weir_calls_at(c, slot);
	return READ_ONCE(call->gen) == gen ? call : NULL;
}

/* What a call waits for, before the rest of it is looked at; anybody. */
static __always_inline u8 weir_call_state(const struct weir_call *call)
{
	return smp_load_acquire(&call->state);
}

/* The oldest call whose record must stay, or NULL; the maker. */
static inline struct weir_call *weir_calls_oldest(const struct weir_calls *c)
{
	return c->first == WEIR_CALL_NONE ? NULL :
	       weir_calls_at(c, c->first);
}

#endif /* _WEIR_CALLS_H */
