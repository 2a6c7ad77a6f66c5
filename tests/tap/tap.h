/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every test in C prints: the Test Anything Protocol, a line for each
 * thing that a test proves, with the plan at the end. A test calls tap_ok() or
 * one of its kin and ends with "return tap_done();". Only one process prints;
 * its children report by their exit status or through shared memory.
 *
 * tests/tap/tap.sh is the same for tests in shell, tests/tap/tally sums up.
 */
#ifndef WEIR_TAP_H
#define WEIR_TAP_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAP_PASS	0
#define TAP_FAIL	1
#define TAP_SKIP	77

#define TAP_SECONDS	300	/* for tap_alarm(), when nothing hangs for long */

#define TAP_UNUSED	__attribute__((unused))
#define TAP_PRINTF(f)	__attribute__((unused, format(printf, f, (f) + 1)))

static int tap_count, tap_failures;

/* A comment. */
TAP_PRINTF(1) static void tap_diag(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

/* One result; returns whether it was good, so that a test may give up. */
TAP_PRINTF(2) static bool tap_ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	tap_failures += !good;
	return good;
}

/* A number that must be another number. */
TAP_UNUSED static bool tap_is(long long got, long long want, const char *name)
{
	if (!tap_ok(got == want, "%s", name)) {
		tap_diag("got %lld, want %lld", got, want);
		return false;
	}
	return true;
}

/* The result of a system call that must succeed. Keeps errno. */
TAP_UNUSED static bool tap_call(long long ret, const char *name)
{
	int err = errno;

	if (!tap_ok(ret >= 0, "%s", name))
		tap_diag("%s", strerror(err));
	errno = err;
	return ret >= 0;
}

/* The result of a system call that must fail with @err. */
TAP_UNUSED static bool tap_fails(long long ret, int err, const char *name)
{
	int got = errno;

	if (!tap_ok(ret == -1 && got == err, "%s", name)) {
		if (ret == -1)
			tap_diag("got errno %d (%s), want %d (%s)", got,
				 strerror(got), err, strerror(err));
		else
			tap_diag("got %lld, want errno %d (%s)", ret, err,
				 strerror(err));
		return false;
	}
	return true;
}

/* Part of a test that cannot be done here; shown, and not a pass. */
TAP_UNUSED static void tap_skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_count, name, why);
	fflush(stdout);
}

TAP_UNUSED static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	fflush(stdout);
	return tap_failures ? TAP_FAIL : TAP_PASS;
}

/* The whole test cannot be run here. */
TAP_UNUSED static void tap_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	fflush(stdout);
	_exit(TAP_SKIP);
}

/* Something that is no part of the test went wrong. */
TAP_PRINTF(1) static void tap_bail(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (%s)\n", strerror(err));
	fflush(stdout);
	_exit(TAP_FAIL);
}

/* For what is checked so often that a line each would drown the rest. */
#define tap_need(cond)							\
	do {								\
		if (!(cond))						\
			tap_bail("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

/* --- the end of a test that hangs ---------------------------------------- */

static void tap_watchdog_bark(int sig)
{
	static const char words[] = "Bail out! the test hangs\n";

	(void)sig;
	if (write(STDOUT_FILENO, words, sizeof(words) - 1) < 0)
		_exit(TAP_FAIL);
	_exit(TAP_FAIL);
}

/* Ends the program, with words, after @seconds; not its children. */
TAP_UNUSED static void tap_alarm(unsigned int seconds)
{
	signal(SIGALRM, tap_watchdog_bark);
	alarm(seconds);
}

#endif /* WEIR_TAP_H */
