/* SPDX-License-Identifier: GPL-2.0 */
/* The tunables of /sys/kernel/weir. */
#ifndef _WEIR_TUNABLES_H
#define _WEIR_TUNABLES_H

#include <linux/types.h>

/**
 * struct weir_tunables - /sys/kernel/weir, see ctl/sysfs.c for the ranges
 * @ring_bytes: bytes of an outbox, unless WEIR_SO_RING_BYTES is set.
 * @ring_bytes_max: bytes of the largest outbox.
 * @inbox_bytes: bytes of an inbox, unless WEIR_SO_INBOX_BYTES is set.
 * @user_bytes_max: memory of one user, in bytes, in all namespaces.
 * @netns_bytes_max: memory of all users in one namespace, in bytes.
 * @user_objects_max: sockets, paths, rings, subscriptions, cursors and other
 *	objects of one user, in all namespaces.
 * @netns_objects_max: these objects of all users in one namespace.
 * @streams_max: streams that one socket may read.
 * @poll_idle_us: microseconds without work after which a polling thread sleeps.
 * @fence_records: records between two sleeps of readers. Above this number the
 *	sleeper sends the barrier, up to it the writer fences after each record.
 */
struct weir_tunables {
	u32 ring_bytes;
	u32 ring_bytes_max;
	u32 inbox_bytes;
	u64 user_bytes_max;
	u64 netns_bytes_max;
	u64 user_objects_max;
	u64 netns_objects_max;
	u32 streams_max;
	u32 poll_idle_us;
	u32 fence_records;
};

extern struct weir_tunables weir_tunables;

#endif /* _WEIR_TUNABLES_H */
