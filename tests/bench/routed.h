/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What measurements of the router share: handles that serve and call, and the
 * routes that they go by; see routed.c.
 */
#ifndef WEIR_BENCH_ROUTED_H
#define WEIR_BENCH_ROUTED_H

#include <weir.h>

#include "bench.h"

#define TUNABLES	"/sys/kernel/weir/tunables/"

#define MS_NS		UINT64_C(1000000)
#define SECOND_NS	(1000 * MS_NS)

struct weir *routed_handle(size_t ring_bytes);
struct weir *routed_server(const char *path, size_t ring_bytes);
struct weir *routed_caller(const char *path, size_t ring_bytes,
			   uint32_t *route);
struct weir_route_conf routed_conf(uint32_t guards);
bool routed_write(const char *name, const char *value);
int routed_ioctl(unsigned long request, void *arg);
int routed_control(const struct weir_route_op *ops, uint32_t n);
void routed_set(const char *path, const struct weir_route_conf *conf);
void routed_unset(const char *path);
_Noreturn void routed_unexpected(const struct weir_msg *msg, int kind);

/* As a program would that looks at the kind of what it gets. */
inlined void routed_expect(const struct weir_msg *msg, int kind)
{
	if (weir_unlikely(msg->kind != kind)) {
		struct weir_msg copy = *msg;	/* which stays in registers */

		routed_unexpected(&copy, kind);
	}
}

#endif /* WEIR_BENCH_ROUTED_H */
