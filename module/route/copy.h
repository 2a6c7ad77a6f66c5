/* SPDX-License-Identifier: GPL-2.0 */
/* Copies that are made after a section: see copy.c. */
#ifndef _WEIR_COPY_H
#define _WEIR_COPY_H

#include "route/record.h"
#include "uapi/weir_route.h"
#include "weir.h"

struct weir_call_entry;
struct weir_dup_reply;
struct weir_pass;
struct weir_target;

/* Large copies of one message: to one target, and to a mirror of each route. */
#define WEIR_COPIES_OWN		(WEIR_HOPS_MAX + 2)

/**
 * struct weir_copy - a copy that is made after the section; see copy.c
 */
struct weir_copy {
	/** @at: space in the inbox; @at.inbox is held. */
	struct weir_reservation	at;
	/**
	 * @kept: granules of room that are kept in the inbox for the copy, and
	 * counted in post.granted: the copy claims its space when it begins. 0:
	 * @at is claimed already.
	 */
	u32			kept;
	/** @from: source, in the outbox of the pass, or in @reply. */
	const u8		*from;
	/** @len: bytes to copy. */
	u32			len;
	/** @header: kind and flags of the record. */
	u64			header;
	/** @route: route of the record. */
	u32			route;
	/** @tag_key: tag and shard key of the record. */
	u64			tag_key;
	/**
	 * @deadline_ns: deadline that the record names, on the inbox's clock;
	 * 0: none.
	 */
	u64			deadline_ns;
	/**
	 * @call: call of a request: the copy is given up when the call ends; or
	 * NULL.
	 */
	struct weir_call_entry	*call;
	/** @name: name of @call. */
	u64			name;
	/** @reply: remembered reply that @from points into, held; or NULL. */
	struct weir_dup_reply	*reply;
};

/* copy.c */
void weir_copy_pieces(u8 *to, const u8 *from, u32 len);
bool weir_copies_reserve(struct weir_pass *pass, u32 n);
void weir_copy_later(struct weir_pass *pass, const struct weir_copy *copy);
enum weir_reason weir_copy_keep(struct weir_target *target,
				const struct weir_message *m,
				struct weir_reservation *at, u32 *kept);
void weir_copy_give(struct weir_ring *inbox, u32 kept);
void weir_copy_request(struct weir_pass *pass,
		       const struct weir_reservation *at, u32 kept,
		       const struct weir_message *m,
		       struct weir_call_entry *call, u64 name,
		       u64 deadline_ns);
void weir_copies_make(struct weir_pass *pass);
void weir_copies_free(struct weir_pass *pass);

#endif /* _WEIR_COPY_H */
