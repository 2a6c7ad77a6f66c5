// SPDX-License-Identifier: GPL-2.0
/*
 * The targets of a route and their breakers: how a control call adds, removes
 * and alters them, and takes that back.
 *
 * Process context, under weir_net.lock.
 */
#include <linux/ktime.h>
#include <linux/xarray.h>

#include "ctl/change.h"
#include "logic/breaker.h"
#include "net.h"
#include "path.h"
#include "route/chain.h"
#include "route/route.h"
#include "route/target.h"
#include "sock/sock.h"
#include "weir.h"

/* The target of @route that is the route @next, or NULL. */
static struct weir_target *
weir_change_target_behind(struct weir_route *route,
			  const struct weir_route *next)
{
	struct weir_target *target;

	list_for_each_entry(target, &route->targets, route_link) {
		if (target->next == next && !target->removing)
			return target;
	}
	return NULL;
}

/* The target that a change names by its number or by its path; or NULL. */
static struct weir_target *
weir_change_target_named(struct weir_route *route,
			 const struct weir_route_op *op)
{
	struct weir_net *wn = route->path->wn;
	struct weir_target *target;
	struct weir_route *next;

	if (op->target) {
		target = xa_load(&wn->targets, op->target);
		return target && target->id == op->target &&
		       target->route == route && !target->removing ?
		       target : NULL;
	}
	next = weir_change_find(wn, op->target_path);
	return next ? weir_change_target_behind(route, next) : NULL;
}

/* WEIR_OP_TARGET_ADD */
int weir_change_target_add(struct weir_changes *c, struct weir_change *change,
			   const struct weir_route_op *op)
{
	struct weir_route *behind = NULL;
	struct weir_target *target;
	const char *why;
	int err;

	err = weir_changes_cost(c, WEIR_COST_ADDED);
	if (err)
		return err;
	err = weir_change_behind(c, change->route, op->target_path, &behind);
	if (err)
		return err;
	if (weir_change_target_behind(change->route, behind)) {
		weir_route_unuse(behind);
		return weir_refuse(c->ws, -EEXIST,
				   "the path is a target of the route already");
	}
	err = weir_target_name_check(&c->ws->owner, change->route, op->name);
	if (err) {
		weir_route_unuse(behind);
		return err;
	}
	target = weir_target_add(&c->ws->owner, change->route, NULL, NULL, behind,
				 op->weight);
	weir_route_unuse(behind);	/* the target has a use of its own */
	if (IS_ERR(target))
		return PTR_ERR(target);
	weir_target_name(target, op->name);
	err = weir_edge_add(&target->edge, change->route, target->next, &why);
	if (err) {
		weir_target_remove(target);
		return weir_refuse(c->ws, err, why);
	}
	weir_target_get(target);
	change->target = target;
	return 0;
}

/* WEIR_OP_TARGET_SET, WEIR_OP_TARGET_DEL and WEIR_OP_BREAKER */
int weir_change_target_alter(struct weir_changes *c, struct weir_change *change,
			     const struct weir_route_op *op)
{
	struct weir_target *target;
	int err;

	target = weir_change_target_named(change->route, op);
	if (!target)
		return weir_refuse(c->ws, -ENOENT,
				   "the route has no such target");
	change->old_weight = target->weight;
	if (op->op == WEIR_OP_TARGET_SET) {
		weir_target_weigh(target, op->weight);
	} else if (op->op == WEIR_OP_TARGET_DEL) {
		if (target->ep)
			return weir_refuse(c->ws, -EBUSY,
					   "a socket serves the path until it is closed: give it weight 0");
		err = weir_changes_cost(c, weir_edge_ways(target->route,
							  target->next) *
					WEIR_COST_EDGE);
		if (err)
			return err;
		weir_edge_del(&target->edge);
		target->removing = true;
	} else {
		if (op->weight > WEIR_FORCE_OPEN)
			return weir_refuse(c->ws, -EINVAL,
					   "a breaker is left to itself or opened");
		if (!target->ep)
			return weir_refuse(c->ws, -EINVAL,
					   "the target is a route: its own targets have breakers");
	}
	weir_target_get(target);
	change->target = target;
	return 0;
}

void weir_change_target_undo(struct weir_change *change)
{
	struct weir_target *target = change->target;

	if (change->op == WEIR_OP_TARGET_ADD) {
		weir_target_remove(target);
		return;
	}
	weir_target_weigh(target, change->old_weight);
	if (target->removing && target->next)
		weir_edge_restore(&target->edge, target->route, target->next);
	target->removing = false;
}

void weir_change_target_commit(struct weir_change *change)
{
	struct weir_target *target = change->target;

	if (change->op == WEIR_OP_TARGET_DEL)
		weir_target_remove(target);
	if (change->op != WEIR_OP_BREAKER)
		return;
	/* not earlier: senders look at it without the lock */
	WRITE_ONCE(target->forced, change->forced);
	if (!change->forced)
		weir_breaker_reset(&target->breaker, ktime_get_ns());
}
