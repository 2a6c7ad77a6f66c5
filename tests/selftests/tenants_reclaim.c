// SPDX-License-Identifier: GPL-2.0
/*
 * A user whose memory cgroup is full makes names: listens, subscribes and serves.
 * Under the lock that all names need, nobody waits for memory. So names are made
 * where reclaim without the lock finds memory in the cgroup; where it finds none
 * they are refused, with words, and nobody is killed for them. What is allocated
 * under the lock with reclaim starts the OOM killer there. A victim with memory of
 * its own makes names meanwhile.
 *
 * On the sanitizer kernel the same calls have lockdep say where memory is waited
 * for under a lock (weir_memory_never_under() in module/memory.h).
 */
#include <stddef.h>
#include <sys/resource.h>

#include "hard.h"
#include "tenants.h"

#define GROUP		"tenants_reclaim"
#define GROUP_BYTES	(12LL << 20)
#define LEFT_BYTES	(64LL << 10)	/* that are not filled */
#define CALM_BYTES	(512LL << 10)	/* more than with new sockets alone */
#define NAMES		900		/* a few KiB each, and all need more than that */
#define SERVERS		8		/* each serves a part of them */

/**
 * struct stage - what the processes share
 * @meter: the victim's binds.
 * @made: names that the attacker has made with memory that reclaim finds.
 * @refused: that it has not, without any.
 * @worded: of them, those that were refused with words.
 * @odd: another error than ENOMEM.
 * @again: names that it makes when there is memory again.
 */
struct stage {
	struct tenant_meter meter;
	long made;
	long refused;
	long worded;
	int odd;
	long again;
};

static struct stage *stage;
static int fd[NAMES], server[SERVERS];
static long names;	/* that are made, on a small machine fewer */
static bool slow;	/* that kernel looks for faults */

/* The socket that makes a name. */
static int socket_of(long i)
{
	return i % 3 == 2 ? server[i / 3 % SERVERS] : fd[i];
}

/* Makes a name in one of three ways. */
static int name(long i, const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), "/reclaim/%s/a/b/c/d/e/f/g/h/i/j/k/%ld",
		 what, i);
	if (i % 3 == 2)
		return setsockopt(socket_of(i), SOL_WEIR, WEIR_SO_SERVE, path,
				  strlen(path));
	return i % 3 ? tap_connect(fd[i], path) : tap_bind(fd[i], path);
}

static void sockets(void)
{
	long i;

	for (i = 0; i < names; i++) {
		if (fd[i] > 0)
			close(fd[i]);
		fd[i] = tap_socket(i % 3 ? SOCK_RDM : SOCK_SEQPACKET);
	}
	for (i = 0; i < SERVERS; i++) {
		if (server[i] > 0)
			close(server[i]);
		server[i] = tap_socket(SOCK_RDM);
		/* its inbox and the like are there before memory is short */
		tap_setopt(server[i], WEIR_SO_INBOX_BYTES, 4096);
		tap_setopt(server[i], WEIR_SO_RING_BYTES, 4096);
		setsockopt(server[i], SOL_WEIR, WEIR_SO_SERVE,
			   "/reclaim/server", 15);
	}
}

static int full(void)
{
	return tenant_cgroup_read(GROUP, "memory.current") + LEFT_BYTES >=
	       GROUP_BYTES;
}

/* Names in sysfs that are not there: memory that reclaim finds. */
static void fill_reclaimable(void)
{
	char path[256];
	struct stat st;
	long i;

	for (i = 0; (i % 64 || !full()) && i < 100000; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/%0200ld", i);
		stat(path, &st);
	}
}

/* Memory that reclaim does not find: there is no swap. */
static char *fill_for_ever(void)
{
	char *p = mmap(NULL, GROUP_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long at;

	for (at = 0; p != MAP_FAILED && !full() && at < GROUP_BYTES; at += 4096)
		p[at] = 1;
	return p;
}

static int attacker(void *arg)
{
	struct rlimit most = { 2048, 2048 };
	long long calm;
	char *memory;
	long i;

	(void)arg;
	setrlimit(RLIMIT_NOFILE, &most);
	/* all of it is there before memory is short */
	memset(&stage->made, 0, sizeof(*stage) - offsetof(struct stage, made));
	sockets();
	calm = tenant_cgroup_read(GROUP, "memory.current") + CALM_BYTES;
	memory = fill_for_ever();
	for (i = 0; i < names; i++) {
		if (!name(i, "none"))
			continue;
		if (errno != ENOMEM)
			stage->odd = errno;
		stage->refused++;
		stage->worded += !!*tap_words(socket_of(i));
	}
	munmap(memory, GROUP_BYTES);
	sockets();
	for (i = 0; i < names; i++)
		stage->again += !name(i, "again");
	sockets();
	/* takes that kernel minutes */
	if (slow)
		return 0;
	/* what the names before had is freed in its own time, not by reclaim */
	tap_until(tenant_cgroup_read(GROUP, "memory.current") <= calm);
	fill_reclaimable();
	for (i = 0; i < names; i++)
		stage->made += !name(i, "found");
	return 0;
}

static int victim(void *arg)
{
	struct tenant_meter *m = &stage->meter;
	uint64_t begin;
	int s, good;

	(void)arg;
	while (!__atomic_load_n(&m->stop, __ATOMIC_ACQUIRE)) {
		s = tap_socket(SOCK_SEQPACKET);
		begin = tenant_now_ns();
		good = !tap_bind(s, "/victim/bind");
		tenant_note(m, tenant_now_ns() - begin, good);
		close(s);
		__atomic_store_n(&m->ready, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

int main(void)
{
	pid_t pid;

	tap_begin_as_root(250);
	if (tenant_cgroup(GROUP, GROUP_BYTES))
		tap_skip_all("no memory cgroups");
	slow = hard_slow();
	/* what the kernel has charged in advance is enough for many */
	names = tap_scale(NAMES, slow ? 120 : 600);
	stage = tap_shared(sizeof(*stage));
	pid = tenant_start(TENANT_VICTIM, victim, NULL);
	if (!tap_until(stage->meter.ready))
		tap_bail("no victim");
	tap_is(tap_wait(tenant_start_in(GROUP, TENANT_ATTACKER, attacker, NULL)),
	       0, "the attacker ends well");
	__atomic_store_n(&stage->meter.stop, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(pid), 0, "the victim ends well");
	tap_ok(stage->refused, "without memory, names are refused: %ld of %ld",
	       stage->refused, names);
	tap_is(stage->odd, 0, "for want of memory");
	tap_is(stage->worded, stage->refused, "with words");
	tap_is(stage->again, names, "with memory again all are made");
	if (slow)
		tap_skip("so they are with memory that reclaim finds",
			 "it takes this kernel minutes");
	else
		tap_is(stage->made, names,
		       "so they are with memory that reclaim finds");
	tap_is(tenant_cgroup_event(GROUP, "oom_kill"), 0, "nobody is killed");
	tap_is(tenant_cgroup_event(GROUP, "oom"), 0, "nor is anybody to be");
	tap_is(stage->meter.phases[0].bad, 0, "no bind of the victim fails");
	tenant_show(&stage->meter, 0, "binds of the victim");
	rmdir(TENANT_CGROUPS "/" GROUP);
	return tap_done();
}
