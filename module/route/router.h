/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Routed messages: the objects, the holders of references, the order of locks.
 *
 *   object        held by                              last put
 *   weir_endpoint its owner, the targets it serves,    a grace period later:
 *                 its work item, its timer           frees its calls, puts
 *                 while set, idempotency entries     its rings
 *   weir_route    its path, targets, handles, plans    frees it
 *                 that name it
 *   weir_target   its route's list, plans, its timer   a grace period later:
 *                 while set, its job @recheck        puts endpoint and routes
 *   weir_plan     its route alone                      a grace period later:
 *                                                      puts targets, routes
 *
 * Each is in the header of its name. So are weir_handle, weir_pass, the records
 * that a pass reads and writes, and the calls of an endpoint.
 *
 * A message goes from an outbox to an inbox in a section of a pass, under
 * rcu_read_lock_bh(): see pass.h. The router follows the handle to the plan,
 * the target and its endpoint. Data that all messages share is only read on
 * this path. Data that is written belongs to the caller, to the target or to
 * the rate limit of one route.
 *
 * Lock order. The numbers are those of weir.h; a letter marks a lock that comes
 * in between.
 *   1 lock_sock
 *   1a weir_user.change_lock   one user's changes of routes at a time
 *   2 weir_net.lock            routes, targets, plans
 *   2a poll_lock, then weir_poller.lock (poller.c). The lock of CPU hotplug
 *      comes before poll_lock.
 *   2b weir_endpoint.dispatch_lock
 *                              one pass over an outbox at a time
 *   7 weir_ring.lock
 *   8 weir_ring.post.lock      of an inbox: space in it, and its endpoint's
 *                              calls; a second one only by spin_trylock()
 *   9 weir_ring.lock of an inbox; weir_breaker.lock; weir_dups.lock
 */
#ifndef _WEIR_ROUTER_H
#define _WEIR_ROUTER_H

#include <linux/bitops.h>
#include <linux/lockdep.h>

#include "ring/ring.h"
#include "ring/wake.h"
#include "route/dispatch_lock.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/poller.h"
#include "weir.h"

bool weir_endpoint_more(struct weir_endpoint *ep);
void weir_dispatch_wanted(struct weir_endpoint *ep);
void weir_route_begin(struct weir_endpoint *ep,
		      enum weir_dispatcher dispatcher);
void weir_route_settle(struct weir_endpoint *ep);
void weir_route_dispatch(struct weir_endpoint *ep);
void weir_route_work(struct weir_endpoint *ep);
void weir_route_poll(struct weir_endpoint *ep, u64 pos);
bool weir_route_last(struct weir_endpoint *ep);

/* Releases dispatch_lock, and calls a worker or a sleeper that wants it. */
static __always_inline void weir_dispatch_unlock(struct weir_endpoint *ep)
{
	struct weir_dispatch_lock *l = &ep->dispatch_lock;

	lock_release(&l->dep_map, _RET_IP_);
	clear_bit_unlock(WEIR_DISPATCH_LOCKED, &l->word);
	smp_mb__after_atomic();
	if (unlikely(READ_ONCE(l->word) & (BIT(WEIR_DISPATCH_LATER) |
					   BIT(WEIR_DISPATCH_WAITED))))
		weir_dispatch_wanted(ep);
}

/* The owner has kicked: routes the records that it committed. May sleep. */
static inline void weir_endpoint_kick(struct weir_endpoint *ep)
{
	weir_route_dispatch(ep);
	if (unlikely(READ_ONCE(ep->poller)))
		weir_poll_kick(ep);
}

#endif /* _WEIR_ROUTER_H */
