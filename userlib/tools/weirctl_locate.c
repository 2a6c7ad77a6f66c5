// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The line of a value in a JSON text, for the words of a refusal: jansson says
 * where a text is wrong, but not where a value came from. The text has been
 * read by jansson before, so it is good JSON without double keys.
 */
#include <string.h>

#include "weirctl_config.h"

static const char *weirctl_blank(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* Behind the string at @at. */
static const char *weirctl_skip_string(const char *at)
{
	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
	}
	return *at ? at + 1 : at;
}

/* Behind the value at @at. */
static const char *weirctl_skip_value(const char *at)
{
	unsigned int depth = 0;

	do {
		if (*at == '"') {
			at = weirctl_skip_string(at);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		else if (!depth)
			return at + strcspn(at, ",]} \t\r\n");
		at++;
	} while (*at && depth);
	return at;
}

/* Is the string at @at this key? A key with an escape is not looked for. */
static bool weirctl_is_key(const char *at, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(at + 1, key, len) && at[1 + len] == '"';
}

/* Within the object or array at @at; NULL when it is not there. */
static const char *weirctl_step_into(const char *at,
				     const struct weirctl_step *step)
{
	bool object = *at == '{', found;
	size_t i = 0;

	if (object != !!step->key || (*at != '{' && *at != '['))
		return NULL;
	for (at = weirctl_blank(at + 1); *at && *at != '}' && *at != ']'; i++) {
		found = object ? weirctl_is_key(at, step->key) :
				 i == step->index;
		if (object) {
			at = weirctl_blank(weirctl_skip_string(at));
			at = weirctl_blank(at + (*at == ':'));
		}
		if (found)
			return at;
		at = weirctl_blank(weirctl_skip_value(at));
		if (*at == ',')
			at = weirctl_blank(at + 1);
	}
	return NULL;
}

/**
 * weirctl_locate() - find a value
 * @text: good JSON.
 * @steps: the way to the value from the outside.
 * @count: steps.
 *
 * Return: the line, from 1; of the innermost value on the way that is there.
 */
unsigned int weirctl_locate(const char *text, const struct weirctl_step *steps,
			    size_t count)
{
	const char *at = weirctl_blank(text), *next;
	unsigned int line = 1;
	size_t i;

	for (i = 0; i < count; i++) {
		next = weirctl_step_into(at, &steps[i]);
		if (!next)
			break;
		at = next;
	}
	for (; text < at; text++)
		line += *text == '\n';
	return line;
}
