// SPDX-License-Identifier: GPL-2.0
/*
 * A victim binds small rings all the time while another user does, one after
 * the other, what takes long: binds large rings, subscribes to thousands of
 * streams, starts at the oldest byte of a full large ring, closes servers with
 * many open calls, lets large rings linger to their end, changes routes by the
 * thousand, lists everything, and ends namespaces. The victim's binds are
 * compared with those beside plain loops that keep the processors as busy: a
 * bind that waits for the namespace's lock for as long as any of that takes is
 * longer by orders of magnitude.
 *
 * Where tests/holds measures the lock and time is counted instructions, a hold
 * has a limit, and so has what somebody waits for it. The victim runs before all
 * others there. How long its binds take by the clock is only shown: a holder that
 * has to wait for a processor makes them longer, whatever it does.
 */
#include <sys/resource.h>

#include "hard.h"
#include "tenants.h"

#define ATTACKERS	16
#define TARGETS		200	/* of a route, on the sanitizer kernel fewer */
#define LISTED		512	/* entries of a list at a time */
#define WAIT_MAX_NS	5000000
#define HOLD_MAX_NS	100000
#define HOLDS		"/sys/kernel/debug/weir_holds"

/**
 * struct attack - one way to keep the namespace busy
 * @name: for the output.
 * @round: done again and again by each attacker; 0, or what failed.
 */
struct attack {
	const char *name;
	int (*round)(int me);
};

/**
 * struct stage - what the processes share
 * @meter: the victim's binds.
 * @late_ns: by how much it woke too late in this phase, at most, in ns.
 * @stop: the attackers end.
 * @rounds: that they have done in this phase.
 * @failed: what an attacker could not do; 0.
 */
struct stage {
	struct tenant_meter meter;
	uint64_t late_ns;
	int stop;
	int rounds;
	int failed;
};

static struct stage *stage;
static int streams, calls, large, changes, targets, counted;
static int attackers;	/* ATTACKERS; fewer where all of it takes longer */

/* One attacker's rings are as large as can be, those of the others smaller. */
static unsigned int large_ring(int me)
{
	return me ? large / 8 : large;
}

static int loops(int me)
{
	volatile unsigned int n;

	(void)me;
	for (n = 0; n < 1000000; n++)
		;
	return 0;
}

static int bound(int me, int type, unsigned int bytes, const char *what,
		 int linger_ms)
{
	int fd = tap_socket(type);
	char path[64];

	snprintf(path, sizeof(path), "/lock/%s/%d", what, me);
	if (tap_setopt(fd, WEIR_SO_RING_BYTES, (int)bytes) ||
	    (linger_ms && tap_setopt(fd, WEIR_SO_LINGER_MS, linger_ms)) ||
	    tap_bind(fd, path)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int large_binds(int me)
{
	int fd = bound(me, SOCK_RDM, large_ring(me), "large", 0);

	if (fd < 0)
		return 1;
	close(fd);
	return 0;
}

/* Nobody takes it over: it expires, and is freed where it expires. */
static int large_lingers(int me)
{
	int fd = bound(me, SOCK_RDM, large_ring(me), "linger", 1);

	/* those that are not freed yet may fill the user's cap */
	if (fd < 0)
		return errno == ENOBUFS || errno == ENOMEM ? 0 : 2;
	close(fd);
	return 0;
}

static int many_streams(int me)
{
	static int made;
	char path[64];
	int fd;

	for (; made < streams / attackers; made++) {
		fd = tap_socket(SOCK_RDM);
		snprintf(path, sizeof(path), "/lock/many/%d/%d", me, made);
		if (tap_setopt(fd, WEIR_SO_RING_BYTES, 4096) ||
		    tap_bind(fd, path))
			return 3;
	}
	fd = tap_socket(SOCK_RDM);
	if (tap_connect(fd, "/lock/many/**"))
		return 4;
	close(fd);
	return 0;
}

/* Only the first bytes are ever written, and the search goes through all. */
static int oldest(int me)
{
	static int from = -1;
	struct weir_ring_view v;
	struct raw_map m;
	char path[64];
	uint32_t seq;
	__u64 pos;
	int fd;

	snprintf(path, sizeof(path), "/lock/oldest/%d", me);
	if (from < 0) {
		from = bound(me, SOCK_DGRAM, large_ring(me), "oldest", 0);
		if (from < 0 || raw_map(from, WEIR_ID_OUTBOX, &m))
			return 5;
		v = raw_view(&m);
		if (!(tap_poll_now(from, POLLOUT) & POLLOUT))
			return 6;
		/* claimed, and never published */
		if (weir_ring_claim(&v, large_ring(me) / 2, 0, &pos, &seq))
			return 7;
	}
	fd = tap_socket(SOCK_RDM);
	if (tap_setopt(fd, WEIR_SO_START, WEIR_START_OLDEST) ||
	    tap_connect(fd, path))
		return 8;
	close(fd);
	return 0;
}

/* A server of many paths that answers nothing, and its caller. */
static int servers(int me)
{
	struct weir_scm_route scm;
	int server = tap_socket(SOCK_RDM), caller = tap_socket(SOCK_RDM), i;
	char path[64];

	tap_setopt(server, WEIR_SO_INBOX_BYTES, 1 << 20);
	tap_setopt(caller, WEIR_SO_INBOX_BYTES, 1 << 20);
	for (i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/lock/serve/%d/%d", me, i);
		if (setsockopt(server, SOL_WEIR, WEIR_SO_SERVE, path,
			       strlen(path)))
			return 9;
	}
	for (i = 0; i < calls; i++) {
		snprintf(path, sizeof(path), "/lock/serve/%d/%d", me, i % 64);
		memset(&scm, 0, sizeof(scm));
		scm.kind = WEIR_KIND_REQUEST;
		scm.tag = i;
		if (tenant_send(caller, path, &i, sizeof(i), MSG_DONTWAIT,
				&scm) < 0)
			break;
	}
	close(server);
	close(caller);
	return 0;
}

/* Changes in calls as large as they may be; whether all are done. */
static bool change(int fd, const struct weir_route_op *ops, int n)
{
	static uint32_t most = WEIR_OPS_MAX;
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(*ops),
	};

	for (; n > 0; n -= (int)ctl.count, ops += ctl.count) {
		ctl.ops = (uintptr_t)ops;
		ctl.count = most < (uint32_t)n ? most : (uint32_t)n;
		while (ioctl(fd, WEIR_IOC_CONTROL, &ctl)) {
			if (errno != E2BIG || ctl.count == 1)
				return false;
			ctl.count = most = ctl.count / 2;
		}
	}
	return true;
}

/* Changes one route again and again. */
static int controls(int me)
{
	static struct weir_route_op *ops;
	int fd = tap_socket(SOCK_RDM), i, err;

	if (!ops) {
		ops = calloc(changes, sizeof(*ops));
		if (!ops)
			return 10;
		for (i = 0; i < changes; i++) {
			ops[i].op = i < targets ? WEIR_OP_TARGET_ADD :
						  WEIR_OP_TARGET_SET;
			ops[i].weight = 1 + i % 100;
			snprintf(ops[i].path, sizeof(ops[i].path),
				 "/lock/control/%d", me);
			snprintf(ops[i].target_path, sizeof(ops[i].target_path),
				 "/lock/behind/%d/%d", me,
				 i < targets ? i : targets - 1);
		}
		if (!change(fd, ops, targets))
			return 11;
		for (i = 0; i < targets; i++)
			ops[i] = ops[changes - 1];
	}
	err = change(fd, ops, changes) ? 0 : 12;
	close(fd);
	return err;
}

/* Everything that there is of a kind, in pieces as large as can be. */
static int list_kind(int fd, uint32_t kind, uint32_t size, size_t id)
{
	static char entries[LISTED * 4096];
	struct weir_ioc_list list = { .kind = kind };

	do {
		list.size = sizeof(list);
		list.entry_size = size;
		list.count = LISTED;
		list.entries = (uintptr_t)entries;
		if (ioctl(fd, WEIR_IOC_LIST, &list))
			return 13;
		if (list.count)
			memcpy(&list.after, entries + id +
			       (size_t)size * (list.count - 1), 8);
	} while (list.count);
	return 0;
}

static int lists(int me)
{
	const size_t id = offsetof(struct weir_list_entry, id);
	int fd = tap_socket(SOCK_RDM), err = 0;
	uint32_t kind;

	(void)me;
	for (kind = WEIR_LIST_SOCKETS; kind <= WEIR_LIST_CURSORS; kind++)
		err = err ?: list_kind(fd, kind, sizeof(struct weir_list_entry),
				       id);
	err = err ?: list_kind(fd, WEIR_LIST_ROUTES,
			       sizeof(struct weir_route_entry),
			       offsetof(struct weir_route_entry, id));
	err = err ?: list_kind(fd, WEIR_LIST_TARGETS,
			       sizeof(struct weir_target_entry),
			       offsetof(struct weir_target_entry, id));
	close(fd);
	return err;
}

/* A namespace of its own that ends with all that is in it. */
static int namespaces(int me)
{
	pid_t pid = fork();
	int i;

	if (pid < 0)
		return 15;
	if (pid)
		return tap_wait(pid);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		_exit(17);
	for (i = 0; i < 64; i++)
		if (bound(me * 64 + i, SOCK_RDM, 4096, "space", 60000) < 0)
			_exit(18);
	_exit(0);
}

static const struct attack attacks[] = {
	{ "plain loops", loops },
	{ "binds of large rings", large_binds },
	{ "subscribes to many streams", many_streams },
	{ "starts at the oldest byte", oldest },
	{ "closes of servers with open calls", servers },
	{ "large rings that expire", large_lingers },
	{ "thousands of changes to a route", controls },
	{ "lists of everything", lists },
	{ "ends of namespaces", namespaces },
};

#define ATTACKS		(int)(sizeof(attacks) / sizeof(*attacks))

/* It runs before all others, and lets them run. */
static void nap(void)
{
	uint64_t begin = tenant_now_ns(), late;

	usleep(1000);
	late = tenant_now_ns() - begin - 1000000;
	if (late > stage->late_ns)
		__atomic_store_n(&stage->late_ns, late, __ATOMIC_RELAXED);
}

static int victim(void *arg)
{
	uint64_t begin;
	int fd, good;

	(void)arg;
	__atomic_add_fetch(&stage->meter.ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&stage->meter.stop, __ATOMIC_ACQUIRE)) {
		fd = tap_socket(SOCK_RDM);
		tap_setopt(fd, WEIR_SO_RING_BYTES, 4096);
		begin = tenant_now_ns();
		good = !tap_bind(fd, "/victim/bind");
		tenant_note(&stage->meter, tenant_now_ns() - begin, good);
		close(fd);
		if (counted)
			nap();
	}
	return 0;
}

static pid_t attacker(const struct attack *a, int me)
{
	pid_t pid = tenant_fork(TENANT_ATTACKER);
	int failed = 0;

	if (pid)
		return pid;
	while (!failed && !__atomic_load_n(&stage->stop, __ATOMIC_ACQUIRE)) {
		failed = a->round(me);
		__atomic_add_fetch(&stage->rounds, 1, __ATOMIC_RELEASE);
	}
	if (failed)
		__atomic_store_n(&stage->failed, failed, __ATOMIC_RELEASE);
	_exit(0);
}

/* The longest holds of the lock in this phase, by tests/holds. */
static void show_holds(const char *beside)
{
	unsigned long long longest = 0, waited = 0, ns, wall, wait, holds;
	char line[200], from[80];
	FILE *f = fopen(HOLDS, "r");
	int i;

	if (!f)
		tap_bail(HOLDS);
	for (i = 0; fgets(line, sizeof(line), f); i++) {
		if (sscanf(line, "%llu %llu %llu %llu %79s", &ns, &wall, &wait,
			   &holds, from) != 5)
			tap_bail("a line of holds: %s", line);
		longest = ns > longest ? ns : longest;
		waited = wait > waited ? wait : waited;
		if (i < 4)
			tap_diag("%s: held for %llu at most, %llu by the clock, waited for %llu, %llu times",
				 from, ns, wall, wait, holds);
	}
	fclose(f);
	tap_ok(longest && longest <= HOLD_MAX_NS,
	       "beside %s: the lock is held for at most %d instructions: %llu",
	       beside, HOLD_MAX_NS, longest);
	tap_ok(waited <= WAIT_MAX_NS,
	       "beside %s: a wait for it is at most %d instructions: %llu",
	       beside, WAIT_MAX_NS, waited);
}

/* The victim beside one attack. */
static void beside(int phase, long binds)
{
	const struct attack *a = &attacks[phase];
	pid_t pid[ATTACKERS];
	int measured = !access(HOLDS, W_OK), i, fine;

	stage->stop = 0;
	stage->rounds = 0;
	stage->failed = 0;
	stage->late_ns = 0;
	if (measured && tap_write_file(HOLDS, "begin"))
		tap_bail(HOLDS);
	for (i = 0; i < attackers; i++)
		pid[i] = attacker(a, i);
	fine = tap_until(__atomic_load_n(&stage->rounds, __ATOMIC_ACQUIRE) >=
			 attackers) &&
	       tenant_measure(&stage->meter, phase, binds);
	/* the end of all that they have is part of the attack */
	__atomic_store_n(&stage->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < attackers; i++)
		fine &= !tap_wait(pid[i]);
	__atomic_store_n(&stage->meter.phase, ATTACKS, __ATOMIC_RELEASE);
	tap_ok(fine && !stage->failed, "beside %s", a->name);
	tap_diag("%d rounds, failed %d", stage->rounds, stage->failed);
	if (measured)
		show_holds(a->name);
	if (counted)
		tap_ok(stage->late_ns <= WAIT_MAX_NS,
		       "beside %s: a processor is given up within %d instructions: %llu",
		       a->name, WAIT_MAX_NS,
		       (unsigned long long)stage->late_ns);
}

/* Of the binds of a phase, since it began last. */
static uint64_t mean(int phase)
{
	const struct tenant_phase *p = &stage->meter.phases[phase];
	const struct tenant_phase *begun = &stage->meter.begun[phase];

	return p->good == begun->good ? 0 : (p->total_ns - begun->total_ns) /
					    (p->good - begun->good);
}

/* The victim's binds beside each attack, in times of those beside plain loops. */
static struct tenant_verdict median_of[ATTACKS], mean_of[ATTACKS];

static bool undecided(int phase)
{
	return tenant_undecided(&median_of[phase]) ||
	       tenant_undecided(&mean_of[phase]);
}

/* One round; whether there is to be another. */
static bool measure_round(long binds, bool judged)
{
	bool again = false;
	int i;

	beside(0, binds);
	for (i = 1; i < ATTACKS; i++) {
		if (!undecided(i))
			continue;
		beside(i, binds);
		tenant_compare(&median_of[i],
			       tenant_last(&stage->meter, i, 500),
			       tenant_last(&stage->meter, 0, 500));
		/* what it waits for a processor is in both */
		tenant_compare(&mean_of[i], mean(i), mean(0));
		again |= undecided(i);
	}
	/* an attacker makes its routes in each round */
	tenant_routes_end();
	return judged && again;
}

static void verdict(int phase)
{
	char words[160];

	tenant_show(&stage->meter, phase, attacks[phase].name);
	/* that kernel looks for faults; its times mean little */
	if (hard_slow()) {
		tap_skip(attacks[phase].name, "times mean little on this kernel");
		return;
	}
	if (hard_rt()) {
		tap_skip(attacks[phase].name, "a holder may lose its processor");
		return;
	}
	snprintf(words, sizeof(words),
		 "beside %s: the victim's median is at most 5 times that beside plain loops",
		 attacks[phase].name);
	tenant_judge(&median_of[phase], words);
	snprintf(words, sizeof(words),
		 "beside %s: the victim's mean is at most 5 times that beside plain loops",
		 attacks[phase].name);
	tenant_judge(&mean_of[phase], words);
}

int main(void)
{
	struct sched_param first = { .sched_priority = 1 };
	struct rlimit files = { 8192, 8192 };
	long long streams_max;
	bool judged;
	pid_t pid;
	int i;

	tap_begin_as_root(250);
	setrlimit(RLIMIT_NOFILE, &files);
	streams_max = tap_stat("tunables/streams_max");
	/* an attacker that is allowed more than by default */
	if (tap_tune("streams_max", 4096))
		tap_bail("streams_max");
	stage = tap_shared(sizeof(*stage));
	counted = !!getenv("WEIR_TEST_ICOUNT");
	attackers = hard_slow() || hard_rt() ? 4 : ATTACKERS;
	/* one round is enough where times are not judged, or are instructions */
	judged = !hard_slow() && !hard_rt() && !counted;
	/* an attacker has to make them all before it is at work */
	targets = !hard_slow() ? TARGETS : TARGETS / 5;
	changes = (int)tap_scale(4096, 2 * targets);
	streams = (int)tap_scale(1500, 50);
	calls = (int)tap_scale(8000, 200);
	for (large = 1 << 20; large < tap_scale(64 << 20, 0);)
		large *= 2;
	/* what is measured between the attacks counts for none */
	stage->meter.phase = ATTACKS;
	pid = tenant_start(TENANT_VICTIM, victim, NULL);
	if (!tap_until(stage->meter.ready))
		tap_bail("no victim");
	if (counted && sched_setscheduler(pid, SCHED_FIFO, &first))
		tap_bail("the victim runs first");
	for (i = 0; i < ATTACKS; i++)
		median_of[i].limit = mean_of[i].limit = 5;
	while (measure_round(tap_scale(judged ? 250 : 1000, 50), judged))
		;
	tenant_show(&stage->meter, 0, attacks[0].name);
	__atomic_store_n(&stage->meter.stop, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(pid), 0, "the victim ends well");
	for (i = 1; i < ATTACKS; i++) {
		verdict(i);
		tap_is(stage->meter.phases[i].bad, 0, "and no bind fails");
	}
	tap_tune("streams_max", (unsigned long long)streams_max);
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "all memory of rings is given back");
	return tap_done();
}
