// SPDX-License-Identifier: GPL-2.0
/*
 * A user subscribes with many sockets in a memory cgroup that is full, and makes
 * streams outside of it: no stream can be joined to any of these sockets. What
 * the kernel notes about that is charged to the sockets' cgroup: the memory that
 * nobody pays for does not grow with sockets times streams. A subscriber of
 * another user is joined to all streams meanwhile.
 */
#include <sys/resource.h>

#include "hard.h"
#include "tenants.h"

#define GROUP		"tenants_late"
#define SOCKETS		300
#define STREAMS		100
#define NODE_BYTES	576

/**
 * struct stage - what the processes share
 * @subscribed: sockets that subscribe.
 * @go: the streams are to be made.
 * @bound: streams that are there.
 * @stop: nonzero: all end.
 */
static struct stage {
	int subscribed;
	int go;
	int bound;
	int stop;
} *stage;

static int sockets = SOCKETS, streams_made = STREAMS;
static int apart = 64;	/* ids between sockets: each takes a node of a tree */

static int subscribers(void *arg)
{
	struct rlimit most = { SOCKETS + 64, SOCKETS + 64 };
	int i, k;

	(void)arg;
	if (setrlimit(RLIMIT_NOFILE, &most))
		return 2;
	for (i = 0; i < sockets; i++) {
		tap_subscriber(SOCK_RDM, "/late/**");
		for (k = 1; k < apart; k++)
			close(tap_socket(SOCK_RDM));
		__atomic_add_fetch(&stage->subscribed, 1, __ATOMIC_RELEASE);
	}
	while (!get(&stage->stop))
		usleep(1000);
	return 0;
}

static int streams(void *arg)
{
	char path[64];
	int i, fd;

	(void)arg;
	while (!get(&stage->go))
		usleep(1000);
	for (i = 0; i < streams_made; i++) {
		fd = tap_socket(SOCK_RDM);
		snprintf(path, sizeof(path), "/late/%d", i);
		if (tap_setopt(fd, WEIR_SO_RING_BYTES, 4096) ||
		    tap_bind(fd, path))
			return 2;
		__atomic_add_fetch(&stage->bound, 1, __ATOMIC_RELEASE);
	}
	while (!get(&stage->stop))
		usleep(1000);
	return 0;
}

/* Memory of slabs that no process in a cgroup of ours pays for, in bytes. */
static long long unpaid(void)
{
	long long all = tap_field("/proc/meminfo", "Slab:");
	long long paid = tap_field(TENANT_CGROUPS "/" GROUP "/memory.stat",
				   "slab");

	if (all < 0 || paid < 0)
		tap_bail("memory of slabs");
	return all * 1024 - paid;
}

/* Fills the cgroup: what it has is all that it may have. */
static int fill(void)
{
	char words[32];

	snprintf(words, sizeof(words), "%lld",
		 tenant_cgroup_read(GROUP, "memory.current"));
	return tenant_cgroup_write(GROUP, "memory.max", words);
}

int main(void)
{
	long long before, most = 0, now;
	pid_t pid[2];
	int fd, i;

	tap_begin_as_root(250);
	if (tenant_cgroup(GROUP, 0))
		tap_skip_all("no memory cgroups");
	if (hard_slow()) {
		sockets = 80;
		streams_made = 20;
		apart = 1;
	}
	stage = tap_shared(sizeof(*stage));
	pid[0] = tenant_start_in(GROUP, TENANT_ATTACKER, subscribers, NULL);
	pid[1] = tenant_start(TENANT_OTHER, streams, NULL);
	if (!tap_until(get(&stage->subscribed) == sockets))
		tap_bail("no subscribers");
	/* the last subscriber: a worker that has tried all sockets has tried this one */
	fd = tap_subscriber(SOCK_RDM, "/late/**");
	tap_ok(!fill(), "the cgroup of %d subscribers is full", sockets);
	before = unpaid();
	__atomic_store_n(&stage->go, 1, __ATOMIC_RELEASE);
	tap_ok(tap_until(({
		now = unpaid() - before;
		most = now > most ? now : most;
		tap_info(fd).streams == (uint32_t)streams_made;
	})), "another subscriber is joined to all %d streams", streams_made);
	tap_diag("%d streams, %lld KiB that nobody in the cgroup pays for",
		 get(&stage->bound), most / 1024);
	/* that kernel keeps memory of its own beside each object */
	if (hard_slow())
		tap_skip("what is noted of the others is paid for",
			 "its memory means little on this kernel");
	else
		tap_ok(most < (long long)sockets * streams_made * NODE_BYTES / 3,
		       "what is noted of the others is paid for");
	tap_is(tenant_cgroup_event(GROUP, "oom_kill"), 0, "nobody is killed");
	__atomic_store_n(&stage->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++)
		tap_is(tap_wait(pid[i]), 0, "a process ends well");
	close(fd);
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "all memory of rings is given back");
	rmdir(TENANT_CGROUPS "/" GROUP);
	return tap_done();
}
