// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to many targets each, which the first reply completes: with it the
 * calls to all the others end. A batch of such replies is routed in as many
 * sections as that takes, between which others run: the router's cursor, which
 * moves at the end of each section, passes few of them at a time.
 */
#include <pthread.h>

#include "routed.h"

#define TARGETS	256
#define REPLIES	32
#define STEP	8	/* replies that one section may end the calls of */
#define TRIES	200

/**
 * struct watch - a process that watches the router's cursor
 * @pos: the cursor's position.
 * @from: where it was at first.
 * @step: how far its first change has moved it, in bytes. Between two later
 *	looks the cursor may rest, so those say less of a section.
 * @ready: it watches.
 */
struct watch {
	const __u64 *pos;
	uint64_t from;
	uint64_t step;
	int ready;
};

static void *watch_cursor(void *arg)
{
	int64_t until = now_ns() + HARD_DEADLINE_NS;
	struct watch *w = arg;

	put(&w->ready, 1);
	do
		w->step = weir_load(w->pos) - w->from;
	while (!w->step && now_ns() < until);
	return NULL;
}

/*
 * A batch of replies by the first target. Returns by how much the first section
 * moves the cursor, or more if the watch was kept from it.
 */
static uint64_t complete(struct weir *c, struct weir **s, uint32_t route)
{
	const struct weir_cursor *cursor = (const void *)s[0]->cursors;
	struct weir_ticket t[REPLIES];
	struct watch w = { .pos = &cursor->pos };
	struct weir_buf buf = { 0 };
	pthread_t thread;
	uint32_t i;

	for (i = 0; i < REPLIES; i++)
		ask(c, route, i);
	for (i = 0; i < REPLIES; i++)
		t[i] = next_ticket(s[0], "the first target");
	w.from = weir_load(w.pos);
	need(!pthread_create(&thread, NULL, watch_cursor, &w), "thread");
	need(soon(get(&w.ready)), "the watch");
	for (i = 0; i < REPLIES; i++) {
		need(!weir_reply_claim(s[0], &t[i], 4, &buf), "room");
		memcpy(buf.data, &i, 4);
		weir_reply_commit_more(s[0], &t[i], WEIR_KIND_REPLY, 0, &buf);
	}
	weir_flush(s[0]);
	pthread_join(thread, NULL);
	for (i = 0; i < REPLIES; i++) {
		if (!replied(c, i))
			check(false, "request %u is answered", i);
	}
	for (i = 0; i < TARGETS; i++)
		drain(s[i]);
	return w.step;
}

int main(void)
{
	struct weir_route_conf conf = {
		QUIET, .policy = WEIR_POLICY_QUORUM, .quorum = 1,
	};
	uint64_t least = UINT64_MAX, step;
	struct weir *s[TARGETS], *c;
	uint32_t route, i;

	hard_begin();
	tap_watchdog(250);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		tap_skip_all("one processor");
	need(!route_set("/ends/all", &conf), "route");
	for (i = 0; i < TARGETS; i++) {
		s[i] = handle(4096, 16384);
		need(!weir_serve(s[i], "/ends/all", 1, NULL), "serve: %s",
		     weir_error());
	}
	c = handle(0, 4 << 20);
	route = route_of(c, "/ends/all");
	/* the watch may be kept from it, and sees several steps as one */
	for (i = 0; i < TRIES && least > STEP * WEIR_GRANULE; i++) {
		step = complete(c, s, route);
		if (step < least)
			least = step;
	}
	note("%u tries: the first step is of %llu of %u replies", i,
	     (unsigned long long)least / WEIR_GRANULE, REPLIES);
	check(least <= STEP * WEIR_GRANULE,
	      "a section ends the calls to %u targets for at most %u replies",
	      TARGETS, STEP);
	for (i = 0; i < TARGETS; i++)
		weir_close(s[i]);
	weir_close(c);
	need(!route_del("/ends/all"), "del");
	check_routes_gone("ends");
	check_kernel();
	return tap_done();
}
