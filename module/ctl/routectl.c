// SPDX-License-Identifier: GPL-2.0
/*
 * WEIR_IOC_CONTROL: a list of changes to routes, targets and breakers, all of
 * which are made or none. Each change is made where senders do not see it, and
 * keeps what an undo needs. When all have been made, the plans of all routes
 * concerned are prepared. If there is memory for all of these plans, senders
 * get to see them.
 *
 * Process context; under weir_net.lock unless a comment says otherwise.
 */
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "charge.h"
#include "copy_in.h"
#include "logic/account.h"
#include "logic/memory.h"
#include "net.h"
#include "path.h"
#include "route/router.h"
#include "sock.h"
#include "weir.h"

/* Defaults for idempotency keys: number of entries, and bytes of replies. */
#define WEIR_DUP_ENTRIES	4096U
#define WEIR_DUP_BYTES		SZ_1M

/*
 * Most work for one call without CAP_NET_ADMIN, in instructions, roughly: all
 * names wait meanwhile. Each figure below was measured where the step takes
 * longest, its undo included.
 */
#define WEIR_WORK_MAX		90000
#define WEIR_WORK_CHANGE	3000	/* a change */
#define WEIR_WORK_BYTE		30	/* a byte of a name */
#define WEIR_WORK_ADDED		8000	/* a target that is added */
#define WEIR_WORK_NEW		10000	/* a route that was not there */
#define WEIR_WORK_PLAN		5000	/* the plan of a route */
#define WEIR_WORK_TARGET	100	/* a target in that plan */
#define WEIR_WORK_PASSED	20	/* a target, passed over */
#define WEIR_WORK_WAY		32	/* a way in the graph */

/* Names that a change needs: its route, its target, and the prefix of each. */
#define WEIR_CHANGE_NAMES	4

/**
 * struct weir_change - a change that has been made and can be undone
 * @op: enum weir_op.
 * @route: the route, held.
 * @plan: its new plan, not yet published; NULL: a later change has it.
 * @target: the target that the change adds, removes or alters, held; or NULL.
 * @old_set: the settings before.
 * @given: fallback reply that came with it, or NULL; held to the call's end.
 * @idem: table of keys made for it, or NULL; held to the call's end.
 * @names: paths that it needs, or NULL; held to the call's end.
 * @old_weight: weight of @target before.
 * @forced: WEIR_OP_BREAKER: the new value of weir_target.forced.
 */
struct weir_change {
	u32			op;
	struct weir_route	*route;
	struct weir_plan	*plan;
	struct weir_target	*target;
	struct weir_settings	*old_set;
	struct weir_fallback_reply	*given;
	struct weir_idem_set	*idem;
	struct weir_path	*names[WEIR_CHANGE_NAMES];
	u32			old_weight;
	bool			forced;
};

/**
 * struct weir_changes - a control call in progress
 * @ws: the socket on which the call was made.
 * @admin: the caller has CAP_NET_ADMIN in the namespace.
 * @work: work of the changes so far; see WEIR_WORK_MAX.
 * @n: number of changes made.
 * @lacks: a table of keys must be made before the next change.
 * @list: the changes.
 */
struct weir_changes {
	struct weir_sock	*ws;
	bool			admin;
	u32			work;
	u32			n;
	bool			lacks;
	struct weir_change	*list;
};

/* --- what is asked for -------------------------------------------------- */

static int weir_settings_rate_limit(struct weir_settings *set, const char **why)
{
	const struct weir_route_conf *c = &set->conf;

	if (!c->rate)
		return 0;
	set->rate_limit = kzalloc(sizeof(*set->rate_limit), WEIR_GFP_NOWAIT);
	if (!set->rate_limit)
		return -ENOMEM;
	return weir_rate_limit_init(set->rate_limit, c->rate,
				    c->burst ?: max(c->rate / 10, 1U),
				    ktime_get_ns(), why);
}

/*
 * @given: the reply that came with the change, or NULL. @old: the current
 * settings; without @given, their reply stays.
 */
static int weir_settings_fallback_reply(struct weir_settings *set,
					struct weir_fallback_reply *given,
					const struct weir_settings *old,
					const char **why)
{
	u32 len = set->conf.fallback_len;

	if (!len)
		return 0;
	if (!given &&
	    (!old || !old->fallback_reply || old->fallback_reply->len != len)) {
		*why = "there is no fallback reply of this length to keep";
		return -EINVAL;
	}
	set->fallback_reply = given ?: old->fallback_reply;
	refcount_inc(&set->fallback_reply->ref);
	return 0;
}

/* Do the current settings @old have the same table, which can then stay? */
static bool weir_idem_alike(const struct weir_settings *old,
			    const struct weir_route_conf *c)
{
	return old && old->idem &&
	       old->conf.dup_window_ns == c->dup_window_ns &&
	       old->conf.dup_entries == c->dup_entries &&
	       old->conf.dup_bytes == c->dup_bytes;
}

/* Give settings a table of keys; -EAGAIN: make it without the lock first. */
static int weir_settings_idem(struct weir_changes *c, struct weir_settings *set,
			      const struct weir_change *change)
{
	const struct weir_settings *old = change->route->set;

	if (!set->conf.dup_window_ns)
		return 0;
	if (weir_idem_alike(old, &set->conf)) {
		set->idem = old->idem;
	} else if (change->idem) {
		set->idem = change->idem;
	} else {
		c->lacks = true;
		return -EAGAIN;
	}
	refcount_inc(&set->idem->ref);
	return 0;
}

/*
 * Count @work. A caller without the capability must not keep the lock for long:
 * more than WEIR_WORK_MAX is refused. One change alone is never refused, since
 * the work of one change is bounded.
 */
static int weir_changes_work(struct weir_changes *c, u32 work)
{
	c->work += work;
	if (c->admin || !c->n || c->work <= WEIR_WORK_MAX)
		return 0;
	return weir_refuse(c->ws, -E2BIG,
			   "without CAP_NET_ADMIN the changes are too much work for one call");
}

/* The existing route of a name, or NULL. */
static struct weir_route *weir_control_find(struct weir_net *wn,
					    const char *name, u32 len)
{
	struct weir_path *path = weir_path_find(wn, name, len);

	return path ? rcu_dereference_protected(path->route,
				lockdep_is_held(&wn->lock)) : NULL;
}

/* As weir_route_obtain(), but counts the work for a new route. */
static struct weir_route *weir_control_obtain(struct weir_changes *c,
					      const char *name,
					      enum weir_use use)
{
	struct weir_route *route;
	int err;

	route = weir_route_obtain(c->ws, name, weir_op_name_len(name),
				  c->admin ? WEIR_USE_CONTROL : use);
	if (IS_ERR(route) || !weir_route_idle(route))
		return route;
	err = weir_changes_work(c, WEIR_WORK_NEW);
	if (!err)
		return route;
	weir_route_tidy(route);
	return ERR_PTR(err);
}

/* The work of a change to a route, because of the route's targets. */
static u32 weir_route_work(const struct weir_changes *c,
			   const struct weir_route *route)
{
	u32 each = WEIR_WORK_PASSED, fixed = 0, i;

	/* all changes of a route share a plan; non-admins make few */
	for (i = 0; !c->admin && i < c->n; i++) {
		if (c->list[i].route == route)
			break;
	}
	if (i == c->n) {
		each += WEIR_WORK_TARGET;
		fixed = WEIR_WORK_PLAN;
	}
	return fixed + route->ntargets * each;
}

/* Get the route that shall stand behind @route; *@behind has a use of it. */
static int weir_control_behind(struct weir_changes *c, struct weir_route *route,
			       const char *name, struct weir_route **behind)
{
	struct weir_route *next;
	int err;

	if (!name[0])
		return 0;
	next = weir_control_obtain(c, name, WEIR_USE_BEHIND);
	if (IS_ERR(next))
		return PTR_ERR(next);
	err = weir_changes_work(c, weir_edge_ways(route, next) *
				WEIR_WORK_WAY);
	if (err) {
		weir_route_tidy(next);
		return err;
	}
	weir_route_use(next);
	*behind = next;
	return 0;
}

/* --- the changes -------------------------------------------------------- */

/* Give the route of a change other settings; NULL: none. */
static int weir_settings_swap(struct weir_changes *c,
			      struct weir_change *change,
			      struct weir_settings *set)
{
	struct weir_settings *old = change->route->set;
	const char *why;
	int err;

	if (old)
		weir_edge_del(&old->edge);
	if (set) {
		err = weir_edge_add(&set->edge, change->route, set->fallback,
				    &why);
		if (err) {
			if (old)
				weir_edge_restore(&old->edge, change->route,
						  old->fallback);
			return weir_refuse(c->ws, err, why);
		}
	}
	change->old_set = old;
	change->route->set = set;
	return 0;
}

static int weir_change_route_set(struct weir_changes *c,
				 struct weir_change *change,
				 const struct weir_route_op *op)
{
	struct weir_settings *set;
	const char *why;
	u64 bytes;
	int err;

	set = kzalloc(sizeof(*set), WEIR_GFP_NOWAIT);
	if (!set)
		return weir_refuse(c->ws, -ENOMEM, "no memory for the route");
	set->conf = op->conf;
	bytes = sizeof(*set) + set->conf.fallback_len +
		(set->conf.rate ? sizeof(*set->rate_limit) : 0) +
		weir_policy_bytes(set->conf.policy);
	err = weir_charge_owner(&set->charge, &c->ws->owner, bytes, 1);
	if (err)
		goto err_free;
	why = "no memory for the route";
	err = weir_settings_rate_limit(set, &why);
	if (!err)
		err = weir_settings_fallback_reply(set, change->given,
						   change->route->set, &why);
	if (err)
		weir_refuse(c->ws, err, why);
	if (!err)
		err = weir_settings_idem(c, set, change);
	if (!err)
		err = weir_control_behind(c, change->route, op->conf.fallback,
					  &set->fallback);
	if (!err)
		err = weir_control_behind(c, change->route, op->conf.mirror,
					  &set->mirror);
	/* a mirror is no edge, so this check alone finds a cycle */
	if (!err && set->mirror && weir_chain_leads(set->mirror, change->route))
		err = weir_refuse(c->ws, -ELOOP,
				  "the path leads back to the route");
	if (!err)
		err = weir_settings_swap(c, change, set);
	if (err)
		goto err_free;
	return 0;

err_free:
	weir_settings_free(set);
	return err;
}

/* The target of @route that is the route @next, or NULL. */
static struct weir_target *weir_control_next(struct weir_route *route,
					     const struct weir_route *next)
{
	struct weir_target *target;

	list_for_each_entry(target, &route->targets, route_link) {
		if (target->next == next && !target->leaving)
			return target;
	}
	return NULL;
}

/* The target that a change names by its number or by its path; or NULL. */
static struct weir_target *weir_control_target(struct weir_route *route,
					       const struct weir_route_op *op)
{
	struct weir_net *wn = route->path->wn;
	struct weir_target *target;
	struct weir_route *next;

	if (op->target) {
		target = xa_load(&wn->targets, op->target);
		return target && target->id == op->target &&
		       target->route == route && !target->leaving ?
		       target : NULL;
	}
	next = weir_control_find(wn, op->target_path,
				 weir_op_name_len(op->target_path));
	return next ? weir_control_next(route, next) : NULL;
}

static int weir_change_target_add(struct weir_changes *c,
				  struct weir_change *change,
				  const struct weir_route_op *op)
{
	struct weir_route *behind = NULL;
	struct weir_target *target;
	const char *why;
	int err;

	err = weir_changes_work(c, WEIR_WORK_ADDED);
	if (err)
		return err;
	err = weir_control_behind(c, change->route, op->target_path, &behind);
	if (err)
		return err;
	if (weir_control_next(change->route, behind)) {
		weir_route_unuse(behind);
		return weir_refuse(c->ws, -EEXIST,
				   "the path is a target of the route already");
	}
	target = weir_target_add(c->ws, change->route, NULL, NULL, behind,
				 op->weight);
	weir_route_unuse(behind);	/* the target has a use of its own */
	if (IS_ERR(target))
		return PTR_ERR(target);
	err = weir_edge_add(&target->edge, change->route, target->next, &why);
	if (err) {
		weir_target_remove(target);
		return weir_refuse(c->ws, err, why);
	}
	weir_target_get(target);
	change->target = target;
	return 0;
}

static int weir_change_target(struct weir_changes *c,
			      struct weir_change *change,
			      const struct weir_route_op *op)
{
	struct weir_target *target = weir_control_target(change->route, op);
	int err;

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
		err = weir_changes_work(c, weir_edge_ways(target->route,
							  target->next) *
					WEIR_WORK_WAY);
		if (err)
			return err;
		weir_edge_del(&target->edge);
		target->leaving = true;
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

/* Get the route of a change; makes a new one if the caller may set it. */
static int weir_change_route(struct weir_changes *c,
			     const struct weir_route_op *op,
			     struct weir_route **route)
{
	if (op->op == WEIR_OP_ROUTE_SET || op->op == WEIR_OP_TARGET_ADD) {
		*route = weir_control_obtain(c, op->path, WEIR_USE_OWN);
		return PTR_ERR_OR_ZERO(*route);
	}
	*route = weir_control_find(c->ws->owner.wn, op->path,
				   weir_op_name_len(op->path));
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
	err = weir_changes_work(c, WEIR_WORK_CHANGE + WEIR_WORK_BYTE *
				(weir_op_name_len(op->path) +
				 weir_op_name_len(op->target_path)));
	if (err)
		return err;
	err = weir_change_route(c, op, &change->route);
	if (err)
		return err;
	/* keep the route until all changes are done or undone */
	weir_route_use(change->route);
	err = weir_changes_work(c, weir_route_work(c, change->route));
	if (err) {
		weir_route_unuse(change->route);
		return err;
	}
	switch (op->op) {
	case WEIR_OP_ROUTE_SET:
		err = weir_change_route_set(c, change, op);
		break;
	case WEIR_OP_ROUTE_DEL:
		err = weir_settings_swap(c, change, NULL);
		break;
	case WEIR_OP_TARGET_ADD:
		err = weir_change_target_add(c, change, op);
		break;
	case WEIR_OP_BREAKER:
		err = weir_change_target(c, change, op);
		change->forced = op->weight == WEIR_FORCE_OPEN;
		break;
	default:
		err = weir_change_target(c, change, op);
		break;
	}
	if (err) {
		weir_route_unuse(change->route);
		return err;
	}
	c->n++;
	return 0;
}

/* --- all or none -------------------------------------------------------- */

/*
 * An administrator may make thousands of changes: let other tasks run, but keep
 * the lock. The changes of one call are seen at once or not at all.
 */
static void weir_changes_yield(const struct weir_changes *c)
{
	if (c->admin)
		cond_resched();
}

/* Reset a change to one that is not made, but keep what is ready for it. */
static void weir_change_begin(struct weir_change *change)
{
	struct weir_change fresh = {
		.given = change->given,
		.idem = change->idem,
	};

	memcpy(fresh.names, change->names, sizeof(fresh.names));
	*change = fresh;
}

/* The change is done or undone: put its references. */
static void weir_change_end(struct weir_change *change)
{
	change->route->planned = false;
	if (change->target)
		weir_target_put(change->target);
	weir_route_unuse(change->route);
}

static void weir_changes_undo(struct weir_changes *c)
{
	while (c->n--) {
		struct weir_change *change = &c->list[c->n];
		struct weir_target *target = change->target;
		struct weir_settings *set;

		if (change->plan)
			weir_plan_drop(change->plan);
		switch (change->op) {
		case WEIR_OP_ROUTE_SET:
		case WEIR_OP_ROUTE_DEL:
			set = change->route->set;
			change->route->set = change->old_set;
			weir_settings_free(set);
			set = change->old_set;
			if (set)
				weir_edge_restore(&set->edge, change->route,
						  set->fallback);
			break;
		case WEIR_OP_TARGET_ADD:
			weir_target_remove(target);
			break;
		default:
			weir_target_weigh(target, change->old_weight);
			if (target->leaving && target->next)
				weir_edge_restore(&target->edge, target->route,
						  target->next);
			target->leaving = false;
			break;
		}
		weir_change_end(change);
		weir_changes_yield(c);
	}
}

/* Does the route send to several targets, and is one of these a route? */
static bool weir_route_mixed(const struct weir_route *route)
{
	struct weir_target *target;

	if (!route->set || route->set->conf.policy < WEIR_POLICY_ALL)
		return false;
	list_for_each_entry(target, &route->targets, route_link) {
		if (target->next && !target->leaving)
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

/*
 * Breakers that are switched on begin closed: they saw requests of an older
 * configuration, and know nothing of what happened since.
 */
static void weir_change_breakers(const struct weir_change *change)
{
	const struct weir_settings *set = change->route->set;
	struct weir_target *target;

	if (change->op != WEIR_OP_ROUTE_SET || !set ||
	    !set->conf.breaker_min_calls ||
	    (change->old_set && change->old_set->conf.breaker_min_calls))
		return;
	list_for_each_entry(target, &change->route->targets, route_link)
		weir_breaker_reset(&target->breaker, ktime_get_ns());
}

static void weir_changes_commit(struct weir_changes *c)
{
	u32 i;

	for (i = 0; i < c->n; i++)
		weir_change_breakers(&c->list[i]);
	for (i = 0; i < c->n; i++) {
		if (c->list[i].plan)
			weir_plan_publish(c->list[i].route, c->list[i].plan);
	}
	for (i = 0; i < c->n; i++) {
		struct weir_change *change = &c->list[i];

		weir_settings_free(change->old_set);
		if (change->op == WEIR_OP_TARGET_DEL)
			weir_target_remove(change->target);
		if (change->op == WEIR_OP_BREAKER) {
			/* not earlier: senders look at it without the lock */
			WRITE_ONCE(change->target->forced, change->forced);
			if (!change->forced)
				weir_breaker_reset(&change->target->breaker,
						   ktime_get_ns());
		}
		weir_change_end(change);
		weir_changes_yield(c);
	}
}

static int weir_control_ops(struct weir_changes *c,
			    const struct weir_route_op *ops, u32 count,
			    u32 *failed)
{
	u32 i;
	int err = 0;

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

/* Copy in the fallback reply of a checked change, if the change has one. */
static int weir_control_reply(struct weir_changes *c,
			      const struct weir_route_op *op,
			      struct weir_fallback_reply **given)
{
	u32 len = op->conf.fallback_len;
	struct weir_fallback_reply *fallback_reply;

	if (op->op != WEIR_OP_ROUTE_SET || !len || !op->conf.fallback_reply)
		return 0;
	fallback_reply = kvmalloc(struct_size(fallback_reply, data, len),
				  WEIR_GFP);
	if (!fallback_reply)
		return weir_refuse(c->ws, -ENOMEM, "no memory for the reply");
	refcount_set(&fallback_reply->ref, 1);
	fallback_reply->len = len;
	*given = fallback_reply;
	if (copy_from_user(fallback_reply->data,
			   u64_to_user_ptr(op->conf.fallback_reply), len))
		return weir_refuse(c->ws, -EFAULT,
				   "the fallback reply is not readable");
	return 0;
}

/* Copy in and check all changes, before any lock is taken. */
static int weir_control_read(struct weir_changes *c,
			     const struct weir_ioc_control *ctl,
			     struct weir_route_op *ops, u32 *failed)
{
	const u8 __user *from = u64_to_user_ptr(ctl->ops);
	const char *why;
	int err;
	u32 i;

	for (i = 0; i < ctl->count; i++) {
		*failed = i;
		err = copy_struct_from_user(&ops[i], sizeof(*ops),
					    from + (u64)i * ctl->op_size,
					    ctl->op_size);
		if (err)
			return weir_refuse(c->ws, err, err == -E2BIG ?
					   "the change has fields this module does not know" :
					   "the change is not readable");
		err = weir_op_check(&ops[i], c->admin, &why);
		if (err)
			return weir_refuse(c->ws, err, why);
		err = weir_control_reply(c, &ops[i], &c->list[i].given);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Hold a name and its prefix until the call is over. Without weir_net.lock. */
static int weir_control_name(struct weir_changes *c, const char *name,
			     enum weir_use use, struct weir_path **held)
{
	struct weir_sock *ws = c->ws;
	u32 len = weir_op_name_len(name);
	unsigned int tries = 0;
	struct weir_path *path;

	do {
		path = weir_prefix_hold(&ws->owner, name, len);
		if (IS_ERR(path))
			continue;
		/* NULL: none needed, or an earlier try has it */
		if (path)
			held[0] = path;
		mutex_lock(&ws->owner.wn->lock);
		path = weir_path_get(&ws->owner, name, len, use);
		mutex_unlock(&ws->owner.wn->lock);
		if (!IS_ERR(path))
			held[1] = path;
	} while (weir_prime(&ws->owner, PTR_ERR_OR_ZERO(path), WEIR_PRIME_NAME,
			    &tries));
	return PTR_ERR_OR_ZERO(path);
}

/*
 * Make and hold the names that new targets need before the changes are made,
 * each one by itself: a new name is compared with many others. Not done for an
 * administrator, who may add thousands.
 */
static int weir_control_names(struct weir_changes *c,
			      const struct weir_route_op *ops, u32 count,
			      u32 *failed)
{
	struct mutex *turn = weir_account_turn(c->ws->owner.account);
	u32 i;
	int err = 0;

	for (i = 0; i < count && !err; i++) {
		if (c->admin || ops[i].op != WEIR_OP_TARGET_ADD)
			continue;
		*failed = i;
		mutex_lock(turn);
		err = weir_control_name(c, ops[i].path, WEIR_USE_OWN,
					c->list[i].names);
		if (!err)
			err = weir_control_name(c, ops[i].target_path,
						WEIR_USE_BEHIND,
						c->list[i].names + 2);
		mutex_unlock(turn);
	}
	return err;
}

/* The call is over: put what was made ready for its changes. */
static void weir_control_end(struct weir_changes *c, u32 count)
{
	u32 i, k;

	for (i = 0; i < count; i++) {
		struct weir_change *change = &c->list[i];

		weir_fallback_reply_put(change->given);
		weir_idem_set_put(change->idem);
		for (k = 0; k < WEIR_CHANGE_NAMES; k++)
			weir_path_unhold(&c->ws->owner, change->names[k]);
	}
}

/* Does a change need a new table of keys, as its route is now? weir_net.lock */
static bool weir_control_lacks(struct weir_changes *c,
			       const struct weir_route_op *op)
{
	struct weir_route *route = weir_control_find(c->ws->owner.wn, op->path,
						     weir_op_name_len(op->path));

	return !weir_idem_alike(route ? route->set : NULL, &op->conf);
}

/*
 * Make the table of keys that change *@failed lacks, and the tables that later
 * changes will need. Without weir_net.lock.
 */
static int weir_control_once(struct weir_changes *c,
			     const struct weir_route_op *ops, u32 count,
			     u32 *failed)
{
	u32 i = *failed;
	bool lacks = true;

	for (; i < count; i++, lacks = false) {
		const struct weir_route_conf *conf = &ops[i].conf;
		struct weir_idem_set *idem;

		if (ops[i].op != WEIR_OP_ROUTE_SET || !conf->dup_window_ns ||
		    c->list[i].idem)
			continue;
		mutex_lock(&c->ws->owner.wn->lock);
		lacks = lacks || weir_control_lacks(c, &ops[i]);
		mutex_unlock(&c->ws->owner.wn->lock);
		if (!lacks)
			continue;
		*failed = i;
		idem = weir_idem_set_create(c->ws, conf->dup_window_ns,
					    conf->dup_entries ?: WEIR_DUP_ENTRIES,
					    conf->dup_bytes ?: WEIR_DUP_BYTES);
		if (IS_ERR(idem))
			return PTR_ERR(idem);
		c->list[i].idem = idem;
		cond_resched();
	}
	return 0;
}

/*
 * Make all changes, or none. If there is no memory under the lock, the changes
 * are undone, and made again once there is some.
 */
static int weir_control_apply(struct weir_changes *c,
			      const struct weir_route_op *ops, u32 count,
			      u32 *failed)
{
	u64 bytes = WEIR_PRIME_NAME + (u64)count * SZ_4K;
	unsigned int tries = 0;
	int err;
	u32 i;

	do {
		for (i = 0; i < count; i++)
			weir_change_begin(&c->list[i]);
		c->n = 0;
		c->work = 0;
		c->lacks = false;
		mutex_lock(weir_account_turn(c->ws->owner.account));
		mutex_lock(&c->ws->owner.wn->lock);
		err = weir_control_ops(c, ops, count, failed);
		mutex_unlock(&c->ws->owner.wn->lock);
		mutex_unlock(weir_account_turn(c->ws->owner.account));
		if (c->lacks)
			err = weir_control_once(c, ops, count, failed);
	} while (c->lacks ? !err :
		 weir_prime(&c->ws->owner, err, bytes, &tries));
	return err;
}

/* WEIR_IOC_CONTROL. Returns 0 or a negative errno. */
int weir_control(struct weir_sock *ws, void __user *arg)
{
	struct weir_changes c = { .ws = ws };
	struct weir_ioc_control ctl;
	struct weir_route_op *ops;
	u32 failed = 0;
	int err;

	err = weir_copy_in(&ws->owner, &ctl, sizeof(ctl), arg);
	if (err)
		return err;
	if (!ctl.count || ctl.count > WEIR_OPS_MAX)
		return weir_refuse(ws, -EINVAL, "1 to 4096 changes at a time");
	if (ctl.op_size < offsetof(struct weir_route_op, conf) ||
	    ctl.op_size > PAGE_SIZE)
		return weir_refuse(ws, -EINVAL, "op_size is wrong");
	c.admin = ns_capable(sock_net(&ws->sk)->user_ns, CAP_NET_ADMIN);
	if (!c.admin && ctl.count > WEIR_OPS_USER_MAX)
		return weir_refuse(ws, -E2BIG,
				   "more than 8 changes at a time need CAP_NET_ADMIN");
	ops = kvcalloc(ctl.count, sizeof(*ops), WEIR_GFP);
	c.list = kvcalloc(ctl.count, sizeof(*c.list), WEIR_GFP);
	if (!ops || !c.list) {
		err = weir_refuse(ws, -ENOMEM, "no memory for the changes");
		goto out;
	}
	err = weir_control_read(&c, &ctl, ops, &failed);
	if (!err)
		err = weir_control_names(&c, ops, ctl.count, &failed);
	if (!err)
		err = weir_control_apply(&c, ops, ctl.count, &failed);
	weir_control_end(&c, ctl.count);
out:
	kvfree(c.list);
	kvfree(ops);
	if (err && ctl.size >= offsetofend(struct weir_ioc_control, failed) &&
	    put_user(failed, (u32 __user *)(arg + offsetof(struct
			     weir_ioc_control, failed))))
		return -EFAULT;
	return err;
}
