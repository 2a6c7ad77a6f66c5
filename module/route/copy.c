// SPDX-License-Identifier: GPL-2.0
/*
 * Large copies. Copying a large message in a section would keep the processor
 * from everything else for too long. So in the section, a large message, or a
 * fan-out of many bytes, only claims its space and enters its call. The copies
 * are made after the section, in pieces: other tasks may run between two
 * pieces. Then the records are committed. Until then the pass holds the
 * inboxes, and the source stays in the outbox. If the call ends before its copy
 * does, the record is committed as aborted.
 *
 * A record that is not committed yet holds up all records behind it in its
 * inbox. So a copy that may have to wait for other copies only keeps room. It
 * claims its space when it begins: an inbox is held up for no longer than its
 * own copy takes.
 *
 * The commit word is written last, as in any record, so a reader sees no
 * difference.
 *
 * Process context, under dispatch_lock. Only a worker of the sender's user
 * makes large copies; other dispatchers leave such a message to the worker, see
 * enum weir_dispatcher.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "logic/alloc.h"
#include "logic/calls.h"
#include "logic/clock.h"
#include "logic/dup.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/copy.h"
#include "route/dup_call.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/record.h"
#include "route/request.h"
#include "route/target.h"
#include "route/waiter.h"
#include "stats.h"
#include "weir.h"

/**
 * weir_copy_pieces() - copy bytes in pieces, and let other tasks run in between
 * @to: destination.
 * @from: source; its owner may change it during the copy.
 * @len: bytes to copy.
 *
 * May sleep.
 */
void weir_copy_pieces(u8 *to, const u8 *from, u32 len)
{
	u32 n;

	for (; len; len -= n, to += n, from += n) {
		n = min_t(u32, len, WEIR_PIECE_BYTES);
		memcpy(to, from, n);
		cond_resched();
	}
}

/**
 * weir_copies_reserve() - allocate the list of a fan-out's copies
 * @pass: the pass, which has no copies yet.
 * @n: copies that the list must have room for.
 *
 * Does not sleep. weir_copies_free() frees the list. Return: false if there is
 * no memory, or the pass has copies already.
 */
bool weir_copies_reserve(struct weir_pass *pass, u32 n)
{
	struct weir_endpoint *ep =
		container_of(pass, struct weir_endpoint, pass);
	struct weir_copy *copies;
	struct mem_cgroup *old;

	if (WARN_ON_ONCE(pass->copies))
		return false;
	old = set_active_memcg(ep->memcg);
	copies = kmalloc_array(n, sizeof(*copies), WEIR_GFP_NOWAIT);
	set_active_memcg(old);
	if (!copies)
		return false;
	pass->copies = copies;
	pass->copy_room = n;
	return true;
}

/**
 * weir_copy_later() - make a copy after the section
 * @pass: the pass. It has room for one copy of a message to one target, and for
 *	the mirrors' copies. Room for others must have been reserved; see
 *	weir_copy_fits().
 * @copy: what to copy. A reference on the inbox is taken here; the caller has
 *	taken that on @copy->reply.
 */
void weir_copy_later(struct weir_pass *pass, const struct weir_copy *copy)
{
	if (!pass->copies) {
		pass->copies = pass->own;
		pass->copy_room = ARRAY_SIZE(pass->own);
	}
	weir_ring_get(copy->at.inbox);
	pass->copies[pass->ncopies++] = *copy;
}

/**
 * weir_copy_keep() - keep room in a target's inbox for a copy
 * @target: the target, which is a socket.
 * @m: the message.
 * @at: out: the inbox; the position is not known yet.
 * @kept: out: granules that are kept.
 *
 * The caller passes @at and @kept to weir_copy_request(), or gives the room
 * back with weir_copy_give(). Does not sleep.
 *
 * Return: WEIR_REASON_NONE when room is kept, else the reason why not:
 * WEIR_REASON_TOO_LARGE, WEIR_REASON_NO_TARGET or WEIR_REASON_INBOX_FULL.
 */
enum weir_reason weir_copy_keep(struct weir_target *target,
				const struct weir_message *m,
				struct weir_reservation *at, u32 *kept)
{
	struct weir_ring *inbox = target->ep->inbox;
	struct weir_post *post = &inbox->post;
	u32 bytes = weir_message_need(m);
	u64 need;
	bool fits;

	if (m->len + (m->deadline_ns ? 8 : 0) > weir_ring_max_len(&inbox->view))
		return WEIR_REASON_TOO_LARGE;
	*at = (struct weir_reservation){ .inbox = inbox };
	*kept = bytes / WEIR_GRANULE;
	spin_lock(&post->lock);
	need = bytes + (u64)post->kept * WEIR_GRANULE;
	/* if others wait, room that has been made since is theirs */
	if (post->limit - post->pos < need && !post->queued)
		weir_inbox_room(inbox, 0);
	fits = post->limit - post->pos >= need;
	if (fits) {
		post->kept += *kept;
		post->granted += *kept;
		target->requests++;
	}
	spin_unlock(&post->lock);
	if (fits)
		return WEIR_REASON_NONE;
	return READ_ONCE(target->gone) ? WEIR_REASON_NO_TARGET :
					 WEIR_REASON_INBOX_FULL;
}

/* Gives back @kept granules. */
static void weir_copy_unkeep(struct weir_ring *inbox, u32 kept)
	__must_hold(&inbox->post.lock)
{
	lockdep_assert_held(&inbox->post.lock);
	inbox->post.kept -= kept;
	inbox->post.granted -= kept;
}

/**
 * weir_copy_give() - give back room that was kept for a copy
 * @inbox: the target's inbox.
 * @kept: granules, from weir_copy_keep().
 *
 * Waiters for room in the inbox look again. In a section; takes the inbox's
 * post.lock.
 */
void weir_copy_give(struct weir_ring *inbox, u32 kept)
{
	spin_lock(&inbox->post.lock);
	weir_copy_unkeep(inbox, kept);
	weir_waiters_resume(inbox);
	spin_unlock(&inbox->post.lock);
}

/*
 * weir_copy_request() - make the copy of a request or event after the section
 *
 * @kept: granules from weir_copy_keep(); 0: the space at @at has been claimed.
 * @call: its call; NULL: the message wants no answer. The other parameters are
 * those of weir_reservation_request(). There are seven, because a caller uses
 * either of the two functions.
 */
void weir_copy_request(struct weir_pass *pass,
		       const struct weir_reservation *at, u32 kept,
		       const struct weir_message *m,
		       struct weir_call_entry *call, u64 name,
		       u64 deadline_ns)
{
	const struct weir_copy copy = {
		.at = *at,
		.kept = kept,
		.from = m->payload,
		.len = m->len,
		.header = (u64)m->kind << WEIR_KIND_SHIFT |
			 (u64)(m->flags & WEIR_REC_IDEMPOTENT) <<
			 WEIR_FLAGS_SHIFT,
		.route = (u32)name,
		.tag_key = name >> 32 | (m->tag_key & ~0xffffffffULL),
		.deadline_ns = m->deadline_ns ?
			       weir_clock_out(deadline_ns, at->inbox->clock_ns) :
			       0,
		.call = call,
		.name = name,
	};

	weir_copy_later(pass, &copy);
}

/* Has the call of a copy ended, or is it being sent to another target? */
static bool weir_copy_over(const struct weir_copy *c)
{
	return c->call && (READ_ONCE(c->call->name) != c->name ||
			   weir_call_state(c->call) != WEIR_CALL_SENT);
}

/*
 * Claims the space of a copy for which room was kept. Returns false when there
 * is nothing to copy: the call has ended, the target's socket is gone, or its
 * cursor no longer shows the room that was kept. @ep: the sender's endpoint.
 */
static bool weir_copy_take(struct weir_endpoint *ep, struct weir_copy *c)
{
	struct weir_ring *inbox = c->at.inbox;
	struct weir_post *post = &inbox->post;
	bool over = weir_copy_over(c), taken = false;

	spin_lock_bh(&post->lock);
	weir_copy_unkeep(inbox, c->kept);
	if (!over)
		taken = weir_inbox_claim(inbox, (u64)c->kept * WEIR_GRANULE,
					 (u64)post->kept * WEIR_GRANULE,
					 &c->at.pos, &c->at.seq);
	if (!taken)
		weir_waiters_resume(inbox);
	spin_unlock_bh(&post->lock);
	if (!taken && !over)
		this_cpu_inc(weir_drops[WEIR_REASON_INBOX_FULL]);
	if (!taken || !c->call)
		return taken;
	spin_lock_bh(&ep->inbox->post.lock);
	if (!weir_copy_over(c))
		c->call->commit = c->at.pos + inbox->view.secret;
	spin_unlock_bh(&ep->inbox->post.lock);
	return true;
}

/* Copies and commits one record; aborts it if its call ends. May sleep. */
static void weir_copy_make(const struct weir_copy *c)
{
	const struct weir_ring_view *v = &c->at.inbox->view;
	u8 *to = (u8 *)(weir_ring_at(v, c->at.pos) + 1);
	u32 done, n, ext = c->deadline_ns ? 8 : 0;

	for (done = 0; done < c->len; done += n) {
		if (weir_copy_over(c)) {
			weir_reservation_abort(&c->at,
					       weir_ring_need(c->len + ext));
			return;
		}
		n = min_t(u32, c->len - done, WEIR_PIECE_BYTES);
		memcpy(to + ext + done, c->from + done, n);
		cond_resched();
	}
	/* the header and the deadline are still to be written */
	weir_reservation_show(&c->at, c->len, c->header, c->route, c->tag_key,
			      c->deadline_ns);
}

/**
 * weir_copies_make() - make the copies that a section has left
 * @pass: the pass; its section is over.
 *
 * Wakes the readers of the inboxes. Then remembers the reply to a leader, if
 * the section had one. May sleep: not in a section.
 */
void weir_copies_make(struct weir_pass *pass)
{
	struct weir_endpoint *ep =
		container_of(pass, struct weir_endpoint, pass);
	u32 i;

	for (i = 0; i < pass->ncopies; i++) {
		struct weir_copy *c = &pass->copies[i];

		if (!c->kept || weir_copy_take(ep, c))
			weir_copy_make(c);
		weir_inbox_wake(c->at.inbox);
		weir_ring_put(c->at.inbox);
		weir_dup_reply_put(c->reply);
	}
	weir_copies_free(pass);
	if (pass->replied) {
		weir_dup_call_remember(pass->replied, pass->replied_to,
				       &pass->reply);
		weir_endpoint_put(pass->replied_to);
		pass->replied = NULL;
	}
}

/* weir_copies_free() - empty the list of copies, and free it if allocated */
void weir_copies_free(struct weir_pass *pass)
{
	if (pass->copies != pass->own)
		kfree(pass->copies);
	pass->copies = NULL;
	pass->ncopies = 0;
}
