/* SPDX-License-Identifier: GPL-2.0 */
/* Threads that poll outboxes: see poller.c. */
#ifndef _WEIR_POLLER_H
#define _WEIR_POLLER_H

#include "weir.h"

struct cpumask;

void weir_poll_join(struct weir_endpoint *ep);
void weir_poll_leave(struct weir_endpoint *ep);
void weir_poll_kick(struct weir_endpoint *ep);
void weir_poll_took(struct weir_endpoint *ep, u32 bytes);
int weir_poll_set(const struct cpumask *cpus);
int weir_poll_show(char *buf);
int weir_poll_init(void);
void weir_poll_exit(void);

#endif /* _WEIR_POLLER_H */
