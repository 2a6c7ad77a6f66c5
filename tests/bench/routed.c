// SPDX-License-Identifier: GPL-2.0
/*
 * Handles that serve and call paths, and the routes that they go by. "All
 * guards on" is what routed_conf(GUARDS_ALL) sets: each looks at every message
 * and none ever refuses one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "routed.h"

/* A handle whose outbox and inbox are of this size. */
struct weir *routed_handle(size_t ring_bytes)
{
	struct weir_config c = {
		.ring_bytes = (uint32_t)ring_bytes,
		.inbox_bytes = (uint32_t)ring_bytes,
	};
	struct weir *w;

	if (weir_open(&w, SOCK_RDM, &c))
		die("a routed socket: %s", weir_error());
	return w;
}

struct weir *routed_server(const char *path, size_t ring_bytes)
{
	struct weir *w = routed_handle(ring_bytes);

	if (weir_serve(w, path, 1, NULL))
		die("serve %s: %s", path, weir_error());
	return w;
}

struct weir *routed_caller(const char *path, size_t ring_bytes,
			   uint32_t *route)
{
	struct weir *w = routed_handle(ring_bytes);
	int ret = weir_route(w, path);

	if (ret < 0)
		die("route %s: %s", path, weir_error());
	*route = (uint32_t)ret;
	return w;
}

/*
 * Policy any, a default deadline, and those guards. Retries are of requests
 * marked idempotent alone, so GUARD_RETRY means marking them, too.
 */
struct weir_route_conf routed_conf(uint32_t guards)
{
	struct weir_route_conf c = {
		.policy		= WEIR_POLICY_ANY,
		.timeout_ns	= 10 * SECOND_NS,
	};

	if (guards & GUARD_BUCKET) {
		c.rate = 1000000000;
		c.burst = 1000000000;
	}
	if (guards & GUARD_BULKHEAD)
		c.bulkhead = 1000000;
	if (guards & GUARD_BREAKER) {
		c.breaker_window_ns = 10 * SECOND_NS;
		c.breaker_open_ns = SECOND_NS;
		c.breaker_slow_ns = 50 * MS_NS;
		c.breaker_min_calls = 100;
		c.breaker_error_percent = 50;
		c.breaker_slow_percent = 50;
		c.breaker_probes = 3;
	}
	if (guards & GUARD_RETRY) {
		c.retries = 3;
		c.retry_base_ns = MS_NS;
		c.retry_max_ns = 100 * MS_NS;
	}
	return c;
}

/* One value into a file of the kernel's. */
bool routed_write(const char *name, const char *value)
{
	size_t len = strlen(value);
	int fd = open(name, O_WRONLY | O_APPEND);
	bool good = fd >= 0 && write(fd, value, len) == (ssize_t)len;

	if (fd >= 0)
		close(fd);
	return good;
}

/* By a socket that neither serves nor calls. 0, or -errno. */
int routed_ioctl(unsigned long request, void *arg)
{
	int fd = socket(weir_family(), SOCK_RDM, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, request, arg))
		err = -errno;
	close(fd);
	return err;
}

/* Changes to routes, all or none. 0, or -errno; weir_error() has no words. */
int routed_control(const struct weir_route_op *ops, uint32_t n)
{
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl),
		.op_size = sizeof(*ops),
		.count = n,
		.ops = (uintptr_t)ops,
	};

	return routed_ioctl(WEIR_IOC_CONTROL, &ctl);
}

void routed_set(const char *path, const struct weir_route_conf *conf)
{
	struct weir_route_op op = { .op = WEIR_OP_ROUTE_SET, .conf = *conf };
	int err;

	snprintf(op.path, sizeof(op.path), "%s", path);
	err = routed_control(&op, 1);
	if (err)
		die("route %s: %s", path, strerror(-err));
}

/* Back to what a path has that nobody has set. */
void routed_unset(const char *path)
{
	struct weir_route_op op = { .op = WEIR_OP_ROUTE_DEL };

	snprintf(op.path, sizeof(op.path), "%s", path);
	routed_control(&op, 1);
}

/* No measurement goes on with errors for replies. */
_Noreturn void routed_unexpected(const struct weir_msg *msg, int kind)
{
	struct weir_refusal fault;

	if (weir_refusal_get(msg, &fault))
		die("the router refused a request: %s",
		    weir_reason_name(fault.reason));
	die("a message of kind %d, not %d", msg->kind, kind);
}
