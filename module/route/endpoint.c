// SPDX-License-Identifier: GPL-2.0
/*
 * Endpoints. An endpoint is a socket's part in the router: the outbox, which
 * the router reads, and the inbox, which the router writes; the handles of the
 * paths that the socket calls; its open calls, with deadlines and retries. Code
 * of the kernel may have an endpoint without a socket.
 *
 * Process context.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/memcontrol.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/alloc.h"
#include "logic/calls.h"
#include "net.h"
#include "owner.h"
#include "race.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/dispatch_lock.h"
#include "route/endpoint.h"
#include "route/handle.h"
#include "route/pass.h"
#include "route/request.h"
#include "route/router.h"
#include "route/waiter.h"
#include "route/worker.h"
#include "stats.h"
#include "tenant.h"
#include "weir.h"

/**
 * weir_endpoint_set_payer() - set the account that pays for a reply's wait
 * @ep: the endpoint that replies, under its dispatch_lock.
 * @account: account of the caller whose inbox has no room; a reference is
 *	taken. NULL: the endpoint waits for no caller.
 *
 * Puts the account that was set before. Does not sleep.
 */
void weir_endpoint_set_payer(struct weir_endpoint *ep,
			     struct weir_account *account)
{
	if (account)
		weir_account_get(account);
	if (ep->blocked_payer)
		weir_account_put(ep->blocked_payer);
	WRITE_ONCE(ep->blocked_payer, account);
}

/* Frees an endpoint and gives back what was charged for it. */
static void weir_endpoint_destroy(struct weir_endpoint *ep)
{
	struct weir_net *wn = ep->wn;

	free_cpumask_var(ep->cpus);
	put_pid(ep->pid);
	weir_uncharge(&ep->charge);
	weir_endpoint_set_payer(ep, NULL);
	weir_account_put(ep->account);
	mem_cgroup_put(ep->memcg);
	kfree(ep);
	weir_net_put(wn);
}

/* weir_endpoint.free: a grace period after the last put. */
static void weir_endpoint_free(struct work_struct *work)
{
	struct weir_endpoint *ep = container_of(to_rcu_work(work),
						struct weir_endpoint, free);

	/* the number is free now: no RCU reader has this endpoint any more */
	xa_erase(&ep->wn->endpoints, ep->id);
	weir_race_point(endpoint_free);
	weir_call_table_destroy(&ep->calls);
	weir_tenant_put(ep->tenant);
	weir_ring_put(ep->inbox);
	weir_ring_put(ep->outbox);
	weir_endpoint_destroy(ep);
}

/* weir_endpoint_get() - take a reference; @ep must have one already */
void weir_endpoint_get(struct weir_endpoint *ep)
{
	refcount_inc(&ep->ref);
}

/* weir_endpoint_put() - put a reference; does not sleep */
void weir_endpoint_put(struct weir_endpoint *ep)
{
	if (refcount_dec_and_test(&ep->ref))
		queue_rcu_work(weir_router_wq, &ep->free);
}

/* --- time --------------------------------------------------------------- */

/*
 * weir_endpoint_arm() - have the endpoint's timer run at a certain time
 *
 * @due_ns: time at which the timer runs at the latest, as ktime_get_ns()
 * counts; U64_MAX: never. A timer that is due earlier stays. Does not sleep.
 */
void weir_endpoint_arm(struct weir_endpoint *ep, u64 due_ns)
	__must_hold(&ep->inbox->post.lock)
{
	s64 in;

	lockdep_assert_held(&ep->inbox->post.lock);
	if (due_ns >= ep->armed_ns)
		return;
	ep->armed_ns = due_ns;
	in = due_ns - ktime_get_ns();
	weir_timer_move(&ep->timer, in > 0 ? nsecs_to_jiffies64(in) + 1 : 0);
}

/**
 * weir_deadline_arm() - arm the timer for the deadline of a call
 * @ep: the caller's endpoint.
 * @due_ns: deadline, as ktime_get_ns() counts. The calls are looked at then.
 */
void weir_deadline_arm(struct weir_endpoint *ep, u64 due_ns)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (due_ns >= ep->timer_ns)
		return;
	ep->timer_ns = due_ns;
	/* a scan in progress goes on soon, and arms the timer at its end */
	if (!ep->scan_slot)
		weir_endpoint_arm(ep, due_ns);
}

/* weir_deadline_arm_lock() - weir_deadline_arm(), and takes post.lock itself */
void weir_deadline_arm_lock(struct weir_endpoint *ep, u64 deadline_ns)
{
	spin_lock(&ep->inbox->post.lock);
	weir_deadline_arm(ep, deadline_ns);
	spin_unlock(&ep->inbox->post.lock);
}

/* weir_endpoint.timer: the worker of the endpoint's user calls this. */
static void weir_endpoint_timer_fn(struct weir_timer *timer)
{
	struct weir_endpoint *ep = container_of(timer, struct weir_endpoint,
						timer);

	weir_pass_work(ep);
	weir_endpoint_put(ep);
}

/* Has the watchdog ejected the target since the call was sent? */
static bool weir_call_target_ejected(const struct weir_call_entry *call)
{
	return READ_ONCE(call->target->ejected) &&
	       call->sent_ns <= READ_ONCE(call->target->lost_ns);
}

/*
 * Looks at one call, which may be in any state. A call past its deadline ends
 * with an error. A call that may be sent twice is taken from an ejected target.
 * @now: as ktime_get_ns() counts.
 */
static void weir_call_expire(struct weir_endpoint *ep,
			     struct weir_call_entry *call, u64 now)
	__must_hold(&ep->inbox->post.lock)
{
	u8 state = weir_call_state(call);
	struct weir_route *route = NULL;

	lockdep_assert_held(&ep->inbox->post.lock);
	if (state != WEIR_CALL_SENT && state != WEIR_CALL_RETRY &&
	    state != WEIR_CALL_WAIT)
		return;
	if (call->deadline_ns > now) {
		ep->scan_ns = min(ep->scan_ns, call->deadline_ns);
		if (state == WEIR_CALL_SENT && weir_call_target_ejected(call)) {
			weir_call_lost(ep, call, WEIR_REASON_TARGET_EJECTED,
				       WEIR_GUARD_WATCHDOG);
			ep->scan_lost |= call->state == WEIR_CALL_RETRY;
		}
		return;
	}
	rcu_read_lock();
	if (state == WEIR_CALL_SENT)
		atomic64_inc(&call->target->expired);
	else
		route = ep->handles[call->handle - 1].route;
	weir_call_answer(ep, call, route, WEIR_REASON_DEADLINE,
			 WEIR_GUARD_DEADLINE, 0);
	rcu_read_unlock();
}

/*
 * Scans the endpoint's calls for deadlines that are over and for ejected
 * targets. One scan may take several turns: each looks at as many calls as the
 * user's share of the worker allows, from ep->scan_slot on. Drops post.lock now
 * and then, and may sleep then.
 */
static void weir_endpoint_scan(struct weir_endpoint *ep, u64 now)
	__must_hold(&ep->dispatch_lock)
	__must_hold(&ep->inbox->post.lock)
{
	struct weir_post *post = &ep->inbox->post;
	u32 left;

	lockdep_assert_held(&ep->dispatch_lock);
	lockdep_assert_held(&ep->inbox->post.lock);
	left = weir_tenant_scan_budget(ep->tenant,
				       ep->calls.size - ep->scan_slot);
	if (!ep->scan_slot && left) {
		ep->scan_ns = U64_MAX;
		ep->timer_ns = U64_MAX;
	}
	for (; left; left--) {
		weir_call_expire(ep, weir_call_table_at(&ep->calls,
							ep->scan_slot), now);
		if (++ep->scan_slot % WEIR_CALLS_CHUNK &&
		    ep->ended < WEIR_ENDED_MAX)
			continue;
		weir_endpoint_unawaited(ep);
		spin_unlock_bh(&post->lock);
		cond_resched();
		spin_lock_bh(&post->lock);
	}
	weir_endpoint_unawaited(ep);
	if (ep->scan_slot < ep->calls.size)
		return;
	ep->scan_slot = 0;
	ep->scan_lost = false;
	/* calls that began during the scan have lowered timer_ns themselves */
	ep->timer_ns = min(ep->timer_ns, ep->scan_ns);
}

/* Calls that one search for the next retry passes over at most. */
#define WEIR_RETRY_STEPS	1024

/*
 * Takes the first call that is due out of the queue of retries. @held: calls by
 * this handle are passed over, since they wait; 0: none. Returns NULL if no
 * call is due, or if very many are passed over: then @more is set, and the next
 * search goes on behind them.
 */
static struct weir_call_entry *weir_endpoint_retry_due(struct weir_endpoint *ep,
						       u32 held, bool *more)
	__must_hold(&ep->dispatch_lock)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_call_table *c = &ep->calls;
	u32 left = WEIR_RETRY_STEPS;
	struct weir_call_entry *call;
	struct rb_node *at;

	lockdep_assert_held(&ep->dispatch_lock);
	spin_lock_bh(&post->lock);
	at = held && c->retry_from ? c->retry_from :
				     rb_first_cached(&c->retries);
	for (; at && left; at = rb_next(at), left--) {
		call = rb_entry(at, struct weir_call_entry, retry);
		if (call->sent_ns > ep->pass.now_ns) {
			at = NULL;
			break;
		}
		if (call->handle == held)
			continue;
		/* a call in state RETRY ends under dispatch_lock only */
		c->retry_from = at;
		weir_call_table_retry_stop(c, call);
		spin_unlock_bh(&post->lock);
		return call;
	}
	c->retry_from = at;
	*more = at;
	spin_unlock_bh(&post->lock);
	return NULL;
}

/*
 * Sends the calls that are due again, in order, as many as fit one section.
 * After a call that finds no room, only calls by other handles are sent. @held:
 * a handle that waits for room already, or 0. Returns true if there may be more
 * calls that can be sent at once.
 */
static bool weir_endpoint_retries_some(struct weir_endpoint *ep, u32 held)
	__must_hold(&ep->dispatch_lock)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_pass *pass = &ep->pass;
	struct weir_call_entry *call;
	u64 bytes = 0;
	bool waits, more;
	u32 n;

	lockdep_assert_held(&ep->dispatch_lock);
	for (n = 0; n < WEIR_PASS_MESSAGES && bytes < WEIR_PASS_BYTES &&
		    pass->steps <= WEIR_STEPS_MAX; n++) {
		call = weir_endpoint_retry_due(ep, held, &more);
		if (!call)
			return more;
		if (weir_request_again(ep, call) == WEIR_DELIVERED) {
			bytes += pass->each;
			/* the room was kept for this call, not for the next */
			ep->retry.again = 0;
			cond_resched();
			continue;
		}
		/*
		 * Back to its place in the queue. A second call that has no
		 * room waits behind the first; both are of this socket.
		 */
		waits = held || pass->left_over;
		if (!waits) {
			held = call->handle;
			ep->retry_handle = held;
			ep->retry_name = call->name;
		}
		spin_lock_bh(&post->lock);
		weir_call_table_retry(&ep->calls, call, call->sent_ns);
		spin_unlock_bh(&post->lock);
		if (waits)
			return false;
	}
	return true;
}

/* Do retries wait for room, with a call that has not ended since? */
static bool weir_endpoint_retry_waits(struct weir_endpoint *ep)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_waiter *w = &ep->retry;
	struct weir_call_entry *call;
	bool waits;

	/* not if the waiter has been called, or looks by itself */
	if (!w->waits || w->recheck_ns || list_empty_careful(&w->link))
		return false;
	spin_lock_bh(&post->lock);
	call = weir_call_table_find(&ep->calls, ep->retry_name);
	waits = call && call->state == WEIR_CALL_RETRY;
	spin_unlock_bh(&post->lock);
	return waits;
}

/*
 * The time at which the next call that does not wait for room is to be sent
 * again, as ktime_get_ns() counts; U64_MAX if there is none.
 */
static u64 weir_endpoint_retry_ns(struct weir_endpoint *ep, u64 now)
	__must_hold(&ep->dispatch_lock)
	__must_hold(&ep->inbox->post.lock)
{
	u32 left = WEIR_RETRY_STEPS;
	struct weir_call_entry *call;
	u64 ns = U64_MAX;
	struct rb_node *at;

	lockdep_assert_held(&ep->dispatch_lock);
	lockdep_assert_held(&ep->inbox->post.lock);
	if (ep->last_pos)
		return U64_MAX;
	/* calls that are due already wait behind the waiting one */
	at = ep->retry.waits ?
	     weir_call_table_retry_after(&ep->calls, now) :
	     rb_first_cached(&ep->calls.retries);
	for (; at && left; at = rb_next(at), left--) {
		call = rb_entry(at, struct weir_call_entry, retry);
		ns = call->sent_ns;
		if (!ep->retry.waits || call->handle != ep->retry_handle)
			return ns;
	}
	/* those behind the ones that were looked at are looked at then */
	return at ? ns : U64_MAX;
}

/**
 * weir_endpoint_retries() - send the calls that are due again
 * @ep: the caller's endpoint; ep->owner is set.
 * @dispatcher: kind of the thread that runs this.
 *
 * Sends calls in order, as many as fit one section. A call that finds no room
 * waits for it, and calls by the same handle wait behind it. May sleep.
 */
void weir_endpoint_retries(struct weir_endpoint *ep,
			   enum weir_dispatcher dispatcher)
	__must_hold(&ep->dispatch_lock)
{
	struct weir_pass *pass = &ep->pass;
	struct weir_waiter *w = &ep->retry;
	bool more, waits;

	lockdep_assert_held(&ep->dispatch_lock);
	/* wait for the end of the scan: lost calls are sent again in order */
	if (ep->scan_lost)
		return;
	/* the calls of a closed socket end soon, and nobody hears of them */
	if (ep->last_pos) {
		/* nor does any of them wait for room */
		weir_waiter_recheck(w);
		weir_waiter_done(w);
		return;
	}
	if (!w->inbox && !weir_call_table_retrying(&ep->calls))
		return;
	weir_pass_begin(ep, dispatcher);
	waits = weir_endpoint_retry_waits(ep);
	if (!waits)
		weir_waiter_recheck(w);
	more = weir_endpoint_retries_some(ep, waits ? ep->retry_handle : 0);
	weir_pass_settle(ep);
	/* a fan-out that has waited for targets looks again when due */
	if (unlikely(pass->slots))
		weir_endpoint_more(ep);
	pass->no_slots = WEIR_REASON_NONE;
	if (pass->wait_for && !waits)
		weir_waiter_wait(w, pass->wait_for, pass->wait_bytes);
	weir_pass_forget(pass);
	weir_waiter_done(w);
	if (more || pass->left_over)
		weir_endpoint_queue(ep);
}

/**
 * weir_endpoint_handle_due() - handle deadlines and retries that are due
 * @ep: the endpoint; ep->owner is set.
 *
 * Arms the timer for what is due next. Runs in a worker; may sleep.
 */
void weir_endpoint_handle_due(struct weir_endpoint *ep)
	__must_hold(&ep->dispatch_lock)
{
	struct weir_post *post = &ep->inbox->post;
	u64 now = ktime_get_ns();
	bool due;

	lockdep_assert_held(&ep->dispatch_lock);
	spin_lock_bh(&post->lock);
	ep->armed_ns = U64_MAX;
	due = ep->scan_slot || ep->timer_ns <= now;
	spin_unlock_bh(&post->lock);
	if (due) {
		weir_pass_begin(ep, WEIR_DISPATCH_WORKER);
		spin_lock_bh(&post->lock);
		weir_endpoint_scan(ep, now);
		spin_unlock_bh(&post->lock);
		weir_pass_settle(ep);
	}
	weir_endpoint_retries(ep, WEIR_DISPATCH_WORKER);
	spin_lock_bh(&post->lock);
	if (!ep->scan_lost)
		weir_endpoint_arm(ep, weir_endpoint_retry_ns(ep, now));
	/* calls, or some of them, are scanned once in a jiffy at most */
	weir_endpoint_arm(ep, ep->scan_slot ? now + TICK_NSEC :
			  max_t(u64, ep->timer_ns, now + TICK_NSEC));
	spin_unlock_bh(&post->lock);
}

/* --- handles ------------------------------------------------------------ */

/*
 * Makes room for twice as many handles, and rebuilds the buckets of names.
 * @why: out: on failure, the words. Returns 0, -ENOBUFS or -ENOMEM. Under
 * dispatch_lock; may sleep.
 */
static int weir_endpoint_more_handles(struct weir_endpoint *ep,
				      const char **why)
	__must_hold(&ep->dispatch_lock)
{
	u32 room = max(2 * ep->nhandles, 1U), *by_name, i;
	u64 bytes = (u64)(room - ep->handle_room) *
		    (sizeof(*ep->handles) + sizeof(*by_name));
	struct weir_handle *h;
	int err;

	lockdep_assert_held(&ep->dispatch_lock);
	err = weir_charge_account(&ep->charge, ep->account, bytes, 0, "",
				  why);
	if (err)
		return err;
	h = kvmalloc_array(room, sizeof(*h), WEIR_GFP);
	by_name = kvcalloc(room, sizeof(*by_name), WEIR_GFP);
	if (!h || !by_name) {
		kvfree(h);
		kvfree(by_name);
		weir_uncharge_some(&ep->charge, bytes, 0);
		*why = "no memory for the handle";
		return -ENOMEM;
	}
	if (ep->nhandles)
		memcpy(h, ep->handles, ep->nhandles * sizeof(*h));
	for (i = 0; i < ep->nhandles; i++) {
		h[i].next = by_name[h[i].hash & (room - 1)];
		by_name[h[i].hash & (room - 1)] = i + 1;
	}
	kvfree(ep->handles);
	kvfree(ep->by_name);
	ep->handles = h;
	ep->by_name = by_name;
	ep->handle_room = room;
	return 0;
}

/**
 * weir_endpoint_add_handle() - find the handle of a path, or add one
 * @ep: the caller's endpoint.
 * @path: the path, which has been checked; not terminated.
 * @len: bytes of @path, 1 to WEIR_PATH_MAX.
 * @handle: out: the handle, 1 to WEIR_ROUTES_MAX.
 * @why: out: on failure, the words.
 *
 * The route is looked up when the handle is used first. May sleep.
 *
 * Return: 0; -ENOBUFS: the socket has WEIR_ROUTES_MAX handles, or its user is
 * at a cap; -ENOMEM.
 */
int weir_endpoint_add_handle(struct weir_endpoint *ep, const char *path,
			     u32 len, u32 *handle, const char **why)
	__must_hold(&ep->dispatch_lock)
{
	u32 hash = jhash(path, len, 0), i;
	struct weir_handle *h;
	int err;

	lockdep_assert_held(&ep->dispatch_lock);
	i = ep->nhandles ? ep->by_name[hash & (ep->handle_room - 1)] : 0;
	for (; i; i = h->next) {
		h = &ep->handles[i - 1];
		if (h->hash == hash && h->len == len &&
		    !memcmp(h->path, path, len)) {
			*handle = i;
			return 0;
		}
	}
	*why = "the socket calls as many paths as it may";
	if (ep->nhandles == WEIR_ROUTES_MAX)
		return -ENOBUFS;
	if (ep->nhandles == ep->handle_room) {
		err = weir_endpoint_more_handles(ep, why);
		if (err)
			return err;
	}
	err = weir_charge_account(&ep->charge, ep->account, len, 0, "",
				  why);
	if (err)
		return err;
	h = &ep->handles[ep->nhandles];
	memset(h, 0, sizeof(*h));
	h->path = kmemdup(path, len, WEIR_GFP);
	if (!h->path) {
		weir_uncharge_some(&ep->charge, len, 0);
		*why = "no memory for the handle";
		return -ENOMEM;
	}
	h->len = len;
	h->hash = hash;
	h->gen = READ_ONCE(ep->wn->route_gen) - 1;
	*handle = ++ep->nhandles;
	h->next = ep->by_name[hash & (ep->handle_room - 1)];
	ep->by_name[hash & (ep->handle_room - 1)] = *handle;
	return 0;
}

/*
 * weir_endpoint_call() - get a handle of a path that the owner means to call
 *
 * @path: @len bytes. @handle: out: the handle. Fails, too, if the owner may not
 * call the path. May sleep. Takes dispatch_lock. Returns 0, or a negative errno
 * with words.
 */
int weir_endpoint_call(struct weir_endpoint *ep, const char *path, u32 len,
		       u32 *handle)
{
	struct weir_handle *h;
	const char *why;
	int err;

	weir_dispatch_lock(&ep->dispatch_lock);
	err = weir_endpoint_add_handle(ep, path, len, handle, &why);
	if (err) {
		weir_owner_refuse(ep->owner, err, why);
	} else {
		h = &ep->handles[*handle - 1];
		weir_handle_ask(ep, h);
		if (h->reason == WEIR_REASON_DENIED)
			err = weir_owner_refuse(ep->owner, -EACCES,
						"the path's mode does not permit it");
		else if (h->reason == WEIR_REASON_LOOP)
			err = weir_owner_refuse(ep->owner, -ELOOP,
						"more patterns match the path than are looked at");
		if (err)
			weir_drop(path, h->reason);
	}
	weir_dispatch_unlock(ep);
	return err;
}

/* --- making ------------------------------------------------------------- */

/*
 * Allocates an endpoint, still without rings and number, and charges its owner
 * for it. @most: calls that may be open at once. Returns it, or an ERR_PTR with
 * words. May sleep.
 */
static struct weir_endpoint *weir_endpoint_alloc(struct weir_owner *o, u32 most)
{
	struct weir_endpoint *ep = kzalloc(sizeof(*ep), WEIR_GFP);
	int err;

	if (!ep)
		goto err_memory;
	ep->account = o->account;
	weir_account_get(ep->account);
	/* its first slots, too: so it can make calls even at its cap */
	err = weir_charge_owner(&ep->charge, o, sizeof(*ep) +
				weir_call_table_bytes(most) +
				WEIR_CALLS_CHUNK_BYTES, 1);
	if (err)
		goto err_charge;
	err = -ENOMEM;
	if (!zalloc_cpumask_var(&ep->cpus, WEIR_GFP))
		goto err_uncharge;
	if (weir_call_table_init(&ep->calls, most))
		goto err_cpus;
	ep->tenant = weir_tenant_get(o->tenant);
	refcount_set(&ep->ref, 1);
	INIT_RCU_WORK(&ep->free, weir_endpoint_free);
	weir_timer_init(&ep->timer, &ep->tenant->route_timers, &ep->ref,
			weir_endpoint_timer_fn);
	INIT_LIST_HEAD(&ep->targets);
	INIT_LIST_HEAD(&ep->gone);
	ep->end.part = weir_endpoint_end_part;
	weir_work_item_init(&ep->work, weir_endpoint_work);
	weir_waiter_init(&ep->waiter, ep);
	weir_waiter_init(&ep->retry, ep);
	INIT_LIST_HEAD(&ep->poll_link);
	weir_dispatch_lock_init(&ep->dispatch_lock);
	ep->wn = o->wn;
	weir_net_get(ep->wn);
	ep->owner = o;
	ep->memcg = get_mem_cgroup_from_mm(current->mm);
	ep->pid = get_pid(o->pid);
	ep->uid = o->uid;
	ep->exempt = weir_owner_admin(o);
	ep->random = get_random_u32() | 1;
	ep->timer_ns = U64_MAX;
	ep->armed_ns = U64_MAX;
	ep->blocked_pos = U64_MAX;
	ep->pass.digest.pos = U64_MAX;
	return ep;

err_cpus:
	free_cpumask_var(ep->cpus);
err_uncharge:
	weir_uncharge(&ep->charge);
err_charge:
	weir_account_put(ep->account);
	kfree(ep);
	if (err == -ENOBUFS)
		return ERR_PTR(err);
err_memory:
	return ERR_PTR(weir_owner_refuse(o, -ENOMEM, "no memory for routing"));
}

/*
 * The outbox is full: a worker gives back space. Perhaps only calls that have
 * ended still hold it.
 */
static void weir_router_reader_full(struct weir_reader *rd)
{
	weir_endpoint_queue(rd->data);
}

/* The router's cursor is valid, so the head that its owner wrote is not. */
static void weir_router_reader_invalid(struct weir_reader *rd)
{
	weir_ring_break(rd->ring, WEIR_REASON_BAD_RECORD);
}

/* The router's readers: never too slow, and they end with their endpoint. */
static const struct weir_reader_ops weir_router_reader_ops = {
	.full		= weir_router_reader_full,
	.invalid	= weir_router_reader_invalid,
};

/* Creates the outbox, which only the router reads. Returns 0 or an error. */
static int weir_endpoint_outbox(struct weir_endpoint *ep,
				const struct weir_ring_spec *spec)
{
	struct weir_owner *o = ep->owner;
	struct weir_status *status;
	struct weir_ring *ring;

	ring = weir_ring_create(o, spec);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	ep->rd = weir_reader_attach_kernel(o, ring, &weir_router_reader_ops, ep);
	if (IS_ERR(ep->rd)) {
		int err = PTR_ERR(ep->rd);

		weir_ring_owner_gone(ring, NULL, false);
		return err;
	}
	/* its owner kicks after each commit, unless a thread polls: poller.c */
	status = weir_ring_status(ring);
	spin_lock_bh(&ring->lock);
	WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_ROUTER);
	spin_unlock_bh(&ring->lock);
	weir_ring_get(ring);
	ep->outbox = ring;
	return 0;
}

/*
 * Gives an endpoint its number, and with it the names of its calls. This is the
 * lowest free number: low numbers keep the look-up of a caller short.
 *
 * The number may have been that of an earlier endpoint, and late replies to
 * that endpoint may still come. So the generations of the calls begin far from
 * those of the earlier endpoint. They are spread by Fibonacci hashing (Knuth,
 * The Art of Computer Programming, 6.4).
 *
 * Returns 0, or with words: -ENOBUFS: no number is free; -ENOMEM.
 */
static int weir_endpoint_number(struct weir_endpoint *ep)
{
	struct weir_owner *o = ep->owner;
	struct weir_net *wn = ep->wn;
	u32 nth;
	int err;

	xa_lock(&wn->endpoints);
	err = __xa_alloc(&wn->endpoints, &ep->id, ep,
			 XA_LIMIT(1, WEIR_ENDPOINT_MASK), WEIR_GFP);
	nth = wn->nendpoints++;
	xa_unlock(&wn->endpoints);
	if (err == -EBUSY)
		return weir_owner_refuse(o, -ENOBUFS,
					 "no number left for routing");
	if (err)
		return weir_owner_refuse(o, err, "no memory for routing");
	ep->calls.begin = ep->id | (u64)hash_32(nth, WEIR_CALL_GEN_BITS) <<
				       WEIR_CALL_GEN_SHIFT;
	return 0;
}

/**
 * weir_endpoint_create() - make an endpoint, with an outbox
 * @o: user that makes it and pays for it. It stays until @put_owner has been
 *	called.
 * @inbox: ring that the router writes; a reference is taken.
 * @outbox: properties of the ring that the router reads. This function makes
 *	the ring: ep->outbox.
 * @put_owner: called once, some time after weir_endpoint_close().
 *
 * A socket's endpoint belongs to the socket's owner: see sock/routed.c. An
 * endpoint without a socket has its inbox read, and its outbox written, by code
 * of the kernel. May sleep.
 *
 * Return: the endpoint, with a reference that weir_endpoint_close() puts. Or an
 * ERR_PTR, with words: -ENOBUFS: a cap is reached; -ENOMEM.
 */
struct weir_endpoint *weir_endpoint_create(struct weir_owner *o,
					   struct weir_ring *inbox,
					   const struct weir_ring_spec *outbox,
					   void (*put_owner)
					   (struct weir_owner *o))
{
	u32 most = weir_ring_bytes(&inbox->view) / WEIR_GRANULE;
	struct weir_endpoint *ep = weir_endpoint_alloc(o, most);
	int err;

	if (IS_ERR(ep))
		return ep;
	ep->put_owner = put_owner;
	ep->inbox = inbox;
	weir_ring_get(ep->inbox);
	err = weir_endpoint_outbox(ep, outbox);
	if (err)
		goto err_ep;
	err = weir_endpoint_number(ep);
	if (err)
		goto err_outbox;
	return ep;

err_outbox:
	weir_reader_detach(ep->rd, WEIR_REASON_CLOSED);
	weir_reader_put(ep->rd);
	weir_ring_owner_gone(ep->outbox, NULL, false);
	weir_ring_put(ep->outbox);
err_ep:
	weir_ring_put(ep->inbox);
	weir_tenant_put(ep->tenant);
	weir_call_table_destroy(&ep->calls);
	weir_endpoint_destroy(ep);
	return ERR_PTR(err);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_endpoint_create);
#endif
