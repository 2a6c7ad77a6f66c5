// SPDX-License-Identifier: GPL-2.0
/*
 * A message on its way through a route to a target: tokens of the rate limit,
 * the policy's pick, the guards of the target, space in its inbox, the call
 * that waits for the answer, and the copy. A message that a target refuses goes
 * to the next one, and then to the fallback route.
 *
 * In a section of a pass: see pass.h.
 */
#include "logic/calls.h"
#include "logic/policy.h"
#include "logic/rate_limit.h"
#include "route/call.h"
#include "route/copy.h"
#include "route/endpoint.h"
#include "route/move.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/record.h"
#include "route/request.h"
#include "route/route.h"
#include "route/target.h"
#include "weir.h"

/*
 * Returns the tokens at hand. Without any, takes some for the messages ahead.
 */
static __always_inline u32 weir_pass_tokens(struct weir_endpoint *ep,
					    struct weir_rate_limit *rate_limit)
{
	struct weir_pass *pass = &ep->pass;

	if (likely(pass->rate_limit == rate_limit && pass->tokens))
		return pass->tokens;
	if (pass->rate_limit && pass->tokens)
		weir_pass_tokens_back(pass);
	pass->rate_limit = rate_limit;
	pass->token_cost = 0;
	pass->tokens = weir_rate_limit_take_upper(rate_limit, pass->now_ns,
						  weir_pass_ahead(pass));
	if (unlikely(!pass->tokens))
		weir_endpoint_tokens(ep);
	return pass->tokens;
}

/*
 * Uses @n tokens. A route behind this one may have taken tokens of its own
 * since. Then the tokens at hand were given back, and @n tokens are drawn, even
 * if there are none.
 */
static __always_inline void weir_pass_spend(struct weir_endpoint *ep,
					    struct weir_rate_limit *rate_limit,
					    u32 n)
{
	struct weir_pass *pass = &ep->pass;

	if (likely(pass->rate_limit == rate_limit))
		pass->tokens -= n;
	else
		weir_endpoint_draw(ep, rate_limit, n);
}

/* Returns for how many of @n calls there are slots and room for answers. */
static __always_inline u32 weir_calls_ready(struct weir_endpoint *ep, u32 n)
{
	return weir_endpoint_ready(ep, 1, 1) ?
	       min3(n, ep->answers, ep->calls.nlocal) : 0;
}

/*
 * Writes small messages; requests if @answer. Each request gets its call before
 * it is copied, because a target that answers must find the call. @counted: the
 * calls are counted for their user. Nine parameters: the function is inlined,
 * and the compiler drops the branches that a constant decides.
 */
static __always_inline void
weir_batch_write(struct weir_endpoint *ep, const struct weir_message *m, u32 n,
		 bool answer, bool counted, struct weir_target *target,
		 const struct weir_reservation *at, u32 round, u64 deadline_ns)
{
	const struct weir_words *rec = weir_ring_words(&ep->outbox->view,
						       m->pos);
	struct weir_words *to = weir_ring_words(&at->inbox->view, at->pos);
	u64 pos = m->pos, name = 0, tag_key;
	struct weir_call_entry *call = ep->calls.local, *next = call;
	u64 commit = at->pos + at->inbox->view.secret;
	bool hold = m->flags & WEIR_REC_IDEMPOTENT;
	/* read once: for the compiler, the loop's stores may alias them */
	u64 header = weir_request_header(m), now_ns = ep->pass.now_ns;
	const u32 handle = m->route;
	const u32 *lens = m->lens;
	u32 i, len, seq = at->seq;

	if (answer)
		weir_call_table_count_off(&ep->calls, n);
	for (i = 0; i < n; i++) {
		len = lens[i];
		tag_key = WEIR_WORD(READ_ONCE(rec->tag_key));
		if (answer) {
			call = next;
			next = call->next;
			name = call->name;
			weir_call_count_none(call, hold);
			call->pos = pos;
			weir_call_fill(call, handle, tag_key, deadline_ns);
			if (counted)
				weir_call_counted(call, round);
			/* from here on a completer may end the call */
			weir_call_set_sent(call, target, now_ns, commit, round);
			pos += weir_ring_need(len);
		}
		weir_words_request(to, header, len, seq, name, tag_key);
		weir_batch_commit_next(&to, &commit, &seq, rec, len);
		rec = weir_words_next(rec, len);
	}
	if (!answer)
		return;
	weir_call_table_take_many(&ep->calls, n, call, next, hold);
	ep->answers -= n;
}

static noinline void weir_batch_write_events(struct weir_endpoint *ep,
					     const struct weir_message *m,
					     u32 n,
					     const struct weir_reservation *at)
{
	weir_batch_write(ep, m, n, false, false, NULL, at, 0, 0);
}

/* Seven parameters: those of weir_batch_write() that vary here. */
static noinline void weir_batch_counted(struct weir_endpoint *ep,
					const struct weir_message *m, u32 n,
					const struct weir_attempt *attempt,
					struct weir_target *target,
					const struct weir_reservation *at,
					u32 round)
{
	weir_batch_write(ep, m, n, true, true, target, at, round,
			 attempt->deadline_ns);
}

/* Sends one message of any kind by itself. */
static noinline void weir_send_one(struct weir_endpoint *ep,
				  const struct weir_message *m,
				  const struct weir_attempt *attempt,
				  struct weir_target *target,
				  const struct weir_reservation *at, u32 round)
{
	struct weir_call_entry *call = attempt->call;
	struct weir_moved *moved = NULL;
	u64 name = 0;

	if (call) {
		moved = weir_moved_take(call);
		/* it may have waited for a route that allows less time */
		call->deadline_ns = attempt->deadline_ns;
	} else if (m->kind == WEIR_KIND_REQUEST) {
		call = weir_call_begin(ep, m, attempt->deadline_ns);
		call->dup = ep->pass.dup;
		ep->pass.dup = NULL;
	}
	if (call) {
		name = call->name;
		weir_call_counted(call, round);
		weir_call_set_sent(call, target, ep->pass.now_ns,
				   at->pos + at->inbox->view.secret, round);
	}
	if (unlikely(m->len > WEIR_PIECE_BYTES))
		weir_copy_request(&ep->pass, at, 0, m, call, name,
				  attempt->deadline_ns);
	else
		weir_reservation_request(at, m, name, attempt->deadline_ns);
	weir_moved_free(moved);
}

/*
 * Sends messages of a batch to one target, as many as it admits and has space
 * for. Returns WEIR_DELIVERED if that is one at least, WEIR_REFUSED if not, or
 * WEIR_WAIT when the caller itself has no slot, or no room for an answer.
 */
static __always_inline enum weir_outcome
weir_send_batch(struct weir_endpoint *ep, const struct weir_message *m,
		const struct weir_plan *plan, struct weir_target *target,
		struct weir_attempt *attempt)
{
	bool answer = m->kind == WEIR_KIND_REQUEST;
	u32 n = attempt->n, taken, round = 0;
	struct weir_pass *pass = &ep->pass;
	struct weir_reservation at;
	enum weir_reason reason;

	if (answer && likely(!attempt->call)) {
		n = weir_calls_ready(ep, n);
		if (unlikely(!n))
			return WEIR_WAIT;
	}
	reason = answer ? weir_target_admit(ep, plan, target, &n, &round) :
			  weir_target_open(target);
	if (unlikely(reason)) {
		if (reason == WEIR_REASON_BULKHEAD)
			reason = weir_target_admit_share(ep, plan, target, &n,
							 &round);
		if (reason)
			return weir_attempt_refuse(attempt, reason);
	}
	taken = n;
	reason = weir_target_claim(target, m, &n, &at);
	if (unlikely(n != taken) && answer)
		weir_target_dismiss(ep, plan, target, taken - n, round);
	if (unlikely(reason)) {
		if (answer && reason == WEIR_REASON_TOO_LARGE)
			weir_target_dismiss(ep, plan, target, taken, round);
		return weir_attempt_refuse(attempt, reason);
	}
	attempt->sent = n;
	weir_pass_touch(pass, at.inbox);
	if (unlikely(!m->small || attempt->call))
		weir_send_one(ep, m, attempt, target, &at, round);
	else if (unlikely(round & WEIR_ROUND_SHARED))
		weir_batch_counted(ep, m, n, attempt, target, &at, round);
	else if (likely(answer))
		weir_batch_write(ep, m, n, true, false, target, &at, round,
				 attempt->deadline_ns);
	else
		weir_batch_write_events(ep, m, n, &at);
	if (answer) {
		smp_mb();
		weir_target_after_send(ep, target, attempt->deadline_ns);
	}
	return WEIR_DELIVERED;
}

/* The last resort when no target is up: an ejected one may still answer. */
static struct weir_target *weir_plan_ejected(const struct weir_plan *plan)
{
	u32 i;

	for (i = 0; i < plan->n; i++) {
		struct weir_target *target = plan->targets[i];

		if (READ_ONCE(target->ejected) && !READ_ONCE(target->gone) &&
		    plan->pick->weights[i])
			return target;
	}
	return NULL;
}

/* Notes that a target which is a socket has refused. */
static void weir_attempt_refused(struct weir_attempt *attempt,
				 struct weir_target *target)
{
	attempt->refuser = target;
	if (attempt->reason == WEIR_REASON_INBOX_FULL)
		attempt->full = target;
}

/* Sends to one target of a route: a socket or another route. */
static noinline enum weir_outcome weir_send_target(struct weir_endpoint *ep,
						   const struct weir_message *m,
						   const struct weir_plan *plan,
						   struct weir_target *target,
						   struct weir_attempt *attempt)
{
	u64 deadline_ns = attempt->deadline_ns;
	enum weir_outcome ret;

	if (target->next) {
		attempt->hops++;
		ret = weir_send_route(ep, m, target->next, attempt);
		attempt->hops--;
		/* a route that has refused does not limit the deadline */
		if (ret == WEIR_REFUSED)
			attempt->deadline_ns = deadline_ns;
		return ret;
	}
	ret = weir_send_batch(ep, m, plan, target, attempt);
	if (ret == WEIR_REFUSED)
		weir_attempt_refused(attempt, target);
	return ret;
}

/*
 * Picks the next target for a message: by the policy; after WEIR_STEPS_PICKED
 * steps, the next one in turn from @from on that has not refused. @passed: how
 * many this turn has passed. Returns its number, or WEIR_PICK_NONE. Seven
 * parameters: the turn is a part of the only caller, split off for its length.
 */
static int weir_attempt_pick(struct weir_endpoint *ep,
			     const struct weir_message *m,
			     const struct weir_plan *plan,
			     struct weir_attempt *attempt,
			     const unsigned long *tried, u32 from, u32 *passed)
{
	const struct weir_pick *p = plan->pick;
	u32 i;

	if (attempt->steps < WEIR_STEPS_PICKED) {
		weir_attempt_step(&ep->pass, attempt, p->n);
		return weir_pick_one(p, m->tag_key >> 32, weir_pass_random(ep),
				     tried);
	}
	while (*passed < p->n) {
		i = (from + (*passed)++) % p->n;
		weir_attempt_step(&ep->pass, attempt, 1);
		if (weir_pick_may(p, i, tried))
			return i;
	}
	return WEIR_PICK_NONE;
}

/* Number of the target at which the turn begins, as the policy wants it. */
static u32 weir_plan_from(const struct weir_plan *plan, u32 key, u32 random)
{
	enum weir_policy_turn turn = plan->pick->ops->turn;

	if (!plan->n || turn == WEIR_TURN_FIRST)
		return 0;
	return (turn == WEIR_TURN_KEY ? key : random) % plan->n;
}

/*
 * Enters the targets that have failed a message's call before in @tried, if the
 * message passes them over.
 */
static void weir_attempt_pass_over(struct weir_attempt *attempt,
				   const struct weir_plan *plan,
				   unsigned long *tried)
{
	u32 i;

	bitmap_zero(tried, WEIR_TARGETS_MAX);
	if (!attempt->fresh)
		return;
	for (i = 0; i < plan->n; i++) {
		const struct weir_target *target = plan->targets[i];

		if (target->next ||
		    !weir_call_has_tried(attempt->call, target->id))
			continue;
		__set_bit(i, tried);
		attempt->passed_over = true;
	}
}

/*
 * Tries more targets after the policy's first pick, @i from weir_pick_first().
 * That pick has @refused, or is a route, or took many steps, or there was none.
 * A message with attempt->fresh has not picked yet. After several refusals the
 * reason is a full inbox, because room may come, or else the last reason;
 * WEIR_REASON_TRIES if there may be more targets that could take the message.
 */
static noinline enum weir_outcome weir_send_next(struct weir_endpoint *ep,
						 const struct weir_message *m,
						 const struct weir_plan *plan,
						 struct weir_attempt *attempt,
						 int i, bool refused)
{
	enum weir_reason worst = WEIR_REASON_NO_TARGET, *why = &attempt->reason;
	bool strict = plan->pick->ops->strict;
	u32 from = weir_plan_from(plan, m->tag_key >> 32, ep->random);
	DECLARE_BITMAP(tried, WEIR_TARGETS_MAX);
	struct weir_target *target;
	enum weir_outcome ret;
	u32 passed = 0;

	weir_attempt_pass_over(attempt, plan, tried);
	/* the first pick may have considered all targets */
	weir_attempt_step(&ep->pass, attempt, plan->n);
	if (attempt->fresh)
		i = weir_attempt_pick(ep, m, plan, attempt, tried, from,
				      &passed);
	else if (i < WEIR_PICK_NONE)
		i = weir_pick_scanned(i);
	for (; i >= 0; i = weir_attempt_pick(ep, m, plan, attempt, tried, from,
					     &passed)) {
		ret = refused ? WEIR_REFUSED :
		      weir_send_target(ep, m, plan, plan->targets[i], attempt);
		if (ret != WEIR_REFUSED || *why == WEIR_REASON_TRIES)
			return ret;
		if (worst != WEIR_REASON_INBOX_FULL)
			worst = *why;
		/* a busy target keeps its keys, or stays the primary */
		if (strict && (*why == WEIR_REASON_INBOX_FULL ||
			       *why == WEIR_REASON_BULKHEAD)) {
			attempt->passed_over = false;
			return ret;
		}
		__set_bit(i, tried);
		refused = false;
		if (!weir_attempt_step(&ep->pass, attempt, WEIR_STEPS_ASK))
			return weir_attempt_refuse(attempt,
				worst == WEIR_REASON_INBOX_FULL ?
				worst : WEIR_REASON_TRIES);
	}
	if (!bitmap_empty(tried, WEIR_TARGETS_MAX))
		return weir_attempt_refuse(attempt, worst);
	/* none is up: an ejected target is better than none */
	target = weir_attempt_step(&ep->pass, attempt, plan->n) ?
		 weir_plan_ejected(plan) : NULL;
	if (!target)
		return weir_attempt_refuse(attempt, worst);
	ret = weir_send_target(ep, m, plan, target, attempt);
	if (ret == WEIR_REFUSED && *why == WEIR_REASON_INBOX_FULL)
		*why = WEIR_REASON_TARGET_EJECTED;
	return ret;
}

/*
 * Sends a request once more, to a target that has not failed it yet, on this
 * route or on those behind it. Returns WEIR_REFUSED with attempt->passed_over
 * if others are left.
 */
static noinline enum weir_outcome weir_send_fresh(struct weir_endpoint *ep,
						  const struct weir_message *m,
						  const struct weir_plan *plan,
						  struct weir_attempt *attempt)
{
	bool inner = attempt->fresh;
	enum weir_outcome ret;

	if (!inner)
		attempt->passed_over = false;
	attempt->fresh = true;
	ret = weir_send_next(ep, m, plan, attempt, WEIR_PICK_NONE, false);
	attempt->fresh = inner;
	return ret;
}

/* Sends a message to the target that the policy picks, or to the next one. */
static __always_inline enum weir_outcome
weir_send_picked(struct weir_endpoint *ep, const struct weir_message *m,
		 const struct weir_plan *plan, struct weir_attempt *attempt)
{
	struct weir_target *target;
	enum weir_outcome ret;
	bool refused = false;
	int i;

	if (unlikely(attempt->resent)) {
		ret = weir_send_fresh(ep, m, plan, attempt);
		if (ret != WEIR_REFUSED || attempt->fresh ||
		    !attempt->passed_over)
			return ret;
	}
	i = weir_pick_first(plan->pick, m->tag_key >> 32, weir_pass_random(ep),
			    NULL);
	if (likely(i >= 0)) {
		target = plan->targets[i];
		if (likely(!target->next)) {
			ret = weir_send_batch(ep, m, plan, target, attempt);
			if (likely(ret != WEIR_REFUSED))
				return ret;
			weir_attempt_refused(attempt, target);
			refused = true;
		}
	}
	ret = weir_send_next(ep, m, plan, attempt, i, refused);
	if (ret == WEIR_DELIVERED)
		weir_attempt_forget(attempt);
	return ret;
}

/* Sends a copy to the mirror. The caller does not learn whether it was sent. */
static void weir_send_mirror(struct weir_endpoint *ep,
			     const struct weir_message *m,
			     struct weir_route *route,
			     struct weir_route *mirror, u64 deadline_ns)
{
	struct weir_target *target;
	const struct weir_plan *plan;
	bool later = m->len > WEIR_PIECE_BYTES;
	struct weir_reservation at;
	u32 one = 1, kept = 0;
	int i;

	plan = weir_route_plan(mirror);
	if (!plan)
		return;
	ep->pass.steps += plan->n;
	i = weir_pick_one(plan->pick, m->tag_key >> 32, weir_pass_random(ep),
			  NULL);
	if (i < 0)
		return;
	target = plan->targets[i];
	if (target->next || weir_target_open(target) ||
	    !weir_copy_fits(&ep->pass, m->len) ||
	    (later ? weir_copy_keep(target, m, &at, &kept) :
		     weir_target_claim(target, m, &one, &at)))
		return;
	if (later)
		weir_copy_request(&ep->pass, &at, kept, m, NULL, 0,
				  deadline_ns);
	else
		weir_reservation_request(&at, m, 0, deadline_ns);
	weir_pass_touch(&ep->pass, at.inbox);
	weir_route_count(route, WEIR_ROUTE_MIRRORED, 1);
}

/*
 * weir_send_route() - send a message through a route: its rate limit, its
 * targets, its fallback
 *
 * @attempt: out: on WEIR_DELIVERED @sent, on WEIR_REFUSED the reason.
 */
enum weir_outcome weir_send_route(struct weir_endpoint *ep,
				  const struct weir_message *m,
				  struct weir_route *route,
				  struct weir_attempt *attempt)
{
	const struct weir_plan *plan = weir_route_plan(route);
	struct weir_pass *pass = &ep->pass;
	enum weir_outcome ret;
	u32 tokens;

	if (unlikely(attempt->hops)) {
		if (attempt->hops > WEIR_HOPS_MAX)
			return weir_attempt_refuse(attempt, WEIR_REASON_LOOP);
		if (!weir_attempt_step(pass, attempt, WEIR_STEPS_ASK))
			return weir_attempt_refuse(attempt, WEIR_REASON_TRIES);
	}
	if (unlikely(!plan))
		return weir_attempt_refuse(attempt, WEIR_REASON_NO_ROUTE);
	attempt->deadline_ns = weir_plan_deadline(plan, pass->now_ns,
						  attempt->deadline_ns);
	/* a batch is shared among the targets, not all for one that is idle */
	attempt->n =
		min(attempt->n, max(pass->ahead / plan->batch_divisor, 1U));
	tokens = plan->rate_limit ? weir_pass_tokens(ep, plan->rate_limit) :
				    U32_MAX;
	/* one that is moved had its token before, but only of its own route */
	if (unlikely(!tokens) && (!attempt->moving || attempt->hops)) {
		attempt->wait_ns =
			weir_endpoint_token_wait_ns(ep, plan->rate_limit);
		ret = weir_attempt_refuse(attempt, WEIR_REASON_RATE);
	} else {
		attempt->n = min(attempt->n, tokens ?: 1);
		ret = unlikely(plan->fans_out && !attempt->resent) ?
			      weir_send_fanout(ep, m, plan, attempt) :
			      weir_send_picked(ep, m, plan, attempt);
		if (likely(ret == WEIR_DELIVERED)) {
			if (plan->rate_limit && tokens)
				weir_pass_spend(ep, plan->rate_limit,
						attempt->sent);
			if (unlikely(plan->mirror) && !attempt->resent &&
			    weir_pass_random(ep) % 1000 <
			    plan->mirror_permille)
				weir_send_mirror(ep, m, route, plan->mirror,
						 attempt->deadline_ns);
			return WEIR_DELIVERED;
		}
		if (ret == WEIR_WAIT ||
		    (attempt->reason == WEIR_REASON_INBOX_FULL &&
		     weir_message_waits(m)) ||
		    (attempt->fresh && attempt->passed_over))
			return ret;
	}
	if (plan->fallback) {
		attempt->hops++;
		ret = weir_send_route(ep, m, plan->fallback, attempt);
		attempt->hops--;
		if (ret == WEIR_DELIVERED) {
			weir_attempt_forget(attempt);
			weir_route_count(route, WEIR_ROUTE_FALLBACKS,
					 attempt->sent);
		}
	} else if (plan->fallback_reply && m->kind == WEIR_KIND_REQUEST) {
		attempt->fallback_reply = plan->fallback_reply;
	}
	return ret;
}
