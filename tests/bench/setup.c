// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to set up: both ends opened, the same and joined, the same with a
 * first message of 32 bytes, and closing both; each the median of many in one
 * process. And once, what has to be there before: a daemon, or weir's module.
 * Starting a daemon is what the first set-up in a new process took longer than
 * the others, since links start theirs with it; haproxy's is started for each
 * connection, and there the two are not told apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <weir.h>

#include "bench.h"

static const char *const setup_names[SETUPS] = {
	[SETUP_OPEN]	= "setup_open",
	[SETUP_JOIN]	= "setup_join",
	[SETUP_FIRST]	= "setup_first",
	[SETUP_CLOSE]	= "setup_close",
};

/* The system calls alone, without modprobe's search for the file. */
static void setup_module(unsigned int round)
{
	struct utsname name;
	char path[128 + sizeof(name.release)];
	uint64_t at, gone, back;
	int fd;

	uname(&name);
	snprintf(path, sizeof(path), "/lib/modules/%s/extra/weir.ko",
		 name.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		say("setup: %s: %s", path, strerror(errno));
		return;
	}
	at = now_ns();
	if (syscall(SYS_delete_module, "weir", O_NONBLOCK)) {
		say("setup: removing the module: %s", strerror(errno));
		close(fd);
		return;
	}
	gone = now_ns();
	if (syscall(SYS_finit_module, fd, "", 0))
		die("setup: loading the module again: %s", strerror(errno));
	back = now_ns();
	close(fd);
	figure_add(round, "setup_stop", "weir", 32, (double)(gone - at));
	figure_add(round, "setup_start", "weir", 32, (double)(back - gone));
}

/* Their parts are not told apart, see above. */
static void setup_haproxy(unsigned int round, const struct job *job)
{
	figure_add(round, "setup_start", "haproxy", job->len,
		   (double)job->stage[SETUP_FIRST]);
	figure_add(round, "setup_stop", "haproxy", job->len,
		   (double)job->stage[SETUP_CLOSE]);
}

void setup_measure(const struct contestant *c, unsigned int round, size_t len)
{
	struct job *job = job_new();
	unsigned int s;

	/* other ways of weir are set up as it is */
	if (!c->setup || c->batches || c == &link_weir_wait ||
	    c == &link_weir_plain)
		return;
	if ((c->module && options.mode == MODE_NATIVE) ||
	    absent_why(options.mode, c->name))
		return;
	job->len = len;
	job->ring_bytes = 64 * KIB;
	job->helped = c->helped;
	job->count = options.quick ? 5 : 20;
	if (c == &link_haproxy)
		job->count = 2;
	if (!job_run(job, c->setup, 1)) {
		say("setup %s: not measured", c->name);
		return;
	}
	if (c == &link_haproxy) {
		setup_haproxy(round, job);
		return;
	}
	for (s = 0; s < SETUPS; s++)
		figure_add(round, setup_names[s], c->name, len,
			   (double)job->stage[s]);
	if (round)
		return;
	/* later their daemons run already */
	if (c == &link_nats || c == &link_iceoryx)
		figure_add(round, "setup_start", c->name, len,
			   (double)job->ns - (double)job->stage[SETUP_FIRST]);
	/* in a guest nobody else needs it */
	if (c == &link_weir && !mode_real(options.mode))
		setup_module(round);
}
