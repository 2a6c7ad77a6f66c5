// SPDX-License-Identifier: GPL-2.0
/*
 * Hostage: a service replies with WEIR_REC_WAIT, and callers of other users ask
 * for more than their inboxes hold and do not read, or read a record at a time.
 * Their replies wait for as long as the route is patient, and less from then
 * on; a victim that calls the same service keeps its answers and its round
 * trips, and whoever reads at last finds an answer for each of its calls.
 *
 * Others have a reply wait and close the socket just before the patience ends,
 * again and again, with the next socket open already or without any: they are
 * waited for once.
 */
#include "routed.h"
#include "tenants.h"

#define PATH		"/hostage/service"
#define LARGE		1500	/* bytes of a reply to a request of two words */
#define CALLS		20
#define SOCKETS		8	/* of each hostile user */
#define USERS		3

#define PATIENCE_MS	500
#define HOLD_MS		450	/* a caller closes its socket after that */
#define HOLDS		8

/**
 * struct hostile - what a hostile user tells the test, in shared memory
 * @ready: it has asked for all.
 * @read: set by the test: read all that there is.
 * @drip: it reads a record now and then.
 * @answers: that it has read.
 * @impatient: of these, refused as WEIR_REASON_PATIENCE.
 * @done: it has read all.
 */
struct hostile {
	int ready, read, drip, done;
	long answers, impatient;
};

static struct hostile *hostile;
static struct tenant_meter *meter;
static long long others;	/* objects of those that are not hostile */

static void read_one(struct hostile *h, int fd)
{
	static char buf[LARGE];
	struct weir_scm_route scm;
	struct weir_refusal *fault = (void *)buf;

	if (tenant_recv(fd, buf, sizeof(buf), MSG_DONTWAIT, &scm) < 0)
		return;
	h->answers++;
	h->impatient += scm.kind == WEIR_KIND_ERROR &&
			scm.flags & WEIR_REC_ROUTER &&
			fault->reason == WEIR_REASON_PATIENCE;
}

static int attack(void *arg)
{
	struct weir_scm_route scm = {
		.kind = WEIR_KIND_REQUEST, .deadline_ns = ~0ull,
	};
	struct hostile *h = arg;
	uint64_t words[2] = { 0 };
	int fd[SOCKETS], i, k;

	for (i = 0; i < SOCKETS; i++) {
		fd[i] = tap_socket(SOCK_RDM);
		if (tap_setopt(fd[i], WEIR_SO_INBOX_BYTES, 4096))
			return 2;
		for (k = 0; k < CALLS; k++)
			if (tenant_send(fd[i], PATH, words, sizeof(words), 0,
					&scm) < 0)
				return 3;
	}
	__atomic_store_n(&h->ready, 1, __ATOMIC_RELEASE);
	for (i = 0; !__atomic_load_n(&h->read, __ATOMIC_ACQUIRE); i++) {
		usleep(2000);
		if (h->drip)
			read_one(h, fd[i % SOCKETS]);
	}
	while (h->answers < SOCKETS * CALLS) {
		for (i = 0; i < SOCKETS; i++)
			read_one(h, fd[i]);
		usleep(100);
	}
	__atomic_store_n(&h->done, 1, __ATOMIC_RELEASE);
	return 0;
}

/* A socket for which a reply waits soon: that of the third call, or an earlier. */
static int hold(void)
{
	struct weir_scm_route scm = { .kind = WEIR_KIND_REQUEST };
	uint64_t words[2] = { 0 };
	int fd = tap_socket(SOCK_RDM), k;

	if (tap_setopt(fd, WEIR_SO_INBOX_BYTES, 4096))
		_exit(2);
	for (k = 0; k < 4; k++)
		if (tenant_send(fd, PATH, words, sizeof(words), 0, &scm) < 0)
			_exit(3);
	return fd;
}

/* @arg: whether the user always has a socket. */
static int leave(void *arg)
{
	int keep = *(int *)arg, fd[HOLDS], i;

	for (i = 0; i < HOLDS; i++) {
		fd[i] = hold();
		if (keep && i)
			close(fd[i - 1]);
		usleep(HOLD_MS * 1000);
		if (keep)
			continue;
		close(fd[i]);
		/* until nothing is left of it */
		if (!tap_until(tap_stat("stats/charged_objects") <= others))
			return 4;
	}
	return 0;
}

/* How often the watchdog has given up the service. */
static long long hangs(void)
{
	struct weir_target_entry e = { 0 };
	int fd = tap_socket(SOCK_RDM);
	long long n = 0;
	uint64_t id = 0;

	while (tenant_list_next(fd, WEIR_LIST_TARGETS, &e, sizeof(e), &id))
		n += (long long)e.ejections;
	close(fd);
	return n;
}

/* Round trips in a phase that took longer than half of such a wait. */
static uint32_t held_up(int phase)
{
	unsigned int i = tenant_bucket(HOLD_MS * UINT64_C(500000));
	uint32_t n = 0;

	while (++i < TENANT_BUCKETS)
		n += meter->phases[phase].hist[i];
	return n;
}

/* Beside a user that closes its sockets while replies wait for it. */
static void leavers(uid_t uid, int keep, int phase)
{
	pid_t pid;

	__atomic_store_n(&meter->phase, phase, __ATOMIC_RELEASE);
	pid = tenant_start(uid, leave, &keep);
	tap_ok(!tap_wait(pid), "a user closes its sockets in time, %s",
	       keep ? "all but one" : "all of them");
	tap_ok(tenant_measure(meter, phase, 1), "the victim goes on");
	tenant_show(meter, phase, "beside it");
	tap_ok(held_up(phase) <= HOLDS / 2,
	       "the victim waits for it once, not %d times (%u)", HOLDS,
	       held_up(phase));
	tap_is(meter->phases[phase].bad, 0, "no answer of it is lost");
}

/* A round: the victim alone, and beside hostile users, of whom it knows none. */
static long hold_up(int round, uint64_t trips)
{
	pid_t evil[USERS];
	long impatient = 0;
	int i;

	memset(hostile, 0, USERS * sizeof(*hostile));
	tap_ok(tenant_measure(meter, 0, trips), "the victim is served");
	tenant_begin(meter, 1);
	for (i = 0; i < USERS; i++) {
		hostile[i].drip = i == 1;
		evil[i] = tenant_start(TENANT_ATTACKER + 100 + round * USERS + i,
				       attack, &hostile[i]);
		if (!tap_until(__atomic_load_n(&hostile[i].ready,
					       __ATOMIC_ACQUIRE)))
			tap_bail("no attack");
	}
	tap_ok(tenant_measured(meter, 1, tenant_count(meter, 1) + trips),
	       "beside those that do not read, too");

	tenant_begin(meter, 2);
	for (i = 0; i < USERS; i++)
		__atomic_store_n(&hostile[i].read, 1, __ATOMIC_RELEASE);
	for (i = 0; i < USERS; i++) {
		tap_ok(tap_until(__atomic_load_n(&hostile[i].done,
						 __ATOMIC_ACQUIRE)),
		       "each call of a hostile user has its answer (%ld)",
		       hostile[i].answers);
		tap_ok(!tap_wait(evil[i]), "it ends well");
		impatient += hostile[i].impatient;
	}
	tap_ok(tap_until(tap_stat("stats/charged_objects") <= others),
	       "nothing is left of the hostile users");
	return impatient;
}

static void hold_up_in_rounds(uint64_t trips)
{
	struct tenant_verdict verdict = { .limit = 8 };
	long impatient = 0;

	while (tenant_undecided(&verdict)) {
		impatient += hold_up(verdict.rounds, trips);
		tenant_compare(&verdict, tenant_last(meter, 1, 900),
			       tenant_last(meter, 0, 900));
	}
	tenant_show(meter, 0, "alone");
	tenant_show(meter, 1, "beside those that do not read");
	tap_is(meter->phases[1].bad, 0, "no answer of it is lost");
	tenant_judge(&verdict, "and nine of ten round trips are as they were");
	tap_ok(impatient > 0, "some for the end of patience (%ld)", impatient);
	tap_ok(tenant_measure(meter, 3, trips), "the victim goes on");
	tenant_show(meter, 3, "after it");
}

int main(void)
{
	struct weir_route_conf conf = {
		.patience_ns = PATIENCE_MS * UINT64_C(1000000),
		/* several looks within such a wait */
		.probe_ns = PATIENCE_MS * UINT64_C(1000000) / 5,
	};
	struct tenant_job job = {
		.path = PATH, .cpu = -1, .large = LARGE,
		.flags = WEIR_REC_WAIT,
	};
	pid_t server, caller;

	tap_family();
	tap_watchdog(300);
	meter = job.meter = tenant_meter_new();
	hostile = tap_shared(USERS * sizeof(*hostile));
	server = tenant_start(TENANT_VICTIM, tenant_service, &job);
	if (!tap_until(__atomic_load_n(&meter->ready, __ATOMIC_ACQUIRE) == 1))
		tap_bail("no service");
	caller = tenant_start(TENANT_OTHER, tenant_caller, &job);
	tap_ok(tenant_measure(meter, 0, 10), "a service answers");
	/* leave() is another user's, and looks at that */
	if (chmod("/sys/kernel/weir/stats/charged_objects", 0444))
		tap_bail("chmod");
	others = tap_stat("stats/charged_objects");
	hold_up_in_rounds((uint64_t)tap_scale(250, 100));
	tap_ok(!route_set(PATH, &conf), "with more patience");
	others = tap_stat("stats/charged_objects");
	leavers(TENANT_ATTACKER + 200, 1, 4);
	leavers(TENANT_ATTACKER + 201, 0, 5);
	tap_is(hangs(), 0, "a service whose reply waits is not taken for one that hangs");
	tap_ok(!route_del(PATH), "and as before");
	chmod("/sys/kernel/weir/stats/charged_objects", 0400);
	tap_ok(tenant_victim_end(&job, server, caller), "and ends well");
	return tap_done();
}
