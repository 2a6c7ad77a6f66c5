// SPDX-License-Identifier: GPL-2.0
/*
 * What a process has committed before it is killed is routed: messages and replies,
 * small and large, with and without polling; also when the thread that closes the
 * socket is killed, when another thread has died with a claim, and when a message
 * waits for room: for that it waits for a while, and those behind it go to where
 * there is room.
 */
#include <pthread.h>

#include "routed.h"

#define TO	"/killed/to"
#define FULL	"/killed/full"

/**
 * struct job - what a process does until it is killed
 * @bytes: of a message or reply.
 * @most: messages or replies; then it waits.
 * @committed: so far.
 * @closing: a thread closes the socket.
 */
static struct job {
	uint32_t bytes;
	uint32_t most;
	uint32_t committed;
	int closing;
} *job;

static void commit(struct weir *w, uint32_t route, uint32_t bytes)
{
	struct weir_call call = { .route = route, .one_way = 1 };
	struct weir_buf buf = { 0 };

	while (weir_call_claim(w, &call, bytes, &buf))
		weir_flush(w);
	memset(buf.data, 1, bytes);
	weir_call_commit_more(w, &call, &buf);
}

/* Commits messages; some of them are kicked. */
static int publish(void *arg)
{
	uint32_t route;
	struct weir *w = handle(8 << 20, 0);

	(void)arg;
	route = route_of(w, TO);
	while (job->committed < job->most) {
		commit(w, route, job->bytes);
		add(&job->committed, 1);
		if (rnd() % 64 == 0)
			weir_flush(w);
	}
	pause();
	return 0;
}

/* The same for the replies to what there is to be answered. */
static int serve(void *arg)
{
	struct weir *w = handle(8 << 20, PLENTY);

	(void)arg;
	need(!weir_serve(w, TO, 1, NULL), "serve: %s", weir_error());
	put(&job->closing, 1);
	while (job->committed < job->most) {
		struct weir_ticket t = next_ticket(w, "the service");
		struct weir_buf buf = { 0 };

		while (weir_reply_claim(w, &t, job->bytes, &buf))
			weir_flush(w);
		memset(buf.data, 1, job->bytes);
		weir_reply_commit_more(w, &t, WEIR_KIND_REPLY, 0, &buf);
		add(&job->committed, 1);
		if (rnd() % 16 == 0)
			weir_flush(w);
	}
	pause();
	return 0;
}

static void *close_it(void *w)
{
	put(&job->closing, 1);
	weir_close(w);
	pause();
	return NULL;
}

static int publish_and_close(void *arg)
{
	struct weir *w = handle(8 << 20, 0);
	uint32_t route = route_of(w, TO);
	pthread_t thread;

	(void)arg;
	for (; job->committed < job->most; job->committed++)
		commit(w, route, job->bytes);
	need(!pthread_create(&thread, NULL, close_it, w), "thread");
	pause();
	return 0;
}

/* Messages to an inbox that is full, and behind them one to another. */
static int publish_behind(void *arg)
{
	struct weir *w = handle(8 << 20, 0);
	uint32_t full = route_of(w, FULL), to = route_of(w, TO), i;

	(void)arg;
	for (i = 0; i < 200; i++)
		commit(w, full, job->bytes);
	for (; job->committed < job->most; job->committed++)
		commit(w, to, job->bytes);
	return raise(SIGKILL);
}

/* A claim that stays open, as that of a thread that dies, and messages behind. */
static int publish_past(void *arg)
{
	struct weir *w = handle(8 << 20, 0);
	uint32_t to = route_of(w, TO);
	struct weir_call call = { .route = to, .one_way = 1 };
	struct weir_buf buf;

	(void)arg;
	need(!weir_call_claim(w, &call, job->bytes, &buf), "claim");
	for (; job->committed < job->most; job->committed++)
		commit(w, to, job->bytes);
	return raise(SIGKILL);
}

static void job_set(uint32_t bytes, uint32_t most)
{
	*job = (struct job){ .bytes = bytes, .most = most };
}

/* Messages that come to a target until there are @want, or no more. */
static uint32_t come(struct weir *s, uint32_t want)
{
	uint32_t n = 0;

	soon((n += (uint32_t)drain(s)) >= want);
	return n;
}

/* Kills a process when it has committed some, or at once. */
static void strike(pid_t pid)
{
	uint32_t at = rnd() % (job->most + 1);

	need(soon(get(&job->committed) >= at), "the process commits");
	tap_kill(pid);
}

static void publishers(const char *how, uint32_t bytes, uint32_t most,
		       long rounds)
{
	struct weir *s = server_of(TO, 1, 32 << 20, NULL);
	uint32_t lost = 0, sent = 0, n;
	long i;

	route_quiet(TO);
	for (i = 0; i < rounds; i++) {
		job_set(bytes, most);
		strike(spawn(publish, NULL));
		n = come(s, job->committed);
		sent += job->committed;
		if (n < job->committed)
			lost += job->committed - n;
		/* one may be committed, and not counted yet */
		if (n > job->committed + 1)
			check(false, "%u messages of %u", n, job->committed);
	}
	check(!lost, "%s, %u bytes: of %u messages of %ld processes that are killed none is lost (%u)",
	      how, bytes, sent, rounds, lost);
	weir_close(s);
	need(!route_del(TO), "del");
}

static void services(const char *how, uint32_t bytes, uint32_t most, long rounds)
{
	struct weir *c = handle(0, 32 << 20);
	uint32_t lost = 0, sent = 0, route, k, n;
	long i;

	for (i = 0; i < rounds; i++) {
		pid_t pid;

		job_set(bytes, most);
		pid = spawn(serve, NULL);
		need(soon(get(&job->closing)), "the service");
		route = route_of(c, TO);
		for (k = 0; k < most; k++)
			ask(c, route, k);
		strike(pid);
		for (k = n = 0; k < most; k++)
			n += next_outcome(c).kind == WEIR_KIND_REPLY;
		sent += job->committed;
		if (n < job->committed)
			lost += job->committed - n;
	}
	check(!lost, "%s, %u bytes: of %u replies of %ld services that are killed none is lost (%u)",
	      how, bytes, sent, rounds, lost);
	weir_close(c);
}

static void polled_or_not(const char *how, long rounds)
{
	publishers(how, 8, 500, rounds);
	publishers(how, 100000, 20, rounds / 4 + 1);
	services(how, 8, 50, rounds);
	services(how, 100000, 10, rounds / 4 + 1);
}

static void closers(long rounds)
{
	struct weir *s = server_of(TO, 1, 32 << 20, NULL);
	uint32_t lost = 0;
	long i;

	for (i = 0; i < rounds && !lost; i++) {
		int64_t until;
		pid_t pid;

		job_set(8, 20000);
		pid = spawn(publish_and_close, NULL);
		need(soon(get(&job->closing)), "the thread closes");
		until = now_ns() + (int64_t)(rnd() % 2000000);
		while (now_ns() < until)
			;
		tap_kill(pid);
		lost += job->most - come(s, job->most);
	}
	check(!lost, "none is lost when the thread that closes is killed (%u)",
	      lost);
	weir_close(s);
}

/* No ring is left but @rings of others. */
static bool gone(long long rings)
{
	return tap_stat("stats/rings") <= rings;
}

/*
 * A process is killed while messages of its wait for room, and the target reads
 * until its outbox is gone. Returns how many are missing then. *@gap_ns: the
 * longest time between two looks of the target, the first of which is before the
 * kill.
 */
static uint32_t read_after_kill(struct weir *s, long long rings, int64_t *gap_ns)
{
	uint32_t left = job->most;
	int64_t last, now, until;
	bool end;
	pid_t pid;

	drain(s);
	need(soon(gone(rings)), "the outbox before is gone");
	pid = spawn(publish, NULL);
	need(soon(get(&job->committed) == job->most), "all are committed");
	last = now_ns();
	until = last + HARD_DEADLINE_NS;
	*gap_ns = 0;
	tap_kill(pid);
	do {
		usleep(500);
		end = gone(rings) || last > until;
		left -= (uint32_t)drain(s);
		now = now_ns();
		if (now - last > *gap_ns)
			*gap_ns = now - last;
		last = now;
	} while (left && !end);
	need(last <= until, "the outbox goes");
	return left;
}

/* What waits for room gets it when that comes soon. */
static void waiting(long rounds, long long rings)
{
	uint32_t left, lost = 0;
	long i, judged = 0;
	int64_t gap_ns;
	struct weir *s;

	need(soon(gone(rings)), "the outboxes before are gone");
	s = server_of(TO, 1, 4096, NULL);
	rings = tap_stat("stats/rings");

	for (i = 0; i < rounds; i++) {
		job_set(8, 100);
		left = read_after_kill(s, rings, &gap_ns);
		/* a message waits for 100 ms, so this target made room in time */
		if (gap_ns < 50 * MS) {
			judged++;
			lost += left;
		}
	}
	if (judged)
		check(!lost, "what waits for room comes when there is some (%u lost, %ld of %ld rounds)",
		      lost, judged, rounds);
	else
		tap_skip("what waits for room", "the target is kept from reading");
	weir_close(s);
}

static void behind(long rounds)
{
	struct weir *s = server_of(TO, 1, PLENTY, NULL);
	struct weir *full = server_of(FULL, 1, 4096, NULL);
	uint32_t lost = 0;
	long i;

	for (i = 0; i < rounds && !lost; i++) {
		job_set(8, 100);
		waitpid(spawn(publish_behind, NULL), NULL, 0);
		lost += job->most - come(s, job->most);
	}
	check(!lost, "what is behind a message that finds no room is not lost (%u)",
	      lost);
	check(drain(full) > 0, "and that target has as many as it has room for");
	for (i = lost = 0; i < rounds && !lost; i++) {
		job_set(8, 100);
		waitpid(spawn(publish_past, NULL), NULL, 0);
		lost += job->most - come(s, job->most);
	}
	check(!lost, "nor what is behind a claim that stays open (%u)", lost);
	weir_close(full);
	weir_close(s);
}

int main(void)
{
	struct counters before;
	long rounds;

	hard_begin();
	job = tap_shared(sizeof(*job));
	rounds = tap_scale(400, 20);
	before = counters();
	polled_or_not("kicked", rounds);
	closers(rounds / 4 + 1);
	waiting(rounds / 20 + 3, before.rings);
	behind(rounds / 20 + 1);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		need(!tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "1"),
		     "poll_cpus");
		polled_or_not("polled", rounds / 4 + 1);
		tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "\n");
	} else {
		tap_skip("polled", "one processor");
	}
	check_counters(&before);
	check_routes_gone("killed");
	check_kernel();
	return tap_done();
}
