/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel does for a user later: jobs, timers and work items. See
 * tenant.c, and route/worker.c for the router's part.
 *
 * weir_user (logic/account.h) counts what one uid has in all namespaces, in any
 * context. weir_tenant works for a user and its subordinate users together, so
 * that users in a user namespace do not get a worker each.
 */
#ifndef _WEIR_TENANT_H
#define _WEIR_TENANT_H

#include <linux/cred.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "logic/patience.h"

struct weir_account;
struct weir_jobs;
struct weir_tenant;

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
 * struct weir_timers - the timers of one kind of one user
 * @tenant: the tenant of that user; never changes.
 * @wq: the workqueue of @tick; never changes.
 * @set: timers that are set, by weir_timer.node; guarded by the tenant's lock.
 * @tick: delayed work, queued for the time of the first timer of @set. All
 *	timers of the user share it, because each timer of the kernel that
 *	expires takes time from whatever runs on that processor.
 * @now: the timer whose function is running; NULL between calls. Written under
 *	the tenant's lock.
 */
struct weir_timers {
	struct weir_tenant	*tenant;
	struct workqueue_struct	*wq;
	struct timerqueue_head	set;
	struct delayed_work	tick;
	struct weir_timer	*now;
};

/**
 * struct weir_timer - calls a function later, in a worker of a user
 * @node: in weir_timers.set while the timer is set, by the time in jiffies64;
 *	under the tenant's lock.
 * @timers: the timers of one kind and user, whose worker calls @fn; never
 *	changes. The object that contains the timer holds the tenant.
 * @ref: reference count of the object; a timer that is set holds one reference.
 * @over: the timer cannot be set any more; under the tenant's lock.
 * @fn: function that is called when the time has come. It may sleep, may set
 *	the timer again, and puts the timer's reference at its end. Never
 *	changes.
 */
struct weir_timer {
	struct timerqueue_node	node;
	struct weir_timers	*timers;
	refcount_t		*ref;
	bool			over;
	void			(*fn)(struct weir_timer *timer);
};

/**
 * struct weir_work_item - a function that a user's worker calls as soon as it
 * can
 * @link: in weir_tenant.waiting, with a reference on the object; under the
 *	tenant's lock. Empty: it does not wait.
 * @fn: function that is called. It may sleep, may queue the item once more,
 *	and puts that reference at its end. Never changes.
 *
 * The object that contains the item holds the tenant.
 */
struct weir_work_item {
	struct list_head	link;
	void			(*fn)(struct weir_work_item *item);
};

/**
 * struct weir_tenant - one user, together with its subordinate users
 */
struct weir_tenant {
	/** @link: in the table of all tenants, under the lock of that table. */
	struct hlist_node	link;
	/** @uid: the user; never changes. */
	kuid_t			uid;
	/**
	 * @ref: held by sockets, rings, cursors, endpoints, jobs, and by each
	 * work item while it is queued.
	 */
	refcount_t		ref;
	/**
	 * @lock: guards @waiting, the lists of jobs and the sets of timers;
	 * no other lock of the module is taken under it.
	 */
	spinlock_t		lock;
	/** @timers: timers of rings whose functions do not sleep. */
	struct weir_timers	timers;
	/**
	 * @lingers: timers of rings and cursors whose functions wait for locks
	 * that other users hold, too.
	 */
	struct weir_timers	lingers;
	/**
	 * @waiting: work items that wait for the worker, by
	 * weir_work_item.link.
	 */
	struct list_head	waiting;
	/**
	 * @route_timers: timers of endpoints and of targets; @work calls their
	 * functions.
	 */
	struct weir_timers	route_timers;
	/**
	 * @work: calls the functions of @waiting, and of the timers of
	 * @route_timers whose time has come.
	 */
	struct work_struct	work;
	/** @scan_at: jiffy that @scan_budget belongs to; only @work uses it. */
	unsigned long		scan_at;
	/**
	 * @scan_budget: number of calls that may still be looked at in that
	 * jiffy; only @work uses it.
	 */
	u32			scan_budget;
	/** @joins: jobs that join subscribers to new streams of the user. */
	struct weir_jobs	joins;
	/**
	 * @pending_joins: jobs that join subscribers that waited for memory.
	 */
	struct weir_jobs	pending_joins;
	/**
	 * @ends: jobs that end the endpoints of closed sockets, once all of
	 * their messages are routed; that look for calls which were sent late
	 * to their targets; and that end rings, and sockets in accept queues,
	 * which another user's process has closed.
	 */
	struct weir_jobs	ends;
	/**
	 * @deliver: jobs that deliver the reply to a request to other calls
	 * with the same idempotency key.
	 */
	struct weir_jobs	deliver;
	/**
	 * @kept: the user's allowance for late workers, for which room in
	 * inboxes stays granted; see waiter.c.
	 */
	struct weir_patience	kept;
	/**
	 * @told_by: the user's allowance for wake-ups of its sockets in the
	 * time of other users; see ring/tell.c.
	 */
	struct weir_patience	told_by;
	/**
	 * @delayed_ns: delays up to this time are counted in @kept;
	 * ktime_get_ns() time. Written under the post.lock of any inbox, so
	 * with WRITE_ONCE().
	 */
	u64			delayed_ns;
	/**
	 * @ready_ns: when the last of the user's requests that wait for targets
	 * looks for one, of those that have waited for long; ktime_get_ns()
	 * time. Written under the post.lock of any inbox, so with WRITE_ONCE().
	 */
	u64			ready_ns;
};

extern struct workqueue_struct *weir_wq;	/* timers of rings: tenant.c */
extern struct workqueue_struct *weir_router_wq;	/* turns */
extern struct workqueue_struct *weir_join_wq;	/* joins that need not wait */
extern struct workqueue_struct *weir_jobs_wq; /* jobs that may wait: tenant.c */

/*
 * Does this thread belong to a user other than @uid, and to a process other
 * than @pid? Such a thread may be the last to close a socket, if the socket was
 * passed to it. The work that this causes is not its own.
 */
static inline bool weir_stranger(kuid_t uid, const struct pid *pid)
{
	return !uid_eq(current_euid(), uid) && task_tgid(current) != pid;
}

struct weir_tenant *weir_tenant_of(const struct weir_account *account);
struct weir_tenant *weir_tenant_get(struct weir_tenant *t);
void weir_tenant_put(struct weir_tenant *t);
void weir_jobs_add(struct weir_jobs *jobs, struct weir_job *job);
void weir_job_first(struct weir_tenant *t, struct weir_job *job);

void weir_work_item_init(struct weir_work_item *item,
			 void (*fn)(struct weir_work_item *item));
void weir_work_item_queue(struct weir_tenant *t, struct weir_work_item *item,
			  refcount_t *ref);
bool weir_work_item_cancel(struct weir_tenant *t, struct weir_work_item *item);
void weir_timer_init(struct weir_timer *timer, struct weir_timers *timers,
		     refcount_t *ref, void (*fn)(struct weir_timer *timer));
void weir_timer_set(struct weir_timer *timer, unsigned long delay);
void weir_timer_advance(struct weir_timer *timer, unsigned long delay);
void weir_timer_move(struct weir_timer *timer, unsigned long delay);
void weir_timer_cancel(struct weir_timer *timer);
void weir_timer_end(struct weir_timer *timer);
void weir_timer_cancel_sync(struct weir_timer *timer);

#endif /* _WEIR_TENANT_H */
