/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls of an endpoint, and what they hold of its inbox and of their
 * targets: see call.c. Calls that end without a reply are in answer.h.
 *
 * All in a section of a pass: see pass.h.
 */
#ifndef _WEIR_CALL_H
#define _WEIR_CALL_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/minmax.h>

#include "logic/account.h"
#include "logic/bulkhead.h"
#include "logic/calls.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "route/dup_call.h"
#include "route/endpoint.h"
#include "route/target.h"
#include "route/waiter.h"
#include "route/worker.h"
#include "tenant.h"
#include "uapi/weir_route.h"
#include "weir.h"

/* Room that each call keeps free in its caller's inbox, for its answer. */
#define WEIR_ANSWER_BYTES	WEIR_GRANULE

/* freed calls are enough for a fan-out: see weir_endpoint_slots() */
static_assert(WEIR_CALLS_PRUNED > WEIR_TARGETS_MAX);
static_assert(WEIR_HEADER_BYTES + sizeof(struct weir_refusal) <=
	      WEIR_ANSWER_BYTES);

/* Bit of weir_call_entry.round: weir_target.callers counts the call, too. */
#define WEIR_ROUND_SHARED	BIT(31)

/*
 * Number of calls that may end without a reply in one hold of post.lock. The
 * caller stops at this number, or at a few more.
 */
#define WEIR_ENDED_MAX	64

/*
 * Returns how long a call took that was sent at @sent_ns, without the time in
 * which replies of its target @ep waited for callers (up to @waited_ns). All in
 * ns.
 */
static inline s64 weir_took_less_waits(const struct weir_endpoint *ep,
				       s64 took_ns, u64 sent_ns, u64 waited_ns)
{
	s64 less = waited_ns - max(READ_ONCE(ep->reply_wait_begin_ns), sent_ns);

	return took_ns - clamp_t(s64, less, 0, took_ns);
}

/*
 * Gives back the space of records that have been routed, up to the oldest one
 * whose call may still be sent again. The caller then fences and calls
 * weir_ring_moved().
 */
static __always_inline void weir_endpoint_release(struct weir_endpoint *ep)
{
	struct weir_cursor *cursor = ep->rd->cursor;
	struct weir_call_entry *oldest;
	u64 pos = ep->pos;

	weir_call_table_prune(&ep->calls);
	oldest = weir_call_table_oldest(&ep->calls);
	if (oldest) {
		pos = oldest->pos;
		/* more have ended than are freed at once: a worker goes on */
		if (unlikely(weir_call_state(oldest) == WEIR_CALL_SPENT))
			weir_endpoint_queue(ep);
	}
	if (pos != READ_ONCE(cursor->pos))
		smp_store_release(&cursor->pos, pos);		/* (D) */
}

/* The round of the target's breaker, from the round of a call. */
static inline u32 weir_round(u32 round)
{
	return round & ~WEIR_ROUND_SHARED;
}

/* The number of a caller's user for breakers; the same in all namespaces. */
static inline u32 weir_endpoint_user(const struct weir_endpoint *caller)
{
	return __kuid_val(caller->tenant->uid);
}

/* Requests of the caller's user that weir_target.callers counts. */
static inline atomic_t *weir_target_own(struct weir_target *target,
					const struct weir_endpoint *caller)
{
	u32 slot = weir_user_slot(caller->account);

	return &target->callers->in_flight[slot];
}

/* @n requests of one caller, let through in @round, have left a target. */
static inline void weir_target_left(struct weir_target *target,
				    const struct weir_endpoint *caller, u32 n,
				    u32 round)
{
	weir_bulkhead_give(&target->load.in_flight, n);
	if (round & WEIR_ROUND_SHARED)
		weir_bulkhead_give(weir_target_own(target, caller), n);
}

/* call.c */
bool weir_endpoint_reserve(struct weir_endpoint *ep, u32 least);
bool weir_endpoint_slots(struct weir_endpoint *ep, u32 n);
bool weir_endpoint_more(struct weir_endpoint *ep);

/*
 * weir_endpoint_unawaited() - end a hold of post.lock in which calls may have
 * ended
 *
 * Has those targets look again that wait for room to reply to these calls.
 * Called once in a hold, because it takes as long for one call as for many.
 */
static inline void weir_endpoint_unawaited(struct weir_endpoint *ep)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (ep->ended && !list_empty(&ep->inbox->post.waiting))
		weir_waiters_unawaited(ep->inbox, ep->ended);
	ep->ended = 0;
}

/*
 * Some calls have ended. Their caller may wait for a slot, or for the space of
 * their records: then a worker looks.
 */
static __always_inline void weir_calls_ended(struct weir_endpoint *ep)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (unlikely(READ_ONCE(ep->waits_for_slot)) ||
	    unlikely(READ_ONCE(weir_ring_status(ep->outbox)->wake) &
		     WEIR_WAKE_WRITER))
		weir_endpoint_queue(ep);
}

/* Ends a call: leaves its idempotency entry and frees its slot. */
static __always_inline void weir_call_end(struct weir_endpoint *ep,
					  struct weir_call_entry *call)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (unlikely(call->dup))
		weir_dup_call_leave(call);
	call->parent = WEIR_CALL_NONE;
	weir_call_table_put(&ep->calls, call);
	weir_calls_ended(ep);
}

/* Fills in a call from its request. The caller stores the state last. */
static __always_inline void weir_call_fill(struct weir_call_entry *call,
					   u32 handle, u64 tag_key,
					   u64 deadline_ns)
{
	call->handle = handle;
	call->tag_key = tag_key;
	call->deadline_ns = deadline_ns;
}

#endif /* _WEIR_CALL_H */
