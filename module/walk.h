/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the steps of a message's way share: the record as read from an outbox
 * (a parcel), the space for it in an inbox (a place), and the walk of an outbox
 * in progress.
 *
 *   router.c     the walk            request.c, several.c  a parcel to targets
 *   reply.c      a parcel back       answer.c              calls that end
 *
 * All under rcu_read_lock() and the run_lock of the port whose outbox is read,
 * unless they say otherwise.
 */
#ifndef _WEIR_WALK_H
#define _WEIR_WALK_H

#include <linux/sizes.h>

#include "bulkhead.h"
#include "router.h"

/* A walk lets others run after so many messages, or bytes. */
#define WEIR_RUN_MESSAGES	64
#define WEIR_RUN_BYTES		SZ_256K

/*
 * Messages that are handed on together: those that follow one another in an
 * outbox and go the same way. What is decided for the first holds for all.
 */
#define WEIR_HAND_MAX		8

/* A call costs its caller's inbox as much as the answer that must fit. */
#define WEIR_ANSWER_BYTES	WEIR_GRANULE

static_assert(WEIR_HEADER_BYTES + sizeof(struct weir_fault) <=
	      WEIR_ANSWER_BYTES);

/* What a message meets on its way, besides the reasons why it is refused. */
#define WEIR_HELD		(-1)	/* it has to wait for room */

#define WEIR_PARCEL_BAD	0x80

/**
 * struct weir_parcel - a record as read from an outbox: private copies
 * @payload: in the ring; its owner may change it at any time.
 * @pos: of the record.
 * @total: bytes of ring that it takes.
 * @tag_key: tag (low half), or half a call's name, and shard key.
 * @deadline_ns: ext[WEIR_EXT_DEADLINE].
 * @dup: ext[WEIR_EXT_DUP].
 * @len: bytes of payload.
 * @route: handle, or the other half.
 * @kind: enum weir_kind; with WEIR_PARCEL_BAD if the record is not a good one.
 * @flags: WEIR_REC_*.
 */
struct weir_parcel {
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
};

/**
 * struct weir_place - space for a record in an inbox
 * @inbox: where.
 * @pos: of the record.
 * @seq: its record count.
 */
struct weir_place {
	struct weir_ring	*inbox;
	u64			pos;
	u32			seq;
};

/* xorshift (G. Marsaglia, 2003): the spread of load hangs on no secret. */
static inline u32 weir_run_random(struct weir_port *port)
{
	u32 x = port->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return port->random = x;
}

/* router.c */
int weir_parcel_read_slow(const struct weir_ring_view *v, u64 *pos,
			  struct weir_parcel *m);

/*
 * Reads the record at a position, if it is a plain one. Returns 1, 0 when there
 * is none, -EPROTO for what weir_parcel_read_slow() must judge.
 */
static __always_inline int weir_parcel_plain(const struct weir_ring_view *v,
					     u64 pos, struct weir_parcel *m)
{
	struct weir_record *rec = weir_ring_at(v, pos);
	struct weir_words *words = (struct weir_words *)rec;
	u64 shape, word;

	if (smp_load_acquire(&rec->commit) != pos + v->secret)	/* (B) */
		return 0;
	shape = WEIR_WORD(READ_ONCE(words->shape));
	/* an extension, an aborted one, or one longer than can be */
	if (unlikely(shape >> WEIR_EXT_SHIFT ||
		     shape & (u64)WEIR_REC_ABORTED << WEIR_FLAGS_SHIFT ||
		     (u32)shape > weir_ring_max_len(v)))
		return -EPROTO;
	word = WEIR_WORD(READ_ONCE(words->seq_route));
	m->tag_key = WEIR_WORD(READ_ONCE(words->tag_key));
	m->payload = (u8 *)(rec + 1);
	m->pos = pos;
	m->total = weir_ring_need((u32)shape);
	m->deadline_ns = 0;
	m->dup = 0;
	m->len = (u32)shape;
	m->route = word >> 32;
	m->kind = shape >> WEIR_KIND_SHIFT;
	m->flags = shape >> WEIR_FLAGS_SHIFT;
	return 1;
}

/*
 * Reads the record at a position. Returns 1, 0 when there is none, -EPROTO for
 * nonsense. Aborted ones are passed over, and so @pos moves.
 */
static __always_inline int weir_parcel_read(const struct weir_ring_view *v,
					    u64 *pos, struct weir_parcel *m)
{
	int ret = weir_parcel_plain(v, *pos, m);

	return unlikely(ret < 0) ? weir_parcel_read_slow(v, pos, m) : ret;
}

/* Small ones word by word: a call costs more. The source may change. */
static __always_inline void weir_parcel_copy(u8 *to, const u8 *from, u32 len)
{
	const u64 *f = (const u64 *)from;
	u64 *t = (u64 *)to;

	if (unlikely(len > 256)) {
		memcpy(to, from, len);
		return;
	}
	for (; len >= 32; len -= 32, t += 4, f += 4) {
		t[0] = READ_ONCE(f[0]);
		t[1] = READ_ONCE(f[1]);
		t[2] = READ_ONCE(f[2]);
		t[3] = READ_ONCE(f[3]);
	}
	for (; len >= 8; len -= 8)
		*t++ = READ_ONCE(*f++);
	to = (u8 *)t;
	from = (const u8 *)f;
	while (len--)
		*to++ = READ_ONCE(*from++);
}

/* Writes a record and shows it to its reader. @shape: less the length. */
static __always_inline void
weir_place_fill(const struct weir_place *at, const u8 *payload, u32 len,
		u64 shape, u64 route, u64 tag_key, u64 deadline_ns)
{
	const struct weir_ring_view *v = &at->inbox->view;
	struct weir_record *rec = weir_ring_at(v, at->pos);
	struct weir_words *words = (struct weir_words *)rec;
	u8 *to = (u8 *)(rec + 1);

	shape |= len;
	if (unlikely(deadline_ns)) {
		shape |= 1ULL << WEIR_EXT_SHIFT;
		*(u64 *)to = deadline_ns;
		to += 8;
	}
	words->shape = WEIR_WORD(shape);
	words->seq_route = WEIR_WORD(at->seq | route << 32);
	words->tag_key = WEIR_WORD(tag_key);
	weir_parcel_copy(to, payload, len);
	smp_store_release(&rec->commit, at->pos + v->secret);	/* (B) */
}

/* Space that was claimed and is not used. */
static inline void weir_place_abort(const struct weir_place *at, u32 total)
{
	weir_place_fill(at, NULL, 0, (u64)WEIR_REC_ABORTED << WEIR_FLAGS_SHIFT |
			(total - WEIR_HEADER_BYTES), 0, 0, 0);
}

/* router.c */
void weir_run_wake(struct weir_run *run);

/* Its reader is woken at the end of the stretch. */
static __always_inline void weir_run_touch(struct weir_run *run,
					   struct weir_ring *inbox)
{
	u32 i;

	for (i = run->ntouched; i-- > 0;) {
		if (run->touched[i] == inbox)
			return;
	}
	if (run->ntouched == WEIR_TOUCHED_MAX)
		weir_run_wake(run);
	run->touched[run->ntouched++] = inbox;
}

/* The walk stops before this message until there is room. */
static inline int weir_run_hold(struct weir_run *run, struct weir_ring *inbox,
			 u64 bytes)
{
	if (!run->wait_for) {
		weir_ring_get(inbox);
		run->wait_for = inbox;
		run->wait_bytes = bytes;
	}
	return WEIR_HELD;
}

/* answer.c */
void weir_port_fault(struct weir_port *port, u32 handle, u64 tag_key, u8 flags,
		     const struct weir_fault *fault);
int weir_call_child_done(struct weir_port *port, struct weir_call *call,
			 bool good);
void weir_refused(struct weir_route *route, u32 tag,
		  const struct weir_fault *fault);

/* A call is over: what it holds is free again. Under post.lock. */
static __always_inline void weir_call_end(struct weir_port *port,
					  struct weir_call *call)
{
	if (unlikely(call->once))
		weir_once_leave(call);
	/* if its caller waits for the slot, or the space of its record */
	if (unlikely(port->starved) ||
	    (call->held && unlikely(READ_ONCE(port->outbox->view.status->wake) &
				    WEIR_WAKE_WRITER)))
		weir_port_later(port);
	weir_calls_put(&port->calls, call);
}

/* What every call has of its request, but its state, which comes last. */
static __always_inline void weir_call_fill(struct weir_call *call,
					   const struct weir_parcel *m,
					   u64 deadline_ns)
{
	call->handle = m->route;
	call->tag_key = m->tag_key;
	call->attempt = 0;
	call->parent = WEIR_CALL_NONE;
	call->deadline_ns = deadline_ns;
}

/* request.c */
bool weir_port_reserve(struct weir_port *port, u32 least);
bool weir_port_slots(struct weir_port *port, u32 n);

/**
 * weir_port_ready() - is there what calls take from their caller?
 * @port: the caller.
 * @answers: room for so many answers, at least.
 * @slots: so many slots.
 *
 * Return: false when there is not, and the walk has to wait.
 */
static __always_inline bool weir_port_ready(struct weir_port *port, u32 answers,
					    u32 slots)
{
	if (unlikely(port->answers < answers) &&
	    !weir_port_reserve(port, answers))
		return false;
	return likely(port->calls.nmine >= slots) ||
	       weir_port_slots(port, slots);
}

int weir_send_hold_own(struct weir_port *port, const struct weir_parcel *m,
		       u64 deadline_ns, u32 answers);
int weir_route_request(struct weir_port *port, const struct weir_parcel *m,
		       u32 n);
int weir_send_refuse(struct weir_port *port, const struct weir_parcel *m,
		     struct weir_route *route,
		     const struct weir_target *refuser,
		     enum weir_reason reason, u64 wait_ns);

/* reply.c */
int weir_route_reply(struct weir_port *port, const struct weir_parcel *m,
		     u32 n);
void weir_run_served(struct weir_run *run);

/* router.c */
void weir_run_pause(struct weir_run *run);

#endif /* _WEIR_WALK_H */
