// SPDX-License-Identifier: GPL-2.0
/*
 * A reply on its way from the target's outbox to the caller's inbox. It names a
 * call. The call must have been sent to the endpoint that replies; the reply
 * ends it. A reply that names no such call is dropped, and counted as late.
 *
 * In a section of a pass of the endpoint that replies, which is @ep here: see
 * pass.h.
 */
#include "logic/account.h"
#include "logic/breaker.h"
#include "logic/bulkhead.h"
#include "logic/calls.h"
#include "logic/hist.h"
#include "logic/retry.h"
#include "net.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/copy.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/record.h"
#include "route/reply.h"
#include "route/request.h"
#include "route/route.h"
#include "route/target.h"
#include "stats.h"
#include "weir.h"

/* Waits of a target's replies that are closer than this count as one. */
#define WEIR_WAITS_APART_NS	(10 * NSEC_PER_MSEC)

/* Accounts for @n good replies of a target, none of them slow. */
static __always_inline void weir_target_count_good(const struct weir_pass *pass,
						   struct weir_target *target,
						   const struct weir_plan *plan,
						   u32 round, u32 n)
{
	weir_bulkhead_give(&target->load.in_flight, n);
	if (plan && plan->has_breaker)
		weir_breaker_good(&target->breaker, &plan->breaker,
				  pass->served_user, pass->now_ns, round, n);
	target->replies += n;
}

/**
 * weir_pass_flush_replies() - account for the good replies that were summed up
 * @pass: the pass; pass->nserved replies of pass->served. There may be none.
 */
void weir_pass_flush_replies(struct weir_pass *pass)
{
	if (!pass->nserved)
		return;
	weir_target_count_good(pass, pass->served, pass->served_plan,
			       pass->served_round, pass->nserved);
	pass->nserved = 0;
}

/*
 * The endpoint with number @id, or NULL. Valid in this section.
 * Replies are summed up for one user.
 */
static struct weir_endpoint *weir_pass_caller(struct weir_endpoint *ep, u32 id)
{
	struct weir_pass *pass = &ep->pass;
	struct weir_endpoint *caller = pass->caller;
	u32 user;

	if (likely(caller && caller->id == id))
		return caller;
	caller = xa_load(&ep->wn->endpoints, id);
	pass->caller = caller;
	if (unlikely(!caller))
		return NULL;
	user = weir_endpoint_user(caller);
	if (user != pass->served_user) {
		weir_pass_flush_replies(pass);
		pass->served_user = user;
	}
	return caller;
}

/*
 * Accounts for one reply that is an error or slow. @took_ns: since the call.
 * The breaker does not learn of the time in which the target's replies have
 * waited for a caller.
 */
static noinline void weir_target_count_other(struct weir_pass *pass,
					     struct weir_target *target,
					     const struct weir_plan *plan,
					     u32 round, bool good, s64 took_ns)
{
	const struct weir_endpoint *ep =
		container_of(pass, struct weir_endpoint, pass);

	took_ns = weir_took_less_waits(ep, took_ns, pass->now_ns - took_ns,
				       ep->reply_wait_end_ns);
	weir_bulkhead_give(&target->load.in_flight, 1);
	if (plan && plan->has_breaker)
		weir_breaker_done(&target->breaker, &plan->breaker,
				  pass->served_user, pass->now_ns, round, good,
				  took_ns);
	target->replies++;
	target->errors += !good;
}

/* Good replies that take no longer than this are not slow; in ns. */
static __always_inline s64
weir_plan_slow_threshold_ns(const struct weir_plan *plan)
{
	return plan ? plan->slow_threshold_ns : S64_MAX;
}

/*
 * Time since a call was sent, in ns. Not negative, although the pass that sent
 * it may have begun after this one.
 */
static __always_inline s64 weir_pass_took_ns(const struct weir_pass *pass,
					     u64 sent_ns)
{
	return max_t(s64, pass->now_ns - sent_ns, 0);
}

/*
 * Accounts for a reply of a target. Good replies that are not slow are summed
 * up for weir_pass_flush_replies(). @sent_ns: when the call was sent. @round:
 * that of the target's breaker at that time, without WEIR_ROUND_SHARED.
 */
static __always_inline void weir_pass_count_reply(struct weir_pass *pass,
						  struct weir_target *target,
						  u64 sent_ns, u32 round,
						  bool good)
{
	bool other = pass->served != target || pass->served_round != round;

	if (unlikely(other)) {
		weir_pass_flush_replies(pass);
		pass->served = target;
		pass->served_round = round;
		pass->served_plan = weir_route_plan(target->route);
	}
	/* calls of one sending pass have taken equally long */
	if (unlikely(other || pass->served_sent_ns != sent_ns)) {
		s64 took_ns = weir_pass_took_ns(pass, sent_ns);

		pass->served_sent_ns = sent_ns;
		pass->served_took_ns = took_ns;
		pass->served_bucket = weir_hist_bucket(took_ns);
		pass->served_fast = took_ns <= weir_plan_slow_threshold_ns(
						       pass->served_plan);
	}
	weir_hist_count(&target->hist, pass->served_bucket);
	if (likely(good && pass->served_fast))
		pass->nserved++;
	else
		weir_target_count_other(pass, target, pass->served_plan, round,
					good, pass->served_took_ns);
}

/* weir_pass_count_reply() for a good reply with no other message behind it. */
static __always_inline void weir_fast_count_reply(struct weir_pass *pass,
						  struct weir_target *target,
						  u64 sent_ns, u32 round)
{
	const struct weir_plan *plan = weir_route_plan(target->route);
	s64 took_ns = weir_pass_took_ns(pass, sent_ns);

	weir_hist_add(&target->hist, took_ns);
	if (likely(took_ns <= weir_plan_slow_threshold_ns(plan)))
		weir_target_count_good(pass, target, plan, round, 1);
	else
		weir_target_count_other(pass, target, plan, round, true,
					took_ns);
}

/*
 * Puts a call whose target replied with an error into the queue of calls to be
 * sent again. Returns false if it may not be sent again, or not before its
 * deadline.
 */
static bool weir_call_retry(struct weir_endpoint *caller,
			    struct weir_call_entry *call,
			    const struct weir_plan *plan, u64 now_ns,
			    u32 random)
	__must_hold(&caller->inbox->post.lock)
{
	u64 due;

	lockdep_assert_held(&caller->inbox->post.lock);
	if (!call->tries || !plan || call->tries > plan->retry.tries)
		return false;
	due = now_ns + weir_retry_delay_ns(&plan->retry, call->tries,
					   random);
	if (due >= call->deadline_ns)
		return false;
	weir_call_failed_at(call, call->target->id);
	call->state = WEIR_CALL_RETRY;
	weir_call_table_retry(&caller->calls, call, due);
	weir_endpoint_arm(caller, due);
	return true;
}

/*
 * The call of the reply in a record. @rec: a committed record in the outbox of
 * @ep. @len: out: bytes of payload. Returns NULL unless the record is a small
 * plain reply to a plain call: one that @caller has sent to @ep, and that is no
 * child, no leader, and not counted for its user in weir_target.callers. Under
 * post.lock of the caller's inbox.
 */
static __always_inline struct weir_call_entry *
weir_reply_call(struct weir_endpoint *ep, struct weir_endpoint *caller,
		const struct weir_words *rec, u64 *len)
	__must_hold(&caller->inbox->post.lock)
{
	struct weir_call_entry *call;
	u64 name;

	lockdep_assert_held(&caller->inbox->post.lock);
	/* if anything but the length differs, the difference is too large */
	*len = WEIR_WORD(READ_ONCE(rec->header)) -
	       ((u64)WEIR_KIND_REPLY << WEIR_KIND_SHIFT);
	if (unlikely(*len > WEIR_BATCH_LEN))
		return NULL;
	name = WEIR_WORD(READ_ONCE(rec->seq_route)) >> 32 |
	       WEIR_WORD(READ_ONCE(rec->tag_key)) << 32;
	call = weir_call_table_find(&caller->calls, name);
	if (unlikely(!call || weir_call_state(call) != WEIR_CALL_SENT ||
		     call->target->ep != ep || call->dup ||
		     call->parent != WEIR_CALL_NONE))
		return NULL;
	return call;
}

/*
 * Delivers a batch of replies to one caller: from @pos on, as long as each is
 * small and plain, ends a plain call of @caller, and finds room in the caller's
 * inbox. They are small, so they are copied under post.lock.
 *
 * @pos: in: position of the first reply; out: end of the last one delivered.
 * @tail: end of the target's claimed records. @alone: deliver exactly one
 * reply, which must end at @tail. Returns the number of replies delivered, 0
 * to WEIR_BATCH_MAX.
 */
static __always_inline u32 weir_reply_batch(struct weir_endpoint *ep,
					    struct weir_endpoint *caller,
					    u64 *pos, u64 tail, bool alone)
{
	const struct weir_ring_view *v = &ep->outbox->view;
	const struct weir_words *rec = weir_ring_words(v, *pos);
	const u64 header = (u64)WEIR_KIND_REPLY << WEIR_KIND_SHIFT;
	const struct weir_ring_view *to = &caller->inbox->view;
	struct weir_post *post = &caller->inbox->post;
	u64 from = *pos + v->secret, end;
	u64 room, at_pos, commit, len, need;
	struct weir_words *at;
	struct weir_call_entry *call;
	u32 n, seq;

	spin_lock(&post->lock);
	/* beyond the room kept for all other answers */
	need = (u64)(post->kept - 1) * WEIR_ANSWER_BYTES;
	if (unlikely(post->limit - post->pos < tail - *pos + need))
		weir_inbox_refresh(caller->inbox, tail - *pos);
	room = max_t(s64, post->limit - post->pos - need, 0);
	end = from + min(tail - *pos, room);
	seq = post->seq;
	at = weir_ring_words(to, post->pos);
	commit = post->pos + to->secret;
	for (n = 0; n < (alone ? 1 : WEIR_BATCH_MAX) && from != end; n++) {
		if (smp_load_acquire(&rec->commit) != from)	/* (B) */
			break;
		call = weir_reply_call(ep, caller, rec, &len);
		if (unlikely(!call))
			break;
		need = weir_ring_need((u32)len);
		if (unlikely(need > end - from) ||
		    (alone && unlikely(need != tail - *pos)))
			break;
		weir_words_set(at, header, len, seq, call->handle,
			       call->tag_key);
		weir_batch_commit_next(&at, &commit, &seq, rec, len);
		if (alone)
			weir_fast_count_reply(&ep->pass, call->target,
					      call->sent_ns, call->round);
		else
			weir_pass_count_reply(&ep->pass, call->target,
					      call->sent_ns, call->round, true);
		weir_call_table_put(&caller->calls, call);
		rec = (const void *)rec + need;
		from += need;
	}
	if (likely(n)) {
		/* (A) serves lossy readers, which an inbox does not have */
		weir_inbox_take(caller->inbox, commit - to->secret - post->pos,
				n, &at_pos, &seq);
		post->kept -= n;
		weir_calls_ended(caller);
		*pos = from - v->secret;
	}
	weir_inbox_trim(post);
	spin_unlock(&post->lock);
	return n;
}

/*
 * A pass looks again at a reply that has waited for room. This charges the wait
 * to ep->blocked_payer, the account that the wait began with: by now the caller
 * may be gone, or the record may name another caller.
 *
 * The charged time ends when there was room, or two ticks after
 * ep->blocked_until_ns, since a timer is late by two ticks at most. Later time
 * is not charged: the target was late then, not the caller.
 */
static void weir_reply_waited(struct weir_endpoint *ep, u64 pos)
{
	u64 until = min3(ep->pass.now_ns, ep->blocked_until_ns + 2 * TICK_NSEC,
			 READ_ONCE(ep->waiter.room_ns));

	WRITE_ONCE(ep->reply_wait_end_ns, ep->pass.now_ns);
	if (ep->blocked_pos != pos || until <= ep->blocked_since_ns)
		return;
	weir_account_waited(ep->blocked_payer, until,
			    until - ep->blocked_since_ns);
	ep->blocked_since_ns = until;
}

/*
 * May a reply wait, or wait longer, for its caller's inbox, which has no room?
 * The replies to all other callers wait behind it. So the wait is limited, and
 * it is shorter for a user for which others have waited lately. @pos: position
 * of the reply.
 */
static bool weir_reply_patient(struct weir_endpoint *ep,
			       struct weir_endpoint *caller,
			       const struct weir_plan *plan, u64 pos)
	__must_hold(&caller->inbox->post.lock)
{
	u64 now = ep->pass.now_ns, left;

	lockdep_assert_held(&caller->inbox->post.lock);
	if (!plan)
		return false;
	if (ep->blocked_pos == pos && ep->blocked_payer == caller->account)
		return ep->blocked_until_ns > now;
	left = weir_account_patience(caller->account, plan->patience_ns, now);
	if (!left)
		return false;
	weir_endpoint_set_payer(ep, caller->account);
	ep->blocked_pos = pos;
	WRITE_ONCE(ep->blocked_until_ns, now + left);
	ep->blocked_since_ns = now;
	/* one wait soon after another counts as one */
	if (now - ep->reply_wait_end_ns > WEIR_WAITS_APART_NS)
		WRITE_ONCE(ep->reply_wait_begin_ns, now);
	return true;
}

/*
 * The reason why a reply that found no room is lost; WEIR_REASON_NONE: it
 * waits. @room: bytes that it needs, including the bytes that must stay free.
 */
static enum weir_reason weir_reply_unfit(struct weir_endpoint *ep,
					 struct weir_endpoint *caller,
					 const struct weir_target *target,
					 const struct weir_message *m, u64 room)
	__must_hold(&caller->inbox->post.lock)
{
	const struct weir_ring *inbox = caller->inbox;

	lockdep_assert_held(&caller->inbox->post.lock);
	if (m->len > weir_ring_max_len(&inbox->view))
		return WEIR_REASON_TOO_LARGE;
	if (!inbox->post.reader || !(m->flags & WEIR_REC_WAIT) ||
	    room > weir_ring_bytes(&inbox->view))
		return WEIR_REASON_INBOX_FULL;
	return weir_reply_patient(ep, caller,
				  weir_route_plan(target->route),
				  m->pos) ?
	       WEIR_REASON_NONE : WEIR_REASON_PATIENCE;
}

/*
 * Tells the caller that a reply is lost, and counts that. @more: WEIR_REC_MORE
 * or 0. The call's own granule has room for this error.
 */
static void weir_reply_lost(struct weir_endpoint *caller,
			    struct weir_target *target, u32 handle,
			    u64 tag_key, u8 more, enum weir_reason reason)
	__must_hold(&caller->inbox->post.lock)
{
	struct weir_refusal refusal = {
		.reason = reason,
		.guard = WEIR_GUARD_INBOX,
		.target = target->id,
	};

	lockdep_assert_held(&caller->inbox->post.lock);
	weir_endpoint_refusal(caller, handle, tag_key, more, &refusal);
	weir_refused(target->route, (u32)tag_key, &refusal);
}

/*
 * Notes the reply to a leader: weir_copies_make() remembers it after the
 * section.
 */
static void weir_reply_keep(struct weir_pass *pass,
			    struct weir_endpoint *caller,
			    struct weir_call_entry *call,
			    const struct weir_message *m)
	__must_hold(&caller->inbox->post.lock)
{
	lockdep_assert_held(&caller->inbox->post.lock);
	pass->replied = call->dup;
	pass->replied_to = caller;
	/* it has an open call, and post.lock is held: it is not being freed */
	weir_endpoint_get(caller);
	call->dup = NULL;
	pass->reply.from = m->payload;
	pass->reply.len = m->len;
	pass->reply.kind = m->kind;
}

/*
 * Copies a reply into its space and commits it; a large one after the section.
 * @flags, @handle, @tag_key: of the new record.
 */
static void weir_reply_fill(struct weir_pass *pass,
			    const struct weir_reservation *at,
			    const struct weir_message *m, u8 flags, u32 handle,
			    u64 tag_key)
{
	const struct weir_copy copy = {
		.at = *at,
		.from = m->payload,
		.len = m->len,
		.header = (u64)m->kind << WEIR_KIND_SHIFT |
			 (u64)flags << WEIR_FLAGS_SHIFT,
		.route = handle,
		.tag_key = tag_key,
	};

	if (m->len > WEIR_PIECE_BYTES)
		weir_copy_later(pass, &copy);
	else
		weir_reservation_fill(at, m->payload, m->len, copy.header,
				      handle, tag_key);
}

/*
 * A child of a fan-out call is over. @flags, and what it returns, are those of
 * weir_call_child_done().
 */
static noinline bool weir_reply_child(struct weir_pass *pass,
				      struct weir_endpoint *caller,
				      struct weir_call_entry *call, bool good,
				      u8 *flags)
	__must_hold(&caller->inbox->post.lock)
{
	bool delivered = weir_call_child_done(caller, call, good, flags);

	lockdep_assert_held(&caller->inbox->post.lock);
	/* ending a sibling costs as much as asking its target */
	pass->steps += caller->ended * WEIR_STEPS_ASK;
	weir_endpoint_unawaited(caller);
	return delivered;
}

/*
 * Delivers one reply or error of any kind. @caller: the endpoint that its call
 * names. Returns WEIR_DELIVERED also when the message has been dropped, or when
 * its call is sent again; or WEIR_WAIT.
 */
static enum weir_outcome weir_reply_to(struct weir_endpoint *ep,
				       struct weir_endpoint *caller,
				       const struct weir_message *m)
{
	u64 name = m->route | m->tag_key << 32, sent_ns, tag_key, keep;
	bool good = m->kind == WEIR_KIND_REPLY, fits, delivered = true;
	struct weir_pass *pass = &ep->pass;
	struct weir_target *target;
	struct weir_reservation at;
	struct weir_call_entry *call;
	struct weir_post *post = &caller->inbox->post;
	u32 total, round, handle;
	enum weir_reason lost = WEIR_REASON_NONE;
	u8 flags = 0;

	if (weir_copy_left(pass, m->len))
		return WEIR_WAIT;
	total = weir_ring_need(m->len);
	spin_lock(&post->lock);
	call = weir_call_table_find(&caller->calls, name);
	if (unlikely(!call || weir_call_state(call) != WEIR_CALL_SENT ||
		     call->target->ep != ep)) {
		spin_unlock(&post->lock);
		/* the call is over, or was never sent to this endpoint */
		this_cpu_inc(weir_drops[WEIR_REASON_LATE]);
		return WEIR_DELIVERED;
	}
	/* remembering it needs memory: not in a polling thread */
	if (unlikely(call->dup) && good &&
	    pass->dispatcher == WEIR_DISPATCH_POLL) {
		spin_unlock(&post->lock);
		pass->left_over = true;
		return WEIR_WAIT;
	}
	target = call->target;
	sent_ns = call->sent_ns;
	round = call->round;
	if (!good && weir_call_retry(caller, call,
				     weir_route_plan(target->route),
				     pass->now_ns, weir_pass_random(ep))) {
		spin_unlock(&post->lock);
		goto replied;
	}
	/* beyond the room kept for all other answers */
	keep = (u64)(post->kept - 1) * WEIR_ANSWER_BYTES;
	at.inbox = caller->inbox;
	fits = weir_inbox_claim(caller->inbox, total, keep, &at.pos, &at.seq);
	if (unlikely(!fits)) {
		lost = weir_reply_unfit(ep, caller, target, m, total + keep);
		if (!lost) {
			spin_unlock(&post->lock);
			return weir_pass_wait(pass, caller->inbox,
					      total - WEIR_ANSWER_BYTES);
		}
	}
	handle = call->handle;
	tag_key = call->tag_key;
	post->kept--;
	if (unlikely(call->dup) && good)
		weir_reply_keep(pass, caller, call, m);
	if (unlikely(weir_call_is_child(call)))
		delivered = weir_reply_child(pass, caller, call, good, &flags);
	else
		weir_call_end(caller, call);
	if (unlikely(!fits) && delivered)
		weir_reply_lost(caller, target, handle, tag_key, flags, lost);
	spin_unlock(&post->lock);
	if (likely(fits)) {
		if (likely(delivered))
			weir_reply_fill(pass, &at, m, flags, handle, tag_key);
		else
			weir_reservation_abort(&at, total);
	}
	weir_pass_touch(pass, caller->inbox);
replied:
	if (unlikely(round & WEIR_ROUND_SHARED))
		weir_bulkhead_give(weir_target_own(target, caller), 1);
	weir_pass_count_reply(pass, target, sent_ns, weir_round(round), good);
	return WEIR_DELIVERED;
}

/*
 * Handles one reply or error of any kind. @caller: the endpoint that called;
 * NULL if it is gone. Returns as weir_reply_to().
 */
static noinline enum weir_outcome weir_reply_one(struct weir_endpoint *ep,
						 struct weir_endpoint *caller,
						 const struct weir_message *m)
{
	if (unlikely(ep->blocked_payer))
		weir_reply_waited(ep, m->pos);
	if (!caller) {
		this_cpu_inc(weir_drops[WEIR_REASON_LATE]);
		return WEIR_DELIVERED;
	}
	return weir_reply_to(ep, caller, m);
}

/**
 * weir_reply_route() - route replies and errors of a target
 * @ep: the endpoint that replies.
 * @m: in: the first reply; out: the batch of replies that were delivered with
 *	it.
 * @tail: end of the records that the target has claimed in its outbox.
 *
 * Return: WEIR_DELIVERED when ep->pass.used replies, at least one, have been
 * delivered or dropped. WEIR_WAIT: the pass has to wait for room in the
 * caller's inbox, or leaves the reply to a worker.
 */
enum weir_outcome weir_reply_route(struct weir_endpoint *ep,
				   struct weir_message *m, u64 tail)
{
	struct weir_endpoint *caller;
	u64 pos = m->pos;
	u32 done = 0;

	if (unlikely(!(m->route | (u32)m->tag_key)))
		return WEIR_DELIVERED;	/* name 0: the answer to an event */
	caller = weir_pass_caller(ep, m->route & WEIR_ENDPOINT_MASK);
	/* a wait is charged first, in weir_reply_one() */
	if (likely(caller && m->kind == WEIR_KIND_REPLY && !ep->blocked_payer))
		done = weir_reply_batch(ep, caller, &pos, tail, false);
	if (unlikely(!done))
		return weir_reply_one(ep, caller, m);
	m->n = done;
	m->end = pos;
	ep->pass.used = done;
	weir_pass_touch(&ep->pass, caller->inbox);
	return WEIR_DELIVERED;
}

/**
 * weir_reply_fast() - deliver a reply that has no other message behind it
 * @ep: the endpoint that replies; ep->pass.now_ns is the current time.
 * @end: end of the record at ep->pos, which is committed.
 *
 * The reply is delivered if it is small and plain, ends a plain call, and finds
 * room in the caller's inbox.
 *
 * Return: true when it has been delivered. On false it is still at ep->pos, and
 * weir_reply_route() must handle it.
 */
bool weir_reply_fast(struct weir_endpoint *ep, u64 end)
{
	const struct weir_words *rec = weir_ring_words(&ep->outbox->view,
						       ep->pos);
	struct weir_endpoint *caller;
	u64 pos = ep->pos;

	caller = xa_load(&ep->wn->endpoints,
			 WEIR_WORD(READ_ONCE(rec->seq_route)) >> 32 &
			 WEIR_ENDPOINT_MASK);
	if (!caller || unlikely(ep->blocked_payer))
		return false;
	/* nothing is summed up here */
	ep->pass.served_user = weir_endpoint_user(caller);
	if (!weir_reply_batch(ep, caller, &pos, end, true))
		return false;
	WRITE_ONCE(ep->pos, end);
	weir_endpoint_release(ep);
	smp_mb();						/* (C) */
	weir_inbox_wake_fenced(caller->inbox);
	weir_ring_moved(ep->outbox, U64_MAX);
	return true;
}
