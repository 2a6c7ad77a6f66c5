/* SPDX-License-Identifier: GPL-2.0 */
/* sendmsg and recvmsg: see send.c and recv.c. */
#ifndef _WEIR_MESSAGE_H
#define _WEIR_MESSAGE_H

#include <linux/types.h>

#include "ring/ring.h"
#include "sock/sock.h"
#include "stats.h"
#include "weir.h"

struct msghdr;
struct socket;

/* Counts copied payload bytes: for the socket, the ring and the whole host. */
static inline void weir_count_copy(struct weir_sock *ws, struct weir_ring *ring,
				   size_t bytes)
{
	atomic64_add(bytes, &ws->counts.copied_bytes);
	atomic64_add(bytes,
		     (atomic64_t *)&weir_ring_status(ring)->copied_bytes);
	weir_stat_add(WEIR_STAT_COPIED_BYTES, bytes);
}

int weir_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int weir_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
		 int flags);
int weir_recv_catch_up(struct weir_sock *ws, struct weir_reader *rd);

#endif /* _WEIR_MESSAGE_H */
