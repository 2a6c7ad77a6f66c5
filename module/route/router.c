// SPDX-License-Identifier: GPL-2.0
/*
 * A dispatch pass over an outbox. The router reads the records that a socket
 * has committed and hands them on, a batch at a time, in sections under one
 * rcu_read_lock_bh(). After each section the router wakes the readers of the
 * inboxes that it wrote to, gives space of the outbox back, and adds slots for
 * calls if a message found too few. Where a message has to wait for room in an
 * inbox, the pass ends, and goes on when there is room.
 *
 * The owner of an outbox may write anything into a record at any time. So the
 * router loads each header word that it checks once, and uses that copy alone.
 * Payloads are copied and not looked at.
 *
 * Process context.
 */
#include <linux/sched/signal.h>

#include "logic/calls.h"
#include "race.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/copy.h"
#include "route/dispatch_lock.h"
#include "route/dup_call.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/poller.h"
#include "route/record.h"
#include "route/reply.h"
#include "route/request.h"
#include "route/router.h"
#include "route/waiter.h"
#include "route/worker.h"
#include "tenant.h"
#include "weir.h"

/* Bytes of a polled user's share that one step at a target costs. */
#define WEIR_STEP_BYTES	8

/*
 * The messages that a closed socket has left wait for room in inboxes no
 * longer than this, all together. So its callers find another target within
 * 200 ms.
 */
#define WEIR_LAST_NS	(100 * NSEC_PER_MSEC)

/* Tries to get a lock that is taken, before the thread sleeps. */
#define WEIR_DISPATCH_SPINS	256

/*
 * Wakes the readers of the inboxes that the section wrote to. The section keeps
 * the inboxes.
 */
void weir_pass_wake(struct weir_pass *pass)
{
	u32 i;

	if (!pass->ndirty_inboxes)
		return;
	smp_mb();						/* (C) */
	for (i = 0; i < pass->ndirty_inboxes; i++) {
		if (weir_inbox_wake_fenced(pass->dirty_inboxes[i]))
			pass->steps += WEIR_STEPS_WAKE;
	}
	pass->ndirty_inboxes = 0;
}

/*
 * Ends a section, with BH still disabled: accounts for replies, wakes readers,
 * gives unused tokens back, and forgets all that only the section keeps.
 */
void weir_pass_pause(struct weir_pass *pass)
{
	if (pass->nserved)
		weir_pass_flush_replies(pass);
	pass->served = NULL;
	if (pass->ndirty_inboxes)
		weir_pass_wake(pass);
	if (pass->rate_limit && pass->tokens)
		weir_pass_tokens_back(pass);
	pass->rate_limit = NULL;
	pass->tokens = 0;
	pass->caller = NULL;
}

/**
 * weir_pass_begin() - prepare the pass of an endpoint for a section
 * @ep: the endpoint. The caller holds its dispatch_lock until
 *	weir_pass_settle() has returned.
 * @dispatcher: the kind of thread that routes.
 *
 * Does not sleep.
 */
void weir_pass_begin(struct weir_endpoint *ep, enum weir_dispatcher dispatcher)
	__must_hold(&ep->dispatch_lock)
{
	struct weir_pass *pass = &ep->pass;

	lockdep_assert_held(&ep->dispatch_lock);
	weir_call_table_prune(&ep->calls);
	WRITE_ONCE(ep->waits_for_slot, false);
	pass->now_ns = ktime_get_ns();
	pass->slots = 0;
	pass->steps = 0;
	pass->left = 1;
	pass->each = 1;
	pass->tokens = 0;
	pass->rate_limit = NULL;
	pass->caller = NULL;
	pass->dup = NULL;
	pass->open_plan = NULL;
	pass->wait_for = NULL;
	pass->dispatcher = dispatcher;
	pass->left_over = false;
	pass->ndirty_inboxes = 0;
}

/**
 * weir_pass_settle() - finish a section: give space back, wake the sleepers
 * @ep: the endpoint.
 *
 * Not in a section. Does not sleep.
 */
void weir_pass_settle(struct weir_endpoint *ep)
	__must_hold(&ep->dispatch_lock)
{
	lockdep_assert_held(&ep->dispatch_lock);
	if (unlikely(ep->answers)) {
		/* reserved ahead, for more requests than there were */
		spin_lock_bh(&ep->inbox->post.lock);
		ep->inbox->post.kept -= ep->answers;
		weir_waiters_resume(ep->inbox);
		spin_unlock_bh(&ep->inbox->post.lock);
		ep->answers = 0;
	}
	weir_endpoint_release(ep);
	smp_mb();						/* (C) */
	if (READ_ONCE(weir_ring_status(ep->inbox)->wake) & WEIR_WAKE_READERS)
		weir_inbox_wake(ep->inbox);
	weir_ring_moved(ep->outbox, U64_MAX);
}

/* Refuses a record that is malformed or of an unknown kind. */
static noinline enum weir_outcome weir_refuse_bad(struct weir_endpoint *ep,
						  const struct weir_message *m)
{
	struct weir_message bad = *m;

	bad.kind &= ~WEIR_MESSAGE_BAD;
	return weir_refuse_message(ep, &bad, NULL, NULL,
				   WEIR_REASON_BAD_REQUEST, 0);
}

/*
 * Routes a batch by its kind. @tail: end of what the owner of the outbox has
 * claimed. Returns WEIR_DELIVERED or WEIR_WAIT.
 */
static __always_inline enum weir_outcome
weir_pass_batch(struct weir_endpoint *ep, struct weir_message *m, u64 tail)
{
	switch (m->kind) {
	case WEIR_KIND_REQUEST:
	case WEIR_KIND_EVENT:
		return weir_request_route(ep, m);
	case WEIR_KIND_REPLY:
	case WEIR_KIND_ERROR:
		return weir_reply_route(ep, m, tail);
	}
	return weir_refuse_bad(ep, m);
}

/*
 * Adds to a batch the small messages that follow its first, with the same kind,
 * flags and handle. @tail: as above.
 */
static __always_inline void weir_batch_gather(struct weir_pass *pass,
					      const struct weir_ring_view *v,
					      struct weir_message *m, u64 tail)
{
	u64 like = (u64)m->kind << WEIR_KIND_SHIFT |
		   (u64)m->flags << WEIR_FLAGS_SHIFT;
	const struct weir_words *rec = weir_ring_words(v, m->pos);
	u64 len, need = m->total, end = m->end, secret = v->secret;
	const u32 handle = m->route;
	u32 n;

	pass->lens[0] = m->len;
	pass->ends[0] = end;
	for (n = 1; n < WEIR_BATCH_MAX && end < tail; n++) {
		rec = (const void *)rec + need;
		if (smp_load_acquire(&rec->commit) != end + secret)	/* (B) */
			break;
		/* with another kind or flags the difference is far too large */
		len = WEIR_WORD(READ_ONCE(rec->header)) - like;
		if (len > WEIR_BATCH_LEN ||
		    READ_ONCE(((const struct weir_record *)rec)->route) !=
		    handle)
			break;
		need = weir_ring_need((u32)len);
		end += need;
		pass->lens[n] = len;
		pass->ends[n] = end;
	}
	/* the last length may reach beyond the tail */
	if (unlikely((s64)(tail - end) < 0)) {
		end -= need;
		n--;
	}
	m->n = n;
	m->end = end;
	m->lens = pass->lens;
	m->ends = pass->ends;
}

/**
 * enum weir_section - why a section of a pass has ended
 * @WEIR_SECTION_MORE: it was long enough, and there may be more to route.
 * @WEIR_SECTION_NONE: no more is committed.
 * @WEIR_SECTION_WAIT: the pass has to wait, or leaves a message to a worker.
 * @WEIR_SECTION_BROKEN: the outbox is broken.
 */
enum weir_section {
	WEIR_SECTION_MORE,
	WEIR_SECTION_NONE,
	WEIR_SECTION_WAIT,
	WEIR_SECTION_BROKEN,
};

/*
 * Reads the record at *@pos, and the small ones behind it that make a batch
 * with it. @tail: as above. Aborted records are skipped: *@pos moves behind
 * them. Returns WEIR_SECTION_MORE when there is a batch, and another value, or
 * *@m without messages, when there is none.
 */
static __always_inline enum weir_section
weir_section_next(struct weir_pass *pass, const struct weir_ring_view *v,
		  u64 *pos, u64 tail, struct weir_message *m)
{
	if (*pos == tail)
		return WEIR_SECTION_NONE;
	switch (weir_message_read(v, pos, m)) {
	case WEIR_READ_ONE:
		break;
	case WEIR_READ_NONE:
		return WEIR_SECTION_NONE;
	case WEIR_READ_MORE:
		m->n = 0;
		return WEIR_SECTION_MORE;
	case WEIR_READ_BROKEN:
		return WEIR_SECTION_BROKEN;
	}
	if (unlikely((s64)(tail - *pos) < (s64)m->total)) {
		m->n = 0;
		/* behind aborted ones: the tail is old */
		return (s64)(tail - *pos) <= 0 ? WEIR_SECTION_MORE :
						 WEIR_SECTION_BROKEN;
	}
	if (unlikely(weir_copy_left(pass, m->total)))
		return WEIR_SECTION_WAIT;
	if (m->end != tail && m->small &&
	    (m->kind == WEIR_KIND_REQUEST || m->kind == WEIR_KIND_EVENT))
		weir_batch_gather(pass, v, m, tail);
	return WEIR_SECTION_MORE;
}

/* One section of a pass, under one rcu_read_lock_bh(). */
static enum weir_section weir_pass_section(struct weir_endpoint *ep)
{
	struct weir_ring_view *v = &ep->outbox->view;
	struct weir_pass *pass = &ep->pass;
	u64 pos = ep->pos, begin = pos, tail;
	struct weir_message m;
	enum weir_section ret;
	u32 seq, n, done = 0;

	if (weir_ring_tail(v, &tail, &seq) || tail - pos > weir_ring_bytes(v))
		return WEIR_SECTION_BROKEN;
	pass->ahead = 0;
	rcu_read_lock_bh();
	for (m.n = 0; ; pos = m.pos) {
		if (!m.n) {
			ret = weir_section_next(pass, v, &pos, tail, &m);
			if (ret != WEIR_SECTION_MORE || unlikely(!m.n))
				break;
		}
		pass->left = tail - pos;
		pass->each = m.total;
		if (!pass->ahead)
			pass->ahead = weir_pass_ahead(pass);
		pass->used = 1;
		n = m.n;
		if (unlikely(weir_pass_batch(ep, &m, tail) == WEIR_WAIT)) {
			ret = WEIR_SECTION_WAIT;
			pos = m.pos;
			break;
		}
		/* the message that there were too few slots for is done */
		if (unlikely(pass->no_slots))
			pass->no_slots = WEIR_REASON_NONE;
		/* nor does it wait for its caller's inbox any more */
		if (unlikely(ep->blocked_payer))
			weir_endpoint_set_payer(ep, NULL);
		/* a leader that waited has been refused meanwhile */
		if (unlikely(ep->blocked_dup)) {
			weir_dup_call_complete(ep->blocked_dup);
			ep->blocked_dup = NULL;
		}
		weir_batch_drop(v, &m, pass->used);
		done += n - m.n;
		ret = WEIR_SECTION_MORE;
		if (done >= WEIR_PASS_MESSAGES || unlikely(pass->ncopies) ||
		    unlikely(pass->replied) ||
		    m.pos - begin >= WEIR_PASS_BYTES ||
		    pass->steps > WEIR_STEPS_MAX) {
			pos = m.pos;
			break;
		}
	}
	weir_pass_pause(&ep->pass);
	rcu_read_unlock_bh();
	WRITE_ONCE(ep->pos, pos);
	return ret;
}

/*
 * Fast path for a message that no other follows yet: a caller that waits for
 * each answer sends such messages, and so does the target that answers. Common
 * messages are routed here, as in a section. @seen: position at which a
 * committed record has been seen. Returns false for all other messages, to
 * which nothing has been done.
 */
static __always_inline bool weir_pass_fast(struct weir_endpoint *ep, u64 seen)
{
	const struct weir_ring_view *v = &ep->outbox->view;
	u64 pos = ep->pos, tail, end, header;
	bool done = false;
	u32 seq;

	if ((pos != seen && !weir_committed(v, pos)) || weir_ring_tail(v, &tail, &seq) ||
	    tail - pos > weir_ring_bytes(v) || unlikely(ep->blocked_dup))
		return false;
	header = WEIR_WORD(READ_ONCE(weir_ring_words(v, pos)->header));
	end = pos + weir_ring_need((u32)header);
	if (!weir_header_short(header) || (s64)(tail - end) < 0 ||
	    (tail != end && weir_committed(v, end)))
		return false;
	WRITE_ONCE(ep->waits_for_slot, false);
	ep->pass.now_ns = ktime_get_ns();
	rcu_read_lock_bh();
	switch ((u8)(header >> WEIR_KIND_SHIFT)) {
	case WEIR_KIND_REQUEST:
		done = weir_request_fast(ep, header);
		break;
	case WEIR_KIND_EVENT:
		done = weir_event_fast(ep, header);
		break;
	case WEIR_KIND_REPLY:
		done = weir_reply_fast(ep, end);
		break;
	}
	rcu_read_unlock_bh();
	return done;
}

/*
 * Is there nothing to route? A socket that has only read its inbox kicks, too,
 * and a worker looks after calls have ended. Then there may be space of the
 * outbox to give back, which this does.
 */
static bool weir_pass_nothing(struct weir_endpoint *ep)
{
	u64 tail;
	u32 seq;

	if (weir_ring_tail(&ep->outbox->view, &tail, &seq) ||
	    tail != ep->pos)
		return false;
	weir_pass_settle(ep);
	return true;
}

/*
 * weir_dispatch_lock_wait() - slow path of weir_dispatch_lock(): the lock is
 * taken
 *
 * May sleep.
 */
void weir_dispatch_lock_wait(struct weir_dispatch_lock *l)
{
	u32 n;

	might_sleep();
	/* most passes are shorter than a sleep */
	for (n = 0; n < WEIR_DISPATCH_SPINS && !need_resched(); n++) {
		if (!(READ_ONCE(l->word) & BIT(WEIR_DISPATCH_LOCKED)) &&
		    weir_dispatch_take(l))
			return;
		cpu_relax();
	}
	wait_event(l->wait, weir_dispatch_take_or(l, WEIR_DISPATCH_WAITED));
}

/*
 * weir_dispatch_wanted() - slow path of weir_dispatch_unlock(): wake the
 * threads that sleep for the lock, and call a worker that found it taken
 */
void weir_dispatch_wanted(struct weir_endpoint *ep)
{
	struct weir_dispatch_lock *l = &ep->dispatch_lock;

	if (test_and_clear_bit(WEIR_DISPATCH_WAITED, &l->word))
		wake_up(&l->wait);
	if (test_and_clear_bit(WEIR_DISPATCH_LATER, &l->word))
		weir_endpoint_queue(ep);
}

/* Arms the timer for the time at which the message that waits is given up. */
static void weir_endpoint_arm_blocked(struct weir_endpoint *ep)
{
	struct weir_post *post = &ep->inbox->post;

	spin_lock_bh(&post->lock);
	if (ep->blocked_pos == ep->pos)
		weir_endpoint_arm(ep, ep->blocked_until_ns);
	spin_unlock_bh(&post->lock);
}

/*
 * Does this thread leave the message in hand to a worker? A polling thread does
 * when the message has to wait or needs more slots; a thread that closes the
 * socket, when it needs more slots. Nothing has been done to the message yet.
 */
static bool weir_pass_leaves(struct weir_endpoint *ep, enum weir_section ret)
{
	struct weir_pass *pass = &ep->pass;
	bool leaves = pass->dispatcher == WEIR_DISPATCH_POLL ?
		      ret == WEIR_SECTION_WAIT || pass->slots :
		      pass->dispatcher == WEIR_DISPATCH_OWNER &&
		      ep->last_pos && pass->slots;

	if (!leaves)
		return false;
	pass->left_over = true;
	pass->slots = 0;
	weir_pass_forget(pass);
	return true;
}

/*
 * Routes an outbox in one section or more. After @end no more section begins.
 * May sleep. Returns whether there is more to route that need not wait.
 */
static noinline bool weir_pass_run(struct weir_endpoint *ep, u64 end,
				   enum weir_dispatcher dispatcher)
{
	const u64 begin = ep->pos;
	struct weir_pass *pass = &ep->pass;
	enum weir_section ret;

	do {
		weir_pass_begin(ep, dispatcher);
		ret = weir_pass_section(ep);
		/* before the space of the payloads is given back */
		if (unlikely(pass->ncopies) || unlikely(pass->replied))
			weir_copies_make(pass);
		if (unlikely(pass->digest.from)) {
			weir_dup_digest_make(&pass->digest);
			ret = WEIR_SECTION_MORE;
		}
		weir_pass_settle(ep);
		if (unlikely(ret == WEIR_SECTION_BROKEN))
			weir_ring_break(ep->outbox, WEIR_REASON_BAD_RECORD);
		if (unlikely(weir_pass_leaves(ep, ret)))
			break;
		if (unlikely(pass->slots) && weir_endpoint_more(ep)) {
			ret = WEIR_SECTION_MORE;
			weir_pass_forget(pass);
		}
		if (unlikely(pass->wait_for)) {
			/* room was granted to the message at @begin alone */
			if (ep->pos != begin)
				ep->waiter.again = 0;
			weir_waiter_wait(&ep->waiter, pass->wait_for,
					 pass->wait_bytes);
			weir_endpoint_arm_blocked(ep);
			weir_pass_forget(pass);
		}
		cond_resched();
	} while (ret == WEIR_SECTION_MORE && (s64)(end - ep->pos) > 0 &&
		 !fatal_signal_pending(current));
	if (unlikely(pass->left_over))
		weir_endpoint_queue(ep);
	return ret == WEIR_SECTION_MORE;
}

/* The waiter for room looks again, and requests that are due are sent again. */
static noinline void weir_pass_resume(struct weir_endpoint *ep)
{
	weir_waiter_recheck(&ep->waiter);
	weir_endpoint_retries(ep, WEIR_DISPATCH_OWNER);
}

/*
 * Has the rest routed later: by the polling thread that looks at the outbox, or
 * else by a worker. Both at once would give the user two shares. No thread
 * polls an outbox that has ended.
 */
static void weir_pass_later(struct weir_endpoint *ep)
{
	if (READ_ONCE(ep->poller) && weir_ring_live(ep->outbox))
		weir_poll_kick(ep);
	else
		weir_endpoint_queue(ep);
}

/*
 * A pass over a ring's length at most; one section if it is the @last.
 * ep->owner is there.
 */
static __always_inline void weir_pass_owned(struct weir_endpoint *ep,
					    bool last)
	__must_hold(&ep->dispatch_lock)
{
	lockdep_assert_held(&ep->dispatch_lock);
	weir_race_point(route_owned);
	if (unlikely(ep->waiter.inbox) ||
	    unlikely(weir_call_table_retrying(&ep->calls)))
		weir_pass_resume(ep);
	if (!weir_pass_fast(ep, ~0ULL) && !weir_pass_nothing(ep) &&
	    weir_pass_run(ep, ep->pos + (last ? 1 :
			  weir_ring_bytes(&ep->outbox->view)),
			  WEIR_DISPATCH_OWNER))
		weir_pass_later(ep);
	if (unlikely(ep->waiter.inbox))
		weir_waiter_done(&ep->waiter);
}

/**
 * weir_pass_dispatch() - route the records that a socket has committed
 * @ep: the socket's endpoint.
 *
 * For a system call of the owner; may sleep. Routes a ring's length at most, or
 * until a message has to wait for room: a worker goes on when there is room.
 * Large messages are left to a worker.
 */
void weir_pass_dispatch(struct weir_endpoint *ep)
{
	weir_dispatch_lock(&ep->dispatch_lock);
	if (likely(ep->owner))
		weir_pass_owned(ep, false);
	weir_dispatch_unlock(ep);
}

/*
 * Is there nothing more to route up to ep->last_pos, or is the outbox broken?
 * For a socket that is being closed.
 */
static bool weir_pass_done(struct weir_endpoint *ep)
{
	return weir_ring_status(ep->outbox)->state == WEIR_STATE_BROKEN ||
	       (s64)(ep->last_pos - ep->pos) <= 0 || weir_pass_nothing(ep);
}

/**
 * weir_pass_last() - route the last records of a socket that is being closed
 * @ep: the socket's endpoint; nobody writes to its outbox any more.
 *
 * Routes one section at most: the thread may be one that has nothing to do with
 * the socket, and cannot be killed here. May sleep.
 *
 * Return: whether a worker has to go on: with further records, with a claim of
 * a thread that died, with large messages, or with a message that waits for
 * room.
 */
bool weir_pass_last(struct weir_endpoint *ep)
{
	bool done;

	weir_dispatch_lock(&ep->dispatch_lock);
	ep->last_pos = ep->pos + weir_ring_bytes(&ep->outbox->view);
	weir_pass_owned(ep, true);
	done = weir_pass_done(ep);
	weir_dispatch_unlock(ep);
	return !done;
}

/*
 * Skips the message that a closed socket's pass waits with. If it is a reply,
 * its caller is told later that the target died. If a thread died with the
 * claim in hand, other threads may have committed records behind it, so the
 * ring is repaired, once: this makes the claim a record to pass over. Returns
 * false when there is nothing more to route.
 */
static bool weir_pass_skip(struct weir_endpoint *ep)
{
	const struct weir_refusal refusal = {
		.reason = WEIR_REASON_INBOX_FULL,
	};
	u64 pos = ep->pos;
	struct weir_message m;
	enum weir_read ret;

	ret = weir_message_read(&ep->outbox->view, &pos, &m);
	if (ret == WEIR_READ_NONE && !ep->repaired) {
		ep->repaired = true;
		return !weir_ring_repair(ep->outbox);
	}
	if (ret != WEIR_READ_ONE || (s64)(ep->last_pos - pos) < (s64)m.total)
		return false;
	WRITE_ONCE(ep->pos, pos + m.total);
	weir_endpoint_set_payer(ep, NULL);
	if (ep->blocked_dup) {
		weir_dup_call_complete(ep->blocked_dup);
		ep->blocked_dup = NULL;
	}
	weir_refused(NULL, (u32)m.tag_key, &refusal);
	return true;
}

/*
 * Goes on with the outbox of a closed socket, in a worker. Its messages wait
 * for room until ep->last_ns, which is set when the first one waits. After that
 * a message that finds no room is skipped, and the pass tries the next one. A
 * message that waits for room in the socket's own inbox is skipped at once:
 * nobody is left to read an answer.
 * @more: the pass has not come to a message that waits. When all is done, a job
 * ends the endpoint in another worker, because that takes a look at all open
 * calls of other users.
 */
static void weir_pass_drain(struct weir_endpoint *ep, bool more)
{
	struct weir_waiter *w = &ep->waiter;
	struct weir_post *post = &ep->inbox->post;
	bool done = weir_pass_done(ep), waits;
	u64 now = ktime_get_ns();
	u32 n;

	waits = !done && !more && w->waits && w->inbox != ep->inbox;
	if (waits && ep->last_ns == U64_MAX)
		ep->last_ns = now + WEIR_LAST_NS;
	if (waits && now < ep->last_ns) {
		spin_lock_bh(&post->lock);
		weir_endpoint_arm(ep, ep->last_ns);
		spin_unlock_bh(&post->lock);
		return;
	}
	for (n = 0; !done && !more && n < WEIR_PASS_MESSAGES; n++) {
		if (!weir_pass_skip(ep))
			done = true;
		else if (weir_pass_done(ep))
			done = true;
		else
			more = weir_pass_run(ep, ep->pos + 1,
					     WEIR_DISPATCH_WORKER);
	}
	if (!done) {
		weir_endpoint_queue(ep);
		return;
	}
	ep->last_ns = 0;
	weir_jobs_add(&ep->tenant->ends, &ep->end);
}

/**
 * weir_pass_work() - do all that is to be done later for an endpoint
 * @ep: the endpoint.
 *
 * In a worker of the endpoint's user; may sleep. One section each: calls whose
 * deadlines are over, requests to be sent again, and the outbox.
 */
void weir_pass_work(struct weir_endpoint *ep)
{
	bool more;

	/* the worker does not wait for a pass: it is called when that ends */
	if (!weir_dispatch_trylock_later(&ep->dispatch_lock))
		return;
	if (ep->owner) {
		/* before the grant of room for this pass expires */
		weir_waiter_here(&ep->waiter);
		weir_endpoint_handle_due(ep);
		weir_waiter_recheck(&ep->waiter);
		more = !weir_pass_nothing(ep) &&
		       weir_pass_run(ep, ep->pos + 1, WEIR_DISPATCH_WORKER);
		if (ep->last_ns)
			weir_pass_drain(ep, more);
		else if (more)
			weir_pass_later(ep);
		weir_waiter_done(&ep->waiter);
	}
	weir_dispatch_unlock(ep);
}

/**
 * weir_pass_poll() - route a part of an outbox, in a polling thread
 * @ep: the endpoint; the thread has seen a committed record.
 * @pos: position of that record.
 *
 * Routes one section, unless another thread holds dispatch_lock or the pass
 * waits for room. A message that takes long is left to a worker of the user.
 */
void weir_pass_poll(struct weir_endpoint *ep, u64 pos)
{
	if (!weir_dispatch_trylock(&ep->dispatch_lock))
		return;
	/* ep->owner is there: an endpoint that is closed is not polled */
	if (likely(!ep->waiter.waits) && !weir_pass_fast(ep, pos) &&
	    !weir_pass_nothing(ep)) {
		weir_pass_run(ep, ep->pos + 1, WEIR_DISPATCH_POLL);
		weir_poll_took(ep, ep->pass.steps * WEIR_STEP_BYTES);
	}
	weir_dispatch_unlock(ep);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_pass_wake);
EXPORT_SYMBOL_IF_KUNIT(weir_pass_dispatch);
#endif
