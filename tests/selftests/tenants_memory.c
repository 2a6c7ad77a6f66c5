// SPDX-License-Identifier: GPL-2.0
/*
 * A user who asks for rings that do not fit is refused, and nobody is killed
 * for it: not on the machine, and not within a memory cgroup. A victim of
 * another user holds memory and writes to it all the while.
 */
#include "tenants.h"

#define MIB		(1ull << 20)
#define RINGS		64

/**
 * struct holder - the victim: memory that it holds and writes
 * @bytes: how much.
 * @rounds: times it has written all of it.
 * @stop: nonzero: it ends.
 */
struct holder {
	size_t bytes;
	unsigned int rounds;
	int stop;
};

/**
 * struct attack - rings that are asked for, all kept until all are done
 * @count: how many; 0: until one is refused, at most RINGS.
 * @ring_bytes: each.
 * @bound: out: how many there were.
 * @err: out: errno of the last refusal, 0 without one.
 * @words: out: what it said.
 */
struct attack {
	int count;
	unsigned int ring_bytes;
	int bound;
	int err;
	char words[256];
};

static int hold(void *arg)
{
	struct holder *h = arg;
	volatile char *p = mmap(NULL, h->bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at;

	if (p == MAP_FAILED)
		return 1;
	madvise((void *)p, h->bytes, MADV_HUGEPAGE);
	while (!__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE)) {
		for (at = 0; at < h->bytes; at += 4096)
			p[at] = (char)(at + h->rounds);
		__atomic_add_fetch(&h->rounds, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

static int attack_run(void *arg)
{
	struct attack *a = arg;
	int most = a->count ? a->count : RINGS, i, fd;
	char path[64];

	for (i = 0; i < most; i++) {
		fd = tap_socket(SOCK_RDM);
		if (tap_setopt(fd, WEIR_SO_RING_BYTES, a->ring_bytes))
			return 1;
		snprintf(path, sizeof(path), "/attack/%d/%d", getpid(), i);
		if (!tap_bind(fd, path)) {
			a->bound++;
			continue;
		}
		a->err = errno;
		snprintf(a->words, sizeof(a->words), "%s", tap_words(fd));
		if (!a->count)
			break;
	}
	return 0;
}

/* Runs the attack as the attacker, in a cgroup if there is one. */
static int attacked(struct attack *a, const char *group)
{
	return tap_wait(tenant_start_in(group, TENANT_ATTACKER, attack_run, a));
}

static long long kills(void)
{
	return tap_field("/proc/vmstat", "oom_kill");
}

/* A victim that holds so much, in a cgroup if there is one. */
static pid_t holding(struct holder *h, size_t bytes, const char *group)
{
	pid_t pid;

	h->bytes = bytes;
	h->rounds = 0;
	h->stop = 0;
	pid = tenant_start_in(group, TENANT_VICTIM, hold, h);
	if (!tap_until(__atomic_load_n(&h->rounds, __ATOMIC_ACQUIRE)))
		tap_bail("the victim does not get its memory");
	return pid;
}

/* The victim writes on, and ends by itself. */
static void held(struct holder *h, pid_t pid, const char *where)
{
	unsigned int before = __atomic_load_n(&h->rounds, __ATOMIC_ACQUIRE);

	tap_ok(tap_until(__atomic_load_n(&h->rounds, __ATOMIC_ACQUIRE) !=
			 before), "%s: the victim goes on", where);
	__atomic_store_n(&h->stop, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(pid), 0, "and ends by itself");
}

static void refused(struct attack *a, const char *group, const char *name)
{
	int status = attacked(a, group);

	tap_ok(!status && a->err == ENOMEM, "%s: refused", name);
	tap_diag("status %d, %d bound, errno %d: %s", status, a->bound, a->err,
		 a->words);
	tap_ok(strlen(a->words) > 8, "in words: %s", a->words);
}

static void on_machine(struct holder *h, struct attack *a)
{
	long long have = tap_field("/proc/meminfo", "MemAvailable:") * 1024;
	long long before = kills();
	pid_t pid;

	/* what is left is less than a ring of 1 GiB and more than 512 MiB */
	pid = holding(h, have > 800 * (long long)MIB ?
		      have - 800 * MIB : 16 * MIB, NULL);
	*a = (struct attack){ .count = 1, .ring_bytes = 1 << 30 };
	refused(a, NULL, "a ring larger than what is left");
	tap_is(a->bound, 0, "there is none");
	if (tap_scale(100, 0) >= 10) {
		*a = (struct attack){ .ring_bytes = 1 << 26 };
		refused(a, NULL, "rings until no more fit");
	}
	held(h, pid, "the machine");
	tap_is(kills(), before, "nobody was killed on the machine");
}

static void in_cgroup(struct holder *h, struct attack *a)
{
	const char *group = "tenants_memory";
	pid_t pid;

	if (tenant_cgroup(group, 64 * MIB)) {
		tap_skip("within a memory cgroup", "no memory cgroups");
		return;
	}
	pid = holding(h, 36 * MIB, group);
	*a = (struct attack){ .count = 1, .ring_bytes = 1 << 26 };
	refused(a, group, "a ring as large as the cgroup");
	*a = (struct attack){ .count = 2, .ring_bytes = 1 << 25 };
	refused(a, group, "a ring larger than what is left in the cgroup");
	*a = (struct attack){ .ring_bytes = 1 << 20 };
	refused(a, group, "rings until the cgroup is full");
	tap_ok(a->bound > 0, "some of them fitted");
	held(h, pid, "the cgroup");
	tap_is(tenant_cgroup_event(group, "oom_kill"), 0,
	       "nobody was killed in the cgroup");
	rmdir(TENANT_CGROUPS "/tenants_memory");
}

int main(void)
{
	struct holder *h = tap_shared(sizeof(*h));
	struct attack *a = tap_shared(sizeof(*a));
	long long cap, cap_all;

	tap_begin_as_root(300);
	cap = tap_stat("tunables/user_bytes_max");
	cap_all = tap_stat("tunables/netns_bytes_max");
	tap_ok(cap <= tap_field("/proc/meminfo", "MemTotal:") * 1024 / 4,
	       "one user's cap is at most a quarter of the memory");
	/* the caps out of the way: memory itself is to say no */
	tap_tune("user_bytes_max", 1ull << 40);
	tap_tune("netns_bytes_max", 1ull << 40);
	on_machine(h, a);
	in_cgroup(h, a);
	tap_tune("user_bytes_max", cap);
	tap_tune("netns_bytes_max", cap_all);
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "all memory of rings is given back");
	return tap_done();
}
