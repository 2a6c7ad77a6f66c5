/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* A file of routes and tunables. */
#ifndef WEIRCTL_CONFIG_H
#define WEIRCTL_CONFIG_H

#include <stddef.h>

#include "weirctl.h"

int weirctl_apply(const struct weirctl_options *o);
int weirctl_save(const struct weirctl_options *o);

/* --- weirctl_locate.c --- */

/**
 * struct weirctl_step - one step into a JSON text
 * @key: member of an object, or NULL.
 * @index: index in an array, if @key is NULL.
 */
struct weirctl_step {
	const char	*key;
	size_t		index;
};

unsigned int weirctl_locate(const char *text, const struct weirctl_step *steps,
			    size_t count);

#endif /* WEIRCTL_CONFIG_H */
