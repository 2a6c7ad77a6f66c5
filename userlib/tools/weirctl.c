// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl: the state of weir, and its control, for operators. See weirctl(8).
 *
 * This file has the table of commands. Looking needs no privilege but for
 * other users' objects; changing tunables and routes does.
 */
#include <locale.h>
#include <stdio.h>

#include "weirctl.h"
#include "weirctl_args.h"
#include "weirctl_config.h"
#include "weirctl_doctor.h"
#include "weirctl_list.h"
#include "weirctl_look.h"
#include "weirctl_message.h"
#include "weirctl_route.h"
#include "weirctl_sysfs.h"
#include "weirctl_target.h"
#include "weirctl_trace.h"

static int weirctl_socket(const struct weirctl_options *o)
{
	return weirctl_list(o, WEIR_LIST_SOCKETS);
}

static int weirctl_path(const struct weirctl_options *o)
{
	return weirctl_list(o, WEIR_LIST_PATHS);
}

static int weirctl_stream(const struct weirctl_options *o)
{
	return weirctl_list(o, WEIR_LIST_STREAMS);
}

static int weirctl_cursor(const struct weirctl_options *o)
{
	return weirctl_list(o, WEIR_LIST_CURSORS);
}

#define JSON	WEIRCTL_TAKES_JSON
#define LIST	WEIRCTL_TAKES_LIST
#define PATTERN	WEIRCTL_TAKES_PATTERN
#define PATH	WEIRCTL_TAKES_PATH
#define APPLY	(WEIRCTL_TAKES_DRY_RUN | WEIRCTL_TAKES_PRUNE)
#define COUNT	WEIRCTL_TAKES_MESSAGES
#define RATE	(COUNT | WEIRCTL_TAKES_RATE)
#define LOSSY	WEIRCTL_TAKES_LOSSY
#define RAW	WEIRCTL_TAKES_RAW
#define FROM	WEIRCTL_TAKES_FILE
#define SIZE	WEIRCTL_TAKES_SIZE
#define TIMEOUT	WEIRCTL_TAKES_TIMEOUT
#define STATE	WEIRCTL_GROUP_STATE
#define ROUTES	WEIRCTL_GROUP_ROUTES
#define BY_HAND	WEIRCTL_GROUP_MESSAGES
#define HOST	WEIRCTL_GROUP_HOST

const struct weirctl_command weirctl_commands[] = {
	{ "socket", "list", "[PATTERN]", "sockets",
	  LIST | PATTERN, STATE, 0, 1, weirctl_socket },
	{ "path", "list", "[PATTERN]",
	  "paths in use, their owners and modes",
	  LIST | PATTERN, STATE, 0, 1, weirctl_path },
	{ "stream", "list", "[PATTERN]",
	  "outboxes, with the lag of the slowest reader",
	  LIST | PATTERN, STATE, 0, 1, weirctl_stream },
	{ "cursor", "list", "[PATTERN]",
	  "readers of outboxes, each with its lag",
	  LIST | PATTERN, STATE, 0, 1, weirctl_cursor },
	{ "top", NULL, "[PATTERN]",
	  "streams, cursors, routes and targets with rates, live",
	  WEIRCTL_TAKES_TOP | PATTERN, STATE, 0, 1, weirctl_top },
	{ "stat", NULL, "", "counters of the host, and drops by reason",
	  LIST, STATE, 0, 0, weirctl_stat },
	{ "route", "list", "[PATTERN]", "routes: policy, limits and counters",
	  LIST | PATTERN, ROUTES, 0, 1, weirctl_route_list },
	{ "route", "show", "PATH", "all of one route",
	  JSON | PATH, ROUTES, 1, 1, weirctl_route_show },
	{ "route", "set", "PATH [KEY=VALUE]...",
	  "make a route, or change the keys given",
	  PATH, ROUTES, 1, INT_MAX, weirctl_route_set },
	{ "route", "del", "PATH",
	  "reset a route to the defaults; delete it if it has no target",
	  PATH, ROUTES, 1, 1, weirctl_route_del },
	{ "target", "list", "[PATTERN]", "targets, which serve the routes",
	  LIST | PATTERN, ROUTES, 0, 1, weirctl_target_list },
	{ "target", "add", "PATH TARGET-PATH [weight=N] [name=NAME]",
	  "add a route as a target, with weight 1 if none is given",
	  PATH, ROUTES, 2, INT_MAX, weirctl_target_add },
	{ "target", "set", "PATH TARGET weight=N",
	  "set the weight of a target: an id from the list, or a path",
	  PATH, ROUTES, 2, INT_MAX, weirctl_target_set },
	{ "target", "del", "PATH TARGET", "delete a target",
	  PATH, ROUTES, 2, 2, weirctl_target_del },
	{ "target", "shift", "PATH FROM TO [steps=10] [every=1s]",
	  "move all weight from one target to another, step by step",
	  PATH, ROUTES, 3, INT_MAX, weirctl_target_shift },
	{ "target", "drain", "PATH TARGET [within=30s]",
	  "give a target weight 0, and wait until it has answered its requests",
	  PATH, ROUTES, 2, INT_MAX, weirctl_target_drain },
	{ "breaker", "list", "[PATTERN]", "circuit breakers of the targets",
	  LIST | PATTERN, ROUTES, 0, 1, weirctl_breaker_list },
	{ "breaker", "open", "ID",
	  "let no request through to a target until told otherwise",
	  0, ROUTES, 1, 1, weirctl_breaker_open },
	{ "breaker", "auto", "ID", "close a breaker, and leave it to itself",
	  0, ROUTES, 1, 1, weirctl_breaker_auto },
	{ "pub", NULL, "PATH [MESSAGE]...",
	  "publish messages, a file, or lines of standard input",
	  JSON | PATH | RATE | LOSSY | FROM | WEIRCTL_TAKES_READERS, BY_HAND,
	  1, INT_MAX, weirctl_pub },
	{ "sub", NULL, "PATTERN", "show messages as they are published",
	  JSON | PATTERN | COUNT | LOSSY | RAW, BY_HAND, 1, 1, weirctl_sub },
	{ "req", NULL, "PATH [MESSAGE]...",
	  "send requests, from where pub has messages, and show the replies",
	  JSON | PATH | RATE | RAW | FROM | TIMEOUT | WEIRCTL_TAKES_WAIT,
	  BY_HAND, 1, INT_MAX, weirctl_req },
	{ "serve", NULL, "PATH [COMMAND [ARGUMENT]...]",
	  "answer each request with what a command makes of it, or with itself",
	  JSON | PATH | COUNT | TIMEOUT | WEIRCTL_TAKES_NAME |
	  WEIRCTL_TAKES_COMMAND, BY_HAND, 1, INT_MAX, weirctl_serve },
	{ "ping", NULL, "PATH", "call a service once a second: how long does it take?",
	  JSON | WEIRCTL_TAKES_BYTES | PATH | RATE | SIZE | TIMEOUT |
	  WEIRCTL_TAKES_WAIT, BY_HAND, 1, 1, weirctl_ping },
	{ "bench", "pub", "[PATH]",
	  "how fast do a publisher and a subscriber exchange messages?",
	  LIST | PATTERN | COUNT | SIZE | LOSSY, BY_HAND, 0, 1,
	  weirctl_bench_pub },
	{ "bench", "req", "[PATH]", "how fast does a service answer a caller?",
	  LIST | PATTERN | COUNT | SIZE | TIMEOUT, BY_HAND, 0, 1,
	  weirctl_bench_req },
	{ "tune", NULL, "[NAME [VALUE]]", "tunables: all, one, or set one",
	  LIST, HOST, 0, 2, weirctl_tune },
	{ "limit", "list", "", "caps, and refusals by reason",
	  LIST, HOST, 0, 0, weirctl_limit_list },
	{ "limit", "set", "NAME VALUE", "set a cap",
	  0, HOST, 2, 2, weirctl_limit_set },
	{ "apply", NULL, "FILE",
	  "routes and tunables from a file, all or nothing",
	  APPLY, HOST, 1, 1, weirctl_apply },
	{ "save", NULL, "[FILE]", "write that file",
	  0, HOST, 0, 1, weirctl_save },
	{ "doctor", NULL, "", "is the host set up well?",
	  JSON | WEIRCTL_TAKES_ROOT, HOST, 0, 0, weirctl_doctor },
	{ "trace", NULL, "[PATTERN]", "why did a message not arrive?",
	  JSON | WEIRCTL_TAKES_FOR | PATTERN, HOST, 0, 1, weirctl_trace },
	/* weirctl_args() does it */
	{ "help", NULL, "[COMMAND [VERB]]", "explain weirctl, or one command",
	  0, HOST, 0, 2, NULL },
	{ .name = NULL }
};

int main(int argc, char **argv)
{
	struct weirctl_options o = { .interval = 1, .root = "" };
	const struct weirctl_command *command;
	int ret;

	/* for the width of what is printed; numbers stay those of the C locale */
	setlocale(LC_CTYPE, "");
	ret = weirctl_args(argc, argv, &o, &command);
	if (ret < 0)
		ret = command->run(&o);
	if ((fflush(stdout) || ferror(stdout)) && ret == WEIRCTL_OK)
		ret = weirctl_fail("the output could not be written");
	return ret;
}
