// SPDX-License-Identifier: GPL-2.0
/*
 * WEIR_IOC_LIST of streams and their cursors. Their positions are read while
 * processes move them.
 *
 * Process context.
 */
#include <linux/pid.h>

#include "ctl/list.h"
#include "owner.h"
#include "party.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "sock/sock.h"
#include "weir.h"

/* Count of the record that a reader at @pos reads next. */
static u32 weir_list_seq(const struct weir_reader *rd, u64 pos)
{
	if (!rd->gating)
		return READ_ONCE(rd->cursor->seq);
	return weir_ring_seq(&rd->ring->view, pos);
}

/*
 * How far is a cursor at @pos behind the writer? @from: count of its next
 * record. Returns false if its position or the ring is broken.
 */
static bool weir_list_lag(const struct weir_ring *ring, u64 pos, u32 from,
			  u64 *bytes, u64 *records)
{
	u64 tail;
	u32 seq;

	/* read the tail last: a busy writer must not seem behind a reader */
	if (weir_ring_tail(&ring->view, &tail, &seq))
		return false;
	*bytes = tail - pos;
	*records = seq - from;
	return (s64)*bytes >= 0;
}

/**
 * struct weir_list_slowest - the reader of a stream that is furthest behind
 * @behind: bytes from its position to e->pos, which the writer had reached when
 *	the listing of the stream began; -1: there is no gating reader.
 * @pos: its position.
 * @seq: count of the record at @pos.
 */
struct weir_list_slowest {
	s64 behind;
	u64 pos;
	u32 seq;
};

/*
 * Count the readers and find the slowest one. The tail is searched for only
 * once, not once for each reader.
 */
static void weir_list_readers(struct weir_list_entry *e, struct weir_ring *ring,
			      struct weir_list_slowest *slowest)
	__must_hold(&ring->lock)
{
	struct weir_reader *rd;

	lockdep_assert_held(&ring->lock);
	slowest->behind = -1;
	list_for_each_entry(rd, &ring->readers, ring_link) {
		u64 pos = READ_ONCE(rd->cursor->pos);

		e->count++;
		if (!rd->gating || rd->evicted ||
		    (s64)(e->pos - pos) <= slowest->behind)
			continue;
		slowest->behind = e->pos - pos;
		slowest->pos = pos;
		slowest->seq = weir_list_seq(rd, pos);
	}
}

static void weir_list_ring(struct weir_list_ctx *ctx, struct weir_ring *ring)
{
	struct weir_list_slowest slowest;
	struct weir_list_entry *e;
	u64 bytes, records;
	u32 seq = 0;

	e = weir_list_fresh(ctx, ring->id, ring->uid);
	e->type = ring->type;
	e->ring_bytes = weir_ring_bytes(&ring->view);
	e->state = READ_ONCE(weir_ring_status(ring)->state);
	e->flags = weir_ring_status(ring)->flags;
	e->copied_bytes = weir_ring_status(ring)->copied_bytes;
	if (!weir_ring_tail(&ring->view, &e->pos, &seq))
		e->seq = seq;
	strscpy(e->name, ring->name, sizeof(e->name));
	spin_lock_bh(&ring->lock);
	e->pid = pid_vnr(ring->pid);
	e->parent = ring->writer ? weir_party_sock(ring->writer)->id : 0;
	weir_list_readers(e, ring, &slowest);
	spin_unlock_bh(&ring->lock);
	if (slowest.behind >= 0 &&
	    weir_list_lag(ring, slowest.pos, slowest.seq, &bytes, &records)) {
		e->lag_bytes = bytes;
		e->lag_records = records;
	}
}

enum weir_list_found weir_list_stream(struct weir_list_ctx *ctx,
				      unsigned long *id)
{
	struct weir_ring *ring = weir_ring_next(ctx->ws->owner.wn, id);
	bool seen;

	if (!ring)
		return WEIR_FOUND_END;
	seen = weir_list_sees(ctx, ring->uid);
	if (seen)
		weir_list_ring(ctx, ring);
	weir_ring_put(ring);
	return seen ? WEIR_FOUND_ENTRY : WEIR_FOUND_HIDDEN;
}

/*
 * The id of a cursor is the ring's id shifted by this, plus the slot, plus 1.
 */
#define WEIR_LIST_SLOT_BITS	13

/*
 * Make the entry of the ring's first cursor that the caller may see, in slots
 * from *@slot on. Sets *@slot to its slot. Returns false when there is none.
 */
static bool weir_list_next_cursor(struct weir_list_ctx *ctx,
				  struct weir_ring *ring, unsigned long *slot)
{
	struct weir_list_entry *e;
	struct weir_reader *rd;
	unsigned long at;
	u64 id;

	/* the caller copies the entry: mmap_lock comes before slot_lock */
	mutex_lock(&ring->slot_lock);
	xa_for_each_start(&ring->slots, at, rd, *slot) {
		if (weir_list_sees(ctx, rd->uid))
			break;
	}
	if (!rd) {
		mutex_unlock(&ring->slot_lock);
		return false;
	}
	*slot = at;
	id = ((u64)ring->id << WEIR_LIST_SLOT_BITS) + at + 1;
	e = weir_list_fresh(ctx, id, rd->uid);
	e->parent = ring->id;
	spin_lock_bh(&ring->lock);
	e->peer = rd->party ? weir_party_sock(rd->party)->id : 0;
	e->pid = rd->party ? pid_vnr(rd->party->owner->pid) : 0;
	spin_unlock_bh(&ring->lock);
	e->type = ring->type;
	e->flags = (rd->gating ? WEIR_READER_GATING : 0) |
		   (rd->name[0] ? WEIR_READER_NAMED : 0) |
		   (rd->evicted ? WEIR_READER_EVICTED : 0);
	e->pos = READ_ONCE(rd->cursor->pos);
	e->seq = weir_list_seq(rd, e->pos);
	e->missed = rd->missed;
	if (!weir_list_lag(ring, e->pos, e->seq, &e->lag_bytes,
			   &e->lag_records)) {
		e->lag_bytes = 0;
		e->lag_records = 0;
	}
	strscpy(e->name, rd->name, sizeof(e->name));
	mutex_unlock(&ring->slot_lock);
	return true;
}

enum weir_list_found weir_list_cursor(struct weir_list_ctx *ctx,
				      unsigned long *id)
{
	/* begin with the ring of the last cursor, which may have more */
	unsigned long ring_id = *id >> WEIR_LIST_SLOT_BITS;
	enum weir_list_found found = WEIR_FOUND_ENTRY;
	struct weir_ring *ring;
	unsigned long base, slot;

	if (ring_id)
		ring_id--;
	ring = weir_ring_next(ctx->ws->owner.wn, &ring_id);
	if (!ring)
		return WEIR_FOUND_END;
	base = ring_id << WEIR_LIST_SLOT_BITS;
	slot = *id > base ? *id - base : 0;
	if (weir_list_next_cursor(ctx, ring, &slot)) {
		*id = base + slot + 1;
	} else {
		/* the next ring */
		*id = base + (1UL << WEIR_LIST_SLOT_BITS);
		found = WEIR_FOUND_HIDDEN;
	}
	weir_ring_put(ring);
	return found;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_list_cursor);
EXPORT_SYMBOL_IF_KUNIT(weir_list_stream);
#endif
