/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libweir: requests and replies. A SOCK_RDM handle serves paths, calls paths,
 * or both; the kernel's router carries each message from one to the other.
 * See uapi/weir_route.h for what it does with them, weir.h for the handle.
 *
 * A caller commits requests into its outbox and reads the answers from
 * weir_peek(), or leaves that to weir_call() (one at a time) or to struct
 * weir_calls (many, each with a function to be called). A service reads
 * requests from weir_peek(), takes the ticket of each, and commits replies.
 *
 * Nothing goes out before the router is told: weir_flush(), or weir_wait()
 * with WEIR_WAIT_KICK, which tells it and sleeps in one system call. So one
 * call carries a whole batch of weir_call_commit_more().
 */
#ifndef WEIR_ROUTE_H
#define WEIR_ROUTE_H

#include "weir.h"
#include <uapi/weir_route.h>

#ifdef __cplusplus
extern "C" {
/* weir_call and weir_ticket are functions as well as structures, as stat is */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

/*
 * Tags with this bit are those of weir_call(). Those without are the
 * application's, or those of struct weir_calls if it has one.
 */
#define WEIR_TAG_CALL	0x80000000u

/**
 * struct weir_call - how to send a request
 * @route: from weir_route().
 * @tag: comes back with the answer; weir_call() and struct weir_calls set
 *	their own.
 * @key: shard key.
 * @one_way: 1: an event, there is no answer; else 0.
 * @flags: WEIR_REC_IDEMPOTENT, WEIR_REC_REFUSE, WEIR_REC_DROP.
 * @reserved: zero.
 * @deadline_ns: on CLOCK_MONOTONIC; 0: the route's; UINT64_MAX: the latest that
 *	the route allows.
 * @dup: idempotency key; 0: none.
 *
 * The same from claim to commit.
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
 * struct weir_ticket - what a reply to a request needs
 * @route: of the request.
 * @tag: of the request.
 *
 * Outlives the request: it may be released before it is answered. All zero
 * when no reply is wanted.
 */
struct weir_ticket {
	uint32_t	route;
	uint32_t	tag;
};

/* --- names and routes (route.c) --- */

/**
 * weir_serve() - take requests for a path
 * @w: SOCK_RDM handle.
 * @path: path or pattern; more may be served by calling this again.
 * @weight: share of the requests relative to others who serve the path; 0
 *	takes none until it is changed.
 * @id: out: the target, for WEIR_IOC_CONTROL; may be NULL.
 *
 * Requests, and one-way events, then come from weir_peek().
 */
int weir_serve(struct weir *w, const char *path, uint32_t weight, uint64_t *id);

/**
 * weir_route() - get a handle for a path to be called
 * @w: SOCK_RDM handle.
 * @path: nobody need serve it yet.
 *
 * It stays with the owner of the first route that is found for it; asking again
 * takes it to whoever serves the path then. Returns it, 1 or more; the same one
 * for the same path.
 */
int weir_route(struct weir *w, const char *path);

/* --- answers (route.c) --- */

/**
 * weir_reply() - copy a reply into the outbox and send it
 * @timeout_ns: how long to wait for room.
 *
 * Returns 0, also when the ticket wants no reply, and as weir_send().
 */
int weir_reply(struct weir *w, const struct weir_ticket *ticket,
	       const void *data, size_t len, int64_t timeout_ns);

/* The same for an error: the caller gets it as WEIR_KIND_ERROR. */
int weir_reply_error(struct weir *w, const struct weir_ticket *ticket,
		     const void *data, size_t len, int64_t timeout_ns);

/* --- one call at a time (call.c) --- */

/* weir_call_claim(), but waits for room; -ETIMEDOUT, -EAGAIN as weir_send(). */
int weir_call_claim_wait(struct weir *w, const struct weir_call *call,
			 size_t len, struct weir_buf *buf, int64_t timeout_ns);

/**
 * weir_call() - send a request and wait for its reply
 * @call: how; the tag is set here.
 * @data: request, @len bytes.
 * @reply: room for the reply.
 * @room: bytes of it.
 * @timeout_ns: becomes the request's deadline, unless @call has one. Not
 *	WEIR_DONTWAIT, unless the call is one way.
 *
 * Returns the reply's length, which may be more than @room: then it was cut.
 * When the router answers, -weir_fault_errno() of its reason: -ETIME when the
 * deadline has passed. When the target answers with an error, -EREMOTEIO, and
 * @reply has the error's payload. -ETIMEDOUT when nobody answers, not even the
 * router; -EINTR on a signal; and what weir_claim_wait() returns. An answer
 * that comes after that is dropped by the next weir_call().
 *
 * Other messages stay for weir_peek(). While some wait, this function looks
 * for the reply now and then instead of sleeping until it comes, and leaves it
 * behind them: it is then to be passed over by its tag, see WEIR_TAG_CALL.
 */
ssize_t weir_call(struct weir *w, const struct weir_call *call,
		  const void *data, size_t len, void *reply, size_t room,
		  int64_t timeout_ns);

/* --- many at once (calls.c) --- */

/**
 * struct weir_calls - requests in flight, each with a function to be called
 *
 * One for each handle at most.
 */
struct weir_calls;

#define WEIR_CALLS_MAX	(1u << 20)

/**
 * weir_calls_create() - make a table of calls
 * @w: the handle that they are sent by.
 * @max: calls in flight, at most WEIR_CALLS_MAX.
 *
 * Returns it, or NULL; weir_error() tells why.
 */
struct weir_calls *weir_calls_create(struct weir *w, uint32_t max);

/* Ends it, before the handle is closed; who waits gets -ECANCELED. */
void weir_calls_destroy(struct weir_calls *c);

/**
 * weir_calls_send() - send a request, and say what to do with the answer
 * @call: how; the tag is set here.
 * @done: called by weir_calls_run() or weir_calls_take(): with 0 and the
 *	reply; -EREMOTEIO and the target's error; -weir_fault_errno() and the
 *	router's error; or -ECANCELED and NULL. The message is released
 *	afterwards. Called again if the message has WEIR_REC_MORE.
 * @arg: for @done.
 *
 * Does not wait, and does not tell the router: weir_calls_run() does. Returns
 * 0; -EAGAIN when as many as may be are in flight, or there is no room;
 * -ECANCELED while the table is being destroyed; and what weir_claim()
 * returns. @done is not called then, nor for one-way calls.
 */
int weir_calls_send(struct weir_calls *c, const struct weir_call *call,
		    const void *data, size_t len,
		    void (*done)(void *arg, int err,
				 const struct weir_msg *msg),
		    void *arg);

/**
 * weir_calls_run() - send what waits, handle the answers that have come
 * @timeout_ns: how long to wait if there is none.
 *
 * Returns how many, 0 on time-out; -EBUSY when the next message is none, but
 * one for weir_peek(); and what weir_peek() and weir_wait() return.
 */
int weir_calls_run(struct weir_calls *c, int64_t timeout_ns);

/**
 * weir_calls_take() - handle a message from weir_peek() if it is an answer
 *
 * For handles that serve as well. Returns 1 if it was, even one that nobody
 * waits for any more; it is still the caller's to release.
 */
int weir_calls_take(struct weir_calls *c, const struct weir_msg *msg);

/* Calls in flight. */
uint32_t weir_calls_pending(const struct weir_calls *c);

/* --- why there is no reply (fault.c) --- */

/*
 * The errno value, positive, of a reason that the router gives: one for each.
 * EPROTO for what it never gives.
 */
int weir_fault_errno(uint32_t reason);

/* Short names: "breaker", "no_target"; "unknown" for others. Never NULL. */
const char *weir_reason_name(uint32_t reason);
const char *weir_guard_name(uint32_t guard);

/**
 * weir_fault_get() - why the router answered a request itself
 * @fault: out.
 *
 * Returns 1, or 0 when the message is no error of the router's.
 */
int weir_fault_get(const struct weir_msg *msg, struct weir_fault *fault);

/*
 * --- the hot path ---
 */

/* Bytes between header and payload. */
weir_inline uint32_t weir_call_lead(const struct weir_call *call)
{
	return call->dup ? 16 : call->deadline_ns ? 8 : 0;
}

/* With a payload; the longest there is when that is beyond all numbers. */
weir_inline size_t weir_call_len(uint32_t lead, size_t len)
{
	return weir_likely(len <= SIZE_MAX - lead) ? len + lead : SIZE_MAX;
}

/* Makes room for them in what was claimed. */
weir_inline void weir_call_place(struct weir_buf *buf, uint32_t lead)
{
	buf->data = (unsigned char *)buf->data + lead;
	buf->len -= lead;
	buf->lead = (uint8_t)lead;
}

/*
 * Kind and flags where they belong in the header. They are taken from the
 * structure by one load; a request's kind and an event's differ in the bit that
 * one_way turns.
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
 * @flags: kind, flags and extension, where they belong in the word.
 */
weir_inline void weir_routed_publish(const struct weir *w,
				     const struct weir_buf *buf, __u64 flags,
				     uint32_t route, uint32_t tag, uint32_t key)
{
	struct weir_words *words = (struct weir_words *)(void *)buf->rec;

	weir_store(&words->shape, WEIR_WORD(buf->len | flags));
	weir_store(&words->seq_route,
		   WEIR_WORD(buf->seq | (__u64)route << 32));
	weir_store(&words->tag_key, WEIR_WORD(tag | (__u64)key << 32));
	weir_ring_commit(&w->out, buf->rec, buf->pos);
}

/**
 * weir_call_claim() - take space in the outbox for one request
 * @w: handle that has called weir_route().
 * @call: how it will be sent.
 * @len: payload bytes.
 * @buf: out: where to write; 8-byte aligned.
 *
 * As weir_claim(), and to be followed by weir_call_commit() or weir_abort().
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
 * @call: how they will be sent; between them, route, tag, key, flags, the
 *	deadline's and the idempotency key's value may change, but not whether
 *	they are 0.
 *
 * As weir_claim_batch(); go on with weir_call_claim_next().
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
 * weir_call_commit_more() - publish a request, do not tell the router yet
 * @call: as for the claim.
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
 * Is it the router's? A publisher writes what it likes into its own stream,
 * requests and answers too.
 */
weir_inline int weir_msg_routed(const struct weir_msg *msg)
{
	return msg->stream->id == WEIR_ID_INBOX;
}

/**
 * weir_ticket() - what is needed to answer a request
 * @request: from weir_peek(). What a publisher calls a request gets none.
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

/* Does anybody wait for the reply? */
weir_inline int weir_ticket_wanted(const struct weir_ticket *ticket)
{
	return (ticket->route | ticket->tag) != 0;
}

/* When the caller gives up, on CLOCK_MONOTONIC; 0: not known. */
WEIR_INLINE uint64_t weir_msg_deadline(const struct weir_msg *request)
{
	return request->rec->ext ?
	       ((const __u64 *)(const void *)(request->rec + 1))
	       [WEIR_EXT_DEADLINE] : 0;
}

/**
 * weir_reply_claim() - take space in the outbox for a reply
 * @w: the handle that the request came to.
 * @len: payload bytes.
 *
 * As weir_claim(); also when the ticket wants no reply: what is written is
 * then passed over. To be followed by weir_reply_commit() or weir_abort().
 */
WEIR_INLINE int weir_reply_claim(struct weir *w,
				 const struct weir_ticket *ticket, size_t len,
				 struct weir_buf *buf)
{
	(void)ticket;
	return weir_claim(w, len, buf);
}

/**
 * weir_reply_commit_more() - publish a reply, do not tell the router yet
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
