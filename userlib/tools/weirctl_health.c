// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The doctor's checks of what is in the network namespace: caps that are
 * nearly used up, readers that lag, routes on which messages do not get
 * through. One function each; without CAP_NET_ADMIN they see what the user may.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"
#include "weirctl_doctor.h"
#include "weirctl_list.h"
#include "weirctl_look.h"
#include "weirctl_reason.h"
#include "weirctl_route.h"
#include "weirctl_unit.h"

#define OK	WEIRCTL_CHECK_OK
#define SKIP	WEIRCTL_CHECK_SKIP
#define WARN	WEIRCTL_CHECK_WARN
#define FAIL	WEIRCTL_CHECK_FAIL

#define WEIRCTL_TUNABLES	"/sys/kernel/weir/tunables"
#define WEIRCTL_RING_COST	8192	/* bytes besides the ring's size */
#define WEIRCTL_CURSOR_COST	4096
#define WEIRCTL_RECORD_BYTES	128	/* of an inbox, for a small request */
#define WEIRCTL_CLOSE_PERCENT	80	/* of a cap, or of a ring */
#define U(value)		((unsigned long long)(value))

static bool weirctl_is_live(const struct weirctl_subject *p,
			    struct weirctl_finding *f)
{
	if (!p->live)
		weirctl_find(f, SKIP, "weir is not loaded");
	return p->live;
}

static const struct weir_target_entry *
weirctl_target_at(const struct weirctl_subject *p, size_t i)
{
	return &p->live->targets.targets[i];
}

static const char *weirctl_route_of(const struct weirctl_subject *p,
				    const struct weir_target_entry *e)
{
	return weirctl_route_path(&p->live->routes, e->route);
}

/* --- caps --- */

/**
 * struct weirctl_use - what a user has
 * @uid: the user.
 * @bytes: memory of the user's rings and cursors.
 * @objects: number of the user's rings and cursors.
 */
struct weirctl_use {
	uint32_t		uid;
	unsigned long long	bytes;
	unsigned long long	objects;
};

static void weirctl_use_add(struct weirctl_use *uses, size_t *n, uint32_t uid,
			    unsigned long long bytes)
{
	size_t i;

	for (i = 0; i < *n && uses[i].uid != uid; i++)
		;
	if (i == *n)
		uses[(*n)++] = (struct weirctl_use){ .uid = uid };
	uses[i].bytes += bytes;
	uses[i].objects++;
}

static void weirctl_use_judge(struct weirctl_finding *f, const char *cap,
			      uint32_t uid, unsigned long long used,
			      unsigned long long max)
{
	/* in floating point, as caps may be near 2^63 */
	double percent = max ? 100.0 * (double)used / (double)max : 100;

	if (percent < WEIRCTL_CLOSE_PERCENT)
		return;
	weirctl_find(f, percent < 95 ? WARN : FAIL,
		     "user %u has %llu of the %llu of %s: soon it gets no more",
		     uid, used, max, cap);
	weirctl_remedy(f, "weirctl limit set %s %llu", cap, max / 2 * 3 + 1024);
}

static void weirctl_look_caps(const struct weirctl_subject *p,
			      struct weirctl_finding *f)
{
	const struct weirctl_look *l = p->live;
	unsigned long long bytes, objects;
	struct weirctl_use *uses;
	size_t n = 0, i;

	if (!weirctl_is_live(p, f))
		return;
	if (!weirctl_root_number(p, WEIRCTL_TUNABLES "/user_bytes_max", &bytes) ||
	    !weirctl_root_number(p, WEIRCTL_TUNABLES "/user_objects_max",
				 &objects)) {
		weirctl_find(f, SKIP, "the caps cannot be read");
		return;
	}
	uses = weirctl_must(calloc(l->streams.count + l->cursors.count + 1,
				   sizeof(*uses)));
	for (i = 0; i < l->streams.count; i++)
		weirctl_use_add(uses, &n, l->streams.entries[i].uid,
				l->streams.entries[i].ring_bytes +
				WEIRCTL_RING_COST);
	for (i = 0; i < l->cursors.count; i++)
		weirctl_use_add(uses, &n, l->cursors.entries[i].uid,
				WEIRCTL_CURSOR_COST);
	for (i = 0; i < n; i++) {
		weirctl_use_judge(f, "user_bytes_max", uses[i].uid,
				  uses[i].bytes, bytes);
		weirctl_use_judge(f, "user_objects_max", uses[i].uid,
				  uses[i].objects, objects);
	}
	free(uses);
	weirctl_find(f, OK, "no user is close to its caps");
}

/* A patience from which on the check warns, in nanoseconds. */
#define WEIRCTL_PATIENCE_NS	1000000000ULL

static void weirctl_look_inbox(const struct weirctl_subject *p,
			       struct weirctl_finding *f)
{
	char text[24];
	unsigned long long bytes;
	size_t i;

	if (!weirctl_is_live(p, f))
		return;
	if (!weirctl_root_number(p, WEIRCTL_TUNABLES "/inbox_bytes", &bytes)) {
		weirctl_find(f, SKIP, "inbox_bytes cannot be read");
		return;
	}
	for (i = 0; i < p->live->routes.count; i++) {
		const struct weir_route_entry *e = &p->live->routes.routes[i];
		uint64_t full = e->refused[WEIR_REASON_INBOX_FULL];

		if (e->conf.patience_ns > WEIRCTL_PATIENCE_NS) {
			weirctl_find(f, WARN, "%s: a caller that does not read can hold up the replies to all others for %s",
				     e->path,
				     weirctl_duration_text(e->conf.patience_ns,
							   text));
			weirctl_remedy(f, "weirctl route set %s patience=default",
				       e->path);
		}
		if (!full)
			continue;
		weirctl_find(f, WARN, "%s: %llu messages found an inbox full",
			     e->path, U(full));
		weirctl_remedy(f, "weirctl tune inbox_bytes %llu, and restart its servers; or weirctl route set %s bulkhead=%llu",
			       2 * bytes > 1 << 20 ? 1ULL << 20 : 2 * bytes,
			       e->path, bytes / WEIRCTL_RECORD_BYTES / 2);
	}
	for (i = 0; i < p->live->targets.count; i++) {
		const struct weir_target_entry *e = weirctl_target_at(p, i);

		if (U(e->in_flight) * WEIRCTL_RECORD_BYTES * 2 <= bytes)
			continue;
		weirctl_find(f, WARN, "target %llu of %s has %u requests in flight: an inbox of %llu bytes is soon full",
			     U(e->id), weirctl_route_of(p, e), e->in_flight,
			     bytes);
		weirctl_remedy(f, "weirctl tune inbox_bytes %llu, and restart it",
			       2 * bytes > 1 << 20 ? 1ULL << 20 : 2 * bytes);
	}
	weirctl_find(f, OK, "inboxes of %llu bytes have room for what is in flight",
		     bytes);
}

/* --- streams --- */

static void weirctl_look_lag(const struct weirctl_subject *p,
			     struct weirctl_finding *f)
{
	size_t i;

	if (!weirctl_is_live(p, f))
		return;
	for (i = 0; i < p->live->cursors.count; i++) {
		const struct weir_list_entry *e = &p->live->cursors.entries[i];
		const struct weir_list_entry *s =
			weirctl_list_find(&p->live->streams, e->parent);

		if (!s || !(e->flags & WEIR_READER_GATING) || e->lag_bytes * 100 <
		    s->ring_bytes * WEIRCTL_CLOSE_PERCENT)
			continue;
		weirctl_find(f, WARN, "pid %u lags %llu of %llu bytes behind on %s and holds the writer back",
			     e->pid, U(e->lag_bytes), U(s->ring_bytes),
			     s->name[0] ? s->name : "a pair");
		weirctl_remedy(f, "weirctl cursor; then look after pid %u, or let the writer set evict_ms",
			       e->pid);
	}
	weirctl_find(f, OK, "no reader holds a writer back");
}

static void weirctl_look_evictions(const struct weirctl_subject *p,
				   struct weirctl_finding *f)
{
	unsigned long long evictions, missed = 0;

	if (!weirctl_root_number(p, "/sys/kernel/weir/stats/evictions",
				 &evictions)) {
		weirctl_find(f, SKIP, "%s",
			     weirctl_root_has(p, "/sys/kernel/weir/stats") ?
			     "only root may read the counters" :
			     "weir is not loaded");
		return;
	}
	weirctl_root_number(p, "/sys/kernel/weir/stats/missed", &missed);
	if (!evictions && !missed) {
		weirctl_find(f, OK, "no reader was evicted or missed anything");
		return;
	}
	weirctl_find(f, WARN, "%llu readers were evicted and %llu records missed since weir was loaded",
		     evictions, missed);
	weirctl_remedy(f, "weirctl trace; larger rings (weirctl tune ring_bytes) help against bursts");
}

/* --- routes --- */

static void weirctl_look_targets(const struct weirctl_subject *p,
				 struct weirctl_finding *f)
{
	unsigned int open = 0, ejected = 0;
	size_t i;

	if (!weirctl_is_live(p, f))
		return;
	for (i = 0; i < p->live->targets.count; i++) {
		const struct weir_target_entry *e = weirctl_target_at(p, i);
		const char *path = weirctl_route_of(p, e);

		if (e->state == WEIR_TARGET_EJECTED) {
			ejected++;
			weirctl_find(f, FAIL, "target %llu of %s, pid %u, is ejected: it holds %u requests and does nothing",
				     U(e->id), path, e->pid, e->in_flight);
			weirctl_remedy(f, "cat /proc/%u/stack; then restart it",
				       e->pid);
		} else if (e->breaker == WEIR_BREAKER_OPEN) {
			open++;
			weirctl_find(f, WARN, "the breaker of target %llu of %s is open: %llu errors, %llu expired",
				     U(e->id), path, U(e->errors),
				     U(e->expired));
			weirctl_remedy(f, "weirctl breaker auto %llu, when it is well again",
				       U(e->id));
		}
	}
	weirctl_find(f, OK, "no breaker is open and no target is ejected");
}

static void weirctl_look_refusals(const struct weirctl_subject *p,
				  struct weirctl_finding *f)
{
	uint64_t worst = 0;
	size_t i;

	if (!weirctl_is_live(p, f))
		return;
	for (i = 0; i < p->live->routes.count; i++) {
		const struct weir_route_entry *e = &p->live->routes.routes[i];
		uint64_t n = weirctl_refusals(e);
		uint32_t r, most = 0;

		for (r = 1; r < WEIR_REASON_MAX; r++) {
			if (weir_route_refused(e, r) >
			    weir_route_refused(e, most))
				most = r;
		}
		if (n <= worst)
			continue;
		worst = n;
		f->text[0] = '\0';
		weirctl_find(f, WARN, "%s has refused %llu messages and passed on %llu; most were refused for '%s': %s",
			     e->path, U(n), U(e->calls),
			     weir_reason_name(most),
			     weirctl_reason_text(most));
		weirctl_remedy(f, "weirctl trace %s", e->path);
	}
	weirctl_find(f, OK, "no route has refused a message");
}

static void weirctl_look_weights(const struct weirctl_subject *p,
				 struct weirctl_finding *f)
{
	size_t i, j;

	if (!weirctl_is_live(p, f))
		return;
	for (i = 0; i < p->live->routes.count; i++) {
		const struct weir_route_entry *e = &p->live->routes.routes[i];
		const struct weir_target_entry *some = NULL;
		uint64_t sum = 0;

		for (j = 0; j < p->live->targets.count; j++) {
			const struct weir_target_entry *t =
				weirctl_target_at(p, j);

			if (t->route != e->id)
				continue;
			some = t;
			sum += t->weight;
		}
		if (some && !sum) {
			weirctl_find(f, FAIL, "all targets of %s have weight 0: nobody gets its messages",
				     e->path);
			if (some->socket)
				weirctl_remedy(f, "weirctl target set %s %llu weight=1",
					       e->path, U(some->id));
			else
				weirctl_remedy(f, "weirctl target set %s %s weight=1",
					       e->path, some->path);
		} else if (!some && e->set) {
			weirctl_find(f, WARN, "nobody serves %s, which is set",
				     e->path);
			weirctl_remedy(f, "start a server of it, or weirctl route del %s",
				       e->path);
		}
	}
	weirctl_find(f, OK, "each route that is set has somebody to send to");
}

/* --- loops --- */

/**
 * weirctl_depth() - routes that a request can go through from here
 * @p: what to look at.
 * @path: where it is.
 * @left: routes that it may still go through.
 *
 * Return: the number; more than @left if the chain is longer than that or has
 * no end.
 */
static unsigned int weirctl_depth(const struct weirctl_subject *p,
				  const char *path, unsigned int left)
{
	const struct weir_route_entry *e =
		weirctl_route_find(&p->live->routes, path);
	unsigned int deepest = 0, n;
	size_t i;

	if (!e || !left)
		return 1;
	if (e->conf.fallback[0])
		deepest = weirctl_depth(p, e->conf.fallback, left - 1);
	for (i = 0; i < p->live->targets.count; i++) {
		const struct weir_target_entry *t = weirctl_target_at(p, i);

		if (t->route != e->id || t->socket || deepest >= left)
			continue;
		n = weirctl_depth(p, t->path, left - 1);
		if (n > deepest)
			deepest = n;
	}
	return 1 + deepest;
}

static void weirctl_look_loops(const struct weirctl_subject *p,
			       struct weirctl_finding *f)
{
	size_t i;

	if (!weirctl_is_live(p, f))
		return;
	for (i = 0; i < p->live->routes.count; i++) {
		const struct weir_route_entry *e = &p->live->routes.routes[i];

		if (weirctl_depth(p, e->path, WEIR_HOPS_MAX) <= WEIR_HOPS_MAX)
			continue;
		weirctl_find(f, FAIL, "from %s fallbacks and targets lead through more than %u routes, or round in a circle",
			     e->path, WEIR_HOPS_MAX);
		weirctl_remedy(f, "weirctl route set %s fallback=", e->path);
	}
	weirctl_find(f, OK, "fallbacks and targets lead nowhere in circles");
}

const struct weirctl_check weirctl_health_checks[] = {
	{ "caps",		weirctl_look_caps },
	{ "inboxes",		weirctl_look_inbox },
	{ "lag",		weirctl_look_lag },
	{ "evictions",		weirctl_look_evictions },
	{ "targets",		weirctl_look_targets },
	{ "refusals",		weirctl_look_refusals },
	{ "weights",		weirctl_look_weights },
	{ "loops",		weirctl_look_loops },
};

const size_t weirctl_health_check_count =
	sizeof(weirctl_health_checks) / sizeof(weirctl_health_checks[0]);
