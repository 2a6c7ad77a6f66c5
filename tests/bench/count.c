// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions of the calling process, user and kernel apart. Where the CPU's
 * counters can be had (not in an emulated machine) they are read before and
 * after, and what the reading costs is taken off. Elsewhere only the user's
 * are known: the parent counts them by single steps (job.c).
 */
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

struct reading {
	uint64_t	n;
	uint64_t	user;
	uint64_t	kernel;
};

static struct reading before, cost;
static int group = -1;
static pid_t opened_by;

static int count_open(bool kernel, int leader)
{
	struct perf_event_attr attr = {
		.type		= PERF_TYPE_HARDWARE,
		.size		= sizeof(attr),
		.config		= PERF_COUNT_HW_INSTRUCTIONS,
		.read_format	= PERF_FORMAT_GROUP,
		.exclude_user	= kernel,
		.exclude_kernel	= !kernel,
		.exclude_hv	= 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, leader, 0);
}

static struct reading count_read(void)
{
	struct reading r = { 0 };

	if (read(group, &r, sizeof(r)) != sizeof(r))
		die("the instruction counters cannot be read");
	return r;
}

/* The counters belong to the process that opened them. */
static bool count_ready(void)
{
	struct reading a, b;
	int i;

	if (opened_by == getpid())
		return group >= 0;
	opened_by = getpid();
	group = count_open(false, -1);
	if (group >= 0 && count_open(true, group) < 0)
		group = -1;
	if (group < 0)
		return false;
	memset(&cost, 0xff, sizeof(cost));
	for (i = 0; i < 100; i++) {
		a = count_read();
		b = count_read();
		if (b.user - a.user < cost.user)
			cost.user = b.user - a.user;
		if (b.kernel - a.kernel < cost.kernel)
			cost.kernel = b.kernel - a.kernel;
	}
	return true;
}

bool count_works(void)
{
	return mode_real(options.mode) && count_ready();
}

void count_start(struct job *job, uint32_t as)
{
	if (!job->counted || !as)
		return;
	if (job->stepping)
		atomic_store(&job->counting, as);
	else if (count_ready())
		before = count_read();
}

void count_stop(struct job *job, int side, bool keep)
{
	struct reading now;

	if (!job->counted || !keep)
		return;
	if (job->stepping) {
		atomic_store(&job->counting, 0);
	} else if (count_ready()) {
		now = count_read();
		job->insns[side][0] += now.user - before.user - cost.user;
		job->insns[side][1] += now.kernel - before.kernel - cost.kernel;
	}
}
