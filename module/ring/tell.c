// SPDX-License-Identifier: GPL-2.0
/*
 * Telling what waits on a socket, in the time of whoever causes it or in the
 * time of the socket's user.
 *
 * A wake-up takes as long as the socket's user likes: it may put very many
 * entries on the wait queue, or behind one of them, which an epoll descriptor
 * adds. An edge-triggered waiter stays armed, and then costs its user nothing
 * for each message. So the wake-ups of a user that others make take at most a
 * sixteenth of their time, all together: patience.h. The rest, and those of a
 * long queue, are made by the user's own worker, at once. Nothing is lost: the
 * worker arms what was armed, and then tells. A message that comes meanwhile is
 * told with those before it. That wakes one of the exclusive waiters: a thread
 * that takes one of several messages wakes the next one (weir_wake_next()).
 *
 * weir_party_defers(), weir_party_later() and weir_party_tell() may be called
 * with BH disabled. The other functions are for process context.
 */
#include <linux/bottom_half.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <net/sock.h>

#include "logic/patience.h"
#include "owner.h"
#include "party.h"
#include "ring/tell.h"
#include "ring/wake.h"
#include "tenant.h"
#include "weir.h"

/* Entries of a wait queue that others wake themselves. */
#define WEIR_TELL_WAITERS	16

/* Time that others may take at once to wake one user's sockets. */
#define WEIR_TELL_MOST_NS	(100 * NSEC_PER_USEC)

/* What a wake-up costs besides: a part of the system call that makes it. */
#define WEIR_TELL_NS		(1 * NSEC_PER_USEC)

/*
 * Has the wait queue more than a few entries? O_ASYNC counts as many: a signal
 * may go to a large group of processes.
 */
static bool weir_queue_long(const struct sock *sk)
{
	struct wait_queue_entry *at;
	struct socket_wq *wq;
	unsigned long flags;
	bool many = false;
	unsigned int n = 0;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (!wq)
		goto unlock;
	many = READ_ONCE(wq->fasync_list);
	/* one entry or none, mostly */
	if (many || READ_ONCE(wq->wait.head.next) ==
		    READ_ONCE(wq->wait.head.prev))
		goto unlock;
	spin_lock_irqsave(&wq->wait.lock, flags);
	list_for_each_entry(at, &wq->wait.head, entry) {
		many = ++n > WEIR_TELL_WAITERS;
		if (many)
			break;
	}
	spin_unlock_irqrestore(&wq->wait.lock, flags);
unlock:
	rcu_read_unlock();
	return many;
}

/*
 * weir_party_waits() - the caller has come to the wait queue of @p, or to its
 * list of O_ASYNC
 */
void weir_party_waits(struct weir_party *p)
{
	if (likely(!weir_queue_long(p->sk)))
		return;
	spin_lock(&p->lock);
	WRITE_ONCE(p->watch, p->watch | WEIR_WATCH_LONG);
	spin_unlock(&p->lock);
}

/* Is the calling thread that of another user, and is there anything to limit? */
static bool weir_party_limited(const struct weir_party *p)
{
	return READ_ONCE(p->watch) & (WEIR_WATCH_POLL | WEIR_WATCH_LONG) &&
	       weir_stranger(p->owner->uid, p->owner->pid);
}

/**
 * weir_party_defers() - does the user's worker tell what waits on a party?
 * @p: the party, which the caller wants to tell something.
 *
 * Return: true if so: weir_party_later(); false: weir_party_tell().
 */
bool weir_party_defers(const struct weir_party *p)
{
	return weir_party_limited(p) &&
	       (READ_ONCE(p->watch) & WEIR_WATCH_LONG ||
		!weir_patience_left(&p->owner->tenant->told_by,
				    WEIR_TELL_MOST_NS, ktime_get_ns()));
}

static void weir_tell(struct sock *sk, unsigned long tells)
{
	if (tells & BIT(WEIR_TELL_IN))
		sk->sk_data_ready(sk);
	if (tells & BIT(WEIR_TELL_OUT))
		sk->sk_write_space(sk);
	if (tells & BIT(WEIR_TELL_STATE))
		sk->sk_state_change(sk);
	if (tells & BIT(WEIR_TELL_HUP))
		sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_HUP);
	if (tells & BIT(WEIR_TELL_END))
		sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_IN);
}

/*
 * weir_party_later() - have the worker of its user tell what waits on @p
 *
 * The caller holds the socket, and no lock under that of the tenant.
 */
void weir_party_later(struct weir_party *p, enum weir_tell tell)
{
	set_bit(tell, &p->tells);
	weir_work_item_queue(p->owner->tenant, &p->later, &p->sk->sk_refcnt);
}

/*
 * weir_party_tell() - tell what waits on @p, as weir_party_defers() says
 *
 * The caller holds the socket, and no lock under that of the tenant.
 */
void weir_party_tell(struct weir_party *p, enum weir_tell tell)
{
	u64 begun, now;

	if (!weir_party_limited(p)) {
		weir_tell(p->sk, BIT(tell));
		return;
	}
	if (weir_party_defers(p)) {
		weir_party_later(p, tell);
		return;
	}
	/* without PREEMPT_RT nothing else runs here meanwhile, and counts */
	local_bh_disable();
	begun = ktime_get_ns();
	weir_tell(p->sk, BIT(tell));
	now = ktime_get_ns();
	local_bh_enable();
	weir_patience_use(&p->owner->tenant->told_by, now,
			  min_t(u64, now - begun, NSEC_PER_SEC) + WEIR_TELL_NS);
}

/* weir_party.later */
static void weir_party_told(struct weir_work_item *item)
{
	struct weir_party *p = container_of(item, struct weir_party, later);
	unsigned long tells = xchg(&p->tells, 0);

	spin_lock(&p->lock);
	/* what comes to the queue later looks later, too */
	if (p->watch & WEIR_WATCH_LONG && !weir_queue_long(p->sk))
		WRITE_ONCE(p->watch, p->watch & ~WEIR_WATCH_LONG);
	spin_unlock(&p->lock);
	if (tells & BIT(WEIR_TELL_IN)) {
		/* of several messages, which several exclusive waiters take */
		WRITE_ONCE(p->merged, true);
		weir_party_rearm(p);
	}
	weir_tell(p->sk, tells);
	sock_put(p->sk);
}

/* weir_party_tells() - prepare a new party for the functions above */
void weir_party_tells(struct weir_party *p)
{
	weir_work_item_init(&p->later, weir_party_told);
}

/*
 * weir_party_quits() - its descriptor is gone: nothing waits on @p any more
 *
 * From here on the worker does not arm its readers.
 */
void weir_party_quits(struct weir_party *p)
{
	spin_lock(&p->lock);
	WRITE_ONCE(p->watch, 0);
	spin_unlock(&p->lock);
}
