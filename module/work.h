/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Works that hold a reference on their object, and the functions to queue them.
 *
 * A queued work holds one reference. Its function puts this reference at its
 * very end. Queueing a work that is queued already takes no reference.
 * Cancelling a queued work gives its reference back. The caller of these
 * functions holds a reference of its own, so the one given back is never the
 * last. So no object is freed here, and the caller may hold the object's lock.
 */
#ifndef _WEIR_WORK_H
#define _WEIR_WORK_H

#include <linux/refcount.h>
#include <linux/workqueue.h>

/**
 * weir_work_queue() - queue a work that holds its object
 * @wq: workqueue.
 * @work: the work.
 * @ref: reference count of its object.
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
 * weir_delayed_requeue() - queue a delayed work, or change its time if queued
 * @wq: workqueue.
 * @work: the work.
 * @delay: jiffies from now.
 * @ref: reference count of its object.
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
 * weir_delayed_cancel() - cancel a delayed work, without waiting
 * @work: the work; if it runs already, it goes on and puts its own reference.
 * @ref: reference count of its object.
 *
 * Any context.
 */
static inline void weir_delayed_cancel(struct delayed_work *work,
				       refcount_t *ref)
{
	if (cancel_delayed_work(work))
		refcount_dec(ref);
}

#endif /* _WEIR_WORK_H */
