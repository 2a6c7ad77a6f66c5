// SPDX-License-Identifier: GPL-2.0
/*
 * What the machine itself costs, in the same run as the rest: an empty system
 * call, a switch between two processes on one processor, copying memory. (A
 * cache line's way is in job.c.) An emulated machine distorts each by another
 * factor, and so whatever is made of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define COPY_BYTES	(4 * MIB)	/* more than a core's own caches hold */

/* pipes[i]: what side i reads from */
static int pipes[2][2];

static unsigned int few(unsigned int n)
{
	return mode_real(options.mode) ? n : n / 20;
}

static void syscalls(struct job *job, int side)
{
	unsigned int i, n = few(200000);
	uint64_t at = now_ns();

	(void)side;
	for (i = 0; i < n; i++)
		syscall(SYS_getppid);
	job->ns = (now_ns() - at) * 1000 / n;
}

static void copies(struct job *job, int side)
{
	unsigned int i, n = few(400);
	char *from, *to;
	uint64_t at;

	(void)side;
	if (posix_memalign((void **)&from, 4 * KIB, COPY_BYTES) ||
	    posix_memalign((void **)&to, 4 * KIB, COPY_BYTES))
		die("no memory to copy");
	memset(from, 1, COPY_BYTES);
	memset(to, 2, COPY_BYTES);
	at = now_ns();
	for (i = 0; i < n; i++) {
		memcpy(to, from, COPY_BYTES);
		__asm__ volatile("" : : "r" (to) : "memory");
	}
	job->ns = (now_ns() - at) * 1000 / n / (COPY_BYTES / KIB);
	free(from);
	free(to);
}

static void byte_put(int side)
{
	char byte = 0;

	if (write(pipes[side][1], &byte, 1) != 1)
		die("write: %s", strerror(errno));
}

static void byte_get(int side)
{
	char byte;

	if (read(pipes[side][0], &byte, 1) != 1)
		die("read: %s", strerror(errno));
}

/* Both sides on one processor: each waits for the other's byte. */
static void switches(struct job *job, int side)
{
	unsigned int i, n = few(20000);
	uint64_t at, alone;

	job_pin(0);
	at = now_ns();
	for (i = 0; i < n; i++) {
		byte_put(side);
		byte_get(side);
	}
	alone = now_ns() - at;
	job_meet(job);
	at = now_ns();
	for (i = 0; i < n; i++) {
		if (side)
			byte_get(1);
		byte_put(!side);
		if (!side)
			byte_get(0);
	}
	/* a trip has two switches, and the system calls of both sides */
	if (!side)
		job->ns = (now_ns() - at - 2 * alone) * 1000 / n / 2;
	job_meet(job);
}

static void calibrate(unsigned int round, const char *what, job_side *run,
		    int sides)
{
	struct job *job = job_new();

	if (job_run(job, run, sides))
		figure_add(round, "machine", what, 0, (double)job->ns / 1000);
}

void calibrate_measure(unsigned int round)
{
	int i;

	if (!wanted("machine", ""))
		return;
	for (i = 0; i < 2; i++) {
		if (pipe(pipes[i]))
			die("pipe: %s", strerror(errno));
	}
	calibrate(round, "syscall", syscalls, 1);
	calibrate(round, "switch", switches, 2);
	calibrate(round, "copy", copies, 1);
	for (i = 0; i < 2; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}
