// SPDX-License-Identifier: GPL-2.0
/*
 * The contestants, what is measured of them, and how often. In each round every
 * measurement is made once with each contestant, in turns that begin with
 * another one each time, between two looks at how long a cache line takes from
 * one processor to the other.
 */
#include <errno.h>
#include <string.h>

#include "figure.h"

static const struct contestant *const contestants[] = {
	&link_weir, &link_ring, &link_weir_batch, &link_weir_wait,
	&link_weir_plain, &link_weir_lossy, &link_eventfd, &link_pipe, &link_stream,
	&link_seqpacket, &link_udp, &link_tcp, &link_tipc, &link_mq,
	&link_pipe_batch, &link_stream_batch, &link_seqpacket_batch,
	&link_udp_batch, &link_tcp_batch, &link_tipc_batch,
	&link_zmq_ipc, &link_zmq_inproc, &link_nng, &link_nats, &link_iceoryx,
	&link_iceoryx_wait,
	&link_routed, &link_routed_bare, &link_routed_poll, &link_haproxy,
};

#define CONTESTANTS	(sizeof(contestants) / sizeof(contestants[0]))

#define SIZES_MAX	6	/* of one measurement */

/* Is it among those asked for with --only? */
bool wanted(const char *bench, const char *who)
{
	return !options.only || strstr(bench, options.only) ||
	       !strcmp(who, options.only);
}

/*
 * Messages to measure: enough for the clock. Many rounds of few say more than
 * few of many, as the machine changes.
 */
static uint64_t count_for(const struct contestant *c, size_t len)
{
	static const uint64_t polls[MODES] = {
		60000, 6000, 2000, 60000, 6000
	};
	static const uint64_t sleeps[MODES] = { 1200, 300, 200, 1200, 300 };
	uint64_t n = c->sleeps ? sleeps[options.mode] : polls[options.mode];

	n /= 1 + len / (c->sleeps ? 32 * KIB : KIB);
	if (options.quick)
		n /= mode_real(options.mode) ? 4 : 2;
	return n < 20 ? 20 : n;
}

static size_t ring_for(size_t len)
{
	size_t bytes = 64 * KIB;

	while (bytes < 8 * len)
		bytes *= 2;
	return bytes;
}

/*
 * Polling sides make no sense when time is the sum over all processors: the
 * clock would count the loops of whoever waits.
 */
static bool fits(const struct contestant *c, bool two_sides)
{
	if (c->module && options.mode == MODE_NATIVE)
		return false;
	return !two_sides || c->sleeps || options.mode != MODE_ICOUNT;
}

static struct job *prepare(const struct contestant *c, size_t len)
{
	struct job *job = job_new();

	job->len = len;
	job->count = count_for(c, len);
	job->warm = job->count / 10 + 10;
	job->ring_bytes = ring_for(len);
	job->guards = c->guards;
	job->polled = c->polled;
	job->threads = c->threads;
	job->helped = c->helped;
	return job;
}

static bool run(const struct contestant *c, struct job *job, job_side *side,
		int sides, const char *bench)
{
	bool good;
	int err;

	if (absent_why(options.mode, c->name))
		return false;
	err = c->open(job);
	if (err) {
		say("%s %s %zu: %s", bench, c->name, job->len, strerror(-err));
		/* it is not the size, or whatever else is varied */
		if (err == -EAFNOSUPPORT || err == -ENOENT ||
		    err == -ENOEXEC || err == -EPERM)
			absent_add(options.mode, c->name, c->needs);
		return false;
	}
	good = job_run(job, side, sides);
	c->close();
	if (!good)
		say("%s %s %zu: not measured", bench, c->name, job->len);
	return good;
}

/* --- measurements; each is of one contestant, one size --- */

/*
 * User instructions by single steps, where the CPU does not count; of icount's
 * time the rest is the kernel's.
 */
static void count_steps(const struct contestant *c, unsigned int round,
			const char *bench, job_side *side, int sides, size_t len)
{
	struct job *job = prepare(c, len);
	char name[24];
	double n;

	/* each step is several switches: dear, and the same anywhere */
	if (round || c->helped || c->threads || options.mode != MODE_ICOUNT)
		return;
	job->counted = true;
	job->stepping = true;
	job->warm = 2100;
	job->count = 128;
	if (sides == 2) {
		job->warm = 100;
		job->count = 5;
	}
	if (!run(c, job, side, sides, bench))
		return;
	n = (double)job->count;
	if (sides == 2) {
		/* the other side does the same */
		snprintf(name, sizeof(name), "%s_user", bench);
		figure_add(round, name, c->name, len,
			   2 * (double)job->steps[0] / n);
	} else {
		figure_add(round, "publish_user", c->name, len,
			   (double)job->steps[0] / n);
		figure_add(round, "consume_user", c->name, len,
			   (double)job->steps[1] / n);
	}
}

/* Both sides' processor time, and their daemon's, warm messages' too. */
static double cpu_per_message(const struct job *job)
{
	return (double)(job->cpu_ns[0] + job->cpu_ns[1]) /
	       (double)(job->warm + job->count);
}

static void measure_rtt(const struct contestant *c, unsigned int round,
			size_t len)
{
	struct job *job = prepare(c, len);
	double n = (double)job->count;

	if (!fits(c, true) || c->batches || !c->rtt)
		return;
	job->counted = count_works() && len == 32;
	if (!run(c, job, c->rtt, 2, "rtt"))
		return;
	figure_add(round, "rtt", c->name, len, (double)job->ns / n);
	if (c->sleeps)
		figure_add(round, "rtt_cpu", c->name, len,
			   cpu_per_message(job));
	if (job->counted && c->sleeps) {
		figure_add(round, "rtt_user", c->name, len,
			   (double)(job->insns[0][0] + job->insns[1][0]) / n);
		figure_add(round, "rtt_kernel", c->name, len,
			   (double)(job->insns[0][1] + job->insns[1][1]) / n);
	}
	if (!job->counted && len == 32 && c->sleeps)
		count_steps(c, round, "rtt", c->rtt, 2, len);
}

static void measure_oneway(const struct contestant *c, unsigned int round,
			   size_t len)
{
	struct job *job = prepare(c, len);

	if (!fits(c, true) || c->batches || !c->oneway)
		return;
	if (run(c, job, c->oneway, 2, "oneway"))
		figure_add(round, "oneway", c->name, len, (double)job->ns);
}

/*
 * A number of messages a second, the same for all, from one side to the other,
 * and back. A clock that counts instructions would count those of the side that
 * waits.
 */
static void measure_load(const struct contestant *c, unsigned int round,
			 size_t rate, bool answered)
{
	static const double seconds[MODES] = { 1, 2, 0, 1, 4 };
	struct job *job = prepare(c, 64);

	if (!fits(c, true) || c->batches || !c->paced ||
	    options.mode == MODE_ICOUNT || (c->routed && !answered))
		return;
	job->answered = answered;
	job->period_ns = 1000000000 / rate;
	job->count = (uint64_t)((double)rate * seconds[options.mode] /
				(options.quick ? 10 : 1));
	if (!run(c, job, c->paced, 2, answered ? "paced_rtt" : "paced"))
		return;
	paced_measure(round, c, job);
	if (job->cpu_ns[1] && !answered)
		figure_add(round, "paced_cpu", c->name, rate,
			   cpu_per_message(job));
}

static void measure_paced(const struct contestant *c, unsigned int round,
			  size_t rate)
{
	measure_load(c, round, rate, false);
}

static void measure_paced_rtt(const struct contestant *c, unsigned int round,
			      size_t rate)
{
	measure_load(c, round, rate, true);
}

/* Wake-ups of a reader with a real-time priority, see job_busy(). */
static void measure_realtime(const struct contestant *c, unsigned int round,
			     size_t rate)
{
	if (c->sleeps && !c->helped && !c->threads)
		measure_load(c, round, rate, false);
}

static void measure_rate(const struct contestant *c, unsigned int round,
			 size_t len)
{
	struct job *job = prepare(c, len);
	double n;

	/* parallel work has no time of its own where time is a sum */
	if (!fits(c, true) || c->routed || options.mode == MODE_ICOUNT)
		return;
	job->count *= 5;
	n = (double)job->count;
	if (!run(c, job, c->rate, 2, "rate"))
		return;
	figure_add(round, "rate", c->name, len, (double)job->ns / n);
	figure_add(round, "rate_cpu", c->name, len,
		   cpu_per_message(job));
	if (len != 64 * KIB)
		return;
	n += (double)job->warm;
	figure_add(round, "copied", c->name, len,
		   (double)job->copied_bytes / n);
	/* filled and summed by the user; each copy reads and writes */
	figure_add(round, "traffic", c->name, len,
		   2 * (double)len + 2 * (double)job->copied_bytes / n);
}

static void measure_solo(const struct contestant *c, unsigned int round,
			 size_t len)
{
	struct job *job = prepare(c, len);
	double n;

	if (!fits(c, false) || c == &link_weir_wait ||
	    c == &link_weir_plain || c == &link_haproxy || !c->solo)
		return;
	job->counted = count_works() && len == 32;
	/* whole laps of the ring, so that each pays for its look at cursors */
	job->warm = 2048 / (1 + len / 64);
	job->count = 16 * job->warm;
	if (!mode_real(options.mode) && c->sleeps) {
		job->warm = 64;
		job->count = c->helped ? 512 : 2048;
	}
	if (!run(c, job, c->solo, 1, "solo"))
		return;
	if (job->counted) {
		n = (double)job->count;
		figure_add(round, "publish_user", c->name, len,
			   (double)job->insns[0][0] / n);
		figure_add(round, "publish_kernel", c->name, len,
			   (double)job->insns[0][1] / n);
		figure_add(round, "consume_user", c->name, len,
			   (double)job->insns[1][0] / n);
		figure_add(round, "consume_kernel", c->name, len,
			   (double)job->insns[1][1] / n);
	} else {
		n = (double)job->count;
		figure_add(round, "publish", c->name, len, (double)job->ns / n);
		figure_add(round, "consume", c->name, len, (double)job->ns2 / n);
	}
	if (!job->counted && len == 32)
		count_steps(c, round, "solo", c->solo, 1, len);
}

static void measure_fan(const struct contestant *c, unsigned int round,
			size_t readers)
{
	struct job *job = prepare(c, 32);
	double n;

	if (!fits(c, false) || c->batches || c == &link_weir_wait ||
	    c == &link_weir_plain || c == &link_haproxy || !c->fan)
		return;
	job->readers = (unsigned int)readers;
	job->warm = 1024;
	job->count = c->sleeps ? 512 / readers + BATCH_MAX : 4096;
	if (c->sleeps)
		job->warm = 64;
	if (!run(c, job, c->fan, 1, "fan"))
		return;
	n = (double)job->count;
	figure_add(round, "fan_publish", c->name, readers, (double)job->ns / n);
	figure_add(round, "fan_consume", c->name, readers,
		   (double)job->ns2 / n / (double)readers);
}

static void measure_fanin(const struct contestant *c, unsigned int round,
			  size_t senders)
{
	struct job *job = prepare(c, 32);
	double n;

	if (!fits(c, false) || c->batches || c == &link_weir_wait ||
	    c == &link_weir_plain || c == &link_haproxy || !c->fanin)
		return;
	job->senders = (unsigned int)senders;
	job->count = c->sleeps ? 512 : 4096;
	if (!run(c, job, c->fanin, 1, "fanin"))
		return;
	n = (double)job->count;
	figure_add(round, "fanin_send", c->name, senders, (double)job->ns / n);
	figure_add(round, "fanin_receive", c->name, senders,
		   (double)job->ns2 / n);
	if (job->peek_ns)
		figure_add(round, "fanin_peek", c->name, senders,
			   (double)job->peek_ns);
	if (job->poll_ns)
		figure_add(round, "fanin_poll", c->name, senders,
			   (double)job->poll_ns);
}

#define SLOW_READERS	8
#define SLOW_RATE	1000	/* messages a second */

/* 1: one of the subscribers stalls; 0: none, to be compared with. */
static void measure_slow(const struct contestant *c, unsigned int round,
			 size_t number)
{
	static const unsigned int seconds[MODES] = { 2, 4, 0, 2 };
	struct job *job = prepare(c, KIB);
	unsigned long stalled = number - 1;
	double n;

	if (!c->slow || !fits(c, false) || options.mode == MODE_ICOUNT)
		return;
	job->readers = SLOW_READERS;
	job->stalled = stalled;
	job->period_ns = 1000000000 / SLOW_RATE;
	job->count = options.quick ? SLOW_RATE / 2 :
				     SLOW_RATE * seconds[options.mode];
	if (!run(c, job, c->slow, 1, "slow"))
		return;
	n = (double)job->count;
	figure_add(round, "slow_p99", c->name, stalled,
		   (double)hist_percentile(&job->hist, 99));
	figure_add(round, "slow_max", c->name, stalled, (double)job->hist.max);
	figure_add(round, "slow_sent", c->name, stalled,
		   100 * (double)job->sent / n);
	figure_add(round, "slow_lost", c->name, stalled,
		   100 * (double)job->lost / n);
	if (stalled)
		figure_add(round, "slow_kept", c->name, stalled,
			   100 * (double)job->kept / n);
}

/* What is in place already: claimed, published, seen, released. */
static void measure_handover(const struct contestant *c, unsigned int round,
			     size_t len)
{
	struct job *job = prepare(c, len);

	if (!fits(c, false) || c->batches || c->sleeps)
		return;
	job->ring_bytes = 64 * MIB;
	job->warm = 256;
	job->count = options.quick ? 1024 : 8192;
	if (run(c, job, c->handover, 1, "handover"))
		figure_add(round, "handover", c->name, len,
			   (double)(job->ns + job->ns2) / (double)job->count);
}

/*
 * 64 bytes through the router, in batches, beside SEQPACKET. A message is a
 * request or a reply.
 */
static void measure_routed_rate(const struct contestant *c, unsigned int round,
				size_t len)
{
	struct job *job = prepare(c, len);

	if (!fits(c, true) || options.mode == MODE_ICOUNT ||
	    !(c->routed || c == &link_seqpacket) || !c->rate)
		return;
	job->count *= c->routed ? 50 : 5;
	if (run(c, job, c->rate, 2, "routed_rate"))
		figure_add(round, "routed_rate", c->name, len,
			   (double)job->ns / (double)job->count);
}

/* One contestant's costs, or those of its route with other guards. */
static bool cost_of(const struct contestant *c, struct job *job, size_t batch)
{
	job->batch = (unsigned int)batch;
	job->count = options.quick ? 2048 : 16384;
	return run(c, job, c->cost, 1, "cost");
}

static double cost_sum(const struct job *job, enum stage from, enum stage to)
{
	double sum = 0;

	for (; from <= to; from++)
		sum += (double)job->stage[from];
	return sum / (double)job->count;
}

/* What each guard costs by itself, request and reply together. */
static void measure_guards(const struct contestant *c, unsigned int round,
			   size_t batch)
{
	static const struct {
		const char *name;
		uint32_t guard;
	} guards[] = {
		{ "bucket", GUARD_BUCKET },
		{ "bulkhead", GUARD_BULKHEAD },
		{ "breaker", GUARD_BREAKER },
		{ "retry", GUARD_RETRY },
	};
	size_t i;

	for (i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
		struct job *job = prepare(c, 64);

		job->guards = guards[i].guard;
		if (cost_of(c, job, batch))
			figure_add(round, "guard", guards[i].name, batch,
				   cost_sum(job, STAGE_SEND, STAGE_TAKE));
	}
}

static void measure_cost(const struct contestant *c, unsigned int round,
			 size_t batch)
{
	struct job *job = prepare(c, 64);
	char name[24];
	enum stage s;

	/* one at a time, and where whoever pauses lets the thread run */
	if (c->polled && (batch != 1 || options.mode != MODE_ICOUNT))
		return;
	if (!c->cost || !fits(c, false) || !cost_of(c, job, batch))
		return;
	if (c->polled)
		figure_add(round, "poll_rounds", c->name, batch,
			   (double)job->ns2 / (double)job->ns);
	for (s = 0; s < STAGES; s++) {
		snprintf(name, sizeof(name), "stage_%d", (int)s);
		figure_add(round, name, c->name, batch, cost_sum(job, s, s));
	}
	figure_add(round, "request", c->name, batch,
		   cost_sum(job, STAGE_SEND, STAGE_RECEIVE));
	figure_add(round, "reply", c->name, batch,
		   cost_sum(job, STAGE_ANSWER, STAGE_TAKE));
	figure_add(round, "both", c->name, batch,
		   cost_sum(job, STAGE_SEND, STAGE_TAKE));
	if (!c->guards)
		measure_guards(c, round, batch);
}

/**
 * struct bench - something to measure
 * @name: its figures begin with it.
 * @measure: with one contestant and one size.
 * @sizes: of messages; ends with 0.
 * @quick: fewer of them.
 * @numbers: they are numbers of readers, of messages at once, or a second,
 *	instead.
 * @once: in the first round alone.
 * @realtime: of MODE_RT, which has no others.
 */
static const struct bench {
	const char	*name;
	void		(*measure)(const struct contestant *c,
				   unsigned int round, size_t size);
	unsigned long	sizes[SIZES_MAX + 1];
	unsigned long	quick[SIZES_MAX + 1];
	bool		numbers;
	bool		once;
	bool		realtime;
} benches[] = {
	{ "paced", measure_realtime, { 1000 }, { 1000 }, .numbers = true,
	  .realtime = true },
	/* first, before anything has started a daemon */
	{ "setup", setup_measure, { 32 }, { 32 }, .once = false },
	{ "rtt", measure_rtt, { 32, 256, KIB, 16 * KIB, MIB },
	  { 32, 16 * KIB }, .once = false },
	{ "oneway", measure_oneway, { 32, 256, KIB, 16 * KIB, MIB }, { 32 }, .once = false },
	{ "paced", measure_paced, { 5000 }, { 5000 }, .numbers = true },
	/* fewer: most could not answer 5000 in the guest */
	{ "paced_rtt", measure_paced_rtt, { 1000 }, { 1000 }, .numbers = true },
	{ "rate", measure_rate, { 32, 256, KIB, 16 * KIB, 64 * KIB, MIB },
	  { 32, KIB, 64 * KIB }, .once = false },
	{ "solo", measure_solo, { 32, 256, KIB, 16 * KIB }, { 32, KIB }, .once = false },
	{ "fan", measure_fan, { 1, 4, 16, 64, 256 }, { 1, 16, 64 }, .numbers = true },
	{ "fanin", measure_fanin, { 1, 4, 16, 64, 256 }, { 1, 16, 64 }, .numbers = true },
	{ "slow", measure_slow, { 1, 2 }, { 1, 2 }, .numbers = true, .once = true },
	{ "handover", measure_handover, { 64, MIB }, { 64, MIB }, .once = false },
	{ "routed_rate", measure_routed_rate, { 64 }, { 64 }, .once = false },
	{ "cost", measure_cost, { 1, 64 }, { 1, 64 }, .numbers = true },
};

static const unsigned long *sizes_of(const struct bench *bench)
{
	static const unsigned long none[1];

	if (bench->realtime != (options.mode == MODE_RT))
		return none;
	return options.quick ? bench->quick : bench->sizes;
}

/* What a round took that others will not: some things are measured once. */
static uint64_t once_ns;

/* One size with each contestant. */
static void measure_turn(const struct bench *bench, unsigned int round,
			 unsigned long size)
{
	uint64_t at;
	size_t i;

	for (i = 0; i < CONTESTANTS; i++) {
		const struct contestant *c =
			contestants[(i + round) % CONTESTANTS];

		if (!wanted(bench->name, c->name) ||
		    (c->only && !strstr(c->only, bench->name)) ||
		    (bench->once && round) ||
		    (!bench->numbers && size > c->len_max))
			continue;
		progress_step(bench->name, size, c->name);
		at = now_ns();
		bench->measure(c, round, size);
		if (bench->once)
			once_ns += now_ns() - at;
	}
}

static void measure_round(unsigned int round)
{
	const unsigned long *size;
	uint64_t at;
	size_t b;

	calibrate_measure(round);
	for (b = 0; b < sizeof(benches) / sizeof(benches[0]); b++) {
		if (options.mode != MODE_ICOUNT)
			figure_add(round, "line", benches[b].name, 0,
				   (double)job_line_ns());
		for (size = sizes_of(&benches[b]); *size; size++)
			measure_turn(&benches[b], round, *size);
	}
	if (options.mode != MODE_ICOUNT)
		figure_add(round, "line", "end", 0, (double)job_line_ns());
	if (options.mode == MODE_RT)
		return;
	/* slow and steady: three rounds of it will do */
	if (round < 3)
		scale_measure(round);
	at = now_ns();
	memory_measure(round);
	failover_measure(round);
	routed_scale_measure(round);
	once_ns += now_ns() - at;
}

/* Steps of a round, about. */
static unsigned int steps(void)
{
	unsigned int n = 0;
	size_t b, s, i;

	for (b = 0; b < sizeof(benches) / sizeof(benches[0]); b++) {
		for (s = 0; sizes_of(&benches[b])[s]; s++) {
			for (i = 0; i < CONTESTANTS; i++)
				n += wanted(benches[b].name,
					    contestants[i]->name);
		}
	}
	return n;
}

/* All rounds. */
void measure(void)
{
	uint64_t began = now_ns(), at, took, longest = 0;
	uint64_t limit = options.seconds * UINT64_C(1000000000);
	unsigned int round, rounds = options.rounds;

	progress_steps(steps());
	run_begins();
	for (round = 0; round < rounds; round++) {
		progress_round(round, rounds);
		at = now_ns();
		measure_round(round);
		took = now_ns() - at - once_ns;
		once_ns = 0;
		if (took > longest)
			longest = took;
		while (limit && rounds > round + 1 &&
		       now_ns() - began + (rounds - round - 1) * longest > limit)
			rounds--;
	}
	paced_sum();
	run_ended(round, (now_ns() - began) / 1000000000);
	progress_end();
}

/* One after the other; then NULL. */
const struct contestant *contestant_at(size_t i)
{
	return i < CONTESTANTS ? contestants[i] : NULL;
}

/* The contestants that take part, with which settings, or why not. */
void contestants_table(FILE *out)
{
	const char *why;
	unsigned int m;
	size_t i;

	fprintf(out, "\n## Contestants\n\n| | what it is, and its settings | not in |\n"
		"|---|---|---|\n");
	for (i = 0; i < CONTESTANTS; i++) {
		fprintf(out, "| %s | %s |", contestants[i]->name,
			contestants[i]->what);
		for (m = 0; m < MODES; m++) {
			why = absent_why((enum bench_mode)m,
					 contestants[i]->name);
			if (why)
				fprintf(out, " %s: %s", mode_names[m], why);
		}
		fputs(" |\n", out);
	}
}
