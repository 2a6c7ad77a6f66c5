/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libweir: requests and replies. A SOCK_RDM handle serves paths, calls paths,
 * or both. The kernel's router carries each message from one handle to the
 * other. uapi/weir_route.h says what the router does, weir.h describes the
 * handle.
 *
 * A caller commits requests into its outbox and reads the answers from
 * weir_peek(). weir_call() does both for one request at a time, and struct
 * weir_calls for many, each with a callback. A service reads requests from
 * weir_peek(), takes the ticket of each, and commits replies.
 *
 * The router sends nothing before it is told. weir_flush() tells it.
 * weir_wait() with WEIR_WAIT_KICK tells it and sleeps in one system call. So
 * one system call carries a whole batch of weir_call_commit_more().
 */
#ifndef WEIR_ROUTE_H
#define WEIR_ROUTE_H

#include "weir.h"
#include <uapi/weir_route.h>

#ifdef __cplusplus
extern "C" {
/* weir_call and weir_ticket name functions and structures, as stat does */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

/*
 * weir_call() uses the tags with this bit. The tags without it belong to the
 * application, or to struct weir_calls if the handle has one.
 */
#define WEIR_TAG_CALL	0x80000000u

/**
 * struct weir_call - how to send a request
 * @route: from weir_route().
 * @tag: returned with the answer; weir_call() and struct weir_calls set their
 *	own.
 * @key: shard key.
 * @one_way: 1: an event, which has no answer; 0: a request.
 * @flags: WEIR_REC_IDEMPOTENT, WEIR_REC_REFUSE, WEIR_REC_DROP, WEIR_REC_WAIT.
 * @reserved: zero.
 * @deadline_ns: on CLOCK_MONOTONIC; 0: the route's timeout; above INT64_MAX:
 *	the latest that the route allows.
 * @dup: idempotency key; 0: none.
 *
 * The caller does not change it between claim and commit.
 */
struct weir_call {
	uint32_t	route;
	uint32_t	tag;
	uint32_t	key;
	uint8_t		one_way;
	uint8_t		flags;
	uint16_t	reserved;
	uint64_t	deadline_ns;
	uint64_t	dup;
};

/**
 * struct weir_ticket - names the request that a reply answers
 * @route: route of the request.
 * @tag: tag of the request.
 *
 * A ticket outlives its request: a service may release the request before it
 * answers. Both fields are zero when no reply is wanted.
 */
struct weir_ticket {
	uint32_t	route;
	uint32_t	tag;
};

/* --- names and routes (route.c) --- */

/**
 * weir_serve() - take requests for a path
 * @w: SOCK_RDM handle.
 * @path: path or pattern; further calls serve further paths.
 * @weight: share of the requests, relative to the other targets of the path. A
 *	target of weight 0 takes none until the weight changes.
 * @id: out: id of the target, for WEIR_IOC_CONTROL; may be NULL.
 *
 * weir_peek() then returns the requests and one-way events. Requests that the
 * handle has not shown to the application when it is closed, or its process is
 * killed, go to other targets.
 */
int weir_serve(struct weir *w, const char *path, uint32_t weight, uint64_t *id);

/*
 * weir_serve() of a program whose weir_peek_next() says how far it has looked.
 * The function itself is for programs that were compiled with an older header:
 * there the kernel takes all requests in the inbox for seen.
 */
int weir_serve_seen(struct weir *w, const char *path, uint32_t weight,
		    uint64_t *id);
#define weir_serve(w, path, weight, id)	weir_serve_seen(w, path, weight, id)

/**
 * weir_drain() - have no new requests come, before the handle is closed
 * @w: SOCK_RDM handle.
 *
 * Gives weight 0 to all targets that the handle is. The requests that have come
 * by then are still read with weir_peek(). A service that ends without an error
 * for a caller calls this, serves until weir_peek() returns 0, and closes the
 * handle. For requests of more than 64 KiB, and those to several targets whose
 * copies together are larger, it does not close the handle at once, because they
 * may still come. Returns 0, also if the handle serves nothing.
 */
int weir_drain(struct weir *w);

/**
 * weir_route() - get a route handle for a path to be called
 * @w: SOCK_RDM handle.
 * @path: path to call; it may have no target yet.
 *
 * The route handle stays with the owner of the first route that is found for it.
 * A second call for the same path moves it to the owner that the path has then.
 * Returns the route handle, 1 or more, the same one for the same path.
 */
int weir_route(struct weir *w, const char *path);

/* --- answers (route.c) --- */

/**
 * weir_reply() - copy a reply into the outbox and send it
 * @timeout_ns: nanoseconds to wait for room.
 *
 * Returns 0, also when the ticket wants no reply. Errors are those of
 * weir_send().
 */
int weir_reply(struct weir *w, const struct weir_ticket *ticket,
	       const void *data, size_t len, int64_t timeout_ns);

/* The same for an error: the caller gets it as WEIR_KIND_ERROR. */
int weir_reply_error(struct weir *w, const struct weir_ticket *ticket,
		     const void *data, size_t len, int64_t timeout_ns);

/* --- one call at a time (call.c) --- */

/* As weir_call_claim(), but waits for room; errors as those of weir_send(). */
int weir_call_claim_wait(struct weir *w, const struct weir_call *call,
			 size_t len, struct weir_buf *buf, int64_t timeout_ns);

/**
 * weir_call() - send a request and wait for its reply
 * @call: options of the request; this function sets the tag.
 * @data: payload of the request, @len bytes.
 * @reply: where to write the reply.
 * @room: bytes at @reply.
 * @timeout_ns: nanoseconds; becomes the request's deadline, unless @call has
 *	one. WEIR_DONTWAIT is for one-way calls only.
 *
 * The seven parameters are those of a request and of its reply: two buffers
 * with their lengths, the handle, the options and the time.
 *
 * Returns the reply's length. If that is more than @room, the reply was cut.
 * Errors:
 *	-weir_refusal_errno() of the router's reason when the router answers,
 *	such as -ETIME when the deadline has passed;
 *	-EREMOTEIO when the target answers with an error; @reply then has the
 *	error's payload;
 *	-ETIMEDOUT when no answer comes, not even the router's;
 *	-EINTR on a signal;
 *	the errors of weir_claim_wait().
 * The next weir_call() drops an answer that comes after -ETIMEDOUT or -EINTR.
 *
 * Other messages stay in the inbox for weir_peek(). While there are some, this
 * function checks for the reply from time to time instead of sleeping until it
 * comes. It also leaves the reply behind them: the application then skips it by
 * its tag, see WEIR_TAG_CALL.
 */
ssize_t weir_call(struct weir *w, const struct weir_call *call,
		  const void *data, size_t len, void *reply, size_t room,
		  int64_t timeout_ns);

/* --- many at once (calls.c) --- */

/**
 * struct weir_calls - a table of requests in flight, each with a callback
 *
 * A handle has at most one.
 */
struct weir_calls;

#define WEIR_CALLS_MAX	(1u << 20)

/**
 * weir_calls_create() - make a table of calls
 * @w: handle that sends the calls.
 * @max: most calls in flight, 1 to WEIR_CALLS_MAX.
 *
 * Returns the table, or NULL; weir_error() then tells why.
 */
struct weir_calls *weir_calls_create(struct weir *w, uint32_t max);

/*
 * Frees the table. The caller does so before it closes the handle. Each call in
 * flight gets -ECANCELED.
 */
void weir_calls_destroy(struct weir_calls *c);

/**
 * weir_calls_send() - commit a request that has a callback for its answer
 * @call: options of the request; this function sets the tag.
 * @data: payload of the request, @len bytes.
 * @done: callback of weir_calls_run(), weir_calls_take() and
 *	weir_calls_destroy(). It gets 0 and the reply; -EREMOTEIO and the
 *	target's error; -weir_refusal_errno() and the router's error; or
 *	-ECANCELED and NULL. The message is released after it. It is called
 *	again for the next message if this one has WEIR_REC_MORE.
 * @arg: first argument of @done.
 *
 * Neither waits nor tells the router: weir_calls_run() does both. Returns 0;
 * -EAGAIN when the table is full or the outbox has no room; -ECANCELED while
 * the table is being destroyed; or an error of weir_claim(). @done is not
 * called after an error, or for a one-way call.
 */
int weir_calls_send(struct weir_calls *c, const struct weir_call *call,
		    const void *data, size_t len,
		    void (*done)(void *arg, int err,
				 const struct weir_msg *msg),
		    void *arg);

/**
 * weir_calls_run() - send committed requests, handle the answers that have come
 * @timeout_ns: nanoseconds to wait for an answer.
 *
 * Returns the number of answers handled, 0 on time-out, or -EBUSY when the next
 * message is not an answer: the caller then reads it with weir_peek(). Other
 * errors are those of weir_peek() and weir_wait().
 */
int weir_calls_run(struct weir_calls *c, int64_t timeout_ns);

/**
 * weir_calls_take() - handle a message from weir_peek() if it is an answer
 *
 * For handles that both call and serve. Returns 1 if the message is an answer,
 * even a late one that no call waits for; else 0. The caller releases the
 * message either way.
 */
int weir_calls_take(struct weir_calls *c, const struct weir_msg *msg);

/* Calls in flight. */
uint32_t weir_calls_pending(const struct weir_calls *c);

/* --- why there is no reply (refusal.c) --- */

/*
 * Returns the errno value, positive, of a reason that the router gives. Each
 * such reason has a value of its own; all others have EPROTO.
 */
int weir_refusal_errno(uint32_t reason);

/* Short names, such as "breaker"; "unknown" for other numbers. Never NULL. */
const char *weir_reason_name(uint32_t reason);
const char *weir_guard_name(uint32_t guard);

/**
 * weir_refusal_get() - why the router answered a request itself
 * @refusal: out: reason, guard, target and time of a retry.
 *
 * Returns 1, or 0 when the message is not an error of the router.
 */
int weir_refusal_get(const struct weir_msg *msg, struct weir_refusal *refusal);

/*
 * --- the fast path ---
 */

/* Bytes between the request's header and its payload. */
weir_inline uint32_t weir_call_lead(const struct weir_call *call)
{
	return call->dup ? 16 : call->deadline_ns ? 8 : 0;
}

/* Those bytes and the payload's; SIZE_MAX if the sum overflows. */
weir_inline size_t weir_call_len(uint32_t lead, size_t len)
{
	return weir_likely(len <= SIZE_MAX - lead) ? len + lead : SIZE_MAX;
}

/* Moves the payload behind those bytes in the space that was claimed. */
weir_inline void weir_call_place(struct weir_buf *buf, uint32_t lead)
{
	buf->data = (unsigned char *)buf->data + lead;
	buf->len -= lead;
	buf->lead = (uint8_t)lead;
}

/*
 * Returns kind and flags at their places in the header word. The compiler loads
 * one_way and flags at once, because they are neighbours. The kinds of a
 * request and of an event differ in one bit, which one_way flips.
 */
weir_inline __u64 weir_call_flags(const struct weir_call *call)
{
	const unsigned int low = WEIR_KIND_SHIFT < WEIR_FLAGS_SHIFT ?
				 WEIR_KIND_SHIFT : WEIR_FLAGS_SHIFT;
	uint16_t both = (uint16_t)
			(call->one_way << (WEIR_KIND_SHIFT - low) |
			 call->flags << (WEIR_FLAGS_SHIFT - low));

	return (__u64)both << low ^
	       (__u64)WEIR_KIND_REQUEST << WEIR_KIND_SHIFT;
}

/**
 * weir_routed_publish() - write the header of a routed message and publish it
 * @flags: kind, flags and number of extension words, at their places in the
 *	header word; see weir_call_flags().
 */
weir_inline void weir_routed_publish(const struct weir *w,
				     const struct weir_buf *buf, __u64 flags,
				     uint32_t route, uint32_t tag, uint32_t key)
{
	struct weir_words *words = (struct weir_words *)(void *)buf->rec;

	weir_store(&words->header, WEIR_WORD(buf->len | flags));
	weir_store(&words->seq_route,
		   WEIR_WORD(buf->seq | (__u64)route << 32));
	weir_store(&words->tag_key, WEIR_WORD(tag | (__u64)key << 32));
	weir_ring_commit(&w->out, buf->rec, buf->pos);
}

/**
 * weir_call_claim() - take space in the outbox for one request
 * @w: handle that has called weir_route().
 * @call: options of the request.
 * @len: payload bytes.
 * @buf: out: where to write; 8-byte aligned.
 *
 * Returns as weir_claim(). weir_call_commit() or weir_abort() must follow.
 */
WEIR_INLINE int weir_call_claim(struct weir *w, const struct weir_call *call,
				size_t len, struct weir_buf *buf)
{
	uint32_t lead = weir_call_lead(call), n = 1;
	int err = weir_claim_some(w, weir_call_len(lead, len), &n, buf);

	if (weir_likely(!err))
		weir_call_place(buf, lead);
	return err;
}

/**
 * weir_call_claim_batch() - take space for several requests at once
 * @call: options of the requests. From one to the next the caller may change
 *	route, tag, key and flags. It may also change the values of deadline and
 *	idempotency key, but not from or to 0.
 *
 * Returns as weir_claim_batch(). weir_call_claim_next() goes on to the next.
 */
WEIR_INLINE int weir_call_claim_batch(struct weir *w,
				      const struct weir_call *call, size_t len,
				      uint32_t n, struct weir_buf *buf)
{
	uint32_t lead = weir_call_lead(call);
	int err = weir_claim_some(w, weir_call_len(lead, len), &n, buf);

	if (err < 0)
		return err;
	weir_call_place(buf, lead);
	return (int)n;
}

/* As weir_claim_next(). */
WEIR_INLINE int weir_call_claim_next(struct weir *w, struct weir_buf *buf)
{
	uint32_t lead = buf->lead;
	int left = weir_claim_next(w, buf);

	if (left)
		weir_call_place(buf, lead);
	return left;
}

/**
 * weir_call_commit_more() - publish a request without telling the router
 * @call: options of the request, as for the claim.
 */
WEIR_INLINE void weir_call_commit_more(struct weir *w,
				       const struct weir_call *call,
				       struct weir_buf *buf)
{
	__u64 *ext = (__u64 *)(void *)(buf->rec + 1);
	uint32_t lead = buf->lead;

	if (weir_unlikely(weir_ring_need(buf->len + lead) != buf->total))
		buf->len = weir_commit_pad(w, buf->pos, buf->total, buf->seq,
					   buf->len + lead) - lead;
	if (lead) {
		ext[WEIR_EXT_DEADLINE] = call->deadline_ns;
		if (lead > 8)
			ext[WEIR_EXT_DUP] = call->dup;
	}
	weir_routed_publish(w, buf,
			    weir_call_flags(call) |
			    (__u64)lead << (WEIR_EXT_SHIFT - 3),
			    call->route, call->tag, call->key);
}

/**
 * weir_call_commit() - publish a request and tell the router
 */
WEIR_INLINE void weir_call_commit(struct weir *w, const struct weir_call *call,
				  struct weir_buf *buf)
{
	weir_call_commit_more(w, call, buf);
	weir_flush(w);
}

/*
 * Returns 1 if the message comes from the inbox, and so from the kernel. The
 * kind alone does not tell: a publisher may write requests and answers into its
 * own stream.
 */
weir_inline int weir_msg_routed(const struct weir_msg *msg)
{
	return msg->stream->id == WEIR_ID_INBOX;
}

/**
 * weir_ticket() - ticket of a request, for its reply
 * @request: message from weir_peek().
 *
 * Returns an empty ticket for a one-way event, and for a message that a
 * publisher calls a request.
 */
WEIR_INLINE struct weir_ticket weir_ticket(const struct weir_msg *request)
{
	struct weir_ticket ticket = { 0, 0 };

	if (weir_likely(request->kind == WEIR_KIND_REQUEST &&
			weir_msg_routed(request))) {
		ticket.route = request->rec->route;
		ticket.tag = request->rec->tag;
	}
	return ticket;
}

/* Returns whether a caller waits for the reply. */
weir_inline int weir_ticket_wanted(const struct weir_ticket *ticket)
{
	return (ticket->route | ticket->tag) != 0;
}

/* The request's deadline in nanoseconds on CLOCK_MONOTONIC; 0: not known. */
WEIR_INLINE uint64_t weir_msg_deadline(const struct weir_msg *request)
{
	return request->rec->ext ?
	       ((const __u64 *)(const void *)(request->rec + 1))
	       [WEIR_EXT_DEADLINE] : 0;
}

/**
 * weir_reply_claim() - take space in the outbox for a reply
 * @w: handle that the request came to.
 * @ticket: ticket of the request.
 * @len: payload bytes.
 *
 * Returns as weir_claim(). weir_reply_commit() or weir_abort() must follow.
 * When the ticket wants no reply, the router skips what the caller writes.
 */
WEIR_INLINE int weir_reply_claim(struct weir *w,
				 const struct weir_ticket *ticket, size_t len,
				 struct weir_buf *buf)
{
	(void)ticket;
	return weir_claim(w, len, buf);
}

/**
 * weir_reply_commit_more() - publish a reply without telling the router
 * @kind: WEIR_KIND_REPLY or WEIR_KIND_ERROR.
 * @flags: WEIR_REC_WAIT or 0.
 */
WEIR_INLINE void weir_reply_commit_more(struct weir *w,
					const struct weir_ticket *ticket,
					uint8_t kind, uint8_t flags,
					struct weir_buf *buf)
{
	if (weir_unlikely(weir_ring_need(buf->len) != buf->total))
		buf->len = weir_commit_pad(w, buf->pos, buf->total, buf->seq,
					   buf->len);
	if (weir_unlikely(!weir_ticket_wanted(ticket)))
		flags = WEIR_REC_ABORTED;
	weir_routed_publish(w, buf,
			    (__u64)kind << WEIR_KIND_SHIFT |
			    (__u64)flags << WEIR_FLAGS_SHIFT,
			    ticket->route, ticket->tag, 0);
}

/**
 * weir_reply_commit() - publish a reply and tell the router
 */
WEIR_INLINE void weir_reply_commit(struct weir *w,
				   const struct weir_ticket *ticket,
				   uint8_t kind, uint8_t flags,
				   struct weir_buf *buf)
{
	weir_reply_commit_more(w, ticket, kind, flags, buf);
	weir_flush(w);
}

#ifdef __cplusplus
#pragma GCC diagnostic pop
}
#endif

#endif /* WEIR_ROUTE_H */
