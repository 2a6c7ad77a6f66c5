// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl trace: why did this message not arrive? First what a message meets if
 * it is sent now (weirctl_diagnose.c), then what is refused, dropped and evicted
 * as it happens, from weir's tracepoints. They are read through an instance of
 * tracefs that belongs to this process, so that other tracers see no change.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tracefs.h>

#include "weirctl.h"
#include "weirctl_list.h"
#include "weirctl_pattern.h"
#include "weirctl_reason.h"
#include "weirctl_route.h"
#include "weirctl_trace.h"

#define WEIRCTL_LOOK_NS	50000000	/* between two looks into the buffers */
#define WEIRCTL_SECOND	1000000000ULL

static volatile sig_atomic_t weirctl_ended;

static void weirctl_on_end(int sig)
{
	(void)sig;
	weirctl_ended = 1;
}

/* --- events in words --- */

static unsigned long long weirctl_field(struct tep_event *event,
					struct tep_record *record,
					const char *name)
{
	unsigned long long value = 0;

	tep_get_field_val(NULL, event, name, record, &value, 0);
	return value;
}

/* A string of the event; "" when there is none. It lives in the record. */
static const char *weirctl_string(struct tep_event *event,
				  struct tep_record *record, const char *name)
{
	const char *text;
	int len = 0;

	text = tep_get_field_raw(NULL, event, name, record, &len, 0);
	return text && len > 0 && memchr(text, '\0', (size_t)len) ? text : "";
}

static void weirctl_refuse_text(struct tep_event *event,
				struct tep_record *record, const char *path,
				const char *why, char *text, size_t size)
{
	uint32_t guard = (uint32_t)weirctl_field(event, record, "guard");
	unsigned long long target = weirctl_field(event, record, "target");
	char of[40] = "";

	if (target)
		snprintf(of, sizeof(of), " of target %llu", target);
	snprintf(text, size, "%s: request tag %llu refused by %s%s: %s", path,
		 weirctl_field(event, record, "tag"),
		 weirctl_guard_text(guard), of, why);
}

static void weirctl_target_text(struct tep_event *event,
				struct tep_record *record, char *text,
				size_t size)
{
	uint32_t state = (uint32_t)weirctl_field(event, record, "state");

	snprintf(text, size, "target %llu is %s now%s",
		 weirctl_field(event, record, "target"),
		 weirctl_target_state(state), state == WEIR_TARGET_EJECTED ?
		 ": it holds requests and does nothing" : "");
}

static const char *weirctl_stream_state(unsigned long long state)
{
	struct weir_list_entry e = {
		.kind = WEIR_LIST_STREAMS, .state = (uint32_t)state };

	return weirctl_state_name(&e);
}

/**
 * weirctl_event_text() - an event in words
 * @event: which it is.
 * @record: its data.
 * @path: out: what it is about; lives in @record. "" if the event does not
 *	say, and neither does @text then.
 * @text: out.
 * @size: of @text.
 *
 * Return: false for an event that says nothing about a lost message.
 */
bool weirctl_event_text(struct tep_event *event, struct tep_record *record,
			const char **path, char *text, size_t size)
{
	uint32_t reason = (uint32_t)weirctl_field(event, record, "reason");
	const char *why = weirctl_reason_text(reason), *name = event->name;
	const char *on;

	if (!strcmp(name, "weir_refuse") || !strcmp(name, "weir_drop"))
		*path = weirctl_string(event, record, "path");
	else
		*path = weirctl_string(event, record, "name");
	on = (*path)[0] ? *path : "a pair";
	if (!strcmp(name, "weir_refuse"))
		weirctl_refuse_text(event, record, *path, why, text, size);
	else if (!strcmp(name, "weir_drop") && reason == WEIR_REASON_OVERRUN)
		snprintf(text, size, "%s: a reader missed records: %s", *path,
			 why);
	else if (!strcmp(name, "weir_drop"))
		snprintf(text, size, "%s: not delivered: %s", *path, why);
	else if (!strcmp(name, "weir_evict"))
		snprintf(text, size, "%s: a reader of stream %llu (its stream %llu) was evicted: %s",
			 on, weirctl_field(event, record, "ring"),
			 weirctl_field(event, record, "id"), why);
	else if (!strcmp(name, "weir_state"))
		snprintf(text, size, "%s: stream %llu is %s now: %s", on,
			 weirctl_field(event, record, "ring"),
			 weirctl_stream_state(weirctl_field(event, record,
							    "state")), why);
	else if (!strcmp(name, "weir_target"))
		weirctl_target_text(event, record, text, size);
	else
		return false;
	return true;
}

/* --- the instance --- */

/**
 * struct weirctl_tracing - tracing under way
 * @o: the command line.
 * @w: a handle, to look up what an event does not say.
 * @routes: list of the last such look.
 * @targets: list of the same look.
 * @tep: formats of the events.
 * @instance: of tracefs.
 * @offset_ns: from the events' clock to the time of day.
 * @lines: printed so far.
 */
struct weirctl_tracing {
	const struct weirctl_options	*o;
	struct weir			*w;
	struct weirctl_list		routes;
	struct weirctl_list		targets;
	struct tep_handle		*tep;
	struct tracefs_instance		*instance;
	int64_t				offset_ns;
	unsigned long			lines;
};

static uint64_t weirctl_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * WEIRCTL_SECOND + (uint64_t)t.tv_nsec;
}

/* The path of a target's route; the lists are fetched again for a new target. */
static const char *weirctl_target_route(struct weirctl_tracing *t, uint64_t id)
{
	const struct weir_target_entry *e = weirctl_list_find(&t->targets, id);

	if (!e) {
		weirctl_list_free(&t->targets);
		weirctl_list_free(&t->routes);
		if (!weirctl_list_try(t->w, WEIR_LIST_TARGETS, &t->targets))
			weirctl_list_try(t->w, WEIR_LIST_ROUTES, &t->routes);
		e = weirctl_list_find(&t->targets, id);
	}
	return e ? weirctl_route_path(&t->routes, e->route) : "";
}

static int weirctl_on_event(struct tep_event *event, struct tep_record *record,
			    int cpu, void *ctx)
{
	struct weirctl_tracing *t = ctx;
	uint64_t ns = record->ts + (uint64_t)t->offset_ns;
	time_t seconds = (time_t)(ns / WEIRCTL_SECOND);
	const char *path = "", *prefix = "";
	char text[640], at[32];
	struct tm tm;

	(void)cpu;
	if (record->missed_events)
		printf("events were lost: there were too many at once\n");
	if (!weirctl_event_text(event, record, &path, text, sizeof(text)))
		return 0;
	if (!strcmp(event->name, "weir_target")) {
		path = weirctl_target_route(t, weirctl_field(event, record,
							     "target"));
		prefix = path;
	}
	if (t->o->pattern && !weirctl_pattern_match(t->o->pattern, path))
		return 0;
	strftime(at, sizeof(at), "%T", localtime_r(&seconds, &tm));
	printf("%s.%06llu %s%s%s\n", at,
	       (unsigned long long)(ns % WEIRCTL_SECOND / 1000), prefix,
	       prefix[0] ? ": " : "", text);
	t->lines++;
	return 0;
}

/* A module that is older than this program may lack some of the events. */
static int weirctl_enable(struct weirctl_tracing *t)
{
	static const char *const events[] = {
		"weir_refuse", "weir_target", "weir_drop", "weir_evict",
		"weir_state" };
	unsigned int enabled = 0;
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		enabled += !tracefs_event_enable(t->instance, "weir", events[i]);
	if (!enabled)
		return weirctl_fail("weir's tracepoints cannot be enabled: has the kernel CONFIG_TRACEPOINTS?");
	return WEIRCTL_OK;
}

static int weirctl_tracing_start(struct weirctl_tracing *t)
{
	static const char *const systems[] = { "weir", NULL };
	char name[32];

	snprintf(name, sizeof(name), "weirctl-%d", (int)getpid());
	t->instance = tracefs_instance_create(name);
	if (!t->instance)
		return weirctl_fail("tracing: %s%s", strerror(errno),
				    errno == EACCES || errno == EPERM ?
				    "; only root may trace" : "");
	t->tep = tracefs_local_events_system(NULL, systems);
	if (!t->tep)
		return weirctl_fail("tracing: the formats of weir's events cannot be read");
	/* a clock that can be told as the time of day */
	if (tracefs_instance_file_write(t->instance, "trace_clock", "mono") >= 0)
		t->offset_ns = (int64_t)(weirctl_clock(CLOCK_REALTIME) -
					 weirctl_clock(CLOCK_MONOTONIC));
	return weirctl_enable(t);
}

static void weirctl_tracing_stop(struct weirctl_tracing *t)
{
	weirctl_list_free(&t->targets);
	weirctl_list_free(&t->routes);
	if (t->tep)
		tep_free(t->tep);
	if (!t->instance)
		return;
	tracefs_event_disable(t->instance, NULL, NULL);
	tracefs_instance_destroy(t->instance);
	tracefs_instance_free(t->instance);
}

static void weirctl_tracing_run(struct weirctl_tracing *t)
{
	uint64_t end = weirctl_clock(CLOCK_MONOTONIC) + t->o->for_ns;
	bool last = false;

	while (!last) {
		struct timespec pause = { .tv_nsec = WEIRCTL_LOOK_NS };

		/* what came before the end is still shown */
		last = weirctl_ended || (t->o->for_ns &&
		       weirctl_clock(CLOCK_MONOTONIC) >= end);
		tracefs_iterate_raw_events(t->tep, t->instance, NULL, 0,
					   weirctl_on_event, t);
		fflush(stdout);
		if (!last)
			nanosleep(&pause, NULL);
	}
}

/* weirctl trace [--for DURATION] [PATTERN] */
int weirctl_trace(const struct weirctl_options *o)
{
	struct sigaction act = { .sa_handler = weirctl_on_end };
	struct weirctl_tracing t = { .o = o };
	int ret = weirctl_open(&t.w);

	if (ret)
		return ret;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	ret = weirctl_diagnose(t.w, o->pattern);
	if (!ret)
		ret = weirctl_tracing_start(&t);
	if (!ret) {
		printf("-- watching%s%s\n", o->pattern ? " " : "",
		       o->pattern ? o->pattern : "");
		fflush(stdout);
		weirctl_tracing_run(&t);
		printf("-- %lu lines\n", t.lines);
	}
	weirctl_tracing_stop(&t);
	weir_close(t.w);
	return ret;
}
