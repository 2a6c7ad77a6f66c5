/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Sockets, paths, streams, cursors, routes and targets, as lists. */
#ifndef WEIRCTL_LIST_H
#define WEIRCTL_LIST_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <weir.h>
#include <weir_route.h>
#include <uapi/weir_route.h>

struct weirctl_options;

/**
 * struct weirctl_list - objects of one kind, in order of id
 * @kind: enum weir_list_kind, WEIR_LIST_ROUTES or WEIR_LIST_TARGETS.
 * @data: the objects as the kernel gave them; @kind says whether they are
 *	@entries, @routes or @targets.
 * @count: number of objects.
 * @room: number of objects that the array can hold.
 */
struct weirctl_list {
	uint32_t	kind;
	union {
		void				*data;
		struct weir_list_entry		*entries;
		struct weir_route_entry		*routes;
		struct weir_target_entry	*targets;
	};
	size_t		count;
	size_t		room;
};

int weirctl_open(struct weir **w);
int weirctl_list_try(struct weir *w, uint32_t kind, struct weirctl_list *list);
int weirctl_list_fetch(struct weir *w, uint32_t kind,
		       struct weirctl_list *list);
void weirctl_list_free(struct weirctl_list *list);
const void *weirctl_list_find(const struct weirctl_list *list, uint64_t id);
int weirctl_list(const struct weirctl_options *o, uint32_t kind);
const char *weirctl_path_of(const struct weirctl_list *streams,
			    const struct weir_list_entry *e);
const char *weirctl_state_name(const struct weir_list_entry *e);
const char *weirctl_cursor_flags(const struct weir_list_entry *e, char buf[24]);
json_t *weirctl_entry_json(const struct weir_list_entry *e,
			   const struct weirctl_list *streams);

#endif /* WEIRCTL_LIST_H */
