/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A control call in progress: control.c copies the changes in and says when
 * each step is made. change.c makes all changes or none; change_route.c changes
 * the settings of a route, change_target.c its targets and their breakers.
 */
#ifndef _WEIR_CHANGE_H
#define _WEIR_CHANGE_H

#include <linux/types.h>

#include "uapi/weir_route.h"
#include "weir.h"

struct weir_fallback_reply;
struct weir_dup_set;
struct weir_plan;
struct weir_settings;
struct weir_target;

/*
 * Highest cost of one call without CAP_NET_ADMIN, roughly in instructions: all
 * names wait meanwhile. Each figure below was measured where the step takes
 * longest, its undo included.
 */
#define WEIR_COST_MAX		90000
#define WEIR_COST_CHANGE	3000	/* a change */
#define WEIR_COST_BYTE		30	/* a byte of a name */
#define WEIR_COST_ADDED		8000	/* a target that is added */
#define WEIR_COST_NEW		10000	/* a route that was not there */
#define WEIR_COST_PLAN		5000	/* the plan of a route */
#define WEIR_COST_TARGET	100	/* a target in that plan */
#define WEIR_COST_PASSED	20	/* a target that is passed over */
#define WEIR_COST_EDGE		32	/* an edge in the graph of routes */

/* Names that a change needs: its route, its target, and the prefix of each. */
#define WEIR_CHANGE_NAMES	4

/**
 * struct weir_change - a change that has been made and can be undone
 */
struct weir_change {
	/** @op: enum weir_op. */
	u32			op;
	/** @route: the route, held. */
	struct weir_route	*route;
	/**
	 * @plan: its new plan, not yet published; NULL: a later change has it.
	 */
	struct weir_plan	*plan;
	/**
	 * @target: the target that the change adds, removes or alters, held; or
	 * NULL.
	 */
	struct weir_target	*target;
	/** @old_set: the settings before. */
	struct weir_settings	*old_set;
	/**
	 * @given: fallback reply that came with the change, or NULL; held to
	 * the call's end.
	 */
	struct weir_fallback_reply	*given;
	/**
	 * @dup: table of keys made for the change, or NULL; held to the call's
	 * end.
	 */
	struct weir_dup_set	*dup;
	/**
	 * @names: paths that the change needs, or NULL; held to the call's end.
	 */
	struct weir_path	*names[WEIR_CHANGE_NAMES];
	/** @old_weight: weight of @target before. */
	u32			old_weight;
	/** @forced: WEIR_OP_BREAKER: the new value of weir_target.forced. */
	bool			forced;
};

/**
 * struct weir_changes - a control call in progress
 * @ws: the socket on which the call was made.
 * @admin: the caller has CAP_NET_ADMIN in the namespace.
 * @cost: cost of the changes so far; see WEIR_COST_MAX.
 * @n: number of changes made.
 * @lacks: a table of keys must be made before the next change.
 * @list: the changes.
 */
struct weir_changes {
	struct weir_sock	*ws;
	bool			admin;
	u32			cost;
	u32			n;
	bool			lacks;
	struct weir_change	*list;
};

/* --- change.c --- */
int weir_changes_cost(struct weir_changes *c, u32 cost);
struct weir_route *weir_change_find(struct weir_net *wn, const char *name);
int weir_change_behind(struct weir_changes *c, struct weir_route *route,
		       const char *name, struct weir_route **behind);
void weir_changes_begin(struct weir_changes *c, u32 count);
int weir_changes_make(struct weir_changes *c, const struct weir_route_op *ops,
		      u32 count, u32 *failed);

/* --- change_route.c --- */
bool weir_dup_set_alike(const struct weir_settings *old,
			const struct weir_route_conf *c);
int weir_change_route_set(struct weir_changes *c, struct weir_change *change,
			  const struct weir_route_op *op);
int weir_change_route_del(struct weir_changes *c, struct weir_change *change);
void weir_change_route_undo(struct weir_change *change);
void weir_change_route_commit(struct weir_change *change);

/* --- change_target.c --- */
int weir_change_target_add(struct weir_changes *c, struct weir_change *change,
			   const struct weir_route_op *op);
int weir_change_target_alter(struct weir_changes *c, struct weir_change *change,
			     const struct weir_route_op *op);
void weir_change_target_undo(struct weir_change *change);
void weir_change_target_commit(struct weir_change *change);

/* --- change_check.c --- */
int weir_op_check(const struct weir_route_op *op, bool admin, const char **why);

#endif /* _WEIR_CHANGE_H */
