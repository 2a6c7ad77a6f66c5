// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Tables: cells are collected first, so that columns are as wide as they have
 * to be.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uapi/weir.h>

#include "weirctl.h"
#include "weirctl_table.h"

/**
 * struct weirctl_table - rows of text
 * @columns: how many.
 * @align: a character for each column: 'l' or 'r'.
 * @width: widest cell of each.
 * @cells: row by row; the first row are the titles.
 * @count: cells.
 * @room: cells that the array can hold.
 */
struct weirctl_table {
	size_t		columns;
	const char	*align;
	size_t		*width;
	char		**cells;
	size_t		count;
	size_t		room;
};

struct weirctl_table *weirctl_table_new(const char *const *titles,
					const char *align)
{
	struct weirctl_table *t = weirctl_must(calloc(1, sizeof(*t)));
	size_t i;

	t->columns = strlen(align);
	t->align = align;
	t->width = weirctl_must(calloc(t->columns, sizeof(*t->width)));
	for (i = 0; i < t->columns; i++)
		weirctl_table_cell(t, "%s", titles[i]);
	return t;
}

/* Control characters of a foreign path must not reach the terminal. */
static void weirctl_clean(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

void weirctl_table_cell(struct weirctl_table *t, const char *format, ...)
{
	char text[WEIR_PATH_MAX + 1];
	size_t *width = &t->width[t->count % t->columns], len;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	weirctl_clean(text);
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->cells = weirctl_must(realloc(t->cells,
						t->room * sizeof(*t->cells)));
	}
	t->cells[t->count++] = weirctl_must(strdup(text));
	len = strlen(text);
	if (len > *width)
		*width = len;
}

/* Rows, without the titles. */
size_t weirctl_table_rows(const struct weirctl_table *t)
{
	return t->count / t->columns - 1;
}

/* A row as it is printed; row 0 are the titles. To be freed. */
char *weirctl_table_line(const struct weirctl_table *t, size_t row)
{
	size_t size = 1, c;
	char *line, *at;

	for (c = 0; c < t->columns; c++)
		size += t->width[c] + 2;
	line = weirctl_must(malloc(size));
	at = line;
	for (c = 0; c < t->columns; c++) {
		const char *text = t->cells[row * t->columns + c];
		int width = (int)t->width[c];

		if (t->align[c] == 'r')
			at += sprintf(at, "%*s", width, text);
		else if (c + 1 < t->columns)
			at += sprintf(at, "%-*s", width, text);
		else
			at += sprintf(at, "%s", text);
		if (c + 1 < t->columns)
			at += sprintf(at, "  ");
	}
	return line;
}

void weirctl_table_print(const struct weirctl_table *t)
{
	size_t r;

	for (r = 0; r <= weirctl_table_rows(t); r++) {
		char *line = weirctl_table_line(t, r);

		puts(line);
		free(line);
	}
}

void weirctl_table_free(struct weirctl_table *t)
{
	while (t->count)
		free(t->cells[--t->count]);
	free(t->cells);
	free(t->width);
	free(t);
}
