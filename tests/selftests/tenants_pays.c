// SPDX-License-Identifier: GPL-2.0
/*
 * A user subscribes to everything with thousands of sockets. Another user who
 * publishes, within a memory cgroup that holds little more than itself, is not
 * killed for it and pays for neither their cursors nor their number; and every
 * subscriber gets the stream from its first record on, or is told what it has
 * missed.
 */
#include <limits.h>
#include <sys/resource.h>

#include "tenants.h"

#define GROUP		"tenants_pays"
#define PUBLISHES	30
#define JOIN_NOW	64	/* subscribers that bind joins itself */
#define SUBSCRIBERS	2000
#define EACH_BYTES	(64 << 10) /* a subscriber takes less */
#define PEAK_MAX	(1 << 20) /* bytes, more beside many than beside 8 */

enum phase { NONE, FEW, MANY, LAST };

/**
 * struct stage - what the processes share
 * @meter: what the publisher's binds take of a processor, by phase.
 * @want: subscribers that there are to be.
 * @are: subscribers that there are.
 * @phase: what the publisher is to measure next; LAST: it publishes.
 * @asked: how often it was told to measure.
 * @done: how often it has.
 * @look: nonzero: the subscribers look for the stream.
 * @got: subscribers that have got its record.
 * @told: subscribers that were told that they missed it.
 */
struct stage {
	struct tenant_meter meter;
	long want;
	long are;
	int phase;
	int asked;
	int done;
	int look;
	long got;
	long told;
};

static const char *const phase_name[] = {
	"binds beside no subscribers", "binds beside a few", "binds beside many",
};

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

/* Binds again and again. */
static int binds(struct stage *s, int phase, int round)
{
	char path[64];
	uint64_t begin;
	int i, fd;

	for (i = 0; i < PUBLISHES; i++) {
		fd = tap_socket(SOCK_RDM);
		if (tap_setopt(fd, WEIR_SO_RING_BYTES, 4096))
			return 3;
		snprintf(path, sizeof(path), "/pays/%d/%d/%d", phase, round, i);
		begin = spent_ns();
		if (tap_bind(fd, path))
			return 4;
		tenant_note(&s->meter, spent_ns() - begin, 1);
		close(fd);
	}
	return 0;
}

/* The victim: binds as often as it is told, and publishes once at the end. */
static int publisher(void *arg)
{
	struct stage *s = arg;
	int phase, ret, fd;

	for (;;) {
		if (!tap_until(shared_int(&s->asked) > s->done))
			return 2;
		phase = shared_int(&s->phase);
		if (phase == LAST)
			break;
		ret = binds(s, phase, s->done);
		if (ret)
			return ret;
		__atomic_add_fetch(&s->done, 1, __ATOMIC_RELEASE);
	}
	fd = tap_socket(SOCK_RDM);
	if (tap_setopt(fd, WEIR_SO_RING_BYTES, 4096) ||
	    tap_bind(fd, "/pays/last") || send(fd, "hello", 5, 0) != 5)
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
	int *fd = calloc(SUBSCRIBERS, sizeof(*fd));
	long i, left, want, n = 0;
	char buf[16];

	setrlimit(RLIMIT_NOFILE, &most);
	while (!shared_int(&s->look)) {
		want = __atomic_load_n(&s->want, __ATOMIC_ACQUIRE);
		while (n < want)
			fd[n++] = tap_subscriber(SOCK_RDM, "/**");
		while (n > want)
			close(fd[--n]);
		__atomic_store_n(&s->are, n, __ATOMIC_RELEASE);
		usleep(1000);
	}
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

static void measure(struct stage *s, int phase, long subscribers)
{
	__atomic_store_n(&s->want, subscribers, __ATOMIC_RELEASE);
	if (subscribers &&
	    !tap_until(__atomic_load_n(&s->are, __ATOMIC_ACQUIRE) == subscribers))
		tap_bail("no subscribers");
	tenant_begin(&s->meter, phase);
	__atomic_store_n(&s->phase, phase, __ATOMIC_RELEASE);
	__atomic_add_fetch(&s->asked, 1, __ATOMIC_RELEASE);
	tap_ok(tap_until(shared_int(&s->done) == s->asked), "%s",
	       phase_name[phase]);
}

/*
 * Measures beside few and beside many in rounds. Returns how many bytes more the
 * publisher's cgroup has taken at most beside many.
 */
static long long measure_rounds(struct stage *s, long many,
				struct tenant_verdict *verdict)
{
	long long few, more = 0;
	int i;

	while (tenant_undecided(verdict)) {
		measure(s, FEW, 8);
		few = tenant_cgroup_read(GROUP, "memory.peak");
		measure(s, MANY, many);
		if (!verdict->rounds)
			more = few > 0 ? tenant_cgroup_read(GROUP, "memory.peak") -
					 few : LLONG_MAX;
		tenant_compare(verdict, tenant_last(&s->meter, MANY, 500),
			       tenant_last(&s->meter, FEW, 500));
	}
	for (i = NONE; i <= MANY; i++)
		tenant_show(&s->meter, i, phase_name[i]);
	return more;
}

int main(void)
{
	/* eight subscribers are an eighth of those that bind joins itself */
	struct tenant_verdict verdict = { .limit = 12 };
	struct stage *s = tap_shared(sizeof(*s));
	pid_t victim, attacker;
	char words[128];
	long long more;
	long many;

	tap_begin_as_root(250);
	if (tenant_cgroup(GROUP, 6 << 20))
		tap_skip_all("no memory cgroups");
	many = subscribers_wanted();
	victim = tenant_start_in(GROUP, TENANT_VICTIM, publisher, s);
	measure(s, NONE, 0);
	attacker = tenant_start(TENANT_ATTACKER, subscribers, s);
	more = measure_rounds(s, many, &verdict);
	__atomic_store_n(&s->phase, LAST, __ATOMIC_RELEASE);
	__atomic_add_fetch(&s->asked, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(attacker), 0, "the subscribers end well");
	tap_is(tap_wait(victim), 0, "the publisher is not killed");
	tap_is(s->got + s->told, many,
	       "each subscriber gets the stream, or is told what it missed");
	tap_ok(s->got >= JOIN_NOW,
	       "those that bind itself joins get it, and more: %ld of %ld",
	       s->got, many);
	tap_is(tenant_cgroup_event(GROUP, "oom_kill"), 0,
	       "nobody is killed in the publisher's cgroup");
	tap_is(tenant_cgroup_event(GROUP, "max"), 0,
	       "nothing of its cgroup's was short");
	tap_ok(more <= PEAK_MAX,
	       "beside %ld subscribers the publisher's cgroup takes at most %d bytes more than beside 8: %lld",
	       many, PEAK_MAX, more);
	snprintf(words, sizeof(words),
		 "a bind beside %ld subscribers takes at most 12 times the processor time of one beside 8",
		 many);
	tenant_judge(&verdict, words);
	rmdir(TENANT_CGROUPS "/" GROUP);
	tap_ok(tap_until(!tap_stat("stats/readers")), "all cursors are gone");
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "all memory of rings is given back");
	return tap_done();
}
