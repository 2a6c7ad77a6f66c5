/* SPDX-License-Identifier: GPL-2.0 */
/* Which account pays for a thing: see charge.c. */
#ifndef _WEIR_CHARGE_H
#define _WEIR_CHARGE_H

#include <linux/types.h>

#include "logic/account.h"
#include "weir.h"

struct net;

extern struct weir_users weir_users;

struct weir_account *weir_account_of_current(struct net *net);
int weir_charge_account(struct weir_charge *c, struct weir_account *a,
			u64 bytes, u64 objects, const char *name,
			const char **why);
int weir_charge_owner(struct weir_charge *c, struct weir_owner *o, u64 bytes,
		      u64 objects);
u64 weir_name_bytes(const char *name, u32 len);
bool weir_share_exempt(const struct weir_owner *o,
		       const struct weir_account *payer);

#endif /* _WEIR_CHARGE_H */
