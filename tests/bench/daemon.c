// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that some contestants need: started by the parent of all sides, on
 * any processor, and ended with it at the latest. What they print goes to
 * standard error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "daemon.h"

#define PATIENCE_MS	2000
#define KEPT_MAX	4

static struct {
	pid_t		owner;
	pid_t		pid[KEPT_MAX];
	unsigned int	n;
} kept;

/* Where a program is, or NULL. The answer is good until the next one. */
const char *program_find(const char *name)
{
	static const char *const in[] = { "/usr/sbin", "/usr/bin", "/bin" };
	static char path[64];
	size_t i;

	for (i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", in[i], name);
		if (!access(path, X_OK))
			return path;
	}
	return NULL;
}

/*
 * A configuration file without a place in any directory; its descriptor, which
 * is to be open until the program has been started. @path: out: its name there.
 */
int daemon_config(const char *text, char *path, size_t room)
{
	int fd = memfd_create("config", 0);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("a configuration: %s", strerror(errno));
	snprintf(path, room, "/proc/self/fd/%d", fd);
	return fd;
}

/* Runs it; @args ends with NULL. */
pid_t daemon_start(const char *program, const char *const *args)
{
	pid_t pid = job_child();

	if (pid)
		return pid;
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execv(program, (char *const *)args);
	_exit(1);
}

/* Has it ended by itself? */
bool daemon_ended(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) != 0;
}

/* Asks it to end, and makes it. */
void daemon_stop(pid_t pid)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	int tries;

	kill(pid, SIGTERM);
	for (tries = 0; tries < PATIENCE_MS; tries++) {
		if (daemon_ended(pid))
			return;
		nanosleep(&nap, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void daemons_stop(void)
{
	/* not when one of our sides ends */
	if (getpid() != kept.owner)
		return;
	while (kept.n)
		daemon_stop(kept.pid[--kept.n]);
}

/* It is to run until we end. */
void daemon_keep(pid_t pid)
{
	if (kept.n == KEPT_MAX)
		die("too many daemons");
	if (!kept.owner)
		atexit(daemons_stop);
	kept.owner = getpid();
	kept.pid[kept.n++] = pid;
}
