/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Does a path match a pattern? */
#ifndef WEIRCTL_PATTERN_H
#define WEIRCTL_PATTERN_H

#include <stdbool.h>

const char *weirctl_pattern_check(const char *pattern);
bool weirctl_pattern_match(const char *pattern, const char *path);

#endif /* WEIRCTL_PATTERN_H */
