// SPDX-License-Identifier: GPL-2.0
/*
 * The end of calls. A call that ends frees what it holds, and tells its parent
 * (the call of a fan-out), if it has one. The router itself answers a call that
 * no target has answered. There is always room for this answer: each open call
 * keeps a granule of its caller's inbox.
 *
 * Process context, under post.lock of the caller's inbox.
 */
#include "logic/breaker.h"
#include "logic/calls.h"
#include "path.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/endpoint.h"
#include "route/handle.h"
#include "route/move.h"
#include "route/plan.h"
#include "route/record.h"
#include "route/route.h"
#include "route/target.h"
#include "stats.h"
#include "trace.h"
#include "weir.h"

/* A request that its target has lost is sent again after up to 8 tries. */
#define WEIR_MOVES_MAX	8

/*
 * weir_endpoint_refusal() - write an error of the router into a caller's inbox
 *
 * @ep: the caller's endpoint. @handle, @tag_key: of the request. @flags:
 * WEIR_REC_MORE or 0. @refusal: payload. There is room: the caller of this
 * function has just given back a granule that was kept.
 */
void weir_endpoint_refusal(struct weir_endpoint *ep, u32 handle, u64 tag_key,
			   u8 flags, const struct weir_refusal *refusal)
	__must_hold(&ep->inbox->post.lock)
{
	struct weir_reservation at = { .inbox = ep->inbox };

	lockdep_assert_held(&ep->inbox->post.lock);
	if (!weir_inbox_claim(ep->inbox, WEIR_ANSWER_BYTES, 0, &at.pos,
			      &at.seq))
		return;		/* the socket is gone, or its cursor invalid */
	weir_reservation_fill(&at, (const u8 *)refusal, sizeof(*refusal),
			      (u64)WEIR_KIND_ERROR << WEIR_KIND_SHIFT |
				      (u64)(flags | WEIR_REC_ROUTER)
					      << WEIR_FLAGS_SHIFT,
			      handle, tag_key);
}

/*
 * Marks a call's record in the target's inbox as aborted, so that the target
 * passes it over. A target that has read it already goes on, and replies too
 * late. Best effort: the lock of the target's inbox is taken only if it is
 * free, since post.lock of the caller's inbox is held.
 */
static void weir_call_withdraw(const struct weir_call_entry *call)
{
	struct weir_ring *inbox = call->target->ep->inbox;
	u64 pos = call->commit - inbox->view.secret;
	struct weir_record *rec = weir_ring_at(&inbox->view, pos);

	/* it has no space yet, or the lock is taken */
	if (!call->commit || !spin_trylock(&inbox->post.lock))
		return;
	/* not if the space may have been claimed for a later record */
	if (inbox->post.pos - pos <= weir_ring_bytes(&inbox->view) &&
	    READ_ONCE(rec->commit) == call->commit)
		WRITE_ONCE(rec->flags, rec->flags | WEIR_REC_ABORTED);
	spin_unlock(&inbox->post.lock);
}

/*
 * Reports a deadline that has passed to the breaker of the call's target. A
 * caller may choose any deadline, and may keep the target waiting for room. So
 * the call counts as an error of the target only if it took the route's own
 * time. It counts as slow only if it took longer than a call may take. The time
 * in which replies of the target waited for a caller is taken off. @user: the
 * caller's user.
 */
static void weir_call_overdue(const struct weir_call_entry *call,
			      const struct weir_plan *plan, u32 user,
			      u64 now_ns)
{
	struct weir_target *target = call->target;
	const struct weir_endpoint *ep = target->ep;
	const struct weir_breaker_conf *c = &plan->breaker;
	s64 took_ns = max_t(s64, now_ns - call->sent_ns, 0);
	u32 round = weir_round(call->round);
	bool good;

	took_ns = weir_took_less_waits(ep, took_ns, call->sent_ns,
				       weir_target_waits(target) ? now_ns :
				       READ_ONCE(ep->reply_wait_end_ns));
	good = took_ns < (s64)plan->timeout_ns;
	if (!good || took_ns > (s64)plan->slow_threshold_ns)
		weir_breaker_done(&target->breaker, c, user, now_ns, round,
				  good, took_ns);
	else
		weir_breaker_forget(&target->breaker, user, round, true);
}

/*
 * weir_call_leave() - a sent call leaves its target
 *
 * Gives back its slot in the bulkhead. @reason: why the call ends at @now_ns:
 * the breaker counts the call as an error of the target; WEIR_REASON_DEADLINE:
 * see weir_call_overdue(); WEIR_REASON_NONE: the breaker forgets it. Under
 * post.lock of @ep's inbox; @ep is the caller's endpoint.
 */
void weir_call_leave(struct weir_endpoint *ep, struct weir_call_entry *call,
		     u64 now_ns, enum weir_reason reason)
	__must_hold(&ep->inbox->post.lock)
{
	struct weir_target *target = call->target;
	u32 user = weir_endpoint_user(ep);
	const struct weir_plan *plan;

	lockdep_assert_held(&ep->inbox->post.lock);
	weir_target_left(target, ep, 1, call->round);
	rcu_read_lock();
	plan = weir_route_plan(target->route);
	if (plan && plan->has_breaker) {
		if (reason == WEIR_REASON_DEADLINE)
			weir_call_overdue(call, plan, user, now_ns);
		else if (reason == WEIR_REASON_NONE)
			weir_breaker_forget(&target->breaker, user,
					    weir_round(call->round), true);
		else
			weir_breaker_done(&target->breaker, &plan->breaker,
					  user, now_ns, weir_round(call->round),
					  false, 0);
	}
	rcu_read_unlock();
}

/**
 * weir_call_end_parent() - end a parent and all its children
 * @ep: the caller's endpoint, under post.lock of its inbox; ep->ended counts
 *	the children. Before the caller of this function lets go of the lock, it
 *	calls weir_endpoint_unawaited().
 * @parent: the call, in state PARENT.
 *
 * No child outlives its parent: it would count itself off at whatever call has
 * the parent's slot then.
 */
void weir_call_end_parent(struct weir_endpoint *ep,
			  struct weir_call_entry *parent)
	__must_hold(&ep->inbox->post.lock)
{
	u32 slot = parent->sibling;

	lockdep_assert_held(&ep->inbox->post.lock);
	while (slot != WEIR_CALL_NONE) {
		struct weir_call_entry *child;

		child = weir_call_table_at(&ep->calls, slot);
		slot = child->sibling;
		WARN_ON_ONCE(child->state == WEIR_CALL_FREE);
		if (child->state == WEIR_CALL_SENT) {
			weir_call_withdraw(child);
			weir_call_leave(ep, child, 0, WEIR_REASON_NONE);
			ep->inbox->post.kept--;
		}
		weir_call_end(ep, child);
		ep->ended++;
	}
	weir_call_end(ep, parent);
}

/*
 * weir_call_child_done() - a child of a fan-out call has its answer
 *
 * @ep: the caller's endpoint. @good: the answer is a good reply. Ends the
 * parent and all its children if this answer decides the call. Otherwise the
 * child's slot stays taken until the parent ends. The caller calls
 * weir_endpoint_unawaited() as for weir_call_end_parent().
 *
 * Returns whether the answer is delivered. @flags: out: the flags to deliver it
 * with: WEIR_REC_MORE if others follow, else 0.
 */
bool weir_call_child_done(struct weir_endpoint *ep,
			  struct weir_call_entry *call,
			  bool good, u8 *flags)
	__must_hold(&ep->inbox->post.lock)
{
	struct weir_call_entry *parent;
	bool over;

	lockdep_assert_held(&ep->inbox->post.lock);
	parent = weir_call_table_at(&ep->calls, call->parent);
	WARN_ON_ONCE(parent->state != WEIR_CALL_PARENT);
	call->state = WEIR_CALL_DONE;
	parent->left--;
	if (good && parent->need)
		parent->need--;
	over = parent->gather ? !parent->left :
	       !parent->need || parent->need > parent->left;
	*flags = over ? 0 : WEIR_REC_MORE;
	if (over)
		weir_call_end_parent(ep, parent);
	return over || parent->gather;
}

/*
 * weir_refused() - count and trace a message that is refused or lost
 *
 * @route: its route, which counts it; NULL: no route counts it. @tag: of the
 * message.
 */
void weir_refused(struct weir_route *route, u32 tag,
		  const struct weir_refusal *refusal)
{
	struct weir_path *path;

	this_cpu_inc(weir_drops[refusal->reason]);
	if (!route)
		return;
	weir_route_count(route, WEIR_ROUTE_REFUSED + refusal->reason, 1);
	if (!trace_weir_refuse_enabled())
		return;
	rcu_read_lock();
	path = READ_ONCE(route->path);
	trace_weir_refuse(path ? path->name : "", refusal, tag);
	rcu_read_unlock();
}

/*
 * weir_refused_name() - the same for a message whose name leads to no route
 *
 * @h: the handle that the message names, under its endpoint's dispatch_lock;
 * NULL: it names none.
 */
void weir_refused_name(const struct weir_handle *h, u32 tag,
		       const struct weir_refusal *refusal)
{
	this_cpu_inc(weir_drops[refusal->reason]);
	weir_refused_trace(h, tag, refusal);
}

/* weir_refused_trace() - trace such a message, which has been counted */
void weir_refused_trace(const struct weir_handle *h, u32 tag,
			const struct weir_refusal *refusal)
{
	char path[WEIR_PATH_MAX + 1];
	u32 len = h ? h->len : 0;

	if (!trace_weir_refuse_enabled())
		return;
	if (h)
		memcpy(path, h->path, len);
	path[len] = '\0';
	trace_weir_refuse(path, refusal, tag);
}

/**
 * weir_call_lost() - handle a call whose target is gone or ejected
 * @ep: the caller's endpoint.
 * @call: the call, in state SENT.
 * @reason: WEIR_REASON_TARGET_DIED, or WEIR_REASON_TARGET_EJECTED: the target
 *	is ejected, but may still answer.
 * @guard: reported to the caller.
 *
 * A call that may be sent twice is taken from the target and queued to be sent
 * again. Any other call is answered with an error if the target has died; it
 * stays as it is if the target is ejected.
 *
 * The calls are sent again, in order, when the look for lost calls is over.
 */
void weir_call_lost(struct weir_endpoint *ep, struct weir_call_entry *call,
		    enum weir_reason reason, enum weir_guard guard)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (call->tries && call->tries <= WEIR_MOVES_MAX) {
		weir_call_withdraw(call);
		weir_call_leave(ep, call, ktime_get_ns(), reason);
		weir_call_failed_at(call, call->target->id);
		call->state = WEIR_CALL_RETRY;
		weir_call_table_retry(&ep->calls, call, 0);
	} else if (reason == WEIR_REASON_TARGET_DIED) {
		weir_call_answer(ep, call, NULL, reason, guard, 0);
	}
}

/**
 * weir_call_answer() - end a call without a reply of its target
 * @ep: the caller's endpoint.
 * @call: the call: SENT, RETRY or WAIT.
 * @route: route whose counters count the error; NULL: that of the target, if
 *	the call has been sent to one.
 * @reason: reported to the caller. WEIR_REASON_CLOSED: nothing is reported,
 *	since the caller goes or has its answer already; not for a child.
 * @guard: reported to the caller.
 * @wait_ns: reported to the caller: time after which it may try again, in ns;
 *	0: not known.
 *
 * A child of a quorum call reports nothing unless this decides the call; then
 * it reports WEIR_REASON_QUORUM in place of any reason but a deadline.
 *
 * This function neither wakes the readers of the caller's inbox, nor has
 * targets look again that wait for room there (weir_endpoint_unawaited()). Its
 * caller does both.
 */
void weir_call_answer(struct weir_endpoint *ep, struct weir_call_entry *call,
		      struct weir_route *route, enum weir_reason reason,
		      enum weir_guard guard, u64 wait_ns)
	__must_hold(&ep->inbox->post.lock)
{
	struct weir_refusal refusal = {
		.reason = reason,
		.guard = guard,
		.wait_ns = wait_ns,
	};
	u64 tag_key = call->tag_key;
	u32 handle = call->handle;
	bool gather, delivered = true;
	u8 flags = 0;

	lockdep_assert_held(&ep->inbox->post.lock);
	ep->inbox->post.kept--;
	ep->ended++;
	if (call->state == WEIR_CALL_SENT) {
		refusal.target = call->target->id;
		if (!route)
			route = call->target->route;
		weir_call_withdraw(call);
		weir_call_leave(ep, call, ktime_get_ns(),
				reason == WEIR_REASON_DEADLINE ?
				reason : WEIR_REASON_NONE);
	}
	if (call->state == WEIR_CALL_RETRY) {
		weir_call_table_retry_stop(&ep->calls, call);
		if (!call->tries) {
			if (reason == WEIR_REASON_TARGET_DIED)
				refusal.target = call->moved->target;
			weir_moved_free(call->moved);
		}
	}
	if (!weir_call_is_child(call)) {
		weir_call_end(ep, call);
	} else {
		gather = weir_call_table_at(&ep->calls, call->parent)->gather;
		delivered = weir_call_child_done(ep, call, false, &flags);
		if (!gather && reason != WEIR_REASON_DEADLINE) {
			refusal.reason = WEIR_REASON_QUORUM;
			refusal.guard = WEIR_GUARD_POLICY;
		}
	}
	if (reason == WEIR_REASON_CLOSED || !delivered)
		return;
	weir_endpoint_refusal(ep, handle, tag_key, flags, &refusal);
	weir_refused(route, (u32)tag_key, &refusal);
}
