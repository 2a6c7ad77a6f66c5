/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Targets of routes, their weights, their circuit breakers. */
#ifndef WEIRCTL_TARGET_H
#define WEIRCTL_TARGET_H

#include <stdint.h>
#include <jansson.h>

#include "weirctl.h"
#include "weirctl_list.h"

int weirctl_target_list(const struct weirctl_options *o);
int weirctl_target_add(const struct weirctl_options *o);
int weirctl_target_set(const struct weirctl_options *o);
int weirctl_target_del(const struct weirctl_options *o);
int weirctl_target_shift(const struct weirctl_options *o);
int weirctl_target_drain(const struct weirctl_options *o);
int weirctl_breaker_list(const struct weirctl_options *o);
int weirctl_breaker_open(const struct weirctl_options *o);
int weirctl_breaker_auto(const struct weirctl_options *o);
const char *weirctl_target_name(const struct weir_target_entry *e,
				char buf[WEIR_PATH_MAX + 1]);
json_t *weirctl_target_json(const struct weir_target_entry *e,
			    const struct weirctl_list *routes);

#endif /* WEIRCTL_TARGET_H */
