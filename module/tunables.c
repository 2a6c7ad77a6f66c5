// SPDX-License-Identifier: GPL-2.0
/* The tunables and their defaults; ctl/sysfs.c shows and changes them. */
#include <linux/sizes.h>

#include "tunables.h"
#include "weir.h"

struct weir_tunables weir_tunables = {
	.ring_bytes		= 64 << 10,
	.ring_bytes_max		= WEIR_RING_MAX,
	.inbox_bytes		= 16 << 10,
	.user_bytes_max		= 1ULL << 30,	/* or less: weir_sysfs_init() */
	.netns_bytes_max	= 4ULL << 30,	/* or less, too */
	.user_objects_max	= 1 << 16,
	.netns_objects_max	= 1 << 18,
	.streams_max		= 1 << 10,
	.poll_idle_us		= 200,
	.fence_records		= 64,
};
