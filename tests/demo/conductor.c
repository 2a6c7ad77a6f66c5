// SPDX-License-Identifier: GPL-2.0
/*
 * The conductor: starts the processes of the demo, lets the publisher make one
 * pass after another over each part of the index, brings the slow subscriber in
 * for one of two, kills and restarts a subscriber half-way in a pass over all of
 * it, and ends it all. It shows how far they are, and fails when a process fails
 * or nothing moves.
 *
 * It waits for conditions by looking at the shared counts every millisecond:
 * the parties' own waiting is the mesh's business and must not be helped.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

#define SHOW_NS		(250 * MS)
#define LINE_NS		(2 * SECOND)
/* Long: the clock of a guest on a busy machine may run fast. */
#define STUCK_NS	(120 * SECOND)
#define DOWN_NS		(700 * MS)

/* At least so many pairs of passes, alone and with the slow one. */
#define PAIRS_MIN	PASS_PARTS

const char *const party_name[PARTIES] = {
	[PARTY_PUBLISHER]	= "publisher",
	[PARTY_ALL]		= "all",
	[PARTY_SECTION]		= "section",
	[PARTY_RESTARTED]	= "restarted",
	[PARTY_SLOW]		= "slow",
	[PARTY_SERVER]		= "server",
	[PARTY_CLIENT]		= "client",
};

static volatile sig_atomic_t interrupted;

/**
 * struct conductor - the state of a run
 * @d: the run.
 * @began_ns: when it began.
 * @show_ns: when to show progress next.
 * @moved_ns: when a count last changed.
 * @moved: the sum of all counts then.
 * @pass: number of the pass, from 1.
 * @killed: the subscriber has been killed and is back.
 * @why: words for a failure.
 */
struct conductor {
	struct demo	*d;
	uint64_t	began_ns;
	uint64_t	show_ns;
	uint64_t	moved_ns;
	uint64_t	moved;
	uint32_t	pass;
	bool		killed;
	char		why[400];
};

/* --- what all processes use --- */

uint64_t demo_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

void demo_pause(uint64_t ns)
{
	struct timespec t = {
		.tv_sec = (time_t)(ns / SECOND),
		.tv_nsec = (long)(ns % SECOND),
	};

	nanosleep(&t, NULL);
}

/* The plain definition of a match, independent of the kernel's. */
static bool path_matches(const char *pattern, const char *path)
{
	while (*pattern && *path) {
		size_t want = strcspn(++pattern, "/"), has = strcspn(++path, "/");

		if (want == 2 && !memcmp(pattern, "**", 2))
			return true;
		if (!(want == 1 && *pattern == '*') &&
		    (want != has || memcmp(pattern, path, has)))
			return false;
		pattern += want;
		path += has;
	}
	return !*pattern && !*path;
}

bool demo_reads(const struct demo *d, enum party_id id, uint32_t section)
{
	return path_matches(d->pattern[id], d->index.sections[section].path);
}

/* What @who has of the sections that @like reads. */
struct count demo_total(const struct demo *d, enum party_id who,
			enum party_id like)
{
	struct count total = { 0 };
	uint32_t i;

	for (i = 0; i < d->index.header->nsections; i++) {
		struct count c;

		if (!demo_reads(d, like, i))
			continue;
		c = tally_get(&d->shared->party[who].tally[i]);
		total.messages += c.messages;
		total.bytes += c.bytes;
		total.sum += c.sum;
	}
	return total;
}

/* Remembers why; the first reason is the one that counts. Returns -1. */
int demo_fail(struct party *p, const char *what, int err)
{
	const char *words = weir_error();

	if (p->error[0])
		return -1;
	if (!err)
		snprintf(p->error, sizeof(p->error), "%s", what);
	else
		snprintf(p->error, sizeof(p->error), "%s: %s (%s)", what,
			 strerror(-err), *words ? words : "no more is known");
	return -1;
}

void party_set_state(struct party *p, enum party_state state)
{
	__atomic_store_n(&p->state, state, __ATOMIC_RELEASE);
}

static enum party_state party_state(const struct party *p)
{
	return __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
}

/* --- processes --- */

__attribute__((format(printf, 2, 3)))
static int give_up(struct conductor *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!c->why[0])
		vsnprintf(c->why, sizeof(c->why), format, args);
	va_end(args);
	return -1;
}

static int party_main(struct demo *d, struct party *p, enum party_id id)
{
	switch (id) {
	case PARTY_PUBLISHER:
		return publisher_run(d, p);
	case PARTY_SERVER:
		return server_run(d, p);
	case PARTY_CLIENT:
		return client_run(d, p);
	default:
		return subscriber_run(d, p, id);
	}
}

static int start(struct conductor *c, enum party_id id)
{
	struct party *p = &c->d->shared->party[id];
	pid_t parent = getpid(), pid;

	party_set_state(p, PARTY_IDLE);
	p->leave = 0;
	p->starts++;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return give_up(c, "fork: %s", strerror(errno));
	if (pid) {
		p->pid = pid;
		return 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* it died before that took effect */
	if (getppid() != parent)
		_exit(1);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	if (party_main(c->d, p, id)) {
		party_set_state(p, PARTY_FAILED);
		_exit(1);
	}
	party_set_state(p, PARTY_DONE);
	_exit(0);
}

/* Takes in processes that have ended. One that failed ends the run. */
static int reap(struct conductor *c)
{
	int status, i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < PARTIES; i++) {
			struct party *p = &c->d->shared->party[i];

			if (p->pid != pid)
				continue;
			p->pid = 0;
			if (WIFSIGNALED(status))
				return give_up(c, "%s: killed by signal %d (%s)",
					       party_name[i], WTERMSIG(status),
					       strsignal(WTERMSIG(status)));
			if (party_state(p) != PARTY_DONE)
				return give_up(c, "%s: %s", party_name[i],
					       p->error[0] ? p->error :
					       "ended early");
		}
	}
	return 0;
}

static void kill_all(struct conductor *c)
{
	int i;

	for (i = 0; i < PARTIES; i++) {
		struct party *p = &c->d->shared->party[i];

		if (p->pid <= 0)
			continue;
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
		p->pid = 0;
	}
}

/* --- waiting --- */

static int check_moving(struct conductor *c, uint64_t now, const char *what)
{
	const struct shared *s = c->d->shared;
	uint64_t sum = demo_total(c->d, PARTY_PUBLISHER, PARTY_ALL).messages;
	int i;

	for (i = PARTY_ALL; i <= PARTY_SLOW; i++)
		sum += demo_total(c->d, i, PARTY_ALL).messages;
	for (i = 0; i < PARTIES; i++)
		sum += s->party[i].starts + party_state(&s->party[i]);
	if (sum != c->moved) {
		c->moved = sum;
		c->moved_ns = now;
	}
	if (now - c->moved_ns > STUCK_NS)
		return give_up(c, "nothing moved for %d s while waiting for %s",
			       (int)(STUCK_NS / SECOND), what);
	return 0;
}

/* One look: shows progress when it is time; -1 when the run has failed. */
static int look(struct conductor *c, const char *what)
{
	uint64_t now = demo_now_ns();

	if (interrupted)
		return give_up(c, "interrupted");
	if (reap(c))
		return -1;
	if (now < c->show_ns)
		return 0;
	c->show_ns = now + (c->d->lines ? LINE_NS : SHOW_NS);
	report_progress(c->d, now - c->began_ns);
	return check_moving(c, now, what);
}

static int wait_state(struct conductor *c, enum party_id id,
		      enum party_state state)
{
	struct party *p = &c->d->shared->party[id];

	while (party_state(p) != state) {
		if (look(c, party_name[id]))
			return -1;
		demo_pause(MS);
	}
	/* it is gone for good when its sockets are closed */
	while (state == PARTY_DONE && p->pid) {
		if (look(c, party_name[id]))
			return -1;
		demo_pause(MS);
	}
	return 0;
}

static int start_and_wait(struct conductor *c, enum party_id id)
{
	return start(c, id) ? -1 : wait_state(c, id, PARTY_READY);
}

/* --- passes --- */

static uint64_t behind(const struct demo *d, enum party_id id)
{
	return demo_total(d, PARTY_PUBLISHER, id).messages -
	       demo_total(d, id, id).messages;
}

static bool all_read(const struct demo *d)
{
	return !behind(d, PARTY_ALL) && !behind(d, PARTY_SECTION) &&
	       !behind(d, PARTY_RESTARTED);
}

/* kill -9, a while of absence, and a new process that takes its place. */
static int kill_and_restart(struct conductor *c)
{
	struct shared *s = c->d->shared;
	struct party *p = &s->party[PARTY_RESTARTED];
	uint64_t began = demo_now_ns();

	if (p->pid <= 0)
		return give_up(c, "restarted: ended before it could be killed");
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	p->pid = 0;
	s->killed_at = demo_total(c->d, PARTY_RESTARTED, PARTY_RESTARTED).messages;
	while (demo_now_ns() - began < DOWN_NS) {
		if (look(c, "the restart"))
			return -1;
		demo_pause(MS);
	}
	if (start_and_wait(c, PARTY_RESTARTED))
		return -1;
	s->down_ns = demo_now_ns() - began;
	c->killed = true;
	return 0;
}

/* Until the pass is published and read, killing on the way if it is time. */
static int pass_wait(struct conductor *c, uint64_t kill_at)
{
	struct shared *s = c->d->shared;

	while (__atomic_load_n(&s->done, __ATOMIC_ACQUIRE) != c->pass ||
	       !all_read(c->d)) {
		if (look(c, "the subscribers"))
			return -1;
		if (kill_at && demo_total(c->d, PARTY_RESTARTED,
					  PARTY_RESTARTED).messages >= kill_at) {
			kill_at = 0;
			if (kill_and_restart(c))
				return -1;
		}
		demo_pause(MS);
	}
	return 0;
}

/* How many of these packages does a party read? */
static uint64_t packages_of(const struct demo *d, enum party_id id,
			    uint32_t from, uint32_t to)
{
	uint64_t n = 0;

	for (; from < to; from++)
		n += demo_reads(d, id, index_package(&d->index, from)->section);
	return n;
}

static int run_pass(struct conductor *c, enum pass_kind kind, uint32_t from,
		    uint32_t to)
{
	struct shared *s = c->d->shared;
	struct party *slow = &s->party[PARTY_SLOW];
	uint64_t kill_at = 0, began, ns;

	if (kind == PASS_SLOW && start_and_wait(c, PARTY_SLOW))
		return -1;
	if (kind == PASS_KILL)
		kill_at = demo_total(c->d, PARTY_RESTARTED,
				     PARTY_RESTARTED).messages +
			  packages_of(c->d, PARTY_RESTARTED, from, to) * 4 / 10;
	s->kind = kind;
	s->from = from;
	s->to = to;
	began = demo_now_ns();
	__atomic_store_n(&s->go, ++c->pass, __ATOMIC_RELEASE);
	if (pass_wait(c, kill_at))
		return -1;
	ns = demo_now_ns() - began;
	s->kind_ns[kind] += ns;
	s->pass_ns[kind][s->passes[kind]++ % PASSES_MAX] = ns;
	if (kind != PASS_SLOW)
		return 0;
	slow->offered += packages_of(c->d, PARTY_SLOW, from, to);
	__atomic_store_n(&slow->leave, 1, __ATOMIC_RELEASE);
	return wait_state(c, PARTY_SLOW, PARTY_DONE);
}

/* Every second pair the other way round, lest a drift favour one kind. */
static int run_pair(struct conductor *c, uint32_t n)
{
	enum pass_kind first = n % 2 ? PASS_SLOW : PASS_ALONE;
	uint64_t packages = c->d->index.header->npackages;
	uint32_t part = n % PASS_PARTS;
	uint32_t from = (uint32_t)(packages * part / PASS_PARTS);
	uint32_t to = (uint32_t)(packages * (part + 1) / PASS_PARTS);

	if (run_pass(c, first, from, to))
		return -1;
	return run_pass(c, first == PASS_SLOW ? PASS_ALONE : PASS_SLOW, from,
			to);
}

static int run_passes(struct conductor *c)
{
	uint64_t length = c->d->seconds * SECOND;
	uint32_t pairs = 0;

	do {
		if (run_pair(c, pairs++))
			return -1;
		if (demo_now_ns() - c->began_ns >= length * 4 / 10 &&
		    !c->killed &&
		    run_pass(c, PASS_KILL, 0, c->d->index.header->npackages))
			return -1;
	} while (pairs < PAIRS_MIN || !c->killed ||
		 demo_now_ns() - c->began_ns < length);
	return 0;
}

static int start_all(struct conductor *c)
{
	/* the subscribers first, so that they have all from the beginning */
	static const enum party_id order[] = {
		PARTY_SERVER, PARTY_ALL, PARTY_SECTION, PARTY_RESTARTED,
		PARTY_CLIENT, PARTY_PUBLISHER,
	};
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (start_and_wait(c, order[i]))
			return -1;
	}
	return 0;
}

static int finish_all(struct conductor *c)
{
	struct shared *s = c->d->shared;

	__atomic_store_n(&s->party[PARTY_CLIENT].leave, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&s->finish, 1, __ATOMIC_RELEASE);
	if (wait_state(c, PARTY_CLIENT, PARTY_DONE) ||
	    wait_state(c, PARTY_SERVER, PARTY_DONE) ||
	    wait_state(c, PARTY_PUBLISHER, PARTY_DONE) ||
	    wait_state(c, PARTY_ALL, PARTY_DONE) ||
	    wait_state(c, PARTY_SECTION, PARTY_DONE))
		return -1;
	return wait_state(c, PARTY_RESTARTED, PARTY_DONE);
}

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/**
 * demo_run() - the whole demo, but for the report at its end
 * @d: what to do.
 * @why: out: words for a failure.
 */
int demo_run(struct demo *d, const char **why)
{
	static struct conductor c;
	struct sigaction action = { .sa_handler = on_signal };
	int err;

	c.d = d;
	c.began_ns = demo_now_ns();
	c.moved_ns = c.began_ns;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	err = start_all(&c);
	if (!err)
		err = run_passes(&c);
	if (!err)
		err = finish_all(&c);
	report_clear(d);
	kill_all(&c);
	*why = c.why;
	return err;
}
