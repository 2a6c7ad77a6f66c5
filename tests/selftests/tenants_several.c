// SPDX-License-Identifier: GPL-2.0
/*
 * Large messages to several targets: a user sends them to a route with the policy
 * all, where another's socket is the last of many. That one also serves a path of
 * its own, and its round trips there wait for no longer than the copy into its own
 * inbox takes: as long as when it is the only target.
 */
#include "routed.h"
#include "tenants.h"

#define ALL	"/several/all"
#define OWN	"/several/own"
#define M	(1U << 20)

/**
 * struct stage - what the processes share
 * @meter: round trips of the victim.
 * @others: targets of the attacker's own, before the victim.
 * @go: the phase has begun: 1: the attacker has its targets; 2: the victim, too.
 * @large: messages of the attacker that the victim has had.
 */
static struct stage {
	struct tenant_meter meter;
	int others;
	int go;
	uint64_t large;
} *stage;

/* Serves both paths, and calls its own. */
static int victim(void *arg)
{
	struct weir *s = server_of(OWN, 1, 32 * M, NULL), *c;
	uint32_t route, tag;

	(void)arg;
	need(!weir_serve(s, ALL, 1, NULL), "serve: %s", weir_error());
	c = caller(OWN, &route);
	put(&stage->go, 2);
	for (tag = 1; !get(&stage->meter.stop); tag++) {
		int64_t begun = now_ns();
		bool good = asks_itself(c, route, tag, s, M, &stage->large);

		tenant_note(&stage->meter, (uint64_t)(now_ns() - begun), good);
		usleep(500);
	}
	return 0;
}

static int attack(void *arg)
{
	struct weir_call call = { .one_way = 1 };
	struct weir *s[16], *c = handle(8 * M, 0);
	int i;

	(void)arg;
	for (i = 0; i < stage->others; i++)
		s[i] = server_of(ALL, 1, 8 * M, NULL);
	call.route = route_of(c, ALL);
	put(&stage->go, 1);
	need(soon(get(&stage->go) == 2), "the victim");
	while (!get(&stage->meter.stop)) {
		struct weir_buf buf = { 0 };

		if (!weir_call_claim(c, &call, 3 * M, &buf))
			weir_call_commit_more(c, &call, &buf);
		weir_flush(c);
		for (i = 0; i < stage->others; i++)
			drain(s[i]);
		usleep(200);
	}
	return 0;
}

enum phase { ONLY, LAST };

/* Round trips in a phase; how many nanoseconds nine of ten take at most. */
static uint64_t measure(int n, int others, uint64_t trips)
{
	pid_t attacker, pid;

	stage->others = others;
	put(&stage->go, 0);
	put(&stage->meter.stop, 0);
	put(&stage->meter.phase, n);
	stage->large = 0;
	attacker = tenant_start(TENANT_ATTACKER, attack, NULL);
	need(soon(get(&stage->go) == 1), "the attacker");
	pid = tenant_start(TENANT_VICTIM, victim, NULL);
	check(tenant_measure(&stage->meter, n, trips) &&
	      soon(get(&stage->large) > 3), "the victim is served");
	put(&stage->meter.stop, 1);
	check(!tap_wait(pid), "and ends well");
	check(!tap_wait(attacker), "so does the attacker");
	check(!stage->meter.phases[n].bad, "no answer is lost");
	return tenant_last(&stage->meter, n, 900);
}

int main(void)
{
	struct weir_route_conf conf = { QUIET, .policy = WEIR_POLICY_ALL };
	struct weir_route_op op = route_op(WEIR_OP_ROUTE_SET, ALL, "", 0, 0);
	uint64_t trips = (uint64_t)tap_scale(250, 60), one, last;
	struct tenant_verdict verdict = { .limit = 3 };
	int fd;

	hard_begin();
	stage = tap_shared(sizeof(*stage));
	/* whoever may execute it serves it */
	fd = tap_socket(SOCK_RDM);
	op.conf = conf;
	need(!tap_setopt(fd, WEIR_SO_MODE, 0777) &&
	     !control_by(fd, &op, 1, NULL), "route");
	close(fd);
	do {
		one = measure(ONLY, 0, trips);
		last = measure(LAST, 15, trips);
		tenant_compare(&verdict, last, one);
	} while (!slow_kernel() && tenant_undecided(&verdict));
	tenant_show(&stage->meter, ONLY, "only target");
	tenant_show(&stage->meter, LAST, "last of many");
	/* the sanitizer kernel looks for faults; its times mean little */
	if (slow_kernel())
		tap_skip("the last of 16 targets", "times mean little on this kernel");
	else
		tenant_judge(&verdict,
			     "the last of 16 targets waits at most 3 times as long as the only one");
	need(!route_del(ALL), "del");
	check_routes_gone("several");
	check_kernel();
	return tap_done();
}
