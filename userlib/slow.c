// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * What the inline functions of weir.h do not do inline: a claim that finds no
 * room looks at the readers' cursors, a peek that finds nothing looks at the
 * other streams and the inbox, a release that finds the set of readers changed
 * looks whether this reader still belongs to it, and those who sleep are woken.
 */
#include <errno.h>
#include <string.h>

#include "private.h"

/* Bytes of ring from one stream before the others and the inbox get a turn. */
#define WEIR_TURN		4096

/* Looks at the cursors while the set of readers changes under them. */
#define WEIR_LOOK_TRIES		8

/* Looks for as much room as this share of the ring, and pauses in between. */
#define WEIR_LOOK_SHARE		4
#define WEIR_LOOK_LATER		16
#define WEIR_LOOK_PAUSE		16

/* Refused claims after which the kernel is told again that we wait. */
#define WEIR_TELL_EVERY		1000

/* --- claim --- */

/* Lowest cursor and least demand. -ERANGE: one of them lies. */
static int weir_scan(const struct weir *w, struct weir_ring_scan *scan)
{
	const struct weir_status *status = w->out.status;
	uint32_t nslots, base;
	bool liar = false;
	int err;

	err = weir_ring_scan_begin(&w->out, scan);
	if (err)
		return err;
	nslots = weir_load_acquire(&status->nslots);
	for (base = 0; base < nslots && base < WEIR_SLOTS_MAX; base += 64) {
		__u64 bits = weir_load_acquire(&status->gating[base / 64]);

		for (; bits; bits &= bits - 1) {
			size_t slot = base + (uint32_t)__builtin_ctzll(bits);
			const void *page = w->cursors + slot * WEIR_PAGE_BYTES;

			liar |= !!weir_ring_scan_cursor(&w->out, scan, page);
		}
	}
	return liar ? -ERANGE : 0;
}

/*
 * Each look takes the cursors' lines away from readers that are writing them.
 * While a little room has come up and more keeps coming, it is better to look
 * again in a moment than after each of the next few messages.
 *
 * @limit: of the look before.
 */
static bool weir_look_later(const struct weir *w,
			    const struct weir_ring_scan *scan, uint32_t total,
			    __u64 limit)
{
	__u64 bytes = weir_ring_bytes(&w->out);
	__u64 room = scan->min + bytes - scan->claim;
	int i;

	if (room < total || room >= bytes / WEIR_LOOK_SHARE ||
	    scan->min + bytes == limit)
		return false;
	for (i = 0; i < WEIR_LOOK_PAUSE; i++)
		weir_pause();
	return true;
}

static int weir_look_once(struct weir *w, uint32_t total)
{
	__u64 limit = weir_load(&w->out.head->limit);
	struct weir_ring_scan scan;
	int tries = 0, err;

	for (;;) {
		err = weir_scan(w, &scan);
		if (err || tries++ == WEIR_LOOK_LATER ||
		    !weir_look_later(w, &scan, total, limit))
			break;
		limit = scan.min + weir_ring_bytes(&w->out);
	}
	if (err == -ERANGE) {
		/* the kernel looks for itself and evicts */
		weir_wait_call(w, WEIR_WAIT_OUT, total, 0);
		return -EAGAIN;
	}
	return err ? err : weir_ring_scan_end(&w->out, &scan);
}

/* Turns the cursors into a new limit. -EPROTO: our own words are broken. */
static int weir_look(struct weir *w, uint32_t total)
{
	int tries, err = -EAGAIN;

	for (tries = 0; err == -EAGAIN && tries < WEIR_LOOK_TRIES; tries++)
		err = weir_look_once(w, total);
	return err;
}

/*
 * The kernel's patience with slow readers runs from when it first hears that
 * we wait. Once for each time that the ring becomes full is enough, and now
 * and then in case it did not agree that it was. Returns whether it sees room.
 */
static bool weir_tell_full(struct weir *w, uint32_t total)
{
	uint32_t n = __atomic_fetch_add(&w->refused, 1, __ATOMIC_RELAXED);

	weir_store(&w->wanted, total);
	return n % WEIR_TELL_EVERY == 0 &&
	       weir_wait_call(w, WEIR_WAIT_OUT, total, 0) == WEIR_WAIT_OUT;
}

/*
 * Sets the place alone, @buf->pos and @buf->seq. Of a batch, the first one's: by
 * then there may be space for the others.
 */
int weir_claim_slow(struct weir *w, size_t len, uint32_t n,
		    struct weir_buf *buf)
{
	uint32_t total;
	int err;

	if (!n)
		return weir_fail(-EINVAL, "a batch of no messages");
	if (!w->out.data)
		return weir_fail(-ENOTCONN,
				 "no outbox: bind to publish, or connect, first");
	if (len > weir_ring_max_len(&w->out))
		return weir_fail(-EMSGSIZE,
				 "a message of %zu bytes; the ring takes at most %u",
				 len, weir_ring_max_len(&w->out));
	total = weir_ring_need((uint32_t)len);
	if (!weir_ring_claim(&w->out, total, w->shared, &buf->pos, &buf->seq))
		return 0;
	/* what the router has not been told of fills the ring for ever */
	if (weir_kick_due(w) & WEIR_WAKE_ROUTER && weir_kick_news(w))
		weir_kick_now(w);
	do {
		if (weir_load_acquire(&w->out.status->state) != WEIR_STATE_OPEN)
			return weir_fail(-EPIPE, "the stream has been shut down");
		err = weir_look(w, total);
		if (err && err != -EAGAIN)
			return weir_fail(err,
					 "the head of our own ring is overwritten");
		if (!weir_ring_claim(&w->out, total, w->shared, &buf->pos,
				     &buf->seq)) {
			weir_store(&w->refused, 0);
			return 0;
		}
	} while (weir_tell_full(w, total));
	return -EAGAIN;
}

/* --- commit --- */

/*
 * A message of @len bytes goes where @total bytes of ring were claimed: what is
 * left becomes a record to be skipped. Returns the length to publish.
 */
uint32_t weir_commit_pad(struct weir *w, __u64 pos, uint32_t total,
			 uint32_t seq, uint32_t len)
{
	uint32_t need = weir_ring_need(len);
	struct weir_buf rest = { .pos = pos + need, .seq = seq };

	/* more than was claimed is not ours to publish */
	if (len > total - WEIR_HEADER_BYTES || need >= total)
		return total - WEIR_HEADER_BYTES;
	weir_buf_set(w, &rest, total - need - WEIR_HEADER_BYTES, total - need);
	weir_buf_publish(w, &rest, WEIR_REC_ABORTED);
	return len;
}

/* --- waking, see (C) in weir_ring.h --- */

/*
 * Does a reader of our outbox sleep, or the router? Fences first where that
 * is our part. Returns those bits of status.wake.
 */
uint32_t weir_kick_due(const struct weir *w)
{
	uint32_t wake = weir_load(&w->out.status->wake);

	if (wake & WEIR_WAKE_FENCE) {
		weir_fence();
		wake = weir_load(&w->out.status->wake);
	}
	return wake & (WEIR_WAKE_READERS | WEIR_WAKE_ROUTER);
}

/*
 * Has anything been claimed since the router was last told? The router wants
 * to be told always, so this saves telling it of nothing. Not for the last
 * look before sleeping: what was claimed by then may be committed only now.
 */
bool weir_kick_news(const struct weir *w)
{
	return weir_load(&w->out.head->claim) != weir_load(&w->kicked);
}

void weir_kick_now(struct weir *w)
{
	weir_store(&w->kicked, weir_load(&w->out.head->claim));
	weir_kick(w->fd, WEIR_KICK_READERS);
}

void weir_wake_readers(struct weir *w)
{
	/* no room from here on, so that the next claim finds the end */
	if (weir_load(&w->out.status->wake) & WEIR_WAKE_CLOSED)
		weir_store(&w->out.head->seq_limit,
			   (uint32_t)weir_load(&w->out.head->claim));
	if (weir_kick_due(w))
		weir_kick_now(w);
}

void weir_wake_writer(struct weir *w, struct weir_stream *s)
{
	if (s->id == WEIR_ID_INBOX)
		weir_kick(w->fd, WEIR_KICK_INBOX);
	else
		weir_kick(w->fd, WEIR_KICK_WRITER | s->id << 8);
}

/* --- peek and release --- */

static int weir_peek_end(const struct weir *w)
{
	if (w->type != SOCK_SEQPACKET)
		return 0;
	if (!w->out.data)
		return -ENOTCONN;
	return !w->nstreams || w->streams[0]->ended ? -EPIPE : 0;
}

static void weir_turn_begin(struct weir *w, uint32_t turn)
{
	struct weir_stream *s = w->streams[turn];

	w->turn = turn;
	w->turn_end = weir_stream_pos(s) + WEIR_TURN;
	/* on a lossy stream a header may be torn */
	if (!s->gating)
		return;
	w->hot = s;
	w->lone = w->nstreams == 1 && !w->inbox;
	if (w->lone)
		w->turn_end = UINT64_MAX;
}

/* Requests and replies must not keep the streams from their turn for ever. */
void weir_inbox_turn(struct weir *w)
{
	w->inbox_end = weir_stream_pos(w->inbox) + WEIR_TURN;
}

/*
 * Goes round the streams, from the next one to the one that had its turn. One
 * that has ended leaves the list, and the last one takes its place: then the
 * round is made again, lest that one be passed over.
 */
static int weir_peek_round(struct weir *w, struct weir_msg *msg)
{
	uint32_t i, n;

	do {
		n = w->nstreams;
		for (i = 1; i <= n && n == w->nstreams; i++) {
			uint32_t turn = (w->turn + i) % n;
			int ret = weir_stream_look(w, w->streams[turn], msg);

			if (ret == 1)
				weir_turn_begin(w, turn);
			if (ret)
				return ret;
		}
	} while (w->nstreams < n);
	return 0;
}

/* The inbox and the streams, in the order of whose turn it is. */
static int weir_peek_inbox(struct weir *w, struct weir_msg *msg)
{
	int ret;

	if ((__s64)(weir_stream_pos(w->inbox) - w->inbox_end) < 0) {
		ret = weir_inbox_look(w, msg);
		return ret ? ret : weir_peek_round(w, msg);
	}
	weir_inbox_turn(w);
	ret = weir_peek_round(w, msg);
	return ret ? ret : weir_inbox_look(w, msg);
}

/*
 * The usual cases of weir_stream_look(): nothing has happened to the stream
 * since we have last looked with care, and there is a plain record, or none yet.
 * Returns 1 or 0; another value where a look with care is needed, as always on a
 * lossy stream.
 */
static inline int weir_glance(const struct weir_stream *s,
			      struct weir_ring_rec *r)
{
	int ret;

	if (!s->gating)
		return -EAGAIN;
	ret = weir_ring_plain(&s->ring, weir_stream_pos(s), r);
	/* after the record, so that we had not been evicted by then */
	weir_fence_acquire();
	return weir_ring_life(&s->ring) == s->life ? ret : -EAGAIN;
}

/*
 * weir_peek_slow() where glances suffice, as when one of many streams has a
 * message and then another one: nothing on the stream whose turn it is, nothing
 * in the inbox, then a round. Returns as weir_glance(); @msg is set with 1.
 */
static int weir_peek_glance(struct weir *w, struct weir_msg *msg)
{
	uint32_t i, turn = w->turn;
	struct weir_ring_rec r;
	int ret;

	if (w->parting || !w->nstreams || w->hot == w->inbox ||
	    (w->turn_end && weir_glance(w->streams[turn], &r)) ||
	    (w->inbox && weir_glance(w->inbox, &r)))
		return -EAGAIN;
	for (i = 0; i < w->nstreams; i++) {
		turn = turn + 1 < w->nstreams ? turn + 1 : 0;
		ret = weir_glance(w->streams[turn], &r);
		if (ret == 1) {
			weir_turn_begin(w, turn);
			weir_msg_set(msg, w->streams[turn], &r);
		}
		if (ret)
			return ret;
	}
	return 0;
}

int weir_peek_slow(struct weir *w, struct weir_msg *msg)
{
	int ret = weir_peek_glance(w, msg);

	if (ret >= 0)
		return ret;
	/* what weir_peek() hands on, whatever is returned */
	memset(msg, 0, sizeof(*msg));
	weir_stream_free_parting(w);
	if (w->inbox && w->hot == w->inbox)
		return weir_inbox_look(w, msg);
	if (w->turn_end) {
		ret = weir_stream_look(w, w->streams[w->turn], msg);
		if (ret)
			return ret;
		weir_turn_over(w);
	}
	ret = w->inbox ? weir_peek_inbox(w, msg) : weir_peek_round(w, msg);
	return ret ? ret : weir_peek_end(w);
}

/* @pos, @next, @seq: of the message; it may be the last of a batch. */
int weir_release_slow(struct weir *w, struct weir_stream *s, __u64 pos,
		      __u64 next, uint32_t seq)
{
	int ret = 0;

	if (s->id == WEIR_ID_INBOX) {
		weir_stream_trust(s, weir_load(&s->ring.status->gen));
	} else if (!s->gating) {
		if (weir_ring_overtaken(&s->ring, pos)) {
			s->missed++;
			ret = -ESTALE;
		}
	} else if (weir_stream_evicted(s, weir_stream_pos(s))) {
		/* so that weir_peek() finds out as well and leaves the stream */
		weir_turn_over(w);
		return -ESTALE;
	}
	if (next >= w->turn_end)
		weir_turn_over(w);
	if (!s->gating)
		weir_store(&s->cursor->seq, seq + 1);
	weir_stream_move(w, s, next);
	return ret;
}
