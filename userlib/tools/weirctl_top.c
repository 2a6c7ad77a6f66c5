// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The live view: the objects, and how fast they move. Rates are differences
 * between two looks, so watching costs the data path nothing. On a terminal
 * there is a screen with a view of each kind (weirctl_screen.c); elsewhere each
 * interval prints all views, or one line of JSON. Streams and cursors are
 * here, routes and targets in weirctl_traffic.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "weirctl.h"
#include "weirctl_list.h"
#include "weirctl_look.h"
#include "weirctl_pattern.h"
#include "weirctl_screen.h"
#include "weirctl_sysfs.h"
#include "weirctl_table.h"
#include "weirctl_unit.h"

static volatile sig_atomic_t weirctl_stop;

static void weirctl_on_signal(int sig)
{
	(void)sig;
	weirctl_stop = 1;
}

/**
 * struct weirctl_line - an object and how fast it moves
 * @e: the object.
 * @path: its stream's path.
 * @records: records a second; negative when the earlier look lacks the object.
 * @bytes: bytes of ring a second.
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

/* Between two looks; 0 when there was no first one. */
double weirctl_seconds(const struct weirctl_look *was,
		       const struct weirctl_look *is)
{
	return was->at > 0 ? is->at - was->at : 0;
}

void weirctl_look_free(struct weirctl_look *look)
{
	weirctl_list_free(&look->streams);
	weirctl_list_free(&look->cursors);
	weirctl_list_free(&look->routes);
	weirctl_list_free(&look->targets);
}

/* A module without routes has an empty list of them. */
static int weirctl_look_routes(struct weir *w, uint32_t kind,
			       struct weirctl_list *list)
{
	int err = weirctl_list_try(w, kind, list);

	if (err && err != -EOPNOTSUPP)
		return weirctl_fail("listing: %s", strerror(-err));
	return WEIRCTL_OK;
}

/* Lists an object before the one it belongs to, which may go in between. */
int weirctl_look(struct weir *w, struct weirctl_look *look)
{
	int ret;

	memset(look, 0, sizeof(*look));
	look->at = weirctl_now();
	ret = weirctl_list_fetch(w, WEIR_LIST_CURSORS, &look->cursors);
	if (!ret)
		ret = weirctl_list_fetch(w, WEIR_LIST_STREAMS, &look->streams);
	if (!ret)
		ret = weirctl_look_routes(w, WEIR_LIST_TARGETS, &look->targets);
	if (!ret)
		ret = weirctl_look_routes(w, WEIR_LIST_ROUTES, &look->routes);
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
	struct weirctl_line *lines =
		weirctl_must(calloc(is->count + 1, sizeof(*lines)));
	size_t i, n = 0;

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
			lines[n].bytes = (double)(e->pos - before->pos) /
					 seconds;
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

static struct weirctl_table *
weirctl_streams_table(const struct weirctl_options *o,
		      const struct weirctl_line *lines, size_t n)
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
	return t;
}

static struct weirctl_table *
weirctl_cursors_table(const struct weirctl_options *o,
		      const struct weirctl_line *lines, size_t n)
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
	return t;
}

static struct weirctl_table *
weirctl_view_table(const struct weirctl_options *o, enum weirctl_view view,
		   const struct weirctl_look *was,
		   const struct weirctl_look *is)
{
	bool streams = view == WEIRCTL_VIEW_STREAMS;
	struct weirctl_line *lines;
	struct weirctl_table *t;
	size_t n;

	if (view == WEIRCTL_VIEW_ROUTES)
		return weirctl_routes_table(o, was, is);
	if (view == WEIRCTL_VIEW_TARGETS)
		return weirctl_targets_table(o, was, is);
	lines = weirctl_lines(o, streams ? &was->streams : &was->cursors,
			      streams ? &is->streams : &is->cursors,
			      &is->streams, weirctl_seconds(was, is), &n);
	t = streams ? weirctl_streams_table(o, lines, n) :
		      weirctl_cursors_table(o, lines, n);
	free(lines);
	return t;
}

/* Two parts, which a screen shows as lines of their own: it may be narrow. */
static void weirctl_top_heading(const struct weirctl_options *o,
				const struct weirctl_look *is,
				const char *between, char *text, size_t size)
{
	unsigned long long memory = 0, evictions = 0, missed = 0;
	char at[32], b[24], host[128] = "only root may read its counters";
	time_t now = time(NULL);
	struct tm tm;

	strftime(at, sizeof(at), "%F %T", localtime_r(&now, &tm));
	if (!weirctl_sysfs_hidden()) {
		weirctl_sysfs_read("stats", "ring_bytes", &memory);
		weirctl_sysfs_read("stats", "evictions", &evictions);
		weirctl_sysfs_read("stats", "missed", &missed);
		snprintf(host, sizeof(host),
			 "rings %s, evictions %llu, missed %llu",
			 weirctl_bytes(o, memory, b), evictions, missed);
	}
	snprintf(text, size, "%s: %zu streams, %zu cursors, %zu routes, %zu targets%shost: %s",
		 at, is->streams.count, is->cursors.count, is->routes.count,
		 is->targets.count, between, host);
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

static void weirctl_top_json(const struct weirctl_options *o,
			     const struct weirctl_look *was,
			     const struct weirctl_look *is)
{
	double seconds = weirctl_seconds(was, is);
	struct weirctl_line *streams, *cursors;
	size_t ns, nc;
	json_t *all;

	streams = weirctl_lines(o, &was->streams, &is->streams, &is->streams,
				seconds, &ns);
	cursors = weirctl_lines(o, &was->cursors, &is->cursors, &is->streams,
				seconds, &nc);
	all = json_pack("{s:I, s:f, s:o, s:o, s:o, s:o}",
		"time", (json_int_t)time(NULL), "interval_seconds", seconds,
		"streams", weirctl_lines_json(streams, ns, &is->streams),
		"cursors", weirctl_lines_json(cursors, nc, &is->streams),
		"routes", weirctl_routes_json(o, was, is),
		"targets", weirctl_targets_json(o, was, is));
	json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(all);
	free(streams);
	free(cursors);
}

static void weirctl_top_print(const struct weirctl_options *o,
			      const struct weirctl_look *was,
			      const struct weirctl_look *is)
{
	struct weirctl_table *t;
	char text[256];
	int view;

	weirctl_top_heading(o, is, "; ", text, sizeof(text));
	printf("weir %s\n\n", text);
	for (view = 0; view < WEIRCTL_VIEWS; view++) {
		t = weirctl_view_table(o, view, was, is);
		if (weirctl_table_rows(t) || view <= WEIRCTL_VIEW_CURSORS) {
			weirctl_table_print(t);
			putchar('\n');
		}
		weirctl_table_free(t);
	}
}

/* Draws the view on screen until it is time to look again; false to end. */
static bool weirctl_top_screen(struct weirctl_screen *s,
			       const struct weirctl_options *o,
			       const struct weirctl_look *was,
			       const struct weirctl_look *is)
{
	double end = weirctl_now() + o->interval, left;
	struct weirctl_table *t;
	char text[256];

	while (!weirctl_stop && (left = end - weirctl_now()) > 0) {
		weirctl_top_heading(o, is, "\n", text, sizeof(text));
		t = weirctl_view_table(o, weirctl_screen_view(s), was, is);
		weirctl_screen_draw(s, text, t);
		weirctl_table_free(t);
		if (!weirctl_screen_wait(s, left))
			return false;
	}
	return !weirctl_stop;
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

static int weirctl_top_loop(struct weir *w, const struct weirctl_options *o,
			    struct weirctl_screen *s)
{
	unsigned long n = 0, end = o->once ? 1 : o->iterations;
	struct weirctl_look was, is = { .at = 0 };
	int ret = weirctl_look(w, &was);

	/* the first screen comes at once, without rates */
	if (!ret && s && !weirctl_top_screen(s, o, &is, &was))
		goto out;
	while (!ret && !weirctl_stop && (!end || n < end)) {
		if (!s)
			weirctl_pause(o->interval);
		if (weirctl_stop)
			break;
		ret = weirctl_look(w, &is);
		if (!ret && s) {
			if (!weirctl_top_screen(s, o, &was, &is))
				weirctl_stop = 1;
		} else if (!ret) {
			(o->json ? weirctl_top_json : weirctl_top_print)
				(o, &was, &is);
			fflush(stdout);
		}
		weirctl_look_free(&was);
		was = is;
		n++;
		if (ferror(stdout))
			break;
	}
out:
	weirctl_look_free(&was);
	return ret;
}

/* weirctl top */
int weirctl_top(const struct weirctl_options *o)
{
	bool tty = !o->json && !o->once && isatty(STDOUT_FILENO) &&
		   isatty(STDIN_FILENO);
	struct sigaction act = { .sa_handler = weirctl_on_signal };
	struct weirctl_screen *s = NULL;
	struct weir *w;
	int ret = weirctl_open(&w);

	if (ret)
		return ret;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (tty)
		s = weirctl_screen_open();
	ret = weirctl_top_loop(w, o, s);
	weirctl_screen_close(s);
	weir_close(w);
	return ret;
}
