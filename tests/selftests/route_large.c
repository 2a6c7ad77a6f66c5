// SPDX-License-Identifier: GPL-2.0
/*
 * Messages that are copied in pieces arrive whole: requests and replies, with a
 * deadline, to several targets and as a mirror's copy, with and without polling.
 * A reply of several MiB is remembered and given to the same request again.
 */
#include "routed.h"

#define M	(1U << 20)
#define RING	(16 * M)

static void fill(char *to, uint32_t len, uint32_t seed)
{
	uint32_t i, *words = (uint32_t *)(void *)to;

	for (i = 0; i < len / 4; i++)
		words[i] = (i + seed) * 2654435761U;
	memset(to + len / 4 * 4, (int)seed, len % 4);
}

static bool whole(const void *data, uint32_t len, uint32_t seed)
{
	static char want[8 * M];

	fill(want, len, seed);
	return !memcmp(data, want, len);
}

static void ask_large(struct weir *c, const struct weir_call *call, uint32_t len,
		      uint32_t seed)
{
	struct weir_buf buf = { 0 };

	need(!weir_call_claim(c, call, len, &buf), "claim: %s", weir_error());
	fill(buf.data, len, seed);
	weir_call_commit_more(c, call, &buf);
	weir_flush(c);
}

/* The next request is whole; its answer is as long. */
static bool serve_large(struct weir *s, uint32_t len, uint32_t seed)
{
	struct weir_msg msg = next_message(s, "the target");
	struct weir_ticket t = weir_ticket(&msg);
	struct weir_buf buf = { 0 };
	bool good = msg.len == len && whole(msg.data, len, seed);

	weir_release(s, &msg);
	if (!weir_ticket_wanted(&t))
		return good;
	need(!weir_reply_claim(s, &t, len, &buf), "claim");
	fill(buf.data, len, seed + 1);
	weir_reply_commit_more(s, &t, WEIR_KIND_REPLY, 0, &buf);
	weir_flush(s);
	return good;
}

static bool answered(struct weir *c, uint32_t len, uint32_t seed)
{
	struct weir_msg msg = next_message(c, "the caller");
	bool good = msg.kind == WEIR_KIND_REPLY && msg.len == len &&
		    whole(msg.data, len, seed + 1);

	weir_release(c, &msg);
	return good;
}

static void sizes(const char *how)
{
	static const uint32_t lens[] = {
		65472, 65504, 65505, 65536, 65537, 100001, 3 * M, 7 * M + 5,
	};
	struct weir *s = handle(RING, RING), *c = handle(RING, RING);
	uint32_t i, route, wrong = 0;

	need(!weir_serve(s, "/large/a", 1, NULL), "serve");
	route_quiet("/large/a");
	route = route_of(c, "/large/a");
	for (i = 0; i < 2 * sizeof(lens) / sizeof(lens[0]); i++) {
		struct weir_call call = { .route = route, .tag = i };
		uint32_t len = lens[i / 2];

		if (i % 2)
			call.deadline_ns = (uint64_t)(now_ns() + 600 * SECOND);
		ask_large(c, &call, len, i);
		if (!serve_large(s, len, i) || !answered(c, len, i)) {
			note("%u bytes are not whole", len);
			wrong++;
		}
	}
	check(!wrong, "%s: requests and replies of all sizes are whole", how);
	weir_close(c);
	weir_close(s);
	need(!route_del("/large/a"), "del");
}

static void several(void)
{
	struct weir_route_conf conf = { QUIET, .policy = WEIR_POLICY_ALL,
					.mirror_permille = 1000 };
	struct weir *s[3], *mirror = handle(RING, RING), *c;
	uint32_t i, route;
	bool good = true;

	need(!weir_serve(mirror, "/large/mirror", 1, NULL), "serve");
	for (i = 0; i < 3; i++) {
		s[i] = handle(RING, RING);
		need(!weir_serve(s[i], "/large/all", 1, NULL), "serve");
	}
	snprintf(conf.mirror, sizeof(conf.mirror), "/large/mirror");
	need(!route_set("/large/all", &conf), "route");
	c = handle(RING, RING);
	route = route_of(c, "/large/all");
	for (i = 0; i < 2; i++) {
		struct weir_call call = { .route = route, .tag = i };
		uint32_t len = i ? 2 * M : 40000;
		int k;

		ask_large(c, &call, len, i);
		for (k = 0; k < 3; k++)
			good &= serve_large(s[k], len, i);
		for (k = 0; k < 3; k++)
			good &= answered(c, len, i);
		good &= serve_large(mirror, len, i);
	}
	check(good, "to three targets and a mirror");
	for (i = 0; i < 3; i++)
		weir_close(s[i]);
	weir_close(c);
	need(!route_del("/large/all"), "del");
	weir_close(mirror);
}

static void remembered(void)
{
	struct weir_route_conf conf = { QUIET, .dup_window_ns = 600 * SECOND,
					.dup_bytes = 32 * M };
	struct weir *s = handle(RING, RING), *c = handle(RING, RING);
	struct weir_call call = { .dup = 77 };
	uint32_t len = 6 * M + 3;

	need(!weir_serve(s, "/large/once", 1, NULL), "serve");
	need(!route_set("/large/once", &conf), "route");
	call.route = route_of(c, "/large/once");
	ask_large(c, &call, 8, 1);
	need(!route_now("/large/once").dups, "nothing is known yet");
	{
		struct weir_msg msg = next_message(s, "the target");
		struct weir_ticket t = weir_ticket(&msg);
		struct weir_buf buf = { 0 };

		weir_release(s, &msg);
		need(!weir_reply_claim(s, &t, len, &buf), "claim");
		fill(buf.data, len, 2);
		weir_reply_commit_more(s, &t, WEIR_KIND_REPLY, 0, &buf);
		weir_flush(s);
	}
	check(answered(c, len, 1), "a reply of 6 MiB");
	ask_large(c, &call, 8, 1);
	check(answered(c, len, 1) && !drain(s),
	      "is remembered, and given to the same request again");
	weir_close(c);
	weir_close(s);
	need(!route_del("/large/once"), "del");
}

/* A mirror on each of as many routes as a request goes through. */
static void mirrors(void)
{
	struct weir_route_conf conf = { QUIET, .mirror = "/large/mirror",
					.mirror_permille = 1000 };
	struct weir *s = handle(RING, RING), *mirror = handle(RING, RING);
	struct weir *c = handle(RING, RING);
	struct weir_call call = { .tag = 3 };
	char path[WEIR_HOPS_MAX + 1][32];
	int i;
	bool good;

	for (i = 0; i <= WEIR_HOPS_MAX; i++)
		snprintf(path[i], sizeof(path[i]), "/large/m/%d", i);
	need(!weir_serve(mirror, "/large/mirror", 1, NULL), "serve");
	need(!weir_serve(s, path[WEIR_HOPS_MAX], 1, NULL), "serve");
	for (i = WEIR_HOPS_MAX; i >= 0; i--) {
		need(!route_set(path[i], &conf), "route");
		need(i == WEIR_HOPS_MAX ||
		     !target_op(WEIR_OP_TARGET_ADD, path[i], path[i + 1], 0, 1),
		     "behind");
	}
	call.route = route_of(c, path[0]);
	ask_large(c, &call, M, 3);
	good = serve_large(s, M, 3) && answered(c, M, 3);
	for (i = 0; i <= WEIR_HOPS_MAX; i++)
		good &= serve_large(mirror, M, 3);
	check(good, "through routes that all have a mirror");
	weir_close(c);
	weir_close(s);
	weir_close(mirror);
	for (i = 0; i <= WEIR_HOPS_MAX; i++) {
		need(i == WEIR_HOPS_MAX ||
		     !target_op(WEIR_OP_TARGET_DEL, path[i], path[i + 1], 0, 0),
		     "not behind");
		need(!route_del(path[i]), "del");
	}
}

#define BEHIND	500	/* small messages */

/* What was committed before the end goes out, also behind what takes long. */
static void shut(void)
{
	struct weir *s = handle(RING, RING), *c = handle(RING, RING);
	struct weir_call call = { .one_way = 1 };
	struct weir_buf buf = { 0 };
	uint32_t i, n = 0;

	need(!weir_serve(s, "/large/shut", 1, NULL), "serve");
	call.route = route_of(c, "/large/shut");
	need(!weir_call_claim(c, &call, 8 * M, &buf), "claim");
	fill(buf.data, 8 * M, 9);
	weir_call_commit_more(c, &call, &buf);
	for (i = 0; i < BEHIND; i++)
		need(!request(c, &call, &i, sizeof(i)), "event");
	if (weir_load(&c->out.status->wake) & WEIR_WAKE_ROUTER)
		weir_flush(c);
	need(!weir_shutdown(c, SHUT_WR), "shutdown");
	check(serve_large(s, 8 * M, 9), "polled: a large one before the end");
	soon((n += drain(s)) == BEHIND);
	check(n == BEHIND, "and what was behind it (%u of %u)", n, BEHIND);
	weir_close(c);
	weir_close(s);
}

int main(void)
{
	long long idle;
	int i;

	hard_begin();
	idle = tap_stat("tunables/poll_idle_us");
	part(several);
	part(mirrors);
	part(remembered);
	sizes("kicked");
	need(!tap_tune("poll_idle_us", 1000), "idle time");
	need(!tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "1"),
	     "polling on");
	sizes("polled");
	for (i = 0; i < 8; i++)
		shut();
	need(!tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "\n") &&
	     !tap_tune("poll_idle_us", (unsigned long long)idle),
	     "polling off");
	check_routes_gone("large");
	check_kernel();
	return tap_done();
}
