// SPDX-License-Identifier: GPL-2.0
/*
 * Where a request goes that is sent again: to a target that has not failed it
 * yet, under every policy, behind other routes and on a fallback path. When all
 * have failed it, to any of them. When there is none, retries wait for one, and
 * so do requests with WEIR_REC_WAIT.
 */
#include "routed.h"

#define PATH	"/again/a"
#define CALLS	100U
#define MOST	20U

static const struct weir_route_conf patient = {
	QUIET, .retries = 16, .retry_base_ns = MS, .retry_max_ns = MS,
};

/* Sends CALLS idempotent requests with different shard keys. */
static void ask_many(struct weir *c, uint32_t route)
{
	uint32_t n;

	for (n = 0; n < CALLS; n++)
		ask_with(c, route, n, n * 7919, WEIR_REC_IDEMPOTENT);
}

/*
 * Has the first @bad of @n targets answer everything with errors and the others
 * with replies, until the caller has CALLS answers. Returns how many of these
 * are errors. *@seen: requests that the bad targets got.
 */
static uint32_t serve_until(struct weir *c, struct weir **s, uint32_t n,
			    uint32_t bad, uint32_t *seen)
{
	int64_t begun = now_ns();
	uint32_t i, good = 0, errors = 0;
	struct outcome o;

	*seen = 0;
	while (good + errors < CALLS && now_ns() - begun < HARD_DEADLINE_NS) {
		for (i = 0; i < n; i++) {
			uint32_t got = serve_all(s[i], i < bad ?
						 WEIR_KIND_ERROR :
						 WEIR_KIND_REPLY);

			*seen += i < bad ? got : 0;
		}
		while (outcome_now(c, &o)) {
			good += o.kind == WEIR_KIND_REPLY;
			errors += o.kind != WEIR_KIND_REPLY;
		}
	}
	check(good + errors == CALLS, "all %u calls are answered", CALLS);
	return errors;
}

/* One retry, two targets, of which one fails everything. */
static void one_fails(uint32_t policy)
{
	struct weir_route_conf conf = patient;
	struct weir *s[2], *c;
	uint32_t route, seen, errors;

	conf.policy = policy;
	conf.retries = 1;
	need(!route_set(PATH, &conf), "route");
	/* the heavier one is the primary */
	s[0] = server(PATH, 2);
	s[1] = server(PATH, 1);
	c = caller(PATH, &route);
	ask_many(c, route);
	errors = serve_until(c, s, 2, 1, &seen);
	check(seen && !errors,
	      "policy %u: one of two targets fails %u requests, 0 of them twice (%u)",
	      policy, seen, errors);
	weir_close(c);
	weir_close(s[0]);
	weir_close(s[1]);
	need(!route_del(PATH), "route");
}

static void every_policy(void)
{
	one_fails(WEIR_POLICY_ANY);
	one_fails(WEIR_POLICY_WEIGHTED);
	one_fails(WEIR_POLICY_SHARD);
	one_fails(WEIR_POLICY_PRIMARY);
	check_routes_gone("every policy");
}

/* As many attempts as there are targets, and one of them is good. */
static void last_is_good(uint32_t n)
{
	struct weir_route_conf conf = patient;
	struct weir *s[MOST], *c;
	uint32_t route, seen, errors, i;

	conf.retries = n - 1;
	need(!route_set(PATH, &conf), "route");
	for (i = 0; i < n; i++)
		s[i] = server(PATH, 1);
	c = caller(PATH, &route);
	ask_many(c, route);
	errors = serve_until(c, s, n, n - 1, &seen);
	check(seen && !errors, "%u attempts reach the good one of %u targets (%u)",
	      n, n, errors);
	weir_close(c);
	for (i = 0; i < n; i++)
		weir_close(s[i]);
	need(!route_del(PATH), "route");
}

/* The only target gets all attempts. */
static void only_one(void)
{
	struct weir_route_conf conf = patient;
	uint32_t route, seen, errors;
	struct weir *s, *c;

	conf.retries = 3;
	need(!route_set(PATH, &conf), "route");
	s = server(PATH, 1);
	c = caller(PATH, &route);
	ask_many(c, route);
	errors = serve_until(c, &s, 1, 1, &seen);
	check(errors == CALLS && seen == 4 * CALLS,
	      "one target gets all attempts (%u of %u)", seen, 4 * CALLS);
	weir_close(c);
	weir_close(s);
	need(!route_del(PATH), "route");
	check_routes_gone("only one");
}

/*
 * A route whose targets are two others, each with one socket; and one whose
 * guards refuse everything, so that the fallback's targets get it.
 */
static void behind(bool fallback)
{
	const char *inner[2] = { fallback ? "/again/f" : "/again/x",
				 fallback ? "/again/f" : "/again/y" };
	struct weir_route_conf conf = patient;
	uint32_t route, seen, errors, i;
	struct weir *s[2], *c;

	conf.retries = 1;
	for (i = 0; i < 2; i++) {
		need(!route_set(inner[i], &conf), "inner route");
		s[i] = server(inner[i], 1);
	}
	if (fallback)
		strcpy(conf.fallback, inner[0]);
	need(!route_set(PATH, &conf), "route");
	for (i = 0; i < 2 && !fallback; i++)
		need(!target_op(WEIR_OP_TARGET_ADD, PATH, inner[i], 0, 1),
		     "target");
	c = caller(PATH, &route);
	ask_many(c, route);
	errors = serve_until(c, s, 2, 1, &seen);
	check(seen && !errors, "%s: %u fail once, 0 of them twice (%u)",
	      fallback ? "on a fallback path" : "behind another route", seen,
	      errors);
	weir_close(c);
	for (i = 0; i < 2 && !fallback; i++)
		need(!target_op(WEIR_OP_TARGET_DEL, PATH, inner[i], 0, 0),
		     "target");
	need(!route_del(PATH), "route");
	for (i = 0; i < 2; i++) {
		weir_close(s[i]);
		if (!i || !fallback)
			need(!route_del(inner[i]), "inner route");
	}
}

/* The fallback of a route behind is for what that refuses, not for errors. */
static void fallback_behind(void)
{
	struct weir_route_conf conf = patient;
	uint32_t route, seen, errors;
	struct weir *s, *f, *c;

	conf.retries = 1;
	need(!route_set("/again/f", &conf), "fallback");
	f = server("/again/f", 1);
	need(!route_set(PATH, &conf), "route");
	strcpy(conf.fallback, "/again/f");
	need(!route_set("/again/x", &conf), "inner route");
	s = server("/again/x", 1);
	need(!target_op(WEIR_OP_TARGET_ADD, PATH, "/again/x", 0, 1), "target");
	c = caller(PATH, &route);
	ask_many(c, route);
	errors = serve_until(c, &s, 1, 1, &seen);
	check(errors == CALLS && seen == 2 * CALLS && !drain(f),
	      "a fallback gets nothing for a target that fails (%u, %u)",
	      seen, errors);
	weir_close(c);
	weir_close(s);
	weir_close(f);
	need(!target_op(WEIR_OP_TARGET_DEL, PATH, "/again/x", 0, 0), "target");
	need(!route_del(PATH) && !route_del("/again/x") &&
	     !route_del("/again/f"), "routes");
}

static void behind_others(void)
{
	behind(false);
	behind(true);
	fallback_behind();
	check_routes_gone("behind others");
}

/* A target that is lost counts as one that has failed. */
static void lost(void)
{
	struct weir_route_conf conf = patient;
	struct weir *s[3], *c;
	uint32_t route, seen, errors;

	conf.policy = WEIR_POLICY_PRIMARY;
	conf.retries = 2;
	need(!route_set(PATH, &conf), "route");
	s[2] = server(PATH, 3);
	s[0] = server(PATH, 2);
	s[1] = server(PATH, 1);
	c = caller(PATH, &route);
	ask_many(c, route);
	weir_close(s[2]);
	errors = serve_until(c, s, 2, 1, &seen);
	check(seen == CALLS && !errors,
	      "after one that is gone and one that fails: the third (%u, %u)",
	      seen, errors);
	weir_close(c);
	weir_close(s[0]);
	weir_close(s[1]);
	need(!route_del(PATH), "route");
	check_routes_gone("lost");
}

/* --- no target ------------------------------------------------------------- */

/* A target comes after a while, and answers what waits for it. */
static struct weir *late_server(int64_t ns)
{
	pass(ns);
	return server(PATH, 1);
}

/* The only target is away for a while. What the route says is enough for it. */
static void away(bool route_first)
{
	struct weir_route_conf conf = {
		QUIET, .retries = 16,
		.retry_base_ns = 50 * MS, .retry_max_ns = SECOND,
	};
	struct weir *s = server(PATH, 1), *c;
	uint32_t route;

	need(!route_set(PATH, &conf), "route");
	c = caller(PATH, &route);
	if (route_first)
		ask_with(c, route, 1, 0, WEIR_REC_IDEMPOTENT);
	weir_close(s);
	ask_with(c, route, 2, 0, WEIR_REC_IDEMPOTENT);
	ask_with(c, route, 3, 0, 0);
	check(answer(c, 3) == WEIR_REASON_NO_TARGET,
	      "one that may be sent once is refused");
	s = late_server(300 * MS);
	if (route_first)
		echo(s);
	echo(s);
	check(next_outcome(c).kind == WEIR_KIND_REPLY &&
	      (!route_first || next_outcome(c).kind == WEIR_KIND_REPLY) &&
	      !drain(c), "retries wait for a target that is away%s",
	      route_first ? ", those that it had, too" : "");
	weir_close(c);
	weir_close(s);
	need(!route_del(PATH), "route");
}

/* The attempts that the route has are over before a target comes. */
static void away_for_ever(void)
{
	struct weir_route_conf conf = {
		QUIET, .retries = 3,
		.retry_base_ns = 20 * MS, .retry_max_ns = 20 * MS,
	};
	int64_t begun;
	uint32_t route;
	struct weir *c;

	need(!route_set(PATH, &conf), "route");
	c = caller(PATH, &route);
	begun = now_ns();
	ask_with(c, route, 1, 0, WEIR_REC_IDEMPOTENT);
	check(answer(c, 1) == WEIR_REASON_NO_TARGET &&
	      now_ns() - begun >= 30 * MS,
	      "after three pauses nobody has come");
	weir_close(c);
	need(!route_del(PATH), "route");
}

static void retries_wait(void)
{
	away(false);
	away(true);
	away_for_ever();
	check_routes_gone("retries wait");
}

/* With WEIR_REC_WAIT, before the path exists at all. */
static void ready_unknown(void)
{
	struct weir *s, *c;
	uint32_t route, n, good = 0;

	c = caller(PATH, &route);
	ask(c, route, 1);
	check(answer(c, 1) == WEIR_REASON_NO_ROUTE, "without the flag: at once");
	for (n = 0; n < CALLS; n++)
		ask_with(c, route, n, 0, WEIR_REC_WAIT);
	check(!tap_within(100, drain(c)), "with it: no answer without a target");
	s = late_server(0);
	serve_until(c, &s, 1, 0, &n);
	weir_close(s);
	ask_with(c, route, 1, 0, WEIR_REC_WAIT);
	s = late_server(20 * MS);
	ask_with(c, route, 2, 0, WEIR_REC_WAIT);
	for (n = 0; n < 2; n++) {
		echo(s);
		good += next_outcome(c).kind == WEIR_KIND_REPLY;
	}
	check(good == 2, "a target that comes back gets what waits");
	check(!drain(s) && !drain(c), "once");
	weir_close(c);
	weir_close(s);
	check_routes_gone("ready");
}

/* One that may be sent once is not sent twice after it has waited. */
static void ready_once(void)
{
	struct weir_route_conf conf = patient;
	struct weir *s[2], *c;
	uint32_t route;

	need(!route_set(PATH, &conf), "route");
	c = caller(PATH, &route);
	ask_with(c, route, 1, 0, WEIR_REC_WAIT);
	s[0] = late_server(20 * MS);
	need(soon(serve_one(s[0], WEIR_KIND_ERROR)), "an error");
	check(next_outcome(c).kind == WEIR_KIND_ERROR &&
	      !tap_within(60, drain(s[0]) > 0), "an error ends it");
	weir_close(s[0]);
	ask_with(c, route, 2, 0, WEIR_REC_WAIT);
	s[0] = late_server(20 * MS);
	next_ticket(s[0], "the target");
	s[1] = server(PATH, 1);
	weir_close(s[0]);
	check(answer(c, 2) == WEIR_REASON_TARGET_DIED && !drain(s[1]),
	      "and so does a target that ends");
	check(!route_now(PATH).retries, "no retry is counted (%llu)",
	      (unsigned long long)route_now(PATH).retries);
	weir_close(c);
	weir_close(s[1]);
	need(!route_del(PATH), "route");
	check_routes_gone("ready once");
}

/* Fan-outs wait for a target, or for a quorum. */
static void ready_many(uint32_t policy)
{
	struct weir_route_conf conf = { QUIET, .policy = policy };
	struct weir *s[2], *c;
	uint32_t route, i, n;

	conf.quorum = policy == WEIR_POLICY_QUORUM ? 2 : 0;
	need(!route_set(PATH, &conf), "route");
	if (policy == WEIR_POLICY_QUORUM)
		s[0] = server(PATH, 1);
	c = caller(PATH, &route);
	ask_with(c, route, 7, 0, WEIR_REC_WAIT);
	check(!tap_within(50, drain(c)), "policy %u: it waits", policy);
	if (policy != WEIR_POLICY_QUORUM)
		s[0] = server(PATH, 1);
	else
		s[1] = server(PATH, 1);
	n = policy == WEIR_POLICY_QUORUM ? 2 : 1;
	for (i = 0; i < n; i++)
		echo(s[i]);
	check(replied(c, 7) && !tap_within(60, drain(c)),
	      "policy %u: then it is sent, and answered once", policy);
	for (i = 0; i < n; i++)
		check(!drain(s[i]), "target %u got it once", i);
	weir_close(c);
	for (i = 0; i < n; i++)
		weir_close(s[i]);
	need(!route_del(PATH), "route");
}

static void ready_fan_out(void)
{
	ready_many(WEIR_POLICY_ALL);
	ready_many(WEIR_POLICY_QUORUM);
	check_routes_gone("ready fan-out");
}

/* Nobody comes: the deadline, or the route's maximum, ends the wait. */
static void ready_deadline(void)
{
	struct weir_route_conf conf = {
		.timeout_ns = 100 * MS, .deadline_max_ns = 200 * MS,
	};
	struct weir_call call = { .flags = WEIR_REC_WAIT, .tag = 1 };
	int64_t begun = now_ns();
	struct weir *c;
	uint32_t route;

	c = caller(PATH, &route);
	call.route = route;
	call.deadline_ns = (uint64_t)begun + 50 * MS;
	ask_for(c, &call, "x", 1);
	check(answer(c, 1) == WEIR_REASON_DEADLINE &&
	      now_ns() - begun >= 50 * MS, "no path: the request's deadline");
	need(!route_set(PATH, &conf), "route");
	begun = now_ns();
	ask_with(c, route, 2, 0, WEIR_REC_WAIT);
	check(answer(c, 2) == WEIR_REASON_DEADLINE &&
	      now_ns() - begun >= 100 * MS, "no target: the route's timeout");
	begun = now_ns();
	call.deadline_ns = (uint64_t)begun + 3600 * SECOND;
	ask_for(c, &call, "x", 1);
	check(answer(c, 1) == WEIR_REASON_DEADLINE &&
	      now_ns() - begun >= 200 * MS, "or its maximum");
	weir_close(c);
	need(!route_del(PATH), "route");
	check_routes_gone("ready deadline");
}

/* A route that comes later allows less time than what waits was given. */
static void ready_shorter(void)
{
	struct weir_route_conf conf = {
		.timeout_ns = SECOND, .deadline_max_ns = SECOND,
		.probe_ns = WEIR_PROBE_OFF,
	};
	struct weir_call call = { .flags = WEIR_REC_WAIT, .tag = 1 };
	int64_t begun = now_ns();
	struct weir *s, *c;

	c = caller(PATH, &call.route);
	call.deadline_ns = (uint64_t)begun + 60 * SECOND;
	ask_for(c, &call, "x", 1);
	need(!route_set(PATH, &conf), "route");
	s = server(PATH, 1);
	next_ticket(s, "the target");
	check(answer(c, 1) == WEIR_REASON_DEADLINE &&
	      now_ns() - begun < 30 * (int64_t)SECOND,
	      "one that waited for the route ends when that says");
	weir_close(c);
	weir_close(s);
	need(!route_del(PATH), "route");
	check_routes_gone("ready shorter");
}

/* A caller that ends with requests that wait: nobody gets them. */
static void ready_gone(void)
{
	uint32_t route, n;
	struct weir *s, *c;
	pid_t pid = fork();

	if (!pid) {
		c = caller(PATH, &route);
		for (n = 0; n < 10 * CALLS; n++)
			ask_with(c, route, n, 0, WEIR_REC_WAIT);
		raise(SIGKILL);
	}
	tap_wait(pid);
	s = server(PATH, 1);
	check(!tap_within(200, drain(s) > 0),
	      "a caller that is killed leaves no request");
	weir_close(s);
	check_routes_gone("ready gone");
}

/* What waits keeps its key: others with the same get its reply. */
static void ready_key(void)
{
	struct weir_route_conf conf = { QUIET, .dup_window_ns = 600 * SECOND };
	struct weir_call call = { .flags = WEIR_REC_WAIT, .dup = 42 };
	struct weir *s, *c;
	uint32_t n;

	need(!route_set(PATH, &conf), "route");
	c = caller(PATH, &call.route);
	for (n = 0; n < 3; n++) {
		call.tag = n;
		ask_for(c, &call, "same", 4);
	}
	s = late_server(20 * MS);
	echo(s);
	for (n = 0; n < 3; n++)
		check(next_outcome(c).kind == WEIR_KIND_REPLY,
		      "reply %u of 3 with one key", n);
	check(!drain(s), "the target got it once");
	weir_close(c);
	weir_close(s);
	need(!route_del(PATH), "route");
	check_routes_gone("ready key");
}

#define KEYED	40U	/* requests, for which the caller has few slots to spare */

/*
 * Requests with keys, from before the route which has the keys. Two and two have
 * one key, but for the last, whose payload is another.
 */
static void ready_key_first(void)
{
	struct weir_route_conf conf = { QUIET, .dup_window_ns = 600 * SECOND };
	struct weir_call call = { .flags = WEIR_REC_WAIT };
	uint32_t n, good = 0, seen = 0;
	struct weir *s, *c = handle(0, 4096);
	struct outcome o;

	call.route = route_of(c, PATH);
	for (n = 0; n < KEYED; n++) {
		call.tag = n;
		call.dup = 1 + n / 2;
		ask_for(c, &call, n < KEYED - 1 ? "same" : "more", 4);
	}
	check(!tap_within(100, drain(c)), "keys: they wait for a route");
	need(!route_set(PATH, &conf), "route");
	/* of the last two, the one that looks second */
	o = next_outcome(c);
	check(o.tag >= KEYED - 2 && o.kind == WEIR_KIND_ERROR &&
	      o.fault.reason == WEIR_REASON_KEY_REUSED,
	      "one whose key is another's is refused then");
	check(!tap_within(100, drain(c)), "the others wait for a target");
	s = server(PATH, 1);
	for (n = 0; n < KEYED - 1; n++) {
		need(soon((seen += serve_one(s, WEIR_KIND_REPLY),
			   outcome_now(c, &o))), "an answer");
		good += o.kind == WEIR_KIND_REPLY;
	}
	check(good == KEYED - 1 && seen == KEYED / 2,
	      "each key is sent once (%u, %u)", good, seen);
	check(!tap_within(60, serve_all(s, WEIR_KIND_REPLY) || drain(c)),
	      "and nothing else comes");
	check(route_now(PATH).dups == KEYED / 2 - 1, "the others are counted");
	weir_close(c);
	weir_close(s);
	need(!route_del(PATH), "route");
	check_routes_gone("ready key first");
}

/*
 * The leader is another socket's, and large. It has been answered by the time
 * that the request which waits for a route looks.
 */
static void ready_key_later(void)
{
	struct weir_route_conf conf = { QUIET, .dup_window_ns = 600 * SECOND };
	struct weir_call call = { .flags = WEIR_REC_WAIT, .dup = 7 };
	struct weir *s, *c[2];
	static char large[300000];
	uint32_t n, got = 0;
	struct outcome o;

	for (n = 0; n < 2; n++) {
		c[n] = handle(PLENTY, PLENTY);
		call.route = route_of(c[n], PATH);
		if (!n)
			ask_for(c[n], &call, large, sizeof(large));
	}
	/* now it looks each 25 to 50 ms */
	pass(150 * MS);
	need(!route_set(PATH, &conf), "route");
	s = server_of(PATH, 1, PLENTY, NULL);
	ask_for(c[1], &call, large, sizeof(large));
	for (n = 0; n < 2; n++) {
		need(soon((got += serve_one(s, WEIR_KIND_REPLY),
			   outcome_now(c[1 - n], &o))), "an answer");
		check(o.kind == WEIR_KIND_REPLY && o.len == 256,
		      "large: reply %u of 2", n);
	}
	check(got == 1 && route_now(PATH).dups == 1, "one was sent (%u)", got);
	weir_close(c[0]);
	weir_close(c[1]);
	weir_close(s);
	need(!route_del(PATH), "route");
	check_routes_gone("ready key later");
}

/*
 * A fan-out that has waited for its targets, and whose caller has no room for
 * their answers then: it waits for that, and no fallback gets it.
 */
static void ready_no_room(bool wait)
{
	struct weir_route_conf conf = { QUIET, .policy = WEIR_POLICY_ALL };
	struct weir *s[2], *busy, *spare, *c = handle(0, 4096);
	uint32_t route, other, n, asked = 200, good = 0;
	struct outcome o;

	strcpy(conf.fallback, "/again/f");
	conf.retries = 16;
	conf.retry_base_ns = conf.retry_max_ns = 20 * MS;
	need(!route_set("/again/f", &quiet), "fallback");
	need(!route_set(PATH, &conf), "route");
	busy = server_of("/again/b", 1, PLENTY, NULL);
	route = route_of(c, PATH);
	other = route_of(c, "/again/b");
	ask_with(c, route, 1000, 0, wait ? WEIR_REC_WAIT : WEIR_REC_IDEMPOTENT);
	for (n = 0; n < asked; n++)
		ask(c, other, n);
	for (n = 0; n < 2; n++)
		s[n] = server(PATH, 1);
	spare = server("/again/f", 1);
	/* longer than all attempts of the route */
	check(!tap_within(500, drain(spare) || drain(s[0]) || drain(s[1])),
	      "%s: without room it goes nowhere", wait ? "wait" : "retries");
	for (n = 0; n < asked + 2; n++) {
		need(soon((serve_one(busy, WEIR_KIND_REPLY),
			   serve_one(s[0], WEIR_KIND_REPLY),
			   serve_one(s[1], WEIR_KIND_REPLY),
			   outcome_now(c, &o))), "an answer");
		good += o.kind == WEIR_KIND_REPLY && o.tag == 1000;
	}
	check(good == 2 && !drain(spare) && !drain(c),
	      "with room both targets answer (%u)", good);
	weir_close(c);
	weir_close(busy);
	weir_close(spare);
	for (n = 0; n < 2; n++)
		weir_close(s[n]);
	need(!route_del(PATH), "route");
	need(!route_del("/again/f"), "fallback");
	check_routes_gone("ready no room");
}

static void ready_room(void)
{
	ready_no_room(true);
	ready_no_room(false);
}

/* With WEIR_REC_DROP it is dropped where a request that need not wait is. */
static void ready_drop(void)
{
	struct weir *s = server_of("/again/b", 1, 4096, NULL), *c, *other;
	uint8_t flags = WEIR_REC_WAIT | WEIR_REC_DROP;
	struct weir_route_entry e;
	uint32_t route, r, n;

	need(!route_set(PATH, &quiet), "route");
	other = caller("/again/b", &r);
	shower(other, r, 200);
	c = caller(PATH, &route);
	ask_with(c, route, 1, 0, flags);
	check(!tap_within(50, drain(c)), "drop: it waits for a target");
	need(!weir_serve(s, PATH, 1, NULL), "serve: %s", weir_error());
	check(soon((e = route_now(PATH),
		    e.refused[WEIR_REASON_INBOX_FULL] == 1)),
	      "a full inbox ends that");
	ask_with(c, route, 2, 0, flags);
	e = route_now(PATH);
	check(e.refused[WEIR_REASON_INBOX_FULL] == 2,
	      "as that of one that has not waited");
	check(!drain(c), "neither gets an answer");
	for (n = 0; tap_within(60, drain(s) > 0); n++)
		;
	check(!e.calls, "nor is it sent (%u)", n);
	ask_with(c, route, 3, 0, flags);
	echo(s);
	check(replied(c, 3) && !drain(c), "with room it is answered");
	weir_close(c);
	weir_close(other);
	weir_close(s);
	need(!route_del(PATH), "route");
	check_routes_gone("ready drop");
}

/* More than one user's small outbox has room for, while others are served. */
static void ready_full(void)
{
	struct weir *s, *c = handle(4096, 0), *other;
	uint32_t route = route_of(c, PATH), r, n;

	for (n = 0; n < 32; n++)
		ask_with(c, route, n, 0, WEIR_REC_WAIT);
	s = server("/again/b", 1);
	other = caller("/again/b", &r);
	ask(other, r, 1);
	echo(s);
	check(replied(other, 1), "what waits is in nobody's way");
	weir_close(other);
	weir_close(s);
	s = server(PATH, 1);
	for (n = 0; n < 32; n++) {
		echo(s);
		need(next_outcome(c).kind == WEIR_KIND_REPLY, "a reply");
	}
	check(!drain(c) && !drain(s), "each is sent and answered once");
	weir_close(c);
	weir_close(s);
	check_routes_gone("ready full");
}

int main(void)
{
	hard_begin();
	part(every_policy);
	last_is_good(4);
	last_is_good(14);
	check_routes_gone("the last is good");
	part(only_one);
	part(behind_others);
	part(lost);
	part(retries_wait);
	part(ready_unknown);
	part(ready_once);
	part(ready_fan_out);
	part(ready_deadline);
	part(ready_shorter);
	part(ready_gone);
	part(ready_key);
	part(ready_key_first);
	part(ready_key_later);
	part(ready_room);
	part(ready_drop);
	part(ready_full);
	return tap_done();
}
