/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests with an idempotency key: the first of a key is sent, those that come
 * while it is in flight wait for its reply, those that come later within the
 * window get a copy of it. The table of keys is dup.c; this joins it to calls.
 *
 * A key is its user's: two users with the same key know nothing of each other.
 */
#ifndef _WEIR_IDEM_H
#define _WEIR_IDEM_H

#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

#include "logic/account.h"
#include "logic/dup.h"

struct weir_call;
struct weir_message;
struct weir_endpoint;
struct weir_sock;

/**
 * struct weir_idem_set - the keys of one route
 * @ref: settings, plans, calls and the work.
 * @dups: the table.
 * @over: firsts that have ended, by weir_idem.link.
 * @work: hands their replies on.
 * @bytes: of a reply that is remembered, at most.
 * @charge: for all that it may ever remember, to who set it; fixed.
 * @free: ends the set.
 */
struct weir_idem_set {
	refcount_t		ref;
	struct weir_dups	*dups;
	struct llist_head	over;
	struct work_struct	work;
	u32			bytes;
	struct weir_charge	charge;
	struct work_struct	free;
};

/**
 * struct weir_idem - what a call with a key has to do with others
 * @waiter: one that waits: in the table.
 * @link: a first that has ended: in weir_idem_set.over.
 * @set: held.
 * @scope: whose key.
 * @id: the key.
 * @pos: of the request; a first whose pass is held up.
 * @waits: it is not the first.
 * @reply: of a first that has ended; NULL: there was none.
 * @waiters: of a first that has ended: who waited for it.
 * @ep: one that waits: the caller; held.
 * @name: of its call.
 */
struct weir_idem {
	struct weir_dup_waiter	waiter;
	struct llist_node	link;
	struct weir_idem_set	*set;
	u64			scope;
	u64			id;
	u64			pos;
	bool			waits;
	struct weir_dup_reply	*reply;
	struct list_head	waiters;
	struct weir_endpoint	*ep;
	u64			name;
};

/**
 * struct weir_idem_reply - a reply that is to be remembered, in an outbox
 * @from: its bytes.
 * @len: how many.
 * @kind: enum weir_kind.
 */
struct weir_idem_reply {
	const u8	*from;
	u32		len;
	u8		kind;
};

struct weir_idem_set *weir_idem_set_create(struct weir_sock *ws, u64 window_ns,
					   u32 entries, u32 bytes);
void weir_idem_set_put(struct weir_idem_set *set);
int weir_idem_begin(struct weir_endpoint *ep, const struct weir_message *m,
		    struct weir_idem_set *set, u64 deadline_ns,
		    struct weir_dup_reply **reply);
void weir_idem_complete(struct weir_idem *idem);
void weir_idem_leave(struct weir_call *call);
void weir_idem_remember(struct weir_idem *idem, struct weir_endpoint *caller,
			const struct weir_idem_reply *r);

#endif /* _WEIR_IDEM_H */
