/* SPDX-License-Identifier: GPL-2.0 */
/* A path or pattern that can be called, and its settings: see route.c. */
#ifndef _WEIR_ROUTE_H
#define _WEIR_ROUTE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/string.h>

#include "logic/account.h"
#include "path.h"
#include "route/chain.h"
#include "uapi/weir_route.h"
#include "weir.h"

struct weir_fallback_reply;
struct weir_dup_set;
struct weir_plan;
struct weir_rate_limit;

/* Counters of a route besides those of its targets, refusals by reason last. */
enum weir_route_stat {
	WEIR_ROUTE_MIRRORED,
	WEIR_ROUTE_FALLBACKS,
	WEIR_ROUTE_RETRIES,
	WEIR_ROUTE_DUPS,
	WEIR_ROUTE_GONE,	/* messages sent to targets that are gone */
	WEIR_ROUTE_REFUSED,
	WEIR_ROUTE_STATS = WEIR_ROUTE_REFUSED + WEIR_REASON_MAX
};

/**
 * struct weir_route_stats - counters of a route; allocated for the first event
 * @count: by enum weir_route_stat.
 */
struct weir_route_stats {
	atomic64_t	count[WEIR_ROUTE_STATS];
};

/**
 * struct weir_settings - the settings that a control call gave to a route
 *
 * Guarded by weir_net.lock.
 */
struct weir_settings {
	/**
	 * @conf: the numbers. The paths and user addresses in it are not used.
	 */
	struct weir_route_conf	conf;
	/**
	 * @fallback: route for requests that a guard refuses, counted in its
	 * @uses; or NULL.
	 */
	struct weir_route	*fallback;
	/** @edge: edge to @fallback, while the route has these settings. */
	struct weir_edge	edge;
	/** @mirror: route that gets copies, counted in its @uses; or NULL. */
	struct weir_route	*mirror;
	/**
	 * @fallback_reply: reply for requests that a guard refuses, held; or
	 * NULL.
	 */
	struct weir_fallback_reply	*fallback_reply;
	/** @rate_limit: rate limit, owned; or NULL. */
	struct weir_rate_limit	*rate_limit;
	/** @dup: idempotency keys, held; or NULL. */
	struct weir_dup_set	*dup;
	/**
	 * @charge: memory of all this but @dup, paid by the user that made the
	 * control call; never changes.
	 */
	struct weir_charge	charge;
};

/**
 * struct weir_route - a path or pattern that can be called
 */
struct weir_route {
	/** @ref: see the table of lifetimes. */
	refcount_t			ref;
	/**
	 * @rcu: frees the route after a grace period: lookups read it under
	 * RCU.
	 */
	struct rcu_head			rcu;
	/**
	 * @plan: the current plan, written under weir_net.lock; NULL once the
	 * route is gone.
	 */
	struct weir_plan __rcu		*plan;
	/**
	 * @stats: counters; NULL until the first event is counted. Set once by
	 * compare-and-swap.
	 */
	struct weir_route_stats		*stats;
	/**
	 * @path: its name and permissions; NULL once the route is gone. Guarded
	 * by weir_net.lock; the name may be read under RCU.
	 */
	struct weir_path		*path;
	/**
	 * @set: settings of a control call, which keep the route even without
	 * targets; NULL: the defaults apply. weir_net.lock.
	 */
	struct weir_settings		*set;
	/**
	 * @targets: list by weir_target.route_link, the greatest weight first,
	 * and the oldest first among equal weights; weir_net.lock.
	 */
	struct list_head		targets;
	/** @ntargets: entries of @targets; weir_net.lock. */
	u32				ntargets;
	/** @target_users: how many of @targets each user has; weir_net.lock. */
	struct weir_tally		target_users;
	/**
	 * @uses: other routes that name it as target, fallback or mirror, and
	 * changes in progress that concern it; weir_net.lock.
	 */
	u32				uses;
	/**
	 * @planned: the control call in progress has made the new plan of the
	 * route; weir_net.lock.
	 */
	bool				planned;
	/**
	 * @charge: the route and a plan, paid by the user that made it;
	 * weir_net.lock.
	 */
	struct weir_charge		charge;
	/**
	 * @behind: edges to the routes behind it, by weir_edge.behind_link;
	 * weir_net.lock.
	 */
	struct list_head		behind;
	/**
	 * @before: edges from the routes before it, by weir_edge.before_link;
	 * weir_net.lock.
	 */
	struct list_head		before;
	/**
	 * @nbehind: number of ways along edges that begin here; weir_net.lock.
	 */
	u32				nbehind;
	/**
	 * @nbefore: number of ways along edges that end here; weir_net.lock.
	 */
	u32				nbefore;
};

/* The plan of a route, or NULL. In a section, or under rcu_read_lock(). */
#define weir_route_plan(route)						\
	rcu_dereference_check((route)->plan, rcu_read_lock_bh_held())

/* Does no target, no setting and no other route need it? weir_net.lock */
static inline bool weir_route_idle(const struct weir_route *route)
{
	return !route->set && !route->ntargets && !route->uses;
}

/* Bytes of a path in a control call; above WEIR_PATH_MAX it is too long. */
static inline u32 weir_op_name_len(const char *name)
{
	return strnlen(name, WEIR_PATH_MAX + 1);
}

/* route.c */
struct weir_route *weir_route_obtain(struct weir_owner *o, const char *name,
				     u32 len, enum weir_use use);
void weir_route_get(struct weir_route *route);
void weir_route_put(struct weir_route *route);
void weir_route_use(struct weir_route *route);
void weir_route_unuse(struct weir_route *route);
int weir_route_replan(struct weir_route *route);
void weir_route_tidy(struct weir_route *route);
void weir_settings_free(struct weir_settings *set);
void weir_routes_end(struct weir_net *wn);
void weir_route_count(struct weir_route *route, unsigned int which, u64 n);
u64 weir_route_stat_read(const struct weir_route *route, unsigned int which);

#endif /* _WEIR_ROUTE_H */
