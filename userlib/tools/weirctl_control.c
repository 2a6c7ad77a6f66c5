// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Changes of routes and targets: collected, then made by one WEIR_IOC_CONTROL,
 * all or none. The kernel checks them, and its error text is passed on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "weirctl.h"
#include "weirctl_control.h"

/* Adds a change. The pointer is valid until the next one is added. */
struct weir_route_op *weirctl_ops_add(struct weirctl_ops *ops, uint32_t op,
				      const char *path)
{
	struct weir_route_op *new;

	if (ops->count == ops->room) {
		ops->room = 2 * ops->room + 4;
		ops->ops = weirctl_must(realloc(ops->ops, ops->room *
						sizeof(*ops->ops)));
	}
	new = &ops->ops[ops->count++];
	memset(new, 0, sizeof(*new));
	new->op = op;
	memcpy(new->path, path, strnlen(path, WEIR_PATH_MAX));
	return new;
}

/* The target of a change: a socket's by @id, or a route by @path. */
void weirctl_ops_target(struct weir_route_op *op, uint64_t id,
			const char *path, uint32_t weight)
{
	op->weight = weight;
	op->target = id;
	if (!id)
		memcpy(op->target_path, path, strnlen(path, WEIR_PATH_MAX));
}

void weirctl_ops_free(struct weirctl_ops *ops)
{
	free(ops->ops);
	memset(ops, 0, sizeof(*ops));
}

/* What a change does, in words. */
const char *weirctl_op_text(const struct weir_route_op *op, char *buf,
			    size_t size)
{
	char target[WEIR_PATH_MAX + 1];

	if (op->target)
		snprintf(target, sizeof(target), "%llu",
			 (unsigned long long)op->target);
	else
		memcpy(target, op->target_path, sizeof(target));
	switch (op->op) {
	case WEIR_OP_ROUTE_SET:
		snprintf(buf, size, "setting route %s", op->path);
		break;
	case WEIR_OP_ROUTE_DEL:
		snprintf(buf, size, "deleting route %s", op->path);
		break;
	case WEIR_OP_TARGET_ADD:
		snprintf(buf, size, "adding target %s to %s, weight %u",
			 target, op->path, op->weight);
		break;
	case WEIR_OP_TARGET_SET:
		snprintf(buf, size, "setting target %s of %s to weight %u",
			 target, op->path, op->weight);
		break;
	case WEIR_OP_TARGET_DEL:
		snprintf(buf, size, "deleting target %s of %s", target,
			 op->path);
		break;
	default:
		snprintf(buf, size, "setting the breaker of target %s of %s",
			 target, op->path);
	}
	return buf;
}

/* The kernel's words for the last refusal on this socket, or errno's. */
static void weirctl_refusal(struct weir *w, int err, char why[WEIRCTL_WHY])
{
	socklen_t len = WEIRCTL_WHY - 1;

	memset(why, 0, WEIRCTL_WHY);
	if (getsockopt(weir_fd(w), SOL_WEIR, WEIR_SO_ERROR_TEXT, why, &len) ||
	    !why[0])
		snprintf(why, WEIRCTL_WHY, "%s", err == ENOTTY ?
			 "this weir module knows no routes" : strerror(err));
}

/**
 * weirctl_control() - make changes, all or none
 * @w: any handle.
 * @ops: the changes; none is fine.
 * @failed: out: index of the one that was refused, or @ops->count when they
 *	were refused as a whole.
 * @why: out: the words of the refusal.
 *
 * Return: WEIRCTL_OK or WEIRCTL_FAILED; then errno is E2BIG when an
 * ordinary user makes too many in one call.
 */
int weirctl_control(struct weir *w, const struct weirctl_ops *ops,
		    size_t *failed, char why[WEIRCTL_WHY])
{
	int err;

	struct weir_ioc_control c = {
		.size = sizeof(c),
		.op_size = sizeof(*ops->ops),
		.count = (uint32_t)ops->count,
		.failed = UINT32_MAX,
		.ops = (uintptr_t)ops->ops,
	};

	*failed = ops->count;
	if (!ops->count)
		return WEIRCTL_OK;
	if (ops->count > WEIR_OPS_MAX) {
		snprintf(why, WEIRCTL_WHY, "%zu changes at once; %u may be",
			 ops->count, WEIR_OPS_MAX);
		errno = EINVAL;
		return WEIRCTL_FAILED;
	}
	if (!ioctl(weir_fd(w), WEIR_IOC_CONTROL, &c))
		return WEIRCTL_OK;
	err = errno;
	weirctl_refusal(w, err, why);
	if (c.failed < ops->count)
		*failed = c.failed;
	errno = err;
	return WEIRCTL_FAILED;
}

/* Says what of the changes was refused and why; returns WEIRCTL_FAILED. */
int weirctl_control_refused(const struct weirctl_ops *ops, size_t failed,
			    const char *why)
{
	char what[2 * WEIR_PATH_MAX + 64];

	if (failed == ops->count)
		return weirctl_fail("%s", why);
	return weirctl_fail("%s: %s", weirctl_op_text(&ops->ops[failed], what,
						      sizeof(what)), why);
}

/* Makes changes, all or none, and says what was refused and why. */
int weirctl_control_say(struct weir *w, const struct weirctl_ops *ops)
{
	char why[WEIRCTL_WHY];
	size_t failed;

	if (!weirctl_control(w, ops, &failed, why))
		return WEIRCTL_OK;
	return weirctl_control_refused(ops, failed, why);
}
