/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls of one socket: its requests that are not answered yet, by name.
 *
 * The name of a call has three parts: the number of the calling endpoint, which
 * no two endpoints share, the call's slot in this table, and a generation. The
 * slot lets a reply find its call in one step. The generation tells a reply to
 * this call from a late reply to an earlier call in the same slot. A call that
 * may be sent again needs its record in the caller's outbox. Such calls form a
 * queue in the order of sending. The head of the queue says how far the outbox
 * may be overwritten.
 *
 * This file knows no socket, no ring and no lock. It knows two sides. The
 * producer makes calls, one producer at a time. A completer ends calls, one
 * completer at a time, under a lock of the completers (in the router: post.lock
 * of the caller's inbox). The producer takes slots from the local list, and
 * completers put slots on the returned list. weir_call_table_refill() moves the
 * whole returned list to the local list, under that lock. Otherwise neither
 * side waits for the other.
 */
#ifndef _WEIR_CALLS_H
#define _WEIR_CALLS_H

#include <linux/compiler.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct weir_dup_call;
struct weir_moved;
struct weir_target;

/* A name has, from the lowest bit on: owner, slot, generation. */
#define WEIR_CALL_OWNER_BITS	20
#define WEIR_CALL_SLOT_BITS	18
#define WEIR_CALL_GEN_SHIFT	(WEIR_CALL_OWNER_BITS + WEIR_CALL_SLOT_BITS)
#define WEIR_CALL_GEN_BITS	(64 - WEIR_CALL_GEN_SHIFT)

#define WEIR_CALL_NONE		U32_MAX	/* no slot */
#define WEIR_CALL_COUNTED	(U32_MAX - 1)	/* no slot, see @parent */

/* targets that have failed a call, and that it remembers: the last ones */
#define WEIR_CALL_TRIED		14U

/* Bits of weir_call_entry.tries, above those that count. */
#define WEIR_CALL_ONCE		0x80	/* may be sent once only */
#define WEIR_CALL_UNSENT	0x40	/* has not been sent to a target yet */

/*
 * Bit of weir_call_entry.moves: the call goes from a target that has not looked
 * at it to another one. That is no new attempt.
 */
#define WEIR_CALL_MOVING	0x80

/**
 * enum weir_call_state - the event that a call waits for
 * @WEIR_CALL_FREE: nothing: the slot is free.
 * @WEIR_CALL_SENT: the reply of its target.
 * @WEIR_CALL_RETRY: the time at which the call is sent again.
 * @WEIR_CALL_PARENT: its children: a fan-out has one child for each target.
 * @WEIR_CALL_DONE: a child that has been answered waits for its parent to end.
 * @WEIR_CALL_WAIT: the reply to an earlier request with the same idempotency
 *	key.
 * @WEIR_CALL_SPENT: nothing: the call has ended, but is still in the queue.
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
 * struct weir_call_entry - one request
 */
struct weir_call_entry {
	/**
	 * @name: name of the call, or of the next call in this slot while the
	 * slot is free. A completer moves it on to the next generation when the
	 * call ends.
	 */
	u64			name;
	/** @slot: number of the slot; never changes. */
	u32			slot;
	/**
	 * @state: enum weir_call_state. The producer stores it last, with
	 * release.
	 */
	u8			state;
	/**
	 * @looks: RETRY: how often the call has looked for a target and found
	 * none.
	 */
	u8			looks;
	union {
		struct {
			/**
			 * @tries: how many attempts have been made to send the
			 * call, and WEIR_CALL_*, if its record must stay in the
			 * outbox; otherwise 0.
			 */
			u8	tries;
			/**
			 * @moves: how often the call was taken from a target
			 * that had not looked at it, and WEIR_CALL_MOVING.
			 */
			u8	moves;
		};
		/** @counts: both, see weir_call_count_none(). */
		u16		counts;
	};
	/** @handle: the caller's handle of the route. */
	u32			handle;
	/**
	 * @round: round of the target's breaker in which the call was sent. The
	 * router uses the highest bit for itself.
	 */
	u32			round;
	/**
	 * @tag_key: tag (low half) and shard key (high half) of the request.
	 */
	u64			tag_key;
	union {
		struct {
			/** @target: SENT: the target that has the request. */
			struct weir_target	*target;
			/**
			 * @commit: SENT: commit word of the record in the
			 * target's inbox; 0 while the record has no space
			 * there.
			 */
			u64			commit;
		};
		/**
		 * @retry: RETRY: node in weir_call_table.retries; empty if it
		 * is not in that tree.
		 */
		struct rb_node		retry;
	};
	/**
	 * @sent_ns: time at which the call was sent; RETRY: time at which it is
	 * due. Nanoseconds of the caller's clock.
	 */
	u64			sent_ns;
	/** @deadline_ns: time at which the call is given up, same clock. */
	u64			deadline_ns;
	union {
		/**
		 * @next: next call in the queue, or in a list of free slots;
		 * NULL: none.
		 */
		struct weir_call_entry	*next;
		/**
		 * @moved: RETRY, if @tries is 0: copy of the request; owned.
		 */
		struct weir_moved	*moved;
	};
	/**
	 * @pos: position of the call's record in the caller's outbox, if that
	 * must stay.
	 */
	u64			pos;
	/** @dup: idempotency entry that the call belongs to, or NULL. */
	struct weir_dup_call	*dup;
	/**
	 * @parent: child: slot of the parent. Otherwise WEIR_CALL_NONE, or
	 * WEIR_CALL_COUNTED: the call has no parent, but is counted for its
	 * user, so its reply can't be accounted for together with others.
	 */
	u32			parent;
	union {
		struct {
			/**
			 * @sibling: child: slot of the next child; PARENT: slot
			 * of the first child; WEIR_CALL_NONE: none.
			 */
			u32	sibling;
			/**
			 * @need: PARENT: how many good replies are still
			 * wanted.
			 */
			u16	need;
			/** @left: PARENT: how many children are not done. */
			u16	left;
			/**
			 * @gather: PARENT: the caller gets every reply, not
			 * only the last one.
			 */
			u8	gather;
		};
		/**
		 * @tried: RETRY: the targets that it was sent to, by the low
		 * bits of their numbers; the first @tries entries. The
		 * attempts beyond the last entry begin again at the first.
		 */
		u16		tried[WEIR_CALL_TRIED];
	};
} __aligned(128);

#ifdef CONFIG_64BIT
static_assert(sizeof(struct weir_call_entry) == 128);
#endif

/* calls in one allocation */
#define WEIR_CALLS_CHUNK	32U
#define WEIR_CALLS_CHUNK_BYTES						\
	(WEIR_CALLS_CHUNK * sizeof(struct weir_call_entry))

/**
 * struct weir_call_table - the table of one caller's calls
 */
struct weir_call_table {
	/**
	 * @begin: bits that the first name of each slot has besides the slot:
	 * the owner and a generation. The caller sets it before there are
	 * slots.
	 */
	u64			begin;
	/**
	 * @chunks: arrays of WEIR_CALLS_CHUNK calls each. The first @size /
	 * WEIR_CALLS_CHUNK entries are allocated; the other entries are NULL.
	 */
	struct weir_call_entry	**chunks;
	/**
	 * @size: how many slots have memory; written by weir_call_table_grow().
	 */
	u32			size;
	/** @most: how many slots there may be; never changes. */
	u32			most;
	/**
	 * @mask: mask of a slot number; never changes. @chunks has an entry for
	 * every value under the mask.
	 */
	u32			mask;
	/**
	 * @local: first free slot on the producer's list, or NULL; the
	 * producer's.
	 */
	struct weir_call_entry	*local;
	/**
	 * @nlocal: how many slots are on @local; written by the producer alone.
	 */
	u32			nlocal;
	/** @nreturned: how many slots are on @returned. */
	u32			nreturned;
	/**
	 * @returned: first free slot on the completers' list, or NULL; like the
	 * next two, under the completers' lock.
	 */
	struct weir_call_entry	*returned;
	/** @returned_last: last slot of @returned. */
	struct weir_call_entry	*returned_last;
	/** @first: head of the queue, or NULL; the producer's. */
	struct weir_call_entry	*first;
	/** @last: tail of the queue, or NULL; the producer's. */
	struct weir_call_entry	*last;
	/**
	 * @retries: calls that wait to be sent again, by due time; calls due at
	 * the same time are ordered by the position of their record. Under the
	 * completers' lock.
	 */
	struct rb_root_cached	retries;
	/**
	 * @retry_from: call in @retries with which a search that has passed
	 * over others goes on; NULL: from the first. Under the same lock.
	 */
	struct rb_node		*retry_from;
};

int weir_call_table_init(struct weir_call_table *c, u32 most);
void weir_call_table_destroy(struct weir_call_table *c);
struct weir_call_entry *weir_call_table_grow_alloc(void);
bool weir_call_table_grow(struct weir_call_table *c,
			  struct weir_call_entry *chunk);
void weir_call_table_prune_some(struct weir_call_table *c);
void weir_call_table_retry(struct weir_call_table *c,
			   struct weir_call_entry *call, u64 due_ns);
void weir_call_table_retry_stop(struct weir_call_table *c,
				struct weir_call_entry *call);
struct rb_node *weir_call_table_retry_after(const struct weir_call_table *c,
					    u64 ns);

/* How many slots the mask of a table of @most slots covers: a power of two. */
static inline u32 weir_call_table_room(u32 most)
{
	return roundup_pow_of_two(clamp(most, WEIR_CALLS_CHUNK,
					1U << WEIR_CALL_SLOT_BITS));
}

/* Bytes of the array of chunks of a table, without the chunks themselves. */
static inline u64 weir_call_table_bytes(u32 most)
{
	return weir_call_table_room(most) / WEIR_CALLS_CHUNK *
	       sizeof(struct weir_call_entry *);
}

/* The call in a slot below @size. */
static __always_inline struct weir_call_entry *
weir_call_table_at(const struct weir_call_table *c, u32 slot)
{
	return &c->chunks[slot / WEIR_CALLS_CHUNK][slot % WEIR_CALLS_CHUNK];
}

/**
 * weir_call_table_refill() - move the returned slots to the producer's list
 * @c: the table.
 *
 * Called by the producer, under the completers' lock.
 */
static inline void weir_call_table_refill(struct weir_call_table *c)
{
	if (!c->returned)
		return;
	c->returned_last->next = c->local;
	c->local = c->returned;
	c->nlocal += c->nreturned;
	c->returned = NULL;
	c->nreturned = 0;
}

/*
 * A call begins: it has made one attempt if its record must stay (@hold), and
 * has not been moved. One store, as each request takes it.
 */
static __always_inline void weir_call_count_none(struct weir_call_entry *call,
						 bool hold)
{
#ifdef __BIG_ENDIAN
	call->counts = (u16)hold << 8;
#else
	call->counts = hold;
#endif
}

/**
 * weir_call_table_count_off() - take slots off the count of local slots
 * @c: the table.
 * @n: how many, at most weir_call_table.nlocal.
 *
 * Called by the producer, before a completer can end the calls in these slots.
 * A completer counts the slot of each call that it ends as returned. If the
 * slot were also still counted as local, open calls would look like free slots.
 */
static __always_inline void
weir_call_table_count_off(struct weir_call_table *c, u32 n)
{
	WRITE_ONCE(c->nlocal, c->nlocal - n);
}

/**
 * weir_call_table_take_many() - begin calls in the first local slots
 * @c: the table.
 * @n: how many, at least 1; the local list has that many. The caller has taken
 *	them off the count and has set their @tries.
 * @last: last of these calls. The others precede it on @local, linked by @next.
 * @rest: the @next of @last, read before a completer could end @last.
 * @hold: their records must stay in the outbox. Then all of them were sent
 *	after every call in the queue.
 *
 * Called by the producer.
 */
static __always_inline void
weir_call_table_take_many(struct weir_call_table *c, u32 n,
			  struct weir_call_entry *last,
			  struct weir_call_entry *rest, bool hold)
{
	struct weir_call_entry *first = c->local;

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
 * weir_call_table_take() - begin a call in the first slot of the local list
 * @c: the table.
 * @hold: the record of the call must stay in the outbox.
 *
 * Called by the producer.
 *
 * Return: a call of a new generation, without @parent and @dup. Its other
 * fields are as the last user of the slot left them. NULL: the local list is
 * empty.
 */
static __always_inline struct weir_call_entry *
weir_call_table_take(struct weir_call_table *c, bool hold)
{
	struct weir_call_entry *call = c->local;

	if (unlikely(!call))
		return NULL;
	weir_call_count_none(call, hold);
	weir_call_table_count_off(c, 1);
	weir_call_table_take_many(c, 1, call, call->next, hold);
	return call;
}

/**
 * weir_call_table_put() - end a call and free its slot
 * @c: the table.
 * @call: a call that has begun; without @parent and @dup.
 *
 * Called by a completer, under the completers' lock.
 */
static __always_inline void weir_call_table_put(struct weir_call_table *c,
						struct weir_call_entry *call)
{
	call->name += 1ULL << WEIR_CALL_GEN_SHIFT;
	if (call->tries) {
		/* the producer removes it when it becomes the queue's head */
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
 * weir_call_table_find() - find a call by name
 * @c: the table.
 * @name: any value.
 *
 * Called by a completer.
 *
 * The name comes from a process, so the processor may speculate past the bounds
 * check. The slot is masked before the check. A speculative load therefore
 * stays inside @chunks, and finds a NULL entry at worst. array_index_nospec()
 * would make its mask after the check; masking first takes as many instructions
 * as a constant mask. If @name has slot bits above the mask, the comparison of
 * the whole name fails.
 *
 * Return: the call, or NULL if no call has that name. The call may have ended,
 * or not have begun: the caller checks its state.
 */
static __always_inline struct weir_call_entry *
weir_call_table_find(const struct weir_call_table *c, u64 name)
{
	u32 slot = name >> WEIR_CALL_OWNER_BITS & c->mask;
	struct weir_call_entry *call;

	if (unlikely(slot >= READ_ONCE(c->size)))
		return NULL;
	call = weir_call_table_at(c, slot);
	return READ_ONCE(call->name) == name ? call : NULL;
}

/* How many attempts have been made to send a call that may be sent again. */
static inline u32 weir_call_attempts(const struct weir_call_entry *call)
{
	return call->tries & (WEIR_CALL_UNSENT - 1);
}

/* A call that is in the queue is sent to a target. */
static inline void weir_call_count_sent(struct weir_call_entry *call)
{
	call->tries = (call->tries & ~WEIR_CALL_UNSENT) + 1;
}

/*
 * Notes that the target with number @id has failed a call: the last one that it
 * was sent to. The call may be sent again.
 */
static inline void weir_call_failed_at(struct weir_call_entry *call, u64 id)
{
	call->tried[(weir_call_attempts(call) - 1) % WEIR_CALL_TRIED] = id;
	call->looks = 0;
}

/* Counts an attempt for which there was no target. No target has number 0. */
static inline void weir_call_failed_nowhere(struct weir_call_entry *call)
{
	call->tries++;
	weir_call_failed_at(call, 0);
}

/*
 * Has the target with number @id failed a call that is to be sent again? As far
 * as the call remembers; and of numbers that are 2^16 apart, it takes one for
 * the other.
 */
static inline bool weir_call_has_tried(const struct weir_call_entry *call,
				       u64 id)
{
	u32 n = min(weir_call_attempts(call), WEIR_CALL_TRIED);

	while (n && call->tried[n - 1] != (u16)id)
		n--;
	return n;
}

/* Is the call one child of a fan-out? */
static inline bool weir_call_is_child(const struct weir_call_entry *call)
{
	return call->parent < WEIR_CALL_COUNTED;
}

/*
 * The state of a call. Read it before the other fields. Either side may call
 * this.
 */
static __always_inline u8 weir_call_state(const struct weir_call_entry *call)
{
	return smp_load_acquire(&call->state);
}

/*
 * Calls that weir_call_table_prune() frees at most. Its caller may keep the
 * processor meanwhile, and one call may have kept very many in the queue.
 */
#define WEIR_CALLS_PRUNED	1024U

/**
 * weir_call_table_prune() - free calls that have ended at the head of the queue
 * @c: the table.
 *
 * A call that has not ended keeps all calls behind it in the queue. After
 * WEIR_CALLS_PRUNED calls the head may be one more that has ended. Called by
 * the producer.
 */
static __always_inline void weir_call_table_prune(struct weir_call_table *c)
{
	if (c->first && weir_call_state(c->first) == WEIR_CALL_SPENT)
		weir_call_table_prune_some(c);
}

/* The oldest call whose record must stay, or NULL. Called by the producer. */
static inline struct weir_call_entry *
weir_call_table_oldest(const struct weir_call_table *c)
{
	return c->first;
}

/* Do calls wait to be sent again? This looks without the lock. */
static __always_inline bool
weir_call_table_retrying(const struct weir_call_table *c)
{
	return READ_ONCE(c->retries.rb_leftmost);
}

#endif /* _WEIR_CALLS_H */
