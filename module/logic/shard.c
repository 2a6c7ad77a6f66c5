// SPDX-License-Identifier: GPL-2.0
/*
 * Filling the table of shard.h. The hash mixes every bit of the bucket and of
 * the identity into every bit of the result (the finalizer of MurmurHash3,
 * twice). A weak hash would give some targets more buckets than others.
 */
#include <linux/bitops.h>
#include <linux/string.h>

#include "logic/shard.h"

static u64 weir_shard_mix(u64 h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 33;
}

static u64 weir_shard_score(u32 bucket, u64 id)
{
	return weir_shard_mix(weir_shard_mix(id) ^ bucket);
}

/*
 * Which of the targets in @may a bucket belongs to; @may NULL: of all targets.
 */
static u16 weir_shard_best(u32 bucket, const u64 *ids, unsigned int n,
			   const unsigned long *may)
{
	u16 target = WEIR_SHARD_NONE;
	u64 best = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		u64 score;

		if (may && !test_bit(i, may))
			continue;
		score = weir_shard_score(bucket, ids[i]);
		/* if equal, the smaller identity: the order must not matter */
		if (target == WEIR_SHARD_NONE || score > best ||
		    (score == best && ids[i] < ids[target])) {
			best = score;
			target = i;
		}
	}
	return target;
}

/**
 * weir_shard_init() - set up a table with no known target
 * @s: out: the table.
 */
void weir_shard_init(struct weir_shard *s)
{
	/* each entry becomes WEIR_SHARD_NONE */
	memset(s->target, 0xff, sizeof(s->target));
}

/**
 * weir_shard_learn() - find the target of a key, and store it in the table
 * @s: the table, which does not know the target yet. Others may read and fill
 *	the table at the same time.
 * @key: shard key of the message; any value.
 * @ids: identity of each target. No two are equal, and a target keeps its
 *	identity. Their order does not matter. All calls for one table pass the
 *	same identities.
 * @n: number of targets, 0 to WEIR_SHARD_NONE.
 * @may: bitmap of the targets that get buckets; NULL: all. All calls for one
 *	table pass the same bitmap.
 *
 * Takes @n steps.
 *
 * Return: number of the target, or WEIR_SHARD_NONE: no target gets buckets.
 */
u16 weir_shard_learn(struct weir_shard *s, u32 key, const u64 *ids,
		     unsigned int n, const unsigned long *may)
{
	u32 bucket = hash_32(key, WEIR_SHARD_BITS);
	u16 target = weir_shard_best(bucket, ids, n, may);

	/* several callers at the same time all write the same value */
	WRITE_ONCE(s->target[bucket], target);
	return target;
}

/**
 * weir_shard_next() - the target of a key when its own target can't take it
 * @key: shard key of the message; any value.
 * @ids: identity of each target, as for weir_shard_learn().
 * @n: number of targets, 0 to WEIR_SHARD_NONE.
 * @may: bitmap of the targets that can take it.
 *
 * The result is the target that a table of only these targets would give. So a
 * key always goes to the same target, and the keys of a target that is down are
 * spread over all others. Takes @n steps.
 *
 * Return: number of the target, or WEIR_SHARD_NONE.
 */
u16 weir_shard_next(u32 key, const u64 *ids, unsigned int n,
		    const unsigned long *may)
{
	return weir_shard_best(hash_32(key, WEIR_SHARD_BITS), ids, n, may);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_shard_init);
EXPORT_SYMBOL_IF_KUNIT(weir_shard_learn);
EXPORT_SYMBOL_IF_KUNIT(weir_shard_next);
#endif
