/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the selftests share: TAP output (tests/tap/tap.h), sockets of the weir
 * family, deadlines instead of sleeps, and the files in /sys/kernel/weir.
 *
 * WEIR_TEST_SCALE (1 by default) scales iteration counts, not deadlines.
 */
#ifndef WEIR_SELFTEST_H
#define WEIR_SELFTEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uapi/weir.h>

#include "../tap/tap.h"

#define TAP_DEADLINE_MS	60000
#define TAP_CHILD_LEFT_MS	20000	/* for what a test says of a child that hangs */
#define TAP_UNTIL_LEFT_MS	10000	/* for what it says of anything else */

/* --- time ----------------------------------------------------------------- */

TAP_UNUSED static uint64_t tap_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* @n scaled by WEIR_TEST_SCALE, at least @least. */
TAP_UNUSED static long tap_scale(long n, long least)
{
	const char *s = getenv("WEIR_TEST_SCALE");
	double scale = s ? atof(s) : 1;
	long scaled = scale > 0 ? (long)((double)n * scale) : n;

	return scaled > least ? scaled : least;
}

/* WEIR_TEST_SEED, 0 by default: a repeated test raises it each time. */
TAP_UNUSED static unsigned long tap_seed(void)
{
	const char *s = getenv("WEIR_TEST_SEED");

	return s ? strtoul(s, NULL, 0) : 0;
}

/* When the program ends if the test hangs, by tap_now_ms(); 0 if it has no limit. */
static uint64_t tap_watchdog_ms;

/*
 * Ends the test after @seconds. The runner of the tests knows the machine: a
 * limit in WEIR_TEST_TIMEOUT is taken instead, a little before it ends.
 */
TAP_UNUSED static void tap_watchdog(unsigned int seconds)
{
	const char *s = getenv("WEIR_TEST_TIMEOUT");
	int limit = s ? atoi(s) : 0;

	if (limit > 10)
		seconds = (unsigned int)limit - 5;
	tap_alarm(seconds);
	tap_watchdog_ms = tap_now_ms() + UINT64_C(1000) * seconds;
}

/*
 * How long something may take that does not end by itself: @ms, but no longer
 * than until @left_ms before the test's own limit, so that the test says what it
 * was.
 */
TAP_UNUSED static uint64_t tap_limit_ms(uint64_t ms, uint64_t left_ms)
{
	uint64_t now = tap_now_ms();

	if (!tap_watchdog_ms)
		return ms;
	if (tap_watchdog_ms < now + left_ms)
		return 0;
	return ms < tap_watchdog_ms - left_ms - now ?
	       ms : tap_watchdog_ms - left_ms - now;
}

/*
 * Waits until @cond holds or the time is over; true if it held. It naps between
 * looks; nothing depends on how long.
 */
#define tap_within(ms, cond)						\
	__extension__({							\
		uint64_t tap_end = tap_now_ms() + (uint64_t)(ms);	\
		bool tap_held;						\
									\
		while (!(tap_held = (cond)) && tap_now_ms() < tap_end)	\
			usleep(1000);					\
		tap_held;						\
	})

/* The same, for a minute at most. */
#define tap_until(cond)							\
	tap_within(tap_limit_ms(TAP_DEADLINE_MS, TAP_UNTIL_LEFT_MS), cond)

/* Polls for @events; the bits that hold, 0 at the deadline. */
TAP_UNUSED static int tap_poll(int fd, int events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, timeout_ms);

	return n < 0 ? -1 : n ? p.revents : 0;
}

/* What poll says now. */
TAP_UNUSED static int tap_poll_now(int fd, int events)
{
	return tap_poll(fd, events, 0);
}

/* --- files ---------------------------------------------------------------- */

/* A number in a file, or -1. */
TAP_UNUSED static long long tap_read_file(const char *path)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return n > 0 ? strtoll(buf, NULL, 0) : -1;
}

/* The number behind a word that begins a line; -1 if it is not there. */
TAP_UNUSED static long long tap_field(const char *file, const char *name)
{
	char line[256], word[64];
	long long n, found = -1;
	FILE *f = fopen(file, "r");

	if (!f)
		return -1;
	while (found < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lld", word, &n) == 2 &&
		    !strcmp(word, name))
			found = n;
	}
	fclose(f);
	return found;
}

/* 0 or -1 with errno. */
TAP_UNUSED static int tap_write_file(const char *path, const char *words)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, words, strlen(words));
	err = errno;
	close(fd);
	errno = err;
	return n == (ssize_t)strlen(words) ? 0 : -1;
}

/* /sys/kernel/weir/<name>, for instance "stats/rings". */
TAP_UNUSED static long long tap_stat(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/kernel/weir/%s", name);
	return tap_read_file(path);
}

TAP_UNUSED static int tap_tune(const char *name, unsigned long long value)
{
	char path[256], words[32];

	snprintf(path, sizeof(path), "/sys/kernel/weir/tunables/%s", name);
	snprintf(words, sizeof(words), "%llu", value);
	return tap_write_file(path, words);
}

/* --- tracing -------------------------------------------------------------- */

#define TAP_TRACING	"/sys/kernel/tracing/"

/*
 * Has an event traced, such as "weir/weir_drop", or no longer. 0 or -1 with
 * errno.
 */
TAP_UNUSED static int tap_trace(const char *event, int on)
{
	char path[256];

	snprintf(path, sizeof(path), TAP_TRACING "events/%s/enable", event);
	return tap_write_file(path, on ? "1" : "0");
}

/* Empties the trace: to open it does so. 0, or -1 if nothing can be traced. */
TAP_UNUSED static int tap_trace_begin(void)
{
	int fd = open(TAP_TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return -1;
	close(fd);
	return tap_read_file(TAP_TRACING "tracing_on") == 1 ? 0 : -1;
}

/* --- sockets -------------------------------------------------------------- */

/* The family number; skips the whole test when the module is not loaded. */
TAP_UNUSED static int tap_family(void)
{
	static int family;

	if (!family)
		family = (int)tap_read_file("/sys/module/weir/parameters/family");
	if (family < 0)
		tap_skip_all("the weir module is not loaded");
	return family;
}

/* Begins a test that needs root and the module; it may last @seconds. */
TAP_UNUSED static void tap_begin_as_root(unsigned int seconds)
{
	tap_family();
	tap_watchdog(seconds);
	if (geteuid())
		tap_skip_all("needs root");
}

/* A socket, or the end of the test. @type may carry SOCK_NONBLOCK. */
TAP_UNUSED static int tap_socket(int type)
{
	int fd = socket(tap_family(), type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		tap_bail("socket of type %d", type);
	return fd;
}

/* Fills in an address; returns its length, the path's NUL included. */
TAP_UNUSED static socklen_t tap_addr(struct sockaddr_weir *addr, const char *path)
{
	size_t len = strlen(path);

	memset(addr, 0, sizeof(*addr));
	addr->sw_family = tap_family();
	if (len >= sizeof(addr->sw_path))
		tap_bail("path too long for an address");
	memcpy(addr->sw_path, path, len);
	return offsetof(struct sockaddr_weir, sw_path) + len + 1;
}

TAP_UNUSED static int tap_bind(int fd, const char *path)
{
	struct sockaddr_weir addr;
	socklen_t len = tap_addr(&addr, path);

	return bind(fd, (struct sockaddr *)&addr, len);
}

TAP_UNUSED static int tap_connect(int fd, const char *path)
{
	struct sockaddr_weir addr;
	socklen_t len = tap_addr(&addr, path);

	return connect(fd, (struct sockaddr *)&addr, len);
}

/* Sets a path for the next bind or connect by tap_bind(fd, ""). */
TAP_UNUSED static int tap_long_path(int fd, const char *path)
{
	return setsockopt(fd, SOL_WEIR, WEIR_SO_LONG_PATH, path, strlen(path));
}

/* An int option of level SOL_WEIR. */
TAP_UNUSED static int tap_setopt(int fd, int name, int value)
{
	return setsockopt(fd, SOL_WEIR, name, &value, sizeof(value));
}

/* Its value; ends the test if it cannot be had. */
TAP_UNUSED static int tap_getopt(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_WEIR, name, &value, &len))
		tap_bail("getsockopt %d", name);
	return value;
}

/* Why the last call on the socket was refused. Overwritten by the next call. */
TAP_UNUSED static const char *tap_words(int fd)
{
	static char words[256];
	socklen_t len = sizeof(words) - 1;

	memset(words, 0, sizeof(words));
	if (getsockopt(fd, SOL_WEIR, WEIR_SO_ERROR_TEXT, words, &len))
		return "";
	return words;
}

TAP_UNUSED static struct weir_sock_info tap_info(int fd)
{
	struct weir_sock_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_WEIR, WEIR_SO_INFO, &info, &len))
		tap_bail("WEIR_SO_INFO");
	return info;
}

/* A bound publisher with a ring of @ring_bytes (0: the default). */
TAP_UNUSED static int tap_publisher(int type, const char *path, int ring_bytes)
{
	int fd = tap_socket(type);

	if (ring_bytes && tap_setopt(fd, WEIR_SO_RING_BYTES, ring_bytes))
		tap_bail("ring size %d: %s", ring_bytes, tap_words(fd));
	if (tap_bind(fd, path))
		tap_bail("publish %s: %s", path, tap_words(fd));
	return fd;
}

TAP_UNUSED static int tap_subscriber(int type, const char *pattern)
{
	int fd = tap_socket(type);

	if (tap_connect(fd, pattern))
		tap_bail("subscribe %s: %s", pattern, tap_words(fd));
	return fd;
}

/* Wakes the sleepers for what was done in shared memory: WEIR_KICK_*. */
TAP_UNUSED static int tap_kick(int fd, unsigned int what)
{
	return setsockopt(fd, SOL_WEIR, WEIR_SO_KICK, &what, sizeof(what));
}

TAP_UNUSED static int tap_sleep(int fd, const struct weir_so_wait *wait)
{
	return setsockopt(fd, SOL_WEIR, WEIR_SO_WAIT, wait, sizeof(*wait));
}

/* --- messages ------------------------------------------------------------- */

/* Contents that depend on a number and a place, and a check of them. */
TAP_UNUSED static void tap_fill(void *buf, size_t len, uint32_t n)
{
	unsigned char *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (unsigned char)(n * 131 + i * 7 + (i >> 8));
}

TAP_UNUSED static int tap_filled(const void *buf, size_t len, uint32_t n)
{
	const unsigned char *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != (unsigned char)(n * 131 + i * 7 + (i >> 8)))
			return 0;
	return 1;
}

/* --- processes ------------------------------------------------------------ */

/* What waitpid() says of a child that has ended: 128 + n after signal n. */
TAP_UNUSED static int tap_exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Exit status of a child, as above, or -1 if it had to be killed after @ms. */
TAP_UNUSED static int tap_wait_within(pid_t pid, uint64_t ms)
{
	int status = 0;
	pid_t got = 0;

	if (!tap_within(ms, (got = waitpid(pid, &status, WNOHANG)))) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -1;
	}
	return got == pid ? tap_exit_status(status) : -1;
}

/*
 * Waits until @cond holds or the child has ended; whether it holds. *@ended: the
 * child's exit status as above, or -1 if it still runs.
 */
#define tap_until_unless_ended(cond, pid, ended)			\
	({								\
		pid_t tap_child = (pid);				\
		int tap_status = 0;					\
		pid_t tap_gone = 0;					\
		*(ended) = -1;						\
		tap_until((cond) ||					\
			  (tap_gone = waitpid(tap_child, &tap_status,	\
					      WNOHANG)) == tap_child);	\
		if (tap_gone == tap_child)				\
			*(ended) = tap_exit_status(tap_status);		\
		!!(cond);						\
	})

/*
 * As tap_wait_within(), for a child that may work until shortly before the test's
 * own limit.
 */
TAP_UNUSED static int tap_wait(pid_t pid)
{
	return tap_wait_within(pid, tap_watchdog_ms ?
			       tap_limit_ms(UINT64_MAX, TAP_CHILD_LEFT_MS) :
			       TAP_DEADLINE_MS);
}

TAP_UNUSED static void tap_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/*
 * The state of a process or a thread: a letter of proc_pid_stat(5), as 'S' for
 * one that sleeps; 0 if it is gone.
 */
TAP_UNUSED static char tap_state(pid_t tid)
{
	char path[32], line[300] = "", *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	p = n > 0 ? strrchr(line, ')') : NULL;
	return p && p[1] ? p[2] : 0;
}

/*
 * Waits until a child sleeps in the kernel, or has ended. What follows must come
 * out right without it, too; this only makes it likely that a wake-up is tested.
 */
TAP_UNUSED static void tap_until_asleep(pid_t pid)
{
	tap_until(({
		char state = tap_state(pid);

		!state || strchr("SZ", state);
	}));
}

/* Memory that children share. */
TAP_UNUSED static void *tap_shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		tap_bail("shared memory");
	return p;
}

#endif /* WEIR_SELFTEST_H */
