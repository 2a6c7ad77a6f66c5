// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * What a message meets if it is sent now: the targets, the permissions and the
 * guards, from the kernel's lists.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "weirctl_json.h"
#include "weirctl_list.h"
#include "weirctl_pattern.h"
#include "weirctl_reason.h"
#include "weirctl_route.h"
#include "weirctl_target.h"
#include "weirctl_trace.h"

#define U(value)	((unsigned long long)(value))

/**
 * struct weirctl_case - a diagnosis
 * @o: the command line.
 * @path: path that the diagnosis is about.
 * @lines: number of findings so far.
 */
struct weirctl_case {
	const struct weirctl_options *o;
	const char	*path;
	unsigned int	lines;
};

__attribute__((format(printf, 2, 3)))
static void weirctl_say(struct weirctl_case *c, const char *format, ...)
{
	char text[640];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (c->o->json)
		weirctl_json_line(json_pack("{s:s, s:o, s:o}", "event", "now",
					    "path", weirctl_json_text(c->path),
					    "text", weirctl_json_text(text)));
	else
		printf("%s: %s\n", c->path, text);
	c->lines++;
}

/**
 * struct weirctl_serving - the targets of a route, counted
 * @all: number of targets.
 * @weight: sum of the weights.
 * @open: number of targets with an open breaker.
 * @ejected: number of targets that the watchdog has ejected.
 * @well: number of targets that get messages.
 */
struct weirctl_serving {
	unsigned int	all;
	uint64_t	weight;
	unsigned int	open;
	unsigned int	ejected;
	unsigned int	well;
};

static void weirctl_say_target(struct weirctl_case *c,
			       const struct weir_target_entry *t,
			       struct weirctl_serving *s)
{
	char name[WEIR_PATH_MAX + 1];

	weirctl_target_name(t, name);
	s->all++;
	s->weight += t->weight;
	s->open += t->breaker == WEIR_BREAKER_OPEN;
	s->ejected += t->state == WEIR_TARGET_EJECTED;
	s->well += t->weight && t->breaker != WEIR_BREAKER_OPEN &&
		   t->state == WEIR_TARGET_UP;
	if (t->state == WEIR_TARGET_EJECTED)
		weirctl_say(c, "target %llu (%s) is ejected: it holds %u requests and does nothing",
			    U(t->id), t->socket ? name : t->path, t->in_flight);
	if (t->breaker == WEIR_BREAKER_OPEN)
		weirctl_say(c, "the circuit breaker of target %llu (%s) is open: it gets nothing ('weirctl breaker auto %llu' closes it)",
			    U(t->id), t->socket ? name : t->path, U(t->id));
	else if (t->breaker == WEIR_BREAKER_ONE_USER)
		weirctl_say(c, "the circuit breaker of target %llu (%s) is open for one user, whose calls fail or are slow",
			    U(t->id), t->socket ? name : t->path);
}

static void weirctl_say_serving(struct weirctl_case *c,
				const struct weirctl_serving *s)
{
	if (!s->all)
		weirctl_say(c, "nobody serves it: requests are refused for 'no_target'");
	else if (!s->weight)
		weirctl_say(c, "all %u targets have weight 0: nobody gets anything",
			    s->all);
	else if (!s->well)
		weirctl_say(c, "none of the %u targets takes messages now: open breakers %u, ejected %u",
			    s->all, s->open, s->ejected);
}

static void weirctl_say_conf(struct weirctl_case *c,
			     const struct weir_route_entry *e,
			     const struct weirctl_list *routes)
{
	const struct weir_route_conf *conf = &e->conf;
	uint32_t i;

	if ((e->mode & 0222) != 0222)
		weirctl_say(c, "mode %04o, uid %u, gid %u: %s may call it",
			    e->mode & 0777, e->uid, e->gid,
			    e->mode & 0002 ? "not all" :
			    e->mode & 0020 ? "only its owner and its group" :
			    e->mode & 0200 ? "only its owner" : "nobody but root");
	if (conf->mirror[0] && !weirctl_route_find(routes, conf->mirror))
		weirctl_say(c, "its mirror %s is no route that you may see",
			    conf->mirror);
	if (conf->fallback[0] && !weirctl_route_find(routes, conf->fallback))
		weirctl_say(c, "its fallback %s is no route that you may see",
			    conf->fallback);
	for (i = 1; i < WEIR_REASON_MAX; i++) {
		uint64_t n = weir_route_refused(e, i);

		if (n)
			weirctl_say(c, "so far it has refused %llu messages for '%s': %s", U(n),
				    weir_reason_name(i),
				    weirctl_reason_text(i));
	}
}

static void weirctl_diagnose_route(const struct weirctl_options *o,
				   const struct weir_route_entry *e,
				   const struct weirctl_list *routes,
				   const struct weirctl_list *targets)
{
	struct weirctl_case c = { .o = o, .path = e->path };
	struct weirctl_serving s = { 0 };
	size_t i;

	for (i = 0; i < targets->count; i++) {
		if (targets->targets[i].route == e->id)
			weirctl_say_target(&c, &targets->targets[i], &s);
	}
	weirctl_say_serving(&c, &s);
	weirctl_say_conf(&c, e, routes);
	if (!c.lines)
		weirctl_say(&c, "a route with %u targets, all well; %llu messages passed on so far",
			    s.all, U(e->calls));
}

/* A path that is no route: streams are published there, or nothing is. */
static void weirctl_diagnose_path(const struct weirctl_options *o,
				  const struct weirctl_list *paths)
{
	const char *path = o->pattern;
	struct weirctl_case c = { .o = o, .path = path };
	size_t i;

	for (i = 0; i < paths->count; i++) {
		const struct weir_list_entry *e = &paths->entries[i];

		if (strcmp(e->name, path))
			continue;
		weirctl_say(&c, "no route, but a path with %llu publishers%s: requests to it are refused",
			    U(e->count), e->state == 10 ? " and a listener" : "");
		return;
	}
	weirctl_say(&c, "there is no such path that you may see: nobody has bound, served or set it");
}

/**
 * weirctl_diagnose() - print what a message meets if it is sent now
 * @w: any handle.
 * @o: the command line; its pattern says for which paths.
 *
 * Return: WEIRCTL_OK or WEIRCTL_FAILED.
 */
int weirctl_diagnose(struct weir *w, const struct weirctl_options *o)
{
	const char *pattern = o->pattern;
	struct weirctl_list routes = { 0 }, targets = { 0 }, paths = { 0 };
	size_t i, n = 0;
	int ret = weirctl_list_fetch(w, WEIR_LIST_TARGETS, &targets);

	if (!ret)
		ret = weirctl_list_fetch(w, WEIR_LIST_ROUTES, &routes);
	if (!ret)
		ret = weirctl_list_fetch(w, WEIR_LIST_PATHS, &paths);
	for (i = 0; !ret && i < routes.count; i++) {
		const struct weir_route_entry *e = &routes.routes[i];

		if (pattern && !weirctl_pattern_match(pattern, e->path))
			continue;
		weirctl_diagnose_route(o, e, &routes, &targets);
		n++;
	}
	if (!ret && !n && pattern && !strchr(pattern, '*'))
		weirctl_diagnose_path(o, &paths);
	else if (!ret && !n && !o->json)
		printf("there is no route that you may see%s%s\n",
		       pattern ? " below " : "", pattern ? pattern : "");
	weirctl_list_free(&paths);
	weirctl_list_free(&targets);
	weirctl_list_free(&routes);
	return ret;
}
