// SPDX-License-Identifier: GPL-2.0
/*
 * Requests and replies, in the model's order of things: names and errno values,
 * the layout of records, batches, tickets, blocking calls, tables of calls,
 * the inbox as the hot stream, one that is shared with a subscription.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "../../tap/tap.h"
#include "../model/model.h"

#define MS	1000000LL

static struct weir *open_routed(uint32_t flags, uint32_t inbox_bytes)
{
	struct weir_config config = {
		.flags = flags,
		.ring_bytes = 65536,
		.inbox_bytes = inbox_bytes,
	};
	struct weir *w;

	tap_need(!weir_open(&w, SOCK_RDM, &config));
	return w;
}

static struct weir *server(const char *path)
{
	struct weir *w = open_routed(0, 65536);

	tap_need(!weir_serve(w, path, 1, NULL));
	return w;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- names --- */

static void test_errno(void)
{
	static const struct {
		uint32_t	reason;
		int		err;
	} want[] = {
		{ WEIR_REASON_NO_ROUTE, ENOENT },
		{ WEIR_REASON_NO_TARGET, EHOSTUNREACH },
		{ WEIR_REASON_DENIED, EACCES },
		{ WEIR_REASON_DEADLINE, ETIME },
		{ WEIR_REASON_RATE, EDQUOT },
		{ WEIR_REASON_BULKHEAD, EBUSY },
		{ WEIR_REASON_BREAKER, ECONNREFUSED },
		{ WEIR_REASON_INBOX_FULL, ENOBUFS },
		{ WEIR_REASON_TARGET_DIED, ECONNRESET },
		{ WEIR_REASON_TARGET_EJECTED, EHOSTDOWN },
		{ WEIR_REASON_TOO_LARGE, EMSGSIZE },
		{ WEIR_REASON_LIMIT, ENOSPC },
		{ WEIR_REASON_NO_MEMORY, ENOMEM },
		{ WEIR_REASON_LOOP, ELOOP },
		{ WEIR_REASON_QUORUM, ENOLINK },
		{ WEIR_REASON_BAD_REQUEST, EBADMSG },
		{ WEIR_REASON_DUPLICATE, EALREADY },
		{ WEIR_REASON_TRIES, ETOOMANYREFS },
		{ WEIR_REASON_PATIENCE, EXFULL },
		{ WEIR_REASON_KEY_REUSED, ENOTUNIQ },
	};
	uint32_t a, b, i, routed = 0, same = 0, wrong = 0, names = 0;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		wrong += weir_refusal_errno(want[i].reason) != want[i].err;
	tap_ok(!wrong, "each reason of the router has its errno value");
	for (a = 0; a < WEIR_REASON_MAX; a++) {
		routed += weir_refusal_errno(a) != EPROTO;
		for (b = 0; b < a; b++) {
			same += weir_refusal_errno(a) != EPROTO &&
				weir_refusal_errno(a) == weir_refusal_errno(b);
			names += !strcmp(weir_reason_name(a),
					 weir_reason_name(b));
		}
	}
	tap_ok(!same && routed == i, "no two of them the same");
	tap_ok(weir_refusal_errno(WEIR_REASON_MAX) == EPROTO &&
	       weir_refusal_errno(UINT32_MAX) == EPROTO, "others are EPROTO");
	for (a = 0; a < WEIR_GUARD_MAX; a++) {
		for (b = 0; b < a; b++)
			names += !strcmp(weir_guard_name(a),
					 weir_guard_name(b));
	}
	tap_ok(!names, "names of reasons and of guards are all different");
	tap_ok(!strcmp(weir_reason_name(99), "unknown") &&
	       !strcmp(weir_guard_name(99), "unknown") &&
	       !strcmp(weir_reason_name(WEIR_REASON_BREAKER), "breaker") &&
	       !strcmp(weir_guard_name(WEIR_GUARD_BULKHEAD), "bulkhead"),
	       "and are what they are");
}

/* --- records --- */

/* The record at a position of the outbox as the router sees it. */
static const struct weir_record *sent(struct weir *w, __u64 pos)
{
	return weir_ring_at(&w->out, pos);
}

static void test_layout(void)
{
	struct weir *w = open_routed(0, 0);
	struct weir_call call = {
		.route = 0x01020304, .tag = 0x11121314, .key = 0x21222324,
		.flags = WEIR_REC_IDEMPOTENT | WEIR_REC_REFUSE,
	};
	uint64_t deadline = 0x3132333435363738ULL, dup = 0x4142434445464748ULL;
	struct weir_buf buf;
	unsigned int lead;

	tap_need(weir_route(w, "/void") == 1 && weir_route(w, "/other") == 2);
	tap_ok(weir_route(w, "/void") == 1, "one path, one handle");
	for (lead = 0; lead <= 16; lead += 8) {
		const struct weir_record *rec;
		const __u64 *ext;

		call.deadline_ns = lead == 8 ? deadline : 0;
		call.dup = lead == 16 ? dup : 0;
		tap_need(!weir_call_claim(w, &call, 41, &buf));
		memset(buf.data, 0x5a, 41);
		weir_call_commit_more(w, &call, &buf);
		rec = sent(w, buf.pos);
		ext = (const __u64 *)(const void *)(rec + 1);
		tap_ok(rec->ext == lead / 8 && rec->len == 41 &&
		       rec->kind == WEIR_KIND_REQUEST &&
		       rec->flags == call.flags && rec->route == call.route &&
		       rec->tag == call.tag && rec->key == call.key &&
		       rec->seq == buf.seq &&
		       rec->commit == buf.pos + w->out.secret,
		       "a header with %u words behind it", lead / 8);
		tap_ok((const char *)buf.data == (const char *)ext + lead &&
		       !((uintptr_t)buf.data & 7) &&
		       *(const char *)buf.data == 0x5a &&
		       (lead != 8 || ext[0] == deadline) &&
		       (lead != 16 || (!ext[0] && ext[1] == dup)),
		       "and the payload behind those");
	}
	call.one_way = 1;
	call.deadline_ns = deadline;
	tap_need(!weir_call_claim(w, &call, 200, &buf));
	buf.len = 1;
	weir_call_commit_more(w, &call, &buf);
	tap_ok(sent(w, buf.pos)->kind == WEIR_KIND_EVENT &&
	       sent(w, buf.pos)->len == 1 && sent(w, buf.pos)->ext == 2 &&
	       sent(w, buf.pos + 64)->flags == WEIR_REC_ABORTED &&
	       sent(w, buf.pos + 64)->len == 128 + 32,
	       "a one-way message that was cut short, and its rest");
	tap_need(!weir_call_claim(w, &call, 20, &buf));
	buf.len = 1000;
	weir_call_commit_more(w, &call, &buf);
	tap_ok(sent(w, buf.pos)->len == 128 - 32 - 16,
	       "one that was raised is cut to what was claimed");
	tap_ok(weir_call_claim(w, &call, SIZE_MAX, &buf) == -EMSGSIZE &&
	       weir_call_claim(w, &call, SIZE_MAX - 16, &buf) == -EMSGSIZE &&
	       weir_call_claim_batch(w, &call, SIZE_MAX - 8, 2, &buf) ==
	       -EMSGSIZE &&
	       weir_call_claim_wait(w, &call, SIZE_MAX - 8, &buf, 0) ==
	       -EMSGSIZE, "no length is so large that it is small again");
	weir_close(w);
}

static void test_batch(void)
{
	struct weir *in = server("/echo"), *w = open_routed(0, 0);
	struct weir_call call = { .flags = WEIR_REC_IDEMPOTENT };
	struct weir_msg msg;
	struct weir_buf buf;
	int n, i, bad = 0, kicks;

	call.route = (uint32_t)weir_route(w, "/echo");
	call.deadline_ns = now_ns() + 1000 * (uint64_t)MS;
	/* the first claim of all looks for the others */
	tap_need(!weir_claim(w, 0, &buf));
	weir_abort(w, &buf);
	kicks = model_kicks;
	tap_need(weir_call_claim_batch(w, &call, 64, 64, &buf) == 64);
	for (i = 0, n = 64; n; n = weir_call_claim_next(w, &buf), i++) {
		call.tag = (uint32_t)i;
		memset(buf.data, i, 64);
		weir_call_commit_more(w, &call, &buf);
	}
	tap_ok(i == 64 && model_kicks == kicks, "64 requests, no system call");
	weir_flush(w);
	tap_ok(model_kicks == kicks + 1, "one routes them all");
	n = 0;
	while (weir_peek(in, &msg) == 1) {
		do {
			bad += msg.len != 64 || *(const char *)msg.data != n ||
			       msg.kind != WEIR_KIND_REQUEST ||
			       weir_msg_deadline(&msg) != call.deadline_ns ||
			       msg.rec->flags != WEIR_REC_IDEMPOTENT;
			n++;
		} while (n % 16 && weir_peek_next(in, &msg));
		tap_need(!weir_release(in, &msg));
	}
	tap_ok(n == 64 && !bad, "and they are read in batches of 16");
	call.deadline_ns = 0;
	n = weir_claim_batch(w, 8, 4, &buf);
	for (i = 0; n > 0; n = weir_claim_next(w, &buf), i++) {
		call.tag = (uint32_t)i;
		memset(buf.data, i, 8);
		weir_call_commit_more(w, &call, &buf);
	}
	weir_flush(w);
	for (n = 0; weir_peek(in, &msg) == 1; n++) {
		tap_need(msg.len == 8 && *(const char *)msg.data == n &&
			 !weir_msg_deadline(&msg));
		weir_release(in, &msg);
	}
	tap_ok(n == 4, "a batch of weir_claim_batch() has no words");
	weir_close(w);
	weir_close(in);
}

/* More than the outbox holds, and nobody told the router. */
static void test_full(void)
{
	struct weir *w = open_routed(0, 0);
	struct weir_call call = { .one_way = 1 };
	struct weir_buf buf;
	int i;

	call.route = (uint32_t)weir_route(w, "/void");
	for (i = 0; i < 5000; i++) {
		if (weir_call_claim(w, &call, 64, &buf))
			break;
		weir_call_commit_more(w, &call, &buf);
	}
	tap_ok(i == 5000, "an outbox that is full has the router look");
	weir_close(w);
}

/* --- reading --- */

static void test_hot(void)
{
	struct weir *in = server("/a"), *w = open_routed(0, 0);
	struct weir_call call = { .key = 7 };
	struct weir_ticket ticket;
	struct weir_msg msg;
	struct weir_buf buf;
	int kicks;

	tap_ok(in->hot == in->inbox && in->hot_only, "the inbox is the hot stream");
	call.route = (uint32_t)weir_route(w, "/a");
	tap_ok(!weir_peek(in, &msg), "and empty");
	call.one_way = 1;
	tap_need(!weir_call(w, &call, "event", 5, NULL, 0, 0));
	tap_need(weir_peek(in, &msg) == 1);
	tap_ok(msg.kind == WEIR_KIND_EVENT && msg.len == 5,
	       "a one-way call comes as an event");
	ticket = weir_ticket(&msg);
	weir_release(in, &msg);
	kicks = model_kicks;
	tap_ok(!weir_ticket_wanted(&ticket) &&
	       !weir_reply(in, &ticket, "x", 1, 0) &&
	       !weir_reply_error(in, &ticket, "x", 1, 0) &&
	       model_kicks == kicks, "and wants no reply");
	tap_need(!weir_reply_claim(in, &ticket, 1, &buf));
	*(char *)buf.data = 'x';
	weir_reply_commit(in, &ticket, WEIR_KIND_REPLY, 0, &buf);
	tap_ok(!weir_peek(w, &msg), "not even one that was claimed");
	kicks = model_kicks;
	tap_ok(!weir_wait(in, WEIR_WAIT_IN, 0, WEIR_DONTWAIT) &&
	       model_kicks == kicks, "a look with nothing to tell is no call");
	weir_close(w);
	weir_close(in);
}

static void test_tickets(void)
{
	struct weir *in = server("/a"), *w = open_routed(0, 0);
	struct weir_call call = { .key = 7 };
	struct weir_ticket ticket[3];
	struct weir_refusal fault;
	struct weir_msg msg;
	struct weir_buf buf;
	int i;

	call.route = (uint32_t)weir_route(w, "/a");
	for (i = 0; i < 3; i++) {
		call.tag = (uint32_t)i;
		tap_need(!weir_call_claim(w, &call, 1, &buf));
		*(char *)buf.data = (char)i;
		weir_call_commit(w, &call, &buf);
		tap_need(weir_peek(in, &msg) == 1 && msg.rec->key == 7);
		ticket[i] = weir_ticket(&msg);
		weir_release(in, &msg);
	}
	tap_need(!weir_reply(in, &ticket[2], "two", 3, 0));
	tap_need(!weir_reply_error(in, &ticket[0], "no", 2, 0));
	tap_need(!weir_reply(in, &ticket[2], "again", 5, 0));
	tap_need(weir_peek(w, &msg) == 1);
	tap_ok(msg.kind == WEIR_KIND_REPLY && msg.rec->tag == 2 &&
	       msg.rec->route == call.route && msg.len == 3,
	       "replies may come in any order, with the caller's words");
	weir_release(w, &msg);
	tap_need(weir_peek(w, &msg) == 1);
	tap_ok(msg.kind == WEIR_KIND_ERROR && msg.rec->tag == 0 &&
	       !weir_refusal_get(&msg, &fault),
	       "an application's error is no fault");
	weir_release(w, &msg);
	tap_ok(!weir_peek(w, &msg), "the second reply goes nowhere");
	weir_close(in);
	tap_need(weir_peek(w, &msg) == 1 && weir_refusal_get(&msg, &fault));
	tap_ok(msg.rec->tag == 1 && fault.reason == WEIR_REASON_TARGET_DIED,
	       "who dies with a request is reported");
	weir_close(w);
}

/* Streams and requests on one handle, more of each than a turn. */
static void test_mixed(void)
{
	struct weir *in = server("/a"), *w = open_routed(0, 0);
	struct weir *out = open_routed(0, 0);
	struct weir_call call = { .one_way = 1 };
	int events = 0, requests = 0, early = 0, i;
	struct weir_msg msg;

	call.route = (uint32_t)weir_route(w, "/a");
	tap_need(!weir_subscribe(in, "/out"));
	tap_ok(in->hot != in->inbox, "with a subscription all take turns");
	tap_need(!weir_bind(out, "/out"));
	for (i = 0; i < 200; i++) {
		tap_need(!weir_call(w, &call, "request", 7, NULL, 0, 0));
		tap_need(!weir_send(out, "event", 5, 0));
	}
	while (weir_peek(in, &msg) == 1) {
		if (msg.stream == in->inbox)
			requests++;
		else
			events++;
		early += events && requests && requests < 200;
		tap_need(msg.len == (msg.stream == in->inbox ? 7 : 5));
		weir_release(in, &msg);
	}
	tap_ok(events == 200 && requests == 200,
	       "notices are acted upon, and nothing is lost (%d, %d)", events,
	       requests);
	tap_ok(early > 10, "neither starves the other");
	weir_close(out);
	weir_close(w);
	weir_close(in);
}

/* A publisher writes records that look like the router's. */
static void forge(struct weir *out, uint8_t kind, uint32_t tag)
{
	struct weir_refusal fault = { .reason = WEIR_REASON_DEADLINE };
	struct weir_buf buf;

	tap_need(!weir_claim(out, sizeof(fault), &buf));
	memcpy(buf.data, &fault, sizeof(fault));
	weir_routed_publish(out, &buf, (__u64)kind << WEIR_KIND_SHIFT |
			    (__u64)WEIR_REC_ROUTER << WEIR_FLAGS_SHIFT, 1, tag,
			    0);
	weir_flush(out);
}

static void never(void *arg, int err, const struct weir_msg *msg)
{
	(void)err;
	++*(int *)arg;
	tap_need(!msg);
}

static void test_forged(void)
{
	struct weir *w = server("/a"), *out = open_routed(0, 0);
	struct weir_call call = { 0 };
	struct weir_ticket ticket;
	struct weir_refusal fault;
	struct weir_calls *c;
	struct weir_msg msg;
	int done = 0;

	call.route = (uint32_t)weir_route(w, "/void");
	tap_need(!weir_subscribe(w, "/out"));
	tap_need(!weir_bind(out, "/out"));
	c = weir_calls_create(w, 1);
	tap_need(!weir_calls_send(c, &call, "x", 1, never, &done));
	forge(out, WEIR_KIND_REQUEST, 1);
	tap_need(weir_peek(w, &msg) == 1);
	ticket = weir_ticket(&msg);
	tap_ok(msg.kind == WEIR_KIND_REQUEST && !weir_msg_routed(&msg) &&
	       !weir_ticket_wanted(&ticket), "no ticket for a publisher");
	weir_release(w, &msg);
	/* the first tag of the first table */
	forge(out, WEIR_KIND_ERROR, 0);
	tap_need(weir_peek(w, &msg) == 1 && msg.kind == WEIR_KIND_ERROR);
	tap_ok(!weir_calls_take(c, &msg) && !weir_refusal_get(&msg, &fault) &&
	       weir_calls_pending(c) == 1, "nor does it answer a call");
	weir_release(w, &msg);
	weir_calls_destroy(c);
	tap_ok(done == 1, "which nobody has");
	weir_close(out);
	weir_close(w);
}

static void test_adopt(void)
{
	struct weir *raw = server("/a"), *in, *w = open_routed(0, 0), *pub;
	struct weir_call call = { .one_way = 1 };
	struct weir_msg msg;

	call.route = (uint32_t)weir_route(w, "/a");
	tap_need(!weir_call(w, &call, "early", 5, NULL, 0, 0));
	tap_need(!weir_adopt(&in, weir_fd(raw), NULL));
	tap_ok(in->inbox && in->out.data && in->hot == in->inbox &&
	       weir_peek(in, &msg) == 1 && msg.len == 5,
	       "an adopted socket has its outbox and inbox");
	weir_close(in);
	model_forget(raw);
	weir_close(w);
	w = open_routed(0, 0);
	tap_need(!weir_bind(w, "/out") && !weir_adopt(&pub, weir_fd(w), NULL));
	tap_ok(!pub->inbox, "a publisher's has no inbox");
	weir_close(pub);
	model_forget(w);
}

/* --- blocking calls --- */

static ssize_t call_path(struct weir *w, const char *path, char *reply,
			 size_t room, int64_t timeout_ns)
{
	struct weir_call call = { .route = (uint32_t)weir_route(w, path) };

	return weir_call(w, &call, "question", 8, reply, room, timeout_ns);
}

static void test_faults(void)
{
	struct weir *w = open_routed(0, 65536);
	uint32_t r, guard = WEIR_REASON_RATE % WEIR_GUARD_MAX;
	char path[32];
	int bad = 0;

	for (r = 1; r < 14; r++) {
		snprintf(path, sizeof(path), "/fault/%u", r + 11);
		bad += call_path(w, path, NULL, 0, 1000 * MS) !=
		       -weir_refusal_errno(r + 11);
		bad += !strstr(weir_error(), weir_reason_name(r + 11));
	}
	tap_ok(!bad, "a refusal is its errno value: %s", weir_error());
	call_path(w, "/fault/15", NULL, 0, 1000 * MS);
	tap_ok(strstr(weir_error(), "1.234 ms") &&
	       strstr(weir_error(), weir_guard_name(guard)), "in words: %s",
	       weir_error());
	weir_close(w);
}

static void test_call(void)
{
	struct weir *w = open_routed(0, 65536), *in;
	uint64_t start = now_ns();
	struct weir_call late;
	char reply[16];
	int i;

	tap_ok(weir_call(w, &(struct weir_call){ .route = 1 }, "", 0, NULL, 0,
			 MS) == -ENOTCONN, "no call yet: %s", weir_error());
	tap_ok(call_path(w, "/a", NULL, 0, 1000 * MS) == -EHOSTUNREACH,
	       "nobody serves it: %s", weir_error());
	tap_ok(call_path(w, "/void", NULL, 0, 0) == -EINVAL,
	       "a call that does not wait: %s", weir_error());
	in = server("/a");
	tap_ok(call_path(w, "/a", reply, sizeof(reply), 20 * MS) == -ETIME &&
	       now_ns() - start > 20 * (uint64_t)MS, "nobody answers: %s",
	       weir_error());
	tap_ok(call_path(w, "/void", reply, sizeof(reply), MS) == -ETIMEDOUT,
	       "nor does the router: %s", weir_error());
	/* the server's turn now: an answer that is too late, and then some */
	for (i = 0; i < 3; i++) {
		late = (struct weir_call){ .route = 1, .tag = 5,
					   .deadline_ns = 1 };
		weir_call(w, &late, "x", 1, NULL, 0, MS);
	}
	tap_ok(!weir_peek(w, &(struct weir_msg){ 0 }),
	       "answers which come too late are dropped");
	weir_close(in);
	weir_close(w);
}

/* Both ends on one handle: the answer lies behind the request. */
static void test_behind(void)
{
	struct weir *w = server("/a");
	struct weir_ticket ticket;
	struct weir_msg msg;
	struct weir_buf buf;
	struct weir_call call = { .tag = 9 };
	char reply[8];

	call.route = (uint32_t)weir_route(w, "/a");
	tap_need(!weir_call_claim(w, &call, 1, &buf));
	weir_call_commit(w, &call, &buf);
	tap_need(weir_peek(w, &msg) == 1 && msg.kind == WEIR_KIND_REQUEST);
	ticket = weir_ticket(&msg);
	tap_ok(call_path(w, "/fault/17", reply, sizeof(reply), 1000 * MS) ==
	       -ECONNREFUSED, "a call while a request is in hand");
	tap_ok(weir_peek(w, &msg) == 1 && msg.kind == WEIR_KIND_REQUEST,
	       "which is still there");
	tap_need(!weir_reply(w, &ticket, "x", 1, 0));
	weir_release(w, &msg);
	tap_ok(weir_peek(w, &msg) == 1 && msg.kind == WEIR_KIND_ERROR &&
	       msg.rec->tag & WEIR_TAG_CALL, "the answer is to be passed over");
	weir_release(w, &msg);
	tap_ok(weir_peek(w, &msg) == 1 && msg.kind == WEIR_KIND_REPLY &&
	       msg.rec->tag == 9, "then there is the other one");
	tap_ok(call_path(w, "/void", reply, sizeof(reply), MS) == -ETIMEDOUT,
	       "a call that nobody answers ends while one waits");
	weir_close(w);
}

/* --- tables of calls --- */

/**
 * struct tally - what a call's function has seen
 * @c: its table.
 * @again: calls to be sent from within.
 * @call: how.
 * @n: times called.
 * @err: the last time.
 * @len: bytes of the last message.
 */
struct tally {
	struct weir_calls	*c;
	int			again;
	struct weir_call	call;
	int			n;
	int			err;
	uint32_t		len;
};

static void count(void *arg, int err, const struct weir_msg *msg)
{
	struct tally *t = arg;

	t->n++;
	t->err = err;
	t->len = msg ? msg->len : 0;
	if (t->again) {
		t->again--;
		tap_need(!weir_calls_send(t->c, &t->call, "more", 4, count, t));
	}
}

/* Answers all there is with its own payload; how many. */
static int serve_all(struct weir *in)
{
	struct weir_msg msg;
	int n = 0;

	while (weir_peek(in, &msg) == 1) {
		struct weir_ticket ticket = weir_ticket(&msg);

		tap_need(!weir_reply(in, &ticket, msg.data, msg.len, 0));
		weir_release(in, &msg);
		n++;
	}
	return n;
}

static void test_calls(void)
{
	struct weir *in = server("/a"), *w = open_routed(0, 65536);
	struct weir_call call = { .tag = 3 };
	struct tally t[8] = { { 0 } };
	struct weir_calls *c;
	int i, n = 0;

	call.route = (uint32_t)weir_route(w, "/a");
	tap_ok(!weir_calls_create(w, 0) && !weir_calls_create(w, 1U << 21),
	       "no table of that size: %s", weir_error());
	c = weir_calls_create(w, 8);
	for (i = 0; i < 8; i++)
		tap_need(!weir_calls_send(c, &call, "12345678", (size_t)i,
					  count, &t[i]));
	tap_ok(weir_calls_send(c, &call, "x", 1, count, t) == -EAGAIN &&
	       weir_calls_pending(c) == 8, "the table is full");
	tap_ok(!weir_peek(in, &(struct weir_msg){ 0 }), "nothing is sent yet");
	tap_ok(!weir_calls_run(c, 0) && serve_all(in) == 8, "now it is");
	tap_ok(weir_calls_run(c, 1000 * MS) == 8 && !weir_calls_pending(c),
	       "and all is answered");
	for (i = 0; i < 8; i++)
		n += t[i].n == 1 && !t[i].err && t[i].len == (uint32_t)i;
	tap_ok(n == 8, "each to whom it was for");
	/* slots are used again, from within too */
	t[0] = (struct tally){ .c = c, .again = 1000, .call = call };
	tap_need(!weir_calls_send(c, &call, "x", 1, count, &t[0]));
	for (i = 0; i < 1001; i++) {
		weir_calls_run(c, 0);
		serve_all(in);
	}
	weir_calls_run(c, 0);
	tap_ok(t[0].n == 1001 && !weir_calls_pending(c),
	       "a slot is used a thousand times");
	weir_calls_destroy(c);
	weir_close(in);
	weir_close(w);
}

static void test_calls_end(void)
{
	struct weir *in = server("/a"), *w = open_routed(0, 65536);
	struct weir_call call = { 0 }, bad = { 0 };
	struct tally t[3] = { { 0 } };
	struct weir_calls *c;
	int i;

	call.route = (uint32_t)weir_route(w, "/a");
	bad.route = (uint32_t)weir_route(w, "/fault/21");
	c = weir_calls_create(w, 3);
	for (i = 0; i < 2; i++)
		tap_need(!weir_calls_send(c, &call, "x", 1, count, &t[i]));
	tap_need(!weir_calls_send(c, &bad, "x", 1, count, &t[2]));
	tap_ok(weir_calls_run(c, 0) == 0 && weir_calls_run(c, 0) == 1 &&
	       t[2].n == 1 && t[2].err == -EMSGSIZE && t[2].len == 32,
	       "a fault is its errno value");
	call.one_way = 1;
	tap_ok(!weir_calls_send(c, &call, "x", 1, NULL, NULL) &&
	       weir_calls_pending(c) == 2, "one way takes no slot");
	weir_calls_destroy(c);
	tap_ok(t[0].n == 1 && t[0].err == -ECANCELED && t[1].n == 1 &&
	       t[1].err == -ECANCELED, "at the end who waits is told so");
	call.one_way = 0;
	c = weir_calls_create(w, 3);
	tap_need(!weir_calls_send(c, &call, "x", 1, count, &t[2]));
	weir_calls_run(c, 0);
	tap_need(serve_all(in) == 4);
	while (weir_calls_run(c, 0) > 0)
		;
	tap_ok(t[0].n == 1 && t[2].n == 2 && !t[2].err,
	       "an answer to a table that was finds nobody in the next");
	weir_calls_destroy(c);
	weir_close(in);
	weir_close(w);
}

/* Sends again whatever happens, as a program that tries for ever does. */
static void insist(void *arg, int err, const struct weir_msg *msg)
{
	struct tally *t = arg;

	(void)msg;
	t->n++;
	t->err = err;
	err = weir_calls_send(t->c, &t->call, "x", 1, insist, t);
	if (err)
		t->again = err;
}

static void test_calls_insist(void)
{
	struct weir *w = open_routed(0, 65536);
	struct tally t[2] = { { 0 } };
	struct weir_calls *c;
	int i;

	c = weir_calls_create(w, 2);
	for (i = 0; i < 2; i++) {
		t[i].c = c;
		t[i].call.route = (uint32_t)weir_route(w, "/void");
		tap_need(!weir_calls_send(c, &t[i].call, "x", 1, insist, &t[i]));
	}
	weir_calls_destroy(c);
	tap_ok(t[0].n == 1 && t[1].n == 1 && t[0].again == -ECANCELED &&
	       t[1].again == -ECANCELED,
	       "nothing is sent by a table that ends: %s", weir_error());
	weir_close(w);
}

static void test_calls_more(void)
{
	struct weir *in[3], *w = server("/self");
	struct weir_call call = { 0 };
	struct tally t = { 0 };
	struct weir_calls *c;
	int i;

	for (i = 0; i < 3; i++)
		in[i] = server("/all/a");
	call.route = (uint32_t)weir_route(w, "/all/a");
	c = weir_calls_create(w, 1);
	tap_need(!weir_calls_send(c, &call, "x", 1, count, &t));
	weir_calls_run(c, 0);
	for (i = 0; i < 3; i++)
		tap_need(serve_all(in[i]) == 1);
	tap_ok(weir_calls_run(c, 0) == 3 && t.n == 3 && !weir_calls_pending(c),
	       "three replies to one request");
	call.route = (uint32_t)weir_route(w, "/self");
	call.one_way = 1;
	tap_need(!weir_calls_send(c, &call, "x", 1, NULL, NULL));
	weir_calls_run(c, 0);
	tap_ok(weir_calls_run(c, 0) == -EBUSY, "a request is in the way: %s",
	       weir_error());
	weir_calls_destroy(c);
	for (i = 0; i < 3; i++)
		weir_close(in[i]);
	weir_close(w);
}

static void test_refusals(void)
{
	struct weir *w;

	tap_need(!weir_open(&w, SOCK_DGRAM, NULL));
	tap_ok(weir_serve(w, "/a", 1, NULL) == -EOPNOTSUPP, "lossy: %s",
	       weir_error());
	weir_close(w);
	w = open_routed(0, 0);
	tap_ok(weir_route(w, "a") == -EINVAL, "a bad path: %s", weir_error());
	tap_ok(weir_serve(w, "", 1, NULL) == -EINVAL, "and none");
	weir_close(w);
}

int main(void)
{
	tap_alarm(TAP_SECONDS);
	test_errno();
	test_layout();
	test_batch();
	test_full();
	test_hot();
	test_tickets();
	test_mixed();
	test_forged();
	test_adopt();
	test_faults();
	test_call();
	test_behind();
	test_calls();
	test_calls_end();
	test_calls_insist();
	test_calls_more();
	test_refusals();
	return tap_done();
}
