/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Test Anything Protocol for the user-space tests: one line for each
 * check, the plan at the end, and an exit status. A test that hangs is ended
 * by an alarm, which is a failure.
 */
#ifndef WEIR_TESTS_TAP_H
#define WEIR_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TAP_SECONDS	300

static int tap_count, tap_failures;

/* For what is checked so often that a line each would drown the rest. */
#define tap_need(cond)							\
	do {								\
		if (!(cond)) {						\
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			printf("Bail out! %s\n", #cond);		\
			fflush(stdout);					\
			_exit(1);					\
		}							\
	} while (0)

__attribute__((format(printf, 2, 3)))
static inline bool tap_ok(bool ok, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("%sok %d - ", ok ? "" : "not ", ++tap_count);
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	tap_failures += !ok;
	return ok;
}

static inline void tap_skip(const char *what, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_count, what, why);
}

static inline void tap_start(void)
{
	alarm(TAP_SECONDS);
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	return tap_failures ? 1 : 0;
}

/* Repeatable random numbers (xorshift64*). */
static inline unsigned long long tap_random(unsigned long long *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif /* WEIR_TESTS_TAP_H */
