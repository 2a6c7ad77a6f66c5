// SPDX-License-Identifier: GPL-2.0
/*
 * Many of a kind: what the 10th and the 1,000th subscription cost, the 10th and
 * the 10,000th path, and what a message costs among 10,000 idle sockets. Times
 * are those of the one system call that attaches or binds; around each number
 * the median of eleven.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir.h>

#include "bench.h"

#define AROUND		5
#define FEW		10
#define SUBSCRIPTIONS	1000
#define PATHS		10000

static int *fds;
static double *took;
static unsigned int nfds;

static bool scale_reserve(unsigned int n)
{
	struct rlimit limit = { n + 100, n + 100 };

	fds = calloc(n, sizeof(*fds));
	took = calloc(n, sizeof(*took));
	nfds = 0;
	if (!fds || !took)
		die("no memory for %u sockets", n);
	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		say("scale: %u open files are not allowed here", n + 100);
		return false;
	}
	return true;
}

static void scale_free(void)
{
	while (nfds)
		close(fds[--nfds]);
	free(fds);
	free(took);
}

/* A socket, and the time that naming it took. */
static bool scale_add(const char *path, bool publish)
{
	struct sockaddr_weir at = { 0 };
	int family = weir_family(), bytes = WEIR_RING_MIN, fd;
	uint64_t start;

	at.sw_family = (unsigned short)family;
	snprintf(at.sw_path, sizeof(at.sw_path), "%s", path);
	fd = socket(family, SOCK_RDM, 0);
	if (fd < 0 || setsockopt(fd, SOL_WEIR, WEIR_SO_RING_BYTES, &bytes,
				 sizeof(bytes))) {
		say("scale: socket %u: %s", nfds, strerror(errno));
		return false;
	}
	fds[nfds] = fd;
	start = now_ns();
	if (publish ? bind(fd, (void *)&at, sizeof(at)) :
		      connect(fd, (void *)&at, sizeof(at))) {
		say("scale: %s, number %u: %s", path, nfds, strerror(errno));
		close(fd);
		return false;
	}
	took[nfds++] = (double)(now_ns() - start);
	return true;
}

static void scale_figure(unsigned int round, const char *bench, unsigned int n)
{
	double v[2 * AROUND + 1];
	unsigned int i;

	if (nfds < n + AROUND)
		return;
	for (i = 0; i < 2 * AROUND + 1; i++)
		v[i] = took[n - 1 - AROUND + i];
	figure_add(round, bench, "weir", n, median(v, 2 * AROUND + 1));
}

static void scale_subscriptions(unsigned int round)
{
	unsigned int i;

	if (!scale_reserve(SUBSCRIPTIONS + AROUND + 1))
		return;
	if (scale_add("/bench/many", true)) {
		/* the publisher's is not counted */
		for (i = 0; i < SUBSCRIPTIONS + AROUND &&
			    scale_add("/bench/many", false); i++)
			;
		scale_figure(round, "subscribe", FEW);
		scale_figure(round, "subscribe", SUBSCRIPTIONS);
	}
	scale_free();
}

static void scale_message(unsigned int round, unsigned int idle)
{
	static const struct {
		const struct contestant *who;
		const char *bench;
		int sides;
	} todo[] = {
		{ &link_weir, "idle_solo", 1 },
		{ &link_weir_wait, "idle_rtt", 2 },
	};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		const struct contestant *c = todo[i].who;
		struct job *job = job_new();

		job->len = 32;
		job->ring_bytes = 64 * KIB;
		job->warm = 100;
		job->count = options.quick ? 100 : 1000;
		if (todo[i].sides == 1) {
			job->count = 16 * 1024;
			job->warm = 2048;
		}
		if (c->open(job))
			die("no weir connection");
		if (job_run(job, todo[i].sides == 1 ? c->solo : c->rtt,
			    todo[i].sides))
			figure_add(round, todo[i].bench, c->name, idle,
				   (double)(job->ns + job->ns2) /
				   (double)job->count);
		c->close();
	}
}

static void scale_paths(unsigned int round)
{
	char path[64];
	unsigned int i;

	if (!scale_reserve(PATHS + AROUND))
		return;
	scale_message(round, 0);
	for (i = 0; i < PATHS + AROUND; i++) {
		snprintf(path, sizeof(path), "/bench/path/%u/%u", i / 100, i);
		if (!scale_add(path, true))
			break;
	}
	scale_figure(round, "path", FEW);
	scale_figure(round, "path", PATHS);
	if (nfds >= PATHS)
		scale_message(round, PATHS);
	scale_free();
}

void scale_measure(unsigned int round)
{
	if (options.mode == MODE_NATIVE)
		return;
	if (wanted("subscribe", "weir"))
		scale_subscriptions(round);
	if (wanted("path", "weir") || wanted("idle", "weir"))
		scale_paths(round);
}
