/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Changes of routes, all or nothing. */
#ifndef WEIRCTL_CONTROL_H
#define WEIRCTL_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <weir.h>
#include <weir_route.h>
#include <uapi/weir_route.h>

#include "weirctl.h"

/**
 * struct weirctl_ops - changes to be made together
 * @ops: the changes.
 * @count: number of changes.
 * @room: number of changes that the array can hold.
 */
struct weirctl_ops {
	struct weir_route_op	*ops;
	size_t			count;
	size_t			room;
};

struct weir_route_op *weirctl_ops_add(struct weirctl_ops *ops, uint32_t op,
				      const char *path);
void weirctl_ops_target(struct weir_route_op *op, uint64_t id,
			const char *path, uint32_t weight);
void weirctl_ops_free(struct weirctl_ops *ops);
int weirctl_control(struct weir *w, const struct weirctl_ops *ops,
		    size_t *failed, char why[WEIRCTL_WHY]);
int weirctl_control_refused(const struct weirctl_ops *ops, size_t failed,
			    const char *why);
int weirctl_control_say(struct weir *w, const struct weirctl_ops *ops);
const char *weirctl_op_text(const struct weir_route_op *op, char *buf,
			    size_t size);

#endif /* WEIRCTL_CONTROL_H */
