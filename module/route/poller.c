// SPDX-License-Identifier: GPL-2.0
/*
 * Polling. Each CPU of the poll_cpus tunable has a thread. The thread looks at
 * the outboxes that are given to it and routes their messages, so that senders
 * need no system call. When no outbox has had anything for poll_idle_us, the
 * thread asks all their owners to kick (WEIR_WAKE_ROUTER, by the rule of
 * wake.c) and sleeps until one of them does. This takes a barrier on the CPUs
 * of all these owners. The barrier is paid from the allowance of the user that
 * woke the thread last. Beyond that allowance there is no barrier. Instead the
 * thread looks once more a tick later, before it sleeps for long.
 *
 * Each endpoint belongs to one thread, to the one that had the fewest. Without
 * a thread, the kicks of the endpoint's owner do all the work. In a round each
 * user has a share, so that the flood of one user does not take the thread from
 * the others.
 *
 * A CPU that goes offline has no thread until it is online again. Meanwhile the
 * other threads have its endpoints.
 *
 * Process context. The lock of CPU hotplug is taken before poll_lock.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "logic/account.h"
#include "logic/alloc.h"
#include "ring/ring.h"
#include "ring/wake.h"
#include "route/endpoint.h"
#include "route/poller.h"
#include "route/router.h"
#include "route/worker.h"
#include "tunables.h"
#include "weir.h"

/* Rounds through the endpoints before the thread looks at anything else. */
#define WEIR_POLL_ROUNDS	64

/*
 * Most endpoints of one user that a thread polls. Polling very many endpoints
 * takes long, so the owners of all others kick.
 */
#define WEIR_POLL_ENDPOINTS	64

/*
 * A user's share of a round is WEIR_POLL_BYTES, in bytes of ring. Each endpoint
 * that had something takes WEIR_POLL_COST more bytes of it. Steps at
 * targets take what weir_pass_poll() says.
 */
#define WEIR_POLL_BYTES		SZ_4K
#define WEIR_POLL_COST		512U

/**
 * struct weir_poll_user - what one thread polls for one user
 * @tenant: the user; never changes.
 * @round: the last round in which the user was served. Used by the thread
 *	alone.
 * @used: bytes that the user has used of its share in that round. Used by the
 *	thread alone.
 * @nendpoints: number of the user's endpoints that the thread polls; poll_lock.
 * @link: in weir_poller.users; poll_lock.
 */
struct weir_poll_user {
	struct weir_tenant	*tenant;
	u32			round;
	u32			used;
	u32			nendpoints;
	struct list_head	link;
};

/**
 * struct weir_poller - one polling thread
 */
struct weir_poller {
	/** @task: the thread. */
	struct task_struct	*task;
	/**
	 * @lock: guards @endpoints and @broken; the thread holds it in its
	 * rounds.
	 */
	struct mutex		lock;
	/**
	 * @wanted: another task waits for @lock, or for the end of the thread;
	 * written under poll_lock.
	 */
	bool			wanted;
	/** @round: number of the current round. Used by the thread alone. */
	u32			round;
	/**
	 * @turned: the last round in which the head of @endpoints was moved,
	 * because the share of a user was used up. Used by the thread alone.
	 */
	u32			turned;
	/**
	 * @endpoints: polled endpoints, by weir_endpoint.poll_link; the first
	 * is the next in turn.
	 */
	struct list_head	endpoints;
	/**
	 * @broken: endpoints whose outbox is broken, by
	 * weir_endpoint.poll_link.
	 */
	struct list_head	broken;
	/** @nendpoints: number of endpoints in both lists; poll_lock. */
	u32			nendpoints;
	/**
	 * @users: users of these endpoints, by weir_poll_user.link; poll_lock.
	 */
	struct list_head	users;
	/**
	 * @asleep: the thread sleeps, and the owners of its endpoints are asked
	 * to kick.
	 */
	bool			asleep;
	/**
	 * @waker: account of the user whose kick woke the thread last, held;
	 * NULL: none since the thread last went to sleep. Exchanged with
	 * xchg().
	 */
	struct weir_account	*waker;
	/** @cpus: scratch for the barrier. */
	cpumask_var_t		cpus;
	/** @link: in weir_pollers; poll_lock. */
	struct list_head	link;
};

/*
 * Guards the threads and their CPUs, the endpoints without a thread, and which
 * endpoint belongs to which thread.
 */
static DEFINE_MUTEX(poll_lock);
static LIST_HEAD(weir_pollers);
static LIST_HEAD(weir_unpolled);

/* The CPUs that are to poll while they are online, and those that do; poll_lock. */
static struct cpumask weir_poll_cpus, weir_polling_cpus;

/*
 * Is there something to route: a committed record, whose space has been
 * claimed? A message that waits for room does not count: a worker takes it up
 * when there is room. The owner's words are read but not trusted. A record that
 * is committed but not claimed is never routed, so it must not keep a thread
 * busy.
 */
static bool weir_endpoint_pending(const struct weir_endpoint *ep)
{
	const struct weir_ring_view *v = &ep->outbox->view;
	u64 pos = READ_ONCE(ep->pos);

	return weir_committed(v, pos) && !READ_ONCE(ep->waiter.waits) &&
	       (u32)(READ_ONCE(v->head->claim) >> 32) !=
	       (u32)(pos >> WEIR_GRANULE_SHIFT);
}

/* Ask the owner of an endpoint to kick, or not to. */
static void weir_endpoint_ask(struct weir_endpoint *ep, bool kick)
{
	struct weir_ring *ring = ep->outbox;
	struct weir_status *status = weir_ring_status(ring);
	u32 wake;

	spin_lock_bh(&ring->lock);
	wake = status->wake & ~WEIR_WAKE_ROUTER;
	WRITE_ONCE(status->wake, wake | (kick ? WEIR_WAKE_ROUTER : 0));
	spin_unlock_bh(&ring->lock);
}

/*
 * Add the CPUs that the owner may run on. After a barrier there, the owner sees
 * that it must kick, or the thread sees the owner's committed records.
 */
static void weir_endpoint_owner_cpus(struct weir_endpoint *ep,
				     struct cpumask *cpus)
{
	struct weir_ring *ring = ep->outbox;

	spin_lock_bh(&ring->lock);
	if (ring->owner_mm)
		weir_mm_cpus(ring->owner_mm, ring->owner_forked, cpus);
	spin_unlock_bh(&ring->lock);
}

/* Bytes that a user has used of its share of this round. */
static __always_inline u32 weir_poll_used(const struct weir_poller *p,
					  struct weir_poll_user *u)
{
	if (u->round == p->round)
		return u->used;
	u->round = p->round;
	return 0;
}

/*
 * An endpoint waits for the next share of its user. The first such endpoint of
 * a round becomes the head of the list. The endpoints that were looked at
 * before it come once more in this round.
 */
static noinline void weir_poller_defer(struct weir_poller *p,
				       struct weir_endpoint *ep)
{
	if (p->turned == p->round)
		return;
	p->turned = p->round;
	list_move_tail(&p->endpoints, &ep->poll_link);
}

/**
 * weir_poll_took() - charge a user for a message that took long to route
 * @ep: endpoint that sent the message; its thread calls this.
 * @bytes: taken from the share of its user.
 */
void weir_poll_took(struct weir_endpoint *ep, u32 bytes)
{
	ep->poll_user->used += bytes;
}

/*
 * Do one round: look at each endpoint, and route one section of each that has
 * something, as far as the share of its user goes. The next round begins with
 * the first endpoint that was passed over because its user's share was used up.
 * There the round ends early if a task waits for the lock. Returns true if a
 * message has gone. One that has not gone waits, or is left to a worker. An
 * endpoint whose ring is broken moves to @broken: its messages never go.
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
			weir_poller_defer(p, ep);
			if (READ_ONCE(p->wanted))
				break;
			continue;
		}
		u->used = used + WEIR_POLL_COST;
		weir_pass_poll(ep, pos);
		moved = READ_ONCE(ep->pos) - pos;
		u->used += (u32)moved;
		if (likely(moved)) {
			busy = true;
		} else if (!weir_ring_live(ep->outbox)) {
			list_move_tail(&ep->poll_link, &p->broken);
			/* a worker routes the records from before the end */
			weir_endpoint_queue(ep);
			break;
		}
	}
	return busy;
}

/*
 * Do up to WEIR_POLL_ROUNDS rounds. Returns false when there has been nothing
 * for poll_idle_us, so that the thread may sleep. *@idle_ns: since when there
 * has been nothing, in ktime_get_ns() time; 0: not known yet.
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

/* Take the lock of a thread, and have the thread let go of it. */
static void weir_poller_lock(struct weir_poller *p)
	__must_hold(&poll_lock)
{
	lockdep_assert_held(&poll_lock);
	WRITE_ONCE(p->wanted, true);
	mutex_lock(&p->lock);
	WRITE_ONCE(p->wanted, false);
}

/*
 * May the thread interrupt the owners' CPUs before it sleeps? The allowance of
 * the user that woke the thread pays for it.
 */
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

/* Is there something to route that the owners may not have kicked for? */
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

/* Sleep until an owner kicks, but no longer than @timeout jiffies. */
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
		/* stores that a CPU holds back are visible a tick later */
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
 * Find what a thread polls for a user. If there is nothing yet, *@fresh is used
 * for it and set to NULL. Returns NULL if *@fresh is needed and NULL.
 */
static struct weir_poll_user *weir_poller_user(struct weir_poller *p,
					       struct weir_tenant *tenant,
					       struct weir_poll_user **fresh)
	__must_hold(&poll_lock)
{
	struct weir_poll_user *u;

	lockdep_assert_held(&poll_lock);
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
 * Called when an endpoint is no longer polled. Forgets the user with its last
 * endpoint. The thread is not in a round.
 */
static void weir_poll_user_put(struct weir_endpoint *ep)
	__must_hold(&poll_lock)
{
	struct weir_poll_user *u = ep->poll_user;

	lockdep_assert_held(&poll_lock);
	ep->poll_user = NULL;
	if (--u->nendpoints)
		return;
	list_del(&u->link);
	kfree(u);
}

/*
 * Give an endpoint to a thread. *@fresh is used for a user that has no endpoint
 * there yet, and then set to NULL. Returns false when the thread polls as many
 * endpoints of the user as it may, or when there is no memory: then the
 * endpoint's owner kicks.
 */
static bool weir_poller_give(struct weir_poller *p, struct weir_endpoint *ep,
			     struct weir_poll_user **fresh)
	__must_hold(&poll_lock)
{
	struct weir_poll_user *u = weir_poller_user(p, ep->tenant, fresh);

	lockdep_assert_held(&poll_lock);
	if (!u || u->nendpoints == WEIR_POLL_ENDPOINTS)
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
	/* the thread may have looked before the endpoint was listed */
	weir_poll_kick(ep);
	return true;
}

/* The thread with the fewest endpoints; NULL: no threads. */
static struct weir_poller *weir_poller_idlest(void)
	__must_hold(&poll_lock)
{
	struct weir_poller *p, *best = NULL;

	lockdep_assert_held(&poll_lock);
	list_for_each_entry(p, &weir_pollers, link) {
		if (!best || p->nendpoints < best->nendpoints)
			best = p;
	}
	return best;
}

/**
 * weir_poll_join() - have an endpoint polled, if there is a thread
 * @ep: a new endpoint.
 *
 * May sleep. Takes poll_lock.
 */
void weir_poll_join(struct weir_endpoint *ep)
{
	struct weir_poll_user *fresh;
	struct weir_poller *p;

	/* not under the lock, which sockets of other users need as well */
	fresh = kzalloc(sizeof(*fresh), WEIR_GFP);
	mutex_lock(&poll_lock);
	p = weir_poller_idlest();
	if (!p || !weir_poller_give(p, ep, &fresh))
		list_add_tail(&ep->poll_link, &weir_unpolled);
	mutex_unlock(&poll_lock);
	kfree(fresh);
}

/**
 * weir_poll_leave() - end the polling of an endpoint
 * @ep: the endpoint, whose socket is being closed. No thread uses the
 *	endpoint afterwards.
 *
 * May sleep. Takes poll_lock.
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
 * @ep: the endpoint. Its thread polls again if the thread sleeps.
 *
 * Does not sleep. When the thread counts as awake, no other kick wakes it. BH
 * are disabled: so the caller keeps its processor until it has woken the
 * thread, without PREEMPT_RT.
 */
void weir_poll_kick(struct weir_endpoint *ep)
{
	struct weir_account *old;
	struct weir_poller *p;

	if (!READ_ONCE(ep->poller))
		return;
	/* a poller and its task are freed after a grace period */
	rcu_read_lock_bh();
	p = READ_ONCE(ep->poller);
	if (p && READ_ONCE(p->asleep)) {
		WRITE_ONCE(p->asleep, false);
		weir_account_get(ep->account);
		old = xchg(&p->waker, ep->account);
		if (old)
			weir_account_put(old);
		wake_up_process(p->task);
	}
	rcu_read_unlock_bh();
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

/* Ends the thread. Its endpoints have none from here on. */
static void weir_poller_stop(struct weir_poller *p)
	__must_hold(&poll_lock)
{
	struct weir_endpoint *ep, *next;

	lockdep_assert_held(&poll_lock);
	/* after the round in hand: CPU hotplug may wait, too */
	WRITE_ONCE(p->wanted, true);
	kthread_stop(p->task);
	list_splice_init(&p->broken, &p->endpoints);
	/* from here on, the owners kick */
	list_for_each_entry_safe(ep, next, &p->endpoints, poll_link) {
		WRITE_ONCE(ep->poller, NULL);
		weir_poll_user_put(ep);
		list_move_tail(&ep->poll_link, &weir_unpolled);
		weir_endpoint_ask(ep, true);
		weir_endpoint_owner_cpus(ep, p->cpus);
	}
	weir_fence_cpus(p->cpus);				/* (C) */
}

/* Nobody kicks the thread any more. */
static void weir_poller_free(struct weir_poller *p)
{
	if (p->waker)
		weir_account_put(p->waker);
	free_cpumask_var(p->cpus);
	kfree(p);
}

/* Stop all threads. Waits for one grace period, however many they are. */
static void weir_pollers_stop(void)
	__must_hold(&poll_lock)
{
	struct weir_poller *p, *next;
	struct weir_endpoint *ep;
	LIST_HEAD(stopped);

	lockdep_assert_held(&poll_lock);
	if (list_empty(&weir_pollers))
		return;
	list_splice_init(&weir_pollers, &stopped);
	list_for_each_entry(p, &stopped, link)
		weir_poller_stop(p);
	cpumask_clear(&weir_polling_cpus);
	/* route what the owners committed before */
	list_for_each_entry(ep, &weir_unpolled, poll_link)
		weir_endpoint_queue(ep);
	synchronize_rcu();
	list_for_each_entry_safe(p, next, &stopped, link)
		weir_poller_free(p);
}

/*
 * Start the threads of those of weir_poll_cpus that are online, without @going,
 * which is about to go offline. Returns 0, or a negative errno: then some
 * threads are missing.
 */
static int weir_pollers_start(unsigned int going)
	__must_hold(&poll_lock)
{
	unsigned int cpu;
	int err = 0, ret = 0;

	lockdep_assert_held(&poll_lock);
	for_each_cpu_and(cpu, &weir_poll_cpus, cpu_online_mask) {
		if (cpu == going)
			continue;
		err = weir_poller_start(cpu);
		if (err)
			ret = err;
		else
			cpumask_set_cpu(cpu, &weir_polling_cpus);
	}
	return ret;
}

/* Give the endpoints without a thread to the threads that there are. */
static void weir_pollers_give(void)
	__must_hold(&poll_lock)
{
	struct weir_poll_user *fresh = NULL;
	struct weir_endpoint *ep, *next;

	lockdep_assert_held(&poll_lock);
	if (list_empty(&weir_pollers))
		return;
	list_for_each_entry_safe(ep, next, &weir_unpolled, poll_link) {
		if (!fresh)
			fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
		weir_poller_give(weir_poller_idlest(), ep, &fresh);
	}
	kfree(fresh);
}

/**
 * weir_poll_set() - have these CPUs poll, and no others
 * @cpus: the CPUs. Each of them polls while it is online; empty: no polling.
 *
 * Gives all endpoints to threads again. May sleep. Return: 0; or a negative
 * errno when a thread could not be made, and then no CPU polls.
 */
int weir_poll_set(const struct cpumask *cpus)
{
	int err;

	cpus_read_lock();
	mutex_lock(&poll_lock);
	weir_pollers_stop();
	cpumask_copy(&weir_poll_cpus, cpus);
	err = weir_pollers_start(nr_cpu_ids);
	if (err) {
		weir_pollers_stop();
		cpumask_clear(&weir_poll_cpus);
	}
	weir_pollers_give();
	mutex_unlock(&poll_lock);
	cpus_read_unlock();
	return err;
}

/*
 * A CPU has come online, or is @going. Thread and CPU belong together, so all
 * threads are made again without the one or with it. Called under the write
 * lock of CPU hotplug.
 */
static void weir_poll_hotplug(unsigned int cpu, unsigned int going)
{
	mutex_lock(&poll_lock);
	if (cpumask_test_cpu(cpu, &weir_poll_cpus)) {
		weir_pollers_stop();
		/* a CPU without a thread does not poll, and the others do */
		if (weir_pollers_start(going))
			pr_warn("weir: no memory for a polling thread\n");
		weir_pollers_give();
	}
	mutex_unlock(&poll_lock);
}

static int weir_poll_online(unsigned int cpu)
{
	weir_poll_hotplug(cpu, nr_cpu_ids);
	return 0;
}

static int weir_poll_offline(unsigned int cpu)
{
	weir_poll_hotplug(cpu, cpu);
	return 0;
}

/* weir_poll_show() - write the list of CPUs that poll; returns its length */
int weir_poll_show(char *buf)
{
	int len;

	mutex_lock(&poll_lock);
	len = sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(&weir_polling_cpus));
	mutex_unlock(&poll_lock);
	return len;
}

/* The state of CPU hotplug that calls weir_poll_online(). */
static int weir_poll_state;

/* weir_poll_init() - from here on, threads follow their CPUs */
int __init weir_poll_init(void)
{
	weir_poll_state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN,
						    "weir/poll:online",
						    weir_poll_online,
						    weir_poll_offline);
	return weir_poll_state < 0 ? weir_poll_state : 0;
}

/* weir_poll_exit() - end all polling; no sysfs file is left */
void weir_poll_exit(void)
{
	weir_poll_set(cpu_none_mask);
	cpuhp_remove_state_nocalls(weir_poll_state);
}
