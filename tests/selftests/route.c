// SPDX-License-Identifier: GPL-2.0
/*
 * Requests and replies, step by step: which socket gets what, in which order
 * answers may come, names and patterns, what is refused and how that is told,
 * large messages, one way, replies to what is over, sockets that come and go.
 */
#include "routed.h"

static void one_call(void)
{
	uint32_t route;
	struct weir *s = server("/route/echo", 1);
	struct weir *c = caller("/route/echo", &route);
	struct weir_call call = { .route = route, .tag = 77, .key = 5 };
	struct weir_msg msg;

	route_quiet("/route/echo");
	check(!request(c, &call, "hello", 5), "a request is committed");
	check(drain(s) == 0, "nothing goes out before the kick");
	weir_flush(c);
	msg = next_message(s, "the target");
	check(msg.kind == WEIR_KIND_REQUEST && msg.len == 5 &&
	      !memcmp(msg.data, "hello", 5), "the target has the request");
	check(msg.rec->key == 5, "with its key");
	check(msg.rec->flags == 0 && msg.rec->ext == 0, "and nothing more");
	check((uintptr_t)msg.data % 8 == 0, "aligned");
	echo(s);
	msg = next_message(c, "the caller");
	check(msg.kind == WEIR_KIND_REPLY && msg.rec->tag == 77 &&
	      msg.rec->route == route && msg.rec->key == 5,
	      "the caller has the reply, with its tag, handle and key");
	check(msg.len == 5 && !memcmp(msg.data, "hello", 5), "and the payload");
	check(!(msg.rec->flags & WEIR_REC_ROUTER), "which is the target's");
	weir_release(c, &msg);
	check(drain(c) == 0 && drain(s) == 0, "that is all");
	need(!route_del("/route/echo"), "del");
	weir_close(c);
	weir_close(s);
}

/* Answers come in another order than requests, and each finds its own. */
static void many_calls(void)
{
	enum { N = 2000 };
	static struct weir_ticket tickets[N];
	static uint32_t payload[N];
	static bool seen[N];
	struct weir *s = handle(PLENTY, PLENTY), *c = handle(PLENTY, PLENTY);
	struct weir_call call = { 0 };
	struct weir_msg msg;
	uint32_t i, bad = 0;

	route_quiet("/route/many");
	need(!weir_serve(s, "/route/many", 1, NULL), "serve: %s", weir_error());
	call.route = route_of(c, "/route/many");
	for (i = 0; i < N; i++) {
		call.tag = i;
		need(!request(c, &call, &i, sizeof(i)), "request %u", i);
	}
	weir_flush(c);
	for (i = 0; i < N; i++) {
		msg = next_message(s, "the target");
		tickets[i] = weir_ticket(&msg);
		memcpy(&payload[i], msg.data, sizeof(i));
		weir_release(s, &msg);
	}
	check(payload[0] == 0 && payload[N - 1] == N - 1,
	      "%d requests in flight from one thread", N);
	/* the last first, with a stride, so that no order is kept */
	for (i = 0; i < N; i++) {
		uint32_t at = (N - 1 - i) * 7 % N;

		payload[at] += 1000000;
		need(!weir_reply(s, &tickets[at], &payload[at], 4, SECOND),
		     "reply: %s", weir_error());
	}
	for (i = 0; i < N; i++) {
		uint32_t value;

		msg = next_message(c, "the caller");
		memcpy(&value, msg.data, sizeof(value));
		if (msg.rec->tag >= N || seen[msg.rec->tag] ||
		    value != msg.rec->tag + 1000000)
			bad++;
		else
			seen[msg.rec->tag] = true;
		weir_release(c, &msg);
	}
	check(!bad, "answers in any order find their calls, once (%u wrong)", bad);
	/* the tickets are used up */
	for (i = 0; i < 10; i++)
		weir_reply(s, &tickets[i], "again", 5, SECOND);
	check(drain(c) == 0, "a second answer reaches nobody");
	need(!route_del("/route/many"), "del");
	weir_close(c);
	weir_close(s);
}

/* One kick answers more callers, all asleep, than a walk wakes at once. */
static void many_callers(void)
{
	enum { N = 40 };
	struct weir *s = server("/route/callers", 1), *c[N];
	struct weir_ticket tickets[N];
	struct pollfd fds[N];
	struct weir_buf buf = { 0 };
	uint32_t route, i, n = 0, good = 0;

	route_quiet("/route/callers");
	for (i = 0; i < N; i++) {
		c[i] = caller("/route/callers", &route);
		ask(c[i], route, i);
		fds[i] = (struct pollfd){ weir_fd(c[i]), POLLIN, 0 };
	}
	for (i = 0; i < N; i++)
		tickets[i] = next_ticket(s, "the target");
	for (i = 0; i < N; i++) {
		need(!weir_claim(s, 4, &buf), "claim: %s",
		     weir_error());
		memcpy(buf.data, &i, 4);
		weir_reply_commit_more(s, &tickets[i], WEIR_KIND_REPLY, 0,
				       &buf);
	}
	check(!poll(fds, N, 0), "nobody has an answer before the kick");
	weir_flush(s);
	for (i = 0; i < N; i++)
		n += poll(&fds[i], 1, 5000) == 1;
	for (i = 0; i < N; i++)
		good += replied(c[i], i);
	check(n == N && good == N, "it wakes all of %d callers (%u, %u)", N, n,
	      good);
	need(!route_del("/route/callers"), "del");
	for (i = 0; i < N; i++)
		weir_close(c[i]);
	weir_close(s);
}

static void names(void)
{
	struct weir *exact = server("/route/n/a", 1);
	struct weir *one = server("/route/n/*", 1);
	struct weir *rest = server("/route/**", 1);
	struct weir *c = handle(0, 0);
	const struct {
		const char	*path;
		struct weir	*who;
		const char	*name;
	} cases[] = {
		{ "/route/n/a",		exact,	"a path goes to who serves it" },
		{ "/route/n/b",		one,	"then to * in its place" },
		{ "/route/n/b/c",	rest,	"then to **" },
		{ "/route/x",		rest,	"** is one segment, too" },
	};
	size_t i;

	route_quiet("/route/n/a");
	route_quiet("/route/n/*");
	route_quiet("/route/**");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_call call = { .tag = (uint32_t)i };

		call.route = route_of(c, cases[i].path);
		check(route_of(c, cases[i].path) == call.route,
		      "the same path is the same handle");
		ask_for(c, &call, "x", 1);
		check(drain(cases[i].who) == 1, "%s", cases[i].name);
	}
	drain(c);
	/* a route that is set would stay */
	need(!route_del("/route/n/a"), "del");
	weir_close(exact);
	{
		struct weir_call call = { .route = 1, .tag = 9 };

		check(answer(c, 0) == WEIR_REASON_TARGET_DIED,
		      "who waits for one that goes is told");
		/* a worker frees the name, soon after callers are told */
		check(soon(({
			ask_for(c, &call, "x", 1);
			drain(one) == 1;
		})), "the next best name takes over");
	}
	check(weir_route(c, "/route/n/*") == -EINVAL, "a pattern is not called");
	check(weir_route(c, "route") == -EINVAL, "nor what is no path");
	need(!route_del("/route/n/*") && !route_del("/route/**"), "del");
	weir_close(one);
	weir_close(rest);
	weir_close(c);
}

static void refused(void)
{
	uint32_t route;
	struct weir *c = caller("/none", &route), *s;
	struct weir_call call = { .route = route, .tag = 1 };
	struct weir_msg msg;
	struct weir_refusal fault;
	int64_t ms;

	/* no service had this name: a worker may still be freeing others */
	ask_for(c, &call, "x", 1);
	msg = next_message(c, "the caller");
	check(msg.kind == WEIR_KIND_ERROR && weir_refusal_get(&msg, &fault) &&
	      fault.reason == WEIR_REASON_NO_ROUTE &&
	      fault.guard == WEIR_GUARD_ROUTE,
	      "a path that nobody serves: no route");
	check(msg.rec->tag == 1 && msg.rec->flags & WEIR_REC_ROUTER,
	      "told by the router, with the tag");
	weir_release(c, &msg);

	route_quiet("/none");
	s = server("/none", 0);
	ask_for(c, &call, "x", 1);
	check(answer(c, 1) == WEIR_REASON_NO_TARGET,
	      "weight 0 alone: no target");
	weir_close(s);

	s = server("/none", 1);
	call.route = 4711;
	ask_for(c, &call, "x", 1);
	check(answer(c, 1) == WEIR_REASON_NO_ROUTE, "a handle that is none");
	call.route = 0;
	ask_for(c, &call, "x", 1);
	check(answer(c, 1) == WEIR_REASON_NO_ROUTE, "handle 0");

	call.route = route;
	call.deadline_ns = (uint64_t)now_ns() - MS;
	ask_for(c, &call, "x", 1);
	check(answer(c, 1) == WEIR_REASON_DEADLINE, "a deadline that has passed");
	check(drain(s) == 0, "does not reach the target");

	/* one that is far enough off for the target to see the request */
	for (ms = 100; ; ms *= 4) {
		need(ms < HARD_DEADLINE_MS, "a deadline that can be kept");
		call.deadline_ns = (uint64_t)(now_ns() + ms * MS);
		ask_for(c, &call, "x", 1);
		if (weir_peek(s, &msg) == 1)
			break;
		check(answer(c, 1) == WEIR_REASON_DEADLINE, "%lld ms: too late",
		      (long long)ms);
	}
	check(msg.rec->ext == 1 && msg.len == 1 &&
	      !memcmp(msg.data, "x", 1) &&
	      !memcmp(msg.rec + 1, &call.deadline_ns, 8),
	      "a deadline goes along with the request");
	{
		struct weir_ticket ticket = weir_ticket(&msg);

		weir_release(s, &msg);
		check(answer(c, 1) == WEIR_REASON_DEADLINE,
		      "nobody answers until then: deadline");
		weir_reply(s, &ticket, "late", 4, SECOND);
		check(drain(c) == 0, "what comes later reaches nobody");
	}
	/* nobody has read it: it is taken back */
	call.deadline_ns = (uint64_t)now_ns() + 50 * MS;
	ask_for(c, &call, "x", 1);
	check(answer(c, 1) == WEIR_REASON_DEADLINE, "deadline, unread");
	check(drain(s) == 0, "it is taken out of the target's inbox");
	need(!route_del("/none"), "del");
	weir_close(s);
	weir_close(c);
}

static void sizes(void)
{
	struct weir *s = handle(0, 1 << 16), *c = handle(1 << 17, 1 << 14);
	static char data[1 << 17];
	struct weir_call call = { .tag = 3 };
	struct weir_ticket ticket;
	struct weir_msg msg;
	uint32_t len, bad = 0;
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	route_quiet("/route/size");
	need(!weir_serve(s, "/route/size", 1, NULL), "serve");
	call.route = route_of(c, "/route/size");

	for (len = 0; len < 300; len += 1 + len / 8) {
		ask_for(c, &call, data, len);
		msg = next_message(s, "the target");
		bad += msg.len != len || memcmp(msg.data, data, len);
		weir_release(s, &msg);
	}
	drain(c);
	check(!bad, "0 to 300 bytes arrive whole");

	len = (1 << 16) - 32;
	ask_for(c, &call, data, len);
	msg = next_message(s, "the target");
	check(msg.len == len && !memcmp(msg.data, data, len),
	      "as large as the inbox");
	ticket = weir_ticket(&msg);
	weir_release(s, &msg);
	check(!weir_reply(s, &ticket, data, 20000, SECOND), "a reply");
	check(answer(c, 3) == WEIR_REASON_TOO_LARGE,
	      "that the caller's inbox can never hold: too large");

	len = (1 << 16) - 31;
	ask_for(c, &call, data, len);
	check(answer(c, 3) == WEIR_REASON_TOO_LARGE,
	      "a request that the target's inbox can never hold: too large");
	need(!route_del("/route/size"), "del");
	weir_close(s);
	weir_close(c);
}

static void one_way(void)
{
	uint32_t route;
	struct weir *s = server("/route/oneway", 1);
	struct weir *c = caller("/route/oneway", &route);
	struct weir_call call = { .route = route, .one_way = 1 };
	struct weir_ticket ticket;
	struct weir_msg msg;

	ask_for(c, &call, "event", 5);
	msg = next_message(s, "the target");
	check(msg.kind == WEIR_KIND_EVENT && msg.len == 5, "an event goes one way");
	ticket = weir_ticket(&msg);
	check(!ticket.route && !ticket.tag, "and wants no answer");
	weir_release(s, &msg);
	check(!weir_reply(s, &ticket, "x", 1, SECOND), "one is no error");
	check(drain(c) == 0, "and reaches nobody");
	weir_close(s);
	ask_for(c, &call, "event", 5);
	check(drain(c) == 0, "a lost event is not answered");
	weir_close(c);
}

static void going(void)
{
	uint32_t route;
	struct weir *s = server("/route/go", 1);
	struct weir *c = caller("/route/go", &route);
	struct weir_call call = { .route = route, .tag = 1 };
	struct weir_ticket ticket;

	/* an answer that was committed and not kicked */
	route_quiet("/route/go");
	ask_for(c, &call, "x", 1);
	ticket = next_ticket(s, "the target");
	{
		struct weir_buf buf = { 0 };

		need(!weir_reply_claim(s, &ticket, 2, &buf), "claim");
		memcpy(buf.data, "ok", 2);
		weir_reply_commit_more(s, &ticket, WEIR_KIND_REPLY, 0, &buf);
	}
	weir_close(s);
	check(answer(c, 1) == 0, "what a target committed before it went counts");

	s = server("/route/go", 1);
	ask_for(c, &call, "x", 1);
	/* a route that is set would stay */
	need(!route_del("/route/go"), "del");
	weir_close(s);
	check(answer(c, 1) == WEIR_REASON_TARGET_DIED,
	      "what it did not answer is answered: target died");
	/* a worker frees the name, soon after callers are told */
	check(soon(({
		ask_for(c, &call, "x", 1);
		answer(c, 1) == WEIR_REASON_NO_ROUTE;
	})), "and it is gone");

	/* the caller goes */
	route_quiet("/route/go");
	s = server("/route/go", 1);
	request(c, &call, "x", 1);
	ask_for(c, &call, "y", 1);
	ticket = next_ticket(s, "the target");
	weir_close(c);
	check(drain(s) == 0, "what a caller that went had asked is taken back");
	check(!weir_reply(s, &ticket, "x", 1, SECOND), "a reply to it is no error");
	{
		struct weir_target_entry *t;
		uint32_t n;

		t = targets(&n);
		check(n == 1 && t[0].in_flight == 0 && t[0].requests == 2,
		      "and nothing is in flight (%u targets, %u, %llu)", n,
		      t[0].in_flight, (unsigned long long)t[0].requests);
	}
	need(!route_del("/route/go"), "del");
	weir_close(s);
}

/* Another user; @arg is what route() is to say of the path. */
static int as_nobody(void *arg)
{
	const int *want = arg;
	struct weir *w;

	if (setgid(65534) || setuid(65534))
		return 9;
	if (weir_open(&w, SOCK_RDM, NULL))
		return 8;
	if (weir_route(w, "/route/mine") != *want)
		return 1;
	if (weir_serve(w, "/route/mine", 1, NULL) != -EACCES)
		return 2;
	if (weir_serve(w, "/route/other", 1, NULL))
		return 3;
	return 0;
}

static void permission(void)
{
	struct {
		uint32_t	mode;
		int		want;
		const char	*name;
	} cases[] = {
		{ 0600, -EACCES, "another user neither calls nor serves it" },
		{ 0666, 1, "0666: everybody calls, the owner alone serves" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_config conf = { .set = WEIR_SET_MODE,
					    .mode = cases[i].mode };
		struct weir *s;
		int status;

		need(!weir_open(&s, SOCK_RDM, &conf), "open");
		need(!weir_serve(s, "/route/mine", 1, NULL), "serve");
		status = tap_wait(spawn(as_nobody, &cases[i].want));
		check(status == 0, "%s (%d)", cases[i].name, status);
		weir_close(s);
	}
}

int main(void)
{
	hard_begin();
	one_call();
	many_calls();
	many_callers();
	names();
	refused();
	sizes();
	one_way();
	going();
	permission();
	return tap_done();
}
