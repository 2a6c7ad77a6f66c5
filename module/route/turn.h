/* SPDX-License-Identifier: GPL-2.0 */
/* Turns of users, in workers; see turn.c. */
#ifndef _WEIR_TURN_H
#define _WEIR_TURN_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "logic/patience.h"

struct weir_jobs;
struct weir_endpoint;
struct weir_sock;
struct weir_target;

/**
 * struct weir_timer - a time at which a user's worker is to do something
 * @node: in weir_tenant.timers while the timer is set, with a reference on the
 *	timer's object; under the tenant's lock. Its time is in jiffies64.
 * @over: it cannot be set any more; under the tenant's lock.
 * @turn: does it; puts the reference. Never changes.
 */
struct weir_timer {
	struct timerqueue_node	node;
	bool			over;
	void			(*turn)(struct weir_timer *timer);
};

/**
 * struct weir_job - long work that a user's worker does part by part
 * @link: in weir_jobs.list, under the tenant's lock; empty while a part is
 *	being done.
 * @jobs: the list that the job belongs to; written under the tenant's lock.
 * @part: does one part. Returns true if there is more to do. If it returns
 *	false, the job is gone.
 */
struct weir_job {
	struct list_head	link;
	struct weir_jobs	*jobs;
	bool			(*part)(struct weir_job *job);
};

/**
 * struct weir_jobs - the jobs of one kind of one user, done in turn
 * @tenant: the tenant of that user; never changes.
 * @wq: the workqueue on which they are done; never changes.
 * @list: jobs that wait for their next part, by weir_job.link; guarded by the
 *	tenant's lock.
 * @work: does one part of the first job.
 */
struct weir_jobs {
	struct weir_tenant	*tenant;
	struct workqueue_struct	*wq;
	struct list_head	list;
	struct work_struct	work;
};

/**
 * struct weir_tenant - the turn of one user; see turn.c
 * @link: in the table of all tenants, under the lock of that table.
 * @uid: the user; never changes.
 * @ref: held by endpoints, by jobs, and by each work item while it is queued.
 * @lock: guards @endpoints, @timers and the lists of jobs; no other lock of
 *	ours is taken under it.
 * @endpoints: endpoints that a worker has to handle, by
 *	weir_endpoint.turn_link.
 * @timers: timers of endpoints and of targets, in the order of their times. One
 *	timer of the kernel serves all of a user's: its expiry takes the time of
 *	whatever runs on that processor.
 * @tick: queues @work when the time of the first of @timers comes.
 * @tick_at: in jiffies64, when @tick comes, which may be before the time of the
 *	first of @timers; 0: it is not queued. @lock.
 * @work: handles @endpoints, and those of @timers whose time has come.
 * @slots_at: jiffy that @slots is for; only @work uses it.
 * @slots: calls that may still be looked at in that jiffy; only @work uses it.
 * @joins: jobs that join subscribers to new streams of the user.
 * @late: joins that have to wait for memory.
 * @ends: jobs that end the endpoints of closed sockets, once all of their
 *	messages are routed.
 * @kept: the user's allowance for late workers, for which room in inboxes stays
 *	granted; see room.c.
 * @late_ns: delays up to this time are counted in @kept; ktime_get_ns() time.
 *	Written under the post.lock of any inbox, so with WRITE_ONCE().
 */
struct weir_tenant {
	struct hlist_node	link;
	kuid_t			uid;
	refcount_t		ref;
	spinlock_t		lock;
	struct list_head	endpoints;
	struct timerqueue_head	timers;
	struct delayed_work	tick;
	u64			tick_at;
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
void weir_timer_init(struct weir_timer *timer,
		     void (*turn)(struct weir_timer *timer));
void weir_timer_set(struct weir_tenant *t, struct weir_timer *timer, u64 at,
		    refcount_t *ref);
void weir_timer_end(struct weir_tenant *t, struct weir_timer *timer,
		    refcount_t *ref);
void weir_endpoint_later(struct weir_endpoint *ep);
void weir_endpoint_never(struct weir_endpoint *ep);

#endif /* _WEIR_TURN_H */
