// SPDX-License-Identifier: GPL-2.0
/*
 * Polling: a thread on each CPU of the poll_cpus tunable looks at the outboxes
 * given to it and routes what it finds, so that senders make no system call.
 * When none had anything for poll_idle_us, it asks all their owners to kick
 * (WEIR_WAKE_ROUTER, by the rule of wake.c) and sleeps until one does. The barrier
 * for that reaches the processors of all these owners, and is from the allowance of
 * the user who woke the thread last: beyond it the thread looks once more a tick
 * later, before it sleeps for long.
 *
 * Each endpoint belongs to one thread, the one with the fewest; without a thread,
 * its owner's kicks do everything. In a round each user has a share, so that
 * nobody's flood takes the thread from the others.
 * Process context.
 */
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "route/router.h"

/* Rounds through the endpoints before anything else is looked at. */
#define WEIR_POLL_ROUNDS	64

/*
 * Most endpoints of one user that a thread polls. The owners of all others
 * kick, since a look at very many endpoints takes long.
 */
#define WEIR_POLL_PORTS		64

/*
 * A user's share of a round, in bytes of ring; an endpoint that had something as so
 * many, and looks at targets as weir_route_poll() says.
 */
#define WEIR_POLL_BYTES		SZ_4K
#define WEIR_POLL_LOOK		512U

/**
 * struct weir_poll_user - what a thread polls for one user
 * @tenant: the user.
 * @round: the last in which it has been served; the thread's.
 * @used: of its share in that round; the thread's.
 * @nendpoints: endpoints; poll_lock.
 * @link: in weir_poller.users.
 */
struct weir_poll_user {
	struct weir_tenant	*tenant;
	u32			round;
	u32			used;
	u32			nendpoints;
	struct list_head	link;
};

/**
 * struct weir_poller - one thread
 * @task: it.
 * @lock: guards @endpoints and @broken, and rounds through them.
 * @wanted: somebody waits for @lock; poll_lock.
 * @round: through the endpoints; the thread's.
 * @turned: round in which the list of endpoints was turned last; the
 *	thread's.
 * @endpoints: by weir_endpoint.poll_link; the one that is next in turn is the
 *	first.
 * @broken: endpoints whose outbox is broken; by weir_endpoint.poll_link.
 * @nendpoints: how many in both; poll_lock.
 * @users: whose they are; poll_lock.
 * @asleep: its endpoints' owners are asked to kick.
 * @waker: account of the user whose kick woke it last, held; NULL: nobody's has
 *	since the thread slept. Exchanged.
 * @cpus: scratch for the fence.
 * @link: in weir_pollers.
 */
struct weir_poller {
	struct task_struct	*task;
	struct mutex		lock;
	bool			wanted;
	u32			round;
	u32			turned;
	struct list_head	endpoints;
	struct list_head	broken;
	u32			nendpoints;
	struct list_head	users;
	bool			asleep;
	struct weir_account	*waker;
	cpumask_var_t		cpus;
	struct list_head	link;
};

/* Guards the threads and their CPUs, endpoints without one, and who has whom. */
static DEFINE_MUTEX(poll_lock);
static LIST_HEAD(weir_pollers);
static LIST_HEAD(weir_unpolled);
static struct cpumask weir_poll_cpus;

/*
 * Is there something to route: is a record committed, and has its space been
 * claimed? What waits for room is called when there is. The owner's words are
 * looked at, not trusted: what is committed and not claimed is never routed, and
 * must not keep a thread busy.
 */
static bool weir_endpoint_pending(const struct weir_endpoint *ep)
{
	const struct weir_ring_view *v = &ep->outbox->view;
	u64 pos = READ_ONCE(ep->pos);

	return weir_committed(v, pos) && !READ_ONCE(ep->waiter.waits) &&
	       (u32)(READ_ONCE(v->head->claim) >> 32) !=
	       (u32)(pos >> WEIR_GRANULE_SHIFT);
}

static void weir_endpoint_ask(struct weir_endpoint *ep, bool kick)
{
	struct weir_ring *ring = ep->outbox;
	struct weir_status *status = weir_ring_status(ring);
	u32 wake;

	spin_lock(&ring->lock);
	wake = status->wake & ~WEIR_WAKE_ROUTER;
	WRITE_ONCE(status->wake, wake | (kick ? WEIR_WAKE_ROUTER : 0));
	spin_unlock(&ring->lock);
}

/* The owner sees by now that it is to kick; or we see what it has committed. */
static void weir_endpoint_owner_cpus(struct weir_endpoint *ep,
				     struct cpumask *cpus)
{
	struct weir_ring *ring = ep->outbox;

	spin_lock(&ring->lock);
	if (ring->owner_mm)
		weir_mm_cpus(ring->owner_mm, ring->owner_forked, cpus);
	spin_unlock(&ring->lock);
}

/* What a user has used of its share of this round. */
static __always_inline u32 weir_poll_used(const struct weir_poller *p,
					  struct weir_poll_user *u)
{
	if (u->round == p->round)
		return u->used;
	u->round = p->round;
	return 0;
}

/*
 * An endpoint waits for its user's next share. The first such endpoint of a
 * round becomes the head of the list; endpoints that were looked at come once
 * more in this round.
 */
static noinline void weir_poller_passes(struct weir_poller *p,
					struct weir_endpoint *ep)
{
	if (p->turned == p->round)
		return;
	p->turned = p->round;
	list_move_tail(&p->endpoints, &ep->poll_link);
}

/**
 * weir_poll_took() - a polled message has taken more than its bytes
 * @ep: whose; its thread routes it.
 * @bytes: of its user's share.
 */
void weir_poll_took(struct weir_endpoint *ep, u32 bytes)
{
	ep->poll_user->used += bytes;
}

/*
 * One look at each endpoint, and a section of each that has something, as far
 * as its user's share goes: the next round begins with the first that has had
 * none for that. Ends early when somebody waits for the lock. Returns whether
 * any message has gone: one that has not waits, or is left to a worker. A ring
 * that its owner has broken is looked at no more: what lies there never goes.
 */
static __always_inline bool weir_poller_round(struct weir_poller *p)
{
	struct weir_poll_user *u;
	struct weir_endpoint *ep;
	bool busy = false;
	u64 pos, moved;
	u32 used;

	p->round++;
	list_for_each_entry(ep, &p->endpoints, poll_link) {
		pos = READ_ONCE(ep->pos);
		if (!weir_committed(&ep->outbox->view, pos))
			continue;
		u = ep->poll_user;
		used = weir_poll_used(p, u);
		if (unlikely(used >= WEIR_POLL_BYTES)) {
			weir_poller_passes(p, ep);
			if (READ_ONCE(p->wanted))
				break;
			continue;
		}
		u->used = used + WEIR_POLL_LOOK;
		weir_route_poll(ep, pos);
		moved = READ_ONCE(ep->pos) - pos;
		u->used += (u32)moved;
		if (likely(moved)) {
			busy = true;
		} else if (!weir_ring_live(ep->outbox)) {
			list_move_tail(&ep->poll_link, &p->broken);
			/* what was committed before the end, and is left */
			weir_endpoint_later(ep);
			break;
		}
	}
	return busy;
}

/*
 * Looks for a while. Returns false when there has been nothing for so long that
 * the thread may sleep. @idle_ns: since when that is; 0: not known yet.
 */
static bool weir_poller_rounds(struct weir_poller *p, u64 *idle_ns)
{
	u32 n;

	for (n = 0; n < WEIR_POLL_ROUNDS && !need_resched() &&
		    !READ_ONCE(p->wanted); n++) {
		if (weir_poller_round(p))
			*idle_ns = 0;
		else if (!*idle_ns)
			*idle_ns = ktime_get_ns();
		else if (ktime_get_ns() - *idle_ns >= 1000ULL *
			 READ_ONCE(weir_tunables.poll_idle_us))
			return false;
		cpu_relax();
	}
	return true;
}

/* The thread lets go of its lock. Under poll_lock. */
static void weir_poller_lock(struct weir_poller *p)
{
	WRITE_ONCE(p->wanted, true);
	mutex_lock(&p->lock);
	WRITE_ONCE(p->wanted, false);
}

/* May the thread interrupt owners before it sleeps? */
static bool weir_poller_may_fence(struct weir_poller *p)
{
	struct weir_account *waker = xchg(&p->waker, NULL);
	bool may;

	if (!waker)
		return false;
	may = weir_account_may_fence(waker, ktime_get_ns());
	weir_account_put(waker);
	return may;
}

/* Is there something to route, although all owners are asked to kick? */
static bool weir_poller_pending(struct weir_poller *p)
{
	struct weir_endpoint *ep;
	bool pending = false;

	mutex_lock(&p->lock);
	list_for_each_entry(ep, &p->endpoints, poll_link)
		pending |= weir_endpoint_pending(ep);
	mutex_unlock(&p->lock);
	return pending;
}

/* Until somebody kicks, or for so many jiffies. */
static void weir_poller_wait(struct weir_poller *p, long timeout)
{
	set_current_state(TASK_INTERRUPTIBLE);
	if (READ_ONCE(p->asleep) && !kthread_should_stop())
		schedule_timeout(timeout);
	__set_current_state(TASK_RUNNING);
}

static void weir_poller_sleep(struct weir_poller *p)
{
	bool fence = weir_poller_may_fence(p);
	struct weir_endpoint *ep;

	mutex_lock(&p->lock);
	cpumask_clear(p->cpus);
	WRITE_ONCE(p->asleep, true);
	list_for_each_entry(ep, &p->endpoints, poll_link) {
		weir_endpoint_ask(ep, true);
		weir_endpoint_owner_cpus(ep, p->cpus);
		cond_resched();
	}
	if (fence)
		weir_fence_cpus(p->cpus);			/* (C) */
	else
		smp_mb();
	mutex_unlock(&p->lock);

	if (!weir_poller_pending(p)) {
		/* stores that were held back are there a tick later */
		if (!fence)
			weir_poller_wait(p, 2);
		if (fence || !weir_poller_pending(p))
			weir_poller_wait(p, MAX_SCHEDULE_TIMEOUT);
	}

	mutex_lock(&p->lock);
	WRITE_ONCE(p->asleep, false);
	list_for_each_entry(ep, &p->endpoints, poll_link) {
		weir_endpoint_ask(ep, false);
		cond_resched();
	}
	mutex_unlock(&p->lock);
}

static int weir_poller_thread(void *data)
{
	struct weir_poller *p = data;
	u64 idle_ns = 0;
	bool awake;

	while (!kthread_should_stop()) {
		mutex_lock(&p->lock);
		awake = weir_poller_rounds(p, &idle_ns);
		mutex_unlock(&p->lock);
		if (!awake) {
			weir_poller_sleep(p);
			idle_ns = 0;
		}
		cond_resched();
	}
	return 0;
}

/*
 * What a thread polls for a user: made of @fresh, which is given away, if there
 * is nothing yet. NULL without that. Under poll_lock.
 */
static struct weir_poll_user *weir_poller_user(struct weir_poller *p,
					       struct weir_tenant *tenant,
					       struct weir_poll_user **fresh)
{
	struct weir_poll_user *u;

	list_for_each_entry(u, &p->users, link) {
		if (u->tenant == tenant)
			return u;
	}
	u = *fresh;
	if (u) {
		*fresh = NULL;
		u->tenant = tenant;
		list_add_tail(&u->link, &p->users);
	}
	return u;
}

/*
 * An endpoint of a user's is not polled any more. Under poll_lock, not in a
 * round.
 */
static void weir_poll_user_put(struct weir_endpoint *ep)
{
	struct weir_poll_user *u = ep->poll_user;

	ep->poll_user = NULL;
	if (--u->nendpoints)
		return;
	list_del(&u->link);
	kfree(u);
}

/*
 * Under poll_lock. @fresh: for a user that has none there yet; NULL once it is
 * given away. Returns false when the thread polls as many of the user's as it
 * may, or there was no memory: then its owner kicks.
 */
static bool weir_poller_give(struct weir_poller *p, struct weir_endpoint *ep,
			     struct weir_poll_user **fresh)
{
	struct weir_poll_user *u = weir_poller_user(p, ep->tenant, fresh);

	if (!u || u->nendpoints == WEIR_POLL_PORTS)
		return false;
	ep->poller = p;
	ep->poll_user = u;
	p->nendpoints++;
	u->nendpoints++;
	weir_poller_lock(p);
	list_move_tail(&ep->poll_link, &p->endpoints);
	if (!p->asleep)
		weir_endpoint_ask(ep, false);
	mutex_unlock(&p->lock);
	/* it may have looked before this one was there */
	weir_poll_kick(ep);
	return true;
}

/* Under poll_lock. */
static struct weir_poller *weir_poller_idlest(void)
{
	struct weir_poller *p, *best = NULL;

	list_for_each_entry(p, &weir_pollers, link) {
		if (!best || p->nendpoints < best->nendpoints)
			best = p;
	}
	return best;
}

/**
 * weir_poll_join() - have an endpoint polled, if there is a thread
 * @ep: a new one.
 */
void weir_poll_join(struct weir_endpoint *ep)
{
	struct weir_poll_user *fresh;
	struct weir_poller *p;

	/* not under the lock, which others' sockets need as well */
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	mutex_lock(&poll_lock);
	p = weir_poller_idlest();
	if (!p || !weir_poller_give(p, ep, &fresh))
		list_add_tail(&ep->poll_link, &weir_unpolled);
	mutex_unlock(&poll_lock);
	kfree(fresh);
}

/**
 * weir_poll_leave() - have an endpoint polled no more
 * @ep: the socket is being released; no thread uses it afterwards.
 */
void weir_poll_leave(struct weir_endpoint *ep)
{
	struct weir_poller *p;

	mutex_lock(&poll_lock);
	p = ep->poller;
	if (p)
		weir_poller_lock(p);
	list_del_init(&ep->poll_link);
	WRITE_ONCE(ep->poller, NULL);
	if (p) {
		p->nendpoints--;
		weir_poll_user_put(ep);
		mutex_unlock(&p->lock);
	}
	mutex_unlock(&poll_lock);
}

/**
 * weir_poll_kick() - the owner of an endpoint has kicked
 * @ep: the endpoint; its thread polls again if it sleeps.
 */
void weir_poll_kick(struct weir_endpoint *ep)
{
	struct weir_account *old;
	struct weir_poller *p;

	if (!READ_ONCE(ep->poller))
		return;
	/* a thread ends only after a grace period */
	rcu_read_lock();
	p = READ_ONCE(ep->poller);
	if (p && READ_ONCE(p->asleep)) {
		WRITE_ONCE(p->asleep, false);
		weir_account_get(ep->account);
		old = xchg(&p->waker, ep->account);
		if (old)
			weir_account_put(old);
		wake_up_process(p->task);
	}
	rcu_read_unlock();
}

/* --- which CPUs --------------------------------------------------------- */

static int weir_poller_start(unsigned int cpu)
{
	struct weir_poller *p = kzalloc_node(sizeof(*p), GFP_KERNEL,
					     cpu_to_node(cpu));
	int err = -ENOMEM;

	if (!p)
		return -ENOMEM;
	if (!zalloc_cpumask_var(&p->cpus, GFP_KERNEL))
		goto err_free;
	mutex_init(&p->lock);
	INIT_LIST_HEAD(&p->endpoints);
	INIT_LIST_HEAD(&p->broken);
	INIT_LIST_HEAD(&p->users);
	p->task = kthread_create_on_cpu(weir_poller_thread, p, cpu,
					"weir_poll/%u");
	if (IS_ERR(p->task)) {
		err = PTR_ERR(p->task);
		goto err_cpus;
	}
	list_add_tail(&p->link, &weir_pollers);
	wake_up_process(p->task);
	return 0;

err_cpus:
	free_cpumask_var(p->cpus);
err_free:
	kfree(p);
	return err;
}

static void weir_poller_stop(struct weir_poller *p)
{
	struct weir_endpoint *ep, *next;

	list_del(&p->link);
	kthread_stop(p->task);
	list_splice_init(&p->broken, &p->endpoints);
	/* from here on the owners kick */
	list_for_each_entry_safe(ep, next, &p->endpoints, poll_link) {
		WRITE_ONCE(ep->poller, NULL);
		weir_poll_user_put(ep);
		list_move_tail(&ep->poll_link, &weir_unpolled);
		weir_endpoint_ask(ep, true);
		weir_endpoint_owner_cpus(ep, p->cpus);
	}
	weir_fence_cpus(p->cpus);				/* (C) */
	/* what they committed before is routed */
	list_for_each_entry(ep, &weir_unpolled, poll_link)
		weir_endpoint_later(ep);
	synchronize_rcu();
	if (p->waker)
		weir_account_put(p->waker);
	free_cpumask_var(p->cpus);
	kfree(p);
}

/* Under poll_lock. */
static void weir_pollers_stop(void)
{
	struct weir_poller *p;

	while ((p = list_first_entry_or_null(&weir_pollers, struct weir_poller,
					     link)))
		weir_poller_stop(p);
	cpumask_clear(&weir_poll_cpus);
}

/**
 * weir_poll_set() - have these CPUs poll, and no others
 * @cpus: of them, those that are online; none: nobody polls.
 *
 * All endpoints are given out anew. Return: 0, or why a thread could not be made;
 * then nobody polls.
 */
int weir_poll_set(const struct cpumask *cpus)
{
	struct weir_poll_user *fresh = NULL;
	struct weir_endpoint *ep, *next;
	unsigned int cpu;
	int err = 0;

	mutex_lock(&poll_lock);
	weir_pollers_stop();
	cpus_read_lock();
	for_each_cpu_and(cpu, cpus, cpu_online_mask) {
		err = weir_poller_start(cpu);
		if (err)
			break;
		cpumask_set_cpu(cpu, &weir_poll_cpus);
	}
	cpus_read_unlock();
	if (err)
		weir_pollers_stop();
	if (!list_empty(&weir_pollers)) {
		list_for_each_entry_safe(ep, next, &weir_unpolled, poll_link) {
			if (!fresh)
				fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
			weir_poller_give(weir_poller_idlest(), ep, &fresh);
		}
	}
	mutex_unlock(&poll_lock);
	kfree(fresh);
	return err;
}

/* weir_poll_show() - the CPUs that poll, as a list; returns its length */
int weir_poll_show(char *buf)
{
	int len;

	mutex_lock(&poll_lock);
	len = sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(&weir_poll_cpus));
	mutex_unlock(&poll_lock);
	return len;
}
