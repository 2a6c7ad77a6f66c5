// SPDX-License-Identifier: GPL-2.0
/*
 * Changes to routes, targets and breakers, all of which are made or none. Each
 * change is made where senders do not see it, and keeps what an undo needs.
 * When all have been made, the plans of all routes concerned are prepared. If
 * there is memory for all of these plans, senders get to see them.
 *
 * Process context, under weir_net.lock.
 */
#include <linux/sched.h>
#include <linux/string.h>

#include "ctl/change.h"
#include "logic/policy.h"
#include "net.h"
#include "owner.h"
#include "path.h"
#include "route/chain.h"
#include "route/plan.h"
#include "route/route.h"
#include "route/target.h"
#include "sock/sock.h"
#include "weir.h"

/*
 * Count @cost. A caller without the capability must not keep the lock for long:
 * more than WEIR_COST_MAX is refused. One change alone is never refused, since
 * the cost of one change is bounded.
 */
int weir_changes_cost(struct weir_changes *c, u32 cost)
{
	c->cost += cost;
	if (c->admin || !c->n || c->cost <= WEIR_COST_MAX)
		return 0;
	return weir_refuse(c->ws, -E2BIG,
			   "without CAP_NET_ADMIN the changes are too much work for one call");
}

/* The existing route of a name, or NULL. */
struct weir_route *weir_change_find(struct weir_net *wn, const char *name)
{
	struct weir_path *path;

	path = weir_path_find(wn, name, weir_op_name_len(name));
	return path ? rcu_dereference_protected(path->route,
				lockdep_is_held(&wn->lock)) : NULL;
}

/* As weir_route_obtain(), but counts the cost of a new route. */
static struct weir_route *weir_change_obtain(struct weir_changes *c,
					     const char *name,
					     enum weir_use use)
{
	struct weir_route *route;
	int err;

	route = weir_route_obtain(&c->ws->owner, name, weir_op_name_len(name),
				  c->admin ? WEIR_USE_CONTROL : use);
	if (IS_ERR(route) || !weir_route_idle(route))
		return route;
	err = weir_changes_cost(c, WEIR_COST_NEW);
	if (!err)
		return route;
	weir_route_tidy(route);
	return ERR_PTR(err);
}

/* The cost of a change to a route, because of the route's targets. */
static u32 weir_plan_cost(const struct weir_changes *c,
			  const struct weir_route *route)
{
	u32 each = WEIR_COST_PASSED, fixed = 0, i;

	/* all changes of a route share a plan; non-admins make few */
	for (i = 0; !c->admin && i < c->n; i++) {
		if (c->list[i].route == route)
			break;
	}
	if (i == c->n) {
		each += WEIR_COST_TARGET;
		fixed = WEIR_COST_PLAN;
	}
	return fixed + route->ntargets * each;
}

/* Get the route that is to be a target of @route; *@behind has a use of it. */
int weir_change_behind(struct weir_changes *c, struct weir_route *route,
		       const char *name, struct weir_route **behind)
{
	struct weir_route *next;
	int err;

	if (!name[0])
		return 0;
	next = weir_change_obtain(c, name, WEIR_USE_BEHIND);
	if (IS_ERR(next))
		return PTR_ERR(next);
	err = weir_changes_cost(c, weir_edge_ways(route, next) *
				WEIR_COST_EDGE);
	if (err) {
		weir_route_tidy(next);
		return err;
	}
	weir_route_use(next);
	*behind = next;
	return 0;
}

/* Get the route of a change; makes a new one if the caller may set it. */
static int weir_change_route(struct weir_changes *c,
			     const struct weir_route_op *op,
			     struct weir_route **route)
{
	if (op->op == WEIR_OP_ROUTE_SET || op->op == WEIR_OP_TARGET_ADD) {
		*route = weir_change_obtain(c, op->path, WEIR_USE_OWN);
		return PTR_ERR_OR_ZERO(*route);
	}
	*route = weir_change_find(c->ws->owner.wn, op->path);
	if (!*route)
		return weir_refuse(c->ws, -ENOENT, "there is no such route");
	if (!c->admin && !weir_path_owns(&c->ws->owner, (*route)->path))
		return weir_refuse(c->ws, -EACCES,
				   "the path is another user's");
	return 0;
}

static int weir_change_make(struct weir_changes *c,
			    const struct weir_route_op *op)
{
	struct weir_change *change = &c->list[c->n];
	int err;

	change->op = op->op;
	err = weir_changes_cost(c, WEIR_COST_CHANGE + WEIR_COST_BYTE *
				(weir_op_name_len(op->path) +
				 weir_op_name_len(op->target_path)));
	if (err)
		return err;
	err = weir_change_route(c, op, &change->route);
	if (err)
		return err;
	/* keep the route until all changes are done or undone */
	weir_route_use(change->route);
	err = weir_changes_cost(c, weir_plan_cost(c, change->route));
	if (err) {
		weir_route_unuse(change->route);
		return err;
	}
	switch (op->op) {
	case WEIR_OP_ROUTE_SET:
		err = weir_change_route_set(c, change, op);
		break;
	case WEIR_OP_ROUTE_DEL:
		err = weir_change_route_del(c, change);
		break;
	case WEIR_OP_TARGET_ADD:
		err = weir_change_target_add(c, change, op);
		break;
	case WEIR_OP_BREAKER:
		err = weir_change_target_alter(c, change, op);
		change->forced = op->weight == WEIR_FORCE_OPEN;
		break;
	default:
		err = weir_change_target_alter(c, change, op);
		break;
	}
	if (err) {
		weir_route_unuse(change->route);
		return err;
	}
	c->n++;
	return 0;
}

/*
 * An administrator may make thousands of changes: let other tasks run, but keep
 * the lock. The changes of one call are seen at once or not at all.
 */
static void weir_changes_yield(const struct weir_changes *c)
{
	if (c->admin)
		cond_resched();
}

/* Reset the changes, as if none was made; keep what is ready for them. */
void weir_changes_begin(struct weir_changes *c, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		struct weir_change *change = &c->list[i];
		struct weir_change fresh = {
			.given = change->given,
			.dup = change->dup,
		};

		memcpy(fresh.names, change->names, sizeof(fresh.names));
		*change = fresh;
	}
	c->n = 0;
	c->cost = 0;
	c->lacks = false;
}

/* The change is done or undone: put its references. */
static void weir_change_end(struct weir_change *change)
{
	change->route->planned = false;
	if (change->target)
		weir_target_put(change->target);
	weir_route_unuse(change->route);
}

/* Is it a change of the route's settings? Others are of a target. */
static bool weir_change_of_route(const struct weir_change *change)
{
	return change->op == WEIR_OP_ROUTE_SET ||
	       change->op == WEIR_OP_ROUTE_DEL;
}

static void weir_changes_undo(struct weir_changes *c)
{
	while (c->n--) {
		struct weir_change *change = &c->list[c->n];

		if (change->plan)
			weir_plan_drop(change->plan);
		if (weir_change_of_route(change))
			weir_change_route_undo(change);
		else
			weir_change_target_undo(change);
		weir_change_end(change);
		weir_changes_yield(c);
	}
}

/* Does the route send to several targets, and is one of these a route? */
static bool weir_route_mixed(const struct weir_route *route)
{
	struct weir_target *target;

	if (!route->set ||
	    !weir_policy_fans_out(weir_policy_of(route->set->conf.policy)))
		return false;
	list_for_each_entry(target, &route->targets, route_link) {
		if (target->next && !target->removing)
			return true;
	}
	return false;
}

/* Make one plan for each route; the last change to the route has it. */
static int weir_changes_plan(struct weir_changes *c, u32 *failed)
{
	u32 i;

	for (i = c->n; i-- > 0;) {
		struct weir_change *change = &c->list[i];
		struct weir_plan *plan;

		if (change->route->planned)
			continue;
		*failed = i;
		if (weir_route_mixed(change->route))
			return weir_refuse(c->ws, -EINVAL,
					   "policies all and quorum take sockets, not paths, as targets");
		plan = weir_plan_create(change->route);
		if (IS_ERR(plan))
			return weir_refuse(c->ws, PTR_ERR(plan),
					   "no memory for the route");
		change->plan = plan;
		change->route->planned = true;
		weir_changes_yield(c);
	}
	return 0;
}

static void weir_changes_commit(struct weir_changes *c)
{
	u32 i;

	for (i = 0; i < c->n; i++)
		weir_change_route_commit(&c->list[i]);
	for (i = 0; i < c->n; i++) {
		if (c->list[i].plan)
			weir_plan_publish(c->list[i].route, c->list[i].plan);
	}
	for (i = 0; i < c->n; i++) {
		struct weir_change *change = &c->list[i];

		weir_settings_free(change->old_set);
		weir_change_target_commit(change);
		weir_change_end(change);
		weir_changes_yield(c);
	}
}

/**
 * weir_changes_make() - make all changes of a call, or none
 * @c: the call, after weir_changes_begin().
 * @ops: the changes.
 * @count: number of changes.
 * @failed: out: index of the change that was refused.
 *
 * Process context. Return: 0, or a negative errno with words. With @c->lacks
 * set, the change needs a table of keys.
 */
int weir_changes_make(struct weir_changes *c, const struct weir_route_op *ops,
		      u32 count, u32 *failed)
	__must_hold(&c->ws->owner.wn->lock)
{
	u32 i;
	int err = 0;

	lockdep_assert_held(&c->ws->owner.wn->lock);
	for (i = 0; i < count && !err; i++) {
		*failed = i;
		err = weir_change_make(c, &ops[i]);
		weir_changes_yield(c);
	}
	if (!err)
		err = weir_changes_plan(c, failed);
	if (err)
		weir_changes_undo(c);
	else
		weir_changes_commit(c);
	return err;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_changes_begin);
EXPORT_SYMBOL_IF_KUNIT(weir_changes_make);
EXPORT_SYMBOL_IF_KUNIT(weir_changes_cost);
#endif
