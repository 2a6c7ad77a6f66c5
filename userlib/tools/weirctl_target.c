// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl target and weirctl breaker: the targets of routes, their weights and
 * their circuit breakers.
 *
 * A target is a socket, named by its id, or another route, named by its path.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "weirctl.h"
#include "weirctl_control.h"
#include "weirctl_hist.h"
#include "weirctl_json.h"
#include "weirctl_list.h"
#include "weirctl_pattern.h"
#include "weirctl_reason.h"
#include "weirctl_route.h"
#include "weirctl_table.h"
#include "weirctl_target.h"
#include "weirctl_unit.h"

#define WEIRCTL_STEPS_MAX	1000
#define U(value)		((unsigned long long)(value))

/**
 * struct weirctl_name - a target as the command line names it
 * @text: text of the argument.
 * @id: number of the target, or 0.
 * @path: of a target that is a route, when @id is 0.
 */
struct weirctl_name {
	const char	*text;
	uint64_t	id;
	const char	*path;
};

static volatile sig_atomic_t weirctl_interrupted;

static void weirctl_on_interrupt(int sig)
{
	(void)sig;
	weirctl_interrupted = 1;
}

/* From here on SIGINT and SIGTERM only set weirctl_interrupted. */
static void weirctl_heed_interrupts(void)
{
	const struct sigaction act = { .sa_handler = weirctl_on_interrupt };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

/* The path of a target that is a route, or the process of a socket. */
const char *weirctl_target_name(const struct weir_target_entry *e,
				char buf[WEIR_PATH_MAX + 1])
{
	if (!e->socket)
		return e->path;
	snprintf(buf, WEIR_PATH_MAX + 1, "pid %u", e->pid);
	return buf;
}

static void weirctl_json_time(json_t *o, const char *key,
			      const struct weir_target_entry *e,
			      unsigned int percent)
{
	uint64_t ns;

	if (weirctl_hist_percentile(e->hist, NULL, percent, &ns))
		weirctl_json_put(o, key, ns);
	else
		json_object_set_new(o, key, json_null());
}

json_t *weirctl_target_json(const struct weir_target_entry *e,
			    const struct weirctl_list *routes)
{
	json_t *o = json_object();

	weirctl_json_put(o, "id", e->id);
	weirctl_json_put(o, "route", e->route);
	json_object_set_new(o, "route_path",
		weirctl_json_text(weirctl_route_path(routes, e->route)));
	json_object_set_new(o, "path", weirctl_json_text(e->path));
	json_object_set_new(o, "name", weirctl_json_text(e->name));
	weirctl_json_put(o, "socket", e->socket);
	weirctl_json_put(o, "pid", e->pid);
	weirctl_json_put(o, "uid", e->uid);
	weirctl_json_put(o, "weight", e->weight);
	json_object_set_new(o, "state",
			    json_string(weirctl_target_state(e->state)));
	json_object_set_new(o, "breaker",
			    json_string(weirctl_breaker_name(e->breaker)));
	weirctl_json_put(o, "in_flight", e->in_flight);
	weirctl_json_put(o, "requests", e->requests);
	weirctl_json_put(o, "replies", e->replies);
	weirctl_json_put(o, "errors", e->errors);
	weirctl_json_put(o, "expired", e->expired);
	weirctl_json_put(o, "breaker_opens", e->breaker_opens);
	weirctl_json_put(o, "ejections", e->ejections);
	weirctl_json_time(o, "p50_ns", e, 50);
	weirctl_json_time(o, "p99_ns", e, 99);
	return o;
}

/* --- lists --- */

static void weirctl_target_cells(const struct weirctl_options *o,
				 struct weirctl_table *t,
				 const struct weir_target_entry *e)
{
	static const unsigned int percents[] = { 50, 99 };
	uint64_t ns;
	char b[24];
	size_t i;

	weirctl_table_cell(t, "%u", e->weight);
	weirctl_table_cell(t, "%s", weirctl_target_state(e->state));
	weirctl_table_cell(t, "%s", weirctl_breaker_name(e->breaker));
	weirctl_table_cell(t, "%u", e->in_flight);
	weirctl_table_cell(t, "%llu", U(e->requests));
	weirctl_table_cell(t, "%llu", U(e->errors));
	weirctl_table_cell(t, "%llu", U(e->expired));
	for (i = 0; i < 2; i++)
		weirctl_table_cell(t, "%s",
				   weirctl_hist_percentile(e->hist, NULL,
							   percents[i], &ns) ?
				   weirctl_time(o, ns, b) : "-");
	weirctl_table_cell(t, "%s", e->name[0] ? e->name : "-");
}

static void weirctl_breaker_cells(struct weirctl_table *t,
				  const struct weir_target_entry *e)
{
	weirctl_table_cell(t, "%s", weirctl_breaker_name(e->breaker));
	weirctl_table_cell(t, "%llu", U(e->breaker_opens));
	weirctl_table_cell(t, "%s", weirctl_target_state(e->state));
	weirctl_table_cell(t, "%llu", U(e->ejections));
	weirctl_table_cell(t, "%llu", U(e->requests));
	weirctl_table_cell(t, "%llu", U(e->errors));
	weirctl_table_cell(t, "%llu", U(e->expired));
}

static struct weirctl_table *weirctl_target_table(bool breakers)
{
	static const char *const targets[] = {
		"ID", "WEIGHT", "STATE", "BREAKER", "INFLIGHT", "REQUESTS",
		"ERRORS", "EXPIRED", "P50", "P99", "NAME", "TARGET", "ROUTE" };
	static const char *const titles[] = {
		"ID", "BREAKER", "OPENS", "STATE", "EJECTIONS", "REQUESTS",
		"ERRORS", "EXPIRED", "TARGET", "ROUTE" };

	return breakers ? weirctl_table_new(titles, "rlrlrrrrll") :
			  weirctl_table_new(targets, "rrllrrrrrrlll");
}

static void weirctl_targets_print(const struct weirctl_options *o,
				  const struct weirctl_list *routes,
				  const struct weirctl_list *targets,
				  bool breakers)
{
	struct weirctl_table *t = weirctl_target_table(breakers);
	json_t *array = json_array();
	char b[WEIR_PATH_MAX + 1];
	size_t i;

	for (i = 0; i < targets->count; i++) {
		const struct weir_target_entry *e = &targets->targets[i];
		const char *path = weirctl_route_path(routes, e->route);

		if (o->pattern && !weirctl_pattern_match(o->pattern, path))
			continue;
		if (o->json) {
			json_array_append_new(array,
					      weirctl_target_json(e, routes));
			continue;
		}
		weirctl_table_cell(t, "%llu", U(e->id));
		if (breakers)
			weirctl_breaker_cells(t, e);
		else
			weirctl_target_cells(o, t, e);
		weirctl_table_cell(t, "%s", weirctl_target_name(e, b));
		weirctl_table_cell(t, "%s", path[0] ? path : "-");
	}
	if (o->json)
		weirctl_json_print(json_incref(array));
	else
		weirctl_table_print(t);
	json_decref(array);
	weirctl_table_free(t);
}

/* --- add, set, del --- */

/* An id, or a path. */
static int weirctl_name_parse(const char *text, struct weirctl_name *name)
{
	unsigned long long id;

	name->text = text;
	name->id = 0;
	name->path = text;
	if (*text == '/')
		return weirctl_check_path(text);
	if (!weirctl_number(text, &id) || !id)
		return weirctl_misuse("'%s' is neither a target's id nor a path",
				      text);
	name->id = id;
	return WEIRCTL_OK;
}

/**
 * struct weirctl_target_args - arguments of a target command
 * @target: the target, or shift's first.
 * @to: shift's second.
 * @weight: value of weight=.
 * @weighted: weight= was given.
 * @name: value of name=, or NULL.
 * @steps: value of steps=.
 * @every_ns: value of every=, in ns.
 * @within_ns: value of within=, in ns.
 */
struct weirctl_target_args {
	struct weirctl_name	target;
	struct weirctl_name	to;
	uint32_t		weight;
	bool			weighted;
	const char		*name;
	uint32_t		steps;
	uint64_t		every_ns;
	uint64_t		within_ns;
};

/* Takes within=DURATION, drain's only key. */
static int weirctl_arg_within(struct weirctl_target_args *a, const char *arg)
{
	if (strncmp(arg, "within=", 7))
		return weirctl_misuse("'%s' is not within=DURATION", arg);
	if (!weirctl_duration(arg + 7, &a->within_ns))
		return weirctl_misuse("within: '%s' is no duration: a number and ns, us, ms, s, m or h",
				      arg + 7);
	return WEIRCTL_OK;
}

static int weirctl_arg(struct weirctl_target_args *a, const char *arg, bool shifts)
{
	const char *value = strchr(arg, '=');
	unsigned long long n;
	size_t len = value ? (size_t)(value - arg) : 0;

	if (!shifts && len == 6 && !memcmp(arg, "weight", len)) {
		if (!weirctl_number(++value, &n) || n > WEIR_WEIGHT_MAX)
			return weirctl_misuse("a weight is 0 to %u, not '%s'",
					      WEIR_WEIGHT_MAX, value);
		a->weight = (uint32_t)n;
		a->weighted = true;
		return WEIRCTL_OK;
	}
	if (!shifts && len == 4 && !memcmp(arg, "name", len)) {
		if (!*++value || strlen(value) > WEIR_NAME_MAX)
			return weirctl_misuse("a name has 1 to %u bytes, not '%s'",
					      WEIR_NAME_MAX, value);
		a->name = value;
		return WEIRCTL_OK;
	}
	if (shifts && len == 5 && !memcmp(arg, "steps", len)) {
		if (!weirctl_number(++value, &n) || !n || n > WEIRCTL_STEPS_MAX)
			return weirctl_misuse("steps are 1 to %u, not '%s'",
					      WEIRCTL_STEPS_MAX, value);
		a->steps = (uint32_t)n;
		return WEIRCTL_OK;
	}
	if (shifts && len == 5 && !memcmp(arg, "every", len)) {
		if (!weirctl_duration(++value, &a->every_ns))
			return weirctl_misuse("every: '%s' is no duration: a number and ns, us, ms, s, m or h",
					      value);
		return WEIRCTL_OK;
	}
	return weirctl_misuse("'%s' is not %s", arg, shifts ?
			      "steps=N or every=DURATION" :
			      "weight=N or name=NAME");
}

/* A path, @names - 1 targets and KEY=VALUE. */
static int weirctl_target_parse(const struct weirctl_options *o, int names,
				struct weirctl_target_args *a)
{
	int i, ret = weirctl_name_parse(o->argv[1], &a->target);

	if (!ret && names == 3)
		ret = weirctl_name_parse(o->argv[2], &a->to);
	for (i = names; i < o->argc && !ret; i++)
		ret = weirctl_arg(a, o->argv[i], names == 3);
	return ret;
}

/*
 * A target that is a route is named by its path, even if the user knows its id.
 */
static void weirctl_name_resolve(struct weirctl_name *name,
				 const struct weirctl_list *targets)
{
	const struct weir_target_entry *e = name->id ?
		weirctl_list_find(targets, name->id) : NULL;

	if (e && !e->socket) {
		name->id = 0;
		name->path = e->path;
	}
}

static int weirctl_target_change(struct weir *w, uint32_t what,
				 const char *path,
				 const struct weirctl_list *targets,
				 const struct weirctl_target_args *a)
{
	struct weirctl_name name = a->target;
	struct weirctl_ops ops = { 0 };
	struct weir_route_op *op;
	int ret;

	weirctl_name_resolve(&name, targets);
	op = weirctl_ops_add(&ops, what, path);
	weirctl_ops_target(op, name.id, name.path, a->weighted ? a->weight :
			   what == WEIR_OP_TARGET_ADD);
	if (a->name)
		strcpy(op->name, a->name);
	ret = weirctl_control_say(w, &ops);
	weirctl_ops_free(&ops);
	return ret;
}

/* --- shift --- */

/**
 * struct weirctl_shift - a shift of weight from one target to another
 * @path: the route.
 * @route: its id.
 * @from: index in @targets of the target that loses weight.
 * @to: index in @targets of the target that gains it.
 * @targets: of all routes, as they were at the start.
 * @scale: weights are multiplied by this on the way, so that they can move in
 *	small steps; in the last step they are what they were.
 */
struct weirctl_shift {
	const char		*path;
	uint64_t		route;
	size_t			from;
	size_t			to;
	struct weirctl_list	targets;
	uint32_t		scale;
};

static int weirctl_shift_find(struct weirctl_shift *s,
			      const struct weirctl_name *name, size_t *at)
{
	for (*at = 0; *at < s->targets.count; (*at)++) {
		const struct weir_target_entry *e = &s->targets.targets[*at];

		if (e->route == s->route &&
		    (name->id ? e->id == name->id :
		     !e->socket && !strcmp(e->path, name->path)))
			return WEIRCTL_OK;
	}
	return weirctl_fail("%s has no target %s; 'weirctl target %s' lists them",
			    s->path, name->text, s->path);
}

/*
 * Small weights have no small steps: then those of all targets are scaled up
 * together on the way, which leaves every share as it is.
 */
static void weirctl_shift_scale(struct weirctl_shift *s, uint32_t steps)
{
	const struct weir_target_entry *t = s->targets.targets;
	uint64_t largest = (uint64_t)t[s->from].weight + t[s->to].weight;
	size_t i;

	s->scale = 1;
	if (t[s->from].weight % steps == 0 || t[s->from].weight >= 10 * steps)
		return;
	for (i = 0; i < s->targets.count; i++) {
		if (t[i].route == s->route && t[i].weight > largest)
			largest = t[i].weight;
	}
	if (largest * steps <= WEIR_WEIGHT_MAX)
		s->scale = steps;
}

static void weirctl_shift_op(struct weirctl_ops *ops,
			     const struct weirctl_shift *s, size_t i,
			     uint32_t weight)
{
	const struct weir_target_entry *e = &s->targets.targets[i];

	weirctl_ops_target(weirctl_ops_add(ops, WEIR_OP_TARGET_SET, s->path),
			   e->socket ? e->id : 0, e->path, weight);
}

/* The changes of step @step of @steps. */
static void weirctl_shift_step(const struct weirctl_shift *s, uint32_t step,
			       uint32_t steps, struct weirctl_ops *ops)
{
	const struct weir_target_entry *t = s->targets.targets;
	uint32_t scale = step == steps ? 1 : s->scale;
	uint32_t from = t[s->from].weight, to = t[s->to].weight;
	uint64_t moved = (uint64_t)from * scale * step / steps;
	size_t i;

	weirctl_shift_op(ops, s, s->to, (uint32_t)(to * scale + moved));
	weirctl_shift_op(ops, s, s->from, (uint32_t)(from * scale - moved));
	for (i = 0; s->scale > 1 && i < s->targets.count; i++) {
		if (t[i].route == s->route && i != s->from && i != s->to)
			weirctl_shift_op(ops, s, i, t[i].weight * scale);
	}
}

/* Why the new target must not get more, in words; NULL when it may. */
static const char *weirctl_shift_unwell(struct weir *w,
					const struct weirctl_shift *s)
{
	uint64_t id = s->targets.targets[s->to].id;
	const struct weir_target_entry *e;
	struct weirctl_list now;
	const char *why = NULL;
	int err = weirctl_list_try(w, WEIR_LIST_TARGETS, &now);

	e = weirctl_list_find(&now, id);
	if (err)
		why = "the targets cannot be listed";
	else if (!e)
		why = "it is gone";
	else if (e->state != WEIR_TARGET_UP)
		why = e->state == WEIR_TARGET_EJECTED ?
		      "the watchdog has ejected it" : "it is gone";
	else if (e->breaker == WEIR_BREAKER_OPEN)
		why = "its circuit breaker is open";
	weirctl_list_free(&now);
	return why;
}

static void weirctl_pause(uint64_t ns)
{
	struct timespec t = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};

	/* an interrupt ends the pause */
	nanosleep(&t, NULL);
}

/*
 * Makes the changes of a step. The kernel bounds the changes that an ordinary
 * user makes in one call: above that the weights are not scaled, and the steps
 * are as coarse as the weights. The first step shows which it is, before
 * anything is changed.
 */
static int weirctl_shift_make(struct weir *w, struct weirctl_shift *s,
			      uint32_t step, uint32_t steps,
			      struct weirctl_ops *ops)
{
	char why[WEIRCTL_WHY];
	size_t failed;

	ops->count = 0;
	weirctl_shift_step(s, step, steps, ops);
	if (!weirctl_control(w, ops, &failed, why))
		return WEIRCTL_OK;
	if (errno != E2BIG || step > 1 || s->scale == 1)
		return weirctl_control_refused(ops, failed, why);
	s->scale = 1;
	ops->count = 0;
	weirctl_shift_step(s, step, steps, ops);
	return weirctl_control_say(w, ops);
}

static int weirctl_shift_run(struct weir *w, struct weirctl_shift *s,
			     const struct weirctl_target_args *a)
{
	struct weirctl_ops ops = { 0 };
	const char *why;
	uint32_t step;
	int ret = WEIRCTL_OK;

	for (step = 1; step <= a->steps && !ret; step++) {
		if (step > 1)
			weirctl_pause(a->every_ns);
		why = weirctl_interrupted ? "interrupted" :
		      weirctl_shift_unwell(w, s);
		if (why) {
			ret = weirctl_fail("stopped before step %u of %u: %s",
					   step, a->steps, why);
			break;
		}
		ret = weirctl_shift_make(w, s, step, a->steps, &ops);
		if (!ret) {
			printf("step %u of %u: weight %u to %u\n", step,
			       a->steps, ops.ops[1].weight, ops.ops[0].weight);
			fflush(stdout);
		}
	}
	weirctl_ops_free(&ops);
	return ret;
}

/* Finds the route s->path, and the target that a command is about. */
static int weirctl_shift_begin(struct weir *w, const struct weirctl_list *routes,
			       const struct weirctl_target_args *a,
			       struct weirctl_shift *s)
{
	const struct weir_route_entry *route = weirctl_route_find(routes,
								  s->path);
	int ret;

	if (!route)
		return weirctl_fail("there is no route %s that you may see; 'weirctl route' lists them",
				    s->path);
	s->route = route->id;
	ret = weirctl_list_fetch(w, WEIR_LIST_TARGETS, &s->targets);
	return ret ? ret : weirctl_shift_find(s, &a->target, &s->from);
}

static int weirctl_shift(struct weir *w, const struct weirctl_list *routes,
			 const char *path, const struct weirctl_target_args *a)
{
	struct weirctl_shift s = { .path = path };
	int ret = weirctl_shift_begin(w, routes, a, &s);

	if (!ret)
		ret = weirctl_shift_find(&s, &a->to, &s.to);
	if (!ret && s.from == s.to)
		ret = weirctl_misuse("target shift: from %s to itself",
				     a->target.text);
	if (!ret && !s.targets.targets[s.from].weight)
		ret = weirctl_fail("target %s of %s has weight 0: there is nothing to shift",
				   a->target.text, path);
	if (!ret) {
		weirctl_heed_interrupts();
		weirctl_shift_scale(&s, a->steps);
		ret = weirctl_shift_run(w, &s, a);
	}
	weirctl_list_free(&s.targets);
	return ret;
}

/* --- drain --- */

/* Time between two looks. */
#define WEIRCTL_DRAIN_NS	50000000ULL

/*
 * Looks at the target, which has weight 0, until it has no open request, or is
 * gone, or @within_ns have passed. Sets *@open to the requests that are left.
 */
static int weirctl_drain_wait(struct weir *w, uint64_t id, uint64_t within_ns,
			      uint32_t *open)
{
	uint64_t ns = 0;

	while (!weirctl_interrupted) {
		const struct weir_target_entry *e;
		struct weirctl_list now;
		int ret;

		ret = weirctl_list_fetch(w, WEIR_LIST_TARGETS, &now);
		e = ret ? NULL : weirctl_list_find(&now, id);
		*open = e ? e->in_flight : 0;
		weirctl_list_free(&now);
		if (ret)
			return ret;
		if (!*open)
			return WEIRCTL_OK;
		if (ns >= within_ns)
			return weirctl_fail("the target has weight 0, and %u requests that it has not answered",
					    *open);
		weirctl_pause(WEIRCTL_DRAIN_NS);
		ns += WEIRCTL_DRAIN_NS;
	}
	return weirctl_fail("interrupted; the target has weight 0, and %u requests that it has not answered",
			    *open);
}

/* Sets weight 0, and waits until the target has answered its requests. */
static int weirctl_drain(struct weir *w, const struct weirctl_list *routes,
			 const char *path, const struct weirctl_target_args *a)
{
	struct weirctl_shift s = { .path = path };
	int ret = weirctl_shift_begin(w, routes, a, &s);
	struct weirctl_ops ops = { 0 };
	uint32_t open = 0;

	/* requests in flight are counted at sockets alone */
	if (!ret && !s.targets.targets[s.from].socket)
		ret = weirctl_fail("target %s of %s is a route: drain the targets of that, or set its weight to 0",
				   a->target.text, path);
	if (!ret) {
		weirctl_heed_interrupts();
		weirctl_shift_op(&ops, &s, s.from, 0);
		ret = weirctl_control_say(w, &ops);
	}
	if (!ret)
		ret = weirctl_drain_wait(w, s.targets.targets[s.from].id,
					 a->within_ns, &open);
	weirctl_ops_free(&ops);
	weirctl_list_free(&s.targets);
	return ret;
}

/* --- commands --- */

/* Opens a handle and fetches routes and targets; all must be freed. */
static int weirctl_fetch_both(struct weir **w, struct weirctl_list *routes,
			      struct weirctl_list *targets)
{
	int ret = weirctl_open(w);

	memset(routes, 0, sizeof(*routes));
	memset(targets, 0, sizeof(*targets));
	if (ret) {
		*w = NULL;
		return ret;
	}
	/* targets first: a route that goes meanwhile costs only a name */
	ret = weirctl_list_fetch(*w, WEIR_LIST_TARGETS, targets);
	return ret ? ret : weirctl_list_fetch(*w, WEIR_LIST_ROUTES, routes);
}

static int weirctl_targets_list(const struct weirctl_options *o, bool breakers)
{
	struct weirctl_list routes, targets;
	struct weir *w;
	int ret = weirctl_fetch_both(&w, &routes, &targets);

	if (!ret)
		weirctl_targets_print(o, &routes, &targets, breakers);
	weirctl_list_free(&targets);
	weirctl_list_free(&routes);
	weir_close(w);
	return ret;
}

/* weirctl target [list [PATTERN]] */
int weirctl_target_list(const struct weirctl_options *o)
{
	return weirctl_targets_list(o, false);
}

/* weirctl breaker [list [PATTERN]] */
int weirctl_breaker_list(const struct weirctl_options *o)
{
	return weirctl_targets_list(o, true);
}

/* Makes a change; or, with @op 0, drains a target or shifts weight. */
static int weirctl_target_do(const char *path, uint32_t op,
			     const struct weirctl_target_args *a)
{
	struct weirctl_list routes, targets;
	struct weir *w;
	int ret = weirctl_fetch_both(&w, &routes, &targets);

	if (!ret && op)
		ret = weirctl_target_change(w, op, path, &targets, a);
	else if (!ret && a->within_ns)
		ret = weirctl_drain(w, &routes, path, a);
	else if (!ret)
		ret = weirctl_shift(w, &routes, path, a);
	weirctl_list_free(&targets);
	weirctl_list_free(&routes);
	weir_close(w);
	return ret;
}

/* weirctl target add PATH TARGET-PATH [weight=N] [name=NAME] */
int weirctl_target_add(const struct weirctl_options *o)
{
	struct weirctl_target_args a = { .weight = 0 };
	int ret = weirctl_target_parse(o, 2, &a);

	if (!ret && a.target.id)
		ret = weirctl_misuse("target add: '%s' is no path; sockets become targets by serving",
				     o->argv[1]);
	return ret ? ret : weirctl_target_do(o->argv[0], WEIR_OP_TARGET_ADD, &a);
}

/* weirctl target set PATH TARGET weight=N */
int weirctl_target_set(const struct weirctl_options *o)
{
	struct weirctl_target_args a = { .weight = 0 };
	int ret = weirctl_target_parse(o, 2, &a);

	if (!ret && !a.weighted)
		ret = weirctl_misuse("target set: weight=N is missing");
	return ret ? ret : weirctl_target_do(o->argv[0], WEIR_OP_TARGET_SET, &a);
}

/* weirctl target del PATH TARGET */
int weirctl_target_del(const struct weirctl_options *o)
{
	struct weirctl_target_args a = { .weight = 0 };
	int ret = weirctl_target_parse(o, 2, &a);

	return ret ? ret : weirctl_target_do(o->argv[0], WEIR_OP_TARGET_DEL, &a);
}

/* weirctl target shift PATH FROM TO [steps=N] [every=DURATION] */
int weirctl_target_shift(const struct weirctl_options *o)
{
	struct weirctl_target_args a = { .steps = 10, .every_ns = 1000000000 };
	int ret = weirctl_target_parse(o, 3, &a);

	return ret ? ret : weirctl_target_do(o->argv[0], 0, &a);
}

/* weirctl target drain PATH TARGET [within=DURATION] */
int weirctl_target_drain(const struct weirctl_options *o)
{
	struct weirctl_target_args a = { .within_ns = 30000000000 };
	int i, ret = weirctl_name_parse(o->argv[1], &a.target);

	for (i = 2; i < o->argc && !ret; i++)
		ret = weirctl_arg_within(&a, o->argv[i]);
	/* with no time to wait, there is one look nevertheless */
	if (!a.within_ns)
		a.within_ns = 1;
	return ret ? ret : weirctl_target_do(o->argv[0], 0, &a);
}

static int weirctl_breaker_force(const struct weirctl_options *o, uint32_t force)
{
	const struct weir_target_entry *e;
	struct weirctl_list routes, targets;
	struct weirctl_ops ops = { 0 };
	unsigned long long id;
	struct weir *w;
	int ret;

	if (!weirctl_number(o->argv[0], &id) || !id)
		return weirctl_misuse("'%s' is no target's id; 'weirctl breaker' lists them",
				      o->argv[0]);
	ret = weirctl_fetch_both(&w, &routes, &targets);

	e = ret ? NULL : weirctl_list_find(&targets, id);
	if (e) {
		weirctl_ops_target(weirctl_ops_add(&ops, WEIR_OP_BREAKER,
				weirctl_route_path(&routes, e->route)),
				   e->socket ? id : 0, e->path, force);
		ret = weirctl_control_say(w, &ops);
	} else if (!ret) {
		ret = weirctl_fail("there is no target %llu that you may see; 'weirctl breaker' lists them",
				   id);
	}
	weirctl_ops_free(&ops);
	weirctl_list_free(&targets);
	weirctl_list_free(&routes);
	weir_close(w);
	return ret;
}

/* weirctl breaker open ID */
int weirctl_breaker_open(const struct weirctl_options *o)
{
	return weirctl_breaker_force(o, WEIR_FORCE_OPEN);
}

/* weirctl breaker auto ID */
int weirctl_breaker_auto(const struct weirctl_options *o)
{
	return weirctl_breaker_force(o, WEIR_FORCE_AUTO);
}
