/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Consistent hashing: which target of a route gets the requests with a shard
 * key.
 *
 * A key falls into one of WEIR_SHARD_BUCKETS buckets. Each bucket belongs to
 * the target whose hash with the bucket is highest (rendezvous hashing: D.
 * Thaler, C. Ravishankar, Using name-based mappings to increase hit rates,
 * 1998). So a target that joins takes from the others only the buckets that now
 * belong to it, 1/n of all buckets. A target that leaves gives away only its
 * own buckets. The table makes a look-up one load, however many targets there
 * are.
 *
 * This file knows targets by number and by identity, and knows nothing else of
 * them. Each change of a route begins with an empty table. The first key of a
 * bucket fills the bucket: filling all buckets takes targets times buckets
 * steps, which is too long for a change that is made under a lock. Any context.
 */
#ifndef _WEIR_SHARD_H
#define _WEIR_SHARD_H

#include <linux/hash.h>
#include <linux/types.h>

#define WEIR_SHARD_BITS		12
#define WEIR_SHARD_BUCKETS	(1U << WEIR_SHARD_BITS)
#define WEIR_SHARD_NONE		0xffff	/* no target, or not known yet */

/**
 * struct weir_shard - a table of buckets
 * @target: number of the target that each bucket belongs to, or
 *	WEIR_SHARD_NONE; READ_ONCE() and WRITE_ONCE().
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
 * weir_shard_pick() - the target of a key, if the table knows it
 * @s: the table.
 * @key: shard key of the message; any value.
 *
 * Return: number of the target. WEIR_SHARD_NONE: the table does not know it;
 * call weir_shard_learn().
 */
static inline u16 weir_shard_pick(const struct weir_shard *s, u32 key)
{
	return READ_ONCE(s->target[hash_32(key, WEIR_SHARD_BITS)]);
}

#endif /* _WEIR_SHARD_H */
