// SPDX-License-Identifier: GPL-2.0
/*
 * Floods by a thread of idle priority, which a busy thread of the same user takes
 * off its processor again and again: in the middle of a system call where the
 * kernel is preemptible. A message that had its place in another's inbox then, but
 * was not complete, would keep all that came later from being read until the
 * thread runs again. Another user serves the path on another processor: its round
 * trips there are hardly ever longer than beside a flood of a path of the
 * attacker's own.
 */
#include "routed.h"
#include "tenants.h"

#define OTHERS	"/preempt/others"
#define OWN	"/preempt/own"
#define M	(1U << 20)
#define BUSY_MS	40	/* the flood stands still for so long at a time */
#define IDLE_MS	6	/* and then runs for so long at most */

/**
 * struct stage - what the processes share
 * @meter: round trips of the victim.
 * @path: that the flood goes to.
 * @go: 1: the victim is at work; 2: the attacker, too.
 * @had: messages of the attacker that the victim has had.
 */
static struct stage {
	struct tenant_meter meter;
	char path[32];
	int go;
	uint64_t had;
} *stage;

/* Serves a path and calls it; reads what else comes there. */
static int victim(void *arg)
{
	struct weir *s, *c;
	uint32_t route, tag;

	(void)arg;
	tenant_on_cpu(1);
	s = server_of(OTHERS, 1, 32 * M, NULL);
	c = caller(OTHERS, &route);
	put(&stage->go, 1);
	for (tag = 1; !get(&stage->meter.stop); tag++) {
		int64_t begun = now_ns();
		bool good = asks_itself(c, route, tag, s, 8, &stage->had);

		tenant_note(&stage->meter, (uint64_t)(now_ns() - begun), good);
		usleep(500);
	}
	return 0;
}

/* Takes the processor from its other thread most of the time. */
static void hog(void)
{
	for (;;) {
		int64_t until = now_ms() + BUSY_MS;

		while (now_ms() < until)
			;
		usleep(IDLE_MS * 1000);
	}
}

static int attack(void *arg)
{
	struct weir_call call = { .flags = WEIR_REC_DROP, .one_way = 1 };
	const struct sched_param none = { 0 };
	struct weir *s, *c;

	(void)arg;
	tenant_on_cpu(0);
	s = server_of(OWN, 1, 32 * M, NULL);
	c = handle(16 * M, 0);
	call.route = route_of(c, stage->path);
	if (!tenant_fork(TENANT_ATTACKER))
		hog();
	need(!sched_setscheduler(0, SCHED_IDLE, &none), "idle priority");
	put(&stage->go, 2);
	while (!get(&stage->meter.stop)) {
		struct weir_buf buf = { 0 };

		/* one system call sends many */
		while (!weir_call_claim(c, &call, 60000, &buf))
			weir_call_commit_more(c, &call, &buf);
		weir_flush(c);
		drain(s);
	}
	return 0;
}

/*
 * Round trips since a phase began last that took longer than half of the time the
 * flood stands still.
 */
static uint64_t stalls(int n)
{
	const struct tenant_meter *m = &stage->meter;
	uint64_t sum = 0;
	unsigned int i;

	for (i = tenant_bucket(BUSY_MS / 2 * MS); i < TENANT_BUCKETS; i++)
		sum += m->phases[n].hist[i] - m->begun[n].hist[i];
	return sum;
}

static uint64_t phase(int n, const char *path, uint64_t rounds)
{
	pid_t attacker, pid;
	bool all;

	strcpy(stage->path, path);
	put(&stage->go, 0);
	put(&stage->had, 0);
	put(&stage->meter.stop, 0);
	put(&stage->meter.phase, n);
	pid = tenant_start(TENANT_VICTIM, victim, NULL);
	need(soon(get(&stage->go) == 1), "the victim is at work");
	attacker = tenant_start(TENANT_ATTACKER, attack, NULL);
	need(soon(get(&stage->go) == 2), "the flood is under way");
	all = tenant_measure(&stage->meter, n, rounds);
	check(all && !stage->meter.phases[n].bad, "%s: the victim is served",
	      path);
	put(&stage->meter.stop, 1);
	check(!tap_wait(pid), "%s: and ends well", path);
	tap_kill(attacker);
	return stalls(n);
}

int main(void)
{
	struct weir_route_conf conf = { QUIET };
	struct weir_route_op op = route_op(WEIR_OP_ROUTE_SET, OTHERS, "", 0, 0);
	uint64_t rounds = (uint64_t)tap_scale(750, 100), before, beside;
	struct tenant_verdict verdict = { .limit = 1 };
	int fd;

	hard_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		tap_skip_all("one processor");
	stage = tap_shared(sizeof(*stage));
	/* whoever may execute it serves it */
	fd = tap_socket(SOCK_RDM);
	op.conf = conf;
	need(!tap_setopt(fd, WEIR_SO_MODE, 0777) &&
	     !control_by(fd, &op, 1, NULL), "route");
	close(fd);
	do {
		before = phase(0, OWN, rounds);
		beside = phase(1, OTHERS, rounds);
		/* a thread that is not protected stops one of five */
		tenant_compare(&verdict, beside, 2 * before + rounds / 100);
		note("%llu and %llu of %llu wait for it",
		     (unsigned long long)before, (unsigned long long)beside,
		     (unsigned long long)rounds);
	} while (!slow_kernel() && tenant_undecided(&verdict));
	tenant_show(&stage->meter, 0, OWN);
	tenant_show(&stage->meter, 1, OTHERS);
	check(stage->had > 0, "the flood comes through (%llu)",
	      (unsigned long long)stage->had);
	/* the sanitizer kernel looks for faults; its times mean little */
	if (slow_kernel())
		tap_skip("waits for the flood's thread",
			 "times mean little on this kernel");
	else
		tenant_judge(&verdict,
			     "the victim waits for the flood's thread no more often");
	need(!route_del(OTHERS), "del");
	check_routes_gone("preempt");
	check_kernel();
	return tap_done();
}
