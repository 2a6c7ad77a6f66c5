/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* The live view on a terminal. */
#ifndef WEIRCTL_SCREEN_H
#define WEIRCTL_SCREEN_H

#include <stdbool.h>

#include "weirctl_table.h"

enum weirctl_view {
	WEIRCTL_VIEW_STREAMS,
	WEIRCTL_VIEW_CURSORS,
	WEIRCTL_VIEW_ROUTES,
	WEIRCTL_VIEW_TARGETS,
	WEIRCTL_VIEWS
};

struct weirctl_screen;

struct weirctl_screen *weirctl_screen_open(void);
void weirctl_screen_close(struct weirctl_screen *s);
enum weirctl_view weirctl_screen_view(const struct weirctl_screen *s);
void weirctl_screen_draw(struct weirctl_screen *s, const char *heading,
			 const struct weirctl_table *t);
bool weirctl_screen_wait(struct weirctl_screen *s, double seconds);

#endif /* WEIRCTL_SCREEN_H */
