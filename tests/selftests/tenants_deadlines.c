// SPDX-License-Identifier: GPL-2.0
/*
 * A user has hundreds of sockets, each with a request that ends at the same
 * time. The kernel's timers expire in interrupts, of whoever runs on that
 * processor. So few of them expire for all of these sockets together.
 */
#include "routed.h"
#include "tenants.h"

#define SOCKETS	200
#define PATH	"/deadlines/x"
#define AFTER	(2 * SECOND)
#define EXPIRE	"timer/timer_expire_entry"
#define EXPIRE_HR	"timer/hrtimer_expire_entry"

static struct stage {
	int ready;
	int go;
	int ended;
} *stage;

static int sockets(void *arg)
{
	struct weir_call call = { .tag = 1 };
	struct weir *w[SOCKETS];
	struct outcome o;
	int i;

	(void)arg;
	for (i = 0; i < SOCKETS; i++) {
		w[i] = handle(4096, 4096);
		call.route = route_of(w[i], PATH);
	}
	put(&stage->ready, 1);
	need(soon(get(&stage->go)), "go");
	call.deadline_ns = (uint64_t)(now_ns() + AFTER);
	for (i = 0; i < SOCKETS; i++)
		ask_for(w[i], &call, "x", 1);
	for (i = 0; i < SOCKETS; i++) {
		need(soon(outcome_now(w[i], &o)), "an answer");
		add(&stage->ended, o.fault.reason == WEIR_REASON_DEADLINE);
		weir_close(w[i]);
	}
	return 0;
}

/* Timers that have called the module or queued delayed work, each counted once. */
static int expired(void)
{
	static unsigned long seen[8 * SOCKETS];
	FILE *f = fopen(TAP_TRACING "trace", "r");
	char line[512], *at;
	unsigned long timer;
	int n = 0, i;

	need(f, "trace");
	while (n < 8 * SOCKETS && fgets(line, sizeof(line), f)) {
		at = strstr(line, "timer=");
		if (!at || (!strstr(at, "function=delayed_work_timer_fn") &&
			    !strstr(at, "[weir]")))
			continue;
		timer = strtoul(at + strlen("timer="), NULL, 16);
		for (i = 0; i < n && seen[i] != timer; i++)
			;
		if (i == n)
			seen[n++] = timer;
	}
	fclose(f);
	return n;
}

int main(void)
{
	struct weir *s;
	pid_t pid;
	int n;

	hard_begin();
	if (tap_trace(EXPIRE, 0) || tap_trace(EXPIRE_HR, 0))
		tap_skip_all("needs root and events of timers");
	stage = tap_shared(sizeof(*stage));
	s = handle(0, PLENTY);
	need(!tap_setopt(weir_fd(s), WEIR_SO_MODE, 0666) &&
	     !weir_serve(s, PATH, 1, NULL), "serve");
	pid = tenant_start(TENANT_ATTACKER, sockets, NULL);
	need(soon(get(&stage->ready)), "sockets");
	need(!tap_trace_begin() && !tap_trace(EXPIRE, 1) &&
	     !tap_trace(EXPIRE_HR, 1), "events");
	put(&stage->go, 1);
	check(!tap_wait(pid), "all requests end");
	tap_trace(EXPIRE, 0);
	tap_trace(EXPIRE_HR, 0);
	check(get(&stage->ended) == SOCKETS, "at their deadline (%d of %d)",
	      get(&stage->ended), SOCKETS);
	n = expired();
	check(n > 0 && n < SOCKETS / 2,
	      "for %d sockets fewer than half as many timers are used (%d)",
	      SOCKETS, n);
	weir_close(s);
	check_routes_gone("deadlines");
	check_kernel();
	return tap_done();
}
