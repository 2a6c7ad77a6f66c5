// SPDX-License-Identifier: GPL-2.0
/*
 * Sleeping and waking. Publishing and reading work without the kernel, except
 * when one side sleeps. The rule is that of futexes and of membarrier(2). A
 * sleeper (1) sets a bit in the status page, (2) has a full barrier run on
 * every CPU where the other side may be running, (3) looks at the ring once
 * more and only then sleeps. The other side reads the bit with a plain load
 * after each publish (or cursor store). This is edge (C) of weir_ring.h,
 * modelled in tests/user/ring/wakeup.pml.
 *
 * Step (2) costs an interrupt on each of those CPUs. If a reader sleeps after
 * every few messages, that costs more than a fence for each message. The kernel
 * then sets WEIR_WAKE_FENCE: the writer fences for itself and the sleeper skips
 * step (2). At each sleep the kernel chooses again, from the number of records
 * since the last sleep. A writer that waits for space has no such choice,
 * because the readers do not fence after their cursor stores. A reader of the
 * kernel may be armed in softirq, which must not wait for other CPUs: while one
 * is attached, the writer fences for itself.
 *
 * Barriers on the CPUs of readers, for a writer or a message that waits for
 * them, and barriers on all CPUs are limited for each user (account.h). Above
 * the limit, a reader makes the writer fence for itself, and a writer, or a
 * waiter for room, looks once more a tick later. Barriers on CPUs that run the
 * ring's owner are not limited: the owner could interrupt the same CPUs with
 * munmap(2).
 *
 * A reader that stays armed needs one barrier only: the first publish after it
 * sees the bit, and its kick ends the arming. Otherwise a process that polls in
 * a loop would interrupt the publisher's CPUs at each call.
 *
 * Some waiters are to be told of each message, though nothing looks at the
 * rings in between: enum weir_watch. While one of them is registered on a
 * socket, a kick wakes its readers and leaves them armed. A waiter enters the
 * wait queue first and then arms under the ring's lock, unless the party is
 * armed already. A kick looks at the queue under that lock. So a kick that
 * finds the queue empty comes before the arming, or has said that the party is
 * not armed now. The same is said by a kick that leaves the wake-up to the
 * worker of the party's user: this worker arms the party, and then wakes.
 *
 * Kernel code that writes a ring fences for itself, so a reader of the kernel
 * needs no barrier there (weir_reader_arm_kernel()). Kernel code that waits for
 * room interrupts the readers' CPUs (weir_ring_want_room()).
 *
 * Softirq may call weir_ring_wake_readers(), weir_inbox_wake_reader() and
 * weir_reader_arm_kernel(). The other functions are for process context. None
 * of them sleeps, unless weir_ring_wake_writer() has to evict.
 */
#include <linux/delay.h>
#include <linux/smp.h>

#include "logic/account.h"
#include "owner.h"
#include "party.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/tell.h"
#include "ring/wake.h"
#include "stats.h"
#include "tenant.h"
#include "trace.h"
#include "tunables.h"
#include "weir.h"

static void weir_fence_here(void *unused)
{
	smp_mb();
}

/* Runs a full barrier on @cpus and on this CPU. Interrupts must be enabled. */
void weir_fence_cpus(const struct cpumask *cpus)
{
	preempt_disable();
	smp_mb();
	smp_call_function_many(cpus, weir_fence_here, NULL, true);
	smp_mb();
	preempt_enable();
	weir_stat_inc(WEIR_STAT_BARRIERS);
}

/*
 * May a sleep for which @account pays interrupt other CPUs now? Words that ring
 * owners write can ask for it at each system call, so each user has a limit.
 */
static bool weir_may_fence(const struct weir_account *account)
{
	return weir_account_may_fence(account, ktime_get_ns());
}

/*
 * Is somebody registered on the socket of @p, to be told without asking again?
 * The caller holds ring->lock of a ring that @p reads or writes, or is about to
 * arm @p under its lock.
 */
static bool weir_party_has_watcher(const struct weir_party *p, u8 watch)
{
	const struct socket_wq *wq;
	bool watched;

	if (!(READ_ONCE(p->watch) & watch))
		return false;
	rcu_read_lock();
	wq = rcu_dereference(p->sk->sk_wq);
	watched = wq && (waitqueue_active((wait_queue_head_t *)&wq->wait) ||
			 READ_ONCE(wq->fasync_list));
	rcu_read_unlock();
	return watched;
}

/* --- readers sleep ------------------------------------------------------ */

/*
 * A kick takes @rd, whose party has been watched: arms it again if it still is.
 * Returns whether the worker of its user does so, and wakes the party.
 */
static noinline bool weir_reader_stay(struct weir_ring *ring,
				      struct weir_reader *rd)
	__must_hold(&ring->lock)
{
	struct weir_party *p = rd->party;
	bool stays;

	if (weir_party_defers(p)) {
		WRITE_ONCE(p->watching, false);
		return true;
	}
	if (!(READ_ONCE(p->watch) & WEIR_WATCH_IN))
		return false;
	stays = weir_party_has_watcher(p, WEIR_WATCH_IN);
	if (!stays) {
		WRITE_ONCE(p->watching, false);
		/*
		 * With weir_party_watch(): a watcher that has come meanwhile
		 * sees the store and arms, or is seen here.
		 */
		smp_mb();
		stays = weir_party_has_watcher(p, WEIR_WATCH_IN);
	}
	if (stays)
		list_add_tail(&rd->armed_link, &ring->armed);
	return false;
}

/* Readers that are taken in one hold of a ring's lock; an inbox has one. */
#define WEIR_WAKES	64

/**
 * struct weir_sleeper - a reader that slept and is to be woken
 * @party: party of the reader, whose socket is held; NULL: it is a reader of
 *	the kernel.
 * @rd: the reader of the kernel, held; not set if @party is.
 * @later: the worker of the party's user wakes it.
 */
struct weir_sleeper {
	struct weir_party *party;
	struct weir_reader *rd;
	bool later;
};

/*
 * Takes a reader that slept. A watched one is armed again at once. Its party
 * may leave the reader once the ring's lock is released, so a reference of the
 * party's socket is taken.
 */
static __always_inline void weir_sleeper_take(struct weir_sleeper *s,
					      struct weir_ring *ring,
					      struct weir_reader *rd)
	__must_hold(&ring->lock)
{
	struct weir_party *p = rd->party;

	list_del_init(&rd->armed_link);
	if (unlikely(!p)) {
		weir_reader_get(rd);
		s->rd = rd;
		s->party = NULL;
		return;
	}
	s->later = unlikely(READ_ONCE(p->watch)) && weir_reader_stay(ring, rd);
	s->party = p;
	sock_hold(p->sk);
}

/* Wakes a reader, and puts it. */
static __always_inline void weir_sleeper_wake(struct weir_sleeper *s)
{
	struct weir_party *p = s->party;

	if (unlikely(!p)) {
		s->rd->ops->wake(s->rd);
		weir_reader_put(s->rd);
		return;
	}
	if (unlikely(s->later))
		weir_party_later(p, WEIR_TELL_IN);
	else if (unlikely(READ_ONCE(p->watch)))
		weir_party_tell(p, WEIR_TELL_IN);
	else
		p->sk->sk_data_ready(p->sk);
	sock_put(p->sk);
}

/*
 * Takes up to @most of the readers that are to be woken: the readers that slept
 * at the @first call. The wake bit stays set until the last reader is taken. So
 * a publisher that comes earlier takes the readers that are left. A watched
 * reader is armed again at once. Returns how many readers were taken. BH are
 * disabled.
 */
static unsigned int weir_wake_take(struct weir_ring *ring, bool first,
				   struct weir_sleeper *s, unsigned int most)
{
	struct weir_status *status = weir_ring_status(ring);
	struct weir_reader *rd;
	unsigned int n = 0;

	spin_lock(&ring->lock);
	if (first)
		list_splice_tail_init(&ring->armed, &ring->waking);
	status->kicks += first && !list_empty(&ring->waking);
	while (n < most && !list_empty(&ring->waking)) {
		rd = list_first_entry(&ring->waking, struct weir_reader,
				      armed_link);
		weir_sleeper_take(&s[n++], ring, rd);
	}
	if (list_empty(&ring->waking) && list_empty(&ring->armed))
		WRITE_ONCE(status->wake, status->wake & ~WEIR_WAKE_READERS);
	spin_unlock(&ring->lock);
	return n;
}

static void weir_woken(const struct weir_ring *ring, unsigned int n)
{
	weir_stat_add(WEIR_STAT_READER_WAKEUPS, n);
	trace_weir_wake(ring, n);
}

/*
 * weir_ring_wake_readers() - wake the readers that sleep for an outbox's
 * records
 *
 * The publisher has fenced between its commit and its look at the wake bits.
 */
void weir_ring_wake_readers(struct weir_ring *ring)
{
	struct weir_sleeper s[WEIR_WAKES];
	unsigned int woken = 0, n, i;

	do {
		local_bh_disable();
		n = weir_wake_take(ring, !woken, s, WEIR_WAKES);
		local_bh_enable();
		/* takes as long as a reader has waiters: not under the lock */
		for (i = 0; i < n; i++)
			weir_sleeper_wake(&s[i]);
		woken += n;
		/* softirq, and sections of the router, do not sleep */
		if (!in_softirq())
			cond_resched();
	} while (n == WEIR_WAKES);
	if (woken)
		weir_woken(ring, woken);
}

/*
 * weir_inbox_wake_reader() - wake the one reader of an inbox, if it sleeps
 *
 * The writer has fenced after its commit, and holds the inbox. When the reader
 * is taken, no other sender wakes it. BH are disabled: so this thread keeps its
 * processor until it has woken the reader, without PREEMPT_RT.
 */
void weir_inbox_wake_reader(struct weir_ring *inbox)
{
	struct weir_sleeper s;

	lockdep_assert_in_softirq();
	if (!weir_wake_take(inbox, true, &s, 1))
		return;
	weir_sleeper_wake(&s);
	weir_woken(inbox, 1);
}

/*
 * weir_reader_pin_fence() - have the writer fence as long as @rd is attached
 *
 * Then @rd can be armed where no other CPU may be interrupted. @cpus: for the
 * function's own use. Process context.
 */
void weir_reader_pin_fence(struct weir_reader *rd, struct cpumask *cpus)
{
	struct weir_ring *ring = rd->ring;
	struct weir_status *status = weir_ring_status(ring);
	bool barrier = false;

	cpumask_clear(cpus);
	spin_lock_bh(&ring->lock);
	if (!list_empty(&rd->ring_link)) {
		rd->pins_fence = true;
		ring->fence_pins++;
		if (!(status->wake & WEIR_WAKE_FENCE))
			ring->fence_gen++;
		WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_FENCE);
		barrier = ring->owner_mm && !ring->fenced;
	}
	if (barrier)
		weir_mm_cpus(ring->owner_mm, ring->owner_forked, cpus);
	spin_unlock_bh(&ring->lock);
	if (!barrier)
		return;
	weir_fence_cpus(cpus);
	spin_lock_bh(&ring->lock);
	/* unless the reader was detached, and another one cleared the bit */
	if (rd->pins_fence && !list_empty(&rd->ring_link))
		ring->fenced = true;
	spin_unlock_bh(&ring->lock);
}

/**
 * weir_reader_arm_kernel() - have weir_reader_ops.wake called by the next
 * record
 * @rd: reader of the kernel that has weir_reader_ops.wake. No other thread arms
 *	or moves it meanwhile.
 *
 * Does not sleep. Softirq may call it. Return: whether there is something to
 * read now; the reader may be armed nevertheless.
 */
bool weir_reader_arm_kernel(struct weir_reader *rd)
{
	struct weir_status *status = weir_ring_status(rd->ring);
	struct weir_ring *ring = rd->ring;
	u32 left = WEIR_SCAN_BUDGET;

	if (weir_reader_ready(rd, &left))
		return true;
	spin_lock_bh(&ring->lock);
	/* a detached reader is not woken */
	if (list_empty(&rd->armed_link) && !list_empty(&rd->ring_link)) {
		list_add_tail(&rd->armed_link, &ring->armed);
		WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_READERS);
	}
	spin_unlock_bh(&ring->lock);
	smp_mb();						/* (C) */
	return weir_reader_ready(rd, &left);
}

/*
 * Arms one reader on its ring before it sleeps. Returns whether the ring's
 * writer needs a barrier before the next look at the ring; the writer's CPUs
 * have then been added to @cpus. If @first is true, @cpus is cleared first.
 */
static bool weir_reader_arm(struct weir_reader *rd, bool first,
			    struct cpumask *cpus)
	__must_hold(&rd->party->lock)
{
	struct weir_ring *ring = rd->ring;
	struct weir_status *status = weir_ring_status(ring);
	bool barrier = false;

	spin_lock_bh(&ring->lock);
	/* a detached or held cursor has no socket to be woken */
	if (list_empty(&rd->armed_link) && rd->party) {
		u32 seq = (u32)READ_ONCE(ring->view.head->claim);
		bool rare = seq - ring->arm_seq >
			    READ_ONCE(weir_tunables.fence_records) &&
			    !ring->fence_pins &&
			    (!weir_mm_anywhere(ring->owner_forked) ||
			     weir_may_fence(rd->party->owner->account));
		u32 wake = status->wake | WEIR_WAKE_READERS;

		list_add_tail(&rd->armed_link, &ring->armed);
		rd->armed_fenced = false;
		ring->arm_seq = seq;
		if (rare) {
			wake &= ~WEIR_WAKE_FENCE;
			ring->fenced = false;
		} else if (!(wake & WEIR_WAKE_FENCE)) {
			wake |= WEIR_WAKE_FENCE;
			ring->fence_gen++;
		}
		rd->fence_gen = ring->fence_gen;
		WRITE_ONCE(status->wake, wake);
	}
	smp_mb();						/* (C) */
	if (ring->owner_mm && !ring->fenced && !rd->armed_fenced) {
		if (first)
			cpumask_clear(cpus);
		weir_mm_cpus(ring->owner_mm, ring->owner_forked, cpus);
		barrier = true;
	}
	spin_unlock_bh(&ring->lock);
	return barrier;
}

/* A barrier has run: fence bits that were set before it are now in force. */
static void weir_reader_fenced(struct weir_reader *rd)
{
	struct weir_ring *ring = rd->ring;

	spin_lock_bh(&ring->lock);
	if (rd->fence_gen == ring->fence_gen &&
	    weir_ring_status(ring)->wake & WEIR_WAKE_FENCE)
		ring->fenced = true;
	rd->armed_fenced = true;
	spin_unlock_bh(&ring->lock);
}

/* The reader of the inbox, or NULL; it stays until release. */
static struct weir_reader *weir_inbox_reader(const struct weir_party *p)
{
	/* pairs with weir_inbox_create(), which sets the reader first */
	struct weir_ring *inbox = smp_load_acquire(&p->inbox);

	return inbox ? inbox->post.reader : NULL;
}

/* The rest of a scan, from the first stream @rd that is not quiet. */
static noinline bool weir_readers_scan(struct weir_party *p,
				       struct weir_reader *rd,
				       struct weir_reader *inbox)
	__must_hold(&p->lock)
{
	u32 left = WEIR_SCAN_BUDGET;

	lockdep_assert_held(&p->lock);
	list_for_each_entry_from(rd, &p->readers, party_link) {
		if (weir_reader_ready(rd, &left))
			return true;
	}
	return inbox && weir_reader_ready(inbox, &left);
}

/* One scan of all streams and the inbox of the socket. */
static __always_inline bool weir_readers_ready(struct weir_party *p,
					       struct weir_reader *inbox)
	__must_hold(&p->lock)
{
	struct weir_reader *rd;

	lockdep_assert_held(&p->lock);
	list_for_each_entry(rd, &p->readers, party_link) {
		if (!weir_reader_quiet(rd))
			return weir_readers_scan(p, rd, inbox);
	}
	return inbox && !weir_reader_quiet(inbox) &&
	       weir_readers_scan(p, rd, inbox);
}

/* weir_party_readable() - is there something to read? Does not arm. */
bool weir_party_readable(struct weir_party *p)
{
	bool ready;

	spin_lock(&p->lock);
	ready = weir_readers_ready(p, weir_inbox_reader(p));
	spin_unlock(&p->lock);
	return ready;
}

/* Arms all streams and the inbox of the party, and makes that visible. */
static void weir_readers_arm(struct weir_party *p, struct weir_reader *inbox)
	__must_hold(&p->lock)
{
	struct weir_reader *rd;
	bool barrier = false;

	lockdep_assert_held(&p->lock);
	list_for_each_entry(rd, &p->readers, party_link)
		barrier |= weir_reader_arm(rd, !barrier, p->barrier);
	if (inbox)
		weir_reader_arm(inbox, !barrier, p->barrier);
	if (!barrier)
		return;
	weir_fence_cpus(p->barrier);
	list_for_each_entry(rd, &p->readers, party_link)
		weir_reader_fenced(rd);
}

/*
 * weir_party_arm() - be woken when there is something to read
 *
 * The caller is on the wait queue of @p already. Returns whether there is
 * something to read now. If there is something at once, the readers are not
 * armed: the next publish would make a system call for nothing.
 */
bool weir_party_arm(struct weir_party *p)
{
	struct weir_reader *inbox = weir_inbox_reader(p);
	bool ready;

	spin_lock(&p->lock);
	ready = weir_readers_ready(p, inbox);
	if (!ready) {
		weir_readers_arm(p, inbox);
		ready = weir_readers_ready(p, inbox);
	}
	spin_unlock(&p->lock);
	return ready;
}

/*
 * weir_party_arm_new() - a thread that sleeps, or watches, has not armed @rd
 *
 * The caller has shown the reader, and then wakes the party for what has come.
 * A thread that comes to the wait queue later arms the reader itself.
 */
void weir_party_arm_new(struct weir_party *p, struct weir_reader *rd)
	__must_hold(&p->lock)
{
	bool waits = rd->id == WEIR_ID_INBOX || p->watch & WEIR_WATCH_IN;

	lockdep_assert_held(&p->lock);
	if (!waits) {
		rcu_read_lock();
		waits = skwq_has_sleeper(rcu_dereference(p->sk->sk_wq));
		rcu_read_unlock();
	}
	if (!waits || !weir_reader_arm(rd, true, p->barrier))
		return;
	weir_fence_cpus(p->barrier);
	weir_reader_fenced(rd);
}

/*
 * weir_party_watch() - be told of each message or of room from now on
 *
 * The caller is on the wait queue of @p, or its list of O_ASYNC, already. May
 * be called with BH disabled.
 */
void weir_party_watch(struct weir_party *p, u8 watch)
{
	spin_lock(&p->lock);
	WRITE_ONCE(p->watch, p->watch | watch);
	smp_mb();	/* the queue before @watching: weir_reader_stay() */
	if (watch & WEIR_WATCH_IN && !READ_ONCE(p->watching)) {
		WRITE_ONCE(p->watching, true);
		weir_readers_arm(p, weir_inbox_reader(p));
	}
	spin_unlock(&p->lock);
}

/*
 * weir_party_rearm() - arm what kicks have left to the worker of the user
 *
 * The worker then wakes the party: so a record is told by it that came before,
 * and by its own kick if it comes later.
 */
void weir_party_rearm(struct weir_party *p)
{
	spin_lock(&p->lock);
	if (!READ_ONCE(p->watching) &&
	    weir_party_has_watcher(p, WEIR_WATCH_IN)) {
		WRITE_ONCE(p->watching, true);
		weir_readers_arm(p, weir_inbox_reader(p));
	}
	spin_unlock(&p->lock);
}

/* --- the writer sleeps -------------------------------------------------- */

/*
 * Asks the readers to kick when @bytes can be claimed behind @tail. Has a
 * barrier run on their CPUs, for which @account pays; @cpus is overwritten.
 * Returns whether there had to be one and was none, because the user is at its
 * limit.
 */
static bool weir_ring_ask(struct weir_ring *ring, u64 tail, u64 bytes,
			  const struct weir_account *account,
			  struct cpumask *cpus)
{
	struct weir_status *status = weir_ring_status(ring);
	struct weir_reader *rd;
	bool barrier = false;

	spin_lock_bh(&ring->lock);
	/* several threads may wait: wake for the smallest @want first */
	if (status->wake & WEIR_WAKE_WRITER && ring->want)
		ring->want = min(ring->want, bytes);
	else
		ring->want = bytes;
	WRITE_ONCE(status->wake_pos,
		   tail + weir_ring_wake_room(ring, ring->want) -
		   weir_ring_bytes(&ring->view));
	WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_WRITER);
	if (ring->writer)	/* for SIGIO */
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, ring->writer->sk);
	smp_mb();						/* (C) */
	cpumask_clear(cpus);
	list_for_each_entry(rd, &ring->readers, ring_link) {
		if (!rd->gating || rd->evicted || !rd->mm)
			continue;
		weir_mm_cpus(rd->mm, rd->forked, cpus);
		barrier = true;
	}
	spin_unlock_bh(&ring->lock);
	if (!barrier)
		return false;
	if (!weir_may_fence(account))
		return true;
	weir_fence_cpus(cpus);
	return false;
}

/* Tells the reader that wants to know it that the writer waits for room. */
static void weir_ring_tell_full(struct weir_ring *ring)
{
	struct weir_reader *rd;

	if (!READ_ONCE(ring->full_reader))
		return;
	spin_lock_bh(&ring->lock);
	rd = ring->full_reader;
	if (rd)
		weir_reader_get(rd);
	spin_unlock_bh(&ring->lock);
	if (!rd)
		return;
	rd->ops->full(rd);
	weir_reader_put(rd);
}

/*
 * The second look of a writer that has asked; @missed: from weir_ring_ask().
 * Starts the time limit of evict_ms. Returns whether @bytes can be claimed now,
 * or there is an error to see.
 */
static bool weir_ring_recheck(struct weir_ring *ring, u64 bytes, bool missed)
{
	/*
	 * Without the barrier: a cursor store that is still in the reader's
	 * store buffer becomes visible after a moment. A reader may also have
	 * missed the wake bit; then the look a tick later finds the room.
	 */
	if (missed)
		udelay(1);
	if (weir_writable(ring, bytes))
		return true;
	if (missed)
		weir_timer_advance(&ring->reap, 1);
	weir_ring_tell_full(ring);
	if (!missed && READ_ONCE(ring->evict_ms))
		weir_timer_set(&ring->reap, 0);
	return false;
}

/*
 * weir_arm_writable() - be woken when @bytes can be claimed
 *
 * The owner is on its socket's wait queue already. Starts the time limit of
 * evict_ms. Returns whether @bytes can be claimed now, or there is an error to
 * see.
 */
bool weir_arm_writable(struct weir_ring *ring, u64 bytes)
{
	struct weir_party *p = ring->writer;
	bool missed;
	u64 tail;
	u32 seq;

	if (!p || weir_ring_tail(&ring->view, &tail, &seq))
		return true;
	spin_lock(&p->lock);
	missed = weir_ring_ask(ring, tail, bytes, p->owner->account,
			       p->barrier);
	spin_unlock(&p->lock);
	return weir_ring_recheck(ring, bytes, missed);
}

/**
 * weir_ring_want_room() - have weir_ring_ops.writable called when there is room
 * @ring: an outbox that kernel code writes.
 * @bytes: bytes that are to be claimed.
 * @cpus: scratch, overwritten.
 *
 * Process context, interrupts enabled: the readers' CPUs may have to run a
 * barrier, for which the ring's owner pays. Starts the time limit of evict_ms.
 * Return: whether @bytes can be claimed now, or the stream has ended.
 */
bool weir_ring_want_room(struct weir_ring *ring, u64 bytes,
			 struct cpumask *cpus)
{
	bool missed;
	u64 tail;
	u32 seq;

	if (weir_ring_tail(&ring->view, &tail, &seq))
		return true;
	missed = weir_ring_ask(ring, tail, bytes, ring->charge.account, cpus);
	return weir_ring_recheck(ring, bytes, missed);
}

/*
 * The writer of @ring is woken. The wake bit is cleared; or, if others wait for
 * room on the same socket, the next kick comes when the readers have made one
 * quarter of the ring more: they pay for the kicks.
 */
static void weir_writer_woken(struct weir_ring *ring,
			      struct weir_status *status,
			      const struct weir_party *p)
	__must_hold(&ring->lock)
{
	if (p && unlikely(weir_party_has_watcher(p, WEIR_WATCH_ROOM))) {
		WRITE_ONCE(status->wake_pos,
			   ring->lowest + weir_ring_wake_room(ring, ring->want));
		return;
	}
	WRITE_ONCE(status->wake, status->wake & ~WEIR_WAKE_WRITER);
	WRITE_ONCE(status->wake_pos, U64_MAX);
	ring->want = 0;
}

/*
 * weir_ring_wake_writer() - weir_ring_ops.room of an outbox
 *
 * Wakes the writer if it sleeps and there is enough room, or an error for it to
 * see. When the wake bit is clear, no other reader wakes the writer. BH are
 * disabled: so this thread keeps its processor until it has woken the writer,
 * without PREEMPT_RT.
 */
void weir_ring_wake_writer(struct weir_ring *ring, u64 pos)
{
	struct weir_status *status = weir_ring_status(ring);
	struct weir_party *p = NULL;
	bool first;

	if (!weir_writable(ring, READ_ONCE(ring->want)))
		return;
	local_bh_disable();
	spin_lock(&ring->lock);
	first = status->wake & WEIR_WAKE_WRITER;
	if (first) {
		p = ring->writer;
		if (p)
			sock_hold(p->sk);
		weir_writer_woken(ring, status, p);
	}
	spin_unlock(&ring->lock);
	if (p)
		weir_party_tell(p, WEIR_TELL_OUT);
	else if (first && ring->ops->writable)
		ring->ops->writable(ring);
	local_bh_enable();
	if (p) {
		weir_stat_inc(WEIR_STAT_WRITER_WAKEUPS);
		sock_put(p->sk);
	}
}

/* Outboxes of sockets. */
const struct weir_ring_ops weir_outbox_ops = {
	.room		= weir_ring_wake_writer,
	.reap		= weir_ring_reap,
};

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_party_arm);
EXPORT_SYMBOL_IF_KUNIT(weir_reader_arm_kernel);
EXPORT_SYMBOL_IF_KUNIT(weir_ring_wake_readers);
EXPORT_SYMBOL_IF_KUNIT(weir_ring_want_room);
EXPORT_SYMBOL_IF_KUNIT(weir_ring_wake_writer);
#endif
