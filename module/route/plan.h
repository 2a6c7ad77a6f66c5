/* SPDX-License-Identifier: GPL-2.0 */
/* What senders know of a route: see route.c. */
#ifndef _WEIR_PLAN_H
#define _WEIR_PLAN_H

#include <linux/minmax.h>
#include <linux/refcount.h>
#include <linux/time64.h>
#include <linux/workqueue.h>

#include "logic/breaker.h"
#include "logic/policy.h"
#include "logic/retry.h"
#include "uapi/weir_route.h"
#include "weir.h"

struct weir_dup_set;
struct weir_rate_limit;
struct weir_target;

/* Times of a route whose settings do not give others. */
#define WEIR_TIMEOUT_NS		(5 * NSEC_PER_SEC)
#define WEIR_DEADLINE_MAX_NS	(60 * NSEC_PER_SEC)

/**
 * struct weir_fallback_reply - a reply that a route keeps for refused requests
 * @ref: references of settings, of plans and of a control call in progress.
 * @len: bytes of @data; never changes.
 * @data: the payload; never changes.
 */
struct weir_fallback_reply {
	refcount_t	ref;
	u32		len;
	u8		data[];
};

/**
 * struct weir_plan - all that senders know of a route, as of its last change
 *
 * Read under RCU. Nothing in a published plan changes; only the objects that it
 * points to do.
 */
struct weir_plan {
	/** @fans_out: weir_policy_fans_out() of the policy. */
	u8				fans_out;
	/** @has_breaker: @breaker is in use. */
	u8				has_breaker;
	/**
	 * @batch_divisor: one target gets at most weir_pass.ahead /
	 * @batch_divisor messages at once, but at least one.
	 */
	u32				batch_divisor;
	/** @n: entries of @targets. */
	u32				n;
	/**
	 * @quorum: weir_policy_ops.quorum: good replies that complete a
	 * request; 0: more than half of the targets.
	 */
	u32				quorum;
	/**
	 * @bulkhead: requests that may be in flight at one target; 0: any
	 * number. If it is not 0, weir_target.callers counts the requests above
	 * @bulkhead_lower.
	 */
	u32				bulkhead;
	/**
	 * @bulkhead_lower: part of @bulkhead that any user may take, see
	 * weir_bulkhead_lower(); less than 0: no part; 0: there is no bulkhead.
	 */
	int				bulkhead_lower;
	/**
	 * @mirror_permille: thousandths of the messages that are copied to
	 * @mirror.
	 */
	u32				mirror_permille;
	/**
	 * @slow_threshold_ns: longest time from request to reply that is not
	 * slow.
	 */
	u64				slow_threshold_ns;
	/**
	 * @timeout_ns: time that a request without a deadline may take; at most
	 * @deadline_max_ns.
	 */
	u64				timeout_ns;
	/**
	 * @deadline_max_ns: longest time that a request may take, from when the
	 * router reads it.
	 */
	u64				deadline_max_ns;
	/**
	 * @patience_ns: longest time that a reply waits for room in its
	 * caller's inbox.
	 */
	u64				patience_ns;
	/**
	 * @probe_ns: time between two looks of the watchdog; WEIR_PROBE_OFF: it
	 * does not look.
	 */
	u64				probe_ns;
	/** @breaker: when the breakers of the targets open. */
	struct weir_breaker_conf	breaker;
	/**
	 * @max_open: how many breakers may refuse a user at once: while more
	 * are open for the user, none of them does. Without those that are open
	 * for the user's own calls: see weir_breaker_blames().
	 */
	u32				max_open;
	/** @retry: when and how often a failed request is sent again. */
	struct weir_retry_conf		retry;
	/** @pick: the policy, and the table from which it picks a target. */
	struct weir_pick		*pick;
	/**
	 * @fallback: route for requests that a guard refuses, held; or NULL.
	 */
	struct weir_route		*fallback;
	/** @mirror: route that gets copies, held; or NULL. */
	struct weir_route		*mirror;
	/**
	 * @fallback_reply: reply for requests that a guard refuses, held; or
	 * NULL.
	 */
	struct weir_fallback_reply	*fallback_reply;
	/** @dup: idempotency keys, held; or NULL. */
	struct weir_dup_set		*dup;
	/**
	 * @rate_limit: rate limit, owned by the route's settings; NULL: none.
	 */
	struct weir_rate_limit		*rate_limit;
	/** @wn: namespace. */
	struct weir_net			*wn;
	/** @free: frees the plan after a grace period. */
	struct rcu_work			free;
	/** @targets: by number; each is held. */
	struct weir_target		*targets[];
};

/*
 * Bytes that one target adds to a plan and to the table of the plan's policy.
 */
#define WEIR_PLAN_TARGET_BYTES						\
	(2 * sizeof(void *) + sizeof(u64) + sizeof(u32) +		\
	 max(sizeof(struct weir_pick_entry),				\
	     sizeof(struct weir_pick_column)))

static inline struct weir_breaker_conf
weir_conf_breaker(const struct weir_route_conf *c)
{
	return (struct weir_breaker_conf){
		.window_ns = c->breaker_window_ns,
		.open_ns = c->breaker_open_ns,
		.slow_ns = c->breaker_slow_ns,
		.min_calls = c->breaker_min_calls,
		.error_percent = c->breaker_error_percent,
		.slow_percent = c->breaker_slow_percent,
		.probes = c->breaker_probes,
	};
}

static inline struct weir_retry_conf
weir_conf_retry(const struct weir_route_conf *c)
{
	return (struct weir_retry_conf){
		.tries = c->retries,
		.base_ns = c->retry_base_ns,
		.max_ns = c->retry_max_ns,
	};
}

/* route.c */
struct weir_plan *weir_plan_create(struct weir_route *route);
void weir_plan_publish(struct weir_route *route, struct weir_plan *plan);
void weir_plan_drop(struct weir_plan *plan);
void weir_fallback_reply_put(struct weir_fallback_reply *fallback_reply);

#endif /* _WEIR_PLAN_H */
