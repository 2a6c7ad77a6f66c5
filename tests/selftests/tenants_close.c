// SPDX-License-Identifier: GPL-2.0
/*
 * A user subscribes to everything with hundreds of sockets, which a worker joins
 * to each new stream. Another user publishes a record and closes, or shuts, its
 * socket at once. It does not wait for the worker; and each subscriber gets the
 * record all the same, or is told what it has missed.
 */
#include <sys/resource.h>

#include "tenants.h"

#define FEW	8	/* as many as bind joins itself, and fewer */

enum phase { BESIDE_FEW, BESIDE_MANY };

static const char *const phase_name[] = {
	"all of a few subscribers get the last record, or are told",
	"so do all of many",
};

/**
 * struct stage - what the processes share
 * @meter: how long the publisher's ends take.
 * @many: subscribers.
 * @streams: of each phase in a round.
 * @round: of measurements.
 * @want: subscribers that there are to be.
 * @are: subscribers that there are.
 * @got: records that they have got.
 * @told: records that they were told they missed.
 */
struct stage {
	struct tenant_meter meter;
	long many;
	long streams;
	int round;
	long want;
	long are;
	long got;
	long told;
};

static struct stage *stage;

static long now(long *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* The attacker, who reads what it gets. */
static int subscribers(void *arg)
{
	struct rlimit most = { 4096, 4096 };
	long n = 0, i, told, gone = 0;
	char buf[16];
	int *fd;

	(void)arg;
	setrlimit(RLIMIT_NOFILE, &most);
	fd = calloc(stage->many, sizeof(*fd));
	while (!__atomic_load_n(&stage->meter.stop, __ATOMIC_ACQUIRE)) {
		for (; n < now(&stage->want); n++)
			fd[n] = tap_subscriber(SOCK_RDM, "/close/**");
		/* these have what there is for them */
		while (n > now(&stage->want)) {
			gone += (long)tap_info(fd[--n]).missed;
			close(fd[n]);
		}
		__atomic_store_n(&stage->are, n, __ATOMIC_RELEASE);
		for (i = 0, told = gone; i < n; i++) {
			while (recv(fd[i], buf, sizeof(buf), MSG_DONTWAIT) > 0)
				stage->got++;
			told += (long)tap_info(fd[i]).missed;
		}
		__atomic_store_n(&stage->told, told, __ATOMIC_RELEASE);
		usleep(1000);
	}
	return 0;
}

static int publisher(void *arg)
{
	int phase = (int)(long)arg, fd, good;
	uint64_t begin;
	char path[64];
	long i;

	for (i = 0; i < stage->streams; i++) {
		long all = now(&stage->got) + now(&stage->told) + stage->want;

		fd = tap_socket(SOCK_RDM);
		snprintf(path, sizeof(path), "/close/%d/%d/%ld", phase,
			 stage->round, i);
		if (tap_setopt(fd, WEIR_SO_RING_BYTES, 4096) ||
		    tap_bind(fd, path) || send(fd, "last", 4, 0) != 4)
			return 2;
		begin = tenant_now_ns();
		good = i % 2 || !shutdown(fd, SHUT_WR);
		close(fd);
		tenant_note(&stage->meter, tenant_now_ns() - begin, good);
		if (!tap_until(now(&stage->got) + now(&stage->told) >= all))
			return 3;
	}
	return 0;
}

static void measure(int phase, long want)
{
	__atomic_store_n(&stage->want, want, __ATOMIC_RELEASE);
	if (!tap_until(now(&stage->are) == want))
		tap_bail("no subscribers");
	tenant_begin(&stage->meter, phase);
	tap_is(tap_wait(tenant_start(TENANT_VICTIM, publisher,
				     (void *)(long)phase)), 0, phase_name[phase]);
}

int main(void)
{
	struct tenant_verdict verdict = { .limit = 10 };
	struct tenant_meter *m;
	pid_t attacker;
	char words[128];
	int i;

	tap_begin_as_root(250);
	stage = tap_shared(sizeof(*stage));
	m = &stage->meter;
	stage->many = tap_scale(300, 150);
	stage->streams = tap_scale(10, 6);
	attacker = tenant_start(TENANT_ATTACKER, subscribers, NULL);
	for (; tenant_undecided(&verdict); stage->round++) {
		measure(BESIDE_FEW, FEW);
		measure(BESIDE_MANY, stage->many);
		tenant_compare(&verdict, tenant_last(m, BESIDE_MANY, 500),
			       tenant_last(m, BESIDE_FEW, 500));
	}
	for (i = BESIDE_FEW; i <= BESIDE_MANY; i++)
		tenant_show(m, i, phase_name[i]);
	__atomic_store_n(&m->stop, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(attacker), 0, "the subscribers end well");
	tap_is(m->phases[BESIDE_MANY].bad, 0, "no shutdown fails");
	snprintf(words, sizeof(words),
		 "an end beside %ld subscribers takes at most 10 times as long as beside %d",
		 stage->many, FEW);
	tenant_judge(&verdict, words);
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "all memory of rings is given back");
	return tap_done();
}
