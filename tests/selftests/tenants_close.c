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

/**
 * struct stage - what the processes share
 * @meter: how long the publisher's ends take.
 * @many: subscribers.
 * @rounds: streams of each phase.
 * @want: subscribers that there are to be.
 * @are: subscribers that there are.
 * @got: records that they have got.
 * @told: records that they were told they missed.
 */
struct stage {
	struct tenant_meter meter;
	long many;
	long rounds;
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
	long n = 0, i, told;
	char buf[16];
	int *fd;

	(void)arg;
	setrlimit(RLIMIT_NOFILE, &most);
	fd = calloc(stage->many, sizeof(*fd));
	while (!__atomic_load_n(&stage->meter.stop, __ATOMIC_ACQUIRE)) {
		for (; n < now(&stage->want); n++)
			fd[n] = tap_subscriber(SOCK_RDM, "/close/**");
		__atomic_store_n(&stage->are, n, __ATOMIC_RELEASE);
		for (i = told = 0; i < n; i++) {
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

	for (i = 0; i < stage->rounds; i++) {
		long all = now(&stage->got) + now(&stage->told) + stage->want;

		fd = tap_socket(SOCK_RDM);
		snprintf(path, sizeof(path), "/close/%d/%ld", phase, i);
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

static void measure(int phase, long want, const char *name)
{
	__atomic_store_n(&stage->want, want, __ATOMIC_RELEASE);
	if (!tap_until(now(&stage->are) == want))
		tap_bail("no subscribers");
	stage->meter.phase = phase;
	tap_is(tap_wait(tenant_start(TENANT_VICTIM, publisher,
				     (void *)(long)phase)), 0, name);
	tenant_show(&stage->meter, phase, name);
}

int main(void)
{
	unsigned long long few, many;
	pid_t attacker;

	tap_begin_as_root(250);
	stage = tap_shared(sizeof(*stage));
	stage->many = tap_scale(300, 150);
	stage->rounds = tap_scale(30, 10);
	attacker = tenant_start(TENANT_ATTACKER, subscribers, NULL);
	measure(BESIDE_FEW, FEW, "all of a few subscribers get the last record, or are told");
	measure(BESIDE_MANY, stage->many, "so do all of many");
	__atomic_store_n(&stage->meter.stop, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(attacker), 0, "the subscribers end well");
	tap_is(stage->meter.phases[BESIDE_MANY].bad, 0, "no shutdown fails");
	few = tenant_quantile(&stage->meter, BESIDE_FEW, 500);
	many = tenant_quantile(&stage->meter, BESIDE_MANY, 500);
	tap_ok(many <= 10 * few,
	       "an end beside %ld subscribers takes at most 10 times as long as beside %d",
	       stage->many, FEW);
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "all memory of rings is given back");
	return tap_done();
}
