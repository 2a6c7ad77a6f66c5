// SPDX-License-Identifier: GPL-2.0
/*
 * The short way of a message behind which there is no other yet, which is what
 * a caller sends who waits for each answer: the same steps as in request.c,
 * without what prepares them for several. Whatever is not common is left to
 * that. Its answer goes by weir_reply_fast() in reply.c.
 *
 * Process context, under dispatch_lock and rcu_read_lock().
 */
#include "route/request.h"

/* The socket that a message goes to, if it can be told at once; or NULL. */
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
 * Space for it there, if no guard objects; and no user's share needs to be looked
 * at.
 */
static __always_inline bool
weir_fast_claim(struct weir_endpoint *ep, const struct weir_message *m,
		const struct weir_plan *plan, struct weir_target *target,
		bool answer, struct weir_reservation *at, u32 *round)
{
	u64 now = ep->pass.now_ns;
	u32 one = 1, n = 1;

	if (plan->rate_limit &&
	    unlikely(!weir_rate_limit_take_calm(plan->rate_limit, now, 1)))
		return false;
	if (likely(!(answer ? weir_target_admit(plan, target, now, &n, round) :
			      weir_target_open(target)))) {
		if (likely(!weir_target_claim(target, m, &one, at)))
			return true;
		if (answer)
			weir_target_dismiss(ep, plan, target, 1, *round);
	}
	if (plan->rate_limit)
		weir_bucket_give(&plan->rate_limit->bucket, 1);
	return false;
}

/* A message of a plain shape that is alone: a request if @answer. */
static __always_inline bool weir_fast_send(struct weir_endpoint *ep, u64 shape,
					   bool answer)
{
	const struct weir_plan *plan;
	struct weir_target *target;
	struct weir_handle *h;
	struct weir_call *call;
	/* so that the compiler clears nothing of what is only in registers */
	struct weir_message m = { };
	struct weir_reservation at = { };
	u64 deadline_ns = 0, name = 0;
	u32 random, round;

	if (answer && (!weir_endpoint_reserve_some(ep, 1, 1) ||
		       !ep->calls.nlocal))
		return false;
	weir_message_fill(&ep->outbox->view, ep->pos, shape, &m);
	h = weir_endpoint_handle(ep, &m);
	if (!h || h->gen != READ_ONCE(ep->wn->route_gen) || !h->route ||
	    m.pos == ep->held_pos)
		return false;
	plan = rcu_dereference(h->route->plan);
	if (!plan || plan->mirror)
		return false;
	random = ep->random;
	target = weir_fast_target(ep, &m, plan);
	if (!target || !weir_fast_claim(ep, &m, plan, target, answer, &at,
					&round)) {
		/* the next draw is the same, or shares would not be kept */
		ep->random = random;
		return false;
	}
	if (answer) {
		deadline_ns = ep->pass.now_ns + plan->timeout_ns;
		call = weir_call_begin(ep, &m, deadline_ns);
		name = call->name;
		weir_call_sent(ep, call, target,
			       at.pos + at.inbox->view.secret, round);
	}
	weir_reservation_request(&at, &m, name, 0);
	WRITE_ONCE(ep->pos, m.pos + m.total);
	weir_endpoint_release(ep);
	smp_mb();						/* (C) */
	if (answer)
		weir_calls_sent(ep, target, deadline_ns);
	weir_inbox_wake_fenced(at.inbox);
	weir_outbox_wake_fenced(ep->outbox);
	return true;
}

/**
 * weir_request_fast() - route a request that is alone
 * @ep: the caller; pass.now_ns is the time.
 * @shape: of the record at its position, a plain one.
 *
 * If it goes to a socket that takes it at once. Return: false if not:
 * weir_route_request() knows what to do about it.
 */
bool weir_request_fast(struct weir_endpoint *ep, u64 shape)
{
	return weir_fast_send(ep, shape, true);
}

/* weir_event_fast() - the same for a message that wants no answer */
bool weir_event_fast(struct weir_endpoint *ep, u64 shape)
{
	return weir_fast_send(ep, shape, false);
}
