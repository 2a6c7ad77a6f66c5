// SPDX-License-Identifier: GPL-2.0
/*
 * A victim binds small rings all the time while another user does, one after
 * the other, what takes long: binds large rings, subscribes to thousands of
 * streams, starts at the oldest byte of a full large ring, closes servers with
 * many open calls, lets large rings linger to their end, and changes as many
 * routes in a call as it may. The victim's binds are compared with those beside
 * plain loops that keep the processors as busy: a bind that waits for the
 * namespace's lock for as long as any of that takes is longer by orders of
 * magnitude.
 */
#include <sys/resource.h>

#include "hard.h"
#include "tenants.h"

#define ATTACKERS	4

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
 * @stop: the attackers end.
 * @rounds: that they have done in this phase.
 * @failed: what an attacker could not do; 0.
 */
struct stage {
	struct tenant_meter meter;
	int stop;
	int rounds;
	int failed;
};

static struct stage *stage;
static int streams, calls, large;

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
	int fd = bound(me, SOCK_RDM, large, "large", 0);

	if (fd < 0)
		return 1;
	close(fd);
	return 0;
}

/* Nobody takes it over: it expires, and is freed where it expires. */
static int large_lingers(int me)
{
	int fd = bound(me, SOCK_RDM, large, "linger", 1);

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

	for (; made < streams; made++) {
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
		from = bound(me, SOCK_DGRAM, large, "oldest", 0);
		if (from < 0 || raw_map(from, WEIR_ID_OUTBOX, &m))
			return 5;
		v = raw_view(&m);
		if (!(tap_poll_now(from, POLLOUT) & POLLOUT))
			return 6;
		/* claimed, and never published */
		if (weir_ring_claim(&v, large / 2, 0, &pos, &seq))
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

/* Adds targets to routes and takes them away, in calls as large as it may. */
static int changes(int me)
{
	static struct weir_route_op ops[WEIR_OPS_MAX];
	static unsigned int most = WEIR_OPS_MAX;
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(*ops),
		.ops = (uintptr_t)ops,
	};
	int fd = tap_socket(SOCK_RDM), done, i;

	for (i = 0; i < WEIR_OPS_MAX; i++) {
		snprintf(ops[i].path, sizeof(ops[i].path),
			 "/lock/change/%d/%d", me, i);
		snprintf(ops[i].target_path, sizeof(ops[i].target_path),
			 "/lock/change/%d/to", me);
		ops[i].weight = 1;
		ops[i].op = WEIR_OP_TARGET_ADD;
	}
	ctl.count = most;
	while ((done = ioctl(fd, WEIR_IOC_CONTROL, &ctl)) && errno == E2BIG &&
	       most > 1)
		ctl.count = most /= 2;
	for (i = 0; i < (int)most; i++)
		ops[i].op = WEIR_OP_TARGET_DEL;
	if (!done)
		done = ioctl(fd, WEIR_IOC_CONTROL, &ctl);
	close(fd);
	return done ? 10 : 0;
}

static const struct attack attacks[] = {
	{ "plain loops", loops },
	{ "binds of large rings", large_binds },
	{ "subscribes to many streams", many_streams },
	{ "starts at the oldest byte", oldest },
	{ "closes of servers with open calls", servers },
	{ "large rings that expire", large_lingers },
	{ "control calls", changes },
};

#define ATTACKS		(int)(sizeof(attacks) / sizeof(*attacks))

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
	}
	return 0;
}

static pid_t attacker(const struct attack *a, int me)
{
	struct rlimit most = { 8192, 8192 };
	int failed = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_NOFILE, &most);
	tenant_become(TENANT_ATTACKER);
	while (!failed && !__atomic_load_n(&stage->stop, __ATOMIC_ACQUIRE)) {
		failed = a->round(me);
		__atomic_add_fetch(&stage->rounds, 1, __ATOMIC_RELEASE);
	}
	if (failed)
		__atomic_store_n(&stage->failed, failed, __ATOMIC_RELEASE);
	_exit(0);
}

/* The victim beside one attack. */
static void beside(int phase, long binds)
{
	const struct attack *a = &attacks[phase];
	pid_t pid[ATTACKERS];
	int i, fine;

	stage->stop = 0;
	stage->rounds = 0;
	for (i = 0; i < ATTACKERS; i++)
		pid[i] = attacker(a, i);
	fine = tap_until(__atomic_load_n(&stage->rounds, __ATOMIC_ACQUIRE) >=
			 ATTACKERS) &&
	       tenant_measure(&stage->meter, phase, binds);
	__atomic_store_n(&stage->meter.phase, ATTACKS, __ATOMIC_RELEASE);
	__atomic_store_n(&stage->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < ATTACKERS; i++)
		fine &= !tap_wait(pid[i]);
	tap_ok(fine && !stage->failed, "beside %s", a->name);
	tap_diag("%d rounds, failed %d", stage->rounds, stage->failed);
	tenant_show(&stage->meter, phase, a->name);
}

static void verdict(int phase, unsigned int permille, const char *what)
{
	unsigned long long plain = tenant_quantile(&stage->meter, 0, permille);
	unsigned long long here = tenant_quantile(&stage->meter, phase,
						  permille);

	tap_ok(here <= 5 * plain,
	       "beside %s: the victim's %s is at most 5 times that beside plain loops",
	       attacks[phase].name, what);
}

int main(void)
{
	long binds;
	pid_t pid;
	int i;

	tap_family();
	tap_watchdog(250);
	if (geteuid())
		tap_skip_all("needs root");
	stage = tap_shared(sizeof(*stage));
	binds = tap_scale(1000, 50);
	streams = (int)tap_scale(1500, 50);
	calls = (int)tap_scale(8000, 200);
	for (large = 1 << 20; large < tap_scale(64 << 20, 0);)
		large *= 2;
	/* what is measured between the attacks counts for none */
	stage->meter.phase = ATTACKS;
	pid = tenant_start(TENANT_VICTIM, victim, NULL);
	if (!tap_until(stage->meter.ready))
		tap_bail("no victim");
	for (i = 0; i < ATTACKS; i++)
		beside(i, binds);
	__atomic_store_n(&stage->meter.stop, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(pid), 0, "the victim ends well");
	for (i = 1; i < ATTACKS; i++) {
		verdict(i, 500, "median");
		verdict(i, 900, "p90");
		tap_is(stage->meter.phases[i].bad, 0, "and no bind fails");
	}
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "all memory of rings is given back");
	return tap_done();
}
