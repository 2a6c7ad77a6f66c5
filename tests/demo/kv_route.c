// SPDX-License-Identifier: GPL-2.0
/*
 * What the second act tells the router, and asks it: the route with its guards
 * (WEIR_IOC_CONTROL) and the counts of route and targets (WEIR_IOC_LIST).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <weir.h>

#include "kv.h"

#define ENTRIES_MAX	256

/* Half of all that may be in flight: two instances can do the work. */
#define BULKHEAD	(KV_CALLERS * KV_WINDOW / 2)

/*
 * The breaker judges by the last 300 ms, so that a target with thousands of good
 * calls behind it is found to be slow soon; but by more calls than are in flight
 * at one target, since a machine that stood still for a moment (a guest may) has
 * made all of those slow.
 */
static const struct weir_route_conf conf = {
	.policy			= WEIR_POLICY_ANY,
	.timeout_ns		= KV_TIMEOUT_NS,
	.probe_ns		= 100 * MS,
	.bulkhead		= BULKHEAD,
	.breaker_window_ns	= 300 * MS,
	.breaker_open_ns	= 500 * MS,
	.breaker_slow_ns	= KV_SLOW_NS,
	.breaker_min_calls	= BULKHEAD + 1,
	.breaker_error_percent	= 50,
	.breaker_slow_percent	= 50,
	.breaker_probes		= 3,
	.retries		= 3,
	.retry_base_ns		= MS,
	.retry_max_ns		= 20 * MS,
};

/* The conductor's own socket: it neither serves nor calls. */
static int control_fd(void)
{
	static struct weir *w;
	int err = w ? 0 : weir_open(&w, SOCK_RDM, NULL);

	return err ? err : weir_fd(w);
}

static int control(const struct weir_route_op *op)
{
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl),
		.op_size = sizeof(*op),
		.count = 1,
		.ops = (uintptr_t)op,
	};
	int fd = control_fd();

	if (fd < 0)
		return fd;
	return ioctl(fd, WEIR_IOC_CONTROL, &ctl) ? -errno : 0;
}

int kv_route_set(void)
{
	struct weir_route_op op = {
		.op = WEIR_OP_ROUTE_SET,
		.path = KV_PATH,
		.conf = conf,
	};

	return control(&op);
}

int kv_route_del(void)
{
	struct weir_route_op op = { .op = WEIR_OP_ROUTE_DEL, .path = KV_PATH };

	return control(&op);
}

/* Entries of a kind; how many, or a negative errno. */
static int list(uint32_t kind, void *entries, uint32_t entry_size)
{
	struct weir_ioc_list l = {
		.size = sizeof(l),
		.kind = kind,
		.entry_size = entry_size,
		.count = ENTRIES_MAX,
		.entries = (uintptr_t)entries,
	};
	int fd = control_fd();

	if (fd < 0)
		return fd;
	return ioctl(fd, WEIR_IOC_LIST, &l) ? -errno : (int)l.count;
}

/* Brings a sample up to now; what is gone stays in it as it was. */
int kv_sample(const struct kv_shared *shared, struct kv_sample *sample)
{
	static struct weir_target_entry targets[ENTRIES_MAX];
	static struct weir_route_entry routes[ENTRIES_MAX];
	int n, i, j;

	n = list(WEIR_LIST_TARGETS, targets, sizeof(targets[0]));
	for (i = 0; i < n; i++) {
		for (j = 0; j < KV_INSTANCES; j++) {
			if (shared->instance[j].target == targets[i].id)
				sample->target[j] = targets[i];
		}
	}
	if (n < 0)
		return n;
	n = list(WEIR_LIST_ROUTES, routes, sizeof(routes[0]));
	for (i = 0; i < n; i++) {
		if (!strcmp(routes[i].path, KV_PATH))
			sample->route = routes[i];
	}
	sample->ns = demo_now_ns();
	return n < 0 ? n : 0;
}
