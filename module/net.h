/* SPDX-License-Identifier: GPL-2.0 */
/* weir in one network namespace: see net.c. */
#ifndef _WEIR_NET_H
#define _WEIR_NET_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait_bit.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>

#include "logic/account.h"
#include "logic/trie.h"
#include "weir.h"

/* Slots of weir_net.marks. */
#define WEIR_ROUTE_MARKS	256

/**
 * struct weir_net - weir in one network namespace
 */
struct weir_net {
	/** @net: the namespace. */
	struct net *net;
	/** @lock: guards the members below for which no other lock is named. */
	struct mutex lock;
	/** @paths: names in use; items are struct weir_path. */
	struct weir_trie paths;
	/** @patterns: patterns subscribed to; items are struct weir_pattern. */
	struct weir_trie patterns;
	/** @path_ids: the same paths, by id. */
	struct xarray path_ids;
	/** @sockets: all sockets, by id; its own xa_lock. */
	struct xarray sockets;
	/** @rings: all outboxes, by id; its own xa_lock, read under RCU. */
	struct xarray rings;
	/**
	 * @endpoints: all endpoints, by id; its own xa_lock, read under RCU.
	 */
	struct xarray endpoints;
	/** @targets: all targets of routes, by id. */
	struct xarray targets;
	/**
	 * @nendpoints: endpoints that were ever made; xa_lock of @endpoints.
	 */
	u32 nendpoints;
	/**
	 * @route_gen: changes when a callable name comes or goes; read without
	 * @lock.
	 */
	u32 route_gen;
	/**
	 * @marks: for each hash of a name or of a pattern's prefix: @route_gen
	 * at the last change of a name with this hash. Read without @lock.
	 */
	u32 marks[WEIR_ROUTE_MARKS];
	/**
	 * @mark_seed: random seed of that hash: users can't choose names that
	 * collide.
	 */
	u32 mark_seed;
	/** @next_id: last id given to a socket, ring, path or target. */
	atomic_long_t next_id;
	/**
	 * @seq: last number given to a stream with a path or to a subscription.
	 */
	u64 seq;
	/**
	 * @lingering: outboxes that may be taken over, by weir_linger_key().
	 */
	DECLARE_HASHTABLE(lingering, 10);
	/**
	 * @nrings: outboxes and inboxes, also those that are ending; atomic.
	 */
	atomic_t nrings;
	/**
	 * @nrouted: endpoints, targets, plans and sets of idempotency keys,
	 * also those that are ending; atomic.
	 */
	atomic_t nrouted;
	/**
	 * @joinings: new streams that still have subscribers to join; atomic.
	 */
	atomic_t joinings;
	/** @joining: these streams, by weir_joining.wn_link; @join_lock. */
	struct list_head joining;
	/**
	 * @join_lock: guards @joining. Only the locks of tenants are taken
	 * inside.
	 */
	spinlock_t join_lock;
	/** @usage: memory and objects of all users here; atomic counters. */
	struct weir_usage usage;
};

extern unsigned int weir_net_id;

struct weir_net *weir_net(const struct net *net);
int weir_net_setup(struct weir_net *wn, struct net *net);
void weir_net_destroy(struct weir_net *wn);

/* An object of the router begins to use the namespace. */
static inline void weir_net_get(struct weir_net *wn)
{
	atomic_inc(&wn->nrouted);
}

/* It uses the namespace no more: the namespace may end at once. */
static inline void weir_net_put(struct weir_net *wn)
{
	if (atomic_dec_and_test(&wn->nrouted))
		wake_up_var(&wn->nrouted);
}

#endif /* _WEIR_NET_H */
