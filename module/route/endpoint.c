// SPDX-License-Identifier: GPL-2.0
/*
 * A socket's part in the router: its outbox, which the router reads, and its
 * inbox; handles of what it calls; the calls that wait for an answer, their
 * deadlines, and when they are sent again.
 *
 * Process context.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/memcontrol.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "route/router.h"
#include "race.h"
#include "trace.h"
#include "route/request.h"

/* The memory of the endpoint itself, and what it was charged for. */
static void weir_endpoint_end(struct weir_endpoint *ep)
{
	free_cpumask_var(ep->cpus);
	put_pid(ep->pid);
	weir_uncharge(&ep->charge);
	weir_endpoint_held_by(ep, NULL);
	weir_account_put(ep->account);
	mem_cgroup_put(ep->memcg);
	kfree(ep);
}

static void weir_endpoint_free(struct work_struct *work)
{
	struct weir_endpoint *ep = container_of(to_rcu_work(work),
						struct weir_endpoint, free);

	/* now nobody can still take another for it */
	xa_erase(&ep->wn->endpoints, ep->id);
	wake_up_var(&ep->wn->endpoints);
	weir_calls_destroy(&ep->calls);
	weir_tenant_put(ep->tenant);
	weir_ring_put(ep->inbox);
	weir_ring_put(ep->outbox);
	weir_endpoint_end(ep);
}

void weir_endpoint_get(struct weir_endpoint *ep)
{
	refcount_inc(&ep->ref);
}

void weir_endpoint_put(struct weir_endpoint *ep)
{
	if (refcount_dec_and_test(&ep->ref))
		queue_rcu_work(weir_router_wq, &ep->free);
}

/* --- time --------------------------------------------------------------- */

/*
 * weir_endpoint_arm() - something is to be done at a certain time
 *
 * @due_ns: when at the latest, as ktime_get_ns() counts. Under the inbox's
 * post.lock.
 */
void weir_endpoint_arm(struct weir_endpoint *ep, u64 due_ns)
{
	s64 in;

	lockdep_assert_held(&ep->inbox->post.lock);
	if (due_ns >= ep->armed_ns)
		return;
	ep->armed_ns = due_ns;
	in = due_ns - ktime_get_ns();
	weir_delayed_requeue(weir_router_wq, &ep->timer, in <= 0 ? 0 :
			     min_t(u64, nsecs_to_jiffies64(in) + 1,
				   MAX_JIFFY_OFFSET), &ep->ref);
}

/**
 * weir_endpoint_timer() - a call is given up at a certain time
 * @ep: the caller, under its inbox's post.lock.
 * @due_ns: when, as ktime_get_ns() counts.
 */
void weir_endpoint_timer(struct weir_endpoint *ep, u64 due_ns)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (due_ns >= ep->timer_ns)
		return;
	ep->timer_ns = due_ns;
	/* a look that is under way goes on soon, and sees to it at its end */
	if (!ep->scan_slot)
		weir_endpoint_arm(ep, due_ns);
}

/* What is to be done waits for its turn like all that is done later. */
static void weir_endpoint_due(struct work_struct *work)
{
	struct weir_endpoint *ep = container_of(to_delayed_work(work),
						struct weir_endpoint, timer);

	weir_endpoint_later(ep);
	weir_endpoint_put(ep);
}

/* Has the watchdog given up its target since it was sent? */
static bool weir_call_hangs(const struct weir_call *call)
{
	return READ_ONCE(call->target->hung) &&
	       call->sent_ns <= READ_ONCE(call->target->lost_ns);
}

/*
 * Ends a call whose time is over, and takes one that may be sent twice from a
 * target that hangs. Under the inbox's post.lock.
 */
static void weir_call_expire(struct weir_endpoint *ep, struct weir_call *call,
			     u64 now)
{
	u8 state = weir_call_state(call);
	struct weir_route *route = NULL;

	if (state != WEIR_CALL_SENT && state != WEIR_CALL_RETRY &&
	    state != WEIR_CALL_WAIT)
		return;
	if (call->deadline_ns > now) {
		ep->scan_ns = min(ep->scan_ns, call->deadline_ns);
		if (state == WEIR_CALL_SENT && weir_call_hangs(call)) {
			weir_call_lost(ep, call, WEIR_REASON_TARGET_HUNG,
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
	weir_route_answer(ep, call, route, WEIR_REASON_DEADLINE,
			  WEIR_GUARD_DEADLINE, 0);
	rcu_read_unlock();
}

/*
 * Looks at calls whose deadlines may be over, or whose targets may hang, so many
 * at a time as the user may have looked at. Under the inbox's post.lock, which
 * it lets go of now and then.
 */
static void weir_endpoint_scan(struct weir_endpoint *ep, u64 now)
{
	struct weir_post *post = &ep->inbox->post;
	u32 left;

	left = weir_tenant_slots(ep->tenant,
				 ep->calls.size - ep->scan_slot);
	if (!ep->scan_slot && left) {
		ep->scan_ns = U64_MAX;
		ep->timer_ns = U64_MAX;
	}
	ep->ended = 0;
	for (; left; left--) {
		weir_call_expire(ep, weir_calls_at(&ep->calls,
						   ep->scan_slot), now);
		if (++ep->scan_slot % WEIR_CALLS_CHUNK &&
		    ep->ended < WEIR_ENDED_MAX)
			continue;
		spin_unlock(&post->lock);
		cond_resched();
		spin_lock(&post->lock);
		ep->ended = 0;
	}
	if (ep->scan_slot < ep->calls.size)
		return;
	ep->scan_slot = 0;
	ep->scan_lost = false;
	/* calls made meanwhile have set the timer for themselves */
	ep->timer_ns = min(ep->timer_ns, ep->scan_ns);
}

/* Calls that are passed over for one that need not wait as they do. */
#define WEIR_RETRY_LOOKS	1024

/*
 * Takes the call that is due first out of the queue, but for those by a handle
 * that waits. NULL: there is none.
 */
static struct weir_call *weir_endpoint_retry_due(struct weir_endpoint *ep,
						 u32 held)
{
	struct weir_post *post = &ep->inbox->post;
	u32 left = WEIR_RETRY_LOOKS;
	struct weir_call *call;
	struct rb_node *at;

	spin_lock(&post->lock);
	at = rb_first_cached(&ep->calls.retries);
	for (; at && left; at = rb_next(at), left--) {
		call = rb_entry(at, struct weir_call, retry);
		if (call->sent_ns > ep->pass.now_ns)
			break;
		if (call->handle == held)
			continue;
		/* only we end a call that waits to be sent, so it stays */
		weir_calls_retry_stop(&ep->calls, call);
		spin_unlock(&post->lock);
		return call;
	}
	spin_unlock(&post->lock);
	return NULL;
}

/*
 * Sends again what is due, in order, until one finds no room: then only what
 * goes by other handles. @held: a handle that waits already, or 0. Returns
 * whether there may be more to be done at once.
 */
static bool weir_endpoint_retries_some(struct weir_endpoint *ep, u32 held)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_pass *pass = &ep->pass;
	struct weir_call *call;
	u64 bytes = 0;
	bool waits;
	u32 n;

	for (n = 0; n < WEIR_PASS_MESSAGES && bytes < WEIR_PASS_BYTES &&
		    pass->looks <= WEIR_LOOKS_MAX; n++) {
		call = weir_endpoint_retry_due(ep, held);
		if (!call)
			return false;
		if (!weir_route_again(ep, call)) {
			bytes += pass->each;
			/* the next one has not been called */
			ep->retry.again = 0;
			cond_resched();
			continue;
		}
		/*
		 * Where it was; one more that has to wait waits behind the first.
		 * Both are of one socket, so nobody else waits for that.
		 */
		waits = held || pass->left_over;
		if (!waits) {
			held = call->handle;
			ep->retry_handle = held;
			ep->retry_name = call->name;
		}
		spin_lock(&post->lock);
		weir_calls_retry(&ep->calls, call, call->sent_ns);
		spin_unlock(&post->lock);
		if (waits)
			return false;
	}
	return true;
}

/* Do retries wait, with a call that has not ended otherwise meanwhile? */
static bool weir_endpoint_retry_waits(struct weir_endpoint *ep)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_waiter *w = &ep->retry;
	struct weir_call *call;
	bool waits;

	/* one that is called in time, and need not look by itself */
	if (!w->waits || w->look_ns || list_empty_careful(&w->link))
		return false;
	spin_lock(&post->lock);
	call = weir_calls_find(&ep->calls, ep->retry_name);
	waits = call && call->state == WEIR_CALL_RETRY;
	spin_unlock(&post->lock);
	return waits;
}

/*
 * When the next call is to be sent again that does not wait for room; U64_MAX if
 * there is none. Under the inbox's post.lock.
 */
static u64 weir_endpoint_retry_ns(struct weir_endpoint *ep, u64 now)
{
	u32 left = WEIR_RETRY_LOOKS;
	struct weir_call *call;
	struct rb_node *at;

	at = rb_first_cached(&ep->calls.retries);
	for (; at && left; at = rb_next(at), left--) {
		call = rb_entry(at, struct weir_call, retry);
		if (!ep->retry.waits)
			return call->sent_ns;
		/* what is due already waits behind the one that waits */
		if (call->sent_ns > now &&
		    call->handle != ep->retry_handle)
			return call->sent_ns;
	}
	return U64_MAX;
}

/**
 * weir_endpoint_retries() - send again what is due
 * @ep: the endpoint; its dispatch_lock is held, and its socket is there.
 * @dispatcher: who does.
 *
 * In order, a section of it: where one finds no room those by the same handle
 * wait with it until there is, as a pass does.
 */
void weir_endpoint_retries(struct weir_endpoint *ep,
			   enum weir_dispatcher dispatcher)
{
	struct weir_pass *pass = &ep->pass;
	struct weir_waiter *w = &ep->retry;
	bool more, waits;

	/* what a target loses is sent again in order: when all has been found */
	if (ep->scan_lost)
		return;
	if (!w->inbox && !weir_calls_retrying(&ep->calls))
		return;
	weir_route_begin(ep, dispatcher);
	waits = weir_endpoint_retry_waits(ep);
	if (!waits)
		weir_waiter_look(w);
	more = weir_endpoint_retries_some(ep, waits ? ep->retry_handle : 0);
	weir_route_settle(ep);
	if (pass->wait_for && !waits)
		weir_waiter_wait(w, pass->wait_for, pass->wait_bytes);
	weir_pass_forget(pass);
	weir_waiter_done(w);
	if (more || pass->left_over)
		weir_endpoint_later(ep);
}

/**
 * weir_endpoint_tick() - what has become due
 * @ep: the endpoint; its dispatch_lock is held, and its socket is there.
 */
void weir_endpoint_tick(struct weir_endpoint *ep)
{
	struct weir_post *post = &ep->inbox->post;
	u64 now = ktime_get_ns();
	bool due;

	spin_lock(&post->lock);
	ep->armed_ns = U64_MAX;
	due = ep->scan_slot || ep->timer_ns <= now;
	spin_unlock(&post->lock);
	if (due) {
		weir_route_begin(ep, WEIR_DISPATCH_WORKER);
		spin_lock(&post->lock);
		weir_endpoint_scan(ep, now);
		spin_unlock(&post->lock);
		weir_route_settle(ep);
	}
	weir_endpoint_retries(ep, WEIR_DISPATCH_WORKER);
	spin_lock(&post->lock);
	if (!ep->scan_lost)
		weir_endpoint_arm(ep, weir_endpoint_retry_ns(ep, now));
	/* the calls are looked at once in a jiffy, or some of them */
	weir_endpoint_arm(ep, ep->scan_slot ? now + TICK_NSEC :
			  max_t(u64, ep->timer_ns, now + TICK_NSEC));
	spin_unlock(&post->lock);
}

/* --- handles ------------------------------------------------------------ */

/* Room for twice as many handles; their buckets are made anew. */
static int weir_endpoint_more_handles(struct weir_endpoint *ep,
				      const char **why)
{
	u32 room = max(2 * ep->nhandles, 1U), *by_name, i;
	u64 bytes = (u64)(room - ep->handle_room) *
		    (sizeof(*ep->handles) + sizeof(*by_name));
	struct weir_handle *h;
	int err;

	err = weir_charge_account(&ep->charge, ep->account, bytes, 0, "",
				  why);
	if (err)
		return err;
	h = kvmalloc_array(room, sizeof(*h), GFP_KERNEL_ACCOUNT);
	by_name = kvcalloc(room, sizeof(*by_name), GFP_KERNEL_ACCOUNT);
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
 * weir_endpoint_add_handle() - the handle of a name, made if there is none
 * @ep: the caller, under its dispatch_lock.
 * @path: bytes of a path.
 * @len: how many.
 * @handle: out.
 * @why: out: on refusal, the words.
 *
 * The route is looked up when it is used. Return: 0, -ENOBUFS, -ENOMEM.
 */
int weir_endpoint_add_handle(struct weir_endpoint *ep, const char *path,
			     u32 len, u32 *handle, const char **why)
{
	u32 hash = jhash(path, len, 0), i;
	struct weir_handle *h;
	int err;

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
	h->path = kmemdup(path, len, GFP_KERNEL_ACCOUNT);
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

/* WEIR_IOC_CALL. */
int weir_endpoint_call(struct weir_sock *ws, void __user *arg)
{
	struct weir_ioc_call call;
	struct weir_handle *h;
	struct weir_endpoint *ep;
	const char *why;
	u32 len;
	int err;

	err = weir_copy_in(ws, &call, sizeof(call), arg);
	if (err)
		return err;
	if (call.flags || call.reserved)
		return weir_refuse(ws, -EINVAL, "unknown flags");
	len = strnlen(call.path, sizeof(call.path));
	err = weir_path_check(call.path, len, false, &why);
	if (err)
		return weir_refuse(ws, err, why);
	ep = weir_endpoint_make(ws);
	if (IS_ERR(ep))
		return PTR_ERR(ep);

	weir_dispatch_lock(&ep->dispatch_lock);
	err = weir_endpoint_add_handle(ep, call.path, len, &call.route, &why);
	if (err) {
		weir_refuse(ws, err, why);
	} else {
		h = &ep->handles[call.route - 1];
		weir_handle_ask(ep, h);
		if (h->reason == WEIR_REASON_DENIED)
			err = weir_refuse(ws, -EACCES,
					  "the path's mode does not permit it");
		else if (h->reason == WEIR_REASON_LOOP)
			err = weir_refuse(ws, -ELOOP,
					  "more patterns match the path than are looked at");
	}
	weir_dispatch_unlock(ep);
	if (err)
		return err;
	return copy_to_user(arg, &call, min_t(u32, call.size, sizeof(call))) ?
	       -EFAULT : 0;
}

/* --- making ------------------------------------------------------------- */

static struct weir_endpoint *weir_endpoint_alloc(struct weir_sock *ws)
{
	u32 most = weir_ring_bytes(&ws->inbox->view) / WEIR_GRANULE;
	struct weir_endpoint *ep = kzalloc(sizeof(*ep), GFP_KERNEL_ACCOUNT);
	int err;

	if (!ep)
		goto err_memory;
	ep->account = ws->account;
	weir_account_get(ep->account);
	/* with its first slots, so that it can go on at its cap, one by one */
	err = weir_charge_sock(&ep->charge, ws, sizeof(*ep) +
			       weir_calls_bytes(most) + WEIR_CALLS_CHUNK_BYTES,
			       1);
	if (err)
		goto err_charge;
	err = -ENOMEM;
	if (!zalloc_cpumask_var(&ep->cpus, GFP_KERNEL_ACCOUNT))
		goto err_uncharge;
	if (weir_calls_init(&ep->calls, most))
		goto err_cpus;
	ep->tenant = weir_tenant_get(ws);
	if (!ep->tenant)
		goto err_calls;
	refcount_set(&ep->ref, 1);
	INIT_RCU_WORK(&ep->free, weir_endpoint_free);
	INIT_DELAYED_WORK(&ep->timer, weir_endpoint_due);
	INIT_LIST_HEAD(&ep->targets);
	INIT_LIST_HEAD(&ep->gone);
	ep->end.part = weir_endpoint_end_part;
	INIT_LIST_HEAD(&ep->turn_link);
	weir_waiter_init(&ep->waiter, ep);
	weir_waiter_init(&ep->retry, ep);
	INIT_LIST_HEAD(&ep->poll_link);
	weir_dispatch_lock_init(&ep->dispatch_lock);
	ep->wn = ws->wn;
	ep->ws = ws;
	ep->memcg = get_mem_cgroup_from_mm(current->mm);
	ep->sock_id = ws->id;
	ep->pid = get_pid(ws->pid);
	ep->uid = ws->uid;
	ep->exempt = weir_sock_admin(ws);
	ep->random = get_random_u32() | 1;
	ep->timer_ns = U64_MAX;
	ep->armed_ns = U64_MAX;
	ep->held_pos = U64_MAX;
	return ep;

err_calls:
	weir_calls_destroy(&ep->calls);
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
	return ERR_PTR(weir_refuse(ws, -ENOMEM, "no memory for routing"));
}

/* weir_ring.on_full: what has been answered may be all that holds the space. */
static void weir_endpoint_full(struct weir_sock *ws)
{
	if (ws->ep)
		weir_endpoint_later(ws->ep);
}

/* An outbox that nobody but the router reads. */
static int weir_endpoint_outbox(struct weir_sock *ws, struct weir_endpoint *ep)
{
	struct weir_ring *ring;

	ring = weir_ring_create(ws, weir_outbox_bytes(ws), false);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	/* the socket patiently waits for the router */
	ring->evict_ms = 0;
	ring->on_full = weir_endpoint_full;
	ep->rd = weir_reader_attach_router(ws, ring);
	if (IS_ERR(ep->rd)) {
		int err = PTR_ERR(ep->rd);

		weir_ring_owner_gone(ring, NULL);
		return err;
	}
	weir_ring_get(ring);
	ep->outbox = ring;
	return 0;
}

/*
 * A number and, with it, the names of its calls. The least that is free: the
 * fewer numbers, the shorter the way to a caller. It will have been another's
 * before, to whom answers may still come, so that the generations of its calls
 * begin far from where the last ones' did: Fibonacci hashing, Knuth, The Art of
 * Computer Programming, 6.4.
 *
 * Return: 0; with words -ENOBUFS: there are no more; -ENOMEM.
 */
static int weir_endpoint_number(struct weir_sock *ws, struct weir_endpoint *ep)
{
	struct weir_net *wn = ws->wn;
	u32 nth;
	int err;

	xa_lock(&wn->endpoints);
	err = __xa_alloc(&wn->endpoints, &ep->id, ep,
			 XA_LIMIT(1, WEIR_ENDPOINT_MASK), GFP_KERNEL_ACCOUNT);
	nth = wn->nendpoints++;
	xa_unlock(&wn->endpoints);
	if (err == -EBUSY)
		return weir_refuse(ws, -ENOBUFS, "no number left for routing");
	if (err)
		return weir_refuse(ws, err, "no memory for routing");
	ep->calls.begin = ep->id | (u64)hash_32(nth, WEIR_CALL_GEN_BITS) <<
				       WEIR_CALL_GEN_SHIFT;
	return 0;
}

/**
 * weir_endpoint_make() - the socket's part in the router; made if there is none
 * @ws: the socket.
 *
 * Return: the endpoint, the socket's; or an ERR_PTR with words: -EOPNOTSUPP,
 * -EISCONN, -ENOBUFS, -ENOMEM.
 */
struct weir_endpoint *weir_endpoint_make(struct weir_sock *ws)
{
	struct weir_endpoint *ep = smp_load_acquire(&ws->ep);
	int err;

	if (ep)
		return ep;
	if (ws->sk.sk_type != SOCK_RDM)
		return ERR_PTR(weir_refuse(ws, -EOPNOTSUPP,
					   "only SOCK_RDM sockets call and serve"));
	lock_sock(&ws->sk);
	ep = ws->ep;
	if (ep)
		goto out;
	if (ws->outbox) {
		err = weir_refuse(ws, -EISCONN,
				  "the socket publishes: call and serve on another");
		goto err_unlock;
	}
	if (!ws->inbox) {
		err = weir_inbox_create(ws);
		if (err)
			goto err_unlock;
	}
	ep = weir_endpoint_alloc(ws);
	if (IS_ERR(ep)) {
		err = PTR_ERR(ep);
		goto err_unlock;
	}
	ep->inbox = ws->inbox;
	weir_ring_get(ep->inbox);
	err = weir_endpoint_outbox(ws, ep);
	if (err)
		goto err_ep;
	err = weir_endpoint_number(ws, ep);
	if (err)
		goto err_outbox;
	WRITE_ONCE(ws->sk.sk_state, TCP_ESTABLISHED);
	smp_store_release(&ws->ep, ep);
	smp_store_release(&ws->outbox, ep->outbox);
	weir_poll_join(ep);
out:
	release_sock(&ws->sk);
	return ep;

err_outbox:
	weir_reader_detach(ep->rd, WEIR_REASON_CLOSED);
	weir_reader_put(ep->rd);
	weir_ring_owner_gone(ep->outbox, NULL);
	weir_ring_put(ep->outbox);
err_ep:
	weir_ring_put(ep->inbox);
	weir_tenant_put(ep->tenant);
	weir_calls_destroy(&ep->calls);
	weir_endpoint_end(ep);
err_unlock:
	release_sock(&ws->sk);
	return ERR_PTR(err);
}
