// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a stream: repair after its writer is gone, lingering, taking over
 * and the end. The memory of its ring is in ring.c.
 *
 * The callers are system calls and, for the end of lingering, workers of the
 * writer's user: process context. The functions may sleep unless their comment
 * says otherwise.
 */
#include <linux/jiffies.h>
#include <linux/pid.h>
#include <linux/sched.h>

#include "net.h"
#include "owner.h"
#include "party.h"
#include "path.h"
#include "race.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/tell.h"
#include "ring/wake.h"
#include "stats.h"
#include "tenant.h"
#include "trace.h"
#include "weir.h"

/* After its publisher is gone, a stream waits this long for joining readers. */
#define WEIR_RING_END_JIFFIES	HZ

/*
 * Finds the farthest position at which a reader was attached, if it is beyond
 * @pos. A reader may have been attached behind a claim that was never
 * committed. The stream must not go back to before that reader. Cursor movement
 * does not count: a cursor cannot pass a claim without a commit.
 */
static void weir_ring_front(struct weir_ring *ring, u64 tail, u64 *pos,
			    u32 *seq)
{
	struct weir_reader *rd;

	spin_lock_bh(&ring->lock);
	list_for_each_entry(rd, &ring->readers, ring_link) {
		if (tail - rd->start_pos <= weir_ring_bytes(&ring->view) &&
		    (s64)(rd->start_pos - *pos) > 0) {
			*pos = rd->start_pos;
			*seq = rd->start_seq;
		}
	}
	spin_unlock_bh(&ring->lock);
}

/* Covers the uncommitted claims in [@from, @to) with one aborted record. */
static void weir_ring_fill(struct weir_ring_view *v, u64 from, u64 to, u32 seq)
{
	struct weir_record *rec = weir_ring_at(v, from);

	WRITE_ONCE(rec->len, to - from - WEIR_HEADER_BYTES);
	WRITE_ONCE(rec->kind, WEIR_KIND_EVENT);
	WRITE_ONCE(rec->flags, WEIR_REC_ABORTED);
	WRITE_ONCE(rec->ext, 0);
	WRITE_ONCE(rec->seq, seq);
	smp_store_release(&rec->commit, from + v->secret);
}

/*
 * Writes an aborted record wherever a reader waits in [@from, @to). Such a
 * reader waits for a claim that was never committed; a committed header would
 * have been found. Only that reader looks there, so a false cursor harms its
 * own reader only.
 */
static void weir_ring_fill_readers(struct weir_ring *ring, u64 from, u64 to,
				   u32 seq)
{
	struct weir_reader *rd;

	spin_lock_bh(&ring->lock);
	list_for_each_entry(rd, &ring->readers, ring_link) {
		u64 pos = READ_ONCE(rd->cursor->pos);

		if (pos - from < to - from && !(pos & (WEIR_GRANULE - 1)))
			weir_ring_fill(&ring->view, pos, to, seq);
	}
	spin_unlock_bh(&ring->lock);
}

/**
 * weir_ring_repair() - repair a ring after its writer is gone
 * @ring: the ring; no writer is left.
 *
 * Threads may have claimed space and never committed it. Such holes become
 * aborted records. Uncommitted claims at the end are taken back, so that a new
 * owner goes on after the last published record. The records' own commit words
 * tell where the records are. The work is bounded by the ring's size. A second
 * call finds nothing to do. Process context, no spinlock held.
 *
 * Return: 0, or -EPROTO when the owner's head words are invalid.
 */
int weir_ring_repair(struct weir_ring *ring)
{
	struct weir_ring_view *v = &ring->view;
	u64 tail, at, front, next, size = weir_ring_bytes(v);
	u32 seq, end_seq = 0, front_seq = 0;

	if (weir_ring_tail(v, &tail, &seq))
		return -EPROTO;
	at = 0;
	if (tail > size) {
		/* the window may begin in the middle of a record */
		at = tail - size;
		weir_ring_search(ring, at, tail, &next);
		weir_ring_fill_readers(ring, at, next, seq - 1);
		at = next;
		end_seq = seq;
	}
	while (at != tail) {
		struct weir_record *rec = weir_ring_at(v, at);
		u64 len = (u64)READ_ONCE(rec->len) + READ_ONCE(rec->ext) * 8ULL;

		if (READ_ONCE(rec->commit) == at + v->secret &&
		    len <= weir_ring_max_len(v) &&
		    weir_ring_need(len) <= tail - at) {
			at += weir_ring_need(len);
			end_seq = READ_ONCE(rec->seq) + 1;
			cond_resched();
			continue;
		}
		/* a granule that only looks like a record: search on */
		if (!weir_ring_search(ring, at + WEIR_GRANULE, tail, &next))
			break;
		weir_ring_fill(v, at, next,
			       READ_ONCE(weir_ring_at(v, next)->seq) - 1);
		at = next;
	}

	/* nothing in [at, tail) was committed */
	front = at;
	front_seq = end_seq;
	if (ring->lossy) {
		/* readers may have jumped to any claim: keep the tail */
		front = tail;
		front_seq = seq;
	} else {
		weir_ring_front(ring, tail, &front, &front_seq);
	}
	if (front != at)
		weir_ring_fill(v, at, front, front_seq - 1);
	WRITE_ONCE(v->head->claim,
		   weir_ring_pack(front >> WEIR_GRANULE_SHIFT, front_seq));
	if ((s64)(READ_ONCE(v->head->limit) - front) > (s64)size) {
		WRITE_ONCE(v->head->limit, front + size);
		WRITE_ONCE(v->head->intent, front + size);
	}
	return 0;
}

/*
 * Posts a notice to the socket of every reader; the socket is held meanwhile.
 * The hold time of cursors without a socket ends: without a path no reader can
 * go on with the stream.
 */
static void weir_ring_tell(struct weir_ring *ring, enum weir_notice_type type,
			   enum weir_reason reason)
{
	struct weir_reader *rd;
	unsigned long slot;

	mutex_lock(&ring->slot_lock);
	xa_for_each(&ring->slots, slot, rd) {
		struct weir_party *p;

		spin_lock_bh(&ring->lock);
		p = rd->party;
		if (p)
			sock_hold(p->sk);
		else if (rd->ops->ended && !rd->joining)
			rd->ops->ended(rd);
		spin_unlock_bh(&ring->lock);
		if (!p)
			continue;
		weir_inbox_post(p, rd, type, reason);
		weir_party_tell(p, WEIR_TELL_IN);
		sock_put(p->sk);
		cond_resched();
	}
	mutex_unlock(&ring->slot_lock);
}

/*
 * Ends the stream and takes the ring off its path. The caller holds
 * weir_net.lock and a reference. Returns whether the caller must then call
 * weir_ring_ended() without the lock: it takes time for each reader.
 */
static bool weir_ring_end(struct weir_ring *ring, enum weir_state state,
			  enum weir_reason reason)
	__must_hold(&ring->wn->lock)
{
	struct weir_status *status = weir_ring_status(ring);
	struct weir_path *path = ring->path;
	u64 end = 0;
	u32 seq = 0;
	bool first;

	lockdep_assert_held(&ring->wn->lock);
	if (weir_ring_tail(&ring->view, &end, &seq))
		state = WEIR_STATE_BROKEN;
	spin_lock_bh(&ring->lock);
	first = weir_ring_live(ring);
	if (first) {
		WRITE_ONCE(status->final_pos, end);
		WRITE_ONCE(status->final_seq, seq);
		smp_store_release(&status->state, state);
		WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_CLOSED);
	}
	spin_unlock_bh(&ring->lock);
	if (first)
		trace_weir_state(ring, state, reason);

	/* a broken ring ended earlier, but is still on its path */
	if (path) {
		hash_del(&ring->linger_link);
		list_del_init(&ring->path_link);
		ring->path = NULL;
		weir_path_put(path);
		weir_ring_put(ring);	/* the path's reference */
	}
	return first || path;
}

/* Wakes the readers and posts notices about the end to their sockets. */
static void weir_ring_ended(struct weir_ring *ring, enum weir_reason reason)
{
	weir_ring_wake_readers(ring);
	weir_ring_tell(ring, READ_ONCE(weir_ring_status(ring)->state) ==
		       WEIR_STATE_BROKEN ? WEIR_NOTICE_BROKEN :
		       WEIR_NOTICE_DETACHED, reason);
}

/*
 * Ends the stream of an outbox whose writer is gone or may no longer write.
 * @ring is held. @state: WEIR_STATE_CLOSED or WEIR_STATE_BROKEN. @reason: for
 * the notices to the readers. Readers still get all committed records and then
 * see the end. Takes the ring off its path. Process context, without
 * weir_net.lock.
 */
static void weir_ring_close(struct weir_ring *ring, enum weir_state state,
			    enum weir_reason reason)
{
	bool tell;

	mutex_lock(&ring->wn->lock);
	tell = weir_ring_end(ring, state, reason);
	mutex_unlock(&ring->wn->lock);
	if (tell)
		weir_ring_ended(ring, reason);
}

/* weir_ring_expire() - weir_ring.expire: the linger time of a stream is over */
void weir_ring_expire(struct weir_timer *timer)
{
	struct weir_ring *ring = container_of(timer, struct weir_ring, expire);
	struct weir_net *wn = ring->wn;
	enum weir_reason reason;
	bool mine, tell = false;

	weir_race_point(expire_work);
	mutex_lock(&wn->lock);
	spin_lock_bh(&ring->lock);
	/* a late timer must not end a stream that lingers again */
	mine = (!ring->writer || ring->closing) && ring->path &&
	       weir_ring_status(ring)->state != WEIR_STATE_OPEN &&
	       time_after_eq(jiffies, ring->linger_end);
	reason = ring->closing ? WEIR_REASON_CLOSED : WEIR_REASON_EXPIRED;
	spin_unlock_bh(&ring->lock);
	if (mine)
		tell = weir_ring_end(ring, WEIR_STATE_CLOSED, reason);
	mutex_unlock(&wn->lock);
	if (mine && reason == WEIR_REASON_EXPIRED)
		weir_drop(ring->name, reason);
	if (tell)
		weir_ring_ended(ring, reason);
	weir_race_point(expire_done);
	/* the last put of a large ring takes long: not under the lock */
	weir_ring_put(ring);
}

/*
 * weir_ring_break() - mark a ring as broken: its owner's head words are invalid
 *
 * Does not sleep. Softirq may call it. Only marks the ring and wakes its
 * readers. The owner's next call fails, and the readers see the end.
 */
void weir_ring_break(struct weir_ring *ring, enum weir_reason reason)
{
	struct weir_status *status = weir_ring_status(ring);
	bool was_live;

	spin_lock_bh(&ring->lock);
	was_live = weir_ring_live(ring);
	if (was_live) {
		smp_store_release(&status->state, WEIR_STATE_BROKEN);
		WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_CLOSED);
	}
	spin_unlock_bh(&ring->lock);
	if (!was_live)
		return;
	weir_drop(ring->name, reason);
	weir_stat_inc(WEIR_STAT_BROKEN);
	trace_weir_state(ring, WEIR_STATE_BROKEN, reason);
	weir_ring_wake_readers(ring);
}

/*
 * Ends the stream. If a worker still joins subscribers, the stream ends when
 * the worker is done, after a second at the latest. So the subscribers get the
 * published records, and the publisher does not wait. Until the end the path
 * stays in use, because its permissions decide which users may read. The same
 * user may publish there at once, but not listen. Joins of other users do not
 * delay the end: each user has a worker of its own.
 *
 * Return value as of weir_ring_end().
 */
static bool weir_ring_end_joined(struct weir_ring *ring,
				 enum weir_reason reason)
	__must_hold(&ring->wn->lock)
{
	struct weir_status *status = weir_ring_status(ring);
	bool late, first = false;
	u64 tail = 0;
	u32 seq;

	lockdep_assert_held(&ring->wn->lock);
	/* a publisher without records leaves nothing to read */
	if (weir_ring_tail(&ring->view, &tail, &seq))
		tail = 0;
	spin_lock_bh(&ring->lock);
	late = tail && (ring->keeper || ring->closing) && ring->path &&
	       weir_ring_live(ring);
	if (late && !ring->closing) {
		first = true;
		ring->closing = true;
		WRITE_ONCE(status->state, WEIR_STATE_LINGER);
		/* the publisher's next commit finds the end */
		WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_CLOSED);
		ring->linger_end = jiffies + WEIR_RING_END_JIFFIES;
		ring->keeper->hold_end = ring->linger_end;
		weir_timer_move(&ring->keeper->hold, WEIR_RING_END_JIFFIES);
		weir_timer_set(&ring->expire, WEIR_RING_END_JIFFIES);
	}
	spin_unlock_bh(&ring->lock);
	if (first)
		trace_weir_state(ring, WEIR_STATE_LINGER, reason);
	return !late && weir_ring_end(ring, WEIR_STATE_CLOSED, reason);
}

/**
 * weir_ring_joined() - a worker has joined a stream's subscribers
 * @ring: the outbox, held.
 *
 * Ends the stream now if its publisher has ended it meanwhile. Does not sleep.
 */
void weir_ring_joined(struct weir_ring *ring)
{
	spin_lock_bh(&ring->lock);
	if (ring->closing && weir_ring_live(ring)) {
		ring->linger_end = jiffies;
		weir_timer_move(&ring->expire, 0);
	}
	spin_unlock_bh(&ring->lock);
}

/**
 * weir_ring_shut() - the publisher ends its stream
 * @ring: the outbox, held.
 * @reason: reason in the notices to the readers.
 *
 * As weir_ring_close(), but the stream ends up to a second later if a worker
 * still joins subscribers. The caller does not wait for that end.
 */
void weir_ring_shut(struct weir_ring *ring, enum weir_reason reason)
{
	bool tell;

	mutex_lock(&ring->wn->lock);
	tell = weir_ring_end_joined(ring, reason);
	mutex_unlock(&ring->wn->lock);
	if (tell)
		weir_ring_ended(ring, reason);
}

/*
 * A ring without an owner lingers or ends. @repair: drop claims that were not
 * committed. @outbox: as for weir_ring_owner_gone(). Puts the owner's
 * reference.
 */
static void weir_ring_settle(struct weir_ring *ring, struct weir_ring **outbox,
			     bool repair)
{
	struct weir_status *status = weir_ring_status(ring);
	struct weir_net *wn = ring->wn;
	bool lingers = false, tell = false;

	if (repair && weir_ring_repair(ring))
		weir_ring_break(ring, WEIR_REASON_BAD_RECORD);

	weir_race_point(linger);
	mutex_lock(&wn->lock);
	if (ring->linger_ms && ring->path &&
	    status->state == WEIR_STATE_OPEN) {
		unsigned long delay = msecs_to_jiffies(ring->linger_ms);

		spin_lock_bh(&ring->lock);
		WRITE_ONCE(status->state, WEIR_STATE_LINGER);
		ring->linger_end = jiffies + delay;
		spin_unlock_bh(&ring->lock);
		hash_add(wn->lingering, &ring->linger_link,
			 weir_linger_key(ring->path, ring->uid));
		trace_weir_state(ring, WEIR_STATE_LINGER, WEIR_REASON_NONE);
		weir_timer_set(&ring->expire, delay);
		lingers = true;
	} else {
		tell = weir_ring_end_joined(ring, WEIR_REASON_CLOSED);
	}
	if (outbox)
		WRITE_ONCE(*outbox, NULL);
	mutex_unlock(&wn->lock);
	if (lingers)
		weir_ring_wake_readers(ring);
	if (tell)
		weir_ring_ended(ring, WEIR_REASON_CLOSED);
	weir_ring_put(ring);
}

/* weir_ring_settle_part() - weir_ring.settle */
bool weir_ring_settle_part(struct weir_job *job)
{
	struct weir_ring *ring = container_of(job, struct weir_ring, settle);
	bool read;

	/* an ended ring without readers needs no repair */
	spin_lock_bh(&ring->lock);
	read = weir_ring_live(ring) || !list_empty(&ring->readers);
	spin_unlock_bh(&ring->lock);
	weir_ring_settle(ring, NULL, read);
	return false;
}

/**
 * weir_ring_owner_gone() - the writing socket is being closed
 * @ring: its outbox; this function takes over the socket's reference.
 * @outbox: the socket's pointer to it, cleared under weir_net.lock; or NULL.
 * @repair: drop claims that were not committed. False for a ring that was never
 *	written to, and for one that the router reads: the router does so
 *	itself.
 *
 * The stream lingers if it has a linger time and a name. Otherwise it ends when
 * its subscribers have been joined. To repair a ring and to tell its readers
 * takes long. A thread that has nothing to do with the owner leaves that to a
 * worker of the owner's user; not for a pair, whose peer must find the end at
 * once. No VMA of the owner is left, because each VMA holds the file. Process
 * context, may sleep.
 */
void weir_ring_owner_gone(struct weir_ring *ring, struct weir_ring **outbox,
			  bool repair)
{
	struct weir_status *status = weir_ring_status(ring);

	/* no more unmapping in the owner's VMAs, no more waking the owner */
	weir_race_point(owner_gone);
	mutex_lock(&ring->slot_lock);
	ring->owner_mapping = NULL;
	mutex_unlock(&ring->slot_lock);
	spin_lock_bh(&ring->lock);
	WRITE_ONCE(ring->writer, NULL);
	WRITE_ONCE(status->wake, status->wake & ~WEIR_WAKE_WRITER);
	WRITE_ONCE(status->wake_pos, U64_MAX);
	spin_unlock_bh(&ring->lock);
	weir_timer_cancel_sync(&ring->reap);

	if (!repair || !ring->pub_seq ||
	    !weir_stranger(ring->uid, ring->pid)) {
		weir_ring_settle(ring, outbox, repair);
		return;
	}
	mutex_lock(&ring->wn->lock);
	WRITE_ONCE(*outbox, NULL);
	mutex_unlock(&ring->wn->lock);
	weir_jobs_add(&ring->tenant->ends, &ring->settle);
}

/*
 * weir_ring_take_over() - a new owner goes on with a lingering stream
 *
 * The caller has checked that @ring lingers and that the user may take it over.
 * The new owner gets a reference of its own.
 */
void weir_ring_take_over(struct weir_ring *ring, const struct weir_owner *o,
			 const struct weir_ring_spec *spec)
	__must_hold(&ring->wn->lock)
{
	struct weir_status *status = weir_ring_status(ring);
	struct pid *pid = get_pid(o->pid);

	lockdep_assert_held(&ring->wn->lock);
	weir_race_point(take_over);
	/* a running timer finds an owner, or a later linger_end */
	weir_timer_cancel(&ring->expire);
	hash_del(&ring->linger_link);
	weir_ring_get(ring);
	spin_lock_bh(&ring->lock);
	WRITE_ONCE(ring->writer, spec->party);
	swap(ring->pid, pid);
	WRITE_ONCE(ring->evict_ms, spec->evict_ms);
	ring->linger_ms = spec->linger_ms;
	WRITE_ONCE(status->state, WEIR_STATE_OPEN);
	spin_unlock_bh(&ring->lock);
	put_pid(pid);
	trace_weir_state(ring, WEIR_STATE_OPEN, WEIR_REASON_TAKEN_OVER);
}

/**
 * weir_streams_end() - end the streams of a namespace and the cursors on them
 * @wn: the namespace, without sockets: streams that linger, and cursors that
 *	are held by name.
 *
 * Process context, may sleep.
 */
void weir_streams_end(struct weir_net *wn)
{
	struct weir_ring *ring;
	struct weir_reader *rd;
	unsigned long id = 0, slot;

	while ((ring = weir_ring_next(wn, &id))) {
		weir_race_point(netns_exit);
		for (;;) {
			mutex_lock(&ring->slot_lock);
			slot = 0;
			rd = xa_find(&ring->slots, &slot, ULONG_MAX,
				     XA_PRESENT);
			if (rd)
				weir_reader_get(rd);
			mutex_unlock(&ring->slot_lock);
			if (!rd)
				break;
			weir_reader_detach(rd, WEIR_REASON_NETNS);
			weir_reader_put(rd);
		}
		/* a ring that is closed does not begin to linger */
		weir_ring_close(ring, WEIR_STATE_CLOSED, WEIR_REASON_NETNS);
		weir_timer_cancel(&ring->expire);
		weir_job_first(ring->tenant, &ring->settle);
		weir_drop(ring->name, WEIR_REASON_NETNS);
		weir_ring_put(ring);
	}
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_ring_break);
EXPORT_SYMBOL_IF_KUNIT(weir_ring_owner_gone);
#endif
