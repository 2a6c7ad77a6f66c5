/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Consistent hashing: which target of a route has a shard key.
 *
 * A key falls into one of WEIR_SHARD_BUCKETS buckets, and each bucket belongs
 * to the target whose hash with it is highest (rendezvous hashing: D. Thaler,
 * C. Ravishankar, Using name-based mappings to increase hit rates, 1998). So
 * a target that joins takes from the others just the buckets that are now its
 * own, 1/n of them, and one that leaves gives away just those. The table
 * makes a look-up one load, however many targets there are.
 *
 * It knows targets by number and by identity, and nothing else of them. The
 * table is begun anew for each change, and a bucket is filled when its first key
 * comes: to fill all at once takes as many steps as targets times buckets, and a
 * change is made under a lock. Any context.
 */
#ifndef _WEIR_SHARD_H
#define _WEIR_SHARD_H

#include <linux/hash.h>
#include <linux/types.h>

#define WEIR_SHARD_BITS		12
#define WEIR_SHARD_BUCKETS	(1U << WEIR_SHARD_BITS)
#define WEIR_SHARD_NONE		0xffff	/* there is no target, or it is not known */

/**
 * struct weir_shard - a table of buckets
 * @target: number of the target that has the bucket, or WEIR_SHARD_NONE.
 */
struct weir_shard {
	u16	target[WEIR_SHARD_BUCKETS];
};

void weir_shard_init(struct weir_shard *s);
u16 weir_shard_learn(struct weir_shard *s, u32 key, const u64 *ids,
		     unsigned int n, const unsigned long *may);
u16 weir_shard_next(u32 key, const u64 *ids, unsigned int n,
		    const unsigned long *may);

/**
 * weir_shard_pick() - the target of a key
 * @s: the table.
 * @key: of the message; any value.
 *
 * Return: its number, or WEIR_SHARD_NONE: ask weir_shard_learn().
 */
static inline u16 weir_shard_pick(const struct weir_shard *s, u32 key)
{
	return READ_ONCE(s->target[hash_32(key, WEIR_SHARD_BITS)]);
}

#endif /* _WEIR_SHARD_H */
