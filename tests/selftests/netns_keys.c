// SPDX-License-Identifier: GPL-2.0
/*
 * A network namespace ends whose route remembers up to a hundred thousand
 * idempotency keys, with requests that are not answered and requests that wait
 * for their replies. The end waits until all of that is freed: what is freed late
 * would use a namespace that is gone.
 */
#include "routed.h"

#define KEYS	100000
#define AT_ONCE	32
#define TIMES	2	/* namespaces, one after the other */
#define FILL_MS	60000	/* longest time in which keys are sent, for each */

/* What the last namespace remembers, as its process counts it. */
static uint64_t *remembered;

static const struct weir_route_conf conf = {
	QUIET, .dup_window_ns = 600 * SECOND, .dup_entries = 2 * KEYS,
};

static void ask_key(struct weir *w, uint32_t route, uint64_t key)
{
	const struct weir_call call = {
		.route = route, .tag = (uint32_t)key, .dup = key,
	};

	need(!request(w, &call, "?", 1), "request");
}

/* Has keys @first to @first + @n - 1 remembered. */
static void remember(struct weir *w, struct weir *s, uint32_t route,
		     uint64_t first, int n)
{
	struct weir_ticket ticket;
	int i;

	for (i = 0; i < n; i++)
		ask_key(w, route, first + (uint64_t)i);
	weir_flush(w);
	for (i = 0; i < n; i++) {
		ticket = next_ticket(s, "the target");
		need(!weir_reply(s, &ticket, "!", 1, SECOND), "reply");
	}
	for (i = 0; i < n; i++)
		need(next_outcome(w).kind == WEIR_KIND_REPLY, "a reply");
}

/* Runs in a namespace of its own, which ends with it. */
static void fill(void)
{
	struct weir *s = server("/keys/many", 1), *w;
	uint64_t key, keys = (uint64_t)scaled(KEYS), end;
	uint32_t route;
	int i;

	need(!route_set("/keys/many", &conf), "keys");
	w = caller("/keys/many", &route);
	/* a slow machine has fewer keys, and the rest of the test in time */
	end = tap_now_ms() + tap_limit_ms(2 * TIMES * FILL_MS, 0) / (2 * TIMES);
	for (key = 1; key <= keys && tap_now_ms() < end; key += AT_ONCE)
		remember(w, s, route, key, AT_ONCE);
	*remembered = key - 1;
	/* the first of each key stays with its target, the others wait */
	for (i = 0; i < 2 * AT_ONCE; i++)
		ask_key(w, route, key + (uint64_t)i % AT_ONCE);
	weir_flush(w);
	need(route_now("/keys/many").dups == AT_ONCE, "requests wait");
}

static bool end_one(void)
{
	pid_t pid = fork();

	if (!pid) {
		if (unshare(CLONE_NEWNET))
			_exit(TAP_SKIP);
		fill();
		/* the route is left, and so are the sockets */
		_exit(0);
	}
	switch (tap_wait(pid)) {
	case 0:
		return true;
	case TAP_SKIP:
		tap_skip_all("no network namespaces");
	}
	return false;
}

int main(void)
{
	int i;

	hard_begin();
	tap_watchdog(300);
	remembered = tap_shared(sizeof(*remembered));
	for (i = 0; i < TIMES; i++) {
		check(end_one(), "a namespace remembers keys, and ends");
		note("%llu keys", (unsigned long long)*remembered);
	}
	check(soon(!tap_stat("stats/charged_objects")),
	      "its objects are freed");
	check(soon(!tap_stat("stats/charged_bytes")),
	      "and its memory, the keys' too");
	return tap_done();
}
