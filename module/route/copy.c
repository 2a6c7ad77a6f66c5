// SPDX-License-Identifier: GPL-2.0
/*
 * Large copies. A message that is copied under rcu_read_lock() would keep the
 * processor from all others for as long as that takes. For a large message, and
 * for one that goes to many, only the space is claimed and the call entered there;
 * the copies are made when the section is over, in pieces, between which others
 * may run, and are then committed. Until then the inboxes and what is copied
 * from are held; a call that ends meanwhile leaves an aborted record.
 *
 * A record that is not committed yet holds up all behind it in that inbox. So where
 * other copies are made before, room is only kept for a copy, and its place is
 * taken when it begins: nobody waits longer than his own copy takes.
 *
 * What is told to the reader comes last, as in any record, so it makes no
 * difference to it.
 *
 * Process context, under dispatch_lock, in a worker of the user: others leave
 * such a message to it, see enum weir_dispatcher.
 */
#include <linux/slab.h>

#include "route/request.h"

/**
 * weir_copy_pieces() - copy bytes, and let others run in between
 * @to: destination.
 * @from: source; may be changed by its owner meanwhile.
 * @len: how many.
 *
 * Sleeps.
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
 * weir_copies_reserve() - room for the copies of a message to several
 * @pass: the pass; it has none yet.
 * @n: how many.
 *
 * Return: false without memory.
 */
bool weir_copies_reserve(struct weir_pass *pass, u32 n)
{
	struct weir_copy *copies;

	if (WARN_ON_ONCE(pass->copies))
		return false;
	copies = kmalloc_array(n, sizeof(*copies), GFP_NOWAIT | __GFP_NOWARN);
	if (!copies)
		return false;
	pass->copies = copies;
	pass->copy_room = n;
	return true;
}

/**
 * weir_copy_later() - make a copy when the section is over
 * @pass: the pass; a copy of a message and those for mirrors have room in it,
 *	others have been reserved, see weir_copy_fits().
 * @copy: what to copy; all but the inbox's reference, which is taken here.
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
 * weir_copy_keep() - keep room for a copy that is not made at once
 * @target: to which.
 * @m: the message.
 * @at: out: the inbox.
 * @kept: out: granules.
 *
 * To be passed to weir_copy_request(), or given back. Return: as
 * weir_target_claim().
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
	/* what there is now may be for those that wait */
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

/* Under the inbox's post.lock. */
static void weir_copy_unkeep(struct weir_ring *inbox, u32 kept)
{
	inbox->post.kept -= kept;
	inbox->post.granted -= kept;
}

/**
 * weir_copy_give() - the room that was kept for a copy is not used
 * @inbox: where.
 * @kept: granules.
 */
void weir_copy_give(struct weir_ring *inbox, u32 kept)
{
	spin_lock(&inbox->post.lock);
	weir_copy_unkeep(inbox, kept);
	weir_waiters_resume(inbox);
	spin_unlock(&inbox->post.lock);
}

/*
 * weir_copy_request() - the same for a request; @kept as in struct weir_copy,
 * @call may be NULL, the rest is as in weir_reservation_request()
 */
void weir_copy_request(struct weir_pass *pass,
		       const struct weir_reservation *at, u32 kept,
		       const struct weir_message *m, struct weir_call *call,
		       u64 name, u64 deadline_ns)
{
	const struct weir_copy copy = {
		.at = *at,
		.kept = kept,
		.from = m->payload,
		.len = m->len,
		.shape = (u64)m->kind << WEIR_KIND_SHIFT |
			 (u64)(m->flags & WEIR_REC_IDEMPOTENT) <<
			 WEIR_FLAGS_SHIFT,
		.route = (u32)name,
		.tag_key = name >> 32 | (m->tag_key & ~0xffffffffULL),
		.deadline_ns = m->deadline_ns ? deadline_ns : 0,
		.call = call,
		.name = name,
	};

	weir_copy_later(pass, &copy);
}

/* The call of a copy has ended, or is to be sent to another target. */
static bool weir_copy_over(const struct weir_copy *c)
{
	return c->call && (READ_ONCE(c->call->name) != c->name ||
			   weir_call_state(c->call) != WEIR_CALL_SENT);
}

/*
 * Takes the place of a copy, for which room was kept. Returns false when its call
 * has ended, the socket has gone, or its cursor, which has said that there is
 * room, lies.
 */
static bool weir_copy_take(struct weir_endpoint *ep, struct weir_copy *c)
{
	struct weir_ring *inbox = c->at.inbox;
	struct weir_post *post = &inbox->post;
	bool over = weir_copy_over(c), taken = false;

	spin_lock(&post->lock);
	weir_copy_unkeep(inbox, c->kept);
	if (!over)
		taken = weir_inbox_claim(inbox, (u64)c->kept * WEIR_GRANULE,
					 (u64)post->kept * WEIR_GRANULE,
					 &c->at.pos, &c->at.seq);
	if (!taken)
		weir_waiters_resume(inbox);
	spin_unlock(&post->lock);
	if (!taken && !over)
		this_cpu_inc(weir_drops[WEIR_REASON_INBOX_FULL]);
	if (!taken || !c->call)
		return taken;
	spin_lock(&ep->inbox->post.lock);
	if (!weir_copy_over(c))
		c->call->commit = c->at.pos + inbox->view.secret;
	spin_unlock(&ep->inbox->post.lock);
	return true;
}

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
	/* all is there but the header and the deadline */
	weir_reservation_show(&c->at, c->len, c->shape, c->route, c->tag_key,
			      c->deadline_ns);
}

/**
 * weir_copies_make() - make the copies of a section that is over
 * @pass: the pass.
 *
 * Not under rcu_read_lock().
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
		weir_idem_remember(pass->replied, pass->replied_to,
				   &pass->reply);
		weir_endpoint_put(pass->replied_to);
		pass->replied = NULL;
	}
}

/* weir_copies_free() - those that were reserved, made or not wanted */
void weir_copies_free(struct weir_pass *pass)
{
	if (pass->copies != pass->own)
		kfree(pass->copies);
	pass->copies = NULL;
	pass->ncopies = 0;
}
