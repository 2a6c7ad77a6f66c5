/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An inbox: the kernel writes it, and its socket or kernel code reads it; see
 * inbox.c.
 */
#ifndef _WEIR_INBOX_H
#define _WEIR_INBOX_H

#include <linux/preempt.h>

#include "ring/ring.h"
#include "weir.h"

struct weir_reader_ops;

extern const struct weir_ring_ops weir_inbox_ops;

int weir_inbox_create(struct weir_party *p, const struct weir_ring_spec *spec);
struct weir_ring *weir_inbox_create_kernel(struct weir_owner *o,
					   const struct weir_ring_spec *spec,
					   const struct weir_reader_ops *ops,
					   void *data);
void weir_inbox_post(struct weir_party *p, struct weir_reader *rd,
		     enum weir_notice_type type, enum weir_reason reason);
void weir_inbox_refused(struct weir_party *p, struct weir_ring *ring,
			enum weir_reason reason);
void weir_inbox_flush(struct weir_ring *inbox);
void weir_inbox_grants_over(struct weir_timer *timer);
void weir_inbox_close(struct weir_ring *inbox);
bool weir_inbox_room(struct weir_ring *inbox, u64 bytes);
void weir_inbox_refresh(struct weir_ring *inbox, u64 bytes);
void weir_inbox_want(struct weir_ring *inbox, u64 bytes);
bool weir_inbox_fence(struct weir_ring *inbox,
		      const struct weir_account *account, struct cpumask *cpus);
void weir_inbox_wake(struct weir_ring *inbox);
void weir_inbox_passed(struct weir_ring *inbox);
u64 weir_inbox_seen(struct weir_ring *inbox);

/*
 * Takes space for @n records of @total bytes. The caller has checked the room.
 */
static __always_inline void weir_inbox_take(struct weir_ring *inbox, u64 total,
					    u32 n, u64 *pos, u32 *seq)
	__must_hold(&inbox->post.lock)
{
	struct weir_post *post = &inbox->post;

	lockdep_assert_held(&inbox->post.lock);
	*pos = post->pos;
	*seq = post->seq;
	post->pos += total;
	post->seq += n;
	WRITE_ONCE(inbox->view.head->claim,
		   weir_ring_pack(post->pos >> WEIR_GRANULE_SHIFT, post->seq));
	smp_wmb();						/* (A) */
}

/*
 * Follows weir_inbox_refresh() when the caller took less space than it asked
 * for. The rest of the room stays reserved for waiters.
 */
static __always_inline void weir_inbox_trim(struct weir_post *post)
	__must_hold(&post->lock)
{
	lockdep_assert_held(&post->lock);
	if (unlikely(post->queued))
		post->limit = min(post->limit, post->pos +
				  (u64)post->kept * WEIR_GRANULE);
}

/**
 * weir_inbox_claim() - take space for a record in an inbox
 * @inbox: the ring.
 * @total: bytes, from weir_ring_need().
 * @keep: bytes that must stay free behind the record.
 * @pos: out: the record's position.
 * @seq: out: its record count, low 32 bits.
 *
 * Return: false when there is no room, or the socket is gone. An invalid cursor
 * counts as no room: that harms the cursor's own socket only.
 */
static inline bool weir_inbox_claim(struct weir_ring *inbox, u64 total,
				    u64 keep, u64 *pos, u32 *seq)
	__must_hold(&inbox->post.lock)
{
	struct weir_post *post = &inbox->post;

	lockdep_assert_held(&inbox->post.lock);
	if (unlikely(post->limit - post->pos < total + keep)) {
		weir_inbox_refresh(inbox, total);
		if (post->limit - post->pos < total + keep) {
			weir_inbox_trim(post);
			return false;
		}
	}
	weir_inbox_take(inbox, total, 1, pos, seq);
	return true;
}

#endif /* _WEIR_INBOX_H */
