/* SPDX-License-Identifier: GPL-2.0 */
/* Routed messages by ordinary socket calls: see plain_route.c. */
#ifndef _WEIR_PLAIN_ROUTE_H
#define _WEIR_PLAIN_ROUTE_H

#include "weir.h"

struct msghdr;
struct weir_ring_rec;
struct weir_scm_route;

int weir_named_address(struct weir_sock *ws, struct msghdr *msg,
		       struct weir_scm_route *scm);
void weir_named_record(const struct weir_ring *inbox,
		       const struct weir_ring_rec *rec,
		       struct weir_scm_route *scm);

#endif /* _WEIR_PLAIN_ROUTE_H */
