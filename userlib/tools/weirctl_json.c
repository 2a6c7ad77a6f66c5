// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * JSON values that need more than one call of jansson.
 */
#include <stdio.h>

#include <uapi/weir.h>

#include "weirctl_json.h"

void weirctl_json_put(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new(o, key, json_integer((json_int_t)value));
}

/* A path need not be UTF-8, and JSON must be. */
json_t *weirctl_json_text(const char *text)
{
	json_t *s = json_string(text);
	char clean[WEIR_PATH_MAX + 1];
	size_t i;

	if (s)
		return s;
	for (i = 0; text[i] && i < WEIR_PATH_MAX; i++)
		clean[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	clean[i] = '\0';
	return json_string(clean);
}

/* Prints and frees it. */
void weirctl_json_print(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

/* The same on one line, for a stream of them. */
void weirctl_json_line(json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}
