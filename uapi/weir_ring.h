/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ring protocol: claim, commit, peek, and the writer's scan of its readers'
 * cursors. The functions compute on the shared words of weir.h. The kernel
 * module, the library and the sanitizer tests in user space use the same code.
 * No function sleeps, allocates memory or makes a system call. Waking the other
 * side is the caller's business (module/ring/wake.c, userlib/kick.c).
 *
 * Each function loads a word that another party writes once into a local,
 * checks the local, and uses only the local. Whatever those words say, no
 * function leaves the ring, or loops more often than the ring has granules.
 *
 *   writer                                  reader
 *   ------                                  ------
 *   scan the cursors               (D)      LOAD-ACQUIRE commit           (B)
 *   STORE claim                             LOAD header, payload
 *   release fence                  (A)      acquire fence,                (A)
 *   STORE header, payload                   LOAD gen: evicted?
 *                                           [lossy: LOAD claim: overtaken?]
 *   STORE-RELEASE commit           (B)      STORE-RELEASE cursor          (D)
 *   LOAD status.wake               (C)      LOAD status.wake              (C)
 *
 * (A) orders the claim (and, before it, the load of status.gen) before the
 *     bytes that overwrite an old record. Without it a lossy or an evicted
 *     reader could take new bytes for the old record's.
 * (B) orders header and payload before the commit word. Without it a reader
 *     could see a record whose bytes have not arrived.
 * (C) orders "I published" (or "I moved") before "does anybody sleep?". The
 *     side that goes to sleep pays for the other half. It sets the wake bit,
 *     has a full barrier run on the CPUs of the other side, and looks at the
 *     ring once more. While WEIR_WAKE_FENCE is set, the other side runs a
 *     fence itself instead. Without (C) each side could miss the other: a
 *     lost wake-up.
 * (D) orders the reader's last use of a record before the cursor that gives
 *     its space away. Without it the writer could overwrite a record in use.
 * (E) The writer stores the limit that it is about to use in head.intent, runs
 *     a full fence and checks whether the set of readers changed (status.gen).
 *     The kernel, attaching a reader at an old position, changes gen, fences
 *     and then reads intent. One of the two sees the other, so no reader is
 *     attached to bytes that the writer already counts as free.
 *
 * The commit word holds the position of its record, so a header from an earlier
 * lap never passes for a new one. The ring's secret is added to it, so payload
 * bytes that lie where a reader expects a header do not pass for one either.
 */
#ifndef _UAPI_WEIR_RING_H
#define _UAPI_WEIR_RING_H

#include <linux/errno.h>
#include "weir.h"

#ifdef __KERNEL__
#define weir_inline			static __always_inline
#include <asm/barrier.h>
#include <linux/atomic.h>
#include <linux/compiler.h>
#define weir_load(p)			READ_ONCE(*(p))
#define weir_load_acquire(p)		smp_load_acquire(p)
#define weir_store(p, v)		WRITE_ONCE(*(p), (v))
#define weir_store_release(p, v)	smp_store_release((p), (v))
#define weir_cas(p, old, new_)		(cmpxchg((p), (old), (new_)) == (old))
#define weir_fence()			smp_mb()
#define weir_fence_acquire()		smp_rmb()
#define weir_fence_release()		smp_wmb()
#define weir_compiler_fence()		barrier()
#define weir_likely(x)			likely(x)
#define weir_unlikely(x)		unlikely(x)
#else
#define weir_inline	static inline __attribute__((__always_inline__))
#define weir_load(p)			__atomic_load_n((p), __ATOMIC_RELAXED)
#define weir_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define weir_store(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define weir_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define weir_cas(p, old, new_)						\
	__extension__({							\
		__typeof__(*(p)) weir_cas_old = (old);			\
		__atomic_compare_exchange_n((p), &weir_cas_old, (new_),	\
					    0, __ATOMIC_SEQ_CST,	\
					    __ATOMIC_RELAXED);		\
	})
#define weir_fence()			__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define weir_fence_acquire()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define weir_fence_release()		__atomic_thread_fence(__ATOMIC_RELEASE)
#define weir_compiler_fence()		__atomic_signal_fence(__ATOMIC_SEQ_CST)
#define weir_likely(x)			__builtin_expect(!!(x), 1)
#define weir_unlikely(x)		__builtin_expect(!!(x), 0)
#endif

#define WEIR_GRANULE_SHIFT	6

/*
 * A header is written as four words: three stores, then the commit word. Two
 * loads tell a reader all that it must check. In each word the low half is the
 * field that comes first in memory.
 */
struct weir_words {
	__u64	commit;
	__u64	header;		/* len, kind, flags, ext */
	__u64	seq_route;
	__u64	tag_key;
} __attribute__((__may_alias__));

struct weir_epoch {
	__u64	state_gen;
} __attribute__((__may_alias__));

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define WEIR_WORD(w)		((__u64)(w) << 32 | (__u64)(w) >> 32)
#define WEIR_KIND_SHIFT		56
#define WEIR_FLAGS_SHIFT	48
#define WEIR_EXT_SHIFT		40
#else
#define WEIR_WORD(w)		((__u64)(w))
#define WEIR_KIND_SHIFT		32
#define WEIR_FLAGS_SHIFT	40
#define WEIR_EXT_SHIFT		48
#endif

/**
 * struct weir_ring_view - one party's view of a ring; all private to it
 * @data: the data area, mapped twice.
 * @head: the owner's words. Readers hold a read-only mapping of them.
 * @status: the kernel's words.
 * @mask: ring size - 1, taken from the kernel once, never from shared memory
 *	again.
 * @secret: the ring's secret, taken from the kernel once as @mask is.
 */
struct weir_ring_view {
	unsigned char			*data;
	struct weir_head		*head;
	const struct weir_status	*status;
	__u64				mask;
	__u64				secret;
};

/**
 * struct weir_ring_rec - a record as peeked: checked private copies
 * @rec: the record, in the ring.
 * @payload: first payload byte, in the ring.
 * @pos: the record's position.
 * @next: position behind it.
 * @len: payload bytes; payload and length are within the mapping.
 * @seq: record count, low 32 bits.
 * @kind: enum weir_kind, unchecked beyond its width.
 */
struct weir_ring_rec {
	const struct weir_record *rec;
	unsigned char	*payload;
	__u64		pos;
	__u64		next;
	__u32		len;
	__u32		seq;
	__u8		kind;
};

weir_inline __u64 weir_ring_bytes(const struct weir_ring_view *r)
{
	return r->mask + 1;
}

weir_inline struct weir_record *weir_ring_at(const struct weir_ring_view *r,
					     __u64 pos)
{
	return (struct weir_record *)(void *)(r->data + (pos & r->mask));
}

/* Bytes of ring that a payload of @len takes; @len at most WEIR_RING_MAX. */
weir_inline __u32 weir_ring_need(__u32 len)
{
	return (len + WEIR_HEADER_BYTES + WEIR_GRANULE - 1) &
	       ~(WEIR_GRANULE - 1);
}

/* Largest payload that the ring can hold, in bytes. */
weir_inline __u32 weir_ring_max_len(const struct weir_ring_view *r)
{
	return (__u32)weir_ring_bytes(r) - WEIR_HEADER_BYTES;
}

weir_inline __u64 weir_ring_pack(__u32 granule, __u32 seq)
{
	return (__u64)granule << 32 | seq;
}

/* Full position of the claim word @claim. @limit must not be below it. */
static inline __u64 weir_ring_claim_pos(__u64 claim, __u64 limit)
{
	__u32 ahead = (__u32)(limit >> WEIR_GRANULE_SHIFT) -
		      (__u32)(claim >> 32);

	return limit - ((__u64)ahead << WEIR_GRANULE_SHIFT);
}

/**
 * weir_ring_tail() - where the writer will claim next
 * @r: the ring.
 * @pos: out: position.
 * @seq: out: record count, low 32 bits.
 *
 * Claim and limit are two words. The function reads the limit before and after
 * the claim, so that both belong to the same moment. Any party may call it, in
 * any context. Returns 0, or -EPROTO when the two words cannot belong together
 * because the owner wrote nonsense.
 */
static inline int weir_ring_tail(const struct weir_ring_view *r, __u64 *pos,
				 __u32 *seq)
{
	int tries;

	/* A correct writer moves the limit far less often than once a try. */
	for (tries = 0; tries < 64; tries++) {
		__u64 limit = weir_load_acquire(&r->head->limit);
		__u64 claim = weir_load_acquire(&r->head->claim);
		__u64 tail = weir_ring_claim_pos(claim, limit);

		if (weir_load(&r->head->limit) != limit)
			continue;
		if (limit - tail > weir_ring_bytes(r) ||
		    limit & (WEIR_GRANULE - 1))
			return -EPROTO;
		*pos = tail;
		*seq = (__u32)claim;
		return 0;
	}
	return -EPROTO;
}

/**
 * weir_ring_epoch() - has anything happened to the stream or its readers?
 *
 * Returns state (low half) and gen (high half) of the status page, read by one
 * load. The value changes when the stream ends, lingers or is taken over, and
 * when a gating reader attaches or leaves.
 */
weir_inline __u64 weir_ring_epoch(const struct weir_ring_view *r)
{
	const struct weir_epoch *epoch =
		(const struct weir_epoch *)(const void *)&r->status->state;

	return WEIR_WORD(weir_load(&epoch->state_gen));
}

/* --- writer ------------------------------------------------------------- */

/**
 * weir_ring_claim_plain() - take space for records, in the usual case
 * @r: the ring. The caller is its owner, and no other thread claims.
 * @total: bytes of each, from weir_ring_need(), at most the ring's size.
 * @n: records, at least 1.
 * @pos: out: the first one's position; the others follow.
 * @seq: out: its record count, low 32 bits.
 *
 * Returns 0, or -EAGAIN when this is not the usual case: the caller then calls
 * weir_ring_claim().
 */
weir_inline int weir_ring_claim_plain(const struct weir_ring_view *r,
				      __u32 total, __u32 n, __u64 *pos,
				      __u32 *seq)
{
	struct weir_head *head = r->head;
	__u64 claim = weir_load(&head->claim);
	/* Another thread, or the kernel, may have set the limit: (D). */
	__u64 limit = weir_load_acquire(&head->limit);
	__u64 need = (__u64)(total >> WEIR_GRANULE_SHIFT) * n;
	__u32 count = (__u32)claim;
	__u32 room = (__u32)(limit >> WEIR_GRANULE_SHIFT) -
		     (__u32)(claim >> 32);

	/* With a limit that is older than the claim, room is negative. */
	if (weir_unlikely((__s32)room < (__s64)need))
		return -EAGAIN;
	if (weir_unlikely((__s32)(count + n - 1 -
				  weir_load(&head->seq_limit)) >= 0))
		return -EAGAIN;
	/* A record count that wraps would carry into the granule number. */
	if (weir_unlikely(count >= -n))
		return -EAGAIN;
	weir_store(&head->claim, claim + weir_ring_pack((__u32)need, n));
	weir_fence_release();	/* (A) */
	/* The shifts keep the position aligned whatever the limit says. */
	*pos = ((limit >> WEIR_GRANULE_SHIFT) - room) << WEIR_GRANULE_SHIFT;
	*seq = count;
	return 0;
}

/**
 * weir_ring_claim() - take space for one record
 * @r: the ring, as its owner.
 * @total: bytes, from weir_ring_need().
 * @shared: nonzero when several threads may claim at once.
 * @pos: out: the record's position.
 * @seq: out: its record count, low 32 bits.
 *
 * Returns 0, or -EAGAIN when the limit as last computed does not allow the
 * claim, or when other threads changed the claim word first 1000 times. The
 * caller then scans the cursors (weir_ring_scan_*) and tries again.
 */
static inline int weir_ring_claim(const struct weir_ring_view *r, __u32 total,
				  int shared, __u64 *pos, __u32 *seq)
{
	__u32 need = total >> WEIR_GRANULE_SHIFT;
	int tries;

	/* A hostile thread may change the word all the time: bound the tries. */
	for (tries = 0; tries < 1000; tries++) {
		__u64 claim = weir_load(&r->head->claim);
		/* Another thread, or the kernel, may have set the limit: (D). */
		__u64 limit = weir_load_acquire(&r->head->limit);
		__u32 at = (__u32)(claim >> 32), n = (__u32)claim;
		__u32 room = (__u32)(limit >> WEIR_GRANULE_SHIFT) - at;
		__u64 next = weir_ring_pack(at + need, n + 1);

		/* With a limit that is older than the claim, room is huge. */
		if (weir_unlikely(need > room ||
				  room > (r->mask + 1) >> WEIR_GRANULE_SHIFT))
			return -EAGAIN;
		if (weir_unlikely((__s32)(weir_load(&r->head->seq_limit) - n)
				  <= 0))
			return -EAGAIN;
		if (!shared)
			weir_store(&r->head->claim, next);
		else if (!weir_cas(&r->head->claim, claim, next))
			continue;
		weir_fence_release();	/* (A) */
		/* The shifts keep the position aligned whatever the limit says. */
		*pos = ((limit >> WEIR_GRANULE_SHIFT) - room) <<
		       WEIR_GRANULE_SHIFT;
		*seq = n;
		return 0;
	}
	return -EAGAIN;
}

/**
 * weir_ring_commit() - publish a claimed record
 * @r: the ring, as its owner.
 * @rec: the record. Its payload and its header, all but @commit, are written.
 * @pos: position of the record.
 *
 * The caller loads status.wake after this; see (C).
 */
weir_inline void weir_ring_commit(const struct weir_ring_view *r,
				  struct weir_record *rec, __u64 pos)
{
	weir_store_release(&rec->commit, pos + r->secret);	/* (B) */
	weir_compiler_fence();					/* (C) */
}

/**
 * struct weir_ring_scan - a writer's scan of its readers' cursors
 * @claim: position of the writer's next claim, when the scan began.
 * @min: lowest position of the gating cursors scanned so far.
 * @seq: the writer's record count, low 32 bits, when the scan began.
 * @room: records beyond @seq that the readers' demand allows.
 * @gen: status.gen when the scan began.
 *
 * All fields are private to the thread that scans.
 */
struct weir_ring_scan {
	__u64	claim;
	__u64	min;
	__u32	seq;
	__u32	room;
	__u32	gen;
};

/* Begins a scan. Returns 0, or -EPROTO when the head words are nonsense. */
static inline int weir_ring_scan_begin(const struct weir_ring_view *r,
				       struct weir_ring_scan *s)
{
	int err;

	s->gen = weir_load_acquire(&r->status->gen);
	s->claim = 0;
	s->seq = 0;
	err = weir_ring_tail(r, &s->claim, &s->seq);
	s->min = s->claim;
	s->room = 0x7fffffff;
	return err;
}

/**
 * weir_ring_scan_cursor() - take one gating cursor into account
 *
 * Returns 0, or -ERANGE when the cursor cannot be true: it is ahead of the
 * writer, more than a ring behind, or unaligned. Such a cursor does not count
 * for the limit, and the caller has the kernel evict its reader.
 */
static inline int weir_ring_scan_cursor(const struct weir_ring_view *r,
					struct weir_ring_scan *s,
					const struct weir_cursor *c)
{
	__u64 pos = weir_load_acquire(&c->pos);			/* (D) */

	/*
	 * When several threads claim, a reader may have passed the claim that
	 * this thread saw. So the claim is read again before the cursor is
	 * called invalid.
	 */
	if (s->claim - pos > weir_ring_bytes(r)) {
		__u64 claim;
		__u32 seq;

		if (weir_ring_tail(r, &claim, &seq) ||
		    claim - pos > weir_ring_bytes(r))
			return -ERANGE;
	}
	if (pos & (WEIR_GRANULE - 1))
		return -ERANGE;
	if ((__s64)(pos - s->min) < 0)
		s->min = pos;
	if (weir_load(&c->flags) & WEIR_CURSOR_DEMAND) {
		__u32 room = weir_load(&c->demand) - s->seq;

		if ((__s32)room < 0)
			room = 0;
		if (room < s->room)
			s->room = room;
	}
	return 0;
}

/*
 * Raises a word to at least @to. Returns 0, or -EAGAIN when other threads
 * changed the word first @tries times.
 */
static inline int weir_ring_raise(__u64 *word, __u64 to, int *tries)
{
	__u64 old = weir_load(word);

	while ((__s64)(to - old) > 0) {
		if (weir_cas(word, old, to))
			return 0;
		if (--*tries < 0)
			return -EAGAIN;
		old = weir_load(word);
	}
	return 0;
}

/**
 * weir_ring_scan_end() - turn the scan into a limit
 *
 * Returns 0 when head.limit has been set, or -EAGAIN when the set of readers
 * changed during the scan, which must then be done again.
 */
static inline int weir_ring_scan_end(const struct weir_ring_view *r,
				     const struct weir_ring_scan *s)
{
	__u64 limit = s->min + weir_ring_bytes(r);
	int tries = 1000;

	if (weir_ring_raise(&r->head->intent, limit, &tries))
		return -EAGAIN;
	/*
	 * Before the fence: the kernel lowers this word when it attaches a
	 * reader with a demand, and gen tells whether it has.
	 */
	weir_store(&r->head->seq_limit, s->seq + s->room);
	weir_fence();						/* (E) */
	if (weir_load(&r->status->gen) != s->gen)
		return -EAGAIN;
	return weir_ring_raise(&r->head->limit, limit, &tries);
}

/* --- reader ------------------------------------------------------------- */

/**
 * weir_ring_plain() - look at the record at a position, if it is a plain one
 * @r: the ring.
 * @pos: position, a multiple of 64.
 * @out: the record, if there is one.
 *
 * Returns 1 with a record, 0 when there is none yet, or -EPROTO for what
 * weir_ring_peek() must decide: an aborted record, a record with an extension,
 * or nonsense.
 */
weir_inline int weir_ring_plain(const struct weir_ring_view *r, __u64 pos,
				struct weir_ring_rec *out)
{
	struct weir_record *rec = weir_ring_at(r, pos);
	const struct weir_words *words = (const struct weir_words *)(void *)rec;
	__u32 most = weir_ring_max_len(r);
	__u64 word, len;

	if (weir_load_acquire(&rec->commit) != pos + r->secret)	/* (B) */
		return 0;
	word = WEIR_WORD(weir_load(&words->header));
	/*
	 * Only the kind and the flags but WEIR_REC_ABORTED are masked out. So
	 * the word of an aborted record, or of one with an extension, is larger
	 * than the length of any ring.
	 */
	len = word & ~(0xffULL << WEIR_KIND_SHIFT |
		       (0xffULL & ~(__u64)WEIR_REC_ABORTED) <<
		       WEIR_FLAGS_SHIFT);
	if (weir_unlikely(len > most))
		return -EPROTO;
	out->rec = rec;
	out->payload = (unsigned char *)rec + WEIR_HEADER_BYTES;
	out->pos = pos;
	out->len = (__u32)word;
	/* The next peek depends on this value: keep the computation short. */
	out->next = (pos + WEIR_HEADER_BYTES + WEIR_GRANULE - 1 +
		     (__u32)word) & ~(__u64)(WEIR_GRANULE - 1);
	out->seq = weir_load(&rec->seq);
	out->kind = (__u8)(word >> WEIR_KIND_SHIFT);
	return 1;
}

/**
 * weir_ring_peek_some() - weir_ring_peek() that gives up after a while
 * @r: the ring.
 * @pos: position, a multiple of 64; moved past aborted records.
 * @out: the record, if there is one.
 * @most: aborted records to move past, at least 1.
 *
 * For a party that holds a lock or works for other users too: @most bounds the
 * work. Returns what weir_ring_peek() does, or -EAGAIN when it has moved past
 * @most aborted records. There may then be a record at @pos.
 */
static inline int weir_ring_peek_some(const struct weir_ring_view *r,
				      __u64 *pos, struct weir_ring_rec *out,
				      __u32 most)
{
	__u64 left = weir_ring_bytes(r);
	int ret;

	while ((ret = weir_ring_plain(r, *pos, out)) < 0) {
		struct weir_record *rec = weir_ring_at(r, *pos);
		const struct weir_words *words =
			(const struct weir_words *)(void *)rec;
		__u64 word = WEIR_WORD(weir_load(&words->header));
		__u32 len = (__u32)word;
		__u32 ext = (__u8)(word >> WEIR_EXT_SHIFT) * 8U;
		__u32 total;

		if (len > weir_ring_max_len(r) ||
		    ext > weir_ring_max_len(r) - len)
			return -EPROTO;
		total = weir_ring_need(len + ext);
		if (word >> WEIR_FLAGS_SHIFT & WEIR_REC_ABORTED) {
			*pos += total;
			if (left < total)
				return -EPROTO;
			left -= total;
			if (!--most)
				return -EAGAIN;
			continue;
		}
		out->rec = rec;
		out->payload = (unsigned char *)rec + WEIR_HEADER_BYTES + ext;
		out->pos = *pos;
		out->len = len;
		out->next = *pos + total;
		out->seq = weir_load(&rec->seq);
		out->kind = (__u8)(word >> WEIR_KIND_SHIFT);
		return 1;
	}
	return ret;
}

/**
 * weir_ring_peek() - look at the record at a position
 * @r: the ring.
 * @pos: position, a multiple of 64; moved past aborted records.
 * @out: the record, if there is one.
 *
 * Returns 1 with a record, 0 when there is none yet, or -EPROTO when the header
 * is nonsense. Then the owner is hostile or broken, or the writer has overtaken
 * a lossy reader between two loads.
 */
static inline int weir_ring_peek(const struct weir_ring_view *r, __u64 *pos,
				 struct weir_ring_rec *out)
{
	/* No ring holds that many records. */
	return weir_ring_peek_some(r, pos, out, ~0U);
}

/**
 * weir_ring_seq() - count of the next record of a reader that misses none
 * @r: the ring.
 * @pos: position of the reader.
 *
 * Any party may call this, in any context. Returns the count of the record at
 * @pos, low 32 bits. While no record is published there, it returns the count
 * of the writer's next claim.
 */
static inline __u32 weir_ring_seq(const struct weir_ring_view *r, __u64 pos)
{
	struct weir_record *rec =
		weir_ring_at(r, pos & ~(__u64)(WEIR_GRANULE - 1));

	if (weir_load_acquire(&rec->commit) == pos + r->secret)
		return weir_load(&rec->seq);
	return (__u32)weir_load(&r->head->claim);
}

/**
 * weir_ring_overtaken() - may the writer have overwritten the bytes at @pos?
 *
 * A lossy reader calls this after it has used the bytes of a record. The value
 * 0 means that they were whole.
 */
static inline int weir_ring_overtaken(const struct weir_ring_view *r, __u64 pos)
{
	__u64 tail;
	__u32 seq;

	weir_fence_acquire();					/* (A) */
	if (weir_ring_tail(r, &tail, &seq))
		return 1;
	/* signed: a reader ahead of the tail is not overtaken */
	return (__s64)(tail - pos) > (__s64)weir_ring_bytes(r);
}

/**
 * weir_ring_resync() - find a record to go on with
 * @r: the ring.
 * @from: first position to try.
 * @to: position at which the search ends.
 * @pos: out: position of the first committed record in [from, to), or @to.
 *
 * The search tries every granule, so it finds a record wherever that starts. A
 * lossy reader calls it after an overrun, a reader that joins late when it
 * attaches, and the kernel behind a hole that a dead writer left. It loads at
 * most one word for each granule of the ring. Returns 1 with a record, else 0.
 */
static inline int weir_ring_resync(const struct weir_ring_view *r, __u64 from,
				   __u64 to, __u64 *pos)
{
	__u64 p = from & ~(__u64)(WEIR_GRANULE - 1);

	if (to - p > weir_ring_bytes(r))
		p = to > weir_ring_bytes(r) ? to - weir_ring_bytes(r) : 0;
	for (; (__s64)(to - p) > 0; p += WEIR_GRANULE) {
		if (weir_load_acquire(&weir_ring_at(r, p)->commit) ==
		    p + r->secret) {
			*pos = p;
			return 1;
		}
	}
	*pos = to;
	return 0;
}

#endif /* _UAPI_WEIR_RING_H */
