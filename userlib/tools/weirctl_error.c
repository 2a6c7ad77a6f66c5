// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * How weirctl reports that something failed or was refused: one line on
 * standard error, and the exit status.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "weirctl.h"
#include "weirctl_pattern.h"

const char *weirctl_command_name = "weirctl";

/* Writes one line to standard error, after the output so far. */
static void weirctl_complain(const char *format, va_list args)
{
	fflush(stdout);
	fputs("weirctl: ", stderr);
	vfprintf(stderr, format, args);
}

int weirctl_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	weirctl_complain(format, args);
	va_end(args);
	fputc('\n', stderr);
	return WEIRCTL_FAILED;
}

int weirctl_misuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	weirctl_complain(format, args);
	va_end(args);
	fprintf(stderr, "; see '%s --help'\n", weirctl_command_name);
	return WEIRCTL_USAGE;
}

int weirctl_check_path(const char *path)
{
	const char *why = weirctl_pattern_check(path);

	if (!why)
		return WEIRCTL_OK;
	weirctl_fail("'%s' is no path or pattern: %s", path, why);
	return WEIRCTL_USAGE;
}

void *weirctl_must(void *p)
{
	if (!p) {
		weirctl_fail("out of memory");
		exit(WEIRCTL_FAILED);
	}
	return p;
}
