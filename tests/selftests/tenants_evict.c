// SPDX-License-Identifier: GPL-2.0
/*
 * A user subscribes to a victim's stream with very many sockets, all of which stop
 * reading at once. When evict_ms is over, each is evicted in a time that does not
 * depend on how many they are, and the victim goes on.
 */
#include <sys/resource.h>

#include "hard.h"
#include "tenants.h"

#define FEW		128
#define MANY		2048
#define EVICT_MS	300
#define PATH		"/evicted/feed"

/**
 * struct stage - what victim and attacker share
 * @want: subscribers.
 * @ready: they are there.
 */
struct stage {
	int want;
	int ready;
};

static int subscribe(void *arg)
{
	struct stage *s = arg;
	int i;

	for (i = 0; i < s->want; i++)
		tap_subscriber(SOCK_RDM, PATH);
	__atomic_store_n(&s->ready, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
	return 0;
}

/* Publishes until it would have to wait. */
static void fill(struct weir *w)
{
	static const char data[64];

	while (!weir_send(w, data, sizeof(data), WEIR_DONTWAIT))
		;
}

/* Nanoseconds from the first eviction to the last, for each of so many. */
static uint64_t evictions(int want)
{
	struct weir_config config = { .ring_bytes = 4096 };
	struct stage *s = shared_memory(sizeof(*s));
	const struct weir_status *status;
	uint64_t first = 0, last = 0;
	struct weir *w;
	int64_t until;
	uint64_t n;
	pid_t pid;

	need(!weir_open(&w, SOCK_RDM, &config), "open");
	need(!weir_bind(w, PATH), "bind");
	need(!tap_setopt(weir_fd(w), WEIR_SO_EVICT_MS, EVICT_MS), "evict_ms");
	s->want = want;
	pid = tenant_start(TENANT_ATTACKER, subscribe, s);
	need(soon(__atomic_load_n(&s->ready, __ATOMIC_ACQUIRE)),
	     "%d subscribers", want);
	fill(w);
	status = w->out.status;
	need(!(tap_poll_now(weir_fd(w), POLLOUT) & POLLOUT),
	     "the writer is held back");
	until = now_ms() + HARD_DEADLINE_MS;
	do {
		n = weir_load(&status->evictions);
		last = tenant_now_ns();
		if (n && !first)
			first = last;
	} while (n < (uint64_t)want && now_ms() < until);
	check(n == (uint64_t)want, "%d of %d are evicted", (int)n, want);
	check(!weir_send(w, "on", 2, HARD_DEADLINE_NS), "the writer goes on");
	tenant_kill(pid);
	weir_close(w);
	need(soon(!sysval("stats/readers")), "they are gone");
	note("%d: %llu us from the first to the last", want,
	     (unsigned long long)(last - first) / 1000);
	return (last - first) / (uint64_t)want;
}

int main(void)
{
	struct rlimit most = { MANY + 64, MANY + 64 };
	uint64_t few = 0, many = 0;
	int tries = 5, want = (int)tap_scale(MANY, 1024);

	hard_begin();
	tap_watchdog(250);
	need(!setrlimit(RLIMIT_NOFILE, &most), "files");
	/* of a machine that others use as well, the best of five */
	while (tries--) {
		few = evictions(FEW);
		many = evictions(want);
		if (many <= 2 * few || hard_slow())
			break;
	}
	/* the sanitizer kernel looks for faults; its times mean little */
	check(many <= 2 * few || hard_slow(),
	      "of %d each takes at most twice as long as of %d (%llu ns, %llu ns)",
	      want, FEW, (unsigned long long)many, (unsigned long long)few);
	check_kernel();
	return hard_done();
}
