// SPDX-License-Identifier: GPL-2.0
/*
 * Cursors: the kernel's checks of them, and the end of a reader. A process
 * writes its cursor page, so every position in it is masked and checked before
 * use. attach.c attaches readers, gate.c evicts them, named_cursor.c keeps
 * named cursors without a socket.
 *
 * Process context; a detach also runs in timers of the ring's user.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "logic/account.h"
#include "party.h"
#include "race.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "stats.h"
#include "tenant.h"
#include "trace.h"
#include "weir.h"

void weir_reader_get(struct weir_reader *rd)
{
	refcount_inc(&rd->ref);
}

void weir_reader_put(struct weir_reader *rd)
{
	if (!refcount_dec_and_test(&rd->ref))
		return;
	if (rd->ops->release)
		rd->ops->release(rd->data);
	put_page(rd->page);
	weir_uncharge(&rd->charge);
	weir_ring_put(rd->ring);
	weir_tenant_put(rd->tenant);
	kfree(rd);
}

/* Removes the reader from its party and puts the party's reference. */
void weir_reader_hide(struct weir_party *p, struct weir_reader *rd)
{
	bool shown;

	spin_lock(&p->lock);
	if (!list_empty(&rd->party_link)) {
		list_del_init(&rd->party_link);
		WRITE_ONCE(p->nreaders, p->nreaders - 1);
	}
	shown = xa_cmpxchg_bh(&p->ids, rd->id, rd, NULL, 0) == rd;
	spin_unlock(&p->lock);
	if (shown)
		weir_reader_put(rd);
}

/* Clears the gating bit and leaves the armed list. */
void weir_reader_ungate(struct weir_reader *rd)
	__must_hold(&rd->ring->lock)
{
	struct weir_status *status = weir_ring_status(rd->ring);

	lockdep_assert_held(&rd->ring->lock);
	list_del_init(&rd->armed_link);
	/* without its gating bit it holds no position for others */
	if (rd->ring->keeper == rd)
		rd->ring->keeper = NULL;
	if (status->gating[rd->slot / 64] & BIT_ULL(rd->slot % 64)) {
		WRITE_ONCE(status->gating[rd->slot / 64],
			   status->gating[rd->slot / 64] &
			   ~BIT_ULL(rd->slot % 64));
		smp_store_release(&status->gen, status->gen + 1);
	}
}

/*
 * weir_reader_detach_locked() - weir_reader_detach() under slot_lock of the
 * ring
 *
 * Releases that lock.
 */
void weir_reader_detach_locked(struct weir_reader *rd, enum weir_reason reason)
{
	struct weir_ring *ring = rd->ring;
	struct weir_party *p;
	bool first;

	spin_lock_bh(&ring->lock);
	first = !list_empty(&rd->ring_link);
	p = rd->party;
	if (first) {
		weir_reader_ungate(rd);
		ring->fence_pins -= rd->pins_fence;
		if (ring->full_reader == rd)
			WRITE_ONCE(ring->full_reader, NULL);
		list_del_init(&rd->ring_link);
		rd->party = NULL;
		weir_ring_status(ring)->detaches++;
	}
	spin_unlock_bh(&ring->lock);
	if (first)
		weir_slot_give(rd);
	mutex_unlock(&ring->slot_lock);
	if (!first)
		return;

	trace_weir_detach(ring, rd->slot, rd->id, reason);
	weir_stat_add(WEIR_STAT_READERS, -1);
	weir_stat_inc(WEIR_STAT_DETACHES);
	weir_timer_cancel(&rd->hold);
	weir_race_point(detach);
	if (p)
		weir_reader_hide(p, rd);
	weir_ring_moved(ring, U64_MAX);
	weir_reader_put(rd);	/* the slot table's */
}

/**
 * weir_reader_detach() - end a reader
 * @rd: the reader; the caller holds a reference.
 * @reason: reason in the trace.
 *
 * Frees its slot and its place in the ring; VMAs of the cursor page keep the
 * page. A second call does nothing. Process context, may sleep.
 */
void weir_reader_detach(struct weir_reader *rd, enum weir_reason reason)
{
	mutex_lock(&rd->ring->slot_lock);
	weir_reader_detach_locked(rd, reason);
}

/* The reader with this id on the socket, held, or NULL. */
struct weir_reader *weir_reader_find(struct weir_party *p, u32 id)
{
	struct weir_reader *rd;

	xa_lock_bh(&p->ids);
	rd = xa_load(&p->ids, id);
	if (rd)
		weir_reader_get(rd);
	xa_unlock_bh(&p->ids);
	return rd;
}

/*
 * weir_reader_ended() - has the stream ended, with no record from @pos on?
 *
 * False too if only aborted records were seen within WEIR_SCAN_RECORDS. The
 * state is read before the ring, so the last record is not missed.
 */
bool weir_reader_ended(struct weir_reader *rd, u64 pos)
{
	struct weir_ring_rec rec;
	u32 state = smp_load_acquire(&weir_ring_status(rd->ring)->state);
	int got;

	if (state == WEIR_STATE_OPEN || state == WEIR_STATE_LINGER)
		return false;
	pos &= ~(u64)(WEIR_GRANULE - 1);
	got = weir_ring_peek_some(&rd->ring->view, &pos, &rec,
				  WEIR_SCAN_RECORDS);
	return got != 1 && got != -EAGAIN;
}

/* The slow part of weir_reader_ready(): a look at the records from @pos on. */
static noinline bool weir_reader_scan(const struct weir_reader *rd, u64 pos,
				      u32 *left)
{
	const struct weir_ring_view *v = &rd->ring->view;
	struct weir_ring_rec rec;
	u64 at = pos, tail;
	u32 seq;

	/* no budget left: any committed record counts as something to see */
	if (!*left && weir_committed(v, pos))
		return true;
	if (weir_ring_peek_some(v, &at, &rec, WEIR_SCAN_RECORDS))
		return true;
	*left -= min(*left, weir_scan_cost(pos, at));
	/* overtaken: the bytes at its position belong to a later lap */
	return !rd->gating && !weir_ring_tail(v, &tail, &seq) &&
	       tail - pos > weir_ring_bytes(v);
}

/**
 * weir_reader_ready() - is there something that the reader should look at?
 * @rd: the reader.
 * @left: rest of WEIR_SCAN_BUDGET; reduced by the aborted records passed.
 *
 * Does not sleep. Returns true if there is or may be a record, the end of the
 * stream, an eviction or invalid words; false if there is surely nothing.
 */
bool weir_reader_ready(struct weir_reader *rd, u32 *left)
{
	u64 pos = READ_ONCE(rd->cursor->pos);
	struct weir_ring *ring = rd->ring;

	if (rd->evicted || pos & (WEIR_GRANULE - 1) || !weir_ring_live(ring))
		return true;
	if (rd->gating && !weir_committed(&ring->view, pos))
		return false;
	return weir_reader_scan(rd, pos, left);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_reader_detach);
EXPORT_SYMBOL_IF_KUNIT(weir_reader_put);
#endif
