// SPDX-License-Identifier: GPL-2.0
/*
 * Breaker: a service takes a moment for each request, and its route has a
 * circuit breaker. Another user calls it with deadlines of half of what a call
 * takes, so that few of its calls, if any, are answered in time. The breaker does
 * not open for that: no call of the victim is refused by it. Then the other user
 * sends requests that the service answers with errors. The breaker opens for that
 * user alone. It opens for the victim when all of its calls are slow, and for all
 * when the service leaves calls of two users unanswered for the route's own time.
 */
#include "routed.h"
#include "tenants.h"

#define PATH		"/breaker/service"
#define MOMENT_US	4000	/* of the service, for each request */
#define MIN_CALLS	10

static struct tenant_meter *meter;

/* The attacker's deadlines: half of what a call takes. */
static uint64_t brief_ns;

#define NONSENSE	3	/* bytes of requests that make no sense */

/* What the attackers tell the test; it is in shared memory. */
static struct {
	long given_up;	/* calls ended by their deadlines */
	long errors;	/* calls that the service answered with an error */
	long refused;	/* calls that the breaker refused */
} *seen;

/*
 * Calls, one call after the other, and counts how they end. @len: bytes of each
 * request. @within_ns: deadline of each; 0: the route's.
 */
static void call(size_t len, uint64_t within_ns)
{
	struct weir_scm_route scm;
	int fd = tap_socket(SOCK_RDM);
	struct weir_refusal *fault;
	char buf[128] = "no";

	while (!__atomic_load_n(&meter->stop, __ATOMIC_ACQUIRE)) {
		memset(&scm, 0, sizeof(scm));
		scm.kind = WEIR_KIND_REQUEST;
		if (within_ns)
			scm.deadline_ns = tenant_now_ns() + within_ns;
		if (tenant_send(fd, PATH, buf, len, 0, &scm) < 0 ||
		    !tap_poll(fd, POLLIN, TAP_DEADLINE_MS) ||
		    tenant_recv(fd, buf, sizeof(buf), MSG_DONTWAIT, &scm) < 0 ||
		    scm.kind != WEIR_KIND_ERROR)
			continue;
		fault = (void *)buf;
		if (!(scm.flags & WEIR_REC_ROUTER))
			__atomic_add_fetch(&seen->errors, 1, __ATOMIC_RELEASE);
		else if (fault->reason == WEIR_REASON_BREAKER)
			__atomic_add_fetch(&seen->refused, 1, __ATOMIC_RELEASE);
		else if (fault->reason == WEIR_REASON_DEADLINE && fault->target)
			__atomic_add_fetch(&seen->given_up, 1,
					   __ATOMIC_RELEASE);
	}
}

/* The attacker gives up each of its calls. */
static int give_up(void *arg)
{
	(void)arg;
	call(sizeof(uint64_t), brief_ns);
	return 0;
}

/* The attacker's requests make no sense. */
static int talk_nonsense(void *arg)
{
	(void)arg;
	call(NONSENSE, 0);
	return 0;
}

/* The service, as a target of its route. */
static const struct weir_target_entry *target(void)
{
	struct weir_target_entry *all;
	uint32_t n, i;

	all = targets(&n);
	for (i = 0; i < n && strcmp(all[i].path, PATH); i++)
		;
	need(i < n, "the target");
	return &all[i];
}

/* Calls one after the other, all of which are slow, open it for their user. */
static void is_slow(struct weir_route_conf *conf)
{
	conf->breaker_slow_ns = MOMENT_US * 1000 / 4;
	conf->breaker_slow_percent = 50;
	need(!route_set(PATH, conf), "route");
	need(!target_op(WEIR_OP_BREAKER, PATH, "", target()->id,
			WEIR_FORCE_AUTO), "a breaker that begins again");
	__atomic_store_n(&meter->phase, 5, __ATOMIC_RELEASE);
	check(soon(get(&meter->refused)) &&
	      (uint32_t)get(&meter->refused) == WEIR_REASON_BREAKER,
	      "a user whose calls are all slow is refused");
	conf->breaker_slow_percent = 0;
}

/*
 * Calls that the service does not answer open a new breaker: those
 * of the victim, which still calls, and those of this process.
 */
static void hangs(void)
{
	struct weir_scm_route scm = { .kind = WEIR_KIND_REQUEST };
	uint64_t opens = target()->breaker_opens;
	int fd = tap_socket(SOCK_RDM), n;
	char word[8] = "word";

	need(!target_op(WEIR_OP_BREAKER, PATH, "", target()->id,
			WEIR_FORCE_AUTO), "a breaker that begins again");
	for (n = 0; n < 4 * MIN_CALLS; n++)
		tenant_send(fd, PATH, word, sizeof(word), MSG_DONTWAIT, &scm);
	check(soon(target()->breaker_opens > opens),
	      "calls that get no answer in the route's time open it");
	check(soon(target()->breaker == WEIR_BREAKER_OPEN), "and for all");
	close(fd);
}

int main(void)
{
	struct weir_route_conf conf = {
		.timeout_ns = 60 * (uint64_t)SECOND,
		.breaker_window_ns = 600 * (uint64_t)SECOND,
		.breaker_open_ns = 600 * (uint64_t)SECOND,
		.breaker_min_calls = MIN_CALLS,
		.breaker_error_percent = 10,
		.breaker_probes = 1,
		.probe_ns = WEIR_PROBE_OFF,
	};
	struct tenant_job job = {
		.path = PATH, .cpu = -1, .moment_us = MOMENT_US,
		.nonsense = NONSENSE,
	};
	static const char *const beside[] = {
		"alone", "short deadlines", "more short deadlines",
		"requests that make no sense", "an open breaker",
	};
	uint64_t rounds = (uint64_t)tap_scale(200, 20);
	pid_t pid[3];
	int i;

	hard_begin();
	tap_watchdog(250);
	if (geteuid())
		tap_skip_all("needs root");
	job.meter = meter = tenant_meter_new();
	seen = tap_shared(sizeof(*seen));
	pid[0] = tenant_start(TENANT_VICTIM, tenant_service, &job);
	need(soon(get(&meter->ready) == 1), "the service");
	need(!route_set(PATH, &conf), "route");
	pid[1] = tenant_start(TENANT_VICTIM, tenant_caller, &job);
	check(tenant_measure(meter, 0, rounds), "a service answers");
	brief_ns = tenant_quantile(meter, 0, 500) / 2;
	pid[2] = tenant_start(TENANT_ATTACKER, give_up, NULL);
	check(tenant_measure(meter, 1, rounds) &&
	      soon(get(&seen->given_up) >= (long)rounds) &&
	      tenant_measure(meter, 2, rounds),
	      "beside a user whose calls end early");
	note("%ld calls ended by their deadlines of %llu us", seen->given_up,
	     (unsigned long long)brief_ns / 1000);
	tap_is(target()->breaker_opens, 0, "the breaker has not opened");
	tap_kill(pid[2]);
	pid[2] = tenant_start(TENANT_ATTACKER, talk_nonsense, NULL);
	check(tenant_measure(meter, 3, rounds) && soon(get(&seen->refused)) &&
	      tenant_measure(meter, 4, rounds),
	      "a user whose calls are answered with errors is refused");
	tap_is(target()->breaker, WEIR_BREAKER_ONE_USER,
	       "lists say that it is open for one user");
	note("%ld calls answered with errors, %ld refused", seen->errors,
	     seen->refused);
	for (i = 0; i < 5; i++) {
		tenant_show(meter, i, beside[i]);
		check(!meter->phases[i].bad,
		      "%s: no call of the victim is refused (%llu)", beside[i],
		      (unsigned long long)meter->phases[i].bad);
	}

	tap_kill(pid[2]);
	is_slow(&conf);
	kill(pid[0], SIGSTOP);
	conf.timeout_ns = 100 * (uint64_t)MS;
	need(!route_set(PATH, &conf), "route");
	hangs();
	tap_kill(pid[1]);
	tap_kill(pid[0]);
	need(!route_del(PATH), "del");
	check_routes_gone("breaker");
	check_kernel();
	return tap_done();
}
