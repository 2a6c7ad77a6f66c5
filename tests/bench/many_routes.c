// SPDX-License-Identifier: GPL-2.0
/*
 * Many routes, made and removed as an operator does it, WEIR_OPS_MAX in a
 * control call. Their paths have eight segments.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "many_routes.h"
#include "routed.h"

/* Caps that as many routes would meet. */
bool many_routes_allow(unsigned int n)
{
	static const char *const caps[] = {
		"user_objects_max", "netns_objects_max",
	};
	char name[64], value[24];
	size_t i;

	snprintf(value, sizeof(value), "%u", 4 * n);
	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		snprintf(name, sizeof(name), TUNABLES "%s", caps[i]);
		if (!routed_write(name, value)) {
			say("routes: %s: %s", name, strerror(errno));
			return false;
		}
	}
	return true;
}

/* @to: of WEIR_PATH_MAX + 1 bytes. */
void many_routes_path(char *to, unsigned int i)
{
	snprintf(to, WEIR_PATH_MAX + 1, "/bench/of/many/routes/all/%u/%u/%u",
		 i / 10000, i / 100 % 100, i % 100);
}

/* One change to each route from @from to @to; false after words. */
static bool routes_change(uint32_t op, unsigned int from, unsigned int to)
{
	struct weir_route_op *ops = calloc(WEIR_OPS_MAX, sizeof(*ops));
	unsigned int n;
	int err = 0;

	if (!ops)
		die("no memory for changes");
	for (; !err && from < to; from += n) {
		for (n = 0; n < WEIR_OPS_MAX && from + n < to; n++) {
			ops[n].op = op;
			many_routes_path(ops[n].path, from + n);
		}
		err = routed_control(ops, n);
	}
	free(ops);
	if (err)
		say("routes: before number %u: %s", from, strerror(-err));
	return !err;
}

bool many_routes_set(unsigned int from, unsigned int to)
{
	return routes_change(WEIR_OP_ROUTE_SET, from, to);
}

bool many_routes_remove(unsigned int from, unsigned int to)
{
	return routes_change(WEIR_OP_ROUTE_DEL, from, to);
}
