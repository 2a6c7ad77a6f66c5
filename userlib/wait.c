// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Functions that sleep until the rings are ready, and those that copy: send and
 * receive. A program that polls needs none of them.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "private.h"

/* Checks of the rings between two readings of the clock. */
#define WEIR_SPIN_CHECKS		64

/*
 * Wake-ups in a row without a message after which weir_recv() returns -EAGAIN: a
 * hostile publisher must not make it spin for ever.
 */
#define WEIR_IDLE_WAKEUPS	1000

/* Messages of at most this many bytes are copied with one constant length. */
#define WEIR_SHORT		32

int64_t weir_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Turns a time to wait into a deadline. Reads the clock only if it must. */
struct weir_deadline weir_deadline(int64_t timeout_ns)
{
	struct weir_deadline d = { 0, timeout_ns >= 0 };

	if (timeout_ns > 0 &&
	    __builtin_add_overflow(weir_now_ns(), timeout_ns, &d.at_ns))
		d.timed = false;
	return d;
}

/* Nanoseconds left until the deadline, or WEIR_FOREVER, or WEIR_DONTWAIT. */
int64_t weir_left_ns(const struct weir_deadline *d)
{
	int64_t left;

	if (!d->timed)
		return WEIR_FOREVER;
	if (!d->at_ns)
		return WEIR_DONTWAIT;
	left = d->at_ns - weir_now_ns();
	return left > 0 ? left : WEIR_DONTWAIT;
}

/* Returns whether weir_peek() would return a value other than 0. */
static bool weir_input_ready(struct weir *w)
{
	struct weir_ring_rec r;
	uint32_t i;

	if (w->inbox) {
		__u64 pos = weir_stream_pos(w->inbox);

		if (weir_ring_peek(&w->inbox->ring, &pos, &r))
			return true;
	}
	for (i = 0; i < w->nstreams; i++) {
		if (weir_stream_ready(w->streams[i]))
			return true;
	}
	/* The kernel decides for an unconnected socket. */
	return w->type == SOCK_SEQPACKET && w->out.data &&
	       (!w->nstreams || w->streams[0]->ended);
}

static bool weir_spin(struct weir *w, uint64_t ns)
{
	int64_t until = weir_now_ns() + (int64_t)ns;
	int i;

	do {
		for (i = 0; i < WEIR_SPIN_CHECKS; i++) {
			if (weir_input_ready(w))
				return true;
			weir_pause();
		}
	} while (weir_now_ns() < until);
	return false;
}

int weir_wait(struct weir *w, uint32_t events, uint64_t bytes,
	      int64_t timeout_ns)
{
	uint32_t flags = events & (WEIR_WAIT_IN | WEIR_WAIT_OUT);
	uint32_t due = w->out.data ? weir_kick_due(w) : 0;
	/* The router's bit is nearly always set; it may have nothing to read. */
	bool now = due && (due != WEIR_WAKE_ROUTER ||
			   events & WEIR_WAIT_KICK || weir_has_unsent(w));
	/* Only the kernel checks for room, and for both at once. */
	bool look = flags == WEIR_WAIT_IN;
	uint64_t spin_ns = look ? w->spin_ns : 0;
	struct weir_deadline end;
	bool ready;

	if (timeout_ns >= 0 && spin_ns > (uint64_t)timeout_ns)
		spin_ns = (uint64_t)timeout_ns;
	/* A system call that is due anyway checks by itself. */
	ready = look && (!now || spin_ns) && weir_input_ready(w);
	/* The side that must answer has to be awake while this thread polls. */
	if (now && (ready || spin_ns)) {
		weir_kick_now(w);
		due = 0;
		now = false;
	}
	if (!ready && spin_ns) {
		end = weir_deadline(timeout_ns);
		ready = weir_spin(w, spin_ns);
		timeout_ns = weir_left_ns(&end);
	}
	if (ready)
		return WEIR_WAIT_IN;
	if (timeout_ns == WEIR_DONTWAIT && look && !now)
		return weir_fork_check(w);
	if (due)
		flags |= WEIR_WAIT_KICK;
	return weir_fd_wait(w, flags, bytes, timeout_ns);
}

int weir_arm(struct weir *w)
{
	uint32_t flags = WEIR_WAIT_IN;

	/* Input that weir_peek() finds needs no system call. */
	if (weir_input_ready(w))
		return WEIR_WAIT_IN;
	if (w->out.data && weir_load(&w->refused))
		flags |= WEIR_WAIT_OUT;
	return weir_fd_wait(w, flags, weir_load(&w->wanted), 0);
}

/* Waits. Returns 0 when the caller is to try again, else the caller's error. */
int weir_wait_until(struct weir *w, uint32_t events, uint64_t bytes,
			   const struct weir_deadline *end)
{
	int ret = weir_wait(w, events, bytes, weir_left_ns(end));

	if (ret || !end->timed)
		return ret < 0 ? ret : 0;
	return end->at_ns ? -ETIMEDOUT : -EAGAIN;
}

int weir_claim_wait(struct weir *w, size_t len, struct weir_buf *buf,
		    int64_t timeout_ns)
{
	struct weir_deadline end;
	int ret = weir_claim(w, len, buf);

	if (ret != -EAGAIN || timeout_ns == WEIR_DONTWAIT)
		return ret;
	end = weir_deadline(timeout_ns);
	do {
		ret = weir_wait_until(w, WEIR_WAIT_OUT,
				      weir_ring_need((uint32_t)len), &end);
		if (ret)
			return ret;
		ret = weir_claim(w, len, buf);
	} while (ret == -EAGAIN);
	return ret;
}

int weir_send(struct weir *w, const void *data, size_t len, int64_t timeout_ns)
{
	struct weir_buf buf;
	int err;

	/* weir_claim() finds the shutdown only when the ring is full. */
	if (weir_unlikely(w->out.data && weir_load(&w->out.status->state) !=
					 WEIR_STATE_OPEN))
		return weir_claim_closed(w);
	err = weir_claim_wait(w, len, &buf, timeout_ns);
	if (err)
		return err;
	if (len)
		weir_copy(buf.data, data, len);
	weir_commit(w, &buf);
	return 0;
}

/*
 * Copies a message out and releases it. Short messages are copied with one
 * constant length, which may reach beyond the message. That is safe: the ring is
 * mapped twice, so the bytes can be read, and the caller's buffer holds them.
 */
static ssize_t weir_copy_out(struct weir *w, struct weir_msg *msg, void *data,
			     size_t room)
{
	size_t len = msg->len;
	int err;

	if (room >= WEIR_SHORT && len <= WEIR_SHORT)
		memcpy(data, msg->data, WEIR_SHORT);
	else if (room)
		weir_copy(data, msg->data, len < room ? len : room);
	err = weir_release(w, msg);
	return err ? err : (ssize_t)len;
}

ssize_t weir_recv(struct weir *w, void *data, size_t room, int64_t timeout_ns)
{
	struct weir_deadline end = { 0, true };
	bool waiting = false;
	int idle = 0, ret;

	for (;;) {
		struct weir_msg msg;
		ssize_t len;

		ret = weir_peek(w, &msg);
		if (ret < 0)
			return ret;
		if (ret && msg.kind == WEIR_KIND_NOTICE) {
			weir_release(w, &msg);
			continue;
		}
		if (ret) {
			len = weir_copy_out(w, &msg, data, room);
			if (len >= 0)
				return len;
			/* overwritten or evicted: weir_peek() tells which */
		} else {
			if (!waiting) {
				end = weir_deadline(timeout_ns);
				waiting = true;
			}
			ret = weir_wait_until(w, WEIR_WAIT_IN, 0, &end);
			if (ret)
				return ret;
		}
		if (++idle > WEIR_IDLE_WAKEUPS)
			return -EAGAIN;
	}
}
