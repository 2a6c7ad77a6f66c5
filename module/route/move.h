/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests that a target has left unread when its socket was closed: see
 * move.c.
 */
#ifndef _WEIR_MOVE_H
#define _WEIR_MOVE_H

#include "logic/account.h"
#include "logic/calls.h"
#include "weir.h"

struct weir_message;

/**
 * struct weir_moved - a request, on its way from one target to another
 * @charge: its memory, paid by the caller's user.
 * @target: number of the target that has left it.
 * @len: bytes of payload.
 * @deadline: the caller has named a deadline.
 * @data: payload.
 *
 * Owned by its call, which is in state RETRY.
 */
struct weir_moved {
	struct weir_charge	charge;
	u64			target;
	u32			len;
	bool			deadline;
	u8			data[] __aligned(8);
};

/**
 * struct weir_move - a look for calls that can be moved
 * @server: endpoint whose socket is closed.
 * @name: name of the last call that needed a copy; 0: none did.
 * @commit: commit word of its record in the inbox of @server.
 * @target: number of its target.
 * @moved: the copy, owned; NULL: there is none, or it could not be made.
 * @wanted: the copy is still to be made.
 *
 * On the stack of the worker that looks.
 */
struct weir_move {
	struct weir_endpoint	*server;
	u64			name;
	u64			commit;
	u64			target;
	struct weir_moved	*moved;
	bool			wanted;
};

bool weir_move_call(struct weir_endpoint *ep, struct weir_call_entry *call,
		    struct weir_move *move);
void weir_move_copy(struct weir_endpoint *ep, struct weir_move *move);
void weir_moved_read(const struct weir_call_entry *call,
		     struct weir_message *m);
void weir_moved_free(struct weir_moved *moved);

/*
 * A call in state RETRY is sent: to another target, if the one before has not
 * looked at it. Returns the copy, which its caller frees after use, or NULL.
 */
static inline struct weir_moved *weir_moved_take(struct weir_call_entry *call)
{
	struct weir_moved *moved = NULL;

	if (!(call->moves & WEIR_CALL_MOVING)) {
		weir_call_count_sent(call);
		return NULL;
	}
	call->moves &= ~WEIR_CALL_MOVING;
	if (!call->tries)
		swap(moved, call->moved);
	return moved;
}

#endif /* _WEIR_MOVE_H */
