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
 * Process context, under weir_net.lock.
 */
#include "route/router.h"

/* Ways from one route to those behind it. */
#define WEIR_BEHIND_MAX		512

/* Ways to one route from those before it: a fallback is shared by many. */
#define WEIR_BEFORE_MAX		768

/* Longer than any chain: the mark of a graph with too many ways. */
#define WEIR_CHAIN_WIDE		256

/**
 * struct weir_ways - a pass along all ways from a route, each once
 * @depth: edges from there to where the pass is.
 * @at: they.
 */
struct weir_ways {
	u32			depth;
	struct weir_edge	*at[WEIR_HOPS_MAX];
};

/*
 * Goes on from a route, to those behind it or to those before it. Return: the
 * next one; NULL: that was all. Forced inline, so that both directions are known:
 * thousands of steps are taken while others wait for the lock.
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
 * Looks at what is behind one route, that so many more ways shall lead to. Return:
 * the edges of the longest chain that begins there; WEIR_CHAIN_WIDE at least when
 * too many ways would lead somewhere; -ELOOP when a chain leads to @to.
 */
static int weir_chain_behind(struct weir_route *from,
			     const struct weir_route *to, u32 n)
{
	struct weir_ways w = { };
	u32 most = 0;

	for (; from; from = weir_ways_next(&w, from, true)) {
		if (from == to)
			return -ELOOP;
		if (from->nbefore + n > WEIR_BEFORE_MAX)
			most = WEIR_CHAIN_WIDE;
		most = max(most, w.depth);
	}
	return most;
}

/**
 * weir_chain_leads() - does a chain from one route lead to another?
 * @from: the one.
 * @to: the other; a route leads to itself.
 *
 * Return: whether it does.
 */
bool weir_chain_leads(struct weir_route *from, const struct weir_route *to)
{
	return weir_chain_behind(from, to, 0) < 0;
}

/*
 * So many more ways go out from a route, and from all before it. Return: the
 * edges of the longest chain that ends at the route; WEIR_CHAIN_WIDE at least
 * when there are too many ways.
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

/* So many more ways lead to a route, and to all behind it. */
static void weir_chain_grow_before(struct weir_route *route, s32 n)
{
	struct weir_ways w = { };

	for (; route; route = weir_ways_next(&w, route, true))
		route->nbefore += n;
}

/* The ways at both ends are counted: the edge is there. */
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
 * weir_edge_restore() - put an edge back that was there before
 * @edge: the edge, deleted.
 * @from: the route in front.
 * @to: the route behind it; NULL: there was none.
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
 * Return: how many ways are walked at most, also when it is undone.
 */
u32 weir_edge_ways(const struct weir_route *from, const struct weir_route *to)
{
	return 2 * from->nbefore + 3 * to->nbehind;
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
	int behind;
	u32 hops;

	if (!to)
		return 0;
	behind = weir_chain_behind(to, from, 1 + from->nbefore);
	if (behind < 0) {
		*why = "the path leads back to the route";
		return behind;
	}
	hops = behind;
	/* nothing is counted, and then taken back, where that is known before */
	if (behind < WEIR_HOPS_MAX &&
	    from->nbehind + to->nbehind < WEIR_BEHIND_MAX) {
		hops += 1 + weir_chain_grow_behind(from, 1 + to->nbehind);
		if (hops <= WEIR_HOPS_MAX) {
			weir_chain_grow_before(to, 1 + from->nbefore);
			weir_edge_link(edge, from, to);
			return 0;
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
