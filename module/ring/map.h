/* SPDX-License-Identifier: GPL-2.0 */
/* Mapping of rings: see map.c. */
#ifndef _WEIR_MAP_H
#define _WEIR_MAP_H

#include <linux/types.h>

#include "weir.h"

struct file;
struct vm_area_struct;
struct weir_ioc_map;

int weir_map_vma(struct file *file, struct weir_party *p,
		 struct weir_ring *outbox, struct vm_area_struct *vma);
int weir_map_describe(struct weir_party *p, struct weir_ring *outbox,
		      struct weir_ioc_map *desc);
loff_t weir_map_cursor_offset(u32 slot);

#endif /* _WEIR_MAP_H */
