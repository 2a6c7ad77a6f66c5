// SPDX-License-Identifier: GPL-2.0
/*
 * The worker of each user in the router.
 *
 * The router leaves some work to workers. One work item of each user does it,
 * for one endpoint after the other, and for one timer after the other. Timers
 * of endpoints are for deadlines and retries, those of targets for the
 * watchdog. So each user has one worker at most, of normal priority, no
 * matter how many endpoints the user has. Polling threads give each user a
 * share by other means, see poller.c.
 *
 * Process context; weir_endpoint_queue() and weir_endpoint_unqueue() may also
 * be called under spinlocks.
 */
#include "route/endpoint.h"
#include "route/router.h"
#include "route/worker.h"
#include "tenant.h"
#include "weir.h"

/*
 * Calls that are scanned for one user in one jiffy: for passed deadlines, and
 * for targets that were ejected.
 */
#define WEIR_SCAN_CALLS	4096

/**
 * weir_tenant_scan_budget() - how many calls may be scanned now
 * @t: the tenant; only its own work item asks.
 * @want: number of calls that there are.
 *
 * The router finds passed deadlines by a scan of all calls of an endpoint. Each
 * user gets a bounded share of a CPU for that. A user with very many open calls
 * learns of a passed deadline a little later.
 *
 * Return: a number of calls, from 1 to @want; 0 if @want is 0.
 */
u32 weir_tenant_scan_budget(struct weir_tenant *t, u32 want)
{
	if (t->scan_at != jiffies) {
		t->scan_at = jiffies;
		t->scan_budget = WEIR_SCAN_CALLS;
	}
	/* leave something for the user's other endpoints */
	want = min(want, t->scan_budget / 2 + 1);
	t->scan_budget -= min(want, t->scan_budget);
	return want;
}

/* weir_endpoint.work */
void weir_endpoint_work(struct weir_work_item *item)
{
	struct weir_endpoint *ep = container_of(item, struct weir_endpoint,
						work);

	weir_pass_work(ep);
	weir_endpoint_put(ep);
}

/* weir_endpoint_queue() - have a worker do what an endpoint needs */
void weir_endpoint_queue(struct weir_endpoint *ep)
{
	weir_work_item_queue(ep->tenant, &ep->work, &ep->ref);
}

/* weir_endpoint_unqueue() - a socket is gone: its endpoint needs no worker */
void weir_endpoint_unqueue(struct weir_endpoint *ep)
{
	if (weir_work_item_cancel(ep->tenant, &ep->work))
		weir_endpoint_put(ep);
}
