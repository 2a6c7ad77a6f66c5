// SPDX-License-Identifier: GPL-2.0
/*
 * A route behind another that refuses a message is not on its way: it shortens no
 * deadline of it.
 */
#include "routed.h"

int main(void)
{
	struct weir_route_conf first = { QUIET, .policy = WEIR_POLICY_PRIMARY };
	struct weir_route_conf behind = {
		.timeout_ns = MS, .deadline_max_ns = MS,
		.probe_ns = WEIR_PROBE_OFF,
	};
	struct weir_route_op op;
	struct weir *target, *w;
	uint32_t route;

	hard_begin();
	tap_watchdog(120);
	op = route_op(WEIR_OP_TARGET_ADD, "/behind/first", "/behind/empty", 0,
		      2);
	need(!route_set("/behind/empty", &behind) &&
	     !route_set("/behind/first", &first) && !control(&op, 1),
	     "routes");
	target = server("/behind/first", 1);
	w = caller("/behind/first", &route);

	ask(w, route, 1);
	/* longer than the route that refused would have given it */
	pass(50 * MS);
	tap_is(serve_all(target, WEIR_KIND_REPLY), 1,
	       "a message that a route refused goes to the next target");
	tap_is(answer(w, 1), 0, "which answers in its own route's time");
	weir_close(w);
	weir_close(target);
	op.op = WEIR_OP_TARGET_DEL;
	need(!control(&op, 1), "undo");
	need(!route_del("/behind/first") && !route_del("/behind/empty"),
	     "undo");
	check_kernel();
	return tap_done();
}
