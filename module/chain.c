// SPDX-License-Identifier: GPL-2.0
/*
 * Chains of routes: a route has others behind it, which are its targets or its
 * fallback. What bounds a message on its way bounds its work, not the graph:
 * here the graph is kept small when an edge comes, from whichever end it is
 * built. It has no circle, no chain is longer than a message may go, and the
 * ways through it are counted at both ends, so that each look at it is bounded.
 *
 * Sockets are not counted: each route has WEIR_TARGETS_MAX targets at most. A
 * mirror is no edge: a copy goes to a socket of the mirror and no further.
 *
 * Process context, under weir_net.lock. Recursion ends after WEIR_HOPS_MAX.
 */
#include "router.h"

/* Ways from one route to those behind it. */
#define WEIR_BEHIND_MAX		512

/* Ways to one route from those before it: a fallback is shared by many. */
#define WEIR_BEFORE_MAX		2048

/* Longer than any chain: the mark of a graph with too many ways. */
#define WEIR_CHAIN_WIDE		256

/* Edges of the longest chain that begins at a route. */
static u32 weir_chain_behind(const struct weir_route *route)
{
	const struct weir_edge *edge;
	u32 most = 0;

	list_for_each_entry(edge, &route->behind, behind_link)
		most = max(most, 1 + weir_chain_behind(edge->to));
	return most;
}

/**
 * weir_chain_leads() - does a chain from one route lead to another?
 * @from: the one.
 * @to: the other; a route leads to itself.
 *
 * Return: whether it does.
 */
bool weir_chain_leads(const struct weir_route *from,
		      const struct weir_route *to)
{
	const struct weir_edge *edge;

	if (from == to)
		return true;
	list_for_each_entry(edge, &from->behind, behind_link) {
		if (weir_chain_leads(edge->to, to))
			return true;
	}
	return false;
}

/*
 * So many more ways go out from a route, and from all before it. Return: the
 * edges of the longest chain that ends at the route; WEIR_CHAIN_WIDE at least
 * when there are too many ways.
 */
static u32 weir_chain_grow_behind(struct weir_route *route, s32 n)
{
	struct weir_edge *edge;
	u32 most = 0;

	route->nbehind += n;
	if (route->nbehind > WEIR_BEHIND_MAX)
		most = WEIR_CHAIN_WIDE;
	list_for_each_entry(edge, &route->before, before_link)
		most = max(most, 1 + weir_chain_grow_behind(edge->from, n));
	return most;
}

/* So many more ways lead to a route, and to all behind it. */
static bool weir_chain_grow_before(struct weir_route *route, s32 n)
{
	struct weir_edge *edge;
	bool fits;

	route->nbefore += n;
	fits = route->nbefore <= WEIR_BEFORE_MAX;
	list_for_each_entry(edge, &route->behind, behind_link)
		fits &= weir_chain_grow_before(edge->to, n);
	return fits;
}

/*
 * Puts an edge into the graph, whatever comes of it. Each way is walked once.
 * Return: the length of the longest chain that ends with it, as
 * weir_chain_grow_behind() does.
 */
static u32 weir_edge_link(struct weir_edge *edge, struct weir_route *from,
			  struct weir_route *to)
{
	u32 hops;

	lockdep_assert_held(&from->path->wn->lock);
	hops = 1 + weir_chain_grow_behind(from, 1 + to->nbehind);
	if (!weir_chain_grow_before(to, 1 + from->nbefore))
		hops = WEIR_CHAIN_WIDE;
	edge->from = from;
	edge->to = to;
	list_add_tail(&edge->behind_link, &from->behind);
	list_add_tail(&edge->before_link, &to->before);
	return hops;
}

/**
 * weir_edge_restore() - put an edge back that was there before
 * @edge: the edge, deleted.
 * @from: the route in front.
 * @to: the route behind it; NULL: there was none.
 */
void weir_edge_restore(struct weir_edge *edge, struct weir_route *from,
		       struct weir_route *to)
{
	if (to)
		weir_edge_link(edge, from, to);
}

/**
 * weir_edge_del() - a route stands behind another no more
 * @edge: the edge; may be deleted already.
 */
void weir_edge_del(struct weir_edge *edge)
{
	if (!edge->from)
		return;
	list_del(&edge->behind_link);
	list_del(&edge->before_link);
	weir_chain_grow_behind(edge->from, -(s32)(1 + edge->to->nbehind));
	weir_chain_grow_before(edge->to, -(s32)(1 + edge->from->nbefore));
	edge->from = NULL;
}

/**
 * weir_edge_ways() - what an edge takes to come or go
 * @from: the route in front.
 * @to: the route behind it.
 *
 * Return: how many ways are walked at most.
 */
u32 weir_edge_ways(const struct weir_route *from, const struct weir_route *to)
{
	return 2 * from->nbefore + 4 * to->nbehind;
}

/**
 * weir_edge_add() - a route shall stand behind another
 * @edge: the edge, all zeros or deleted.
 * @from: the route in front.
 * @to: the route behind it; NULL: there is none.
 * @why: out: the words of a refusal.
 *
 * Return: 0 or -ELOOP.
 */
int weir_edge_add(struct weir_edge *edge, struct weir_route *from,
		  struct weir_route *to, const char **why)
{
	u32 hops, behind;

	if (!to)
		return 0;
	if (weir_chain_leads(to, from)) {
		*why = "the path leads back to the route";
		return -ELOOP;
	}
	behind = weir_chain_behind(to);
	hops = weir_edge_link(edge, from, to);
	if (hops + behind <= WEIR_HOPS_MAX)
		return 0;
	weir_edge_del(edge);
	*why = hops >= WEIR_CHAIN_WIDE ?
	       "a route leads to 512 others at most, and 2048 lead to one" :
	       "a message goes through 4 more routes at most";
	return -ELOOP;
}
