/* SPDX-License-Identifier: GPL-2.0 */
/* The memory of an outbox or inbox, and its stream: see ring.c and stream.c. */
#ifndef _WEIR_RING_RING_H
#define _WEIR_RING_RING_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "logic/account.h"
#include "tenant.h"
#include "weir.h"

/**
 * struct weir_post - the writing side of an inbox
 */
struct weir_post {
	/** @lock: guards the other members, and notices that wait for room. */
	spinlock_t lock;
	/**
	 * @party: the party whose inbox it is, fixed; NULL: kernel code reads
	 * the inbox.
	 */
	struct weir_party *party;
	/**
	 * @reader: the cursor that reads the inbox, held; NULL before it is
	 * attached and after weir_inbox_close().
	 */
	struct weir_reader *reader;
	/** @pos: byte position of the next record. */
	u64 pos;
	/**
	 * @limit: position up to which the kernel may write, from its last look
	 * at the cursor; lower when room is reserved for waiters.
	 */
	u64 limit;
	/** @seq: records written, low 32 bits. */
	u32 seq;
	/**
	 * @kept: granules that stay free: one for the answer to each call,
	 * @granted, and room for copies that are not made yet.
	 */
	u32 kept;
	/** @nwaiting: number of waiters for room. */
	u32 nwaiting;
	/**
	 * @queued: a waiter needs the free room. New records must not take it.
	 */
	bool queued;
	/** @granted: granules of @kept that are reserved for called waiters. */
	u32 granted;
	/**
	 * @waiting: first waiter of each user and those that go ahead;
	 * weir_waiter.link.
	 */
	struct list_head waiting;
	/**
	 * @called: waiters with granted room, by weir_waiter.called, oldest
	 * call first.
	 */
	struct list_head called;
	/**
	 * @on_room: called under @lock when the reader has made room or the
	 * inbox has ended. Returns the bytes of room that the first waiter
	 * still wants, U64_MAX without one. Set before the first waiter is
	 * added; NULL before.
	 */
	u64 (*on_room)(struct weir_ring *inbox);
};

/**
 * struct weir_ring_ops - what a ring does for its writer
 * @room: a cursor has moved or left, and the writer has asked for that by
 *	WEIR_WAKE_WRITER. The caller has fenced. @pos: where the cursor is now;
 *	U64_MAX: not known. No lock of the ring is held.
 * @reap: weir_ring.reap.
 * @writable: of an outbox that kernel code writes: the room for which
 *	weir_ring_want_room() has asked may be there, or the stream has ended.
 *	BH are disabled, no lock is held. NULL: the writer does not ask.
 *
 * weir_outbox_ops and weir_inbox_ops are those of sockets' rings.
 */
struct weir_ring_ops {
	void (*room)(struct weir_ring *ring, u64 pos);
	void (*reap)(struct weir_timer *timer);
	void (*writable)(struct weir_ring *ring);
};

/**
 * struct weir_ring_spec - the properties of a new ring
 * @bytes: bytes of its data: a power of two, WEIR_RING_MIN to WEIR_RING_MAX.
 * @type: SOCK_* of the socket that it is for.
 * @inbox: the kernel writes it.
 * @node: NUMA node of its pages, or NUMA_NO_NODE.
 * @huge: use pages of 2 MiB where the ring is large enough for one.
 * @evict_ms: milliseconds that a reader may hold the writer back; 0: no limit.
 * @linger_ms: milliseconds that it lingers after its writer is gone.
 * @name: path under which it is to be published; of a pair: path of one end;
 *	NULL: it has none.
 * @party: party that writes it, or NULL if kernel code does; unused for an
 *	inbox.
 * @ops: what it does for its writer; NULL: weir_inbox_ops of an inbox,
 *	weir_outbox_ops of an outbox.
 * @data: for the functions of @ops.
 */
struct weir_ring_spec {
	u64 bytes;
	int type;
	bool inbox;
	int node;
	bool huge;
	u32 evict_ms;
	u32 linger_ms;
	const char *name;
	struct weir_party *party;
	const struct weir_ring_ops *ops;
	void *data;
};

/**
 * struct weir_ring - the memory of an outbox or inbox, and its readers
 */
struct weir_ring {
	/** @ref: see the table of lifetimes. */
	refcount_t ref;
	/** @rcu: frees the ring after a grace period, for look-ups by id. */
	struct rcu_head rcu;
	/** @free: frees the memory, if the last put was with BH disabled. */
	struct work_struct free;
	/** @view: the kernel's view; its mask and secret are trusted. */
	struct weir_ring_view view;
	/** @id: for WEIR_IOC_LIST; 0 for inboxes. */
	unsigned long id;
	/**
	 * @wn: namespace; VMAs may outlive the namespace and must not use it.
	 */
	struct weir_net *wn;
	/** @pages: data pages, in order. */
	struct page **pages;
	/** @nr_pages: number of data pages. */
	unsigned int nr_pages;
	/**
	 * @page_order: order of the blocks that the last data pages were
	 * allocated in.
	 */
	unsigned int page_order;
	/** @head_page: struct weir_head. */
	struct page *head_page;
	/** @status_page: struct weir_status. */
	struct page *status_page;
	/**
	 * @charge: for one object and its pages, charged to the creator; fixed.
	 */
	struct weir_charge charge;
	/** @type: SOCK_* of the socket that made the ring. */
	int type;
	/** @uid: user that made the ring. Only this user may take it over. */
	kuid_t uid;
	/** @pid: process that owns the ring, held; @lock. */
	struct pid *pid;
	/** @lossy: the writer waits for no reader. */
	bool lossy;
	/** @ops: what it does for its writer; fixed. */
	const struct weir_ring_ops *ops;
	/** @data: of the creator, for the functions of @ops; fixed. */
	void *data;

	/** @slot_lock: guards @slots, @slot_users and @owner_mapping. */
	struct mutex slot_lock;
	/** @slots: readers by slot. */
	struct xarray slots;
	/** @slot_users: number of slots of each user. */
	struct weir_tally slot_users;
	/**
	 * @owner_mapping: address space of the writer's socket, for removing a
	 * cursor page from the writer's VMAs.
	 */
	struct address_space *owner_mapping;

	/** @lock: guards the members below, and writes to the status page. */
	spinlock_t lock;
	/** @readers: by weir_reader.ring_link. */
	struct list_head readers;
	/** @armed: readers that sleep, by weir_reader.armed_link. */
	struct list_head armed;
	/**
	 * @waking: readers that slept and that a thread has yet to wake, by
	 * weir_reader.armed_link.
	 */
	struct list_head waking;
	/**
	 * @fenced: WEIR_WAKE_FENCE is in force on every CPU of the writer. An
	 * address space that maps the ring later finds the bit set: it takes
	 * @lock first.
	 */
	bool fenced;
	/** @fence_gen: number of times that WEIR_WAKE_FENCE was set. */
	u32 fence_gen;
	/**
	 * @fence_pins: readers of the kernel that may be armed: WEIR_WAKE_FENCE
	 * stays set while there is one; @lock.
	 */
	u32 fence_pins;
	/**
	 * @arm_seq: record count when a reader last went to sleep, low 32 bits.
	 */
	u32 arm_seq;
	/**
	 * @writer: party that writes; NULL while lingering, closed, and if
	 * kernel code writes.
	 */
	struct weir_party *writer;
	/**
	 * @owner_mm: address space that maps the ring writable, held with
	 * mmgrab().
	 */
	struct mm_struct *owner_mm;
	/** @owner_maps: number of writable VMAs. */
	unsigned int owner_maps;
	/**
	 * @owner_forked: a fork copied the mapping (MADV_DOFORK). The writer
	 * may then be on any CPU.
	 */
	bool owner_forked;
	/** @want: bytes that the sleeping writer wants. */
	u64 want;
	/**
	 * @lowest: position in bytes of the last gating cursor, when the
	 * cursors were last scanned for room; under @lock.
	 */
	u64 lowest;
	/**
	 * @full_reader: reader of the kernel whose weir_reader_ops.full is
	 * called when the writer waits for room; NULL: there is none. Set while
	 * the reader is attached; @lock.
	 */
	struct weir_reader *full_reader;
	/**
	 * @evict_ms: milliseconds that a reader may hold the writer back; 0: no
	 * limit.
	 */
	u32 evict_ms;
	/**
	 * @tenant: user that made the ring, held; its worker calls the
	 * functions of the ring's timers.
	 */
	struct weir_tenant *tenant;
	/**
	 * @reap: timer that evicts readers which hold the writer back for
	 * @evict_ms; of an inbox: timer that looks for room for notices.
	 */
	struct weir_timer reap;
	/**
	 * @linger_ms: milliseconds that the ring lingers after its owner is
	 * gone.
	 */
	u32 linger_ms;
	/** @linger_end: end of the linger time, in jiffies. */
	unsigned long linger_end;
	/**
	 * @closing: the publisher has ended the stream. It lingers until
	 * @keeper has gone and cannot be taken over.
	 */
	bool closing;
	/** @expire: timer that ends the stream at @linger_end. */
	struct weir_timer expire;
	/**
	 * @settle: job that repairs the ring and lets it linger or end, once
	 * its owner is gone.
	 */
	struct weir_job settle;

	/**
	 * @path: path under which the ring is published, or NULL;
	 * weir_net.lock.
	 */
	struct weir_path *path;
	/** @path_link: in weir_path.rings; weir_net.lock. */
	struct list_head path_link;
	/** @linger_link: in weir_net.lingering; weir_net.lock. */
	struct hlist_node linger_link;
	/**
	 * @pub_seq: weir_net.seq when the ring got its path; 0: no path yet, or
	 * a pair's ring. Set with release. The publisher joins subscriptions
	 * with a lower number; those with a higher number join by themselves.
	 */
	u64 pub_seq;
	/**
	 * @keeper: cursor that holds the first position while a worker joins
	 * subscribers; struct weir_joining holds the reference.
	 */
	struct weir_reader *keeper;
	/** @post: for inboxes: the kernel's writing side. */
	struct weir_post post;
	/**
	 * @grants: for inboxes: timer that takes back granted room which is not
	 * used in time.
	 */
	struct weir_timer grants;
	/**
	 * @clock_ns: of the owner that made the ring: deadlines in it count on
	 * the clock with this offset; fixed.
	 */
	s64 clock_ns;
	/**
	 * @name: path under which it is published, or to be published; of a
	 * pair: path of one end, or ""; fixed. It has as many bytes as it
	 * needs: with WEIR_PATH_MAX bytes the allocation would be 2 KiB.
	 */
	char name[];
};

/* Key of a lingering stream: only the same user may take it over. */
static inline u64 weir_linger_key(const struct weir_path *path, kuid_t uid)
{
	return (u64)(unsigned long)path + __kuid_val(uid) * GOLDEN_RATIO_64;
}

/* ring.c */
struct weir_ring *weir_ring_create(struct weir_owner *o,
				   const struct weir_ring_spec *spec);
void weir_ring_get(struct weir_ring *ring);
void weir_ring_put(struct weir_ring *ring);
struct weir_ring *weir_ring_next(struct weir_net *wn, unsigned long *id);
bool weir_ring_search(const struct weir_ring *ring, u64 from, u64 to, u64 *pos);

/* stream.c */
void weir_ring_joined(struct weir_ring *ring);
void weir_ring_shut(struct weir_ring *ring, enum weir_reason reason);
void weir_ring_owner_gone(struct weir_ring *ring, struct weir_ring **outbox,
			  bool repair);
int weir_ring_repair(struct weir_ring *ring);
void weir_ring_break(struct weir_ring *ring, enum weir_reason reason);
void weir_ring_take_over(struct weir_ring *ring, const struct weir_owner *o,
			 const struct weir_ring_spec *spec);
void weir_ring_expire(struct weir_timer *timer);
bool weir_ring_settle_part(struct weir_job *job);
void weir_streams_end(struct weir_net *wn);

static inline struct weir_status *weir_ring_status(const struct weir_ring *ring)
{
	/* const for the shared ring code; the kernel writes it */
	return (struct weir_status *)ring->view.status;
}

static inline bool weir_ring_live(const struct weir_ring *ring)
{
	u32 state = READ_ONCE(weir_ring_status(ring)->state);

	return state == WEIR_STATE_OPEN || state == WEIR_STATE_LINGER;
}

/*
 * A cursor is at @pos now, or not known to be anywhere: U64_MAX. The caller has
 * fenced. Tells a writer that waits for room.
 */
static __always_inline void weir_ring_moved(struct weir_ring *ring, u64 pos)
{
	if (READ_ONCE(weir_ring_status(ring)->wake) & WEIR_WAKE_WRITER)
		ring->ops->room(ring, pos);
}

/*
 * Bytes of room at which a writer that waits for @bytes is woken: a quarter of
 * the ring or more, as its reader would otherwise kick for each message.
 */
static inline u64 weir_ring_wake_room(const struct weir_ring *ring, u64 bytes)
{
	u64 size = weir_ring_bytes(&ring->view);

	return min(max(bytes, size / 4), size);
}

/* Is there a committed record at @pos? The owner may lie about it. */
static __always_inline bool weir_committed(const struct weir_ring_view *v,
					   u64 pos)
{
	return smp_load_acquire(&weir_ring_at(v, pos)->commit) ==
	       pos + v->secret;					/* (B) */
}

#endif /* _WEIR_RING_RING_H */
