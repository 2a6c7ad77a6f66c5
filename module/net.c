// SPDX-License-Identifier: GPL-2.0
/* The address family, and the state of weir in each network namespace. */
#include <linux/module.h>
#include <linux/random.h>
#include <net/netns/generic.h>

#include "logic/account.h"
#include "logic/trie.h"
#include "memory.h"
#include "net.h"
#include "weir.h"

unsigned int weir_family = WEIR_FAMILY_DEFAULT;
module_param_named(family, weir_family, uint, 0444);
MODULE_PARM_DESC(family, "address family number of AF_WEIR (18, 19 or 25; default 18)");

/* Where a namespace keeps its struct weir_net. */
unsigned int weir_net_id;

struct weir_net *weir_net(const struct net *net)
{
	return net_generic(net, weir_net_id);
}

/**
 * weir_net_setup() - prepare the state of a new namespace
 * @wn: its state, all zeroes.
 * @net: the namespace.
 *
 * Process context, may sleep. Return: 0 or -ENOMEM.
 */
int weir_net_setup(struct weir_net *wn, struct net *net)
{
	int err;

	wn->net = net;
	get_random_bytes(&wn->mark_seed, sizeof(wn->mark_seed));
	mutex_init(&wn->lock);
	INIT_LIST_HEAD(&wn->joining);
	spin_lock_init(&wn->join_lock);
	weir_memory_never_under(&wn->lock);
	hash_init(wn->lingering);
	/* the task that makes a table grow pays for that */
	xa_init_flags(&wn->path_ids, XA_FLAGS_ACCOUNT);
	xa_init_flags(&wn->sockets, XA_FLAGS_ACCOUNT);
	xa_init_flags(&wn->rings, XA_FLAGS_ACCOUNT);
	xa_init_flags(&wn->endpoints, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	xa_init_flags(&wn->targets, XA_FLAGS_ACCOUNT);
	weir_usage_init(&wn->usage);
	err = weir_trie_init(&wn->paths);
	if (err)
		return err;
	err = weir_trie_init(&wn->patterns);
	if (err) {
		weir_trie_destroy(&wn->paths);
		return err;
	}
	weir_trie_guard(&wn->paths, &wn->lock);
	weir_trie_guard(&wn->patterns, &wn->lock);
	return 0;
}

/**
 * weir_net_destroy() - free the state of a namespace
 * @wn: its state; nothing is left in its tables.
 *
 * Process context.
 */
void weir_net_destroy(struct weir_net *wn)
{
	WARN_ON_ONCE(!xa_empty(&wn->rings));
	xa_destroy(&wn->rings);
	WARN_ON_ONCE(!xa_empty(&wn->endpoints));
	xa_destroy(&wn->endpoints);
	xa_destroy(&wn->targets);
	xa_destroy(&wn->sockets);
	xa_destroy(&wn->path_ids);
	weir_trie_destroy(&wn->patterns);
	weir_trie_destroy(&wn->paths);
	weir_usage_destroy(&wn->usage);
}
