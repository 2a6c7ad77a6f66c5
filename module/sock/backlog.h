/* SPDX-License-Identifier: GPL-2.0 */
/* The queue of a listener: see backlog.c. */
#ifndef _WEIR_BACKLOG_H
#define _WEIR_BACKLOG_H

#include <linux/uidgid.h>
#include <net/tcp_states.h>

#include "sock/sock.h"
#include "weir.h"

/* Can new connections be made to this socket? */
static inline bool weir_listens(const struct weir_sock *ws)
{
	return READ_ONCE(ws->sk.sk_state) == TCP_LISTEN &&
	       !(READ_ONCE(ws->sk.sk_shutdown) & RCV_SHUTDOWN);
}

int weir_wait_backlog(struct weir_sock *ws, struct weir_sock *listener,
		      long timeo);
void weir_unreserve(struct weir_sock *listener, kuid_t user);
bool weir_enqueue(struct weir_sock *listener, struct weir_sock *child);
struct weir_sock *weir_dequeue(struct weir_sock *listener);

#endif /* _WEIR_BACKLOG_H */
