/* SPDX-License-Identifier: GPL-2.0 */
/* Turns of users, in workers; turn.c tells how. */
#ifndef _WEIR_TURN_H
#define _WEIR_TURN_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "logic/patience.h"

struct weir_jobs;
struct weir_endpoint;
struct weir_sock;
struct weir_target;

/**
 * struct weir_job - something long that a user's worker does part by part
 * @link: in weir_jobs.list, under the tenant's lock; empty while a part is done.
 * @jobs: whose list that is; the tenant's lock.
 * @part: does a part. Returns whether there is more; if not, the job is gone.
 */
struct weir_job {
	struct list_head	link;
	struct weir_jobs	*jobs;
	bool			(*part)(struct weir_job *job);
};

/**
 * struct weir_jobs - those of one kind and user, of which each has a turn
 * @tenant: whose; never changes.
 * @wq: where they are done; never changes.
 * @list: jobs that wait for their next part; the tenant's lock.
 * @work: does it.
 */
struct weir_jobs {
	struct weir_tenant	*tenant;
	struct workqueue_struct	*wq;
	struct list_head	list;
	struct work_struct	work;
};

/**
 * struct weir_tenant - the turn of one user; see turn.c
 * @link: in the table of all, under its lock.
 * @uid: the user.
 * @ref: endpoints, and the work while it is queued.
 * @lock: guards @endpoints, @targets, and the lists of jobs; a leaf.
 * @endpoints: that have something to do later, by weir_endpoint.turn_link.
 * @targets: that the watchdog is to look at, by weir_target.turn_link.
 * @work: does it.
 * @slots_at: jiffy that @slots is of; the work's.
 * @slots: calls that may still be looked at in it; the work's.
 * @joins: streams of the user that subscribers are being joined to.
 * @late: the same for those that have to wait for memory.
 * @ends: sockets that are gone, and of which nothing is left to be routed.
 * @kept: patience with its worker, for which room in inboxes is kept; see room.c.
 * @late_ns: until when that has been used up, as ktime_get_ns() counts.
 */
struct weir_tenant {
	struct hlist_node	link;
	kuid_t			uid;
	refcount_t		ref;
	spinlock_t		lock;
	struct list_head	endpoints;
	struct list_head	targets;
	struct work_struct	work;
	unsigned long		slots_at;
	u32			slots;
	struct weir_jobs	joins;
	struct weir_jobs	late;
	struct weir_jobs	ends;
	struct weir_patience	kept;
	u64			late_ns;
};

struct weir_tenant *weir_tenant_get(const struct weir_sock *ws);
void weir_tenant_put(struct weir_tenant *t);
void weir_jobs_add(struct weir_jobs *jobs, struct weir_job *job);
void weir_job_first(struct weir_tenant *t, struct weir_job *job);
u32 weir_tenant_slots(struct weir_tenant *t, u32 want);
void weir_endpoint_later(struct weir_endpoint *ep);
void weir_endpoint_never(struct weir_endpoint *ep);
void weir_target_later(struct weir_target *target);
void weir_target_never(struct weir_target *target);

#endif /* _WEIR_TURN_H */
