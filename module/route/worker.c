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
#include "route/endpoint.h"
#include "route/router.h"
#include "route/worker.h"
#include "tenant.h"
#include "weir.h"

/*
 * Calls that are looked at for one user in one jiffy: for passed deadlines, and
 * for targets that were ejected.
 */
#define WEIR_TURN_SLOTS	4096

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

/* weir_endpoint.turn */
void weir_endpoint_turn(struct weir_turn *turn)
{
	struct weir_endpoint *ep = container_of(turn, struct weir_endpoint,
						turn);

	weir_route_turn(ep);
	weir_endpoint_put(ep);
}

/* weir_endpoint_later() - have a worker do what an endpoint needs */
void weir_endpoint_later(struct weir_endpoint *ep)
{
	weir_turn_wait(ep->tenant, &ep->turn, &ep->ref);
}

/* weir_endpoint_never() - a socket is gone: its endpoint needs no worker */
void weir_endpoint_never(struct weir_endpoint *ep)
{
	if (weir_turn_cancel(ep->tenant, &ep->turn))
		weir_endpoint_put(ep);
}
