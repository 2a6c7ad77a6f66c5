/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Routed messages: the objects, and the holders of references. weir.h has the
 * order of locks.
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

void weir_dispatch_wanted(struct weir_endpoint *ep);
void weir_pass_begin(struct weir_endpoint *ep,
		     enum weir_dispatcher dispatcher);
void weir_pass_settle(struct weir_endpoint *ep);
void weir_pass_dispatch(struct weir_endpoint *ep);
void weir_pass_work(struct weir_endpoint *ep);
void weir_pass_poll(struct weir_endpoint *ep, u64 pos);
bool weir_pass_last(struct weir_endpoint *ep);

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
	weir_pass_dispatch(ep);
	if (unlikely(READ_ONCE(ep->poller)))
		weir_poll_kick(ep);
}

#endif /* _WEIR_ROUTER_H */
