// SPDX-License-Identifier: GPL-2.0
/*
 * Turns of users.
 *
 * The router leaves some work to workers. One work item of each user does it,
 * for one endpoint after the other, and for one timer after the other. Timers
 * of endpoints are for deadlines and retries, those of targets for the
 * watchdog. So each user has one worker at most, of normal priority, no matter
 * how many endpoints the user has. Polling threads give each user a share by
 * other means, see poller.c.
 *
 * Subscribers are joined to new streams in the same way. A second work item of
 * each publisher's user does one part for one stream after the other. It is
 * separate because other users decide how many subscribers there are, and they
 * must not hold up what the router does for the publisher. A third work item
 * does the joins that wait for memory, and a fourth ends the endpoints of
 * closed sockets.
 *
 * Process context; weir_endpoint_later() and the functions for timers may also
 * be called under spinlocks.
 */
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/slab.h>

#include "race.h"
#include "route/router.h"

/*
 * Endpoints, and as many timers, that one run of a user's work item handles
 * before the work items of other users have their turn.
 */
#define WEIR_TURN_ENDPOINTS	16

/*
 * Calls that are looked at for one user in one jiffy: for passed deadlines, and
 * for targets that were ejected.
 */
#define WEIR_TURN_SLOTS		4096

static DEFINE_HASHTABLE(weir_tenants, 8);
static DEFINE_SPINLOCK(weir_tenants_lock);

static struct weir_tenant *weir_tenant_find(kuid_t uid)
{
	struct weir_tenant *t;

	lockdep_assert_held(&weir_tenants_lock);
	hash_for_each_possible(weir_tenants, t, link, __kuid_val(uid)) {
		if (uid_eq(t->uid, uid)) {
			refcount_inc(&t->ref);
			return t;
		}
	}
	return NULL;
}

static void weir_tenant_work(struct work_struct *work);
static void weir_tenant_tick(struct work_struct *work);
static void weir_jobs_work(struct work_struct *work);

static void weir_jobs_init(struct weir_jobs *jobs, struct weir_tenant *t,
			   struct workqueue_struct *wq)
{
	jobs->tenant = t;
	jobs->wq = wq;
	INIT_LIST_HEAD(&jobs->list);
	INIT_WORK(&jobs->work, weir_jobs_work);
}

/**
 * weir_tenant_get() - get the tenant of a socket's user
 * @ws: the socket.
 *
 * May sleep. Return: the tenant with a reference, for weir_tenant_put(); NULL
 * without memory.
 */
struct weir_tenant *weir_tenant_get(const struct weir_sock *ws)
{
	/* subordinate users share the turn of their owner */
	kuid_t uid = weir_account_user(ws->account);
	struct weir_tenant *t, *fresh;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return NULL;
	refcount_set(&fresh->ref, 1);
	fresh->uid = uid;
	spin_lock_init(&fresh->lock);
	INIT_LIST_HEAD(&fresh->endpoints);
	timerqueue_init_head(&fresh->timers);
	INIT_DELAYED_WORK(&fresh->tick, weir_tenant_tick);
	INIT_WORK(&fresh->work, weir_tenant_work);
	weir_jobs_init(&fresh->joins, fresh, weir_join_wq);
	weir_jobs_init(&fresh->late, fresh, weir_late_wq);
	weir_jobs_init(&fresh->ends, fresh, weir_late_wq);
	spin_lock(&weir_tenants_lock);
	t = weir_tenant_find(uid);
	if (!t)
		hash_add(weir_tenants, &fresh->link, __kuid_val(uid));
	spin_unlock(&weir_tenants_lock);
	if (!t)
		return fresh;
	kfree(fresh);
	return t;
}

/* weir_tenant_put() - drop a reference; any context but an interrupt */
void weir_tenant_put(struct weir_tenant *t)
{
	bool last;

	if (refcount_dec_not_one(&t->ref))
		return;
	spin_lock(&weir_tenants_lock);
	last = refcount_dec_and_test(&t->ref);
	if (last)
		hash_del(&t->link);
	spin_unlock(&weir_tenants_lock);
	if (last)
		kfree(t);
}

/* Have @tick come for the first of @timers, if it does not. Under @lock. */
static void weir_tenant_arm(struct weir_tenant *t)
{
	const struct timerqueue_node *node = timerqueue_getnext(&t->timers);
	s64 in;

	lockdep_assert_held(&t->lock);
	if (!node || (t->tick_at && t->tick_at <= (u64)node->expires))
		return;
	t->tick_at = node->expires;
	in = node->expires - get_jiffies_64();
	weir_delayed_requeue(weir_router_wq, &t->tick,
			     clamp_t(s64, in, 0, MAX_JIFFY_OFFSET), &t->ref);
}

static void weir_tenant_tick(struct work_struct *work)
{
	struct weir_tenant *t = container_of(to_delayed_work(work),
					     struct weir_tenant, tick);

	weir_race_point(tick);
	spin_lock(&t->lock);
	/* it may have been queued again, for another time, since it began */
	if (!delayed_work_pending(&t->tick))
		t->tick_at = 0;
	spin_unlock(&t->lock);
	weir_work_queue(weir_router_wq, &t->work, &t->ref);
	weir_tenant_put(t);
}

/* Take a timer out of @timers, if it is set. Returns whether it was. */
static bool weir_timer_drop(struct weir_tenant *t, struct weir_timer *timer)
{
	lockdep_assert_held(&t->lock);
	if (!timerqueue_node_queued(&timer->node))
		return false;
	timerqueue_del(&t->timers, &timer->node);
	return true;
}

/* Take the next endpoint from the list, with the list's reference; or NULL. */
static struct weir_endpoint *weir_tenant_next(struct weir_tenant *t)
{
	struct weir_endpoint *ep;

	spin_lock(&t->lock);
	ep = list_first_entry_or_null(&t->endpoints, struct weir_endpoint,
				      turn_link);
	if (ep)
		list_del_init(&ep->turn_link);
	spin_unlock(&t->lock);
	return ep;
}

/* Take the next timer whose time has come, with its reference; or NULL. */
static struct weir_timer *weir_tenant_timer(struct weir_tenant *t)
{
	struct timerqueue_node *node;

	spin_lock(&t->lock);
	node = timerqueue_getnext(&t->timers);
	if (node && node->expires <= get_jiffies_64())
		timerqueue_del(&t->timers, node);
	else
		node = NULL;
	spin_unlock(&t->lock);
	return node ? container_of(node, struct weir_timer, node) : NULL;
}

static void weir_tenant_work(struct work_struct *work)
{
	struct weir_tenant *t = container_of(work, struct weir_tenant, work);
	struct weir_timer *timer;
	struct weir_endpoint *ep;
	u32 n;

	weir_race_point(turn);
	for (n = 0; n < WEIR_TURN_ENDPOINTS; n++) {
		timer = weir_tenant_timer(t);
		if (timer)
			timer->turn(timer);
		ep = weir_tenant_next(t);
		if (ep) {
			weir_route_turn(ep);
			weir_endpoint_put(ep);
		}
		if (!timer && !ep)
			break;
		cond_resched();
	}
	if (n == WEIR_TURN_ENDPOINTS) {
		weir_work_queue(weir_router_wq, &t->work, &t->ref);
	} else {
		spin_lock(&t->lock);
		weir_tenant_arm(t);
		spin_unlock(&t->lock);
	}
	weir_tenant_put(t);
}

/* Do one part of the first job. The job then goes behind the others. */
static void weir_jobs_work(struct work_struct *work)
{
	struct weir_jobs *jobs = container_of(work, struct weir_jobs, work);
	struct weir_tenant *t = jobs->tenant;
	struct weir_job *job;
	bool more;

	spin_lock(&t->lock);
	job = list_first_entry_or_null(&jobs->list, struct weir_job, link);
	if (job)
		list_del_init(&job->link);
	spin_unlock(&t->lock);
	more = job && job->part(job);
	spin_lock(&t->lock);
	if (more)
		list_add_tail(&job->link, &jobs->list);
	more = !list_empty(&jobs->list);
	spin_unlock(&t->lock);
	if (more)
		weir_work_queue(jobs->wq, &jobs->work, &t->ref);
	weir_tenant_put(t);
}

/**
 * weir_jobs_add() - have a user's worker do a job
 * @jobs: the list that the job joins.
 * @job: the job; its @part is set.
 *
 * Takes the tenant's lock. Any context but an interrupt.
 */
void weir_jobs_add(struct weir_jobs *jobs, struct weir_job *job)
{
	struct weir_tenant *t = jobs->tenant;

	spin_lock(&t->lock);
	job->jobs = jobs;
	list_add_tail(&job->link, &jobs->list);
	/*
	 * Queue under the lock: after it the job may end, and with it the last
	 * reference on the tenant.
	 */
	weir_work_queue(jobs->wq, &jobs->work, &t->ref);
	spin_unlock(&t->lock);
}

/**
 * weir_job_first() - do the rest of a job before other jobs
 * @t: the tenant.
 * @job: the job; it has been added, and is not gone.
 *
 * A job of which a part is being done stays where it is.
 */
void weir_job_first(struct weir_tenant *t, struct weir_job *job)
{
	spin_lock(&t->lock);
	if (!list_empty(&job->link))
		list_move(&job->link, &job->jobs->list);
	spin_unlock(&t->lock);
}

/**
 * weir_tenant_slots() - how many calls may be looked at now
 * @t: the tenant; only its own work item asks.
 * @want: number of calls that there are.
 *
 * The router finds passed deadlines by a look at all calls of an endpoint. Each
 * user gets a bounded share of a CPU for that. A user with very many open calls
 * learns of a passed deadline a little later.
 *
 * Return: a number of calls, from 1 to @want; 0 if @want is 0.
 */
u32 weir_tenant_slots(struct weir_tenant *t, u32 want)
{
	if (t->slots_at != jiffies) {
		t->slots_at = jiffies;
		t->slots = WEIR_TURN_SLOTS;
	}
	/* leave something for the user's other endpoints */
	want = min(want, t->slots / 2 + 1);
	t->slots -= min(want, t->slots);
	return want;
}

/* weir_endpoint_later() - have a worker do what an endpoint needs */
void weir_endpoint_later(struct weir_endpoint *ep)
{
	struct weir_tenant *t = ep->tenant;

	spin_lock(&t->lock);
	if (list_empty(&ep->turn_link)) {
		weir_endpoint_get(ep);
		list_add_tail(&ep->turn_link, &t->endpoints);
	}
	spin_unlock(&t->lock);
	weir_work_queue(weir_router_wq, &t->work, &t->ref);
}

/* weir_endpoint_never() - a socket is gone: its endpoint needs no worker */
void weir_endpoint_never(struct weir_endpoint *ep)
{
	struct weir_tenant *t = ep->tenant;
	bool listed;

	spin_lock(&t->lock);
	listed = !list_empty(&ep->turn_link);
	list_del_init(&ep->turn_link);
	spin_unlock(&t->lock);
	if (listed)
		weir_endpoint_put(ep);
}

/* weir_timer_init() - set up a timer; @turn: what it is for */
void weir_timer_init(struct weir_timer *timer,
		     void (*turn)(struct weir_timer *timer))
{
	timerqueue_init(&timer->node);
	timer->over = false;
	timer->turn = turn;
}

/**
 * weir_timer_set() - have a user's worker do something at a certain time
 * @t: the user's tenant.
 * @timer: the timer. One that is set already gets the new time.
 * @at: when, in jiffies64.
 * @ref: reference count of the timer's object, as in work.h.
 *
 * Takes the tenant's lock. Any context but an interrupt.
 */
void weir_timer_set(struct weir_tenant *t, struct weir_timer *timer, u64 at,
		    refcount_t *ref)
{
	spin_lock(&t->lock);
	if (!timer->over) {
		if (!weir_timer_drop(t, timer))
			refcount_inc(ref);
		timer->node.expires = at;
		timerqueue_add(&t->timers, &timer->node);
		weir_tenant_arm(t);
	}
	spin_unlock(&t->lock);
}

/**
 * weir_timer_end() - a timer is not needed any more
 * @t: the user's tenant.
 * @timer: the timer, which cannot be set afterwards. Its turn may have begun.
 * @ref: reference count of its object. The caller holds a reference of its own.
 *
 * Ends the tick when no timer is left that it could come for. Takes the
 * tenant's lock. Any context but an interrupt.
 */
void weir_timer_end(struct weir_tenant *t, struct weir_timer *timer,
		    refcount_t *ref)
{
	spin_lock(&t->lock);
	timer->over = true;
	if (weir_timer_drop(t, timer))
		refcount_dec(ref);
	if (!timerqueue_getnext(&t->timers)) {
		weir_delayed_cancel(&t->tick, &t->ref);
		t->tick_at = 0;
	}
	spin_unlock(&t->lock);
}
