// SPDX-License-Identifier: GPL-2.0
/*
 * What a route has for all its callers, and the share of it that a caller's user
 * may have: tokens of its rate (rate_limit.h), and requests in flight at a target
 * (bulkhead.h). Nobody gets here for the upper half of the tokens, and for the
 * lower half of a bulkhead: these are had as they come.
 *
 * The limits are those of each route by itself: a message through routes behind
 * routes takes tokens of each that has a rate, and its user has a share of each.
 * A bulkhead is a target's, and only a socket is in flight.
 *
 * Process context, under dispatch_lock and rcu_read_lock().
 */
#include "route/request.h"

/* Where the user of a caller is counted for its share of a rate. */
static u32 weir_endpoint_place(const struct weir_endpoint *ep)
{
	return ep->exempt ? WEIR_RATE_LIMIT_NO_USER :
			      weir_account_place(ep->account);
}

/**
 * weir_endpoint_tokens() - tokens for the messages that are ahead, of a user's
 * share
 * @ep: the caller; its run has none at hand of the rate limit that it names.
 */
void weir_endpoint_tokens(struct weir_endpoint *ep)
{
	struct weir_pass *pass = &ep->pass;

	pass->tokens = weir_rate_limit_take_share(
		pass->rate_limit, weir_endpoint_place(ep), pass->now_ns,
		weir_pass_ahead(pass), &pass->token_cost);
}

/* weir_pass_tokens_back() - tokens at hand that were not used */
void weir_pass_tokens_back(struct weir_pass *pass)
{
	const struct weir_endpoint *ep =
		container_of(pass, struct weir_endpoint, pass);

	weir_rate_limit_give(pass->rate_limit, weir_endpoint_place(ep),
			     pass->tokens, pass->token_cost);
	pass->tokens = 0;
}

/* weir_endpoint_draw() - tokens that have been used and are not at hand any more */
void weir_endpoint_draw(struct weir_endpoint *ep,
			struct weir_rate_limit *rate_limit, u32 n)
{
	weir_rate_limit_draw(rate_limit, weir_endpoint_place(ep),
			     ep->pass.now_ns, n);
}

/* weir_endpoint_token_wait_ns() - when to come again for one */
u64 weir_endpoint_token_wait_ns(const struct weir_endpoint *ep,
				struct weir_rate_limit *rate_limit)
{
	return weir_rate_limit_wait_ns(rate_limit, weir_endpoint_place(ep),
				       ep->pass.now_ns);
}

/*
 * How many more of @n may be in flight at a target, for the share of a caller's
 * user. Threads of one user that look at the same time may see the same share:
 * then it has a few more. The bulkhead holds nevertheless.
 */
static u32 weir_target_share(const struct weir_endpoint *ep,
			     const struct weir_plan *plan,
			     struct weir_target *target, u32 n)
{
	u32 lower = max(plan->bulkhead_lower, 0), all, asking;

	asking = weir_asking_count(&target->callers->asking,
				   weir_account_place(ep->account),
				   ep->pass.now_ns);
	all = atomic_read(&target->load.in_flight);
	return min(n, weir_bulkhead_share(plan->bulkhead - lower,
					  all - min(all, lower),
					  atomic_read(weir_target_own(target,
								      ep)),
					  asking));
}

/**
 * weir_target_admit_share() - what a target says where a bulkhead's lower half is
 * taken
 * @ep: the caller.
 * @plan: of a route with a bulkhead.
 * @target: the target.
 * @n: as for weir_target_admit().
 * @round: as for weir_target_admit().
 *
 * Return: as weir_target_admit().
 */
enum weir_reason weir_target_admit_share(const struct weir_endpoint *ep,
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
	reason = weir_target_permit(plan, target, ep->pass.now_ns, n, round);
	if (reason || ep->exempt)
		return reason;
	atomic_add(*n, weir_target_own(target, ep));
	*round |= WEIR_ROUND_SHARED;
	return WEIR_REASON_NONE;
}
