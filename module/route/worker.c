// SPDX-License-Identifier: GPL-2.0
/*
 * Turns of users in the router.
 *
 * The router leaves some work to workers. One work item of each user does it,
 * for one endpoint after the other, and for one timer after the other. Timers
 * of endpoints are for deadlines and retries, those of targets for the
 * watchdog. So each user has one worker at most, of normal priority, no
 * matter how many endpoints the user has. Polling threads give each user a
 * share by other means, see poller.c.
 *
 * Process context; weir_endpoint_later() and weir_endpoint_never() may also be
 * called under spinlocks.
 */
#include "race.h"
#include "route/endpoint.h"
#include "route/router.h"
#include "route/worker.h"
#include "tenant.h"
#include "weir.h"
#include "work.h"

/*
 * Endpoints, and as many timers, that one run of a user's work item handles
 * before the work items of other users have their turn.
 */
#define WEIR_TURN_ENDPOINTS	16

/*
 * Calls that are looked at for one user in one jiffy: for passed deadlines, and
 * for targets that were ejected.
 */
#define WEIR_TURN_SLOTS	4096

/* weir_tenant_tick() - weir_timers.tick of a user's endpoints and targets */
void weir_tenant_tick(struct work_struct *work)
{
	struct weir_tenant *t = container_of(to_delayed_work(work),
					     struct weir_tenant, turns.tick);

	weir_race_point(tick);
	weir_work_queue(weir_router_wq, &t->work, &t->ref);
	weir_tenant_put(t);
}

/* Take the next endpoint from the list, with the list's reference; or NULL. */
static struct weir_endpoint *weir_tenant_next(struct weir_tenant *t)
{
	struct weir_endpoint *ep;

	spin_lock_bh(&t->lock);
	ep = list_first_entry_or_null(&t->endpoints, struct weir_endpoint,
				      turn_link);
	if (ep)
		list_del_init(&ep->turn_link);
	spin_unlock_bh(&t->lock);
	return ep;
}

/* weir_tenant_work() - function of weir_tenant.work */
void weir_tenant_work(struct work_struct *work)
{
	struct weir_tenant *t = container_of(work, struct weir_tenant, work);
	struct weir_timer *timer;
	struct weir_endpoint *ep;
	u32 n;

	weir_race_point(turn);
	for (n = 0; n < WEIR_TURN_ENDPOINTS; n++) {
		timer = weir_timers_next(&t->turns);
		if (timer)
			timer->fn(timer);
		ep = weir_tenant_next(t);
		if (ep) {
			weir_route_turn(ep);
			weir_endpoint_put(ep);
		}
		if (!timer && !ep)
			break;
		cond_resched();
	}
	weir_timers_done(&t->turns);
	if (n == WEIR_TURN_ENDPOINTS)
		weir_work_queue(weir_router_wq, &t->work, &t->ref);
	weir_tenant_put(t);
}

/**
 * weir_tenant_slots() - how many calls may be looked at now
 * @t: the tenant; only its own work item asks.
 * @want: number of calls that there are.
 *
 * The router finds passed deadlines by a look at all calls of an endpoint. Each
 * user gets a bounded share of a CPU for that. A user with very many open calls
 * learns of a passed deadline a little later.
 *
 * Return: a number of calls, from 1 to @want; 0 if @want is 0.
 */
u32 weir_tenant_slots(struct weir_tenant *t, u32 want)
{
	if (t->slots_at != jiffies) {
		t->slots_at = jiffies;
		t->slots = WEIR_TURN_SLOTS;
	}
	/* leave something for the user's other endpoints */
	want = min(want, t->slots / 2 + 1);
	t->slots -= min(want, t->slots);
	return want;
}

/* weir_endpoint_later() - have a worker do what an endpoint needs */
void weir_endpoint_later(struct weir_endpoint *ep)
{
	struct weir_tenant *t = ep->tenant;

	spin_lock_bh(&t->lock);
	if (list_empty(&ep->turn_link)) {
		weir_endpoint_get(ep);
		list_add_tail(&ep->turn_link, &t->endpoints);
	}
	spin_unlock_bh(&t->lock);
	weir_work_queue(weir_router_wq, &t->work, &t->ref);
}

/* weir_endpoint_never() - a socket is gone: its endpoint needs no worker */
void weir_endpoint_never(struct weir_endpoint *ep)
{
	struct weir_tenant *t = ep->tenant;
	bool listed;

	spin_lock_bh(&t->lock);
	listed = !list_empty(&ep->turn_link);
	list_del_init(&ep->turn_link);
	spin_unlock_bh(&t->lock);
	if (listed)
		weir_endpoint_put(ep);
}
