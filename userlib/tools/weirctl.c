// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl: what goes on in weir, for operators. See weirctl(8).
 *
 * This file knows the command line: options, commands and the exit status. It
 * changes nothing but tunables, and needs no privilege but for those and for
 * seeing other users' objects.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"

int weirctl_fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("weirctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return WEIRCTL_FAILED;
}

static const char weirctl_help[] =
"usage: weirctl [OPTIONS] COMMAND\n"
"\n"
"  socket [list] [PATTERN]   sockets\n"
"  path [list] [PATTERN]     paths in use, their owners and modes\n"
"  stream [list] [PATTERN]   outboxes, with the lag of the slowest reader\n"
"  cursor [list] [PATTERN]   readers of outboxes, each with its lag\n"
"  stat                      counters of the host, and drops by reason\n"
"  tune [NAME [VALUE]]       tunables: all, one, or set one\n"
"  top [PATTERN]             streams with their rates and cursors, live\n"
"\n"
"  -j, --json                JSON instead of tables\n"
"  -b, --bytes               exact numbers, not 64K\n"
"  -i, --interval SECONDS    top: 0.1 to 3600; 1 if not given\n"
"  -n, --iterations COUNT    top: stop after so many; without end if not given\n"
"  -h, --help\n"
"  -V, --version\n"
"\n"
"A PATTERN is a path in which '*' is one segment and '**', last, the rest.\n"
"Exit status: 0 done, 1 failed, 2 wrong usage.\n";

static int weirctl_usage(const char *what, const char *arg)
{
	weirctl_fail("%s%s%s%s; see 'weirctl --help'", what, arg ? " '" : "",
		     arg ? arg : "", arg ? "'" : "");
	return WEIRCTL_USAGE;
}

/* --- options --- */

/**
 * struct weirctl_args - options while they are read
 * @o: what they say.
 * @for_top: the first option that only top takes, or 0.
 */
struct weirctl_args {
	struct weirctl_options	o;
	char			for_top;
};

static int weirctl_set_interval(struct weirctl_args *a, const char *text)
{
	char *end;

	a->o.interval = strtod(text, &end);
	a->for_top = 'i';
	if (end == text || *end ||
	    !(a->o.interval >= 0.1 && a->o.interval <= 3600))
		return weirctl_usage("an interval is from 0.1 to 3600 seconds, not",
				     text);
	return WEIRCTL_OK;
}

static int weirctl_set_iterations(struct weirctl_args *a, const char *text)
{
	char *end;

	a->o.iterations = strtoul(text, &end, 10);
	a->for_top = 'n';
	if (*text < '0' || *text > '9' || *end || !a->o.iterations)
		return weirctl_usage("a number of iterations is 1 or more, not",
				     text);
	return WEIRCTL_OK;
}

/* Reads the options; -1 to go on, or an exit status. */
static int weirctl_options(int argc, char **argv, struct weirctl_args *a)
{
	static const struct option options[] = {
		{ "json",	no_argument,		NULL, 'j' },
		{ "bytes",	no_argument,		NULL, 'b' },
		{ "interval",	required_argument,	NULL, 'i' },
		{ "iterations",	required_argument,	NULL, 'n' },
		{ "help",	no_argument,		NULL, 'h' },
		{ "version",	no_argument,		NULL, 'V' },
		{ NULL,		0,			NULL, 0 }
	};
	int c, ret = WEIRCTL_OK;

	while (!ret && (c = getopt_long(argc, argv, "jbi:n:hV", options,
					NULL)) != -1) {
		switch (c) {
		case 'j':
			a->o.json = true;
			break;
		case 'b':
			a->o.exact = true;
			break;
		case 'i':
			ret = weirctl_set_interval(a, optarg);
			break;
		case 'n':
			ret = weirctl_set_iterations(a, optarg);
			break;
		case 'h':
			fputs(weirctl_help, stdout);
			return WEIRCTL_OK;
		case 'V':
			puts("weirctl " VERSION);
			return WEIRCTL_OK;
		default:
			/* getopt has said what is wrong */
			return WEIRCTL_USAGE;
		}
	}
	return ret ? ret : -1;
}

/* --- commands --- */

static int weirctl_take_pattern(struct weirctl_options *o, int argc,
				char **argv)
{
	const char *why;

	if (argc > 1)
		return weirctl_usage("too many arguments:", argv[1]);
	if (!argc)
		return WEIRCTL_OK;
	why = weirctl_pattern_check(argv[0]);
	if (why) {
		weirctl_fail("'%s' is no path or pattern: %s", argv[0], why);
		return WEIRCTL_USAGE;
	}
	o->pattern = argv[0];
	return WEIRCTL_OK;
}

static int weirctl_run_list(struct weirctl_options *o, uint32_t kind, int argc,
			    char **argv)
{
	int skip = argc && !strcmp(argv[0], "list");
	int ret = weirctl_take_pattern(o, argc - skip, argv + skip);

	return ret ? ret : weirctl_list(o, kind);
}

static int weirctl_run_top(struct weirctl_options *o, int argc, char **argv)
{
	int ret = weirctl_take_pattern(o, argc, argv);

	return ret ? ret : weirctl_top(o);
}

static int weirctl_run(struct weirctl_args *a, int argc, char **argv)
{
	static const struct {
		const char	*name;
		uint32_t	kind;
	} lists[] = {
		{ "socket",	WEIR_LIST_SOCKETS },
		{ "path",	WEIR_LIST_PATHS },
		{ "stream",	WEIR_LIST_STREAMS },
		{ "cursor",	WEIR_LIST_CURSORS },
	};
	const char *command = argv[0];
	size_t i;

	argc--;
	argv++;
	if (!strcmp(command, "top"))
		return weirctl_run_top(&a->o, argc, argv);
	if (a->for_top) {
		char option[] = { '-', a->for_top, '\0' };

		return weirctl_usage("only top takes", option);
	}
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (!strcmp(command, lists[i].name))
			return weirctl_run_list(&a->o, lists[i].kind, argc, argv);
	}
	if (!strcmp(command, "stat"))
		return argc ? weirctl_usage("too many arguments:", argv[0]) :
			      weirctl_stat(&a->o);
	if (!strcmp(command, "tune"))
		return argc > 2 ? weirctl_usage("too many arguments:", argv[2]) :
			weirctl_tune(&a->o, argc ? argv[0] : NULL,
				     argc > 1 ? argv[1] : NULL);
	return weirctl_usage("no command", command);
}

int main(int argc, char **argv)
{
	struct weirctl_args args = { .o = { .interval = 1 } };
	int ret = weirctl_options(argc, argv, &args);

	if (ret < 0) {
		if (optind == argc) {
			fputs(weirctl_help, stderr);
			return WEIRCTL_USAGE;
		}
		ret = weirctl_run(&args, argc - optind, argv + optind);
	}
	if ((fflush(stdout) || ferror(stdout)) && ret == WEIRCTL_OK)
		ret = weirctl_fail("the output could not be written");
	return ret;
}
