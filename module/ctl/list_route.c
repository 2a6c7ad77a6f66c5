// SPDX-License-Identifier: GPL-2.0
/*
 * WEIR_IOC_LIST of routes and their targets. A caller sees the routes that it
 * may call. Counters are read without a lock that would make senders wait.
 *
 * Process context.
 */
#include <linux/fs.h>
#include <linux/pid.h>

#include "ctl/list.h"
#include "logic/breaker.h"
#include "net.h"
#include "owner.h"
#include "path.h"
#include "route/endpoint.h"
#include "route/plan.h"
#include "route/route.h"
#include "route/target.h"
#include "sock/sock.h"
#include "weir.h"

static_assert(WEIR_REASON_MAX <= WEIR_REFUSED_FIRST + WEIR_REFUSED_MORE);

/* Fill in the settings of a route. Under weir_net.lock. */
static void weir_list_conf(const struct weir_settings *set,
			   struct weir_route_conf *c)
{
	*c = set->conf;
	c->fallback_reply = 0;
	c->fallback_len = set->fallback_reply ? set->fallback_reply->len : 0;
	/* behind the names are bytes of the memory of the task that set them */
	memset(c->fallback, 0, sizeof(c->fallback));
	memset(c->mirror, 0, sizeof(c->mirror));
	if (set->fallback && set->fallback->path)
		strscpy(c->fallback, set->fallback->path->name,
			sizeof(c->fallback));
	if (set->mirror && set->mirror->path)
		strscpy(c->mirror, set->mirror->path->name, sizeof(c->mirror));
}

/* Make the entry of a route. */
static void weir_list_fill_route(struct weir_list_ctx *ctx,
				 struct weir_path *path,
				 const struct weir_route *route)
	__must_hold(&path->wn->lock)
{
	struct weir_route_entry *e = ctx->entry;
	struct weir_target *target;
	int i;

	lockdep_assert_held(&path->wn->lock);
	memset(e, 0, sizeof(*e));
	e->id = path->id;
	e->uid = from_kuid_munged(current_user_ns(), path->uid);
	e->gid = from_kgid_munged(current_user_ns(), path->gid);
	e->mode = path->mode;
	e->targets = route->ntargets;
	e->set = !!route->set;
	e->mirrored = weir_route_stat_read(route, WEIR_ROUTE_MIRRORED);
	e->fallbacks = weir_route_stat_read(route, WEIR_ROUTE_FALLBACKS);
	e->retries = weir_route_stat_read(route, WEIR_ROUTE_RETRIES);
	e->dups = weir_route_stat_read(route, WEIR_ROUTE_DUPS);
	e->calls = weir_route_stat_read(route, WEIR_ROUTE_GONE);
	list_for_each_entry(target, &route->targets, route_link)
		e->calls += data_race(target->requests);
	for (i = 0; i < WEIR_REASON_MAX; i++) {
		u64 n = weir_route_stat_read(route, WEIR_ROUTE_REFUSED + i);

		if (i < WEIR_REFUSED_FIRST)
			e->refused[i] = n;
		else
			e->refused_more[i - WEIR_REFUSED_FIRST] = n;
	}
	strscpy(e->path, path->name, sizeof(e->path));
	if (route->set)
		weir_list_conf(route->set, &e->conf);
}

static enum weir_list_found weir_list_fill_routed(struct weir_list_ctx *ctx,
						  struct weir_path *path)
	__must_hold(&path->wn->lock)
{
	struct weir_route *route;

	route = rcu_dereference_protected(path->route,
					  lockdep_is_held(&path->wn->lock));
	if (!route || !weir_list_may(ctx, path, MAY_WRITE))
		return WEIR_FOUND_HIDDEN;
	weir_list_fill_route(ctx, path, route);
	return WEIR_FOUND_ENTRY;
}

enum weir_list_found weir_list_route(struct weir_list_ctx *ctx,
				     unsigned long *id)
{
	return weir_list_paths(ctx, id, weir_list_fill_routed);
}

/* Make the entry of a target. */
static void weir_list_fill_target(struct weir_list_ctx *ctx,
				  struct weir_target *target)
	__must_hold(&target->route->path->wn->lock)
{
	struct weir_target_entry *e = ctx->entry;
	struct weir_route *route = target->route;
	struct weir_endpoint *ep = target->ep;

	lockdep_assert_held(&target->route->path->wn->lock);
	memset(e, 0, sizeof(*e));
	e->id = target->id;
	e->route = route->path->id;
	e->weight = target->weight;
	e->state = READ_ONCE(target->ejected) ? WEIR_TARGET_EJECTED :
						WEIR_TARGET_UP;
	e->breaker = READ_ONCE(target->forced) ? WEIR_BREAKER_OPEN :
		     weir_breaker_shown(&target->breaker);
	e->breaker_opens = READ_ONCE(target->breaker.opens);
	e->in_flight = atomic_read(&target->load.in_flight);
	/* senders count with plain stores, so a value may be a bit old */
	e->requests = data_race(target->requests);
	e->replies = data_race(target->replies);
	e->errors = data_race(target->errors);
	e->expired = atomic64_read(&target->expired);
	e->ejections = atomic64_read(&target->ejections);
	memcpy(e->hist, target->hist.count, sizeof(e->hist));
	if (ep) {
		e->socket = ep->sock_id;
		e->pid = pid_vnr(ep->pid);
		e->uid = from_kuid_munged(current_user_ns(), ep->uid);
	}
	strscpy(e->path, target->next && target->next->path ?
		target->next->path->name : route->path->name, sizeof(e->path));
	strscpy(e->name, target->name, sizeof(e->name));
}

enum weir_list_found weir_list_target(struct weir_list_ctx *ctx,
				      unsigned long *id)
{
	struct weir_net *wn = ctx->ws->owner.wn;
	enum weir_list_found found = WEIR_FOUND_HIDDEN;
	struct weir_target *target;

	mutex_lock(&wn->lock);
	target = xa_find_after(&wn->targets, id, ULONG_MAX, XA_PRESENT);
	if (!target) {
		found = WEIR_FOUND_END;
	} else if (weir_list_may(ctx, target->route->path, MAY_WRITE)) {
		weir_list_fill_target(ctx, target);
		found = WEIR_FOUND_ENTRY;
	}
	mutex_unlock(&wn->lock);
	return found;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_list_route);
#endif
