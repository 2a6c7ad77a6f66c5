/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files that answer WEIR_IOC_LIST share: list.c and, for routes and
 * their targets, routelist.c.
 */
#ifndef _WEIR_LIST_H
#define _WEIR_LIST_H

#include <linux/sched/signal.h>

#include "weir.h"

#define WEIR_LIST_MAX	1024	/* entries a call */

/**
 * struct weir_list_ctx - a call in progress
 * @ws: caller's socket.
 * @kind: what is listed.
 * @after: only larger ids.
 * @room: entries that still fit.
 * @count: entries written.
 * @entry_size: as the caller knows it.
 * @to: next entry in user space.
 * @all: the caller may see everything.
 * @known: bytes of an entry as this module knows it.
 * @entry: entry being made, of @known bytes.
 */
struct weir_list_ctx {
	struct weir_sock *ws;
	u32 kind;
	u64 after;
	u32 room;
	u32 count;
	u32 entry_size;
	u8 __user *to;
	bool all;
	u32 known;
	void *entry;
};

int weir_list(struct weir_sock *ws, void __user *arg);
int weir_list_emit(struct weir_list_ctx *ctx);

/* routelist.c */
int weir_list_routes(struct weir_list_ctx *ctx);
int weir_list_targets(struct weir_list_ctx *ctx);

/* Gives way after an object; the walk ends with an error, or by a fatal signal. */
static inline int weir_list_pause(int err)
{
	cond_resched();
	return err ?: (fatal_signal_pending(current) ? -EINTR : 0);
}

#endif /* _WEIR_LIST_H */
