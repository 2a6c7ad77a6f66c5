// SPDX-License-Identifier: GPL-2.0
/*
 * Tenants: what the kernel does for a user later.
 *
 * Each user has one worker for each kind of such work, of normal priority. It
 * does not matter how much work there is, how many sockets the user has, or in
 * how many namespaces they are. So such work takes no more processor time than
 * a loop of the user's own would. The work of other users does not wait behind
 * it.
 *
 * The workers of a user:
 *   joins           joins subscribers to new streams of the user, one part for
 *                   one stream after the other. It is separate, because other
 *                   users decide how many subscribers there are. They must not
 *                   hold up what the router does for the publisher.
 *   pending_joins   does the joins that wait for memory
 *   ends            ends the endpoints of closed sockets
 *   deliver         delivers a reply to other calls with the same idempotency key
 *   timers          calls the functions of timers of rings and cursors
 *   lingers         calls those of them that may wait for a lock which others
 *                   hold, so that they hold up none of the other timers
 *   work            calls the work items and timers of the router: route/worker.c
 *
 * Process context. Functions may be called under spinlocks, unless their
 * comment says otherwise.
 */
#include <linux/hashtable.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "logic/account.h"
#include "logic/alloc.h"
#include "logic/softirq.h"
#include "race.h"
#include "tenant.h"
#include "weir.h"
#include "work.h"

/* Timers of rings whose functions are called before other users have a turn. */
#define WEIR_TIMERS_ROUND	16

/*
 * Items, and as many timers, for which one run of a user's work item calls the
 * functions before the work items of other users have their turn.
 */
#define WEIR_ITEMS_ROUND	16

struct workqueue_struct *weir_wq;
struct workqueue_struct *weir_join_wq;
struct workqueue_struct *weir_jobs_wq;
struct workqueue_struct *weir_router_wq;

static DEFINE_HASHTABLE(weir_tenants, 8);
static DEFINE_SPINLOCK(weir_tenants_lock);

static struct weir_tenant *weir_tenant_find(kuid_t uid)
	__must_hold(&weir_tenants_lock)
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

static void weir_timers_work(struct work_struct *work);
static void weir_jobs_work(struct work_struct *work);
static void weir_tenant_work(struct work_struct *work);
static void weir_tenant_tick(struct work_struct *work);

static void weir_jobs_init(struct weir_jobs *jobs, struct weir_tenant *t,
			   struct workqueue_struct *wq)
{
	jobs->tenant = t;
	jobs->wq = wq;
	INIT_LIST_HEAD(&jobs->list);
	INIT_WORK(&jobs->work, weir_jobs_work);
}

static void weir_timers_init(struct weir_timers *timers, struct weir_tenant *t,
			     struct workqueue_struct *wq, work_func_t tick)
{
	timers->tenant = t;
	timers->wq = wq;
	timerqueue_init_head(&timers->set);
	INIT_DELAYED_WORK(&timers->tick, tick);
}

static struct weir_tenant *weir_tenant_make(kuid_t uid)
{
	struct weir_tenant *t = kzalloc(sizeof(*t), WEIR_GFP);

	if (!t)
		return NULL;
	refcount_set(&t->ref, 1);
	t->uid = uid;
	spin_lock_init(&t->lock);
	weir_softirq_takes(&t->lock);
	weir_timers_init(&t->timers, t, weir_wq, weir_timers_work);
	weir_timers_init(&t->lingers, t, weir_wq, weir_timers_work);
	INIT_LIST_HEAD(&t->waiting);
	weir_timers_init(&t->route_timers, t, weir_router_wq, weir_tenant_tick);
	INIT_WORK(&t->work, weir_tenant_work);
	weir_jobs_init(&t->joins, t, weir_join_wq);
	weir_jobs_init(&t->pending_joins, t, weir_jobs_wq);
	weir_jobs_init(&t->ends, t, weir_jobs_wq);
	weir_jobs_init(&t->deliver, t, weir_jobs_wq);
	return t;
}

/**
 * weir_tenant_of() - the tenant that an account belongs to
 * @account: the account. Subordinate users are the tenant of their owner.
 *
 * May sleep. Return: the tenant with a reference, for weir_tenant_put(); NULL
 * without memory.
 */
struct weir_tenant *weir_tenant_of(const struct weir_account *account)
{
	kuid_t uid = weir_account_user(account);
	struct weir_tenant *t, *fresh;

	spin_lock_bh(&weir_tenants_lock);
	t = weir_tenant_find(uid);
	spin_unlock_bh(&weir_tenants_lock);
	if (t)
		return t;
	fresh = weir_tenant_make(uid);
	if (!fresh)
		return NULL;
	spin_lock_bh(&weir_tenants_lock);
	t = weir_tenant_find(uid);
	if (!t)
		hash_add(weir_tenants, &fresh->link, __kuid_val(uid));
	spin_unlock_bh(&weir_tenants_lock);
	if (!t)
		return fresh;
	kfree(fresh);
	return t;
}

/* weir_tenant_get() - take one more reference; returns @t */
struct weir_tenant *weir_tenant_get(struct weir_tenant *t)
{
	refcount_inc(&t->ref);
	return t;
}

/* weir_tenant_put() - drop a reference; any context but an interrupt */
void weir_tenant_put(struct weir_tenant *t)
{
	bool last;

	if (refcount_dec_not_one(&t->ref))
		return;
	spin_lock_bh(&weir_tenants_lock);
	last = refcount_dec_and_test(&t->ref);
	if (last)
		hash_del(&t->link);
	spin_unlock_bh(&weir_tenants_lock);
	if (last)
		kfree(t);
}

/* --- jobs --------------------------------------------------------------- */

/* Do one part of the first job. The job then goes behind the others. */
static void weir_jobs_work(struct work_struct *work)
{
	struct weir_jobs *jobs = container_of(work, struct weir_jobs, work);
	struct weir_tenant *t = jobs->tenant;
	struct weir_job *job;
	bool more;

	spin_lock_bh(&t->lock);
	job = list_first_entry_or_null(&jobs->list, struct weir_job, link);
	if (job)
		list_del_init(&job->link);
	spin_unlock_bh(&t->lock);
	more = job && job->part(job);
	spin_lock_bh(&t->lock);
	if (more)
		list_add_tail(&job->link, &jobs->list);
	more = !list_empty(&jobs->list);
	spin_unlock_bh(&t->lock);
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

	spin_lock_bh(&t->lock);
	job->jobs = jobs;
	list_add_tail(&job->link, &jobs->list);
	/*
	 * Queue under the lock: after it the job may end, and with it the last
	 * reference on the tenant.
	 */
	weir_work_queue(jobs->wq, &jobs->work, &t->ref);
	spin_unlock_bh(&t->lock);
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
	spin_lock_bh(&t->lock);
	if (!list_empty(&job->link))
		list_move(&job->link, &job->jobs->list);
	spin_unlock_bh(&t->lock);
}

/* --- timers ------------------------------------------------------------- */

/* Queues the tick for the first timer, or cancels it. */
static void weir_timers_arm(struct weir_timers *timers)
	__must_hold(&timers->tenant->lock)
{
	struct timerqueue_node *node = timerqueue_getnext(&timers->set);
	struct weir_tenant *t = timers->tenant;
	s64 in;

	lockdep_assert_held(&t->lock);
	if (!node) {
		/* the tick may be running: then it puts its own reference */
		if (cancel_delayed_work(&timers->tick))
			refcount_dec(&t->ref);
		return;
	}
	in = node->expires - get_jiffies_64();
	refcount_inc(&t->ref);
	if (mod_delayed_work(timers->wq, &timers->tick,
			     clamp_t(s64, in, 0, MAX_JIFFY_OFFSET)))
		refcount_dec(&t->ref);
}

/* Wakes threads that wait for a function to end, after a change of @now. */
static void weir_timers_wake(struct weir_timers *timers)
{
	smp_mb();	/* a waiter reads @now after it is queued */
	wake_up_var(&timers->now);
}

/*
 * Takes the next timer whose time has come. The caller calls the timer's
 * function, then this function again, and at the end weir_timers_done(). Takes
 * the tenant's lock. Returns the timer, with its reference; or NULL.
 */
static struct weir_timer *weir_timers_next(struct weir_timers *timers)
{
	struct weir_tenant *t = timers->tenant;
	struct weir_timer *timer = NULL;
	struct timerqueue_node *node;

	spin_lock_bh(&t->lock);
	node = timerqueue_getnext(&timers->set);
	if (node && node->expires <= get_jiffies_64()) {
		timerqueue_del(&timers->set, node);
		timer = container_of(node, struct weir_timer, node);
	}
	WRITE_ONCE(timers->now, timer);
	spin_unlock_bh(&t->lock);
	weir_timers_wake(timers);
	return timer;
}

/* Ends a round of timers, and queues the next tick. */
static void weir_timers_done(struct weir_timers *timers)
{
	struct weir_tenant *t = timers->tenant;

	spin_lock_bh(&t->lock);
	WRITE_ONCE(timers->now, NULL);
	weir_timers_arm(timers);
	spin_unlock_bh(&t->lock);
	weir_timers_wake(timers);
}

/* weir_timers.tick of rings and cursors: calls the timers' functions. */
static void weir_timers_work(struct work_struct *work)
{
	struct weir_timers *timers = container_of(to_delayed_work(work),
						  struct weir_timers, tick);
	struct weir_timer *timer;
	u32 n = 0;

	while ((timer = weir_timers_next(timers))) {
		timer->fn(timer);
		cond_resched();
		if (++n == WEIR_TIMERS_ROUND)
			break;
	}
	weir_timers_done(timers);
	weir_tenant_put(timers->tenant);
}

/*
 * Takes a timer out of its set. Returns whether it was there. @first: out:
 * whether it was the next one.
 */
static bool weir_timer_take(struct weir_timer *timer, bool *first)
	__must_hold(&timer->timers->tenant->lock)
{
	struct timerqueue_head *set = &timer->timers->set;

	lockdep_assert_held(&timer->timers->tenant->lock);
	if (RB_EMPTY_NODE(&timer->node.node))
		return false;
	*first = timerqueue_getnext(set) == &timer->node;
	timerqueue_del(set, &timer->node);
	return true;
}

/**
 * weir_timer_init() - prepare a timer, which is not set
 * @timer: the timer.
 * @timers: of the user in whose worker @fn is called. The caller holds the
 *	tenant for as long as the object of the timer exists.
 * @ref: reference count of that object. The caller of the functions below holds
 *	a reference of its own.
 * @fn: see struct weir_timer.
 */
void weir_timer_init(struct weir_timer *timer, struct weir_timers *timers,
		     refcount_t *ref, void (*fn)(struct weir_timer *timer))
{
	timerqueue_init(&timer->node);
	timer->timers = timers;
	timer->ref = ref;
	timer->over = false;
	timer->fn = fn;
}

/*
 * Sets a timer. @earlier, @later: if it is set already, it may be moved to an
 * earlier, or to a later time.
 */
static void weir_timer_to(struct weir_timer *timer, unsigned long delay,
			  bool earlier, bool later)
{
	struct weir_timers *timers = timer->timers;
	u64 at = get_jiffies_64() + delay;
	bool first = false, set;

	spin_lock_bh(&timers->tenant->lock);
	set = !RB_EMPTY_NODE(&timer->node.node);
	if (timer->over ||
	    (set && (at < (u64)timer->node.expires ? !earlier : !later)))
		goto unlock;
	if (!weir_timer_take(timer, &first))
		refcount_inc(timer->ref);
	timer->node.expires = at;
	if (timerqueue_add(&timers->set, &timer->node) || first)
		weir_timers_arm(timers);
unlock:
	spin_unlock_bh(&timers->tenant->lock);
}

/**
 * weir_timer_set() - set a timer; one that is set keeps its time
 * @timer: the timer.
 * @delay: jiffies from now.
 *
 * This and the functions below take the tenant's lock.
 */
void weir_timer_set(struct weir_timer *timer, unsigned long delay)
{
	weir_timer_to(timer, delay, false, false);
}

/* weir_timer_advance() - set a timer; one that is set may only come earlier */
void weir_timer_advance(struct weir_timer *timer, unsigned long delay)
{
	weir_timer_to(timer, delay, true, false);
}

/* weir_timer_move() - set a timer; one that is set gets the new time */
void weir_timer_move(struct weir_timer *timer, unsigned long delay)
{
	weir_timer_to(timer, delay, true, true);
}

static void weir_timer_unset(struct weir_timer *timer, bool over)
{
	struct weir_timers *timers = timer->timers;
	bool first;

	spin_lock_bh(&timers->tenant->lock);
	timer->over = over;
	if (weir_timer_take(timer, &first)) {
		if (first)
			weir_timers_arm(timers);
		refcount_dec(timer->ref);
	}
	spin_unlock_bh(&timers->tenant->lock);
}

/* weir_timer_cancel() - cancel a timer; its function may still be running */
void weir_timer_cancel(struct weir_timer *timer)
{
	weir_timer_unset(timer, false);
}

/* weir_timer_end() - cancel a timer, which cannot be set any more */
void weir_timer_end(struct weir_timer *timer)
{
	weir_timer_unset(timer, true);
}

/**
 * weir_timer_cancel_sync() - cancel a timer and wait while its function runs
 * @timer: the timer. Meanwhile it cannot be set, by its function or others.
 *
 * Sleeps. The caller holds no lock that the function takes.
 */
void weir_timer_cancel_sync(struct weir_timer *timer)
{
	struct weir_timers *timers = timer->timers;

	weir_timer_end(timer);
	wait_var_event(&timers->now, READ_ONCE(timers->now) != timer);
	weir_timer_cancel(timer);	/* it may be set again */
}

/* --- turns -------------------------------------------------------------- */

/*
 * weir_timers.tick of weir_tenant.route_timers: their worker calls the
 * functions.
 */
static void weir_tenant_tick(struct work_struct *work)
{
	struct delayed_work *tick = to_delayed_work(work);
	struct weir_tenant *t = container_of(tick, struct weir_tenant,
					     route_timers.tick);

	weir_race_point(tick);
	weir_work_queue(weir_router_wq, &t->work, &t->ref);
	weir_tenant_put(t);
}

/* Takes the first item that waits, with its reference; or NULL. */
static struct weir_work_item *weir_work_item_next(struct weir_tenant *t)
{
	struct weir_work_item *item;

	spin_lock_bh(&t->lock);
	item = list_first_entry_or_null(&t->waiting, struct weir_work_item,
					link);
	if (item)
		list_del_init(&item->link);
	spin_unlock_bh(&t->lock);
	return item;
}

/* weir_tenant.work */
static void weir_tenant_work(struct work_struct *work)
{
	struct weir_tenant *t = container_of(work, struct weir_tenant, work);
	struct weir_timer *timer;
	struct weir_work_item *item;
	u32 n;

	weir_race_point(turn);
	for (n = 0; n < WEIR_ITEMS_ROUND; n++) {
		timer = weir_timers_next(&t->route_timers);
		if (timer)
			timer->fn(timer);
		item = weir_work_item_next(t);
		if (item)
			item->fn(item);
		if (!timer && !item)
			break;
		cond_resched();
	}
	weir_timers_done(&t->route_timers);
	if (n == WEIR_ITEMS_ROUND)
		weir_work_queue(weir_router_wq, &t->work, &t->ref);
	weir_tenant_put(t);
}

/* weir_work_item_init() - prepare an item, which does not wait */
void weir_work_item_init(struct weir_work_item *item,
			 void (*fn)(struct weir_work_item *item))
{
	INIT_LIST_HEAD(&item->link);
	item->fn = fn;
}

/**
 * weir_work_item_queue() - have a user's worker call an item's function once
 * @t: the user.
 * @item: the item; it may be waiting already.
 * @ref: reference count of the object that contains it.
 *
 * Takes the tenant's lock. Any context but an interrupt.
 */
void weir_work_item_queue(struct weir_tenant *t, struct weir_work_item *item,
			  refcount_t *ref)
{
	spin_lock_bh(&t->lock);
	if (list_empty(&item->link)) {
		refcount_inc(ref);
		list_add_tail(&item->link, &t->waiting);
	}
	spin_unlock_bh(&t->lock);
	weir_work_queue(weir_router_wq, &t->work, &t->ref);
}

/**
 * weir_work_item_cancel() - have an item wait no more
 * @t: the user.
 * @item: the item; its function may be running.
 *
 * Takes the tenant's lock. Return: true if it waited: the caller puts the
 * reference.
 */
bool weir_work_item_cancel(struct weir_tenant *t, struct weir_work_item *item)
{
	bool waited;

	spin_lock_bh(&t->lock);
	waited = !list_empty(&item->link);
	list_del_init(&item->link);
	spin_unlock_bh(&t->lock);
	return waited;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_timer_init);
EXPORT_SYMBOL_IF_KUNIT(weir_timer_set);
EXPORT_SYMBOL_IF_KUNIT(weir_timer_cancel_sync);
#endif
