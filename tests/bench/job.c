// SPDX-License-Identifier: GPL-2.0
/*
 * The processes that make a measurement. Each side is forked, pinned to its
 * processor and ends with it, so one measurement leaves nothing behind for the
 * next. A side that fails or takes too long takes the other with it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "daemon.h"

#define PATIENCE_S	600

static _Thread_local uint32_t meetings;	/* of this side */

struct job *job_new(void)
{
	static struct job *job;

	if (!job) {
		job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (job == MAP_FAILED)
			die("no memory for a job");
	}
	memset(job, 0, sizeof(*job));
	return job;
}

/* Both sides go on from here together. */
void job_meet(struct job *job)
{
	uint32_t all = 2 * ++meetings;

	atomic_fetch_add(&job->arrived, 1);
	while (atomic_load(&job->arrived) < all)
		sched_yield();
}

/* A processor of its own. */
void job_pin(int side)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(options.cpu[side], &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on CPU %d: %s", options.cpu[side],
		    strerror(errno));
}

/*
 * On a machine that others use, before them. In a guest there are no others,
 * and the kernel's threads must not wait. Nor must those that help: a side that
 * looks on and on would keep them from it.
 */
static void job_first(const struct job *job)
{
	struct sched_param first = { .sched_priority = 1 };

	/* not everybody may; then it is only noisier */
	if (mode_real(options.mode) && !job->helped)
		sched_setscheduler(0, SCHED_FIFO, &first);
}

/*
 * MODE_RT: the reader has a real-time priority, and a process without one keeps
 * its processor busy, half of the time in the kernel. The sender looks at the
 * clock all the time, on a processor of its own.
 */
static pid_t job_busy(const struct job *job, int side)
{
	struct sched_param first = { .sched_priority = 50 };
	pid_t pid;

	if (options.mode != MODE_RT || !side || !job->period_ns)
		return 0;
	pid = job_child();
	while (!pid) {
		void *at = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
				-1, 0);

		if (at == MAP_FAILED)
			die("no memory to be busy with");
		memset(at, 1, MIB);
		munmap(at, MIB);
	}
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		die("no real-time priority: %s", strerror(errno));
	return pid;
}

/* A fork leaves a mapping's page tables behind; faults are not to be timed. */
void job_touch(void *at, size_t bytes)
{
	if (madvise(at, bytes, MADV_POPULATE_WRITE))
		die("no page tables: %s", strerror(errno));
}

/* Side 0, where it wants to be counted: from here the parent steps it. */
void job_traced(struct job *job)
{
	if (!job->stepping)
		return;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
		die("ptrace: %s", strerror(errno));
}

/* Nothing more is to be counted. */
void job_untraced(struct job *job)
{
	if (job->stepping)
		atomic_store(&job->counting, STEPS_OVER);
}

/* Side 1, where both are threads of one process. */
static struct {
	struct job	*job;
	job_side	*run;
	pthread_t	thread;
} other;

static void *job_other(void *unused)
{
	(void)unused;
	job_pin(1);
	job_first(other.job);
	other.run(other.job, 1);
	return NULL;
}

static void job_thread(struct job *job, job_side *run)
{
	other.job = job;
	other.run = run;
	if (pthread_create(&other.thread, NULL, job_other, NULL))
		die("no thread");
}

/* A fork that ends with its parent. */
pid_t job_child(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static pid_t job_fork(struct job *job, job_side *run, int side)
{
	pid_t pid = job_child(), busy;

	if (pid)
		return pid;
	alarm(PATIENCE_S);
	meetings = 0;
	if (job->threads)
		job_thread(job, run);
	job_pin(side);
	job_first(job);
	busy = job_busy(job, side);
	run(job, side);
	if (busy)
		kill(busy, SIGKILL);
	if (job->threads)
		pthread_join(other.thread, NULL);
	exit(0);
}

/* Lets a stopped child go on, or steps it once, and counts it if that is wanted. */
static void job_step(struct job *job, pid_t pid, int status)
{
	int signal = WSTOPSIG(status);
	uint32_t as = atomic_load(&job->counting);

	if (signal == SIGTRAP || signal == SIGSTOP)
		signal = 0;
	if (as == STEPS_OVER) {
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)signal);
		return;
	}
	if (as)
		job->steps[as - 1]++;
	ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(long)signal);
}

/* Runs it on each side; false if one failed (it has said why). */
bool job_run(struct job *job, job_side *run, int sides)
{
	pid_t pid[2] = { 0, 0 };
	int side, status, left;
	bool good = true;

	job->threads = job->threads && sides == 2;
	if (job->threads)
		sides = 1;
	left = sides;
	for (side = 0; side < sides; side++)
		pid[side] = job_fork(job, run, side);
	while (left) {
		pid_t who = waitpid(-1, &status, 0);

		if (who < 0)
			die("waitpid: %s", strerror(errno));
		if (WIFSTOPPED(status)) {
			job_step(job, who, status);
			continue;
		}
		for (side = 0; side < sides && who != pid[side]; side++)
			;
		/* contestants that need a daemon find out that it has ended */
		if (side == sides)
			continue;
		pid[side] = 0;
		left--;
		if (status) {
			good = false;
			for (side = 0; side < sides; side++) {
				if (pid[side])
					kill(pid[side], SIGKILL);
			}
		}
	}
	return good;
}

/* --- processor time --- */

/* Of this process, all of its threads; and with side 1 the daemons'. */
static uint64_t cpu_now(const struct job *job, int side)
{
	struct timespec t = { 0 };
	uint64_t sum = side && job->helped ? daemons_cpu_ns() : 0;

	/* one process has both sides then */
	if (!side || !job->threads) {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
		sum += (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	}
	return sum;
}

void cpu_start(struct job *job, int side)
{
	job->cpu_ns[side] -= cpu_now(job, side);
}

void cpu_stop(struct job *job, int side)
{
	job->cpu_ns[side] += cpu_now(job, side);
}

/* --- the bracket: one cache line there and back --- */

static struct line {
	_Alignas(64) _Atomic uint64_t turn;
} *line;

#define LINE_TRIPS	20000

static void job_line(struct job *job, int side)
{
	uint64_t i, n = mode_real(options.mode) ? LINE_TRIPS : LINE_TRIPS / 20;
	struct timespec a, b;
	unsigned int looks = 0;

	job_meet(job);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < n; i++) {
		while (atomic_load_explicit(&line->turn, memory_order_acquire) !=
		       2 * i + (uint64_t)side)
			spin(&looks);
		atomic_store_explicit(&line->turn, 2 * i + (uint64_t)side + 1,
				      memory_order_release);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (side)
		job->ns = (uint64_t)((b.tv_sec - a.tv_sec) * 1000000000 +
				     b.tv_nsec - a.tv_nsec) / n;
}

/* Nanoseconds for a cache line to go there and back. */
uint64_t job_line_ns(void)
{
	struct job *job = job_new();

	if (!line) {
		line = mmap(NULL, sizeof(*line), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (line == MAP_FAILED)
			die("no memory for a cache line");
	}
	atomic_store(&line->turn, 0);
	return job_run(job, job_line, 2) ? job->ns : 0;
}
