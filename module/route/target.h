/* SPDX-License-Identifier: GPL-2.0 */
/* A socket, or another route, that serves a route: see target.c. */
#ifndef _WEIR_TARGET_H
#define _WEIR_TARGET_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "logic/account.h"
#include "logic/breaker.h"
#include "logic/bulkhead.h"
#include "logic/hist.h"
#include "logic/policy.h"
#include "route/chain.h"
#include "tenant.h"
#include "weir.h"

struct weir_ioc_serve;

/**
 * struct weir_target - a socket, or another route, that serves a route
 */
struct weir_target {
	/**
	 * @load: state that policies read: requests in flight, and whether it
	 * is up.
	 */
	struct weir_load		load;
	/**
	 * @forced: a control call holds the breaker open; written under
	 * weir_net.lock.
	 */
	bool				forced;
	/** @gone: it takes no more messages; written under weir_net.lock. */
	bool				gone;
	/** @removing: the control call in progress removes it; weir_net.lock. */
	bool				removing;
	/**
	 * @in_plan: it is @gone, but there was no memory for a plan without it;
	 * written by the thread or worker that ends the target.
	 */
	bool				in_plan;
	/**
	 * @ejected: the watchdog has ejected it and has seen no progress since.
	 */
	bool				ejected;
	/**
	 * @watched: bit 0: the watchdog is to look at it. Changed by atomic
	 * operations.
	 */
	unsigned long			watched;
	/** @ep: endpoint of the socket, held; NULL if the target is a route. */
	struct weir_endpoint		*ep;
	/** @next: the route, held; NULL if the target is a socket. */
	struct weir_route		*next;
	/**
	 * @edge: edge to @next, until the target is about to leave;
	 * weir_net.lock.
	 */
	struct weir_edge		edge;
	/** @route: the route that it serves; held. */
	struct weir_route		*route;
	/** @breaker: its circuit breaker; has a lock of its own. */
	struct weir_breaker		breaker;
	/**
	 * @requests: messages that were sent to it, those that want no answer
	 * included; ep->inbox->post.lock.
	 */
	u64				requests;
	/** @replies: replies and errors that it gave; ep->dispatch_lock. */
	u64				replies;
	/** @errors: those of @replies that were errors; ep->dispatch_lock. */
	u64				errors;
	/** @expired: requests that it did not answer before their deadline. */
	atomic64_t			expired;
	/** @ejections: how often the watchdog has ejected it. */
	atomic64_t			ejections;
	/** @ref: see the table of lifetimes. */
	refcount_t			ref;
	/** @wn: namespace; never changes. */
	struct weir_net			*wn;
	/** @free: frees the target after a grace period. */
	struct rcu_work			free;
	/**
	 * @recheck: job that looks for calls that were sent to the target after
	 * it was gone.
	 */
	struct weir_job			recheck;
	/**
	 * @seeking: @recheck has been added and has not begun. Changed by
	 * xchg().
	 */
	bool				seeking;
	/** @id: number in listings and errors; never changes. */
	u64				id;
	/**
	 * @shard_id: identity for WEIR_POLICY_SHARD: of a target with a name
	 * made of @name and @uid, with the highest bit set, else @id. Never
	 * changes once the target is in a plan.
	 */
	u64				shard_id;
	/** @uid: user that added it; never changes. */
	kuid_t				uid;
	/**
	 * @name: name among the targets that @uid has on @route, or ""; as
	 * @shard_id.
	 */
	char				name[WEIR_NAME_MAX + 1];
	/**
	 * @weight: share of the messages, relative to other targets;
	 * weir_net.lock.
	 */
	u32				weight;
	/**
	 * @charge: the target, @callers and its entry in plans, paid by the
	 * user that added it; never changes.
	 */
	struct weir_charge		charge;
	/** @route_link: in weir_route.targets; weir_net.lock. */
	struct list_head		route_link;
	/**
	 * @ep_link: in weir_endpoint.targets, under weir_net.lock; once the
	 * target is gone, in weir_endpoint.gone.
	 */
	struct list_head		ep_link;
	/**
	 * @watch: has the worker of its endpoint's user look at it for the
	 * watchdog.
	 */
	struct weir_timer		watch;
	/**
	 * @seen_pos: position of its cursor in its inbox at the watchdog's last
	 * look.
	 */
	u64				seen_pos;
	/**
	 * @seen_out: position up to which its outbox had been routed at that
	 * look.
	 */
	u64				seen_out;
	/**
	 * @still: looks in a row without a change of @seen_pos and @seen_out.
	 */
	u32				still;
	/**
	 * @requests_lost: value of @requests when the watchdog last took
	 * idempotent calls from the target.
	 */
	u64				requests_lost;
	/**
	 * @lost_ns: when that was, as ktime_get_ns() counts: idempotent calls
	 * sent up to then go to another target. Written by the watchdog.
	 */
	u64				lost_ns;
	/**
	 * @telling: the watchdog still has to tell callers that the target is
	 * ejected; written by the worker of the target's user.
	 */
	bool				telling;
	/**
	 * @last_told: number of the last endpoint that was told; written by
	 * that worker.
	 */
	unsigned long			last_told;
	/**
	 * @callers: requests that each user has in the upper half of the
	 * bulkhead; part of @load.in_flight. Owned. NULL if the target is a
	 * route.
	 */
	struct weir_callers		*callers;
	/**
	 * @hist: histogram of the times from request to reply;
	 * ep->dispatch_lock.
	 */
	struct weir_hist		hist;
};

/* target.c */
int weir_target_serve(struct weir_owner *o, struct weir_endpoint *ep,
		      struct weir_ioc_serve *serve);
struct weir_target *weir_target_add(struct weir_owner *o,
				    struct weir_route *route,
				    struct weir_endpoint *ep,
				    struct weir_callers *callers,
				    struct weir_route *next, u32 weight);
int weir_target_name_check(struct weir_owner *o, const struct weir_route *route,
			   const char *name);
void weir_target_name(struct weir_target *target, const char *name);
void weir_target_remove(struct weir_target *target);
bool weir_targets_leave(struct weir_endpoint *ep);
bool weir_targets_called(const struct weir_endpoint *ep);
void weir_targets_end(struct weir_endpoint *ep, bool called);
int weir_targets_drain(struct weir_owner *o, struct weir_endpoint *ep);
void weir_target_weigh(struct weir_target *target, u32 weight);
void weir_target_get(struct weir_target *target);
void weir_target_put(struct weir_target *target);
void weir_target_watch(struct weir_target *target);
bool weir_target_waits(const struct weir_target *target);

/* failover.c */
bool weir_target_tell_callers(struct weir_target *target);
bool weir_target_recheck_part(struct weir_job *job);
void weir_target_recheck(struct weir_target *target);
void weir_endpoint_died(struct weir_endpoint *server,
			const struct list_head *gone);

#endif /* _WEIR_TARGET_H */
