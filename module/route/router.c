// SPDX-License-Identifier: GPL-2.0
/*
 * A dispatch pass over an outbox: the router reads what a socket has committed and
 * hands it on, a batch of records at a time, in sections under one
 * rcu_read_lock(). Before each it makes room for calls; after each it wakes who
 * has got something, gives the outbox's space back, and, where a message has to
 * wait for room in an inbox, has itself called again when there is.
 *
 * A record in an outbox is the word of its owner: what is checked of a header
 * is loaded once, and only what was loaded is used. Payloads are copied and not
 * looked at.
 *
 * Process context.
 */
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "race.h"
#include "route/request.h"

/* A look at a target counts as so many bytes of a polled user's share. */
#define WEIR_LOOK_BYTES	8

/* Looks at a lock that is taken, before whoever wants it sleeps. */
#define WEIR_DISPATCH_SPINS	256

/* Those that rcu_read_lock() keeps. */
void weir_pass_wake(struct weir_pass *pass)
{
	u32 i;

	if (!pass->ndirty_inboxes)
		return;
	smp_mb();						/* (C) */
	for (i = 0; i < pass->ndirty_inboxes; i++)
		weir_inbox_wake_fenced(pass->dirty_inboxes[i]);
	pass->ndirty_inboxes = 0;
}

/* The end of a section: what is only valid under its rcu_read_lock() goes. */
void weir_pass_pause(struct weir_pass *pass)
{
	if (pass->nserved)
		weir_pass_served(pass);
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
 * weir_route_begin() - begin a pass
 * @ep: whose; its dispatch_lock is held until weir_route_settle() and after.
 * @dispatcher: who does.
 */
void weir_route_begin(struct weir_endpoint *ep, enum weir_dispatcher dispatcher)
{
	struct weir_pass *pass = &ep->pass;

	weir_calls_prune(&ep->calls);
	ep->waits_for_slot = false;
	pass->now_ns = ktime_get_ns();
	pass->slots = 0;
	pass->looks = 0;
	pass->left = 1;
	pass->each = 1;
	pass->tokens = 0;
	pass->rate_limit = NULL;
	pass->caller = NULL;
	pass->idem = NULL;
	pass->wait_for = NULL;
	pass->dispatcher = dispatcher;
	pass->left_over = false;
	pass->ndirty_inboxes = 0;
}

/**
 * weir_route_settle() - end a pass: give space back, wake who waits
 * @ep: whose pass it was.
 */
void weir_route_settle(struct weir_endpoint *ep)
{
	if (unlikely(ep->answers)) {
		/* kept for messages that were not what the first was */
		spin_lock(&ep->inbox->post.lock);
		ep->inbox->post.kept -= ep->answers;
		weir_waiters_resume(ep->inbox);
		spin_unlock(&ep->inbox->post.lock);
		ep->answers = 0;
	}
	weir_endpoint_release(ep);
	smp_mb();						/* (C) */
	weir_inbox_wake_fenced(ep->inbox);
	weir_outbox_wake_fenced(ep->outbox);
}

static noinline int weir_route_bad(struct weir_endpoint *ep,
				   const struct weir_message *m)
{
	struct weir_message bad = *m;

	bad.kind &= ~WEIR_MESSAGE_BAD;
	return weir_send_refuse(ep, &bad, NULL, NULL,
				WEIR_REASON_BAD_REQUEST, 0);
}

static __always_inline int weir_route_batch(struct weir_endpoint *ep,
					    struct weir_message *m, u64 tail)
{
	switch (m->kind) {
	case WEIR_KIND_REQUEST:
	case WEIR_KIND_EVENT:
		return weir_route_request(ep, m);
	case WEIR_KIND_REPLY:
	case WEIR_KIND_ERROR:
		return weir_route_reply(ep, m, tail);
	}
	return weir_route_bad(ep, m);
}

/* Adds to a batch the small requests by the same handle that follow its first. */
static __always_inline void weir_batch_gather(struct weir_pass *pass,
					      const struct weir_ring_view *v,
					      struct weir_message *m, u64 tail)
{
	u64 like = (u64)m->kind << WEIR_KIND_SHIFT |
		   (u64)m->flags << WEIR_FLAGS_SHIFT;
	const struct weir_words *rec = weir_ring_words(v, m->pos);
	u64 len, need = m->total, end = m->end, secret = v->secret;
	u32 n;

	pass->lens[0] = m->len;
	pass->ends[0] = end;
	for (n = 1; n < WEIR_BATCH_MAX && end < tail; n++) {
		rec = (const void *)rec + need;
		if (smp_load_acquire(&rec->commit) != end + secret)	/* (B) */
			break;
		/* anything but a length is alike, or it is far too long */
		len = WEIR_WORD(READ_ONCE(rec->shape)) - like;
		if (len > WEIR_BATCH_LEN ||
		    WEIR_WORD(READ_ONCE(rec->seq_route)) >> 32 != m->route)
			break;
		need = weir_ring_need((u32)len);
		end += need;
		pass->lens[n] = len;
		pass->ends[n] = end;
	}
	/* the last may say that it is longer than can be */
	if (unlikely((s64)(tail - end) < 0)) {
		end -= need;
		n--;
	}
	m->n = n;
	m->end = end;
	m->lens = pass->lens;
	m->ends = pass->ends;
}

/*
 * A chunk of slots for calls. The first was charged with the endpoint. May sleep.
 * Returns WEIR_REASON_NONE, or why there is none.
 */
static enum weir_reason weir_endpoint_grow(struct weir_endpoint *ep)
{
	u64 bytes = ep->calls.size ? WEIR_CALLS_CHUNK_BYTES : 0;
	struct weir_call *chunk;
	struct mem_cgroup *old;
	const char *why;
	bool taken;

	if (ep->calls.size >= ep->calls.most ||
	    weir_charge_account(&ep->charge, ep->account, bytes, 0, "",
				&why))
		return WEIR_REASON_LIMIT;
	/* a polling thread's or a worker's pass is the endpoint's, too */
	old = set_active_memcg(ep->memcg);
	chunk = weir_calls_grow_alloc();
	set_active_memcg(old);
	if (!chunk) {
		weir_uncharge_some(&ep->charge, bytes, 0);
		return WEIR_REASON_NO_MEMORY;
	}
	spin_lock(&ep->inbox->post.lock);
	taken = weir_calls_grow(&ep->calls, chunk);
	spin_unlock(&ep->inbox->post.lock);
	if (WARN_ON_ONCE(!taken)) {
		kfree(chunk);
		weir_uncharge_some(&ep->charge, bytes, 0);
	}
	return WEIR_REASON_NONE;
}

/*
 * A message has found too few slots: as many again as there are, or as it
 * needs. Returns whether it is to be looked at again: there are more now, or it
 * is to be refused since there never will be enough.
 */
static bool weir_endpoint_more(struct weir_endpoint *ep)
{
	u32 slots = ep->pass.slots, size = ep->calls.size;
	u32 want = max(size, slots), n;
	enum weir_reason reason = WEIR_REASON_NONE;

	ep->pass.slots = 0;
	for (n = 0; n < want && !reason; n += WEIR_CALLS_CHUNK)
		reason = weir_endpoint_grow(ep);
	/* one is to be had when a call ends, or at the next kick */
	ep->pass.no_slots = slots > max(ep->calls.size, 1U) ?
			     reason : WEIR_REASON_NONE;
	return ep->calls.size > size || ep->pass.no_slots;
}

/* The records that weir_message_read() does not know what to make of. */
int weir_message_read_slow(const struct weir_ring_view *v, u64 *pos,
			   struct weir_message *m)
{
	u32 ext, most = weir_ring_max_len(v), n;
	struct weir_record *rec;
	struct weir_words *words;
	const u64 *ext_words;
	u64 shape;

	for (n = 0; ; n++) {
		if (n == WEIR_ABORTED_MAX)
			return WEIR_READ_MORE;
		rec = weir_ring_at(v, *pos);
		words = (struct weir_words *)rec;
		if (smp_load_acquire(&rec->commit) != *pos + v->secret)	/* (B) */
			return WEIR_READ_NONE;
		shape = WEIR_WORD(READ_ONCE(words->shape));
		m->len = (u32)shape;
		ext = (u8)(shape >> WEIR_EXT_SHIFT) * 8U;
		if (m->len > most || ext > most - m->len)
			return -EPROTO;
		m->total = weir_ring_need(m->len + ext);
		m->flags = shape >> WEIR_FLAGS_SHIFT;
		if (!(m->flags & WEIR_REC_ABORTED))
			break;
		*pos += m->total;
	}
	m->kind = shape >> WEIR_KIND_SHIFT;
	m->pos = *pos;
	m->route = WEIR_WORD(READ_ONCE(words->seq_route)) >> 32;
	m->tag_key = WEIR_WORD(READ_ONCE(words->tag_key));
	m->payload = (u8 *)(rec + 1) + ext;
	ext_words = (const u64 *)(rec + 1);
	m->deadline_ns = ext ? READ_ONCE(ext_words[WEIR_EXT_DEADLINE]) : 0;
	m->dup = ext > WEIR_EXT_DUP * 8U ?
		 READ_ONCE(ext_words[WEIR_EXT_DUP]) : 0;
	if (ext > WEIR_EXT_MAX * 8U)
		m->kind |= WEIR_MESSAGE_BAD;
	m->small = false;
	return WEIR_READ_ONE;
}

/*
 * A section of the pass under one rcu_read_lock(). Returns 1 to go on, 0 at the
 * end, WEIR_HELD, or -EPROTO.
 */
static int weir_route_section(struct weir_endpoint *ep)
{
	struct weir_ring_view *v = &ep->outbox->view;
	struct weir_pass *pass = &ep->pass;
	u64 pos = ep->pos, begin = pos, tail;
	struct weir_message m;
	u32 seq, n, done = 0;
	int ret;

	if (weir_ring_tail(v, &tail, &seq) || tail - pos > weir_ring_bytes(v))
		return -EPROTO;
	pass->ahead = 0;
	rcu_read_lock();
	for (m.n = 0; ; pos = m.pos) {
		if (!m.n) {
			ret = pos == tail ? WEIR_READ_NONE :
					    weir_message_read(v, &pos, &m);
			if (ret != WEIR_READ_ONE)
				break;
			ret = -EPROTO;
			if (unlikely((s64)(tail - pos) < (s64)m.total)) {
				/* behind aborted ones: claimed since, or not */
				if ((s64)(tail - pos) <= 0)
					ret = WEIR_READ_MORE;
				break;
			}
			if (unlikely(weir_copy_left(pass, m.total))) {
				ret = WEIR_HELD;
				break;
			}
			if (m.end != tail && m.small &&
			    (m.kind == WEIR_KIND_REQUEST ||
			     m.kind == WEIR_KIND_EVENT))
				weir_batch_gather(pass, v, &m, tail);
		}
		pass->left = tail - pos;
		pass->each = m.total;
		if (!pass->ahead)
			pass->ahead = weir_pass_ahead(pass);
		pass->used = 1;
		n = m.n;
		ret = weir_route_batch(ep, &m, tail);
		if (unlikely(ret)) {
			pos = m.pos;
			break;
		}
		/* it goes with the message, whatever routes that has tried */
		if (unlikely(pass->no_slots))
			pass->no_slots = WEIR_REASON_NONE;
		/* it waits for no caller any more, whatever it was */
		if (unlikely(ep->held_by))
			weir_endpoint_held_by(ep, NULL);
		/* the first of a key that waited has been answered otherwise */
		if (unlikely(ep->idem_held)) {
			weir_idem_complete(ep->idem_held);
			ep->idem_held = NULL;
		}
		weir_batch_drop(v, &m, pass->used);
		done += n - m.n;
		ret = 1;
		if (done >= WEIR_PASS_MESSAGES || unlikely(pass->ncopies) ||
		    unlikely(pass->replied) ||
		    m.pos - begin >= WEIR_PASS_BYTES ||
		    pass->looks > WEIR_LOOKS_MAX) {
			pos = m.pos;
			break;
		}
	}
	weir_pass_pause(&ep->pass);
	rcu_read_unlock();
	WRITE_ONCE(ep->pos, pos);
	return ret;
}

/*
 * The short way of what a caller sends who waits for each answer, and of that
 * answer: a message behind which there is no other yet. What most of them are
 * is routed here, as in a section. @seen: where one has been seen committed.
 * Returns false for all others, to which nothing has been done.
 */
static __always_inline bool weir_route_fast(struct weir_endpoint *ep, u64 seen)
{
	const struct weir_ring_view *v = &ep->outbox->view;
	u64 pos = ep->pos, tail, end, shape;
	bool done = false;
	u32 seq;

	if ((pos != seen && !weir_committed(v, pos)) || weir_ring_tail(v, &tail, &seq) ||
	    tail - pos > weir_ring_bytes(v) || unlikely(ep->idem_held))
		return false;
	shape = WEIR_WORD(READ_ONCE(weir_ring_words(v, pos)->shape));
	end = pos + weir_ring_need((u32)shape);
	if (!weir_shape_short(shape) || (s64)(tail - end) < 0 ||
	    (tail != end && weir_committed(v, end)))
		return false;
	ep->waits_for_slot = false;
	ep->pass.now_ns = ktime_get_ns();
	rcu_read_lock();
	switch ((u8)(shape >> WEIR_KIND_SHIFT)) {
	case WEIR_KIND_REQUEST:
		done = weir_request_fast(ep, shape);
		break;
	case WEIR_KIND_EVENT:
		done = weir_event_fast(ep, shape);
		break;
	case WEIR_KIND_REPLY:
		done = weir_reply_fast(ep, end);
		break;
	}
	rcu_read_unlock();
	return done;
}

/*
 * A kick for nothing, as of who has only read, or of calls that have ended:
 * there is nothing to route, but there may be space to give back.
 */
static bool weir_route_none(struct weir_endpoint *ep)
{
	u64 tail;
	u32 seq;

	if (weir_ring_tail(&ep->outbox->view, &tail, &seq) ||
	    tail != ep->pos)
		return false;
	weir_route_settle(ep);
	return true;
}

/*
 * weir_dispatch_lock_wait() - the rest of weir_dispatch_lock(), when it was
 * taken
 */
void weir_dispatch_lock_wait(struct weir_dispatch_lock *l)
{
	u32 n;

	might_sleep();
	/* most passes are shorter than a sleep */
	for (n = 0; n < WEIR_DISPATCH_SPINS && !need_resched(); n++) {
		if (!(READ_ONCE(l->word) & BIT(WEIR_DISPATCH_LOCKED)) &&
		    weir_pass_take(l))
			return;
		cpu_relax();
	}
	wait_event(l->wait, weir_pass_take_or(l, WEIR_DISPATCH_WAITED));
}

/*
 * weir_dispatch_wanted() - the rest of weir_dispatch_unlock(): somebody has
 * come by
 */
void weir_dispatch_wanted(struct weir_endpoint *ep)
{
	struct weir_dispatch_lock *l = &ep->dispatch_lock;

	if (test_and_clear_bit(WEIR_DISPATCH_WAITED, &l->word))
		wake_up(&l->wait);
	if (test_and_clear_bit(WEIR_DISPATCH_LATER, &l->word))
		weir_endpoint_later(ep);
}

/* The message that waits is given up in time. */
static void weir_endpoint_held(struct weir_endpoint *ep)
{
	struct weir_post *post = &ep->inbox->post;

	spin_lock(&post->lock);
	if (ep->held_pos == ep->pos)
		weir_endpoint_arm(ep, ep->held_ns);
	spin_unlock(&post->lock);
}

/*
 * Its owner is killed. What a socket has left when it is released goes all the
 * same.
 */
static bool weir_pass_killed(const struct weir_endpoint *ep)
{
	return fatal_signal_pending(current) && !ep->last_pos;
}

/*
 * What a polling thread does not do itself: what waits, and what needs slots.
 * Nothing has been done to it yet.
 */
static bool weir_pass_leaves(struct weir_pass *pass, int ret)
{
	if (pass->dispatcher != WEIR_DISPATCH_POLL ||
	    (ret != WEIR_HELD && !pass->slots))
		return false;
	pass->left_over = true;
	pass->slots = 0;
	weir_pass_forget(pass);
	return true;
}

/*
 * A pass, in as many sections as it takes, until @end at most. Returns whether
 * there is more, and no need to wait for it.
 */
static noinline bool weir_route_pass(struct weir_endpoint *ep, u64 end,
				     enum weir_dispatcher dispatcher)
{
	const u64 begin = ep->pos;
	struct weir_pass *pass = &ep->pass;
	int ret;

	do {
		weir_route_begin(ep, dispatcher);
		ret = weir_route_section(ep);
		/* before the space that they come from is given back */
		if (unlikely(pass->ncopies) || unlikely(pass->replied))
			weir_copies_make(pass);
		weir_route_settle(ep);
		if (unlikely(ret == -EPROTO))
			weir_ring_break(ep->outbox, WEIR_REASON_BAD_RECORD);
		if (unlikely(weir_pass_leaves(pass, ret)))
			break;
		if (unlikely(pass->slots) && weir_endpoint_more(ep)) {
			ret = 1;
			weir_pass_forget(pass);
		}
		if (unlikely(pass->wait_for)) {
			/* what follows the one that was called has not been */
			if (ep->pos != begin)
				ep->waiter.again = 0;
			weir_waiter_wait(&ep->waiter, pass->wait_for,
					 pass->wait_bytes);
			weir_endpoint_held(ep);
			weir_pass_forget(pass);
		}
		cond_resched();
	} while (ret > 0 && (s64)(end - ep->pos) > 0 &&
		 !weir_pass_killed(ep));
	if (unlikely(pass->left_over))
		weir_endpoint_later(ep);
	return ret > 0;
}

/* What waited for room looks again, and what is due is sent again. */
static noinline void weir_route_resume(struct weir_endpoint *ep)
{
	weir_waiter_look(&ep->waiter);
	weir_endpoint_retries(ep, WEIR_DISPATCH_OWNER);
}

/*
 * There is more, which need not wait: for the polling thread that looks there
 * anyway, or a worker. Both at once would have two shares. A thread does not look
 * at an outbox that has ended.
 */
static void weir_route_more(struct weir_endpoint *ep)
{
	if (READ_ONCE(ep->poller) && weir_ring_live(ep->outbox))
		weir_poll_kick(ep);
	else
		weir_endpoint_later(ep);
}

/* A pass of a ring at most; see weir_route_dispatch(). */
static __always_inline void weir_route_owned(struct weir_endpoint *ep)
{
	weir_race_point(route_owned);
	if (unlikely(ep->waiter.inbox) ||
	    unlikely(weir_calls_retrying(&ep->calls)))
		weir_route_resume(ep);
	if (!weir_route_fast(ep, ~0ULL) && !weir_route_none(ep) &&
	    weir_route_pass(ep, ep->pos +
			    weir_ring_bytes(&ep->outbox->view),
			    WEIR_DISPATCH_OWNER))
		weir_route_more(ep);
	if (unlikely(ep->waiter.inbox))
		weir_waiter_done(&ep->waiter);
}

/**
 * weir_route_dispatch() - route what a socket has committed
 * @ep: the socket's.
 *
 * By the owner's own call. Goes on for a ring at most, or until a message has to
 * wait for room; then it is taken up again when there is. Large messages are
 * left to a worker.
 */
void weir_route_dispatch(struct weir_endpoint *ep)
{
	weir_dispatch_lock(&ep->dispatch_lock);
	if (likely(ep->ws))
		weir_route_owned(ep);
	weir_dispatch_unlock(ep);
}

/* Is there nothing more to route, or nothing that can be? */
static bool weir_route_done(struct weir_endpoint *ep)
{
	return weir_ring_status(ep->outbox)->state == WEIR_STATE_BROKEN ||
	       (s64)(ep->last_pos - ep->pos) <= 0 || weir_route_none(ep);
}

/**
 * weir_route_last() - route what a socket has committed that is being released
 * @ep: the socket's; nobody writes to its outbox any more.
 *
 * For a ring at most, also when the caller is killed. A claim of a thread that
 * died is passed, for others may have committed behind it.
 *
 * Return: whether a worker has to go on: with what is large, and what waits for
 * room.
 */
bool weir_route_last(struct weir_endpoint *ep)
{
	bool done;

	weir_dispatch_lock(&ep->dispatch_lock);
	ep->last_pos = ep->pos + weir_ring_bytes(&ep->outbox->view);
	weir_route_owned(ep);
	done = weir_route_done(ep);
	if (!done) {
		/* also further on: a worker that comes there goes on behind it */
		if (!weir_ring_repair(ep->outbox))
			weir_route_owned(ep);
		done = weir_route_done(ep);
	}
	weir_dispatch_unlock(ep);
	return !done;
}

/*
 * Skips a message that a socket which is gone has left, and that waits. Returns
 * false when there is no record. What it answers is then told to its caller as a
 * request whose target died.
 */
static bool weir_route_skip(struct weir_endpoint *ep)
{
	const struct weir_fault fault = { .reason = WEIR_REASON_INBOX_FULL };
	u64 pos = ep->pos;
	struct weir_message m;

	if (weir_message_read(&ep->outbox->view, &pos, &m) != WEIR_READ_ONE ||
	    (s64)(ep->last_pos - pos) < (s64)m.total)
		return false;
	WRITE_ONCE(ep->pos, pos + m.total);
	weir_endpoint_held_by(ep, NULL);
	if (ep->idem_held) {
		weir_idem_complete(ep->idem_held);
		ep->idem_held = NULL;
	}
	weir_refused(NULL, (u32)m.tag_key, &fault);
	return true;
}

/*
 * What a socket that is gone has left waits for room until ep->last_ns, and
 * then not at all: some messages are skipped, and the pass tries the next one. Its
 * requests have nobody to wait for the answer. @more: the pass has not come to one
 * that waits. When all is done another worker sees to the end, which takes as long
 * as others have calls.
 */
static void weir_route_ends(struct weir_endpoint *ep, bool more)
{
	struct weir_waiter *w = &ep->waiter;
	struct weir_post *post = &ep->inbox->post;
	bool done = weir_route_done(ep);
	u32 n;

	if (!done && !more && w->waits && w->inbox != ep->inbox &&
	    ktime_get_ns() < ep->last_ns) {
		spin_lock(&post->lock);
		weir_endpoint_arm(ep, ep->last_ns);
		spin_unlock(&post->lock);
		return;
	}
	for (n = 0; !done && !more && n < WEIR_PASS_MESSAGES; n++) {
		if (!weir_route_skip(ep))
			done = true;
		else if (weir_route_done(ep))
			done = true;
		else
			more = weir_route_pass(ep, ep->pos + 1,
					       WEIR_DISPATCH_WORKER);
	}
	if (!done) {
		weir_endpoint_later(ep);
		return;
	}
	ep->last_ns = 0;
	weir_jobs_add(&ep->tenant->ends, &ep->end);
}

/**
 * weir_route_turn() - what there is to do for an endpoint, in a worker
 * @ep: the endpoint.
 *
 * One section of each: what is due, what is sent again, and the pass.
 */
void weir_route_turn(struct weir_endpoint *ep)
{
	bool more;

	/* it does not wait for its owner's pass */
	if (!weir_dispatch_trylock_later(&ep->dispatch_lock))
		return;
	if (ep->ws) {
		/* before room that is kept for the pass is for all */
		weir_waiter_here(&ep->waiter);
		weir_endpoint_tick(ep);
		weir_waiter_look(&ep->waiter);
		more = !weir_route_none(ep) &&
		       weir_route_pass(ep, ep->pos + 1, WEIR_DISPATCH_WORKER);
		if (ep->last_ns)
			weir_route_ends(ep, more);
		else if (more)
			weir_route_more(ep);
		weir_waiter_done(&ep->waiter);
	}
	weir_dispatch_unlock(ep);
}

/**
 * weir_route_poll() - route some of what a socket has committed
 * @ep: the socket's; a polling thread has found something.
 * @pos: where it has.
 *
 * One section, unless somebody else is at it, or it waits for room. What takes
 * long is left to a worker of the user.
 */
void weir_route_poll(struct weir_endpoint *ep, u64 pos)
{
	if (!weir_dispatch_trylock(&ep->dispatch_lock))
		return;
	/* its socket is there: it would not be polled otherwise */
	if (likely(!ep->waiter.waits) && !weir_route_fast(ep, pos) &&
	    !weir_route_none(ep)) {
		weir_route_pass(ep, ep->pos + 1, WEIR_DISPATCH_POLL);
		weir_poll_took(ep, ep->pass.looks * WEIR_LOOK_BYTES);
	}
	weir_dispatch_unlock(ep);
}
