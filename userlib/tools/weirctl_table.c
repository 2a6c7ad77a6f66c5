// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Tables: cells are collected in a table of libsmartcols, which aligns the
 * columns and writes what a terminal must not get, such as a control character
 * of another user's path, as \x and digits.
 *
 * The titles are the table's first line and not libsmartcols' own header,
 * which it leaves out of a table without lines.
 */
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"
#include "weirctl_table.h"

/**
 * struct weirctl_table - a table while it is filled
 * @scols: the table of libsmartcols.
 * @line: the last line.
 * @columns: number of columns.
 * @next: column of the next cell; @columns when the line is full.
 */
struct weirctl_table {
	struct libscols_table	*scols;
	struct libscols_line	*line;
	size_t			columns;
	size_t			next;
};

/* Calls of libsmartcols can fail here only because memory is out. */
static void weirctl_table_must(int err)
{
	if (err)
		weirctl_must(NULL);
}

/**
 * weirctl_table_new() - make a table
 * @titles: one for each column.
 * @align: a character for each column: 'l' or 'r'.
 *
 * Return: the table, which weirctl_table_free() frees.
 */
struct weirctl_table *weirctl_table_new(const char *const *titles,
					const char *align)
{
	struct weirctl_table *t = weirctl_must(calloc(1, sizeof(*t)));
	size_t i;

	t->scols = weirctl_must(scols_new_table());
	t->columns = strlen(align);
	t->next = t->columns;
	scols_table_enable_noheadings(t->scols, 1);
	/* no column is cut to the terminal's width */
	scols_table_set_termforce(t->scols, SCOLS_TERMFORCE_NEVER);
	weirctl_table_must(scols_table_set_column_separator(t->scols, "  "));
	for (i = 0; i < t->columns; i++)
		weirctl_must(scols_table_new_column(t->scols, titles[i], 0,
						    align[i] == 'r' ?
						    SCOLS_FL_RIGHT : 0));
	for (i = 0; i < t->columns; i++)
		weirctl_table_cell(t, "%s", titles[i]);
	return t;
}

void weirctl_table_cell(struct weirctl_table *t, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	weirctl_table_must(len < 0);
	if (t->next == t->columns) {
		t->line = weirctl_must(scols_table_new_line(t->scols, NULL));
		t->next = 0;
	}
	weirctl_table_must(scols_line_refer_data(t->line, t->next++, text));
}

/* Returns the number of rows, without the titles. */
size_t weirctl_table_rows(const struct weirctl_table *t)
{
	return scols_table_get_nlines(t->scols) - 1;
}

/* Returns the printed table, titles first. The caller frees it. */
char *weirctl_table_text(const struct weirctl_table *t)
{
	char *text = NULL;

	weirctl_table_must(scols_print_table_to_string(t->scols, &text));
	return weirctl_must(text);
}

void weirctl_table_print(const struct weirctl_table *t)
{
	weirctl_table_must(scols_print_table(t->scols));
}

void weirctl_table_free(struct weirctl_table *t)
{
	scols_unref_table(t->scols);
	free(t);
}
