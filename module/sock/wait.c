// SPDX-License-Identifier: GPL-2.0
/*
 * Sleeping until a socket's rings are ready: poll, WEIR_SO_WAIT, and what
 * sendmsg and recvmsg need. What a ring does for a sleeper is in ring/wake.c.
 *
 * Process context.
 */
#include <linux/hrtimer.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>

#include "party.h"
#include "ring/ring.h"
#include "ring/tell.h"
#include "ring/wake.h"
#include "sock/sock.h"
#include "sock/wait.h"
#include "weir.h"

/*
 * weir_arm_readable() - be woken when there is something to read
 *
 * The caller is on the socket's wait queue already, and shutdown() wakes that.
 * Returns whether there is something to read now, or the end of it.
 */
bool weir_arm_readable(struct weir_sock *ws)
{
	return READ_ONCE(ws->sk.sk_shutdown) & RCV_SHUTDOWN ||
	       weir_party_arm(&ws->party);
}

/*
 * weir_wake_next() - the caller has taken a message or a connection
 *
 * If the worker of the socket's user has woken one exclusive waiter for several
 * of them, and there are more, the next waiter is woken.
 */
void weir_wake_next(struct weir_sock *ws)
{
	struct sock *sk = &ws->sk;
	bool more;

	if (likely(!READ_ONCE(ws->party.merged)))
		return;
	/* before the look: what comes after it sets this, and wakes */
	WRITE_ONCE(ws->party.merged, false);
	smp_mb();
	if (READ_ONCE(sk->sk_state) == TCP_LISTEN)
		more = !list_empty_careful(&ws->listen.queue);
	else
		more = weir_party_readable(&ws->party);
	if (!more)
		return;
	WRITE_ONCE(ws->party.merged, true);
	sk->sk_data_ready(sk);
}

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
 * Which waiters poll without asking before each sleep? Returns WEIR_WATCH_*
 * bits for the events @want, in which epoll and io_uring say how they wait. A
 * waiter for one event asks again for the next one.
 */
static u8 weir_watch_of(__poll_t want)
{
	bool each = want & EPOLLEXCLUSIVE;
	u8 watch = 0;

	if (!each && (want & (EPOLLET | EPOLLONESHOT)) != EPOLLET)
		return 0;
	if (want & (EPOLLIN | EPOLLRDNORM))
		watch |= WEIR_WATCH_IN;
	if (want & (EPOLLOUT | EPOLLWRNORM))
		watch |= WEIR_WATCH_OUT | (each ? WEIR_WATCH_ROOM : 0);
	return watch;
}

/*
 * weir_watch_async() - the last user of the socket's lock may have set O_ASYNC
 *
 * proto.release_cb: under the spinlock of the socket's lock.
 */
void weir_watch_async(struct sock *sk)
{
	struct weir_party *p = &weir_sk(sk)->party;

	if (!sock_flag(sk, SOCK_FASYNC))
		return;
	weir_party_watch(p, WEIR_WATCH_IN | WEIR_WATCH_OUT);
	weir_party_waits(p);
}

/*
 * Is there room for @bytes by the last look at the cursors? There is no less
 * now: readers only make room. The owner wrote these words and may have forged
 * them.
 */
static bool weir_room_known(const struct weir_ring *ring, u64 bytes)
{
	const struct weir_head *head = ring->view.head;
	u64 limit = READ_ONCE(head->limit), tail;
	u32 seq;

	return !weir_ring_tail(&ring->view, &tail, &seq) &&
	       (s64)(limit - tail) >= (s64)bytes &&
	       (s32)(READ_ONCE(head->seq_limit) - seq) > 0;
}

/*
 * weir_watch_sent() - a watcher is told of room after a message that took it
 *
 * A sender that was refused, or has polled, has armed the wake-up itself. A
 * look at all cursors for each message would cost as much as there are readers.
 */
void weir_watch_sent(struct weir_sock *ws, struct weir_ring *ring)
{
	u64 bytes = weir_out_want(ring);

	if (!(READ_ONCE(weir_ring_status(ring)->wake) & WEIR_WAKE_WRITER) &&
	    !weir_room_known(ring, bytes) && !weir_writable(ring, bytes) &&
	    weir_arm_writable(ring, bytes))
		ws->sk.sk_write_space(&ws->sk);
}

/*
 * Would a send not wait? Without an outbox it does not: it makes one, or fails.
 * Arms the wake-up if it would.
 */
static bool weir_poll_out(struct weir_sock *ws)
{
	struct weir_ring *out = smp_load_acquire(&ws->outbox);
	u64 bytes;

	if (!out)
		return true;
	bytes = weir_out_want(out);
	return weir_writable_now(ws, bytes, false) ||
	       weir_writable_now(ws, bytes, true);
}

/* The caller has come to the wait queue, or asks again. */
static void weir_poll_waits(struct weir_party *p, const poll_table *wait,
			    __poll_t want)
{
	u8 watch = weir_watch_of(want);

	/* as !poll_does_not_wait(), which some kernels do not have */
	if (wait && wait->_qproc) {
		weir_party_waits(p);
		if (!(READ_ONCE(p->watch) & WEIR_WATCH_POLL))
			watch |= WEIR_WATCH_POLL;
	}
	if (unlikely(watch))
		weir_party_watch(p, watch);
}

/*
 * weir_poll() - poll, select, epoll, io_uring
 *
 * Arms the wake-up when it finds nothing. Level-triggered pollers come here
 * before each sleep. For others it stays armed, see weir_watch_of().
 */
__poll_t weir_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	struct sock *sk = sock->sk;
	struct weir_sock *ws = weir_sk(sk);
	__poll_t want, mask = 0;
	u8 shut;

	sock_poll_wait(file, sock, wait);
	want = poll_requested_events(wait);
	if (wait)
		weir_poll_waits(&ws->party, wait, want);
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
	if (want & (EPOLLOUT | EPOLLWRNORM) && weir_poll_out(ws))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

/*
 * weir_ready_bits() of a socket that has been shut for reading: -EPIPE if
 * nothing is left to read and nothing else is ready. The end of a connection is
 * in its stream, where the reader finds it.
 */
static noinline int weir_shut_bits(struct weir_sock *ws, u32 flags, u64 bytes,
				   bool arm)
{
	int ready = 0;

	if (flags & WEIR_WAIT_OUT && weir_writable_now(ws, bytes, arm))
		ready |= WEIR_WAIT_OUT;
	if (ws->sk.sk_type == SOCK_SEQPACKET || weir_party_readable(&ws->party))
		ready |= WEIR_WAIT_IN;
	return ready ?: weir_refuse(ws, -EPIPE,
				    "the socket has been shut for reading");
}

/* One look at both directions; @arm: be woken later if it finds nothing. */
static __always_inline int weir_ready_bits(struct weir_sock *ws, u32 flags,
					   u64 bytes, bool arm)
{
	int ready = 0;

	if (flags & WEIR_WAIT_IN) {
		if (unlikely(READ_ONCE(ws->sk.sk_shutdown) & RCV_SHUTDOWN))
			return weir_shut_bits(ws, flags, bytes, arm);
		if (arm ? weir_party_arm(&ws->party) :
			  weir_party_readable(&ws->party))
			ready |= WEIR_WAIT_IN;
	}
	if (flags & WEIR_WAIT_OUT && weir_writable_now(ws, bytes, arm))
		ready |= WEIR_WAIT_OUT;
	return ready;
}

/* A signal ends the wait: the error, and the time that is left. */
static noinline int weir_wait_signal(ktime_t until, s64 *timeout_ns)
{
	s64 left = ktime_to_ns(ktime_sub(until, ktime_get()));

	if (*timeout_ns < 0)
		return -ERESTARTSYS;
	*timeout_ns = max_t(s64, left, 0);
	return -ERESTARTNOHAND;
}

/**
 * weir_sock_wait() - sleep until the rings are ready
 * @ws: socket.
 * @flags: WEIR_WAIT_IN, WEIR_WAIT_OUT.
 * @bytes: bytes that must be claimable for WEIR_WAIT_OUT.
 * @timeout_ns: in: nanoseconds; 0 arms and looks once; negative waits for ever.
 *	Out, on a signal: those that are left.
 *
 * Process context, sleeps.
 *
 * Return: the WEIR_WAIT_* bits that are ready; 0 on timeout. -EPIPE: the socket
 * has been shut for reading, and nothing else is ready. On a signal:
 * -ERESTARTNOHAND with a timeout, as poll(2): the caller must see to it that a
 * restart waits for the time that is left; otherwise -ERESTARTSYS.
 */
int weir_sock_wait(struct weir_sock *ws, u32 flags, u64 bytes, s64 *timeout_ns)
{
	s64 timeout = *timeout_ns;
	struct sock *sk = &ws->sk;
	ktime_t until = KTIME_MAX;
	DEFINE_WAIT(wait);
	bool over = false;
	int ready;

	if (timeout > 0)
		until = ktime_add_safe(ktime_get(), ns_to_ktime(timeout));
	for (;;) {
		prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		weir_party_waits(&ws->party);
		ready = weir_ready_bits(ws, flags, bytes, true);
		if (ready || !timeout)
			break;
		/* with a signal pending neither call sleeps */
		if (timeout > 0)
			over = !schedule_hrtimeout(&until, HRTIMER_MODE_ABS);
		else
			schedule();
		/* do not arm again: the next publish would kick for nothing */
		ready = weir_ready_bits(ws, flags, bytes, false);
		if (ready || over)
			break;
		if (signal_pending(current)) {
			ready = weir_wait_signal(until, timeout_ns);
			break;
		}
	}
	finish_wait(sk_sleep(sk), &wait);
	return ready;
}
