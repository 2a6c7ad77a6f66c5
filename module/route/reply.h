/* SPDX-License-Identifier: GPL-2.0 */
/* A message back to its caller: see reply.c. */
#ifndef _WEIR_REPLY_H
#define _WEIR_REPLY_H

#include "route/pass.h"
#include "weir.h"

struct weir_message;

enum weir_outcome weir_reply_route(struct weir_endpoint *ep,
				   struct weir_message *m, u64 tail);
bool weir_reply_fast(struct weir_endpoint *ep, u64 end);
void weir_pass_flush_replies(struct weir_pass *pass);

#endif /* _WEIR_REPLY_H */
