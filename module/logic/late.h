/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The streams that one subscriber waits for because it had no memory when they
 * were published. A worker joins it to them later. The subscriber makes the
 * table, so the subscriber pays for it: a worker of a publisher allocates
 * nothing to note a subscriber without memory.
 *
 * One publisher's user takes at most half of the places that the others leave.
 * So no user can fill the table with its streams.
 *
 * The caller has a lock that guards the table. Any context.
 */
#ifndef _WEIR_LATE_H
#define _WEIR_LATE_H

#include <linux/types.h>
#include <linux/uidgid.h>

#include "logic/account.h"

#define WEIR_LATE_MAX	128U	/* struct weir_late takes 1.5 KiB */

/**
 * struct weir_late - streams that a subscriber waits for
 * @n: number of entries.
 * @user: publisher's user of each stream.
 * @stream: number of each stream; no two streams have the same.
 */
struct weir_late {
	u32	n;
	kuid_t	user[WEIR_LATE_MAX];
	u64	stream[WEIR_LATE_MAX];
};

/**
 * weir_late_add() - note that a subscriber waits for a stream
 * @late: the subscriber's table.
 * @user: publisher's user of the stream.
 * @stream: number of the stream, which is not in the table.
 *
 * Return: false if the user has its share of the places; then nothing changes.
 */
static inline bool weir_late_add(struct weir_late *late, kuid_t user,
				 u64 stream)
{
	u32 i, own = 0;

	for (i = 0; i < late->n; i++)
		own += uid_eq(late->user[i], user);
	if (late->n == WEIR_LATE_MAX ||
	    own >= weir_share(WEIR_LATE_MAX, late->n - own))
		return false;
	late->user[late->n] = user;
	late->stream[late->n++] = stream;
	return true;
}

/**
 * weir_late_take() - take a note back
 * @late: the subscriber's table.
 * @stream: number of the stream.
 *
 * Return: true if the stream was in the table.
 */
static inline bool weir_late_take(struct weir_late *late, u64 stream)
{
	u32 i;

	for (i = 0; i < late->n; i++) {
		if (late->stream[i] != stream)
			continue;
		late->n--;
		late->user[i] = late->user[late->n];
		late->stream[i] = late->stream[late->n];
		return true;
	}
	return false;
}

#endif /* _WEIR_LATE_H */
