// SPDX-License-Identifier: GPL-2.0
/*
 * Making the table of shard.h. The hash mixes every bit of bucket and identity
 * into every bit (the finalizer of MurmurHash3, twice), for a weak one would
 * give some targets more buckets than others.
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

/* Whose a bucket is, of the targets that are in @may. */
static u16 weir_shard_best(u32 bucket, const u64 *ids, unsigned int n,
			   const unsigned long *may)
{
	u16 who = WEIR_SHARD_NONE;
	u64 best = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		u64 score;

		if (may && !test_bit(i, may))
			continue;
		score = weir_shard_score(bucket, ids[i]);
		/* of equals the smaller identity, so that order does not matter */
		if (who == WEIR_SHARD_NONE || score > best ||
		    (score == best && ids[i] < ids[who])) {
			best = score;
			who = i;
		}
	}
	return who;
}

/**
 * weir_shard_init() - a table that knows nothing
 * @s: out: the table.
 */
void weir_shard_init(struct weir_shard *s)
{
	/* WEIR_SHARD_NONE in each */
	memset(s->target, 0xff, sizeof(s->target));
}

/**
 * weir_shard_learn() - find out whose a key is, and remember it
 * @s: the table, which does not know; others may look into it meanwhile.
 * @key: of the message; any value.
 * @ids: identity of each target, the same for as long as it is one; no two
 *	are equal. Their order means nothing. Always the same for one table.
 * @n: how many, 0 to WEIR_SHARD_NONE.
 * @may: bitmap of those that get buckets, or NULL: all do. As @ids.
 *
 * Takes @n steps. Return: its number, or WEIR_SHARD_NONE.
 */
u16 weir_shard_learn(struct weir_shard *s, u32 key, const u64 *ids,
		     unsigned int n, const unsigned long *may)
{
	u32 bucket = hash_32(key, WEIR_SHARD_BITS);
	u16 who = weir_shard_best(bucket, ids, n, may);

	/* of several at a time, all write the same */
	WRITE_ONCE(s->target[bucket], who);
	return who;
}

/**
 * weir_shard_next() - the target of a key when its own cannot
 * @key: of the message; any value.
 * @ids: identity of each target, as for weir_shard_learn().
 * @n: how many, 0 to WEIR_SHARD_NONE.
 * @may: bitmap of those that can.
 *
 * It is what a table of just those would say, so a key always goes to the same
 * one, and those of a target that is down are spread over all others. Takes
 * @n steps.
 *
 * Return: its number, or WEIR_SHARD_NONE.
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
