/* SPDX-License-Identifier: GPL-2.0 */
/* A socket, or another route, that serves a route: see target.c. */
#ifndef _WEIR_TARGET_H
#define _WEIR_TARGET_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/refcount.h>
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
 * @load: state that policies read: requests in flight, and whether it is up.
 * @forced: a control call holds the breaker open; written under weir_net.lock.
 * @gone: it takes no more messages; written under weir_net.lock.
 * @leaving: the control call in progress removes it; weir_net.lock.
 * @planned: it is @gone, but there was no memory for a plan without it; written
 *	by the thread or worker that ends the target.
 * @ejected: the watchdog has ejected it and has seen no progress since.
 * @watched: bit 0: the watchdog is to look at it. Changed by atomic operations.
 * @ep: endpoint of the socket, held; NULL if the target is a route.
 * @next: the route, held; NULL if the target is a socket.
 * @edge: edge to @next, until the target is about to leave; weir_net.lock.
 * @route: the route that it serves; held.
 * @breaker: its circuit breaker; has a lock of its own.
 * @requests: messages that were sent to it, those that want no answer included;
 *	ep->inbox->post.lock.
 * @replies: replies and errors that it gave; ep->dispatch_lock.
 * @errors: those of @replies that were errors; ep->dispatch_lock.
 * @expired: requests that it did not answer before their deadline.
 * @ejections: how often the watchdog has ejected it.
 * @ref: see the table of lifetimes.
 * @wn: namespace; never changes.
 * @free: frees the target after a grace period.
 * @late: job that looks for calls that were sent to the target after it was
 *	gone.
 * @seeking: @late has been added and has not begun. Changed by xchg().
 * @id: number in listings and errors; never changes.
 * @weight: share of the messages, relative to other targets; weir_net.lock.
 * @charge: the target, @callers and its entry in plans, paid by the user that
 *	added it; never changes.
 * @route_link: in weir_route.targets; weir_net.lock.
 * @ep_link: in weir_endpoint.targets, under weir_net.lock; once the target is
 *	gone, in weir_endpoint.gone.
 * @watch: has the worker of its endpoint's user look at it for the watchdog.
 * @seen_pos: position of its cursor in its inbox at the watchdog's last look.
 * @seen_out: position up to which its outbox had been routed at that look.
 * @still: looks in a row without a change of @seen_pos and @seen_out.
 * @moved: value of @requests when the watchdog last took idempotent calls from
 *	the target.
 * @lost_ns: when that was, as ktime_get_ns() counts: idempotent calls sent up
 *	to then go to another target. Written by the watchdog.
 * @telling: the watchdog still has to tell callers that the target is ejected;
 *	written by the worker of the target's user.
 * @told: number of the last endpoint that was told; written by that worker.
 * @callers: requests that each user has in the upper half of the bulkhead; part
 *	of @load.in_flight. Owned. NULL if the target is a route.
 * @hist: histogram of the times from request to reply; ep->dispatch_lock.
 */
struct weir_target {
	struct weir_load		load;
	bool				forced;
	bool				gone;
	bool				leaving;
	bool				planned;
	bool				ejected;
	unsigned long			watched;
	struct weir_endpoint		*ep;
	struct weir_route		*next;
	struct weir_edge		edge;
	struct weir_route		*route;
	struct weir_breaker		breaker;
	u64				requests;
	u64				replies;
	u64				errors;
	atomic64_t			expired;
	atomic64_t			ejections;
	refcount_t			ref;
	struct weir_net			*wn;
	struct rcu_work			free;
	struct weir_job			late;
	bool				seeking;
	u64				id;
	u32				weight;
	struct weir_charge		charge;
	struct list_head		route_link;
	struct list_head		ep_link;
	struct weir_timer		watch;
	u64				seen_pos;
	u64				seen_out;
	u32				still;
	u64				moved;
	u64				lost_ns;
	bool				telling;
	unsigned long			told;
	struct weir_callers		*callers;
	struct weir_hist		hist;
};

/* target.c */
int weir_target_serve(struct weir_sock *ws, void __user *arg);
int weir_target_serve_path(struct weir_sock *ws, struct weir_ioc_serve *serve);
struct weir_target *weir_target_add(struct weir_sock *ws,
				    struct weir_route *route,
				    struct weir_endpoint *ep,
				    struct weir_callers *callers,
				    struct weir_route *next, u32 weight);
void weir_target_remove(struct weir_target *target);
bool weir_targets_leave(struct weir_endpoint *ep);
bool weir_targets_called(const struct weir_endpoint *ep);
void weir_targets_end(struct weir_endpoint *ep, bool called);
void weir_target_weigh(struct weir_target *target, u32 weight);
void weir_target_get(struct weir_target *target);
void weir_target_put(struct weir_target *target);
void weir_target_watch(struct weir_target *target);
bool weir_target_waits(const struct weir_target *target);

/* lost.c */
bool weir_endpoints_tell(struct weir_target *target);
bool weir_target_late_part(struct weir_job *job);
void weir_target_sent_late(struct weir_target *target);
void weir_endpoint_died(const struct weir_endpoint *server,
			const struct list_head *gone);

#endif /* _WEIR_TARGET_H */
