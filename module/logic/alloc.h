/* SPDX-License-Identifier: GPL-2.0 */
/*
 * With what flags the module allocates memory. The OOM killer must not kill a
 * process for it. How much there is, and what is left for others, is in
 * memory.h.
 */
#ifndef _WEIR_ALLOC_H
#define _WEIR_ALLOC_H

#include <linux/gfp.h>

/*
 * For what a task allocates for itself: it is charged to the memory cgroup, and
 * fails when that is full, so that no process is killed for it.
 */
#define WEIR_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | \
			 __GFP_RETRY_MAYFAIL)
/*
 * Charged, too, but without reclaim: for allocations on behalf of another
 * process, and for those under a lock that others need; see
 * weir_memory_prime().
 */
#define WEIR_GFP_NOWAIT	(GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN)

#endif /* _WEIR_ALLOC_H */
