/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Steps of a request that request.c (to one target), fanout.c (to all of them)
 * and fast.c (the short way) share: what a target says to it, space in its
 * inbox, the copy, and the moment from which a call is with its target.
 *
 * All under rcu_read_lock() and the dispatch_lock of the endpoint whose outbox
 * is read.
 */
#ifndef _WEIR_REQUEST_H
#define _WEIR_REQUEST_H

#include <linux/nospec.h>

#include "route/pass.h"

/*
 * What one message may look at on all routes that it goes through, for nobody
 * else runs on the processor meanwhile: 5120 looks are some 100,000
 * instructions. A look is a target that a policy considers. To ask one, or to
 * go on to another route, costs as much as 8 of them. The policy has 2048
 * looks; after these the targets that are left are asked in turn, so that 256
 * on one route are all asked.
 */
#define WEIR_LOOKS_MAX		5120
#define WEIR_LOOKS_PICKED	2048
#define WEIR_LOOKS_ASK		8

/**
 * struct weir_attempt - what a message has met so far
 * @call: one that is sent again; NULL.
 * @deadline_ns: when it is given up, as each route on its way allows; 0 until
 *	a route has said.
 * @wait_ns: when it may try again, if that is known.
 * @refuser: the target that refused it last.
 * @full: one that did for want of room; NULL.
 * @fallback_reply: a reply for it, if nobody takes it; NULL.
 * @answers: that must find room, 1 unless it is for several.
 * @hops: routes that it is behind.
 * @looks: that it has taken, see WEIR_LOOKS_MAX.
 * @n: messages in hand; fewer if a route takes no more at once.
 * @sent: of these, when it has been sent.
 */
struct weir_attempt {
	struct weir_call		*call;
	u64				deadline_ns;
	u64				wait_ns;
	struct weir_target		*refuser;
	struct weir_target		*full;
	const struct weir_fallback_reply	*fallback_reply;
	u32				answers;
	unsigned int			hops;
	u32				looks;
	u32				n;
	u32				sent;
};

/* A message takes so many looks. Return: false when it has taken too many. */
static inline bool weir_attempt_look(struct weir_pass *pass,
				     struct weir_attempt *attempt, u32 n)
{
	attempt->looks += n;
	pass->looks += n;
	return attempt->looks <= WEIR_LOOKS_MAX;
}

/* Bytes that it takes in an inbox. */
static inline u32 weir_message_need(const struct weir_message *m)
{
	return weir_ring_need(m->len + (m->deadline_ns ? 8 : 0));
}

/* request.c */
bool weir_target_probe(const struct weir_plan *plan, struct weir_target *target,
		       u64 now, u32 *round);
void weir_call_timer(struct weir_endpoint *ep, u64 deadline_ns);

/* share.c */
void weir_endpoint_tokens(struct weir_endpoint *ep);
void weir_pass_tokens_back(struct weir_pass *pass);
void weir_endpoint_draw(struct weir_endpoint *ep,
			struct weir_rate_limit *rate_limit, u32 n);
u64 weir_endpoint_token_wait_ns(const struct weir_endpoint *ep,
				struct weir_rate_limit *rate_limit);
enum weir_reason weir_target_admit_share(const struct weir_endpoint *ep,
					 const struct weir_plan *plan,
					 struct weir_target *target, u32 *n,
					 u32 *round);

/* Nothing goes to a target whose breaker is held open. */
static __always_inline enum weir_reason
weir_target_open(const struct weir_target *target)
{
	return unlikely(READ_ONCE(target->forced)) ? WEIR_REASON_BREAKER :
						     WEIR_REASON_NONE;
}

/* What its breaker says to so many that are counted already. */
static __always_inline enum weir_reason
weir_target_permit(const struct weir_plan *plan, struct weir_target *target,
		   u64 now, u32 *n, u32 *round)
{
	u32 taken = *n;

	if (!plan->has_breaker)
		return WEIR_REASON_NONE;
	*round = READ_ONCE(target->breaker.round);
	if (likely(READ_ONCE(target->breaker.state) == WEIR_BREAKER_CLOSED))
		return WEIR_REASON_NONE;
	/* probes go one by one */
	weir_bulkhead_give(&target->load.in_flight, taken - 1);
	*n = 1;
	if (weir_target_probe(plan, target, now, round))
		return WEIR_REASON_NONE;
	weir_bulkhead_give(&target->load.in_flight, 1);
	return WEIR_REASON_BREAKER;
}

/*
 * What a target says to requests before there is space for them. @n: in: how
 * many; out: how many it takes, if it takes any. @round: for
 * weir_target_dismiss(), or for the call. WEIR_REASON_BULKHEAD: no more as they
 * come; weir_target_admit_share() may take some.
 */
static __always_inline enum weir_reason
weir_target_admit(const struct weir_plan *plan, struct weir_target *target,
		  u64 now, u32 *n, u32 *round)
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
	return weir_target_permit(plan, target, now, n, round);
}

/* Undoes weir_target_admit() for so many. */
static inline void weir_target_dismiss(const struct weir_endpoint *ep,
				       const struct weir_plan *plan,
				       struct weir_target *target, u32 n,
				       u32 round)
{
	weir_target_left(target, ep, n, round);
	if (plan->has_breaker)
		weir_breaker_forget(&target->breaker, weir_round(round));
}

/*
 * Space in a target's inbox for messages of a batch, one behind the other. @n:
 * in: how many; out: for how many there is, if there is for any.
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
		/* what there is now may be for those that wait */
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

/* Kind and flags of a request as its target gets it. */
static __always_inline u64 weir_request_shape(const struct weir_message *m)
{
	return (u64)m->kind << WEIR_KIND_SHIFT |
	       (u64)(m->flags & WEIR_REC_IDEMPOTENT) << WEIR_FLAGS_SHIFT;
}

/*
 * The copy. @name: the call's, 0 when no answer is wanted. @deadline_ns: told to
 * the target if the message has named one: no later than what was named.
 */
static __always_inline void
weir_reservation_request(const struct weir_reservation *at,
			 const struct weir_message *m, u64 name,
			 u64 deadline_ns)
{
	weir_reservation_fill(at, m->payload, m->len, weir_request_shape(m),
			      (u32)name,
			      name >> 32 | (m->tag_key & ~0xffffffffULL),
			      m->deadline_ns ? deadline_ns : 0);
}

/*
 * A call is sent in @round. If it is counted for its user, replies that are
 * accounted for together are not for it.
 */
static inline void weir_call_counted(struct weir_call *call, u32 round)
{
	if (round & WEIR_ROUND_SHARED && !weir_call_is_child(call))
		call->parent = WEIR_CALL_COUNTED;
}

/* When a request is given up that has named @deadline_ns, or 0. */
static inline u64 weir_plan_deadline(const struct weir_plan *plan, u64 now_ns,
				     u64 deadline_ns)
{
	return deadline_ns ? min(deadline_ns, now_ns + plan->deadline_max_ns) :
			     now_ns + plan->timeout_ns;
}

/*
 * A call is with its target from here on. Who looks for the calls of a target
 * that goes either finds this one, or we find the target gone: each side
 * stores, fences and then looks. The caller fences, once for several.
 */
static __always_inline void weir_call_sent(struct weir_endpoint *ep,
					   struct weir_call *call,
					   struct weir_target *target,
					   u64 commit, u32 round)
{
	call->target = target;
	call->round = round;
	call->sent_ns = ep->pass.now_ns;
	call->commit = commit;
	smp_store_release(&call->state, WEIR_CALL_SENT);
}

/* The handle of a message, or NULL. */
static __always_inline struct weir_handle *
weir_endpoint_handle(struct weir_endpoint *ep, const struct weir_message *m)
{
	u32 index = m->route - 1;

	if (unlikely(index >= ep->nhandles))
		return NULL;
	return &ep->handles[array_index_nospec(index, ep->nhandles)];
}

/* weir_endpoint_reserve(), for @want answers if that may be */
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
		weir_inbox_look(ep->inbox, (u64)want * WEIR_ANSWER_BYTES);
		room = post->limit - post->pos;
	}
	if (post->reader && room > keep)
		n = min_t(u64, (room - keep) / WEIR_ANSWER_BYTES, want);
	if (ep->answers + n < least)
		n = 0;
	post->kept += n;
	weir_inbox_looked(post);
	weir_calls_refill(&ep->calls);
	spin_unlock(&post->lock);
	ep->answers += n;
	return ep->answers >= least;
}

/* The call of a request that goes alone, for which all is ready. */
static __always_inline struct weir_call *
weir_call_begin(struct weir_endpoint *ep, const struct weir_message *m,
		u64 deadline_ns)
{
	struct weir_call *call = weir_calls_take(&ep->calls, m->flags &
						 WEIR_REC_IDEMPOTENT);

	call->pos = m->pos;
	weir_call_fill(call, m->route, m->tag_key, deadline_ns);
	ep->answers--;
	return call;
}

/*
 * Calls have been sent, and a fence is behind them: what may have changed, and
 * has to be done, since.
 */
static __always_inline void weir_calls_sent(struct weir_endpoint *ep,
					    struct weir_target *target,
					    u64 deadline_ns)
{
	if (unlikely(READ_ONCE(target->gone)))
		weir_endpoint_lost_calls(ep, target);
	if (unlikely(deadline_ns < READ_ONCE(ep->timer_ns)))
		weir_call_timer(ep, deadline_ns);
	if (unlikely(!READ_ONCE(target->watched)))
		weir_target_watch(target);
}

/* fanout.c */
int weir_send_fanout(struct weir_endpoint *ep, const struct weir_message *m,
		     const struct weir_plan *plan,
		     struct weir_attempt *attempt);

#endif /* _WEIR_REQUEST_H */
