// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl route: the configuration and the counters of routes. A key that is
 * not given keeps its value: the configuration is read, changed and written
 * back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"
#include "weirctl_conf.h"
#include "weirctl_control.h"
#include "weirctl_json.h"
#include "weirctl_list.h"
#include "weirctl_pattern.h"
#include "weirctl_reason.h"
#include "weirctl_route.h"
#include "weirctl_table.h"
#include "weirctl_unit.h"

/* Reasons without a name in this weirctl are counted as well. */
#define WEIRCTL_REASONS	(WEIR_REFUSED_FIRST + WEIR_REFUSED_MORE)
#define U(value)	((unsigned long long)(value))

const struct weir_route_entry *
weirctl_route_find(const struct weirctl_list *routes, const char *path)
{
	size_t i;

	for (i = 0; i < routes->count; i++) {
		if (!strcmp(routes->routes[i].path, path))
			return &routes->routes[i];
	}
	return NULL;
}

/* The path of a route by id; "" when it is gone. */
const char *weirctl_route_path(const struct weirctl_list *routes, uint64_t id)
{
	const struct weir_route_entry *e = weirctl_list_find(routes, id);

	return e ? e->path : "";
}

uint64_t weirctl_refusals(const struct weir_route_entry *e)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < WEIRCTL_REASONS; i++)
		sum += weir_route_refused(e, i);
	return sum;
}

json_t *weirctl_route_json(const struct weir_route_entry *e)
{
	json_t *o = json_object(), *refused = json_object();
	char text[16];
	uint32_t i;

	weirctl_json_put(o, "id", e->id);
	json_object_set_new(o, "path", weirctl_json_text(e->path));
	weirctl_json_put(o, "uid", e->uid);
	weirctl_json_put(o, "gid", e->gid);
	snprintf(text, sizeof(text), "%04o", e->mode & 0777);
	json_object_set_new(o, "mode", json_string(text));
	weirctl_json_put(o, "targets", e->targets);
	json_object_set_new(o, "set", json_boolean(e->set));
	weirctl_json_put(o, "calls", e->calls);
	weirctl_json_put(o, "mirrored", e->mirrored);
	weirctl_json_put(o, "fallbacks", e->fallbacks);
	weirctl_json_put(o, "retries", e->retries);
	weirctl_json_put(o, "dups", e->dups);
	for (i = 0; i < WEIR_REASON_MAX; i++) {
		uint64_t n = weir_route_refused(e, i);

		if (n)
			weirctl_json_put(refused, weir_reason_name(i), n);
	}
	json_object_set_new(o, "refused", refused);
	json_object_set_new(o, "conf", weirctl_conf_json(&e->conf));
	return o;
}

/* Opens a handle and fetches the routes; both must be freed, whatever comes. */
static int weirctl_routes_fetch(struct weir **w, struct weirctl_list *routes)
{
	int ret = weirctl_open(w);

	memset(routes, 0, sizeof(*routes));
	if (!ret)
		return weirctl_list_fetch(*w, WEIR_LIST_ROUTES, routes);
	*w = NULL;
	return ret;
}

/* --- list --- */

static void weirctl_route_count(struct weirctl_table *t, uint32_t n)
{
	if (n)
		weirctl_table_cell(t, "%u", n);
	else
		weirctl_table_cell(t, "-");
}

static void weirctl_route_row(struct weirctl_table *t,
			      const struct weir_route_entry *e)
{
	const struct weir_route_conf *c = &e->conf;
	char b[24];

	weirctl_table_cell(t, "%s", weirctl_policy_name(c->policy));
	weirctl_table_cell(t, "%u", e->targets);
	weirctl_table_cell(t, "%s", c->timeout_ns ?
			   weirctl_duration_text(c->timeout_ns, b) : "5s");
	weirctl_route_count(t, c->rate);
	weirctl_route_count(t, c->bulkhead);
	weirctl_table_cell(t, "%s", c->breaker_min_calls ? "on" : "off");
	weirctl_table_cell(t, "%u", c->retries);
	weirctl_table_cell(t, "%llu", U(e->calls));
	weirctl_table_cell(t, "%llu", U(weirctl_refusals(e)));
	weirctl_table_cell(t, "%s", e->set ? "yes" : "no");
	weirctl_table_cell(t, "%s", e->path);
}

static void weirctl_routes_print(const struct weirctl_options *o,
				 const struct weirctl_list *routes)
{
	static const char *const titles[] = {
		"POLICY", "TARGETS", "TIMEOUT", "RATE", "BULKHEAD", "BREAKER",
		"RETRIES", "CALLS", "REFUSED", "SET", "PATH" };
	struct weirctl_table *t = weirctl_table_new(titles, "lrrrrlrrrll");
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < routes->count; i++) {
		const struct weir_route_entry *e = &routes->routes[i];

		if (o->pattern && !weirctl_pattern_match(o->pattern, e->path))
			continue;
		if (o->json)
			json_array_append_new(array, weirctl_route_json(e));
		else
			weirctl_route_row(t, e);
	}
	if (o->json)
		weirctl_json_print(json_incref(array));
	else
		weirctl_table_print(t);
	json_decref(array);
	weirctl_table_free(t);
}

/* weirctl route [list [PATTERN]] */
int weirctl_route_list(const struct weirctl_options *o)
{
	struct weirctl_list routes;
	struct weir *w;
	int ret = weirctl_routes_fetch(&w, &routes);

	if (!ret)
		weirctl_routes_print(o, &routes);
	weirctl_list_free(&routes);
	weir_close(w);
	return ret;
}

/* --- show --- */

static void weirctl_show_conf(const struct weir_route_conf *conf)
{
	static const char *const titles[] = { "KEY", "VALUE", "MEANING" };
	struct weirctl_table *t = weirctl_table_new(titles, "lll");
	char buf[WEIR_PATH_MAX + 1];
	size_t i;

	for (i = 0; i < weirctl_key_count; i++) {
		const struct weirctl_key *k = &weirctl_keys[i];

		if (k->kind == WEIRCTL_KEY_FILE ||
		    (k->lead != WEIRCTL_NO_LEAD && !weirctl_key_shown(k, conf)))
			continue;
		weirctl_table_cell(t, "%s", k->name);
		if (weirctl_key_zero(k, conf))
			weirctl_table_cell(t, "%s", k->zero);
		else
			weirctl_table_cell(t, "%s",
					   weirctl_key_text(k, conf, buf));
		weirctl_table_cell(t, "%s", k->text);
	}
	weirctl_table_print(t);
	weirctl_table_free(t);
}

static void weirctl_show_counters(const struct weir_route_entry *e)
{
	static const char *const titles[] = { "COUNTER", "VALUE", "MEANING" };
	const struct {
		const char	*name;
		uint64_t	value;
		const char	*text;
	} counters[] = {
		{ "calls", e->calls, "messages that targets got" },
		{ "mirrored", e->mirrored, "copies that mirror got" },
		{ "fallbacks", e->fallbacks, "requests that went to the fallback" },
		{ "retries", e->retries, "attempts after the first" },
		{ "dups", e->dups, "answered from another request's reply" },
	};
	struct weirctl_table *t = weirctl_table_new(titles, "lrl");
	uint32_t reason;
	size_t i;

	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		weirctl_table_cell(t, "%s", counters[i].name);
		weirctl_table_cell(t, "%llu", U(counters[i].value));
		weirctl_table_cell(t, "%s", counters[i].text);
	}
	for (reason = 0; reason < WEIRCTL_REASONS; reason++) {
		uint64_t n = weir_route_refused(e, reason);

		if (!n)
			continue;
		weirctl_table_cell(t, "refused, %s", weir_reason_name(reason));
		weirctl_table_cell(t, "%llu", U(n));
		weirctl_table_cell(t, "%s", weirctl_reason_text(reason));
	}
	weirctl_table_print(t);
	weirctl_table_free(t);
}

static void weirctl_route_print(const struct weirctl_options *o,
				const struct weir_route_entry *e)
{
	if (o->json) {
		weirctl_json_print(weirctl_route_json(e));
		return;
	}
	printf("%s: mode %04o, uid %u, gid %u, targets %u, %s\n\n", e->path,
	       e->mode & 0777, e->uid, e->gid, e->targets,
	       e->set ? "set" : "not set: it goes with its last target");
	weirctl_show_conf(&e->conf);
	putchar('\n');
	weirctl_show_counters(e);
}

/* weirctl route show PATH */
int weirctl_route_show(const struct weirctl_options *o)
{
	const struct weir_route_entry *e;
	struct weirctl_list routes;
	struct weir *w;
	int ret = weirctl_routes_fetch(&w, &routes);

	e = weirctl_route_find(&routes, o->argv[0]);
	if (!ret && !e)
		ret = weirctl_fail("there is no route %s that you may see; 'weirctl route' lists them",
				   o->argv[0]);
	if (!ret)
		weirctl_route_print(o, e);
	weirctl_list_free(&routes);
	weir_close(w);
	return ret;
}

/* --- set and del --- */

/* Cuts KEY=VALUE at its sign; @value is NULL when there is none. */
static void weirctl_cut(char *arg, const char **value)
{
	char *sign = strchr(arg, '=');

	*value = sign ? sign + 1 : NULL;
	if (sign)
		*sign = '\0';
}

static int weirctl_route_keys(struct weirctl_change *c, int argc, char **argv)
{
	char why[WEIRCTL_WHY];
	const char *value;
	int i;

	for (i = 0; i < argc; i++) {
		weirctl_cut(argv[i], &value);
		if (!value)
			return weirctl_misuse("'%s' is not KEY=VALUE", argv[i]);
		if (!weirctl_change_set(c, argv[i], value, why))
			return weirctl_misuse("%s", why);
	}
	if (!weirctl_change_finish(c, why))
		return weirctl_misuse("%s", why);
	return WEIRCTL_OK;
}

static int weirctl_route_change(struct weir *w,
				const struct weirctl_list *routes, int argc,
				char **argv)
{
	const struct weir_route_entry *e = weirctl_route_find(routes, argv[0]);
	struct weirctl_ops ops = { 0 };
	struct weirctl_change c;
	int ret;

	weirctl_change_init(&c, e ? &e->conf : NULL);
	ret = weirctl_route_keys(&c, argc - 1, argv + 1);
	if (!ret) {
		weirctl_ops_add(&ops, WEIR_OP_ROUTE_SET, argv[0])->conf =
			c.conf;
		ret = weirctl_control_say(w, &ops);
	}
	weirctl_ops_free(&ops);
	weirctl_change_free(&c);
	return ret;
}

/* weirctl route set PATH [KEY=VALUE]... */
int weirctl_route_set(const struct weirctl_options *o)
{
	struct weirctl_list routes;
	struct weir *w;
	int ret = weirctl_routes_fetch(&w, &routes);

	if (!ret)
		ret = weirctl_route_change(w, &routes, o->argc, o->argv);
	weirctl_list_free(&routes);
	weir_close(w);
	return ret;
}

/* weirctl route del PATH */
int weirctl_route_del(const struct weirctl_options *o)
{
	struct weirctl_ops ops = { 0 };
	struct weir *w;
	int ret = weirctl_open(&w);

	if (ret)
		return ret;
	weirctl_ops_add(&ops, WEIR_OP_ROUTE_DEL, o->argv[0]);
	ret = weirctl_control_say(w, &ops);
	weirctl_ops_free(&ops);
	weir_close(w);
	return ret;
}
