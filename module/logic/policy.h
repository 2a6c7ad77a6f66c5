/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Policies: which target of a route gets a request.
 *
 * A struct weir_pick is made for each change of a route and not changed
 * afterwards, so it is read without a lock. What does change is in struct
 * weir_load, one for each target, which lives as long as the target and is
 * shared by all that is picked from. A target of weight 0 gets nothing, under
 * any policy; one that is not up gets nothing until it is.
 *
 * It knows targets by number and identity, and nothing of sockets, paths and
 * requests. It draws nothing itself: random numbers are arguments. Making one
 * may sleep; picking runs in any context.
 */
#ifndef _WEIR_POLICY_H
#define _WEIR_POLICY_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include "uapi/weir_route.h"

#define WEIR_PICK_NONE		(-1)	/* no target may be picked */

/* The first pick may look at so many targets for nothing. */
#define WEIR_PICK_FEW		8

struct weir_shard;

/**
 * struct weir_load - what policies see of a target
 * @in_flight: requests that were sent there and are not answered yet.
 * @up: it may be picked; READ_ONCE() and WRITE_ONCE().
 *
 * Written at every request: it should share its cache line with what else is.
 */
struct weir_load {
	atomic_t	in_flight;
	u8		up;
};

/**
 * struct weir_pick_entry - a target that two are drawn from
 * @load: of the target.
 * @index: its number.
 */
struct weir_pick_entry {
	struct weir_load	*load;
	u32			index;
};

/**
 * struct weir_pick_column - a column of the table for weighted draws
 * @keep: so many draws of 2^24 that fall here are for the target of this
 *	number.
 * @alias: the number of the target that has the others.
 */
struct weir_pick_column {
	u64	keep;
	u32	alias;
};

/**
 * struct weir_pick - what to pick from; never changes
 * @n_pool: length of @pool; 0 if the policy is another than WEIR_POLICY_ANY.
 * @n: targets.
 * @n_weighted: of those, how many have a weight.
 * @policy: whose it is.
 * @ops: of the policy.
 * @loads: of each target; not owned, must outlive this.
 * @weights: of each target; 0: gets nothing.
 * @ids: identity of each target, for WEIR_POLICY_SHARD.
 * @columns: for WEIR_POLICY_WEIGHTED: one for each target.
 * @shard: for WEIR_POLICY_SHARD: whose each bucket of keys is.
 * @pool: for WEIR_POLICY_ANY: targets that have a weight. Tables of other
 *	policies are in the same place.
 *
 * All that it points to, but for the loads, is in the same allocation.
 */
struct weir_pick {
	u32				n_pool;
	u32				n;
	u32				n_weighted;
	enum weir_policy		policy;
	const struct weir_policy_ops	*ops;
	struct weir_load		**loads;
	u32				*weights;
	u64				*ids;
	struct weir_pick_column		*columns;
	struct weir_shard		*shard;
	struct weir_pick_entry		pool[];
};

/**
 * struct weir_policy_ops - one policy
 * @name: as it is written in commands and shown to people.
 * @table_bytes: of the table that @build fills, not counting @column_bytes.
 * @column_bytes: more of it for each target.
 * @build: fills the table, which is all zeros; NULL: there is none.
 * @one: picks one of at least one target, as weir_pick_first(); NULL: the
 *	caller goes through all.
 */
struct weir_policy_ops {
	const char	*name;
	size_t		table_bytes;
	size_t		column_bytes;
	void		(*build)(struct weir_pick *p, void *table);
	int		(*one)(const struct weir_pick *p, u32 key, u32 random,
			       const unsigned long *tried);
};

const char *weir_policy_name(enum weir_policy policy);
size_t weir_policy_bytes(enum weir_policy policy);
struct weir_pick *weir_pick_create(enum weir_policy policy, u32 n,
				   struct weir_load *const *loads,
				   const u32 *weights, const u64 *ids);
void weir_pick_destroy(struct weir_pick *p);
int weir_pick_first_slow(const struct weir_pick *p, u32 key, u32 random,
			 const unsigned long *tried);

/*
 * A target's number as weir_pick_first() gives it when it has looked at all, or
 * at many; and the number again. WEIR_PICK_NONE is no such.
 */
static inline int weir_pick_scanned(int i)
{
	return WEIR_PICK_NONE - 1 - i;
}

/**
 * weir_pick_may() - may this target be picked now?
 * @p: what it is one of.
 * @i: its number.
 * @tried: bitmap of those that have refused already, or NULL.
 *
 * Return: whether it may.
 */
static inline bool weir_pick_may(const struct weir_pick *p, u32 i,
				 const unsigned long *tried)
{
	return p->weights[i] && READ_ONCE(p->loads[i]->up) &&
	       !(tried && test_bit(i, tried));
}

/* The same for a target that has a weight. */
static __always_inline bool
weir_pick_entry_may(const struct weir_pick_entry *e, const unsigned long *tried)
{
	return READ_ONCE(e->load->up) && !(tried && test_bit(e->index, tried));
}

/**
 * weir_pick_two() - of two targets the one with less to do
 * @p: of WEIR_POLICY_ANY.
 * @random: any number.
 * @tried: bitmap of those that have refused already, or NULL.
 *
 * Two choices keep the longest queue at log log n instead of log n (M.
 * Mitzenmacher, The power of two choices in randomized load balancing, 2001),
 * and look at two targets only, however many there are. Each half of @random
 * draws one, so no pair is more likely than another by n in 2^16.
 *
 * Return: its place in the pool, or WEIR_PICK_NONE if one of the two may not
 * be picked.
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
	j += j >= i;	/* so that it is another one */
	if (unlikely(!weir_pick_entry_may(&p->pool[i], tried) ||
		     !weir_pick_entry_may(&p->pool[j], tried)))
		return WEIR_PICK_NONE;
	a = p->pool[i].load;
	b = p->pool[j].load;
	return atomic_read(&b->in_flight) < atomic_read(&a->in_flight) ? j : i;
}

/**
 * weir_pick_first() - the target of a request, and what it took to find it
 * @p: what to pick from; of none of the policies that take several.
 * @key: shard key of the request.
 * @random: any number, another one each time.
 * @tried: bitmap of those that have refused already, or NULL.
 *
 * Return: its number, if a few looks were enough; else WEIR_PICK_NONE, or
 * weir_pick_scanned() of its number.
 */
static __always_inline int weir_pick_first(const struct weir_pick *p, u32 key,
					   u32 random,
					   const unsigned long *tried)
{
	if (likely(!tried)) {
		/* nothing to draw from means another policy, too */
		int i = weir_pick_two(p, random, NULL);

		if (likely(i >= 0))
			return p->pool[i].index;
	}
	return weir_pick_first_slow(p, key, random, tried);
}

/**
 * weir_pick_one() - the target of a request
 * @p: what to pick from; of none of the policies that take several.
 * @key: shard key of the request.
 * @random: any number, another one each time.
 * @tried: bitmap of those that have refused already, or NULL.
 *
 * Return: its number, or WEIR_PICK_NONE.
 */
static inline int weir_pick_one(const struct weir_pick *p, u32 key, u32 random,
				const unsigned long *tried)
{
	int i = weir_pick_first(p, key, random, tried);

	return i < WEIR_PICK_NONE ? weir_pick_scanned(i) : i;
}

#endif /* _WEIR_POLICY_H */
