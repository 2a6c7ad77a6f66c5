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

/* The memory of the port itself, and what it was charged for. */
static void weir_port_end(struct weir_port *port)
{
	free_cpumask_var(port->cpus);
	put_pid(port->pid);
	weir_uncharge(&port->charge);
	weir_port_held_by(port, NULL);
	weir_account_put(port->account);
	mem_cgroup_put(port->memcg);
	kfree(port);
}

static void weir_port_free(struct work_struct *work)
{
	struct weir_port *port = container_of(to_rcu_work(work),
					      struct weir_port, free);

	/* now nobody can still take another for it */
	xa_erase(&port->wn->ports, port->id);
	wake_up_var(&port->wn->ports);
	weir_calls_destroy(&port->calls);
	weir_tenant_put(port->tenant);
	weir_ring_put(port->inbox);
	weir_ring_put(port->outbox);
	weir_port_end(port);
}

void weir_port_get(struct weir_port *port)
{
	refcount_inc(&port->ref);
}

void weir_port_put(struct weir_port *port)
{
	if (refcount_dec_and_test(&port->ref))
		queue_rcu_work(weir_router_wq, &port->free);
}

/* --- time --------------------------------------------------------------- */

/*
 * weir_port_arm() - something is to be done at a certain time
 *
 * @due_ns: when at the latest, as ktime_get_ns() counts. Under the inbox's
 * post.lock.
 */
void weir_port_arm(struct weir_port *port, u64 due_ns)
{
	s64 in;

	lockdep_assert_held(&port->inbox->post.lock);
	if (due_ns >= port->armed_ns)
		return;
	port->armed_ns = due_ns;
	in = due_ns - ktime_get_ns();
	weir_delayed_requeue(weir_router_wq, &port->timer, in <= 0 ? 0 :
			     min_t(u64, nsecs_to_jiffies64(in) + 1,
				   MAX_JIFFY_OFFSET), &port->ref);
}

/**
 * weir_port_timer() - a call is given up at a certain time
 * @port: the caller, under its inbox's post.lock.
 * @due_ns: when, as ktime_get_ns() counts.
 */
void weir_port_timer(struct weir_port *port, u64 due_ns)
{
	lockdep_assert_held(&port->inbox->post.lock);
	if (due_ns >= port->timer_ns)
		return;
	port->timer_ns = due_ns;
	/* a look that is under way goes on soon, and sees to it at its end */
	if (!port->scan_slot)
		weir_port_arm(port, due_ns);
}

/* What is to be done waits for its turn like all that is done later. */
static void weir_port_due(struct work_struct *work)
{
	struct weir_port *port = container_of(to_delayed_work(work),
					      struct weir_port, timer);

	weir_port_later(port);
	weir_port_put(port);
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
static void weir_call_expire(struct weir_port *port, struct weir_call *call,
			     u64 now)
{
	u8 state = weir_call_state(call);
	struct weir_route *route = NULL;

	if (state != WEIR_CALL_SENT && state != WEIR_CALL_RETRY &&
	    state != WEIR_CALL_WAIT)
		return;
	if (call->deadline_ns > now) {
		port->scan_ns = min(port->scan_ns, call->deadline_ns);
		if (state == WEIR_CALL_SENT && weir_call_hangs(call)) {
			weir_call_lost(port, call, WEIR_REASON_TARGET_HUNG,
				       WEIR_GUARD_WATCHDOG);
			port->scan_lost |= call->state == WEIR_CALL_RETRY;
		}
		return;
	}
	rcu_read_lock();
	if (state == WEIR_CALL_SENT)
		atomic64_inc(&call->target->expired);
	else
		route = port->handles[call->handle - 1].route;
	weir_route_answer(port, call, route, WEIR_REASON_DEADLINE,
			  WEIR_GUARD_DEADLINE, 0);
	rcu_read_unlock();
}

/*
 * Looks at calls whose deadlines may be over, or whose targets may hang, so many
 * at a time as the user may have looked at. Under the inbox's post.lock, which it lets go of now and then.
 */
static void weir_port_scan(struct weir_port *port, u64 now)
{
	struct weir_post *post = &port->inbox->post;
	u32 left;

	left = weir_tenant_slots(port->tenant,
				 port->calls.size - port->scan_slot);
	if (!port->scan_slot && left) {
		port->scan_ns = U64_MAX;
		port->timer_ns = U64_MAX;
	}
	port->ended = 0;
	for (; left; left--) {
		weir_call_expire(port, weir_calls_at(&port->calls,
						     port->scan_slot), now);
		if (++port->scan_slot % WEIR_CALLS_CHUNK &&
		    port->ended < WEIR_ENDED_MAX)
			continue;
		spin_unlock(&post->lock);
		cond_resched();
		spin_lock(&post->lock);
		port->ended = 0;
	}
	if (port->scan_slot < port->calls.size)
		return;
	port->scan_slot = 0;
	port->scan_lost = false;
	/* calls made meanwhile have set the timer for themselves */
	port->timer_ns = min(port->timer_ns, port->scan_ns);
}

/* Calls that are passed over for one that need not wait as they do. */
#define WEIR_RETRY_LOOKS	1024

/*
 * Takes the call that is due first out of the queue, but for those by a handle
 * that waits. NULL: there is none.
 */
static struct weir_call *weir_port_retry_due(struct weir_port *port, u32 held)
{
	struct weir_post *post = &port->inbox->post;
	u32 left = WEIR_RETRY_LOOKS;
	struct weir_call *call;
	struct rb_node *at;

	spin_lock(&post->lock);
	at = rb_first_cached(&port->calls.retries);
	for (; at && left; at = rb_next(at), left--) {
		call = rb_entry(at, struct weir_call, retry);
		if (call->sent_ns > port->run.now_ns)
			break;
		if (call->handle == held)
			continue;
		/* only we end a call that waits to be sent, so it stays */
		weir_calls_retry_stop(&port->calls, call);
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
static bool weir_port_retries_some(struct weir_port *port, u32 held)
{
	struct weir_post *post = &port->inbox->post;
	struct weir_run *run = &port->run;
	struct weir_call *call;
	u64 bytes = 0;
	bool waits;
	u32 n;

	for (n = 0; n < WEIR_RUN_MESSAGES && bytes < WEIR_RUN_BYTES &&
		    run->looks <= WEIR_LOOKS_MAX; n++) {
		call = weir_port_retry_due(port, held);
		if (!call)
			return false;
		if (!weir_route_again(port, call)) {
			bytes += run->each;
			/* the next one has not been called */
			port->retry.again = 0;
			cond_resched();
			continue;
		}
		/*
		 * Where it was; one more that has to wait waits behind the first.
		 * Both are of one socket, so nobody else waits for that.
		 */
		waits = held || run->left_over;
		if (!waits) {
			held = call->handle;
			port->retry_handle = held;
			port->retry_name = call->name;
		}
		spin_lock(&post->lock);
		weir_calls_retry(&port->calls, call, call->sent_ns);
		spin_unlock(&post->lock);
		if (waits)
			return false;
	}
	return true;
}

/* Do retries wait, with a call that has not ended otherwise meanwhile? */
static bool weir_port_retry_waits(struct weir_port *port)
{
	struct weir_post *post = &port->inbox->post;
	struct weir_waiter *w = &port->retry;
	struct weir_call *call;
	bool waits;

	/* one that is called in time, and need not look by itself */
	if (!w->waits || w->look_ns || list_empty_careful(&w->link))
		return false;
	spin_lock(&post->lock);
	call = weir_calls_find(&port->calls, port->retry_name);
	waits = call && call->state == WEIR_CALL_RETRY;
	spin_unlock(&post->lock);
	return waits;
}

/*
 * When the next call is to be sent again that does not wait for room; U64_MAX if
 * there is none. Under the inbox's post.lock.
 */
static u64 weir_port_retry_ns(struct weir_port *port, u64 now)
{
	u32 left = WEIR_RETRY_LOOKS;
	struct weir_call *call;
	struct rb_node *at;

	at = rb_first_cached(&port->calls.retries);
	for (; at && left; at = rb_next(at), left--) {
		call = rb_entry(at, struct weir_call, retry);
		if (!port->retry.waits)
			return call->sent_ns;
		/* what is due already waits behind the one that waits */
		if (call->sent_ns > now &&
		    call->handle != port->retry_handle)
			return call->sent_ns;
	}
	return U64_MAX;
}

/**
 * weir_port_retries() - send again what is due
 * @port: the port; its run_lock is held, and its socket is there.
 * @walker: who does.
 *
 * In order, a stretch of it: where one finds no room those by the same handle
 * wait with it until there is, as a walk does.
 */
void weir_port_retries(struct weir_port *port, enum weir_walker walker)
{
	struct weir_run *run = &port->run;
	struct weir_waiter *w = &port->retry;
	bool more, waits;

	/* what a target loses is sent again in order: when all has been found */
	if (port->scan_lost)
		return;
	if (!w->inbox && !weir_calls_retrying(&port->calls))
		return;
	weir_route_begin(port, walker);
	waits = weir_port_retry_waits(port);
	if (!waits)
		weir_waiter_look(w);
	more = weir_port_retries_some(port, waits ? port->retry_handle : 0);
	weir_route_settle(port);
	if (run->wait_for && !waits)
		weir_waiter_wait(w, run->wait_for, run->wait_bytes);
	weir_run_forget(run);
	weir_waiter_done(w);
	if (more || run->left_over)
		weir_port_later(port);
}

/**
 * weir_port_tick() - what has become due
 * @port: the port; its run_lock is held, and its socket is there.
 */
void weir_port_tick(struct weir_port *port)
{
	struct weir_post *post = &port->inbox->post;
	u64 now = ktime_get_ns();
	bool due;

	spin_lock(&post->lock);
	port->armed_ns = U64_MAX;
	due = port->scan_slot || port->timer_ns <= now;
	spin_unlock(&post->lock);
	if (due) {
		weir_route_begin(port, WEIR_WALK_WORKER);
		spin_lock(&post->lock);
		weir_port_scan(port, now);
		spin_unlock(&post->lock);
		weir_route_settle(port);
	}
	weir_port_retries(port, WEIR_WALK_WORKER);
	spin_lock(&post->lock);
	if (!port->scan_lost)
		weir_port_arm(port, weir_port_retry_ns(port, now));
	/* the calls are looked at once in a jiffy, or some of them */
	weir_port_arm(port, port->scan_slot ? now + TICK_NSEC :
		      max_t(u64, port->timer_ns, now + TICK_NSEC));
	spin_unlock(&post->lock);
}

/* --- handles ------------------------------------------------------------ */

/* Room for twice as many handles; their buckets are made anew. */
static int weir_port_more_handles(struct weir_port *port, const char **why)
{
	u32 room = max(2 * port->nhandles, 1U), *by_name, i;
	u64 bytes = (u64)(room - port->handle_room) *
		    (sizeof(*port->handles) + sizeof(*by_name));
	struct weir_handle *h;
	int err;

	err = weir_charge_account(&port->charge, port->account, bytes, 0, "",
				  why);
	if (err)
		return err;
	h = kvmalloc_array(room, sizeof(*h), GFP_KERNEL_ACCOUNT);
	by_name = kvcalloc(room, sizeof(*by_name), GFP_KERNEL_ACCOUNT);
	if (!h || !by_name) {
		kvfree(h);
		kvfree(by_name);
		weir_uncharge_some(&port->charge, bytes, 0);
		*why = "no memory for the handle";
		return -ENOMEM;
	}
	if (port->nhandles)
		memcpy(h, port->handles, port->nhandles * sizeof(*h));
	for (i = 0; i < port->nhandles; i++) {
		h[i].next = by_name[h[i].hash & (room - 1)];
		by_name[h[i].hash & (room - 1)] = i + 1;
	}
	kvfree(port->handles);
	kvfree(port->by_name);
	port->handles = h;
	port->by_name = by_name;
	port->handle_room = room;
	return 0;
}

/**
 * weir_port_add_handle() - the handle of a name, made if there is none
 * @port: the caller, under its run_lock.
 * @path: bytes of a path.
 * @len: how many.
 * @handle: out.
 * @why: out: on refusal, the words.
 *
 * The route is looked up when it is used. Return: 0, -ENOBUFS, -ENOMEM.
 */
int weir_port_add_handle(struct weir_port *port, const char *path, u32 len,
			 u32 *handle, const char **why)
{
	u32 hash = jhash(path, len, 0), i;
	struct weir_handle *h;
	int err;

	i = port->nhandles ? port->by_name[hash & (port->handle_room - 1)] : 0;
	for (; i; i = h->next) {
		h = &port->handles[i - 1];
		if (h->hash == hash && h->len == len &&
		    !memcmp(h->path, path, len)) {
			*handle = i;
			return 0;
		}
	}
	*why = "the socket calls as many paths as it may";
	if (port->nhandles == WEIR_ROUTES_MAX)
		return -ENOBUFS;
	if (port->nhandles == port->handle_room) {
		err = weir_port_more_handles(port, why);
		if (err)
			return err;
	}
	err = weir_charge_account(&port->charge, port->account, len, 0, "",
				  why);
	if (err)
		return err;
	h = &port->handles[port->nhandles];
	memset(h, 0, sizeof(*h));
	h->path = kmemdup(path, len, GFP_KERNEL_ACCOUNT);
	if (!h->path) {
		weir_uncharge_some(&port->charge, len, 0);
		*why = "no memory for the handle";
		return -ENOMEM;
	}
	h->len = len;
	h->hash = hash;
	h->gen = READ_ONCE(port->wn->route_gen) - 1;
	*handle = ++port->nhandles;
	h->next = port->by_name[hash & (port->handle_room - 1)];
	port->by_name[hash & (port->handle_room - 1)] = *handle;
	return 0;
}

/* WEIR_IOC_CALL. */
int weir_port_call(struct weir_sock *ws, void __user *arg)
{
	struct weir_ioc_call call;
	struct weir_handle *h;
	struct weir_port *port;
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
	port = weir_port_make(ws);
	if (IS_ERR(port))
		return PTR_ERR(port);

	weir_run_lock(&port->run_lock);
	err = weir_port_add_handle(port, call.path, len, &call.route, &why);
	if (err) {
		weir_refuse(ws, err, why);
	} else {
		h = &port->handles[call.route - 1];
		weir_handle_ask(port, h);
		if (h->reason == WEIR_REASON_DENIED)
			err = weir_refuse(ws, -EACCES,
					  "the path's mode does not permit it");
		else if (h->reason == WEIR_REASON_LOOP)
			err = weir_refuse(ws, -ELOOP,
					  "more patterns match the path than are looked at");
	}
	weir_run_unlock(port);
	if (err)
		return err;
	return copy_to_user(arg, &call, min_t(u32, call.size, sizeof(call))) ?
	       -EFAULT : 0;
}

/* --- making ------------------------------------------------------------- */

static struct weir_port *weir_port_alloc(struct weir_sock *ws)
{
	u32 most = weir_ring_bytes(&ws->inbox->view) / WEIR_GRANULE;
	struct weir_port *port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	int err;

	if (!port)
		goto err_memory;
	port->account = ws->account;
	weir_account_get(port->account);
	/* with its first slots, so that it can go on at its cap, one by one */
	err = weir_charge_sock(&port->charge, ws, sizeof(*port) +
			       weir_calls_bytes(most) + WEIR_CALLS_CHUNK_BYTES,
			       1);
	if (err)
		goto err_charge;
	err = -ENOMEM;
	if (!zalloc_cpumask_var(&port->cpus, GFP_KERNEL_ACCOUNT))
		goto err_uncharge;
	if (weir_calls_init(&port->calls, most))
		goto err_cpus;
	port->tenant = weir_tenant_get(ws);
	if (!port->tenant)
		goto err_calls;
	refcount_set(&port->ref, 1);
	INIT_RCU_WORK(&port->free, weir_port_free);
	INIT_DELAYED_WORK(&port->timer, weir_port_due);
	INIT_LIST_HEAD(&port->targets);
	INIT_LIST_HEAD(&port->gone);
	port->end.part = weir_port_end_part;
	INIT_LIST_HEAD(&port->turn_link);
	weir_waiter_init(&port->walk, port);
	weir_waiter_init(&port->retry, port);
	INIT_LIST_HEAD(&port->poll_link);
	weir_run_lock_init(&port->run_lock);
	port->wn = ws->wn;
	port->ws = ws;
	port->memcg = get_mem_cgroup_from_mm(current->mm);
	port->sock_id = ws->id;
	port->pid = get_pid(ws->pid);
	port->uid = ws->uid;
	port->exempt = weir_sock_admin(ws);
	port->random = get_random_u32() | 1;
	port->timer_ns = U64_MAX;
	port->armed_ns = U64_MAX;
	port->held_pos = U64_MAX;
	return port;

err_calls:
	weir_calls_destroy(&port->calls);
err_cpus:
	free_cpumask_var(port->cpus);
err_uncharge:
	weir_uncharge(&port->charge);
err_charge:
	weir_account_put(port->account);
	kfree(port);
	if (err == -ENOBUFS)
		return ERR_PTR(err);
err_memory:
	return ERR_PTR(weir_refuse(ws, -ENOMEM, "no memory for routing"));
}

/* weir_ring.on_full: what has been answered may be all that holds the space. */
static void weir_port_full(struct weir_sock *ws)
{
	if (ws->port)
		weir_port_later(ws->port);
}

/* An outbox that nobody but the router reads. */
static int weir_port_outbox(struct weir_sock *ws, struct weir_port *port)
{
	struct weir_ring *ring;

	ring = weir_ring_create(ws, weir_outbox_bytes(ws), false);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	/* the socket patiently waits for the router */
	ring->evict_ms = 0;
	ring->on_full = weir_port_full;
	port->rd = weir_reader_attach_router(ws, ring);
	if (IS_ERR(port->rd)) {
		int err = PTR_ERR(port->rd);

		weir_ring_owner_gone(ring, NULL);
		return err;
	}
	weir_ring_get(ring);
	port->outbox = ring;
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
static int weir_port_number(struct weir_sock *ws, struct weir_port *port)
{
	struct weir_net *wn = ws->wn;
	u32 nth;
	int err;

	xa_lock(&wn->ports);
	err = __xa_alloc(&wn->ports, &port->id, port,
			 XA_LIMIT(1, WEIR_PORT_MASK), GFP_KERNEL_ACCOUNT);
	nth = wn->nports++;
	xa_unlock(&wn->ports);
	if (err == -EBUSY)
		return weir_refuse(ws, -ENOBUFS, "no number left for routing");
	if (err)
		return weir_refuse(ws, err, "no memory for routing");
	port->calls.begin = port->id | (u64)hash_32(nth, WEIR_CALL_GEN_BITS) <<
				       WEIR_CALL_GEN_SHIFT;
	return 0;
}

/**
 * weir_port_make() - the socket's part in the router; made if there is none
 * @ws: the socket.
 *
 * Return: the port, the socket's; or an ERR_PTR with words: -EOPNOTSUPP,
 * -EISCONN, -ENOBUFS, -ENOMEM.
 */
struct weir_port *weir_port_make(struct weir_sock *ws)
{
	struct weir_port *port = smp_load_acquire(&ws->port);
	int err;

	if (port)
		return port;
	if (ws->sk.sk_type != SOCK_RDM)
		return ERR_PTR(weir_refuse(ws, -EOPNOTSUPP,
					   "only SOCK_RDM sockets call and serve"));
	lock_sock(&ws->sk);
	port = ws->port;
	if (port)
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
	port = weir_port_alloc(ws);
	if (IS_ERR(port)) {
		err = PTR_ERR(port);
		goto err_unlock;
	}
	port->inbox = ws->inbox;
	weir_ring_get(port->inbox);
	err = weir_port_outbox(ws, port);
	if (err)
		goto err_port;
	err = weir_port_number(ws, port);
	if (err)
		goto err_outbox;
	WRITE_ONCE(ws->sk.sk_state, TCP_ESTABLISHED);
	smp_store_release(&ws->port, port);
	smp_store_release(&ws->outbox, port->outbox);
	weir_poll_join(port);
out:
	release_sock(&ws->sk);
	return port;

err_outbox:
	weir_reader_detach(port->rd, WEIR_REASON_CLOSED);
	weir_reader_put(port->rd);
	weir_ring_owner_gone(port->outbox, NULL);
	weir_ring_put(port->outbox);
err_port:
	weir_ring_put(port->inbox);
	weir_tenant_put(port->tenant);
	weir_calls_destroy(&port->calls);
	weir_port_end(port);
err_unlock:
	release_sock(&ws->sk);
	return ERR_PTR(err);
}
