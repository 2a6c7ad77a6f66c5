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
static void weir_port_cancel(struct weir_port *port)
{
	u32 slot;

	spin_lock(&port->inbox->post.lock);
	for (slot = 0; slot < port->calls.size; slot++) {
		struct weir_call *call = weir_calls_at(&port->calls, slot);

		if (call->state == WEIR_CALL_SENT ||
		    call->state == WEIR_CALL_RETRY ||
		    call->state == WEIR_CALL_WAIT)
			weir_route_answer(port, call, NULL, WEIR_REASON_CLOSED,
					  WEIR_GUARD_NONE, 0);
		else if (call->state == WEIR_CALL_PARENT ||
			 call->state == WEIR_CALL_DONE)
			weir_calls_put(&port->calls, call);
		if (slot % WEIR_CALLS_CHUNK == WEIR_CALLS_CHUNK - 1) {
			spin_unlock(&port->inbox->post.lock);
			cond_resched();
			spin_lock(&port->inbox->post.lock);
		}
	}
	spin_unlock(&port->inbox->post.lock);
}

/**
 * weir_port_finish() - nothing is left to be routed of a socket that is gone
 * @port: its port; the socket's reference goes, and that of the port on it.
 *
 * What it had not answered has been sent elsewhere or answered with an error when
 * this returns.
 */
static void weir_port_finish(struct weir_port *port)
{
	struct weir_sock *ws = port->ws;
	u32 i;

	/* 1. no walk begins */
	weir_run_lock(&port->run_lock);
	port->ws = NULL;
	weir_waiter_look(&port->walk);
	weir_waiter_done(&port->walk);
	weir_waiter_look(&port->retry);
	weir_waiter_done(&port->retry);
	weir_run_unlock(port);

	/* 2. who waits for it */
	weir_targets_end(port);

	/*
	 * 3. its own calls; a target that goes must find them for as long as
	 * there are any
	 */
	weir_port_cancel(port);
	/* not to be found; the number is taken until it is freed */
	xa_store(&port->wn->ports, port->id, NULL, GFP_KERNEL);
	/* whoever had found it before arms it no more */
	spin_lock(&port->inbox->post.lock);
	port->armed_ns = 0;
	spin_unlock(&port->inbox->post.lock);
	weir_delayed_cancel_sync(&port->timer, &port->ref);
	weir_port_never(port);

	/* 4. what it holds */
	for (i = 0; i < port->nhandles; i++) {
		if (port->handles[i].route)
			weir_route_put(port->handles[i].route);
		kfree(port->handles[i].path);
	}
	kvfree(port->handles);
	kvfree(port->by_name);
	port->handles = NULL;
	port->nhandles = 0;
	if (port->once_held)
		weir_once_over(port->once_held);
	weir_reader_detach(port->rd, WEIR_REASON_CLOSED);
	weir_reader_put(port->rd);
	port->rd = NULL;
	weir_port_put(port);
	sock_put(&ws->sk);
}

/* weir_port.end: all of it in one part. */
bool weir_port_end_part(struct weir_job *job)
{
	weir_port_finish(container_of(job, struct weir_port, end));
	return false;
}

/**
 * weir_port_close() - the socket is being released
 * @ws: the socket.
 *
 * What it has committed still goes out. What is large, or waits for room in an
 * inbox, a worker sees to, for which this does not wait: others may depend on the
 * thread that releases a socket. What it serves is gone from its routes when this
 * returns.
 */
void weir_port_close(struct weir_sock *ws)
{
	struct weir_port *port = ws->port;
	bool left;

	if (!port)
		return;
	/* 1. replies that it gave before it went */
	weir_poll_leave(port);
	left = weir_route_last(port);

	/* 2. nobody picks it any more */
	weir_race_point(port_close);
	if (!weir_targets_leave(port))
		left = true;

	/* 3. the rest, now or when all is routed; the walk asks what @ws may */
	sock_hold(&ws->sk);
	if (!left) {
		weir_port_finish(port);
		return;
	}
	weir_run_lock(&port->run_lock);
	port->last_ns = ktime_get_ns() + WEIR_LAST_NS;
	weir_run_unlock(port);
	weir_port_later(port);
}
