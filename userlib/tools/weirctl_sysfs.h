/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Counters, tunables and limits. */
#ifndef WEIRCTL_SYSFS_H
#define WEIRCTL_SYSFS_H

#include <stdbool.h>

#include "weirctl.h"

int weirctl_stat(const struct weirctl_options *o);
int weirctl_tune(const struct weirctl_options *o);
int weirctl_limit_list(const struct weirctl_options *o);
int weirctl_limit_set(const struct weirctl_options *o);
bool weirctl_sysfs_hidden(void);
bool weirctl_sysfs_read(const char *group, const char *name,
			unsigned long long *value);
int weirctl_sysfs_each(const char *group, void *ctx,
		       void (*each)(void *ctx, const char *name,
				    unsigned long long value));
bool weirctl_is_tunable(const char *name);
const char *weirctl_tunable_hint(const char *name, char buf[80]);
bool weirctl_tunable_check(const char *name, unsigned long long value,
			   char why[WEIRCTL_WHY]);
int weirctl_tunable_write(const char *name, unsigned long long value,
			  char why[WEIRCTL_WHY]);

#endif /* WEIRCTL_SYSFS_H */
