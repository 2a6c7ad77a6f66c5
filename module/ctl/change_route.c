// SPDX-License-Identifier: GPL-2.0
/*
 * The settings of a route: how a control call makes new ones, and restores the
 * old ones if it fails.
 *
 * Process context, under weir_net.lock.
 */
#include <linux/slab.h>

#include "charge.h"
#include "ctl/change.h"
#include "logic/alloc.h"
#include "logic/breaker.h"
#include "logic/policy.h"
#include "logic/rate_limit.h"
#include "owner.h"
#include "route/chain.h"
#include "route/dup_call.h"
#include "route/plan.h"
#include "route/route.h"
#include "route/target.h"
#include "sock/sock.h"
#include "weir.h"

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
bool weir_dup_set_alike(const struct weir_settings *old,
			const struct weir_route_conf *c)
{
	return old && old->dup &&
	       old->conf.dup_window_ns == c->dup_window_ns &&
	       old->conf.dup_entries == c->dup_entries &&
	       old->conf.dup_bytes == c->dup_bytes;
}

/* Give settings a table of keys; -EAGAIN: make it without the lock first. */
static int weir_settings_dup(struct weir_changes *c, struct weir_settings *set,
			     const struct weir_change *change)
{
	const struct weir_settings *old = change->route->set;

	if (!set->conf.dup_window_ns)
		return 0;
	if (weir_dup_set_alike(old, &set->conf)) {
		set->dup = old->dup;
	} else if (change->dup) {
		set->dup = change->dup;
	} else {
		c->lacks = true;
		return -EAGAIN;
	}
	refcount_inc(&set->dup->ref);
	return 0;
}

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

/* WEIR_OP_ROUTE_SET */
int weir_change_route_set(struct weir_changes *c, struct weir_change *change,
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
		weir_policy_of(set->conf.policy)->table_bytes;
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
		err = weir_settings_dup(c, set, change);
	if (!err)
		err = weir_change_behind(c, change->route, op->conf.fallback,
					  &set->fallback);
	if (!err)
		err = weir_change_behind(c, change->route, op->conf.mirror,
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

/* WEIR_OP_ROUTE_DEL */
int weir_change_route_del(struct weir_changes *c, struct weir_change *change)
{
	return weir_settings_swap(c, change, NULL);
}

void weir_change_route_undo(struct weir_change *change)
{
	struct weir_settings *set = change->route->set;

	change->route->set = change->old_set;
	weir_settings_free(set);
	set = change->old_set;
	if (set)
		weir_edge_restore(&set->edge, change->route, set->fallback);
}

/*
 * Breakers that are switched on begin closed: they saw requests of an older
 * configuration, and know nothing of what happened since.
 */
void weir_change_route_commit(struct weir_change *change)
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
