/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Works that own a reference on their object, and the one way to queue them.
 *
 * A queued work holds one reference, which its function puts, last of all.
 * Queueing a work that is queued already takes none, and cancelling one that is
 * queued gives its reference back. Who calls these functions has a reference
 * for itself, so that the one given back is never the last: no object ends
 * here, and its lock may be held.
 */
#ifndef _WEIR_WORK_H
#define _WEIR_WORK_H

#include <linux/refcount.h>
#include <linux/workqueue.h>

/**
 * weir_work_queue() - have a work done that holds its object
 * @wq: where.
 * @work: the work.
 * @ref: references of its object.
 *
 * Any context.
 */
static inline void weir_work_queue(struct workqueue_struct *wq,
				   struct work_struct *work, refcount_t *ref)
{
	refcount_inc(ref);
	if (!queue_work(wq, work))
		refcount_dec(ref);
}

/**
 * weir_work_cancel_sync() - a work is not needed, and does not run on return
 * @work: the work.
 * @ref: references of its object.
 *
 * Process context, without a lock that the work takes.
 */
static inline void weir_work_cancel_sync(struct work_struct *work,
					 refcount_t *ref)
{
	if (cancel_work_sync(work))
		refcount_dec(ref);
}

/**
 * weir_delayed_queue() - have a work done later, if it is not queued
 * @wq: where.
 * @work: the work.
 * @delay: jiffies.
 * @ref: references of its object.
 *
 * Any context. Return: whether it has been queued.
 */
static inline bool weir_delayed_queue(struct workqueue_struct *wq,
				      struct delayed_work *work,
				      unsigned long delay, refcount_t *ref)
{
	bool queued;

	refcount_inc(ref);
	queued = queue_delayed_work(wq, work, delay);
	if (!queued)
		refcount_dec(ref);
	return queued;
}

/**
 * weir_delayed_requeue() - the same, at another time if it is queued
 * @wq: where.
 * @work: the work.
 * @delay: jiffies.
 * @ref: references of its object.
 *
 * Any context.
 */
static inline void weir_delayed_requeue(struct workqueue_struct *wq,
					struct delayed_work *work,
					unsigned long delay, refcount_t *ref)
{
	refcount_inc(ref);
	if (mod_delayed_work(wq, work, delay))
		refcount_dec(ref);
}

/**
 * weir_delayed_cancel() - a delayed work is not needed
 * @work: the work; if it runs, it goes on and puts its own reference.
 * @ref: references of its object.
 *
 * Any context.
 */
static inline void weir_delayed_cancel(struct delayed_work *work,
				       refcount_t *ref)
{
	if (cancel_delayed_work(work))
		refcount_dec(ref);
}

/**
 * weir_delayed_cancel_sync() - the same, and it does not run on return
 * @work: the work.
 * @ref: references of its object.
 *
 * Process context, without a lock that the work takes.
 */
static inline void weir_delayed_cancel_sync(struct delayed_work *work,
					    refcount_t *ref)
{
	if (cancel_delayed_work_sync(work))
		refcount_dec(ref);
}

#endif /* _WEIR_WORK_H */
