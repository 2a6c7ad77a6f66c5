// SPDX-License-Identifier: GPL-2.0
/*
 * The policies of policy.h: how each fills its table, and how it picks if its
 * first choice may not be picked. One array lists all policies.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/indirect_call_wrapper.h>
#include <linux/jhash.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "logic/alloc.h"
#include "logic/policy.h"
#include "logic/shard.h"

#define WEIR_COLUMN_BITS	24
#define WEIR_COLUMN_END		U32_MAX

/*
 * Set in @may the targets that may be picked now. The caller works with this
 * copy, which does not change meanwhile.
 */
static void weir_pick_mask(const struct weir_pick *p,
			   const unsigned long *tried, unsigned long *may)
{
	u32 i;

	bitmap_zero(may, WEIR_TARGETS_MAX);
	for (i = 0; i < p->n; i++)
		if (weir_pick_may(p, i, tried))
			__set_bit(i, may);
}

/*
 * Result of a pick that found target @i and considered @steps targets.
 */
static int weir_pick_found(int i, u32 steps)
{
	return steps <= WEIR_PICK_FEW ? i : weir_pick_scanned(i);
}

/* --- any ----------------------------------------------------------------- */

static void weir_any_build(struct weir_pick *p, void *table)
{
	u32 i;

	for (i = 0; i < p->n; i++) {
		if (!p->weights[i])
			continue;
		p->pool[p->n_pool].load = p->loads[i];
		p->pool[p->n_pool].index = i;
		p->n_pool++;
	}
}

/*
 * Pick the target with the fewest requests in flight of all that may be picked.
 * A hash decides between equal ones. A search that began at a random target and
 * took the first good one would be unfair: a target behind several that are
 * down would get their share, too.
 */
static int weir_any_scan(const struct weir_pick *p, u32 random,
			 const unsigned long *tried)
{
	u64 least = U64_MAX;
	int best = WEIR_PICK_NONE;
	u32 i;

	for (i = 0; i < p->n_pool; i++) {
		const struct weir_pick_entry *e = &p->pool[i];
		u32 load;
		u64 rank;

		if (!weir_pick_entry_may(e, tried))
			continue;
		load = atomic_read(&e->load->in_flight);
		if (load > least >> 32)
			continue;
		rank = (u64)load << 32 | jhash_1word(e->index, random);
		if (best < 0 || rank < least) {
			least = rank;
			best = e->index;
		}
	}
	return best < 0 ? best : weir_pick_found(best, p->n_pool);
}

static int weir_any_one(const struct weir_pick *p, u32 key, u32 random,
			const unsigned long *tried)
{
	int i = weir_pick_two(p, random, tried);

	return i >= 0 ? p->pool[i].index : weir_any_scan(p, random, tried);
}

/* --- weighted ------------------------------------------------------------ */

/*
 * The alias method (A. J. Walker, 1977). The table is made as by M. D. Vose, A
 * linear algorithm for generating random numbers with a given distribution,
 * 1991: there are n columns of equal height. The share of one target fills each
 * column from below, and the share of another one fills the rest. So a draw
 * takes one column and one comparison.
 *
 * Shares are counted in units that make a column as high as the sum of the
 * weights. That is exact: when no column is too low any more, all the others
 * are just full. In the column of a target without a weight, all draws are for
 * the alias.
 *
 * Until a column is finished, @keep is its share, and @alias links it into one
 * of two lists: the columns that are too low, or the others.
 */
static void weir_weighted_build(struct weir_pick *p, void *table)
{
	struct weir_pick_column *c = table;
	u32 low = WEIR_COLUMN_END, high = WEIR_COLUMN_END, i;
	u64 sum = 0;

	p->columns = c;
	for (i = 0; i < p->n; i++)
		sum += p->weights[i];
	if (!sum)
		return;
	for (i = 0; i < p->n; i++) {
		u32 *list = (u64)p->weights[i] * p->n < sum ? &low : &high;

		c[i].keep = (u64)p->weights[i] * p->n;
		c[i].alias = *list;
		*list = i;
	}
	while (low != WEIR_COLUMN_END) {
		u32 l = low, h = high;

		low = c[l].alias;
		c[l].alias = h;
		c[h].keep -= sum - c[l].keep;
		if (c[h].keep < sum) {
			high = c[h].alias;
			c[h].alias = low;
			low = h;
		}
	}
	/* no overflow: 256 weights of 32 bits sum up to less than 2^40 */
	for (i = 0; i < p->n; i++)
		c[i].keep = div64_u64(c[i].keep << WEIR_COLUMN_BITS, sum);
	/* the full columns still have list links in @alias */
	for (; high != WEIR_COLUMN_END; high = i) {
		i = c[high].alias;
		c[high].alias = high;
	}
}

/* Draw by weight among the targets that may be picked. Looks at all targets. */
static int weir_weighted_rest(const struct weir_pick *p, u32 random,
			      const unsigned long *tried)
{
	DECLARE_BITMAP(may, WEIR_TARGETS_MAX);
	u64 sum = 0, at;
	u32 i;

	weir_pick_mask(p, tried, may);
	for_each_set_bit(i, may, p->n)
		sum += p->weights[i];
	/* hashed: @random has already drawn a target that may not be picked */
	at = mul_u64_u32_shr(sum, jhash_1word(random, p->n), 32);
	for_each_set_bit(i, may, p->n) {
		if (at < p->weights[i])
			return weir_pick_found(i, p->n);
		at -= p->weights[i];
	}
	return WEIR_PICK_NONE;
}

static int weir_weighted_one(const struct weir_pick *p, u32 key, u32 random,
			     const unsigned long *tried)
{
	/* the integer part is the column; the fraction decides in the column */
	u64 at = (u64)random * p->n;
	u32 i = at >> 32;

	if ((u32)at >> (32 - WEIR_COLUMN_BITS) >= p->columns[i].keep)
		i = p->columns[i].alias;
	if (likely(weir_pick_may(p, i, tried)))
		return i;
	return weir_weighted_rest(p, random, tried);
}

/* --- shard --------------------------------------------------------------- */

static void weir_shard_policy_build(struct weir_pick *p, void *table)
{
	p->shard = table;
	weir_shard_init(p->shard);
}

/*
 * Find the target of a bucket at its first key. Every target with a weight
 * above 0 takes part, even if it is not up.
 */
static u16 weir_shard_policy_first(const struct weir_pick *p, u32 key)
{
	DECLARE_BITMAP(may, WEIR_TARGETS_MAX) = { 0 };
	u32 i;

	for (i = 0; i < p->n; i++)
		if (p->weights[i])
			__set_bit(i, may);
	return weir_shard_learn(p->shard, key, p->ids, p->n, may);
}

static int weir_shard_policy_one(const struct weir_pick *p, u32 key, u32 random,
				 const unsigned long *tried)
{
	DECLARE_BITMAP(may, WEIR_TARGETS_MAX);
	u16 i = weir_shard_pick(p->shard, key);

	if (unlikely(i == WEIR_SHARD_NONE))
		i = weir_shard_policy_first(p, key);
	if (i == WEIR_SHARD_NONE)
		return WEIR_PICK_NONE;
	if (likely(weir_pick_may(p, i, tried)))
		return i;
	weir_pick_mask(p, tried, may);
	i = weir_shard_next(key, p->ids, p->n, may);
	return i == WEIR_SHARD_NONE ? WEIR_PICK_NONE :
				      weir_pick_found(i, p->n);
}

/* --- primary ------------------------------------------------------------- */

static int weir_primary_one(const struct weir_pick *p, u32 key, u32 random,
			    const unsigned long *tried)
{
	u32 i;

	if (likely(weir_pick_may(p, 0, tried)))
		return 0;
	for (i = 1; i < p->n; i++)
		if (weir_pick_may(p, i, tried))
			return weir_pick_found(i, i + 1);
	return WEIR_PICK_NONE;
}

/* --- all of them --------------------------------------------------------- */

static const struct weir_policy_ops weir_policies[WEIR_POLICY_MAX] = {
	[WEIR_POLICY_ANY] = {
		.column_bytes	= sizeof(struct weir_pick_entry),
		.build		= weir_any_build,
		.one		= weir_any_one,
		.batch		= WEIR_BATCH_SHARE,
	},
	[WEIR_POLICY_WEIGHTED] = {
		.column_bytes	= sizeof(struct weir_pick_column),
		.build		= weir_weighted_build,
		.one		= weir_weighted_one,
	},
	[WEIR_POLICY_SHARD] = {
		.table_bytes	= sizeof(struct weir_shard),
		.build		= weir_shard_policy_build,
		.one		= weir_shard_policy_one,
		.turn		= WEIR_TURN_KEY,
		.strict		= true,
	},
	[WEIR_POLICY_PRIMARY] = {
		.one		= weir_primary_one,
		.batch		= WEIR_BATCH_WHOLE,
		.turn		= WEIR_TURN_FIRST,
		.strict		= true,
	},
	[WEIR_POLICY_ALL] = {
		.one		= NULL,
	},
	[WEIR_POLICY_QUORUM] = {
		.one		= NULL,
		.quorum		= true,
	},
};

/**
 * weir_policy_of() - the policy of a number
 * @policy: a policy that exists. The caller has checked the number, which may
 *	be a user's.
 *
 * Return: the policy.
 */
const struct weir_policy_ops *weir_policy_of(enum weir_policy policy)
{
	return &weir_policies[array_index_nospec(policy, WEIR_POLICY_MAX)];
}

/**
 * weir_pick_create() - prepare the targets of a route for its policy
 * @policy: policy of the route.
 * @n: number of targets, 0 to WEIR_TARGETS_MAX.
 * @loads: load of each target; the loads must outlive the pick. All other
 *	arguments are copied.
 * @weights: weight of each target; a target of weight 0 gets nothing. Other
 *	values matter to WEIR_POLICY_WEIGHTED only.
 * @ids: identity of each target. No two are equal, and a target keeps its
 *	identity.
 *
 * The order of the targets matters to WEIR_POLICY_PRIMARY only. This does not
 * wait for memory.
 *
 * Return: the pick, ERR_PTR(-EINVAL) or ERR_PTR(-ENOMEM). The caller passes it
 * to weir_pick_destroy() when nobody picks from it any more.
 */
struct weir_pick *weir_pick_create(enum weir_policy policy, u32 n,
				   struct weir_load *const *loads,
				   const u32 *weights, const u64 *ids)
{
	const struct weir_policy_ops *ops;
	struct weir_pick *p;
	size_t table_bytes;
	u32 i;

	if ((u32)policy >= WEIR_POLICY_MAX || n > WEIR_TARGETS_MAX)
		return ERR_PTR(-EINVAL);
	ops = weir_policy_of(policy);
	table_bytes = ALIGN(ops->table_bytes + n * ops->column_bytes,
			    sizeof(u64));
	p = kvzalloc(sizeof(*p) + table_bytes +
		     n * (sizeof(*p->loads) + sizeof(*p->ids) +
			  sizeof(*p->weights)), WEIR_GFP_NOWAIT);
	if (!p)
		return ERR_PTR(-ENOMEM);
	/* the arrays with the strictest alignment come first */
	p->ids = (void *)p->pool + table_bytes;
	p->loads = (void *)(p->ids + n);
	p->weights = (void *)(p->loads + n);
	p->ops = ops;
	p->n = n;
	memcpy(p->ids, ids, n * sizeof(*ids));
	memcpy(p->loads, loads, n * sizeof(*loads));
	memcpy(p->weights, weights, n * sizeof(*weights));
	for (i = 0; i < n; i++)
		p->n_weighted += weights[i] > 0;
	if (ops->build)
		ops->build(p, p->pool);
	return p;
}

/**
 * weir_pick_destroy() - free a pick
 * @p: from weir_pick_create(); nobody picks from it any more.
 */
void weir_pick_destroy(struct weir_pick *p)
{
	kvfree(p);
}

/**
 * weir_pick_first_slow() - the part of weir_pick_first() that is not inline
 * @p: as for weir_pick_first().
 * @key: as for weir_pick_first().
 * @random: as for weir_pick_first().
 * @tried: as for weir_pick_first().
 *
 * Return: as weir_pick_first(), or WEIR_PICK_NONE if the policy takes several
 * targets.
 */
int weir_pick_first_slow(const struct weir_pick *p, u32 key, u32 random,
			 const unsigned long *tried)
{
	if (!p->n || !p->ops->one)
		return WEIR_PICK_NONE;
	/* each message comes here, unless the policy is WEIR_POLICY_ANY */
	return INDIRECT_CALL_4(p->ops->one, weir_weighted_one,
			       weir_shard_policy_one, weir_primary_one,
			       weir_any_one, p, key, random, tried);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_pick_create);
EXPORT_SYMBOL_IF_KUNIT(weir_pick_destroy);
EXPORT_SYMBOL_IF_KUNIT(weir_pick_first_slow);
#endif
