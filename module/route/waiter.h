/* SPDX-License-Identifier: GPL-2.0 */
/* Waiting for room in an inbox; see waiter.c. */
#ifndef _WEIR_WAITER_H
#define _WEIR_WAITER_H

#include <linux/list.h>
#include <linux/types.h>

struct weir_endpoint;
struct weir_ring;

/**
 * struct weir_waiter - an endpoint that waits for room in an inbox
 */
struct weir_waiter {
	/** @ep: the endpoint; never changes. */
	struct weir_endpoint	*ep;
	/**
	 * @inbox: the inbox, held; NULL: it does not wait. Written under the
	 * endpoint's dispatch_lock.
	 */
	struct weir_ring	*inbox;
	/**
	 * @waits: it has still to wait; written under the endpoint's
	 * dispatch_lock.
	 */
	bool			waits;
	/**
	 * @recheck_ns: when it checks although it was not called, because the
	 * reader of the inbox may not know of it; ktime_get_ns() time, 0:
	 * never. dispatch_lock.
	 */
	u64			recheck_ns;
	/**
	 * @first: it is the first of its user in the queue. The inbox's
	 * post.lock guards this field and those below.
	 */
	bool			first;
	/**
	 * @ahead: it goes before all others, because the inbox's own socket
	 * depends on it; see waiter.c.
	 */
	bool			ahead;
	/**
	 * @again: granules that were granted to it when it last looked. It goes
	 * first if it needs no more than that and did not get it.
	 * dispatch_lock.
	 */
	u32			again;
	/**
	 * @granted: granules that are kept for it since it was called; they are
	 * part of post.kept and of post.granted.
	 */
	u32			granted;
	/**
	 * @called_ns: when it was called, or last came to look; ktime_get_ns()
	 * time.
	 */
	u64			called_ns;
	/**
	 * @here_ns: when its worker first came for the grant, in ktime_get_ns()
	 * time; 0: it has not come.
	 */
	u64			here_ns;
	/**
	 * @room_ns: when there was room and it was called, in ktime_get_ns()
	 * time; U64_MAX: it has not been called, or there was no room.
	 */
	u64			room_ns;
	/**
	 * @bytes: of room that it needs beyond the kept room, see
	 * weir_pass_wait().
	 */
	u64			bytes;
	/**
	 * @link: in the inbox's post.waiting if @first or @ahead is set, else
	 * in @more of the first one; empty once it has been called.
	 */
	struct list_head	link;
	/** @more: the other waiters of its user, which wait behind it. */
	struct list_head	more;
	/** @called: in post.called while @granted is not 0. */
	struct list_head	called;
};

void weir_waiters_resume(struct weir_ring *inbox);
void weir_waiters_unawaited(struct weir_ring *inbox, u32 ended);
void weir_waiters_call_all(struct weir_ring *inbox);
void weir_waiter_init(struct weir_waiter *w, struct weir_endpoint *ep);
void weir_waiter_here(struct weir_waiter *w);
void weir_waiter_recheck(struct weir_waiter *w);
void weir_waiter_done(struct weir_waiter *w);
void weir_waiter_wait(struct weir_waiter *w, struct weir_ring *inbox,
		      u64 bytes);

#endif /* _WEIR_WAITER_H */
