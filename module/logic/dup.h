/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Duplicate suppression: each route has one table of the requests that have an
 * idempotency key. A request is a duplicate if the first request with the same
 * key is still in flight, or was answered within a window. A duplicate gets the
 * reply to the first request, and is not sent again.
 *
 *	             begin: NEW                done
 *	 (unknown) ---------------> in flight --------> answered
 *	     ^                         |                   |
 *	     +-------------------------+-------------------+
 *	               fail         window over, its user needs room
 *
 * A key is a scope and an identity in that scope. The scope says whose identity
 * it is, so no caller gets the reply to another caller's request. Each user has
 * a share of the table (weir_share()). A user that needs room loses the oldest
 * replies of its own, never those of another user. A user that finds no room is
 * refused.
 *
 * A key stands for one request. A digest of the content tells a request with
 * another content apart, which is refused.
 *
 * The table owns its entries and holds a reference on each reply. A follower is
 * a link in an object of the caller. This file knows no socket and no clock:
 * times are arguments, in nanoseconds of one clock that never goes back.
 *
 * Process context: the table's lock is a leaf, and interrupts must not take it.
 * It is held for a bounded number of steps. weir_dups_create(),
 * weir_dups_destroy() and weir_dup_done() may sleep.
 */
#ifndef _WEIR_DUP_H
#define _WEIR_DUP_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>

#define WEIR_DUPS_MAX		(1U << 20)	/* most entries of one user */
#define WEIR_DUP_FOLLOWERS_MAX	64		/* followers for one reply */

/**
 * enum weir_dup_state - state of the first request with a key
 * @WEIR_DUP_NEW: there is no earlier request: the caller sends its own.
 * @WEIR_DUP_BUSY: the first request is in flight.
 * @WEIR_DUP_DONE: the first request has been answered.
 * @WEIR_DUP_FULL: there is no room: all requests that the user has room for are
 *	in flight, or WEIR_DUP_FOLLOWERS_MAX requests wait for this reply, or
 *	the request was answered but there was no room to keep the reply.
 * @WEIR_DUP_NO_MEMORY: there is no memory for an entry.
 * @WEIR_DUP_OTHER: the first request had another content.
 */
enum weir_dup_state {
	WEIR_DUP_NEW,
	WEIR_DUP_BUSY,
	WEIR_DUP_DONE,
	WEIR_DUP_FULL,
	WEIR_DUP_NO_MEMORY,
	WEIR_DUP_OTHER,
};

/**
 * struct weir_dup_key - a request with an idempotency key
 * @uid: uid of the user in whose share the request is counted.
 * @scope: the scope, which says whose identity @id is.
 * @id: the identity of the request.
 * @digest: digest of its content.
 */
struct weir_dup_key {
	u32	uid;
	u64	scope;
	u64	id;
	u64	digest;
};

/**
 * struct weir_dup_follower - a request that waits for the reply to another one
 * @link: in the list of followers of the entry, under the table's lock.
 *	weir_dup_done() and weir_dup_fail() move it to the caller's own list.
 */
struct weir_dup_follower {
	struct list_head	link;
};

/**
 * struct weir_dup_reply - the reply to a request
 * @refs: one for the table, and one for each caller that delivers the reply.
 * @rcu: frees the reply, so that the last put may be under a lock.
 * @kind: the caller's kind of reply; this file does not use it.
 * @len: number of @bytes.
 * @bytes: the reply; does not change once the table has it.
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

enum weir_dup_state weir_dup_begin(struct weir_dups *d,
				   const struct weir_dup_key *key, u64 now_ns,
				   struct weir_dup_follower *follower,
				   struct weir_dup_reply **reply);
void weir_dup_done(struct weir_dups *d, u64 scope, u64 id, u64 now_ns,
		   struct weir_dup_reply *reply, struct list_head *followers);
void weir_dup_fail(struct weir_dups *d, u64 scope, u64 id,
		   struct list_head *followers);
bool weir_dup_unfollow(struct weir_dups *d, u64 scope, u64 id,
		       struct weir_dup_follower *follower);

#endif /* _WEIR_DUP_H */
