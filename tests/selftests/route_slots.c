// SPDX-License-Identifier: GPL-2.0
/*
 * A caller whose user may have no more memory has the first slots for calls and
 * no others. A message to several targets that needs more is refused, once and
 * for all: not sent round for ever between a route to several and another that
 * stands behind it.
 */
#include "routed.h"

#define TARGETS	40	/* more than the first slots */

static struct weir *serving[2][TARGETS];

static void served(void)
{
	struct weir_route_conf conf = { QUIET, .policy = WEIR_POLICY_ALL };
	int k, i;

	need(!route_set("/slots/behind", &conf), "route %d", __LINE__);
	strcpy(conf.fallback, "/slots/behind");
	need(!route_set("/slots/first", &conf), "route %d", __LINE__);
	for (k = 0; k < 2; k++)
		for (i = 0; i < TARGETS; i++)
			serving[k][i] = server(k ? "/slots/behind" :
					       "/slots/first", 1);
}

/* How many of a route's targets have a request; they answer it. */
static int asked(int k)
{
	int i, n = 0;

	for (i = 0; i < TARGETS; i++)
		n += serve_one(serving[k][i], WEIR_KIND_REPLY);
	return n;
}

static void refused(void)
{
	long long most = tap_stat("tunables/user_bytes_max");
	struct weir *c;
	uint32_t route;
	int i;

	c = caller("/slots/first", &route);
	tap_tune("user_bytes_max", tap_stat("stats/charged_bytes"));
	for (i = 1; i <= 3; i++) {
		ask(c, route, (uint32_t)i);
		check(answer(c, (uint32_t)i) == WEIR_REASON_LIMIT,
		      "without slots a message to several is refused (%d)", i);
	}
	check(!asked(0) && !asked(1), "and nobody has got it");
	tap_tune("user_bytes_max", most);
	ask(c, route, 7);
	check(asked(0) == TARGETS && !asked(1),
	      "with memory for the slots all targets get it");
	weir_close(c);
}

int main(void)
{
	struct counters before;
	int k, i;

	hard_begin();
	before = counters();
	served();
	refused();
	for (k = 0; k < 2; k++)
		for (i = 0; i < TARGETS; i++)
			weir_close(serving[k][i]);
	need(!route_del("/slots/first") && !route_del("/slots/behind"), "del");
	check_routes_gone("slots");
	check_counters(&before);
	check_kernel();
	return tap_done();
}
