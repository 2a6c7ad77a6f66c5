/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Steps of a request that request.c (to one target) and several.c (to all of
 * them) share: what a target says to it, space in its inbox, the copy, and the
 * moment from which a call is with its target.
 *
 * All under rcu_read_lock() and the run_lock of the port whose outbox is read.
 */
#ifndef _WEIR_REQUEST_H
#define _WEIR_REQUEST_H

#include "walk.h"

/**
 * struct weir_way - what a message has met so far
 * @call: one that is sent again; NULL.
 * @deadline_ns: when it is given up; 0 until a route has said.
 * @wait_ns: when it may try again, if that is known.
 * @refuser: the target that refused it last.
 * @full: one that did for want of room; NULL.
 * @canned: a reply for it, if nobody takes it; NULL.
 * @paid: bucket of the route that has @canned; NULL.
 * @answers: that must find room, 1 unless it is for several.
 * @hops: routes that it is behind.
 */
struct weir_way {
	struct weir_call		*call;
	u64				deadline_ns;
	u64				wait_ns;
	struct weir_target		*refuser;
	struct weir_target		*full;
	const struct weir_canned	*canned;
	struct weir_bucket		*paid;
	u32				answers;
	unsigned int			hops;
};

/* Bytes that it takes in an inbox. */
static inline u32 weir_parcel_need(const struct weir_parcel *m)
{
	return weir_ring_need(m->len + (m->deadline_ns ? 8 : 0));
}

/* Nothing goes to a target whose breaker is held open. */
static __always_inline enum weir_reason weir_target_open(const struct weir_target *target)
{
	return unlikely(READ_ONCE(target->forced)) ? WEIR_REASON_BREAKER :
						     WEIR_REASON_NONE;
}

/* What a target says to a request before there is space for it. */
static __always_inline enum weir_reason weir_target_admit(const struct weir_plan *plan,
					  struct weir_target *target, u64 now,
					  u32 *round)
{
	*round = 0;
	if (unlikely(weir_target_open(target)))
		return WEIR_REASON_BREAKER;
	if (unlikely(!weir_bulkhead_take(&target->load.in_flight,
					 plan->bulkhead)))
		return WEIR_REASON_BULKHEAD;
	if (plan->has_breaker &&
	    unlikely(!weir_breaker_permit(&target->breaker, &plan->breaker, now,
					  round))) {
		weir_bulkhead_give(&target->load.in_flight);
		return WEIR_REASON_BREAKER;
	}
	return WEIR_REASON_NONE;
}

/* Undoes weir_target_admit(). */
static inline void weir_target_dismiss(const struct weir_plan *plan,
				       struct weir_target *target, u32 round)
{
	weir_bulkhead_give(&target->load.in_flight);
	if (plan->has_breaker)
		weir_breaker_forget(&target->breaker, round);
}

/* Space in a target's inbox. */
static __always_inline enum weir_reason weir_target_claim(struct weir_target *target,
					  const struct weir_parcel *m,
					  struct weir_place *at)
{
	struct weir_ring *inbox = target->port->inbox;
	struct weir_post *post = &inbox->post;
	u32 len = m->len + (m->deadline_ns ? 8 : 0);
	u64 keep;
	bool got;

	if (unlikely(len > weir_ring_max_len(&inbox->view)))
		return WEIR_REASON_TOO_LARGE;
	at->inbox = inbox;
	spin_lock(&post->lock);
	keep = (u64)post->kept * WEIR_ANSWER_BYTES;
	got = weir_inbox_claim(inbox, weir_ring_need(len), keep, &at->pos,
			       &at->seq);
	target->requests += got;
	spin_unlock(&post->lock);
	if (likely(got))
		return WEIR_REASON_NONE;
	return READ_ONCE(target->gone) ? WEIR_REASON_NO_TARGET :
					 WEIR_REASON_INBOX_FULL;
}

/* The copy. @name: the call's, 0 when no answer is wanted. */
static __always_inline void weir_place_request(const struct weir_place *at,
			       const struct weir_parcel *m, u64 name)
{
	weir_place_fill(at, m->payload, m->len,
			(u64)m->kind << WEIR_KIND_SHIFT |
			(u64)(m->flags & WEIR_REC_IDEMPOTENT) <<
			WEIR_FLAGS_SHIFT,
			(u32)name, name >> 32 | (m->tag_key & ~0xffffffffULL),
			m->deadline_ns);
}

/*
 * A call is with its target from here on. Who looks for the calls of a target
 * that goes either finds this one, or we find the target gone: each side
 * stores, fences and then looks.
 */
static __always_inline void weir_call_sent(struct weir_port *port,
					   struct weir_call *call,
					   struct weir_target *target,
					   u64 inbox_pos, u32 round)
{
	call->target = target;
	call->round = round;
	call->sent_ns = port->run.now_ns;
	call->inbox_pos = inbox_pos;
	smp_store_release(&call->state, WEIR_CALL_SENT);
	smp_mb();
}

/* several.c */
int weir_send_several(struct weir_port *port, const struct weir_parcel *m,
		      const struct weir_plan *plan, struct weir_way *way);

#endif /* _WEIR_REQUEST_H */
