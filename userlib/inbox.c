// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The inbox: a ring that the kernel writes, with routed messages, and with
 * notices about streams that attach and detach. The library handles each notice
 * once, in order. With WEIR_NOTICES the application gets it too.
 *
 * WEIR_NOTICE_DETACHED stays in the inbox until its stream has been drained. So
 * no published record is lost, and the notice comes after the stream's last one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* Begins a turn of the inbox; its end lets the streams have theirs. */
void weir_inbox_turn(struct weir *w)
{
	w->inbox_end = weir_stream_pos(w->inbox) + WEIR_TURN;
}

/* Has the kernel make the inbox, and maps it, unless it is mapped. */
static int weir_inbox_map(struct weir *w)
{
	struct weir_stream *in;
	int err;

	if (w->inbox)
		return 0;
	in = weir_zalloc(sizeof(*in));
	if (!in)
		return -ENOMEM;
	in->id = WEIR_ID_INBOX;
	err = weir_map_stream(w->fd, in);
	if (err) {
		free(in);
		return err;
	}
	/* The kernel waits for this reader, and never evicts it. */
	in->gating = 1;
	weir_stream_revalidate(in, weir_load(&in->ring.status->gen));
	w->inbox = in;
	w->noticed = weir_stream_pos(in);
	weir_inbox_turn(w);
	return 0;
}

/* Maps the inbox and handles the notices that it holds. */
int weir_inbox_open(struct weir *w)
{
	struct weir_msg msg;
	int err = weir_inbox_map(w);

	weir_turn_finish(w);
	if (err || w->flags & WEIR_NOTICES)
		return err;
	err = weir_inbox_peek(w, &msg);
	return err < 0 ? err : 0;
}

static int weir_notice_attached(struct weir *w, const struct weir_notice *n,
				const char *path)
{
	struct weir_stream *s = weir_stream_find(w, n->id);
	int err;

	if (s && !s->ended)
		return 1;
	err = weir_stream_add(w, n->id, path, n->path_len);
	/* The stream has ended since: the notice of its end follows. */
	if (err == -ENXIO)
		return 1;
	return err ? err : 1;
}

/* Returns 0 while the stream has records to read. */
static int weir_notice_detached(struct weir *w, const struct weir_notice *n,
				struct weir_msg *msg)
{
	struct weir_stream *s = weir_stream_find(w, n->id);
	int ret;

	if (!s)
		return 1;
	ret = weir_stream_peek(w, s, msg);
	if (ret)
		return ret < 0 ? ret : 0;
	if (!s->ended)
		s->ended = WEIR_REASON_CLOSED;
	weir_stream_drop(w, s);
	return 1;
}

static int weir_notice_evicted(struct weir *w, const struct weir_notice *n,
			       struct weir_msg *msg)
{
	struct weir_stream *s = weir_stream_find(w, n->id);

	if (!s || s->ended)
		return 1;
	return weir_stream_give_up(w, s, WEIR_REASON_SLOW, msg);
}

/*
 * Handles one notice. Returns 1 when it is done, or 0 when it must wait. Returns
 * -ESTALE or -EPROTO when it is done and the application must hear of a stream's
 * failure. Another negative value means that it is not done.
 */
static int weir_notice_act(struct weir *w, const struct weir_ring_rec *r,
			   struct weir_msg *msg)
{
	const char *path = (const char *)r->payload + sizeof(struct weir_notice);
	struct weir_notice n;

	if (r->len < sizeof(n))
		return 1;
	memcpy(&n, r->payload, sizeof(n));
	if (n.path_len > r->len - sizeof(n))
		n.path_len = (uint32_t)(r->len - sizeof(n));

	switch (n.type) {
	case WEIR_NOTICE_ATTACHED:
		return weir_notice_attached(w, &n, path);
	case WEIR_NOTICE_DETACHED:
		return weir_notice_detached(w, &n, msg);
	case WEIR_NOTICE_EVICTED:
		return weir_notice_evicted(w, &n, msg);
	default:
		/* A broken stream fails by itself once it is drained. */
		return 1;
	}
}

/* Leaves streams that the kernel has ended in a plain recv(). */
static void weir_inbox_drop_ended(struct weir *w)
{
	uint32_t i = w->nstreams;

	while (i--) {
		struct weir_stream *s = w->streams[i];
		struct weir_ioc_map ioc = { .size = sizeof(ioc), .id = s->id };

		if (weir_fd_ioctl(w->fd, WEIR_IOC_MAP, &ioc) != -ENXIO)
			continue;
		s->ended = WEIR_REASON_CLOSED;
		/* The application may keep a pointer until its notice comes. */
		if (!(w->flags & WEIR_NOTICES))
			weir_stream_drop(w, s);
	}
}

/*
 * A plain recv() on the descriptor has passed over notices. Asks the kernel for
 * a notice of each stream. Returns 0 or an error.
 */
static int weir_inbox_again(struct weir *w)
{
	struct weir_ioc_map ioc = { .size = sizeof(ioc), .id = WEIR_ID_INBOX };
	uint32_t gen = weir_load_acquire(&w->inbox->ring.status->gen);
	int err;

	weir_inbox_drop_ended(w);
	err = weir_fd_ioctl(w->fd, WEIR_IOC_MAP, &ioc);
	if (err)
		return weir_fail_syscall(w->fd, err, "notices");
	weir_stream_revalidate(w->inbox, gen);
	return 0;
}

/**
 * weir_inbox_peek() - handle notices, look at the next message of the inbox
 *
 * Returns 1 with a message for the application, 0 without one, or a negative
 * value as weir_peek() does.
 */
int weir_inbox_peek(struct weir *w, struct weir_msg *msg)
{
	struct weir_stream *in = w->inbox;
	struct weir_ring_rec r;
	__u64 pos;
	int ret;

	if (weir_unlikely(weir_ring_epoch(&in->ring) != in->epoch)) {
		ret = weir_inbox_again(w);
		if (ret)
			return ret;
	}
	pos = weir_stream_pos(in);
	while ((ret = weir_ring_peek(&in->ring, &pos, &r)) == 1) {
		if (r.kind == WEIR_KIND_NOTICE &&
		    (__s64)(r.pos - w->noticed) >= 0) {
			ret = weir_notice_act(w, &r, msg);
			if (ret == 1 || ret == -ESTALE || ret == -EPROTO)
				w->noticed = r.next;
			if (ret <= 0)
				return ret;
		}
		weir_msg_set(msg, in, &r);
		if (r.kind != WEIR_KIND_NOTICE || w->flags & WEIR_NOTICES)
			return 1;
		weir_release(w, msg);
		pos = weir_stream_pos(in);
	}
	weir_stream_move(w, in, pos);
	return ret;
}
