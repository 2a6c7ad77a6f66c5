/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libweir: the user library of AF_WEIR sockets. It opens a socket, maps its
 * rings, and from then on sending and receiving are loads and stores; it makes
 * a system call only to sleep or to wake somebody who sleeps.
 *
 * The library starts no thread (but for weir_loop_run(), whose business that
 * is), allocates nothing while messages flow, never ends the program and does
 * not touch errno: functions return 0 or a count, or a negative errno value,
 * and weir_error() has the words.
 *
 * One thread at a time may use a struct weir, with one exception: with
 * WEIR_SHARED several threads may claim and commit at once. Different handles
 * are independent. weir(7) explains the concepts.
 *
 * The hot path is inline; each inline function is also a symbol of the library
 * for other languages (see inline.c).
 */
#ifndef WEIR_H
#define WEIR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uapi/weir.h>
#include <uapi/weir_ring.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef WEIR_INLINE
#define WEIR_INLINE weir_inline
#endif

/* struct weir_config.flags */
#define WEIR_SHARED	0x1u	/* several threads publish on this handle */
#define WEIR_NOTICES	0x2u	/* weir_peek() shows WEIR_KIND_NOTICE too */
#define WEIR_NONBLOCK	0x4u	/* the descriptor is non-blocking */
#define WEIR_HUGE	0x8u	/* large contiguous pages for the outbox */

/* struct weir_config.set */
#define WEIR_SET_NODE	0x1u
#define WEIR_SET_MODE	0x2u
#define WEIR_SET_GROUP	0x4u
#define WEIR_SET_DEMAND	0x8u

/* timeout_ns of the functions that wait */
#define WEIR_DONTWAIT	INT64_C(0)
#define WEIR_FOREVER	INT64_C(-1)

/**
 * struct weir_config - how to open a socket; all zero means the defaults
 * @flags: WEIR_SHARED and so on.
 * @ring_bytes: outbox, a power of two, 4 KiB to 1 GiB; 0: the module's default.
 * @set: which of @node, @mode, @group and @demand count: WEIR_SET_NODE and so
 *	on. The default of those that do not: any node, mode 0666 less the umask,
 *	the filesystem group id, no demand.
 * @node: NUMA node of the outbox.
 * @mode: permission bits for a path that this socket makes.
 * @group: group of such a path.
 * @demand: initial demand of subscriptions.
 * @evict_ms: evict a reader that held us back this long; 0: never.
 * @linger_ms: the outbox outlives this process by so much; 0: not.
 * @hold_ms: a named cursor outlives this process by so much.
 * @spin_ns: poll so long before sleeping.
 * @name: name of the cursor of subscriptions, or NULL.
 * @start: enum weir_start of subscriptions.
 * @inbox_bytes: inbox, a power of two; 0: the module's default. Who serves or
 *	calls paths gets its requests and replies there.
 * @reserved: zero.
 */
struct weir_config {
	uint32_t	flags;
	uint32_t	ring_bytes;
	uint32_t	set;
	uint32_t	node;
	uint32_t	mode;
	uint32_t	group;
	uint32_t	demand;
	uint32_t	evict_ms;
	uint32_t	linger_ms;
	uint32_t	hold_ms;
	uint64_t	spin_ns;
	const char	*name;
	uint32_t	start;
	uint32_t	inbox_bytes;
	uint32_t	reserved[4];
};

/**
 * struct weir_stream - one outbox that a handle reads; fields are private
 * @ring: view of the ring.
 * @cursor: our cursor page; it alone says where we stand.
 * @epoch: weir_ring_epoch() when we last knew the stream to be open and our
 *	slot to be alive; on a lossy stream what it never is.
 * @id: the stream's id on this socket.
 * @slot: our slot in the outbox.
 * @gating: we hold the writer back.
 * @ended: enum weir_reason once the stream has ended for us, 0 before.
 * @missed: records lost so far (lossy streams), exact.
 * @view, @view_len, @own, @own_len: the mappings.
 * @next: in weir.detached.
 * @path: the outbox's path.
 * @user: for the application; not private.
 */
struct weir_stream {
	struct weir_ring_view	ring;
	struct weir_cursor	*cursor;
	__u64			epoch;
	uint32_t		id;
	uint32_t		slot;
	uint8_t			gating;
	uint8_t			ended;
	uint64_t		missed;
	void			*view;
	size_t			view_len;
	void			*own;
	size_t			own_len;
	struct weir_stream	*next;
	char			path[WEIR_PATH_MAX + 1];
	void			*user;
};

/**
 * struct weir - a handle; fields are private
 * @fd: the socket.
 * @type: SOCK_SEQPACKET, SOCK_RDM or SOCK_DGRAM.
 * @flags: of struct weir_config.
 * @shared: several threads claim.
 * @resumed: bind took over a lingering outbox.
 * @claim_end: lengths from here on are for weir_claim_slow(): all of them
 *	without an outbox, or when several threads claim.
 * @out: view of our outbox; data is NULL until it is mapped.
 * @cursors: readers' cursor pages, WEIR_PAGE_BYTES apart.
 * @spin_ns: poll so long before sleeping.
 * @streams: what we read; [0] of a connected socket is the peer.
 * @nstreams, @room: used and allocated entries of @streams.
 * @hot: the stream whose turn it is if the writer waits for us there, or the
 *	inbox if there can be no streams, else one that is always empty.
 * @hot_only: @hot is all that there is to be looked at.
 * @turn: stream to look at first.
 * @turn_end: position at which the others and the inbox get their turn; 0
 *	when it is nobody's.
 * @detached: streams that we left; the next weir_peek() frees them.
 * @inbox: our inbox, if mapped.
 * @noticed: position up to which notices in the inbox were acted upon.
 * @refused: claims refused since the outbox last became full; 0 while there
 *	is room.
 * @wanted: bytes of ring that the last refused claim asked for.
 * @out_view, @out_view_len, @out_own, @out_own_len: mappings of the outbox.
 * @routed: serves or calls paths: the router reads the outbox too.
 * @subscribed: there may be streams, and notices of them.
 * @inbox_end: position up to which the inbox comes before the streams.
 * @kicked: head.claim when the router was last told of something.
 * @call_tag: calls of weir_call() so far.
 * @calls_seq: of struct weir_calls.
 */
struct weir {
	int			fd;
	int			type;
	uint32_t		flags;
	uint8_t			shared;
	uint8_t			resumed;
	__u64			claim_end;
	struct weir_ring_view	out;
	const unsigned char	*cursors;
	uint64_t		spin_ns;
	struct weir_stream	*hot;
	__u64			turn_end;
	uint8_t			hot_only;
	struct weir_stream	**streams;
	uint32_t		nstreams;
	uint32_t		room;
	uint32_t		turn;
	struct weir_stream	*detached;
	struct weir_stream	*inbox;
	__u64			noticed;
	uint32_t		refused;
	uint32_t		wanted;
	void			*out_view;
	size_t			out_view_len;
	void			*out_own;
	size_t			out_own_len;
	uint8_t			routed;
	uint8_t			subscribed;
	__u64			inbox_end;
	__u64			kicked;
	uint32_t		call_tag;
	uint32_t		calls_seq;
};

/**
 * struct weir_buf - space claimed in the outbox
 * @data: write the payload here, up to @len bytes; 32-byte aligned.
 * @len: bytes claimed; may be lowered before weir_commit().
 * @seq: record count of this record, low 32 bits.
 * @tag, @key, @kind: copied to the record at commit; 0 unless set.
 */
struct weir_buf {
	void		*data;
	uint32_t	len;
	__u32		seq;
	uint32_t	tag;
	uint32_t	key;
	uint8_t		kind;
	/* private */
	uint8_t		lead;
	uint32_t	most;
	uint32_t	total;
	uint32_t	left;
	__u64		pos;
	struct weir_record *rec;
};

/**
 * struct weir_msg - a record seen by weir_peek()
 * @data: payload, in the ring, read only; valid until weir_release().
 * @len: bytes.
 * @seq: record count within its stream, low 32 bits.
 * @kind: enum weir_kind.
 * @stream: where it came from.
 * @rec: the header, for tag and key.
 */
struct weir_msg {
	const void		*data;
	uint32_t		len;
	uint32_t		seq;
	uint8_t			kind;
	struct weir_stream	*stream;
	const struct weir_record *rec;
	/* private */
	__u64			pos;
	__u64			next;
};

/* --- open and close (open.c) --- */

/**
 * weir_family() - number of the socket family
 *
 * Returns it, -EAFNOSUPPORT when the module is not loaded, or why the number
 * cannot be read.
 */
int weir_family(void);

/**
 * weir_error() - why the last call of this thread was refused, in words
 *
 * Set by every function that returns a negative value other than -EAGAIN,
 * -EINTR, -ETIMEDOUT and those of weir_peek() and weir_release(), which are
 * states and not refusals. Never NULL.
 */
const char *weir_error(void);

/**
 * weir_open() - make a socket
 * @w: out: the handle.
 * @type: SOCK_SEQPACKET, SOCK_RDM or SOCK_DGRAM.
 * @config: how, or NULL for the defaults.
 */
int weir_open(struct weir **w, int type, const struct weir_config *config);

/**
 * weir_adopt() - make a handle for a descriptor that is already a weir socket
 * @w: out: the handle; it owns @fd from now on.
 * @fd: inherited, passed or accepted without the library.
 * @config: its flags and spin_ns count, all else is the socket's already.
 *
 * Maps whatever the socket has. After a refusal @fd is still the caller's.
 */
int weir_adopt(struct weir **w, int fd, const struct weir_config *config);

/* Unmaps, closes and frees; what was claimed and not committed is lost. */
void weir_close(struct weir *w);

int weir_fd(const struct weir *w);

/**
 * weir_bind() - publish under a path (RDM, DGRAM) or name a listener
 *
 * With linger_ms a later process that binds the same path goes on with the
 * same stream: weir_info() then tells resumed.
 */
int weir_bind(struct weir *w, const char *path);

/* Connects to a listening path (SEQPACKET). */
int weir_connect(struct weir *w, const char *path);

int weir_listen(struct weir *w, int backlog);

/**
 * weir_accept() - take the next connection
 * @conn: out: its handle, with the listener's flags and spin_ns.
 * @timeout_ns: how long to wait. -ETIMEDOUT, or -EAGAIN with WEIR_DONTWAIT.
 */
int weir_accept(struct weir *w, struct weir **conn, int64_t timeout_ns);

/**
 * weir_subscribe() - read every outbox whose path matches, now and later
 * @pattern: a path; `*` matches one segment, `**` the rest.
 *
 * RDM and DGRAM, once for each handle. A publisher may come later.
 */
int weir_subscribe(struct weir *w, const char *pattern);

int weir_shutdown(struct weir *w, int how);
int weir_info(struct weir *w, struct weir_sock_info *info);

/* --- streams (stream.c) --- */

/*
 * A stream that has ended and been drained is detached by weir_peek() and
 * freed by the next one. Who keeps pointers to streams asks for WEIR_NOTICES:
 * when weir_peek() shows WEIR_NOTICE_DETACHED, the stream has been drained
 * and weir_stream_find() still finds it.
 */
struct weir_stream *weir_stream_find(struct weir *w, uint32_t id);
const char *weir_stream_path(const struct weir_stream *s);

/* Records lost so far on a lossy stream, exact; aborted ones count as lost. */
uint64_t weir_stream_missed(const struct weir_stream *s);

/* Bytes of ring between this reader and the writer. */
uint64_t weir_stream_lag(const struct weir_stream *s);

/* Has the stream ended (or this reader been evicted)? Then why. */
int weir_stream_ended(const struct weir_stream *s);

/* Stops reading a stream; it is freed by the next weir_peek(). */
int weir_stream_detach(struct weir *w, struct weir_stream *s);

/**
 * weir_request() - allow @n more records to be published
 *
 * For handles opened with WEIR_SET_DEMAND. -EINVAL without, or when more than
 * 2^31 - 1 would be outstanding.
 */
int weir_request(struct weir *w, struct weir_stream *s, uint32_t n);

/* --- copying, waiting (wait.c) --- */

/**
 * weir_send() - copy a message into the outbox and publish it
 * @timeout_ns: how long to wait for room.
 *
 * Returns 0; -EAGAIN with WEIR_DONTWAIT, -ETIMEDOUT otherwise; -EINTR on a
 * signal; and what weir_claim() returns.
 */
int weir_send(struct weir *w, const void *data, size_t len, int64_t timeout_ns);

/**
 * weir_recv() - copy the next message out and release it
 * @room: bytes at @data. What lies in them behind the message is undefined.
 * @timeout_ns: how long to wait for one.
 *
 * Returns the message's length, which may be more than @room: then the
 * message was cut, as with MSG_TRUNC. Otherwise as weir_send() and
 * weir_peek(). Notices are passed over; a message which was overwritten while
 * being copied is counted as missed.
 */
ssize_t weir_recv(struct weir *w, void *data, size_t room, int64_t timeout_ns);

/**
 * weir_wait() - wait until there is something to read or room to write
 * @events: WEIR_WAIT_IN, WEIR_WAIT_OUT; WEIR_WAIT_KICK: wake readers first.
 * @bytes: with WEIR_WAIT_OUT: bytes of ring, weir_ring_need() of the payload.
 * @timeout_ns: WEIR_DONTWAIT only looks.
 *
 * Readers that sleep for what weir_commit_more() published are woken in the
 * same system call that puts this thread to sleep; so
 *
 *	weir_claim(); weir_commit_more(); weir_wait(); weir_peek();
 *
 * is the fast form of a request and its reply. Polls for spin_ns of the
 * configuration first, if reading is all that is waited for.
 *
 * Returns the bits that hold (an error to be fetched counts as ready), 0 on
 * time-out, -EINTR on a signal. With WEIR_FOREVER a signal whose handler has
 * SA_RESTART does not end it.
 */
int weir_wait(struct weir *w, uint32_t events, uint64_t bytes,
	      int64_t timeout_ns);

/**
 * weir_arm() - ask for one wake-up of the descriptor
 *
 * For edge-triggered epoll, and whoever else sleeps elsewhere: call it when
 * weir_peek() returned 0, and sleep only if it returns 0. It arms for reading
 * and, if the last claim was refused, for that much room. Returns the
 * WEIR_WAIT bits that hold already.
 */
int weir_arm(struct weir *w);

/* weir_claim(), but waits for room; -ETIMEDOUT, -EAGAIN as weir_send(). */
int weir_claim_wait(struct weir *w, size_t len, struct weir_buf *buf,
		    int64_t timeout_ns);

/* --- slow halves of the inline functions (claim.c, kick.c, peek.c) --- */
int weir_claim_slow(struct weir *w, size_t len, uint32_t n,
		    struct weir_buf *buf);
uint32_t weir_commit_pad(struct weir *w, __u64 pos, uint32_t total,
			 uint32_t seq, uint32_t len);
void weir_wake_readers(struct weir *w);
void weir_wake_writer(struct weir *w, struct weir_stream *s);
int weir_peek_slow(struct weir *w, struct weir_msg *msg);
int weir_release_slow(struct weir *w, struct weir_stream *s, __u64 pos,
		      __u64 next, uint32_t seq);

/* Fills in a handle for the space claimed at @buf->pos. */
weir_inline void weir_buf_set(const struct weir *w, struct weir_buf *buf,
			      uint32_t len, uint32_t total)
{
	buf->rec = weir_ring_at(&w->out, buf->pos);
	buf->data = (unsigned char *)buf->rec + WEIR_HEADER_BYTES;
	buf->len = len;
	buf->most = len;
	buf->total = total;
	buf->tag = 0;
	buf->key = 0;
	buf->kind = WEIR_KIND_EVENT;
	buf->lead = 0;
}

/* Writes the header of a claimed record and publishes it. */
weir_inline void weir_buf_publish(const struct weir *w,
				  const struct weir_buf *buf, __u8 flags)
{
	struct weir_words *words = (struct weir_words *)(void *)buf->rec;

	weir_store(&words->shape,
		   WEIR_WORD(buf->len | (__u64)buf->kind << WEIR_KIND_SHIFT |
			     (__u64)flags << WEIR_FLAGS_SHIFT));
	weir_store(&words->seq_route, WEIR_WORD(buf->seq));
	weir_store(&words->tag_key,
		   WEIR_WORD(buf->tag | (__u64)buf->key << 32));
	weir_ring_commit(&w->out, buf->rec, buf->pos);
}

/*
 * Looks at the record that weir_ring_plain() would not judge, if it is a
 * routed message: it has flags, or words between header and payload. Returns
 * whether it is one.
 */
weir_inline int weir_routed_look(const struct weir_ring_view *r, __u64 pos,
				 struct weir_ring_rec *out)
{
	struct weir_record *rec = weir_ring_at(r, pos);
	const struct weir_words *words = (const struct weir_words *)(void *)rec;
	__u64 word = WEIR_WORD(weir_load(&words->shape));
	__u64 lead = WEIR_HEADER_BYTES + (__u8)(word >> WEIR_EXT_SHIFT) * 8U;
	__u64 bytes = lead + (__u32)word;

	if (bytes > weir_ring_bytes(r) ||
	    word >> WEIR_FLAGS_SHIFT & WEIR_REC_ABORTED)
		return 0;
	out->rec = rec;
	out->payload = (unsigned char *)rec + lead;
	out->pos = pos;
	out->len = (__u32)word;
	out->next = (pos + bytes + WEIR_GRANULE - 1) &
		    ~(__u64)(WEIR_GRANULE - 1);
	out->seq = weir_load(&rec->seq);
	out->kind = (__u8)(word >> WEIR_KIND_SHIFT);
	return 1;
}

/* Shows a peeked record to the application. */
weir_inline void weir_msg_set(struct weir_msg *msg, struct weir_stream *s,
			      const struct weir_ring_rec *r)
{
	msg->data = r->payload;
	msg->len = r->len;
	msg->seq = r->seq;
	msg->kind = r->kind;
	msg->stream = s;
	msg->rec = r->rec;
	msg->pos = r->pos;
	msg->next = r->next;
}

/*
 * --- the hot path ---
 *
 * The slow halves get values, or handles of their own: were they given the
 * caller's, the compiler could not keep those in registers.
 */

/* Both claims. @n: in: messages wanted; out: for how many there is space. */
weir_inline int weir_claim_some(struct weir *w, size_t len, uint32_t *n,
				struct weir_buf *buf)
{
	uint32_t total = weir_ring_need((uint32_t)len);

	if (weir_unlikely(len >= w->claim_end ||
			  weir_ring_claim_plain(&w->out, total, *n, &buf->pos,
						&buf->seq))) {
		struct weir_buf slow;
		int err = weir_claim_slow(w, len, *n, &slow);

		if (err < 0)
			return err;
		buf->pos = slow.pos;
		buf->seq = slow.seq;
		*n = 1;
	}
	weir_buf_set(w, buf, (uint32_t)len, total);
	buf->left = *n;
	return 0;
}

/**
 * weir_claim() - take space in the outbox for one message
 * @w: handle with an outbox (bound to publish, or connected).
 * @len: payload bytes, at most the ring's size less 32.
 * @buf: out: where to write.
 *
 * Never sleeps. Each successful claim must be followed by weir_commit() or
 * weir_abort(). Returns 0; -EAGAIN when readers hold the ring (see
 * weir_claim_wait()); -EMSGSIZE; -ENOTCONN without an outbox; -EPIPE when
 * the connection or this half of it is shut down. That is noticed after the
 * next weir_flush() or when the room last seen is used up; weir_send() notices
 * it at once.
 */
WEIR_INLINE int weir_claim(struct weir *w, size_t len, struct weir_buf *buf)
{
	uint32_t n = 1;

	return weir_claim_some(w, len, &n, buf);
}

/**
 * weir_claim_batch() - take space in the outbox for several messages at once
 * @w: as for weir_claim().
 * @len: payload bytes of each, at most the ring's size less 32.
 * @n: how many are wanted, at least 1.
 * @buf: out: where to write the first.
 *
 *	for (n = weir_claim_batch(w, len, 16, &buf); n > 0;
 *	     n = weir_claim_next(w, &buf)) {
 *		... write to buf.data ...
 *		weir_commit_more(w, &buf);
 *	}
 *	weir_flush(w);
 *
 * Never sleeps. Returns how many there is space for, 1 to @n: all of them
 * unless the ring is almost full or several threads publish; each must be
 * committed or aborted. Or what weir_claim() returns; -EINVAL when @n is 0.
 */
WEIR_INLINE int weir_claim_batch(struct weir *w, size_t len, uint32_t n,
				 struct weir_buf *buf)
{
	int err = weir_claim_some(w, len, &n, buf);

	return err < 0 ? err : (int)n;
}

/**
 * weir_claim_next() - go on to the next message of a batch
 * @buf: the one before, committed or aborted; out: the next, of the same
 *	length, with @tag, @key and @kind unset again.
 *
 * Returns how many are left, with this one; 0 when that was the last.
 */
WEIR_INLINE int weir_claim_next(struct weir *w, struct weir_buf *buf)
{
	if (buf->left <= 1)
		return 0;
	buf->pos += buf->total;
	buf->seq++;
	weir_buf_set(w, buf, buf->most, buf->total);
	return (int)--buf->left;
}

/**
 * weir_commit_more() - publish a claimed message, wake nobody yet
 *
 * For batches: call weir_flush() after the last one.
 */
WEIR_INLINE void weir_commit_more(struct weir *w, struct weir_buf *buf)
{
	/* a message cut short leaves room; an aborted record fills it */
	if (weir_unlikely(weir_ring_need(buf->len) != buf->total))
		buf->len = weir_commit_pad(w, buf->pos, buf->total, buf->seq,
					   buf->len);
	weir_buf_publish(w, buf, 0);
}

/**
 * weir_flush() - wake readers that sleep, if any
 *
 * One load when nobody sleeps.
 */
WEIR_INLINE void weir_flush(struct weir *w)
{
	if (weir_unlikely(weir_load(&w->out.status->wake)))	/* (C) */
		weir_wake_readers(w);
}

/**
 * weir_commit() - publish a claimed message
 */
WEIR_INLINE void weir_commit(struct weir *w, struct weir_buf *buf)
{
	weir_commit_more(w, buf);
	weir_flush(w);
}

/**
 * weir_abort() - give up a claim
 *
 * The space is published as a record that readers skip. It is never handed
 * back for another claim: a reader may already have attached behind it, and a
 * lossy reader may have lost bytes to it.
 */
WEIR_INLINE void weir_abort(struct weir *w, struct weir_buf *buf)
{
	buf->len = buf->total - WEIR_HEADER_BYTES;
	weir_buf_publish(w, buf, WEIR_REC_ABORTED);
	/* a reader may sleep before it while more is published behind it */
	weir_flush(w);
}

/**
 * weir_peek() - look at the next message, in place
 * @w: handle.
 * @msg: out: the message.
 *
 * Never sleeps. A message stays valid until weir_release(); on a lossy stream
 * it may be overwritten meanwhile, which weir_release() reports. Messages of
 * one stream are released in order; peeking again without a release returns
 * the same message, weir_peek_next() the one behind it.
 *
 * Returns 1 with a message; 0 when there is none; -EPIPE when the connection
 * has ended and is drained (SEQPACKET), -ENOTCONN before it began; -ESTALE
 * when this reader was evicted from a stream, -EPROTO when a stream's owner
 * wrote nonsense (both once for each stream, which is then detached;
 * msg->stream tells which and is valid until the next weir_peek(); it is NULL
 * with any other error, and @msg is left alone when 0 is returned). Another
 * negative value: a new stream could not be mapped; the next call tries again.
 */
WEIR_INLINE int weir_peek(struct weir *w, struct weir_msg *msg)
{
	struct weir_stream *s = w->hot;
	__u64 pos = weir_load(&s->cursor->pos);
	struct weir_ring_rec r, routed;
	struct weir_msg slow;
	int ret = weir_ring_plain(&s->ring, pos, &r);

	if (weir_likely(ret == 1)) {
		weir_msg_set(msg, s, &r);
		return 1;
	}
	if (weir_unlikely(ret) && weir_routed_look(&s->ring, pos, &routed)) {
		weir_msg_set(msg, s, &routed);
		return 1;
	}
	/* nothing yet, and nothing else to look at */
	if (!ret && w->hot_only && weir_ring_epoch(&s->ring) == s->epoch)
		return 0;
	ret = weir_peek_slow(w, &slow);
	if (ret)
		*msg = slow;
	return ret;
}

/**
 * weir_peek_next() - look at the message behind one, in place
 * @msg: in: from weir_peek() or weir_peek_next(), not yet released; out: the
 *	next one of its stream.
 *
 * Reads a batch: releasing its last message releases all of it, and tells of
 * all of it whether it is to be trusted.
 *
 *	while ((ret = weir_peek(w, &msg)) == 1) {
 *		n = 0;
 *		do
 *			use(msg.data, msg.len);
 *		while (++n < 16 && weir_peek_next(w, &msg));
 *		weir_release(w, &msg);
 *	}
 *
 * Never sleeps. Returns 1, or 0, with @msg left alone, when the batch ends
 * here: release it and go on with weir_peek(). The writer has none of its
 * space before that, so batches should be short beside the ring. A lossy
 * stream has batches of one.
 */
WEIR_INLINE int weir_peek_next(struct weir *w, struct weir_msg *msg)
{
	struct weir_stream *s = msg->stream;
	struct weir_ring_rec r, routed;
	__u64 pos = msg->next;
	int ret;

	if (weir_unlikely(s != w->hot))
		return 0;
	ret = weir_ring_plain(&s->ring, pos, &r);
	if (weir_likely(ret == 1)) {
		weir_msg_set(msg, s, &r);
		return 1;
	}
	if (weir_unlikely(ret) && weir_routed_look(&s->ring, pos, &routed)) {
		weir_msg_set(msg, s, &routed);
		return 1;
	}
	return 0;
}

/**
 * weir_release() - be done with a message from weir_peek()
 *
 * Returns 0; -ESTALE when this reader was evicted before it got here or, on a
 * lossy stream, the message was overwritten while in use: what was read is
 * not to be trusted.
 */
WEIR_INLINE int weir_release(struct weir *w, struct weir_msg *msg)
{
	struct weir_stream *s = msg->stream;
	struct weir_cursor *cursor = s->cursor;
	__u64 pos = msg->next;

	weir_fence_acquire();					/* (A) */
	if (weir_unlikely(weir_ring_epoch(&s->ring) != s->epoch ||
			  pos >= w->turn_end))
		return weir_release_slow(w, s, msg->pos, pos, msg->seq);
	weir_store_release(&cursor->pos, pos);			/* (D) */
	weir_compiler_fence();					/* (C) */
	if (weir_unlikely(weir_load(&s->ring.status->wake_pos) <= pos))
		weir_wake_writer(w, s);
	return 0;
}

#ifdef __cplusplus
}
#endif

#include "weir_route.h"

#endif /* WEIR_H */
