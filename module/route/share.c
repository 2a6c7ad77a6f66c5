// SPDX-License-Identifier: GPL-2.0
/*
 * Fair shares of a route's limits. Two things are limited for all callers of a
 * route together: the rate, in tokens (rate_limit.h), and the requests in
 * flight at one target (bulkhead.h). The first half of each is handed out in
 * the order of asking: the upper half of the tokens, and the lower half of the
 * bulkhead's permits. That needs no look at users, and does not come here. Of
 * the other half, each user has a share; this file computes and takes it.
 *
 * Each route has limits of its own. A message that goes through several routes
 * takes a token of each that has a rate limit, and its user has a share of
 * each. A bulkhead counts requests at one target that is a socket; a target
 * that is a route has none.
 *
 * A circuit breaker that is not closed is asked here, too: it may be open for
 * one user alone.
 *
 * In a section of a pass: see pass.h.
 */
#include "logic/account.h"
#include "logic/active_users.h"
#include "logic/breaker.h"
#include "logic/bulkhead.h"
#include "logic/rate_limit.h"
#include "route/call.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/request.h"
#include "route/target.h"
#include "weir.h"

/* The slot where the user of a caller is counted for its share of a rate. */
static u32 weir_endpoint_user_slot(const struct weir_endpoint *ep)
{
	return ep->exempt ? WEIR_RATE_LIMIT_NO_USER :
			      weir_user_slot(ep->account);
}

/**
 * weir_endpoint_tokens() - take tokens of a user's share for the next messages
 * @ep: the caller's endpoint. Its pass has set ep->pass.rate_limit, and has no
 *	tokens of that.
 *
 * Sets ep->pass.tokens, which is 0 if the user has had its share, and
 * ep->pass.token_cost.
 */
void weir_endpoint_tokens(struct weir_endpoint *ep)
{
	struct weir_pass *pass = &ep->pass;

	pass->tokens = weir_rate_limit_take_share(
		pass->rate_limit, weir_endpoint_user_slot(ep), pass->now_ns,
		weir_pass_ahead(pass), &pass->token_cost);
}

/* weir_pass_tokens_back() - give back the tokens that a pass has not used */
void weir_pass_tokens_back(struct weir_pass *pass)
{
	const struct weir_endpoint *ep =
		container_of(pass, struct weir_endpoint, pass);

	weir_rate_limit_give(pass->rate_limit, weir_endpoint_user_slot(ep),
			     pass->tokens, pass->token_cost);
	pass->tokens = 0;
}

/*
 * weir_endpoint_draw() - take tokens for messages that have been sent already
 *
 * The pass had taken tokens for them, but has given these back since, for
 * another rate limit. @n: number of tokens.
 */
void weir_endpoint_draw(struct weir_endpoint *ep,
			struct weir_rate_limit *rate_limit, u32 n)
{
	weir_rate_limit_draw(rate_limit, weir_endpoint_user_slot(ep),
			     ep->pass.now_ns, n);
}

/* weir_endpoint_token_wait_ns() - time in ns until @ep can get a token */
u64 weir_endpoint_token_wait_ns(const struct weir_endpoint *ep,
				struct weir_rate_limit *rate_limit)
{
	return weir_rate_limit_wait_ns(rate_limit, weir_endpoint_user_slot(ep),
				       ep->pass.now_ns);
}

/*
 * How many more requests of a caller's user may be in flight at a target, at
 * most @n. Threads of one user that look at the same time may see the same
 * share. The user then gets a few more than its share, but the limit of the
 * bulkhead still holds.
 */
static u32 weir_target_share(const struct weir_endpoint *ep,
			     const struct weir_plan *plan,
			     struct weir_target *target, u32 n)
{
	u32 lower = max(plan->bulkhead_lower, 0), all, active;

	active = weir_active_count(&target->callers->active,
				   weir_user_slot(ep->account),
				   ep->pass.now_ns);
	all = atomic_read(&target->load.in_flight);
	return min(n, weir_bulkhead_share(plan->bulkhead - lower,
					  all - min(all, lower),
					  atomic_read(weir_target_own(target,
								      ep)),
					  active));
}

/*
 * Is a breaker open for a user because its target is ill? A user's own bad
 * requests must not free the user from the breakers that they have opened.
 */
static bool weir_breaker_is_ill(struct weir_breaker *b,
				const struct weir_plan *plan, u32 user,
				u64 now_ns)
{
	return weir_breaker_open_for(b, user) &&
	       !weir_breaker_blames(b, &plan->breaker, user, now_ns);
}

/*
 * Are more breakers of a route open for the caller's user than may refuse it at
 * once? They are counted once in a section.
 */
static bool weir_plan_too_open(struct weir_endpoint *ep,
			       const struct weir_plan *plan)
{
	u32 user = weir_endpoint_user(ep), i;
	struct weir_pass *pass = &ep->pass;

	/* most routes: there is no limit */
	if (plan->max_open >= plan->n)
		return false;
	if (pass->open_plan != plan) {
		pass->open_plan = plan;
		pass->nopen = 0;
		pass->steps += plan->n;
		for (i = 0; i < plan->n; i++) {
			/* nothing probes a target without weight */
			pass->nopen += plan->pick->weights[i] &&
				weir_breaker_is_ill(&plan->targets[i]->breaker,
						    plan, user, pass->now_ns);
		}
	}
	return pass->nopen > plan->max_open;
}

/* weir_target_probe() - weir_target_permit() for a breaker that is not closed */
enum weir_reason weir_target_probe(struct weir_endpoint *ep,
				   const struct weir_plan *plan,
				   struct weir_target *target, u32 *n,
				   u32 *round)
{
	u32 user = weir_endpoint_user(ep);

	if (weir_breaker_spares(&target->breaker, user)) {
		*round = READ_ONCE(target->breaker.window_round);
		return WEIR_REASON_NONE;
	}
	/* probes go one by one */
	weir_bulkhead_give(&target->load.in_flight, *n - 1);
	*n = 1;
	if (weir_breaker_permit(&target->breaker, &plan->breaker, user,
				ep->pass.now_ns, round))
		return WEIR_REASON_NONE;
	if (weir_plan_too_open(ep, plan) &&
	    weir_breaker_is_ill(&target->breaker, plan, user,
				ep->pass.now_ns)) {
		/* it counts neither as a probe nor in a window */
		*round = 0;
		return WEIR_REASON_NONE;
	}
	weir_bulkhead_give(&target->load.in_flight, 1);
	return WEIR_REASON_BREAKER;
}

/**
 * weir_target_admit_share() - ask a target whose bulkhead's lower half is full
 * @ep: the caller's endpoint.
 * @plan: plan of the route, which has a bulkhead.
 * @target: the target, which is a socket.
 * @n: in: requests that want to go, at least 1; out: those that may, if any.
 * @round: out: round of the target's breaker, for weir_target_dismiss() or for
 *	the call; with WEIR_ROUND_SHARED if they are counted for the user.
 *
 * Takes slots of the bulkhead's upper half, within the share of the caller's
 * user. An exempt endpoint is not bound to a share, and is not counted.
 *
 * Return: WEIR_REASON_NONE when *@n requests may go; WEIR_REASON_BULKHEAD or
 * WEIR_REASON_BREAKER when none may.
 */
enum weir_reason weir_target_admit_share(struct weir_endpoint *ep,
					 const struct weir_plan *plan,
					 struct weir_target *target, u32 *n,
					 u32 *round)
{
	u32 want = ep->exempt ? *n :
		   weir_target_share(ep, plan, target, *n), taken = 0;
	enum weir_reason reason;

	if (want)
		taken = weir_bulkhead_take(&target->load.in_flight,
					   plan->bulkhead, want);
	if (!taken)
		return WEIR_REASON_BULKHEAD;
	*n = taken;
	reason = weir_target_permit(ep, plan, target, n, round);
	if (reason || ep->exempt)
		return reason;
	atomic_add(*n, weir_target_own(target, ep));
	*round |= WEIR_ROUND_SHARED;
	return WEIR_REASON_NONE;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_target_probe);
#endif
