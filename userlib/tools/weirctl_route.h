/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Routes. */
#ifndef WEIRCTL_ROUTE_H
#define WEIRCTL_ROUTE_H

#include <stdint.h>
#include <jansson.h>

#include "weirctl.h"
#include "weirctl_list.h"

int weirctl_route_list(const struct weirctl_options *o);
int weirctl_route_show(const struct weirctl_options *o);
int weirctl_route_set(const struct weirctl_options *o);
int weirctl_route_del(const struct weirctl_options *o);
const struct weir_route_entry *
weirctl_route_find(const struct weirctl_list *routes, const char *path);
const char *weirctl_route_path(const struct weirctl_list *routes, uint64_t id);
uint64_t weirctl_refusals(const struct weir_route_entry *e);
json_t *weirctl_route_json(const struct weir_route_entry *e);

#endif /* WEIRCTL_ROUTE_H */
