/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libweir: the user library of AF_WEIR sockets. It opens a socket and maps its
 * rings. After that, sending and receiving are loads and stores. The library
 * makes a system call only to sleep, or to wake a side that sleeps.
 *
 * Only weir_loop_run() starts threads. The library allocates no memory while
 * messages flow, never ends the program and does not change errno. Functions
 * return 0, a count, or a negative errno value; weir_error() has the words.
 *
 * One thread at a time may use a struct weir. There is one exception: with
 * WEIR_SHARED several threads may claim and commit at once. Different handles
 * are independent. weir(7) explains the concepts.
 *
 * The fast path is inline. Its functions are symbols of the library too, for
 * other languages (see inline.c).
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

/* timeout_ns of functions that wait: nanoseconds, or one of these */
#define WEIR_DONTWAIT	INT64_C(0)
#define WEIR_FOREVER	INT64_C(-1)

/**
 * struct weir_config - how to open a socket; all zero means the defaults
 * @flags: WEIR_SHARED, WEIR_NOTICES, WEIR_NONBLOCK, WEIR_HUGE.
 * @ring_bytes: bytes of the outbox, a power of two, 4 KiB to 1 GiB; 0: the
 *	module's default.
 * @set: WEIR_SET_*: which of @node, @mode, @group and @demand are set. Defaults
 *	of the others: any node, mode 0666 less the umask, the filesystem group
 *	id, no demand.
 * @node: NUMA node of the outbox.
 * @mode: permission bits for a path that this socket makes.
 * @group: group id of such a path.
 * @demand: initial demand of subscriptions, in records.
 * @evict_ms: milliseconds after which a reader that holds this socket back is
 *	evicted; 0: never.
 * @linger_ms: milliseconds that the outbox outlives this socket; 0: none.
 * @hold_ms: milliseconds that a named cursor outlives this socket; 0: none.
 * @spin_ns: nanoseconds to poll before sleeping.
 * @name: name of the cursor of subscriptions, and of the targets that this
 *	socket serves as; or NULL.
 * @start: enum weir_start of subscriptions.
 * @inbox_bytes: bytes of the inbox, a power of two; 0: the module's default. A
 *	handle that serves or calls paths gets requests and replies there.
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
 * struct weir_fork_link - private: what a fork(2) has to mark, see fork.c
 * @next: the next one, or NULL.
 * @prev: where this one is linked; NULL: it is in no list.
 */
struct weir_fork_link {
	struct weir_fork_link	*next;
	struct weir_fork_link	**prev;
};

/**
 * struct weir_stream - one outbox that a handle reads
 * @ring: view of the ring.
 * @cursor: this reader's cursor page. It alone holds the reader's position.
 * @epoch: weir_ring_epoch() when the library last checked that the stream was
 *	open and this reader not evicted; on a lossy stream a value that
 *	weir_ring_epoch() never returns.
 * @id: the stream's id on this socket.
 * @slot: this reader's slot in the outbox.
 * @gating: 1 if this reader holds the writer back, else 0.
 * @ended: enum weir_reason once the stream has ended for this reader, else 0.
 * @missed: exact count of records lost so far; lossy streams only.
 * @view, @view_len: mapping of WEIR_MAP_VIEW, and its bytes.
 * @own, @own_len: mapping of WEIR_MAP_OWN, and its bytes.
 * @next: next stream in weir.detached.
 * @path: path of the outbox.
 * @fork: link of the list of mapped streams, see fork.c.
 * @user: for the application. All other fields are private to the library.
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
	struct weir_fork_link	fork;
};

/**
 * struct weir - a handle; all fields are private to the library
 * @fd: descriptor of the socket; weir_close() closes it.
 * @type: SOCK_SEQPACKET, SOCK_RDM or SOCK_DGRAM.
 * @flags: flags of struct weir_config.
 * @shared: 1 if several threads claim (WEIR_SHARED), else 0.
 * @resumed: 1 if bind took over a lingering outbox, else 0.
 * @claim_end: the inline claim takes lengths below this, in bytes. It is 0
 *	without an outbox, and when several threads claim.
 * @out: view of the handle's outbox; data is NULL until it is mapped.
 * @cursors: cursor pages, WEIR_PAGE_BYTES apart: of all slots; of the first 64
 *	if there are @cursor_blocks; of an end of a pair its peer's, slot 0.
 * @spin_ns: nanoseconds to poll before sleeping.
 * @hot: the stream that the inline peek reads: the stream whose turn it is, if
 *	it is gating; the inbox, if a routed handle has not subscribed; else a
 *	stream that is always empty.
 * @turn_end: position in bytes at which the turn of the hot stream ends; 0 when
 *	no stream has a turn, UINT64_MAX when the turn has no end.
 * @hot_only: 1 if there is nothing to read but @hot, else 0.
 * @streams: streams that the handle reads; [0] of a connected socket is the
 *	peer's.
 * @nstreams: used entries of @streams.
 * @room: allocated entries of @streams.
 * @turn: index in @streams of the stream that has, or had, the last turn.
 * @detached: streams that the handle has left; the next slow peek frees them.
 * @inbox: the handle's inbox, or NULL until it is mapped.
 * @noticed: position in the inbox, in bytes: the library has handled the
 *	notices before it.
 * @refused: claims refused since the outbox last became full; 0 while there
 *	is room.
 * @wanted: bytes of ring that the last refused claim asked for.
 * @out_view, @out_view_len: mapping of the outbox's WEIR_MAP_VIEW, its bytes.
 * @out_own, @out_own_len: mapping of its WEIR_MAP_OWN, its bytes.
 * @routed: 1 if the handle serves or calls paths, so that the router reads its
 *	outbox, else 0.
 * @subscribed: 1 after a subscription: there may be streams and notices.
 * @inbox_end: position in the inbox, in bytes, at which its turn ends.
 * @kicked: head.claim when the kernel was last told of new records.
 * @call_tag: number of weir_call() calls so far.
 * @calls_seq: number of calls that struct weir_calls has sent so far, without
 *	the one-way ones.
 * @cursor_blocks: table of further blocks of 64 cursor pages; those that are not
 *	used yet are NULL. The first entry has no use.
 * @forked: 1 in a child of fork(2), if the parent has the handle's rings; else 0.
 * @parent_fd: if @forked: the descriptor; @fd is then invalid.
 * @fork: link of the list of handles, see fork.c.
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
	const unsigned char	**cursor_blocks;
	uint8_t			forked;
	int			parent_fd;
	struct weir_fork_link	fork;
};

/**
 * struct weir_buf - space claimed in the outbox
 * @data: where to write the payload, up to @len bytes; 32-byte aligned.
 * @len: bytes claimed; the caller may lower it before weir_commit().
 * @seq: record count of this record, low 32 bits.
 * @tag: tag of the record, 0 unless the caller sets it.
 * @key: shard key of the record, 0 unless the caller sets it.
 * @kind: enum weir_kind, WEIR_KIND_EVENT unless the caller sets it.
 * @lead: private: bytes between header and payload.
 * @most: private: payload bytes that the claim asked for.
 * @total: private: bytes of ring that were claimed.
 * @left: private: messages of the batch from here on, this one included.
 * @pos: private: position of the record in the ring, in bytes.
 * @rec: private: the record's header in the ring.
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
 * @data: payload, read-only in the ring; valid until weir_release().
 * @len: bytes of payload.
 * @seq: record count within its stream, low 32 bits.
 * @kind: enum weir_kind.
 * @stream: stream that it came from.
 * @rec: header in the ring, for tag and key.
 * @pos: private: position of the record, in bytes.
 * @next: private: position behind the record, in bytes.
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
 * Without /sys it tries the numbers that the module suggests: 18, 19 and 25.
 * Returns the number, or -EAFNOSUPPORT when the module is not loaded or its
 * number cannot be found.
 */
int weir_family(void);

/**
 * weir_error() - why the last call of this thread was refused, in words
 *
 * Every function that refuses something sets the words. -EAGAIN, -EINTR,
 * -ETIMEDOUT and the negative values of weir_peek() and weir_release() are
 * states and not refusals, so they set none. Never returns NULL.
 */
const char *weir_error(void);

/**
 * weir_open() - make a socket
 * @w: out: the handle.
 * @type: SOCK_SEQPACKET, SOCK_RDM or SOCK_DGRAM.
 * @config: settings, or NULL for the defaults.
 */
int weir_open(struct weir **w, int type, const struct weir_config *config);

/**
 * weir_adopt() - make a handle for a descriptor that is already a weir socket
 * @w: out: the handle, which owns @fd after success.
 * @fd: descriptor that was inherited, passed or accepted without the library.
 * @config: settings; only flags and spin_ns have an effect. NULL: the defaults.
 *
 * Maps the rings that the socket has. After an error the caller still owns @fd.
 */
int weir_adopt(struct weir **w, int fd, const struct weir_config *config);

/*
 * Unmaps the rings, closes the socket and frees the handle. Records that were
 * claimed and not committed are lost.
 */
void weir_close(struct weir *w);

int weir_fd(const struct weir *w);

/**
 * weir_bind() - publish under a path (RDM, DGRAM) or name a listener
 *
 * With linger_ms a later process that binds the same path takes the stream
 * over. weir_info() then has resumed set.
 */
int weir_bind(struct weir *w, const char *path);

/* Connects to a listening path (SEQPACKET). */
int weir_connect(struct weir *w, const char *path);

int weir_listen(struct weir *w, int backlog);

/**
 * weir_accept() - take the next connection
 * @conn: out: handle of the connection, with the listener's flags and spin_ns.
 * @timeout_ns: nanoseconds to wait.
 *
 * Makes the listener's descriptor non-blocking, for all that share it. Returns 0,
 * -ETIMEDOUT after that time, or -EAGAIN with WEIR_DONTWAIT.
 */
int weir_accept(struct weir *w, struct weir **conn, int64_t timeout_ns);

/**
 * weir_subscribe() - read every outbox whose path matches, now and later
 * @pattern: a path; `*` matches one segment, `**` the rest.
 *
 * For SOCK_RDM and SOCK_DGRAM, once for each handle. Publishers may come later.
 */
int weir_subscribe(struct weir *w, const char *pattern);

int weir_shutdown(struct weir *w, int how);
int weir_info(struct weir *w, struct weir_sock_info *info);

/* --- streams (stream.c) --- */

/*
 * weir_peek() detaches a stream that has ended and been drained. The next
 * weir_peek() may free it. A program that keeps pointers to streams sets
 * WEIR_NOTICES: when weir_peek() shows WEIR_NOTICE_DETACHED, the stream has been
 * drained and weir_stream_find() still finds it.
 */
struct weir_stream *weir_stream_find(struct weir *w, uint32_t id);
const char *weir_stream_path(const struct weir_stream *s);

/*
 * Exact count of records lost so far on a lossy stream. Aborted records in a gap
 * count as lost.
 */
uint64_t weir_stream_missed(const struct weir_stream *s);

/* Bytes of ring between this reader and the writer. */
uint64_t weir_stream_lag(const struct weir_stream *s);

/* Reason why the stream has ended or this reader was evicted; 0: neither. */
int weir_stream_ended(const struct weir_stream *s);

/* Stops reading a stream. The next weir_peek() may free it. */
int weir_stream_detach(struct weir *w, struct weir_stream *s);

/**
 * weir_request() - allow the writer to publish @n more records
 *
 * For handles opened with WEIR_SET_DEMAND. Returns 0, or -EINVAL for other
 * handles, and when more than 2^31 - 1 records would be outstanding.
 */
int weir_request(struct weir *w, struct weir_stream *s, uint32_t n);

/* --- copying, waiting (wait.c) --- */

/**
 * weir_send() - copy a message into the outbox and publish it
 * @timeout_ns: nanoseconds to wait for room.
 *
 * Returns 0. Without room it returns -EAGAIN with WEIR_DONTWAIT and -ETIMEDOUT
 * otherwise. It returns -EINTR on a signal, and the errors of weir_claim().
 */
int weir_send(struct weir *w, const void *data, size_t len, int64_t timeout_ns);

/**
 * weir_recv() - copy the next message out and release it
 * @room: bytes at @data. The bytes behind the message have no defined value.
 * @timeout_ns: nanoseconds to wait for a message.
 *
 * Skips notices. Counts a message that was overwritten during the copy as
 * missed. Returns the message's length. If that is more than @room, the message
 * was cut, as with MSG_TRUNC. Errors are those of weir_send() and weir_peek().
 */
ssize_t weir_recv(struct weir *w, void *data, size_t room, int64_t timeout_ns);

/**
 * weir_wait() - wait until there is something to read or room to write
 * @events: WEIR_WAIT_IN, WEIR_WAIT_OUT; WEIR_WAIT_KICK: weir_flush() first.
 * @bytes: with WEIR_WAIT_OUT: bytes of ring, weir_ring_need() of the payload.
 * @timeout_ns: nanoseconds to wait; WEIR_DONTWAIT: only check.
 *
 * The system call that puts this thread to sleep also wakes readers of what
 * weir_commit_more() has published. So
 *
 *	weir_claim(); weir_commit_more(); weir_wait(); weir_peek();
 *
 * is the fast form of a request and its reply. If @events is WEIR_WAIT_IN, the
 * function polls for spin_ns of the configuration before it sleeps.
 *
 * Returns the bits that hold, 0 on time-out, or -EINTR on a signal that has a
 * handler. A pending error counts as ready. With WEIR_FOREVER a signal whose
 * handler has SA_RESTART does not end the wait.
 */
int weir_wait(struct weir *w, uint32_t events, uint64_t bytes,
	      int64_t timeout_ns);

/**
 * weir_arm() - ask for one wake-up of the descriptor
 *
 * For programs that sleep outside the library and do not poll before, such as
 * edge-triggered epoll that waits for room. The caller arms after weir_peek()
 * has returned 0, and sleeps only if this function returns 0 too. It arms for
 * reading and, if the last claim was refused, for the room of that claim.
 * Returns the WEIR_WAIT bits that hold already.
 */
int weir_arm(struct weir *w);

/* As weir_claim(), but waits for room; errors as those of weir_send(). */
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

/* Fills in a buffer for the space claimed at @buf->pos. */
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

	weir_store(&words->header,
		   WEIR_WORD(buf->len | (__u64)buf->kind << WEIR_KIND_SHIFT |
			     (__u64)flags << WEIR_FLAGS_SHIFT));
	weir_store(&words->seq_route, WEIR_WORD(buf->seq));
	weir_store(&words->tag_key,
		   WEIR_WORD(buf->tag | (__u64)buf->key << 32));
	weir_ring_commit(&w->out, buf->rec, buf->pos);
}

/*
 * Reads a record that weir_ring_plain() has left to others, if it is a routed
 * message: such a record has flags, or words between header and payload. Returns
 * 1 with the record in @out, or 0 for an aborted record or nonsense.
 */
weir_inline int weir_routed_look(const struct weir_ring_view *r, __u64 pos,
				 struct weir_ring_rec *out)
{
	struct weir_record *rec = weir_ring_at(r, pos);
	const struct weir_words *words = (const struct weir_words *)(void *)rec;
	__u64 word = WEIR_WORD(weir_load(&words->header));
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
 * Says how far the application looks, before it gets a message behind the one at
 * the cursor: WEIR_CURSOR_SEEN. A process that is killed may not get further.
 */
weir_inline void weir_look(struct weir_stream *s, __u64 next)
{
	weir_store(&s->cursor->seen, next);
	weir_compiler_fence();
}

/*
 * --- the fast path ---
 *
 * The slow halves get values, or a local structure. If they got the caller's
 * structure, the compiler could not keep its fields in registers.
 */

/*
 * The common part of weir_claim() and weir_claim_batch(). @n: in: messages
 * wanted; out: messages that there is space for.
 */
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
 * weir_abort().
 *
 * Returns 0; -EAGAIN when readers hold the ring (see weir_claim_wait());
 * -EMSGSIZE; -ENOTCONN without an outbox; or -EPIPE when the connection, or this
 * half of it, is shut down. The claim finds the shutdown after the next
 * weir_flush(), or when the room that it last saw is used up. weir_send() finds
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
 * Never sleeps. Each message that was claimed must be committed or aborted.
 * Returns the number of messages that there is space for, 1 to @n. It is @n
 * unless the ring is almost full or several threads publish. Errors are those
 * of weir_claim(), and -EINVAL when @n is 0.
 */
WEIR_INLINE int weir_claim_batch(struct weir *w, size_t len, uint32_t n,
				 struct weir_buf *buf)
{
	int err = weir_claim_some(w, len, &n, buf);

	return err < 0 ? err : (int)n;
}

/**
 * weir_claim_next() - go on to the next message of a batch
 * @buf: in: the message before, committed or aborted; out: the next message, of
 *	the same length, with @tag, @key and @kind at their defaults.
 *
 * Returns the number of messages left, this one included, or 0 after the last.
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
 * weir_commit_more() - publish a claimed message without waking readers
 *
 * For batches: the caller calls weir_flush() after the last message.
 */
WEIR_INLINE void weir_commit_more(struct weir *w, struct weir_buf *buf)
{
	/* A shortened message leaves space, which an aborted record fills. */
	if (weir_unlikely(weir_ring_need(buf->len) != buf->total))
		buf->len = weir_commit_pad(w, buf->pos, buf->total, buf->seq,
					   buf->len);
	weir_buf_publish(w, buf, 0);
}

/**
 * weir_flush() - wake readers that sleep, and tell the router
 *
 * Costs one load when no reader sleeps.
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
 * Publishes the space as a record that readers skip. The space never goes back
 * to another claim: a reader may already have attached behind it, and a lossy
 * reader may already have lost a record to it.
 */
WEIR_INLINE void weir_abort(struct weir *w, struct weir_buf *buf)
{
	buf->len = buf->total - WEIR_HEADER_BYTES;
	weir_buf_publish(w, buf, WEIR_REC_ABORTED);
	/* A reader may sleep here with published records behind this one. */
	weir_flush(w);
}

/**
 * weir_peek() - look at the next message, in place
 * @w: handle.
 * @msg: out: the message.
 *
 * Never sleeps. A message stays valid until weir_release(). On a lossy stream
 * the writer may overwrite it before that, and weir_release() then says so.
 * Messages of one stream are released in order. A second peek without a release
 * returns the same message; weir_peek_next() returns the one behind it.
 *
 * Returns:
 *	1 with a message;
 *	0 without one, and does not change @msg;
 *	-EPIPE when the connection (SEQPACKET) has ended and is drained;
 *	-ENOTCONN when the socket is not connected yet;
 *	-ESTALE when this reader was evicted from a stream;
 *	-EPROTO when a stream's owner wrote nonsense;
 *	another negative value when a new stream could not be mapped. The next
 *	call tries again.
 *
 * -ESTALE and -EPROTO come once for each stream, which is then detached.
 * msg->stream is that stream, valid until the next weir_peek(). With any other
 * error it is NULL.
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
	/* No record here, and no other ring to read. */
	if (!ret && w->hot_only && weir_ring_epoch(&s->ring) == s->epoch)
		return 0;
	ret = weir_peek_slow(w, &slow);
	if (ret)
		*msg = slow;
	return ret;
}

/**
 * weir_peek_next() - look at the message behind another, in place
 * @msg: in: from weir_peek() or weir_peek_next(), not yet released; out: the
 *	next message of its stream.
 *
 * Reads a batch. The release of its last message releases the whole batch, and
 * its return value is valid for the whole batch.
 *
 *	while ((ret = weir_peek(w, &msg)) == 1) {
 *		n = 0;
 *		do
 *			use(msg.data, msg.len);
 *		while (++n < 16 && weir_peek_next(w, &msg));
 *		weir_release(w, &msg);
 *	}
 *
 * Never sleeps. Returns 1, or 0 when the batch ends here. With 0 it does not
 * change @msg: the caller releases it and goes on with weir_peek(). The writer
 * gets the space of a batch only then, so a batch should be short compared with
 * the ring. A lossy stream has batches of one message.
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
		weir_look(s, r.next);
		weir_msg_set(msg, s, &r);
		return 1;
	}
	if (weir_unlikely(ret) && weir_routed_look(&s->ring, pos, &routed)) {
		weir_look(s, routed.next);
		weir_msg_set(msg, s, &routed);
		return 1;
	}
	return 0;
}

/**
 * weir_release() - give a message from weir_peek() back to the writer
 *
 * Returns 0, or -ESTALE when this reader was evicted before the call or, on a
 * lossy stream, when the writer has overwritten the message. With -ESTALE the
 * bytes that the caller has read may be wrong.
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
