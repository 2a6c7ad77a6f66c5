/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Steps of a request that deliver.c (to one target), fanout.c (to all of them)
 * and fast.c (the fast path) share: the guards of a target, space in its inbox,
 * the copy, and the moment from which the target has the call.
 *
 * All in a section of a pass: see pass.h.
 */
#ifndef _WEIR_REQUEST_H
#define _WEIR_REQUEST_H

#include <linux/nospec.h>

#include "logic/breaker.h"
#include "logic/bulkhead.h"
#include "logic/calls.h"
#include "logic/clock.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/call.h"
#include "route/endpoint.h"
#include "route/handle.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/record.h"
#include "route/target.h"
#include "weir.h"

struct weir_rate_limit;

/**
 * struct weir_attempt - state of a message that is looking for a target
 */
struct weir_attempt {
	/**
	 * @call: the call, if the message is a request that is sent again, or
	 * that has waited for a target; or NULL.
	 */
	struct weir_call_entry		*call;
	/**
	 * @deadline_ns: when the request is given up, as ktime_get_ns() counts.
	 * It begins as the deadline that the message names, 0 for none; each
	 * route on its way brings it down to the route's own limit.
	 */
	u64				deadline_ns;
	/**
	 * @wait_ns: time after which a token may be free, for a message over
	 * the rate limit; 0: not known.
	 */
	u64				wait_ns;
	/** @refuser: the target that refused last; or NULL. */
	struct weir_target		*refuser;
	/**
	 * @full: the last target that refused because its inbox is full; or
	 * NULL.
	 */
	struct weir_target		*full;
	/**
	 * @fallback_reply: reply to answer with if no target takes the message;
	 * or NULL.
	 */
	const struct weir_fallback_reply	*fallback_reply;
	/**
	 * @reason: why the message was refused last; valid after WEIR_REFUSED.
	 */
	enum weir_reason		reason;
	/**
	 * @answers: granules for answers that the message waits for, if it has
	 * to: 1, or one for each target of a fan-out.
	 */
	u32				answers;
	/** @hops: routes before the one in hand on the message's way. */
	unsigned int			hops;
	/** @steps: steps taken so far, see WEIR_STEPS_MAX. */
	u32				steps;
	/** @n: messages of the batch in hand that may go to the next target. */
	u32				n;
	/** @sent: of these, messages that were sent; set on success. */
	u32				sent;
	/** @resent: @call has been sent before. */
	bool				resent;
	/**
	 * @moving: @call goes to another target, because the one before was
	 * closed without a look at it.
	 */
	bool				moving;
	/** @fresh: targets that have failed @call before are passed over. */
	bool				fresh;
	/** @passed_over: some have been. */
	bool				passed_over;
	/**
	 * @no_room: the caller itself has too few slots, or too little room for
	 * answers: @call looks again later.
	 */
	bool				no_room;
};

/* Counts @n steps of a message. Returns false when it has taken too many. */
static inline bool weir_attempt_step(struct weir_pass *pass,
				     struct weir_attempt *attempt, u32 n)
{
	attempt->steps += n;
	pass->steps += n;
	return attempt->steps <= WEIR_STEPS_MAX;
}

/* Notes why a message is refused. Returns WEIR_REFUSED. */
static __always_inline enum weir_outcome
weir_attempt_refuse(struct weir_attempt *attempt, enum weir_reason reason)
{
	attempt->reason = reason;
	return WEIR_REFUSED;
}

/*
 * Forgets what has refused messages, since they were sent after all. The rest
 * of their batch may be refused for other reasons.
 */
static inline void weir_attempt_forget(struct weir_attempt *attempt)
{
	attempt->wait_ns = 0;
	attempt->refuser = NULL;
	attempt->full = NULL;
	attempt->fallback_reply = NULL;
}

/* Bytes of ring that a request takes in an inbox; multiple of WEIR_GRANULE. */
static inline u32 weir_message_need(const struct weir_message *m)
{
	return weir_ring_need(m->len + (m->deadline_ns ? 8 : 0));
}

/* request.c */
enum weir_outcome weir_request_again(struct weir_endpoint *ep,
				     struct weir_call_entry *call);
enum weir_outcome weir_send_wait_own(struct weir_endpoint *ep,
				     const struct weir_message *m,
				     u64 deadline_ns, u32 answers);
enum weir_outcome weir_request_route(struct weir_endpoint *ep,
				     struct weir_message *m);
enum weir_outcome weir_refuse_message(struct weir_endpoint *ep,
				      const struct weir_message *m,
				      struct weir_route *route,
				      const struct weir_target *refuser,
				      enum weir_reason reason, u64 wait_ns);

/**
 * weir_endpoint_ready() - are there slots and room for answers?
 * @ep: the caller.
 * @answers: granules for answers that have to be reserved in its inbox.
 * @slots: free slots that are needed.
 *
 * Does not sleep. Reserves granules ahead if it can, see
 * weir_endpoint_reserve().
 *
 * Return: false when something is missing, and the pass has to wait.
 */
static __always_inline bool weir_endpoint_ready(struct weir_endpoint *ep,
						u32 answers, u32 slots)
{
	if (unlikely(ep->answers < answers) &&
	    !weir_endpoint_reserve(ep, answers))
		return false;
	return likely(ep->calls.nlocal >= slots) ||
	       weir_endpoint_slots(ep, slots);
}

/* share.c */
void weir_endpoint_tokens(struct weir_endpoint *ep);
void weir_pass_tokens_back(struct weir_pass *pass);
void weir_endpoint_draw(struct weir_endpoint *ep,
			struct weir_rate_limit *rate_limit, u32 n);
u64 weir_endpoint_token_wait_ns(const struct weir_endpoint *ep,
				struct weir_rate_limit *rate_limit);
enum weir_reason weir_target_probe(struct weir_endpoint *ep,
				   const struct weir_plan *plan,
				   struct weir_target *target, u32 *n,
				   u32 *round);
enum weir_reason weir_target_admit_share(struct weir_endpoint *ep,
					 const struct weir_plan *plan,
					 struct weir_target *target, u32 *n,
					 u32 *round);

/* Refuses when a control call holds the target's breaker open. */
static __always_inline enum weir_reason
weir_target_open(const struct weir_target *target)
{
	return unlikely(READ_ONCE(target->forced)) ? WEIR_REASON_BREAKER :
						     WEIR_REASON_NONE;
}

/*
 * Asks the target's breaker for *@n requests that weir_load.in_flight counts
 * already. If the breaker is not closed for the caller's user, it admits at
 * most one probe: *@n becomes 1 and the others are uncounted. @round: out:
 * round of the breaker. Returns WEIR_REASON_NONE; WEIR_REASON_BREAKER: none is
 * admitted, and none is counted.
 */
static __always_inline enum weir_reason
weir_target_permit(struct weir_endpoint *ep, const struct weir_plan *plan,
		   struct weir_target *target, u32 *n, u32 *round)
{
	if (!plan->has_breaker)
		return WEIR_REASON_NONE;
	*round = READ_ONCE(target->breaker.round);
	if (likely(READ_ONCE(target->breaker.state) == WEIR_BREAKER_CLOSED))
		return WEIR_REASON_NONE;
	return weir_target_probe(ep, plan, target, n, round);
}

/*
 * Asks the guards of a target for requests, before there is space for them.
 * @n: in: how many, at least 1; out: how many the target admits. @round: out:
 * for weir_target_dismiss() or for the call. Returns WEIR_REASON_NONE if at
 * least one is admitted; WEIR_REASON_BREAKER; WEIR_REASON_BULKHEAD: the lower
 * part of the bulkhead is full, but weir_target_admit_share() may admit some.
 */
static __always_inline enum weir_reason
weir_target_admit(struct weir_endpoint *ep, const struct weir_plan *plan,
		  struct weir_target *target, u32 *n, u32 *round)
{
	u32 taken;

	*round = 0;
	if (unlikely(weir_target_open(target)))
		return WEIR_REASON_BREAKER;
	taken = weir_bulkhead_take(&target->load.in_flight,
				   plan->bulkhead_lower, *n);
	if (unlikely(!taken))
		return WEIR_REASON_BULKHEAD;
	*n = taken;
	return weir_target_permit(ep, plan, target, n, round);
}

/* Undoes weir_target_admit() for @n requests that were admitted. */
static inline void weir_target_dismiss(const struct weir_endpoint *ep,
				       const struct weir_plan *plan,
				       struct weir_target *target, u32 n,
				       u32 round)
{
	weir_target_left(target, ep, n, round);
	if (plan->has_breaker)
		weir_breaker_forget(&target->breaker, weir_endpoint_user(ep),
				    weir_round(round), false);
}

/*
 * Claims space in a target's inbox for messages of a batch, one behind the
 * other. @n: in: how many, at least 1; out: for how many there is space. @at:
 * out: the space of the first. Returns WEIR_REASON_NONE if there is space for
 * one at least; WEIR_REASON_TOO_LARGE, with *@n unchanged;
 * WEIR_REASON_NO_TARGET or WEIR_REASON_INBOX_FULL, with *@n 0.
 */
static __always_inline enum weir_reason
weir_target_claim(struct weir_target *target, const struct weir_message *m,
		  u32 *n, struct weir_reservation *at)
{
	struct weir_ring *inbox = target->ep->inbox;
	u64 bytes = *n == 1 ? weir_message_need(m) : weir_batch_bytes(m, *n);
	struct weir_post *post = &inbox->post;
	u64 keep;

	if (unlikely(m->len + (m->deadline_ns ? 8 : 0) >
		     weir_ring_max_len(&inbox->view)))
		return WEIR_REASON_TOO_LARGE;
	at->inbox = inbox;
	spin_lock(&post->lock);
	keep = (u64)post->kept * WEIR_ANSWER_BYTES;
	if (unlikely(post->limit - post->pos < bytes + keep)) {
		/* the room that there is may be for waiters */
		if (!post->queued)
			weir_inbox_room(inbox, 0);
		while (*n && post->limit - post->pos < bytes + keep)
			bytes = --*n ? weir_batch_bytes(m, *n) : 0;
	}
	if (likely(*n)) {
		weir_inbox_take(inbox, bytes, *n, &at->pos, &at->seq);
		target->requests += *n;
	}
	spin_unlock(&post->lock);
	if (likely(*n))
		return WEIR_REASON_NONE;
	return READ_ONCE(target->gone) ? WEIR_REASON_NO_TARGET :
					 WEIR_REASON_INBOX_FULL;
}

/* Kind and flags of a request's record in its target's inbox. */
static __always_inline u64 weir_request_header(const struct weir_message *m)
{
	return (u64)m->kind << WEIR_KIND_SHIFT |
	       (u64)(m->flags & WEIR_REC_IDEMPOTENT) << WEIR_FLAGS_SHIFT;
}

/*
 * Copies a request into a reservation and commits it. @name: name of its call;
 * 0 when no answer is wanted. @deadline_ns: the target gets it if the message
 * names a deadline; it is not later than that one.
 */
static __always_inline void
weir_reservation_request(const struct weir_reservation *at,
			 const struct weir_message *m, u64 name,
			 u64 deadline_ns)
{
	const struct weir_ring_view *v = &at->inbox->view;
	struct weir_words *words = weir_ring_words(v, at->pos);
	u64 header = weir_request_header(m);
	u8 *to = (u8 *)(words + 1);

	if (unlikely(m->deadline_ns)) {
		header |= 1ULL << WEIR_EXT_SHIFT;
		*(u64 *)to = weir_clock_out(deadline_ns, at->inbox->clock_ns);
		to += 8;
	}
	weir_words_request(words, header, m->len, at->seq, name, m->tag_key);
	weir_message_copy(to, m->payload, m->len);
	smp_store_release(&words->commit, at->pos + v->secret);	/* (B) */
}

/*
 * Notes on a call whether weir_target.callers counts it: it is sent in @round.
 * A reply to such a call is not routed in a batch with others.
 */
static inline void weir_call_counted(struct weir_call_entry *call, u32 round)
{
	if (round & WEIR_ROUND_SHARED && !weir_call_is_child(call))
		call->parent = WEIR_CALL_COUNTED;
}

/*
 * When a request is given up on this route. @deadline_ns: that it names, 0 for
 * none.
 */
static inline u64 weir_plan_deadline(const struct weir_plan *plan, u64 now_ns,
				     u64 deadline_ns)
{
	return deadline_ns ? min(deadline_ns, now_ns + plan->deadline_max_ns) :
			     now_ns + plan->timeout_ns;
}

/* The same for a request that has no route yet. */
static inline u64 weir_unrouted_deadline(u64 now_ns, u64 deadline_ns)
{
	return deadline_ns ? min(deadline_ns, now_ns + WEIR_DEADLINE_MAX_NS) :
			     now_ns + WEIR_TIMEOUT_NS;
}

/*
 * Marks a call as sent: its target has it from here on. A thread that ends the
 * target looks for its calls. Either that thread finds this call, or the sender
 * finds that the target is gone, and has a worker look: each side stores,
 * fences and then looks. The caller fences, once for several calls, and then
 * reads target->gone.
 * @commit: commit word of the record in the target's inbox; 0: no space yet.
 */
static __always_inline void weir_call_set_sent(struct weir_call_entry *call,
					       struct weir_target *target,
					       u64 now_ns, u64 commit,
					       u32 round)
{
	call->target = target;
	call->round = round;
	call->sent_ns = now_ns;
	call->commit = commit;
	smp_store_release(&call->state, WEIR_CALL_SENT);
}

/* The handle that a message names; NULL if there is no such handle. */
static __always_inline struct weir_handle *
weir_endpoint_handle(struct weir_endpoint *ep, const struct weir_message *m)
{
	u32 index = m->route - 1;

	if (unlikely(index >= ep->nhandles))
		return NULL;
	return &ep->handles[array_index_nospec(index, ep->nhandles)];
}

/*
 * The rest of weir_endpoint_reserve(): reserves room for up to @want answers
 * more. Takes over returned slots of the completers, too. Returns false, and
 * reserves nothing, when there is no room for @least in all.
 */
static __always_inline bool weir_endpoint_reserve_some(struct weir_endpoint *ep,
						       u32 least, u32 want)
{
	struct weir_post *post = &ep->inbox->post;
	u64 room, keep;
	u32 n = 0;

	spin_lock(&post->lock);
	keep = (u64)post->kept * WEIR_ANSWER_BYTES;
	room = post->limit - post->pos;
	if (room < keep + (u64)want * WEIR_ANSWER_BYTES) {
		weir_inbox_refresh(ep->inbox, (u64)want * WEIR_ANSWER_BYTES);
		room = post->limit - post->pos;
	}
	if (post->reader && room > keep)
		n = min_t(u64, (room - keep) / WEIR_ANSWER_BYTES, want);
	if (ep->answers + n < least)
		n = 0;
	post->kept += n;
	weir_inbox_trim(post);
	weir_call_table_refill(&ep->calls);
	spin_unlock(&post->lock);
	ep->answers += n;
	return ep->answers >= least;
}

/*
 * Begins the call of a request that is sent by itself. There is a free slot,
 * and room for the answer is reserved.
 */
static __always_inline struct weir_call_entry *
weir_call_begin(struct weir_endpoint *ep, const struct weir_message *m,
		u64 deadline_ns)
{
	struct weir_call_entry *call;

	call = weir_call_table_take(&ep->calls, m->flags & WEIR_REC_IDEMPOTENT);
	call->pos = m->pos;
	weir_call_fill(call, m->route, m->tag_key, deadline_ns);
	ep->answers--;
	return call;
}

/*
 * Called after calls have been sent, and after a fence. Handles a target that
 * is gone since, and a deadline that is earlier than the timer, and starts the
 * watchdog.
 */
static __always_inline void weir_target_after_send(struct weir_endpoint *ep,
						   struct weir_target *target,
						   u64 deadline_ns)
{
	if (unlikely(READ_ONCE(target->gone)))
		weir_target_recheck(target);
	if (unlikely(deadline_ns < READ_ONCE(ep->timer_ns)))
		weir_deadline_arm_lock(ep, deadline_ns);
	if (unlikely(!READ_ONCE(target->watched)))
		weir_target_watch(target);
}

/* Does the sender of a message wait for room in the target's inbox? */
static inline bool weir_message_waits(const struct weir_message *m)
{
	return !(m->flags & (WEIR_REC_REFUSE | WEIR_REC_DROP));
}

/* ready.c */
bool weir_ready_may(const struct weir_message *m,
		    const struct weir_attempt *attempt);
enum weir_outcome weir_ready_begin(struct weir_endpoint *ep,
				   const struct weir_message *m,
				   const struct weir_route *route,
				   const struct weir_attempt *attempt);
bool weir_ready_again(struct weir_endpoint *ep, const struct weir_message *m,
		      const struct weir_route *route,
		      const struct weir_attempt *attempt);

/* fast.c */
bool weir_request_fast(struct weir_endpoint *ep, u64 header);
bool weir_event_fast(struct weir_endpoint *ep, u64 header);

/* deliver.c */
enum weir_outcome weir_send_route(struct weir_endpoint *ep,
				  const struct weir_message *m,
				  struct weir_route *route,
				  struct weir_attempt *attempt);

/* fanout.c */
enum weir_outcome weir_send_fanout(struct weir_endpoint *ep,
				   const struct weir_message *m,
				   const struct weir_plan *plan,
				   struct weir_attempt *attempt);

#endif /* _WEIR_REQUEST_H */
