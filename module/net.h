/* SPDX-License-Identifier: GPL-2.0 */
/* weir in one network namespace: see net.c. */
#ifndef _WEIR_NET_H
#define _WEIR_NET_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>

#include "logic/account.h"
#include "logic/trie.h"
#include "weir.h"

/* Slots of weir_net.marks. */
#define WEIR_ROUTE_MARKS	256

/**
 * struct weir_net - weir in one network namespace
 * @net: the namespace.
 * @lock: guards the members below for which no other lock is named.
 * @paths: names in use; items are struct weir_path.
 * @patterns: patterns subscribed to; items are struct weir_pattern.
 * @path_ids: the same paths, by id.
 * @sockets: all sockets, by id; its own xa_lock.
 * @rings: all outboxes, by id; its own xa_lock, read under RCU.
 * @endpoints: all endpoints, by id; its own xa_lock, read under RCU.
 * @targets: all targets of routes, by id.
 * @nendpoints: endpoints that were ever made; xa_lock of @endpoints.
 * @route_gen: changes when a callable name comes or goes; read without @lock.
 * @marks: for each hash of a name or of a pattern's prefix: @route_gen at the
 *	last change of a name with this hash. Read without @lock.
 * @mark_seed: random seed of that hash: users can't choose names that collide.
 * @next_id: last id given to a socket, ring, path or target.
 * @seq: last number given to a stream with a path or to a subscription.
 * @lingering: outboxes that may be taken over, by weir_linger_key().
 * @nrings: outboxes and inboxes, also those that are ending; atomic.
 * @joinings: new streams that still have subscribers to join; atomic.
 * @joining: these streams, by weir_joining.wn_link; @join_lock.
 * @join_lock: guards @joining. Only the locks of tenants are taken inside.
 * @held: memory and objects of all users here; atomic counters.
 */
struct weir_net {
	struct net *net;
	struct mutex lock;
	struct weir_trie paths;
	struct weir_trie patterns;
	struct xarray path_ids;
	struct xarray sockets;
	struct xarray rings;
	struct xarray endpoints;
	struct xarray targets;
	u32 nendpoints;
	u32 route_gen;
	u32 marks[WEIR_ROUTE_MARKS];
	u32 mark_seed;
	atomic_long_t next_id;
	u64 seq;
	DECLARE_HASHTABLE(lingering, 10);
	atomic_t nrings;
	atomic_t joinings;
	struct list_head joining;
	spinlock_t join_lock;
	struct weir_holdings held;
};

extern unsigned int weir_net_id;

struct weir_net *weir_net(const struct net *net);
int weir_net_setup(struct weir_net *wn, struct net *net);
void weir_net_destroy(struct weir_net *wn);

#endif /* _WEIR_NET_H */
