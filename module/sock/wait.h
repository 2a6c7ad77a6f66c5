/* SPDX-License-Identifier: GPL-2.0 */
/* Sleeping until a socket's rings are ready: see wait.c. */
#ifndef _WEIR_WAIT_H
#define _WEIR_WAIT_H

#include <linux/poll.h>
#include <linux/types.h>

#include "weir.h"

struct file;
struct sock;
struct socket;

bool weir_arm_readable(struct weir_sock *ws);
__poll_t weir_poll(struct file *file, struct socket *sock, poll_table *wait);
void weir_wake_next(struct weir_sock *ws);
void weir_watch_async(struct sock *sk);
void weir_watch_sent(struct weir_sock *ws, struct weir_ring *ring);
int weir_sock_wait(struct weir_sock *ws, u32 flags, u64 bytes, s64 *timeout_ns);

#endif /* _WEIR_WAIT_H */
