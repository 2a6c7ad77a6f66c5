/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Types and helpers of all steps that route a message: the record as read from
 * an outbox (a message), the space for it in an inbox (a reservation), and the
 * state of a pass over an outbox.
 *
 *   router.c     the pass            request.c, fast.c, deliver.c, fanout.c
 *                                                a message to targets
 *   reply.c      a message back       answer.c    calls that end
 *
 * Unless a function says otherwise, it is called in a section: in process
 * context, under the dispatch_lock of the endpoint whose outbox is read, and
 * under rcu_read_lock_bh(). So it does not sleep. It takes locks that softirq
 * takes, too, by plain spin_lock(): BH are disabled once in a section, not once
 * for each lock. Nobody takes the processor off the thread: what others wait for,
 * a claimed record or an order to wake a sleeper, is done at once. A grace period
 * waits for the section, which so keeps plans, targets and endpoints.
 */
#ifndef _WEIR_PASS_H
#define _WEIR_PASS_H

#include "route/router.h"

/* Room that each call keeps free in its caller's inbox, for its answer. */
#define WEIR_ANSWER_BYTES	WEIR_GRANULE

static_assert(sizeof(struct weir_words) == WEIR_HEADER_BYTES);
/* a small message fits any ring */
static_assert(WEIR_HEADER_BYTES + WEIR_BATCH_LEN <= WEIR_RING_MIN);
/* freed calls are enough for a fan-out: see weir_endpoint_slots() */
static_assert(WEIR_CALLS_PRUNED > WEIR_TARGETS_MAX);
static_assert(WEIR_HEADER_BYTES + sizeof(struct weir_refusal) <=
	      WEIR_ANSWER_BYTES);

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
 * @payload: in the ring; the owner of the ring may change it at any time.
 * @pos: position of the record in the outbox.
 * @total: bytes of ring that the record takes.
 * @tag_key: request: tag (low half) and shard key; reply: the high half of the
 *	call's name is the low half of this word.
 * @deadline_ns: ext[WEIR_EXT_DEADLINE]; 0: none.
 * @dup: ext[WEIR_EXT_DUP], the idempotency key; 0: none.
 * @len: bytes of payload.
 * @route: request: handle; reply: the low half of the call's name.
 * @kind: enum weir_kind, with WEIR_MESSAGE_BAD if the record is malformed.
 * @flags: WEIR_REC_*.
 * @small: the record has no extension and at most WEIR_BATCH_LEN bytes.
 * @n: messages in the batch that begins with this one, itself included.
 * @end: position of the end of the batch. If the batch has several messages,
 *	all are small. Except for the lengths in @lens, their headers are read
 *	once more, and may then hold anything.
 * @lens: bytes of payload of each message in the batch; points to @len if the
 *	message was read alone.
 * @ends: position of the end of each record; not set if @n is 1.
 */
struct weir_message {
	const u8	*payload;
	u64		pos;
	u64		total;
	u64		tag_key;
	u64		deadline_ns;
	u64		dup;
	u32		len;
	u32		route;
	u8		kind;
	u8		flags;
	bool		small;
	u32		n;
	u64		end;
	const u32	*lens;
	const u64	*ends;
};

/* Messages that are left if all are as long as this one; at least 1. */
static inline u32 weir_pass_ahead(const struct weir_pass *pass)
{
	return clamp_t(u64, pass->left / pass->each, 1, WEIR_PASS_MESSAGES);
}

/*
 * Must a worker copy a message because of its length, and does another thread
 * run this pass? Then the pass ends and leaves the message to a worker. @bytes:
 * bytes to be copied.
 */
static __always_inline bool weir_copy_left(struct weir_pass *pass, u64 bytes)
{
	if (likely(bytes <= WEIR_PIECE_BYTES) ||
	    pass->dispatcher == WEIR_DISPATCH_WORKER)
		return false;
	pass->left_over = true;
	return true;
}

/* Is there an entry in @copies for one more copy of a message? */
static inline bool weir_copy_fits(const struct weir_pass *pass, u32 len)
{
	return len <= WEIR_PIECE_BYTES || !pass->copies ||
	       pass->ncopies < pass->copy_room;
}

/* xorshift (G. Marsaglia, 2003): spreading load needs no secret numbers. */
static inline u32 weir_pass_random(struct weir_endpoint *ep)
{
	u32 x = ep->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return ep->random = x;
}

/* router.c */
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
 * Returns how long a call took that was sent at @sent_ns, without the time in
 * which replies of its target @ep waited for callers (up to @waited_ns). All in
 * ns.
 */
static inline s64 weir_took_less_waits(const struct weir_endpoint *ep,
				       s64 took_ns, u64 sent_ns, u64 waited_ns)
{
	s64 less = waited_ns - max(READ_ONCE(ep->waits_ns), sent_ns);

	return took_ns - clamp_t(s64, less, 0, took_ns);
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
 * @deadline_ns: goes into the extension; 0: the record gets no extension.
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

/* router.c */
void weir_pass_wake(struct weir_pass *pass);

/* The section wakes this inbox's reader when it ends. */
static __always_inline void weir_pass_touch(struct weir_pass *pass,
					    struct weir_ring *inbox)
{
	u32 i;

	for (i = pass->ndirty_inboxes; i-- > 0;) {
		if (pass->dirty_inboxes[i] == inbox)
			return;
	}
	if (pass->ndirty_inboxes == WEIR_DIRTY_INBOXES_MAX)
		weir_pass_wake(pass);
	pass->dirty_inboxes[pass->ndirty_inboxes++] = inbox;
}

/*
 * The pass waits with the message in hand until an inbox has room: @bytes more
 * than are kept free for answers then. U64_MAX: the pass does not wait for
 * room, but for a free slot. Returns WEIR_WAIT.
 */
static inline enum weir_outcome weir_pass_hold(struct weir_pass *pass,
					       struct weir_ring *inbox,
					       u64 bytes)
{
	if (!pass->wait_for) {
		weir_ring_get(inbox);
		pass->wait_for = inbox;
		pass->wait_bytes = bytes;
	}
	return WEIR_WAIT;
}

/* Forgets pass->wait_for: the pass need not wait, or is queued already. */
static inline void weir_pass_forget(struct weir_pass *pass)
{
	if (pass->wait_for)
		weir_ring_put(pass->wait_for);
	pass->wait_for = NULL;
}

/*
 * Wakes the reader of an inbox if it sleeps, in a section; the caller has fenced:
 * (C).
 */
static __always_inline void weir_inbox_wake_fenced(struct weir_ring *inbox)
{
	if (READ_ONCE(weir_ring_status(inbox)->wake) & WEIR_WAKE_READERS)
		weir_inbox_wake_reader(inbox);
}

/* Wakes the owner of an outbox if it waits for space; the caller has fenced. */
static __always_inline void weir_outbox_wake_fenced(struct weir_ring *outbox)
{
	if (READ_ONCE(weir_ring_status(outbox)->wake) & WEIR_WAKE_WRITER)
		weir_ring_wake_writer(outbox);
}

/*
 * Gives back the space of records that have been routed, up to the oldest one
 * whose call may still be sent again. The caller then fences and calls
 * weir_outbox_wake_fenced().
 */
static __always_inline void weir_endpoint_release(struct weir_endpoint *ep)
{
	struct weir_cursor *cursor = ep->rd->cursor;
	struct weir_call_entry *oldest;
	u64 pos = ep->pos;

	weir_call_table_prune(&ep->calls);
	oldest = weir_call_table_oldest(&ep->calls);
	if (oldest) {
		pos = oldest->pos;
		/* more have ended than are freed at once: a worker goes on */
		if (unlikely(weir_call_state(oldest) == WEIR_CALL_SPENT))
			weir_endpoint_later(ep);
	}
	if (pos != READ_ONCE(cursor->pos))
		smp_store_release(&cursor->pos, pos);		/* (D) */
}

/* copy.c */
void weir_copy_pieces(u8 *to, const u8 *from, u32 len);
bool weir_copies_reserve(struct weir_pass *pass, u32 n);
void weir_copy_later(struct weir_pass *pass, const struct weir_copy *copy);
enum weir_reason weir_copy_keep(struct weir_target *target,
				const struct weir_message *m,
				struct weir_reservation *at, u32 *kept);
void weir_copy_give(struct weir_ring *inbox, u32 kept);
void weir_copy_request(struct weir_pass *pass,
		       const struct weir_reservation *at, u32 kept,
		       const struct weir_message *m,
		       struct weir_call_entry *call, u64 name,
		       u64 deadline_ns);
void weir_copies_make(struct weir_pass *pass);
void weir_copies_free(struct weir_pass *pass);

/* The round of the target's breaker, from the round of a call. */
static inline u32 weir_round(u32 round)
{
	return round & ~WEIR_ROUND_SHARED;
}

/* The number of a caller's user for breakers; the same in all namespaces. */
static inline u32 weir_endpoint_user(const struct weir_endpoint *caller)
{
	return __kuid_val(caller->tenant->uid);
}

/* Requests of the caller's user that weir_target.callers counts. */
static inline atomic_t *weir_target_own(struct weir_target *target,
					const struct weir_endpoint *caller)
{
	u32 place = weir_account_place(caller->account);

	return &target->callers->in_flight[place];
}

/* @n requests of one caller, let through in @round, have left a target. */
static inline void weir_target_left(struct weir_target *target,
				    const struct weir_endpoint *caller, u32 n,
				    u32 round)
{
	weir_bulkhead_give(&target->load.in_flight, n);
	if (round & WEIR_ROUND_SHARED)
		weir_bulkhead_give(weir_target_own(target, caller), n);
}

/* answer.c */
void weir_endpoint_refusal(struct weir_endpoint *ep, u32 handle, u64 tag_key,
			   u8 flags, const struct weir_refusal *refusal);
bool weir_call_child_done(struct weir_endpoint *ep,
			  struct weir_call_entry *call,
			  bool good, u8 *flags);

/*
 * Number of calls that may end without a reply in one hold of post.lock. The
 * caller stops at this number, or at a few more.
 */
#define WEIR_ENDED_MAX	64

void weir_refused(struct weir_route *route, u32 tag,
		  const struct weir_refusal *refusal);
void weir_refused_name(const struct weir_handle *h, u32 tag,
		       const struct weir_refusal *refusal);

/*
 * weir_endpoint_unawaited() - end a hold of post.lock in which calls may have
 * ended
 *
 * Has those targets look again that wait for room to reply to these calls.
 * Called once in a hold, because it takes as long for one call as for many.
 */
static inline void weir_endpoint_unawaited(struct weir_endpoint *ep)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (ep->ended && !list_empty(&ep->inbox->post.waiting))
		weir_waiters_unawaited(ep->inbox, ep->ended);
	ep->ended = 0;
}

/*
 * Some calls have ended. Their caller may wait for a slot, or for the space of
 * their records: then a worker looks.
 */
static __always_inline void weir_calls_ended(struct weir_endpoint *ep)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (unlikely(READ_ONCE(ep->waits_for_slot)) ||
	    unlikely(READ_ONCE(weir_ring_status(ep->outbox)->wake) &
		     WEIR_WAKE_WRITER))
		weir_endpoint_later(ep);
}

/* Ends a call: leaves its idempotency entry and frees its slot. */
static __always_inline void weir_call_end(struct weir_endpoint *ep,
					  struct weir_call_entry *call)
	__must_hold(&ep->inbox->post.lock)
{
	lockdep_assert_held(&ep->inbox->post.lock);
	if (unlikely(call->idem))
		weir_idem_leave(call);
	call->parent = WEIR_CALL_NONE;
	weir_call_table_put(&ep->calls, call);
	weir_calls_ended(ep);
}

/* Fills in a call from its request. The caller stores the state last. */
static __always_inline void weir_call_fill(struct weir_call_entry *call,
					   u32 handle, u64 tag_key,
					   u64 deadline_ns)
{
	call->handle = handle;
	call->tag_key = tag_key;
	call->deadline_ns = deadline_ns;
}

/* request.c */
bool weir_endpoint_reserve(struct weir_endpoint *ep, u32 least);
bool weir_endpoint_slots(struct weir_endpoint *ep, u32 n);

/**
 * weir_endpoint_ready() - are there slots and room for answers?
 * @ep: the caller.
 * @answers: granules for answers that have to be reserved in its inbox.
 * @slots: free slots that are needed.
 *
 * Does not sleep. Reserves granules ahead if it can, see
 * weir_endpoint_reserve().
 *
 * Return: false when something is missing, and the pass has to wait.
 */
static __always_inline bool weir_endpoint_ready(struct weir_endpoint *ep,
						u32 answers, u32 slots)
{
	if (unlikely(ep->answers < answers) &&
	    !weir_endpoint_reserve(ep, answers))
		return false;
	return likely(ep->calls.nlocal >= slots) ||
	       weir_endpoint_slots(ep, slots);
}

enum weir_outcome weir_send_hold_own(struct weir_endpoint *ep,
				     const struct weir_message *m,
				     u64 deadline_ns, u32 answers);
enum weir_outcome weir_route_request(struct weir_endpoint *ep,
				     struct weir_message *m);
enum weir_outcome weir_send_refuse(struct weir_endpoint *ep,
				   const struct weir_message *m,
				   struct weir_route *route,
				   const struct weir_target *refuser,
				   enum weir_reason reason, u64 wait_ns);

/* fast.c */
bool weir_request_fast(struct weir_endpoint *ep, u64 header);
bool weir_event_fast(struct weir_endpoint *ep, u64 header);

/* reply.c */
enum weir_outcome weir_route_reply(struct weir_endpoint *ep,
				   struct weir_message *m, u64 tail);
bool weir_reply_fast(struct weir_endpoint *ep, u64 end);
void weir_endpoint_held_by(struct weir_endpoint *ep,
			   struct weir_account *account);
void weir_pass_flush_replies(struct weir_pass *pass);

/* router.c */
void weir_pass_pause(struct weir_pass *pass);

#endif /* _WEIR_PASS_H */
