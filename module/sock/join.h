/* SPDX-License-Identifier: GPL-2.0 */
/* Joining the subscribers of a new stream: see join.c. */
#ifndef _WEIR_JOIN_H
#define _WEIR_JOIN_H

#include <linux/types.h>

#include "tenant.h"
#include "weir.h"

/* Subscribers that bind looks at; a worker looks at the others. */
#define WEIR_JOIN_NOW	64U

/**
 * struct weir_joining - the subscribers of a new stream
 */
struct weir_joining {
	/**
	 * @job: joins the subscribers that bind left out, first without waiting
	 * for memory, and at last those that found no memory.
	 */
	struct weir_job		job;
	/** @wn_link: in weir_net.joining; weir_net.join_lock. */
	struct list_head	wn_link;
	/** @ring: the stream, held. */
	struct weir_ring	*ring;
	/**
	 * @keeper: cursor that holds the first position, held; NULL: there is
	 * none.
	 */
	struct weir_reader	*keeper;
	/** @after: id of the last socket that the job has looked at. */
	unsigned long		after;
	/**
	 * @waiting: number of sockets that have the stream in
	 * weir_subscription.pending.
	 */
	u32			waiting;
	/**
	 * @n: entries used in the arrays below: subscribers that bind has
	 * looked at.
	 */
	u32			n;
	/** @more: there are or may be other subscribers. */
	bool			more;
	/**
	 * @socks: subscribers that bind joins, held; NULL: not to be joined.
	 */
	struct weir_sock	*socks[WEIR_JOIN_NOW];
	/** @ids: ids of the subscribers; 0: left to the job. */
	unsigned long		ids[WEIR_JOIN_NOW];
	/** @subs: weir_party.sub_seq of each. */
	u64			subs[WEIR_JOIN_NOW];
};

bool weir_sub_takes(struct weir_sock *ws, const struct weir_path *path);
bool weir_join_gates(const struct weir_sock *ws, const struct weir_ring *ring);
bool weir_join_left_out(struct weir_sock *ws, struct weir_ring *ring, int err);

struct weir_joining *weir_joining_make(struct weir_ring *ring);
void weir_joining_free(struct weir_joining *j);
int weir_join_note(void *item, void *ctx);
void weir_join_now(struct weir_joining *j);
void weir_join_hold(struct weir_joining *j, struct weir_sock *ws);
void weir_joins_first(struct weir_net *wn);

#endif /* _WEIR_JOIN_H */
