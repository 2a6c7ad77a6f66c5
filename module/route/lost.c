// SPDX-License-Identifier: GPL-2.0
/*
 * Calls whose target does not answer them, since it hangs or is gone. A target
 * does not know who has called it: each caller looks through its own calls.
 *
 * For a target that hangs, each does so in the turn of its own user, together
 * with the look for deadlines (weir_endpoint_scan()): the tables of others hold
 * nobody up. For one that is gone, whoever closes it looks, since calls must not
 * point to it any more when it is freed.
 *
 * Process context, without weir_net.lock.
 */
#include "route/pass.h"

/* The next endpoint of a namespace after *@id, held; or NULL. */
static struct weir_endpoint *weir_endpoint_next(struct weir_net *wn,
						unsigned long *id)
{
	struct weir_endpoint *ep;

	rcu_read_lock();
	do {
		ep = xa_find_after(&wn->endpoints, id, ULONG_MAX, XA_PRESENT);
	} while (ep && !refcount_inc_not_zero(&ep->ref));
	rcu_read_unlock();
	return ep;
}

/* --- targets that hang -------------------------------------------------- */

/*
 * Callers that are told for a target in one turn; each costs a look, others
 * less.
 */
#define WEIR_TELL_PORTS	1024
#define WEIR_TELL_IDLE	64

/*
 * A caller with open calls looks through them. Not at once: it may be told of
 * many targets, and looks for all of them in one go. Returns whether it has any; a
 * call that is sent after this look finds that the target hangs.
 */
static bool weir_endpoint_tell(struct weir_endpoint *ep)
{
	struct weir_calls *calls = &ep->calls;
	bool open;

	spin_lock(&ep->inbox->post.lock);
	open = READ_ONCE(calls->nlocal) + calls->nreturned != calls->size;
	if (open)
		weir_endpoint_timer(ep, ktime_get_ns() + TICK_NSEC);
	spin_unlock(&ep->inbox->post.lock);
	return open;
}

/**
 * weir_ports_tell() - callers are told that a target hangs
 * @target: it; in the turn of its user.
 *
 * What was sent to it up to target->lost_ns and may be sent twice goes elsewhere.
 * Goes on after the endpoint target->told, for as many as the user may look at now.
 * Return: whether there are more.
 */
bool weir_ports_tell(struct weir_target *target)
{
	u32 left = weir_tenant_slots(target->ep->tenant, WEIR_TELL_PORTS);
	struct weir_endpoint *ep;
	u32 idle = 0;

	while (atomic_read(&target->load.in_flight)) {
		if (!left)
			return true;
		ep = weir_endpoint_next(target->ep->wn, &target->told);
		if (!ep)
			break;
		if (weir_endpoint_tell(ep) || ++idle % WEIR_TELL_IDLE == 0)
			left--;
		weir_endpoint_put(ep);
	}
	return false;
}

/* --- targets that are gone ---------------------------------------------- */

/* Has a target that is gone of this socket the call? */
static bool weir_call_is_lost(const struct weir_call *call,
			      const struct weir_endpoint *server)
{
	return weir_call_state(call) == WEIR_CALL_SENT &&
	       call->target->ep == server && READ_ONCE(call->target->gone);
}

/*
 * The calls of one socket in slots from *@slot on, as many as are looked at under
 * the lock at once. False when these were the last, or none is open.
 */
static bool weir_endpoint_lost_some(struct weir_endpoint *ep, u32 *slot,
				    const struct weir_endpoint *server)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_calls *calls = &ep->calls;
	u32 end = 0;
	bool more;

	spin_lock(&post->lock);
	/* whoever sends one after this look finds the target gone by itself */
	if (READ_ONCE(calls->nlocal) + calls->nreturned != calls->size)
		end = min(*slot + WEIR_CALLS_CHUNK, calls->size);
	ep->ended = 0;
	for (; *slot < end && ep->ended < WEIR_ENDED_MAX; ++*slot) {
		struct weir_call *call = weir_calls_at(calls, *slot);

		if (weir_call_is_lost(call, server))
			weir_call_lost(ep, call, WEIR_REASON_TARGET_DIED,
				       WEIR_GUARD_NONE);
	}
	more = end && *slot < calls->size;
	spin_unlock(&post->lock);
	return more;
}

/* What is lost is sent again, in order: so only when all that is has been found. */
static void weir_endpoint_lost_end(struct weir_endpoint *ep)
{
	weir_inbox_wake(ep->inbox);
	if (weir_calls_retrying(&ep->calls))
		weir_endpoint_later(ep);
}

/**
 * weir_endpoint_lost_calls() - calls of one socket that a target does not answer
 * @ep: the socket's.
 * @target: it is gone.
 *
 * Does not sleep.
 */
void weir_endpoint_lost_calls(struct weir_endpoint *ep,
			      const struct weir_target *target)
{
	u32 slot = 0;

	while (weir_endpoint_lost_some(ep, &slot, target->ep))
		;
	weir_endpoint_lost_end(ep);
}

/*
 * Has one of these targets, from *@at on, calls that are not over? Senders count
 * a call first, and look for themselves whether the target is gone after they
 * have sent it: what is counted after this look they find.
 */
static bool weir_targets_open(const struct list_head *gone,
			      struct weir_target **at)
{
	struct weir_target *target = *at;

	list_for_each_entry_from(target, gone, ep_link) {
		if (atomic_read(&target->load.in_flight))
			break;
	}
	*at = target;
	return !list_entry_is_head(target, gone, ep_link);
}

/* The calls of the server's user, or of all others, as long as any are open. */
static void weir_endpoints_lost(const struct weir_endpoint *server, bool own,
				const struct list_head *gone,
				struct weir_target **at)
{
	struct weir_endpoint *ep;
	unsigned long id = 0;

	while (weir_targets_open(gone, at)) {
		u32 slot = 0;

		ep = weir_endpoint_next(server->wn, &id);
		if (!ep)
			return;
		if ((ep->tenant == server->tenant) == own) {
			while (weir_endpoint_lost_some(ep, &slot, server) &&
			       weir_targets_open(gone, at))
				cond_resched();
			weir_endpoint_lost_end(ep);
		}
		weir_endpoint_put(ep);
		cond_resched();
	}
}

/**
 * weir_endpoint_died() - a socket that served is going
 * @server: its endpoint.
 * @gone: its targets, which are gone.
 *
 * One look at the calls for all that it served, which ends when the last of them
 * is over. Its own user's come first: they are not behind the tables of others.
 * Without weir_net.lock.
 */
void weir_endpoint_died(const struct weir_endpoint *server,
			const struct list_head *gone)
{
	struct weir_target *at = list_first_entry(gone, struct weir_target,
						  ep_link);

	weir_endpoints_lost(server, true, gone, &at);
	weir_endpoints_lost(server, false, gone, &at);
}
