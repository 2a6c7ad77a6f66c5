// SPDX-License-Identifier: GPL-2.0
/*
 * Start and end of the module, and of its state in a network namespace (net.c).
 */
#include <linux/module.h>
#include <net/net_namespace.h>

#include "charge.h"
#include "ctl/sysfs.h"
#include "logic/account.h"
#include "net.h"
#include "race.h"
#include "ring/ring.h"
#include "route/poller.h"
#include "route/route.h"
#include "sock/join.h"
#include "sock/socket.h"
#include "tenant.h"
#include "weir.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static int __net_init weir_net_init(struct net *net)
{
	return weir_net_setup(weir_net(net), net);
}

/*
 * Ends the routes that were set by a control call and have no target left, and
 * waits for what sockets have left in the router. Plans put their targets,
 * targets their endpoints, each a grace period later; an endpoint may still
 * wait for its user's turn; a large set of idempotency keys takes time to free.
 *
 * No program can prolong this. There is no socket left, so there is no inbox
 * whose room a message could wait for, and no caller for a reply. A process
 * that still maps a ring holds the ring's pages, but no object of the router.
 * Workers read the rings by the kernel's own mapping, and so never wait for a
 * page of a process. What is left is their work: records in outboxes, open
 * calls and keys, each of which is within its user's caps. So the wait has no
 * limit, but a warning, which would show a lost reference.
 */
static void weir_net_end_routes(struct weir_net *wn)
{
	mutex_lock(&wn->lock);
	weir_routes_end(wn);
	mutex_unlock(&wn->lock);
	while (!wait_var_event_timeout(&wn->nrouted,
				       !atomic_read(&wn->nrouted), 60 * HZ))
		pr_warn_once("weir: a namespace that ends waits for the router\n");
}

/*
 * No socket is left, because each held the namespace. Lingering streams and
 * held cursors do not hold it. They end here, and with them all timers.
 */
static void __net_exit weir_net_exit(struct net *net)
{
	struct weir_net *wn = weir_net(net);

	WARN_ON_ONCE(!xa_empty(&wn->sockets));
	weir_net_end_routes(wn);
	weir_streams_end(wn);
	/* joins end with their streams; those of this namespace go first */
	weir_joins_first(wn);
	wait_var_event(&wn->joinings, !atomic_read(&wn->joinings));
	/* a timer's function may still be running */
	wait_var_event(&wn->nrings, !atomic_read(&wn->nrings));
	weir_net_destroy(wn);
}

static struct pernet_operations weir_net_ops = {
	.init	= weir_net_init,
	.exit	= weir_net_exit,
	.id	= &weir_net_id,
	.size	= sizeof(struct weir_net),
};

static int __init weir_init(void)
{
	int err;

	weir_users_init(&weir_users);
	weir_wq = alloc_workqueue("weir", WQ_UNBOUND, 0);
	if (!weir_wq)
		return -ENOMEM;
	weir_join_wq = alloc_workqueue("weir_join", WQ_UNBOUND, 0);
	if (!weir_join_wq) {
		err = -ENOMEM;
		goto err_wq;
	}
	weir_jobs_wq = alloc_workqueue("weir_jobs", WQ_UNBOUND, 0);
	if (!weir_jobs_wq) {
		err = -ENOMEM;
		goto err_join_wq;
	}
	weir_router_wq = alloc_workqueue("weir_router", WQ_UNBOUND, 0);
	if (!weir_router_wq) {
		err = -ENOMEM;
		goto err_jobs_wq;
	}
	err = register_pernet_subsys(&weir_net_ops);
	if (err)
		goto err_router_wq;
	err = weir_poll_init();
	if (err)
		goto err_pernet;
	err = weir_sysfs_init();
	if (err)
		goto err_poll;
	/* last: once sockets can be made, there is no way back */
	err = weir_socket_init();
	if (err)
		goto err_sysfs;
	weir_race_init();
	return 0;

err_sysfs:
	weir_sysfs_exit();
err_poll:
	/* the sysfs file may have been written meanwhile */
	weir_poll_exit();
err_pernet:
	unregister_pernet_subsys(&weir_net_ops);
err_router_wq:
	destroy_workqueue(weir_router_wq);
err_jobs_wq:
	destroy_workqueue(weir_jobs_wq);
err_join_wq:
	destroy_workqueue(weir_join_wq);
err_wq:
	destroy_workqueue(weir_wq);
	return err;
}

static void __exit weir_exit(void)
{
	/* 1. no new sockets; none is left, or the module would be in use */
	weir_race_exit();
	weir_socket_exit();
	weir_sysfs_exit();
	weir_poll_exit();
	/* 2. end lingering streams and held cursors, in every namespace */
	unregister_pernet_subsys(&weir_net_ops);
	/* 3. works are done; wait for RCU callbacks of this module */
	destroy_workqueue(weir_router_wq);
	destroy_workqueue(weir_jobs_wq);
	destroy_workqueue(weir_join_wq);
	destroy_workqueue(weir_wq);
	rcu_barrier();
	weir_users_destroy(&weir_users);
}

module_init(weir_init);
module_exit(weir_exit);
MODULE_DESCRIPTION("AF_WEIR: sockets that own shared-memory rings");
MODULE_LICENSE("GPL");
/* that of the library: userlib/Makefile */
MODULE_VERSION("0.2");
