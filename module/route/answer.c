// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that end: what they hold is free again, their parent (a call to
 * several targets) learns of it, and the router answers those that no target
 * has answered. There is always room for such an answer: each call keeps a
 * granule of its caller's inbox for it.
 *
 * Process context, under post.lock of the caller's inbox.
 */
#include "route/pass.h"
#include "trace.h"

/* Times that a request goes to another target because its own is lost. */
#define WEIR_MOVES_MAX	8

/*
 * An answer that the router makes itself. There is room for it: it was kept
 * when the call began. Under the inbox's post.lock.
 */
void weir_endpoint_fault(struct weir_endpoint *ep, u32 handle, u64 tag_key,
			 u8 flags, const struct weir_fault *fault)
{
	struct weir_reservation at = { .inbox = ep->inbox };

	if (!weir_inbox_claim(ep->inbox, WEIR_ANSWER_BYTES, 0, &at.pos,
			      &at.seq))
		return;		/* the socket is gone, or lies about its cursor */
	weir_reservation_fill(&at, (const u8 *)fault, sizeof(*fault),
			      (u64)WEIR_KIND_ERROR << WEIR_KIND_SHIFT |
				      (u64)(flags | WEIR_REC_ROUTER)
					      << WEIR_FLAGS_SHIFT,
			      handle, tag_key, 0);
}

/*
 * The record that a target has not read yet is nothing to it any more. Whoever
 * has it in hand already goes on with it, and is late. Best effort: the lock
 * of another inbox is taken only if it is free.
 */
static void weir_call_withdraw(const struct weir_call *call)
{
	struct weir_ring *inbox = call->target->ep->inbox;
	u64 pos = call->commit - inbox->view.secret;
	struct weir_record *rec = weir_ring_at(&inbox->view, pos);

	/* it has no place yet, or another has the lock */
	if (!call->commit || !spin_trylock(&inbox->post.lock))
		return;
	/* not where somebody may be writing a later one */
	if (inbox->post.pos - pos <= weir_ring_bytes(&inbox->view) &&
	    READ_ONCE(rec->commit) == call->commit)
		WRITE_ONCE(rec->flags, rec->flags | WEIR_REC_ABORTED);
	spin_unlock(&inbox->post.lock);
}

/* A target has a request less, of the caller @ep. */
void weir_call_leave(struct weir_endpoint *ep, struct weir_call *call,
		     u64 now_ns, bool bad)
{
	struct weir_target *target = call->target;
	const struct weir_plan *plan;

	weir_target_left(target, ep, 1, call->round);
	rcu_read_lock();
	plan = rcu_dereference(target->route->plan);
	if (plan && plan->has_breaker) {
		if (bad)
			weir_breaker_done(&target->breaker, &plan->breaker,
					  now_ns, weir_round(call->round),
					  false, 0);
		else
			weir_breaker_forget(&target->breaker,
					    weir_round(call->round));
	}
	rcu_read_unlock();
}

/* A target that waits to reply to a call that is over need not any more. */
static void weir_endpoint_unawaited(struct weir_endpoint *ep)
{
	if (!list_empty(&ep->inbox->post.waiting))
		weir_waiters_unawaited(ep->inbox);
}

/* A parent is over, and all its children with it. */
static void weir_call_end_parent(struct weir_endpoint *ep,
				 struct weir_call *parent)
{
	u32 slot = parent->sibling;

	while (slot != WEIR_CALL_NONE) {
		struct weir_call *child = weir_calls_at(&ep->calls, slot);

		slot = child->sibling;
		if (child->state == WEIR_CALL_SENT) {
			weir_call_withdraw(child);
			weir_call_leave(ep, child, 0, false);
			ep->inbox->post.kept--;
			weir_endpoint_unawaited(ep);
		}
		weir_call_end(ep, child);
		ep->ended++;
	}
	weir_call_end(ep, parent);
}

/*
 * A child has been answered. Returns the WEIR_REC_MORE to hand its answer on
 * with, or -1 when it is not handed on; the slot stays the parent's.
 */
int weir_call_child_done(struct weir_endpoint *ep, struct weir_call *call,
			 bool good)
{
	struct weir_call *parent = weir_calls_at(&ep->calls, call->parent);
	bool over;

	call->state = WEIR_CALL_DONE;
	parent->left--;
	if (good && parent->need)
		parent->need--;
	over = parent->gather ? !parent->left :
	       !parent->need || parent->need > parent->left;
	if (over)
		weir_call_end_parent(ep, parent);
	else if (!parent->gather)
		return -1;
	return over ? 0 : WEIR_REC_MORE;
}

/* Counts and traces what a caller is refused, or a sender loses. */
void weir_refused(struct weir_route *route, u32 tag,
		  const struct weir_fault *fault)
{
	struct weir_path *path;

	this_cpu_inc(weir_drops[fault->reason]);
	if (!route)
		return;
	weir_route_count(route, WEIR_ROUTE_REFUSED + fault->reason, 1);
	if (!trace_weir_refuse_enabled())
		return;
	rcu_read_lock();
	path = READ_ONCE(route->path);
	trace_weir_refuse(path ? path->name : "", fault, tag);
	rcu_read_unlock();
}

/**
 * weir_call_lost() - the target of a call does not answer it
 * @ep: the caller, under its inbox's post.lock.
 * @call: sent.
 * @reason: WEIR_REASON_TARGET_DIED, or WEIR_REASON_TARGET_HUNG: then only what
 *	may be sent twice is taken from it; the rest it may yet answer.
 * @guard: told to the caller.
 *
 * When all that are lost have been seen to, weir_endpoint_lost_end() sends them
 * again.
 */
void weir_call_lost(struct weir_endpoint *ep, struct weir_call *call,
		    enum weir_reason reason, enum weir_guard guard)
{
	if (call->tries && call->tries <= WEIR_MOVES_MAX) {
		weir_call_withdraw(call);
		weir_call_leave(ep, call, ktime_get_ns(), true);
		call->state = WEIR_CALL_RETRY;
		weir_calls_retry(&ep->calls, call, 0);
	} else if (reason == WEIR_REASON_TARGET_DIED) {
		weir_route_answer(ep, call, NULL, reason, guard, 0);
	}
}

/**
 * weir_route_answer() - end a call without a reply
 * @ep: the caller, under its inbox's post.lock.
 * @call: sent, or waiting to be sent again.
 * @route: told to the counters; NULL: that of the target that has it.
 * @reason: told to the caller; WEIR_REASON_CLOSED: it is the caller that goes.
 * @guard: told to the caller, too.
 * @wait_ns: told to the caller, too.
 *
 * The caller's readers are woken by somebody else.
 */
void weir_route_answer(struct weir_endpoint *ep, struct weir_call *call,
		       struct weir_route *route, enum weir_reason reason,
		       enum weir_guard guard, u64 wait_ns)
{
	struct weir_fault fault = {
		.reason = reason,
		.guard = guard,
		.wait_ns = wait_ns,
	};
	u64 tag_key = call->tag_key;
	u32 handle = call->handle;
	bool gather;
	int more = 0;

	lockdep_assert_held(&ep->inbox->post.lock);
	ep->inbox->post.kept--;
	weir_endpoint_unawaited(ep);
	if (call->state == WEIR_CALL_SENT) {
		fault.target = call->target->id;
		if (!route)
			route = call->target->route;
		weir_call_withdraw(call);
		weir_call_leave(ep, call, ktime_get_ns(),
				reason == WEIR_REASON_DEADLINE);
	}
	if (call->state == WEIR_CALL_RETRY)
		weir_calls_retry_stop(&ep->calls, call);
	if (!weir_call_is_child(call) || reason == WEIR_REASON_CLOSED) {
		weir_call_end(ep, call);
	} else {
		gather = weir_calls_at(&ep->calls, call->parent)->gather;
		more = weir_call_child_done(ep, call, false);
		if (!gather && reason != WEIR_REASON_DEADLINE) {
			fault.reason = WEIR_REASON_QUORUM;
			fault.guard = WEIR_GUARD_POLICY;
		}
	}
	if (reason == WEIR_REASON_CLOSED || more < 0)
		return;
	weir_endpoint_fault(ep, handle, tag_key, more, &fault);
	weir_refused(route, (u32)tag_key, &fault);
}

