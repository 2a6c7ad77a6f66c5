// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl apply and weirctl save: routes, the routes that are their targets,
 * and tunables, in a file; see weirctl-config(5).
 *
 * Applying takes three steps. First the whole file is read and checked. Then
 * the differences are collected. Last, tunables are written, and all changes of
 * routes are made by one control call. If that call is refused, the tunables
 * get their old values back.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weirctl.h"
#include "weirctl_conf.h"
#include "weirctl_config.h"
#include "weirctl_control.h"
#include "weirctl_json.h"
#include "weirctl_list.h"
#include "weirctl_pattern.h"
#include "weirctl_route.h"
#include "weirctl_sysfs.h"
#include "weirctl_unit.h"

/**
 * struct weirctl_tuned - a tunable of the file
 * @name: the tunable.
 * @value: value to be set.
 * @was: current value, which a failure restores.
 */
struct weirctl_tuned {
	const char		*name;
	unsigned long long	value;
	unsigned long long	was;
};

/**
 * struct weirctl_file - a file that is applied
 * @o: the command line.
 * @name: name of the file.
 * @dir: directory of the file, for the names of files in it.
 * @text: its text.
 * @json: its text as JSON values.
 * @w: a handle.
 * @routes: routes that the kernel has.
 * @targets: targets that the kernel has.
 * @changes: of routes, one for each in the file; they own the replies.
 * @ops: the changes for the kernel.
 * @origin: index of the file's route for each of @ops; the number of routes
 *	in the file when the change comes from none of them.
 * @tuned: tunables of the file that are to be changed.
 * @ntuned: number of entries in @tuned.
 */
struct weirctl_file {
	const struct weirctl_options	*o;
	const char			*name;
	char				dir[4096];
	char				*text;
	json_t				*json;
	struct weir			*w;
	struct weirctl_list		routes;
	struct weirctl_list		targets;
	struct weirctl_change		*changes;
	struct weirctl_ops		ops;
	size_t				*origin;
	struct weirctl_tuned		*tuned;
	size_t				ntuned;
};

/* Refuses a value of the file, which @steps lead to. */
__attribute__((format(printf, 4, 5)))
static int weirctl_file_fail(const struct weirctl_file *f,
			     const struct weirctl_step *steps, size_t count,
			     const char *format, ...)
{
	char why[2 * WEIRCTL_WHY];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	return weirctl_fail("%s:%u: %s", f->name,
			    weirctl_locate(f->text, steps, count), why);
}

/* --- reading --- */

/* All of a file as a string; "-" is standard input. */
static int weirctl_slurp(struct weirctl_file *f)
{
	FILE *in = strcmp(f->name, "-") ? fopen(f->name, "re") : stdin;
	size_t room = 0, len = 0, n = 1;

	if (!in)
		return weirctl_fail("%s: %s", f->name, strerror(errno));
	while (n) {
		if (room - len < 4096) {
			room = 2 * room + 8192;
			f->text = weirctl_must(realloc(f->text, room));
		}
		n = fread(f->text + len, 1, room - len - 1, in);
		len += n;
	}
	f->text[len] = '\0';
	n = ferror(in) ? (size_t)errno : 0;
	if (in != stdin)
		fclose(in);
	return n ? weirctl_fail("%s: %s", f->name, strerror((int)n)) :
	       WEIRCTL_OK;
}

static void weirctl_file_dir(struct weirctl_file *f)
{
	const char *slash = strrchr(f->name, '/');

	snprintf(f->dir, sizeof(f->dir), "%.*s",
		 slash ? (int)(slash - f->name) : 1, slash ? f->name : ".");
}

static int weirctl_file_read(struct weirctl_file *f)
{
	json_error_t err;
	int ret = weirctl_slurp(f);

	if (ret)
		return ret;
	weirctl_file_dir(f);
	f->json = json_loads(f->text, JSON_REJECT_DUPLICATES, &err);
	if (!f->json)
		return weirctl_fail("%s:%d: %s", f->name, err.line, err.text);
	if (!json_is_object(f->json))
		return weirctl_fail("%s:1: the file is one object, with routes and tunables in it",
				    f->name);
	return WEIRCTL_OK;
}

/* --- checking --- */

/* Only these keys, and of these types. */
static int weirctl_check_top(const struct weirctl_file *f)
{
	struct weirctl_step step = { 0 };
	const char *key;
	json_t *value;

	json_object_foreach(f->json, key, value) {
		step.key = key;
		if (!strcmp(key, "routes")) {
			if (!json_is_array(value))
				return weirctl_file_fail(f, &step, 1,
					"routes is an array of objects");
		} else if (!strcmp(key, "tunables")) {
			if (!json_is_object(value))
				return weirctl_file_fail(f, &step, 1,
					"tunables is an object of numbers");
		} else {
			return weirctl_file_fail(f, &step, 1,
				"there is no key '%.100s': routes and tunables are all",
				key);
		}
	}
	return WEIRCTL_OK;
}

/* The path of an object. It must be present and valid. */
static int weirctl_check_object(const struct weirctl_file *f,
				const json_t *object, const char *what,
				struct weirctl_step *steps, size_t count,
				const char **path)
{
	const json_t *value = json_object_get(object, "path");
	const char *why;

	if (!json_is_object(object))
		return weirctl_file_fail(f, steps, count,
					 "%s is written as an object", what);
	if (!value)
		return weirctl_file_fail(f, steps, count, "%s without a path",
					 what);
	steps[count].key = "path";
	*path = json_string_value(value);
	why = *path ? weirctl_pattern_check(*path) :
	      "it is written as a string";
	if (why)
		return weirctl_file_fail(f, steps, count + 1,
					 "'%.255s' is no path: %s",
					 *path ? *path : "path", why);
	return WEIRCTL_OK;
}

static const char *weirctl_file_path(const json_t *array, size_t i)
{
	return json_string_value(json_object_get(json_array_get(array, i),
						 "path"));
}

/* Has the path of entry @i of the array come before? */
static bool weirctl_twice(const json_t *array, size_t i, size_t *first)
{
	for (*first = 0; *first < i; (*first)++) {
		if (!strcmp(weirctl_file_path(array, *first),
			    weirctl_file_path(array, i)))
			return true;
	}
	return false;
}

static int weirctl_check_target(const struct weirctl_file *f,
				const json_t *array, size_t i,
				struct weirctl_step *steps)
{
	const json_t *target = json_array_get(array, i);
	const char *path, *key;
	json_t *value;
	size_t first;
	int ret;

	steps[3] = (struct weirctl_step){ .index = i };
	steps[4] = (struct weirctl_step){ 0 };
	ret = weirctl_check_object(f, target, "a target", steps, 4, &path);
	if (ret)
		return ret;
	if (weirctl_twice(array, i, &first))
		return weirctl_file_fail(f, steps, 5, "target %s comes twice",
					 path);
	json_object_foreach((json_t *)(uintptr_t)target, key, value) {
		json_int_t n = json_integer_value(value);

		steps[4].key = key;
		if (!strcmp(key, "path"))
			continue;
		if (strcmp(key, "weight"))
			return weirctl_file_fail(f, steps, 5,
				"there is no key '%.100s': a target has path and weight",
				key);
		if (!json_is_integer(value) || n < 0 || n > WEIR_WEIGHT_MAX)
			return weirctl_file_fail(f, steps, 5,
				"a weight is a number from 0 to %u",
				WEIR_WEIGHT_MAX);
	}
	return WEIRCTL_OK;
}

static int weirctl_check_targets(const struct weirctl_file *f,
				 const json_t *array,
				 struct weirctl_step *steps)
{
	size_t i;
	int ret = WEIRCTL_OK;

	steps[2] = (struct weirctl_step){ .key = "targets" };
	if (!json_is_array(array))
		return weirctl_file_fail(f, steps, 3,
					 "targets is an array of objects");
	for (i = 0; i < json_array_size(array) && !ret; i++)
		ret = weirctl_check_target(f, array, i, steps);
	return ret;
}

/* A reply that is to stay must exist. */
static int weirctl_check_kept(const struct weirctl_file *f, const char *path,
			      struct weirctl_change *c,
			      const struct weirctl_step *steps)
{
	const struct weir_route_entry *e = weirctl_route_find(&f->routes, path);

	if (!c->keep_reply)
		return WEIRCTL_OK;
	if (!e || !e->conf.fallback_len)
		return weirctl_file_fail(f, steps, 3,
			"null keeps the reply that %s has, but it has none",
			path);
	c->conf.fallback_len = e->conf.fallback_len;
	return WEIRCTL_OK;
}

static int weirctl_check_route(const struct weirctl_file *f,
			       const json_t *array, size_t i)
{
	struct weirctl_step steps[5] = {
		{ .key = "routes" }, { .index = i } };
	struct weirctl_change *c = &f->changes[i];
	const json_t *route = json_array_get(array, i);
	char why[WEIRCTL_WHY];
	const char *path, *key;
	json_t *value;
	size_t first;
	int ret;

	weirctl_change_init(c, NULL);
	ret = weirctl_check_object(f, route, "a route", steps, 2, &path);
	if (ret)
		return ret;
	if (weirctl_twice(array, i, &first))
		return weirctl_file_fail(f, steps, 3, "route %s comes twice",
					 path);
	json_object_foreach((json_t *)(uintptr_t)route, key, value) {
		steps[2] = (struct weirctl_step){ .key = key };
		if (!strcmp(key, "path"))
			continue;
		if (!strcmp(key, "targets"))
			ret = weirctl_check_targets(f, value, steps);
		else if (!weirctl_change_json(c, key, value, f->dir, why))
			ret = weirctl_file_fail(f, steps, 3, "%s", why);
		if (ret)
			return ret;
	}
	if (!weirctl_change_finish(c, why))
		return weirctl_file_fail(f, steps, 2, "%s: %s", path, why);
	steps[2].key = "fallback-reply";
	return weirctl_check_kept(f, path, c, steps);
}

static int weirctl_check_routes(struct weirctl_file *f)
{
	const json_t *array = json_object_get(f->json, "routes");
	size_t i, n = json_array_size(array);
	int ret = WEIRCTL_OK;

	f->changes = weirctl_must(calloc(n + 1, sizeof(*f->changes)));
	for (i = 0; i < n && !ret; i++)
		ret = weirctl_check_route(f, array, i);
	return ret;
}

static int weirctl_check_tunable(struct weirctl_file *f, const char *name,
				 const json_t *value)
{
	struct weirctl_step steps[] = { { .key = "tunables" }, { .key = name } };
	struct weirctl_tuned *t = &f->tuned[f->ntuned];
	const char *text = json_string_value(value);
	char why[WEIRCTL_WHY], hint[80];

	t->name = name;
	if (!weirctl_is_tunable(name))
		return weirctl_file_fail(f, steps, 2, "no tunable '%.100s'%s; 'weirctl tune' lists them",
					 name, weirctl_tunable_hint(name, hint));
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		t->value = (unsigned long long)json_integer_value(value);
	else if (!text || !weirctl_number(text, &t->value))
		return weirctl_file_fail(f, steps, 2, "%s is written as a number, or a string such as \"64K\"",
					 name);
	if (!weirctl_tunable_check(name, t->value, why))
		return weirctl_file_fail(f, steps, 2, "%s", why);
	if (!weirctl_sysfs_read("tunables", name, &t->was))
		return weirctl_fail("%s is not readable", name);
	f->ntuned += t->value != t->was;
	return WEIRCTL_OK;
}

static int weirctl_check_tunables(struct weirctl_file *f)
{
	json_t *tunables = json_object_get(f->json, "tunables"), *value;
	const char *name;
	int ret;

	f->tuned = weirctl_must(calloc(json_object_size(tunables) + 1,
				       sizeof(*f->tuned)));
	json_object_foreach(tunables, name, value) {
		ret = weirctl_check_tunable(f, name, value);
		if (ret)
			return ret;
	}
	return WEIRCTL_OK;
}

/* --- putting it together --- */

static struct weir_route_op *weirctl_plan(struct weirctl_file *f, size_t origin,
					  uint32_t op, const char *path)
{
	struct weir_route_op *new = weirctl_ops_add(&f->ops, op, path);

	f->origin = weirctl_must(realloc(f->origin, f->ops.count *
					 sizeof(*f->origin)));
	f->origin[f->ops.count - 1] = origin;
	return new;
}

/* The target of a route of the kernel that is itself a route. */
static const struct weir_target_entry *
weirctl_target_of(const struct weirctl_file *f,
		  const struct weir_route_entry *route, const char *path)
{
	size_t i;

	for (i = 0; route && i < f->targets.count; i++) {
		const struct weir_target_entry *e = &f->targets.targets[i];

		if (e->route == route->id && !e->socket &&
		    !strcmp(e->path, path))
			return e;
	}
	return NULL;
}

static bool weirctl_conf_same(const struct weirctl_change *c,
			      const struct weir_route_conf *now)
{
	/* what a reply says cannot be read, so a new one counts as different */
	return !c->reply && !memcmp(&c->conf, now, sizeof(*now));
}

static void weirctl_plan_targets(struct weirctl_file *f, size_t i,
				 const struct weir_route_entry *route)
{
	const json_t *array = json_object_get(f->json, "routes"), *weight;
	const char *path = weirctl_file_path(array, i), *to;
	size_t j;

	array = json_object_get(json_array_get(array, i), "targets");
	for (j = 0; j < json_array_size(array); j++) {
		const struct weir_target_entry *e;
		uint32_t n = 1;

		to = weirctl_file_path(array, j);
		weight = json_object_get(json_array_get(array, j), "weight");
		if (weight)
			n = (uint32_t)json_integer_value(weight);
		e = weirctl_target_of(f, route, to);
		if (!e || e->weight != n)
			weirctl_ops_target(weirctl_plan(f, i, e ?
					   WEIR_OP_TARGET_SET :
					   WEIR_OP_TARGET_ADD, path), 0, to, n);
	}
}

static bool weirctl_file_has(const json_t *array, const char *path, size_t *at)
{
	for (*at = 0; *at < json_array_size(array); (*at)++) {
		if (!strcmp(weirctl_file_path(array, *at), path))
			return true;
	}
	return false;
}

/*
 * Routes, and targets that are routes, that were set and are not in the file.
 */
static void weirctl_plan_prune(struct weirctl_file *f)
{
	const json_t *array = json_object_get(f->json, "routes"), *targets;
	size_t none = json_array_size(array), i, at, to;

	for (i = 0; i < f->targets.count; i++) {
		const struct weir_target_entry *e = &f->targets.targets[i];
		const char *path = weirctl_route_path(&f->routes, e->route);

		if (e->socket || !path[0])
			continue;
		weirctl_file_has(array, path, &at);
		targets = json_object_get(json_array_get(array, at), "targets");
		if (!weirctl_file_has(targets, e->path, &to))
			weirctl_ops_target(weirctl_plan(f, none,
					   WEIR_OP_TARGET_DEL, path), 0,
					   e->path, 0);
	}
	for (i = 0; i < f->routes.count; i++) {
		const struct weir_route_entry *e = &f->routes.routes[i];

		if (e->set && !weirctl_file_has(array, e->path, &at))
			weirctl_plan(f, none, WEIR_OP_ROUTE_DEL, e->path);
	}
}

/* Routes come before targets, which may name routes that come later. */
static void weirctl_plan_all(struct weirctl_file *f)
{
	const json_t *array = json_object_get(f->json, "routes");
	const struct weir_route_entry *e;
	size_t i, n = json_array_size(array);

	for (i = 0; i < n; i++) {
		const char *path = weirctl_file_path(array, i);

		e = weirctl_route_find(&f->routes, path);
		if (!e || !e->set ||
		    !weirctl_conf_same(&f->changes[i], &e->conf))
			weirctl_plan(f, i, WEIR_OP_ROUTE_SET, path)->conf =
				f->changes[i].conf;
	}
	for (i = 0; i < n; i++) {
		e = weirctl_route_find(&f->routes, weirctl_file_path(array, i));
		weirctl_plan_targets(f, i, e);
	}
	if (f->o->prune)
		weirctl_plan_prune(f);
}

/* --- doing it --- */

static void weirctl_tell(const struct weirctl_file *f)
{
	char text[2 * WEIR_PATH_MAX + 64];
	size_t i;

	for (i = 0; i < f->ntuned; i++)
		printf("setting tunable %s from %llu to %llu\n",
		       f->tuned[i].name, f->tuned[i].was, f->tuned[i].value);
	for (i = 0; i < f->ops.count; i++)
		printf("%s\n", weirctl_op_text(&f->ops.ops[i], text,
					       sizeof(text)));
}

static void weirctl_roll_back(const struct weirctl_file *f, size_t count)
{
	char why[WEIRCTL_WHY];

	while (count--) {
		if (weirctl_tunable_write(f->tuned[count].name,
					  f->tuned[count].was, why))
			weirctl_fail("putting it back: %s", why);
	}
}

static int weirctl_refused(const struct weirctl_file *f, size_t failed,
			   const char *why)
{
	const json_t *array = json_object_get(f->json, "routes");
	struct weirctl_step steps[2] = { { .key = "routes" } };
	char what[2 * WEIR_PATH_MAX + 64];

	if (failed >= f->ops.count)
		return weirctl_fail("%s: %s; nothing has been changed", f->name,
				    why);
	weirctl_op_text(&f->ops.ops[failed], what, sizeof(what));
	steps[1].index = f->origin[failed];
	if (steps[1].index == json_array_size(array))
		return weirctl_fail("%s: %s: %s; nothing has been changed",
				    f->name, what, why);
	return weirctl_file_fail(f, steps, 2, "%s: %s; nothing has been changed",
				 what, why);
}

static int weirctl_do(const struct weirctl_file *f)
{
	char why[WEIRCTL_WHY];
	size_t i, failed;

	for (i = 0; i < f->ntuned; i++) {
		if (!weirctl_tunable_write(f->tuned[i].name, f->tuned[i].value,
					   why))
			continue;
		weirctl_roll_back(f, i);
		return weirctl_fail("%s; nothing has been changed", why);
	}
	if (!weirctl_control(f->w, &f->ops, &failed, why))
		return WEIRCTL_OK;
	weirctl_roll_back(f, f->ntuned);
	return weirctl_refused(f, failed, why);
}

static void weirctl_file_free(struct weirctl_file *f)
{
	size_t i, n = json_array_size(json_object_get(f->json, "routes"));

	for (i = 0; f->changes && i < n; i++)
		weirctl_change_free(&f->changes[i]);
	free(f->changes);
	free(f->origin);
	free(f->tuned);
	weirctl_ops_free(&f->ops);
	weirctl_list_free(&f->targets);
	weirctl_list_free(&f->routes);
	json_decref(f->json);
	free(f->text);
	weir_close(f->w);
}

/* weirctl apply [--dry-run] [--prune] FILE */
int weirctl_apply(const struct weirctl_options *o)
{
	struct weirctl_file f = { .o = o, .name = o->argv[0] };
	int ret = weirctl_file_read(&f);

	if (!ret)
		ret = weirctl_check_top(&f);
	if (!ret)
		ret = weirctl_open(&f.w);
	if (!ret)
		ret = weirctl_list_fetch(f.w, WEIR_LIST_TARGETS, &f.targets);
	if (!ret)
		ret = weirctl_list_fetch(f.w, WEIR_LIST_ROUTES, &f.routes);
	if (!ret)
		ret = weirctl_check_routes(&f);
	if (!ret)
		ret = weirctl_check_tunables(&f);
	if (!ret) {
		weirctl_plan_all(&f);
		if (o->dry_run)
			weirctl_tell(&f);
		else
			ret = weirctl_do(&f);
	}
	weirctl_file_free(&f);
	return ret;
}

/* --- save --- */

static json_t *weirctl_save_targets(const struct weirctl_list *targets,
				    uint64_t route)
{
	json_t *array = json_array(), *o;
	size_t i;

	for (i = 0; i < targets->count; i++) {
		const struct weir_target_entry *e = &targets->targets[i];

		if (e->route != route || e->socket)
			continue;
		o = json_object();
		json_object_set_new(o, "path", weirctl_json_text(e->path));
		weirctl_json_put(o, "weight", e->weight);
		json_array_append_new(array, o);
	}
	return array;
}

static void weirctl_save_route(json_t *array, const struct weir_route_entry *e,
			       const struct weirctl_list *targets)
{
	json_t *o = json_object(), *to = weirctl_save_targets(targets, e->id);
	json_t *path = json_string(e->path);

	if (!path)
		weirctl_fail("%s: the path is not UTF-8, and left out", e->path);
	else if (e->set || json_array_size(to)) {
		json_object_set(o, "path", path);
		json_object_update_new(o, weirctl_conf_json(&e->conf));
		if (json_array_size(to))
			json_object_set(o, "targets", to);
		json_array_append(array, o);
		if (e->conf.fallback_len)
			weirctl_fail("%s: its fallback reply of %u bytes cannot be read: put it into the file, or null keeps what the route has",
				     e->path, e->conf.fallback_len);
	}
	json_decref(path);
	json_decref(to);
	json_decref(o);
}

static void weirctl_save_tunable(void *ctx, const char *name,
				 unsigned long long value)
{
	weirctl_json_put(ctx, name, value);
}

/* All that a file can hold, from the kernel; NULL after a failure. */
static json_t *weirctl_save_all(struct weir *w)
{
	struct weirctl_list routes, targets = { 0 };
	json_t *array = json_array(), *tunables = json_object();
	size_t i;
	int ret = weirctl_list_fetch(w, WEIR_LIST_ROUTES, &routes);

	if (!ret)
		ret = weirctl_list_fetch(w, WEIR_LIST_TARGETS, &targets);
	for (i = 0; !ret && i < routes.count; i++)
		weirctl_save_route(array, &routes.routes[i], &targets);
	if (!ret)
		ret = weirctl_sysfs_each("tunables", tunables,
					 weirctl_save_tunable);
	weirctl_list_free(&targets);
	weirctl_list_free(&routes);
	if (!ret)
		return json_pack("{s:o, s:o}", "routes", array, "tunables",
				 tunables);
	json_decref(array);
	json_decref(tunables);
	return NULL;
}

/* Replaces the file as a whole: a reader never finds a part of it. */
static int weirctl_save_file(const json_t *all, const char *name)
{
	char temporary[4096];
	FILE *out = NULL;
	bool good;
	int fd = -1;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", name) <
	    (int)sizeof(temporary))
		fd = mkstemp(temporary);
	if (fd >= 0)
		out = fdopen(fd, "w");
	if (!out)
		return weirctl_fail("%s: %s", name, strerror(errno));
	good = !json_dumpf(all, out, JSON_INDENT(2)) && fputc('\n', out) > 0 &&
	       !fflush(out) && !fchmod(fd, 0644) && !fsync(fd);
	good = !fclose(out) && good;
	if (good && !rename(temporary, name))
		return WEIRCTL_OK;
	weirctl_fail("%s: %s", name, strerror(errno));
	unlink(temporary);
	return WEIRCTL_FAILED;
}

/* weirctl save [FILE] */
int weirctl_save(const struct weirctl_options *o)
{
	const char *file = o->argc ? o->argv[0] : NULL;
	struct weir *w;
	json_t *all;
	int ret = weirctl_open(&w);

	if (ret)
		return ret;
	all = weirctl_save_all(w);
	weir_close(w);
	if (!all)
		return WEIRCTL_FAILED;
	if (file && strcmp(file, "-")) {
		ret = weirctl_save_file(all, file);
		json_decref(all);
	} else {
		weirctl_json_print(all);
	}
	return ret;
}
