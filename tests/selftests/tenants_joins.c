// SPDX-License-Identifier: GPL-2.0
/*
 * A user makes streams as fast as it can, to each of which a worker has to join
 * subscribers: it looks at thousands of idle sockets for that. Another user's stream
 * has more subscribers than bind joins itself, too. Those have its first record not
 * much later than without the others' joins.
 */
#include <sys/resource.h>

#include "tenants.h"

#define MINE	80	/* subscribers; more than bind joins itself */
#define DENIED	70	/* of the attacker's streams, which they may not read */
#define IDLE	1500
#define STREAMS	400	/* of the attacker's at once */

/**
 * struct stage - what the processes share
 * @meter: how long it takes until all subscribers have a stream's first record.
 * @ready: the attacker has its idle sockets.
 * @flood: it makes streams.
 * @rests: it makes none, and all that it had are closed.
 * @made: streams that it has made.
 */
static struct stage {
	struct tenant_meter meter;
	int ready;
	int flood;
	int rests;
	long made;
} *stage;

static int look(int *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void many_files(void)
{
	struct rlimit most = { 4096, 4096 };

	setrlimit(RLIMIT_NOFILE, &most);
}

/* One that subscribes to what it may not read: there is nothing to be joined. */
static int denied(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < DENIED; i++)
		tap_subscriber(SOCK_RDM, "/joins/flood/**");
	__atomic_add_fetch(&stage->ready, 1, __ATOMIC_RELEASE);
	while (!look(&stage->meter.stop))
		usleep(1000);
	return 0;
}

static int flood(void *arg)
{
	static int fd[STREAMS];
	char path[64];
	int i;

	(void)arg;
	for (i = 0; i < IDLE; i++)
		tap_socket(SOCK_RDM);
	__atomic_add_fetch(&stage->ready, 1, __ATOMIC_RELEASE);
	while (!look(&stage->meter.stop)) {
		__atomic_store_n(&stage->rests, !look(&stage->flood),
				 __ATOMIC_RELEASE);
		if (look(&stage->rests)) {
			usleep(1000);
			continue;
		}
		for (i = 0; i < STREAMS; i++) {
			fd[i] = tap_socket(SOCK_RDM);
			snprintf(path, sizeof(path), "/joins/flood/%d", i);
			if (tap_setopt(fd[i], WEIR_SO_RING_BYTES, 4096) ||
			    tap_setopt(fd[i], WEIR_SO_MODE, 0600) ||
			    tap_bind(fd[i], path))
				return 2;
			__atomic_add_fetch(&stage->made, 1, __ATOMIC_RELEASE);
		}
		for (i = 0; i < STREAMS; i++)
			close(fd[i]);
	}
	return 0;
}

/* Publishes and reads all by itself. */
static int victim(void *arg)
{
	int sub[MINE], i, pub, had;
	uint64_t begin, n;
	char path[64], buf[16];
	uint64_t told[MINE] = { 0 };

	(void)arg;
	for (i = 0; i < MINE; i++)
		sub[i] = tap_subscriber(SOCK_RDM, "/joins/mine/**");
	for (n = 0; !look(&stage->meter.stop); n++) {
		pub = tap_socket(SOCK_RDM);
		snprintf(path, sizeof(path), "/joins/mine/%llu",
			 (unsigned long long)n);
		if (tap_setopt(pub, WEIR_SO_RING_BYTES, 4096))
			return 2;
		begin = tenant_now_ns();
		if (tap_bind(pub, path) || send(pub, "first", 5, 0) != 5)
			return 3;
		for (i = had = 0; i < MINE; i += had) {
			had = recv(sub[i], buf, sizeof(buf), MSG_DONTWAIT) == 5;
			/* one that is joined after the hold is over is told */
			if (!had && tap_info(sub[i]).missed > told[i]) {
				told[i] = tap_info(sub[i]).missed;
				had = 1;
			}
			if (!had && tenant_now_ns() - begin >
				    TAP_DEADLINE_MS * UINT64_C(1000000))
				return 4;
			if (!had)
				usleep(100);
		}
		tenant_note(&stage->meter, tenant_now_ns() - begin, 1);
		close(pub);
	}
	return 0;
}

enum phase { ALONE, BESIDE, BETWEEN };

/* The victim alone, and beside others' streams. */
static void measure_round(uint64_t rounds)
{
	struct tenant_meter *m = &stage->meter;
	long before = __atomic_load_n(&stage->made, __ATOMIC_ACQUIRE);

	/* the joins of those that came before are behind these */
	tap_ok(tap_until(look(&stage->rests)) && tenant_measure(m, BETWEEN, 3) &&
	       tenant_measure(m, ALONE, rounds), "subscribers are joined");
	tenant_begin(m, BETWEEN);
	__atomic_store_n(&stage->flood, 1, __ATOMIC_RELEASE);
	/* as many as there ever are at once */
	tap_ok(tap_until(__atomic_load_n(&stage->made, __ATOMIC_ACQUIRE) >=
			 before + STREAMS), "another user makes streams");
	tap_ok(tenant_measure(m, BESIDE, rounds), "and beside these, too");
	tenant_begin(m, BETWEEN);
	__atomic_store_n(&stage->flood, 0, __ATOMIC_RELEASE);
}

int main(void)
{
	struct tenant_verdict verdict = { .limit = 20 };
	struct tenant_meter *m;
	pid_t pid[3];
	int i;

	tap_begin_as_root(250);
	many_files();
	stage = tap_shared(sizeof(*stage));
	m = &stage->meter;
	pid[0] = tenant_start(TENANT_OTHER, denied, NULL);
	pid[1] = tenant_start(TENANT_ATTACKER, flood, NULL);
	if (!tap_until(look(&stage->ready) == 2))
		tap_bail("no attacker");
	pid[2] = tenant_start(TENANT_VICTIM, victim, NULL);
	while (tenant_undecided(&verdict)) {
		measure_round((uint64_t)tap_scale(25, 15));
		tenant_compare(&verdict, tenant_last(m, BESIDE, 800),
			       tenant_last(m, ALONE, 800));
	}
	tenant_show(m, ALONE, "alone");
	tenant_show(m, BESIDE, "beside others' streams");
	__atomic_store_n(&m->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 3; i++)
		tap_is(tap_wait(pid[i]), 0, "a process ends well");
	tenant_judge(&verdict, "which takes at most 20 times as long");
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "all memory of rings is given back");
	return tap_done();
}
