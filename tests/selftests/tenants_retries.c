// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that wait to be sent again, of an idle process, to an inbox that is
 * full: they take next to nothing of a processor, go in order when there is
 * room, and none is lost. Waiters for room in an inbox are called user by user:
 * one user's thousand do not come before another's one.
 */
#include <dirent.h>

#include "routed.h"
#include "tenants.h"

#define SMALL	4096

/*
 * Processor time that the kernel's workers took since the call before, in
 * nanoseconds. Worker by worker: one that ends takes its sum with it.
 */
static int64_t worker_ns(void)
{
	static unsigned long long known[1 << 16];	/* by process number */
	unsigned long long ticks = 0;
	DIR *d = opendir("/proc");
	struct dirent *e;

	need(d, "/proc");
	while ((e = readdir(d))) {
		unsigned long long user, system, *before;
		char path[300], comm[64];
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		f = *e->d_name >= '0' && *e->d_name <= '9' ?
		    fopen(path, "r") : NULL;
		if (!f)
			continue;
		before = &known[strtoul(e->d_name, NULL, 10) % (1 << 16)];
		if (fscanf(f, "%*d (%63[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			   comm, &user, &system) == 3 &&
		    !strncmp(comm, "kworker", 7)) {
			ticks += user + system - (*before <= user + system ?
						  *before : 0);
			*before = user + system;
		}
		fclose(f);
	}
	closedir(d);
	return (int64_t)ticks * (SECOND / sysconf(_SC_CLK_TCK));
}

/* Per thousand of one processor that workers take while nothing is asked for. */
static int worker_share(int64_t ns)
{
	int64_t begun;

	worker_ns();
	begun = now_ns();
	pass(ns);
	return (int)(worker_ns() * 1000 / (now_ns() - begun));
}

/**
 * struct storm - what the attacker and the test tell each other
 * @n: requests.
 * @serving: the path is there.
 * @set: and so are its settings, which take privilege.
 * @waiting: they wait to be sent again.
 * @go: the target reads.
 * @served: requests that it has got.
 * @disorder: of these, in another order.
 * @answered: answers that the caller has got.
 */
struct storm {
	int n, serving, set, waiting, go, served, disorder, answered;
};

static int attack(void *arg)
{
	struct storm *storm = arg;
	struct weir *first, *second, *c;
	uint32_t route, last = 0;
	struct weir_msg msg;
	struct outcome o;
	int i;

	first = server_of("/storm", 1, 1 << 20, NULL);
	put(&storm->serving, 1);
	need(soon(get(&storm->set)), "the settings");
	c = handle(4 << 20, 4 << 20);
	route = route_of(c, "/storm");
	for (i = 1; i <= storm->n; i++) {
		struct weir_call call = {
			.route = route, .tag = (uint32_t)i,
			.flags = WEIR_REC_IDEMPOTENT,
		};

		need(!request(c, &call, &i, sizeof(i)), "request");
	}
	weir_flush(c);
	/* what the first had goes to the second, which has no room for it */
	second = server_of("/storm", 1, SMALL, NULL);
	weir_close(first);
	put(&storm->waiting, 1);
	need(tap_within(3 * HARD_DEADLINE_MS, get(&storm->go)),
	     "the test goes on");
	while (storm->answered < storm->n) {
		struct weir_ticket t;

		while (outcome_now(c, &o)) {
			need(o.kind == WEIR_KIND_REPLY, "a reply");
			add(&storm->answered, 1);
		}
		if (weir_peek(second, &msg) != 1)
			continue;
		if (msg.rec->tag) {
			memcpy(&i, msg.data, sizeof(i));
			storm->disorder += (uint32_t)i <= last;
			last = (uint32_t)i;
		}
		t = weir_ticket(&msg);
		weir_release(second, &msg);
		add(&storm->served, 1);
		need(!weir_reply(second, &t, &i, sizeof(i), HARD_DEADLINE_NS),
		     "reply");
	}
	weir_close(second);
	weir_close(c);
	return 0;
}

static void retries(void)
{
	struct weir_route_conf conf = { .timeout_ns = 600 * SECOND,
					.probe_ns = WEIR_PROBE_OFF,
					.policy = WEIR_POLICY_PRIMARY };
	struct storm *storm = tap_shared(4096);
	struct tenant_meter *m = tenant_meter_new();
	struct tenant_job job = { .path = "/quiet", .meter = m, .cpu = -1 };
	pid_t service, caller, attacker;
	uint64_t rounds = (uint64_t)scaled(2000);
	int before, during;
	bool ended;

	storm->n = (int)scaled(12000);
	tenant_victim(TENANT_VICTIM, &job, &service, &caller);
	check(tenant_measure(m, 0, rounds), "the victim is served before");
	before = worker_share(2 * SECOND);
	attacker = tenant_start(TENANT_ATTACKER, attack, storm);
	need(soon(get(&storm->serving)) && !route_set("/storm", &conf), "route");
	put(&storm->set, 1);
	need(soon(get(&storm->waiting)), "the requests wait");
	check(tenant_measure(m, 1, rounds), "and while they wait");
	/* each has been tried once, and then they wait */
	soon((during = worker_share(2 * SECOND)) <= before + 50);
	tenant_show(m, 0, "before");
	tenant_show(m, 1, "beside requests that wait");
	check(during <= before + 50,
	      "%d requests that wait take nothing of a processor (workers: %d, before %d of 1000)",
	      storm->n, during, before);
	put(&storm->go, 1);
	ended = !tap_wait(attacker);
	check(ended && storm->answered == storm->n,
	      "when there is room all are sent and answered (%d of %d)",
	      storm->answered, storm->n);
	need(!route_del("/storm"), "del");
	check(!storm->disorder, "in order (%d are not)", storm->disorder);
	check(tenant_measure(m, 2, rounds) && !m->phases[0].bad &&
	      !m->phases[1].bad && !m->phases[2].bad,
	      "the victim has its answers");
	check(tenant_victim_end(&job, service, caller), "and ends well");
}

/* --- behind one that waits ---------------------------------------------------- */

/* The targets of a path: the second one has what the first has left. */
static struct weir *fails_over(const char *path, struct weir *c, int n,
			       uint32_t room)
{
	struct weir *first = server_of(path, 1, 1 << 20, NULL), *second;
	struct weir_route_conf conf = { .timeout_ns = 600 * SECOND,
					.probe_ns = WEIR_PROBE_OFF,
					.policy = WEIR_POLICY_PRIMARY };
	struct weir_call call = { .flags = WEIR_REC_IDEMPOTENT };
	int i;

	need(!route_set(path, &conf), "route");
	call.route = route_of(c, path);
	for (i = 1; i <= n; i++) {
		call.tag = (uint32_t)i;
		need(!request(c, &call, &i, sizeof(i)), "request");
	}
	weir_flush(c);
	second = server_of(path, 1, room, NULL);
	weir_close(first);
	return second;
}

/* Takes what has come; returns how many messages that were. */
static int take_all(struct weir *s)
{
	struct weir_msg msg;
	int n = 0;

	for (; weir_peek(s, &msg) == 1; n++)
		weir_release(s, &msg);
	weir_flush(s);
	return n;
}

/*
 * More retries of one path wait for room than one search passes over: those of
 * another path of the caller are sent nevertheless.
 */
static void behind(void)
{
	enum { MANY = 3000 };
	struct weir *c = handle(4 << 20, 4 << 20), *full, *calm;
	int n = 0;

	full = fails_over("/behind/full", c, MANY, SMALL);
	usleep(300000);		/* they have been tried once */
	calm = fails_over("/behind/calm", c, 1, 1 << 16);
	check(soon(take_all(calm) == 1),
	      "a retry is not behind %d of another path that wait", MANY);
	check(soon((n += take_all(full)) >= MANY),
	      "which come when there is room (%d)", n);
	weir_close(calm);
	weir_close(full);
	weir_close(c);
	need(!route_del("/behind/full") && !route_del("/behind/calm"), "del");
}

/* --- in turn ---------------------------------------------------------------- */

/**
 * struct crowd - the waiters for one inbox
 * @ports: sockets of the attacker's.
 * @sent: those that have sent, of all users.
 * @end: they may go.
 */
struct crowd {
	int ports, sent, end;
};

static int crowd_member(struct crowd *crowd, int ports, uint32_t tag)
{
	struct weir *w[1024];
	int i, k;

	for (i = 0; i < ports; i++) {
		uint32_t route;

		w[i] = caller("/crowd", &route);
		for (k = 0; k < 4; k++) {
			struct weir_call call = {
				.route = route, .tag = tag, .one_way = 1,
			};

			ask_for(w[i], &call, &tag, sizeof(tag));
		}
		add(&crowd->sent, 1);
	}
	soon(get(&crowd->end));
	return 0;
}

static int crowd_attacks(void *arg)
{
	struct crowd *crowd = arg;

	return crowd_member(crowd, crowd->ports, 1);
}

static int crowd_victim(void *arg)
{
	return crowd_member(arg, 1, 2);
}

static void in_turn(void)
{
	struct crowd *crowd = tap_shared(4096);
	struct weir *s = handle(0, SMALL);
	struct weir_msg msg;
	pid_t attacker, victim;
	int n = 0, at = 0, total;
	uint32_t tag;

	crowd->ports = slow_kernel() ? 100 : 300;
	need(!tap_setopt(weir_fd(s), WEIR_SO_MODE, 0666) &&
	     !weir_serve(s, "/crowd", 1, NULL), "serve");
	route_quiet("/crowd");
	attacker = tenant_start(TENANT_ATTACKER, crowd_attacks, crowd);
	need(soon(get(&crowd->sent) == crowd->ports), "the crowd waits");
	victim = tenant_start(TENANT_VICTIM, crowd_victim, crowd);
	need(soon(get(&crowd->sent) == crowd->ports + 1), "the victim waits");
	total = 4 * (crowd->ports + 1);
	while (n < total && soon(weir_peek(s, &msg) == 1)) {
		memcpy(&tag, msg.data, sizeof(tag));
		n++;
		if (tag == 2 && !at)
			at = n;
		weir_release(s, &msg);
		weir_flush(s);
	}
	check(n == total, "all that waited have come (%d of %d)", n, total);
	/* what is there already, and two inboxes more until its worker has run */
	check(at && at <= 3 * SMALL / 64,
	      "one user's %d do not come before another's one (it is number %d)",
	      crowd->ports, at);
	put(&crowd->end, 1);
	check(!tap_wait(attacker) && !tap_wait(victim), "all end well");
	weir_close(s);
	need(!route_del("/crowd"), "del");
}

int main(void)
{
	hard_begin();
	part(retries);
	part(behind);
	part(in_turn);
	check_routes_gone("retries");
	check_kernel();
	return tap_done();
}
