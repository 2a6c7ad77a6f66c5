/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Aligned columns. */
#ifndef WEIRCTL_TABLE_H
#define WEIRCTL_TABLE_H

#include <stddef.h>

struct weirctl_table;

struct weirctl_table *weirctl_table_new(const char *const *titles,
					const char *align);
void weirctl_table_cell(struct weirctl_table *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
size_t weirctl_table_rows(const struct weirctl_table *t);
char *weirctl_table_text(const struct weirctl_table *t);
void weirctl_table_print(const struct weirctl_table *t);
void weirctl_table_free(struct weirctl_table *t);

#endif /* WEIRCTL_TABLE_H */
