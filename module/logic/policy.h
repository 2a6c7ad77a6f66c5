/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Policies: a policy picks the target of a route that gets a request.
 *
 * Each change of a route makes a new struct weir_pick. It does not change
 * afterwards, so it is read without a lock. The one exception is the table of
 * WEIR_POLICY_SHARD, which a pick fills bucket by bucket (shard.h). The values
 * that change are in struct weir_load. Each target has one, which lives as long
 * as the target; all picks that contain the target share it. No policy picks a
 * target of weight 0, or a target that is not up.
 *
 * This file knows targets by number and by identity. It knows nothing of
 * sockets, paths and requests. It draws no random numbers: they are arguments.
 * Creating a pick does not wait for memory. Picking runs in any context.
 */
#ifndef _WEIR_POLICY_H
#define _WEIR_POLICY_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include "uapi/weir_route.h"

#define WEIR_PICK_NONE		(-1)	/* no target may be picked */

/* If weir_pick_first() looks at more targets than this, its result says so. */
#define WEIR_PICK_FEW		8

struct weir_shard;

/**
 * struct weir_load - the state of a target that policies look at
 * @in_flight: number of requests that were sent to the target and are not
 *	answered yet; atomic.
 * @up: the target may be picked; READ_ONCE() and WRITE_ONCE().
 *
 * Every request writes this. It should share a cache line with other fields
 * that every request writes.
 */
struct weir_load {
	atomic_t	in_flight;
	u8		up;
};

/**
 * struct weir_pick_entry - a target that WEIR_POLICY_ANY may draw
 * @load: load of the target.
 * @index: number of the target.
 */
struct weir_pick_entry {
	struct weir_load	*load;
	u32			index;
};

/**
 * struct weir_pick_column - a column of the table for weighted draws
 * @keep: of 2^24 draws that fall on this column, how many are for the target
 *	with the column's number.
 * @alias: number of the target that gets the other draws.
 */
struct weir_pick_column {
	u64	keep;
	u32	alias;
};

/**
 * struct weir_pick - the targets of a route, prepared for its policy
 *
 * Nothing changes after weir_pick_create(), except @shard and the loads.
 * Everything that this points to, except the loads, is in the same allocation.
 */
struct weir_pick {
	/** @n_pool: length of @pool; 0 if the policy is not WEIR_POLICY_ANY. */
	u32				n_pool;
	/** @n: number of targets. */
	u32				n;
	/** @n_weighted: number of targets with a weight above 0. */
	u32				n_weighted;
	/** @ops: policy of the route. */
	const struct weir_policy_ops	*ops;
	/**
	 * @loads: load of each target. The caller owns them; they must outlive
	 * this structure.
	 */
	struct weir_load		**loads;
	/**
	 * @weights: weight of each target; a target of weight 0 gets nothing.
	 */
	u32				*weights;
	/** @ids: identity of each target, for WEIR_POLICY_SHARD. */
	u64				*ids;
	/** @columns: for WEIR_POLICY_WEIGHTED: one column for each target. */
	struct weir_pick_column		*columns;
	/** @shard: for WEIR_POLICY_SHARD: the target of each bucket of keys. */
	struct weir_shard		*shard;
	/**
	 * @pool: for WEIR_POLICY_ANY: the targets with a weight above 0. The
	 * tables of other policies are in the same place.
	 */
	struct weir_pick_entry		pool[];
};

/*
 * enum weir_policy_batch - how many messages of a batch one pick decides
 * @WEIR_BATCH_ONE: one: each message has a pick of its own.
 * @WEIR_BATCH_SHARE: as many as are one target's share if all get equally many.
 * @WEIR_BATCH_WHOLE: all of them: all picks are the same.
 */
enum weir_policy_batch {
	WEIR_BATCH_ONE,
	WEIR_BATCH_SHARE,
	WEIR_BATCH_WHOLE,
};

/*
 * enum weir_policy_turn - where the search for a target begins once picks have
 * cost too many steps
 * @WEIR_TURN_RANDOM: at a random target.
 * @WEIR_TURN_KEY: at a target that the message's key decides.
 * @WEIR_TURN_FIRST: at the first one.
 */
enum weir_policy_turn {
	WEIR_TURN_RANDOM,
	WEIR_TURN_KEY,
	WEIR_TURN_FIRST,
};

/**
 * struct weir_policy_ops - one policy
 * @table_bytes: bytes of the table that @build fills, without @column_bytes.
 * @column_bytes: additional bytes of the table for each target.
 * @build: fills the table, which is all zeros; NULL: the policy has no table.
 * @one: picks a target, as weir_pick_first() does; called only if there is at
 *	least one target. NULL: the policy takes several targets, and the caller
 *	goes through all of them.
 * @batch: how many messages of a batch one pick decides.
 * @turn: where the search begins once picks have cost too many steps.
 * @strict: a target that is up, but busy, keeps its messages: they go to no
 *	other one.
 * @quorum: of a policy that takes several targets: a request is done when
 *	enough of them have answered well, not when all have.
 */
struct weir_policy_ops {
	size_t		table_bytes;
	size_t		column_bytes;
	void		(*build)(struct weir_pick *p, void *table);
	int		(*one)(const struct weir_pick *p, u32 key, u32 random,
			       const unsigned long *tried);
	enum weir_policy_batch	batch;
	enum weir_policy_turn	turn;
	bool		strict;
	bool		quorum;
};

const struct weir_policy_ops *weir_policy_of(enum weir_policy policy);
struct weir_pick *weir_pick_create(enum weir_policy policy, u32 n,
				   struct weir_load *const *loads,
				   const u32 *weights, const u64 *ids);
void weir_pick_destroy(struct weir_pick *p);
int weir_pick_first_slow(const struct weir_pick *p, u32 key, u32 random,
			 const unsigned long *tried);

/* Does a policy send each message to all targets, and not to one of them? */
static inline bool weir_policy_fans_out(const struct weir_policy_ops *ops)
{
	return !ops->one;
}

/*
 * Converts the number of a target to the value by which weir_pick_first() says
 * that it has looked at many targets, or at all, and converts that value back
 * to the number. Such a value is less than WEIR_PICK_NONE.
 */
static inline int weir_pick_scanned(int i)
{
	return WEIR_PICK_NONE - 1 - i;
}

/**
 * weir_pick_may() - may this target be picked now?
 * @p: the targets of the route.
 * @i: number of the target, less than @p->n.
 * @tried: bitmap of the targets that have refused already, or NULL.
 *
 * Return: true if the target may be picked.
 */
static inline bool weir_pick_may(const struct weir_pick *p, u32 i,
				 const unsigned long *tried)
{
	return p->weights[i] && READ_ONCE(p->loads[i]->up) &&
	       !(tried && test_bit(i, tried));
}

/* The same for a target in the pool, which has a weight above 0. */
static __always_inline bool
weir_pick_entry_may(const struct weir_pick_entry *e, const unsigned long *tried)
{
	return READ_ONCE(e->load->up) && !(tried && test_bit(e->index, tried));
}

/**
 * weir_pick_two() - draw two targets and pick the one with less in flight
 * @p: the targets of the route; nothing is picked unless the policy is
 *	WEIR_POLICY_ANY.
 * @random: any number.
 * @tried: bitmap of the targets that have refused already, or NULL.
 *
 * Two choices keep the longest queue at log log n instead of log n (M.
 * Mitzenmacher, The power of two choices in randomized load balancing, 2001).
 * They look at two targets only, however many there are. Each half of @random
 * draws one target. So the probabilities of two pairs differ by n in 2^16 at
 * most.
 *
 * Return: index in the pool of the target that was picked, or WEIR_PICK_NONE if
 * one of the two may not be picked.
 */
static __always_inline int weir_pick_two(const struct weir_pick *p, u32 random,
					 const unsigned long *tried)
{
	u32 n = p->n_pool, i, j;
	const struct weir_load *a, *b;

	if (unlikely(n < 2))
		return n && weir_pick_entry_may(&p->pool[0], tried) ?
		       0 : WEIR_PICK_NONE;
	i = (random & 0xffff) * n >> 16;
	j = (random >> 16) * (n - 1) >> 16;
	j += j >= i;	/* so that j is not i */
	if (unlikely(!weir_pick_entry_may(&p->pool[i], tried) ||
		     !weir_pick_entry_may(&p->pool[j], tried)))
		return WEIR_PICK_NONE;
	a = p->pool[i].load;
	b = p->pool[j].load;
	return atomic_read(&b->in_flight) < atomic_read(&a->in_flight) ? j : i;
}

/**
 * weir_pick_first() - pick the target of a request, and say if that took many
 * steps
 * @p: the targets of a route, whose policy is not one that takes several.
 * @key: shard key of the request.
 * @random: any number; another one for each request.
 * @tried: bitmap of the targets that have refused already, or NULL.
 *
 * Return: number of the target; weir_pick_scanned() of its number, if the pick
 * has looked at more than WEIR_PICK_FEW targets; or WEIR_PICK_NONE: no target
 * may be picked.
 */
static __always_inline int weir_pick_first(const struct weir_pick *p, u32 key,
					   u32 random,
					   const unsigned long *tried)
{
	if (likely(!tried)) {
		/* the pool is empty under any other policy */
		int i = weir_pick_two(p, random, NULL);

		if (likely(i >= 0))
			return p->pool[i].index;
	}
	return weir_pick_first_slow(p, key, random, tried);
}

/**
 * weir_pick_one() - pick the target of a request
 * @p: the targets of a route, whose policy is not one that takes several.
 * @key: shard key of the request.
 * @random: any number; another one for each request.
 * @tried: bitmap of the targets that have refused already, or NULL.
 *
 * Return: number of the target, or WEIR_PICK_NONE.
 */
static inline int weir_pick_one(const struct weir_pick *p, u32 key, u32 random,
				const unsigned long *tried)
{
	int i = weir_pick_first(p, key, random, tried);

	return i < WEIR_PICK_NONE ? weir_pick_scanned(i) : i;
}

#endif /* _WEIR_POLICY_H */
