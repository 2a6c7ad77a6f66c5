/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests with an idempotency key. The first request of a key, the leader, is
 * sent. A request that comes while the leader is in flight is a follower: it
 * gets the leader's reply. A request that comes later, within the window, gets
 * a copy of that reply. The table of keys is in dup.c; dup_call.c connects it
 * to calls.
 *
 * Each user has its own keys: equal keys of two users have nothing to do with
 * each other.
 */
#ifndef _WEIR_DUP_CALL_H
#define _WEIR_DUP_CALL_H

#include <linux/refcount.h>
#include <linux/workqueue.h>

#include "logic/account.h"
#include "logic/dup.h"
#include "tenant.h"

struct weir_call_entry;
struct weir_message;
struct weir_net;
struct weir_endpoint;
struct weir_owner;

/**
 * struct weir_dup_set - the keys of one route
 * @ref: references; held by settings, plans and each struct weir_dup_call.
 * @dups: the table of keys, which has a lock of its own; never changes.
 * @bytes: bytes of replies that @dups may remember, and so of one reply; never
 *	changes.
 * @charge: for all memory that the set may ever take, to the user that made the
 *	setting; never changes.
 * @wn: namespace; never changes.
 * @free: frees the set after the last put.
 */
struct weir_dup_set {
	refcount_t		ref;
	struct weir_dups	*dups;
	u32			bytes;
	struct weir_charge	charge;
	struct weir_net		*wn;
	struct work_struct	free;
};

/**
 * struct weir_dup_call - idempotency entry: a leader or a follower
 *
 * The pass that makes an entry owns it, then the call (weir_call_entry.dup).
 * An ended leader and its @followers belong to the job @deliver.
 */
struct weir_dup_call {
	/** @follower: follower: link in the table, under the table's lock. */
	struct weir_dup_follower	follower;
	/**
	 * @deliver: leader that has ended: job that delivers its reply to its
	 * followers.
	 */
	struct weir_job		deliver;
	/** @set: the keys of the route; held. */
	struct weir_dup_set	*set;
	/** @scope: number of the user whose key it is. */
	u64			scope;
	/** @id: the key. */
	u64			id;
	/**
	 * @pos: position of the request in the caller's outbox. It finds a
	 * leader whose pass is held up again; see weir_endpoint.blocked_dup.
	 */
	u64			pos;
	/** @follows: this is a follower, not a leader. */
	bool			follows;
	/**
	 * @reply: leader that has ended: its reply, held; NULL: there is none.
	 */
	struct weir_dup_reply	*reply;
	/**
	 * @followers: leader that has ended: its followers, by
	 * weir_dup_call.follower.
	 */
	struct list_head	followers;
	/** @ep: the caller's endpoint; held. */
	struct weir_endpoint	*ep;
	/** @name: follower: name of its call. */
	u64			name;
};

/**
 * enum weir_dup_role - what a request with an idempotency key is
 * @WEIR_ROLE_LEADER: the first of its key: it is to be sent.
 * @WEIR_ROLE_FOLLOWER: it waits for the leader's reply.
 * @WEIR_ROLE_ANSWERED: the leader has been answered: it gets a copy of the
 *	reply.
 * @WEIR_ROLE_NO_ROOM: its caller has no slot, or no room for an answer: the
 *	pass has to wait.
 * @WEIR_ROLE_NO_MEMORY: it is to be refused: there is no memory.
 * @WEIR_ROLE_LIMIT: it is to be refused: its user has no key left, too many
 *	requests wait for this key, or the reply was not kept.
 * @WEIR_ROLE_OTHER: it is to be refused: the leader had another payload.
 * @WEIR_ROLE_DIGEST: its digest is made after the section, and the pass goes
 *	on.
 */
enum weir_dup_role {
	WEIR_ROLE_LEADER,
	WEIR_ROLE_FOLLOWER,
	WEIR_ROLE_ANSWERED,
	WEIR_ROLE_NO_ROOM,
	WEIR_ROLE_NO_MEMORY,
	WEIR_ROLE_LIMIT,
	WEIR_ROLE_OTHER,
	WEIR_ROLE_DIGEST,
};

/**
 * struct weir_dup_digest - the digest of a request's payload
 * @pos: position of the request in the outbox; U64_MAX: there is none.
 * @digest: the digest of the payload of the request at @pos.
 * @from: payload to be digested after the section; NULL: none.
 * @len: bytes of that payload.
 *
 * Guarded by the endpoint's dispatch_lock. The owner may change the payload
 * later: then the key stands for what it was.
 */
struct weir_dup_digest {
	u64		pos;
	u64		digest;
	const u8	*from;
	u32		len;
};

/**
 * struct weir_dup_payload - a reply in a target's outbox, to be remembered
 * @from: its payload; the target may change it at any time.
 * @len: bytes of payload.
 * @kind: kind of the record, enum weir_kind.
 */
struct weir_dup_payload {
	const u8	*from;
	u32		len;
	u8		kind;
};

struct weir_dup_set *weir_dup_set_create(struct weir_owner *o, u64 window_ns,
					 u32 entries, u32 bytes);
void weir_dup_set_put(struct weir_dup_set *set);
enum weir_dup_role weir_dup_call_begin(struct weir_endpoint *ep,
				       const struct weir_message *m,
				       struct weir_call_entry *call,
				       struct weir_dup_set *set,
				       u64 deadline_ns,
				       struct weir_dup_reply **reply);
void weir_dup_digest_make(struct weir_dup_digest *d);
void weir_dup_call_complete(struct weir_dup_call *dup);
void weir_dup_call_leave(struct weir_call_entry *call);
void weir_dup_call_remember(struct weir_dup_call *dup,
			    struct weir_endpoint *caller,
			    const struct weir_dup_payload *r);

#endif /* _WEIR_DUP_CALL_H */
