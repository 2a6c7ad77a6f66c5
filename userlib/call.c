// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * One request and its reply, for callers that wait. Other messages stay in the
 * inbox, and the reply is searched behind them.
 */
#include <errno.h>
#include <time.h>

#include "private.h"

/* Nanoseconds that the router's answer at the deadline may take to come. */
#define WEIR_CALL_GRACE_NS	100000000

/* Nanoseconds between two checks while other messages keep the socket ready. */
#define WEIR_CALL_PAUSE_NS	50000

int weir_call_claim_wait(struct weir *w, const struct weir_call *call,
			 size_t len, struct weir_buf *buf, int64_t timeout_ns)
{
	uint32_t lead = weir_call_lead(call);
	int err = weir_claim_wait(w, weir_call_len(lead, len), buf,
				  timeout_ns);

	if (!err)
		weir_call_place(buf, lead);
	return err;
}

static int weir_call_send(struct weir *w, const struct weir_call *call,
			  const void *data, size_t len,
			  const struct weir_deadline *end)
{
	struct weir_buf buf;
	int err = weir_call_claim(w, call, len, &buf);

	/* With room at once there is no need to read the clock. */
	if (err == -EAGAIN)
		err = weir_call_claim_wait(w, call, len, &buf,
					   weir_left_ns(end));
	if (err)
		return err;
	if (len)
		weir_copy(buf.data, data, len);
	weir_call_commit_more(w, call, &buf);
	return 0;
}

/*
 * Searches the answer to @tag from @pos on. Releases answers to earlier calls
 * that ended without them, if no other message lies before them.
 */
static int weir_call_find(struct weir *w, uint32_t tag, __u64 *pos,
			  struct weir_ring_rec *r)
{
	struct weir_stream *in = w->inbox;

	for (;;) {
		bool front = *pos == weir_stream_pos(in);
		int ret = weir_ring_peek(&in->ring, pos, r);
		uint32_t got;

		/* Aborted records at the front are released. */
		if (!ret && front)
			weir_stream_move(w, in, *pos);
		if (ret != 1)
			return ret;
		got = weir_load(&r->rec->tag);
		if ((r->kind == WEIR_KIND_REPLY ||
		     r->kind == WEIR_KIND_ERROR) && got & WEIR_TAG_CALL) {
			if (got == tag)
				return 1;
			if (front)
				weir_stream_move(w, in, r->next);
		}
		*pos = r->next;
	}
}

/*
 * weir_wait() returns at once while other messages are in the inbox or in
 * streams. So this function pauses instead, and checks the deadline.
 */
static int weir_call_pause(struct weir *w, __u64 pos,
			   const struct weir_deadline *end)
{
	struct timespec delay = { .tv_nsec = WEIR_CALL_PAUSE_NS };

	if (!w->nstreams && weir_stream_pos(w->inbox) == pos)
		return 0;
	if (weir_left_ns(end) == WEIR_DONTWAIT)
		return -ETIMEDOUT;
	return -clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, NULL);
}

static int weir_call_wait(struct weir *w, uint32_t tag,
			  const struct weir_deadline *end, __u64 *from,
			  struct weir_ring_rec *r)
{
	__u64 pos = weir_stream_pos(w->inbox);
	uint32_t events = WEIR_WAIT_IN | WEIR_WAIT_KICK;
	int ret;

	for (;;) {
		*from = pos;
		ret = weir_call_find(w, tag, &pos, r);
		if (ret == 1)
			return 0;
		if (ret < 0)
			return weir_fail(ret, "the inbox is overwritten");
		ret = weir_wait_until(w, events, 0, end);
		if (!ret && events == WEIR_WAIT_IN)
			ret = weir_call_pause(w, pos, end);
		if (ret == -ETIMEDOUT)
			return weir_fail(ret, "no answer, not even the router's");
		if (ret < 0)
			return ret;
		events = WEIR_WAIT_IN;
	}
}

/* Turns an answer into the return value of the call that waits for it. */
ssize_t weir_call_result(const struct weir_msg *answer, void *reply,
			 size_t room)
{
	if (answer->kind == WEIR_KIND_ERROR &&
	    weir_load(&answer->rec->flags) & WEIR_REC_ROUTER)
		return weir_refusal_fail(answer->data, answer->len);
	if (room > answer->len)
		room = answer->len;
	if (room)
		weir_copy(reply, answer->data, room);
	if (answer->kind == WEIR_KIND_ERROR)
		return weir_fail(-EREMOTEIO,
				 "the target answered with an error of %u bytes",
				 answer->len);
	return (ssize_t)answer->len;
}

/* Extends the wait, so that the router's answer at the deadline still comes. */
static void weir_call_grace(struct weir_deadline *end, uint64_t deadline_ns)
{
	if (end->timed && deadline_ns && deadline_ns <= (uint64_t)end->at_ns &&
	    __builtin_add_overflow(end->at_ns, WEIR_CALL_GRACE_NS, &end->at_ns))
		end->timed = false;
}

/* Seven parameters: those of a send and of a receive. */
ssize_t weir_call(struct weir *w, const struct weir_call *call,
		  const void *data, size_t len, void *reply, size_t room,
		  int64_t timeout_ns)
{
	struct weir_deadline end = weir_deadline(timeout_ns);
	struct weir_call c = *call;
	struct weir_ring_rec r = { 0 };
	struct weir_msg answer;
	__u64 from = 0;
	ssize_t ret;

	if (!w->routed)
		return weir_fail(-ENOTCONN, "no route: weir_route() first");
	if (timeout_ns == WEIR_DONTWAIT && !c.one_way)
		return weir_fail(-EINVAL, "a call that waits has no reply");
	c.tag = WEIR_TAG_CALL | w->call_tag++;
	if (!c.one_way && !c.deadline_ns && end.timed)
		c.deadline_ns = (uint64_t)end.at_ns;
	ret = weir_call_send(w, &c, data, len, &end);
	if (ret)
		return ret;
	if (c.one_way) {
		weir_flush(w);
		return 0;
	}
	weir_call_grace(&end, c.deadline_ns);
	ret = weir_call_wait(w, c.tag, &end, &from, &r);
	if (ret)
		return ret;
	weir_msg_set(&answer, w->inbox, &r);
	ret = weir_call_result(&answer, reply, room);
	if (from == weir_stream_pos(w->inbox))
		weir_stream_move(w, w->inbox, r.next);
	return ret;
}
