/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records: one that is read from an outbox (a message), a batch of them, and
 * the space for one in an inbox (a reservation).
 *
 * All in a section of a pass: see pass.h.
 */
#ifndef _WEIR_RECORD_H
#define _WEIR_RECORD_H

#include <linux/build_bug.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "ring/ring.h"
#include "weir.h"

/* A larger message is copied after the section, in pieces of this many bytes. */
#define WEIR_PIECE_BYTES	(SZ_64K + WEIR_GRANULE)

/*
 * A batch: small messages that follow one another in an outbox and that use the
 * same handle. The router decides for the first, and this holds for all.
 */
#define WEIR_BATCH_MAX		32
#define WEIR_BATCH_LEN		256	/* bytes of payload */

static_assert(sizeof(struct weir_words) == WEIR_HEADER_BYTES);
/* a small message fits any ring */
static_assert(WEIR_HEADER_BYTES + WEIR_BATCH_LEN <= WEIR_RING_MIN);

#define WEIR_MESSAGE_BAD	0x80

/**
 * enum weir_read - what is found where the next record begins
 * @WEIR_READ_NONE: no record is committed there.
 * @WEIR_READ_ONE: a record.
 * @WEIR_READ_MORE: only aborted records so far, and there may be more behind.
 * @WEIR_READ_BROKEN: a record whose length is not possible.
 */
enum weir_read {
	WEIR_READ_NONE,
	WEIR_READ_ONE,
	WEIR_READ_MORE,
	WEIR_READ_BROKEN,
};

/* Aborted records that one read skips; then the section ends. */
#define WEIR_ABORTED_MAX	64

/**
 * struct weir_message - a record as read from an outbox: private copies
 */
struct weir_message {
	/**
	 * @payload: in the ring; the owner of the ring may change it at any
	 * time.
	 */
	const u8	*payload;
	/** @pos: position of the record in the outbox. */
	u64		pos;
	/** @total: bytes of ring that the record takes. */
	u64		total;
	/**
	 * @tag_key: request: tag (low half) and shard key; reply: the high half
	 * of the call's name is the low half of this word.
	 */
	u64		tag_key;
	/**
	 * @deadline_ns: ext[WEIR_EXT_DEADLINE], as ktime_get_ns() counts; 0:
	 * none.
	 */
	u64		deadline_ns;
	/** @dup: ext[WEIR_EXT_DUP], the idempotency key; 0: none. */
	u64		dup;
	/** @len: bytes of payload. */
	u32		len;
	/** @route: request: handle; reply: the low half of the call's name. */
	u32		route;
	/**
	 * @kind: enum weir_kind, with WEIR_MESSAGE_BAD if the record is
	 * malformed.
	 */
	u8		kind;
	/** @flags: WEIR_REC_*. */
	u8		flags;
	/**
	 * @small: the record has no extension and at most WEIR_BATCH_LEN bytes.
	 */
	bool		small;
	/**
	 * @n: messages in the batch that begins with this one, itself included.
	 */
	u32		n;
	/**
	 * @end: position of the end of the batch. If the batch has several
	 * messages, all are small. Except for the lengths in @lens, their
	 * headers are read once more, and may then hold anything.
	 */
	u64		end;
	/**
	 * @lens: bytes of payload of each message in the batch; points to @len
	 * if the message was read alone.
	 */
	const u32	*lens;
	/** @ends: position of the end of each record; not set if @n is 1. */
	const u64	*ends;
};

/**
 * struct weir_reservation - space for a record in an inbox
 * @inbox: the inbox.
 * @pos: position of the record.
 * @seq: record count of the record, low 32 bits.
 */
struct weir_reservation {
	struct weir_ring	*inbox;
	u64			pos;
	u32			seq;
};

/* record.c */
enum weir_read weir_message_read_slow(const struct weir_ring_view *v, u64 *pos,
				      struct weir_message *m);

/* Makes a message a batch of its own. */
static __always_inline void weir_message_single(struct weir_message *m)
{
	m->n = 1;
	m->end = m->pos + m->total;
	m->lens = &m->len;
}

/* Is a record without extension, not aborted, and short enough for the ring? */
static __always_inline bool weir_header_plain(const struct weir_ring_view *v,
					      u64 header)
{
	return !(header >> WEIR_EXT_SHIFT) &&
	       !(header & (u64)WEIR_REC_ABORTED << WEIR_FLAGS_SHIFT) &&
	       (u32)header <= weir_ring_max_len(v);
}

/*
 * The same for a record that is short enough to be copied at once. It may still
 * be too long for the ring.
 */
static __always_inline bool weir_header_short(u64 header)
{
	return !(header >> WEIR_EXT_SHIFT) &&
	       !(header & (u64)WEIR_REC_ABORTED << WEIR_FLAGS_SHIFT) &&
	       (u32)header <= WEIR_PIECE_BYTES - WEIR_HEADER_BYTES;
}

/*
 * Fills in a message from the record at a position. The record is committed,
 * and its header is plain. The fields of the batch are not set.
 */
static __always_inline void weir_message_fill(const struct weir_ring_view *v,
					      u64 pos, u64 header,
					      struct weir_message *m)
{
	struct weir_record *rec = weir_ring_at(v, pos);
	struct weir_words *words = (struct weir_words *)rec;
	u64 word = WEIR_WORD(READ_ONCE(words->seq_route));

	m->tag_key = WEIR_WORD(READ_ONCE(words->tag_key));
	m->payload = (u8 *)(rec + 1);
	m->pos = pos;
	m->total = weir_ring_need((u32)header);
	m->deadline_ns = 0;
	m->dup = 0;
	m->len = (u32)header;
	m->route = word >> 32;
	m->kind = header >> WEIR_KIND_SHIFT;
	m->flags = header >> WEIR_FLAGS_SHIFT;
	m->small = (u32)header <= WEIR_BATCH_LEN;
}

/*
 * Reads the record at *@pos. Aborted records are skipped: *@pos moves behind
 * them.
 */
static __always_inline enum weir_read
weir_message_read(const struct weir_ring_view *v, u64 *pos,
		  struct weir_message *m)
{
	const struct weir_words *words = (void *)weir_ring_at(v, *pos);
	enum weir_read ret = WEIR_READ_ONE;
	u64 header;

	if (smp_load_acquire(&words->commit) != *pos + v->secret) /* (B) */
		return WEIR_READ_NONE;
	header = WEIR_WORD(READ_ONCE(words->header));
	if (likely(weir_header_plain(v, header)))
		weir_message_fill(v, *pos, header, m);
	else
		ret = weir_message_read_slow(v, pos, m);
	weir_message_single(m);
	return ret;
}

/* Bytes of ring that the first @n messages of a batch take. */
static inline u64 weir_batch_bytes(const struct weir_message *m, u32 n)
{
	return likely(n == m->n) ? m->end - m->pos :
	       m->ends[n - 1] - m->pos;
}

static __always_inline struct weir_words *
weir_ring_words(const struct weir_ring_view *v, u64 pos)
{
	return (struct weir_words *)weir_ring_at(v, pos);
}

/* The record behind one of a batch; @len: bytes of payload of that one. */
static __always_inline const struct weir_words *
weir_words_next(const struct weir_words *words, u32 len)
{
	return (const void *)words + weir_ring_need(len);
}

/* The first @n messages of a batch are done; the batch begins with the next. */
static __always_inline void weir_batch_drop(const struct weir_ring_view *v,
					    struct weir_message *m, u32 n)
{
	const struct weir_words *rec;

	m->pos += weir_batch_bytes(m, n);
	m->n -= n;
	if (likely(!m->n))
		return;
	m->lens += n;
	m->ends += n;
	rec = weir_ring_words(v, m->pos);
	m->payload = (const u8 *)(rec + 1);
	m->tag_key = WEIR_WORD(READ_ONCE(rec->tag_key));
	m->len = *m->lens;
	m->total = weir_ring_need(m->len);
}

/*
 * Copies word by word, because a call of memcpy() costs more than a small copy.
 * The owner of the source may change it meanwhile.
 */
static __always_inline void weir_message_copy_small(void *to, const void *from,
						    u32 len)
{
	const u64 *f = from;
	u64 *t = to;
	u8 *last;

	for (; len >= 64; len -= 64, f += 8, t += 8) {
		t[0] = READ_ONCE(f[0]);
		t[1] = READ_ONCE(f[1]);
		t[2] = READ_ONCE(f[2]);
		t[3] = READ_ONCE(f[3]);
		t[4] = READ_ONCE(f[4]);
		t[5] = READ_ONCE(f[5]);
		t[6] = READ_ONCE(f[6]);
		t[7] = READ_ONCE(f[7]);
		/* keep the compiler from hoisting the end pointer */
		OPTIMIZER_HIDE_VAR(len);
	}
	if (!len)
		return;
	for (; len >= 8; len -= 8)
		*t++ = READ_ONCE(*f++);
	last = (u8 *)t;
	from = f;
	while (len--)
		*last++ = READ_ONCE(*(const u8 *)from++);
}

static __always_inline void weir_message_copy(u8 *to, const u8 *from, u32 len)
{
	if (unlikely(len > WEIR_BATCH_LEN))
		memcpy(to, from, len);
	else
		weir_message_copy_small(to, from, len);
}

/*
 * Writes all header words of a record but the commit word. Nobody reads them
 * before that word is stored, so they may be written in halves.
 */
static __always_inline void weir_words_set(struct weir_words *words, u64 header,
					   u32 len, u32 seq, u32 route,
					   u64 tag_key)
{
	u32 *half = (u32 *)&words->header;

	half[0] = len;
	half[1] = header >> 32;
	half = (u32 *)&words->seq_route;
	half[0] = seq;
	half[1] = route;
	words->tag_key = WEIR_WORD(tag_key);
}

/**
 * struct weir_request_words - the header of a request, as its target reads it
 * @commit: commit word, as in struct weir_words.
 * @len: bytes of payload.
 * @header: kind, flags and size of the extension: the high half of
 *	weir_words.header.
 * @seq: record count, low 32 bits.
 * @name: name of the call; 0: no answer is wanted. Route and tag of the record
 *	are its halves, so that one store writes both.
 * @key: shard key.
 *
 * A view of struct weir_words for the writer of the record.
 */
struct weir_request_words {
	u64	commit;
	u32	len;
	u32	header;
	u32	seq;
	u64	name;
	u32	key;
} __packed __aligned(8);

static_assert(sizeof(struct weir_request_words) == WEIR_HEADER_BYTES);
static_assert(offsetof(struct weir_request_words, name) ==
	      offsetof(struct weir_record, route));
static_assert(offsetof(struct weir_request_words, key) ==
	      offsetof(struct weir_record, key));

/*
 * weir_words_set() for a request. @name: as in struct weir_request_words.
 * @tag_key: the shard key is its high half.
 */
static __always_inline void weir_words_request(struct weir_words *words,
					       u64 header, u32 len, u32 seq,
					       u64 name, u64 tag_key)
{
	struct weir_request_words *to = (struct weir_request_words *)words;

	to->len = len;
	to->header = header >> 32;
	to->seq = seq;
	to->name = WEIR_WORD(name);
	to->key = tag_key >> 32;
}

/*
 * Writes a record without extension into a reservation and commits it. @header:
 * kind and flags.
 */
static __always_inline void
weir_reservation_fill(const struct weir_reservation *at, const u8 *payload,
		      u32 len, u64 header, u32 route, u64 tag_key)
{
	const struct weir_ring_view *v = &at->inbox->view;
	struct weir_words *words = weir_ring_words(v, at->pos);

	weir_words_set(words, header, len, at->seq, route, tag_key);
	weir_message_copy((u8 *)(words + 1), payload, len);
	smp_store_release(&words->commit, at->pos + v->secret);	/* (B) */
}

/*
 * The same for a payload of any length that has been copied already.
 * @deadline_ns: on the clock of the inbox, goes into the extension; 0: the
 * record gets no extension.
 */
static inline void weir_reservation_show(const struct weir_reservation *at,
					 u32 len, u64 header, u32 route,
					 u64 tag_key, u64 deadline_ns)
{
	const struct weir_ring_view *v = &at->inbox->view;
	struct weir_record *rec = weir_ring_at(v, at->pos);

	if (deadline_ns) {
		header |= 1ULL << WEIR_EXT_SHIFT;
		*(u64 *)(rec + 1) = deadline_ns;
	}
	weir_words_set((struct weir_words *)rec, header, len, at->seq, route,
		       tag_key);
	smp_store_release(&rec->commit, at->pos + v->secret);	/* (B) */
}

/*
 * Copies and commits one small message of a batch, whose space begins at *@at
 * and whose other header words are written. *@at, *@commit and *@seq move on to
 * the next one. The ring is mapped twice, one mapping behind the other, so that
 * an address needs no wrap.
 */
static __always_inline void
weir_batch_commit_next(struct weir_words **at, u64 *commit, u32 *seq,
		       const struct weir_words *from, u32 len)
{
	struct weir_words *words = *at;
	u32 need = weir_ring_need(len);

	weir_message_copy_small(words + 1, from + 1, len);
	smp_store_release(&words->commit, *commit);		/* (B) */
	*at = (void *)words + need;
	*commit += need;
	++*seq;
}

/* Aborts a reservation of @total bytes: readers skip its record. */
static inline void weir_reservation_abort(const struct weir_reservation *at,
					  u32 total)
{
	struct weir_words *words = weir_ring_words(&at->inbox->view, at->pos);

	weir_words_set(words, (u64)WEIR_REC_ABORTED << WEIR_FLAGS_SHIFT,
		       total - WEIR_HEADER_BYTES, at->seq, 0, 0);
	smp_store_release(&words->commit,			/* (B) */
			  at->pos + at->inbox->view.secret);
}

#endif /* _WEIR_RECORD_H */
