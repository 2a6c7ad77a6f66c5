// SPDX-License-Identifier: GPL-2.0
/*
 * The guards of a route, one by one: token bucket, bulkhead, circuit breaker,
 * deadline, fallback, retry, mirror, and what is done when an inbox is full.
 * Each says which guard it was and why; each lets through again what it should.
 */
#include "routed.h"

/* --- token bucket ----------------------------------------------------------- */

/*
 * This number of requests in one batch; how many a bucket of this rate let
 * pass.
 */
static uint32_t pour(struct weir *c, struct weir *s, uint32_t route, uint32_t n,
		     uint32_t rate, uint32_t *extra)
{
	int64_t begun = now_ns();
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct weir_call call = { .route = route, .tag = 100 + i };

		need(!request(c, &call, "x", 1), "request");
	}
	weir_flush(c);
	/* what has come in meanwhile, had the bucket been full all the time */
	*extra = (uint32_t)((now_ns() - begun) / (SECOND / rate));
	return (uint32_t)drain(s);
}

/* Is an empty bucket empty for another caller, too? */
static bool empty_for_both(struct weir *c, uint32_t route, struct weir *d,
			   uint32_t other, struct weir *s)
{
	int tries;

	/* unless a token comes in between */
	for (tries = 0; tries < 20; tries++) {
		do {
			ask(c, route, 1);
		} while (drain(s));
		drain(c);
		ask(d, other, 7);
		if (!drain(s))
			return true;
	}
	return false;
}

/* The end of a test of one route, with one caller and one service. */
static void all_end(const char *path, struct weir *c, struct weir *s,
		    const char *what)
{
	need(!route_del(path), "route");
	weir_close(c);
	weir_close(s);
	check_routes_gone(what);
}

static void bucket(void)
{
	struct weir_route_conf conf = { QUIET, .rate = 1, .burst = 5 };
	uint32_t route, other, passed, extra;
	struct weir *s, *c, *d;
	int64_t begun, took;
	uint64_t wait, refused;
	struct outcome o;
	int tries = 0;

	need(!route_set("/guard/rate", &conf), "route");
	s = server_of("/guard/rate", 1, PLENTY, NULL);
	c = caller("/guard/rate", &route);
	d = caller("/guard/rate", &other);
	passed = pour(c, s, route, 5, 1, &extra);
	check(passed == 5, "bucket: the burst passes (%u of 5)", passed);
	need(!route_set("/guard/rate", &conf), "route");
	passed = pour(c, s, route, 64, 1, &extra);
	check(passed >= 5 && passed <= 5 + extra,
	      "a batch gets no more than the burst (%u of 5, %u in that time)",
	      passed, extra);
	o = next_outcome(c);
	check(o.fault.reason == WEIR_REASON_RATE &&
	      o.fault.guard == WEIR_GUARD_BUCKET &&
	      o.tag >= 105 && o.tag <= 105 + extra,
	      "the rest is refused: rate, by the bucket (%s, %s, %u)",
	      weir_reason_name(o.fault.reason),
	      weir_guard_name(o.fault.guard), o.tag);
	check(o.fault.wait_ns && o.fault.wait_ns <= (uint64_t)SECOND,
	      "with the time to wait (%llu ns)",
	      (unsigned long long)o.fault.wait_ns);
	check(1 + drain(c) == 64 - (int)passed, "each of them");
	refused = route_now("/guard/rate").refused[WEIR_REASON_RATE];
	check(refused == 64 - passed, "the route has counted them (%llu)",
	      (unsigned long long)refused);
	check(empty_for_both(c, route, d, other, s),
	      "another caller shares the bucket");
	refused_by(d, 7, WEIR_REASON_RATE, WEIR_GUARD_BUCKET,
		   "and is refused by it");
	drain(c);
	drain(d);

	/* when there is a token again, and not before */
	conf.rate = 10;
	conf.burst = 1;
	do {
		drain(c);
		begun = now_ns();
		need(!route_set("/guard/rate", &conf), "route");
		passed = pour(c, s, route, 2, 10, &extra);
	} while (passed == 2 && extra && ++tries < 20);
	check(passed == 1, "burst 1");
	o = next_outcome(c);
	wait = o.fault.wait_ns;
	check(soon((ask(c, route, 3), drain(s) == 1)), "it fills again");
	took = now_ns() - begun;
	check(took >= 100 * MS && wait <= 100 * (uint64_t)MS,
	      "not before a tenth of a second at 10 a second (%lld ms, told %llu ms)",
	      (long long)(took / MS), (unsigned long long)wait / MS);

	conf = (struct weir_route_conf){ QUIET, .rate = 100 };
	need(!route_set("/guard/rate", &conf), "route");
	passed = pour(c, s, route, 64, 100, &extra);
	check(passed >= 10 && passed <= 10 + extra,
	      "without a burst: a tenth of the rate (%u of 10, %u in that time)",
	      passed, extra);
	conf = (struct weir_route_conf){ .burst = 5 };
	check(route_set("/guard/rate", &conf) == -EINVAL,
	      "a burst without a rate is refused");
	conf = (struct weir_route_conf){ .rate = 1000000001 };
	check(route_set("/guard/rate", &conf) == -EINVAL, "so is a huge rate");
	conf = (struct weir_route_conf){ .rate = 1, .burst = 86401 };
	check(route_set("/guard/rate", &conf) == -EINVAL,
	      "and a burst that takes more than a day");
	need(!route_del("/guard/rate"), "route");
	weir_close(c);
	weir_close(d);
	weir_close(s);
	check_routes_gone("bucket");
}

/* What waits for room has not used a token. */
static void bucket_waiting(void)
{
	struct weir_route_conf conf = {
		QUIET, .rate = 1, .burst = 4,
	};
	struct weir *s = handle(0, 4096), *c = handle(0, 0), *f;
	uint32_t route, fill, i, n;

	need(!route_set("/guard/hold", &conf), "route");
	need(!weir_serve(s, "/guard/hold", 1, NULL) &&
	     !weir_serve(s, "/guard/fill", 1, NULL), "serve");
	f = caller("/guard/fill", &fill);
	shower(f, fill, 80);
	route = route_of(c, "/guard/hold");
	ask(c, route, 1);
	for (i = 0; i < 8; i++)
		tap_kick(weir_fd(c), WEIR_KICK_READERS);
	check(drain(c) == 0, "waiting for room uses no tokens up");
	/* it may come as soon as some have been read */
	n = (uint32_t)drain(s);
	check(n == 64 || n == 65, "the inbox was full (%u)", n);
	check(soon((n += (uint32_t)drain(s)) == 65),
	      "and the message goes on when there is room (%u)", n);
	need(!route_del("/guard/hold"), "route");
	weir_close(c);
	weir_close(f);
	weir_close(s);
	check_routes_gone("bucket and waiting");
}

/* --- bulkhead --------------------------------------------------------------- */

static void bulkhead(void)
{
	struct weir_route_conf conf = {
		QUIET, .bulkhead = 3,
	};
	uint32_t route, tag, i, n, full_key = 0;
	struct weir *a, *b, *c, *d;
	uint64_t id_a, id_b;

	need(!route_set("/guard/bulk", &conf), "route");
	a = server_of("/guard/bulk", 1, PLENTY, &id_a);
	b = server_of("/guard/bulk", 1, PLENTY, &id_b);
	c = caller("/guard/bulk", &route);
	for (tag = 0; tag < 6; tag++)
		ask(c, route, tag);
	check(target_now(id_a).in_flight == 3 && target_now(id_b).in_flight == 3,
	      "bulkhead: each target gets as many as may be in flight");
	ask(c, route, tag);
	refused_by(c, tag, WEIR_REASON_BULKHEAD, WEIR_GUARD_BULKHEAD,
		   "one more is refused by the bulkhead");
	need(serve_one(b, WEIR_KIND_REPLY), "b answers one");
	drain(c);
	ask(c, route, 7);
	check(target_now(id_b).in_flight == 3 && !drain(c),
	      "an answer makes room for one, where it came from");
	conf.bulkhead = 4;
	need(!route_set("/guard/bulk", &conf), "route");
	ask(c, route, 8);
	ask(c, route, 9);
	check(!drain(c) && target_now(id_a).in_flight == 4 &&
	      target_now(id_b).in_flight == 4, "it can be raised live");
	conf.bulkhead = 1;
	need(!route_set("/guard/bulk", &conf), "route");
	ask(c, route, 10);
	refused_by(c, 10, WEIR_REASON_BULKHEAD, WEIR_GUARD_BULKHEAD,
		   "and lowered below what there is");
	weir_close(c);
	check(target_now(id_a).in_flight == 0 && target_now(id_b).in_flight == 0,
	      "a caller that goes leaves nothing in flight");
	drain(a);
	drain(b);

	/* with shard a full target's keys are nobody else's */
	conf.bulkhead = 2;
	conf.policy = WEIR_POLICY_SHARD;
	need(!route_set("/guard/bulk", &conf), "route");
	d = caller("/guard/bulk", &route);
	for (i = 0; i < 1000 && target_now(id_a).in_flight < 2; i++) {
		ask_with(d, route, i, i, 0);
		if (drain(a))
			full_key = i;
		serve_all(b, WEIR_KIND_REPLY);
		drain(d);
	}
	need(target_now(id_a).in_flight == 2, "a is full");
	ask_with(d, route, 5000, full_key, 0);
	refused_by(d, 5000, WEIR_REASON_BULKHEAD, WEIR_GUARD_BULKHEAD,
		   "shard: the keys of a full target are refused");
	for (i = 0, n = 0; i < 50; i++) {
		ask_with(d, route, 6000 + i, i, 0);
		if (serve_all(b, WEIR_KIND_REPLY))
			n += replied(d, 6000 + i);
		else
			drain(d);
	}
	check(n > 5, "and those of the others are served (%u of 50)", n);
	need(!route_del("/guard/bulk"), "route");
	weir_close(d);
	weir_close(a);
	weir_close(b);
	check_routes_gone("bulkhead");
}

/* --- breaker ---------------------------------------------------------------- */

#define OPEN_NS	(200 * MS)

/* An open breaker stays so, until the route's time for that is set to less. */
static const struct weir_route_conf breaker_conf = {
	QUIET,
	.breaker_window_ns = 600 * SECOND,
	.breaker_open_ns = 600 * SECOND,
	.breaker_min_calls = 4,
	.breaker_error_percent = 50,
	.breaker_probes = 2,
};

/* Asks until one is let through; how many were refused by the breaker. */
static uint32_t knock(struct weir *c, uint32_t route, uint32_t tag)
{
	struct outcome o;
	uint32_t n = 0;

	while (n < 100000) {
		ask(c, route, tag);
		if (!outcome_now(c, &o))
			return n;
		need(o.fault.reason == WEIR_REASON_BREAKER, "the breaker: %s",
		     weir_reason_name(o.fault.reason));
		n++;
		usleep(1000);
	}
	return n;
}

/* This number of calls that fail, or fewer if the breaker opens before. */
static void fail_calls(struct weir *c, struct weir *s, uint32_t route, uint32_t n)
{
	bool sent = true;

	while (n-- && sent) {
		ask(c, route, 99);
		sent = serve_one(s, WEIR_KIND_ERROR);
		drain(c);
	}
}

static void breaker_errors(void)
{
	struct weir_route_conf brief = breaker_conf;
	uint32_t route, n;
	struct weir *s, *c, *t;
	uint64_t id, id_t;
	int64_t begun;

	brief.breaker_open_ns = OPEN_NS;
	need(!route_set("/guard/brk", &breaker_conf), "route");
	s = server_of("/guard/brk", 1, PLENTY, &id);
	c = caller("/guard/brk", &route);
	fail_calls(c, s, route, 3);
	check(target_now(id).breaker == WEIR_BREAKER_CLOSED,
	      "breaker: too few calls to judge by");
	begun = now_ns();
	fail_calls(c, s, route, 1);
	check(target_now(id).breaker == WEIR_BREAKER_OPEN &&
	      target_now(id).breaker_opens == 1 &&
	      target_now(id).errors == 4, "errors open it");
	ask(c, route, 1);
	if (refused_by(c, 1, WEIR_REASON_BREAKER, WEIR_GUARD_BREAKER,
		       "it refuses"))
		check(drain(s) == 0, "nothing gets through");
	need(!route_set("/guard/brk", &brief), "route");
	n = knock(c, route, 2);
	check(now_ns() - begun >= OPEN_NS,
	      "until its time is over (%lld ms, %u refused)",
	      (long long)((now_ns() - begun) / MS), n);
	check(target_now(id).breaker == WEIR_BREAKER_HALF_OPEN,
	      "then it is half open");
	ask(c, route, 3);
	check(!drain(c), "as many probes as it takes are let through");
	ask(c, route, 4);
	refused_by(c, 4, WEIR_REASON_BREAKER, WEIR_GUARD_BREAKER,
		   "and no more");
	check(serve_all(s, WEIR_KIND_REPLY) == 2 && replied(c, 2) &&
	      replied(c, 3), "both are answered");
	check(target_now(id).breaker == WEIR_BREAKER_CLOSED,
	      "good probes close it");
	ask(c, route, 5);
	check(serve_all(s, WEIR_KIND_REPLY) == 1 && replied(c, 5),
	      "and all is as before");

	fail_calls(c, s, route, 4);
	check(target_now(id).breaker_opens == 2, "errors open it again");
	knock(c, route, 6);
	need(serve_one(s, WEIR_KIND_ERROR), "an error");
	drain(c);
	check(target_now(id).breaker == WEIR_BREAKER_OPEN &&
	      target_now(id).breaker_opens == 3,
	      "a bad probe opens it at once");

	/* the other target takes over; the first is not to be probed meanwhile */
	need(!route_set("/guard/brk", &breaker_conf), "route");
	t = server_of("/guard/brk", 1, PLENTY, &id_t);
	for (n = 0; n < 20; n++) {
		ask(c, route, n);
		if (!serve_one(t, WEIR_KIND_REPLY) || !replied(c, n))
			break;
	}
	check(n == 20 && target_now(id_t).breaker == WEIR_BREAKER_CLOSED,
	      "another target gets what an open breaker refuses (%u of 20)", n);
	/* a probe whose caller goes is given back */
	weir_close(t);
	need(!route_set("/guard/brk", &brief), "route");
	knock(c, route, 7);
	ask(c, route, 8);
	weir_close(c);
	drain(s);
	c = caller("/guard/brk", &route);
	ask(c, route, 9);
	ask(c, route, 10);
	check(!drain(c) && drain(s) == 2,
	      "probes of a caller that went away are given back");
	all_end("/guard/brk", c, s, "breaker");
}

/*
 * @n calls, of which the first @bad of three targets answer theirs with errors,
 * and the others with replies. Counts in @got what each has got. Returns how many
 * were refused.
 */
static uint32_t calls_to_three(struct weir *c, struct weir *const *s,
			       uint32_t route, uint32_t bad, uint32_t n,
			       uint32_t *got)
{
	uint32_t i, refused = 0;
	struct outcome o;

	memset(got, 0, 3 * sizeof(*got));
	while (n--) {
		ask(c, route, n);
		for (i = 0; i < 3; i++)
			got[i] += serve_one(s[i], i < bad ? WEIR_KIND_ERROR :
							    WEIR_KIND_REPLY);
		o = next_outcome(c);
		refused += !!(o.flags & WEIR_REC_ROUTER);
	}
	return refused;
}

/* Calls until the breaker of the last of @bad bad targets is open. */
static void open_one_of_three(struct weir *c, struct weir *const *s,
			      uint32_t route, uint32_t bad, uint64_t id)
{
	uint32_t got[3], n;

	for (n = 0; n < 1000 && target_now(id).breaker != WEIR_BREAKER_OPEN; n++)
		calls_to_three(c, s, route, bad, 1, got);
	need(n < 1000, "a breaker opens");
}

/* A share of the targets is refused at most; above it, all are tried. */
static void breaker_max_open(void)
{
	struct weir_route_conf conf = breaker_conf;
	uint32_t route, got[3], i, refused;
	struct weir *s[3], *c;
	uint64_t id[3];

	conf.breaker_max_open_percent = 101;
	check(route_set("/guard/share", &conf) == -EINVAL,
	      "max-open: a share has 100 percent at most");
	conf.breaker_max_open_percent = 34;
	need(!route_set("/guard/share", &conf), "route");
	for (i = 0; i < 3; i++)
		s[i] = server_of("/guard/share", 1, PLENTY, &id[i]);
	c = caller("/guard/share", &route);
	open_one_of_three(c, s, route, 1, id[0]);
	refused = calls_to_three(c, s, route, 0, 40, got);
	check(!refused && !got[0] && got[1] && got[2],
	      "one of three may be open (%u, %u, %u; %u refused)", got[0],
	      got[1], got[2], refused);
	open_one_of_three(c, s, route, 2, id[1]);
	refused = calls_to_three(c, s, route, 0, 100, got);
	check(!refused && got[0] && got[1] && got[2],
	      "two are too many: all are tried (%u, %u, %u; %u refused)",
	      got[0], got[1], got[2], refused);
	check(target_now(id[0]).breaker == WEIR_BREAKER_OPEN &&
	      target_now(id[1]).breaker == WEIR_BREAKER_OPEN,
	      "such calls close no breaker");
	conf.breaker_max_open_percent = 0;
	need(!route_set("/guard/share", &conf), "route");
	refused = calls_to_three(c, s, route, 0, 100, got);
	check(!refused && !got[0] && !got[1] && got[2] == 100,
	      "without a limit only the third gets any (%u, %u, %u)", got[0],
	      got[1], got[2]);
	weir_close(s[1]);
	weir_close(s[2]);
	all_end("/guard/share", c, s[0], "share of open breakers");
}

/* Switched off and on while a probe is out. */
static void breaker_switched(void)
{
	struct weir_route_conf brief = breaker_conf, off = breaker_conf;
	uint32_t route;
	struct weir *s, *c;
	uint64_t id;

	brief.breaker_open_ns = OPEN_NS;
	brief.breaker_probes = 1;
	off.breaker_min_calls = 0;
	need(!route_set("/guard/switch", &brief), "route");
	s = server_of("/guard/switch", 1, PLENTY, &id);
	c = caller("/guard/switch", &route);
	fail_calls(c, s, route, 4);
	need(target_now(id).breaker == WEIR_BREAKER_OPEN,
	     "the breaker is open");
	knock(c, route, 1);
	check(target_now(id).breaker == WEIR_BREAKER_HALF_OPEN,
	      "switched: half open, its probe out");
	need(!route_set("/guard/switch", &off), "route");
	check(serve_one(s, WEIR_KIND_REPLY) && replied(c, 1),
	      "the probe ends while there is no breaker");
	/* not a time in which anything is given up */
	brief.breaker_open_ns = 3600 * (uint64_t)SECOND;
	need(!route_set("/guard/switch", &brief), "route");
	check(target_now(id).breaker == WEIR_BREAKER_CLOSED,
	      "switched on it is closed");
	ask(c, route, 2);
	check(serve_one(s, WEIR_KIND_REPLY) && replied(c, 2),
	      "and lets calls through");

	/* the end of a probe that is not told */
	brief.breaker_open_ns = OPEN_NS;
	need(!route_set("/guard/switch", &brief), "route");
	fail_calls(c, s, route, 4);
	knock(c, route, 3);
	check(target_now(id).breaker == WEIR_BREAKER_HALF_OPEN,
	      "half open, its probe out");
	knock(c, route, 4);
	check(drain(s) == 2, "a probe that does not end is given up");
	all_end("/guard/switch", c, s, "breaker that is switched");
}

static void breaker_slow(void)
{
	struct weir_route_conf conf = breaker_conf;
	struct weir *s, *c;
	uint32_t route;
	uint64_t id;

	conf.breaker_error_percent = 0;
	conf.breaker_slow_ns = 600 * SECOND;
	conf.breaker_slow_percent = 50;
	conf.breaker_min_calls = 2;
	need(!route_set("/guard/slow", &conf), "route");
	s = server_of("/guard/slow", 1, PLENTY, &id);
	c = caller("/guard/slow", &route);
	fail_calls(c, s, route, 4);
	check(target_now(id).breaker == WEIR_BREAKER_CLOSED,
	      "errors do not count for 0 percent");
	need(!target_op(WEIR_OP_BREAKER, "/guard/slow", "", id, WEIR_FORCE_AUTO),
	     "auto");
	conf.breaker_slow_ns = 20 * MS;
	need(!route_set("/guard/slow", &conf), "route");
	ask(c, route, 1);
	ask(c, route, 2);
	pass(25 * MS);
	check(serve_all(s, WEIR_KIND_REPLY) == 2 && replied(c, 1) &&
	      replied(c, 2), "slow replies are replies");
	check(target_now(id).breaker == WEIR_BREAKER_OPEN,
	      "and open the breaker");
	ask(c, route, 3);
	refused_by(c, 3, WEIR_REASON_BREAKER, WEIR_GUARD_BREAKER,
		   "slow calls: refused by the breaker");
	all_end("/guard/slow", c, s, "breaker, slow");
}

static void breaker_expired(void)
{
	struct weir_route_conf conf = breaker_conf;
	struct weir *s, *c;
	uint32_t route;
	uint64_t id;

	conf.breaker_min_calls = 2;
	conf.timeout_ns = 30 * MS;
	need(!route_set("/guard/late", &conf), "route");
	s = server_of("/guard/late", 1, PLENTY, &id);
	c = caller("/guard/late", &route);
	ask(c, route, 1);
	ask(c, route, 2);
	refused_by(c, 1, WEIR_REASON_DEADLINE, WEIR_GUARD_DEADLINE,
		   "expired: deadline");
	refused_by(c, 2, WEIR_REASON_DEADLINE, WEIR_GUARD_DEADLINE,
		   "expired: each of them");
	check(target_now(id).expired == 2 && target_now(id).in_flight == 0 &&
	      target_now(id).breaker == WEIR_BREAKER_OPEN,
	      "they open the breaker");
	ask(c, route, 3);
	refused_by(c, 3, WEIR_REASON_BREAKER, WEIR_GUARD_BREAKER,
		   "expired calls: refused by the breaker");
	all_end("/guard/late", c, s, "breaker, expired");
}

static void breaker_forced(void)
{
	struct weir *s, *c;
	uint32_t route;
	uint64_t id;

	route_quiet("/guard/force");
	s = server_of("/guard/force", 1, PLENTY, &id);
	c = caller("/guard/force", &route);
	check(!target_op(WEIR_OP_BREAKER, "/guard/force", "", id,
			 WEIR_FORCE_OPEN), "a breaker is forced open");
	check(target_now(id).breaker == WEIR_BREAKER_OPEN,
	      "as the listing says");
	ask(c, route, 1);
	refused_by(c, 1, WEIR_REASON_BREAKER, WEIR_GUARD_BREAKER,
		   "forced open: refused by the breaker");
	shower(c, route, 1);
	check(drain(s) == 0, "one-way messages do not get through either");
	check(!target_op(WEIR_OP_BREAKER, "/guard/force", "", id,
			 WEIR_FORCE_AUTO), "it is left to itself again");
	ask(c, route, 2);
	check(serve_one(s, WEIR_KIND_REPLY) && replied(c, 2), "and lets through");
	check(target_op(WEIR_OP_BREAKER, "/guard/force", "", id, 2) == -EINVAL,
	      "there is no third way");
	check(target_op(WEIR_OP_BREAKER, "/guard/force", "", id + 1000,
			WEIR_FORCE_OPEN) == -ENOENT, "nor another target");
	all_end("/guard/force", c, s, "breaker, forced");
}

/* The watchdog takes a probe from a target that does nothing. */
static void breaker_moved(void)
{
	struct weir_route_conf conf = breaker_conf;
	struct weir *s, *c;
	struct outcome o;
	uint32_t route;
	uint64_t id;

	conf.breaker_probes = 1;
	need(!route_set("/guard/move", &conf), "route");
	s = server_of("/guard/move", 1, PLENTY, &id);
	c = caller("/guard/move", &route);
	fail_calls(c, s, route, 4);
	need(soon(target_now(id).breaker == WEIR_BREAKER_OPEN), "open");
	/* now the time of an open one is over soon, and somebody watches */
	conf.breaker_open_ns = 20 * MS;
	conf.probe_ns = 5 * MS;
	need(!route_set("/guard/move", &conf), "route");
	pass(25 * MS);
	ask_with(c, route, 1, 0, WEIR_REC_IDEMPOTENT);
	check(soon(target_now(id).state == WEIR_TARGET_EJECTED),
	      "a probe's target does nothing and is given up");
	o = next_outcome(c);
	note("the probe was answered: %s", weir_reason_name(o.fault.reason));
	drain(s);
	check(soon(target_now(id).state == WEIR_TARGET_UP), "it comes back");
	check(soon((ask(c, route, 2), drain(c),
		    serve_all(s, WEIR_KIND_REPLY) > 0)),
	      "the breaker lets a probe through again");
	all_end("/guard/move", c, s, "breaker, moved probe");
}

/* --- deadline --------------------------------------------------------------- */

static void deadline(void)
{
	struct weir_route_conf conf = {
		.timeout_ns = 50 * MS, .probe_ns = WEIR_PROBE_OFF,
	};
	struct weir_call call = { .tag = 2 };
	struct weir *s, *c, *d;
	uint32_t route, i;
	int64_t begun;
	bool told;

	need(!route_set("/guard/time", &conf), "route");
	s = handle(0, 4096);
	need(!weir_serve(s, "/guard/time", 1, NULL), "serve");
	c = caller("/guard/time", &route);
	begun = now_ns();
	ask(c, route, 1);
	refused_by(c, 1, WEIR_REASON_DEADLINE, WEIR_GUARD_DEADLINE,
		   "the route's deadline counts where there is no other");
	check(now_ns() - begun >= 50 * MS, "and not too early (%lld ms)",
	      (long long)((now_ns() - begun) / MS));
	/* the request's own counts, if it is longer, too */
	call.route = route;
	call.deadline_ns = (uint64_t)(now_ns() + 300 * MS);
	begun = now_ns();
	ask_for(c, &call, "x", 1);
	refused_by(c, 2, WEIR_REASON_DEADLINE, WEIR_GUARD_DEADLINE,
		   "a request's own deadline");
	check(now_ns() - begun >= 295 * MS, "goes before the route's (%lld ms)",
	      (long long)((now_ns() - begun) / MS));

	/* one that still waits for room */
	drain(s);
	d = handle(0, 0);
	i = route_of(d, "/guard/time");
	shower(d, i, 80);
	call.tag = 3;
	call.deadline_ns = (uint64_t)(now_ns() + 50 * MS);
	ask_for(c, &call, "x", 1);
	told = tap_poll_now(weir_fd(c), POLLIN) & POLLIN;
	check(!told || now_ns() >= (int64_t)call.deadline_ns,
	      "a request waits for room");
	refused_by(c, 3, WEIR_REASON_DEADLINE, WEIR_GUARD_DEADLINE,
		   "its deadline counts while it waits");
	need(!route_del("/guard/time"), "route");
	weir_close(c);
	weir_close(d);
	weir_close(s);
	check_routes_gone("deadline");
}

/*
 * A request for @route that names a deadline far away: its target is told one
 * that is @max_ns from now at most, and there its time ends.
 */
static void deadline_cut(struct weir *c, struct weir *s, uint32_t route,
			 uint64_t named, int64_t max_ns, const char *what)
{
	struct weir_call call = { .tag = 7, .route = route,
				  .deadline_ns = named };
	int64_t begun = now_ns(), told = 0;
	struct weir_msg msg;

	ask_for(c, &call, "x", 1);
	if (soon(weir_peek(s, &msg) == 1)) {
		told = (int64_t)weir_msg_deadline(&msg);
		weir_release(s, &msg);
	}
	check(told >= begun + max_ns && told <= now_ns() + max_ns,
	      "%s: its target is told when it ends (in %lld ms)", what,
	      (long long)((told - begun) / MS));
	refused_by(c, 7, WEIR_REASON_DEADLINE, WEIR_GUARD_DEADLINE,
		   "%s: it ends", what);
	check(now_ns() >= told, "%s: not before that", what);
}

/* A route allows deadlines of a certain length. */
static void deadline_max(void)
{
	struct weir_route_conf conf = {
		.timeout_ns = 20 * MS, .deadline_max_ns = 100 * MS,
		.probe_ns = WEIR_PROBE_OFF,
	};
	struct weir *s, *c;
	uint32_t route;

	need(!route_set("/guard/far", &conf), "route");
	s = server("/guard/far", 1);
	c = caller("/guard/far", &route);
	deadline_cut(c, s, route, UINT64_MAX, 100 * MS, "no deadline");
	deadline_cut(c, s, route, (uint64_t)(now_ns() + 48 * 3600 * SECOND),
		     100 * MS, "one in two days");
	deadline_cut(c, s, route, 1ULL << 63, 100 * MS, "one in 292 years");

	/* behind a route that allows more */
	route = route_of(c, "/guard/far/front");
	need(!target_op(WEIR_OP_TARGET_ADD, "/guard/far/front", "/guard/far", 0,
			1), "target");
	deadline_cut(c, s, route, UINT64_MAX, 100 * MS, "through another route");
	need(!target_op(WEIR_OP_TARGET_DEL, "/guard/far/front", "/guard/far", 0,
			0), "target");

	/* the longest deadline is that of a request that names none, too */
	conf.timeout_ns = 0;
	need(!route_set("/guard/far", &conf), "route");
	route = route_of(c, "/guard/far");
	ask(c, route, 8);
	refused_by(c, 8, WEIR_REASON_DEADLINE, WEIR_GUARD_DEADLINE,
		   "a route's own time is at most its longest deadline");
	conf.timeout_ns = 101 * MS;
	check(route_set("/guard/far", &conf) == -EINVAL,
	      "a timeout beyond the longest deadline is refused");
	conf.deadline_max_ns = 24 * 3600 * (uint64_t)SECOND + 1;
	check(route_set("/guard/far", &conf) == -EINVAL,
	      "and a longest deadline of more than a day");
	all_end("/guard/far", c, s, "longest deadline");
}

/* --- fallback --------------------------------------------------------------- */

/* What a guard of /guard/fb/a refuses goes to the target of /guard/fb/b. */
static void fallback_of_guards(struct weir *c, uint32_t route)
{
	struct weir_route_conf conf = {
		QUIET, .rate = 1, .burst = 1, .fallback = "/guard/fb/b",
	};
	struct weir *a, *b;

	need(!route_set("/guard/fb/a", &conf), "route");
	a = server("/guard/fb/a", 1);
	b = server("/guard/fb/b", 1);
	ask(c, route, 2);
	ask(c, route, 3);
	check(serve_one(a, WEIR_KIND_REPLY) && !serve_one(a, 0) &&
	      serve_one(b, WEIR_KIND_REPLY) && replied(c, 2) &&
	      replied(c, 3), "and what the bucket refuses");
	conf = (struct weir_route_conf){
		QUIET, .bulkhead = 1, .fallback = "/guard/fb/b",
	};
	need(!route_set("/guard/fb/a", &conf), "route");
	ask(c, route, 4);
	ask(c, route, 5);
	check(serve_one(b, WEIR_KIND_REPLY) && replied(c, 5) &&
	      serve_one(a, WEIR_KIND_REPLY) && replied(c, 4),
	      "and the bulkhead");
	weir_close(a);
	weir_close(b);
}

/* The fallback of /guard/fb/a, /guard/fb/b, gets one of its own. */
static void fallback_chain(struct weir *c, uint32_t route)
{
	struct weir_route_conf conf = { QUIET, .fallback = "/guard/fb/c" };
	struct weir_route_conf loop = { .fallback = "/guard/fb/a" };
	struct weir *s;

	need(!route_set("/guard/fb/b", &conf), "route");
	route_quiet("/guard/fb/c");
	s = server("/guard/fb/c", 1);
	ask(c, route, 6);
	check(serve_one(s, WEIR_KIND_REPLY) && replied(c, 6),
	      "a fallback may have one");
	check(route_set("/guard/fb/a", &loop) == -ELOOP,
	      "a path is no fallback of its own");
	check(route_set("/guard/fb/c", &loop) == -ELOOP,
	      "nor through others");
	check(target_op(WEIR_OP_TARGET_ADD, "/guard/fb/c", "/guard/fb/a", 0, 1) ==
	      -ELOOP, "nor as a target");
	ask(c, route, 7);
	check(serve_one(s, WEIR_KIND_REPLY) && replied(c, 7),
	      "what was refused has changed nothing");
	weir_close(s);
	ask(c, route, 8);
	refused_by(c, 8, WEIR_REASON_NO_TARGET, WEIR_GUARD_ROUTE,
		   "a chain that ends nowhere: no target");
}

/* Built from its head, a chain can become too long. */
static void fallback_too_long(struct weir *c)
{
	struct weir_route_conf conf;
	char path[32];
	uint32_t i;

	for (i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/guard/chain/%u", i);
		conf = (struct weir_route_conf){ 0 };
		snprintf(conf.fallback, sizeof(conf.fallback),
			 "/guard/chain/%u", i + 1);
		if (route_set(path, &conf))
			break;
	}
	ask(c, route_of(c, "/guard/chain/0"), 9);
	if (i == 8)
		refused_by(c, 9, WEIR_REASON_LOOP, WEIR_GUARD_ROUTE,
			   "a chain that is too long: loop");
	else
		check(drain(c) == 1, "a chain of %u is refused", i);
	while (i--) {
		snprintf(path, sizeof(path), "/guard/chain/%u", i);
		need(!route_del(path), "del");
	}
}

static void fallback_path(void)
{
	struct weir_route_conf conf = { QUIET, .fallback = "/guard/fb/b" };
	struct weir *s, *c;
	uint32_t route;

	need(!route_set("/guard/fb/a", &conf), "route");
	route_quiet("/guard/fb/b");
	s = server("/guard/fb/b", 1);
	c = caller("/guard/fb/a", &route);
	ask(c, route, 1);
	check(serve_one(s, WEIR_KIND_REPLY) && replied(c, 1),
	      "fallback: another path gets what nobody serves");
	check(route_now("/guard/fb/a").fallbacks == 1, "which is counted (%llu)",
	      (unsigned long long)route_now("/guard/fb/a").fallbacks);
	weir_close(s);

	fallback_of_guards(c, route);
	fallback_chain(c, route);
	fallback_too_long(c);
	need(!route_del("/guard/fb/a") && !route_del("/guard/fb/b") &&
	     !route_del("/guard/fb/c"), "del");
	weir_close(c);
	check_routes_gone("fallback");
}

/* Is the next answer, of this tag, the whole text? */
static bool canned(struct weir *c, const char *text, uint32_t tag)
{
	struct weir_msg msg;
	bool good;

	if (!soon(weir_peek(c, &msg) == 1))
		return false;
	good = msg.len == WEIR_FALLBACK_MAX && msg.rec->tag == tag &&
	       !memcmp(msg.data, text, WEIR_FALLBACK_MAX);
	weir_release(c, &msg);
	return good;
}

static void fallback_reply(void)
{
	static char text[WEIR_FALLBACK_MAX + 1];
	struct weir_route_conf conf = {
		QUIET, .fallback_len = 9,
		.fallback_reply = (uintptr_t)"come late",
	};
	uint32_t route, i, n = 0;
	struct weir *c, *s, *small;
	struct weir_msg msg;
	struct outcome o;

	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 3);
	need(!route_set("/guard/can", &conf), "route");
	c = caller("/guard/can", &route);
	ask_with(c, route, 5, 6, 0);
	msg = next_message(c, "the caller");
	check(msg.kind == WEIR_KIND_REPLY && msg.rec->flags & WEIR_REC_ROUTER,
	      "a reply that the route holds, marked as the router's");
	check(msg.len == 9 && !memcmp(msg.data, "come late", 9) &&
	      msg.rec->tag == 5 && msg.rec->key == 6 && msg.rec->route == route,
	      "with its payload, and the request's tag, key and handle");
	weir_release(c, &msg);
	shower(c, route, 3);
	check(drain(c) == 0, "one-way messages get none");
	check(route_now("/guard/can").conf.fallback_len == 9 &&
	      !route_now("/guard/can").conf.fallback_reply,
	      "the listing tells its length and no address");
	/* as long as may be, for many */
	conf.fallback_len = 4096;
	conf.fallback_reply = (uintptr_t)text;
	need(!route_set("/guard/can", &conf), "route");
	for (i = 0; i < 40; i++) {
		ask(c, route, i);
		while (n + 2 < i && canned(c, text, n))
			n++;
		if (n + 2 < i)
			break;
	}
	while (n < i && canned(c, text, n))
		n++;
	check(n == 40, "4096 bytes, for more than fit at once (%u of 40)", n);
	drain(c);
	small = handle(0, 4096);
	route = route_of(small, "/guard/can");
	ask(small, route, 3);
	o = next_outcome(small);
	check(o.kind == WEIR_KIND_ERROR &&
	      o.fault.reason == WEIR_REASON_TOO_LARGE,
	      "who can never hold it is told: too large (kind %u, %s)", o.kind,
	      weir_reason_name(o.fault.reason));
	weir_close(small);

	conf.fallback_len = 4097;
	check(route_set("/guard/can", &conf) == -EINVAL, "4097 bytes are too many");
	conf.fallback_len = 100;
	conf.fallback_reply = 8;
	check(route_set("/guard/can", &conf) == -EFAULT, "it must be readable");
	strcpy(conf.fallback, "/guard/other");
	check(route_set("/guard/can", &conf) == -EINVAL, "not a path as well");

	/* for what a target lost */
	s = server("/guard/can", 1);
	route = route_of(c, "/guard/can");
	ask_with(c, route, 8, 0, WEIR_REC_IDEMPOTENT);
	weir_close(s);
	o = next_outcome(c);
	check(o.kind == WEIR_KIND_REPLY && o.flags & WEIR_REC_ROUTER && o.tag == 8,
	      "an idempotent request that lost its target gets it, too (kind %u, %s)",
	      o.kind, weir_reason_name(o.fault.reason));
	need(!route_del("/guard/can"), "route");
	weir_close(c);
	check_routes_gone("fallback reply");
}

/*
 * Two messages of one batch: the route's first target, another route, refuses
 * the first one, which the second target takes. The second one is refused by
 * the route itself, which has no reply for it.
 */
static void fallback_of_another(void)
{
	struct weir_route_conf conf = {
		QUIET, .fallback_len = 5,
		.fallback_reply = (uintptr_t)"inner",
	};
	struct weir_call call;
	struct weir *c, *s;
	uint32_t route;

	need(!route_set("/guard/inner", &conf), "route");
	conf = (struct weir_route_conf){
		QUIET, .policy = WEIR_POLICY_PRIMARY, .rate = 1, .burst = 1,
	};
	need(!route_set("/guard/outer", &conf), "route");
	need(!target_op(WEIR_OP_TARGET_ADD, "/guard/outer", "/guard/inner", 0,
			2), "target");
	s = server("/guard/outer", 1);
	c = caller("/guard/outer", &route);
	for (call = (struct weir_call){ .route = route, .tag = 1 };
	     call.tag <= 2; call.tag++)
		need(!request(c, &call, "x", 1), "request");
	weir_flush(c);
	refused_by(c, 2, WEIR_REASON_RATE, WEIR_GUARD_BUCKET,
		   "a message is not answered with what a route had for another");
	check(serve_one(s, WEIR_KIND_REPLY) && replied(c, 1) && !drain(c),
	      "and that one has been sent");
	weir_close(s);
	weir_close(c);
	need(!target_op(WEIR_OP_TARGET_DEL, "/guard/outer", "/guard/inner", 0,
			0), "target");
	need(!route_del("/guard/outer") && !route_del("/guard/inner"), "del");
	check_routes_gone("fallback of another");
}

/* --- retry ------------------------------------------------------------------ */

/* The route's target answers each attempt with an error. */
static void retry_to_the_end(struct weir *c, struct weir *s, uint32_t route)
{
	const int64_t least[] = { 0, 4 * MS, 8 * MS, 8 * MS };
	int64_t last = now_ns();
	uint32_t n, early = 0;
	struct weir_msg msg;

	ask_with(c, route, 1, 0, WEIR_REC_IDEMPOTENT);
	for (n = 0; n < 4; n++) {
		int64_t begun = 0;

		/* a pause begins no sooner than the look that ends an attempt */
		if (!soon((begun = now_ns(), serve_one(s, WEIR_KIND_ERROR))))
			break;
		early += now_ns() - last < least[n];
		last = begun;
	}
	check(n == 4, "retry: 1 and 3 more attempts of an idempotent request (%u)", n);
	check(!early, "each after at least half its pause (%u early)", early);
	msg = next_message(c, "the caller");
	check(msg.kind == WEIR_KIND_ERROR && !(msg.rec->flags & WEIR_REC_ROUTER) &&
	      msg.rec->tag == 1 && msg.len == 8 && !memcmp(msg.data, (uint32_t[]){ 1 }, 4),
	      "then the target's error");
	weir_release(c, &msg);
	check(drain(c) == 0, "once");
	check(!tap_within(500, drain(s) > 0), "and no attempt after it");
	check(route_now("/guard/retry").retries == 3, "3 are counted");
}

static void retry_until_good(struct weir *c, struct weir *s, uint32_t route)
{
	ask(c, route, 2);
	need(serve_one(s, WEIR_KIND_ERROR), "an error");
	check(next_outcome(c).kind == WEIR_KIND_ERROR &&
	      !tap_within(60, drain(s) > 0), "others are sent once");

	ask_with(c, route, 3, 0, WEIR_REC_IDEMPOTENT);
	need(serve_one(s, WEIR_KIND_ERROR), "an error");
	check(drain(c) == 0, "nobody is told in between");
	check(soon(serve_one(s, WEIR_KIND_REPLY)) && replied(c, 3) &&
	      !drain(c), "a good one ends it");
}

static void retry_to_the_deadline(struct weir *c, struct weir *s,
				  uint32_t route, uint64_t id)
{
	struct weir_call call = {
		.route = route, .flags = WEIR_REC_IDEMPOTENT, .tag = 9,
		.deadline_ns = (uint64_t)(now_ns() + 3 * MS),
	};

	ask_for(c, &call, "x", 1);
	if (serve_one(s, WEIR_KIND_ERROR))
		check(next_outcome(c).kind == WEIR_KIND_ERROR,
		      "no attempt that would come after the deadline");
	else
		note("the deadline was over first");
	check(soon(target_now(id).in_flight == 0), "nothing is left in flight");
	drain(c);
	drain(s);
}

/* Many at once, each as often. */
static void retry_many(struct weir *c, struct weir *s, uint32_t route)
{
	uint32_t n;

	for (n = 0; n < 100; n++) {
		struct weir_call call = {
			.route = route, .tag = n, .flags = WEIR_REC_IDEMPOTENT,
		};

		need(!request(c, &call, "many", 4), "request");
	}
	weir_flush(c);
	n = 0;
	soon((n += serve_all(s, WEIR_KIND_ERROR)) == 400);
	check(n == 400 && !tap_within(60, serve_one(s, WEIR_KIND_ERROR)),
	      "100 at once: 4 attempts each (%u)", n);
	n = (uint32_t)drain(c);
	check(n == 100, "and 100 errors (%u)", n);
}

/* A request waits to be sent again when its route goes. */
static void retry_without_route(void)
{
	static const struct weir_route_conf conf = {
		.timeout_ns = 600 * SECOND, .probe_ns = WEIR_PROBE_OFF,
		.retries = 1, .retry_base_ns = SECOND / 2,
		.retry_max_ns = SECOND / 2,
	};
	struct weir *s, *c;
	char line[1024];
	uint32_t route;
	int lines = 0;
	FILE *f;

	if (tap_trace("weir/weir_refuse", 1)) {
		tap_skip("a route that goes in the trace", "no trace events");
		return;
	}
	need(!tap_trace_begin(), "tracing is off");
	need(!route_set("/guard/gone/again", &conf), "route");
	s = server("/guard/gone/again", 1);
	c = caller("/guard/gone/again", &route);
	ask_with(c, route, 5, 0, WEIR_REC_IDEMPOTENT);
	need(soon(serve_one(s, WEIR_KIND_ERROR)), "an error");
	need(!route_del("/guard/gone/again"), "route");
	weir_close(s);
	refused_by(c, 5, WEIR_REASON_NO_ROUTE, WEIR_GUARD_ROUTE,
		   "its route goes while a request waits to be sent again");
	tap_trace("weir/weir_refuse", 0);
	f = fopen(TAP_TRACING "trace", "r");
	while (f && fgets(line, sizeof(line), f))
		lines += !!strstr(line, "weir_refuse: /guard/gone/again ");
	if (f)
		fclose(f);
	check(lines == 1, "and the trace shows it once (%d)", lines);
	weir_close(c);
	check_routes_gone("retry without a route");
}

static void retry(void)
{
	struct weir_route_conf conf = {
		QUIET,
		.retries = 3, .retry_base_ns = 8 * MS, .retry_max_ns = 16 * MS,
	};
	struct weir *s, *c;
	uint32_t route;
	uint64_t id;

	need(!route_set("/guard/retry", &conf), "route");
	s = server_of("/guard/retry", 1, 0, &id);
	c = caller("/guard/retry", &route);
	retry_to_the_end(c, s, route);
	retry_until_good(c, s, route);
	retry_to_the_deadline(c, s, route, id);
	retry_many(c, s, route);
	conf.retries = 17;
	check(route_set("/guard/retry", &conf) == -EINVAL, "17 retries are too many");
	conf = (struct weir_route_conf){ .retries = 1 };
	check(route_set("/guard/retry", &conf) == -EINVAL, "they need a pause");
	all_end("/guard/retry", c, s, "retry");
}

/* --- mirror ----------------------------------------------------------------- */

static void mirror(void)
{
	struct weir_route_conf conf = {
		QUIET, .mirror_permille = 200, .mirror = "/guard/shadow",
	};
	uint32_t route, i, copies = 0, wanted = 0, n = 2000;
	struct weir *s, *c, *m;
	struct weir_msg msg;
	bool all = true;

	need(!route_set("/guard/mir", &conf), "route");
	s = server("/guard/mir", 1);
	m = server("/guard/shadow", 1);
	c = caller("/guard/mir", &route);
	for (i = 0; i < n; i++) {
		ask(c, route, i);
		all &= serve_one(s, WEIR_KIND_REPLY) && replied(c, i);
		while (weir_peek(m, &msg) == 1) {
			struct weir_ticket t = weir_ticket(&msg);

			wanted += weir_ticket_wanted(&t);
			copies += msg.len == 8;
			weir_release(m, &msg);
		}
	}
	/* 400, deviation 17.9: five of them */
	check(copies > 310 && copies < 490,
	      "mirror: 200 permille of 2000 requests (%u)", copies);
	check(!wanted, "no copy wants an answer (%u)", wanted);
	check(all && !drain(c), "every request is answered by its target alone");
	check(route_now("/guard/mir").mirrored == copies,
	      "the route counts its copies (%llu)",
	      (unsigned long long)route_now("/guard/mir").mirrored);
	conf.mirror_permille = 1000;
	need(!route_set("/guard/mir", &conf), "route");
	for (i = 0; i < 400; i++) {
		ask(c, route, i);
		if (!serve_one(s, WEIR_KIND_REPLY) || !replied(c, i))
			break;
	}
	check(i == 400, "a shadow that does not read harms nobody (%u)", i);
	copies = (uint32_t)drain(m);
	check(copies == 256, "it got what its inbox holds (%u)", copies);
	weir_close(m);
	ask(c, route, i);
	check(serve_one(s, WEIR_KIND_REPLY) && replied(c, i),
	      "nor does one that is gone");
	conf.mirror_permille = 1001;
	check(route_set("/guard/mir", &conf) == -EINVAL, "1001 permille are too many");
	conf.mirror_permille = 0;
	check(route_set("/guard/mir", &conf) == -EINVAL, "0 are no mirror");
	conf.mirror_permille = 1;
	strcpy(conf.mirror, "/guard/mir");
	check(route_set("/guard/mir", &conf) == -ELOOP, "nor is the route itself");
	all_end("/guard/mir", c, s, "mirror");
}

/* --- a full inbox ----------------------------------------------------------- */

static void full_inbox(void)
{
	struct weir *a = handle(0, 4096), *b = handle(0, 4096);
	struct weir *c = handle(4096, 0), *d = handle(4096, 0);
	uint32_t ra, rb, da, i, n = 0, wrong = 0, next = 1000;
	struct weir_call call = { .tag = 1000 };
	struct weir_msg msg;
	uint64_t lost;

	route_quiet("/guard/full/a");
	route_quiet("/guard/full/b");
	need(!weir_serve(a, "/guard/full/a", 1, NULL) &&
	     !weir_serve(b, "/guard/full/b", 1, NULL), "serve");
	ra = route_of(c, "/guard/full/a");
	da = route_of(d, "/guard/full/a");
	rb = route_of(d, "/guard/full/b");
	shower(d, da, 64);
	lost = route_now("/guard/full/a").refused[WEIR_REASON_INBOX_FULL];
	ask_with(c, ra, 1, 0, WEIR_REC_REFUSE);
	refused_by(c, 1, WEIR_REASON_INBOX_FULL, WEIR_GUARD_INBOX,
		   "a full inbox refuses, if that is wanted");
	ask_with(c, ra, 2, 0, WEIR_REC_DROP);
	check(!drain(c), "or drops, without an answer");
	check(route_now("/guard/full/a").refused[WEIR_REASON_INBOX_FULL] ==
	      lost + 2, "both are counted");

	/* the others wait, until the outbox is full */
	call.route = ra;
	while (!request(c, &call, &call.tag, 4)) {
		weir_flush(c);
		call.tag++;
		n++;
	}
	check(n >= 62 && n <= 64, "the others wait in the outbox (%u)", n);
	check(!(tap_poll_now(weir_fd(c), POLLOUT) & POLLOUT),
	      "POLLOUT goes away");
	check(!drain(c), "they are not answered");
	for (i = 0; i < 200; i++) {
		ask(d, rb, i);
		if (!serve_one(b, WEIR_KIND_REPLY) || !replied(d, i))
			break;
	}
	check(i == 200, "another sender is not held back (%u of 200)", i);
	check(tap_poll_now(weir_fd(d), POLLOUT) & POLLOUT, "and can write");

	/* no more than reading is needed to go on */
	for (i = 0; i < 64 + n && soon(weir_peek(a, &msg) == 1); i++) {
		if (i >= 64) {
			uint32_t tag;

			memcpy(&tag, msg.data, 4);
			wrong += tag != next++;
		}
		weir_release(a, &msg);
	}
	check(i == 64 + n && !wrong,
	      "when the target reads they come by themselves, in order (%u, %u wrong)",
	      i - 64, wrong);
	check(soon(tap_poll_now(weir_fd(c), POLLOUT) & POLLOUT),
	      "POLLOUT comes back");
	need(!route_del("/guard/full/a") && !route_del("/guard/full/b"), "del");
	weir_close(a);
	weir_close(b);
	weir_close(c);
	weir_close(d);
	check_routes_gone("full inbox");
}

/* A caller that waits for a target that goes is told, or gets another. */
static void full_and_gone(void)
{
	struct weir_route_conf conf = { QUIET, .policy = WEIR_POLICY_PRIMARY };
	struct weir *a, *b, *c, *d;
	uint32_t route, fill;
	uint64_t id;

	need(!route_set("/guard/gone", &conf), "route");
	a = server_of("/guard/gone", 2, 4096, &id);
	c = caller("/guard/gone", &route);
	d = caller("/guard/gone", &fill);
	shower(d, fill, 70);
	ask(c, route, 1);
	b = server("/guard/gone", 1);
	check(!drain(b) && !drain(c), "primary: a request waits for its target");
	weir_close(a);
	check(soon(serve_one(b, WEIR_KIND_REPLY)) && replied(c, 1),
	      "when that one goes it gets the next");
	weir_close(b);

	/* the watchdog gives up one that is full of one-way messages */
	conf.probe_ns = 10 * MS;
	need(!route_set("/guard/gone", &conf), "route");
	a = server_of("/guard/gone", 2, 4096, &id);
	b = server("/guard/gone", 1);
	shower(d, fill, 70);
	ask(c, route, 2);
	check(soon(serve_one(b, WEIR_KIND_REPLY)) && replied(c, 2),
	      "a full target that does nothing is given up");
	need(!route_del("/guard/gone"), "route");
	weir_close(a);
	weir_close(b);
	weir_close(c);
	weir_close(d);
	check_routes_gone("full and gone");
}

/* Waiting costs no time of a CPU. */
static void check_idle(const char *what)
{
	double share = 0;

	/* what was going on may end first */
	check(soon((share = busy_share(400 * MS)) < 60), "%s: nothing spins (%.0f%% of a CPU)", what, share);
}

/* A target that waits for answers itself. */
static void idle_beside_answers(void)
{
	struct weir *a, *b, *c;
	uint32_t route, own, i;
	uint64_t id_b;

	need(!route_set("/guard/idle/a", &quiet) &&
	     !route_set("/guard/idle/b", &quiet), "route");
	a = handle(0, 4096);
	need(!weir_serve(a, "/guard/idle/a", 1, NULL), "serve");
	b = server_of("/guard/idle/b", 1, PLENTY, &id_b);
	own = route_of(a, "/guard/idle/b");
	for (i = 0; i < 60; i++)
		ask(a, own, i);
	need(target_now(id_b).in_flight == 60, "60 calls of a target");
	c = caller("/guard/idle/a", &route);
	for (i = 0; i < 10; i++)
		ask(c, route, i);
	check_idle("a target that keeps room for answers is full");
	for (i = 0; i < 10 && soon(serve_one(a, WEIR_KIND_REPLY)); i++)
		;
	check(i == 10, "and all requests came (%u of 10)", i);
	weir_close(a);
	weir_close(b);
	weir_close(c);
	need(!route_del("/guard/idle/a") && !route_del("/guard/idle/b"), "del");
}

/* One target is full, the other's breaker is open. */
static void idle_beside_breaker(void)
{
	struct weir *a, *b, *c;
	uint32_t route, i, n;
	uint64_t id_b;

	need(!route_set("/guard/idle/a", &quiet), "route");
	a = handle(0, 4096);
	need(!weir_serve(a, "/guard/idle/a", 1, NULL), "serve");
	c = caller("/guard/idle/a", &route);
	shower(c, route, 70);
	b = server_of("/guard/idle/a", 1, PLENTY, &id_b);
	need(!target_op(WEIR_OP_BREAKER, "/guard/idle/a", "", id_b,
			WEIR_FORCE_OPEN), "force");
	for (i = 0; i < 4; i++)
		ask(c, route, i);
	check_idle("one target full, the other open");
	/* what fills it, and not the requests that come in behind */
	for (i = 0; i < 4096 / 64; i++) {
		struct weir_msg msg = next_message(a, "the full target");

		weir_release(a, &msg);
	}
	for (i = 0; i < 4 && soon(serve_one(a, WEIR_KIND_REPLY)); i++)
		;
	n = (uint32_t)drain(c);
	check(n == 4, "and all requests were answered (%u of 4)", n);
	weir_close(a);
	weir_close(b);
	weir_close(c);
	need(!route_del("/guard/idle/a"), "del");
}

/* As many calls to several as there are slots. */
static void idle_without_slots(void)
{
	struct weir_route_conf conf = { QUIET, .policy = WEIR_POLICY_ALL };
	uint32_t route, i, n = 0, k = 0;
	struct weir *c, *t[3];

	need(!route_set("/guard/idle/a", &conf), "route");
	for (i = 0; i < 3; i++)
		t[i] = server_of("/guard/idle/a", 1, PLENTY, NULL);
	c = handle(0, 4096);
	route = route_of(c, "/guard/idle/a");
	for (i = 0; i < 18; i++)
		ask(c, route, i);
	check_idle("no slot for another call to all");
	soon(({
		for (i = 0; i < 3; i++)
			k += serve_all(t[i], WEIR_KIND_REPLY);
		n += (uint32_t)drain(c);
		n >= 54;
	}));
	check(n == 54, "and all were answered by all (%u of 54, %u requests)", n, k);
	for (i = 0; i < 3; i++)
		weir_close(t[i]);
	weir_close(c);
	need(!route_del("/guard/idle/a"), "del");
}

static void waits_idle(void)
{
	idle_beside_answers();
	idle_beside_breaker();
	idle_without_slots();
	check_routes_gone("waiting");
}

int main(void)
{
	struct counters before;

	hard_begin();
	before = counters();
	part(bucket);
	part(bucket_waiting);
	part(bulkhead);
	part(breaker_errors);
	part(breaker_max_open);
	part(breaker_switched);
	part(breaker_slow);
	part(breaker_expired);
	part(breaker_forced);
	part(breaker_moved);
	part(deadline);
	part(deadline_max);
	part(fallback_path);
	part(fallback_reply);
	part(fallback_of_another);
	part(retry);
	part(retry_without_route);
	part(mirror);
	part(full_inbox);
	part(full_and_gone);
	part(waits_idle);
	check_counters(&before);
	check_kernel();
	return tap_done();
}
