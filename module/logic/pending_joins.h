/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The streams that one subscriber waits for because it had no memory when they
 * were published. A worker joins it to them later. The subscriber makes the
 * table, so the subscriber pays for it: a worker of a publisher allocates
 * nothing to note a subscriber without memory.
 *
 * One publisher's user takes at most half of the entries that the others leave.
 * So no user can fill the table with its streams.
 *
 * The caller has a lock that guards the table. Any context.
 */
#ifndef _WEIR_PENDING_JOINS_H
#define _WEIR_PENDING_JOINS_H

#include <linux/types.h>
#include <linux/uidgid.h>

#include "logic/account.h"

#define WEIR_PENDING_MAX	128U	/* together 1.5 KiB */

/**
 * struct weir_pending_joins - streams that a subscriber waits for
 * @n: number of entries.
 * @user: publisher's user of each stream.
 * @stream: number of each stream; no two streams have the same.
 */
struct weir_pending_joins {
	u32	n;
	kuid_t	user[WEIR_PENDING_MAX];
	u64	stream[WEIR_PENDING_MAX];
};

/**
 * weir_pending_add() - note that a subscriber waits for a stream
 * @joins: the subscriber's table.
 * @user: publisher's user of the stream.
 * @stream: number of the stream, which is not in the table.
 *
 * Return: false if the user has its share of the entries; then nothing changes.
 */
static inline bool weir_pending_add(struct weir_pending_joins *joins,
				    kuid_t user, u64 stream)
{
	u32 i, own = 0;

	for (i = 0; i < joins->n; i++)
		own += uid_eq(joins->user[i], user);
	if (joins->n == WEIR_PENDING_MAX ||
	    own >= weir_share(WEIR_PENDING_MAX, joins->n - own))
		return false;
	joins->user[joins->n] = user;
	joins->stream[joins->n++] = stream;
	return true;
}

/**
 * weir_pending_take() - take a note back
 * @joins: the subscriber's table.
 * @stream: number of the stream.
 *
 * Return: true if the stream was in the table.
 */
static inline bool weir_pending_take(struct weir_pending_joins *joins,
				     u64 stream)
{
	u32 i;

	for (i = 0; i < joins->n; i++) {
		if (joins->stream[i] != stream)
			continue;
		joins->n--;
		joins->user[i] = joins->user[joins->n];
		joins->stream[i] = joins->stream[joins->n];
		return true;
	}
	return false;
}

#endif /* _WEIR_PENDING_JOINS_H */
