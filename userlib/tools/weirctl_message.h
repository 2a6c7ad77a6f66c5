/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Messages by hand: what is sent, how fast, and what is shown of them. */
#ifndef WEIRCTL_MESSAGE_H
#define WEIRCTL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include <weir.h>

#include "weirctl.h"

int weirctl_pub(const struct weirctl_options *o);
int weirctl_sub(const struct weirctl_options *o);
int weirctl_req(const struct weirctl_options *o);
int weirctl_serve(const struct weirctl_options *o);
int weirctl_ping(const struct weirctl_options *o);
int weirctl_bench_pub(const struct weirctl_options *o);
int weirctl_bench_req(const struct weirctl_options *o);

/**
 * struct weirctl_source - messages that are to be sent
 * @o: the command line: words behind the path, or --file, or neither: lines of
 *	standard input.
 * @next: number of the next message.
 * @text: memory of the line, or the bytes of the file.
 * @room: bytes of @text.
 * @len: bytes of the file.
 */
struct weirctl_source {
	const struct weirctl_options	*o;
	uint64_t			next;
	char				*text;
	size_t				room;
	size_t				len;
};

int weirctl_source_open(struct weirctl_source *s,
			const struct weirctl_options *o);
bool weirctl_source_next(struct weirctl_source *s, const void **data,
			 size_t *len);
void weirctl_source_close(struct weirctl_source *s);

/**
 * struct weirctl_tally - what has been sent or received
 * @messages: number of messages.
 * @bytes: their payload.
 * @failed: messages that failed.
 * @start_ns: time at which counting began, on the monotonic clock.
 * @shown_ns: when progress was last shown.
 * @tty: standard error is a terminal, which is shown progress.
 */
struct weirctl_tally {
	uint64_t	messages;
	uint64_t	bytes;
	uint64_t	failed;
	uint64_t	start_ns;
	uint64_t	shown_ns;
	bool		tty;
};

void weirctl_tally_start(struct weirctl_tally *t);
void weirctl_tally_add(struct weirctl_tally *t, size_t bytes);
void weirctl_tally_clear(const struct weirctl_tally *t);
void weirctl_tally_end(const struct weirctl_tally *t,
		       const struct weirctl_options *o);
json_t *weirctl_tally_json(const struct weirctl_tally *t);

/**
 * struct weirctl_receiver - what is done with messages that come
 * @type: type of the socket.
 * @begin: subscribes to the path or serves it.
 * @take: does its work with a message, releases it and counts it.
 * @failed: called when a stream has failed, with the errno value. Returns
 *	whether the other streams go on. NULL: they do not.
 * @quiet: no progress is shown.
 */
struct weirctl_receiver {
	int	type;
	int	(*begin)(struct weir *w, const char *path);
	int	(*take)(struct weir *w, const struct weirctl_options *o,
			struct weir_msg *msg, struct weirctl_tally *t);
	bool	(*failed)(const struct weir_msg *msg, int err);
	bool	quiet;
};

int weirctl_receive(const struct weirctl_options *o,
		    const struct weirctl_receiver *r);

/**
 * struct weirctl_times - how long calls took
 * @ns: the last WEIRCTL_TIMES_MAX of them.
 * @count: number of calls.
 */
#define WEIRCTL_TIMES_MAX	(1u << 20)

struct weirctl_times {
	uint64_t	*ns;
	uint64_t	count;
};

void weirctl_times_add(struct weirctl_times *t, uint64_t ns);
void weirctl_times_sort(struct weirctl_times *t);
uint64_t weirctl_times_at(const struct weirctl_times *t, double percent);
void weirctl_times_json(const struct weirctl_times *t, json_t *o);

bool weirctl_wait_readers(struct weir *w, const char *path, uint64_t readers);
uint64_t weirctl_monotonic_ns(void);
void weirctl_catch_signals(void);
bool weirctl_stopped(void);
bool weirctl_pace(const struct weirctl_tally *t, double rate);
void weirctl_payload_print(const struct weirctl_options *o, const void *data,
			   size_t len);
void weirctl_payload_json(json_t *o, const void *data, size_t len);

/* --- weirctl_run.c --- */

/**
 * struct weirctl_run - a command that is run for a message
 * @argv: the command, ended by NULL.
 * @in: its standard input.
 * @len: bytes of @in.
 * @timeout_ns: it is killed after this time; 0: none.
 * @out: out: its standard output, freed by the caller.
 * @out_len: out: bytes of @out.
 */
struct weirctl_run {
	char		**argv;
	const void	*in;
	size_t		len;
	uint64_t	timeout_ns;
	char		*out;
	size_t		out_len;
};

int weirctl_run(struct weirctl_run *r);

#endif /* WEIRCTL_MESSAGE_H */
