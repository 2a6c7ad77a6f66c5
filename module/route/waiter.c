// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for room in an inbox.
 *
 * A waiter belongs to an endpoint that found an inbox full. Waiters are called
 * in turn: one user after the other, and the waiters of one user in order, as
 * many as there is room for. The room of a called waiter stays granted to it
 * until the waiter has looked at the inbox, for at most WEIR_GRANT_NS. Then a
 * timer of the inbox ends the grant and calls the next waiter, so that no other
 * task has to look. No room is granted to a user whose worker comes late too
 * often.
 *
 * A new message goes behind the waiters whose room the inbox can provide. A
 * waiter whose message fits only once less room is kept lets others pass.
 *
 * The inbox's own socket depends on two kinds of waiters, which go first:
 * endpoints that hold a reply to one of its calls, and its own endpoint, which
 * needs room for answers before it can make a call.
 *
 * Process context. A comment says where the inbox's post.lock must be held.
 */
#include <linux/delay.h>

#include "logic/patience.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/endpoint.h"
#include "route/waiter.h"
#include "route/worker.h"
#include "tenant.h"
#include "weir.h"

/* Most waiters that are looked at, or called, in one hold of the lock. */
#define WEIR_CALLED_MAX	64U

/* Room stays granted to a called waiter for this long. */
#define WEIR_GRANT_NS	(10 * NSEC_PER_MSEC)

/*
 * A user's worker may be late for this long in all, counted over all endpoints
 * of the user and all inboxes. The allowance comes back as patience.h says.
 * While less than WEIR_GRANT_NS of it is left, no room is granted to the user:
 * its endpoints, one after the other, must not keep others out. A worker that
 * comes within WEIR_PROMPT_NS is not late.
 */
#define WEIR_DELAY_NS	(8 * WEIR_GRANT_NS)
#define WEIR_PROMPT_NS	(2 * NSEC_PER_MSEC)

/* weir_waiter_init() - prepare a waiter, which does not wait yet */
void weir_waiter_init(struct weir_waiter *w, struct weir_endpoint *ep)
{
	w->ep = ep;
	INIT_LIST_HEAD(&w->link);
	INIT_LIST_HEAD(&w->more);
	INIT_LIST_HEAD(&w->called);
}

/* End the grant of a waiter. */
static void weir_waiter_ungrant(struct weir_ring *inbox, struct weir_waiter *w)
	__must_hold(&inbox->post.lock)
{
	struct weir_tenant *t = w->ep->tenant;
	u64 now = w->here_ns ?: ktime_get_ns();
	/* grants of one user that overlap in time count once */
	s64 delay = now - max(w->room_ns, READ_ONCE(t->delayed_ns));

	lockdep_assert_held(&inbox->post.lock);
	if (delay > (s64)WEIR_PROMPT_NS) {
		WRITE_ONCE(t->delayed_ns, now);
		/* no grant lasts longer than that because of the worker */
		weir_patience_use(&t->kept, now,
				  min_t(u64, delay, 2 * WEIR_GRANT_NS));
	}
	inbox->post.kept -= w->granted;
	inbox->post.granted -= w->granted;
	w->granted = 0;
	w->here_ns = 0;
	list_del_init(&w->called);
}

/* There is room now: grant it to the waiter. */
static void weir_waiter_grant(struct weir_ring *inbox, struct weir_waiter *w)
	__must_hold(&inbox->post.lock)
{
	u64 now = ktime_get_ns();

	lockdep_assert_held(&inbox->post.lock);
	WRITE_ONCE(w->room_ns, now);
	/* an answer uses the room that is kept for it already */
	if (!w->bytes || weir_patience_left(&w->ep->tenant->kept,
					    WEIR_DELAY_NS, now) < WEIR_GRANT_NS)
		return;
	w->granted = DIV_ROUND_UP(w->bytes, WEIR_GRANULE);
	w->called_ns = now;
	inbox->post.kept += w->granted;
	inbox->post.granted += w->granted;
	list_add_tail(&w->called, &inbox->post.called);
}

/*
 * End the grants that have lasted WEIR_GRANT_NS. Such a waiter has to wait
 * again if it finds no room.
 */
static void weir_grants_end(struct weir_ring *inbox)
	__must_hold(&inbox->post.lock)
{
	u64 now = ktime_get_ns();
	struct weir_waiter *w, *next;

	lockdep_assert_held(&inbox->post.lock);
	/* oldest first; each has a granule or more, which bounds the list */
	list_for_each_entry_safe(w, next, &inbox->post.called, called) {
		if (now - w->called_ns < WEIR_GRANT_NS)
			break;
		weir_waiter_ungrant(inbox, w);
	}
}

/*
 * Set the timer that ends the oldest grant in time. Nobody else may look: an
 * endpoint does not look while its dispatch_lock is taken, and a reader that
 * has read everything does not kick.
 */
static void weir_grants_watch(struct weir_ring *inbox)
	__must_hold(&inbox->post.lock)
{
	struct weir_post *post = &inbox->post;
	const struct weir_waiter *w;
	s64 in;

	lockdep_assert_held(&inbox->post.lock);
	w = list_first_entry_or_null(&post->called, struct weir_waiter, called);
	/* a timer that is set already comes early enough */
	if (!w || !post->reader)
		return;
	in = w->called_ns + WEIR_GRANT_NS - ktime_get_ns();
	weir_timer_set(&inbox->grants,
		       nsecs_to_jiffies64(max_t(s64, in, 0)) + 1);
}

/* Bytes of free room that a waiter needs, kept room included. */
static u64 weir_waiter_need(const struct weir_waiter *w,
			    const struct weir_ring *inbox)
	__must_hold(&inbox->post.lock)
{
	lockdep_assert_held(&inbox->post.lock);
	return w->bytes + (u64)inbox->post.kept * WEIR_GRANULE;
}

/*
 * Queue a waiter before all others except those with @ahead set, of which at
 * most WEIR_CALLED_MAX are passed.
 */
static void weir_waiter_add_ahead(struct weir_ring *inbox,
				  struct weir_waiter *w)
	__must_hold(&inbox->post.lock)
{
	struct weir_waiter *at;
	u32 n = 0;

	lockdep_assert_held(&inbox->post.lock);
	list_for_each_entry(at, &inbox->post.waiting, link) {
		if (!at->ahead || ++n == WEIR_CALLED_MAX)
			break;
	}
	list_add_tail(&w->link, &at->link);
}

/*
 * Does the inbox's own socket depend on this waiter? It does if the waiter is
 * that of its own pass, or of a pass that holds a reply.
 */
static bool weir_waiter_is_ahead(const struct weir_waiter *w,
				 const struct weir_ring *inbox)
{
	const struct weir_endpoint *ep = w->ep;

	return w == &ep->waiter &&
	       (ep->inbox == inbox || ep->blocked_payer);
}

/*
 * Queue a waiter behind the others of its user; with @front before the waiters
 * of all users.
 */
static void weir_waiter_add(struct weir_ring *inbox, struct weir_waiter *w,
			    bool front)
	__must_hold(&inbox->post.lock)
{
	struct weir_post *post = &inbox->post;
	struct weir_waiter *first;
	u32 n = 0;

	lockdep_assert_held(&inbox->post.lock);
	post->nwaiting++;
	WRITE_ONCE(w->room_ns, U64_MAX);
	w->first = false;
	w->ahead = weir_waiter_is_ahead(w, inbox);
	if (w->ahead) {
		INIT_LIST_HEAD(&w->more);
		weir_waiter_add_ahead(inbox, w);
		return;
	}
	list_for_each_entry(first, &post->waiting, link) {
		/* with very many users, the search ends: it has its own turn */
		if (front || n++ == WEIR_CALLED_MAX)
			break;
		if (first->first && first->ep->tenant == w->ep->tenant) {
			list_add_tail(&w->link, &first->more);
			return;
		}
	}
	w->first = true;
	INIT_LIST_HEAD(&w->more);
	if (front)
		weir_waiter_add_ahead(inbox, w);
	else
		list_add_tail(&w->link, &post->waiting);
}

/*
 * Take a waiter out of the queue. The next waiter of its user gets its place,
 * or with @turn a place behind all other users.
 */
static void weir_waiter_del(struct weir_ring *inbox, struct weir_waiter *w,
			    bool turn)
	__must_hold(&inbox->post.lock)
{
	struct weir_post *post = &inbox->post;
	struct weir_waiter *next;

	lockdep_assert_held(&inbox->post.lock);
	post->nwaiting--;
	if (w->first && !list_empty(&w->more)) {
		next = list_first_entry(&w->more, struct weir_waiter, link);
		list_del(&next->link);
		next->first = true;
		INIT_LIST_HEAD(&next->more);
		list_splice_init(&w->more, &next->more);
		if (turn)
			list_add_tail(&next->link, &post->waiting);
		else
			list_add(&next->link, &w->link);
	}
	list_del_init(&w->link);
}

/* Have a worker look again for a waiter. */
static void weir_waiter_call(struct weir_ring *inbox, struct weir_waiter *w)
	__must_hold(&inbox->post.lock)
{
	lockdep_assert_held(&inbox->post.lock);
	weir_waiter_del(inbox, w, true);
	weir_endpoint_queue(w->ep);
}

/**
 * weir_waiters_resume() - call waiters when there may be room
 * @inbox: the ring.
 *
 * Calls the waiters in order, as many as there is room for, but at most
 * WEIR_CALLED_MAX. Does not sleep.
 */
void weir_waiters_resume(struct weir_ring *inbox)
	__must_hold(&inbox->post.lock)
{
	struct weir_post *post = &inbox->post;
	struct weir_waiter *w, *moved = NULL;
	u32 n;
	u64 need;

	lockdep_assert_held(&post->lock);
	post->queued = false;
	weir_grants_end(inbox);
	/* a called waiter's user may get a new place at the end */
	for (n = 0; n < WEIR_CALLED_MAX; n++) {
		w = list_first_entry_or_null(&post->waiting,
					     struct weir_waiter, link);
		if (!w || w == moved)
			break;
		need = weir_waiter_need(w, inbox);
		if (!post->reader) {
			weir_waiter_call(inbox, w);
		} else if (weir_inbox_room(inbox, need)) {
			weir_waiter_grant(inbox, w);
			weir_waiter_call(inbox, w);
		} else if (need - (u64)post->granted * WEIR_GRANULE <=
			   weir_ring_bytes(&inbox->view)) {
			/* keep new messages from taking this room meanwhile */
			post->queued = true;
			post->limit = min(post->limit, post->pos +
					  (u64)post->kept * WEIR_GRANULE);
			break;
		} else {
			/* it fits only once less is kept: others may pass */
			moved = moved ?: w;
			list_move_tail(&w->link, &post->waiting);
		}
	}
	weir_grants_watch(inbox);
}

/**
 * weir_waiters_unawaited() - calls of an inbox's socket have ended
 * @inbox: the ring.
 * @ended: how many.
 *
 * A reply to a call that has ended need not wait any more. So the waiters with
 * @ahead set look again: at most WEIR_CALLED_MAX of them, or @ended, since each
 * of these calls may have a target that waits. Does not sleep.
 */
void weir_waiters_unawaited(struct weir_ring *inbox, u32 ended)
	__must_hold(&inbox->post.lock)
{
	u32 left = max(ended, WEIR_CALLED_MAX);
	struct weir_waiter *w, *next;

	lockdep_assert_held(&inbox->post.lock);
	list_for_each_entry_safe(w, next, &inbox->post.waiting, link) {
		if (!w->ahead || !left--)
			break;
		weir_waiter_call(inbox, w);
	}
	weir_waiters_resume(inbox);
}

/*
 * Call up to WEIR_CALLED_MAX waiters, whether or not there is room. Returns how
 * many were called.
 */
static u32 weir_waiters_call(struct weir_ring *inbox)
	__must_hold(&inbox->post.lock)
{
	struct weir_waiter *w, *next;
	u32 n = 0;

	lockdep_assert_held(&inbox->post.lock);
	list_for_each_entry_safe(w, next, &inbox->post.waiting, link) {
		if (n == WEIR_CALLED_MAX)
			break;
		weir_waiter_call(inbox, w);
		n++;
	}
	return n;
}

/**
 * weir_waiters_call_all() - call all waiters, whether or not there is room
 * @inbox: the ring; its post.lock is taken here.
 *
 * A waiter that still finds no room queues behind the others. May sleep.
 */
void weir_waiters_call_all(struct weir_ring *inbox)
{
	struct weir_post *post = &inbox->post;
	u32 left = READ_ONCE(post->nwaiting), n;

	while (left) {
		spin_lock_bh(&post->lock);
		n = weir_waiters_call(inbox);
		spin_unlock_bh(&post->lock);
		if (!n)
			break;
		left -= min(left, n);
		cond_resched();
	}
}

/*
 * How much room the first waiter needs. The reader need not kick before there
 * is that much. Returns bytes of free room, kept room included; U64_MAX without
 * a waiter.
 */
static u64 weir_waiters_want(struct weir_ring *inbox)
	__must_hold(&inbox->post.lock)
{
	const struct weir_waiter *w;

	lockdep_assert_held(&inbox->post.lock);
	w = list_first_entry_or_null(&inbox->post.waiting, struct weir_waiter,
				     link);
	return w ? weir_waiter_need(w, inbox) : U64_MAX;
}

/*
 * weir_post.on_room: the reader has made room, or the inbox has ended. Returns
 * what weir_waiters_want() does.
 */
static u64 weir_waiters_on_room(struct weir_ring *inbox)
	__must_hold(&inbox->post.lock)
{
	lockdep_assert_held(&inbox->post.lock);
	weir_waiters_resume(inbox);
	return weir_waiters_want(inbox);
}

/* A called waiter has come in time: its grant starts again. */
static void weir_waiter_renew(struct weir_ring *inbox, struct weir_waiter *w)
	__must_hold(&inbox->post.lock)
{
	lockdep_assert_held(&inbox->post.lock);
	if (list_empty(&w->called))
		return;
	w->called_ns = ktime_get_ns();
	w->here_ns = w->here_ns ?: w->called_ns;
	list_move_tail(&w->called, &inbox->post.called);
}

/**
 * weir_waiter_here() - the worker of a waiter has come, and checks soon
 * @w: the waiter.
 *
 * Other work that the worker does before it checks is not counted as a delay.
 * Takes post.lock of the inbox.
 */
void weir_waiter_here(struct weir_waiter *w)
	__must_hold(&w->ep->dispatch_lock)
{
	struct weir_ring *inbox = w->inbox;

	lockdep_assert_held(&w->ep->dispatch_lock);
	if (!inbox)
		return;
	spin_lock_bh(&inbox->post.lock);
	weir_waiter_renew(inbox, w);
	spin_unlock_bh(&inbox->post.lock);
}

/**
 * weir_waiter_recheck() - a waiter checks the inbox again
 * @w: the waiter.
 *
 * Ends the waiter's grant, so that its endpoint can take the room. A waiter
 * that has not been called keeps its place. The caller goes on with
 * weir_waiter_wait() or weir_waiter_done(). Takes post.lock of the inbox.
 */
void weir_waiter_recheck(struct weir_waiter *w)
	__must_hold(&w->ep->dispatch_lock)
{
	struct weir_ring *inbox = w->inbox;

	lockdep_assert_held(&w->ep->dispatch_lock);
	WRITE_ONCE(w->waits, false);
	if (!inbox)
		return;
	spin_lock_bh(&inbox->post.lock);
	weir_waiter_renew(inbox, w);
	if (w->recheck_ns)
		weir_waiters_resume(inbox);
	w->again = w->granted;
	if (!list_empty(&w->called))
		weir_waiter_ungrant(inbox, w);
	spin_unlock_bh(&inbox->post.lock);
	if (ktime_get_ns() >= w->recheck_ns)
		w->recheck_ns = 0;
}

/*
 * Ask the reader to kick when there is room for the first waiter. Afterwards
 * either the reader has seen the request, or this function has seen how far the
 * reader has read. Returns false when neither is certain. May sleep; the caller
 * holds dispatch_lock of @w's endpoint and no other lock.
 */
static bool weir_waiters_ask(struct weir_waiter *w, struct weir_ring *inbox)
	__must_hold(&w->ep->dispatch_lock)
{
	bool seen = true;

	lockdep_assert_held(&w->ep->dispatch_lock);
	spin_lock_bh(&inbox->post.lock);
	weir_waiters_resume(inbox);
	if (list_empty(&inbox->post.waiting)) {
		spin_unlock_bh(&inbox->post.lock);
		return true;
	}
	weir_inbox_want(inbox, weir_waiters_want(inbox));
	spin_unlock_bh(&inbox->post.lock);
	if (!weir_inbox_fence(inbox, w->ep->account, w->ep->cpus)) {
		seen = false;
		/* most stores that a CPU holds back are visible then */
		udelay(1);
	}
	spin_lock_bh(&inbox->post.lock);
	weir_waiters_resume(inbox);
	spin_unlock_bh(&inbox->post.lock);
	return seen;
}

/**
 * weir_waiter_done() - a waiter has stopped waiting: let the next one go
 * @w: the waiter; its endpoint's dispatch_lock is held, and no other lock.
 *
 * Does nothing for a waiter that has still to wait. May sleep.
 */
void weir_waiter_done(struct weir_waiter *w)
{
	struct weir_ring *inbox = w->inbox;
	struct weir_waiter *next;
	bool first;

	lockdep_assert_held(&w->ep->dispatch_lock);
	if (!inbox || w->waits)
		return;
	spin_lock_bh(&inbox->post.lock);
	/* the reader may have been asked for more than the next wants */
	first = inbox->post.waiting.next == &w->link;
	if (!list_empty(&w->link))
		weir_waiter_del(inbox, w, false);
	if (!list_empty(&w->called))
		weir_waiter_ungrant(inbox, w);
	if (!first)
		weir_waiters_resume(inbox);
	spin_unlock_bh(&inbox->post.lock);
	if (first && !weir_waiters_ask(w, inbox)) {
		/* the next waiter looks, and asks for itself */
		spin_lock_bh(&inbox->post.lock);
		next = list_first_entry_or_null(&inbox->post.waiting,
						struct weir_waiter, link);
		if (next)
			weir_waiter_call(inbox, next);
		spin_unlock_bh(&inbox->post.lock);
	}
	w->recheck_ns = 0;
	w->again = 0;
	WRITE_ONCE(w->inbox, NULL);
	weir_ring_put(inbox);
}

/*
 * Does a waiter keep its place? It does if it is queued for as many bytes, or
 * has been called again meanwhile and has a grant. A waiter that needs another
 * number of bytes leaves the queue.
 */
static bool weir_waiter_stays(struct weir_waiter *w, struct weir_ring *inbox,
			      u64 bytes)
{
	bool stays;

	if (w->inbox != inbox)
		return false;
	spin_lock_bh(&inbox->post.lock);
	stays = !list_empty(&w->link);
	if (stays && bytes != w->bytes) {
		weir_waiter_del(inbox, w, false);
		weir_waiters_resume(inbox);
		stays = false;
	}
	stays |= w->granted;
	spin_unlock_bh(&inbox->post.lock);
	return stays;
}

/* If the reader may not know of a waiter, have a timer make it look again. */
static void weir_waiter_watch(struct weir_waiter *w)
{
	struct weir_post *post = &w->ep->inbox->post;

	if (!w->recheck_ns)
		return;
	spin_lock_bh(&post->lock);
	weir_endpoint_arm(w->ep, w->recheck_ns);
	spin_unlock_bh(&post->lock);
}

/**
 * weir_waiter_wait() - have an endpoint called when an inbox has room
 * @w: the waiter; its endpoint's dispatch_lock is held, no other lock.
 * @inbox: the inbox.
 * @bytes: of room that it needs beyond the kept room, see weir_pass_wait();
 *	U64_MAX: it waits for a slot and not for room.
 *
 * Queues the waiter. When there is room, weir_endpoint_queue() is called for
 * its endpoint. Less room may be kept for answers by now than when the caller
 * found none, and the reader may have read everything: then no kick would come.
 * So this function looks at the inbox once more.
 *
 * The sender decides how often this happens. Beyond the allowance of the
 * sender's user the reader's CPUs are not interrupted. A cursor store that one
 * of these CPUs holds back is then seen after a moment, or when the endpoint
 * looks one tick later. May sleep.
 */
void weir_waiter_wait(struct weir_waiter *w, struct weir_ring *inbox, u64 bytes)
{
	bool front;

	WRITE_ONCE(w->waits, true);
	if (weir_waiter_stays(w, inbox, bytes)) {
		weir_waiter_watch(w);
		return;
	}
	if (w->inbox != inbox) {
		WRITE_ONCE(w->waits, false);
		weir_waiter_done(w);
		WRITE_ONCE(w->waits, true);
		weir_ring_get(inbox);
		WRITE_ONCE(w->inbox, inbox);
	}
	/* a waiter for a slot is not called for room */
	if (bytes == U64_MAX)
		return;
	/* it was called for this room and did not get it: go first */
	front = DIV_ROUND_UP(bytes, WEIR_GRANULE) <= w->again;
	w->again = 0;
	spin_lock_bh(&inbox->post.lock);
	w->bytes = bytes;
	inbox->post.on_room = weir_waiters_on_room;
	weir_waiter_add(inbox, w, front);
	spin_unlock_bh(&inbox->post.lock);
	w->recheck_ns =
		weir_waiters_ask(w, inbox) ? 0 : ktime_get_ns() + TICK_NSEC;
	weir_waiter_watch(w);
}
