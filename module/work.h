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

#endif /* _WEIR_WORK_H */
