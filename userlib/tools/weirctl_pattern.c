// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Does a path match a pattern? The rules are those of subscriptions, weir(7):
 * "*" is one segment and "**", which comes last, is one or more.
 */
#include <string.h>

#include <uapi/weir.h>

#include "weirctl_pattern.h"

/* What is wrong with a pattern, in words; NULL when nothing is. */
const char *weirctl_pattern_check(const char *pattern)
{
	const char *seg = pattern;

	if (*pattern != '/')
		return "a path begins with a slash";
	if (strlen(pattern) > WEIR_PATH_MAX)
		return "a path has at most 255 bytes";
	while (*seg) {
		size_t len = strcspn(++seg, "/");

		if (!len)
			return "a path has no empty segments";
		if (memchr(seg, '*', len)) {
			if (len > 2 || (len == 2 && memcmp(seg, "**", 2)))
				return "a wildcard is a segment of its own";
			if (len == 2 && seg[len])
				return "** comes last";
		}
		seg += len;
	}
	return NULL;
}

bool weirctl_pattern_match(const char *pattern, const char *path)
{
	while (*pattern && *path) {
		size_t p = strcspn(++pattern, "/"), n = strcspn(++path, "/");

		if (p == 2 && !memcmp(pattern, "**", 2))
			return true;
		if (!(p == 1 && *pattern == '*') &&
		    (p != n || memcmp(pattern, path, n)))
			return false;
		pattern += p;
		path += n;
	}
	return !*pattern && !*path;
}
