// SPDX-License-Identifier: GPL-2.0
/*
 * Sleeping and waking. Publishing and reading work without the kernel, except
 * when one side sleeps. The rule is that of futexes and of membarrier(2). A
 * sleeper (1) sets a bit in the status page, (2) has a full barrier run on
 * every CPU where the other side may be running, (3) looks at the ring once
 * more and only then sleeps. The other side reads the bit with a plain load
 * after each publish (or cursor store). This is edge (C) of weir_ring.h,
 * modelled in tests/user/wakeup.pml.
 *
 * Step (2) costs an interrupt on each of those CPUs. If a reader sleeps after
 * every few messages, that costs more than a fence for each message. The kernel
 * then sets WEIR_WAKE_FENCE: the writer fences for itself and the sleeper skips
 * step (2). At each sleep the kernel chooses again, from the number of records
 * since the last sleep. A writer that waits for space has no such choice,
 * because the readers do not fence after their cursor stores.
 *
 * Barriers on the CPUs of readers, for a writer or a message that waits for
 * them, and barriers on all CPUs are limited for each user (account.h). Above
 * the limit, a reader makes the writer fence for itself, and a writer, or a
 * waiter of room.c, looks once more a tick later. Barriers on CPUs that run the
 * ring's owner are not limited: the owner could interrupt the same CPUs with
 * munmap(2).
 *
 * A reader that stays armed needs one barrier only: the first publish after it
 * sees the bit, and its kick ends the arming. Otherwise a process that polls in
 * a loop would interrupt the publisher's CPUs at each call.
 *
 * Process context. weir_ring_wake_readers() and weir_ring_wake_writer() do not
 * sleep unless they have to evict.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>

#include "logic/account.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/wake.h"
#include "sock.h"
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
 * May this socket's sleep interrupt other CPUs now? Words that ring owners
 * write can ask for it at each system call, so each user has a limit.
 */
static bool weir_may_fence(const struct weir_sock *ws)
{
	return weir_account_may_fence(ws->owner.account, ktime_get_ns());
}

/* --- readers sleep ------------------------------------------------------ */

/* Readers that are taken in one hold of a ring's lock; an inbox has one. */
#define WEIR_WAKES	64

/*
 * Takes up to @most of the readers that are to be woken: the readers that slept
 * at the @first call. Their sockets are held in @sk. The wake bit stays
 * set until the last reader is taken. So a publisher that comes earlier takes
 * the readers that are left. Returns how many readers were taken. BH are
 * disabled.
 */
static unsigned int weir_wake_take(struct weir_ring *ring, bool first,
				   struct sock **sk, unsigned int most)
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
		list_del_init(&rd->armed_link);
		sk[n] = &rd->ws->sk;
		sock_hold(sk[n++]);
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
 * weir_ring_wake_readers() - wake the readers that sleep for an outbox's records
 *
 * The publisher has fenced between its commit and its look at the wake bits.
 * Process context: the last put of a socket may free its inbox.
 */
void weir_ring_wake_readers(struct weir_ring *ring)
{
	struct sock *sk[WEIR_WAKES];
	unsigned int woken = 0, n, i;

	do {
		local_bh_disable();
		n = weir_wake_take(ring, !woken, sk, WEIR_WAKES);
		local_bh_enable();
		/* takes as long as a reader has waiters: not under the lock */
		for (i = 0; i < n; i++) {
			sk[i]->sk_data_ready(sk[i]);
			sock_put(sk[i]);
		}
		woken += n;
	} while (n == WEIR_WAKES);
	if (woken)
		weir_woken(ring, woken);
}

/*
 * weir_inbox_wake_reader() - wake the one reader of an inbox, if it sleeps
 *
 * The writer has fenced after its commit, and holds the inbox. When the reader
 * is taken, no other sender wakes it. BH are disabled: so this thread keeps its
 * processor until it has woken the reader.
 */
void weir_inbox_wake_reader(struct weir_ring *inbox)
{
	struct sock *sk;

	lockdep_assert_in_softirq();
	if (!weir_wake_take(inbox, true, &sk, 1))
		return;
	sk->sk_data_ready(sk);
	sock_put(sk);
	weir_woken(inbox, 1);
}

/*
 * Arms one reader on its ring before it sleeps. Returns whether the ring's
 * writer needs a barrier before the next look at the ring; the writer's CPUs
 * have then been added to @cpus. If @first is true, @cpus is cleared first.
 */
static bool weir_reader_arm(struct weir_reader *rd, bool first,
			    struct cpumask *cpus)
	__must_hold(&rd->ws->rlock)
{
	struct weir_ring *ring = rd->ring;
	struct weir_status *status = weir_ring_status(ring);
	bool barrier = false;

	spin_lock_bh(&ring->lock);
	/* a detached or held cursor has no socket to be woken */
	if (list_empty(&rd->armed_link) && rd->ws) {
		u32 seq = (u32)READ_ONCE(ring->view.head->claim);
		bool rare = seq - ring->arm_seq >
			    READ_ONCE(weir_tunables.fence_records) &&
			    (!weir_mm_anywhere(ring->owner_forked) ||
			     weir_may_fence(rd->ws));
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

/* The reader of the socket's inbox, or NULL; it stays until release. */
static struct weir_reader *weir_inbox_reader(const struct weir_sock *ws)
{
	/* pairs with weir_inbox_create(), which sets the reader first */
	struct weir_ring *inbox = smp_load_acquire(&ws->inbox);

	return inbox ? inbox->post.reader : NULL;
}

/* The rest of a look, from the first stream @rd that is not quiet. */
static noinline bool weir_readers_look(struct weir_sock *ws,
				       struct weir_reader *rd,
				       struct weir_reader *inbox)
	__must_hold(&ws->rlock)
{
	u32 left = WEIR_LOOK_BUDGET;

	lockdep_assert_held(&ws->rlock);
	list_for_each_entry_from(rd, &ws->readers, sock_link) {
		if (weir_reader_ready(rd, &left))
			return true;
	}
	return inbox && weir_reader_ready(inbox, &left);
}

/* One look at all streams and the inbox of the socket. */
static __always_inline bool weir_readers_ready(struct weir_sock *ws,
					       struct weir_reader *inbox)
	__must_hold(&ws->rlock)
{
	struct weir_reader *rd;

	lockdep_assert_held(&ws->rlock);
	if (READ_ONCE(ws->sk.sk_shutdown) & RCV_SHUTDOWN)
		return true;
	list_for_each_entry(rd, &ws->readers, sock_link) {
		if (!weir_reader_quiet(rd))
			return weir_readers_look(ws, rd, inbox);
	}
	return inbox && !weir_reader_quiet(inbox) &&
	       weir_readers_look(ws, rd, inbox);
}

/* Is there something to read? Does not arm. */
static bool weir_readable(struct weir_sock *ws)
{
	bool ready;

	spin_lock(&ws->rlock);
	ready = weir_readers_ready(ws, weir_inbox_reader(ws));
	spin_unlock(&ws->rlock);
	return ready;
}

/*
 * weir_arm_readable() - be woken when there is something to read
 *
 * The caller is on the socket's wait queue already. Returns whether there is
 * something to read now. If there is something at once, the readers are not
 * armed: the next publish would make a system call for nothing.
 */
bool weir_arm_readable(struct weir_sock *ws)
{
	struct weir_reader *rd, *inbox = weir_inbox_reader(ws);
	bool barrier = false, ready;

	spin_lock(&ws->rlock);
	ready = weir_readers_ready(ws, inbox);
	if (ready)
		goto unlock;
	list_for_each_entry(rd, &ws->readers, sock_link)
		barrier |= weir_reader_arm(rd, !barrier, ws->barrier);
	if (inbox)
		weir_reader_arm(inbox, !barrier, ws->barrier);
	if (barrier) {
		weir_fence_cpus(ws->barrier);
		/* fence bits set before the barrier are now in force */
		list_for_each_entry(rd, &ws->readers, sock_link) {
			struct weir_ring *ring = rd->ring;

			spin_lock_bh(&ring->lock);
			if (rd->fence_gen == ring->fence_gen &&
			    weir_ring_status(ring)->wake & WEIR_WAKE_FENCE)
				ring->fenced = true;
			rd->armed_fenced = true;
			spin_unlock_bh(&ring->lock);
		}
	}
	ready = weir_readers_ready(ws, inbox);
unlock:
	spin_unlock(&ws->rlock);
	return ready;
}

/* --- the writer sleeps -------------------------------------------------- */

/* Readers that are collected for eviction in one look at a ring. */
#define WEIR_EVICTS	64

/**
 * struct weir_evicts - readers that are to be evicted
 * @n: number of entries in @rd.
 * @rd: the readers, held.
 */
struct weir_evicts {
	u32 n;
	struct weir_reader *rd[WEIR_EVICTS];
};

/* Adds a reader. Returns whether there is room for another. */
static bool weir_evicts_add(struct weir_evicts *e, struct weir_reader *rd)
{
	weir_reader_get(rd);
	e->rd[e->n++] = rd;
	return e->n < WEIR_EVICTS;
}

/* Evicts the collected readers. Returns whether there were any. */
static bool weir_evicts_done(struct weir_evicts *e, enum weir_reason reason)
{
	bool any = e->n;

	while (e->n) {
		struct weir_reader *rd = e->rd[--e->n];

		weir_reader_evict(rd, reason);
		weir_reader_put(rd);
	}
	return any;
}

/*
 * Looks at the cursors for the owner, and evicts readers with invalid cursors,
 * at most WEIR_EVICTS of them: those that are left do not count for the room,
 * and the next look finds them. A reader may call this, so it looks once: the
 * owner could give one cursor after the other an invalid position. Returns the
 * bytes that can be claimed; -EAGAIN when the readers' demand forbids more
 * records; -EPROTO when the owner's own head words are invalid.
 */
static s64 weir_ring_room(struct weir_ring *ring)
{
	struct weir_ring_view *v = &ring->view;
	struct weir_evicts liars = { .n = 0 };
	struct weir_ring_scan scan;
	struct weir_reader *rd;
	s64 room;
	u64 tail;
	u32 seq;

	spin_lock_bh(&ring->lock);
	room = weir_ring_scan_begin(v, &scan);
	if (room) {
		spin_unlock_bh(&ring->lock);
		weir_ring_break(ring, WEIR_REASON_BAD_RECORD);
		return room;
	}
	list_for_each_entry(rd, &ring->readers, ring_link) {
		if (!rd->gating || rd->evicted)
			continue;
		if (weir_ring_scan_cursor(v, &scan, rd->cursor) &&
		    liars.n < WEIR_EVICTS)
			weir_evicts_add(&liars, rd);
	}
	/* under the lock the set of readers stays the same */
	weir_ring_scan_end(v, &scan);
	room = (s64)(scan.min + weir_ring_bytes(v) - scan.claim);
	if (!weir_ring_tail(v, &tail, &seq))
		room -= (s64)(tail - scan.claim);
	if (!scan.room)
		room = -EAGAIN;
	spin_unlock_bh(&ring->lock);
	/* evicting the router's cursor has ended the stream */
	if (weir_evicts_done(&liars, WEIR_REASON_BAD_CURSOR) &&
	    !weir_ring_live(ring))
		return -EPROTO;
	return room;
}

/* Can @bytes be claimed, or is there an error for the owner to see? */
bool weir_writable(struct weir_ring *ring, u64 bytes)
{
	s64 room = weir_ring_room(ring);

	return !weir_ring_live(ring) || room >= (s64)bytes;
}

/* Bytes of room for EPOLLOUT: a quarter of the ring, or the refused size. */
u64 weir_out_want(const struct weir_ring *ring)
{
	u64 quarter = weir_ring_bytes(&ring->view) / 4;

	return max(quarter, READ_ONCE(ring->want));
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
	struct weir_status *status = weir_ring_status(ring);
	u64 size = weir_ring_bytes(&ring->view), tail, wanted;
	struct weir_sock *ws = ring->owner;
	struct weir_reader *rd;
	bool barrier = false;
	u32 seq;

	if (!ws || weir_ring_tail(&ring->view, &tail, &seq))
		return true;
	spin_lock(&ws->rlock);
	spin_lock_bh(&ring->lock);
	/* several threads may wait: wake for the smallest @want first */
	if (status->wake & WEIR_WAKE_WRITER && ring->want)
		ring->want = min(ring->want, bytes);
	else
		ring->want = bytes;
	wanted = min(max(ring->want, size / 4), size);
	WRITE_ONCE(status->wake_pos, tail + wanted - size);
	WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_WRITER);
	smp_mb();						/* (C) */
	cpumask_clear(ws->barrier);
	list_for_each_entry(rd, &ring->readers, ring_link) {
		if (!rd->gating || rd->evicted || !rd->mm)
			continue;
		weir_mm_cpus(rd->mm, rd->forked, ws->barrier);
		barrier = true;
	}
	spin_unlock_bh(&ring->lock);
	if (barrier && weir_may_fence(ws)) {
		weir_fence_cpus(ws->barrier);
		barrier = false;
	}
	spin_unlock(&ws->rlock);
	/*
	 * Without the barrier: a cursor store that is still in the reader's
	 * store buffer becomes visible after a moment. A reader may also have
	 * missed the wake bit; then the look a tick later finds the room.
	 */
	if (barrier)
		udelay(1);
	if (weir_writable(ring, bytes))
		return true;
	if (barrier)
		weir_timer_advance(&ring->reap, 1);
	if (ring->on_full)
		ring->on_full(ws);
	if (!barrier && READ_ONCE(ring->evict_ms))
		weir_timer_set(&ring->reap, 0);
	return false;
}

/*
 * weir_ring_wake_writer() - a cursor moved, or a reader left
 *
 * Wakes the owner if it sleeps and there is enough room, or an error for it to
 * see. The reader has fenced after its cursor store. When the wake bit is
 * clear, no other reader wakes the owner. BH are disabled: so this thread keeps
 * its processor until it has woken the owner.
 */
void weir_ring_wake_writer(struct weir_ring *ring)
{
	struct weir_status *status = weir_ring_status(ring);
	struct weir_sock *ws = NULL;

	if (!(READ_ONCE(status->wake) & WEIR_WAKE_WRITER) || ring->inbox_of)
		return;
	if (!weir_writable(ring, READ_ONCE(ring->want)))
		return;
	local_bh_disable();
	spin_lock(&ring->lock);
	if (status->wake & WEIR_WAKE_WRITER) {
		WRITE_ONCE(status->wake, status->wake & ~WEIR_WAKE_WRITER);
		WRITE_ONCE(status->wake_pos, U64_MAX);
		ring->want = 0;
		ws = ring->owner;
		if (ws)
			sock_hold(&ws->sk);
	}
	spin_unlock(&ring->lock);
	if (ws)
		ws->sk.sk_write_space(&ws->sk);
	local_bh_enable();
	if (ws) {
		weir_stat_inc(WEIR_STAT_WRITER_WAKEUPS);
		sock_put(&ws->sk);
	}
}

/*
 * Does a reader at @pos hold back a writer whose next record is at @tail with
 * count @seq?
 */
static bool weir_reader_holds(const struct weir_reader *rd, u64 pos, u64 tail,
			      u32 seq)
{
	u32 flags = READ_ONCE(rd->cursor->flags);
	u32 demand = READ_ONCE(rd->cursor->demand);

	return tail - pos + max_t(u64, rd->ring->want, WEIR_GRANULE) >
	       weir_ring_bytes(&rd->ring->view) ||
	       (flags & WEIR_CURSOR_DEMAND && (s32)(demand - seq) <= 0);
}

/*
 * One look at the readers that hold the writer back. Collects those that have
 * not moved for @evict_ms in @late. Returns whether other readers hold it back.
 */
static bool weir_reap_look(struct weir_ring *ring, u32 evict_ms, ktime_t now,
			   struct weir_evicts *late)
	__must_hold(&ring->lock)
{
	struct weir_reader *rd;
	bool blocked = false;
	u64 tail;
	u32 seq;

	lockdep_assert_held(&ring->lock);
	if (!evict_ms || weir_ring_tail(&ring->view, &tail, &seq) || !tail ||
	    !weir_ring_live(ring))
		return false;
	list_for_each_entry(rd, &ring->readers, ring_link) {
		u64 pos;

		if (!rd->gating || rd->evicted || rd->router)
			continue;
		pos = READ_ONCE(rd->cursor->pos);
		if (!weir_reader_holds(rd, pos, tail, seq)) {
			rd->stuck_since = 0;
		} else if (!rd->stuck_since || rd->stuck_pos != pos) {
			rd->stuck_since = now;
			rd->stuck_pos = pos;
			blocked = true;
		} else if (ktime_ms_delta(now, rd->stuck_since) < evict_ms) {
			blocked = true;
		} else if (!weir_evicts_add(late, rd)) {
			break;
		}
	}
	return blocked;
}

/*
 * Of an outbox whose writer is held back and has an evict_ms: finds the readers
 * that have not moved and evicts them when their time is over. Of an inbox:
 * looks once for room for waiting notices; the socket cancels this timer before
 * its release.
 */
void weir_ring_reap(struct weir_timer *timer)
{
	struct weir_ring *ring = container_of(timer, struct weir_ring, reap);
	u32 evict_ms = READ_ONCE(ring->evict_ms);
	struct weir_evicts late = { .n = 0 };
	ktime_t now = ktime_get();
	bool blocked;

	if (ring->inbox_of) {
		weir_inbox_flush(ring->inbox_of);
		weir_ring_put(ring);
		return;
	}
	do {
		spin_lock_bh(&ring->lock);
		blocked = weir_reap_look(ring, evict_ms, now, &late);
		spin_unlock_bh(&ring->lock);
	} while (weir_evicts_done(&late, WEIR_REASON_SLOW));

	weir_ring_wake_writer(ring);
	if (blocked)
		weir_timer_set(&ring->reap,
			       max(1UL, msecs_to_jiffies(evict_ms) / 4));
	weir_ring_put(ring);
}

/* --- poll and wait ------------------------------------------------------ */

static bool weir_writable_now(struct weir_sock *ws, u64 bytes, bool arm)
{
	struct weir_ring *ring = READ_ONCE(ws->outbox);

	if (READ_ONCE(ws->sk.sk_shutdown) & SEND_SHUTDOWN)
		return true;
	if (!ring)
		return false;
	return arm ? weir_arm_writable(ring, bytes) :
		     weir_writable(ring, bytes);
}

/*
 * weir_poll() - poll, select, epoll, io_uring
 *
 * Arms the wake-up when it finds nothing. Level-triggered pollers come here
 * before each sleep. Edge-triggered pollers that read the mapped rings do not;
 * they set WEIR_SO_WAIT with a timeout of 0 instead.
 */
__poll_t weir_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	struct sock *sk = sock->sk;
	struct weir_sock *ws = weir_sk(sk);
	struct weir_ring *out;
	__poll_t want, mask = 0;
	u8 shut;

	sock_poll_wait(file, sock, wait);
	want = poll_requested_events(wait);
	shut = READ_ONCE(sk->sk_shutdown);

	if (READ_ONCE(sk->sk_err))
		mask |= EPOLLERR;
	if (shut == SHUTDOWN_MASK)
		mask |= EPOLLHUP;
	if (shut & RCV_SHUTDOWN)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (sk->sk_state == TCP_LISTEN) {
		if (!list_empty_careful(&ws->listen.queue))
			mask |= EPOLLIN | EPOLLRDNORM;
		return mask;
	}
	if (sk->sk_type == SOCK_SEQPACKET && sk->sk_state == TCP_CLOSE)
		mask |= EPOLLHUP;

	if (want & (EPOLLIN | EPOLLRDNORM) && weir_arm_readable(ws))
		mask |= EPOLLIN | EPOLLRDNORM;
	out = READ_ONCE(ws->outbox);
	if (out && want & (EPOLLOUT | EPOLLWRNORM)) {
		u64 bytes = weir_out_want(out);

		if (weir_writable_now(ws, bytes, false) ||
		    weir_writable_now(ws, bytes, true))
			mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	}
	return mask;
}

/* One look at both directions; @arm: be woken later if it finds nothing. */
static __always_inline u32 weir_ready_bits(struct weir_sock *ws, u32 flags,
					   u64 bytes, bool arm)
{
	u32 ready = 0;

	if (flags & WEIR_WAIT_IN &&
	    (arm ? weir_arm_readable(ws) : weir_readable(ws)))
		ready |= WEIR_WAIT_IN;
	if (flags & WEIR_WAIT_OUT && weir_writable_now(ws, bytes, arm))
		ready |= WEIR_WAIT_OUT;
	return ready;
}

/**
 * weir_sock_wait() - sleep until the rings are ready
 * @ws: socket.
 * @flags: WEIR_WAIT_IN, WEIR_WAIT_OUT.
 * @bytes: bytes that must be claimable for WEIR_WAIT_OUT.
 * @timeout_ns: nanoseconds; 0 arms and looks once; negative waits for ever.
 *
 * Process context, sleeps.
 *
 * Return: the WEIR_WAIT_* bits that are ready; 0 on timeout. On a signal:
 * -EINTR with a timeout, because a restart would wait for the whole time again;
 * otherwise -ERESTARTSYS.
 */
int weir_sock_wait(struct weir_sock *ws, u32 flags, u64 bytes, s64 timeout_ns)
{
	struct sock *sk = &ws->sk;
	ktime_t until = KTIME_MAX;
	DEFINE_WAIT(wait);
	bool over = false;
	int ready;

	if (timeout_ns > 0)
		until = ktime_add_safe(ktime_get(), ns_to_ktime(timeout_ns));
	for (;;) {
		prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		ready = weir_ready_bits(ws, flags, bytes, true);
		if (ready || !timeout_ns)
			break;
		/* with a signal pending neither call sleeps */
		if (timeout_ns > 0)
			over = !schedule_hrtimeout(&until, HRTIMER_MODE_ABS);
		else
			schedule();
		/* do not arm again: the next publish would kick for nothing */
		ready = weir_ready_bits(ws, flags, bytes, false);
		if (ready || over)
			break;
		if (signal_pending(current)) {
			ready = timeout_ns < 0 ? -ERESTARTSYS : -EINTR;
			break;
		}
	}
	finish_wait(sk_sleep(sk), &wait);
	return ready;
}
