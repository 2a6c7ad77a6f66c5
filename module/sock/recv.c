// SPDX-License-Identifier: GPL-2.0
/*
 * recvmsg: reading with ordinary socket calls, with one copy. It moves the same
 * cursors as the library, so a program may use both in turn. A process writes
 * its cursor page, so the cursor is checked on each use.
 *
 * Process context.
 */
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "party.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/tell.h"
#include "sock/message.h"
#include "sock/plain_route.h"
#include "sock/sock.h"
#include "sock/wait.h"
#include "stats.h"
#include "uapi/weir_route.h"
#include "weir.h"

/*
 * Bytes of a ring that one search looks at for a reader. A malicious writer can
 * make each look at a ring without records an overrun. So a pause follows each
 * search: eight times as long as the search, and at least a tick. During the
 * pause a reader goes on at the tail, without a search.
 */
#define WEIR_RESYNC_BYTES	SZ_4M
#define WEIR_RESYNC_PAUSE	8

/*
 * weir_ring_search() within WEIR_RESYNC_BYTES; @pos is @to if it finds nothing.
 */
static bool weir_recv_search(struct weir_reader *rd, u64 from, u64 to, u64 *pos)
{
	unsigned long begin = jiffies, next;
	bool found;
	u64 end;

	if (time_after_eq(begin, rd->resync_at))
		rd->resync_left = WEIR_RESYNC_BYTES;
	end = from + min_t(u64, to - from, rd->resync_left);
	found = weir_ring_search(rd->ring, from, end, pos);
	rd->resync_left -= min_t(u64, *pos - from, rd->resync_left);
	next = jiffies + WEIR_RESYNC_PAUSE * (jiffies - begin) + 1;
	/* a short search does not end the pause of a long one */
	if (time_after(next, rd->resync_at))
		rd->resync_at = next;
	if (!found)
		*pos = to;
	return found;
}

/*
 * Moves an overtaken lossy reader to the middle of the bytes that the ring
 * holds, or to the tail if no record is found soon behind that. False when the
 * owner's head words are invalid.
 */
static bool weir_recv_resync(struct weir_sock *ws, struct weir_reader *rd)
{
	struct weir_ring_view *v = &rd->ring->view;
	u32 seq = READ_ONCE(rd->cursor->seq), found, missed;
	u64 tail, pos;

	if (weir_ring_tail(v, &tail, &found)) {
		weir_ring_break(rd->ring, WEIR_REASON_BAD_RECORD);
		return false;
	}
	if (weir_recv_search(rd, tail - weir_ring_bytes(v) / 2, tail, &pos)) {
		u32 at_pos = READ_ONCE(weir_ring_at(v, pos)->seq);

		if (weir_ring_overtaken(v, pos))
			pos = tail;	/* overwritten meanwhile */
		else
			found = at_pos;
	}
	missed = found - seq;
	rd->missed += missed;
	atomic64_add(missed, &ws->party.missed);
	weir_stat_add(WEIR_STAT_MISSED, missed);
	weir_drop(rd->ring->name, WEIR_REASON_OVERRUN);
	weir_reader_move(rd, pos, found);
	return true;
}

/*
 * weir_recv_catch_up() - move an overtaken lossy reader on, as recvmsg does
 *
 * The caller holds the reader. May sleep. Returns 0 or -EINTR.
 */
int weir_recv_catch_up(struct weir_sock *ws, struct weir_reader *rd)
{
	u64 pos;

	if (mutex_lock_interruptible(&ws->iolock))
		return -EINTR;
	pos = READ_ONCE(rd->cursor->pos);
	if (!(pos & (WEIR_GRANULE - 1)) &&
	    weir_ring_overtaken(&rd->ring->view, pos))
		weir_recv_resync(ws, rd);
	mutex_unlock(&ws->iolock);
	return 0;
}

/**
 * struct weir_recv - one stream's turn in a call of recvmsg
 * @ws: the socket; its iolock is held.
 * @rd: reader of the stream, held.
 * @msg: message of the caller.
 * @room: bytes of payload that the caller has room for.
 * @flags: MSG_* of the call.
 * @gone: out: the stream has ended, or cannot be read further.
 * @rec: the record found.
 */
struct weir_recv {
	struct weir_sock *ws;
	struct weir_reader *rd;
	struct msghdr *msg;
	size_t room;
	int flags;
	bool gone;
	struct weir_ring_rec rec;
};

/* Result of a step: there may be a record, look again. */
#define WEIR_RECV_AGAIN		(-ERESTART)

/* Moves the cursor past the record found. */
static void weir_recv_next(struct weir_recv *r)
{
	weir_reader_move(r->rd, r->rec.next, r->rec.seq + 1);
}

/*
 * Handles a record from the router. The control message, if there is room for
 * it, gets its header. Returns 1 to deliver the record, 0 to skip it. An error
 * from the router becomes the error of the call if the control message does not
 * tell it from data: if there is none, or it is cut short.
 */
static int weir_recv_header(const struct weir_ring *inbox,
			    const struct weir_ring_rec *rec, struct msghdr *msg)
{
	struct weir_scm_route scm;
	struct weir_refusal refusal;

	if (rec->kind == WEIR_KIND_NOTICE)
		return 0;
	weir_named_record(inbox, rec, &scm);
	if (msg->msg_controllen) {
		if (!put_cmsg(msg, SOL_WEIR, WEIR_SCM_ROUTE, sizeof(scm),
			      &scm) && !(msg->msg_flags & MSG_CTRUNC))
			return 1;
	}
	if (rec->kind != WEIR_KIND_ERROR || !(scm.flags & WEIR_REC_ROUTER))
		return 1;
	memcpy(&refusal, rec->payload, sizeof(refusal));
	return -weir_reason_errno(refusal.reason);
}

/*
 * The record found is from the inbox: returns 1 to deliver it, WEIR_RECV_AGAIN
 * when it was skipped, or the router's error.
 */
static int weir_recv_routed(struct weir_recv *r)
{
	int got = weir_recv_header(r->rd->ring, &r->rec, r->msg);

	if (got > 0) {
		r->rd->peeked = r->rec.next;
		return got;
	}
	if (!got)
		weir_inbox_passed(r->rd->ring);
	if (!got || !(r->flags & MSG_PEEK))
		weir_recv_next(r);
	if (!got)
		return WEIR_RECV_AGAIN;
	return weir_refuse(r->ws, got, "the router answered: there is no reply");
}

/* The stream has an invalid record and cannot be read further. */
static int weir_recv_invalid(struct weir_recv *r)
{
	r->gone = true;
	weir_drop(r->rd->ring->name, WEIR_REASON_BAD_RECORD);
	return weir_refuse(r->ws, -EPROTO,
			   "the sender wrote a record that makes no sense");
}

/*
 * Limits of one call: tries of one stream before the next stream has its turn;
 * turns of all streams in a call that may wait; and in one that may not. To
 * pass a ring of 1 GiB that is full of aborted records takes fewer.
 */
#define WEIR_RECV_TRIES		100
#define WEIR_RECV_TURNS		4000
#define WEIR_RECV_TURNS_NOW	10

/* Moves the cursor past aborted records: a writer may wait for their space. */
static void weir_recv_skip(struct weir_recv *r, u64 pos)
{
	weir_reader_move(r->rd, pos, READ_ONCE(r->rd->cursor->seq));
}

/*
 * There is no record at @pos: returns 0 at the end of the stream, or -EAGAIN.
 */
static int weir_recv_nothing(struct weir_recv *r, u64 pos, bool ended)
{
	if (pos != READ_ONCE(r->rd->cursor->pos) && !ended)
		weir_recv_skip(r, pos);
	r->gone = ended;
	return ended ? 0 : -EAGAIN;
}

/* A lossy reader was overtaken: moves it on. */
static int weir_recv_overtaken(struct weir_recv *r)
{
	return weir_recv_resync(r->ws, r->rd) ? WEIR_RECV_AGAIN :
						weir_recv_invalid(r);
}

/*
 * weir_ring_peek_some() for a lossy reader, which the writer does not wait for.
 * Also returns WEIR_RECV_AGAIN, and -EPROTO with @r->gone set.
 */
static int weir_recv_peek_lossy(struct weir_recv *r, u64 *pos)
{
	struct weir_ring_view *v = &r->rd->ring->view;
	u64 start = *pos;
	int got = weir_ring_peek_some(v, pos, &r->rec, WEIR_SCAN_RECORDS);

	/*
	 * A skipped record may have been the torn header of a record that was
	 * overwritten meanwhile.
	 */
	if ((got != 1 || *pos != start) && weir_ring_overtaken(v, start))
		return weir_recv_overtaken(r);
	return got;
}

/*
 * Finds the next record. Returns 1 with @r->rec set; 0 with @r->gone set at the
 * end of the stream; -EAGAIN when there is nothing; WEIR_RECV_AGAIN; -ESTALE
 * after an eviction; -EPROTO for an invalid record.
 */
static int weir_recv_find(struct weir_recv *r)
{
	struct weir_reader *rd = r->rd;
	bool ended;
	int got;
	u64 pos;

	if (rd->evicted) {
		r->gone = true;
		return weir_refuse(r->ws, -ESTALE, "evicted: this reader held the writer back too long, or its cursor made no sense");
	}
	pos = READ_ONCE(rd->cursor->pos);
	if (pos & (WEIR_GRANULE - 1)) {
		weir_reader_evict(rd, WEIR_REASON_BAD_CURSOR);
		return WEIR_RECV_AGAIN;
	}
	ended = weir_reader_ended(rd, pos);
	got = rd->gating ? weir_ring_peek_some(&rd->ring->view, &pos, &r->rec,
					       WEIR_SCAN_RECORDS) :
			   weir_recv_peek_lossy(r, &pos);
	if (got == 1 || got == WEIR_RECV_AGAIN || r->gone)
		return got;
	if (!got)
		return weir_recv_nothing(r, pos, ended);
	if (got != -EAGAIN)
		return weir_recv_invalid(r);
	weir_recv_skip(r, pos);
	cond_resched();
	return WEIR_RECV_AGAIN;
}

/*
 * The bytes at @pos have been copied. Returns 0, or WEIR_RECV_AGAIN or -EPROTO
 * if they may have been overwritten meanwhile. A gating reader may have been
 * evicted.
 */
static int weir_recv_torn(struct weir_recv *r, u64 pos)
{
	if (!r->rd->gating)
		return weir_ring_overtaken(&r->rd->ring->view, pos) ?
		       weir_recv_overtaken(r) : 0;
	smp_rmb();		/* with weir_reader_evict() */
	return READ_ONCE(r->rd->evicted) ? WEIR_RECV_AGAIN : 0;
}

/*
 * Copies the record found to the caller. Returns its length, WEIR_RECV_AGAIN,
 * -EPROTO or -EFAULT.
 */
static int weir_recv_copy(struct weir_recv *r)
{
	const struct weir_ring_rec *rec = &r->rec;
	size_t n = min_t(size_t, rec->len, r->room);
	struct iov_iter *to = &r->msg->msg_iter;
	int err;

	/* a writer that does not wait may overwrite it: see below */
	if (data_race(copy_to_iter(rec->payload, n, to)) != n)
		return weir_refuse(r->ws, -EFAULT, "the buffer is not writable");
	err = weir_recv_torn(r, rec->pos);
	if (err) {
		iov_iter_revert(to, n);
		return err;
	}
	if (!(r->flags & MSG_PEEK))
		weir_recv_next(r);
	if (rec->len > r->room)
		r->msg->msg_flags |= MSG_TRUNC;
	weir_count_copy(r->ws, r->rd->ring, n);
	return r->flags & MSG_TRUNC ? rec->len : n;
}

/*
 * Receives one record of one stream. Returns its length; 0 with @r->gone set at
 * the end of the stream; -EAGAIN when there is nothing; -ESTALE after an
 * eviction; -EPROTO for an invalid record; -EFAULT; in the inbox, the router's
 * error.
 */
static int weir_recv_one(struct weir_recv *r)
{
	int tries, got;

	for (tries = 0; tries < WEIR_RECV_TRIES; tries++) {
		if (tries && signal_pending(current))
			break;
		got = weir_recv_find(r);
		if (got == 1 && r->rd->id == WEIR_ID_INBOX)
			got = weir_recv_routed(r);
		if (got == 1)
			got = weir_recv_copy(r);
		if (got != WEIR_RECV_AGAIN)
			return got;
	}
	return -EAGAIN;
}

/*
 * The next stream that is readable or has aborted records to release, held, or
 * NULL. Streams take turns.
 */
static struct weir_reader *weir_next_ready(struct weir_sock *ws)
{
	struct weir_reader *rd;

	spin_lock(&ws->party.lock);
	list_for_each_entry(rd, &ws->party.readers, party_link) {
		u32 left = WEIR_SCAN_BUDGET;

		if (!weir_reader_ready(rd, &left) && left == WEIR_SCAN_BUDGET)
			continue;
		weir_reader_get(rd);
		/* the next look begins behind it */
		list_move(&ws->party.readers, &rd->party_link);
		spin_unlock(&ws->party.lock);
		return rd;
	}
	spin_unlock(&ws->party.lock);
	return NULL;
}

/* A message was peeked at: its stream's turn is not over. */
static void weir_recv_stay(struct weir_recv *r)
{
	struct weir_party *p = &r->ws->party;

	spin_lock(&p->lock);
	if (!list_empty(&r->rd->party_link))
		list_move(&r->rd->party_link, &p->readers);
	spin_unlock(&p->lock);
}

/* Fills the address of the sender. */
static void weir_recv_name(const struct weir_recv *r)
{
	DECLARE_SOCKADDR(struct sockaddr_weir *, addr, r->msg->msg_name);
	const char *name = r->rd->ring->name;
	size_t len;

	if (!addr)
		return;
	if (r->ws->sk.sk_type == SOCK_SEQPACKET)
		name = r->ws->peer_path;
	len = min_t(size_t, strlen(name), sizeof(addr->sw_path) - 1);
	if (!len)
		return;
	memset(addr, 0, sizeof(*addr));
	addr->sw_family = weir_family;
	memcpy(addr->sw_path, name, len);
	r->msg->msg_namelen = offsetof(struct sockaddr_weir, sw_path) + len + 1;
}

/*
 * Receives from the inbox: what the socket calls or serves. Passes over
 * notices. -EAGAIN: nothing.
 */
static int weir_recv_inbox(struct weir_sock *ws, struct msghdr *msg,
			   size_t room, int flags)
{
	struct weir_recv r = {
		.ws = ws,
		.rd = weir_reader_find(&ws->party, WEIR_ID_INBOX),
		.msg = msg,
		.room = room,
		.flags = flags,
	};
	int got;

	if (!r.rd)
		return -EAGAIN;
	got = weir_recv_one(&r);
	weir_reader_put(r.rd);
	return r.gone ? -EAGAIN : got;
}

/* One look at all streams, then at the inbox. -EAGAIN when there is nothing. */
static int weir_recv_round(struct weir_sock *ws, struct msghdr *msg,
			   size_t room, int flags)
{
	struct weir_recv r = {
		.ws = ws,
		.msg = msg,
		.room = room,
		.flags = flags,
	};
	bool pair = ws->sk.sk_type == SOCK_SEQPACKET;
	u32 turns = READ_ONCE(ws->party.nreaders);
	int got;

	while (turns-- && (r.rd = weir_next_ready(ws))) {
		r.gone = false;
		got = weir_recv_one(&r);
		if (got >= 0 && !r.gone) {
			weir_recv_name(&r);
			if (flags & MSG_PEEK)
				weir_recv_stay(&r);
		}
		/* the end of one of several streams is not the socket's end */
		if (r.gone && !pair)
			weir_reader_detach(r.rd, WEIR_REASON_CLOSED);
		/* a reset is set before the stream ends, and reported first */
		if (r.gone && pair && !got)
			got = sock_error(&ws->sk);
		weir_reader_put(r.rd);
		if (got != -EAGAIN && (got || !r.gone || pair))
			return got;
	}
	/* notices may be all that is there: poll() must not tell of them again */
	return READ_ONCE(ws->party.inbox) ?
	       weir_recv_inbox(ws, msg, room, flags) : -EAGAIN;
}

/*
 * Sleeps until there may be something to read. @timeo: time that is left, in
 * jiffies. @idle: number of turns that found nothing where there had been
 * something. Returns 0 to look again, or a negative errno.
 */
static int weir_recv_sleep(struct weir_sock *ws, long *timeo, int *idle)
{
	wait_queue_head_t *queue = sk_sleep(&ws->sk);
	DEFINE_WAIT(wait);
	int err = 0;

	prepare_to_wait(queue, &wait, TASK_INTERRUPTIBLE);
	weir_party_waits(&ws->party);
	if (!weir_arm_readable(ws)) {
		if (!*timeo)
			err = weir_refuse(ws, -EAGAIN, "nothing to read");
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		else
			*timeo = schedule_timeout(*timeo);
	} else if (signal_pending(current)) {
		err = sock_intr_errno(*timeo);
	} else if (*timeo != MAX_SCHEDULE_TIMEOUT &&
		   ++*idle > (*timeo ? WEIR_RECV_TURNS : WEIR_RECV_TURNS_NOW)) {
		/* a malicious writer makes and withdraws a record */
		err = -EAGAIN;
	}
	finish_wait(queue, &wait);
	return err;
}

/*
 * May messages come to this socket? A SOCK_RDM socket that does not publish may
 * yet call, serve or subscribe while a thread of it waits.
 */
static bool weir_recv_may(const struct weir_sock *ws)
{
	/* outbox first: weir_sock_endpoint() sets the state before it */
	return (ws->sk.sk_type == SOCK_RDM && !smp_load_acquire(&ws->outbox)) ||
	       READ_ONCE(ws->sk.sk_state) == TCP_ESTABLISHED;
}

int weir_recvmsg(struct socket *sock, struct msghdr *msg, size_t len, int flags)
{
	struct sock *sk = sock->sk;
	struct weir_sock *ws = weir_sk(sk);
	int got, err, idle = 0;
	long timeo;

	if (flags & MSG_OOB)
		return weir_refuse(ws, -EOPNOTSUPP, "no out-of-band data");
	timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	msg->msg_namelen = 0;

	for (;;) {
		/* read before the look: no record before the end is missed */
		bool shut = smp_load_acquire(&sk->sk_shutdown) & RCV_SHUTDOWN;

		if (!weir_recv_may(ws))
			return weir_refuse(ws, -ENOTCONN,
					   "the socket is not connected and does not subscribe");
		err = sock_error(sk);
		if (err)
			return weir_refuse(ws, err, "the peer closed with data unread");
		if (mutex_lock_interruptible(&ws->iolock))
			return sock_intr_errno(timeo);
		got = weir_recv_round(ws, msg, len, flags);
		mutex_unlock(&ws->iolock);
		if (got != -EAGAIN)
			break;
		if (shut)
			return 0;
		err = weir_recv_sleep(ws, &timeo, &idle);
		if (err)
			return err;
		cond_resched();
	}
	if (got > 0 || (!got && !(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN))) {
		atomic64_inc(&ws->counts.received);
		weir_stat_inc(WEIR_STAT_RECEIVED);
		weir_wake_next(ws);
	}
	return got;
}
