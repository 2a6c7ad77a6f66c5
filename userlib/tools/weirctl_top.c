// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The live view: streams with their rates, cursors with their lag. Rates are
 * differences of positions between two looks, so watching costs the data path
 * nothing. On a terminal the view is redrawn; elsewhere each interval prints
 * one table, or one line of JSON.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "weirctl.h"

static volatile sig_atomic_t weirctl_stop;

static void weirctl_on_signal(int sig)
{
	(void)sig;
	weirctl_stop = 1;
}

/**
 * struct weirctl_look - what there was at one moment
 * @streams: all streams.
 * @cursors: all cursors.
 * @at: seconds, on the monotonic clock.
 */
struct weirctl_look {
	struct weirctl_list streams;
	struct weirctl_list cursors;
	double at;
};

/**
 * struct weirctl_line - an object and how fast it moves
 * @e: the object.
 * @path: its stream's path.
 * @records: a second; negative when it was not there before.
 * @bytes: of ring, a second.
 */
struct weirctl_line {
	const struct weir_list_entry *e;
	const char *path;
	double records;
	double bytes;
};

static double weirctl_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void weirctl_look_free(struct weirctl_look *look)
{
	weirctl_list_free(&look->streams);
	weirctl_list_free(&look->cursors);
}

static int weirctl_look(struct weir *w, struct weirctl_look *look)
{
	int ret;

	memset(look, 0, sizeof(*look));
	look->at = weirctl_now();
	ret = weirctl_list_fetch(w, WEIR_LIST_CURSORS, &look->cursors);
	if (!ret)
		ret = weirctl_list_fetch(w, WEIR_LIST_STREAMS, &look->streams);
	if (ret)
		weirctl_look_free(look);
	return ret;
}

static int weirctl_by_rate(const void *a, const void *b)
{
	const struct weirctl_line *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->e->id < y->e->id ? -1 : 1;
}

static int weirctl_by_lag(const void *a, const void *b)
{
	const struct weirctl_line *x = a, *y = b;

	if (x->e->lag_bytes != y->e->lag_bytes)
		return x->e->lag_bytes < y->e->lag_bytes ? 1 : -1;
	return x->e->id < y->e->id ? -1 : 1;
}

/* The lines of one kind that pass the filter, in order; freed by the caller. */
static struct weirctl_line *
weirctl_lines(const struct weirctl_options *o, const struct weirctl_list *was,
	      const struct weirctl_list *is, const struct weirctl_list *streams,
	      double seconds, size_t *count)
{
	struct weirctl_line *lines = calloc(is->count + 1, sizeof(*lines));
	size_t i, n = 0;

	if (!lines)
		exit(weirctl_fail("out of memory"));
	for (i = 0; i < is->count; i++) {
		const struct weir_list_entry *e = &is->entries[i], *before;
		const char *path = weirctl_path_of(streams, e);

		if (o->pattern && !weirctl_pattern_match(o->pattern, path))
			continue;
		lines[n].e = e;
		lines[n].path = path;
		lines[n].records = -1;
		before = weirctl_list_find(was, e->id);
		if (before && seconds > 0 && e->pos >= before->pos) {
			/* the kernel counts records in 32 bits */
			lines[n].records = (uint32_t)(e->seq - before->seq) /
					   seconds;
			lines[n].bytes = (double)(e->pos - before->pos) / seconds;
		}
		n++;
	}
	qsort(lines, n, sizeof(*lines), is->kind == WEIR_LIST_STREAMS ?
	      weirctl_by_rate : weirctl_by_lag);
	*count = n;
	return lines;
}

/* --- output --- */

static void weirctl_rates(const struct weirctl_options *o,
			  struct weirctl_table *t,
			  const struct weirctl_line *line)
{
	char b[24];

	weirctl_table_cell(t, "%s", line->records < 0 ? "-" :
			   weirctl_rate(o, line->records, b));
	weirctl_table_cell(t, "%s", line->records < 0 ? "-" :
			   weirctl_rate(o, line->bytes, b));
}

static void weirctl_top_streams(const struct weirctl_options *o,
				const struct weirctl_line *lines, size_t n,
				size_t rows)
{
	static const char *const titles[] = {
		"MSG/S", "B/S", "READERS", "LAG", "OF", "STATE", "PID",
		"STREAM" };
	struct weirctl_table *t = weirctl_table_new(titles, "rrrrrlrl");
	char b[24];
	size_t i;

	for (i = 0; i < n; i++) {
		const struct weir_list_entry *e = lines[i].e;

		weirctl_rates(o, t, &lines[i]);
		weirctl_table_cell(t, "%llu", (unsigned long long)e->count);
		weirctl_table_cell(t, "%s", weirctl_bytes(o, e->lag_bytes, b));
		weirctl_table_cell(t, "%s", weirctl_bytes(o, e->ring_bytes, b));
		weirctl_table_cell(t, "%s", weirctl_state_name(e));
		weirctl_table_cell(t, "%u", e->pid);
		weirctl_table_cell(t, "%s", lines[i].path[0] ? lines[i].path : "-");
	}
	weirctl_table_print(t, rows);
	weirctl_table_free(t);
}

static void weirctl_top_cursors(const struct weirctl_options *o,
				const struct weirctl_line *lines, size_t n,
				size_t rows)
{
	static const char *const titles[] = {
		"MSG/S", "B/S", "LAG", "LAGRECS", "MISSED", "FLAGS", "PID",
		"NAME", "CURSOR ON" };
	struct weirctl_table *t = weirctl_table_new(titles, "rrrrrlrll");
	char b[24];
	size_t i;

	for (i = 0; i < n; i++) {
		const struct weir_list_entry *e = lines[i].e;

		weirctl_rates(o, t, &lines[i]);
		weirctl_table_cell(t, "%s", weirctl_bytes(o, e->lag_bytes, b));
		weirctl_table_cell(t, "%llu", (unsigned long long)e->lag_records);
		weirctl_table_cell(t, "%llu", (unsigned long long)e->missed);
		weirctl_table_cell(t, "%s", weirctl_cursor_flags(e, b));
		weirctl_table_cell(t, "%u", e->pid);
		weirctl_table_cell(t, "%s", e->name[0] ? e->name : "-");
		weirctl_table_cell(t, "%s", lines[i].path[0] ? lines[i].path : "-");
	}
	weirctl_table_print(t, rows);
	weirctl_table_free(t);
}

static void weirctl_top_heading(const struct weirctl_options *o, size_t streams,
				size_t cursors)
{
	unsigned long long memory = 0, evictions = 0, missed = 0;
	char text[32], b[24];
	time_t now = time(NULL);
	struct tm tm;

	strftime(text, sizeof(text), "%F %T", localtime_r(&now, &tm));
	weirctl_sysfs_read("stats", "ring_bytes", &memory);
	weirctl_sysfs_read("stats", "evictions", &evictions);
	weirctl_sysfs_read("stats", "missed", &missed);
	printf("weir %s: %zu streams, %zu cursors; host: rings %s, evictions %llu, missed %llu\n",
	       text, streams, cursors, weirctl_bytes(o, memory, b), evictions,
	       missed);
}

static json_t *weirctl_lines_json(const struct weirctl_line *lines, size_t n,
				  const struct weirctl_list *streams)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < n; i++) {
		json_t *e = weirctl_entry_json(lines[i].e, streams);

		json_object_set_new(e, "records_per_second",
				    lines[i].records < 0 ? json_null() :
				    json_real(lines[i].records));
		json_object_set_new(e, "bytes_per_second",
				    lines[i].records < 0 ? json_null() :
				    json_real(lines[i].bytes));
		json_array_append_new(array, e);
	}
	return array;
}

/* Rows for each of the two tables on this terminal; 0: no limit. */
static size_t weirctl_rows(bool tty)
{
	struct winsize size;

	if (!tty || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 10)
		return 0;
	/* heading, two lines of titles, two that are blank, the prompt */
	return (size.ws_row - 6U) / 2;
}

static void weirctl_top_draw(const struct weirctl_options *o, bool tty,
			     const struct weirctl_look *was,
			     const struct weirctl_look *is)
{
	double seconds = was->at ? is->at - was->at : 0;
	struct weirctl_line *streams, *cursors;
	size_t ns, nc, rows = weirctl_rows(tty);

	streams = weirctl_lines(o, &was->streams, &is->streams, &is->streams,
				seconds, &ns);
	cursors = weirctl_lines(o, &was->cursors, &is->cursors, &is->streams,
				seconds, &nc);
	if (o->json) {
		json_t *all = json_pack("{s:I, s:f, s:o, s:o}",
			"time", (json_int_t)time(NULL),
			"interval_seconds", seconds,
			"streams", weirctl_lines_json(streams, ns, &is->streams),
			"cursors", weirctl_lines_json(cursors, nc, &is->streams));

		json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
		putchar('\n');
		json_decref(all);
	} else {
		if (tty)
			fputs("\033[H\033[J", stdout);
		weirctl_top_heading(o, ns, nc);
		putchar('\n');
		weirctl_top_streams(o, streams, ns, rows);
		putchar('\n');
		weirctl_top_cursors(o, cursors, nc, rows);
		if (!tty)
			putchar('\n');
	}
	fflush(stdout);
	free(streams);
	free(cursors);
}

static void weirctl_pause(double seconds)
{
	struct timespec t = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	while (!weirctl_stop && nanosleep(&t, &t) && errno == EINTR)
		;
}

static int weirctl_top_loop(struct weir *w, const struct weirctl_options *o)
{
	bool tty = !o->json && isatty(STDOUT_FILENO);
	struct weirctl_look was, is;
	unsigned long n = 0;
	int ret = weirctl_look(w, &was);

	if (ret)
		return ret;
	if (tty) {
		/* something to see until there are rates */
		struct weirctl_look none = { .at = 0 };

		weirctl_top_draw(o, tty, &none, &was);
	}
	while (!weirctl_stop && (!o->iterations || n < o->iterations)) {
		weirctl_pause(o->interval);
		if (weirctl_stop)
			break;
		ret = weirctl_look(w, &is);
		if (ret)
			break;
		weirctl_top_draw(o, tty, &was, &is);
		weirctl_look_free(&was);
		was = is;
		n++;
		if (ferror(stdout))
			break;
	}
	weirctl_look_free(&was);
	return ret;
}

/* weirctl top */
int weirctl_top(const struct weirctl_options *o)
{
	struct sigaction act = { .sa_handler = weirctl_on_signal };
	struct weir *w;
	int ret = weirctl_open(&w);

	if (ret)
		return ret;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	ret = weirctl_top_loop(w, o);
	weir_close(w);
	return ret;
}
