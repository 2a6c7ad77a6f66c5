/* SPDX-License-Identifier: GPL-2.0 */
/* Sleeping until a ring is ready, and waking: see wake.c. */
#ifndef _WEIR_WAKE_H
#define _WEIR_WAKE_H

#include <linux/poll.h>
#include <linux/types.h>

#include "weir.h"

struct cpumask;
struct file;
struct socket;
struct weir_timer;

void weir_fence_cpus(const struct cpumask *cpus);
void weir_ring_wake_readers(struct weir_ring *ring);
void weir_inbox_wake_reader(struct weir_ring *inbox);
void weir_ring_wake_writer(struct weir_ring *ring);
bool weir_arm_readable(struct weir_sock *ws);
bool weir_writable(struct weir_ring *ring, u64 bytes);
bool weir_arm_writable(struct weir_ring *ring, u64 bytes);
__poll_t weir_poll(struct file *file, struct socket *sock, poll_table *wait);
int weir_sock_wait(struct weir_sock *ws, u32 flags, u64 bytes, s64 timeout_ns);
void weir_ring_reap(struct weir_timer *timer);
u64 weir_out_want(const struct weir_ring *ring);

#endif /* _WEIR_WAKE_H */
