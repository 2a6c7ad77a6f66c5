// SPDX-License-Identifier: GPL-2.0
/*
 * Breaker: a service takes a moment for each request, and its route has a
 * circuit breaker. Another user calls it with deadlines that are shorter than
 * that moment, so that none of its calls is answered in time. The breaker does
 * not open for that: no call of the victim is refused by it. It opens when the
 * service leaves calls unanswered for the route's own time.
 */
#include "routed.h"
#include "tenants.h"

#define PATH		"/breaker/service"
#define MOMENT_US	4000	/* of the service, for each request */
#define BRIEF_NS	1000000	/* the attacker's deadlines */
#define MIN_CALLS	10

static struct tenant_meter *meter;

/* What the attacker tells the test; it is in shared memory. */
static long *given_up;

/* The service of the victim. */
static int service(void *arg)
{
	int fd = tap_socket(SOCK_RDM);
	struct weir_scm_route scm;
	char buf[64];
	ssize_t n;

	(void)arg;
	if (tap_setopt(fd, WEIR_SO_MODE, 0666) ||
	    setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, PATH, strlen(PATH)))
		return 1;
	__atomic_add_fetch(&meter->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&meter->stop, __ATOMIC_ACQUIRE)) {
		if (!tap_poll(fd, POLLIN, 100))
			continue;
		n = tenant_recv(fd, buf, sizeof(buf), MSG_DONTWAIT, &scm);
		if (n < 0 || scm.kind != WEIR_KIND_REQUEST)
			continue;
		usleep(MOMENT_US);
		scm.kind = WEIR_KIND_REPLY;
		scm.flags = 0;
		scm.key = 0;
		scm.deadline_ns = 0;
		tenant_send(fd, NULL, buf, n, 0, &scm);
	}
	return 0;
}

/* Calls, and waits until each call is given up. */
static int attack(void *arg)
{
	struct weir_scm_route scm;
	int fd = tap_socket(SOCK_RDM);
	struct weir_fault *fault;
	char buf[128];
	uint64_t i;

	(void)arg;
	for (i = 1; !__atomic_load_n(&meter->stop, __ATOMIC_ACQUIRE); i++) {
		memset(&scm, 0, sizeof(scm));
		scm.kind = WEIR_KIND_REQUEST;
		scm.tag = (uint32_t)i;
		scm.deadline_ns = tenant_now_ns() + BRIEF_NS;
		if (tenant_send(fd, PATH, &i, sizeof(i), 0, &scm) < 0)
			continue;
		if (!tap_poll(fd, POLLIN, TAP_DEADLINE_MS) ||
		    tenant_recv(fd, buf, sizeof(buf), MSG_DONTWAIT, &scm) < 0)
			continue;
		fault = (void *)buf;
		if (scm.kind == WEIR_KIND_ERROR &&
		    fault->reason == WEIR_REASON_DEADLINE && fault->target)
			__atomic_add_fetch(given_up, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

static void breaker_state(struct weir_target_entry *t)
{
	need(list(WEIR_LIST_TARGETS, t, sizeof(*t), 1) == 1, "the target");
}

/* Calls that the service does not answer: more than a tenth of all. */
static void hangs(void)
{
	uint64_t n = 4 * MIN_CALLS + (meter->phases[0].good +
		     meter->phases[1].good + meter->phases[2].good) / 4;
	struct weir_scm_route scm = { .kind = WEIR_KIND_REQUEST };
	struct weir_target_entry t;
	int fd = tap_socket(SOCK_RDM);
	char word[8] = "word";

	while (n--)
		tenant_send(fd, PATH, word, sizeof(word), MSG_DONTWAIT, &scm);
	tap_ok(tap_until(({
		breaker_state(&t);
		t.breaker_opens;
	})), "calls that get no answer in the route's time open it");
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
	struct tenant_job job = { .path = PATH, .cpu = -1 };
	uint64_t rounds = (uint64_t)tap_scale(200, 20);
	struct weir_target_entry t;
	pid_t pid[3];
	int i;

	tap_family();
	tap_watchdog(250);
	if (geteuid())
		tap_skip_all("needs root");
	job.meter = meter = tenant_meter_new();
	given_up = tap_shared(sizeof(*given_up));
	pid[0] = tenant_start(TENANT_VICTIM, service, NULL);
	if (!tap_until(__atomic_load_n(&meter->ready, __ATOMIC_ACQUIRE) == 1))
		tap_bail("no service");
	need(!route_set(PATH, &conf), "route");
	pid[1] = tenant_start(TENANT_VICTIM, tenant_caller, &job);
	tap_ok(tenant_measure(meter, 0, rounds), "a service answers");
	pid[2] = tenant_start(TENANT_ATTACKER, attack, NULL);
	tap_ok(tenant_measure(meter, 1, rounds) &&
	       tap_until(__atomic_load_n(given_up, __ATOMIC_ACQUIRE) >=
			 (long)rounds) &&
	       tenant_measure(meter, 2, rounds),
	       "beside a user whose calls end early");
	tap_diag("%ld calls ended by their deadlines", *given_up);
	for (i = 0; i < 3; i++)
		tenant_show(meter, i, i ? "beside these" : "alone");
	tap_is(meter->phases[0].bad + meter->phases[1].bad +
	       meter->phases[2].bad, 0, "no call of the victim is refused");
	breaker_state(&t);
	tap_is(t.breaker_opens, 0, "the breaker has not opened");

	tenant_kill(pid[1]);
	tenant_kill(pid[2]);
	kill(pid[0], SIGSTOP);
	conf.timeout_ns = 100 * (uint64_t)MS;
	need(!route_set(PATH, &conf), "route");
	hangs();
	tenant_kill(pid[0]);
	need(!route_del(PATH), "route");
	return tap_done();
}
