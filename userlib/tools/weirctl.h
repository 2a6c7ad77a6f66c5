/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * What the files of weirctl share.
 *
 *	weirctl.c		options and commands
 *	weirctl_list.c		sockets, paths, streams and cursors, as the kernel lists them
 *	weirctl_top.c		the live view
 *	weirctl_sysfs.c		counters and tunables
 *	weirctl_table.c		aligned columns and readable numbers
 *	weirctl_pattern.c	does a path match a pattern?
 */
#ifndef WEIRCTL_H
#define WEIRCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <weir.h>

/* Exit status. */
#define WEIRCTL_OK	0
#define WEIRCTL_FAILED	1
#define WEIRCTL_USAGE	2

/**
 * struct weirctl_options - the command line
 * @json: print JSON instead of tables.
 * @exact: print numbers as they are.
 * @pattern: list only what lies under this path or pattern, or NULL.
 * @iterations: top: tables to print; 0: no end.
 * @interval: top: seconds between them.
 */
struct weirctl_options {
	bool		json;
	bool		exact;
	const char	*pattern;
	unsigned long	iterations;
	double		interval;
};

/* Prints "weirctl: ..." to standard error; returns WEIRCTL_FAILED. */
int weirctl_fail(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* --- weirctl_list.c --- */

/**
 * struct weirctl_list - objects of one kind, in order of id
 * @kind: enum weir_list_kind.
 * @entries: as the kernel gave them.
 * @count: how many.
 * @room: how many the array can hold.
 */
struct weirctl_list {
	uint32_t		kind;
	struct weir_list_entry	*entries;
	size_t			count;
	size_t			room;
};

int weirctl_open(struct weir **w);
int weirctl_list_fetch(struct weir *w, uint32_t kind, struct weirctl_list *list);
void weirctl_list_free(struct weirctl_list *list);
const struct weir_list_entry *weirctl_list_find(const struct weirctl_list *list,
						uint64_t id);
int weirctl_list(const struct weirctl_options *o, uint32_t kind);
const char *weirctl_path_of(const struct weirctl_list *streams,
			    const struct weir_list_entry *e);
const char *weirctl_state_name(const struct weir_list_entry *e);
const char *weirctl_cursor_flags(const struct weir_list_entry *e, char buf[24]);
json_t *weirctl_entry_json(const struct weir_list_entry *e,
			   const struct weirctl_list *streams);

/* --- weirctl_top.c --- */
int weirctl_top(const struct weirctl_options *o);

/* --- weirctl_sysfs.c --- */
int weirctl_stat(const struct weirctl_options *o);
int weirctl_tune(const struct weirctl_options *o, const char *name,
		 const char *value);
bool weirctl_sysfs_read(const char *group, const char *name,
			unsigned long long *value);

/* --- weirctl_table.c --- */
struct weirctl_table;

struct weirctl_table *weirctl_table_new(const char *const *titles,
					const char *align);
void weirctl_table_cell(struct weirctl_table *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void weirctl_table_print(struct weirctl_table *t, size_t max_rows);
void weirctl_table_free(struct weirctl_table *t);

/* A number made readable into a buffer of 24 bytes, which is returned. */
const char *weirctl_bytes(const struct weirctl_options *o, uint64_t n, char *buf);
const char *weirctl_rate(const struct weirctl_options *o, double n, char *buf);

/* --- weirctl_pattern.c --- */
const char *weirctl_pattern_check(const char *pattern);
bool weirctl_pattern_match(const char *pattern, const char *path);

#endif /* WEIRCTL_H */
