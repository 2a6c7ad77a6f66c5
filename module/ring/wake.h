/* SPDX-License-Identifier: GPL-2.0 */
/* Sleeping until a ring is ready, and waking: see wake.c and gate.c. */
#ifndef _WEIR_WAKE_H
#define _WEIR_WAKE_H

#include <linux/types.h>

#include "weir.h"

struct cpumask;
struct weir_timer;

/* wake.c */
extern const struct weir_ring_ops weir_outbox_ops;

void weir_fence_cpus(const struct cpumask *cpus);
void weir_ring_wake_readers(struct weir_ring *ring);
void weir_inbox_wake_reader(struct weir_ring *inbox);
bool weir_reader_arm_kernel(struct weir_reader *rd);
void weir_reader_pin_fence(struct weir_reader *rd, struct cpumask *cpus);
bool weir_ring_want_room(struct weir_ring *ring, u64 bytes,
			 struct cpumask *cpus);
void weir_ring_wake_writer(struct weir_ring *ring, u64 pos);
bool weir_party_readable(struct weir_party *p);
bool weir_party_arm(struct weir_party *p);
void weir_party_arm_new(struct weir_party *p, struct weir_reader *rd);
void weir_party_watch(struct weir_party *p, u8 watch);
void weir_party_rearm(struct weir_party *p);
bool weir_arm_writable(struct weir_ring *ring, u64 bytes);

/* gate.c */
bool weir_writable(struct weir_ring *ring, u64 bytes);
void weir_ring_reap(struct weir_timer *timer);
u64 weir_out_want(const struct weir_ring *ring);

#endif /* _WEIR_WAKE_H */
