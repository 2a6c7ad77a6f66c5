// SPDX-License-Identifier: GPL-2.0
/*
 * Named cursors that outlive their socket for their hold time. A later socket
 * goes on with one by weir_reader_resume() in attach.c.
 *
 * Process context.
 */
#include "net.h"
#include "owner.h"
#include "party.h"
#include "race.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "stats.h"
#include "tenant.h"
#include "weir.h"

/* A cursor whose slot cannot be freed is looked at again after this time. */
#define WEIR_HOLD_AGAIN_JIFFIES	(HZ / 20)

/* weir_reader_hold_over() - weir_reader.hold: ends the hold time of a cursor */
void weir_reader_hold_over(struct weir_timer *timer)
{
	struct weir_reader *rd = container_of(timer, struct weir_reader, hold);
	struct weir_net *wn = rd->ring->wn;
	bool mine;

	weir_race_point(hold_work);
	mutex_lock(&wn->lock);
	spin_lock_bh(&rd->ring->lock);
	/* a late timer must not end a hold that began again */
	mine = !rd->party && !list_empty(&rd->ring_link) &&
	       time_after_eq(jiffies, rd->hold_end);
	if (mine) {
		rd->evicted = true;	/* nobody may go on with it */
		weir_reader_ungate(rd);
	}
	spin_unlock_bh(&rd->ring->lock);
	/* slot_lock may be held for long: do not wait under weir_net.lock */
	mutex_unlock(&wn->lock);
	if (mine)
		weir_ring_moved(rd->ring, U64_MAX);
	if (mine && !mutex_trylock(&rd->ring->slot_lock)) {
		/*
		 * The ring's owner may keep it busy, and others have holds that
		 * end, too. Only the slot waits: the writer does not any more.
		 */
		weir_timer_set(&rd->hold, WEIR_HOLD_AGAIN_JIFFIES);
	} else if (mine) {
		weir_drop(rd->ring->name, WEIR_REASON_EXPIRED);
		weir_reader_detach_locked(rd, WEIR_REASON_EXPIRED);
	}
	weir_race_point(hold_done);
	weir_reader_put(rd);
}

/*
 * Keeps a named cursor without a socket until @end, in jiffies. Returns false
 * if nobody could go on with it; the caller must then detach it.
 */
static bool weir_reader_keep(struct weir_reader *rd, unsigned long end)
	__must_hold(&rd->ring->wn->lock)
{
	struct weir_ring *ring = rd->ring;
	struct weir_party *p;
	long left = end - jiffies;

	lockdep_assert_held(&ring->wn->lock);
	weir_race_point(leave);
	spin_lock_bh(&ring->lock);
	if (list_empty(&rd->ring_link) || rd->evicted || !weir_ring_live(ring)) {
		spin_unlock_bh(&ring->lock);
		return false;
	}
	p = rd->party;
	rd->party = NULL;
	list_del_init(&rd->armed_link);
	rd->hold_end = end;
	/* under the lock: a later detach or eviction finds the timer */
	weir_timer_move(&rd->hold, max(left, 0L));
	spin_unlock_bh(&ring->lock);
	weir_race_point(keep);
	if (p)
		weir_reader_hide(p, rd);
	return true;
}

/*
 * weir_reader_undo() - the call that attached or resumed a reader has failed
 *
 * A resumed cursor is held by name again, for the rest of its time. Any other
 * one is detached. The caller holds a reference; @p is the party.
 */
void weir_reader_undo(struct weir_party *p, struct weir_reader *rd)
{
	bool kept = false;

	weir_inbox_post(p, rd, WEIR_NOTICE_DETACHED, WEIR_REASON_CLOSED);
	if (rd->resumed) {
		mutex_lock(&p->owner->wn->lock);
		kept = weir_reader_keep(rd, rd->hold_end);
		mutex_unlock(&p->owner->wn->lock);
	}
	if (!kept)
		weir_reader_detach(rd, WEIR_REASON_CLOSED);
}

/*
 * weir_reader_leave() - the reading socket is being closed
 *
 * A named cursor keeps its place for its hold time. Any other is detached. The
 * caller holds a reference.
 */
void weir_reader_leave(struct weir_reader *rd)
{
	struct weir_net *wn = rd->ring->wn;
	bool kept = false;

	if (rd->hold_ms && rd->name[0]) {
		mutex_lock(&wn->lock);
		kept = weir_reader_keep(rd, jiffies +
					msecs_to_jiffies(rd->hold_ms));
		mutex_unlock(&wn->lock);
	}
	if (!kept)
		weir_reader_detach(rd, WEIR_REASON_CLOSED);
}

/* Ends the hold time of a cursor without a socket. */
void weir_reader_unhold(struct weir_reader *rd)
	__must_hold(&rd->ring->lock)
{
	lockdep_assert_held(&rd->ring->lock);
	rd->hold_end = jiffies;
	weir_timer_move(&rd->hold, 0);
}
