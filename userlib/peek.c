// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Peeks that must look at several rings, and releases that end a turn or find
 * that the set of readers has changed. The inline halves are in weir.h.
 */
#include <errno.h>
#include <string.h>

#include "private.h"

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
	/* On a lossy stream a header may be torn: no inline peek there. */
	if (!s->gating)
		return;
	w->hot = s;
	w->hot_only = w->nstreams == 1 && !w->inbox;
	if (w->hot_only)
		w->turn_end = UINT64_MAX;
}

/*
 * Peeks at each stream, from the one after the last turn to that one. A stream
 * that has ended leaves the list, and the last stream takes its place. The round
 * then starts again, so that it does not skip the moved stream.
 */
static int weir_peek_round(struct weir *w, struct weir_msg *msg)
{
	uint32_t i, n;

	do {
		n = w->nstreams;
		for (i = 1; i <= n && n == w->nstreams; i++) {
			uint32_t turn = (w->turn + i) % n;
			int ret = weir_stream_peek(w, w->streams[turn], msg);

			if (ret == 1)
				weir_turn_begin(w, turn);
			if (ret)
				return ret;
		}
	} while (w->nstreams < n);
	return 0;
}

/* Peeks at the inbox and the streams; the side whose turn it is comes first. */
static int weir_peek_inbox(struct weir *w, struct weir_msg *msg)
{
	int ret;

	if ((__s64)(weir_stream_pos(w->inbox) - w->inbox_end) < 0) {
		ret = weir_inbox_peek(w, msg);
		return ret ? ret : weir_peek_round(w, msg);
	}
	weir_inbox_turn(w);
	ret = weir_peek_round(w, msg);
	return ret ? ret : weir_inbox_peek(w, msg);
}

/*
 * The usual case of weir_stream_peek(): the stream is gating and its epoch is
 * that of the last full check, and there is a plain record, or none yet. Returns
 * 1 with a record or 0 without. It returns a negative value when the caller must
 * use weir_stream_peek() instead.
 */
static inline int weir_stream_peek_fast(const struct weir_stream *s,
					struct weir_ring_rec *r)
{
	int ret;

	if (!s->gating)
		return -EAGAIN;
	ret = weir_ring_plain(&s->ring, weir_stream_pos(s), r);
	/* (A): no eviction before the loads of the record. */
	weir_fence_acquire();
	return weir_ring_epoch(&s->ring) == s->epoch ? ret : -EAGAIN;
}

/*
 * The usual case of weir_peek_slow(): the stream whose turn it is and the inbox
 * are empty, and each stream of the round is in its usual case. That happens
 * when first one of many streams has a message, and then another. Returns as
 * weir_stream_peek_fast(), with @msg set if 1.
 */
static int weir_peek_fast(struct weir *w, struct weir_msg *msg)
{
	uint32_t i, turn = w->turn;
	struct weir_ring_rec r;
	int ret;

	if (w->detached || !w->nstreams || w->hot == w->inbox ||
	    (w->turn_end && weir_stream_peek_fast(w->streams[turn], &r)) ||
	    (w->inbox && weir_stream_peek_fast(w->inbox, &r)))
		return -EAGAIN;
	for (i = 0; i < w->nstreams; i++) {
		turn = turn + 1 < w->nstreams ? turn + 1 : 0;
		ret = weir_stream_peek_fast(w->streams[turn], &r);
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
	int ret = weir_peek_fast(w, msg);

	if (ret >= 0)
		return ret;
	/* weir_peek() copies this to the caller with errors too. */
	memset(msg, 0, sizeof(*msg));
	ret = weir_fork_check(w);
	if (ret)
		return ret;
	weir_stream_free_detached(w);
	if (w->inbox && w->hot == w->inbox)
		return weir_inbox_peek(w, msg);
	if (w->turn_end) {
		ret = weir_stream_peek(w, w->streams[w->turn], msg);
		if (ret)
			return ret;
		weir_turn_finish(w);
	}
	ret = w->inbox ? weir_peek_inbox(w, msg) : weir_peek_round(w, msg);
	return ret ? ret : weir_peek_end(w);
}

/*
 * @pos: position of the message, which may be the last of a batch.
 * @next: position behind it.
 * @seq: its record count.
 */
int weir_release_slow(struct weir *w, struct weir_stream *s, __u64 pos,
		      __u64 next, uint32_t seq)
{
	int ret = weir_fork_check(w);

	if (ret)
		return ret;
	/* The kernel waits for the reader of an inbox, and never evicts it. */
	if (s->id == WEIR_ID_INBOX) {
		ret = 0;
	} else if (!s->gating) {
		if (weir_ring_overtaken(&s->ring, pos)) {
			s->missed++;
			ret = -ESTALE;
		}
	} else if (weir_stream_evicted(s, weir_stream_pos(s))) {
		/* The next weir_peek() then finds the eviction too. */
		weir_turn_finish(w);
		return -ESTALE;
	}
	if (next >= w->turn_end)
		weir_turn_finish(w);
	if (!s->gating)
		weir_store(&s->cursor->seq, seq + 1);
	weir_stream_move(w, s, next);
	return ret;
}
