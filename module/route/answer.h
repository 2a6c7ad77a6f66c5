/* SPDX-License-Identifier: GPL-2.0 */
/* Calls that end without a reply of their target: see answer.c. */
#ifndef _WEIR_ANSWER_H
#define _WEIR_ANSWER_H

#include <linux/types.h>

#include "uapi/weir_route.h"
#include "weir.h"

struct weir_call_entry;
struct weir_handle;

void weir_call_answer(struct weir_endpoint *ep, struct weir_call_entry *call,
		      struct weir_route *route, enum weir_reason reason,
		      enum weir_guard guard, u64 wait_ns);
void weir_call_leave(struct weir_endpoint *ep, struct weir_call_entry *call,
		     u64 now_ns, enum weir_reason reason);
void weir_call_end_parent(struct weir_endpoint *ep,
			  struct weir_call_entry *parent);
void weir_call_lost(struct weir_endpoint *ep, struct weir_call_entry *call,
		    enum weir_reason reason, enum weir_guard guard);
void weir_endpoint_refusal(struct weir_endpoint *ep, u32 handle, u64 tag_key,
			   u8 flags, const struct weir_refusal *refusal);
bool weir_call_child_done(struct weir_endpoint *ep,
			  struct weir_call_entry *call,
			  bool good, u8 *flags);
void weir_refused(struct weir_route *route, u32 tag,
		  const struct weir_refusal *refusal);
void weir_refused_trace(const struct weir_handle *h, u32 tag,
			const struct weir_refusal *refusal);
void weir_refused_name(const struct weir_handle *h, u32 tag,
		       const struct weir_refusal *refusal);

#endif /* _WEIR_ANSWER_H */
