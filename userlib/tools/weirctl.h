/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * What all files of weirctl share: the command line, the exit status, and how
 * a failure is reported. Each other header belongs to one noun:
 *
 *	weirctl.c		the commands
 *	weirctl_args.c		the command line
 *	weirctl_error.c		reports of failures
 *	weirctl_similar.c the known word that is nearest to a misspelt one
 *	weirctl_list.c		sockets, paths, streams and cursors
 *	weirctl_route.c		routes: configuration and counters
 *	weirctl_target.c	targets of routes, their weights, their breakers
 *	weirctl_conf.c		the keys of a route, in text and in JSON
 *	weirctl_control.c	changes of routes, all or nothing
 *	weirctl_config.c	a file of routes and tunables: apply and save
 *	weirctl_locate.c	the line of a value in a JSON text
 *	weirctl_top.c		the live view: looks, streams and cursors
 *	weirctl_traffic.c	the live view: routes and targets
 *	weirctl_screen.c	the live view on a terminal
 *	weirctl_doctor.c	is the host set up well? The checks are in
 *	weirctl_host.c		the host and its kernel
 *	weirctl_health.c	what is in the network namespace
 *	weirctl_trace.c		tracepoints, in words
 *	weirctl_diagnose.c	what a message meets, from the lists
 *	weirctl_message.c	messages by hand: their source, rate, progress
 *	weirctl_pub.c		publish, and show what is published
 *	weirctl_req.c		call a service: its replies, or their times
 *	weirctl_serve.c		answer requests with what a command says
 *	weirctl_run.c		a command that is run for a message
 *	weirctl_bench.c		how fast two processes exchange messages
 *	weirctl_sysfs.c		counters, tunables and limits
 *	weirctl_reason.c	reasons, guards and states, in words
 *	weirctl_hist.c		percentiles of times
 *	weirctl_unit.c		durations, sizes, shares and readable numbers
 *	weirctl_json.c		JSON values
 *	weirctl_table.c		aligned columns
 *	weirctl_pattern.c	does a path match a pattern?
 */
#ifndef WEIRCTL_H
#define WEIRCTL_H

#include <stdbool.h>
#include <stdint.h>

/* Exit status. */
#define WEIRCTL_OK	0
#define WEIRCTL_FAILED	1
#define WEIRCTL_USAGE	2

#define WEIRCTL_WHY	320	/* bytes of the words of a refusal */

/**
 * struct weirctl_options - the command line
 * @json: print JSON instead of tables.
 * @exact: print numbers as they are.
 * @once: top: one table and no screen.
 * @dry_run: apply: change nothing.
 * @prune: apply: delete what is not in the file.
 * @pattern: list only what lies under this path or pattern, or NULL.
 * @root: doctor: directory in place of /, for tests; "" otherwise.
 * @iterations: top: tables to print; 0: no end.
 * @interval: top: seconds between them.
 * @for_ns: trace: time after which it ends, in ns; 0: no end.
 * @raw: print payloads unchanged.
 * @wait: req, ping: wait for a service.
 * @lossy: pub, sub, bench: no reader holds a publisher back.
 * @count: number of messages after which the command ends; 0: no end.
 * @readers: pub: number of subscribers to wait for.
 * @size: ping, bench: bytes of a message; 0: the default.
 * @rate: messages a second; 0: no limit.
 * @timeout_ns: req, ping, serve: timeout of a request, in ns; 0: the default.
 * @name: serve: name of the target, or NULL.
 * @file: pub, req: file with the message, or NULL.
 * @argv: arguments of the command.
 * @argc: how many there are.
 */
struct weirctl_options {
	bool		json;
	bool		exact;
	bool		once;
	bool		dry_run;
	bool		prune;
	const char	*pattern;
	const char	*root;
	unsigned long	iterations;
	double		interval;
	uint64_t	for_ns;
	bool		raw;
	bool		wait;
	bool		lossy;
	uint64_t	count;
	uint64_t	readers;
	uint64_t	size;
	double		rate;
	uint64_t	timeout_ns;
	const char	*name;
	const char	*file;
	char		**argv;
	int		argc;
};

/* --- weirctl_error.c --- */

/* The words of the command, which weirctl_misuse() names for its help. */
extern const char *weirctl_command_name;

/* Prints "weirctl: ..." to standard error; returns WEIRCTL_FAILED. */
int weirctl_fail(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* The same for a wrong command line; returns WEIRCTL_USAGE. */
int weirctl_misuse(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Is @path a path or pattern? Says what is wrong; WEIRCTL_OK or _USAGE. */
int weirctl_check_path(const char *path);

/* Ends the program when memory is out, as there is nothing to be saved. */
void *weirctl_must(void *p);

#endif /* WEIRCTL_H */
