// SPDX-License-Identifier: GPL-2.0
/*
 * The gate of a writer: how far its readers let it write, and the eviction of
 * readers that hold it back for too long or that have an invalid cursor.
 *
 * Process context. weir_writable() does not sleep unless it has to evict.
 */
#include <linux/ktime.h>
#include <linux/list.h>

#include "party.h"
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

/**
 * weir_reader_evict() - stop waiting for a reader
 * @rd: the reader; ring->lock is not held.
 * @reason: WEIR_REASON_SLOW or WEIR_REASON_BAD_CURSOR.
 *
 * The reader loses its gating bit and gets a notice. It stays in its slot until
 * it detaches.
 */
void weir_reader_evict(struct weir_reader *rd, enum weir_reason reason)
{
	struct weir_ring *ring = rd->ring;
	struct weir_party *p = NULL;
	bool first;

	weir_race_point(evict);
	spin_lock_bh(&ring->lock);
	first = !rd->evicted && !list_empty(&rd->ring_link);
	if (first) {
		WRITE_ONCE(rd->evicted, true);
		/* seen by readers of overwritten bytes: weir_recv_torn() */
		smp_wmb();
		weir_reader_ungate(rd);
		weir_ring_status(ring)->evictions++;
		p = rd->party;
		if (p)
			sock_hold(p->sk);
		else if (!rd->joining)	/* see weir_reader_show() */
			weir_reader_unhold(rd);
	}
	spin_unlock_bh(&ring->lock);
	if (!first)
		return;
	weir_stat_inc(WEIR_STAT_EVICTIONS);
	weir_drop(ring->name, reason);
	trace_weir_evict(ring, rd->slot, rd->id, reason);
	if (p) {
		atomic64_inc(&p->evicted);
		weir_inbox_post(p, rd, WEIR_NOTICE_EVICTED, reason);
		weir_party_tell(p, WEIR_TELL_IN);
		sock_put(p->sk);
	}
}

static void weir_reader_slow(struct weir_reader *rd)
{
	weir_reader_evict(rd, WEIR_REASON_SLOW);
}

static void weir_reader_invalid(struct weir_reader *rd)
{
	weir_reader_evict(rd, WEIR_REASON_BAD_CURSOR);
}

/* Readers of processes: whatever they do wrong, the writer goes on. */
const struct weir_reader_ops weir_reader_ops = {
	.slow		= weir_reader_slow,
	.invalid	= weir_reader_invalid,
	.ended		= weir_reader_unhold,
};

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

		if (reason == WEIR_REASON_SLOW)
			rd->ops->slow(rd);
		else
			rd->ops->invalid(rd);
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
	ring->lowest = scan.min;
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
	return weir_ring_wake_room(ring, READ_ONCE(ring->want));
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
 * Scans the readers that hold the writer back. Collects those that have
 * not moved for @evict_ms in @late. Returns whether other readers hold it back.
 */
static bool weir_reap_scan(struct weir_ring *ring, u32 evict_ms, ktime_t now,
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

		if (!rd->gating || rd->evicted || !rd->ops->slow)
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
 * weir_ring_reap() - weir_ring.reap of an outbox whose writer is held back
 *
 * Finds the readers that have not moved, and evicts them when their time is
 * over.
 */
void weir_ring_reap(struct weir_timer *timer)
{
	struct weir_ring *ring = container_of(timer, struct weir_ring, reap);
	u32 evict_ms = READ_ONCE(ring->evict_ms);
	struct weir_evicts late = { .n = 0 };
	ktime_t now = ktime_get();
	bool blocked;

	do {
		spin_lock_bh(&ring->lock);
		blocked = weir_reap_scan(ring, evict_ms, now, &late);
		spin_unlock_bh(&ring->lock);
	} while (weir_evicts_done(&late, WEIR_REASON_SLOW));

	weir_ring_moved(ring, U64_MAX);
	if (blocked)
		weir_timer_set(&ring->reap,
			       max(1UL, msecs_to_jiffies(evict_ms) / 4));
	weir_ring_put(ring);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_ring_reap);
EXPORT_SYMBOL_IF_KUNIT(weir_writable);
#endif
