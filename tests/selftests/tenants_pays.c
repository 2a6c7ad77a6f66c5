// SPDX-License-Identifier: GPL-2.0
/*
 * A user subscribes to everything with thousands of sockets. Another user who
 * publishes, within a memory cgroup that holds little more than itself, is not
 * killed for it and pays for neither their cursors nor their number; and every
 * subscriber gets the stream from its first record on, or is told what it has
 * missed.
 */
#include <sys/resource.h>

#include "tenants.h"

#define GROUP		"tenants_pays"
#define PUBLISHES	30
#define JOIN_NOW	64	/* subscribers that bind joins itself */
#define SUBSCRIBERS	2000
#define EACH_BYTES	(64 << 10) /* a subscriber takes less */
#define PEAK_MAX	(1 << 20) /* bytes, more beside many than beside 8 */

/**
 * struct stage - what the processes share
 * @meter: what the publisher's binds take of a processor, by phase.
 * @want: subscribers.
 * @ready: they subscribe.
 * @phase: what the publisher is to measure next, from 1 on.
 * @done: what it has measured.
 * @look: nonzero: the subscribers look for the stream.
 * @got: subscribers that have got its record.
 * @told: subscribers that were told that they missed it.
 */
struct stage {
	struct tenant_meter meter;
	long want;
	int ready;
	int phase;
	int done;
	int look;
	long got;
	long told;
};

enum phase { NONE, FEW, MANY };

static int shared_int(int *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* Processor time of this thread, which is what it pays; in nanoseconds. */
static uint64_t spent_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The victim: binds again and again, and publishes once at the end. */
static int publisher(void *arg)
{
	struct stage *s = arg;
	int i, phase, fd;
	uint64_t begin;
	char path[64];

	for (phase = NONE; phase <= MANY; phase++) {
		if (!tap_until(shared_int(&s->phase) > phase))
			return 2;
		s->meter.phase = phase;
		for (i = 0; i < PUBLISHES; i++) {
			fd = tap_socket(SOCK_RDM);
			if (tap_setopt(fd, WEIR_SO_RING_BYTES, 4096))
				return 3;
			snprintf(path, sizeof(path), "/pays/%d/%d", phase, i);
			begin = spent_ns();
			if (tap_bind(fd, path))
				return 4;
			tenant_note(&s->meter, spent_ns() - begin, 1);
			if (phase == MANY && i == PUBLISHES - 1)
				break;
			close(fd);
		}
		__atomic_store_n(&s->done, phase + 1, __ATOMIC_RELEASE);
	}
	if (send(fd, "hello", 5, 0) != 5)
		return 5;
	__atomic_store_n(&s->look, 1, __ATOMIC_RELEASE);
	/* the stream stays until all have looked */
	tap_until(__atomic_load_n(&s->got, __ATOMIC_ACQUIRE) +
		  __atomic_load_n(&s->told, __ATOMIC_ACQUIRE) >= s->want);
	return 0;
}

/* The attacker: many sockets that subscribe to everything. */
static int subscribers(void *arg)
{
	struct stage *s = arg;
	struct rlimit most = { SUBSCRIBERS + 64, SUBSCRIBERS + 64 };
	int *fd = calloc(s->want, sizeof(*fd));
	char buf[16];
	long i, left;

	setrlimit(RLIMIT_NOFILE, &most);
	for (i = 0; i < s->want; i++) {
		if (i == 8) {
			__atomic_store_n(&s->ready, 1, __ATOMIC_RELEASE);
			if (!tap_until(shared_int(&s->done) == FEW + 1))
				return 2;
		}
		fd[i] = tap_subscriber(SOCK_RDM, "/**");
	}
	__atomic_store_n(&s->ready, 2, __ATOMIC_RELEASE);
	if (!tap_until(shared_int(&s->look)))
		return 3;
	left = s->want;
	if (!tap_until(({
		for (i = 0; i < s->want; i++) {
			if (fd[i] < 0)
				continue;
			if (recv(fd[i], buf, sizeof(buf), MSG_DONTWAIT) == 5)
				__atomic_add_fetch(&s->got, 1,
						   __ATOMIC_RELEASE);
			else if (tap_info(fd[i]).missed)
				__atomic_add_fetch(&s->told, 1,
						   __ATOMIC_RELEASE);
			else
				continue;
			close(fd[i]);
			fd[i] = -1;
			left--;
		}
		!left;
	})))
		return 4;
	return 0;
}

/* As many as a quarter of the free memory has room for. */
static long subscribers_wanted(void)
{
	long room = sysconf(_SC_AVPHYS_PAGES) / 4 *
		    (sysconf(_SC_PAGESIZE) / 1024) / (EACH_BYTES / 1024);
	long want = tap_scale(SUBSCRIBERS, 200);

	return want > SUBSCRIBERS ? SUBSCRIBERS : want < room ? want : room;
}

static void measure(struct stage *s, int phase, const char *name)
{
	__atomic_store_n(&s->phase, phase + 1, __ATOMIC_RELEASE);
	tap_ok(tap_until(shared_int(&s->done) > phase), "%s", name);
	tenant_show(&s->meter, phase, name);
}

int main(void)
{
	struct stage *s = tap_shared(sizeof(*s));
	unsigned long long few, many;
	long long peak_few, peak_many;
	pid_t victim, attacker;

	tap_begin_as_root(250);
	if (tenant_cgroup(GROUP, 6 << 20))
		tap_skip_all("no memory cgroups");
	s->want = subscribers_wanted();
	victim = tenant_start_in(GROUP, TENANT_VICTIM, publisher, s);
	measure(s, NONE, "binds beside no subscribers");
	attacker = tenant_start(TENANT_ATTACKER, subscribers, s);
	if (!tap_until(shared_int(&s->ready) == 1))
		tap_bail("no subscribers");
	measure(s, FEW, "binds beside a few");
	peak_few = tenant_cgroup_read(GROUP, "memory.peak");
	if (!tap_until(shared_int(&s->ready) == 2))
		tap_bail("not all subscribers");
	measure(s, MANY, "binds beside many");
	peak_many = tenant_cgroup_read(GROUP, "memory.peak");
	tap_is(tap_wait(attacker), 0, "the subscribers end well");
	tap_is(tap_wait(victim), 0, "the publisher is not killed");
	tap_is(s->got + s->told, s->want,
	       "each subscriber gets the stream, or is told what it missed");
	tap_ok(s->got >= JOIN_NOW,
	       "those that bind itself joins get it, and more: %ld of %ld",
	       s->got, s->want);
	tap_is(tenant_cgroup_event(GROUP, "oom_kill"), 0,
	       "nobody is killed in the publisher's cgroup");
	tap_is(tenant_cgroup_event(GROUP, "max"), 0,
	       "nothing of its cgroup's was short");
	tap_ok(peak_few > 0 && peak_many - peak_few <= PEAK_MAX,
	       "beside %ld subscribers the publisher's cgroup takes at most %d bytes more than beside 8: %lld",
	       s->want, PEAK_MAX, peak_many - peak_few);
	/* eight subscribers are an eighth of those that bind joins itself */
	few = tenant_quantile(&s->meter, FEW, 500);
	many = tenant_quantile(&s->meter, MANY, 500);
	tap_ok(many <= 12 * few,
	       "a bind beside %ld subscribers takes at most 12 times the processor time of one beside 8",
	       s->want);
	tap_diag("median bind: %llu us of a processor beside 8, %llu us beside %ld", few / 1000,
		 many / 1000, s->want);
	rmdir(TENANT_CGROUPS "/" GROUP);
	tap_ok(tap_until(!tap_stat("stats/readers")), "all cursors are gone");
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "all memory of rings is given back");
	return tap_done();
}
