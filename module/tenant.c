// SPDX-License-Identifier: GPL-2.0
/*
 * Tenants: what the kernel does for a user later.
 *
 * Each user has one worker for each kind of such work, of normal priority, no
 * matter how much of it there is, how many sockets the user has, or in how many
 * namespaces. So a user takes no more of the processors by it than by a loop of
 * its own, and the work of other users does not wait behind it.
 *
 * Subscribers are joined to new streams by a worker of the publisher's user,
 * which does one part for one stream after the other. It is separate because
 * other users decide how many subscribers there are, and they must not hold up
 * what the router does for the publisher. Another worker does the joins that
 * wait for memory, and a third ends the endpoints of closed sockets. Timers of
 * rings and cursors call their functions in a fourth. The router's own turns
 * are in route/turn.c.
 *
 * Process context, under spinlocks too where it is not said otherwise.
 */
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "weir.h"

/* Timers whose functions are called before other users have their turn. */
#define WEIR_TIMERS_ROUND	16

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

static void weir_timing_work(struct work_struct *work);
static void weir_jobs_work(struct work_struct *work);

static void weir_jobs_init(struct weir_jobs *jobs, struct weir_tenant *t,
			   struct workqueue_struct *wq)
{
	jobs->tenant = t;
	jobs->wq = wq;
	INIT_LIST_HEAD(&jobs->list);
	INIT_WORK(&jobs->work, weir_jobs_work);
}

static struct weir_tenant *weir_tenant_make(kuid_t uid)
{
	struct weir_tenant *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return NULL;
	refcount_set(&t->ref, 1);
	t->uid = uid;
	spin_lock_init(&t->lock);
	timerqueue_init_head(&t->timers);
	INIT_DELAYED_WORK(&t->timing, weir_timing_work);
	INIT_LIST_HEAD(&t->endpoints);
	timerqueue_init_head(&t->watched);
	INIT_DELAYED_WORK(&t->tick, weir_tenant_tick);
	INIT_WORK(&t->work, weir_tenant_work);
	weir_jobs_init(&t->joins, t, weir_join_wq);
	weir_jobs_init(&t->late, t, weir_late_wq);
	weir_jobs_init(&t->ends, t, weir_late_wq);
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

	spin_lock(&weir_tenants_lock);
	t = weir_tenant_find(uid);
	spin_unlock(&weir_tenants_lock);
	if (t)
		return t;
	fresh = weir_tenant_make(uid);
	if (!fresh)
		return NULL;
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

/* weir_tenant_get() - take another reference; any context */
void weir_tenant_get(struct weir_tenant *t)
{
	refcount_inc(&t->ref);
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

/* --- jobs ------------------------------------------------------------------- */

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

/* --- timers ----------------------------------------------------------------- */

/*
 * Has @timing come for the first timer, or not at all without one. All timers
 * of a user have one timer of the kernel: the expiry of such a one takes the
 * time of whatever runs on that processor. Under @lock.
 */
static void weir_timing_arm(struct weir_tenant *t)
{
	const struct timerqueue_node *node = timerqueue_getnext(&t->timers);
	s64 in;

	lockdep_assert_held(&t->lock);
	if (!node) {
		weir_delayed_cancel(&t->timing, &t->ref);
		return;
	}
	in = node->expires - get_jiffies_64();
	weir_delayed_requeue(weir_wq, &t->timing, max_t(s64, in, 0), &t->ref);
}

/* Wakes those that wait for a function to end, after a change of @timing_now. */
static void weir_timing_wake(struct weir_tenant *t)
{
	smp_mb();	/* a waiter looks after it has entered the queue */
	wake_up_var(&t->timing_now);
}

/* Takes the next timer whose time has come; or NULL. */
static struct weir_timer *weir_timing_next(struct weir_tenant *t)
{
	struct timerqueue_node *node;
	struct weir_timer *timer = NULL;

	spin_lock(&t->lock);
	node = timerqueue_getnext(&t->timers);
	if (node && node->expires <= get_jiffies_64()) {
		timerqueue_del(&t->timers, node);
		timer = container_of(node, struct weir_timer, node);
	}
	WRITE_ONCE(t->timing_now, timer);
	spin_unlock(&t->lock);
	weir_timing_wake(t);
	return timer;
}

static void weir_timing_work(struct work_struct *work)
{
	struct weir_tenant *t = container_of(to_delayed_work(work),
					     struct weir_tenant, timing);
	struct weir_timer *timer;
	u32 n;

	for (n = 0; n < WEIR_TIMERS_ROUND; n++) {
		timer = weir_timing_next(t);
		if (!timer)
			break;
		timer->fn(timer);
		cond_resched();
	}
	spin_lock(&t->lock);
	WRITE_ONCE(t->timing_now, NULL);
	weir_timing_arm(t);
	spin_unlock(&t->lock);
	weir_timing_wake(t);
	weir_tenant_put(t);
}

/* Is a timer set? Under @lock of its tenant. */
static bool weir_timer_pending(const struct weir_timer *timer)
{
	lockdep_assert_held(&timer->tenant->lock);
	return !RB_EMPTY_NODE(&timer->node.node);
}

/* Takes a timer that is set out. Returns whether it was the first. */
static bool weir_timer_take(struct weir_timer *timer)
{
	struct timerqueue_head *timers = &timer->tenant->timers;
	bool first = timerqueue_getnext(timers) == &timer->node;

	timerqueue_del(timers, &timer->node);
	return first;
}

/* Sets a timer that is not set; @rearm: the first one has been taken out. */
static void weir_timer_put_in(struct weir_timer *timer, unsigned long delay,
			      bool rearm)
{
	struct weir_tenant *t = timer->tenant;

	timer->node.expires = get_jiffies_64() + delay;
	if (timerqueue_add(&t->timers, &timer->node) || rearm)
		weir_timing_arm(t);
}

/**
 * weir_timer_init() - prepare a timer, which is not set
 * @timer: the timer.
 * @t: the user in whose worker @fn is called. The caller holds it for as long as
 *	the object of the timer exists.
 * @ref: reference count of that object. The caller of the functions below holds
 *	a reference of its own.
 * @fn: see struct weir_timer.
 */
void weir_timer_init(struct weir_timer *timer, struct weir_tenant *t,
		     refcount_t *ref, void (*fn)(struct weir_timer *timer))
{
	timerqueue_init(&timer->node);
	timer->tenant = t;
	timer->ref = ref;
	timer->fn = fn;
}

/**
 * weir_timer_set() - set a timer; one that is set keeps its time
 * @timer: the timer.
 * @delay: jiffies from now.
 */
void weir_timer_set(struct weir_timer *timer, unsigned long delay)
{
	spin_lock(&timer->tenant->lock);
	if (!weir_timer_pending(timer)) {
		refcount_inc(timer->ref);
		weir_timer_put_in(timer, delay, false);
	}
	spin_unlock(&timer->tenant->lock);
}

/**
 * weir_timer_move() - set a timer; one that is set gets another time
 * @timer: the timer.
 * @delay: jiffies from now.
 */
void weir_timer_move(struct weir_timer *timer, unsigned long delay)
{
	bool first = false;

	spin_lock(&timer->tenant->lock);
	if (weir_timer_pending(timer))
		first = weir_timer_take(timer);
	else
		refcount_inc(timer->ref);
	weir_timer_put_in(timer, delay, first);
	spin_unlock(&timer->tenant->lock);
}

/**
 * weir_timer_advance() - set a timer; one that is set may only come earlier
 * @timer: the timer.
 * @delay: jiffies from now.
 */
void weir_timer_advance(struct weir_timer *timer, unsigned long delay)
{
	bool first = false;

	spin_lock(&timer->tenant->lock);
	if (!weir_timer_pending(timer))
		refcount_inc(timer->ref);
	else if ((u64)timer->node.expires > get_jiffies_64() + delay)
		first = weir_timer_take(timer);
	else
		goto unlock;
	weir_timer_put_in(timer, delay, first);
unlock:
	spin_unlock(&timer->tenant->lock);
}

/**
 * weir_timer_cancel() - take back a timer; its function may still be running
 * @timer: the timer.
 */
void weir_timer_cancel(struct weir_timer *timer)
{
	struct weir_tenant *t = timer->tenant;

	spin_lock(&t->lock);
	if (weir_timer_pending(timer)) {
		if (weir_timer_take(timer))
			weir_timing_arm(t);
		refcount_dec(timer->ref);
	}
	spin_unlock(&t->lock);
}

static bool weir_timer_idle(struct weir_timer *timer)
{
	struct weir_tenant *t = timer->tenant;
	bool idle;

	spin_lock(&t->lock);
	idle = !weir_timer_pending(timer) && t->timing_now != timer;
	spin_unlock(&t->lock);
	return idle;
}

/**
 * weir_timer_cancel_sync() - take back a timer and wait while its function runs
 * @timer: the timer. Nobody but its function sets it any more.
 *
 * Sleeps. The caller holds no lock that the function takes.
 */
void weir_timer_cancel_sync(struct weir_timer *timer)
{
	struct weir_tenant *t = timer->tenant;

	/* the function may have set it once more */
	do {
		weir_timer_cancel(timer);
		wait_var_event(&t->timing_now,
			       READ_ONCE(t->timing_now) != timer);
	} while (!weir_timer_idle(timer));
}
