// SPDX-License-Identifier: GPL-2.0
/*
 * Chains of routes. A route has other routes behind it: its targets, and its
 * fallback. Other limits bound how far one message goes, and with it the work
 * for the message. This file keeps the graph of routes small: it checks each
 * edge when the edge is added, from whichever end that happens. The graph has
 * no cycle. No chain is longer than a message may go. The ways through the
 * graph are counted at both ends, so that each traversal is bounded.
 *
 * Targets that are sockets are not counted here: each route has
 * WEIR_TARGETS_MAX targets at most. A mirror is not an edge: a copy goes to a
 * socket of the mirror and no further.
 */
#include "net.h"
#include "route/chain.h"
#include "route/route.h"
#include "weir.h"

/* Most ways that lead from one route to the routes behind it. */
#define WEIR_BEHIND_MAX		512

/*
 * Most ways that lead to one route from the routes before it. This limit is the
 * larger one, because many routes can share a fallback.
 */
#define WEIR_BEFORE_MAX		768

/* Larger than the length of any chain: the result for too many ways. */
#define WEIR_CHAIN_WIDE		256

/**
 * struct weir_ways - a traversal of all ways from a route, each way once
 * @depth: number of edges from that route to the current one.
 * @at: these edges, in order.
 */
struct weir_ways {
	u32			depth;
	struct weir_edge	*at[WEIR_HOPS_MAX];
};

/*
 * Go on from @route to the next one, among the routes behind it (@behind) or
 * before it. Returns NULL at the end. Forced inline so that the compiler knows
 * @behind: a traversal takes thousands of steps while other tasks wait for the
 * lock.
 */
static __always_inline struct weir_route *
weir_ways_next(struct weir_ways *w, struct weir_route *route, bool behind)
{
	struct list_head *edges = behind ? &route->behind : &route->before;
	struct list_head *next = edges->next;
	struct weir_edge *edge;

	while (next == edges) {
		if (!w->depth)
			return NULL;
		edge = w->at[--w->depth];
		edges = behind ? &edge->from->behind : &edge->to->before;
		next = behind ? edge->behind_link.next : edge->before_link.next;
	}
	edge = behind ? list_entry(next, struct weir_edge, behind_link) :
			list_entry(next, struct weir_edge, before_link);
	w->at[w->depth++] = edge;
	return behind ? edge->to : edge->from;
}

/*
 * Traverse the routes behind @from. Returns the number of edges in the longest
 * chain that begins at @from; -ELOOP when a chain leads to @to.
 */
static int weir_chain_behind(struct weir_route *from,
			     const struct weir_route *to)
{
	struct weir_ways w = { };
	u32 most = 0;

	for (; from; from = weir_ways_next(&w, from, true)) {
		if (from == to)
			return -ELOOP;
		most = max(most, w.depth);
	}
	return most;
}

/**
 * weir_chain_leads() - does a chain lead from one route to another?
 * @from: the first route.
 * @to: the second route; a route leads to itself.
 *
 * Return: true if one does.
 */
bool weir_chain_leads(struct weir_route *from, const struct weir_route *to)
{
	return weir_chain_behind(from, to) < 0;
}

/*
 * Count @n more ways that begin at @route and at all routes before it; fewer
 * ways if @n is negative. Returns the number of edges in the longest chain that
 * ends at @route; at least WEIR_CHAIN_WIDE when there are too many ways.
 */
static u32 weir_chain_grow_behind(struct weir_route *route, s32 n)
{
	struct weir_ways w = { };
	u32 most = 0;

	for (; route; route = weir_ways_next(&w, route, false)) {
		route->nbehind += n;
		if (route->nbehind > WEIR_BEHIND_MAX)
			most = WEIR_CHAIN_WIDE;
		most = max(most, w.depth);
	}
	return most;
}

/*
 * Count @n more ways that end at @route and at all routes behind it, at each as
 * often as a chain leads there. Returns whether there are too many.
 */
static bool weir_chain_grow_before(struct weir_route *route, s32 n)
{
	struct weir_ways w = { };
	bool wide = false;

	for (; route; route = weir_ways_next(&w, route, true)) {
		route->nbefore += n;
		wide |= route->nbefore > WEIR_BEFORE_MAX;
	}
	return wide;
}

/* Link an edge. The caller has counted its ways at both ends. */
static void weir_edge_link(struct weir_edge *edge, struct weir_route *from,
			   struct weir_route *to)
{
	lockdep_assert_held(&from->path->wn->lock);
	edge->from = from;
	edge->to = to;
	list_add_tail(&edge->behind_link, &from->behind);
	list_add_tail(&edge->before_link, &to->before);
}

/**
 * weir_edge_restore() - put back an edge that was deleted
 * @edge: the edge.
 * @from: the route in front.
 * @to: the route behind it; NULL: there was no edge.
 */
void weir_edge_restore(struct weir_edge *edge, struct weir_route *from,
		       struct weir_route *to)
{
	if (!to)
		return;
	weir_chain_grow_behind(from, 1 + to->nbehind);
	weir_chain_grow_before(to, 1 + from->nbefore);
	weir_edge_link(edge, from, to);
}

/**
 * weir_edge_del() - delete an edge: a route is no longer behind another
 * @edge: the edge; nothing happens if it is deleted already.
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
 * weir_edge_ways() - the work to add or delete an edge
 * @from: the route in front.
 * @to: the route behind it.
 *
 * Return: the number of ways that are traversed at most, an undo included.
 */
u32 weir_edge_ways(const struct weir_route *from, const struct weir_route *to)
{
	return 2 * from->nbefore + 3 * to->nbehind;
}

/**
 * weir_edge_add() - put a route behind another
 * @edge: the edge, all zeros or deleted.
 * @from: the route in front.
 * @to: the route behind it; NULL: there is none, and the function returns 0.
 * @why: out: the words of a refusal.
 *
 * Return: 0; -ELOOP: the edge would close a cycle, make a chain too long or
 * make too many ways, and nothing has changed.
 */
int weir_edge_add(struct weir_edge *edge, struct weir_route *from,
		  struct weir_route *to, const char **why)
{
	int behind;
	u32 hops;

	if (!to)
		return 0;
	behind = weir_chain_behind(to, from);
	if (behind < 0) {
		*why = "the path leads back to the route";
		return behind;
	}
	hops = behind;
	/* do not count and undo if the ways are too many for certain */
	if (behind < WEIR_HOPS_MAX &&
	    from->nbehind + to->nbehind < WEIR_BEHIND_MAX) {
		hops += 1 + weir_chain_grow_behind(from, 1 + to->nbehind);
		if (hops <= WEIR_HOPS_MAX) {
			if (!weir_chain_grow_before(to, 1 + from->nbefore)) {
				weir_edge_link(edge, from, to);
				return 0;
			}
			weir_chain_grow_before(to, -(s32)(1 + from->nbefore));
			hops = WEIR_CHAIN_WIDE;
		}
		weir_chain_grow_behind(from, -(s32)(1 + to->nbehind));
	} else if (behind < WEIR_HOPS_MAX) {
		hops = WEIR_CHAIN_WIDE;
	}
	*why = hops >= WEIR_CHAIN_WIDE ?
	       "a route leads to 512 others at most, and 768 lead to one" :
	       "a message goes through 4 more routes at most";
	return -ELOOP;
}
