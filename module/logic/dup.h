/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Duplicate suppression: a request that comes again while the first is still
 * in flight, or within a window after it was answered, gets the first one's
 * reply and is not sent again. One table for each route.
 *
 *	             begin: NEW                done
 *	 (unknown) ---------------> in flight --------> answered
 *	     ^                         |                   |
 *	     +-------------------------+-------------------+
 *	               fail         window over, its user needs room
 *
 * A key is a scope and an identity within it. The scope says whose identity it
 * is, so nobody gets the reply to another's request. Each user has a share of the
 * table (weir_share()), and what is remembered within the window makes room for
 * nobody but its own user: a user that finds no room is refused. The table owns its
 * entries and a reference on each reply; those who wait are links in objects
 * of the caller's. It knows no socket and no clock: times are arguments, of
 * one clock that does not go back.
 *
 * Process context: its lock is a leaf, and is not for interrupts. It is held
 * for a bounded number of steps. weir_dups_create() and weir_dups_destroy()
 * may sleep.
 */
#ifndef _WEIR_DUP_H
#define _WEIR_DUP_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>

#define WEIR_DUPS_MAX		(1U << 20)	/* entries of a table */
#define WEIR_DUP_WAITERS_MAX	64		/* for one reply */

/**
 * enum weir_dup_state - what weir_dup_begin() has found
 * @WEIR_DUP_NEW: nothing; the caller is to send the request.
 * @WEIR_DUP_BUSY: the first one is in flight.
 * @WEIR_DUP_DONE: the first one has been answered.
 */
enum weir_dup_state {
	WEIR_DUP_NEW,
	WEIR_DUP_BUSY,
	WEIR_DUP_DONE
};

/**
 * struct weir_dup_waiter - a request that waits for another's reply
 * @link: in the list of the entry, under the table's lock, until it comes back
 *	in the list of weir_dup_done() or weir_dup_fail(), which is the
 *	caller's own.
 */
struct weir_dup_waiter {
	struct list_head	link;
};

/**
 * struct weir_dup_reply - what a request was answered with
 * @refs: the table's, and those who deliver it.
 * @rcu: frees it, from under a lock too.
 * @kind: of the caller's.
 * @len: of @bytes.
 * @bytes: the reply; not changed any more once the table has it.
 */
struct weir_dup_reply {
	refcount_t	refs;
	struct rcu_head	rcu;
	u8		kind;
	u32		len;
	u8		bytes[];
};

struct weir_dups;

struct weir_dup_reply *weir_dup_reply_create(u8 kind, u32 len, gfp_t gfp);
void weir_dup_reply_put(struct weir_dup_reply *reply);

struct weir_dups *weir_dups_create(u64 window_ns, u32 max_entries,
				   u32 max_bytes, u32 seed);
u64 weir_dups_most(u32 max_entries, u32 max_bytes);
void weir_dups_destroy(struct weir_dups *d);
void weir_dups_usage(struct weir_dups *d, u32 *entries, u32 *bytes);

int weir_dup_begin(struct weir_dups *d, u32 uid, u64 scope, u64 id, u64 now_ns,
		   struct weir_dup_waiter *waiter,
		   struct weir_dup_reply **reply);
void weir_dup_done(struct weir_dups *d, u64 scope, u64 id, u64 now_ns,
		   struct weir_dup_reply *reply, struct list_head *waiters);
void weir_dup_fail(struct weir_dups *d, u64 scope, u64 id,
		   struct list_head *waiters);
bool weir_dup_unwait(struct weir_dups *d, u64 scope, u64 id,
		     struct weir_dup_waiter *waiter);

#endif /* _WEIR_DUP_H */
