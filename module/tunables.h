/* SPDX-License-Identifier: GPL-2.0 */
/* The tunables of /sys/kernel/weir. */
#ifndef _WEIR_TUNABLES_H
#define _WEIR_TUNABLES_H

#include <linux/limits.h>
#include <linux/types.h>
#include <uapi/weir.h>

/*
 * All tunables: X(type, name, default, only powers of two, least, most). The
 * files in /sys/kernel/weir/tunables are made of this list.
 */
#define WEIR_TUNABLE_LIST(X)						\
	/* bytes of an outbox, unless WEIR_SO_RING_BYTES is set */	\
	X(u32, ring_bytes, 64 << 10, true, WEIR_RING_MIN, WEIR_RING_MAX)\
	/* bytes of the largest outbox */				\
	X(u32, ring_bytes_max, WEIR_RING_MAX, true,			\
	  WEIR_RING_MIN, WEIR_RING_MAX)					\
	/* bytes of an inbox, unless WEIR_SO_INBOX_BYTES is set */	\
	X(u32, inbox_bytes, 16 << 10, true, WEIR_RING_MIN, 1 << 20)	\
	/* memory of one user, in bytes, in all namespaces; less on	\
	 * small machines: weir_sysfs_init() */				\
	X(u64, user_bytes_max, 1ULL << 30, false, 0, S64_MAX)		\
	/* memory of all users in one namespace, in bytes; or less */	\
	X(u64, netns_bytes_max, 4ULL << 30, false, 0, S64_MAX)		\
	/* sockets, paths, rings, subscriptions, cursors and other	\
	 * objects of one user, in all namespaces */			\
	X(u64, user_objects_max, 1 << 16, false, 0, U32_MAX)		\
	/* these objects of all users in one namespace */		\
	X(u64, netns_objects_max, 1 << 18, false, 0, U32_MAX)		\
	/* streams that one socket may read */				\
	X(u32, streams_max, 1 << 10, false, 0, 1 << 20)			\
	/* microseconds without work after which a polling thread	\
	 * sleeps */							\
	X(u32, poll_idle_us, 200, false, 0, 10000000)			\
	/* records between two sleeps of readers. Above this number	\
	 * the sleeper sends the barrier, up to it the writer fences	\
	 * after each record. */					\
	X(u32, fence_records, 64, false, 0, U32_MAX)

#define WEIR_TUNABLE_FIELD(_type, _name, ...)	_type _name;

struct weir_tunables {
	WEIR_TUNABLE_LIST(WEIR_TUNABLE_FIELD)
};

extern struct weir_tunables weir_tunables;

#endif /* _WEIR_TUNABLES_H */
