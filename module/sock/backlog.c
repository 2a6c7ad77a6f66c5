// SPDX-License-Identifier: GPL-2.0
/*
 * The queue of a listener: connections take a slot in it before they are made,
 * and wait for one. Users share the slots. struct weir_listener has the queue.
 *
 * Process context.
 */
#include <linux/sched/signal.h>

#include "charge.h"
#include "logic/account.h"
#include "owner.h"
#include "sock/backlog.h"
#include "sock/sock.h"
#include "weir.h"

/**
 * struct weir_connecter - a waiter for a slot in a listener's queue
 * @wait: in listen.connect_wait of the listener, for the first waiter of each
 *	user.
 * @first: the waiter is the first of its user; the queue's lock.
 * @link: in the listener's connecters if @first, else in @more of the first
 *	waiter of its user; that lock.
 * @more: other waiters of its user, behind it; that lock.
 * @listener: the listener.
 * @user: user whose share of the queue is used.
 * @exempt: the waiter may take any free slot, not only its user's share.
 * @has: the waiter has a slot; the queue's lock.
 */
struct weir_connecter {
	wait_queue_entry_t wait;
	bool first;
	struct list_head link;
	struct list_head more;
	struct weir_sock *listener;
	kuid_t user;
	bool exempt;
	bool has;
};

/*
 * Takes a slot in a listener's queue for a user. Returns -EAGAIN when the
 * queue is full or, unless @exempt, the user has its share of it;
 * -ECONNREFUSED; -ENOMEM.
 */
static int weir_backlog_take(struct weir_sock *listener, kuid_t user,
			     bool exempt)
	__must_hold(&listener->listen.lock)
{
	lockdep_assert_held(&listener->listen.lock);
	if (!weir_listens(listener))
		return -ECONNREFUSED;
	if (listener->listen.waiting.total > listener->listen.backlog ||
	    (!exempt && weir_tally_full(&listener->listen.waiting, user,
					listener->listen.backlog + 1)))
		return -EAGAIN;
	/* from the reserves: the waker may be another, whose cgroup is full */
	return weir_tally_add(&listener->listen.waiting, user,
			      GFP_ATOMIC | __GFP_NOWARN);
}

/*
 * Gives a free slot to the first waiter that may have it. At most one waiter
 * of each user is passed over. The waker takes the slot, so it is not lost if
 * the waiter gives up meanwhile. Under the queue's lock.
 */
static int weir_connect_wake(wait_queue_entry_t *wait, unsigned int mode,
			     int flags, void *key)
{
	struct weir_connecter *c = container_of(wait, struct weir_connecter,
						wait);
	int err;

	if (c->has)
		return 0;
	err = weir_backlog_take(c->listener, c->user, c->exempt);
	if (err == -EAGAIN)
		return 0;
	c->has = !err;
	list_del_init_careful(&wait->entry);
	default_wake_function(wait, mode, flags, key);
	/* without memory its call fails, and the slot goes to the next */
	return err != -ENOMEM;
}

/* Another slot may be free: wakes the next waiter. */
static void weir_connect_next(struct weir_sock *listener)
	__must_hold(&listener->listen.lock)
{
	lockdep_assert_held(&listener->listen.lock);
	if (listener->listen.waiting.total <= listener->listen.backlog)
		wake_up_interruptible(&listener->listen.connect_wait);
}

/* weir_backlog_take(), unless the waiter has a slot already. */
static int weir_reserve(struct weir_connecter *c)
{
	struct weir_sock *listener = c->listener;
	int err = 0;

	spin_lock(&listener->listen.lock);
	if (!c->has) {
		err = weir_backlog_take(listener, c->user, c->exempt);
		c->has = !err;
	}
	if (c->has)
		weir_connect_next(listener);
	spin_unlock(&listener->listen.lock);
	return err;
}

/* Returns a user's slot and wakes the first waiter that may have it. */
void weir_unreserve(struct weir_sock *listener, kuid_t user)
{
	spin_lock(&listener->listen.lock);
	weir_tally_sub(&listener->listen.waiting, user);
	wake_up_interruptible(&listener->listen.connect_wait);
	spin_unlock(&listener->listen.lock);
}

/* Adds a connected child to the queue; false when the listener is gone. */
bool weir_enqueue(struct weir_sock *listener, struct weir_sock *child)
{
	bool listens;

	spin_lock(&listener->listen.lock);
	listens = listener->sk.sk_state == TCP_LISTEN;
	if (listens)
		list_add_tail(&child->accept_link, &listener->listen.queue);
	spin_unlock(&listener->listen.lock);
	return listens;
}

/* Adds a waiter behind the others of its user; the first is in connect_wait. */
static void weir_connecter_add(struct weir_connecter *c)
{
	struct weir_sock *listener = c->listener;
	struct weir_connecter *at;

	spin_lock(&listener->listen.lock);
	/* the list has one entry for each user */
	list_for_each_entry(at, &listener->listen.connecters, link) {
		if (uid_eq(at->user, c->user) && at->exempt == c->exempt) {
			list_add_tail(&c->link, &at->more);
			goto unlock;
		}
	}
	WRITE_ONCE(c->first, true);
	list_add_tail(&c->link, &listener->listen.connecters);
unlock:
	spin_unlock(&listener->listen.lock);
}

/*
 * Removes a waiter. The next one of its user becomes the first, and is woken.
 */
static void weir_connecter_del(struct weir_connecter *c)
{
	struct weir_sock *listener = c->listener;
	struct weir_connecter *next;

	spin_lock(&listener->listen.lock);
	next = list_first_entry_or_null(&c->more, struct weir_connecter, link);
	if (next) {
		list_del(&next->link);
		list_splice(&c->more, &next->more);
		list_add_tail(&next->link, &listener->listen.connecters);
		WRITE_ONCE(next->first, true);
		wake_up_process(next->wait.private);
	}
	list_del(&c->link);
	spin_unlock(&listener->listen.lock);
}

/* As prepare_to_wait_event(). Only a user's first waiter is in connect_wait. */
static int weir_connecter_prepare(struct weir_connecter *c)
{
	set_current_state(TASK_INTERRUPTIBLE);
	if (READ_ONCE(c->first))
		return prepare_to_wait_event(&c->listener->listen.connect_wait,
					     &c->wait, TASK_INTERRUPTIBLE);
	return signal_pending(current) ? -ERESTARTSYS : 0;
}

/*
 * Sleeps until the waiter has a slot. Returns 0, -EAGAIN when the time is
 * over, or the errno of a signal.
 */
static int weir_sleep_backlog(struct weir_connecter *c, long timeo)
{
	struct weir_sock *listener = c->listener;
	int err, intr;

	weir_connecter_add(c);
	for (;;) {
		intr = weir_connecter_prepare(c);
		err = READ_ONCE(c->first) ? weir_reserve(c) : -EAGAIN;
		if (err != -EAGAIN || !timeo)
			break;
		if (intr) {
			err = sock_intr_errno(timeo);
			break;
		}
		timeo = schedule_timeout(timeo);
	}
	finish_wait(&listener->listen.connect_wait, &c->wait);
	weir_connecter_del(c);
	if (!err)
		return 0;
	/* a waiter that got a slot meanwhile keeps it, signal or not */
	spin_lock(&listener->listen.lock);
	if (c->has) {
		err = 0;
		weir_connect_next(listener);
	}
	spin_unlock(&listener->listen.lock);
	return err;
}

/* Takes a slot in the listener's queue; waits for it if @timeo is not 0. */
int weir_wait_backlog(struct weir_sock *ws, struct weir_sock *listener,
		      long timeo)
{
	struct weir_connecter c = {
		.wait = {
			.flags = WQ_FLAG_EXCLUSIVE,
			.private = current,
			.func = weir_connect_wake,
			.entry = LIST_HEAD_INIT(c.wait.entry),
		},
		.more = LIST_HEAD_INIT(c.more),
		.listener = listener,
		.user = weir_account_user(ws->owner.account),
		.exempt = weir_share_exempt(&ws->owner,
					    listener->owner.account),
	};
	int err = weir_reserve(&c);

	if (err == -EAGAIN && timeo)
		err = weir_sleep_backlog(&c, timeo);
	if (err == -EINTR || err == -ERESTARTSYS)
		return err;
	if (err == -EAGAIN)
		weir_refuse(ws, err,
			    "the listener's backlog is full, or the user's share of it");
	else if (err == -ENOMEM)
		weir_refuse(ws, err, "no memory for the connection");
	else if (err)
		weir_refuse(ws, err, "the listener went away");
	return err;
}

/* Takes the first socket out of the queue, and returns its slot; or NULL. */
struct weir_sock *weir_dequeue(struct weir_sock *listener)
{
	struct weir_sock *child;

	spin_lock(&listener->listen.lock);
	child = list_first_entry_or_null(&listener->listen.queue,
					 struct weir_sock, accept_link);
	if (child)
		list_del_init(&child->accept_link);
	spin_unlock(&listener->listen.lock);
	if (child)
		weir_unreserve(listener, child->connecter);
	return child;
}
