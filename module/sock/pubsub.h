/* SPDX-License-Identifier: GPL-2.0 */
/* Publishing and subscribing: see publish.c and subscribe.c. */
#ifndef _WEIR_PUBSUB_H
#define _WEIR_PUBSUB_H

#include <linux/types.h>

#include "weir.h"

/* publish.c */
int weir_publish(struct weir_sock *ws, const char *name, u32 len);

/* subscribe.c */
int weir_sock_subscribe(struct weir_sock *ws, const char *pattern, u32 len);
void weir_unsubscribe(struct weir_sock *ws);

#endif /* _WEIR_PUBSUB_H */
