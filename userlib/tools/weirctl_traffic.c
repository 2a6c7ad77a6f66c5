// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Routes and targets in the live view: messages a second, requests in flight,
 * times from request to reply, errors and refusals, all since the last look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"
#include "weirctl_hist.h"
#include "weirctl_json.h"
#include "weirctl_list.h"
#include "weirctl_look.h"
#include "weirctl_pattern.h"
#include "weirctl_reason.h"
#include "weirctl_route.h"
#include "weirctl_table.h"
#include "weirctl_target.h"
#include "weirctl_unit.h"

#define WEIRCTL_WORST	2	/* reasons shown in a table */

/**
 * struct weirctl_flow - traffic of a route or target between two looks
 * @route: its entry now; of a target, its route's, or NULL.
 * @target: its entry now; NULL for a route.
 * @path: of the route.
 * @known: the earlier look had it; otherwise all rates are zero.
 * @calls: messages a second.
 * @errors: replies with an error a second.
 * @expired: requests a second that were not answered in time.
 * @refused: refusals a second, by reason.
 * @refusals: sum of @refused.
 * @in_flight: requests in flight.
 * @up: targets that may get requests.
 * @open: targets whose breaker is open.
 * @ejected: targets that the watchdog has ejected.
 * @hist: times since the last look.
 */
struct weirctl_flow {
	const struct weir_route_entry	*route;
	const struct weir_target_entry	*target;
	const char			*path;
	bool				known;
	double				calls;
	double				errors;
	double				expired;
	double				refused[WEIR_REASON_MAX];
	double				refusals;
	uint64_t			in_flight;
	unsigned int			up;
	unsigned int			open;
	unsigned int			ejected;
	uint32_t			hist[WEIR_HIST_BUCKETS];
};

/*
 * Counters only grow. One that is smaller than before belongs to another
 * object.
 */
static double weirctl_per_second(uint64_t is, uint64_t was, double seconds)
{
	return is > was ? (double)(is - was) / seconds : 0;
}

/* Adds what a target has done to the flow of it or of its route. */
static void weirctl_flow_add(struct weirctl_flow *f,
			     const struct weir_target_entry *is,
			     const struct weir_target_entry *was,
			     double seconds)
{
	size_t i;

	f->in_flight += is->in_flight;
	f->up += is->state == WEIR_TARGET_UP &&
		 is->breaker != WEIR_BREAKER_OPEN && is->weight;
	f->open += is->breaker == WEIR_BREAKER_OPEN;
	f->ejected += is->state == WEIR_TARGET_EJECTED;
	if (!was || seconds <= 0)
		return;
	f->errors += weirctl_per_second(is->errors, was->errors, seconds);
	f->expired += weirctl_per_second(is->expired, was->expired, seconds);
	for (i = 0; i < WEIR_HIST_BUCKETS; i++)
		f->hist[i] += is->hist[i] - was->hist[i];
}

static void weirctl_flow_route(struct weirctl_flow *f,
			       const struct weir_route_entry *is,
			       const struct weirctl_look *old,
			       const struct weirctl_look *new)
{
	const struct weir_route_entry *was =
		weirctl_list_find(&old->routes, is->id);
	double seconds = weirctl_seconds(old, new);
	uint32_t reason;
	size_t i;

	f->route = is;
	f->path = is->path;
	f->known = was && seconds > 0;
	for (i = 0; i < new->targets.count; i++) {
		const struct weir_target_entry *t = &new->targets.targets[i];

		if (t->route == is->id)
			weirctl_flow_add(f, t, weirctl_list_find(&old->targets,
								 t->id),
					 seconds);
	}
	if (!f->known)
		return;
	f->calls = weirctl_per_second(is->calls, was->calls, seconds);
	for (reason = 0; reason < WEIR_REASON_MAX; reason++) {
		f->refused[reason] =
			weirctl_per_second(weir_route_refused(is, reason),
					   weir_route_refused(was, reason),
					   seconds);
		f->refusals += f->refused[reason];
	}
}

static void weirctl_flow_target(struct weirctl_flow *f,
				const struct weir_target_entry *is,
				const struct weirctl_look *old,
				const struct weirctl_look *new)
{
	const struct weir_target_entry *was =
		weirctl_list_find(&old->targets, is->id);
	double seconds = weirctl_seconds(old, new);

	f->target = is;
	f->path = weirctl_route_path(&new->routes, is->route);
	f->known = was && seconds > 0;
	weirctl_flow_add(f, is, was, seconds);
	if (f->known)
		f->calls = weirctl_per_second(is->requests, was->requests,
					      seconds);
}

static int weirctl_by_calls(const void *a, const void *b)
{
	const struct weirctl_flow *x = a, *y = b;
	uint64_t xid = x->target ? x->target->id : x->route->id;
	uint64_t yid = y->target ? y->target->id : y->route->id;

	if (x->calls != y->calls)
		return x->calls < y->calls ? 1 : -1;
	return xid < yid ? -1 : 1;
}

/* Flows of all routes, or targets, that pass the filter; to be freed. */
static struct weirctl_flow *weirctl_flows(const struct weirctl_options *o,
					  const struct weirctl_look *was,
					  const struct weirctl_look *is,
					  bool targets, size_t *count)
{
	size_t n = targets ? is->targets.count : is->routes.count, i;
	struct weirctl_flow *flows =
		weirctl_must(calloc(n + 1, sizeof(*flows)));

	*count = 0;
	for (i = 0; i < n; i++) {
		struct weirctl_flow *f = &flows[*count];

		memset(f, 0, sizeof(*f));
		if (targets)
			weirctl_flow_target(f, &is->targets.targets[i], was,
					    is);
		else
			weirctl_flow_route(f, &is->routes.routes[i], was, is);
		*count += !o->pattern ||
			  weirctl_pattern_match(o->pattern, f->path);
	}
	qsort(flows, *count, sizeof(*flows), weirctl_by_calls);
	return flows;
}

/* --- tables --- */

static void weirctl_cell_rate(const struct weirctl_options *o,
			      struct weirctl_table *t,
			      const struct weirctl_flow *f, double rate)
{
	char b[24];

	weirctl_table_cell(t, "%s", f->known ? weirctl_rate(o, rate, b) : "-");
}

static void weirctl_cell_time(const struct weirctl_options *o,
			      struct weirctl_table *t,
			      const struct weirctl_flow *f,
			      unsigned int percent)
{
	uint64_t ns;
	char b[24];

	weirctl_table_cell(t, "%s", weirctl_hist_percentile(f->hist, NULL,
							    percent, &ns) ?
			   weirctl_time(o, ns, b) : "-");
}

static void weirctl_cells_start(const struct weirctl_options *o,
				struct weirctl_table *t,
				const struct weirctl_flow *f)
{
	weirctl_cell_rate(o, t, f, f->calls);
	weirctl_table_cell(t, "%llu", (unsigned long long)f->in_flight);
	weirctl_cell_time(o, t, f, 50);
	weirctl_cell_time(o, t, f, 99);
	weirctl_cell_rate(o, t, f, f->errors);
	weirctl_cell_rate(o, t, f, f->expired);
}

/* Are there targets that get nothing, and why? */
static void weirctl_cell_state(struct weirctl_table *t,
			       const struct weirctl_flow *f)
{
	if (f->open && f->ejected)
		weirctl_table_cell(t, "%u open, %u ejected", f->open,
				   f->ejected);
	else if (f->open)
		weirctl_table_cell(t, "%u open", f->open);
	else if (f->ejected)
		weirctl_table_cell(t, "%u ejected", f->ejected);
	else
		weirctl_table_cell(t, "%s", f->up ? "ok" : "nobody");
}

/* The reasons with the most refusals: "rate 12, bulkhead 3". */
static void weirctl_cell_reasons(const struct weirctl_options *o,
				 struct weirctl_table *t,
				 const struct weirctl_flow *f)
{
	double left[WEIR_REASON_MAX];
	char text[80] = "", b[24];
	size_t len = 0;
	uint32_t i, n;

	memcpy(left, f->refused, sizeof(left));
	for (n = 0; n < WEIRCTL_WORST; n++) {
		uint32_t worst = 0;

		for (i = 1; i < WEIR_REASON_MAX; i++) {
			if (left[i] > left[worst])
				worst = i;
		}
		if (left[worst] <= 0)
			break;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s%s %s", n ? ", " : "",
					weir_reason_name(worst),
					weirctl_rate(o, left[worst], b));
		left[worst] = 0;
	}
	weirctl_table_cell(t, "%s", text[0] ? text : "-");
}

struct weirctl_table *weirctl_routes_table(const struct weirctl_options *o,
					   const struct weirctl_look *was,
					   const struct weirctl_look *is)
{
	static const char *const titles[] = {
		"MSG/S", "INFL", "P50", "P99", "ERR/S", "EXP/S", "REF/S",
		"UP", "STATE", "ROUTE", "REFUSED FOR" };
	struct weirctl_table *t = weirctl_table_new(titles, "rrrrrrrrlll");
	struct weirctl_flow *flows;
	size_t n, i;

	flows = weirctl_flows(o, was, is, false, &n);
	for (i = 0; i < n; i++) {
		const struct weirctl_flow *f = &flows[i];

		weirctl_cells_start(o, t, f);
		weirctl_cell_rate(o, t, f, f->refusals);
		weirctl_table_cell(t, "%u/%u", f->up, f->route->targets);
		weirctl_cell_state(t, f);
		weirctl_table_cell(t, "%s", f->path);
		weirctl_cell_reasons(o, t, f);
	}
	free(flows);
	return t;
}

struct weirctl_table *weirctl_targets_table(const struct weirctl_options *o,
					    const struct weirctl_look *was,
					    const struct weirctl_look *is)
{
	static const char *const titles[] = {
		"MSG/S", "INFL", "P50", "P99", "ERR/S", "EXP/S", "WEIGHT",
		"STATE", "BREAKER", "TARGET", "ON ROUTE" };
	struct weirctl_table *t = weirctl_table_new(titles, "rrrrrrrllll");
	char b[WEIR_PATH_MAX + 1];
	struct weirctl_flow *flows;
	size_t n, i;

	flows = weirctl_flows(o, was, is, true, &n);
	for (i = 0; i < n; i++) {
		const struct weirctl_flow *f = &flows[i];

		weirctl_cells_start(o, t, f);
		weirctl_table_cell(t, "%u", f->target->weight);
		weirctl_table_cell(t, "%s",
				   weirctl_target_state(f->target->state));
		weirctl_table_cell(t, "%s",
				   weirctl_breaker_name(f->target->breaker));
		weirctl_table_cell(t, "%s", weirctl_target_name(f->target, b));
		weirctl_table_cell(t, "%s", f->path[0] ? f->path : "-");
	}
	free(flows);
	return t;
}

/* --- JSON --- */

static void weirctl_flow_json(json_t *o, const struct weirctl_flow *f)
{
	static const struct {
		const char	*key;
		unsigned int	percent;
	} times[] = { { "p50_ns", 50 }, { "p99_ns", 99 } };
	uint64_t ns;
	size_t i;

	json_object_set_new(o, "messages_per_second", f->known ?
			    json_real(f->calls) : json_null());
	json_object_set_new(o, "errors_per_second", f->known ?
			    json_real(f->errors) : json_null());
	json_object_set_new(o, "expired_per_second", f->known ?
			    json_real(f->expired) : json_null());
	for (i = 0; i < 2; i++)
		json_object_set_new(o, times[i].key,
			weirctl_hist_percentile(f->hist, NULL,
						times[i].percent, &ns) ?
			json_integer((json_int_t)ns) : json_null());
}

static json_t *weirctl_refused_json(const struct weirctl_flow *f)
{
	json_t *o = json_object();
	uint32_t i;

	if (!f->known) {
		json_decref(o);
		return json_null();
	}
	for (i = 0; i < WEIR_REASON_MAX; i++) {
		if (f->refused[i] > 0)
			json_object_set_new(o, weir_reason_name(i),
					    json_real(f->refused[i]));
	}
	return o;
}

json_t *weirctl_routes_json(const struct weirctl_options *o,
			    const struct weirctl_look *was,
			    const struct weirctl_look *is)
{
	json_t *array = json_array(), *e;
	struct weirctl_flow *flows;
	size_t n, i;

	flows = weirctl_flows(o, was, is, false, &n);
	for (i = 0; i < n; i++) {
		e = weirctl_route_json(flows[i].route);
		weirctl_flow_json(e, &flows[i]);
		weirctl_json_put(e, "in_flight", flows[i].in_flight);
		weirctl_json_put(e, "targets_up", flows[i].up);
		weirctl_json_put(e, "breakers_open", flows[i].open);
		weirctl_json_put(e, "targets_ejected", flows[i].ejected);
		json_object_set_new(e, "refused_per_second",
				    weirctl_refused_json(&flows[i]));
		json_array_append_new(array, e);
	}
	free(flows);
	return array;
}

json_t *weirctl_targets_json(const struct weirctl_options *o,
			     const struct weirctl_look *was,
			     const struct weirctl_look *is)
{
	json_t *array = json_array(), *e;
	struct weirctl_flow *flows;
	size_t n, i;

	flows = weirctl_flows(o, was, is, true, &n);
	for (i = 0; i < n; i++) {
		e = weirctl_target_json(flows[i].target, &is->routes);
		weirctl_flow_json(e, &flows[i]);
		json_array_append_new(array, e);
	}
	free(flows);
	return array;
}
