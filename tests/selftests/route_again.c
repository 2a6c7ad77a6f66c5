// SPDX-License-Identifier: GPL-2.0
/*
 * Where a request goes that is sent again: to a target that has not failed it
 * yet, under every policy, behind other routes and on a fallback path. When all
 * have failed it, to any of them.
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

static void behind_others(void)
{
	behind(false);
	behind(true);
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
	return tap_done();
}
