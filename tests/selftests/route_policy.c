// SPDX-License-Identifier: GPL-2.0
/*
 * Policies: which target gets a request, that shares and shards are what they
 * should be and change live, calls to several, routes behind routes; control
 * calls that are done whole or not at all, who may make them, and listing.
 */
#include "routed.h"

/* Which of some targets has got one; answered. n: none. */
static uint32_t who_got(struct weir **s, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (serve_one(s[i], WEIR_KIND_REPLY))
			break;
	}
	return i;
}

static struct weir_route_conf policy(uint32_t which)
{
	struct weir_route_conf conf = quiet;

	conf.policy = which;
	return conf;
}

static void set(const char *path, struct weir_route_conf conf)
{
	need(!route_set(path, &conf), "route_set %s", path);
}

/* --- one of them ------------------------------------------------------------ */

static void any(void)
{
	uint32_t route, i, n = 0, bad = 0;
	uint64_t id[3];
	struct weir *s[3], *c;

	set("/pol/any", policy(WEIR_POLICY_ANY));
	for (i = 0; i < 3; i++)
		s[i] = server_of("/pol/any", 1 + 1000 * i, PLENTY, &id[i]);
	c = handle(PLENTY, PLENTY);
	route = route_of(c, "/pol/any");
	for (i = 0; i < 300; i++)
		ask(c, route, i);
	for (i = 0; i < 3; i++) {
		n += target_now(id[i]).in_flight;
		bad += target_now(id[i]).in_flight < 90 ||
		       target_now(id[i]).in_flight > 110;
	}
	check(n == 300 && !bad, "any: what is in flight is spread evenly (%u, %u, %u)",
	      target_now(id[0]).in_flight, target_now(id[1]).in_flight,
	      target_now(id[2]).in_flight);
	/* the first answers, the others do not */
	serve_all(s[0], WEIR_KIND_REPLY);
	for (i = 0; i < 150; i++) {
		ask(c, route, i);
		serve_all(s[0], WEIR_KIND_REPLY);
	}
	check(target_now(id[0]).requests > 180,
	      "who has less to do gets more (%llu)",
	      (unsigned long long)target_now(id[0]).requests);
	weir_close(c);
	for (i = 0; i < 3; i++)
		weir_close(s[i]);
	need(!route_del("/pol/any"), "del");
	check_routes_gone("any");
}

static void weighted(void)
{
	const uint32_t weights[] = { 1, 2, 5 };
	uint32_t route, i, n = 4000, got[4] = { 0 };
	uint64_t id[3];
	struct weir *s[3], *c;

	set("/pol/w", policy(WEIR_POLICY_WEIGHTED));
	for (i = 0; i < 3; i++)
		s[i] = server_of("/pol/w", weights[i], 0, &id[i]);
	c = caller("/pol/w", &route);
	for (i = 0; i < n; i++) {
		ask(c, route, i);
		got[who_got(s, 3)]++;
		drain(c);
	}
	/* five deviations of a binomial distribution */
	check(got[0] > 395 && got[0] < 605 && got[1] > 863 && got[1] < 1137 &&
	      got[2] > 2347 && got[2] < 2653 && !got[3],
	      "weighted: shares of 1, 2 and 5 in 8 of %u (%u, %u, %u, %u lost)",
	      n, got[0], got[1], got[2], got[3]);
	need(!target_op(WEIR_OP_TARGET_SET, "/pol/w", "", id[2], 0), "set");
	memset(got, 0, sizeof(got));
	for (i = 0; i < 1200; i++) {
		ask(c, route, i);
		got[who_got(s, 3)]++;
		drain(c);
	}
	check(!got[2] && !got[3] && got[0] > 318 && got[0] < 482,
	      "weight 0 takes none, the others share (%u, %u, %u)", got[0],
	      got[1], got[2]);
	need(!target_op(WEIR_OP_TARGET_SET, "/pol/w", "", id[0], 0) &&
	     !target_op(WEIR_OP_TARGET_SET, "/pol/w", "", id[1], 0), "set");
	ask(c, route, 7);
	refused_by(c, 7, WEIR_REASON_NO_TARGET, WEIR_GUARD_ROUTE,
		   "nobody with a weight: no target");
	check(target_op(WEIR_OP_TARGET_SET, "/pol/w", "", id[0], 1000001) ==
	      -EINVAL, "1000001 is too much");
	need(!target_op(WEIR_OP_TARGET_SET, "/pol/w", "", id[0], 1000000), "set");
	ask(c, route, 8);
	check(who_got(s, 3) == 0 && replied(c, 8), "1000000 is not");
	check(target_now(id[0]).weight == 1000000, "as the listing says");
	for (i = 0; i < 3; i++)
		weir_close(s[i]);
	weir_close(c);
	need(!route_del("/pol/w"), "del");
	check_routes_gone("weighted");
}

#define KEYS	2000

static void map_keys(struct weir *c, uint32_t route, struct weir **s, uint32_t n,
		     uint8_t *owner)
{
	uint32_t key;

	for (key = 0; key < KEYS; key++) {
		ask_with(c, route, key, key * 2654435761U, 0);
		owner[key] = (uint8_t)who_got(s, n);
		drain(c);
	}
}

static void shard(void)
{
	static uint8_t was[KEYS], is[KEYS];
	uint32_t route, i, moved, wrong, share[6] = { 0 };
	uint64_t id[5];
	struct weir *s[5], *c;

	set("/pol/s", policy(WEIR_POLICY_SHARD));
	for (i = 0; i < 4; i++)
		s[i] = server_of("/pol/s", 1, 0, &id[i]);
	c = caller("/pol/s", &route);
	map_keys(c, route, s, 4, was);
	map_keys(c, route, s, 4, is);
	check(!memcmp(was, is, sizeof(is)), "shard: the same key, the same target");
	for (i = 0; i < KEYS; i++)
		share[was[i]]++;
	check(share[0] > 350 && share[1] > 350 && share[2] > 350 &&
	      share[3] > 350 && !share[4],
	      "keys are spread (%u, %u, %u, %u of %u)", share[0], share[1],
	      share[2], share[3], KEYS);

	s[4] = server_of("/pol/s", 1, 0, &id[4]);
	map_keys(c, route, s, 5, is);
	for (i = 0, moved = 0, wrong = 0; i < KEYS; i++) {
		moved += is[i] != was[i];
		wrong += is[i] != was[i] && is[i] != 4;
	}
	/* 400 of 2000; the table's buckets make it uneven */
	check(!wrong && moved > 250 && moved < 550,
	      "a target that joins takes its keys and no other moves (%u moved, %u wrong)",
	      moved, wrong);
	memcpy(was, is, sizeof(is));

	/* not picked for a while, and back */
	need(!target_op(WEIR_OP_BREAKER, "/pol/s", "", id[1], WEIR_FORCE_OPEN),
	     "force");
	map_keys(c, route, s, 5, is);
	for (i = 0, wrong = 0; i < KEYS; i++)
		wrong += was[i] == 1 ? is[i] == 1 || is[i] == 5 : is[i] != was[i];
	check(!wrong, "a target whose breaker is open loses its keys for now (%u wrong)",
	      wrong);
	need(!target_op(WEIR_OP_BREAKER, "/pol/s", "", id[1], WEIR_FORCE_AUTO),
	     "auto");
	map_keys(c, route, s, 5, is);
	check(!memcmp(was, is, sizeof(is)), "and gets them back");
	need(!target_op(WEIR_OP_TARGET_SET, "/pol/s", "", id[2], 0), "set");
	map_keys(c, route, s, 5, is);
	for (i = 0, wrong = 0; i < KEYS; i++)
		wrong += was[i] == 2 ? is[i] == 2 || is[i] == 5 : is[i] != was[i];
	check(!wrong, "so does one of weight 0 (%u wrong)", wrong);
	need(!target_op(WEIR_OP_TARGET_SET, "/pol/s", "", id[2], 7), "set");
	map_keys(c, route, s, 5, is);
	check(!memcmp(was, is, sizeof(is)), "until it has one");

	weir_close(s[0]);
	s[0] = s[4];
	map_keys(c, route, s, 4, is);
	for (i = 0, wrong = 0; i < KEYS; i++) {
		uint8_t now = is[i] == 0 ? 4 : is[i];

		wrong += is[i] == 4 || (was[i] && now != was[i]);
	}
	check(!wrong, "a target that leaves gives its keys away, and no other moves (%u wrong)",
	      wrong);
	for (i = 0; i < 4; i++)
		weir_close(s[i]);
	weir_close(c);
	need(!route_del("/pol/s"), "del");
	check_routes_gone("shard");
}

static uint32_t who(struct weir *c, uint32_t route, struct weir **s, uint32_t n)
{
	uint32_t i;

	ask(c, route, 1);
	i = who_got(s, n);
	drain(c);
	return i;
}

static void primary(void)
{
	struct weir *s[4], *c;
	uint32_t route, i, n;
	uint64_t id[4];

	set("/pol/p", policy(WEIR_POLICY_PRIMARY));
	s[0] = server_of("/pol/p", 2, 0, &id[0]);
	s[1] = server_of("/pol/p", 3, 0, &id[1]);
	s[2] = server_of("/pol/p", 3, 0, &id[2]);
	c = caller("/pol/p", &route);
	for (i = 0, n = 0; i < 50; i++)
		n += who(c, route, s, 3) == 1;
	check(n == 50, "primary: the heaviest, of equals the oldest, has all (%u of 50)", n);
	need(!target_op(WEIR_OP_BREAKER, "/pol/p", "", id[1], WEIR_FORCE_OPEN),
	     "force");
	check(who(c, route, s, 3) == 2, "when its breaker opens the next one has");
	need(!target_op(WEIR_OP_BREAKER, "/pol/p", "", id[2], WEIR_FORCE_OPEN),
	     "force");
	check(who(c, route, s, 3) == 0, "and the next");
	need(!target_op(WEIR_OP_BREAKER, "/pol/p", "", id[1], WEIR_FORCE_AUTO),
	     "auto");
	check(who(c, route, s, 3) == 1, "and it comes back");
	weir_close(s[1]);
	s[1] = s[2];
	check(who(c, route, s, 2) == 0, "it goes: the next one that may");
	s[3] = server_of("/pol/p", 9, 0, &id[3]);
	s[1] = s[3];
	check(who(c, route, s, 2) == 1, "a heavier one takes over when it comes");
	need(!target_op(WEIR_OP_TARGET_SET, "/pol/p", "", id[0], 10), "set");
	check(who(c, route, s, 2) == 0, "or becomes so");
	weir_close(s[0]);
	weir_close(s[2]);
	weir_close(s[3]);
	weir_close(c);
	need(!route_del("/pol/p"), "del");
	check_routes_gone("primary");
}

/* --- several ---------------------------------------------------------------- */

/*
 * Asks several targets, of which one answers in time and the others are to be
 * late: with a short time, and with a longer one if that is not enough. Seven
 * parameters: both sides of the route, and how it is set.
 */
static void ask_late(const char *path, struct weir_route_conf conf,
		     struct weir *c, uint32_t route, uint32_t tag,
		     struct weir **s, uint32_t n)
{
	int64_t ms, begun;
	uint32_t i;

	for (ms = 100; ms < HARD_DEADLINE_MS; ms *= 4) {
		conf.timeout_ns = (uint64_t)(ms * MS);
		set(path, conf);
		begun = now_ns();
		ask(c, route, tag);
		if (serve_one(s[0], WEIR_KIND_REPLY) &&
		    now_ns() - begun < ms * MS)
			return;
		note("%lld ms are too little", (long long)ms);
		need(soon(!in_flight_count()), "the call is over");
		drain(c);
		for (i = 0; i < n; i++)
			drain(s[i]);
	}
	need(false, "a target answers in time");
}

static void all(void)
{
	struct weir_route_conf conf = policy(WEIR_POLICY_ALL);
	uint32_t route, i, n, more;
	struct weir *s[3], *c;
	struct outcome o;
	uint64_t id[3];

	set("/pol/all", conf);
	c = caller("/pol/all", &route);
	ask(c, route, 1);
	refused_by(c, 1, WEIR_REASON_NO_TARGET, WEIR_GUARD_ROUTE,
		   "all of none: no target");
	for (i = 0; i < 3; i++)
		s[i] = server_of("/pol/all", 1, 0, &id[i]);
	for (i = 0, n = 0, more = 0; i < 20; i++) {
		uint32_t k;

		ask(c, route, i);
		for (k = 0; k < 3; k++) {
			need(serve_one(s[(i + k) % 3], k == 1 && i & 1 ?
				       WEIR_KIND_ERROR : WEIR_KIND_REPLY),
			     "each has got it");
			o = next_outcome(c);
			n += o.tag == i && o.kind == (k == 1 && i & 1 ?
				WEIR_KIND_ERROR : WEIR_KIND_REPLY);
			more += !!(o.flags & WEIR_REC_MORE) == (k < 2);
		}
	}
	check(n == 60, "all: each answers, with a reply or an error (%u of 60)", n);
	check(more == 60, "all but the last say that more will come (%u of 60)", more);
	ask_late("/pol/all", conf, c, route, 50, s, 3);
	o = next_outcome(c);
	check(o.kind == WEIR_KIND_REPLY && o.flags & WEIR_REC_MORE, "one answers");
	refused_by(c, 50, WEIR_REASON_DEADLINE, WEIR_GUARD_DEADLINE,
		   "the second does not in time");
	o = next_outcome(c);
	check(o.fault.reason == WEIR_REASON_DEADLINE && !(o.flags & WEIR_REC_MORE),
	      "nor does the last");
	check(!drain(c) && !drain(s[1]) && !drain(s[2]), "that is all");

	set("/pol/all", conf);
	ask(c, route, 51);
	weir_close(s[0]);
	o = next_outcome(c);
	check(o.kind == WEIR_KIND_ERROR && o.flags & WEIR_REC_MORE &&
	      o.fault.reason == WEIR_REASON_TARGET_DIED &&
	      o.fault.target == id[0], "one dies: told, and more will come");
	need(serve_one(s[1], WEIR_KIND_REPLY), "second");
	o = next_outcome(c);
	check(o.kind == WEIR_KIND_REPLY && o.flags & WEIR_REC_MORE, "the second answers");
	weir_close(s[2]);
	o = next_outcome(c);
	check(o.kind == WEIR_KIND_ERROR && !(o.flags & WEIR_REC_MORE) &&
	      o.fault.reason == WEIR_REASON_TARGET_DIED,
	      "the last dies: it is told so (%s)",
	      weir_reason_name(o.fault.reason));
	ask(c, route, 52);
	check(serve_one(s[1], WEIR_KIND_REPLY), "the one that is left gets the next");
	o = next_outcome(c);
	check(o.tag == 52 && o.kind == WEIR_KIND_REPLY &&
	      !(o.flags & WEIR_REC_MORE), "and is the last");
	ask(c, route, 53);
	weir_close(c);
	check(target_now(id[1]).in_flight == 0, "a caller that goes leaves nothing");
	weir_close(s[1]);
	need(!route_del("/pol/all"), "del");
	check_routes_gone("all");
}

/* To 200 targets at once, over and over. */
static void all_of_many(void)
{
	static struct weir *s[200];
	uint32_t route, i, k, n = 0, last = 0;
	struct weir *c;
	struct outcome o;

	set("/pol/fan", policy(WEIR_POLICY_ALL));
	for (i = 0; i < 200; i++)
		s[i] = server_of("/pol/fan", 1, 4096, NULL);
	c = handle(0, 0);
	route = route_of(c, "/pol/fan");
	for (k = 0; k < 5; k++) {
		ask(c, route, k);
		for (i = 0; i < 200; i++)
			need(soon(serve_one(s[i], WEIR_KIND_REPLY)),
			     "%u has it", i);
		while (soon(outcome_now(c, &o)) && o.kind == WEIR_KIND_REPLY) {
			n++;
			if (!(o.flags & WEIR_REC_MORE)) {
				last++;
				break;
			}
		}
	}
	check(n == 1000 && last == 5, "200 targets answer, five times (%u, %u)", n, last);
	for (i = 0; i < 200; i++)
		weir_close(s[i]);
	weir_close(c);
	need(!route_del("/pol/fan"), "del");
	check_routes_gone("all of many");
}

/* Two of three: what the third says changes nothing. */
static void quorum_of_two(struct weir *c, uint32_t route, struct weir **s,
			  const uint64_t *id)
{
	struct weir_ticket t;
	struct outcome o;

	ask(c, route, 1);
	need(serve_one(s[2], WEIR_KIND_REPLY), "first");
	check(!drain(c), "quorum: one of 2 is not enough");
	need(serve_one(s[0], WEIR_KIND_REPLY), "second");
	o = next_outcome(c);
	check(o.kind == WEIR_KIND_REPLY && o.tag == 1 && !(o.flags & WEIR_REC_MORE),
	      "two are, and the caller gets one answer");
	check(!drain(s[1]), "who has not read it by then need not");
	check(!drain(c), "once");

	/* it has read it: its answer is late */
	ask(c, route, 2);
	t = next_ticket(s[1], "the third");
	need(serve_one(s[0], WEIR_KIND_REPLY) &&
	     serve_one(s[2], WEIR_KIND_REPLY), "two");
	check(replied(c, 2), "k have answered");
	need(!weir_reply(s[1], &t, "late", 4, SECOND), "late");
	check(!drain(c), "a late answer is dropped");
	check(!target_now(id[0]).in_flight && !target_now(id[1]).in_flight &&
	      !target_now(id[2]).in_flight, "nothing is left in flight");

	ask(c, route, 3);
	need(serve_one(s[0], WEIR_KIND_ERROR), "error");
	check(!drain(c), "an error of one changes nothing yet");
	need(serve_one(s[1], WEIR_KIND_ERROR), "error");
	o = next_outcome(c);
	check(o.kind == WEIR_KIND_ERROR && o.tag == 3 && !(o.flags & WEIR_REC_MORE),
	      "when it cannot be had any more the caller hears at once");
	check(!drain(c) && !serve_one(s[2], WEIR_KIND_REPLY) && !drain(c), "once");
}

/* More than there are, and most of them. */
static void quorum_sizes(struct weir *c, uint32_t route, struct weir **s,
			 const uint64_t *id)
{
	struct weir_route_conf conf = policy(WEIR_POLICY_QUORUM);

	conf.quorum = 4;
	set("/pol/q", conf);
	ask(c, route, 4);
	refused_by(c, 4, WEIR_REASON_QUORUM, WEIR_GUARD_POLICY,
		   "4 of 3: a quorum that cannot be had");
	check(!drain(s[0]) && !drain(s[1]) && !drain(s[2]), "nobody is asked");

	conf.quorum = 0;
	set("/pol/q", conf);
	ask(c, route, 5);
	need(serve_one(s[1], WEIR_KIND_REPLY), "first");
	check(!drain(c), "0 is most of them: not 1 of 3");
	need(serve_one(s[2], WEIR_KIND_REPLY), "second");
	check(replied(c, 5) && !drain(s[0]), "but 2");

	need(!target_op(WEIR_OP_TARGET_SET, "/pol/q", "", id[0], 0) &&
	     !target_op(WEIR_OP_TARGET_SET, "/pol/q", "", id[2], 0), "drain");
	ask(c, route, 8);
	need(serve_one(s[1], WEIR_KIND_REPLY), "the only one");
	check(replied(c, 8) && !drain(s[0]) && !drain(s[2]),
	      "targets that are drained do not count");
	need(!target_op(WEIR_OP_TARGET_SET, "/pol/q", "", id[0], 1) &&
	     !target_op(WEIR_OP_TARGET_SET, "/pol/q", "", id[2], 1), "back");
}

/* All three are wanted: one is late, one dies. It closes the second. */
static void quorum_lost(struct weir *c, uint32_t route, struct weir **s)
{
	struct weir_route_conf conf = policy(WEIR_POLICY_QUORUM);
	struct weir *first[] = { s[1], s[0], s[2] };

	conf.quorum = 3;
	ask_late("/pol/q", conf, c, route, 6, first, 3);
	refused_by(c, 6, WEIR_REASON_DEADLINE, WEIR_GUARD_DEADLINE,
		   "not all in time: deadline");
	check(!tap_within(20, drain(c) > 0), "once");
	drain(s[0]);
	drain(s[2]);
	set("/pol/q", conf);
	ask(c, route, 7);
	weir_close(s[1]);
	refused_by(c, 7, WEIR_REASON_QUORUM, WEIR_GUARD_POLICY,
		   "one of those that are wanted dies: no quorum");
	check(!drain(c) && !drain(s[0]), "once");
}

static void quorum(void)
{
	struct weir_route_conf conf = policy(WEIR_POLICY_QUORUM);
	struct weir *s[3], *c;
	uint32_t route, i;
	uint64_t id[3];

	conf.quorum = 2;
	set("/pol/q", conf);
	c = caller("/pol/q", &route);
	for (i = 0; i < 3; i++)
		s[i] = server_of("/pol/q", 1, 0, &id[i]);
	quorum_of_two(c, route, s, id);
	quorum_sizes(c, route, s, id);
	quorum_lost(c, route, s);
	weir_close(s[0]);
	weir_close(s[2]);
	weir_close(c);
	need(!route_del("/pol/q"), "del");
	check_routes_gone("quorum");
}

/* --- routes behind routes --------------------------------------------------- */

/* Weighted: /nest/out is made of /nest/a, served twice, and /nest/b. */
static void nested_weights(struct weir *c, uint32_t route, struct weir **s)
{
	uint32_t i, n, got[4] = { 0 };

	for (i = 0; i < 1200; i++) {
		ask(c, route, i);
		n = who_got(s, 3);
		got[n]++;
		drain(c);
	}
	check(got[2] > 225 && got[2] < 375 && got[0] > 350 && got[1] > 350 && !got[3],
	      "3 and 1 of 4, shared by what is behind (%u, %u, %u of 1200)",
	      got[0], got[1], got[2]);
	need(!target_op(WEIR_OP_TARGET_SET, "/nest/out", "/nest/a", 0, 0), "set");
	for (i = 0, n = 0; i < 50; i++)
		n += who(c, route, s, 3) == 2;
	check(n == 50, "weights change by path (%u of 50)", n);
}

static void nested_taken_away(struct weir *c, uint32_t route)
{
	struct weir_target_entry *t;
	uint64_t sock = 0;
	uint32_t i, k;

	need(!target_op(WEIR_OP_TARGET_DEL, "/nest/out", "/nest/b", 0, 0), "del");
	ask(c, route, 5);
	refused_by(c, 5, WEIR_REASON_NO_TARGET, WEIR_GUARD_ROUTE,
		   "a path target is taken away");
	check(target_op(WEIR_OP_TARGET_DEL, "/nest/out", "/nest/b", 0, 0) ==
	      -ENOENT, "once");
	t = targets(&k);
	for (i = 0; i < k; i++) {
		if (t[i].socket && !strcmp(t[i].path, "/nest/b"))
			sock = t[i].id;
	}
	check(sock && target_op(WEIR_OP_TARGET_DEL, "/nest/b", "", sock, 0) ==
	      -EBUSY, "a socket is not");
}

/*
 * The first has nobody: the second is asked, or the fallback. Closes all of @s.
 */
static void nested_primary(struct weir *c, uint32_t route, struct weir **s)
{
	struct weir_route_conf conf = policy(WEIR_POLICY_PRIMARY);
	struct weir *fall;

	set("/nest/out", conf);
	need(!target_op(WEIR_OP_TARGET_SET, "/nest/out", "/nest/a", 0, 9) &&
	     !target_op(WEIR_OP_TARGET_ADD, "/nest/out", "/nest/b", 0, 1), "targets");
	check(who(c, route, s, 3) < 2, "primary of routes: the first");
	weir_close(s[0]);
	weir_close(s[1]);
	ask(c, route, 6);
	check(serve_one(s[2], WEIR_KIND_REPLY) && replied(c, 6),
	      "and the second when the first has nobody left");
	drain(c);
	strcpy(conf.fallback, "/nest/fall");
	set("/nest/out", conf);
	need(!target_op(WEIR_OP_TARGET_DEL, "/nest/out", "/nest/b", 0, 0), "del");
	fall = server("/nest/fall", 1);
	ask(c, route, 7);
	check(serve_one(fall, WEIR_KIND_REPLY) && replied(c, 7),
	      "or the fallback of the first route");
	drain(c);
	weir_close(fall);
	weir_close(s[2]);
}

static void nested(void)
{
	struct weir *s[3], *c;
	uint32_t route;

	route_quiet("/nest/a");
	route_quiet("/nest/b");
	route_quiet("/nest/fall");
	set("/nest/out", policy(WEIR_POLICY_WEIGHTED));
	s[0] = server("/nest/a", 1);
	s[1] = server("/nest/a", 1);
	s[2] = server("/nest/b", 1);
	check(!target_op(WEIR_OP_TARGET_ADD, "/nest/out", "/nest/a", 0, 3) &&
	      !target_op(WEIR_OP_TARGET_ADD, "/nest/out", "/nest/b", 0, 1),
	      "routes are targets of a route");
	check(target_op(WEIR_OP_TARGET_ADD, "/nest/out", "/nest/b", 0, 1) ==
	      -EEXIST, "once each");
	check(target_op(WEIR_OP_TARGET_ADD, "/nest/a", "/nest/out", 0, 1) ==
	      -ELOOP, "not in a circle");
	c = caller("/nest/out", &route);
	nested_weights(c, route, s);
	nested_taken_away(c, route);
	nested_primary(c, route, s);
	weir_close(c);
	need(!target_op(WEIR_OP_TARGET_DEL, "/nest/out", "/nest/a", 0, 0), "del");
	need(!route_del("/nest/out") && !route_del("/nest/a") &&
	     !route_del("/nest/b") && !route_del("/nest/fall"), "del");
	check_routes_gone("nested");
}

/* A socket and a route as targets of one route, asked one by one. */
static void mixed(void)
{
	struct weir *s[2], *c;
	uint32_t route, i, n = 2000, got[3] = { 0 };

	route_quiet("/mix/a");
	set("/mix/out", policy(WEIR_POLICY_WEIGHTED));
	s[0] = server("/mix/out", 1);
	s[1] = server("/mix/a", 1);
	need(!target_op(WEIR_OP_TARGET_ADD, "/mix/out", "/mix/a", 0, 1), "add");
	c = caller("/mix/out", &route);
	for (i = 0; i < n; i++) {
		ask(c, route, i);
		got[who_got(s, 2)]++;
		drain(c);
	}
	/* five deviations */
	check(got[0] > 888 && got[1] > 888 && !got[2],
	      "a socket and a route of one weight get the same (%u, %u of %u)",
	      got[0], got[1], n);
	weir_close(c);
	weir_close(s[0]);
	weir_close(s[1]);
	need(!target_op(WEIR_OP_TARGET_DEL, "/mix/out", "/mix/a", 0, 0), "del");
	need(!route_del("/mix/out") && !route_del("/mix/a"), "del");
	check_routes_gone("mixed");
}

/* --- blue and green --------------------------------------------------------- */

static struct crew *crew;

static void blue_green(void)
{
	struct crew_job blue = { .crew = crew = crew_make(), .path = "/bg/blue",
				 .number = 0, .weight = 1 };
	struct crew_job green = blue, call[2] = { blue, blue };
	struct weir_target_entry *t;
	struct weir_route_op ops[2];
	uint64_t served, sent;
	uint32_t n, busy;
	pid_t pid[4];
	int i, step;

	green.path = "/bg/green";
	green.number = 1;
	set("/bg/svc", policy(WEIR_POLICY_WEIGHTED));
	route_quiet("/bg/blue");
	route_quiet("/bg/green");
	need(!target_op(WEIR_OP_TARGET_ADD, "/bg/svc", "/bg/blue", 0, 100) &&
	     !target_op(WEIR_OP_TARGET_ADD, "/bg/svc", "/bg/green", 0, 0), "add");
	pid[0] = crew_server(&blue);
	pid[1] = crew_server(&green);
	for (i = 0; i < 2; i++) {
		call[i].path = "/bg/svc";
		call[i].number = i;
		call[i].depth = 64;
		pid[2 + i] = spawn(crew_call, &call[i]);
	}
	need(crew_progress(crew, 200), "load");
	served = get(&crew->target[1].served);
	check(!served, "blue-green: green has nothing yet");
	for (i = 0; i < 2; i++)
		ops[i] = route_op(WEIR_OP_TARGET_SET, "/bg/svc",
				  i ? "/bg/green" : "/bg/blue", 0, 0);
	for (step = 0; step <= 20; step++) {
		ops[0].weight = (uint32_t)(100 - 5 * step);
		ops[1].weight = (uint32_t)(5 * step);
		need(!control(ops, 2), "step");
		need(crew_progress(crew, 50), "load goes on");
	}
	/* what was on its way to blue when it got weight 0 */
	need(crew_progress(crew, 200), "load goes on");
	need(soon(({
		t = targets(&n);
		for (busy = 0; n--;)
			busy += strcmp(t[n].path, "/bg/blue") ? 0 :
				t[n].in_flight;
		!busy;
	})), "blue answers what it has");
	served = get(&crew->target[0].served);
	sent = get(&crew->target[1].served);
	need(soon(get(&crew->target[1].served) > sent + 200), "green works");
	check(get(&crew->target[0].served) == served, "at the end blue has nothing");
	crew_calm(crew, pid + 2, 2, false, "blue-green");
	check(crew_bad(crew) == 0, "a shift in 20 steps lost nothing of %llu (%llu)",
	      (unsigned long long)crew_good(crew), (unsigned long long)crew_bad(crew));
	crew_end(crew, pid, 2);
	crew_free(crew);
	need(!target_op(WEIR_OP_TARGET_DEL, "/bg/svc", "/bg/blue", 0, 0) &&
	     !target_op(WEIR_OP_TARGET_DEL, "/bg/svc", "/bg/green", 0, 0), "del");
	need(!route_del("/bg/svc") && !route_del("/bg/blue") &&
	     !route_del("/bg/green"), "del");
	check_routes_gone("blue-green");
}

/* --- all or nothing --------------------------------------------------------- */

struct picture {
	uint32_t nroutes, ntargets;
	struct weir_route_entry routes[64];
	struct weir_target_entry targets[64];
};

static void take(struct picture *p)
{
	memset(p, 0, sizeof(*p));
	p->nroutes = list(WEIR_LIST_ROUTES, p->routes, sizeof(p->routes[0]), 64);
	p->ntargets = list(WEIR_LIST_TARGETS, p->targets,
			   sizeof(p->targets[0]), 64);
}

/* A list whose last change is refused. */
static void refused_list(const char *what, const struct weir_route_op *ops,
			 uint32_t n, int want)
{
	static struct picture before, after;
	int fd = tap_socket(SOCK_RDM), err;
	uint32_t failed;

	take(&before);
	err = control_by(fd, ops, n, &failed);
	check(err == want && failed == n - 1 && *tap_words(fd),
	      "%s: refused at its last change, in words (%d, %u, %s)", what,
	      err, failed, tap_words(fd));
	close(fd);
	take(&after);
	check(!memcmp(&before, &after, sizeof(after)),
	      "%s: nothing has changed (%u, %u routes, %u, %u targets)", what,
	      before.nroutes, after.nroutes, before.ntargets, after.ntargets);
}

/**
 * struct atoms - the routes whose changes are refused
 * @a, @b: the targets of /atom/r, besides the path /atom/p.
 * @id_a, @id_b: theirs.
 * @caller: the process that asks /atom/r.
 * @route: its handle.
 * @bad: a change that is refused.
 */
struct atoms {
	struct weir *a, *b, *caller;
	uint64_t id_a, id_b;
	uint32_t route;
	struct weir_route_op bad;
};

static void refused_settings(const struct atoms *at)
{
	struct weir_route_op ops[3];

	ops[0] = route_op(WEIR_OP_ROUTE_SET, "/atom/new", "", 0, 0);
	ops[1] = route_op(WEIR_OP_TARGET_ADD, "/atom/new", "/atom/new2", 0, 1);
	ops[2] = at->bad;
	refused_list("a new route with a target", ops, 3, -ENOENT);

	ops[0] = route_op(WEIR_OP_ROUTE_SET, "/atom/lone", "", 0, 0);
	ops[0].conf.policy = WEIR_POLICY_ALL;
	strcpy(ops[0].conf.fallback, "/atom/fb");
	strcpy(ops[0].conf.mirror, "/atom/mi");
	ops[0].conf.mirror_permille = 5;
	ops[1] = at->bad;
	refused_list("other settings", ops, 2, -ENOENT);
}

static void refused_targets(const struct atoms *at)
{
	struct weir_route_op ops[4];

	ops[0] = route_op(WEIR_OP_BREAKER, "/atom/r", "", at->id_a, WEIR_FORCE_OPEN);
	ops[1] = route_op(WEIR_OP_BREAKER, "/atom/r", "", at->id_b, WEIR_FORCE_OPEN);
	ops[2] = at->bad;
	refused_list("breakers", ops, 3, -ENOENT);

	ops[0] = route_op(WEIR_OP_TARGET_DEL, "/atom/r", "/atom/p", 0, 0);
	ops[1] = route_op(WEIR_OP_TARGET_ADD, "/atom/r", "/atom/p", 0, 9);
	ops[2] = route_op(WEIR_OP_TARGET_SET, "/atom/r", "/atom/p", 0, 10);
	ops[3] = at->bad;
	refused_list("a target away and back", ops, 4, -ENOENT);
}

/* What senders see, too. */
static void refused_weight(const struct atoms *at)
{
	struct weir_route_op ops[3];
	uint32_t i, n;

	ops[0] = route_op(WEIR_OP_TARGET_SET, "/atom/r", "", at->id_a, 0);
	ops[1] = route_op(WEIR_OP_TARGET_ADD, "/atom/r", "/atom/q", 0, 0);
	ops[2] = at->bad;
	refused_list("a weight, and a new target", ops, 3, -ENOENT);
	for (i = 0, n = 0; i < 100; i++) {
		ask(at->caller, at->route, i);
		n += serve_one(at->a, WEIR_KIND_REPLY);
		serve_one(at->b, WEIR_KIND_REPLY);
		drain(at->caller);
	}
	check(n > 20, "a weight that was refused is not in force (%u of 100)", n);
}

static void refused_rate(const struct atoms *at)
{
	struct weir_route_op ops[3];
	uint32_t i, n;

	ops[0] = route_op(WEIR_OP_ROUTE_SET, "/atom/r", "", 0, 0);
	ops[0].conf.probe_ns = WEIR_PROBE_OFF;
	ops[0].conf.rate = 1;
	ops[0].conf.burst = 1;
	ops[1] = route_op(WEIR_OP_TARGET_ADD, "/atom/r", "/atom/q", 0, 0);
	ops[2] = at->bad;
	refused_list("a rate, and a new target", ops, 3, -ENOENT);
	/* settings that were thrown away have been freed by now */
	pass(100 * MS);
	for (i = 0, n = 0; i < 100; i++) {
		ask(at->caller, at->route, i);
		n += serve_one(at->a, WEIR_KIND_REPLY) ||
		     serve_one(at->b, WEIR_KIND_REPLY);
		drain(at->caller);
	}
	check(n == 100, "a rate that was refused is not in force (%u of 100)", n);
}

static void refused_deletions(void)
{
	struct weir_route_op ops[2];

	ops[0] = route_op(WEIR_OP_ROUTE_DEL, "/atom/lone", "", 0, 0);
	ops[1] = route_op(WEIR_OP_ROUTE_SET, "/atom/lone", "", 0, 0);
	ops[1].conf.policy = 99;
	refused_list("a route deleted and set", ops, 2, -EINVAL);

	ops[0] = route_op(WEIR_OP_ROUTE_DEL, "/atom/lone2", "", 0, 0);
	ops[1] = route_op(WEIR_OP_ROUTE_SET, "/atom/lone3", "", 0, 0);
	strcpy(ops[1].conf.fallback, "/atom/lone3");
	refused_list("a route deleted, another in a circle", ops, 2, -ELOOP);
}

/* Good ones, in one call. */
static void whole_list(const struct atoms *at)
{
	struct weir_route_op ops[3];
	uint32_t i, n;

	ops[0] = route_op(WEIR_OP_ROUTE_SET, "/atom/r", "", 0, 0);
	ops[0].conf = policy(WEIR_POLICY_PRIMARY);
	ops[1] = route_op(WEIR_OP_TARGET_SET, "/atom/r", "", at->id_b, 5);
	ops[2] = route_op(WEIR_OP_TARGET_DEL, "/atom/r", "/atom/p", 0, 0);
	check(!control(ops, 3), "a good list is done");
	for (i = 0, n = 0; i < 20; i++) {
		ask(at->caller, at->route, i);
		n += serve_one(at->b, WEIR_KIND_REPLY);
		drain(at->caller);
	}
	check(n == 20 && target_now(at->id_b).weight == 5 && targets_count() == 2,
	      "whole (%u of 20)", n);
}

static void atomic(void)
{
	struct atoms at;

	at.bad = route_op(WEIR_OP_TARGET_SET, "/atom/none", "/x", 0, 1);
	set("/atom/r", policy(WEIR_POLICY_WEIGHTED));
	set("/atom/lone", quiet);
	set("/atom/lone2", quiet);
	at.a = server_of("/atom/r", 1, 0, &at.id_a);
	at.b = server_of("/atom/r", 1, 0, &at.id_b);
	at.caller = caller("/atom/r", &at.route);
	need(!target_op(WEIR_OP_TARGET_ADD, "/atom/r", "/atom/p", 0, 0), "add");
	refused_settings(&at);
	refused_targets(&at);
	refused_weight(&at);
	refused_rate(&at);
	refused_deletions();
	whole_list(&at);
	weir_close(at.a);
	weir_close(at.b);
	weir_close(at.caller);
	route_del("/atom/r");
	route_del("/atom/lone");
	route_del("/atom/lone2");
	check_routes_gone("all or nothing");
}

/* --- permission ------------------------------------------------------------- */

#define OWNER		1000
#define STRANGER	1001

static uint64_t *perm_id;

static int as_owner(void *arg)
{
	struct weir_config conf = { .set = WEIR_SET_MODE, .mode = 0622 };
	struct weir_route_conf rc = { 0 };
	struct weir *w;
	int *step = arg;

	if (setgid(OWNER) || setuid(OWNER))
		return 1;
	if (weir_open(&w, SOCK_RDM, &conf) ||
	    weir_serve(w, "/perm/own", 3, perm_id))
		return 2;
	if (target_op(WEIR_OP_TARGET_SET, "/perm/own", "", *perm_id, 4))
		return 3;
	if (target_op(WEIR_OP_TARGET_ADD, "/perm/own", "/perm/second", 0, 1) ||
	    target_op(WEIR_OP_TARGET_DEL, "/perm/own", "/perm/second", 0, 0))
		return 4;
	if (target_op(WEIR_OP_BREAKER, "/perm/own", "", *perm_id,
		      WEIR_FORCE_OPEN) ||
	    target_op(WEIR_OP_BREAKER, "/perm/own", "", *perm_id,
		      WEIR_FORCE_AUTO))
		return 5;
	if (route_set("/perm/own", &rc) != -EPERM ||
	    route_del("/perm/own") != -EPERM ||
	    route_set("/perm/new", &rc) != -EPERM)
		return 6;
	/* into root's */
	if (target_op(WEIR_OP_TARGET_ADD, "/perm/root", "/perm/own", 0, 1) != -EACCES)
		return 7;
	if (target_op(WEIR_OP_TARGET_ADD, "/perm/own", "/perm/root", 0, 1) != -EACCES)
		return 8;
	put(step, 1);
	if (!soon(get(step) == 2))
		return 9;
	weir_close(w);
	return 0;
}

static int as_stranger(void *arg)
{
	static struct weir_route_entry r[8];
	static struct weir_target_entry t[8];
	struct weir *w;
	uint32_t n;

	(void)arg;
	if (setgid(STRANGER) || setuid(STRANGER))
		return 1;
	if (target_op(WEIR_OP_TARGET_SET, "/perm/own", "", *perm_id, 9) != -EACCES)
		return 2;
	if (target_op(WEIR_OP_TARGET_ADD, "/perm/own", "/perm/mine", 0, 9) != -EACCES)
		return 3;
	if (target_op(WEIR_OP_BREAKER, "/perm/own", "", *perm_id,
		      WEIR_FORCE_OPEN) != -EACCES)
		return 4;
	if (target_op(WEIR_OP_TARGET_ADD, "/perm/mine", "/perm/own", 0, 9) != -EACCES)
		return 5;
	if (weir_open(&w, SOCK_RDM, NULL) || weir_route(w, "/perm/own") < 1)
		return 6;
	if (weir_serve(w, "/perm/own", 1, NULL) != -EACCES)
		return 7;
	if (weir_route(w, "/perm/root") != -EACCES)
		return 8;
	/* of the two it sees the one that it may call */
	n = list(WEIR_LIST_ROUTES, r, sizeof(r[0]), 8);
	if (n != 1 || strcmp(r[0].path, "/perm/own") || r[0].uid != OWNER)
		return 9;
	n = list(WEIR_LIST_TARGETS, t, sizeof(t[0]), 8);
	if (n != 1 || t[0].id != *perm_id || t[0].weight != 4)
		return 10;
	weir_close(w);
	return 0;
}

static void permission(void)
{
	struct weir_config conf = { .set = WEIR_SET_MODE, .mode = 0600 };
	int *step = tap_shared(4096), status;
	struct weir_route_conf rc = { .rate = 5 };
	struct weir *root;
	pid_t owner;

	perm_id = (uint64_t *)(void *)(step + 16);
	need(!weir_open(&root, SOCK_RDM, &conf) &&
	     !weir_serve(root, "/perm/root", 1, NULL), "root");
	owner = spawn(as_owner, step);
	if (!check(soon(get(step) == 1),
		   "the owner of a path changes its targets, and no more")) {
		kill(owner, SIGKILL);
		note("as owner: step %d", tap_wait(owner));
		weir_close(root);
		return;
	}
	status = tap_wait(spawn(as_stranger, NULL));
	check(!status, "a stranger may call, and change nothing (%d)", status);
	check(!target_op(WEIR_OP_TARGET_SET, "/perm/own", "", *perm_id, 6) &&
	      !route_set("/perm/own", &rc) &&
	      target_now(*perm_id).weight == 6, "who has CAP_NET_ADMIN may");
	put(step, 2);
	status = tap_wait(owner);
	check(!status, "the owner is done (%d)", status);
	check(!route_del("/perm/own"), "its route stays until it is deleted");
	weir_close(root);
	check_routes_gone("permission");
}

/* --- listing ---------------------------------------------------------------- */

static void listing(void)
{
	struct weir_route_conf conf = {
		.policy = WEIR_POLICY_WEIGHTED, .rate = 1000000, .burst = 77,
		.bulkhead = 9, .mirror_permille = 3, .timeout_ns = 500 * SECOND,
		.probe_ns = 600 * SECOND, .retries = 2, .retry_base_ns = MS,
		.retry_max_ns = 2 * MS, .fallback = "/list/fb",
		.mirror = "/list/mi",
	};
	struct weir_route_entry r;
	struct weir_target_entry t;
	struct weir_ioc_list l;
	struct weir *s[20], *c;
	uint64_t id[20], last = 0;
	uint32_t i, n = 0, route, sum = 0;
	int fd = tap_socket(SOCK_RDM);
	bool sorted = true;

	need(!route_set("/list/r", &conf), "route");
	for (i = 0; i < 20; i++)
		s[i] = server_of("/list/r", i, 4096, &id[i]);
	c = caller("/list/r", &route);
	/* a tenth of them goes to the last: that it gets none is no chance */
	for (i = 0; i < 200; i++) {
		ask(c, route, i);
		for (n = 0; n < 20; n++)
			serve_one(s[n], WEIR_KIND_REPLY);
	}
	r = route_now("/list/r");
	check(r.set == 1 && r.targets == 20 && r.calls == 200,
	      "a route is listed with its figures (%u, %u, %llu)", r.set,
	      r.targets, (unsigned long long)r.calls);
	check(!memcmp(&r.conf, &conf, sizeof(conf)), "and as it was set");
	t = target_now(id[19]);
	for (i = 0; i < WEIR_HIST_BUCKETS; i++)
		sum += t.hist[i];
	check(t.pid == (uint32_t)getpid() && t.weight == 19 && t.socket &&
	      t.route == r.id && !strcmp(t.path, "/list/r") &&
	      t.requests == t.replies && sum == t.replies && sum,
	      "a target with its own, and times of %u replies", sum);
	/* three at a time */
	n = 0;
	do {
		static struct weir_target_entry e[3];

		memset(&l, 0, sizeof(l));
		l.size = sizeof(l);
		l.kind = WEIR_LIST_TARGETS;
		l.entry_size = sizeof(e[0]);
		l.count = 3;
		l.after = last;
		l.entries = (uintptr_t)e;
		need(!ioctl(fd, WEIR_IOC_LIST, &l), "list");
		for (i = 0; i < l.count; i++) {
			sorted &= e[i].id > last;
			last = e[i].id;
			n++;
		}
	} while (l.count);
	check(n == 20 && sorted, "in pages of three all come, once (%u)", n);
	for (i = 0; i < 20; i++)
		weir_close(s[i]);
	r = route_now("/list/r");
	check(r.targets == 0 && r.calls == 200, "what went before is still counted");
	weir_close(c);
	close(fd);
	need(!route_del("/list/r"), "del");
	check_routes_gone("listing");
}

int main(void)
{
	struct counters before;

	hard_begin();
	before = counters();
	part(any);
	part(weighted);
	part(shard);
	part(primary);
	part(all);
	part(all_of_many);
	part(quorum);
	part(nested);
	part(mixed);
	part(blue_green);
	part(permission);
	part(listing);
	part(atomic);
	check_counters(&before);
	check_kernel();
	return tap_done();
}
