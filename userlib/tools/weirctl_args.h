/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* The command line: options, commands and their verbs. */
#ifndef WEIRCTL_ARGS_H
#define WEIRCTL_ARGS_H

#include <limits.h>

#include "weirctl.h"

/* Bits for the options and the first argument that a command takes. */
#define WEIRCTL_TAKES_JSON	0x01u
#define WEIRCTL_TAKES_BYTES	0x02u
#define WEIRCTL_TAKES_INTERVAL	0x04u
#define WEIRCTL_TAKES_COUNT	0x08u
#define WEIRCTL_TAKES_ONCE	0x10u
#define WEIRCTL_TAKES_FOR	0x20u
#define WEIRCTL_TAKES_DRY_RUN	0x40u
#define WEIRCTL_TAKES_PRUNE	0x80u
#define WEIRCTL_TAKES_ROOT	0x100u
#define WEIRCTL_TAKES_PATTERN	0x200u
#define WEIRCTL_TAKES_PATH	0x400u
#define WEIRCTL_TAKES_MESSAGES	0x800u
#define WEIRCTL_TAKES_RATE	0x1000u
#define WEIRCTL_TAKES_SIZE	0x2000u
#define WEIRCTL_TAKES_LOSSY	0x4000u
#define WEIRCTL_TAKES_RAW	0x8000u
#define WEIRCTL_TAKES_FILE	0x10000u
#define WEIRCTL_TAKES_TIMEOUT	0x20000u
#define WEIRCTL_TAKES_READERS	0x40000u
#define WEIRCTL_TAKES_WAIT	0x100000u
#define WEIRCTL_TAKES_NAME	0x200000u
/* the words behind the path are a command with options of its own */
#define WEIRCTL_TAKES_COMMAND	0x80000u

#define WEIRCTL_TAKES_LIST	(WEIRCTL_TAKES_JSON | WEIRCTL_TAKES_BYTES)
#define WEIRCTL_TAKES_TOP	(WEIRCTL_TAKES_LIST | WEIRCTL_TAKES_INTERVAL | \
				 WEIRCTL_TAKES_COUNT | WEIRCTL_TAKES_ONCE)

/* Groups of commands and options in the help; each has a heading there. */
enum weirctl_group {
	WEIRCTL_GROUP_STATE = 1,
	WEIRCTL_GROUP_ROUTES,
	WEIRCTL_GROUP_MESSAGES,
	WEIRCTL_GROUP_HOST,
	WEIRCTL_GROUP_KEYS,
	WEIRCTL_GROUP_OPTIONS,
	WEIRCTL_GROUP_TOP,
	WEIRCTL_GROUP_TRACE,
	WEIRCTL_GROUP_APPLY,
	WEIRCTL_GROUP_SENDING,
};

/**
 * struct weirctl_command - a command, or one verb of a command
 * @name: first word of the command.
 * @verb: second word, or NULL. A command line without a verb means the first
 *	verb of the command in the table.
 * @args: the arguments, as a usage names them.
 * @text: what the command does.
 * @takes: WEIRCTL_TAKES_*.
 * @group: enum weirctl_group.
 * @min: fewest arguments.
 * @max: most arguments.
 * @run: function that runs the command; returns the exit status.
 */
struct weirctl_command {
	const char		*name;
	const char		*verb;
	const char		*args;
	const char		*text;
	unsigned int		takes;
	enum weirctl_group	group;
	int			min;
	int			max;
	int			(*run)(const struct weirctl_options *o);
};

/* Ends with an entry without a name. */
extern const struct weirctl_command weirctl_commands[];

int weirctl_args(int argc, char **argv, struct weirctl_options *o,
		 const struct weirctl_command **command);

#endif /* WEIRCTL_ARGS_H */
