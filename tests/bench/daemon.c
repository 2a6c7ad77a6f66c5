// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that some contestants need: started by the parent of all sides, on
 * any processor, and ended with it at the latest. What they print goes to
 * standard error.
 */
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
#define RUNNING_MAX	8

static struct {
	pid_t		owner;
	pid_t		pid[RUNNING_MAX];
	unsigned int	n;
} running;

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

static void forget(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < running.n; i++) {
		if (running.pid[i] == pid)
			running.pid[i] = running.pid[--running.n];
	}
}

/* Has it ended by itself? */
bool daemon_ended(pid_t pid)
{
	if (!waitpid(pid, NULL, WNOHANG))
		return false;
	forget(pid);
	return true;
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
	forget(pid);
}

static void daemons_stop(void)
{
	/* not when one of our sides ends */
	if (getpid() != running.owner)
		return;
	while (running.n)
		daemon_stop(running.pid[0]);
}

/* Runs it, until we end at the latest; @args ends with NULL. */
pid_t daemon_start(const char *program, const char *const *args)
{
	pid_t pid;

	if (!running.owner)
		atexit(daemons_stop);
	/* those of whom we have been forked from are not ours to stop */
	if (running.owner != getpid())
		running.n = 0;
	running.owner = getpid();
	if (running.n == RUNNING_MAX)
		die("too many daemons");
	pid = job_child();
	if (pid) {
		running.pid[running.n++] = pid;
		return pid;
	}
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execv(program, (char *const *)args);
	_exit(1);
}

/* Processor time of a process, ns. */
uint64_t process_cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Of all that run, ns. */
uint64_t daemons_cpu_ns(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < running.n; i++)
		sum += process_cpu_ns(running.pid[i]);
	return sum;
}
