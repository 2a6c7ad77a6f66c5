/* SPDX-License-Identifier: GPL-2.0 */
/* Mapping of rings: see map.c. */
#ifndef _WEIR_MAP_H
#define _WEIR_MAP_H

#include <linux/types.h>

#include "weir.h"

struct file;
struct socket;
struct vm_area_struct;
struct weir_ioc_map;

int weir_mmap(struct file *file, struct socket *sock,
	      struct vm_area_struct *vma);
int weir_map_describe(struct weir_sock *ws, struct weir_ioc_map *map);
loff_t weir_map_cursor_offset(u32 slot);

#endif /* _WEIR_MAP_H */
