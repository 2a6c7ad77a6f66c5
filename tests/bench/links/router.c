// SPDX-License-Identifier: GPL-2.0
/*
 * The router: one caller, four targets on one path, policy any, with all
 * guards on ("routed") and with none ("routed-bare"). A message here is a
 * request, routed from the caller to a target, or its reply, routed back:
 * either is one way.
 *
 * Round trips: each target is a process that sleeps, and so does the caller;
 * a sender tells the router and sleeps in one system call, as
 * weir-wait does. Throughput: the targets are sockets of one process, both
 * sides poll, requests are sent BATCH at once, and each target answers what it
 * finds with one call. Costs: all of that in one process, stage by stage.
 *
 * Polled ("routed-poll", all guards on): nobody tells the router, its thread on
 * the other processor looks for itself. Costs alone, and those where time is
 * counted instructions of both processors and one that pauses hands over to the
 * other: then the pause after a commit takes as long as the thread's next round,
 * which routes that message, and what the thread does at other times is not
 * counted.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "routed.h"
#include "weir_sleep.h"

#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(16 * KIB)
#define LINK_OWN	1

#define PATH		"/bench/routed"
#define POLL_CPUS	TUNABLES "poll_cpus"
#define TARGETS		4
#define BATCH		64U
#define WINDOW		(4 * BATCH)	/* requests in flight at most */
#define ROUTED_RING	(256 * KIB)	/* holds a window of small messages */

const char *const stage_names[STAGES] = {
	[STAGE_SEND]		= "request: claim, write, commit",
	[STAGE_SEND_KICK]	= "request: kick",
	[STAGE_RECEIVE]		= "request: peek, read, release",
	[STAGE_ANSWER]		= "reply: claim, write, commit",
	[STAGE_ANSWER_KICK]	= "reply: kick",
	[STAGE_TAKE]		= "reply: peek, read, release",
	[STAGE_KICK]		= "a kick for nothing",
};

/* How requests are sent: idempotent ones if there are retries. */
static struct weir_call call_of(const struct job *job, uint32_t route)
{
	return (struct weir_call){
		.route = route,
		.flags = job->guards & GUARD_RETRY ? WEIR_REC_IDEMPOTENT : 0,
	};
}

static size_t ring_of(const struct job *job)
{
	return job->ring_bytes < ROUTED_RING ? ROUTED_RING : job->ring_bytes;
}

/* --- one at a time, for the loops --- */

/**
 * struct end - one side
 * @w: handle.
 * @call: of the caller's next request.
 * @ticket: of the request that a target has last read.
 * @caller: this side calls.
 * @pending: something was committed and the router not told.
 */
struct end {
	struct weir		*w;
	struct weir_call	call;
	struct weir_ticket	ticket;
	bool			caller;
	bool			pending;
};

struct claim {
	struct weir_buf	buf;
};

struct view {
	struct weir_msg	msg;
};

static int ready[2] = { -1, -1 };	/* a byte of each target that serves */
static int over[2] = { -1, -1 };	/* a byte when the caller has done */

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	uint32_t route = 0;

	(void)link;
	memset(e, 0, sizeof(*e));
	e->caller = !side;
	if (side) {
		e->w = routed_server(PATH, ring_of(job));
	} else {
		e->w = routed_caller(PATH, ring_of(job), &route);
		e->call = call_of(job, route);
	}
}

static void end_leave(struct end *e)
{
	weir_close(e->w);
}

inlined void *end_claim(struct end *e, size_t len, struct claim *c)
{
	int err;

	while (weir_unlikely(err = e->caller ?
			weir_call_claim(e->w, &e->call, len, &c->buf) :
			weir_reply_claim(e->w, &e->ticket, len, &c->buf))) {
		if (err != -EAGAIN)
			die("claim: %s", weir_error());
		sleep_for_room(e->w, len);
	}
	return c->buf.data;
}

/* There is always an answer, or another request, to be waited for. */
inlined void end_commit(struct end *e, size_t len, struct claim *c, bool more)
{
	(void)len;
	if (e->caller)
		weir_call_commit_more(e->w, &e->call, &c->buf);
	else
		weir_reply_commit_more(e->w, &e->ticket, WEIR_KIND_REPLY, 0,
				       &c->buf);
	e->pending = more;
	if (!more)
		weir_flush(e->w);
}

inlined const void *end_peek(struct end *e, size_t len, struct view *v)
{
	(void)len;
	message_wait(e->w, &v->msg, &e->pending, false);
	if (e->caller)
		routed_expect(&v->msg, WEIR_KIND_REPLY);
	else
		e->ticket = weir_ticket(&v->msg);
	return v->msg.data;
}

inlined void end_release(struct end *e, struct view *v)
{
	weir_release(e->w, &v->msg);
}

#include "loops.h"

/* --- round trips --- */

/* A target: as side 1 of rtt_loop(), until it is killed. */
static _Noreturn void rtt_serve(struct job *job)
{
	struct view v = { };
	struct claim c = { };
	struct end e;
	void *room;
	char byte = 0;

	end_join(&e, job, 0, 1);
	if (write(ready[1], &byte, 1) != 1)
		_exit(1);
	for (;;) {
		room = end_claim(&e, job->len, &c);
		used(payload_sum(end_peek(&e, job->len, &v), job->len));
		payload_fill(room, job->len, 1);
		end_commit(&e, job->len, &c, true);
		end_release(&e, &v);
	}
}

static uint64_t targets_cpu_ns(const pid_t *pid)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < TARGETS; i++)
		sum += process_cpu_ns(pid[i]);
	return sum;
}

static void rtt_targets(struct job *job)
{
	pid_t pid[TARGETS];
	char byte;
	int i;

	for (i = 0; i < TARGETS; i++) {
		pid[i] = job_child();
		if (!pid[i])
			rtt_serve(job);
		if (read(ready[0], &byte, 1) != 1)
			die("a target does not serve");
	}
	job_meet(job);
	job->cpu_ns[1] = -targets_cpu_ns(pid);
	if (read(over[0], &byte, 1) != 1)
		die("the caller is gone");
	job->cpu_ns[1] += targets_cpu_ns(pid);
	for (i = 0; i < TARGETS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	job_meet(job);
}

static void rtt(struct job *job, int side)
{
	struct end e;
	char byte = 0;

	if (side) {
		rtt_targets(job);
		return;
	}
	job_meet(job);
	end_join(&e, job, 0, 0);
	cpu_start(job, 0);
	if (job->period_ns)
		paced_send(job, &e);
	else if (job->len == 32)
		rtt_loop(job, &e, 0, 32);
	else
		rtt_loop(job, &e, 0, job->len);
	cpu_stop(job, 0);
	if (write(over[1], &byte, 1) != 1)
		die("write: %s", strerror(errno));
	job_meet(job);
	end_leave(&e);
}

/* --- many at once --- */

/* Commits @n requests; the router is not told. */
inlined void requests_send(struct weir *w, const struct weir_call *call,
			   size_t len, unsigned int n, uint64_t value)
{
	struct weir_buf buf;
	int left;

	do {
		left = weir_call_claim_batch(w, call, len, n, &buf);
		if (left < 0)
			die("claim: %s", weir_error());
		n -= (unsigned int)left;
		for (; left; left = weir_call_claim_next(w, &buf)) {
			payload_fill(buf.data, len, value);
			weir_call_commit_more(w, call, &buf);
		}
	} while (n);
}

/* Reads and releases up to @most requests; how many, and their tickets. */
inlined unsigned int requests_take(struct weir *w, size_t len,
				   struct weir_ticket *tickets,
				   unsigned int most)
{
	unsigned int n = 0, held;
	struct weir_msg msg;

	while (n < most && weir_peek(w, &msg) == 1) {
		held = 0;
		do {
			used(payload_sum(msg.data, len));
			tickets[n++] = weir_ticket(&msg);
		} while (++held < BATCH && n < most && weir_peek_next(w, &msg));
		weir_release(w, &msg);
	}
	return n;
}

/* Commits a reply for each ticket; the router is not told. */
inlined void replies_send(struct weir *w, size_t len,
			  const struct weir_ticket *tickets, unsigned int n,
			  uint64_t value)
{
	struct weir_buf buf;
	int left;

	while (n) {
		left = weir_claim_batch(w, len, n, &buf);
		if (left < 0)
			die("claim: %s", weir_error());
		n -= (unsigned int)left;
		for (; left; left = weir_claim_next(w, &buf)) {
			payload_fill(buf.data, len, value);
			weir_reply_commit_more(w, tickets++, WEIR_KIND_REPLY,
					       0, &buf);
		}
	}
}

inlined unsigned int replies_take(struct weir *w, size_t len, unsigned int most)
{
	unsigned int n = 0, held;
	struct weir_msg msg;

	while (n < most && weir_peek(w, &msg) == 1) {
		held = 0;
		do {
			routed_expect(&msg, WEIR_KIND_REPLY);
			used(payload_sum(msg.data, len));
			n++;
		} while (++held < BATCH && n < most && weir_peek_next(w, &msg));
		weir_release(w, &msg);
	}
	return n;
}

static void rate_call(struct job *job)
{
	uint64_t n = job->warm + job->count, sent = 0, got = 0;
	unsigned int looks = 0, k;
	struct weir_call call;
	struct weir *w;
	uint32_t route;

	w = routed_caller(PATH, ring_of(job), &route);
	call = call_of(job, route);
	job_meet(job);
	while (got < n) {
		if (sent < n && sent - got <= WINDOW - BATCH) {
			requests_send(w, &call, 64, BATCH, sent);
			weir_flush(w);
			sent += BATCH;
		}
		k = replies_take(w, 64, BATCH);
		got += k;
		if (!k && (sent >= n || sent - got > WINDOW - BATCH))
			spin(&looks);
	}
	job_meet(job);
	weir_close(w);
}

/* The median of slices of requests, each with its reply: two messages. */
static void rate_serve(struct job *job)
{
	static struct weir_ticket tickets[WINDOW];
	uint64_t n = job->warm + job->count, got = 0, next = job->warm;
	uint64_t at = 0, now, k = 0, slice = job->count / 16, began = 0;
	struct weir *w[TARGETS];
	unsigned int looks = 0, some, i, m;

	for (i = 0; i < TARGETS; i++)
		w[i] = routed_server(PATH, ring_of(job));
	job_meet(job);
	while (got < n) {
		for (some = 0, i = 0; i < TARGETS; i++) {
			m = requests_take(w[i], 64, tickets, WINDOW);
			if (!m)
				continue;
			replies_send(w[i], 64, tickets, m, got);
			weir_flush(w[i]);
			some += m;
		}
		got += some;
		if (!some)
			spin(&looks);
		if (got < next)
			continue;
		now = now_ns();
		if (at)
			took[k++ % STAMPS_MAX] = (now - at) * 1000 /
						 (got - began);
		at = now;
		began = got;
		next += slice;
	}
	job->ns = took_median(k) * job->count / 2000;
	job_meet(job);
	for (i = 0; i < TARGETS; i++)
		weir_close(w[i]);
}

static void rate(struct job *job, int side)
{
	if (side)
		rate_serve(job);
	else
		rate_call(job);
}

/* --- by stage --- */

#define COST_ROUNDS	1024

/**
 * struct lane - the parts of a cost measurement
 * @caller, @target: handles.
 * @call: how requests are sent.
 * @tickets: of those read.
 * @off: what a look at the clock costs.
 * @polled: by the router's thread.
 * @kicks: times that the router had something to do.
 * @looks: rounds of its thread for that.
 * @round: number of the round.
 * @took: what its stages took.
 */
struct lane {
	struct weir		*caller;
	struct weir		*target[TARGETS];
	struct weir_call	call;
	struct weir_ticket	tickets[WINDOW];
	uint64_t		off;
	bool			polled;
	uint64_t		kicks;
	uint64_t		looks;
	uint64_t		round;
	uint64_t		took[STAGES][COST_ROUNDS];
};

inlined uint64_t stage_end(struct lane *l, enum stage stage, uint64_t from)
{
	uint64_t now = now_ns();

	l->took[stage][l->round % COST_ROUNDS] += now - from - l->off;
	return now;
}

/* Is there a message for one of them? */
static bool lane_arrived(struct weir *const *to, unsigned int n)
{
	struct weir_msg msg;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (weir_peek(to[i], &msg) == 1)
			return true;
	}
	return false;
}

/*
 * Has the router carry what is in @from's outbox to @to; for nothing, if @to is
 * NULL. A router that polls asks for no system call.
 */
inlined uint64_t lane_kick(struct lane *l, struct weir *from,
			   struct weir *const *to, unsigned int n,
			   enum stage stage, uint64_t at)
{
	if (!l->polled) {
		if (to)
			weir_flush(from);
		else
			setsockopt(weir_fd(from), SOL_WEIR, WEIR_SO_KICK,
				   &(int){ WEIR_KICK_READERS }, sizeof(int));
		return stage_end(l, stage, at);
	}
	l->kicks += !!to;
	for (;;) {
		if (to)
			weir_flush(from);
		__builtin_ia32_pause();
		stage_end(l, stage, at);
		if (!to)
			return now_ns();
		l->looks++;
		if (lane_arrived(to, n))
			return now_ns();
		at = now_ns();
	}
}

/*
 * This number of requests, a batch at once, that each target finds a
 * batch; all are answered, each target's with one kick. Each loop ends when
 * nothing is left, and pays for seeing that, unless messages are alone.
 */
inlined void cost_round(struct lane *l, unsigned int n, unsigned int lap)
{
	unsigned int i, sent, got = 0, most = n == 1 ? 1 : WINDOW;
	uint64_t at, value = l->round;
	struct weir_msg msg;

	for (sent = 0; sent < lap; sent += n) {
		at = now_ns();
		requests_send(l->caller, &l->call, 64, n, value);
		at = stage_end(l, STAGE_SEND, at);
		at = lane_kick(l, l->caller, l->target, TARGETS,
			       STAGE_SEND_KICK, at);
		lane_kick(l, l->caller, NULL, 0, STAGE_KICK, at);
	}
	for (i = 0; i < TARGETS; i++) {
		struct weir *w = l->target[i];
		unsigned int m;

		if (weir_peek(w, &msg) != 1)
			continue;
		at = now_ns();
		m = requests_take(w, 64, l->tickets, most);
		at = stage_end(l, STAGE_RECEIVE, at);
		replies_send(w, 64, l->tickets, m, value);
		at = stage_end(l, STAGE_ANSWER, at);
		lane_kick(l, w, &l->caller, 1, STAGE_ANSWER_KICK, at);
		got += m;
	}
	if (got != lap)
		die("%u of %u requests reached a target", got, lap);
	at = now_ns();
	got = replies_take(l->caller, 64, lap);
	stage_end(l, STAGE_TAKE, at);
	if (got != lap)
		die("%u of %u replies reached the caller", got, lap);
}

static void cost(struct job *job, int side)
{
	static struct lane l;
	unsigned int lap = job->batch == 1 ? 1 : TARGETS * job->batch, i;
	uint64_t rounds = job->count / lap;
	uint32_t route;
	enum stage s;

	(void)side;
	if (rounds > COST_ROUNDS)
		rounds = COST_ROUNDS;
	l.polled = job->polled;
	for (i = 0; i < TARGETS; i++)
		l.target[i] = routed_server(PATH, ring_of(job));
	l.caller = routed_caller(PATH, ring_of(job), &route);
	l.call = call_of(job, route);
	l.off = clock_ns();
	for (l.round = 0; l.round < rounds; l.round++) {
		if (job->batch == 1)
			cost_round(&l, 1, 1);
		else
			cost_round(&l, job->batch, lap);
	}
	job->count = lap;
	/* a round in which something else had the processor does not count */
	for (s = 0; s < STAGES; s++) {
		qsort(l.took[s], rounds, sizeof(l.took[s][0]), stamp_order);
		job->stage[s] = l.took[s][rounds / 2];
	}
	job->ns = l.kicks;
	job->ns2 = l.looks;
	/* one for each batch, whatever that holds */
	job->stage[STAGE_KICK] *= job->batch;
	for (i = 0; i < TARGETS; i++)
		weir_close(l.target[i]);
	weir_close(l.caller);
}

/* --- contestants --- */

static int open_route(const struct job *job)
{
	struct weir_route_conf conf = routed_conf(job->guards);
	char cpu[16];

	if (weir_family() < 0)
		return -EAFNOSUPPORT;
	if (pipe(ready) || pipe(over))
		die("pipe: %s", strerror(errno));
	routed_set(PATH, &conf);
	snprintf(cpu, sizeof(cpu), "%d", options.cpu[1]);
	if (job->polled && !routed_write(POLL_CPUS, cpu))
		die("%s: %s", POLL_CPUS, strerror(errno));
	return 0;
}

static void close_route(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		close(ready[i]);
		close(over[i]);
	}
	routed_unset(PATH);
}

static void close_polled(void)
{
	/* none */
	routed_write(POLL_CPUS, "\n");
	close_route();
}

#define ROUTED_CONTESTANT(_name, _what, _guards)			\
{									\
	.name		= _name,					\
	.what		= _what,					\
	.needs		= "the weir module is not loaded",		\
	.module		= true,						\
	.sleeps		= true,						\
	.routed		= true,						\
	.guards		= _guards,					\
	.len_max	= LINK_LEN_MAX,					\
	.open		= open_route,					\
	.close		= close_route,					\
	.rtt		= rtt,						\
	.paced		= rtt,						\
	.rate		= rate,						\
	.cost		= cost,						\
}

const struct contestant link_routed =
	ROUTED_CONTESTANT("routed", "weir's router, all guards on", GUARDS_ALL);

const struct contestant link_routed_bare =
	ROUTED_CONTESTANT("routed-bare", "weir's router, no guards", 0);

const struct contestant link_routed_poll = {
	.name		= "routed-poll",
	.what		= "weir's router, all guards on, polling",
	.needs		= "the weir module is not loaded",
	.module		= true,
	.sleeps		= true,
	.routed		= true,
	.polled		= true,
	.guards		= GUARDS_ALL,
	.len_max	= LINK_LEN_MAX,
	.open		= open_route,
	.close		= close_polled,
	.cost		= cost,
};
