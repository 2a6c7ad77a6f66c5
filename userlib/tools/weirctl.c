// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl: what goes on in weir, for operators. See weirctl(8).
 *
 * This file knows the command line: options, commands and the exit status.
 * Looking needs no privilege but for seeing other users' objects; changing
 * tunables and routes does.
 */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"
#include "weirctl_conf.h"
#include "weirctl_config.h"
#include "weirctl_doctor.h"
#include "weirctl_list.h"
#include "weirctl_look.h"
#include "weirctl_route.h"
#include "weirctl_sysfs.h"
#include "weirctl_target.h"
#include "weirctl_trace.h"
#include "weirctl_unit.h"

static const char weirctl_help[] =
"usage: weirctl [OPTIONS] COMMAND\n"
"\n"
"what there is\n"
"  socket [list] [PATTERN]   sockets\n"
"  path [list] [PATTERN]     paths in use, their owners and modes\n"
"  stream [list] [PATTERN]   outboxes, with the lag of the slowest reader\n"
"  cursor [list] [PATTERN]   readers of outboxes, each with its lag\n"
"  top [PATTERN]             streams, cursors, routes, targets with rates, live\n"
"  stat                      counters of the host, and drops by reason\n"
"\n"
"routed messages\n"
"  route [list [PATTERN]]    routes, what they do and have done\n"
"  route show PATH           all of one route\n"
"  route set PATH [KEY=VALUE]...\n"
"                            make a route or change it\n"
"  route del PATH            back to the defaults, or gone if nobody serves it\n"
"  target [list [PATTERN]]   who serves the routes\n"
"  target add PATH TARGET-PATH [weight=N]\n"
"  target set PATH TARGET weight=N\n"
"  target del PATH TARGET    a TARGET is an id from the list, or a path\n"
"  target shift PATH FROM TO [steps=10] [every=1s]\n"
"                            move all weight from one to another, step by step\n"
"  breaker [list [PATTERN]]  circuit breakers of the targets\n"
"  breaker open|auto ID      open one until told otherwise; leave it to itself\n"
"\n"
"the host\n"
"  tune [NAME [VALUE]]       tunables: all, one, or set one\n"
"  limit [list]              caps, and what was refused for what reason\n"
"  limit set NAME VALUE      set a cap\n"
"  apply FILE                routes and tunables from a file, all or nothing\n"
"  save [FILE]               write that file\n"
"  doctor                    is the host set up well?\n"
"  trace [PATTERN]           why did a message not arrive?\n"
"\n"
"  -j, --json                JSON instead of tables\n"
"  -b, --bytes               exact numbers, not 64K\n"
"  -i, --interval SECONDS    top: 0.1 to 3600; 1 if not given\n"
"  -n, --iterations COUNT    top: stop after so many; without end if not given\n"
"  -o, --once                top: print one table, as when not on a terminal\n"
"  -f, --for DURATION        trace: stop after so long, 10s say\n"
"  -d, --dry-run             apply: check and say what would change\n"
"  -p, --prune               apply: delete routes that are not in the file\n"
"  -h, --help\n"
"  -V, --version\n"
"\n"
"A PATTERN is a path in which '*' is one segment and '**', last, the rest.\n"
"KEYs of routes, and what holds by default:\n";

/* The keys come from their table. */
static void weirctl_help_print(FILE *to)
{
	size_t i;

	fputs(weirctl_help, to);
	for (i = 0; i < weirctl_key_count; i++) {
		const struct weirctl_key *k = &weirctl_keys[i];

		fprintf(to, "  %-18s %s%s%s%s\n", k->name, k->text,
			k->zero[0] ? " (" : "", k->zero,
			k->zero[0] ? ")" : "");
	}
	fputs("Durations end in ns, us, ms, s, m or h, sizes in K, M or G, shares in %.\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage.\n", to);
}

/* --- options --- */

/* Options that only some commands take, as bits. */
#define WEIRCTL_TAKES_JSON	0x01u
#define WEIRCTL_TAKES_BYTES	0x02u
#define WEIRCTL_TAKES_INTERVAL	0x04u
#define WEIRCTL_TAKES_COUNT	0x08u
#define WEIRCTL_TAKES_ONCE	0x10u
#define WEIRCTL_TAKES_FOR	0x20u
#define WEIRCTL_TAKES_DRY_RUN	0x40u
#define WEIRCTL_TAKES_PRUNE	0x80u
#define WEIRCTL_TAKES_ROOT	0x100u

/* All commands but apply, save and trace have something to print either way. */
#define WEIRCTL_TAKES_LIST	(WEIRCTL_TAKES_JSON | WEIRCTL_TAKES_BYTES)
#define WEIRCTL_TAKES_TOP	(WEIRCTL_TAKES_LIST | WEIRCTL_TAKES_INTERVAL | \
				 WEIRCTL_TAKES_COUNT | WEIRCTL_TAKES_ONCE)

static const struct {
	struct option	option;
	unsigned int	takes;
} weirctl_all[] = {
	{ { "json",	no_argument,		NULL, 'j' }, WEIRCTL_TAKES_JSON },
	{ { "bytes",	no_argument,		NULL, 'b' }, WEIRCTL_TAKES_BYTES },
	{ { "interval",	required_argument,	NULL, 'i' }, WEIRCTL_TAKES_INTERVAL },
	{ { "iterations", required_argument,	NULL, 'n' }, WEIRCTL_TAKES_COUNT },
	{ { "once",	no_argument,		NULL, 'o' }, WEIRCTL_TAKES_ONCE },
	{ { "for",	required_argument,	NULL, 'f' }, WEIRCTL_TAKES_FOR },
	{ { "dry-run",	no_argument,		NULL, 'd' }, WEIRCTL_TAKES_DRY_RUN },
	{ { "prune",	no_argument,		NULL, 'p' }, WEIRCTL_TAKES_PRUNE },
	{ { "root",	required_argument,	NULL, 'R' }, WEIRCTL_TAKES_ROOT },
	{ { "help",	no_argument,		NULL, 'h' }, 0 },
	{ { "version",	no_argument,		NULL, 'V' }, 0 },
};

#define WEIRCTL_OPTIONS	(sizeof(weirctl_all) / sizeof(weirctl_all[0]))

/**
 * struct weirctl_args - options while they are read
 * @o: what they say.
 * @given: WEIRCTL_TAKES_* of those that were given.
 */
struct weirctl_args {
	struct weirctl_options	o;
	unsigned int		given;
};

static int weirctl_set_interval(struct weirctl_args *a, const char *text)
{
	char *end;

	a->o.interval = strtod(text, &end);
	if (end == text || *end ||
	    !(a->o.interval >= 0.1 && a->o.interval <= 3600))
		return weirctl_misuse("an interval is from 0.1 to 3600 seconds, not '%s'",
				      text);
	return WEIRCTL_OK;
}

static int weirctl_set_iterations(struct weirctl_args *a, const char *text)
{
	char *end;

	a->o.iterations = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || !a->o.iterations)
		return weirctl_misuse("a number of iterations is 1 or more, not '%s'",
				      text);
	return WEIRCTL_OK;
}

static int weirctl_set_for(struct weirctl_args *a, const char *text)
{
	if (!weirctl_duration(text, &a->o.for_ns) || !a->o.for_ns)
		return weirctl_misuse("'%s' is no duration: a number and ns, us, ms, s, m or h",
				      text);
	return WEIRCTL_OK;
}

static int weirctl_option(struct weirctl_args *a, int c)
{
	switch (c) {
	case 'j':
		a->o.json = true;
		return WEIRCTL_OK;
	case 'b':
		a->o.exact = true;
		return WEIRCTL_OK;
	case 'i':
		return weirctl_set_interval(a, optarg);
	case 'n':
		return weirctl_set_iterations(a, optarg);
	case 'o':
		a->o.once = true;
		return WEIRCTL_OK;
	case 'f':
		return weirctl_set_for(a, optarg);
	case 'd':
		a->o.dry_run = true;
		return WEIRCTL_OK;
	case 'p':
		a->o.prune = true;
		return WEIRCTL_OK;
	case 'R':
		a->o.root = optarg;
		return WEIRCTL_OK;
	default:
		/* getopt has said what is wrong */
		return WEIRCTL_USAGE;
	}
}

/* Reads the options; -1 to go on, or an exit status. */
static int weirctl_options(int argc, char **argv, struct weirctl_args *a)
{
	struct option options[WEIRCTL_OPTIONS + 1];
	int c, ret = WEIRCTL_OK;
	size_t i;

	memset(options, 0, sizeof(options));
	for (i = 0; i < WEIRCTL_OPTIONS; i++)
		options[i] = weirctl_all[i].option;
	while (!ret && (c = getopt_long(argc, argv, "jbi:n:of:dphV", options,
					NULL)) != -1) {
		if (c == 'h') {
			weirctl_help_print(stdout);
			return WEIRCTL_OK;
		}
		if (c == 'V') {
			puts("weirctl " VERSION);
			return WEIRCTL_OK;
		}
		for (i = 0; i < WEIRCTL_OPTIONS; i++) {
			if (weirctl_all[i].option.val == c)
				a->given |= weirctl_all[i].takes;
		}
		ret = weirctl_option(a, c);
	}
	return ret ? ret : -1;
}

/* --- commands --- */

static int weirctl_too_many(const char *argument)
{
	return weirctl_misuse("too many arguments: '%s'", argument);
}

/* [PATTERN] */
static int weirctl_take_pattern(struct weirctl_options *o, int argc,
				char **argv)
{
	if (argc > 1)
		return weirctl_too_many(argv[1]);
	if (!argc)
		return WEIRCTL_OK;
	o->pattern = argv[0];
	return weirctl_check_path(argv[0]);
}

static int weirctl_run_list(struct weirctl_options *o, uint32_t kind, int argc,
			    char **argv)
{
	int skip = argc && !strcmp(argv[0], "list");
	int ret = weirctl_take_pattern(o, argc - skip, argv + skip);

	return ret ? ret : weirctl_list(o, kind);
}

static int weirctl_run_socket(struct weirctl_options *o, int argc, char **argv)
{
	return weirctl_run_list(o, WEIR_LIST_SOCKETS, argc, argv);
}

static int weirctl_run_path(struct weirctl_options *o, int argc, char **argv)
{
	return weirctl_run_list(o, WEIR_LIST_PATHS, argc, argv);
}

static int weirctl_run_stream(struct weirctl_options *o, int argc, char **argv)
{
	return weirctl_run_list(o, WEIR_LIST_STREAMS, argc, argv);
}

static int weirctl_run_cursor(struct weirctl_options *o, int argc, char **argv)
{
	return weirctl_run_list(o, WEIR_LIST_CURSORS, argc, argv);
}

static int weirctl_run_top(struct weirctl_options *o, int argc, char **argv)
{
	int ret = weirctl_take_pattern(o, argc, argv);

	return ret ? ret : weirctl_top(o);
}

static int weirctl_run_stat(struct weirctl_options *o, int argc, char **argv)
{
	return argc ? weirctl_too_many(argv[0]) : weirctl_stat(o);
}

static int weirctl_run_tune(struct weirctl_options *o, int argc, char **argv)
{
	if (argc > 2)
		return weirctl_too_many(argv[2]);
	return weirctl_tune(o, argc ? argv[0] : NULL,
			    argc > 1 ? argv[1] : NULL);
}

static int weirctl_run_limit(struct weirctl_options *o, int argc, char **argv)
{
	return weirctl_limit(o, argc, argv);
}

static int weirctl_run_apply(struct weirctl_options *o, int argc, char **argv)
{
	if (!argc)
		return weirctl_misuse("apply: which file?");
	return argc > 1 ? weirctl_too_many(argv[1]) : weirctl_apply(o, argv[0]);
}

static int weirctl_run_save(struct weirctl_options *o, int argc, char **argv)
{
	return argc > 1 ? weirctl_too_many(argv[1]) :
	       weirctl_save(o, argc ? argv[0] : NULL);
}

static int weirctl_run_doctor(struct weirctl_options *o, int argc, char **argv)
{
	return argc ? weirctl_too_many(argv[0]) : weirctl_doctor(o);
}

static int weirctl_run_trace(struct weirctl_options *o, int argc, char **argv)
{
	int ret = weirctl_take_pattern(o, argc, argv);

	return ret ? ret : weirctl_trace(o);
}

static const struct weirctl_command {
	const char	*name;
	unsigned int	takes;
	int		(*run)(struct weirctl_options *o, int argc,
			       char **argv);
} weirctl_commands[] = {
	{ "socket",	WEIRCTL_TAKES_LIST,	weirctl_run_socket },
	{ "path",	WEIRCTL_TAKES_LIST,	weirctl_run_path },
	{ "stream",	WEIRCTL_TAKES_LIST,	weirctl_run_stream },
	{ "cursor",	WEIRCTL_TAKES_LIST,	weirctl_run_cursor },
	{ "top",	WEIRCTL_TAKES_TOP,	weirctl_run_top },
	{ "stat",	WEIRCTL_TAKES_LIST,	weirctl_run_stat },
	{ "route",	WEIRCTL_TAKES_LIST,	weirctl_route },
	{ "target",	WEIRCTL_TAKES_LIST,	weirctl_target },
	{ "breaker",	WEIRCTL_TAKES_LIST,	weirctl_breaker },
	{ "tune",	WEIRCTL_TAKES_LIST,	weirctl_run_tune },
	{ "limit",	WEIRCTL_TAKES_LIST,	weirctl_run_limit },
	{ "apply",	WEIRCTL_TAKES_DRY_RUN | WEIRCTL_TAKES_PRUNE,
						weirctl_run_apply },
	{ "save",	0,			weirctl_run_save },
	{ "doctor",	WEIRCTL_TAKES_JSON | WEIRCTL_TAKES_ROOT,
						weirctl_run_doctor },
	{ "trace",	WEIRCTL_TAKES_FOR,	weirctl_run_trace },
};

static const char *weirctl_option_name(unsigned int takes)
{
	size_t i = 0;

	while (!(weirctl_all[i].takes & takes))
		i++;
	return weirctl_all[i].option.name;
}

static int weirctl_run(struct weirctl_args *a, int argc, char **argv)
{
	const struct weirctl_command *c;
	size_t i;

	for (i = 0; i < sizeof(weirctl_commands) / sizeof(*c); i++) {
		c = &weirctl_commands[i];
		if (strcmp(argv[0], c->name))
			continue;
		if (a->given & ~c->takes)
			return weirctl_misuse("%s takes no --%s", c->name,
				weirctl_option_name(a->given & ~c->takes));
		return c->run(&a->o, argc - 1, argv + 1);
	}
	return weirctl_misuse("no command '%s'", argv[0]);
}

int main(int argc, char **argv)
{
	struct weirctl_args args = { .o = { .interval = 1, .root = "" } };
	int ret;

	/* for the width of what is printed; numbers stay those of the C locale */
	setlocale(LC_CTYPE, "");
	ret = weirctl_options(argc, argv, &args);
	if (ret < 0) {
		if (optind == argc) {
			weirctl_help_print(stderr);
			return WEIRCTL_USAGE;
		}
		ret = weirctl_run(&args, argc - optind, argv + optind);
	}
	if ((fflush(stdout) || ferror(stdout)) && ret == WEIRCTL_OK)
		ret = weirctl_fail("the output could not be written");
	return ret;
}
