// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that a target has left unread when its socket was closed. The target
 * has not looked at them (weir_inbox_seen()), so each goes to another target,
 * even if it must not be sent twice. That is no attempt at the first target:
 * neither its breaker nor the call's attempts count it.
 *
 * The record of a call that may be sent again is still in its caller's outbox.
 * Any other request is copied from the closed inbox, which the kernel alone has
 * written. The copy is made by a worker of the closed socket's user, without a
 * lock, in memory of the caller's user. The caller's own pass then sends it, as
 * it sends retries. If there is no memory, or the request is longer than
 * WEIR_PIECE_BYTES, it is answered as one that the target has read.
 */
#include <linux/memcontrol.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "charge.h"
#include "logic/alloc.h"
#include "logic/calls.h"
#include "ring/ring.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/endpoint.h"
#include "route/move.h"
#include "route/record.h"
#include "route/target.h"
#include "weir.h"

/*
 * A request is moved this often at most: targets that come and go without a
 * look must not keep it, and its caller's worker, busy for ever.
 */
#define WEIR_MOVED_MAX	8

/* weir_moved_free() - free a copy; @moved may be NULL. Any context. */
void weir_moved_free(struct weir_moved *moved)
{
	if (!moved)
		return;
	weir_uncharge(&moved->charge);
	kfree(moved);
}

/* weir_moved_read() - the message of a call that has a copy */
void weir_moved_read(const struct weir_call_entry *call, struct weir_message *m)
{
	const struct weir_moved *moved = call->moved;

	*m = (struct weir_message){
		.payload = moved->data,
		.pos = call->pos,
		.total = weir_ring_need(moved->len +
					(moved->deadline ? 8 : 0)),
		.tag_key = call->tag_key,
		.deadline_ns = moved->deadline ? call->deadline_ns : 0,
		.len = moved->len,
		.route = call->handle,
		.kind = WEIR_KIND_REQUEST,
	};
	weir_message_single(m);
}

/* Has the server looked at a call's request, as far as the kernel knows? */
static bool weir_call_unseen(const struct weir_call_entry *call,
			     const struct weir_endpoint *server)
{
	u64 pos = call->commit - server->inbox->view.secret;

	/* without space in the inbox, there is nothing to be seen yet */
	return !call->commit || (s64)(pos - server->seen) >= 0;
}

/**
 * weir_move_call() - take a call from a target whose socket is closed
 * @ep: the caller's endpoint.
 * @call: the call, in state SENT, at a target of move->server that is gone.
 * @move: the look.
 *
 * The call is queued to be sent again, if the target has not looked at its
 * request. If the request has to be copied first, this function sets
 * move->wanted: the caller of this function drops the lock, calls
 * weir_move_copy() and then looks at the call once more.
 *
 * Return: false when the call is not moved, and no copy is wanted.
 */
bool weir_move_call(struct weir_endpoint *ep, struct weir_call_entry *call,
		    struct weir_move *move)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (weir_call_is_child(call) || call->moves >= WEIR_MOVED_MAX ||
	    !weir_call_unseen(call, move->server))
		return false;
	if (!call->tries &&
	    (move->name != call->name || move->commit != call->commit)) {
		move->name = call->name;
		move->commit = call->commit;
		move->target = call->target->id;
		move->wanted = true;
		return true;
	}
	if (!call->tries && !move->moved)
		return false;
	weir_call_leave(ep, call, 0, WEIR_REASON_NONE);
	call->moves = (call->moves + 1) | WEIR_CALL_MOVING;
	if (call->tries) {
		weir_call_failed_at(call, call->target->id);
	} else {
		call->moved = move->moved;
		move->moved = NULL;
	}
	call->state = WEIR_CALL_RETRY;
	weir_call_table_retry(&ep->calls, call, 0);
	return true;
}

/*
 * Has the record with this commit word been written? It may just be: its sender
 * is in a section then, or makes a large copy.
 */
static bool weir_move_written(struct weir_endpoint *server,
			      const struct weir_record *rec, u64 commit)
{
	if (smp_load_acquire(&rec->commit) == commit)
		return true;
	if (server->unsent)
		return false;
	/* no section that begins from here on has a plan with the target */
	synchronize_rcu();
	server->unsent = true;
	return smp_load_acquire(&rec->commit) == commit;
}

/* Has a record at @pos of the server's inbox been whole up to now? */
static bool weir_move_whole(struct weir_endpoint *server, u64 pos)
{
	struct weir_ring *inbox = server->inbox;
	bool whole;

	/* its process may still write the cursor, and so give the space away */
	spin_lock_bh(&inbox->post.lock);
	whole = inbox->post.pos - pos <= weir_ring_bytes(&inbox->view);
	spin_unlock_bh(&inbox->post.lock);
	return whole;
}

/* Allocates a copy of @len bytes that the caller's user pays for; or NULL. */
static struct weir_moved *weir_moved_alloc(struct weir_endpoint *ep, u32 len)
{
	struct mem_cgroup *old = set_active_memcg(ep->memcg);
	struct weir_moved *moved;
	const char *why;

	/* no reclaim in a memory cgroup of another user */
	moved = kmalloc(struct_size(moved, data, len), WEIR_GFP_NOWAIT);
	set_active_memcg(old);
	if (!moved)
		return NULL;
	moved->charge = (struct weir_charge){ };
	if (weir_charge_account(&moved->charge, ep->account,
				struct_size(moved, data, len), 0, "", &why)) {
		kfree(moved);
		return NULL;
	}
	moved->len = len;
	return moved;
}

/**
 * weir_move_copy() - copy the request that weir_move_call() wants to move
 * @ep: the caller's endpoint.
 * @move: the look. Without @move->wanted, only what it holds is freed.
 *
 * Process context, may sleep.
 */
void weir_move_copy(struct weir_endpoint *ep, struct weir_move *move)
{
	const struct weir_ring_view *v = &move->server->inbox->view;
	u64 pos = move->commit - v->secret, header;
	const struct weir_words *words = weir_ring_words(v, pos);
	struct weir_moved *moved;
	const u8 *from = (const u8 *)(words + 1);
	u32 len, ext;

	weir_moved_free(move->moved);
	move->moved = NULL;
	if (!move->wanted)
		return;
	move->wanted = false;
	cond_resched();
	if (!move->commit ||
	    !weir_move_written(move->server, weir_ring_at(v, pos),
			       move->commit))
		return;
	header = WEIR_WORD(READ_ONCE(words->header));
	len = (u32)header;
	ext = (u8)(header >> WEIR_EXT_SHIFT) * 8U;
	/* the space may have been given away, and hold anything by now */
	if (len > WEIR_PIECE_BYTES || ext > 8 ||
	    len + ext > weir_ring_max_len(v))
		return;
	moved = weir_moved_alloc(ep, len);
	if (!moved)
		return;
	moved->target = move->target;
	moved->deadline = ext;
	memcpy(moved->data, from + ext, len);
	if (weir_move_whole(move->server, pos))
		move->moved = moved;
	else
		weir_moved_free(moved);
}
