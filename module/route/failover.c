// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that a target does not answer, because it is ejected (@ejected) or
 * gone. A target does not know its callers, so each caller looks through its
 * own calls.
 *
 * For an ejected target, the worker of the target's user sets the timer of each
 * caller. The caller's calls are looked at in the turn of the caller's user,
 * together with the look for deadlines (weir_endpoint_scan()). So the tables of
 * other users hold up no user. For a target that is gone, a worker of its user
 * looks through the calls: no call may point to the target when it is freed.
 *
 * Process context, without weir_net.lock.
 */
#include "logic/calls.h"
#include "net.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/endpoint.h"
#include "route/move.h"
#include "route/target.h"
#include "route/worker.h"
#include "tenant.h"
#include "weir.h"

/* Get the next endpoint of a namespace after *@id, held; or NULL. Sets *@id. */
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

/* --- ejected targets ---------------------------------------------------- */

/*
 * Most callers that are told about one target in one turn. A caller with open
 * calls counts as one; WEIR_TELL_IDLE callers without open calls count as one
 * together.
 */
#define WEIR_TELL_ENDPOINTS	1024
#define WEIR_TELL_IDLE		8

/*
 * Have a caller look through its open calls, if it has any. Its timer does this
 * a tick later: it may be told about many targets, and then looks once for all
 * of them. Returns true if it has open calls. A call that is sent later finds
 * out by itself that the target is ejected.
 */
static bool weir_endpoint_check_soon(struct weir_endpoint *ep)
{
	struct weir_call_table *calls = &ep->calls;
	bool open;

	spin_lock_bh(&ep->inbox->post.lock);
	open = READ_ONCE(calls->nlocal) + calls->nreturned != calls->size;
	if (open)
		weir_deadline_arm(ep, ktime_get_ns() + TICK_NSEC);
	spin_unlock_bh(&ep->inbox->post.lock);
	return open;
}

/**
 * weir_target_tell_callers() - tell callers that a target is ejected
 * @target: the target; the worker of its user calls this.
 *
 * Calls that were sent to the target up to target->lost_ns, and that may be
 * sent twice, go to other targets. Goes on after the endpoint
 * target->last_told, for as many callers as the user may look at now.
 *
 * Return: true if there are more callers to tell.
 */
bool weir_target_tell_callers(struct weir_target *target)
{
	u32 left = weir_tenant_scan_budget(target->ep->tenant,
					   WEIR_TELL_ENDPOINTS);
	struct weir_endpoint *ep;
	u32 idle = 0;
	bool told;

	while (atomic_read(&target->load.in_flight)) {
		if (!left)
			return true;
		ep = weir_endpoint_next(target->ep->wn, &target->last_told);
		if (!ep)
			break;
		told = weir_endpoint_check_soon(ep) ||
		       ++idle % WEIR_TELL_IDLE == 0;
		weir_endpoint_put(ep);
		if (told) {
			left--;
			cond_resched();
		}
	}
	return false;
}

/* --- targets that are gone ---------------------------------------------- */

/* Was the call sent to a target of @server that is gone? */
static bool weir_call_is_lost(const struct weir_call_entry *call,
			      const struct weir_endpoint *server)
{
	return weir_call_state(call) == WEIR_CALL_SENT &&
	       call->target->ep == server && READ_ONCE(call->target->gone);
}

/*
 * Look at the calls of one endpoint in slots from *@slot on, at as many as one
 * hold of the lock allows. A call that was sent to a gone target of the server
 * is moved to another one or lost. Returns false when these calls were the
 * last, or none is open. With @move->wanted, it is to be called again after
 * weir_move_copy().
 */
static bool weir_endpoint_lost_hold(struct weir_endpoint *ep, u32 *slot,
				    struct weir_move *move)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_call_table *calls = &ep->calls;
	u32 end = 0;
	bool more;

	spin_lock_bh(&post->lock);
	/* a sender that comes after this look sees @gone by itself */
	if (READ_ONCE(calls->nlocal) + calls->nreturned != calls->size)
		end = min(*slot + WEIR_CALLS_CHUNK, calls->size);
	for (; *slot < end && ep->ended < WEIR_ENDED_MAX; ++*slot) {
		struct weir_call_entry *call = weir_call_table_at(calls, *slot);

		if (!weir_call_is_lost(call, move->server))
			continue;
		if (!weir_move_call(ep, call, move))
			weir_call_lost(ep, call, WEIR_REASON_TARGET_DIED,
				       WEIR_GUARD_NONE);
		if (move->wanted)
			break;
	}
	weir_endpoint_unawaited(ep);
	more = end && *slot < calls->size;
	spin_unlock_bh(&post->lock);
	return more;
}

/* The same for some calls, with the copies that they need. May sleep. */
static bool weir_endpoint_lost_some(struct weir_endpoint *ep, u32 *slot,
				    struct weir_endpoint *server)
{
	struct weir_move move = { .server = server };
	bool more, copy;

	do {
		more = weir_endpoint_lost_hold(ep, slot, &move);
		copy = move.wanted;
		weir_move_copy(ep, &move);
	} while (copy);
	return more;
}

/*
 * Lost calls are sent again in order, so this begins only after all of them
 * have been found.
 */
static void weir_endpoint_lost_end(struct weir_endpoint *ep)
{
	weir_inbox_wake(ep->inbox);
	if (weir_call_table_retrying(&ep->calls))
		weir_endpoint_queue(ep);
}

/* weir_target.recheck: see weir_target_recheck(). Returns false: it is done. */
bool weir_target_recheck_part(struct weir_job *job)
{
	struct weir_target *target = container_of(job, struct weir_target,
						  recheck);
	struct weir_endpoint *ep;
	unsigned long id = 0;

	/* calls that are sent from here on need another look */
	xchg(&target->seeking, false);
	while (atomic_read(&target->load.in_flight)) {
		u32 slot = 0;

		ep = weir_endpoint_next(target->ep->wn, &id);
		if (!ep)
			break;
		while (weir_endpoint_lost_some(ep, &slot, target->ep))
			cond_resched();
		weir_endpoint_lost_end(ep);
		weir_endpoint_put(ep);
		cond_resched();
	}
	weir_target_put(target);
	return false;
}

/**
 * weir_target_recheck() - calls were sent to a target that is gone
 * @target: the target, in a section that began before the plan was read.
 *
 * The worker that ends the target may have looked for calls already. To find
 * those that were just sent takes a look at all open calls, so a worker of the
 * target's user does that; the target is held until it is done. Does not sleep.
 */
void weir_target_recheck(struct weir_target *target)
{
	if (xchg(&target->seeking, true))
		return;
	weir_target_get(target);
	weir_jobs_add(&target->ep->tenant->ends, &target->recheck);
	/* the end of a namespace must not wait for ends in others */
	weir_job_first(target->ep->tenant, &target->recheck);
}

/*
 * Has one of these targets, from *@at on, calls that are not over? Sets *@at to
 * the first that has. A sender counts a call, sends it and then checks whether
 * the target is gone. So a call that is counted after this look has its sender
 * call a worker.
 */
static bool weir_targets_have_calls(const struct list_head *gone,
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

/*
 * Look through the calls of the server's user (@own) or of all other users, as
 * long as any calls to these targets are open.
 */
static void weir_endpoints_lost(struct weir_endpoint *server, bool own,
				const struct list_head *gone,
				struct weir_target **at)
{
	struct weir_endpoint *ep;
	unsigned long id = 0;

	while (weir_targets_have_calls(gone, at)) {
		u32 slot = 0;

		ep = weir_endpoint_next(server->wn, &id);
		if (!ep)
			return;
		if ((ep->tenant == server->tenant) == own) {
			while (weir_endpoint_lost_some(ep, &slot, server) &&
			       weir_targets_have_calls(gone, at))
				cond_resched();
			weir_endpoint_lost_end(ep);
		}
		weir_endpoint_put(ep);
		cond_resched();
	}
}

/**
 * weir_endpoint_died() - find all calls to a socket that is being closed
 * @server: its endpoint.
 * @gone: its targets, which are gone; not empty.
 *
 * One traversal of all calls serves all targets of the socket. It ends when no
 * call to them is open any more. The calls of the server's own user come first,
 * so that they need not wait for the tables of others. May sleep. Without
 * weir_net.lock.
 */
void weir_endpoint_died(struct weir_endpoint *server,
			const struct list_head *gone)
{
	struct weir_target *at = list_first_entry(gone, struct weir_target,
						  ep_link);

	weir_endpoints_lost(server, true, gone, &at);
	weir_endpoints_lost(server, false, gone, &at);
}
