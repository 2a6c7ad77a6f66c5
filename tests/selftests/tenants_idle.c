// SPDX-License-Identifier: GPL-2.0
/*
 * A polling thread that goes to sleep asks the owners of all its sockets to kick,
 * for which it may interrupt their processors. It does so at the expense of the
 * user that woke it last. An attacker uses up what it may have of that by other
 * means, and wakes the thread again and again: for that nobody is interrupted. And
 * no message of another user's is left behind, although the thread sleeps then
 * without having interrupted anybody.
 */
#include "routed.h"
#include "tenants.h"

#define KICKS	200	/* that wake the thread */
#define IDLE_US	100	/* after which it goes to sleep */
#define RING	4096
#define BURST	64	/* more than a user may have at once, see account.h */

/**
 * struct stage - what the processes share
 * @stop: all end.
 * @ready: processes that are set up.
 * @done: messages of the victim's that came.
 */
static struct stage {
	int stop, ready;
	uint64_t done;
} *stage;

/* --- the attack -------------------------------------------------------------- */

/* A full ring with a reader, which asks for room again and again. */
static int spender(void *arg)
{
	struct weir_ioc_map m = { .size = sizeof(m), .id = WEIR_ID_STREAM };
	int fd = tap_socket(SOCK_RDM), reader;
	struct weir_head *head;
	uint64_t i;

	(void)arg;
	if (tap_setopt(fd, WEIR_SO_RING_BYTES, RING) || tap_bind(fd, "/idle/full"))
		return 2;
	reader = tap_subscriber(SOCK_RDM, "/idle/full");
	/* a reader that has mapped its cursor moves it without a call */
	if (ioctl(reader, WEIR_IOC_MAP, &m) ||
	    mmap(NULL, m.length[WEIR_MAP_OWN], PROT_READ | PROT_WRITE,
		 MAP_SHARED, reader, (off_t)m.offset[WEIR_MAP_OWN]) == MAP_FAILED)
		return 3;
	head = tenant_head(fd);
	add(&stage->ready, 1);
	for (i = 0; !get(&stage->stop); i++)
		tenant_ask_room(fd, head, RING, i & 1);
	return 0;
}

static bool asks(const struct weir *w)
{
	return weir_load(&w->out.status->wake) & WEIR_WAKE_ROUTER;
}

/* Kicks when it is asked to, and no more often. */
static void send_one(struct weir *w, uint32_t route)
{
	struct weir_call call = {
		.route = route, .one_way = 1, .flags = WEIR_REC_DROP,
	};
	struct weir_buf buf = { 0 };

	while (weir_call_claim(w, &call, 8, &buf))
		weir_flush(w);
	weir_call_commit_more(w, &call, &buf);
	if (asks(w))
		weir_flush(w);
}

/* Sends and kicks whenever the thread sleeps. */
static int waker(void *arg)
{
	struct weir *s = server("/idle/attack", 1), *c;
	uint32_t route;

	(void)arg;
	c = caller("/idle/attack", &route);
	add(&stage->ready, 1);
	while (!get(&stage->stop)) {
		if (!asks(c))
			continue;
		send_one(c, route);
		drain(s);
	}
	return 0;
}

/* How often the thread has gone to sleep, twice each time at most; or -1. */
static long long sleeps(void)
{
	static char path[64];
	char line[128] = "";
	long long n = -1;
	FILE *f;
	int pid;

	for (pid = 2; !*path && pid < 32768; pid++) {
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		f = fopen(path, "r");
		if (!f || !fgets(line, sizeof(line), f) ||
		    strcmp(line, "weir_poll/1\n"))
			*path = '\0';
		else
			snprintf(path, sizeof(path), "/proc/%d/status", pid);
		if (f)
			fclose(f);
	}
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %lld", &n);
	if (f)
		fclose(f);
	return n;
}

/* --- the victim -------------------------------------------------------------- */

/* Sends at any time, also when the thread is about to sleep. */
static int victim(void *arg)
{
	struct weir *s = server("/idle/victim", 1), *c;
	uint32_t route;
	int64_t until;

	(void)arg;
	c = caller("/idle/victim", &route);
	add(&stage->ready, 1);
	while (!get(&stage->stop)) {
		send_one(c, route);
		if (!soon(drain(s)))
			return 3;
		add(&stage->done, 1);
		until = now_ns() + (int64_t)(rnd() % (4000 * IDLE_US));
		while (now_ns() < until)
			;
	}
	return 0;
}

static pid_t start(uid_t uid, int (*fn)(void *), const char *what)
{
	int ready = get(&stage->ready);
	pid_t pid = tenant_start(uid, fn, NULL);

	need(soon(get(&stage->ready) > ready), "%s", what);
	return pid;
}

/* Does the attacker use up what it may have, when it has the machine alone? */
static bool spends(void)
{
	long long barriers = tap_stat("stats/barriers");
	int64_t begun = now_ms(), ms;

	pass(SECOND);
	barriers = tap_stat("stats/barriers") - barriers;
	ms = now_ms() - begun;
	note("%lld barriers in %lld ms", barriers, (long long)ms);
	return barriers >= ms / 2;
}

int main(void)
{
	long long barriers, slept, ms, idle;
	int64_t begun;
	pid_t pid[3];
	int i;

	hard_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		tap_skip_all("one processor");
	stage = tap_shared(sizeof(*stage));
	idle = tap_stat("tunables/poll_idle_us");
	need(!tap_tune("poll_idle_us", IDLE_US), "idle time");
	need(!tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "1"),
	     "poll_cpus");
	pid[0] = start(TENANT_ATTACKER, spender, "the spender");
	if (spends()) {
		begun = now_ms();
		barriers = tap_stat("stats/barriers");
		pid[1] = start(TENANT_ATTACKER, waker, "the waker");
		slept = sleeps();
		need(slept >= 0 && soon(sleeps() >= slept + 2 * KICKS),
		     "the thread sleeps, and is woken up");
		barriers = tap_stat("stats/barriers") - barriers;
		ms = now_ms() - begun;
		check(barriers <= ms + BURST,
		      "a user has others interrupted once in a millisecond (%lld in %lld ms)",
		      barriers, ms);
	} else {
		tap_skip("interrupts", "the attacker is too slow");
		pid[1] = start(TENANT_ATTACKER, waker, "the waker");
	}
	pid[2] = start(TENANT_VICTIM, victim, "the victim");
	check(soon(get(&stage->done) >= KICKS), "a victim's messages come");
	put(&stage->stop, 1);
	for (i = 0; i < 3; i++)
		check(!tap_wait(pid[i]), "%s", i < 2 ? "an attacker ends well" :
		      "and none is left behind");
	tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "\n");
	tap_tune("poll_idle_us", (unsigned long long)idle);
	check_routes_gone("idle");
	check_kernel();
	return tap_done();
}
