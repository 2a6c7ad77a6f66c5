// SPDX-License-Identifier: GPL-2.0
/*
 * The way of a message to its targets: handle, plan, guards, policy, space in
 * an inbox, the call that waits for the answer, and the copy. A message that is
 * refused goes to the fallback, or is answered with the reason.
 *
 * Process context, under dispatch_lock and rcu_read_lock().
 */
#include "route/request.h"
#include "trace.h"

/* Returns the tokens at hand; takes some for the messages ahead if none are. */
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
 * Uses @n tokens. A route behind this one may have got tokens of its own since:
 * then those at hand were given back, and @n are taken even if there are none.
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

/**
 * weir_endpoint_reserve() - reserve room for answers, and slots, for calls
 * @ep: the caller.
 * @least: granules that are needed; more if there is room, for those ahead.
 *
 * They stay reserved until calls use them, or the section ends. Return: false
 * when there is no room for @least. Does not sleep.
 */
bool weir_endpoint_reserve(struct weir_endpoint *ep, u32 least)
{
	/* not more than an eighth, so that larger replies find room, too */
	u32 most = min_t(u64, weir_ring_bytes(&ep->inbox->view) /
			      (8 * WEIR_ANSWER_BYTES), U32_MAX);

	return weir_endpoint_reserve_some(
		ep, least, max(least, min(most, weir_pass_ahead(&ep->pass))));
}

/**
 * weir_endpoint_slots() - are there free slots for calls?
 * @ep: the caller.
 * @n: slots that are needed.
 *
 * Return: false when there are not, and the pass has to wait. It goes on when
 * there are more (weir_endpoint_more()), or when a call ends.
 */
bool weir_endpoint_slots(struct weir_endpoint *ep, u32 n)
{
	struct weir_post *post = &ep->inbox->post;

	if (likely(ep->calls.nlocal >= n))
		return true;
	spin_lock(&post->lock);
	weir_call_table_refill(&ep->calls);
	WRITE_ONCE(ep->waits_for_slot, ep->calls.nlocal < n);
	spin_unlock(&post->lock);
	/* calls in the queue may have ended before @waits_for_slot was set */
	weir_call_table_prune(&ep->calls);
	WRITE_ONCE(ep->waits_for_slot, ep->calls.nlocal < n);
	if (ep->waits_for_slot)
		ep->pass.slots = n;
	return !ep->waits_for_slot;
}

/* Returns for how many of @n calls there are slots and room for answers. */
static __always_inline u32 weir_calls_ready(struct weir_endpoint *ep, u32 n)
{
	return weir_endpoint_ready(ep, 1, 1) ?
	       min3(n, ep->answers, ep->calls.nlocal) : 0;
}

/*
 * Writes small messages, requests if @answer. The call of each, counted for its
 * user if @counted, comes before the copy: a target that answers must find it.
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
	u64 shape = weir_request_shape(m);
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
			call->tries = hold;
			call->pos = pos;
			weir_call_fill(call, m->route, tag_key, deadline_ns);
			if (counted)
				weir_call_counted(call, round);
			/* from here on a completer may end the call */
			weir_call_sent(ep, call, target, commit, round);
			pos += weir_ring_need(len);
		}
		weir_batch_fill_next(&to, &commit, &seq, rec, len, shape,
				     (u32)name, name >> 32 |
				     (tag_key & ~0xffffffffULL));
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
	u64 name = 0;

	if (call) {
		call->tries++;
	} else if (m->kind == WEIR_KIND_REQUEST) {
		call = weir_call_begin(ep, m, attempt->deadline_ns);
		call->idem = ep->pass.idem;
		ep->pass.idem = NULL;
	}
	if (call) {
		name = call->name;
		weir_call_counted(call, round);
		weir_call_sent(ep, call, target,
			       at->pos + at->inbox->view.secret, round);
	}
	if (unlikely(m->len > WEIR_PIECE_BYTES))
		weir_copy_request(&ep->pass, at, 0, m, call, name,
				  attempt->deadline_ns);
	else
		weir_reservation_request(at, m, name, attempt->deadline_ns);
}

/*
 * Sends messages of a batch to one target, as many as it admits and has space
 * for. Returns WEIR_REASON_NONE if that is one at least, the reason if not, or
 * WEIR_HELD when the caller itself has no slot, or no room for an answer.
 */
static __always_inline int
weir_send_batch(struct weir_endpoint *ep, const struct weir_message *m,
		const struct weir_plan *plan, struct weir_target *target,
		struct weir_attempt *attempt)
{
	bool answer = m->kind == WEIR_KIND_REQUEST;
	u32 n = attempt->n, taken, round = 0;
	struct weir_pass *pass = &ep->pass;
	struct weir_reservation at;
	int ret;

	if (answer && likely(!attempt->call)) {
		n = weir_calls_ready(ep, n);
		if (unlikely(!n))
			return WEIR_HELD;
	}
	ret = answer ? weir_target_admit(ep, plan, target, &n, &round) :
		       weir_target_open(target);
	if (unlikely(ret)) {
		if (ret == WEIR_REASON_BULKHEAD)
			ret = weir_target_admit_share(ep, plan, target, &n,
						      &round);
		if (ret)
			return ret;
	}
	taken = n;
	ret = weir_target_claim(target, m, &n, &at);
	if (unlikely(n != taken) && answer)
		weir_target_dismiss(ep, plan, target, taken - n, round);
	if (unlikely(ret)) {
		if (answer && ret == WEIR_REASON_TOO_LARGE)
			weir_target_dismiss(ep, plan, target, taken, round);
		return ret;
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
		weir_calls_sent(ep, target, attempt->deadline_ns);
	}
	return WEIR_REASON_NONE;
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

static int weir_send_route(struct weir_endpoint *ep,
			   const struct weir_message *m,
			   struct weir_route *route,
			   struct weir_attempt *attempt);

/* Notes that a target which is a socket has refused. */
static void weir_attempt_refused(struct weir_attempt *attempt,
				 struct weir_target *target, int reason)
{
	attempt->refuser = target;
	if (reason == WEIR_REASON_INBOX_FULL)
		attempt->full = target;
}

/* Sends to one target of a route: a socket or another route. */
static noinline int weir_send_target(struct weir_endpoint *ep,
				     const struct weir_message *m,
				     const struct weir_plan *plan,
				     struct weir_target *target,
				     struct weir_attempt *attempt)
{
	u64 deadline_ns = attempt->deadline_ns;
	int ret;

	if (target->next) {
		attempt->hops++;
		ret = weir_send_route(ep, m, target->next, attempt);
		attempt->hops--;
		/* a route that has refused does not limit the deadline */
		if (ret > 0)
			attempt->deadline_ns = deadline_ns;
		return ret;
	}
	ret = weir_send_batch(ep, m, plan, target, attempt);
	if (ret > 0)
		weir_attempt_refused(attempt, target, ret);
	return ret;
}

/*
 * Picks the next target for a message: by the policy; after WEIR_LOOKS_PICKED
 * looks, the next one in turn from @from on that has not refused. @passed: how
 * many this turn has passed. Returns its number, or WEIR_PICK_NONE.
 */
static int weir_attempt_pick(struct weir_endpoint *ep,
			     const struct weir_message *m,
			     const struct weir_plan *plan,
			     struct weir_attempt *attempt,
			     const unsigned long *tried, u32 from, u32 *passed)
{
	const struct weir_pick *p = plan->pick;
	u32 i;

	if (attempt->looks < WEIR_LOOKS_PICKED) {
		weir_attempt_look(&ep->pass, attempt, p->n);
		return weir_pick_one(p, m->tag_key >> 32, weir_pass_random(ep),
				     tried);
	}
	while (*passed < p->n) {
		i = (from + (*passed)++) % p->n;
		weir_attempt_look(&ep->pass, attempt, 1);
		if (weir_pick_may(p, i, tried))
			return i;
	}
	return WEIR_PICK_NONE;
}

/* Number of the target at which the turn begins, as the policy wants it. */
static u32 weir_plan_from(const struct weir_plan *plan, u32 key, u32 random)
{
	if (!plan->n || plan->policy == WEIR_POLICY_PRIMARY)
		return 0;
	return (plan->policy == WEIR_POLICY_SHARD ? key : random) % plan->n;
}

/*
 * Tries more targets after the policy's first pick, @i of weir_pick_first(): it
 * refused for the reason @ret, or it is a route, or took many looks, or there
 * was none. Returns as weir_send_batch(). After several refusals that is a full
 * inbox, because room may come, or else the last reason; WEIR_REASON_TRIES if
 * there may be more targets that could take the message.
 */
static noinline int weir_send_next(struct weir_endpoint *ep,
				   const struct weir_message *m,
				   const struct weir_plan *plan,
				   struct weir_attempt *attempt, int i, int ret)
{
	bool strict = plan->policy == WEIR_POLICY_SHARD ||
		      plan->policy == WEIR_POLICY_PRIMARY;
	u32 from = weir_plan_from(plan, m->tag_key >> 32, ep->random);
	DECLARE_BITMAP(tried, WEIR_TARGETS_MAX);
	int worst = WEIR_REASON_NO_TARGET;
	struct weir_target *target;
	u32 passed = 0;

	bitmap_zero(tried, WEIR_TARGETS_MAX);
	/* the first pick may have considered all targets */
	weir_attempt_look(&ep->pass, attempt, plan->n);
	if (i < WEIR_PICK_NONE)
		i = weir_pick_scanned(i);
	for (; i >= 0; i = weir_attempt_pick(ep, m, plan, attempt, tried, from,
					     &passed)) {
		if (!ret)
			ret = weir_send_target(ep, m, plan, plan->targets[i],
					       attempt);
		if (ret <= 0 || ret == WEIR_REASON_TRIES)
			return ret;
		if (worst != WEIR_REASON_INBOX_FULL)
			worst = ret;
		/* a busy target keeps its keys, or its place as the primary */
		if (strict && (ret == WEIR_REASON_INBOX_FULL ||
			       ret == WEIR_REASON_BULKHEAD))
			return ret;
		__set_bit(i, tried);
		ret = 0;
		if (!weir_attempt_look(&ep->pass, attempt, WEIR_LOOKS_ASK))
			return worst == WEIR_REASON_INBOX_FULL ?
			       worst : WEIR_REASON_TRIES;
	}
	if (!bitmap_empty(tried, WEIR_TARGETS_MAX))
		return worst;
	/* none is up: an ejected target is better than none */
	target = weir_attempt_look(&ep->pass, attempt, plan->n) ?
		 weir_plan_ejected(plan) : NULL;
	if (!target)
		return worst;
	ret = weir_send_target(ep, m, plan, target, attempt);
	return ret == WEIR_REASON_INBOX_FULL ? WEIR_REASON_TARGET_EJECTED : ret;
}

/* Sends a message to the target that the policy picks, or to the next one. */
static __always_inline int weir_send_picked(struct weir_endpoint *ep,
					    const struct weir_message *m,
					    const struct weir_plan *plan,
					    struct weir_attempt *attempt)
{
	int i = weir_pick_first(plan->pick, m->tag_key >> 32,
				weir_pass_random(ep), NULL), ret = 0;
	struct weir_target *target;

	if (likely(i >= 0)) {
		target = plan->targets[i];
		if (likely(!target->next)) {
			ret = weir_send_batch(ep, m, plan, target, attempt);
			if (likely(ret <= 0))
				return ret;
			weir_attempt_refused(attempt, target, ret);
		}
	}
	ret = weir_send_next(ep, m, plan, attempt, i, ret);
	if (!ret)
		weir_attempt_forget(attempt);
	return ret;
}

/* --- a message's way ---------------------------------------------------- */

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
	default:
		return WEIR_GUARD_NONE;
	}
}

/* Refuses a message that has no call yet. Returns 0, or WEIR_HELD: no room. */
int weir_send_refuse(struct weir_endpoint *ep, const struct weir_message *m,
		     struct weir_route *route,
		     const struct weir_target *refuser,
		     enum weir_reason reason, u64 wait_ns)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_fault fault = {
		.reason = reason,
		.guard = weir_reason_guard(reason),
		.target = refuser ? refuser->id : 0,
		.wait_ns = wait_ns,
	};

	if (m->kind == WEIR_KIND_REQUEST) {
		if (!weir_endpoint_ready(ep, 1, 0))
			return weir_pass_hold(&ep->pass, ep->inbox,
					      WEIR_ANSWER_BYTES);
		ep->answers--;
		spin_lock(&post->lock);
		post->kept--;
		weir_endpoint_fault(ep, m->route, m->tag_key, 0, &fault);
		spin_unlock(&post->lock);
	}
	weir_refused(route, (u32)m->tag_key, &fault);
	return 0;
}

/*
 * Answers with a stored reply: the route's fallback reply, or @reply, of which
 * it takes a reference if the copy is made later. Returns 0 or WEIR_HELD.
 */
static int weir_send_kept(struct weir_endpoint *ep,
			  const struct weir_message *m, u8 kind, u8 flags,
			  const u8 *data, u32 len, struct weir_dup_reply *reply)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_copy copy = {
		.at.inbox = ep->inbox,
		.from = data,
		.len = len,
		.shape = (u64)kind << WEIR_KIND_SHIFT |
			 (u64)flags << WEIR_FLAGS_SHIFT,
		.route = m->route,
		.tag_key = m->tag_key,
		.reply = reply,
	};
	u32 total = weir_ring_need(len);
	u64 keep;
	bool got;

	if (weir_copy_left(&ep->pass, len))
		return WEIR_HELD;
	spin_lock(&post->lock);
	keep = (u64)post->kept * WEIR_ANSWER_BYTES;
	got = weir_inbox_claim(ep->inbox, total, keep, &copy.at.pos,
			       &copy.at.seq);
	spin_unlock(&post->lock);
	if (!got && total > weir_ring_bytes(&ep->inbox->view))
		return weir_send_refuse(ep, m, NULL, NULL,
					WEIR_REASON_TOO_LARGE, 0);
	if (!got)
		return weir_pass_hold(&ep->pass, ep->inbox, total);
	if (len > WEIR_PIECE_BYTES) {
		refcount_inc(&reply->refs);
		weir_copy_later(&ep->pass, &copy);
	} else {
		weir_reservation_fill(&copy.at, data, len, copy.shape, m->route,
				      m->tag_key, 0);
	}
	return 0;
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

	plan = rcu_dereference(mirror->plan);
	if (!plan)
		return;
	ep->pass.looks += plan->n;
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

static bool weir_message_waits(const struct weir_message *m)
{
	return !(m->flags & (WEIR_REC_REFUSE | WEIR_REC_DROP));
}

/*
 * Sends a message through a route: its rate limit, its targets, its fallback.
 * Returns as weir_send_batch().
 */
static int weir_send_route(struct weir_endpoint *ep,
			   const struct weir_message *m,
			   struct weir_route *route,
			   struct weir_attempt *attempt)
{
	const struct weir_plan *plan = rcu_dereference(route->plan);
	struct weir_pass *pass = &ep->pass;
	u32 tokens;
	int ret;

	if (unlikely(attempt->hops)) {
		if (attempt->hops > WEIR_HOPS_MAX)
			return WEIR_REASON_LOOP;
		if (!weir_attempt_look(pass, attempt, WEIR_LOOKS_ASK))
			return WEIR_REASON_TRIES;
	}
	if (unlikely(!plan))
		return WEIR_REASON_NO_ROUTE;
	attempt->deadline_ns = weir_plan_deadline(plan, pass->now_ns,
						  attempt->deadline_ns);
	/* a batch is shared among the targets, not all for one that is idle */
	attempt->n =
		min(attempt->n, max(pass->ahead / plan->batch_divisor, 1U));
	tokens = plan->rate_limit ? weir_pass_tokens(ep, plan->rate_limit) :
				    U32_MAX;
	if (unlikely(!tokens)) {
		attempt->wait_ns =
			weir_endpoint_token_wait_ns(ep, plan->rate_limit);
		ret = WEIR_REASON_RATE;
	} else {
		attempt->n = min(attempt->n, tokens);
		ret = unlikely(plan->policy >= WEIR_POLICY_ALL &&
			       !attempt->call) ?
			      weir_send_fanout(ep, m, plan, attempt) :
			      weir_send_picked(ep, m, plan, attempt);
		if (likely(!ret)) {
			if (plan->rate_limit)
				weir_pass_spend(ep, plan->rate_limit,
						attempt->sent);
			if (unlikely(plan->mirror) && !attempt->call &&
			    weir_pass_random(ep) % 1000 <
			    plan->mirror_permille)
				weir_send_mirror(ep, m, route, plan->mirror,
						 attempt->deadline_ns);
			return 0;
		}
		if (ret == WEIR_HELD || (ret == WEIR_REASON_INBOX_FULL &&
					 weir_message_waits(m)))
			return ret;
	}
	if (plan->fallback) {
		attempt->hops++;
		ret = weir_send_route(ep, m, plan->fallback, attempt);
		attempt->hops--;
		if (!ret) {
			weir_attempt_forget(attempt);
			weir_route_count(route, WEIR_ROUTE_FALLBACKS,
					 attempt->sent);
		}
	} else if (plan->fallback_reply && m->kind == WEIR_KIND_REQUEST) {
		attempt->fallback_reply = plan->fallback_reply;
	}
	return ret;
}

/* The pass waits with a message; with a request until @deadline_ns at most. */
static int weir_send_hold(struct weir_endpoint *ep,
			  const struct weir_message *m, u64 deadline_ns,
			  struct weir_ring *inbox, u64 bytes)
{
	if (ep->held_pos != m->pos || ep->held_by) {
		ep->held_pos = m->pos;
		weir_endpoint_held_by(ep, NULL);
		WRITE_ONCE(ep->held_ns, m->kind == WEIR_KIND_REQUEST ?
			   deadline_ns : U64_MAX);
	}
	return weir_pass_hold(&ep->pass, inbox, bytes);
}

/* The same for slots or room that weir_endpoint_ready() did not find. */
int weir_send_hold_own(struct weir_endpoint *ep, const struct weir_message *m,
		       u64 deadline_ns, u32 answers)
{
	/* a pass that waits for a slot is called when one is free */
	return weir_send_hold(ep, m, deadline_ns, ep->inbox,
			      ep->waits_for_slot ? U64_MAX :
			      (u64)answers * WEIR_ANSWER_BYTES);
}

/*
 * Sends messages of a batch through a route, to one target after another.
 * Returns 0 when pass.used of the messages that are then in @m were sent, or
 * the first was answered; WEIR_HELD; or, for a @call that is sent again, the
 * reason why no target takes it. Then *@fallback_reply is the reply to answer
 * it with, or NULL.
 */
static int weir_send_routed(struct weir_endpoint *ep, struct weir_message *m,
			    struct weir_route *route,
			    struct weir_call_entry *call,
			    const struct weir_fallback_reply **fallback_reply)
{
	struct weir_attempt attempt = {
		.call = call,
		.deadline_ns = call ? call->deadline_ns : m->deadline_ns,
		.answers = 1,
		.n = m->n,
	};
	struct weir_ring *inbox;
	int ret;

	for (;;) {
		weir_preempt_disable();
		ret = weir_send_route(ep, m, route, &attempt);
		weir_preempt_enable();
		if (unlikely(ret))
			break;
		/* after many looks the next section sends the rest */
		if (attempt.sent == m->n || ep->pass.looks > WEIR_LOOKS_MAX) {
			ep->pass.used = attempt.sent;
			return 0;
		}
		weir_batch_drop(&ep->outbox->view, m, attempt.sent);
		attempt.n = m->n;
		attempt.looks = 0;
		/* a batch of several has no @call, and names no deadline */
		attempt.deadline_ns = m->deadline_ns;
	}
	if (ret == WEIR_REASON_INBOX_FULL && attempt.full &&
	    weir_message_waits(m)) {
		inbox = attempt.full->ep->inbox;
		weir_target_watch(attempt.full);
		if (call)
			return weir_pass_hold(&ep->pass, inbox,
					      weir_message_need(m));
		return weir_send_hold(ep, m, attempt.deadline_ns, inbox,
				      weir_message_need(m));
	}
	if (call) {
		*fallback_reply = attempt.fallback_reply;
		return ret;
	}
	if (ret == WEIR_HELD && ep->pass.left_over)
		return ret;
	if (ret == WEIR_HELD)
		return weir_send_hold_own(ep, m, attempt.deadline_ns,
					  attempt.answers);
	if (attempt.fallback_reply) {
		ret = weir_send_kept(ep, m, WEIR_KIND_REPLY, WEIR_REC_ROUTER,
				     attempt.fallback_reply->data,
				     attempt.fallback_reply->len, NULL);
		if (!ret)
			weir_route_count(route, WEIR_ROUTE_FALLBACKS, 1);
		return ret;
	}
	/* if a full inbox is the reason, name its target */
	if (ret == WEIR_REASON_INBOX_FULL && attempt.full)
		attempt.refuser = attempt.full;
	if (ret == WEIR_REASON_INBOX_FULL && m->flags & WEIR_REC_DROP) {
		const struct weir_fault fault = {
			.reason = ret,
			.guard = WEIR_GUARD_INBOX,
			.target = attempt.refuser ? attempt.refuser->id : 0,
		};

		weir_refused(route, (u32)m->tag_key, &fault);
		return 0;
	}
	return weir_send_refuse(ep, m, route, attempt.refuser, ret,
				attempt.wait_ns);
}

/* Routes a request with an idempotency key. Returns 0 or WEIR_HELD. */
static int weir_route_idem(struct weir_endpoint *ep, struct weir_message *m,
			   struct weir_route *route)
{
	const struct weir_plan *plan = rcu_dereference(route->plan);
	struct weir_pass *pass = &ep->pass;
	struct weir_dup_reply *reply;
	u64 deadline_ns;
	int ret;

	if (!plan || !plan->idem)
		return weir_send_routed(ep, m, route, NULL, NULL);
	deadline_ns = weir_plan_deadline(plan, pass->now_ns, m->deadline_ns);
	ret = weir_idem_begin(ep, m, plan->idem, deadline_ns, &reply);
	if (ret == WEIR_HELD)
		return weir_send_hold_own(ep, m, deadline_ns, 1);
	if (ret)
		return weir_send_refuse(ep, m, route, NULL, ret, 0);
	if (!pass->idem) {
		ret = 0;
		if (reply)
			ret = weir_send_kept(ep, m, reply->kind, 0,
					     reply->bytes, reply->len, reply);
		weir_dup_reply_put(reply);
		if (!ret)
			weir_route_count(route, WEIR_ROUTE_DUPS, 1);
		return ret;
	}
	ret = weir_send_routed(ep, m, route, NULL, NULL);
	/* no call has taken the entry over: the leader waits, or is refused */
	if (pass->idem && ret == WEIR_HELD)
		ep->idem_held = pass->idem;
	else if (pass->idem)
		weir_idem_complete(pass->idem);
	pass->idem = NULL;
	return ret;
}

/**
 * weir_route_request() - route requests, or messages that want no answer
 * @ep: the caller.
 * @m: a batch of one handle, kind and flags; if it has several messages, none
 *	has a deadline or an idempotency key. Those sent early are dropped.
 *
 * Return: 0 when pass.used of those in @m, at least one, were sent or answered;
 * WEIR_HELD: the pass has to wait.
 */
int weir_route_request(struct weir_endpoint *ep, struct weir_message *m)
{
	struct weir_handle *h = weir_endpoint_handle(ep, m);

	if (unlikely(!h))
		return weir_send_refuse(ep, m, NULL, NULL,
					WEIR_REASON_NO_ROUTE, 0);
	if (unlikely(h->gen != READ_ONCE(ep->wn->route_gen)))
		weir_handle_resolve(ep, h);
	if (unlikely(!h->route))
		return weir_send_refuse(ep, m, NULL, NULL, h->reason, 0);
	/* no signed difference: a far deadline is not over */
	if (unlikely(m->deadline_ns && m->deadline_ns <= ep->pass.now_ns) ||
	    unlikely(ep->held_pos == m->pos &&
		     ep->held_ns <= ep->pass.now_ns))
		return weir_send_refuse(ep, m, h->route, NULL,
					WEIR_REASON_DEADLINE, 0);
	if (unlikely(m->dup && m->kind == WEIR_KIND_REQUEST))
		return weir_route_idem(ep, m, h->route);
	return weir_send_routed(ep, m, h->route, NULL, NULL);
}

/*
 * Reads the record of a call that is sent again, and finds its route. Returns
 * WEIR_REASON_NONE, or the reason why that is not possible.
 */
static int weir_call_read(struct weir_endpoint *ep,
			  const struct weir_call_entry *call,
			  struct weir_message *m, struct weir_route **route)
{
	u64 pos = call->pos;
	struct weir_handle *h;

	/* an owner that has changed the record meanwhile harms only itself */
	if (weir_message_read(&ep->outbox->view, &pos, m) != WEIR_READ_ONE ||
	    pos != call->pos || m->route != call->handle ||
	    m->kind != WEIR_KIND_REQUEST)
		return WEIR_REASON_BAD_REQUEST;
	h = &ep->handles[call->handle - 1];
	if (h->gen != READ_ONCE(ep->wn->route_gen))
		weir_handle_resolve(ep, h);
	*route = h->route;
	return *route ? WEIR_REASON_NONE : h->reason;
}

/**
 * weir_route_again() - send a request once more
 * @ep: the caller, under its dispatch_lock.
 * @call: waits to be sent again, and was taken out of weir_call_table.retries.
 *
 * Not under rcu_read_lock(); may sleep. Return: 0 when it has been sent, or
 * answered; WEIR_HELD when it waits for room or is left to a worker: ep->pass.
 */
int weir_route_again(struct weir_endpoint *ep, struct weir_call_entry *call)
{
	struct weir_post *post = &ep->inbox->post;
	const struct weir_fallback_reply *fallback_reply = NULL;
	struct weir_route *route = NULL;
	struct weir_message m;
	int ret;

	rcu_read_lock();
	ret = weir_call_read(ep, call, &m, &route);
	if (!ret) {
		ep->pass.each = m.total;
		ret = weir_copy_left(&ep->pass, m.total) ? WEIR_HELD : 0;
	}
	if (!ret) {
		ret = weir_send_routed(ep, &m, route, call, &fallback_reply);
		if (!ret)
			weir_route_count(route, WEIR_ROUTE_RETRIES, 1);
	}
	if (ret > 0 && fallback_reply) {
		ret = weir_send_kept(ep, &m, WEIR_KIND_REPLY,
				     WEIR_REC_ROUTER, fallback_reply->data,
				     fallback_reply->len, NULL);
		if (!ret) {
			spin_lock(&post->lock);
			weir_route_answer(ep, call, NULL, WEIR_REASON_CLOSED,
					  WEIR_GUARD_NONE, 0);
			weir_endpoint_unawaited(ep);
			spin_unlock(&post->lock);
		}
	} else if (ret > 0) {
		spin_lock(&post->lock);
		weir_route_answer(ep, call, route, ret,
				  weir_reason_guard(ret), 0);
		weir_endpoint_unawaited(ep);
		spin_unlock(&post->lock);
		ret = 0;
	}
	weir_pass_pause(&ep->pass);
	rcu_read_unlock();
	if (ep->pass.ncopies)
		weir_copies_make(&ep->pass);
	return ret;
}
