/* SPDX-License-Identifier: GPL-2.0 */
/* Edges between routes, one behind another: see chain.c. */
#ifndef _WEIR_CHAIN_H
#define _WEIR_CHAIN_H

#include <linux/list.h>

#include "weir.h"

/**
 * struct weir_edge - says that one route stands behind another
 * @from: the route in front; NULL while the edge is not in use.
 * @to: the route behind it: a target of @from, or its fallback.
 * @behind_link: in from->behind.
 * @before_link: in to->before.
 *
 * Guarded by weir_net.lock. The target or the settings that contain the edge
 * hold both routes.
 */
struct weir_edge {
	struct weir_route	*from;
	struct weir_route	*to;
	struct list_head	behind_link;
	struct list_head	before_link;
};

bool weir_chain_leads(struct weir_route *from, const struct weir_route *to);
int weir_edge_add(struct weir_edge *edge, struct weir_route *from,
		  struct weir_route *to, const char **why);
void weir_edge_restore(struct weir_edge *edge, struct weir_route *from,
		       struct weir_route *to);
u32 weir_edge_ways(const struct weir_route *from, const struct weir_route *to);
void weir_edge_del(struct weir_edge *edge);

#endif /* _WEIR_CHAIN_H */
