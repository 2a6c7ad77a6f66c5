/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How memory is asked for, so that nobody is killed for it and nobody waits for
 * another's.
 *
 * A ring that does not fit is refused. Pages are asked for in a way that
 * reclaims but never starts the OOM killer, neither the machine's nor a memory
 * cgroup's. That alone would leave nothing for others, whose next page would
 * start it; so a part is left for them, of the machine's memory and of the
 * cgroup's.
 *
 * Reclaim in a memory cgroup that is full takes long. Under weir_net.lock and a
 * ring's slot_lock everybody would wait for it, so memory is asked for without
 * reclaim there, and what failed is tried again after reclaim without the lock.
 */
#ifndef _WEIR_MEMORY_H
#define _WEIR_MEMORY_H

#include <linux/gfp.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/types.h>

/* For rings and cursors: charged, and may fail; for their pages: cleared, too. */
#define WEIR_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | \
			 __GFP_RETRY_MAYFAIL)
#define WEIR_GFP_PAGES	(WEIR_GFP | __GFP_ZERO)
/*
 * The same where nobody waits for memory: in the name of somebody else, and under
 * a lock that others need; see weir_memory_prime().
 */
#define WEIR_GFP_NOWAIT	(GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN)

/* What a name, and a route with a plan of many targets, take together. */
#define WEIR_PRIME_NAME		SZ_32K
/* What a slot of a ring, or a number on a socket takes: nodes of tables. */
#define WEIR_PRIME_SLOT		SZ_4K

const char *weir_memory_short(u64 bytes);
struct mem_cgroup;
bool weir_memory_free(struct mem_cgroup *memcg, u64 bytes);
bool weir_memory_prime(int err, u64 bytes, unsigned int *tries);
u64 weir_memory_share(unsigned int part, u64 most);

/**
 * weir_memory_never_under() - nobody waits for memory with a mutex held
 * @lock: the mutex.
 *
 * Has lockdep complain of whoever does. Nothing in a kernel without lockdep.
 */
static inline void weir_memory_never_under(struct mutex *lock)
{
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(lock);
	fs_reclaim_release(GFP_KERNEL);
}

#endif /* _WEIR_MEMORY_H */
