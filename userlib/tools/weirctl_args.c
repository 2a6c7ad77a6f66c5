// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The command line, read by argp in up to three steps: options up to the
 * command, options up to its verb, and the rest. Each step has a help of its
 * own, which argp makes of the table of commands. An option may stand in any
 * step; whether the command takes it is checked at the end.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl_args.h"
#include "weirctl_conf.h"
#include "weirctl_similar.h"
#include "weirctl_unit.h"

/* Keys of options without a letter. */
#define WEIRCTL_OPTION_ROOT	0x100
#define WEIRCTL_OPTION_USAGE	0x101

static const struct {
	struct argp_option	option;
	unsigned int		takes;
} weirctl_all[] = {
	{ { "json", 'j', NULL, 0, "JSON instead of tables",
	    WEIRCTL_GROUP_OPTIONS }, WEIRCTL_TAKES_JSON },
	{ { "bytes", 'b', NULL, 0, "exact numbers, not 64K",
	    WEIRCTL_GROUP_OPTIONS }, WEIRCTL_TAKES_BYTES },
	{ { "interval", 'i', "SECONDS", 0, "0.1 to 3600; 1 if not given",
	    WEIRCTL_GROUP_TOP }, WEIRCTL_TAKES_INTERVAL },
	{ { "iterations", 'n', "COUNT", 0,
	    "stop after this many intervals; without end if not given",
	    WEIRCTL_GROUP_TOP }, WEIRCTL_TAKES_COUNT },
	{ { "once", 'o', NULL, 0, "print once, on a terminal too",
	    WEIRCTL_GROUP_TOP }, WEIRCTL_TAKES_ONCE },
	{ { "for", 'f', "DURATION", 0, "stop after this time, such as 10s",
	    WEIRCTL_GROUP_TRACE }, WEIRCTL_TAKES_FOR },
	{ { "dry-run", 'd', NULL, 0, "check, say what would change, and stop",
	    WEIRCTL_GROUP_APPLY }, WEIRCTL_TAKES_DRY_RUN },
	{ { "prune", 'p', NULL, 0, "delete routes that are not in the file",
	    WEIRCTL_GROUP_APPLY }, WEIRCTL_TAKES_PRUNE },
	{ { "count", 'c', "COUNT", 0, "stop after this many messages",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_MESSAGES },
	{ { "rate", 'r', "RATE", 0, "messages a second",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_RATE },
	{ { "size", 's', "BYTES", 0, "bytes of a message",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_SIZE },
	{ { "file", 'F', "FILE", 0, "send what is in a file, as one message",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_FILE },
	{ { "readers", 'w', "COUNT", 0, "wait for this many subscribers first",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_READERS },
	{ { "timeout", 't', "DURATION", 0, "longest time of a request",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_TIMEOUT },
	{ { "name", 'N', "NAME", 0, "name of the target among those of the route",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_NAME },
	{ { "wait", 'W', NULL, 0, "wait for a service that is not there yet",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_WAIT },
	{ { "lossy", 'l', NULL, 0, "no reader holds a publisher back",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_LOSSY },
	{ { "raw", 'R', NULL, 0, "payloads as they are, without a newline",
	    WEIRCTL_GROUP_SENDING }, WEIRCTL_TAKES_RAW },
	{ { "root", WEIRCTL_OPTION_ROOT, "DIRECTORY", OPTION_HIDDEN, NULL, 0 },
	  WEIRCTL_TAKES_ROOT },
	{ { "help", 'h', NULL, 0, "print this help", -1 }, 0 },
	{ { "usage", WEIRCTL_OPTION_USAGE, NULL, 0, "print a short usage", -1 },
	  0 },
	{ { "version", 'V', NULL, 0, "print the version", -1 }, 0 },
};

#define WEIRCTL_OPTIONS	(sizeof(weirctl_all) / sizeof(weirctl_all[0]))

static const char *const weirctl_headers[] = {
	[WEIRCTL_GROUP_STATE]	= "What there is:",
	[WEIRCTL_GROUP_ROUTES]	= "Routed messages:",
	[WEIRCTL_GROUP_MESSAGES] = "Messages by hand:",
	[WEIRCTL_GROUP_HOST]	= "The host:",
	[WEIRCTL_GROUP_KEYS]	= "Keys, and what holds by default:",
	[WEIRCTL_GROUP_OPTIONS]	= "Options:",
	[WEIRCTL_GROUP_TOP]	= "Options of top:",
	[WEIRCTL_GROUP_TRACE]	= "Options of trace:",
	[WEIRCTL_GROUP_APPLY]	= "Options of apply:",
	[WEIRCTL_GROUP_SENDING]	= "Options of messages by hand:",
};

#define WEIRCTL_HEADERS	(sizeof(weirctl_headers) / sizeof(weirctl_headers[0]))

/* "weirctl" and the words of the command that are known. */
static char weirctl_name[40];

/**
 * struct weirctl_reading - a step of reading the command line
 * @o: what the options say.
 * @given: WEIRCTL_TAKES_* of the options that were given.
 * @command: the command, or the first of its verbs while the verb is not
 *	known; NULL in the first step.
 * @last: @command is known with its verb.
 */
struct weirctl_reading {
	struct weirctl_options		*o;
	unsigned int			given;
	const struct weirctl_command	*command;
	bool				last;
};

/* --- options --- */

static error_t weirctl_set_interval(struct weirctl_options *o, const char *text)
{
	char *end;

	o->interval = strtod(text, &end);
	if (end != text && !*end && o->interval >= 0.1 && o->interval <= 3600)
		return 0;
	weirctl_misuse("an interval is from 0.1 to 3600 seconds, not '%s'",
		       text);
	return EINVAL;
}

static error_t weirctl_set_iterations(struct weirctl_options *o,
				      const char *text)
{
	char *end;

	o->iterations = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && o->iterations)
		return 0;
	weirctl_misuse("a number of iterations is 1 or more, not '%s'", text);
	return EINVAL;
}

static error_t weirctl_set_count(uint64_t *count, const char *what,
				 const char *text)
{
	unsigned long long n;

	if (weirctl_number(text, &n) && n) {
		*count = n;
		return 0;
	}
	weirctl_misuse("%s is 1 or more, not '%s'", what, text);
	return EINVAL;
}

static error_t weirctl_set_size(struct weirctl_options *o, const char *text)
{
	unsigned long long n;

	if (weirctl_number(text, &n) && n && n <= 64 << 20) {
		o->size = n;
		return 0;
	}
	weirctl_misuse("a size is from 1 to 64M, not '%s'", text);
	return EINVAL;
}

static error_t weirctl_set_rate(struct weirctl_options *o, const char *text)
{
	char *end;

	o->rate = strtod(text, &end);
	if (end != text && !*end && o->rate >= 0.001 && o->rate <= 1e9)
		return 0;
	weirctl_misuse("a rate is from 0.001 to 1000000000 a second, not '%s'",
		       text);
	return EINVAL;
}

static error_t weirctl_set_duration(uint64_t *ns, const char *text)
{
	if (weirctl_duration(text, ns) && *ns)
		return 0;
	weirctl_misuse("'%s' is no duration: a number and ns, us, ms, s, m or h",
		       text);
	return EINVAL;
}

/* Ends the reading, but not the program, whose output is still to be checked. */
static error_t weirctl_tell(struct argp_state *state, unsigned int what)
{
	argp_state_help(state, stdout, what);
	return ECANCELED;
}

static error_t weirctl_option(struct weirctl_options *o, int key, char *arg,
			      struct argp_state *state)
{
	switch (key) {
	case 'c':
		return weirctl_set_count(&o->count, "a count", arg);
	case 'w':
		return weirctl_set_count(&o->readers, "a number of readers",
					 arg);
	case 's':
		return weirctl_set_size(o, arg);
	case 'r':
		return weirctl_set_rate(o, arg);
	case 't':
		return weirctl_set_duration(&o->timeout_ns, arg);
	case 'F':
		o->file = arg;
		return 0;
	case 'l':
		o->lossy = true;
		return 0;
	case 'N':
		o->name = arg;
		return 0;
	case 'W':
		o->wait = true;
		return 0;
	case 'R':
		o->raw = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'b':
		o->exact = true;
		return 0;
	case 'i':
		return weirctl_set_interval(o, arg);
	case 'n':
		return weirctl_set_iterations(o, arg);
	case 'o':
		o->once = true;
		return 0;
	case 'f':
		return weirctl_set_duration(&o->for_ns, arg);
	case 'd':
		o->dry_run = true;
		return 0;
	case 'p':
		o->prune = true;
		return 0;
	case WEIRCTL_OPTION_ROOT:
		o->root = arg;
		return 0;
	case 'h':
		return weirctl_tell(state, ARGP_HELP_SHORT_USAGE |
				    ARGP_HELP_LONG | ARGP_HELP_DOC);
	case WEIRCTL_OPTION_USAGE:
		return weirctl_tell(state, ARGP_HELP_USAGE);
	case 'V':
		puts("weirctl " VERSION);
		return ECANCELED;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t weirctl_parse(int key, char *arg, struct argp_state *state)
{
	struct weirctl_reading *r = state->input;
	size_t i;

	switch (key) {
	case ARGP_KEY_ARGS:
		r->o->argv = state->argv + state->next;
		r->o->argc = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		r->o->argv = state->argv + state->argc;
		r->o->argc = 0;
		if (r->command)
			return 0;
		if (state->argc > 1)
			weirctl_misuse("no command is given");
		else
			argp_state_help(state, stderr, ARGP_HELP_SHORT_USAGE |
					ARGP_HELP_LONG | ARGP_HELP_DOC);
		return EINVAL;
	default:
		for (i = 0; i < WEIRCTL_OPTIONS; i++) {
			if (weirctl_all[i].option.key == key)
				r->given |= weirctl_all[i].takes;
		}
		return weirctl_option(r->o, key, arg, state);
	}
}

/* --- help --- */

/* Is @c one of the commands that this step can become? */
static bool weirctl_ahead(const struct weirctl_reading *r,
			  const struct weirctl_command *c)
{
	if (!r->command)
		return true;
	return r->last ? c == r->command :
	       !strcmp(c->name, r->command->name);
}

/* Options that a command takes which this step can become. */
static unsigned int weirctl_takes(const struct weirctl_reading *r)
{
	const struct weirctl_command *c;
	unsigned int takes = 0;

	for (c = weirctl_commands; c->name; c++) {
		if (weirctl_ahead(r, c))
			takes |= c->takes;
	}
	return takes;
}

static bool weirctl_sets_keys(const struct weirctl_reading *r)
{
	return r->last && strstr(r->command->args, "KEY=VALUE");
}

/* The words of a command, which the help lists. */
static char *weirctl_usage(const struct weirctl_command *c)
{
	char *text;

	if (asprintf(&text, "%s%s%s %s", c->name, c->verb ? " " : "",
		     c->verb ? c->verb : "", c->args) < 0)
		weirctl_must(NULL);
	return text;
}

static char *weirctl_key_help(const struct weirctl_key *k)
{
	char *text;

	if (asprintf(&text, "%s%s%s%s", k->text, k->zero[0] ? " (" : "",
		     k->zero, k->zero[0] ? ")" : "") < 0)
		weirctl_must(NULL);
	return text;
}

/* The parts of argp's help besides options. */
static struct argp_option *weirctl_listed(const struct weirctl_reading *r,
					  struct argp_option *at)
{
	const int flags = OPTION_DOC | OPTION_NO_USAGE;
	const struct weirctl_command *c;
	size_t i;

	for (i = 0; i < WEIRCTL_HEADERS; i++) {
		if (weirctl_headers[i] && (i == WEIRCTL_GROUP_KEYS ?
		    weirctl_sets_keys(r) : !r->command))
			*at++ = (struct argp_option){
				.doc = weirctl_headers[i], .group = (int)i };
	}
	for (c = weirctl_commands; c->name && !r->last; c++) {
		if (weirctl_ahead(r, c))
			*at++ = (struct argp_option){ weirctl_usage(c), 0, NULL,
				flags, c->text, (int)c->group };
	}
	for (i = 0; i < weirctl_key_count && weirctl_sets_keys(r); i++)
		*at++ = (struct argp_option){ weirctl_keys[i].name, 0, NULL,
			flags, weirctl_key_help(&weirctl_keys[i]),
			WEIRCTL_GROUP_KEYS };
	return at;
}

/**
 * weirctl_options_new() - the options of a step, and what its help lists
 * @r: the step.
 *
 * Return: for argp; weirctl_options_free() frees it.
 */
static struct argp_option *weirctl_options_new(const struct weirctl_reading *r)
{
	size_t room = WEIRCTL_OPTIONS + WEIRCTL_HEADERS + weirctl_key_count + 1;
	const struct weirctl_command *c;
	struct argp_option *options, *at;
	unsigned int takes = weirctl_takes(r);
	size_t i;

	for (c = weirctl_commands; c->name; c++)
		room++;
	options = weirctl_must(calloc(room, sizeof(*options)));
	at = weirctl_listed(r, options);
	for (i = 0; i < WEIRCTL_OPTIONS; i++, at++) {
		*at = weirctl_all[i].option;
		if (weirctl_all[i].takes && !(weirctl_all[i].takes & takes))
			at->flags |= OPTION_HIDDEN;
	}
	return options;
}

static void weirctl_options_free(struct argp_option *options)
{
	struct argp_option *at;

	for (at = options; at->name || at->doc; at++) {
		if (!(at->flags & OPTION_DOC))
			continue;
		free((void *)(uintptr_t)(at->group == WEIRCTL_GROUP_KEYS ?
					 at->doc : at->name));
	}
	free(options);
}

/* Leaves out how argp pairs short and long options. */
static char *weirctl_filter(int key, const char *text, void *input)
{
	(void)input;
	return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL :
	       (char *)(uintptr_t)text;
}

/* Does this step end at the first word that is no option? */
static bool weirctl_in_order(const struct weirctl_reading *r)
{
	return !r->last || r->command->takes & WEIRCTL_TAKES_COMMAND;
}

/* --- options that do not exist --- */

/* Is @name, of @len bytes, an option or an unambiguous start of one? */
static bool weirctl_is_option(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < WEIRCTL_OPTIONS; i++) {
		if (!strncmp(weirctl_all[i].option.name, name, len))
			return true;
	}
	return false;
}

/*
 * Long options that do not exist, which argp would refuse without a hint. Looks
 * at as many words as this step reads. WEIRCTL_OK or WEIRCTL_USAGE.
 */
static int weirctl_check_options(const struct weirctl_reading *r, int argc,
				 char **argv)
{
	unsigned int takes = weirctl_takes(r);
	char word[64], hint[80];
	size_t len, j;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		struct weirctl_similar s = { .word = word };

		if (weirctl_in_order(r) && argv[i][0] != '-')
			return WEIRCTL_OK;
		len = strcspn(argv[i], "=");
		if (strncmp(argv[i], "--", 2) ||
		    weirctl_is_option(argv[i] + 2, len - 2))
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)len - 2, argv[i] + 2);
		for (j = 0; j < WEIRCTL_OPTIONS; j++) {
			if (!weirctl_all[j].takes ||
			    weirctl_all[j].takes & takes)
				weirctl_similar_try(&s,
						    weirctl_all[j].option.name);
		}
		return weirctl_misuse("no option '--%s'%s", word,
				      weirctl_similar_text(&s, "--", hint));
	}
	return WEIRCTL_OK;
}

/* --- steps --- */

/* Reads the words of this step. Returns -1 to go on, or an exit status. */
static int weirctl_read(struct weirctl_reading *r, int argc, char **argv,
			const char *args, const char *doc)
{
	struct argp_option *options = weirctl_options_new(r);
	struct argp argp = {
		.options = options,
		.parser = weirctl_parse,
		.args_doc = args,
		.doc = doc,
		.help_filter = weirctl_filter,
	};
	error_t err;
	int ret = weirctl_check_options(r, argc, argv);

	if (ret) {
		weirctl_options_free(options);
		return ret;
	}
	err = argp_parse(&argp, argc, argv, ARGP_NO_HELP |
			 (weirctl_in_order(r) ? ARGP_IN_ORDER : 0), NULL, r);
	weirctl_options_free(options);
	switch (err) {
	case 0:
		return -1;
	case ECANCELED:
		return WEIRCTL_OK;
	case EINVAL:
		return WEIRCTL_USAGE;
	default:
		return weirctl_fail("%s", strerror(err));
	}
}

/* One more word of the command is known. */
static void weirctl_know(const char *word)
{
	size_t len = strlen(weirctl_name);

	snprintf(weirctl_name + len, sizeof(weirctl_name) - len, " %s", word);
}

/* The first entry of a command; WEIRCTL_USAGE when there is none. */
static int weirctl_find_command(struct weirctl_reading *r, const char *name)
{
	const struct weirctl_command *c = weirctl_commands;
	struct weirctl_similar s = { .word = name };
	char hint[80];

	while (c->name && strcmp(c->name, name))
		c++;
	if (!c->name) {
		for (c = weirctl_commands; c->name; c++)
			weirctl_similar_try(&s, c->name);
		return weirctl_misuse("no command '%s'%s", name,
				      weirctl_similar_text(&s, "", hint));
	}
	r->command = c;
	r->last = !c->verb;
	weirctl_know(name);
	return WEIRCTL_OK;
}

static int weirctl_no_verb(const struct weirctl_command *first,
			   const char *word)
{
	const struct weirctl_command *c = first;
	struct weirctl_similar s = { .word = word };
	char verbs[80] = "", hint[80];
	size_t len = 0;

	for (; c->name && !strcmp(c->name, first->name); c++) {
		bool end = !c[1].name || strcmp(c[1].name, first->name);

		len += (size_t)snprintf(verbs + len, sizeof(verbs) - len,
					"%s%s", c == first ? "" : end ?
					" or " : ", ", c->verb);
		weirctl_similar_try(&s, c->verb);
	}
	return weirctl_misuse("%s: %s, not '%s'%s", first->name, verbs, word,
			      weirctl_similar_text(&s, "", hint));
}

/*
 * The verb is the next word. When that is a path, or there is none, it is the
 * first verb in the table, and the word is left for the last step.
 */
static int weirctl_find_verb(struct weirctl_reading *r)
{
	const struct weirctl_command *first = r->command, *c = first;
	const char *word = r->o->argc ? r->o->argv[0] : "/";

	while (c->name && !strcmp(c->name, first->name) && strcmp(c->verb, word))
		c++;
	if (!c->name || strcmp(c->name, first->name)) {
		if (*word != '/')
			return weirctl_no_verb(first, word);
		c = first;
		r->o->argc++;
		r->o->argv--;
	}
	r->command = c;
	r->last = true;
	weirctl_know(c->verb);
	return WEIRCTL_OK;
}

/* What is wrong with the options and the number of arguments? */
static int weirctl_check_args(const struct weirctl_reading *r)
{
	const struct weirctl_command *c = r->command;
	struct weirctl_options *o = r->o;
	size_t i;

	for (i = 0; i < WEIRCTL_OPTIONS; i++) {
		if (weirctl_all[i].takes & r->given & ~c->takes)
			return weirctl_misuse("%s takes no --%s",
					      weirctl_name + sizeof("weirctl"),
					      weirctl_all[i].option.name);
	}
	if (o->argc < c->min)
		return weirctl_misuse("usage: %s %s", weirctl_name, c->args);
	if (o->argc > c->max)
		return weirctl_misuse("too many arguments: '%s'",
				      o->argv[c->max]);
	if (!o->argc || !(c->takes & (WEIRCTL_TAKES_PATTERN |
				      WEIRCTL_TAKES_PATH)))
		return WEIRCTL_OK;
	if (c->takes & WEIRCTL_TAKES_PATTERN)
		o->pattern = o->argv[0];
	return weirctl_check_path(o->argv[0]);
}

/* The last step: the arguments, and what the command's own help says. */
static int weirctl_read_last(struct weirctl_reading *r)
{
	const struct weirctl_command *c = r->command;
	struct weirctl_options *o = r->o;
	char doc[256];

	snprintf(doc, sizeof(doc), "%s%s", c->text, weirctl_sets_keys(r) ?
		 "\vDurations end in ns, us, ms, s, m or h, sizes in K, M or G, shares in %." :
		 "");
	/* the last word of the command makes room for the name that argp prints */
	o->argv[0] = weirctl_name;
	return weirctl_read(r, o->argc, o->argv, c->args, doc);
}

/* weirctl help [COMMAND [VERB]] is weirctl [COMMAND [VERB]] --help. */
static int weirctl_read_help(struct weirctl_reading *r, char *name)
{
	static char help[] = "--help";
	struct weirctl_options *o = r->o;
	char *words[] = { name, NULL, NULL, NULL, NULL };
	const struct weirctl_command *command;
	int n = 1, i;

	if (o->argc > 3)
		return weirctl_misuse("too many arguments: '%s'", o->argv[3]);
	for (i = 1; i < o->argc; i++)
		words[n++] = o->argv[i];
	words[n++] = help;
	return weirctl_args(n, words, o, &command);
}

/**
 * weirctl_args() - read the command line
 * @argc: number of its words.
 * @argv: its words.
 * @o: out: what it says.
 * @command: out: the command.
 *
 * Return: -1 to run the command, or an exit status.
 */
int weirctl_args(int argc, char **argv, struct weirctl_options *o,
		 const struct weirctl_command **command)
{
	struct weirctl_reading r = { .o = o };
	int ret;

	argp_err_exit_status = WEIRCTL_USAGE;
	snprintf(weirctl_name, sizeof(weirctl_name), "weirctl");
	weirctl_command_name = weirctl_name;
	ret = weirctl_read(&r, argc, argv, "COMMAND [ARGUMENT]...",
		"Shows the state of weir, and controls it.\v"
		"A PATTERN is a path in which '*' is one segment and '**', last, the rest. "
		"'weirctl help COMMAND' explains one command.\n\n"
		"Exit status: 0 done, 1 failed, 2 wrong usage.");
	if (ret >= 0)
		return ret;
	if (!strcmp(o->argv[0], "help"))
		return weirctl_read_help(&r, argv[0]);
	ret = weirctl_find_command(&r, o->argv[0]);
	if (ret)
		return ret;
	if (!r.last) {
		o->argv[0] = weirctl_name;
		ret = weirctl_read(&r, o->argc, o->argv,
				   "[VERB [ARGUMENT]...]",
				   "Without a verb, it lists.");
		if (ret >= 0)
			return ret;
		ret = weirctl_find_verb(&r);
		if (ret)
			return ret;
	}
	ret = weirctl_read_last(&r);
	if (ret >= 0)
		return ret;
	*command = r.command;
	ret = weirctl_check_args(&r);
	return ret ? ret : -1;
}
