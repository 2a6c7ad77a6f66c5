// SPDX-License-Identifier: GPL-2.0
/*
 * Routes: what the router does with messages for a path or a pattern. A route
 * belongs to its path (path.c), which has the owner and the permissions. A
 * route exists as long as it has targets, a control call has set it, or another
 * route names it.
 *
 * Senders see the plan of a route and nothing else of it. Each change makes a
 * new plan, which replaces the old one under RCU, so that a change holds up no
 * sender. A handle remembers the route of its name. The route is looked up
 * again when a name that may concern the handle has come or gone since.
 *
 * Process context, under weir_net.lock; handles are the exception. No function
 * waits for memory under that lock.
 */
#include <linux/jhash.h>
#include <linux/slab.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/bulkhead.h"
#include "logic/forms.h"
#include "logic/policy.h"
#include "logic/rate_limit.h"
#include "logic/trie.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "path.h"
#include "route/chain.h"
#include "route/dup_call.h"
#include "route/endpoint.h"
#include "route/handle.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/route.h"
#include "route/target.h"
#include "tenant.h"
#include "weir.h"

/* Figures of a route whose settings do not give others. */
#define WEIR_PATIENCE_NS	(100 * NSEC_PER_MSEC)
#define WEIR_PROBE_NS		(40 * NSEC_PER_MSEC)

void weir_route_get(struct weir_route *route)
{
	refcount_inc(&route->ref);
}

void weir_route_put(struct weir_route *route)
{
	if (!refcount_dec_and_test(&route->ref))
		return;
	kfree(route->stats);
	weir_tally_destroy(&route->target_users);
	kfree_rcu(route, rcu);
}

/* weir_route_use() - keep a route until weir_route_unuse(); weir_net.lock */
void weir_route_use(struct weir_route *route)
{
	weir_route_get(route);
	route->uses++;
}

/* weir_route_unuse() - undo weir_route_use(); NULL is fine; weir_net.lock */
void weir_route_unuse(struct weir_route *route)
{
	if (!route)
		return;
	route->uses--;
	weir_route_tidy(route);
	weir_route_put(route);
}

/**
 * weir_route_count() - count an event that not every message causes
 * @route: the route.
 * @which: enum weir_route_stat, or WEIR_ROUTE_REFUSED plus the reason.
 * @n: how many of them.
 *
 * Any context. The first event of a route allocates the counters; without
 * memory it is not counted.
 */
void weir_route_count(struct weir_route *route, unsigned int which, u64 n)
{
	struct weir_route_stats *stats = smp_load_acquire(&route->stats);

	if (!stats) {
		struct weir_route_stats *old;

		stats = kzalloc(sizeof(*stats), WEIR_GFP_NOWAIT);
		if (!stats)
			return;
		old = cmpxchg(&route->stats, NULL, stats);
		if (old) {
			kfree(stats);
			stats = old;
		}
	}
	atomic64_add(n, &stats->count[which]);
}

/* The sum that weir_route_count() has counted. Any context. */
u64 weir_route_stat_read(const struct weir_route *route, unsigned int which)
{
	struct weir_route_stats *stats = smp_load_acquire(&route->stats);

	return stats ? atomic64_read(&stats->count[which]) : 0;
}

/* --- plans -------------------------------------------------------------- */

/* weir_fallback_reply_put() - put a reference; the reply may be NULL */
void weir_fallback_reply_put(struct weir_fallback_reply *fallback_reply)
{
	if (fallback_reply && refcount_dec_and_test(&fallback_reply->ref))
		kvfree(fallback_reply);
}

/* weir_settings_free() - free settings, which may be NULL; weir_net.lock */
void weir_settings_free(struct weir_settings *set)
{
	if (!set)
		return;
	weir_edge_del(&set->edge);
	weir_route_unuse(set->fallback);
	weir_route_unuse(set->mirror);
	weir_fallback_reply_put(set->fallback_reply);
	weir_dup_set_put(set->dup);
	if (set->rate_limit)
		kfree_rcu(set->rate_limit, rcu);
	weir_uncharge(&set->charge);
	kfree(set);
}

static void weir_plan_free(struct work_struct *work)
{
	struct weir_plan *plan = container_of(to_rcu_work(work),
					      struct weir_plan, free);
	struct weir_net *wn = plan->wn;
	u32 i;

	for (i = 0; i < plan->n; i++)
		weir_target_put(plan->targets[i]);
	if (plan->fallback)
		weir_route_put(plan->fallback);
	if (plan->mirror)
		weir_route_put(plan->mirror);
	weir_fallback_reply_put(plan->fallback_reply);
	weir_dup_set_put(plan->dup);
	weir_pick_destroy(plan->pick);
	kvfree(plan);
	weir_net_put(wn);
}

static void weir_plan_set(struct weir_plan *plan,
			  const struct weir_settings *set)
{
	const struct weir_route_conf *c = &set->conf;

	plan->fallback = set->fallback;
	if (plan->fallback)
		weir_route_get(plan->fallback);
	plan->mirror = set->mirror;
	if (plan->mirror)
		weir_route_get(plan->mirror);
	plan->fallback_reply = set->fallback_reply;
	if (plan->fallback_reply)
		refcount_inc(&plan->fallback_reply->ref);
	plan->dup = set->dup;
	if (plan->dup)
		refcount_inc(&plan->dup->ref);
	plan->rate_limit = set->rate_limit;
	plan->quorum = c->quorum;
	plan->bulkhead = c->bulkhead;
	if (c->bulkhead)
		plan->bulkhead_lower = weir_bulkhead_lower(c->bulkhead);
	plan->mirror_permille = c->mirror_permille;
	if (c->timeout_ns)
		plan->timeout_ns = c->timeout_ns;
	plan->deadline_max_ns = c->deadline_max_ns ?:
		max_t(u64, plan->timeout_ns, WEIR_DEADLINE_MAX_NS);
	plan->timeout_ns = min(plan->timeout_ns, plan->deadline_max_ns);
	if (c->patience_ns)
		plan->patience_ns = c->patience_ns;
	if (c->probe_ns)
		plan->probe_ns = c->probe_ns;
	plan->has_breaker = c->breaker_min_calls;
	if (plan->has_breaker && c->breaker_slow_percent)
		plan->slow_threshold_ns = c->breaker_slow_ns;
	plan->breaker = weir_conf_breaker(c);
	plan->retry = weir_conf_retry(c);
}

/* See weir_plan.batch_divisor. Every message of a mirrored route has a pick. */
static u32 weir_plan_divisor(const struct weir_plan *plan)
{
	enum weir_policy_batch batch = plan->pick->ops->batch;

	if (plan->mirror || batch == WEIR_BATCH_ONE)
		return WEIR_PASS_MESSAGES;
	return batch == WEIR_BATCH_WHOLE ? 1 : max(plan->n, 1U);
}

static int weir_plan_pick(struct weir_plan *plan, enum weir_policy policy)
{
	struct weir_load **loads;
	u32 *weights, i;
	u64 *ids;
	int err = -ENOMEM;

	loads = kcalloc(plan->n + 1, sizeof(*loads), WEIR_GFP_NOWAIT);
	ids = kcalloc(plan->n + 1, sizeof(*ids), WEIR_GFP_NOWAIT);
	weights = kcalloc(plan->n + 1, sizeof(*weights), WEIR_GFP_NOWAIT);
	if (loads && ids && weights) {
		for (i = 0; i < plan->n; i++) {
			loads[i] = &plan->targets[i]->load;
			ids[i] = plan->targets[i]->shard_id;
			weights[i] = plan->targets[i]->weight;
		}
		plan->pick = weir_pick_create(policy, plan->n, loads, weights,
					      ids);
		err = PTR_ERR_OR_ZERO(plan->pick);
	}
	kfree(weights);
	kfree(ids);
	kfree(loads);
	return err;
}

/**
 * weir_plan_create() - make a plan from a route as it is now
 * @route: the route.
 *
 * Does not wait for memory. Return: the plan, for weir_plan_publish() or
 * weir_plan_drop(); or an ERR_PTR.
 */
struct weir_plan *weir_plan_create(struct weir_route *route)
	__must_hold(&route->path->wn->lock)
{
	struct weir_target *target;
	struct weir_plan *plan;
	u32 weighted = 0;
	int err;

	lockdep_assert_held(&route->path->wn->lock);
	plan = kvzalloc(struct_size(plan, targets, route->ntargets),
			WEIR_GFP_NOWAIT);
	if (!plan)
		return ERR_PTR(-ENOMEM);
	INIT_RCU_WORK(&plan->free, weir_plan_free);
	plan->wn = route->path->wn;
	weir_net_get(plan->wn);
	plan->timeout_ns = WEIR_TIMEOUT_NS;
	plan->deadline_max_ns = WEIR_DEADLINE_MAX_NS;
	plan->patience_ns = WEIR_PATIENCE_NS;
	plan->probe_ns = WEIR_PROBE_NS;
	plan->slow_threshold_ns = S64_MAX;
	if (route->set)
		weir_plan_set(plan, route->set);
	list_for_each_entry(target, &route->targets, route_link) {
		if (target->removing)
			continue;
		weir_target_get(target);
		plan->targets[plan->n++] = target;
		weighted += target->weight > 0;
	}
	plan->max_open = weir_breaker_max_open(weighted, route->set ?
			 route->set->conf.breaker_max_open_percent : 0);
	err = weir_plan_pick(plan, route->set ? route->set->conf.policy :
						WEIR_POLICY_ANY);
	if (err) {
		plan->pick = NULL;
		weir_plan_drop(plan);
		return ERR_PTR(err);
	}
	plan->fans_out = weir_policy_fans_out(plan->pick->ops);
	plan->batch_divisor = weir_plan_divisor(plan);
	return plan;
}

/* weir_plan_drop() - free a plan that no sender has seen */
void weir_plan_drop(struct weir_plan *plan)
{
	weir_plan_free(&plan->free.work);
}

/* weir_plan_publish() - replace the plan that senders see; NULL: none */
void weir_plan_publish(struct weir_route *route, struct weir_plan *plan)
{
	struct weir_plan *old;

	old = rcu_replace_pointer(route->plan, plan,
				  lockdep_is_held(&route->path->wn->lock));
	if (old)
		queue_rcu_work(weir_router_wq, &old->free);
}

/**
 * weir_route_replan() - show senders the route as it is now
 * @route: the route; its targets, weights or settings have changed.
 *
 * Return: 0; -ENOMEM: senders keep the old plan.
 */
int weir_route_replan(struct weir_route *route)
	__must_hold(&route->path->wn->lock)
{
	struct weir_plan *plan = weir_plan_create(route);

	if (IS_ERR(plan))
		return PTR_ERR(plan);
	weir_plan_publish(route, plan);
	return 0;
}

/* --- coming and going --------------------------------------------------- */

static u32 *weir_mark_of(struct weir_net *wn, const char *name, size_t len)
{
	u32 hash = jhash(name, len, wn->mark_seed);

	return &wn->marks[hash % WEIR_ROUTE_MARKS];
}

/*
 * The route of a path has come or gone. This concerns handles of the same name
 * and, for a pattern, handles of names below its prefix. All other handles see
 * by the marks that they need not look again.
 */
static void weir_route_mark(struct weir_path *path)
{
	struct weir_net *wn = path->wn;
	u32 gen = wn->route_gen + 1;

	lockdep_assert_held(&wn->lock);
	/* after the change, and before route_gen, which makes handles look */
	smp_store_release(weir_mark_of(wn, path->name,
				       weir_path_prefix(path->name, path->len)),
			  gen);
	smp_store_release(&wn->route_gen, gen);
}

/**
 * weir_route_obtain() - find the route of a name, or make one
 * @o: owner that asks; its account pays for a new route.
 * @name: path or pattern.
 * @len: bytes of @name.
 * @use: purpose, which decides the permission needed; not WEIR_USE_PUBLISH.
 *
 * The caller must call weir_route_tidy() unless it gives the route a target,
 * settings or a use.
 *
 * Return: the route, without a reference for the caller; or an ERR_PTR with
 * words. After -ENOMEM the caller can call weir_memory_prime() without the lock
 * and try again.
 */
struct weir_route *weir_route_obtain(struct weir_owner *o, const char *name,
				     u32 len, enum weir_use use)
	__must_hold(&o->wn->lock)
{
	struct weir_net *wn = o->wn;
	struct weir_route *route;
	struct weir_path *path;
	int err;

	lockdep_assert_held(&o->wn->lock);
	path = weir_path_get(o, name, len, use);
	if (IS_ERR(path))
		return ERR_CAST(path);
	route = rcu_dereference_protected(path->route,
					  lockdep_is_held(&wn->lock));
	if (route) {
		weir_path_put(path);	/* the route holds the path already */
		return route;
	}
	route = kzalloc(sizeof(*route), WEIR_GFP_NOWAIT);
	if (!route) {
		err = weir_owner_refuse(o, -ENOMEM, "no memory for the route");
		goto err_path;
	}
	err = weir_charge_owner(&route->charge, o, sizeof(*route) +
				sizeof(*route->stats) + sizeof(*route->plan) +
				sizeof(struct weir_pick), 1);
	if (err)
		goto err_free;
	refcount_set(&route->ref, 1);
	INIT_LIST_HEAD(&route->targets);
	INIT_LIST_HEAD(&route->behind);
	INIT_LIST_HEAD(&route->before);
	weir_tally_init(&route->target_users);
	route->path = path;
	err = weir_route_replan(route);
	if (err) {
		weir_owner_refuse(o, err, "no memory for the route");
		goto err_uncharge;
	}
	rcu_assign_pointer(path->route, route);
	/* handles that found no route, or that of a pattern, look again */
	weir_route_mark(path);
	return route;

err_uncharge:
	weir_uncharge(&route->charge);
err_free:
	kfree(route);
err_path:
	weir_path_put(path);
	return ERR_PTR(err);
}

/**
 * weir_route_tidy() - end a route without targets, settings and uses
 * @route: the route; after this call, the caller needs a reference to use it.
 *
 * Does nothing for other routes. Under weir_net.lock.
 */
void weir_route_tidy(struct weir_route *route)
{
	struct weir_path *path = route->path;
	struct weir_net *wn;

	if (!weir_route_idle(route) || !path)
		return;
	wn = path->wn;
	lockdep_assert_held(&wn->lock);
	weir_plan_publish(route, NULL);
	rcu_assign_pointer(path->route, NULL);
	WRITE_ONCE(route->path, NULL);	/* weir_refused() reads it */
	weir_uncharge(&route->charge);
	weir_route_mark(path);
	weir_path_put(path);
	weir_route_put(route);
}

/**
 * weir_routes_end() - end all routes of a namespace
 * @wn: the namespace, in which no socket is left; under its lock.
 */
void weir_routes_end(struct weir_net *wn)
{
	struct weir_target *target;
	struct weir_route *route;
	struct weir_path *path;
	struct weir_settings *set;
	unsigned long id;

	xa_for_each(&wn->path_ids, id, path) {
		route = rcu_dereference_protected(path->route,
						  lockdep_is_held(&wn->lock));
		if (!route)
			continue;
		weir_route_get(route);
		while ((target = list_first_entry_or_null(&route->targets,
							  struct weir_target,
							  route_link)))
			weir_target_remove(target);
		set = route->set;
		route->set = NULL;
		weir_settings_free(set);
		weir_route_tidy(route);
		weir_route_put(route);
		/* no socket is left, so no task waits for the lock */
		cond_resched();
	}
}

/* --- handles ------------------------------------------------------------ */

static bool weir_path_has_route(void *item)
{
	struct weir_path *path = item;

	return rcu_access_pointer(path->route);
}

/*
 * The route of the name that matches best, held; or NULL with the reason. Under
 * dispatch_lock of @ep and rcu_read_lock().
 */
static struct weir_route *weir_handle_find(struct weir_endpoint *ep,
					   struct weir_handle *h,
					   enum weir_reason *reason)
	__must_hold(&ep->dispatch_lock)
{
	struct weir_route *route;
	struct weir_path *path;

	lockdep_assert_held(&ep->dispatch_lock);
	*reason = WEIR_REASON_NO_ROUTE;
	path = weir_trie_best(&ep->wn->paths, h->path, h->len,
			      weir_path_has_route);
	if (!path)
		return NULL;
	if (IS_ERR(path)) {
		*reason = WEIR_REASON_LOOP;
		return NULL;
	}
	if (!weir_path_permits(ep->owner, path, MAY_WRITE) ||
	    (h->bound && !weir_path_succeeds(path, h->path_owner))) {
		*reason = WEIR_REASON_DENIED;
		return NULL;
	}
	route = rcu_dereference(path->route);
	if (!route || !refcount_inc_not_zero(&route->ref))
		return NULL;
	if (!h->bound)
		h->path_owner = path->uid;
	h->bound = true;
	*reason = WEIR_REASON_NONE;
	return route;
}

/* Find a handle's route, as of generation @gen. */
static void weir_handle_lookup(struct weir_endpoint *ep, struct weir_handle *h,
			       u32 gen)
	__must_hold(&ep->dispatch_lock)
{
	enum weir_reason reason;

	lockdep_assert_held(&ep->dispatch_lock);
	h->gen = gen;
	if (h->route)
		weir_route_put(h->route);
	rcu_read_lock();
	h->route = weir_handle_find(ep, h, &reason);
	rcu_read_unlock();
	h->reason = reason;
}

/* The current generation. A later change is seen at the next call. */
static u32 weir_handle_gen(const struct weir_endpoint *ep)
{
	return smp_load_acquire(&ep->wn->route_gen);
}

/* Generations that are further apart than this can't be compared. */
#define WEIR_GENS_MAX	(1U << 30)

/*
 * Is the result of a handle's last look-up still right? It is if none of these
 * has come or gone since: the handle's own name, and patterns with one of the
 * paths above that name as their prefix.
 */
static bool weir_handle_fresh(const struct weir_endpoint *ep,
			      const struct weir_handle *h, u32 gen)
{
	u32 mark, end;

	/* never looked up, or too long ago */
	if ((!h->route && h->reason == WEIR_REASON_NONE) ||
	    gen - h->gen > WEIR_GENS_MAX)
		return false;
	for (end = 0; end <= h->len; end++) {
		if (end < h->len && h->path[end] != '/')
			continue;
		mark = READ_ONCE(*weir_mark_of(ep->wn, h->path, end));
		if ((s32)(mark - h->gen) > 0)
			return false;
	}
	return true;
}

/**
 * weir_handle_resolve() - look a handle's route up again if necessary
 * @ep: the caller.
 * @h: a handle of @ep that was looked up at another generation.
 *
 * Finds the route of the path itself, or else that of the most specific
 * pattern. Each look-up checks that the caller has permission, and that the
 * route's owner may stand in for the owner of the first route that was found
 * (weir_path_succeeds()). A route that comes or goes far from the path costs no
 * more than a look at the marks. May also be called in a section, which ends
 * after a few look-ups: ep->pass.steps.
 */
void weir_handle_resolve(struct weir_endpoint *ep, struct weir_handle *h)
	__must_hold(&ep->dispatch_lock)
{
	u32 gen = weir_handle_gen(ep);

	lockdep_assert_held(&ep->dispatch_lock);
	if (weir_handle_fresh(ep, h, gen)) {
		h->gen = gen;
		return;
	}
	weir_handle_lookup(ep, h, gen);
	ep->pass.steps += WEIR_TRIE_STEPS_MAX;
}

/**
 * weir_handle_ask() - the owner of a socket asks for a handle
 * @ep: the caller.
 * @h: a handle of @ep.
 *
 * The handle forgets the owner of the route that it had: the program has asked
 * for the name as it is served now.
 */
void weir_handle_ask(struct weir_endpoint *ep, struct weir_handle *h)
	__must_hold(&ep->dispatch_lock)
{
	lockdep_assert_held(&ep->dispatch_lock);
	h->bound = false;
	weir_handle_lookup(ep, h, weir_handle_gen(ep));
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_route_obtain);
EXPORT_SYMBOL_IF_KUNIT(weir_route_tidy);
EXPORT_SYMBOL_IF_KUNIT(weir_route_replan);
#endif
