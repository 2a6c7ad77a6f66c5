/* SPDX-License-Identifier: GPL-2.0 */
/* Cursors on a ring: see reader.c, attach.c, gate.c and named_cursor.c. */
#ifndef _WEIR_READER_H
#define _WEIR_READER_H

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>

#include "logic/account.h"
#include "ring/ring.h"
#include "tenant.h"
#include "weir.h"

/**
 * struct weir_reader_ops - what a reader does when it is told of something
 * @wake: it is armed, and the writer has written or ended the stream. The
 *	caller holds the reader, and no lock of the ring; BH may be disabled. It
 *	may still run, once, after weir_reader_detach() has returned. NULL: the
 *	socket of its party is woken.
 * @full: the writer waits for room. No lock of the ring is held. It may still
 *	run, once, after weir_reader_detach() has returned. NULL: there is
 *	nothing to do. A ring has one reader with this function at most.
 * @slow: it has held the writer back for weir_ring.evict_ms without moving;
 *	NULL: it is never too slow. No lock of the ring is held.
 * @invalid: its cursor is invalid, or the writer's head. No lock of the ring.
 * @ended: the stream has ended, and no party has the reader; NULL: there is
 *	nothing to do. Under weir_ring.lock.
 * @release: the reader's last reference was put: no function of these runs any
 *	more, and weir_reader.data may be freed. Any context in which references
 *	are put, softirq included. NULL: there is nothing to do.
 */
struct weir_reader_ops {
	void (*wake)(struct weir_reader *rd);
	void (*full)(struct weir_reader *rd);
	void (*slow)(struct weir_reader *rd);
	void (*invalid)(struct weir_reader *rd);
	void (*ended)(struct weir_reader *rd);
	void (*release)(void *data);
};

/**
 * struct weir_reader - a cursor on a ring
 */
struct weir_reader {
	/** @ref: see the table of lifetimes. */
	refcount_t ref;
	/** @ring: the ring that it reads; held. */
	struct weir_ring *ring;
	/** @slot: index in the ring's slot table and gating bitmap. */
	u32 slot;
	/**
	 * @start_pos: position where it was attached; not writable by the
	 * process.
	 */
	u64 start_pos;
	/** @start_seq: record count there, low 32 bits. */
	u32 start_seq;
	/** @id: stream id on the reading socket. */
	u32 id;
	/**
	 * @sub: weir_party.sub_seq of its subscription; 0: reader of a pair, an
	 * inbox or the kernel.
	 */
	u64 sub;
	/** @page: the cursor page. */
	struct page *page;
	/** @cursor: the kernel's address of @page. */
	struct weir_cursor *cursor;
	/**
	 * @charge: for one object and the page, charged to the reader; fixed.
	 */
	struct weir_charge charge;
	/** @gating: the writer waits for this reader. */
	bool gating;
	/** @ops: what it does when it is told of something; fixed. */
	const struct weir_reader_ops *ops;
	/** @data: for the functions of @ops of a reader of the kernel; fixed. */
	void *data;
	/**
	 * @party: party that reads; NULL while held by name only, and for
	 * readers of the kernel. Guarded by ring->lock.
	 */
	struct weir_party *party;
	/**
	 * @ring_link: in weir_ring.readers, under its lock; empty once
	 * detached.
	 */
	struct list_head ring_link;
	/** @armed_link: in weir_ring.armed or waking, under its lock. */
	struct list_head armed_link;
	/** @party_link: in weir_party.readers, under its lock. */
	struct list_head party_link;
	/**
	 * @fence_gen: weir_ring.fence_gen when this reader last went to sleep.
	 */
	u32 fence_gen;
	/**
	 * @armed_fenced: since the reader was armed, a barrier has run on the
	 * writer's CPUs or was not needed. Means nothing while the reader is
	 * not armed. ring->lock.
	 */
	bool armed_fenced;
	/** @pins_fence: counted in weir_ring.fence_pins; ring->lock. */
	bool pins_fence;
	/**
	 * @mm: address space that maps the cursor, held with mmgrab();
	 * ring->lock.
	 */
	struct mm_struct *mm;
	/** @maps: number of such VMAs; ring->lock. */
	unsigned int maps;
	/** @forked: as weir_ring.owner_forked. */
	bool forked;
	/**
	 * @mapped: a process has mapped the ring or the cursor, and may have
	 * looked at records of which the kernel does not know.
	 */
	bool mapped;
	/**
	 * @peeked: of an inbox: end of the last record that recvmsg() has
	 * delivered, or only shown; the socket's iolock.
	 */
	u64 peeked;
	/**
	 * @evicted: no longer gating: it was too slow or its cursor was
	 * invalid.
	 */
	bool evicted;
	/**
	 * @stuck_pos: cursor position when it first held the writer back;
	 * ring->lock.
	 */
	u64 stuck_pos;
	/**
	 * @stuck_since: time of that look; 0 while the reader holds nobody
	 * back; ring->lock.
	 */
	ktime_t stuck_since;
	/**
	 * @resync_at: jiffies from which on a search after an overrun may take
	 * its whole length again, see recv.c; the socket's iolock.
	 */
	unsigned long resync_at;
	/** @resync_left: bytes that may be searched until then; iolock. */
	u32 resync_left;
	/**
	 * @missed: records lost: overwritten, or published before a late join.
	 */
	u64 missed;
	/**
	 * @notices: BIT(enum weir_notice_type) not yet posted; the inbox's
	 * post.lock.
	 */
	unsigned long notices;
	/**
	 * @reason: reason of the last of these notices; the inbox's post.lock.
	 */
	enum weir_reason reason;
	/** @resumed: a socket has gone on with this named cursor. */
	bool resumed;
	/**
	 * @joining: being attached: @party is not set yet, and the cursor is
	 * not one that is held by name. Guarded by ring->lock.
	 */
	bool joining;
	/** @uid: user that made the reader; never changes. */
	kuid_t uid;
	/**
	 * @hold_ms: milliseconds that a named cursor is held after its socket
	 * has gone.
	 */
	u32 hold_ms;
	/** @hold_end: end of the hold time, in jiffies; ring->lock. */
	unsigned long hold_end;
	/**
	 * @tenant: user that made the reader, held; its worker calls the
	 * function of @hold.
	 */
	struct weir_tenant *tenant;
	/** @hold: timer that detaches the cursor at @hold_end. */
	struct weir_timer hold;
	/** @name: cursor name, or "". */
	char name[WEIR_NAME_MAX + 1];
};

/*
 * Is there certainly nothing to see for the reader? A quick check for sleepers;
 * weir_reader_ready() decides the other cases.
 */
static __always_inline bool weir_reader_quiet(const struct weir_reader *rd)
{
	u64 pos = READ_ONCE(rd->cursor->pos);

	return rd->gating && !rd->evicted && !(pos & (WEIR_GRANULE - 1)) &&
	       weir_ring_live(rd->ring) &&
	       !weir_committed(&rd->ring->view, pos);
}

/*
 * The reader has read up to @pos; @seq: count of the record there. Tells a
 * writer that waits for room. There is one call at a time for one reader.
 */
static __always_inline void weir_reader_move(struct weir_reader *rd, u64 pos,
					     u32 seq)
{
	if (!rd->gating)
		WRITE_ONCE(rd->cursor->seq, seq);
	smp_store_release(&rd->cursor->pos, pos);		/* (D) */
	if (!rd->gating)
		return;
	smp_mb();						/* (C) */
	weir_ring_moved(rd->ring, pos);
}

/*
 * Aborted records that one scan of a ring passes. If only aborted records were
 * seen, the stream counts as readable: recvmsg releases them in such steps.
 */
#define WEIR_SCAN_RECORDS	64

/*
 * Aborted records that one scan passes in all streams of a party, under its
 * lock. When the budget is used up, a stream with any committed record counts
 * as readable, and the party does not sleep.
 */
#define WEIR_SCAN_BUDGET	1024

/* Part of WEIR_SCAN_BUDGET that a scan from @from to @to costs. */
static inline u32 weir_scan_cost(u64 from, u64 to)
{
	return min_t(u64, (to - from) >> WEIR_GRANULE_SHIFT, WEIR_SCAN_RECORDS);
}

/**
 * enum weir_origin - the call in which a socket becomes a reader
 * @WEIR_ORIGIN_READER: the socket's own call: it starts at WEIR_SO_START.
 * @WEIR_ORIGIN_WRITER: bind of a publisher that has written nothing yet. It
 *	does not wait for memory of the reader's cgroup.
 * @WEIR_ORIGIN_WORKER: a worker, for a publisher with many subscribers. The
 *	reader starts at the first position while the keeper holds it. The
 *	worker does not wait for memory either.
 * @WEIR_ORIGIN_RETRY: a worker, for readers that found no memory as
 *	WEIR_ORIGIN_WORKER. It waits for memory.
 */
enum weir_origin {
	WEIR_ORIGIN_READER,
	WEIR_ORIGIN_WRITER,
	WEIR_ORIGIN_WORKER,
	WEIR_ORIGIN_RETRY,
};

/**
 * struct weir_reader_spec - how a party reads a ring
 * @inbox: the ring is the inbox of the party.
 * @gating: the writer waits for the reader.
 * @origin: the call in which the reader is attached.
 * @sub: weir_party.sub_seq of the subscription; 0 without one.
 * @start: WEIR_START_*: where it starts, for WEIR_ORIGIN_READER.
 * @demand: records that it asks for; negative: no limit.
 * @name: name of the cursor, or "".
 * @hold_ms: with a name: milliseconds that the cursor is held without a party.
 */
struct weir_reader_spec {
	bool inbox;
	bool gating;
	enum weir_origin origin;
	u64 sub;
	u32 start;
	s32 demand;
	const char *name;
	u32 hold_ms;
};

/* attach.c */
struct weir_reader *weir_reader_attach(struct weir_party *p,
				       struct weir_ring *ring,
				       const struct weir_reader_spec *spec);
struct weir_reader *weir_reader_attach_keeper(struct weir_owner *o,
					      struct weir_ring *ring,
					      u32 hold_ms);
struct weir_reader *
weir_reader_attach_kernel(struct weir_owner *o, struct weir_ring *ring,
			  const struct weir_reader_ops *ops, void *data);
struct weir_reader *weir_reader_find_named(const char *name, kuid_t uid,
					   struct weir_ring *ring);
struct weir_reader *weir_reader_resume(struct weir_party *p,
				       struct weir_reader *found, u32 hold_ms);

/* gate.c */
extern const struct weir_reader_ops weir_reader_ops;

void weir_reader_evict(struct weir_reader *rd, enum weir_reason reason);

/* reader.c */
void weir_reader_detach(struct weir_reader *rd, enum weir_reason reason);
struct weir_reader *weir_reader_find(struct weir_party *p, u32 id);
void weir_reader_get(struct weir_reader *rd);
void weir_reader_put(struct weir_reader *rd);
bool weir_reader_ready(struct weir_reader *rd, u32 *left);
bool weir_reader_ended(struct weir_reader *rd, u64 pos);

/* named_cursor.c */
void weir_reader_leave(struct weir_reader *rd);
void weir_reader_unhold(struct weir_reader *rd);
void weir_reader_undo(struct weir_party *p, struct weir_reader *rd);

/* Shared by reader.c, attach.c, gate.c and named_cursor.c. */
void weir_reader_ungate(struct weir_reader *rd);
void weir_reader_hide(struct weir_party *p, struct weir_reader *rd);
void weir_reader_hold_over(struct weir_timer *timer);
void weir_reader_detach_locked(struct weir_reader *rd, enum weir_reason reason);
void weir_slot_give(struct weir_reader *rd);

#endif /* _WEIR_READER_H */
