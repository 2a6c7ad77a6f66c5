/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Locks that softirq takes, too.
 *
 * Softirq may write to rings and hand over requests and replies. A lock that it
 * takes for that is only ever taken with BH disabled: by the _bh functions, in
 * a section of a dispatch pass (rcu_read_lock_bh()), or under another such
 * lock. All locks that are taken under one of them are such locks, or disable
 * interrupts. Guards have such locks, so this header is in the lowest layer.
 *
 * Softirq may also wake readers, break a ring and put what it holds: a socket,
 * a ring, a reader. Where the last put needs process context, a worker does the
 * rest: weir_ring_put().
 */
#ifndef _WEIR_SOFTIRQ_H
#define _WEIR_SOFTIRQ_H

#include <linux/bottom_half.h>
#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

/**
 * weir_softirq_takes() - tell lockdep that softirq takes a lock
 * @lock: the lock, newly made.
 *
 * From then on lockdep complains about code that takes a lock of this class
 * with BH enabled, or that takes, under it, another lock that is. Without
 * lockdep this does nothing. Process context.
 */
static inline void weir_softirq_takes(spinlock_t *lock)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return;
	local_bh_disable();
	lockdep_softirq_enter();
	spin_lock(lock);
	spin_unlock(lock);
	lockdep_softirq_exit();
	local_bh_enable();
}

#endif /* _WEIR_SOFTIRQ_H */
