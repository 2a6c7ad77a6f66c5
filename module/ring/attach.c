// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching a reader to a ring, in four steps: reserve an id in the party that
 * reads, take a slot of the ring, enter the gate of its writer, show the reader
 * to its party. A reader of the kernel has no party. Going on with a cursor
 * that is held by name is here, too.
 *
 * Process context.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "charge.h"
#include "logic/account.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "party.h"
#include "race.h"
#include "ring/inbox.h"
#include "ring/map.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/tell.h"
#include "ring/wake.h"
#include "stats.h"
#include "tenant.h"
#include "trace.h"
#include "tunables.h"
#include "weir.h"

/* Allocates and charges a reader; no table knows it yet. */
static struct weir_reader *weir_reader_alloc(struct weir_owner *o,
					     struct weir_ring *ring, gfp_t gfp)
{
	struct weir_reader *rd;
	int err;

	rd = kzalloc(sizeof(*rd), gfp);
	if (!rd)
		goto err_memory;
	refcount_set(&rd->ref, 1);
	INIT_LIST_HEAD(&rd->ring_link);
	INIT_LIST_HEAD(&rd->armed_link);
	INIT_LIST_HEAD(&rd->party_link);
	rd->tenant = weir_tenant_get(o->tenant);
	weir_timer_init(&rd->hold, &rd->tenant->lingers, &rd->ref,
			weir_reader_hold_over);
	rd->uid = o->uid;
	rd->ops = &weir_reader_ops;
	rd->resync_at = jiffies;

	err = weir_charge_owner(&rd->charge, o, PAGE_SIZE, 1);
	if (err)
		goto err_free;
	rd->page = alloc_page(gfp | __GFP_ZERO);
	if (!rd->page)
		goto err_uncharge;
	rd->cursor = page_address(rd->page);
	weir_ring_get(ring);
	rd->ring = ring;
	return rd;

err_uncharge:
	weir_uncharge(&rd->charge);
	weir_tenant_put(rd->tenant);
	kfree(rd);
err_memory:
	/* a try without waiting is repeated with waiting: no drop */
	if (gfpflags_allow_blocking(gfp))
		weir_drop(ring->name, WEIR_REASON_NO_MEMORY);
	return ERR_PTR(weir_owner_refuse(o, -ENOMEM, "no memory for a cursor"));
err_free:
	weir_tenant_put(rd->tenant);
	kfree(rd);
	return ERR_PTR(err);
}

/* Reserves an id in the party for the reader; it is not visible yet. */
static int weir_reader_number(struct weir_party *p, struct weir_reader *rd,
			      bool inbox, gfp_t gfp)
{
	struct xa_limit range = XA_LIMIT(WEIR_ID_STREAM, S32_MAX >> 8);
	u32 id;
	int err;

	if (inbox)
		range = XA_LIMIT(WEIR_ID_INBOX, WEIR_ID_INBOX);
	else if (p->single)
		/* also after connects that failed */
		range.max = WEIR_ID_STREAM;
	if (!inbox && READ_ONCE(p->nreaders) >=
		      READ_ONCE(weir_tunables.streams_max)) {
		weir_drop(rd->ring->name, WEIR_REASON_LIMIT);
		return weir_owner_refuse(p->owner, -ENOBUFS,
					 "this socket reads as many streams as streams_max allows");
	}
	/* do not reuse an id soon: a process may still use it */
	err = xa_alloc_cyclic_bh(&p->ids, &id, NULL, range, &p->next_id,
				 gfp);
	if (err < 0)
		return weir_owner_refuse(p->owner, err, "no number left for the stream");
	rd->id = id;
	return 0;
}

/*
 * Makes the reader visible in its party, to receivers and to calls by id. This
 * is the last step of attaching, done at once: no other thread can end a
 * half-made reader. @reason goes into the notice. Returns false if the reader
 * was detached or the subscription has ended meanwhile.
 */
static bool weir_reader_show(struct weir_party *p, struct weir_reader *rd,
			     enum weir_reason reason)
{
	u32 left = WEIR_SCAN_BUDGET;
	bool shown, evicted;

	weir_race_point(attach_show);
	spin_lock(&p->lock);
	spin_lock_bh(&rd->ring->lock);
	shown = !list_empty(&rd->ring_link) &&
		(rd->id == WEIR_ID_INBOX || rd->sub == p->sub_seq);
	rd->joining = false;
	evicted = rd->evicted;
	if (shown) {
		rd->party = p;
		weir_reader_get(rd);	/* the socket's */
		/* the id is reserved: no allocation here */
		xa_store(&p->ids, rd->id, rd, 0);
	}
	spin_unlock_bh(&rd->ring->lock);
	if (!shown) {
		/* detached, or the subscription has ended meanwhile */
		xa_cmpxchg_bh(&p->ids, rd->id, XA_ZERO_ENTRY, NULL, 0);
	} else if (rd->id != WEIR_ID_INBOX) {
		list_add_tail(&rd->party_link, &p->readers);
		WRITE_ONCE(p->nreaders, p->nreaders + 1);
	}
	if (shown)
		weir_party_arm_new(p, rd);
	spin_unlock(&p->lock);
	if (!shown)
		return false;

	trace_weir_attach(rd->ring, rd->slot, rd->id);
	if (rd->id == WEIR_ID_INBOX)
		return true;
	weir_inbox_post(p, rd, WEIR_NOTICE_ATTACHED, reason);
	if (evicted) {
		atomic64_inc(&p->evicted);
		weir_inbox_post(p, rd, WEIR_NOTICE_EVICTED, WEIR_REASON_SLOW);
	}
	/* a stream that ended earlier sent this reader no notice */
	if (!weir_ring_live(rd->ring))
		weir_inbox_post(p, rd, WEIR_NOTICE_DETACHED,
				WEIR_REASON_CLOSED);
	if (weir_reader_ready(rd, &left))
		weir_party_tell(p, WEIR_TELL_IN);
	return true;
}

/* A start that no option sets: the stream's first byte, if it is held. */
#define WEIR_START_FIRST	U32_MAX

/*
 * Puts a new reader at the tail, or at the lowest position that the writer does
 * not yet count as free. Its gating bit may be set already: (E).
 */
static int weir_reader_seek(struct weir_reader *rd, u32 start)
{
	struct weir_ring_view *v = &rd->ring->view;
	u64 size = weir_ring_bytes(v), tail, floor;
	u32 seq;

	lockdep_assert_held(&rd->ring->lock);
	smp_mb();						/* (E) */
	/* intent first: the tail cannot pass the limit it allows */
	floor = smp_load_acquire(&v->head->intent) - size;
	if (weir_ring_tail(v, &tail, &seq))
		return -EPROTO;
	if (start == WEIR_START_FIRST && (rd->ring->keeper || !rd->gating)) {
		tail = 0;
		seq = 0;
	} else if (start == WEIR_START_OLDEST) {
		if ((s64)floor < 0 || tail - floor > size)
			floor = tail > size ? tail - size : 0;
		tail = floor & ~(u64)(WEIR_GRANULE - 1);
	}
	rd->start_pos = tail;
	rd->start_seq = seq;
	WRITE_ONCE(rd->cursor->seq, seq);
	smp_store_release(&rd->cursor->pos, tail);
	return 0;
}

/* Moves a reader from the oldest byte to the first record after it. */
static void weir_reader_to_record(struct weir_reader *rd)
{
	struct weir_ring_view *v = &rd->ring->view;
	u64 tail, pos;
	u32 seq;

	if (weir_ring_tail(v, &tail, &seq))
		return;
	if (weir_ring_search(rd->ring, rd->cursor->pos, tail, &pos))
		seq = READ_ONCE(weir_ring_at(v, pos)->seq);
	WRITE_ONCE(rd->cursor->seq, seq);
	smp_store_release(&rd->cursor->pos, pos);
}

/*
 * Takes a slot of the ring for a reader, unless its user has a full share. The
 * ring's own user and CAP_NET_ADMIN may take all free slots. After -ENOMEM the
 * caller tries again without the lock: no waiting for memory under the lock.
 */
static int weir_slot_take(struct weir_owner *o, struct weir_reader *rd)
{
	kuid_t user = weir_account_user(rd->charge.account);
	struct weir_ring *ring = rd->ring;
	int err;

	lockdep_assert_held(&ring->slot_lock);
	if (weir_tally_full(&ring->slot_users, user, WEIR_SLOTS_MAX) &&
	    !weir_share_exempt(o, ring->charge.account)) {
		weir_drop(ring->name, WEIR_REASON_LIMIT);
		return weir_owner_refuse(o, -ENOBUFS,
					 "the user has its share of the outbox's readers");
	}
	err = xa_alloc(&ring->slots, &rd->slot, rd,
		       XA_LIMIT(0, WEIR_SLOTS_MAX - 1), WEIR_GFP_NOWAIT);
	if (err == -EBUSY) {
		weir_drop(ring->name, WEIR_REASON_LIMIT);
		return weir_owner_refuse(o, -ENOBUFS,
					 "the outbox has as many readers as it can");
	}
	if (err)
		goto err_memory;
	err = weir_tally_add(&ring->slot_users, user, WEIR_GFP_NOWAIT);
	if (!err)
		return 0;
	xa_erase(&ring->slots, rd->slot);
err_memory:
	return weir_owner_refuse(o, err, "no memory for a cursor");
}

/* weir_slot_give() - gives back the slot of a reader. Under slot_lock. */
void weir_slot_give(struct weir_reader *rd)
{
	lockdep_assert_held(&rd->ring->slot_lock);
	xa_erase(&rd->ring->slots, rd->slot);
	weir_tally_sub(&rd->ring->slot_users,
		       weir_account_user(rd->charge.account));
}

/*
 * The cursor with this name and user, in use or held by name; NULL.
 * slot_lock keeps the list as it is. The search takes long, so no other lock is
 * held for all of it.
 */
static struct weir_reader *weir_reader_named(const char *name, kuid_t uid,
					     struct weir_ring *ring)
	__must_hold(&ring->slot_lock)
{
	struct weir_reader *rd;
	bool stays;

	lockdep_assert_held(&ring->slot_lock);
	list_for_each_entry(rd, &ring->readers, ring_link) {
		if (strcmp(rd->name, name) || !uid_eq(rd->uid, uid))
			continue;
		/* a held cursor that was evicted is about to go */
		spin_lock_bh(&ring->lock);
		stays = rd->party || rd->joining || !rd->evicted;
		spin_unlock_bh(&ring->lock);
		if (stays)
			return rd;
	}
	return NULL;
}

/* weir_reader_find_named() - the same, held; it may have been detached since */
struct weir_reader *weir_reader_find_named(const char *name, kuid_t uid,
					   struct weir_ring *ring)
{
	struct weir_reader *rd;

	if (!name[0])
		return NULL;
	mutex_lock(&ring->slot_lock);
	rd = weir_reader_named(name, uid, ring);
	if (rd)
		weir_reader_get(rd);
	mutex_unlock(&ring->slot_lock);
	return rd;
}

/*
 * Sets the gating bit, then chooses the position: see (E). When the owner's
 * head words are invalid: returns -EPROTO with the bit clear.
 */
static int weir_reader_gate(struct weir_reader *rd, u32 start, s32 demand)
	__must_hold(&rd->ring->lock)
{
	struct weir_ring *ring = rd->ring;
	struct weir_status *status = weir_ring_status(ring);
	u64 bit = BIT_ULL(rd->slot % 64);
	int err;

	lockdep_assert_held(&rd->ring->lock);
	if (rd->slot >= status->nslots)
		WRITE_ONCE(status->nslots, rd->slot + 1);
	err = weir_reader_seek(rd, start);
	if (err)
		return err;
	if (demand >= 0) {
		u32 from = start == WEIR_START_FIRST ? rd->start_seq :
			   (u32)READ_ONCE(ring->view.head->claim);

		WRITE_ONCE(rd->cursor->demand, from + demand);
		WRITE_ONCE(rd->cursor->flags, WEIR_CURSOR_DEMAND);
	}
	if (rd->gating) {
		status->gating[rd->slot / 64] |= bit;
		smp_store_release(&status->gen, status->gen + 1);
	}
	err = weir_reader_seek(rd, start);
	if (err && rd->gating) {
		status->gating[rd->slot / 64] &= ~bit;
		smp_store_release(&status->gen, status->gen + 1);
	}
	/* a demand counts from now on: the writer must look at the cursors */
	if (!err && demand >= 0)
		WRITE_ONCE(ring->view.head->seq_limit,
			   (u32)READ_ONCE(ring->view.head->claim));
	return err;
}

/* Adds a new reader to its ring. One try, without waiting for memory. */
static int weir_reader_try(struct weir_owner *o, struct weir_reader *rd,
			   u32 start, s32 demand)
{
	struct weir_ring *ring = rd->ring;
	bool named;
	int err;

	weir_race_point(attach_slot);
	mutex_lock(&ring->slot_lock);
	err = weir_slot_take(o, rd);
	if (err)
		goto out;
	/* unmap the slot's old cursor page from the owner's view */
	if (ring->owner_mapping)
		unmap_mapping_range(ring->owner_mapping,
				    weir_map_cursor_offset(rd->slot),
				    PAGE_SIZE, 1);
	named = rd->name[0] && weir_reader_named(rd->name, rd->uid, ring);
	weir_race_point(attach_gate);
	spin_lock_bh(&ring->lock);
	err = named ? -EBUSY : weir_reader_gate(rd, start, demand);
	if (!err) {
		weir_reader_get(rd);	/* the slot table's */
		list_add_tail(&rd->ring_link, &ring->readers);
		weir_ring_status(ring)->attaches++;
	}
	spin_unlock_bh(&ring->lock);
	if (err)
		weir_slot_give(rd);
out:
	mutex_unlock(&ring->slot_lock);
	if (err == -EBUSY) {
		weir_owner_refuse(o, err, "another process reads under this cursor name");
	} else if (err == -EPROTO) {
		weir_ring_break(ring, WEIR_REASON_BAD_RECORD);
		weir_owner_refuse(o, err, "the publisher wrote nonsense into its ring's head");
	} else if (!err) {
		weir_stat_inc(WEIR_STAT_READERS);
		weir_stat_inc(WEIR_STAT_ATTACHES);
	}
	return err;
}

/* Adds a new reader to its ring; waits for memory if @gfp permits. */
static int weir_reader_enter(struct weir_owner *o, struct weir_reader *rd,
			     u32 start, s32 demand, gfp_t gfp)
{
	unsigned int tries = 0;
	int err;

	do {
		err = weir_reader_try(o, rd, start, demand);
	} while (gfpflags_allow_blocking(gfp) &&
		 weir_prime(o, err, WEIR_PRIME_SLOT, &tries));
	return err;
}

/* Counts the records lost before a late join. Returns the notice's reason. */
static enum weir_reason weir_reader_missed(struct weir_party *p,
					   struct weir_reader *rd)
{
	if (!rd->gating || !rd->start_seq)
		return WEIR_REASON_NONE;
	rd->missed = rd->start_seq;
	atomic64_add(rd->missed, &p->missed);
	weir_stat_add(WEIR_STAT_MISSED, rd->missed);
	weir_drop(rd->ring->name, WEIR_REASON_OVERRUN);
	return WEIR_REASON_OVERRUN;
}

/* weir_reader_attach(); the caller has set the active memory cgroup. */
static struct weir_reader *weir_reader_make(struct weir_party *p,
					    struct weir_ring *ring,
					    const struct weir_reader_spec *spec)
{
	enum weir_origin origin = spec->origin;
	bool late = origin == WEIR_ORIGIN_WORKER || origin == WEIR_ORIGIN_RETRY;
	bool wait = origin == WEIR_ORIGIN_READER || origin == WEIR_ORIGIN_RETRY;
	gfp_t gfp = wait ? WEIR_GFP : WEIR_GFP_NOWAIT;
	enum weir_reason reason = WEIR_REASON_NONE;
	u32 start = WEIR_START_TAIL;
	struct weir_reader *rd;
	int err;

	rd = weir_reader_alloc(p->owner, ring, gfp);
	if (IS_ERR(rd))
		return rd;
	rd->gating = spec->gating;
	rd->sub = spec->sub;
	rd->joining = true;
	rd->hold_ms = spec->name[0] ? spec->hold_ms : 0;
	strscpy(rd->name, spec->name, sizeof(rd->name));
	err = weir_reader_number(p, rd, spec->inbox, gfp);
	if (err)
		goto err_put;
	if (late)
		start = WEIR_START_FIRST;
	else if (origin == WEIR_ORIGIN_READER)
		start = spec->start;
	err = weir_reader_enter(p->owner, rd, start, spec->demand, gfp);
	if (err)
		goto err_id;

	if (start == WEIR_START_OLDEST)
		weir_reader_to_record(rd);
	else if (start == WEIR_START_FIRST)
		reason = weir_reader_missed(p, rd);
	if (!weir_reader_show(p, rd, reason))
		weir_reader_detach(rd, WEIR_REASON_CLOSED);
	return rd;

err_id:
	xa_erase_bh(&p->ids, rd->id);
err_put:
	weir_reader_put(rd);
	return ERR_PTR(err);
}

/**
 * weir_reader_attach() - make a party a reader of a ring
 * @p: the party.
 * @ring: the ring.
 * @spec: how it reads. Nothing stays attached if the party has left the
 *	subscription of @spec meanwhile.
 *
 * The cursor is charged to the owner of @p and, except for WEIR_ORIGIN_READER,
 * to the owner's memory cgroup. Without weir_net.lock and ring->lock. Returns
 * the reader, held; ring and party may have dropped it meanwhile. Or an ERR_PTR
 * with an error text on the owner.
 */
struct weir_reader *weir_reader_attach(struct weir_party *p,
				       struct weir_ring *ring,
				       const struct weir_reader_spec *spec)
{
	struct mem_cgroup *old;
	struct weir_reader *rd;

	if (spec->origin == WEIR_ORIGIN_READER)
		return weir_reader_make(p, ring, spec);
	old = set_active_memcg(p->owner->memcg);
	rd = weir_reader_make(p, ring, spec);
	set_active_memcg(old);
	return rd;
}

/**
 * weir_reader_attach_keeper() - hold the first position for others
 * @o: owner of the publisher, which is charged.
 * @ring: its outbox, without records yet.
 * @hold_ms: longest time that the position is held, in milliseconds.
 *
 * The cursor has no socket, like a cursor that is held by name. Returns the
 * reader, held; or an ERR_PTR with an error text on @o.
 */
struct weir_reader *weir_reader_attach_keeper(struct weir_owner *o,
					      struct weir_ring *ring,
					      u32 hold_ms)
{
	unsigned long delay = msecs_to_jiffies(hold_ms);
	struct weir_reader *rd = weir_reader_alloc(o, ring, WEIR_GFP);
	int err;

	if (IS_ERR(rd))
		return rd;
	rd->gating = true;
	rd->hold_end = jiffies + delay;
	err = weir_reader_enter(o, rd, WEIR_START_TAIL, -1, WEIR_GFP);
	if (err) {
		weir_reader_put(rd);
		return ERR_PTR(err);
	}
	spin_lock_bh(&ring->lock);
	if (!list_empty(&rd->ring_link)) {
		WRITE_ONCE(ring->keeper, rd);
		weir_timer_move(&rd->hold, delay);
	}
	spin_unlock_bh(&ring->lock);
	return rd;
}

/* Makes @rd the reader that is told when the writer waits for room. */
static int weir_reader_hear_full(struct weir_owner *o, struct weir_reader *rd)
{
	struct weir_ring *ring = rd->ring;
	int err = 0;

	spin_lock_bh(&ring->lock);
	if (ring->full_reader)
		err = weir_owner_refuse(o, -EBUSY,
					"another reader is told when the writer waits");
	else if (!list_empty(&rd->ring_link))
		WRITE_ONCE(ring->full_reader, rd);
	spin_unlock_bh(&ring->lock);
	return err;
}

/**
 * weir_reader_attach_kernel() - let kernel code read a ring
 * @o: owner that is charged.
 * @ring: an outbox or an inbox. With @ops->full: one that nobody writes yet.
 * @ops: what the reader does when it is told of something.
 * @data: weir_reader.data; @ops->release gets it, also if this fails.
 *
 * The writer waits for this reader. It starts at the tail. Kernel code moves it
 * by weir_reader_move(). Process context, may sleep. Returns the reader, held;
 * or an ERR_PTR with an error text on @o: -EBUSY: the ring has a reader with
 * weir_reader_ops.full already.
 */
struct weir_reader *
weir_reader_attach_kernel(struct weir_owner *o, struct weir_ring *ring,
			  const struct weir_reader_ops *ops, void *data)
{
	struct weir_reader *rd = weir_reader_alloc(o, ring, WEIR_GFP);
	cpumask_var_t cpus;
	int err;

	if (IS_ERR(rd)) {
		if (ops->release)
			ops->release(data);
		return rd;
	}
	rd->gating = true;
	rd->ops = ops;
	rd->data = data;
	err = -ENOMEM;
	if (!zalloc_cpumask_var(&cpus, WEIR_GFP)) {
		weir_owner_refuse(o, err, "no memory for a cursor");
		goto err_put;
	}
	err = weir_reader_enter(o, rd, WEIR_START_TAIL, -1, WEIR_GFP);
	if (err)
		goto err_cpus;
	if (ops->full)
		err = weir_reader_hear_full(o, rd);
	if (err)
		goto err_detach;
	if (ops->wake)
		weir_reader_pin_fence(rd, cpus);
	free_cpumask_var(cpus);
	return rd;

err_detach:
	weir_reader_detach(rd, WEIR_REASON_CLOSED);
err_cpus:
	free_cpumask_var(cpus);
err_put:
	weir_reader_put(rd);
	return ERR_PTR(err);
}

/**
 * weir_reader_resume() - go on with a named cursor that is being held
 * @p: party that subscribes to the cursor's ring.
 * @found: from weir_reader_find_named(), or NULL.
 * @hold_ms: milliseconds that it is held after this party, too.
 *
 * Returns the reader, now on this socket, held once more for the caller; NULL
 * when it is about to go, or is NULL; or an ERR_PTR (-EBUSY when another
 * process uses it; -ENOMEM: to be tried again after weir_prime()).
 */
struct weir_reader *weir_reader_resume(struct weir_party *p,
				       struct weir_reader *found, u32 hold_ms)
	__must_hold(&p->owner->wn->lock)
{
	bool busy, goes;
	int err;

	lockdep_assert_held(&p->owner->wn->lock);
	if (!found)
		return NULL;
	spin_lock_bh(&found->ring->lock);
	busy = found->party || found->joining;
	goes = list_empty(&found->ring_link) || (!busy && found->evicted);
	spin_unlock_bh(&found->ring->lock);
	if (goes)
		return NULL;
	if (busy)
		return ERR_PTR(weir_owner_refuse(p->owner, -EBUSY,
						 "another process reads under this cursor name"));
	err = weir_reader_number(p, found, false, WEIR_GFP_NOWAIT);
	if (err)
		return ERR_PTR(err);
	weir_reader_get(found);
	weir_race_point(resume);
	weir_timer_cancel(&found->hold);
	found->hold_ms = hold_ms;
	found->sub = p->sub_seq;
	found->resumed = true;
	weir_reader_show(p, found, WEIR_REASON_TAKEN_OVER);
	return found;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_reader_attach_kernel);
#endif
