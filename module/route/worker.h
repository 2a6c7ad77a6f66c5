/* SPDX-License-Identifier: GPL-2.0 */
/* What a user's worker does for the router: see worker.c. */
#ifndef _WEIR_WORKER_H
#define _WEIR_WORKER_H

#include "weir.h"

struct weir_turn;

void weir_endpoint_turn(struct weir_turn *turn);
u32 weir_tenant_slots(struct weir_tenant *t, u32 want);
void weir_endpoint_later(struct weir_endpoint *ep);
void weir_endpoint_never(struct weir_endpoint *ep);

#endif /* _WEIR_WORKER_H */
