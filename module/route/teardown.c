// SPDX-License-Identifier: GPL-2.0
/*
 * The end of an endpoint. The records that a process committed before it closed
 * its socket, or was killed, are still routed. The call that closes the
 * socket routes a few of them, and a worker of the user routes the rest. The
 * endpoint's owner is held until then.
 *
 * Process context.
 */
#include <linux/slab.h>

#include "logic/calls.h"
#include "net.h"
#include "race.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/dispatch_lock.h"
#include "route/dup_call.h"
#include "route/endpoint.h"
#include "route/poller.h"
#include "route/route.h"
#include "route/router.h"
#include "route/target.h"
#include "route/waiter.h"
#include "route/worker.h"
#include "tenant.h"
#include "weir.h"

/* Calls that the thread that closes the socket ends by itself at most. */
#define WEIR_END_CALLS	(4 * WEIR_CALLS_CHUNK)

/*
 * Ends one call, which may be in any state, of an endpoint whose socket is
 * gone; a fan-out as a whole, whichever of its calls this is.
 */
static void weir_call_cancel(struct weir_endpoint *ep,
			     struct weir_call_entry *call)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (call->state == WEIR_CALL_PARENT)
		weir_call_end_parent(ep, call);
	else if (weir_call_is_child(call))
		weir_call_end_parent(ep, weir_call_table_at(&ep->calls,
							    call->parent));
	else if (call->state == WEIR_CALL_SENT ||
		 call->state == WEIR_CALL_RETRY ||
		 call->state == WEIR_CALL_WAIT)
		weir_call_answer(ep, call, NULL, WEIR_REASON_CLOSED,
				 WEIR_GUARD_NONE, 0);
}

/* Ends all calls of an endpoint whose socket is gone. May sleep. */
static void weir_endpoint_cancel(struct weir_endpoint *ep)
{
	u32 slot;

	spin_lock_bh(&ep->inbox->post.lock);
	for (slot = 0; slot < ep->calls.size; slot++) {
		weir_call_cancel(ep, weir_call_table_at(&ep->calls, slot));
		if (slot % WEIR_CALLS_CHUNK != WEIR_CALLS_CHUNK - 1 &&
		    ep->ended < WEIR_ENDED_MAX)
			continue;
		weir_endpoint_unawaited(ep);
		spin_unlock_bh(&ep->inbox->post.lock);
		weir_race_point(calls_cancel);
		cond_resched();
		spin_lock_bh(&ep->inbox->post.lock);
	}
	spin_unlock_bh(&ep->inbox->post.lock);
}

/**
 * weir_endpoint_finish() - end an endpoint that has nothing left to route
 * @ep: the endpoint, after weir_endpoint_close(). Puts its creator's reference,
 *	and then lets go of its owner.
 * @called: as of weir_targets_called().
 *
 * When this returns, the requests that it had not answered have been
 * sent elsewhere, or answered with an error. May sleep.
 */
static void weir_endpoint_finish(struct weir_endpoint *ep, bool called)
{
	void (*put_owner)(struct weir_owner *o) = ep->put_owner;
	struct weir_owner *o = ep->owner;
	u32 i;

	/* 1. no pass begins any more */
	weir_dispatch_lock(&ep->dispatch_lock);
	ep->owner = NULL;
	weir_waiter_recheck(&ep->waiter);
	weir_waiter_done(&ep->waiter);
	weir_waiter_recheck(&ep->retry);
	weir_waiter_done(&ep->retry);
	weir_dispatch_unlock(ep);

	/* 2. the calls of others that wait for its replies */
	weir_targets_end(ep, called);

	/*
	 * 3. its own calls. A target that goes must find them while they are
	 * open, so the endpoint leaves the table after that.
	 */
	weir_endpoint_cancel(ep);
	/* look-ups fail now; the number stays taken until ep is freed */
	xa_store(&ep->wn->endpoints, ep->id, NULL, 0);
	/* a thread that looked ep up earlier cannot set the timer any more */
	weir_timer_end(&ep->timer);
	weir_endpoint_unqueue(ep);

	/* 4. handles, the leader of a waiting pass, the cursor, references */
	for (i = 0; i < ep->nhandles; i++) {
		if (ep->handles[i].route)
			weir_route_put(ep->handles[i].route);
		kfree(ep->handles[i].path);
	}
	kvfree(ep->handles);
	kvfree(ep->by_name);
	ep->handles = NULL;
	ep->nhandles = 0;
	if (ep->blocked_dup)
		weir_dup_call_complete(ep->blocked_dup);
	weir_reader_detach(ep->rd, WEIR_REASON_CLOSED);
	weir_reader_put(ep->rd);
	ep->rd = NULL;
	weir_endpoint_put(ep);
	put_owner(o);
}

/* weir_endpoint.end: ends the endpoint. Returns false: there is no more. */
bool weir_endpoint_end_part(struct weir_job *job)
{
	struct weir_endpoint *ep = container_of(job, struct weir_endpoint, end);

	weir_endpoint_finish(ep, weir_targets_called(ep));
	return false;
}

/**
 * weir_endpoint_close() - close an endpoint
 * @ep: the endpoint, with its creator's reference, which is put. ep->owner must
 *	stay until ep->put_owner has been called.
 *
 * The records that have been committed in its outbox are still routed. All that
 * takes long is left to a worker. This function does not wait for the worker,
 * because the thread may belong to another user: any process to which a
 * socket's descriptor was passed may be the last to close it. May sleep.
 *
 * When it returns, no policy picks the endpoint as a target any more. The
 * callers that wait for it are told a little later: to find them, a worker
 * looks through all open calls of other users.
 */
void weir_endpoint_close(struct weir_endpoint *ep)
{
	bool left, called;

	ep->seen = weir_inbox_seen(ep->inbox);
	/* 1. route the records that it committed, its replies among them */
	weir_poll_leave(ep);
	left = weir_pass_last(ep);

	/* 2. no route picks it as a target any more */
	weir_race_point(endpoint_close);
	if (!weir_targets_leave(ep))
		left = true;

	/* 3. the rest, now or when all is routed */
	if (!left) {
		called = weir_targets_called(ep);
		if (called || ep->calls.size > WEIR_END_CALLS)
			weir_jobs_add(&ep->tenant->ends, &ep->end);
		else
			weir_endpoint_finish(ep, false);
		return;
	}
	/* a worker that was told before may be done with it at once */
	weir_endpoint_get(ep);
	weir_dispatch_lock(&ep->dispatch_lock);
	ep->last_ns = U64_MAX;
	weir_dispatch_unlock(ep);
	weir_endpoint_queue(ep);
	weir_endpoint_put(ep);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_endpoint_close);
#endif
