// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a socket's part in the router. What a process had committed before it
 * closed its socket, or was killed, is still routed: by the call that releases the
 * socket or, where that would have to wait, by a worker of the user, which holds
 * the socket until then.
 *
 * Process context.
 */
#include <linux/slab.h>

#include "route/request.h"
#include "race.h"

/*
 * What a socket that is gone has left waits for room in inboxes for so long, all
 * of it together: callers are to find another target within 200 ms.
 */
#define WEIR_LAST_NS	(100 * NSEC_PER_MSEC)

/* The caller has gone: its calls are not to be worked on. */
static void weir_endpoint_cancel(struct weir_endpoint *ep)
{
	u32 slot;

	spin_lock(&ep->inbox->post.lock);
	for (slot = 0; slot < ep->calls.size; slot++) {
		struct weir_call *call = weir_calls_at(&ep->calls, slot);

		if (call->state == WEIR_CALL_SENT ||
		    call->state == WEIR_CALL_RETRY ||
		    call->state == WEIR_CALL_WAIT)
			weir_route_answer(ep, call, NULL, WEIR_REASON_CLOSED,
					  WEIR_GUARD_NONE, 0);
		else if (call->state == WEIR_CALL_PARENT ||
			 call->state == WEIR_CALL_DONE)
			weir_calls_put(&ep->calls, call);
		if (slot % WEIR_CALLS_CHUNK == WEIR_CALLS_CHUNK - 1) {
			spin_unlock(&ep->inbox->post.lock);
			cond_resched();
			spin_lock(&ep->inbox->post.lock);
		}
	}
	spin_unlock(&ep->inbox->post.lock);
}

/**
 * weir_endpoint_finish() - nothing is left to be routed of a socket that is gone
 * @ep: its endpoint; the socket's reference goes, and that of the endpoint on it.
 *
 * What it had not answered has been sent elsewhere or answered with an error when
 * this returns.
 */
static void weir_endpoint_finish(struct weir_endpoint *ep)
{
	struct weir_sock *ws = ep->ws;
	u32 i;

	/* 1. no pass begins */
	weir_dispatch_lock(&ep->dispatch_lock);
	ep->ws = NULL;
	weir_waiter_look(&ep->waiter);
	weir_waiter_done(&ep->waiter);
	weir_waiter_look(&ep->retry);
	weir_waiter_done(&ep->retry);
	weir_dispatch_unlock(ep);

	/* 2. who waits for it */
	weir_targets_end(ep);

	/*
	 * 3. its own calls; a target that goes must find them for as long as
	 * there are any
	 */
	weir_endpoint_cancel(ep);
	/* not to be found; the number is taken until it is freed */
	xa_store(&ep->wn->endpoints, ep->id, NULL, GFP_KERNEL);
	/* whoever had found it before arms it no more */
	spin_lock(&ep->inbox->post.lock);
	ep->armed_ns = 0;
	spin_unlock(&ep->inbox->post.lock);
	weir_delayed_cancel_sync(&ep->timer, &ep->ref);
	weir_endpoint_never(ep);

	/* 4. what it holds */
	for (i = 0; i < ep->nhandles; i++) {
		if (ep->handles[i].route)
			weir_route_put(ep->handles[i].route);
		kfree(ep->handles[i].path);
	}
	kvfree(ep->handles);
	kvfree(ep->by_name);
	ep->handles = NULL;
	ep->nhandles = 0;
	if (ep->idem_held)
		weir_idem_complete(ep->idem_held);
	weir_reader_detach(ep->rd, WEIR_REASON_CLOSED);
	weir_reader_put(ep->rd);
	ep->rd = NULL;
	weir_endpoint_put(ep);
	sock_put(&ws->sk);
}

/* weir_endpoint.end: all of it in one part. */
bool weir_endpoint_end_part(struct weir_job *job)
{
	weir_endpoint_finish(container_of(job, struct weir_endpoint, end));
	return false;
}

/**
 * weir_endpoint_close() - the socket is being released
 * @ws: the socket.
 *
 * What it has committed still goes out. What is large, or waits for room in an
 * inbox, a worker sees to, for which this does not wait: others may depend on the
 * thread that releases a socket. What it serves is gone from its routes when this
 * returns.
 */
void weir_endpoint_close(struct weir_sock *ws)
{
	struct weir_endpoint *ep = ws->ep;
	bool left;

	if (!ep)
		return;
	/* 1. replies that it gave before it went */
	weir_poll_leave(ep);
	left = weir_route_last(ep);

	/* 2. nobody picks it any more */
	weir_race_point(endpoint_close);
	if (!weir_targets_leave(ep))
		left = true;

	/* 3. the rest, now or when all is routed; the pass asks what @ws may */
	sock_hold(&ws->sk);
	if (!left) {
		weir_endpoint_finish(ep);
		return;
	}
	weir_dispatch_lock(&ep->dispatch_lock);
	ep->last_ns = ktime_get_ns() + WEIR_LAST_NS;
	weir_dispatch_unlock(ep);
	weir_endpoint_later(ep);
}
