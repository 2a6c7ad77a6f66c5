/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmark: what its files share.
 *
 *	main.c		options
 *	measure.c	which contestant meets which measurement; rounds
 *	run.c		when and where; contestants that had no part, and why
 *	progress.c	how far it is
 *	links/		contestants: ways to hand messages from one side to another,
 *			a file each; what several of them have alike; their daemons;
 *			the measuring loops, instantiated by each (loops.h, slow.h)
 *	emulate.c	the kernel's pages for weir's ring code without the module
 *	job.c		processes: forked, pinned, started together, given up on
 *	count.c		instructions: counted by the CPU or by single steps
 *	calibrate.c	what the machine itself costs
 *	paced.c		latencies at a fixed load, all of them
 *	hist.c		histograms of those
 *	scale.c		many subscriptions, paths and idle sockets
 *	scale_nats.c	the same of NATS, and scale_zmq.c of ZeroMQ
 *	setup.c		opening, joining and closing; starting daemons
 *	oneshot.c	clients that connect for one message
 *	memory.c	bytes for a socket, a subscription, a route, a client
 *	memory_peers.c	the same of libraries and daemons
 *	named.c		sockets with names, of several families
 *	many.c		many of a kind, and what each of them took
 *	routed.c	handles and routes of what measures the router
 *	routed_scale.c	sending among many routes
 *	many_routes.c	many routes
 *	daemon.c	programs that contestants need
 *	failover.c	from a fault of a target to the last reply it delayed
 *	figure.c	results: rounds, medians, JSON
 *	summary.c	all against weir, with confidence intervals
 *	columns.c	tables whose columns are measurements
 *	growth.c	how costs grow with numbers: exponents
 *	compare.c	which differences between two runs are real
 *	report.c	tables of several runs, and the figures that are required
 *
 * A time here is in nanoseconds of CLOCK_MONOTONIC. Under an emulator whose
 * clock counts instructions (mode icount) a nanosecond is an instruction.
 */
#ifndef WEIR_BENCH_H
#define WEIR_BENCH_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "hist.h"

#define KIB		1024UL
#define MIB		(1024UL * KIB)
#define FAN_MAX		256
#define ROUNDS_MAX	32
#define BATCH_MAX	16

/* Messages in flight in one process: no more than the smallest buffer holds. */
static inline unsigned int batch_of(size_t len)
{
	size_t n = 32 * KIB / len;

	return n < 1 ? 1 : n > BATCH_MAX ? BATCH_MAX : (unsigned int)n;
}

/* A contestant's file may be compiled twice, once for several messages at once. */
#ifdef LINK_BATCHES
#define BATCHED(id)	id##_batch
#define BATCHED_NAME(s)	s "-batch"
#define BATCHED_STREAM	", up to 16 messages in one read() or write()"
#define BATCHED_MMSG	", up to 16 messages in one sendmmsg() or recvmmsg()"
#else
#define BATCHED(id)	id
#define BATCHED_NAME(s)	s
#define BATCHED_STREAM
#define BATCHED_MMSG
#endif

#define inlined static inline __attribute__((always_inline))

inlined uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

enum bench_mode {
	MODE_NATIVE,	/* this machine, no module: ring code alone */
	MODE_GUEST,	/* with the module; emulated CPUs run in parallel */
	MODE_ICOUNT,	/* with the module; the clock counts instructions */
	MODE_HOST,	/* this machine, with the module */
	MODE_RT,	/* as MODE_GUEST, PREEMPT_RT: who waits is real-time */
	MODES
};

/* Nothing is emulated. */
static inline bool mode_real(enum bench_mode mode)
{
	return mode == MODE_NATIVE || mode == MODE_HOST;
}

/**
 * struct options - of the command line
 * @mode: what kind of machine this is.
 * @quick: few messages, to see that it works.
 * @rounds: how often everything is measured, contestants taking turns.
 * @seconds: no further round begins that would end later; 0: all do.
 * @cpu: where the two sides run.
 * @load_s: seconds of full load that are watched for false alarms; 0: few.
 * @only: measure what has this in its name ("rtt", "weir"), or NULL.
 */
struct options {
	enum bench_mode	mode;
	bool		quick;
	unsigned int	rounds;
	unsigned int	seconds;
	int		cpu[2];
	unsigned int	load_s;
	const char	*only;
};

extern struct options options;
extern const char *const mode_names[MODES];

/* Guards of a route, see links/router.c. */
#define GUARD_BUCKET	0x1U
#define GUARD_BULKHEAD	0x2U
#define GUARD_BREAKER	0x4U
#define GUARD_RETRY	0x8U
#define GUARDS_ALL	0xfU

/**
 * enum stage - what a request and its reply cost, stage by stage
 * @STAGE_SEND: claim, payload, commit; no system call.
 * @STAGE_SEND_KICK: the system call that routes what was committed.
 * @STAGE_RECEIVE: the target looks at requests and releases them.
 * @STAGE_ANSWER: claim, payload, commit of replies.
 * @STAGE_ANSWER_KICK: the system call that routes those.
 * @STAGE_TAKE: the caller looks at replies and releases them.
 * @STAGE_KICK: a kick for nothing; part of both others, not a stage.
 *
 * Of a polled route the kicks are rounds of the router's thread.
 */
enum stage {
	STAGE_SEND,
	STAGE_SEND_KICK,
	STAGE_RECEIVE,
	STAGE_ANSWER,
	STAGE_ANSWER_KICK,
	STAGE_TAKE,
	STAGE_KICK,
	STAGES
};

extern const char *const stage_names[STAGES];

#define STEPS_OVER	3

/**
 * enum setup - what setting up costs, see loops.h
 * @SETUP_OPEN: both ends opened and connected, but of a library its handles.
 * @SETUP_JOIN: that, and what each end needs where it runs: its rings mapped.
 * @SETUP_FIRST: that, and the first message through.
 * @SETUP_CLOSE: all closed again.
 */
enum setup {
	SETUP_OPEN,
	SETUP_JOIN,
	SETUP_FIRST,
	SETUP_CLOSE,
	SETUPS
};

/**
 * struct job - one measurement; shared by the processes that make it
 * @len: bytes of a message.
 * @count: messages (round trips) to measure.
 * @warm: before those.
 * @ring_bytes: of rings.
 * @readers: of a fan-out.
 * @senders: of a fan-in.
 * @stalled: the last of the readers does not read.
 * @batch: messages at once, of routed ones.
 * @guards: of their route.
 * @polled: by the router's thread.
 * @threads: its sides are threads of one process.
 * @helped: others than the two sides do part of the work.
 * @period_ns: between the messages of a fixed load; 0: it is none.
 * @answered: each of these is waited for to come back.
 * @begin_ns: when the first is to be sent, of a fan-out.
 * @arrived: how often a side came to a meeting point.
 * @counted: count instructions too (and nothing else, if @stepping).
 * @stepping: the parent single-steps side 0, see job_traced().
 * @counting: what it counts the steps as: 1, 2, 0 for not at all; STEPS_OVER: it
 *	need not step any more.
 * @steps: how many it counted.
 * @ns: result: total time.
 * @ns2: result: of the second thing that was measured, if there is one.
 * @peek_ns: result: an empty look at all of @senders; 0: not measured.
 * @poll_ns: result: the same asked of the kernel, without waiting.
 * @cpu_ns: result: processor time by side; of daemons, as of side 1.
 * @sent: result: messages in time.
 * @lost: result: messages that a reader which kept up did not get.
 * @kept: result: that the stalled one has got in the end.
 * @copied_bytes: result: payload bytes that the kernel copied.
 * @insns: result: instructions by side, user and kernel.
 * @stage: result: time by stage, of @count messages; or by enum setup.
 * @hist: result: latencies.
 */
struct job {
	size_t		len;
	uint64_t	count;
	uint64_t	warm;
	size_t		ring_bytes;
	unsigned int	readers;
	unsigned int	senders;
	bool		stalled;
	unsigned int	batch;
	uint32_t	guards;
	bool		polled;
	bool		threads;
	bool		helped;
	uint64_t	period_ns;
	bool		answered;
	uint64_t	begin_ns;
	_Atomic uint32_t arrived;
	bool		counted;
	bool		stepping;
	_Atomic uint32_t counting;
	uint64_t	steps[2];
	uint64_t	ns;
	uint64_t	ns2;
	uint64_t	peek_ns;
	uint64_t	poll_ns;
	uint64_t	cpu_ns[2];
	uint64_t	sent;
	uint64_t	lost;
	uint64_t	kept;
	uint64_t	copied_bytes;
	uint64_t	insns[2][2];
	uint64_t	stage[STAGES];
	struct hist	hist;
};

/**
 * struct contestant - made by loops.h, one for each way
 * @name: short.
 * @what: for the table: what it is, with its settings.
 * @needs: what it cannot do without, or NULL.
 * @module: only where the weir module is loaded.
 * @sleeps: its sides block in the kernel when they have nothing to do.
 * @broadcast: one publish reaches all readers.
 * @threads: its sides are threads of one process.
 * @helped: others than the two sides do part of the work: what these spend is
 *	not all.
 * @batches: several messages at once; only @rate and @solo say something.
 * @only: names of what alone is measured of it, or NULL.
 * @routed: messages go through the router.
 * @polled: whose thread on the second processor takes them from the outboxes.
 * @guards: of its route.
 * @len_max: longest message.
 * @open: makes both ends, before the fork. 0, or -errno if it can't be had.
 * @close: of what @open made.
 * @rtt: round trips; runs in both sides.
 * @paced: one side sends at fixed times, the other receives, or answers.
 * @oneway: messages one at a time, with the time of sending in them.
 * @rate: one side sends, the other receives, as fast as they can.
 * @solo: both ends in one process: @ns for sending, @ns2 for receiving.
 * @fan: one sends to @readers, all in one process; as @solo.
 * @fanin: @senders send to one, all in one process; as @solo.
 * @slow: one sends to @readers at a fixed load, of which the last may stall.
 * @handover: as @solo, but nobody touches the payload.
 * @setup: opens, joins and closes both ends in one process, @count times; @ns:
 *	the first time of all, with a message.
 * @cost: requests and replies by stage, all in one process. Routed ones have
 *	only @rtt, @paced (answered), @rate and @cost, polled ones only @cost;
 *	that is theirs alone.
 */
struct contestant {
	const char	*name;
	const char	*what;
	const char	*needs;
	bool		module;
	bool		sleeps;
	bool		broadcast;
	bool		threads;
	bool		helped;
	bool		batches;
	const char	*only;
	bool		routed;
	bool		polled;
	uint32_t	guards;
	size_t		len_max;
	int		(*open)(const struct job *job);
	void		(*close)(void);
	void		(*rtt)(struct job *job, int side);
	void		(*paced)(struct job *job, int side);
	void		(*oneway)(struct job *job, int side);
	void		(*rate)(struct job *job, int side);
	void		(*solo)(struct job *job, int side);
	void		(*fan)(struct job *job, int side);
	void		(*fanin)(struct job *job, int side);
	void		(*slow)(struct job *job, int side);
	void		(*handover)(struct job *job, int side);
	void		(*setup)(struct job *job, int side);
	void		(*cost)(struct job *job, int side);
};

extern const struct contestant link_weir, link_weir_batch, link_weir_wait,
	link_weir_plain, link_weir_lossy, link_ring, link_eventfd, link_pipe,
	link_stream, link_seqpacket, link_udp, link_tcp, link_tipc, link_mq,
	link_zmq_ipc, link_zmq_inproc, link_pipe_batch, link_stream_batch,
	link_seqpacket_batch, link_udp_batch, link_tcp_batch, link_tipc_batch,
	link_nng, link_nats, link_iceoryx, link_iceoryx_wait, link_routed,
	link_routed_bare, link_routed_poll, link_haproxy;

/*
 * How often a polling side looks decides how often it takes the line away from
 * the side that is writing it: the same contestant is a fifth faster or slower
 * with a few cycles more between its looks. So round trips are timed with
 * SPIN_PERIODS different periods, SPIN_STEP multiplications of three cycles
 * apart, and each contestant has its best one.
 */
#define SPIN_PERIODS	16
#define SPIN_STEP	2

static unsigned int spin_steps;

static inline void spin_next_period(void)
{
	spin_steps = (spin_steps + SPIN_STEP) % (SPIN_PERIODS * SPIN_STEP);
}

/*
 * One empty look of a polling side. Where others want the processor too, the
 * other side may not be running: then looking on only keeps it from it.
 */
static inline void spin(unsigned int *looks)
{
	unsigned int i, x = 1;

	__builtin_ia32_pause();
	for (i = 0; i < spin_steps; i++)
		__asm__ volatile("imul %0, %0" : "+r" (x));
	if (__builtin_expect(!(++*looks % 16384), 0))
		sched_yield();
}

/* --- main.c --- */
unsigned int mode_parse(const char *name);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* --- measure.c --- */
bool wanted(const char *bench, const char *who);
void measure(void);
void contestants_table(FILE *out);
const struct contestant *contestant_at(size_t i);

/* --- run.c --- */
void run_begins(void);
void run_ended(unsigned int rounds, unsigned long seconds);
void absent_add(enum bench_mode mode, const char *who, const char *why);
const char *absent_why(enum bench_mode mode, const char *who);
void run_write(FILE *file);
void run_table(FILE *out);

/* --- progress.c --- */
void progress_round(unsigned int round, unsigned int rounds);
void progress_steps(unsigned int n);
void progress_step(const char *bench, unsigned long size, const char *who);
void progress_end(void);

/* --- job.c --- */
typedef void job_side(struct job *job, int side);

struct job *job_new(void);
pid_t job_child(void);
void job_meet(struct job *job);
void job_pin(int side);
void job_touch(void *at, size_t bytes);
bool job_run(struct job *job, job_side *run, int sides);
void job_traced(struct job *job);
void job_untraced(struct job *job);
uint64_t job_line_ns(void);
void cpu_start(struct job *job, int side);
void cpu_stop(struct job *job, int side);

/* --- count.c --- */
bool count_works(void);
void count_start(struct job *job, uint32_t as);
void count_stop(struct job *job, int side, bool keep);

/* --- calibrate.c --- */
void calibrate_measure(unsigned int round);

/* --- paced.c --- */
void paced_measure(unsigned int round, const struct contestant *c,
		   const struct job *job);
void paced_sum(void);
void paced_write(FILE *file);

/* --- scale.c --- */
void scale_measure(unsigned int round);

/* --- setup.c --- */
void setup_measure(const struct contestant *c, unsigned int round, size_t len);

/* --- oneshot.c --- */
void oneshot_measure(unsigned int round);

/* --- memory.c --- */
void memory_measure(unsigned int round);

/* --- routed_scale.c --- */
void routed_scale_measure(unsigned int round);

/* --- failover.c --- */
void failover_measure(unsigned int round);

/* --- figure.c --- */
void figure_add(unsigned int round, const char *bench, const char *who,
		unsigned long size, double value);
void figure_write(FILE *file);
double median(double *values, unsigned int n);

/* --- report.c --- */
void report(FILE *out);

/* --- summary.c --- */
void summary(FILE *out, enum bench_mode mode);

/* --- compare.c --- */
void compare(FILE *out, const char *name_a, const char *name_b);

/* --- emulate.c --- */
struct weir;
int emulate_open(unsigned int rings, unsigned int readers, size_t ring_bytes);
void emulate_close(void);
struct weir *emulate_join(unsigned int write, unsigned int read,
			  unsigned int reader);

#endif /* WEIR_BENCH_H */
