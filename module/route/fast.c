// SPDX-License-Identifier: GPL-2.0
/*
 * The fast path of a message that has no other message behind it yet. A caller
 * that waits for each answer sends such messages. The steps are those of
 * deliver.c, without the preparation for a batch. The fast path leaves every
 * uncommon message to deliver.c. The fast path of the answer is
 * weir_reply_fast() in reply.c.
 *
 * In a section of a pass: see pass.h.
 */
#include "logic/breaker.h"
#include "logic/bucket.h"
#include "logic/bulkhead.h"
#include "logic/calls.h"
#include "logic/policy.h"
#include "logic/rate_limit.h"
#include "net.h"
#include "route/call.h"
#include "route/endpoint.h"
#include "route/handle.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/record.h"
#include "route/request.h"
#include "route/route.h"
#include "weir.h"

/*
 * The target of a message. Returns NULL if the policy has no quick answer, or
 * if the target is another route and not a socket.
 */
static __always_inline struct weir_target *
weir_fast_target(struct weir_endpoint *ep, const struct weir_message *m,
		 const struct weir_plan *plan)
{
	int i = weir_pick_first(plan->pick, m->tag_key >> 32,
				weir_pass_random(ep), NULL);

	return likely(i >= 0) && likely(!plan->targets[i]->next) ?
	       plan->targets[i] : NULL;
}

/*
 * Asks the guards of a target for one request. This takes only what needs no
 * look at the user: a slot in the bulkhead's lower half, and a breaker that is
 * closed. @round: out: of the breaker. It is not passed on, as a call would
 * keep it in memory.
 */
static __always_inline bool weir_fast_admit(const struct weir_plan *plan,
					    struct weir_target *target,
					    u32 *round)
{
	if (plan->has_breaker) {
		*round = READ_ONCE(target->breaker.round);
		if (unlikely(READ_ONCE(target->breaker.state) !=
			     WEIR_BREAKER_CLOSED))
			return false;
	}
	return weir_bulkhead_take(&target->load.in_flight, plan->bulkhead_lower,
				  1);
}

/*
 * Asks the guards, among them the upper half of the rate limit's tokens, and
 * claims space for a message in the target's inbox.
 *
 * @answer: the message is a request. @at: out: the space. @round: out: of the
 * target's breaker; 0 without one. Returns false if a guard refuses the
 * message, or if there is no space. Nothing stays taken then. Seven parameters:
 * the function is inlined, so they stay in registers.
 */
static __always_inline bool
weir_fast_claim(struct weir_endpoint *ep, const struct weir_message *m,
		const struct weir_plan *plan, struct weir_target *target,
		bool answer, struct weir_reservation *at, u32 *round)
{
	u64 now = ep->pass.now_ns;
	u32 one = 1;

	*round = 0;
	if (plan->rate_limit &&
	    unlikely(!weir_rate_limit_take_upper(plan->rate_limit, now, 1)))
		return false;
	if (likely(!weir_target_open(target)) &&
	    (!answer || likely(weir_fast_admit(plan, target, round)))) {
		if (likely(!weir_target_claim(target, m, &one, at)))
			return true;
		if (answer)
			weir_target_dismiss(ep, plan, target, 1, *round);
	}
	if (plan->rate_limit)
		weir_bucket_give(&plan->rate_limit->bucket, 1);
	return false;
}

/*
 * Sends a plain message that has no other message behind it. @header: as for
 * weir_request_fast(). @answer: the message is a request. Returns false if the
 * message must take the path of deliver.c; it is still at ep->pos then.
 */
static __always_inline bool weir_fast_send(struct weir_endpoint *ep, u64 header,
					   bool answer)
{
	const struct weir_plan *plan;
	struct weir_target *target;
	struct weir_handle *h;
	struct weir_call_entry *call;
	/* set here, so that the compiler keeps them in registers */
	struct weir_message m = { };
	struct weir_reservation at = { };
	u64 deadline_ns = 0, name = 0;
	u32 random, round;

	if (answer && (!weir_endpoint_reserve_some(ep, 1, 1) ||
		       !ep->calls.nlocal))
		return false;
	weir_message_fill(&ep->outbox->view, ep->pos, header, &m);
	h = weir_endpoint_handle(ep, &m);
	if (!h || h->gen != READ_ONCE(ep->wn->route_gen) || !h->route ||
	    m.pos == ep->blocked_pos)
		return false;
	plan = weir_route_plan(h->route);
	if (!plan || plan->mirror)
		return false;
	random = ep->random;
	target = weir_fast_target(ep, &m, plan);
	if (!target || !weir_fast_claim(ep, &m, plan, target, answer, &at,
					&round)) {
		/* deliver.c must draw the same number, to keep the shares */
		ep->random = random;
		return false;
	}
	if (answer) {
		deadline_ns = ep->pass.now_ns + plan->timeout_ns;
		call = weir_call_begin(ep, &m, deadline_ns);
		name = call->name;
		weir_call_set_sent(call, target, ep->pass.now_ns,
				   at.pos + at.inbox->view.secret, round);
	}
	weir_reservation_request(&at, &m, name, 0);
	WRITE_ONCE(ep->pos, m.pos + m.total);
	weir_endpoint_release(ep);
	smp_mb();						/* (C) */
	if (answer)
		weir_target_after_send(ep, target, deadline_ns);
	weir_inbox_wake_fenced(at.inbox);
	weir_ring_moved(ep->outbox, U64_MAX);
	return true;
}

/**
 * weir_request_fast() - send a request that has no other message behind it
 * @ep: the caller's endpoint; ep->pass.now_ns is the current time.
 * @header: header word (length, kind and flags) of the record at ep->pos. The
 *	record is committed, without extension, not aborted, and short enough
 *	to be copied in one piece.
 *
 * The request is sent if its target is a socket that takes it at once. Does
 * not sleep.
 *
 * Return: true when the request has been sent. On false the record is still at
 * ep->pos, and weir_request_route() must handle it.
 */
bool weir_request_fast(struct weir_endpoint *ep, u64 header)
{
	return weir_fast_send(ep, header, true);
}

/* weir_event_fast() - weir_request_fast() for a message without an answer */
bool weir_event_fast(struct weir_endpoint *ep, u64 header)
{
	return weir_fast_send(ep, header, false);
}
