// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that find no target and wait for one: because their caller wants
 * that (WEIR_REC_WAIT), or because the route sends failed requests again.
 *
 * Such a request enters a call in state RETRY, and is sent again now and then
 * (weir_endpoint_retries()) until a target takes it, or its deadline comes. So
 * what waits takes slots, room for answers and a timer of the caller alone, its
 * user's worker looks for a target, and the call ends with the caller. A target
 * that comes does not know of it: no list of one user grows by what others do.
 */
#include "logic/calls.h"
#include "logic/retry.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/call.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/record.h"
#include "route/request.h"
#include "route/route.h"
#include "weir.h"

#define WEIR_READY_NEVER	U64_MAX

/*
 * How often a request with WEIR_REC_WAIT looks for a target. The longest pause
 * is what a target that comes has to wait for its first requests at most.
 */
static const struct weir_retry_conf weir_ready_conf = {
	.base_ns = 2 * NSEC_PER_MSEC,
	.max_ns = 50 * NSEC_PER_MSEC,
};

/*
 * A request that has looked WEIR_READY_LOOKS times waits for long. All of a
 * user that do look once in WEIR_READY_PACE_NS: so they take a share of a CPU,
 * however many they are.
 */
#define WEIR_READY_LOOKS	5
#define WEIR_READY_PACE_NS	(20 * NSEC_PER_USEC)

/**
 * weir_ready_may() - may a target come that takes a refused request?
 * @m: the message.
 * @attempt: attempt->reason says why it was refused.
 *
 * Return: false also if the route has a fallback reply for it.
 */
bool weir_ready_may(const struct weir_message *m,
		    const struct weir_attempt *attempt)
{
	/* with other reasons there may be no message to look at */
	return (attempt->reason == WEIR_REASON_NO_TARGET ||
		attempt->reason == WEIR_REASON_NO_ROUTE ||
		attempt->reason == WEIR_REASON_QUORUM) &&
	       m->kind == WEIR_KIND_REQUEST && !attempt->fallback_reply;
}

/*
 * When a request that weir_ready_may() is sent again, as ktime_get_ns() counts;
 * WEIR_READY_NEVER: its caller does not want that, or it has been tried as
 * often as the route says. @sends: attempts so far, this one included. @looks:
 * number of this look for a target. @route: may be NULL.
 */
static u64 weir_ready_ns(struct weir_endpoint *ep, const struct weir_message *m,
			 const struct weir_route *route, u32 sends, u32 looks)
{
	const struct weir_plan *plan = route ? weir_route_plan(route) : NULL;
	u32 random = weir_pass_random(ep);

	if (m->flags & WEIR_REC_WAIT)
		return ep->pass.now_ns +
		       weir_retry_delay_ns(&weir_ready_conf, looks, random);
	if (!(m->flags & WEIR_REC_IDEMPOTENT) || !plan ||
	    sends > plan->retry.tries)
		return WEIR_READY_NEVER;
	return ep->pass.now_ns +
	       weir_retry_delay_ns(&plan->retry, sends, random);
}

/* Has a call look for a target at @due_ns. It is in state RETRY. */
static void weir_ready_queue(struct weir_endpoint *ep,
			     struct weir_call_entry *call, u64 due_ns)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (call->looks > WEIR_READY_LOOKS)
		due_ns = weir_retry_spread_ns(&ep->tenant->ready_ns, due_ns,
					      WEIR_READY_PACE_NS);
	weir_call_table_retry(&ep->calls, call, due_ns);
	weir_endpoint_arm(ep, due_ns);
}

/**
 * weir_ready_begin() - have a request without a call wait for a target
 * @ep: the caller.
 * @m: the request; of a batch, only the first one waits.
 * @route: its route; NULL: there is none yet.
 * @attempt: as for weir_ready_may(), which has said yes; with the deadline that
 *	the routes so far allow. The call takes ep->pass.dup over.
 *
 * Return: WEIR_DELIVERED: it waits. WEIR_REFUSED: it does not want to.
 * WEIR_WAIT: the pass waits for a slot, or for room for the answer.
 */
enum weir_outcome weir_ready_begin(struct weir_endpoint *ep,
				   const struct weir_message *m,
				   const struct weir_route *route,
				   const struct weir_attempt *attempt)
{
	struct weir_post *post = &ep->inbox->post;
	u64 due_ns = weir_ready_ns(ep, m, route, 1, 1), deadline_ns;
	struct weir_call_entry *call;

	if (due_ns == WEIR_READY_NEVER)
		return WEIR_REFUSED;
	deadline_ns = attempt->reason == WEIR_REASON_NO_ROUTE ?
		      weir_unrouted_deadline(ep->pass.now_ns,
					     attempt->deadline_ns) :
		      attempt->deadline_ns;
	if (!(m->flags & WEIR_REC_WAIT) && due_ns >= deadline_ns)
		return WEIR_REFUSED;
	if (!weir_endpoint_ready(ep, 1, 1))
		return weir_send_wait_own(ep, m, deadline_ns, 1);
	call = weir_call_table_take(&ep->calls, true);
	call->pos = m->pos;
	weir_call_fill(call, m->route, m->tag_key, deadline_ns);
	call->tries = WEIR_CALL_UNSENT;
	call->looks = 1;
	if (!(m->flags & WEIR_REC_IDEMPOTENT))
		call->tries |= WEIR_CALL_ONCE;
	else if (!(m->flags & WEIR_REC_WAIT))
		weir_call_failed_nowhere(call);
	ep->answers--;
	call->dup = ep->pass.dup;
	ep->pass.dup = NULL;
	spin_lock(&post->lock);
	smp_store_release(&call->state, WEIR_CALL_RETRY);
	weir_ready_queue(ep, call, due_ns);
	weir_deadline_arm(ep, deadline_ns);
	spin_unlock(&post->lock);
	return WEIR_DELIVERED;
}

/**
 * weir_ready_again() - have a request that has a call wait for a target
 * @ep: the caller.
 * @m: the request, read again.
 * @route: its route; NULL: there is none now.
 * @attempt: as for weir_ready_may(), which has said yes; its call is in state
 *	RETRY, and not in weir_call_table.retries.
 *
 * Return: false when the call does not wait, or not any more.
 */
bool weir_ready_again(struct weir_endpoint *ep, const struct weir_message *m,
		      const struct weir_route *route,
		      const struct weir_attempt *attempt)
{
	struct weir_call_entry *call = attempt->call;
	u64 due_ns;

	if (m->flags & WEIR_REC_WAIT)
		call->looks = min(call->looks + 1U, 31U);
	else if (!attempt->no_room)
		weir_call_failed_nowhere(call);
	due_ns = weir_ready_ns(ep, m, route, weir_call_attempts(call),
			       call->looks);
	if (due_ns == WEIR_READY_NEVER)
		return false;
	if (!(m->flags & WEIR_REC_WAIT) && !attempt->no_room &&
	    due_ns >= call->deadline_ns)
		return false;
	spin_lock(&ep->inbox->post.lock);
	weir_ready_queue(ep, call, due_ns);
	spin_unlock(&ep->inbox->post.lock);
	return true;
}
