// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * One stream: an outbox that this handle reads. This file has the full peek at
 * its next record (weir.h has the inline one), its end, and the functions by
 * which an application asks about it.
 *
 * Another process writes all of the ring but the status page, and may write
 * nonsense. So the peek bounds each value before it uses it. The size of the
 * ring bounds its work.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* A lossy reader that is overtaken so often in one peek goes to the tail. */
#define WEIR_RESYNC_TRIES	4

/* --- the list of streams --- */

/* A stream that is always empty: weir.hot while no stream has a turn. */
static const unsigned char weir_no_data[WEIR_HEADER_BYTES]
	__attribute__((aligned(8)));
static const struct weir_cursor weir_no_cursor;
const struct weir_stream weir_no_stream = {
	.ring	= { .data = (unsigned char *)weir_no_data, .secret = 1 },
	.cursor	= (struct weir_cursor *)&weir_no_cursor,
};

/*
 * Ends the turn: the next weir_peek() reads all rings. A routed handle without a
 * subscription has only its inbox, which then gets no notices.
 */
void weir_turn_finish(struct weir *w)
{
	if (w->routed && !w->subscribed && !w->forked) {
		w->hot = w->inbox;
		w->hot_only = 1;
		w->turn_end = UINT64_MAX;
		return;
	}
	w->hot = (struct weir_stream *)&weir_no_stream;
	w->hot_only = 0;
	w->turn_end = 0;
}

static int weir_streams_reserve(struct weir *w)
{
	uint32_t room = w->room ? 2 * w->room : 4;
	struct weir_stream **streams;
	int saved = errno;

	if (w->nstreams < w->room)
		return 0;
	streams = realloc(w->streams, room * sizeof(struct weir_stream *));
	errno = saved;
	if (!streams)
		return weir_fail(-ENOMEM, "out of memory");
	w->streams = streams;
	w->room = room;
	return 0;
}

/* Maps a stream that the kernel has attached and puts it in the list. */
int weir_stream_add(struct weir *w, uint32_t id, const char *path,
		    size_t path_len)
{
	struct weir_stream *s;
	int err = weir_streams_reserve(w);

	if (err)
		return err;
	s = weir_zalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->id = id;
	memcpy(s->path, path, path_len < WEIR_PATH_MAX ? path_len : WEIR_PATH_MAX);
	err = weir_map_stream(w->fd, s);
	if (err) {
		free(s);
		return err;
	}
	w->streams[w->nstreams++] = s;
	weir_turn_finish(w);
	return 0;
}

/* Removes a stream from the list. It stays mapped until the next slow peek. */
void weir_stream_drop(struct weir *w, struct weir_stream *s)
{
	uint32_t i;

	for (i = 0; i < w->nstreams && w->streams[i] != s; i++)
		;
	if (i == w->nstreams)
		return;
	w->streams[i] = w->streams[--w->nstreams];
	if (w->turn >= w->nstreams)
		w->turn = 0;
	weir_turn_finish(w);
	/* Fails if the kernel has detached the stream already: no harm. */
	weir_fd_ioctl(w->fd, WEIR_IOC_DETACH, (void *)(unsigned long)s->id);
	s->next = w->detached;
	w->detached = s;
}

void weir_stream_free_detached(struct weir *w)
{
	struct weir_stream *s;

	while ((s = w->detached)) {
		w->detached = s->next;
		weir_unmap_stream(s);
		free(s);
	}
}

/* Returns the stream with this id; of two, the one that is still read. */
struct weir_stream *weir_stream_find(struct weir *w, uint32_t id)
{
	struct weir_stream *s;
	uint32_t i;

	for (i = 0; i < w->nstreams; i++) {
		if (w->streams[i]->id == id)
			return w->streams[i];
	}
	for (s = w->detached; s; s = s->next) {
		if (s->id == id)
			return s;
	}
	return NULL;
}

/* --- the full peek --- */

/*
 * Returns whether the owner writes no more. Callers call it before they read the
 * ring: the load is an acquire.
 */
bool weir_stream_closed(const struct weir_stream *s)
{
	uint32_t state = weir_load_acquire(&s->ring.status->state);

	return state == WEIR_STATE_CLOSED || state == WEIR_STATE_BROKEN;
}

/*
 * Returns whether this reader was evicted, so that the writer may have
 * overwritten @pos.
 */
bool weir_stream_evicted(struct weir_stream *s, __u64 pos)
{
	const struct weir_status *status = s->ring.status;
	uint32_t gen = weir_load_acquire(&status->gen);

	if (gen == (uint32_t)(s->epoch >> 32))
		return false;
	if (weir_load_acquire(&status->gating[s->slot / 64]) >>
	    (s->slot % 64) & 1) {
		weir_stream_revalidate(s, gen);
		return false;
	}
	/* No writer overwrites a closed ring: its records stay valid. */
	return !weir_stream_closed(s) || weir_ring_overtaken(&s->ring, pos);
}

/* Moves the cursor to @pos, and wakes the writer if it waits for that. */
void weir_stream_move(struct weir *w, struct weir_stream *s, __u64 pos)
{
	if (pos == weir_stream_pos(s))
		return;
	weir_store_release(&s->cursor->pos, pos);		/* (D) */
	weir_compiler_fence();					/* (C) */
	if (weir_load(&s->ring.status->wake_pos) <= pos)
		weir_wake_writer(w, s);
}

/* Leaves a stream that has failed; tells the application which one, and why. */
int weir_stream_give_up(struct weir *w, struct weir_stream *s,
			enum weir_reason reason, struct weir_msg *msg)
{
	memset(msg, 0, sizeof(*msg));
	msg->stream = s;
	s->ended = (uint8_t)reason;
	weir_stream_drop(w, s);
	return reason == WEIR_REASON_SLOW ? -ESTALE : -EPROTO;
}

/*
 * There is no record at @pos. The caller has read @closed before the ring, so it
 * has seen all records that were published before the end.
 */
static int weir_stream_empty(struct weir *w, struct weir_stream *s, __u64 pos,
			     bool closed, struct weir_msg *msg)
{
	/* Records that were skipped must not hold the writer back. */
	weir_stream_move(w, s, pos);
	if (!closed)
		return 0;
	if (weir_load(&s->ring.status->state) == WEIR_STATE_BROKEN)
		return weir_stream_give_up(w, s, WEIR_REASON_BAD_RECORD, msg);
	s->ended = WEIR_REASON_CLOSED;
	/*
	 * A peer stays in the list, so that weir_peek() keeps returning -EPIPE.
	 * With WEIR_NOTICES a stream stays until the application has its notice.
	 */
	if (w->type != SOCK_SEQPACKET && !(w->flags & WEIR_NOTICES))
		weir_stream_drop(w, s);
	return 0;
}

static bool weir_past_end(const struct weir_stream *s, __u64 pos, bool closed)
{
	return closed && (__s64)(weir_load(&s->ring.status->final_pos) -
				 pos) <= 0;
}

static int weir_peek_gating(struct weir *w, struct weir_stream *s,
			    struct weir_msg *msg)
{
	bool closed = weir_stream_closed(s);
	__u64 pos = weir_stream_pos(s);
	struct weir_ring_rec r;
	int ret = weir_ring_peek(&s->ring, &pos, &r);

	/* The writer may overwrite the record of an evicted reader. */
	if (weir_stream_evicted(s, pos))
		return weir_stream_give_up(w, s, WEIR_REASON_SLOW, msg);
	if (ret == 1 && !weir_past_end(s, pos, closed)) {
		weir_msg_set(msg, s, &r);
		return 1;
	}
	if (ret < 0)
		return weir_stream_give_up(w, s, WEIR_REASON_BAD_RECORD, msg);
	return weir_stream_empty(w, s, pos, closed, msg);
}

/*
 * Moves a lossy reader on after an overrun: to half a ring behind the writer, so
 * that the writer does not overtake it again at once. With @to_tail it goes to
 * the tail. Counts the records that it jumped over exactly. Returns -EPROTO when
 * the writer's words are nonsense.
 */
static int weir_stream_resync(struct weir *w, struct weir_stream *s,
			      bool to_tail)
{
	struct weir_ring_rec r = { 0 };
	__u64 tail, found, pos;
	__u32 seq;

	if (weir_ring_tail(&s->ring, &tail, &seq))
		return -EPROTO;
	pos = tail;
	if (!to_tail &&
	    weir_ring_resync(&s->ring, tail - weir_ring_bytes(&s->ring) / 2,
			     tail, &found)) {
		__u64 at = found;
		int ret = weir_ring_peek(&s->ring, &at, &r);

		/* The header may be torn: the caller tries again. */
		if (weir_ring_overtaken(&s->ring, found))
			return 0;
		if (ret == 1) {
			pos = at;
			seq = r.seq;
		}
	}
	s->missed += (__u32)(seq - weir_load(&s->cursor->seq));
	weir_store(&s->cursor->seq, seq);
	weir_stream_move(w, s, pos);
	return 0;
}

static int weir_peek_lossy(struct weir *w, struct weir_stream *s,
			   struct weir_msg *msg)
{
	bool closed = weir_stream_closed(s);
	int tries, ret;

	for (tries = 0; tries <= WEIR_RESYNC_TRIES; tries++) {
		struct weir_ring_rec r = { 0 };
		__u64 from = weir_stream_pos(s), pos = from;

		ret = weir_ring_peek(&s->ring, &pos, &r);
		if (!weir_ring_overtaken(&s->ring, from)) {
			/* So each header from there to pos was whole. */
			if (ret < 0)
				break;
			if (ret != 1 || weir_past_end(s, pos, closed))
				return weir_stream_empty(w, s, pos, closed, msg);
			weir_msg_set(msg, s, &r);
			return 1;
		}
		ret = weir_stream_resync(w, s, tries == WEIR_RESYNC_TRIES);
		if (ret < 0)
			break;
	}
	if (ret < 0)
		return weir_stream_give_up(w, s, WEIR_REASON_BAD_RECORD, msg);
	return 0;
}

/**
 * weir_stream_peek() - look at the next message of a stream
 *
 * Returns 1 with a message, or 0 without one. At the stream's end it returns 0
 * too, and sets s->ended. It returns -ESTALE and -EPROTO as weir_peek() does,
 * and has then detached the stream.
 */
int weir_stream_peek(struct weir *w, struct weir_stream *s,
		     struct weir_msg *msg)
{
	if (s->ended)
		return 0;
	return s->gating ? weir_peek_gating(w, s, msg) :
			   weir_peek_lossy(w, s, msg);
}

/*
 * Returns whether weir_stream_peek() would return a message or an error, or find
 * the end. Changes nothing.
 */
bool weir_stream_ready(struct weir_stream *s)
{
	__u64 from = weir_stream_pos(s), pos = from;
	struct weir_ring_rec r;

	if (s->ended)
		return false;
	if (weir_ring_peek(&s->ring, &pos, &r) || weir_stream_closed(s))
		return true;
	return s->gating ? weir_stream_evicted(s, from) :
			   weir_ring_overtaken(&s->ring, from);
}

/* --- questions of applications --- */

const char *weir_stream_path(const struct weir_stream *s)
{
	return s->path;
}

uint64_t weir_stream_missed(const struct weir_stream *s)
{
	return s->missed;
}

uint64_t weir_stream_lag(const struct weir_stream *s)
{
	__u64 pos = weir_stream_pos(s), tail;
	__u32 seq;

	if (weir_ring_tail(&s->ring, &tail, &seq) || (__s64)(tail - pos) < 0)
		return 0;
	return tail - pos;
}

int weir_stream_ended(const struct weir_stream *s)
{
	return s->ended;
}

int weir_stream_detach(struct weir *w, struct weir_stream *s)
{
	int err = weir_fork_check(w);
	uint32_t i;

	if (err)
		return err;
	for (i = 0; i < w->nstreams; i++) {
		if (w->streams[i] == s) {
			s->ended = WEIR_REASON_CLOSED;
			weir_stream_drop(w, s);
			return 0;
		}
	}
	return weir_fail(-EINVAL, "this handle does not read that stream");
}

int weir_request(struct weir *w, struct weir_stream *s, uint32_t n)
{
	uint32_t demand = weir_load(&s->cursor->demand), wake, seq;
	int err = weir_fork_check(w);
	int64_t left;

	if (err)
		return err;
	if (!(weir_load(&s->cursor->flags) & WEIR_CURSOR_DEMAND))
		return weir_fail(-EINVAL, "the socket was opened without demand");
	/* A reader that joined a running writer may be ahead of its demand. */
	seq = s->gating ? weir_ring_seq(&s->ring, weir_stream_pos(s)) :
			  weir_load(&s->cursor->seq);
	left = (int32_t)(demand - seq);
	if (n > INT32_MAX || left + n > INT32_MAX)
		return weir_fail(-EINVAL,
				 "more than 2^31 - 1 records would be outstanding");
	weir_store_release(&s->cursor->demand, demand + n);
	weir_compiler_fence();					/* (C) */
	wake = weir_load(&s->ring.status->wake);
	if (wake & WEIR_WAKE_FENCE) {
		weir_fence();
		wake = weir_load(&s->ring.status->wake);
	}
	if (wake & WEIR_WAKE_WRITER)
		weir_fd_kick(w->fd, WEIR_KICK_WRITER | s->id << 8);
	return 0;
}
