/* SPDX-License-Identifier: GPL-2.0 */
/* A path that a socket calls: see endpoint.c and route.c. */
#ifndef _WEIR_HANDLE_H
#define _WEIR_HANDLE_H

#include <linux/build_bug.h>
#include <linux/limits.h>
#include <linux/uidgid.h>

#include "uapi/weir_route.h"
#include "weir.h"

/**
 * struct weir_handle - a path that a socket calls
 *
 * Guarded by the endpoint's dispatch_lock. The size is a power of two, so that
 * an index into the array is a shift: each request needs one.
 */
struct weir_handle {
	/**
	 * @route: the route of the path, held; NULL if there is none or the
	 * socket may not call it.
	 */
	struct weir_route	*route;
	/**
	 * @gen: value of weir_net.route_gen for which @route is known to be
	 * right.
	 */
	u32			gen;
	/**
	 * @path_owner: owner of the path of the first route that was found;
	 * valid if @bound.
	 */
	kuid_t			path_owner;
	/** @hash: hash of @path. */
	u32			hash;
	/**
	 * @next: next handle in the same bucket of weir_endpoint.by_name; 0:
	 * none.
	 */
	u16			next;
	/** @len: bytes of @path. */
	u8			len;
	/** @reason: enum weir_reason: why @route is NULL. */
	u8			reason : 7;
	/**
	 * @bound: a route was found since the socket last asked for the handle.
	 */
	u8			bound : 1;
	/** @path: the name, not ended by a NUL byte; owned. */
	char			*path;
};

#ifdef CONFIG_64BIT
static_assert(sizeof(struct weir_handle) == 32);
#endif
static_assert(WEIR_ROUTES_MAX <= U16_MAX && WEIR_REASON_MAX <= 128);

/* endpoint.c */
int weir_endpoint_add_handle(struct weir_endpoint *ep, const char *path,
			     u32 len, u32 *handle, const char **why);

/* route.c */
void weir_handle_resolve(struct weir_endpoint *ep, struct weir_handle *h);
void weir_handle_ask(struct weir_endpoint *ep, struct weir_handle *h);

#endif /* _WEIR_HANDLE_H */
