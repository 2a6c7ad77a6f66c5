/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* The live view: two looks at all objects, and the rates between them. */
#ifndef WEIRCTL_LOOK_H
#define WEIRCTL_LOOK_H

#include <jansson.h>

#include "weirctl.h"
#include "weirctl_list.h"
#include "weirctl_table.h"

/**
 * struct weirctl_look - all objects at one moment
 * @streams: all streams.
 * @cursors: all cursors.
 * @routes: all routes.
 * @targets: all targets.
 * @at: time of the look in seconds, on CLOCK_MONOTONIC.
 */
struct weirctl_look {
	struct weirctl_list	streams;
	struct weirctl_list	cursors;
	struct weirctl_list	routes;
	struct weirctl_list	targets;
	double			at;
};

int weirctl_top(const struct weirctl_options *o);
int weirctl_look(struct weir *w, struct weirctl_look *look);
void weirctl_look_free(struct weirctl_look *look);
double weirctl_seconds(const struct weirctl_look *was,
		       const struct weirctl_look *is);

/* --- weirctl_traffic.c --- */

struct weirctl_table *weirctl_routes_table(const struct weirctl_options *o,
					   const struct weirctl_look *was,
					   const struct weirctl_look *is);
struct weirctl_table *weirctl_targets_table(const struct weirctl_options *o,
					    const struct weirctl_look *was,
					    const struct weirctl_look *is);
json_t *weirctl_routes_json(const struct weirctl_options *o,
			    const struct weirctl_look *was,
			    const struct weirctl_look *is);
json_t *weirctl_targets_json(const struct weirctl_options *o,
			     const struct weirctl_look *was,
			     const struct weirctl_look *is);

#endif /* WEIRCTL_LOOK_H */
