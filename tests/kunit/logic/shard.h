/* SPDX-License-Identifier: GPL-2.0 */
/* Whole tables of module/logic/shard.c, whose buckets are filled one by one. */
#ifndef _WEIR_KUNIT_SHARD_H
#define _WEIR_KUNIT_SHARD_H

#include "logic/shard.h"

static inline void shard_fill(struct weir_shard *s, const u64 *ids,
			      unsigned int n, const unsigned long *may)
{
	u32 key;

	weir_shard_init(s);
	/* keys that follow one another fall into all buckets */
	for (key = 0; key < 4 * WEIR_SHARD_BUCKETS; key++) {
		if (weir_shard_pick(s, key) == WEIR_SHARD_NONE)
			weir_shard_learn(s, key, ids, n, may);
	}
}

#endif /* _WEIR_KUNIT_SHARD_H */
