/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the module allocates memory. The OOM killer must not kill a process for
 * it, and no user may have to wait for the memory of another user.
 *
 * A ring that does not fit is refused. The allocation of its pages reclaims
 * memory, but never starts the OOM killer, neither that of the machine nor that
 * of a memory cgroup. If a ring took all that is left, the next page of some
 * other process would start it. So a part of the machine's memory and a part of
 * the cgroup's memory is left for others.
 *
 * Reclaim in a full memory cgroup takes long. Under weir_net.lock or a ring's
 * slot_lock, all others would wait for it. So allocations under these locks do
 * not reclaim. If one fails, the caller releases the lock, reclaims and tries
 * again: see weir_memory_prime().
 */
#ifndef _WEIR_MEMORY_H
#define _WEIR_MEMORY_H

#include <linux/gfp.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include "logic/alloc.h"

struct mem_cgroup;

/* For the pages of rings and cursors: as WEIR_GFP, and cleared. */
#define WEIR_GFP_PAGES	(WEIR_GFP | __GFP_ZERO)

/* Bytes of a name together with a route and a plan with many targets. */
#define WEIR_PRIME_NAME		SZ_32K
/* Bytes of table nodes for a slot of a ring, or for a number on a socket. */
#define WEIR_PRIME_SLOT		SZ_4K

const char *weir_memory_short(u64 bytes);
bool weir_memory_free(struct mem_cgroup *memcg, u64 bytes);
bool weir_memory_prime(int err, u64 bytes, unsigned int *tries);
u64 weir_memory_share(unsigned int part, u64 most);

/**
 * weir_memory_never_under() - forbid waiting for memory with a mutex held
 * @lock: the mutex.
 *
 * Lockdep complains about code that waits for memory with the mutex held.
 * Without lockdep this does nothing.
 */
static inline void weir_memory_never_under(struct mutex *lock)
{
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(lock);
	fs_reclaim_release(GFP_KERNEL);
}

#endif /* _WEIR_MEMORY_H */
