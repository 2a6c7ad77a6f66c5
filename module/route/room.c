// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for room in an inbox. Waiters are called in turn, one user after the
 * other and each user's in order, as many as there is room for. The room of a
 * called waiter is kept until it has looked, for WEIR_GRANT_NS at most; then a
 * work of the inbox calls the next: nobody else need look. For a user that comes
 * late too often it is not kept. A later waiter goes behind those that wait for
 * room that the inbox can have. What the inbox's own socket waits for goes first:
 * answers to its calls, and room for these.
 *
 * Process context, under post.lock of the inbox where it says so.
 */
#include <linux/delay.h>

#include "route/router.h"

/* Those that wait are looked at, and called, in one go. */
#define WEIR_CALLED_MAX	64

/* For so long room is kept for one that has been called. */
#define WEIR_GRANT_NS	(10 * NSEC_PER_MSEC)

/*
 * One user's worker may come late for so long, for all its endpoints and in all
 * inboxes together; that comes back as patience.h says. Then room is not kept for
 * it, so that its endpoints, one after the other, don't keep others out. A worker
 * that comes within WEIR_PROMPT_NS is not late.
 */
#define WEIR_LATE_NS	(8 * WEIR_GRANT_NS)
#define WEIR_PROMPT_NS	(2 * NSEC_PER_MSEC)

/* weir_waiter_init() - one that does not wait */
void weir_waiter_init(struct weir_waiter *w, struct weir_endpoint *ep)
{
	w->ep = ep;
	INIT_LIST_HEAD(&w->link);
	INIT_LIST_HEAD(&w->more);
	INIT_LIST_HEAD(&w->called);
}

/* Gives back the room that was kept for a waiter. Under the inbox's post.lock. */
static void weir_waiter_ungrant(struct weir_ring *inbox, struct weir_waiter *w)
{
	struct weir_tenant *t = w->ep->tenant;
	u64 now = w->here_ns ?: ktime_get_ns();
	/* what is kept for several of its endpoints at a time counts once */
	s64 late = now - max(w->room_ns, READ_ONCE(t->late_ns));

	if (late > (s64)WEIR_PROMPT_NS) {
		WRITE_ONCE(t->late_ns, now);
		/* longer than that it is not kept for want of the worker */
		weir_patience_use(&t->kept, now,
				  min_t(u64, late, 2 * WEIR_GRANT_NS));
	}
	inbox->post.kept -= w->granted;
	inbox->post.granted -= w->granted;
	w->granted = 0;
	w->here_ns = 0;
	list_del_init(&w->called);
}

/* There is room, as of now. Under the inbox's post.lock. */
static void weir_waiter_grant(struct weir_ring *inbox, struct weir_waiter *w)
{
	u64 now = ktime_get_ns();

	WRITE_ONCE(w->room_ns, now);
	/* an answer fits the room that is kept for it */
	if (!w->bytes || weir_patience_left(&w->ep->tenant->kept,
					    WEIR_LATE_NS, now) < WEIR_GRANT_NS)
		return;
	w->granted = DIV_ROUND_UP(w->bytes, WEIR_GRANULE);
	w->called_ns = now;
	inbox->post.kept += w->granted;
	inbox->post.granted += w->granted;
	list_add_tail(&w->called, &inbox->post.called);
}

/* A waiter that was called and has not looked in time waits again. */
static void weir_grants_end(struct weir_ring *inbox)
{
	u64 now = ktime_get_ns();
	struct weir_waiter *w, *next;

	/* one after the other was called, each for a granule at least */
	list_for_each_entry_safe(w, next, &inbox->post.called, called) {
		if (now - w->called_ns < WEIR_GRANT_NS)
			break;
		weir_waiter_ungrant(inbox, w);
	}
}

/*
 * Room that is kept is free again in time, whether or not anybody looks: an
 * endpoint whose lock is taken does not, and a reader that has read all does
 * not kick. Under the inbox's post.lock.
 */
static void weir_grants_watch(struct weir_ring *inbox)
{
	struct weir_post *post = &inbox->post;
	const struct weir_waiter *w;
	s64 in;

	w = list_first_entry_or_null(&post->called, struct weir_waiter, called);
	/* a work that is queued stays, and comes for the first of them */
	if (!w || !post->reader)
		return;
	in = w->called_ns + WEIR_GRANT_NS - ktime_get_ns();
	weir_delayed_queue(weir_router_wq, &inbox->grants,
			   nsecs_to_jiffies64(max_t(s64, in, 0)) + 1,
			   &inbox->ref);
}

/*
 * Room that is waited for, with what is kept free. Under the inbox's post.lock.
 */
static u64 weir_waiter_need(const struct weir_waiter *w,
			    const struct weir_ring *inbox)
{
	return w->bytes + (u64)inbox->post.kept * WEIR_GRANULE;
}

/* Before all others, behind those that are there already. */
static void weir_waiter_add_ahead(struct weir_ring *inbox,
				  struct weir_waiter *w)
{
	struct weir_waiter *at;
	u32 n = 0;

	list_for_each_entry(at, &inbox->post.waiting, link) {
		if (!at->ahead || ++n == WEIR_CALLED_MAX)
			break;
	}
	list_add_tail(&w->link, &at->link);
}

/* Does the inbox's own socket wait for what this one has? */
static bool weir_waiter_is_ahead(const struct weir_waiter *w,
				 const struct weir_ring *inbox)
{
	const struct weir_endpoint *ep = w->ep;

	return w == &ep->waiter &&
	       (ep->inbox == inbox || ep->held_by);
}

/* Behind its user's others, or before them. Under the inbox's post.lock. */
static void weir_waiter_add(struct weir_ring *inbox, struct weir_waiter *w,
			    bool front)
{
	struct weir_post *post = &inbox->post;
	struct weir_waiter *first;
	u32 n = 0;

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
		/* among very many users it has a turn of its own */
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

/* The user's next comes where it was; @turn: behind all other users. */
static void weir_waiter_del(struct weir_ring *inbox, struct weir_waiter *w,
			    bool turn)
{
	struct weir_post *post = &inbox->post;
	struct weir_waiter *next;

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

/* It may look again. Under the inbox's post.lock. */
static void weir_waiter_call(struct weir_ring *inbox, struct weir_waiter *w)
{
	weir_waiter_del(inbox, w, true);
	weir_endpoint_later(w->ep);
}

/**
 * weir_waiters_resume() - there may be room: waiters look again
 * @inbox: the ring, under its post.lock.
 *
 * In order, as many as there is room for.
 */
void weir_waiters_resume(struct weir_ring *inbox)
{
	struct weir_post *post = &inbox->post;
	struct weir_waiter *w, *moved = NULL;
	u32 n;
	u64 need;

	lockdep_assert_held(&post->lock);
	post->queued = false;
	weir_grants_end(inbox);
	/* a user's next, which comes behind the others, is one of them */
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
			/* nobody else is to take what there is meanwhile */
			post->queued = true;
			post->limit = min(post->limit, post->pos +
					  (u64)post->kept * WEIR_GRANULE);
			break;
		} else {
			/* it fits only when less is kept: others may go */
			moved = moved ?: w;
			list_move_tail(&w->link, &post->waiting);
		}
	}
	weir_grants_watch(inbox);
}

/**
 * weir_waiters_unawaited() - calls of an inbox's socket have ended
 * @inbox: the ring, under its post.lock.
 *
 * Targets that wait with a reply to one need not any more: they look again.
 */
void weir_waiters_unawaited(struct weir_ring *inbox)
{
	struct weir_waiter *w, *next;
	u32 n = 0;

	lockdep_assert_held(&inbox->post.lock);
	list_for_each_entry_safe(w, next, &inbox->post.waiting, link) {
		if (!w->ahead || n++ == WEIR_CALLED_MAX)
			break;
		weir_waiter_call(inbox, w);
	}
	weir_waiters_resume(inbox);
}

/* Some of those that wait look again, room or not. Returns how many. */
static u32 weir_waiters_call(struct weir_ring *inbox)
{
	struct weir_waiter *w, *next;
	u32 n = 0;

	list_for_each_entry_safe(w, next, &inbox->post.waiting, link) {
		if (n == WEIR_CALLED_MAX)
			break;
		weir_waiter_call(inbox, w);
		n++;
	}
	return n;
}

/**
 * weir_waiters_call_all() - all waiters of an inbox look again, room or not
 * @inbox: the ring.
 *
 * Those that still have to wait go behind the others.
 */
void weir_waiters_call_all(struct weir_ring *inbox)
{
	struct weir_post *post = &inbox->post;
	u32 left = READ_ONCE(post->nwaiting), n;

	while (left) {
		spin_lock(&post->lock);
		n = weir_waiters_call(inbox);
		spin_unlock(&post->lock);
		if (!n)
			break;
		left -= min(left, n);
		cond_resched();
	}
}

/**
 * weir_waiters_want() - room up to which the reader need not kick
 * @inbox: the ring, under its post.lock.
 *
 * Return: bytes, beyond what is kept, that the first who waits wants; U64_MAX
 * if nobody does.
 */
u64 weir_waiters_want(struct weir_ring *inbox)
{
	const struct weir_waiter *w;

	w = list_first_entry_or_null(&inbox->post.waiting, struct weir_waiter,
				     link);
	return w ? weir_waiter_need(w, inbox) : U64_MAX;
}

/* weir_post.on_room: the reader has read on, or the inbox has ended. */
static u64 weir_waiters_on_room(struct weir_ring *inbox)
{
	weir_waiters_resume(inbox);
	return weir_waiters_want(inbox);
}

/* It looks at what is kept for it: that is in time. Under the inbox's post.lock. */
static void weir_waiter_renew(struct weir_ring *inbox, struct weir_waiter *w)
{
	if (list_empty(&w->called))
		return;
	w->called_ns = ktime_get_ns();
	w->here_ns = w->here_ns ?: w->called_ns;
	list_move_tail(&w->called, &inbox->post.called);
}

/**
 * weir_waiter_here() - one that has waited is going to look
 * @w: it; under its endpoint's dispatch_lock.
 *
 * What its worker does before counts for no delay of it.
 */
void weir_waiter_here(struct weir_waiter *w)
{
	struct weir_ring *inbox = w->inbox;

	lockdep_assert_held(&w->ep->dispatch_lock);
	if (!inbox)
		return;
	spin_lock(&inbox->post.lock);
	weir_waiter_renew(inbox, w);
	spin_unlock(&inbox->post.lock);
}

/**
 * weir_waiter_look() - one that has waited looks again
 * @w: it; under its endpoint's dispatch_lock.
 *
 * What was kept for it is there for the taking. A waiter that has not been
 * called keeps its place. Followed by weir_waiter_wait() or weir_waiter_done().
 */
void weir_waiter_look(struct weir_waiter *w)
{
	struct weir_ring *inbox = w->inbox;

	lockdep_assert_held(&w->ep->dispatch_lock);
	WRITE_ONCE(w->waits, false);
	if (!inbox)
		return;
	spin_lock(&inbox->post.lock);
	weir_waiter_renew(inbox, w);
	if (w->look_ns)
		weir_waiters_resume(inbox);
	w->again = w->granted;
	if (!list_empty(&w->called))
		weir_waiter_ungrant(inbox, w);
	spin_unlock(&inbox->post.lock);
	if (ktime_get_ns() >= w->look_ns)
		w->look_ns = 0;
}

/*
 * The reader kicks when there is room for the first that waits: it has seen that
 * it is to, or we see what it has read. Under dispatch_lock of @w's endpoint alone.
 * Returns false when the reader may not have seen it.
 */
static bool weir_waiters_ask(struct weir_waiter *w, struct weir_ring *inbox)
{
	bool seen = true;

	spin_lock(&inbox->post.lock);
	weir_waiters_resume(inbox);
	if (list_empty(&inbox->post.waiting)) {
		spin_unlock(&inbox->post.lock);
		return true;
	}
	weir_inbox_want(inbox, weir_waiters_want(inbox));
	spin_unlock(&inbox->post.lock);
	if (!weir_inbox_fence(inbox, w->ep->account, w->ep->cpus)) {
		seen = false;
		/* most stores that are held back are there after that */
		udelay(1);
	}
	spin_lock(&inbox->post.lock);
	weir_waiters_resume(inbox);
	spin_unlock(&inbox->post.lock);
	return seen;
}

/**
 * weir_waiter_done() - it waits no more: the next may go
 * @w: it, unless it waits; under its endpoint's dispatch_lock.
 */
void weir_waiter_done(struct weir_waiter *w)
{
	struct weir_ring *inbox = w->inbox;
	struct weir_waiter *next;
	bool first;

	lockdep_assert_held(&w->ep->dispatch_lock);
	if (!inbox || w->waits)
		return;
	spin_lock(&inbox->post.lock);
	/* the reader may have been asked for more room than the next one wants */
	first = inbox->post.waiting.next == &w->link;
	if (!list_empty(&w->link))
		weir_waiter_del(inbox, w, false);
	if (!list_empty(&w->called))
		weir_waiter_ungrant(inbox, w);
	if (!first)
		weir_waiters_resume(inbox);
	spin_unlock(&inbox->post.lock);
	if (first && !weir_waiters_ask(w, inbox)) {
		/* the next one asks for itself */
		spin_lock(&inbox->post.lock);
		next = list_first_entry_or_null(&inbox->post.waiting,
						struct weir_waiter, link);
		if (next)
			weir_waiter_call(inbox, next);
		spin_unlock(&inbox->post.lock);
	}
	w->look_ns = 0;
	w->again = 0;
	WRITE_ONCE(w->inbox, NULL);
	weir_ring_put(inbox);
}

/*
 * It has its place in the queue already, or has been called again meanwhile. One
 * that wants another room than it did queues anew.
 */
static bool weir_waiter_stays(struct weir_waiter *w, struct weir_ring *inbox,
			      u64 bytes)
{
	bool stays;

	if (w->inbox != inbox)
		return false;
	spin_lock(&inbox->post.lock);
	stays = !list_empty(&w->link);
	if (stays && bytes != w->bytes) {
		weir_waiter_del(inbox, w, false);
		weir_waiters_resume(inbox);
		stays = false;
	}
	stays |= w->granted;
	spin_unlock(&inbox->post.lock);
	return stays;
}

/* One that the inbox's reader may not know of looks by itself. */
static void weir_waiter_watch(struct weir_waiter *w)
{
	struct weir_post *post = &w->ep->inbox->post;

	if (!w->look_ns)
		return;
	spin_lock(&post->lock);
	weir_endpoint_arm(w->ep, w->look_ns);
	spin_unlock(&post->lock);
}

/**
 * weir_waiter_wait() - go on when an inbox has room
 * @w: the waiter; its endpoint's dispatch_lock is held, no other lock.
 * @inbox: the inbox.
 * @bytes: wanted, see weir_pass_hold().
 *
 * What is kept for answers may be less by now than when there was no room, and
 * all that was in the inbox read: then nobody would kick any more. So it is
 * looked at once more, and weir_endpoint_later() called if there is room.
 *
 * What is sent decides how often this happens. Beyond the user's allowance the
 * reader's processors are not interrupted. A cursor store that one of them still
 * holds back is then seen after a moment, or at a look a tick later.
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
	/* what it was called for, and has not got */
	front = DIV_ROUND_UP(bytes, WEIR_GRANULE) <= w->again;
	w->again = 0;
	spin_lock(&inbox->post.lock);
	w->bytes = bytes;
	inbox->post.on_room = weir_waiters_on_room;
	weir_waiter_add(inbox, w, front);
	spin_unlock(&inbox->post.lock);
	w->look_ns = weir_waiters_ask(w, inbox) ? 0 : ktime_get_ns() + TICK_NSEC;
	weir_waiter_watch(w);
}
