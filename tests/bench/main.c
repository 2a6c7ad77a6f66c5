// SPDX-License-Identifier: GPL-2.0
/*
 * weir-bench: weir against a bare shared-memory ring and what else carries
 * messages within a machine.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir.h>

#include "figure.h"
#include "growth.h"

struct options options = {
	.mode	= MODE_NATIVE,
	.cpu	= { 0, 1 },
};

const char *const mode_names[MODES] = {
	"native", "guest", "icount", "host", "rt"
};

/* The mode of that name, or MODES. */
unsigned int mode_parse(const char *name)
{
	unsigned int m;

	for (m = 0; m < MODES && strcmp(name, mode_names[m]); m++)
		;
	return m;
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void die(const char *format, ...)
{
	va_list args;

	fputs("weir-bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* --- command line --- */

static _Noreturn void usage(int status)
{
	fputs("usage: weir-bench [--host | --mode native|guest|icount|rt|host] [--quick]\n"
	      "                  [--rounds N] [--seconds S] [--cpus A,B] [--load SECONDS]\n"
	      "                  [--only BENCH|CONTESTANT] [--json FILE]\n"
	      "       weir-bench --report FILE... [--json FILE]\n"
	      "       weir-bench --compare A.json B.json\n"
	      "\n"
	      "native   without the module: weir's ring code on emulated kernel pages\n"
	      "guest    with the module\n"
	      "icount   with the module, where a nanosecond is an instruction\n"
	      "rt       with the module, wake-ups of real-time readers alone\n"
	      "host     this machine, with the module\n",
	      status ? stderr : stdout);
	exit(status);
}

/* An option's value. */
static unsigned int number(void)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(optarg, &end, 10);
	if (errno || end == optarg || *end || !v || v > UINT32_MAX)
		die("'%s' is not a number from 1 on", optarg);
	return (unsigned int)v;
}

static void write_json(const char *name)
{
	FILE *file = strcmp(name, "-") ? fopen(name, "w") : stdout;

	if (!file)
		die("%s: %s", name, strerror(errno));
	run_write(file);
	figure_write(file);
	growth_write(file);
	paced_write(file);
	if (file != stdout && fclose(file))
		die("%s: %s", name, strerror(errno));
}

/**
 * struct command - what the command line asks for beside the options
 * @json: the file for all figures, or NULL.
 * @report: only reads and shows files of figures.
 * @compare: only shows how two of them differ.
 */
struct command {
	const char *json;
	bool report, compare;
};

static void take_option(int c, struct command *command)
{
	switch (c) {
	case 'm':
		options.mode = mode_parse(optarg);
		if (options.mode == MODES)
			usage(2);
		break;
	case 'H':
		options.mode = MODE_HOST;
		break;
	case 's':
		options.seconds = number();
		break;
	case 'q':
		options.quick = true;
		break;
	case 'n':
		options.rounds = number();
		break;
	case 'c':
		if (sscanf(optarg, "%d,%d", &options.cpu[0],
			   &options.cpu[1]) != 2)
			usage(2);
		break;
	case 'l':
		options.load_s = number();
		break;
	case 'o':
		options.only = optarg;
		break;
	case 'j':
		command->json = optarg;
		break;
	case 'r':
		command->report = true;
		break;
	case 'd':
		command->compare = true;
		break;
	default:
		usage(c == 'h' ? 0 : 2);
	}
}

static struct command parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "quick", no_argument, NULL, 'q' },
		{ "host", no_argument, NULL, 'H' },
		{ "rounds", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "load", required_argument, NULL, 'l' },
		{ "only", required_argument, NULL, 'o' },
		{ "json", required_argument, NULL, 'j' },
		{ "report", no_argument, NULL, 'r' },
		{ "compare", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct command command = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		take_option(c, &command);
	return command;
}

static void read_figures(const char *name)
{
	FILE *file = fopen(name, "r");

	if (!file)
		die("%s: %s", name, strerror(errno));
	figure_read(file);
	fclose(file);
}

static void measure_all(void)
{
	if (!options.rounds)
		options.rounds = options.quick ? 3 : 7;
	if (options.rounds > ROUNDS_MAX)
		die("at most %d rounds", ROUNDS_MAX);
	if (options.mode == MODE_HOST && weir_family() < 0)
		die("the weir module is not loaded (modprobe weir)");
	measure();
}

int main(int argc, char **argv)
{
	struct command command = parse(argc, argv);
	struct rlimit files;
	int i;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (command.compare) {
		if (argc - optind != 2)
			usage(2);
		compare(stdout, argv[optind], argv[optind + 1]);
		return 0;
	}
	if (command.report) {
		for (i = optind; i < argc; i++)
			read_figures(argv[i]);
	} else {
		if (optind < argc)
			usage(2);
		measure_all();
	}
	if (command.json)
		write_json(command.json);
	report(stdout);
	return 0;
}
