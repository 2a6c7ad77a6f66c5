// SPDX-License-Identifier: GPL-2.0
/*
 * Turns of users in the router.
 *
 * The router leaves some work to workers. One work item of each user does it,
 * for one endpoint after the other; for the watchdog it looks at one target
 * after the other. So each user has one worker at most, of normal priority, no
 * matter how many endpoints the user has. Polling threads give each user a
 * share by other means, see poller.c.
 *
 * Process context; weir_endpoint_later() and weir_target_later() may also be
 * called under spinlocks.
 */
#include "race.h"
#include "route/router.h"

/*
 * Endpoints, and as many targets, that one run of a user's work item handles
 * before the work items of other users have their turn.
 */
#define WEIR_TURN_ENDPOINTS	16

/*
 * Calls that are looked at for one user in one jiffy: for passed deadlines, and
 * for targets that were ejected.
 */
#define WEIR_TURN_SLOTS	4096

/* Have @tick come for the first of @watched, if it does not. Under @lock. */
static void weir_tenant_arm(struct weir_tenant *t)
{
	const struct timerqueue_node *node = timerqueue_getnext(&t->watched);
	s64 in;

	lockdep_assert_held(&t->lock);
	if (!node || (t->tick_at && t->tick_at <= (u64)node->expires))
		return;
	t->tick_at = node->expires;
	in = node->expires - get_jiffies_64();
	weir_delayed_requeue(weir_router_wq, &t->tick, max_t(s64, in, 0),
			     &t->ref);
}

/* weir_tenant_tick() - function of weir_tenant.tick */
void weir_tenant_tick(struct work_struct *work)
{
	struct weir_tenant *t = container_of(to_delayed_work(work),
					     struct weir_tenant, tick);

	weir_race_point(tick);
	spin_lock(&t->lock);
	/* it may have been queued again, for another time, since it began */
	if (!delayed_work_pending(&t->tick))
		t->tick_at = 0;
	spin_unlock(&t->lock);
	weir_work_queue(weir_router_wq, &t->work, &t->ref);
	weir_tenant_put(t);
}

/* Take a target out of @watched. Under @lock. */
static void weir_tenant_forget(struct weir_tenant *t,
			       struct timerqueue_node *node)
{
	lockdep_assert_held(&t->lock);
	timerqueue_del(&t->watched, node);
	RB_CLEAR_NODE(&node->node);
}

/* Take the next endpoint from the list, with the list's reference; or NULL. */
static struct weir_endpoint *weir_tenant_next(struct weir_tenant *t)
{
	struct weir_endpoint *ep;

	spin_lock(&t->lock);
	ep = list_first_entry_or_null(&t->endpoints, struct weir_endpoint,
				      turn_link);
	if (ep)
		list_del_init(&ep->turn_link);
	spin_unlock(&t->lock);
	return ep;
}

/*
 * Take the next target whose time has come, with the reference of @watched; or
 * NULL.
 */
static struct weir_target *weir_tenant_target(struct weir_tenant *t)
{
	struct timerqueue_node *node;

	spin_lock(&t->lock);
	node = timerqueue_getnext(&t->watched);
	if (node && node->expires <= get_jiffies_64())
		weir_tenant_forget(t, node);
	else
		node = NULL;
	spin_unlock(&t->lock);
	return node ? container_of(node, struct weir_target, watch) : NULL;
}

/* weir_tenant_work() - function of weir_tenant.work */
void weir_tenant_work(struct work_struct *work)
{
	struct weir_tenant *t = container_of(work, struct weir_tenant, work);
	struct weir_target *target;
	struct weir_endpoint *ep;
	u32 n;

	weir_race_point(turn);
	for (n = 0; n < WEIR_TURN_ENDPOINTS; n++) {
		target = weir_tenant_target(t);
		if (target) {
			weir_target_turn(target);
			weir_target_put(target);
		}
		ep = weir_tenant_next(t);
		if (ep) {
			weir_route_turn(ep);
			weir_endpoint_put(ep);
		}
		if (!target && !ep)
			break;
		cond_resched();
	}
	if (n == WEIR_TURN_ENDPOINTS)
		weir_work_queue(weir_router_wq, &t->work, &t->ref);
	spin_lock(&t->lock);
	weir_tenant_arm(t);
	spin_unlock(&t->lock);
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

	spin_lock(&t->lock);
	if (list_empty(&ep->turn_link)) {
		weir_endpoint_get(ep);
		list_add_tail(&ep->turn_link, &t->endpoints);
	}
	spin_unlock(&t->lock);
	weir_work_queue(weir_router_wq, &t->work, &t->ref);
}

/* weir_endpoint_never() - a socket is gone: its endpoint needs no worker */
void weir_endpoint_never(struct weir_endpoint *ep)
{
	struct weir_tenant *t = ep->tenant;
	bool listed;

	spin_lock(&t->lock);
	listed = !list_empty(&ep->turn_link);
	list_del_init(&ep->turn_link);
	spin_unlock(&t->lock);
	if (listed)
		weir_endpoint_put(ep);
}

/**
 * weir_target_later() - have the watchdog look at a target
 * @target: the target, a socket's.
 * @at: when, in jiffies64. A target whose look is set already keeps its time.
 *
 * Takes the tenant's lock. Any context but an interrupt.
 */
void weir_target_later(struct weir_target *target, u64 at)
{
	struct weir_tenant *t = target->ep->tenant;

	spin_lock(&t->lock);
	/* one that is gone stays away: weir_target_never() comes after @gone */
	if (!READ_ONCE(target->gone) && RB_EMPTY_NODE(&target->watch.node)) {
		weir_target_get(target);
		target->watch.expires = at;
		timerqueue_add(&t->watched, &target->watch);
		weir_tenant_arm(t);
	}
	spin_unlock(&t->lock);
}

/**
 * weir_target_never() - the watchdog is not to look at a target any more
 * @target: the target, which is gone.
 *
 * Ends the tick when no target is left that it could come for.
 */
void weir_target_never(struct weir_target *target)
{
	struct weir_tenant *t = target->ep->tenant;
	bool listed;

	spin_lock(&t->lock);
	listed = !RB_EMPTY_NODE(&target->watch.node);
	if (listed)
		weir_tenant_forget(t, &target->watch);
	if (!timerqueue_getnext(&t->watched)) {
		weir_delayed_cancel(&t->tick, &t->ref);
		t->tick_at = 0;
	}
	spin_unlock(&t->lock);
	if (listed)
		weir_target_put(target);
}
