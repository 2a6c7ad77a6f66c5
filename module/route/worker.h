/* SPDX-License-Identifier: GPL-2.0 */
/* What a user's worker does for the router: see worker.c. */
#ifndef _WEIR_WORKER_H
#define _WEIR_WORKER_H

#include "weir.h"

struct weir_work_item;

void weir_endpoint_work(struct weir_work_item *item);
u32 weir_tenant_scan_budget(struct weir_tenant *t, u32 want);
void weir_endpoint_queue(struct weir_endpoint *ep);
void weir_endpoint_unqueue(struct weir_endpoint *ep);

#endif /* _WEIR_WORKER_H */
