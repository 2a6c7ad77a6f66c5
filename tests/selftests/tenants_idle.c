// SPDX-License-Identifier: GPL-2.0
/*
 * A polling thread that goes to sleep asks the owners of all its sockets to kick,
 * for which it may interrupt their processors. A user who wakes it again and again
 * has it do that once a millisecond and no more; and no message of another user's is
 * left behind, although the thread sleeps without it.
 */
#include "routed.h"
#include "tenants.h"

/**
 * struct stage - what the processes share
 * @stop: the victim ends.
 * @ready: its sockets are there.
 * @done: messages that came.
 */
static struct stage {
	int stop, ready;
	uint64_t done;
} *stage;

static bool asks(const struct weir *w)
{
	return weir_load(&w->out.status->wake) & WEIR_WAKE_ROUTER;
}

/* Kicks when it is asked to, and no more often. */
static void send_one(struct weir *w, uint32_t route)
{
	struct weir_call call = {
		.route = route, .one_way = 1, .flags = WEIR_REC_DROP,
	};
	struct weir_buf buf = { 0 };

	if (weir_call_claim(w, &call, 8, &buf)) {
		weir_flush(w);
		return;
	}
	weir_call_commit_more(w, &call, &buf);
	if (asks(w))
		weir_flush(w);
}

static int victim(void *arg)
{
	struct weir *s = server("/idle/victim", 1), *c;
	uint32_t route;

	(void)arg;
	c = caller("/idle/victim", &route);
	put(&stage->ready, 1);
	while (!get(&stage->stop)) {
		send_one(c, route);
		if (!soon(drain(s)))
			return 3;
		stage->done++;
	}
	return 0;
}

int main(void)
{
	struct weir *s, *c;
	uint64_t kicks = 0, most = (uint64_t)tap_scale(10000, 1000);
	long long barriers, begun, ms;
	uint32_t route;
	pid_t pid;

	hard_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		tap_skip_all("one processor");
	stage = shared_memory(sizeof(*stage));
	need(!tap_tune("poll_idle_us", 50), "idle time");
	need(!tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "1"), "poll_cpus");
	s = server("/idle/attack", 1);
	c = caller("/idle/attack", &route);
	barriers = tap_stat("stats/barriers");
	begun = now_ms();
	while (kicks < most && now_ms() - begun < HARD_DEADLINE_MS / 4) {
		int64_t until = now_ns() + MS;

		/* it sleeps, or is about to; then it is awake, as far as is seen */
		if (!asks(c))
			continue;
		send_one(c, route);
		while (asks(c) && now_ns() < until)
			;
		drain(s);
		kicks++;
	}
	ms = now_ms() - begun;
	barriers = tap_stat("stats/barriers") - barriers;
	note("%llu kicks, %lld barriers in %lld ms", (unsigned long long)kicks,
	     barriers, ms);
	check(barriers <= ms + 64, "a user has others interrupted once in a millisecond");

	pid = tenant_start(TENANT_VICTIM, victim, NULL);
	need(soon(get(&stage->ready)), "the victim");
	for (begun = now_ms(); stage->done < most / 4 &&
			       now_ms() - begun < HARD_DEADLINE_MS;) {
		send_one(c, route);
		drain(s);
	}
	check(get(&stage->done) > 0, "a victim's messages come (%llu)",
	      (unsigned long long)get(&stage->done));
	put(&stage->stop, 1);
	check(!reap(pid), "and none is left behind");
	tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "\n");
	weir_close(c);
	weir_close(s);
	check_routes_gone("idle");
	check_kernel();
	return hard_done();
}
