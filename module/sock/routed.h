/* SPDX-License-Identifier: GPL-2.0 */
/* A socket that calls and serves: see routed.c. */
#ifndef _WEIR_ROUTED_H
#define _WEIR_ROUTED_H

#include "ring/ring.h"
#include "ring/wake.h"
#include "route/router.h"
#include "sock/sock.h"
#include "weir.h"

struct weir_ioc_serve;

struct weir_endpoint *weir_sock_endpoint(struct weir_sock *ws);
int weir_sock_serve_path(struct weir_sock *ws, struct weir_ioc_serve *serve);
int weir_sock_drain(struct weir_sock *ws);
int weir_sock_serve(struct weir_sock *ws, void __user *arg);
int weir_sock_call(struct weir_sock *ws, void __user *arg);

/*
 * The socket has kicked: routes the records that it committed to its outbox, or
 * wakes the readers that sleep. The caller has fenced. May sleep.
 */
static __always_inline void weir_outbox_kick(struct weir_sock *ws,
					     struct weir_ring *outbox)
{
	if (ws->ep)
		weir_endpoint_kick(ws->ep);
	else if (READ_ONCE(weir_ring_status(outbox)->wake) & WEIR_WAKE_READERS)
		weir_ring_wake_readers(outbox);
}

#endif /* _WEIR_ROUTED_H */
