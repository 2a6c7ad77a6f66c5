// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl trace: why did this message not arrive? First what a message meets if
 * it is sent now (weirctl_diagnose.c), then what is refused, dropped and evicted
 * as it happens, from weir's tracepoints. They are read through an instance of
 * tracefs that belongs to this process, so that other tracers see no change.
 * With --json each line is an object.
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
#include "weirctl_json.h"
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

/*
 * A ring without a name belongs to a pair or to a caller: its end is no loss.
 */
static bool weirctl_usual_end(struct tep_event *event,
			      struct tep_record *record, const char *name)
{
	unsigned long long state = weirctl_field(event, record, "state");

	return !name[0] && (state == WEIR_STATE_OPEN ||
			    state == WEIR_STATE_CLOSED);
}

/**
 * weirctl_event_text() - an event in words
 * @event: kind of the event.
 * @record: its data.
 * @path: out: path that the event is about, a part of @record; "" if the event
 *	has none: then @text has none either.
 * @text: out.
 * @size: bytes of @text.
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
		snprintf(text, size, "%s: %s: %s", *path,
			 reason == WEIR_REASON_DENIED ? "refused" :
			 "not delivered", why);
	else if (!strcmp(name, "weir_evict"))
		snprintf(text, size, "%s: a reader of stream %llu (its stream %llu) was evicted: %s",
			 on, weirctl_field(event, record, "ring"),
			 weirctl_field(event, record, "id"), why);
	else if (!strcmp(name, "weir_state") &&
		 !weirctl_usual_end(event, record, *path))
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

/* --- events in JSON --- */

/* A number that the event may have. */
static void weirctl_json_field(json_t *o, const char *key,
			       struct tep_event *event,
			       struct tep_record *record, const char *name)
{
	unsigned long long value;

	if (!tep_get_field_val(NULL, event, name, record, &value, 0))
		weirctl_json_put(o, key, value);
}

static json_t *weirctl_event_json(struct tep_event *event,
				  struct tep_record *record)
{
	json_t *o = json_object();
	unsigned long long value;

	/* without the prefix that all have */
	json_object_set_new(o, "event", json_string(event->name +
						    strlen("weir_")));
	if (!tep_get_field_val(NULL, event, "reason", record, &value, 0))
		json_object_set_new(o, "reason",
			json_string(weir_reason_name((uint32_t)value)));
	if (!tep_get_field_val(NULL, event, "guard", record, &value, 0))
		json_object_set_new(o, "guard",
			json_string(weir_guard_name((uint32_t)value)));
	weirctl_json_field(o, "target", event, record, "target");
	weirctl_json_field(o, "tag", event, record, "tag");
	weirctl_json_field(o, "stream", event, record, "ring");
	return o;
}

/* --- the instance --- */

/**
 * struct weirctl_tracing - tracing under way
 * @o: the command line.
 * @w: a handle, to look up what an event does not say.
 * @routes: list of the last such look.
 * @targets: list of the same look.
 * @tep: parser with the formats of the events.
 * @instance: instance of tracefs.
 * @offset_ns: from the events' clock to the time of day.
 * @lines: number of lines printed so far.
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

/* Reports the events that the buffers could not hold. */
static void weirctl_events_lost(const struct weirctl_tracing *t)
{
	if (t->o->json)
		weirctl_json_line(json_pack("{s:s}", "event", "lost"));
	else
		printf("events were lost: there were too many at once\n");
}

/* The line of an event; @path and @text are what weirctl_event_text() said. */
static void weirctl_event_line(struct weirctl_tracing *t,
			       struct tep_event *event,
			       struct tep_record *record, const char *path,
			       const char *text)
{
	uint64_t ns = record->ts + (uint64_t)t->offset_ns;
	time_t seconds = (time_t)(ns / WEIRCTL_SECOND);
	bool prefix = !strcmp(event->name, "weir_target") && path[0];
	char at[32];
	struct tm tm;
	json_t *o;

	t->lines++;
	if (t->o->json) {
		o = weirctl_event_json(event, record);
		json_object_set_new(o, "time", json_real((double)ns / 1e9));
		json_object_set_new(o, "path", weirctl_json_text(path));
		json_object_set_new(o, "text", weirctl_json_text(text));
		weirctl_json_line(o);
		return;
	}
	strftime(at, sizeof(at), "%T", localtime_r(&seconds, &tm));
	printf("%s.%06llu %s%s%s\n", at,
	       (unsigned long long)(ns % WEIRCTL_SECOND / 1000),
	       prefix ? path : "", prefix ? ": " : "", text);
}

static int weirctl_on_event(struct tep_event *event, struct tep_record *record,
			    int cpu, void *ctx)
{
	struct weirctl_tracing *t = ctx;
	const char *path = "";
	char text[640];

	(void)cpu;
	if (record->missed_events)
		weirctl_events_lost(t);
	if (!weirctl_event_text(event, record, &path, text, sizeof(text)))
		return 0;
	if (!strcmp(event->name, "weir_target"))
		path = weirctl_target_route(t, weirctl_field(event, record,
							     "target"));
	if (t->o->pattern && !weirctl_pattern_match(t->o->pattern, path))
		return 0;
	weirctl_event_line(t, event, record, path, text);
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
	/*
	 * A clock that can be told as the time of day, and that is the same in
	 * all time namespaces
	 */
	if (tracefs_instance_file_write(t->instance, "trace_clock", "tai") >= 0)
		t->offset_ns = (int64_t)(weirctl_clock(CLOCK_REALTIME) -
					 weirctl_clock(CLOCK_TAI));
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

/* Says when events begin to be watched, and when they end. */
static void weirctl_tracing_mark(const struct weirctl_tracing *t, bool end)
{
	const char *pattern = t->o->pattern;

	if (t->o->json && end)
		weirctl_json_line(json_pack("{s:s, s:I}", "event", "end",
					    "lines", (json_int_t)t->lines));
	else if (t->o->json)
		weirctl_json_line(json_pack("{s:s}", "event", "watching"));
	else if (end)
		printf("-- %lu lines\n", t->lines);
	else
		printf("-- watching%s%s\n", pattern ? " " : "",
		       pattern ? pattern : "");
	fflush(stdout);
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
	ret = weirctl_diagnose(t.w, o);
	if (!ret)
		ret = weirctl_tracing_start(&t);
	if (!ret) {
		weirctl_tracing_mark(&t, false);
		weirctl_tracing_run(&t);
		weirctl_tracing_mark(&t, true);
	}
	weirctl_tracing_stop(&t);
	weir_close(t.w);
	return ret;
}
