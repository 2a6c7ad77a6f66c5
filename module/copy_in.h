/* SPDX-License-Identifier: GPL-2.0 */
/* Structures that grow: see copy_in.c. */
#ifndef _WEIR_COPY_IN_H
#define _WEIR_COPY_IN_H

#include <linux/types.h>

#include "weir.h"

int weir_copy_in(struct weir_owner *o, void *to, size_t known,
		 const void __user *from);

#endif /* _WEIR_COPY_IN_H */
