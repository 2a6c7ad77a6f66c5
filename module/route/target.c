// SPDX-License-Identifier: GPL-2.0
/*
 * Targets: sockets that serve a path, and routes that stand behind another
 * route. This file adds and removes them, and it has the watchdog. The watchdog
 * looks now and then at a target that holds requests. If the target neither
 * reads its inbox nor answers, the watchdog ejects it (@ejected) until it does
 * one of these again.
 *
 * Process context; under weir_net.lock where a comment says so.
 */
#include <linux/bits.h>
#include <linux/once.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/active_users.h"
#include "logic/breaker.h"
#include "logic/bulkhead.h"
#include "logic/policy.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "path.h"
#include "race.h"
#include "ring/ring.h"
#include "route/chain.h"
#include "route/endpoint.h"
#include "route/plan.h"
#include "route/route.h"
#include "route/target.h"
#include "route/waiter.h"
#include "stats.h"
#include "tenant.h"
#include "trace.h"
#include "weir.h"

/* The watchdog ejects a target after this many looks without a change. */
#define WEIR_STILL_MAX	2

static void weir_target_free(struct work_struct *work)
{
	struct weir_target *target = container_of(to_rcu_work(work),
						  struct weir_target, free);
	struct weir_net *wn = target->wn;

	if (target->ep)
		weir_endpoint_put(target->ep);
	if (target->next)
		weir_route_put(target->next);
	weir_route_put(target->route);
	weir_uncharge(&target->charge);
	kfree(target->callers);
	kfree(target);
	weir_net_put(wn);
}

void weir_target_get(struct weir_target *target)
{
	refcount_inc(&target->ref);
}

void weir_target_put(struct weir_target *target)
{
	if (refcount_dec_and_test(&target->ref))
		queue_rcu_work(weir_router_wq, &target->free);
}

/* --- the watchdog ------------------------------------------------------- */

/*
 * The target takes requests again, unless it is gone. weir_target_unlink() may
 * run at the same time: with the fence, one of the two sees what the other has
 * written, and a target that is gone stays down.
 */
static void weir_target_up(struct weir_target *target)
{
	WRITE_ONCE(target->ejected, false);
	WRITE_ONCE(target->load.up, true);
	smp_mb();	/* pairs with weir_target_unlink() */
	if (READ_ONCE(target->gone))
		WRITE_ONCE(target->load.up, false);
}

/* Can another target of the route take requests? */
static bool weir_target_replaced(const struct weir_target *target)
{
	const struct weir_plan *plan;
	bool up = false;
	u32 i;

	rcu_read_lock();
	plan = weir_route_plan(target->route);
	for (i = 0; plan && i < plan->n && !up; i++)
		up = plan->targets[i]->ep &&
		     weir_pick_may(plan->pick, i, NULL);
	rcu_read_unlock();
	return up;
}

/* Takes from the target the requests that it has and that may be sent twice. */
static void weir_target_lose(struct weir_target *target, u64 requests)
{
	target->requests_lost = requests;
	target->last_told = 0;
	target->telling = true;
	WRITE_ONCE(target->lost_ns, ktime_get_ns());
}

/*
 * weir_target_waits() - does a reply of a target wait for room in its caller's
 * inbox?
 *
 * Only as long as the router lets it wait, which is two ticks after
 * ep->blocked_until_ns at most: the target may have made the record unreadable
 * meanwhile, and then it stays. @target: one that is a socket.
 */
bool weir_target_waits(const struct weir_target *target)
{
	const struct weir_endpoint *ep = target->ep;

	return READ_ONCE(ep->blocked_payer) &&
	       ktime_get_ns() < READ_ONCE(ep->blocked_until_ns) + 2 * TICK_NSEC;
}

static void weir_target_check(struct weir_target *target)
{
	struct weir_post *post = &target->ep->inbox->post;
	u64 out = READ_ONCE(target->ep->pos), pos = 0, requests;
	bool idle = false;

	spin_lock_bh(&post->lock);
	if (post->reader) {
		pos = READ_ONCE(post->reader->cursor->pos);
		idle = pos == post->pos &&
		       !atomic_read(&target->load.in_flight);
	}
	requests = target->requests;
	spin_unlock_bh(&post->lock);
	/*
	 * Only a position that moves is a sign of life; a kick is not. While a
	 * reply waits for its caller, no position moves, for a bounded time. A
	 * target that has done all its work has nothing to move.
	 */
	if (pos != target->seen_pos || out != target->seen_out || idle ||
	    weir_target_waits(target)) {
		target->seen_pos = pos;
		target->seen_out = out;
		target->still = 0;
		if (target->ejected) {
			weir_target_up(target);
			trace_weir_target(target->id, WEIR_TARGET_UP);
		}
		return;
	}
	if (target->ejected) {
		/* it got these while no other target could take them */
		if (requests != target->requests_lost &&
		    weir_target_replaced(target))
			weir_target_lose(target, requests);
		return;
	}
	if (++target->still < WEIR_STILL_MAX)
		return;
	WRITE_ONCE(target->ejected, true);
	WRITE_ONCE(target->load.up, false);
	weir_target_lose(target, requests);
	atomic64_inc(&target->ejections);
	trace_weir_target(target->id, WEIR_TARGET_EJECTED);
	/* waiters for its inbox find another target, or get an error */
	weir_waiters_call_all(target->ep->inbox);
}

static u64 weir_target_probe_ns(const struct weir_target *target)
{
	const struct weir_plan *plan;
	u64 probe_ns = WEIR_PROBE_OFF;

	rcu_read_lock();
	plan = weir_route_plan(target->route);
	if (plan)
		probe_ns = plan->probe_ns;
	rcu_read_unlock();
	return probe_ns;
}

/* Have the watchdog look after @delay_ns, in the next jiffy at the earliest. */
static void weir_target_again(struct weir_target *target, u64 delay_ns)
{
	weir_timer_move(&target->watch, nsecs_to_jiffies64(delay_ns) ?: 1);
}

/* Has the target requests to answer, or waiters for its inbox? */
static bool weir_target_busy(const struct weir_target *target)
{
	return atomic_read(&target->load.in_flight) ||
	       !list_empty_careful(&target->ep->inbox->post.waiting);
}

/*
 * The watchdog looks at a target. An ejected target is not looked at again
 * before all callers have been told.
 */
static void weir_target_watchdog(struct weir_target *target)
{
	u64 probe_ns = weir_target_probe_ns(target);

	if (probe_ns == WEIR_PROBE_OFF) {
		target->telling = false;
		if (target->ejected)
			weir_target_up(target);
	}
	if (!READ_ONCE(target->gone) && probe_ns != WEIR_PROBE_OFF &&
	    (target->ejected || weir_target_busy(target))) {
		if (!target->telling)
			weir_target_check(target);
		if (target->telling)
			target->telling = weir_target_tell_callers(target);
		/* telling goes on in the next jiffy */
		weir_target_again(target, target->telling ? 0 : probe_ns);
		return;
	}
	/* nothing to watch until the next request */
	target->still = 0;
	clear_bit(0, &target->watched);
	smp_mb__after_atomic();
	if (weir_target_busy(target) && !READ_ONCE(target->gone))
		weir_target_watch(target);
}

/* weir_target.watch: the worker of the target's user calls this. */
static void weir_target_due(struct weir_timer *timer)
{
	struct weir_target *target = container_of(timer, struct weir_target,
						  watch);

	weir_target_watchdog(target);
	weir_target_put(target);
}

/**
 * weir_target_watch() - start to watch a target, unless it is watched
 * @target: it has a new request, or an endpoint waits for room in its inbox.
 *
 * Takes the tenant's lock. Any context but an interrupt.
 */
void weir_target_watch(struct weir_target *target)
{
	u64 probe_ns = weir_target_probe_ns(target);

	if (probe_ns == WEIR_PROBE_OFF || test_and_set_bit(0, &target->watched))
		return;
	weir_target_again(target, probe_ns);
}

/* --- coming and going --------------------------------------------------- */

/*
 * Put a target into its route's list, whose order plans keep: by weight, the
 * heaviest first, and of equal weights the oldest first. To sort for each plan
 * would take much longer.
 */
static void weir_target_insert(struct weir_target *target)
	__must_hold(&target->route->path->wn->lock)
{
	struct weir_target *at;

	lockdep_assert_held(&target->route->path->wn->lock);
	list_for_each_entry_reverse(at, &target->route->targets, route_link) {
		if (target->weight < at->weight ||
		    (target->weight == at->weight && target->id > at->id))
			break;
	}
	list_add(&target->route_link, &at->route_link);
}

/**
 * weir_target_weigh() - give a target another weight
 * @target: the target.
 * @weight: its new share, 0 to WEIR_WEIGHT_MAX.
 *
 * The caller makes a new plan for the route.
 */
void weir_target_weigh(struct weir_target *target, u32 weight)
	__must_hold(&target->route->path->wn->lock)
{
	lockdep_assert_held(&target->route->path->wn->lock);
	if (target->weight == weight)
		return;
	target->weight = weight;
	list_del(&target->route_link);
	weir_target_insert(target);
}

/*
 * The key of names' hashes, as long as the module is loaded: no user can choose
 * a name whose target gets the shard keys of another user's target.
 */
static siphash_key_t weir_target_name_key;

/**
 * weir_target_name_check() - may a user add a target with a name to a route?
 * @o: the user.
 * @route: the route.
 * @name: the name, or "".
 *
 * Return: 0; or -EEXIST with words: a target of the same user has the name.
 */
int weir_target_name_check(struct weir_owner *o, const struct weir_route *route,
			   const char *name)
	__must_hold(&route->path->wn->lock)
{
	const struct weir_target *target;

	lockdep_assert_held(&route->path->wn->lock);
	if (!name[0])
		return 0;
	list_for_each_entry(target, &route->targets, route_link) {
		if (!target->removing && uid_eq(target->uid, o->uid) &&
		    !strcmp(target->name, name))
			return weir_owner_refuse(o, -EEXIST,
						 "the user has a target of that name on the route");
	}
	return 0;
}

/**
 * weir_target_name() - give a target a name
 * @target: the target, which is in no plan yet.
 * @name: a name that weir_target_name_check() has passed, or "": none.
 *
 * With the same name, a target of the same user gets the same shard keys again.
 */
void weir_target_name(struct weir_target *target, const char *name)
{
	if (!name[0])
		return;
	strscpy(target->name, name, sizeof(target->name));
	get_random_once(&weir_target_name_key, sizeof(weir_target_name_key));
	target->shard_id = siphash_2u64(siphash(target->name,
						strlen(target->name),
						&weir_target_name_key),
					__kuid_val(target->uid),
					&weir_target_name_key) | BIT_ULL(63);
}

/**
 * weir_target_add() - add a target to a route
 * @o: owner that adds it; its account pays.
 * @route: the route.
 * @ep: endpoint of the socket that serves the route; NULL: @next serves it.
 * @callers: if @ep serves it: counters of each user's requests, which the
 *	target owns on success; or NULL.
 * @next: the route that serves it if @ep is NULL.
 * @weight: share of the target, 0 to WEIR_WEIGHT_MAX.
 *
 * The caller makes a new plan for the route.
 *
 * Return: the target, whose reference the route's list holds; or an ERR_PTR
 * with words: -ENOSPC, -ENOBUFS, -ENOMEM.
 */
struct weir_target *weir_target_add(struct weir_owner *o,
				    struct weir_route *route,
				    struct weir_endpoint *ep,
				    struct weir_callers *callers,
				    struct weir_route *next, u32 weight)
	__must_hold(&route->path->wn->lock)
{
	u64 bytes = sizeof(struct weir_target) + WEIR_PLAN_TARGET_BYTES +
		    (callers ? sizeof(*callers) : 0);
	kuid_t user = weir_account_user(o->account);
	struct weir_net *wn = route->path->wn;
	struct weir_target *target;
	int err;

	lockdep_assert_held(&wn->lock);
	if (route->ntargets == WEIR_TARGETS_MAX)
		return ERR_PTR(weir_owner_refuse(o, -ENOSPC,
						 "the route has as many targets as it may"));
	if (weir_tally_full(&route->target_users, user, WEIR_TARGETS_MAX) &&
	    !weir_share_exempt(o, route->path->charge.account)) {
		weir_drop(route->path->name, WEIR_REASON_LIMIT);
		return ERR_PTR(weir_owner_refuse(o, -ENOBUFS,
						 "the user has its share of the route's targets"));
	}
	target = kzalloc(sizeof(*target), WEIR_GFP_NOWAIT);
	if (!target)
		goto err_memory;
	err = weir_charge_owner(&target->charge, o, bytes, 1);
	if (err) {
		kfree(target);
		return ERR_PTR(err);
	}
	refcount_set(&target->ref, 1);
	INIT_RCU_WORK(&target->free, weir_target_free);
	target->recheck.part = weir_target_recheck_part;
	INIT_LIST_HEAD(&target->ep_link);
	weir_breaker_init(&target->breaker, ktime_get_ns());
	target->id = atomic_long_inc_return(&wn->next_id);
	if (xa_insert(&wn->targets, target->id, target, WEIR_GFP_NOWAIT))
		goto err_charge;
	if (weir_tally_add(&route->target_users, user, WEIR_GFP_NOWAIT))
		goto err_insert;
	target->shard_id = target->id;
	target->uid = o->uid;
	target->wn = wn;
	weir_net_get(wn);
	target->weight = weight;
	target->load.up = true;
	target->route = route;
	weir_route_get(route);
	if (ep) {
		target->ep = ep;
		target->callers = callers;
		weir_timer_init(&target->watch, &ep->tenant->route_timers,
				&target->ref, weir_target_due);
		weir_endpoint_get(ep);
		list_add_tail(&target->ep_link, &ep->targets);
		ep->ntargets++;
	} else {
		target->next = next;
		weir_route_use(next);
		weir_route_get(next);	/* until the target is freed */
	}
	weir_target_insert(target);
	route->ntargets++;
	return target;

err_insert:
	xa_erase(&wn->targets, target->id);
err_charge:
	weir_uncharge(&target->charge);
	kfree(target);
err_memory:
	return ERR_PTR(weir_owner_refuse(o, -ENOMEM,
					 "no memory for the target"));
}

/*
 * Take a target out of the lists of its route and of its endpoint, and out of
 * the table of targets. Under weir_net.lock.
 */
static void weir_target_unlink(struct weir_target *target)
{
	struct weir_net *wn = target->route->path->wn;

	lockdep_assert_held(&wn->lock);
	WRITE_ONCE(target->gone, true);
	smp_mb();	/* pairs with weir_target_up() */
	WRITE_ONCE(target->load.up, false);
	xa_erase(&wn->targets, target->id);
	list_del(&target->route_link);
	target->route->ntargets--;
	weir_tally_sub(&target->route->target_users,
		       weir_account_user(target->charge.account));
	if (target->ep) {
		list_del_init(&target->ep_link);
		target->ep->ntargets--;
	} else {
		weir_edge_del(&target->edge);
	}
}

/* Put the reference of the route's list. */
static void weir_target_release(struct weir_target *target)
	__must_hold(&target->wn->lock)
{
	/* not by its route's path: the route may be gone already */
	lockdep_assert_held(&target->wn->lock);
	weir_route_unuse(target->next);
	weir_route_tidy(target->route);
	weir_target_put(target);
}

/*
 * Make a plan without the target. Returns -ENOMEM when the old plan stays:
 * senders pass the target over there, because it is not up.
 */
static int weir_target_drop(struct weir_target *target)
	__must_hold(&target->route->path->wn->lock)
{
	struct weir_route *route = target->route;
	int err;

	weir_target_unlink(target);
	err = weir_route_replan(route);
	weir_race_point(target_remove);
	weir_route_count(route, WEIR_ROUTE_GONE, target->requests);
	return err;
}

/*
 * Make the plan that weir_target_drop() could not make; @err is its result.
 * Without weir_net.lock; may sleep. Returns 0, or -ENOMEM when the target is
 * still in the plan.
 */
static int weir_target_drop_again(struct weir_target *target, int err)
{
	struct weir_route *route = target->route;
	struct weir_net *wn = target->ep->wn;
	unsigned int tries = 0;

	while (weir_memory_prime(err, WEIR_PRIME_NAME, &tries)) {
		mutex_lock(&wn->lock);
		err = route->path ? weir_route_replan(route) : 0;
		mutex_unlock(&wn->lock);
	}
	return err;
}

/**
 * weir_target_remove() - remove a target that is in no plan
 * @target: the target; senders do not see it. The list's reference is put.
 */
void weir_target_remove(struct weir_target *target)
	__must_hold(&target->route->path->wn->lock)
{
	weir_target_unlink(target);
	weir_target_release(target);
}

/**
 * weir_targets_leave() - take a socket's targets out of all plans
 * @ep: the socket's endpoint.
 *
 * No sender picks one of the targets afterwards. The caller then calls
 * weir_targets_end(). Holds weir_net.lock for one target at a time. Process
 * context, may sleep.
 *
 * Return: false when a target is still in a plan, where senders pass it over. A
 * worker must then end the target. The reason is that the memory cgroup of the
 * socket's process has no memory, and that the caller has been killed or has
 * nothing to do with that process, so that it does not reclaim memory there.
 */
bool weir_targets_leave(struct weir_endpoint *ep)
{
	/* plans without the targets are charged to the socket's process */
	struct mem_cgroup *old = set_active_memcg(ep->memcg);
	struct weir_net *wn = ep->wn;
	struct weir_target *target;
	bool stranger = weir_stranger(ep->uid, ep->pid), all = true;
	int err = 0;

	do {
		mutex_lock(&wn->lock);
		target = list_first_entry_or_null(&ep->targets,
						  struct weir_target,
						  ep_link);
		if (target) {
			err = weir_target_drop(target);
			list_add_tail(&target->ep_link, &ep->gone);
		}
		mutex_unlock(&wn->lock);
		if (target) {
			if (err && !stranger)
				err = weir_target_drop_again(target, err);
			target->in_plan = err;
			all &= !target->in_plan;
			trace_weir_target(target->id, WEIR_TARGET_GONE);
		}
	} while (target);
	set_active_memcg(old);
	return all;
}

/**
 * weir_targets_called() - does a caller wait for a socket's targets?
 * @ep: the socket's endpoint, after weir_targets_leave().
 *
 * A sender counts a call, sends it, fences and then reads @gone. So a call that
 * is not counted here is found by its sender.
 */
bool weir_targets_called(const struct weir_endpoint *ep)
{
	const struct weir_target *target;
	bool called = false;

	smp_mb();
	list_for_each_entry(target, &ep->gone, ep_link)
		called |= atomic_read(&target->load.in_flight);
	return called;
}

/**
 * weir_targets_end() - end the targets of a socket
 * @ep: the socket's endpoint, after weir_targets_leave().
 * @called: as of weir_targets_called(), after that.
 *
 * When this function returns, no caller waits for the socket: each unanswered
 * request has been sent to another target, or answered with an error. Holds
 * weir_net.lock for one target at a time, and not while it looks for calls.
 * Process context, may sleep.
 */
void weir_targets_end(struct weir_endpoint *ep, bool called)
{
	struct weir_net *wn = ep->wn;
	struct weir_target *target;

	/* 1. its calls */
	if (called)
		weir_endpoint_died(ep, &ep->gone);

	/* 2. the targets */
	while ((target = list_first_entry_or_null(&ep->gone,
						  struct weir_target,
						  ep_link))) {
		list_del_init(&target->ep_link);
		/* a worker's memory, since that of the process may stay full */
		if (target->in_plan)
			weir_target_drop_again(target, -ENOMEM);
		weir_timer_end(&target->watch);
		mutex_lock(&wn->lock);
		weir_target_release(target);
		mutex_unlock(&wn->lock);
	}
}

/*
 * Make an endpoint a target of a path. @callers: belongs to the target on
 * success, and is NULL then.
 */
static int weir_target_enter(struct weir_owner *o, struct weir_endpoint *ep,
			     struct weir_callers **callers,
			     struct weir_ioc_serve *serve, u32 len)
	__must_hold(&o->wn->lock)
{
	struct weir_target *target;
	struct weir_route *route;
	int err;

	lockdep_assert_held(&o->wn->lock);
	if (ep->ntargets == WEIR_SERVES_MAX)
		return weir_owner_refuse(o, -ENOBUFS,
					 "the socket serves as many paths as it may");
	route = weir_route_obtain(o, serve->path, len, WEIR_USE_SERVE);
	if (IS_ERR(route))
		return PTR_ERR(route);
	list_for_each_entry(target, &ep->targets, ep_link) {
		if (target->route == route) {
			err = weir_owner_refuse(o, -EALREADY,
						"the socket serves this path already");
			goto err_tidy;
		}
	}
	err = weir_target_name_check(o, route, ep->name);
	if (err)
		goto err_tidy;
	target = weir_target_add(o, route, ep, *callers, NULL, serve->weight);
	if (IS_ERR(target)) {
		err = PTR_ERR(target);
		goto err_tidy;
	}
	weir_target_name(target, ep->name);
	serve->id = target->id;
	err = weir_route_replan(route);
	if (err) {
		weir_owner_refuse(o, err, "no memory for the route");
		goto err_remove;
	}
	*callers = NULL;
	trace_weir_target(target->id, WEIR_TARGET_UP);
	return 0;

err_remove:
	/* the caller keeps them, for its next try */
	target->callers = NULL;
	weir_target_remove(target);
	return err;
err_tidy:
	weir_route_tidy(route);
	return err;
}

/**
 * weir_target_serve() - have an endpoint serve a path
 * @o: owner of the endpoint.
 * @ep: the endpoint.
 * @serve: path and weight; out: the number of the target in @id.
 *
 * Process context, may sleep. Takes weir_net.lock. Return: 0 or a negative
 * errno with words.
 */
int weir_target_serve(struct weir_owner *o, struct weir_endpoint *ep,
		      struct weir_ioc_serve *serve)
{
	u32 len = strnlen(serve->path, sizeof(serve->path));
	struct weir_callers *callers;
	struct weir_path *prefix;
	unsigned int tries = 0;
	int err;

	/* here, and not when a caller comes: the serving task can make room */
	callers = kzalloc(sizeof(*callers), WEIR_GFP);
	if (!callers)
		return weir_owner_refuse(o, -ENOMEM,
					 "no memory for the target");
	weir_active_init(&callers->active, ktime_get_ns());
	do {
		prefix = weir_path_make_prefix(o, serve->path, len);
		err = PTR_ERR_OR_ZERO(prefix);
		if (err)
			continue;
		mutex_lock(&o->wn->lock);
		err = weir_target_enter(o, ep, &callers, serve, len);
		mutex_unlock(&o->wn->lock);
		weir_path_drop(o, prefix);
	} while (weir_prime(o, err, WEIR_PRIME_NAME, &tries));
	kfree(callers);
	return err;
}

/*
 * Gives weight 0 to the first target of a socket that has a weight. Returns 1
 * when it has, 0 when none had a weight, or -ENOMEM.
 */
static int weir_target_drain_next(struct weir_endpoint *ep)
	__must_hold(&ep->wn->lock)
{
	struct weir_target *target;
	u32 weight;
	int err;

	lockdep_assert_held(&ep->wn->lock);
	list_for_each_entry(target, &ep->targets, ep_link) {
		weight = target->weight;
		if (!weight)
			continue;
		weir_target_weigh(target, 0);
		err = weir_route_replan(target->route);
		if (err)
			weir_target_weigh(target, weight);
		return err ?: 1;
	}
	return 0;
}

/**
 * weir_targets_drain() - have no new requests come to a socket
 * @o: owner of the socket.
 * @ep: its endpoint.
 *
 * Gives weight 0 to all its targets. Process context, may sleep. Takes
 * weir_net.lock, for one target at a time. Return: 0; or -ENOMEM with words:
 * some may have a weight still.
 */
int weir_targets_drain(struct weir_owner *o, struct weir_endpoint *ep)
{
	unsigned int tries = 0, left = WEIR_SERVES_MAX;
	bool drained = false;
	int ret;

	do {
		mutex_lock(&ep->wn->lock);
		ret = weir_target_drain_next(ep);
		mutex_unlock(&ep->wn->lock);
		drained |= ret > 0;
	} while ((ret > 0 && --left) ||
		 weir_prime(o, min(ret, 0), WEIR_PRIME_NAME, &tries));
	/* senders that still read the plans before have sent what they send */
	if (drained)
		synchronize_rcu();
	return ret < 0 ? weir_owner_refuse(o, ret, "no memory for the route") :
			 0;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_target_add);
EXPORT_SYMBOL_IF_KUNIT(weir_target_remove);
#endif
