// SPDX-License-Identifier: GPL-2.0
/*
 * Two targets in processes of their own, a caller that keeps WINDOW idempotent
 * requests in flight, and a fault: one target is killed, or stopped so that it
 * does nothing any more. What counts is the longest that any request had to
 * wait for its good reply from the fault on, whether it was under way then or
 * sent later: when that one has come, all traffic has moved. An answer that is
 * an error fails the measurement.
 *
 * And for so long without a fault, under full load: nobody may be given up.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "routed.h"

#define PATH		"/bench/failover"
#define WINDOW		32
#define FAULTS		7
#define BEFORE_NS	(100 * MS_NS)
#define AFTER_NS	(600 * MS_NS)
#define LOAD_S		20
#define LATE_NS		(25 * MS_NS)
#define FAIL_RING	(64 * KIB)

/* --- the machine --- */

/*
 * An emulated processor may itself be stopped for a while by its host. On each
 * there is a process with a real-time priority that is to wake up every
 * millisecond; how late it is at most is how late everybody was, and what was
 * measured meanwhile says nothing. It cannot tell the host from a kernel that
 * keeps the processor to itself, so how much is left out is a figure too, and
 * when that is too much nothing is said.
 */
static _Atomic uint64_t *clock_late;	/* of each, and when each last woke up */
static pid_t clocks[2];

static _Noreturn void clock_run(int side)
{
	struct sched_param first = { .sched_priority = 1 };
	uint64_t at = now_ns(), now;

	job_pin(side);
	sched_setscheduler(0, SCHED_FIFO, &first);
	for (;;) {
		struct timespec until;

		at += MS_NS;
		until.tv_sec = (time_t)(at / SECOND_NS);
		until.tv_nsec = (long)(at % SECOND_NS);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		now = now_ns();
		if (now - at > atomic_load(&clock_late[side]))
			atomic_store(&clock_late[side], now - at);
		atomic_store(&clock_late[2 + side], now);
		at = now;
	}
}

static void clocks_start(void)
{
	int i;

	clock_late = mmap(NULL, 4 * sizeof(*clock_late), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (clock_late == MAP_FAILED)
		die("no memory for a clock");
	for (i = 0; i < 2; i++) {
		clocks[i] = job_child();
		if (!clocks[i])
			clock_run(i);
	}
}

static void clocks_end(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		kill(clocks[i], SIGKILL);
		waitpid(clocks[i], NULL, 0);
	}
	munmap(clock_late, 4 * sizeof(*clock_late));
}

static void late_reset(void)
{
	atomic_store(&clock_late[0], 0);
	atomic_store(&clock_late[1], 0);
}

static uint64_t late_ns(void)
{
	uint64_t worst = 0, one, now = now_ns();
	int i;

	for (i = 0; i < 2; i++) {
		one = atomic_load(&clock_late[i]);
		if (one > worst)
			worst = one;
		/* it may still be */
		one = atomic_load(&clock_late[2 + i]);
		if (one && now > one + MS_NS && now - one - MS_NS > worst)
			worst = now - one - MS_NS;
	}
	return worst;
}

/* --- targets --- */

static _Noreturn void target_run(int ready)
{
	struct weir *w = routed_server(PATH, FAIL_RING);
	struct weir_ticket ticket;
	struct weir_msg msg;
	char byte = 0;

	if (write(ready, &byte, 1) != 1)
		_exit(1);
	for (;;) {
		while (weir_peek(w, &msg) == 1) {
			struct weir_buf buf;

			ticket = weir_ticket(&msg);
			if (weir_reply_claim(w, &ticket, 64, &buf))
				break;
			memcpy(buf.data, msg.data, msg.len < 64 ? msg.len : 64);
			weir_release(w, &msg);
			weir_reply_commit_more(w, &ticket, WEIR_KIND_REPLY, 0,
					       &buf);
		}
		weir_wait(w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0, WEIR_FOREVER);
	}
}

static pid_t target_start(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready))
		die("pipe: %s", strerror(errno));
	pid = job_child();
	if (!pid) {
		job_pin(1);
		target_run(ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("a target does not serve");
	close(ready[0]);
	return pid;
}

static void target_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* How often a target of ours was given up, or its breaker opened. */
static uint64_t target_trips(void)
{
	struct weir_target_entry *entry = calloc(16, sizeof(*entry));
	struct weir_ioc_list list = {
		.size = sizeof(list),
		.kind = WEIR_LIST_TARGETS,
		.entry_size = sizeof(*entry),
		.count = 16,
		.entries = (uintptr_t)entry,
	};
	uint64_t trips = 0;
	uint32_t i;
	int err = entry ? routed_ioctl(WEIR_IOC_LIST, &list) : -ENOMEM;

	if (err)
		die("the targets cannot be listed: %s", strerror(-err));
	for (i = 0; i < list.count; i++)
		trips += entry[i].ejections + entry[i].breaker_opens;
	free(entry);
	return trips;
}

/* --- the caller --- */

/**
 * struct flow - requests in flight
 * @w: handle.
 * @call: how they are sent.
 * @sent_ns: when the one of each tag was; 0 while it is free.
 * @fault_ns: when the fault was; 0 before.
 * @longest_ns: that one waited for its reply after it.
 * @replies: good ones.
 * @errors: others.
 * @reason: of the last one of those.
 */
struct flow {
	struct weir		*w;
	struct weir_call	call;
	uint64_t		sent_ns[WINDOW];
	uint64_t		fault_ns;
	uint64_t		longest_ns;
	uint64_t		replies;
	uint64_t		errors;
	uint32_t		reason;
};

static void flow_send(struct flow *f, uint64_t now)
{
	struct weir_buf buf;
	uint32_t tag;

	for (tag = 0; tag < WINDOW; tag++) {
		if (f->sent_ns[tag])
			continue;
		f->call.tag = tag;
		/* what is idempotent keeps its place until it is answered */
		if (weir_call_claim(f->w, &f->call, 64, &buf))
			return;
		memset(buf.data, (int)tag, 64);
		weir_call_commit_more(f->w, &f->call, &buf);
		f->sent_ns[tag] = now;
	}
}

static void flow_take(struct flow *f, uint64_t now)
{
	struct weir_refusal fault;
	uint64_t since, *sent;
	struct weir_msg msg;

	while (weir_peek(f->w, &msg) == 1) {
		sent = &f->sent_ns[msg.rec->tag % WINDOW];
		if (msg.kind == WEIR_KIND_REPLY)
			f->replies++;
		else
			f->errors++;
		if (weir_refusal_get(&msg, &fault))
			f->reason = fault.reason;
		since = *sent > f->fault_ns ? *sent : f->fault_ns;
		if (f->fault_ns && now - since > f->longest_ns)
			f->longest_ns = now - since;
		*sent = 0;
		weir_release(f->w, &msg);
	}
}

/* Calls until then; with @drain, waits for what is in flight instead. */
static void flow_run(struct flow *f, uint64_t until, bool drain)
{
	uint64_t now;
	int i;

	for (;;) {
		now = now_ns();
		flow_take(f, now);
		if (now >= until)
			return;
		for (i = 0; drain && i < WINDOW && !f->sent_ns[i]; i++)
			;
		if (drain && i == WINDOW)
			return;
		if (!drain)
			flow_send(f, now);
		weir_wait(f->w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0, MS_NS);
	}
}

static bool flow_settled(const struct flow *f)
{
	int i;

	for (i = 0; i < WINDOW && !f->sent_ns[i]; i++)
		;
	return i == WINDOW;
}

static void flow_begin(struct flow *f, uint64_t probe_ns)
{
	struct weir_route_conf conf = routed_conf(GUARDS_ALL);

	conf.probe_ns = probe_ns;
	routed_set(PATH, &conf);
	memset(f, 0, sizeof(*f));
	f->call.flags = WEIR_REC_IDEMPOTENT;
	f->w = routed_caller(PATH, FAIL_RING, &f->call.route);
}

static void flow_end(struct flow *f)
{
	weir_close(f->w);
	routed_unset(PATH);
}

/* --- measurements --- */

/* What a measurement says that was not as it should be. */
static void flow_complain(const char *what, const struct flow *f)
{
	if (f->errors)
		say("%s: %llu errors, the last: %s", what,
		    (unsigned long long)f->errors, weir_reason_name(f->reason));
	if (!flow_settled(f))
		say("%s: not all requests were answered", what);
}

/**
 * struct fault - what came of one
 * @ms: the longest wait after it.
 * @late: the machine was.
 * @failed: an answer was an error, or one did not come.
 */
struct fault {
	double	ms;
	bool	late;
	bool	failed;
};

/* How late a machine may be to say anything about a watchdog. */
static uint64_t late_max_ns(uint64_t probe_ns)
{
	return probe_ns && probe_ns < LATE_NS ? probe_ns : LATE_NS;
}

static struct fault fault(const char *who, int signal, uint64_t probe_ns)
{
	struct fault r;
	pid_t pid[2];
	struct flow f;

	flow_begin(&f, probe_ns);
	pid[0] = target_start();
	pid[1] = target_start();
	flow_run(&f, now_ns() + BEFORE_NS, false);
	late_reset();
	f.fault_ns = now_ns();
	kill(pid[0], signal);
	flow_run(&f, f.fault_ns + AFTER_NS, false);
	flow_run(&f, now_ns() + 10 * SECOND_NS, true);
	r.ms = (double)f.longest_ns / (double)MS_NS;
	/* being late is no excuse for a request that is never answered */
	r.late = flow_settled(&f) && late_ns() > late_max_ns(probe_ns);
	r.failed = f.errors || !flow_settled(&f);
	flow_complain(who, &f);
	flow_end(&f);
	target_end(pid[0]);
	target_end(pid[1]);
	return r;
}

/*
 * Those in which the machine itself was late are not among the others, only
 * counted; without enough others there are no times.
 */
static void faults(unsigned int round, const char *who, int signal,
		   uint64_t probe_ns)
{
	unsigned int n = options.quick ? 3 : FAULTS, tries, got = 0, failed = 0;
	unsigned int late = 0, late_failed = 0;
	unsigned long probe_ms = probe_ns / MS_NS;
	double ms[FAULTS];

	for (tries = 3 * n; tries && got + failed < n; tries--) {
		struct fault r = fault(who, signal, probe_ns);

		late += r.late;
		late_failed += r.late && r.failed;
		if (r.late)
			continue;
		if (r.failed)
			failed++;
		else
			ms[got++] = r.ms;
	}
	figure_add(round, "failover_faults", who, probe_ms, got + failed);
	figure_add(round, "failover_late", who, probe_ms, late);
	figure_add(round, "failover_late_lost", who, probe_ms, late_failed);
	if (got + failed == n || failed)
		figure_add(round, "failover_lost", who, probe_ms, failed);
	if (got < n)
		return;
	figure_add(round, "failover", who, probe_ms, median(ms, got));
	/* sorted by now */
	figure_add(round, "failover_worst", who, probe_ms, ms[got - 1]);
}

/*
 * Targets given up, breakers opened and errors, without any fault. Seconds in
 * which the machine was late, and what happened in them, are counted apart.
 */
static void trips(unsigned int round, uint64_t probe_ns)
{
	unsigned int n = options.load_s ?: options.quick ? LOAD_S / 10 : LOAD_S;
	unsigned int tries, good = 0, late = 0;
	uint64_t before = 0, now, bad = 0, late_bad = 0;
	unsigned long probe_ms = probe_ns / MS_NS;
	pid_t pid[2];
	struct flow f;

	flow_begin(&f, probe_ns);
	pid[0] = target_start();
	pid[1] = target_start();
	for (tries = 3 * n; tries && good < n; tries--) {
		late_reset();
		flow_run(&f, now_ns() + SECOND_NS, false);
		now = target_trips() + f.errors;
		if (late_ns() <= late_max_ns(probe_ns)) {
			bad += now - before;
			good++;
		} else {
			late_bad += now - before;
			late++;
		}
		before = now;
	}
	flow_run(&f, now_ns() + 10 * SECOND_NS, true);
	flow_complain("load", &f);
	bad += !flow_settled(&f);
	figure_add(round, "trips_seconds", "load", probe_ms, good);
	figure_add(round, "trips_late", "load", probe_ms, late);
	figure_add(round, "trips_then", "load", probe_ms, (double)late_bad);
	figure_add(round, "trips_calls", "load", probe_ms, (double)f.replies);
	if (good == n || bad)
		figure_add(round, "trips", "load", probe_ms, (double)bad);
	flow_end(&f);
	target_end(pid[0]);
	target_end(pid[1]);
}

/* With icount's clock only if asked for: it is to be a faster one then. */
void failover_measure(unsigned int round)
{
	static const uint64_t probes[] = { 10 * MS_NS, 0 };
	size_t i;

	if (options.mode == MODE_NATIVE || round ||
	    !wanted("failover", "routed") ||
	    (options.mode == MODE_ICOUNT && !options.only))
		return;
	clocks_start();
	for (i = 0; i < 2; i++) {
		faults(round, "killed", SIGKILL, probes[i]);
		faults(round, "stopped", SIGSTOP, probes[i]);
		trips(round, probes[i]);
	}
	clocks_end();
}
