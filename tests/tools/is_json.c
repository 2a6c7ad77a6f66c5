// SPDX-License-Identifier: GPL-2.0
/*
 * Is a file one JSON value, and nothing else? For the scripts.
 */
#include <jansson.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	json_error_t err;
	json_t *value = argc == 2 ? json_load_file(argv[1], 0, &err) : NULL;

	if (!value) {
		printf("line %d: %s\n", err.line, err.text);
		return 1;
	}
	json_decref(value);
	return 0;
}
