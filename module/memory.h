/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How memory for rings is asked for, so that nobody is killed for it.
 *
 * A ring that does not fit is refused. Pages are asked for in a way that
 * reclaims but never starts the OOM killer, neither the machine's nor a memory
 * cgroup's. That alone would leave nothing for others, whose next page would
 * start it; so a part is left for them, of the machine's memory and of the
 * cgroup's.
 */
#ifndef _WEIR_MEMORY_H
#define _WEIR_MEMORY_H

#include <linux/gfp.h>
#include <linux/types.h>

/* For rings and cursors: charged, and may fail; for their pages: cleared, too. */
#define WEIR_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | \
			 __GFP_RETRY_MAYFAIL)
#define WEIR_GFP_PAGES	(WEIR_GFP | __GFP_ZERO)
/* The same in the name of somebody else, for whose memory nobody waits. */
#define WEIR_GFP_NOWAIT	(GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN)

const char *weir_memory_short(u64 bytes);
u64 weir_memory_share(unsigned int part, u64 most);

#endif /* _WEIR_MEMORY_H */
