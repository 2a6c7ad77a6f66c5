/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files that answer WEIR_IOC_LIST share. list.c has the loop, sockets
 * and paths; list_ring.c has streams and cursors; list_route.c has routes and
 * targets.
 */
#ifndef _WEIR_LIST_H
#define _WEIR_LIST_H

#include "weir.h"

#define WEIR_LIST_MAX	1024	/* entries a call */

/**
 * struct weir_list_ctx - a WEIR_IOC_LIST in progress
 */
struct weir_list_ctx {
	/** @ws: caller's socket. */
	struct weir_sock *ws;
	/** @kind: kind of the objects that are listed. */
	u32 kind;
	/** @after: objects with larger ids are listed. */
	u64 after;
	/** @room: number of entries that still fit. */
	u32 room;
	/** @count: number of entries written. */
	u32 count;
	/** @entry_size: bytes of an entry as the caller knows it. */
	u32 entry_size;
	/** @to: next entry in user space. */
	u8 __user *to;
	/** @all: the caller may see everything. */
	bool all;
	/** @known: bytes of an entry as this module knows it. */
	u32 known;
	/** @entry: entry being made, of @known bytes. */
	void *entry;
};

int weir_list(struct weir_sock *ws, void __user *arg);

/**
 * enum weir_list_found - what a step of a list found
 * @WEIR_FOUND_END: no object is left.
 * @WEIR_FOUND_HIDDEN: an object that has no entry for the caller.
 * @WEIR_FOUND_ENTRY: an object; weir_list_ctx.entry is made.
 */
enum weir_list_found {
	WEIR_FOUND_END,
	WEIR_FOUND_HIDDEN,
	WEIR_FOUND_ENTRY,
};

bool weir_list_sees(const struct weir_list_ctx *ctx, kuid_t uid);
struct weir_list_entry *weir_list_fresh(struct weir_list_ctx *ctx, u64 id,
					kuid_t uid);
bool weir_list_may(const struct weir_list_ctx *ctx,
		   const struct weir_path *path, int mask);
enum weir_list_found
weir_list_paths(struct weir_list_ctx *ctx, unsigned long *id,
		enum weir_list_found (*fill)(struct weir_list_ctx *ctx,
					     struct weir_path *path));

/*
 * The steps. Each finds the first object with a larger id than *@id and, if the
 * caller may see it, makes its entry. Stores its id in *@id. A step holds no
 * lock when it returns: the entry is copied to the caller then.
 *
 * --- list_ring.c ---
 */
enum weir_list_found weir_list_stream(struct weir_list_ctx *ctx,
				      unsigned long *id);
enum weir_list_found weir_list_cursor(struct weir_list_ctx *ctx,
				      unsigned long *id);

/* --- list_route.c --- */
enum weir_list_found weir_list_route(struct weir_list_ctx *ctx,
				     unsigned long *id);
enum weir_list_found weir_list_target(struct weir_list_ctx *ctx,
				      unsigned long *id);

#endif /* _WEIR_LIST_H */
