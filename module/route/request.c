// SPDX-License-Identifier: GPL-2.0
/*
 * Requests, and messages that want no answer, from their handle to the route
 * that takes them (deliver.c). If no target takes a message, it waits, or is
 * answered with the fallback reply or with the reason. A request with an
 * idempotency key is compared with earlier ones first. A request that a target
 * has lost is sent again.
 *
 * In a section of a pass: see pass.h.
 */
#include "logic/calls.h"
#include "logic/dup.h"
#include "net.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/copy.h"
#include "route/dup_call.h"
#include "route/endpoint.h"
#include "route/handle.h"
#include "route/move.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/record.h"
#include "route/reply.h"
#include "route/request.h"
#include "route/route.h"
#include "route/target.h"
#include "weir.h"

static enum weir_guard weir_reason_guard(enum weir_reason reason)
{
	switch (reason) {
	case WEIR_REASON_NO_ROUTE:
	case WEIR_REASON_NO_TARGET:
	case WEIR_REASON_LOOP:
	case WEIR_REASON_TRIES:
		return WEIR_GUARD_ROUTE;
	case WEIR_REASON_DENIED:
		return WEIR_GUARD_PERMISSION;
	case WEIR_REASON_DEADLINE:
		return WEIR_GUARD_DEADLINE;
	case WEIR_REASON_RATE:
		return WEIR_GUARD_BUCKET;
	case WEIR_REASON_BULKHEAD:
		return WEIR_GUARD_BULKHEAD;
	case WEIR_REASON_BREAKER:
		return WEIR_GUARD_BREAKER;
	case WEIR_REASON_INBOX_FULL:
	case WEIR_REASON_TOO_LARGE:
		return WEIR_GUARD_INBOX;
	case WEIR_REASON_QUORUM:
		return WEIR_GUARD_POLICY;
	case WEIR_REASON_BAD_REQUEST:
		return WEIR_GUARD_CHECK;
	case WEIR_REASON_KEY_REUSED:
		return WEIR_GUARD_DUP;
	default:
		return WEIR_GUARD_NONE;
	}
}

/*
 * Answers a message that has no call yet with a refusal. Returns
 * WEIR_DELIVERED, or WEIR_WAIT: there is no room for the answer.
 */
enum weir_outcome weir_refuse_message(struct weir_endpoint *ep,
				      const struct weir_message *m,
				      struct weir_route *route,
				      const struct weir_target *refuser,
				      enum weir_reason reason, u64 wait_ns)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_refusal refusal = {
		.reason = reason,
		.guard = weir_reason_guard(reason),
		.target = refuser ? refuser->id : 0,
		.wait_ns = wait_ns,
	};

	if (m->kind == WEIR_KIND_REQUEST) {
		if (!weir_endpoint_ready(ep, 1, 0))
			return weir_pass_wait(&ep->pass, ep->inbox,
					      WEIR_ANSWER_BYTES);
		ep->answers--;
		spin_lock(&post->lock);
		post->kept--;
		weir_endpoint_refusal(ep, m->route, m->tag_key, 0, &refusal);
		spin_unlock(&post->lock);
	}
	if (route)
		weir_refused(route, (u32)m->tag_key, &refusal);
	else
		weir_refused_name(weir_endpoint_handle(ep, m), (u32)m->tag_key,
				  &refusal);
	return WEIR_DELIVERED;
}

/*
 * Answers with a stored reply: the route's fallback reply, or @reply, of which
 * it takes a reference if the copy is made later. Returns WEIR_DELIVERED or
 * WEIR_WAIT. Seven parameters: a fallback reply and a remembered reply have no
 * structure in common.
 */
static enum weir_outcome
weir_send_stored(struct weir_endpoint *ep, const struct weir_message *m,
		 u8 kind, u8 flags, const u8 *data, u32 len,
		 struct weir_dup_reply *reply)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_copy copy = {
		.at.inbox = ep->inbox,
		.from = data,
		.len = len,
		.header = (u64)kind << WEIR_KIND_SHIFT |
			 (u64)flags << WEIR_FLAGS_SHIFT,
		.route = m->route,
		.tag_key = m->tag_key,
		.reply = reply,
	};
	u32 total = weir_ring_need(len);
	u64 keep;
	bool got;

	if (weir_copy_left(&ep->pass, len))
		return WEIR_WAIT;
	spin_lock(&post->lock);
	keep = (u64)post->kept * WEIR_ANSWER_BYTES;
	got = weir_inbox_claim(ep->inbox, total, keep, &copy.at.pos,
			       &copy.at.seq);
	spin_unlock(&post->lock);
	if (!got && total > weir_ring_bytes(&ep->inbox->view))
		return weir_refuse_message(ep, m, NULL, NULL,
					   WEIR_REASON_TOO_LARGE, 0);
	if (!got)
		return weir_pass_wait(&ep->pass, ep->inbox, total);
	if (len > WEIR_PIECE_BYTES) {
		refcount_inc(&reply->refs);
		weir_copy_later(&ep->pass, &copy);
	} else {
		weir_reservation_fill(&copy.at, data, len, copy.header,
				      m->route, m->tag_key);
	}
	return WEIR_DELIVERED;
}

/* The pass waits with a message; with a request until @deadline_ns at most. */
static enum weir_outcome weir_request_wait(struct weir_endpoint *ep,
					   const struct weir_message *m,
					   u64 deadline_ns,
					   struct weir_ring *inbox, u64 bytes)
{
	if (ep->blocked_pos != m->pos || ep->blocked_payer) {
		ep->blocked_pos = m->pos;
		weir_endpoint_set_payer(ep, NULL);
		WRITE_ONCE(ep->blocked_until_ns, m->kind == WEIR_KIND_REQUEST ?
			   deadline_ns : U64_MAX);
	}
	return weir_pass_wait(&ep->pass, inbox, bytes);
}

/* The same for slots or room that weir_endpoint_ready() did not find. */
enum weir_outcome weir_send_wait_own(struct weir_endpoint *ep,
				     const struct weir_message *m,
				     u64 deadline_ns, u32 answers)
{
	/* a pass that waits for a slot is called when one is free */
	return weir_request_wait(ep, m, deadline_ns, ep->inbox,
				 ep->waits_for_slot ? U64_MAX :
				 (u64)answers * WEIR_ANSWER_BYTES);
}

/*
 * The caller has too few slots, or too little room for answers, for a request
 * that has waited for a target. It looks again later, since a pass waits only
 * for what is next in the outbox. It takes no fallback: no target has refused
 * it. Returns WEIR_REFUSED.
 */
static enum weir_outcome weir_again_no_room(struct weir_attempt *attempt)
{
	attempt->no_room = true;
	attempt->fallback_reply = NULL;
	return weir_attempt_refuse(attempt, WEIR_REASON_NO_TARGET);
}

/*
 * A message was not sent. @ret: WEIR_WAIT or WEIR_REFUSED. Has the pass wait if
 * there may be room for the message later. Returns WEIR_WAIT, or WEIR_REFUSED:
 * its sender does not know yet.
 */
static noinline enum weir_outcome
weir_send_stopped(struct weir_endpoint *ep, const struct weir_message *m,
		  struct weir_attempt *attempt, enum weir_outcome ret)
{
	struct weir_ring *inbox;

	if (ret == WEIR_WAIT && ep->pass.left_over)
		return ret;
	if (ret == WEIR_WAIT)
		return attempt->call ? weir_again_no_room(attempt) :
		       weir_send_wait_own(ep, m, attempt->deadline_ns,
					  attempt->answers);
	if (attempt->reason != WEIR_REASON_INBOX_FULL || !attempt->full ||
	    !weir_message_waits(m))
		return ret;
	inbox = attempt->full->ep->inbox;
	weir_target_watch(attempt->full);
	if (attempt->call)
		return weir_pass_wait(&ep->pass, inbox, weir_message_need(m));
	return weir_request_wait(ep, m, attempt->deadline_ns, inbox,
				 weir_message_need(m));
}

/*
 * Sends messages of a batch through a route, to one target after another.
 * Returns WEIR_DELIVERED when pass.used of the messages that are then in @m
 * were sent; else as weir_send_stopped() for the first of them.
 */
static __always_inline enum weir_outcome
weir_send_routed(struct weir_endpoint *ep, struct weir_message *m,
		 struct weir_route *route, struct weir_attempt *attempt)
{
	enum weir_outcome ret;

	for (;;) {
		ret = weir_send_route(ep, m, route, attempt);
		if (unlikely(ret != WEIR_DELIVERED))
			return weir_send_stopped(ep, m, attempt, ret);
		/* after many steps the next section sends the rest */
		if (attempt->sent == m->n || ep->pass.steps > WEIR_STEPS_MAX) {
			ep->pass.used = attempt->sent;
			return WEIR_DELIVERED;
		}
		weir_batch_drop(&ep->outbox->view, m, attempt->sent);
		attempt->n = m->n;
		attempt->steps = 0;
		/* a batch of several has no @call, and names no deadline */
		attempt->deadline_ns = m->deadline_ns;
	}
}

/*
 * No target has taken a message that has no call yet. Answers it with the
 * fallback reply or with the reason, or drops it if its sender wants that.
 * Returns WEIR_DELIVERED or WEIR_WAIT.
 */
static noinline enum weir_outcome
weir_send_refused(struct weir_endpoint *ep, const struct weir_message *m,
		  struct weir_route *route, struct weir_attempt *attempt)
{
	enum weir_outcome ret;

	if (attempt->fallback_reply) {
		ret = weir_send_stored(ep, m, WEIR_KIND_REPLY, WEIR_REC_ROUTER,
				       attempt->fallback_reply->data,
				       attempt->fallback_reply->len, NULL);
		if (ret == WEIR_DELIVERED)
			weir_route_count(route, WEIR_ROUTE_FALLBACKS, 1);
		return ret;
	}
	if (weir_ready_may(m, attempt)) {
		ret = weir_ready_begin(ep, m, route, attempt);
		if (ret != WEIR_REFUSED)
			return ret;
	}
	/* if a full inbox is the reason, name its target */
	if (attempt->reason == WEIR_REASON_INBOX_FULL && attempt->full)
		attempt->refuser = attempt->full;
	if (attempt->reason == WEIR_REASON_INBOX_FULL &&
	    m->flags & WEIR_REC_DROP) {
		const struct weir_refusal refusal = {
			.reason = attempt->reason,
			.guard = WEIR_GUARD_INBOX,
			.target = attempt->refuser ? attempt->refuser->id : 0,
		};

		weir_refused(route, (u32)m->tag_key, &refusal);
		return WEIR_DELIVERED;
	}
	return weir_refuse_message(ep, m, route, attempt->refuser,
				   attempt->reason, attempt->wait_ns);
}

/* Sends messages through their route, or answers them: weir_request_route(). */
static enum weir_outcome weir_send_messages(struct weir_endpoint *ep,
					    struct weir_message *m,
					    struct weir_route *route)
{
	struct weir_attempt attempt = {
		.deadline_ns = m->deadline_ns,
		.answers = 1,
		.n = m->n,
	};
	enum weir_outcome ret = weir_send_routed(ep, m, route, &attempt);

	return likely(ret != WEIR_REFUSED) ?
	       ret : weir_send_refused(ep, m, route, &attempt);
}

/* Why a request with a key is refused; WEIR_REASON_NONE: it is not. */
static enum weir_reason weir_dup_reason(enum weir_dup_role role)
{
	switch (role) {
	case WEIR_ROLE_NO_MEMORY:
		return WEIR_REASON_NO_MEMORY;
	case WEIR_ROLE_LIMIT:
		return WEIR_REASON_LIMIT;
	case WEIR_ROLE_OTHER:
		return WEIR_REASON_KEY_REUSED;
	default:
		return WEIR_REASON_NONE;
	}
}

/* Answers with the leader's reply, and puts it. As weir_send_stored(). */
static enum weir_outcome weir_dup_call_answer(struct weir_endpoint *ep,
					      const struct weir_message *m,
					      struct weir_route *route,
					      struct weir_dup_reply *reply)
{
	enum weir_outcome ret = weir_send_stored(ep, m, reply->kind, 0,
						 reply->bytes, reply->len,
						 reply);

	weir_dup_reply_put(reply);
	if (ret == WEIR_DELIVERED)
		weir_route_count(route, WEIR_ROUTE_DUPS, 1);
	return ret;
}

/*
 * Routes a request with an idempotency key. Returns WEIR_DELIVERED or
 * WEIR_WAIT.
 */
static enum weir_outcome weir_request_dup(struct weir_endpoint *ep,
					  struct weir_message *m,
					  struct weir_route *route)
{
	const struct weir_plan *plan = weir_route_plan(route);
	struct weir_pass *pass = &ep->pass;
	struct weir_dup_reply *reply;
	enum weir_dup_role role;
	enum weir_outcome ret;
	u64 deadline_ns;

	if (!plan || !plan->dup)
		return weir_send_messages(ep, m, route);
	deadline_ns = weir_plan_deadline(plan, pass->now_ns, m->deadline_ns);
	role = weir_dup_call_begin(ep, m, NULL, plan->dup, deadline_ns, &reply);
	switch (role) {
	case WEIR_ROLE_NO_ROOM:
		return weir_send_wait_own(ep, m, deadline_ns, 1);
	case WEIR_ROLE_DIGEST:
		return WEIR_WAIT;
	case WEIR_ROLE_FOLLOWER:
		weir_route_count(route, WEIR_ROUTE_DUPS, 1);
		return WEIR_DELIVERED;
	case WEIR_ROLE_ANSWERED:
		return weir_dup_call_answer(ep, m, route, reply);
	case WEIR_ROLE_LEADER:
		break;
	default:
		return weir_refuse_message(ep, m, route, NULL,
					   weir_dup_reason(role), 0);
	}
	ret = weir_send_messages(ep, m, route);
	/* no call has taken the entry over: the leader waits, or is refused */
	if (pass->dup && ret == WEIR_WAIT)
		ep->blocked_dup = pass->dup;
	else if (pass->dup)
		weir_dup_call_complete(pass->dup);
	pass->dup = NULL;
	return ret;
}

/* Is the time over until which a message may be sent? */
static __always_inline bool weir_message_over(const struct weir_endpoint *ep,
					      const struct weir_message *m)
{
	/* no signed difference: a far deadline is not over */
	return unlikely(m->deadline_ns && m->deadline_ns <= ep->pass.now_ns) ||
	       unlikely(ep->blocked_pos == m->pos &&
			ep->blocked_until_ns <= ep->pass.now_ns);
}

/*
 * A message has no route, or may not use it: @reason. Answers it, or has it
 * wait for a route. Returns WEIR_DELIVERED or WEIR_WAIT.
 */
static noinline enum weir_outcome
weir_request_unrouted(struct weir_endpoint *ep, const struct weir_message *m,
		      enum weir_reason reason)
{
	struct weir_attempt attempt = {
		.deadline_ns = m->deadline_ns,
		.reason = reason,
	};
	enum weir_outcome ret = WEIR_REFUSED;

	if (weir_ready_may(m, &attempt) && m->flags & WEIR_REC_WAIT) {
		if (weir_message_over(ep, m))
			reason = WEIR_REASON_DEADLINE;
		else
			ret = weir_ready_begin(ep, m, NULL, &attempt);
	}
	return ret != WEIR_REFUSED ?
	       ret : weir_refuse_message(ep, m, NULL, NULL, reason, 0);
}

/**
 * weir_request_route() - route requests, or messages that want no answer
 * @ep: the caller.
 * @m: a batch of one handle, kind and flags; if it has several messages, none
 *	has a deadline or an idempotency key. Those sent early are dropped.
 *
 * Return: WEIR_DELIVERED when pass.used of those in @m, at least one, were sent
 * or answered; or WEIR_WAIT.
 */
enum weir_outcome weir_request_route(struct weir_endpoint *ep,
				     struct weir_message *m)
{
	struct weir_handle *h = weir_endpoint_handle(ep, m);

	if (unlikely(!h))
		return weir_refuse_message(ep, m, NULL, NULL,
					   WEIR_REASON_NO_ROUTE, 0);
	if (unlikely(h->gen != READ_ONCE(ep->wn->route_gen)))
		weir_handle_resolve(ep, h);
	if (unlikely(!h->route))
		return weir_request_unrouted(ep, m, h->reason);
	if (weir_message_over(ep, m))
		return weir_refuse_message(ep, m, h->route, NULL,
					   WEIR_REASON_DEADLINE, 0);
	if (unlikely(m->dup && m->kind == WEIR_KIND_REQUEST))
		return weir_request_dup(ep, m, h->route);
	return weir_send_messages(ep, m, h->route);
}

/*
 * Reads the record of a call that is sent again, and finds its route. Returns
 * WEIR_REASON_NONE, or the reason why that is not possible.
 */
static enum weir_reason weir_call_read(struct weir_endpoint *ep,
				       const struct weir_call_entry *call,
				       struct weir_message *m,
				       struct weir_route **route)
{
	u64 pos = call->pos;
	struct weir_handle *h;

	if (!call->tries)
		weir_moved_read(call, m);
	/* an owner that has changed the record meanwhile harms only itself */
	else if (weir_message_read(&ep->outbox->view, &pos, m) != WEIR_READ_ONE ||
		 pos != call->pos || m->route != call->handle ||
		 m->kind != WEIR_KIND_REQUEST)
		return WEIR_REASON_BAD_REQUEST;
	h = &ep->handles[call->handle - 1];
	if (h->gen != READ_ONCE(ep->wn->route_gen))
		weir_handle_resolve(ep, h);
	*route = h->route;
	return *route ? WEIR_REASON_NONE : h->reason;
}

/* Ends a call that is in state RETRY, as weir_call_answer() does. */
static void weir_again_end(struct weir_endpoint *ep,
			   struct weir_call_entry *call,
			   struct weir_route *route, enum weir_reason reason)
{
	spin_lock(&ep->inbox->post.lock);
	weir_call_answer(ep, call, route, reason, weir_reason_guard(reason),
			 0);
	weir_endpoint_unawaited(ep);
	spin_unlock(&ep->inbox->post.lock);
}

/*
 * No target has taken a request that has a call: has it wait for one, or ends
 * the call with the fallback reply or with the reason. Returns WEIR_DELIVERED
 * or WEIR_WAIT.
 */
static enum weir_outcome
weir_again_refused(struct weir_endpoint *ep, const struct weir_message *m,
		   struct weir_route *route, const struct weir_attempt *attempt)
{
	const struct weir_fallback_reply *reply = attempt->fallback_reply;
	struct weir_call_entry *call = attempt->call;
	const struct weir_handle *h = &ep->handles[call->handle - 1];
	/* a copy waits for no target: its own target is to blame, then */
	bool moved = !call->tries;
	enum weir_reason reason = moved &&
				  (attempt->reason == WEIR_REASON_NO_TARGET ||
				   attempt->reason == WEIR_REASON_NO_ROUTE) ?
				  WEIR_REASON_TARGET_DIED : attempt->reason;
	struct weir_refusal refusal = {
		.reason = reason,
		.guard = weir_reason_guard(reason),
	};
	/* as if it had not waited: one that a target has had gets an answer */
	bool dropped = reason == WEIR_REASON_INBOX_FULL && !attempt->resent &&
		       m->flags & WEIR_REC_DROP;
	/* its route has gone meanwhile; a child's caller is told by its parent */
	bool nameless = !route && !weir_call_is_child(call);
	u32 tag = call->tag_key;
	enum weir_outcome ret;

	if (reply) {
		ret = weir_send_stored(ep, m, WEIR_KIND_REPLY, WEIR_REC_ROUTER,
				       reply->data, reply->len, NULL);
		if (ret != WEIR_DELIVERED)
			return ret;
		/* the call has its answer */
		route = NULL;
		reason = WEIR_REASON_CLOSED;
	} else if (!moved && weir_ready_may(m, attempt) &&
		   weir_ready_again(ep, m, route, attempt)) {
		return WEIR_DELIVERED;
	} else if (dropped) {
		refusal.target = attempt->full ? attempt->full->id : 0;
		weir_refused(route, tag, &refusal);
		route = NULL;
		reason = WEIR_REASON_CLOSED;
	}
	weir_again_end(ep, call, route, reason);
	if (nameless)
		weir_refused_trace(h, tag, &refusal);
	return WEIR_DELIVERED;
}

/*
 * Looks up the key of a request that has waited for the route that has the
 * keys. Returns true if the request is to be sent. Otherwise *@ret is as for
 * weir_send_routed(); WEIR_DELIVERED: the call has ended, or waits for a reply.
 */
static bool weir_again_leads(struct weir_endpoint *ep,
			     const struct weir_message *m,
			     struct weir_route *route,
			     struct weir_attempt *attempt,
			     enum weir_outcome *ret)
{
	const struct weir_plan *plan = weir_route_plan(route);
	struct weir_call_entry *call = attempt->call;
	struct weir_dup_reply *reply;
	enum weir_dup_role role;

	if (!plan || !plan->dup || call->dup || attempt->resent)
		return true;
	call->deadline_ns = weir_plan_deadline(plan, ep->pass.now_ns,
					       call->deadline_ns);
	role = weir_dup_call_begin(ep, m, call, plan->dup, call->deadline_ns,
				   &reply);
	switch (role) {
	case WEIR_ROLE_LEADER:
		call->dup = ep->pass.dup;
		ep->pass.dup = NULL;
		return true;
	case WEIR_ROLE_DIGEST:
		*ret = WEIR_WAIT;
		return false;
	case WEIR_ROLE_FOLLOWER:
		weir_route_count(route, WEIR_ROUTE_DUPS, 1);
		*ret = WEIR_DELIVERED;
		return false;
	case WEIR_ROLE_ANSWERED:
		*ret = weir_dup_call_answer(ep, m, route, reply);
		if (*ret == WEIR_DELIVERED)
			weir_again_end(ep, call, NULL, WEIR_REASON_CLOSED);
		return false;
	default:
		*ret = weir_attempt_refuse(attempt, weir_dup_reason(role));
		return false;
	}
}

/* weir_request_again() in a section */
static enum weir_outcome weir_again_some(struct weir_endpoint *ep,
					 struct weir_call_entry *call)
	__must_hold(&ep->dispatch_lock)
{
	struct weir_attempt attempt = {
		.call = call,
		.deadline_ns = call->deadline_ns,
		.answers = 1,
		.n = 1,
		.resent = !(call->tries & WEIR_CALL_UNSENT),
		.moving = call->moves & WEIR_CALL_MOVING,
	};
	struct weir_route *route = NULL;
	enum weir_outcome ret = WEIR_REFUSED;
	struct weir_message m;

	lockdep_assert_held(&ep->dispatch_lock);
	attempt.reason = weir_call_read(ep, call, &m, &route);
	if (attempt.reason)
		return weir_again_refused(ep, &m, route, &attempt);
	ep->pass.each = m.total;
	if (weir_copy_left(&ep->pass, m.total))
		return WEIR_WAIT;
	if (!m.dup || weir_again_leads(ep, &m, route, &attempt, &ret)) {
		ret = weir_send_routed(ep, &m, route, &attempt);
		if (ret == WEIR_DELIVERED && attempt.resent && !attempt.moving)
			weir_route_count(route, WEIR_ROUTE_RETRIES, 1);
		/* a fan-out has calls of its own */
		if (ret == WEIR_DELIVERED && call->tries & WEIR_CALL_UNSENT)
			weir_again_end(ep, call, NULL, WEIR_REASON_CLOSED);
	}
	return ret == WEIR_REFUSED ?
	       weir_again_refused(ep, &m, route, &attempt) : ret;
}

/**
 * weir_request_again() - send a request once more
 * @ep: the caller.
 * @call: waits to be sent again, and was taken out of weir_call_table.retries.
 *
 * Not in a section: this is one, and may then sleep. Return: WEIR_DELIVERED
 * when it has been sent, or answered; WEIR_WAIT when it waits for room or is
 * left to a worker: ep->pass.
 */
enum weir_outcome weir_request_again(struct weir_endpoint *ep,
				     struct weir_call_entry *call)
	__must_hold(&ep->dispatch_lock)
{
	struct weir_pass *pass = &ep->pass;
	enum weir_outcome ret;
	bool digested;

	lockdep_assert_held(&ep->dispatch_lock);
	do {
		rcu_read_lock_bh();
		ret = weir_again_some(ep, call);
		weir_pass_pause(pass);
		rcu_read_unlock_bh();
		digested = pass->digest.from;
		if (digested)
			weir_dup_digest_make(&pass->digest);
	} while (digested);
	if (pass->ncopies)
		weir_copies_make(pass);
	return ret;
}
