/* SPDX-License-Identifier: GPL-2.0 */
/* Waiting for room in an inbox; room.c tells how. */
#ifndef _WEIR_ROOM_H
#define _WEIR_ROOM_H

#include <linux/list.h>
#include <linux/types.h>

struct weir_endpoint;
struct weir_ring;

/**
 * struct weir_waiter - one that waits for room in an inbox; see room.c
 * @ep: whose.
 * @inbox: where; held. NULL: it does not wait. dispatch_lock.
 * @waits: it has still to wait; dispatch_lock.
 * @again: granules that were kept for it when it was called, and has looked;
 *	dispatch_lock.
 * @look_ns: when it looks although it was not called, for the inbox's reader may
 *	not know that it waits; as ktime_get_ns() counts, 0: never. dispatch_lock.
 * @first: of its user's in the queue; this and what follows: the inbox's
 *	post.lock.
 * @ahead: it goes before all others: what the inbox's owner waits for.
 * @granted: granules that are kept for it since it was called, in
 *	post.granted, too.
 * @called_ns: when that was, or when it looked last.
 * @here_ns: when its worker came for what is granted; 0: it has not.
 * @room_ns: when there was room and it was called, as ktime_get_ns() counts;
 *	U64_MAX: it has not been, or without room.
 * @bytes: that it waits for, see weir_pass_hold().
 * @link: in the inbox's post.waiting if it is @first, else in that one's @more;
 *	empty once it has been called.
 * @more: others of its user that wait behind it.
 * @called: in post.called while there is @granted.
 */
struct weir_waiter {
	struct weir_endpoint	*ep;
	struct weir_ring	*inbox;
	bool			waits;
	u64			look_ns;
	bool			first;
	bool			ahead;
	u32			again;
	u32			granted;
	u64			called_ns;
	u64			here_ns;
	u64			room_ns;
	u64			bytes;
	struct list_head	link;
	struct list_head	more;
	struct list_head	called;
};

void weir_waiters_resume(struct weir_ring *inbox);
void weir_waiters_unawaited(struct weir_ring *inbox);
void weir_waiters_call_all(struct weir_ring *inbox);
u64 weir_waiters_want(struct weir_ring *inbox);
void weir_waiter_init(struct weir_waiter *w, struct weir_endpoint *ep);
void weir_waiter_here(struct weir_waiter *w);
void weir_waiter_look(struct weir_waiter *w);
void weir_waiter_done(struct weir_waiter *w);
void weir_waiter_wait(struct weir_waiter *w, struct weir_ring *inbox,
		      u64 bytes);

#endif /* _WEIR_ROOM_H */
